//! Offsets: the group's committed ones, and starts and ends of partitions.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetFetchResponse,
};

use super::core::Core;
use super::fetch::isolation;
use super::subscription::Position;
use crate::api::TopicPartition;
use crate::clients::{ApiErrorKind, AutoOffsetReset, ClientError, IsolationLevel};
use crate::kafka::cluster::Purpose;
use crate::kafka::connection::Connection;
use crate::kafka::errors::{api_error, check, code, kind};
use crate::kafka::group::{GroupCalls, Identity};
use crate::kafka::protocol::text;
use crate::shard;

/// Version from which OffsetFetch asks for several groups (KIP-709).
const BATCHED_OFFSET_FETCH: i16 = 8;
/// Version from which OffsetFetch can wait for pending transactions (KIP-447).
const STABLE_OFFSET_FETCH: i16 = 7;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// A partition whose start or end is looked up.
#[derive(Debug)]
pub(super) struct ResetWanted {
    pub(super) partition: TopicPartition,
    pub(super) stamp: u64,
    pub(super) to: AutoOffsetReset,
}

fn by_topic<T>(
    items: impl IntoIterator<Item = (TopicPartition, T)>,
) -> BTreeMap<Rc<str>, Vec<(i32, T)>> {
    let mut topics: BTreeMap<Rc<str>, Vec<(i32, T)>> = BTreeMap::new();
    for (partition, item) in items {
        topics
            .entry(partition.topic)
            .or_default()
            .push((partition.partition, item));
    }
    topics
}

// ---- the group's coordinator

impl Core {
    pub(super) fn group_id(&self) -> Result<&str, ClientError> {
        self.config.group_id.as_deref().ok_or(ClientError::Config {
            key: "group.id",
            reason: "is needed to subscribe and to commit".to_owned(),
        })
    }

    /// Calls to the group's coordinator.
    ///
    /// # Errors
    /// `Config`: there is no group.
    pub(super) fn group_calls(&self) -> Result<GroupCalls<'_>, ClientError> {
        Ok(GroupCalls {
            cluster: &self.cluster,
            group: self.group_id()?,
            instance_id: self.config.group_instance_id.as_deref(),
        })
    }

    pub(super) async fn coordinator(&self) -> Result<Rc<Connection>, ClientError> {
        self.group_calls()?.coordinator().await
    }

    /// Looks the coordinator up anew with the next call, where `error` says that it is elsewhere.
    pub(super) fn note_coordinator(&self, error: &ClientError) {
        if let Ok(calls) = self.group_calls() {
            calls.note_coordinator(error);
        }
    }
}

// ---- committed offsets

/// Looks the committed offsets of partitions up and lets them go on from there.
pub(super) async fn look_up_committed(core: Rc<Core>, wanted: Vec<(TopicPartition, u64)>) {
    let list: Vec<TopicPartition> = wanted
        .iter()
        .map(|(partition, _)| partition.clone())
        .collect();
    let result = fetch_committed(&core, &list).await;
    core.committed_lookup_ended();
    if let Err(error) = &result {
        core.note_coordinator(error);
    }
    let mut found: BTreeMap<TopicPartition, Option<i64>> = BTreeMap::new();
    let mut fatal = None;
    match result {
        Ok(offsets) => found = offsets.into_iter().collect(),
        Err(error) if error.is_retriable() => {
            tracing::debug!(%error, "committed offsets could not be looked up");
        }
        Err(error) => fatal = Some(error),
    }
    let mut partitions = core.partitions.borrow_mut();
    for (partition, stamp) in &wanted {
        let Some(state) = partitions.current(partition, *stamp) else {
            continue;
        };
        state.looking = false;
        let position = match found.get(partition) {
            Some(Some(offset)) => Position::At(*offset),
            Some(None) => Position::Reset(core.config.auto_offset_reset),
            None => {
                state.back_off(|failures| core.cluster.retry_backoff(failures));
                continue;
            }
        };
        partitions.move_to(partition, position);
    }
    drop(partitions);
    if let Some(fatal) = fatal {
        core.fail(fatal);
    }
    core.work.notify();
    core.news.notify();
}

