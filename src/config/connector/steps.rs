//! Keys that the transforms and predicates of a connector bring in (Kafka:
//! `ConnectorConfig.EnrichablePlugin`).

use std::cmp::Ordering;

use super::keys::{aliases, high};
use crate::api::ConfigMap;
use crate::api::config_def::{ConfigDef, ConfigKey, Validator, Width, java_trim};

/// Transformation or predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Listed in `transforms`.
    Transformation,
    /// Listed in `predicates`.
    Predicate,
}

/// The own keys of the class of a step, `None` when there is no such class. Classes are the plugin
/// list's, which this room does not know.
pub type StepKeys<'a> = &'a dyn Fn(StepKind, &str) -> Option<ConfigDef>;

impl StepKind {
    /// Both, in Kafka's order.
    pub const ALL: [Self; 2] = [Self::Transformation, Self::Predicate];

    /// The key that lists the aliases, and the beginning of each alias's keys.
    pub fn list(self) -> &'static str {
        match self {
            Self::Transformation => "transforms",
            Self::Predicate => "predicates",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::Transformation => "Transforms",
            Self::Predicate => "Predicates",
        }
    }

    /// Kafka's interface.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Transformation => "Transformation",
            Self::Predicate => "Predicate",
        }
    }

    /// The aliases of a configuration, each once.
    pub fn aliases(self, config: &ConfigMap) -> Vec<String> {
        aliases(config, self.list())
    }

    /// `<list>.<alias>.`, with which the keys of an alias begin.
    pub fn prefix(self, alias: &str) -> String {
        format!("{}.{alias}.", self.list())
    }

    /// The class that an alias names.
    pub fn class<'a>(self, config: &'a ConfigMap, alias: &str) -> Option<&'a str> {
        let class = config.get(&format!("{}type", self.prefix(alias)))?;
        class.as_deref().map(java_trim)
    }
}

/// Adds the keys of every alias. Without `own` the classes' own keys are left out; with it, a class that
/// does not exist has no keys beside its name and version, as in Kafka.
pub(super) fn enrich(
    mut def: ConfigDef,
    config: &ConfigMap,
    own: Option<StepKeys<'_>>,
) -> ConfigDef {
    for kind in StepKind::ALL {
        for alias in kind.aliases(config) {
            def = frame(kind, &alias).into_iter().fold(def, ConfigDef::define);
            let class = kind.class(config, &alias);
            let keys = match own {
                None => Some(ConfigDef::new()),
                Some(own) => class.and_then(|class| own(kind, class)),
            };
            if let Some(keys) = keys {
                def = embed(def, kind, &alias, &implicit(kind).extend(&keys));
            }
        }
    }
    def
}

/// What says which class an alias is.
fn frame(kind: StepKind, alias: &str) -> [ConfigKey; 2] {
    let (prefix, interface) = (kind.prefix(alias), kind.interface());
    let group = format!("{}: {alias}", kind.group());
    let noun = interface.to_lowercase();
    [
        high(ConfigKey::class(format!("{prefix}type")), Width::Long)
            .group(&group, 0)
            .display(format!("{interface} type for {alias}"))
            .doc(format!("Class of the {noun} '{alias}'.")),
        high(
            ConfigKey::string(format!("{prefix}plugin.version")),
            Width::Long,
        )
        .default_null()
        .group(&group, 1)
        .display(format!("{interface} version for {alias}"))
        .doc("Without effect: there is one version."),
    ]
}

/// The keys that every class of a kind has; they hide its own of the same names.
fn implicit(kind: StepKind) -> ConfigDef {
    match kind {
        StepKind::Predicate => ConfigDef::new(),
        StepKind::Transformation => ConfigDef::new()
            .define(
                ConfigKey::string("predicate")
                    .default_null()
                    .doc("Predicate that says which records are transformed; all without one."),
            )
            .define(ConfigKey::boolean("negate").default(false).doc(
                "Whether the records that the predicate does not match are transformed instead.",
            )),
    }
}

/// Adds `keys` under the prefix of an alias (Kafka: `ConfigDef.embed`). Their checks go on naming them
/// without it.
fn embed(mut def: ConfigDef, kind: StepKind, alias: &str, keys: &ConfigDef) -> ConfigDef {
    let prefix = kind.prefix(alias);
    let group = format!("{}: {alias}", kind.group());
    let mut sorted: Vec<&ConfigKey> = keys.keys().collect();
    sorted.sort_by(|left, right| in_form(left, right));
    for (order, key) in (2..).zip(sorted) {
        let mut key = key.clone().group(&group, order);
        key.validator = key
            .validator
            .map(|validator| unprefixed(validator, prefix.clone()));
        key.name.insert_str(0, &prefix);
        def = def.define(key);
    }
    def
}

/// The order of keys in a form: needed ones, then by importance, then by name (Kafka:
/// `ConfigDef.compare`, for keys without a group).
fn in_form(left: &ConfigKey, right: &ConfigKey) -> Ordering {
    right
        .is_required()
        .cmp(&left.is_required())
        .then(left.importance.cmp(&right.importance))
        .then_with(|| left.name.cmp(&right.name))
}

fn unprefixed(validator: Validator, prefix: String) -> Validator {
    Validator::custom_text(validator.to_string(), move |name, value| {
        validator.check(name.strip_prefix(&prefix).unwrap_or(name), value)
    })
}
