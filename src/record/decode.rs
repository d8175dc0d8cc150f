//! Reading the records of a batch.

use super::compression::{Failure, decompress};
use super::error::RecordFault;
use super::header::{MAGIC_V2, TimestampType};
use super::varint::Reader;
use super::{Batch, Compression, RecordError, legacy};
use crate::api::Span;

/// Fewest bytes that a record takes: length, attributes, two deltas, two lengths, header count.
pub(super) const MIN_RECORD_BYTES: usize = 7;
/// Fewest bytes that a header takes: two lengths.
const MIN_HEADER_BYTES: usize = 2;

/// A header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    /// Name in UTF-8; names may repeat. Not checked when read: Java turns bad bytes into U+FFFD.
    pub key: &'a [u8],
    /// Value, or null.
    pub value: Option<&'a [u8]>,
}

/// A record as ranges of a buffer: the one that was fetched or the one that was decompressed into, as
/// [`decode`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef {
    /// Kafka offset.
    pub offset: i64,
    /// Milliseconds since the epoch; −1 for none.
    pub timestamp: i64,
    /// Key, or null.
    pub key: Span,
    /// Value, or null for a tombstone.
    pub value: Span,
    /// Headers as they are on the wire, for [`headers`].
    pub headers: Span,
    /// How many headers.
    pub header_count: u32,
}

/// How to decode a batch.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions {
    /// Where the buffer that was given to [`super::Batches`] starts within the buffer that spans are
    /// to index; 0 when they are the same. The batch's own position is added.
    pub base: usize,
    /// Records of smaller offsets are left out: a fetch starts at the batch that holds its offset.
    pub start_offset: i64,
    /// Most bytes that one compressed batch may become.
    pub max_decompressed: usize,
}

impl DecodeOptions {
    /// Room for one decompressed batch unless the caller says otherwise: brokers take batches of
    /// 1 MiB by default, which text compresses into from some 10 MiB.
    pub const MAX_DECOMPRESSED: usize = 64 << 20;
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            base: 0,
            start_offset: i64::MIN,
            max_decompressed: Self::MAX_DECOMPRESSED,
        }
    }
}

/// Which buffer the spans of decoded records index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordBytes {
    /// The buffer that the batch lies in, see [`DecodeOptions::base`].
    Fetched,
    /// The buffer that was decompressed into, from its own start.
    Decompressed,
}

/// Appends the records of `batch` to `records`, without copying them when they are not compressed.
/// The records of a compressed batch are appended to `decompressed` and their spans index it. Control
/// batches give no records.
///
/// # Errors
/// Any fault in the batch; both buffers are then as they were before.
pub fn decode(
    batch: &Batch<'_>,
    options: &DecodeOptions,
    decompressed: &mut Vec<u8>,
    records: &mut Vec<RecordRef>,
) -> Result<RecordBytes, RecordError> {
    if batch.header.magic != MAGIC_V2 {
        return legacy::decode(batch, options, decompressed, records);
    }
    let codec = batch.header.compression()?;
    if codec == Compression::None {
        let base = options
            .base
            .saturating_add(batch.position() + super::HEADER_BYTES);
        if !batch.header.is_control() {
            decode_payload(batch, batch.payload(), base, options.start_offset, records)?;
        }
        return Ok(RecordBytes::Fetched);
    }
    if batch.header.is_control() {
        return Ok(RecordBytes::Decompressed);
    }
    let start = decompressed.len();
    let outcome =
        decompress_batch(batch, codec, options.max_decompressed, decompressed).and_then(|()| {
            let payload = &decompressed[start..];
            decode_payload(batch, payload, start, options.start_offset, records)
        });
    if let Err(error) = outcome {
        decompressed.truncate(start);
        return Err(error);
    }
    Ok(RecordBytes::Decompressed)
}

