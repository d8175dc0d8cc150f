//! What requests to the herder carry and bring back (contract 1.4 to 1.6).

use crate::api::{ConfigMap, ConnectorKind};
use crate::worker::ConnectorTaskId;

/// `ConnectorInfo`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorInfo {
    /// Name.
    pub name: String,
    /// Configuration as stored: raw, with references unresolved.
    pub config: ConfigMap,
    /// Its tasks, by number.
    pub tasks: Vec<ConnectorTaskId>,
    /// Source or sink.
    pub kind: ConnectorKind,
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
}

/// `ConnectorStateInfo`; the worker's id and version are added where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorStateInfo {
    /// Name.
    pub name: String,
    /// State of the connector instance.
    pub state: ConnectorState,
    /// Trace of the error that failed it.
    pub trace: Option<String>,
    /// Tasks by number.
    pub tasks: Vec<TaskState>,
    /// Source or sink.
    pub kind: ConnectorKind,
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

/// A request failed. Each variant is one HTTP status of the REST API.
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
    /// The operation failed (500).
    #[error("{0}")]
    Failed(String),
    /// The herder gave no answer in time (500).
    #[error("Request timed out")]
    Timeout,
    /// The worker is going down (500).
    #[error("the worker is shutting down")]
    ShuttingDown,
}
