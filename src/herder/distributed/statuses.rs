//! The status topic: what is written about the instances here, and what was read about all (Kafka:
//! `KafkaStatusBackingStore`, `AbstractHerder.onStartup` and its siblings).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config_log::Record;
use super::group::Phase;
use super::machine::{Machine, Now};
use super::protocol::{Output, Token, WriteError};
use super::work::Item;
use crate::distributed::status_topic::{
    State, Status, StatusOf, StatusProblem, StatusWrite, TopicStatus,
};
use crate::distributed::{ConnectorTaskId, TopicRecord};

/// Wait before a status that could not be written is tried again.
const RETRY: Duration = Duration::from_millis(300);

/// How long the status topic may show something else than what was told of what runs here.
const CONFIRM: Duration = Duration::from_secs(5);

/// Statuses that are on their way.
#[derive(Debug, Default)]
pub(super) struct StatusWrites {
    sent: BTreeMap<Token, Sent>,
    retries: Vec<(Instant, StatusWrite)>,
    /// When the leader looks for statuses of what is configured no more.
    sweep: Option<Instant>,
}

#[derive(Debug)]
enum Sent {
    Status(Box<StatusWrite>),
    /// A tombstone or a topic: not tried again.
    Other,
}

impl StatusWrites {
    /// Whether everything was written that had to be.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.retries.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let retries = self.retries.iter().map(|(at, _)| *at);
        retries.chain(self.sweep).min()
    }
}

