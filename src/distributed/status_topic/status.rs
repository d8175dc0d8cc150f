//! Statuses and their bytes.

use std::sync::Arc;

use super::super::json::ObjectWriter;
use super::super::record::TopicRecord;
use super::super::work::ConnectorTaskId;

pub(super) const CONNECTOR: &str = "status-connector-";
pub(super) const TASK: &str = "status-task-";
pub(super) const TOPIC: &str = "status-topic-";
pub(super) const TOPIC_SEPARATOR: &str = ":connector-";

/// State of a connector or task instance (Kafka: `AbstractStatus.State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No worker has it.
    Unassigned,
    /// It runs.
    Running,
    /// It is kept, without work.
    Paused,
    /// It ended with an error.
    Failed,
    /// It was deleted; written as a tombstone.
    Destroyed,
    /// A restart was asked for.
    Restarting,
    /// A connector without tasks.
    Stopped,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Unassigned,
        Self::Running,
        Self::Paused,
        Self::Failed,
        Self::Destroyed,
        Self::Restarting,
        Self::Stopped,
    ];

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Destroyed => "DESTROYED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Whose status it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StatusOf {
    /// A connector instance.
    Connector(Arc<str>),
    /// A task.
    Task(ConnectorTaskId),
}

impl StatusOf {
    /// Key of the record.
    pub fn key(&self) -> String {
        match self {
            Self::Connector(connector) => format!("{CONNECTOR}{connector}"),
            Self::Task(id) => format!("{TASK}{}-{}", id.connector, id.task),
        }
    }
}

/// A status (Kafka: `ConnectorStatus`, `TaskStatus`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// State.
    pub state: State,
    /// Stack trace of the error that failed it.
    pub trace: Option<String>,
    /// `host:port` of the worker that wrote it; empty where a record has none.
    pub worker_id: String,
    /// Generation of the group that the worker was in.
    pub generation: i32,
    /// Version of the plugin, where the writer knew it (KIP-891).
    pub version: Option<String>,
}

impl Status {
    /// The record of this status: a tombstone for [`State::Destroyed`].
    pub fn encode(&self, of: &StatusOf) -> TopicRecord {
        let value = (self.state != State::Destroyed).then(|| {
            ObjectWriter::new()
                .text("state", self.state.name())
                .optional_text("trace", self.trace.as_deref())
                .text("worker_id", &self.worker_id)
                .integer("generation", i64::from(self.generation))
                .optional_text("version", self.version.as_deref())
                .finish()
        });
        TopicRecord::new(of.key(), value)
    }
}

/// That a connector uses a topic (Kafka: `TopicStatus`, KIP-558).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicStatus {
    /// Topic.
    pub topic: String,
    /// Connector name.
    pub connector: Arc<str>,
    /// Number of the task that found it.
    pub task: i32,
    /// When, in milliseconds since the epoch.
    pub discover_timestamp: i64,
}

impl TopicStatus {
    /// Key of the record.
    pub fn key(connector: &str, topic: &str) -> String {
        format!("{TOPIC}{topic}{TOPIC_SEPARATOR}{connector}")
    }

    /// The record that says it.
    pub fn encode(&self) -> TopicRecord {
        let status = ObjectWriter::new()
            .text("name", &self.topic)
            .text("connector", &self.connector)
            .integer("task", i64::from(self.task))
            .integer("discoverTimestamp", self.discover_timestamp);
        let value = ObjectWriter::new().object("topic", status).finish();
        TopicRecord::new(Self::key(&self.connector, &self.topic), Some(value))
    }

    /// The tombstone that takes it back.
    pub fn removal(connector: &str, topic: &str) -> TopicRecord {
        TopicRecord::new(Self::key(connector, topic), None)
    }
}
