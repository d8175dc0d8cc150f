//! What requests to the herder carry and bring back (contract 1.4 to 1.6).

use std::time::Instant;

use super::stage::Stage;
use crate::api::{ConfigMap, ConnectorKind};
use crate::distributed::signature::Refusal;
use crate::worker::{ConnectorTaskId, InstanceId, Ongoing};

/// `ConnectorInfo`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorInfo {
    /// Name.
    pub name: String,
    /// Configuration as stored: raw, with references unresolved.
    pub config: ConfigMap,
    /// Its tasks, by number.
    pub tasks: Vec<ConnectorTaskId>,
    /// Source or sink; `None` when this worker does not know its class.
    pub kind: Option<ConnectorKind>,
}

/// State of a connector or task instance as REST shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are Kafka's state names")]
pub enum ConnectorState {
    Unassigned,
    Running,
    Paused,
    Failed,
    Restarting,
    Stopped,
}

impl ConnectorState {
    /// Kafka's upper-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
        }
    }

    /// The name as metrics spell it.
    pub fn lower_case(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        }
    }
}

/// Where an instance of a distributed worker runs, as the status topic says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsOn {
    /// `host:port` of the worker's advertised URL.
    pub worker_id: String,
    /// Version of the plugin, where the worker told it (KIP-891).
    pub version: Option<String>,
}

/// A task's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Task number.
    pub id: u32,
    /// State.
    pub state: ConnectorState,
    /// Trace of the error that failed it.
    pub trace: Option<String>,
    /// Which worker runs it; `None` for this one.
    pub runs_on: Option<RunsOn>,
    /// Restarts by its connector's policy, if there were or will be any.
    pub restarts: Option<Box<TaskRestarts>>,
    /// Its running instance.
    pub instance: Option<InstanceId>,
    /// The call that it hangs in.
    pub hanging: Option<Ongoing>,
}

/// Restarts of a task by its connector's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRestarts {
    /// How many since the task is there.
    pub count: u64,
    /// Those without a long enough run in between.
    pub in_row: u32,
    /// The error that the last one is for.
    pub last_reason: Option<String>,
    /// When the next one comes.
    pub due: Option<Instant>,
}

/// `ConnectorStateInfo`; this worker's id and version are added where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorStateInfo {
    /// Name.
    pub name: String,
    /// State of the connector instance.
    pub state: ConnectorState,
    /// Trace of the error that failed it.
    pub trace: Option<String>,
    /// Which worker runs the connector instance; `None` for this one.
    pub runs_on: Option<RunsOn>,
    /// Its running instance.
    pub instance: Option<InstanceId>,
    /// The call that it hangs in.
    pub hanging: Option<Ongoing>,
    /// Tasks by number.
    pub tasks: Vec<TaskState>,
    /// Source or sink; `None` when this worker does not know its class.
    pub kind: Option<ConnectorKind>,
}

/// A connector as the metrics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorOverview {
    /// Name.
    pub name: String,
    /// Source or sink.
    pub kind: ConnectorKind,
    /// `connector.class` as it was written.
    pub class: String,
    /// State of the connector instance.
    pub state: ConnectorState,
    /// Tasks by number.
    pub tasks: Vec<TaskOverview>,
}

/// A task as the metrics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOverview {
    /// State.
    pub state: ConnectorState,
    /// Restarts by policy, by the class of the error.
    pub restarts: Vec<(String, u64)>,
}

/// A task and its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskInfo {
    /// Which task.
    pub id: ConnectorTaskId,
    /// Its configuration as stored.
    pub config: ConfigMap,
}

/// `initial_state` of a new connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitialState {
    /// It runs.
    #[default]
    Running,
    /// It is paused; tasks come with the first resume.
    Paused,
    /// It is stopped.
    Stopped,
}

/// A request failed. Each variant is one HTTP status of the REST API, but for [`Self::Elsewhere`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HerderError {
    /// There is no such connector or task (404).
    #[error("{0}")]
    NotFound(String),
    /// It exists already (409).
    #[error("{0}")]
    AlreadyExists(String),
    /// The request makes no sense (400).
    #[error("{0}")]
    BadRequest(String),
    /// Another change of the connector is under way (409).
    #[error("{0}")]
    Conflict(String),
    /// Another worker has to answer: the leader, or the one that runs the instance (Kafka: `NotLeaderException`,
    /// `NotAssignedException`). REST asks it; without an URL, or where the request has come far enough, 409.
    #[error(
        "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
    )]
    Elsewhere {
        /// Its advertised URL; `None` while it is not known.
        url: Option<String>,
    },
    /// The configuration that is known here is not the newest (Kafka: `RebalanceNeededException`; 409).
    #[error(
        "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config \
         change)"
    )]
    Stale,
    /// A request between workers that is not signed as it should be (403).
    #[error("{0}")]
    Forbidden(String),
    /// The worker can't tell yet (503).
    #[error("{0}")]
    Unavailable(String),
    /// The operation failed (500).
    #[error("{0}")]
    Failed(String),
    /// The herder gave no answer in time (500); what is being done is told when it is known.
    #[error("Request timed out{}", .0.as_ref().map(|stage| format!(". {}.", stage.summary())).unwrap_or_default())]
    Timeout(Option<Stage>),
    /// The worker is going down (500).
    #[error("the worker is shutting down")]
    ShuttingDown,
}

impl From<Refusal> for HerderError {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal.status() {
            403 => Self::Forbidden(text),
            503 => Self::Unavailable(text),
            _ => Self::BadRequest(text),
        }
    }
}
