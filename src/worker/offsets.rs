//! Reading and changing the offsets of a connector (Kafka: `Worker.connectorOffsets`,
//! `Worker.modifyConnectorOffsets`, KIP-875): those of a source in the offset store, those of a sink in its
//! consumer group.
//!
//! The control plane has checked that nothing of the connector runs before anything is changed. The work is
//! done on a shard; the connector's own check may block and runs on the blocking pool.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::WorkerShared;
use super::sources::{Prepared, prepare, problems};
use crate::api::data::text::append_double;
use crate::api::{ConfigMap, ConnectError, ConnectorKind, ErrorKind, SourceMap, TopicPartition};
use crate::clients::{Admin, ClientError};
use crate::config::Mask;
use crate::config::clients::{offsets_admin, task_consumer};
use crate::plugins::{AlterOffsets, ConnectorPlugin, SinkOffset};
use crate::shard::{self, TaskEnd};
use crate::storage::{ConnectorOffsetStore, StorageError, WriteGate, check_format};

const TOPIC: &str = "kafka_topic";
const PARTITION: &str = "kafka_partition";
const OFFSET: &str = "kafka_offset";
/// Kafka's error codes.
const UNKNOWN_MEMBER_ID: i16 = 25;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_SUBSCRIBED_TO_TOPIC: i16 = 86;
/// How an error says that a connector's offsets cannot be changed.
const UNSUPPORTED: &str = "java.lang.UnsupportedOperationException";

/// A partition and its offset, as requests and answers have them.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionOffset {
    /// Which partition; a request may leave it out.
    pub partition: Option<SourceMap>,
    /// Its offset; `None` removes it.
    pub offset: Option<SourceMap>,
}

/// What is asked about a connector's offsets.
#[derive(Debug, Clone, PartialEq)]
pub enum OffsetsRequest {
    /// Say what they are.
    Read,
    /// Change these; the others stay.
    Alter(Vec<PartitionOffset>),
    /// Remove all.
    Reset,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum OffsetsAnswer {
    /// The offsets.
    Read(Vec<PartitionOffset>),
    /// They were changed; `confirmed` says whether the connector had a say in it.
    Changed {
        /// The connector checked them, and changed those that it keeps itself.
        confirmed: bool,
    },
}

/// Why it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OffsetsError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
}

impl OffsetsError {
    /// Without what came from config providers.
    fn without(self, mask: &Mask) -> Self {
        match self {
            Self::BadRequest(text) => Self::BadRequest(mask.hide(&text)),
            Self::Failed(text) => Self::Failed(mask.hide(&text)),
        }
    }
}

/// A connector and what is asked about its offsets.
#[derive(Debug, Clone)]
pub struct OffsetsJob {
    /// Connector name.
    pub name: String,
    /// Its raw configuration.
    pub config: ConfigMap,
    /// What is asked.
    pub request: OffsetsRequest,
    /// How long it may take.
    pub limit: Duration,
}

type Outcome = Result<OffsetsAnswer, OffsetsError>;

fn failed(text: impl Into<String>) -> OffsetsError {
    OffsetsError::Failed(text.into())
}

fn refused(text: impl Into<String>) -> OffsetsError {
    OffsetsError::BadRequest(text.into())
}

/// Does the job on the current shard; always ends, also when connector code panics or hangs.
pub(super) async fn run(shared: Arc<WorkerShared>, job: OffsetsJob) -> Outcome {
    let name = job.name.clone();
    let limit = job.limit;
    let working = shard::spawn(async move { work(&shared, job).await });
    match shard::timeout(limit, working.join()).await {
        Ok(TaskEnd::Done(outcome)) => outcome,
        Ok(TaskEnd::Panicked(panicked)) => Err(failed(panicked.to_string())),
        Ok(TaskEnd::Cancelled) => Err(failed("the request was cancelled")),
        Err(_) => {
            working.abort();
            Err(failed(format!(
                "Timed out while reading or modifying offsets for connector {name}"
            )))
        }
    }
}

