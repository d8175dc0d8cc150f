//! The tables of all metrics: Kafka's groups with their attributes, and Ringmain's own.
//!
//! A metric's name at `/metrics` is its group's prefix, `_`, and its attribute with `-` as `_`; in JSON it is
//! the attribute in an object of the group's name. `configs/METRICS.md` is made of these tables.

use super::view::{ConnectorView, Measured, ShardView, WorkerView};
use crate::api::ConnectorKind;
use crate::herder::ConnectorState;
use crate::metrics::{RebalanceReading, TaskPlugins};

/// Whether a value only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// One number of a group.
pub(super) struct Attribute<T: 'static> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    /// `None` where it has no meaning.
    pub(super) value: fn(&T) -> Option<f64>,
}

/// The numbers that belong together.
pub(super) struct Group<T: 'static> {
    /// Kafka's name.
    pub(super) name: &'static str,
    /// What the names at `/metrics` begin with.
    pub(super) prefix: &'static str,
    /// Whether it is for these.
    pub(super) fits: fn(&T) -> bool,
    pub(super) attributes: &'static [Attribute<T>],
}

impl<T: 'static> Group<T> {
    pub(super) fn metric(&self, attribute: &Attribute<T>) -> String {
        metric(self.prefix, attribute.name)
    }
}

/// The name at `/metrics`.
pub(super) fn metric(prefix: &str, attribute: &str) -> String {
    format!("{prefix}_{}", attribute.replace('-', "_"))
}

const fn counter<T: 'static>(
    name: &'static str,
    help: &'static str,
    value: fn(&T) -> Option<f64>,
) -> Attribute<T> {
    Attribute {
        name,
        kind: Kind::Counter,
        help,
        value,
    }
}

const fn gauge<T: 'static>(
    name: &'static str,
    help: &'static str,
    value: fn(&T) -> Option<f64>,
) -> Attribute<T> {
    Attribute {
        name,
        kind: Kind::Gauge,
        help,
        value,
    }
}

/// `connect-worker-metrics` of the worker.
pub(super) const WORKER: Group<WorkerView> = Group {
    name: "connect-worker-metrics",
    prefix: "kafka_connect_worker",
    fits: |_| true,
    attributes: &[
        gauge("connector-count", "Connectors of this worker.", |worker| {
            Some(worker.connectors.len() as f64)
        }),
        gauge("task-count", "Tasks of this worker.", |worker| {
            let tasks = worker.connectors.iter().map(|found| found.tasks.len());
            Some(tasks.sum::<usize>() as f64)
        }),
        counter(
            "connector-startup-attempts-total",
            "Starts of connectors that succeeded or failed.",
            |worker| {
                let starts = &worker.connector_starts;
                Some((starts.succeeded + starts.failed) as f64)
            },
        ),
        counter(
            "connector-startup-success-total",
            "Starts of connectors that succeeded.",
            |worker| Some(worker.connector_starts.succeeded as f64),
        ),
        gauge(
            "connector-startup-success-percentage",
            "Share (0 to 1) of the starts of connectors in the window that succeeded.",
            |worker| Some(worker.connector_starts.results.share()),
        ),
        counter(
            "connector-startup-failure-total",
            "Starts of connectors that failed.",
            |worker| Some(worker.connector_starts.failed as f64),
        ),
        gauge(
            "connector-startup-failure-percentage",
            "Share (0 to 1) of the starts of connectors in the window that failed.",
            |worker| Some(worker.connector_starts.results.share_of_zeros()),
        ),
        counter(
            "task-startup-attempts-total",
            "Starts of tasks that succeeded or failed.",
            |worker| {
                let starts = &worker.task_starts;
                Some((starts.succeeded + starts.failed) as f64)
            },
        ),
        counter(
            "task-startup-success-total",
            "Starts of tasks that succeeded.",
            |worker| Some(worker.task_starts.succeeded as f64),
        ),
        gauge(
            "task-startup-success-percentage",
            "Share (0 to 1) of the starts of tasks in the window that succeeded.",
            |worker| Some(worker.task_starts.results.share()),
        ),
        counter(
            "task-startup-failure-total",
            "Starts of tasks that failed.",
            |worker| Some(worker.task_starts.failed as f64),
        ),
        gauge(
            "task-startup-failure-percentage",
            "Share (0 to 1) of the starts of tasks in the window that failed.",
            |worker| Some(worker.task_starts.results.share_of_zeros()),
        ),
    ],
};

