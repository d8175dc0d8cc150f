//! Records and batches, source and sink.
//!
//! The unit is the batch. On the *slice* road a record is a few ranges into a shared buffer
//! ([`SliceBatch`], [`SliceColumn::Slices`]); on the *struct* road it is a [`ConnectRecord`] with the
//! full data model.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;

use super::data::{SchemaAndValue, SchemaRef};
use super::errant_records::Originals;
use super::error::ConnectError;

/// A source partition or source offset: JSON members with primitive values, order kept (contract 4.3).
pub type SourceMap = serde_json::Map<String, serde_json::Value>;

/// A topic and one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: Rc<str>,
    /// Partition number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// `topic`-`partition`.
    pub fn new(topic: impl Into<Rc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A range of a batch's buffer, or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length in bytes; [`Span::NULL_LEN`] for null.
    pub len: u32,
}

impl Span {
    /// The length that stands for null.
    pub const NULL_LEN: u32 = u32::MAX;
    /// Kafka's null (a tombstone's value, an absent key).
    pub const NULL: Self = Self {
        start: 0,
        len: Self::NULL_LEN,
    };

    /// The range `start..end`.
    ///
    /// # Errors
    /// It ends beyond 4 GiB.
    #[inline]
    pub fn between(start: usize, end: usize) -> Result<Self, ConnectError> {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(first), Ok(last)) if last >= first => Ok(Self {
                start: first,
                len: last - first,
            }),
            _ => Err(ConnectError::data(
                "a batch of converted records is larger than 4 GiB",
            )),
        }
    }

    /// Whether this is null rather than a range.
    pub fn is_null(self) -> bool {
        self.len == Self::NULL_LEN
    }

    /// The bytes in `buffer`, `None` for null or for a range outside of it.
    #[inline]
    pub fn of(self, buffer: &[u8]) -> Option<&[u8]> {
        if self.is_null() {
            return None;
        }
        let start = self.start as usize;
        buffer.get(start..start + self.len as usize)
    }
}

/// What the bytes of a slice are in Connect's data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SliceForm {
    /// A string, UTF-8 in the good case. Invalid bytes pass through unharmed on the slice road and
    /// become U+FFFD where a record is materialised, as in Java.
    Text,
    /// A byte array.
    Bytes,
}

/// One header of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Header name; names may repeat.
    pub key: String,
    /// Its value.
    pub value: SchemaAndValue,
}

/// What source and sink records share (Kafka: `ConnectRecord`).
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectRecord {
    /// Topic.
    pub topic: Rc<str>,
    /// Kafka partition; `None` leaves the choice to the partitioner.
    pub kafka_partition: Option<i32>,
    /// Key.
    pub key: SchemaAndValue,
    /// Value.
    pub value: SchemaAndValue,
    /// Milliseconds since the epoch; `None` lets the producer set it.
    pub timestamp: Option<i64>,
    /// Headers in order, duplicates kept.
    pub headers: Vec<Header>,
}

/// A record on its way from a source to Kafka.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRecord {
    /// Topic, key, value, timestamp, headers.
    pub record: ConnectRecord,
    /// Where in the source it came from; `None` stores no offset.
    pub source_partition: Option<Rc<SourceMap>>,
    /// Position *after* this record.
    pub source_offset: Option<Rc<SourceMap>>,
}

/// A record on its way from Kafka to a sink.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkRecord {
    /// Topic, key, value, timestamp, headers, as transforms left them.
    pub record: ConnectRecord,
    /// Kafka offset.
    pub offset: i64,
    /// Whether the broker set the timestamp (LogAppendTime) rather than the producer.
    pub log_append_time: bool,
}

/// What [`super::SourceTask::poll`] hands over.
#[derive(Debug)]
pub enum SourceBatch {
    /// Records as ranges into one buffer: same topic, same source partition.
    Slices(SliceBatch),
    /// Records of the full data model.
    Records(Vec<SourceRecord>),
    /// Whole record batches of another topic, which travel untouched where converters and transforms
    /// permit.
    Batches(RecordBatches),
}

