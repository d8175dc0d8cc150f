//! What `IncrementalCooperativeAssignorTest` and `WorkerCoordinatorTest` of Apache ask, on a group whose
//! workers do what they are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::distributed::protocol::{Assignment, CONFIG_MISMATCH, ConnectProtocol, WorkerState};
use crate::distributed::{ConnectorTaskId, ConnectorsAndTasks};

pub(super) const MAX_DELAY_MS: i32 = 300_000;

/// A group and its leader's assignor.
pub(super) struct Group<A> {
    pub(super) assignor: A,
    pub(super) protocol: ConnectProtocol,
    pub(super) configuration: Configuration,
    /// What each member runs and said, by id.
    pub(super) workers: BTreeMap<String, WorkerState>,
    pub(super) now_ms: i64,
    generation: i32,
    completed: i32,
    /// What the last round told every member to wait.
    pub(super) delay_ms: i32,
}

/// An assignor of either kind.
pub(super) trait Assign {
    fn assign(&mut self, round: Round<'_>) -> Result<GroupAssignment, AssignorError>;
}

impl Assign for IncrementalCooperativeAssignor {
    fn assign(&mut self, round: Round<'_>) -> Result<GroupAssignment, AssignorError> {
        self.perform_assignment(round)
    }
}

impl Assign for EagerAssignor {
    fn assign(&mut self, round: Round<'_>) -> Result<GroupAssignment, AssignorError> {
        Self::perform_assignment(round)
    }
}

impl<A: Assign> Group<A> {
    pub(super) fn new(assignor: A, workers: &[&str], connectors: &[(&str, i32)]) -> Self {
        let mut group = Self {
            assignor,
            protocol: ConnectProtocol::Sessioned,
            configuration: Configuration::default(),
            workers: BTreeMap::new(),
            now_ms: 1_000,
            generation: 0,
            completed: -1,
            delay_ms: 0,
        };
        for worker in workers {
            group.join(worker);
        }
        for (connector, tasks) in connectors {
            group.configure(connector, *tasks);
        }
        group
    }

    pub(super) fn join(&mut self, worker: &str) {
        let state = WorkerState {
            url: format!("http://{worker}:8083").into(),
            config_offset: 1,
            assignment: None,
            plugins: None,
        };
        self.workers.insert(worker.to_owned(), state);
    }

    /// Gives what it ran and where.
    pub(super) fn leave(&mut self, worker: &str) -> WorkerState {
        self.workers.remove(worker).unwrap()
    }

    pub(super) fn configure(&mut self, name: &str, tasks: i32) {
        self.configuration.offset = 1;
        self.configuration
            .connectors
            .retain(|known| &*known.name != name);
        self.configuration.connectors.push(ConfiguredConnector {
            name: name.into(),
            tasks,
            plugins: vec![name.to_owned()],
        });
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.configuration
            .connectors
            .retain(|known| &*known.name != name);
    }

    /// A round whose answer no member gets.
    pub(super) fn round_that_fails(&mut self) -> GroupAssignment {
        self.generation += 1;
        let members = self.workers.iter().map(|(id, state)| Member {
            id: id.as_str().into(),
            state: state.clone(),
        });
        let members: Vec<Member> = members.collect();
        let leader = &members[0].id;
        let assigned = self.assignor.assign(Round {
            leader,
            protocol: self.protocol,
            members: &members,
            snapshot: &self.configuration,
            latest: &self.configuration,
            generation: self.generation,
            last_completed_generation: self.completed,
            now_ms: self.now_ms,
        });
        assigned.unwrap()
    }

    /// A round whose answer does not reach some members.
    pub(super) fn round_without(&mut self, deaf: &[&str]) -> GroupAssignment {
        let assigned = self.round_that_fails();
        self.completed = self.generation;
        for (id, assignment) in &assigned.assignments {
            self.delay_ms = assignment.delay_ms;
            if !deaf.contains(&&**id) {
                follow(self.workers.get_mut(&**id).unwrap(), assignment);
            }
        }
        assigned
    }

