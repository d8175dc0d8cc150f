//! One byte, 0 or 1 (Kafka: `org.apache.kafka.connect.converters.BooleanConverter`).

use super::config::{converter_def, headers_like_values, parse, serialization_error};
use crate::api::config_def::ConfigDef;
use crate::api::data::SchemaRef;
use crate::api::{ConfigMap, ConnectError, Converter, Schema, SchemaAndValue, SchemaType, Value};

/// Writes booleans alone, reads an optional boolean.
#[derive(Debug)]
pub struct BooleanConverter {
    schema: SchemaRef,
}

impl BooleanConverter {
    /// Fully qualified Java class name.
    pub const CLASS: &'static str = "org.apache.kafka.connect.converters.BooleanConverter";

    /// Its configuration keys.
    pub fn config_def() -> ConfigDef {
        converter_def()
    }

    /// A converter for keys or values.
    ///
    /// # Errors
    /// Configuration errors.
    pub fn new(config: &ConfigMap, is_key: bool) -> Result<Self, ConnectError> {
        parse(&Self::config_def(), config, is_key)?;
        Ok(Self {
            schema: Schema::optional(SchemaType::Boolean),
        })
    }
}

impl Converter for BooleanConverter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn write(
        &mut self,
        _topic: &str,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        if let Some(schema) = schema.filter(|schema| schema.kind() != SchemaType::Boolean) {
            return Err(ConnectError::data(format!(
                "Invalid schema type for BooleanConverter: {}",
                schema.kind().name()
            )));
        }
        match value {
            Value::Null => Ok(false),
            Value::Boolean(flag) => {
                out.push(u8::from(*flag));
                Ok(true)
            }
            other => Err(ConnectError::data(format!(
                "BooleanConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }

    fn read(&mut self, _topic: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        let value = match bytes {
            None => Value::Null,
            Some([0]) => Value::Boolean(false),
            Some([1]) => Value::Boolean(true),
            Some(other) => {
                let reason = match other {
                    [byte] => {
                        format!(
                            "Unexpected byte received by BooleanDeserializer: {}",
                            byte.cast_signed()
                        )
                    }
                    _ => "Size of data received by BooleanDeserializer is not 1".to_owned(),
                };
                return Err(ConnectError::data("Failed to deserialize boolean: ")
                    .with_source(serialization_error(reason)));
            }
        };
        Ok(SchemaAndValue::new(SchemaRef::clone(&self.schema), value))
    }
}

headers_like_values!(BooleanConverter);
