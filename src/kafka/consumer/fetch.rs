//! One fetch from one broker: the request, and what its answer means for each partition.
//!
//! Requests carry no fetch session (KIP-227): session id 0, epoch −1. A task reads few partitions, and
//! without a session nothing has to be kept in step with the broker.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indexmap::IndexMap;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse};

use super::chunk::{Aborted, Chunk};
use super::core::Core;
use super::subscription::{Position, no_offset};
use crate::api::{SharedBuffer, TopicPartition};
use crate::clients::{ApiErrorKind, AutoOffsetReset, ClientError, IsolationLevel};
use crate::kafka::cluster::Purpose;
use crate::kafka::errors::{self, api_error, code};
use crate::kafka::protocol::text;

/// Time that a broker may take beyond `fetch.max.wait.ms`, whatever `request.timeout.ms` is.
const WAIT_SLACK: Duration = Duration::from_secs(1);

/// A partition of the next request.
#[derive(Debug)]
pub(super) struct FetchWanted {
    pub(super) partition: TopicPartition,
    pub(super) stamp: u64,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) served: u64,
}

/// Fetches once; the answer goes to the consumer's buffer.
pub(super) async fn fetch(core: Rc<Core>, broker: i32, wanted: Vec<FetchWanted>) {
    let result = call(&core, broker, &wanted).await;
    core.fetch_ended(broker);
    for wanted in &wanted {
        let mut partitions = core.partitions.borrow_mut();
        if let Some(state) = partitions.current(&wanted.partition, wanted.stamp) {
            state.fetching = false;
        }
    }
    if core.is_closed() {
        return;
    }
    match result {
        Ok(response) => {
            core.broker_answered(broker);
            take_response(&core, broker, &wanted, response);
        }
        Err(error) => fetch_failed(&core, broker, &wanted, error),
    }
    core.work.notify();
    core.news.notify();
}

async fn call(
    core: &Core,
    broker: i32,
    wanted: &[FetchWanted],
) -> Result<FetchResponse, ClientError> {
    let config = &core.config;
    let connection = core.cluster.connection(broker, Purpose::Data).await?;
    let version = connection.version_for::<FetchRequest>()?;
    let wait = core.fetch_wait();
    let limit = config
        .common
        .request_timeout
        .max(wait.saturating_add(WAIT_SLACK));
    let mut request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(config.fetch_min_bytes)
        .with_max_bytes(core.answer_bytes(broker))
        .with_isolation_level(isolation(config.isolation))
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(topics(wanted, config.max_partition_fetch_bytes));
    if let Some(rack) = config.client_rack.as_deref().filter(|_| version >= 11) {
        request.rack_id = text(rack);
    }
    let asked = Instant::now();
    let response = connection.call_version(request, version, limit).await?;
    match response.error_code {
        0 => {
            core.answered(broker, bytes_of(&response), asked.elapsed());
            Ok(response)
        }
        error => Err(api_error(
            error,
            format!("Fetch request to broker {broker}"),
            None,
        )),
    }
}

/// Kafka's number of an isolation level.
pub(super) fn isolation(level: IsolationLevel) -> i8 {
    match level {
        IsolationLevel::ReadUncommitted => 0,
        IsolationLevel::ReadCommitted => 1,
    }
}

fn topics(wanted: &[FetchWanted], max_bytes: i32) -> Vec<FetchTopic> {
    let mut topics: IndexMap<&str, Vec<FetchPartition>> = IndexMap::new();
    for wanted in wanted {
        let partition = FetchPartition::default()
            .with_partition(wanted.partition.partition)
            .with_current_leader_epoch(wanted.leader_epoch)
            .with_fetch_offset(wanted.offset)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(max_bytes);
        let topic = topics.entry(&wanted.partition.topic).or_default();
        topic.push(partition);
    }
    topics
        .into_iter()
        .map(|(topic, partitions)| {
            FetchTopic::default()
                .with_topic(text(topic).into())
                .with_partitions(partitions)
        })
        .collect()
}

fn fetch_failed(core: &Core, broker: i32, wanted: &[FetchWanted], error: ClientError) {
    tracing::debug!(broker, %error, "fetch failed");
    core.broker_failed(broker);
    core.cluster.request_refresh();
    let mut partitions = core.partitions.borrow_mut();
    for wanted in wanted {
        if let Some(state) = partitions.current(&wanted.partition, wanted.stamp) {
            state.preferred = None;
        }
    }
    drop(partitions);
    if !error.is_retriable() {
        core.fail(error);
    }
}

