//! [`Producer`] over the embedded log: batches per partition, each written with one call.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::error;
use super::log::EmbeddedLog;
use super::partition::{Finished, Partition};
use crate::api::RawBatch;
use crate::clients::{
    Ack, Acked, Append, AppendBatch, ClientError, HeldBuffer, Producer, ProducerConfig,
    ProducerRecord, RecordToken, Slices, TopicHandle, partition_for_key,
};
use crate::record::{
    BatchBuilder, HEADER_BYTES, ProducerFields, passes, rewritten_header, size_upper_bound,
};
use crate::shard::{Notify, PooledVec, blocking, sleep, spawn, take_vec, timeout, yield_now};

/// Most batches that one call to the pool writes.
const WRITE_MAX: usize = 8;

/// A producer of an embedded log, for one shard.
#[derive(Debug)]
pub struct EmbeddedProducer {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: Arc<EmbeddedLog>,
    config: ProducerConfig,
    state: RefCell<State>,
    /// Acknowledgements came: also room in the buffer.
    acked: Notify,
    /// Batches shall not wait for `linger.ms`.
    hurry: Notify,
}

#[derive(Debug, Default)]
struct State {
    topics: Vec<Topic>,
    acks: Vec<Ack>,
    /// Bytes appended and not yet acknowledged, without those of `shared`.
    buffered: usize,
    /// Bytes of the buffers that whole batches are slices of.
    shared: Rc<Cell<usize>>,
    /// What the last refused batch needed.
    wanted: usize,
    in_flight: usize,
    /// Flushes that are waiting.
    flushes: usize,
    closed: bool,
}

#[derive(Debug)]
struct Topic {
    name: Rc<str>,
    queues: Vec<Queue>,
    /// Queue that records without a key go to until its batch is full.
    sticky: usize,
}

/// Records on their way to one partition.
#[derive(Debug)]
struct Queue {
    partition: Arc<Partition>,
    open: Option<Open>,
    sealed: VecDeque<Sealed>,
    /// A future is writing this queue.
    writing: bool,
}

#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    runs: Vec<Run>,
    since: Instant,
    bytes: usize,
}

/// Consecutive records of one caller's batch.
#[derive(Debug, Clone, Copy)]
struct Run {
    batch: u64,
    first: u32,
    count: u32,
}

#[derive(Debug)]
struct Sealed {
    bytes: Finished,
    /// What it counts in `buffer.memory`.
    memory: usize,
    runs: Vec<Run>,
    since: Instant,
    /// What the records are a slice of, if the batch came whole.
    _held: Option<HeldBuffer>,
}

/// What the writer of a queue does next.
enum Work {
    Write(Arc<Partition>, Vec<Sealed>),
    /// The open batch may wait this long for more.
    Linger(Duration),
    Nothing,
}

/// Names a queue.
#[derive(Debug, Clone, Copy)]
struct QueueId {
    topic: usize,
    partition: usize,
}

impl EmbeddedProducer {
    /// A producer of `log`.
    pub fn new(log: Arc<EmbeddedLog>, config: ProducerConfig) -> Self {
        let inner = Inner {
            log,
            config,
            state: RefCell::default(),
            acked: Notify::new(),
            hurry: Notify::new(),
        };
        Self {
            inner: Rc::new(inner),
        }
    }

    /// Starts the writer of each queue that has something and none. No borrow may be held: glommio runs a
    /// new future at once, up to its first await.
    fn start_writers(&self, topic: usize) {
        let Some(count) = self
            .inner
            .state
            .borrow()
            .topics
            .get(topic)
            .map(|topic| topic.queues.len())
        else {
            return;
        };
        for partition in 0..count {
            let id = QueueId { topic, partition };
            if self.inner.needs_writer(id) {
                drop(spawn(write_queue(Rc::clone(&self.inner), id)));
            }
        }
    }
}

