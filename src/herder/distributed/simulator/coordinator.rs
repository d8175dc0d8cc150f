//! Kafka's group coordinator with the classic protocol, as far as members notice it (Kafka:
//! `GroupCoordinator`): rounds, time-outs, and what a fail-over forgets.

use std::collections::BTreeMap;

use super::world::{Life, Ms, W};

/// `session.timeout.ms` of every member.
pub(super) const SESSION: Ms = 10_000;
/// `rebalance.timeout.ms` of every member.
pub(super) const REBALANCE: Ms = 60_000;

/// Protocols by name, with metadata.
pub(super) type Protocols = Vec<(String, Vec<u8>)>;

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) worker: W,
    pub(super) life: Life,
    /// Number of the member's request.
    pub(super) request: u64,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Join {
        id: String,
        protocols: Protocols,
    },
    Sync {
        id: String,
        generation: i32,
        assignments: Vec<(String, Vec<u8>)>,
    },
    Beat {
        id: String,
        generation: i32,
    },
    Leave {
        id: String,
    },
}

/// What it brings.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Joined {
        id: String,
        generation: i32,
        protocol: String,
        lead: Option<Protocols>,
    },
    Synced(Vec<u8>),
    Alive,
    RebalanceInProgress,
    IllegalGeneration,
    UnknownMember,
    /// The connection broke, or there is no coordinator.
    Disconnected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    /// Members join, until then at most.
    Preparing {
        until: Ms,
        earliest: Ms,
    },
    /// The leader assigns, until then at most.
    Completing {
        until: Ms,
    },
    Stable,
}

#[derive(Debug, Clone)]
struct Member {
    protocols: Protocols,
    expires: Ms,
    joining: Option<Asker>,
    syncing: Option<Asker>,
    assignment: Vec<u8>,
}

/// The group.
#[derive(Debug, Clone)]
pub(super) struct Coordinator {
    state: State,
    pub(super) generation: i32,
    leader: Option<String>,
    protocol: String,
    /// In the order of their ids, which are given in rising order.
    members: BTreeMap<String, Member>,
    next_member: u64,
    /// `group.initial.rebalance.delay.ms`.
    initial_delay: Ms,
    /// What a new coordinator finds in its topic.
    kept: Option<Box<Coordinator>>,
    /// Nobody is the coordinator until then.
    pub(super) away_until: Ms,
    /// Rounds that were begun.
    pub(super) rounds: u64,
    pub(super) replies: Vec<(Asker, Answer)>,
}

