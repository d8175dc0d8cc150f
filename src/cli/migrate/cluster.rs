//! A Connect cluster as it was found.

use crate::api::{ConfigMap, ConnectorKind};
use crate::cli::Exit;

use super::finding::Finding;

/// Where the cluster was read, and what is known of it as a whole.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// `rest` or `topics`.
    pub(super) by: &'static str,
    /// The address, or the worker's file.
    pub(super) at: String,
    /// Version of the worker that answered.
    pub(super) version: Option<String>,
    /// Id of the Kafka cluster behind it.
    pub(super) kafka_cluster_id: Option<String>,
}

/// All connectors, by name.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) origin: Origin,
    pub(super) connectors: Vec<Found>,
    /// What was met besides: of the internal topics, say.
    pub(super) findings: Vec<Finding>,
}

/// A connector as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    /// The raw configuration, references in it.
    pub(super) config: ConfigMap,
    pub(super) kind: ConnectorKind,
    /// Of the connector's own instance, as a status says it.
    pub(super) state: String,
    /// How many tasks it is configured for.
    pub(super) tasks: usize,
    /// How many partitions have a stored offset, or why that can't be told.
    pub(super) offsets: Result<usize, String>,
}

impl Found {
    /// `connector.class`, or nothing.
    pub(super) fn class(&self) -> &str {
        self.text("connector.class")
    }

    /// A value without the space around it; empty where there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        let value = self.config.get(key).and_then(Option::as_deref);
        value.unwrap_or_default().trim()
    }
}

/// Source or sink by the keys that only a sink must have: a class that isn't here can't be asked.
pub(super) fn kind_by_keys(config: &ConfigMap) -> ConnectorKind {
    let set = |key: &str| {
        let value = config.get(key).and_then(Option::as_deref);
        value.is_some_and(|value| !value.trim().is_empty())
    };
    match set("topics") || set("topics.regex") {
        true => ConnectorKind::Sink,
        false => ConnectorKind::Source,
    }
}

/// Why there is no report.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    /// Something that was tried failed.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failure,
            message: message.into(),
            hint: None,
        }
    }

    /// Arguments or files can't be used.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::new(message)
        }
    }

    /// With what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
