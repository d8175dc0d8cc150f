//! Base64 as Jackson decodes it: padding is required, blanks may stand before each group of four, and
//! groups may follow padding.

use crate::api::ConnectError;

/// The bytes of a base64 text.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, ConnectError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut rest = text.as_bytes();
    loop {
        while let [0..=b' ', after @ ..] = rest {
            rest = after;
        }
        match rest {
            [] => return Ok(bytes),
            [first, second, third, fourth, after @ ..] => {
                let group = [*first, *second, *third, *fourth];
                decode_group(group, &mut bytes).ok_or_else(|| invalid("an illegal character"))?;
                rest = after;
            }
            _ => return Err(invalid("its end is missing")),
        }
    }
}

fn decode_group(group: [u8; 4], bytes: &mut Vec<u8>) -> Option<()> {
    let [first, second, third, fourth] = group;
    let start = sextet(first)? << 18 | sextet(second)? << 12;
    let [_, high, middle, low] = match (third, fourth) {
        (b'=', b'=') => {
            bytes.push(start.to_be_bytes()[1]);
            return Some(());
        }
        (third, b'=') => {
            let [_, high, middle, _] = (start | sextet(third)? << 6).to_be_bytes();
            bytes.extend([high, middle]);
            return Some(());
        }
        (third, fourth) => (start | sextet(third)? << 6 | sextet(fourth)?).to_be_bytes(),
    };
    bytes.extend([high, middle, low]);
    Some(())
}

fn sextet(character: u8) -> Option<u32> {
    Some(u32::from(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cold]
fn invalid(what: &str) -> ConnectError {
    ConnectError::data(format!("Invalid base64 text: {what}"))
        .with_class("com.fasterxml.jackson.databind.exc.InvalidFormatException")
}
