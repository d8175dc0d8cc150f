//! The connector: keeps the two clusters in line and deals partitions out to tasks.

use std::rc::Rc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::config::{MirrorConfig, TASK_INDEX, TASK_PARTITIONS};
use super::upkeep::{Topics, Upkeep};
use crate::api::{ConfigMap, ConnectError, Connector, ConnectorContext};
use crate::clients::{ClientError, ClusterAdmin};
use crate::config::clients::RemoteCluster;
use crate::kafka::KafkaAdmin;
use crate::shard;

/// Until the first look at the clusters succeeds, another follows this soon.
const RETRY: Duration = Duration::from_secs(5);

/// Mirrors topics of another cluster.
#[derive(Default)]
pub struct MirrorSource {
    running: Option<Running>,
}

impl std::fmt::Debug for MirrorSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MirrorSource").finish_non_exhaustive()
    }
}

struct Running {
    config: Rc<MirrorConfig>,
    context: ConnectorContext,
    upkeep: Upkeep,
    schedule: Schedule,
}

/// When things are done next; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Schedule {
    refresh: Option<Instant>,
    sync: Option<Instant>,
    /// Whether the clusters were seen once.
    loaded: bool,
}

impl Schedule {
    fn next(&self) -> Option<Instant> {
        [self.refresh, self.sync].into_iter().flatten().min()
    }
}

fn is_due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}

#[async_trait(?Send)]
impl Connector for MirrorSource {
    async fn start(
        &mut self,
        context: ConnectorContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let config = Rc::new(MirrorConfig::of_connector(config)?);
        if !config.enabled {
            tracing::info!("enabled=false: nothing is mirrored");
            return Ok(());
        }
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let admin = |cluster| {
            let admin = KafkaAdmin::new(config.admin(cluster)?);
            Ok::<Rc<dyn ClusterAdmin>, ConnectError>(Rc::new(admin))
        };
        let source = admin(RemoteCluster::Source)?;
        let target = admin(RemoteCluster::Target)?;
        let upkeep = Upkeep::new(Rc::clone(&config), source, target);
        let preview = context.preview;
        let running = self.running.insert(Running::new(config, context, upkeep));
        if preview {
            return running.look().await;
        }
        running.load().await;
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        let Some(running) = &self.running else {
            return Ok(Vec::new());
        };
        let shares = deal(running.upkeep.topics(), max_tasks);
        let configs = shares.into_iter().enumerate().map(|(index, share)| {
            let mut config = running.config.raw().clone();
            config.insert(TASK_PARTITIONS.to_owned(), Some(share.join(",")));
            config.insert(TASK_INDEX.to_owned(), Some(index.to_string()));
            config
        });
        Ok(configs.collect())
    }

    async fn run(&mut self) -> Result<(), ConnectError> {
        match &mut self.running {
            None => std::future::pending().await,
            Some(running) => running.run().await,
        }
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.upkeep.close().await;
        }
    }
}

impl Running {
    fn new(config: Rc<MirrorConfig>, context: ConnectorContext, upkeep: Upkeep) -> Self {
        Self {
            schedule: Schedule {
                refresh: None,
                sync: config.sync_configs.map(|_| Instant::now()),
                loaded: false,
            },
            config,
            context,
            upkeep,
        }
    }

    /// The first look, before tasks are dealt out. Apache's connector starts without tasks, too, when a
    /// cluster does not answer.
    async fn load(&mut self) {
        let limit = self.config.admin_timeout;
        let made = shard::timeout(limit, self.upkeep.create_offset_syncs_topic()).await;
        if made.is_err() {
            tracing::error!("could not create topic of offset syncs within admin.timeout.ms");
        }
        self.refresh().await;
        let topics = self.upkeep.topics();
        let partitions: u32 = topics.values().sum();
        tracing::info!(
            source = self.config.source,
            target = self.config.target,
            topics = topics.len(),
            partitions,
            "mirror starts"
        );
    }

    /// For a preview: what there is to mirror, with nothing made on either side.
    async fn look(&mut self) -> Result<(), ConnectError> {
        let limit = self.config.admin_timeout;
        let outcome = shard::timeout(limit, self.upkeep.look()).await;
        within(outcome, limit, "looking for topics").map_err(|error| {
            ConnectError::connect(format!("the source cluster: {error}")).with_source(error)
        })
    }

    async fn run(&mut self) -> Result<(), ConnectError> {
        loop {
            let Some(at) = self.schedule.next() else {
                return std::future::pending().await;
            };
            shard::sleep(at.saturating_duration_since(Instant::now())).await;
            let now = Instant::now();
            if is_due(self.schedule.sync, now) {
                self.sync().await?;
            }
            if is_due(self.schedule.refresh, now) && self.refresh().await {
                self.context.request_task_reconfiguration();
            }
        }
    }

    /// Whether tasks have to be dealt out anew. Cut off by a pause, it comes again.
    async fn refresh(&mut self) -> bool {
        let limit = self.config.admin_timeout;
        let outcome = shard::timeout(limit, self.upkeep.refresh()).await;
        let outcome = within(outcome, limit, "looking for topics");
        let failed = outcome.is_err();
        let changed = outcome.unwrap_or_else(|error| {
            tracing::error!(%error, "could not look for topics");
            false
        });
        self.schedule.loaded |= !failed;
        let interval = self.config.refresh_topics;
        let pause = if self.schedule.loaded {
            interval
        } else {
            Some(interval.map_or(RETRY, |interval| interval.min(RETRY)))
        };
        self.schedule.refresh = pause.map(|pause| Instant::now() + pause);
        changed
    }

    async fn sync(&mut self) -> Result<(), ConnectError> {
        let limit = self.config.admin_timeout;
        let outcome = shard::timeout(limit, self.upkeep.sync_configs()).await;
        let pause = self.config.sync_configs;
        self.schedule.sync = pause.map(|pause| Instant::now() + pause);
        match within(outcome, limit, "copying settings of topics") {
            Ok(()) => Ok(()),
            Err(error @ ClientError::UnsupportedVersion { .. }) => {
                let target = &self.config.target;
                Err(ConnectError::connect(format!(
                    "the target cluster '{target}' is not compatible with IncrementalAlterConfigs \
                     API: {error}; set sync.topic.configs.enabled to false"
                )))
            }
            Err(error) => {
                tracing::error!(%error, "could not copy settings of topics");
                Ok(())
            }
        }
    }
}

fn within<T>(
    outcome: Result<Result<T, ClientError>, shard::Elapsed>,
    limit: Duration,
    what: &str,
) -> Result<T, ClientError> {
    outcome.unwrap_or_else(|_| {
        Err(ClientError::Timeout {
            context: what.to_owned(),
            after: limit,
            hint: ": admin.timeout.ms bounds it".to_owned(),
        })
    })
}

/// Deals partitions out in turn (Kafka: `MirrorSourceConnector.taskConfigs`): `topic-partition` of each,
/// at most `max_tasks` shares, none of them empty.
fn deal(topics: &Topics, max_tasks: usize) -> Vec<Vec<String>> {
    let all = topics.iter().flat_map(|(topic, count)| {
        (0..*count).map(move |partition| format!("{topic}-{partition}"))
    });
    let all: Vec<String> = all.collect();
    let count = max_tasks.min(all.len());
    let mut shares = vec![Vec::new(); count];
    for (index, partition) in all.into_iter().enumerate() {
        shares[index % count].push(partition);
    }
    shares
}

#[cfg(test)]
#[path = "connector_tests.rs"]
mod tests;