async fn work(shared: &Arc<WorkerShared>, job: OffsetsJob) -> Outcome {
    let OffsetsJob {
        name,
        config,
        request,
        ..
    } = job;
    let prepared = prepare(shared, config).await;
    let Prepared {
        config,
        connector,
        mask,
    } = prepared.map_err(|error| failed(error.message().to_owned()))?;
    let plugin = shared.plugins.connector(&connector.class);
    let plugin = *plugin.map_err(|error| failed(error.to_string()))?;
    let connector = Connector {
        shared,
        name: &name,
        config,
        plugin,
    };
    let answer = connector.answer(request).await;
    answer.map_err(|error| error.without(&mask))
}

/// The connector whose offsets are meant.
struct Connector<'a> {
    shared: &'a Arc<WorkerShared>,
    name: &'a str,
    /// References replaced.
    config: ConfigMap,
    plugin: ConnectorPlugin,
}

impl Connector<'_> {
    async fn answer(&self, request: OffsetsRequest) -> Outcome {
        match (self.plugin.kind(), request) {
            (ConnectorKind::Source, OffsetsRequest::Read) => {
                Ok(OffsetsAnswer::Read(self.stored().await?))
            }
            (ConnectorKind::Source, OffsetsRequest::Alter(offsets)) => {
                self.alter_source(offsets).await
            }
            (ConnectorKind::Source, OffsetsRequest::Reset) => {
                let mut stored = self.stored().await?;
                stored.iter_mut().for_each(|stored| stored.offset = None);
                self.alter_source(stored).await
            }
            (ConnectorKind::Sink, request) => self.sink(request).await,
        }
    }
}

/// Why the offsets of a source are not changed.
enum Refusal {
    Format(StorageError),
    Connector(ConnectError),
    Storage(StorageError),
}

/// Checks, asks the connector and stores. Blocks.
fn change_source(
    store: &ConnectorOffsetStore,
    hook: Option<AlterOffsets>,
    config: &ConfigMap,
    offsets: Vec<PartitionOffset>,
) -> Result<(), Refusal> {
    // The last of those with equal partitions counts; their members may stand in any order.
    let mut unique = IndexMap::new();
    for PartitionOffset { partition, offset } in offsets {
        for map in [&partition, &offset].into_iter().flatten() {
            check_format(map).map_err(Refusal::Format)?;
        }
        let members = partition.iter().flatten();
        let members: BTreeMap<&String, String> = members
            .map(|(name, value)| (name, value.to_string()))
            .collect();
        let key = partition.as_ref().map(|_| format!("{members:?}"));
        unique.insert(key, (partition, offset));
    }
    let offsets: Vec<_> = unique.into_values().collect();
    if let Some(hook) = hook {
        hook(config, &offsets).map_err(Refusal::Connector)?;
    }
    // A missing partition cannot be stored, and nobody could read it back.
    let entries = offsets
        .iter()
        .filter_map(|(partition, offset)| Some((partition.as_ref()?, offset.as_ref())));
    store.put(entries).map_err(Refusal::Storage)
}

