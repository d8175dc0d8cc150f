//! Drops every record that it sees; with a predicate, those that match it (Kafka: `Filter`).

use crate::api::config_def::ConfigDef;
use crate::api::{ConnectError, ConnectRecord, RecordOrigin, Transformation};

/// Drops records.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter;

impl Filter {
    /// Kafka's class.
    pub const CLASS: &'static str = "org.apache.kafka.connect.transforms.Filter";

    /// It has no keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new()
    }
}

impl Transformation for Filter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        _record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::test_records::{SOURCE, record};

    #[test]
    fn every_record_goes() {
        assert_eq!(Filter.apply(record("t"), SOURCE).unwrap(), None);
    }
}
