//! Warnings about keys that nobody reads, with the nearest known name.

use std::fmt;

use super::clients::{self, ClientKind};
use crate::api::ConfigMap;
use crate::api::config_def::ConfigDef;

/// Something that a configuration does not break on and that its user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The key that it is about, under its full name.
    pub key: String,
    /// What there is to know; names the key.
    pub message: String,
    /// What to do about it, where that is known.
    pub fix: Option<String>,
}

impl Warning {
    /// A warning about `key`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
            fix: None,
        }
    }

    /// Whether it is about a key that nobody reads, here or in Apache's worker.
    pub fn is_about_unknown_key(&self) -> bool {
        self.message.starts_with(UNKNOWN_KEY)
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.fix {
            Some(fix) => write!(f, ", {fix}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
impl PartialEq<&str> for Warning {
    fn eq(&self, text: &&str) -> bool {
        let own = self.to_string();
        own == *text
    }
}

const UNKNOWN_KEY: &str = "unknown key";

/// Farthest that a mistyped name may be from the known one, in typing mistakes.
const MAX_DISTANCE: usize = 3;

/// A warning for each key of `config` that no definition has and that begins with none of `prefixes`,
/// which belong to plugins and clients.
pub fn warnings(config: &ConfigMap, defs: &[&ConfigDef], prefixes: &[&str]) -> Vec<Warning> {
    let names: Vec<&str> = defs
        .iter()
        .flat_map(|def| def.keys())
        .map(|key| key.name.as_str())
        .collect();
    config
        .keys()
        .filter(|key| !names.contains(&key.as_str()))
        .filter(|key| !prefixes.iter().any(|prefix| key.starts_with(prefix)))
        .map(|key| warning(key, &names, ""))
        .collect()
}

/// Warnings about the client settings in `config` under the prefix that `prefix` gives for each kind:
/// unknown keys, and keys without effect.
pub fn client_warnings(config: &ConfigMap, prefix: fn(ClientKind) -> &'static str) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for kind in ClientKind::ALL {
        let prefix = prefix(kind);
        let below = crate::api::config_def::with_prefix(config, prefix);
        let def = clients::def(kind);
        let names: Vec<&str> = def.keys().map(|key| key.name.as_str()).collect();
        let unknown = below.keys().filter(|key| !names.contains(&key.as_str()));
        warnings.extend(
            unknown
                // A worker's file has keys of its own below `admin.`.
                .filter(|key| !(prefix == "admin." && key.starts_with("listeners")))
                .map(|key| warning(key, &names, prefix)),
        );
        for key in clients::without_effect(kind, &below) {
            let key = format!("{prefix}{key}");
            let message = format!("'{key}' has no effect");
            warnings.push(Warning::new(key, message));
        }
    }
    warnings
}

fn warning(key: &str, names: &[&str], prefix: &str) -> Warning {
    let full = format!("{prefix}{key}");
    let message = format!("{UNKNOWN_KEY} '{full}'");
    let warning = Warning::new(full, message);
    match nearest(key, names) {
        Some(name) => warning.with_fix(format!("did you mean '{prefix}{name}'?")),
        None => warning,
    }
}

/// The known name with the fewest typing mistakes (swapped letters count as one), unless that is more
/// than a third of the name.
fn nearest<'a>(key: &str, names: &[&'a str]) -> Option<&'a str> {
    let limit = MAX_DISTANCE.min(key.chars().count() / 3);
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), *name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::config_def::ConfigKey;

    fn config(keys: &[&str]) -> ConfigMap {
        let entry = |key: &&str| ((*key).to_owned(), Some("secret".to_owned()));
        keys.iter().map(entry).collect()
    }

    #[test]
    fn a_mistyped_key_is_answered_with_the_nearest_name() {
        let def = ConfigDef::new()
            .define(ConfigKey::int("tasks.max"))
            .define(ConfigKey::string("topic"))
            .define(ConfigKey::list("topics"));
        let given = config(&[
            "taks.max",
            "tasks.max",
            "topcis",
            "entirely.other",
            "t",
            "p.x",
        ]);
        assert_eq!(
            warnings(&given, &[&def], &["p."]),
            [
                "unknown key 'taks.max', did you mean 'tasks.max'?",
                "unknown key 'topcis', did you mean 'topics'?",
                "unknown key 'entirely.other'",
                "unknown key 't'",
            ]
        );
    }

    #[test]
    fn client_keys_are_looked_up_under_their_prefix() {
        let given = config(&[
            "producer.override.ack",
            "producer.override.linger.ms",
            "consumer.override.metric.reporters",
            "name",
        ]);
        let found = client_warnings(&given, ClientKind::override_prefix);
        assert!(found[0].is_about_unknown_key() && !found[1].is_about_unknown_key());
        assert_eq!(
            found,
            [
                "unknown key 'producer.override.ack', did you mean 'producer.override.acks'?",
                "'consumer.override.metric.reporters' has no effect",
            ]
        );
    }
}