impl Connector<'_> {
    /// Runs what may take long off the shard.
    async fn off_shard<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OffsetsError> {
        let done = shard::blocking(call).await;
        done.map_err(|error| failed(error.to_string()))
    }

    fn store(&self) -> Result<ConnectorOffsetStore, OffsetsError> {
        let offsets = &self.shared.offsets;
        let store = offsets.connector(self.name, &self.config, WriteGate::default());
        store.map_err(|error| failed(error.message().to_owned()))
    }

    async fn stored(&self) -> Result<Vec<PartitionOffset>, OffsetsError> {
        let stored = self.store()?.partitions().await;
        let stored = stored.map_err(|error| failed(error.to_string()))?;
        let both = |(partition, offset)| PartitionOffset {
            partition: Some(partition),
            offset: Some(offset),
        };
        Ok(stored.into_iter().map(both).collect())
    }

    async fn alter_source(&self, offsets: Vec<PartitionOffset>) -> Outcome {
        let (hook, config) = (self.plugin.alter_offsets, self.config.clone());
        let store = self.store()?;
        let staged = store.clone();
        let change = move || change_source(&staged, hook, &config, offsets);
        let stored = match self.off_shard(change).await? {
            Ok(()) => store.flush().await,
            Err(Refusal::Format(error)) => return Err(failed(error.to_string())),
            Err(Refusal::Connector(error)) => return Err(self.refusal(&error)),
            Err(Refusal::Storage(error)) => Err(error),
        };
        if let Err(error) = stored {
            tracing::error!(connector = self.name, %error, "offsets can't be stored");
            return Err(self.wrapped());
        }
        Ok(OffsetsAnswer::Changed {
            confirmed: hook.is_some(),
        })
    }

    /// What the connector said against the offsets.
    fn refusal(&self, error: &ConnectError) -> OffsetsError {
        tracing::error!(
            connector = self.name,
            trace = error.trace(),
            "the connector refuses these offsets"
        );
        if error.java_class() == UNSUPPORTED {
            return failed(format!(
                "Failed to modify offsets for connector {} because it doesn't support external modification \
                 of offsets",
                self.name
            ));
        }
        // Kafka passes on the texts of its ConnectException and wraps all others.
        match error.kind() {
            ErrorKind::Config => self.wrapped(),
            _ => failed(error.message().to_owned()),
        }
    }

    fn wrapped(&self) -> OffsetsError {
        failed(format!(
            "Failed to modify offsets for {} connector {}",
            self.plugin.kind().name(),
            self.name
        ))
    }

    async fn sink(&self, request: OffsetsRequest) -> Outcome {
        let group = SinkGroup::new(self)?;
        let outcome = match request {
            OffsetsRequest::Read => group.read().await,
            OffsetsRequest::Alter(offsets) => group.alter(offsets).await,
            OffsetsRequest::Reset => group.reset().await,
        };
        group.admin.close().await;
        outcome
    }
}

/// A sink connector's consumer group.
struct SinkGroup<'a> {
    connector: &'a Connector<'a>,
    group: String,
    admin: Rc<dyn Admin>,
}

impl<'a> SinkGroup<'a> {
    fn new(connector: &'a Connector<'a>) -> Result<Self, OffsetsError> {
        let worker = &connector.shared.config.originals;
        let (config, name) = (&connector.config, connector.name);
        let bad = |found| failed(problems(found).message().to_owned());
        let consumer = task_consumer(worker, config, name, 0).map_err(bad)?;
        let admin = offsets_admin(worker, config, name).map_err(bad)?;
        Ok(Self {
            connector,
            group: consumer.group_id.unwrap_or_default(),
            admin: connector.shared.log.admin(admin),
        })
    }

    async fn read(&self) -> Outcome {
        let what = "Failed to retrieve consumer group offsets for sink connector";
        let mut found = self.committed(what).await?;
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let offsets = found.iter().map(|(at, offset)| {
            let mut partition = SourceMap::new();
            partition.insert(PARTITION.to_owned(), at.partition.into());
            partition.insert(TOPIC.to_owned(), at.topic.to_string().into());
            let mut next = SourceMap::new();
            next.insert(OFFSET.to_owned(), (*offset).into());
            PartitionOffset {
                partition: Some(partition),
                offset: Some(next),
            }
        });
        Ok(OffsetsAnswer::Read(offsets.collect()))
    }

    async fn committed(&self, what: &str) -> Result<Vec<(TopicPartition, i64)>, OffsetsError> {
        let found = self.admin.group_offsets(&self.group).await;
        found.map_err(|error| self.failure(what, &error))
    }

    async fn alter(&self, offsets: Vec<PartitionOffset>) -> Outcome {
        let parsed = self.connector.off_shard(move || parse_all(&offsets));
        let offsets = parsed.await??;
        let confirmed = self.ask(offsets.clone()).await?;
        if offsets
            .iter()
            .any(|o| o.offset.is_some_and(|offset| offset < 0))
        {
            return Err(self.connector.wrapped());
        }
        let at = |o: &SinkOffset| TopicPartition::new(o.topic.as_str(), o.partition);
        let set: Vec<_> = offsets
            .iter()
            .filter_map(|o| Some((at(o), o.offset?)))
            .collect();
        let gone: Vec<_> = offsets
            .iter()
            .filter(|o| o.offset.is_none())
            .map(at)
            .collect();
        let mut outcome = Ok(());
        if !set.is_empty() {
            outcome = self.admin.alter_group_offsets(&self.group, &set).await;
        }
        if !gone.is_empty() {
            let deleted = self.admin.delete_group_offsets(&self.group, &gone).await;
            outcome = outcome.and(deleted);
        }
        match outcome {
            Ok(()) => Ok(OffsetsAnswer::Changed { confirmed }),
            Err(
                ref error @ ClientError::Api {
                    code: UNKNOWN_MEMBER_ID | GROUP_SUBSCRIBED_TO_TOPIC,
                    ..
                },
            ) => Err(self.alive("alter", error)),
            Err(error) => {
                let what = "Failed to alter consumer group offsets for connector";
                Err(self.failure(what, &error))
            }
        }
    }

