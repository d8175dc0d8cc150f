//! The worker's configuration, from the file's texts to a typed struct.

mod distributed;
#[cfg(test)]
mod distributed_tests;
mod keys;
mod rest;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use distributed::{
    DistributedConfig, ExactlyOnceSourceSupport, InterWorkerKeys, LostTasksSetting,
    ProtocolSetting, SIGNATURE_ALGORITHMS,
};
pub use keys::{distributed_def, standalone_def};
pub use rest::{BASIC_AUTH_EXTENSION, HttpsConfig, Listener, RestConfig};

use super::clients::{self, ClientKind, EMBEDDED, OverridePolicy};
use super::provider::Providers;
use super::{ConfigError, Warning, properties, unknown};
use crate::api::config_def::{ConfigProblem, ParsedConfig, with_prefix};
use crate::api::{ConfigMap, ConnectError};
use crate::metrics::WindowConfig;
use crate::shard::{RuntimeChoice, parse_cpu_list};

/// Where records live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// Kafka brokers, `host:port` each.
    Kafka(Vec<String>),
    /// The embedded log in this directory.
    Embedded(PathBuf),
}

/// A plugin with the settings under its prefix.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginConfig {
    /// Class name or alias, as it was written.
    pub class: String,
    /// Its own keys, without the prefix.
    pub config: ConfigMap,
}

impl PluginConfig {
    /// The plugin whose class is `class` and whose settings in `config` have the prefix `prefix`.
    pub(super) fn new(class: &str, config: &ConfigMap, prefix: &str) -> Self {
        let mut config = with_prefix(config, prefix);
        config.shift_remove("plugin.version");
        Self {
            class: class.to_owned(),
            config,
        }
    }
}

impl fmt::Debug for PluginConfig {
    /// Without values: some of them are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginConfig")
            .field("class", &self.class)
            .field("keys", &self.config.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Which threads run tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardConfig {
    /// `shard.count`; `None` is one per CPU.
    pub count: Option<usize>,
    /// `shard.cpus`; `None` is the affinity mask.
    pub cpus: Option<Vec<usize>>,
    /// `shard.runtime`.
    pub runtime: RuntimeChoice,
}

/// Settings of the embedded log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// `embedded.retention.ms`; `None` keeps records for ever.
    pub retention: Option<Duration>,
    /// `embedded.retention.bytes` of a partition; `None` is no bound.
    pub retention_bytes: Option<u64>,
    /// `embedded.segment.bytes`.
    pub segment_bytes: u32,
    /// `embedded.num.partitions`.
    pub num_partitions: u32,
}

/// What a worker is, with what only such a worker has.
#[derive(Debug, Clone)]
pub enum Mode {
    /// One process by itself.
    Standalone {
        /// `offset.storage.file.filename`.
        offset_file: PathBuf,
    },
    /// A member of a cluster.
    Distributed(Box<DistributedConfig>),
}

/// A worker of either mode.
#[derive(Clone)]
pub struct WorkerConfig {
    /// `bootstrap.servers`.
    pub log: Log,
    /// `key.converter` and its settings.
    pub key_converter: PluginConfig,
    /// `value.converter` and its settings.
    pub value_converter: PluginConfig,
    /// `header.converter` and its settings.
    pub header_converter: PluginConfig,
    /// What the two modes do not share.
    pub mode: Mode,
    /// `task.shutdown.graceful.timeout.ms`, for all tasks together.
    pub shutdown_timeout: Duration,
    /// `offset.flush.interval.ms`.
    pub offset_flush_interval: Duration,
    /// `offset.flush.timeout.ms`.
    pub offset_flush_timeout: Duration,
    /// `connector.client.config.override.policy`.
    pub override_policy: OverridePolicy,
    /// `topic.creation.enable`.
    pub topic_creation_enable: bool,
    /// `topic.tracking.enable`.
    pub topic_tracking_enable: bool,
    /// `topic.tracking.allow.reset`.
    pub topic_tracking_allow_reset: bool,
    /// `task.stall.timeout.ms`; `None` when nobody shall look.
    pub stall_timeout: Option<Duration>,
    /// `metrics.sample.window.ms` and `metrics.num.samples`.
    pub metrics: WindowConfig,
    /// REST API.
    pub rest: RestConfig,
    /// Threads.
    pub shards: ShardConfig,
    /// Embedded log.
    pub embedded: EmbeddedConfig,
    /// Every text of the file, references replaced: for the layers of clients ([`clients`]). Holds
    /// secrets.
    pub originals: ConfigMap,
}

impl fmt::Debug for WorkerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerConfig")
            .field("log", &self.log)
            .field("key_converter", &self.key_converter)
            .field("value_converter", &self.value_converter)
            .field("header_converter", &self.header_converter)
            .field("mode", &self.mode)
            .field("rest", &self.rest)
            .field("shards", &self.shards)
            .field("embedded", &self.embedded)
            .finish_non_exhaustive()
    }
}

