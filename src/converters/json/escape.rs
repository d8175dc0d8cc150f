//! JSON texts: finding their end, undoing and making escapes, and encodings other than UTF-8.

use super::parser::ParseError;
use super::scan::text_end;
#[cfg(target_arch = "x86_64")]
use super::wide::{Stop, Vectors};
use super::window::{EMPTY, PADDED, Unescaped, Window};
use crate::api::data::text::decode_utf8;

/// What is wrong with an escape, and where.
#[derive(Debug)]
pub(super) struct EscapeError {
    pub(super) offset: usize,
    pub(super) what: &'static str,
}

/// Unescapes the text whose first character is at `start` and appends it to `out`. Gives the position
/// after the closing quote. A lone surrogate becomes `?`.
pub(super) fn unescape(source: &str, start: usize, out: &mut String) -> Result<usize, EscapeError> {
    let bytes = source.as_bytes();
    let mut at = start;
    loop {
        let special = text_end::<false>(bytes, at);
        out.push_str(source.get(at..special).unwrap_or(""));
        at = special;
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = unescape_one(bytes, at, out)?,
            Some(_) => return Err(bad(at, "a control character must be escaped")),
            None => return Err(bad(at, "a text does not end")),
        }
    }
}

/// Undoes the escape whose backslash is at `at`; gives the position after it.
fn unescape_one(bytes: &[u8], at: usize, out: &mut String) -> Result<usize, EscapeError> {
    let Some(byte) = bytes.get(at + 1) else {
        return Err(bad(at, "a text does not end"));
    };
    let plain = SIMPLE[usize::from(*byte)];
    if plain != 0 {
        out.push(char::from(plain));
        return Ok(at + 2);
    }
    if *byte != b'u' {
        return Err(bad(at, "an unknown escape"));
    }
    let unit = hex4(bytes, at + 2).ok_or_else(|| bad(at, "four hex digits were expected"))?;
    let at = at + 6;
    if (0xd800..0xdc00).contains(&unit)
        && bytes.get(at..at + 2) == Some(b"\\u")
        && let Some(low) = hex4(bytes, at + 2).filter(|low| (0xdc00..0xe000).contains(low))
    {
        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        out.push(char::from_u32(code).unwrap_or('?'));
        return Ok(at + 6);
    }
    out.push(char::from_u32(unit).unwrap_or('?'));
    Ok(at)
}

/// What a backslash and this byte stand for; 0 for none.
const SIMPLE: [u8; 256] = {
    let mut table = [0; 256];
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table[b'b' as usize] = 8;
    table[b'f' as usize] = 12;
    table[b'n' as usize] = b'\n';
    table[b'r' as usize] = b'\r';
    table[b't' as usize] = b'\t';
    table
};

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |sum, byte| {
        char::from(*byte).to_digit(16).map(|digit| sum * 16 + digit)
    })
}

#[cold]
fn bad(offset: usize, what: &'static str) -> EscapeError {
    EscapeError { offset, what }
}

/// Whether an escaped text has `\u` escapes of half a surrogate pair.
pub(super) fn has_lone_surrogate(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let mut at = 0;
    let mut high = false;
    while let Some(byte) = bytes.get(at) {
        let unit = match bytes.get(at + 1) {
            Some(b'u') if *byte == b'\\' => hex4(bytes, at + 2).unwrap_or(0),
            _ => 0,
        };
        let low = (0xdc00..0xe000).contains(&unit);
        if high != low {
            return true;
        }
        high = (0xd800..0xdc00).contains(&unit);
        at += match (byte, unit) {
            (b'\\', 0) => 2,
            (b'\\', _) => 6,
            _ => 1,
        };
    }
    high
}

/// What to append for a byte of a text, low byte first; one byte unless it is escaped.
const ESCAPED: [[u8; 2]; 128] = {
    let mut table = [[0; 2]; 128];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'"' => *b"\\\"",
            b'\\' => *b"\\\\",
            8 => *b"\\b",
            12 => *b"\\f",
            b'\n' => *b"\\n",
            b'\r' => *b"\\r",
            b'\t' => *b"\\t",
            plain => [plain, 0],
        };
        byte += 1;
    }
    table
};

/// How many bytes of [`ESCAPED`] count; 0 for bytes that take more than two.
const ESCAPED_LEN: [u8; 128] = {
    let mut table = [1; 128];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'"' | b'\\' | 8 | 12 | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 0,
            _ => 1,
        };
        byte += 1;
    }
    table
};

