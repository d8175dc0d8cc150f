//! Writing batches.

use super::compression::compress_tail;
use super::decode::ControlBatch;
use super::header::{
    CONTROL, HEADER_BYTES, HeaderFields, LENGTH_OVERHEAD, rewrite_producer_fields, set_base_offset,
    write_header,
};
use super::varint::{
    FIELDS_BYTES, MAX_VARINT_BYTES, MAX_VARLONG_BYTES, push_varlong, put_varlong, size_of_length,
    size_of_varlong,
};
use super::{CompressionConfig, ProducerFields, RecordError, RecordHeader};

/// Kafka's "no timestamp".
const NO_TIMESTAMP: i64 = -1;
/// Length, attributes, timestamp delta and offset delta at their longest
/// (Kafka: `DefaultRecord.MAX_RECORD_OVERHEAD`).
const MAX_RECORD_OVERHEAD: usize = MAX_VARINT_BYTES + 1 + MAX_VARLONG_BYTES + MAX_VARINT_BYTES;
/// Longest key, value or record that a length can say.
const MAX_LENGTH: usize = i32::MAX as usize;

/// Collects records in one reusable buffer and makes a batch of them.
///
/// ```
/// use ringmain::record::{BatchBuilder, CompressionConfig, ProducerFields};
///
/// let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
/// builder.append(1_700_000_000_000, None, Some(b"hello"), &[]);
/// builder.finish(&ProducerFields::NONE, 0)?;
/// assert_eq!(builder.as_bytes().len(), 61 + 12);
/// # Ok::<(), ringmain::record::RecordError>(())
/// ```
#[derive(Debug)]
pub struct BatchBuilder {
    /// The header's gap, then the records; after [`Self::finish`] the whole batch.
    buffer: Vec<u8>,
    compression: CompressionConfig,
    attributes: i16,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
    finished: bool,
}

impl BatchBuilder {
    /// An empty batch in `buffer`, which is cleared and keeps its capacity. Buffers are pooled by the
    /// caller and come back from [`Self::into_bytes`].
    pub fn new(mut buffer: Vec<u8>, compression: CompressionConfig) -> Self {
        buffer.clear();
        buffer.resize(HEADER_BYTES, 0);
        Self {
            buffer,
            compression,
            attributes: i16::from(compression.codec.id()),
            count: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            finished: false,
        }
    }

    /// Adds a record and returns its offset within the batch. `timestamp` is in milliseconds since
    /// the epoch. The buffer grows as needed: whoever has a limit compares
    /// [`Self::len_bytes`] and [`Self::estimate`] with it first.
    ///
    /// # Panics
    /// When the batch is finished.
    #[inline]
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> u32 {
        assert!(!self.finished, "append to a finished record batch");
        let offset_delta = self.count;
        if offset_delta == 0 {
            self.base_timestamp = timestamp;
        }
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let length = 1
            + size_of_varlong(timestamp_delta)
            + size_of_varlong(i64::from(offset_delta))
            + size_of_content(key, value, headers);

        self.put_fields(|out| {
            let mut at = put_varlong(out, 0, length_of(length));
            // The record's attributes, of which Kafka has none yet, stay 0.
            at += 1;
            at = put_varlong(out, at, timestamp_delta);
            at = put_varlong(out, at, i64::from(offset_delta));
            at = put_nullable_length(out, at, key);
            if key.is_none() {
                at = put_nullable_length(out, at, value);
            }
            at
        });
        if let Some(key) = key {
            self.buffer.extend_from_slice(key);
            self.put_fields(|out| put_nullable_length(out, 0, value));
        }
        self.buffer.extend_from_slice(value.unwrap_or_default());
        if headers.is_empty() {
            self.buffer.push(0);
        } else {
            push_headers(&mut self.buffer, headers);
        }
        offset_delta
    }

    /// Appends what `put` writes to the start of zeroed room for a record's fields: it returns how
    /// much that is. The fields are written where they stay: short stores that are read again at once
    /// as a wide copy's source stall the CPU for half the time of an append.
    #[inline]
    fn put_fields(&mut self, put: impl FnOnce(&mut [u8; FIELDS_BYTES]) -> usize) {
        let start = self.buffer.len();
        if self.buffer.capacity() - start >= FIELDS_BYTES {
            self.buffer.extend_from_slice(&[0; FIELDS_BYTES]);
            let len = self.buffer[start..].first_chunk_mut().map_or(0, put);
            self.buffer.truncate(start + len);
        } else {
            // Near the end of a pooled buffer, which must not grow for bytes that are cut off again.
            let mut fields = [0; FIELDS_BYTES];
            let len = put(&mut fields);
            self.buffer.extend_from_slice(&fields[..len]);
        }
    }

