//! How long the stages of a task take, as histograms with logarithmic buckets.
//!
//! A bucket is a sixteenth of a power of two wide (3 % to either side of its middle), from a microsecond to
//! two minutes: the layout of an HDR histogram with one significant digit. Two generations of buckets take
//! turns, so that percentiles speak about the last one to two half windows; count and sum are of all time.
//! A histogram has 3 KB and is there from the first value on: stages that a task has not used cost nothing.
//! `hdrhistogram`'s own recorders for several threads have a queue and a lock between them and the reader.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::sampled::WindowConfig;

/// A part of a task's work that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// `SourceTask.poll`, waiting for input included.
    Poll,
    /// Converters, and transforms where they are not told apart.
    Convert,
    /// Transforms.
    Transform,
    /// From handing records to the producer until Kafka has all of the batch.
    Produce,
    /// `Consumer.poll`, waiting for input included.
    Fetch,
    /// `SinkTask.put`.
    Put,
    /// Commits of offsets.
    Commit,
    /// `start` of the task, and `open` of a sink's partitions.
    Start,
    /// `stop` of the task, and `close` of a sink's partitions.
    Stop,
}

impl Stage {
    /// All, in the order of a record's way.
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::Poll,
        Self::Fetch,
        Self::Convert,
        Self::Transform,
        Self::Produce,
        Self::Put,
        Self::Commit,
        Self::Stop,
    ];

    /// Name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Convert => "convert",
            Self::Transform => "transform",
            Self::Produce => "produce",
            Self::Fetch => "fetch",
            Self::Put => "put",
            Self::Commit => "commit",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// Buckets per power of two.
const FINE: usize = 16;
/// Powers of two above the first [`FINE`] microseconds, each one a microsecond wide: up to 2^27, 134 s.
const POWERS: usize = 23;
const BUCKETS: usize = FINE * (POWERS + 1);

/// The bucket of a number of microseconds; the last one takes all that is longer.
fn bucket_of(micros: u64) -> usize {
    let Ok(micros) = u32::try_from(micros) else {
        return BUCKETS - 1;
    };
    if (micros as usize) < FINE {
        return micros as usize;
    }
    let power = micros.ilog2();
    let fine = (micros >> (power - FINE.ilog2())) as usize % FINE;
    let above = (power - FINE.ilog2() + 1) as usize;
    (above * FINE + fine).min(BUCKETS - 1)
}

/// The middle of a bucket, in microseconds.
fn middle_of(bucket: usize) -> f64 {
    if bucket < FINE {
        return bucket as f64;
    }
    let width = f64::from(1_u32 << (bucket / FINE - 1));
    (FINE + bucket % FINE) as f64 * width + width / 2.0
}

/// The durations of one thing. One thread writes.
#[derive(Debug)]
pub(super) struct Histogram {
    count: AtomicU64,
    sum_micros: AtomicU64,
    /// Which generation takes values, and since when.
    current: AtomicU32,
    since: AtomicU64,
    generations: [Box<[AtomicU32]>; 2],
    longest: [AtomicU64; 2],
}

impl Histogram {
    pub(super) fn new(now: u64) -> Self {
        let buckets = || (0..BUCKETS).map(|_| AtomicU32::new(0)).collect();
        Self {
            count: AtomicU64::new(0),
            sum_micros: AtomicU64::new(0),
            current: AtomicU32::new(0),
            since: AtomicU64::new(now),
            generations: [buckets(), buckets()],
            longest: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    /// Takes a duration that ended at `now`, in milliseconds.
    pub(super) fn record(&self, took: Duration, now: u64, half_window: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let age = now.saturating_sub(self.since.load(Ordering::Relaxed));
        let mut current = self.current.load(Ordering::Relaxed) as usize % 2;
        if age >= half_window {
            if age >= half_window.saturating_mul(2) {
                self.clear(current);
            }
            current = 1 - current;
            self.clear(current);
            self.current
                .store(u32::from(current == 1), Ordering::Relaxed);
            self.since.store(now, Ordering::Relaxed);
        }
        add(&self.count, 1);
        add(&self.sum_micros, micros);
        let longest = &self.longest[current];
        longest.store(
            longest.load(Ordering::Relaxed).max(micros),
            Ordering::Relaxed,
        );
        let bucket = &self.generations[current][bucket_of(micros)];
        let count = bucket.load(Ordering::Relaxed);
        bucket.store(count.saturating_add(1), Ordering::Relaxed);
    }

    fn clear(&self, generation: usize) {
        for bucket in &self.generations[generation] {
            bucket.store(0, Ordering::Relaxed);
        }
        self.longest[generation].store(0, Ordering::Relaxed);
    }

    pub(super) fn read(&self, now: u64, half_window: u64) -> LatencyReading {
        let age = now.saturating_sub(self.since.load(Ordering::Relaxed));
        let current = self.current.load(Ordering::Relaxed) as usize % 2;
        let mut reading = LatencyReading {
            count: self.count.load(Ordering::Relaxed),
            sum: Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)),
            max: Duration::ZERO,
            buckets: Vec::new(),
        };
        // Nothing was recorded since: what was current is the last half window, or before it.
        let counted = match age / half_window.max(1) {
            0 => &[current, 1 - current][..],
            1 => &[current][..],
            _ => &[][..],
        };
        for generation in counted {
            reading.take(&self.generations[*generation]);
            let longest = self.longest[*generation].load(Ordering::Relaxed);
            reading.max = reading.max.max(Duration::from_micros(longest));
        }
        reading
    }
}

