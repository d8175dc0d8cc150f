//! Java's `SimpleDateFormat`, lenient, in English and in UTC, as TimestampConverter and TimestampRouter
//! use it (contract 7.2). `tests/oracle/DateFormatOracle.java` asks Java's class for the fixture that
//! the tests compare with.
//!
//! What Java does and one might not expect is kept: a text is parsed as far as the pattern goes, fields
//! out of range roll over, numbers may be written `2E3`, dates before 15 October 1582 are Julian, and
//! two digits of a year mean one from 80 years ago to 20 years ahead. Two things differ: of the 600 zone
//! names that Java reads, 36 are known here, and a zone that was read does not become the zone that is
//! printed.

mod calendar;
mod moment;
mod names;
mod number;
mod parse;
mod pattern;
mod text;

#[cfg(test)]
mod tests;

pub use pattern::IllegalPattern;

use self::moment::Moment;
use self::parse::Parsed;
use self::pattern::{Item, Letter};
use super::java_time;
use super::logical_type::MILLIS_PER_DAY;

/// Java prints no number with more digits.
const MAX_DIGITS: usize = 309;

/// A date format: from points in time to text and back.
#[derive(Debug, Clone)]
pub struct SimpleDateFormat {
    pattern: String,
    items: Vec<Item>,
    /// The first moment that a year of two digits can stand for.
    century_start: i64,
    century_start_year: i32,
}

/// A text that does not match its pattern (Java: `ParseException`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unparseable date: \"{0}\"")]
pub struct UnparseableDate(
    /// The text.
    pub String,
);

impl SimpleDateFormat {
    /// A format with a pattern. `now`, in milliseconds since the epoch, decides what years of two
    /// digits mean.
    ///
    /// # Errors
    /// When the pattern is none, with Java's text.
    pub fn new(pattern: &str, now: i64) -> Result<Self, IllegalPattern> {
        let today = Moment::at(now);
        let year = today.year() - 80;
        let mut day = java_time::epoch_day(year, i64::from(today.month()), today.day_of_month());
        if Moment::at(day.wrapping_mul(MILLIS_PER_DAY)).month() != today.month() {
            // There was no 29 February then.
            day -= 1;
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            items: pattern::compile(pattern)?,
            century_start: day
                .wrapping_mul(MILLIS_PER_DAY)
                .wrapping_add(today.millis_of_day()),
            century_start_year: i32::try_from(year).unwrap_or(0),
        })
    }

    /// The pattern (Java: `toPattern`).
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The text of a point in time, in milliseconds since the epoch.
    pub fn format(&self, millis: i64) -> String {
        let mut out = String::with_capacity(self.pattern.len() + 8);
        self.append(millis, &mut out);
        out
    }

    /// As [`Self::format`], appended to a text.
    pub fn append(&self, millis: i64, out: &mut String) {
        let moment = Moment::at(millis);
        for item in &self.items {
            match item {
                Item::Literal(text) => out.push_str(text),
                Item::Field(letter, count) => append_field(*letter, *count, moment, out),
            }
        }
    }

    /// The point in time, in milliseconds since the epoch, that a text begins with. What follows is not
    /// looked at.
    ///
    /// # Errors
    /// When the text does not match.
    pub fn parse(&self, text: &str) -> Result<i64, UnparseableDate> {
        self.parse_wall_clock(text, |local| local)
    }

    /// As [`Self::parse`], where a text without zone is a wall clock's time that `to_utc` moves to UTC.
    ///
    /// # Errors
    /// When the text does not match.
    pub fn parse_wall_clock(
        &self,
        text: &str,
        to_utc: impl Fn(i64) -> i64,
    ) -> Result<i64, UnparseableDate> {
        let parsed = if text.is_ascii() {
            parse::parse(&self.items, text.as_bytes(), self.century_start_year)
        } else {
            let units: Vec<u16> = text.encode_utf16().collect();
            parse::parse(&self.items, units.as_slice(), self.century_start_year)
        };
        let Some(Parsed {
            mut fields,
            ambiguous_year,
        }) = parsed
        else {
            return Err(UnparseableDate(text.to_owned()));
        };
        let millis = |fields: &calendar::Fields| match fields.offset() {
            Some(offset) => fields.local_millis().wrapping_sub(offset),
            None => to_utc(fields.local_millis()),
        };
        let found = millis(&fields);
        if ambiguous_year && found < self.century_start {
            fields.add_years(100);
            return Ok(millis(&fields));
        }
        Ok(found)
    }
}

fn append_field(letter: Letter, count: usize, moment: Moment, out: &mut String) {
    let of_day = moment.millis_of_day();
    let hour = of_day / 3_600_000;
    let value = match letter {
        Letter::Era => {
            return out.push_str(name(&names::ERAS, i64::from(!moment.is_before_christ())));
        }
        Letter::AmPm => return out.push_str(name(&names::AM_PM, hour / 12)),
        Letter::DayOfWeek => return append_name(&names::DAYS, moment.day_of_week(), count, out),
        Letter::Month if count > 2 => {
            return append_name(&names::MONTHS, i64::from(moment.month()) - 1, count, out);
        }
        Letter::ZoneName if count < 4 => return out.push_str(names::UTC),
        Letter::ZoneName => return out.push_str(names::UTC_LONG),
        Letter::ZoneValue => return out.push_str("+0000"),
        Letter::IsoZone => return out.push('Z'),
        Letter::Year => return append_year(moment.year_of_era(), count, out),
        Letter::WeekYear => return append_year(moment.week_year(), count, out),
        Letter::Month => i64::from(moment.month()),
        Letter::DayOfMonth => moment.day_of_month(),
        Letter::HourOfDay1 => (hour + 23) % 24 + 1,
        Letter::HourOfDay0 => hour,
        Letter::Minute => of_day / 60_000 % 60,
        Letter::Second => of_day / 1000 % 60,
        Letter::Millisecond => of_day % 1000,
        Letter::DayOfYear => moment.day_of_year(),
        Letter::DayOfWeekInMonth => moment.day_of_week_in_month(),
        Letter::WeekOfYear => moment.week_of_year(),
        Letter::WeekOfMonth => moment.week_of_month(),
        Letter::Hour1 => (hour + 11) % 12 + 1,
        Letter::Hour0 => hour % 12,
        Letter::IsoDayOfWeek => (moment.day_of_week() + 6) % 7 + 1,
    };
    append_number(value, count, out);
}

fn append_name(names: &[&'static str], index: i64, count: usize, out: &mut String) {
    let long = name(names, index);
    out.push_str(if count < 4 { names::short(long) } else { long });
}

fn name(names: &[&'static str], index: i64) -> &'static str {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    names.get(index).copied().unwrap_or("")
}

/// Two letters print the last two digits.
fn append_year(year: i64, count: usize, out: &mut String) {
    append_number(if count == 2 { year % 100 } else { year }, count, out);
}

fn append_number(value: i64, digits: usize, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value.unsigned_abs());
    let zeros = digits.min(MAX_DIGITS).saturating_sub(text.len());
    out.extend(std::iter::repeat_n('0', zeros));
    out.push_str(text);
}
