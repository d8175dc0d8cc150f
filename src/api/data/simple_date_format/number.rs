//! Numbers as Java's `NumberFormat` for whole numbers reads them, which is what a date's text is read
//! with: `2E3` is 2000, `∞` the largest number and `NaN` zero.

use super::text::Units;
use crate::api::data::values::number::digit;

/// The number that begins at `start`, and where it ends. What lies beyond 64 bits is the largest or
/// smallest of 32 bits, the rest wraps.
pub(super) fn parse<T: Units + ?Sized>(text: &T, start: usize, end: usize) -> Option<(i32, usize)> {
    if matches_at(text, start, end, "NaN") {
        return Some((0, start + 3));
    }
    let negative = text.unit(start) == Some(u16::from(b'-')) && start < end;
    let from = start + usize::from(negative);
    if matches_at(text, from, end, "\u{221e}") {
        return Some((if negative { i32::MIN } else { i32::MAX }, from + 1));
    }
    let (magnitude, at) = digits(text, from, end)?;
    let (magnitude, at) = match exponent(text, at, end) {
        None => (magnitude, at),
        Some((exponent, after)) => (scaled(text, from, at, exponent), after),
    };
    Some((narrow(magnitude, negative), at))
}

/// At least one digit; saturates.
fn digits<T: Units + ?Sized>(text: &T, from: usize, end: usize) -> Option<(u128, usize)> {
    let mut at = from;
    let mut value = 0u128;
    while at < end
        && let Some(next) = digit_at(text, at)
    {
        value = value.saturating_mul(10).saturating_add(u128::from(next));
        at += 1;
    }
    (at > from).then_some((value, at))
}

/// The exponent that begins at `at`, and where it ends.
fn exponent<T: Units + ?Sized>(text: &T, at: usize, end: usize) -> Option<(i32, usize)> {
    if !matches_at(text, at, end, "E") {
        return None;
    }
    let negative = matches_at(text, at + 1, end, "-");
    let (magnitude, after) = digits(text, at + 1 + usize::from(negative), end)?;
    let magnitude = i64::try_from(magnitude).ok()?;
    let exponent = if negative { -magnitude } else { magnitude };
    #[expect(clippy::cast_possible_truncation, reason = "Java's cast wraps")]
    let exponent = exponent as i32;
    Some((exponent, after))
}

/// The digits from `from` to `to`, moved by a decimal exponent; fractions are cut off.
fn scaled<T: Units + ?Sized>(text: &T, from: usize, to: usize, exponent: i32) -> u128 {
    let digits: Vec<u8> = (from..to)
        .filter_map(|at| digit_at(text, at))
        .skip_while(|digit| *digit == 0)
        .collect();
    if digits.is_empty() {
        return 0;
    }
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let Ok(whole) = usize::try_from(length.wrapping_add(exponent)) else {
        return 0;
    };
    if whole > 20 {
        return u128::MAX;
    }
    let padded = digits.into_iter().chain(std::iter::repeat(0));
    padded
        .take(whole)
        .fold(0, |value, digit| value * 10 + u128::from(digit))
}

fn narrow(magnitude: u128, negative: bool) -> i32 {
    let limit = i64::MAX.unsigned_abs();
    match u64::try_from(magnitude) {
        Ok(small) if small <= limit + u64::from(negative) => {
            #[expect(clippy::cast_possible_truncation, reason = "Java's `intValue` wraps")]
            let wrapped = small as u32;
            let value = wrapped.cast_signed();
            if negative {
                value.wrapping_neg()
            } else {
                value
            }
        }
        _ if negative => i32::MIN,
        _ => i32::MAX,
    }
}

pub(super) fn digit_at<T: Units + ?Sized>(text: &T, at: usize) -> Option<u8> {
    let unit = text.unit(at)?;
    if unit < 0x80 {
        return u8::try_from(unit)
            .ok()
            .filter(u8::is_ascii_digit)
            .map(|byte| byte - b'0');
    }
    char::from_u32(u32::from(unit)).and_then(digit)
}

fn matches_at<T: Units + ?Sized>(text: &T, at: usize, end: usize, expected: &str) -> bool {
    let mut places = (at..end).map(|at| text.unit(at));
    expected
        .encode_utf16()
        .all(|unit| places.next() == Some(Some(unit)))
}