/// One attempt to read committed offsets.
pub(super) async fn fetch_committed(
    core: &Core,
    list: &[TopicPartition],
) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
    let group = core.group_id()?;
    let connection = core.coordinator().await?;
    let version = connection.version_for::<OffsetFetchRequest>()?;
    let stable = core.config.isolation == IsolationLevel::ReadCommitted;
    let request =
        OffsetFetchRequest::default().with_require_stable(stable && version >= STABLE_OFFSET_FETCH);
    let topics = by_topic(list.iter().map(|partition| (partition.clone(), ())));
    let numbers = |list: Vec<(i32, ())>| list.into_iter().map(|(number, ())| number).collect();
    let request = if version >= BATCHED_OFFSET_FETCH {
        let topics = topics.into_iter().map(|(topic, list)| {
            OffsetFetchRequestTopics::default()
                .with_name(text(&topic).into())
                .with_partition_indexes(numbers(list))
        });
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(text(group).into())
            .with_topics(Some(topics.collect()));
        request.with_groups(vec![group])
    } else {
        let topics = topics.into_iter().map(|(topic, list)| {
            OffsetFetchRequestTopic::default()
                .with_name(text(&topic).into())
                .with_partition_indexes(numbers(list))
        });
        request
            .with_group_id(text(group).into())
            .with_topics(Some(topics.collect()))
    };
    let limit = core.config.common.request_timeout;
    let response = connection.call_version(request, version, limit).await?;
    let offsets = committed_of(group, response)?;
    let asked = list.iter();
    Ok(asked
        .map(|partition| {
            let found = offsets.get(partition).copied();
            (partition.clone(), found.filter(|offset| *offset >= 0))
        })
        .collect())
}

fn committed_of(
    group: &str,
    response: OffsetFetchResponse,
) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
    let context = || format!("reading committed offsets of group {group}");
    check(response.error_code, context)?;
    let mut offsets = BTreeMap::new();
    let mut take = |topic: &str, partition: i32, offset: i64, error: i16| {
        let partition = TopicPartition::new(topic, partition);
        check(error, || {
            format!("reading the committed offset of {partition} in group {group}")
        })?;
        offsets.insert(partition, offset);
        Ok::<(), ClientError>(())
    };
    for topic in &response.topics {
        for found in &topic.partitions {
            let (offset, error) = (found.committed_offset, found.error_code);
            take(&topic.name, found.partition_index, offset, error)?;
        }
    }
    for found in &response.groups {
        check(found.error_code, context)?;
        for topic in &found.topics {
            for found in &topic.partitions {
                let (offset, error) = (found.committed_offset, found.error_code);
                take(&topic.name, found.partition_index, offset, error)?;
            }
        }
    }
    Ok(offsets)
}

/// Committed offsets, tried until `default.api.timeout.ms` is over.
pub(super) async fn committed(
    core: &Core,
    list: &[TopicPartition],
) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
    let group = core.group_id()?;
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let context = format!("reading committed offsets of group {group}");
    let limit = core.config.common.default_api_timeout;
    let attempt = async || {
        let result = fetch_committed(core, list).await;
        if let Err(error) = &result {
            core.note_coordinator(error);
        }
        result
    };
    core.cluster.with_retries(&context, limit, attempt).await
}

/// Commits, tried until `default.api.timeout.ms` is over. While the group's members join, it waits: the
/// coordinator would answer with the join only, and refuse the old generation then.
pub(super) async fn commit(
    core: &Core,
    offsets: &[(TopicPartition, i64)],
) -> Result<(), ClientError> {
    let group = core.group_id()?;
    if offsets.is_empty() {
        return Ok(());
    }
    let context = format!("committing offsets of group {group}");
    let limit = core.config.common.default_api_timeout;
    let start = Instant::now();
    let first = core.membership.identity();
    let settled = core.membership.settled();
    if shard::timeout(limit, settled).await.is_err() {
        return Err(ClientError::Timeout {
            context,
            after: limit,
            hint: ": the group is rebalancing".to_owned(),
        });
    }
    let left = limit.saturating_sub(start.elapsed());
    let attempt = async || {
        let identity = core.membership.identity();
        if identity != first && !core.membership.owns_all(offsets) {
            // Under the new generation it could undo what the new owner committed.
            let error = code::REBALANCE_IN_PROGRESS;
            return Err(api_error(
                error,
                context.as_str(),
                Some("partitions were given up"),
            ));
        }
        let result = commit_once(core, offsets, &identity).await;
        if let Err(error) = &result {
            core.note_coordinator(error);
            core.membership.note_commit_error(core, error, &identity);
        }
        result
    };
    core.cluster.with_retries(&context, left, attempt).await
}