impl State {
    fn append(
        &mut self,
        config: &ProducerConfig,
        topic: usize,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<Append, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        let used = self.used();
        let found = self
            .topics
            .get_mut(topic)
            .ok_or_else(|| error::unknown_topic("a topic handle of another producer".to_owned()))?;
        let size = size_upper_bound(record.key, record.value, record.headers);
        if size > config.max_request_size {
            return Err(ClientError::RecordTooLarge {
                topic: found.name.to_string(),
                size,
                max: config.max_request_size,
            });
        }
        let estimate = BatchBuilder::estimate(record.key, record.value, record.headers);
        if used > 0 && used + estimate > config.buffer_memory {
            return Ok(Append::Full);
        }
        let index = found.choose(record)?;
        let queue = &mut found.queues[index];
        if let Some(open) = &queue.open
            && open.builder.len_bytes() + estimate > config.batch_size
        {
            queue.seal(
                &mut self.acks,
                topic,
                &mut self.buffered,
                &mut self.in_flight,
            );
        }
        let before = queue
            .open
            .as_ref()
            .map_or(0, |open| open.builder.len_bytes());
        let open = queue.open.get_or_insert_with(|| Open::new(config, size));
        open.builder
            .append(record.timestamp, record.key, record.value, record.headers);
        let added = open.builder.len_bytes() - before;
        open.bytes += added;
        match open.runs.last_mut() {
            Some(run) if run.batch == token.batch && run.first + run.count == token.index => {
                run.count += 1;
            }
            _ => open.runs.push(Run {
                batch: token.batch,
                first: token.index,
                count: 1,
            }),
        }
        self.buffered += added;
        self.in_flight += 1;
        Ok(Append::Taken)
    }

    /// Bytes of `buffer.memory` in use.
    fn used(&self) -> usize {
        self.buffered + self.shared.get()
    }

    fn append_batch(
        &mut self,
        config: &ProducerConfig,
        topic: usize,
        partition: i32,
        raw: &RawBatch,
        number: u64,
    ) -> Result<AppendBatch, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        let used = self.used();
        let found = self
            .topics
            .get_mut(topic)
            .ok_or_else(|| error::unknown_topic("a topic handle of another producer".to_owned()))?;
        let index = found.partition(partition)?;
        let codec = config.compression_set.then_some(config.compression.codec);
        if let Err(reason) = passes(raw, codec) {
            return Ok(AppendBatch::Unfit(reason));
        }
        if raw.bytes.len() > config.max_request_size {
            return Ok(AppendBatch::Unfit("it is larger than max.request.size"));
        }
        let Ok(header) = rewritten_header(&raw.bytes, &ProducerFields::NONE, 0) else {
            return Ok(AppendBatch::Unfit("it is not a record batch"));
        };
        let cost = raw.buffer.cost();
        if used > 0 && used + cost > config.buffer_memory {
            self.wanted = self.wanted.max(cost);
            return Ok(AppendBatch::Full);
        }
        let queue = &mut found.queues[index];
        queue.seal(
            &mut self.acks,
            topic,
            &mut self.buffered,
            &mut self.in_flight,
        );
        queue.sealed.push_back(Sealed {
            bytes: Finished {
                head: header.to_vec(),
                records: raw.bytes.slice(HEADER_BYTES..),
            },
            memory: 0,
            runs: vec![Run {
                batch: number,
                first: 0,
                count: raw.count,
            }],
            since: Instant::now(),
            _held: Some(HeldBuffer::new(&raw.buffer, &self.shared)),
        });
        self.in_flight += raw.count as usize;
        Ok(AppendBatch::Taken)
    }

    /// Reports the fate of a batch whose first record got `base_offset`.
    fn report(&mut self, topic: usize, sealed: &Sealed, result: &Result<Acked, Rc<ClientError>>) {
        let done = report_runs(&mut self.acks, topic, &sealed.runs, result);
        self.in_flight -= done;
        self.buffered -= sealed.memory;
    }
}

/// Adds acknowledgements, and gives the number of records that they are for.
fn report_runs(
    acks: &mut Vec<Ack>,
    topic: usize,
    runs: &[Run],
    result: &Result<Acked, Rc<ClientError>>,
) -> usize {
    let topic = TopicHandle(u32::try_from(topic).unwrap_or(u32::MAX));
    let mut done = 0_u32;
    for run in runs {
        let result = match result {
            Ok(acked) => Ok(Acked {
                base_offset: acked.base_offset + i64::from(done),
                ..*acked
            }),
            Err(error) => Err(Rc::clone(error)),
        };
        done += run.count;
        acks.push(Ack {
            batch: run.batch,
            first: run.first,
            count: run.count,
            topic,
            result,
        });
    }
    done as usize
}

impl Topic {
    /// The index of a partition's queue.
    fn partition(&self, partition: i32) -> Result<usize, ClientError> {
        let count = self.queues.len();
        let index = usize::try_from(partition)
            .ok()
            .filter(|index| *index < count);
        index.ok_or_else(|| {
            error::unknown_topic(format!(
                "{}-{partition}, it has {count} partitions",
                self.name
            ))
        })
    }

