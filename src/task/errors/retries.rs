//! When a failed operation is tried again (Kafka: `RetryWithToleranceOperator.execAndRetry`).

use std::time::{Duration, Instant};

use super::{ErrorPolicy, Stage};

/// First wait before a retry (Kafka: `RetryWithToleranceOperator.RETRIES_DELAY_MIN_MS`).
const DELAY_FIRST: Duration = Duration::from_millis(300);

/// What to do after an operation has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The wait is over: try it again.
    Again,
    /// It has failed for good.
    GiveUp,
    /// A stop came during the wait. The record is left alone: it is neither reported nor counted as
    /// consumed, and comes again with the next start.
    Stopped,
}

/// The retries of one operation on one record. Each stage has a clock of its own.
#[derive(Debug)]
pub struct Retries {
    pub(super) stage: Stage,
    deadline: Option<Instant>,
    next: Duration,
}

impl Retries {
    /// Starts the clock.
    pub(super) fn new(stage: Stage, policy: &ErrorPolicy, now: Instant) -> Self {
        Self {
            stage,
            // A deadline beyond what a clock can say is never.
            deadline: policy
                .retry_timeout
                .and_then(|limit| now.checked_add(limit)),
            next: DELAY_FIRST,
        }
    }

    /// How long to wait before the next try; `None` when the deadline is over.
    pub(super) fn next_delay(&mut self, longest: Duration, now: Instant) -> Option<Duration> {
        let left = self.deadline.map(|end| end.saturating_duration_since(now));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        let mut delay = self.next;
        self.next = self.next.saturating_mul(2);
        if delay > longest {
            delay = longest.mul_f64(fastrand::f64());
        }
        Some(left.map_or(delay, |left| delay.min(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(timeout_ms: Option<u64>) -> ErrorPolicy {
        ErrorPolicy {
            retry_timeout: timeout_ms.map(Duration::from_millis),
            ..ErrorPolicy::default()
        }
    }

    #[test]
    fn waits_double_from_300_ms_and_end_at_the_deadline() {
        let start = Instant::now();
        let mut retries = Retries::new(Stage::ValueConverter, &policy(Some(2000)), start);
        let mut delay = |after_ms: u64| {
            let delay = retries.next_delay(
                Duration::from_secs(60),
                start + Duration::from_millis(after_ms),
            );
            delay.map(|delay| delay.as_millis())
        };
        assert_eq!(delay(0), Some(300));
        assert_eq!(delay(300), Some(600));
        assert_eq!(delay(900), Some(1100));
        assert_eq!(delay(2000), None);
    }

    #[test]
    fn beyond_the_longest_delay_the_wait_is_random_below_it() {
        let start = Instant::now();
        let mut retries = Retries::new(Stage::Transformation, &policy(None), start);
        let longest = Duration::from_millis(400);
        assert_eq!(
            retries.next_delay(longest, start),
            Some(Duration::from_millis(300))
        );
        let delays: Vec<Duration> = (0..50)
            .map(|_| retries.next_delay(longest, start).unwrap())
            .collect();
        assert!(delays.iter().all(|delay| *delay < longest));
        assert!(delays.iter().any(|delay| *delay != delays[0]));
    }

    #[test]
    fn no_timeout_at_all_means_no_retry() {
        let now = Instant::now();
        let mut retries = Retries::new(Stage::KeyConverter, &policy(Some(0)), now);
        assert_eq!(retries.next_delay(Duration::from_secs(60), now), None);
    }
}
