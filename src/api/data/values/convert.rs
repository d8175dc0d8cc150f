//! The common type of a collection's elements, and elements made to be of it.

use super::ParseFailure;
use crate::api::data::{SchemaAndValue, SchemaRef, SchemaType, Value, logical, logical_type};

/// Finds the schema that all elements fit.
#[derive(Debug, Default)]
pub(super) struct Merger {
    common: Option<SchemaRef>,
    incompatible: bool,
}

impl Merger {
    pub(super) fn merge(&mut self, element: Option<&SchemaAndValue>) {
        let Some(schema) = element.and_then(|element| element.schema.as_ref()) else {
            return;
        };
        if self.incompatible {
            return;
        }
        self.common = match self.common.take() {
            None => Some(SchemaRef::clone(schema)),
            Some(known) => common(&known, schema),
        };
        self.incompatible = self.common.is_none();
    }

    /// The common schema; `None` if there is none or no element has a schema.
    pub(super) fn schema(&self) -> Option<&SchemaRef> {
        self.common.as_ref()
    }
}

/// None of these schemas is optional. The later one of two of the same type wins.
fn common(known: &SchemaRef, new: &SchemaRef) -> Option<SchemaRef> {
    if known.kind() == new.kind() {
        return Some(SchemaRef::clone(new));
    }
    let (known_rank, new_rank) = (rank(known.kind())?, rank(new.kind())?);
    Some(SchemaRef::clone(if new_rank > known_rank {
        new
    } else {
        known
    }))
}

/// The order in which numbers widen.
fn rank(kind: SchemaType) -> Option<u8> {
    Some(match kind {
        SchemaType::Int8 => 1,
        SchemaType::Int16 => 2,
        SchemaType::Int32 => 3,
        SchemaType::Int64 => 4,
        SchemaType::Float32 => 5,
        SchemaType::Float64 => 6,
        _ => return None,
    })
}

/// Makes an element be of the common schema.
pub(super) fn align(schema: &SchemaRef, value: Value) -> Result<Value, ParseFailure> {
    if value.is_null() {
        return Err(ParseFailure::Malformed);
    }
    Ok(match (schema.name(), schema.kind()) {
        (Some(logical::DATE), _) if value.date_millis().is_none() => {
            let days = narrow(whole(&value)?);
            let millis = logical_type::date_from_days(schema, days);
            Value::Date(millis.map_err(|_| ParseFailure::Malformed)?)
        }
        (Some(logical::TIME), _) if value.date_millis().is_none() => {
            let of_day = narrow(whole(&value)?);
            let millis = logical_type::time_from_millis(schema, of_day);
            Value::Time(millis.map_err(|_| ParseFailure::Malformed)?)
        }
        (Some(logical::TIMESTAMP), _) if value.date_millis().is_none() => {
            Value::Timestamp(whole(&value)?)
        }
        (Some(_), _) => value,
        (None, SchemaType::Int16) => Value::Int16(narrow_short(whole(&value)?)),
        (None, SchemaType::Int32) => Value::Int32(narrow(whole(&value)?)),
        (None, SchemaType::Int64) => Value::Int64(whole(&value)?),
        (None, SchemaType::Float32) => match value {
            Value::Float32(number) => Value::Float32(number),
            value => Value::Float32(narrow_float(floating(&value)?)),
        },
        (None, SchemaType::Float64) => Value::Float64(floating(&value)?),
        _ => value,
    })
}

fn whole(value: &Value) -> Result<i64, ParseFailure> {
    match value {
        Value::Int8(number) => Ok(i64::from(*number)),
        Value::Int16(number) => Ok(i64::from(*number)),
        Value::Int32(number) => Ok(i64::from(*number)),
        Value::Int64(number) => Ok(*number),
        _ => Err(ParseFailure::Malformed),
    }
}

#[expect(clippy::cast_precision_loss, reason = "Java's widening rounds")]
fn floating(value: &Value) -> Result<f64, ParseFailure> {
    match value {
        Value::Float32(number) => Ok(f64::from(*number)),
        Value::Float64(number) => Ok(*number),
        value => Ok(whole(value)? as f64),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn narrow(number: i64) -> i32 {
    number as i32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn narrow_short(number: i64) -> i16 {
    number as i16
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts round"
)]
fn narrow_float(number: f64) -> f32 {
    number as f32
}
