//! Texts in windows of 64 bytes on CPUs that can squeeze bytes together (AVX-512 VBMI2: Intel since Ice
//! Lake, AMD since Zen 4). One comparison finds all quotes of a window and one instruction moves what
//! stands between them, so the time does not depend on how many there are. `window` does the same for
//! every other CPU; tests hold the two against each other.

use std::arch::x86_64::{
    __m512i, _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask, _mm512_cmplt_epi8_mask,
    _mm512_cvtepu8_epi16, _mm512_extracti64x4_epi64, _mm512_maskz_compress_epi8, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_set1_epi16, _mm512_slli_epi16, _pdep_u64,
};

/// Bytes that are looked at together.
const WIDTH: usize = 64;
/// Every second bit, from the lowest on.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// Why a text was not done to its end.
pub(super) enum Stop {
    /// The closing quote is at this place.
    Closed(usize),
    /// From this place on it needs a closer look: control characters, bytes beyond ASCII, escapes
    /// other than those of quote, backslash and slash.
    Look(usize),
    /// The text has no closing quote.
    Open,
}

/// Whether this CPU has what the functions here need.
#[inline]
pub(super) fn available() -> bool {
    // The standard library asks the CPU once.
    is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("bmi2")
}

/// Appends the text that `bytes` begin with, after its opening quote, with its escapes undone.
#[inline]
pub(super) fn unescape(bytes: &[u8], out: &mut Vec<u8>) -> Stop {
    assert!(available());
    // SAFETY: the CPU has the features; that was just asserted.
    #[allow(unsafe_code, reason = "calls code for a CPU that was asked about")]
    unsafe {
        unescape_on(bytes, out)
    }
}

/// Appends `text` with a backslash before each quote and backslash. Gives how much of it was done: less
/// than all when there is a control character or a byte beyond ASCII within the next window.
#[inline]
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    assert!(available());
    // SAFETY: the CPU has the features; that was just asserted.
    #[allow(unsafe_code, reason = "calls code for a CPU that was asked about")]
    unsafe {
        escape_on(text, out)
    }
}

/// What a window holds, a bit per byte.
struct Marks {
    quotes: u64,
    backslashes: u64,
    /// Control characters and bytes beyond ASCII.
    odd: u64,
}

