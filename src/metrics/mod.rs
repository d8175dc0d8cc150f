//! Counters of tasks, written by the one task that owns them once per batch and read by the control
//! plane. Plain atomics, no lock; names follow Kafka Connect's metrics (contract 11).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters of one task since it started here.
#[derive(Debug, Default)]
pub struct TaskMetrics {
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
    /// `source-record-active-count` or `sink-record-active-count`.
    pub active: u64,
    /// Records (sinks) not yet consumed; `None` when unknown.
    pub lag: Option<u64>,
}

impl TaskMetrics {
    /// All zero, lag unknown.
    pub fn new() -> Self {
        Self {
            lag: AtomicI64::new(-1),
            ..Self::default()
        }
    }

    /// Records came from the source, or were consumed.
    pub fn add_polled(&self, records: u64) {
        self.polled.fetch_add(records, Ordering::Relaxed);
    }

    /// Records were acknowledged by Kafka, or taken by the sink.
    pub fn add_written(&self, records: u64) {
        self.written.fetch_add(records, Ordering::Relaxed);
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

    /// An offset commit ended.
    pub fn add_commit(&self, succeeded: bool) {
        let counter = if succeeded {
            &self.commits
        } else {
            &self.commit_failures
        };
        counter.fetch_add(1, Ordering::Relaxed);
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
            active: self.active.load(Ordering::Relaxed),
            lag: u64::try_from(self.lag.load(Ordering::Relaxed)).ok(),
        }
    }
}
