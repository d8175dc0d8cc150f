//! Java's texts of `java.util.Date`, in the default time zone as Java has it and in Java's calendar,
//! which is the Julian one before 15 October 1582.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::logical_type::MILLIS_PER_DAY;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A point in time as a calendar and a clock of some zone show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year, 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// Milliseconds since midnight.
    pub millis_of_day: i64,
    /// Days since the epoch.
    pub epoch_day: i64,
}

/// Day since the epoch on which the Gregorian calendar begins.
pub(super) const GREGORIAN_START: i64 = -141_427;
/// Days from 1 March of year 0 of each calendar to the epoch.
const GREGORIAN_ERA: i64 = 719_468;
const JULIAN_ERA: i64 = 719_470;

/// What the clock shows at `millis` since the epoch, already moved by the zone's offset.
pub fn civil(millis: i64) -> Civil {
    let epoch_day = millis.div_euclid(MILLIS_PER_DAY);
    // Howard Hinnant's days-to-civil: years that begin in March, in eras after which leap days repeat.
    let (march_year, day_of_year) = if epoch_day < GREGORIAN_START {
        let day = epoch_day + JULIAN_ERA;
        let day_of_era = day.rem_euclid(1_461);
        let year_of_era = (day_of_era - day_of_era / 1_460) / 365;
        let year = day.div_euclid(1_461) * 4 + year_of_era;
        (year, day_of_era - 365 * year_of_era)
    } else {
        let day = epoch_day + GREGORIAN_ERA;
        let day_of_era = day.rem_euclid(146_097);
        let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leaps) / 365;
        let year = day.div_euclid(146_097) * 400 + year_of_era;
        (
            year,
            day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100),
        )
    };
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    Civil {
        year: march_year + i64::from(month <= 2),
        month: u8::try_from(month).unwrap_or(1),
        day: u8::try_from(day).unwrap_or(1),
        millis_of_day: millis.rem_euclid(MILLIS_PER_DAY),
        epoch_day,
    }
}

/// Days since the epoch of a date; the month may lie outside of 1 to 12 and the day outside of the
/// month, and roll over as in a lenient Java calendar.
pub fn epoch_day(year: i64, month: i64, day: i64) -> i64 {
    let gregorian = gregorian_day(year, month, day);
    if gregorian >= GREGORIAN_START {
        return gregorian;
    }
    julian_day(year, month, day)
}

/// Days since the epoch of a date of the Gregorian calendar, also before there was one; months and days
/// roll over.
pub(super) fn gregorian_day(year: i64, month: i64, day: i64) -> i64 {
    let (year, of_year) = from_march(year, month, day);
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + of_year - GREGORIAN_ERA
}

/// As [`gregorian_day`], of the Julian calendar.
pub(super) fn julian_day(year: i64, month: i64, day: i64) -> i64 {
    let (year, of_year) = from_march(year, month, day);
    year * 365 + year.div_euclid(4) + of_year - JULIAN_ERA
}

/// The year that began in March, and days since then.
fn from_march(year: i64, month: i64, day: i64) -> (i64, i64) {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    (year, (153 * month_from_march + 2) / 5 + day - 1)
}

/// The zone's offset from UTC at an instant, in milliseconds, and its short name.
fn offset_at(zone: &TimeZone, millis: i64) -> (i64, String) {
    let clamped = millis.clamp(
        Timestamp::MIN.as_millisecond() + 1,
        Timestamp::MAX.as_millisecond() - 1,
    );
    let Ok(instant) = Timestamp::from_millisecond(clamped) else {
        return (0, "UTC".to_owned());
    };
    let info = zone.to_offset_info(instant);
    let offset = i64::from(info.offset().seconds()) * 1000;
    (offset, info.abbreviation().to_owned())
}

/// Milliseconds since the epoch of a wall clock's time given as milliseconds since its epoch.
pub fn from_local(zone: &TimeZone, local_millis: i64) -> i64 {
    let (first, _) = offset_at(zone, local_millis);
    let (offset, _) = offset_at(zone, local_millis.saturating_sub(first));
    local_millis.saturating_sub(offset)
}

/// What a wall clock of `zone` shows.
pub fn to_local(zone: &TimeZone, millis: i64) -> Civil {
    civil(millis.saturating_add(offset_at(zone, millis).0))
}

/// `java.util.Date.toString`: `Thu Jan 01 00:00:00 UTC 1970`.
pub fn append_date_to_string(zone: &TimeZone, millis: i64, out: &mut Vec<u8>) {
    let (offset, name) = offset_at(zone, millis);
    let at = civil(millis.saturating_add(offset));
    let weekday = usize::try_from(at.epoch_day.rem_euclid(7)).unwrap_or(0);
    let month = usize::from(at.month.max(1) - 1);
    let seconds = at.millis_of_day / 1000;
    let year = if at.year > 0 { at.year } else { 1 - at.year };
    write_infallibly(
        out,
        format_args!(
            "{} {} {:02} {:02}:{:02}:{:02} {name} {year}",
            DAYS.get(weekday).unwrap_or(&""),
            MONTHS.get(month).unwrap_or(&""),
            at.day,
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
        ),
    );
}

/// `yyyy-MM-dd` in `zone`.
pub fn append_iso_date(zone: &TimeZone, millis: i64, out: &mut Vec<u8>) {
    let at = to_local(zone, millis);
    let year = if at.year > 0 { at.year } else { 1 - at.year };
    write_infallibly(out, format_args!("{year:04}-{:02}-{:02}", at.month, at.day));
}

/// `HH:mm:ss.SSS'Z'` in `zone`.
pub fn append_iso_time(zone: &TimeZone, millis: i64, out: &mut Vec<u8>) {
    let of_day = to_local(zone, millis).millis_of_day;
    write_infallibly(
        out,
        format_args!(
            "{:02}:{:02}:{:02}.{:03}Z",
            of_day / 3_600_000,
            of_day / 60_000 % 60,
            of_day / 1000 % 60,
            of_day % 1000
        ),
    );
}

fn write_infallibly(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}