    fn choose(&mut self, record: &ProducerRecord<'_>) -> Result<usize, ClientError> {
        let count = self.queues.len();
        if let Some(partition) = record.partition {
            return self.partition(partition);
        }
        if count == 1 {
            return Ok(0);
        }
        if let Some(key) = record.key {
            let partitions = u32::try_from(count).unwrap_or(u32::MAX);
            return Ok(usize::try_from(partition_for_key(key, partitions)).unwrap_or(0));
        }
        // Sticky: the next partition when a new batch begins (KIP-480).
        if self.queues[self.sticky].open.is_none() {
            self.sticky = (self.sticky + 1) % count;
        }
        Ok(self.sticky)
    }
}

impl Open {
    fn new(config: &ProducerConfig, least: usize) -> Self {
        let buffer = take_vec(config.batch_size.max(least));
        Self {
            builder: BatchBuilder::new(buffer.into_inner(), config.compression),
            runs: Vec::new(),
            since: Instant::now(),
            bytes: 0,
        }
    }
}

impl Queue {
    /// Closes the open batch.
    fn seal(
        &mut self,
        acks: &mut Vec<Ack>,
        topic: usize,
        buffered: &mut usize,
        in_flight: &mut usize,
    ) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        match open.builder.finish(&ProducerFields::NONE, 0) {
            Ok(()) => self.sealed.push_back(Sealed {
                bytes: Finished {
                    head: open.builder.into_bytes(),
                    ..Finished::default()
                },
                memory: open.bytes,
                runs: open.runs,
                since: open.since,
                _held: None,
            }),
            Err(error) => {
                let error = error::refused(self.partition.dir(), error.to_string());
                *in_flight -= report_runs(acks, topic, &open.runs, &Err(Rc::new(error)));
                *buffered -= open.bytes;
            }
        }
    }
}

impl Inner {
    /// Whether a writer has to be started; it counts as started then.
    fn needs_writer(&self, id: QueueId) -> bool {
        let mut state = self.state.borrow_mut();
        let queue = &mut state.topics[id.topic].queues[id.partition];
        let idle = !queue.writing && (queue.open.is_some() || !queue.sealed.is_empty());
        queue.writing |= idle;
        idle
    }

    /// Takes what can be written now.
    fn take_work(&self, id: QueueId) -> Work {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let hurry = state.flushes > 0 || state.closed;
        let Some(topic) = state.topics.get_mut(id.topic) else {
            return Work::Nothing;
        };
        let queue = &mut topic.queues[id.partition];
        if let Some(open) = &queue.open
            && queue.sealed.is_empty()
        {
            let left = self.config.linger.saturating_sub(open.since.elapsed());
            if !left.is_zero() && !hurry {
                return Work::Linger(left);
            }
            let (acks, buffered) = (&mut state.acks, &mut state.buffered);
            queue.seal(acks, id.topic, buffered, &mut state.in_flight);
        }
        if queue.sealed.is_empty() {
            queue.writing = false;
            return Work::Nothing;
        }
        let count = queue.sealed.len().min(WRITE_MAX);
        let batches = queue.sealed.drain(..count).collect();
        Work::Write(Arc::clone(&queue.partition), batches)
    }

    /// Writes batches in order, trying again while that can help and time is left.
    async fn write(&self, id: QueueId, mut partition: Arc<Partition>, mut batches: Vec<Sealed>) {
        let mut back_off = self.config.common.retry_backoff;
        while !batches.is_empty() {
            if partition.is_deleted()
                && let Some(again) = self.log.partition(&partition.topic, partition.number)
            {
                partition = again;
            }
            let bytes: Vec<Finished> = batches
                .iter_mut()
                .map(|sealed| std::mem::take(&mut sealed.bytes))
                .collect();
            // Shared, so that the bytes are still there when the pool could not take the call.
            let bytes = Arc::new(Mutex::new(bytes));
            let (theirs, log) = (Arc::clone(&bytes), Arc::clone(&partition));
            let call = move || {
                let mut bytes = theirs.lock().unwrap_or_else(PoisonError::into_inner);
                log.append(&mut bytes)
            };
            let (offsets, failure) = blocking(call).await.unwrap_or_else(|error| {
                (Vec::new(), Some(error::blocking(partition.dir(), &error)))
            });
            take_back(&mut batches, &bytes);
            self.acknowledge(id, partition.number, &mut batches, &offsets);
            if let Some(failure) = failure {
                self.expire(id, &mut batches, failure);
                if !batches.is_empty() {
                    sleep(back_off).await;
                    back_off = (back_off * 2).min(self.config.common.retry_backoff_max);
                }
            }
        }
    }

