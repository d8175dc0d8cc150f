//! Kafka's `RangeAssignor`: per topic, consecutive partitions to the members in order, the first ones
//! getting one more. Racks are not looked at (KIP-881 does so only when replicas sit on some racks
//! only), which gives a valid and balanced assignment all the same.

use std::rc::Rc;

use super::assignor::{Assignments, Member, PartitionCounts, in_member_order};
use crate::api::TopicPartition;

pub(super) fn assign(counts: &PartitionCounts, members: &[Member]) -> Assignments {
    let mut assignments: Assignments = vec![Vec::new(); members.len()];
    let order = in_member_order(members);
    for (topic, count) in counts {
        let takers: Vec<usize> = order
            .iter()
            .copied()
            .filter(|index| members[*index].wants(topic))
            .collect();
        let Ok(takers_count) = i32::try_from(takers.len()) else {
            continue;
        };
        if takers_count == 0 {
            continue;
        }
        let (each, mut extra) = (count / takers_count, count % takers_count);
        let mut next = 0;
        for taker in takers {
            let take = each + i32::from(extra > 0);
            extra -= 1;
            let range = next..next + take;
            next += take;
            assignments[taker]
                .extend(range.map(|number| TopicPartition::new(Rc::clone(topic), number)));
        }
    }
    assignments
}

#[cfg(test)]
mod tests {
    use super::super::assignor::testing::{counts, member, shown};
    use super::*;

    #[test]
    fn each_topic_is_cut_into_ranges_of_which_the_first_are_longer() {
        let members = [member("c2", &["t1", "t2"]), member("c1", &["t1", "t2"])];
        let assigned = assign(&counts(&[("t1", 3), ("t2", 3)]), &members);
        assert_eq!(
            shown(&assigned),
            ["t1-2 t2-2", "t1-0 t1-1 t2-0 t2-1"],
            "in the order of the member ids, not of the list"
        );
    }

    #[test]
    fn a_topic_goes_to_its_subscribers_only() {
        let members = [
            member("c1", &["t1"]),
            member("c2", &["t1", "t2"]),
            member("c3", &["t1"]),
        ];
        let assigned = assign(&counts(&[("t1", 3), ("t2", 2)]), &members);
        assert_eq!(shown(&assigned), ["t1-0", "t1-1 t2-0 t2-1", "t1-2"]);
    }

    #[test]
    fn more_members_than_partitions_leave_some_without() {
        let members = [member("c1", &["t"]), member("c2", &["t"])];
        assert_eq!(shown(&assign(&counts(&[("t", 1)]), &members)), ["t-0", ""]);
        assert_eq!(shown(&assign(&counts(&[]), &members)), ["", ""]);
    }

    #[test]
    fn static_members_come_first_and_keep_their_place_whatever_their_member_id() {
        let mut first = member("z", &["t"]);
        first.instance_id = Some("i1".to_owned());
        let mut second = member("y", &["t"]);
        second.instance_id = Some("i2".to_owned());
        let members = [member("a", &["t"]), second, first];
        let assigned = assign(&counts(&[("t", 5)]), &members);
        assert_eq!(shown(&assigned), ["t-4", "t-2 t-3", "t-0 t-1"]);
    }
}
