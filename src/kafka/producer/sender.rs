//! What goes out, when and where to.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::{Either, select};
use kafka_protocol::messages::ProduceRequest;

use super::Inner;
use super::accumulator::{Accumulator, Partition};
use super::batch::{Batch, Sequence, Unsendable, sequence_after};
use super::identity::{IdentityState, ask_if_missing};
use super::request::{Part, frame};
use crate::clients::{Acks, ClientError, TopicHandle};
use crate::kafka::cluster::Purpose;
use crate::kafka::connection::{Connection, Reply};
use crate::shard;

/// With so many requests on the way to a broker, batches that are not full wait for an answer: one is
/// worked on while the next arrives. More would only be smaller ones, of topics with many partitions.
const ENOUGH_IN_FLIGHT: usize = 2;

/// Requests that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    requests: HashMap<u64, Request>,
    next: u64,
    brokers: HashMap<i32, Broker>,
    /// Where the next look at the partitions begins, so that none starves.
    turn: usize,
}

#[derive(Debug)]
struct Request {
    broker: i32,
    parts: Vec<Part>,
}

#[derive(Debug, Default)]
struct Broker {
    requests: usize,
    connecting: bool,
}

impl InFlight {
    /// Takes a request out; `None` when it was given up meanwhile.
    pub(super) fn take(&mut self, number: u64) -> Option<Vec<Part>> {
        let request = self.requests.remove(&number)?;
        if let Some(broker) = self.brokers.get_mut(&request.broker) {
            broker.requests = broker.requests.saturating_sub(1);
        }
        Some(request.parts)
    }

    /// Every batch in flight.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.requests.values().flat_map(|request| &request.parts)
    }

    pub(super) fn take_all(&mut self) -> Vec<Part> {
        let mut numbers: Vec<u64> = self.requests.keys().copied().collect();
        numbers.sort_unstable();
        let taken = numbers.into_iter().filter_map(|number| self.take(number));
        taken.flatten().collect()
    }
}

/// Wait before a lease that is over is looked at again.
const LEASE_RETRY: Duration = Duration::from_millis(20);

/// The sender's life.
pub(super) async fn run(inner: Rc<Inner>) {
    let mut metadata = inner.cluster.mark();
    loop {
        let mark = inner.wake.mark();
        if inner.cluster.mark() != metadata {
            metadata = inner.cluster.mark();
            inner.learn_partitions();
        }
        let mut round = Round::new();
        while round.look(&inner) {}
        let due = round.next;
        let nap = due.saturating_duration_since(Instant::now());
        let woken = std::pin::pin!(inner.wake.changed_since(mark));
        let news = std::pin::pin!(inner.cluster.changed_since(metadata));
        // Whichever comes first leads to the next look.
        match shard::timeout(nap, select(woken, news)).await {
            Ok(Either::Left(_) | Either::Right(_)) | Err(_) => {}
        }
    }
}

/// Later than any timer.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// One look at all partitions, and what to wait for after it.
struct Round {
    now: Instant,
    next: Instant,
}

/// What is to go to one broker.
struct Plan {
    broker: i32,
    connection: Rc<Connection>,
    bytes: usize,
    parts: Vec<Part>,
}

