//! What the three internal topics must look like (Kafka: `KafkaTopicBasedBackingStore`, `TopicAdmin`;
//! contract 2.3, 4.1).

use crate::api::config_def::ParsedConfig;
use crate::api::data::java_hash::{DEFAULT_CAPACITY, sort_entries};
use crate::api::{ConnectError, Value};
use crate::clients::{ApiErrorKind, ClientError, NewTopic};
use crate::config::Warning;

const CLEANUP_POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";

/// Kafka's error codes that decide what a failed creation means.
mod code {
    pub(super) const REQUEST_TIMED_OUT: i16 = 7;
    pub(super) const INVALID_TOPIC: i16 = 17;
    pub(super) const UNSUPPORTED_VERSION: i16 = 35;
    pub(super) const INVALID_REPLICATION_FACTOR: i16 = 38;
    pub(super) const INVALID_CONFIG: i16 = 40;
}

/// One of the topics that workers of a cluster share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InternalTopic {
    /// `config.storage.topic`.
    Config,
    /// `offset.storage.topic`, and the topics that connectors have in its place.
    Offset,
    /// `status.storage.topic`.
    Status,
}

/// What a topic looks like to an admin client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedTopic {
    /// Number of partitions.
    pub partitions: u32,
    /// Its `cleanup.policy`; `None` when the client may not ask, or there is no such topic yet.
    pub cleanup_policy: Option<String>,
}

/// A topic that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is compacted.
    Compacted,
    /// Whether it is compacted could not be told; worth a line in the log.
    Unknown,
}

/// What a topic is created with, and what of the worker's file has no effect on that.
#[derive(Debug, Clone)]
pub struct TopicSettings {
    /// The topic.
    pub new_topic: NewTopic,
    /// Keys without effect.
    pub warnings: Vec<Warning>,
}

/// What to do after the attempt to create a topic.
#[derive(Debug)]
pub enum Creation {
    /// It is new, with the settings that were asked for.
    Created,
    /// It is there, or the client may not create topics and takes it that it is: to be checked.
    Existing,
    /// To be tried again after `retry.backoff.ms`, until `default.api.timeout.ms` is over; the error is
    /// that of the last attempt.
    Again(ConnectError),
    /// The worker can't start.
    Failed(ConnectError),
}

impl InternalTopic {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Config, Self::Offset, Self::Status];

    /// What the worker's keys about it begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Config => "config.storage.",
            Self::Offset => "offset.storage.",
            Self::Status => "status.storage.",
        }
    }

    fn key(self, of: &str) -> String {
        format!("{}{of}", self.prefix())
    }

    /// The worker's key for its name.
    pub fn topic_key(self) -> String {
        self.key("topic")
    }

    /// What it keeps, in Apache's words.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Config => "connector configurations",
            Self::Offset => "source connector offsets",
            Self::Status => "connector and task statuses",
        }
    }

    fn without_name(self) -> ConnectError {
        ConnectError::config(match self {
            Self::Config => "Must specify topic for connector configuration.",
            Self::Offset => "Offset storage topic must be specified",
            Self::Status => "Must specify topic for connector status.",
        })
    }

    /// What the topic is created with when it is missing, from a distributed worker's configuration.
    ///
    /// # Errors
    /// Its name is blank.
    pub fn settings(self, worker: &ParsedConfig) -> Result<TopicSettings, ConnectError> {
        let name = worker.str(&self.topic_key())?;
        if name.trim().is_empty() {
            return Err(self.without_name());
        }
        self.settings_as(worker, name)
    }

    /// As [`Self::settings`], under another name: for the offset topic of a connector.
    ///
    /// # Errors
    /// A key has another type than a worker's definition gives it.
    pub fn settings_as(
        self,
        worker: &ParsedConfig,
        name: &str,
    ) -> Result<TopicSettings, ConnectError> {
        let mut warnings = Vec::new();
        let mut configs = Vec::new();
        for (setting, value) in worker.with_prefix(self.prefix()) {
            let key = self.key(&setting);
            let shown = || value.as_deref().unwrap_or("null");
            match setting.as_str() {
                "partitions" if self == Self::Config => {
                    let text = "since config topic partitions is always 1";
                    warnings.push(ignored(key, shown(), text));
                }
                "topic" | "partitions" | "replication.factor" => {}
                CLEANUP_POLICY if value.is_some() => {
                    let text = "since compaction is always used";
                    warnings.push(ignored(key, shown(), text));
                }
                CLEANUP_POLICY => {}
                _ => configs.extend(value.map(|value| (setting, value))),
            }
        }
        configs.push((CLEANUP_POLICY.to_owned(), COMPACT.to_owned()));
        let partitions = match self {
            Self::Config => 1,
            _ => worker.int(&self.key("partitions"))?,
        };
        let new_topic = NewTopic {
            name: name.to_owned(),
            partitions,
            replication_factor: worker.short(&self.key("replication.factor"))?,
            configs,
        };
        Ok(TopicSettings {
            new_topic,
            warnings,
        })
    }

    /// Whether the worker can work with a topic that it did not create itself. Partitions and replicas are
    /// as they are, but for the config topic, whose records need one order.
    ///
    /// # Errors
    /// Why the worker must not start, with Apache's text.
    pub fn check(self, topic: &str, described: &DescribedTopic) -> Result<Verdict, ConnectError> {
        let verdict = self.check_cleanup_policy(topic, described.cleanup_policy.as_deref())?;
        self.check_partitions(topic, described.partitions)?;
        Ok(verdict)
    }

    /// Whether a topic is compacted, and nothing else.
    ///
    /// # Errors
    /// It is not (Kafka: `TopicAdmin.verifyTopicCleanupPolicyOnlyCompact`).
    pub fn check_cleanup_policy(
        self,
        topic: &str,
        policy: Option<&str>,
    ) -> Result<Verdict, ConnectError> {
        let policies = policies(policy.unwrap_or_default());
        if policies.is_empty() {
            return Ok(Verdict::Unknown);
        }
        if policies == [COMPACT] {
            return Ok(Verdict::Compacted);
        }
        let (key, purpose, found) = (self.topic_key(), self.purpose(), policies.join(","));
        Err(ConnectError::config(format!(
            "Topic '{topic}' supplied via the '{key}' property is required to have \
             '{CLEANUP_POLICY}={COMPACT}' to guarantee consistency and durability of {purpose}, but found \
             the topic currently has '{CLEANUP_POLICY}={found}'. Continuing would likely result in \
             eventually losing {purpose} and problems restarting this Connect cluster in the future. \
             Change the '{key}' property in the Connect worker configurations to use a topic with \
             '{CLEANUP_POLICY}={COMPACT}'."
        )))
    }

    /// Whether the number of partitions will do.
    ///
    /// # Errors
    /// A config topic with more than one (Kafka: `KafkaConfigBackingStore.start`).
    pub fn check_partitions(self, topic: &str, partitions: u32) -> Result<(), ConnectError> {
        if self != Self::Config || partitions <= 1 {
            return Ok(());
        }
        let key = self.topic_key();
        Err(ConnectError::config(format!(
            "Topic '{topic}' supplied via the '{key}' property is required to have a single partition in \
             order to guarantee consistency of connector configurations, but found {partitions} partitions."
        )))
    }
}

