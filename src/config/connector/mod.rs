//! A connector's configuration, from its texts to a typed struct.

mod keys;
mod restart;
mod steps;
#[cfg(test)]
mod tests;
mod topic_creation;

use std::fmt;
use std::time::Duration;

use regex::Regex;

pub use keys::{connector_def, enriched_def};
pub use restart::{RestartPolicy, RestartWhen};
pub use steps::{StepKeys, StepKind};
pub use topic_creation::{TopicCreation, TopicCreationGroup};

use super::clients::ClientKind;
use super::{PluginConfig, Warning, unknown};
use crate::api::config_def::{ConfigDef, ConfigProblem, ParsedConfig, with_prefix};
use crate::api::{ConfigMap, ConnectError, ConnectorKind};

/// A transformation of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformConfig {
    /// Its name in `transforms`.
    pub alias: String,
    /// `transforms.<alias>.type` and its own settings.
    pub plugin: PluginConfig,
    /// `transforms.<alias>.predicate`.
    pub predicate: Option<String>,
    /// `transforms.<alias>.negate`.
    pub negate: bool,
}

/// A predicate of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredicateConfig {
    /// Its name in `predicates`.
    pub alias: String,
    /// `predicates.<alias>.type` and its own settings.
    pub plugin: PluginConfig,
}

/// What to do about operations that fail (contract 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorHandling {
    /// `errors.retry.timeout`; `None` retries for ever, zero never.
    pub retry_timeout: Option<Duration>,
    /// `errors.retry.delay.max.ms`.
    pub retry_delay_max: Duration,
    /// `errors.tolerance=all`: skip what fails.
    pub tolerate_all: bool,
    /// `errors.log.enable`.
    pub log: bool,
    /// `errors.log.include.messages`.
    pub log_messages: bool,
}

/// Where transactions of a source end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionBoundary {
    /// With each batch.
    Poll,
    /// By time.
    Interval,
    /// Where the connector says.
    Connector,
}

/// The part of source connectors.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Rules for creating topics; `None` leaves it to the brokers.
    pub topic_creation: Option<TopicCreation>,
    /// `exactly.once.support=required`.
    pub exactly_once_required: bool,
    /// `transaction.boundary`.
    pub transaction_boundary: TransactionBoundary,
    /// `transaction.boundary.interval.ms`; `None` is the worker's flush interval.
    pub transaction_interval: Option<Duration>,
    /// `offsets.storage.topic`.
    pub offsets_topic: Option<String>,
}

/// The topics of a sink.
#[derive(Debug, Clone)]
pub enum SinkTopics {
    /// `topics`.
    List(Vec<String>),
    /// `topics.regex`; matches whole names.
    Pattern(Regex),
}

/// The dead letter queue. Kafka has it for sinks only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterQueue {
    /// `errors.deadletterqueue.topic.name`.
    pub topic: String,
    /// `errors.deadletterqueue.topic.replication.factor`.
    pub replication_factor: i16,
    /// `errors.deadletterqueue.context.headers.enable`.
    pub context_headers: bool,
}

/// The part of sink connectors.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// What to read.
    pub topics: SinkTopics,
}

/// The part that sources and sinks do not share.
#[derive(Debug, Clone)]
pub enum KindConfig {
    /// A source.
    Source(SourceConfig),
    /// A sink.
    Sink(SinkConfig),
}

/// What every connector has; its plugin's own keys are in `originals`.
#[derive(Clone)]
pub struct ConnectorConfig {
    /// `name`.
    pub name: String,
    /// `connector.class` as it was written.
    pub class: String,
    /// `tasks.max`, at least 1.
    pub tasks_max: u32,
    /// `tasks.max.enforce`.
    pub tasks_max_enforce: bool,
    /// `key.converter` and its settings; `None` is the worker's, with the worker's settings.
    pub key_converter: Option<PluginConfig>,
    /// `value.converter`, likewise.
    pub value_converter: Option<PluginConfig>,
    /// `header.converter`, likewise.
    pub header_converter: Option<PluginConfig>,
    /// `transforms`, in their order.
    pub transforms: Vec<TransformConfig>,
    /// `predicates`.
    pub predicates: Vec<PredicateConfig>,
    /// `config.action.reload=restart`.
    pub restart_on_reload: bool,
    /// `errors.*`.
    pub errors: ErrorHandling,
    /// Where failed records go.
    pub dead_letters: Option<DeadLetterQueue>,
    /// What only sources or only sinks have.
    pub kind: KindConfig,
    /// Every text, references replaced. Holds secrets.
    pub originals: ConfigMap,
}