impl Round {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            next: far(),
        }
    }

    fn wait_until(&mut self, at: Instant) {
        self.next = self.next.min(at);
    }

    /// Sends at most one request to each broker. Whether something went out, so that there may be more.
    fn look(&mut self, inner: &Rc<Inner>) -> bool {
        self.expire(inner);
        if inner.config.lease.is_over() {
            self.wait_until(self.now + LEASE_RETRY);
            return false;
        }
        ask_if_missing(inner);
        let state = *inner.identity.borrow();
        if matches!(state, IdentityState::Missing | IdentityState::Asked) {
            return false;
        }
        let plans = self.plan(inner);
        let any = !plans.is_empty();
        for plan in plans {
            send(inner, plan);
        }
        any
    }

    fn plan(&mut self, inner: &Rc<Inner>) -> Vec<Plan> {
        let mut plans: Vec<Plan> = Vec::new();
        let order = inner.turns();
        for (topic, at) in order {
            let broken = self.plan_partition(inner, topic, at, &mut plans);
            if let Err(broken) = broken {
                let Unsendable { batch, error } = *broken;
                let error = Rc::new(ClientError::Malformed {
                    context: "finishing a record batch".to_owned(),
                    broker: String::new(),
                    reason: error.to_string(),
                });
                let part = Part {
                    topic,
                    name: "".into(),
                    partition: at,
                    batch,
                };
                inner
                    .accumulator
                    .borrow_mut()
                    .settle_queued(part, &Err(error));
                inner.settled.notify();
            }
        }
        // Parts of one topic side by side.
        for plan in &mut plans {
            plan.parts.sort_by_key(|part| part.topic);
        }
        plans
    }

    /// Takes the next batch of a partition into a plan if it is due and can go.
    fn plan_partition(
        &mut self,
        inner: &Rc<Inner>,
        topic: usize,
        at: usize,
        plans: &mut Vec<Plan>,
    ) -> Result<(), Box<Unsendable>> {
        let mut accumulator = inner.accumulator.borrow_mut();
        let Some(name) = self.due(inner, &mut accumulator, topic, at) else {
            return Ok(());
        };
        let number = i32::try_from(at).unwrap_or(i32::MAX);
        let Some((broker, _)) = inner.cluster.leader(&name, number) else {
            inner.cluster.request_refresh();
            return Ok(());
        };
        // Whatever settles what is in flight brings the next look.
        if !accumulator.topics[topic].partitions[at].may_follow(broker) {
            return Ok(());
        }
        let Some(connection) = self.usable_connection(inner, broker) else {
            return Ok(());
        };
        let room = inner.config.max_request_size;
        let index = plans.iter().position(|plan| plan.broker == broker);
        if index.is_none() && inner.requests_to(broker) >= inner.max_in_flight() {
            return Ok(());
        }
        // While the broker has enough to do, records gather, whichever partitions they are for.
        let open_only = accumulator.topics[topic].partitions[at].closed.is_empty();
        let gathers = inner.config.linger.is_zero() && !inner.sends_at_once(&accumulator);
        if open_only && gathers && index.is_none() && inner.requests_to(broker) >= ENOUGH_IN_FLIGHT
        {
            return Ok(());
        }
        // Closing the open batch is left for here, where it is sure to be sent.
        let size = accumulator.topics[topic].partitions[at].next_bytes();
        if index.is_some_and(|index| plans[index].bytes + size > room) {
            return Ok(());
        }
        if open_only {
            let handle = TopicHandle(u32::try_from(topic).unwrap_or(u32::MAX));
            accumulator.close_batch(handle, at);
        }
        let partition = &mut accumulator.topics[topic].partitions[at];
        let batch = take_finished(inner, partition, broker)?;
        let Some(batch) = batch else { return Ok(()) };
        let part = Part {
            topic,
            name,
            partition: at,
            batch,
        };
        match index {
            Some(index) => {
                plans[index].bytes += size;
                plans[index].parts.push(part);
            }
            None => plans.push(Plan {
                broker,
                connection,
                bytes: size,
                parts: vec![part],
            }),
        }
        Ok(())
    }

    /// The topic's name, if the partition's next batch is to be sent now.
    fn due(
        &mut self,
        inner: &Inner,
        accumulator: &mut Accumulator,
        topic: usize,
        at: usize,
    ) -> Option<Rc<str>> {
        let at_once = inner.sends_at_once(accumulator);
        let eager_from = accumulator.eager_from;
        let known = accumulator.topics.get_mut(topic)?;
        let partition = known.partitions.get_mut(at)?;
        if let Some(retry_at) = partition.retry_at {
            if retry_at > self.now {
                self.wait_until(retry_at);
                return None;
            }
            partition.retry_at = None;
        }
        if partition.bump {
            if partition.in_flight > 0 {
                return None;
            }
            inner.bump(partition);
        }
        match partition.closed.front() {
            // A retried batch goes alone, so that what is behind it can't overtake.
            Some(batch) if batch.attempts > 0 && partition.in_flight > 0 => return None,
            Some(_) => {}
            None => {
                let linger = inner.config.linger;
                let due = Accumulator::open_due(partition, linger, eager_from, at_once)?;
                if due > self.now {
                    self.wait_until(due);
                    return None;
                }
            }
        }
        Some(Rc::clone(&known.name))
    }

    /// The open and unmuted connection to a broker; opens it in the background otherwise.
    fn usable_connection(&mut self, inner: &Rc<Inner>, broker: i32) -> Option<Rc<Connection>> {
        let Some(connection) = inner.cluster.open_connection(broker, Purpose::Data) else {
            inner.connect(broker);
            return None;
        };
        if let Some(left) = connection.muted_for() {
            self.wait_until(self.now + left);
            return None;
        }
        Some(connection)
    }

    /// Gives up what `delivery.timeout.ms` has run out for.
    fn expire(&mut self, inner: &Inner) {
        let limit = inner.config.delivery_timeout;
        let mut accumulator = inner.accumulator.borrow_mut();
        let mut expired = Vec::new();
        for topic in 0..accumulator.topics.len() {
            for at in 0..accumulator.topics[topic].partitions.len() {
                let handle = TopicHandle(u32::try_from(topic).unwrap_or(u32::MAX));
                let partition = &accumulator.topics[topic].partitions[at];
                let oldest = partition.closed.front().map(|batch| batch.created);
                let oldest = oldest.or(partition.open.as_ref().map(|open| open.created));
                let Some(oldest) = oldest else { continue };
                let due = oldest.checked_add(limit).unwrap_or_else(far);
                if due > self.now {
                    self.wait_until(due);
                    continue;
                }
                if partition.closed.is_empty() {
                    accumulator.close_batch(handle, at);
                }
                let known = &mut accumulator.topics[topic];
                if let Some(batch) = known.partitions[at].closed.pop_front() {
                    expired.push(Part {
                        topic,
                        name: Rc::clone(&known.name),
                        partition: at,
                        batch,
                    });
                }
            }
        }
        let any = !expired.is_empty();
        if any {
            // There may be more behind those.
            self.wait_until(self.now);
        }
        for part in expired {
            let error = Rc::new(expiry(&part, limit));
            accumulator.settle_queued(part, &Err(error));
        }
        drop(accumulator);
        if any {
            inner.settled.notify();
        }
    }
}

