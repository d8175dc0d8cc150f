//! Values seen through a window of time, as Kafka's sensors see them (Kafka: `SampledStat`, `Rate`, `Avg`,
//! `Max`, `Frequencies`).
//!
//! A window is a few samples. A sample takes events for `metrics.sample.window.ms`, then the next one does;
//! a sample whose last event is older than all samples together counts no longer. One more sample is kept
//! than is configured, for the one that the window's beginning cuts through.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// `metrics.sample.window.ms` and `metrics.num.samples`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// How long a sample takes events.
    pub sample: Duration,
    /// Samples of a window, at least one.
    pub samples: usize,
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self {
            sample: Duration::from_secs(30),
            samples: 2,
        }
    }
}

impl WindowConfig {
    /// Most samples that are kept: a task has a handful of windows.
    pub const SAMPLES_MAX: usize = 240;

    fn sample_ms(self) -> u64 {
        u64::try_from(self.sample.as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    fn samples(self) -> usize {
        self.samples.clamp(1, Self::SAMPLES_MAX)
    }

    /// Milliseconds of all samples.
    pub(super) fn window_ms(self) -> u64 {
        self.sample_ms().saturating_mul(self.samples() as u64)
    }
}

/// What a window shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatReading {
    /// Sum of the values, per second.
    pub rate: f64,
    /// Mean of the values; NaN without any, as in Kafka.
    pub avg: f64,
    /// Largest value; NaN without any, as in Kafka.
    pub max: f64,
    /// How many values.
    pub events: u64,
}

impl StatReading {
    /// Share of ones among values that are zero or one; 0 without any (Kafka: `Frequencies`).
    pub fn share(&self) -> f64 {
        match self.events {
            0 => 0.0,
            _ => self.avg,
        }
    }

    /// Share of zeros, likewise.
    pub fn share_of_zeros(&self) -> f64 {
        match self.events {
            0 => 0.0,
            _ => 1.0 - self.avg,
        }
    }

    /// The same with values and rate in a unit that is `factor` times as large.
    #[must_use]
    pub fn divided(self, factor: f64) -> Self {
        Self {
            rate: self.rate / factor,
            avg: self.avg / factor,
            max: self.max / factor,
            ..self
        }
    }
}

/// A sample's numbers at one moment.
#[derive(Debug, Clone, Copy)]
struct Seen {
    start: u64,
    events: u64,
    sum: u64,
    max: u64,
}

#[derive(Debug, Default)]
struct Sample {
    start: AtomicU64,
    last: AtomicU64,
    events: AtomicU64,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Sample {
    fn begin(&self, now: u64) {
        self.start.store(now, Ordering::Relaxed);
        self.last.store(now, Ordering::Relaxed);
        self.events.store(0, Ordering::Relaxed);
        self.sum.store(0, Ordering::Relaxed);
        self.max.store(0, Ordering::Relaxed);
    }

    fn add(&self, value: u64, now: u64) {
        let sum = self.sum.load(Ordering::Relaxed);
        let max = self.max.load(Ordering::Relaxed);
        let events = self.events.load(Ordering::Relaxed);
        self.sum.store(sum.wrapping_add(value), Ordering::Relaxed);
        self.max.store(max.max(value), Ordering::Relaxed);
        self.events.store(events + 1, Ordering::Relaxed);
        self.last.store(now, Ordering::Relaxed);
    }

    /// As it counts at `now`: one without an event in the window is empty and begins now.
    fn seen(&self, now: u64, window: u64) -> Seen {
        if now.saturating_sub(self.last.load(Ordering::Relaxed)) >= window {
            return Seen {
                start: now,
                events: 0,
                sum: 0,
                max: 0,
            };
        }
        Seen {
            start: self.start.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            sum: self.sum.load(Ordering::Relaxed),
            max: self.max.load(Ordering::Relaxed),
        }
    }
}

/// The window of one value. One thread writes; others that read at the same time may see half of an event,
/// which the owner guards against. Times are milliseconds of one clock.
#[derive(Debug)]
pub(super) struct Sampled {
    samples: Box<[Sample]>,
    /// Samples that were begun.
    used: AtomicU32,
    /// The one that takes events.
    current: AtomicU32,
}

impl Sampled {
    pub(super) fn new(config: WindowConfig) -> Self {
        Self {
            samples: (0..=config.samples()).map(|_| Sample::default()).collect(),
            used: AtomicU32::new(0),
            current: AtomicU32::new(0),
        }
    }

    pub(super) fn record(&self, config: WindowConfig, value: u64, now: u64) {
        let mut current = self.current.load(Ordering::Relaxed) as usize;
        let used = self.used.load(Ordering::Relaxed) as usize;
        if used == 0 {
            self.begin(0, 1, now);
        } else {
            let start = self.samples[current].start.load(Ordering::Relaxed);
            if now.saturating_sub(start) >= config.sample_ms() {
                current = (current + 1) % self.samples.len();
                self.begin(current, used.max(current + 1), now);
            }
        }
        self.samples[current].add(value, now);
    }

    fn begin(&self, sample: usize, used: usize, now: u64) {
        self.samples[sample].begin(now);
        // There are at most a few hundred.
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.used.store(small(used), Ordering::Relaxed);
        self.current.store(small(sample), Ordering::Relaxed);
    }