/// Appends `text` in quotes, escaped as Jackson does: a character beyond the BMP as two escapes.
/// Invalid UTF-8 becomes U+FFFD as in Java.
#[inline]
pub(crate) fn append_quoted(text: &[u8], out: &mut Vec<u8>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = Vectors::of_this_cpu() {
        out.reserve(text.len() + text.len() / 4 + 138);
        out.push(b'"');
        let done = vectors.escape(text, out);
        if let Some(rest) = text.get(done..).filter(|rest| !rest.is_empty()) {
            append_any(rest, out);
        }
        return out.push(b'"');
    }
    append_quoted_by_window(text, out);
}

/// As [`append_quoted`], on any CPU.
pub(super) fn append_quoted_by_window(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + text.len() / 4 + 18);
    out.push(b'"');
    let mut rest = text;
    let mut buffer = [0; PADDED];
    let mut room = EMPTY;
    while !rest.is_empty() {
        let Some(window) = Window::of(rest, &mut buffer) else {
            append_any(rest, out);
            break;
        };
        window.escape(&mut room, out);
        rest = rest.get(window.len()..).unwrap_or_default();
    }
    out.push(b'"');
}

/// Any bytes, one by one.
#[cold]
fn append_any(text: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(text) {
        Ok(text) => append_str(text, out),
        Err(_) => append_str(&decode_utf8(text), out),
    }
}

fn append_str(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let plain = *byte >= 0x20 && *byte != b'"' && *byte != b'\\' && *byte < 0xf0;
        if plain {
            continue;
        }
        out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        copied = at + append_escape(text, at, *byte, out);
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
}

/// Appends the escape of the character at `at`; gives how many bytes it has in `text`.
fn append_escape(text: &str, at: usize, byte: u8, out: &mut Vec<u8>) -> usize {
    const LOWER: &[u8; 16] = b"0123456789ABCDEF";
    let mut unit = |unit: u16| {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(LOWER[usize::from(unit >> shift & 15)]);
        }
    };
    if byte >= 0xf0 {
        let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) else {
            return 1;
        };
        for half in character.encode_utf16(&mut [0; 2]) {
            unit(*half);
        }
        return character.len_utf8();
    }
    match ESCAPED_LEN[usize::from(byte & 0x7f)] {
        2 => out.extend_from_slice(&ESCAPED[usize::from(byte & 0x7f)]),
        _ => unit(u16::from(byte)),
    }
    1
}

/// The input as UTF-8, from what Jackson takes its first bytes for: UTF-16 or UTF-32 of either byte
/// order, UTF-8 with or without byte order mark.
pub(super) fn recode(input: &[u8]) -> Result<String, ParseError> {
    let weird = ParseError {
        offset: 0,
        what: "an unusual order of bytes in UCS-4",
    };
    if let Some(quad) = input.first_chunk::<4>() {
        match quad {
            [0, 0, 0xfe, 0xff] => return utf32(&input[4..], u32::from_be_bytes),
            [0xff, 0xfe, 0, 0] => return utf32(&input[4..], u32::from_le_bytes),
            [0, 0, 0xff, 0xfe] | [0xfe, 0xff, 0, 0] => return Err(weird),
            [0xfe, 0xff, ..] => return Ok(utf16(&input[2..], u16::from_be_bytes)),
            [0xff, 0xfe, ..] => return Ok(utf16(&input[2..], u16::from_le_bytes)),
            [0xef, 0xbb, 0xbf, _] => return Ok(lenient_utf8(&input[3..])),
            [0, 0, 0, _] => return utf32(input, u32::from_be_bytes),
            [_, 0, 0, 0] => return utf32(input, u32::from_le_bytes),
            [0, _, 0, 0] | [0, 0, _, 0] => return Err(weird),
            _ => {}
        }
    }
    Ok(match input {
        [0, _, ..] => utf16(input, u16::from_be_bytes),
        [_, 0, ..] => utf16(input, u16::from_le_bytes),
        _ => lenient_utf8(input),
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|decoded| decoded.unwrap_or('\u{fffd}'))
        .collect();
    if !odd.is_empty() {
        text.push('\u{fffd}');
    }
    text
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Result<String, ParseError> {
    let (quads, odd) = bytes.as_chunks::<4>();
    let beyond = |index: usize| ParseError {
        offset: index * 4,
        what: "a UTF-32 character above 0x10ffff or cut short",
    };
    let mut text = String::with_capacity(quads.len());
    for (index, quad) in quads.iter().enumerate() {
        let code = unit(*quad);
        match char::from_u32(code) {
            Some(character) => text.push(character),
            None if code < 0x10000 => text.push('?'),
            None => return Err(beyond(index)),
        }
    }
    if odd.is_empty() {
        Ok(text)
    } else {
        Err(beyond(quads.len()))
    }
}

/// UTF-8 as Jackson decodes it: overlong forms count, encoded surrogates and stray bytes do not.
///
/// What does not count ends the text with a letter: whether it stands in a text, after a number or
/// between values, the parser then meets an error, unless the first value ends before it.
fn lenient_utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let invalid = match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return text;
            }
            Err(invalid) => invalid,
        };
        let (valid, after) = rest.split_at(invalid.valid_up_to());
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        let Some((units, len)) = jackson_character(after) else {
            text.push('x');
            return text;
        };
        for unit in units.into_iter().flatten() {
            text.push_str(&format!("\\u{unit:04x}"));
        }
        rest = after.get(len..).unwrap_or_default();
    }
}

