//! The traits that `kafka/` and `embedded/` implement.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::error::ClientError;
use crate::api::{RawBatch, Span, TopicPartition};
use crate::record::{RecordHeader, RecordRef, encode_raw};

/// A topic known to a producer; cheap to copy, valid for the producer that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicHandle(pub u32);

/// Names a record in acknowledgements: the caller's batch number and the record's index in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordToken {
    /// The caller's number of the batch.
    pub batch: u64,
    /// Index within it.
    pub index: u32,
}

/// One record to produce. Slices are copied by [`Producer::append`].
#[derive(Debug, Clone, Copy)]
pub struct ProducerRecord<'a> {
    /// Partition; `None` leaves it to the partitioner (murmur2 of the key, sticky without key).
    pub partition: Option<i32>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: &'a [RecordHeader<'a>],
}

/// Many records of one topic without headers, as ranges into buffers.
#[derive(Debug, Clone, Copy)]
pub struct Slices<'a> {
    /// Partition of all; `None` leaves it to the partitioner.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch, of all.
    pub timestamp: i64,
    /// What `values` index.
    pub buffer: &'a [u8],
    /// One value per record.
    pub values: &'a [Span],
    /// Buffer and ranges of the keys; `None` when no record has one.
    pub keys: Option<(&'a [u8], &'a [Span])>,
}

impl<'a> Slices<'a> {
    /// Record `index`; `None` past the end.
    #[inline]
    pub fn record(&self, index: usize) -> Option<ProducerRecord<'a>> {
        let value = self.values.get(index)?.of(self.buffer);
        let key = self
            .keys
            .and_then(|(buffer, spans)| spans.get(index)?.of(buffer));
        Some(ProducerRecord {
            partition: self.partition,
            timestamp: self.timestamp,
            key,
            value,
            headers: &[],
        })
    }
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Append {
    /// Taken.
    Taken,
    /// Not taken: `buffer.memory` is used up. Await [`Producer::ready`] and append again.
    Full,
}

/// What became of a whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendBatch {
    /// Taken.
    Taken,
    /// Not taken: `buffer.memory` is used up. Await [`Producer::ready`] and append again.
    Full,
    /// It can't be written as it is, and why: its records have to be appended one by one.
    Unfit(&'static str),
}

/// Where acknowledged records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// Partition they went to.
    pub partition: i32,
    /// Kafka offset of the first; −1 when the broker gave none (`acks=0`).
    pub base_offset: i64,
}

/// Fate of a run of records of one caller's batch: acknowledged or given up.
#[derive(Debug, Clone)]
pub struct Ack {
    /// The caller's batch number.
    pub batch: u64,
    /// Index of the first record.
    pub first: u32,
    /// How many, consecutive in the batch and in Kafka.
    pub count: u32,
    /// Topic they were for.
    pub topic: TopicHandle,
    /// Where they are, or why not.
    pub result: Result<Acked, Rc<ClientError>>,
}

/// Writes records. Batching, retries and ordering are inside; every appended record is reported exactly
/// once by [`Producer::take_acks`].
#[async_trait(?Send)]
pub trait Producer {
    /// Makes a topic known, waiting for its metadata up to `max.block.ms`.
    ///
    /// # Errors
    /// Unknown topic (auto-creation off), authorization, time-out.
    async fn topic(&self, topic: &str) -> Result<TopicHandle, ClientError>;

    /// Number of partitions of a topic as known now.
    fn partitions(&self, topic: TopicHandle) -> u32;

