//! A source task: poll → transform → convert → produce → track offset (Kafka: `WorkerSourceTask`).
//!
//! At least once: an offset is stored only when its record and every record before it in the same source
//! partition are in Kafka. Offsets go to the mapped store as acknowledgements come and are made durable
//! every `offset.flush.interval.ms` and at the end.

mod batches;
mod refused;

pub(in crate::task) use batches::records_of;

use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::control::{Control, Wish};
use super::conversion::{EncodedRecords, Rewritten, SourceConversion, materialize};
use super::errors::{ErrorHandler, LogLimit};
use super::submitted_records::SubmittedRecords;
use super::topic_creation::TopicCreation;
use super::{InstanceState, Reporter};
use crate::api::connector::OffsetReader;
use crate::api::{
    CommittedRun, ConfigMap, ConnectError, LocalFuture, RawBatch, RecordBatches, SliceBatch,
    SliceForm, SourceBatch, SourceMap, SourceRecord, SourceTask, SourceTaskContext, Span,
    TopicPartition,
};
use crate::clients::{
    Ack, Append, ClientError, Lease, Producer, ProducerRecord, RecordToken, Slices, TopicHandle,
};
use crate::metrics::{Stage, TaskMetrics};
use crate::record::RecordHeader;
use crate::shard::{self, JoinHandle, TaskEnd};
use crate::storage::{ConnectorOffsetStore, TopicTracker};

/// How long a clean close of the producer may take (Kafka: `WorkerSourceTask.close`).
const PRODUCER_CLOSE: Duration = Duration::from_secs(30);
/// Wait after a retriable error of `poll`, so that a failing source does not spin.
const POLL_RETRY: Duration = Duration::from_millis(100);
/// Wait before a topic that is not there is asked for again; Kafka's producer waits for ever, too.
const TOPIC_RETRY: Duration = Duration::from_secs(1);
/// Offsets are copied to the mapped store at most this often.
const STORE_INTERVAL: Duration = Duration::from_millis(20);

/// What a source task is made of.
pub struct SourceParts {
    /// Connector name.
    pub connector: Rc<str>,
    /// Task number.
    pub number: u32,
    /// The connector's task.
    pub task: Box<dyn SourceTask>,
    /// Converters and transforms.
    pub conversion: SourceConversion,
    /// The task's producer.
    pub producer: Rc<dyn Producer>,
    /// Creates topics by the connector's rules.
    pub topics: TopicCreation,
    /// Source offsets.
    pub offsets: ConnectorOffsetStore,
    /// Told of each topic that has a record.
    pub active_topics: TopicTracker,
    /// What it writes by.
    pub lease: Lease,
    /// What the control plane wants.
    pub control: Control,
    /// Counters.
    pub metrics: Arc<TaskMetrics>,
    /// What failed records mean.
    pub errors: ErrorHandler,
    /// Where states go.
    pub report: Reporter,
    /// `offset.flush.interval.ms`.
    pub flush_interval: Duration,
    /// `offset.flush.timeout.ms`.
    pub flush_timeout: Duration,
}

impl std::fmt::Debug for SourceParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SourceParts({}-{})", self.connector, self.number)
    }
}

/// Runs a source task until it is stopped or fails.
///
/// # Errors
/// The error that the task is shown FAILED with.
pub async fn run(parts: SourceParts, config: &ConfigMap) -> Result<(), ConnectError> {
    let mut runner = Runner::new(parts);
    let outcome = match runner.start(config).await {
        Ok(()) => runner.execute().await,
        Err(error) => Err(error),
    };
    runner.finish().await;
    outcome
}

/// What ends a wait.
enum Event {
    Polled(Result<SourceBatch, ConnectError>),
    Acked,
    Control,
    Flushed(bool),
    Due,
}

