//! The group member of a worker: what `kafka::group_member` does, on the simulated network.
//!
//! Heartbeats go on while the member joins. A *lease* ends a session time-out after the last request that was
//! answered had been sent, which is before the coordinator's own clock can end the session; then the
//! member tells so before it tells anything else.

use std::collections::BTreeMap;

use super::coordinator::{Answer, Ask, Protocols, REBALANCE, SESSION};
use super::worker::{Input, Task};
use super::world::{Event, Ms, W, World};
use crate::distributed::protocol::{Assignment, ConnectProtocol, WorkerState};
use crate::herder::distributed::{GroupCommand, Joined, Lead};

/// `heartbeat.interval.ms`.
const BEAT: Ms = 3_000;
/// Wait before a request that found no coordinator is sent again.
const RETRY: Ms = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// In no group and not about to join.
    Idle,
    /// The machine was asked what to join with.
    Asked,
    Joining,
    /// The machine was asked for assignments.
    Leading,
    Syncing,
    /// In a generation.
    Stable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Join,
    Sync,
    Beat,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    kind: Kind,
    sent: Ms,
    generation: i32,
}

/// The member of one life of a worker.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) stage: Stage,
    pub(super) id: String,
    pub(super) generation: i32,
    protocol: String,
    /// Whether another round was asked for while one is under way.
    rejoin: bool,
    pending: BTreeMap<u64, Pending>,
    next_request: u64,
    /// Until when nobody else can have been given what runs here.
    pub(super) lease: Option<Ms>,
    /// When the last request was sent whose answer said that no round was open.
    settled: Ms,
    /// Since when there is none that was there before.
    pub(super) outside_since: Option<Ms>,
    /// Number of the question to the machine that counts.
    pub(super) attempt: u64,
    /// Whether it comes back under its old id after its session was over.
    keeps_id: bool,
}

/// What happens to a member.
#[derive(Debug, Clone)]
pub(super) enum MemberInput {
    /// It is time for a heartbeat.
    Beat,
    /// A lease may be over.
    Lease,
    Answer(u64, Answer),
    /// Join again, if this attempt is still the last.
    Retry(u64),
    /// The machine had time enough for its answer to this attempt.
    PollTimeout(u64),
    /// No answer came.
    RequestTimeout(u64),
}

impl Member {
    pub(super) fn new(keeps_id: bool) -> Self {
        Self {
            stage: Stage::Idle,
            id: String::new(),
            generation: -1,
            protocol: String::new(),
            rejoin: false,
            pending: BTreeMap::new(),
            next_request: 0,
            lease: None,
            settled: 0,
            outside_since: None,
            attempt: 0,
            keeps_id,
        }
    }

    /// A request was answered, so the session goes on.
    fn renew(&mut self, sent: Ms) {
        self.settled = sent;
        self.lease = self.lease.max(Some(sent + SESSION));
        self.outside_since = None;
    }

    /// As [`Self::renew`], while a round is open: the coordinator drops members that have not joined in time, and
    /// answers their heartbeats until then.
    fn renew_in_round(&mut self, sent: Ms) {
        let until = (sent + SESSION).min(self.settled + REBALANCE);
        self.lease = self.lease.map(|lease| lease.max(until));
    }
}

impl World {
    pub(super) fn member_starts(&mut self, w: W) {
        self.later(w, BEAT, Task::Member(MemberInput::Beat));
    }

    pub(super) fn member_input(&mut self, w: W, input: MemberInput) {
        self.check_lease(w);
        let member = &self.workers[w].member;
        let last = |attempt| member.attempt == attempt;
        match input {
            MemberInput::Beat => self.beat(w),
            MemberInput::Retry(attempt) if last(attempt) => self.member_asks(w),
            MemberInput::PollTimeout(attempt) if last(attempt) && member.stage == Stage::Asked => {
                self.leave(w);
                self.lost(w, "poll timeout", true);
            }
            MemberInput::RequestTimeout(request) => {
                self.answered(w, request, Answer::Disconnected);
            }
            MemberInput::Answer(request, answer) => self.answered(w, request, answer),
            _ => {}
        }
    }

    /// Before anything else: is the session over?
    fn check_lease(&mut self, w: W) {
        let over = self.workers[w]
            .member
            .lease
            .is_some_and(|lease| lease <= self.now);
        if over {
            self.lost(w, "the session is over", false);
        }
    }

