//! Kafka's `RoundRobinAssignor`: all partitions in order, one after the other to the members in order,
//! passing over members that don't want the topic.

use std::rc::Rc;

use super::assignor::{Assignments, Member, PartitionCounts, in_member_order};
use crate::api::TopicPartition;

pub(super) fn assign(counts: &PartitionCounts, members: &[Member]) -> Assignments {
    let mut assignments: Assignments = vec![Vec::new(); members.len()];
    let order = in_member_order(members);
    let mut turn = 0;
    for (topic, count) in counts {
        if !members.iter().any(|member| member.wants(topic)) {
            continue;
        }
        for number in 0..*count {
            while !members[order[turn % order.len()]].wants(topic) {
                turn += 1;
            }
            assignments[order[turn % order.len()]]
                .push(TopicPartition::new(Rc::clone(topic), number));
            turn += 1;
        }
    }
    assignments
}

#[cfg(test)]
mod tests {
    use super::super::assignor::testing::{counts, member, shown};
    use super::*;

    #[test]
    fn partitions_go_round_over_topic_borders() {
        let members = [member("c1", &["t0", "t1"]), member("c2", &["t0", "t1"])];
        let assigned = assign(&counts(&[("t0", 3), ("t1", 3)]), &members);
        assert_eq!(shown(&assigned), ["t0-0 t0-2 t1-1", "t0-1 t1-0 t1-2"]);
    }

    #[test]
    fn members_that_do_not_want_a_topic_are_passed_over() {
        // The case of RoundRobinAssignor's documentation.
        let members = [
            member("c0", &["t0"]),
            member("c1", &["t0", "t1"]),
            member("c2", &["t0", "t1", "t2"]),
        ];
        let assigned = assign(&counts(&[("t0", 1), ("t1", 2), ("t2", 3)]), &members);
        assert_eq!(shown(&assigned), ["t0-0", "t1-0", "t1-1 t2-0 t2-1 t2-2"]);
    }

    #[test]
    fn a_topic_without_taker_is_left_alone() {
        let members = [member("c0", &["t0"])];
        let assigned = assign(&counts(&[("t0", 1), ("t1", 2)]), &members);
        assert_eq!(shown(&assigned), ["t0-0"]);
        assert!(assign(&counts(&[("t0", 1)]), &[]).is_empty());
    }
}