fn decompress_batch(
    batch: &Batch<'_>,
    codec: Compression,
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let base_offset = batch.header.base_offset;
    if batch.header.count == 0 && batch.payload().is_empty() {
        return Ok(());
    }
    decompress(codec, batch.payload(), cap, out).map_err(|failure| match failure {
        Failure::TooLarge => RecordError::TooLargeDecompressed {
            base_offset,
            codec,
            cap,
        },
        Failure::Bad(fault) => RecordError::Decompress {
            base_offset,
            codec,
            fault,
        },
    })
}

/// What the records of a batch have in common.
struct Context {
    /// Where the payload starts in the buffer that spans index.
    base: u32,
    base_offset: i64,
    base_timestamp: i64,
    /// Every record's timestamp, when the broker set it.
    append_time: Option<i64>,
}

fn decode_payload(
    batch: &Batch<'_>,
    payload: &[u8],
    base: usize,
    start_offset: i64,
    records: &mut Vec<RecordRef>,
) -> Result<(), RecordError> {
    let header = &batch.header;
    let end = base.saturating_add(payload.len());
    let (Ok(base), Ok(_)) = (u32::try_from(base), u32::try_from(end)) else {
        return Err(RecordError::BufferTooLarge { bytes: end });
    };
    let context = Context {
        base,
        base_offset: header.base_offset,
        base_timestamp: header.base_timestamp,
        append_time: match header.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        },
    };
    let count = u32::try_from(header.count).unwrap_or(0);
    let before = records.len();
    // A wrong count must not reserve more than the bytes can hold.
    records.reserve((count as usize).min(payload.len() / MIN_RECORD_BYTES));
    let mut reader = Reader::new(payload);
    for record in 0..count {
        match read_record(&mut reader, &context) {
            Ok(found) if found.offset < start_offset => {}
            Ok(found) => records.push(found),
            Err(fault) => {
                records.truncate(before);
                return Err(bad_record(batch, record, &reader, fault));
            }
        }
    }
    if header.count < 0 || reader.remaining() != 0 {
        records.truncate(before);
        return Err(RecordError::CountMismatch {
            base_offset: header.base_offset,
            declared: header.count,
            found: count,
            remaining: reader.remaining(),
        });
    }
    Ok(())
}

#[cold]
fn bad_record(
    batch: &Batch<'_>,
    record: u32,
    reader: &Reader<'_>,
    fault: RecordFault,
) -> RecordError {
    let base_offset = batch.header.base_offset;
    if reader.remaining() == 0 && fault == RecordFault::Truncated {
        return RecordError::CountMismatch {
            base_offset,
            declared: batch.header.count,
            found: record,
            remaining: 0,
        };
    }
    RecordError::BadRecord {
        base_offset,
        record,
        position: reader.position(),
        fault,
    }
}

#[inline]
fn read_record(reader: &mut Reader<'_>, context: &Context) -> Result<RecordRef, RecordFault> {
    let length = reader.length()?;
    let end = reader.position() + length;
    // The record's attributes: Kafka has none yet.
    reader.byte()?;
    let timestamp_delta = reader.varlong()?;
    let offset_delta = reader.varint()?;
    let key = read_span(reader, context.base)?;
    let value = read_span(reader, context.base)?;
    let header_count = u32::try_from(reader.varint()?).map_err(|_| RecordFault::NegativeLength)?;
    let header_bytes = end
        .checked_sub(reader.position())
        .ok_or(RecordFault::LengthOutOfBounds)?;
    if header_count == 0 && header_bytes != 0 {
        return Err(RecordFault::TrailingBytes);
    }
    if header_count as usize > header_bytes / MIN_HEADER_BYTES {
        return Err(RecordFault::LengthOutOfBounds);
    }
    let headers = span(context.base, reader.position(), header_bytes);
    reader.take(header_bytes)?;
    Ok(RecordRef {
        offset: context.base_offset.wrapping_add(i64::from(offset_delta)),
        timestamp: context
            .append_time
            .unwrap_or_else(|| context.base_timestamp.wrapping_add(timestamp_delta)),
        key,
        value,
        headers,
        header_count,
    })
}

