//! Error handling of records (contract 8): retries, tolerance, and who hears of a failure: the log and
//! the dead letter queue.
//!
//! An operation that fails goes to [`ErrorHandler::retry`] first and, when it has failed for good, to
//! [`ErrorHandler::failed`] (Kafka: `RetryWithToleranceOperator.execute`). Good records never come here.

mod dead_letters;
mod log_limit;
mod log_reporter;
mod origin;
mod reported;
mod retries;
mod stage;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::select;

pub use dead_letters::DeadLetters;
use dead_letters::Failed;
pub use log_limit::LogLimit;
use log_reporter::LogReporter;
#[cfg(test)]
pub(in crate::task) use origin::tests as origin_tests;
pub use origin::{Origin, SourceOrigin};
pub use retries::{Retries, Retry};
pub use stage::Stage;

use super::control::{Control, Wish};
use crate::api::{ConnectError, ErrantRecordReporter, TopicPartition};
use crate::clients::RecordToken;
use crate::metrics::TaskMetrics;
use crate::shard;

/// `errors.tolerance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The first failing record fails the task.
    None,
    /// Failing records are reported and skipped.
    All,
}

/// The `errors.*` keys of a connector.
#[derive(Debug, Clone)]
pub struct ErrorPolicy {
    /// `errors.tolerance`.
    pub tolerance: Tolerance,
    /// `errors.retry.timeout`; `None` retries for ever, zero not at all.
    pub retry_timeout: Option<Duration>,
    /// `errors.retry.delay.max.ms`.
    pub retry_delay_max: Duration,
    /// `errors.log.enable`.
    pub log: bool,
    /// `errors.log.include.messages`.
    pub log_messages: bool,
}

impl Default for ErrorPolicy {
    fn default() -> Self {
        Self {
            tolerance: Tolerance::None,
            retry_timeout: Some(Duration::ZERO),
            retry_delay_max: Duration::from_secs(60),
            log: false,
            log_messages: false,
        }
    }
}

