//! The partitions that a consumer holds and where it stands in each.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::api::TopicPartition;
use crate::clients::{AutoOffsetReset, ClientError};

/// Where a partition's next record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Not known: the group's committed offset decides.
    Committed,
    /// Not known: the log's start or end decides.
    Reset(AutoOffsetReset),
    /// The next record that a poll gives.
    At(i64),
}

/// Why a partition is not fetched for a while.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    failures: u32,
}

/// A held partition.
#[derive(Debug)]
pub(super) struct PartitionState {
    /// Topic and number.
    pub(super) partition: TopicPartition,
    /// Where it stands.
    pub(super) position: Position,
    /// Offset after what was fetched: at or after the position while records wait in the buffer.
    pub(super) fetch_at: i64,
    /// Paused by the caller.
    pub(super) paused: bool,
    /// About to be given up: the caller was told.
    pub(super) revoking: bool,
    /// Changes with each seek, pause and reset. What was asked for under an older stamp is dropped.
    pub(super) stamp: u64,
    /// A lookup of its position is under way.
    pub(super) looking: bool,
    /// Part of the fetch in flight.
    pub(super) fetching: bool,
    /// Fetched records wait for a poll.
    pub(super) buffered: bool,
    /// End of the partition for this isolation level, as last told.
    pub(super) end: Option<i64>,
    /// A replica that the leader named for reading (KIP-392), and until when.
    pub(super) preferred: Option<(i32, Instant)>,
    /// When records of it came last, as a count; small ones come first in a request.
    pub(super) served: u64,
    retry: Option<Pause>,
}

impl PartitionState {
    fn new(partition: TopicPartition, stamp: u64) -> Self {
        Self {
            partition,
            position: Position::Committed,
            fetch_at: -1,
            paused: false,
            revoking: false,
            stamp,
            looking: false,
            fetching: false,
            buffered: false,
            end: None,
            preferred: None,
            served: 0,
            retry: None,
        }
    }

    /// The position, where known.
    pub(super) fn offset(&self) -> Option<i64> {
        match self.position {
            Position::At(offset) => Some(offset),
            _ => None,
        }
    }

    /// Whether it may be part of the next fetch.
    pub(super) fn is_fetchable(&self) -> bool {
        let idle = !self.fetching && !self.buffered && !self.paused && !self.revoking;
        idle && self.offset().is_some()
    }

    /// Waits before the next try; longer after each failure in a row.
    pub(super) fn back_off(&mut self, pause: impl FnOnce(u32) -> Duration) {
        let failures = self.retry.map_or(0, |retry| retry.failures);
        self.retry = Some(Pause {
            until: Instant::now() + pause(failures),
            failures: failures.saturating_add(1),
        });
    }

    /// The last try was a success.
    pub(super) fn succeeded(&mut self) {
        self.retry = None;
    }

    /// Until when it has to wait.
    pub(super) fn waits_until(&self, now: Instant) -> Option<Instant> {
        self.retry
            .map(|retry| retry.until)
            .filter(|until| *until > now)
    }

    /// The replica to read from, other than the leader.
    pub(super) fn preferred_replica(&self, now: Instant) -> Option<i32> {
        self.preferred
            .filter(|(_, until)| *until > now)
            .map(|(broker, _)| broker)
    }
}

/// All held partitions.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    states: HashMap<TopicPartition, PartitionState>,
    stamps: u64,
    serves: u64,
}