    pub(super) fn round(&mut self) -> GroupAssignment {
        self.round_without(&[])
    }

    /// Rounds until nothing moves and nobody waits; how many there were. Time passes as asked for.
    pub(super) fn settle(&mut self) -> usize {
        for rounds in 1..20 {
            let assigned = self.round();
            let moved = assigned.assignments.iter().any(|(_, assignment)| {
                !assignment.assigned.is_empty() || !assignment.revoked.is_empty()
            });
            self.now_ms += i64::from(self.delay_ms);
            if !moved && self.delay_ms == 0 {
                self.assert_complete();
                return rounds;
            }
        }
        panic!("a group that never settles");
    }

    /// Connectors and tasks of each worker, as numbers.
    pub(super) fn counts(&self) -> Vec<(usize, usize)> {
        let runs = self.workers.values().map(runs);
        runs.map(|work| (work.connectors.len(), work.tasks.len()))
            .collect()
    }

    /// Everything that is configured runs, once.
    pub(super) fn assert_complete(&self) {
        let mut connectors: Vec<Arc<str>> = Vec::new();
        let mut tasks: Vec<String> = Vec::new();
        for worker in self.workers.values() {
            connectors.extend(runs(worker).connectors);
            tasks.extend(runs(worker).tasks.iter().map(ToString::to_string));
        }
        connectors.sort();
        tasks.sort();
        let configured = self.configuration.configured();
        let mut expected = Vec::from_iter(configured.connectors);
        expected.sort();
        assert_eq!(connectors, expected);
        let mut expected: Vec<String> = configured.tasks.iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(tasks, expected);
    }
}

pub(super) fn runs(worker: &WorkerState) -> ConnectorsAndTasks {
    let assignment = worker.assignment.as_ref();
    assignment
        .map(|assignment| assignment.assigned.clone())
        .unwrap_or_default()
}

/// As `WorkerCoordinator.onJoinComplete`.
fn follow(worker: &mut WorkerState, assignment: &Assignment) {
    let mut new = assignment.clone();
    if assignment.version > 0 {
        let before = runs(worker).without(&assignment.revoked);
        new.assigned.add(&before);
    }
    worker.assignment = Some(new);
}

pub(super) fn of<'a>(assigned: &'a GroupAssignment, worker: &str) -> &'a Assignment {
    let mut assignments = assigned.assignments.iter();
    &assignments.find(|(id, _)| &**id == worker).unwrap().1
}

fn incremental(
    workers: &[&str],
    connectors: &[(&str, i32)],
) -> Group<IncrementalCooperativeAssignor> {
    let assignor = IncrementalCooperativeAssignor::new(MAX_DELAY_MS);
    Group::new(assignor, workers, connectors)
}

const TWO: &[(&str, i32)] = &[("connector1", 4), ("connector2", 4)];

#[test]
fn a_worker_that_joins_gets_its_share_in_the_round_after_the_revocation() {
    let mut group = incremental(&["worker1"], TWO);
    group.round();
    assert_eq!(group.counts(), [(2, 8)]);
    group.join("worker2");
    let assigned = group.round();
    assert_eq!(of(&assigned, "worker1").revoked.tasks.len(), 4);
    assert_eq!(group.counts(), [(1, 4), (0, 0)]);
    group.round();
    assert_eq!(group.counts(), [(1, 4), (1, 4)]);
    assert_eq!(group.delay_ms, 0);
    assert_eq!(group.settle(), 1);
}

