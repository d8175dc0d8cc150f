//! What comes back, and what it means for the records (Kafka: `Sender.completeBatch`,
//! `TransactionManager.canRetry`).

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;

use super::accumulator::Accumulator;
use super::batch::Unsendable;
use super::identity::IdentityState;
use super::request::Part;
use super::sender::expiry;
use super::{Inner, is_fatal_for_producer};
use crate::clients::{Acks, ApiErrorKind, ClientError, TopicHandle};
use crate::kafka::connection::Connection;
use crate::kafka::errors::{api_error, code};
use crate::record::DecodeOptions;

impl Accumulator {
    /// Settles a batch that was in flight.
    pub(super) fn settle_part(&mut self, part: Part, result: &Result<i64, Rc<ClientError>>) {
        if let Some(partition) = self.partition(&part) {
            partition.in_flight = partition.in_flight.saturating_sub(1);
            if result.is_ok() {
                partition.failures = 0;
                partition.is_established = true;
            }
        }
        self.settle_queued(part, result);
    }

    /// Settles a batch that was not in flight.
    pub(super) fn settle_queued(&mut self, part: Part, result: &Result<i64, Rc<ClientError>>) {
        if result.is_err()
            && part.batch.sequence.is_some()
            && let Some(partition) = self.partition(&part)
        {
            // Its sequence numbers are missing now, or nobody knows: start again under a new epoch.
            partition.bump = true;
        }
        let handle = TopicHandle(u32::try_from(part.topic).unwrap_or(u32::MAX));
        let number = i32::try_from(part.partition).unwrap_or(i32::MAX);
        self.settle(handle, number, part.batch, result);
        if self.has_room() {
            self.memory_wanted = 0;
        }
    }

    fn partition(&mut self, part: &Part) -> Option<&mut super::accumulator::Partition> {
        let topic = self.topics.get_mut(part.topic)?;
        topic.partitions.get_mut(part.partition)
    }
}

