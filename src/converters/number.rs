//! Numbers in big-endian bytes of fixed width (Kafka: `NumberConverter` and its five subclasses).

use super::config::{converter_def, headers_like_values, parse, serialization_error};
use crate::api::config_def::ConfigDef;
use crate::api::data::SchemaRef;
use crate::api::{ConfigMap, ConnectError, Converter, Schema, SchemaAndValue, SchemaType, Value};

/// Which number a [`NumberConverter`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// int16.
    Short,
    /// int32.
    Integer,
    /// int64.
    Long,
    /// float32.
    Float,
    /// float64.
    Double,
}

impl NumberType {
    /// Fully qualified Java class name of the converter.
    pub fn class(self) -> &'static str {
        match self {
            Self::Short => "org.apache.kafka.connect.converters.ShortConverter",
            Self::Integer => "org.apache.kafka.connect.converters.IntegerConverter",
            Self::Long => "org.apache.kafka.connect.converters.LongConverter",
            Self::Float => "org.apache.kafka.connect.converters.FloatConverter",
            Self::Double => "org.apache.kafka.connect.converters.DoubleConverter",
        }
    }

    /// Java's class of the number, its name in Kafka's texts, its type and its width in bytes.
    fn facts(self) -> (&'static str, &'static str, SchemaType, usize) {
        match self {
            Self::Short => ("Short", "short", SchemaType::Int16, 2),
            Self::Integer => ("Integer", "integer", SchemaType::Int32, 4),
            Self::Long => ("Long", "long", SchemaType::Int64, 8),
            Self::Float => ("Float", "float", SchemaType::Float32, 4),
            Self::Double => ("Double", "double", SchemaType::Float64, 8),
        }
    }
}

/// Writes numbers of one type, whatever the schema says; reads an optional number.
#[derive(Debug)]
pub struct NumberConverter {
    number: NumberType,
    schema: SchemaRef,
}

impl NumberConverter {
    /// Its configuration keys.
    pub fn config_def() -> ConfigDef {
        converter_def()
    }

    /// A converter for keys or values.
    ///
    /// # Errors
    /// Configuration errors.
    pub fn new(number: NumberType, config: &ConfigMap, is_key: bool) -> Result<Self, ConnectError> {
        parse(&Self::config_def(), config, is_key)?;
        let (_, _, kind, _) = number.facts();
        Ok(Self {
            number,
            schema: Schema::optional(kind),
        })
    }
}

impl Converter for NumberConverter {
    fn class_name(&self) -> &'static str {
        self.number.class()
    }

    fn write(
        &mut self,
        _topic: &str,
        _schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        match (self.number, value) {
            (_, Value::Null) => return Ok(false),
            (NumberType::Short, Value::Int16(number)) => out.extend(number.to_be_bytes()),
            (NumberType::Integer, Value::Int32(number)) => out.extend(number.to_be_bytes()),
            (NumberType::Long, Value::Int64(number)) => out.extend(number.to_be_bytes()),
            (NumberType::Float, Value::Float32(number)) => out.extend(number.to_be_bytes()),
            (NumberType::Double, Value::Float64(number)) => out.extend(number.to_be_bytes()),
            (number, other) => {
                let (_, name, ..) = number.facts();
                return Err(ConnectError::data(format!(
                    "Failed to serialize to {name} (was class {}): ",
                    other.java_class()
                )));
            }
        }
        Ok(true)
    }

    fn read(&mut self, _topic: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        let value = match bytes {
            None => Value::Null,
            Some(bytes) => read_number(self.number, bytes).ok_or_else(|| {
                let (class, name, _, width) = self.number.facts();
                ConnectError::data(format!("Failed to deserialize {name}: ")).with_source(
                    serialization_error(format!(
                        "Size of data received by {class}Deserializer is not {width}"
                    )),
                )
            })?,
        };
        Ok(SchemaAndValue::new(SchemaRef::clone(&self.schema), value))
    }
}

/// `None` when the width is wrong.
fn read_number(number: NumberType, bytes: &[u8]) -> Option<Value> {
    Some(match number {
        NumberType::Short => Value::Int16(i16::from_be_bytes(bytes.try_into().ok()?)),
        NumberType::Integer => Value::Int32(i32::from_be_bytes(bytes.try_into().ok()?)),
        NumberType::Long => Value::Int64(i64::from_be_bytes(bytes.try_into().ok()?)),
        NumberType::Float => Value::Float32(f32::from_be_bytes(bytes.try_into().ok()?)),
        NumberType::Double => Value::Float64(f64::from_be_bytes(bytes.try_into().ok()?)),
    })
}

headers_like_values!(NumberConverter);