/// Bytes or null.
#[inline]
fn read_span(reader: &mut Reader<'_>, base: u32) -> Result<Span, RecordFault> {
    let Some(length) = reader.nullable_length()? else {
        return Ok(Span::NULL);
    };
    let found = span(base, reader.position(), length);
    reader.take(length)?;
    Ok(found)
}

/// A range of the payload, counted from the buffer's start.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "decode_payload has checked that the payload's end fits 32 bits"
)]
fn span(base: u32, position: usize, length: usize) -> Span {
    Span {
        start: base + position as u32,
        len: length as u32,
    }
}

/// The headers of a record, in order and with duplicates. `buffer` is the one that the record's spans
/// index.
pub fn headers(buffer: &[u8], span: Span, count: u32) -> Headers<'_> {
    Headers {
        // A span of another buffer reads as one that ends early.
        reader: Reader::new(span.of(buffer).unwrap_or_default()),
        next: 0,
        count,
    }
}

/// See [`headers`]. Ends after an error.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    reader: Reader<'a>,
    next: u32,
    count: u32,
}

impl<'a> Headers<'a> {
    fn read(&mut self) -> Result<RecordHeader<'a>, RecordFault> {
        let key_length = self.reader.length()?;
        let key = self.reader.take(key_length)?;
        let value = match self.reader.nullable_length()? {
            None => None,
            Some(length) => Some(self.reader.take(length)?),
        };
        if self.next + 1 == self.count && self.reader.remaining() != 0 {
            return Err(RecordFault::TrailingBytes);
        }
        Ok(RecordHeader { key, value })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<RecordHeader<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        let header = self.next;
        let outcome = self.read();
        self.next = if outcome.is_ok() {
            header + 1
        } else {
            self.count
        };
        Some(outcome.map_err(|fault| RecordError::BadHeader { header, fault }))
    }
}

/// What a control batch says (Kafka: `ControlRecordType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecord {
    /// The producer's transaction was aborted.
    Abort,
    /// It was committed.
    Commit,
    /// A type that concerns brokers alone.
    Other(i16),
}

impl ControlRecord {
    /// The type as it is on the wire.
    pub fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(id) => id,
        }
    }
}

/// A control batch's one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlBatch {
    /// What it says.
    pub record: ControlRecord,
    /// Epoch of the transaction coordinator that ended the transaction; −1 for other types.
    pub coordinator_epoch: i32,
}

impl ControlBatch {
    /// Reads a control batch (Kafka: `ControlRecordType.parse`, `EndTransactionMarker`). Newer
    /// versions of key and value are read as far as they are known, as Kafka does.
    ///
    /// # Errors
    /// [`RecordError::BadControlBatch`], or what is wrong with the record.
    pub fn parse(batch: &Batch<'_>) -> Result<Self, RecordError> {
        let bad = |reason| RecordError::BadControlBatch {
            base_offset: batch.header.base_offset,
            reason,
        };
        if !batch.header.is_control() {
            return Err(bad("it is not one"));
        }
        if batch.header.compression()? != Compression::None {
            return Err(bad("it is compressed"));
        }
        let mut records = Vec::new();
        decode_payload(batch, batch.payload(), 0, i64::MIN, &mut records)?;
        let [record] = records[..] else {
            return Err(bad("it does not have one record"));
        };
        let key = record.key.of(batch.payload()).unwrap_or_default();
        let Some(&[_, _, high, low]) = key.first_chunk() else {
            return Err(bad("its key is shorter than version and type"));
        };
        let kind = match i16::from_be_bytes([high, low]) {
            0 => ControlRecord::Abort,
            1 => ControlRecord::Commit,
            id => {
                return Ok(Self {
                    record: ControlRecord::Other(id),
                    coordinator_epoch: -1,
                });
            }
        };
        let value = record.value.of(batch.payload()).unwrap_or_default();
        let Some(&[_, _, a, b, c, d]) = value.first_chunk() else {
            return Err(bad("its value is shorter than version and epoch"));
        };
        Ok(Self {
            record: kind,
            coordinator_epoch: i32::from_be_bytes([a, b, c, d]),
        })
    }
}
