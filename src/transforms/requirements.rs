//! What transformations demand of records, with Kafka's texts (Kafka: `Requirements`).

use crate::api::data::SchemaRef;
use crate::api::{ConnectError, RecordOrigin, Struct, Value};

/// The schema of a record's part.
///
/// # Errors
/// "Schema required for [purpose]".
pub(super) fn require_schema<'a>(
    schema: Option<&'a SchemaRef>,
    purpose: &str,
) -> Result<&'a SchemaRef, ConnectError> {
    schema.ok_or_else(|| ConnectError::data(format!("Schema required for [{purpose}]")))
}

/// The entries of a schemaless value.
///
/// # Errors
/// "Only Map objects supported in absence of schema for [purpose], found: …".
pub(super) fn require_map(
    value: Value,
    purpose: &str,
) -> Result<Vec<(Value, Value)>, ConnectError> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(no_map(&other, purpose)),
    }
}

/// As [`require_map`], to look at.
///
/// # Errors
/// As there.
pub(super) fn require_map_ref<'a>(
    value: &'a Value,
    purpose: &str,
) -> Result<&'a [(Value, Value)], ConnectError> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(no_map(other, purpose)),
    }
}

/// The struct of a value with schema.
///
/// # Errors
/// "Only Struct objects supported for [purpose], found: …".
pub(super) fn require_struct(value: Value, purpose: &str) -> Result<Box<Struct>, ConnectError> {
    match value {
        Value::Struct(inner) => Ok(inner),
        other => Err(no_struct(&other, purpose)),
    }
}

/// As [`require_struct`], to look at.
///
/// # Errors
/// As there.
pub(super) fn require_struct_ref<'a>(
    value: &'a Value,
    purpose: &str,
) -> Result<&'a Struct, ConnectError> {
    match value {
        Value::Struct(inner) => Ok(inner),
        other => Err(no_struct(other, purpose)),
    }
}

/// The Kafka offset of a record that a sink gets.
///
/// # Errors
/// "Only SinkRecord supported for [purpose], found: …" for a source's record.
pub(super) fn require_sink_offset(
    origin: RecordOrigin<'_>,
    purpose: &str,
) -> Result<i64, ConnectError> {
    match origin {
        RecordOrigin::Sink { offset, .. } => Ok(offset),
        RecordOrigin::Source { .. } => Err(ConnectError::data(format!(
            "Only SinkRecord supported for [{purpose}], found: {}",
            origin.class_name()
        ))),
    }
}

fn no_map(found: &Value, purpose: &str) -> ConnectError {
    ConnectError::data(format!(
        "Only Map objects supported in absence of schema for [{purpose}], found: {}",
        found.java_class()
    ))
}

fn no_struct(found: &Value, purpose: &str) -> ConnectError {
    ConnectError::data(format!(
        "Only Struct objects supported for [{purpose}], found: {}",
        found.java_class()
    ))
}
