//! The metrics of the worker and of its tasks, for the progress line and the REST API.
//!
//! Written by the herder's thread (starts, states, ends) and, behind each task's [`TaskMetrics`], by the
//! shard that runs it. Readers hold the lock only to copy what is known of whom.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::instance::{ConnectorTaskId, InstanceId};
use crate::api::ConnectorKind;
use crate::metrics::{
    Frequency, GroupState, RebalanceReading, RebalanceTracker, RunState, Stall, StatReading,
    StateTracker, TaskMetrics, TaskReading, WindowConfig,
};
use crate::shard::{BusyTime, ShardLoad};
use crate::task::InstanceState;
use crate::task::control::Wish;

/// Metrics of a process. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub struct MetricsRegistry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    windows: WindowConfig,
    started: Instant,
    started_at: SystemTime,
    registered: Mutex<Registered>,
}

#[derive(Debug)]
struct Registered {
    tasks: BTreeMap<ConnectorTaskId, RegisteredTask>,
    shards: Vec<ShardLoad>,
    /// Tasks whose instance has not ended.
    live: BTreeMap<InstanceId, ConnectorTaskId>,
    connector_starts: Starts,
    task_starts: Starts,
    /// Of a worker in a group.
    group: Option<RebalanceTracker>,
}

#[derive(Debug)]
struct RegisteredTask {
    kind: ConnectorKind,
    shard: usize,
    metrics: Arc<TaskMetrics>,
    busy: BusyTime,
    state: StateTracker,
}

#[derive(Debug)]
struct Starts {
    succeeded: u64,
    failed: u64,
    results: Frequency,
}

impl Starts {
    fn new(windows: WindowConfig) -> Self {
        Self {
            succeeded: 0,
            failed: 0,
            results: Frequency::new(windows),
        }
    }

    fn count(&mut self, succeeded: bool, now: Duration) {
        match succeeded {
            true => self.succeeded += 1,
            false => self.failed += 1,
        }
        self.results.record(succeeded, now);
    }

    fn read(&self, now: Duration) -> StartsReading {
        StartsReading {
            succeeded: self.succeeded,
            failed: self.failed,
            results: self.results.read(now),
        }
    }
}

/// How starts of connectors or of tasks went (Kafka: `WorkerMetricsGroup`).
#[derive(Debug, Clone, Copy)]
pub struct StartsReading {
    /// `*-startup-success-total`.
    pub succeeded: u64,
    /// `*-startup-failure-total`.
    pub failed: u64,
    /// `*-startup-*-percentage`, by its shares.
    pub results: StatReading,
}

/// A task's metrics and what is known of it here.
#[derive(Debug, Clone)]
pub struct TaskOfWorker {
    /// Which task.
    pub id: ConnectorTaskId,
    /// Source or sink.
    pub kind: ConnectorKind,
    /// Number of the shard that it runs on.
    pub shard: usize,
    /// Its counters.
    pub metrics: Arc<TaskMetrics>,
    /// How long its shard worked for it.
    pub busy: Duration,
    /// `running-ratio`.
    pub running_ratio: f64,
    /// `pause-ratio`.
    pub pause_ratio: f64,
    /// Whether it runs now.
    pub is_running: bool,
}

/// What there is to see of a worker.
#[derive(Debug, Clone)]
pub struct WorkerReading {
    /// Tasks by connector and number.
    pub tasks: Vec<TaskOfWorker>,
    /// Shards in order.
    pub shards: Vec<ShardLoad>,
    /// Starts of connectors.
    pub connector_starts: StartsReading,
    /// Starts of tasks.
    pub task_starts: StartsReading,
    /// Its place in the group of workers; `None` when it is in none by its mode.
    pub group: Option<RebalanceReading>,
}

impl Default for MetricsRegistry {
    fn default() -> Self {
        Self::new(WindowConfig::default())
    }
}

