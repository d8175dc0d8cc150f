//! The producer: gathers records into batches, sends them, and reports the fate of each record once.
//!
//! ```text
//! append ─→ accumulator (open batch, closed and whole ones per partition) ─→ sender ─→ connection of the leader
//!   acks ←─────────────────────── settle ←──────── responses ←──────────────────────┘
//! ```
//!
//! `append` is plain computation on the caller's turn of the shard. One background future, the sender,
//! looks at the accumulator whenever something changed (appends in a new batch, answers, metadata,
//! timers) and sends what is due: closed batches at once, open ones after `linger.ms`, or with
//! `linger.ms=0` as soon as nothing of the partition and little to its broker is in flight, so that
//! batches grow under load and nothing waits without load. Each request has a future that waits for its answer.
//!
//! Invariants: a partition's batches go out in order and come back into order when they are retried;
//! a retried batch is sent alone until it is through, with idempotence under its old sequence numbers;
//! a partition's batches in flight are all at one broker, a new leader gets the next when the old one
//! has answered, disconnected or timed out ([`accumulator::Partition::may_follow`]);
//! memory of appended records is bounded by `buffer.memory`; every record appended is settled once,
//! whatever happens ([`accumulator::Accumulator::settle`] is the only way out).

mod accumulator;
mod batch;
mod identity;
mod request;
mod response;
mod sender;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::accumulator::Accumulator;
use self::identity::IdentityState;
use self::sender::InFlight;
use super::cluster::Cluster;
use super::errors::{api_error, code, kind};
use crate::api::RawBatch;
use crate::clients::{
    Ack, ApiErrorKind, Append, AppendBatch, ClientError, Producer, ProducerConfig, ProducerRecord,
    RecordToken, Slices, TopicHandle,
};
use crate::shard::{self, JoinHandle, Notify};

/// How often a wait for a topic that does not appear is logged.
const TOPIC_WARNING: Duration = Duration::from_secs(10);

/// What the producer, its sender and the futures of its requests share.
#[derive(Debug)]
struct Inner {
    config: ProducerConfig,
    cluster: Rc<Cluster>,
    accumulator: RefCell<Accumulator>,
    in_flight: RefCell<InFlight>,
    identity: RefCell<IdentityState>,
    /// Wakes the sender.
    wake: Notify,
    /// Acknowledgements are there, or memory came back, or the producer failed.
    settled: Notify,
    /// Calls of `flush` that wait.
    flushing: Cell<usize>,
}

/// A producer over Kafka brokers.
#[derive(Debug)]
pub struct KafkaProducer {
    inner: Rc<Inner>,
    sender: JoinHandle<()>,
}

impl Drop for KafkaProducer {
    fn drop(&mut self) {
        self.sender.abort();
        self.inner.cluster.close();
    }
}

/// Counts a `flush` for as long as it is waited for.
struct Flushing<'a>(&'a Inner);

impl<'a> Flushing<'a> {
    fn start(inner: &'a Inner) -> Self {
        inner.flushing.set(inner.flushing.get() + 1);
        inner.wake.notify();
        Self(inner)
    }
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.flushing.set(self.0.flushing.get() - 1);
    }
}

impl KafkaProducer {
    /// A producer; connects when the first topic is asked for. Must be called on a shard.
    pub fn new(config: ProducerConfig) -> Self {
        let cluster = Cluster::new(config.common.clone());
        let inner = Rc::new(Inner {
            accumulator: RefCell::new(Accumulator::new(&config)),
            in_flight: RefCell::default(),
            identity: RefCell::new(IdentityState::new(&config)),
            wake: Notify::new(),
            settled: Notify::new(),
            flushing: Cell::new(0),
            cluster,
            config,
        });
        let sender = shard::spawn(sender::run(Rc::clone(&inner)));
        Self { inner, sender }
    }

    async fn find_topic(&self, topic: &str) -> Result<usize, ClientError> {
        let cluster = &self.inner.cluster;
        let limit = self.inner.config.max_block;
        let start = Instant::now();
        let mut warned = start;
        let mut failures = 0;
        loop {
            let fetched = cluster.fetch_topic_metadata(&[topic], true).await;
            let error = match (fetched, cluster.topic(topic)) {
                (Err(error), _) => error,
                (Ok(()), Some(known)) if known.error == 0 && !known.partitions.is_empty() => {
                    return Ok(known.partitions.len());
                }
                (Ok(()), known) => {
                    let code = known.map_or(code::UNKNOWN_TOPIC_OR_PARTITION, |known| known.error);
                    let code = if code == 0 {
                        code::LEADER_NOT_AVAILABLE
                    } else {
                        code
                    };
                    api_error(code, format!("topic {topic}"), None)
                }
            };
            let pause = cluster.retry_backoff(failures);
            failures = failures.saturating_add(1);
            let waited = start.elapsed();
            if !error.is_retriable() || waited + pause > limit {
                cluster.untrack(topic);
                return Err(match error.is_retriable() {
                    false => error,
                    true => ClientError::Timeout {
                        context: format!("waiting for topic {topic} to be in the metadata"),
                        after: limit,
                        hint: format!(": {error}"),
                    },
                });
            }
            if warned.elapsed() >= TOPIC_WARNING {
                warned = Instant::now();
                tracing::warn!(topic, %error, waited_s = waited.as_secs(), "no metadata of the topic yet");
            }
            shard::sleep(pause).await;
        }
    }

