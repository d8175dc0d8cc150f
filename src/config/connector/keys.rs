//! Keys of connectors, each once (contract 1.8 and 2.7).

use super::restart;
use super::steps::{self, StepKeys};
use crate::api::config_def::{
    ConfigData, ConfigDef, ConfigKey, Importance, Validator, Width, java_trim,
};
use crate::api::{ConfigMap, ConnectorKind};

const COMMON: &str = "Common";
pub(super) const ERRORS: &str = "Error Handling";
const TOPIC_CREATION: &str = "Topic Creation";
const EXACTLY_ONCE: &str = "Exactly Once Support";

/// The keys that every connector of `kind` has.
pub fn connector_def(kind: ConnectorKind) -> ConfigDef {
    let def = common().extend(&error_handling());
    match kind {
        ConnectorKind::Source => def.extend(&source()),
        ConnectorKind::Sink => def.extend(&sink()).extend(&dead_letters()),
    }
}

/// [`connector_def`] and the keys that `config` brings in: those of its transformations, predicates,
/// topic creation groups, restart policy and, for sources, dead letter queue. The own keys of transformations and
/// predicates are there with `own` only; a connector's and a converter's are the plugin's.
pub fn enriched_def(
    kind: ConnectorKind,
    config: &ConfigMap,
    own: Option<StepKeys<'_>>,
) -> ConfigDef {
    let mut def = steps::enrich(connector_def(kind), config, own);
    if kind == ConnectorKind::Source && uses_dead_letters(config) {
        def = def.extend(&dead_letters());
    }
    if restart::is_used(config) {
        def = def.extend(&restart::def());
    }
    if kind == ConnectorKind::Source && uses_topic_creation(config) {
        def = creation_group("default", true)
            .into_iter()
            .fold(def, ConfigDef::define);
        for group in aliases(config, "topic.creation.groups") {
            if group != "default" {
                let keys = creation_group(&group, false);
                def = keys.into_iter().fold(def, ConfigDef::define);
            }
        }
    }
    def
}

/// Whether a source connector's configuration holds rules for creating topics.
pub(super) fn uses_topic_creation(config: &ConfigMap) -> bool {
    config.keys().any(|key| key.starts_with("topic.creation."))
}

/// Whether a configuration says anything of a dead letter queue. Sources show these keys only then: Kafka's
/// sources have none.
pub(super) fn uses_dead_letters(config: &ConfigMap) -> bool {
    config
        .keys()
        .any(|key| key.starts_with("errors.deadletterqueue."))
}

/// The entries of an alias list, each once, empty ones left out.
pub(super) fn aliases(config: &ConfigMap, key: &str) -> Vec<String> {
    let text = config.get(key).and_then(Option::as_deref).unwrap_or("");
    let mut aliases: Vec<String> = Vec::new();
    for alias in text.split(',').map(java_trim) {
        if !alias.is_empty() && !aliases.iter().any(|known| known == alias) {
            aliases.push(alias.to_owned());
        }
    }
    aliases
}

fn of(keys: impl IntoIterator<Item = ConfigKey>) -> ConfigDef {
    keys.into_iter().fold(ConfigDef::new(), ConfigDef::define)
}

pub(super) fn high(key: ConfigKey, width: Width) -> ConfigKey {
    key.importance(Importance::High).width(width)
}

fn low(key: ConfigKey, width: Width) -> ConfigKey {
    key.importance(Importance::Low).width(width)
}

fn common() -> ConfigDef {
    let def = of([
        high(ConfigKey::string("name"), Width::Medium)
            .validator(Validator::non_empty_without_controls())
            .group(COMMON, 1)
            .display("Connector name")
            .doc("Name of the connector, unique in the cluster."),
        high(ConfigKey::string("connector.class"), Width::Long)
            .group(COMMON, 2)
            .display("Connector class")
            .doc("Class of the connector: full Java name, simple name, or that without `Connector`."),
        ConfigKey::string("connector.plugin.version")
            .default_null()
            .width(Width::Medium)
            .group(COMMON, 3)
            .display("Connector version")
            .doc("Without effect: there is one version."),
        high(ConfigKey::int("tasks.max"), Width::Short)
            .default(1)
            .validator(Validator::at_least(1))
            .group(COMMON, 4)
            .display("Tasks max")
            .doc("How many tasks the connector may have."),
        low(ConfigKey::boolean("tasks.max.enforce"), Width::Short)
            .default(true)
            .group(COMMON, 5)
            .display("Enforce tasks max")
            .doc("Whether a connector that makes more tasks than `tasks.max` fails. Deprecated by Kafka."),
    ]);
    let def = converters(def);
    of(def.keys().cloned().chain([
        low(ConfigKey::list("transforms"), Width::Long)
            .default("")
            .validator(unique_aliases())
            .group("Transforms", 12)
            .display("Transforms")
            .doc("Names of transformations, in their order; `transforms.NAME.type` says which each is."),
        low(ConfigKey::list("predicates"), Width::Long)
            .default("")
            .validator(unique_aliases())
            .group("Predicates", 13)
            .display("Predicates")
            .doc("Names of predicates that transformations hang on."),
        low(ConfigKey::string("config.action.reload"), Width::Medium)
            .default("restart")
            .validator(Validator::one_of(["none", "restart"]))
            .group(COMMON, 14)
            .display("Reload Action")
            .doc("What to do when a config provider says that a value has changed."),
    ]))
}

