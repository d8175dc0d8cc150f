//! Whether a value fits a schema (Kafka: `ConnectSchema.validateValue`).

use std::sync::Arc;

use super::{Schema, SchemaRef, SchemaType, Value, logical};
use crate::api::error::ConnectError;

impl Schema {
    /// Checks a value against this schema.
    ///
    /// # Errors
    /// Kafka's text of why the value does not fit.
    pub fn validate(&self, candidate: &Value) -> Result<(), ConnectError> {
        value(self, candidate)
    }
}

/// Checks a value that is no field.
pub(super) fn value(schema: &Schema, value: &Value) -> Result<(), ConnectError> {
    check(schema, value, &Location::Value)
}

/// Checks the value of the field called `name`.
pub(super) fn field(name: &str, schema: &Schema, value: &Value) -> Result<(), ConnectError> {
    check(schema, value, &Location::Field(name))
}

/// Where a value stands. Rendered for errors only: most values fit.
enum Location<'a> {
    Value,
    Field(&'a str),
    Part(&'static str, &'a Location<'a>),
}

impl std::fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Field(name) => write!(f, "field: \"{name}\""),
            Self::Part(part, whole) => write!(f, "{part} {whole}"),
        }
    }
}

fn check(schema: &Schema, value: &Value, location: &Location<'_>) -> Result<(), ConnectError> {
    if value.is_null() {
        if schema.is_optional() {
            return Ok(());
        }
        return Err(ConnectError::data(format!(
            "Invalid value: null used for required {location}, schema type: {}",
            schema.kind().name()
        )));
    }
    if !class_fits(schema, value) {
        let name = schema
            .name()
            .map_or(String::new(), |name| format!(" \"{name}\""));
        return Err(ConnectError::data(format!(
            "Invalid Java object for schema{name} with type {}: class {} for {location}",
            schema.kind().name(),
            value.java_class()
        )));
    }
    check_parts(schema, value, location)
}

fn check_parts(schema: &Schema, value: &Value, at: &Location<'_>) -> Result<(), ConnectError> {
    match (schema.kind(), value) {
        (SchemaType::Struct, Value::Struct(inner)) => {
            if !std::ptr::eq(Arc::as_ptr(&inner.schema), schema) && *inner.schema != *schema {
                return Err(ConnectError::data("Struct schemas do not match."));
            }
            inner.validate()
        }
        (SchemaType::Array, Value::Array(items)) => {
            let place = Location::Part("element of array", at);
            let items_schema = present(schema.value_schema(), &place)?;
            items
                .iter()
                .try_for_each(|item| check(items_schema, item, &place))
        }
        (SchemaType::Map, Value::Map(entries)) => {
            let key_place = Location::Part("key of map", at);
            let value_place = Location::Part("value of map", at);
            let keys = present(schema.key_schema(), &key_place)?;
            let values = present(schema.value_schema(), &value_place)?;
            entries.iter().try_for_each(|(key, value)| {
                check(keys, key, &key_place)?;
                check(values, value, &value_place)
            })
        }
        _ => Ok(()),
    }
}

fn present<'a>(
    schema: Option<&'a SchemaRef>,
    location: &Location<'_>,
) -> Result<&'a SchemaRef, ConnectError> {
    schema.ok_or_else(|| ConnectError::data(format!("No schema defined for {location}")))
}

fn class_fits(schema: &Schema, value: &Value) -> bool {
    match schema.name() {
        Some(logical::DECIMAL) => matches!(value, Value::Decimal(_)),
        Some(logical::DATE | logical::TIME | logical::TIMESTAMP) => value.date_millis().is_some(),
        _ => value.schema_type() == Some(schema.kind()),
    }
}