/// A failure of one record: stage, failing class, error.
pub type Failure = (Stage, &'static str, ConnectError);

/// What Kafka says when a failure is not tolerated.
const EXCEEDED: &str = "Tolerance exceeded in error handler";
/// What Kafka says when a failure can't be tolerated at its stage.
const UNHANDLED: &str = "Unhandled exception in error handler";

/// Decides what a failed operation on a record means: retry, skip or fail. Belongs to one task.
#[derive(Debug)]
pub struct ErrorHandler {
    policy: ErrorPolicy,
    host: Host,
    log: LogReporter,
    dead_letters: Option<DeadLetters>,
    /// For the task, when somebody hears of what it reports.
    reporter: Option<ErrantRecordReporter>,
    /// Why the task fails after it reported a record.
    reported: Option<ConnectError>,
    interrupted: bool,
}

/// The task whose records fail.
#[derive(Debug, Default)]
struct Host {
    metrics: Arc<TaskMetrics>,
    control: Option<Control>,
}

impl Host {
    fn is_stopping(&self) -> bool {
        let control = self.control.as_ref();
        control.is_some_and(|control| control.wish() == Wish::Stop)
    }

    /// Completes when the task shall stop.
    async fn stopped(&self) {
        match &self.control {
            Some(control) => control.stopped().await,
            None => std::future::pending().await,
        }
    }

    /// Waits, or until the task shall stop.
    async fn sleep(&self, delay: Duration) {
        select(pin!(shard::sleep(delay)), pin!(self.stopped())).await;
    }
}

impl ErrorHandler {
    /// A handler for `task` (`<connector>-<n>`) without a dead letter queue.
    pub fn new(task: String, policy: ErrorPolicy) -> Self {
        Self {
            log: LogReporter::new(task, &policy),
            reporter: policy.log.then(ErrantRecordReporter::default),
            policy,
            host: Host::default(),
            dead_letters: None,
            reported: None,
            interrupted: false,
        }
    }

    /// The same with a dead letter queue.
    #[must_use]
    pub fn with_dead_letters(mut self, queue: DeadLetters) -> Self {
        self.dead_letters = Some(queue);
        self.reporter.get_or_insert_default();
        self
    }

    /// For the loop of a task: counts there, and stops waiting when that task shall stop.
    pub fn attach(&mut self, metrics: &Arc<TaskMetrics>, control: &Control) {
        self.host = Host {
            metrics: Arc::clone(metrics),
            control: Some(control.clone()),
        };
    }

    /// Makes the dead letter queue ready, if there is one. Ends early when the task shall stop.
    ///
    /// # Errors
    /// The queue's topic can't be used.
    pub async fn open(&mut self) -> Result<(), ConnectError> {
        let Some(queue) = &mut self.dead_letters else {
            return Ok(());
        };
        let (opened, stopped) = (pin!(queue.open()), pin!(self.host.stopped()));
        match select(opened, stopped).await {
            futures_util::future::Either::Left((opened, _)) => opened,
            futures_util::future::Either::Right(((), _)) => Ok(()),
        }
    }

    /// Whether failing records are skipped.
    pub fn tolerates(&self) -> bool {
        self.policy.tolerance == Tolerance::All
    }

    /// Whether there is a dead letter queue.
    pub fn has_dead_letters(&self) -> bool {
        self.dead_letters.is_some()
    }

    /// Whether somebody wants to see records that a producer refuses later, so that a source has to keep
    /// them until then.
    pub fn wants_records(&self) -> bool {
        let logged = self.policy.log && self.policy.log_messages && self.tolerates();
        self.has_dead_letters() || logged
    }

    /// Whether a stop came while a record waited for its next try: what is being converted is not
    /// complete.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// What to do about a failed operation. Waits before it says [`Retry::Again`]. `retries` is `None`
    /// at a record's first failure. Cancel-safe.
    pub async fn retry(&mut self, retries: &mut Option<Retries>, failure: &Failure) -> Retry {
        let (stage, _, error) = failure;
        if !error.is_retriable() {
            return Retry::GiveUp;
        }
        self.host.metrics.add_failure();
        if retries.as_ref().is_none_or(|known| known.stage != *stage) {
            *retries = Some(Retries::new(*stage, &self.policy, Instant::now()));
        }
        let longest = self.policy.retry_delay_max;
        let delay = retries
            .as_mut()
            .and_then(|retries| retries.next_delay(longest, Instant::now()));
        let Some(delay) = delay else {
            return Retry::GiveUp;
        };
        self.host.sleep(delay).await;
        if self.host.is_stopping() {
            self.interrupted = true;
            return Retry::Stopped;
        }
        self.host.metrics.add_retry();
        Retry::Again
    }

    /// Reports a record whose operation failed for good and says whether to skip it (`Ok`) or to fail
    /// the task.
    ///
    /// # Errors
    /// The error that the task fails with.
    pub async fn failed(
        &mut self,
        failure: Failure,
        origin: Origin<'_>,
    ) -> Result<(), ConnectError> {
        let (stage, class, error) = failure;
        let metrics = &self.host.metrics;
        metrics.add_failure();
        metrics.set_last_error(now_ms());
        let end = match (stage.is_tolerable(), self.policy.tolerance) {
            (true, Tolerance::All) => None,
            (true, Tolerance::None) => Some(EXCEEDED),
            (false, _) => Some(UNHANDLED),
        };
        if end.is_none() {
            metrics.add_skipped(1);
        }
        metrics.add_error();
        self.settle_failure(end, (stage, class, error), origin, false)
            .await
    }

    /// Reports a record that failed outside of an operation: in a sink's `put`, or on its way to Kafka
    /// (Kafka: `RetryWithToleranceOperator.executeFailed`). `reported`: by the task itself, so that the
    /// dead letter must not get lost.
    ///
    /// # Errors
    /// As [`Self::failed`].
    pub async fn execute_failed(
        &mut self,
        failure: Failure,
        origin: Origin<'_>,
        reported: bool,
    ) -> Result<(), ConnectError> {
        let metrics = &self.host.metrics;
        metrics.set_last_error(now_ms());
        metrics.add_failure();
        let end = (!self.tolerates()).then_some(EXCEEDED);
        if end.is_some() {
            self.host.metrics.add_error();
        }
        self.settle_failure(end, failure, origin, reported).await
    }

    /// Reports a failure; the error that the task fails with when it says `end`.
    async fn settle_failure(
        &mut self,
        end: Option<&str>,
        (stage, class, error): Failure,
        origin: Origin<'_>,
        reported: bool,
    ) -> Result<(), ConnectError> {
        let place = end.map(|_| origin.place());
        if self.log.report(stage, class, &origin, &error) {
            self.host.metrics.add_error_logged();
        }
        if let Some(queue) = &mut self.dead_letters {
            let failed = Failed {
                stage,
                class,
                error: &error,
            };
            queue.write(&failed, origin, reported, &self.host).await;
        }
        let (Some(end), Some(place)) = (end, place) else {
            return Ok(());
        };
        let text = format!("{error} (stage {}, class {class}, {place})", stage.name());
        let cause = ConnectError::new(error.kind(), text)
            .with_class(error.java_class())
            .with_source(error);
        Err(ConnectError::connect(end).with_source(cause))
    }

    /// Takes acknowledgements of dead letters.
    ///
    /// # Errors
    /// A record that the task itself reported could not be written.
    pub fn settle(&mut self) -> Result<(), ConnectError> {
        let Some(queue) = &mut self.dead_letters else {
            return Ok(());
        };
        queue.settle(&self.host);
        queue.take_lost().map_or(Ok(()), Err)
    }

    /// Takes the submitted records whose dead letters are settled.
    pub fn take_settled(&mut self) -> Vec<RecordToken> {
        let queue = self.dead_letters.as_mut();
        queue.map_or_else(Vec::new, DeadLetters::take_settled)
    }

    /// The offset beyond which nothing of a partition may be committed, since a dead letter is not
    /// acknowledged.
    pub fn first_unwritten(&self, partition: &TopicPartition) -> Option<i64> {
        self.dead_letters.as_ref()?.first_unwritten(partition)
    }

    /// Waits until dead letters are settled, up to `limit`.
    pub async fn flush(&mut self, limit: Duration) {
        if let Some(queue) = &mut self.dead_letters {
            queue.flush(limit, &self.host).await;
        }
    }

    /// Closes the clients of the dead letter queue.
    pub async fn close(&mut self, limit: Duration) {
        if let Some(queue) = &mut self.dead_letters {
            queue.close(limit).await;
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