struct Runner {
    parts: SourceParts,
    submitted: SubmittedRecords,
    /// What is kept of batches until all of them is acknowledged, by batch number.
    kept: HashMap<u64, Kept>,
    topics: Vec<(Rc<str>, TopicHandle)>,
    acks: Vec<Ack>,
    next_flush: Instant,
    last_store: Instant,
    /// Whether offsets were put since the last flush.
    dirty: bool,
    flush: Option<Flush>,
    flush_began: Instant,
    /// The batch whose way to Kafka is timed, and since when; one at a time.
    timed: Option<(u64, Instant)>,
    /// When records were converted last, and are the producer's.
    handed_over: Instant,
    commit_log: LogLimit,
    /// Whether the road of record batches was logged.
    batches_seen: bool,
}

/// A flush of offsets that is under way.
enum Flush {
    /// No offset was put: an idle task needs no future for that.
    Empty,
    Running(JoinHandle<bool>),
}

impl Flush {
    /// Whether it succeeded, once it has ended. Cancel-safe.
    async fn succeeded(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Running(flush) => matches!(flush.join().await, TaskEnd::Done(true)),
        }
    }
}

/// Records of a batch, for `commit_record` and for the dead letter queue.
enum Kept {
    /// Those that are tracked.
    Records(Vec<SourceRecord>),
    /// All.
    Slices(Rc<SliceBatch>),
    /// A whole batch, and what its records have in common.
    Whole(RecordBatches, RawBatch),
}

/// Reads the offsets of one connector.
pub(in crate::task) struct ConnectorOffsets(pub(in crate::task) ConnectorOffsetStore);

impl OffsetReader for ConnectorOffsets {
    fn offset<'a>(
        &'a self,
        partition: &'a SourceMap,
    ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>> {
        Box::pin(async move {
            let found = self.0.get(partition).await;
            found.map_err(|error| {
                let kind = match error.is_retriable() {
                    true => crate::api::ErrorKind::Retriable,
                    false => crate::api::ErrorKind::Connect,
                };
                ConnectError::new(kind, "Failed to fetch offsets.").with_source(error)
            })
        })
    }
}

impl Runner {
    fn new(parts: SourceParts) -> Self {
        let now = Instant::now();
        Self {
            next_flush: now + parts.flush_interval,
            last_store: now,
            submitted: SubmittedRecords::new(),
            kept: HashMap::new(),
            topics: Vec::new(),
            acks: Vec::new(),
            dirty: false,
            flush: None,
            flush_began: now,
            timed: None,
            handed_over: now,
            commit_log: LogLimit::new(5),
            batches_seen: false,
            parts,
        }
    }

    async fn start(&mut self, config: &ConfigMap) -> Result<(), ConnectError> {
        let parts = &mut self.parts;
        parts.errors.attach(&parts.metrics, &parts.control);
        parts.errors.open().await?;
        let context = SourceTaskContext {
            connector: Rc::clone(&self.parts.connector),
            task: self.parts.number,
            offsets: Rc::new(ConnectorOffsets(self.parts.offsets.clone())),
            preview: false,
        };
        self.parts.metrics.enter(Stage::Start, Instant::now());
        let started = self.parts.task.start(context, config).await;
        self.parts.metrics.leave();
        started?;
        tracing::info!(
            plan = %self.parts.conversion.plan(SliceForm::Text),
            "source task {}-{} started",
            self.parts.connector,
            self.parts.number
        );
        if self.parts.control.wish() == Wish::Run {
            self.parts.report.state(InstanceState::Running);
        }
        Ok(())
    }

