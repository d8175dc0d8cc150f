//! Source offsets in Kafka (Kafka: `KafkaOffsetBackingStore`, `ConnectorOffsetBackingStore`; contract 4.3).
//!
//! ```text
//! task, request ─→ storage::ConnectorOffsetStore ─→ access: look at views ┬ read to the end, write
//!                                                      ↑                  ↓ (mailbox, one answer each)
//!                                         OffsetView ←─┴── logs: the worker's topic, connectors' own ─→ Kafka
//! ```
//!
//! [`OffsetView`] is an offset topic as read so far. The cluster's thread writes it, tasks on shards and
//! the offset requests read it; a lock is held for one record, or one look. A connector with a topic of its
//! own (`offsets.storage.topic`) has a log on the same thread as long as one of its tasks or a request
//! uses it. Writes wait in the queue of their log, and leave it only while their task may write.

mod access;
mod logs;
mod view;

pub(super) use access::KafkaOffsets;
pub(super) use logs::{OffsetLogs, OffsetsCommand, view_sink};
pub use view::OffsetView;