impl fmt::Debug for ConnectorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorConfig")
            .field("name", &self.name)
            .field("class", &self.class)
            .field("tasks_max", &self.tasks_max)
            .field("key_converter", &self.key_converter)
            .field("value_converter", &self.value_converter)
            .field("header_converter", &self.header_converter)
            .field("transforms", &self.transforms)
            .field("predicates", &self.predicates)
            .field("errors", &self.errors)
            .field("dead_letters", &self.dead_letters)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl ConnectorConfig {
    /// Parses the texts of a connector of `kind`, references replaced. `plugin` defines the connector's
    /// own keys, which are checked with the others.
    ///
    /// # Errors
    /// All problems together.
    pub fn parse(
        kind: ConnectorKind,
        config: &ConfigMap,
        plugin: &ConfigDef,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = super::null_values(config);
        let parsed = match enriched_def(kind, config, None).parse(config) {
            Ok(parsed) => Some(parsed),
            Err(more) => {
                problems.extend(more);
                None
            }
        };
        if let Err(more) = plugin.parse(config) {
            problems.extend(
                more.into_iter()
                    .filter(|new| !reported(&problems, new))
                    .collect::<Vec<_>>(),
            );
        }
        problems.extend(conflicts(kind, config));
        if !problems.is_empty() {
            return Err(problems);
        }
        let parsed = parsed.ok_or(problems)?;
        Self::of(kind, &parsed).map_err(|error| vec![ConfigProblem::new("", error.message())])
    }

    fn of(kind: ConnectorKind, parsed: &ParsedConfig) -> Result<Self, ConnectError> {
        let originals = parsed.originals();
        let converter = |key: &str| {
            let class = parsed.opt_class(key)?;
            let prefix = format!("{key}.");
            Ok::<_, ConnectError>(class.map(|class| PluginConfig::new(class, originals, &prefix)))
        };
        Ok(Self {
            name: parsed.str("name")?.to_owned(),
            class: parsed.str("connector.class")?.to_owned(),
            tasks_max: parsed.int("tasks.max")?.unsigned_abs(),
            tasks_max_enforce: parsed.bool("tasks.max.enforce")?,
            key_converter: converter("key.converter")?,
            value_converter: converter("value.converter")?,
            header_converter: converter("header.converter")?,
            transforms: transforms(parsed)?,
            predicates: predicates(parsed)?,
            restart_on_reload: parsed.str("config.action.reload")? == "restart",
            errors: errors(parsed)?,
            dead_letters: dead_letters(kind, parsed)?,
            kind: match kind {
                ConnectorKind::Source => KindConfig::Source(source(parsed)?),
                ConnectorKind::Sink => KindConfig::Sink(sink(parsed)?),
            },
            originals: originals.clone(),
        })
    }
}

fn reported(problems: &[ConfigProblem], new: &ConfigProblem) -> bool {
    problems.iter().any(|problem| problem == new)
}

/// What one key's definition cannot see (Kafka: `SinkConnectorConfig.validate`,
/// `ConnectorConfig.enrich`).
pub fn conflicts(kind: ConnectorKind, config: &ConfigMap) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for alias in keys::aliases(config, "transforms") {
        let key = |name: &str| format!("transforms.{alias}.{name}");
        let (negate, predicate) = (key("negate"), key("predicate"));
        if config.contains_key(&negate) && !config.contains_key(&predicate) {
            let message = format!(
                "Config '{negate}' was provided but there is no config '{predicate}' defining a \
                 predicate to be negated."
            );
            // Kafka finds it while it looks at the class.
            problems.push(ConfigProblem::new(key("type"), message));
        }
        if let Some(Some(name)) = config.get(&predicate) {
            let name = name.trim();
            if !keys::aliases(config, "predicates")
                .iter()
                .any(|known| known == name)
            {
                let reason = "Predicate is not listed in 'predicates'";
                problems.push(ConfigProblem::invalid(&predicate, name, reason));
            }
        }
    }
    if kind == ConnectorKind::Sink {
        problems.extend(sink_conflicts(config));
    }
    problems
}

