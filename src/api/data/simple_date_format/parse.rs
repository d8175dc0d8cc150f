//! From a text to calendar fields: as much of the text as the pattern describes, whatever follows.

use super::calendar::{CalendarField, Fields};
use super::names;
use super::number;
use super::pattern::{Item, Letter};
use super::text::{Units, match_name};

const MILLIS_PER_MINUTE: i64 = 60_000;

/// What a text says.
pub(super) struct Parsed {
    pub(super) fields: Fields,
    /// Whether the year had two digits and may belong to either century.
    pub(super) ambiguous_year: bool,
}

/// `None` where Java says "Unparseable date". `century_start` is the first year that two digits can
/// stand for.
pub(super) fn parse<T: Units + ?Sized>(
    items: &[Item],
    text: &T,
    century_start: i32,
) -> Option<Parsed> {
    let mut parser = Parser {
        text,
        at: 0,
        century_start,
        parsed: Parsed {
            fields: Fields::default(),
            ambiguous_year: false,
        },
    };
    let mut rest = items.iter();
    while let Some(item) = rest.next() {
        match item {
            Item::Literal(expected) => parser.literal(expected)?,
            Item::Field(letter, count) => {
                let next = rest.as_slice().first();
                let bounded =
                    matches!(next, Some(Item::Field(next, count)) if next.is_numeric(*count));
                parser.field(*letter, *count, bounded)?;
            }
        }
    }
    (parser.at > 0).then_some(parser.parsed)
}

struct Parser<'a, T: Units + ?Sized> {
    text: &'a T,
    at: usize,
    century_start: i32,
    parsed: Parsed,
}

