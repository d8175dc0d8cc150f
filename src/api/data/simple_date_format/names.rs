//! English names of eras, months, days and time zones, as Java has them for the locales `en` and
//! `en_US`.

pub(super) const ERAS: [&str; 2] = ["BC", "AD"];
pub(super) const AM_PM: [&str; 2] = ["AM", "PM"];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Sunday, as Java counts.
pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
pub(super) const UTC: &str = "UTC";
pub(super) const UTC_LONG: &str = "Coordinated Universal Time";

/// Zones that texts name and their offset from UTC in minutes, in Java's order: the first that a text
/// begins with counts. Java knows some 600 names; these are the ones that are written.
pub(super) const ZONES: [(&str, i32); 36] = [
    (UTC_LONG, 0),
    (UTC, 0),
    ("Pacific Standard Time", -480),
    ("PST", -480),
    ("Pacific Daylight Time", -420),
    ("PDT", -420),
    ("Mountain Standard Time", -420),
    ("MST", -420),
    ("Mountain Daylight Time", -360),
    ("MDT", -360),
    ("Central Standard Time", -360),
    ("CST", -360),
    ("Central Daylight Time", -300),
    ("CDT", -300),
    ("Eastern Standard Time", -300),
    ("EST", -300),
    ("Eastern Daylight Time", -240),
    ("EDT", -240),
    ("HST", -600),
    ("AKST", -540),
    ("AKDT", -480),
    ("AST", -240),
    ("ADT", -180),
    ("NST", -210),
    ("NDT", -150),
    ("Central European Standard Time", 60),
    ("CET", 60),
    ("Central European Summer Time", 120),
    ("CEST", 120),
    ("Greenwich Mean Time", 0),
    ("GMT", 0),
    ("IST", 120),
    ("IDT", 180),
    ("JST", 540),
    ("EET", 120),
    ("EEST", 180),
];

/// The three letters that stand for a month or day.
pub(super) fn short(name: &'static str) -> &'static str {
    name.get(..3).unwrap_or(name)
}
