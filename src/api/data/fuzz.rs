//! Damaged texts before what reads values, numbers and dates out of text.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::simple_date_format::SimpleDateFormat;
use super::*;
use crate::fuzz::{bounded, mutated_text, search};

const VALUES: &[&str] = &[
    "{\"a\": [1, 2.5, -3e2], \"b\": {\"c\": null}}",
    "[\"x\\\"y\", \"2024-01-02T03:04:05.678Z\", true]",
    "12345678901234567890.5",
    "23:59:59.999Z",
];

#[test]
fn a_damaged_text_is_a_value_that_prints() {
    search(
        1500,
        || mutated_text(VALUES),
        |text| {
            let parsed = bounded(text.len(), || values::parse(&text, &TimeZone::UTC))?;
            if let Ok(parsed) = parsed {
                let mut out = Vec::new();
                bounded(text.len(), || {
                    values::append(&parsed.value, &TimeZone::UTC, &mut out)
                })?;
            }
            Ok(())
        },
    );
}

const NUMBERS: &[&str] = &[
    "-12345678901234567890.5e-7",
    "1E+3",
    "٣.٤",
    "0x1.8p3",
    "+.5",
    "NaN",
];

#[test]
fn a_damaged_number_is_a_number_or_none() {
    search(
        1500,
        || mutated_text(NUMBERS),
        |text| {
            let parsed = bounded(text.len(), || values::parse_decimal(&text))?;
            if let Some(decimal) = parsed {
                let (long, double) = bounded(text.len(), || {
                    (
                        values::decimal_to_long(&decimal),
                        values::decimal_to_double(&decimal),
                    )
                })?;
                prop_assert!(!double.is_nan(), "{long}");
                let mut out = Vec::new();
                bounded(text.len(), || {
                    text::append(&Value::Decimal(decimal), &mut out)
                })?;
            }
            bounded(text.len(), || java_number::parse_double(&text))?;
            Ok(())
        },
    );
}

const PATTERNS: &[&str] = &[
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "EEE, d MMM yyyy HH:mm:ss Z",
    "yy D F w W u k K h a z '' G L YYYY",
];
const DATES: &[&str] = &[
    "2024-01-02T03:04:05.678+01:00",
    "Tue, 2 Jan 2024 03:04:05 +0100",
    "24 2 1 1 1 2 3 3 3 AM GMT ' AD 1 2024",
];

#[test]
fn a_damaged_pattern_or_date_is_a_moment_or_an_error() {
    let both = || {
        let moment = prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), any::<i64>()];
        (mutated_text(PATTERNS), mutated_text(DATES), moment).boxed()
    };
    search(1500, both, |(pattern, date, moment)| {
        let len = pattern.len() + date.len();
        let Ok(format) = bounded(len, || SimpleDateFormat::new(&pattern, moment))? else {
            return Ok(());
        };
        bounded(len, || format.format(moment))?;
        if let Ok(millis) = bounded(len, || format.parse(&date))? {
            bounded(len, || format.format(millis))?;
        }
        Ok(())
    });
}

#[test]
fn a_damaged_date_is_a_moment_or_an_error_of_a_good_pattern() {
    let both = || {
        let pairs: Vec<_> = PATTERNS.iter().zip(DATES).collect();
        let date = |(pattern, _): (&'static &'static str, _)| (Just(*pattern), mutated_text(DATES));
        prop::sample::select(pairs).prop_flat_map(date).boxed()
    };
    search(800, both, |(pattern, date)| {
        let format = SimpleDateFormat::new(pattern, 1_700_000_000_000).unwrap();
        if let Ok(millis) = bounded(date.len(), || format.parse(&date))? {
            bounded(date.len(), || format.format(millis))?;
        }
        Ok(())
    });
}
