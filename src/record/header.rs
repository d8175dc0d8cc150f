//! The 61 bytes before a batch's records.

use super::{Compression, RecordError, legacy};

/// Bytes before the records of a batch.
pub const HEADER_BYTES: usize = 61;
/// Bytes of base offset and length, which the length field does not count.
pub(super) const LENGTH_OVERHEAD: usize = 12;

/// The length field of a batch without records.
const MIN_LENGTH: i32 = 49;
/// The magic of a record batch.
pub const MAGIC_V2: i8 = 2;

pub(super) const BASE_OFFSET: usize = 0;
pub(super) const LENGTH: usize = 8;
pub(super) const PARTITION_LEADER_EPOCH: usize = 12;
pub(super) const MAGIC: usize = 16;
pub(super) const CRC: usize = 17;
pub(super) const ATTRIBUTES: usize = 21;
pub(super) const LAST_OFFSET_DELTA: usize = 23;
pub(super) const BASE_TIMESTAMP: usize = 27;
pub(super) const MAX_TIMESTAMP: usize = 35;
pub(super) const PRODUCER_ID: usize = 43;
pub(super) const PRODUCER_EPOCH: usize = 51;
pub(super) const BASE_SEQUENCE: usize = 53;
pub(super) const COUNT: usize = 57;

pub(super) const COMPRESSION_MASK: i16 = 0b111;
pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
pub(super) const CONTROL: i16 = 1 << 5;
pub(super) const DELETE_HORIZON: i16 = 1 << 6;

/// What a batch says about the producer that wrote it (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerFields {
    /// Producer id from InitProducerId; −1 without idempotence.
    pub producer_id: i64,
    /// Its epoch; −1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence number of the first record; −1 without idempotence.
    pub base_sequence: i32,
    /// Whether the records belong to a transaction.
    pub transactional: bool,
}

impl ProducerFields {
    /// A producer without idempotence.
    pub const NONE: Self = Self {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        transactional: false,
    };
}

/// Who set the timestamps of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer.
    CreateTime,
    /// The broker: every record has the batch's maximum timestamp.
    LogAppendTime,
}

