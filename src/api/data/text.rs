//! Java's `String.valueOf` of values, as StringConverter and FileStreamSink print them.
//!
//! Byte arrays are the one exception: Java prints an identity (`[B@6d06d69c`), which tells nothing and
//! differs on each run. Here a byte array that stands alone prints as its bytes, one inside of another
//! value as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bigdecimal::BigDecimal;
use jiff::tz::TimeZone;

use super::{Struct, Value, java_time};

/// The text of a value. Invalid UTF-8 (of a lone byte array) becomes U+FFFD.
pub fn to_text(value: &Value) -> String {
    let mut out = Vec::new();
    append(value, &mut out);
    String::from_utf8(out).unwrap_or_else(|invalid| decode_utf8(invalid.as_bytes()))
}

/// Java's `new String(bytes, UTF_8)`: as Rust's lossy conversion, but an encoded surrogate is one
/// U+FFFD and not three.
pub fn decode_utf8(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    loop {
        let invalid = match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return text;
            }
            Err(invalid) => invalid,
        };
        let (valid, rest) = bytes.split_at(invalid.valid_up_to());
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        text.push('\u{fffd}');
        let skipped = match rest {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            _ => invalid.error_len().unwrap_or(rest.len()),
        };
        bytes = rest.get(skipped..).unwrap_or_default();
    }
}

/// Appends the text of a value. UTF-8, but for a lone byte array, which stays as it is.
pub fn append(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        _ => append_nested(value, out),
    }
}

/// Appends the text of a value that is inside of another one: of a byte array, its base64.
pub(crate) fn append_nested(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Int8(number) => append_integer(i64::from(*number), out),
        Value::Int16(number) => append_integer(i64::from(*number), out),
        Value::Int32(number) => append_integer(i64::from(*number), out),
        Value::Int64(number) => append_integer(*number, out),
        Value::Float32(number) => append_float(*number, out),
        Value::Float64(number) => append_double(*number, out),
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(BASE64.encode(bytes).as_bytes()),
        Value::Array(items) => append_array(items, out),
        Value::Map(entries) => append_map(entries, out),
        Value::Struct(inner) => append_struct(inner, out),
        Value::Decimal(number) => append_decimal(number, out),
        Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
            java_time::append_date_to_string(&TimeZone::system(), *millis, out);
        }
    }
}

fn append_array(items: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        append_nested(item, out);
    }
    out.push(b']');
}

fn append_map(entries: &[(Value, Value)], out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        append_nested(key, out);
        out.push(b'=');
        append_nested(value, out);
    }
    out.push(b'}');
}

