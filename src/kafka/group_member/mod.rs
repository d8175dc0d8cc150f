//! Membership in a group of Kafka's classic protocol of whatever kind: names and bytes go to and fro, and
//! what they mean is the caller's (Kafka: `AbstractCoordinator`; Connect's groups of workers are its
//! `WorkerCoordinator`).
//!
//! ```text
//!            request_join         join(metadata)                  sync answered
//! Unjoined ───────────────→ ask ───────────────→ Joining ───────────────────────→ Stable
//!     ↑        Prepare ──→  ↑ caller              │ leads: Lead ──→ caller,         │ Joined ──→ caller
//!     │                     │ (Preparing)         │ assign(…)                       │
//!     │                     └─────────────────────┴─────────────────────────────────┘
//!     │ member or generation refused, session over, caller asleep      rebalance, request_join, failure
//!     └─ SessionLost ──→ caller
//! ```
//!
//! Three futures in the background share [`state::Core`]: [`rounds`] goes through the states, [`heartbeat`]
//! keeps the membership alive, [`watch`] looks at the clock. The caller hears of everything by
//! [`GroupMember::next`] and answers two of the events.
//!
//! Invariants:
//! * **A session counts from when a request was sent** that the coordinator then answered: it lasts at least
//!   `session_timeout` from there, whatever happened to the answer. Whoever wakes looks at the clock first, so
//!   that a process that was stopped hears of its lost session before it does anything else.
//! * **While JoinGroup or SyncGroup wait, heartbeats go over the other connection** to the coordinator, since
//!   a broker works through a connection's requests one by one. So the session of a member that keeps its work
//!   while it joins neither ends because others are slow, nor goes on because the broker is frozen. (Kafka's
//!   client sends none until JoinGroup is answered, and finds out after the rebalance timeout.)
//! * **Answers name their question**: each round has a number, and what answers an earlier one is ignored.
//! * The queue of events holds at most one of each kind; what a loss overtakes is taken out of it.

mod caller;
mod contact;
mod heartbeat;
mod rounds;
mod state;
mod watch;

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::caller::Asked;
use self::state::Core;
use crate::clients::{ClientError, CommonClientConfig};
use crate::shard;

/// Names of protocols and what the member says for each, the preferred one first.
pub type GroupMetadata = Vec<(&'static str, Bytes)>;
/// An assignment for each member id; or why the leader could make none.
pub type GroupAssignments = Result<Vec<(String, Bytes)>, String>;

/// Settings of a group's member (Kafka: `GroupRebalanceConfig`).
#[derive(Debug, Clone)]
pub struct GroupMemberConfig {
    /// Common part.
    pub common: CommonClientConfig,
    /// `group.id`.
    pub group_id: String,
    /// Kind of group, which all members share: `connect` for workers of Kafka Connect.
    pub protocol_type: &'static str,
    /// `session.timeout.ms`: without heartbeats for so long, the coordinator counts the member out.
    pub session_timeout: Duration,
    /// `rebalance.timeout.ms`: how long the coordinator waits for members to join again, and how long the
    /// caller may be silent ([`GroupMember::polled`]).
    pub rebalance_timeout: Duration,
    /// `heartbeat.interval.ms`; has to be shorter than the session.
    pub heartbeat_interval: Duration,
    /// `group.instance.id`: static membership (KIP-345). Such a member does not leave.
    pub group_instance_id: Option<String>,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// No heartbeat was answered for `session_timeout`. The coordinator may count the member out.
    SessionTimeout,
    /// The coordinator counts the member out.
    UnknownMember,
    /// The coordinator is in another generation.
    IllegalGeneration,
    /// The caller was silent for `rebalance_timeout`; the member has left.
    PollTimeout,
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SessionTimeout => "no heartbeat was answered for the session timeout",
            Self::UnknownMember => "the coordinator does not know this member",
            Self::IllegalGeneration => "the coordinator is in another generation",
            Self::PollTimeout => "the member was not polled for the rebalance timeout",
        })
    }
}

