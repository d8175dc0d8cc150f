//! A change event as Debezium writes it: the row `before` and `after`, the operation and where it came
//! from.

use crate::api::data::SchemaRef;
use crate::api::{Schema, SchemaAndValue, Struct, Value};
use crate::transforms::hash_map;

/// The row before the change.
pub(super) const BEFORE: &str = "before";
/// The row after the change.
pub(super) const AFTER: &str = "after";
/// Member with the operation: `c`, `r`, `u`, `d`, or `t` for a truncation.
pub(super) const OPERATION: &str = "op";

/// A record's value that is a change event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Envelope<'a> {
    Struct(&'a Struct),
    /// Schemaless, as JsonConverter reads an event that was written without schemas.
    Map(&'a [(Value, Value)]),
}

impl<'a> Envelope<'a> {
    /// The change event, if it is one: a struct whose schema's name ends in `.Envelope`, or a map with an
    /// operation and a row.
    pub(super) fn of(data: &'a SchemaAndValue) -> Option<Self> {
        match (&data.schema, &data.value) {
            (Some(schema), Value::Struct(inner)) if is_envelope(schema) => {
                Some(Self::Struct(inner))
            }
            (None, Value::Map(entries)) => {
                let has = |name| hash_map::get(entries, name).is_some();
                let is_event = has(OPERATION) && (has(AFTER) || has(BEFORE));
                is_event.then_some(Self::Map(entries))
            }
            _ => None,
        }
    }

    /// The schema of the event, if it has one.
    pub(super) fn schema(self) -> Option<&'a SchemaRef> {
        match self {
            Self::Struct(inner) => Some(&inner.schema),
            Self::Map(_) => None,
        }
    }

    /// A member's schema and value; null without schema for one that is not there.
    pub(super) fn member(self, name: &str) -> (Option<&'a SchemaRef>, &'a Value) {
        let found = match self {
            Self::Struct(inner) => struct_member(inner, name),
            Self::Map(entries) => hash_map::get(entries, name).map(|value| (None, value)),
        };
        found.unwrap_or((None, &Value::Null))
    }

    /// The operation's letter, empty if there is none.
    pub(super) fn operation(self) -> &'a str {
        match self.member(OPERATION).1 {
            Value::String(letter) => letter,
            _ => "",
        }
    }
}

fn is_envelope(schema: &Schema) -> bool {
    schema
        .name()
        .is_some_and(|name| name.ends_with(".Envelope"))
}

/// A field's schema and its value as it was put.
pub(super) fn struct_member<'a>(
    inner: &'a Struct,
    name: &str,
) -> Option<(Option<&'a SchemaRef>, &'a Value)> {
    let field = inner.schema.field(name)?;
    let value = inner.values.get(field.index)?;
    Some((Some(&field.schema), value))
}
