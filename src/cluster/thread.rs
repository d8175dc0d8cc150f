//! What runs on the cluster's thread.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::events::tell;
use super::group::{Group, GroupCommand};
use super::offsets::{OffsetLogs, OffsetView, OffsetsCommand, view_sink};
use super::topic_log::{
    LogAdmin, LogClients, LogError, LogRecord, RecordSink, TopicLog, TopicLogSettings, in_full,
};
use super::{ClusterEvent, ClusterSettings, EventSink, Outcome, Token};
use crate::clients::Admin;
use crate::distributed::TopicRecord;
use crate::kafka::{KafkaAdmin, KafkaConsumer, KafkaProducer};
use crate::shard::{self, Notify, Receiver};

/// Time for the consumers and the admin client to close.
const CLOSE: Duration = Duration::from_secs(1);

/// See [`super::ClusterHandle`].
#[derive(Debug)]
pub(super) enum Command {
    ReadConfigToEnd {
        token: Token,
        limit: Duration,
    },
    AppendConfig {
        token: Token,
        records: Vec<TopicRecord>,
        limit: Duration,
    },
    AppendStatus {
        token: Token,
        records: Vec<TopicRecord>,
    },
    Group(GroupCommand),
    /// Of tasks and of requests about offsets.
    Offsets(OffsetsCommand),
    Stop {
        limit: Duration,
    },
}

/// Serves commands until it is told to stop or nobody is left to give any.
pub(super) async fn run(
    settings: ClusterSettings,
    offsets: OffsetView,
    sink: Arc<dyn EventSink>,
    commands: Receiver<Command>,
) {
    let parts = Parts::new(settings, offsets, sink);
    parts.start();
    let mut limit = Duration::ZERO;
    while let Some(command) = commands.receive().await {
        if let Command::Stop { limit: given } = command {
            limit = given;
            break;
        }
        parts.obey(command);
    }
    parts.stop(limit).await;
}

/// Everything that lives on the thread.
struct Parts {
    admin: Rc<KafkaAdmin>,
    configs: Rc<TopicLog>,
    statuses: Rc<TopicLog>,
    offsets: Rc<OffsetLogs>,
    group: Group,
    sink: Arc<dyn EventSink>,
    /// Told to stop: what fails now fails because of that.
    stopping: Rc<Cell<bool>>,
    unanswered: Rc<Unanswered>,
}

/// Counts commands that have no answer yet.
#[derive(Default)]
struct Unanswered {
    count: Cell<usize>,
    answered: Notify,
}

/// A command without an answer, until it is dropped.
struct Owed(Rc<Unanswered>);

impl Owed {
    fn new(all: &Rc<Unanswered>) -> Self {
        all.count.set(all.count.get() + 1);
        Self(Rc::clone(all))
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        self.0.answered.notify();
    }
}

impl Unanswered {
    async fn none_left(&self) {
        loop {
            let mark = self.answered.mark();
            if self.count.get() == 0 {
                return;
            }
            self.answered.changed_since(mark).await;
        }
    }
}

impl Parts {
    fn new(settings: ClusterSettings, view: OffsetView, sink: Arc<dyn EventSink>) -> Self {
        let admin = Rc::new(KafkaAdmin::new(settings.admin));
        let log = |settings: TopicLogSettings, sink: Rc<dyn RecordSink>| {
            let clients = LogClients {
                admin: Rc::clone(&admin) as Rc<dyn LogAdmin>,
                producer: Rc::new(KafkaProducer::new(settings.producer.clone())),
                consumer: Rc::new(KafkaConsumer::new(settings.consumer.clone())),
            };
            Rc::new(TopicLog::new(settings, clients, sink))
        };
        let offsets = view_sink(&settings.offsets, view.clone());
        Self {
            configs: log(settings.configs, configs_sink(Arc::clone(&sink))),
            statuses: log(settings.statuses, statuses_sink(Arc::clone(&sink))),
            offsets: OffsetLogs::new(log(settings.offsets, offsets), view, settings.lease.clone()),
            group: Group::start(settings.group, settings.lease, Arc::clone(&sink)),
            admin,
            sink,
            stopping: Rc::default(),
            unanswered: Rc::default(),
        }
    }