    fn acknowledge(&self, id: QueueId, partition: i32, batches: &mut Vec<Sealed>, offsets: &[i64]) {
        let mut state = self.state.borrow_mut();
        for (sealed, base_offset) in batches.drain(..offsets.len()).zip(offsets) {
            let acked = Acked {
                partition,
                base_offset: *base_offset,
            };
            state.report(id.topic, &sealed, &Ok(acked));
            // Gives the buffer back to the pool.
            drop(PooledVec::from(sealed.bytes.head));
        }
        drop(state);
        self.acked.notify();
    }

    /// Gives up batches that a retry can't help or that have no time left.
    fn expire(&self, id: QueueId, batches: &mut Vec<Sealed>, failure: ClientError) {
        let limit = self.config.delivery_timeout;
        let mut state = self.state.borrow_mut();
        let retriable = failure.is_retriable() && !state.closed;
        let give_up = |sealed: &Sealed| !retriable || sealed.since.elapsed() >= limit;
        if retriable {
            tracing::warn!(error = %failure, "an append to the embedded log failed and is tried again");
        }
        let error = if failure.is_retriable() {
            Rc::new(ClientError::Timeout {
                context: "append to the embedded log".to_owned(),
                after: limit,
                hint: format!(": {failure}"),
            })
        } else {
            Rc::new(failure)
        };
        // In order: what comes after a batch that is given up is tried on.
        let count = batches.iter().take_while(|sealed| give_up(sealed)).count();
        for sealed in batches.drain(..count) {
            state.report(id.topic, &sealed, &Err(Rc::clone(&error)));
        }
        drop(state);
        self.acked.notify();
    }

    /// Reports everything that is not being written as given up.
    fn give_up(&self) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.closed = true;
        let error = Rc::new(ClientError::Closed);
        let mut left = Vec::new();
        for (index, topic) in state.topics.iter_mut().enumerate() {
            for queue in &mut topic.queues {
                let sealed = queue
                    .sealed
                    .drain(..)
                    .map(|sealed| (sealed.runs, sealed.memory));
                left.extend(sealed.map(|(runs, memory)| (index, runs, memory)));
                left.extend(queue.open.take().map(|open| (index, open.runs, open.bytes)));
            }
        }
        for (topic, runs, memory) in left {
            state.in_flight -= report_runs(&mut state.acks, topic, &runs, &Err(Rc::clone(&error)));
            state.buffered -= memory;
        }
    }
}

fn take_back(batches: &mut [Sealed], bytes: &Mutex<Vec<Finished>>) {
    let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
    for (sealed, bytes) in batches.iter_mut().zip(bytes.drain(..)) {
        sealed.bytes = bytes;
    }
}

/// Writes a queue until it is empty.
async fn write_queue(inner: Rc<Inner>, id: QueueId) {
    // The caller goes on appending first, so that a batch does not begin and end with one record.
    yield_now().await;
    loop {
        let mark = inner.hurry.mark();
        match inner.take_work(id) {
            Work::Nothing => {
                inner.acked.notify();
                return;
            }
            Work::Linger(left) => {
                // Either way the queue is looked at again.
                let waited = timeout(left, inner.hurry.changed_since(mark)).await;
                tracing::trace!(hurried = waited.is_ok(), "lingered");
            }
            Work::Write(partition, batches) => inner.write(id, partition, batches).await,
        }
    }
}

#[async_trait(?Send)]
impl Producer for EmbeddedProducer {
    async fn topic(&self, topic: &str) -> Result<TopicHandle, ClientError> {
        let handle = |index: usize| TopicHandle(u32::try_from(index).unwrap_or(u32::MAX));
        let known = |state: &State| state.topics.iter().position(|known| &*known.name == topic);
        // A topic that was deleted and created again is a new one.
        let alive = |state: &State, index: usize| {
            let queues = &state.topics[index].queues;
            queues.iter().all(|queue| !queue.partition.is_deleted())
        };
        {
            let mut state = self.inner.state.borrow_mut();
            if let Some(index) = known(&state) {
                if alive(&state, index) {
                    return Ok(handle(index));
                }
                state.topics[index].name = Rc::from("");
            }
        }
        let log = &self.inner.log;
        if log.topic(topic).is_none() && log.config().auto_create {
            let (shared, name) = (Arc::clone(log), topic.to_owned());
            let created = blocking(move || shared.create_topic(&name, -1, &[])).await;
            created.map_err(|error| error::blocking(log.dir(), &error))??;
        }
        let partitions = log.topic(topic).ok_or_else(|| {
            error::unknown_topic(format!(
                "topic {topic}: there is none, and auto.create.topics.enable is off"
            ))
        })?;
        let queues = partitions.into_iter().map(|partition| Queue {
            partition,
            open: None,
            sealed: VecDeque::new(),
            writing: false,
        });
        let mut state = self.inner.state.borrow_mut();
        // Another future may have asked for the same topic meanwhile.
        if let Some(index) = known(&state) {
            return Ok(handle(index));
        }
        state.topics.push(Topic {
            name: topic.into(),
            queues: queues.collect(),
            sticky: 0,
        });
        Ok(handle(state.topics.len() - 1))
    }

