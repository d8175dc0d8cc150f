//! One value cast to a type, with the numbers that Java's narrowing gives (Kafka:
//! `Cast.castValueToType`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::tz::TimeZone;

use crate::api::data::{Schema, java_number, logical, logical_type, text, values};
use crate::api::{ConnectError, SchemaType, Value};

/// What can be cast, in the order of Kafka's message.
const INPUTS: [SchemaType; 9] = [
    SchemaType::Int8,
    SchemaType::Int16,
    SchemaType::Int32,
    SchemaType::Int64,
    SchemaType::Float32,
    SchemaType::Float64,
    SchemaType::Boolean,
    SchemaType::String,
    SchemaType::Bytes,
];

/// What can be cast to: all of [`INPUTS`] but bytes.
const OUTPUTS: usize = 8;

/// Whether values can be cast to a type.
///
/// # Errors
/// The text of Kafka's `ConfigException`.
pub(super) fn check_output(kind: SchemaType) -> Result<(), String> {
    let outputs = &INPUTS[..OUTPUTS];
    if outputs.contains(&kind) {
        return Ok(());
    }
    Err(format!(
        "Cast transformation does not support casting to {}; supported types are {}",
        kind.name(),
        names(outputs)
    ))
}

fn check_input(kind: SchemaType) -> Result<(), ConnectError> {
    if INPUTS.contains(&kind) {
        return Ok(());
    }
    Err(ConnectError::data(format!(
        "Cast transformation does not support casting from {}; supported types are {}",
        kind.name(),
        names(&INPUTS)
    )))
}

fn names(kinds: &[SchemaType]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    format!("[{}]", names.join(", "))
}

/// The value as one of another type; null stays null. `target` is one that [`check_output`] lets pass.
///
/// # Errors
/// For values that cannot be cast, and text that is no number of the type.
pub(super) fn cast(
    schema: Option<&Schema>,
    value: Value,
    target: SchemaType,
) -> Result<Value, ConnectError> {
    if value.is_null() {
        return Ok(value);
    }
    let kind = match schema {
        Some(schema) => schema.kind(),
        None => value.schema_type().ok_or_else(|| {
            ConnectError::data(format!(
                "Cast transformation was passed a value of type class {} which is not supported by Connect's data API",
                value.java_class()
            ))
        })?,
    };
    check_input(kind)?;
    if target == SchemaType::String {
        return Ok(Value::String(to_text(value)));
    }
    let value = match schema {
        Some(schema) => encode_logical(schema, value)?,
        None => value,
    };
    match target {
        SchemaType::Float32 => Ok(Value::Float32(to_float(&value)?)),
        SchemaType::Float64 => Ok(Value::Float64(to_double(&value)?)),
        SchemaType::Boolean => Ok(Value::Boolean(to_boolean(&value)?)),
        _ => to_integer(&value, target),
    }
}

/// Dates, times and timestamps become the numbers that stand for them.
fn encode_logical(schema: &Schema, value: Value) -> Result<Value, ConnectError> {
    let (Some(name), kind) = (schema.name(), schema.kind()) else {
        return Ok(value);
    };
    if !matches!(name, logical::DATE | logical::TIME | logical::TIMESTAMP) {
        return Ok(value);
    }
    let Some(millis) = value.date_millis() else {
        let class = value.java_class();
        return Err(ConnectError::connect(format!(
            "class {class} cannot be cast to class java.util.Date ({class} and java.util.Date are in module java.base of loader 'bootstrap')"
        ))
        .with_class("java.lang.ClassCastException"));
    };
    debug_assert!(matches!(kind, SchemaType::Int32 | SchemaType::Int64));
    Ok(match name {
        logical::DATE => Value::Int32(logical_type::date_to_days(schema, millis)?),
        logical::TIME => Value::Int32(logical_type::time_to_millis(schema, millis)?),
        _ => Value::Int64(millis),
    })
}

