//! Cases of Kafka's `AbstractStickyAssignorTest` and `CooperativeStickyAssignorTest`, and the
//! properties that those verify, over random groups.

use bytes::Bytes;

use super::super::assignor::testing::{counts, member, owning, partitions, shown};
use super::*;

const ALL: &[&str] = &["t"];

/// Assigns until nothing is revoked any more, as the members' rejoining does.
fn settle(counts: &PartitionCounts, members: &mut [Member]) -> (Assignments, usize) {
    for round in 0..5 {
        let assigned = assign(counts, members);
        let revoking = check(counts, members, &assigned);
        for (member, assigned) in members.iter_mut().zip(&assigned) {
            member.subscription.owned = assigned.clone();
            member.subscription.generation = Some(100 + round);
        }
        if !revoking {
            return (assigned, usize::try_from(round).unwrap());
        }
    }
    panic!("does not settle");
}

/// Checks that nothing is given twice, to the wrong member, or while somebody else still holds it; says
/// whether something is revoked.
fn check(counts: &PartitionCounts, members: &[Member], assigned: &Assignments) -> bool {
    let mut seen = HashSet::new();
    let mut revoking = false;
    for (index, list) in assigned.iter().enumerate() {
        for partition in list {
            assert!(exists(counts, partition), "{partition} does not exist");
            assert!(members[index].wants(&partition.topic));
            assert!(seen.insert(partition.clone()), "{partition} given twice");
            for (other, member) in members.iter().enumerate() {
                let holds = member.subscription.owned.contains(partition);
                let kept = members[index].subscription.owned.contains(partition);
                assert!(
                    other == index || !holds || kept,
                    "{partition} given while {} holds it",
                    member.id
                );
            }
        }
        let lost = members[index].subscription.owned.iter();
        revoking |= lost.into_iter().any(|p| !list.contains(p));
    }
    revoking
}

fn assert_balanced(counts: &PartitionCounts, members: &[Member], assigned: &Assignments) {
    let given: usize = assigned.iter().map(Vec::len).sum();
    let wanted = counts
        .iter()
        .filter(|(topic, _)| members.iter().any(|m| m.wants(topic)))
        .map(|(_, count)| usize::try_from(*count).unwrap())
        .sum::<usize>();
    assert_eq!(given, wanted, "every wanted partition is given");
    for (a, more) in assigned.iter().enumerate() {
        for (b, less) in assigned.iter().enumerate() {
            if more.len() <= less.len() + 1 {
                continue;
            }
            let movable = more.iter().find(|p| members[b].wants(&p.topic));
            assert!(
                movable.is_none(),
                "{movable:?} could go from {} to {}",
                members[a].id,
                members[b].id
            );
        }
    }
}

#[test]
fn one_member_gets_everything_of_existing_topics_it_wants() {
    let members = [member("c1", &["t1", "t2", "absent"])];
    let assigned = assign(&counts(&[("t1", 2), ("t2", 1)]), &members);
    assert_eq!(shown(&assigned), ["t1-0 t1-1 t2-0"]);
    assert_eq!(shown(&assign(&counts(&[]), &members)), [""]);
}

#[test]
fn two_members_share_two_topics_as_kafka_does() {
    let members = [member("c1", &["t1", "t2"]), member("c2", &["t1", "t2"])];
    let assigned = assign(&counts(&[("t1", 3), ("t2", 3)]), &members);
    assert_eq!(shown(&assigned), ["t1-0 t1-2 t2-1", "t1-1 t2-0 t2-2"]);
}

#[test]
fn mixed_subscriptions_follow_the_topics() {
    let members = [
        member("c1", &["t1"]),
        member("c2", &["t1", "t2"]),
        member("c3", &["t1"]),
    ];
    let assigned = assign(&counts(&[("t1", 3), ("t2", 2)]), &members);
    assert_eq!(shown(&assigned), ["t1-0 t1-2", "t2-0 t2-1", "t1-1"]);
}

#[test]
fn a_new_member_gets_nothing_before_the_others_let_go() {
    let mut members = [
        owning(member("c1", ALL), 1, "t-0 t-1 t-2"),
        member("c2", ALL),
    ];
    let counts = counts(&[("t", 3)]);
    assert_eq!(shown(&assign(&counts, &members)), ["t-0 t-1", ""]);
    let (settled, rounds) = settle(&counts, &mut members);
    assert_eq!(shown(&settled), ["t-0 t-1", "t-2"]);
    assert_eq!(rounds, 1);
}

#[test]
fn what_a_leaver_held_is_given_at_once() {
    let members = [owning(member("c1", ALL), 1, "t-0 t-2")];
    let assigned = assign(&counts(&[("t", 4)]), &members);
    assert_eq!(shown(&assigned), ["t-0 t-1 t-2 t-3"]);
}

#[test]
fn members_at_their_quota_are_left_alone() {
    // testConsumerOwningMinQuotaExpectedMaxQuota
    let members = [
        owning(member("c1", &["t1", "t2"]), 1, "t1-0 t2-1"),
        owning(member("c2", &["t1", "t2"]), 1, "t1-1 t1-2 t2-0"),
    ];
    let assigned = assign(&counts(&[("t1", 4), ("t2", 1), ("t3", 0)]), &members);
    assert_eq!(shown(&assigned), ["t1-0 t1-3", "t1-1 t1-2 t2-0"]);
}