    fn partitions(&self, topic: TopicHandle) -> u32 {
        let state = self.inner.state.borrow();
        let topic = state.topics.get(topic.0 as usize);
        topic.map_or(0, |topic| {
            u32::try_from(topic.queues.len()).unwrap_or(u32::MAX)
        })
    }

    fn append(
        &self,
        topic: TopicHandle,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<Append, ClientError> {
        let mut state = self.inner.state.borrow_mut();
        let topic = topic.0 as usize;
        let appended = state.append(&self.inner.config, topic, record, token);
        drop(state);
        self.start_writers(topic);
        appended
    }

    fn append_slices(
        &self,
        topic: TopicHandle,
        slices: &Slices<'_>,
        from: u32,
        batch: u64,
    ) -> Result<u32, (u32, ClientError)> {
        let mut state = self.inner.state.borrow_mut();
        let topic = topic.0 as usize;
        let mut index = from;
        let mut result = Ok(());
        while let Some(record) = slices.record(index as usize) {
            let token = RecordToken { batch, index };
            match state.append(&self.inner.config, topic, &record, token) {
                Ok(Append::Taken) => index += 1,
                Ok(Append::Full) => break,
                Err(error) => {
                    result = Err((index, error));
                    break;
                }
            }
        }
        drop(state);
        self.start_writers(topic);
        result.map(|()| index)
    }

    fn append_batch(
        &self,
        topic: TopicHandle,
        partition: i32,
        batch: &RawBatch,
        batch_number: u64,
    ) -> Result<AppendBatch, ClientError> {
        let mut state = self.inner.state.borrow_mut();
        let topic = topic.0 as usize;
        let config = &self.inner.config;
        let appended = state.append_batch(config, topic, partition, batch, batch_number);
        drop(state);
        self.start_writers(topic);
        appended
    }

    async fn ready(&self) -> Result<(), ClientError> {
        let has_room = async {
            loop {
                let mark = self.inner.acked.mark();
                {
                    let mut state = self.inner.state.borrow_mut();
                    if state.closed {
                        return Err(ClientError::Closed);
                    }
                    // A batch's worth of room, so that appends don't come by single records.
                    let limit = self.inner.config.buffer_memory;
                    let batch = self.inner.config.batch_size.min(limit).max(state.wanted);
                    if state.used() == 0 || state.used() + batch <= limit {
                        state.wanted = 0;
                        return Ok(());
                    }
                }
                self.inner.acked.changed_since(mark).await;
            }
        };
        let limit = self.inner.config.max_block;
        let waited = timeout(limit, has_room).await;
        waited.unwrap_or_else(|_| {
            Err(ClientError::Timeout {
                context: "waiting for room in the producer's buffer".to_owned(),
                after: limit,
                hint: ": is the disk full or slow?".to_owned(),
            })
        })
    }

    fn take_acks(&self, out: &mut Vec<Ack>) {
        out.append(&mut self.inner.state.borrow_mut().acks);
    }

    async fn acked(&self) {
        loop {
            let mark = self.inner.acked.mark();
            if !self.inner.state.borrow().acks.is_empty() {
                return;
            }
            self.inner.acked.changed_since(mark).await;
        }
    }

    fn in_flight(&self) -> usize {
        let state = self.inner.state.borrow();
        let reported: usize = state.acks.iter().map(|ack| ack.count as usize).sum();
        state.in_flight + reported
    }

    async fn flush(&self) {
        let _flushing = Flushing::start(&self.inner);
        loop {
            let mark = self.inner.acked.mark();
            if self.inner.state.borrow().in_flight == 0 {
                return;
            }
            self.inner.acked.changed_since(mark).await;
        }
    }

    async fn close(&self, limit: Duration) {
        if timeout(limit, self.flush()).await.is_err() {
            tracing::warn!("the producer was closed before everything was written");
        }
        self.inner.give_up();
        self.inner.hurry.notify();
        self.inner.acked.notify();
    }
}

/// Counts a flush for as long as it is waited for.
struct Flushing<'a>(&'a Inner);

impl<'a> Flushing<'a> {
    fn start(inner: &'a Inner) -> Self {
        inner.state.borrow_mut().flushes += 1;
        inner.hurry.notify();
        Self(inner)
    }
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().flushes -= 1;
    }
}
