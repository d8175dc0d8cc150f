//! Removes headers by name (Kafka: `DropHeaders`).

use std::collections::HashSet;

use super::config::parse;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, Validator};
use crate::api::{ConfigMap, ConnectError, ConnectRecord, RecordOrigin, Transformation};

const HEADERS: &str = "headers";

/// Removes all headers of some names.
#[derive(Debug)]
pub struct DropHeaders {
    names: HashSet<String>,
}

impl DropHeaders {
    /// Kafka's class.
    pub const CLASS: &'static str = "org.apache.kafka.connect.transforms.DropHeaders";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::list(HEADERS)
                .validator(Validator::non_empty_list())
                .importance(Importance::High)
                .doc("Names of the headers to remove."),
        )
    }

    /// Made from its configuration.
    ///
    /// # Errors
    /// A key is missing or wrong.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        let names = config.list(HEADERS)?.iter().cloned().collect();
        Ok(Self { names })
    }
}

impl Transformation for DropHeaders {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let kept = |header: &crate::api::Header| !self.names.contains(&header.key);
        record.headers.retain(kept);
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::test_records::{SOURCE, config, header, record};

    #[test]
    fn all_headers_of_the_names_go_and_the_others_keep_their_order() {
        let mut drop = DropHeaders::new(&config(&[("headers", "a, c")])).unwrap();
        let mut before = record("t");
        before.headers = ["a", "b", "c", "a", "d", "b"].map(header).to_vec();
        let after = drop.apply(before, SOURCE).unwrap().unwrap();
        assert_eq!(after.headers, ["b", "d", "b"].map(header));
    }

    #[test]
    fn names_are_needed() {
        let refused = |entries: &[(&str, &str)]| {
            let error = DropHeaders::new(&config(entries)).unwrap_err();
            error.message().to_owned()
        };
        assert_eq!(
            refused(&[]),
            "Missing required configuration \"headers\" which has no default value."
        );
        assert_eq!(
            refused(&[("headers", "")]),
            "Configuration 'headers' must not be empty. Valid values include: any non-empty value"
        );
        assert_eq!(
            refused(&[("headers", "a,,b")]),
            "Configuration 'headers' values must not be empty."
        );
    }
}