    fn start(&self) {
        self.start_log(self.offsets.worker(), ClusterEvent::OffsetsStarted);
        self.start_log(&self.statuses, ClusterEvent::StatusStarted);
        self.start_log(&self.configs, ClusterEvent::ConfigStarted);
    }

    fn start_log(&self, log: &Rc<TopicLog>, started: ClusterEvent) {
        let (log, sink) = (Rc::clone(log), Arc::clone(&self.sink));
        let stopping = Rc::clone(&self.stopping);
        shard::spawn(async move {
            let outcome = log.start().await;
            if stopping.get() {
                return;
            }
            match outcome {
                Ok(()) => tell(&sink, started).await,
                Err(error) => tell(&sink, ClusterEvent::Failed(in_full(&error))).await,
            }
        });
    }

    /// Begins to do what is commanded, in the order of the calls.
    fn obey(&self, command: Command) {
        let sink = Arc::clone(&self.sink);
        let owed = Owed::new(&self.unanswered);
        match command {
            Command::ReadConfigToEnd { token, limit } => {
                let log = Rc::clone(&self.configs);
                shard::spawn(async move {
                    let result = log.read_to_end(limit).await;
                    tell(&sink, ClusterEvent::ConfigReadToEnd { token, result }).await;
                    drop(owed);
                });
            }
            Command::AppendConfig {
                token,
                records,
                limit,
            } => {
                let topic = self.configs.topic().to_owned();
                let appended = self.configs.append(records);
                shard::spawn(async move {
                    let fates = shard::timeout(limit, appended).await;
                    let result = match fates {
                        Ok(fates) => all_written(fates),
                        Err(_) => Err(LogError::Timeout {
                            topic,
                            doing: "writing",
                            after: limit,
                            hint: ": are its brokers there?".to_owned(),
                        }),
                    };
                    tell(&sink, ClusterEvent::ConfigAppended { token, result }).await;
                    drop(owed);
                });
            }
            Command::AppendStatus { token, records } => {
                let appended = self.statuses.append(records);
                shard::spawn(async move {
                    let result = all_written(appended.await);
                    tell(&sink, ClusterEvent::StatusAppended { token, result }).await;
                    drop(owed);
                });
            }
            Command::Group(command) => self.group.obey(command),
            Command::Offsets(command) => self.offsets.obey(command),
            Command::Stop { .. } => {}
        }
    }

    async fn stop(&self, limit: Duration) {
        self.stopping.set(true);
        self.group.stop().await;
        let configs = self.configs.close(limit);
        let statuses = self.statuses.close(limit);
        let offsets = self.offsets.worker().close(limit);
        let own = self.offsets.close_own(limit);
        futures_util::future::join4(configs, statuses, offsets, own).await;
        if shard::timeout(CLOSE, self.admin.close()).await.is_err() {
            tracing::debug!("the admin client did not close in time");
        }
        self.unanswered.none_left().await;
        tell(&self.sink, ClusterEvent::Stopped).await;
    }
}

/// The first failure.
fn all_written(fates: Vec<Result<(), LogError>>) -> Outcome {
    fates.into_iter().collect()
}

fn configs_sink(sink: Arc<dyn EventSink>) -> Rc<dyn RecordSink> {
    Rc::new(
        move |records: Vec<LogRecord>| match sink.offer(ClusterEvent::ConfigRecords(records)) {
            Err(ClusterEvent::ConfigRecords(back)) => Err(back),
            _ => Ok(()),
        },
    )
}

fn statuses_sink(sink: Arc<dyn EventSink>) -> Rc<dyn RecordSink> {
    Rc::new(
        move |records: Vec<LogRecord>| match sink.offer(ClusterEvent::StatusRecords(records)) {
            Err(ClusterEvent::StatusRecords(back)) => Err(back),
            _ => Ok(()),
        },
    )
}
