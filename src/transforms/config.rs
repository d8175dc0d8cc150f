//! What the configurations of transformations share (Kafka: `SimpleConfig`, `NonEmptyListValidator`).

use crate::api::config_def::{ConfigData, ConfigDef, ConfigKey, ParsedConfig, Validator};
use crate::api::{ConfigMap, ConnectError};

/// Key of most transformations: whether a null field with a default is read as the default.
pub(super) const REPLACE_NULL: &str = "replace.null.with.default";

/// Parses a configuration; of several problems the first is reported, as in Java.
pub(super) fn parse(def: &ConfigDef, config: &ConfigMap) -> Result<ParsedConfig, ConnectError> {
    def.parse(config).map_err(|problems| {
        let first = problems.into_iter().next();
        ConnectError::config(first.map_or_else(String::new, |problem| problem.message))
    })
}

/// The definition of [`REPLACE_NULL`].
pub(super) fn replace_null() -> ConfigKey {
    ConfigKey::boolean(REPLACE_NULL)
        .default(true)
        .doc("Whether a field that is null and has a default is copied as the default rather than as null.")
}

/// An error in Kafka's form "Invalid value V for configuration K: reason".
pub(super) fn invalid(key: &str, value: &str, reason: &str) -> ConnectError {
    ConnectError::config(format!(
        "Invalid value {value} for configuration {key}: {reason}"
    ))
}

/// A list with at least one entry; entries may repeat.
pub(super) fn non_empty_list() -> Validator {
    Validator::custom_text("non-empty list", |name, value| {
        let shown = match value {
            Some(ConfigData::List(items)) if !items.is_empty() => return Ok(()),
            Some(_) => "[]",
            None => "null",
        };
        Err(invalid(name, shown, "Empty list").message().to_owned())
    })
}

/// Anything but null.
pub(super) fn non_null() -> Validator {
    Validator::custom("non-null", |value| match value {
        Some(_) => Ok(()),
        None => Err("entry must be non null".to_owned()),
    })
}
