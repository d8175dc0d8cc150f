//! Connect values to Avro's binary encoding, along a plan (Confluent: `AvroData.fromConnectData`).

use bigdecimal::BigDecimal;

use super::anything::Anything;
use super::plan::{Write, WriteField, WriteRecord, WriteUnion};
use crate::api::data::logical_type;
use crate::api::{ConnectError, SchemaType, Value};
use crate::converters::registry::limits::DECIMAL_BYTES_MAX;
use crate::converters::registry::zigzag::append_long;

type Written = Result<(), ConnectError>;

/// Java's message for null where a schema allows none.
pub(super) fn null_for_required() -> ConnectError {
    ConnectError::data("Found null value for non-optional schema")
}

/// Appends a length.
pub(super) fn append_length(length: usize, out: &mut Vec<u8>) {
    append_long(i64::try_from(length).unwrap_or(i64::MAX), out);
}

/// Appends a byte array with its length.
pub(super) fn append_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    append_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn mismatch(kind: &str, value: &Value) -> ConnectError {
    if value.is_null() {
        return null_for_required();
    }
    ConnectError::data(format!(
        "Invalid type for {kind}: class {}",
        value.java_class()
    ))
}

/// An integer of exactly the schema's type.
fn integer(kind: SchemaType, value: &Value) -> Result<i64, ConnectError> {
    match (kind, value) {
        (SchemaType::Int8, Value::Int8(number)) => Ok(i64::from(*number)),
        (SchemaType::Int16, Value::Int16(number)) => Ok(i64::from(*number)),
        (SchemaType::Int32, Value::Int32(number)) => Ok(i64::from(*number)),
        (SchemaType::Int64, Value::Int64(number)) => Ok(*number),
        _ => Err(mismatch(kind.name(), value)),
    }
}

fn float(kind: SchemaType, value: &Value) -> Result<f64, ConnectError> {
    match (kind, value) {
        (SchemaType::Float32, Value::Float32(number)) => Ok(f64::from(*number)),
        (SchemaType::Float64, Value::Float64(number)) => Ok(*number),
        #[expect(
            clippy::cast_precision_loss,
            reason = "Avro's promotion of a long to a double"
        )]
        _ => integer(kind, value).map(|number| number as f64),
    }
}

impl Write {
    /// The value of a schema of bytes alone, which have no length in front.
    ///
    /// # Errors
    /// The value is of another type.
    pub(super) fn whole(&self, value: &Value, out: &mut Vec<u8>) -> Written {
        match (self, value) {
            (Self::Bytes, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
            (Self::Decimal(scale, _), Value::Decimal(number)) => {
                out.extend_from_slice(&unscaled(number, *scale)?);
            }
            _ => return Err(mismatch("BYTES", value)),
        }
        Ok(())
    }

    /// Appends one value.
    ///
    /// # Errors
    /// The value does not fit; the text names fields from the outside in.
    pub(super) fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Written {
        match (self, value) {
            (Self::Boolean, Value::Boolean(flag)) => out.push(u8::from(*flag)),
            (Self::Integer(kind), _) => append_long(integer(*kind, value)?, out),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it was a float, or is promoted to one"
            )]
            (Self::Float(kind), _) => {
                out.extend_from_slice(&(float(*kind, value)? as f32).to_le_bytes());
            }
            (Self::Double(kind), _) => out.extend_from_slice(&float(*kind, value)?.to_le_bytes()),
            (Self::Date(schema), value) => {
                let millis = date_millis("Date", value)?;
                append_long(logical_type::date_to_days(schema, millis)?.into(), out);
            }
            (Self::Time(schema), value) => {
                let millis = date_millis("Time", value)?;
                append_long(logical_type::time_to_millis(schema, millis)?.into(), out);
            }
            (Self::Timestamp, value) => append_long(date_millis("Timestamp", value)?, out),
            (Self::String, Value::String(text)) => append_bytes(text.as_bytes(), out),
            (Self::Bytes, Value::Bytes(bytes)) => append_bytes(bytes, out),
            (Self::Fixed(size), Value::Bytes(bytes)) => {
                if bytes.len() != *size {
                    return Err(ConnectError::data(format!(
                        "{} bytes do not fit into a fixed of {size}",
                        bytes.len()
                    )));
                }
                out.extend_from_slice(bytes);
            }
            (Self::Decimal(scale, size), Value::Decimal(number)) => {
                decimal(&unscaled(number, *scale)?, *size, out)?;
            }
            (Self::Enum(symbols), Value::String(symbol)) => {
                let index = symbols.get(symbol);
                let unknown = || ConnectError::data(format!("{symbol} is no symbol of the enum"));
                append_long(*index.ok_or_else(unknown)?, out);
            }
            (Self::Array(items), Value::Array(values)) => {
                block(values.len(), out, |out| {
                    values.iter().try_for_each(|value| items.encode(value, out))
                })?;
            }
            (Self::Map(values), Value::Map(entries)) => {
                block(entries.len(), out, |out| {
                    entries.iter().try_for_each(|(key, value)| {
                        Self::String.encode(key, out)?;
                        values.encode(value, out)
                    })
                })?;
            }
            (Self::Entries(parts, value_first), Value::Map(entries)) => {
                write_entries(parts, *value_first, entries, out)?;
            }
            (Self::Record(record), value) => record.encode(value, out)?,
            (Self::Optional(null, ..), Value::Null) => append_long(*null, out),
            (Self::Optional(_, index, inner) | Self::Member(index, inner), value) => {
                append_long(*index, out);
                inner.encode(value, out)?;
            }
            (Self::Union(union), value) => union.encode(value, out)?,
            (Self::Anything, value) => Anything::write(value, out)?,
            (plan, value) => return Err(mismatch(plan.connect_type(), value)),
        }
        Ok(())
    }

    fn connect_type(&self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String | Self::Enum(_) => "STRING",
            Self::Bytes | Self::Fixed(_) | Self::Decimal(..) => "BYTES",
            Self::Array(_) => "ARRAY",
            Self::Map(_) | Self::Entries(..) => "MAP",
            _ => "STRUCT",
        }
    }
}