    async fn reset(&self) -> Outcome {
        let what = "Failed to list offsets prior to resetting offsets for sink connector";
        let removed = self.committed(what).await?.into_iter();
        let removed = removed.map(|(at, _)| SinkOffset {
            topic: at.topic.to_string(),
            partition: at.partition,
            offset: None,
        });
        let confirmed = self.ask(removed.collect()).await?;
        match self.admin.delete_group(&self.group).await {
            // There may be no group: a reset can be repeated.
            Ok(_) => Ok(OffsetsAnswer::Changed { confirmed }),
            Err(
                ref error @ ClientError::Api {
                    code: NON_EMPTY_GROUP,
                    ..
                },
            ) => Err(self.alive("reset", error)),
            Err(error) => {
                let what = "Failed to reset consumer group offsets for sink connector";
                Err(self.failure(what, &error))
            }
        }
    }

    /// Asks the connector; whether it has an answer.
    async fn ask(&self, offsets: Vec<SinkOffset>) -> Result<bool, OffsetsError> {
        let Some(hook) = self.connector.plugin.alter_sink_offsets else {
            return Ok(false);
        };
        let config = self.connector.config.clone();
        let asked = self.connector.off_shard(move || hook(&config, &offsets));
        let refused = asked.await?;
        refused.map_err(|error| self.connector.refusal(&error))?;
        Ok(true)
    }

    fn failure(&self, what: &str, error: &ClientError) -> OffsetsError {
        let text = format!("{what} {}", self.connector.name);
        tracing::error!(group = self.group, %error, "{text}");
        failed(text)
    }

    /// The group has members that should be gone.
    fn alive(&self, verb: &str, error: &ClientError) -> OffsetsError {
        let text = format!(
            "Failed to {verb} consumer group offsets for connector {} either because its tasks haven't stopped \
             completely yet or the connector was resumed before the request to {verb} its offsets could be \
             successfully completed. If the connector is in a stopped state, this operation can be safely \
             retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid \
             of the zombie sink tasks.",
            self.connector.name
        );
        tracing::error!(group = self.group, %error, "{text}");
        failed(text)
    }
}

/// Reads what a request says of Kafka's partitions (Kafka: `SinkUtils.parseSinkConnectorOffsets`). The last
/// of equal partitions counts.
fn parse_all(offsets: &[PartitionOffset]) -> Result<Vec<SinkOffset>, OffsetsError> {
    let mut parsed = IndexMap::new();
    for entry in offsets {
        let (topic, partition) = parse_partition(entry.partition.as_ref())?;
        let offset = entry.offset.as_ref().map(parse_offset).transpose()?;
        parsed.insert((topic, partition), offset);
    }
    let parsed = parsed
        .into_iter()
        .map(|((topic, partition), offset)| SinkOffset {
            topic,
            partition,
            offset,
        });
    Ok(parsed.collect())
}

fn parse_partition(partition: Option<&SourceMap>) -> Result<(String, i32), OffsetsError> {
    let partition = partition.ok_or_else(|| {
        refused("The partition for a sink connector offset cannot be null or missing")
    })?;
    let (Some(topic), Some(number)) = (partition.get(TOPIC), partition.get(PARTITION)) else {
        return Err(refused(format!(
            "The partition for a sink connector offset must contain the keys '{TOPIC}' and '{PARTITION}'"
        )));
    };
    if topic.is_null() {
        return Err(refused(
            "Kafka topic names must be valid strings and may not be null",
        ));
    }
    if number.is_null() {
        return Err(refused(
            "Kafka partitions must be valid numbers and may not be null",
        ));
    }
    let number = java_text(number);
    let parsed = number.parse().map_err(|_| {
        refused(format!(
            "Failed to parse the following Kafka partition value in the provided offsets: '{number}'. Partition \
             values for sink connectors need to be integers."
        ))
    })?;
    Ok((java_text(topic), parsed))
}

