//! Group membership of a consumer: Kafka's classic protocol (JoinGroup, SyncGroup, Heartbeat,
//! LeaveGroup) with the eager and the cooperative way of rebalancing.
//!
//! ```text
//!            subscribe + poll                       sync answered
//! Unjoined ───────────────────→ Preparing ─→ Joining ───────────→ Stable
//!     ↑                            ↑                                │ rebalance, new topics or
//!     │ member id or generation    └────────────────────────────────┘ partitions
//!     └─ refused, poll overdue: everything held is lost
//! ```
//!
//! Two futures in the background: [`membership`] goes through the states, [`heartbeat`] keeps the
//! membership alive and enforces `max.poll.interval.ms`. What the caller has to know goes into a queue of
//! events; [`Membership::next_event`] gives one per poll and applies it, and a future that needs the
//! caller's consent (revocation) waits until the poll after has begun ([`Membership::tell`]).
//!
//! With [range, cooperative-sticky], Kafka's default, members are eager, as in Java: cooperation needs
//! every assignor of the list to support it.

mod assignor;
mod assignor_cooperative_sticky;
mod assignor_range;
mod assignor_round_robin;
mod heartbeat;
mod membership;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use self::assignor::PartitionCounts;
use super::core::Core;
use crate::api::TopicPartition;
use crate::clients::{ClientError, ConsumerConfig, GroupAssignor, Polled, Subscription};
use crate::kafka::errors::code;
use crate::kafka::group::{Identity, NO_GENERATION};
use crate::shard::{self, Notify};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No member: nothing to keep alive.
    Unjoined,
    /// A member that is about to join again; heartbeats go on.
    Preparing,
    /// JoinGroup or SyncGroup is under way.
    Joining,
    /// A member with an assignment.
    Stable,
}

/// Something the caller has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    /// Everything that is held when the caller hears of it.
    RevokedAll,
    LostAll,
}

/// The generation was lost while something waited for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interrupted;

/// A consumer's place in its group.
#[derive(Debug)]
pub(super) struct Membership {
    cooperative: bool,
    subscription: RefCell<Option<Subscription>>,
    /// Topics wanted now, sorted: those subscribed to, or those that match the pattern.
    topics: RefCell<Vec<String>>,
    phase: Cell<Phase>,
    identity: RefCell<Identity>,
    /// What the group gave this member.
    owned: RefCell<Vec<TopicPartition>>,
    /// Partitions of the topics that this leader assigned by.
    led: RefCell<Option<PartitionCounts>>,
    rejoin: Cell<bool>,
    reason: RefCell<&'static str>,
    /// Counts losses of the generation.
    resets: Cell<u64>,
    events: RefCell<VecDeque<(u64, Event)>>,
    told: Cell<u64>,
    /// The event that the last poll gave, and what to let go once it is dealt with.
    dealing: RefCell<Option<(u64, Vec<TopicPartition>)>>,
    dealt: Cell<u64>,
    fatal: RefCell<Option<ClientError>>,
    started: Cell<bool>,
    /// The caller had stopped polling; join again after a further poll than these.
    unpolled: Cell<Option<u64>>,
    /// Something here has changed.
    wake: Notify,
}

impl Membership {
    pub(super) fn new(config: &ConsumerConfig) -> Self {
        let assignors = &config.assignors;
        let cooperative = !assignors.is_empty()
            && assignors
                .iter()
                .all(|assignor| *assignor == GroupAssignor::CooperativeSticky);
        Self {
            cooperative,
            subscription: RefCell::default(),
            topics: RefCell::default(),
            phase: Cell::new(Phase::Unjoined),
            identity: RefCell::new(Identity::nobody()),
            owned: RefCell::default(),
            led: RefCell::default(),
            rejoin: Cell::new(true),
            reason: RefCell::new(""),
            resets: Cell::new(0),
            events: RefCell::default(),
            told: Cell::new(0),
            dealing: RefCell::default(),
            dealt: Cell::new(0),
            fatal: RefCell::default(),
            started: Cell::new(false),
            unpolled: Cell::new(None),
            wake: Notify::new(),
        }
    }

