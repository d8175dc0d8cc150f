//! The metrics of one task.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use super::latency::{Latencies, LatencyReading, Stage};
use super::sampled::{Sampled, StatReading, WindowConfig};
use super::watch::{Stall, Watch};

/// What is looked at through windows, for sources and for sinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sensor {
    /// Records polled, or consumed.
    Polled,
    /// Microseconds of a `poll` that brought records, or of a `put`.
    CallTime,
    /// Records that Kafka has, or that the sink took.
    Written,
    /// Records under way.
    Active,
    /// Records of a batch.
    BatchSize,
    /// Microseconds of a commit that succeeded.
    CommitTime,
    /// 1 for a commit that succeeded, 0 for one that failed.
    CommitResult,
    /// 1 for each commit whose end came too late to matter.
    CommitSkipped,
}

const SENSORS: usize = Sensor::CommitSkipped as usize + 1;

/// Most looks at windows that are being written; then half an event more or less does not matter.
const LOOKS: u32 = 100;
/// After so many, the writer is off its CPU, and the reader sleeps between looks.
const LOOKS_AWAKE: u32 = 50;
const LOOK_PAUSE: Duration = Duration::from_micros(50);

/// The windows of a task. A version that is odd while they are written lets readers look again.
#[derive(Debug)]
struct Windows {
    config: WindowConfig,
    version: AtomicU32,
    sensors: [Sampled; SENSORS],
}

impl Windows {
    fn new(config: WindowConfig) -> Self {
        Self {
            config,
            version: AtomicU32::new(0),
            sensors: std::array::from_fn(|_| Sampled::new(config)),
        }
    }

    /// For the one thread that writes.
    fn record(&self, values: &[(Sensor, u64)], now: u64) {
        let version = self.version.load(Ordering::Relaxed);
        self.version
            .store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (sensor, value) in values {
            self.sensors[*sensor as usize].record(self.config, *value, now);
        }
        self.version
            .store(version.wrapping_add(2), Ordering::Release);
    }

    fn read(&self, now: u64) -> [StatReading; SENSORS] {
        for look in 0..LOOKS {
            if let Some(reading) = self.consistent(now) {
                return reading;
            }
            match look < LOOKS_AWAKE {
                true => std::hint::spin_loop(),
                false => std::thread::sleep(LOOK_PAUSE),
            }
        }
        self.look(now)
    }

    /// `None` when it was being written meanwhile.
    fn consistent(&self, now: u64) -> Option<[StatReading; SENSORS]> {
        let before = self.version.load(Ordering::Acquire);
        let reading = self.look(now);
        fence(Ordering::Acquire);
        let unchanged = self.version.load(Ordering::Relaxed) == before;
        (before.is_multiple_of(2) && unchanged).then_some(reading)
    }

    fn look(&self, now: u64) -> [StatReading; SENSORS] {
        std::array::from_fn(|sensor| self.sensors[sensor].read(self.config, now))
    }
}

/// What a task's windows show; durations in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct TaskWindows {
    /// `source-record-poll-rate`, `sink-record-read-rate`.
    pub polled: StatReading,
    /// `poll-batch-*-time-ms`, `put-batch-*-time-ms`.
    pub call_ms: StatReading,
    /// `source-record-write-rate`, `sink-record-send-rate`.
    pub written: StatReading,
    /// `*-record-active-count-max` and `-avg`.
    pub active: StatReading,
    /// `batch-size-*`.
    pub batch_size: StatReading,
    /// `offset-commit-*-time-ms`.
    pub commit_ms: StatReading,
    /// `offset-commit-*-percentage` by its share, `offset-commit-completion-rate` by its rate.
    pub commits: StatReading,
    /// `offset-commit-skip-rate`.
    pub commits_skipped: StatReading,
}

