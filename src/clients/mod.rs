//! What the data path sees of a log, be it a Kafka cluster or the embedded log: the [`Producer`],
//! [`Consumer`] and [`Admin`] traits, their configurations, their errors and the partitioner.
//!
//! Implementations: `kafka/` (brokers over TCP) and `embedded/` (local partitions). Clients live on one
//! shard (`!Send`), take `&self`, and keep their state behind `RefCell`s that are never borrowed across
//! an await. Buffers come from the shard's pool.

mod config;
mod error;
mod held;
mod lease;
mod partitioner;
mod security;
mod traits;

pub use config::{
    Acks, AdminConfig, AutoOffsetReset, CommonClientConfig, ConsumerConfig, GroupAssignor,
    IsolationLevel, ProducerConfig,
};
pub use error::{ApiErrorKind, ClientError};
pub use held::HeldBuffer;
pub use lease::Lease;
pub use partitioner::{murmur2, partition_for_key};
pub use security::{
    Credentials, OauthConfig, Refresh, SaslConfig, ScramHash, SecurityConfig, TokenEndpoint,
    TokenSource, UnsecuredToken,
};
pub use traits::{
    Ack, Acked, Admin, Append, AppendBatch, ClusterAdmin, ConfigSource, Consumer, FetchedBatches,
    FetchedRecords, NewTopic, OffsetSpec, Polled, Producer, ProducerRecord, RecordToken, Slices,
    Subscription, TopicConfigChange, TopicConfigEntry, TopicDescription, TopicHandle,
    encode_batches,
};
