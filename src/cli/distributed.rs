//! `ringmain distributed`: from a worker's file to a member of a Connect cluster.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::boot::{Booted, Parts, raise_open_files, start_shards};
use super::progress::When;
use super::{Exit, print_error};
use crate::api::config_def::ConfigProblem;
use crate::clients::Lease;
use crate::cluster::peers::{Peers, Signing};
use crate::cluster::{Cluster, ClusterSettings};
use crate::config::worker::{
    self, DistributedConfig, HttpsConfig, LostTasksSetting, ProtocolSetting, WorkerFile,
};
use crate::distributed::assignor::ringmain::LostTasks;
use crate::distributed::internal_topics::InternalTopic;
use crate::distributed::protocol::{ConnectProtocol, PluginClasses};
use crate::distributed::signature::{KeyGenerator, MacAlgorithm};
use crate::herder::distributed::{
    Connections, KeySettings, PeerCall, PeerCaller, PeerError, Settings,
};
use crate::herder::{Herder, HerderError, HerderQueue, HerderSettings};
use crate::logging::Loggers;
use crate::plugins::Plugins;
use crate::rest::RestListeners;
use crate::storage::ActiveTopics;
use crate::worker::{KafkaAccess, MetricsRegistry, Worker, WorkerShared};

/// How long the leader may take to write a connector's tasks.
const PEER_LIMIT: Duration = Duration::from_secs(90);

/// Runs a distributed worker until it is stopped.
pub(super) fn run(plugins: Plugins, path: &Path, progress: When, loggers: Arc<Loggers>) -> Exit {
    let file = match read_file(path) {
        Ok(file) => file,
        Err(reason) => {
            print_error(&reason);
            return Exit::Usage;
        }
    };
    raise_open_files();
    match boot(plugins, file, loggers) {
        Ok(booted) => booted.serve(progress, |_| true),
        Err(reason) => {
            print_error(&reason);
            Exit::Failure
        }
    }
}

/// Reads the worker's file and logs what its user should know.
///
/// # Errors
/// All that is wrong with it.
fn read_file(path: &Path) -> Result<WorkerFile, String> {
    let file = worker::load_distributed(path).map_err(|error| error.to_string())?;
    let mut warnings = file.warnings.clone();
    let mut problems = Vec::new();
    if let Some(distributed) = file.config.distributed() {
        for topic in InternalTopic::ALL {
            match topic.settings(&distributed.parsed) {
                Ok(settings) => warnings.extend(settings.warnings),
                Err(error) => problems.push(format!("{}: {}", topic.topic_key(), error.message())),
            }
        }
    }
    if !problems.is_empty() {
        return Err(format!("{}: {}", path.display(), problems.join("; ")));
    }
    for warning in warnings {
        tracing::warn!(file = %path.display(), "{warning}");
    }
    Ok(file)
}

/// Everything that a worker needs to be a member.
fn boot(plugins: Plugins, file: WorkerFile, loggers: Arc<Loggers>) -> Result<Booted, String> {
    let started = Instant::now();
    let config = file.config.clone();
    let distributed = config.distributed().cloned();
    let distributed = distributed.ok_or("this is a standalone worker's file")?;
    let shards = start_shards(&config)?;
    let lease = Lease::of_group();
    let queue = HerderQueue::default();
    let listeners = RestListeners::bind(&config.rest).map_err(|error| error.to_string())?;
    let worker_id = listeners.worker_id().to_owned();
    let client_id = format!("connect-{worker_id}");
    let cluster = ClusterSettings::from_worker(&config.originals)
        .map_err(|problems| texts(&problems))?
        .as_member(
            &client_id,
            distributed.group_instance_id.clone(),
            lease.clone(),
        );
    let names = PluginClasses::new(plugin_names(&plugins)).map_err(|error| error.to_string())?;
    let https = HttpsConfig::of_peers(&config.originals).map_err(|problem| problem.to_string())?;
    let peers = Arc::new(Peers::new(https));
    let cluster = Cluster::start(cluster, queue.cluster_events()).map_err(|e| e.to_string())?;
    let active_topics = ActiveTopics::telling(queue.topic_news());
    let shared = Arc::new(WorkerShared {
        config: config.clone(),
        providers: file.providers,
        plugins,
        offsets: cluster.offsets(),
        active_topics: active_topics.clone(),
        log: Box::new(KafkaAccess),
        lease,
    });
    let metrics = MetricsRegistry::new(config.metrics);
    let shard = shards.handles().first().cloned();
    let shard = shard.ok_or("there is no shard")?;
    let worker = Worker::new(Arc::clone(&shared), shards, metrics.clone());
    let connections = Connections {
        cluster: cluster.handle(),
        peers: peer_caller(Arc::clone(&peers), &distributed, &queue)?,
        loggers: Arc::clone(&loggers),
        active_topics,
        metrics: metrics.clone(),
    };
    let me = (worker_id, listeners.url());
    let machine = machine_settings(me, &worker, &distributed, names)?;
    let settings = HerderSettings::new(config.shutdown_timeout);
    let herder = Herder::start_distributed(queue, worker, settings, machine, connections)
        .map_err(|error| format!("the herder's thread can't be made: {error}"))?;
    Booted::new(Parts {
        started,
        shared,
        herder,
        cluster: Some(cluster),
        peers: Some(peers),
        listeners,
        shard,
        metrics,
        loggers,
    })
}