impl Partitions {
    /// Adds partitions that are not held yet.
    pub(super) fn add(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.stamps += 1;
            let stamp = self.stamps;
            self.states
                .entry(partition.clone())
                .or_insert_with(|| PartitionState::new(partition.clone(), stamp));
        }
    }

    /// Gives partitions up.
    pub(super) fn remove(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.states.remove(partition);
        }
    }

    /// All of them, sorted.
    pub(super) fn list(&self) -> Vec<TopicPartition> {
        let mut list: Vec<TopicPartition> = self.states.keys().cloned().collect();
        list.sort_unstable();
        list
    }

    /// Whether none is held.
    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// A partition's state.
    pub(super) fn get(&self, partition: &TopicPartition) -> Option<&PartitionState> {
        self.states.get(partition)
    }

    /// A partition's state, to change.
    #[cfg(test)]
    pub(super) fn get_mut(&mut self, partition: &TopicPartition) -> Option<&mut PartitionState> {
        self.states.get_mut(partition)
    }

    /// A partition's state, if it is still that of `stamp`.
    pub(super) fn current(
        &mut self,
        partition: &TopicPartition,
        stamp: u64,
    ) -> Option<&mut PartitionState> {
        self.states
            .get_mut(partition)
            .filter(|state| state.stamp == stamp)
    }

    /// All states.
    pub(super) fn iter(&self) -> impl Iterator<Item = &PartitionState> {
        self.states.values()
    }

    /// All states, to change.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut PartitionState> {
        self.states.values_mut()
    }

    /// Makes fetches and lookups under way for `partition` void.
    pub(super) fn restamp(&mut self, partition: &TopicPartition) -> Option<&mut PartitionState> {
        let state = self.states.get_mut(partition)?;
        self.stamps += 1;
        state.stamp = self.stamps;
        state.fetching = false;
        state.looking = false;
        state.buffered = false;
        if let Position::At(offset) = state.position {
            state.fetch_at = offset;
        }
        Some(state)
    }

    /// Moves the position; whatever was fetched or looked up before is void.
    pub(super) fn move_to(&mut self, partition: &TopicPartition, position: Position) {
        if let Some(state) = self.restamp(partition) {
            state.position = position;
            state.fetch_at = state.offset().unwrap_or(-1);
            state.succeeded();
        }
    }

    /// Notes that records of `partition` came, so that others come first next time.
    pub(super) fn note_served(&mut self, partition: &TopicPartition) {
        self.serves += 1;
        let serves = self.serves;
        if let Some(state) = self.states.get_mut(partition) {
            state.served = serves;
        }
    }

    /// Records between the positions and the ends, `None` before any end is known.
    pub(super) fn lag(&self) -> Option<u64> {
        let lags = self.iter().filter_map(|state| {
            let behind = state.end? - state.offset()?;
            Some(u64::try_from(behind).unwrap_or(0))
        });
        lags.fold(None, |sum: Option<u64>, lag| {
            Some(sum.unwrap_or(0).saturating_add(lag))
        })
    }
}

/// The error for a partition without committed offset under `auto.offset.reset=none`.
pub(super) fn no_offset(partition: &TopicPartition) -> ClientError {
    ClientError::NoOffset {
        topic: partition.topic.to_string(),
        partition: partition.partition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_unknown_before_an_end_is_told_and_counts_known_partitions_only() {
        let (a, b) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let mut partitions = Partitions::default();
        partitions.add(&[a.clone(), b.clone()]);
        assert_eq!(partitions.lag(), None);
        partitions.move_to(&a, Position::At(3));
        assert_eq!(partitions.lag(), None);
        partitions.get_mut(&a).unwrap().end = Some(10);
        partitions.get_mut(&b).unwrap().end = Some(10);
        assert_eq!(partitions.lag(), Some(7));
        partitions.move_to(&b, Position::At(12));
        assert_eq!(
            partitions.lag(),
            Some(7),
            "a position past the end is no lag"
        );
    }

    #[test]
    fn a_seek_makes_what_was_asked_for_before_void() {
        let a = TopicPartition::new("t", 0);
        let mut partitions = Partitions::default();
        partitions.add(std::slice::from_ref(&a));
        partitions.move_to(&a, Position::At(3));
        let stamp = partitions.get(&a).unwrap().stamp;
        partitions.get_mut(&a).unwrap().fetching = true;
        partitions.move_to(&a, Position::At(9));
        assert!(partitions.current(&a, stamp).is_none());
        assert!(partitions.get(&a).unwrap().is_fetchable());
        assert_eq!(partitions.get(&a).unwrap().fetch_at, 9);
    }
}
