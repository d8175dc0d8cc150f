//! Topic administration, offsets of groups, and the probe of `ringmain doctor`.
//!
//! Each call retries by itself up to `default.api.timeout.ms`, as Kafka's `AdminClient` does.

mod groups;
mod topics;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest,
    ListOffsetsRequest, OffsetFetchRequest, ProduceRequest,
};

use super::cluster::{Cluster, CoordinatorKind, Purpose};
use super::connection::{ApiRanges, Connection};
use super::errors::{api_error, check, code};
use super::protocol::{Request, text};
use crate::api::TopicPartition;
use crate::clients::{
    Admin, AdminConfig, ClientError, CommonClientConfig, NewTopic, OffsetSpec, TopicDescription,
};

/// Timestamps that stand for an end of the log in ListOffsets.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// An admin client over Kafka brokers.
#[derive(Debug)]
pub struct KafkaAdmin {
    cluster: Rc<Cluster>,
}

impl Drop for KafkaAdmin {
    fn drop(&mut self) {
        self.cluster.close();
    }
}

impl KafkaAdmin {
    /// An admin client; connects at the first call. Must be called on a shard.
    pub fn new(config: AdminConfig) -> Self {
        Self {
            cluster: Cluster::new(config.common),
        }
    }

    /// Calls `attempt` until it succeeds or the time is over.
    async fn retrying<T>(
        &self,
        context: &str,
        attempt: impl AsyncFnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let limit = self.cluster.config().default_api_timeout;
        self.cluster.with_retries(context, limit, attempt).await
    }

    fn request_timeout(&self) -> Duration {
        self.cluster.config().request_timeout
    }

    fn request_timeout_ms(&self) -> i32 {
        i32::try_from(self.request_timeout().as_millis()).unwrap_or(i32::MAX)
    }

    /// The controller's connection, or the broker's that passes requests on to it.
    async fn controller(&self) -> Result<Rc<Connection>, ClientError> {
        if self.cluster.controller().is_none() {
            self.cluster.fetch_topic_metadata(&[], false).await?;
        }
        match self.cluster.controller() {
            Some(controller) => self.cluster.connection(controller, Purpose::Data).await,
            None => self.cluster.any_connection().await,
        }
    }

    /// What concerns each leader, by topic. Asks for the topics' metadata first.
    async fn by_leader<T: Copy>(
        &self,
        partitions: &[(TopicPartition, T)],
    ) -> Result<ByLeader<T>, ClientError> {
        let mut topics: Vec<&str> = partitions.iter().map(|(at, _)| &*at.topic).collect();
        topics.sort_unstable();
        topics.dedup();
        self.cluster.fetch_topic_metadata(&topics, false).await?;
        let mut leaders = ByLeader::new();
        for (at, what) in partitions {
            let error = self.cluster.topic(&at.topic).map_or(0, |topic| topic.error);
            check(error, || format!("topic {}", at.topic))?;
            let Some((leader, _)) = self.cluster.leader(&at.topic, at.partition) else {
                let unknown = self.cluster.topic(&at.topic).is_none_or(|topic| {
                    let mut all = topic.partitions.iter();
                    all.all(|known| known.partition != at.partition)
                });
                let code = match unknown {
                    true => code::UNKNOWN_TOPIC_OR_PARTITION,
                    false => code::LEADER_NOT_AVAILABLE,
                };
                return Err(api_error(code, at.to_string(), None));
            };
            let topics = leaders.entry(leader).or_default();
            let entry = topics.entry(Rc::clone(&at.topic)).or_default();
            entry.push((at.partition, *what));
        }
        for topic in topics {
            self.cluster.untrack(topic);
        }
        Ok(leaders)
    }

    async fn list_offsets_once(
        &self,
        partitions: &[(TopicPartition, OffsetSpec)],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let mut found = Vec::with_capacity(partitions.len());
        for (leader, topics) in self.by_leader(partitions).await? {
            let topics = topics.into_iter().map(|(topic, partitions)| {
                let partitions = partitions.into_iter().map(|(partition, spec)| {
                    ListOffsetsPartition::default()
                        .with_partition_index(partition)
                        .with_timestamp(match spec {
                            OffsetSpec::Earliest => EARLIEST,
                            OffsetSpec::Latest => LATEST,
                            OffsetSpec::Timestamp(at) => at,
                        })
                });
                ListOffsetsTopic::default()
                    .with_name(text(&topic).into())
                    .with_partitions(partitions.collect())
            });
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_topics(topics.collect());
            let connection = self.cluster.connection(leader, Purpose::Data).await?;
            let response = connection.call(request, self.request_timeout()).await?;
            for topic in &response.topics {
                for told in &topic.partitions {
                    let at = TopicPartition::new(topic.name.as_str(), told.partition_index);
                    check(told.error_code, || format!("listing an offset of {at}"))?;
                    found.push((at, told.offset));
                }
            }
        }
        // In the order asked for.
        partitions
            .iter()
            .map(|(wanted, _)| {
                let told = found.iter().find(|(at, _)| at == wanted);
                told.cloned().ok_or_else(|| {
                    let context = format!("listing an offset of {wanted}");
                    api_error(code::UNKNOWN_TOPIC_OR_PARTITION, context, None)
                })
            })
            .collect()
    }

