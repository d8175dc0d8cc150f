//! What the metrics are printed from: the herder's states and the tasks' counters, taken once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use crate::api::ConnectorKind;
use crate::herder::{ConnectorOverview, ConnectorState, TaskOverview};
use crate::metrics::{
    LatencyReading, RebalanceReading, RequestReading, Stage, Stall, TaskPlugins, TaskReading,
    TaskWindows, requests,
};
use crate::plugins::PLUGIN_VERSION;
use crate::rest::response::Failure;
use crate::rest::router::Router;
use crate::shard::{BlockingLoad, blocking_load};
use crate::worker::{StartsReading, TaskOfWorker, WorkerReading, WorkerShared};

/// A worker at one moment.
pub(super) struct WorkerView {
    /// `host:port` of the advertised URL.
    pub(super) id: String,
    pub(super) started: Duration,
    pub(super) connector_starts: StartsReading,
    pub(super) task_starts: StartsReading,
    /// Of a worker in a group.
    pub(super) group: Option<RebalanceReading>,
    /// In order.
    pub(super) shards: Vec<ShardView>,
    /// Messages that wait for the herder.
    pub(super) herder_waiting: usize,
    pub(super) blocking: BlockingLoad,
    /// Empty when the view is of one connector.
    pub(super) requests: Vec<RequestReading>,
    /// By name.
    pub(super) connectors: Vec<ConnectorView>,
}

pub(super) struct ShardView {
    pub(super) index: usize,
    pub(super) cpu_time: Option<Duration>,
    pub(super) waiting: usize,
    pub(super) tasks: usize,
}

pub(super) struct ConnectorView {
    pub(super) name: String,
    pub(super) kind: ConnectorKind,
    pub(super) class: String,
    pub(super) version: &'static str,
    pub(super) state: ConnectorState,
    /// By number.
    pub(super) tasks: Vec<TaskView>,
}

impl ConnectorView {
    pub(super) fn count(&self, state: ConnectorState) -> f64 {
        self.tasks.iter().filter(|task| task.state == state).count() as f64
    }
}

pub(super) struct TaskView {
    pub(super) number: usize,
    pub(super) state: ConnectorState,
    /// Restarts by policy, by the class of the error.
    pub(super) restarts: Vec<(String, u64)>,
    /// `None` before the task was started here.
    pub(super) measured: Option<Measured>,
}

/// The numbers of a task.
pub(super) struct Measured {
    pub(super) kind: ConnectorKind,
    pub(super) shard: usize,
    pub(super) busy: Duration,
    pub(super) running_ratio: f64,
    pub(super) pause_ratio: f64,
    pub(super) counted: TaskReading,
    pub(super) windows: TaskWindows,
    pub(super) latencies: Vec<(Stage, LatencyReading)>,
    pub(super) stall: Option<Stall>,
    /// `None` before the task was built.
    pub(super) plugins: Option<TaskPlugins>,
}

/// Takes the view of all connectors, or of the one of that name, if there is one.
pub(super) fn worker(router: &Router, only: Option<&str>) -> Result<WorkerView, Failure> {
    let overview = router.herder.overview()?;
    let registry = &router.context.metrics;
    let now = Instant::now();
    let WorkerReading {
        tasks,
        shards,
        connector_starts,
        task_starts,
        group,
    } = registry.worker(now);
    let shards = shards.iter().map(|shard| ShardView {
        index: shard.index,
        cpu_time: shard.cpu_time(),
        waiting: shard.waiting(),
        tasks: tasks
            .iter()
            .filter(|task| task.shard == shard.index)
            .count(),
    });
    let shards = shards.collect();
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let mut by_connector: BTreeMap<String, Vec<TaskOfWorker>> = BTreeMap::new();
    for task in tasks.into_iter().filter(|task| wanted(&task.id.connector)) {
        let of_connector = by_connector.entry(task.id.connector.clone());
        of_connector.or_default().push(task);
    }
    let shared = &router.context.shared;
    let connectors = overview.into_iter().filter(|found| wanted(&found.name));
    let connectors = connectors.map(|found| {
        let tasks = by_connector.remove(&found.name).unwrap_or_default();
        connector(found, &tasks, shared, now)
    });
    let started = registry.started_at().duration_since(SystemTime::UNIX_EPOCH);
    Ok(WorkerView {
        id: router.worker_id.clone(),
        started: started.unwrap_or_default(),
        connector_starts,
        task_starts,
        group,
        shards,
        herder_waiting: router.herder.waiting(),
        blocking: blocking_load(),
        requests: match only {
            None => requests(now),
            Some(_) => Vec::new(),
        },
        connectors: connectors.collect(),
    })
}

fn connector(
    found: ConnectorOverview,
    tasks: &[TaskOfWorker],
    shared: &WorkerShared,
    now: Instant,
) -> ConnectorView {
    let task = |(number, task): (usize, &TaskOverview)| {
        let counted = tasks.iter().find(|task| task.id.task as usize == number);
        TaskView {
            number,
            state: task.state,
            restarts: task.restarts.clone(),
            measured: counted.map(|task| measure(task, shared, now)),
        }
    };
    let tasks = found.tasks.iter().enumerate().map(task).collect();
    let plugin = shared.plugins.connector(found.class.trim()).ok();
    ConnectorView {
        kind: found.kind,
        version: plugin.map_or(PLUGIN_VERSION, |plugin| plugin.version),
        class: plugin.map_or(found.class.clone(), |plugin| plugin.class.to_owned()),
        name: found.name,
        state: found.state,
        tasks,
    }
}

fn measure(task: &TaskOfWorker, shared: &WorkerShared, now: Instant) -> Measured {
    let stall = |limit| task.metrics.stalled(limit, now);
    Measured {
        kind: task.kind,
        shard: task.shard,
        busy: task.busy,
        running_ratio: task.running_ratio,
        pause_ratio: task.pause_ratio,
        counted: task.metrics.read(),
        windows: task.metrics.windows(now),
        latencies: task.metrics.latencies(now),
        stall: shared
            .config
            .stall_timeout
            .filter(|_| task.is_running)
            .and_then(stall),
        plugins: task.metrics.plugins().cloned(),
    }
}
