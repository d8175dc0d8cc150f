//! The state machine that replays the config topic.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::record::shown;
use super::super::work::ConnectorTaskId;
use super::state::Entry;
use super::{
    ClusterConfigState, ConfigProblem, ConfigRecord, Decoded, Decoder, RestartRequest, SessionKey,
    TargetState,
};
use crate::api::ConfigMap;

/// Something that a running worker has to act upon (Kafka: `ConfigBackingStore.UpdateListener`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateEvent {
    /// A connector is gone. It may never have been there.
    ConnectorRemoved(Arc<str>),
    /// A connector is new or has another configuration.
    ConnectorUpdated(Arc<str>),
    /// A commit was read.
    TasksUpdated {
        /// Of which connector.
        connector: Arc<str>,
        /// Tasks that have new configurations. None where the commit was incomplete.
        tasks: Vec<ConnectorTaskId>,
    },
    /// A user wants something else of a connector.
    TargetStateChanged(Arc<str>),
    /// There is another session key.
    SessionKeyUpdated(SessionKey),
    /// Instances are to be restarted.
    RestartRequested(RestartRequest),
    /// The level of a logger on all workers.
    LoggerLevelUpdated {
        /// Logger's name.
        namespace: String,
        /// Level's name.
        level: String,
    },
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// What to act upon; never any before [`ConfigTopic::start`].
    pub event: Option<UpdateEvent>,
    /// What to log.
    pub problems: Vec<ConfigProblem>,
}

/// Replays the config topic: one record after the other, in order.
#[derive(Debug, Default)]
pub struct ConfigTopic {
    decoder: Decoder,
    state: Arc<ClusterConfigState>,
    /// Task configurations by connector that wait for a commit. After a commit the map of its connector is
    /// there and empty, which counts as a new generation when the next one has no tasks.
    deferred: HashMap<Arc<str>, BTreeMap<i32, Arc<ConfigMap>>>,
    started: bool,
}

impl ConfigTopic {
    /// Nothing read, nothing told.
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on records make events: the end of the topic was reached for the first time.
    pub fn start(&mut self) {
        self.started = true;
    }

    /// What was read so far.
    pub fn snapshot(&self) -> Arc<ClusterConfigState> {
        Arc::clone(&self.state)
    }

    /// Whether there is such a connector.
    pub fn contains(&self, connector: &str) -> bool {
        self.state.contains(connector)
    }

