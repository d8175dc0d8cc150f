//! A sink task: consume → convert → transform → put → commit offset (Kafka: `WorkerSinkTask`).
//!
//! At least once: an offset is committed only after the task's `pre_commit` vouched for it. A batch that
//! the task refuses with a retriable error is kept and offered again unchanged while its partitions are
//! paused; polling goes on and keeps the group membership.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::control::{Control, Wish};
use super::conversion::{Converters, SinkConversion};
use super::errors::ErrorHandler;
use super::plan::Transforms;
use super::transformation_chain::TransformationChain;
use super::{InstanceState, Reporter};
use crate::api::{
    ConfigMap, ConnectError, Originals, SinkBatch, SinkTask, SinkTaskContext, TopicPartition,
};
use crate::clients::{ClientError, Consumer, FetchedRecords, Lease, Polled, Subscription};
use crate::metrics::{Stage, TaskMetrics};
use crate::shard;
use crate::storage::TopicTracker;

/// What a sink task is made of.
pub struct SinkParts {
    /// Connector name.
    pub connector: Rc<str>,
    /// Task number.
    pub number: u32,
    /// The connector's task.
    pub task: Box<dyn SinkTask>,
    /// Converters of the task.
    pub converters: Converters,
    /// Its transforms.
    pub chain: TransformationChain,
    /// The task's consumer.
    pub consumer: Rc<dyn Consumer>,
    /// `topics` or `topics.regex`.
    pub subscription: Subscription,
    /// Told of each topic that a record was consumed of.
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

impl std::fmt::Debug for SinkParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SinkParts({}-{})", self.connector, self.number)
    }
}

/// Runs a sink task until it is stopped or fails.
///
/// # Errors
/// The error that the task is shown FAILED with.
pub async fn run(parts: SinkParts, config: &ConfigMap) -> Result<(), ConnectError> {
    let SinkParts {
        mut task,
        converters,
        chain,
        mut errors,
        ..
    } = parts;
    errors.attach(&parts.metrics, &parts.control);
    let reporter = errors.reporter();
    let context =
        SinkTaskContext::new(&*parts.connector, parts.number).with_reporter(reporter.clone());
    let started = match errors.open().await {
        Ok(()) => {
            parts.metrics.enter(Stage::Start, Instant::now());
            errors.attend(task.start(context.clone(), config)).await
        }
        failed => failed,
    };
    parts.metrics.leave();
    if let Err(error) = started {
        task.stop().await;
        errors.close(parts.flush_timeout).await;
        parts.consumer.close(parts.flush_timeout).await;
        return Err(error);
    }
    let conversion = SinkConversion::new(converters, chain, task.form());
    tracing::info!(
        plan = %conversion.plan(),
        "sink task {}-{} started",
        parts.connector,
        parts.number
    );
    let mut runner = Runner {
        keeps_originals: reporter.is_some() && task.reports_errors(),
        task,
        context,
        conversion,
        consumer: parts.consumer,
        active_topics: parts.active_topics,
        lease: parts.lease,
        control: parts.control,
        metrics: parts.metrics,
        errors,
        report: parts.report,
        flush_interval: parts.flush_interval,
        flush_timeout: parts.flush_timeout,
        partitions: BTreeMap::new(),
        refused: None,
        paused: false,
        next_commit: Instant::now() + parts.flush_interval,
        commit: None,
        active: 0,
    };
    runner.consumer.subscribe(parts.subscription);
    let outcome = runner.execute().await;
    runner.finish().await;
    outcome
}

/// Offsets of an assigned partition (next offset to read).
#[derive(Debug, Clone, Copy)]
struct Offsets {
    /// After the last record handed to the task; the start position before the first.
    delivered: i64,
    /// Committed last; the start position before the first commit.
    committed: i64,
}

/// A batch that the task refused, kept to be offered again.
#[derive(Debug)]
struct Refused {
    batches: Vec<SinkBatch>,
    until: Option<Instant>,
}

/// A commit under way in the background.
struct Commit {
    offsets: Vec<(TopicPartition, i64)>,
    started: Instant,
    result: Rc<RefCell<Option<Result<(), ClientError>>>>,
    overdue: bool,
}