impl<T: Units + ?Sized> Parser<'_, T> {
    fn literal(&mut self, expected: &str) -> Option<()> {
        for unit in expected.encode_utf16() {
            if self.text.unit(self.at)? != unit {
                return None;
            }
            self.at += 1;
        }
        Some(())
    }

    /// `bounded` says that another number follows, so that this one has as many digits as letters.
    fn field(&mut self, letter: Letter, count: usize, bounded: bool) -> Option<()> {
        let start = self.at;
        let mut begin = start;
        while matches!(self.text.unit(begin)?, 0x20 | 0x09) {
            begin += 1;
        }
        match letter {
            // Names are looked for before the blanks, so that blanks before a name do not pass.
            Letter::Era => self.name(CalendarField::Era, &names::ERAS, 0),
            Letter::AmPm => self.name(CalendarField::AmPm, &names::AM_PM, 0),
            Letter::Month if count > 2 => self.name(CalendarField::Month, &names::MONTHS, 0),
            Letter::DayOfWeek => self.name(CalendarField::DayOfWeek, &names::DAYS, 1),
            Letter::ZoneName | Letter::ZoneValue => self.zone(begin),
            Letter::IsoZone => self.iso_zone(begin, count),
            _ => {
                let end = if bounded {
                    Some(start + count).filter(|end| *end <= self.text.count())?
                } else {
                    self.text.count()
                };
                let (value, after) = number::parse(self.text, begin, end)?;
                self.at = after;
                self.number(letter, count, value, begin..after);
                Some(())
            }
        }
    }

    fn number(&mut self, letter: Letter, count: usize, value: i32, digits: std::ops::Range<usize>) {
        let (field, value) = match letter {
            Letter::Year | Letter::WeekYear => {
                let field = match letter {
                    Letter::Year => CalendarField::Year,
                    _ => CalendarField::WeekYear,
                };
                (field, self.year(count, value, digits))
            }
            Letter::Month => (CalendarField::Month, value.wrapping_sub(1)),
            Letter::HourOfDay1 => (
                CalendarField::HourOfDay,
                if value == 24 { 0 } else { value },
            ),
            Letter::Hour1 => (CalendarField::Hour, if value == 12 { 0 } else { value }),
            Letter::IsoDayOfWeek => (CalendarField::DayOfWeek, from_iso_day(value)),
            Letter::HourOfDay0 => (CalendarField::HourOfDay, value),
            Letter::Hour0 => (CalendarField::Hour, value),
            Letter::Minute => (CalendarField::Minute, value),
            Letter::Second => (CalendarField::Second, value),
            Letter::Millisecond => (CalendarField::Millisecond, value),
            Letter::DayOfYear => (CalendarField::DayOfYear, value),
            Letter::DayOfWeekInMonth => (CalendarField::DayOfWeekInMonth, value),
            Letter::WeekOfYear => (CalendarField::WeekOfYear, value),
            Letter::WeekOfMonth => (CalendarField::WeekOfMonth, value),
            _ => (CalendarField::DayOfMonth, value),
        };
        self.parsed.fields.set(field, value);
    }

    /// Two digits are a year of the hundred years that began 80 years ago; which one the first of them
    /// is shows when the whole date is known.
    fn year(&mut self, count: usize, value: i32, digits: std::ops::Range<usize>) -> i32 {
        let all_digits = digits
            .clone()
            .all(|at| number::digit_at(self.text, at).is_some());
        if count > 2 || digits.len() != 2 || !all_digits {
            return value;
        }
        let first = self.century_start % 100;
        self.parsed.ambiguous_year = value == first;
        let century = self.century_start / 100 * 100;
        value + century + if value < first { 100 } else { 0 }
    }

    /// The longest name, of a long and a short form each, that stands here.
    fn name(&mut self, field: CalendarField, names: &[&'static str], base: i32) -> Option<()> {
        for (value, name) in (base..).zip(names) {
            let end = match_name(self.text, self.at, name)
                .or_else(|| match_name(self.text, self.at, names::short(name)));
            if let Some(end) = end {
                self.parsed.fields.set(field, value);
                self.at = end;
                return Some(());
            }
        }
        None
    }

    /// `+hhmm`, `GMT`, `GMT+h:mm` or a name.
    fn zone(&mut self, begin: usize) -> Option<()> {
        if let Some(sign) = self.sign(begin) {
            return self.offset(begin + 1, sign, false, OffsetForm::Minutes);
        }
        if let Some(after) = match_name(self.text, self.at, "GMT") {
            let Some(sign) = self.sign(after) else {
                self.at = after;
                self.parsed.fields.set_offset(0);
                return Some(());
            };
            return self.offset(after + 1, sign, true, OffsetForm::ColonMinutes);
        }
        for (name, minutes) in names::ZONES {
            if let Some(after) = match_name(self.text, begin, name) {
                self.at = after;
                // UTC has no summer time, and its name leaves an offset alone that the text gave before.
                if minutes != 0 || self.parsed.fields.offset().is_none() {
                    let offset = i64::from(minutes) * MILLIS_PER_MINUTE;
                    self.parsed.fields.set_offset(offset);
                }
                return Some(());
            }
        }
        None
    }

    /// `Z`, or hours and, for more than one letter, minutes.
    fn iso_zone(&mut self, begin: usize, count: usize) -> Option<()> {
        if self.text.unit(begin) == Some(u16::from(b'Z')) {
            self.at = begin + 1;
            self.parsed.fields.set_offset(0);
            return Some(());
        }
        let form = match count {
            1 => OffsetForm::Hours,
            2 => OffsetForm::Minutes,
            _ => OffsetForm::ColonMinutes,
        };
        self.offset(begin + 1, self.sign(begin)?, false, form)
    }

    fn sign(&self, at: usize) -> Option<i64> {
        match self.text.unit(at) {
            Some(0x2b) => Some(1),
            Some(0x2d) => Some(-1),
            _ => None,
        }
    }

    fn offset(&mut self, at: usize, sign: i64, short_hours: bool, form: OffsetForm) -> Option<()> {
        let mut at = at;
        let mut hours = self.ascii_digit(at)?;
        at += 1;
        match self.ascii_digit(at) {
            Some(second) => {
                hours = hours * 10 + second;
                at += 1;
            }
            // Java needs a character here even where it takes one digit.
            None if short_hours => _ = self.text.unit(at)?,
            None => return None,
        }
        let mut minutes = 0;
        if form != OffsetForm::Hours {
            if form == OffsetForm::ColonMinutes {
                (self.text.unit(at)? == u16::from(b':')).then_some(())?;
                at += 1;
            }
            minutes = self.ascii_digit(at)? * 10 + self.ascii_digit(at + 1)?;
            at += 2;
        }
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.at = at;
        let offset = sign * (hours * 60 + minutes) * MILLIS_PER_MINUTE;
        self.parsed.fields.set_offset(offset);
        Some(())
    }

    fn ascii_digit(&self, at: usize) -> Option<i64> {
        let unit = self.text.unit(at)?;
        let value = unit.checked_sub(u16::from(b'0'))?;
        (value < 10).then_some(i64::from(value))
    }
}

/// How an offset from UTC is written, after its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OffsetForm {
    Hours,
    Minutes,
    ColonMinutes,
}

/// From Monday is 1 to Sunday is 1; a number that is no day stays and rolls over later.
fn from_iso_day(value: i32) -> i32 {
    match value {
        7 => 1,
        1..=6 => value + 1,
        other => other,
    }
}
