//! From the data model to JSON text (Kafka: `JsonConverter.convertToJson`, `asJsonSchema`).
//!
//! Recursion is bounded by Jackson's depth limit, which holds for writing too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::escape::append_quoted;
use crate::api::data::{SchemaRef, logical, logical_type, text};
use crate::api::{ConnectError, Schema, SchemaType, Struct, Value};
use crate::converters::config::serialization_error;

const MAX_DEPTH: usize = 1000;

/// How a Decimal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalFormat {
    Base64,
    Numeric,
}

/// Writes values. Whoever calls takes back what was appended when an error comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    pub(super) decimal_format: DecimalFormat,
    pub(super) replace_null_with_default: bool,
}

type Written = Result<(), ConnectError>;

impl Writer {
    /// Appends the JSON of a value that stands `depth` containers deep.
    pub(super) fn value(
        self,
        schema: Option<&SchemaRef>,
        value: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        match (schema, value) {
            (None, Value::Null) => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            (Some(schema), Value::Null) => self.null(schema, depth, out),
            (Some(schema), value) => match schema.name() {
                Some(
                    name @ (logical::DECIMAL | logical::DATE | logical::TIME | logical::TIMESTAMP),
                ) => self.logical(name, schema, value, out),
                _ => self.typed(schema.kind(), Some(schema), value, depth, out),
            },
            (None, value) => match value.schema_type() {
                Some(kind) => self.typed(kind, None, value, depth, out),
                None => Err(ConnectError::data(format!(
                    "Java class class {} does not have corresponding schema type.",
                    value.java_class()
                ))),
            },
        }
    }

    fn null(self, schema: &SchemaRef, depth: usize, out: &mut Vec<u8>) -> Written {
        match schema.default() {
            Some(default) if self.replace_null_with_default => {
                self.value(Some(schema), default, depth, out)
            }
            _ if schema.is_optional() => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            _ => Err(ConnectError::data(
                "Conversion error: null value for field that is required and has no default value",
            )),
        }
    }

    fn logical(self, name: &str, schema: &Schema, value: &Value, out: &mut Vec<u8>) -> Written {
        if name == logical::DECIMAL {
            return self.decimal(schema, value, out);
        }
        let noun = name.rsplit('.').next().unwrap_or(name);
        let millis = value.date_millis().ok_or_else(|| {
            ConnectError::data(format!(
                "Invalid type for {noun}, expected Date but was class {}",
                value.java_class()
            ))
        })?;
        let number = match name {
            logical::DATE => i64::from(logical_type::date_to_days(schema, millis)?),
            logical::TIME => i64::from(logical_type::time_to_millis(schema, millis)?),
            _ => logical_type::timestamp_millis(schema, millis)?,
        };
        text::append_integer(number, out);
        Ok(())
    }

    fn decimal(self, schema: &Schema, value: &Value, out: &mut Vec<u8>) -> Written {
        let Value::Decimal(number) = value else {
            return Err(ConnectError::data(format!(
                "Invalid type for Decimal, expected BigDecimal but was class {}",
                value.java_class()
            )));
        };
        match self.decimal_format {
            DecimalFormat::Numeric => text::append_decimal(number, out),
            DecimalFormat::Base64 => {
                append_base64(&logical_type::decimal_to_bytes(schema, number)?, out);
            }
        }
        Ok(())
    }