fn converters(mut def: ConfigDef) -> ConfigDef {
    for (name, title, order) in [
        ("key", "Key", 6),
        ("value", "Value", 8),
        ("header", "Header", 10),
    ] {
        let class = low(ConfigKey::class(format!("{name}.converter")), Width::Short)
            .default_null()
            .group(COMMON, order)
            .display(format!("{title} converter class"))
            .doc(format!(
                "Converter of record {name}s in place of the worker's; its own settings follow under \
                 `{name}.converter.`."
            ));
        let version = ConfigKey::string(format!("{name}.converter.plugin.version"));
        let version = low(version, Width::Short)
            .default_null()
            .group(COMMON, order + 1)
            .display(format!("{title} converter version"))
            .doc("Without effect: there is one version.");
        def = def.define(class).define(version);
    }
    def
}

/// Kafka's check of alias lists.
fn unique_aliases() -> Validator {
    Validator::custom_text("unique names", |name, value| {
        let Some(ConfigData::List(items)) = value else {
            return Err(format!(
                "Invalid value null for configuration {name}: entry must be non null"
            ));
        };
        let unique: indexmap::IndexSet<&String> = items.iter().collect();
        if unique.len() < items.len() {
            return Err(format!(
                "Invalid value [{}] for configuration {name}: Duplicate alias provided.",
                items.join(", ")
            ));
        }
        Ok(())
    })
}

fn error_handling() -> ConfigDef {
    let key = |key: ConfigKey, order: i32, width: Width, title: &str, doc: &str| {
        key.width(width)
            .group(ERRORS, order)
            .display(title)
            .doc(doc)
    };
    of([
        key(
            ConfigKey::long("errors.retry.timeout").default(0),
            1,
            Width::Medium,
            "Retry Timeout for Errors",
            "How long a failed operation is tried again, in milliseconds; −1 is for ever.",
        ),
        key(
            ConfigKey::long("errors.retry.delay.max.ms").default(60_000),
            2,
            Width::Medium,
            "Maximum Delay Between Retries for Errors",
            "Longest wait between two tries.",
        ),
        key(
            ConfigKey::string("errors.tolerance")
                .default("none")
                .validator(Validator::one_of(["none", "all"])),
            3,
            Width::Short,
            "Error Tolerance",
            "Whether a record that fails for good fails the task (none) or is skipped (all).",
        ),
        key(
            ConfigKey::boolean("errors.log.enable").default(false),
            4,
            Width::Short,
            "Log Errors",
            "Whether each error is logged, the tolerated ones too.",
        ),
        key(
            ConfigKey::boolean("errors.log.include.messages").default(false),
            5,
            Width::Short,
            "Log Error Details",
            "Whether the log shows the failed record's topic, partition and offset.",
        ),
    ])
}

fn source() -> ConfigDef {
    let once = |key: ConfigKey, order: i32, title: &str, doc: &str| {
        key.width(Width::Short)
            .group(EXACTLY_ONCE, order)
            .display(title)
            .doc(doc)
    };
    of([
        low(ConfigKey::list("topic.creation.groups"), Width::Long)
            .default("")
            .validator(unique_aliases())
            .group(TOPIC_CREATION, 1)
            .display("Topic Creation Groups")
            .doc("Groups of topics with settings of their own; `default` needs no mention."),
        once(
            ConfigKey::string("exactly.once.support")
                .default("requested")
                .validator(Validator::one_of_ignore_case(["required", "requested"])),
            2,
            "Exactly once support",
            "Whether the connector must be able to deliver exactly once.",
        ),
        once(
            ConfigKey::string("transaction.boundary")
                .default("poll")
                .validator(Validator::one_of_ignore_case([
                    "interval",
                    "poll",
                    "connector",
                ])),
            3,
            "Transaction Boundary",
            "Where transactions end: with each batch, by time, or where the connector says.",
        ),
        once(
            low(
                ConfigKey::long("transaction.boundary.interval.ms"),
                Width::Short,
            )
            .default_null()
            .validator(Validator::custom("[0,...]", |value| match value {
                Some(ConfigData::Long(..0)) => Err("Value must be at least 0".to_owned()),
                _ => Ok(()),
            })),
            4,
            "Transaction boundary interval",
            "Length of a transaction under `transaction.boundary=interval`; the worker's offset flush \
             interval by default.",
        ),
        low(ConfigKey::string("offsets.storage.topic"), Width::Long)
            .default_null()
            .validator(Validator::non_empty_string())
            .group("offsets.topic", 1)
            .display("Offsets topic")
            .doc(
                "Topic that keeps this connector's offsets; without effect in a standalone worker.",
            ),
    ])
}

