//! Bytes as they are (Kafka: `org.apache.kafka.connect.converters.ByteArrayConverter`).

use bytes::Bytes;

use super::config::{converter_def, headers_like_values};
use crate::api::config_def::ConfigDef;
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, Converter, Schema, SchemaAndValue, SchemaType, TextRoad, Value,
};

/// Writes byte arrays alone, reads an optional byte array.
#[derive(Debug)]
pub struct ByteArrayConverter {
    schema: SchemaRef,
}

impl ByteArrayConverter {
    /// Fully qualified Java class name.
    pub const CLASS: &'static str = "org.apache.kafka.connect.converters.ByteArrayConverter";

    /// Its configuration keys.
    pub fn config_def() -> ConfigDef {
        converter_def()
    }

    /// A converter for keys or values. No configuration is looked at.
    ///
    /// # Errors
    /// None: the signature is that of all converters.
    pub fn new(_config: &ConfigMap, _is_key: bool) -> Result<Self, ConnectError> {
        Ok(Self {
            schema: Schema::optional(SchemaType::Bytes),
        })
    }
}

fn wrong_schema(kind: SchemaType) -> ConnectError {
    ConnectError::data(format!(
        "Invalid schema type for ByteArrayConverter: {}",
        kind.name()
    ))
}

impl Converter for ByteArrayConverter {
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
        if let Some(schema) = schema.filter(|schema| schema.kind() != SchemaType::Bytes) {
            return Err(wrong_schema(schema.kind()));
        }
        match value {
            Value::Null => Ok(false),
            Value::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                Ok(true)
            }
            other => Err(ConnectError::data(format!(
                "ByteArrayConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }

    fn keeps_bytes(&self) -> bool {
        true
    }

    fn reads_anything(&self) -> bool {
        true
    }

    fn read(&mut self, _topic: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        let value = match bytes {
            None => Value::Null,
            Some(bytes) => Value::Bytes(Bytes::copy_from_slice(bytes)),
        };
        Ok(SchemaAndValue::new(SchemaRef::clone(&self.schema), value))
    }

    /// Strings are refused one by one, each with Apache's error.
    fn write_text_road(&self) -> TextRoad {
        TextRoad::Rewrite
    }

    fn write_bytes_road(&self) -> TextRoad {
        TextRoad::Identity
    }

    fn write_text(
        &mut self,
        _topic: &str,
        text: &[u8],
        is_bytes: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        if !is_bytes {
            return Err(wrong_schema(SchemaType::String));
        }
        out.extend_from_slice(text);
        Ok(())
    }

    fn read_text_road(&self) -> TextRoad {
        TextRoad::Identity
    }

    fn read_text(
        &mut self,
        _topic: &str,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        out.extend_from_slice(bytes);
        Ok(())
    }
}

headers_like_values!(ByteArrayConverter);
