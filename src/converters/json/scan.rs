//! Where texts and numbers end, and whether bytes begin with known ones: sixteen bytes at a time.

#[cfg(not(target_arch = "x86_64"))]
use self::portable::{equal, others, stops};
#[cfg(target_arch = "x86_64")]
use super::wide::{equal, others, stops};

/// Bytes that are looked at together.
pub(super) type Chunk = [u8; CHUNK];

const CHUNK: usize = 16;

/// Position of the first quote, backslash or control character from `at` on, or with `ASCII` of the first
/// byte beyond ASCII if that comes earlier; the length if there is none.
#[inline]
pub(super) fn text_end<const ASCII: bool>(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, stops::<ASCII>)
}

/// How many ASCII digits there are from `at` on.
#[inline]
pub(super) fn digits(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, others) - at
}

/// Position of the first byte from `at` on for which `marks` sets a bit; the end if there is none.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "a call costs more than most texts take"
)]
fn find(bytes: &[u8], mut at: usize, marks: impl Fn(&Chunk) -> u32) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = marks(chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += CHUNK;
    }
    at + find_at_end(bytes, at, marks).unwrap_or(bytes.len().saturating_sub(at))
}

/// As [`find`] where less than a chunk is left, counted from `at`.
#[inline]
fn find_at_end(bytes: &[u8], at: usize, marks: impl Fn(&Chunk) -> u32) -> Option<usize> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let found = match bytes.last_chunk() {
        // The last chunk begins with bytes that are done already.
        Some(chunk) => marks(chunk) >> (CHUNK - rest.len()),
        None => {
            let mut padded = [b'"'; CHUNK];
            padded.get_mut(..rest.len())?.copy_from_slice(rest);
            marks(&padded) & ((1 << rest.len()) - 1)
        }
    };
    (found != 0).then(|| found.trailing_zeros() as usize)
}

/// Bytes to compare others with, the first sixteen at once: calls of `memcmp` cost more than most names
/// take.
#[derive(Debug)]
pub(super) struct Literal {
    bytes: Box<[u8]>,
    head: Chunk,
    /// A bit for each of the bytes that are in `head`.
    mask: u32,
}

impl Literal {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut head = [0; CHUNK];
        let len = bytes.len().min(CHUNK);
        head[..len].copy_from_slice(&bytes[..len]);
        Self {
            bytes: bytes.into(),
            head,
            mask: (1 << len) - 1,
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether `rest` begins with it.
    #[inline]
    pub(super) fn begins(&self, rest: &[u8]) -> bool {
        match (rest.first_chunk(), &*self.bytes) {
            (Some(chunk), bytes) => {
                equal(chunk, &self.head) & self.mask == self.mask
                    && (bytes.len() <= CHUNK || rest.starts_with(bytes))
            }
            (None, [only]) => rest.first() == Some(only),
            (None, bytes) => rest.starts_with(bytes),
        }
    }
}

/// What vector instructions do elsewhere: a bit for each byte that is something, from the lowest on.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::Chunk;

    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES * 0x80;
    const LOWS: u64 = ONES * 0x7f;

    /// Bytes that a text does not simply go on over: quotes, backslashes, control characters, with `ASCII`
    /// bytes beyond it.
    #[inline]
    pub(super) fn stops<const ASCII: bool>(chunk: &Chunk) -> u32 {
        bits(chunk, |word| {
            let plain = differs(word, 0x22)
                & differs(word, 0x5c)
                & ((word & LOWS).wrapping_add(ONES * 0x60) | word);
            !plain | if ASCII { word } else { 0 }
        })
    }

    /// Bytes that are no ASCII digits.
    #[inline]
    pub(super) fn others(chunk: &Chunk) -> u32 {
        bits(chunk, |word| {
            let digits = word ^ (ONES * 0x30);
            (digits & LOWS).wrapping_add(ONES * 0x76) | digits
        })
    }

