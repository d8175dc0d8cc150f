//! Scenarios: what is measured. TOML files, the bundled ones in `perf/scenarios/`, the same for every
//! system.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::axis::{self, AxisFile};
use crate::error::{Error, Naming, Result};
use crate::results::{Aims, Axis, Kind, Limits};
use crate::settings::{Settings, converter_in_words};

macro_rules! bundled {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../scenarios/", $name, ".toml")),
        )
    };
}

/// The bundled files, in the order in which they run.
const BUNDLED: &[(&str, &str)] = &[
    bundled!("file-to-topic-string"),
    bundled!("topic-to-file-string"),
    bundled!("file-to-topic-json"),
    bundled!("topic-to-file-json"),
    bundled!("topic-to-topic"),
    bundled!("latency-topic-to-topic"),
    bundled!("latency-no-linger"),
    bundled!("latency-topic-to-file"),
    bundled!("start-up"),
    bundled!("idle"),
    bundled!("file-to-topic-json-schemas"),
    bundled!("topic-to-file-json-objects"),
    bundled!("topic-to-file-json-transforms"),
    bundled!("topic-to-file-json-schemas-transforms"),
    bundled!("topic-to-file-avro"),
    bundled!("filter-by-header"),
    bundled!("generate"),
    bundled!("topic-to-nothing"),
    bundled!("sizes-file-to-topic"),
    bundled!("sizes-topic-to-file"),
    bundled!("partitions-file-to-topic"),
    bundled!("partitions-topic-to-file"),
    bundled!("tasks-topic-to-nothing"),
    bundled!("codecs-file-to-topic"),
    bundled!("codecs-topic-to-file"),
    bundled!("batch-size"),
    bundled!("volume-file-to-topic"),
    bundled!("volume-topic-to-file"),
    bundled!("embedded-files"),
    bundled!("embedded-shards"),
    bundled!("transforms-100-bytes"),
    bundled!("transforms-1-kb"),
    bundled!("cluster-join"),
    bundled!("cluster-kill"),
    bundled!("cluster-grow"),
    bundled!("cluster-burst"),
    bundled!("cluster-large"),
];

/// The sets that a scenario can be in.
pub(crate) const SETS: [&str; 4] = ["core", "full", "transforms", "cluster"];

/// The ways that records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flow {
    /// FileStreamSource.
    FileToTopic,
    /// FileStreamSink.
    TopicToFile,
    /// MirrorSourceConnector, within one cluster.
    TopicToTopic,
    /// A load generator of the system's own.
    Generate,
    /// MockSink.
    TopicToNothing,
    /// FileStreamSource and FileStreamSink around the embedded log.
    EmbeddedFiles,
    /// The embedded log into a sink that drops.
    EmbeddedToNothing,
    /// Nothing moves: idle, start-up and cluster scenarios.
    None,
}

/// A scenario as its file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    title: String,
    group: Option<String>,
    kind: Kind,
    flow: Flow,
    #[serde(default)]
    sets: Vec<String>,
    #[serde(default)]
    peers: Vec<String>,
    rounds: Option<u32>,
    peer_rounds: Option<u32>,
    #[serde(default)]
    settings: Settings,
    axis: Option<AxisFile>,
    #[serde(default)]
    aims: Aims,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    worker: BTreeMap<String, String>,
    #[serde(default)]
    connector: BTreeMap<String, String>,
}