impl Marks {
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn of(window: __m512i) -> Self {
        Self {
            quotes: _mm512_cmpeq_epi8_mask(window, _mm512_set1_epi8(0x22)),
            backslashes: _mm512_cmpeq_epi8_mask(window, _mm512_set1_epi8(0x5c)),
            // Signed: bytes beyond ASCII are negative.
            odd: _mm512_cmplt_epi8_mask(window, _mm512_set1_epi8(0x20)),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
fn unescape_on(bytes: &[u8], out: &mut Vec<u8>) -> Stop {
    let mut buffer = [0; WIDTH];
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let (window, len) = load(rest, &mut buffer);
        let marks = Marks::of(window);
        let starts = escape_starts(marks.backslashes);
        let escaped = starts << 1;
        let end = (marks.quotes & !escaped).trailing_zeros() as usize;
        // An escape whose second byte is in the next window begins that window.
        let whole = WIDTH - (starts >> (WIDTH - 1)) as usize;
        let limit = end.min(len).min(whole);
        let within = below(limit);
        let itself = marks.quotes
            | marks.backslashes
            | _mm512_cmpeq_epi8_mask(window, _mm512_set1_epi8(0x2f));
        if (marks.odd | (escaped & !itself)) & within != 0 {
            return Stop::Look(at);
        }
        append(window, within & !starts, out);
        at += limit;
        if end == limit && end < len {
            return Stop::Closed(at);
        }
    }
    Stop::Open
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
fn escape_on(text: &[u8], out: &mut Vec<u8>) -> usize {
    let mut buffer = [0; WIDTH];
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (window, len) = load(rest, &mut buffer);
        let marks = Marks::of(window);
        if marks.odd & below(len) != 0 {
            return at;
        }
        let special = marks.quotes | marks.backslashes;
        if special & below(len) == 0 {
            append(window, below(len), out);
        } else {
            let halves = [
                _mm512_castsi512_si256(window),
                _mm512_extracti64x4_epi64::<1>(window),
            ];
            for (half, from) in halves.into_iter().zip([0, WIDTH / 2]) {
                // Each byte behind a backslash of its own, which is then kept or left out.
                let behind = _mm512_slli_epi16::<8>(_mm512_cvtepu8_epi16(half));
                let pairs = _mm512_or_si512(behind, _mm512_set1_epi16(0x5c));
                let kept = !EVEN | _pdep_u64(special >> from, EVEN);
                let here = len.saturating_sub(from).min(WIDTH / 2);
                append(pairs, kept & below(2 * here), out);
            }
        }
        at += len;
    }
    at
}

/// The backslashes that begin an escape, in a window that does not begin inside of one.
#[inline]
fn escape_starts(backslashes: u64) -> u64 {
    if backslashes & (backslashes << 1) == 0 {
        return backslashes;
    }
    let mut starts = 0;
    let mut left = backslashes;
    while left != 0 {
        let first = left & left.wrapping_neg();
        starts |= first;
        left &= !(first | first << 1);
    }
    starts
}

/// The lowest `count` bits.
#[inline]
fn below(count: usize) -> u64 {
    match count {
        0 => 0,
        _ => u64::MAX >> (WIDTH - count),
    }
}

/// Appends the bytes whose bit is set.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
#[inline]
fn append(window: __m512i, kept: u64, out: &mut Vec<u8>) {
    let packed = _mm512_maskz_compress_epi8(kept, window);
    // SAFETY: both are 64 bytes without padding, and any bytes make a valid array.
    #[allow(unsafe_code, reason = "a register's bytes")]
    let packed: [u8; WIDTH] = unsafe { std::mem::transmute(packed) };
    let len = out.len() + kept.count_ones() as usize;
    // A whole window costs less than as many bytes as are needed.
    out.extend_from_slice(&packed);
    out.truncate(len);
}

/// The next window and how many of its bytes are text; the rest are spaces.
#[target_feature(enable = "avx512f")]
#[inline]
fn load(rest: &[u8], buffer: &mut [u8; WIDTH]) -> (__m512i, usize) {
    let (bytes, len) = match rest.first_chunk::<WIDTH>() {
        Some(bytes) => (bytes, WIDTH),
        None => {
            *buffer = [b' '; WIDTH];
            buffer[..rest.len()].copy_from_slice(rest);
            (&*buffer, rest.len())
        }
    };
    // SAFETY: both are 64 bytes, and any bytes make a valid register.
    #[allow(unsafe_code, reason = "a register's bytes")]
    let window = unsafe { std::mem::transmute::<[u8; WIDTH], __m512i>(*bytes) };
    (window, len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::escape::{append_quoted_by_window, unescape_by_window};
    use super::*;

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            6 => 0x20u8..0x7f,
            3 => Just(b'"'),
            2 => Just(b'\\'),
            1 => Just(b'/'),
        ];
        let rare = prop_oneof![200 => byte, 1 => any::<u8>(), 1 => Just(b'n'), 1 => Just(b'u')];
        prop::collection::vec(rare, 0..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn escapes_as_the_portable_windows_do(text in texts()) {
            if !available() {
                // This CPU takes the portable windows only.
                return Ok(());
            }
            let mut portable = Vec::new();
            append_quoted_by_window(&text, &mut portable);
            let mut quoted = b"\"".to_vec();
            let done = escape(&text, &mut quoted);
            prop_assert!(done == text.len() || text[done..].iter().take(WIDTH).any(|b| !(0x20..0x80).contains(b)));
            quoted.push(b'"');
            if done == text.len() {
                prop_assert_eq!(quoted, portable);
            } else {
                prop_assert!(portable.starts_with(&quoted[..quoted.len() - 1]));
            }
        }

        #[test]
        fn unescapes_as_the_portable_windows_do(text in texts()) {
            if !available() {
                // This CPU takes the portable windows only.
                return Ok(());
            }
            let mut portable = Vec::new();
            let end = unescape_by_window(&text, &mut portable);
            let mut out = Vec::new();
            match unescape(&text, &mut out) {
                Stop::Closed(at) => {
                    prop_assert_eq!(end, Some(at + 1));
                    prop_assert_eq!(out, portable);
                }
                Stop::Look(at) => {
                    let seen = &text[at..text.len().min(at + WIDTH)];
                    prop_assert!(seen.iter().any(|b| !(0x20..0x80).contains(b) || *b == b'\\'));
                    let rest = unescape_by_window(&text[at..], &mut out);
                    prop_assert_eq!(end, rest.map(|rest| rest + at));
                    if end.is_some() {
                        prop_assert_eq!(out, portable);
                    }
                }
                Stop::Open => prop_assert_eq!(end, None),
            }
        }
    }
}
