//! Why something did not happen with an internal topic.

use std::time::Duration;

use crate::clients::ClientError;

/// Characters of a key that are shown.
const KEY_SHOWN: usize = 200;

/// A failed read or append.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// A record was not written.
    #[error("topic {topic}: the record with key {key} was not written: {source}")]
    Append {
        /// Topic.
        topic: String,
        /// The record's key.
        key: String,
        /// The producer's error.
        #[source]
        source: Box<ClientError>,
    },
    /// The time allowed is over.
    #[error("topic {topic}: {doing} took longer than {} ms{hint}", after.as_millis())]
    Timeout {
        /// Topic.
        topic: String,
        /// What took so long.
        doing: &'static str,
        /// The time allowed.
        after: Duration,
        /// Empty, or `": "` and what stood in the way.
        hint: String,
    },
    /// Reading met an error that waiting does not mend.
    #[error("topic {topic} can't be read: {source}")]
    Read {
        /// Topic.
        topic: String,
        /// The client's error.
        #[source]
        source: Box<ClientError>,
    },
    /// Too many appends wait.
    #[error("topic {topic}: {waiting} appends wait for the brokers already")]
    Busy {
        /// Topic.
        topic: String,
        /// How many.
        waiting: usize,
    },
    /// The log could not be started.
    #[error("topic {topic} can't be used by this worker: {reason}")]
    NotStarted {
        /// Topic.
        topic: String,
        /// Why.
        reason: String,
    },
    /// The log is closed.
    #[error("topic {topic} is closed for this worker")]
    Closed {
        /// Topic.
        topic: String,
    },
}

impl LogError {
    pub(super) fn append(topic: &str, key: &[u8], source: ClientError) -> Self {
        let key: String = String::from_utf8_lossy(key)
            .chars()
            .take(KEY_SHOWN)
            .collect();
        Self::Append {
            topic: topic.to_owned(),
            key,
            source: Box::new(source),
        }
    }

    /// Whether the same call may succeed later (Kafka: `RetriableException`).
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Append { source, .. } | Self::Read { source, .. } => source.is_retriable(),
            Self::Timeout { .. } | Self::Busy { .. } => true,
            Self::NotStarted { .. } | Self::Closed { .. } => false,
        }
    }
}
