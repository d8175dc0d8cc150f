//! A cluster by its three topics: no worker needs to run.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::cluster::{Cluster, Failure, Found, Origin, kind_by_keys};
use super::finding::Finding;
use super::topic_log::TopicReader;
use super::worker::Worker;
use crate::api::{ConfigMap, ConnectorKind};
use crate::clients::{Admin, ClientError, ClusterAdmin, ConsumerConfig, IsolationLevel};
use crate::config::clients::{task_consumer, worker_admin};
use crate::config::worker::{DistributedConfig, WorkerConfig};
use crate::distributed::config_topic::{ClusterConfigState, ConfigTopic};
use crate::distributed::internal_topics::{DescribedTopic, InternalTopic, Verdict};
use crate::distributed::offset_topic::{OffsetCodec, OffsetTopic};
use crate::distributed::status_topic::StatusTopic;
use crate::kafka::KafkaAdmin;
use crate::shard::{self, RuntimeKind};
use crate::storage::offset_key::canonical;

/// Records that could not be read and are named; the others are counted.
const PROBLEMS_SHOWN: usize = 5;

/// Reads the cluster that a distributed worker's file belongs to.
///
/// # Errors
/// It is no distributed worker's file, the brokers or a topic can't be reached, or a topic is missing.
pub(super) fn read(path: &Path, worker: &Worker) -> Result<Cluster, Failure> {
    let config = worker.file.config.clone();
    let exactly_once = worker.is_set_to("exactly.once.source.support", &["enabled", "preparing"]);
    if config.distributed().is_none() {
        let message = format!(
            "{}: a standalone worker has no topics to read",
            path.display()
        );
        let hint = "give its REST address to --from, and this file to --worker";
        return Err(Failure::usage(message).hint(hint));
    }
    let at = path.display().to_string();
    let isolation = match exactly_once {
        true => IsolationLevel::ReadCommitted,
        false => IsolationLevel::ReadUncommitted,
    };
    let done = shard::run(RuntimeKind::Epoll, None, async move {
        let Some(distributed) = config.distributed() else {
            return Err(Failure::usage("a standalone worker has no topics to read"));
        };
        let reading = Reading::new(&config, distributed, isolation)?;
        let found = reading.cluster(at).await;
        reading.admin.close().await;
        found
    });
    done.map_err(|error| Failure::new(error.to_string()))?
}

/// What the topics say, as far as it was read.
struct Reading<'a> {
    config: &'a WorkerConfig,
    distributed: &'a DistributedConfig,
    admin: KafkaAdmin,
    /// For consumers.
    common: ConsumerConfig,
}

/// Topics of source offsets by name; `None` where there is no such topic.
type OffsetTopics = BTreeMap<String, Option<OffsetTopic>>;

impl<'a> Reading<'a> {
    fn new(
        config: &'a WorkerConfig,
        distributed: &'a DistributedConfig,
        isolation: IsolationLevel,
    ) -> Result<Self, Failure> {
        let admin = worker_admin(&config.originals).map_err(|problems| {
            let texts: Vec<_> = problems
                .into_iter()
                .map(|problem| problem.message)
                .collect();
            Failure::usage(texts.join("; "))
        })?;
        let common = ConsumerConfig {
            common: admin.common.clone(),
            isolation,
            ..ConsumerConfig::default()
        };
        Ok(Self {
            config,
            distributed,
            admin: KafkaAdmin::new(admin),
            common,
        })
    }

