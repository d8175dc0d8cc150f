//! Typed client configurations. `config::clients` parses Kafka's keys into them; the defaults here are
//! Ringmain's for connector tasks (contract 2.5 and architecture.md).

use std::time::Duration;

use super::{Lease, SecurityConfig};
use crate::record::{Compression, CompressionConfig};

/// Settings that every client has. Field names are Kafka's keys.
#[derive(Debug, Clone)]
pub struct CommonClientConfig {
    /// `host:port` of each bootstrap server.
    pub bootstrap_servers: Vec<String>,
    /// `client.id`, sent with every request.
    pub client_id: String,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: bound on calls that retry by themselves.
    pub default_api_timeout: Duration,
    /// `reconnect.backoff.ms`.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`.
    pub reconnect_backoff_max: Duration,
    /// `retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Duration,
    /// `connections.max.idle.ms`.
    pub connections_max_idle: Duration,
    /// `socket.connection.setup.timeout.ms`.
    pub connection_setup_timeout: Duration,
    /// `socket.connection.setup.timeout.max.ms`.
    pub connection_setup_timeout_max: Duration,
    /// `send.buffer.bytes`; `None` leaves it to the system.
    pub send_buffer_bytes: Option<usize>,
    /// `receive.buffer.bytes`; `None` leaves it to the system.
    pub receive_buffer_bytes: Option<usize>,
    /// `security.protocol`, `ssl.*` and `sasl.*`.
    pub security: SecurityConfig,
}

impl Default for CommonClientConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: Vec::new(),
            client_id: String::new(),
            request_timeout: Duration::from_secs(30),
            default_api_timeout: Duration::from_secs(60),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            connections_max_idle: Duration::from_secs(540),
            connection_setup_timeout: Duration::from_secs(10),
            connection_setup_timeout_max: Duration::from_secs(30),
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            security: SecurityConfig::default(),
        }
    }
}

/// `acks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// `0`: the broker does not answer.
    None,
    /// `1`: the leader has written it.
    Leader,
    /// `all` or `-1`: every in-sync replica has it.
    All,
}

/// Producer settings (Kafka: `ProducerConfig`).
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// Common part.
    pub common: CommonClientConfig,
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`. A broker that denies it (no IDEMPOTENT_WRITE) makes the producer fall back
    /// to one request in flight, with a warning, unless `idempotence_required`.
    pub idempotence: bool,
    /// The user set `enable.idempotence=true` explicitly.
    pub idempotence_required: bool,
    /// `linger.ms`: how long a batch may wait for more records.
    pub linger: Duration,
    /// `batch.size` in bytes, header included; 1 MiB unless the user sets it.
    pub batch_size: usize,
    /// The user set `batch.size`. If not, `linger.ms` ends early for a batch of Kafka's default size, as
    /// it would there.
    pub batch_size_set: bool,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: usize,
    /// `max.request.size`: bound on one record's serialized, uncompressed size and on a request.
    pub max_request_size: usize,
    /// `delivery.timeout.ms`: from append to acknowledgement or failure.
    pub delivery_timeout: Duration,
    /// `buffer.memory`: bound on bytes appended and not yet acknowledged.
    pub buffer_memory: usize,
    /// `max.block.ms`: bound on waiting for metadata or buffer memory.
    pub max_block: Duration,
    /// `retries`.
    pub retries: u32,
    /// `compression.type` and its level.
    pub compression: CompressionConfig,
    /// The user set `compression.type`: batches of another codec are not taken as they are.
    pub compression_set: bool,
    /// Nothing is sent while it is over.
    pub lease: Lease,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            common: CommonClientConfig::default(),
            acks: Acks::All,
            idempotence: true,
            idempotence_required: false,
            linger: Duration::ZERO,
            batch_size: 1 << 20,
            batch_size_set: false,
            max_in_flight: 5,
            max_request_size: 1 << 20,
            delivery_timeout: Duration::from_millis(i32::MAX as u64),
            buffer_memory: 8 << 20,
            max_block: Duration::MAX,
            retries: i32::MAX as u32,
            compression: CompressionConfig {
                codec: Compression::None,
                level: None,
            },
            compression_set: false,
            lease: Lease::unlimited(),
        }
    }
}

/// `auto.offset.reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// From the first offset that is left.
    Earliest,
    /// From the end.
    Latest,
    /// Fail.
    None,
}

/// `isolation.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    /// Everything up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset, without aborted transactions.
    ReadCommitted,
}

/// `partition.assignment.strategy` of the classic group protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupAssignor {
    /// `RangeAssignor`, wire name `range`.
    Range,
    /// `RoundRobinAssignor`, wire name `roundrobin`.
    RoundRobin,
    /// `StickyAssignor` is not offered; `CooperativeStickyAssignor`, wire name `cooperative-sticky`.
    CooperativeSticky,
}

/// Consumer settings (Kafka: `ConsumerConfig`).
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// Common part.
    pub common: CommonClientConfig,
    /// `group.id`; `None` allows manual assignment without commits only.
    pub group_id: Option<String>,
    /// `group.instance.id`: static membership.
    pub group_instance_id: Option<String>,
    /// `client.rack`.
    pub client_rack: Option<String>,
    /// `auto.offset.reset`.
    pub auto_offset_reset: AutoOffsetReset,
    /// `isolation.level`.
    pub isolation: IsolationLevel,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `fetch.max.bytes`; 8 MiB unless the user sets it, so that memory stays bounded.
    pub fetch_max_bytes: i32,
    /// Whether the user set that: answers then have that size at once, not the one that the broker's distance
    /// asks for.
    pub fetch_max_bytes_set: bool,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait: Duration,
    /// What that grows to while nothing comes; the same when `fetch.max.wait.ms` is set.
    pub fetch_idle_wait: Duration,
    /// `max.partition.fetch.bytes`.
    pub max_partition_fetch_bytes: i32,
    /// `max.poll.records`; `None` (nothing set) hands over what a fetch brought.
    pub max_poll_records: Option<usize>,
    /// `max.poll.interval.ms`.
    pub max_poll_interval: Duration,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `partition.assignment.strategy` in order of preference.
    pub assignors: Vec<GroupAssignor>,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `allow.auto.create.topics`.
    pub allow_auto_create_topics: bool,
    /// Ours: largest size one batch may have after decompression.
    pub max_decompressed_bytes: usize,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            common: CommonClientConfig::default(),
            group_id: None,
            group_instance_id: None,
            client_rack: None,
            auto_offset_reset: AutoOffsetReset::Earliest,
            isolation: IsolationLevel::ReadUncommitted,
            fetch_min_bytes: 1,
            fetch_max_bytes: 8 << 20,
            fetch_max_bytes_set: false,
            fetch_max_wait: Duration::from_millis(500),
            fetch_idle_wait: Duration::from_secs(2),
            max_partition_fetch_bytes: 1 << 20,
            max_poll_records: None,
            max_poll_interval: Duration::from_secs(300),
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            assignors: vec![GroupAssignor::Range, GroupAssignor::CooperativeSticky],
            check_crcs: true,
            allow_auto_create_topics: true,
            max_decompressed_bytes: 128 << 20,
        }
    }
}

/// Admin settings (Kafka: `AdminClientConfig`).
#[derive(Debug, Clone, Default)]
pub struct AdminConfig {
    /// Common part.
    pub common: CommonClientConfig,
}
