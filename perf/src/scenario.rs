//! Scenarios: what is measured. TOML files, the bundled ones in `perf/scenarios/`, the same for every
//! system.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Naming, Result};
use crate::input::{Data, Form, Generator};
use crate::results::{Aims, Axis, Kind};

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
];

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
    /// Nothing moves: idle and start-up scenarios.
    None,
}

/// How values are written in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Converter {
    /// StringConverter.
    String,
    /// ByteArrayConverter.
    Bytes,
    /// JsonConverter without schemas; values are JSON strings, as a file source makes them.
    Json,
    /// JsonConverter with schemas, strings likewise.
    JsonSchemas,
    /// JsonConverter without schemas; values are JSON objects.
    JsonObjects,
    /// JsonConverter with schemas; values are structs.
    JsonSchemasObjects,
}

/// What can be set, by a scenario and by options.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// How many.
    pub(crate) records: u64,
    /// Bytes of each, as a line without its end.
    pub(crate) record_size: usize,
    /// Partitions of each topic.
    pub(crate) partitions: i32,
    /// `tasks.max`.
    pub(crate) tasks: u32,
    /// `compression.type` of what is produced, and of the topic that is read.
    pub(crate) compression: String,
    /// `batch.size` of the producer; the system's default without.
    pub(crate) batch_size: Option<u32>,
    /// What records look like.
    pub(crate) data: Data,
    /// How they stand in the topic.
    pub(crate) converter: Converter,
    /// Whether records go through the transforms that `input` knows.
    pub(crate) transformed: bool,
    /// Of so many records one arrives: the others have a header `drop`.
    pub(crate) one_of: u64,
    /// Longest time in seconds from the first record on; what has arrived then counts.
    pub(crate) budget: f64,
    /// Part of the records that warm up.
    pub(crate) warm_up: f64,
    /// Latency: records per second.
    pub(crate) rate: u64,
    /// Latency: seconds before counting. Enough for a JVM to compile what is hot, and to work off what it left
    /// lying meanwhile: on two CPUs 15 s at 50,000 records/s.
    pub(crate) warm_up_seconds: f64,
    /// Latency: seconds counted. Idle: seconds watched.
    pub(crate) duration: f64,
    /// Idle: how many connectors.
    pub(crate) connectors: u32,
    /// Ringmain's `shard.count`; its default without.
    pub(crate) shards: Option<u32>,
    /// CPUs of the worker, as `taskset -c` takes them; all without.
    pub(crate) cores: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            records: 5_000_000,
            record_size: 100,
            partitions: 1,
            tasks: 1,
            compression: "none".to_owned(),
            batch_size: None,
            data: Data::Text,
            converter: Converter::String,
            transformed: false,
            one_of: 1,
            budget: 20.0,
            warm_up: crate::steady::WARM_UP,
            rate: 10_000,
            warm_up_seconds: 30.0,
            duration: 15.0,
            connectors: 1,
            shards: None,
            cores: None,
        }
    }
}

impl Settings {
    /// Sets one by its name in scenario files, e.g. `record-size`.
    ///
    /// # Errors
    /// Names the setting and what is wrong with it.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        fn parsed<T: std::str::FromStr>(key: &str, value: &str) -> Result<T> {
            let plain = value.replace('_', "");
            let wrong = |_| Error::Usage(format!("{key}: {value:?} is no value for it"));
            plain.parse().map_err(wrong)
        }
        match key {
            "records" => self.records = parsed(key, value)?,
            "record-size" => self.record_size = parsed(key, value)?,
            "partitions" => self.partitions = parsed(key, value)?,
            "tasks" => self.tasks = parsed(key, value)?,
            "compression" => value.clone_into(&mut self.compression),
            "batch-size" if value == "default" => self.batch_size = None,
            "batch-size" => self.batch_size = Some(parsed(key, value)?),
            "budget" => self.budget = parsed(key, value)?,
            "rate" => self.rate = parsed(key, value)?,
            "warm-up-seconds" => self.warm_up_seconds = parsed(key, value)?,
            "duration" => self.duration = parsed(key, value)?,
            "connectors" => self.connectors = parsed(key, value)?,
            "shards" => self.set_shards(parsed(key, value)?),
            "cores" => self.cores = Some(value.to_owned()),
            _ => return Err(Error::Usage(format!("{key} is nothing that varies"))),
        }
        Ok(())
    }

    /// So many shards, on as many CPUs unless `cores` says otherwise: reads on the threads for blocking
    /// calls would give one shard a second CPU.
    fn set_shards(&mut self, shards: u32) {
        self.shards = Some(shards);
        let cpus: Vec<String> = (0..shards).map(|cpu| cpu.to_string()).collect();
        self.cores.get_or_insert(cpus.join(","));
    }

    /// Form of a record in the topic.
    pub(crate) fn form_in_topic(&self) -> Form {
        match self.converter {
            Converter::String | Converter::Bytes | Converter::JsonObjects => Form::Plain,
            Converter::Json => Form::JsonString,
            Converter::JsonSchemas => Form::JsonEnvelope,
            Converter::JsonSchemasObjects => Form::StructEnvelope,
        }
    }

    /// Form of a record in a file that a sink wrote.
    pub(crate) fn form_in_file(&self) -> Form {
        match self.converter {
            Converter::JsonObjects if self.transformed => Form::TransformedMap,
            Converter::JsonObjects => Form::JavaMap,
            Converter::JsonSchemasObjects => Form::TransformedStruct,
            _ => Form::Plain,
        }
    }

    /// # Errors
    /// Names the setting that is out of its bounds.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::Usage(format!("scenario {name}: {what}")));
        let least = Generator::least(self.data);
        if self.record_size < least {
            return wrong(format!("record-size is at least {least} for these data"));
        }
        let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
        if !codecs.contains(&self.compression.as_str()) {
            return wrong(format!("compression is one of {}", codecs.join(", ")));
        }
        if self.one_of == 0 || !self.records.is_multiple_of(self.one_of) {
            return wrong("records are a multiple of one-of, which is at least 1".to_owned());
        }
        if self.converter == Converter::JsonSchemasObjects && !self.transformed {
            return wrong("structs are known after their transforms only".to_owned());
        }
        if self.records == 0 || self.partitions < 1 || self.tasks == 0 {
            return wrong("records, partitions and tasks are at least 1".to_owned());
        }
        let positive = [self.budget, self.duration, self.warm_up]
            .iter()
            .all(|&x| x > 0.0);
        if !positive || self.warm_up > 0.9 || self.rate == 0 || self.connectors == 0 {
            return wrong(
                "budget, duration, rate, connectors are above 0, warm-up below 0.9".into(),
            );
        }
        Ok(())
    }
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
    worker: BTreeMap<String, String>,
    #[serde(default)]
    connector: BTreeMap<String, String>,
}

