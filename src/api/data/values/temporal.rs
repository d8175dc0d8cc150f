//! Dates and times by their length, parsed as leniently as Java's `SimpleDateFormat` does.

use std::sync::LazyLock;

use jiff::tz::TimeZone;

use crate::api::data::simple_date_format::{IllegalPattern, SimpleDateFormat};
use crate::api::data::{SchemaAndValue, Value, java_time, logical_type};

/// No year here has two letters, so that the time of making does not matter.
static FORMATS: LazyLock<Result<[SimpleDateFormat; 3], IllegalPattern>> = LazyLock::new(|| {
    Ok([
        SimpleDateFormat::new("yyyy-MM-dd", 0)?,
        SimpleDateFormat::new("HH:mm:ss.SSS'Z'", 0)?,
        SimpleDateFormat::new("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", 0)?,
    ])
});

/// A date, time or timestamp; `None` if the text is none.
pub(super) fn parse(text: &str, zone: &TimeZone) -> Option<SchemaAndValue> {
    // Escaped colons do not split tokens but still stand for colons.
    let text = text.replace("\\:", ":");
    let [date, time, timestamp] = FORMATS.as_ref().ok()?;
    let at = |format: &SimpleDateFormat| {
        let to_utc = |local| java_time::from_local(zone, local);
        format.parse_wall_clock(&text, to_utc).ok()
    };
    Some(match text.encode_utf16().count() {
        10 => {
            let schema = logical_type::date_schema().build();
            SchemaAndValue::new(schema, Value::Date(at(date)?))
        }
        13 => {
            let schema = logical_type::time_schema().build();
            SchemaAndValue::new(schema, Value::Time(at(time)?))
        }
        24 => {
            let schema = logical_type::timestamp_schema().build();
            SchemaAndValue::new(schema, Value::Timestamp(at(timestamp)?))
        }
        _ => return None,
    })
}
