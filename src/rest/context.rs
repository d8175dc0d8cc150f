//! What requests look at beside the herder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::cluster::peers::Peers;
use crate::logging::Loggers;
use crate::shard::ShardHandle;
use crate::worker::{MetricsRegistry, WorkerShared};

/// What the REST API knows of its worker. Shared by all handler threads.
#[derive(Debug)]
pub struct RestContext {
    pub(super) shared: Arc<WorkerShared>,
    pub(super) cluster_id: Arc<OnceLock<String>>,
    /// Where connectors are looked at that do not exist.
    pub(super) shard: ShardHandle,
    pub(super) metrics: MetricsRegistry,
    pub(super) loggers: Arc<Loggers>,
    /// In distributed mode.
    pub(super) peers: Option<Arc<Peers>>,
    ready: AtomicBool,
}

impl RestContext {
    /// A worker that is still starting up; `cluster_id` is set by whoever finds it.
    pub fn new(
        shared: Arc<WorkerShared>,
        cluster_id: Arc<OnceLock<String>>,
        shard: ShardHandle,
    ) -> Self {
        Self {
            shared,
            cluster_id,
            shard,
            metrics: MetricsRegistry::default(),
            loggers: Arc::new(Loggers::none()),
            peers: None,
            ready: AtomicBool::new(false),
        }
    }

    /// The same with the metrics of the worker.
    #[must_use]
    pub fn with_metrics(mut self, metrics: MetricsRegistry) -> Self {
        self.metrics = metrics;
        self
    }

    /// The same with log levels that can be changed.
    #[must_use]
    pub fn with_loggers(mut self, loggers: Arc<Loggers>) -> Self {
        self.loggers = loggers;
        self
    }

    /// The same in distributed mode: requests that another worker has to answer are asked there.
    #[must_use]
    pub fn with_peers(mut self, peers: Arc<Peers>) -> Self {
        self.peers = Some(peers);
        self
    }

    pub(super) fn is_distributed(&self) -> bool {
        self.peers.is_some()
    }

    /// The connectors of the command line were created: `/health` says so from now on.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
