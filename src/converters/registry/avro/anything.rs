//! Data without a schema: a record of all types, of which one field is set (Confluent:
//! `AvroData.ANYTHING_SCHEMA`). The record contains itself.

use super::decode::Input;
use super::encode::{append_bytes, append_length};
use super::print::to_text;
use super::schema::{AvroSchema, Kind};
use crate::api::data::java_hash;
use crate::api::{ConnectError, Value};
use crate::converters::registry::limits::DEPTH_MAX;
use crate::converters::registry::zigzag::append_long;

/// The schema, as Java writes it.
pub(super) const SCHEMA: &str = concat!(
    r#"{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":["#,
    r#"{"name":"boolean","type":["null","boolean"],"default":null},"#,
    r#"{"name":"bytes","type":["null","bytes"],"default":null},"#,
    r#"{"name":"double","type":["null","double"],"default":null},"#,
    r#"{"name":"float","type":["null","float"],"default":null},"#,
    r#"{"name":"int","type":["null","int"],"default":null},"#,
    r#"{"name":"long","type":["null","long"],"default":null},"#,
    r#"{"name":"string","type":["null","string"],"default":null},"#,
    r#"{"name":"array","type":["null",{"type":"array","items":"Anything"}],"default":null},"#,
    r#"{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","#,
    r#""fields":[{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}],"#,
    r#""default":null}]}"#,
);

/// The fields in order.
const FIELDS: usize = 9;

/// Whether a schema is [`SCHEMA`].
pub(super) fn is(schema: &AvroSchema) -> bool {
    let Kind::Record(record) = &schema.node(schema.root).kind else {
        return false;
    };
    record.name.simple == "Anything" && to_text(schema) == SCHEMA
}

/// Reads and writes such data.
pub(super) struct Anything;

fn too_deep() -> ConnectError {
    ConnectError::data(format!(
        "data without a schema is nested more than {DEPTH_MAX} deep"
    ))
}

impl Anything {
    /// Reads a value that stands `depth` containers deep: the first field that is set, as in Java.
    pub(super) fn read(input: &mut Input<'_>, depth: usize) -> Result<Value, ConnectError> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        let mut found = Value::Null;
        for field in 0..FIELDS {
            if input.index(2, "members of the union")? == 0 {
                continue;
            }
            let value = match field {
                0 => Value::Boolean(input.boolean()?),
                1 => Value::Bytes(bytes::Bytes::copy_from_slice(input.bytes()?)),
                2 => Value::Float64(input.double()?),
                3 => Value::Float32(input.float()?),
                4 | 5 => {
                    let number = input.long()?;
                    match (field, i32::try_from(number)) {
                        (4, Ok(number)) => Value::Int32(number),
                        (4, Err(_)) => {
                            return Err(ConnectError::data(format!(
                                "{number} does not fit into an Avro int"
                            )));
                        }
                        _ => Value::Int64(number),
                    }
                }
                6 => Value::String(input.string()?),
                7 => {
                    let mut values = Vec::new();
                    input.items(|input| {
                        values.push(Self::read(input, depth + 1)?);
                        Ok(())
                    })?;
                    Value::Array(values)
                }
                _ => Self::read_map(input, depth)?,
            };
            if found.is_null() {
                found = value;
            }
        }
        Ok(found)
    }

    fn read_map(input: &mut Input<'_>, depth: usize) -> Result<Value, ConnectError> {
        let mut unique = java_hash::UniqueEntries::default();
        let mut count = 0;
        input.items(|input| {
            count += 1;
            let key = Self::read(input, depth + 1)?;
            unique.put(key, Self::read(input, depth + 1)?);
            Ok(())
        })?;
        let mut entries = unique.into_entries();
        java_hash::sort_entries(&mut entries, java_hash::capacity_at_least(count));
        Ok(Value::Map(entries))
    }

    /// Appends a value.
    ///
    /// # Errors
    /// It is nested too deep, or has a schema.
    pub(super) fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        Self::write_at(value, 0, out)
    }

    fn write_at(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        let field = match value {
            Value::Null => FIELDS,
            Value::Boolean(_) => 0,
            Value::Bytes(_) => 1,
            Value::Float64(_) => 2,
            Value::Float32(_) => 3,
            Value::Int8(_) | Value::Int16(_) | Value::Int32(_) => 4,
            Value::Int64(_) => 5,
            Value::String(_) => 6,
            Value::Array(_) => 7,
            Value::Map(_) => 8,
            other => {
                return Err(ConnectError::data(format!(
                    "Unknown Java type for schemaless data: class {}",
                    other.java_class()
                )));
            }
        };
        out.resize(out.len() + field, 0);
        if field < FIELDS {
            append_long(1, out);
        }
        match value {
            Value::Boolean(flag) => out.push(u8::from(*flag)),
            Value::Bytes(bytes) => append_bytes(bytes, out),
            Value::Float64(number) => out.extend_from_slice(&number.to_le_bytes()),
            Value::Float32(number) => out.extend_from_slice(&number.to_le_bytes()),
            Value::Int8(number) => append_long(i64::from(*number), out),
            Value::Int16(number) => append_long(i64::from(*number), out),
            Value::Int32(number) => append_long(i64::from(*number), out),
            Value::Int64(number) => append_long(*number, out),
            Value::String(text) => append_bytes(text.as_bytes(), out),
            Value::Array(values) => {
                if !values.is_empty() {
                    append_length(values.len(), out);
                }
                for value in values {
                    Self::write_at(value, depth + 1, out)?;
                }
                append_long(0, out);
            }
            Value::Map(entries) => {
                if !entries.is_empty() {
                    append_length(entries.len(), out);
                }
                for (key, value) in entries {
                    Self::write_at(key, depth + 1, out)?;
                    Self::write_at(value, depth + 1, out)?;
                }
                append_long(0, out);
            }
            _ => {}
        }
        out.resize(out.len() + FIELDS.saturating_sub(field + 1), 0);
        Ok(())
    }
}