/// What varies over a series.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AxisFile {
    /// For people.
    name: String,
    /// The setting.
    key: String,
    values: Vec<toml::Value>,
    /// Records for each value, where they differ.
    #[serde(default)]
    records: Vec<u64>,
    /// The values in the set `core`; all without.
    core: Option<Vec<toml::Value>>,
    /// The values at which the aims hold; all without.
    aims_at: Option<Vec<toml::Value>>,
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
    /// Asked of Ringmain.
    pub(crate) aims: Aims,
    /// More worker properties, for all systems.
    pub(crate) worker: BTreeMap<String, String>,
    /// More connector properties, for all systems.
    pub(crate) connector: BTreeMap<String, String>,
}

impl Scenario {
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

fn converter_in_words(converter: Converter) -> &'static str {
    match converter {
        Converter::String => "String",
        Converter::Bytes => "ByteArray",
        Converter::Json => "Json without schemas (strings)",
        Converter::JsonSchemas => "Json with schemas (strings)",
        Converter::JsonObjects => "Json without schemas (objects)",
        Converter::JsonSchemasObjects => "Json with schemas (structs)",
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
fn parse(name: &str, text: &str) -> Result<Vec<Scenario>> {
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
        worker: file.worker.clone(),
        connector: file.connector.clone(),
    };
    let scenarios = match &file.axis {
        None => vec![base],
        Some(axis) => spread(&base, axis)?,
    };
    for scenario in &scenarios {
        scenario.settings.check(&scenario.name)?;
    }
    Ok(scenarios)
}

fn spread(base: &Scenario, axis: &AxisFile) -> Result<Vec<Scenario>> {
    let points = axis.values.iter().enumerate();
    points
        .map(|(at, value)| {
            let text = in_words(value);
            let mut point = base.clone();
            if let Some(records) = axis.records.get(at) {
                point.settings.records = *records;
            }
            point.settings.set(&axis.key, &text)?;
            point.name = format!("{}@{}={text}", base.name, axis.key);
            point.title = format!("{}, {} {text}", base.title, axis.name);
            point.axis = text.parse().ok().map(|value| Axis {
                name: axis.name.clone(),
                value,
            });
            if axis.core.as_ref().is_some_and(|core| !core.contains(value)) {
                point.sets.retain(|set| set != "core");
            }
            if axis.aims_at.as_ref().is_some_and(|at| !at.contains(value)) {
                point.aims = Aims::default();
            }
            Ok(point)
        })
        .collect()
}

fn in_words(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
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
            let known = ["core", "full"];
            assert!(scenario.sets.iter().all(|s| known.contains(&s.as_str())));
            assert!(
                scenario.sets.contains(&"full".to_owned()),
                "{}",
                scenario.name
            );
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), BUNDLED.len());
    }

    #[test]
    fn a_series_has_a_point_for_each_value() {
        let text = r#"
            title = "T"
            kind = "throughput"
            flow = "file-to-topic"
            sets = ["core", "full"]
            [settings]
            partitions = 2
            [axis]
            name = "record size (bytes)"
            key = "record-size"
            values = [16, 1000]
            records = [7, 8]
            core = [16]
        "#;
        let all = parse("s", text).unwrap();
        assert_eq!(all[1].name, "s@record-size=1000");
        assert_eq!(
            (all[0].settings.record_size, all[0].settings.records),
            (16, 7)
        );
        assert_eq!(all[1].axis.as_ref().unwrap().value, 1000.0);
        assert_eq!(all[1].settings.partitions, 2);
        assert!(all[0].sets.contains(&"core".to_owned()));
        assert!(!all[1].sets.contains(&"core".to_owned()));
        assert_eq!(named(&all, &["s".to_owned()]).unwrap().len(), 2);
        assert_eq!(
            named(&all, &["s@record-size=16".to_owned()]).unwrap().len(),
            1
        );
        assert!(named(&all, &["t".to_owned()]).is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let text = "title=\"T\"\nkind=\"throughput\"\nflow=\"file-to-topic\"\n[settings]\n";
        for (wrong, named) in [
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
