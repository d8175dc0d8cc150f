//! Whether a connector runs here, and what would be otherwise.

use std::collections::HashSet;

use super::cluster::Found;
use super::finding::Finding;
use super::worker::{Worker, of_warning};
use crate::api::ConnectorKind;
use crate::config::connector::{StepKind, warnings};
use crate::config::provider::{Providers, has_reference};
use crate::connectors::mirror;
use crate::herder::StageCell;
use crate::herder::validation::{Validation, ValidationError};
use crate::plugins::{ConnectorPlugin, Plugins};

const CONNECTOR_NEEDED: &str = "a worker of Apache's in the same group, which keeps what only it can run, or \
                                the connector written for `ringmain::api` under this class name";
pub(super) const CONVERTER_NEEDED: &str = "one of the converters that `ringmain plugins` lists, which must \
                                           read and write the same bytes";
const STEP_NEEDED: &str = "one of the steps that `ringmain plugins` lists, or the step written for \
                           `ringmain::api` under this class name";
const GIVE_WORKER: &str = "give the worker's file with --worker";

/// What connectors are checked against.
pub(super) struct Judge<'a> {
    pub(super) plugins: &'a Plugins,
    pub(super) worker: &'a Worker,
}

impl Judge<'_> {
    /// Everything there is to say about a connector.
    pub(super) fn findings(&self, connector: &Found) -> Vec<Finding> {
        let mut findings = Vec::new();
        let plugin = self.plugins.connector(connector.class()).ok();
        if plugin.is_none() {
            findings.push(without_class(connector));
        }
        self.converters(connector, &mut findings);
        self.steps(connector, &mut findings);
        if let Some(plugin) = plugin {
            self.validation(connector, &mut findings);
            self.keys(connector, plugin, &mut findings);
            for more in otherwise(connector, plugin) {
                if findings.iter().all(|told| told.key != more.key) {
                    findings.push(more);
                }
            }
        }
        if !self.worker.is_known {
            findings.extend(references_of_nobody(connector));
        }
        if let Err(why) = &connector.offsets {
            findings.push(Finding::note(
                "",
                format!("its offsets can't be read: {why}"),
            ));
        }
        if connector.state == "FAILED" {
            findings.push(Finding::note("", "it has failed where it runs now"));
        }
        findings
    }

    /// Classes of converters, the connector's own or the worker's.
    fn converters(&self, connector: &Found, findings: &mut Vec<Finding>) {
        for key in ["key.converter", "value.converter", "header.converter"] {
            let class = connector.text(key);
            if !class.is_empty() {
                let mut known = self.plugins.converters().iter();
                if !known.any(|known| known.class == class || known.aliases.contains(&class)) {
                    let what = format!("converter {class} is not here");
                    findings.push(Finding::unsupported(key, what).needs(CONVERTER_NEEDED));
                }
                continue;
            }
            match self.worker.is_known {
                true => findings.extend(self.worker.converter_problem(self.plugins, key)),
                // What the default of headers is in every worker that nobody told otherwise.
                false if key == "header.converter" => {}
                false => {
                    let what = "it is the worker's, which the REST interface does not tell";
                    findings.push(Finding::differs(key, what).needs(GIVE_WORKER));
                }
            }
        }
    }

    /// Classes of transformations and predicates.
    fn steps(&self, connector: &Found, findings: &mut Vec<Finding>) {
        for kind in StepKind::ALL {
            for alias in kind.aliases(&connector.config) {
                let Some(class) = kind.class(&connector.config, &alias) else {
                    continue;
                };
                if self.plugins.step_keys(kind, class).is_none() {
                    let noun = kind.interface().to_lowercase();
                    let what = format!("{noun} {class} is not here");
                    let key = format!("{}type", kind.prefix(&alias));
                    findings.push(Finding::unsupported(&key, what).needs(STEP_NEEDED));
                }
            }
        }
    }

    /// What this worker would refuse. Apache's took the configuration, so each is a difference that stops it.
    fn validation(&self, connector: &Found, findings: &mut Vec<Finding>) {
        let validation = Validation {
            plugins: self.plugins,
            worker: &self.worker.file.config,
            providers: &self.worker.file.providers,
            stage: &StageCell::default(),
        };
        let none = Providers::default();
        let mut unread = false;
        let infos = match validation.validate(&connector.config) {
            Err(ValidationError::Reference(why)) => {
                unread = true;
                let needed =
                    "run it where the worker runs; it was checked without what they stand for";
                let what = format!("references can't be read here: {why}");
                findings.push(Finding::differs("", what).needs(needed));
                Validation {
                    providers: &none,
                    ..validation
                }
                .validate(&connector.config)
            }
            other => other,
        };
        let infos = match infos {
            Ok(infos) => infos,
            Err(error) => return findings.push(Finding::unsupported("", error.to_string())),
        };
        let told: HashSet<String> = findings.iter().filter_map(|f| f.key.clone()).collect();
        for info in infos.configs {
            let key = info.value.name;
            let text = connector.text(&key);
            // What a reference stands for is not known where nobody could read it.
            let is_open = (unread || !self.worker.is_known) && has_reference(text);
            if told.contains(&key) || is_open {
                continue;
            }
            let errors = info.value.errors.into_iter();
            findings.extend(errors.map(|error| Finding::unsupported(&key, error)));
        }
    }

    /// Keys that nobody reads, and keys without effect.
    fn keys(&self, connector: &Found, plugin: &ConnectorPlugin, findings: &mut Vec<Finding>) {
        let own = (plugin.config_def)();
        let further = plugin.further_keys.map(|keys| keys());
        let mut known = vec![&own];
        known.extend(further.as_ref());
        let steps = |kind, class: &str| self.plugins.step_keys(kind, class);
        let warnings = warnings(plugin.kind(), &connector.config, &known, Some(&steps));
        findings.extend(warnings.iter().map(of_warning));
    }
}

fn without_class(connector: &Found) -> Finding {
    let class = connector.class();
    let what = match class.is_empty() {
        true => "the configuration names no class".to_owned(),
        false => format!("connector {class} is not here"),
    };
    Finding::unsupported("connector.class", what).needs(CONNECTOR_NEEDED)
}

/// References whose providers are in a file that nobody gave.
fn references_of_nobody(connector: &Found) -> Option<Finding> {
    let keys = connector.config.iter();
    let keys = keys.filter(|(_, value)| value.as_deref().is_some_and(has_reference));
    let keys: Vec<&str> = keys.map(|(key, _)| key.as_str()).collect();
    (!keys.is_empty()).then(|| {
        let what = format!(
            "{} may refer to the worker's config providers, which the REST interface does not tell",
            keys.join(", ")
        );
        Finding::differs("", what).needs(GIVE_WORKER)
    })
}

/// What a connector of ours does otherwise than Apache's of the same class (DESIGN.md, Differences from
/// Apache), where its configuration asks for it.
fn otherwise(connector: &Found, plugin: &ConnectorPlugin) -> Vec<Finding> {
    let mut found = Vec::new();
    if plugin.class == mirror::CLASS && connector.text("sync.topic.acls.enabled").is_empty() {
        found.push(
            Finding::differs("sync.topic.acls.enabled", "ACLs of topics are not copied")
                .needs("copy them by other means, or set it to false"),
        );
    }
    let required = connector
        .text("exactly.once.support")
        .eq_ignore_ascii_case("required");
    if plugin.kind() == ConnectorKind::Source && required {
        let what = "source records are written at least once, not exactly once, in this version";
        found.push(Finding::unsupported("exactly.once.support", what));
    }
    found
}
