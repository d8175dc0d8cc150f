//! Keys and values of offset topics.

use serde_json::Number;

use super::super::json::InternalJson;
use super::super::record::shown;
use crate::api::{ConnectError, SourceMap, Value};
use crate::storage::offset_key::check_primitive;

/// A key that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetKey {
    /// Connector name.
    pub connector: String,
    /// Source partition.
    pub partition: SourceMap,
}

/// Why a key names no source partition; its record is passed over, with a warning (Kafka:
/// `OffsetUtils.processPartitionKey`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The record has no key.
    #[error("Ignoring offset partition key with an unexpected null value")]
    Null,
    /// The key is no JSON.
    #[error("Ignoring offset partition key with unknown serialization. Expected json: {reason}")]
    NotJson {
        /// What the converter says.
        reason: String,
    },
    /// It is no array of a text and an object.
    #[error(
        "Ignoring offset partition key with an unexpected format: it should be an array of a connector's name and a partition, but is {found}"
    )]
    Format {
        /// What it is.
        found: String,
    },
    /// A partition that is null. Some connectors have one; nobody can read its offset.
    #[error("Ignoring offset partition key of connector {connector} without a partition")]
    NoPartition {
        /// Connector.
        connector: String,
    },
}

/// Reads and writes keys and values.
#[derive(Debug, Default)]
pub struct OffsetCodec {
    json: InternalJson,
}

impl OffsetCodec {
    /// Reads a key.
    ///
    /// # Errors
    /// It is no array of a connector's name and a partition.
    pub fn read_key(&mut self, key: Option<&[u8]>) -> Result<OffsetKey, KeyProblem> {
        let key = key.ok_or(KeyProblem::Null)?;
        let read = self
            .json
            .read(Some(key))
            .map_err(|error| KeyProblem::NotJson {
                reason: shown(error.trace().trim_end()),
            })?;
        let format = |found: &str| KeyProblem::Format {
            found: found.to_owned(),
        };
        let parts = match read {
            Value::Array(parts) => parts,
            other => return Err(format(other.java_class())),
        };
        let count = parts.len();
        let Ok([connector, partition]) = <[Value; 2]>::try_from(parts) else {
            return Err(format(&format!("an array of {count}")));
        };
        let Value::String(connector) = connector else {
            return Err(format(&format!("one of {}", connector.java_class())));
        };
        match partition {
            Value::Null => Err(KeyProblem::NoPartition {
                connector: shown(&connector),
            }),
            Value::Map(entries) => {
                let partition = map(entries)
                    .ok_or_else(|| format("a partition with a number that is out of range"))?;
                Ok(OffsetKey {
                    connector,
                    partition,
                })
            }
            other => Err(format(&format!("a name and {}", other.java_class()))),
        }
    }

    /// The bytes of a key, as Apache's worker writes them for a map that iterates in this order.
    ///
    /// # Errors
    /// Nested values, with Apache's text.
    pub fn write_key(
        &mut self,
        connector: &str,
        partition: &SourceMap,
    ) -> Result<Vec<u8>, ConnectError> {
        let partition = primitive(partition)?;
        let key = vec![Value::String(connector.to_owned()), partition];
        self.json.write(&Value::Array(key))
    }

    /// Reads an offset; `None` where it is null.
    ///
    /// # Errors
    /// It is no object of primitive values; with Apache's texts.
    pub fn read_offset(&mut self, bytes: &[u8]) -> Result<Option<SourceMap>, ConnectError> {
        let entries = match self.json.read(Some(bytes))? {
            Value::Null => return Ok(None),
            Value::Map(entries) => entries,
            _ => return Err(ConnectError::data("Offsets must be specified as a Map")),
        };
        let offset = map(entries)
            .ok_or_else(|| ConnectError::data("Offsets hold a number that is out of range"))?;
        check(&offset)?;
        Ok(Some(offset))
    }

    /// The bytes of an offset.
    ///
    /// # Errors
    /// Nested values, with Apache's text.
    pub fn write_offset(&mut self, offset: &SourceMap) -> Result<Vec<u8>, ConnectError> {
        let offset = primitive(offset)?;
        self.json.write(&offset)
    }
}

/// Refuses nested values.
pub(super) fn check(map: &SourceMap) -> Result<(), ConnectError> {
    check_primitive(map).map_err(|error| ConnectError::data(error.to_string()))
}

/// A map for the converter. Keeps the order.
fn primitive(map: &SourceMap) -> Result<Value, ConnectError> {
    check(map)?;
    let mut entries = Vec::with_capacity(map.len());
    for (name, json) in map {
        let value = match json {
            serde_json::Value::Bool(flag) => Value::Boolean(*flag),
            serde_json::Value::String(text) => Value::String(text.clone()),
            serde_json::Value::Number(number) => number_of(name, number)?,
            _ => Value::Null,
        };
        entries.push((Value::String(name.clone()), value));
    }
    Ok(Value::Map(entries))
}

fn number_of(name: &str, number: &Number) -> Result<Value, ConnectError> {
    if let Some(integer) = number.as_i64() {
        return Ok(Value::Int64(integer));
    }
    let float = number.as_f64().filter(|_| number.is_f64());
    float.map(Value::Float64).ok_or_else(|| {
        ConnectError::data(format!(
            "Offsets may only contain primitive types as values, but field {name} contains {number}, which no signed integer of 64 bits holds"
        ))
    })
}

/// What was read, as the rest of the worker has it. `None` for a number beyond a double.
fn map(entries: Vec<(Value, Value)>) -> Option<SourceMap> {
    let mut map = SourceMap::with_capacity(entries.len());
    for (name, value) in entries {
        if let Value::String(name) = name {
            map.insert(name, json(value)?);
        }
    }
    Some(map)
}

/// Recursion is bounded by the depth that the converter reads.
fn json(value: Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Boolean(flag) => flag.into(),
        Value::Int64(number) => number.into(),
        Value::Float64(number) => Number::from_f64(number)?.into(),
        Value::String(text) => text.into(),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.into_iter().map(json).collect();
            items?.into()
        }
        Value::Map(entries) => map(entries)?.into(),
        _ => serde_json::Value::Null,
    })
}
