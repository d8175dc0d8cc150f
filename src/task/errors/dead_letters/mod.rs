//! The dead letter queue: failed records in a topic (Kafka: `DeadLetterQueueReporter`, KIP-298).
//!
//! Letters are handed to a producer of the task's own and not waited for, but offsets wait for them: a
//! commit of a sink stays below the first record whose letter is not acknowledged yet, and so does the
//! source offset of a source. When the producer's `buffer.memory` is used up, the task waits for room.

mod letter;
mod pending;

use std::fmt;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

pub(super) use letter::Failed;
use letter::{Context, OMITTED, Renderer, Sender};
use pending::{Pending, Waiting};

use super::{Host, LogLimit, Origin, SourceOrigin, now_ms};
use crate::api::{ConnectError, TopicPartition};
use crate::clients::{
    Ack, Admin, Append, ClientError, NewTopic, Producer, ProducerRecord, RecordToken, TopicHandle,
};
use crate::config::connector::DeadLetterQueue;
use crate::record::{RecordHeader, headers};
use crate::shard;

/// Wait before a topic that is not there is asked for again.
const TOPIC_RETRY: Duration = Duration::from_secs(1);
/// Lines per second about letters that could not be written.
const LINES_PER_SECOND: u32 = 5;

/// Writes failed records of one task.
pub struct DeadLetters {
    sender: Sender,
    settings: DeadLetterQueue,
    producer: Rc<dyn Producer>,
    admin: Rc<dyn Admin>,
    /// Known once [`Self::open`] is through.
    topic: Option<TopicHandle>,
    pending: Pending,
    acks: Vec<Ack>,
    /// Submitted records that need not wait any longer.
    settled: Vec<RecordToken>,
    /// Why a letter of a record that the task itself reported is lost.
    lost: Option<ConnectError>,
    limit: LogLimit,
    renderer: Renderer,
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters")
            .field("settings", &self.settings)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// A queue of task `task` of `connector`, with clients of its own.
    pub fn new(
        settings: DeadLetterQueue,
        connector: String,
        task: u32,
        producer: Rc<dyn Producer>,
        admin: Rc<dyn Admin>,
    ) -> Self {
        Self {
            sender: Sender { connector, task },
            settings,
            producer,
            admin,
            topic: None,
            pending: Pending::default(),
            acks: Vec::new(),
            settled: Vec::new(),
            lost: None,
            limit: LogLimit::new(LINES_PER_SECOND),
            renderer: Renderer::default(),
        }
    }

    /// Creates the topic when it is missing, and waits until brokers name it.
    ///
    /// # Errors
    /// The topic can't be created, described or written to.
    pub(super) async fn open(&mut self) -> Result<(), ConnectError> {
        let opened = self.find_topic().await;
        self.admin.close().await;
        self.topic = Some(opened.map_err(|error| {
            let topic = &self.settings.topic;
            ConnectError::connect(format!(
                "Could not initialize dead letter queue with topic={topic}"
            ))
            .with_source(error)
        })?);
        Ok(())
    }

    async fn find_topic(&self) -> Result<TopicHandle, ClientError> {
        let DeadLetterQueue {
            topic,
            replication_factor,
            ..
        } = &self.settings;
        if self.admin.describe_topic(topic).await?.is_none() {
            let wanted = NewTopic {
                name: topic.clone(),
                partitions: 1,
                replication_factor: *replication_factor,
                configs: Vec::new(),
            };
            if self.admin.create_topic(&wanted).await? {
                tracing::info!(topic, replication_factor, "dead letter queue created");
            }
        }
        loop {
            match self.producer.topic(topic).await {
                Err(error) if error.is_retriable() => {
                    tracing::warn!(%error, topic, "the dead letter queue is not there yet; trying again");
                    shard::sleep(TOPIC_RETRY).await;
                }
                found => return found,
            }
        }
    }

    /// Writes a record. Waits for room only, and not when the task shall stop: then the letter stays
    /// unwritten, and offsets stay below its record.
    pub(super) async fn write(
        &mut self,
        failed: &Failed<'_>,
        origin: Origin<'_>,
        reported: bool,
        host: &Host,
    ) {
        host.metrics.add_dead_letter();
        match origin {
            Origin::Consumed { fetched, record } => {
                let context = match self.settings.context_headers {
                    true => self.sender.of_consumed(fetched, record, failed),
                    false => Vec::new(),
                };
                let own = headers(&fetched.buffer, record.headers, record.header_count);
                let own = own.map_while(Result::ok);
                let fields: Vec<_> = own.chain(as_headers(&context)).collect();
                let produced = ProducerRecord {
                    partition: None,
                    timestamp: known_time(Some(record.timestamp)),
                    key: record.key.of(&fetched.buffer),
                    value: record.value.of(&fetched.buffer),
                    headers: &fields,
                };
                let token = self.pending.push(Waiting::Consumed {
                    partition: fetched.source.clone(),
                    offset: record.offset,
                    reported,
                });
                if let Err(error) = self.append(&produced, token, host).await {
                    self.give_up(token, &error, host);
                }
            }
            Origin::Source(source) => self.write_source(failed, source, host).await,
            Origin::Gone(place) => {
                host.metrics.add_dead_letter_failure();
                tracing::error!(
                    place,
                    "a record that nobody kept can't go to the dead letter queue"
                );
            }
        }
    }