    fn beat(&mut self, w: W) {
        let member = &self.workers[w].member;
        if !member.id.is_empty() && member.generation >= 0 {
            let (id, generation) = (member.id.clone(), member.generation);
            self.send(w, Kind::Beat, Ask::Beat { id, generation });
        }
        self.later(w, BEAT, Task::Member(MemberInput::Beat));
    }

    fn send(&mut self, w: W, kind: Kind, ask: Ask) {
        let (now, limit) = (
            self.now,
            if kind == Kind::Join {
                REBALANCE + 5_000
            } else {
                30_000
            },
        );
        let member = &mut self.workers[w].member;
        member.next_request += 1;
        let request = member.next_request;
        let generation = member.generation;
        member.pending.insert(
            request,
            Pending {
                kind,
                sent: now,
                generation,
            },
        );
        if kind != Kind::Beat {
            self.later(w, limit, Task::Member(MemberInput::RequestTimeout(request)));
        }
        self.ask_coordinator(w, request, ask);
    }

    /// Asks the machine what to join with.
    fn member_asks(&mut self, w: W) {
        let member = &mut self.workers[w].member;
        member.attempt += 1;
        member.stage = Stage::Asked;
        member.rejoin = false;
        let attempt = member.attempt;
        member
            .pending
            .retain(|_, pending| pending.kind == Kind::Beat);
        self.tell(w, Input::Prepare(attempt));
        self.later(
            w,
            REBALANCE,
            Task::Member(MemberInput::PollTimeout(attempt)),
        );
    }

    fn lost(&mut self, w: W, reason: &'static str, forgotten: bool) {
        self.trace(w, || format!("member: lost, {reason}"));
        let member = &mut self.workers[w].member;
        member.pending.clear();
        member.generation = -1;
        member.lease = None;
        member.outside_since = Some(self.now);
        if forgotten || !member.keeps_id {
            member.id.clear();
        }
        if !self.workers[w].profile.apache {
            self.tell(w, Input::SessionLost(reason));
        }
        self.member_asks(w);
    }

    fn leave(&mut self, w: W) {
        let member = &mut self.workers[w].member;
        let id = std::mem::take(&mut member.id);
        member.pending.clear();
        member.generation = -1;
        member.lease = None;
        member.outside_since = Some(self.now);
        member.stage = Stage::Idle;
        member.attempt += 1;
        if !id.is_empty() {
            self.ask_coordinator(w, 0, Ask::Leave { id });
        }
    }

    /// What the machine wants of its member.
    pub(super) fn group_command(&mut self, w: W, command: GroupCommand) {
        let handed = self.workers[w].handed;
        let apache = self.workers[w].profile.apache;
        let member = &mut self.workers[w].member;
        match command {
            GroupCommand::RequestJoin(_) => match member.stage {
                Stage::Idle | Stage::Stable => self.member_asks(w),
                _ => member.rejoin = true,
            },
            GroupCommand::Join(protocols) => {
                if member.stage != Stage::Asked || handed != member.attempt {
                    return;
                }
                member.stage = Stage::Joining;
                // What was asked for before is in the metadata.
                member.rejoin = false;
                let id = member.id.clone();
                let said = |(name, bytes): (&str, Vec<u8>)| match apache {
                    true => (name.to_owned(), without_plugins(name, &bytes)),
                    false => (name.to_owned(), bytes),
                };
                let protocols: Protocols = protocols.into_iter().map(said).collect();
                self.send(w, Kind::Join, Ask::Join { id, protocols });
            }
            GroupCommand::Assign(assignments) => {
                if member.stage == Stage::Leading && handed == member.attempt {
                    let mut assignments = assignments.expect("an assignment of a round");
                    if apache {
                        assignments
                            .iter_mut()
                            .for_each(|(_, bytes)| without_barrier(bytes));
                    }
                    self.sync(w, assignments);
                }
            }
            GroupCommand::Leave(_) => self.leave(w),
        }
    }

    fn sync(&mut self, w: W, assignments: Vec<(String, Vec<u8>)>) {
        let member = &mut self.workers[w].member;
        member.stage = Stage::Syncing;
        let (id, generation) = (member.id.clone(), member.generation);
        self.send(
            w,
            Kind::Sync,
            Ask::Sync {
                id,
                generation,
                assignments,
            },
        );
    }

