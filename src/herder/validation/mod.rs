//! Checks of a connector's configuration before it exists (Kafka: `AbstractHerder
//! .validateConnectorConfig`, contract 1.8).
//!
//! One answer serves three askers: the validation endpoint shows it whole, creating and changing a
//! connector asks for its errors, and the command line prints them before anything starts. Beyond
//! Kafka's checks it finds what this worker would refuse at the start of a task (overrides of clients,
//! transformations whose keys do not fit each other), so that the user hears of it now.

mod guarded;
mod steps;
#[cfg(test)]
mod tests;

use std::fmt;

pub use guarded::{Unvalidated, Validator};

use crate::api::config_def::{ConfigDef, ConfigKey, ConfigProblem, ConfigValue, with_prefix};
use crate::api::{ConfigMap, ConnectorKind};
use crate::config::clients::{self, ClientKind};
use crate::config::connector::{conflicts, enriched_def};
use crate::config::provider::{Expanded, Providers};
use crate::config::worker::WorkerFile;
use crate::config::{WorkerConfig, null_values};
use crate::herder::stage::StageCell;
use crate::plugins::{ConnectorPlugin, PLUGIN_VERSION, Plugins};

/// What validation knows of one key.
#[derive(Debug, Clone)]
pub struct ConfigInfo {
    /// The key's definition; `None` for a key that nothing defines.
    pub definition: Option<ConfigKey>,
    /// Its value and what is wrong with it.
    pub value: ConfigValue,
}

/// The answer of a validation (Kafka: `ConfigInfos`).
#[derive(Debug, Clone)]
pub struct ConfigInfos {
    /// `connector.class` as it was written.
    pub name: String,
    /// Sections of a form, in order.
    pub groups: Vec<String>,
    /// Keys in order.
    pub configs: Vec<ConfigInfo>,
}

impl ConfigInfos {
    /// All messages in the order of the keys.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        self.configs
            .iter()
            .flat_map(|info| info.value.errors.iter().map(String::as_str))
    }

    /// How many messages there are.
    pub fn error_count(&self) -> usize {
        self.errors().count()
    }
}

impl fmt::Display for ConfigInfos {
    /// The text with which Kafka refuses the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors: Vec<&str> = self.errors().collect();
        write!(
            f,
            "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also \
             find the above list of errors at the endpoint \
             `/connector-plugins/{{connectorType}}/config/validate`",
            errors.len(),
            errors.join("\n")
        )
    }
}

/// There is no connector to validate for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// `connector.class` is missing. Secrets may stand in the text, which only its sender sees.
    #[error("Connector config {config} contains no connector type")]
    NoClass {
        /// The configuration as Java prints a map.
        config: String,
    },
    /// `connector.class` names no connector; the text lists those there are.
    #[error("{0}")]
    UnknownClass(String),
    /// A `${…}` reference cannot be read.
    #[error("{0}")]
    Reference(String),
}

/// What a configuration is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Validation<'a> {
    /// Connectors and converters.
    pub plugins: &'a Plugins,
    /// The worker, for defaults and the override policy.
    pub worker: &'a WorkerConfig,
    /// For references.
    pub providers: &'a Providers,
    /// Told what is being done: connector code may hang.
    pub stage: &'a StageCell,
}

/// Checks a raw configuration; the text lists all problems, one per line.
///
/// # Errors
/// All problems together; nothing in them came out of a provider.
pub fn problems(plugins: &Plugins, worker: &WorkerFile, config: &ConfigMap) -> Result<(), String> {
    let validation = Validation {
        plugins,
        worker: &worker.config,
        providers: &worker.providers,
        stage: &StageCell::default(),
    };
    let infos = validation
        .validate(config)
        .map_err(|error| error.to_string())?;
    if infos.error_count() == 0 {
        return Ok(());
    }
    Err(infos.errors().collect::<Vec<_>>().join("\n"))
}

