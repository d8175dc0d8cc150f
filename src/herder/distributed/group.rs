//! The worker's place in its group, and the rounds of a rebalance (Kafka: `WorkerCoordinator`,
//! `DistributedHerder.handleRebalanceCompleted`; contract 5.4, 5.5).
//!
//! ```text
//!          prepare             joined            stopped, statuses written
//! Out ──────────────→ Joining ────────→ Revoking ──┬────────────────────→ Resolved
//!  ↑                     ↑                         └→ CatchingUp ─────────→ (work starts)
//!  │ session lost        └── prepare: once nothing is being revoked
//!  └── left, backing off ←── the topic could not be read to its end in time
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::machine::{Ending, Machine, Now, Settings};
use super::protocol::{ConfigCommand, GroupCommand, Joined, Lead, Output, Token, WriteError};
use super::work::Item;
use crate::api::ConfigMap;
use crate::distributed::ConnectorsAndTasks;
use crate::distributed::assignor::ringmain::GroupAssignor;
use crate::distributed::assignor::{
    Configuration, ConfiguredConnector, GroupAssignment, LeaderState, Member, Round,
};
use crate::distributed::protocol::{
    Assignment, ConnectProtocol, NO_ERROR, PluginClasses, WorkerState, append_barrier,
    append_holds_work, barrier, holds_work, metadata_request,
};
use crate::metrics::GroupState;

/// How often a worker that can't read the config topic backs off before it gives up what it runs (Kafka:
/// `BACKOFF_RETRIES`).
const SYNC_RETRIES: u32 = 5;
/// How long the statuses of what was revoked may take to be written before the next round begins.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In no generation.
    Out,
    /// Metadata is sent; what was running goes on.
    Joining,
    /// What the round took away is stopping, and its statuses are being written, until then at most.
    Revoking(Instant),
    /// The config topic is being read, up to what the leader knew; until then at most.
    CatchingUp(Token, Instant),
    /// What was assigned runs.
    Resolved,
}

/// The worker's place in its group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) phase: Phase,
    pub(super) protocol: ConnectProtocol,
    pub(super) generation: i32,
    member_id: String,
    pub(super) leader: Option<Leader>,
    /// What this worker was given; `None` before the first round and after a session was lost.
    pub(super) assigned: Option<ConnectorsAndTasks>,
    /// Offset of the config topic that it was made from.
    offset: i64,
    /// All members had read the topic so far when they joined, and had stopped whatever ran with earlier
    /// configurations.
    barrier: i64,
    /// Offset of a record that this worker has read since it joined and that takes another round.
    unsettled: Option<(i64, &'static str)>,
    failed: bool,
    revoked: bool,
    /// The member asked for metadata and waits.
    prepare: bool,
    /// When the leader wants the next round.
    scheduled: Option<Instant>,
    /// Until when a worker that could not read the config topic stays away.
    backing_off: Option<Instant>,
    sync_retries: u32,
    assignor: GroupAssignor,
    pub(super) leader_state: Option<LeaderState>,
    /// URLs of the members that this leader assigned to, and what they can run as far as they say.
    able: Vec<(Arc<str>, Option<PluginClasses>)>,
}

/// Who leads the group.
#[derive(Debug, Clone)]
pub(super) struct Leader {
    id: Arc<str>,
    pub(super) url: Arc<str>,
}