    /// The most bytes that a record adds to a batch (Kafka: `DefaultRecord.recordSizeUpperBound`).
    #[inline]
    pub fn estimate(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> usize {
        MAX_RECORD_OVERHEAD + size_of_content(key, value, headers)
    }

    /// Bytes so far, header included and not compressed; after [`Self::finish`] those of the batch.
    #[inline]
    pub fn len_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Records so far.
    #[inline]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there is no record yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Largest timestamp so far, in milliseconds since the epoch; −1 without records.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Compresses the records if that is set and writes the header. Producers give 0 as
    /// `base_offset`, a log gives the offset of the first record. Finishing once more only patches
    /// these fields.
    ///
    /// # Errors
    /// [`RecordError::EmptyBatch`], [`RecordError::BatchTooLarge`] and [`RecordError::Compress`].
    pub fn finish(
        &mut self,
        producer: &ProducerFields,
        base_offset: i64,
    ) -> Result<(), RecordError> {
        if self.finished {
            set_base_offset(&mut self.buffer, base_offset, -1)?;
            return rewrite_producer_fields(&mut self.buffer, producer);
        }
        let too_large = RecordError::BatchTooLarge {
            bytes: self.buffer.len(),
            count: self.count,
        };
        let Ok(count) = i32::try_from(self.count) else {
            return Err(too_large);
        };
        if count == 0 {
            return Err(RecordError::EmptyBatch);
        }
        if i32::try_from(self.buffer.len()).is_err() {
            return Err(too_large);
        }
        compress_tail(&self.compression, &mut self.buffer, HEADER_BYTES)?;
        let Ok(length) = i32::try_from(self.buffer.len() - LENGTH_OVERHEAD) else {
            return Err(too_large);
        };
        let fields = HeaderFields {
            base_offset,
            attributes: self.attributes,
            last_offset_delta: count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer: *producer,
            count,
        };
        write_header(&mut self.buffer, length, &fields);
        self.finished = true;
        Ok(())
    }

    /// The batch, once it is finished.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The batch, once it is finished, or else a buffer to use again.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }
}

/// The most bytes that a batch of this one record has: what `max.request.size` is compared with
/// (Kafka: `AbstractRecords.estimateSizeInBytesUpperBound`).
pub fn size_upper_bound(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader<'_>],
) -> usize {
    HEADER_BYTES + BatchBuilder::estimate(key, value, headers)
}

/// A control batch: the broker's marker at the end of a transaction, which the embedded log and tests
/// write.
///
/// # Errors
/// None that a marker can cause; see [`BatchBuilder::finish`].
pub fn control_batch(
    marker: ControlBatch,
    producer: &ProducerFields,
    timestamp: i64,
    base_offset: i64,
) -> Result<Vec<u8>, RecordError> {
    let mut key = [0; 4];
    key[2..].copy_from_slice(&marker.record.id().to_be_bytes());
    let mut value = [0; 6];
    value[2..].copy_from_slice(&marker.coordinator_epoch.to_be_bytes());
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
    builder.attributes |= CONTROL;
    builder.append(timestamp, Some(&key), Some(&value), &[]);
    builder.finish(producer, base_offset)?;
    Ok(builder.into_bytes())
}

/// Key, value and headers with their lengths (Kafka: `DefaultRecord.sizeOf`).
#[inline]
fn size_of_content(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader<'_>],
) -> usize {
    let mut size = size_of_nullable(key) + size_of_nullable(value) + size_of_length(headers.len());
    for header in headers {
        size += size_of_length(header.key.len()) + header.key.len();
        size += size_of_nullable(header.value);
    }
    size
}

#[inline]
fn size_of_nullable(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| size_of_length(bytes.len()) + bytes.len())
}

/// A length as the number that is written. A batch that holds one over 2 GiB is never finished.
#[inline]
fn length_of(length: usize) -> i64 {
    i64::try_from(length.min(MAX_LENGTH)).unwrap_or(i64::MAX)
}

#[inline]
fn put_nullable_length(out: &mut [u8; FIELDS_BYTES], at: usize, bytes: Option<&[u8]>) -> usize {
    put_varlong(out, at, bytes.map_or(-1, |bytes| length_of(bytes.len())))
}

fn push_headers(buffer: &mut Vec<u8>, headers: &[RecordHeader<'_>]) {
    push_varlong(buffer, length_of(headers.len()));
    for header in headers {
        push_varlong(buffer, length_of(header.key.len()));
        buffer.extend_from_slice(header.key);
        push_varlong(
            buffer,
            header.value.map_or(-1, |value| length_of(value.len())),
        );
        buffer.extend_from_slice(header.value.unwrap_or_default());
    }
}
