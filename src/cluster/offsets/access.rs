//! The tasks' side: what `storage` asks, turned into commands for the cluster's thread.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_channel::oneshot;

use super::OffsetView;
use super::logs::{OffsetsCommand, OwnSettings, Reply, Write};
use crate::api::config_def::ConfigProblem;
use crate::api::{ConfigMap, ConnectError, LocalFuture, SourceMap};
use crate::cluster::thread::Command;
use crate::cluster::topic_log::TopicLogSettings;
use crate::config::clients::ConnectorOffsetClients;
use crate::config::worker::distributed_def;
use crate::distributed::internal_topics::InternalTopic;
use crate::distributed::offset_topic::{ConnectorOffsets, OffsetCodec};
use crate::shard::Mailbox;
use crate::storage::{ConnectorOffsetTopics, OffsetEntry, OffsetTopics, StorageError, WriteGate};

/// The key of a connector that names a topic of its own.
const OWN_TOPIC: &str = "offsets.storage.topic";

/// What all connectors share.
struct Shared {
    commands: Mailbox<Command>,
    view: OffsetView,
    /// How long a reading to the end may take.
    limit: Duration,
}

impl Shared {
    async fn ask(&self, command: impl FnOnce(Reply) -> OffsetsCommand) -> Result<(), StorageError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(Command::Offsets(command(reply)));
        if sent.is_err() {
            let busy = crate::cluster::ClusterBusy.to_string();
            return Err(StorageError::shared(busy, true));
        }
        answer.await.unwrap_or_else(|_| {
            let text = "the thread that talks to Kafka for this worker has ended";
            Err(StorageError::shared(text.to_owned(), false))
        })
    }
}

/// The offset topics of a distributed worker.
pub(in crate::cluster) struct KafkaOffsets {
    shared: Arc<Shared>,
    /// The worker's texts, for the clients of connectors' topics.
    worker: ConfigMap,
    /// The worker's topic.
    topic: String,
    servers: BTreeSet<String>,
    /// Connectors' own topics that are in use, by connector.
    own: Mutex<HashMap<Box<str>, Weak<Own>>>,
    ids: AtomicU64,
}

impl std::fmt::Debug for KafkaOffsets {
    /// Without the worker's texts: some are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaOffsets")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// A connector's own topic, as long as anybody uses it.
struct Own {
    id: u64,
    /// The settings that it was opened with.
    config: ConfigMap,
    view: OffsetView,
    /// Its end tells the thread that the log may be closed.
    alive: Option<Arc<()>>,
    commands: Mailbox<Command>,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.alive = None;
        // Without room, the log is closed when the next one is opened.
        drop(self.commands.send(Command::Offsets(OffsetsCommand::Prune)));
    }
}

impl KafkaOffsets {
    pub(in crate::cluster) fn new(
        commands: Mailbox<Command>,
        view: OffsetView,
        worker: ConfigMap,
        settings: &TopicLogSettings,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                commands,
                view,
                limit: settings.api_timeout,
            }),
            worker,
            topic: settings.new_topic.name.clone(),
            servers: set(&settings.producer.common.bootstrap_servers),
            own: Mutex::default(),
            ids: AtomicU64::new(0),
        }
    }

    /// The connector's own topic, unless it is the worker's.
    fn own(&self, name: &str, config: &ConfigMap) -> Result<Option<Arc<Own>>, ConnectError> {
        let topic = config.get(OWN_TOPIC).and_then(Option::as_deref);
        let Some(topic) = topic.map(str::trim).filter(|topic| !topic.is_empty()) else {
            return Ok(None);
        };
        let settings = self.settings(name, config, topic).map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            ConnectError::config(texts.join("; "))
        })?;
        let servers = set(&settings.log.producer.common.bootstrap_servers);
        if topic == self.topic && servers == self.servers {
            return Ok(None);
        }
        let relevant = relevant(config);
        let mut all = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, own| own.strong_count() > 0);
        let known = all.get(name).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| known.config == relevant) {
            return Ok(Some(known));
        }
        let own = self.open(relevant, settings)?;
        all.insert(name.into(), Arc::downgrade(&own));
        Ok(Some(own))
    }

    fn open(&self, config: ConfigMap, settings: OwnSettings) -> Result<Arc<Own>, ConnectError> {
        let alive = Arc::new(());
        let own = Own {
            id: self.ids.fetch_add(1, Ordering::Relaxed),
            config,
            view: OffsetView::default(),
            alive: Some(Arc::clone(&alive)),
            commands: self.shared.commands.clone(),
        };
        let open = OffsetsCommand::Open {
            id: own.id,
            settings: Box::new(settings),
            view: own.view.clone(),
            alive: Arc::downgrade(&alive),
        };
        let sent = self.shared.commands.send(Command::Offsets(open));
        sent.map_err(|_| ConnectError::retriable(crate::cluster::ClusterBusy.to_string()))?;
        Ok(Arc::new(own))
    }

    fn settings(
        &self,
        name: &str,
        config: &ConfigMap,
        topic: &str,
    ) -> Result<OwnSettings, Vec<ConfigProblem>> {
        let parsed = distributed_def().parse(&self.worker)?;
        let created = InternalTopic::Offset.settings_as(&parsed, topic);
        let created =
            created.map_err(|error| vec![ConfigProblem::new(OWN_TOPIC, error.message())])?;
        let clients = ConnectorOffsetClients::new(&self.worker, config, name)?;
        let common = &clients.admin.common;
        let log = TopicLogSettings {
            topic: InternalTopic::Offset,
            new_topic: created.new_topic,
            api_timeout: common.default_api_timeout,
            retry_backoff: common.retry_backoff.max(Duration::from_millis(1)),
            producer: clients.producer,
            consumer: clients.consumer,
        };
        Ok(OwnSettings {
            log,
            admin: clients.admin,
        })
    }
}