/// One point to measure.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Unique; `NAME@KEY=VALUE` on a series.
    pub(crate) name: String,
    /// For people.
    pub(crate) title: String,
    /// Shared by a series.
    pub(crate) group: String,
    /// What is measured.
    pub(crate) kind: Kind,
    /// How records go.
    pub(crate) flow: Flow,
    /// Named sets that it is in.
    pub(crate) sets: Vec<String>,
    /// Systems beside Ringmain.
    pub(crate) peers: Vec<String>,
    /// Rounds, unless the command line says otherwise.
    pub(crate) rounds: u32,
    /// Rounds of the peers.
    pub(crate) peer_rounds: u32,
    /// Everything that can be set.
    pub(crate) settings: Settings,
    /// Place on a curve.
    pub(crate) axis: Option<Axis>,
    /// Asked of Ringmain beside its peers.
    pub(crate) aims: Aims,
    /// Asked of Ringmain by itself.
    pub(crate) limits: Limits,
    /// More worker properties, for all systems.
    pub(crate) worker: BTreeMap<String, String>,
    /// More connector properties, for all systems.
    pub(crate) connector: BTreeMap<String, String>,
}

impl Scenario {
    /// # Errors
    /// Names the setting that is out of its bounds.
    pub(crate) fn check(&self) -> Result<()> {
        let into_file = matches!(self.flow, Flow::TopicToFile | Flow::EmbeddedFiles);
        if self.settings.expected.is_some() && !into_file {
            return Err(Error::Usage(format!(
                "scenario {}: expected is about lines of a file",
                self.name
            )));
        }
        if (self.kind == Kind::Cluster) != self.settings.event.is_some() {
            return Err(Error::Usage(format!(
                "scenario {}: clusters, and no others, have an event",
                self.name
            )));
        }
        self.settings.check(&self.name)
    }

    /// Settings for people, in results.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        let s = &self.settings;
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let mut put = |key: &str, value: String| {
            all.insert(key.to_owned(), value);
        };
        if let Some(cores) = &s.cores {
            put("cores", cores.clone());
        }
        match self.kind {
            Kind::StartUp => return all,
            Kind::Idle => {
                put("connectors", s.connectors.to_string());
                put("watched seconds", s.duration.to_string());
                return all;
            }
            Kind::Cluster => {
                put("connectors", s.connectors.to_string());
                put("workers", s.workers.to_string());
                for (key, value) in &self.worker {
                    put(key, value.clone());
                }
                return all;
            }
            Kind::Latency => {
                put("rate", s.rate.to_string());
                put("seconds", s.duration.to_string());
                put("warm-up seconds", s.warm_up_seconds.to_string());
            }
            Kind::Throughput => {
                put("records", s.records.to_string());
                put("budget", format!("{} s from the first record", s.budget));
                put("warm-up", format!("{} of the records", s.warm_up));
            }
        }
        put("record size", s.record_size.to_string());
        put("data", format!("{:?}", s.data).to_lowercase());
        put("converter", converter_in_words(s.converter).to_owned());
        put("partitions", s.partitions.to_string());
        put("tasks", s.tasks.to_string());
        put("compression", s.compression.clone());
        if s.one_of > 1 {
            put("arriving", format!("one of {}", s.one_of));
        }
        let batch = s
            .batch_size
            .map_or("the system's default".to_owned(), |b| b.to_string());
        put("batch.size", batch);
        if let Some(shards) = s.shards {
            put("shards", shards.to_string());
        }
        for (key, value) in self.worker.iter().chain(&self.connector) {
            put(key, value.clone());
        }
        all
    }
}