impl Group {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            phase: Phase::Out,
            protocol: settings.protocol,
            generation: -1,
            member_id: String::new(),
            leader: None,
            assigned: None,
            offset: -1,
            barrier: -1,
            unsettled: None,
            failed: false,
            revoked: false,
            prepare: false,
            scheduled: None,
            backing_off: None,
            sync_retries: SYNC_RETRIES,
            assignor: assignor(settings),
            leader_state: None,
            able: Vec::new(),
        }
    }

    /// This worker is in no generation: what it knew of the group is worth nothing.
    fn forget(&mut self) {
        self.phase = Phase::Out;
        self.generation = -1;
        self.assigned = None;
        self.leader = None;
        self.leader_state = None;
        self.scheduled = None;
        self.unsettled = None;
        self.prepare = false;
        self.revoked = false;
        self.failed = false;
        self.offset = -1;
        self.barrier = -1;
    }

    /// Whether this worker has left since it can't read the config topic, and comes back by itself.
    fn stays_away(&self) -> bool {
        let catches_up = matches!(self.phase, Phase::CatchingUp(..));
        self.backing_off.is_some() || (catches_up && self.generation < 0)
    }

    /// Whether this worker leads the group.
    pub(super) fn is_leader(&self) -> bool {
        let leader = self.leader.as_ref();
        self.generation >= 0 && leader.is_some_and(|leader| *leader.id == *self.member_id)
    }

    pub(super) fn owns(&self, item: &Item) -> bool {
        let Some(assigned) = &self.assigned else {
            return false;
        };
        match item.id() {
            None => assigned.connectors.contains(&item.connector),
            Some(id) => assigned.tasks.contains(&id),
        }
    }

    /// Whether something may be started whose configurations were committed at this offset: nobody runs
    /// anything with earlier ones any more.
    pub(super) fn may_start(&self, committed_at: i64) -> bool {
        self.phase == Phase::Resolved && !self.failed && committed_at <= self.barrier
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Revoking(until) | Phase::CatchingUp(_, until) => Some(until),
            _ => None,
        };
        let times = [phase, self.scheduled, self.backing_off];
        times.into_iter().flatten().min()
    }

    /// What this worker runs, as it tells the leader.
    fn assignment(&self) -> Option<Assignment> {
        let leader = self.leader.as_ref();
        Some(Assignment {
            version: self.protocol.version(),
            error: NO_ERROR,
            leader: leader
                .map(|leader| Arc::clone(&leader.id))
                .unwrap_or_default(),
            leader_url: leader
                .map(|leader| Arc::clone(&leader.url))
                .unwrap_or_default(),
            config_offset: self.offset,
            assigned: self.assigned.clone()?,
            revoked: ConnectorsAndTasks::default(),
            delay_ms: 0,
        })
    }
}

impl Machine {
    /// The worker's place in its group, for its metrics.
    pub fn group_state(&self) -> GroupState {
        let group = &self.group;
        let assigned = group.assigned.as_ref();
        GroupState {
            protocol: group.protocol.name(),
            leader: group.leader.as_ref().map(|leader| Arc::clone(&leader.url)),
            generation: group.generation,
            is_rebalancing: !matches!(group.phase, Phase::Out | Phase::Resolved),
            connectors: assigned.map_or(0, |work| work.connectors.len()),
            tasks: assigned.map_or(0, |work| work.tasks.len()),
        }
    }

    pub(super) fn request_join(&mut self, reason: &'static str) {
        if self.ending == Ending::No && self.started.all() && !self.group.stays_away() {
            self.outputs
                .push(Output::Group(GroupCommand::RequestJoin(reason)));
        }
    }

    /// A record of the config topic takes another round, unless the leader has known of it when it made the
    /// present one.
    pub(super) fn settle(&mut self, reason: &'static str) {
        let offset = self.config.snapshot().offset();
        self.group.unsettled = Some((offset, reason));
        self.ask_for_settling();
    }

    /// Asks for the round that records take which were read while another one was under way.
    fn ask_for_settling(&mut self) {
        let group = &mut self.group;
        if group.phase != Phase::Resolved {
            return;
        }
        if let Some((offset, reason)) = group.unsettled.take()
            && offset > group.offset.min(group.barrier)
        {
            self.request_join(reason);
        }
    }

    pub(super) fn leave(&mut self, reason: &'static str) {
        self.outputs
            .push(Output::Group(GroupCommand::Leave(reason)));
    }

    /// The member is about to join and asks for what to join with. In the eager protocol everything has
    /// to stop before.
    pub fn prepare(&mut self, now: Now) {
        self.now = now;
        if self.group.stays_away() {
            // The member asked before it was told that this worker leaves.
            return;
        }
        self.group.prepare = true;
        let eager = self.group.protocol == ConnectProtocol::Eager;
        if eager && self.group.assigned.take().is_some() {
            self.group.phase =
                Phase::Revoking(self.now.at + self.settings.graceful_timeout + FLUSH_LIMIT);
        }
        self.go_on();
    }

    /// The session is over, or may be: whoever else is in the group may run what ran here.
    pub fn session_lost(&mut self, reason: &str, now: Now) {
        self.now = now;
        if !self.work.is_still() {
            tracing::warn!(
                reason,
                "this worker's place in the group is lost: everything that it runs is dropped"
            );
        }
        self.cancel_everything();
        self.group.forget();
        self.group.assignor = assignor(&self.settings);
        self.go_on();
    }

    /// The coordinator made this worker the leader of a round.
    pub fn lead(&mut self, round: Lead, now: Now) {
        self.now = now;
        let assignments = self.assign(&round);
        if let Err(error) = &assignments {
            tracing::error!(
                error,
                generation = round.generation,
                "no assignment can be made"
            );
        }
        self.outputs
            .push(Output::Group(GroupCommand::Assign(assignments)));
        self.go_on();
    }