fn sink_conflicts(config: &ConfigMap) -> Vec<ConfigProblem> {
    let text = |key: &str| {
        config
            .get(key)
            .and_then(Option::as_deref)
            .map_or("", str::trim)
    };
    let topics = keys::aliases(config, "topics");
    let pattern = text("topics.regex");
    let both = |message: &str| {
        let problem = |key| ConfigProblem::new(key, message);
        vec![problem("topics"), problem("topics.regex")]
    };
    if topics.is_empty() && pattern.is_empty() {
        return both("Must configure one of topics or topics.regex");
    }
    if !topics.is_empty() && !pattern.is_empty() {
        return both("topics and topics.regex are mutually exclusive options, but both are set.");
    }
    let dlq = text("errors.deadletterqueue.topic.name");
    if dlq.is_empty() {
        return Vec::new();
    }
    if topics.iter().any(|topic| topic == dlq) {
        let message = format!(
            "The DLQ topic '{dlq}' may not be included in the list of topics ('topics=[{}]') consumed \
             by the connector",
            topics.join(", ")
        );
        return vec![ConfigProblem::new("topics", message)];
    }
    if !pattern.is_empty() && whole(pattern).is_ok_and(|pattern| pattern.is_match(dlq)) {
        let message = format!(
            "The DLQ topic '{dlq}' may not be matched by the regex for the topics \
             ('topics.regex={pattern}') consumed by the connector"
        );
        return vec![ConfigProblem::new("topics.regex", message)];
    }
    Vec::new()
}

/// A pattern that matches whole names, as Java's `Matcher.matches`.
fn whole(pattern: &str) -> Result<Regex, ConnectError> {
    Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|error| ConnectError::config(format!("invalid regular expression: {error}")))
}

/// What to tell the user of a connector's texts: unknown keys, and keys without effect. `plugins` are
/// the definitions of the connector's own keys, `steps` knows those of transformations and predicates;
/// where nobody knows them, none is unknown.
pub fn warnings(
    kind: ConnectorKind,
    config: &ConfigMap,
    plugins: &[&ConfigDef],
    steps: Option<StepKeys<'_>>,
) -> Vec<Warning> {
    let enriched = enriched_def(kind, config, steps);
    let mut defs = vec![&enriched];
    defs.extend(plugins);
    let mut prefixes: Vec<String> = ["key.converter.", "value.converter.", "header.converter."]
        .map(str::to_owned)
        .to_vec();
    prefixes.extend(ClientKind::ALL.map(|kind| kind.override_prefix().to_owned()));
    for step in StepKind::ALL {
        let mut unknown = step.aliases(config);
        unknown.retain(|alias| {
            let class = step.class(config, alias);
            let known = class.and_then(|class| steps.and_then(|keys| keys(step, class)));
            known.is_none()
        });
        prefixes.extend(unknown.iter().map(|alias| step.prefix(alias)));
    }
    let groups = keys::aliases(config, "topic.creation.groups");
    prefixes.extend(
        groups
            .iter()
            .map(|group| format!("topic.creation.{group}.")),
    );
    if kind == ConnectorKind::Source {
        prefixes.push("topic.creation.default.".to_owned());
    }
    let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    let mut warnings = unknown::warnings(config, &defs, &prefixes);
    warnings.extend(unknown::client_warnings(
        config,
        ClientKind::override_prefix,
    ));
    warnings
}

fn errors(parsed: &ParsedConfig) -> Result<ErrorHandling, ConnectError> {
    let ms = |key: &str| Ok::<_, ConnectError>(u64::try_from(parsed.long(key)?).ok());
    Ok(ErrorHandling {
        retry_timeout: ms("errors.retry.timeout")?.map(Duration::from_millis),
        retry_delay_max: Duration::from_millis(ms("errors.retry.delay.max.ms")?.unwrap_or(0)),
        tolerate_all: parsed.str("errors.tolerance")? == "all",
        log: parsed.bool("errors.log.enable")?,
        log_messages: parsed.bool("errors.log.include.messages")?,
    })
}

