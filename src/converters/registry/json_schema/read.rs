//! JSON to Connect values, along the Connect schema (Confluent: `JsonSchemaData.toConnectData`).

use super::ONE_OF;
use super::compose::has_string_keys;
use crate::api::data::{SchemaRef, java_hash, logical};
use crate::api::{ConnectError, Schema, SchemaType, Struct, Value};
use crate::converters::json::access::{JsonKind, JsonText};

/// Reads values of one text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) text: JsonText<'a>,
}

type Decoded<T> = Result<T, ConnectError>;

impl Read<'_> {
    /// The value at `at`, or for a member that is missing.
    ///
    /// # Errors
    /// It is not what the schema says; the text names fields.
    pub(super) fn value(self, schema: &SchemaRef, at: Option<usize>) -> Decoded<Value> {
        let present = at.filter(|at| self.text.kind(*at) != JsonKind::Null);
        let Some(present) = present else {
            return match (schema.default(), at) {
                (Some(default), _) => Ok(default.clone()),
                (None, Some(_)) if !schema.is_optional() => Err(ConnectError::data(format!(
                    "Invalid null value for required {} field",
                    schema.kind().name()
                ))),
                _ => Ok(Value::Null),
            };
        };
        let is_logical = matches!(
            schema.name(),
            Some(logical::DECIMAL | logical::DATE | logical::TIME | logical::TIMESTAMP)
        );
        match schema.kind() {
            _ if is_logical => self.text.leaf(schema, present),
            SchemaType::Array => self.array(schema, present),
            SchemaType::Map => self.map(schema, present),
            SchemaType::Struct if schema.name() == Some(ONE_OF) => self.union(schema, present),
            SchemaType::Struct => self.structure(schema, present),
            _ => self.text.leaf(schema, present),
        }
    }

    fn mismatch(self, text: &str, at: usize) -> ConnectError {
        ConnectError::data(format!("{text} {}", self.text.type_name(at)))
    }

    fn part(self, schema: Option<&SchemaRef>, at: Option<usize>) -> Decoded<Value> {
        let schema = schema.ok_or_else(|| {
            ConnectError::data("an array or a map without a schema for its parts")
        })?;
        self.value(schema, at)
    }

    fn array(self, schema: &SchemaRef, at: usize) -> Decoded<Value> {
        if self.text.kind(at) != JsonKind::Array {
            return Err(self.mismatch("Arrays should be encoded as JSON arrays, but found", at));
        }
        let elements = self.text.elements(at);
        let values = elements.map(|element| self.part(schema.value_schema(), Some(element)));
        Ok(Value::Array(values.collect::<Decoded<_>>()?))
    }

    fn map(self, schema: &SchemaRef, at: usize) -> Decoded<Value> {
        let mut entries = if has_string_keys(schema) {
            self.object_entries(schema, at)?
        } else {
            self.listed_entries(schema, at)?
        };
        java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
        Ok(Value::Map(entries))
    }

    fn object_entries(self, schema: &SchemaRef, at: usize) -> Decoded<Vec<(Value, Value)>> {
        if self.text.kind(at) != JsonKind::Object {
            let text = "Maps with string fields should be encoded as JSON objects, but found";
            return Err(self.mismatch(text, at));
        }
        let members = self.text.members(at).into_iter();
        let entry = |(name, value): (&str, usize)| {
            let value = self.part(schema.value_schema(), Some(value))?;
            Ok((Value::String(name.to_owned()), value))
        };
        members.map(entry).collect()
    }

    fn listed_entries(self, schema: &SchemaRef, at: usize) -> Decoded<Vec<(Value, Value)>> {
        if self.text.kind(at) != JsonKind::Array {
            let text =
                "Maps with non-string fields should be encoded as JSON array of objects, but found";
            return Err(self.mismatch(text, at));
        }
        let mut unique = java_hash::UniqueEntries::default();
        for entry in self.text.elements(at) {
            if self.text.kind(entry) != JsonKind::Object {
                return Err(self.mismatch("Found invalid map entry instead of object:", entry));
            }
            let count = self.text.members(entry).len();
            if count != 2 {
                return Err(ConnectError::data(format!(
                    "Found invalid map entry, expected length 2 but found :{count}"
                )));
            }
            let part = |name: &str, schema| self.part(schema, self.text.get(entry, name));
            let key = part("key", schema.key_schema())?;
            unique.put(key, part("value", schema.value_schema())?);
        }
        Ok(unique.into_entries())
    }

    fn structure(self, schema: &SchemaRef, at: usize) -> Decoded<Value> {
        if self.text.kind(at) != JsonKind::Object {
            return Err(self.mismatch("Structs should be encoded as JSON objects, but found", at));
        }
        let mut values = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let value = self.value(&field.schema, self.text.get(at, &field.name));
            values.push(
                value.map_err(|error| {
                    ConnectError::data(format!("field {}: {error}", field.name))
                })?,
            );
        }
        Ok(structure(schema, values))
    }

    /// The first member that the value may be, or the struct with which it has most fields in common.
    fn union(self, schema: &SchemaRef, at: usize) -> Decoded<Value> {
        let mut best = None;
        let mut most = 0;
        for field in schema.fields() {
            if self.is_simple(&field.schema, at) {
                best = Some(field);
                break;
            }
            let common = self.common_fields(&field.schema, at);
            if common > most {
                (best, most) = (Some(field), common);
            }
        }
        let Some(field) = best else {
            return Err(ConnectError::data(
                "Did not find matching oneof field for data",
            ));
        };
        let mut values = vec![Value::Null; schema.fields().len()];
        if let Some(slot) = values.get_mut(field.index) {
            *slot = self.value(&field.schema, Some(at))?;
        }
        Ok(structure(schema, values))
    }

    fn is_simple(self, schema: &Schema, at: usize) -> bool {
        let kind = self.text.kind(at);
        match schema.kind() {
            SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 | SchemaType::Int64 => {
                kind == JsonKind::Integer
            }
            SchemaType::Float32 | SchemaType::Float64 => {
                matches!(kind, JsonKind::Integer | JsonKind::Fraction)
            }
            SchemaType::Boolean => kind == JsonKind::Boolean,
            SchemaType::String => kind == JsonKind::Text,
            // Java takes no text for bytes here; then nothing would fit.
            SchemaType::Bytes => matches!(kind, JsonKind::Text | JsonKind::Fraction),
            SchemaType::Array => kind == JsonKind::Array,
            SchemaType::Map => matches!(kind, JsonKind::Object | JsonKind::Array),
            SchemaType::Struct => false,
        }
    }

    fn common_fields(self, schema: &Schema, at: usize) -> usize {
        if schema.kind() != SchemaType::Struct || self.text.kind(at) != JsonKind::Object {
            return 0;
        }
        let members = self.text.members(at).into_iter();
        let common = members.filter_map(|(name, value)| {
            let field = schema.field(name)?;
            Some(1 + self.common_fields(&field.schema, value))
        });
        common.sum()
    }
}

fn structure(schema: &SchemaRef, values: Vec<Value>) -> Value {
    Value::Struct(Box::new(Struct {
        schema: SchemaRef::clone(schema),
        values,
    }))
}
