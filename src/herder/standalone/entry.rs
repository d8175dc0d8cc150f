//! What the machine knows of one connector.

use std::time::Instant;

use super::protocol::RequestId;
use crate::api::{ConfigMap, ConnectorKind};
use crate::config::connector::RestartPolicy;
use crate::herder::entities::{
    ConnectorInfo, ConnectorOverview, ConnectorState, ConnectorStateInfo, TaskInfo, TaskOverview,
    TaskState,
};
use crate::herder::restart_policy::Restarts;
use crate::task::InstanceState;
use crate::task::control::Wish;
use crate::worker::{ConnectorTaskId, InstanceId, OffsetsRequest};

/// What the user wants of a connector (Kafka: `TargetState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetState {
    Started,
    Paused,
    Stopped,
}

impl TargetState {
    pub(super) fn wish(self) -> Wish {
        match self {
            Self::Started => Wish::Run,
            Self::Paused => Wish::Pause,
            Self::Stopped => Wish::Stop,
        }
    }
}

/// A place for an instance: the connector's own, or a task's.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) live: Option<InstanceId>,
    pub(super) state: ConnectorState,
    pub(super) trace: Option<String>,
    /// Start again when the live instance has ended.
    pub(super) restart: bool,
    /// When a stopping instance is cancelled.
    pub(super) deadline: Option<Instant>,
    /// Of a task.
    pub(super) restarts: Restarts,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            live: None,
            state: ConnectorState::Unassigned,
            trace: None,
            restart: false,
            deadline: None,
            restarts: Restarts::default(),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.deadline.is_some()
    }

    /// Takes over a state that the live instance reported.
    pub(super) fn report(&mut self, state: InstanceState) {
        let (state, trace) = match state {
            InstanceState::Running => (ConnectorState::Running, None),
            InstanceState::Paused => (ConnectorState::Paused, None),
            InstanceState::Failed(trace) => (ConnectorState::Failed, Some(trace)),
            InstanceState::Stopped => (ConnectorState::Unassigned, None),
        };
        if self.is_stopping() && state != ConnectorState::Failed {
            return;
        }
        self.state = state;
        self.trace = trace;
    }
}

/// A change that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// None.
    Steady,
    /// All instances are being stopped, to start anew with the configuration that is stored.
    Replacing,
    /// All instances are being stopped, to be gone.
    Removing,
}

/// Who waits for a change to be complete.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waiter {
    /// Create or replace: answered with the connector's info when its tasks exist.
    Info { request: RequestId, created: bool },
    /// Restart of the connector instance.
    Restarted(RequestId),
    /// Delete.
    Removed(RequestId),
}

#[derive(Debug)]
pub(super) struct TaskSlot {
    pub(super) config: ConfigMap,
    pub(super) slot: Slot,
}

/// A connector.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: ConnectorKind,
    pub(super) config: ConfigMap,
    pub(super) target: TargetState,
    pub(super) phase: Phase,
    pub(super) connector: Slot,
    pub(super) tasks: Vec<TaskSlot>,
    /// Tasks that no longer belong to the connector and still stop.
    pub(super) leaving: Vec<Slot>,
    pub(super) waiters: Vec<Waiter>,
    /// When what the waiters wait for began: the stop of old instances, or the start of new ones.
    pub(super) since: Instant,
    /// Changes of offsets that wait for the end of the last instance.
    pub(super) offsets_waiting: Vec<(RequestId, OffsetsRequest)>,
    /// Changes of offsets that are under way; nothing is started meanwhile.
    pub(super) offsets_changing: Vec<RequestId>,
}

impl Entry {
    pub(super) fn new(
        name: String,
        kind: ConnectorKind,
        config: ConfigMap,
        target: TargetState,
        now: Instant,
    ) -> Self {
        Self {
            name,
            kind,
            config,
            target,
            phase: Phase::Steady,
            connector: Slot::new(),
            tasks: Vec::new(),
            leaving: Vec::new(),
            waiters: Vec::new(),
            since: now,
            offsets_waiting: Vec::new(),
            offsets_changing: Vec::new(),
        }
    }

    pub(super) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        let tasks = self.tasks.iter_mut().map(|task| &mut task.slot);
        std::iter::once(&mut self.connector)
            .chain(tasks)
            .chain(&mut self.leaving)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let tasks = self.tasks.iter().map(|task| &task.slot);
        std::iter::once(&self.connector)
            .chain(tasks)
            .chain(&self.leaving)
    }

    /// A task has told its state: one that failed may be due for a restart.
    pub(super) fn plan_restart(
        &mut self,
        instance: InstanceId,
        state: &InstanceState,
        now: Instant,
    ) {
        let mut tasks = self.tasks.iter_mut();
        let found = tasks.find(|task| task.slot.live == Some(instance));
        let Some(TaskSlot { slot, .. }) = found else {
            return;
        };
        match state {
            InstanceState::Running => slot.restarts.ran(now),
            InstanceState::Failed(trace) if !slot.is_stopping() => {
                slot.restarts
                    .failed(RestartPolicy::of(&self.config), trace, now);
            }
            InstanceState::Failed(_) | InstanceState::Paused | InstanceState::Stopped => {}
        }
    }

    pub(super) fn has_live(&self) -> bool {
        self.slots().any(|slot| slot.live.is_some())
    }

    pub(super) fn id(&self, task: usize) -> ConnectorTaskId {
        ConnectorTaskId {
            connector: self.name.clone(),
            task: u32::try_from(task).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn info(&self) -> ConnectorInfo {
        ConnectorInfo {
            name: self.name.clone(),
            config: self.config.clone(),
            tasks: (0..self.tasks.len()).map(|task| self.id(task)).collect(),
            kind: Some(self.kind),
        }
    }

    pub(super) fn status(&self) -> ConnectorStateInfo {
        let task = |(index, task): (usize, &TaskSlot)| TaskState {
            id: self.id(index).task,
            state: task.slot.state,
            trace: task.slot.trace.clone(),
            runs_on: None,
            restarts: task.slot.restarts.shown(),
            instance: task.slot.live,
            hanging: None,
        };
        ConnectorStateInfo {
            name: self.name.clone(),
            state: self.connector.state,
            trace: self.connector.trace.clone(),
            runs_on: None,
            instance: self.connector.live,
            hanging: None,
            tasks: self.tasks.iter().enumerate().map(task).collect(),
            kind: Some(self.kind),
        }
    }

    pub(super) fn overview(&self) -> ConnectorOverview {
        let class = self.config.get("connector.class").cloned().flatten();
        let task = |task: &TaskSlot| TaskOverview {
            state: task.slot.state,
            restarts: task.slot.restarts.by_reason(),
        };
        ConnectorOverview {
            name: self.name.clone(),
            kind: self.kind,
            class: class.unwrap_or_default(),
            state: self.connector.state,
            tasks: self.tasks.iter().map(task).collect(),
        }
    }

    pub(super) fn task_infos(&self) -> Vec<TaskInfo> {
        let info = |(index, task): (usize, &TaskSlot)| TaskInfo {
            id: self.id(index),
            config: task.config.clone(),
        };
        self.tasks.iter().enumerate().map(info).collect()
    }
}