/// `connect-worker-metrics` of each connector.
pub(super) const WORKER_CONNECTOR: Group<ConnectorView> = Group {
    name: "connect-worker-metrics",
    prefix: "kafka_connect_worker",
    fits: |_| true,
    attributes: &[
        gauge(
            "connector-total-task-count",
            "Tasks of the connector.",
            |connector| Some(connector.tasks.len() as f64),
        ),
        gauge(
            "connector-running-task-count",
            "Tasks of the connector that run.",
            |connector| Some(connector.count(ConnectorState::Running)),
        ),
        gauge(
            "connector-paused-task-count",
            "Tasks of the connector that are paused.",
            |connector| Some(connector.count(ConnectorState::Paused)),
        ),
        gauge(
            "connector-failed-task-count",
            "Tasks of the connector that failed.",
            |connector| Some(connector.count(ConnectorState::Failed)),
        ),
        gauge(
            "connector-unassigned-task-count",
            "Tasks of the connector that are starting, or stopped.",
            |connector| Some(connector.count(ConnectorState::Unassigned)),
        ),
        gauge(
            "connector-destroyed-task-count",
            "Always 0: a task of a deleted connector is gone.",
            |_| Some(0.0),
        ),
        gauge(
            "connector-restarting-task-count",
            "Tasks of the connector that are being restarted.",
            |connector| Some(connector.count(ConnectorState::Restarting)),
        ),
    ],
};

/// A worker's rebalances.
pub(super) const REBALANCE: Group<RebalanceReading> = Group {
    name: "connect-worker-rebalance-metrics",
    prefix: "kafka_connect_worker_rebalance",
    fits: |_| true,
    attributes: &[
        gauge(
            "epoch",
            "Generation of the group that the worker is in; −1 in none.",
            |group| Some(f64::from(group.state.generation)),
        ),
        counter(
            "completed-rebalances-total",
            "Rebalances that the worker has completed.",
            |group| Some(group.completed as f64),
        ),
        gauge(
            "rebalancing",
            "1 while a rebalance is under way, else 0.",
            |group| Some(f64::from(u8::from(group.state.is_rebalancing))),
        ),
        gauge(
            "rebalance-max-time-ms",
            "Longest rebalance in the window, from joining until what was assigned is started, in milliseconds.",
            |group| Some(group.times_ms.max),
        ),
        gauge(
            "rebalance-avg-time-ms",
            "Mean time of a rebalance in the window, in milliseconds.",
            |group| Some(group.times_ms.avg),
        ),
        gauge(
            "time-since-last-rebalance-ms",
            "Time since the last rebalance was completed, in milliseconds; +Inf before the first.",
            |group| {
                let since = group.since_last;
                Some(since.map_or(f64::INFINITY, |since| since.as_millis() as f64))
            },
        ),
    ],
};

/// Texts of `connect-worker-rebalance-metrics`.
pub(super) const REBALANCE_TEXTS: [Text<RebalanceReading>; 2] = [
    ("connect-protocol", |group| group.state.protocol),
    ("leader-name", |group| {
        group.state.leader.as_deref().unwrap_or_default()
    }),
];

/// Metric of these texts.
pub(super) const REBALANCE_INFO: &str = "kafka_connect_worker_rebalance_info";
/// What it says.
pub(super) const REBALANCE_INFO_HELP: &str =
    "Protocol of the group of workers and its leader's URL, as labels.";

/// What a worker was given (Kafka: `WorkerCoordinatorMetrics`).
pub(super) const COORDINATOR: Group<RebalanceReading> = Group {
    name: "connect-coordinator-metrics",
    prefix: "kafka_connect_coordinator",
    fits: |_| true,
    attributes: &[
        gauge(
            "assigned-connectors",
            "Connectors that the group gave to the worker.",
            |group| Some(group.state.connectors as f64),
        ),
        gauge(
            "assigned-tasks",
            "Tasks that the group gave to the worker.",
            |group| Some(group.state.tasks as f64),
        ),
    ],
};

/// All groups of tasks.
pub(super) const TASK_GROUPS: [&Group<Measured>; 5] = [&TASK, &SOURCE, &SINK, &ERRORS, &OWN_TASK];

fn is_source(task: &Measured) -> bool {
    task.kind == ConnectorKind::Source
}

fn is_sink(task: &Measured) -> bool {
    task.kind == ConnectorKind::Sink
}