    fn typed(
        self,
        kind: SchemaType,
        schema: Option<&SchemaRef>,
        value: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        match (kind, value) {
            (SchemaType::Int8, Value::Int8(number)) => {
                text::append_integer(i64::from(*number), out);
            }
            (SchemaType::Int16, Value::Int16(number)) => {
                text::append_integer(i64::from(*number), out);
            }
            (SchemaType::Int32, Value::Int32(number)) => {
                text::append_integer(i64::from(*number), out);
            }
            (SchemaType::Int64, Value::Int64(number)) => text::append_integer(*number, out),
            (SchemaType::Float32, Value::Float32(number)) if number.is_finite() => {
                text::append_float(*number, out);
            }
            (SchemaType::Float64, Value::Float64(number)) if number.is_finite() => {
                text::append_double(*number, out);
            }
            (SchemaType::Float32, Value::Float32(_)) | (SchemaType::Float64, Value::Float64(_)) => {
                out.push(b'"');
                text::append(value, out);
                out.push(b'"');
            }
            (SchemaType::Boolean, Value::Boolean(_)) => text::append(value, out),
            (SchemaType::String, Value::String(text)) => append_quoted(text.as_bytes(), out),
            (SchemaType::Bytes, Value::Bytes(bytes)) => append_base64(bytes, out),
            (SchemaType::Array, Value::Array(items)) => self.array(schema, items, depth, out)?,
            (SchemaType::Map, Value::Map(entries)) => self.map(schema, entries, depth, out)?,
            (SchemaType::Struct, Value::Struct(inner)) => {
                self.structure(schema, inner, depth, out)?;
            }
            (kind, value) => return Err(wrong_class(kind, schema.is_some(), value)),
        }
        Ok(())
    }