    fn answered(&mut self, w: W, request: u64, answer: Answer) {
        let Some(pending) = self.workers[w].member.pending.remove(&request) else {
            return;
        };
        if pending.kind == Kind::Beat {
            return self.beat_answered(w, pending, &answer);
        }
        let member = &mut self.workers[w].member;
        match answer {
            Answer::Joined {
                id,
                generation,
                protocol,
                lead,
            } => {
                // The coordinator has waited for others meanwhile. Who had no lease has none before it syncs.
                member.id = id;
                member.generation = generation;
                member.protocol = protocol;
                self.joined(w, lead);
            }
            Answer::Synced(assignment) => {
                member.renew(pending.sent);
                member.stage = Stage::Stable;
                let joined = Joined {
                    generation: member.generation,
                    member_id: member.id.clone(),
                    protocol: member.protocol.clone(),
                    assignment,
                };
                let again = member.rejoin;
                let lease = member.lease;
                self.lease_timer(w, lease);
                self.tell(w, Input::Joined(joined));
                if again {
                    self.member_asks(w);
                }
            }
            Answer::RebalanceInProgress => self.member_asks(w),
            Answer::IllegalGeneration => self.lost(w, "illegal generation", false),
            Answer::UnknownMember => self.lost(w, "unknown member", true),
            Answer::Disconnected | Answer::Alive => {
                let attempt = member.attempt;
                self.later(w, RETRY, Task::Member(MemberInput::Retry(attempt)));
            }
        }
    }

    fn joined(&mut self, w: W, lead: Option<Protocols>) {
        let member = &mut self.workers[w].member;
        let Some(members) = lead else {
            return self.sync(w, Vec::new());
        };
        member.stage = Stage::Leading;
        member.attempt += 1;
        let lead = Lead {
            generation: member.generation,
            protocol: member.protocol.clone(),
            leader: member.id.clone(),
            members,
        };
        let attempt = member.attempt;
        self.tell(w, Input::Lead(attempt, lead));
    }

    fn beat_answered(&mut self, w: W, pending: Pending, answer: &Answer) {
        let member = &mut self.workers[w].member;
        if pending.generation != member.generation {
            return;
        }
        match answer {
            Answer::Alive => member.renew(pending.sent),
            Answer::RebalanceInProgress => {
                member.renew_in_round(pending.sent);
                if member.stage == Stage::Stable {
                    self.member_asks(w);
                }
            }
            // While it joins, the round may have been completed before the heartbeat came.
            Answer::IllegalGeneration if member.stage != Stage::Joining => {
                return self.lost(w, "illegal generation", false);
            }
            Answer::UnknownMember => return self.lost(w, "unknown member", true),
            _ => return,
        }
        let lease = self.workers[w].member.lease;
        self.lease_timer(w, lease);
    }

    fn lease_timer(&mut self, w: W, lease: Option<Ms>) {
        if let Some(lease) = lease {
            let wait = lease.saturating_sub(self.now);
            self.later(w, wait, Task::Member(MemberInput::Lease));
        }
    }

    fn ask_coordinator(&mut self, w: W, request: u64, ask: Ask) {
        let asker = super::coordinator::Asker {
            worker: w,
            life: self.workers[w].life,
            request,
        };
        match self.workers[w].cut_group {
            super::worker::Cut::Silent => {}
            super::worker::Cut::Refused => {
                let gone = MemberInput::Answer(request, Answer::Disconnected);
                self.later(w, 2, Task::Member(gone));
            }
            super::worker::Cut::No => {
                let wait = self.latency();
                self.at(wait, Event::Ask(asker, ask));
            }
        }
    }

    /// The coordinator's answers go out.
    pub(super) fn send_replies(&mut self) {
        for (asker, answer) in std::mem::take(&mut self.coordinator.replies) {
            let w = asker.worker;
            if self.workers[w].life != asker.life {
                continue;
            }
            let answer = match self.workers[w].cut_group {
                super::worker::Cut::No => answer,
                super::worker::Cut::Refused => Answer::Disconnected,
                super::worker::Cut::Silent => continue,
            };
            let wait = self.latency();
            self.later(
                w,
                wait,
                Task::Member(MemberInput::Answer(asker.request, answer)),
            );
        }
    }
}

/// What Apache's worker says when it joins.
fn without_plugins(protocol: &str, metadata: &[u8]) -> Vec<u8> {
    let state = WorkerState::decode(metadata).expect("metadata of the machine");
    let protocol = ConnectProtocol::from_name(protocol).expect("a protocol of the machine");
    let state = WorkerState {
        plugins: None,
        ..state
    };
    state.encode(protocol).expect("short names")
}

/// What Apache's leader says.
fn without_barrier(assignment: &mut Vec<u8>) {
    let read = Assignment::decode(assignment).expect("an assignment of the machine");
    *assignment = read.encode().expect("short names");
}
