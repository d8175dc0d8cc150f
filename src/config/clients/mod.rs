//! Settings of producers, consumers and admin clients: Kafka's keys into typed structs, and the layers
//! that a task's client is made of (contract 2.5).
//!
//! A key of Kafka that changes nothing here is accepted with a warning; one whose value would change
//! what a client does is refused with the reason ([`Support`]).

mod internal;
mod jaas;
mod keys;
mod layers;
mod oauth;
mod security;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use internal::{ConnectorOffsetClients, InternalClient};
pub(crate) use keys::ssl_keys;
pub use keys::{ClientKey, Support, def, keys};
pub use layers::{
    OverridePolicy, RemoteClient, RemoteCluster, dlq_admin, dlq_producer, offsets_admin,
    remote_keys, task_admin, task_consumer, task_producer, worker_admin,
};

use crate::api::config_def::{ConfigProblem, ParsedConfig};
use crate::api::{ConfigMap, ConnectError};
use crate::clients::{
    Acks, AdminConfig, AutoOffsetReset, CommonClientConfig, ConsumerConfig, GroupAssignor,
    IsolationLevel, Lease, ProducerConfig,
};
use crate::record::{Compression, CompressionConfig};

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// Producer.
    Producer,
    /// Consumer.
    Consumer,
    /// Admin client.
    Admin,
}

impl ClientKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Producer, Self::Consumer, Self::Admin];

    /// Prefix of its settings in a worker's file: `producer.` …
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Producer => "producer.",
            Self::Consumer => "consumer.",
            Self::Admin => "admin.",
        }
    }

    /// Prefix of its settings in a connector's configuration: `producer.override.` …
    pub fn override_prefix(self) -> &'static str {
        match self {
            Self::Producer => "producer.override.",
            Self::Consumer => "consumer.override.",
            Self::Admin => "admin.override.",
        }
    }
}

/// Begins the `bootstrap.servers` of the embedded log; the directory follows.
pub const EMBEDDED: &str = "embedded:";

/// Keys of `config` (unprefixed) that are known and change nothing, in Kafka's order.
pub fn without_effect(kind: ClientKind, config: &ConfigMap) -> Vec<String> {
    keys(kind)
        .into_iter()
        .filter(|key| key.support == Support::Ignored && config.contains_key(&key.key.name))
        .map(|key| key.key.name)
        .collect()
}

/// Parses and checks the keys, the refused ones too.
fn parse(kind: ClientKind, config: &ConfigMap) -> Result<ParsedConfig, Vec<ConfigProblem>> {
    let mut problems = refused(kind, config);
    match def(kind).parse(config) {
        Ok(parsed) => {
            check_servers(&parsed, &mut problems);
            problems.extend(security::security(&parsed).err());
            if problems.is_empty() {
                Ok(parsed)
            } else {
                Err(problems)
            }
        }
        Err(more) => {
            problems.extend(more);
            // What is wrong elsewhere hides nothing of security.
            let parsed = keys::security_def().parse(config);
            problems.extend(
                parsed
                    .ok()
                    .and_then(|parsed| security::security(&parsed).err()),
            );
            Err(problems)
        }
    }
}

fn refused(kind: ClientKind, config: &ConfigMap) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for ClientKey { key, support } in keys(kind) {
        let (Support::Only(accepted, why), Some(Some(value))) = (support, config.get(&key.name))
        else {
            continue;
        };
        let value = value.trim();
        if !accepted
            .iter()
            .any(|known| known.eq_ignore_ascii_case(value))
        {
            problems.push(ConfigProblem::invalid(&key.name, value, why));
        }
    }
    problems
}

/// The servers; the embedded log's directory may hold commas.
fn servers(parsed: &ParsedConfig) -> Result<Vec<String>, ConnectError> {
    match parsed.originals().get("bootstrap.servers") {
        Some(Some(text)) if text.trim().starts_with(EMBEDDED) => Ok(vec![text.trim().to_owned()]),
        _ => Ok(parsed.list("bootstrap.servers")?.to_vec()),
    }
}