    pub(super) fn read(&self, config: WindowConfig, now: u64) -> StatReading {
        let used = self.used.load(Ordering::Relaxed) as usize;
        let used = &self.samples[..used.min(self.samples.len())];
        let (mut events, mut sum, mut max, mut oldest) = (0, 0, 0, now);
        for sample in used {
            let seen = sample.seen(now, config.window_ms());
            events += seen.events;
            sum += seen.sum;
            max = max.max(seen.max);
            oldest = oldest.min(seen.start);
        }
        let seconds = window_size(config, now.saturating_sub(oldest)) as f64 / 1000.0;
        let of_events = |value: f64| if events == 0 { f64::NAN } else { value };
        StatReading {
            rate: sum as f64 / seconds,
            avg: of_events(sum as f64 / events as f64),
            max: of_events(max as f64),
            events,
        }
    }
}

/// What a rate is divided by: the time that the samples cover, but never less than all full samples, so that
/// the first events after a pause make no peak (Kafka: `Rate.windowSize`).
fn window_size(config: WindowConfig, elapsed: u64) -> u64 {
    let sample = config.sample_ms();
    let least = config.samples() as u64 - 1;
    let missing = least.saturating_sub(elapsed / sample);
    elapsed
        .saturating_add(missing.saturating_mul(sample))
        .max(1)
}

/// How often something succeeds, seen through a window; for one thread.
#[derive(Debug)]
pub struct Frequency {
    config: WindowConfig,
    values: Sampled,
}

impl Frequency {
    /// Nothing happened yet.
    pub fn new(config: WindowConfig) -> Self {
        Self {
            config,
            values: Sampled::new(config),
        }
    }

    /// One more, `now` after the clock began.
    pub fn record(&self, succeeded: bool, now: Duration) {
        let now = millis(now);
        self.values.record(self.config, u64::from(succeeded), now);
    }

    /// What the window shows.
    pub fn read(&self, now: Duration) -> StatReading {
        self.values.read(self.config, millis(now))
    }
}

/// How long something takes, seen through a window; for one thread.
#[derive(Debug)]
pub struct Times {
    config: WindowConfig,
    values: Sampled,
}

impl Times {
    /// Nothing happened yet.
    pub fn new(config: WindowConfig) -> Self {
        Self {
            config,
            values: Sampled::new(config),
        }
    }

    /// One more, `now` after the clock began.
    pub fn record(&self, took: Duration, now: Duration) {
        let (took, now) = (millis(took), millis(now));
        self.values.record(self.config, took, now);
    }

    /// What the window shows, in milliseconds.
    pub fn read(&self, now: Duration) -> StatReading {
        self.values.read(self.config, millis(now))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: WindowConfig = WindowConfig {
        sample: Duration::from_millis(1000),
        samples: 2,
    };

    fn recorded(events: &[(u64, u64)]) -> Sampled {
        let sampled = Sampled::new(CONFIG);
        for (now, value) in events {
            sampled.record(CONFIG, *value, *now);
        }
        sampled
    }

    #[test]
    fn without_events_the_rate_is_zero_and_mean_and_maximum_are_not_a_number() {
        let reading = recorded(&[]).read(CONFIG, 5000);
        assert!(reading.avg.is_nan() && reading.max.is_nan());
        assert_eq!(
            (reading.rate, reading.share(), reading.share_of_zeros()),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn a_rate_is_over_all_full_samples_though_the_first_event_was_just_now() {
        // 10 ms passed; one full sample is added, since two samples hold at least one.
        let reading = recorded(&[(0, 100)]).read(CONFIG, 10);
        assert_eq!(reading.rate, 100.0 / 1.010);
        assert_eq!(
            (reading.avg, reading.max, reading.events),
            (100.0, 100.0, 1)
        );
    }

    #[test]
    fn a_sample_that_began_before_the_window_counts_while_its_last_event_is_in_it() {
        let sampled = recorded(&[(0, 1), (900, 2), (1100, 30), (2200, 400)]);
        let reading = sampled.read(CONFIG, 2300);
        assert_eq!((reading.max, reading.events), (400.0, 4));
        assert_eq!(reading.rate, 433.0 / 2.3);
        // At 2900 the first sample's last event is 2000 ms old.
        let reading = sampled.read(CONFIG, 2900);
        assert_eq!((reading.events, reading.avg), (2, 215.0));
        assert_eq!(reading.rate, 430.0 / 1.8);
    }

    #[test]
    fn samples_are_used_again_in_turn() {
        let events: Vec<(u64, u64)> = (0..100).map(|second| (second * 1000, second)).collect();
        let reading = recorded(&events).read(CONFIG, 99_500);
        // Of 97, 98 and 99, which are kept, the first is 2500 ms old.
        assert_eq!((reading.max, reading.events), (99.0, 2));
    }

    #[test]
    fn after_a_quiet_time_nothing_is_left() {
        let sampled = recorded(&[(0, 7), (500, 9)]);
        let reading = sampled.read(CONFIG, 60_000);
        assert_eq!((reading.rate, reading.events), (0.0, 0));
        sampled.record(CONFIG, 5, 60_000);
        let reading = sampled.read(CONFIG, 60_000);
        assert_eq!((reading.max, reading.events), (5.0, 1));
    }

    #[test]
    fn shares_are_fractions() {
        let reading = recorded(&[(0, 1), (1, 1), (2, 0), (3, 1)]).read(CONFIG, 4);
        assert_eq!((reading.share(), reading.share_of_zeros()), (0.75, 0.25));
    }

    #[test]
    fn absurd_settings_are_bounded() {
        let config = WindowConfig {
            sample: Duration::ZERO,
            samples: usize::MAX,
        };
        let sampled = Sampled::new(config);
        sampled.record(config, 1, 0);
        assert!(sampled.read(config, 0).rate.is_finite());
        assert_eq!(sampled.samples.len(), WindowConfig::SAMPLES_MAX + 1);
    }
}