impl Validation<'_> {
    /// Checks a raw configuration, which may hold references. Reads the files that they name, so never
    /// call it on the herder's thread or a shard.
    ///
    /// # Errors
    /// There is no such connector, or a reference can't be read. Problems of values are in the answer.
    pub fn validate(&self, raw: &ConfigMap) -> Result<ConfigInfos, ValidationError> {
        let expanded = self.stage.during(
            "resolving transformed configuration properties for the connector",
            || self.providers.expand(raw),
        );
        let expanded = expanded.map_err(|problems| {
            let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
            ValidationError::Reference(texts.join("\n"))
        })?;
        let config = &expanded.config;
        let class = config.get("connector.class").and_then(Option::as_deref);
        let class = class
            .map(str::trim)
            .ok_or_else(|| ValidationError::NoClass {
                config: java_map(raw),
            })?;
        let plugin = self
            .plugins
            .connector(class)
            .map_err(|error| ValidationError::UnknownClass(error.to_string()))?;
        let mut sections = Sections::default();
        self.connector_section(plugin, config, &mut sections);
        self.override_section(plugin.kind(), config, &mut sections);
        for key in ["key.converter", "value.converter", "header.converter"] {
            self.converter_section(key, config, &mut sections);
        }
        sections.hide_secrets(raw, &expanded);
        Ok(ConfigInfos {
            name: class.to_owned(),
            groups: sections.groups,
            configs: sections.configs,
        })
    }

    /// Common keys, then the connector's own.
    fn connector_section(&self, plugin: &ConnectorPlugin, config: &ConfigMap, out: &mut Sections) {
        let steps = |kind, class: &str| self.plugins.step_keys(kind, class);
        let common = enriched_def(plugin.kind(), config, Some(&steps));
        let common = common
            .keys()
            .cloned()
            .map(|key| self.with_defaults(key, plugin, config));
        let common = common.fold(ConfigDef::new(), ConfigDef::define);
        let own = self.stage.during(
            "retrieving the configuration definition from the connector",
            plugin.config_def,
        );
        let own = own
            .keys()
            .filter(|key| !common.contains(&key.name))
            .cloned();
        let own = own.fold(ConfigDef::new(), ConfigDef::define);
        let nulls = null_values(config);
        let belongs_elsewhere = |key: &str| {
            common.contains(key)
                || own.contains(key)
                || ClientKind::ALL
                    .iter()
                    .any(|kind| key.starts_with(kind.override_prefix()))
        };
        for problem in nulls
            .iter()
            .filter(|problem| !belongs_elsewhere(&problem.key))
        {
            out.add_undefined(problem);
        }
        out.add(&common, config);
        out.add(&own, config);
        let defined = nulls
            .into_iter()
            .filter(|problem| belongs_elsewhere(&problem.key));
        let of_connector = self.stage.during(
            "performing multi-property validation for the connector",
            || plugin.problems.map_or_else(Vec::new, |find| find(config)),
        );
        for problem in defined
            .chain(conflicts(plugin.kind(), config))
            .chain(of_connector)
        {
            out.attach(&problem);
        }
        self.step_section(config, out);
    }

    /// The worker's converters as defaults, the classes there are as recommendations.
    fn with_defaults(
        &self,
        mut key: ConfigKey,
        plugin: &ConnectorPlugin,
        config: &ConfigMap,
    ) -> ConfigKey {
        let name = key.name.clone();
        if name == "connector.plugin.version" {
            return key.default(plugin.version).recommended([plugin.version]);
        }
        if let Some(converter) = self.worker_converter(&name) {
            let for_headers = name == "header.converter";
            let all = self.plugins.converters().iter();
            let fitting = all.filter(|known| known.fits(for_headers));
            key = key.recommended(fitting.map(|known| known.class));
            return key.default(self.canonical(converter).unwrap_or(converter));
        }
        if let Some(step) = self.step_defaults(&key, config) {
            return step;
        }
        let of = name.strip_suffix(".plugin.version");
        if let Some(default) = of.and_then(|of| self.worker_converter(of)) {
            let set = config
                .get(of.unwrap_or_default())
                .and_then(Option::as_deref);
            let class = set.map_or(default, str::trim);
            if self.canonical(class).is_some() {
                return key.default(PLUGIN_VERSION).recommended([PLUGIN_VERSION]);
            }
        }
        key
    }

    /// The worker's class for a converter key; `None` for any other key.
    fn worker_converter(&self, key: &str) -> Option<&str> {
        let plugin = match key {
            "key.converter" => &self.worker.key_converter,
            "value.converter" => &self.worker.value_converter,
            "header.converter" => &self.worker.header_converter,
            _ => return None,
        };
        Some(plugin.class.trim())
    }

    /// The full class name of a converter.
    fn canonical(&self, class: &str) -> Option<&'static str> {
        let fits = |known: &&crate::converters::ConverterPlugin| {
            known.class == class || known.aliases.contains(&class)
        };
        let found = self.plugins.converters().iter().find(fits);
        found.map(|plugin| plugin.class)
    }

    /// `producer.override.…` and its like, under their full names.
    fn override_section(&self, kind: ConnectorKind, config: &ConfigMap, out: &mut Sections) {
        let clients: &[ClientKind] = match kind {
            ConnectorKind::Source => &[ClientKind::Producer, ClientKind::Admin],
            ConnectorKind::Sink if has_dead_letters(config) => &[
                ClientKind::Producer,
                ClientKind::Admin,
                ClientKind::Consumer,
            ],
            ConnectorKind::Sink => &[ClientKind::Consumer],
        };
        for client in clients {
            let prefix = client.override_prefix();
            let def = clients::def(*client);
            for (key, value) in with_prefix(config, prefix) {
                let full = format!("{prefix}{key}");
                let definition = def.key(&key).cloned().map(|mut definition| {
                    definition.name.clone_from(&full);
                    definition
                });
                let secret = definition.as_ref().is_some_and(|definition| {
                    definition.kind == crate::api::config_def::ConfigType::Password
                });
                let value = if secret {
                    Some("[hidden]".to_owned())
                } else {
                    value
                };
                out.configs.push(ConfigInfo {
                    definition,
                    value: value_of(full, value, Vec::new()),
                });
            }
        }
        for problem in self.override_problems(kind, config) {
            out.attach(&problem);
        }
    }

    fn override_problems(&self, kind: ConnectorKind, config: &ConfigMap) -> Vec<ConfigProblem> {
        let mut problems = self.worker.override_policy.violations(config);
        let worker = &self.worker.originals;
        let name = config.get("name").cloned().flatten().unwrap_or_default();
        let mut found = match kind {
            ConnectorKind::Source => vec![
                clients::task_producer(worker, config, &name, 0).err(),
                clients::task_admin(worker, config, &name, 0).err(),
            ],
            ConnectorKind::Sink => vec![clients::task_consumer(worker, config, &name, 0).err()],
        };
        if has_dead_letters(config) {
            found.push(clients::dlq_producer(worker, config, &name, 0).err());
            found.push(clients::dlq_admin(worker, config, &name, 0).err());
        }
        // The worker's own settings were checked when it started.
        let overridden = |problem: &ConfigProblem| {
            ClientKind::ALL
                .iter()
                .any(|kind| problem.key.starts_with(kind.override_prefix()))
        };
        problems.extend(found.into_iter().flatten().flatten().filter(overridden));
        problems
    }

    /// Keys of a converter that the connector names itself.
    fn converter_section(&self, key: &str, config: &ConfigMap, out: &mut Sections) {
        let class = match config.get(key) {
            None => return,
            Some(None) => return out.hide(&format!("{key}.plugin.version")),
            Some(Some(class)) => class.trim(),
        };
        let found = self.plugins.converters().iter();
        let mut found =
            found.filter(|known| known.class == class || known.aliases.contains(&class));
        let for_headers = key == "header.converter";
        let Some(plugin) = found.next().filter(|known| known.fits(for_headers)) else {
            let message = format!(
                "Invalid value {class} for configuration {key}: Class {class} could not be found."
            );
            out.refuse_class(&ConfigProblem::new(key, message));
            out.hide(&format!("{key}.plugin.version"));
            return;
        };
        out.show(key, plugin.class);
        let prefix = format!("{key}.");
        let mut own = with_prefix(config, &prefix);
        own.shift_remove("plugin.version");
        let usage = key.strip_suffix(".converter").unwrap_or(key);
        own.insert("converter.type".to_owned(), Some(usage.to_owned()));
        let def = (plugin.config_def)();
        let before = out.errors();
        out.add_prefixed(&def, &own, &prefix);
        if out.errors() > before {
            return;
        }
        // What its keys cannot tell alone, such as a character set that does not exist.
        own.shift_remove("converter.type");
        let made = if for_headers {
            self.plugins.header_converter(class, &own).err()
        } else {
            self.plugins.converter(class, &own, usage == "key").err()
        };
        if let Some(error) = made {
            out.attach(&ConfigProblem::invalid(key, class, error.message()));
        }
    }
}

