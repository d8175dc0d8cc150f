//! Where source offsets are kept: [`OffsetStore`], in a mapped file (`offset.storage.file.filename`) or
//! in memory, or topics that workers share ([`OffsetTopics`], which `cluster` implements). Tasks and requests
//! see either through a [`ConnectorOffsetStore`]. And which topics each connector used: [`ActiveTopics`].
//!
//! Used by source tasks (read at start, written as records are acknowledged) and by the offset
//! requests of REST. Keys and values are the JSON that Apache's `JsonConverter` writes (contract 4.3);
//! a file of Apache's standalone worker is imported at open and kept beside as `.java.bak`.
//!
//! Invariants: keys compare by meaning (member order does not matter), stored key bytes are written
//! back as they were; what a flush acknowledged survives `kill -9` and power loss, or is in Kafka. Opening blocks;
//! everything else is safe on a shard: short memory locks, `msync` on the flusher thread.

mod active_topics;
mod backing;
mod error;
mod java_map;
pub(crate) mod offset_key;
mod offset_store;

pub use active_topics::{ActiveTopics, TopicNews, TopicTracker, TopicUse};
pub use backing::{
    ConnectorOffsetStore, ConnectorOffsetTopics, OffsetBackingStore, OffsetEntry, OffsetTopics,
    WriteGate,
};
pub use error::StorageError;
pub use offset_key::check_format;
pub use offset_store::OffsetStore;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
