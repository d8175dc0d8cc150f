//! `ringmain standalone`: from files to a running worker and back to a clean end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::boot::{Booted, Parts, raise_open_files, start_shards};
use super::progress::When;
use super::{Exit, print_error};
use crate::api::ConfigDef;
use crate::clients::Lease;
use crate::config::connector::warnings as connector_warnings;
use crate::config::connector_file::{self, ConnectorFile, InitialState as FileState};
use crate::config::worker::{self, Log, WorkerFile};
use crate::herder::{Herder, HerderHandle, HerderSettings, InitialState};
use crate::logging::Loggers;
use crate::plugins::Plugins;
use crate::rest::RestListeners;
use crate::storage::{ActiveTopics, OffsetStore};
use crate::worker::{
    EmbeddedAccess, KafkaAccess, LogAccess, MetricsRegistry, Worker, WorkerShared,
};

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
        Ok(booted) => booted.serve(progress, |handle| create_connectors(handle, &connectors)),
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

fn boot(plugins: Plugins, file: WorkerFile, loggers: Arc<Loggers>) -> Result<Booted, String> {
    let started = Instant::now();
    let config = file.config.clone();
    let shards = start_shards(&config)?;
    let offset_file = config.offset_file();
    let offset_file =
        offset_file.ok_or("offset.storage.file.filename: a distributed worker has no such file")?;
    let offsets = OffsetStore::open_file(offset_file)
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
        lease: Lease::unlimited(),
    });
    let listeners = RestListeners::bind(&config.rest).map_err(|error| error.to_string())?;
    let shard = shards.handles().first().cloned();
    let shard = shard.ok_or("there is no shard")?;
    let metrics = MetricsRegistry::new(config.metrics);
    let worker = Worker::new(Arc::clone(&shared), shards, metrics.clone());
    let settings = HerderSettings::new(config.shutdown_timeout);
    let herder = Herder::start(worker, settings)
        .map_err(|error| format!("the herder's thread can't be made: {error}"))?;
    Booted::new(Parts {
        started,
        shared,
        herder,
        cluster: None,
        peers: None,
        listeners,
        shard,
        metrics,
        loggers,
    })
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
