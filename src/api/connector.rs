//! Connectors and tasks (Kafka: `Connector`, `SourceTask`, `SinkTask`).
//!
//! A connector validates its configuration and splits the work into task configurations; tasks move
//! batches. All of it runs on a shard: `async`, `!Send`, never blocking. A panic in any of these
//! calls fails that connector or task and nothing else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::errant_records::ErrantRecordReporter;
use super::error::ConnectError;
use super::record::{SinkBatch, SourceBatch, SourceMap, SourceRecord, TopicPartition};
use super::{ConfigMap, LocalFuture};

/// Source or sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectorKind {
    /// Produces records into Kafka.
    Source,
    /// Consumes records from Kafka.
    Sink,
}

impl ConnectorKind {
    /// `source` or `sink`, as the REST API shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }
}

/// What a connector may ask of the worker.
#[derive(Debug, Clone, Default)]
pub struct ConnectorContext {
    /// The connector's name.
    pub name: String,
    /// Somebody only looks at what the connector would do: read what is needed, and write nothing
    /// anywhere.
    pub preview: bool,
    requested: Rc<Cell<bool>>,
    failure: Rc<RefCell<Option<ConnectError>>>,
    waker: Rc<RefCell<Option<Waker>>>,
}

/// What a connector asked of the worker.
#[derive(Debug)]
pub enum ConnectorRequest {
    /// Call [`Connector::task_configs`] again.
    Reconfigure,
    /// Fail the connector.
    Fail(ConnectError),
}

impl ConnectorContext {
    /// A context for the connector `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A context for a look at what the connector `name` would do.
    pub fn of_preview(name: impl Into<String>) -> Self {
        Self {
            preview: true,
            ..Self::new(name)
        }
    }

    /// Asks the worker to call [`Connector::task_configs`] again (Kafka:
    /// `ConnectorContext.requestTaskReconfiguration`).
    pub fn request_task_reconfiguration(&self) {
        self.requested.set(true);
        self.wake();
    }

