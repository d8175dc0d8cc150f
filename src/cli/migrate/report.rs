//! The report, for people and for machines.

use serde_json::{Value, json};

use super::cluster::{Cluster, Found};
use super::finding::{Finding, Verdict, Weight};
use super::steps::Steps;
use super::worker::Worker;
use crate::api::ConnectorKind;
use crate::cli::Exit;
use crate::cli::ctl::output::{Output, printable, printable_lines};
use crate::cli::ctl::table::{Cell, Paint, Table, number, text};

/// A connector with what there is to say about it.
struct Judged<'a> {
    connector: &'a Found,
    findings: Vec<Finding>,
    verdict: Verdict,
}

/// All that the command found.
pub(super) struct Report<'a> {
    cluster: &'a Cluster,
    connectors: Vec<Judged<'a>>,
    /// Of the worker's file and of the topics; `None` when neither was looked at.
    worker: Option<Vec<Finding>>,
    steps: Steps,
}

impl<'a> Report<'a> {
    /// Puts together what was found.
    pub(super) fn new(
        cluster: &'a Cluster,
        worker: &Worker,
        judge: impl Fn(&Found) -> Vec<Finding>,
    ) -> Self {
        let judged = cluster.connectors.iter().map(|connector| {
            let findings = judge(connector);
            let verdict = Verdict::of(&findings);
            Judged {
                connector,
                findings,
                verdict,
            }
        });
        let connectors: Vec<Judged<'_>> = judged.collect();
        let verdicts: Vec<Verdict> = connectors.iter().map(|judged| judged.verdict).collect();
        let of_worker = worker.findings.iter().chain(&cluster.findings).cloned();
        Self {
            cluster,
            steps: Steps::new(cluster, worker, &verdicts),
            worker: worker.is_known.then(|| of_worker.collect()),
            connectors,
        }
    }

    /// 0 when everything runs as it does, 3 otherwise.
    pub(super) fn exit(&self) -> Exit {
        let of_worker = Verdict::of(self.worker.as_deref().unwrap_or_default());
        let mut all = self.connectors.iter().map(|judged| judged.verdict);
        match of_worker == Verdict::Native && all.all(|verdict| verdict == Verdict::Native) {
            true => Exit::Clean,
            false => Exit::Differs,
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        let all = self.connectors.iter();
        all.filter(|judged| judged.verdict == verdict).count()
    }

    /// Prints it.
    pub(super) fn print(&self, out: Output) {
        if out.json {
            return out.value(&self.json());
        }
        out.lines([self.head(), String::new()]);
        out.table(
            &self.table(),
            self.connectors.is_empty(),
            "There are no connectors.",
        );
        out.lines(self.details());
    }

    fn json(&self) -> Value {
        let connectors = self.connectors.iter().map(|judged| {
            let connector = judged.connector;
            json!({
                "name": connector.name,
                "type": kind(connector),
                "class": connector.class(),
                "state": connector.state,
                "tasks": connector.tasks,
                "offsets": connector.offsets.as_ref().ok(),
                "verdict": judged.verdict,
                "findings": judged.findings,
            })
        });
        let origin = &self.cluster.origin;
        json!({
            "source": {
                "by": origin.by,
                "at": origin.at,
                "version": origin.version,
                "kafka_cluster_id": origin.kafka_cluster_id,
            },
            "connectors": connectors.collect::<Vec<_>>(),
            "worker": self.worker.as_ref().map(|findings| json!({
                "verdict": Verdict::of(findings),
                "findings": findings,
            })),
            "summary": {
                "native": self.count(Verdict::Native),
                "differs": self.count(Verdict::Differs),
                "unsupported": self.count(Verdict::Unsupported),
            },
            "steps": self.steps,
        })
    }

    fn head(&self) -> String {
        let origin = &self.cluster.origin;
        let version = origin
            .version
            .as_deref()
            .map(|version| format!(" {version}"));
        let id = origin.kafka_cluster_id.as_deref();
        let id = id
            .map(|id| format!(", Kafka cluster {id}"))
            .unwrap_or_default();
        let counts = [Verdict::Native, Verdict::Differs, Verdict::Unsupported];
        let counts = counts.map(|verdict| format!("{} {}", self.count(verdict), verdict.text()));
        printable(&format!(
            "Kafka Connect{} at {}{id}: {} connectors: {}",
            version.unwrap_or_default(),
            origin.at,
            self.connectors.len(),
            counts.join(", "),
        ))
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            text("NAME"),
            text("VERDICT"),
            text("STATE"),
            text("TYPE"),
            number("TASKS"),
            number("OFFSETS"),
            text("CLASS"),
        ]);
        for judged in &self.connectors {
            let connector = judged.connector;
            let offsets = connector.offsets.as_ref();
            table.row([
                connector.name.as_str().into(),
                Cell::painted(judged.verdict.text(), paint(judged.verdict)),
                Cell::state(&connector.state),
                kind(connector).into(),
                connector.tasks.to_string().into(),
                offsets
                    .map_or_else(|_| "?".to_owned(), ToString::to_string)
                    .into(),
                connector.class().into(),
            ]);
        }
        table
    }

    /// What there is to say about each, then the steps.
    fn details(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for judged in self
            .connectors
            .iter()
            .filter(|judged| !judged.findings.is_empty())
        {
            let title = format!("{}: {}", judged.connector.name, judged.verdict.text());
            paragraph(&mut lines, &title, &judged.findings);
        }
        if let Some(findings) = self.worker.as_ref().filter(|findings| !findings.is_empty()) {
            let title = format!("The worker: {}", Verdict::of(findings).text());
            paragraph(&mut lines, &title, findings);
        }
        for (title, steps) in [
            (
                "To take it over at the same offsets:",
                &self.steps.take_over,
            ),
            ("To go back:", &self.steps.go_back),
        ] {
            lines.extend([String::new(), title.to_owned()]);
            let steps = steps.iter().zip(1..);
            lines.extend(steps.map(|(step, number)| printable(&format!("  {number}. {step}"))));
        }
        lines
    }
}

fn paragraph(lines: &mut Vec<String>, title: &str, findings: &[Finding]) {
    lines.extend([String::new(), printable(title)]);
    for finding in findings {
        let mark = match finding.weight {
            Weight::Note => "note",
            Weight::Differs => "differs",
            Weight::Unsupported => "unsupported",
        };
        let key = finding.key.as_ref().map(|key| format!("{key}: "));
        let text = format!("{mark}: {}{}", key.unwrap_or_default(), finding.what);
        let text = printable_lines(&text).replace('\n', "\n      ");
        lines.push(format!("  {text}"));
        let needed = finding.needed.as_deref();
        lines.extend(needed.map(|needed| format!("      needed: {}", printable(needed))));
    }
}

fn kind(connector: &Found) -> &'static str {
    match connector.kind {
        ConnectorKind::Source => "source",
        ConnectorKind::Sink => "sink",
    }
}

fn paint(verdict: Verdict) -> Paint {
    match verdict {
        Verdict::Native => Paint::Good,
        Verdict::Differs => Paint::Warn,
        Verdict::Unsupported => Paint::Bad,
    }
}