    async fn delete_records_once(
        &self,
        before: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        for (leader, topics) in self.by_leader(before).await? {
            let topics = topics.into_iter().map(|(topic, partitions)| {
                let partitions = partitions.into_iter().map(|(partition, offset)| {
                    DeleteRecordsPartition::default()
                        .with_partition_index(partition)
                        .with_offset(offset)
                });
                DeleteRecordsTopic::default()
                    .with_name(text(&topic).into())
                    .with_partitions(partitions.collect())
            });
            let request = DeleteRecordsRequest::default()
                .with_timeout_ms(self.request_timeout_ms())
                .with_topics(topics.collect());
            let connection = self.cluster.connection(leader, Purpose::Data).await?;
            let response = connection.call(request, self.request_timeout()).await?;
            for topic in &response.topics {
                for told in &topic.partitions {
                    check(told.error_code, || {
                        let name = topic.name.as_str();
                        format!("deleting records of {name}-{}", told.partition_index)
                    })?;
                }
            }
        }
        Ok(())
    }

    async fn group_offsets_once(
        &self,
        group: &str,
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let kind = CoordinatorKind::Group;
        let connection = self.cluster.coordinator(kind, group).await?;
        let version = connection.version_for::<OffsetFetchRequest>()?;
        // A null list of topics: all of them.
        let request = match version {
            8.. => OffsetFetchRequest::default().with_groups(vec![
                OffsetFetchRequestGroup::default()
                    .with_group_id(text(group).into())
                    .with_topics(None),
            ]),
            _ => OffsetFetchRequest::default()
                .with_group_id(text(group).into())
                .with_topics(None),
        };
        let limit = self.request_timeout();
        let response = connection.call_version(request, version, limit).await?;
        let mut offsets = Vec::new();
        let mut add = |topic: &str, partition: i32, offset: i64, error: i16| {
            let at = TopicPartition::new(topic, partition);
            check(error, || format!("committed offset of {group} for {at}"))?;
            // No commit.
            if offset >= 0 {
                offsets.push((at, offset));
            }
            Ok::<(), ClientError>(())
        };
        let mut error = response.error_code;
        for topic in &response.topics {
            for told in &topic.partitions {
                let (at, offset) = (told.partition_index, told.committed_offset);
                add(topic.name.as_str(), at, offset, told.error_code)?;
            }
        }
        for group in &response.groups {
            error = if error == 0 { group.error_code } else { error };
            for topic in &group.topics {
                for told in &topic.partitions {
                    let (at, offset) = (told.partition_index, told.committed_offset);
                    add(topic.name.as_str(), at, offset, told.error_code)?;
                }
            }
        }
        if matches!(
            error,
            code::NOT_COORDINATOR | code::COORDINATOR_NOT_AVAILABLE
        ) {
            self.cluster.forget_coordinator(kind, group);
        }
        check(error, || format!("committed offsets of group {group}"))?;
        Ok(offsets)
    }
}

type ByLeader<T> = BTreeMap<i32, BTreeMap<Rc<str>, Vec<(i32, T)>>>;