/// Classes and versions that a task is made of, as `connector-task-metrics`, `connector-transform-metrics`
/// and `connector-predicate-metrics` show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPlugins {
    /// `connector-class`.
    pub connector_class: &'static str,
    /// `connector-version`, and that of the task.
    pub version: &'static str,
    /// `task-class`.
    pub task_class: &'static str,
    /// `key-converter-class`.
    pub key_converter: &'static str,
    /// `value-converter-class`.
    pub value_converter: &'static str,
    /// `header-converter-class`.
    pub header_converter: &'static str,
    /// Alias and class of each transform.
    pub transforms: Vec<(String, &'static str)>,
    /// Alias and class of each predicate that a transform hangs on.
    pub predicates: Vec<(String, &'static str)>,
}

/// Metrics of one task since it started here.
#[derive(Debug)]
pub struct TaskMetrics {
    /// When its clock began.
    started: Instant,
    windows: Windows,
    latencies: Latencies,
    watch: Watch,
    plugins: OnceLock<Box<TaskPlugins>>,
    polled: AtomicU64,
    written: AtomicU64,
    bytes: AtomicU64,
    filtered: AtomicU64,
    failures: AtomicU64,
    errors: AtomicU64,
    skipped: AtomicU64,
    retries: AtomicU64,
    errors_logged: AtomicU64,
    dead_letters: AtomicU64,
    dead_letter_failures: AtomicU64,
    last_error_ms: AtomicI64,
    commits: AtomicU64,
    commit_failures: AtomicU64,
    commits_begun: AtomicU64,
    commits_skipped: AtomicU64,
    partitions: AtomicU64,
    active: AtomicU64,
    lag: AtomicI64,
}

/// A reading of [`TaskMetrics`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskReading {
    /// `source-record-poll-total` or `sink-record-read-total`.
    pub polled: u64,
    /// `source-record-write-total` or `sink-record-send-total`.
    pub written: u64,
    /// Bytes of keys and values that were handed on.
    pub bytes: u64,
    /// Records that transforms dropped.
    pub filtered: u64,
    /// `total-record-failures`: operations that failed, those that were tried again among them.
    pub failures: u64,
    /// `total-record-errors`: records that failed for good.
    pub errors: u64,
    /// `total-records-skipped`: failed records that were tolerated.
    pub skipped: u64,
    /// `total-retries`.
    pub retries: u64,
    /// `total-errors-logged`: lines in the log; those beyond the limit per second are not in it.
    pub errors_logged: u64,
    /// `deadletterqueue-produce-requests`.
    pub dead_letters: u64,
    /// `deadletterqueue-produce-failures`.
    pub dead_letter_failures: u64,
    /// `last-error-timestamp`, in milliseconds since the epoch; 0 before the first error.
    pub last_error_ms: i64,
    /// Offset commits that succeeded.
    pub commits: u64,
    /// Offset commits that failed.
    pub commit_failures: u64,
    /// `offset-commit-seq-no`: commits of a sink that began.
    pub commits_begun: u64,
    /// `offset-commit-skip-total`.
    pub commits_skipped: u64,
    /// `partition-count` of a sink.
    pub partitions: u64,
    /// `source-record-active-count` or `sink-record-active-count`.
    pub active: u64,
    /// Records (sinks) not yet consumed; `None` when unknown.
    pub lag: Option<u64>,
}

impl Default for TaskMetrics {
    fn default() -> Self {
        Self::with_windows(WindowConfig::default(), Instant::now())
    }
}

impl TaskMetrics {
    /// All zero, lag unknown, with Kafka's default windows.
    pub fn new() -> Self {
        Self::default()
    }

    /// All zero, lag unknown; `now` is when the task's clock begins.
    pub fn with_windows(windows: WindowConfig, now: Instant) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            started: now,
            windows: Windows::new(windows),
            latencies: Latencies::new(windows),
            watch: Watch::default(),
            plugins: OnceLock::new(),
            polled: zero(),
            written: zero(),
            bytes: zero(),
            filtered: zero(),
            failures: zero(),
            errors: zero(),
            skipped: zero(),
            retries: zero(),
            errors_logged: zero(),
            dead_letters: zero(),
            dead_letter_failures: zero(),
            last_error_ms: AtomicI64::new(0),
            commits: zero(),
            commit_failures: zero(),
            commits_begun: zero(),
            commits_skipped: zero(),
            partitions: zero(),
            active: zero(),
            lag: AtomicI64::new(-1),
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// What the task is made of; the first time counts.
    pub fn describe(&self, plugins: TaskPlugins) {
        // A task is built once.
        self.plugins.set(Box::new(plugins)).unwrap_or(());
    }

    /// What the task is made of, once it was built.
    pub fn plugins(&self) -> Option<&TaskPlugins> {
        self.plugins.get().map(Box::as_ref)
    }

    /// A stage begins that ends soon if all is well: the watchdog looks at it until [`Self::leave`].
    pub fn enter(&self, stage: Stage, now: Instant) {
        self.watch.enter(stage, self.millis(now));
    }

    /// The stage has ended.
    pub fn leave(&self) {
        self.watch.leave();
    }

    /// Whether a sink holds a batch that its task refused.
    pub fn set_refused(&self, is_refused: bool) {
        self.watch.set_refused(is_refused);
    }

    /// Whether the task has not got on for `limit` though it could: a stage does not end, Kafka acknowledges
    /// nothing of what was sent, or nothing comes of what is known to wait in the topics. What a source might
    /// have to give, nobody knows.
    pub fn stalled(&self, limit: Duration, now: Instant) -> Option<Stall> {
        let has = |counter: &AtomicU64| counter.load(Ordering::Relaxed) > 0;
        // Sources have no partitions.
        let waiting = match has(&self.partitions) {
            true if self.lag.load(Ordering::Relaxed) > 0 => Some(Stage::Fetch),
            false if has(&self.active) => Some(Stage::Produce),
            _ => None,
        };
        self.watch.stalled(waiting, limit, self.millis(now))
    }