/// The header of a batch (Kafka: `DefaultRecordBatch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record that the batch had when it was written.
    pub base_offset: i64,
    /// Bytes after the length field; [`Self::total_bytes`] is the whole.
    pub length: i32,
    /// Epoch of the leader that appended it; −1 from a producer.
    pub partition_leader_epoch: i32,
    /// 2, or 0 and 1 for a message of an old format: its fields stand in for those of a batch, and a
    /// compressed one has the offset of the last message in it.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, timestamp type and flags; see the methods.
    pub attributes: i16,
    /// Offset of the last record minus `base_offset`, also after compaction took records away.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, in milliseconds since the epoch (the delete horizon when
    /// [`Self::has_delete_horizon`] says so).
    pub base_timestamp: i64,
    /// Largest timestamp of the records, or the time of the append.
    pub max_timestamp: i64,
    /// See [`ProducerFields`].
    pub producer_id: i64,
    /// See [`ProducerFields`].
    pub producer_epoch: i16,
    /// See [`ProducerFields`].
    pub base_sequence: i32,
    /// Records in the batch; 0 when compaction kept only the producer's state.
    pub count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`; `None` when the bytes end within it. Whether the
    /// whole batch is there is for the caller to compare with [`Self::total_bytes`].
    ///
    /// # Errors
    /// [`RecordError::BadLength`], [`RecordError::OldMessageFormat`] or [`RecordError::BadMagic`],
    /// as soon as the bytes that tell it are there; position is 0.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, RecordError> {
        match Self::parse_at(bytes, 0)? {
            Some(header) if header.magic != MAGIC_V2 => Err(RecordError::OldMessageFormat {
                base_offset: header.base_offset,
                magic: header.magic,
            }),
            header => Ok(header),
        }
    }

    /// As [`Self::parse`], for a batch, or a message of an old format, that starts at `position` of
    /// what the caller knows.
    pub(super) fn parse_at(bytes: &[u8], position: usize) -> Result<Option<Self>, RecordError> {
        if bytes.len() <= MAGIC {
            return Ok(None);
        }
        let base_offset = i64::from_be_bytes(field(bytes, BASE_OFFSET));
        let length = i32::from_be_bytes(field(bytes, LENGTH));
        let magic = i8::from_be_bytes(field(bytes, MAGIC));
        check_format(position, base_offset, length, magic)?;
        if magic != MAGIC_V2 {
            return Ok(legacy::parse(bytes));
        }
        if bytes.len() < HEADER_BYTES {
            return Ok(None);
        }
        Ok(Some(Self {
            base_offset,
            length,
            partition_leader_epoch: i32::from_be_bytes(field(bytes, PARTITION_LEADER_EPOCH)),
            magic,
            crc: u32::from_be_bytes(field(bytes, CRC)),
            attributes: i16::from_be_bytes(field(bytes, ATTRIBUTES)),
            last_offset_delta: i32::from_be_bytes(field(bytes, LAST_OFFSET_DELTA)),
            base_timestamp: i64::from_be_bytes(field(bytes, BASE_TIMESTAMP)),
            max_timestamp: i64::from_be_bytes(field(bytes, MAX_TIMESTAMP)),
            producer_id: i64::from_be_bytes(field(bytes, PRODUCER_ID)),
            producer_epoch: i16::from_be_bytes(field(bytes, PRODUCER_EPOCH)),
            base_sequence: i32::from_be_bytes(field(bytes, BASE_SEQUENCE)),
            count: i32::from_be_bytes(field(bytes, COUNT)),
        }))
    }

    /// Bytes of the batch, header included.
    pub fn total_bytes(&self) -> usize {
        // The length was checked to be positive.
        usize::try_from(self.length).unwrap_or(0) + LENGTH_OVERHEAD
    }

    /// Offset of the last record that the batch had when it was written.
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// The offset to go on from after this batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`RecordError::UnknownCompression`].
    pub fn compression(&self) -> Result<Compression, RecordError> {
        let id = u8::try_from(self.attributes & COMPRESSION_MASK).unwrap_or(u8::MAX);
        Compression::from_id(id).ok_or(RecordError::UnknownCompression {
            base_offset: self.base_offset,
            id,
        })
    }

    /// Who set the timestamps.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the records belong to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch is a marker of the broker rather than a producer's records.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether the base timestamp is the time from which on tombstones may go (KIP-534).
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON != 0
    }

    /// The producer's fields.
    pub fn producer(&self) -> ProducerFields {
        ProducerFields {
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            transactional: self.is_transactional(),
        }
    }
}

fn check_format(
    position: usize,
    base_offset: i64,
    length: i32,
    magic: i8,
) -> Result<(), RecordError> {
    let shortest = match magic {
        0 | 1 => legacy::min_length(magic),
        MAGIC_V2 => MIN_LENGTH,
        _ => 0,
    };
    if length < shortest {
        return Err(RecordError::BadLength {
            position,
            base_offset,
            length,
        });
    }
    match magic {
        0..=MAGIC_V2 => Ok(()),
        _ => Err(RecordError::BadMagic { position, magic }),
    }
}

/// `N` bytes at `at`; the caller has checked that they are there.
#[inline]
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// Sets what the log decides: the first record's offset and the leader's epoch. Neither is covered by
/// the CRC.
///
/// # Errors
/// [`RecordError::NotABatch`] when there are fewer bytes than a header, or they have another magic.
pub fn set_base_offset(
    batch: &mut [u8],
    base_offset: i64,
    partition_leader_epoch: i32,
) -> Result<(), RecordError> {
    check_is_batch(batch)?;
    put(batch, BASE_OFFSET, &base_offset.to_be_bytes());
    put(
        batch,
        PARTITION_LEADER_EPOCH,
        &partition_leader_epoch.to_be_bytes(),
    );
    Ok(())
}

/// Sets the producer's fields of a finished batch and redoes its CRC, without decompressing: for a
/// retry after an epoch bump, and for batches that pass through untouched.
///
/// # Errors
/// [`RecordError::NotABatch`] when the bytes are not exactly one batch by their length.
pub fn rewrite_producer_fields(
    batch: &mut [u8],
    fields: &ProducerFields,
) -> Result<(), RecordError> {
    check_is_batch(batch)?;
    let length = i32::from_be_bytes(field(batch, LENGTH));
    if usize::try_from(length) != Ok(batch.len() - LENGTH_OVERHEAD) {
        return Err(RecordError::NotABatch { bytes: batch.len() });
    }
    let mut attributes = i16::from_be_bytes(field(batch, ATTRIBUTES)) & !TRANSACTIONAL;
    if fields.transactional {
        attributes |= TRANSACTIONAL;
    }
    put(batch, ATTRIBUTES, &attributes.to_be_bytes());
    put(batch, PRODUCER_ID, &fields.producer_id.to_be_bytes());
    put(batch, PRODUCER_EPOCH, &fields.producer_epoch.to_be_bytes());
    put(batch, BASE_SEQUENCE, &fields.base_sequence.to_be_bytes());
    write_crc(batch);
    Ok(())
}

/// Everything that [`write_header`] cannot read off the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeaderFields {
    pub(super) base_offset: i64,
    pub(super) attributes: i16,
    pub(super) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer: ProducerFields,
    pub(super) count: i32,
}

/// Fills the gap before the records and computes the CRC. `batch` is a whole batch whose length was
/// checked to fit.
pub(super) fn write_header(batch: &mut [u8], length: i32, fields: &HeaderFields) {
    let mut attributes = fields.attributes;
    if fields.producer.transactional {
        attributes |= TRANSACTIONAL;
    }
    put(batch, BASE_OFFSET, &fields.base_offset.to_be_bytes());
    put(batch, LENGTH, &length.to_be_bytes());
    put(batch, PARTITION_LEADER_EPOCH, &(-1i32).to_be_bytes());
    put(batch, MAGIC, &[2]);
    put(batch, ATTRIBUTES, &attributes.to_be_bytes());
    put(
        batch,
        LAST_OFFSET_DELTA,
        &fields.last_offset_delta.to_be_bytes(),
    );
    put(batch, BASE_TIMESTAMP, &fields.base_timestamp.to_be_bytes());
    put(batch, MAX_TIMESTAMP, &fields.max_timestamp.to_be_bytes());
    put(
        batch,
        PRODUCER_ID,
        &fields.producer.producer_id.to_be_bytes(),
    );
    put(
        batch,
        PRODUCER_EPOCH,
        &fields.producer.producer_epoch.to_be_bytes(),
    );
    put(
        batch,
        BASE_SEQUENCE,
        &fields.producer.base_sequence.to_be_bytes(),
    );
    put(batch, COUNT, &fields.count.to_be_bytes());
    write_crc(batch);
}

/// CRC-32C of a whole batch's covered part.
pub(super) fn crc_of(batch: &[u8]) -> u32 {
    crc32c::crc32c(&batch[ATTRIBUTES..])
}

fn write_crc(batch: &mut [u8]) {
    let crc = crc_of(batch);
    put(batch, CRC, &crc.to_be_bytes());
}

fn check_is_batch(batch: &[u8]) -> Result<(), RecordError> {
    if batch.len() < HEADER_BYTES || i8::from_be_bytes([batch[MAGIC]]) != MAGIC_V2 {
        return Err(RecordError::NotABatch { bytes: batch.len() });
    }
    Ok(())
}

#[inline]
pub(super) fn put(batch: &mut [u8], at: usize, bytes: &[u8]) {
    batch[at..at + bytes.len()].copy_from_slice(bytes);
}
