//! Source offsets in Kafka (Kafka: `KafkaOffsetBackingStore`; contract 4.3).
//!
//! [`OffsetView`] is an offset topic as read so far. The cluster's thread writes it, tasks on shards and
//! the offset requests read it; a lock is held for one record or one look.

mod view;

pub use view::OffsetView;