/// Whether failed records go to a topic (Kafka: `SinkConnectorConfig.hasDlqTopicConfig`).
fn has_dead_letters(config: &ConfigMap) -> bool {
    let topic = config.get("errors.deadletterqueue.topic.name");
    topic
        .and_then(Option::as_deref)
        .is_some_and(|topic| !topic.trim().is_empty())
}

/// The answer while it grows.
#[derive(Debug, Default)]
struct Sections {
    groups: Vec<String>,
    configs: Vec<ConfigInfo>,
}

impl Sections {
    fn add(&mut self, def: &ConfigDef, config: &ConfigMap) {
        self.add_prefixed(def, config, "");
    }

    fn add_prefixed(&mut self, def: &ConfigDef, config: &ConfigMap, prefix: &str) {
        for group in def.groups() {
            if !self.groups.iter().any(|known| known == group) {
                self.groups.push(group.to_owned());
            }
        }
        for (key, mut value) in def.keys().zip(def.validate(config)) {
            let mut definition = key.clone();
            definition.name = format!("{prefix}{}", key.name);
            value.name.clone_from(&definition.name);
            self.configs.push(ConfigInfo {
                definition: Some(definition),
                value,
            });
        }
    }

    fn add_undefined(&mut self, problem: &ConfigProblem) {
        self.configs.push(ConfigInfo {
            definition: None,
            value: value_of(problem.key.clone(), None, vec![problem.message.clone()]),
        });
    }

