//! A partition of an internal topic: a log that keeps offsets when it is compacted.

use std::collections::HashMap;

use super::world::W;
use crate::distributed::TopicRecord;

/// Which partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Config,
    /// The status topic has two partitions here.
    Status(usize),
}

impl Topic {
    pub(super) const ALL: [Self; 3] = [Self::Config, Self::Status(0), Self::Status(1)];

    /// Place among all.
    pub(super) fn index(self) -> usize {
        match self {
            Self::Config => 0,
            Self::Status(partition) => 1 + partition,
        }
    }

    /// Partition of a key of the status topic.
    pub(super) fn of_status(key: &[u8]) -> Self {
        let sum: usize = key.iter().map(|byte| usize::from(*byte)).sum();
        Self::Status(sum % 2)
    }
}

/// A record as it stands in the topic.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) record: TopicRecord,
    /// Who wrote it; `None` is nobody of the cluster.
    pub(super) by: Option<W>,
    gone: bool,
}

/// A partition.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// Offset of the next record.
    pub(super) fn end(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn append(&mut self, record: TopicRecord, by: Option<W>) -> usize {
        self.entries.push(Entry {
            record,
            by,
            gone: false,
        });
        self.entries.len() - 1
    }

    /// What is left between two offsets.
    pub(super) fn between(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries.iter().enumerate().take(to).skip(from);
        entries.filter(|(_, entry)| !entry.gone)
    }

    /// All that was ever written from an offset on.
    pub(super) fn written(&self, from: usize) -> impl DoubleEndedIterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().skip(from)
    }

    /// All that is left.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.between(0, self.end())
    }

    /// Whether the last record of one key came after the last one of another, and some were dropped.
    pub(super) fn comes_after(&self, key: &str, other: &str) -> bool {
        let last = |key: &str| {
            self.entries
                .iter()
                .rposition(|entry| entry.record.key == key.as_bytes())
        };
        self.entries.iter().any(|entry| entry.gone) && last(key) > last(other)
    }

    /// Drops what a later record of its key hides, below an offset. Tombstones stay until all have had the
    /// time to read them.
    pub(super) fn compact(&mut self, below: usize, read_by_all: usize) {
        let mut last: HashMap<&[u8], usize> = HashMap::new();
        for (offset, entry) in self.entries.iter().enumerate().take(below) {
            last.insert(&entry.record.key, offset);
        }
        let last: Vec<usize> = last.into_values().collect();
        let end = self.entries.len();
        for (offset, entry) in self.entries.iter_mut().enumerate().take(below) {
            let hidden = !last.contains(&offset);
            let tombstone =
                entry.record.value.is_none() && offset < read_by_all && offset + 1 < end;
            entry.gone |= hidden || tombstone;
        }
    }
}
