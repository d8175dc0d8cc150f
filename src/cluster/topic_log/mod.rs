//! One internal topic, read from its beginning and followed for ever, and appended to (Kafka:
//! `KafkaBasedLog`; contract 4.1).
//!
//! ```text
//! start: create when missing, check (topic) ─→ consumer ─→ follow ─bounded batches→ RecordSink
//!                                                 ends now (admin) ─→ read_to_end ←┘ how far it is
//! append ─queue→ appender ─→ producer ─acks→ one result per record
//! ```
//!
//! Invariants: records of a partition reach the sink in the order of their offsets, and none is left out
//! that the topic had when it was read; only when the topic is made anew, or loses its end, are records
//! delivered again, from its beginning, with a line in the log. Appends reach the producer in the order
//! of the calls, one request in flight, so their order in a partition is that of the calls as well.
//!
//! What brokers do is outlived: their restarts, other leaders, a topic that is gone for a while. Errors
//! of reading are logged and tried again. As in Apache's worker, partitions that are added to a running
//! cluster's topic are not read before the next start; and the topic that replaces a deleted one is
//! read from where the old one was when it is longer already.
//!
//! Bounds: a batch is [`BATCH_RECORDS`] records or [`BATCH_BYTES`] and a record; while the sink has no room, one batch
//! waits and the consumer fetches no more; [`APPENDS_MAX`] appends wait for the producer, whose
//! `buffer.memory` bounds what is on its way.

mod appender;
mod error;
mod follow;
#[cfg(test)]
mod tests;
mod topic;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

pub use self::appender::APPENDS_MAX;
use self::appender::Appender;
pub use self::error::LogError;
pub use self::topic::LogAdmin;
use crate::api::{ConnectError, TopicPartition};
use crate::clients::{ClientError, Consumer, ConsumerConfig, NewTopic, Producer, ProducerConfig};
use crate::distributed::TopicRecord;
use crate::distributed::internal_topics::InternalTopic;
use crate::shard::{self, JoinHandle, Notify};

/// Most records of a batch for a sink.
pub const BATCH_RECORDS: usize = 500;
/// A batch is full once keys and values have this many bytes.
pub const BATCH_BYTES: usize = 1 << 20;

/// A record of an internal topic.
#[derive(Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Partition.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
    /// Milliseconds since the epoch; −1 for none.
    pub timestamp: i64,
    /// Key, or null.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

impl std::fmt::Debug for LogRecord {
    /// Without the value: configurations and session keys are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.as_deref().map(String::from_utf8_lossy);
        f.debug_struct("LogRecord")
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .field("key", &key)
            .field("value_bytes", &self.value.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// Where a log's records go. Called on the log's thread: it must not block.
pub trait RecordSink {
    /// Takes a batch, or gives it back when there is no room now: it is offered again, and nothing
    /// after it before.
    ///
    /// # Errors
    /// No room.
    fn offer(&self, records: Vec<LogRecord>) -> Result<(), Vec<LogRecord>>;
}

impl<F> RecordSink for F
where
    F: Fn(Vec<LogRecord>) -> Result<(), Vec<LogRecord>>,
{
    fn offer(&self, records: Vec<LogRecord>) -> Result<(), Vec<LogRecord>> {
        self(records)
    }
}

/// Settings of a log. Holds secrets of its clients.
#[derive(Clone)]
pub struct TopicLogSettings {
    /// Which topic it is.
    pub topic: InternalTopic,
    /// What it is created with when it is missing; has its name.
    pub new_topic: NewTopic,
    /// Its producer.
    pub producer: ProducerConfig,
    /// Its consumer.
    pub consumer: ConsumerConfig,
    /// `default.api.timeout.ms` of the admin client: how long the start tries to create the topic.
    pub api_timeout: Duration,
    /// `retry.backoff.ms` of the admin client.
    pub retry_backoff: Duration,
}

impl std::fmt::Debug for TopicLogSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicLogSettings")
            .field("new_topic", &self.new_topic)
            .finish_non_exhaustive()
    }
}

/// A log's clients.
pub struct LogClients {
    /// Asks about topics and creates them; other logs may have the same.
    pub admin: Rc<dyn LogAdmin>,
    /// Appends.
    pub producer: Rc<dyn Producer>,
    /// Reads; it is assigned its partitions by the log.
    pub consumer: Rc<dyn Consumer>,
}

impl std::fmt::Debug for LogClients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogClients").finish_non_exhaustive()
    }
}

/// How far a log's start has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Closed,
}

/// What a log's futures share.
struct Inner {
    settings: TopicLogSettings,
    clients: LogClients,
    sink: Rc<dyn RecordSink>,
    phase: Cell<Phase>,
    /// By partition, the offset after what the sink has taken.
    delivered: RefCell<BTreeMap<i32, i64>>,
    /// Why the start has failed.
    failure: RefCell<Option<String>>,
    /// An error of reading that will not pass by itself, since the last success.
    reading_error: RefCell<Option<ClientError>>,
    /// Any of the above has changed.
    changed: Notify,
    /// How often partitions were read from their beginning again.
    rewinds: Cell<u64>,
    /// By partition, which of the rewinds was its last: what was fetched of it before is stale.
    rewound: RefCell<BTreeMap<i32, u64>>,
    /// The topic was not there when it was looked for.
    gone: Cell<bool>,
}