#[test]
fn more_members_at_the_higher_quota_than_allowed_give_one_up() {
    // testMaxQuotaConsumerMoreThanNumExpectedMaxCapacityMembers
    let mut members = [
        owning(member("c1", &["t1", "t2"]), 1, "t1-0 t2-0"),
        owning(member("c2", &["t1", "t2"]), 1, "t1-1 t2-1"),
        member("c3", &["t1", "t2"]),
    ];
    let counts = counts(&[("t1", 2), ("t2", 2)]);
    let (settled, rounds) = settle(&counts, &mut members);
    assert_eq!(shown(&settled), ["t1-0 t2-0", "t1-1", "t2-1"]);
    assert_eq!(rounds, 1);
}

#[test]
fn partitions_claimed_twice_in_a_generation_are_withheld_until_both_let_go() {
    let members = [
        owning(member("c1", ALL), 1, "t-0 t-1"),
        owning(member("c2", ALL), 1, "t-0 t-2"),
        member("c3", ALL),
    ];
    let three = assign(&counts(&[("t", 3)]), &members);
    assert_eq!(shown(&three), ["t-1", "t-2", ""]);
    let four = assign(&counts(&[("t", 4)]), &members);
    assert_eq!(shown(&four), ["t-1 t-3", "t-2", ""]);
}

#[test]
fn a_claim_of_an_older_generation_yields_to_a_newer_one() {
    let members = [
        owning(member("c1", ALL), 1, "t-0 t-2"),
        owning(member("c2", ALL), 2, "t-0"),
    ];
    let assigned = assign(&counts(&[("t", 2)]), &members);
    assert_eq!(shown(&assigned), ["t-1", "t-0"]);
}

#[test]
fn the_generation_of_older_members_is_read_from_their_user_data() {
    let mut old = owning(member("c1", ALL), -1, "t-0");
    old.subscription.user_data = Some(Bytes::from_static(&[0, 0, 0, 9]));
    let members = [old, owning(member("c2", ALL), 3, "t-0")];
    let assigned = assign(&counts(&[("t", 2)]), &members);
    assert_eq!(shown(&assigned), ["t-0", "t-1"]);
    let mut broken = member("c3", ALL);
    broken.subscription.user_data = Some(Bytes::from_static(&[0]));
    assert_eq!(generation(&broken), NO_GENERATION);
}

#[test]
fn subscription_changes_move_as_little_as_possible() {
    let mut members = [
        owning(member("c1", &["t1", "t2"]), 1, "t1-0 t2-0"),
        owning(member("c2", &["t1"]), 1, "t1-1"),
        member("c3", &["t2"]),
    ];
    let counts = counts(&[("t1", 2), ("t2", 2)]);
    let (settled, _) = settle(&counts, &mut members);
    assert_eq!(shown(&settled)[1], "t1-1");
    assert_balanced(&counts, &members, &settled);
}

#[test]
fn an_unwanted_topic_is_taken_away_and_given_to_a_member_that_wants_it() {
    let mut members = [
        owning(member("c1", &["t1"]), 1, "t1-0 t2-0"),
        member("c2", &["t1", "t2"]),
    ];
    let counts = counts(&[("t1", 1), ("t2", 1)]);
    assert_eq!(shown(&assign(&counts, &members)), ["t1-0", ""]);
    let (settled, _) = settle(&counts, &mut members);
    assert_eq!(shown(&settled), ["t1-0", "t2-0"]);
}

/// A small generator: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_003).unwrap() % bound
    }
}

#[test]
fn random_groups_settle_valid_balanced_and_without_moves_once_balanced() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let names = ["a", "b", "c", "d", "e"];
    for case in 0..400 {
        let topics = 1 + random.below(names.len());
        let sizes: Vec<(&str, i32)> = names[..topics]
            .iter()
            .map(|name| (*name, i32::try_from(random.below(9)).unwrap()))
            .collect();
        let counts = counts(&sizes);
        let uniform = case % 2 == 0;
        let mut members: Vec<Member> = (0..1 + random.below(7))
            .map(|index| {
                let wanted: Vec<&str> = names[..topics]
                    .iter()
                    .copied()
                    .filter(|_| uniform || random.below(3) > 0)
                    .collect();
                member(&format!("m{index}"), &wanted)
            })
            .collect();
        let (first, _) = settle(&counts, &mut members);
        assert_balanced(&counts, &members, &first);
        let (again, rounds) = settle(&counts, &mut members);
        assert_eq!(
            (shown(&again), rounds),
            (shown(&first), 0),
            "nothing moves when nothing changed"
        );
        if members.len() > 1 {
            members.remove(random.below(members.len()));
        }
        let wanted: Vec<&str> = if uniform {
            names[..topics].to_vec()
        } else {
            vec!["a"]
        };
        members.push(member("joined", &wanted));
        let (after, _) = settle(&counts, &mut members);
        assert_balanced(&counts, &members, &after);
    }
}

#[test]
fn with_uniform_subscriptions_a_leaver_costs_the_others_nothing() {
    let mut members: Vec<Member> = (0..4).map(|i| member(&format!("m{i}"), ALL)).collect();
    let counts = counts(&[("t", 20)]);
    let (before, _) = settle(&counts, &mut members);
    members.remove(1);
    let after = assign(&counts, &members);
    for (kept, now) in [(0, 0), (2, 1), (3, 2)] {
        for partition in &before[kept] {
            assert!(after[now].contains(partition), "{partition} moved");
        }
    }
    assert_eq!(partitions("t-0 t-1").len(), 2);
}
