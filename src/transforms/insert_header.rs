//! Adds a header with a fixed value (Kafka: `InsertHeader`).

use jiff::tz::TimeZone;

use super::config::{invalid, non_null, parse};
use crate::api::config_def::{ConfigDef, ConfigKey, Importance};
use crate::api::data::values;
use crate::api::{ConfigMap, ConnectError, ConnectRecord, Header, RecordOrigin, Transformation};

const HEADER: &str = "header";
const LITERAL: &str = "value.literal";

/// Adds one header to every record.
#[derive(Debug)]
pub struct InsertHeader {
    header: Header,
}

impl InsertHeader {
    /// Kafka's class.
    pub const CLASS: &'static str = "org.apache.kafka.connect.transforms.InsertHeader";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        let key = |name, doc: &str| {
            ConfigKey::string(name)
                .validator(non_null())
                .importance(Importance::High)
                .doc(doc)
        };
        ConfigDef::new()
            .define(key(HEADER, "Name of the header."))
            .define(key(
                LITERAL,
                "Its value: a number, a date or time, true, false, null, an array or a map where the text looks \
                 like one, else a string.",
            ))
    }

    /// Made from its configuration.
    ///
    /// # Errors
    /// A key is missing, or the value is nested too deep.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        Self::in_zone(config, &TimeZone::system())
    }

    fn in_zone(config: &ConfigMap, zone: &TimeZone) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        let literal = config.str(LITERAL)?;
        let value = values::parse(literal, zone)
            .map_err(|error| invalid(LITERAL, literal, &error.to_string()))?;
        let key = config.str(HEADER)?.to_owned();
        Ok(Self {
            header: Header { key, value },
        })
    }
}

impl Transformation for InsertHeader {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        record.headers.push(self.header.clone());
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SchemaAndValue, SchemaType, Value};
    use crate::transforms::test_records::{SOURCE, config, header, record, required, text};

    #[test]
    fn the_literals_type_is_what_its_text_looks_like() {
        let inserted = |literal: &str| {
            let keys = config(&[("header", "h"), ("value.literal", literal)]);
            let mut insert = InsertHeader::in_zone(&keys, &TimeZone::UTC).unwrap();
            let mut before = record("t");
            before.headers.push(header("h"));
            let after = insert.apply(before, SOURCE).unwrap().unwrap();
            assert_eq!(after.headers[0], header("h"));
            assert_eq!(
                (after.headers.len(), after.headers[1].key.as_str()),
                (2, "h")
            );
            after.headers[1].value.clone()
        };
        let of = |kind, value| SchemaAndValue::new(required(kind), value);
        assert_eq!(inserted("300"), of(SchemaType::Int16, Value::Int16(300)));
        assert_eq!(
            inserted("true"),
            of(SchemaType::Boolean, Value::Boolean(true))
        );
        assert_eq!(inserted("a b"), of(SchemaType::String, text("a b")));
        assert_eq!(inserted("null"), SchemaAndValue::NULL);
        assert_eq!(inserted(""), of(SchemaType::String, text("")));
    }

    #[test]
    fn name_and_value_are_needed() {
        let error = InsertHeader::new(&config(&[("header", "h")])).unwrap_err();
        let text = "Missing required configuration \"value.literal\" which has no default value.";
        assert_eq!(error.message(), text);
    }
}