    /// Wakes the sender when the accumulator asks for it.
    fn wake_if_due(&self, accumulator: &mut Accumulator) {
        if std::mem::take(&mut accumulator.sender_due) {
            self.inner.wake.notify();
        }
    }
}

#[async_trait(?Send)]
impl Producer for KafkaProducer {
    async fn topic(&self, topic: &str) -> Result<TopicHandle, ClientError> {
        let known = self.inner.accumulator.borrow().by_name.get(topic).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let partitions = self.find_topic(topic).await?;
        let handle = self
            .inner
            .accumulator
            .borrow_mut()
            .add_topic(&topic.into(), partitions);
        // The producer id is asked for while the first records gather.
        self.inner.wake.notify();
        Ok(handle)
    }

    fn partitions(&self, topic: TopicHandle) -> u32 {
        let accumulator = self.inner.accumulator.borrow();
        let topic = accumulator.topics.get(topic.0 as usize);
        topic.map_or(0, |topic| {
            u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX)
        })
    }

    #[inline]
    fn append(
        &self,
        topic: TopicHandle,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<Append, ClientError> {
        let mut accumulator = self.inner.accumulator.borrow_mut();
        let result = accumulator.append(topic, record, token);
        self.wake_if_due(&mut accumulator);
        result
    }

    fn append_slices(
        &self,
        topic: TopicHandle,
        slices: &Slices<'_>,
        from: u32,
        batch: u64,
    ) -> Result<u32, (u32, ClientError)> {
        let mut accumulator = self.inner.accumulator.borrow_mut();
        let result = accumulator.append_slices(topic, slices, from, batch);
        self.wake_if_due(&mut accumulator);
        result
    }

    fn append_batch(
        &self,
        topic: TopicHandle,
        partition: i32,
        batch: &RawBatch,
        batch_number: u64,
    ) -> Result<AppendBatch, ClientError> {
        let mut accumulator = self.inner.accumulator.borrow_mut();
        let result = accumulator.append_batch(topic, partition, batch, batch_number);
        self.wake_if_due(&mut accumulator);
        result
    }

    async fn ready(&self) -> Result<(), ClientError> {
        let limit = self.inner.config.max_block;
        let room = async {
            loop {
                let mark = self.inner.settled.mark();
                {
                    let accumulator = self.inner.accumulator.borrow();
                    if let Some(fatal) = &accumulator.fatal {
                        return Err(ClientError::clone(fatal));
                    }
                    if accumulator.closed {
                        return Err(ClientError::Closed);
                    }
                    if accumulator.has_room() {
                        return Ok(());
                    }
                }
                self.inner.settled.changed_since(mark).await;
            }
        };
        shard::timeout(limit, room).await.unwrap_or_else(|_| {
            Err(ClientError::Timeout {
                context: "waiting for buffer memory".to_owned(),
                after: limit,
                hint: "; the brokers take records more slowly than they come (buffer.memory, \
                       max.block.ms)"
                    .to_owned(),
            })
        })
    }

    fn take_acks(&self, out: &mut Vec<Ack>) {
        let mut accumulator = self.inner.accumulator.borrow_mut();
        let records: usize = accumulator.acks.iter().map(|ack| ack.count as usize).sum();
        accumulator.unreported = accumulator.unreported.saturating_sub(records);
        out.append(&mut accumulator.acks);
    }

    async fn acked(&self) {
        loop {
            let mark = self.inner.settled.mark();
            if !self.inner.accumulator.borrow().acks.is_empty() {
                return;
            }
            self.inner.settled.changed_since(mark).await;
        }
    }

    fn in_flight(&self) -> usize {
        self.inner.accumulator.borrow().unreported
    }

    async fn flush(&self) {
        let _flushing = Flushing::start(&self.inner);
        loop {
            let mark = self.inner.settled.mark();
            if self.inner.accumulator.borrow().unresolved == 0 {
                return;
            }
            self.inner.settled.changed_since(mark).await;
        }
    }

    async fn close(&self, timeout: Duration) {
        self.inner.accumulator.borrow_mut().closed = true;
        self.inner.settled.notify();
        let flushed = shard::timeout(timeout, self.flush()).await;
        self.sender.abort();
        self.inner.cluster.close();
        if flushed.is_err() {
            let records = self.inner.accumulator.borrow().unresolved;
            tracing::warn!(
                records,
                "the producer was closed before all records were acknowledged"
            );
        }
        self.inner.give_up(&Rc::new(ClientError::Timeout {
            context: "closing the producer".to_owned(),
            after: timeout,
            hint: ": records were not acknowledged in time".to_owned(),
        }));
    }
}

impl Inner {
    /// Settles everything that is open with `error`.
    fn give_up(&self, error: &Rc<ClientError>) {
        let parts = self.in_flight.borrow_mut().take_all();
        {
            let mut accumulator = self.accumulator.borrow_mut();
            for part in parts {
                accumulator.settle_part(part, &Err(Rc::clone(error)));
            }
            accumulator.fail_queued(error);
        }
        self.settled.notify();
    }

    /// Ends the producer's work for good.
    fn fail(&self, error: ClientError) {
        tracing::error!(%error, "the producer has failed");
        let error = Rc::new(error);
        self.accumulator.borrow_mut().fatal = Some(Rc::clone(&error));
        self.give_up(&error);
    }
}

/// Whether a broker's refusal concerns the producer as a whole.
fn is_fatal_for_producer(code: i16) -> bool {
    kind(code) == ApiErrorKind::Fenced || code == code::CLUSTER_AUTHORIZATION_FAILED
}