/// The UTF-16 units of the invalid sequence that `bytes` begin with, and its length.
fn jackson_character(bytes: &[u8]) -> Option<([Option<u16>; 2], usize)> {
    let tail = |count: usize| -> Option<u32> {
        bytes.get(1..=count)?.iter().try_fold(0, |sum, byte| {
            (byte & 0xc0 == 0x80).then_some(sum << 6 | u32::from(byte & 0x3f))
        })
    };
    let lead = u32::from(*bytes.first()?);
    let one = |code: u32| u16::try_from(code).ok().map(|unit| [Some(unit), None]);
    match lead {
        0xc0..0xe0 => Some((one((lead & 0x1f) << 6 | tail(1)?)?, 2)),
        0xe0..0xf0 => {
            let code = (lead & 0x0f) << 12 | tail(2)?;
            if (0xd800..0xe000).contains(&code) {
                return None;
            }
            Some((one(code)?, 3))
        }
        0xf0..0xf8 => {
            let code = ((lead & 0x07) << 18 | tail(3)?).wrapping_sub(0x10000);
            let high = 0xd800 | code >> 10 & 0xffff;
            let low = 0xdc00 | code & 0x3ff;
            Some(([u16::try_from(high).ok(), u16::try_from(low).ok()], 4))
        }
        _ => None,
    }
}

/// Unescapes the text that `bytes` begin with (after its opening quote), up to its closing quote, and
/// appends it to `out`. Gives the position after the quote, or `None` for anything unusual, which is
/// left to the parser: errors, `\u` escapes, texts beyond Jackson's limit.
#[inline]
pub(super) fn unescape_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    if bytes.len() > 20_000_000 {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = Vectors::of_this_cpu() {
        return match vectors.unescape(bytes, out) {
            Stop::Closed(at) => Some(at + 1),
            Stop::Look(at) => Some(at + unescape_by_window(bytes.get(at..)?, out)?),
            Stop::Open => None,
        };
    }
    unescape_by_window(bytes, out)
}

/// As [`unescape_bytes`], on any CPU.
pub(super) fn unescape_by_window(bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    let mut buffer = [0; PADDED];
    let mut room = EMPTY;
    loop {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let Some(window) = Window::of(rest, &mut buffer) else {
            return unescape_utf8(bytes, at, out);
        };
        match window.unescape(&SIMPLE, &mut room, out) {
            Unescaped::Open(len) => at += len,
            Unescaped::Closed(len) => return Some(at + len + 1),
            Unescaped::Unusual => return None,
        }
    }
}

/// As [`unescape_bytes`] from `at` on, for texts beyond ASCII.
fn unescape_utf8(bytes: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let from = at;
    loop {
        let end = text_end::<false>(bytes, at);
        out.extend_from_slice(bytes.get(at..end)?);
        match bytes.get(end)? {
            b'"' => {
                // Invalid UTF-8 is the parser's business.
                std::str::from_utf8(bytes.get(from..end)?).ok()?;
                return Some(end + 1);
            }
            b'\\' => {
                let simple = SIMPLE[usize::from(*bytes.get(end + 1)?)];
                if simple == 0 {
                    return None;
                }
                out.push(simple);
                at = end + 2;
            }
            _ => return None,
        }
    }
}