/// The error of records that could not be delivered in time (Kafka: `ProducerBatch`).
pub(super) fn expiry(part: &Part, limit: Duration) -> ClientError {
    ClientError::Timeout {
        context: format!(
            "sending {} records to {}-{}",
            part.batch.count, part.name, part.partition
        ),
        after: limit,
        hint: " since they were appended (delivery.timeout.ms)".to_owned(),
    }
}

/// Takes the first closed batch for `broker`, with its sequence and its bytes for the wire.
fn take_finished(
    inner: &Inner,
    partition: &mut Partition,
    broker: i32,
) -> Result<Option<Batch>, Box<Unsendable>> {
    let Some(mut batch) = partition.closed.pop_front() else {
        return Ok(None);
    };
    let sequence = match (batch.sequence, *inner.identity.borrow()) {
        (_, IdentityState::Off) => None,
        (Some(known), _) => Some(known),
        (None, IdentityState::Known(identity)) => {
            // A newer epoch is taken over once nothing of the old one is on the way.
            if partition.identity != Some(identity) && partition.in_flight == 0 {
                partition.take_identity(identity);
                partition.next_sequence = 0;
            }
            let used = partition.identity.unwrap_or(identity);
            let base = partition.next_sequence;
            partition.next_sequence = sequence_after(base, batch.count);
            Some(Sequence {
                identity: used,
                base,
            })
        }
        (None, IdentityState::Missing | IdentityState::Asked) => None,
    };
    if let Err(error) = batch.finish(sequence) {
        return Err(Box::new(Unsendable { batch, error }));
    }
    partition.in_flight += 1;
    partition.broker = broker;
    partition.retrying = batch.attempts > 0;
    Ok(Some(batch))
}

/// Frames and queues one request, and waits for its answer in the background.
fn send(inner: &Rc<Inner>, plan: Plan) {
    let queued = queue(inner, &plan);
    let number = {
        let mut in_flight = inner.in_flight.borrow_mut();
        let number = in_flight.next;
        in_flight.next += 1;
        in_flight.brokers.entry(plan.broker).or_default().requests += 1;
        let request = Request {
            broker: plan.broker,
            parts: plan.parts,
        };
        in_flight.requests.insert(number, request);
        number
    };
    let inner = Rc::clone(inner);
    let (version, reply) = match queued {
        Ok(queued) => queued,
        Err(error) => return inner.answered(number, &plan.connection, 0, Err(error)),
    };
    let connection = plan.connection;
    shard::spawn(async move {
        let answer = reply.within(inner.config.common.request_timeout).await;
        inner.answered(number, &connection, version, answer);
    });
}

fn queue(inner: &Inner, plan: &Plan) -> Result<(i16, Reply), ClientError> {
    let connection = &plan.connection;
    let version = connection.version_for::<ProduceRequest>()?;
    let acks = inner.config.acks;
    let limit = inner.config.common.request_timeout.as_millis();
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let frame = frame(connection, version, acks, limit, &plan.parts)?;
    let reply = match acks {
        Acks::None => connection.send_without_answer::<ProduceRequest>(frame)?,
        _ => connection.send::<ProduceRequest>(frame)?,
    };
    Ok((version, reply))
}

