//! `ringmain standalone`: from files to a running worker and back to a clean end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::progress::{Progress, When};
use super::{Exit, KAFKA_VERSION, print_error, signals};
use crate::api::ConfigDef;
use crate::config::clients::worker_admin;
use crate::config::connector::warnings as connector_warnings;
use crate::config::connector_file::{self, ConnectorFile, InitialState as FileState};
use crate::config::worker::{self, Log, WorkerConfig, WorkerFile};
use crate::herder::{Herder, HerderHandle, HerderSettings, InitialState};
use crate::logging::Loggers;
use crate::plugins::Plugins;
use crate::rest::{RestContext, RestServer};
use crate::shard::{Shards, TaskIo, affinity_cpus, choose_runtime, probe_io_uring};
use crate::storage::{ActiveTopics, OffsetStore};
use crate::worker::{
    EmbeddedAccess, KafkaAccess, LogAccess, MetricsRegistry, Worker, WorkerShared,
};

/// Wait between two tries to reach the brokers at start.
const CLUSTER_RETRY: Duration = Duration::from_secs(1);
/// How long brokers may be unreachable at start before the worker gives up (Kafka:
/// `default.api.timeout.ms`).
const CLUSTER_LIMIT: Duration = Duration::from_secs(60);

/// Runs a standalone worker until it is stopped.
pub(super) fn run(
    plugins: Plugins,
    file: &Path,
    connectors: &[PathBuf],
    progress: When,
    loggers: Arc<Loggers>,
) -> Exit {
    let (worker, connectors) = match read_files(&plugins, file, connectors) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    raise_open_files();
    match boot(plugins, worker, loggers) {
        Ok(booted) => booted.serve(&connectors, progress),
        Err(reason) => {
            print_error(&reason);
            Exit::Failure
        }
    }
}

/// Reads all files and prints what is wrong with any of them.
fn read_files(
    plugins: &Plugins,
    worker_path: &Path,
    connector_paths: &[PathBuf],
) -> Result<(WorkerFile, Vec<ConnectorFile>), Exit> {
    let mut usable = true;
    let mut refuse = |reason: String| {
        print_error(&reason);
        usable = false;
    };
    let worker = worker::load(worker_path)
        .map_err(|error| refuse(error.to_string()))
        .ok();
    let mut connectors = Vec::new();
    for path in connector_paths {
        match connector_file::load(path) {
            Ok(connector) => {
                if let Some(worker) = &worker {
                    check_connector(plugins, worker, path, &connector, &mut refuse);
                }
                connectors.push(connector);
            }
            Err(error) => refuse(error.to_string()),
        }
    }
    match worker {
        Some(worker) if usable => {
            for warning in &worker.warnings {
                tracing::warn!(file = %worker_path.display(), "{warning}");
            }
            Ok((worker, connectors))
        }
        _ => Err(Exit::Usage),
    }
}

fn check_connector(
    plugins: &Plugins,
    worker: &WorkerFile,
    path: &Path,
    connector: &ConnectorFile,
    refuse: &mut impl FnMut(String),
) {
    let class = connector
        .config
        .get("connector.class")
        .and_then(Option::as_deref);
    let Ok(plugin) = plugins.connector(class.unwrap_or_default().trim()) else {
        return refuse(format!(
            "{}: {}",
            path.display(),
            unknown_class(plugins, class)
        ));
    };
    match crate::herder::validation::problems(plugins, worker, &connector.config) {
        Ok(()) => {
            let own = (plugin.config_def)();
            let further = plugin
                .further_keys
                .map_or_else(ConfigDef::new, |keys| keys());
            let known = [&own, &further];
            let steps = |kind, class: &str| plugins.step_keys(kind, class);
            let warnings =
                connector_warnings(plugin.kind(), &connector.config, &known, Some(&steps));
            for warning in warnings {
                tracing::warn!(file = %path.display(), "{warning}");
            }
        }
        Err(problems) => refuse(format!("{}: {problems}", path.display())),
    }
}

fn unknown_class(plugins: &Plugins, class: Option<&str>) -> String {
    match class {
        Some(class) => match plugins.connector(class.trim()) {
            Err(error) => format!("connector.class: {error}"),
            Ok(_) => String::new(),
        },
        None => "Missing required configuration \"connector.class\" which has no default value."
            .to_owned(),
    }
}

