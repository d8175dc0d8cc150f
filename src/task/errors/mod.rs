//! Error handling of records (contract 8): stages, retries, tolerance and the error log.

mod log_limit;
mod stage;

use std::time::{Duration, Instant};

pub use log_limit::LogLimit;
pub use stage::Stage;

use crate::api::ConnectError;
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

/// First wait before a retry (Kafka: `RetryWithToleranceOperator.RETRIES_DELAY_MIN_MS`).
const RETRY_DELAY_FIRST: Duration = Duration::from_millis(300);

/// Decides what a failed operation on a record means: retry, skip or fail.
#[derive(Debug)]
pub struct ErrorHandler {
    task: String,
    policy: ErrorPolicy,
    limit: LogLimit,
}

/// Waits between the tries of one operation.
#[derive(Debug)]
pub struct Retries {
    deadline: Option<Instant>,
    next: Duration,
}

impl ErrorHandler {
    /// A handler for `task` (`<connector>-<n>`).
    pub fn new(task: String, policy: ErrorPolicy) -> Self {
        Self {
            task,
            policy,
            limit: LogLimit::new(20),
        }
    }

    /// Starts the clock of an operation's retries.
    pub fn retries(&self) -> Retries {
        let deadline = self
            .policy
            .retry_timeout
            .map(|limit| Instant::now() + limit);
        Retries {
            deadline,
            next: RETRY_DELAY_FIRST,
        }
    }

    /// Waits before the next try of an operation that failed with a retriable error; `false` when the
    /// deadline is over (Kafka: `execAndRetry`). Cancel-safe.
    pub async fn wait_to_retry(&self, retries: &mut Retries) -> bool {
        let left = retries
            .deadline
            .map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        let mut delay = retries.next;
        if delay > self.policy.retry_delay_max {
            delay = self.policy.retry_delay_max.mul_f64(fastrand::f64());
        }
        retries.next = retries.next.saturating_mul(2);
        shard::sleep(left.map_or(delay, |left| delay.min(left))).await;
        true
    }

    /// Reports a record that failed for good and says whether to skip it (`Ok`) or to fail the task.
    ///
    /// `record` describes it (topic, partition, offset, or source position); it goes into the message.
    ///
    /// # Errors
    /// The error that the task fails with.
    pub fn handle(
        &mut self,
        stage: Stage,
        class: &str,
        record: &str,
        error: ConnectError,
        metrics: &TaskMetrics,
    ) -> Result<(), ConnectError> {
        metrics.add_error();
        if self.policy.log {
            self.log(stage, class, record, &error);
        }
        let tolerable = stage.is_tolerable();
        if tolerable && self.policy.tolerance == Tolerance::All {
            metrics.add_skipped(1);
            return Ok(());
        }
        let summary = if tolerable {
            "Tolerance exceeded in error handler"
        } else {
            "Unhandled exception in error handler"
        };
        let text = format!("{error} (stage {}, class {class}, {record})", stage.name());
        let class = error.java_class();
        let cause = ConnectError::new(error.kind(), text)
            .with_class(class)
            .with_source(error);
        Err(ConnectError::connect(summary).with_source(cause))
    }

    fn log(&mut self, stage: Stage, class: &str, record: &str, error: &ConnectError) {
        let Some(suppressed) = self.limit.admit() else {
            return;
        };
        let place = if self.policy.log_messages {
            format!(", where consumed record is {record}")
        } else {
            String::new()
        };
        tracing::error!(
            trace = error.trace(),
            suppressed,
            "Error encountered in task {}. Executing stage '{}' with class '{class}'{place}.",
            self.task,
            stage.name(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(tolerance: Tolerance) -> ErrorHandler {
        ErrorHandler::new(
            "c-0".to_owned(),
            ErrorPolicy {
                tolerance,
                ..ErrorPolicy::default()
            },
        )
    }

    #[test]
    fn without_tolerance_the_task_fails_and_the_trace_names_record_stage_and_class() {
        let error = handler(Tolerance::None)
            .handle(
                Stage::ValueConverter,
                "org.x.Json",
                "topic 't', partition 2, offset 7",
                ConnectError::data("bad bytes"),
                &TaskMetrics::new(),
            )
            .unwrap_err();
        assert_eq!(error.message(), "Tolerance exceeded in error handler");
        let trace = error.trace();
        for part in [
            "VALUE_CONVERTER",
            "org.x.Json",
            "partition 2, offset 7",
            "DataException",
        ] {
            assert!(trace.contains(part), "{trace}");
        }
    }

    #[test]
    fn tolerance_skips_records_but_not_failures_of_the_source_itself() {
        let metrics = TaskMetrics::new();
        let mut handler = handler(Tolerance::All);
        let error = || ConnectError::data("bad");
        assert!(
            handler
                .handle(Stage::Transformation, "c", "r", error(), &metrics)
                .is_ok()
        );
        assert!(
            handler
                .handle(Stage::TaskPoll, "c", "r", error(), &metrics)
                .is_err()
        );
        assert_eq!((metrics.read().skipped, metrics.read().errors), (1, 2));
    }
}