pub(super) const TASK: Group<Measured> = Group {
    name: "connector-task-metrics",
    prefix: "kafka_connect_connector_task",
    fits: |_| true,
    attributes: &[
        gauge(
            "running-ratio",
            "Share (0 to 1) of the time since its start that the task was running.",
            |task| Some(task.running_ratio),
        ),
        gauge(
            "pause-ratio",
            "Share (0 to 1) of the time since its start that the task was paused.",
            |task| Some(task.pause_ratio),
        ),
        gauge(
            "offset-commit-max-time-ms",
            "Longest offset commit in the window, in milliseconds.",
            |task| Some(task.windows.commit_ms.max),
        ),
        gauge(
            "offset-commit-avg-time-ms",
            "Mean time of an offset commit in the window, in milliseconds.",
            |task| Some(task.windows.commit_ms.avg),
        ),
        gauge(
            "offset-commit-success-percentage",
            "Share (0 to 1) of the offset commits in the window that succeeded.",
            |task| Some(task.windows.commits.share()),
        ),
        gauge(
            "offset-commit-failure-percentage",
            "Share (0 to 1) of the offset commits in the window that failed.",
            |task| Some(task.windows.commits.share_of_zeros()),
        ),
        gauge(
            "batch-size-max",
            "Records of the largest batch in the window.",
            |task| Some(task.windows.batch_size.max),
        ),
        gauge(
            "batch-size-avg",
            "Mean number of records of a batch in the window.",
            |task| Some(task.windows.batch_size.avg),
        ),
    ],
};

pub(super) const SOURCE: Group<Measured> = Group {
    name: "source-task-metrics",
    prefix: "kafka_connect_source_task",
    fits: is_source,
    attributes: &[
        gauge(
            "source-record-poll-rate",
            "Records per second that the source gave, before transforms.",
            |task| Some(task.windows.polled.rate),
        ),
        counter(
            "source-record-poll-total",
            "Records that the source gave, before transforms.",
            |task| Some(task.counted.polled as f64),
        ),
        gauge(
            "source-record-write-rate",
            "Records per second that Kafka acknowledged.",
            |task| Some(task.windows.written.rate),
        ),
        counter(
            "source-record-write-total",
            "Records that Kafka acknowledged; filtered and skipped ones are not among them.",
            |task| Some(task.counted.written as f64),
        ),
        gauge(
            "poll-batch-max-time-ms",
            "Longest wait for a batch of the source in the window, in milliseconds.",
            |task| Some(task.windows.call_ms.max),
        ),
        gauge(
            "poll-batch-avg-time-ms",
            "Mean wait for a batch of the source in the window, in milliseconds.",
            |task| Some(task.windows.call_ms.avg),
        ),
        gauge(
            "source-record-active-count",
            "Records that the source gave and Kafka has not acknowledged.",
            |task| Some(task.counted.active as f64),
        ),
        gauge(
            "source-record-active-count-max",
            "Largest number of such records in the window.",
            |task| Some(task.windows.active.max),
        ),
        gauge(
            "source-record-active-count-avg",
            "Mean number of such records in the window.",
            |task| Some(task.windows.active.avg),
        ),
    ],
};

pub(super) const SINK: Group<Measured> = Group {
    name: "sink-task-metrics",
    prefix: "kafka_connect_sink_task",
    fits: is_sink,
    attributes: &[
        gauge(
            "sink-record-read-rate",
            "Records per second that were consumed, before transforms.",
            |task| Some(task.windows.polled.rate),
        ),
        counter(
            "sink-record-read-total",
            "Records that were consumed, before transforms.",
            |task| Some(task.counted.polled as f64),
        ),
        gauge(
            "sink-record-send-rate",
            "Records per second that the sink took.",
            |task| Some(task.windows.written.rate),
        ),
        counter(
            "sink-record-send-total",
            "Records that the sink took; filtered and skipped ones are not among them.",
            |task| Some(task.counted.written as f64),
        ),
        gauge("partition-count", "Partitions that the task has.", |task| {
            Some(task.counted.partitions as f64)
        }),
        gauge(
            "offset-commit-seq-no",
            "Number of the offset commit that began last.",
            |task| Some(task.counted.commits_begun as f64),
        ),
        gauge(
            "offset-commit-completion-rate",
            "Offset commits per second that succeeded.",
            |task| Some(task.windows.commits.rate),
        ),
        counter(
            "offset-commit-completion-total",
            "Offset commits that succeeded.",
            |task| Some(task.counted.commits as f64),
        ),
        gauge(
            "offset-commit-skip-rate",
            "Offset commits per second that took so long that the next one began.",
            |task| Some(task.windows.commits_skipped.rate),
        ),
        counter(
            "offset-commit-skip-total",
            "Offset commits that took so long that the next one began.",
            |task| Some(task.counted.commits_skipped as f64),
        ),
        gauge(
            "put-batch-max-time-ms",
            "Longest put of the sink in the window, in milliseconds.",
            |task| Some(task.windows.call_ms.max),
        ),
        gauge(
            "put-batch-avg-time-ms",
            "Mean time of a put of the sink in the window, in milliseconds.",
            |task| Some(task.windows.call_ms.avg),
        ),
        gauge(
            "sink-record-active-count",
            "Records that were consumed and whose offsets are not committed.",
            |task| Some(task.counted.active as f64),
        ),
        gauge(
            "sink-record-active-count-max",
            "Largest number of such records in the window.",
            |task| Some(task.windows.active.max),
        ),
        gauge(
            "sink-record-active-count-avg",
            "Mean number of such records in the window.",
            |task| Some(task.windows.active.avg),
        ),
    ],
};