fn parse_offset(offset: &SourceMap) -> Result<i64, OffsetsError> {
    let value = offset.get(OFFSET).ok_or_else(|| {
        refused(format!(
            "The offset for a sink connector should either be null or contain the key '{OFFSET}'"
        ))
    })?;
    let text = java_text(value);
    text.parse().map_err(|_| {
        refused(format!(
            "Failed to parse the following Kafka offset value in the provided offsets: '{text}'. Offset values \
             for sink connectors need to be integers."
        ))
    })
}

/// Java's `String.valueOf`.
fn java_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            let mut text = Vec::new();
            append_double(number.as_f64().unwrap_or_default(), &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(java_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let member = |(key, value)| format!("{key}={}", java_text(value));
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(partition: Value, offset: Value) -> PartitionOffset {
        let map = |value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        };
        PartitionOffset {
            partition: map(partition),
            offset: map(offset),
        }
    }

    #[test]
    fn numbers_of_sink_offsets_may_be_texts_and_the_last_of_equal_partitions_counts() {
        let offsets = [
            entry(
                json!({"kafka_topic": "t", "kafka_partition": 0}),
                json!({"kafka_offset": 5}),
            ),
            entry(
                json!({"kafka_topic": "t", "kafka_partition": "1"}),
                json!({"kafka_offset": "6"}),
            ),
            entry(
                json!({"kafka_topic": 7, "kafka_partition": 0, "x": 1}),
                Value::Null,
            ),
            entry(
                json!({"kafka_partition": "0", "kafka_topic": "t"}),
                json!({"kafka_offset": 9}),
            ),
        ];
        let parsed = parse_all(&offsets).unwrap();
        let sink = |topic: &str, partition, offset| SinkOffset {
            topic: topic.to_owned(),
            partition,
            offset,
        };
        let expected = [
            sink("t", 0, Some(9)),
            sink("t", 1, Some(6)),
            sink("7", 0, None),
        ];
        assert_eq!(parsed, expected);
    }

    #[test]
    fn sink_offsets_of_a_wrong_form_are_refused_with_kafkas_texts() {
        let place = || json!({"kafka_topic": "t", "kafka_partition": 0});
        let partition =
            "Failed to parse the following Kafka partition value in the provided offsets: ";
        let offset = "Failed to parse the following Kafka offset value in the provided offsets: ";
        let cases = [
            (Value::Null, Value::Null, "The partition for a sink connector offset cannot be null or missing".to_owned()),
            (json!({"kafka_topic": "t"}), Value::Null, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'".to_owned()),
            (json!({"kafka_topic": null, "kafka_partition": 0}), Value::Null, "Kafka topic names must be valid strings and may not be null".to_owned()),
            (json!({"kafka_topic": "t", "kafka_partition": null}), Value::Null, "Kafka partitions must be valid numbers and may not be null".to_owned()),
            (json!({"kafka_topic": "t", "kafka_partition": 1.5}), Value::Null, format!("{partition}'1.5'. Partition values for sink connectors need to be integers.")),
            (json!({"kafka_topic": "t", "kafka_partition": 1e10}), Value::Null, format!("{partition}'1.0E10'. Partition values for sink connectors need to be integers.")),
            (json!({"kafka_topic": "t", "kafka_partition": [1, {"a": true}]}), Value::Null, format!("{partition}'[1, {{a=true}}]'. Partition values for sink connectors need to be integers.")),
            (place(), json!({"x": 1}), "The offset for a sink connector should either be null or contain the key 'kafka_offset'".to_owned()),
            (place(), json!({"kafka_offset": null}), format!("{offset}'null'. Offset values for sink connectors need to be integers.")),
            (place(), json!({"kafka_offset": "x"}), format!("{offset}'x'. Offset values for sink connectors need to be integers.")),
        ];
        for (partition, offset, expected) in cases {
            let found = parse_all(&[entry(partition, offset)]);
            assert_eq!(found, Err(OffsetsError::BadRequest(expected)));
        }
    }
}
