//! Changes of the config topic: one after the other, each read back before it counts (Kafka:
//! `KafkaConfigBackingStore.put…`; contract 4.2).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::machine::{Machine, Now};
use super::protocol::{ConfigCommand, Output, Token, WriteError};
use super::requests::{already_exists, not_found, stopped};
use crate::api::ConfigMap;
use crate::distributed::TopicRecord;
use crate::distributed::config_topic::{ConfigRecord, TargetState, task_configs};
use crate::herder::entities::HerderError;
use crate::herder::standalone::{Reply, RequestId};

/// How long a change may take, reading back included (Kafka: `READ_WRITE_TOTAL_TIMEOUT_MS`).
const LIMIT: Duration = Duration::from_secs(30);
/// Changes that may wait.
const QUEUE: usize = 4096;
/// What Apache's worker says of a write that failed.
const FAILED: &str = "Failed to write to config topic; this may be due to a transient error and the request can be safely retried";

#[derive(Debug)]
enum Step {
    Append(Vec<TopicRecord>),
    ReadToEnd,
}

/// Who waits for a change.
#[derive(Debug)]
pub(super) enum Then {
    /// A request, which gets this.
    Answer(RequestId, Reply),
    /// A connector's own task configurations.
    Published(Arc<str>, Token),
    /// A change of offsets, which needs to know that nothing runs.
    Offsets(RequestId),
    /// Nobody: the session key.
    Nobody,
}

/// What a change depends on.
#[derive(Debug)]
pub(super) enum Guard {
    /// Nothing.
    Nothing,
    /// There is no such connector yet.
    Absent(Arc<str>),
    /// There is one.
    Present(Arc<str>),
    /// There is one, which may have tasks.
    NotStopped(Arc<str>),
}

/// A change that waits or is under way.
#[derive(Debug)]
struct Change {
    steps: VecDeque<Step>,
    then: Then,
    /// Looked at when its turn has come: changes before it may have made it void.
    guard: Guard,
    deadline: Instant,
    /// What is done, as in "The worker is currently …".
    what: String,
    since: Instant,
}

/// All changes, in their order.
#[derive(Debug, Default)]
pub(super) struct ConfigWrites {
    queue: VecDeque<Change>,
    /// The step of the first one that was asked for.
    under_way: Option<Token>,
    /// A write failed, and its records may be in the topic all the same: the topic is read before the next
    /// change is looked at.
    unsure: bool,
}

impl ConfigWrites {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.queue.front().map(|change| change.deadline)
    }

    /// Whether no change waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What is being done for a request.
    pub(super) fn stage_of(&self, request: RequestId) -> Option<(String, Instant)> {
        let of = |change: &&Change| match change.then {
            Then::Answer(id, _) | Then::Offsets(id) => id == request,
            Then::Published(..) | Then::Nobody => false,
        };
        let change = self.queue.iter().find(of)?;
        Some((change.what.clone(), change.since))
    }

    /// Whether a session key is about to be written.
    pub(super) fn writes_key(&self) -> bool {
        let mut queue = self.queue.iter();
        queue.any(|change| matches!(change.then, Then::Nobody))
    }
}

impl Machine {
    fn change(&mut self, what: String, guard: Guard, steps: Vec<Step>, then: Then) {
        if self.writes.queue.len() >= QUEUE {
            let full = write_error("too many changes of the config topic wait", true);
            return self.change_failed(then, &full);
        }
        self.writes.queue.push_back(Change {
            steps: steps.into(),
            then,
            guard,
            deadline: self.now.at + LIMIT,
            what,
            since: self.now.at,
        });
    }

    /// Records that are written in order and read back.
    pub(super) fn write_config(
        &mut self,
        what: String,
        guard: Guard,
        records: Vec<TopicRecord>,
        then: Then,
    ) {
        self.change(
            what,
            guard,
            vec![Step::Append(records), Step::ReadToEnd],
            then,
        );
    }

    /// A connector's new tasks: all of them, read back, and then the commit that makes them count.
    pub(super) fn write_tasks(
        &mut self,
        connector: &Arc<str>,
        configs: Vec<ConfigMap>,
        then: Then,
    ) {
        let what = format!(
            "writing {} task configs for connector {connector} to the config topic",
            configs.len()
        );
        let guard = match configs.is_empty() {
            true => Guard::Present(Arc::clone(connector)),
            false => Guard::NotStopped(Arc::clone(connector)),
        };
        let steps = task_steps(connector, configs);
        self.change(what, guard, steps, then);
    }

    /// A connector without tasks, and then its target state: a connector that is stopped and has tasks
    /// would confuse more than one that is not and has none.
    pub(super) fn write_stop(&mut self, connector: &Arc<str>, then: Then) {
        let mut steps = task_steps(connector, Vec::new());
        let state = ConfigRecord::TargetState {
            connector: Arc::clone(connector),
            state: Some(TargetState::Stopped),
        };
        steps.extend([Step::Append(vec![state.encode()]), Step::ReadToEnd]);
        let what = format!(
            "writing the STOPPED target stage for connector {connector} to the config topic"
        );
        self.change(what, Guard::Present(Arc::clone(connector)), steps, then);
    }

