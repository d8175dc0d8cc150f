//! Numbers from text as Java's `Long.parseLong` and `Double.parseDouble` read them, and decimals as
//! Java's narrowing conversions see them.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;

use super::values::number::digit;

/// A sign and digits of any script; `None` for anything else and for what 64 bits do not hold.
pub fn parse_integer(text: &str) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for character in digits.chars() {
        let next = i64::from(digit(character)?);
        let scaled = value.checked_mul(10)?;
        value = if negative {
            scaled.checked_sub(next)?
        } else {
            scaled.checked_add(next)?
        };
    }
    Some(value)
}

/// Java's `Double.parseDouble`: blanks around, a suffix such as `f`, `NaN`, `Infinity` and hexadecimal
/// numbers (`0x1.8p3`) count.
pub fn parse_double(text: &str) -> Option<f64> {
    match classify(text)? {
        Text::Special(value) => Some(value),
        Text::Decimal(text) => text.parse().ok(),
        Text::Hexadecimal(number) => Some(number.round(53, -1074)),
    }
}

/// Java's `Float.parseFloat`, as [`parse_double`].
pub fn parse_float(text: &str) -> Option<f32> {
    match classify(text)? {
        Text::Special(value) => Some(narrow(value)),
        Text::Decimal(text) => text.parse().ok(),
        // Rounded to a float's digits already.
        Text::Hexadecimal(number) => Some(narrow(number.round(24, -149))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the value is a float's")]
fn narrow(value: f64) -> f32 {
    value as f32
}

enum Text<'a> {
    Special(f64),
    Decimal(&'a str),
    Hexadecimal(Hexadecimal),
}

fn classify(text: &str) -> Option<Text<'_>> {
    let text = text.trim_matches(|character: char| character <= ' ');
    let (negative, body) = split_sign(text);
    match body {
        "NaN" => return Some(Text::Special(f64::NAN)),
        "Infinity" if negative => return Some(Text::Special(f64::NEG_INFINITY)),
        "Infinity" => return Some(Text::Special(f64::INFINITY)),
        _ => {}
    }
    let suffix = ['f', 'F', 'd', 'D'];
    if let Some(digits) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        // Digits of the number include `f` and `d`, but behind the exponent they end it.
        let digits = digits.strip_suffix(suffix).unwrap_or(digits);
        return Hexadecimal::parse(digits, negative).map(Text::Hexadecimal);
    }
    let number = text.strip_suffix(suffix).unwrap_or(text);
    let allowed =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    number.bytes().all(allowed).then_some(Text::Decimal(number))
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `mantissa * 2^exponent`, and whether more follows below the mantissa.
struct Hexadecimal {
    negative: bool,
    mantissa: u64,
    inexact: bool,
    exponent: i64,
}

impl Hexadecimal {
    /// `text` is what follows `0x`: digits, perhaps a point, and an exponent.
    fn parse(text: &str, negative: bool) -> Option<Self> {
        let (digits, power) = text.split_once(['p', 'P'])?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (power_negative, power) = split_sign(power);
        if power.is_empty() || !power.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // What does not fit is far beyond every number.
        let power = power.parse::<i32>().unwrap_or(i32::MAX);
        let mut number = Self {
            negative,
            mantissa: 0,
            inexact: false,
            exponent: i64::from(if power_negative { -power } else { power }),
        };
        for character in whole.chars() {
            number.push(character.to_digit(16)?, false);
        }
        for character in fraction.chars() {
            number.push(character.to_digit(16)?, true);
        }
        Some(number)
    }

    fn push(&mut self, digit: u32, is_fraction: bool) {
        if self.mantissa >> 60 == 0 {
            self.mantissa = self.mantissa << 4 | u64::from(digit);
            self.exponent -= 4 * i64::from(is_fraction);
        } else {
            self.inexact |= digit != 0;
            self.exponent += 4 * i64::from(!is_fraction);
        }
    }

    /// Rounded half to even to so many bits, the last of which is at least `2^lowest`.
    fn round(&self, bits: i64, lowest: i64) -> f64 {
        if self.mantissa == 0 {
            return if self.negative { -0.0 } else { 0.0 };
        }
        let length = 64 - i64::from(self.mantissa.leading_zeros());
        let unit = (self.exponent + length - bits).max(lowest);
        let rounded = match u32::try_from(unit - self.exponent) {
            Err(_) if unit < self.exponent => self.mantissa << (self.exponent - unit),
            Ok(shift) if shift <= 64 => round_half_even(self.mantissa, shift, self.inexact),
            _ => 0,
        };
        #[expect(clippy::cast_precision_loss, reason = "at most 53 bits are left")]
        let value = rounded as f64;
        let unit = i32::try_from(unit).unwrap_or(i32::MAX);
        // In two steps, since the power alone may be too small or too large.
        let scaled = value * 2f64.powi(unit / 2) * 2f64.powi(unit - unit / 2);
        if self.negative { -scaled } else { scaled }
    }
}

fn round_half_even(mantissa: u64, shift: u32, inexact: bool) -> u64 {
    let kept = mantissa.checked_shr(shift).unwrap_or(0);
    let Some(half) = 1u64
        .checked_shl(shift.wrapping_sub(1))
        .filter(|_| shift > 0)
    else {
        return kept;
    };
    let rest = mantissa & (half | (half - 1));
    let up = rest > half || (rest == half && (inexact || kept & 1 == 1));
    kept + u64::from(up)
}

/// Java's `BigDecimal.longValue`: the whole part modulo 2^64.
pub fn decimal_to_long(number: &BigDecimal) -> i64 {
    let (unscaled, scale) = number.as_bigint_and_scale();
    // 2^64 divides 10^64.
    if scale <= -64 {
        return 0;
    }
    let digits = i64::try_from(unscaled.magnitude().bits()).unwrap_or(i64::MAX);
    // Fewer bits than decimals: nothing is whole.
    if scale > digits {
        return 0;
    }
    let power = BigInt::from(10).pow(u32::try_from(scale.unsigned_abs()).unwrap_or(0));
    let whole = if scale < 0 {
        &*unscaled * power
    } else {
        &*unscaled / power
    };
    let low = whole.iter_u64_digits().next().unwrap_or(0).cast_signed();
    if whole.sign() == bigdecimal::num_bigint::Sign::Minus {
        low.wrapping_neg()
    } else {
        low
    }
}

/// Java's `BigDecimal.doubleValue`.
pub fn decimal_to_double(number: &BigDecimal) -> f64 {
    scientific(number).parse().unwrap_or(f64::NAN)
}

/// Java's `BigDecimal.floatValue`.
pub fn decimal_to_float(number: &BigDecimal) -> f32 {
    scientific(number).parse().unwrap_or(f32::NAN)
}

fn scientific(number: &BigDecimal) -> String {
    let (unscaled, scale) = number.as_bigint_and_scale();
    format!("{unscaled}e{}", scale.wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_as_in_java() {
        for (text, expected) in [
            (" 1.5f ", Some(1.5)),
            ("1e3D", Some(1000.0)),
            ("+.5", Some(0.5)),
            ("0x1.8p3", Some(12.0)),
            ("-0X.8P1f", Some(-1.0)),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1075", Some(5e-324)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1p99999999999", Some(f64::INFINITY)),
            ("1e99999999999", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("nan", None),
            ("NaNf", None),
            ("0x1", None),
            ("1_0", None),
            ("", None),
            ("f", None),
            (".", None),
            ("\u{663}", None),
        ] {
            assert_eq!(parse_double(text), expected, "{text:?}");
        }
        assert!(parse_double("NaN").unwrap().is_nan());
        assert_eq!(parse_float("0x1.000001p0"), Some(1.0));
        assert_eq!(
            parse_float("0x1.0000018p0").map(f32::to_bits),
            Some(0x3f80_0001)
        );
        assert_eq!(parse_integer("+\u{663}4"), Some(34));
        assert_eq!(parse_integer("-9223372036854775808"), Some(i64::MIN));
        for text in ["", "-", "1 ", "9223372036854775808", "1.0", "0x1"] {
            assert_eq!(parse_integer(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_whole_part_of_a_decimal_wraps() {
        for (text, expected) in [
            ("-1.9", -1),
            ("0.001", 0),
            ("18446744073709551617.5", 1),
            // 2^63 times 5^63, which is odd.
            ("1e63", i64::MIN),
            ("1e70", 0),
            ("1e-2000000000", 0),
        ] {
            let number: BigDecimal = text.parse().unwrap();
            assert_eq!(decimal_to_long(&number), expected, "{text}");
        }
    }
}
