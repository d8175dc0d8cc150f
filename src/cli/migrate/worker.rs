//! A worker's file of Apache's, read as far as it goes: what can't be used becomes a finding, and the rest
//! is looked at all the same.

use std::collections::BTreeSet;
use std::path::Path;

use super::cluster::Failure;
use super::finding::Finding;
use crate::api::ConfigMap;
use crate::api::config_def::{ConfigProblem, with_prefix};
use crate::config::provider::Providers;
use crate::config::worker::{self, WorkerFile};
use crate::config::{PluginConfig, Warning, properties};
use crate::distributed::internal_topics::InternalTopic;
use crate::plugins::Plugins;

/// How often the file is read again without what can't be used.
const ROUNDS: usize = 32;
/// Java's reporter of metrics that is always there.
const JMX_REPORTER: &str = "org.apache.kafka.common.metrics.JmxReporter";

/// What stands in for the file that nobody gave: Apache's stock worker.
const STOCK: [(&str, &str); 4] = [
    ("bootstrap.servers", "localhost:9092"),
    ("offset.storage.file.filename", ""),
    (
        "key.converter",
        "org.apache.kafka.connect.json.JsonConverter",
    ),
    (
        "value.converter",
        "org.apache.kafka.connect.json.JsonConverter",
    ),
];

/// The worker that connectors are checked against.
pub(super) struct Worker {
    /// Without the keys that can't be used.
    pub(super) file: WorkerFile,
    /// What there is to say about the file.
    pub(super) findings: Vec<Finding>,
    /// Whether there is a file: without one, converters and providers are guessed.
    pub(super) is_known: bool,
    /// The texts as they are in the file.
    raw: ConfigMap,
}

