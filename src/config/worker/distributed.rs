//! What a distributed worker's file says besides what a standalone one's does (contract 2.3; Kafka:
//! `DistributedConfig`).

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::millis;
use crate::api::config_def::{
    ConfigData, ConfigDef, ConfigProblem, ParsedConfig, Validator, invalid_text,
};
use crate::api::{ConfigMap, ConnectError};
use crate::config::Warning;
use crate::config::clients::EMBEDDED;

const KEY_SIZE: &str = "inter.worker.key.size";
const KEY_ALGORITHM: &str = "inter.worker.key.generation.algorithm";
const SIGNATURE_ALGORITHM: &str = "inter.worker.signature.algorithm";
const VERIFICATION_ALGORITHMS: &str = "inter.worker.verification.algorithms";
const EXACTLY_ONCE: &str = "exactly.once.source.support";
const INSTANCE_ID: &str = "group.instance.id";
const TIMES: [&str; 3] = [
    "session.timeout.ms",
    "rebalance.timeout.ms",
    "heartbeat.interval.ms",
];
const TOPICS: [&str; 3] = [
    "config.storage.topic",
    "offset.storage.topic",
    "status.storage.topic",
];

/// Algorithms of Java's that requests between workers can be signed with here, and keys made for; Java
/// takes their names in any case.
pub const SIGNATURE_ALGORITHMS: [&str; 4] = ["HmacSHA1", "HmacSHA256", "HmacSHA384", "HmacSHA512"];
/// Bits that a key may have. Java's generators ask for 40 at least and know no most.
const KEY_BITS: RangeInclusive<i32> = 40..=65_536;
/// Longest name of a topic or of a static member (Kafka: `Topic.MAX_NAME_LENGTH`).
const MAX_NAME: usize = 249;

/// Whether source tasks write in transactions (KIP-618).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceSourceSupport {
    /// They don't.
    Disabled,
    /// They don't yet; the leader writes configurations in transactions already.
    Preparing,
    /// They do.
    Enabled,
}

/// What workers of a group agree on, as `connect.protocol` has it (Kafka:
/// `ConnectProtocolCompatibility`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolSetting {
    /// Members stop everything before each rebalance.
    Eager,
    /// Incremental cooperative rebalancing (KIP-415).
    Compatible,
    /// The same, with signed requests between workers (KIP-507).
    Sessioned,
}

/// What becomes of the connectors and tasks of a worker that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostTasksSetting {
    /// Others get them in the same round, where all workers are Ringmain's.
    AtOnce,
    /// Others get them after `scheduled.rebalance.max.delay.ms`, as in Apache's groups.
    AfterDelay,
}

/// How requests between workers are signed (KIP-507).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterWorkerKeys {
    /// `inter.worker.key.ttl.ms`: age at which the leader replaces the key; `None` never.
    pub ttl: Option<Duration>,
    /// `inter.worker.key.generation.algorithm`, as it was written.
    pub generation_algorithm: String,
    /// `inter.worker.key.size` in bits; `None` is the algorithm's own.
    pub size_bits: Option<u32>,
    /// `inter.worker.signature.algorithm`, as it was written.
    pub signature_algorithm: String,
    /// `inter.worker.verification.algorithms`: those accepted from others; holds the one above.
    pub verification_algorithms: Vec<String>,
}

