//! Java's `.properties` syntax, completely (`java.util.Properties.load`).
//!
//! Encoding: bytes that are valid UTF-8 are read as UTF-8, others as ISO-8859-1. Kafka reads worker and
//! connector files as ISO-8859-1 always (`Utils.loadProps` hands the stream to `Properties.load`), so
//! that UTF-8 text outside of ASCII comes out garbled there; here it comes out as it was meant. A byte
//! order mark at the start is skipped. `\uXXXX` halves of a character beyond the basic plane are joined;
//! a half without its other half becomes U+FFFD.
//!
//! A text is bounded by its file's cap; parsing is linear.

#[cfg(test)]
mod tests;

use std::path::Path;

use thiserror::Error;

use super::{ConfigError, file};
use crate::api::ConfigMap;

/// A `\u` without four hexadecimal digits: the one mistake that the syntax knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line}: a \\u must be followed by four hexadecimal digits")]
pub struct MalformedUnicode {
    /// Line from 1, where the entry begins.
    pub line: usize,
}

/// Reads a properties file.
///
/// # Errors
/// Names the path, and the line of a malformed `\u`.
pub fn load(path: &Path) -> Result<ConfigMap, ConfigError> {
    parse_file(path, &file::read(path)?)
}

pub(super) fn parse_file(path: &Path, bytes: &[u8]) -> Result<ConfigMap, ConfigError> {
    parse(bytes).map_err(|error| ConfigError::Malformed {
        path: path.to_owned(),
        line: error.line,
        reason: "a \\u must be followed by four hexadecimal digits".to_owned(),
    })
}

/// Reads the bytes of a properties file. Of several entries with one key the last counts.
///
/// # Errors
/// A malformed `\u`.
pub fn parse(bytes: &[u8]) -> Result<ConfigMap, MalformedUnicode> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse_text(text),
        // ISO-8859-1 is the first 256 code points.
        Err(_) => parse_text(&bytes.iter().copied().map(char::from).collect::<String>()),
    }
}

/// Reads decoded text.
///
/// # Errors
/// A malformed `\u`.
pub fn parse_text(text: &str) -> Result<ConfigMap, MalformedUnicode> {
    let mut map = ConfigMap::new();
    let mut lines = LogicalLines::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    while let Some(line) = lines.next_line() {
        let (key, value) = split_entry(&lines.buffer);
        let malformed = || MalformedUnicode { line };
        let key = unescape(key).ok_or_else(malformed)?;
        let value = unescape(value).ok_or_else(malformed)?;
        map.insert(key, Some(value));
    }
    Ok(map)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Joins natural lines into logical ones: without comments, blank lines, leading white space and the
/// backslashes that continue a line.
struct LogicalLines<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    /// The current logical line.
    buffer: String,
    /// Number of the natural line that `rest` is in, from 1.
    line: usize,
    /// Whether the line before `rest` ended with `\r\n`.
    after_crlf: bool,
}

impl<'a> LogicalLines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
            buffer: String::new(),
            line: 1,
            after_crlf: false,
        }
    }

    /// Fills the buffer with the next logical line and returns the number of its first natural line.
    fn next_line(&mut self) -> Option<usize> {
        self.buffer.clear();
        let mut start = self.line;
        loop {
            self.skip_blanks();
            if self.buffer.is_empty() {
                start = self.line;
                if matches!(self.rest.peek(), Some('#' | '!')) {
                    self.skip_comment();
                    continue;
                }
            }
            let continues = self.take_natural_line();
            if !continues && !self.buffer.is_empty() {
                return Some(start);
            }
            if self.rest.peek().is_none() {
                // A lone backslash at the very end is an entry with an empty key for Java, unless
                // the two characters of a Windows line end follow it.
                let lone = continues && !self.after_crlf;
                return (lone || !self.buffer.is_empty()).then_some(start);
            }
        }
    }

    fn skip_blanks(&mut self) {
        while self.rest.next_if(|c| is_blank(*c)).is_some() {}
    }

    fn skip_comment(&mut self) {
        while self.rest.next_if(|c| !matches!(c, '\n' | '\r')).is_some() {}
        self.take_line_end();
    }

    /// Appends up to the line's end; true when a backslash before the end continues it.
    fn take_natural_line(&mut self) -> bool {
        let mut escaped = false;
        while let Some(c) = self.rest.next_if(|c| !matches!(c, '\n' | '\r')) {
            self.buffer.push(c);
            escaped = c == '\\' && !escaped;
        }
        if escaped {
            self.buffer.pop();
        }
        self.take_line_end();
        escaped
    }

    fn take_line_end(&mut self) {
        let Some(end) = self.rest.next_if(|c| matches!(c, '\n' | '\r')) else {
            self.after_crlf = false;
            return;
        };
        self.after_crlf = end == '\r' && self.rest.next_if_eq(&'\n').is_some();
        self.line += 1;
    }
}

/// Splits at the first `=`, `:` or blank that no backslash guards; blanks around a separator belong to
/// it.
fn split_entry(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        let separates = is_blank(c) || matches!(c, '=' | ':');
        if separates && !escaped {
            let rest = line[at..].trim_start_matches(is_blank);
            let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&line[..at], value.trim_start_matches(is_blank));
        }
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

/// Resolves escapes; `None` for a malformed `\u`. Works on UTF-16 as Java does, so that two `\u` halves
/// make one character.
fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut pair = [0; 2];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let plain = if c == '\\' {
            match rest.next() {
                Some('u') => {
                    units.push(hex_unit(&mut rest)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
                None => break,
            }
        } else {
            c
        };
        units.extend_from_slice(plain.encode_utf16(&mut pair));
    }
    Some(String::from_utf16_lossy(&units))
}

fn hex_unit(rest: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = rest.next()?.to_digit(16)?;
        unit = unit << 4 | u16::try_from(digit).ok()?;
    }
    Some(unit)
}
