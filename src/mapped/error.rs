//! Why a slot file can't be opened or written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A failed call on a slot file. `Clone`, because every waiter of a group commit gets it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SlotError {
    /// The system refused.
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's words.
        source: Arc<io::Error>,
    },
    /// Another worker holds the lock.
    #[error(
        "offset file {} is in use by another worker ({}); stop it or give each worker a file of its own",
        path.display(), .pid.map_or_else(|| "pid unknown".to_owned(), |pid| format!("pid {pid}"))
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who holds it, where the system tells.
        pid: Option<i32>,
    },
    /// The disk has no room for the file to grow. The file is unharmed.
    #[error(
        "{}: the disk is full: no room for {bytes} more bytes; what was stored before is safe, free some space",
        path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// By how much it should have grown.
        bytes: u64,
    },
    /// Not a slot file.
    #[error(
        "{} is no offset file (it begins with {head}); move it away or correct the path",
        path.display()
    )]
    NotASlotFile {
        /// The file.
        path: PathBuf,
        /// Its first bytes in hexadecimal.
        head: String,
    },
    /// Shorter than its header says.
    #[error(
        "{} was truncated: it has {found} bytes and should have {expected}; restore it from a copy, or remove it to start without offsets",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that it has.
        found: u64,
        /// Bytes that its header promises.
        expected: u64,
    },
    /// Written by a newer version.
    #[error(
        "{} has format version {found}, this version reads up to {known}; use the newer version again",
        path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Both copies of a header or slot are damaged.
    #[error(
        "{} is corrupt at byte {position}: {reason}; restore it from a copy, or remove it to start without offsets",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Position of the first copy.
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// Key and value are larger than a slot can be.
    #[error("{}: an entry of {size} bytes is larger than {max}, the most that is stored", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes of key and value.
        size: usize,
        /// The most there may be.
        max: usize,
    },
    /// The extent table is full.
    #[error("{}: the file is full: no more extents fit its header", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
    },
    /// The flusher thread can't be started or has died.
    #[error("{}: no flusher thread: {reason}", path.display())]
    NoFlusher {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl SlotError {
    pub(super) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            doing,
            source: Arc::new(source),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Io { .. })
    }
}
