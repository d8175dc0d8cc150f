//! Records without value (Kafka: `RecordIsTombstone`).

use crate::api::config_def::ConfigDef;
use crate::api::{ConnectError, ConnectRecord, Predicate, RecordOrigin};

/// Matches records whose value is null.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordIsTombstone;

impl RecordIsTombstone {
    /// Kafka's class.
    pub const CLASS: &'static str =
        "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone";

    /// It has no keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new()
    }
}

impl Predicate for RecordIsTombstone {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn test(
        &mut self,
        record: &ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<bool, ConnectError> {
        Ok(record.value.value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SchemaAndValue, SchemaType, Value};
    use crate::transforms::test_records::{SOURCE, optional, record, text, valued};

    #[test]
    fn null_is_a_tombstone_with_and_without_schema() {
        let matches = |record| RecordIsTombstone.test(&record, SOURCE).unwrap();
        assert!(matches(record("t")));
        let schema = optional(SchemaType::String);
        assert!(matches(valued(SchemaAndValue::new(schema, Value::Null))));
        assert!(!matches(valued(SchemaAndValue::schemaless(text("")))));
    }
}