    fn value(&mut self, key: &str) -> Option<&mut ConfigValue> {
        let mut values = self.configs.iter_mut().map(|info| &mut info.value);
        values.find(|value| value.name == key)
    }

    /// Adds a problem to its key; a key that nothing defines appears because of it.
    fn attach(&mut self, problem: &ConfigProblem) {
        match self.value(&problem.key) {
            Some(value) if value.errors.contains(&problem.message) => {}
            Some(value) => value.errors.push(problem.message.clone()),
            None => self.add_undefined(problem),
        }
    }

    /// As [`Self::attach`]; a class that does not exist has no value either.
    fn refuse_class(&mut self, problem: &ConfigProblem) {
        self.attach(problem);
        if let Some(value) = self.value(&problem.key) {
            value.value = None;
        }
    }

    fn show(&mut self, key: &str, text: &str) {
        if let Some(value) = self.value(key) {
            value.value = Some(text.to_owned());
        }
    }

    /// Nothing to choose from.
    fn hide(&mut self, key: &str) {
        if let Some(value) = self.value(key) {
            value.recommended_values.clear();
            value.visible = false;
        }
    }

    fn errors(&self) -> usize {
        self.configs
            .iter()
            .map(|info| info.value.errors.len())
            .sum()
    }

    fn has_errors_below(&self, prefix: &str) -> bool {
        let mut values = self.configs.iter().map(|info| &info.value);
        values.any(|value| value.name.starts_with(prefix) && !value.errors.is_empty())
    }

    /// Shows references instead of what they stand for, in values and in messages.
    fn hide_secrets(&mut self, raw: &ConfigMap, expanded: &Expanded) {
        for info in &mut self.configs {
            let value = &mut info.value;
            if !expanded.secret_keys.contains(&value.name) {
                continue;
            }
            if value
                .value
                .as_deref()
                .is_some_and(|text| text != "[hidden]")
            {
                value.value = raw.get(&value.name).cloned().flatten();
            }
            let problem = |message: &String| ConfigProblem::new(&value.name, message);
            let problems = value.errors.iter().map(problem).collect();
            let hidden = expanded.hide_secrets(problems);
            value.errors = hidden.into_iter().map(|problem| problem.message).collect();
        }
    }
}

fn value_of(name: String, value: Option<String>, errors: Vec<String>) -> ConfigValue {
    ConfigValue {
        name,
        value,
        recommended_values: Vec::new(),
        errors,
        visible: true,
    }
}

/// `{a=1, b=null}`, as Java prints a map.
fn java_map(config: &ConfigMap) -> String {
    let entry = |(key, value): (&String, &Option<String>)| {
        format!("{key}={}", value.as_deref().unwrap_or("null"))
    };
    let entries: Vec<_> = config.iter().map(entry).collect();
    format!("{{{}}}", entries.join(", "))
}
