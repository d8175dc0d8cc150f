//! Small `.properties` files, keys in the order given.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Keys and values, written without escapes: give none that need them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties(Vec<(String, String)>);

impl Properties {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn set(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.0.retain(|(k, _)| k != key);
        self.0.push((key.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        self.0.retain(|(k, _)| k != key);
        self
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    pub(crate) fn write(&self, path: &Path) -> PathBuf {
        let mut text = String::new();
        for (key, value) in &self.0 {
            writeln!(text, "{key}={value}").unwrap();
        }
        fs::write(path, text).unwrap();
        path.to_owned()
    }
}
