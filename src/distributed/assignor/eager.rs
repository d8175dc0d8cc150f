//! Everything anew in each round (Kafka: `EagerAssignor`, contract 5.3).

use indexmap::IndexSet;

use super::load::Resource;
use super::ringmain::{Placement, Rules};
use super::round::{AssignorError, Checked, Given, GroupAssignment, Round, by_id};

/// Deals connectors and then tasks to the members in turn, all sorted by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct EagerAssignor;

impl EagerAssignor {
    /// Assigns as Apache's leader.
    ///
    /// # Errors
    /// [`AssignorError::LeaderNotMember`].
    pub fn perform_assignment(round: Round<'_>) -> Result<GroupAssignment, AssignorError> {
        Self::perform(round, Rules::APACHE)
    }

    /// As [`Self::perform_assignment`]; by the rules, whoever can't run something is passed over.
    pub(super) fn perform(
        round: Round<'_>,
        rules: Rules,
    ) -> Result<GroupAssignment, AssignorError> {
        let mut checked = Checked::new(round)?;
        let Some((configuration, offset)) = checked.configuration() else {
            return Ok(checked.mismatch());
        };
        checked.members.sort_by(|one, other| by_id(one, other));
        let placement = rules.placement(&checked.members, configuration);
        let configured = configuration.configured();
        let mut given = vec![Given::default(); checked.members.len()];
        let mut circle = Circle {
            next: 0,
            placement: placement.as_ref(),
        };
        circle.deal(&configured.connectors, &mut given);
        circle.deal(&configured.tasks, &mut given);
        for given in &mut given {
            given.all = given.assigned.clone();
        }
        Ok(checked.assigned(offset, &given, 0))
    }
}

/// The members in turn.
struct Circle<'a> {
    next: usize,
    placement: Option<&'a Placement>,
}

impl Circle<'_> {
    fn deal<E: Resource>(&mut self, items: &IndexSet<E>, given: &mut [Given]) {
        let members = given.len();
        for item in items {
            let mut turns = (self.next..).take(members).map(|turn| turn % members);
            let able = |member: &usize| {
                let placement = self.placement;
                placement.is_none_or(|placement| placement.may_run(*member, item.connector()))
            };
            let Some(member) = turns.find(able) else {
                continue;
            };
            self.next = member + 1;
            E::of_mut(&mut given[member].assigned).insert(item.clone());
        }
    }
}
