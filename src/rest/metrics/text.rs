//! Prometheus' text format. All samples of a family stand together, so the labels of each task are made
//! once and the families go over them.

use super::families::{
    Attribute, CONNECTOR_TEXTS, COORDINATOR, Group, Kind, OWN_SHARD, OWN_WORKER, QUANTILES,
    REBALANCE, REBALANCE_INFO, REBALANCE_INFO_HELP, REBALANCE_TEXTS, REQUESTS, REQUESTS_HELP,
    RESTARTS, RESTARTS_HELP, STAGES, STAGES_HELP, STALLS, STALLS_HELP, STEP_GROUPS, TASK_GROUPS,
    TASK_TEXTS, WORKER, WORKER_CONNECTOR,
};
use super::view::{ConnectorView, Measured, ShardView, TaskView, WorkerView};
use crate::metrics::LatencyReading;
use crate::plugins::PLUGIN_VERSION;
use crate::rest::root::COMMIT;

/// Room for a task's lines; more is taken when needed.
const TASK_BYTES: usize = 8 << 10;

/// Everything of a worker.
pub(super) fn exposition(worker: &WorkerView) -> String {
    let tasks: usize = worker
        .connectors
        .iter()
        .map(|found| found.tasks.len())
        .sum();
    let mut out = Exposition(String::with_capacity((tasks + 1) * TASK_BYTES));
    let connectors: Vec<(String, &ConnectorView)> = worker
        .connectors
        .iter()
        .map(|connector| (labels(&[("connector", &connector.name)]), connector))
        .collect();
    let tasks: Vec<Labelled<'_>> = worker.connectors.iter().flat_map(labelled).collect();
    out.app_info(worker);
    let all = [(String::new(), worker)];
    out.group(
        &WORKER,
        all.iter().map(|(labels, worker)| (labels, *worker)),
    );
    out.rebalances(worker);
    let each = connectors.iter().map(|(labels, found)| (labels, *found));
    out.group(&WORKER_CONNECTOR, each);
    out.connectors(&connectors, &tasks);
    out.task_texts(&tasks);
    let measured = || {
        let tasks = tasks.iter();
        tasks.filter_map(|task| Some((&task.labels, task.task.measured.as_ref()?)))
    };
    for group in TASK_GROUPS {
        out.group(group, measured());
    }
    out.restarts(&tasks);
    out.stalls(measured());
    out.stages(measured());
    out.group(
        &OWN_WORKER,
        all.iter().map(|(labels, worker)| (labels, *worker)),
    );
    let shards: Vec<(String, &ShardView)> = worker.shards.iter().map(shard).collect();
    out.group(
        &OWN_SHARD,
        shards.iter().map(|(labels, shard)| (labels, *shard)),
    );
    out.requests(worker);
    out.0
}

/// A task with its labels `connector` and `task`.
struct Labelled<'a> {
    connector: &'a ConnectorView,
    task: &'a TaskView,
    labels: String,
}

fn labelled(connector: &ConnectorView) -> impl Iterator<Item = Labelled<'_>> {
    connector.tasks.iter().map(move |task| {
        let number = task.number.to_string();
        Labelled {
            connector,
            task,
            labels: labels(&[("connector", &connector.name), ("task", &number)]),
        }
    })
}

fn shard(shard: &ShardView) -> (String, &ShardView) {
    (labels(&[("shard", &shard.index.to_string())]), shard)
}

/// `a="x",b="y"`.
fn labels(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        label(&mut out, name, value);
    }
    out
}

fn label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.extend(name.chars().map(|c| if c == '-' { '_' } else { c }));
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
}

struct Exposition(String);

