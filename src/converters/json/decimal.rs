//! Short numbers with decimals, which need no general parser.

use super::parser::{Kind, View};
use super::reader::parse_double;

/// Powers of ten that are doubles.
const TENS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// The double of a number with fraction or exponent; 0 for anything else.
#[inline]
pub(crate) fn fraction(view: View<'_>, at: usize) -> f64 {
    if view.kind(at) != Kind::Fraction {
        return 0.0;
    }
    let text = view.fraction(at);
    short(text.as_bytes()).unwrap_or_else(|| parse_double(text))
}

/// A number of at most 15 digits without exponent: digits and power of ten are doubles, so their quotient,
/// which is rounded once, is the nearest one. Zero has no sign, as in [`parse_double`].
#[inline]
fn short(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.len() > TENS.len() {
        return None;
    }
    let mut number = 0u64;
    let mut decimals = 0;
    let mut step = 0;
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte & 0x0f);
                decimals += step;
            }
            b'.' => step = 1,
            _ => return None,
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "below 10^15")]
    let number = number as f64 / TENS.get(decimals)?;
    Some(match digits.len() < text.len() && number != 0.0 {
        true => -number,
        false => number,
    })
}

#[cfg(test)]
mod tests {
    use super::{parse_double, short};

    #[test]
    fn short_decimals_are_the_doubles_that_the_general_parser_gives() {
        let mut state = 431usize;
        let mut taken = 0;
        for round in 0..200_000usize {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let digits = (state >> 13).to_string();
            let digits = &digits[..1 + round % 15 % digits.len()];
            let point = 1 + (state >> 3) % digits.len();
            let sign = if state & 4 == 0 { "-" } else { "" };
            let text = format!("{sign}{}.{}", &digits[..point], &digits[point..]);
            let text = if text.ends_with('.') {
                text + "0"
            } else {
                text
            };
            if let Some(number) = short(text.as_bytes()) {
                taken += 1;
                assert_eq!(number.to_bits(), parse_double(&text).to_bits(), "{text}");
            }
        }
        assert!(taken > 150_000, "{taken}");
        for other in [
            "1e3",
            "-0.0",
            "0.000000000000001",
            "1.5E400",
            "12345678.12345678",
        ] {
            let expected = parse_double(other).to_bits();
            let known = short(other.as_bytes()).map_or(expected, f64::to_bits);
            assert_eq!(known, expected, "{other}");
        }
    }
}