    fn assign(&mut self, round: &Lead) -> Result<Vec<(String, Vec<u8>)>, String> {
        let protocol = ConnectProtocol::from_name(&round.protocol)
            .ok_or_else(|| format!("the group chose the unknown protocol '{}'", round.protocol))?;
        let mut members: Vec<Member> = Vec::with_capacity(round.members.len());
        for (id, metadata) in &round.members {
            match WorkerState::decode(metadata) {
                Ok(state) => members.push(Member {
                    id: id.as_str().into(),
                    state,
                }),
                Err(error) => {
                    tracing::error!(member = id, %error, "a member's metadata can't be read: it gets nothing");
                }
            }
        }
        let able = members.iter().map(|member| {
            let state = &member.state;
            (Arc::clone(&state.url), state.plugins.clone())
        });
        self.group.able = able.collect();
        let mut latest = self.configuration();
        let mut metadata = round.members.iter().map(|(_, metadata)| metadata);
        if protocol == ConnectProtocol::Eager && metadata.any(|metadata| holds_work(metadata)) {
            // In this round they stop it; the next one deals.
            latest.connectors.clear();
        }
        let offsets = members.iter().map(|member| member.state.config_offset);
        let barrier = offsets.min().unwrap_or(-1);
        let assigned = self.group.assignor.perform_assignment(Round {
            leader: &round.leader,
            protocol,
            members: &members,
            snapshot: &latest,
            latest: &latest,
            generation: round.generation,
            last_completed_generation: self.group.generation,
            now_ms: self.monotonic_ms(),
        });
        let GroupAssignment {
            assignments,
            leader_state,
            ..
        } = assigned.map_err(|error| error.to_string())?;
        self.group.leader_state = leader_state;
        let encoded = assignments.into_iter().map(|(id, assignment)| {
            let mut bytes = assignment.encode().map_err(|error| error.to_string())?;
            if protocol > ConnectProtocol::Eager {
                append_barrier(&mut bytes, barrier);
            }
            Ok((id.to_string(), bytes))
        });
        encoded.collect()
    }

    /// Which workers may have a class that this one has not, as far as it knows.
    pub(super) fn who_may_run(&self, class: &str) -> String {
        let group = &self.group;
        if !group.is_leader() {
            let leader = group.leader.as_ref();
            return leader.map_or_else(String::new, |leader| {
                format!("; the leader of the group, {}, may have it", leader.url)
            });
        }
        let others = group
            .able
            .iter()
            .filter(|(url, _)| *url != self.settings.url);
        // Apache's workers don't say.
        let able = others.filter(|(_, plugins)| {
            let plugins = plugins.as_ref();
            plugins.is_none_or(|plugins| plugins.contains(class))
        });
        let urls: Vec<&str> = able.map(|(url, _)| &**url).collect();
        match urls.is_empty() {
            true => "; no other worker of the group has it".to_owned(),
            false => format!(
                "; these workers of the group may have it: {}",
                urls.join(", ")
            ),
        }
    }

    /// Milliseconds of a clock that does not go backwards.
    fn monotonic_ms(&self) -> i64 {
        let since = self.now.at.saturating_duration_since(self.born);
        i64::try_from(since.as_millis())
            .unwrap_or(i64::MAX)
            .saturating_add(1)
    }

    fn configuration(&self) -> Configuration {
        let snapshot = self.config.snapshot();
        let connectors = snapshot.connectors().map(|name| ConfiguredConnector {
            name: Arc::clone(name),
            tasks: i32::try_from(snapshot.tasks(name).len()).unwrap_or(i32::MAX),
            plugins: snapshot
                .raw_connector_config(name)
                .map(|config| plugins(config))
                .unwrap_or_default(),
        });
        Configuration {
            offset: snapshot.offset(),
            connectors: connectors.collect(),
        }
    }

    /// A round is complete.
    pub fn joined(&mut self, round: Joined, now: Now) {
        self.now = now;
        let decoded = Assignment::decode(&round.assignment).map_err(|error| error.to_string());
        let protocol = ConnectProtocol::from_name(&round.protocol)
            .ok_or_else(|| format!("unknown protocol '{}'", round.protocol));
        match decoded.and_then(|assignment| Ok((assignment, protocol?))) {
            Ok((assignment, protocol)) => self.take_assignment(round, assignment, protocol),
            Err(error) => {
                tracing::error!(
                    error,
                    generation = round.generation,
                    "the leader's assignment can't be read"
                );
                self.leave("the assignment can't be read");
                self.back_off();
            }
        }
        self.go_on();
    }

