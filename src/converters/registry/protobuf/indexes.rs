//! Which message of a schema the data is: indexes from the outermost message inwards (Confluent:
//! `MessageIndexes`). The first message alone is a single zero.

use crate::api::ConnectError;
use crate::converters::registry::limits::DEPTH_MAX;
use crate::converters::registry::zigzag::append_long;

/// Appends the indexes.
pub(super) fn append(path: &[i32], out: &mut Vec<u8>) {
    if path == [0] {
        out.push(0);
        return;
    }
    append_long(i64::try_from(path.len()).unwrap_or(i64::MAX), out);
    for index in path {
        append_long(i64::from(*index), out);
    }
}

/// Indexes and what follows them.
///
/// # Errors
/// There are none, or more than messages can be nested.
pub(super) fn split(data: &[u8]) -> Result<(Vec<i32>, &[u8]), ConnectError> {
    let (count, mut rest) = varint(data)?;
    if count == 0 {
        return Ok((vec![0], rest));
    }
    let fits = usize::try_from(count)
        .ok()
        .filter(|count| *count <= DEPTH_MAX);
    let count =
        fits.ok_or_else(|| ConnectError::data(format!("{count} is no number of message indexes")))?;
    let mut path = Vec::with_capacity(count);
    for _ in 0..count {
        let (index, after) = varint(rest)?;
        path.push(index);
        rest = after;
    }
    Ok((path, rest))
}

fn varint(data: &[u8]) -> Result<(i32, &[u8]), ConnectError> {
    let mut number: u32 = 0;
    for (index, byte) in data.iter().enumerate().take(5) {
        number |= u32::from(byte & 0x7f) << (index * 7);
        if byte & 0x80 == 0 {
            let rest = data.get(index + 1..).unwrap_or_default();
            let value = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
            return Ok((value, rest));
        }
    }
    Err(ConnectError::data(
        "the message indexes are cut off or too long",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_come_back_and_the_first_message_is_one_byte() {
        for (path, bytes) in [
            (vec![0], vec![0]),
            (vec![1], vec![2, 2]),
            (vec![1, 0], vec![4, 2, 0]),
            (vec![0, 100], vec![4, 0, 0xc8, 1]),
        ] {
            let mut out = Vec::new();
            append(&path, &mut out);
            assert_eq!(out, bytes, "{path:?}");
            out.push(9);
            assert_eq!(split(&out).unwrap(), (path, &[9][..]));
        }
    }

    #[test]
    fn bad_indexes_are_refused() {
        for bytes in [&b""[..], &[0xff; 9], &[1], &[0xfe, 0xff, 3], &[4, 2]] {
            assert!(split(bytes).is_err(), "{bytes:?}");
        }
    }
}
