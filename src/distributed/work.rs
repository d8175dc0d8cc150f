//! What a worker runs: connectors and tasks.

use std::fmt;
use std::sync::Arc;

/// A task of a connector, as group members name it (Kafka: `ConnectorTaskId`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

impl fmt::Display for ConnectorTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}