    /// Appends one record to its partition's open batch, copying it. Never waits.
    ///
    /// # Errors
    /// `RecordTooLarge` (the record alone is refused; the producer goes on), or the producer's fatal error.
    fn append(
        &self,
        topic: TopicHandle,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<Append, ClientError>;

    /// Appends records `from..` of `slices` until done or full; gives the index of the first record not
    /// taken (`values.len()` when all were). Record `i` gets token `{batch, i}`.
    ///
    /// # Errors
    /// The error of [`Producer::append`] with the index of the record that it concerns; those before it
    /// were taken.
    fn append_slices(
        &self,
        topic: TopicHandle,
        slices: &Slices<'_>,
        from: u32,
        batch: u64,
    ) -> Result<u32, (u32, ClientError)> {
        let mut index = from;
        while let Some(record) = slices.record(index as usize) {
            match self.append(topic, &record, RecordToken { batch, index }) {
                Ok(Append::Taken) => index += 1,
                Ok(Append::Full) => break,
                Err(error) => return Err((index, error)),
            }
        }
        Ok(index)
    }

    /// Appends a whole batch behind what was appended to its partition, without looking at its records
    /// and without copying them. Record `i` gets token `{batch_number, i}`. Never waits. It counts with
    /// the whole buffer that it is a slice of in `buffer.memory`; `batch.size` and `linger.ms` mean
    /// nothing to it.
    ///
    /// # Errors
    /// Unknown partition, or the producer's fatal error.
    fn append_batch(
        &self,
        topic: TopicHandle,
        partition: i32,
        batch: &RawBatch,
        batch_number: u64,
    ) -> Result<AppendBatch, ClientError> {
        let _ = (topic, partition, batch, batch_number);
        Ok(AppendBatch::Unfit("this producer takes records alone"))
    }

    /// Completes when appends have room again (see [`Append::Full`]).
    ///
    /// # Errors
    /// The producer's fatal error, or a time-out after `max.block.ms`.
    async fn ready(&self) -> Result<(), ClientError>;

    /// Moves finished acknowledgements to `out`, in the order they came.
    fn take_acks(&self, out: &mut Vec<Ack>);

    /// Completes when [`Producer::take_acks`] has something. Cancel-safe.
    async fn acked(&self);

    /// Number of records appended and not yet reported by an [`Ack`].
    fn in_flight(&self) -> usize;

    /// Sends everything now, without waiting for `linger.ms`, and completes when all appended records
    /// were acknowledged or given up. Results come by [`Producer::take_acks`]. Cancel-safe.
    async fn flush(&self);

    /// Closes: flushes for up to `timeout`, then gives up what is left.
    async fn close(&self, timeout: Duration);
}

/// Records of one partition from one fetch, in offset order.
#[derive(Debug)]
pub struct FetchedRecords {
    /// Where they are from.
    pub source: TopicPartition,
    /// What the spans of `records` index; pooled.
    pub buffer: Bytes,
    /// The records; may be empty when only control records were passed.
    pub records: Vec<RecordRef>,
    /// Offset after the last record consumed, control and aborted ones included.
    pub next_offset: i64,
    /// Whether the broker set the timestamps (LogAppendTime).
    pub log_append_time: bool,
}

/// Whole record batches of one partition, in offset order. Control batches and, with `read_committed`,
/// those of aborted transactions are left out.
#[derive(Debug)]
pub struct FetchedBatches {
    /// Where they are from.
    pub source: TopicPartition,
    /// The batches; may be empty when only control batches were passed.
    pub batches: Vec<RawBatch>,
    /// Offset after the last record, those left out included.
    pub next_offset: i64,
}

/// What [`Consumer::poll`] brings. Rebalance events come in order, one per poll; the next poll goes on
/// with the rebalance, so what has to happen before (commit, close) happens between the two polls.
#[derive(Debug)]
pub enum Polled {
    /// Records; never empty.
    Records(Vec<FetchedRecords>),
    /// These partitions are about to go to another member: flush and commit now, then poll.
    Revoked(Vec<TopicPartition>),
    /// These partitions are gone already; commits would fail.
    Lost(Vec<TopicPartition>),
    /// These partitions are new (cooperative: in addition to those kept).
    Assigned(Vec<TopicPartition>),
    /// The time-out passed.
    Idle,
}

/// Makes batches of decoded records, see [`encode_raw`].
///
/// # Errors
/// `Corrupt`: headers that can't be read.
pub fn encode_batches(fetched: &FetchedRecords) -> Result<FetchedBatches, ClientError> {
    let batches = encode_raw(&fetched.buffer, &fetched.records);
    let batches = batches.map_err(|error| ClientError::Corrupt {
        topic: fetched.source.topic.to_string(),
        partition: fetched.source.partition,
        offset: fetched.records.first().map_or(-1, |record| record.offset),
        reason: error.to_string(),
    })?;
    Ok(FetchedBatches {
        source: fetched.source.clone(),
        batches,
        next_offset: fetched.next_offset,
    })
}

/// What a group member subscribes to.
#[derive(Debug, Clone)]
pub enum Subscription {
    /// Topics by name.
    Topics(Vec<String>),
    /// Every topic whose whole name matches, looked up again with each metadata refresh.
    Pattern(regex::Regex),
}

/// Reads records: group membership or manual assignment.
#[async_trait(?Send)]
pub trait Consumer {
    /// Joins the group (at the next poll) and keeps the membership by heartbeats in the background.
    fn subscribe(&self, subscription: Subscription);