#[test]
fn the_tasks_of_a_lost_worker_move_after_the_delay() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.settle();
    group.leave("worker2");
    group.round();
    assert_eq!(
        (group.counts(), group.delay_ms),
        (vec![(1, 4)], MAX_DELAY_MS)
    );
    group.now_ms += i64::from(MAX_DELAY_MS) / 2;
    group.round();
    assert_eq!(group.delay_ms, MAX_DELAY_MS / 2);
    group.now_ms += i64::from(MAX_DELAY_MS) / 2;
    group.round();
    assert_eq!((group.counts(), group.delay_ms), (vec![(2, 8)], 0));
    group.assert_complete();
}

#[test]
fn a_worker_that_comes_back_gets_what_it_had() {
    let mut group = incremental(&["worker1", "worker2", "worker3"], TWO);
    group.settle();
    let before = runs(&group.leave("worker2"));
    group.round();
    group.now_ms += 10_000;
    group.join("worker2");
    group.round();
    assert_eq!(group.delay_ms, MAX_DELAY_MS - 10_000);
    group.now_ms += i64::from(group.delay_ms);
    group.round();
    assert_eq!(runs(&group.workers["worker2"]), before);
    assert_eq!(group.settle(), 1);
}

#[test]
fn workers_that_came_meanwhile_share_what_was_lost() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.settle();
    group.leave("worker2");
    group.round();
    group.join("worker3");
    group.join("worker4");
    group.round();
    group.now_ms += i64::from(MAX_DELAY_MS);
    group.round();
    assert_eq!(group.workers.len(), 3);
    let tasks: Vec<usize> = group.counts().iter().map(|(_, tasks)| *tasks).collect();
    // Each gets two of the four; of the first worker one is revoked in the same round, to balance.
    assert_eq!(tasks, [3, 2, 2]);
    group.settle();
    group.assert_complete();
}

#[test]
fn candidates_that_are_gone_again_get_nothing() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.settle();
    group.leave("worker2");
    group.round();
    group.join("worker3");
    group.round();
    group.leave("worker3");
    group.now_ms += i64::from(MAX_DELAY_MS);
    group.round();
    assert_eq!(group.counts(), [(2, 8)]);
}

#[test]
fn without_a_delay_lost_tasks_move_and_the_load_is_balanced_at_once() {
    let assignor = IncrementalCooperativeAssignor::new(0);
    let mut group = Group::new(assignor, &["worker1", "worker2"], TWO);
    group.settle();
    group.leave("worker2");
    group.round();
    assert_eq!(group.counts(), [(2, 8)]);
    for worker in ["worker3", "worker4"] {
        group.join(worker);
        let assigned = group.round();
        assert!(!of(&assigned, "worker1").revoked.is_empty());
    }
    assert_eq!(group.delay_ms, 0);
    group.settle();
    let tasks: Vec<usize> = group.counts().iter().map(|(_, tasks)| *tasks).collect();
    assert_eq!(tasks.iter().sum::<usize>(), 8);
    assert!(
        tasks.iter().all(|tasks| (2..=3).contains(tasks)),
        "{tasks:?}"
    );
}

#[test]
fn a_leader_that_is_new_deals_what_the_lost_one_ran_at_once() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.settle();
    group.leave("worker1");
    group.assignor = IncrementalCooperativeAssignor::new(MAX_DELAY_MS);
    group.round();
    assert_eq!((group.counts(), group.delay_ms), (vec![(2, 8)], 0));
    group.assert_complete();
}

#[test]
fn after_a_generation_that_failed_what_members_say_counts() {
    let mut group = incremental(&["worker1"], TWO);
    group.round_that_fails();
    group.round_that_fails();
    assert_eq!(group.counts(), [(0, 0)]);
    group.round();
    assert_eq!((group.counts(), group.delay_ms), (vec![(2, 8)], 0));
    group.join("worker2");
    // The leader revoked, and no member was told.
    group.round_that_fails();
    assert_eq!(group.counts(), [(2, 8), (0, 0)]);
    group.settle();
    assert_eq!(group.counts(), [(1, 4), (1, 4)]);
}