impl Exposition {
    /// Begins a family.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        for part in [
            "# HELP ",
            name,
            " ",
            help,
            "\n# TYPE ",
            name,
            " ",
            kind,
            "\n",
        ] {
            self.0.push_str(part);
        }
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        self.0.push_str(name);
        if !labels.is_empty() {
            for part in ["{", labels, "}"] {
                self.0.push_str(part);
            }
        }
        self.0.push(' ');
        number(&mut self.0, value);
        self.0.push('\n');
    }

    /// The families of a group, each over all of `items` with their labels.
    fn group<'a, T: 'static>(
        &mut self,
        group: &Group<T>,
        items: impl Iterator<Item = (&'a String, &'a T)> + Clone,
    ) {
        let fitting = items.filter(|(_, item)| (group.fits)(item));
        for attribute in group.attributes {
            self.attribute(&group.metric(attribute), attribute, fitting.clone());
        }
    }

    fn attribute<'a, T: 'static>(
        &mut self,
        name: &str,
        attribute: &Attribute<T>,
        items: impl Iterator<Item = (&'a String, &'a T)>,
    ) {
        let mut values = items
            .filter_map(|(labels, item)| Some((labels, (attribute.value)(item)?)))
            .peekable();
        if values.peek().is_none() {
            return;
        }
        self.family(name, attribute.kind.name(), attribute.help);
        for (labels, value) in values {
            self.sample(name, labels, value);
        }
    }

    fn app_info(&mut self, worker: &WorkerView) {
        let name = "kafka_connect_app_info";
        let help = "Version and commit of the Kafka Connect that is spoken, as labels.";
        self.family(name, Kind::Gauge.name(), help);
        let told = [
            ("id", &*worker.id),
            ("version", PLUGIN_VERSION),
            ("commit-id", COMMIT),
        ];
        self.sample(name, &labels(&told), 1.0);
        let name = "kafka_connect_app_info_start_time_ms";
        let help = "When the worker started, in milliseconds since 1970.";
        self.family(name, Kind::Gauge.name(), help);
        let started = worker.started.as_millis() as f64;
        self.sample(name, &labels(&[("id", &worker.id)]), started);
        let name = "ringmain_build_info";
        self.family(name, Kind::Gauge.name(), "Ringmain's version, as a label.");
        let version = labels(&[("version", env!("CARGO_PKG_VERSION"))]);
        self.sample(name, &version, 1.0);
    }

    /// A worker's place in its group.
    fn rebalances(&mut self, worker: &WorkerView) {
        let Some(group) = &worker.group else {
            return;
        };
        let none = String::new();
        self.group(&REBALANCE, std::iter::once((&none, group)));
        self.group(&COORDINATOR, std::iter::once((&none, group)));
        let texts = REBALANCE_TEXTS.map(|(name, text)| (name, text(group)));
        self.family(REBALANCE_INFO, Kind::Gauge.name(), REBALANCE_INFO_HELP);
        self.sample(REBALANCE_INFO, &labels(&texts), 1.0);
    }

    /// States, and what connectors are made of.
    fn connectors(&mut self, connectors: &[(String, &ConnectorView)], tasks: &[Labelled<'_>]) {
        let name = "kafka_connect_connector_status";
        let help =
            "1 for the state that a connector, or with the label task one of its tasks, is in.";
        self.family(name, Kind::Gauge.name(), help);
        for (labels, connector) in connectors {
            let labels = with(labels, &[("status", connector.state.lower_case())]);
            self.sample(name, &labels, 1.0);
        }
        self.task_states(name, tasks);
        let name = "kafka_connect_connector_task_status";
        self.family(
            name,
            Kind::Gauge.name(),
            "1 for the state that a task is in.",
        );
        self.task_states(name, tasks);
        let name = "kafka_connect_connector_info";
        let help = "Type, class and version of a connector, as labels.";
        self.family(name, Kind::Gauge.name(), help);
        for (labels, connector) in connectors {
            let texts = CONNECTOR_TEXTS.map(|(name, text)| (name, text(connector)));
            self.sample(name, &with(labels, &texts), 1.0);
        }
    }

    fn task_states(&mut self, name: &str, tasks: &[Labelled<'_>]) {
        for Labelled { task, labels, .. } in tasks {
            let labels = with(labels, &[("status", task.state.lower_case())]);
            self.sample(name, &labels, 1.0);
        }
    }

    /// What tasks are made of.
    fn task_texts(&mut self, tasks: &[Labelled<'_>]) {
        let built = || {
            tasks.iter().filter_map(|task| {
                let plugins = task.task.measured.as_ref()?.plugins.as_ref()?;
                Some((task, plugins))
            })
        };
        let name = "kafka_connect_connector_task_info";
        let help = "Classes and versions that a task is made of, as labels.";
        self.family(name, Kind::Gauge.name(), help);
        for (task, plugins) in built() {
            let kind = [("connector-type", task.connector.kind.name())];
            let texts = TASK_TEXTS.map(|(name, text)| (name, text(plugins)));
            let labels = with(&with(&task.labels, &kind), &texts);
            self.sample(name, &labels, 1.0);
        }
        for group in &STEP_GROUPS {
            self.family(group.metric, Kind::Gauge.name(), group.help);
            for (task, plugins) in built() {
                for (alias, class) in (group.steps)(plugins) {
                    let (class_label, version_label) = (
                        format!("{}-class", group.tag),
                        format!("{}-version", group.tag),
                    );
                    let texts = [
                        (group.tag, &**alias),
                        (&*class_label, *class),
                        (&*version_label, PLUGIN_VERSION),
                    ];
                    self.sample(group.metric, &with(&task.labels, &texts), 1.0);
                }
            }
        }
    }

    fn stages<'a>(&mut self, tasks: impl Iterator<Item = (&'a String, &'a Measured)>) {
        self.family(STAGES, "summary", STAGES_HELP);
        for (labels, task) in tasks {
            for (stage, reading) in &task.latencies {
                let labels = with(labels, &[("stage", stage.name())]);
                self.summary(STAGES, &labels, reading);
            }
        }
    }

    fn restarts(&mut self, tasks: &[Labelled<'_>]) {
        self.family(RESTARTS, Kind::Counter.name(), RESTARTS_HELP);
        for Labelled { task, labels, .. } in tasks {
            for (reason, count) in &task.restarts {
                let labels = with(labels, &[("reason", reason)]);
                self.sample(RESTARTS, &labels, *count as f64);
            }
        }
    }

    fn stalls<'a>(&mut self, tasks: impl Iterator<Item = (&'a String, &'a Measured)>) {
        self.family(STALLS, Kind::Gauge.name(), STALLS_HELP);
        for (labels, task) in tasks {
            if let Some(stall) = task.stall {
                self.sample(STALLS, &with(labels, &[("stage", stall.stage.name())]), 1.0);
            }
        }
    }

    fn requests(&mut self, worker: &WorkerView) {
        self.family(REQUESTS, "summary", REQUESTS_HELP);
        for request in &worker.requests {
            let labels = labels(&[("broker", &request.broker), ("api", request.api)]);
            self.summary(REQUESTS, &labels, &request.times);
        }
    }

    fn summary(&mut self, name: &str, labels: &str, reading: &LatencyReading) {
        for (quantile, text, _) in QUANTILES {
            let value = reading.quantile(quantile);
            let value = value.map_or(f64::NAN, |value| value.as_secs_f64());
            self.sample(name, &with(labels, &[("quantile", text)]), value);
        }
        self.sample(&format!("{name}_sum"), labels, reading.sum.as_secs_f64());
        self.sample(&format!("{name}_count"), labels, reading.count as f64);
    }
}

/// The labels with some more.
fn with(labels: &str, more: &[(&str, &str)]) -> String {
    let mut all = String::with_capacity(labels.len() + 64);
    all.push_str(labels);
    for (name, value) in more {
        label(&mut all, name, value);
    }
    all
}

/// Largest number up to which all whole numbers are exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

fn number(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
        let whole = value as i64;
        out.push_str(itoa::Buffer::new().format(whole));
    } else {
        out.push_str(zmij::Buffer::new().format_finite(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped_and_names_have_no_dashes() {
        assert_eq!(
            labels(&[("commit-id", "a\"b\\c\nd"), ("x", "Ö {}")]),
            "commit_id=\"a\\\"b\\\\c\\nd\",x=\"Ö {}\""
        );
    }

    #[test]
    fn numbers_are_those_that_prometheus_reads() {
        for (value, expected) in [
            (0.0, "0"),
            (-3.0, "-3"),
            (1_795_000_000_000.0, "1795000000000"),
            (0.25, "0.25"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            let mut out = String::new();
            number(&mut out, value);
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        number(&mut out, 1e300);
        assert_eq!(out.parse::<f64>(), Ok(1e300));
    }
}
