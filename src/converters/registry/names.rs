//! Simple names of Avro and Protobuf, and Confluent's way of making other names fit
//! (`AvroData.doScrubName`).

use std::borrow::Cow;

/// Whether a name consists of letters, digits and `_`, and does not begin with a digit.
pub(super) fn is_valid(name: &str) -> bool {
    let mut letters = name.bytes();
    let first = letters.next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// Such a name, of any name: as in Java, the form encoding of the name with `_` for
/// everything else.
pub(super) fn scrub(name: &str) -> Cow<'_, str> {
    if name.is_empty() || is_valid(name) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => out.push(char::from(byte)),
            // Java's URLEncoder keeps these and makes a space a plus sign.
            b'-' | b'.' | b'*' | b' ' => out.push('_'),
            other => {
                out.push('_');
                out.push_str(&format!("{other:02X}"));
            }
        }
    }
    if out.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        out.insert(0, 'x');
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_scrubbed_as_in_java() {
        for (name, expected) in [
            ("fine_1", "fine_1"),
            ("a-b", "a_b"),
            ("1a", "x1a"),
            ("a b$c", "a_b_24c"),
            ("ü", "_C3_BC"),
            ("", ""),
        ] {
            assert_eq!(scrub(name), expected, "{name}");
        }
    }
}