/// Adds without the cost of a locked instruction: one thread writes.
fn add(counter: &AtomicU64, value: u64) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(value), Ordering::Relaxed);
}

/// What is known of a stage's durations.
#[derive(Debug, Clone)]
pub struct LatencyReading {
    /// How often, since the task started.
    pub count: u64,
    /// Sum of all durations.
    pub sum: Duration,
    /// The longest one of the window.
    pub max: Duration,
    /// Values of the window by bucket; empty without any.
    buckets: Vec<u64>,
}

impl LatencyReading {
    fn take(&mut self, generation: &[AtomicU32]) {
        self.buckets.resize(generation.len(), 0);
        for (sum, bucket) in self.buckets.iter_mut().zip(generation) {
            *sum += u64::from(bucket.load(Ordering::Relaxed));
        }
    }

    /// Takes what another histogram of the same thing has.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
        let most = self.buckets.len().max(other.buckets.len());
        self.buckets.resize(most, 0);
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
    }

    /// The value below which the share `quantile` (0 to 1) of the window's values lies; `None` without
    /// any.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let total: u64 = self.buckets.iter().sum();
        if total == 0 {
            return None;
        }
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            below += count;
            if below == total {
                break;
            }
            if *count > 0 && below as f64 >= quantile * total as f64 {
                return Some(Duration::from_secs_f64(middle_of(bucket) / 1e6));
            }
        }
        Some(self.max)
    }
}

/// The histograms of a task, by stage. One thread writes.
#[derive(Debug)]
pub(super) struct Latencies {
    half_window: u64,
    stages: [OnceLock<Box<Histogram>>; Stage::ALL.len()],
}

impl Latencies {
    pub(super) fn new(config: WindowConfig) -> Self {
        Self {
            half_window: (config.window_ms() / 2).max(1),
            stages: Default::default(),
        }
    }

    /// Takes a duration that ended at `now`, in milliseconds. Allocates for a stage's first one.
    pub(super) fn record(&self, stage: Stage, took: Duration, now: u64) {
        // Nobody else writes, so it never waits for another thread's initialisation.
        let histogram = self.stages[stage as usize].get_or_init(|| Box::new(Histogram::new(now)));
        histogram.record(took, now, self.half_window);
    }

    /// The stages that were used.
    pub(super) fn read(&self, now: u64) -> Vec<(Stage, LatencyReading)> {
        let read = |stage: Stage| {
            let histogram = self.stages[stage as usize].get()?;
            Some((stage, histogram.read(now, self.half_window)))
        };
        Stage::ALL.into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(sample_ms: u64) -> Latencies {
        Latencies::new(WindowConfig {
            sample: Duration::from_millis(sample_ms),
            samples: 2,
        })
    }

    fn only(latencies: &Latencies, now: u64) -> LatencyReading {
        latencies.read(now).remove(0).1
    }

    #[test]
    fn buckets_follow_each_other_and_hold_what_their_middle_says_within_four_percent() {
        let mut last = 0;
        for micros in (0..100_000).chain((100_000..120_000_000).step_by(9973)) {
            let bucket = bucket_of(micros);
            assert!(
                bucket == last || bucket == last + 1 || micros >= 100_000,
                "{micros}"
            );
            assert!(bucket >= last);
            last = bucket;
            let off = (middle_of(bucket) - micros as f64).abs();
            assert!(
                off <= micros as f64 * 0.04,
                "{micros} is not near {}",
                middle_of(bucket)
            );
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket_of(u64::from(u32::MAX)), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let latencies = latencies(30_000);
        for micros in 1..=10_000 {
            latencies.record(Stage::Put, Duration::from_micros(micros), 0);
        }
        let reading = only(&latencies, 1);
        for (quantile, expected) in [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0)] {
            let found = reading.quantile(quantile).unwrap().as_secs_f64() * 1e6;
            assert!(
                (found - expected).abs() < expected * 0.04,
                "{quantile}: {found}"
            );
        }
        assert_eq!(reading.max, Duration::from_micros(10_000));
        assert_eq!(reading.quantile(1.0), Some(reading.max));
        assert_eq!(reading.count, 10_000);
        assert_eq!(reading.sum, Duration::from_micros(50_005_000));
    }

    #[test]
    fn percentiles_forget_what_is_older_than_the_window_and_the_count_does_not() {
        let latencies = latencies(1000);
        latencies.record(Stage::Poll, Duration::from_millis(500), 0);
        latencies.record(Stage::Poll, Duration::from_millis(1), 1500);
        let both = only(&latencies, 1600);
        assert_eq!((both.count, both.max), (2, Duration::from_millis(500)));
        latencies.record(Stage::Poll, Duration::from_millis(1), 2600);
        let later = only(&latencies, 2700);
        assert_eq!((later.count, later.max), (3, Duration::from_millis(1)));
        let quiet = only(&latencies, 60_000);
        assert_eq!((quiet.count, quiet.quantile(0.5)), (3, None));
        latencies.record(Stage::Poll, Duration::from_millis(2), 60_000);
        assert_eq!(only(&latencies, 60_000).max, Duration::from_millis(2));
    }

    #[test]
    fn stages_that_were_not_used_are_not_there() {
        let latencies = latencies(1000);
        assert!(latencies.read(0).is_empty());
        latencies.record(Stage::Commit, Duration::from_secs(4000), 0);
        let stages: Vec<Stage> = latencies.read(0).iter().map(|(stage, _)| *stage).collect();
        assert_eq!(stages, [Stage::Commit]);
    }
}