impl Machine {
    /// Takes in records of the status topic; those of a partition come in their order.
    pub fn status_records<'a>(&mut self, records: impl IntoIterator<Item = Record<'a>>, now: Now) {
        self.now = now;
        for record in records {
            if let Some(problem) = self.status.apply(record.key, record.value) {
                if let StatusProblem::Stale { key, .. } = &problem {
                    self.hidden(key);
                }
                super::log(problem.level(), "status", record.offset, &problem);
            }
        }
        self.confirm();
        if self.group.is_leader() && self.statuses.sweep.is_none() && !self.deleted().is_empty() {
            self.statuses.sweep = Some(now.at + CONFIRM);
        }
    }

    /// Readers pass over a status that the topic keeps: whoever reads the topic anew believes it.
    fn hidden(&mut self, key: &str) {
        for (item, slot) in &mut self.work.slots {
            slot.hidden |= item.status_of().key() == key;
        }
    }

    /// Compares what was told of what runs here with what the topic shows now: a worker that did not know
    /// better may have written something else, and a write may have been lost.
    fn confirm(&mut self) {
        let (status, worker_id) = (&self.status, &self.settings.worker_id);
        let again = self.now.at + CONFIRM;
        for (item, slot) in &mut self.work.slots {
            let Some(state) = slot.state else {
                continue;
            };
            let shown = match item.id() {
                Some(id) => status.task(&id),
                None => status.connector(&item.connector),
            };
            let same =
                shown.is_some_and(|shown| shown.state == state && shown.worker_id == *worker_id);
            let confirmed = same && !slot.hidden;
            slot.tell_again = match confirmed {
                true => None,
                false => slot.tell_again.or(Some(again)),
            };
        }
    }

    /// Tells again what the topic does not show.
    fn tell_again(&mut self) {
        let now = self.now.at;
        let settled = self.group.phase == Phase::Resolved;
        let mut again = Vec::new();
        for (item, slot) in &mut self.work.slots {
            if slot.tell_again.is_some_and(|at| at <= now) {
                slot.tell_again = Some(now + CONFIRM);
                slot.hidden &= !settled;
                again.extend(
                    slot.state
                        .map(|state| (item.clone(), state, slot.trace.clone())),
                );
            }
        }
        for (item, state, trace) in again {
            if settled && self.is_ours(&item) {
                let status = self.status_now(&item, state, trace);
                // A failure is told whoever wrote later: nobody else has it now.
                let write = match state {
                    State::Unassigned => self.status.put_safe(&item.status_of(), &status),
                    _ => Some(self.status.put(&item.status_of(), &status)),
                };
                if let Some(write) = write {
                    self.send(write);
                }
            }
        }
    }

    /// The status topic was read to its end for the first time.
    pub fn status_started(&mut self, now: Now) {
        self.now = now;
        self.started.status = true;
        self.topic_started();
    }

    /// Tells the cluster the state of something here. A status that says that somebody let go of it, or
    /// failed, must not hide one of whoever has it now.
    pub(super) fn put_status(&mut self, item: &Item, state: State, trace: Option<String>) {
        if let Some(slot) = self.work.slots.get_mut(item) {
            slot.trace.clone_from(&trace);
            slot.hidden = false;
            slot.tell_again = Some(self.now.at + CONFIRM);
        }
        let status = self.status_now(item, state, trace);
        let of = item.status_of();
        let write = match state {
            State::Unassigned | State::Failed => self.status.put_safe(&of, &status),
            _ => Some(self.status.put(&of, &status)),
        };
        if let Some(write) = write {
            self.send(write);
        }
    }

    fn status_now(&self, item: &Item, state: State, trace: Option<String>) -> Status {
        Status {
            state,
            trace,
            worker_id: self.settings.worker_id.clone(),
            generation: self.group.generation,
            version: self.version(item, state),
        }
    }

    fn version(&self, item: &Item, state: State) -> Option<String> {
        if matches!(state, State::Unassigned | State::Restarting) {
            return None;
        }
        let snapshot = self.config.snapshot();
        let config = snapshot.raw_connector_config(&item.connector)?;
        let described = (self.settings.describe)(config).ok()?;
        Some(described.1)
    }

    fn send(&mut self, write: StatusWrite) {
        let token = self.token();
        self.outputs
            .push(Output::Status(token, write.record.clone()));
        self.statuses
            .sent
            .insert(token, Sent::Status(Box::new(write)));
    }

    /// Writes a record that is not tried again.
    pub(super) fn append_status(&mut self, record: TopicRecord) {
        let token = self.token();
        self.outputs.push(Output::Status(token, record));
        self.statuses.sent.insert(token, Sent::Other);
    }

    /// A task of a connector used a topic for the first time, as far as this worker knows.
    pub fn topic_used(&mut self, connector: &str, task: u32, topic: &str, now: Now) {
        self.now = now;
        if self.status.topic(connector, topic).is_none() {
            let used = TopicStatus {
                topic: topic.to_owned(),
                connector: connector.into(),
                task: i32::try_from(task).unwrap_or(i32::MAX),
                discover_timestamp: now.wall_ms,
            };
            self.append_status(used.encode());
        }
        self.go_on();
    }

    /// A connector's topics are to be forgotten by all workers.
    pub fn topics_reset(&mut self, connector: &str, now: Now) {
        self.now = now;
        self.forget_topics(connector);
        self.go_on();
    }

    pub(super) fn forget_topics(&mut self, connector: &str) {
        let topics = self.status.topics(connector);
        let removals = topics.map(|used| TopicStatus::removal(connector, &used.topic));
        for removal in removals.collect::<Vec<_>>() {
            self.append_status(removal);
        }
    }

    /// What became of [`Output::Status`].
    pub fn status_written(&mut self, token: Token, result: Result<(), WriteError>, now: Now) {
        self.now = now;
        let sent = self.statuses.sent.remove(&token);
        match (sent, result) {
            (Some(Sent::Status(write)), Err(error)) if error.retriable => {
                self.statuses.retries.push((now.at + RETRY, *write));
            }
            (Some(_), Err(error)) => {
                tracing::error!(
                    error = error.message,
                    "a status can't be written to the status topic"
                );
            }
            _ => {}
        }
        self.advance();
    }

    /// Tries again what could not be written, where it still says something.
    pub(super) fn statuses_overdue(&mut self) {
        let now = self.now.at;
        self.tell_again();
        if self.statuses.sweep.is_some_and(|at| at <= now) {
            self.statuses.sweep = None;
            if self.group.is_leader() && self.group.phase == Phase::Resolved {
                self.forget_deleted();
            }
        }
        let (due, later) = std::mem::take(&mut self.statuses.retries)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.statuses.retries = later;
        for (_, write) in due {
            if self.status.may_retry(&write) {
                self.send(write);
            }
        }
    }

    /// The leader takes the statuses back of what was deleted before this round (Kafka:
    /// `updateDeletedConnectorStatus`, `updateDeletedTaskStatus`).
    pub(super) fn forget_deleted(&mut self) {
        for of in self.deleted() {
            self.append_status(TopicRecord {
                key: of.key().into_bytes(),
                value: None,
            });
        }
    }

    /// Whose statuses are in the topic though they are configured no more.
    fn deleted(&self) -> Vec<StatusOf> {
        let snapshot = self.config.snapshot();
        let mut gone: Vec<StatusOf> = Vec::new();
        for name in self.status.names() {
            if !snapshot.contains(name) && self.status.connector(name).is_some() {
                gone.push(StatusOf::Connector(Arc::clone(name)));
            }
            let tasks = self.status.tasks_in_topic(name).into_iter();
            let remaining = snapshot.task_count(name);
            let deleted = tasks.filter(|task| *task >= remaining);
            gone.extend(
                deleted.map(|task| StatusOf::Task(ConnectorTaskId::new(Arc::clone(name), task))),
            );
        }
        gone
    }
}