    /// Wants these topics from now on.
    pub(super) fn subscribe(&self, core: &Rc<Core>, subscription: Subscription) {
        if let Subscription::Topics(topics) = &subscription {
            let mut topics = topics.clone();
            topics.sort_unstable();
            topics.dedup();
            *self.topics.borrow_mut() = topics;
        }
        core.cluster
            .track_all(matches!(subscription, Subscription::Pattern(_)));
        *self.subscription.borrow_mut() = Some(subscription);
        self.request_rejoin("the subscription changed");
        if !self.started.replace(true) {
            core.keep(shard::spawn(membership::run(Rc::clone(core))));
            core.keep(shard::spawn(heartbeat::run(Rc::clone(core))));
        }
    }

    /// Whether the consumer subscribed.
    pub(super) fn is_subscribed(&self) -> bool {
        self.subscription.borrow().is_some()
    }

    /// As whom to talk to the coordinator now.
    pub(super) fn identity(&self) -> Identity {
        self.identity.borrow().clone()
    }

    /// Whether a subscriber has no generation to commit under.
    pub(super) fn is_lost(&self, identity: &Identity) -> bool {
        self.is_subscribed() && identity.generation == NO_GENERATION
    }

    /// Whether the group gave this member all of these.
    pub(super) fn owns_all(&self, offsets: &[(TopicPartition, i64)]) -> bool {
        let owned = self.owned.borrow();
        offsets
            .iter()
            .all(|(partition, _)| owned.contains(partition))
    }

    /// Completes when no join is under way. Cancel-safe.
    pub(super) async fn settled(&self) {
        loop {
            let mark = self.wake.mark();
            if self.phase.get() != Phase::Joining {
                return;
            }
            self.wake.changed_since(mark).await;
        }
    }

    /// A poll begins: the event that the last one gave is dealt with.
    pub(super) fn poll_begins(&self, core: &Core) {
        if let Some((id, gone)) = self.dealing.borrow_mut().take() {
            core.remove_partitions(&gone);
            self.dealt.set(id);
        }
        self.wake.notify();
    }

    /// The error that ended the membership.
    pub(super) fn fatal(&self) -> Option<ClientError> {
        self.fatal.borrow().clone()
    }

    /// The next event that concerns what is held, applied.
    pub(super) fn next_event(&self, core: &Core) -> Option<Polled> {
        loop {
            let (id, event) = self.events.borrow_mut().pop_front()?;
            let held = core.partitions.borrow().list();
            let (polled, gone) = match event {
                Event::Assigned(list) => {
                    let new: Vec<TopicPartition> =
                        list.into_iter().filter(|p| !held.contains(p)).collect();
                    core.add_partitions(&new);
                    (Polled::Assigned(new.clone()), new)
                }
                Event::Revoked(list) => {
                    let gone: Vec<TopicPartition> =
                        list.into_iter().filter(|p| held.contains(p)).collect();
                    core.set_revoking(&gone);
                    (Polled::Revoked(gone.clone()), gone)
                }
                Event::RevokedAll => {
                    core.set_revoking(&held);
                    (Polled::Revoked(held.clone()), held)
                }
                Event::LostAll => {
                    core.remove_partitions(&held);
                    (Polled::Lost(held.clone()), held)
                }
            };
            if gone.is_empty() {
                self.dealt.set(id);
                self.wake.notify();
                continue;
            }
            let later = match polled {
                Polled::Revoked(_) => gone,
                _ => Vec::new(),
            };
            *self.dealing.borrow_mut() = Some((id, later));
            return Some(polled);
        }
    }

    /// Puts an event into the queue.
    fn push(&self, core: &Core, event: Event) -> u64 {
        let id = self.told.get() + 1;
        self.told.set(id);
        self.events.borrow_mut().push_back((id, event));
        core.news.notify();
        id
    }

    /// Tells the caller, and completes when it has dealt with that: when the poll after has begun.
    async fn tell(&self, core: &Core, event: Event) -> Result<(), Interrupted> {
        let idle = self.events.borrow().is_empty() && self.dealing.borrow().is_none();
        if idle && core.partitions.borrow().is_empty() {
            // Nothing is held, so nobody has to be asked.
            return Ok(());
        }
        let resets = self.resets.get();
        let id = self.push(core, event);
        loop {
            let mark = self.wake.mark();
            if self.resets.get() != resets {
                return Err(Interrupted);
            }
            if self.dealt.get() >= id {
                return Ok(());
            }
            self.wake.changed_since(mark).await;
        }
    }

