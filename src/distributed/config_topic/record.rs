//! Records of the config topic and their bytes.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::json::ObjectWriter;
use super::super::record::TopicRecord;
use super::super::work::ConnectorTaskId;
use super::{RestartRequest, SessionKey};
use crate::api::ConfigMap;

pub(super) const TARGET_STATE: &str = "target-state-";
pub(super) const CONNECTOR: &str = "connector-";
pub(super) const TASK: &str = "task-";
pub(super) const COMMIT: &str = "commit-";
pub(super) const RESTART: &str = "restart-connector-";
pub(super) const TASK_COUNT: &str = "tasks-fencing-";
pub(super) const SESSION_KEY: &str = "session-key";
pub(super) const LOGGER: &str = "logger-cluster-";

/// What a user wants of a connector (Kafka: `TargetState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// It runs.
    Started,
    /// Connector and tasks are kept, without work.
    Paused,
    /// There are no tasks (KIP-875).
    Stopped,
}

impl TargetState {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Started, Self::Paused, Self::Stopped]
            .into_iter()
            .find(|state| state.name() == name)
    }

    /// What workers that do not know `state.v2` are told.
    fn old_name(self) -> &'static str {
        match self {
            Self::Stopped => Self::Paused.name(),
            state => state.name(),
        }
    }
}

/// A record of the config topic.
#[derive(Clone, PartialEq, Eq)]
pub enum ConfigRecord {
    /// A connector's raw configuration; `None` deletes the connector.
    Connector {
        /// Connector name.
        connector: Arc<str>,
        /// Its configuration, references unresolved.
        config: Option<ConfigMap>,
    },
    /// A task's raw configuration, which waits for a commit.
    Task {
        /// Task.
        id: ConnectorTaskId,
        /// Its configuration.
        config: ConfigMap,
    },
    /// Makes the waiting task configurations of a connector the current ones.
    Commit {
        /// Connector name.
        connector: Arc<str>,
        /// How many tasks it has.
        tasks: i32,
    },
    /// What a user wants of a connector; `None` takes it back.
    TargetState {
        /// Connector name.
        connector: Arc<str>,
        /// The state.
        state: Option<TargetState>,
    },
    /// How many transactional producers the last generation of tasks may have had (KIP-618).
    TaskCount {
        /// Connector name.
        connector: Arc<str>,
        /// Tasks.
        tasks: i32,
    },
    /// The key for requests between workers.
    SessionKey(SessionKey),
    /// A one-off command.
    Restart(RestartRequest),
    /// A one-off command: the level of a logger on all workers (KIP-976).
    LoggerLevel {
        /// Logger's name.
        namespace: String,
        /// Level's name.
        level: String,
    },
}

impl ConfigRecord {
    /// Key of the record.
    pub fn key(&self) -> String {
        match self {
            Self::Connector { connector, .. } => format!("{CONNECTOR}{connector}"),
            Self::Task { id, .. } => format!("{TASK}{}-{}", id.connector, id.task),
            Self::Commit { connector, .. } => format!("{COMMIT}{connector}"),
            Self::TargetState { connector, .. } => format!("{TARGET_STATE}{connector}"),
            Self::TaskCount { connector, .. } => format!("{TASK_COUNT}{connector}"),
            Self::SessionKey(_) => SESSION_KEY.to_owned(),
            Self::Restart(request) => format!("{RESTART}{}", request.connector),
            Self::LoggerLevel { namespace, .. } => format!("{LOGGER}{namespace}"),
        }
    }

    /// Its bytes, as Apache's worker writes them. Members of configurations keep their order.
    pub fn encode(&self) -> TopicRecord {
        let object = ObjectWriter::new();
        let value = match self {
            Self::Connector { config: None, .. } | Self::TargetState { state: None, .. } => None,
            Self::Connector {
                config: Some(config),
                ..
            }
            | Self::Task { config, .. } => Some(object.object("properties", properties(config))),
            Self::Commit { tasks, .. } => Some(object.integer("tasks", i64::from(*tasks))),
            Self::TargetState {
                state: Some(state), ..
            } => {
                let object = object.text("state", state.old_name());
                Some(object.text("state.v2", state.name()))
            }
            Self::TaskCount { tasks, .. } => Some(object.integer("task-count", i64::from(*tasks))),
            Self::SessionKey(session) => {
                let object = object
                    .text("key", &BASE64.encode(&session.key))
                    .text("algorithm", &session.algorithm);
                Some(object.integer("creation-timestamp", session.creation_timestamp))
            }
            Self::Restart(request) => {
                let object = object.flag("include-tasks", request.include_tasks);
                Some(object.flag("only-failed", request.only_failed))
            }
            Self::LoggerLevel { level, .. } => Some(object.text("level", level)),
        };
        TopicRecord::new(self.key(), value.map(ObjectWriter::finish))
    }
}

impl fmt::Debug for ConfigRecord {
    /// The key alone: configurations may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigRecord({})", self.key())
    }
}

fn properties(config: &ConfigMap) -> ObjectWriter {
    config
        .iter()
        .fold(ObjectWriter::new(), |object, (key, text)| {
            object.optional_text(key, text.as_deref())
        })
}

/// The records that create or change a connector, in this order (one transaction with exactly-once
/// support). The target state goes first, so that a new connector is never seen in another one (Kafka:
/// `putConnectorConfig`).
pub fn connector_config(
    connector: &Arc<str>,
    config: ConfigMap,
    target_state: Option<TargetState>,
) -> Vec<TopicRecord> {
    let state = target_state.map(|state| ConfigRecord::TargetState {
        connector: Arc::clone(connector),
        state: Some(state),
    });
    let config = ConfigRecord::Connector {
        connector: Arc::clone(connector),
        config: Some(config),
    };
    let records = state.into_iter().chain([config]);
    records.map(|record| record.encode()).collect()
}

/// The tombstones that delete a connector, in this order (Kafka: `removeConnectorConfig`). Records of its
/// tasks stay; readers pass over them.
pub fn connector_removal(connector: &Arc<str>) -> [TopicRecord; 2] {
    let (config, state) = (None, None);
    let connector = || Arc::clone(connector);
    [
        ConfigRecord::Connector {
            connector: connector(),
            config,
        },
        ConfigRecord::TargetState {
            connector: connector(),
            state,
        },
    ]
    .map(|record| record.encode())
}

/// What it takes to give a connector new tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskConfigRecords {
    /// To be written first and read back, if there are any.
    pub tasks: Vec<TopicRecord>,
    /// To be written then and read back.
    pub commit: TopicRecord,
}

/// The records that give a connector new tasks (Kafka: `putTaskConfigs`; contract 4.2 has the protocol).
pub fn task_configs(connector: &Arc<str>, configs: Vec<ConfigMap>) -> TaskConfigRecords {
    let mut tasks = Vec::with_capacity(configs.len());
    let mut count = 0;
    for config in configs {
        let id = ConnectorTaskId::new(Arc::clone(connector), count);
        tasks.push(ConfigRecord::Task { id, config }.encode());
        count += 1;
    }
    let commit = ConfigRecord::Commit {
        connector: Arc::clone(connector),
        tasks: count,
    };
    TaskConfigRecords {
        tasks,
        commit: commit.encode(),
    }
}