fn append_struct(inner: &Struct, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Struct{");
    let mut first = true;
    for (field, value) in inner.schema.fields().iter().zip(&inner.values) {
        if value.is_null() {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(field.name.as_bytes());
        out.push(b'=');
        append_nested(value, out);
    }
    out.push(b'}');
}

/// Appends a whole number in decimal.
#[inline]
pub fn append_integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `Double.toString` as Java 19 and later print it: the shortest digits that read back the same, at
/// least one decimal, plain from 0.001 to below 10^7.
pub fn append_double(number: f64, out: &mut Vec<u8>) {
    if !number.is_finite() {
        return out.extend_from_slice(not_finite(number));
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(number);
    if number.is_subnormal() {
        return append_subnormal(shortest, &format!("{number:.1e}"), number, out);
    }
    append_java_form(shortest, out);
}

/// `Float.toString`, as [`append_double`].
pub fn append_float(number: f32, out: &mut Vec<u8>) {
    if !number.is_finite() {
        return out.extend_from_slice(not_finite(f64::from(number)));
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(number);
    if number.is_subnormal() {
        let two_digits = format!("{number:.1e}");
        let same = two_digits.parse() == Ok(number);
        let chosen = if same && digit_count(shortest) == 1 {
            &two_digits
        } else {
            shortest
        };
        return append_java_form(chosen, out);
    }
    append_java_form(shortest, out);
}

fn not_finite(number: f64) -> &'static [u8] {
    if number.is_nan() {
        b"NaN"
    } else if number > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    }
}

/// Java prints at least two digits, and the second may bring the text nearer to a number of little
/// precision: 4.9E-324, not 5.0E-324.
fn append_subnormal(shortest: &str, two_digits: &str, number: f64, out: &mut Vec<u8>) {
    let same = two_digits.parse() == Ok(number);
    let chosen = if same && digit_count(shortest) == 1 {
        two_digits
    } else {
        shortest
    };
    append_java_form(chosen, out);
}

fn digit_count(text: &str) -> usize {
    let (digits, count, _) = decompose(text);
    digits.get(..count).map_or(0, <[u8]>::len)
}

/// Significant digits of a decimal text without zeros at either end, how many there are, and the
/// decimal exponent of the first one. Texts are at most 17 digits long, plain or with an exponent.
fn decompose(text: &str) -> ([u8; 32], usize, i32) {
    let mut digits = [0u8; 32];
    let mut count = 0;
    let mut exponent = -1i32;
    let mut past_point = false;
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    for byte in mantissa.bytes() {
        if byte == b'.' {
            past_point = true;
            continue;
        }
        if count == 0 && byte == b'0' {
            exponent -= i32::from(past_point);
            continue;
        }
        exponent += i32::from(!past_point);
        if let Some(slot) = digits.get_mut(count) {
            *slot = byte;
            count += 1;
        }
    }
    while count > 0 && digits[count - 1] == b'0' {
        count -= 1;
    }
    (digits, count, exponent + power.parse::<i32>().unwrap_or(0))
}

fn append_java_form(text: &str, out: &mut Vec<u8>) {
    if text.starts_with('-') {
        out.push(b'-');
    }
    let (digits, count, exponent) = decompose(text);
    let digits = digits.get(..count).unwrap_or_default();
    if digits.is_empty() {
        return out.extend_from_slice(b"0.0");
    }
    if (-3..7).contains(&exponent) {
        return append_plain(digits, exponent, out);
    }
    out.push(digits[0]);
    out.push(b'.');
    match digits.get(1..) {
        Some(rest) if !rest.is_empty() => out.extend_from_slice(rest),
        _ => out.push(b'0'),
    }
    out.push(b'E');
    append_integer(i64::from(exponent), out);
}

/// `exponent` is that of the first digit.
fn append_plain(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let Ok(last_whole) = usize::try_from(exponent) else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + exponent.unsigned_abs() as usize - 1, b'0');
        return out.extend_from_slice(digits);
    };
    let whole = last_whole + 1;
    if digits.len() > whole {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        return out.extend_from_slice(&digits[whole..]);
    }
    out.extend_from_slice(digits);
    out.resize(out.len() + whole - digits.len(), b'0');
    out.extend_from_slice(b".0");
}

/// `BigDecimal.toString`: plain for a scale from 0 while the exponent is at least −6, else with `E`.
pub fn append_decimal(number: &BigDecimal, out: &mut Vec<u8>) {
    let (unscaled, scale) = number.as_bigint_and_scale();
    let text = unscaled.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    out.extend_from_slice(sign.as_bytes());
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let adjusted = length - 1 - scale;
    if scale >= 0 && adjusted >= -6 {
        return append_scaled(digits.as_bytes(), scale, out);
    }
    out.extend_from_slice(&digits.as_bytes()[..1]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits.as_bytes()[1..]);
    }
    if adjusted != 0 {
        out.push(b'E');
        if adjusted > 0 {
            out.push(b'+');
        }
        append_integer(adjusted, out);
    }
}

fn append_scaled(digits: &[u8], scale: i64, out: &mut Vec<u8>) {
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        return out.extend_from_slice(digits);
    }
    if let Some(whole) = digits.len().checked_sub(scale).filter(|whole| *whole > 0) {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        return out.extend_from_slice(&digits[whole..]);
    }
    out.extend_from_slice(b"0.");
    out.resize(out.len() + scale - digits.len(), b'0');
    out.extend_from_slice(digits);
}
