//! The machine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::entry::{Entry, Phase, Slot, TargetState, TaskSlot, Waiter};
use super::protocol::{Output, Reply, Request, RequestId};
use crate::api::{ConfigMap, ConnectorKind};
use crate::herder::entities::{ConnectorOverview, ConnectorState, HerderError, InitialState};
use crate::task::InstanceState;
use crate::task::control::Wish;
use crate::worker::{ConnectorTaskId, InstanceEvent, InstanceId, OffsetsRequest};

/// Tells source from sink by a raw configuration (the worker knows the plugins).
pub(crate) type KindOf = Box<dyn Fn(&ConfigMap) -> Result<ConnectorKind, HerderError> + Send>;

/// The standalone herder's state.
pub struct Machine {
    pub(super) entries: BTreeMap<String, Entry>,
    owners: BTreeMap<InstanceId, String>,
    next_instance: u64,
    graceful_timeout: Duration,
    kind_of: KindOf,
    stopping: Option<Stopping>,
    /// Time of the last input.
    pub(super) now: Instant,
    pub(super) outputs: Vec<Output>,
}

/// The worker's own stop.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    clean: bool,
    exited: bool,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

fn unknown(name: &str) -> HerderError {
    HerderError::NotFound(format!("Unknown connector {name}"))
}

pub(super) fn not_found(name: &str) -> HerderError {
    HerderError::NotFound(format!("Connector {name} not found"))
}

impl Machine {
    /// No connectors. `graceful_timeout` is `task.shutdown.graceful.timeout.ms`.
    pub fn new(graceful_timeout: Duration, kind_of: KindOf) -> Self {
        Self {
            entries: BTreeMap::new(),
            owners: BTreeMap::new(),
            next_instance: 0,
            graceful_timeout,
            kind_of,
            stopping: None,
            now: Instant::now(),
            outputs: Vec::new(),
        }
    }

