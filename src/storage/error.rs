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
}

impl StorageError {
    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::File(error) if error.is_retriable())
    }
}