struct Runner {
    task: Box<dyn SinkTask>,
    context: SinkTaskContext,
    conversion: SinkConversion,
    consumer: Rc<dyn Consumer>,
    active_topics: TopicTracker,
    lease: Lease,
    control: Control,
    metrics: Arc<TaskMetrics>,
    errors: ErrorHandler,
    /// Whether batches keep what was consumed, for the task's reports.
    keeps_originals: bool,
    report: Reporter,
    flush_interval: Duration,
    flush_timeout: Duration,
    partitions: BTreeMap<TopicPartition, Offsets>,
    refused: Option<Refused>,
    paused: bool,
    next_commit: Instant,
    commit: Option<Commit>,
    /// Offsets between what was delivered and what was committed, over all partitions.
    active: i64,
}

/// How long dead letters may take at the end (Kafka waits without a limit).
const DEAD_LETTERS_CLOSE: Duration = Duration::from_secs(30);
/// `Exiting WorkerSinkTask …`: what Kafka says when `put` fails for good.
const PUT_FAILED: &str = "Exiting WorkerSinkTask due to unrecoverable exception.";

impl Runner {
    async fn execute(&mut self) -> Result<(), ConnectError> {
        if self.control.wish() == Wish::Run {
            self.report.state(InstanceState::Running);
        }
        loop {
            match self.control.wish() {
                Wish::Stop => return Ok(()),
                wish => self.pause_or_resume(wish == Wish::Pause),
            }
            self.errors.settle()?;
            self.settle_commit();
            if Instant::now() >= self.next_commit || self.context.take_commit_request() {
                self.commit_in_background().await;
            }
            for (partition, offset) in self.context.take_seeks() {
                self.seek(&partition, offset);
            }
            let began = Instant::now();
            if let Some(polled) = self.poll(began).await? {
                self.handle(polled, began.elapsed()).await?;
            }
            shard::yield_now().await;
        }
    }

    fn pause_or_resume(&mut self, pause: bool) {
        if pause == self.paused {
            return;
        }
        self.paused = pause;
        let all: Vec<_> = self.partitions.keys().cloned().collect();
        if pause {
            self.consumer.pause(&all);
            self.context.request_commit();
            self.report.state(InstanceState::Paused);
        } else {
            if self.refused.is_none() {
                self.consumer.resume(&all);
            }
            self.report.state(InstanceState::Running);
        }
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) {
        let Some(offsets) = self.partitions.get_mut(partition) else {
            tracing::warn!(%partition, offset, "the task asked for an offset of a partition that it does not have");
            return;
        };
        self.active += offset - offsets.delivered;
        offsets.delivered = offset;
        self.consumer.seek(partition, offset);
    }

    /// Polls until the next commit, until the refused batch is due, or for as long as the task asked
    /// for; `None` when the wish changed.
    async fn poll(&mut self, now: Instant) -> Result<Option<Polled>, ConnectError> {
        let mut until = self.next_commit;
        if let Some(Refused {
            until: Some(due), ..
        }) = &self.refused
        {
            until = until.min(*due);
        }
        if let Some(wait) = self.context.take_timeout() {
            until = until.min(now + wait);
        }
        let wish = self.control.wish();
        let mut polled = pin!(self.consumer.poll(until.saturating_duration_since(now)));
        let mut changed = pin!(self.control.changed_from(wish));
        let polled = std::future::poll_fn(|cx| {
            if changed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            polled.as_mut().poll(cx).map(Some)
        })
        .await;
        polled.transpose().map_err(consume_failed)
    }

    /// Goes on with what a poll of so long brought.
    async fn handle(&mut self, polled: Polled, took: Duration) -> Result<(), ConnectError> {
        match polled {
            Polled::Records(fetched) => self.deliver(fetched, took).await,
            Polled::Idle if self.paused => Ok(()),
            Polled::Idle => self.offer(Vec::new()).await,
            Polled::Assigned(partitions) => self.open(partitions).await,
            Polled::Revoked(partitions) => {
                self.close(&partitions, true).await;
                Ok(())
            }
            Polled::Lost(partitions) => {
                self.close(&partitions, false).await;
                Ok(())
            }
        }
    }

