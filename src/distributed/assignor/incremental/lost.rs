//! What ran in the last generation and what nobody has any more.

use std::sync::Arc;

use super::IncrementalCooperativeAssignor;
use crate::distributed::ConnectorsAndTasks;
use crate::distributed::assignor::load::WorkerLoad;
use crate::distributed::java_order::hash_order;

impl IncrementalCooperativeAssignor {
    /// Waits for the worker that had it, up to the maximal delay; then gives it to workers that came in
    /// the meantime, or back, and have nothing (Kafka: `handleLostAssignments`). Gives what is to be
    /// dealt with what is new. Under a `constrained` placement nobody gets it but by that.
    pub(super) fn handle_lost(
        &mut self,
        lost: &ConnectorsAndTasks,
        next: &mut [WorkerLoad],
        now_ms: i64,
        constrained: bool,
    ) -> ConnectorsAndTasks {
        if lost.is_empty() && !self.revoked_in_previous {
            self.reset_delay();
            return ConnectorsAndTasks::default();
        }
        let present = |id: &Arc<str>| next.iter().any(|load| load.id == *id);
        // Nobody went, so somebody did not get what the last round gave it.
        let undelivered = !self.waits() && self.previous_members.iter().all(present);
        if undelivered || self.max_delay_ms == 0 {
            return lost.clone();
        }
        if self.is_due(now_ms) {
            let given = !constrained && self.give_to_candidates(lost, next);
            self.end_delay();
            return match given {
                true => ConnectorsAndTasks::default(),
                false => lost.clone(),
            };
        }
        self.add_candidates(next);
        self.wait(now_ms);
        ConnectorsAndTasks::default()
    }

    /// Nothing is waited for.
    pub(in crate::distributed::assignor) fn reset_delay(&mut self) {
        self.candidates.clear();
        self.scheduled_rebalance_ms = 0;
        self.delay_ms = 0;
    }

    /// The delay is over: the load may be balanced again, too.
    pub(in crate::distributed::assignor) fn end_delay(&mut self) {
        self.reset_delay();
        self.revoked_in_previous = false;
    }

    /// Whether the scheduled round is due.
    pub(in crate::distributed::assignor) fn is_due(&self, now_ms: i64) -> bool {
        self.waits() && now_ms >= self.scheduled_rebalance_ms
    }

    /// Tells members to wait for the scheduled round, or for the maximal delay when there is none.
    pub(in crate::distributed::assignor) fn wait(&mut self, now_ms: i64) {
        let left = self.scheduled_rebalance_ms.saturating_sub(now_ms);
        if left > 0 {
            let left = i32::try_from(left).unwrap_or(i32::MAX);
            self.delay_ms = left.min(self.max_delay_ms);
        } else {
            self.delay_ms = self.max_delay_ms;
        }
        self.scheduled_rebalance_ms = now_ms + i64::from(self.delay_ms);
    }

    /// Remembers who has nothing, in the order of Java's `HashSet`.
    fn add_candidates(&mut self, next: &[WorkerLoad]) {
        let idle = next.iter().filter(|load| load.work.is_empty());
        let mut idle: Vec<Arc<str>> = idle.map(|load| Arc::clone(&load.id)).collect();
        hash_order(&mut idle);
        self.candidates.extend(idle);
    }

    /// In turn, connectors and then tasks; whether there was anybody.
    fn give_to_candidates(&self, lost: &ConnectorsAndTasks, next: &mut [WorkerLoad]) -> bool {
        let place = |id: &Arc<str>| next.iter().position(|load| load.id == *id);
        let places: Vec<usize> = self.candidates.iter().filter_map(place).collect();
        for (connector, place) in lost.connectors.iter().zip(places.iter().cycle()) {
            next[*place].work.connectors.insert(Arc::clone(connector));
        }
        for (task, place) in lost.tasks.iter().zip(places.iter().cycle()) {
            next[*place].work.tasks.insert(task.clone());
        }
        !places.is_empty()
    }
}
