//! What was read from the status topic, and which writes are safe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::record::{TopicRecord, shown};
use super::super::work::ConnectorTaskId;
use super::{State, Status, StatusDecoder, StatusOf, StatusProblem, StatusRecord, TopicStatus};

/// A connector's or task's place in the cache. A tombstone ends it; what comes later is another one.
#[derive(Debug, Clone)]
struct Entry {
    /// Tells it from entries of the same name before and after.
    number: u64,
    status: Option<Status>,
    /// Counts the writes.
    sequence: u64,
}

impl Entry {
    /// Whether a write is not known to hide a later status of another worker (Kafka: `canWriteSafely`).
    fn may_be_replaced(&self, worker_id: &str, generation: i32) -> bool {
        self.status
            .as_ref()
            .is_none_or(|status| status.worker_id == worker_id || status.generation <= generation)
    }
}

/// A status on its way to the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusWrite {
    /// What to send.
    pub record: TopicRecord,
    of: StatusOf,
    worker_id: String,
    generation: i32,
    safe: bool,
    entry: u64,
    sequence: u64,
}

/// The status topic as read so far.
#[derive(Debug, Default)]
pub struct StatusTopic {
    decoder: StatusDecoder,
    connectors: BTreeMap<Arc<str>, Entry>,
    tasks: BTreeMap<Arc<str>, BTreeMap<i32, Entry>>,
    topics: BTreeMap<Arc<str>, BTreeMap<String, TopicStatus>>,
    /// Tasks that a tombstone of their connector has taken from the view and that have no tombstone yet.
    taken: BTreeMap<Arc<str>, BTreeMap<i32, ()>>,
    /// Of the last status that was to be written.
    generation: i32,
    entries_made: u64,
}

