//! The topic itself: created when it is missing, and looked at before it is used (Kafka:
//! `KafkaTopicBasedBackingStore`, `TopicAdmin`).

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::TopicLogSettings;
use crate::api::{ConnectError, TopicPartition};
use crate::clients::{ApiErrorKind, ClientError, ClusterAdmin, NewTopic, OffsetSpec};
use crate::distributed::internal_topics::{Creation, DescribedTopic, Verdict, after_creation};
use crate::shard;

const CLEANUP_POLICY: &str = "cleanup.policy";
/// How long the topic's partitions may stay unknown (Kafka: `KafkaBasedLog.CREATE_TOPIC_TIMEOUT_NS`).
const METADATA: Duration = Duration::from_secs(30);
/// Kafka's error code for a request that no broker of this version knows.
const UNSUPPORTED_VERSION: i16 = 35;

/// What a log asks of an admin client.
#[async_trait(?Send)]
pub trait LogAdmin {
    /// Creates a topic. `false` when it exists already.
    ///
    /// # Errors
    /// Authorization, invalid settings, time-out.
    async fn create(&self, topic: &NewTopic) -> Result<bool, ClientError>;

    /// Number of partitions of a topic; `None` when there is none.
    ///
    /// # Errors
    /// Authorization, time-out.
    async fn partitions(&self, topic: &str) -> Result<Option<u32>, ClientError>;

    /// The topic's `cleanup.policy`.
    ///
    /// # Errors
    /// Unknown topic, authorization, time-out.
    async fn cleanup_policy(&self, topic: &str) -> Result<Option<String>, ClientError>;

    /// Where partitions end now, unfinished transactions included.
    ///
    /// # Errors
    /// Unknown topic or partition, authorization, time-out.
    async fn ends(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError>;
}

#[async_trait(?Send)]
impl<A: ClusterAdmin> LogAdmin for A {
    async fn create(&self, topic: &NewTopic) -> Result<bool, ClientError> {
        self.create_topic(topic).await
    }

    async fn partitions(&self, topic: &str) -> Result<Option<u32>, ClientError> {
        let described = self.describe_topic(topic).await?;
        Ok(described.map(|described| described.partitions))
    }

    async fn cleanup_policy(&self, topic: &str) -> Result<Option<String>, ClientError> {
        let described = self.describe_topic_configs(&[topic.to_owned()]).await?;
        let mut entries = described.into_iter().flat_map(|(_, entries)| entries);
        let policy = entries.find(|entry| entry.name == CLEANUP_POLICY);
        Ok(policy.and_then(|entry| entry.value))
    }

    async fn ends(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let wanted = partitions.iter().map(|at| (at.clone(), OffsetSpec::Latest));
        self.list_offsets(&wanted.collect::<Vec<_>>()).await
    }
}

/// Creates the topic when it is missing, checks one that was there, and says how many partitions it has.
pub(super) async fn prepare(
    settings: &TopicLogSettings,
    admin: &dyn LogAdmin,
) -> Result<u32, ConnectError> {
    let name = settings.new_topic.name.as_str();
    let policy = match create(settings, admin).await? {
        true => None,
        false => Some(cleanup_policy(name, admin).await?),
    };
    if let Some(policy) = &policy {
        settings
            .topic
            .check_cleanup_policy(name, policy.as_deref())?;
    }
    let partitions = partitions(settings, admin).await?;
    let described = DescribedTopic {
        partitions,
        cleanup_policy: policy.clone().flatten(),
    };
    let verdict = settings.topic.check(name, &described)?;
    if policy.is_some() && verdict == Verdict::Unknown {
        tracing::info!(
            topic = name,
            "can't tell whether the topic is compacted, as it has to be: the brokers don't let this \
             worker's principal describe its settings"
        );
    }
    Ok(partitions)
}

/// Whether the topic is new.
async fn create(settings: &TopicLogSettings, admin: &dyn LogAdmin) -> Result<bool, ConnectError> {
    let (topic, began) = (&settings.new_topic, Instant::now());
    loop {
        let outcome = admin.create(topic).await;
        match after_creation(&topic.name, outcome) {
            Creation::Created => {
                tracing::info!(
                    topic = topic.name,
                    partitions = topic.partitions,
                    replication_factor = topic.replication_factor,
                    "created the internal topic"
                );
                return Ok(true);
            }
            Creation::Existing => return Ok(false),
            Creation::Failed(error) => return Err(error),
            Creation::Again(error) if began.elapsed() >= settings.api_timeout => {
                return Err(error);
            }
            Creation::Again(error) => {
                tracing::warn!(topic = topic.name, %error, causes = %error.trace(),
                    "the internal topic could not be created yet; trying again");
                shard::sleep(settings.retry_backoff).await;
            }
        }
    }
}

async fn cleanup_policy(topic: &str, admin: &dyn LogAdmin) -> Result<Option<String>, ConnectError> {
    match admin.cleanup_policy(topic).await {
        Ok(policy) => Ok(policy),
        Err(error) if may_not_ask(&error) => {
            tracing::debug!(topic, %error, "the topic's settings can't be described");
            Ok(None)
        }
        Err(error) => {
            let text = match error {
                ClientError::Timeout { .. } | ClientError::Disconnected { .. } => {
                    format!("Timed out while waiting to describe topic config for topic '{topic}'")
                }
                _ => {
                    format!("Error while attempting to describe topic configs for topic '{topic}'")
                }
            };
            Err(ConnectError::connect(text).with_source(error))
        }
    }
}

fn may_not_ask(error: &ClientError) -> bool {
    match error {
        ClientError::UnsupportedVersion { .. } => true,
        ClientError::Api { kind, code, .. } => {
            *kind == ApiErrorKind::Authorization || *code == UNSUPPORTED_VERSION
        }
        _ => false,
    }
}

/// Waits for the topic to have partitions: after its creation brokers hear of it one by one, and a topic
/// that this principal may not create somebody else may be about to.
async fn partitions(
    settings: &TopicLogSettings,
    admin: &dyn LogAdmin,
) -> Result<u32, ConnectError> {
    let (topic, began) = (settings.new_topic.name.as_str(), Instant::now());
    let limit = METADATA.min(settings.api_timeout);
    loop {
        let source = match admin.partitions(topic).await {
            Ok(Some(partitions)) if partitions > 0 => return Ok(partitions),
            Ok(_) => None,
            Err(error) if error.is_retriable() => Some(error),
            Err(error) => {
                let text = format!("The partitions of topic '{topic}' can't be looked up");
                return Err(ConnectError::connect(text).with_source(error));
            }
        };
        if began.elapsed() >= limit {
            let error = ConnectError::connect(format!(
                "Could not look up partition metadata for the topic '{topic}' in allotted period. This \
                 could indicate a connectivity issue, unavailable topic partitions, or if this is your \
                 first use of the topic it may have taken too long to create."
            ));
            return Err(match source {
                Some(source) => error.with_source(source),
                None => error,
            });
        }
        shard::sleep(settings.retry_backoff).await;
    }
}