fn take_response(core: &Core, broker: i32, wanted: &[FetchWanted], response: FetchResponse) {
    let answer = core.next_answer();
    let buffer = SharedBuffer::new(bytes_of(&response));
    core.quiet();
    for topic in response.responses {
        for data in topic.partitions {
            let asked = wanted.iter().find(|wanted| {
                wanted.partition.partition == data.partition_index
                    && *wanted.partition.topic == *topic.topic.as_str()
            });
            match asked {
                Some(asked) => take_partition(core, (broker, answer, &buffer), asked, data),
                None => tracing::debug!(broker, "a fetch brought what was not asked for"),
            }
        }
    }
}

/// Bytes of all records.
fn bytes_of(response: &FetchResponse) -> usize {
    let partitions = response.responses.iter().flat_map(|t| &t.partitions);
    let bytes = partitions.map(|data| data.records.as_ref().map_or(0, Bytes::len));
    bytes.sum()
}

fn take_partition(
    core: &Core,
    (broker, answer, buffer): (i32, u64, &Rc<SharedBuffer>),
    asked: &FetchWanted,
    mut data: PartitionData,
) {
    if data.error_code != 0 {
        return partition_failed(core, broker, asked, &data);
    }
    let end = match core.config.isolation {
        IsolationLevel::ReadUncommitted => data.high_watermark,
        IsolationLevel::ReadCommitted => data.last_stable_offset,
    };
    let mut partitions = core.partitions.borrow_mut();
    let Some(state) = partitions.current(&asked.partition, asked.stamp) else {
        return;
    };
    state.succeeded();
    if end >= 0 {
        state.end = Some(end);
    }
    if data.preferred_read_replica.0 >= 0 && data.preferred_read_replica.0 != broker {
        let until = Instant::now() + core.config.common.metadata_max_age;
        state.preferred = Some((data.preferred_read_replica.0, until));
    }
    let records = data.records.take().unwrap_or_default();
    if records.is_empty() {
        return;
    }
    let mut chunk = chunk_of(broker, asked, records, data);
    chunk.answer = answer;
    chunk.buffer = Rc::clone(buffer);
    if chunk.is_cut_off() {
        // Nothing whole in it: the partition keeps its place at the front, where a broker gives at
        // least one whole batch.
        return;
    }
    state.buffered = true;
    partitions.note_served(&asked.partition);
    drop(partitions);
    core.busy();
    core.push_chunk(chunk);
}

fn chunk_of(broker: i32, asked: &FetchWanted, records: Bytes, data: PartitionData) -> Chunk {
    let aborted = data.aborted_transactions.unwrap_or_default();
    let aborted = aborted
        .iter()
        .map(|aborted| (aborted.producer_id.0, aborted.first_offset));
    Chunk::new(
        asked.partition.clone(),
        asked.stamp,
        broker,
        asked.offset,
        records,
        Aborted::new(aborted),
    )
}

fn partition_failed(core: &Core, broker: i32, asked: &FetchWanted, data: &PartitionData) {
    let partition = &asked.partition;
    let error = data.error_code;
    let mut partitions = core.partitions.borrow_mut();
    let Some(state) = partitions.current(partition, asked.stamp) else {
        return;
    };
    tracing::debug!(%partition, broker, error = errors::name(error), "fetch error");
    let from_follower = state.preferred.take().is_some();
    state.back_off(|failures| core.cluster.retry_backoff(failures));
    let mut fatal = None;
    match error {
        code::OFFSET_OUT_OF_RANGE if from_follower => {}
        code::OFFSET_OUT_OF_RANGE => {
            let to = core.config.auto_offset_reset;
            tracing::warn!(%partition, offset = asked.offset, reset = ?to, "offset out of range");
            if to == AutoOffsetReset::None {
                fatal = Some(no_offset(partition));
            } else {
                partitions.move_to(partition, Position::Reset(to));
            }
        }
        code::CORRUPT_MESSAGE => {
            fatal = Some(ClientError::Corrupt {
                topic: partition.topic.to_string(),
                partition: partition.partition,
                offset: asked.offset,
                reason: "the broker says that the record is corrupt".to_owned(),
            });
        }
        error => {
            let told = api_error(error, format!("fetching from {partition}"), None);
            if !told.is_retriable() && error != -1 {
                fatal = Some(told);
            }
        }
    }
    drop(partitions);
    if errors::kind(error) == ApiErrorKind::RefreshMetadata {
        core.cluster.request_refresh();
        let named = &data.current_leader;
        if named.leader_id.0 >= 0 {
            core.cluster.learn_leader(
                &partition.topic,
                partition.partition,
                named.leader_id.0,
                named.leader_epoch,
            );
        }
    }
    if let Some(fatal) = fatal {
        core.fail(fatal);
    }
}
