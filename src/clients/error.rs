//! The one error of all clients, with what a handler needs: what it concerns and whether a retry can
//! help.

use std::path::PathBuf;
use std::time::Duration;

/// What may be done about an error code that a broker answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// The same request may succeed later.
    Retriable,
    /// The same request may succeed after a metadata refresh or with another coordinator.
    RefreshMetadata,
    /// This producer or member was replaced by a newer one.
    Fenced,
    /// The principal may not do this.
    Authorization,
    /// It will not succeed.
    Fatal,
}

/// A failed client call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// A broker answered with an error code.
    #[error("{context}: {name} ({code}){}", .message.as_deref().map(|m| format!(": {m}")).unwrap_or_default())]
    Api {
        /// What was being done, with topic, partition, group or offset.
        context: String,
        /// Kafka's error code.
        code: i16,
        /// Kafka's name of it, e.g. `NOT_LEADER_OR_FOLLOWER`.
        name: &'static str,
        /// What may be done.
        kind: ApiErrorKind,
        /// The broker's own words.
        message: Option<String>,
    },
    /// No broker could be reached, or a connection broke.
    #[error("{context}: broker {broker}: {reason}")]
    Disconnected {
        /// What was being done.
        context: String,
        /// `host:port` (and id where known).
        broker: String,
        /// The cause.
        reason: String,
    },
    /// Client and broker did not accept each other: TLS or SASL failed (Kafka: `AuthenticationException`).
    #[error("authentication with broker {broker} failed: {reason}")]
    Authentication {
        /// `host:port`.
        broker: String,
        /// What is wrong and which keys to look at.
        reason: String,
    },
    /// The time allowed for a call is over.
    #[error("{context}: timed out after {} ms{hint}", after.as_millis())]
    Timeout {
        /// What was being done.
        context: String,
        /// The time allowed.
        after: Duration,
        /// Empty, or `": "` and what to look at.
        hint: String,
    },
    /// A record is larger than `max.request.size`.
    #[error(
        "topic {topic}: the record is {size} bytes when serialized which is larger than {max}, which is the value of the max.request.size configuration"
    )]
    RecordTooLarge {
        /// Topic.
        topic: String,
        /// Upper bound of the record's serialized size in bytes.
        size: usize,
        /// `max.request.size`.
        max: usize,
    },
    /// Bytes from a broker or a segment can't be read.
    #[error("{topic}-{partition} at offset {offset}: {reason}")]
    Corrupt {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Offset of the batch that can't be read.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// A broker's answer can't be read.
    #[error("{context}: malformed answer from broker {broker}: {reason}")]
    Malformed {
        /// What was being done.
        context: String,
        /// `host:port`.
        broker: String,
        /// What is wrong.
        reason: String,
    },
    /// Broker and client share no version of a request.
    #[error(
        "broker {broker} supports {api} versions {broker_min} to {broker_max}, needed is {needed}; brokers from 2.8 on are supported"
    )]
    UnsupportedVersion {
        /// `host:port`.
        broker: String,
        /// Request name.
        api: &'static str,
        /// Lowest version the broker has.
        broker_min: i16,
        /// Highest version the broker has; −1 when it does not know the request.
        broker_max: i16,
        /// What this client needs.
        needed: String,
    },
    /// No stored offset, and `auto.offset.reset=none`.
    #[error(
        "{topic}-{partition}: no committed offset (or it is out of range) and auto.offset.reset=none"
    )]
    NoOffset {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// A file of the embedded log.
    #[error("embedded log {}: {reason}", path.display())]
    Storage {
        /// File or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
        /// Whether a retry may succeed (disk full).
        retriable: bool,
    },
    /// A setting that can't work.
    #[error("{key}: {reason}")]
    Config {
        /// Kafka's key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

impl ClientError {
    /// Whether no broker will be reached before the configuration is changed, theirs or this client's.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Authentication { .. } | Self::Config { .. })
    }

    /// Whether the same call may succeed later (Kafka: `RetriableException`).
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Api { kind, .. } => {
                matches!(
                    kind,
                    ApiErrorKind::Retriable | ApiErrorKind::RefreshMetadata
                )
            }
            Self::Disconnected { .. } | Self::Timeout { .. } => true,
            Self::Storage { retriable, .. } => *retriable,
            _ => false,
        }
    }
}