pub(super) const ERRORS: Group<Measured> = Group {
    name: "task-error-metrics",
    prefix: "kafka_connect_task_error",
    fits: |_| true,
    attributes: &[
        counter(
            "total-record-failures",
            "Operations on records that failed, those that were tried again among them.",
            |task| Some(task.counted.failures as f64),
        ),
        counter(
            "total-record-errors",
            "Operations on records that failed for good.",
            |task| Some(task.counted.errors as f64),
        ),
        counter(
            "total-records-skipped",
            "Failed records that were tolerated.",
            |task| Some(task.counted.skipped as f64),
        ),
        counter(
            "total-retries",
            "Operations on records that were tried again.",
            |task| Some(task.counted.retries as f64),
        ),
        counter(
            "total-errors-logged",
            "Errors of records that were logged.",
            |task| Some(task.counted.errors_logged as f64),
        ),
        counter(
            "deadletterqueue-produce-requests",
            "Records that were given to the dead letter queue.",
            |task| Some(task.counted.dead_letters as f64),
        ),
        counter(
            "deadletterqueue-produce-failures",
            "Records that could not be written to the dead letter queue.",
            |task| Some(task.counted.dead_letter_failures as f64),
        ),
        gauge(
            "last-error-timestamp",
            "When a record failed last, in milliseconds since 1970; 0 before the first one.",
            |task| Some(task.counted.last_error_ms as f64),
        ),
    ],
};

pub(super) const OWN_TASK: Group<Measured> = Group {
    name: "ringmain-task",
    prefix: "ringmain_task",
    fits: |_| true,
    attributes: &[
        counter(
            "busy_seconds_total",
            "How long the task's shard worked for it, its clients included; blocking calls are not in it.",
            |task| Some(task.busy.as_secs_f64()),
        ),
        counter(
            "bytes_total",
            "Bytes of keys and values that were handed on.",
            |task| Some(task.counted.bytes as f64),
        ),
        counter(
            "records_filtered_total",
            "Records that transforms dropped.",
            |task| Some(task.counted.filtered as f64),
        ),
        counter(
            "offset_commits_total",
            "Offset commits that succeeded.",
            |task| Some(task.counted.commits as f64),
        ),
        counter(
            "offset_commit_failures_total",
            "Offset commits that failed.",
            |task| Some(task.counted.commit_failures as f64),
        ),
        gauge(
            "lag_records",
            "Records of a sink's partitions that are not consumed; absent before the first answer.",
            |task| task.counted.lag.map(|lag| lag as f64),
        ),
        gauge(
            "stalled_seconds",
            "For how long the task has got nowhere though it could, once that is longer than task.stall.timeout.ms; else 0.",
            |task| Some(task.stall.map_or(0.0, |stall| stall.lasting.as_secs_f64())),
        ),
        gauge(
            "shard",
            "Number of the shard that the task runs on.",
            |task| Some(task.shard as f64),
        ),
    ],
};

/// Of each shard.
pub(super) const OWN_SHARD: Group<ShardView> = Group {
    name: "ringmain-shard",
    prefix: "ringmain_shard",
    fits: |_| true,
    attributes: &[
        counter(
            "cpu_seconds_total",
            "CPU time of the shard's thread, the kernel's work for it included: its rate is the shard's load.",
            |shard| shard.cpu_time.map(|time| time.as_secs_f64()),
        ),
        gauge(
            "mailbox_messages",
            "Messages that wait in the shard's mailbox, of 4,096 at most.",
            |shard| Some(shard.waiting as f64),
        ),
        gauge("tasks", "Tasks on the shard.", |shard| {
            Some(shard.tasks as f64)
        }),
    ],
};

