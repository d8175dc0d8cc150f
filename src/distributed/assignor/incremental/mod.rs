//! Only what must move, moves (Kafka: `IncrementalCooperativeAssignor`, KIP-415; contract 5.4).
//!
//! What was lost with a worker is kept back for a while, in case the worker comes back ([`lost`]); what
//! somebody has too much of is revoked in one round and handed out in the next ([`balance`]).

mod backoff;
mod balance;
mod lost;

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexSet;

use super::load::{self, WorkerLoad, intersection, sorted_difference};
use super::ringmain::{Placement, Rules};
use super::round::{AssignorError, Checked, Given, GroupAssignment, Round};
use crate::distributed::ConnectorsAndTasks;

/// The leader's memory of the rounds before, and the next one. One value serves one stay in a group; a
/// new leader begins with a new one.
#[derive(Debug, Clone)]
pub struct IncrementalCooperativeAssignor {
    /// `scheduled.rebalance.max.delay.ms`.
    max_delay_ms: i32,
    /// What was running after the last round, and what was lost by then and not handed out again.
    previous_assignment: ConnectorsAndTasks,
    /// What the last round revoked.
    previous_revocation: ConnectorsAndTasks,
    previous_members: HashSet<Arc<str>>,
    /// Generation of the last round, −1 for none.
    previous_generation: i32,
    /// Whether the last round, or one that it followed on, revoked something to balance the load.
    revoked_in_previous: bool,
    /// Rounds in a row that would revoke something to balance the load.
    successive_revocations: u32,
    /// Members without work while something was lost: they may be the lost worker, come back.
    candidates: IndexSet<Arc<str>>,
    /// When the delayed round is due; 0 for none.
    scheduled_rebalance_ms: i64,
    /// What members are told to wait for it.
    delay_ms: i32,
}

/// The sets that a round works with.
#[derive(Debug)]
struct Derived {
    configured: ConnectorsAndTasks,
    /// Ran, and is configured no longer.
    deleted: ConnectorsAndTasks,
    duplicated: ConnectorsAndTasks,
    /// Ran, is still configured, and nobody has it.
    lost: ConnectorsAndTasks,
    /// Configured, and neither ran nor runs.
    created: ConnectorsAndTasks,
}

impl IncrementalCooperativeAssignor {
    /// An assignor that has seen no round. `max_delay_ms` is `scheduled.rebalance.max.delay.ms`; below 0
    /// counts as 0.
    pub fn new(max_delay_ms: i32) -> Self {
        Self {
            max_delay_ms: max_delay_ms.max(0),
            previous_assignment: ConnectorsAndTasks::default(),
            previous_revocation: ConnectorsAndTasks::default(),
            previous_members: HashSet::new(),
            previous_generation: -1,
            revoked_in_previous: false,
            successive_revocations: 0,
            candidates: IndexSet::new(),
            scheduled_rebalance_ms: 0,
            delay_ms: 0,
        }
    }

    /// Assigns as Apache's leader.
    ///
    /// # Errors
    /// [`AssignorError::LeaderNotMember`].
    pub fn perform_assignment(
        &mut self,
        round: Round<'_>,
    ) -> Result<GroupAssignment, AssignorError> {
        self.perform(round, Rules::APACHE)
    }

    /// As [`Self::perform_assignment`], by rules of Ringmain's own.
    pub(super) fn perform(
        &mut self,
        round: Round<'_>,
        rules: Rules,
    ) -> Result<GroupAssignment, AssignorError> {
        let checked = Checked::new(round)?;
        let Some((configuration, offset)) = checked.configuration() else {
            return Ok(checked.mismatch());
        };
        let placement = rules.placement(&checked.members, configuration);
        let members = checked.members.iter().enumerate();
        let loads = members.map(|(index, member)| {
            let assignment = member.state.assignment.as_ref();
            WorkerLoad {
                member: index,
                id: Arc::clone(&member.id),
                work: assignment
                    .map(|assignment| assignment.assigned.clone())
                    .unwrap_or_default(),
            }
        });
        let loads: Vec<WorkerLoad> = loads.collect();
        if self.previous_generation != round.last_completed_generation {
            // An assignment that did not reach the group says nothing about what runs.
            self.previous_assignment = ConnectorsAndTasks::default();
        }
        let derived = self.derive(configuration.configured(), &loads);
        let given = self.assign(&derived, loads, round.now_ms, rules, placement.as_ref());
        self.previous_generation = round.generation;
        Ok(checked.assigned(offset, &given, self.delay_ms))
    }

    /// Whether a round is scheduled.
    pub(super) fn waits(&self) -> bool {
        self.scheduled_rebalance_ms > 0
    }

    /// Whether the last round revoked something to balance the load.
    pub(super) fn revoked_in_previous(&self) -> bool {
        self.revoked_in_previous
    }

