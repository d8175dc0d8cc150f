//! What a worker knows of its cluster at an offset of the config topic.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::super::work::ConnectorTaskId;
use super::{SessionKey, TargetState};
use crate::api::ConfigMap;

/// The offset before anything was read.
pub const NO_OFFSET: i64 = -1;

/// A snapshot of the configurations of connectors and tasks (Kafka: `ClusterConfigState`). Configurations
/// are raw: who uses one replaces the references in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterConfigState {
    pub(super) offset: i64,
    pub(super) session_key: Option<SessionKey>,
    /// By name. An entry may be there without a connector, as parts of it outlive a deletion in Kafka.
    pub(super) entries: BTreeMap<Arc<str>, Entry>,
}

/// All that the topic says about a name.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) config: Option<Arc<ConfigMap>>,
    pub(super) target_state: Option<TargetState>,
    pub(super) task_count: Option<i32>,
    /// Committed ones, also those of tasks that are no more.
    pub(super) tasks: BTreeMap<i32, Arc<ConfigMap>>,
    pub(super) task_count_record: Option<i32>,
    pub(super) generation: Option<i32>,
    /// The state's offset when the last commit was read.
    pub(super) committed_at: Option<i64>,
    /// What the tasks were made from.
    pub(super) applied: Option<Arc<ConfigMap>>,
    pub(super) pending_fencing: bool,
    pub(super) inconsistent: bool,
}

impl Entry {
    /// What a deletion takes. Target state, generation, fencing and inconsistency stay.
    pub(super) fn remove_connector(&mut self) {
        self.config = None;
        self.task_count = None;
        self.committed_at = None;
        self.tasks.clear();
        self.applied = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Debug for Entry {
    /// Without configurations: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("has_config", &self.config.is_some())
            .field("target_state", &self.target_state)
            .field("task_count", &self.task_count)
            .field("tasks", &self.tasks.keys().collect::<Vec<_>>())
            .field("task_count_record", &self.task_count_record)
            .field("generation", &self.generation)
            .field("pending_fencing", &self.pending_fencing)
            .field("inconsistent", &self.inconsistent)
            .finish_non_exhaustive()
    }
}

impl Default for ClusterConfigState {
    fn default() -> Self {
        Self {
            offset: NO_OFFSET,
            session_key: None,
            entries: BTreeMap::new(),
        }
    }
}

impl ClusterConfigState {
    /// Offset of the last record that is in here, plus one: the number that workers exchange.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The session key that was read last.
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.session_key.as_ref()
    }

    fn entry(&self, connector: &str) -> Option<&Entry> {
        self.entries.get(connector)
    }

    /// Whether there is such a connector.
    pub fn contains(&self, connector: &str) -> bool {
        self.raw_connector_config(connector).is_some()
    }

    /// All connectors, by name.
    pub fn connectors(&self) -> impl Iterator<Item = &Arc<str>> {
        let entries = self.entries.iter();
        entries.filter_map(|(name, entry)| entry.config.as_ref().map(|_| name))
    }

    /// A connector's configuration.
    pub fn raw_connector_config(&self, connector: &str) -> Option<&Arc<ConfigMap>> {
        self.entry(connector)?.config.as_ref()
    }

    /// The configuration that a connector's present tasks were made from.
    pub fn applied_connector_config(&self, connector: &str) -> Option<&Arc<ConfigMap>> {
        self.entry(connector)?.applied.as_ref()
    }

    /// What a user wants of a connector. Names of no connector may have one, too.
    pub fn target_state(&self, connector: &str) -> Option<TargetState> {
        self.entry(connector)?.target_state
    }

    /// A task's configuration. A task above [`Self::task_count`] may have one, too.
    pub fn raw_task_config(&self, id: &ConnectorTaskId) -> Option<&Arc<ConfigMap>> {
        self.entry(&id.connector)?.tasks.get(&id.task)
    }

    /// Numbers of all tasks that have a configuration.
    pub fn configured_tasks(&self, connector: &str) -> impl Iterator<Item = i32> {
        let tasks = self.entry(connector).map(|entry| entry.tasks.keys());
        tasks.into_iter().flatten().copied()
    }

    /// How many tasks the last commit was for; 0 without one.
    pub fn task_count(&self, connector: &str) -> i32 {
        let count = self.entry(connector).and_then(|entry| entry.task_count);
        count.unwrap_or(0)
    }

    /// The tasks to run: none while the connector is inconsistent.
    pub fn tasks(&self, connector: &str) -> Vec<ConnectorTaskId> {
        let Some((name, entry)) = self.entries.get_key_value(connector) else {
            return Vec::new();
        };
        if entry.inconsistent {
            return Vec::new();
        }
        let numbers = 0..entry.task_count.unwrap_or(0);
        numbers
            .map(|task| ConnectorTaskId::new(Arc::clone(name), task))
            .collect()
    }

    /// The state's offset after the last commit of a connector's tasks; [`NO_OFFSET`] without one. Who has
    /// read so far has no business with earlier configurations of its tasks.
    pub fn committed_at(&self, connector: &str) -> i64 {
        let at = self.entry(connector).and_then(|entry| entry.committed_at);
        at.unwrap_or(NO_OFFSET)
    }

    /// Whether a connector's last commit lacked tasks.
    pub fn is_inconsistent(&self, connector: &str) -> bool {
        self.entry(connector)
            .is_some_and(|entry| entry.inconsistent)
    }

    /// Whether producers of earlier tasks have to be fenced off before new ones may start.
    pub fn pending_fencing(&self, connector: &str) -> bool {
        self.entry(connector)
            .is_some_and(|entry| entry.pending_fencing)
    }

    /// How many transactional producers the last generation of tasks may have had.
    pub fn task_count_record(&self, connector: &str) -> Option<i32> {
        self.entry(connector)?.task_count_record
    }

    /// A number that rises with each set of task configurations; it differs between workers.
    pub fn task_config_generation(&self, connector: &str) -> Option<i32> {
        self.entry(connector)?.generation
    }

    /// Names whose last commit lacked tasks. They may have been deleted since.
    pub fn inconsistent_connectors(&self) -> impl Iterator<Item = &Arc<str>> {
        let entries = self.entries.iter();
        entries.filter_map(|(name, entry)| entry.inconsistent.then_some(name))
    }

    /// Every name that the topic says anything about, connector or not.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.keys()
    }
}