fn dead_letters(
    kind: ConnectorKind,
    parsed: &ParsedConfig,
) -> Result<Option<DeadLetterQueue>, ConnectError> {
    if kind == ConnectorKind::Source && !keys::uses_dead_letters(parsed.originals()) {
        return Ok(None);
    }
    let topic = parsed.str("errors.deadletterqueue.topic.name")?;
    let queue = DeadLetterQueue {
        topic: topic.to_owned(),
        replication_factor: parsed.short("errors.deadletterqueue.topic.replication.factor")?,
        context_headers: parsed.bool("errors.deadletterqueue.context.headers.enable")?,
    };
    Ok((!topic.is_empty()).then_some(queue))
}

fn transforms(parsed: &ParsedConfig) -> Result<Vec<TransformConfig>, ConnectError> {
    let transform = |alias: &String| {
        let prefix = format!("transforms.{alias}.");
        let class = parsed.class(&format!("{prefix}type"))?;
        let mut plugin = PluginConfig::new(class, parsed.originals(), &prefix);
        for key in ["type", "predicate", "negate"] {
            plugin.config.shift_remove(key);
        }
        Ok(TransformConfig {
            alias: alias.clone(),
            plugin,
            predicate: parsed
                .opt_str(&format!("{prefix}predicate"))?
                .map(str::to_owned),
            negate: parsed.bool(&format!("{prefix}negate"))?,
        })
    };
    keys::aliases(parsed.originals(), "transforms")
        .iter()
        .map(transform)
        .collect()
}

fn predicates(parsed: &ParsedConfig) -> Result<Vec<PredicateConfig>, ConnectError> {
    let predicate = |alias: &String| {
        let prefix = format!("predicates.{alias}.");
        let class = parsed.class(&format!("{prefix}type"))?;
        let mut plugin = PluginConfig::new(class, parsed.originals(), &prefix);
        plugin.config.shift_remove("type");
        Ok(PredicateConfig {
            alias: alias.clone(),
            plugin,
        })
    };
    keys::aliases(parsed.originals(), "predicates")
        .iter()
        .map(predicate)
        .collect()
}

fn source(parsed: &ParsedConfig) -> Result<SourceConfig, ConnectError> {
    let boundary = parsed.str("transaction.boundary")?.to_ascii_lowercase();
    let interval = parsed.opt_long("transaction.boundary.interval.ms")?;
    let exactly_once = parsed.str("exactly.once.support")?;
    Ok(SourceConfig {
        topic_creation: if keys::uses_topic_creation(parsed.originals()) {
            Some(TopicCreation::of(parsed)?)
        } else {
            None
        },
        exactly_once_required: exactly_once.eq_ignore_ascii_case("required"),
        transaction_boundary: match boundary.as_str() {
            "interval" => TransactionBoundary::Interval,
            "connector" => TransactionBoundary::Connector,
            _ => TransactionBoundary::Poll,
        },
        transaction_interval: interval
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis),
        offsets_topic: parsed.opt_str("offsets.storage.topic")?.map(str::to_owned),
    })
}

fn sink(parsed: &ParsedConfig) -> Result<SinkConfig, ConnectError> {
    let topics = parsed.list("topics")?;
    Ok(SinkConfig {
        topics: if topics.is_empty() {
            SinkTopics::Pattern(whole(parsed.str("topics.regex")?)?)
        } else {
            SinkTopics::List(topics.to_vec())
        },
    })
}

/// The texts below `topic.creation.<group>.` that are topic settings for Kafka.
fn topic_settings(config: &ConfigMap, group: &str) -> Vec<(String, String)> {
    with_prefix(config, &format!("topic.creation.{group}."))
        .into_iter()
        .filter(|(key, _)| {
            !matches!(
                key.as_str(),
                "include" | "exclude" | "replication.factor" | "partitions"
            )
        })
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}