/// A worker's file, read.
#[derive(Debug)]
pub struct WorkerFile {
    /// The configuration.
    pub config: WorkerConfig,
    /// Providers for the references in connectors' configurations.
    pub providers: Providers,
    /// What to tell the user though nothing is wrong: unknown keys, keys without effect.
    pub warnings: Vec<Warning>,
}

/// Why a worker's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkerFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// What stands in it.
    #[error("{}: {}", path.display(), list(problems))]
    Problems {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Vec<ConfigProblem>,
    },
}

fn list(problems: &[ConfigProblem]) -> String {
    let texts: Vec<_> = problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect();
    format!(
        "{} problem(s) in the worker configuration{}",
        texts.len(),
        texts.concat()
    )
}

/// Reads the file of a standalone worker: syntax, references, keys.
///
/// # Errors
/// The file, or all problems of its keys together; no secret in either.
pub fn load(path: &Path) -> Result<WorkerFile, WorkerFileError> {
    let raw = properties::load(path)?;
    read(&raw, Kind::Standalone).map_err(in_file(path))
}

/// Reads the file of a distributed worker, as [`load`] does a standalone one's.
///
/// # Errors
/// As [`load`].
pub fn load_distributed(path: &Path) -> Result<WorkerFile, WorkerFileError> {
    let raw = properties::load(path)?;
    read(&raw, Kind::Distributed).map_err(in_file(path))
}

/// Reads the file of a worker of either mode, as [`from_texts`] tells them apart.
///
/// # Errors
/// As [`load`].
pub fn load_either(path: &Path) -> Result<WorkerFile, WorkerFileError> {
    let raw = properties::load(path)?;
    from_texts(&raw).map_err(in_file(path))
}

/// As [`load_either`], of the texts of a file: a distributed worker has a `group.id` and no
/// `offset.storage.file.filename`.
///
/// # Errors
/// All problems together; no secret in them.
pub fn from_texts(raw: &ConfigMap) -> Result<WorkerFile, Vec<ConfigProblem>> {
    let alone = raw.contains_key("offset.storage.file.filename");
    let kind = match raw.contains_key("group.id") && !alone {
        true => Kind::Distributed,
        false => Kind::Standalone,
    };
    read(raw, kind)
}

/// As [`load`]; keys that the file lacks, or all of them without a file, have the texts of `defaults`.
/// For commands that need a part of a worker's configuration only.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: Option<&Path>, defaults: &ConfigMap) -> Result<WorkerFile, WorkerFileError> {
    let mut raw = path.map(properties::load).transpose()?.unwrap_or_default();
    for (key, text) in defaults {
        raw.entry(key.clone()).or_insert_with(|| text.clone());
    }
    let path = path.unwrap_or(Path::new("(no worker file)"));
    read(&raw, Kind::Standalone).map_err(in_file(path))
}

fn in_file(path: &Path) -> impl FnOnce(Vec<ConfigProblem>) -> WorkerFileError {
    let path = path.to_owned();
    |problems| WorkerFileError::Problems { path, problems }
}

/// Which definition a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Standalone,
    Distributed,
}

fn read(raw: &ConfigMap, kind: Kind) -> Result<WorkerFile, Vec<ConfigProblem>> {
    let providers = Providers::from_worker(raw)?;
    let expanded = providers.expand(raw)?;
    let config = WorkerConfig::parse_as(&expanded.config, kind)
        .map_err(|problems| expanded.hide_secrets(problems))?;
    let mut warnings = warnings(raw);
    if kind == Kind::Distributed {
        warnings.extend(distributed::warnings(raw));
    }
    Ok(WorkerFile {
        config,
        providers,
        warnings,
    })
}

/// Prefixes whose keys belong to somebody else than the worker.
const OTHERS: [&str; 10] = [
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "internal.key.converter",
    "internal.value.converter",
    "config.providers.",
    "metrics.context.",
    "listeners.https.",
    "admin.listeners.https.",
    "sasl.",
];