    /// Takes what the driver shall do, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// When [`Self::tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let slots = self.entries.values().flat_map(Entry::slots);
        let stops = slots.filter_map(|slot| slot.deadline);
        let tasks = self.entries.values().flat_map(|entry| &entry.tasks);
        // A failed task whose instance has not ended yet waits for that.
        let failed = tasks.filter(|task| task.slot.live.is_none() && self.stopping.is_none());
        let restarts = failed.filter_map(|task| task.slot.restarts.due());
        stops.chain(restarts).min()
    }

    /// Takes a request; its answer is among the outputs, now or later.
    pub fn request(&mut self, id: RequestId, request: Request, now: Instant) {
        self.now = now;
        if let Some(result) = self.dispatch(id, request, now) {
            self.outputs.push(Output::Answer(id, result));
        }
    }

    /// The answer, or `None` when it comes later.
    fn dispatch(
        &mut self,
        id: RequestId,
        request: Request,
        now: Instant,
    ) -> Option<Result<Reply, HerderError>> {
        if self.stopping.is_some() && changes(&request) {
            return Some(Err(HerderError::ShuttingDown));
        }
        let entry = |machine: &Self, name: &str| -> Result<(), HerderError> {
            machine
                .visible(name)
                .map(|_| ())
                .ok_or_else(|| not_found(name))
        };
        let done = match request {
            Request::Ping => Ok(Reply::Done),
            Request::Connectors => Ok(Reply::Names(self.names())),
            Request::Overview => Ok(Reply::Overview(self.overview())),
            Request::Info(name) => {
                entry(self, &name).map(|()| Reply::Info(self.entries[&name].info()))
            }
            Request::Tasks(name) => {
                entry(self, &name).map(|()| Reply::Tasks(self.entries[&name].task_infos()))
            }
            Request::Status(name) => self.status(&name),
            Request::Create {
                name,
                config,
                initial_state,
            } => {
                return self.create(id, name, config, initial_state);
            }
            Request::PutConfig { name, config } => return self.put_config(id, name, config, now),
            Request::Delete(name) => return self.delete(id, &name, now),
            Request::Pause(name) => self.set_target(&name, TargetState::Paused, now),
            Request::Resume(name) => self.set_target(&name, TargetState::Started, now),
            Request::Stop(name) => self.set_target(&name, TargetState::Stopped, now),
            Request::RestartConnector(name) => return self.restart_connector(id, &name, now),
            Request::Restart {
                name,
                include_tasks,
                only_failed,
            } => self.restart(&name, include_tasks, only_failed, now),
            Request::RestartTask { name, task } => self.restart_task(&name, task, now),
            Request::Offsets { name, request } => return self.offsets(id, &name, request),
            Request::PutTaskConfigs { .. } => {
                Err(unsupported("externally setting task configurations"))
            }
            Request::Fence { .. } => Err(unsupported("exactly-once source connectors")),
            Request::SetLoggerLevel { .. } => Err(unsupported("log levels of a whole cluster")),
        };
        Some(done)
    }

    pub(super) fn visible(&self, name: &str) -> Option<&Entry> {
        self.entries
            .get(name)
            .filter(|entry| entry.phase != Phase::Removing)
    }

    fn names(&self) -> Vec<String> {
        let visible = self
            .entries
            .values()
            .filter(|entry| entry.phase != Phase::Removing);
        visible.map(|entry| entry.name.clone()).collect()
    }

    fn overview(&self) -> Vec<ConnectorOverview> {
        let visible = self
            .entries
            .values()
            .filter(|entry| entry.phase != Phase::Removing);
        visible.map(Entry::overview).collect()
    }

    fn status(&self, name: &str) -> Result<Reply, HerderError> {
        let entry = self.visible(name).ok_or_else(|| {
            HerderError::NotFound(format!("No status found for connector {name}"))
        })?;
        Ok(Reply::Status(entry.status()))
    }

    fn create(
        &mut self,
        id: RequestId,
        name: String,
        config: ConfigMap,
        initial_state: InitialState,
    ) -> Option<Result<Reply, HerderError>> {
        if self.entries.contains_key(&name) {
            let text = format!("Connector {name} already exists");
            return Some(Err(HerderError::AlreadyExists(text)));
        }
        let kind = match (self.kind_of)(&config) {
            Ok(kind) => kind,
            Err(error) => return Some(Err(error)),
        };
        let target = match initial_state {
            InitialState::Running => TargetState::Started,
            InitialState::Paused => TargetState::Paused,
            InitialState::Stopped => TargetState::Stopped,
        };
        let mut entry = Entry::new(name.clone(), kind, config, target, self.now);
        entry.waiters.push(Waiter::Info {
            request: id,
            created: true,
        });
        self.entries.insert(name.clone(), entry);
        self.begin(&name);
        None
    }

    fn put_config(
        &mut self,
        id: RequestId,
        name: String,
        config: ConfigMap,
        now: Instant,
    ) -> Option<Result<Reply, HerderError>> {
        let kind = match (self.kind_of)(&config) {
            Ok(kind) => kind,
            Err(error) => return Some(Err(error)),
        };
        let Some(entry) = self.entries.get_mut(&name) else {
            return self.create(id, name, config, InitialState::Running);
        };
        if entry.phase == Phase::Removing {
            let text = format!("Connector {name} is being deleted; try again");
            return Some(Err(HerderError::Conflict(text)));
        }
        entry.config = config;
        entry.kind = kind;
        entry.phase = Phase::Replacing;
        entry.since = now;
        entry.waiters.push(Waiter::Info {
            request: id,
            created: false,
        });
        self.stop_all(&name, now);
        self.advance(&name);
        None
    }

    fn delete(
        &mut self,
        id: RequestId,
        name: &str,
        now: Instant,
    ) -> Option<Result<Reply, HerderError>> {
        let Some(entry) = self
            .entries
            .get_mut(name)
            .filter(|e| e.phase != Phase::Removing)
        else {
            return Some(Err(not_found(name)));
        };
        entry.phase = Phase::Removing;
        entry.since = now;
        let gone = HerderError::NotFound(format!("Connector {name} was deleted"));
        for waiter in std::mem::replace(&mut entry.waiters, vec![Waiter::Removed(id)]) {
            self.outputs.push(answer(waiter, Err(gone.clone())));
        }
        self.refuse_offsets(name, &gone);
        self.stop_all(name, now);
        self.advance(name);
        None
    }

    fn set_target(
        &mut self,
        name: &str,
        target: TargetState,
        now: Instant,
    ) -> Result<Reply, HerderError> {
        let entry = self
            .entries
            .get_mut(name)
            .filter(|entry| entry.phase != Phase::Removing);
        let entry = entry.ok_or_else(|| unknown(name))?;
        let before = std::mem::replace(&mut entry.target, target);
        if entry.phase != Phase::Steady || before == target {
            return Ok(Reply::Done);
        }
        if target == TargetState::Stopped {
            self.stop_all(name, now);
            let entry = self.entries.get_mut(name).ok_or_else(|| unknown(name))?;
            entry.connector.state = ConnectorState::Stopped;
            entry.connector.trace = None;
            let leaving = entry
                .tasks
                .drain(..)
                .map(|task| task.slot)
                .filter(|s| s.live.is_some());
            entry.leaving.extend(leaving);
        } else if before == TargetState::Stopped {
            entry.phase = Phase::Replacing;
            self.advance(name);
        } else {
            let live = entry
                .slots()
                .filter(|slot| !slot.is_stopping())
                .filter_map(|s| s.live);
            let wishes: Vec<_> = live
                .map(|instance| Output::Wish(instance, target.wish()))
                .collect();
            self.outputs.extend(wishes);
        }
        Ok(Reply::Done)
    }

    fn restart_connector(
        &mut self,
        id: RequestId,
        name: &str,
        now: Instant,
    ) -> Option<Result<Reply, HerderError>> {
        let graceful = self.graceful_timeout;
        let Some(entry) = self
            .entries
            .get_mut(name)
            .filter(|e| e.phase != Phase::Removing)
        else {
            return Some(Err(not_found(name)));
        };
        if entry.target == TargetState::Stopped {
            return Some(Ok(Reply::Done));
        }
        entry.waiters.push(Waiter::Restarted(id));
        entry.since = now;
        if entry.phase == Phase::Steady {
            stop_slot(&mut entry.connector, now + graceful, &mut self.outputs);
            entry.connector.restart = true;
            self.advance(name);
        }
        None
    }

    fn restart(
        &mut self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
        now: Instant,
    ) -> Result<Reply, HerderError> {
        let graceful = self.graceful_timeout;
        let entry = self
            .entries
            .get_mut(name)
            .filter(|entry| entry.phase != Phase::Removing);
        let entry =
            entry.ok_or_else(|| HerderError::NotFound(format!("Unknown connector: {name}")))?;
        let wanted = |slot: &Slot| !only_failed || slot.state == ConnectorState::Failed;
        let tasks = entry
            .tasks
            .iter_mut()
            .filter(|_| include_tasks)
            .map(|task| &mut task.slot);
        for slot in std::iter::once(&mut entry.connector).chain(tasks) {
            if !wanted(slot) || slot.state == ConnectorState::Stopped {
                continue;
            }
            stop_slot(slot, now + graceful, &mut self.outputs);
            slot.state = ConnectorState::Restarting;
            slot.trace = None;
            slot.restart = true;
        }
        let status = entry.status();
        self.advance(name);
        Ok(Reply::Status(status))
    }

    fn restart_task(&mut self, name: &str, task: u32, now: Instant) -> Result<Reply, HerderError> {
        let graceful = self.graceful_timeout;
        let entry = self
            .entries
            .get_mut(name)
            .filter(|entry| entry.phase != Phase::Removing);
        let entry =
            entry.ok_or_else(|| HerderError::NotFound(format!("Unknown connector: {name}")))?;
        let slot = entry.tasks.get_mut(task as usize);
        let slot =
            slot.ok_or_else(|| HerderError::NotFound(format!("Unknown task: {name}-{task}")))?;
        stop_slot(&mut slot.slot, now + graceful, &mut self.outputs);
        slot.slot.restart = true;
        self.advance(name);
        Ok(Reply::Done)
    }

    /// Takes an event of an instance.
    pub fn event(&mut self, instance: InstanceId, event: InstanceEvent, now: Instant) {
        self.now = now;
        let Some(name) = self.owners.get(&instance).cloned() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&name) else {
            return;
        };
        match event {
            InstanceEvent::TaskConfigs(configs) => {
                let is_current = entry.connector.live == Some(instance);
                if is_current && !entry.connector.is_stopping() {
                    self.set_tasks(&name, configs, now);
                }
            }
            InstanceEvent::State(state) => {
                let failed = matches!(state, InstanceState::Failed(_));
                entry.plan_restart(instance, &state, now);
                if let Some(slot) = entry.slots_mut().find(|slot| slot.live == Some(instance)) {
                    slot.report(state);
                }
                if entry.connector.live == Some(instance) {
                    self.connector_settled(&name, failed);
                }
            }
            InstanceEvent::Transient => {
                if let Some(slot) = entry.slots_mut().find(|slot| slot.live == Some(instance)) {
                    slot.restarts.is_transient();
                }
            }
            InstanceEvent::Ended => self.ended(instance),
        }
    }

    /// A connector instance runs, is paused or failed: those who wait for that get their answers.
    fn connector_settled(&mut self, name: &str, failed: bool) {
        let Some(entry) = self
            .entries
            .get_mut(name)
            .filter(|e| e.phase == Phase::Steady)
        else {
            return;
        };
        let settled = matches!(
            entry.connector.state,
            ConnectorState::Running | ConnectorState::Paused | ConnectorState::Failed
        );
        if !settled || entry.connector.is_stopping() || entry.connector.restart {
            return;
        }
        let info = entry.info();
        let trace = entry.connector.trace.clone().unwrap_or_default();
        for waiter in entry.waiters.drain(..) {
            let result = match (failed, waiter) {
                (true, _) => Err(HerderError::Failed(format!(
                    "Failed to start connector: {name}: {}",
                    trace.lines().next().unwrap_or_default()
                ))),
                (false, Waiter::Info { created, .. }) => Ok(Reply::Created(created, info.clone())),
                (false, _) => Ok(Reply::Done),
            };
            self.outputs.push(answer(waiter, result));
        }
    }

    /// Makes the connector's tasks those of `configs`: unchanged sets run on.
    fn set_tasks(&mut self, name: &str, configs: Vec<ConfigMap>, now: Instant) {
        let graceful = self.graceful_timeout;
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        if entry.tasks.iter().map(|task| &task.config).eq(&configs) {
            return;
        }
        for mut task in entry.tasks.drain(..) {
            stop_slot(&mut task.slot, now + graceful, &mut self.outputs);
            if task.slot.live.is_some() {
                entry.leaving.push(task.slot);
            }
        }
        let fresh = |config| {
            let mut slot = Slot::new();
            slot.restart = true;
            TaskSlot { config, slot }
        };
        entry.tasks = configs.into_iter().map(fresh).collect();
        self.advance(name);
    }

    fn ended(&mut self, instance: InstanceId) {
        let Some(name) = self.owners.remove(&instance) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&name) else {
            return;
        };
        entry.leaving.retain(|slot| slot.live != Some(instance));
        if let Some(slot) = entry.slots_mut().find(|slot| slot.live == Some(instance)) {
            slot.live = None;
            slot.deadline = None;
        }
        self.advance(&name);
    }

    /// Cancels instances that did not stop in time, and starts failed tasks again whose time has come.
    pub fn tick(&mut self, now: Instant) {
        self.now = now;
        self.cancel_overdue(now);
        if self.stopping.is_none() {
            self.restart_failed(now);
        }
    }

    fn restart_failed(&mut self, now: Instant) {
        let mut changed = Vec::new();
        for entry in self.entries.values_mut() {
            let (name, steady) = (entry.name.clone(), entry.phase == Phase::Steady);
            let wanted = steady && entry.target == TargetState::Started;
            for (number, task) in (0..).zip(&mut entry.tasks) {
                let slot = &mut task.slot;
                let is_due = slot.restarts.due().is_some_and(|due| due <= now);
                if !is_due || slot.live.is_some() {
                    continue;
                }
                if !wanted {
                    // Paused meanwhile, say: it stays failed, as without a policy.
                    slot.restarts.cancel();
                    continue;
                }
                let reason = slot.restarts.begin();
                slot.state = ConnectorState::Restarting;
                slot.trace = None;
                slot.restart = true;
                let id = ConnectorTaskId {
                    connector: name.clone(),
                    task: number,
                };
                self.outputs.push(Output::Restarting { id, reason });
                changed.push(name.clone());
            }
        }
        for name in changed {
            self.advance(&name);
        }
    }

    fn cancel_overdue(&mut self, now: Instant) {
        let overdue = |slot: &Slot| slot.deadline.is_some_and(|deadline| deadline <= now);
        let slots = self
            .entries
            .values()
            .flat_map(Entry::slots)
            .filter(|slot| overdue(slot));
        let instances: Vec<_> = slots.filter_map(|slot| slot.live).collect();
        for instance in instances {
            self.outputs.push(Output::Cancel(instance));
            if let Some(stopping) = &mut self.stopping {
                stopping.clean = false;
            }
            self.ended(instance);
        }
    }

    /// Begins the worker's stop.
    pub fn shut_down(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(Stopping {
            clean: true,
            exited: false,
        });
        let names: Vec<_> = self.entries.keys().cloned().collect();
        for name in names {
            self.stop_all(&name, now);
        }
        self.exit_if_done();
    }

    fn exit_if_done(&mut self) {
        let Some(stopping) = &mut self.stopping else {
            return;
        };
        if !stopping.exited && !self.entries.values().any(Entry::has_live) {
            stopping.exited = true;
            self.outputs.push(Output::Exit {
                clean: stopping.clean,
            });
        }
    }

    /// Tells every instance of a connector to stop.
    fn stop_all(&mut self, name: &str, now: Instant) {
        let deadline = now + self.graceful_timeout;
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        let mut outputs = std::mem::take(&mut self.outputs);
        for slot in entry.slots_mut() {
            stop_slot(slot, deadline, &mut outputs);
            slot.restart = false;
        }
        self.outputs = outputs;
    }

    /// Goes on with whatever waits for instances that have ended.
    pub(super) fn advance(&mut self, name: &str) {
        if self.stopping.is_some() {
            self.exit_if_done();
            return;
        }
        self.change_offsets_when_still(name);
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        match entry.phase {
            Phase::Steady => self.start_waiting_slots(name),
            _ if entry.has_live() => {}
            Phase::Replacing => {
                entry.phase = Phase::Steady;
                entry.tasks.clear();
                self.begin(name);
            }
            Phase::Removing => {
                if let Some(entry) = self.entries.remove(name) {
                    let answers = entry
                        .waiters
                        .into_iter()
                        .map(|waiter| answer(waiter, Ok(Reply::Done)));
                    self.outputs.extend(answers);
                    self.outputs.push(Output::Forget(name.to_owned()));
                }
            }
        }
    }

    /// Starts a connector that has no instance.
    fn begin(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        if entry.target == TargetState::Stopped {
            entry.connector = Slot {
                state: ConnectorState::Stopped,
                ..Slot::new()
            };
            let info = entry.info();
            for waiter in entry.waiters.drain(..) {
                let reply = match waiter {
                    Waiter::Info { created, .. } => Reply::Created(created, info.clone()),
                    Waiter::Restarted(_) | Waiter::Removed(_) => Reply::Done,
                };
                self.outputs.push(answer(waiter, Ok(reply)));
            }
            return;
        }
        entry.connector = Slot::new();
        entry.connector.restart = true;
        self.start_waiting_slots(name);
    }

    /// Starts the slots that shall run and have no instance.
    fn start_waiting_slots(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        let wish = entry.target.wish();
        if wish == Wish::Stop || !entry.offsets_changing.is_empty() {
            return;
        }
        if entry.connector.restart && entry.connector.live.is_none() {
            let instance = next(&mut self.next_instance);
            occupy(&mut entry.connector, instance);
            entry.since = self.now;
            self.owners.insert(instance, name.to_owned());
            self.outputs.push(Output::StartConnector {
                instance,
                name: name.to_owned(),
                config: entry.config.clone(),
                wish,
            });
        }
        // A task that leaves may hold what its successor needs (a file, a group member): wait for it.
        if !entry.leaving.is_empty() {
            return;
        }
        for index in 0..entry.tasks.len() {
            let id = entry.id(index);
            let task = &mut entry.tasks[index];
            if !task.slot.restart || task.slot.live.is_some() {
                continue;
            }
            let instance = next(&mut self.next_instance);
            occupy(&mut task.slot, instance);
            self.owners.insert(instance, name.to_owned());
            self.outputs.push(Output::StartTask {
                instance,
                id,
                kind: entry.kind,
                connector_config: entry.config.clone(),
                task_config: task.config.clone(),
                wish,
            });
        }
    }
}