/// A member of a Connect cluster.
#[derive(Clone)]
pub struct DistributedConfig {
    /// `group.id`.
    pub group_id: String,
    /// `group.instance.id`, for static membership (KIP-345); Apache's workers have none.
    pub group_instance_id: Option<String>,
    /// `config.storage.topic`.
    pub config_topic: String,
    /// `offset.storage.topic`.
    pub offset_topic: String,
    /// `status.storage.topic`.
    pub status_topic: String,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `rebalance.timeout.ms`.
    pub rebalance_timeout: Duration,
    /// `heartbeat.interval.ms`, shorter than the session.
    pub heartbeat_interval: Duration,
    /// `exactly.once.source.support`.
    pub exactly_once: ExactlyOnceSourceSupport,
    /// `connect.protocol`.
    pub connect_protocol: ProtocolSetting,
    /// `scheduled.rebalance.max.delay.ms`.
    pub scheduled_rebalance_max_delay: Duration,
    /// `scheduled.rebalance.lost.tasks`.
    pub lost_tasks: LostTasksSetting,
    /// `worker.sync.timeout.ms`.
    pub worker_sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`.
    pub worker_unsync_backoff: Duration,
    /// `inter.worker.…`.
    pub inter_worker: InterWorkerKeys,
    /// `client.id`; empty without one.
    pub client_id: String,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Duration,
    /// All values, for what the internal topics are created with
    /// (`distributed::internal_topics::InternalTopic::settings`). Holds secrets.
    pub parsed: ParsedConfig,
}

impl fmt::Debug for DistributedConfig {
    /// Without the values of other keys: some of them are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistributedConfig")
            .field("group_id", &self.group_id)
            .field("group_instance_id", &self.group_instance_id)
            .field("config_topic", &self.config_topic)
            .field("offset_topic", &self.offset_topic)
            .field("status_topic", &self.status_topic)
            .field("connect_protocol", &self.connect_protocol)
            .field("lost_tasks", &self.lost_tasks)
            .field("inter_worker", &self.inter_worker)
            .finish_non_exhaustive()
    }
}

impl DistributedConfig {
    /// The values of a configuration that passed its definition and [`problems`].
    pub(super) fn of(parsed: &ParsedConfig) -> Result<Self, ConnectError> {
        let text = |key: &str| parsed.str(key).map(str::to_owned);
        let ms = |key: &str| parsed.int(key).map(|ms| millis(i64::from(ms)));
        let lower = |key: &str| parsed.str(key).map(str::to_ascii_lowercase);
        Ok(Self {
            group_id: text("group.id")?,
            group_instance_id: parsed.opt_str(INSTANCE_ID)?.map(str::to_owned),
            config_topic: text("config.storage.topic")?,
            offset_topic: text("offset.storage.topic")?,
            status_topic: text("status.storage.topic")?,
            session_timeout: ms("session.timeout.ms")?,
            rebalance_timeout: ms("rebalance.timeout.ms")?,
            heartbeat_interval: ms("heartbeat.interval.ms")?,
            exactly_once: match lower(EXACTLY_ONCE)?.as_str() {
                "enabled" => ExactlyOnceSourceSupport::Enabled,
                "preparing" => ExactlyOnceSourceSupport::Preparing,
                _ => ExactlyOnceSourceSupport::Disabled,
            },
            connect_protocol: match lower("connect.protocol")?.as_str() {
                "eager" => ProtocolSetting::Eager,
                "compatible" => ProtocolSetting::Compatible,
                _ => ProtocolSetting::Sessioned,
            },
            scheduled_rebalance_max_delay: ms("scheduled.rebalance.max.delay.ms")?,
            lost_tasks: match parsed.str("scheduled.rebalance.lost.tasks")? {
                "after_delay" => LostTasksSetting::AfterDelay,
                _ => LostTasksSetting::AtOnce,
            },
            worker_sync_timeout: ms("worker.sync.timeout.ms")?,
            worker_unsync_backoff: ms("worker.unsync.backoff.ms")?,
            inter_worker: InterWorkerKeys::of(parsed)?,
            client_id: text("client.id")?,
            metadata_max_age: millis(parsed.long("metadata.max.age.ms")?),
            parsed: parsed.clone(),
        })
    }
}

impl InterWorkerKeys {
    fn of(parsed: &ParsedConfig) -> Result<Self, ConnectError> {
        let ttl = millis(i64::from(parsed.int("inter.worker.key.ttl.ms")?));
        Ok(Self {
            ttl: Some(ttl).filter(|ttl| !ttl.is_zero()),
            generation_algorithm: parsed.str(KEY_ALGORITHM)?.to_owned(),
            size_bits: parsed.opt_int(KEY_SIZE)?.map(i32::unsigned_abs),
            signature_algorithm: parsed.str(SIGNATURE_ALGORITHM)?.to_owned(),
            verification_algorithms: parsed.list(VERIFICATION_ALGORITHMS)?.to_vec(),
        })
    }
}

/// One algorithm that signs, or that makes keys.
pub(super) fn algorithm() -> Validator {
    Validator::custom_text(SIGNATURE_ALGORITHMS.join(", "), |key, value| {
        let name = value.and_then(ConfigData::as_str);
        check_algorithm(key, name.unwrap_or_default())
    })
}

/// Algorithms that sign, one at least (Kafka: `DistributedConfig.validateVerificationAlgorithms`).
pub(super) fn algorithms() -> Validator {
    let describe = format!("some of {}", SIGNATURE_ALGORITHMS.join(", "));
    Validator::custom_text(describe, |key, value| match value {
        Some(ConfigData::List(items)) if items.is_empty() => {
            let reason = "At least one signature verification algorithm must be provided";
            Err(invalid_text(key, Some("[]"), reason))
        }
        Some(ConfigData::List(items)) => {
            let mut items = items.iter();
            items.try_for_each(|item| check_algorithm(key, item))
        }
        _ => Ok(()),
    })
}

fn check_algorithm(key: &str, name: &str) -> Result<(), String> {
    let mut known = SIGNATURE_ALGORITHMS.iter();
    if known.any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let known = SIGNATURE_ALGORITHMS.join(", ");
    let reason = format!("the algorithm is not supported; the supported algorithms are: {known}");
    Err(invalid_text(key, Some(name), &reason))
}

/// A name of a static member, as brokers take it (Kafka: `JoinGroupRequest.validateGroupInstanceId`).
pub(super) fn instance_id() -> Validator {
    Validator::custom(
        "null, or 1 to 249 letters, digits, '.', '_' and '-'",
        |value| match value.and_then(ConfigData::as_str) {
            None => Ok(()),
            Some(name) => check_name(name),
        },
    )
}

/// Kafka: `Topic.validate`.
fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > MAX_NAME || matches!(name, "." | "..") {
        return Err(format!(
            "a name has 1 to {MAX_NAME} characters and is not '.' or '..'"
        ));
    }
    match name.chars().find(|c| !legal(*c)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "it has {c:?}, and a name has letters, digits, '.', '_' and '-' alone"
        )),
    }
}

/// What the definitions of single keys do not see, in texts of which any may be wrong by itself.
pub(super) fn problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let text = |key: &str| {
        let text = config.get(key).and_then(Option::as_deref).map(str::trim);
        text.filter(|text| !text.is_empty())
    };
    let mut problems = Vec::new();
    if text("bootstrap.servers").is_some_and(|servers| servers.starts_with(EMBEDDED)) {
        let message = "bootstrap.servers: a distributed worker needs Kafka brokers, which keep what \
                       the workers of a cluster share; the embedded log belongs to one process: use \
                       `ringmain standalone` with it";
        problems.push(ConfigProblem::new("bootstrap.servers", message));
    }
    if let Some(value) = text(EXACTLY_ONCE)
        && ["preparing", "enabled"].contains(&value.to_ascii_lowercase().as_str())
    {
        let reason = "exactly-once support for source connectors is not part of this version; the one \
                      value that works is disabled";
        problems.push(ConfigProblem::invalid(EXACTLY_ONCE, value, reason));
    }
    for key in TOPICS {
        let name = text(key);
        problems.extend(name.and_then(|name| {
            let reason = check_name(name).err()?;
            Some(ConfigProblem::invalid(key, name, &reason))
        }));
    }
    for (keys, find) in CROSS_CHECKS {
        if let Some(parsed) = alone(keys, config) {
            problems.extend(find(&parsed));
        }
    }
    problems
}

/// Finds what keys say together.
type Check = fn(&ParsedConfig) -> Vec<ConfigProblem>;

/// What is checked together, each by itself, so that one wrong key hides no other.
const CROSS_CHECKS: [(&[&str], Check); 3] = [
    (&[KEY_ALGORITHM, KEY_SIZE], key_problems),
    (
        &[SIGNATURE_ALGORITHM, VERIFICATION_ALGORITHMS],
        signature_problems,
    ),
    (&TIMES, timing_problems),
];

/// The values of these keys, unless one is wrong by itself.
fn alone(keys: &[&str], config: &ConfigMap) -> Option<ParsedConfig> {
    let all = super::distributed_def();
    let these = all.keys().filter(|key| keys.contains(&key.name.as_str()));
    let def = these.cloned().fold(ConfigDef::new(), ConfigDef::define);
    def.parse(config).ok()
}

/// Kafka: `DistributedConfig.getInternalRequestKeyGenerator`.
fn key_problems(parsed: &ParsedConfig) -> Vec<ConfigProblem> {
    let (Ok(algorithm), Ok(Some(size))) = (parsed.str(KEY_ALGORITHM), parsed.opt_int(KEY_SIZE))
    else {
        return Vec::new();
    };
    if KEY_BITS.contains(&size) {
        return Vec::new();
    }
    let (least, most) = (KEY_BITS.start(), KEY_BITS.end());
    let message = format!(
        "Unable to create key generator with algorithm {algorithm} and key size {size}: {KEY_SIZE} is \
         between {least} and {most} bits"
    );
    vec![ConfigProblem::new(KEY_SIZE, message)]
}

/// Kafka: `DistributedConfig.ensureVerificationAlgorithmsIncludeSignatureAlgorithm`.
fn signature_problems(parsed: &ParsedConfig) -> Vec<ConfigProblem> {
    let signs = parsed.str(SIGNATURE_ALGORITHM).unwrap_or_default();
    let verifies = parsed.list(VERIFICATION_ALGORITHMS).unwrap_or_default();
    if verifies.iter().any(|accepted| accepted == signs) {
        return Vec::new();
    }
    let reason = format!("Signature algorithm must be present in {VERIFICATION_ALGORITHMS} list");
    vec![ConfigProblem::invalid(SIGNATURE_ALGORITHM, signs, &reason)]
}

/// Kafka finds these when the worker joins its group (`Heartbeat`), or the broker does.
fn timing_problems(parsed: &ParsedConfig) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for key in TIMES {
        if let Ok(ms @ ..=0) = parsed.int(key) {
            let reason = "Value must be at least 1";
            problems.push(ConfigProblem::invalid(key, &ms.to_string(), reason));
        }
    }
    let [session_key, _, heartbeat_key] = TIMES;
    if let (Ok(session), Ok(heartbeat)) = (parsed.int(session_key), parsed.int(heartbeat_key))
        && problems.is_empty()
        && heartbeat >= session
    {
        let reason = format!(
            "Heartbeat must be set lower than the session timeout ({session} ms, {session_key})"
        );
        let value = heartbeat.to_string();
        problems.push(ConfigProblem::invalid(heartbeat_key, &value, &reason));
    }
    problems
}

/// What to tell the user of a distributed worker's texts.
pub(super) fn warnings(config: &ConfigMap) -> Vec<Warning> {
    let text = |key: &str| config.get(key).and_then(Option::as_deref).map(str::trim);
    let mut warnings = Vec::new();
    let file = "offset.storage.file.filename";
    if config.contains_key(file) {
        let message = format!(
            "'{file}' belongs to a standalone worker; a distributed one hands it to brokers as a setting \
             of the offset topic, which they refuse"
        );
        warnings.push(Warning::new(file, message).with_fix("leave it out"));
    }
    for (at, key) in TOPICS.iter().enumerate() {
        let same = TOPICS[..at].iter().find(|other| {
            text(key).is_some_and(|name| !name.is_empty() && text(other) == Some(name))
        });
        if let Some(other) = same {
            let message = format!("'{key}' names the topic of '{other}'; each should have its own");
            warnings.push(Warning::new(*key, message));
        }
    }
    let no_host = text("rest.advertised.host.name")
        .unwrap_or_default()
        .is_empty();
    let listeners = text("listeners").unwrap_or_default();
    let everywhere = ["//0.0.0.0:", "//[::]:"];
    if no_host && everywhere.iter().any(|host| listeners.contains(host)) {
        let message = "'listeners' has the address of all interfaces, under which the other workers \
                       would look for this one";
        let fix = "leave the host out, or set rest.advertised.host.name";
        warnings.push(Warning::new("listeners", message).with_fix(fix));
    }
    warnings
}
