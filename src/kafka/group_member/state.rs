//! What the parts of a membership share: where it is, its session, what the caller is told and asked.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::discriminant;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use super::{GroupAssignments, GroupEvent, GroupMemberConfig, GroupMetadata, LossReason};
use crate::clients::ClientError;
use crate::kafka::cluster::{Cluster, Purpose};
use crate::kafka::connection::Connection;
use crate::kafka::group::{GroupCalls, Identity, NO_GENERATION};
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

/// What the caller is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Prepare,
    Lead,
}

/// No coordinator can be reached.
#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Instant,
    told: bool,
}

/// A membership. The futures in the background hold it, too, until [`Core::stop`].
pub(super) struct Core {
    pub(super) config: GroupMemberConfig,
    pub(super) cluster: Rc<Cluster>,
    phase: Cell<Phase>,
    identity: RefCell<Identity>,
    /// When the last request was sent that was answered as to a member.
    vouched: Cell<Option<Instant>>,
    /// The caller was told of a generation that is not lost.
    in_session: Cell<bool>,
    previous: Cell<Option<i32>>,
    lost: Cell<bool>,
    wants_join: Cell<bool>,
    reason: RefCell<String>,
    /// Counts losses of the generation; rounds and heartbeats of an earlier one end.
    resets: Cell<u64>,
    rounds: Cell<u64>,
    asked: Cell<Option<(Asked, u64)>>,
    metadata: RefCell<Option<GroupMetadata>>,
    assignments: RefCell<Option<GroupAssignments>>,
    /// At most one of each kind.
    events: RefCell<VecDeque<GroupEvent>>,
    /// There is an event.
    pub(super) news: Notify,
    /// Something here has changed.
    pub(super) wake: Notify,
    outage: Cell<Option<Outage>>,
    /// The broker that was the coordinator last.
    broker: Cell<Option<i32>>,
    /// JoinGroup or SyncGroup is under way.
    in_flight: Cell<bool>,
    last_poll: Cell<Instant>,
    /// The member left because of the caller's silence.
    unpolled: Cell<bool>,
    over: Cell<bool>,
    background: RefCell<Vec<JoinHandle<()>>>,
}

impl Core {
    pub(super) fn new(config: GroupMemberConfig) -> Rc<Self> {
        Rc::new(Self {
            cluster: Cluster::new(config.common.clone()),
            config,
            phase: Cell::new(Phase::Unjoined),
            identity: RefCell::new(Identity::nobody()),
            vouched: Cell::new(None),
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

    /// The coordinator has answered a request of that time as a member's.
    pub(super) fn vouch(&self, sent: Instant) {
        let known = self.vouched.get();
        self.vouched
            .set(Some(known.map_or(sent, |known| known.max(sent))));
    }

    pub(super) fn last_heartbeat(&self) -> Option<Instant> {
        self.in_session.get().then(|| self.vouched.get()).flatten()
    }

    fn session_deadline(&self) -> Option<Instant> {
        let timeout = self.config.session_timeout;
        self.last_heartbeat()?.checked_add(timeout)
    }

    fn outage_deadline(&self) -> Option<Instant> {
        let outage = self.outage.get().filter(|outage| !outage.told)?;
        outage.since.checked_add(self.config.heartbeat_interval)
    }

    /// Notices what the passing of time has done. To be called first by whoever wakes.
    pub(super) fn look_at_clock(&self) {
        let now = Instant::now();
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if is_due(self.session_deadline()) {
            self.lose(LossReason::SessionTimeout);
        }
        if is_due(self.outage_deadline())
            && let Some(outage) = self.outage.get()
        {
            let since = outage.since;
            self.outage.set(Some(Outage { since, told: true }));
            self.push(GroupEvent::CoordinatorUnknown { since });
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

    // ---- the coordinator

    pub(super) fn calls(&self) -> GroupCalls<'_> {
        GroupCalls {
            cluster: &self.cluster,
            group: &self.config.group_id,
            instance_id: self.config.group_instance_id.as_deref(),
        }
    }

    /// Finds the coordinator and connects.
    pub(super) async fn find_coordinator(&self) -> Result<(), ClientError> {
        match self.calls().coordinator().await {
            Ok(_) => {
                self.reached();
                Ok(())
            }
            Err(error) => {
                self.unreached();
                Err(error)
            }
        }
    }

    /// The open connection to the coordinator that requests go over.
    pub(super) fn open_connection(&self) -> Option<Rc<Connection>> {
        let broker = self.broker.get()?;
        self.cluster.open_connection(broker, Purpose::Coordinator)
    }

    /// What a call's end says about the coordinator.
    pub(super) fn note_call<T>(&self, result: &Result<T, ClientError>) {
        match result {
            Err(error) if self.calls().note_coordinator(error) => self.unreached(),
            Ok(_) | Err(ClientError::Api { .. }) => self.reached(),
            Err(_) => {}
        }
    }

    fn reached(&self) {
        if let Some(broker) = self.calls().known_coordinator() {
            self.broker.set(Some(broker));
        }
        if self.outage.take().is_some() {
            let others =
                |event: &GroupEvent| !matches!(event, GroupEvent::CoordinatorUnknown { .. });
            self.events.borrow_mut().retain(others);
        }
    }

    /// An outage begins, or goes on.
    pub(super) fn unreached(&self) {
        if self.outage.get().is_none() {
            let since = Instant::now();
            self.outage.set(Some(Outage { since, told: false }));
            self.wake.notify();
        }
    }

    fn hang_up(&self, purposes: &[Purpose]) {
        let Some(broker) = self.broker.get() else {
            return;
        };
        for purpose in purposes {
            if let Some(connection) = self.cluster.open_connection(broker, *purpose) {
                connection.close("the membership in the group was lost");
            }
        }
    }

    /// Runs a call that the coordinator may answer late.
    pub(super) async fn in_flight<T>(&self, call: impl Future<Output = T>) -> T {
        let _guard = InFlight::new(&self.in_flight);
        call.await
    }

    // ---- the caller

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

    fn push(&self, event: GroupEvent) {
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

    fn poll_deadline(&self) -> Option<Instant> {
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

/// JoinGroup or SyncGroup is under way until this is dropped.
struct InFlight<'a>(&'a Cell<bool>);

impl<'a> InFlight<'a> {
    fn new(flag: &'a Cell<bool>) -> Self {
        flag.set(true);
        Self(flag)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
