//! A worker's place in its group, and how its rebalances went (Kafka: `DistributedHerder.HerderMetrics`,
//! `WorkerCoordinator.WorkerCoordinatorMetrics`).

use std::sync::Arc;
use std::time::Duration;

use super::sampled::{StatReading, Times, WindowConfig};

/// What a worker knows of its place in the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// `connect-protocol`: `eager`, `compatible` or `sessioned`.
    pub protocol: &'static str,
    /// `leader-name`: the leader's URL; `None` in no group.
    pub leader: Option<Arc<str>>,
    /// `epoch`; −1 in no group.
    pub generation: i32,
    /// Whether a round is open, from joining until what was assigned is started.
    pub is_rebalancing: bool,
    /// `assigned-connectors`.
    pub connectors: usize,
    /// `assigned-tasks`.
    pub tasks: usize,
}

/// Counts rebalances by the states that it is shown. For one thread.
#[derive(Debug)]
pub struct RebalanceTracker {
    state: GroupState,
    began: Option<Duration>,
    last: Option<Duration>,
    completed: u64,
    times: Times,
}

/// What [`RebalanceTracker`] shows.
#[derive(Debug, Clone)]
pub struct RebalanceReading {
    /// The state now.
    pub state: GroupState,
    /// `completed-rebalances-total`.
    pub completed: u64,
    /// Times of the rebalances in the window, in milliseconds.
    pub times_ms: StatReading,
    /// Since the last one was completed; `None` before the first.
    pub since_last: Option<Duration>,
}

impl RebalanceTracker {
    /// In this state since `now`, a time since some beginning.
    pub fn new(windows: WindowConfig, state: GroupState, now: Duration) -> Self {
        Self {
            began: state.is_rebalancing.then_some(now),
            state,
            last: None,
            completed: 0,
            times: Times::new(windows),
        }
    }

    /// The state has changed.
    pub fn change(&mut self, state: GroupState, now: Duration) {
        let newer = state.generation > self.state.generation;
        match (self.began, state.is_rebalancing) {
            (None, true) => self.began = Some(now),
            // A round that ended with the session was none.
            (Some(_), false) if state.generation < 0 => self.began = None,
            (Some(began), false) => {
                self.began = None;
                self.complete(now.saturating_sub(began), now);
            }
            // Nothing had to stop or to be read: the whole round lay between two looks.
            (None, false) if newer => self.complete(Duration::ZERO, now),
            _ => {}
        }
        self.state = state;
    }

    fn complete(&mut self, took: Duration, now: Duration) {
        self.completed += 1;
        self.last = Some(now);
        self.times.record(took, now);
    }

    /// What there is to see.
    pub fn read(&self, now: Duration) -> RebalanceReading {
        RebalanceReading {
            state: self.state.clone(),
            completed: self.completed,
            times_ms: self.times.read(now),
            since_last: self.last.map(|last| now.saturating_sub(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(generation: i32, is_rebalancing: bool) -> GroupState {
        GroupState {
            protocol: "sessioned",
            leader: Some("http://a/".into()),
            generation,
            is_rebalancing,
            connectors: 1,
            tasks: 2,
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_rebalance_takes_from_joining_until_what_was_assigned_is_started() {
        let mut tracker = RebalanceTracker::new(WindowConfig::default(), state(-1, false), ms(0));
        let before = tracker.read(ms(5));
        assert_eq!((before.completed, before.since_last), (0, None));
        assert!(before.times_ms.max.is_nan());
        tracker.change(state(-1, true), ms(10));
        tracker.change(state(1, true), ms(30));
        tracker.change(state(1, false), ms(50));
        tracker.change(state(1, true), ms(100));
        tracker.change(state(2, false), ms(120));
        let after = tracker.read(ms(200));
        assert_eq!((after.completed, after.since_last), (2, Some(ms(80))));
        assert_eq!((after.times_ms.max, after.times_ms.avg), (40.0, 30.0));
        assert_eq!(after.state, state(2, false));
    }

    #[test]
    fn a_round_between_two_looks_counts_and_one_that_ended_with_the_session_does_not() {
        let mut tracker = RebalanceTracker::new(WindowConfig::default(), state(1, false), ms(0));
        tracker.change(state(2, false), ms(10));
        assert_eq!(tracker.read(ms(10)).completed, 1);
        tracker.change(state(2, true), ms(20));
        tracker.change(state(-1, false), ms(30));
        assert_eq!(tracker.read(ms(30)).completed, 1);
    }
}