#[async_trait(?Send)]
impl Admin for KafkaAdmin {
    async fn cluster_id(&self) -> Result<String, ClientError> {
        self.retrying("asking for the cluster id", async || {
            self.cluster.fetch_topic_metadata(&[], false).await?;
            Ok(self.cluster.cluster_id().unwrap_or_default())
        })
        .await
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<bool, ClientError> {
        let configs = topic.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let wanted = CreatableTopic::default()
            .with_name(text(&topic.name).into())
            .with_num_partitions(topic.partitions)
            .with_replication_factor(topic.replication_factor)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(self.request_timeout_ms())
            .with_topics(vec![wanted]);
        let context = format!("creating topic {}", topic.name);
        self.retrying(&context, async || {
            let connection = self.controller().await?;
            let limit = self.request_timeout();
            let response = connection.call(request.clone(), limit).await?;
            let told = response.topics.first();
            let code = told.map_or(code::UNKNOWN_TOPIC_OR_PARTITION, |told| told.error_code);
            match code {
                0 => Ok(true),
                code::TOPIC_ALREADY_EXISTS => Ok(false),
                code => {
                    let message = told.and_then(|told| told.error_message.as_deref());
                    Err(api_error(code, context.clone(), message))
                }
            }
        })
        .await
    }

    async fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>, ClientError> {
        self.retrying(&format!("describing topic {topic}"), async || {
            self.cluster.fetch_topic_metadata(&[topic], false).await?;
            let known = self.cluster.topic(topic);
            self.cluster.untrack(topic);
            let Some(known) = known else { return Ok(None) };
            if known.error == code::UNKNOWN_TOPIC_OR_PARTITION {
                return Ok(None);
            }
            check(known.error, || format!("describing topic {topic}"))?;
            let replicas = known.partitions.first().map_or(0, |first| first.replicas);
            Ok(Some(TopicDescription {
                name: topic.to_owned(),
                partitions: u32::try_from(known.partitions.len()).unwrap_or(u32::MAX),
                replication_factor: u16::try_from(replicas).unwrap_or(u16::MAX),
            }))
        })
        .await
    }

    async fn list_topics(&self) -> Result<Vec<String>, ClientError> {
        self.retrying("listing topics", async || {
            self.cluster.fetch_all_metadata().await?;
            let topics = self.cluster.topics();
            let mut names: Vec<String> = topics
                .iter()
                .filter(|topic| topic.error != code::UNKNOWN_TOPIC_OR_PARTITION)
                .map(|topic| topic.name.to_string())
                .collect();
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn list_offsets(
        &self,
        partitions: &[(TopicPartition, OffsetSpec)],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        self.retrying("listing offsets", async || {
            self.list_offsets_once(partitions).await
        })
        .await
    }

    async fn delete_records(&self, before: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        self.retrying("deleting records", async || {
            self.delete_records_once(before).await
        })
        .await
    }

    async fn delete_topic(&self, topic: &str) -> Result<bool, ClientError> {
        let context = format!("deleting topic {topic}");
        self.retrying(&context, async || {
            let request = DeleteTopicsRequest::default()
                .with_timeout_ms(self.request_timeout_ms())
                .with_topic_names(vec![text(topic).into()]);
            let connection = self.controller().await?;
            let response = connection.call(request, self.request_timeout()).await?;
            let told = response.responses.first();
            match told.map_or(0, |told| told.error_code) {
                0 => Ok(true),
                code::UNKNOWN_TOPIC_OR_PARTITION => Ok(false),
                code => {
                    let message = told.and_then(|told| told.error_message.as_deref());
                    Err(api_error(code, context.clone(), message))
                }
            }
        })
        .await
    }

    async fn group_offsets(&self, group: &str) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let context = format!("asking for the committed offsets of group {group}");
        self.retrying(&context, async || self.group_offsets_once(group).await)
            .await
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        self.commit_for_group(group, offsets).await
    }

    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), ClientError> {
        self.forget_for_group(group, partitions).await
    }

    async fn delete_group(&self, group: &str) -> Result<bool, ClientError> {
        self.forget_group(group).await
    }

    async fn close(&self) {
        self.cluster.close();
    }
}

/// What [`probe`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The cluster's id.
    pub cluster_id: String,
    /// Id and `host:port` of each broker.
    pub brokers: Vec<(i32, String)>,
    /// Which Kafka it seems to be, told by the versions of requests that the broker knows: `4.0`,
    /// `4.1 or later`.
    pub kafka_version: &'static str,
}

/// Connects to the first bootstrap server that answers and asks who is there. Servers and security are those
/// of `config`.
///
/// # Errors
/// None answered within `timeout`, or one refuses this client.
pub async fn probe(
    config: &CommonClientConfig,
    timeout: Duration,
) -> Result<ClusterInfo, ClientError> {
    let cluster = Cluster::new(CommonClientConfig {
        bootstrap_servers: config.bootstrap_servers.clone(),
        security: config.security.clone(),
        client_id: "ringmain-doctor".to_owned(),
        connection_setup_timeout: timeout,
        connection_setup_timeout_max: timeout,
        request_timeout: timeout,
        ..CommonClientConfig::default()
    });
    let context = format!("asking {} who is there", config.bootstrap_servers.join(","));
    let found = cluster.with_retries(&context, timeout, async || {
        let connection = cluster.any_connection().await?;
        cluster.fetch_topic_metadata(&[], false).await?;
        let brokers = cluster.brokers().into_iter();
        Ok(ClusterInfo {
            cluster_id: cluster.cluster_id().unwrap_or_default(),
            brokers: brokers
                .filter_map(|id| Some((id, cluster.broker_address(id)?)))
                .collect(),
            kafka_version: connection.ranges().map_or("unknown", guess_version),
        })
    });
    let found = found.await;
    cluster.close();
    found
}

/// The release that first had these versions of Produce, Fetch and ListOffsets (from the message
/// definitions of each release).
fn guess_version(ranges: &ApiRanges) -> &'static str {
    let max = |key| ranges.range(key).map_or(-1, |(_, max)| max);
    let (produce, fetch) = (max(ProduceRequest::KEY), max(FetchRequest::KEY));
    match (produce, fetch, max(ListOffsetsRequest::KEY)) {
        (13.., _, _) => "4.1 or later",
        (12, _, _) => "4.0",
        (11, 17.., _) => "3.9",
        (11, _, _) => "3.8",
        (10, _, _) => "3.7",
        (_, 14.., _) => "3.5 or 3.6",
        (_, 13, _) => "3.1 to 3.4",
        (_, 12, 7..) => "3.0",
        (_, 12, _) => "2.7 or 2.8",
        _ => "older than 2.7",
    }
}

#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod tests;
