//! Holding a source to a number of records per second.

use std::time::{Duration, Instant};

use crate::shard::sleep;

/// An average rate since a start (Kafka: `ThroughputThrottler`).
#[derive(Debug)]
pub(super) struct Throttle {
    per_second: f64,
    started: Instant,
}

impl Throttle {
    /// `per_second` below 0 is without limit; at 0 only the first record passes, as Kafka's does.
    pub(super) fn new(per_second: f64) -> Self {
        Self {
            per_second,
            started: Instant::now(),
        }
    }

    /// Waits until a record is due after `sent` of them; says how many are, at most `most`. Cancel-safe.
    pub(super) async fn due(&self, sent: u64, most: usize) -> usize {
        loop {
            if self.per_second < 0.0 {
                return most;
            }
            if self.per_second == 0.0 && sent > 0 {
                return std::future::pending().await;
            }
            let due = self.allowed().saturating_sub(sent);
            if due > 0 {
                return usize::try_from(due).map_or(most, |due| due.min(most));
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "2^53 records are beyond any run"
            )]
            let next = sent as f64 / self.per_second - self.started.elapsed().as_secs_f64();
            let wait = Duration::try_from_secs_f64(next).unwrap_or(Duration::ZERO);
            sleep(wait.max(Duration::from_millis(2))).await;
        }
    }

    /// How many records may have been sent by now: the first one is due at once.
    fn allowed(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a saturating cast of a count that is not negative"
        )]
        let since = (self.started.elapsed().as_secs_f64() * self.per_second) as u64;
        since.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::on_each_runtime;
    use crate::shard::timeout;

    #[test]
    fn no_more_records_are_due_than_the_rate_allows() {
        on_each_runtime(|| async {
            let throttle = Throttle::new(1000.0);
            let mut sent = 0;
            while sent < 50 {
                sent += throttle.due(sent, 10).await as u64;
                assert!(sent <= throttle.allowed());
            }
            assert!(throttle.started.elapsed() >= Duration::from_millis(40));
        });
    }

    #[test]
    fn a_negative_rate_is_no_limit_and_zero_lets_one_record_pass() {
        on_each_runtime(|| async {
            assert_eq!(Throttle::new(-1.0).due(1 << 40, 7).await, 7);
            let stopped = Throttle::new(0.0);
            assert_eq!(stopped.due(0, 7).await, 1);
            let waited = timeout(Duration::from_millis(10), stopped.due(1, 7)).await;
            assert!(waited.is_err());
        });
    }
}