    /// Joins anew soon.
    fn request_rejoin(&self, reason: &'static str) {
        if !self.rejoin.replace(true) {
            tracing::info!(reason, "joining the group anew");
        }
        *self.reason.borrow_mut() = reason;
        self.wake.notify();
    }

    /// The generation is not valid any more, and with `forget_member` the member id neither. What is held
    /// is lost; what the caller was not told yet never happened.
    fn reset(&self, forget_member: bool, reason: &'static str) {
        let mut identity = self.identity.borrow_mut();
        identity.generation = NO_GENERATION;
        if forget_member {
            identity.member_id.clear();
        }
        drop(identity);
        self.owned.borrow_mut().clear();
        self.led.borrow_mut().take();
        self.events.borrow_mut().clear();
        self.resets.set(self.resets.get() + 1);
        self.set_phase(Phase::Unjoined);
        self.request_rejoin(reason);
    }

    fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        self.wake.notify();
    }

    /// What a coordinator's error means for a request that was made as `identity`.
    fn note_error(&self, error: i16, identity: &Identity) {
        if *self.identity.borrow() != *identity {
            // It concerns a membership that is over already.
            return;
        }
        match error {
            code::UNKNOWN_MEMBER_ID => {
                self.reset(true, "the coordinator does not know this member")
            }
            code::ILLEGAL_GENERATION => self.reset(false, "the generation is over"),
            code::REBALANCE_IN_PROGRESS if self.phase.get() != Phase::Joining => {
                self.request_rejoin("the group is rebalancing");
            }
            _ => {}
        }
    }

    /// See [`Membership::note_error`].
    pub(super) fn note_commit_error(&self, core: &Core, error: &ClientError, identity: &Identity) {
        if !self.is_subscribed() || identity.generation == NO_GENERATION {
            return;
        }
        if let ClientError::Api { code, context, .. } = error {
            if *code == code::FENCED_INSTANCE_ID {
                tracing::error!(context, "another member has this group.instance.id");
                self.end(core, error.clone());
            }
            self.note_error(*code, identity);
        }
    }

    /// Ends the membership for good: each poll gives the error.
    fn end(&self, core: &Core, error: ClientError) {
        *self.fatal.borrow_mut() = Some(error);
        self.set_phase(Phase::Unjoined);
        core.news.notify();
    }

    /// Metadata came: other topics may match, and a leader may have to assign anew.
    pub(super) fn metadata_changed(&self) {
        self.wake.notify();
    }

    /// Leaves the group, if this is a dynamic member (a static one comes back as the same), within
    /// `limit`.
    pub(super) async fn leave(&self, core: &Core, limit: Duration, reason: &str) {
        let identity = self.identity();
        if identity.member_id.is_empty() || core.config.group_instance_id.is_some() {
            return;
        }
        let left = shard::timeout(limit, leave_group(core, &identity, reason)).await;
        match left {
            Ok(Ok(())) => tracing::debug!(reason, "left the group"),
            Ok(Err(error)) => tracing::info!(%error, reason, "could not leave the group"),
            Err(error) => tracing::info!(%error, reason, "could not leave the group"),
        }
    }
}

async fn leave_group(core: &Core, identity: &Identity, reason: &str) -> Result<(), ClientError> {
    core.group_calls()?.leave(identity, reason).await
}

/// Waits for news of the membership, at the latest until `at`.
async fn wait(membership: &Membership, mark: u64, at: Option<Instant>) {
    let changed = membership.wake.changed_since(mark);
    match at {
        None => changed.await,
        Some(at) => {
            let left = at.saturating_duration_since(Instant::now());
            shard::timeout(left.max(Duration::from_millis(1)), changed)
                .await
                .unwrap_or(());
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    pub(crate) use super::wire::{SubscriptionData, decode_assignment, encode_assignment};
}