impl Coordinator {
    pub(super) fn new(initial_delay: Ms) -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            leader: None,
            protocol: String::new(),
            members: BTreeMap::new(),
            next_member: 0,
            initial_delay,
            kept: None,
            away_until: 0,
            rounds: 0,
            replies: Vec::new(),
        }
    }

    /// Whether a round is open.
    pub(super) fn is_stable(&self) -> bool {
        matches!(self.state, State::Stable | State::Empty)
    }

    /// For the trace.
    pub(super) fn shown(&self) -> String {
        let members: Vec<&str> = self.members.keys().map(String::as_str).collect();
        format!(
            "{:?} generation {} of {}",
            self.state,
            self.generation,
            members.join(" ")
        )
    }

    /// Takes a request.
    pub(super) fn ask(&mut self, from: Asker, ask: Ask, now: Ms) {
        if now < self.away_until {
            self.replies.push((from, Answer::Disconnected));
            return;
        }
        match ask {
            Ask::Join { id, protocols } => self.join(from, id, protocols, now),
            Ask::Sync {
                id,
                generation,
                assignments,
            } => {
                self.sync(from, &id, generation, assignments, now);
            }
            Ask::Beat { id, generation } => {
                let answer = self.beat(&id, generation, now);
                self.replies.push((from, answer));
            }
            Ask::Leave { id } => self.remove(&id, now),
        }
    }

    fn join(&mut self, from: Asker, id: String, protocols: Protocols, now: Ms) {
        if !id.is_empty() && !self.members.contains_key(&id) {
            self.replies.push((from, Answer::UnknownMember));
            return;
        }
        let known = self.members.get(&id);
        let same = known.is_some_and(|member| member.protocols == protocols);
        let leads = self.leader.as_ref() == Some(&id);
        let unchanged = match self.state {
            State::Stable => same && !leads,
            State::Completing { .. } => same,
            State::Empty | State::Preparing { .. } => false,
        };
        if unchanged {
            return self.answer_join(from, id, now);
        }
        let id = match known {
            Some(_) => id,
            None => self.new_id(),
        };
        let member = self.members.entry(id).or_insert_with(|| Member {
            protocols: Vec::new(),
            expires: Ms::MAX,
            joining: None,
            syncing: None,
            assignment: Vec::new(),
        });
        member.protocols = protocols;
        member.expires = now + SESSION;
        member.joining = Some(from);
        self.prepare(now);
        self.complete_join(now);
    }

    fn new_id(&mut self) -> String {
        self.next_member += 1;
        format!("member-{:04}", self.next_member)
    }

    fn answer_join(&mut self, from: Asker, id: String, now: Ms) {
        if let Some(member) = self.members.get_mut(&id) {
            member.expires = now + SESSION;
        }
        let lead = (self.leader.as_ref() == Some(&id)).then(|| self.metadata());
        let answer = Answer::Joined {
            id,
            generation: self.generation,
            protocol: self.protocol.clone(),
            lead,
        };
        self.replies.push((from, answer));
    }

    fn metadata(&self) -> Protocols {
        let of = |member: &Member| {
            let mut protocols = member.protocols.iter();
            protocols
                .find(|(name, _)| *name == self.protocol)
                .map(|(_, bytes)| bytes.clone())
        };
        let members = self.members.iter();
        members
            .filter_map(|(id, member)| Some((id.clone(), of(member)?)))
            .collect()
    }

    /// A new round begins, unless one has.
    fn prepare(&mut self, now: Ms) {
        if matches!(self.state, State::Preparing { .. }) {
            return;
        }
        for member in self.members.values_mut() {
            if let Some(asker) = member.syncing.take() {
                self.replies.push((asker, Answer::RebalanceInProgress));
            }
        }
        let delay = if self.state == State::Empty {
            self.initial_delay
        } else {
            0
        };
        self.rounds += 1;
        self.state = State::Preparing {
            until: now + REBALANCE,
            earliest: now + delay,
        };
    }

    fn complete_join(&mut self, now: Ms) {
        let State::Preparing { until, earliest } = self.state else {
            return;
        };
        let all = self.members.values().all(|member| member.joining.is_some());
        if now < earliest || !(all || now >= until) {
            return;
        }
        self.members.retain(|_, member| member.joining.is_some());
        self.generation += 1;
        if self.members.is_empty() {
            self.state = State::Empty;
            self.leader = None;
            self.kept = None;
            return;
        }
        self.choose();
        self.state = State::Completing {
            until: now + REBALANCE,
        };
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let asker = self.members.get_mut(&id).and_then(|member| {
                member.assignment.clear();
                member.joining.take()
            });
            if let Some(asker) = asker {
                self.answer_join(asker, id, now);
            }
        }
    }

    /// The leader stays; the protocol is the one that most prefer of those that all know.
    fn choose(&mut self) {
        let stays = self
            .leader
            .as_ref()
            .is_some_and(|id| self.members.contains_key(id));
        if !stays {
            self.leader = self.members.keys().next().cloned();
        }
        let knows = |member: &Member, name: &str| member.protocols.iter().any(|(n, _)| n == name);
        let mut first = self.members.values().next().into_iter();
        let names = first.by_ref().flat_map(|member| &member.protocols);
        let common = names.map(|(name, _)| name);
        let mut common = common.filter(|name| self.members.values().all(|one| knows(one, name)));
        self.protocol = common.next().cloned().unwrap_or_default();
    }

    fn sync(
        &mut self,
        from: Asker,
        id: &str,
        generation: i32,
        assignments: Vec<(String, Vec<u8>)>,
        now: Ms,
    ) {
        let Some(member) = self.members.get_mut(id) else {
            self.replies.push((from, Answer::UnknownMember));
            return;
        };
        if generation != self.generation {
            self.replies.push((from, Answer::IllegalGeneration));
            return;
        }
        match self.state {
            State::Preparing { .. } | State::Empty => {
                self.replies.push((from, Answer::RebalanceInProgress));
            }
            State::Stable => {
                member.expires = now + SESSION;
                self.replies
                    .push((from, Answer::Synced(member.assignment.clone())));
            }
            State::Completing { .. } => {
                member.syncing = Some(from);
                member.expires = now + SESSION;
                if self.leader.as_deref() == Some(id) {
                    self.assigned(assignments, now);
                }
            }
        }
    }

    fn assigned(&mut self, assignments: Vec<(String, Vec<u8>)>, now: Ms) {
        for (id, bytes) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = bytes;
            }
        }
        self.state = State::Stable;
        for member in self.members.values_mut() {
            if let Some(asker) = member.syncing.take() {
                member.expires = now + SESSION;
                let answer = Answer::Synced(member.assignment.clone());
                self.replies.push((asker, answer));
            }
        }
        self.kept = None;
        let mut kept = self.clone();
        kept.replies.clear();
        self.kept = Some(Box::new(kept));
    }

    fn beat(&mut self, id: &str, generation: i32, now: Ms) -> Answer {
        let Some(member) = self.members.get_mut(id) else {
            return Answer::UnknownMember;
        };
        if generation != self.generation {
            return Answer::IllegalGeneration;
        }
        member.expires = now + SESSION;
        match self.state {
            State::Preparing { .. } => Answer::RebalanceInProgress,
            State::Empty | State::Completing { .. } | State::Stable => Answer::Alive,
        }
    }

    fn remove(&mut self, id: &str, now: Ms) {
        if self.members.remove(id).is_some() {
            self.prepare(now);
            self.complete_join(now);
        }
    }

    /// Time passes: sessions and rounds end.
    pub(super) fn tick(&mut self, now: Ms) {
        if now < self.away_until {
            return;
        }
        let waits = |member: &Member| member.joining.is_some() || member.syncing.is_some();
        let over = |member: &Member| !waits(member) && member.expires <= now;
        let ids = self.members.iter().filter(|(_, member)| over(member));
        let ids: Vec<String> = ids.map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.remove(&id, now);
        }
        if let State::Completing { until } = self.state
            && now >= until
        {
            self.members.retain(|_, member| member.syncing.is_some());
            self.prepare(now);
        }
        self.complete_join(now);
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn next_deadline(&self, now: Ms) -> Option<Ms> {
        let round = match self.state {
            State::Preparing { earliest, .. } if earliest > now => Some(earliest),
            State::Preparing { until, .. } => Some(until),
            State::Completing { until } => Some(until),
            State::Empty | State::Stable => None,
        };
        let waits = |member: &&Member| member.joining.is_some() || member.syncing.is_some();
        let members = self.members.values().filter(|member| !waits(member));
        let sessions = members.map(|member| member.expires);
        let next = sessions.chain(round).min();
        next.map(|next| next.max(self.away_until))
    }

    /// The coordinator moves: the new one knows the last complete round and gives everybody time.
    pub(super) fn fail_over(&mut self, now: Ms, until: Ms) {
        for member in self.members.values() {
            for asker in [member.joining, member.syncing].into_iter().flatten() {
                self.replies.push((asker, Answer::Disconnected));
            }
        }
        if let Some(kept) = self.kept.take() {
            self.members = kept.members.clone();
            self.generation = kept.generation;
            self.leader.clone_from(&kept.leader);
            self.protocol.clone_from(&kept.protocol);
            self.state = State::Stable;
            self.kept = Some(kept);
        } else {
            self.members.clear();
            self.leader = None;
            self.state = State::Empty;
        }
        for member in self.members.values_mut() {
            member.joining = None;
            member.syncing = None;
            member.expires = until.max(now) + SESSION;
        }
        self.away_until = until;
    }

    /// A group without members is forgotten after a while, and counts its generations anew.
    pub(super) fn forget_empty(&mut self) {
        if self.state == State::Empty && self.members.is_empty() {
            self.generation = 0;
            self.kept = None;
        }
    }
}
