//! A connector that runs and whose records go nowhere.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::WorkerShared;
use super::super::connector::finish;
use super::super::records::{chain, converters};
use super::super::sources::{Prepared, expand, prepare, problems};
use crate::api::{ConfigMap, ConnectError, Connector, ConnectorContext, SinkTask, TopicPartition};
use crate::clients::{Admin, AutoOffsetReset, ClientError, ConsumerConfig, OffsetSpec};
use crate::config::Warning;
use crate::config::clients::{task_admin, task_consumer};
use crate::config::connector::{ConnectorConfig, KindConfig, SinkTopics};
use crate::plugins::{ConnectorPlugin, TaskFactory};
use crate::shard;
use crate::storage::WriteGate;
use crate::task::conversion::{SinkConversion, SourceConversion};
use crate::task::plan::Plan;
use crate::task::preview::{OffsetSpan, SinkPreview, SourcePreview, Trace, Traced, watched};

/// How long tasks and clients may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Where to begin in the topics of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The last records of each partition, so many in all.
    Last(u32),
    /// The first record that is left.
    Earliest,
    /// What comes from now on.
    Latest,
    /// Where the connector's group would go on.
    Committed,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The configuration, or the connector.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The brokers.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A connector that is looked at.
pub struct Live {
    kind: Kind,
    /// None for a source whose topics are in an embedded log, which is not opened for it.
    admin: Option<Rc<dyn Admin>>,
    warnings: Vec<Warning>,
}

enum Kind {
    Source {
        connector: Box<dyn Connector>,
        preview: Box<SourcePreview>,
    },
    Sink(Box<SinkPreview>),
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// Starts what there is to look at: the connector and its first task, or a consumer without a group.
///
/// # Errors
/// What the connector or its tasks would fail with at their start; brokers that don't answer.
pub async fn live(
    shared: &Arc<WorkerShared>,
    raw: ConfigMap,
    from: Start,
) -> Result<Live, LiveError> {
    let Prepared {
        config, connector, ..
    } = prepare(shared, raw.clone()).await?;
    let plugin = shared.plugins.connector(&connector.class);
    let plugin = *plugin.map_err(|error| ConnectError::config(error.to_string()))?;
    let worker = &shared.config.originals;
    let admin = task_admin(worker, &config, &connector.name, 0).map_err(problems)?;
    let is_apart =
        matches!(plugin.tasks, TaskFactory::Source(_)) && shared.config.log_is_embedded();
    let admin = (!is_apart).then(|| shared.log.admin(admin));
    let build = Build {
        shared,
        raw: &raw,
        config: &config,
        connector: &connector,
        admin: admin.as_deref(),
        warnings: Vec::new(),
    };
    let (kind, warnings) = match plugin.tasks {
        TaskFactory::Source(new) => build.source(&plugin, new()).await?,
        TaskFactory::Sink(new) => build.sink(&*new(), from).await?,
    };
    Ok(Live {
        kind,
        admin,
        warnings,
    })
}

/// What a preview is built from.
struct Build<'a> {
    shared: &'a Arc<WorkerShared>,
    raw: &'a ConfigMap,
    /// References replaced.
    config: &'a ConfigMap,
    connector: &'a ConnectorConfig,
    admin: Option<&'a dyn Admin>,
    warnings: Vec<Warning>,
}