fn ignored(key: String, value: &str, reason: &str) -> Warning {
    let message = format!("Ignoring '{key}={value}' setting, {reason}");
    Warning::new(key, message)
}

/// The policies that a topic's setting names, in the order of a Java `HashSet`.
fn policies(setting: &str) -> Vec<String> {
    let mut found: Vec<(Value, Value)> = Vec::new();
    for policy in setting.split(',').map(java_trim) {
        let policy = Value::String(policy.to_lowercase());
        let known = found.iter().any(|(known, _)| *known == policy);
        if policy != Value::String(String::new()) && !known {
            found.push((policy, Value::Null));
        }
    }
    sort_entries(&mut found, DEFAULT_CAPACITY);
    let texts = found.into_iter().filter_map(|(policy, _)| match policy {
        Value::String(text) => Some(text),
        _ => None,
    });
    texts.collect()
}

/// Java's `String.trim`.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|character: char| character <= ' ')
}

/// What the outcome of creating a topic means (Kafka: `TopicAdmin.createOrFindTopics`,
/// `createTopicsWithRetry`).
pub fn after_creation(topic: &str, outcome: Result<bool, ClientError>) -> Creation {
    let error = match outcome {
        Ok(true) => return Creation::Created,
        Ok(false) => return Creation::Existing,
        Err(error) => error,
    };
    let (text, again) = match &error {
        ClientError::UnsupportedVersion { .. } => return Creation::Existing,
        ClientError::Api {
            kind: ApiErrorKind::Authorization,
            ..
        }
        | ClientError::Api {
            code: code::UNSUPPORTED_VERSION,
            ..
        } => return Creation::Existing,
        // Java's classes for the other two are invalid configurations. Too few brokers may pass.
        ClientError::Api {
            code:
                code @ (code::INVALID_CONFIG | code::INVALID_REPLICATION_FACTOR | code::INVALID_TOPIC),
            message,
            ..
        } => {
            let reason = message.as_deref().unwrap_or("Configuration is invalid.");
            let text = format!("Unable to create topic(s) '{topic}': {reason}");
            (text, *code == code::INVALID_REPLICATION_FACTOR)
        }
        ClientError::Api {
            code: code::REQUEST_TIMED_OUT,
            ..
        }
        | ClientError::Timeout { .. }
        | ClientError::Disconnected { .. } => {
            let text = format!(
                "Timed out while checking for or creating topic(s) '{topic}'. This could indicate a \
                 connectivity issue, unavailable topic partitions, or if this is your first use of the \
                 topic it may have taken too long to create."
            );
            (text, true)
        }
        _ => {
            let text = format!("Error while attempting to create/find topic(s) '{topic}'");
            (text, false)
        }
    };
    let error = ConnectError::connect(text).with_source(error);
    if again {
        Creation::Again(error)
    } else {
        Creation::Failed(error)
    }
}
