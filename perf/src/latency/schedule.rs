//! When records are due, and what became of them.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::error::{Error, Result};
use crate::verify::Seen;

/// Between the making of a schedule and its first record: all parts run by then.
const HEAD_START: Duration = Duration::from_millis(200);
/// Records that go ahead of the schedule, alone: when they arrive, the system works.
pub(super) const FIRST: u64 = 1;
/// Longer latencies count as ten minutes.
const LONGEST_MICROS: u64 = 600_000_000;

/// Times that all parts of a run share.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) start: Instant,
    pub(super) rate: u64,
    pub(super) records: u64,
    /// The first that counts.
    pub(super) counted_from: u64,
}

impl Schedule {
    /// From now on: records at `rate` for so many seconds that do not count and so many that do. The first
    /// one never counts, see [`FIRST`].
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few million records"
    )]
    pub(super) fn new(rate: u64, warm_up_seconds: f64, counted_seconds: f64) -> Self {
        let per_second = rate as f64;
        let warm_up = (per_second * warm_up_seconds).max(FIRST as f64) as u64;
        Self {
            start: Instant::now() + HEAD_START,
            rate,
            records: warm_up + (per_second * counted_seconds) as u64,
            counted_from: warm_up,
        }
    }

    /// When a record is due.
    pub(super) fn due(&self, record: u64) -> Instant {
        self.start + Duration::from_nanos(record * 1_000_000_000 / self.rate)
    }

    /// How many records are due at `now`.
    pub(super) fn due_at(&self, now: Instant) -> u64 {
        let Some(since) = now.checked_duration_since(self.start) else {
            return 0;
        };
        let passed = since.as_nanos() * u128::from(self.rate) / 1_000_000_000;
        let due = u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1);
        due.min(self.records)
    }
}

/// What the reader found.
#[derive(Debug)]
pub(super) struct Found {
    /// Microseconds.
    pub(super) histogram: Histogram<u64>,
    pub(super) numbers: Seen,
    pub(super) schedule: Schedule,
}

impl Found {
    pub(super) fn new(schedule: Schedule) -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MICROS, 3)
            .map_err(|e| Error::Usage(format!("no histogram: {e}")))?;
        Ok(Self {
            histogram,
            numbers: Seen::new(schedule.records),
            schedule,
        })
    }

    /// A record that was read at `now`.
    pub(super) fn add(&mut self, value: &[u8], now: Instant) {
        let Some(record) = crate::input::index_of(value) else {
            self.numbers.add(None);
            return;
        };
        self.numbers.add(Some(record));
        if (self.schedule.counted_from..self.schedule.records).contains(&record) {
            let latency = now.saturating_duration_since(self.schedule.due(record));
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.histogram.saturating_record(micros.max(1));
        }
    }

    pub(super) fn whole(&self) -> bool {
        self.numbers.distinct() >= self.schedule.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Data, Form, Generator};

    fn schedule() -> Schedule {
        Schedule {
            start: Instant::now(),
            rate: 1000,
            records: 20,
            counted_from: 10,
        }
    }

    #[test]
    fn latency_counts_from_the_time_a_record_was_due() {
        let schedule = schedule();
        let mut found = Found::new(schedule.clone()).unwrap();
        let generator = Generator::new(Data::Text, 50);
        // A stall: everything arrives 100 ms after the start, whenever it was due.
        let now = schedule.start + Duration::from_millis(100);
        for record in 0..20 {
            let mut value = Vec::new();
            generator.append(record, Form::Plain, &mut value);
            found.add(&value, now);
        }
        assert!(found.whole());
        assert_eq!(found.histogram.len(), 10);
        let ms = |micros: u64| micros.div_ceil(1000);
        assert_eq!(ms(found.histogram.min()), 81);
        assert_eq!(ms(found.histogram.max()), 91);
    }

    #[test]
    fn a_record_is_sent_from_its_due_time_on_and_not_before() {
        let schedule = schedule();
        let before = schedule.start - Duration::from_millis(1);
        assert_eq!(schedule.due_at(before), 0);
        for record in 0..20 {
            let due = schedule.due(record);
            assert_eq!(schedule.due_at(due), record + 1);
            assert_eq!(schedule.due_at(due - Duration::from_nanos(1)), record);
        }
        let late = schedule.start + Duration::from_secs(60);
        assert_eq!(schedule.due_at(late), 20);
    }
}
