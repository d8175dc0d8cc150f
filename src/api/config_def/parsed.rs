//! A configuration that passed its definition (Kafka: `AbstractConfig`).

use std::fmt;

use indexmap::IndexMap;

use super::super::ConfigMap;
use super::super::error::ConnectError;
use super::{ConfigData, Password};

/// Parsed values by key, beside the texts they came from.
///
/// Asking for a key that is not defined, or for another type than the defined one, is a mistake of the
/// caller; it comes back as an error so that it fails one connector and not the process. Keys whose
/// default is null have an `opt_` getter.
#[derive(Clone, Default)]
pub struct ParsedConfig {
    values: IndexMap<String, Option<ConfigData>>,
    originals: ConfigMap,
}

macro_rules! getters {
    ($($name:ident, $opt:ident, $out:ty, $pattern:pat => $value:expr, $type:literal;)*) => {$(
        #[doc = concat!("The ", $type, " value of `key`.")]
        ///
        /// # Errors
        /// The key is not defined, has another type, or is null.
        pub fn $name(&self, key: &str) -> Result<$out, ConnectError> {
            self.$opt(key)?.ok_or_else(|| null_value(key))
        }

        #[doc = concat!("The ", $type, " value of `key`, `None` for null.")]
        ///
        /// # Errors
        /// The key is not defined or has another type.
        pub fn $opt(&self, key: &str) -> Result<Option<$out>, ConnectError> {
            match self.value(key)? {
                None => Ok(None),
                Some($pattern) => Ok(Some($value)),
                Some(_) => Err(wrong_type(key, $type)),
            }
        }
    )*};
}

impl ParsedConfig {
    pub(super) fn new(values: IndexMap<String, Option<ConfigData>>, originals: ConfigMap) -> Self {
        Self { values, originals }
    }

    getters! {
        bool, opt_bool, bool, ConfigData::Boolean(value) => *value, "BOOLEAN";
        str, opt_str, &str, ConfigData::String(text) => text, "STRING";
        int, opt_int, i32, ConfigData::Int(value) => *value, "INT";
        short, opt_short, i16, ConfigData::Short(value) => *value, "SHORT";
        long, opt_long, i64, ConfigData::Long(value) => *value, "LONG";
        double, opt_double, f64, ConfigData::Double(value) => *value, "DOUBLE";
        list, opt_list, &[String], ConfigData::List(items) => items, "LIST";
        class, opt_class, &str, ConfigData::Class(text) => text, "CLASS";
        password, opt_password, &Password, ConfigData::Password(secret) => secret, "PASSWORD";
    }

    /// The value of `key`, `None` for null.
    ///
    /// # Errors
    /// The key is not defined.
    pub fn value(&self, key: &str) -> Result<Option<&ConfigData>, ConnectError> {
        match self.values.get(key) {
            Some(value) => Ok(value.as_ref()),
            None => Err(ConnectError::config(format!(
                "Unknown configuration '{key}'"
            ))),
        }
    }

    /// Whether the user set `key`, to null or to a value.
    pub fn is_set(&self, key: &str) -> bool {
        self.originals.contains_key(key)
    }

    /// The texts as they were given, undefined keys included.
    pub fn originals(&self) -> &ConfigMap {
        &self.originals
    }

    /// The given texts whose key begins with `prefix`, without it (Kafka:
    /// `AbstractConfig.originalsWithPrefix`).
    pub fn with_prefix(&self, prefix: &str) -> ConfigMap {
        with_prefix(&self.originals, prefix)
    }
}

impl fmt::Debug for ParsedConfig {
    /// The defined values alone: nobody knows which of the others are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<ConfigData>| {
            value
                .as_ref()
                .map_or("null".to_owned(), ToString::to_string)
        };
        f.debug_map()
            .entries(self.values.iter().map(|(key, value)| (key, shown(value))))
            .finish()
    }
}

/// The entries of `config` whose key begins with `prefix`, without it.
pub fn with_prefix(config: &ConfigMap, prefix: &str) -> ConfigMap {
    config
        .iter()
        .filter_map(|(key, value)| {
            let rest = key.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), value.clone()))
        })
        .collect()
}

fn null_value(key: &str) -> ConnectError {
    ConnectError::config(format!("Configuration '{key}' is null but is needed"))
}

fn wrong_type(key: &str, asked: &str) -> ConnectError {
    ConnectError::config(format!("Configuration '{key}' is not of type {asked}"))
}