    /// Bytes that are the same as in the other chunk.
    #[inline]
    pub(super) fn equal(chunk: &Chunk, other: &Chunk) -> u32 {
        let difference = u128::from_le_bytes(*chunk) ^ u128::from_le_bytes(*other);
        bits(&difference.to_le_bytes(), |word| !differs(word, 0))
    }

    /// High bits of the bytes that are not this one. No carry leaves a byte.
    #[inline]
    fn differs(word: u64, byte: u64) -> u64 {
        let difference = word ^ (ONES * byte);
        (difference & LOWS).wrapping_add(LOWS) | difference
    }

    /// The high bits of what `marks` makes of eight bytes each.
    #[inline]
    fn bits(chunk: &Chunk, marks: impl Fn(u64) -> u64) -> u32 {
        let (words, _) = chunk.as_chunks::<8>();
        words.iter().rev().fold(0, |bits, word| {
            let marks = marks(u64::from_le_bytes(*word)) & HIGHS;
            // Gathers the eight high bits in the top byte.
            let gathered = (marks >> 7)
                .wrapping_mul(0x0102_0408_1020_4080)
                .to_be_bytes();
            bits << 8 | u32::from(gathered[0])
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            20 => 0x20u8..0x7f,
            20 => Just(b'7'),
            1 => any::<u8>(),
            1 => prop::sample::select(vec![0, 0x1f, 0x21, 0x22, 0x5c, 0x7f, 0x80, 0xa2, 0xdc, 0xff]),
        ];
        prop::collection::vec(byte, 0..70)
    }

    fn slow_end(bytes: &[u8], at: usize, ascii: bool) -> usize {
        let stops =
            |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\' || (ascii && *byte >= 0x80);
        at + bytes[at..].iter().take_while(|byte| !stops(byte)).count()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn texts_end_where_a_search_byte_by_byte_ends_them(
            bytes in bytes(), at in any::<prop::sample::Index>()
        ) {
            let at = at.index(bytes.len() + 1);
            prop_assert_eq!(text_end::<false>(&bytes, at), slow_end(&bytes, at, false));
            prop_assert_eq!(text_end::<true>(&bytes, at), slow_end(&bytes, at, true));
        }

        #[test]
        fn every_cpu_finds_the_same(chunk: Chunk, other: Chunk, same in 0..CHUNK) {
            prop_assert_eq!(stops::<false>(&chunk), portable::stops::<false>(&chunk));
            prop_assert_eq!(stops::<true>(&chunk), portable::stops::<true>(&chunk));
            prop_assert_eq!(others(&chunk), portable::others(&chunk));
            let mut like = other;
            like[same..].copy_from_slice(&chunk[same..]);
            prop_assert_eq!(equal(&chunk, &like), portable::equal(&chunk, &like));
        }

        #[test]
        fn literals_begin_what_begins_with_them(
            literal in prop::collection::vec(0x20u8..0x24, 1..40),
            changed in 0usize..40, rest in prop::collection::vec(0x20u8..0x24, 0..20)
        ) {
            let mut text = literal.clone();
            text.extend(rest);
            let known = Literal::new(&literal);
            prop_assert!(known.begins(&text));
            let at = changed % literal.len();
            text[at] ^= 1;
            prop_assert!(!known.begins(&text));
            prop_assert!(!known.begins(&literal[..at]));
        }

        #[test]
        fn digits_are_counted_up_to_the_first_other_byte(
            bytes in bytes(), at in any::<prop::sample::Index>()
        ) {
            let at = at.index(bytes.len() + 1);
            let counted = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            prop_assert_eq!(digits(&bytes, at), counted);
        }
    }

    #[test]
    fn digits_end_at_every_other_byte() {
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
            for count in 0..20 {
                let text = [&vec![b'9'; count][..], &[byte], b"123456789"].concat();
                assert_eq!(digits(&text, 0), count, "{byte} after {count}");
            }
        }
    }
}
