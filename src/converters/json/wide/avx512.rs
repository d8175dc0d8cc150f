//! Windows on CPUs with AVX-512 VBMI2 (Intel since Ice Lake, AMD since Zen 4): one instruction moves
//! together what a mask leaves of 64 bytes.

use std::arch::x86_64::{
    __m512i, _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask, _mm512_cmplt_epi8_mask,
    _mm512_cvtepu8_epi16, _mm512_extracti64x4_epi64, _mm512_maskz_compress_epi8, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_set1_epi16, _mm512_slli_epi16, _pdep_u64,
};

use super::{Marks, Stop, WIDTH, Window, below, escape_windows, unescape_windows};

/// Every second bit, from the lowest on.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// Whether this CPU has what the functions here need.
#[inline]
pub(super) fn available() -> bool {
    // The standard library asks the CPU once.
    is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("bmi2")
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
pub(super) fn unescape(bytes: &[u8], out: &mut Vec<u8>) -> Stop {
    unescape_windows(
        bytes,
        out,
        |window| marks(window),
        |window, kept, out| append(load(window), kept, out),
    )
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    escape_windows(
        text,
        out,
        |window| marks(window),
        |window, special, len, out| put_backslashes(window, special, len, out),
    )
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn marks(window: &Window) -> Marks {
    let window = load(window);
    Marks {
        quotes: _mm512_cmpeq_epi8_mask(window, _mm512_set1_epi8(0x22)),
        backslashes: _mm512_cmpeq_epi8_mask(window, _mm512_set1_epi8(0x5c)),
        slashes: _mm512_cmpeq_epi8_mask(window, _mm512_set1_epi8(0x2f)),
        // Signed: bytes beyond ASCII are negative.
        odd: _mm512_cmplt_epi8_mask(window, _mm512_set1_epi8(0x20)),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi2,popcnt")]
#[inline]
fn put_backslashes(window: &Window, special: u64, len: usize, out: &mut Vec<u8>) {
    let window = load(window);
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

/// Appends the bytes whose bit is set.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
#[inline]
fn append(window: __m512i, kept: u64, out: &mut Vec<u8>) {
    let packed = _mm512_maskz_compress_epi8(kept, window);
    // SAFETY: both are 64 bytes without padding, and any bytes make a valid array.
    #[allow(unsafe_code, reason = "a register's bytes")]
    let packed: Window = unsafe { std::mem::transmute(packed) };
    let len = out.len() + kept.count_ones() as usize;
    // A whole window costs less than as many bytes as are needed.
    out.extend_from_slice(&packed);
    out.truncate(len);
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(window: &Window) -> __m512i {
    // SAFETY: both are 64 bytes, and any bytes make a valid register.
    #[allow(unsafe_code, reason = "a register's bytes")]
    unsafe {
        std::mem::transmute::<Window, __m512i>(*window)
    }
}