    fn take_assignment(
        &mut self,
        round: Joined,
        assignment: Assignment,
        protocol: ConnectProtocol,
    ) {
        tracing::info!(
            generation = round.generation, %protocol, config_offset = assignment.config_offset,
            connectors = assignment.assigned.connectors.len(), tasks = assignment.assigned.tasks.len(),
            delay_ms = assignment.delay_ms, "Joined group"
        );
        self.warn_of_unsigned_requests(protocol);
        let delay = u64::try_from(assignment.delay_ms).unwrap_or(0);
        let failed = assignment.failed();
        let barrier = barrier(&round.assignment).unwrap_or(assignment.config_offset);
        let group = &mut self.group;
        // The others do not know what ran here when it joined.
        let downgraded = protocol == ConnectProtocol::Eager && group.protocol > protocol;
        group.barrier = barrier;
        group.protocol = protocol;
        group.generation = round.generation;
        group.member_id = round.member_id;
        group.leader = Some(Leader {
            id: Arc::clone(&assignment.leader),
            url: Arc::clone(&assignment.leader_url),
        });
        group.offset = assignment.config_offset;
        group.failed = failed;
        group.revoked = !assignment.revoked.is_empty() || downgraded;
        group.scheduled = (delay > 0).then(|| self.now.at + Duration::from_millis(delay));
        let mut assigned = group.assigned.take().unwrap_or_default();
        match protocol {
            ConnectProtocol::Eager if downgraded => assigned = ConnectorsAndTasks::default(),
            ConnectProtocol::Eager => assigned = assignment.assigned,
            _ => {
                assigned.remove(&assignment.revoked);
                assigned.add(&assignment.assigned);
            }
        }
        group.phase = Phase::Revoking(self.now.at + self.settings.graceful_timeout + FLUSH_LIMIT);
        let leads = group.is_leader();
        if !leads {
            group.leader_state = None;
        }
        // What stays is not looked at; a place that is not in the assignment any more is given up.
        self.place_assigned(&assigned);
        self.group.assigned = Some(assigned);
    }

    /// Goes from one phase to the next where that is possible.
    pub(super) fn rebalance(&mut self) {
        if let Phase::Revoking(until) = self.group.phase {
            self.reconcile();
            let stopped = !self.is_giving_up() && self.statuses.is_empty();
            if stopped || self.now.at >= until {
                self.revoked();
            }
        }
        if self.group.prepare && !matches!(self.group.phase, Phase::Revoking(_)) {
            self.reconcile();
            if !self.is_behind() {
                self.join();
            }
        }
    }

    /// Whether instances that are not ours any more still run.
    fn is_giving_up(&self) -> bool {
        let mut live = self.work.live();
        live.any(|(item, _)| !self.group.owns(item))
    }

    /// Whether tasks still run with configurations that are not those of the topic any more. Who joins
    /// says that there are none: others may start the present ones then.
    fn is_behind(&self) -> bool {
        let mut live = self.work.live();
        live.any(|(item, slot)| item.task.is_some() && (slot.wanted || !self.is_ours(item)))
    }

    fn join(&mut self) {
        let state = WorkerState {
            url: Arc::clone(&self.settings.url),
            config_offset: self.config.snapshot().offset(),
            assignment: self.group.assignment(),
            plugins: Some(self.settings.plugins.clone()),
        };
        self.group.prepare = false;
        self.group.unsettled = None;
        match metadata_request(&state, self.settings.protocol) {
            Ok(mut metadata) => {
                let assigned = self.group.assigned.as_ref();
                if assigned.is_some_and(|assigned| !assigned.is_empty()) {
                    let eager = ConnectProtocol::Eager.name();
                    let mut metadata = metadata.iter_mut();
                    if let Some((_, bytes)) = metadata.find(|(name, _)| *name == eager) {
                        append_holds_work(bytes);
                    }
                }
                self.group.phase = Phase::Joining;
                self.outputs
                    .push(Output::Group(GroupCommand::Join(metadata)));
            }
            Err(error) => {
                tracing::error!(%error, "this worker can't join its group: rest.advertised.host.name or the names of its connectors are too long");
            }
        }
    }

