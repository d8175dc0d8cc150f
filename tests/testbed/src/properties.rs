//! Small `.properties` files, keys in the order given.

use std::fs;
use std::path::{Path, PathBuf};

/// Keys and values, written without escapes: give none that need them.
#[derive(Debug, Clone, Default)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this key, last; an earlier value of it is gone.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.0.retain(|(k, _)| k != key);
        self.0.push((key.to_owned(), value.to_string()));
        self
    }

    /// Without this key.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.0.retain(|(k, _)| k != key);
        self
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// Keys and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// As text of a `.properties` file.
    pub fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (key, value)| {
            text.extend([key, "=", value, "\n"]);
            text
        })
    }

    /// Writes the file and gives its path back.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> PathBuf {
        fs::write(path, self.text()).unwrap();
        path.to_owned()
    }
}