fn to_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Bytes(bytes) => BASE64.encode(&bytes),
        Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
            let mut out = Vec::new();
            values::append_date(millis, &TimeZone::system(), &mut out);
            String::from_utf8(out).unwrap_or_default()
        }
        Value::Int32(number) => itoa::Buffer::new().format(number).to_owned(),
        Value::Int64(number) => itoa::Buffer::new().format(number).to_owned(),
        other => text::to_text(&other),
    }
}

fn to_integer(value: &Value, target: SchemaType) -> Result<Value, ConnectError> {
    if let Value::String(text) = value {
        return java_number::parse_integer(text)
            .and_then(|number| fitting(number, target))
            .ok_or_else(|| out_of_range(text));
    }
    Ok(match target {
        SchemaType::Int64 => Value::Int64(to_long(value)?),
        _ => narrowed(to_int(value)?, target),
    })
}

/// A parsed number of the type; text does not wrap.
fn fitting(number: i64, target: SchemaType) -> Option<Value> {
    match target {
        SchemaType::Int8 => i8::try_from(number).ok().map(Value::Int8),
        SchemaType::Int16 => i16::try_from(number).ok().map(Value::Int16),
        SchemaType::Int32 => i32::try_from(number).ok().map(Value::Int32),
        _ => Some(Value::Int64(number)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn narrowed(number: i32, target: SchemaType) -> Value {
    match target {
        SchemaType::Int8 => Value::Int8(number as i8),
        SchemaType::Int16 => Value::Int16(number as i16),
        _ => Value::Int32(number),
    }
}

/// `Number.intValue`: whole numbers wrap, floats end at the limits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Rust's `as` narrows floats and integers as Java does"
)]
fn to_int(value: &Value) -> Result<i32, ConnectError> {
    Ok(match value {
        Value::Float32(number) => *number as i32,
        Value::Float64(number) => *number as i32,
        other => to_long(other)? as i32,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Rust's `as` narrows floats as Java does"
)]
fn to_long(value: &Value) -> Result<i64, ConnectError> {
    Ok(match value {
        Value::Int8(number) => i64::from(*number),
        Value::Int16(number) => i64::from(*number),
        Value::Int32(number) => i64::from(*number),
        Value::Int64(number) => *number,
        Value::Float32(number) => *number as i64,
        Value::Float64(number) => *number as i64,
        Value::Decimal(number) => java_number::decimal_to_long(number),
        Value::Boolean(flag) => i64::from(*flag),
        other => return Err(unexpected(other)),
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "Java rounds as well"
)]
fn to_float(value: &Value) -> Result<f32, ConnectError> {
    Ok(match value {
        Value::Float32(number) => *number,
        Value::Float64(number) => *number as f32,
        Value::Decimal(number) => java_number::decimal_to_float(number),
        Value::String(text) => java_number::parse_float(text).ok_or_else(|| out_of_range(text))?,
        other => to_long(other)? as f32,
    })
}

#[expect(clippy::cast_precision_loss, reason = "Java rounds as well")]
fn to_double(value: &Value) -> Result<f64, ConnectError> {
    Ok(match value {
        Value::Float32(number) => f64::from(*number),
        Value::Float64(number) => *number,
        Value::Decimal(number) => java_number::decimal_to_double(number),
        Value::String(text) => java_number::parse_double(text).ok_or_else(|| out_of_range(text))?,
        other => to_long(other)? as f64,
    })
}

fn to_boolean(value: &Value) -> Result<bool, ConnectError> {
    match value {
        Value::String(text) => Ok(text.eq_ignore_ascii_case("true")),
        other => Ok(to_long(other)? != 0),
    }
}

fn unexpected(value: &Value) -> ConnectError {
    ConnectError::data(format!(
        "Unexpected type in Cast transformation: class {}",
        value.java_class()
    ))
}

fn out_of_range(text: &str) -> ConnectError {
    ConnectError::data(format!(
        "Value ({text}) was out of range for requested data type"
    ))
}