/// What to tell the user of a worker's texts: unknown keys, and keys without effect.
pub fn warnings(config: &ConfigMap) -> Vec<Warning> {
    let (standalone, distributed) = (standalone_def(), distributed_def());
    let admin = clients::def(ClientKind::Admin);
    let mut prefixes = OTHERS.to_vec();
    prefixes.extend(ClientKind::ALL.map(ClientKind::prefix));
    prefixes.extend(["offset.storage.", "config.storage.", "status.storage."]);
    let mut warnings = unknown::warnings(config, &[&standalone, &distributed, &admin], &prefixes);
    for key in ["internal.key.converter", "internal.value.converter"] {
        if config.contains_key(key) {
            let message = format!("'{key}' has had no effect since Kafka 3.0");
            warnings.push(Warning::new(key, message));
        }
    }
    if matches!(config.get("plugin.path"), Some(Some(path)) if !path.trim().is_empty()) {
        let message = "'plugin.path' is not used: connectors are built in";
        warnings.push(Warning::new("plugin.path", message));
    }
    warnings.extend(unknown::client_warnings(config, ClientKind::prefix));
    warnings
}

impl WorkerConfig {
    /// Whether records live in the embedded log.
    pub fn log_is_embedded(&self) -> bool {
        matches!(self.log, Log::Embedded(_))
    }

    /// What a distributed worker has besides; `None` of a standalone one.
    pub fn distributed(&self) -> Option<&DistributedConfig> {
        match &self.mode {
            Mode::Standalone { .. } => None,
            Mode::Distributed(distributed) => Some(distributed),
        }
    }

    /// A standalone worker's file of source offsets; a distributed one has a topic.
    pub fn offset_file(&self) -> Option<&Path> {
        match &self.mode {
            Mode::Standalone { offset_file } => Some(offset_file),
            Mode::Distributed(_) => None,
        }
    }

    /// Parses the texts of a standalone worker, references replaced.
    ///
    /// # Errors
    /// All problems together, those of the clients' layers too.
    pub fn parse(config: &ConfigMap) -> Result<Self, Vec<ConfigProblem>> {
        Self::parse_as(config, Kind::Standalone)
    }

    /// Parses the texts of a distributed worker, references replaced.
    ///
    /// # Errors
    /// As [`WorkerConfig::parse`].
    pub fn parse_distributed(config: &ConfigMap) -> Result<Self, Vec<ConfigProblem>> {
        Self::parse_as(config, Kind::Distributed)
    }

    fn parse_as(config: &ConfigMap, kind: Kind) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = super::null_values(config);
        let def = match kind {
            Kind::Standalone => standalone_def(),
            Kind::Distributed => distributed_def(),
        };
        let parsed = match def.parse(config) {
            Ok(parsed) => Some(parsed),
            Err(more) => {
                problems.extend(more);
                None
            }
        };
        if kind == Kind::Distributed {
            problems.extend(distributed::problems(config));
        }
        problems.extend(worker_problems(config));
        problems.dedup();
        if !problems.is_empty() {
            return Err(problems);
        }
        let parsed = parsed.ok_or(problems)?;
        let mode = match kind {
            Kind::Standalone => standalone(&parsed),
            Kind::Distributed => DistributedConfig::of(&parsed)
                .map(|distributed| Mode::Distributed(Box::new(distributed))),
        };
        mode.and_then(|mode| Self::of(&parsed, mode))
            .map_err(|error| vec![ConfigProblem::new("", error.message())])
    }

    fn of(parsed: &ParsedConfig, mode: Mode) -> Result<Self, ConnectError> {
        let originals = parsed.originals();
        let plugin = |key: &str| {
            let class = parsed.class(key)?;
            Ok::<_, ConnectError>(PluginConfig::new(class, originals, &format!("{key}.")))
        };
        let ms = |key: &str| parsed.long(key).map(millis);
        Ok(Self {
            log: log(parsed)?,
            key_converter: plugin("key.converter")?,
            value_converter: plugin("value.converter")?,
            header_converter: plugin("header.converter")?,
            shutdown_timeout: ms("task.shutdown.graceful.timeout.ms")?,
            offset_flush_interval: ms("offset.flush.interval.ms")?,
            offset_flush_timeout: ms("offset.flush.timeout.ms")?,
            override_policy: policy(parsed)?,
            topic_creation_enable: parsed.bool("topic.creation.enable")?,
            topic_tracking_enable: parsed.bool("topic.tracking.enable")?,
            topic_tracking_allow_reset: parsed.bool("topic.tracking.allow.reset")?,
            stall_timeout: Some(ms("task.stall.timeout.ms")?).filter(|limit| !limit.is_zero()),
            metrics: WindowConfig {
                sample: ms("metrics.sample.window.ms")?,
                samples: usize::try_from(parsed.int("metrics.num.samples")?).unwrap_or(1),
            },
            rest: rest::parse(parsed, matches!(mode, Mode::Distributed(_)))?,
            shards: shards(parsed)?,
            embedded: embedded(parsed)?,
            originals: originals.clone(),
            mode,
        })
    }
}

