//! Which connectors and tasks run in this process, and on which shard.
//!
//! The [`Worker`] belongs to the herder's thread: it picks shards, starts instances there, and keeps
//! their counters. Everything that can take time (files of config providers, connector code, clients)
//! happens on the shard, behind the fence of [`instance`]. An instance is placed on the shard that does
//! the least ([`placement`]) and stays there.

mod activity;
mod connector;
mod instance;
mod log;
mod offsets;
mod placement;
pub mod preview;
pub mod records;
mod registry;
mod sources;
mod task;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use activity::Ongoing;
pub use instance::{ConnectorTaskId, EventSink, Instance, InstanceEvent, InstanceId, WorkerEvent};
pub use log::{EmbeddedAccess, KafkaAccess, LogAccess};
pub use offsets::{OffsetsAnswer, OffsetsError, OffsetsJob, OffsetsRequest, PartitionOffset};
pub use registry::{MetricsRegistry, StartsReading, TaskOfWorker, WorkerReading};
pub use task::TaskToStart;

use self::activity::Activity;
use self::placement::Placement;
use crate::api::{ConfigMap, ConnectorKind};
use crate::clients::Lease;
use crate::config::WorkerConfig;
use crate::config::provider::Providers;
use crate::plugins::Plugins;
use crate::shard::{ShardHandle, ShardLoad, Shards};
use crate::storage::{ActiveTopics, OffsetBackingStore, WriteGate};
use crate::task::InstanceState;
use crate::task::control::{Wish, control};

/// How long the shards may take to end once their instances have.
const SHARDS_STOP: Duration = Duration::from_secs(2);

/// What every instance of a worker shares. Threads share it behind an `Arc`.
#[derive(Debug)]
pub struct WorkerShared {
    /// The worker's configuration.
    pub config: WorkerConfig,
    /// For references in connectors' configurations.
    pub providers: Providers,
    /// Connectors and converters.
    pub plugins: Plugins,
    /// Source offsets.
    pub offsets: OffsetBackingStore,
    /// Topics that connectors used.
    pub active_topics: ActiveTopics,
    /// Kafka, or the embedded log.
    pub log: Box<dyn LogAccess>,
    /// What tasks write by.
    pub lease: Lease,
}

/// Starts and cancels instances.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<WorkerShared>,
    shards: Option<Shards>,
    placement: Placement,
    metrics: MetricsRegistry,
}

impl Worker {
    /// A worker over running shards.
    pub fn new(shared: Arc<WorkerShared>, shards: Shards, metrics: MetricsRegistry) -> Self {
        metrics.set_shards(shards.loads());
        Self {
            shared,
            placement: Placement::new(shards.handles().len(), Instant::now()),
            shards: Some(shards),
            metrics,
        }
    }