impl MetricsRegistry {
    /// No tasks; the process starts now.
    pub fn new(windows: WindowConfig) -> Self {
        Self(Arc::new(Shared {
            windows,
            started: Instant::now(),
            started_at: SystemTime::now(),
            registered: Mutex::new(Registered {
                tasks: BTreeMap::new(),
                shards: Vec::new(),
                live: BTreeMap::new(),
                connector_starts: Starts::new(windows),
                task_starts: Starts::new(windows),
                group: None,
            }),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        let registered = &self.0.registered;
        registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the process started.
    pub fn started_at(&self) -> SystemTime {
        self.0.started_at
    }

    /// Time on the registry's clock.
    fn clock(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.0.started)
    }

    /// The worker's place in its group has changed.
    pub fn group_changed(&self, state: GroupState) {
        let now = self.clock(Instant::now());
        match &mut self.lock().group {
            Some(tracker) => tracker.change(state, now),
            none => *none = Some(RebalanceTracker::new(self.0.windows, state, now)),
        }
    }

    pub(super) fn set_shards(&self, shards: &[ShardLoad]) {
        self.lock().shards = shards.to_vec();
    }

    /// A task is about to start: where it counts, and where the time goes that it takes.
    pub(super) fn register(
        &self,
        instance: InstanceId,
        id: ConnectorTaskId,
        kind: ConnectorKind,
        shard: usize,
        wish: Wish,
    ) -> (Arc<TaskMetrics>, BusyTime) {
        let now = Instant::now();
        let metrics = Arc::new(TaskMetrics::with_windows(self.0.windows, now));
        // As Kafka has it, the time before the start counts for the state that is wanted.
        let state = match wish {
            Wish::Pause => RunState::Paused,
            Wish::Run | Wish::Stop => RunState::Running,
        };
        let busy = BusyTime::default();
        let task = RegisteredTask {
            kind,
            shard,
            metrics: Arc::clone(&metrics),
            busy: busy.clone(),
            state: StateTracker::new(state, self.clock(now)),
        };
        let mut registered = self.lock();
        registered.live.insert(instance, id.clone());
        registered.tasks.insert(id, task);
        (metrics, busy)
    }

    /// A task reported a state.
    pub(super) fn state_of(&self, instance: InstanceId, state: &InstanceState) {
        let now = self.clock(Instant::now());
        let mut registered = self.lock();
        let Registered { live, tasks, .. } = &mut *registered;
        let Some(task) = live.get(&instance).and_then(|id| tasks.get_mut(id)) else {
            return;
        };
        let state = match state {
            InstanceState::Running => RunState::Running,
            InstanceState::Paused => RunState::Paused,
            InstanceState::Failed(_) => RunState::Failed,
            InstanceState::Stopped => RunState::Unassigned,
        };
        task.state.change(state, now);
    }

    /// A connector or task started for the first time, or failed before it did.
    pub(super) fn start_ended(&self, is_task: bool, succeeded: bool) {
        let now = self.clock(Instant::now());
        let mut registered = self.lock();
        let starts = match is_task {
            true => &mut registered.task_starts,
            false => &mut registered.connector_starts,
        };
        starts.count(succeeded, now);
    }

    /// An instance is gone: the metrics of a task vanish, those of a failed one stay until it is started
    /// again, as in Kafka.
    pub(super) fn ended(&self, instance: InstanceId) {
        let mut registered = self.lock();
        let Some(id) = registered.live.remove(&instance) else {
            return;
        };
        // Its successor may have the place already.
        let replaced = registered.live.values().any(|live| *live == id);
        let failed = |task: &RegisteredTask| task.state.state() == RunState::Failed;
        if !replaced && !registered.tasks.get(&id).is_some_and(failed) {
            registered.tasks.remove(&id);
        }
    }

    /// Forgets the tasks of a connector that are not running.
    pub(super) fn forget(&self, connector: &str) {
        let mut registered = self.lock();
        let Registered { live, tasks, .. } = &mut *registered;
        tasks.retain(|id, _| {
            id.connector != connector || live.values().any(|running| running == id)
        });
    }

    /// Readings of all tasks that were started since their connector was, by connector and number.
    pub fn read(&self) -> Vec<(ConnectorTaskId, ConnectorKind, TaskReading)> {
        let registered = self.lock();
        let tasks = registered.tasks.iter();
        tasks
            .map(|(id, task)| (id.clone(), task.kind, task.metrics.read()))
            .collect()
    }

    /// Tasks that have not got on for `limit` though they could. Those that are paused or have failed
    /// need not.
    pub fn stalled(&self, limit: Duration, now: Instant) -> Vec<(ConnectorTaskId, Stall)> {
        let registered = self.lock();
        let running = registered
            .tasks
            .iter()
            .filter(|(_, task)| task.state.state() == RunState::Running);
        running
            .filter_map(|(id, task)| Some((id.clone(), task.metrics.stalled(limit, now)?)))
            .collect()
    }

    /// Everything there is, to read at leisure.
    pub fn worker(&self, now: Instant) -> WorkerReading {
        let clock = self.clock(now);
        let registered = self.lock();
        let task = |(id, task): (&ConnectorTaskId, &RegisteredTask)| TaskOfWorker {
            id: id.clone(),
            kind: task.kind,
            shard: task.shard,
            metrics: Arc::clone(&task.metrics),
            busy: task.busy.read(),
            running_ratio: task.state.running_ratio(clock),
            pause_ratio: task.state.pause_ratio(clock),
            is_running: task.state.state() == RunState::Running,
        };
        WorkerReading {
            tasks: registered.tasks.iter().map(task).collect(),
            shards: registered.shards.clone(),
            connector_starts: registered.connector_starts.read(clock),
            task_starts: registered.task_starts.read(clock),
            group: registered.group.as_ref().map(|group| group.read(clock)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(connector: &str, task: u32) -> ConnectorTaskId {
        ConnectorTaskId {
            connector: connector.to_owned(),
            task,
        }
    }

    fn names(registry: &MetricsRegistry) -> Vec<String> {
        let tasks = registry.worker(Instant::now()).tasks;
        tasks.iter().map(|task| task.id.to_string()).collect()
    }

    fn register(registry: &MetricsRegistry, instance: u64, connector: &str) {
        let (instance, id) = (InstanceId(instance), id(connector, 0));
        registry.register(instance, id, ConnectorKind::Sink, 1, Wish::Run);
    }

    #[test]
    fn metrics_of_a_task_vanish_when_it_stops_and_stay_when_it_failed() {
        let registry = MetricsRegistry::default();
        register(&registry, 1, "a");
        register(&registry, 2, "b");
        registry.state_of(InstanceId(1), &InstanceState::Stopped);
        registry.ended(InstanceId(1));
        registry.state_of(InstanceId(2), &InstanceState::Failed("boom".to_owned()));
        registry.ended(InstanceId(2));
        assert_eq!(names(&registry), ["b-0"]);
        registry.forget("b");
        assert_eq!(names(&registry), [""; 0]);
    }

    #[test]
    fn the_end_of_a_replaced_instance_leaves_its_successor_alone() {
        let registry = MetricsRegistry::default();
        register(&registry, 1, "a");
        register(&registry, 2, "a");
        registry.ended(InstanceId(1));
        registry.forget("a");
        assert_eq!(names(&registry), ["a-0"]);
    }

    #[test]
    fn starts_are_counted_with_their_shares() {
        let registry = MetricsRegistry::default();
        for succeeded in [true, true, true, false] {
            registry.start_ended(true, succeeded);
        }
        let worker = registry.worker(Instant::now());
        assert_eq!(
            (worker.task_starts.succeeded, worker.task_starts.failed),
            (3, 1)
        );
        assert_eq!(worker.task_starts.results.share(), 0.75);
        assert_eq!(worker.connector_starts.results.share(), 0.0);
    }
}