    /// Takes in the record at `offset`.
    pub fn apply(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Applied {
        let decoded = self.decoder.decode(key, value);
        if !matches!(decoded, Decoded::Ignored(ConfigProblem::NotJson { .. })) {
            self.state().offset = offset.saturating_add(1);
        }
        let mut applied = Applied::default();
        let event = match decoded {
            Decoded::Ignored(problem) => {
                applied.problems.push(problem);
                None
            }
            Decoded::UnreadableCommit { connector, problem } => {
                let problem = self.commit_is_of_nobody(&connector).unwrap_or(problem);
                applied.problems.push(problem);
                None
            }
            Decoded::Record(record, problems) => {
                applied.problems = problems;
                self.record(record, &mut applied.problems)
            }
        };
        applied.event = event.filter(|_| self.started);
        applied
    }

    fn record(
        &mut self,
        record: ConfigRecord,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<UpdateEvent> {
        match record {
            ConfigRecord::Connector { connector, config } => Some(match config {
                Some(config) => self.connector_config(connector, config),
                None => {
                    self.remove_connector(&connector);
                    UpdateEvent::ConnectorRemoved(connector)
                }
            }),
            ConfigRecord::Task { id, config } => {
                let deferred = self.deferred.entry(id.connector).or_default();
                deferred.insert(id.task, Arc::new(config));
                None
            }
            ConfigRecord::Commit { connector, tasks } => self.commit(connector, tasks, problems),
            ConfigRecord::TargetState { connector, state } => self.target_state(connector, state),
            ConfigRecord::TaskCount { connector, tasks } => {
                let entry = self.entry(connector);
                entry.task_count_record = Some(tasks);
                entry.pending_fencing = false;
                None
            }
            ConfigRecord::SessionKey(session_key) => {
                self.state().session_key = Some(session_key.clone());
                Some(UpdateEvent::SessionKeyUpdated(session_key))
            }
            ConfigRecord::Restart(request) => Some(UpdateEvent::RestartRequested(request)),
            ConfigRecord::LoggerLevel { namespace, level } => {
                Some(UpdateEvent::LoggerLevelUpdated { namespace, level })
            }
        }
    }

    /// The state, to be changed: copied first where somebody holds a snapshot.
    fn state(&mut self) -> &mut ClusterConfigState {
        Arc::make_mut(&mut self.state)
    }

    fn entry(&mut self, connector: Arc<str>) -> &mut Entry {
        self.state().entries.entry(connector).or_default()
    }

    fn connector_config(&mut self, connector: Arc<str>, config: ConfigMap) -> UpdateEvent {
        let entry = self.entry(Arc::clone(&connector));
        entry.config = Some(Arc::new(config));
        entry.target_state.get_or_insert(TargetState::Started);
        UpdateEvent::ConnectorUpdated(connector)
    }

    fn remove_connector(&mut self, connector: &str) {
        self.deferred.remove(connector);
        if let Some(entry) = self.state().entries.get_mut(connector) {
            entry.remove_connector();
        }
        self.drop_empty(connector);
    }

    fn drop_empty(&mut self, connector: &str) {
        let entries = &mut self.state().entries;
        if entries.get(connector).is_some_and(Entry::is_empty) {
            entries.remove(connector);
        }
    }

    /// No event when the state is taken back: the deletion of the connector tells. Nor for a name without
    /// a connector: the state of a new connector is read before its configuration.
    fn target_state(
        &mut self,
        connector: Arc<str>,
        state: Option<TargetState>,
    ) -> Option<UpdateEvent> {
        let entry = self.entry(Arc::clone(&connector));
        let exists = entry.config.is_some();
        let Some(state) = state else {
            entry.target_state = exists.then_some(TargetState::Started);
            self.drop_empty(&connector);
            return None;
        };
        let changed = entry.target_state.replace(state) != Some(state);
        (changed && exists).then_some(UpdateEvent::TargetStateChanged(connector))
    }

    /// A commit for a name without configuration belongs to a connector that was deleted; what is left of
    /// its tasks must not come back.
    fn commit_is_of_nobody(&mut self, connector: &str) -> Option<ConfigProblem> {
        if self.state.contains(connector) {
            return None;
        }
        self.remove_connector(connector);
        Some(ConfigProblem::DeletedConnector {
            connector: shown(connector),
        })
    }

    fn commit(
        &mut self,
        connector: Arc<str>,
        tasks: i32,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<UpdateEvent> {
        if let Some(problem) = self.commit_is_of_nobody(&connector) {
            problems.push(problem);
            return None;
        }
        // Whether applied or not, they count no more after this commit.
        let deferred = self.deferred.get_mut(&connector).map(std::mem::take);
        let complete = (0..tasks).all(|task| {
            let deferred = deferred.as_ref();
            deferred.is_some_and(|deferred| deferred.contains_key(&task))
        });
        let offset = self.state.offset;
        let entry = self.entry(Arc::clone(&connector));
        entry.committed_at = Some(offset);
        let mut updated = Vec::new();
        if complete {
            if let Some(deferred) = deferred {
                // More than the commit is for is not wrong: compaction leaves tasks of a larger commit.
                let ids = deferred.keys();
                updated.extend(ids.map(|task| ConnectorTaskId::new(Arc::clone(&connector), *task)));
                entry.tasks.extend(deferred);
                let next = entry.generation.map_or(0, |last| last.wrapping_add(1));
                entry.generation = Some(next);
            }
            entry.inconsistent = false;
            entry.applied.clone_from(&entry.config);
        } else {
            entry.inconsistent = true;
            problems.push(ConfigProblem::Incomplete {
                connector: shown(&connector),
                tasks,
            });
        }
        entry.task_count = Some(tasks);
        entry.pending_fencing = true;
        Some(UpdateEvent::TasksUpdated {
            connector,
            tasks: updated,
        })
    }
}
