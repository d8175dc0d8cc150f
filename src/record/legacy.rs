//! Reading the message formats of before Kafka 0.11 (magic 0 and 1), which old segments still hold and
//! which brokers hand out as they are.
//!
//! ```text
//! offset 8 │ length 4 │ crc 4 │ magic 1 │ attributes 1 │ timestamp 8, magic 1 │ key 4+n │ value 4+n
//! ```
//! A compressed message's value is a set of messages (Kafka: `AbstractLegacyRecordBatch`).

use super::compression::{Failure, decompress};
use super::decode::{DecodeOptions, RecordBytes, RecordRef};
use super::error::RecordFault;
use super::header::{BatchHeader, LENGTH_OVERHEAD, MAGIC, TimestampType, field};
use super::varint::Reader;
use super::{Batch, Compression, RecordError};
use crate::api::Span;

/// Where a message's CRC stands, which covers everything after itself.
const CRC: usize = 12;
const OLD_ATTRIBUTES: usize = 17;
const TIMESTAMP: usize = 18;
/// CRC, magic and attributes, then two lengths.
const MIN_LENGTH_V0: i32 = 14;
/// A timestamp more.
const MIN_LENGTH_V1: i32 = 22;
const NO_TIMESTAMP: i64 = -1;

/// Bytes before the key.
pub(super) fn header_bytes(magic: i8) -> usize {
    if magic == 0 { TIMESTAMP } else { TIMESTAMP + 8 }
}

/// The smallest value of the length field.
pub(super) fn min_length(magic: i8) -> i32 {
    if magic == 0 {
        MIN_LENGTH_V0
    } else {
        MIN_LENGTH_V1
    }
}

/// Reads what a message says as the header of a batch; `None` when the bytes end within it. A
/// compressed message has the offset of the *last* one in it.
pub(super) fn parse(bytes: &[u8]) -> Option<BatchHeader> {
    let magic = i8::from_be_bytes([*bytes.get(MAGIC)?]);
    let fields = bytes.get(..header_bytes(magic))?;
    let timestamp = match magic {
        0 => NO_TIMESTAMP,
        _ => i64::from_be_bytes(field(fields, TIMESTAMP)),
    };
    Some(BatchHeader {
        base_offset: i64::from_be_bytes(field(fields, 0)),
        length: i32::from_be_bytes(field(fields, 8)),
        partition_leader_epoch: -1,
        magic,
        crc: u32::from_be_bytes(field(fields, CRC)),
        // Codec and timestamp type have the bits that they have in a batch.
        attributes: i16::from(fields[OLD_ATTRIBUTES]) & OLD_ATTRIBUTE_BITS,
        last_offset_delta: 0,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        count: 1,
    })
}

/// Codec and timestamp type.
const OLD_ATTRIBUTE_BITS: i16 = 0b1111;

/// CRC-32 of a whole message's covered part.
pub(super) fn crc_of(message: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(&message[MAGIC..]);
    crc.sum()
}

/// As [`super::decode`], for a message.
pub(super) fn decode(
    message: &Batch<'_>,
    options: &DecodeOptions,
    decompressed: &mut Vec<u8>,
    records: &mut Vec<RecordRef>,
) -> Result<RecordBytes, RecordError> {
    let codec = message.header.compression()?;
    let mut reader = Reader::new(message.payload());
    let body =
        read_body(&mut reader).map_err(|fault| bad_record(message, reader.position(), fault))?;
    if codec == Compression::None {
        let base = options
            .base
            .saturating_add(message.position() + header_bytes(message.header.magic));
        let base = check_base(base, message.payload().len())?;
        let record = body.at(
            base,
            message.header.base_offset,
            message.header.base_timestamp,
        );
        if record.offset >= options.start_offset {
            records.push(record);
        }
        return Ok(RecordBytes::Fetched);
    }
    let (start, before) = (decompressed.len(), records.len());
    let outcome = decompress_set(message, codec, &body, options, decompressed).and_then(|()| {
        let base = check_base(start, decompressed.len() - start)?;
        read_set(message, &decompressed[start..], base, records)
    });
    if let Err(error) = outcome {
        decompressed.truncate(start);
        records.truncate(before);
        return Err(error);
    }
    let mut index = 0;
    records.retain(|record| {
        index += 1;
        index <= before || record.offset >= options.start_offset
    });
    Ok(RecordBytes::Decompressed)
}