/// A log.
pub struct TopicLog {
    inner: Rc<Inner>,
    appender: Appender,
    background: RefCell<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for TopicLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicLog")
            .field("topic", &self.topic())
            .field("phase", &self.inner.phase.get())
            .finish_non_exhaustive()
    }
}

impl TopicLog {
    /// A log that was not started. Must be called on the thread that will run it.
    pub fn new(settings: TopicLogSettings, clients: LogClients, sink: Rc<dyn RecordSink>) -> Self {
        let topic: Rc<str> = settings.new_topic.name.as_str().into();
        let appender = Appender::new(topic, Rc::clone(&clients.producer));
        Self {
            inner: Rc::new(Inner {
                settings,
                clients,
                sink,
                phase: Cell::new(Phase::Starting),
                delivered: RefCell::default(),
                failure: RefCell::default(),
                reading_error: RefCell::default(),
                changed: Notify::new(),
                rewinds: Cell::new(0),
                rewound: RefCell::default(),
                gone: Cell::new(false),
            }),
            appender,
            background: RefCell::default(),
        }
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        self.inner.topic()
    }

    /// Creates the topic when it is missing, checks it, and delivers everything up to its present end;
    /// from then on records are delivered as they come. Once.
    ///
    /// # Errors
    /// The topic can't be created, is not compacted, has more partitions than it may have, or can't be
    /// read; with Apache's text where Apache has one.
    pub async fn start(&self) -> Result<(), ConnectError> {
        match self.start_up().await {
            Ok(()) if self.inner.phase.get() == Phase::Starting => {
                self.appender.open();
                self.inner.enter(Phase::Running);
                Ok(())
            }
            Ok(()) => Ok(()),
            Err(error) => {
                self.inner.failure.replace(Some(in_full(&error)));
                self.inner.enter(Phase::Closed);
                self.appender.abandon(&self.inner.closed());
                Err(error)
            }
        }
    }

    async fn start_up(&self) -> Result<(), ConnectError> {
        let inner = &self.inner;
        let partitions = topic::prepare(&inner.settings, &*inner.clients.admin).await?;
        let all = 0..i32::try_from(partitions).unwrap_or(i32::MAX);
        *inner.delivered.borrow_mut() = all.clone().map(|partition| (partition, 0)).collect();
        let assigned = all.map(|number| TopicPartition::new(inner.topic(), number));
        inner.clients.consumer.assign(assigned.collect());
        let follower = shard::spawn(follow::run(Rc::clone(inner)));
        self.background.borrow_mut().push(follower);
        inner.read_to_first_end().await?;
        tracing::info!(
            topic = inner.topic(),
            partitions,
            "the internal topic was read to its end"
        );
        Ok(())
    }

    /// Completes when the log has started.
    ///
    /// # Errors
    /// Why it has not, or it was closed.
    pub async fn started(&self) -> Result<(), LogError> {
        self.inner.started().await
    }

    /// Completes when everything was delivered that the topic has now. Waits for the start first. Cancel-safe.
    ///
    /// # Errors
    /// `limit` is over, and why; the log was closed.
    pub async fn read_to_end(&self, limit: Duration) -> Result<(), LogError> {
        self.inner.read_to_end(limit).await
    }

    /// Appends records in this order, behind those of earlier calls, and gives the fate of each once all are
    /// decided. The order is that of the calls, not that of the first polls; nothing is written before
    /// the log has started. Dropping the future keeps what was not handed to the producer from being
    /// written.
    pub fn append(
        &self,
        records: Vec<TopicRecord>,
    ) -> impl Future<Output = Vec<Result<(), LogError>>> + 'static {
        self.append_while(records, Rc::new(|| true))
    }

    /// As [`Self::append`]; a record that is `wanted` no more when the producer has room for it is not written.
    pub fn append_while(
        &self,
        records: Vec<TopicRecord>,
        wanted: Rc<dyn Fn() -> bool>,
    ) -> impl Future<Output = Vec<Result<(), LogError>>> + 'static {
        self.appender.append(records, wanted)
    }

    /// Writes what was appended, for up to `limit`, and closes producer and consumer; the admin client is
    /// its maker's.
    pub async fn close(&self, limit: Duration) {
        self.inner.enter(Phase::Closed);
        for future in self.background.take() {
            future.abort();
        }
        self.appender.close(limit).await;
        self.inner.clients.consumer.close(limit).await;
    }
}

/// An error with its causes.
pub(in crate::cluster) fn in_full(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(known) = cause {
        text = format!("{text}: {known}");
        cause = known.source();
    }
    text
}

impl Drop for TopicLog {
    fn drop(&mut self) {
        for future in self.background.take() {
            future.abort();
        }
    }
}
