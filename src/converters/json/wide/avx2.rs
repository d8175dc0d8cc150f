//! Windows on CPUs with AVX2 (nearly all since 2015): a byte shuffle, its order taken from a table by
//! a mask of eight bits, moves together what is left of eight bytes, or opens gaps among them.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8, _mm_shuffle_epi8,
    _mm_unpacklo_epi64, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_movemask_epi8,
    _mm256_set1_epi8,
};

use super::{Marks, Stop, WIDTH, Window, escape_windows, unescape_windows};

/// Whether this CPU has what the functions here need.
#[inline]
pub(super) fn available() -> bool {
    // The standard library asks the CPU once.
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("popcnt")
}

#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) fn unescape(bytes: &[u8], out: &mut Vec<u8>) -> Stop {
    unescape_windows(
        bytes,
        out,
        |window| marks(window),
        |window, kept, out| append(window, kept, out),
    )
}

#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    escape_windows(
        text,
        out,
        |window| marks(window),
        |window, special, len, out| put_backslashes(window, special, len, out),
    )
}

#[target_feature(enable = "avx2")]
#[inline]
fn marks(window: &Window) -> Marks {
    // SAFETY: both are 64 bytes, and any bytes make valid registers.
    #[allow(unsafe_code, reason = "a register's bytes")]
    let halves = unsafe { std::mem::transmute::<Window, [__m256i; 2]>(*window) };
    let equal = |byte| mask(halves.map(|half| _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte))));
    Marks {
        quotes: equal(0x22),
        backslashes: equal(0x5c),
        slashes: equal(0x2f),
        // Signed: bytes beyond ASCII are negative.
        odd: mask(halves.map(|half| _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), half))),
    }
}

/// A bit per byte, from the high bit of each.
#[target_feature(enable = "avx2")]
#[inline]
fn mask(halves: [__m256i; 2]) -> u64 {
    let [low, high] = halves.map(|half| u64::from(_mm256_movemask_epi8(half).cast_unsigned()));
    low | high << (WIDTH / 2)
}

/// Appends the bytes whose bit is set.
#[target_feature(enable = "avx2,popcnt")]
#[inline]
fn append(window: &Window, kept: u64, out: &mut Vec<u8>) {
    if kept & kept.wrapping_add(1) == 0 {
        let len = out.len() + kept.count_ones() as usize;
        out.extend_from_slice(window);
        return out.truncate(len);
    }
    // Each eight bytes are written whole; the next ones overwrite what is too much.
    append_words::<{ WIDTH + 8 }, 8>(window, kept, out, |word, kept| {
        let order = _mm_cvtsi64_si128(i64::from_le_bytes(KEPT[usize::from(kept)]));
        let packed = _mm_shuffle_epi8(_mm_cvtsi64_si128(word), order);
        let len = kept.count_ones() as usize;
        (_mm_cvtsi128_si64(packed).to_le_bytes(), len)
    });
}

#[target_feature(enable = "avx2,popcnt")]
#[inline]
fn put_backslashes(window: &Window, special: u64, len: usize, out: &mut Vec<u8>) {
    let end = out.len() + len + special.count_ones() as usize;
    append_words::<{ 2 * WIDTH + 16 }, 16>(window, special, out, |word, special| {
        let with_backslash = _mm_unpacklo_epi64(_mm_cvtsi64_si128(word), _mm_set1_epi8(0x5c));
        let spread = _mm_shuffle_epi8(with_backslash, order(&SPREAD[usize::from(special)]));
        (bytes(spread), 8 + special.count_ones() as usize)
    });
    out.truncate(end);
}

/// Appends what `done` makes of each eight bytes of a window and their bits of `mask`: the first of the
/// `N` bytes that it gives. `ROOM` is what all can take.
#[inline(always)]
#[allow(clippy::inline_always, reason = "takes its caller's CPU features over")]
fn append_words<const ROOM: usize, const N: usize>(
    window: &Window,
    mask: u64,
    out: &mut Vec<u8>,
    done: impl Fn(i64, u8) -> ([u8; N], usize),
) {
    out.reserve(ROOM);
    let Some(room) = out.spare_capacity_mut().first_chunk_mut::<ROOM>() else {
        return;
    };
    let mut at = 0;
    let (words, _) = window.as_chunks::<8>();
    for (word, mask) in words.iter().zip(mask.to_le_bytes()) {
        let (bytes, len) = done(i64::from_le_bytes(*word), mask);
        let Some(place) = room.get_mut(at..at + N) else {
            break;
        };
        place.write_copy_of_slice(&bytes);
        at += len.min(N);
    }
    let len = out.len() + at;
    // SAFETY: `at` bytes have been written behind the vector's end, without a gap.
    #[allow(unsafe_code, reason = "zeroing the room first costs time")]
    unsafe {
        out.set_len(len);
    }
}

#[inline]
fn order(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: both are 16 bytes, and any bytes make a valid register.
    #[allow(unsafe_code, reason = "a register's bytes")]
    unsafe {
        std::mem::transmute::<[u8; 16], __m128i>(*bytes)
    }
}

#[inline]
fn bytes(register: __m128i) -> [u8; 16] {
    // SAFETY: both are 16 bytes without padding, and any bytes make a valid array.
    #[allow(unsafe_code, reason = "a register's bytes")]
    unsafe {
        std::mem::transmute::<__m128i, [u8; 16]>(register)
    }
}

/// For each mask of eight bytes, the places of those that are kept.
static KEPT: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut byte, mut filled) = (0u8, 0);
        while byte < 8 {
            if mask >> byte & 1 == 1 {
                table[mask][filled] = byte;
                filled += 1;
            }
            byte += 1;
        }
        mask += 1;
    }
    table
};

/// For each mask of eight bytes, their places with that of a backslash, 8, before each in the mask.
static SPREAD: [[u8; 16]; 256] = {
    let mut table = [[0; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut byte, mut filled) = (0u8, 0);
        while byte < 8 {
            if mask >> byte & 1 == 1 {
                table[mask][filled] = 8;
                filled += 1;
            }
            table[mask][filled] = byte;
            filled += 1;
            byte += 1;
        }
        mask += 1;
    }
    table
};
