//! The offset topics: how far source connectors have come (Kafka: `KafkaOffsetBackingStore`,
//! `ConnectorOffsetBackingStore`; contract 4.3).
//!
//! [`OffsetTopic`] is one topic as read so far; [`ConnectorOffsets`] is what a connector sees, over the
//! worker's topic, one of its own (`offsets.storage.topic`), or both: reads prefer its own, writes go
//! to both in an order that never brings a deleted offset back. [`OffsetCodec`] has the bytes.
//!
//! Keys compare by meaning, whatever the order of their members. Apache's workers look offsets up by exact
//! bytes, so a partition that was met in the topic is written under the bytes it was met with, and where
//! it was met in several spellings, under each of them.
//!
//! Memory: key and value of every partition that has an offset, the key twice where its members are not
//! in order of their names; a tombstone frees both. Nothing limits how many partitions a topic has, as in
//! Apache's worker.
//!
//! Difference from Apache: with a topic of its own, a connector of Apache's worker does not see what the
//! worker's topic alone knows, since its own topic answers "none" for what it lacks, and that wins. The
//! documented merge (KIP-618) is what happens here, so a connector that is given a topic goes on where
//! it was.

mod codec;
mod connector_offsets;
mod view;

pub use codec::{KeyProblem, OffsetCodec, OffsetKey};
pub use connector_offsets::{ConnectorOffsets, OnFailure, Store, WriteStep};
pub use view::OffsetTopic;

#[cfg(test)]
mod tests;