    async fn execute(&mut self) -> Result<(), ConnectError> {
        loop {
            match self.parts.control.wish() {
                Wish::Stop => return Ok(()),
                Wish::Pause => {
                    self.pause().await?;
                    continue;
                }
                Wish::Run => {}
            }
            self.settle().await?;
            self.flush_if_due();
            let began = Instant::now();
            match self.next_event(true, began).await {
                Event::Polled(Ok(batch)) => self.send(batch, began.elapsed()).await?,
                Event::Polled(Err(error)) if error.is_retriable() => {
                    tracing::warn!(%error, "poll failed and will be tried again");
                    shard::sleep(POLL_RETRY).await;
                }
                Event::Polled(Err(error)) => return Err(error),
                Event::Flushed(succeeded) => self.flushed(succeeded).await,
                Event::Acked | Event::Control | Event::Due => {}
            }
            shard::yield_now().await;
        }
    }

    async fn pause(&mut self) -> Result<(), ConnectError> {
        self.parts.report.state(InstanceState::Paused);
        while self.parts.control.wish() == Wish::Pause {
            self.settle().await?;
            self.flush_if_due();
            if let Event::Flushed(succeeded) = self.next_event(false, Instant::now()).await {
                self.flushed(succeeded).await;
            }
        }
        if self.parts.control.wish() == Wish::Run {
            self.parts.report.state(InstanceState::Running);
        }
        Ok(())
    }

