//! How long an instance was in which state (Kafka: `StateTracker`).

use std::time::Duration;

/// State of an instance, as far as time is counted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It moves records.
    Running,
    /// It holds still.
    Paused,
    /// It ended with an error.
    Failed,
    /// It does not run.
    Unassigned,
}

/// Adds up the time in each state. For one thread.
#[derive(Debug, Clone, Copy)]
pub struct StateTracker {
    state: RunState,
    since: Duration,
    began: Duration,
    running: Duration,
    paused: Duration,
}

impl StateTracker {
    /// In `state` from `now` on, a time since some beginning.
    pub fn new(state: RunState, now: Duration) -> Self {
        Self {
            state,
            since: now,
            began: now,
            running: Duration::ZERO,
            paused: Duration::ZERO,
        }
    }

    /// The state now.
    pub fn state(&self) -> RunState {
        self.state
    }

    /// Another state begins.
    pub fn change(&mut self, state: RunState, now: Duration) {
        let spent = now.saturating_sub(self.since);
        match self.state {
            RunState::Running => self.running += spent,
            RunState::Paused => self.paused += spent,
            RunState::Failed | RunState::Unassigned => {}
        }
        (self.state, self.since) = (state, now);
    }

    /// `running-ratio`: share of the time since the beginning.
    pub fn running_ratio(&self, now: Duration) -> f64 {
        self.ratio(RunState::Running, self.running, now)
    }

    /// `pause-ratio`.
    pub fn pause_ratio(&self, now: Duration) -> f64 {
        self.ratio(RunState::Paused, self.paused, now)
    }

    fn ratio(&self, state: RunState, before: Duration, now: Duration) -> f64 {
        let lately = match self.state == state {
            true => now.saturating_sub(self.since),
            false => Duration::ZERO,
        };
        let total = now.saturating_sub(self.began).as_secs_f64();
        match total > 0.0 {
            true => (before + lately).as_secs_f64() / total,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_shares_of_the_time_since_the_start() {
        let at = Duration::from_secs;
        let mut tracker = StateTracker::new(RunState::Running, at(100));
        assert_eq!(tracker.running_ratio(at(100)), 0.0);
        assert_eq!(tracker.running_ratio(at(101)), 1.0);
        tracker.change(RunState::Paused, at(102));
        tracker.change(RunState::Running, at(105));
        assert_eq!(tracker.running_ratio(at(110)), 0.7);
        assert_eq!(tracker.pause_ratio(at(110)), 0.3);
        tracker.change(RunState::Failed, at(110));
        assert_eq!(tracker.running_ratio(at(120)), 0.35);
        assert_eq!(tracker.state(), RunState::Failed);
    }
}
