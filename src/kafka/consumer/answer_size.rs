//! How many bytes a broker may answer a fetch with, for a user who leaves `fetch.max.bytes` alone.
//!
//! A large answer keeps a distant broker's line full. A near one gives the next answer sooner than a large
//! one can be worked off, and what is small is still in the CPU's caches then: 16 partitions to a file, on
//! loopback, cost 190 ns a record and 45 MB in answers of 8 MiB, and 152 ns and 21 MB in answers of 1 MiB
//! (medians of three, 2026-11-26).

use std::time::Duration;

/// The least, unless `max.partition.fetch.bytes` is larger or `fetch.max.bytes` smaller.
const LEAST: i32 = 1 << 20;
/// A full answer that comes with fewer bytes a second is followed by one of twice the size: the way there
/// and back takes much of the time. 1 MiB over 10 ms is just above.
const SLOW: f64 = 100e6;
/// A full answer that comes with more bytes a second is followed by one of half the size.
const FAST: f64 = 250e6;

/// The size for one broker.
#[derive(Debug)]
pub(super) struct AnswerSize {
    now: i32,
    least: i32,
    most: i32,
}

impl AnswerSize {
    /// Between what one partition may bring and `fetch.max.bytes`, which both are in bytes. With `fixed` it
    /// is always `fetch.max.bytes`.
    pub(super) fn new(partition: i32, most: i32, fixed: bool) -> Self {
        let least = match fixed {
            true => most,
            false => LEAST.max(partition).min(most),
        };
        Self {
            now: least,
            least,
            most,
        }
    }

    /// Bytes to ask for.
    pub(super) fn bytes(&self) -> i32 {
        self.now
    }

    /// Learns from an answer that brought so many bytes after so long. One that is not half full says
    /// nothing: the broker may have waited for records.
    #[expect(
        clippy::cast_precision_loss,
        reason = "an answer ends before 2 GiB, and a rate need not be exact"
    )]
    pub(super) fn learn(&mut self, brought: usize, took: Duration) {
        let half = usize::try_from(self.now / 2).unwrap_or(0);
        if brought < half {
            return;
        }
        let at = |bytes_per_second: f64| Duration::from_secs_f64(brought as f64 / bytes_per_second);
        if took > at(SLOW) {
            self.now = self.now.saturating_mul(2).min(self.most);
        } else if took < at(FAST) {
            self.now = (self.now / 2).max(self.least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i32 = 1 << 20;

    fn learnt(size: &mut AnswerSize, brought: i32, millis: u64) -> i32 {
        size.learn(
            usize::try_from(brought).unwrap(),
            Duration::from_millis(millis),
        );
        size.bytes()
    }

    #[test]
    fn full_answers_that_take_long_grow_up_to_the_limit_and_shrink_when_they_come_fast() {
        let mut size = AnswerSize::new(MIB, 8 * MIB, false);
        assert_eq!(size.bytes(), MIB);
        for expected in [2, 4, 8, 8] {
            let now = size.bytes();
            assert_eq!(learnt(&mut size, now, 100), expected * MIB);
        }
        for expected in [4, 2, 1, 1] {
            let now = size.bytes();
            assert_eq!(learnt(&mut size, now, 0), expected * MIB);
        }
        // Of two MiB, 200 MB/s are in between; of one, a busy CPU's 5 ms are not slow.
        assert_eq!(learnt(&mut size, MIB, 100), 2 * MIB);
        assert_eq!(learnt(&mut size, 2 * MIB, 10), 2 * MIB);
        assert_eq!(learnt(&mut size, 2 * MIB, 1), MIB);
        assert_eq!(learnt(&mut size, MIB, 9), MIB);
    }

    #[test]
    fn answers_that_were_waited_for_teach_nothing() {
        let mut size = AnswerSize::new(MIB, 8 * MIB, false);
        assert_eq!(learnt(&mut size, MIB / 2 - 1, 500), MIB);
        assert_eq!(learnt(&mut size, MIB / 2, 500), 2 * MIB);
        assert_eq!(learnt(&mut size, 100, 0), 2 * MIB);
    }

    #[test]
    fn what_the_user_set_is_asked_for_from_the_first_fetch_on() {
        let mut size = AnswerSize::new(MIB, 50 * MIB, true);
        assert_eq!(size.bytes(), 50 * MIB);
        assert_eq!(learnt(&mut size, 50 * MIB, 0), 50 * MIB);
        assert_eq!(learnt(&mut size, 50 * MIB, 900), 50 * MIB);
    }

    #[test]
    fn a_partition_can_be_filled_whatever_it_may_bring() {
        assert_eq!(AnswerSize::new(3 * MIB, 8 * MIB, false).bytes(), 3 * MIB);
        assert_eq!(AnswerSize::new(30 * MIB, 8 * MIB, false).bytes(), 8 * MIB);
        let mut small = AnswerSize::new(100, 100, false);
        assert_eq!(learnt(&mut small, 5000, 0), 100);
    }
}