#[test]
fn what_a_member_was_not_told_is_handed_out_anew() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.round_without(&["worker2"]);
    assert_eq!(group.counts(), [(1, 4), (0, 0)]);
    group.round();
    assert_eq!((group.counts(), group.delay_ms), (vec![(1, 4), (1, 4)], 0));
}

#[test]
fn a_revocation_that_a_member_was_not_told_is_made_again() {
    let mut group = incremental(&["worker1"], TWO);
    group.settle();
    group.join("worker2");
    group.round_without(&["worker1"]);
    assert_eq!(group.counts(), [(2, 8), (0, 0)]);
    // It still has all, so nothing is lost; only the pause between two revocations keeps the load as it is.
    group.round();
    assert_eq!((group.counts(), group.delay_ms), (vec![(2, 8), (0, 0)], 40));
    group.now_ms += 40;
    group.settle();
    assert_eq!(group.counts(), [(1, 4), (1, 4)]);
}

#[test]
fn revocations_in_a_row_wait_longer_and_longer() {
    let mut group = incremental(&["worker1"], &[("connector1", 100)]);
    group.settle();
    let mut delays = Vec::new();
    for round in 0..6 {
        group.join(&format!("worker-{round}"));
        group.round();
        delays.push(group.delay_ms);
        group.now_ms += i64::from(group.delay_ms);
    }
    // A revocation, the pause, and once that is over a revocation again.
    assert_eq!(delays, [0, 40, 0, 1_600, 0, 64_000]);
}

#[test]
fn a_worker_that_joins_during_a_delay_is_not_given_a_share_of_others_before_its_end() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.settle();
    group.leave("worker2");
    group.round();
    group.join("worker3");
    let assigned = group.round();
    assert!(of(&assigned, "worker1").revoked.is_empty());
    assert_eq!(group.counts(), [(1, 4), (0, 0)]);
    group.configure("connector3", 2);
    group.round();
    // What is new does not wait.
    assert_eq!(group.counts(), [(1, 4), (1, 2)]);
}

#[test]
fn deleted_connectors_and_tasks_are_revoked_even_during_a_delay() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.settle();
    group.configure("connector2", 1);
    let assigned = group.round();
    let revoked: usize = assigned
        .assignments
        .iter()
        .map(|(_, a)| a.revoked.tasks.len())
        .sum();
    assert_eq!(revoked, 3);
    group.settle();
    group.leave("worker2");
    group.round();
    assert_eq!(group.delay_ms, MAX_DELAY_MS);
    group.delete("connector1");
    group.delete("connector2");
    group.round();
    assert_eq!((group.counts(), group.delay_ms), (vec![(0, 0)], 0));
}

#[test]
fn what_two_workers_have_both_must_stop() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.settle();
    // A worker that missed its revocation comes back with what others have now.
    let task = ConnectorTaskId::new("connector1", 0);
    for state in group.workers.values_mut() {
        state
            .assignment
            .as_mut()
            .unwrap()
            .assigned
            .tasks
            .insert(task.clone());
    }
    let assigned = group.round();
    for worker in ["worker1", "worker2"] {
        assert!(of(&assigned, worker).revoked.tasks.contains(&task));
    }
    group.settle();
}

#[test]
fn new_tasks_go_to_who_has_the_fewest() {
    let mut group = incremental(&["worker1", "worker2", "worker3"], &[("connector1", 4)]);
    group.settle();
    assert_eq!(group.counts(), [(1, 2), (0, 1), (0, 1)]);
    group.configure("connector2", 5);
    group.round();
    assert_eq!(group.counts(), [(1, 3), (1, 3), (0, 3)]);
    assert_eq!(group.settle(), 1);
}

