//! What the parts of a membership share: where it is, and its session. The coordinator's side of it is in
//! `contact`, the caller's in `caller`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use super::caller::Asked;
use super::contact::Outage;
use super::{GroupAssignments, GroupEvent, GroupMemberConfig, GroupMetadata, LossReason};
use crate::clients::ClientError;
use crate::kafka::cluster::{Cluster, Purpose};
use crate::kafka::group::{Identity, NO_GENERATION};
use crate::shard::{JoinHandle, Notify};

/// Where a membership is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In no generation.
    Unjoined,
    /// In a generation, and about to join again.
    Preparing,
    /// From JoinGroup to the answer to SyncGroup.
    Joining,
    /// In a generation.
    Stable,
}

/// A membership. The futures in the background hold it, too, until [`Core::stop`].
pub(super) struct Core {
    pub(super) config: GroupMemberConfig,
    pub(super) cluster: Rc<Cluster>,
    pub(super) phase: Cell<Phase>,
    pub(super) identity: RefCell<Identity>,
    /// When the last request was sent that was answered as to a member.
    pub(super) vouched: Cell<Option<Instant>>,
    /// The same for answers that asked for no round: one that the coordinator holds began later.
    settled: Cell<Option<Instant>>,
    /// The caller was told of a generation that is not lost.
    pub(super) in_session: Cell<bool>,
    pub(super) previous: Cell<Option<i32>>,
    pub(super) lost: Cell<bool>,
    pub(super) wants_join: Cell<bool>,
    pub(super) reason: RefCell<String>,
    /// Counts losses of the generation; rounds and heartbeats of an earlier one end.
    pub(super) resets: Cell<u64>,
    pub(super) rounds: Cell<u64>,
    pub(super) asked: Cell<Option<(Asked, u64)>>,
    pub(super) metadata: RefCell<Option<GroupMetadata>>,
    pub(super) assignments: RefCell<Option<GroupAssignments>>,
    /// At most one of each kind.
    pub(super) events: RefCell<VecDeque<GroupEvent>>,
    /// There is an event.
    pub(super) news: Notify,
    /// Something here has changed.
    pub(super) wake: Notify,
    pub(super) outage: Cell<Option<Outage>>,
    /// The broker that was the coordinator last.
    pub(super) broker: Cell<Option<i32>>,
    /// JoinGroup or SyncGroup is under way.
    pub(super) in_flight: Cell<bool>,
    pub(super) last_poll: Cell<Instant>,
    /// The member left because of the caller's silence.
    pub(super) unpolled: Cell<bool>,
    pub(super) over: Cell<bool>,
    pub(super) background: RefCell<Vec<JoinHandle<()>>>,
}

impl Core {
    pub(super) fn new(config: GroupMemberConfig) -> Rc<Self> {
        Rc::new(Self {
            cluster: Cluster::new(config.common.clone()),
            config,
            phase: Cell::new(Phase::Unjoined),
            identity: RefCell::new(Identity::nobody()),
            vouched: Cell::new(None),
            settled: Cell::new(None),
            in_session: Cell::new(false),
            previous: Cell::new(None),
            lost: Cell::new(false),
            wants_join: Cell::new(false),
            reason: RefCell::default(),
            resets: Cell::new(0),
            rounds: Cell::new(0),
            asked: Cell::new(None),
            metadata: RefCell::default(),
            assignments: RefCell::default(),
            events: RefCell::default(),
            news: Notify::new(),
            wake: Notify::new(),
            outage: Cell::new(None),
            broker: Cell::new(None),
            in_flight: Cell::new(false),
            last_poll: Cell::new(Instant::now()),
            unpolled: Cell::new(false),
            over: Cell::new(false),
            background: RefCell::default(),
        })
    }

    /// Starts the futures in the background, once.
    pub(super) fn start(&self, futures: impl FnOnce() -> [JoinHandle<()>; 3]) {
        let mut background = self.background.borrow_mut();
        if background.is_empty() {
            background.extend(futures());
        }
    }

    /// Ends everything.
    pub(super) fn stop(&self) {
        self.over.set(true);
        for future in self.background.take() {
            future.abort();
        }
        self.cluster.close();
        self.wake.notify();
    }

    /// Whether the membership has failed or was dropped.
    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    // ---- who and where

    pub(super) fn identity(&self) -> Identity {
        self.identity.borrow().clone()
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        self.wake.notify();
    }

    /// Whether the member is in a generation, though not all of it may know yet.
    pub(super) fn has_generation(&self) -> bool {
        self.identity.borrow().generation != NO_GENERATION
    }

    /// The member id that the coordinator wants the member to join with.
    pub(super) fn take_member_id(&self, member_id: String) {
        *self.identity.borrow_mut() = Identity {
            member_id,
            generation: NO_GENERATION,
        };
    }

    /// JoinGroup, sent at that time, was answered with a generation.
    pub(super) fn enter(&self, identity: Identity, sent: Instant) {
        *self.identity.borrow_mut() = identity;
        self.vouch(sent);
        self.wake.notify();
    }