    /// A stage took so long, up to `now`.
    pub fn stage_took(&self, stage: Stage, took: Duration, now: Instant) {
        self.latencies.record(stage, took, self.millis(now));
    }

    /// A source's `poll` brought `records` after `took`; `active` are under way, these among them.
    pub fn polled_batch(&self, records: u64, took: Duration, active: u64, now: Instant) {
        self.polled.fetch_add(records, Ordering::Relaxed);
        self.set_active(active);
        let now = self.millis(now);
        if active == records {
            // What was under way before is through.
            self.watch.progressed(now);
        }
        self.latencies.record(Stage::Poll, took, now);
        let values = [
            (Sensor::Polled, records),
            (Sensor::CallTime, micros(took)),
            (Sensor::Active, active),
            (Sensor::BatchSize, records),
        ];
        self.windows.record(&values, now);
    }

    /// Kafka has `records` of a source; `active` are left under way.
    pub fn acknowledged(&self, records: u64, active: u64, now: Instant) {
        self.written.fetch_add(records, Ordering::Relaxed);
        self.set_active(active);
        let values = [(Sensor::Written, records), (Sensor::Active, active)];
        let now = self.millis(now);
        self.watch.progressed(now);
        self.windows.record(&values, now);
    }

    /// A sink's consumer brought `records` after `took`; `active` are under way, these among them.
    pub fn fetched(&self, records: u64, took: Duration, active: u64, now: Instant) {
        self.polled.fetch_add(records, Ordering::Relaxed);
        self.set_active(active);
        let now = self.millis(now);
        self.watch.progressed(now);
        self.latencies.record(Stage::Fetch, took, now);
        let values = [(Sensor::Polled, records), (Sensor::Active, active)];
        self.windows.record(&values, now);
    }

    /// A sink took `records`, none of them perhaps, in `took`.
    pub fn put_batch(&self, records: u64, took: Duration, now: Instant) {
        self.written.fetch_add(records, Ordering::Relaxed);
        let now = self.millis(now);
        if records > 0 {
            self.watch.progressed(now);
            self.latencies.record(Stage::Put, took, now);
        }
        let values = [
            (Sensor::Written, records),
            (Sensor::CallTime, micros(took)),
            (Sensor::BatchSize, records),
        ];
        self.windows.record(&values, now);
    }

    /// Bytes of keys and values were handed on.
    pub fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Transforms dropped records.
    pub fn add_filtered(&self, records: u64) {
        self.filtered.fetch_add(records, Ordering::Relaxed);
    }

    /// An operation on a record failed, whether or not it is tried again.
    pub fn add_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// A record failed for good.
    pub fn add_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// A failed record is passed over.
    pub fn add_skipped(&self, records: u64) {
        self.skipped.fetch_add(records, Ordering::Relaxed);
    }

    /// A failed operation is tried again.
    pub fn add_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// An error was written to the log.
    pub fn add_error_logged(&self) {
        self.errors_logged.fetch_add(1, Ordering::Relaxed);
    }

    /// A failed record is on its way to the dead letter queue.
    pub fn add_dead_letter(&self) {
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
    }

    /// A dead letter could not be written.
    pub fn add_dead_letter_failure(&self) {
        self.dead_letter_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// When a record failed for good, in milliseconds since the epoch.
    pub fn set_last_error(&self, millis: i64) {
        self.last_error_ms.store(millis, Ordering::Relaxed);
    }

    /// A sink begins to commit offsets.
    pub fn commit_began(&self) {
        self.commits_begun.fetch_add(1, Ordering::Relaxed);
    }

    /// An offset commit succeeded.
    pub fn commit_succeeded(&self, took: Duration, now: Instant) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let now = self.millis(now);
        self.latencies.record(Stage::Commit, took, now);
        let values = [
            (Sensor::CommitTime, micros(took)),
            (Sensor::CommitResult, 1),
        ];
        self.windows.record(&values, now);
    }

    /// An offset commit failed.
    pub fn commit_failed(&self, now: Instant) {
        self.commit_failures.fetch_add(1, Ordering::Relaxed);
        self.windows
            .record(&[(Sensor::CommitResult, 0)], self.millis(now));
    }

    /// The end of an offset commit does not matter any more: the next one began before it.
    pub fn commit_skipped(&self, now: Instant) {
        self.commits_skipped.fetch_add(1, Ordering::Relaxed);
        self.windows
            .record(&[(Sensor::CommitSkipped, 1)], self.millis(now));
    }