    /// What the round took away is gone: reads what the leader had read, then starts what it gave.
    fn revoked(&mut self) {
        let behind = self.config.snapshot().offset() < self.group.offset;
        if self.group.assigned.is_none() {
            // Before an eager round.
            self.group.phase = Phase::Joining;
        } else if behind || (self.group.failed && self.group.is_leader()) {
            self.catch_up();
        } else {
            self.resolved();
        }
    }

    fn catch_up(&mut self) {
        let token = self.token();
        let until = self.now.at + self.settings.sync_timeout;
        self.group.phase = Phase::CatchingUp(token, until);
        self.outputs
            .push(Output::Config(ConfigCommand::ReadToEnd(token)));
    }

    /// The config topic was read for [`Machine::catch_up`]; `false` when it was asked for by others.
    pub(super) fn caught_up(&mut self, token: Token, result: &Result<(), WriteError>) -> bool {
        let Phase::CatchingUp(known, _) = self.group.phase else {
            return false;
        };
        if known != token {
            return false;
        }
        match result {
            Ok(()) if self.group.generation < 0 => {
                self.group.sync_retries = SYNC_RETRIES;
                self.group.phase = Phase::Out;
                self.request_join("the config topic could be read again");
            }
            Ok(()) => {
                self.group.sync_retries = SYNC_RETRIES;
                self.resolved();
            }
            Err(error) => self.out_of_sync(&error.message),
        }
        true
    }

    fn resolved(&mut self) {
        self.group.phase = Phase::Resolved;
        if self.group.failed {
            // The leader has read on; with it all join again.
            if self.group.is_leader() {
                self.request_join("the leader could not make an assignment");
            }
            return;
        }
        if self.group.is_leader() {
            self.forget_deleted();
        }
        tracing::info!(
            "Starting connectors and tasks using config offset {}",
            self.group.offset
        );
        if std::mem::take(&mut self.group.revoked) {
            self.request_join("what was revoked is to be handed out");
        }
        self.ask_for_settling();
    }

    pub(super) fn catch_up_overdue(&mut self) {
        if let Phase::CatchingUp(_, until) = self.group.phase
            && self.now.at >= until
        {
            self.out_of_sync("it was not read in time");
        }
    }

    /// Leaves the group, so that it does not wait for a worker that can't follow, and comes back later.
    fn out_of_sync(&mut self, reason: &str) {
        tracing::warn!(
            reason,
            "the config topic can't be read up to where the leader has read it: leaving the group for now"
        );
        self.leave("taking too long to read the log");
        self.back_off();
    }

    fn back_off(&mut self) {
        self.group.assignor = assignor(&self.settings);
        let group = &mut self.group;
        group.forget();
        let wait = if group.protocol == ConnectProtocol::Eager {
            self.settings.unsync_backoff
        } else if group.sync_retries > 0 {
            let max = u64::try_from(self.settings.rebalance_max_delay_ms).unwrap_or(0);
            let wait = Duration::from_millis(max / 10 / u64::from(group.sync_retries));
            group.sync_retries -= 1;
            wait
        } else {
            Duration::ZERO
        };
        let wait = wait.max(Duration::from_millis(100));
        group.backing_off = Some(self.now.at + wait);
        // Out of the group, others get what ran here.
        self.cancel_everything();
    }

    pub(super) fn rejoin_when_due(&mut self) {
        let now = self.now.at;
        let due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if due(self.group.backing_off) {
            self.group.backing_off = None;
            self.catch_up();
        }
        if due(self.group.scheduled) {
            self.group.scheduled = None;
            self.request_join("the scheduled rebalance is due");
        }
    }
}

fn assignor(settings: &Settings) -> GroupAssignor {
    GroupAssignor::new(settings.rebalance_max_delay_ms, settings.lost_tasks)
}

/// What a worker needs to run a connector and its tasks: the classes that its configuration names.
fn plugins(config: &ConfigMap) -> Vec<String> {
    let class = |key: &str| config.get(key).cloned().flatten();
    let direct = [
        "connector.class",
        "key.converter",
        "value.converter",
        "header.converter",
    ];
    let mut found: Vec<String> = direct.into_iter().filter_map(class).collect();
    for (list, prefix) in [("transforms", "transforms."), ("predicates", "predicates.")] {
        let aliases = class(list).unwrap_or_default();
        let types = aliases
            .split(',')
            .map(str::trim)
            .filter(|alias| !alias.is_empty());
        found.extend(types.filter_map(|alias| class(&format!("{prefix}{alias}.type"))));
    }
    found.iter().map(|name| name.trim().to_owned()).collect()
}