impl Inner {
    /// Settles or requeues every batch of a request.
    pub(super) fn settle_answer(
        &self,
        parts: Vec<Part>,
        connection: &Connection,
        version: i16,
        answer: Result<Bytes, ClientError>,
    ) {
        let decoded = match answer {
            Ok(_) if self.config.acks == Acks::None => {
                let mut accumulator = self.accumulator.borrow_mut();
                for part in parts {
                    accumulator.settle_part(part, &Ok(-1));
                }
                return;
            }
            Ok(answer) => connection.decode::<ProduceResponse>(answer, version),
            Err(error) => Err(error),
        };
        match decoded {
            Ok(response) => {
                connection.throttle(response.throttle_time_ms);
                for part in parts {
                    match find(&response, &part) {
                        Some(told) => self.settle_told(part, told),
                        None => self.settle_untold(part, connection),
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, batches = parts.len(), "a produce request failed");
                self.cluster.request_refresh();
                for part in parts {
                    self.retry_or_fail(part, error.clone());
                }
            }
        }
    }

    /// The broker said nothing about a batch.
    fn settle_untold(&self, part: Part, connection: &Connection) {
        let error = ClientError::Malformed {
            context: context(&part),
            broker: connection.broker().to_owned(),
            reason: "the answer leaves the partition out".to_owned(),
        };
        let mut accumulator = self.accumulator.borrow_mut();
        accumulator.settle_part(part, &Err(Rc::new(error)));
    }

    fn settle_told(&self, part: Part, told: &PartitionProduceResponse) {
        let message = told.error_message.as_deref();
        let error = |part: &Part| api_error(told.error_code, context(part), message);
        match told.error_code {
            0 => self.acknowledge(part, told.base_offset),
            // Written before; the broker does not remember where.
            code::DUPLICATE_SEQUENCE_NUMBER => self.acknowledge(part, -1),
            code::MESSAGE_TOO_LARGE if part.batch.count > 1 => self.split(part, error),
            code::OUT_OF_ORDER_SEQUENCE_NUMBER | code::UNKNOWN_PRODUCER_ID
                if part.batch.sequence.is_some() =>
            {
                if told.error_code == code::UNKNOWN_PRODUCER_ID || self.is_oldest(&part) {
                    self.bump_later(&part);
                }
                let error = error(&part);
                self.requeue(part, error);
            }
            code::INVALID_PRODUCER_EPOCH if self.is_stale(&part) => {
                self.bump_later(&part);
                let error = error(&part);
                self.requeue(part, error);
            }
            code::CLUSTER_AUTHORIZATION_FAILED
                if part.batch.sequence.is_some() && !self.config.idempotence_required =>
            {
                tracing::warn!(
                    topic = &*part.name,
                    "the broker denies idempotent writes: going on without, one request in flight"
                );
                *self.identity.borrow_mut() = IdentityState::Off;
                let error = error(&part);
                self.requeue(part, error);
            }
            code if is_fatal_for_producer(code) => {
                let error = error(&part);
                let result = Err(Rc::new(error.clone()));
                self.accumulator.borrow_mut().settle_part(part, &result);
                self.fail(error);
            }
            _ => {
                self.note_leader(&part, told);
                let error = error(&part);
                self.retry_or_fail(part, error);
            }
        }
    }

    fn acknowledge(&self, part: Part, base_offset: i64) {
        let mut accumulator = self.accumulator.borrow_mut();
        accumulator.settle_part(part, &Ok(base_offset));
    }

    /// Whether no earlier batch of the partition is open: then an unexpected sequence is a real gap and
    /// not just the shadow of an earlier failure.
    fn is_oldest(&self, part: &Part) -> bool {
        let older = |serial: u64| serial < part.batch.serial;
        let mut accumulator = self.accumulator.borrow_mut();
        let queued = accumulator
            .partition(part)
            .and_then(|partition| partition.closed.front());
        if queued.is_some_and(|batch| older(batch.serial)) {
            return false;
        }
        let in_flight = self.in_flight.borrow();
        !in_flight.parts().any(|other| {
            other.topic == part.topic
                && other.partition == part.partition
                && older(other.batch.serial)
        })
    }

    /// Whether the batch was sent under an epoch that has been left since.
    fn is_stale(&self, part: &Part) -> bool {
        let sequence = part.batch.sequence;
        match (*self.identity.borrow(), sequence) {
            (IdentityState::Known(now), Some(sequence)) => sequence.identity != now,
            _ => false,
        }
    }

    fn bump_later(&self, part: &Part) {
        if let Some(partition) = self.accumulator.borrow_mut().partition(part) {
            partition.bump = true;
        }
    }

    /// Uses what the broker says about the leader (KIP-951), or has the metadata refreshed.
    fn note_leader(&self, part: &Part, told: &PartitionProduceResponse) {
        let leader = &told.current_leader;
        if leader.leader_id.0 >= 0 {
            let number = i32::try_from(part.partition).unwrap_or(i32::MAX);
            let (id, epoch) = (leader.leader_id.0, leader.leader_epoch);
            self.cluster.learn_leader(&part.name, number, id, epoch);
        }
        if crate::kafka::errors::kind(told.error_code) == ApiErrorKind::RefreshMetadata {
            self.cluster.request_refresh();
        }
    }

    fn retry_or_fail(&self, part: Part, error: ClientError) {
        if error.is_retriable() {
            return self.requeue(part, error);
        }
        let mut accumulator = self.accumulator.borrow_mut();
        accumulator.settle_part(part, &Err(Rc::new(error)));
    }

    /// Puts a batch back in its place with a back-off, unless its retries or its time are used up.
    fn requeue(&self, mut part: Part, error: ClientError) {
        let limit = self.config.delivery_timeout;
        let mut accumulator = self.accumulator.borrow_mut();
        if let Some(fatal) = accumulator.fatal.as_ref().map(Rc::clone) {
            return accumulator.settle_part(part, &Err(fatal));
        }
        if part.batch.attempts >= self.config.retries {
            return accumulator.settle_part(part, &Err(Rc::new(error)));
        }
        if part.batch.created.elapsed() >= limit {
            tracing::warn!(%error, "records are given up");
            let error = Rc::new(expiry(&part, limit));
            return accumulator.settle_part(part, &Err(error));
        }
        part.batch.attempts += 1;
        let attempts = part.batch.attempts;
        match attempts {
            1 => tracing::debug!(%error, "retrying"),
            // Now and then, so that a lasting problem is seen.
            n if n.is_power_of_two() && n >= 8 => {
                tracing::warn!(attempts, %error, "records still can't be delivered, retrying");
            }
            _ => tracing::trace!(attempts, %error, "retrying"),
        }
        let Some(partition) = accumulator.partition(&part) else {
            return;
        };
        partition.in_flight = partition.in_flight.saturating_sub(1);
        let pause = self.cluster.retry_backoff(partition.failures);
        partition.failures = partition.failures.saturating_add(1);
        partition.retry_at = Some(Instant::now() + pause);
        partition.requeue(part.batch);
    }

    /// Halves a batch that is larger than the topic takes (KIP-126), and makes smaller ones from now on.
    fn split(&self, part: Part, error: impl Fn(&Part) -> ClientError) {
        let size = part.batch.len();
        tracing::warn!(
            topic = &*part.name,
            size,
            records = part.batch.count,
            "the batch is larger than the topic's max.message.bytes: split in two"
        );
        let failure = error(&part);
        let Part {
            topic,
            name,
            partition: at,
            batch,
        } = part;
        let memory = batch.memory;
        let max = DecodeOptions::MAX_DECOMPRESSED.max(self.config.max_request_size);
        let split = batch.split(self.config.compression, max);
        let mut accumulator = self.accumulator.borrow_mut();
        match split {
            Ok([first, second]) => {
                let halves = first.memory + second.memory;
                accumulator.memory = accumulator.memory.saturating_sub(memory) + halves;
                let Some(topic) = accumulator.topics.get_mut(topic) else {
                    return;
                };
                topic.limit_batches(size / 2);
                let partition = &mut topic.partitions[at];
                partition.in_flight = partition.in_flight.saturating_sub(1);
                partition.requeue(second);
                partition.requeue(first);
            }
            Err(broken) => {
                let Unsendable { batch, error } = *broken;
                tracing::error!(%error, "the batch can't be split");
                let part = Part {
                    topic,
                    name,
                    partition: at,
                    batch,
                };
                accumulator.settle_part(part, &Err(Rc::new(failure)));
            }
        }
    }
}

fn context(part: &Part) -> String {
    format!(
        "writing {} records to {}-{}",
        part.batch.count, part.name, part.partition
    )
}

fn find<'a>(response: &'a ProduceResponse, part: &Part) -> Option<&'a PartitionProduceResponse> {
    let mut topics = response.responses.iter();
    let topic = topics.find(|topic| topic.name.as_str() == &*part.name)?;
    let mut partitions = topic.partition_responses.iter();
    partitions.find(|told| usize::try_from(told.index) == Ok(part.partition))
}