#[test]
fn workers_that_leave_and_join_leave_a_balanced_group() {
    let connectors: Vec<(String, i32)> = (0..13).map(|n| (format!("c{n}"), n % 5)).collect();
    let connectors: Vec<(&str, i32)> = connectors.iter().map(|(c, n)| (c.as_str(), *n)).collect();
    let mut group = incremental(&["worker1", "worker2"], &connectors);
    group.settle();
    for step in 0..8 {
        group.join(&format!("late-{step}"));
        if step % 3 == 2 {
            group.leave(&format!("late-{}", step - 1));
        }
        group.settle();
        let counts = group.counts();
        let spread = |count: fn(&(usize, usize)) -> usize| {
            let counts = counts.iter().map(count);
            counts.clone().max().unwrap() - counts.min().unwrap()
        };
        assert!(spread(|c| c.0) <= 1 && spread(|c| c.1) <= 1, "{counts:?}");
    }
}

#[test]
fn a_leader_that_is_behind_sends_all_to_read_on() {
    let mut group = incremental(&["worker1", "worker2"], TWO);
    group.workers.get_mut("worker2").unwrap().config_offset = 9;
    let assigned = group.round();
    for (_, assignment) in &assigned.assignments {
        assert!(assignment.failed());
        assert_eq!(
            (assignment.error, assignment.config_offset),
            (CONFIG_MISMATCH, 9)
        );
        assert!(assignment.assigned.is_empty());
    }
    assert_eq!(assigned.leader_state, None);
}

#[test]
fn a_leader_that_has_caught_up_assigns_from_what_it_has_now() {
    let mut group = incremental(&["worker1"], TWO);
    group.workers.get_mut("worker1").unwrap().config_offset = 5;
    let latest = Configuration {
        offset: 7,
        ..group.configuration.clone()
    };
    let members = [Member {
        id: "worker1".into(),
        state: group.workers["worker1"].clone(),
    }];
    let round = Round {
        leader: "worker1",
        protocol: ConnectProtocol::Compatible,
        members: &members,
        snapshot: &Configuration::default(),
        latest: &latest,
        generation: 1,
        last_completed_generation: -1,
        now_ms: 0,
    };
    let assigned = group.assignor.perform_assignment(round).unwrap();
    assert!(assigned.used_latest);
    let (_, assignment) = &assigned.assignments[0];
    assert_eq!((assignment.version, assignment.config_offset), (1, 7));
    assert_eq!(assignment.assigned.tasks.len(), 8);
    let stranger = Round {
        leader: "worker9",
        ..round
    };
    let error = group.assignor.perform_assignment(stranger).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the leader worker9 is not among the 1 members of the group"
    );
}

#[test]
fn the_leader_knows_where_everything_runs() {
    let mut group = incremental(&["worker1", "worker2"], &[("connector1", 1)]);
    let assigned = group.round();
    let state = assigned.leader_state.unwrap();
    let task = ConnectorTaskId::new("connector1", 0);
    assert_eq!(
        state.connector_url("connector1"),
        Some("http://worker1:8083")
    );
    assert_eq!(state.task_url(&task), Some("http://worker1:8083"));
    assert_eq!(state.connector_url("connector2"), None);
    assert_eq!(state.task_url(&ConnectorTaskId::new("connector1", 1)), None);
}

#[test]
fn the_eager_assignor_deals_connectors_and_then_tasks_in_a_circle() {
    let mut group = Group::new(EagerAssignor, &["worker1", "worker2", "worker3"], TWO);
    group.protocol = ConnectProtocol::Eager;
    let assigned = group.round();
    // Two connectors, then the first task goes to the third worker.
    let first = of(&assigned, "worker3");
    assert_eq!(first.version, 0);
    let tasks: Vec<String> = first
        .assigned
        .tasks
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(tasks, ["connector1-0", "connector1-3", "connector2-2"]);
    assert_eq!(group.counts(), [(1, 3), (1, 2), (0, 3)]);
    assert_eq!(
        assigned.leader_state.unwrap().connector_url("connector2"),
        Some("http://worker2:8083")
    );
    group.leave("worker1");
    group.round();
    group.assert_complete();
    assert_eq!(group.counts(), [(1, 4), (1, 4)]);
}