impl Inner {
    /// Partitions with something to send, beginning where the last look ended.
    fn turns(&self) -> Vec<(usize, usize)> {
        let accumulator = self.accumulator.borrow();
        let mut all = Vec::new();
        for (topic, known) in accumulator.topics.iter().enumerate() {
            for (at, partition) in known.partitions.iter().enumerate() {
                if partition.open.is_some() || !partition.closed.is_empty() {
                    all.push((topic, at));
                }
            }
        }
        let mut in_flight = self.in_flight.borrow_mut();
        in_flight.turn = in_flight.turn.wrapping_add(1);
        if !all.is_empty() {
            let turn = in_flight.turn % all.len();
            all.rotate_left(turn);
        }
        all
    }

    /// `max.in.flight.requests.per.connection`; one when idempotence was wanted and denied.
    fn max_in_flight(&self) -> usize {
        let denied =
            self.config.idempotence && matches!(*self.identity.borrow(), IdentityState::Off);
        match denied {
            true => 1,
            false => self.config.max_in_flight.max(1),
        }
    }

    /// Whether open batches go out whatever else is on its way.
    fn sends_at_once(&self, accumulator: &Accumulator) -> bool {
        self.flushing.get() > 0 || accumulator.closed || accumulator.memory_wanted > 0
    }

    fn requests_to(&self, broker: i32) -> usize {
        let in_flight = self.in_flight.borrow();
        in_flight
            .brokers
            .get(&broker)
            .map_or(0, |broker| broker.requests)
    }

    /// Opens a connection in the background; the sender looks again when that has ended.
    fn connect(self: &Rc<Self>, broker: i32) {
        {
            let mut in_flight = self.in_flight.borrow_mut();
            let known = in_flight.brokers.entry(broker).or_default();
            if std::mem::replace(&mut known.connecting, true) {
                return;
            }
        }
        let inner = Rc::clone(self);
        shard::spawn(async move {
            let opened = inner.cluster.connection(broker, Purpose::Data).await;
            match opened {
                Err(error) if error.is_refusal() => inner.fail(error),
                Err(
                    error
                    @ (ClientError::Malformed { .. } | ClientError::UnsupportedVersion { .. }),
                ) => tracing::warn!(broker, %error, "no usable connection to the broker"),
                _ => {}
            }
            // An unknown broker fails at once: leave time for the metadata to come.
            if inner
                .cluster
                .open_connection(broker, Purpose::Data)
                .is_none()
            {
                shard::sleep(inner.cluster.retry_backoff(0)).await;
            }
            let mut in_flight = inner.in_flight.borrow_mut();
            in_flight.brokers.entry(broker).or_default().connecting = false;
            drop(in_flight);
            inner.wake.notify();
        });
    }

    /// Takes over partitions that topics have got meanwhile, and who has a leader.
    fn learn_partitions(&self) {
        let mut accumulator = self.accumulator.borrow_mut();
        for index in 0..accumulator.topics.len() {
            let name = Rc::clone(&accumulator.topics[index].name);
            if let Some(known) = self.cluster.topic(&name) {
                accumulator.add_topic(&name, known.partitions.len());
            }
            let leader = |partition| self.cluster.leader(&name, partition).is_some();
            accumulator.topics[index].note_leaders(leader);
        }
    }

    /// Starts a partition's sequences anew under the next epoch; nothing of it is in flight.
    fn bump(&self, partition: &mut Partition) {
        partition.bump = false;
        let mut state = self.identity.borrow_mut();
        let IdentityState::Known(current) = *state else {
            return;
        };
        // Another partition may have bumped it already.
        if partition.identity == Some(current) {
            state.bump();
        }
        let IdentityState::Known(identity) = *state else {
            // The epochs of this id are used up: wait for the next id.
            partition.bump = true;
            return;
        };
        partition.take_identity(identity);
        partition.next_sequence = 0;
        for batch in &mut partition.closed {
            if batch.sequence.is_none() {
                continue;
            }
            let sequence = Sequence {
                identity,
                base: partition.next_sequence,
            };
            partition.next_sequence = sequence_after(sequence.base, batch.count);
            // Finished bytes always take other fields.
            if let Err(error) = batch.finish(Some(sequence)) {
                tracing::error!(%error, "a batch keeps its old sequence");
            }
        }
    }

    /// What came of a request.
    fn answered(
        &self,
        number: u64,
        connection: &Connection,
        version: i16,
        answer: Result<Bytes, ClientError>,
    ) {
        let parts = self.in_flight.borrow_mut().take(number);
        if let Some(parts) = parts {
            self.settle_answer(parts, connection, version, answer);
        }
        self.settled.notify();
        self.wake.notify();
    }
}