    fn reader(&self) -> TopicReader<'_> {
        TopicReader {
            admin: &self.admin,
            common: self.common.common.clone(),
            isolation: self.common.isolation,
        }
    }

    async fn cluster(&self, at: String) -> Result<Cluster, Failure> {
        let id = self.admin.cluster_id().await.map_err(|error| {
            Failure::new(format!("bootstrap.servers: {error}"))
                .hint("`ringmain doctor WORKER.properties` says more about the brokers")
        })?;
        let mut findings = Vec::new();
        let configs = self.configs(&mut findings).await?;
        let statuses = self.statuses(&mut findings).await?;
        let mut offsets = OffsetTopics::new();
        let topic = &self.distributed.offset_topic;
        let partitions = self
            .examine(InternalTopic::Offset, topic, &mut findings)
            .await?;
        offsets.insert(topic.clone(), Some(self.offsets(topic, partitions).await?));
        let mut connectors = Vec::new();
        for name in configs.connectors() {
            connectors.push(
                self.connector(name, &configs, &statuses, &mut offsets)
                    .await?,
            );
        }
        Ok(Cluster {
            origin: Origin {
                by: "topics",
                at,
                version: None,
                kafka_cluster_id: Some(id),
            },
            connectors,
            findings,
        })
    }

    async fn configs(
        &self,
        findings: &mut Vec<Finding>,
    ) -> Result<Arc<ClusterConfigState>, Failure> {
        let topic = &self.distributed.config_topic;
        let partitions = self.examine(InternalTopic::Config, topic, findings).await?;
        let mut state = ConfigTopic::new();
        let mut problems = Problems::default();
        let reader = self.reader();
        let read = reader.read(topic, partitions, |offset, key, value| {
            let applied = state.apply(offset, key, value);
            problems.extend(applied.problems);
        });
        read.await
            .map_err(|error| unread(InternalTopic::Config, topic, &error))?;
        problems.into_findings(InternalTopic::Config, topic, findings);
        Ok(state.snapshot())
    }

    async fn statuses(&self, findings: &mut Vec<Finding>) -> Result<StatusTopic, Failure> {
        let topic = &self.distributed.status_topic;
        let partitions = self.examine(InternalTopic::Status, topic, findings).await?;
        let mut state = StatusTopic::new();
        let reader = self.reader();
        let read = reader.read(topic, partitions, |_, key, value| {
            // What a running worker would log and pass over says nothing about connectors.
            drop(state.apply(key, value));
        });
        read.await
            .map_err(|error| unread(InternalTopic::Status, topic, &error))?;
        Ok(state)
    }

    async fn offsets(&self, topic: &str, partitions: u32) -> Result<OffsetTopic, Failure> {
        let mut state = OffsetTopic::new();
        let mut codec = OffsetCodec::default();
        let reader = self.reader();
        let read = reader.read(topic, partitions, |_, key, value| {
            // A key that names no partition is passed over, as workers do.
            drop(state.apply(&mut codec, key, value));
        });
        read.await
            .map_err(|error| unread(InternalTopic::Offset, topic, &error))?;
        Ok(state)
    }

    /// Looks at a topic as a starting worker does; gives its partitions.
    async fn examine(
        &self,
        which: InternalTopic,
        topic: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<u32, Failure> {
        let key = which.topic_key();
        let described = self.admin.describe_topic(topic).await;
        let described = described.map_err(|error| unread(which, topic, &error))?;
        let Some(described) = described else {
            let message = format!("{key}: there is no topic '{topic}' in this Kafka cluster");
            let hint = "is it the file of the cluster's workers, and are these its brokers?";
            return Err(Failure::new(message).hint(hint));
        };
        let described = DescribedTopic {
            partitions: described.partitions,
            cleanup_policy: self.cleanup_policy(topic).await,
        };
        let policy = which.check_cleanup_policy(topic, described.cleanup_policy.as_deref());
        match policy {
            Ok(Verdict::Compacted) => {}
            Ok(Verdict::Unknown) => findings.push(Finding::note(
                &key,
                format!("whether topic '{topic}' is compacted can't be told with these rights"),
            )),
            Err(error) => findings.push(
                Finding::unsupported(&key, error.message())
                    .needs(format!("set cleanup.policy=compact of topic '{topic}'")),
            ),
        }
        if let Err(error) = which.check_partitions(topic, described.partitions) {
            findings.push(Finding::unsupported(&key, error.message()));
        }
        Ok(described.partitions)
    }

    async fn cleanup_policy(&self, topic: &str) -> Option<String> {
        let described = self.admin.describe_topic_configs(&[topic.to_owned()]).await;
        let (_, entries) = described.ok()?.pop()?;
        let policy = entries
            .into_iter()
            .find(|entry| entry.name == "cleanup.policy");
        policy?.value
    }

    async fn connector(
        &self,
        name: &Arc<str>,
        configs: &ClusterConfigState,
        statuses: &StatusTopic,
        offsets: &mut OffsetTopics,
    ) -> Result<Found, Failure> {
        let config = configs.raw_connector_config(name);
        let config = config.map_or_else(ConfigMap::new, |config| ConfigMap::clone(config));
        let kind = kind_by_keys(&config);
        let status = statuses.connector(name);
        Ok(Found {
            name: name.to_string(),
            kind,
            state: status
                .map_or("UNASSIGNED", |status| status.state.name())
                .to_owned(),
            tasks: usize::try_from(configs.task_count(name)).unwrap_or(0),
            offsets: match kind {
                ConnectorKind::Source => self.source_offsets(name, &config, offsets).await?,
                ConnectorKind::Sink => self.sink_offsets(name, &config).await,
            },
            config,
        })
    }

    /// Partitions in the worker's topic and in the connector's own, which goes first (KIP-618).
    async fn source_offsets(
        &self,
        name: &str,
        config: &ConfigMap,
        topics: &mut OffsetTopics,
    ) -> Result<Result<usize, String>, Failure> {
        let own = config
            .get("offsets.storage.topic")
            .and_then(Option::as_deref);
        let own = own.map(str::trim).filter(|topic| !topic.is_empty());
        if let Some(topic) = own
            && !topics.contains_key(topic)
        {
            let found = self.admin.describe_topic(topic).await;
            let found = found.map_err(|error| unread(InternalTopic::Offset, topic, &error))?;
            let read = match found {
                Some(found) => Some(self.offsets(topic, found.partitions).await?),
                None => None,
            };
            topics.insert(topic.to_owned(), read);
        }
        let mut codec = OffsetCodec::default();
        let mut partitions = HashSet::new();
        for topic in std::iter::once(self.distributed.offset_topic.as_str()).chain(own) {
            if let Some(Some(topic)) = topics.get(topic) {
                let found = topic.partitions(&mut codec, name).into_iter();
                partitions.extend(found.map(|partition| canonical(name, &partition)));
            }
        }
        Ok(Ok(partitions.len()))
    }

    /// What the consumer group of a sink has committed.
    async fn sink_offsets(&self, name: &str, config: &ConfigMap) -> Result<usize, String> {
        let consumer = task_consumer(&self.config.originals, config, name, 0);
        let group = consumer.map_err(|problems| {
            let texts: Vec<_> = problems
                .into_iter()
                .map(|problem| problem.message)
                .collect();
            texts.join("; ")
        })?;
        let group = group.group_id.unwrap_or_else(|| format!("connect-{name}"));
        let offsets = self.admin.group_offsets(&group).await;
        let offsets = offsets.map_err(|error| format!("group {group}: {error}"))?;
        Ok(offsets.len())
    }
}

fn unread(which: InternalTopic, topic: &str, error: &ClientError) -> Failure {
    let (key, purpose) = (which.topic_key(), which.purpose());
    Failure::new(format!(
        "{key}: topic '{topic}' with {purpose} can't be read: {error}"
    ))
}

/// Records that a worker passes over.
#[derive(Default)]
struct Problems {
    shown: Vec<String>,
    count: usize,
}

impl Problems {
    fn extend(&mut self, problems: impl IntoIterator<Item = impl ToString>) {
        for problem in problems {
            self.count += 1;
            if self.shown.len() < PROBLEMS_SHOWN {
                self.shown.push(problem.to_string());
            }
        }
    }

    fn into_findings(self, which: InternalTopic, topic: &str, out: &mut Vec<Finding>) {
        let more = self.count - self.shown.len();
        let texts = self.shown.into_iter();
        out.extend(texts.map(|text| Finding::note(&which.topic_key(), format!("{topic}: {text}"))));
        if more > 0 {
            let text = format!("{topic}: {more} more records that workers pass over");
            out.push(Finding::note(&which.topic_key(), text));
        }
    }
}
