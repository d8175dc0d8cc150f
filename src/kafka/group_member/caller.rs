//! What a membership's caller is told and asked, and whether there is one.

use std::cell::RefCell;
use std::mem::discriminant;
use std::time::Instant;

use super::state::{Core, Phase};
use super::{GroupAssignments, GroupEvent, GroupMetadata, LossReason};
use crate::kafka::group::Identity;

/// What the caller is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Prepare,
    Lead,
}

impl Core {
    /// Joins soon.
    pub(super) fn want_join(&self, reason: &str) {
        tracing::debug!(group = self.config.group_id, reason, "join requested");
        reason.clone_into(&mut self.reason.borrow_mut());
        self.wants_join.set(true);
        self.wake.notify();
    }

    /// Whether a round may begin.
    pub(super) fn may_join(&self) -> bool {
        self.wants_join.get() && !self.unpolled.get()
    }

    /// Why the member joins.
    pub(super) fn reason(&self) -> String {
        self.reason.borrow().clone()
    }

    /// The next event, which from then on is known to the caller.
    pub(super) fn next_event(&self) -> Option<GroupEvent> {
        self.events.borrow_mut().pop_front()
    }

    /// Tells the caller; an earlier event of the kind that waits is out of date.
    pub(super) fn push(&self, event: GroupEvent) {
        let mut events = self.events.borrow_mut();
        events.retain(|other| discriminant(other) != discriminant(&event));
        events.push_back(event);
        drop(events);
        self.news.notify();
    }

    /// Asks the caller what the member says now; gives that and the number of the round.
    pub(super) async fn ask_for_metadata(&self) -> (u64, GroupMetadata) {
        let round = self.rounds.get() + 1;
        self.rounds.set(round);
        let (previous, lost) = (self.previous.get(), self.lost.get());
        self.asked.set(Some((Asked::Prepare, round)));
        self.push(GroupEvent::Prepare {
            round,
            previous,
            lost,
        });
        (round, self.answer(&self.metadata).await)
    }

    /// Asks the caller, who leads, for assignments.
    pub(super) async fn ask_for_assignments(
        &self,
        round: u64,
        lead: GroupEvent,
    ) -> GroupAssignments {
        self.asked.set(Some((Asked::Lead, round)));
        self.push(lead);
        self.answer(&self.assignments).await
    }

    async fn answer<T>(&self, place: &RefCell<Option<T>>) -> T {
        loop {
            let mark = self.wake.mark();
            if let Some(answer) = place.borrow_mut().take() {
                return answer;
            }
            self.wake.changed_since(mark).await;
        }
    }

    /// Whether that was asked and not yet answered. Then it is.
    pub(super) fn accept(&self, asked: Asked, round: u64) -> bool {
        self.look_at_clock();
        let expected = self.asked.get() == Some((asked, round));
        if expected {
            self.asked.set(None);
            self.note_caller();
        } else {
            tracing::debug!(
                ?asked,
                round,
                "an answer to a round that is over is ignored"
            );
        }
        expected
    }

    pub(super) fn take_metadata(&self, metadata: GroupMetadata) {
        *self.metadata.borrow_mut() = Some(metadata);
        // What is asked for from now on is for another round.
        self.wants_join.set(false);
        self.wake.notify();
    }

    pub(super) fn take_assignments(&self, assignments: GroupAssignments) {
        *self.assignments.borrow_mut() = Some(assignments);
        self.wake.notify();
    }

    /// The caller did something.
    pub(super) fn note_caller(&self) {
        self.last_poll.set(Instant::now());
    }

    pub(super) fn polled(&self) {
        self.note_caller();
        if self.unpolled.replace(false) {
            self.wake.notify();
        }
    }

    /// When the caller has been silent for too long.
    pub(super) fn poll_deadline(&self) -> Option<Instant> {
        if self.phase.get() == Phase::Unjoined {
            return None;
        }
        let timeout = self.config.rebalance_timeout;
        self.last_poll.get().checked_add(timeout)
    }

    /// Whether the caller was silent for too long.
    pub(super) fn is_poll_overdue(&self) -> bool {
        self.poll_deadline().is_some_and(|at| at <= Instant::now())
    }

    /// Gives the membership up until the caller is back; gives as whom to say farewell.
    pub(super) fn lose_unpolled(&self) -> Identity {
        let identity = self.identity();
        self.unpolled.set(true);
        self.lose(LossReason::PollTimeout);
        identity
    }
}