    fn derive(&mut self, configured: ConnectorsAndTasks, loads: &[WorkerLoad]) -> Derived {
        let mut active = ConnectorsAndTasks::default();
        for load in loads {
            active.add(&load.work);
        }
        let revocation = std::mem::take(&mut self.previous_revocation);
        if revocation.overlaps(&active) {
            // It did not take effect, so what members say holds.
            self.previous_assignment = active.clone();
        }
        let previous = &self.previous_assignment;
        let deleted = sorted_difference(previous, &[&configured]);
        Derived {
            duplicated: load::duplicated(loads),
            lost: sorted_difference(previous, &[&active, &deleted]),
            created: sorted_difference(&configured, &[previous, &active]),
            deleted,
            configured,
        }
    }

    fn assign(
        &mut self,
        derived: &Derived,
        current: Vec<WorkerLoad>,
        now_ms: i64,
        rules: Rules,
        placement: Option<&Placement>,
    ) -> Vec<Given> {
        let mut next = current.clone();
        let mut revoked = Vec::with_capacity(next.len());
        for load in &mut next {
            let mut revoke = intersection(&load.work, &derived.deleted);
            revoke.add(&intersection(&load.work, &derived.duplicated));
            load.work.remove(&revoke);
            revoked.push(revoke);
        }
        let mut to_assign = derived.created.clone();
        to_assign.add(&match rules.lost_at_once {
            true => self.reassign_lost(&derived.lost, now_ms),
            false => self.handle_lost(&derived.lost, &mut next, now_ms, placement.is_some()),
        });
        let additions = self.balance(
            &derived.configured,
            &mut next,
            &to_assign,
            &mut revoked,
            now_ms,
            placement,
        );
        match additions {
            Some(additions) => {
                for (load, more) in next.iter_mut().zip(&additions) {
                    load.work.add(more);
                }
            }
            None => {
                load::deal(&mut next, &to_assign.connectors);
                load::deal(&mut next, &to_assign.tasks);
            }
        }
        self.remember(&next, &revoked, &derived.lost);
        let mut given = vec![Given::default(); current.len()];
        for load in next {
            let assigned = load.work.without(&current[load.member].work);
            given[load.member].assigned = assigned;
            given[load.member].all = load.work.without(&revoked[load.member]);
        }
        for (given, revoked) in given.iter_mut().zip(revoked) {
            given.revoked = revoked;
        }
        given
    }

    /// Revokes what somebody has too much of, unless a delay runs; by a placement, says where what is to
    /// be assigned goes.
    fn balance(
        &mut self,
        configured: &ConnectorsAndTasks,
        next: &mut [WorkerLoad],
        to_assign: &ConnectorsAndTasks,
        revoked: &mut [ConnectorsAndTasks],
        now_ms: i64,
        placement: Option<&Placement>,
    ) -> Option<Vec<ConnectorsAndTasks>> {
        let mut plan = None;
        if self.delay_ms == 0 {
            let revocations = match placement {
                Some(placement) => {
                    let found = placement.plan(next, to_assign);
                    plan = Some(found.additions);
                    found.revocations
                }
                None => balance::revocations(configured, next),
            };
            let wanted = revocations.iter().any(|revoke| !revoke.is_empty());
            if self.may_revoke(wanted, now_ms) {
                for ((load, revoke), revoked) in next.iter_mut().zip(&revocations).zip(revoked) {
                    load.work.remove(revoke);
                    revoked.add(revoke);
                }
            } else if wanted {
                plan = None;
            }
        } else {
            self.revoked_in_previous = false;
        }
        let placement = placement?;
        Some(plan.unwrap_or_else(|| placement.additions(next, to_assign)))
    }

    /// Whether this round may revoke to balance the load: not twice in a row without a pause, which grows.
    fn may_revoke(&mut self, wanted: bool, now_ms: i64) -> bool {
        if !wanted {
            if self.revoked_in_previous {
                self.revoked_in_previous = false;
                self.successive_revocations = 0;
            }
            return false;
        }
        if !self.revoked_in_previous {
            self.revoked_in_previous = true;
            return true;
        }
        self.successive_revocations = self.successive_revocations.saturating_add(1);
        self.delay_ms = backoff::delay_ms(self.max_delay_ms, self.successive_revocations);
        if self.delay_ms == 0 {
            return true;
        }
        self.scheduled_rebalance_ms = now_ms + i64::from(self.delay_ms);
        false
    }

    fn remember(
        &mut self,
        next: &[WorkerLoad],
        revoked: &[ConnectorsAndTasks],
        lost: &ConnectorsAndTasks,
    ) {
        let mut running = ConnectorsAndTasks::default();
        for load in next {
            running.add(&load.work);
        }
        for revoked in revoked {
            running.remove(revoked);
            self.previous_revocation.add(revoked);
        }
        running.add(lost);
        self.previous_assignment = running;
        self.previous_members = next.iter().map(|load| Arc::clone(&load.id)).collect();
    }
}