    async fn deliver(
        &mut self,
        fetched: Vec<FetchedRecords>,
        took: Duration,
    ) -> Result<(), ConnectError> {
        let mut batches = Vec::with_capacity(fetched.len());
        let count: usize = fetched.iter().map(|records| records.records.len()).sum();
        let (count, began) = (count as u64, Instant::now());
        let active = self.under_way().saturating_add(count);
        self.metrics.fetched(count, took, active, began);
        self.metrics.enter(Stage::Convert, began);
        for records in fetched {
            let originals = self.keeps_originals.then(|| originals(&records));
            let topic = Rc::clone(&records.source.topic);
            let mut batch = self
                .conversion
                .convert(records, &mut self.errors, &self.metrics)
                .await?;
            if self.errors.is_interrupted() {
                // The records come again with the next start.
                return Ok(());
            }
            if count > 0 {
                self.active_topics.used(&topic);
            }
            batch.originals = originals;
            batches.push(batch);
        }
        let now = Instant::now();
        self.count_conversion(now.saturating_duration_since(began), now);
        self.metrics.set_lag(self.consumer.lag());
        self.offer(batches).await
    }

    /// Puts `batches`, or first those that were refused before.
    async fn offer(&mut self, batches: Vec<SinkBatch>) -> Result<(), ConnectError> {
        let refused = self.refused.take();
        let held = refused.is_some();
        let mut batches = batches;
        if let Some(mut refused) = refused {
            refused.batches.append(&mut batches);
            batches = refused.batches;
        }
        let all = || self.partitions.keys().cloned().collect::<Vec<_>>();
        self.lease.held().await;
        let began = Instant::now();
        self.metrics.enter(Stage::Put, began);
        let put = self.errors.attend(self.task.put(&batches)).await;
        self.metrics.leave();
        self.metrics
            .set_refused(put.as_ref().is_err_and(ConnectError::is_retriable));
        if let Some(error) = self.errors.take_report_failure() {
            return Err(ConnectError::connect(PUT_FAILED).with_source(error));
        }
        match put {
            Ok(()) => {
                if held && !self.paused {
                    self.consumer.resume(&all());
                }
                self.delivered(&batches, began);
                Ok(())
            }
            Err(error) if error.is_retriable() => {
                tracing::warn!(%error, "the sink refused a batch; it will be offered again");
                self.consumer.pause(&all());
                let wait = self.context.take_timeout().unwrap_or(self.retry_wait());
                self.refused = Some(Refused {
                    batches,
                    until: Some(Instant::now() + wait),
                });
                Ok(())
            }
            Err(error) => Err(ConnectError::connect(PUT_FAILED).with_source(error)),
        }
    }

    /// Wait before a refused batch comes again when the task names none: Kafka waits up to the next
    /// commit; a second is kinder to a disk that has room again.
    fn retry_wait(&self) -> Duration {
        self.flush_interval.min(Duration::from_secs(1))
    }

    /// The task took `batches` by a `put` that began then.
    fn delivered(&mut self, batches: &[SinkBatch], began: Instant) {
        let mut records = 0;
        for batch in batches {
            if let Some(offsets) = self.partitions.get_mut(&batch.source) {
                self.active += batch.next_offset - offsets.delivered;
                offsets.delivered = batch.next_offset;
            }
            records += batch.len() as u64;
        }
        let now = Instant::now();
        let took = now.saturating_duration_since(began);
        self.metrics.put_batch(records, took, now);
        self.metrics.set_active(self.under_way());
    }

    /// Records that were delivered and are not committed, offsets without a record among them.
    fn under_way(&self) -> u64 {
        u64::try_from(self.active).unwrap_or(0)
    }

    fn count_conversion(&mut self, took: Duration, now: Instant) {
        let transforms = self.conversion.take_transform_time().min(took);
        if !transforms.is_zero() {
            self.metrics.stage_took(Stage::Transform, transforms, now);
        }
        self.metrics
            .stage_took(self.conversion_stage(), took - transforms, now);
    }

    /// Transforms on a tape are not told apart from the converters.
    fn conversion_stage(&self) -> Stage {
        match self.conversion.plan().transforms {
            Transforms::Beside | Transforms::Tape => Stage::Transform,
            Transforms::None | Transforms::Struct => Stage::Convert,
        }
    }

    async fn open(&mut self, partitions: Vec<TopicPartition>) -> Result<(), ConnectError> {
        for partition in &partitions {
            let delivered = self
                .consumer
                .position(partition)
                .await
                .map_err(consume_failed)?;
            self.partitions.insert(
                partition.clone(),
                Offsets {
                    delivered,
                    // Where reading starts need not be committed (Kafka: `lastCommittedOffsets`).
                    committed: delivered,
                },
            );
        }
        if self.paused || self.refused.is_some() {
            self.consumer.pause(&partitions);
        }
        self.metrics.set_partitions(self.partitions.len());
        tracing::info!(?partitions, "partitions assigned");
        self.metrics.enter(Stage::Start, Instant::now());
        let opened = self.errors.attend(self.task.open(&partitions)).await;
        self.metrics.leave();
        opened
    }

