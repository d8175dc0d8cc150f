//! Avro's binary encoding to Connect values, along a plan.
//!
//! Nothing is allocated because a length says so: what a length promises has to be there.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use bytes::Bytes;

use super::anything::Anything;
use super::connect::Read;
use crate::api::data::{java_hash, logical_type, text::decode_utf8};
use crate::api::{ConnectError, Struct, Value};
use crate::converters::registry::limits::{DECIMAL_BYTES_MAX, EMPTY_VALUES_MAX};

pub(super) type Decoded<T> = Result<T, ConnectError>;

/// The bytes of one record and how far they are read.
#[derive(Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
    /// How many more values without bytes may come.
    empty_left: usize,
}

impl<'a> Input<'a> {
    /// All of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            empty_left: EMPTY_VALUES_MAX,
        }
    }

    fn truncated(&self, wanted: impl std::fmt::Display) -> ConnectError {
        ConnectError::data(format!(
            "the data ends too early: {wanted} bytes are needed and {} are left",
            self.rest.len()
        ))
    }

    fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| self.truncated(count))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.truncated(N))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A number of variable length, zigzag.
    pub(super) fn long(&mut self) -> Decoded<i64> {
        let mut number: u64 = 0;
        for (index, byte) in self.rest.iter().enumerate() {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && *byte > 1 {
                break;
            }
            number |= bits << (index * 7);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        if self.rest.len() < 10 {
            return Err(self.truncated("more"));
        }
        Err(ConnectError::data(
            "a number of variable length has more than ten bytes",
        ))
    }

    pub(super) fn int(&mut self) -> Decoded<i32> {
        let number = self.long()?;
        i32::try_from(number)
            .map_err(|_| ConnectError::data(format!("{number} does not fit into an Avro int")))
    }

    /// A byte array with its length in front.
    pub(super) fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let length = self.long()?;
        let count = usize::try_from(length)
            .map_err(|_| ConnectError::data(format!("{length} is no length of a byte array")))?;
        self.take(count)
    }

    pub(super) fn string(&mut self) -> Decoded<String> {
        let bytes = self.bytes()?;
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => decode_utf8(bytes),
        })
    }

    pub(super) fn boolean(&mut self) -> Decoded<bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(ConnectError::data(format!("{other} is no Avro boolean"))),
        }
    }

    pub(super) fn float(&mut self) -> Decoded<f32> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    pub(super) fn double(&mut self) -> Decoded<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// The index of a member or a symbol among `count`.
    pub(super) fn index(&mut self, count: usize, of: &str) -> Decoded<usize> {
        let index = self.long()?;
        let fits = usize::try_from(index).ok().filter(|index| *index < count);
        fits.ok_or_else(|| ConnectError::data(format!("{index} is none of the {count} {of}")))
    }

    /// The items of an array or a map, block by block; gives the number in the first block, which is what
    /// Java sizes its collections by.
    pub(super) fn items(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Decoded<()>,
    ) -> Decoded<usize> {
        let mut first = None;
        loop {
            let mut count = self.long()?;
            if count < 0 {
                // A negative count is followed by the block's size in bytes.
                self.long()?;
                count = count.checked_neg().unwrap_or(i64::MAX);
            }
            if count == 0 {
                return Ok(first.unwrap_or(0));
            }
            first = first.or(usize::try_from(count).ok());
            for _ in 0..count {
                let before = self.rest.len();
                item(self)?;
                if self.rest.len() == before {
                    self.count_empty()?;
                }
            }
        }
    }

    fn count_empty(&mut self) -> Decoded<()> {
        self.empty_left = self.empty_left.checked_sub(1).ok_or_else(|| {
            ConnectError::data(format!(
                "the data has more than {EMPTY_VALUES_MAX} items without any bytes"
            ))
        })?;
        Ok(())
    }
}

/// The decimal of an unscaled value in two's complement.
fn decimal(bytes: &[u8], scale: i64) -> Decoded<Value> {
    if bytes.is_empty() {
        return Err(ConnectError::data("Zero length BigInteger"));
    }
    if bytes.len() > DECIMAL_BYTES_MAX {
        return Err(ConnectError::data(format!(
            "a decimal of {} bytes is longer than the {DECIMAL_BYTES_MAX} bytes that are supported",
            bytes.len()
        )));
    }
    let unscaled = BigInt::from_signed_bytes_be(bytes);
    Ok(Value::Decimal(BigDecimal::new(unscaled, scale)))
}