impl SourceBatch {
    /// Number of records; of [`Self::Batches`] as their headers say it.
    pub fn len(&self) -> usize {
        match self {
            Self::Slices(batch) => batch.values.len(),
            Self::Records(records) => records.len(),
            Self::Batches(batches) => batches.len(),
        }
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Source records of one topic and one source partition, as ranges into one shared buffer.
#[derive(Debug)]
pub struct SliceBatch {
    /// Topic of every record.
    pub topic: Rc<str>,
    /// Kafka partition of every record; `None` leaves the choice to the partitioner.
    pub kafka_partition: Option<i32>,
    /// Milliseconds since the epoch for every record; `None` lets the producer set it.
    pub timestamp: Option<i64>,
    /// Bytes of keys and values. Usually pooled: dropping the last clone gives the buffer back.
    pub buffer: Bytes,
    /// Value of each record. Schema: required string or bytes by `form`, or none when `value_schema`
    /// says so.
    pub values: Vec<Span>,
    /// Key of each record, of the same schema as the values; `None` when no record has one.
    pub keys: Option<Vec<Span>>,
    /// What the bytes are.
    pub form: SliceForm,
    /// Schema of each value (for example required string); `None` for schemaless.
    pub value_schema: Option<SchemaRef>,
    /// Source partition of every record; `None` stores no offset.
    pub source_partition: Option<Rc<SourceMap>>,
    /// Member of the source offset that [`Self::positions`] counts, e.g. `position`.
    pub position_field: Rc<str>,
    /// Source position after each record is `base_position + positions[i]`.
    pub base_position: i64,
    /// See [`Self::base_position`]; as long as `values`.
    pub positions: Vec<u32>,
}

/// A buffer that record batches are slices of. Producers count it as a whole in `buffer.memory` for as
/// long as they hold one of its batches, since the smallest slice keeps all of it.
#[derive(Debug)]
pub struct SharedBuffer {
    bytes: usize,
    holders: Cell<usize>,
}

impl SharedBuffer {
    /// A buffer of `bytes` bytes that nobody holds yet.
    pub fn new(bytes: usize) -> Rc<Self> {
        Rc::new(Self {
            bytes,
            holders: Cell::new(0),
        })
    }

    /// Bytes that a further holder would add: 0 when somebody holds it already.
    pub fn cost(&self) -> usize {
        match self.holders.get() {
            0 => self.bytes,
            _ => 0,
        }
    }

    /// Holds it; gives the bytes that this adds.
    pub fn hold(&self) -> usize {
        let cost = self.cost();
        self.holders.set(self.holders.get() + 1);
        cost
    }

    /// Lets go; gives the bytes that this frees: those of the buffer for the last holder.
    pub fn release(&self) -> usize {
        self.holders.set(self.holders.get().saturating_sub(1));
        self.cost()
    }
}

/// A record batch as a Kafka log has it (format v2, KIP-98), its records still encoded and perhaps
/// compressed. `record/` reads it, writes its header anew and decodes it.
#[derive(Debug, Clone)]
pub struct RawBatch {
    /// One whole batch, header included, its CRC compared where `check.crcs` says so.
    pub bytes: Bytes,
    /// What `bytes` is a slice of.
    pub buffer: Rc<SharedBuffer>,
    /// Offset of the first record in the source.
    pub base_offset: i64,
    /// The offset to go on from after this batch.
    pub next_offset: i64,
    /// Records in the batch, as its header says it.
    pub count: u32,
    /// Records of smaller offsets are not wanted: the position was inside of the batch. `base_offset` or
    /// less when all are wanted.
    pub skip_before: i64,
}

/// Record batches of one source partition for one partition of a topic.
#[derive(Debug)]
pub struct RecordBatches {
    /// Topic that they are for.
    pub topic: Rc<str>,
    /// Its partition.
    pub kafka_partition: i32,
    /// In offset order.
    pub batches: Vec<RawBatch>,
    /// Source partition of every record; `None` stores no offset.
    pub source_partition: Option<Rc<SourceMap>>,
    /// Member of the source offset that holds a record's own offset in the source, e.g. `offset`.
    pub position_field: Rc<str>,
}

impl RecordBatches {
    /// Number of records, as the headers say it.
    pub fn len(&self) -> usize {
        self.batches.iter().map(|batch| batch.count as usize).sum()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keys or values of a [`SinkBatch`], one entry per record.
#[derive(Debug, Clone)]
pub enum SliceColumn {
    /// Ranges into `buffer`; null spans are null values.
    Slices {
        /// What the bytes are.
        form: SliceForm,
        /// The fetched bytes, or bytes rewritten from them.
        buffer: Bytes,
        /// One range per record.
        spans: Vec<Span>,
    },
    /// The full data model.
    Values(Vec<SchemaAndValue>),
    /// The task asked for none of it (see [`super::SinkForm`]).
    Omitted,
}

/// Records of one topic partition on their way to a sink, in offset order. Records that were filtered
/// or skipped are absent, and `next_offset` still counts them.
#[derive(Debug, Clone)]
pub struct SinkBatch {
    /// Topic partition that they were consumed from.
    pub source: TopicPartition,
    /// Kafka offset of each record.
    pub offsets: Vec<i64>,
    /// Timestamp of each record in milliseconds since the epoch; −1 when the record has none.
    pub timestamps: Vec<i64>,
    /// Whether the broker set the timestamps (LogAppendTime).
    pub log_append_time: bool,
    /// Keys.
    pub keys: SliceColumn,
    /// Values.
    pub values: SliceColumn,
    /// Headers of each record; empty when the plan found no use for them or no record has any.
    pub headers: Vec<Vec<Header>>,
    /// Topic and partition of each record after transforms; `None` when no transform could change them.
    pub routed: Option<Vec<(Rc<str>, Option<i32>)>>,
    /// Offset after the last record consumed, whether or not that record is in the batch.
    pub next_offset: i64,
    /// The consumed bytes, for a task that reports bad records itself.
    pub originals: Option<Originals>,
}

impl SinkBatch {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }
}