    /// Tells source from sink by a raw configuration, from any thread.
    pub fn kinds(&self) -> impl Fn(&ConfigMap) -> Result<ConnectorKind, String> + Send + 'static {
        let describe = self.describe();
        move |config| Ok(describe(config)?.0)
    }

    /// Source or sink, and the version of the plugin, by a raw configuration, from any thread.
    pub fn describe(
        &self,
    ) -> impl Fn(&ConfigMap) -> Result<(ConnectorKind, String), String> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |config| {
            let class = config.get("connector.class").and_then(Option::as_deref);
            let class = class.map(str::trim).filter(|class| !class.is_empty());
            let class = class.ok_or_else(|| {
                format!(
                    "Connector config {:?} contains no connector type",
                    config.keys()
                )
            })?;
            let plugin = shared
                .plugins
                .connector(class)
                .map_err(|error| error.to_string())?;
            Ok((plugin.kind(), plugin.version.to_owned()))
        }
    }

    /// `task.shutdown.graceful.timeout.ms`.
    pub fn graceful_timeout(&self) -> Duration {
        self.shared.config.shutdown_timeout
    }

    /// Starts a connector instance.
    ///
    /// # Errors
    /// The trace that it is shown FAILED with: no shard takes it.
    pub fn start_connector(
        &mut self,
        instance: InstanceId,
        name: &str,
        config: ConfigMap,
        wish: Wish,
        events: EventSink,
    ) -> Result<Instance, String> {
        let (handle, control) = control(wish);
        self.metrics.forget(name);
        let activity = Activity::default();
        let start = connector::ConnectorStart {
            instance,
            name: name.to_owned(),
            config,
            control,
            activity: activity.clone(),
            events,
            shared: Arc::clone(&self.shared),
        };
        let shard = self.place(instance, false);
        shard
            .start(move || connector::run(start))
            .map_err(|_| stuck(&shard))?;
        Ok(Instance {
            name: name.to_owned(),
            control: handle,
            activity,
            offsets: WriteGate::default(),
            shard,
        })
    }

    /// Starts a task.
    ///
    /// # Errors
    /// The trace that it is shown FAILED with: no shard takes it.
    pub fn start_task(
        &mut self,
        instance: InstanceId,
        task: TaskToStart,
        events: EventSink,
    ) -> Result<Instance, String> {
        let (handle, control) = control(task.wish);
        let name = task.id.to_string();
        let (activity, offsets) = (Activity::default(), WriteGate::default());
        let shared = Arc::clone(&self.shared);
        let shard = self.place(instance, true);
        let (id, kind, wish) = (task.id.clone(), task.kind, task.wish);
        let (metrics, busy) = self.metrics.register(instance, id, kind, shard.index, wish);
        let start = task::TaskStart {
            instance,
            task,
            control,
            activity: activity.clone(),
            events,
            metrics,
            offsets: offsets.clone(),
            shared,
        };
        shard
            .start_metered(busy, move || task::run(start))
            .map_err(|_| stuck(&shard))?;
        Ok(Instance {
            name,
            control: handle,
            activity,
            offsets,
            shard,
        })
    }

    /// Reads or changes the offsets of a connector; `done` is called on a shard, once.
    ///
    /// # Errors
    /// No shard takes it; `done` is not called.
    pub fn offsets(
        &mut self,
        job: OffsetsJob,
        done: impl FnOnce(Result<OffsetsAnswer, OffsetsError>) + Send + 'static,
    ) -> Result<(), OffsetsError> {
        let shared = Arc::clone(&self.shared);
        let shard = self.least_loaded(false);
        let started = shard.start(move || async move { done(offsets::run(shared, job).await) });
        started.map_err(|_| OffsetsError::Failed(stuck(&shard)))
    }

    /// Drops an instance that does not stop. From now on it stores no offsets, also when its code blocks its
    /// shard and goes on later.
    pub fn cancel(&mut self, id: InstanceId, instance: &Instance) {
        self.ended(id);
        instance.offsets.close();
        if instance.shard.start(move || instance::cancel(id)).is_err() {
            tracing::error!("{}: {}", instance.name, stuck(&instance.shard));
        }
    }

    /// An instance told its state: counts starts, and the time in each state.
    pub fn state_of(&mut self, instance: InstanceId, state: &InstanceState) {
        if !self.placement.has(instance) {
            return;
        }
        let succeeded = match state {
            InstanceState::Running => Some(true),
            InstanceState::Failed(_) => Some(false),
            InstanceState::Paused | InstanceState::Stopped => None,
        };
        if let Some(succeeded) = succeeded
            && let Some(is_task) = self.placement.started(instance)
        {
            self.metrics.start_ended(is_task, succeeded);
        }
        self.metrics.state_of(instance, state);
    }

    /// An instance has ended: its place is free.
    pub fn ended(&mut self, instance: InstanceId) {
        self.placement.remove(instance);
        self.metrics.ended(instance);
    }

    /// A connector is gone: so are the metrics of its failed tasks.
    pub fn forget(&mut self, connector: &str) {
        self.metrics.forget(connector);
    }

    /// Ends the shards.
    pub fn stop(&mut self) {
        let Some(shards) = self.shards.take() else {
            return;
        };
        if !shards.stop(SHARDS_STOP) {
            tracing::warn!("a shard did not end; connector code is blocking it");
        }
    }

    /// The shard that has the least to do.
    fn least_loaded(&mut self, is_task: bool) -> ShardHandle {
        let Some(shards) = &self.shards else {
            return ShardHandle::closed();
        };
        let cpu_times = shards.loads().iter().map(ShardLoad::cpu_time);
        self.placement.measure(Instant::now(), cpu_times);
        let best = self.placement.best(is_task);
        let shard = best.and_then(|best| shards.handles().get(best).cloned());
        shard.unwrap_or_else(ShardHandle::closed)
    }

    fn place(&mut self, instance: InstanceId, is_task: bool) -> ShardHandle {
        let shard = self.least_loaded(is_task);
        self.placement.put(instance, shard.index, is_task);
        shard
    }
}

fn stuck(shard: &ShardHandle) -> String {
    format!(
        "shard {} takes no more work: its mailbox is full or it has ended",
        shard.index
    )
}