    /// SyncGroup, sent at that time, was answered: the session begins or goes on.
    pub(super) fn complete(&self, sent: Instant, joined: GroupEvent) {
        self.vouch(sent);
        self.in_session.set(true);
        self.previous.set(Some(self.identity.borrow().generation));
        self.lost.set(false);
        self.set_phase(Phase::Stable);
        self.push(joined);
    }

    // ---- the session

    /// The coordinator has answered a request of that time as a member's, and holds no round.
    pub(super) fn vouch(&self, sent: Instant) {
        let later = |known: Option<Instant>| Some(known.map_or(sent, |known| known.max(sent)));
        self.vouched.set(later(self.vouched.get()));
        self.settled.set(later(self.settled.get()));
    }

    /// The coordinator has answered a request of that time as a member's, and holds a round. It may wait for
    /// this member's JoinGroup, and then drops it `rebalance_timeout` after the round began, whatever
    /// heartbeats it has answered (Kafka: `GroupMetadataManager.completeClassicGroupJoin`).
    pub(super) fn vouch_in_round(&self, sent: Instant) {
        let config = &self.config;
        let patience = config
            .rebalance_timeout
            .saturating_sub(config.session_timeout);
        let waits = self.phase() != Phase::Joining;
        let begun = self.settled.get().filter(|_| waits);
        let vouched = match begun.and_then(|begun| begun.checked_add(patience)) {
            Some(last) => sent.min(last),
            None => sent,
        };
        let known = self.vouched.get();
        self.vouched
            .set(Some(known.map_or(vouched, |known| known.max(vouched))));
    }

    pub(super) fn last_heartbeat(&self) -> Option<Instant> {
        self.in_session.get().then(|| self.vouched.get()).flatten()
    }

    fn session_deadline(&self) -> Option<Instant> {
        let timeout = self.config.session_timeout;
        self.last_heartbeat()?.checked_add(timeout)
    }

    /// Notices what the passing of time has done. To be called first by whoever wakes.
    pub(super) fn look_at_clock(&self) {
        let now = Instant::now();
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if is_due(self.session_deadline()) {
            self.lose(LossReason::SessionTimeout);
        }
        if is_due(self.outage_deadline()) {
            self.tell_outage();
        }
    }

    /// When [`Self::look_at_clock`] or [`Self::is_poll_overdue`] will find something.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.session_deadline(),
            self.outage_deadline(),
            self.poll_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The generation is lost; the caller hears of it when it knew one.
    pub(super) fn lose(&self, reason: LossReason) {
        tracing::info!(group = self.config.group_id, %reason, "the membership is lost");
        let had_session = self.in_session.get();
        // After a time-out or with an old generation, the coordinator may still know the id.
        let forget_member = matches!(reason, LossReason::UnknownMember | LossReason::PollTimeout);
        self.reset(forget_member);
        if reason == LossReason::SessionTimeout {
            // A broker that does not answer would have the next requests wait behind those that it has.
            self.hang_up(&[Purpose::Coordinator, Purpose::Data]);
            self.calls().forget_coordinator();
        }
        if had_session {
            self.lost.set(true);
            self.push(GroupEvent::SessionLost { reason });
        }
        self.want_join(&reason.to_string());
    }

    /// Out of the generation, and of what was to come of it: the caller was not told and need not be.
    fn reset(&self, forget_member: bool) {
        let mut identity = self.identity.borrow_mut();
        identity.generation = NO_GENERATION;
        if forget_member {
            identity.member_id.clear();
        }
        drop(identity);
        self.in_session.set(false);
        self.vouched.set(None);
        self.settled.set(None);
        self.asked.set(None);
        self.metadata.take();
        self.assignments.take();
        let about_brokers =
            |event: &GroupEvent| matches!(event, GroupEvent::CoordinatorUnknown { .. });
        self.events.borrow_mut().retain(about_brokers);
        self.resets.set(self.resets.get() + 1);
        if self.in_flight.get() {
            // Nothing else would be answered on that connection before it.
            self.hang_up(&[Purpose::Coordinator]);
        }
        self.set_phase(Phase::Unjoined);
    }

    /// Out of the group and idle; gives as whom to say farewell.
    pub(super) fn part(&self) -> Option<Identity> {
        let identity = self.identity();
        let is_static = self.config.group_instance_id.is_some();
        self.reset(!is_static);
        self.events.borrow_mut().clear();
        self.previous.set(None);
        self.lost.set(false);
        self.unpolled.set(false);
        self.wants_join.set(false);
        (!is_static && !identity.member_id.is_empty()).then_some(identity)
    }

    /// The membership is over for good.
    pub(super) fn fail(&self, error: ClientError) {
        tracing::error!(group = self.config.group_id, %error, "the membership in the group has failed");
        self.reset(false);
        self.over.set(true);
        self.events.borrow_mut().clear();
        self.push(GroupEvent::Failed(error));
        self.wake.notify();
    }

    /// Runs `work` for as long as the generation is not lost; `None` when it was. Looks at the clock before
    /// each step of it.
    pub(super) async fn unless_lost<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let resets = self.resets.get();
        let mut work = pin!(work);
        let mut lost = pin!(async {
            while self.resets.get() == resets {
                let mark = self.wake.mark();
                self.wake.changed_since(mark).await;
            }
        });
        std::future::poll_fn(|cx| {
            self.look_at_clock();
            if lost.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}