    /// Fails the connector from outside of its calls (Kafka: `ConnectorContext.raiseError`).
    pub fn raise_error(&self, error: ConnectError) {
        *self.failure.borrow_mut() = Some(error);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// For the worker: the next request of the connector. Cancel-safe.
    pub async fn request(&self) -> ConnectorRequest {
        std::future::poll_fn(|cx| {
            if let Some(error) = self.failure.take() {
                return Poll::Ready(ConnectorRequest::Fail(error));
            }
            if self.requested.replace(false) {
                return Poll::Ready(ConnectorRequest::Reconfigure);
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// A connector instance: one per running connector, on one shard.
#[async_trait(?Send)]
pub trait Connector {
    /// Starts with a configuration that passed its `ConfigDef`.
    ///
    /// # Errors
    /// The connector is shown FAILED with the error.
    async fn start(
        &mut self,
        context: ConnectorContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError>;

    /// Configurations of 1 to `max_tasks` tasks.
    ///
    /// # Errors
    /// The connector is shown FAILED with the error.
    async fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError>;

    /// While the connector runs, completes never or with an error that fails it; MockSink's
    /// `connector-failure` and connectors that watch their source use it. Cancel-safe.
    async fn run(&mut self) -> Result<(), ConnectError> {
        std::future::pending().await
    }

    /// Stops; called once, also after a failed start.
    async fn stop(&mut self) {}
}

/// Reads stored source offsets (Kafka: `OffsetStorageReader`), bound to one connector.
pub trait OffsetReader {
    /// The stored offset of `partition`, `None` when there is none.
    fn offset<'a>(
        &'a self,
        partition: &'a SourceMap,
    ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>>;
}

/// What a source task may ask of the worker.
#[derive(Clone)]
pub struct SourceTaskContext {
    /// Connector name.
    pub connector: Rc<str>,
    /// Task number, from 0.
    pub task: u32,
    /// Stored offsets of this connector.
    pub offsets: Rc<dyn OffsetReader>,
    /// Somebody only looks at what the task would do: its records go nowhere and nothing is committed.
    /// Read what is needed, and write nothing anywhere.
    pub preview: bool,
}

impl std::fmt::Debug for SourceTaskContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceTaskContext")
            .field("connector", &self.connector)
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

/// Records that are in Kafka, consecutive there and in the batch that the task yielded.
#[derive(Debug, Clone, Copy)]
pub struct CommittedRun<'a> {
    /// Source partition of all.
    pub source_partition: &'a SourceMap,
    /// Source position of the first record, as its batch had it.
    pub first: i64,
    /// Source position of the last one; there may be gaps between the two.
    pub last: i64,
    /// Where they are.
    pub written: &'a TopicPartition,
    /// Offset of the first; −1 when the broker did not tell it.
    pub base_offset: i64,
    /// How many.
    pub count: u32,
}

/// A source task.
#[async_trait(?Send)]
pub trait SourceTask {
    /// Called once before the first poll.
    ///
    /// # Errors
    /// The task is shown FAILED with the error.
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError>;

    /// The next records; waits while there are none. May return an empty batch so that the worker can
    /// look around. **Cancel-safe**: the worker drops the future on pause and stop, and no record may
    /// be lost by that.
    ///
    /// # Errors
    /// Retriable errors count as an empty batch and are followed by another poll; others fail the task.
    async fn poll(&mut self) -> Result<SourceBatch, ConnectError>;

    /// Whether the worker shall call [`SourceTask::commit_record`] for each full record: of
    /// [`SourceBatch::Records`], or of batches that had to be taken apart. Costs keeping every record until it is acknowledged.
    fn wants_commit_record(&self) -> bool {
        false
    }

    /// A record was written to Kafka (`written` is its topic, partition and offset), or filtered or
    /// skipped (`None`).
    ///
    /// # Errors
    /// Logged; the task goes on.
    fn commit_record(
        &mut self,
        record: &SourceRecord,
        written: Option<(&TopicPartition, i64)>,
    ) -> Result<(), ConnectError> {
        let _ = (record, written);
        Ok(())
    }

    /// Records of [`SourceBatch::Slices`] or [`SourceBatch::Batches`] with a source partition were written
    /// to Kafka; one call per acknowledged run. Where converters or transforms need full records, those
    /// are told to [`SourceTask::commit_record`] instead, if it is wanted.
    ///
    /// # Errors
    /// Logged; the task goes on.
    fn commit_run(&mut self, run: &CommittedRun<'_>) -> Result<(), ConnectError> {
        let _ = run;
        Ok(())
    }

    /// Offsets were stored.
    ///
    /// # Errors
    /// Logged; the task goes on.
    async fn commit(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Stops; called once, after in-flight records were settled.
    async fn stop(&mut self) {}
}

/// The cheapest form of records that a sink task can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkForm {
    /// Only `String.valueOf(value)` as text: keys and headers are not looked at, values come as
    /// [`super::SliceColumn::Slices`] of text (bytes of a byte array come as they are).
    Text,
    /// Nothing but counts and offsets: values are still converted (and so checked), then left out.
    Nothing,
    /// The full data model.
    Values,
}

/// What a sink task may ask of the worker.
#[derive(Debug, Clone, Default)]
pub struct SinkTaskContext {
    /// Connector name.
    pub connector: String,
    /// Task number, from 0.
    pub task: u32,
    /// Raised by [`SinkTaskContext::request_commit`].
    commit_requested: Rc<Cell<bool>>,
    /// Back-off asked by the task before a refused batch is offered again.
    timeout: Rc<Cell<Option<Duration>>>,
    /// Positions that the task asked for.
    seeks: Rc<RefCell<Vec<(TopicPartition, i64)>>>,
    /// See [`SinkTaskContext::errant_record_reporter`].
    reporter: Option<ErrantRecordReporter>,
}

impl SinkTaskContext {
    /// A context for task `task` of `connector`.
    pub fn new(connector: impl Into<String>, task: u32) -> Self {
        Self {
            connector: connector.into(),
            task,
            ..Self::default()
        }
    }

    /// For the worker: the same context with a reporter.
    #[must_use]
    pub fn with_reporter(mut self, reporter: Option<ErrantRecordReporter>) -> Self {
        self.reporter = reporter;
        self
    }

    /// Takes single bad records of a batch, so that the others can be written; `None` unless the
    /// connector has a dead letter queue or an error log (Kafka: `SinkTaskContext.errantRecordReporter`,
    /// KIP-610). Without one a bad record fails `put`.
    pub fn errant_record_reporter(&self) -> Option<&ErrantRecordReporter> {
        self.reporter.as_ref()
    }

    /// Asks for an offset commit as soon as possible (Kafka: `SinkTaskContext.requestCommit`).
    pub fn request_commit(&self) {
        self.commit_requested.set(true);
    }

    /// Sets how long to wait before a batch refused with a retriable error comes again. Set in a call
    /// that succeeds, it is the longest time until the next `put`, with or without records (Kafka:
    /// `SinkTaskContext.timeout`, for one poll).
    pub fn set_timeout(&self, timeout: Duration) {
        self.timeout.set(Some(timeout));
    }

    /// Moves the position of a partition before the next poll (Kafka: `SinkTaskContext.offset`).
    pub fn seek(&self, partition: TopicPartition, offset: i64) {
        self.seeks.borrow_mut().push((partition, offset));
    }

    /// For the worker: takes a pending commit request.
    pub fn take_commit_request(&self) -> bool {
        self.commit_requested.replace(false)
    }

    /// For the worker: takes the back-off.
    pub fn take_timeout(&self) -> Option<Duration> {
        self.timeout.take()
    }

    /// For the worker: takes pending seeks.
    pub fn take_seeks(&self) -> Vec<(TopicPartition, i64)> {
        std::mem::take(&mut self.seeks.borrow_mut())
    }
}

/// A sink task.
#[async_trait(?Send)]
pub trait SinkTask {
    /// Called once before anything else.
    ///
    /// # Errors
    /// The task is shown FAILED with the error.
    async fn start(
        &mut self,
        context: SinkTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError>;

    /// The form of records that the task wants. Asked once, after `start`, and of a task that never
    /// starts by a preview.
    fn form(&self) -> SinkForm {
        SinkForm::Values
    }

    /// Whether the task reports bad records with [`SinkTaskContext::errant_record_reporter`], so that its
    /// batches have to keep what was consumed. Asked once, after `start`, when there is a reporter.
    fn reports_errors(&self) -> bool {
        false
    }

    /// Partitions were assigned.
    ///
    /// # Errors
    /// Fails the task.
    async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let _ = partitions;
        Ok(())
    }

    /// Takes records; also called with an empty slice at least once per commit interval. Batches are
    /// lent, so that a batch refused with a retriable error can be offered again unchanged.
    ///
    /// # Errors
    /// Retriable: the same batches come again later. Others fail the task.
    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError>;

    /// Makes everything taken so far durable.
    ///
    /// # Errors
    /// The consumer rewinds to the last committed offsets.
    async fn flush(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), ConnectError> {
        let _ = offsets;
        Ok(())
    }

    /// The offsets that are safe to commit, at most `offsets` (last delivered + 1 per partition). The
    /// default flushes and returns them all.
    ///
    /// # Errors
    /// As [`SinkTask::flush`].
    async fn pre_commit(
        &mut self,
        offsets: Vec<(TopicPartition, i64)>,
    ) -> Result<Vec<(TopicPartition, i64)>, ConnectError> {
        self.flush(&offsets).await?;
        Ok(offsets)
    }

    /// Partitions are taken away.
    ///
    /// # Errors
    /// Logged.
    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let _ = partitions;
        Ok(())
    }

    /// Stops; called once.
    async fn stop(&mut self) {}
}