    fn array(
        self,
        schema: Option<&SchemaRef>,
        items: &[Value],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        let depth = deeper(depth)?;
        let items_schema = schema.and_then(|schema| schema.value_schema());
        out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            comma(index, out);
            self.value(items_schema, item, depth, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn map(
        self,
        schema: Option<&SchemaRef>,
        entries: &[(Value, Value)],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        let depth = deeper(depth)?;
        let keys = schema.and_then(|schema| schema.key_schema());
        let values = schema.and_then(|schema| schema.value_schema());
        let as_object = match (schema, keys) {
            (None, _) => entries
                .iter()
                .all(|(key, _)| matches!(key, Value::String(_))),
            (Some(_), Some(keys)) => keys.kind() == SchemaType::String,
            (Some(_), None) => return Err(no_key_schema()),
        };
        if as_object {
            return self.object(keys, values, entries, depth, out);
        }
        let inner = deeper(depth)?;
        out.push(b'[');
        for (index, (key, value)) in entries.iter().enumerate() {
            comma(index, out);
            out.push(b'[');
            self.value(keys, key, inner, out)?;
            out.push(b',');
            self.value(values, value, inner, out)?;
            out.push(b']');
        }
        out.push(b']');
        Ok(())
    }

    fn object(
        self,
        keys: Option<&SchemaRef>,
        values: Option<&SchemaRef>,
        entries: &[(Value, Value)],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        out.push(b'{');
        for (index, (key, value)) in entries.iter().enumerate() {
            comma(index, out);
            let from = out.len();
            self.value(keys, key, depth, out)?;
            if out.get(from) != Some(&b'"') {
                // Jackson's `asText` of whatever the key became, such as null.
                let plain = out.split_off(from);
                append_quoted(&plain, out);
            }
            out.push(b':');
            self.value(values, value, depth, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn structure(
        self,
        schema: Option<&SchemaRef>,
        inner: &Struct,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        let depth = deeper(depth)?;
        let same = schema.is_some_and(|schema| {
            SchemaRef::ptr_eq(schema, &inner.schema) || **schema == *inner.schema
        });
        if !same {
            return Err(ConnectError::data("Mismatching schema."));
        }
        out.push(b'{');
        for (field, value) in inner.schema.fields().iter().zip(&inner.values) {
            comma(field.index, out);
            append_quoted(field.name.as_bytes(), out);
            out.push(b':');
            self.value(Some(&field.schema), value, depth, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends a schema's JSON, with the name of the field that it belongs to.
    pub(super) fn schema(
        self,
        schema: Option<&SchemaRef>,
        field: Option<&str>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Written {
        let Some(schema) = schema else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        let depth = deeper(depth)?;
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(type_name(schema.kind()).as_bytes());
        out.push(b'"');
        self.schema_parts(schema, depth, out)?;
        out.extend_from_slice(b",\"optional\":");
        out.extend_from_slice(if schema.is_optional() {
            b"true"
        } else {
            b"false"
        });
        self.schema_attributes(schema, depth, out)?;
        if let Some(field) = field {
            out.extend_from_slice(b",\"field\":");
            append_quoted(field.as_bytes(), out);
        }
        out.push(b'}');
        Ok(())
    }

    fn schema_parts(self, schema: &Schema, depth: usize, out: &mut Vec<u8>) -> Written {
        match schema.kind() {
            SchemaType::Array => {
                out.extend_from_slice(b",\"items\":");
                self.schema(schema.value_schema(), None, depth, out)
            }
            SchemaType::Map => {
                out.extend_from_slice(b",\"keys\":");
                self.schema(schema.key_schema(), None, depth, out)?;
                out.extend_from_slice(b",\"values\":");
                self.schema(schema.value_schema(), None, depth, out)
            }
            SchemaType::Struct => {
                out.extend_from_slice(b",\"fields\":[");
                for field in schema.fields() {
                    comma(field.index, out);
                    self.schema(Some(&field.schema), Some(&field.name), depth + 1, out)?;
                }
                out.push(b']');
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn schema_attributes(self, schema: &SchemaRef, depth: usize, out: &mut Vec<u8>) -> Written {
        if let Some(name) = schema.name() {
            out.extend_from_slice(b",\"name\":");
            append_quoted(name.as_bytes(), out);
        }
        if let Some(version) = schema.version() {
            out.extend_from_slice(b",\"version\":");
            text::append_integer(i64::from(version), out);
        }
        if let Some(doc) = schema.doc() {
            out.extend_from_slice(b",\"doc\":");
            append_quoted(doc.as_bytes(), out);
        }
        if let Some(parameters) = schema.parameters() {
            out.extend_from_slice(b",\"parameters\":{");
            for (index, (name, value)) in parameters.iter().enumerate() {
                comma(index, out);
                append_quoted(name.as_bytes(), out);
                out.push(b':');
                append_quoted(value.as_bytes(), out);
            }
            out.push(b'}');
        }
        if let Some(default) = schema.default() {
            out.extend_from_slice(b",\"default\":");
            self.value(Some(schema), default, depth, out)?;
        }
        Ok(())
    }
}

/// Appends bytes as base64 in quotes.
pub(super) fn append_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let from = out.len();
    out.resize(from + bytes.len().div_ceil(3) * 4, 0);
    let written = out
        .get_mut(from..)
        .and_then(|room| BASE64.encode_slice(bytes, room).ok());
    debug_assert!(
        written.is_some(),
        "base64 takes four characters for three bytes"
    );
    out.push(b'"');
}

fn type_name(kind: SchemaType) -> &'static str {
    match kind {
        SchemaType::Int8 => "int8",
        SchemaType::Int16 => "int16",
        SchemaType::Int32 => "int32",
        SchemaType::Int64 => "int64",
        SchemaType::Float32 => "float",
        SchemaType::Float64 => "double",
        SchemaType::Boolean => "boolean",
        SchemaType::String => "string",
        SchemaType::Bytes => "bytes",
        SchemaType::Array => "array",
        SchemaType::Map => "map",
        SchemaType::Struct => "struct",
    }
}

#[inline]
fn comma(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

fn deeper(depth: usize) -> Result<usize, ConnectError> {
    if depth == MAX_DEPTH {
        return Err(ConnectError::data(
            "Converting Kafka Connect data to byte[] failed due to serialization error: ",
        )
        .with_source(
            serialization_error("Error serializing JSON message")
                .with_source("Document nesting depth (1001) exceeds the maximum allowed (1000)"),
        ));
    }
    Ok(depth + 1)
}

fn wrong_class(kind: SchemaType, has_schema: bool, value: &Value) -> ConnectError {
    let what = match (kind, has_schema) {
        (SchemaType::Bytes, _) => "bytes type",
        (kind, true) => kind.name(),
        (_, false) => "unknown schema",
    };
    ConnectError::data(format!(
        "Invalid type for {what}: class {}",
        value.java_class()
    ))
}

fn no_key_schema() -> ConnectError {
    ConnectError::connect(
        "Cannot invoke \"org.apache.kafka.connect.data.Schema.type()\" because the return value \
         of \"org.apache.kafka.connect.data.Schema.keySchema()\" is null",
    )
    .with_class("java.lang.NullPointerException")
}