    /// Waits for the first of: a batch (when `polling`), acknowledgements, another wish, the end of a
    /// flush, the time of the next flush.
    async fn next_event(&mut self, polling: bool, now: Instant) -> Event {
        let known = self.parts.control.wish();
        let producer = Rc::clone(&self.parts.producer);
        let mut changed = pin!(self.parts.control.changed_from(known));
        let mut acked = pin!(producer.acked());
        let mut due = pin!(shard::sleep(self.next_flush.saturating_duration_since(now)));
        let flush = self.flush.as_ref();
        let mut flushed = pin!(async {
            match flush {
                Some(flush) => flush.succeeded().await,
                None => std::future::pending().await,
            }
        });
        let task = &mut self.parts.task;
        let mut polled = pin!(async {
            match polling {
                true => task.poll().await,
                false => std::future::pending().await,
            }
        });
        std::future::poll_fn(|cx| {
            if changed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Control);
            }
            if let Poll::Ready(succeeded) = flushed.as_mut().poll(cx) {
                return Poll::Ready(Event::Flushed(succeeded));
            }
            if let Poll::Ready(batch) = polled.as_mut().poll(cx) {
                return Poll::Ready(Event::Polled(batch));
            }
            if acked.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Acked);
            }
            if flush.is_none() && due.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Due);
            }
            Poll::Pending
        })
        .await
    }

    /// Sends a batch that `poll` brought after `took`.
    async fn send(&mut self, batch: SourceBatch, took: Duration) -> Result<(), ConnectError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (records, now) = (batch.len() as u64, Instant::now());
        let active = self.submitted.active() + records;
        self.parts.metrics.polled_batch(records, took, active, now);
        self.handed_over = now;
        let sent = self.send_by_kind(batch).await;
        let last = self.submitted.last_number();
        if self.timed.is_none() && self.submitted.has_batch(last) {
            self.timed = Some((last, self.handed_over));
        }
        sent
    }

    async fn send_by_kind(&mut self, batch: SourceBatch) -> Result<(), ConnectError> {
        match batch {
            SourceBatch::Slices(mut batch) if self.parts.conversion.takes_slices(&batch) => {
                match self.parts.conversion.route(&batch.topic) {
                    Some(topic) => {
                        batch.topic = topic;
                        self.send_slices(batch).await
                    }
                    None => self.send_records(materialize(&batch)).await,
                }
            }
            SourceBatch::Slices(batch) => self.send_records(materialize(&batch)).await,
            SourceBatch::Records(records) => self.send_records(records).await,
            SourceBatch::Batches(batches) => self.send_batches(batches).await,
        }
    }

    async fn send_slices(&mut self, mut batch: SliceBatch) -> Result<(), ConnectError> {
        let Some(topic) = self.topic(&batch.topic).await? else {
            return Ok(());
        };
        let number = self.submitted.number();
        let Parts {
            conversion,
            errors,
            metrics,
        } = self.split();
        let began = Instant::now();
        metrics.enter(Stage::Convert, began);
        let mut converted = conversion.rewrite(&batch, number, errors).await;
        self.converted_since(began);
        if self.parts.errors.is_interrupted() {
            return Ok(());
        }
        let positions = self
            .parts
            .errors
            .wants_records()
            .then(|| batch.positions.clone());
        self.submitted.submit_slices(number, &mut batch);
        if !converted.skipped.is_empty() {
            self.submitted.skip(number, &converted.skipped);
        }
        let failure = converted.failure.take();
        let batch = Rc::new(SliceBatch {
            positions: positions.unwrap_or_default(),
            ..batch
        });
        if self.parts.errors.wants_records() {
            self.kept.insert(number, Kept::Slices(Rc::clone(&batch)));
        }
        self.append_rewritten(topic, &batch, &converted, number)
            .await?;
        failure.map_or(Ok(()), Err)
    }

    async fn append_rewritten(
        &mut self,
        topic: TopicHandle,
        batch: &SliceBatch,
        converted: &Rewritten,
        number: u64,
    ) -> Result<(), ConnectError> {
        let keys = match (&converted.keys, &batch.keys) {
            (Some((buffer, spans)), _) => Some((&buffer[..], &spans[..])),
            (None, Some(spans)) => Some((&batch.buffer[..], &spans[..])),
            (None, None) => None,
        };
        let values = converted.values.as_deref().unwrap_or(&batch.values);
        let slices = Slices {
            partition: batch.kafka_partition,
            timestamp: batch.timestamp.unwrap_or_else(now_ms),
            buffer: converted
                .value_buffer
                .as_ref()
                .map_or(&batch.buffer[..], |b| &b[..]),
            values,
            keys,
        };
        self.parts
            .metrics
            .add_bytes(payload(values) + keys.map_or(0, |(_, spans)| payload(spans)));
        if !self.parts.errors.has_dead_letters() {
            // Nobody else will say that they are done with.
            for index in &converted.skipped {
                self.submitted.acknowledge(number, *index, 1);
            }
            self.forget(number);
        }
        for run in &converted.runs {
            let slices = Slices {
                values: &values[..run.end as usize],
                ..slices
            };
            if !self.append_run(topic, &slices, run.start, number).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Appends records `from..` of `slices`; `false` when a stop came while waiting for room.
    async fn append_run(
        &mut self,
        topic: TopicHandle,
        slices: &Slices<'_>,
        from: u32,
        number: u64,
    ) -> Result<bool, ConnectError> {
        let mut next = from;
        while (next as usize) < slices.values.len() {
            match self
                .parts
                .producer
                .append_slices(topic, slices, next, number)
            {
                Ok(reached) => {
                    next = reached;
                    if (next as usize) < slices.values.len() && !self.wait_for_room().await? {
                        return Ok(false);
                    }
                }
                Err((index, error)) => {
                    let token = RecordToken {
                        batch: number,
                        index,
                    };
                    self.refused(token, error).await?;
                    next = index + 1;
                }
            }
        }
        Ok(true)
    }

    async fn send_records(&mut self, records: Vec<SourceRecord>) -> Result<(), ConnectError> {
        let number = self.submitted.number();
        let Parts {
            conversion,
            errors,
            metrics,
        } = self.split();
        let began = Instant::now();
        metrics.enter(Stage::Convert, began);
        let mut encoded = conversion.encode(&records, number, errors, metrics).await;
        self.converted_since(began);
        if self.parts.errors.is_interrupted() {
            return Ok(());
        }
        self.report_dropped(&records, &encoded);
        let places = tracked(&records, &encoded).map(|(record, sent)| {
            let offset = record.source_offset.as_ref().filter(|_| sent);
            (record.source_partition.as_ref(), offset)
        });
        self.submitted.submit_records(number, places);
        let wants_records = self.parts.errors.wants_records();
        if self.parts.task.wants_commit_record() || wants_records {
            let kept = tracked(&records, &encoded);
            let kept: Vec<_> = kept.map(|(record, _)| record.clone()).collect();
            if !kept.is_empty() {
                self.kept.insert(number, Kept::Records(kept));
            }
        }
        let failure = encoded.failure.take();
        self.append_records(&encoded, number).await?;
        failure.map_or(Ok(()), Err)
    }

    /// Filtered and skipped records are done with (Kafka: `commitRecord(record, null)`).
    fn report_dropped(&mut self, records: &[SourceRecord], encoded: &EncodedRecords) {
        if !self.parts.task.wants_commit_record() || encoded.records.len() == records.len() {
            return;
        }
        let mut kept = encoded.records.iter().map(|done| done.index).peekable();
        for (index, record) in records.iter().enumerate().take(encoded.reached) {
            if kept.next_if_eq(&index).is_none() {
                self.committed_record(record, None);
            }
        }
    }

    async fn append_records(
        &mut self,
        encoded: &EncodedRecords,
        number: u64,
    ) -> Result<(), ConnectError> {
        let mut headers = Vec::new();
        for record in &encoded.records {
            let Some(topic) = self.topic(&record.topic).await? else {
                return Ok(());
            };
            headers.clear();
            headers.extend(record.headers.iter().map(|(key, span)| RecordHeader {
                key: key.as_bytes(),
                value: span.of(&encoded.buffer),
            }));
            let produced = ProducerRecord {
                partition: record.partition,
                timestamp: record.timestamp.unwrap_or_else(now_ms),
                key: record.key.of(&encoded.buffer),
                value: record.value.of(&encoded.buffer),
                headers: &headers,
            };
            self.parts
                .metrics
                .add_bytes(payload(&[record.key, record.value]));
            let token = RecordToken {
                batch: number,
                index: record.slot,
            };
            if !self.append_record(topic, &produced, token).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// `false` when a stop came while waiting for room.
    async fn append_record(
        &mut self,
        topic: TopicHandle,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<bool, ConnectError> {
        loop {
            match self.parts.producer.append(topic, record, token) {
                Ok(Append::Taken) => return Ok(true),
                Ok(Append::Full) => {
                    if !self.wait_for_room().await? {
                        return Ok(false);
                    }
                }
                Err(error) => {
                    self.refused(token, error).await?;
                    return Ok(true);
                }
            }
        }
    }

    /// Waits until the producer has room, settling acknowledgements meanwhile; `false` on a stop.
    async fn wait_for_room(&mut self) -> Result<bool, ConnectError> {
        self.settle().await?;
        self.flush_if_due();
        self.parts.metrics.enter(Stage::Produce, Instant::now());
        let mut ready = pin!(self.parts.producer.ready());
        let mut stopped = pin!(self.parts.control.stopped());
        let room = std::future::poll_fn(|cx| {
            if let Poll::Ready(ready) = ready.as_mut().poll(cx) {
                return Poll::Ready(Some(ready));
            }
            stopped.as_mut().poll(cx).map(|()| None)
        })
        .await;
        self.parts.metrics.leave();
        match room {
            Some(Ok(())) => Ok(true),
            Some(Err(error)) => Err(send_failed(error)),
            None => Ok(false),
        }
    }

    /// The handle of a topic, created by the connector's rules where needed; `None` on a stop.
    async fn topic(&mut self, name: &Rc<str>) -> Result<Option<TopicHandle>, ConnectError> {
        let known = |(known, _): &&(Rc<str>, TopicHandle)| Rc::ptr_eq(known, name) || known == name;
        if let Some((_, handle)) = self.topics.iter().find(known) {
            return Ok(Some(*handle));
        }
        let producer = Rc::clone(&self.parts.producer);
        let topics = &mut self.parts.topics;
        let mut found = pin!(async {
            topics.create_if_wanted(name).await?;
            loop {
                match producer.topic(name).await {
                    Err(error) if error.is_retriable() => {
                        tracing::warn!(%error, topic = %name, "the topic is not there yet; trying again");
                        shard::sleep(TOPIC_RETRY).await;
                    }
                    found => return found.map_err(send_failed),
                }
            }
        });
        let mut stopped = pin!(self.parts.control.stopped());
        self.parts.metrics.enter(Stage::Produce, Instant::now());
        let handle = std::future::poll_fn(|cx| {
            if let Poll::Ready(found) = found.as_mut().poll(cx) {
                return Poll::Ready(Some(found));
            }
            stopped.as_mut().poll(cx).map(|()| None)
        })
        .await;
        self.parts.metrics.leave();
        let Some(handle) = handle.transpose()? else {
            return Ok(None);
        };
        self.topics.push((Rc::clone(name), handle));
        Ok(Some(handle))
    }

    /// Takes acknowledgements and stores the offsets that became safe.
    async fn settle(&mut self) -> Result<(), ConnectError> {
        let mut acks = std::mem::take(&mut self.acks);
        self.parts.producer.take_acks(&mut acks);
        let (mut outcome, mut written) = (Ok(()), 0);
        for ack in acks.drain(..) {
            match &ack.result {
                Ok(_) => {
                    written += u64::from(ack.count);
                    self.settle_one(&ack);
                }
                Err(error) => outcome = outcome.and(self.refused_later(&ack, error).await),
            }
        }
        self.acks = acks;
        self.settle_dead_letters()?;
        self.count_written(written);
        if self.last_store.elapsed() >= STORE_INTERVAL {
            self.store_offsets();
        }
        outcome
    }

    fn count_written(&mut self, written: u64) {
        let active = self.submitted.active();
        if written == 0 {
            return self.parts.metrics.set_active(active);
        }
        let now = Instant::now();
        self.parts.metrics.acknowledged(written, active, now);
        if let Some((batch, since)) = self.timed
            && !self.submitted.has_batch(batch)
        {
            self.timed = None;
            let took = now.saturating_duration_since(since);
            self.parts.metrics.stage_took(Stage::Produce, took, now);
        }
    }

    fn converted_since(&mut self, began: Instant) {
        let now = Instant::now();
        let took = now.saturating_duration_since(began);
        self.parts.metrics.leave();
        let transforms = self.parts.conversion.take_transform_time().min(took);
        if !transforms.is_zero() {
            self.parts
                .metrics
                .stage_took(Stage::Transform, transforms, now);
        }
        self.parts
            .metrics
            .stage_took(Stage::Convert, took - transforms, now);
        self.handed_over = now;
    }

    fn settle_one(&mut self, ack: &Ack) {
        self.track_topic(ack.topic);
        self.report_run(ack);
        self.submitted.acknowledge(ack.batch, ack.first, ack.count);
        self.report_committed(ack);
    }

    fn track_topic(&mut self, handle: TopicHandle) {
        let mut topics = self.topics.iter();
        if let Some((topic, _)) = topics.find(|(_, known)| *known == handle) {
            self.parts.active_topics.used(topic);
        }
    }

    /// Tells the task where a run of records is, which its batch's tracking still knows.
    fn report_run(&mut self, ack: &Ack) {
        let last = ack.first + ack.count.saturating_sub(1);
        let (Ok(acked), Some((source_partition, first, last))) = (
            &ack.result,
            self.submitted.positions(ack.batch, ack.first, last),
        ) else {
            return;
        };
        let mut topics = self.topics.iter();
        let Some((topic, _)) = topics.find(|(_, handle)| *handle == ack.topic) else {
            return;
        };
        let run = CommittedRun {
            source_partition,
            first,
            last,
            written: &TopicPartition::new(Rc::clone(topic), acked.partition),
            base_offset: acked.base_offset,
            count: ack.count,
        };
        if let Err(error) = self.parts.task.commit_run(&run)
            && let Some(suppressed) = self.commit_log.admit()
        {
            tracing::error!(%error, suppressed, "the task's commit_run failed");
        }
    }

    /// Calls `commit_record` for each record of an acknowledged run.
    fn report_committed(&mut self, ack: &Ack) {
        if !self.parts.task.wants_commit_record() {
            return self.forget(ack.batch);
        }
        let Some(Kept::Records(records)) = self.kept.get(&ack.batch) else {
            return self.forget(ack.batch);
        };
        let range = ack.first as usize..(ack.first + ack.count) as usize;
        let records: Vec<SourceRecord> = match records.get(range) {
            Some(run) => run.to_vec(),
            None => return,
        };
        let topic = self.topics.iter().find(|(_, handle)| *handle == ack.topic);
        let topic = topic.map(|(name, _)| Rc::clone(name));
        for (index, record) in records.iter().enumerate() {
            let written = match (&ack.result, &topic) {
                (Ok(acked), Some(topic)) => {
                    let offset = acked.base_offset + i64::try_from(index).unwrap_or(0);
                    Some((
                        TopicPartition::new(Rc::clone(topic), acked.partition),
                        offset,
                    ))
                }
                _ => None,
            };
            self.committed_record(record, written.as_ref().map(|(place, at)| (place, *at)));
        }
        self.forget(ack.batch);
    }

    /// Keeps nothing of a batch any longer once all of it is acknowledged.
    fn forget(&mut self, batch: u64) {
        if !self.kept.is_empty() && !self.submitted.has_batch(batch) {
            self.kept.remove(&batch);
        }
    }

    fn committed_record(&mut self, record: &SourceRecord, written: Option<(&TopicPartition, i64)>) {
        if let Err(error) = self.parts.task.commit_record(record, written)
            && let Some(suppressed) = self.commit_log.admit()
        {
            tracing::error!(%error, suppressed, "the task's commit_record failed");
        }
    }

    fn store_offsets(&mut self) {
        self.last_store = Instant::now();
        let offsets = self.submitted.committable();
        if offsets.is_empty() {
            return;
        }
        let entries = offsets
            .iter()
            .map(|(partition, offset)| (&**partition, Some(offset)));
        match self.parts.offsets.put(entries) {
            Ok(()) => self.dirty = true,
            Err(error) => {
                self.parts.metrics.commit_failed(Instant::now());
                if let Some(suppressed) = self.commit_log.admit() {
                    tracing::error!(%error, suppressed, "source offsets can't be stored");
                }
            }
        }
    }

    /// Starts making offsets durable when it is time and no such flush is under way.
    fn flush_if_due(&mut self) {
        if self.flush.is_some() || Instant::now() < self.next_flush {
            return;
        }
        self.flush_began = Instant::now();
        self.store_offsets();
        if !std::mem::take(&mut self.dirty) {
            self.flush = Some(Flush::Empty);
            return;
        }
        let (store, limit) = (self.parts.offsets.clone(), self.parts.flush_timeout);
        self.flush = Some(Flush::Running(shard::spawn(async move {
            flush_store(&store, limit).await
        })));
    }

    async fn flushed(&mut self, succeeded: bool) {
        let empty = matches!(self.flush.take(), Some(Flush::Empty));
        self.next_flush = match empty {
            // Tasks at rest wake their shard together.
            true => shard::next_common(self.parts.flush_interval),
            false => Instant::now() + self.parts.flush_interval,
        };
        self.count_commit(succeeded);
        if !succeeded {
            self.dirty = true;
            return;
        }
        self.commit_task().await;
    }

    async fn commit_task(&mut self) {
        self.parts.metrics.enter(Stage::Commit, Instant::now());
        let committed = self.parts.task.commit().await;
        self.parts.metrics.leave();
        if let Err(error) = committed {
            tracing::error!(%error, "the task's commit failed");
        }
    }

    /// Counts a commit that began at [`Self::flush_began`].
    fn count_commit(&self, succeeded: bool) {
        let now = Instant::now();
        let took = now.saturating_duration_since(self.flush_began);
        match succeeded {
            true => self.parts.metrics.commit_succeeded(took, now),
            false => self.parts.metrics.commit_failed(now),
        }
    }

    /// Settles what is in flight, stores and flushes offsets, stops the task.
    async fn finish(&mut self) {
        let limit = self.parts.flush_timeout;
        let producer = Rc::clone(&self.parts.producer);
        if shard::timeout(limit, producer.flush()).await.is_err() {
            tracing::warn!(
                in_flight = producer.in_flight(),
                "records were not acknowledged within offset.flush.timeout.ms; they will be sent again after the next start"
            );
        }
        if let Err(error) = self.settle().await {
            tracing::warn!(%error, "records failed while the task was ending");
        }
        self.parts.errors.flush(limit).await;
        if let Err(error) = self.settle_dead_letters() {
            tracing::warn!(%error, "dead letters failed while the task was ending");
        }
        self.store_offsets();
        if let Some(flush) = self.flush.take() {
            self.dirty |= !flush.succeeded().await;
        }
        self.flush_began = Instant::now();
        let stored = !self.dirty || flush_store(&self.parts.offsets, limit).await;
        self.count_commit(stored);
        if stored {
            self.commit_task().await;
        }
        self.parts.metrics.enter(Stage::Stop, Instant::now());
        self.parts.task.stop().await;
        self.parts.metrics.leave();
        producer.close(PRODUCER_CLOSE.min(limit)).await;
        self.parts.errors.close(PRODUCER_CLOSE.min(limit)).await;
        self.parts.topics.close().await;
    }

    fn split(&mut self) -> Parts<'_> {
        Parts {
            conversion: &mut self.parts.conversion,
            errors: &mut self.parts.errors,
            metrics: &self.parts.metrics,
        }
    }
}

/// Parts that are used together.
struct Parts<'a> {
    conversion: &'a mut SourceConversion,
    errors: &'a mut ErrorHandler,
    metrics: &'a TaskMetrics,
}

/// The records that are tracked, in order, and whether they are sent: those that are not wait for their
/// dead letter.
fn tracked<'a>(
    records: &'a [SourceRecord],
    encoded: &'a EncodedRecords,
) -> impl Iterator<Item = (&'a SourceRecord, bool)> {
    let mut dead = encoded.dead.iter().copied().peekable();
    let mut sent = encoded.records.iter().map(|done| done.index).peekable();
    std::iter::from_fn(move || {
        let dead_first = match (dead.peek(), sent.peek()) {
            (Some(dead), Some(sent)) => dead < sent,
            (dead, _) => dead.is_some(),
        };
        let index = if dead_first { dead.next() } else { sent.next() };
        Some((records.get(index?)?, !dead_first))
    })
}

async fn flush_store(store: &ConnectorOffsetStore, limit: Duration) -> bool {
    match shard::timeout(limit, store.flush()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "source offsets can't be made durable; it will be tried again");
            false
        }
        Err(elapsed) => {
            tracing::error!(%elapsed, "flushing source offsets timed out (offset.flush.timeout.ms)");
            false
        }
    }
}

fn send_failed(error: ClientError) -> ConnectError {
    let kind = if error.is_retriable() {
        crate::api::ErrorKind::Retriable
    } else {
        crate::api::ErrorKind::Connect
    };
    ConnectError::new(kind, "Unrecoverable exception trying to send").with_source(error)
}

fn payload(spans: &[Span]) -> u64 {
    spans
        .iter()
        .filter(|span| !span.is_null())
        .map(|span| u64::from(span.len))
        .sum()
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