/// All bundled scenarios, series spread out.
///
/// # Errors
/// A file is wrong; names it.
pub(crate) fn bundled_scenarios() -> Result<Vec<Scenario>> {
    let all = BUNDLED.iter().map(|(name, text)| parse(name, text));
    Ok(all
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

/// Scenarios of a user's own file; its name without ending is theirs.
///
/// # Errors
/// It cannot be read, or is wrong.
pub(crate) fn from_file(path: &Path) -> Result<Vec<Scenario>> {
    let text = std::fs::read_to_string(path).at("read the scenario", path)?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    parse(&name.to_string_lossy(), &text)
}

/// A file's scenarios: one, or one for each value of its axis.
pub(crate) fn parse(name: &str, text: &str) -> Result<Vec<Scenario>> {
    let file: File =
        toml::from_str(text).map_err(|e| Error::Usage(format!("scenario {name}: {e}")))?;
    let rounds = file.rounds.unwrap_or(3);
    let base = Scenario {
        name: name.to_owned(),
        title: file.title.clone(),
        group: file.group.clone().unwrap_or_else(|| name.to_owned()),
        kind: file.kind,
        flow: file.flow,
        sets: file.sets.clone(),
        peers: file.peers.clone(),
        rounds,
        peer_rounds: file.peer_rounds.unwrap_or(rounds).min(rounds),
        settings: file.settings.clone(),
        axis: None,
        aims: file.aims,
        limits: file.limits,
        worker: file.worker.clone(),
        connector: file.connector.clone(),
    };
    let scenarios = match &file.axis {
        None => vec![base],
        Some(axis) => axis::spread(&base, axis)?,
    };
    for scenario in &scenarios {
        scenario.check()?;
    }
    Ok(scenarios)
}

/// The scenarios that `names` mean: a name, a series' name for all its points, or a group.
///
/// # Errors
/// A name means nothing.
pub(crate) fn named(all: &[Scenario], names: &[String]) -> Result<Vec<Scenario>> {
    let mut chosen: Vec<Scenario> = Vec::new();
    for name in names {
        let means = |s: &&Scenario| {
            s.name == *name || s.name.split('@').next() == Some(name) || s.group == *name
        };
        let found: Vec<&Scenario> = all.iter().filter(means).collect();
        if found.is_empty() {
            return Err(Error::Usage(format!(
                "there is no scenario {name}; `perf list` shows them"
            )));
        }
        for scenario in found {
            if !chosen.iter().any(|c| c.name == scenario.name) {
                chosen.push(scenario.clone());
            }
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn bundled_files_are_whole_and_names_unique() {
        let all = bundled_scenarios().unwrap();
        let names: BTreeSet<&str> = all.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        for scenario in &all {
            assert!(scenario.sets.iter().all(|s| SETS.contains(&s.as_str())));
            let mut sets = scenario.sets.iter();
            let whole = sets.any(|set| set == "full" || set == "transforms");
            assert!(whole, "{}", scenario.name);
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), BUNDLED.len());
    }

    #[test]
    fn a_cluster_has_an_event_and_workers_enough_for_it() {
        let of = |kind: &str, settings: &str| {
            let head = format!("title=\"T\"\nkind=\"{kind}\"\nflow=\"none\"\n[settings]\n");
            parse("s", &(head + settings))
        };
        let three = "connectors = 3\nworkers = 3\n";
        let whole = of("cluster", &format!("{three}event = \"kill-leader\""));
        let settings = &whole.unwrap()[0].settings;
        assert_eq!(settings.event, Some(crate::settings::Event::KillLeader));
        for (kind, settings, named) in [
            ("cluster", three, "have an event"),
            ("idle", "event = \"burst\"", "have an event"),
            ("cluster", "event = \"explode\"", "explode"),
            ("cluster", "workers = 2\nevent = \"join\"", "only worker"),
            ("cluster", "event = \"restart\"", "somebody must be left"),
            (
                "cluster",
                "workers = 2\nevent = \"grow\"",
                "must have a task",
            ),
            (
                "cluster",
                "workers = 0\nevent = \"grow\"",
                "workers are at least 1",
            ),
        ] {
            let error = of(kind, settings).unwrap_err().to_string();
            assert!(error.contains(named), "{settings}: {error}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let text = "title=\"T\"\nkind=\"throughput\"\nflow=\"file-to-topic\"\n[settings]\n";
        for (wrong, named) in [
            ("expected = \"x\"", "expected is about"),
            ("record-sise = 1", "record-sise"),
            ("record-size = 1", "record-size is at least"),
            ("compression = \"brotli\"", "compression is one of"),
        ] {
            let error = parse("s", &format!("{text}{wrong}"))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(named) && error.contains("scenario s"),
                "{error}"
            );
        }
    }
}
