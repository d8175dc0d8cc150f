//! Connect values as JSON (Confluent: `JsonSchemaData.fromConnectData`).

use super::compose::has_string_keys;
use super::{JsonSettings, ONE_OF};
use crate::api::data::{SchemaRef, logical};
use crate::api::{ConnectError, SchemaType, Struct, Value};
use crate::converters::json::access::{append_leaf, append_text};

/// Writes values with these settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonWriter {
    pub(super) settings: JsonSettings,
}

/// Whether something was appended: a required null leaves nothing, as in Java.
type Written = Result<bool, ConnectError>;

impl JsonWriter {
    /// Appends a value.
    ///
    /// # Errors
    /// It does not fit its schema.
    pub(super) fn value(self, schema: &SchemaRef, value: &Value, out: &mut Vec<u8>) -> Written {
        if value.is_null() {
            return self.null(schema, out);
        }
        let is_logical = matches!(
            schema.name(),
            Some(logical::DECIMAL | logical::DATE | logical::TIME | logical::TIMESTAMP)
        );
        match (schema.kind(), value) {
            _ if is_logical => append_leaf(schema, value, self.settings.numeric_decimals, out)?,
            (SchemaType::Array, Value::Array(items)) => self.array(schema, items, out)?,
            (SchemaType::Map, Value::Map(entries)) => self.map(schema, entries, out)?,
            (SchemaType::Struct, Value::Struct(inner)) => {
                return self.structure(schema, inner, out);
            }
            (SchemaType::Array | SchemaType::Map | SchemaType::Struct, _) => {
                return Err(ConnectError::data(format!(
                    "Invalid type for {}: class {}",
                    schema.kind().name(),
                    value.java_class()
                )));
            }
            _ => append_leaf(schema, value, self.settings.numeric_decimals, out)?,
        }
        Ok(true)
    }

    fn null(self, schema: &SchemaRef, out: &mut Vec<u8>) -> Written {
        match schema.default() {
            Some(default) if !self.settings.ignore_default => self.value(schema, default, out),
            _ if schema.is_optional() => {
                out.extend_from_slice(b"null");
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A part of an array or a map, where a required null is JSON's.
    fn part(
        self,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        let schema = schema.ok_or_else(|| {
            ConnectError::data("an array or a map without a schema for its parts")
        })?;
        if !self.value(schema, value, out)? {
            out.extend_from_slice(b"null");
        }
        Ok(())
    }

    fn array(
        self,
        schema: &SchemaRef,
        items: &[Value],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.part(schema.value_schema(), item, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn map(
        self,
        schema: &SchemaRef,
        entries: &[(Value, Value)],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        let is_object = has_string_keys(schema);
        out.push(if is_object { b'{' } else { b'[' });
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match (is_object, key) {
                (true, Value::String(key)) => {
                    append_text(key, out);
                    out.push(b':');
                    self.part(schema.value_schema(), value, out)?;
                }
                (true, key) => {
                    let class = key.java_class();
                    return Err(ConnectError::data(format!(
                        "Invalid type for STRING: class {class}"
                    )));
                }
                (false, key) => {
                    out.extend_from_slice(b"{\"key\":");
                    self.part(schema.key_schema(), key, out)?;
                    out.extend_from_slice(b",\"value\":");
                    self.part(schema.value_schema(), value, out)?;
                    out.push(b'}');
                }
            }
        }
        out.push(if is_object { b'}' } else { b']' });
        Ok(())
    }

    fn structure(self, schema: &SchemaRef, inner: &Struct, out: &mut Vec<u8>) -> Written {
        let same = std::sync::Arc::ptr_eq(&inner.schema, schema);
        if !same && inner.schema.fields() != schema.fields() {
            return Err(ConnectError::data("Mismatching schema."));
        }
        let fields = schema.fields().iter();
        let mut values = fields.map(|field| match self.settings.ignore_default {
            true => (field, inner.values.get(field.index).unwrap_or(&Value::Null)),
            false => (field, inner.get_field(field)),
        });
        if schema.name() == Some(ONE_OF) {
            return match values.find(|(_, value)| !value.is_null()) {
                Some((field, value)) => self.value(&field.schema, value, out),
                None => self.null(schema, out),
            };
        }
        out.push(b'{');
        let mut is_first = true;
        for (field, value) in values {
            let start = out.len();
            if !is_first {
                out.push(b',');
            }
            append_text(&field.name, out);
            out.push(b':');
            let written = self
                .value(&field.schema, value, out)
                .map_err(|error| ConnectError::data(format!("field {}: {error}", field.name)))?;
            if written {
                is_first = false;
            } else {
                out.truncate(start);
            }
        }
        out.push(b'}');
        Ok(true)
    }
}
