//! Texts in windows of 64 bytes on CPUs with vector instructions that move bytes together. A few
//! comparisons find all quotes of a window and what stands between them moves without a branch, so the
//! time does not depend on how many there are. The module `window` does the same for every other CPU;
//! tests hold them against each other.

mod avx2;
mod avx512;
mod sse2;

use super::scan::Chunk;

/// Bytes that are looked at together.
const WIDTH: usize = 64;
/// The bytes that are looked at together.
type Window = [u8; WIDTH];

/// As `portable` in `scan` has it.
#[inline]
pub(super) fn stops<const ASCII: bool>(chunk: &Chunk) -> u32 {
    // SAFETY: every CPU of this architecture has SSE2.
    #[allow(unsafe_code, reason = "calls code for what every CPU has")]
    unsafe {
        sse2::stops::<ASCII>(chunk)
    }
}

/// As `portable` in `scan` has it.
#[inline]
pub(super) fn others(chunk: &Chunk) -> u32 {
    // SAFETY: every CPU of this architecture has SSE2.
    #[allow(unsafe_code, reason = "calls code for what every CPU has")]
    unsafe {
        sse2::others(chunk)
    }
}

/// As `portable` in `scan` has it.
#[inline]
pub(super) fn equal(chunk: &Chunk, other: &Chunk) -> u32 {
    // SAFETY: every CPU of this architecture has SSE2.
    #[allow(unsafe_code, reason = "calls code for what every CPU has")]
    unsafe {
        sse2::equal(chunk, other)
    }
}

/// The bytes as a text, if they are ASCII. On short ones it takes a third of the time that looking for
/// UTF-8 takes, which goes byte by byte up to an aligned one.
#[inline]
pub(super) fn ascii(bytes: &[u8]) -> Option<&str> {
    if !bytes.is_ascii() {
        return None;
    }
    // SAFETY: ASCII is UTF-8.
    #[allow(unsafe_code, reason = "the standard library has no other way")]
    Some(unsafe { std::str::from_utf8_unchecked(bytes) })
}

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

/// Vector instructions that this CPU has: a value is there only if the CPU was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vectors(Level);

#[derive(Clone, Copy, Debug)]
enum Level {
    Avx2,
    Avx512,
}

impl Vectors {
    /// The best that this CPU has, if any. The standard library asks it once.
    #[inline]
    pub(super) fn of_this_cpu() -> Option<Self> {
        if avx512::available() {
            return Some(Self(Level::Avx512));
        }
        avx2::available().then_some(Self(Level::Avx2))
    }

    /// Appends the text that `bytes` begin with, after its opening quote, with its escapes undone.
    #[inline]
    pub(super) fn unescape(self, bytes: &[u8], out: &mut Vec<u8>) -> Stop {
        #[allow(unsafe_code, reason = "calls code for a CPU that was asked about")]
        match self.0 {
            // SAFETY: the CPU has the features, or there would be no such value.
            Level::Avx2 => unsafe { avx2::unescape(bytes, out) },
            // SAFETY: as above.
            Level::Avx512 => unsafe { avx512::unescape(bytes, out) },
        }
    }

    /// Appends `text` with a backslash before each quote and backslash. Gives how much of it was done:
    /// less than all when there is a control character or a byte beyond ASCII within the next window.
    #[inline]
    pub(super) fn escape(self, text: &[u8], out: &mut Vec<u8>) -> usize {
        #[allow(unsafe_code, reason = "calls code for a CPU that was asked about")]
        match self.0 {
            // SAFETY: the CPU has the features, or there would be no such value.
            Level::Avx2 => unsafe { avx2::escape(text, out) },
            // SAFETY: as above.
            Level::Avx512 => unsafe { avx512::escape(text, out) },
        }
    }
}

/// What a window holds, a bit per byte.
struct Marks {
    quotes: u64,
    backslashes: u64,
    slashes: u64,
    /// Control characters and bytes beyond ASCII.
    odd: u64,
}

impl Marks {
    /// Of the bytes after the first `count`.
    #[inline]
    fn without_first(self, count: usize) -> Self {
        Self {
            quotes: self.quotes >> count,
            backslashes: self.backslashes >> count,
            slashes: self.slashes >> count,
            odd: self.odd >> count,
        }
    }
}

/// [`Vectors::unescape`] by `marks`, which looks at a window, and `append`, which appends the bytes of a
/// window whose bit is set.
#[inline(always)]
#[allow(clippy::inline_always, reason = "takes its caller's CPU features over")]
fn unescape_windows(
    bytes: &[u8],
    out: &mut Vec<u8>,
    marks: impl Fn(&Window) -> Marks,
    append: impl Fn(&Window, u64, &mut Vec<u8>),
) -> Stop {
    let mut buffer = [0; WIDTH];
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let len = rest.len().min(WIDTH);
        // The last window of a longer text begins with bytes that are done already.
        let (window, done) = match (rest.first_chunk(), bytes.last_chunk()) {
            (Some(window), _) => (window, 0),
            (None, Some(window)) => (window, WIDTH - len),
            (None, None) => (padded(rest, &mut buffer), 0),
        };
        let marks = marks(window).without_first(done);
        let starts = escape_starts(marks.backslashes);
        let escaped = starts << 1;
        let end = (marks.quotes & !escaped).trailing_zeros() as usize;
        // An escape whose second byte is in the next window begins that window.
        let whole = WIDTH - (starts >> (WIDTH - 1)) as usize;
        let limit = end.min(len).min(whole);
        let within = below(limit);
        let itself = marks.quotes | marks.backslashes | marks.slashes;
        if (marks.odd | (escaped & !itself)) & within != 0 {
            return Stop::Look(at);
        }
        append(window, (within & !starts) << done, out);
        at += limit;
        if end == limit && end < len {
            return Stop::Closed(at);
        }
    }
    Stop::Open
}