/// A block of items and the end of blocks.
fn block(count: usize, out: &mut Vec<u8>, items: impl FnOnce(&mut Vec<u8>) -> Written) -> Written {
    if count > 0 {
        append_length(count, out);
        items(out)?;
    }
    append_long(0, out);
    Ok(())
}

fn write_entries(
    parts: &(Write, Write),
    value_first: bool,
    entries: &[(Value, Value)],
    out: &mut Vec<u8>,
) -> Written {
    let (keys, values) = parts;
    block(entries.len(), out, |out| {
        entries.iter().try_for_each(|(key, value)| {
            if value_first {
                values.encode(value, out)?;
                return keys.encode(key, out);
            }
            keys.encode(key, out)?;
            values.encode(value, out)
        })
    })
}

fn date_millis(noun: &str, value: &Value) -> Result<i64, ConnectError> {
    if value.is_null() {
        return Err(null_for_required());
    }
    value.date_millis().ok_or_else(|| {
        ConnectError::data(format!(
            "Invalid type for {noun}, expected Date but was class {}",
            value.java_class()
        ))
    })
}

fn unscaled(number: &BigDecimal, scale: i64) -> Result<Vec<u8>, ConnectError> {
    let (unscaled, own) = number.as_bigint_and_scale();
    if own != scale {
        return Err(ConnectError::data(format!(
            "Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, value \
             has scale {own}."
        )));
    }
    let bytes = unscaled.to_signed_bytes_be();
    if bytes.len() > DECIMAL_BYTES_MAX {
        return Err(ConnectError::data(format!(
            "a decimal of {} bytes is longer than the {DECIMAL_BYTES_MAX} bytes that are supported",
            bytes.len()
        )));
    }
    Ok(bytes)
}

fn decimal(unscaled: &[u8], size: Option<usize>, out: &mut Vec<u8>) -> Written {
    let Some(size) = size else {
        append_bytes(unscaled, out);
        return Ok(());
    };
    let padding = size.checked_sub(unscaled.len()).ok_or_else(|| {
        ConnectError::data(format!(
            "Unscaled value byte array length {} is greater than fixed size {size}",
            unscaled.len()
        ))
    })?;
    let negative = unscaled.first().is_some_and(|byte| *byte >= 0x80);
    let sign = if negative { 0xff } else { 0 };
    out.resize(out.len() + padding, sign);
    out.extend_from_slice(unscaled);
    Ok(())
}

impl WriteRecord {
    fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Written {
        let Value::Struct(inner) = value else {
            return Err(mismatch("STRUCT", value));
        };
        let same = std::sync::Arc::ptr_eq(&inner.schema, &self.schema);
        if !same && inner.schema.fields() != self.schema.fields() {
            return Err(ConnectError::data("Mismatching struct schema"));
        }
        for field in &self.fields {
            let (index, write) = match field {
                WriteField::Default(bytes) => {
                    out.extend_from_slice(bytes);
                    continue;
                }
                WriteField::Of(index, write) => (*index, write),
            };
            let Some(field) = inner.schema.fields().get(index) else {
                return Err(ConnectError::data("Mismatching struct schema"));
            };
            let value = match self.ignore_default {
                true => inner.values.get(index).unwrap_or(&Value::Null),
                false => inner.get_field(field),
            };
            write
                .encode(value, out)
                .map_err(|error| ConnectError::data(format!("field {}: {error}", field.name)))?;
        }
        Ok(())
    }
}

impl WriteUnion {
    fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Written {
        let set = match value {
            Value::Null => None,
            Value::Struct(inner) => {
                let values = inner
                    .schema
                    .fields()
                    .iter()
                    .map(|field| inner.get_field(field));
                let mut set = values
                    .zip(&self.fields)
                    .filter(|(value, _)| !value.is_null());
                set.next()
            }
            other => return Err(mismatch("STRUCT", other)),
        };
        match (set, self.null) {
            (Some((value, (index, write))), _) => {
                append_long(*index, out);
                write.encode(value, out)
            }
            (None, Some(null)) => {
                append_long(null, out);
                Ok(())
            }
            (None, None) => Err(null_for_required()),
        }
    }
}
