//! Kafka's primitive types as the `connect` protocol uses them (Kafka: `Type`, `ArrayOf`, `Schema`).

use std::sync::Arc;

/// Bytes that can't be read, or values that can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The bytes end too early.
    #[error("the message ends after {have} bytes, inside of {what}")]
    Truncated {
        /// The field.
        what: &'static str,
        /// Length of the whole.
        have: usize,
    },
    /// A length, count or version that can't be.
    #[error("{what} is {value}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// A value with more bytes or items than the protocol has room for.
    #[error("{what} takes {len}, the protocol has room for {most}")]
    TooLong {
        /// The field.
        what: &'static str,
        /// Bytes or items.
        len: usize,
        /// The most.
        most: usize,
    },
}

/// Appends primitive types.
#[derive(Debug, Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn i16(&mut self, number: i16) {
        self.out.extend(number.to_be_bytes());
    }

    pub(super) fn i32(&mut self, number: i32) {
        self.out.extend(number.to_be_bytes());
    }

    pub(super) fn i64(&mut self, number: i64) {
        self.out.extend(number.to_be_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    /// STRING.
    pub(super) fn text(&mut self, what: &'static str, text: &str) -> Result<(), ProtocolError> {
        let len = i16::try_from(text.len()).map_err(|_| ProtocolError::TooLong {
            what,
            len: text.len(),
            most: i16::MAX as usize,
        })?;
        self.i16(len);
        self.raw(text.as_bytes());
        Ok(())
    }

    /// Count of an ARRAY or length of BYTES.
    pub(super) fn count(&mut self, what: &'static str, len: usize) -> Result<(), ProtocolError> {
        let count = i32::try_from(len).map_err(|_| ProtocolError::TooLong {
            what,
            len,
            most: i32::MAX as usize,
        })?;
        self.i32(count);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

/// Reads primitive types; what is left is looked at before anything is allocated.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// What was not read.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.whole[self.at..]
    }

    pub(super) fn take(
        &mut self,
        len: usize,
        what: &'static str,
    ) -> Result<&'a [u8], ProtocolError> {
        let slice = self.rest().get(..len).ok_or(ProtocolError::Truncated {
            what,
            have: self.whole.len(),
        })?;
        self.at += len;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ProtocolError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N, what)?);
        Ok(bytes)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, ProtocolError> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(super) fn i16(&mut self, what: &'static str) -> Result<i16, ProtocolError> {
        Ok(i16::from_be_bytes(self.array(what)?))
    }

    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32, ProtocolError> {
        Ok(i32::from_be_bytes(self.array(what)?))
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64, ProtocolError> {
        Ok(i64::from_be_bytes(self.array(what)?))
    }

    /// The version in front of every message: any but a negative one, as Java's
    /// `checkVersionCompatibility`.
    pub(super) fn version(&mut self) -> Result<i16, ProtocolError> {
        let version = self.i16("version")?;
        if version < 0 {
            return Err(ProtocolError::Invalid {
                what: "version",
                value: i64::from(version),
            });
        }
        Ok(version)
    }

    /// STRING. What is no UTF-8 is replaced, as Java does.
    pub(super) fn text(&mut self, what: &'static str) -> Result<Arc<str>, ProtocolError> {
        let len = self.i16(what)?;
        let len = usize::try_from(len).map_err(|_| ProtocolError::Invalid {
            what,
            value: i64::from(len),
        })?;
        Ok(String::from_utf8_lossy(self.take(len, what)?).into())
    }

    /// NULLABLE_BYTES; any negative length is null.
    pub(super) fn nullable_bytes(
        &mut self,
        what: &'static str,
    ) -> Result<Option<&'a [u8]>, ProtocolError> {
        match usize::try_from(self.i32(what)?) {
            Ok(len) => self.take(len, what).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Count of an ARRAY whose items take at least `least` bytes each; `None` for a negative one.
    pub(super) fn nullable_count(
        &mut self,
        what: &'static str,
        least: usize,
    ) -> Result<Option<usize>, ProtocolError> {
        let count = self.i32(what)?;
        let Ok(items) = usize::try_from(count) else {
            return Ok(None);
        };
        if items > self.rest().len() / least {
            return Err(ProtocolError::Invalid {
                what,
                value: i64::from(count),
            });
        }
        Ok(Some(items))
    }

    /// As [`Reader::nullable_count`] for an ARRAY that may not be null.
    pub(super) fn count(
        &mut self,
        what: &'static str,
        least: usize,
    ) -> Result<usize, ProtocolError> {
        let count = self.nullable_count(what, least)?;
        count.ok_or(ProtocolError::Invalid { what, value: -1 })
    }
}
