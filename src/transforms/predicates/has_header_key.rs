//! Records with a header of some name (Kafka: `HasHeaderKey`).

use crate::api::config_def::{ConfigDef, ConfigKey, Validator};
use crate::api::{ConfigMap, ConnectError, ConnectRecord, Predicate, RecordOrigin};
use crate::transforms::config::parse;

const NAME: &str = "name";

/// Matches records that have at least one header of a name.
#[derive(Debug)]
pub struct HasHeaderKey {
    name: String,
}

impl HasHeaderKey {
    /// Kafka's class.
    pub const CLASS: &'static str = "org.apache.kafka.connect.transforms.predicates.HasHeaderKey";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::string(NAME)
                .validator(Validator::non_empty_string())
                .doc("Name of the header."),
        )
    }

    /// Made from its configuration.
    ///
    /// # Errors
    /// The name is missing or empty.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        Ok(Self {
            name: config.str(NAME)?.to_owned(),
        })
    }
}

impl Predicate for HasHeaderKey {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn test(
        &mut self,
        record: &ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<bool, ConnectError> {
        Ok(record.headers.iter().any(|header| header.key == self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::test_records::{SOURCE, config, header, record};

    #[test]
    fn one_header_of_the_name_is_enough() {
        let mut predicate = HasHeaderKey::new(&config(&[("name", "b")])).unwrap();
        let mut record = record("t");
        assert!(!predicate.test(&record, SOURCE).unwrap());
        record.headers = ["a", "b", "b"].map(header).to_vec();
        assert!(predicate.test(&record, SOURCE).unwrap());
        let error = HasHeaderKey::new(&config(&[("name", "")])).unwrap_err();
        let text = "Invalid value  for configuration name: String must be non-empty";
        assert_eq!(error.message(), text);
    }
}