impl Build<'_> {
    async fn source(
        self,
        plugin: &ConnectorPlugin,
        task: Box<dyn crate::api::SourceTask>,
    ) -> Result<(Kind, Vec<Warning>), LiveError> {
        let (plugins, worker) = (&self.shared.plugins, &self.shared.config);
        let convert = || converters(plugins, worker, self.connector);
        let planned = SourceConversion::new(convert()?, chain(plugins, self.connector)?);
        let (watched, traced) = watched(chain(plugins, self.connector)?);
        let conversion = SourceConversion::new(convert()?, watched);
        let mut preview = SourcePreview::new(task, conversion, traced, planned);
        let mut connector = (plugin.connector)();
        let started = self.start(plugin, &mut *connector, &mut preview).await;
        if let Err(error) = started {
            stop_source(&mut *connector, &mut preview).await;
            return Err(error.into());
        }
        let kind = Kind::Source {
            connector,
            preview: Box::new(preview),
        };
        Ok((kind, self.warnings))
    }

    /// Starts the connector and the first of its tasks.
    async fn start(
        &self,
        plugin: &ConnectorPlugin,
        connector: &mut dyn Connector,
        preview: &mut SourcePreview,
    ) -> Result<(), ConnectError> {
        let context = ConnectorContext::of_preview(&self.connector.name);
        connector.start(context, self.config).await?;
        let most = self.connector.tasks_max as usize;
        let configs = connector.task_configs(most).await?;
        let first = configs.into_iter().next().ok_or_else(|| {
            ConnectError::connect(format!(
                "the connector {} has no tasks: there is nothing for it to do",
                self.connector.name
            ))
        })?;
        let task = expand(self.shared, finish(self.raw, first, plugin.task_class)).await?;
        let (name, gate) = (&self.connector.name, WriteGate::default());
        let offsets = self.shared.offsets.connector(name, self.config, gate)?;
        preview.start(&self.connector.name, offsets, &task).await
    }

    async fn sink(
        mut self,
        task: &dyn SinkTask,
        from: Start,
    ) -> Result<(Kind, Vec<Warning>), LiveError> {
        let (plugins, worker) = (&self.shared.plugins, &self.shared.config);
        let form = task.form();
        let convert = || converters(plugins, worker, self.connector);
        let planned = SinkConversion::new(convert()?, chain(plugins, self.connector)?, form);
        let (watched, traced) = watched(chain(plugins, self.connector)?);
        let conversion = SinkConversion::new(convert()?, watched, form);
        let settings = task_consumer(&worker.originals, self.config, &self.connector.name, 0);
        let settings = settings.map_err(problems)?;
        let spans = self.spans(&settings, from).await?;
        let consumer = self.shared.log.consumer(ConsumerConfig {
            group_id: None,
            group_instance_id: None,
            allow_auto_create_topics: false,
            ..settings
        });
        let mut preview = SinkPreview::new(consumer, conversion, traced, planned.plan(), form);
        preview.assign(spans);
        Ok((Kind::Sink(Box::new(preview)), self.warnings))
    }

    /// What to read: each partition of each topic that exists, none created.
    async fn spans(
        &mut self,
        settings: &ConsumerConfig,
        from: Start,
    ) -> Result<Vec<(TopicPartition, OffsetSpan)>, ClientError> {
        let mut partitions = Vec::new();
        for topic in self.topics().await? {
            match self.admin()?.describe_topic(&topic).await? {
                Some(found) => {
                    let count = i32::try_from(found.partitions).unwrap_or(i32::MAX);
                    let all = (0..count).map(|number| TopicPartition::new(&*topic, number));
                    partitions.extend(all);
                }
                None => self.warnings.push(
                    Warning::new("topics", format!("there is no topic '{topic}'"))
                        .with_fix("create it, or correct its name"),
                ),
            }
        }
        let earliest = self.offsets(&partitions, OffsetSpec::Earliest).await?;
        let latest = self.offsets(&partitions, OffsetSpec::Latest).await?;
        let committed = match (from, &settings.group_id) {
            (Start::Committed, Some(group)) => self.admin()?.group_offsets(group).await?,
            _ => Vec::new(),
        };
        let bounds = Bounds {
            from,
            filled: latest
                .iter()
                .zip(&earliest)
                .filter(|(end, start)| end.1 > start.1)
                .count(),
            reset: settings.auto_offset_reset,
            committed: &committed,
        };
        let both = earliest.into_iter().zip(latest);
        Ok(both
            .map(|((at, earliest), (_, latest))| {
                let span = bounds.span(&at, earliest, latest);
                (at, span)
            })
            .collect())
    }

    fn admin(&self) -> Result<&dyn Admin, ClientError> {
        self.admin.ok_or(ClientError::Closed)
    }

    async fn topics(&self) -> Result<Vec<String>, ClientError> {
        let KindConfig::Sink(sink) = &self.connector.kind else {
            return Ok(Vec::new());
        };
        match &sink.topics {
            SinkTopics::List(topics) => Ok(topics.clone()),
            SinkTopics::Pattern(pattern) => {
                let mut all = self.admin()?.list_topics().await?;
                // Kafka: `exclude.internal.topics`.
                let is_internal =
                    |name: &str| matches!(name, "__consumer_offsets" | "__transaction_state");
                all.retain(|name| pattern.is_match(name) && !is_internal(name));
                all.sort();
                Ok(all)
            }
        }
    }

    /// One offset of each partition, in their order.
    async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let wanted: Vec<_> = partitions.iter().map(|at| (at.clone(), spec)).collect();
        let mut found = self.admin()?.list_offsets(&wanted).await?;
        found.sort();
        Ok(found)
    }
}

/// What decides where to read.
struct Bounds<'a> {
    from: Start,
    /// Partitions that hold something.
    filled: usize,
    reset: AutoOffsetReset,
    committed: &'a [(TopicPartition, i64)],
}

