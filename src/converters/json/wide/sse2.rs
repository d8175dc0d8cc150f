//! Sixteen bytes of a text with what every CPU of this architecture has.

use std::arch::x86_64::{
    __m128i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_min_epu8, _mm_movemask_epi8,
    _mm_or_si128, _mm_set1_epi8,
};

use super::super::scan::Chunk;

/// See [`super::stops`].
#[target_feature(enable = "sse2")]
#[inline]
pub(super) fn stops<const ASCII: bool>(chunk: &Chunk) -> u32 {
    let bytes = load(chunk);
    let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x22));
    let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x5c));
    let controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    let mut stops = _mm_or_si128(_mm_or_si128(quotes, backslashes), controls);
    if ASCII {
        // Only high bits are looked at.
        stops = _mm_or_si128(stops, bytes);
    }
    _mm_movemask_epi8(stops).cast_unsigned()
}

/// See [`super::others`].
#[target_feature(enable = "sse2")]
#[inline]
pub(super) fn others(chunk: &Chunk) -> u32 {
    // Digits come to lie at the lower end of the signed numbers.
    let moved = _mm_add_epi8(load(chunk), _mm_set1_epi8(0x50));
    let others = _mm_cmpgt_epi8(moved, _mm_set1_epi8(-0x77));
    _mm_movemask_epi8(others).cast_unsigned()
}

/// See [`super::equal`].
#[target_feature(enable = "sse2")]
#[inline]
pub(super) fn equal(chunk: &Chunk, other: &Chunk) -> u32 {
    _mm_movemask_epi8(_mm_cmpeq_epi8(load(chunk), load(other))).cast_unsigned()
}

#[target_feature(enable = "sse2")]
#[inline]
fn load(chunk: &Chunk) -> __m128i {
    // SAFETY: both are 16 bytes, and any bytes make a valid register.
    #[allow(unsafe_code, reason = "a register's bytes")]
    unsafe {
        std::mem::transmute::<Chunk, __m128i>(*chunk)
    }
}
