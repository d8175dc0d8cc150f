//! Values as plain text and back, where nothing says what type a text has (Kafka:
//! `org.apache.kafka.connect.data.Values`, contract 6.4). SimpleHeaderConverter and the InsertHeader
//! transformation use it.
//!
//! Java parses and prints dates in its default time zone, even where the text says `Z`; the zone is a
//! parameter here.

mod convert;
pub(super) mod number;
mod parse;
mod temporal;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::tz::TimeZone;

pub use number::{decimal_to_double, decimal_to_long, parse_decimal};
pub use parse::{ParseFailure, parse};

use super::logical_type::MILLIS_PER_DAY;
use super::{Struct, Value, java_time, text};

/// Appends the text of a value (Kafka: `Values.convertToString`): strings and byte arrays bare on top
/// level and quoted inside of others, collections as JSON without blanks.
pub fn append(value: &Value, zone: &TimeZone, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(BASE64.encode(bytes).as_bytes()),
        _ => append_nested(value, zone, out),
    }
}

fn append_nested(value: &Value, zone: &TimeZone, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => append_quoted(text, out),
        Value::Bytes(bytes) => append_quoted(&BASE64.encode(bytes), out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                comma(index, out);
                append_nested(item, zone, out);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (index, (key, item)) in entries.iter().enumerate() {
                comma(index, out);
                append_nested(key, zone, out);
                out.push(b':');
                append_nested(item, zone, out);
            }
            out.push(b'}');
        }
        Value::Struct(inner) => append_struct(inner, zone, out),
        Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
            append_date(*millis, zone, out);
        }
        _ => text::append(value, out),
    }
}

fn append_struct(inner: &Struct, zone: &TimeZone, out: &mut Vec<u8>) {
    out.push(b'{');
    for field in inner.schema.fields() {
        comma(field.index, out);
        append_quoted(&field.name, out);
        out.push(b':');
        append_nested(inner.get_field(field), zone, out);
    }
    out.push(b'}');
}

/// Appends a `java.util.Date` in the form that its magnitude suggests: a time below one day (so all
/// before 1970), a date for whole days, else both (Kafka: `Values.dateFormatFor`).
pub fn append_date(millis: i64, zone: &TimeZone, out: &mut Vec<u8>) {
    if millis < MILLIS_PER_DAY {
        java_time::append_iso_time(zone, millis, out);
    } else if millis % MILLIS_PER_DAY == 0 {
        java_time::append_iso_date(zone, millis, out);
    } else {
        java_time::append_iso_date(zone, millis, out);
        out.push(b'T');
        java_time::append_iso_time(zone, millis, out);
    }
}

fn append_quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn comma(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}
