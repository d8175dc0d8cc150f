//! What goes into a round and what comes out of it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexSet;

use crate::distributed::java_order::{JavaKey, hash_order};
use crate::distributed::protocol::{
    Assignment, CONFIG_MISMATCH, ConnectProtocol, NO_ERROR, WorkerState,
};
use crate::distributed::{ConnectorTaskId, ConnectorsAndTasks};

/// A member of the group, as it joined.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its id, which the coordinator gave it.
    pub id: Arc<str>,
    /// What it said.
    pub state: WorkerState,
}

/// What the config topic says, up to an offset.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// Offset after the last record that was read.
    pub offset: i64,
    /// The connectors, in any order; names are unique.
    pub connectors: Vec<ConfiguredConnector>,
}

/// A connector, as far as it matters to who runs it.
#[derive(Debug, Clone)]
pub struct ConfiguredConnector {
    /// Its name.
    pub name: Arc<str>,
    /// Its number of tasks; 0 for an inconsistent connector, whose tasks are not assigned.
    pub tasks: i32,
    /// Plugins that a worker needs to run it and its tasks, as they stand in its configuration:
    /// `connector.class`, and converters and transforms where they are to count.
    pub plugins: Vec<String>,
}

impl Configuration {
    /// All of it: connectors as Java's `TreeSet` sorts them, and their tasks.
    pub(super) fn configured(&self) -> ConnectorsAndTasks {
        let mut names: Vec<&ConfiguredConnector> = self.connectors.iter().collect();
        names.sort_by(|one, other| one.name.java_cmp(&other.name));
        let mut work = ConnectorsAndTasks::default();
        for connector in names {
            work.connectors.insert(Arc::clone(&connector.name));
            for task in 0..connector.tasks {
                let connector = Arc::clone(&connector.name);
                work.tasks.insert(ConnectorTaskId { connector, task });
            }
        }
        work
    }
}

/// A round of a rebalance, seen by the leader.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// Member id of the leader.
    pub leader: &'a str,
    /// The protocol that the coordinator chose.
    pub protocol: ConnectProtocol,
    /// All members, as the coordinator lists them.
    pub members: &'a [Member],
    /// The configuration that the leader said it has when it joined.
    pub snapshot: &'a Configuration,
    /// The configuration that the leader has now, which may be newer.
    pub latest: &'a Configuration,
    /// Generation of the group that is being formed.
    pub generation: i32,
    /// The last generation in which this worker got an assignment, −1 for none.
    pub last_completed_generation: i32,
    /// Milliseconds of any clock that does not go backwards.
    pub now_ms: i64,
}

/// Why there is no assignment. The coordinator never makes such a round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssignorError {
    /// The leader is not among the members.
    #[error("the leader {leader} is not among the {members} members of the group")]
    LeaderNotMember {
        /// Member id of the leader.
        leader: String,
        /// How many members there are.
        members: usize,
    },
}

/// What a round came to.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupAssignment {
    /// An assignment for each member, by member id.
    pub assignments: Vec<(Arc<str>, Assignment)>,
    /// Who runs what from now on; `None` when the leader has not read far enough ([`CONFIG_MISMATCH`]).
    pub leader_state: Option<LeaderState>,
    /// Whether [`Round::latest`] was used, which then is the leader's snapshot for this generation.
    pub used_latest: bool,
}

/// Who runs what, so that the leader can send requests there (Kafka: `WorkerCoordinator.LeaderState`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeaderState {
    urls: HashMap<Arc<str>, Arc<str>>,
    connectors: HashMap<Arc<str>, Arc<str>>,
    tasks: HashMap<ConnectorTaskId, Arc<str>>,
}

impl LeaderState {
    /// REST URL of the worker that runs a connector; `None` when nobody does.
    pub fn connector_url(&self, connector: &str) -> Option<&str> {
        self.urls
            .get(self.connectors.get(connector)?)
            .map(|url| &**url)
    }

    /// REST URL of the worker that runs a task; `None` when nobody does.
    pub fn task_url(&self, task: &ConnectorTaskId) -> Option<&str> {
        self.urls.get(self.tasks.get(task)?).map(|url| &**url)
    }

    /// Connectors and the ids of the members that run them.
    pub fn connector_owners(&self) -> impl Iterator<Item = (&str, &str)> {
        let owners = self.connectors.iter();
        owners.map(|(connector, member)| (&**connector, &**member))
    }

