//! What the group's leader does: hand the partitions of the subscribed topics to the members.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::wire::SubscriptionData;
use super::{assignor_cooperative_sticky, assignor_range, assignor_round_robin};
use crate::api::TopicPartition;
use crate::clients::GroupAssignor;

/// A member as the leader sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    /// `member.id`.
    pub(crate) id: String,
    /// `group.instance.id`.
    pub(crate) instance_id: Option<String>,
    /// What it wants and holds.
    pub(crate) subscription: SubscriptionData,
}

impl Member {
    /// Whether it wants `topic`; the topics are sorted.
    pub(super) fn wants(&self, topic: &str) -> bool {
        self.subscription
            .topics
            .binary_search_by(|own| own.as_str().cmp(topic))
            .is_ok()
    }
}

/// Number of partitions of each existing topic.
pub(crate) type PartitionCounts = BTreeMap<Rc<str>, i32>;

/// One list of partitions per member, in the order of the members.
pub(crate) type Assignments = Vec<Vec<TopicPartition>>;

/// Wire name of an assignor.
pub(crate) fn name(assignor: GroupAssignor) -> &'static str {
    match assignor {
        GroupAssignor::Range => "range",
        GroupAssignor::RoundRobin => "roundrobin",
        GroupAssignor::CooperativeSticky => "cooperative-sticky",
    }
}

/// Distributes the partitions of `counts` over `members`.
pub(crate) fn assign(
    assignor: GroupAssignor,
    counts: &PartitionCounts,
    members: &[Member],
) -> Assignments {
    match assignor {
        GroupAssignor::Range => assignor_range::assign(counts, members),
        GroupAssignor::RoundRobin => assignor_round_robin::assign(counts, members),
        GroupAssignor::CooperativeSticky => assignor_cooperative_sticky::assign(counts, members),
    }
}

/// Indices of `members` in Kafka's order: static members first by instance id, then by member id.
pub(super) fn in_member_order(members: &[Member]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&members[*a], &members[*b]);
        match (&a.instance_id, &b.instance_id) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => a.id.cmp(&b.id),
        }
    });
    order
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub(crate) fn counts(topics: &[(&str, i32)]) -> PartitionCounts {
        topics
            .iter()
            .map(|(topic, count)| (Rc::from(*topic), *count))
            .collect()
    }

    pub(crate) fn member(id: &str, topics: &[&str]) -> Member {
        let mut topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        topics.sort_unstable();
        Member {
            id: id.to_owned(),
            instance_id: None,
            subscription: SubscriptionData {
                topics,
                ..SubscriptionData::default()
            },
        }
    }

    /// `a-0 a-1 b-2` → partitions.
    pub(crate) fn partitions(text: &str) -> Vec<TopicPartition> {
        text.split_whitespace()
            .map(|part| {
                let (topic, number) = part.rsplit_once('-').unwrap();
                TopicPartition::new(topic, number.parse().unwrap())
            })
            .collect()
    }

    pub(crate) fn owning(mut member: Member, generation: i32, text: &str) -> Member {
        member.subscription.owned = partitions(text);
        member.subscription.generation = (generation >= 0).then_some(generation);
        member
    }

    /// Sorted, as text, one per member.
    pub(crate) fn shown(assignments: &Assignments) -> Vec<String> {
        assignments
            .iter()
            .map(|list| {
                let mut list = list.clone();
                list.sort();
                let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
                texts.join(" ")
            })
            .collect()
    }
}