    async fn write_source(&mut self, failed: &Failed<'_>, source: SourceOrigin<'_>, host: &Host) {
        let SourceOrigin {
            record,
            converters,
            token,
        } = source;
        let waiting = token.map_or(Waiting::Nothing, Waiting::Submitted);
        let token = self.pending.push(waiting);
        let letter = {
            // A registry that hangs must not hold up a stop: then the letter stays unwritten.
            let letter = pin!(self.renderer.letter(record, converters));
            match select(letter, pin!(host.stopped())).await {
                Either::Left((letter, _)) => letter,
                Either::Right(((), _)) => return,
            }
        };
        let context = match self.settings.context_headers {
            true => self.sender.of_source(record, failed),
            false => Vec::new(),
        };
        let own = letter.headers.iter().map(|(key, value)| RecordHeader {
            key: key.as_bytes(),
            value: value.as_deref(),
        });
        let fields: Vec<_> = own.chain(as_headers(&context)).collect();
        let produced = ProducerRecord {
            partition: None,
            timestamp: known_time(record.record.timestamp),
            key: letter.key.as_deref(),
            value: letter.value.as_deref(),
            headers: &fields,
        };
        let mut appended = self.append(&produced, token, host).await;
        // A record that was too large for its topic is too large for this one as well; where it is in
        // the source can still be told.
        if let (Err(ClientError::RecordTooLarge { .. }), Some(value)) = (&appended, &letter.value) {
            let bytes = value.len().to_string();
            let mut fields = fields.clone();
            fields.push(RecordHeader {
                key: OMITTED.as_bytes(),
                value: Some(bytes.as_bytes()),
            });
            let produced = ProducerRecord {
                value: None,
                headers: &fields,
                ..produced
            };
            appended = self.append(&produced, token, host).await;
        }
        if let Err(error) = appended {
            self.give_up(token, &error, host);
        }
    }

    async fn append(
        &mut self,
        record: &ProducerRecord<'_>,
        token: RecordToken,
        host: &Host,
    ) -> Result<(), ClientError> {
        let Some(topic) = self.topic else {
            return Ok(());
        };
        loop {
            match self.producer.append(topic, record, token)? {
                Append::Taken => return Ok(()),
                Append::Full => {
                    self.settle(host);
                    if !self.wait_for_room(host).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// `false` when the task shall stop.
    async fn wait_for_room(&self, host: &Host) -> Result<bool, ClientError> {
        let (ready, stopped) = (pin!(self.producer.ready()), pin!(host.stopped()));
        match select(ready, stopped).await {
            Either::Left((ready, _)) => ready.map(|()| true),
            Either::Right(((), _)) => Ok(false),
        }
    }

    /// Takes acknowledgements.
    pub(super) fn settle(&mut self, host: &Host) {
        let mut acks = std::mem::take(&mut self.acks);
        self.producer.take_acks(&mut acks);
        for ack in acks.drain(..) {
            for index in ack.first..ack.first.saturating_add(ack.count) {
                let token = RecordToken {
                    batch: ack.batch,
                    index,
                };
                match &ack.result {
                    Ok(_) => self.release(token),
                    Err(error) => self.give_up(token, error, host),
                }
            }
        }
        self.acks = acks;
    }

    fn release(&mut self, token: RecordToken) {
        if let Some(Waiting::Submitted(submitted)) = self.pending.waiting(token) {
            self.settled.push(*submitted);
        }
        self.pending.finish(token);
    }

    /// A letter could not be written: logged and counted, and nothing waits for it any longer, unless the
    /// task itself reported the record. Then offsets stay below it and the task fails.
    fn give_up(&mut self, token: RecordToken, error: &ClientError, host: &Host) {
        host.metrics.add_dead_letter_failure();
        let topic = &self.settings.topic;
        if let Some(suppressed) = self.limit.admit() {
            tracing::error!(
                %error,
                suppressed,
                "Could not produce message to dead letter queue. topic={topic}"
            );
        }
        if let Some(Waiting::Consumed {
            partition,
            offset,
            reported: true,
        }) = self.pending.waiting(token)
        {
            let text = format!(
                "the record of {partition} at offset {offset}, which the task reported, could not be \
                 written to the dead letter queue {topic}: {error}"
            );
            self.lost = Some(ConnectError::connect(text).with_source(error.clone()));
            return;
        }
        self.release(token);
    }

    /// Takes the records whose source offsets need not wait for a letter any longer.
    pub(super) fn take_settled(&mut self) -> Vec<RecordToken> {
        std::mem::take(&mut self.settled)
    }

    /// Takes the error of a letter that must not be lost.
    pub(super) fn take_lost(&mut self) -> Option<ConnectError> {
        self.lost.take()
    }

    /// The offset beyond which nothing of a partition may be committed yet.
    pub(super) fn first_unwritten(&self, partition: &TopicPartition) -> Option<i64> {
        self.pending.first_of(partition)
    }

    /// Waits until all letters are settled, up to `limit`.
    pub(super) async fn flush(&mut self, limit: Duration, host: &Host) {
        self.settle(host);
        if self.pending.is_empty() {
            return;
        }
        let producer = Rc::clone(&self.producer);
        if shard::timeout(limit, producer.flush()).await.is_err() {
            tracing::warn!(
                topic = self.settings.topic,
                in_flight = producer.in_flight(),
                "dead letters were not acknowledged in time; offsets stay below their records"
            );
        }
        self.settle(host);
    }

    /// Closes the clients, sending what is left for up to `limit`.
    pub(super) async fn close(&mut self, limit: Duration) {
        self.producer.close(limit).await;
        self.admin.close().await;
    }
}

fn as_headers(context: &Context) -> impl Iterator<Item = RecordHeader<'_>> {
    context.iter().map(|(name, text)| RecordHeader {
        key: name.as_bytes(),
        value: Some(text.as_bytes()),
    })
}

/// A record's own time, or now where it has none.
fn known_time(timestamp: Option<i64>) -> i64 {
    timestamp.filter(|at| *at >= 0).unwrap_or_else(now_ms)
}
