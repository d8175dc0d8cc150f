//! What `add.fields` and `add.headers` name: parts of a change event that go into the new record.

use super::envelope::{Envelope, OPERATION, struct_member};
use crate::api::data::SchemaRef;
use crate::api::{ConnectError, Schema, SchemaAndValue, SchemaBuilder, Struct, Value};
use crate::transforms::hash_map;

/// `[struct.]field[:new name]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldReference {
    /// Member of the event that has the field; `None` for one of the event's own.
    parent: Option<String>,
    field: String,
    /// Name in the new record, prefix included.
    pub(super) name: String,
}

impl FieldReference {
    /// Reads one entry of `key`.
    ///
    /// # Errors
    /// More than one colon or dot.
    pub(super) fn parse(key: &str, prefix: &str, entry: &str) -> Result<Self, ConnectError> {
        let unexpected = || {
            ConnectError::config(format!(
                "Invalid value {entry} for configuration {key}: Unexpected field name: {entry}; write field, struct.field or struct.field:new_name"
            ))
        };
        let parts: Vec<&str> = entry.split(':').collect();
        let (path, renamed) = match parts[..] {
            [path] => (path, None),
            [path, renamed] if !renamed.is_empty() => (path, Some(renamed)),
            _ => return Err(unexpected()),
        };
        let steps: Vec<&str> = path.split('.').collect();
        let (parent, field, plain) = match steps[..] {
            [field] if !field.is_empty() => (home_of(field), field, field.to_owned()),
            [parent, field] if !parent.is_empty() && !field.is_empty() => {
                (Some(parent), field, format!("{parent}_{field}"))
            }
            _ => return Err(unexpected()),
        };
        Ok(Self {
            parent: parent.map(str::to_owned),
            field: field.to_owned(),
            name: format!("{prefix}{}", renamed.map_or(plain, str::to_owned)),
        })
    }

    /// The optional schema of the field in events of a schema; `None` when there is no such field.
    pub(super) fn schema_in(&self, envelope: &Schema) -> Option<SchemaRef> {
        let parent = match &self.parent {
            Some(parent) => envelope.field(parent).map(|field| &*field.schema),
            None => Some(envelope),
        };
        // Another transformation may have put it beside `before` and `after`.
        let field = parent
            .and_then(|parent| parent.field(&self.field))
            .or_else(|| envelope.field(&self.field))?;
        Some(SchemaBuilder::from_schema(&field.schema).optional().build())
    }

    /// The field's value in an event, null where its struct is null; with its schema if the event has one.
    /// `None` when there is no such field.
    pub(super) fn resolve(&self, envelope: Envelope<'_>) -> Option<SchemaAndValue> {
        match envelope {
            Envelope::Struct(event) => {
                let schema = self.schema_in(&event.schema)?;
                Some(SchemaAndValue::new(schema, self.struct_value(event)))
            }
            Envelope::Map(event) => self.map_value(event).map(SchemaAndValue::schemaless),
        }
    }

    fn struct_value(&self, event: &Struct) -> Value {
        let parent = match &self.parent {
            None => Some(event),
            Some(parent) => match struct_member(event, parent) {
                Some((_, Value::Struct(inner))) => Some(&**inner),
                // The transaction is null while a snapshot is taken.
                Some((Some(schema), Value::Null)) if schema.field(&self.field).is_some() => {
                    return Value::Null;
                }
                _ => None,
            },
        };
        parent
            .and_then(|parent| struct_member(parent, &self.field))
            .or_else(|| struct_member(event, &self.field))
            .map_or(Value::Null, |(_, value)| value.clone())
    }

    fn map_value(&self, event: &[(Value, Value)]) -> Option<Value> {
        let parent = match &self.parent {
            None => Some(event),
            Some(parent) => match hash_map::get(event, parent) {
                Some(Value::Map(entries)) => Some(entries.as_slice()),
                _ => None,
            },
        };
        let found = parent.and_then(|parent| hash_map::get(parent, &self.field));
        found.or_else(|| hash_map::get(event, &self.field)).cloned()
    }

    /// Whether it is the event's operation.
    pub(super) fn is_operation(&self) -> bool {
        self.field == OPERATION
    }
}

/// Where a field without struct is looked for.
fn home_of(field: &str) -> Option<&'static str> {
    match field {
        "id" | "data_collection_order" | "total_order" => Some("transaction"),
        OPERATION | "ts_ms" | "ts_us" | "ts_ns" => None,
        "updateDescription" => Some("updateDescription"),
        _ => Some("source"),
    }
}