    /// Reads these partitions without a group.
    fn assign(&self, partitions: Vec<TopicPartition>);

    /// The next event, at the latest after `timeout`. Cancel-safe.
    ///
    /// # Errors
    /// Non-retriable errors: corrupt batches, authorization, fencing (static membership), no offset.
    async fn poll(&self, timeout: Duration) -> Result<Polled, ClientError>;

    /// As [`Consumer::poll`], for manual assignment, with batches as they are in the log. Messages of the
    /// formats before Kafka 0.11 come in batches made of them. Empty: the time-out passed. Cancel-safe.
    ///
    /// # Errors
    /// As [`Consumer::poll`].
    async fn poll_batches(&self, timeout: Duration) -> Result<Vec<FetchedBatches>, ClientError> {
        match self.poll(timeout).await? {
            Polled::Records(all) => all.iter().map(encode_batches).collect(),
            _ => Ok(Vec::new()),
        }
    }

    /// Partitions held now.
    fn assignment(&self) -> Vec<TopicPartition>;

    /// Offset of the next record that a poll will give, looked up where needed (committed, else by
    /// `auto.offset.reset`).
    ///
    /// # Errors
    /// As [`Consumer::poll`]; time-out.
    async fn position(&self, partition: &TopicPartition) -> Result<i64, ClientError>;

    /// Moves the position; buffered records of the partition are dropped.
    fn seek(&self, partition: &TopicPartition, offset: i64);

    /// Stops fetching; buffered records are kept back until resumed.
    fn pause(&self, partitions: &[TopicPartition]);

    /// Ends a pause.
    fn resume(&self, partitions: &[TopicPartition]);

    /// Commits offsets (next offset to read) for the group. Retriable errors are retried up to
    /// `default.api.timeout.ms`.
    ///
    /// # Errors
    /// Among others: the group has rebalanced since (`ILLEGAL_GENERATION`, `UNKNOWN_MEMBER_ID`,
    /// `REBALANCE_IN_PROGRESS`).
    async fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError>;

    /// Committed offsets of the group.
    ///
    /// # Errors
    /// Authorization, time-out.
    async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError>;

    /// Records between the positions and the ends of the partitions, as last told by the brokers.
    fn lag(&self) -> Option<u64>;

    /// Leaves the group and closes the connections, within `timeout`. Does not commit.
    async fn close(&self, timeout: Duration);
}

/// A topic to create.
#[derive(Debug, Clone)]
pub struct NewTopic {
    /// Name.
    pub name: String,
    /// Partitions; −1 = broker default.
    pub partitions: i32,
    /// Replication factor; −1 = broker default.
    pub replication_factor: i16,
    /// Topic configs.
    pub configs: Vec<(String, String)>,
}

/// What is known of a topic.
#[derive(Debug, Clone)]
pub struct TopicDescription {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Replicas of partition 0.
    pub replication_factor: u16,
}

/// Which offset to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// First offset that is left.
    Earliest,
    /// The end (high watermark).
    Latest,
    /// First offset whose timestamp is at least this, in milliseconds since the epoch.
    Timestamp(i64),
}

/// Topic administration.
#[async_trait(?Send)]
pub trait Admin {
    /// The cluster's id.
    ///
    /// # Errors
    /// No broker reachable within `default.api.timeout.ms`.
    async fn cluster_id(&self) -> Result<String, ClientError>;

    /// Creates a topic. `false` when it exists already.
    ///
    /// # Errors
    /// Authorization, invalid settings, time-out.
    async fn create_topic(&self, topic: &NewTopic) -> Result<bool, ClientError>;

    /// Describes a topic without creating it; `None` when there is none.
    ///
    /// # Errors
    /// Authorization, time-out.
    async fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>, ClientError>;