fn texts(problems: &[ConfigProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// The thread that asks the leader.
fn peer_caller(
    peers: Arc<Peers>,
    distributed: &DistributedConfig,
    queue: &HerderQueue,
) -> Result<PeerCaller, String> {
    let algorithm = &distributed.inter_worker.signature_algorithm;
    let algorithm = MacAlgorithm::parse(algorithm)
        .ok_or_else(|| format!("inter.worker.signature.algorithm: {algorithm} is not available"))?;
    let call = move |call: &PeerCall| {
        let key = call.key.as_ref();
        let signing = key.map(|key| Signing { key, algorithm });
        let (url, name) = (&*call.url, &*call.connector);
        peers
            .put_task_configs(url, name, &call.configs, signing, PEER_LIMIT)
            .map_err(|error| PeerError {
                status: Some(error.status()),
                message: error.to_string(),
            })
    };
    PeerCaller::start(call, queue.peer_answers())
        .map_err(|error| format!("the thread for requests to the leader can't be made: {error}"))
}

fn machine_settings(
    (worker_id, url): (String, String),
    worker: &Worker,
    distributed: &DistributedConfig,
    plugins: PluginClasses,
) -> Result<Settings, String> {
    let keys = &distributed.inter_worker;
    let size = keys.size_bits.and_then(|bits| i32::try_from(bits).ok());
    let generator = KeyGenerator::new(&keys.generation_algorithm, size)?;
    let describe = worker.describe();
    let max_delay = distributed.scheduled_rebalance_max_delay.as_millis();
    Ok(Settings {
        worker_id,
        url: url.into(),
        protocol: match distributed.connect_protocol {
            ProtocolSetting::Eager => ConnectProtocol::Eager,
            ProtocolSetting::Compatible => ConnectProtocol::Compatible,
            ProtocolSetting::Sessioned => ConnectProtocol::Sessioned,
        },
        rebalance_max_delay_ms: i32::try_from(max_delay).unwrap_or(i32::MAX),
        lost_tasks: match distributed.lost_tasks {
            LostTasksSetting::AtOnce => LostTasks::AtOnceAmongRingmain,
            LostTasksSetting::AfterDelay => LostTasks::AfterDelay,
        },
        graceful_timeout: worker.graceful_timeout(),
        sync_timeout: distributed.worker_sync_timeout,
        unsync_backoff: distributed.worker_unsync_backoff,
        keys: KeySettings {
            ttl: keys.ttl.unwrap_or(Duration::ZERO),
            algorithm: generator.algorithm().to_owned(),
            bytes: generator.length(),
        },
        verification_algorithms: keys.verification_algorithms.clone(),
        plugins,
        describe: Box::new(move |config| describe(config).map_err(HerderError::BadRequest)),
        make_key: Box::new(move || generator.generate(0).ok().map(|key| key.key)),
    })
}

/// Every name under which a configuration may ask for a plugin that is here.
fn plugin_names(plugins: &Plugins) -> BTreeSet<String> {
    let connectors = plugins.connectors().into_iter();
    let connectors = connectors.map(|plugin| (plugin.class, plugin.aliases));
    let converters = plugins.converters().iter();
    let converters = converters.map(|plugin| (plugin.class, &plugin.aliases[..]));
    let transformations = plugins.transformations().iter();
    let transformations = transformations.map(|plugin| (plugin.class, &[][..]));
    let predicates = plugins.predicates().iter();
    let predicates = predicates.map(|plugin| (plugin.class, &[][..]));
    let all = connectors
        .chain(converters)
        .chain(transformations)
        .chain(predicates);
    let mut names = BTreeSet::new();
    for (class, aliases) in all {
        let simple = class.rsplit('.').next().unwrap_or(class);
        let without = simple.strip_suffix("Connector");
        let known = [Some(class), Some(simple), without];
        names.extend(known.into_iter().flatten().map(str::to_owned));
        names.extend(aliases.iter().map(|alias| (*alias).to_owned()));
    }
    names
}