fn set(servers: &[String]) -> BTreeSet<String> {
    servers.iter().cloned().collect()
}

/// What of a connector's configuration decides over its topic and clients.
fn relevant(config: &ConfigMap) -> ConfigMap {
    let decides = |key: &str| {
        let overrides = [
            "producer.override.",
            "consumer.override.",
            "admin.override.",
        ];
        key == OWN_TOPIC || overrides.iter().any(|prefix| key.starts_with(prefix))
    };
    let entries = config.iter().filter(|(key, _)| decides(key));
    entries
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

impl OffsetTopics for KafkaOffsets {
    fn connector(
        &self,
        name: &str,
        config: &ConfigMap,
    ) -> Result<Arc<dyn ConnectorOffsetTopics>, ConnectError> {
        Ok(Arc::new(KafkaConnectorOffsets {
            name: name.into(),
            shared: Arc::clone(&self.shared),
            own: self.own(name, config)?,
        }))
    }
}

/// The offsets of one connector.
struct KafkaConnectorOffsets {
    name: Box<str>,
    shared: Arc<Shared>,
    own: Option<Arc<Own>>,
}

impl std::fmt::Debug for KafkaConnectorOffsets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaConnectorOffsets")
            .field("name", &self.name)
            .field("own_topic", &self.own.is_some())
            .finish_non_exhaustive()
    }
}

impl KafkaConnectorOffsets {
    fn look<T>(&self, act: impl FnOnce(ConnectorOffsets<'_>, &mut OffsetCodec) -> T) -> T {
        // It belongs to one thread; looks are rare.
        let mut codec = OffsetCodec::default();
        let worker = self.shared.view.lock();
        let own = self.own.as_ref().map(|own| own.view.lock());
        let offsets = match &own {
            Some(own) => ConnectorOffsets::Both {
                worker: &worker,
                connector: own,
            },
            None => ConnectorOffsets::Worker(&worker),
        };
        act(offsets, &mut codec)
    }

    /// As Apache's reader: what can't be read counts as none.
    fn offset(
        &self,
        offsets: ConnectorOffsets<'_>,
        codec: &mut OffsetCodec,
        partition: &SourceMap,
    ) -> Option<SourceMap> {
        offsets
            .offset(codec, &self.name, partition)
            .unwrap_or_else(|error| {
                tracing::error!(connector = %self.name, %error,
                    "a stored offset can't be read; the connector will start without it");
                None
            })
    }
}

impl ConnectorOffsetTopics for KafkaConnectorOffsets {
    fn get(&self, partition: &SourceMap) -> Option<SourceMap> {
        self.look(|offsets, codec| self.offset(offsets, codec, partition))
    }

    fn partitions(&self) -> Vec<(SourceMap, SourceMap)> {
        self.look(|offsets, codec| {
            let partitions = offsets.partitions(codec, &self.name).into_iter();
            let both = partitions.filter_map(|partition| {
                let offset = self.offset(offsets, codec, &partition)?;
                Some((partition, offset))
            });
            both.collect()
        })
    }

    fn refresh(&self) -> LocalFuture<'_, Result<(), StorageError>> {
        let (own, limit) = (self.own.as_ref().map(|own| own.id), self.shared.limit);
        Box::pin(
            self.shared
                .ask(move |reply| OffsetsCommand::Refresh { own, limit, reply }),
        )
    }

    fn write(
        &self,
        entries: Vec<OffsetEntry>,
        gate: WriteGate,
    ) -> LocalFuture<'_, Result<(), StorageError>> {
        let own = self.own.as_ref().map(|own| own.id);
        let connector = self.name.clone();
        Box::pin(self.shared.ask(move |reply| {
            OffsetsCommand::Write(Box::new(Write {
                own,
                connector,
                entries,
                gate,
                reply,
            }))
        }))
    }
}
