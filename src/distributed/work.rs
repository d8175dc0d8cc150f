//! What a worker runs: connectors and tasks.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::IndexSet;

/// Bytes of a connector's name that go into a task's hash.
const HASHED_BYTES: usize = 64;

/// A task of a connector, as group members name it (Kafka: `ConnectorTaskId`).
///
/// The number is what came over the wire and may be anything but −1, which stands for the connector
/// itself. Tasks of one message share their connector's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorTaskId {
    /// Connector name.
    pub connector: Arc<str>,
    /// Task number.
    pub task: i32,
}

impl ConnectorTaskId {
    /// A task.
    pub fn new(connector: impl Into<Arc<str>>, task: i32) -> Self {
        Self {
            connector: connector.into(),
            task,
        }
    }
}

/// Of a long name only the beginning is looked at: a message may hold a name of 32 KiB and a hundred
/// thousand tasks of it.
impl Hash for ConnectorTaskId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let name = self.connector.as_bytes();
        name[..name.len().min(HASHED_BYTES)].hash(state);
        self.task.hash(state);
    }
}

impl fmt::Display for ConnectorTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// A set of connectors and tasks, in the order in which they were put (Kafka: `ConnectorsAndTasks`). Two
/// are equal whatever their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectorsAndTasks {
    /// Connectors whose instance it is about.
    pub connectors: IndexSet<Arc<str>>,
    /// Tasks.
    pub tasks: IndexSet<ConnectorTaskId>,
}

impl ConnectorsAndTasks {
    /// Whether there is neither a connector nor a task.
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// Appends what is not there yet.
    pub fn add(&mut self, more: &Self) {
        self.connectors.extend(more.connectors.iter().cloned());
        self.tasks.extend(more.tasks.iter().cloned());
    }

    /// Takes away what is in `less`; the rest keeps its order.
    pub fn remove(&mut self, less: &Self) {
        if !less.connectors.is_empty() {
            self.connectors
                .retain(|name| !less.connectors.contains(name));
        }
        if !less.tasks.is_empty() {
            self.tasks.retain(|task| !less.tasks.contains(task));
        }
    }

    /// What is here and not in `less`.
    #[must_use]
    pub fn without(&self, less: &Self) -> Self {
        let mut left = self.clone();
        left.remove(less);
        left
    }

    /// Whether one thing at least is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let connector = |name: &Arc<str>| other.connectors.contains(name);
        let task = |task: &ConnectorTaskId| other.tasks.contains(task);
        self.connectors.iter().any(connector) || self.tasks.iter().any(task)
    }
}