fn standalone(parsed: &ParsedConfig) -> Result<Mode, ConnectError> {
    let offset_file = parsed.str("offset.storage.file.filename")?.into();
    Ok(Mode::Standalone { offset_file })
}

/// What one key's definition cannot see.
fn worker_problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let text = |key: &str| config.get(key).and_then(Option::as_deref).map(str::trim);
    let class = text("connector.client.config.override.policy").unwrap_or("All");
    if OverridePolicy::from_name(class, &[]).is_none() {
        problems.push(ConfigProblem::invalid(
            "connector.client.config.override.policy",
            class,
            "there are All, None, Principal and Allowlist",
        ));
    }
    if let Some(servers) = text("bootstrap.servers").filter(|servers| !servers.is_empty()) {
        problems.extend(client_problems(config, servers));
    }
    problems.extend(rest::problems(config));
    problems
}

/// Problems of the clients that every task would have, found before there is one.
fn client_problems(config: &ConfigMap, servers: &str) -> Vec<ConfigProblem> {
    let none = ConfigMap::new();
    let mut problems = Vec::new();
    // The clients inherit the servers: one report is enough.
    for server in servers
        .split(',')
        .map(str::trim)
        .filter(|_| !servers.starts_with(EMBEDDED))
    {
        if let Err(message) = clients::check_server(server) {
            problems.push(ConfigProblem::new("bootstrap.servers", message));
        }
    }
    if servers.starts_with(EMBEDDED) && servers.len() == EMBEDDED.len() {
        let message = "Invalid url in bootstrap.servers: embedded: must name a directory";
        problems.push(ConfigProblem::new("bootstrap.servers", message));
    }
    let mut inherited = |more: Vec<ConfigProblem>| {
        for problem in more {
            if problem.key != "bootstrap.servers" && !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    };
    inherited(
        clients::task_producer(config, &none, "", 0)
            .err()
            .unwrap_or_default(),
    );
    inherited(
        clients::task_consumer(config, &none, "", 0)
            .err()
            .unwrap_or_default(),
    );
    inherited(
        clients::task_admin(config, &none, "", 0)
            .err()
            .unwrap_or_default(),
    );
    inherited(clients::worker_admin(config).err().unwrap_or_default());
    problems
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn log(parsed: &ParsedConfig) -> Result<Log, ConnectError> {
    let text = parsed
        .originals()
        .get("bootstrap.servers")
        .cloned()
        .flatten();
    match text
        .as_deref()
        .map(str::trim)
        .and_then(|text| text.strip_prefix(EMBEDDED))
    {
        Some(directory) => Ok(Log::Embedded(directory.into())),
        None => Ok(Log::Kafka(parsed.list("bootstrap.servers")?.to_vec())),
    }
}

fn policy(parsed: &ParsedConfig) -> Result<OverridePolicy, ConnectError> {
    let allowlist = parsed.list("connector.client.config.override.allowlist")?;
    let name = parsed.str("connector.client.config.override.policy")?;
    OverridePolicy::from_name(name, allowlist)
        .ok_or_else(|| ConnectError::config(format!("no override policy '{name}'")))
}

fn shards(parsed: &ParsedConfig) -> Result<ShardConfig, ConnectError> {
    let cpus = parsed
        .opt_str("shard.cpus")?
        .map(parse_cpu_list)
        .transpose();
    Ok(ShardConfig {
        count: parsed
            .opt_int("shard.count")?
            .and_then(|count| usize::try_from(count).ok()),
        cpus: cpus.map_err(|reason| ConnectError::config(format!("shard.cpus: {reason}")))?,
        runtime: match parsed.str("shard.runtime")? {
            "io_uring" => RuntimeChoice::IoUring,
            "epoll" => RuntimeChoice::Epoll,
            _ => RuntimeChoice::Auto,
        },
    })
}

fn embedded(parsed: &ParsedConfig) -> Result<EmbeddedConfig, ConnectError> {
    let bounded = |key: &str| Ok::<_, ConnectError>(u64::try_from(parsed.long(key)?).ok());
    let number = |key: &str| Ok::<_, ConnectError>(parsed.int(key)?.unsigned_abs());
    Ok(EmbeddedConfig {
        retention: bounded("embedded.retention.ms")?.map(Duration::from_millis),
        retention_bytes: bounded("embedded.retention.bytes")?,
        segment_bytes: number("embedded.segment.bytes")?,
        num_partitions: number("embedded.num.partitions")?,
    })
}