impl Worker {
    /// Stands in for a worker whose file nobody has.
    ///
    /// # Errors
    /// Never, unless the defaults are no configuration.
    pub(super) fn unknown() -> Result<Self, Failure> {
        let stock = STOCK.map(|(key, text)| (key.to_owned(), Some(text.to_owned())));
        let raw = ConfigMap::from_iter(stock);
        let file = worker::load_with(None, &raw);
        Ok(Self {
            file: file.map_err(|error| Failure::new(error.to_string()))?,
            findings: Vec::new(),
            is_known: false,
            raw,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, or something is missing or wrong without which nothing can be said.
    pub(super) fn load(path: &Path, plugins: &Plugins) -> Result<Self, Failure> {
        let raw = properties::load(path).map_err(|error| Failure::usage(error.to_string()))?;
        let in_file = |what: String| Failure::usage(format!("{}: {what}", path.display()));
        let mut findings = Vec::new();
        let file = without_problems(&raw, &mut findings).map_err(in_file)?;
        let mut worker = Self {
            file,
            findings,
            is_known: true,
            raw,
        };
        worker.find_warnings();
        worker.find_topic_warnings();
        worker.find_reporters();
        for key in ["key.converter", "value.converter", "header.converter"] {
            worker
                .findings
                .extend(worker.converter_problem(plugins, key));
        }
        Ok(worker)
    }

    /// Whether the file sets `key` to one of these, in any case.
    pub(super) fn is_set_to(&self, key: &str, values: &[&str]) -> bool {
        let set = self.raw.get(key).and_then(Option::as_deref).map(str::trim);
        let mut values = values.iter();
        set.is_some_and(|set| values.any(|value| set.eq_ignore_ascii_case(value)))
    }

    /// The worker's own converter of this key.
    pub(super) fn converter(&self, key: &str) -> &PluginConfig {
        match key {
            "key.converter" => &self.file.config.key_converter,
            "value.converter" => &self.file.config.value_converter,
            _ => &self.file.config.header_converter,
        }
    }

    /// Why the worker's converter can't be had here.
    pub(super) fn converter_problem(&self, plugins: &Plugins, key: &str) -> Option<Finding> {
        let PluginConfig { class, config } = self.converter(key);
        let class = class.trim();
        let made = match key {
            "header.converter" => plugins.header_converter(class, config).err(),
            _ => plugins
                .converter(class, config, key == "key.converter")
                .err(),
        };
        let mut known = plugins.converters().iter();
        let is_here = known.any(|plugin| plugin.class == class || plugin.aliases.contains(&class));
        match (is_here, made) {
            (false, _) => Some(
                Finding::unsupported(key, format!("converter {class} is not here"))
                    .needs(super::connector::CONVERTER_NEEDED),
            ),
            (true, Some(error)) => Some(Finding::unsupported(key, error.message())),
            (true, None) => None,
        }
    }

    fn find_warnings(&mut self) {
        let warnings = self.file.warnings.iter();
        self.findings.extend(warnings.map(of_warning));
    }

    fn find_topic_warnings(&mut self) {
        let Some(distributed) = self.file.config.distributed() else {
            return;
        };
        for topic in InternalTopic::ALL {
            match topic.settings(&distributed.parsed) {
                Ok(settings) => {
                    let warnings = settings.warnings.iter();
                    self.findings.extend(
                        warnings
                            .map(|warning| Finding::note(&warning.key, warning.message.clone())),
                    );
                }
                Err(error) => {
                    let key = topic.topic_key();
                    self.findings
                        .push(Finding::unsupported(&key, error.message()));
                }
            }
        }
    }

    fn find_reporters(&mut self) {
        let key = "metric.reporters";
        let set = self
            .raw
            .get(key)
            .and_then(Option::as_deref)
            .unwrap_or_default();
        let others = set.split(',').map(str::trim);
        let others: Vec<_> = others
            .filter(|class| !class.is_empty() && *class != JMX_REPORTER)
            .collect();
        if !others.is_empty() {
            let what = format!("{} are Java classes and don't run here", others.join(", "));
            let finding = Finding::differs(key, what);
            self.findings
                .push(finding.needs("take the metrics from /metrics (Prometheus)"));
        }
    }
}

/// An unknown key is nobody's in Apache's worker either.
pub(super) fn of_warning(warning: &Warning) -> Finding {
    let counts = !warning.is_about_unknown_key() && warning.key != "plugin.path";
    let finding = match counts {
        true => Finding::differs(&warning.key, warning.message.clone()),
        false => Finding::note(&warning.key, warning.message.clone()),
    };
    match &warning.fix {
        Some(fix) => finding.needs(fix),
        None => finding,
    }
}

/// The worker that is left when everything is out that can't be used.
fn without_problems(raw: &ConfigMap, findings: &mut Vec<Finding>) -> Result<WorkerFile, String> {
    let mut left = raw.clone();
    for _ in 0..ROUNDS {
        let problems = match references(&left) {
            Ok(()) => match worker::from_texts(&left) {
                Ok(file) => return Ok(file),
                Err(problems) => report(problems, findings, |key, what| {
                    Finding::unsupported(key, what)
                }),
            },
            Err(unread) => report(unread, findings, |key, what| {
                Finding::differs(key, what).needs("run it where the worker runs")
            }),
        };
        let keys: BTreeSet<&str> = problems.iter().map(|problem| &*problem.key).collect();
        let mut taken = keys.into_iter().map(|key| take_out(&mut left, key));
        if !taken.all(|taken| taken.is_some()) {
            break;
        }
    }
    let texts = findings.iter().map(|finding| finding.what.as_str());
    Err(texts.collect::<Vec<_>>().join("; "))
}

/// References that can't be read here, once the providers themselves can be made.
fn references(config: &ConfigMap) -> Result<(), Vec<ConfigProblem>> {
    match Providers::from_worker(config) {
        Ok(providers) => providers.expand(config).map(drop),
        Err(_) => Ok(()),
    }
}

fn report(
    problems: Vec<ConfigProblem>,
    findings: &mut Vec<Finding>,
    finding: impl Fn(&str, String) -> Finding,
) -> Vec<ConfigProblem> {
    for problem in &problems {
        findings.push(finding(&problem.key, problem.message.clone()));
    }
    problems
}

/// Removes a key, or the provider that it belongs to; `None` when there is nothing to remove, as of a
/// required key that is missing.
fn take_out(config: &mut ConfigMap, key: &str) -> Option<()> {
    let provider = key.strip_prefix("config.providers.");
    let Some((provider, _)) = provider.and_then(|rest| rest.split_once('.')) else {
        return config.shift_remove(key).map(drop);
    };
    let names = config.get("config.providers").cloned().flatten()?;
    let all = names.split(',').map(str::trim);
    let others: Vec<_> = all.filter(|name| *name != provider).collect();
    config.insert("config.providers".to_owned(), Some(others.join(",")));
    for rest in with_prefix(config, &format!("config.providers.{provider}.")).keys() {
        config.shift_remove(&format!("config.providers.{provider}.{rest}"));
    }
    Some(())
}
