//! The raw results: what was measured, on what, with which command lines. `compare` and `run` write them as
//! `results.json`, one file per call; `report` renders them. Times are seconds, sizes bytes, unless the
//! name says otherwise. Nothing derived is stored: ratios and medians are made when a report is rendered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of this layout; a file of another version is refused by name.
pub const FORMAT: u32 = 1;

/// One call of `perf compare` or `perf run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`].
    pub format: u32,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC.
    pub finished: String,
    /// The command line of this call.
    pub command: String,
    /// Where it ran.
    pub machine: Machine,
    /// The systems that took part, in the order of the table's columns.
    pub systems: Vec<SystemInfo>,
    /// In the order in which they ran.
    pub scenarios: Vec<ScenarioResult>,
    /// Whether the call was cut short (Ctrl-C): what is here is whole, but not all that was asked for.
    pub interrupted: bool,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// As `/proc/cpuinfo` names it.
    pub cpu: String,
    /// CPUs this process may use.
    pub cores: u32,
    /// Physical memory.
    pub memory_bytes: u64,
    /// `uname -r`.
    pub kernel: String,
    /// Distribution, from `/etc/os-release`.
    pub os: String,
    /// File system that holds data and files, e.g. `ext4`.
    pub filesystem: String,
    /// First line of `java -version`; none when no JVM took part.
    pub java: Option<String>,
    /// Load average over a minute when the call began: a busy machine blurs what follows.
    pub load_before: f64,
}

/// A system under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemInfo {
    /// `ringmain`, `apache-connect`, `kcat`, `producer-perf`.
    pub id: String,
    /// For people.
    pub title: String,
    /// Its version, and how it was built where that is known.
    pub version: String,
}

/// A scenario with its parameters and all its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// Name, unique in the file: `file-to-topic-string`, `file-to-topic-string@record-size=1000`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Scenarios of one series share it; a series with a [`Self::axis`] is drawn as a curve.
    pub group: String,
    /// What varies within the group and its value here, e.g. `record size (bytes)` and 1000.
    pub axis: Option<Axis>,
    /// Whether it measures throughput, latency, idling or starting up.
    pub kind: Kind,
    /// Everything that was set: records, record size, partitions, tasks, compression, batch.size…
    pub parameters: BTreeMap<String, String>,
    /// The command that repeats just this scenario.
    pub repeat: String,
    /// What is asked of Ringmain beside Apache Connect.
    pub aims: Aims,
    /// What is asked of Ringmain by itself.
    #[serde(default)]
    pub limits: Limits,
    /// In the order in which they ran.
    pub runs: Vec<Run>,
}

/// Place on a scaling curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What varies.
    pub name: String,
    /// How much of it.
    pub value: f64,
}

/// What a scenario measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// As fast as it goes.
    Throughput,
    /// At a fixed rate.
    Latency,
    /// Connectors that have nothing to do.
    Idle,
    /// From the start of the process to its first REST answer.
    StartUp,
    /// Workers that share connectors, and what happens to them.
    Cluster,
}

/// Least ratios to Apache Kafka Connect; none where there is no aim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Aims {
    /// Peer's CPU per record (or CPU at rest) over ours.
    pub cpu: Option<f64>,
    /// Our rate over the peer's. Also met when the broker is saturated.
    pub rate: Option<f64>,
    /// Peer's peak memory over ours.
    pub memory: Option<f64>,
    /// Peer's time to the first REST answer over ours.
    pub start: Option<f64>,
    /// Peer's median latency over ours.
    pub latency_p50: Option<f64>,
    /// Peer's p99.9 over ours.
    pub latency_p999: Option<f64>,
    /// kcat's CPU per record over ours.
    pub cpu_kcat: Option<f64>,
    /// Peer's time until all of a cluster's connectors and tasks run over ours.
    pub running: Option<f64>,
}

/// Most that Ringmain may take, whatever its peers do; none where there is no aim. The worst round counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// From joining the group to the last task RUNNING.
    pub join_seconds: Option<f64>,
    /// From SIGKILL to the last of the worker's tasks RUNNING elsewhere, less `session.timeout.ms`.
    pub after_session_seconds: Option<f64>,
    /// From the broker's giving the killed worker up to the last of its tasks RUNNING elsewhere.
    pub given_up_seconds: Option<f64>,
    /// Each moved task's pause.
    pub pause_ms: Option<f64>,
    /// Tasks that have a record though they did not move.
    pub disturbed_tasks: Option<f64>,
    /// From SIGTERM for a worker to the last of its tasks RUNNING elsewhere.
    pub leave_seconds: Option<f64>,
    /// Resident memory of a worker without connectors.
    pub idle_bytes: Option<f64>,
}

/// One run of one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`SystemInfo::id`].
    pub system: String,
    /// `b` for the second series of an A/A run, else `a`.
    pub series: String,
    /// From 1.
    pub round: u32,
    /// Every command line that took part, the worker's first.
    pub commands: Vec<String>,
    /// The configuration files that it ran with, by name.
    pub files: BTreeMap<String, String>,
    /// Why there is no figure; the figures below are then what was seen until it failed.
    pub error: Option<String>,
    /// How the output was checked.
    pub verification: Option<Verification>,
    /// From the start of the worker process until the last record arrived, or the budget was used up: start-up
    /// included, stopping not. For start-up runs until the first answer.
    pub whole: Span,
    /// Between the end of warming up and the last records. None for idle and start-up runs, and for
    /// runs too short to have one.
    pub steady: Option<Span>,
    /// Process start to first REST answer; none for systems without REST.
    pub first_answer_seconds: Option<f64>,
    /// Process start to first record at the destination.
    pub first_record_seconds: Option<f64>,
    /// The largest resident memory (VmHWM).
    pub peak_resident_bytes: u64,
    /// Mean over [`Self::samples`].
    pub mean_resident_bytes: u64,
    /// Over the whole life.
    pub voluntary_switches: u64,
    /// Over the whole life.
    pub involuntary_switches: u64,
    /// CPUs that the broker kept busy during the steady part.
    pub broker_cores_busy: Option<f64>,
    /// CPUs that the machine's own host took away in the mean over the whole run, where a virtual machine is
    /// told (steal time).
    #[serde(default)]
    pub stolen_cores: Option<f64>,
    /// End-to-end latency from each record's scheduled time; latency runs only.
    pub latency: Option<Latency>,
    /// Idle runs only.
    pub idle: Option<Idle>,
    /// Runs of clusters only.
    #[serde(default)]
    pub cluster: Option<Cluster>,
    /// At even intervals, thinned to at most a few hundred.
    pub samples: Vec<Sample>,
}

