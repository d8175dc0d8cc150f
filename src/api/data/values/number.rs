//! Numbers whose type follows from their value.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::{BigInt, Sign};

use crate::api::data::logical_type::DECIMAL_DIGITS_MAX;
use crate::api::data::{Schema, SchemaAndValue, SchemaType, Value, logical_type};

/// The decimal of a text as Java's `new BigDecimal(text)` reads it; `None` where that throws, and for more
/// than [`DECIMAL_DIGITS_MAX`] digits.
pub fn parse_decimal(text: &str) -> Option<BigDecimal> {
    Decimal::parse(text).map(|decimal| decimal.to_decimal())
}

/// Java's `BigDecimal.longValue`: what is behind the point is dropped, and of the rest the low 64 bits
/// stay.
pub fn decimal_to_long(decimal: &BigDecimal) -> i64 {
    let (unscaled, scale) = decimal.as_bigint_and_scale();
    // A multiple of 10^64 is one of 2^64.
    if scale <= -64 || *unscaled == BigInt::ZERO {
        return 0;
    }
    let Ok(places) = u32::try_from(scale.unsigned_abs()) else {
        return 0;
    };
    let whole = match scale {
        ..=0 => unscaled.into_owned() * BigInt::from(10).pow(places),
        // The largest power of ten below 2^bits has fewer than bits / 3 digits.
        _ if u64::from(places) > unscaled.bits() => return 0,
        _ => unscaled.into_owned() / BigInt::from(10).pow(places),
    };
    let magnitude = whole.magnitude().iter_u64_digits().next().unwrap_or(0);
    match whole.sign() {
        Sign::Minus => magnitude.wrapping_neg().cast_signed(),
        _ => magnitude.cast_signed(),
    }
}

/// Java's `BigDecimal.doubleValue`: the nearest double, infinite where there is none.
pub fn decimal_to_double(decimal: &BigDecimal) -> f64 {
    let (unscaled, scale) = decimal.as_bigint_and_scale();
    let text = format!("{unscaled}e{}", -i128::from(scale));
    text.parse().unwrap_or(f64::NAN)
}

/// The decimal zeros of the scripts of Unicode's basic plane.
const ZEROS: [u16; 37] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6,
    0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80,
    0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
    0xff10,
];

/// Java's `Character.digit(character, 10)`.
pub(in crate::api::data) fn digit(character: char) -> Option<u8> {
    let code = u32::from(character);
    ZEROS.iter().find_map(|zero| {
        let value = code
            .checked_sub(u32::from(*zero))
            .filter(|value| *value < 10)?;
        u8::try_from(value).ok()
    })
}

/// A decimal number as Java's `BigDecimal` parses it.
#[derive(Debug, PartialEq)]
pub(super) struct Decimal {
    negative: bool,
    /// ASCII digits, at least one; whole part and fraction.
    digits: String,
    /// How many of the digits are behind the point.
    scale: i32,
}

impl Decimal {
    /// `None` where Java throws `NumberFormatException`, and where there are too many digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = split_sign(text);
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (rest.get(..at)?, parse_exponent(rest.get(at + 1..)?)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole
            .chars()
            .chain(fraction.chars())
            .map(|character| digit(character).map(|value| char::from(b'0' + value)))
            .collect::<Option<String>>()?;
        if digits.is_empty() || digits.len() > DECIMAL_DIGITS_MAX {
            return None;
        }
        let behind = i64::try_from(fraction.chars().count()).ok()?;
        let scale = i32::try_from(behind - exponent).ok()?;
        Some(Self {
            negative,
            digits,
            scale,
        })
    }

    /// Text that Rust's float parsers take.
    fn plain(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}e{}", self.digits, -i64::from(self.scale))
    }

    fn is_zero(&self) -> bool {
        self.digits.bytes().all(|digit| digit == b'0')
    }

    /// The value if it is whole and fits into 64 bits.
    fn whole(&self) -> Option<i64> {
        let digits = self.digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(0);
        }
        let significant = digits.trim_end_matches('0');
        let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
        let zeros = zeros - i64::from(self.scale);
        // More than 19 digits never fit; fewer than no zeros is a fraction.
        let zeros = u32::try_from(zeros).ok().filter(|zeros| *zeros < 19)?;
        let magnitude = significant
            .parse::<i128>()
            .ok()?
            .checked_mul(10i128.pow(zeros))?;
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    /// As an arbitrary decimal.
    pub(super) fn to_decimal(&self) -> BigDecimal {
        let magnitude = BigInt::parse_bytes(self.digits.as_bytes(), 10).unwrap_or_default();
        let unscaled = if self.negative { -magnitude } else { magnitude };
        BigDecimal::new(unscaled, i64::from(self.scale))
    }

    /// The smallest type that holds the value.
    pub(super) fn infer(&self) -> SchemaAndValue {
        if let Some(whole) = self.whole() {
            return infer_whole(whole);
        }
        let float: f32 = self.plain().parse().unwrap_or(f32::INFINITY);
        if float.is_finite() && self.scale != 0 {
            return SchemaAndValue::new(
                Schema::required(SchemaType::Float32),
                Value::Float32(if self.is_zero() { 0.0 } else { float }),
            );
        }
        let double: f64 = self.plain().parse().unwrap_or(f64::INFINITY);
        if double.is_finite() && self.scale != 0 {
            return SchemaAndValue::new(
                Schema::required(SchemaType::Float64),
                Value::Float64(double),
            );
        }
        let schema = logical_type::decimal_schema(self.scale).build();
        SchemaAndValue::new(schema, Value::Decimal(self.to_decimal()))
    }
}

fn infer_whole(whole: i64) -> SchemaAndValue {
    let (kind, value) = if let Ok(small) = i8::try_from(whole) {
        (SchemaType::Int8, Value::Int8(small))
    } else if let Ok(small) = i16::try_from(whole) {
        (SchemaType::Int16, Value::Int16(small))
    } else if let Ok(small) = i32::try_from(whole) {
        (SchemaType::Int32, Value::Int32(small))
    } else {
        (SchemaType::Int64, Value::Int64(whole))
    };
    SchemaAndValue::new(Schema::required(kind), value)
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Up to ten digits behind any zeros.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0i64;
    for character in digits.chars() {
        exponent = exponent * 10 + i64::from(digit(character)?);
        if exponent > i64::from(u32::MAX) * 4 {
            return None;
        }
    }
    i32::try_from(exponent).ok()?;
    Some(if negative { -exponent } else { exponent })
}
