//! The systems under test: what each is started with for a job. One file per system.

mod config;
mod connect;
mod kcat;
mod producer_perf;
mod ringmain;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use testbed::Kafka;

use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::results::SystemInfo;
use crate::scenario::{Flow, Scenario};

/// A system under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    /// Ours.
    Ringmain,
    /// Apache Kafka Connect, standalone.
    Connect,
    /// librdkafka's command line tool.
    Kcat,
    /// Apache's `kafka-producer-perf-test`.
    ProducerPerf,
}

impl System {
    /// All of them, in the order of the table's columns.
    pub(crate) const ALL: [Self; 4] = [
        Self::Ringmain,
        Self::Connect,
        Self::Kcat,
        Self::ProducerPerf,
    ];

    /// As results and options name it.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Ringmain => "ringmain",
            Self::Connect => "apache-connect",
            Self::Kcat => "kcat",
            Self::ProducerPerf => "producer-perf",
        }
    }

    /// The system of that name.
    pub(crate) fn of(id: &str) -> Result<Self> {
        let known = Self::ALL.map(Self::id).join(", ");
        let found = Self::ALL.into_iter().find(|system| system.id() == id);
        found.ok_or_else(|| Error::Usage(format!("there is no system {id:?}; known are {known}")))
    }

    fn title(self) -> &'static str {
        match self {
            Self::Ringmain => "Ringmain",
            Self::Connect => "Apache Kafka Connect",
            Self::Kcat => "kcat",
            Self::ProducerPerf => "kafka-producer-perf-test",
        }
    }
}

/// What is installed.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The binary, and how it was built as far as that is known.
    pub(crate) ringmain: (PathBuf, String),
    /// Apache's jars.
    pub(crate) kafka: Option<Kafka>,
}

impl Programs {
    /// Why a system cannot take part, if it cannot.
    pub(crate) fn missing(&self, system: System) -> Option<String> {
        match system {
            System::Ringmain => None,
            System::Kcat => kcat::version()
                .is_none()
                .then(|| "kcat is not installed (package kcat or kafkacat): left out".to_owned()),
            System::Connect | System::ProducerPerf => self
                .kafka
                .is_none()
                .then(|| format!("{} needs Java: left out", system.id())),
        }
    }

    /// Name and version, for results.
    pub(crate) fn info(&self, system: System) -> SystemInfo {
        let version = match system {
            System::Ringmain => self.ringmain.1.clone(),
            System::Kcat => kcat::version().unwrap_or_default(),
            System::Connect | System::ProducerPerf => testbed::kafka::VERSION.to_owned(),
        };
        SystemInfo {
            id: system.id().to_owned(),
            title: system.title().to_owned(),
            version,
        }
    }
}

/// One run: what is moved from where to where.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// What is measured.
    pub(crate) scenario: &'a Scenario,
    /// The run's own directory.
    pub(crate) dir: &'a Path,
    /// Brokers, or `embedded:DIR`.
    pub(crate) bootstrap: String,
    /// Unique among runs; connectors are named so.
    pub(crate) name: String,
    /// Lines to read.
    pub(crate) input_file: PathBuf,
    /// Topic to read.
    pub(crate) input_topic: String,
    /// Topic to write.
    pub(crate) output_topic: String,
    /// Lines to write.
    pub(crate) output_file: PathBuf,
    /// `plugin.path`; none without Apache's jars.
    pub(crate) plugin_path: Option<PathBuf>,
    /// Of values in Avro.
    pub(crate) registry: Option<Arc<Registry>>,
}

/// A worker of a cluster.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// What is measured.
    pub(crate) scenario: &'a Scenario,
    /// The worker's own directory.
    pub(crate) dir: &'a Path,
    /// Brokers.
    pub(crate) bootstrap: &'a str,
    /// `group.id`; topics are named after it.
    pub(crate) cluster: &'a str,
    /// Of its REST API.
    pub(crate) port: u16,
    /// `plugin.path`; none without Apache's jars.
    pub(crate) plugin_path: Option<PathBuf>,
}

impl Member<'_> {
    /// The cluster's topic for `config`, `offset` or `status`.
    pub(crate) fn topic(&self, what: &str) -> String {
        internal_topic(self.cluster, what)
    }

    fn launch(&self, command: Command, files: Vec<(String, String)>) -> Launch {
        Launch {
            command,
            files,
            // Whoever measures a cluster asks by itself.
            rest_port: None,
            stdout: self.dir.join("worker.out"),
        }
    }
}

/// A cluster's topic for `config`, `offset` or `status`.
pub(crate) fn internal_topic(cluster: &str, what: &str) -> String {
    format!("{cluster}-{what}")
}

/// How a run's process is started.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The process, without its standard output.
    pub(crate) command: Command,
    /// Files that it reads, by name.
    pub(crate) files: Vec<(String, String)>,
    /// Port of the REST API, if it has one.
    pub(crate) rest_port: Option<u16>,
    /// Where standard output goes.
    pub(crate) stdout: PathBuf,
}

/// Writes what `system` needs for `job`, and says how it is started.
///
/// # Errors
/// The system cannot do this flow, is missing, or a file cannot be written.
pub(crate) fn launch(system: System, programs: &Programs, job: &Job<'_>) -> Result<Launch> {
    let launch = match system {
        System::Ringmain => ringmain::launch(programs, job)?,
        System::Connect => connect::launch(programs, job)?,
        System::Kcat => kcat::launch(job)?,
        System::ProducerPerf => producer_perf::launch(programs, job)?,
    };
    Ok(on_cores(launch, job.scenario))
}

/// As [`launch`], for a worker of a cluster.
///
/// # Errors
/// The system has no clusters, is missing, or a file cannot be written.
pub(crate) fn distributed(
    system: System,
    programs: &Programs,
    member: &Member<'_>,
) -> Result<Launch> {
    let launch = match system {
        System::Ringmain => ringmain::distributed(programs, member)?,
        System::Connect => connect::distributed(programs, member)?,
        System::Kcat | System::ProducerPerf => {
            let what = format!("{} has no workers of a cluster", system.id());
            return Err(Error::Usage(what));
        }
    };
    Ok(on_cores(launch, member.scenario))
}

fn on_cores(launch: Launch, scenario: &Scenario) -> Launch {
    match &scenario.settings.cores {
        None => launch,
        Some(cores) => Launch {
            command: pinned(&launch.command, cores),
            ..launch
        },
    }
}

/// The same command on certain CPUs; `taskset` becomes the process itself.
fn pinned(command: &Command, cores: &str) -> Command {
    let mut taskset = Command::new("taskset");
    taskset
        .args(["-c", cores])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        taskset.current_dir(dir);
    }
    taskset
}

/// A command as a shell takes it.
pub(crate) fn in_shell_words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        match word.chars().all(plain) && !word.is_empty() {
            true => word.into_owned(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn cannot(system: System, flow: Flow) -> Error {
    Error::Usage(format!("{} has nothing for {flow:?}", system.id()))
}