/// What a worker did in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// By the clock.
    pub seconds: f64,
    /// Records that reached the destination.
    pub records: u64,
    /// Payload bytes of those.
    pub bytes: u64,
    /// Worker's CPU time in user mode.
    pub user_seconds: f64,
    /// Worker's CPU time in the kernel.
    pub system_seconds: f64,
    /// Broker's CPU time in user mode.
    pub broker_user_seconds: f64,
    /// Broker's CPU time in the kernel.
    pub broker_system_seconds: f64,
}

/// The check of what arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Records that should be there.
    pub expected: u64,
    /// Records that are there.
    pub found: u64,
    /// Order-independent checksum of the records put in.
    pub expected_checksum: String,
    /// That of the records found.
    pub checksum: String,
    /// By what the output was read, e.g. `rskafka`.
    pub reader: String,
}

/// Latency from the time at which a record was *due* to be sent until it was read at the destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Records per second that were scheduled.
    pub rate: f64,
    /// Records counted.
    pub count: u64,
    /// Milliseconds.
    pub mean_ms: f64,
    /// Milliseconds.
    pub p50_ms: f64,
    /// Milliseconds.
    pub p99_ms: f64,
    /// Milliseconds.
    pub p999_ms: f64,
    /// Milliseconds.
    pub max_ms: f64,
    /// The curve: percentile (0 to 100) and milliseconds, from the HDR histogram.
    pub percentiles: Vec<(f64, f64)>,
    /// The same records at the same rate without a worker, right before this run.
    #[serde(default)]
    pub floor: Option<LatencyFloor>,
}

/// What load generator, broker and the harness's reader take by themselves: from the due time of a record
/// until it was read from the topic that it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatencyFloor {
    /// Records counted.
    pub count: u64,
    /// Milliseconds.
    pub p50_ms: f64,
    /// Milliseconds.
    pub p99_ms: f64,
    /// Milliseconds.
    pub p999_ms: f64,
    /// Milliseconds.
    pub max_ms: f64,
}

/// A worker at rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// Connectors that exist.
    pub connectors: u32,
    /// From the first create request until all tasks ran.
    pub create_seconds: f64,
    /// Length of the watched rest.
    pub seconds: f64,
    /// CPU time of the worker during it.
    pub cpu_seconds: f64,
    /// Resident memory at its end.
    pub resident_bytes: u64,
}

/// What happened to a cluster. Times end with the CreateTime of a record in the status topic, and begin with
/// the harness's clock or with what the broker said of the group, asked every 5 ms; none where the scenario
/// does not have it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cluster {
    /// Workers before it happened.
    pub workers: u32,
    /// Connectors of one task.
    pub connectors: u32,
    /// From the start of the process to the last task RUNNING.
    pub start_to_running_seconds: Option<f64>,
    /// From the worker's becoming a member of the group to the last task RUNNING that it was given.
    pub join_to_running_seconds: Option<f64>,
    /// From SIGKILL to the last of the worker's tasks RUNNING elsewhere.
    pub kill_to_running_seconds: Option<f64>,
    /// `session.timeout.ms`, where a worker was killed. It begins with the last heartbeat before that.
    pub session_seconds: Option<f64>,
    /// From the broker's giving the killed worker up to the last of its tasks RUNNING elsewhere.
    pub given_up_to_running_seconds: Option<f64>,
    /// From SIGTERM to the last of the worker's tasks RUNNING elsewhere.
    pub leave_to_running_seconds: Option<f64>,
    /// From the first request for a connector until all connectors and tasks ran.
    pub create_to_running_seconds: Option<f64>,
    /// Requests answered with 409 meanwhile, and asked again.
    pub conflicts: Option<u32>,
    /// Generations of the group meanwhile.
    pub generations: Option<u32>,
    /// Of each task that moved to a new worker, from UNASSIGNED to RUNNING, milliseconds.
    pub pauses_ms: Vec<f64>,
    /// Tasks that moved.
    pub moved_tasks: Option<u32>,
    /// Tasks that did not move, and have a status record all the same.
    pub disturbed_tasks: Option<u32>,
    /// CPU time of the leader while another worker's tasks went to the others, and came back.
    pub leader_cpu_seconds: Option<f64>,
    /// Resident memory of the leader with all connectors.
    pub leader_resident_bytes: Option<u64>,
    /// That of the follower that has the most.
    pub follower_resident_bytes: Option<u64>,
    /// That of a worker before there were connectors, of the one that has the most.
    pub idle_resident_bytes: Option<u64>,
}

/// A look at the worker.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Since the process started.
    pub seconds: f64,
    /// Records at the destination so far.
    pub records: u64,
    /// CPU time used so far, user and kernel.
    pub cpu_seconds: f64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Broker's CPU time so far.
    pub broker_cpu_seconds: f64,
}