    /// Gives partitions up: `pre_commit`, `close`, then the commit (when the group still knows us).
    async fn close(&mut self, partitions: &[TopicPartition], commit: bool) {
        let held: Vec<_> = partitions
            .iter()
            .filter(|p| self.partitions.contains_key(*p))
            .cloned()
            .collect();
        if held.is_empty() {
            return;
        }
        self.wait_for_commit().await;
        let began = Instant::now();
        let vouched = if commit {
            self.metrics.commit_began();
            self.errors.flush(self.flush_timeout).await;
            self.pre_commit(&held, true).await
        } else {
            None
        };
        self.metrics.enter(Stage::Stop, Instant::now());
        let closed = self.errors.attend(self.task.close(&held)).await;
        self.metrics.leave();
        if let Err(error) = closed {
            tracing::error!(%error, "the task failed to close partitions");
        }
        if vouched.as_ref().is_some_and(Vec::is_empty) {
            self.count_commit(true, began);
        }
        if let Some(offsets) = vouched.filter(|offsets| !offsets.is_empty()) {
            let committed =
                shard::timeout(self.flush_timeout, self.consumer.commit(&offsets)).await;
            let committed = match committed {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(elapsed) => Err(elapsed.to_string()),
            };
            self.committed(&offsets, committed, began);
        }
        for partition in &held {
            if let Some(offsets) = self.partitions.remove(partition) {
                self.active -= offsets.delivered - offsets.committed;
            }
        }
        self.metrics.set_partitions(self.partitions.len());
        self.metrics.set_active(self.under_way());
        self.metrics.set_lag(self.consumer.lag());
        if let Some(refused) = &mut self.refused {
            refused
                .batches
                .retain(|batch| self.partitions.contains_key(&batch.source));
        }
        tracing::info!(partitions = ?held, "partitions given up");
    }

    /// The offsets that the task vouches for, of those in `partitions` that moved since the last commit;
    /// `None` when it failed.
    async fn pre_commit(
        &mut self,
        partitions: &[TopicPartition],
        closing: bool,
    ) -> Option<Vec<(TopicPartition, i64)>> {
        let delivered = |p: &TopicPartition| Some((p.clone(), self.partitions.get(p)?.delivered));
        let offsets: Vec<_> = partitions.iter().filter_map(delivered).collect();
        self.metrics.enter(Stage::Commit, Instant::now());
        let vouched = self.errors.attend(self.task.pre_commit(offsets)).await;
        self.metrics.leave();
        match vouched {
            Ok(vouched) => Some(self.checked(vouched)),
            Err(error) => {
                tracing::error!(%error, closing, "the task's pre_commit failed; offsets are not committed");
                self.metrics.commit_failed(Instant::now());
                if !closing {
                    self.rewind().await;
                }
                None
            }
        }
    }

    /// Leaves out what is not assigned, beyond what was delivered, or committed already; and stays below
    /// records whose dead letters are not acknowledged.
    fn checked(&self, vouched: Vec<(TopicPartition, i64)>) -> Vec<(TopicPartition, i64)> {
        let checked = |(partition, offset): (TopicPartition, i64)| {
            let Some(offsets) = self.partitions.get(&partition) else {
                tracing::warn!(%partition, offset, "the task vouched for a partition that it does not have");
                return None;
            };
            if offset > offsets.delivered {
                tracing::warn!(%partition, offset, delivered = offsets.delivered, "the task vouched for records that it was not given");
                return None;
            }
            let unwritten = self.errors.first_unwritten(&partition);
            if let Some(unwritten) = unwritten.filter(|unwritten| *unwritten < offset) {
                return (unwritten > offsets.committed).then_some((partition, unwritten));
            }
            (offset != offsets.committed).then_some((partition, offset))
        };
        vouched.into_iter().filter_map(checked).collect()
    }

