//! Messages that stand for Connect's logical types: Confluent's Decimal, Google's Date, TimeOfDay and
//! Timestamp; and Google's wrappers of single values.

use std::num::NonZeroU64;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode};
use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Proto};

use crate::api::data::java_time;
use crate::api::data::logical_type::{self, MILLIS_PER_DAY};
use crate::api::{ConnectError, Schema, SchemaType, Value};
use crate::converters::registry::limits::DECIMAL_BYTES_MAX;

pub(super) const DECIMAL: &str = "confluent.type.Decimal";
pub(super) const DATE: &str = "google.type.Date";
pub(super) const TIME: &str = "google.type.TimeOfDay";
pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";

const NANOS_PER_MILLI: i64 = 1_000_000;
/// Seconds of the years that a Timestamp may have, 1 to 9999.
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// The Connect type of a wrapper message.
pub(super) fn wrapped(full_name: &str) -> Option<SchemaType> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "DoubleValue" => SchemaType::Float64,
        "FloatValue" => SchemaType::Float32,
        "Int64Value" | "UInt64Value" | "UInt32Value" => SchemaType::Int64,
        "Int32Value" => SchemaType::Int32,
        "BoolValue" => SchemaType::Boolean,
        "StringValue" => SchemaType::String,
        "BytesValue" => SchemaType::Bytes,
        _ => return None,
    })
}

/// A number of a field, 0 when it is not there or no number.
fn number(message: &DynamicMessage, field: &str) -> i64 {
    let value = message.get_field_by_name(field);
    match value.as_deref() {
        Some(Proto::I32(number)) => i64::from(*number),
        Some(Proto::U32(number)) => i64::from(*number),
        Some(Proto::I64(number)) => *number,
        _ => 0,
    }
}

/// The decimal of a message.
///
/// # Errors
/// It is longer than supported.
pub(super) fn to_decimal(message: &DynamicMessage) -> Result<Value, ConnectError> {
    let value = message.get_field_by_name("value");
    let bytes = match value.as_deref() {
        Some(Proto::Bytes(bytes)) => bytes.clone(),
        _ => bytes::Bytes::new(),
    };
    check_length(bytes.len())?;
    if bytes.is_empty() {
        return Err(ConnectError::data("Zero length BigInteger"));
    }
    let unscaled = BigInt::from_signed_bytes_be(&bytes);
    let decimal = BigDecimal::new(unscaled, number(message, "scale"));
    let precision = number(message, "precision").unsigned_abs();
    // Java rounds to the precision that the message names; 0 is none.
    Ok(Value::Decimal(match NonZeroU64::new(precision) {
        Some(precision) if decimal.digits() > precision.get() => {
            decimal.with_precision_round(precision, RoundingMode::HalfUp)
        }
        _ => decimal,
    }))
}

/// The day of a message, in Java's calendar, which is the Julian one before October 1582.
///
/// # Errors
/// There is no such day.
pub(super) fn to_date(message: &DynamicMessage) -> Result<Value, ConnectError> {
    let [year, month, day] = ["year", "month", "day"].map(|field| number(message, field));
    let is_plausible = year > 0 && (1..=12).contains(&month) && (1..=31).contains(&day);
    let millis = is_plausible.then(|| java_time::epoch_day(year, month, day) * MILLIS_PER_DAY);
    let shown = millis.map(java_time::civil);
    let is_day = |shown: java_time::Civil| {
        (shown.year, i64::from(shown.month), i64::from(shown.day)) == (year, month, day)
    };
    match millis {
        Some(millis) if shown.is_some_and(is_day) => Ok(Value::Date(millis)),
        _ => Err(ConnectError::data(format!(
            "{year}-{month}-{day} (year, month, day) is no date"
        ))),
    }
}