    /// Tasks and the ids of the members that run them.
    pub fn task_owners(&self) -> impl Iterator<Item = (&ConnectorTaskId, &str)> {
        self.tasks.iter().map(|(task, member)| (task, &**member))
    }
}

/// What one member gets in a round.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) assigned: ConnectorsAndTasks,
    pub(super) revoked: ConnectorsAndTasks,
    /// Everything that it runs afterwards.
    pub(super) all: ConnectorsAndTasks,
}

/// A round that was looked at.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    round: Round<'a>,
    leader: Arc<str>,
    leader_url: Arc<str>,
    /// The members as Java's `HashMap` of them iterates, each id once.
    pub(super) members: Vec<&'a Member>,
    /// Greatest offset that a member knows.
    max_offset: i64,
}

impl<'a> Checked<'a> {
    pub(super) fn new(round: Round<'a>) -> Result<Self, AssignorError> {
        let leader = round
            .members
            .iter()
            .rfind(|member| &*member.id == round.leader);
        let leader = leader.ok_or_else(|| AssignorError::LeaderNotMember {
            leader: round.leader.to_owned(),
            members: round.members.len(),
        })?;
        let by_id: HashMap<&str, &Member> = round
            .members
            .iter()
            .map(|member| (&*member.id, member))
            .collect();
        let ids = round.members.iter().map(|member| Arc::clone(&member.id));
        let ids: IndexSet<Arc<str>> = ids.collect();
        let mut ids = Vec::from_iter(ids);
        hash_order(&mut ids);
        let members: Vec<&Member> = ids
            .iter()
            .filter_map(|id| by_id.get(&**id).copied())
            .collect();
        let offsets = members.iter().map(|member| member.state.config_offset);
        Ok(Self {
            leader: Arc::clone(&leader.id),
            leader_url: Arc::clone(&leader.state.url),
            max_offset: offsets.max().unwrap_or(leader.state.config_offset),
            members,
            round,
        })
    }

    /// The configuration to assign from and its offset; `None` when the leader has not read as far as
    /// some member.
    pub(super) fn configuration(&self) -> Option<(&'a Configuration, i64)> {
        if self.round.snapshot.offset >= self.max_offset {
            return Some((self.round.snapshot, self.max_offset));
        }
        let latest = self.round.latest;
        (latest.offset >= self.max_offset).then_some((latest, latest.offset))
    }

    /// The answer when there is no configuration to assign from: read on and join again.
    pub(super) fn mismatch(&self) -> GroupAssignment {
        let given = vec![Given::default(); self.members.len()];
        GroupAssignment {
            assignments: self.assignments(CONFIG_MISMATCH, self.max_offset, &given, 0),
            leader_state: None,
            used_latest: false,
        }
    }

    /// The answer, with what the members get in the order of [`Checked::members`].
    pub(super) fn assigned(&self, offset: i64, given: &[Given], delay_ms: i32) -> GroupAssignment {
        let mut state = LeaderState::default();
        for (member, given) in self.members.iter().zip(given) {
            let id = &member.id;
            state
                .urls
                .insert(Arc::clone(id), Arc::clone(&member.state.url));
            let connectors = given.all.connectors.iter();
            let owned = connectors.map(|name| (Arc::clone(name), Arc::clone(id)));
            state.connectors.extend(owned);
            let owned = given
                .all
                .tasks
                .iter()
                .map(|task| (task.clone(), Arc::clone(id)));
            state.tasks.extend(owned);
        }
        GroupAssignment {
            assignments: self.assignments(NO_ERROR, offset, given, delay_ms),
            leader_state: Some(state),
            used_latest: self.round.snapshot.offset < self.max_offset,
        }
    }

    fn assignments(
        &self,
        error: i16,
        config_offset: i64,
        given: &[Given],
        delay_ms: i32,
    ) -> Vec<(Arc<str>, Assignment)> {
        let assignment = |given: &Given| Assignment {
            version: self.round.protocol.version(),
            error,
            leader: Arc::clone(&self.leader),
            leader_url: Arc::clone(&self.leader_url),
            config_offset,
            assigned: given.assigned.clone(),
            revoked: given.revoked.clone(),
            delay_ms,
        };
        let members = self.members.iter().zip(given);
        members
            .map(|(member, given)| (Arc::clone(&member.id), assignment(given)))
            .collect()
    }
}

/// By id, as Java compares strings.
pub(super) fn by_id(one: &Member, other: &Member) -> Ordering {
    one.id.java_cmp(&other.id)
}