impl StatusTopic {
    /// Nothing read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a record. Records of a partition come in order; gives what to log.
    pub fn apply(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Option<StatusProblem> {
        match self.decoder.decode(key, value) {
            Err(problem) => return Some(problem),
            Ok(StatusRecord::Connector(connector, Some(status))) => {
                self.entry(&StatusOf::Connector(connector)).status = Some(status);
            }
            Ok(StatusRecord::Connector(connector, None)) => {
                self.connectors.remove(&connector);
                if let Some(tasks) = self.tasks.remove(&connector) {
                    let written = tasks
                        .into_iter()
                        .filter(|(_, entry)| entry.status.is_some());
                    let written: Vec<_> = written.map(|(task, _)| (task, ())).collect();
                    if !written.is_empty() {
                        self.taken.entry(connector).or_default().extend(written);
                    }
                }
            }
            Ok(StatusRecord::Task(id, Some(status))) => return self.task_status(id, status),
            Ok(StatusRecord::Task(id, None)) => {
                remove_inner(&mut self.tasks, &id.connector, &id.task);
                remove_inner(&mut self.taken, &id.connector, &id.task);
            }
            Ok(StatusRecord::Topic {
                topic,
                connector,
                status: Some(status),
            }) => {
                let topics = self.topics.entry(connector).or_default();
                topics.insert(topic, status);
            }
            Ok(StatusRecord::Topic {
                topic, connector, ..
            }) => remove_inner(&mut self.topics, &connector, &topic),
        }
        None
    }

    /// A worker that gives a task up may not know yet that another one runs it.
    fn task_status(&mut self, id: ConnectorTaskId, status: Status) -> Option<StatusProblem> {
        let of = StatusOf::Task(id);
        let entry = self.entry(&of);
        let runs =
            |known: &Status| known.state == State::Running && known.generation >= status.generation;
        if status.state == State::Unassigned && entry.status.as_ref().is_some_and(runs) {
            return Some(StatusProblem::Stale {
                key: shown(&of.key()),
                generation: status.generation,
            });
        }
        entry.status = Some(status);
        if let StatusOf::Task(id) = &of {
            remove_inner(&mut self.taken, &id.connector, &id.task);
        }
        None
    }

    fn entry(&mut self, of: &StatusOf) -> &mut Entry {
        let next = self.entries_made + 1;
        let made = &mut self.entries_made;
        let new = || {
            *made = next;
            Entry {
                number: next,
                status: None,
                sequence: 0,
            }
        };
        match of {
            StatusOf::Connector(connector) => {
                let entry = self.connectors.entry(Arc::clone(connector));
                entry.or_insert_with(new)
            }
            StatusOf::Task(id) => {
                let tasks = self.tasks.entry(Arc::clone(&id.connector)).or_default();
                tasks.entry(id.task).or_insert_with(new)
            }
        }
    }

    fn known(&self, of: &StatusOf) -> Option<&Entry> {
        match of {
            StatusOf::Connector(connector) => self.connectors.get(connector),
            StatusOf::Task(id) => self.tasks.get(&id.connector)?.get(&id.task),
        }
    }

    /// A status to be written whatever was read (Kafka: `put`).
    pub fn put(&mut self, of: &StatusOf, status: &Status) -> StatusWrite {
        self.generation = status.generation;
        self.write(of, status, false)
    }

    /// A status to be written unless it would hide one of another worker and a later generation (Kafka:
    /// `putSafe`); `None` when it would.
    pub fn put_safe(&mut self, of: &StatusOf, status: &Status) -> Option<StatusWrite> {
        self.generation = status.generation;
        let entry = self.entry(of);
        if !entry.may_be_replaced(&status.worker_id, status.generation) {
            return None;
        }
        Some(self.write(of, status, true))
    }

    fn write(&mut self, of: &StatusOf, status: &Status, safe: bool) -> StatusWrite {
        let entry = self.entry(of);
        entry.sequence += 1;
        StatusWrite {
            record: status.encode(of),
            of: of.clone(),
            worker_id: status.worker_id.clone(),
            generation: status.generation,
            safe,
            entry: entry.number,
            sequence: entry.sequence,
        }
    }

    /// Whether a write that failed with a retriable error is to be sent again: not after a tombstone, a
    /// status of another generation, or, for a safe one, any write that came after it.
    pub fn may_retry(&self, write: &StatusWrite) -> bool {
        let entry = self.known(&write.of);
        let entry = entry.filter(|entry| entry.number == write.entry);
        write.generation == self.generation
            && entry.is_some_and(|entry| {
                !write.safe
                    || (entry.sequence == write.sequence
                        && entry.may_be_replaced(&write.worker_id, write.generation))
            })
    }

    /// A connector's status.
    pub fn connector(&self, connector: &str) -> Option<&Status> {
        self.connectors.get(connector)?.status.as_ref()
    }

    /// A task's status.
    pub fn task(&self, id: &ConnectorTaskId) -> Option<&Status> {
        self.tasks
            .get(&id.connector)?
            .get(&id.task)?
            .status
            .as_ref()
    }

    /// Statuses of a connector's tasks, by number.
    pub fn tasks(&self, connector: &str) -> impl Iterator<Item = (i32, &Status)> {
        let tasks = self.tasks.get(connector).into_iter().flatten();
        tasks.filter_map(|(task, entry)| Some((*task, entry.status.as_ref()?)))
    }

    /// Connectors with a status, also with one that was sent and not read back yet.
    pub fn connectors(&self) -> impl Iterator<Item = &Arc<str>> {
        self.connectors.keys()
    }

    /// Connectors that have a status in the topic or whose tasks have one. A task's may come after the
    /// connector's tombstone, or be in another partition, and then nobody sees it.
    pub fn names(&self) -> BTreeSet<&Arc<str>> {
        let tasks = self.tasks.keys().chain(self.taken.keys());
        self.connectors.keys().chain(tasks).collect()
    }

    /// Tasks of a connector that have a status in the topic, whether it is seen or not.
    pub fn tasks_in_topic(&self, connector: &str) -> BTreeSet<i32> {
        let taken = self.taken.get(connector).into_iter().flatten();
        let seen = self.tasks(connector).map(|(task, _)| task);
        seen.chain(taken.map(|(task, ())| *task)).collect()
    }

    /// That a connector uses a topic.
    pub fn topic(&self, connector: &str, topic: &str) -> Option<&TopicStatus> {
        self.topics.get(connector)?.get(topic)
    }

    /// All topics that a connector uses, by name.
    pub fn topics(&self, connector: &str) -> impl Iterator<Item = &TopicStatus> {
        let topics = self.topics.get(connector);
        topics.into_iter().flat_map(BTreeMap::values)
    }
}

fn remove_inner<K: Ord, V>(maps: &mut BTreeMap<Arc<str>, BTreeMap<K, V>>, outer: &str, inner: &K) {
    if let Some(map) = maps.get_mut(outer) {
        map.remove(inner);
        if map.is_empty() {
            maps.remove(outer);
        }
    }
}