    /// The topic is read to its end for a request that must not act on old configurations.
    pub(super) fn refresh_config(&mut self, then: Then) {
        let what = "reading to the end of the config topic".to_owned();
        self.change(what, Guard::Nothing, vec![Step::ReadToEnd], then);
    }

    /// Asks for the next step of the first change. Part of the end of each input.
    pub(super) fn next_write(&mut self) {
        while self.writes.under_way.is_none() {
            let Some(change) = self.writes.queue.front_mut() else {
                return;
            };
            if std::mem::take(&mut self.writes.unsure) {
                let token = self.token();
                self.writes.under_way = Some(token);
                let read = ConfigCommand::ReadToEnd(token);
                return self.outputs.push(Output::Config(read));
            }
            let guard = std::mem::replace(&mut change.guard, Guard::Nothing);
            if let Err(error) = self.look_at_guard(&guard) {
                if let Some(void) = self.writes.queue.pop_front() {
                    self.change_refused(void.then, error);
                }
                continue;
            }
            let Some(change) = self.writes.queue.front_mut() else {
                return;
            };
            let Some(step) = change.steps.pop_front() else {
                if let Some(done) = self.writes.queue.pop_front() {
                    self.change_done(done.then);
                }
                continue;
            };
            let token = self.token();
            self.writes.under_way = Some(token);
            self.outputs.push(Output::Config(match step {
                Step::Append(records) => ConfigCommand::Append(token, records),
                Step::ReadToEnd => ConfigCommand::ReadToEnd(token),
            }));
        }
    }

    fn look_at_guard(&self, guard: &Guard) -> Result<(), HerderError> {
        match guard {
            Guard::Absent(name) if self.config.contains(name) => Err(already_exists(name)),
            Guard::Present(name) | Guard::NotStopped(name) if !self.config.contains(name) => {
                Err(not_found(name))
            }
            Guard::NotStopped(name) if self.target_state(name) == TargetState::Stopped => {
                Err(stopped(name))
            }
            _ => Ok(()),
        }
    }

    /// Whoever waits for a change hears that the worker goes.
    pub(super) fn give_up_changes(&mut self) {
        for change in std::mem::take(&mut self.writes.queue) {
            self.change_refused(change.then, HerderError::ShuttingDown);
        }
        self.writes.under_way = None;
    }

    /// What became of [`ConfigCommand::Append`].
    pub fn config_written(&mut self, token: Token, result: Result<(), WriteError>, now: Now) {
        self.now = now;
        self.step_done(token, result);
        self.go_on();
    }

    /// What became of [`ConfigCommand::ReadToEnd`]. The records came before.
    pub fn config_read(&mut self, token: Token, result: Result<(), WriteError>, now: Now) {
        self.now = now;
        if !self.caught_up(token, &result) {
            self.step_done(token, result);
        }
        self.go_on();
    }

    fn step_done(&mut self, token: Token, result: Result<(), WriteError>) {
        if self.writes.under_way != Some(token) {
            return;
        }
        self.writes.under_way = None;
        if let Err(error) = result {
            self.first_change_failed(&error);
        }
    }

    fn first_change_failed(&mut self, error: &WriteError) {
        self.writes.unsure = true;
        if let Some(change) = self.writes.queue.pop_front() {
            tracing::error!(
                error = error.message,
                what = change.what,
                "the config topic can't be written"
            );
            self.change_failed(change.then, error);
        }
    }

    /// Gives up a change that takes too long. Its records may still come.
    pub(super) fn writes_overdue(&mut self) {
        while self
            .writes
            .next_deadline()
            .is_some_and(|deadline| deadline <= self.now.at)
        {
            self.writes.under_way = None;
            self.first_change_failed(&write_error("it took too long", true));
        }
    }

    fn change_done(&mut self, then: Then) {
        match then {
            Then::Answer(request, reply) => self.answer(request, Ok(reply)),
            Then::Published(connector, token) => self.published(&connector, token, Ok(())),
            Then::Offsets(request) => self.change_offsets(request),
            Then::Nobody => {}
        }
    }

    fn change_failed(&mut self, then: Then, error: &WriteError) {
        let failed = HerderError::Failed(format!("{FAILED}: {}", error.message));
        self.change_refused(then, failed);
    }

    fn change_refused(&mut self, then: Then, failed: HerderError) {
        match then {
            Then::Answer(request, _) => self.answer(request, Err(failed)),
            Then::Published(connector, token) => {
                self.published(&connector, token, Err(failed.to_string()));
            }
            Then::Offsets(request) => {
                self.offsets.remove(&request);
                self.answer(request, Err(failed));
            }
            Then::Nobody => {}
        }
    }
}

fn write_error(message: &str, retriable: bool) -> WriteError {
    WriteError {
        message: message.to_owned(),
        retriable,
    }
}

fn task_steps(connector: &Arc<str>, configs: Vec<ConfigMap>) -> Vec<Step> {
    let records = task_configs(connector, configs);
    let mut steps = vec![Step::ReadToEnd];
    if !records.tasks.is_empty() {
        steps.extend([Step::Append(records.tasks), Step::ReadToEnd]);
    }
    steps.extend([Step::Append(vec![records.commit]), Step::ReadToEnd]);
    steps
}