impl Bounds<'_> {
    fn span(&self, at: &TopicPartition, earliest: i64, latest: i64) -> OffsetSpan {
        let from = match self.from {
            Start::Last(count) => {
                let share = u64::from(count).div_ceil(self.filled.max(1) as u64).max(1);
                let share = i64::try_from(share).unwrap_or(i64::MAX);
                latest.saturating_sub(share).max(earliest)
            }
            Start::Earliest => earliest,
            Start::Latest => latest,
            Start::Committed => {
                let own = self.committed.iter().find(|(committed, _)| committed == at);
                match (own, self.reset) {
                    (Some((_, offset)), _) if (earliest..=latest).contains(offset) => *offset,
                    (_, AutoOffsetReset::Earliest) => earliest,
                    (_, AutoOffsetReset::Latest | AutoOffsetReset::None) => latest,
                }
            }
        };
        let waits = from >= latest && self.from == Start::Latest;
        OffsetSpan {
            from,
            to: (!waits).then_some(latest),
        }
    }
}

impl Live {
    /// The next record's way; `None` when there is no more, or none came until `deadline`.
    ///
    /// # Errors
    /// What the task would fail with.
    pub async fn next(&mut self, deadline: Instant) -> Result<Option<Trace>, LiveError> {
        match &mut self.kind {
            Kind::Source { preview, .. } => Ok(preview.next(deadline).await?),
            Kind::Sink(preview) => Ok(preview.next(deadline).await?),
        }
    }

    /// Which roads keys and values take, and what the connector hands over or wants; a source shows it
    /// with its first batch.
    pub fn roads(&self) -> Option<(Plan, &'static str)> {
        match &self.kind {
            Kind::Source { preview, .. } => preview.roads().map(|roads| (roads.plan, roads.form)),
            Kind::Sink(preview) => Some((preview.plan(), preview.form())),
        }
    }

    /// The transforms.
    pub fn traced(&self) -> &Traced {
        match &self.kind {
            Kind::Source { preview, .. } => preview.traced(),
            Kind::Sink(preview) => preview.traced(),
        }
    }

    /// Takes what was found meanwhile.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// Whether the topic exists; also where nobody can tell.
    ///
    /// # Errors
    /// The brokers don't answer.
    pub async fn topic_exists(&self, topic: &str) -> Result<bool, ClientError> {
        match &self.admin {
            Some(admin) => Ok(admin.describe_topic(topic).await?.is_some()),
            None => Ok(true),
        }
    }

    /// Ends everything.
    pub async fn stop(mut self) {
        match &mut self.kind {
            Kind::Source { connector, preview } => stop_source(&mut **connector, preview).await,
            Kind::Sink(preview) => preview.stop(STOP_LIMIT).await,
        }
        if let Some(admin) = self.admin {
            admin.close().await;
        }
    }
}

/// Connector code that does not stop is left behind.
async fn stop_source(connector: &mut dyn Connector, preview: &mut SourcePreview) {
    let stopping = async {
        preview.stop().await;
        connector.stop().await;
    };
    if shard::timeout(STOP_LIMIT, stopping).await.is_err() {
        tracing::warn!("the connector did not stop within {STOP_LIMIT:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: Start, filled: usize, earliest: i64, latest: i64) -> (i64, Option<i64>) {
        let at = TopicPartition::new("t", 0);
        let bounds = Bounds {
            from,
            filled,
            reset: AutoOffsetReset::Earliest,
            committed: &[(at.clone(), 7)],
        };
        let span = bounds.span(&at, earliest, latest);
        (span.from, span.to)
    }

    #[test]
    fn the_last_records_are_shared_by_the_partitions_that_have_any() {
        assert_eq!(span(Start::Last(10), 3, 0, 100), (96, Some(100)));
        assert_eq!(span(Start::Last(10), 1, 95, 100), (95, Some(100)));
        assert_eq!(span(Start::Last(1), 5, 0, 100), (99, Some(100)));
        assert_eq!(span(Start::Last(10), 1, 5, 5), (5, Some(5)));
    }

    #[test]
    fn only_what_is_still_to_come_has_no_end() {
        assert_eq!(span(Start::Latest, 1, 0, 9), (9, None));
        assert_eq!(span(Start::Earliest, 1, 3, 9), (3, Some(9)));
        assert_eq!(span(Start::Committed, 1, 3, 9), (7, Some(9)));
        // What was committed is gone: auto.offset.reset.
        assert_eq!(span(Start::Committed, 1, 8, 9), (8, Some(9)));
    }
}
