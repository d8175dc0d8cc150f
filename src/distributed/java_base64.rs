//! Base64 as Java's `Base64.getDecoder()` reads it: padding may be missing, nothing else may, and what is
//! wrong has Java's text.

/// Decodes `text`.
///
/// # Errors
/// Java's text of what is wrong.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    if bytes.len() == 1 {
        return Err("Input byte[] should at least have 2 bytes for base64 bytes".to_owned());
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 2);
    let mut bits = 0_u32;
    let mut digits = 0_u8;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == b'=' {
            at = padding(bytes, at, digits)?;
            break;
        }
        let value = digit(*byte).ok_or_else(|| format!("Illegal base64 character {byte:x}"))?;
        bits = bits << 6 | value;
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, digits) = (0, 0);
        }
    }
    match digits {
        1 => return Err("Last unit does not have enough valid bits".to_owned()),
        2 => out.push((bits >> 4).to_be_bytes()[3]),
        3 => out.extend_from_slice(&(bits >> 2).to_be_bytes()[2..]),
        _ => {}
    }
    if at < bytes.len() {
        return Err(format!(
            "Input byte array has incorrect ending byte at {at}"
        ));
    }
    Ok(out)
}

/// Where the text goes on behind the first `=`, which stands before `at`.
fn padding(bytes: &[u8], at: usize, digits: u8) -> Result<usize, String> {
    let second = bytes.get(at) == Some(&b'=');
    match digits {
        0 => Err("Input byte array has wrong 4-byte ending unit".to_owned()),
        2 if !second => Err("Input byte array has wrong 4-byte ending unit".to_owned()),
        2 => Ok(at + 1),
        _ => Ok(at),
    }
}

fn digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn padded_and_unpadded_texts_are_read() {
        for (text, expected) in [
            ("", ""),
            ("YQ==", "a"),
            ("YQ", "a"),
            ("YWI=", "ab"),
            ("YWI", "ab"),
            ("YWJj", "abc"),
            ("dXNlcjpwYXNz", "user:pass"),
            ("Pz8/Pj4+", "???>>>"),
        ] {
            assert_eq!(decode(text).unwrap(), expected.as_bytes(), "{text}");
        }
    }

    /// Texts of OpenJDK 17.
    #[test]
    fn malformed_texts_are_refused_in_javas_words() {
        let unit = "Input byte array has wrong 4-byte ending unit";
        for (text, expected) in [
            (
                "!",
                "Input byte[] should at least have 2 bytes for base64 bytes",
            ),
            ("!!!!", "Illegal base64 character 21"),
            ("YWJj YWJj", "Illegal base64 character 20"),
            ("YQ=", unit),
            ("YQ=x", unit),
            ("====", unit),
            ("YWJj=", unit),
            ("YWJjY", "Last unit does not have enough valid bits"),
            ("Y===", "Last unit does not have enough valid bits"),
            (
                "YQ==YQ==",
                "Input byte array has incorrect ending byte at 4",
            ),
            (
                "YWI=YQ==",
                "Input byte array has incorrect ending byte at 4",
            ),
        ] {
            assert_eq!(decode(text).unwrap_err(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_others_encode_is_decoded(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            use base64::Engine;
            use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
            proptest::prop_assert_eq!(&decode(&STANDARD.encode(&bytes)).unwrap(), &bytes);
            proptest::prop_assert_eq!(&decode(&STANDARD_NO_PAD.encode(&bytes)).unwrap(), &bytes);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            drop(decode(&text));
        }
    }
}
