//! The thread's side: the logs of offset topics, and what tasks ask of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Weak;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, join, join_all, select};

use super::OffsetView;
use crate::clients::{Admin, AdminConfig, Lease};
use crate::cluster::topic_log::{
    LogAdmin, LogClients, LogError, LogRecord, RecordSink, TopicLog, TopicLogSettings,
};
use crate::distributed::offset_topic::{
    ConnectorOffsets, OffsetCodec, OnFailure, Store, WriteStep,
};
use crate::kafka::{KafkaAdmin, KafkaConsumer, KafkaProducer};
use crate::shard;
use crate::storage::{OffsetEntry, StorageError, WriteGate};

/// Time for the clients of a connector's topic that nobody uses any more to close.
const CLOSE: Duration = Duration::from_secs(5);

/// What became of a command.
pub(super) type Reply = oneshot::Sender<Result<(), StorageError>>;

/// Settings of a connector's own topic.
pub(in crate::cluster) struct OwnSettings {
    pub(super) log: TopicLogSettings,
    pub(super) admin: AdminConfig,
}

/// What tasks and requests ask of the thread.
pub(in crate::cluster) enum OffsetsCommand {
    /// Starts the log of a connector's own topic.
    Open {
        id: u64,
        settings: Box<OwnSettings>,
        view: OffsetView,
        /// Gone when nobody needs the log any more.
        alive: Weak<()>,
    },
    /// Closes the logs that nobody needs any more.
    Prune,
    /// Reads the worker's topic and one of a connector to their present ends.
    Refresh {
        own: Option<u64>,
        limit: Duration,
        reply: Reply,
    },
    /// Writes offsets of a connector.
    Write(Box<Write>),
}

pub(in crate::cluster) struct Write {
    pub(super) own: Option<u64>,
    pub(super) connector: Box<str>,
    pub(super) entries: Vec<OffsetEntry>,
    pub(super) gate: WriteGate,
    pub(super) reply: Reply,
}

impl std::fmt::Debug for OffsetsCommand {
    /// Without settings and offsets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open { .. } => "Open",
            Self::Prune => "Prune",
            Self::Refresh { .. } => "Refresh",
            Self::Write(_) => "Write",
        })
    }
}

/// A topic as it is read and written.
#[derive(Clone)]
struct Topic {
    log: Rc<TopicLog>,
    view: OffsetView,
}

/// The topics of a connector.
struct Topics {
    worker: Topic,
    own: Option<Topic>,
}

impl Topics {
    /// Waits for both.
    async fn started(&self) -> Result<(), LogError> {
        let own = async {
            match &self.own {
                Some(own) => own.log.started().await,
                None => Ok(()),
            }
        };
        let (worker, own) = join(self.worker.log.started(), own).await;
        worker.and(own)
    }

    /// Reads both to their present ends.
    async fn read_to_end(&self, limit: Duration) -> Result<(), LogError> {
        let own = async {
            match &self.own {
                Some(own) => own.log.read_to_end(limit).await,
                None => Ok(()),
            }
        };
        let (worker, own) = join(self.worker.log.read_to_end(limit), own).await;
        worker.and(own)
    }
}

/// A connector's own.
struct OwnTopic {
    topic: Topic,
    admin: Rc<KafkaAdmin>,
    alive: Weak<()>,
}

/// The logs of all offset topics.
pub(in crate::cluster) struct OffsetLogs {
    worker: Topic,
    own: RefCell<HashMap<u64, OwnTopic>>,
    /// Without it, others may have the tasks whose offsets these are.
    lease: Lease,
}

impl OffsetLogs {
    pub(in crate::cluster) fn new(log: Rc<TopicLog>, view: OffsetView, lease: Lease) -> Rc<Self> {
        Rc::new(Self {
            worker: Topic { log, view },
            own: RefCell::default(),
            lease,
        })
    }

    /// The worker's log.
    pub(in crate::cluster) fn worker(&self) -> &Rc<TopicLog> {
        &self.worker.log
    }

    /// Begins to do what is commanded.
    pub(in crate::cluster) fn obey(self: &Rc<Self>, command: OffsetsCommand) {
        match command {
            OffsetsCommand::Open {
                id,
                settings,
                view,
                alive,
            } => {
                self.prune();
                self.open(id, *settings, view, alive);
            }
            OffsetsCommand::Prune => self.prune(),
            OffsetsCommand::Refresh { own, limit, reply } => {
                let topics = self.topics(own);
                let work = async move { refresh(topics?, limit).await };
                shard::spawn(answer(reply, work));
            }
            OffsetsCommand::Write(write) => {
                let topics = self.topics(write.own);
                let lease = self.lease.clone();
                let Write {
                    connector,
                    entries,
                    gate,
                    reply,
                    ..
                } = *write;
                let work = async move {
                    let job = Job {
                        topics: topics?,
                        connector,
                        entries,
                        gate,
                        lease,
                    };
                    job.run().await
                };
                shard::spawn(answer(reply, work));
            }
        }
    }

    /// The topics of a connector whose own one has this number.
    fn topics(&self, own: Option<u64>) -> Result<Topics, StorageError> {
        let worker = self.worker.clone();
        let Some(number) = own else {
            return Ok(Topics { worker, own: None });
        };
        match self.own.borrow().get(&number) {
            Some(own) => Ok(Topics {
                worker,
                own: Some(own.topic.clone()),
            }),
            None => {
                let text = "the connector's own offset topic is closed";
                Err(StorageError::shared(text.to_owned(), false))
            }
        }
    }