/// The time of day of a message.
///
/// # Errors
/// There is no such time.
pub(super) fn to_time(message: &DynamicMessage) -> Result<Value, ConnectError> {
    let fields = ["hours", "minutes", "seconds", "nanos"].map(|field| number(message, field));
    let [hours, minutes, seconds, nanos] = fields;
    let fits = (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..60).contains(&seconds)
        && (0..1_000_000_000).contains(&nanos);
    if !fits {
        return Err(ConnectError::data(format!(
            "{hours}:{minutes}:{seconds} and {nanos} ns is no time of day"
        )));
    }
    let millis = ((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos / NANOS_PER_MILLI;
    Ok(Value::Time(millis))
}

/// The point in time of a message.
///
/// # Errors
/// It lies outside of the years 1 to 9999.
pub(super) fn to_timestamp(message: &DynamicMessage) -> Result<Value, ConnectError> {
    let (seconds, nanos) = (number(message, "seconds"), number(message, "nanos"));
    if !TIMESTAMP_SECONDS.contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(ConnectError::data(format!(
            "Timestamp is not valid: {seconds} s and {nanos} ns; its years are 1 to 9999, its nanoseconds 0 \
             to 999,999,999"
        )));
    }
    Ok(Value::Timestamp(seconds * 1000 + nanos / NANOS_PER_MILLI))
}

fn message_of(
    descriptor: &MessageDescriptor,
    fields: Vec<(&str, Proto)>,
) -> Result<DynamicMessage, ConnectError> {
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, value) in fields {
        message
            .try_set_field_by_name(name, value)
            .map_err(|error| {
                let full_name = descriptor.full_name();
                ConnectError::data(format!("the field {name} of {full_name}: {error}"))
            })?;
    }
    Ok(message)
}

fn small(number: i64) -> Result<Proto, ConnectError> {
    let number = i32::try_from(number)
        .map_err(|_| ConnectError::data(format!("{number} is more than 32 bits hold")))?;
    Ok(Proto::I32(number))
}

/// The message of a decimal.
///
/// # Errors
/// The message is not Confluent's, or the decimal is longer than it may be when it is read.
pub(super) fn of_decimal(
    descriptor: &MessageDescriptor,
    decimal: &BigDecimal,
) -> Result<DynamicMessage, ConnectError> {
    let (unscaled, scale) = decimal.as_bigint_and_scale();
    let bytes = unscaled.to_signed_bytes_be();
    check_length(bytes.len())?;
    let digits = u32::try_from(decimal.digits()).unwrap_or(0);
    let fields = vec![
        ("value", Proto::Bytes(bytes.into())),
        ("precision", Proto::U32(digits)),
        ("scale", small(scale)?),
    ];
    message_of(descriptor, fields)
}

fn check_length(bytes: usize) -> Result<(), ConnectError> {
    if bytes > DECIMAL_BYTES_MAX {
        return Err(ConnectError::data(format!(
            "a decimal of {bytes} bytes is longer than the {DECIMAL_BYTES_MAX} bytes that are supported"
        )));
    }
    Ok(())
}

/// The message of a Date, Time or Timestamp.
///
/// # Errors
/// The value does not fit its schema, or is beyond what the message can say.
pub(super) fn of_date(
    descriptor: &MessageDescriptor,
    schema: &Schema,
    value: &Value,
) -> Result<DynamicMessage, ConnectError> {
    let millis = value.date_millis().ok_or_else(|| {
        ConnectError::data(format!(
            "Invalid type for {}, expected Date but was class {}",
            descriptor.name(),
            value.java_class()
        ))
    })?;
    let fields = match descriptor.full_name() {
        DATE => date_fields(schema, millis)?,
        TIME => time_fields(schema, millis)?,
        _ => timestamp_fields(millis)?,
    };
    message_of(descriptor, fields)
}

type Fields = Result<Vec<(&'static str, Proto)>, ConnectError>;

fn date_fields(schema: &Schema, millis: i64) -> Fields {
    logical_type::date_to_days(schema, millis)?;
    let date = java_time::civil(millis);
    if date.year < 1 {
        return Err(ConnectError::data(format!(
            "a date in the year {} has no form in {DATE}, whose years begin with 1",
            date.year
        )));
    }
    Ok(vec![
        ("year", small(date.year)?),
        ("month", Proto::I32(date.month.into())),
        ("day", Proto::I32(date.day.into())),
    ])
}

fn time_fields(schema: &Schema, millis: i64) -> Fields {
    let millis = i64::from(logical_type::time_to_millis(schema, millis)?);
    let seconds = millis / 1000;
    Ok(vec![
        ("hours", small(seconds / 3600 % 24)?),
        ("minutes", small(seconds / 60 % 60)?),
        ("seconds", small(seconds % 60)?),
        ("nanos", small(millis % 1000 * NANOS_PER_MILLI)?),
    ])
}

fn timestamp_fields(millis: i64) -> Fields {
    let seconds = millis.div_euclid(1000);
    if !TIMESTAMP_SECONDS.contains(&seconds) {
        return Err(ConnectError::data(format!(
            "Timestamp is not valid: {millis} ms since 1970; its years are 1 to 9999"
        )));
    }
    let nanos = small(millis.rem_euclid(1000) * NANOS_PER_MILLI)?;
    Ok(vec![("seconds", Proto::I64(seconds)), ("nanos", nanos)])
}