    /// Partitions that a sink has.
    pub fn set_partitions(&self, partitions: usize) {
        self.partitions.store(partitions as u64, Ordering::Relaxed);
    }

    /// Records under way.
    pub fn set_active(&self, records: u64) {
        self.active.store(records, Ordering::Relaxed);
    }

    /// Records left to consume.
    pub fn set_lag(&self, lag: Option<u64>) {
        let lag = lag.and_then(|lag| i64::try_from(lag).ok()).unwrap_or(-1);
        self.lag.store(lag, Ordering::Relaxed);
    }

    /// Reads all counters, each at its own instant.
    pub fn read(&self) -> TaskReading {
        TaskReading {
            polled: self.polled.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            filtered: self.filtered.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            errors_logged: self.errors_logged.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            dead_letter_failures: self.dead_letter_failures.load(Ordering::Relaxed),
            last_error_ms: self.last_error_ms.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            commit_failures: self.commit_failures.load(Ordering::Relaxed),
            commits_begun: self.commits_begun.load(Ordering::Relaxed),
            commits_skipped: self.commits_skipped.load(Ordering::Relaxed),
            partitions: self.partitions.load(Ordering::Relaxed),
            active: self.active.load(Ordering::Relaxed),
            lag: u64::try_from(self.lag.load(Ordering::Relaxed)).ok(),
        }
    }

    /// What the windows show at `now`.
    pub fn windows(&self, now: Instant) -> TaskWindows {
        let seen = self.windows.read(self.millis(now));
        let of = |sensor: Sensor| seen[sensor as usize];
        TaskWindows {
            polled: of(Sensor::Polled),
            call_ms: of(Sensor::CallTime).divided(1000.0),
            written: of(Sensor::Written),
            active: of(Sensor::Active),
            batch_size: of(Sensor::BatchSize),
            commit_ms: of(Sensor::CommitTime).divided(1000.0),
            commits: of(Sensor::CommitResult),
            commits_skipped: of(Sensor::CommitSkipped),
        }
    }

    /// Durations of the stages that the task has used.
    pub fn latencies(&self, now: Instant) -> Vec<(Stage, LatencyReading)> {
        self.latencies.read(self.millis(now))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn windows_show_what_was_recorded_in_milliseconds() {
        let start = Instant::now();
        let metrics = TaskMetrics::with_windows(WindowConfig::default(), start);
        let at = |ms| start + Duration::from_millis(ms);
        metrics.polled_batch(300, Duration::from_micros(1500), 300, at(0));
        metrics.polled_batch(100, Duration::from_micros(500), 400, at(10));
        metrics.acknowledged(300, 100, at(20));
        metrics.commit_succeeded(Duration::from_millis(4), at(30));
        metrics.commit_failed(at(40));
        let windows = metrics.windows(at(1000));
        assert_eq!((windows.call_ms.max, windows.call_ms.avg), (1.5, 1.0));
        assert_eq!(
            (windows.batch_size.max, windows.batch_size.avg),
            (300.0, 200.0)
        );
        assert_eq!(windows.active.max, 400.0);
        assert_eq!(windows.commits.share(), 0.5);
        assert_eq!(windows.commit_ms.max, 4.0);
        assert!(windows.polled.rate > windows.written.rate);
        let read = metrics.read();
        assert_eq!((read.polled, read.written, read.active), (400, 300, 100));
        assert_eq!((read.commits, read.commit_failures), (1, 1));
    }

    /// Each event is a batch of 7 records in 7 us: a reader that saw half of one would find other means.
    #[test]
    fn a_reader_sees_whole_events_while_the_owner_writes() {
        let config = WindowConfig {
            sample: Duration::from_millis(2),
            samples: 3,
        };
        let windows = Windows::new(config);
        let (done, clock) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for event in 0..100_000_u64 {
                    let now = event / 100;
                    clock.store(now, Ordering::Relaxed);
                    let values = [(Sensor::BatchSize, 7), (Sensor::CallTime, 7)];
                    windows.record(&values, now);
                    // A batch has some microseconds, as in life: who writes on and on is never read whole.
                    (0..300).for_each(|_| std::hint::spin_loop());
                }
                done.store(true, Ordering::Relaxed);
            });
            let (mut seen, mut ended) = (0_u64, false);
            while !ended {
                ended = done.load(Ordering::Relaxed);
                let Some(read) = windows.consistent(clock.load(Ordering::Relaxed)) else {
                    continue;
                };
                let (size, time) = (
                    read[Sensor::BatchSize as usize],
                    read[Sensor::CallTime as usize],
                );
                if size.events > 0 {
                    assert_eq!((size.avg, time.avg, size.events), (7.0, 7.0, time.events));
                    seen += 1;
                }
            }
            assert!(seen > 0, "no look was whole");
        });
    }
}