fn sink() -> ConfigDef {
    of([
        high(ConfigKey::list("topics"), Width::Long)
            .default("")
            .validator(Validator::unique_list(true, false))
            .group(COMMON, 4)
            .display("Topics")
            .doc("Topics to read."),
        high(ConfigKey::string("topics.regex"), Width::Long)
            .default("")
            .validator(Validator::regex())
            .group(COMMON, 4)
            .display("Topics regex")
            .doc("Regular expression of topics to read; it must match the whole name."),
    ])
}

fn dead_letters() -> ConfigDef {
    let dead = |key: ConfigKey, order: i32, title: &str, doc: &str| {
        key.width(Width::Medium)
            .group(ERRORS, order)
            .display(title)
            .doc(doc)
    };
    of([
        dead(
            ConfigKey::string("errors.deadletterqueue.topic.name").default(""),
            6,
            "Dead Letter Queue Topic Name",
            "Topic that takes records which fail; empty for none. Sources have it, too (*Ours*): Kafka has \
             it for sinks.",
        ),
        dead(
            ConfigKey::short("errors.deadletterqueue.topic.replication.factor").default(3),
            7,
            "Dead Letter Queue Topic Replication Factor",
            "Replicas of that topic when it is missing and created, with one partition.",
        ),
        dead(
            ConfigKey::boolean("errors.deadletterqueue.context.headers.enable").default(false),
            8,
            "Enable Error Context Headers",
            "Whether dead letters carry headers `__connect.errors.*` that say what happened.",
        ),
    ])
}

/// The keys of a topic creation group. Those of `default` must be set; other groups fall back to them.
fn creation_group(group: &str, is_default: bool) -> [ConfigKey; 4] {
    let section = format!("{TOPIC_CREATION}: {group}");
    let name = |key: &str| format!("topic.creation.{group}.{key}");
    let patterns = |key: &str, order: i32, title: &str, doc: &str| {
        low(ConfigKey::list(name(key)), Width::Long)
            .default(if is_default && key == "include" {
                ".*"
            } else {
                ""
            })
            .validator(patterns())
            .group(&section, order)
            .display(format!("{title} Topic Pattern for {group}"))
            .doc(doc)
    };
    let number = |key: ConfigKey, order: i32, title: &str, problem: &'static str, doc: &str| {
        let key = low(key, Width::Long)
            .validator(positive_or_broker(problem))
            .group(&section, order)
            .display(format!("{title} {group}"))
            .doc(doc);
        if is_default { key } else { key.default_null() }
    };
    [
        patterns(
            "include",
            1,
            "Inclusion",
            "Regular expressions of topics in the group; they must match the whole name.",
        ),
        patterns(
            "exclude",
            2,
            "Exclusion",
            "Regular expressions of topics that are not in the group.",
        ),
        number(
            ConfigKey::short(name("replication.factor")),
            3,
            "Replication Factor for Topics in",
            "Replication factor must be positive and not larger than the number of brokers in the \
             Kafka cluster, or -1 to use the broker's default",
            "Replicas of a topic; −1 leaves it to the broker.",
        ),
        number(
            ConfigKey::int(name("partitions")),
            4,
            "Partition Count for Topics in",
            "Number of partitions must be positive, or -1 to use the broker's default",
            "Partitions of a topic; −1 leaves it to the broker.",
        ),
    ]
}

fn patterns() -> Validator {
    Validator::custom_text("regular expressions", |name, value| {
        let Some(ConfigData::List(items)) = value else {
            return Ok(());
        };
        match regex::Regex::new(&items.join("|")) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "Invalid value [{}] for configuration {name}: Syntax error in regular expression: \
                 {error}",
                items.join(", ")
            )),
        }
    })
}

/// Null passes: the group `default` has the number then.
fn positive_or_broker(problem: &'static str) -> Validator {
    Validator::custom(
        "positive, or -1 for the broker's default",
        move |value| match value.and_then(ConfigData::as_f64) {
            Some(number) if number <= 0.0 && number != -1.0 => Err(problem.to_owned()),
            _ => Ok(()),
        },
    )
}