    /// Names of all topics.
    ///
    /// # Errors
    /// Authorization, time-out.
    async fn list_topics(&self) -> Result<Vec<String>, ClientError>;

    /// Lists one offset per partition.
    ///
    /// # Errors
    /// Unknown topic or partition, time-out.
    async fn list_offsets(
        &self,
        partitions: &[(TopicPartition, OffsetSpec)],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError>;

    /// Deletes the records before an offset of each partition.
    ///
    /// # Errors
    /// Unknown topic or partition, authorization, time-out.
    async fn delete_records(&self, before: &[(TopicPartition, i64)]) -> Result<(), ClientError>;

    /// Deletes a topic. `false` when there is none.
    ///
    /// # Errors
    /// Authorization, time-out.
    async fn delete_topic(&self, topic: &str) -> Result<bool, ClientError>;

    /// Committed offsets of a group, all partitions.
    ///
    /// # Errors
    /// Authorization, time-out.
    async fn group_offsets(&self, group: &str) -> Result<Vec<(TopicPartition, i64)>, ClientError>;

    /// Commits offsets for a group that has no members (Kafka: `Admin.alterConsumerGroupOffsets`). Of
    /// several partitions some may be done when one fails.
    ///
    /// # Errors
    /// The group has members (`UNKNOWN_MEMBER_ID`); unknown topic or partition, authorization, time-out.
    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError>;

    /// Takes committed offsets away; a partition without one is no error (Kafka:
    /// `Admin.deleteConsumerGroupOffsets`).
    ///
    /// # Errors
    /// No such group (`GROUP_ID_NOT_FOUND`), a member reads the topic (`GROUP_SUBSCRIBED_TO_TOPIC`),
    /// unknown topic or partition, authorization, time-out.
    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), ClientError>;

    /// Deletes a group and its committed offsets. `false` when there is none.
    ///
    /// # Errors
    /// The group has members (`NON_EMPTY_GROUP`), authorization, time-out.
    async fn delete_group(&self, group: &str) -> Result<bool, ClientError>;

    /// Closes the connections.
    async fn close(&self);
}

/// Where a topic's setting comes from (Kafka: `ConfigEntry.ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for the topic.
    Topic,
    /// Set while the broker runs, for it or for all brokers.
    DynamicBroker,
    /// The broker's file.
    StaticBroker,
    /// Kafka's default.
    Default,
    /// Told by a newer broker.
    Unknown,
}

/// A setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfigEntry {
    /// Name, e.g. `cleanup.policy`.
    pub name: String,
    /// Value; `None` when it is secret or null.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed.
    pub read_only: bool,
    /// Whether it is secret.
    pub sensitive: bool,
}

/// Changes of a topic's settings; settings that are not named stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfigChange {
    /// Topic.
    pub topic: String,
    /// Name, and the value to set; `None` takes the topic's own value away.
    pub entries: Vec<(String, Option<String>)>,
}

/// Topic administration that a cluster of brokers offers beyond [`Admin`].
#[async_trait(?Send)]
pub trait ClusterAdmin: Admin {
    /// Describes every topic, sorted by name; those that brokers report as unknown are left out.
    ///
    /// # Errors
    /// Authorization, time-out.
    async fn describe_topics(&self) -> Result<Vec<TopicDescription>, ClientError>;

    /// Raises the number of partitions of a topic to `total`. `false` when it has that many or more.
    ///
    /// # Errors
    /// Unknown topic, authorization, time-out.
    async fn create_partitions(&self, topic: &str, total: u32) -> Result<bool, ClientError>;

    /// All settings of these topics, in the order asked for.
    ///
    /// # Errors
    /// Unknown topic, authorization, time-out.
    async fn describe_topic_configs(
        &self,
        topics: &[String],
    ) -> Result<Vec<(String, Vec<TopicConfigEntry>)>, ClientError>;

    /// Changes settings; gives the fate of each topic, in the order asked for.
    ///
    /// # Errors
    /// Brokers older than 2.3 (`UnsupportedVersion`), time-out.
    async fn alter_topic_configs(
        &self,
        changes: &[TopicConfigChange],
    ) -> Result<Vec<Result<(), ClientError>>, ClientError>;
}