/// Every connection and file of every task needs a descriptor: uses what the hard limit allows.
fn raise_open_files() {
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
struct Booted {
    herder: Herder,
    rest: RestServer,
    context: Arc<RestContext>,
    metrics: MetricsRegistry,
    /// Set when the brokers could not be reached in time.
    no_cluster: Arc<AtomicBool>,
}

fn boot(plugins: Plugins, file: WorkerFile, loggers: Arc<Loggers>) -> Result<Booted, String> {
    let started = Instant::now();
    let config = file.config.clone();
    let shards = start_shards(&config)?;
    let offsets = OffsetStore::open_file(&config.offset_file)
        .map_err(|error| format!("offset.storage.file.filename: {error}"))?;
    let log: Box<dyn LogAccess> = match &config.log {
        Log::Kafka(_) => Box::new(KafkaAccess),
        Log::Embedded(dir) => Box::new(
            EmbeddedAccess::open(dir, &config.embedded).map_err(|error| error.to_string())?,
        ),
    };
    let shared = Arc::new(WorkerShared {
        config: config.clone(),
        providers: file.providers,
        plugins,
        offsets: offsets.into(),
        active_topics: ActiveTopics::default(),
        log,
    });
    let cluster_id = Arc::new(OnceLock::new());
    let no_cluster = Arc::new(AtomicBool::new(false));
    let first = shards
        .handles()
        .first()
        .cloned()
        .ok_or("there is no shard")?;
    let metrics = MetricsRegistry::new(config.metrics);
    let worker = Worker::new(Arc::clone(&shared), shards, metrics.clone());
    let settings = HerderSettings::new(config.shutdown_timeout);
    let herder = Herder::start(worker, settings)
        .map_err(|error| format!("the herder's thread can't be made: {error}"))?;
    let (shared_too, id, failed, handle) = (
        Arc::clone(&shared),
        Arc::clone(&cluster_id),
        Arc::clone(&no_cluster),
        herder.handle(),
    );
    let for_previews = first.clone();
    first
        .start(move || find_cluster(shared_too, id, failed, handle))
        .map_err(|_| "the first shard takes no work".to_owned())?;
    let context = RestContext::new(shared, cluster_id, for_previews)
        .with_metrics(metrics.clone())
        .with_loggers(loggers);
    let context = Arc::new(context);
    let rest = RestServer::start(&config.rest, herder.handle(), Arc::clone(&context))
        .map_err(|error| error.to_string())?;
    tracing::info!(
        "Kafka version: {KAFKA_VERSION} (ringmain {})",
        env!("CARGO_PKG_VERSION")
    );
    tracing::info!(
        rest = ?rest.addresses(),
        boot_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "Kafka Connect started"
    );
    Ok(Booted {
        herder,
        rest,
        context,
        metrics,
        no_cluster,
    })
}

fn start_shards(config: &WorkerConfig) -> Result<Shards, String> {
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
    fn serve(self, connectors: &[ConnectorFile], progress: When) -> Exit {
        let handle = self.herder.handle();
        let stop = handle.clone();
        if let Err(error) = signals::on_stop(move || stop.shut_down()) {
            print_error(&format!("signals can't be handled: {error}"));
            return Exit::Failure;
        }
        let _progress = Progress::start(progress, self.metrics.clone());
        let created = create_connectors(&handle, connectors);
        if created {
            self.context.set_ready();
        } else {
            handle.shut_down();
        }
        let clean = self.herder.join();
        self.rest.stop();
        let reached = !self.no_cluster.load(Ordering::Acquire);
        if clean && created && reached {
            tracing::info!("stopped");
            Exit::Clean
        } else {
            tracing::error!("stopped after a failure");
            Exit::Failure
        }
    }
}

/// Creates the connectors of the command line in their order (contract 3.1).
fn create_connectors(handle: &HerderHandle, connectors: &[ConnectorFile]) -> bool {
    for connector in connectors {
        let state = match connector.initial_state {
            None | Some(FileState::Running) => InitialState::Running,
            Some(FileState::Paused) => InitialState::Paused,
            Some(FileState::Stopped) => InitialState::Stopped,
        };
        match handle.create(&connector.name, connector.config.clone(), state) {
            Ok(info) => {
                tracing::info!(
                    connector = info.name,
                    tasks = info.tasks.len(),
                    "connector created"
                );
            }
            Err(crate::herder::HerderError::ShuttingDown) => return true,
            Err(error) => {
                tracing::error!(connector = connector.name, %error, "Failed to create connector");
                print_error(&format!("connector {}: {error}", connector.name));
                return false;
            }
        }
    }
    true
}
