//! The head of a record: a zero byte and the schema's id, big-endian (Confluent's wire format).

use crate::api::ConnectError;
use crate::converters::config::serialization_error;

const MAGIC: u8 = 0;
/// Bytes of the head.
pub(super) const HEAD: usize = 5;

/// Appends the head.
pub(super) fn append_head(id: i32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

/// Id and data of a record.
///
/// # Errors
/// The record is shorter than a head or starts with another byte; the text is that of Java's deserializer.
pub(super) fn split(bytes: &[u8]) -> Result<(i32, &[u8]), ConnectError> {
    let Some((head, data)) = bytes.split_first_chunk::<HEAD>() else {
        return Err(serialization_error(format!(
            "Unknown magic byte! The record has {} bytes, fewer than a magic byte and a schema id; it was \
             not written by a serializer of a schema registry",
            bytes.len()
        )));
    };
    let [magic, id @ ..] = *head;
    if magic != MAGIC {
        return Err(serialization_error(format!(
            "Unknown magic byte! The record starts with {magic:#04x} instead of 0x00; it was not written \
             by a serializer of a schema registry"
        )));
    }
    Ok((i32::from_be_bytes(id), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let mut out = Vec::new();
        append_head(0x0102_0304, &mut out);
        assert_eq!(out, [0, 1, 2, 3, 4]);
        out.extend_from_slice(b"data");
        assert_eq!(split(&out).unwrap(), (0x0102_0304, &b"data"[..]));
    }

    #[test]
    fn other_bytes_are_refused_by_name() {
        for bytes in [&b""[..], b"\0\0\0\0", b"{\"a\":1}"] {
            let error = split(bytes).unwrap_err();
            assert!(
                error.message().starts_with("Unknown magic byte!"),
                "{error}"
            );
            let class = "org.apache.kafka.common.errors.SerializationException";
            assert_eq!(error.java_class(), class);
        }
    }
}