impl Read {
    /// The value of a schema of bytes alone, which have no length in front.
    ///
    /// # Errors
    /// They are no decimal of the schema.
    pub(super) fn whole(&self, bytes: &[u8]) -> Decoded<Value> {
        match self {
            Self::Decimal(scale, _) => decimal(bytes, *scale),
            _ => Ok(Value::Bytes(Bytes::copy_from_slice(bytes))),
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// The bytes are not of the schema; the text names fields from the inside out.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Java narrows with byteValue and shortValue"
    )]
    pub(super) fn decode(&self, input: &mut Input<'_>) -> Decoded<Value> {
        Ok(match self {
            Self::Boolean => Value::Boolean(input.boolean()?),
            Self::Int8 => Value::Int8(input.int()? as i8),
            Self::Int16 => Value::Int16(input.int()? as i16),
            Self::Int32 => Value::Int32(input.int()?),
            Self::Int64 => Value::Int64(input.long()?),
            Self::Date(schema) => Value::Date(logical_type::date_from_days(schema, input.int()?)?),
            Self::Time(schema) => {
                Value::Time(logical_type::time_from_millis(schema, input.int()?)?)
            }
            Self::Timestamp => Value::Timestamp(input.long()?),
            Self::Float => Value::Float32(input.float()?),
            Self::Double => Value::Float64(input.double()?),
            Self::String => Value::String(input.string()?),
            Self::Bytes => Value::Bytes(Bytes::copy_from_slice(input.bytes()?)),
            Self::Fixed(size) => Value::Bytes(Bytes::copy_from_slice(input.take(*size)?)),
            Self::Decimal(scale, None) => decimal(input.bytes()?, *scale)?,
            Self::Decimal(scale, Some(size)) => decimal(input.take(*size)?, *scale)?,
            Self::Enum(symbols) => {
                let index = input.index(symbols.len(), "symbols of the enum")?;
                Value::String(symbols.get(index).cloned().unwrap_or_default())
            }
            Self::Array(items) => {
                let mut values = Vec::new();
                input.items(|input| {
                    values.push(items.decode(input)?);
                    Ok(())
                })?;
                Value::Array(values)
            }
            Self::Map(values) => map(values, input)?,
            Self::Entries(parts, value_first) => entries(&parts.0, &parts.1, *value_first, input)?,
            Self::Record(record) => {
                let mut values = Vec::with_capacity(record.fields.len());
                for (index, field) in record.fields.iter().enumerate() {
                    let value = field.decode(input);
                    values.push(value.map_err(|error| in_field(&record.schema, index, &error))?);
                }
                structure(&record.schema, values)
            }
            Self::Optional(null, inner) => match (input.index(2, "members of the union")?, null) {
                (0, 0) | (1, 1) => Value::Null,
                _ => inner.decode(input)?,
            },
            Self::Only(inner) => {
                input.index(1, "members of the union")?;
                inner.decode(input)?
            }
            Self::Union(union) => {
                let index = input.index(union.members.len(), "members of the union")?;
                let Some(Some((field, member))) = union.members.get(index) else {
                    return Ok(Value::Null);
                };
                let mut values = vec![Value::Null; union.schema.fields().len()];
                if let Some(slot) = values.get_mut(*field) {
                    *slot = member.decode(input)?;
                }
                structure(&union.schema, values)
            }
            Self::Anything => Anything::read(input, 0)?,
        })
    }
}

fn structure(schema: &crate::api::data::SchemaRef, values: Vec<Value>) -> Value {
    Value::Struct(Box::new(Struct {
        schema: crate::api::data::SchemaRef::clone(schema),
        values,
    }))
}

/// The error with the field in front.
pub(super) fn in_field(
    schema: &crate::api::Schema,
    index: usize,
    error: &ConnectError,
) -> ConnectError {
    let name = schema
        .fields()
        .get(index)
        .map_or("?", |field| field.name.as_str());
    ConnectError::data(format!("field {name}: {error}"))
}

/// A map in the order in which Java's would iterate: Avro's reader collects into one `HashMap`, the
/// converter into a second one.
fn map(values: &Read, input: &mut Input<'_>) -> Decoded<Value> {
    let mut unique = java_hash::UniqueEntries::default();
    let first = input.items(|input| {
        let key = input.string()?;
        unique.put(Value::String(key), values.decode(input)?);
        Ok(())
    })?;
    let mut entries = unique.into_entries();
    java_hash::sort_entries(
        &mut entries,
        java_hash::capacity_at_least(first.min(1 << 20)),
    );
    let capacity = java_hash::capacity_at_least(entries.len());
    java_hash::sort_entries(&mut entries, capacity);
    Ok(Value::Map(entries))
}

fn entries(key: &Read, value: &Read, value_first: bool, input: &mut Input<'_>) -> Decoded<Value> {
    let mut count = 0_usize;
    let mut unique = java_hash::UniqueEntries::default();
    input.items(|input| {
        count += 1;
        let (key, value) = if value_first {
            let value = value.decode(input)?;
            (key.decode(input)?, value)
        } else {
            (key.decode(input)?, value.decode(input)?)
        };
        unique.put(key, value);
        Ok(())
    })?;
    let mut entries = unique.into_entries();
    java_hash::sort_entries(&mut entries, java_hash::capacity_at_least(count));
    Ok(Value::Map(entries))
}