/// What the caller has to know, or is asked.
#[derive(Debug, Clone)]
pub enum GroupEvent {
    /// The member is about to join; it waits for [`GroupMember::join`]. A caller whose protocol is eager stops
    /// everything before it answers. Every attempt to join asks anew.
    Prepare {
        /// For the answer.
        round: u64,
        /// The generation that was joined last, `None` before the first and after leaving.
        previous: Option<i32>,
        /// That generation was lost, which [`GroupEvent::SessionLost`] told.
        lost: bool,
    },
    /// The member leads; it waits for [`GroupMember::assign`]. (Not asked when the coordinator wants no new
    /// assignment, KIP-814.)
    Lead {
        /// For the answer.
        round: u64,
        /// The generation that forms.
        generation: i32,
        /// The protocol that the coordinator chose.
        protocol: String,
        /// This member's id.
        leader: String,
        /// Every member's id and what it said for that protocol.
        members: Vec<(String, Bytes)>,
    },
    /// The member is in a generation.
    Joined {
        /// Its number.
        generation: i32,
        /// This member's id.
        member_id: String,
        /// The protocol that the coordinator chose.
        protocol: String,
        /// Whether this member leads.
        is_leader: bool,
        /// Id of the member that leads.
        leader: String,
        /// What the leader gave this member.
        assignment: Bytes,
    },
    /// Others may have this member's work from now on. Told at once, whether brokers can be reached or not; the
    /// member joins again by itself.
    SessionLost {
        /// Why.
        reason: LossReason,
    },
    /// No coordinator was reached for longer than `heartbeat_interval`; once per outage. The session goes on:
    /// a caller that gives its work up calls [`GroupMember::request_join`], too.
    CoordinatorUnknown {
        /// When the outage began.
        since: Instant,
    },
    /// The membership is over for good, and with it the session: authorization, a fenced instance id, an
    /// inconsistent protocol, a full group, a setting that the coordinator refuses. The last event.
    Failed(ClientError),
}

/// A member of a group. Lives on one shard; dropping it ends everything without leaving.
pub struct GroupMember {
    core: Rc<Core>,
}

impl fmt::Debug for GroupMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupMember")
            .field("group_id", &self.core.config.group_id)
            .field("identity", &self.core.identity())
            .finish_non_exhaustive()
    }
}

impl GroupMember {
    /// Idle: nothing is connected to or joined before [`Self::request_join`]. Must be called on a shard.
    pub fn new(config: GroupMemberConfig) -> Self {
        Self {
            core: Core::new(config),
        }
    }

    /// The next event. Cancel-safe. Waits for ever after [`GroupEvent::Failed`].
    pub async fn next(&self) -> GroupEvent {
        let core = &self.core;
        loop {
            let mark = core.news.mark();
            core.look_at_clock();
            if let Some(event) = core.next_event() {
                return event;
            }
            core.news.changed_since(mark).await;
        }
    }

    /// Joins, or joins again; `reason` is for the coordinator's log. What comes before the answer to
    /// [`GroupEvent::Prepare`] is for the round that begins there; later, there is another round after it.
    pub fn request_join(&self, reason: &str) {
        let core = &self.core;
        if core.is_over() {
            return;
        }
        core.start(|| {
            [
                shard::spawn(rounds::run(Rc::clone(core))),
                shard::spawn(heartbeat::run(Rc::clone(core))),
                shard::spawn(watch::run(Rc::clone(core))),
            ]
        });
        core.note_caller();
        core.want_join(reason);
    }

    /// Answers [`GroupEvent::Prepare`] with what the member says now. Ignored when that round is over.
    pub fn join(&self, round: u64, metadata: GroupMetadata) {
        if self.core.accept(Asked::Prepare, round) {
            self.core.take_metadata(metadata);
        }
    }

    /// Answers [`GroupEvent::Lead`]; an error has the group join again after a pause. Ignored when that round
    /// is over.
    pub fn assign(&self, round: u64, assignments: GroupAssignments) {
        if self.core.accept(Asked::Lead, round) {
            self.core.take_assignments(assignments);
        }
    }

    /// The caller is alive (Kafka: `poll`). When this, [`Self::join`] and [`Self::assign`] are not called for
    /// `rebalance_timeout`, the member leaves, tells [`GroupEvent::SessionLost`], and joins again after the
    /// next call of this.
    pub fn polled(&self) {
        self.core.look_at_clock();
        self.core.polled();
    }

    /// Leaves the group within `limit` and is idle again; events that wait are dropped. A static member keeps
    /// its place in the group, for the one that comes back as the same.
    pub async fn leave(&self, limit: Duration, reason: &str) {
        let Some(identity) = self.core.part() else {
            return;
        };
        watch::say_farewell(&self.core, &identity, limit, reason).await;
    }

    /// When the last heartbeat, JoinGroup or SyncGroup was *sent* of those that the coordinator answered as to
    /// a member (which it does with `REBALANCE_IN_PROGRESS`, too, but for a member that does not join no longer
    /// than `rebalance_timeout`). The session lasts at least `session_timeout` from there. `None` without a
    /// session.
    pub fn last_heartbeat(&self) -> Option<Instant> {
        self.core.look_at_clock();
        self.core.last_heartbeat()
    }
}

impl Drop for GroupMember {
    fn drop(&mut self) {
        self.core.stop();
    }
}

#[cfg(test)]
mod tests;
