//! Answers whose counts are looked at before anything is allocated for them.
//!
//! kafka-protocol makes room for as many items as a count says before it reads the first: a damaged count
//! of two thousand million would ask for hundreds of gigabytes, and an allocation that fails ends the
//! process. So an answer is decoded from [`Counted`] bytes, which let no count pass that is larger than
//! what is left. A count cannot be told from another number of 32 bits when it is read, but afterwards: in
//! place of a large number the decoder gets −2, which it refuses as a count and takes as anything else.
//! Then the answer is decoded once more, as it is.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;

/// A length that no list, text or byte array has.
const NO_COUNT: i32 = -2;

/// Reads a message of `version`; strings and records are slices of `bytes`, which end up behind it.
///
/// # Errors
/// The bytes are no such message, or a count in them is larger than they can hold.
pub(super) fn decode<R: Decodable>(bytes: &mut Bytes, version: i16) -> Result<R, String> {
    let mut counted = Counted {
        bytes: bytes.clone(),
        varint: Varint::default(),
        replaced: false,
        doubt: None,
    };
    let decoded = R::decode(&mut counted, version);
    match (decoded, counted.doubt) {
        (Ok(message), _) if !counted.replaced => {
            *bytes = counted.bytes;
            Ok(message)
        }
        (Ok(_), _) => R::decode(bytes, version).map_err(|error| error.to_string()),
        (Err(_), Some((count, left))) => Err(format!(
            "it counts {count} items or bytes where {left} bytes are left"
        )),
        (Err(error), None) => Err(error.to_string()),
    }
}

/// The bytes of an answer.
struct Counted {
    bytes: Bytes,
    varint: Varint,
    /// A number was not given as it is.
    replaced: bool,
    /// The number that was read last, and what is behind it, if it is too large for a count.
    doubt: Option<(u64, usize)>,
}

/// A number of variable length, as far as it is read.
#[derive(Default)]
struct Varint {
    value: u64,
    bits: u32,
}

impl Varint {
    /// The number when `byte` ends it and it has more than one byte.
    fn push(&mut self, byte: u8) -> Option<u64> {
        let value = self.value | (u64::from(byte & 0x7f) << self.bits);
        // The crate reads five bytes at most.
        if byte & 0x80 != 0 && self.bits < 28 {
            (self.value, self.bits) = (value, self.bits + 7);
            return None;
        }
        let several = self.bits > 0;
        *self = Self::default();
        several.then_some(value)
    }
}

impl Buf for Counted {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        (self.varint, self.doubt) = (Varint::default(), None);
        self.bytes.advance(count);
    }

    /// Counts of lists, lengths of byte arrays and everything else of 32 bits.
    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let number = self.bytes.try_get_i32()?;
        (self.varint, self.doubt) = (Varint::default(), None);
        let left = self.bytes.remaining();
        match u64::try_from(number) {
            Ok(count) if count > left as u64 => {
                self.replaced = true;
                self.doubt = Some((count, left));
                Ok(NO_COUNT)
            }
            _ => Ok(number),
        }
    }

    /// Bytes of numbers of variable length (all of them counts, lengths and tags), flags.
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.bytes.try_get_u8()?;
        self.doubt = None;
        let left = self.bytes.remaining();
        match self.varint.push(byte) {
            // Counts and lengths are one more than they say.
            Some(number) if number > left as u64 + 1 => {
                self.doubt = Some((number - 1, left));
                Err(TryGetError {
                    requested: usize::try_from(number - 1).unwrap_or(usize::MAX),
                    available: left,
                })
            }
            _ => Ok(byte),
        }
    }
}

impl ByteBuf for Counted {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.peek_bytes(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        (self.varint, self.doubt) = (Varint::default(), None);
        self.bytes.get_bytes(size)
    }
}
