//! What a Ringmain leader does otherwise than Apache's, on top of Apache's rules:
//!
//! * In a group of Ringmain workers only, what a lost worker ran moves at once ([`LostTasks`]): a start
//!   costs milliseconds here, and a worker that is out of its group stops what it runs by itself.
//! * Where workers say what they can run, a connector and its tasks go only to those that can run it
//!   ([`placement`]). Where all can run everything, or nobody says, this changes nothing.

mod lost;
mod placement;
mod spread;

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use placement::Placement;

use super::round::{AssignorError, Configuration, GroupAssignment, Member, Round};
use super::{EagerAssignor, IncrementalCooperativeAssignor};
use crate::distributed::protocol::ConnectProtocol;

#[cfg(test)]
mod tests;

/// When the connectors and tasks of a worker that is gone are given to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LostTasks {
    /// In the same round, if all members are Ringmain's and so were those that went. Otherwise as
    /// [`LostTasks::AfterDelay`]: an Apache worker may need time to stop what it runs, or to come back.
    #[default]
    AtOnceAmongRingmain,
    /// After `scheduled.rebalance.max.delay.ms`, as in Apache's groups.
    AfterDelay,
}

/// How far a round differs from Apache's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// What was lost is handed out in the same round.
    pub(super) lost_at_once: bool,
    /// What workers say that they can run counts.
    by_plugins: bool,
}

impl Rules {
    /// Not at all.
    pub(super) const APACHE: Self = Self {
        lost_at_once: false,
        by_plugins: false,
    };

    /// Who can run what, where that differs between members.
    pub(super) fn placement(
        self,
        members: &[&Member],
        configuration: &Configuration,
    ) -> Option<Placement> {
        match self.by_plugins {
            true => Placement::new(members, configuration),
            false => None,
        }
    }
}

/// The assignor of a Ringmain leader, for every protocol. One value serves one stay in a group.
#[derive(Debug, Clone)]
pub struct GroupAssignor {
    incremental: IncrementalCooperativeAssignor,
    lost: LostTasks,
    /// The members of the last round, and which are Ringmain's.
    previous: HashMap<Arc<str>, bool>,
    /// Whether a worker that is not Ringmain's went, and what it ran may still be waited for.
    apache_lost: bool,
}

impl GroupAssignor {
    /// An assignor that has seen no round, with the values of `scheduled.rebalance.max.delay.ms` and of
    /// the setting for lost tasks.
    pub fn new(max_delay_ms: i32, lost: LostTasks) -> Self {
        Self {
            incremental: IncrementalCooperativeAssignor::new(max_delay_ms),
            lost,
            previous: HashMap::new(),
            apache_lost: false,
        }
    }

    /// Assigns by the protocol that the coordinator chose.
    ///
    /// # Errors
    /// [`AssignorError::LeaderNotMember`].
    pub fn perform_assignment(
        &mut self,
        round: Round<'_>,
    ) -> Result<GroupAssignment, AssignorError> {
        let rules = self.rules(&round);
        let assigned = match round.protocol {
            ConnectProtocol::Eager => EagerAssignor::perform(round, rules),
            _ => self.incremental.perform(round, rules),
        }?;
        if assigned.leader_state.is_some() && !self.incremental.waits() {
            self.apache_lost = false;
        }
        Ok(assigned)
    }

    fn rules(&mut self, round: &Round<'_>) -> Rules {
        let members = round.members.iter();
        let members = members.map(|member| (Arc::clone(&member.id), is_ringmain(member)));
        let members: HashMap<Arc<str>, bool> = members.collect();
        let gone = |(id, ringmain): (&Arc<str>, &bool)| !ringmain && !members.contains_key(id);
        self.apache_lost |= self.previous.iter().any(gone);
        let among_ringmain = !self.apache_lost && members.values().all(|ringmain| *ringmain);
        self.previous = members;
        Rules {
            lost_at_once: among_ringmain && self.lost == LostTasks::AtOnceAmongRingmain,
            by_plugins: true,
        }
    }
}

/// Apache's workers don't say what they can run.
fn is_ringmain(member: &Member) -> bool {
    member.state.plugins.is_some()
}
