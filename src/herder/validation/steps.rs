//! The part of transformations and predicates.

use super::{Sections, Validation};
use crate::api::config_def::{ConfigKey, ConfigProblem, with_prefix};
use crate::api::{ConfigMap, ConnectError};
use crate::config::connector::StepKind;
use crate::plugins::PLUGIN_VERSION;

impl Validation<'_> {
    /// The classes there are and their version, for the keys that name class and version of a step;
    /// `None` for any other key.
    pub(super) fn step_defaults(&self, key: &ConfigKey, config: &ConfigMap) -> Option<ConfigKey> {
        let mut kinds = StepKind::ALL.into_iter();
        let (kind, rest) = kinds.find_map(|kind| {
            let rest = key.name.strip_prefix(kind.list())?.strip_prefix('.')?;
            Some((kind, rest))
        })?;
        if let Some(alias) = rest.strip_suffix(".plugin.version") {
            let class = kind.class(config, alias)?;
            self.plugins.step_keys(kind, class)?;
            let key = key.clone().default(PLUGIN_VERSION);
            return Some(key.recommended([PLUGIN_VERSION]));
        }
        rest.strip_suffix(".type")?;
        Some(key.clone().recommended(self.step_classes(kind)))
    }

    /// Looks at the class of each step and, if its keys pass each for itself, at what they make together,
    /// which Kafka leaves to the start of the task.
    pub(super) fn step_section(&self, config: &ConfigMap, out: &mut Sections) {
        for kind in StepKind::ALL {
            for alias in kind.aliases(config) {
                self.step(kind, &alias, config, out);
            }
        }
    }

    fn step(&self, kind: StepKind, alias: &str, config: &ConfigMap, out: &mut Sections) {
        let prefix = kind.prefix(alias);
        let key = format!("{prefix}type");
        let Some(class) = kind.class(config, alias) else {
            return;
        };
        if self.plugins.step_keys(kind, class).is_none() {
            return match self.other_class(kind, class) {
                Some(message) => out.attach(&ConfigProblem::new(key, message)),
                None => {
                    let reason = format!("Class {class} could not be found.");
                    out.refuse_class(&ConfigProblem::invalid(&key, class, &reason));
                }
            };
        }
        if out.has_errors_below(&prefix) {
            return;
        }
        let mut own = with_prefix(config, &prefix);
        for frame in ["type", "plugin.version", "predicate", "negate"] {
            own.shift_remove(frame);
        }
        match self.make(kind, class, &own) {
            Ok(canonical) => out.show(&key, canonical),
            Err(error) => out.attach(&ConfigProblem::new(key, error.message())),
        }
    }

    /// Makes a step to see whether it can be made; gives the full name of its class.
    fn make(
        &self,
        kind: StepKind,
        class: &str,
        own: &ConfigMap,
    ) -> Result<&'static str, ConnectError> {
        Ok(match kind {
            StepKind::Transformation => self.plugins.transformation(class, own)?.class_name(),
            StepKind::Predicate => self.plugins.predicate(class, own)?.class_name(),
        })
    }

    fn step_classes(&self, kind: StepKind) -> Vec<&'static str> {
        match kind {
            StepKind::Transformation => {
                let all = self.plugins.transformations().iter();
                all.map(|plugin| plugin.class).collect()
            }
            StepKind::Predicate => {
                let all = self.plugins.predicates().iter();
                all.map(|plugin| plugin.class).collect()
            }
        }
    }

    /// Kafka's text for a class that exists but is none of the kind: one that stands for two of which one
    /// must be named, or a plugin of another kind.
    fn other_class(&self, kind: StepKind, class: &str) -> Option<String> {
        let nested = format!("{class}$");
        let mut classes = self.step_classes(kind);
        classes.retain(|known| known.starts_with(&nested));
        if !classes.is_empty() {
            return Some(format!(
                "This class is abstract and cannot be created. Did you mean {}?",
                classes.join(", ")
            ));
        }
        let connectors = self.plugins.connectors().into_iter();
        let converters = self.plugins.converters().iter();
        let mut others = connectors
            .map(|plugin| plugin.class)
            .chain(converters.map(|plugin| plugin.class))
            .chain(
                StepKind::ALL
                    .into_iter()
                    .flat_map(|kind| self.step_classes(kind)),
            );
        others.any(|known| known == class).then(|| {
            let interface = kind.interface();
            format!("Class class {class} does not implement the {interface} interface")
        })
    }
}