fn next(counter: &mut u64) -> InstanceId {
    *counter += 1;
    InstanceId(*counter)
}

fn occupy(slot: &mut Slot, instance: InstanceId) {
    slot.live = Some(instance);
    slot.restart = false;
    slot.deadline = None;
    slot.trace = None;
    slot.restarts.cancel();
    if slot.state != ConnectorState::Restarting {
        slot.state = ConnectorState::Unassigned;
    }
}

fn stop_slot(slot: &mut Slot, deadline: Instant, outputs: &mut Vec<Output>) {
    let Some(instance) = slot.live else { return };
    if slot.deadline.is_none() {
        slot.deadline = Some(deadline);
        outputs.push(Output::Wish(instance, Wish::Stop));
    }
}

fn answer(waiter: Waiter, result: Result<Reply, HerderError>) -> Output {
    match waiter {
        Waiter::Info { request, .. } | Waiter::Restarted(request) | Waiter::Removed(request) => {
            Output::Answer(request, result)
        }
    }
}

/// What workers of a cluster ask each other.
fn unsupported(what: &str) -> HerderError {
    let message = format!("Kafka Connect in standalone mode does not support {what}.");
    HerderError::Failed(message)
}

fn changes(request: &Request) -> bool {
    !matches!(
        request,
        Request::Ping
            | Request::Connectors
            | Request::Overview
            | Request::Info(_)
            | Request::Status(_)
            | Request::Tasks(_)
            | Request::Offsets {
                request: OffsetsRequest::Read,
                ..
            }
    )
}