/// Of the process.
pub(super) const OWN_WORKER: Group<WorkerView> = Group {
    name: "ringmain",
    prefix: "ringmain",
    fits: |_| true,
    attributes: &[
        gauge(
            "herder_queue_messages",
            "Messages that wait for the herder, of 16,384 at most.",
            |worker| Some(worker.herder_waiting as f64),
        ),
        gauge(
            "blocking_queue_calls",
            "Blocking calls that wait for a thread, of 4,096 at most.",
            |worker| Some(worker.blocking.waiting as f64),
        ),
        gauge(
            "blocking_busy_threads",
            "Threads that are in a blocking call, of 32 at most.",
            |worker| Some(worker.blocking.threads.saturating_sub(worker.blocking.idle) as f64),
        ),
    ],
};

/// Durations of requests, by the labels `broker` and `api`.
pub(super) const REQUESTS: &str = "ringmain_broker_request_duration_seconds";
pub(super) const REQUESTS_HELP: &str = "How long brokers took to answer, by kind of request: percentiles of the last 30 to 60 s, count and sum since the start. A Fetch waits at the broker for records.";

/// Restarts of failed tasks by their connector's policy, by the label `reason`.
pub(super) const RESTARTS: &str = "ringmain_task_restarts_total";
pub(super) const RESTARTS_HELP: &str =
    "Restarts of a failed task by errors.restart.policy, by the class of its error.";

/// The stage that stalls a task, by the label `stage`.
pub(super) const STALLS: &str = "ringmain_task_stalled";
pub(super) const STALLS_HELP: &str =
    "1 for the stage in which a task is stalled; absent while it is not.";

/// Durations of a task's stages, by the label `stage`.
pub(super) const STAGES: &str = "ringmain_task_stage_duration_seconds";
pub(super) const STAGES_HELP: &str = "How long a batch or call of a stage took: percentiles of the last half to whole window, count and sum since the start.";
/// Which percentiles are shown, and their names in JSON.
pub(super) const QUANTILES: [(f64, &str, &str); 4] = [
    (0.5, "0.5", "p50"),
    (0.9, "0.9", "p90"),
    (0.99, "0.99", "p99"),
    (0.999, "0.999", "p999"),
];

/// Texts of `connector-metrics`, besides `status`.
pub(super) const CONNECTOR_TEXTS: [Text<ConnectorView>; 3] = [
    ("connector-type", |connector| connector.kind.name()),
    ("connector-class", |connector| &connector.class),
    ("connector-version", |connector| connector.version),
];

/// A text attribute, which is a label of the info metric of its group.
pub(super) type Text<T> = (&'static str, for<'a> fn(&'a T) -> &'a str);

/// Texts of `connector-task-metrics`, besides `status` and `connector-type`.
pub(super) const TASK_TEXTS: [Text<TaskPlugins>; 10] = [
    ("connector-class", |task| task.connector_class),
    ("connector-version", |task| task.version),
    ("task-class", |task| task.task_class),
    ("task-version", |task| task.version),
    ("key-converter-class", |task| task.key_converter),
    ("key-converter-version", |_| crate::plugins::PLUGIN_VERSION),
    ("value-converter-class", |task| task.value_converter),
    ("value-converter-version", |_| {
        crate::plugins::PLUGIN_VERSION
    }),
    ("header-converter-class", |task| task.header_converter),
    ("header-converter-version", |_| {
        crate::plugins::PLUGIN_VERSION
    }),
];

/// Group of a step in a chain of transforms, and the name of its tag.
pub(super) struct StepGroup {
    pub(super) name: &'static str,
    /// Name at `/metrics`.
    pub(super) metric: &'static str,
    pub(super) tag: &'static str,
    pub(super) help: &'static str,
    pub(super) steps: fn(&TaskPlugins) -> &[(String, &'static str)],
}

pub(super) const STEP_GROUPS: [StepGroup; 2] = [
    StepGroup {
        name: "connector-transform-metrics",
        metric: "kafka_connect_connector_transform_info",
        tag: "transform",
        help: "Class and version of a transform, as labels.",
        steps: |plugins| &plugins.transforms,
    },
    StepGroup {
        name: "connector-predicate-metrics",
        metric: "kafka_connect_connector_predicate_info",
        tag: "predicate",
        help: "Class and version of a predicate, as labels.",
        steps: |plugins| &plugins.predicates,
    },
];