/// [`Vectors::escape`] by `marks`, which looks at a window, and `put_backslashes`, which appends as much
/// of a window as it is told with a backslash before each byte whose bit is set.
#[inline(always)]
#[allow(clippy::inline_always, reason = "takes its caller's CPU features over")]
fn escape_windows(
    text: &[u8],
    out: &mut Vec<u8>,
    marks: impl Fn(&Window) -> Marks,
    put_backslashes: impl Fn(&Window, u64, usize, &mut Vec<u8>),
) -> usize {
    let mut buffer = [0; WIDTH];
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = rest.len().min(WIDTH);
        let window = match rest.first_chunk() {
            Some(window) => window,
            None => padded(rest, &mut buffer),
        };
        let marks = marks(window);
        if marks.odd & below(len) != 0 {
            return at;
        }
        let special = (marks.quotes | marks.backslashes) & below(len);
        if special == 0 {
            // A whole window costs less than as many bytes as are needed.
            let end = out.len() + len;
            out.extend_from_slice(window);
            out.truncate(end);
        } else {
            put_backslashes(window, special, len, out);
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

/// A window of less than [`WIDTH`] bytes of text and spaces behind it.
#[inline]
fn padded<'a>(text: &[u8], buffer: &'a mut Window) -> &'a Window {
    *buffer = [b' '; WIDTH];
    buffer[..text.len()].copy_from_slice(text);
    buffer
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

    /// Texts as they stand in JSON, long ones too, up to and with their closing quote.
    fn quoted() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            12 => (0x23u8..0x5b).prop_map(|byte| vec![byte]),
            1 => Just(b"\\\"".to_vec()),
            1 => Just(b"\\\\".to_vec()),
            1 => Just(b"\\/".to_vec()),
        ];
        let close = |pieces: Vec<Vec<u8>>| [pieces.concat(), b"\"".to_vec()].concat();
        prop::collection::vec(piece, 0..300).prop_map(close)
    }

    /// What this CPU can do; nothing on those that take the portable windows only.
    fn available() -> impl Iterator<Item = Vectors> {
        let levels = [
            (avx2::available(), Level::Avx2),
            (avx512::available(), Level::Avx512),
        ];
        let available = levels.into_iter().filter(|(available, _)| *available);
        available.map(|(_, level)| Vectors(level))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn escapes_as_the_portable_windows_do(text in texts()) {
            let mut portable = Vec::new();
            append_quoted_by_window(&text, &mut portable);
            for vectors in available() {
                let mut quoted = b"\"".to_vec();
                let done = vectors.escape(&text, &mut quoted);
                prop_assert!(done == text.len() || text[done..].iter().take(WIDTH).any(|b| !(0x20..0x80).contains(b)));
                quoted.push(b'"');
                if done == text.len() {
                    prop_assert_eq!(&quoted, &portable);
                } else {
                    prop_assert!(portable.starts_with(&quoted[..quoted.len() - 1]));
                }
            }
        }

        #[test]
        fn whole_texts_are_unescaped_up_to_their_closing_quote(text in quoted(), after in texts()) {
            let mut portable = Vec::new();
            prop_assert_eq!(unescape_by_window(&text, &mut portable), Some(text.len()));
            for vectors in available() {
                for input in [text.clone(), [&text[..], &after[..]].concat()] {
                    let mut out = b"before".to_vec();
                    let stop = vectors.unescape(&input, &mut out);
                    prop_assert!(matches!(stop, Stop::Closed(at) if at == text.len() - 1));
                    prop_assert_eq!(&out[6..], &portable[..]);
                }
            }
        }

        #[test]
        fn unescapes_as_the_portable_windows_do(text in texts()) {
            let mut portable = Vec::new();
            let end = unescape_by_window(&text, &mut portable);
            for vectors in available() {
                let mut out = Vec::new();
                match vectors.unescape(&text, &mut out) {
                    Stop::Closed(at) => {
                        prop_assert_eq!(end, Some(at + 1));
                        prop_assert_eq!(&out, &portable);
                    }
                    Stop::Look(at) => {
                        let seen = &text[at..text.len().min(at + WIDTH)];
                        prop_assert!(seen.iter().any(|b| !(0x20..0x80).contains(b) || *b == b'\\'));
                        let rest = unescape_by_window(&text[at..], &mut out);
                        prop_assert_eq!(end, rest.map(|rest| rest + at));
                        if end.is_some() {
                            prop_assert_eq!(&out, &portable);
                        }
                    }
                    Stop::Open => prop_assert_eq!(end, None),
                }
            }
        }
    }
}