    /// Goes back to the last committed offsets after a failed `pre_commit`.
    async fn rewind(&mut self) {
        let all: Vec<_> = self.partitions.keys().cloned().collect();
        let committed = match self.consumer.committed(&all).await {
            Ok(committed) => committed,
            Err(error) => {
                tracing::error!(%error, "committed offsets can't be read for the rewind");
                return;
            }
        };
        self.refused = None;
        for (partition, offset) in committed {
            if let Some(offset) = offset {
                self.seek(&partition, offset);
            }
        }
    }

    async fn commit_in_background(&mut self) {
        let started = Instant::now();
        self.next_commit = started + self.flush_interval;
        if self.commit.as_ref().is_some_and(|commit| !commit.overdue) {
            return;
        }
        let all: Vec<_> = self.partitions.keys().cloned().collect();
        if !all.is_empty() {
            self.metrics.commit_began();
        }
        let Some(offsets) = self.pre_commit(&all, false).await else {
            return;
        };
        if offsets.is_empty() {
            // Kafka begins no commit without partitions.
            if !all.is_empty() {
                self.count_commit(true, started);
            }
            return;
        }
        let result = Rc::new(RefCell::new(None));
        let (consumer, slot, sent) = (
            Rc::clone(&self.consumer),
            Rc::clone(&result),
            offsets.clone(),
        );
        drop(shard::spawn(async move {
            let outcome = consumer.commit(&sent).await;
            *slot.borrow_mut() = Some(outcome);
        }));
        let commit = Commit {
            offsets,
            started,
            result,
            overdue: false,
        };
        if self.commit.replace(commit).is_some() {
            self.metrics.commit_skipped(Instant::now());
        }
    }

    /// Looks after a commit in the background.
    fn settle_commit(&mut self) {
        let Some(commit) = &mut self.commit else {
            return;
        };
        let result = commit.result.borrow_mut().take();
        match result {
            Some(outcome) => {
                let (offsets, started) = (std::mem::take(&mut commit.offsets), commit.started);
                self.commit = None;
                self.committed(
                    &offsets,
                    outcome.map_err(|error| error.to_string()),
                    started,
                );
            }
            None if !commit.overdue && commit.started.elapsed() > self.flush_timeout => {
                commit.overdue = true;
                self.metrics.commit_failed(Instant::now());
                tracing::warn!("a commit of offsets takes longer than offset.flush.timeout.ms");
            }
            None => {}
        }
    }

    async fn wait_for_commit(&mut self) {
        let deadline = Instant::now() + self.flush_timeout;
        self.settle_commit();
        while self.commit.is_some() && Instant::now() < deadline {
            shard::sleep(Duration::from_millis(2)).await;
            self.settle_commit();
        }
    }

    /// A commit that began then has ended.
    fn committed(
        &mut self,
        offsets: &[(TopicPartition, i64)],
        outcome: Result<(), String>,
        began: Instant,
    ) {
        self.count_commit(outcome.is_ok(), began);
        match outcome {
            Ok(()) => {
                for (partition, offset) in offsets {
                    if let Some(offsets) = self.partitions.get_mut(partition) {
                        self.active -= offset - offsets.committed;
                        offsets.committed = *offset;
                    }
                }
                self.metrics.set_active(self.under_way());
            }
            Err(error) => {
                tracing::error!(%error, "offsets were not committed; the next commit will cover them")
            }
        }
    }

    fn count_commit(&self, succeeded: bool, began: Instant) {
        let now = Instant::now();
        match succeeded {
            true => {
                let took = now.saturating_duration_since(began);
                self.metrics.commit_succeeded(took, now);
            }
            false => self.metrics.commit_failed(now),
        }
    }

    async fn finish(&mut self) {
        let all: Vec<_> = self.partitions.keys().cloned().collect();
        self.close(&all, true).await;
        self.metrics.enter(Stage::Stop, Instant::now());
        self.errors.attend(self.task.stop()).await;
        self.metrics.leave();
        self.consumer.close(self.flush_timeout).await;
        self.errors.close(DEAD_LETTERS_CLOSE).await;
    }
}

/// What a task's reports are looked up in; shares the bytes with the batch.
fn originals(fetched: &FetchedRecords) -> Originals {
    Originals::new(FetchedRecords {
        source: fetched.source.clone(),
        buffer: fetched.buffer.clone(),
        records: fetched.records.clone(),
        next_offset: fetched.next_offset,
        log_append_time: fetched.log_append_time,
    })
}

fn consume_failed(error: ClientError) -> ConnectError {
    ConnectError::connect(PUT_FAILED).with_source(error)
}