fn check_base(base: usize, len: usize) -> Result<u32, RecordError> {
    let end = base.saturating_add(len);
    match (u32::try_from(base), u32::try_from(end)) {
        (Ok(base), Ok(_)) => Ok(base),
        _ => Err(RecordError::BufferTooLarge { bytes: end }),
    }
}

fn bad_record(message: &Batch<'_>, position: usize, fault: RecordFault) -> RecordError {
    RecordError::BadRecord {
        base_offset: message.header.base_offset,
        record: 0,
        position,
        fault,
    }
}

fn decompress_set(
    message: &Batch<'_>,
    codec: Compression,
    body: &Body,
    options: &DecodeOptions,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let base_offset = message.header.base_offset;
    let value = body
        .value
        .of(message.payload())
        .ok_or_else(|| bad_record(message, 0, RecordFault::NegativeLength))?;
    let cap = options.max_decompressed;
    decompress(codec, value, cap, out).map_err(|failure| match failure {
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

/// Appends every message of a decompressed set.
fn read_set(
    wrapper: &Batch<'_>,
    set: &[u8],
    base: u32,
    records: &mut Vec<RecordRef>,
) -> Result<(), RecordError> {
    let before = records.len();
    let mut reader = Reader::new(set);
    while reader.remaining() > 0 {
        let found = read_inner(&mut reader, wrapper, base)
            .map_err(|fault| bad_record(wrapper, reader.position(), fault))?;
        records.push(found);
    }
    let inner = &mut records[before..];
    // Messages of magic 1 count from the set's start, and the wrapper has the last one's offset.
    if wrapper.header.magic == 1
        && let Some(last) = inner.last()
    {
        let base_offset = wrapper.header.base_offset.wrapping_sub(last.offset);
        for record in inner {
            record.offset = record.offset.wrapping_add(base_offset);
        }
    }
    Ok(())
}

fn read_inner(
    reader: &mut Reader<'_>,
    wrapper: &Batch<'_>,
    base: u32,
) -> Result<RecordRef, RecordFault> {
    let start = reader.position();
    let magic = wrapper.header.magic;
    let fields = reader.take(header_bytes(magic))?;
    let header = parse(fields).ok_or(RecordFault::Truncated)?;
    if header.magic != magic || header.attributes & 0b111 != 0 {
        return Err(RecordFault::NestedCompression);
    }
    let body_bytes = usize::try_from(header.length)
        .ok()
        .and_then(|length| (length + LENGTH_OVERHEAD).checked_sub(fields.len()))
        .ok_or(RecordFault::NegativeLength)?;
    let mut body_reader = Reader::new(reader.take(body_bytes)?);
    let body = read_body(&mut body_reader)?;
    let timestamp = match wrapper.header.timestamp_type() {
        TimestampType::LogAppendTime => wrapper.header.base_timestamp,
        TimestampType::CreateTime => header.base_timestamp,
    };
    let body_start = u32::try_from(start + fields.len()).map_err(|_| RecordFault::Truncated)?;
    Ok(body.at(base + body_start, header.base_offset, timestamp))
}

/// Key and value, as spans of the bytes after a message's header.
struct Body {
    key: Span,
    value: Span,
}

impl Body {
    fn at(&self, base: u32, offset: i64, timestamp: i64) -> RecordRef {
        RecordRef {
            offset,
            timestamp,
            key: shift(self.key, base),
            value: shift(self.value, base),
            headers: Span {
                start: base,
                len: 0,
            },
            header_count: 0,
        }
    }
}

fn shift(span: Span, base: u32) -> Span {
    if span.is_null() {
        return Span::NULL;
    }
    Span {
        start: span.start + base,
        len: span.len,
    }
}

fn read_body(reader: &mut Reader<'_>) -> Result<Body, RecordFault> {
    let key = read_bytes(reader)?;
    let value = read_bytes(reader)?;
    if reader.remaining() != 0 {
        return Err(RecordFault::TrailingBytes);
    }
    Ok(Body { key, value })
}

fn read_bytes(reader: &mut Reader<'_>) -> Result<Span, RecordFault> {
    let length = i32::from_be_bytes(field(reader.take(4)?, 0));
    let Ok(len) = u32::try_from(length) else {
        return match length {
            -1 => Ok(Span::NULL),
            _ => Err(RecordFault::NegativeLength),
        };
    };
    let start = u32::try_from(reader.position()).map_err(|_| RecordFault::LengthOutOfBounds)?;
    reader.take(len as usize)?;
    Ok(Span { start, len })
}
