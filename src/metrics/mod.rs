//! Counters of tasks, written by the one task that owns them once per batch and read by the control
//! plane. Plain atomics, no lock; names follow Kafka Connect's metrics (contract 11).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters of one task since it started here.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    polled: AtomicU64,
    written: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
    errors: AtomicU64,
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
    /// `total-records-skipped`.
    pub skipped: u64,
    /// `total-record-errors`.
    pub errors: u64,
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

    /// Records were filtered or skipped.
    pub fn add_skipped(&self, records: u64) {
        self.skipped.fetch_add(records, Ordering::Relaxed);
    }

    /// A record failed for good.
    pub fn add_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
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
            skipped: self.skipped.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            commit_failures: self.commit_failures.load(Ordering::Relaxed),
            active: self.active.load(Ordering::Relaxed),
            lag: u64::try_from(self.lag.load(Ordering::Relaxed)).ok(),
        }
    }
}
