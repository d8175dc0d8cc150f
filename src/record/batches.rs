//! Walking over the batches of a fetch response or a segment.

use super::header::{HEADER_BYTES, MAGIC_V2, crc_of};
use super::{BatchHeader, RecordError, legacy};

/// One whole batch within a buffer, or one message of a format before Kafka 0.11.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    position: usize,
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Byte of the buffer given to [`Batches`] where the batch starts.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The whole batch, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the header: the records, compressed or not.
    pub fn payload(&self) -> &'a [u8] {
        let header_bytes = match self.header.magic {
            MAGIC_V2 => HEADER_BYTES,
            old => legacy::header_bytes(old),
        };
        &self.bytes[header_bytes..]
    }

    /// Compares the checksum with the bytes.
    ///
    /// # Errors
    /// [`RecordError::Crc`].
    pub fn verify_crc(&self) -> Result<(), RecordError> {
        let found = match self.header.magic {
            MAGIC_V2 => crc_of(self.bytes),
            _ => legacy::crc_of(self.bytes),
        };
        if found == self.header.crc {
            return Ok(());
        }
        Err(RecordError::Crc {
            position: self.position,
            base_offset: self.header.base_offset,
            expected: self.header.crc,
            found,
        })
    }
}

/// Iterates over whole batches.
///
/// A truncated batch at the end ends the iteration without an error: every fetch response that is
/// limited by size has one. [`Self::truncated_bytes`] tells of it. An error ends the iteration too,
/// and [`Self::position`] stays where the bad batch starts.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    buffer: &'a [u8],
    position: usize,
    check_crc: bool,
    ended: bool,
    truncated_bytes: usize,
}

impl<'a> Batches<'a> {
    /// The batches of `buffer`, each checked against its CRC.
    pub fn new(buffer: &'a [u8]) -> Self {
        Self {
            buffer,
            position: 0,
            check_crc: true,
            ended: false,
            truncated_bytes: 0,
        }
    }

    /// Whether to check CRCs (Kafka: `check.crcs`).
    #[must_use]
    pub fn check_crc(mut self, check: bool) -> Self {
        self.check_crc = check;
        self
    }

    /// Bytes of the whole batches so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes of a batch that is cut off by the buffer's end; 0 before the iteration has ended. As long
    /// as the buffer, it means that a batch is larger than what was asked for.
    pub fn truncated_bytes(&self) -> usize {
        self.truncated_bytes
    }

    /// The batch at the current position; `None` when it is cut off.
    fn read(&self) -> Result<Option<Batch<'a>>, RecordError> {
        let rest = &self.buffer[self.position..];
        let Some(header) = BatchHeader::parse_at(rest, self.position)? else {
            return Ok(None);
        };
        let Some(bytes) = rest.get(..header.total_bytes()) else {
            return Ok(None);
        };
        let batch = Batch {
            header,
            position: self.position,
            bytes,
        };
        if self.check_crc {
            batch.verify_crc()?;
        }
        Ok(Some(batch))
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.position == self.buffer.len() {
            return None;
        }
        match self.read() {
            Ok(Some(batch)) => {
                self.position += batch.bytes.len();
                Some(Ok(batch))
            }
            Ok(None) => {
                self.ended = true;
                self.truncated_bytes = self.buffer.len() - self.position;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}
