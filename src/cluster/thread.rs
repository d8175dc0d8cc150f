//! What runs on the cluster's thread.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::events::tell;
use super::group::{Group, GroupCommand};
use super::offsets::OffsetView;
use super::topic_log::{
    LogAdmin, LogClients, LogError, LogRecord, RecordSink, TopicLog, TopicLogSettings,
};
use super::{ClusterEvent, ClusterSettings, EventSink, Outcome, Token};
use crate::api::ConnectError;
use crate::clients::Admin;
use crate::distributed::TopicRecord;
use crate::distributed::offset_topic::OffsetCodec;
use crate::kafka::{KafkaAdmin, KafkaConsumer, KafkaProducer};
use crate::shard::{self, Receiver};

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
    Stop {
        limit: Duration,
    },
}

/// Serves commands until it is told to stop or nobody is left to give any.
pub(super) async fn run(
    settings: ClusterSettings,
    sink: Arc<dyn EventSink>,
    commands: Receiver<Command>,
) {
    let parts = Parts::new(settings, sink);
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
    offsets: Rc<TopicLog>,
    group: Group,
    sink: Arc<dyn EventSink>,
}

impl Parts {
    fn new(settings: ClusterSettings, sink: Arc<dyn EventSink>) -> Self {
        let admin = Rc::new(KafkaAdmin::new(settings.admin));
        let log = |settings: TopicLogSettings, sink: Rc<dyn RecordSink>| {
            let clients = LogClients {
                admin: Rc::clone(&admin) as Rc<dyn LogAdmin>,
                producer: Rc::new(KafkaProducer::new(settings.producer.clone())),
                consumer: Rc::new(KafkaConsumer::new(settings.consumer.clone())),
            };
            Rc::new(TopicLog::new(settings, clients, sink))
        };
        let offsets = offsets_sink(&settings.offsets, OffsetView::default());
        Self {
            configs: log(settings.configs, configs_sink(Arc::clone(&sink))),
            statuses: log(settings.statuses, statuses_sink(Arc::clone(&sink))),
            offsets: log(settings.offsets, offsets),
            group: Group::start(settings.group, settings.lease, Arc::clone(&sink)),
            admin,
            sink,
        }
    }

    fn start(&self) {
        self.start_log(&self.offsets, ClusterEvent::OffsetsStarted);
        self.start_log(&self.statuses, ClusterEvent::StatusStarted);
        self.start_log(&self.configs, ClusterEvent::ConfigStarted);
    }

    fn start_log(&self, log: &Rc<TopicLog>, started: ClusterEvent) {
        let (log, sink) = (Rc::clone(log), Arc::clone(&self.sink));
        shard::spawn(async move {
            match log.start().await {
                Ok(()) => tell(&sink, started).await,
                Err(error) => tell(&sink, ClusterEvent::Failed(in_full(&error))).await,
            }
        });
    }

    /// Begins to do what is commanded, in the order of the calls.
    fn obey(&self, command: Command) {
        let sink = Arc::clone(&self.sink);
        match command {
            Command::ReadConfigToEnd { token, limit } => {
                let log = Rc::clone(&self.configs);
                shard::spawn(async move {
                    let result = log.read_to_end(limit).await;
                    tell(&sink, ClusterEvent::ConfigReadToEnd { token, result }).await;
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
                });
            }
            Command::AppendStatus { token, records } => {
                let appended = self.statuses.append(records);
                shard::spawn(async move {
                    let result = all_written(appended.await);
                    tell(&sink, ClusterEvent::StatusAppended { token, result }).await;
                });
            }
            Command::Group(command) => self.group.obey(command),
            Command::Stop { .. } => {}
        }
    }

    async fn stop(&self, limit: Duration) {
        self.group.stop().await;
        let configs = self.configs.close(limit);
        let statuses = self.statuses.close(limit);
        let offsets = self.offsets.close(limit);
        futures_util::future::join3(configs, statuses, offsets).await;
        if shard::timeout(CLOSE, self.admin.close()).await.is_err() {
            tracing::debug!("the admin client did not close in time");
        }
        tell(&self.sink, ClusterEvent::Stopped).await;
    }
}

/// The first failure.
fn all_written(fates: Vec<Result<(), LogError>>) -> Outcome {
    fates.into_iter().collect()
}

/// An error with its causes.
fn in_full(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(known) = cause {
        text = format!("{text}: {known}");
        cause = known.source();
    }
    text
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

fn offsets_sink(settings: &TopicLogSettings, view: OffsetView) -> Rc<dyn RecordSink> {
    let topic = settings.new_topic.name.clone();
    let codec = RefCell::new(OffsetCodec::default());
    Rc::new(move |records: Vec<LogRecord>| {
        view.apply(&topic, &mut codec.borrow_mut(), &records);
        Ok(())
    })
}
