//! What all converters' configurations share (Kafka: `ConverterConfig`).

use crate::api::config_def::{ConfigDef, ConfigKey, Importance, ParsedConfig, Validator};
use crate::api::{ConfigMap, ConnectError};

const TYPE: &str = "converter.type";

/// A definition with the key that says what the converter is used for.
pub(super) fn converter_def() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::string(TYPE)
            .validator(Validator::one_of(["key", "value", "header"]))
            .importance(Importance::Low)
            .doc("How this converter will be used."),
    )
}

/// Parses a converter's configuration, `converter.type` set as Java's `configure(configs, isKey)` does.
pub(super) fn parse(
    def: &ConfigDef,
    config: &ConfigMap,
    is_key: bool,
) -> Result<ParsedConfig, ConnectError> {
    let mut config = config.clone();
    let usage = if is_key { "key" } else { "value" };
    config.insert(TYPE.to_owned(), Some(usage.to_owned()));
    def.parse(&config).map_err(|problems| {
        let first = problems.into_iter().next();
        ConnectError::config(first.map_or_else(String::new, |problem| problem.message))
    })
}

/// The cause that Java's serializers report.
pub(super) fn serialization_error(message: impl Into<String>) -> ConnectError {
    ConnectError::data(message).with_class("org.apache.kafka.common.errors.SerializationException")
}

/// Both converter traits of a converter that treats headers as it treats values.
macro_rules! headers_like_values {
    ($converter:ty) => {
        impl crate::api::HeaderConverter for $converter {
            fn class_name(&self) -> &'static str {
                crate::api::Converter::class_name(self)
            }

            fn keeps_bytes(&self) -> bool {
                crate::api::Converter::keeps_bytes(self)
            }

            fn reads_anything(&self) -> bool {
                crate::api::Converter::reads_anything(self)
            }

            fn write_header(
                &mut self,
                topic: &str,
                _header: &str,
                schema: Option<&crate::api::data::SchemaRef>,
                value: &crate::api::Value,
                out: &mut Vec<u8>,
            ) -> Result<bool, crate::api::ConnectError> {
                crate::api::Converter::write(self, topic, schema, value, out)
            }

            fn read_header(
                &mut self,
                topic: &str,
                _header: &str,
                bytes: Option<&[u8]>,
            ) -> Result<crate::api::SchemaAndValue, crate::api::ConnectError> {
                crate::api::Converter::read(self, topic, bytes)
            }
        }
    };
}
pub(super) use headers_like_values;