    fn open(&self, id: u64, settings: OwnSettings, view: OffsetView, alive: Weak<()>) {
        let admin = Rc::new(KafkaAdmin::new(settings.admin));
        let clients = LogClients {
            admin: Rc::clone(&admin) as Rc<dyn LogAdmin>,
            producer: Rc::new(KafkaProducer::new(settings.log.producer.clone())),
            consumer: Rc::new(KafkaConsumer::new(settings.log.consumer.clone())),
        };
        let sink = view_sink(&settings.log, view.clone());
        let log = Rc::new(TopicLog::new(settings.log, clients, sink));
        let topic = Topic {
            log: Rc::clone(&log),
            view,
        };
        let own = OwnTopic {
            topic,
            admin,
            alive,
        };
        self.own.borrow_mut().insert(id, own);
        shard::spawn(async move {
            if let Err(error) = log.start().await {
                tracing::error!(
                    topic = log.topic(),
                    trace = error.trace(),
                    "a connector's offset topic can't be used"
                );
            }
        });
    }

    fn prune(&self) {
        let unused = |own: &OwnTopic| own.alive.strong_count() == 0;
        let mut all = self.own.borrow_mut();
        let gone: Vec<u64> = all
            .iter()
            .filter(|(_, own)| unused(own))
            .map(|(id, _)| *id)
            .collect();
        for own in gone.iter().filter_map(|id| all.remove(id)) {
            shard::spawn(async move { own.close(CLOSE).await });
        }
    }

    /// Closes all logs but the worker's.
    pub(in crate::cluster) async fn close_own(&self, limit: Duration) {
        let all = self.own.take();
        join_all(all.values().map(|own| own.close(limit))).await;
    }
}

impl OwnTopic {
    async fn close(&self, limit: Duration) {
        self.topic.log.close(limit).await;
        self.admin.close().await;
    }
}

/// Gives a view the records of its topic.
pub(in crate::cluster) fn view_sink(
    settings: &TopicLogSettings,
    view: OffsetView,
) -> Rc<dyn RecordSink> {
    let topic = settings.new_topic.name.clone();
    let codec = RefCell::new(OffsetCodec::default());
    Rc::new(move |records: Vec<LogRecord>| {
        view.apply(&topic, &mut codec.borrow_mut(), &records);
        Ok(())
    })
}

/// Does something and tells its outcome, as long as somebody waits for it.
async fn answer(mut reply: Reply, work: impl Future<Output = Result<(), StorageError>>) {
    let work = pin!(work);
    let outcome = match select(work, reply.cancellation()).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => return,
    };
    // Nobody may wait any more by now.
    drop(reply.send(outcome));
}

async fn refresh(topics: Topics, limit: Duration) -> Result<(), StorageError> {
    let read = topics.read_to_end(limit).await;
    read.map_err(|error| of_log(&error))
}

fn of_log(error: &LogError) -> StorageError {
    StorageError::shared(error.to_string(), error.is_retriable())
}

/// A write of a connector's offsets.
struct Job {
    topics: Topics,
    connector: Box<str>,
    entries: Vec<OffsetEntry>,
    gate: WriteGate,
    lease: Lease,
}

impl Job {
    async fn run(self) -> Result<(), StorageError> {
        // Keys are written as they were met, so the topics have to be known.
        let started = self.topics.started().await;
        started.map_err(|error| of_log(&error))?;
        for step in self.steps()? {
            self.take(step).await?;
        }
        Ok(())
    }

    fn steps(&self) -> Result<Vec<WriteStep>, StorageError> {
        let mut codec = OffsetCodec::default();
        let worker = self.topics.worker.view.lock();
        let own = self.topics.own.as_ref().map(|own| own.view.lock());
        let offsets = match &own {
            Some(own) => ConnectorOffsets::Both {
                worker: &worker,
                connector: own,
            },
            None => ConnectorOffsets::Worker(&worker),
        };
        let steps = offsets.write(&mut codec, &self.connector, &self.entries);
        steps.map_err(|error| StorageError::shared(error.message().to_owned(), false))
    }

    async fn take(&self, step: WriteStep) -> Result<(), StorageError> {
        let log = match (step.store, &self.topics.own) {
            (Store::Connector, Some(own)) => &own.log,
            _ => &self.topics.worker.log,
        };
        let (gate, lease) = (self.gate.clone(), self.lease.clone());
        let may_write = move || !gate.is_closed() && !lease.is_over();
        let written = log.append_while(step.records, Rc::new(may_write));
        let outcome = async move { written.await.into_iter().collect::<Result<(), LogError>>() };
        if step.on_failure == OnFailure::Warn {
            // It decides nothing, so nobody waits for it (Kafka: `ConnectorOffsetBackingStore.set`).
            let connector = self.connector.clone();
            shard::spawn(async move {
                if let Err(error) = outcome.await {
                    tracing::warn!(%connector, %error,
                        "offsets are in the connector's own topic, but not in the worker's");
                }
            });
            return Ok(());
        }
        match outcome.await {
            Ok(()) => Ok(()),
            Err(_) if self.gate.is_closed() => Err(StorageError::closed(&self.connector)),
            Err(error) => Err(of_log(&error)),
        }
    }
}
