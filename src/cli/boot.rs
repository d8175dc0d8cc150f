//! From a worker's configuration to a running worker and back to a clean end: what both modes have in
//! common.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::at_rest::AtRest;
use super::progress::{Progress, When};
use super::{Exit, KAFKA_VERSION, print_error, signals};
use crate::cluster::Cluster;
use crate::cluster::peers::Peers;
use crate::config::clients::worker_admin;
use crate::config::worker::{Log, WorkerConfig};
use crate::herder::{Herder, HerderHandle};
use crate::logging::Loggers;
use crate::rest::{RestContext, RestListeners, RestServer};
use crate::shard::{ShardHandle, Shards, TaskIo, affinity_cpus, choose_runtime, probe_io_uring};
use crate::worker::{MetricsRegistry, WorkerShared};

/// Wait between two tries to reach the brokers at start.
const CLUSTER_RETRY: Duration = Duration::from_secs(1);
/// How long brokers may be unreachable at start before the worker gives up (Kafka:
/// `default.api.timeout.ms`).
const CLUSTER_LIMIT: Duration = Duration::from_secs(60);

/// How long the thread that talks to Kafka may take to end.
const CLUSTER_STOP: Duration = Duration::from_secs(10);

/// Every connection and file of every task needs a descriptor: uses what the hard limit allows.
pub(super) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// A worker that runs, without connectors yet.
pub(super) struct Booted {
    herder: Herder,
    rest: RestServer,
    context: Arc<RestContext>,
    metrics: MetricsRegistry,
    /// Of a distributed worker.
    cluster: Option<Cluster>,
    /// Set when the brokers could not be reached in time.
    no_cluster: Arc<AtomicBool>,
}

/// A worker whose herder runs.
pub(super) struct Parts {
    pub(super) started: Instant,
    pub(super) shared: Arc<WorkerShared>,
    pub(super) herder: Herder,
    pub(super) cluster: Option<Cluster>,
    /// For requests that other workers have to answer, in distributed mode.
    pub(super) peers: Option<Arc<Peers>>,
    /// Where REST listens; bound already.
    pub(super) listeners: RestListeners,
    /// For what is no connector's: the cluster's id, previews.
    pub(super) shard: ShardHandle,
    pub(super) metrics: MetricsRegistry,
    pub(super) loggers: Arc<Loggers>,
}

impl Booted {
    /// Opens the REST API of a worker and looks for its Kafka cluster.
    pub(super) fn new(parts: Parts) -> Result<Self, String> {
        let cluster_id = Arc::new(OnceLock::new());
        let no_cluster = Arc::new(AtomicBool::new(false));
        let (shared, id, failed, handle) = (
            Arc::clone(&parts.shared),
            Arc::clone(&cluster_id),
            Arc::clone(&no_cluster),
            parts.herder.handle(),
        );
        let find = move || find_cluster(shared, id, failed, handle);
        let found = parts.shard.start(find);
        found.map_err(|_| "the first shard takes no work".to_owned())?;
        let rest = parts.shared.config.rest.clone();
        let mut context = RestContext::new(parts.shared, cluster_id, parts.shard)
            .with_metrics(parts.metrics.clone())
            .with_loggers(parts.loggers);
        if let Some(peers) = parts.peers {
            context = context.with_peers(peers);
        }
        let context = Arc::new(context);
        let (listeners, handle) = (parts.listeners, parts.herder.handle());
        let rest = RestServer::start_on(listeners, &rest, handle, Arc::clone(&context))
            .map_err(|error| error.to_string())?;
        tracing::info!(
            "Kafka version: {KAFKA_VERSION} (ringmain {})",
            env!("CARGO_PKG_VERSION")
        );
        tracing::info!(
            rest = ?rest.addresses(),
            boot_ms = u64::try_from(parts.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "Kafka Connect started"
        );
        Ok(Self {
            herder: parts.herder,
            rest,
            context,
            metrics: parts.metrics,
            cluster: parts.cluster,
            no_cluster,
        })
    }
}

/// Starts the threads that run tasks.
pub(super) fn start_shards(config: &WorkerConfig) -> Result<Shards, String> {
    let probe = probe_io_uring();
    let io = match &config.log {
        Log::Embedded(_) => TaskIo::Files,
        Log::Kafka(_) => TaskIo::Brokers,
    };
    let kind = choose_runtime(config.shards.runtime, io, &probe);
    let kind = kind.map_err(|error| error.to_string())?;
    let mut cpus = config.shards.cpus.clone().unwrap_or_else(affinity_cpus);
    if let Some(count) = config.shards.count {
        // More shards than CPUs share them in turn.
        cpus = cpus.iter().copied().cycle().take(count.max(1)).collect();
    }
    let why = probe.io_uring_problem.unwrap_or_default();
    tracing::info!(runtime = kind.name(), ?cpus, why, "shards");
    Shards::start(kind, &cpus).map_err(|error| error.to_string())
}

/// Looks the cluster's id up. Brokers that stay unreachable end the worker, as in Kafka.
async fn find_cluster(
    shared: Arc<WorkerShared>,
    id: Arc<OnceLock<String>>,
    failed: Arc<AtomicBool>,
    herder: HerderHandle,
) {
    let config = match worker_admin(&shared.config.originals) {
        Ok(config) => config,
        Err(problems) => {
            tracing::error!(?problems, "the worker's admin client can't be configured");
            failed.store(true, Ordering::Release);
            return herder.shut_down();
        }
    };
    let deadline = Instant::now() + CLUSTER_LIMIT;
    loop {
        let admin = shared.log.admin(config.clone());
        let found = admin.cluster_id().await;
        admin.close().await;
        match found {
            Ok(found) => {
                tracing::info!("Kafka cluster ID: {found}");
                // Nobody else sets it.
                id.set(found).unwrap_or(());
                return;
            }
            Err(error) if error.is_retriable() && Instant::now() < deadline => {
                tracing::warn!(%error, "the Kafka cluster can't be described; trying again");
                crate::shard::sleep(CLUSTER_RETRY).await;
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "Failed to connect to and describe Kafka cluster. Check worker's broker connection and security properties."
                );
                failed.store(true, Ordering::Release);
                return herder.shut_down();
            }
        }
    }
}

impl Booted {
    /// Runs until a signal, with what `prepare` does first; `false` from it ends the worker.
    pub(super) fn serve(self, progress: When, prepare: impl FnOnce(&HerderHandle) -> bool) -> Exit {
        let handle = self.herder.handle();
        let stop = handle.clone();
        if let Err(error) = signals::on_stop(move || stop.shut_down()) {
            print_error(&format!("signals can't be handled: {error}"));
            return Exit::Failure;
        }
        let _progress = Progress::start(progress, self.metrics.clone());
        let _at_rest = AtRest::start();
        let prepared = prepare(&handle);
        if prepared {
            self.context.set_ready();
        } else {
            handle.shut_down();
        }
        let end = self.herder.join();
        if let Some(cluster) = self.cluster {
            cluster.join(CLUSTER_STOP);
        }
        self.rest.stop();
        let reached = !self.no_cluster.load(Ordering::Acquire);
        if let Some(reason) = &end.failure {
            print_error(reason);
        }
        if end.clean && end.failure.is_none() && prepared && reached {
            tracing::info!("stopped");
            Exit::Clean
        } else {
            tracing::error!("stopped after a failure");
            Exit::Failure
        }
    }
}
