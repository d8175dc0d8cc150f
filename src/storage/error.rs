//! Why offsets can't be read or stored.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::mapped::SlotError;

/// A failed call on an offset store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The mapped file.
    #[error(transparent)]
    File(#[from] SlotError),
    /// A serialized Java object that is no offset map.
    #[error("{}: Expected HashMap but found class {class}", path.display())]
    NotAHashMap {
        /// The file.
        path: PathBuf,
        /// Java's name of the class.
        class: String,
    },
    /// A serialized Java object that can't be read.
    #[error(
        "{}: can't import the offsets of Apache's standalone worker, at byte {position}: {reason}",
        path.display()
    )]
    UnreadableMap {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        position: usize,
        /// What was met there.
        reason: String,
    },
    /// The imported file can't be kept beside.
    #[error("{}: can't keep the imported file as {}: {source}", path.display(), backup.display())]
    Backup {
        /// The file.
        path: PathBuf,
        /// The name it should get.
        backup: PathBuf,
        /// The system's words.
        source: Arc<io::Error>,
    },
    /// A nested value in a partition or offset (Kafka: `OffsetUtils.validateFormat`).
    #[error(
        "Offsets may only contain primitive types as values, but field {field} contains {found}"
    )]
    NotPrimitive {
        /// Member.
        field: String,
        /// `ARRAY`, `MAP` or a class of Java's.
        found: &'static str,
    },
    /// Offsets that workers share could not be read or written.
    #[error("{reason}")]
    Shared {
        /// What is wrong, with the topic.
        reason: String,
        /// Whether the same call may succeed later.
        retriable: bool,
    },
    /// The task that stores was given up.
    #[error("offsets of a task of connector {connector} are not stored: the task was given up")]
    Closed {
        /// Connector.
        connector: String,
    },
}

impl StorageError {
    /// Reading or writing shared offsets has failed.
    pub fn shared(reason: String, retriable: bool) -> Self {
        Self::Shared { reason, retriable }
    }

    /// A task of `connector` was given up.
    pub fn closed(connector: &str) -> Self {
        Self::Closed {
            connector: connector.to_owned(),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::File(error) => error.is_retriable(),
            Self::Shared { retriable, .. } => *retriable,
            _ => false,
        }
    }
}
