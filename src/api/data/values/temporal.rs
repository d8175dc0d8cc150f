//! Dates and times by their length, parsed as leniently as Java's `SimpleDateFormat` does: what is too
//! large rolls over into the next unit.

use jiff::tz::TimeZone;

use super::number::digit;
use crate::api::data::logical_type::MILLIS_PER_DAY;
use crate::api::data::{SchemaAndValue, Value, java_time, logical_type};

/// A date, time or timestamp; `None` if the text is none.
pub(super) fn parse(text: &str, zone: &TimeZone) -> Option<SchemaAndValue> {
    // Escaped colons do not split tokens but still stand for colons.
    let text = text.replace("\\:", ":");
    match text.encode_utf16().count() {
        13 => {
            let millis = Fields::new(&text).time()?;
            let at = java_time::from_local(zone, millis);
            let schema = logical_type::time_schema().build();
            Some(SchemaAndValue::new(schema, Value::Time(at)))
        }
        24 => {
            let mut fields = Fields::new(&text);
            let day = fields.date()?;
            fields.literal('T')?;
            let at = java_time::from_local(zone, day * MILLIS_PER_DAY + fields.time()?);
            let schema = logical_type::timestamp_schema().build();
            Some(SchemaAndValue::new(schema, Value::Timestamp(at)))
        }
        10 => {
            let day = Fields::new(&text).date()?;
            let at = java_time::from_local(zone, day * MILLIS_PER_DAY);
            let schema = logical_type::date_schema().build();
            Some(SchemaAndValue::new(schema, Value::Date(at)))
        }
        _ => None,
    }
}

struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Fields<'a> {
    fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    /// Days since the epoch of `yyyy-MM-dd`.
    fn date(&mut self) -> Option<i64> {
        let year = self.number()?;
        self.literal('-')?;
        let month = self.number()?;
        self.literal('-')?;
        let day = self.number()?;
        Some(java_time::epoch_day(year, month, day))
    }

    /// Milliseconds of `HH:mm:ss.SSS'Z'`.
    fn time(&mut self) -> Option<i64> {
        let hours = self.number()?;
        self.literal(':')?;
        let minutes = self.number()?;
        self.literal(':')?;
        let seconds = self.number()?;
        self.literal('.')?;
        let millis = self.number()?;
        self.literal('Z')?;
        Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
    }

    fn literal(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// Blanks, a sign, digits; in 32 bits, as Java has it, so that no sum of fields overflows.
    fn number(&mut self) -> Option<i64> {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let end = digits
            .find(|character| digit(character).is_none())
            .unwrap_or(digits.len());
        let number = digits.get(..end).filter(|digits| !digits.is_empty())?;
        let value = number.chars().take(18).fold(0i64, |sum, character| {
            sum * 10 + i64::from(digit(character).unwrap_or(0))
        });
        let negative = digits.len() < rest.len();
        self.rest = digits.get(end..)?;
        #[expect(clippy::cast_possible_truncation, reason = "Java's `intValue` wraps")]
        let wrapped = value as i32;
        Some(i64::from(if negative {
            wrapped.wrapping_neg()
        } else {
            wrapped
        }))
    }
}