fn check_servers(parsed: &ParsedConfig, problems: &mut Vec<ConfigProblem>) {
    for server in servers(parsed).unwrap_or_default() {
        if let Err(message) = check_server(&server) {
            problems.push(ConfigProblem::new("bootstrap.servers", message));
        }
    }
}

/// `host:port`, `[v6]:port` or `PROTOCOL://host:port`, as Kafka's `ClientUtils` takes them.
pub(super) fn check_server(server: &str) -> Result<(), String> {
    if let Some(directory) = server.strip_prefix(EMBEDDED) {
        return if directory.is_empty() {
            Err("Invalid url in bootstrap.servers: embedded: must name a directory".to_owned())
        } else {
            Ok(())
        };
    }
    let address = server
        .split_once("://")
        .map_or(server, |(_, address)| address);
    let (host, port) = address.rsplit_once(':').unwrap_or(("", ""));
    let host_char = |c: char| c.is_ascii_alphanumeric() || "-%._:[]".contains(c);
    if host.is_empty() || !host.chars().all(host_char) || port.is_empty() {
        return Err(format!("Invalid url in bootstrap.servers: {server}"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(format!("Invalid port in bootstrap.servers: {server}")),
    }
}

/// A mistake of ours rather than of the user's, still reported and not panicked over.
fn internal(error: &ConnectError) -> Vec<ConfigProblem> {
    vec![ConfigProblem::new("", error.message())]
}

/// Milliseconds; Java's largest number means for ever.
fn duration(ms: i64) -> Duration {
    if ms == i64::MAX {
        return Duration::MAX;
    }
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn long_ms(parsed: &ParsedConfig, key: &str) -> Result<Duration, ConnectError> {
    parsed.long(key).map(duration)
}

fn int_ms(parsed: &ParsedConfig, key: &str) -> Result<Duration, ConnectError> {
    parsed.int(key).map(|ms| duration(ms.into()))
}

fn size(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn common(parsed: &ParsedConfig) -> Result<CommonClientConfig, ConnectError> {
    let buffer = |key: &str| {
        let bytes = parsed.int(key)?;
        Ok::<_, ConnectError>(usize::try_from(bytes).ok())
    };
    let mut config = CommonClientConfig {
        bootstrap_servers: servers(parsed)?,
        client_id: parsed.str("client.id")?.to_owned(),
        request_timeout: int_ms(parsed, "request.timeout.ms")?,
        reconnect_backoff: long_ms(parsed, "reconnect.backoff.ms")?,
        reconnect_backoff_max: long_ms(parsed, "reconnect.backoff.max.ms")?,
        retry_backoff: long_ms(parsed, "retry.backoff.ms")?,
        retry_backoff_max: long_ms(parsed, "retry.backoff.max.ms")?,
        metadata_max_age: long_ms(parsed, "metadata.max.age.ms")?,
        connections_max_idle: long_ms(parsed, "connections.max.idle.ms")?,
        connection_setup_timeout: long_ms(parsed, "socket.connection.setup.timeout.ms")?,
        connection_setup_timeout_max: long_ms(parsed, "socket.connection.setup.timeout.max.ms")?,
        send_buffer_bytes: buffer("send.buffer.bytes")?,
        receive_buffer_bytes: buffer("receive.buffer.bytes")?,
        security: security::security(parsed)
            .map_err(|problem| ConnectError::config(problem.message))?,
        ..CommonClientConfig::default()
    };
    // Producers have no such key.
    if parsed.value("default.api.timeout.ms").is_ok() {
        config.default_api_timeout = int_ms(parsed, "default.api.timeout.ms")?;
    }
    Ok(config)
}

/// Producer settings from Kafka's keys; unknown keys are passed over.
///
/// # Errors
/// All problems together, with Kafka's texts.
pub fn producer_from_config(config: &ConfigMap) -> Result<ProducerConfig, Vec<ConfigProblem>> {
    let parsed = parse(ClientKind::Producer, config)?;
    let producer = producer(&parsed).map_err(|error| internal(&error))?;
    let problems = producer_conflicts(&parsed, &producer);
    if problems.is_empty() {
        Ok(producer)
    } else {
        Err(problems)
    }
}

fn producer(parsed: &ParsedConfig) -> Result<ProducerConfig, ConnectError> {
    let acks = match parsed.str("acks")? {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    };
    let max_in_flight = size(parsed.int("max.in.flight.requests.per.connection")?);
    let retries = parsed.int("retries")?;
    let wanted = parsed.bool("enable.idempotence")?;
    let set = parsed.is_set("enable.idempotence");
    // Kafka: without an explicit wish, settings that exclude idempotence turn it off.
    let possible = acks == Acks::All && max_in_flight <= 5 && retries > 0;
    Ok(ProducerConfig {
        common: common(parsed)?,
        acks,
        idempotence: wanted && (set || possible),
        idempotence_required: wanted && set,
        linger: long_ms(parsed, "linger.ms")?,
        // Kafka: 0 turns batching off, that is, every batch is full at its first record.
        batch_size: size(parsed.int("batch.size")?).max(1),
        batch_size_set: parsed.is_set("batch.size"),
        max_in_flight,
        max_request_size: size(parsed.int("max.request.size")?),
        delivery_timeout: int_ms(parsed, "delivery.timeout.ms")?,
        buffer_memory: usize::try_from(parsed.long("buffer.memory")?).unwrap_or(usize::MAX),
        max_block: long_ms(parsed, "max.block.ms")?,
        retries: u32::try_from(retries).unwrap_or(0),
        compression: compression(parsed)?,
        compression_set: parsed.is_set("compression.type"),
        lease: Lease::unlimited(),
    })
}

fn compression(parsed: &ParsedConfig) -> Result<CompressionConfig, ConnectError> {
    let name = parsed.str("compression.type")?;
    let codec =
        Compression::from_config(name).map_err(|error| ConnectError::config(error.to_string()))?;
    let key = format!("compression.{name}.level");
    let level = match parsed.is_set(&key) {
        true => parsed
            .opt_int(&key)?
            .filter(|level| (codec, *level) != (Compression::Gzip, -1)),
        false => None,
    };
    Ok(CompressionConfig { codec, level })
}

/// What Kafka's `ProducerConfig` and `KafkaProducer` refuse.
fn producer_conflicts(parsed: &ParsedConfig, producer: &ProducerConfig) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let mut refuse = |key: &str, message: &str| problems.push(ConfigProblem::new(key, message));
    if producer.idempotence_required {
        if producer.acks != Acks::All {
            refuse(
                "acks",
                "Must set acks to all in order to use the idempotent producer. Otherwise we cannot \
                 guarantee idempotence.",
            );
        }
        if producer.retries == 0 {
            refuse(
                "retries",
                "Must set retries to non-zero when using the idempotent producer.",
            );
        }
        if producer.max_in_flight > 5 {
            refuse(
                "max.in.flight.requests.per.connection",
                "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent \
                 producer.",
            );
        }
    }
    let least = producer
        .linger
        .saturating_add(producer.common.request_timeout);
    if parsed.is_set("delivery.timeout.ms") && producer.delivery_timeout < least {
        refuse(
            "delivery.timeout.ms",
            "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms",
        );
    }
    problems
}

/// Consumer settings from Kafka's keys; unknown keys are passed over.
///
/// # Errors
/// All problems together, with Kafka's texts.
pub fn consumer_from_config(config: &ConfigMap) -> Result<ConsumerConfig, Vec<ConfigProblem>> {
    let parsed = parse(ClientKind::Consumer, config)?;
    let assignors = assignors(&parsed)?;
    let consumer = consumer(&parsed, assignors).map_err(|error| internal(&error))?;
    if consumer.heartbeat_interval >= consumer.session_timeout {
        return Err(vec![ConfigProblem::new(
            "heartbeat.interval.ms",
            "Heartbeat must be set lower than the session timeout",
        )]);
    }
    Ok(consumer)
}

fn consumer(
    parsed: &ParsedConfig,
    assignors: Vec<GroupAssignor>,
) -> Result<ConsumerConfig, ConnectError> {
    let text = |key: &str| {
        let text = parsed.opt_str(key)?.filter(|text| !text.is_empty());
        Ok::<_, ConnectError>(text.map(str::to_owned))
    };
    let fetch_max_wait = int_ms(parsed, "fetch.max.wait.ms")?;
    Ok(ConsumerConfig {
        common: common(parsed)?,
        group_id: text("group.id")?,
        group_instance_id: text("group.instance.id")?,
        client_rack: text("client.rack")?,
        auto_offset_reset: match parsed.str("auto.offset.reset")? {
            "latest" => AutoOffsetReset::Latest,
            "none" => AutoOffsetReset::None,
            _ => AutoOffsetReset::Earliest,
        },
        isolation: match parsed.str("isolation.level")? {
            "read_committed" => IsolationLevel::ReadCommitted,
            _ => IsolationLevel::ReadUncommitted,
        },
        fetch_min_bytes: parsed.int("fetch.min.bytes")?,
        fetch_max_bytes: parsed.int("fetch.max.bytes")?,
        fetch_max_bytes_set: parsed.is_set("fetch.max.bytes"),
        fetch_max_wait,
        fetch_idle_wait: match parsed.is_set("fetch.max.wait.ms") {
            true => fetch_max_wait,
            false => ConsumerConfig::default().fetch_idle_wait,
        },
        max_partition_fetch_bytes: parsed.int("max.partition.fetch.bytes")?,
        max_poll_records: parsed.opt_int("max.poll.records")?.map(size),
        max_poll_interval: int_ms(parsed, "max.poll.interval.ms")?,
        session_timeout: int_ms(parsed, "session.timeout.ms")?,
        heartbeat_interval: int_ms(parsed, "heartbeat.interval.ms")?,
        assignors,
        check_crcs: parsed.bool("check.crcs")?,
        allow_auto_create_topics: parsed.bool("allow.auto.create.topics")?,
        ..ConsumerConfig::default()
    })
}

fn assignors(parsed: &ParsedConfig) -> Result<Vec<GroupAssignor>, Vec<ConfigProblem>> {
    const KEY: &str = "partition.assignment.strategy";
    let names = parsed.list(KEY).map_err(|error| internal(&error))?;
    let assignor = |name: &String| match name
        .strip_prefix("org.apache.kafka.clients.consumer.")
        .unwrap_or(name)
    {
        "RangeAssignor" => Ok(GroupAssignor::Range),
        "RoundRobinAssignor" => Ok(GroupAssignor::RoundRobin),
        "CooperativeStickyAssignor" => Ok(GroupAssignor::CooperativeSticky),
        _ => Err(vec![ConfigProblem::invalid(
            KEY,
            name,
            "there are RangeAssignor, RoundRobinAssignor and CooperativeStickyAssignor",
        )]),
    };
    names.iter().map(assignor).collect()
}

/// Admin settings from Kafka's keys; unknown keys are passed over.
///
/// # Errors
/// All problems together, with Kafka's texts.
pub fn admin_from_config(config: &ConfigMap) -> Result<AdminConfig, Vec<ConfigProblem>> {
    let parsed = parse(ClientKind::Admin, config)?;
    let common = common(&parsed).map_err(|error| internal(&error))?;
    Ok(AdminConfig { common })
}