async fn commit_once(
    core: &Core,
    offsets: &[(TopicPartition, i64)],
    identity: &Identity,
) -> Result<(), ClientError> {
    let group = core.group_id()?;
    if core.membership.is_lost(identity) {
        // As a coordinator would say; there is no membership to ask it with.
        let context = format!("committing offsets of group {group}");
        let hint = "the membership was lost; partitions may belong to another member already";
        return Err(api_error(code::UNKNOWN_MEMBER_ID, context, Some(hint)));
    }
    let connection = core.coordinator().await?;
    let topics = by_topic(offsets.iter().cloned())
        .into_iter()
        .map(|(topic, list)| {
            let partitions = list.into_iter().map(|(number, offset)| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(number)
                    .with_committed_offset(offset)
                    .with_committed_metadata(Some(text("")))
            });
            OffsetCommitRequestTopic::default()
                .with_name(text(&topic).into())
                .with_partitions(partitions.collect())
        });
    let request = OffsetCommitRequest::default()
        .with_group_id(text(group).into())
        .with_generation_id_or_member_epoch(identity.generation)
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(core.config.group_instance_id.as_deref().map(text))
        .with_topics(topics.collect());
    let limit = core.config.common.request_timeout;
    let response = connection.call(request, limit).await?;
    let mut retriable = None;
    for topic in &response.topics {
        for partition in &topic.partitions {
            let context = || {
                let (topic, number) = (topic.name.as_str(), partition.partition_index);
                format!("committing the offset of {topic}-{number} in group {group}")
            };
            match check(partition.error_code, context) {
                Ok(()) => {}
                Err(error) if error.is_retriable() => retriable = Some(error),
                Err(error) => return Err(error),
            }
        }
    }
    retriable.map_or(Ok(()), Err)
}

// ---- starts and ends

/// Looks up where partitions start or end on one broker, and lets them go on from there.
pub(super) async fn look_up_resets(core: Rc<Core>, broker: i32, wanted: Vec<ResetWanted>) {
    let result = list_offsets(&core, broker, &wanted).await;
    let mut fatal = None;
    let found = match result {
        Ok(found) => {
            core.broker_answered(broker);
            found
        }
        Err(error) => {
            tracing::debug!(broker, %error, "offsets could not be listed");
            core.broker_failed(broker);
            core.cluster.request_refresh();
            if !error.is_retriable() {
                fatal = Some(error);
            }
            BTreeMap::new()
        }
    };
    let mut partitions = core.partitions.borrow_mut();
    for wanted in &wanted {
        let Some(state) = partitions.current(&wanted.partition, wanted.stamp) else {
            continue;
        };
        state.looking = false;
        match found.get(&wanted.partition) {
            Some((0, offset)) => {
                tracing::info!(partition = %wanted.partition, offset, "position reset");
                partitions.move_to(&wanted.partition, Position::At(*offset));
            }
            answer => {
                state.back_off(|failures| core.cluster.retry_backoff(failures));
                let error = answer.map_or(0, |(error, _)| *error);
                if kind(error) == ApiErrorKind::RefreshMetadata {
                    core.cluster.request_refresh();
                }
                if matches!(kind(error), ApiErrorKind::Authorization) {
                    let context = format!("listing the offset of {}", wanted.partition);
                    fatal = Some(api_error(error, context, None));
                }
            }
        }
    }
    drop(partitions);
    if let Some(fatal) = fatal {
        core.fail(fatal);
    }
    core.work.notify();
    core.news.notify();
}

/// Error code and offset of each partition.
async fn list_offsets(
    core: &Core,
    broker: i32,
    wanted: &[ResetWanted],
) -> Result<BTreeMap<TopicPartition, (i16, i64)>, ClientError> {
    let connection = core.cluster.connection(broker, Purpose::Data).await?;
    let items = wanted.iter().map(|wanted| {
        let timestamp = match wanted.to {
            AutoOffsetReset::Latest => LATEST,
            AutoOffsetReset::Earliest | AutoOffsetReset::None => EARLIEST,
        };
        (wanted.partition.clone(), timestamp)
    });
    let topics = by_topic(items).into_iter().map(|(topic, list)| {
        let partitions = list.into_iter().map(|(number, timestamp)| {
            ListOffsetsPartition::default()
                .with_partition_index(number)
                .with_current_leader_epoch(-1)
                .with_timestamp(timestamp)
        });
        ListOffsetsTopic::default()
            .with_name(text(&topic).into())
            .with_partitions(partitions.collect())
    });
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation(core.config.isolation))
        .with_topics(topics.collect());
    let limit = core.config.common.request_timeout;
    let response = connection.call(request, limit).await?;
    let mut found = BTreeMap::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            found.insert(key, (partition.error_code, partition.offset));
        }
    }
    Ok(found)
}
