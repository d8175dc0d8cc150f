//! Logical types: between their base form and their in-memory form (Kafka: `Decimal`, `Date`, `Time`,
//! `Timestamp`). All functions answer with Kafka's error texts.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;

use super::{Schema, SchemaBuilder, SchemaRef, SchemaType, Value, logical};
use crate::api::error::ConnectError;

/// Milliseconds of a day.
pub const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// Longest unscaled value of a decimal in bytes that is read: about ten thousand digits. Parsing and
/// printing a number takes time that grows with the square of its length, and a shard must not be held up
/// by one record. Java has no limit, and takes seconds for a million digits.
pub const DECIMAL_BYTES_MAX: usize = 4096;

/// As many digits as [`DECIMAL_BYTES_MAX`] bytes hold, rounded down.
pub const DECIMAL_DIGITS_MAX: usize = 9_800;

/// A required Decimal schema.
pub fn decimal_schema(scale: i32) -> SchemaBuilder {
    SchemaBuilder::new(SchemaType::Bytes)
        .name(logical::DECIMAL)
        .parameter(logical::SCALE, scale.to_string())
        .version(1)
}

/// A required Date schema.
pub fn date_schema() -> SchemaBuilder {
    SchemaBuilder::new(SchemaType::Int32)
        .name(logical::DATE)
        .version(1)
}

/// A required Time schema.
pub fn time_schema() -> SchemaBuilder {
    SchemaBuilder::new(SchemaType::Int32)
        .name(logical::TIME)
        .version(1)
}

/// A required Timestamp schema.
pub fn timestamp_schema() -> SchemaBuilder {
    SchemaBuilder::new(SchemaType::Int64)
        .name(logical::TIMESTAMP)
        .version(1)
}

/// The required schema of a `java.util.Date`-like value by its variant.
pub fn schema_of(value: &Value) -> Option<SchemaRef> {
    match value {
        Value::Date(_) => Some(date_schema().build()),
        Value::Time(_) => Some(time_schema().build()),
        Value::Timestamp(_) => Some(timestamp_schema().build()),
        _ => None,
    }
}

/// Big-endian two's complement of the unscaled value.
///
/// # Errors
/// When the scale is not the schema's, or the schema has none.
pub fn decimal_to_bytes(schema: &Schema, value: &BigDecimal) -> Result<Vec<u8>, ConnectError> {
    let schema_scale = scale_of(schema)?;
    let (unscaled, scale) = value.as_bigint_and_scale();
    if scale != i64::from(schema_scale) {
        return Err(ConnectError::data(format!(
            "Decimal value has mismatching scale for given Decimal schema. \
             Schema has scale {schema_scale}, value has scale {scale}."
        )));
    }
    Ok(unscaled.to_signed_bytes_be())
}

/// The decimal of a big-endian two's complement unscaled value.
///
/// # Errors
/// For no bytes at all (Java: "Zero length BigInteger"), more than [`DECIMAL_BYTES_MAX`], or a schema
/// without a proper scale.
pub fn decimal_from_bytes(schema: &Schema, bytes: &[u8]) -> Result<BigDecimal, ConnectError> {
    if bytes.is_empty() {
        return Err(ConnectError::connect("Zero length BigInteger")
            .with_class("java.lang.NumberFormatException"));
    }
    if bytes.len() > DECIMAL_BYTES_MAX {
        return Err(ConnectError::data(format!(
            "a decimal of {} bytes is longer than the {DECIMAL_BYTES_MAX} bytes that are supported",
            bytes.len()
        )));
    }
    let unscaled = BigInt::from_signed_bytes_be(bytes);
    Ok(BigDecimal::new(unscaled, i64::from(scale_of(schema)?)))
}

fn scale_of(schema: &Schema) -> Result<i32, ConnectError> {
    let Some(parameters) = schema.parameters() else {
        return Err(ConnectError::connect(
            "Cannot invoke \"java.util.Map.get(Object)\" because the return value of \
             \"org.apache.kafka.connect.data.Schema.parameters()\" is null",
        )
        .with_class("java.lang.NullPointerException"));
    };
    let Some(scale) = parameters.get(logical::SCALE) else {
        return Err(ConnectError::data(
            "Invalid Decimal schema: scale parameter not found.",
        ));
    };
    scale.parse().map_err(|reason: std::num::ParseIntError| {
        ConnectError::data("Invalid scale parameter found in Decimal schema: ").with_source(reason)
    })
}

/// Days since the epoch.
///
/// # Errors
/// When the schema is no Date or the value has a time of day.
pub fn date_to_days(schema: &Schema, millis: i64) -> Result<i32, ConnectError> {
    require(schema, logical::DATE, "Date")?;
    if millis % MILLIS_PER_DAY != 0 {
        return Err(ConnectError::data(
            "Kafka Connect Date type should not have any time fields set to non-zero values.",
        ));
    }
    Ok(wrap_to_i32(millis / MILLIS_PER_DAY))
}

/// Milliseconds since the epoch of a day.
///
/// # Errors
/// When the schema is no Date.
pub fn date_from_days(schema: &Schema, days: i32) -> Result<i64, ConnectError> {
    require(schema, logical::DATE, "Date")?;
    Ok(i64::from(days) * MILLIS_PER_DAY)
}

/// Milliseconds since midnight.
///
/// # Errors
/// When the schema is no Time or the value lies outside of the first day (its end still passes).
pub fn time_to_millis(schema: &Schema, millis: i64) -> Result<i32, ConnectError> {
    require(schema, logical::TIME, "Time")?;
    if !(0..=MILLIS_PER_DAY).contains(&millis) {
        return Err(ConnectError::data(
            "Kafka Connect Time type should not have any date fields set to non-zero values.",
        ));
    }
    Ok(wrap_to_i32(millis))
}

/// Milliseconds since the epoch of a time of day.
///
/// # Errors
/// When the schema is no Time or the value lies outside of the first day (its end still passes).
pub fn time_from_millis(schema: &Schema, millis: i32) -> Result<i64, ConnectError> {
    require(schema, logical::TIME, "Date")?;
    let millis = i64::from(millis);
    if !(0..=MILLIS_PER_DAY).contains(&millis) {
        return Err(ConnectError::data(
            "Time values must use number of milliseconds greater than 0 and less than 86400000",
        ));
    }
    Ok(millis)
}

/// Checks that a schema is a Timestamp; both forms are milliseconds since the epoch.
///
/// # Errors
/// When it is not.
pub fn timestamp_millis(schema: &Schema, millis: i64) -> Result<i64, ConnectError> {
    require(schema, logical::TIMESTAMP, "Timestamp")?;
    Ok(millis)
}

fn require(schema: &Schema, name: &str, noun: &str) -> Result<(), ConnectError> {
    if schema.name() == Some(name) {
        return Ok(());
    }
    Err(ConnectError::data(format!(
        "Requested conversion of {noun} object but the schema does not match."
    )))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java narrows with `(int)`, which wraps"
)]
fn wrap_to_i32(value: i64) -> i32 {
    value as i32
}
