//! Kafka's `CooperativeStickyAssignor`: as balanced as possible, members keep what they hold, and a
//! partition that changes hands is given to nobody until its holder has let go of it (KIP-429), which
//! the rebalance after the next one then does.
//!
//! Two ways, as in Kafka: where all members want the same topics a quota decides ([`Uniform`]),
//! otherwise partitions move one by one to less loaded members ([`Mixed`]). Racks are not looked at.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::assignor::{Assignments, Member, PartitionCounts};
use crate::api::TopicPartition;

/// Generation of a member that has none.
const NO_GENERATION: i32 = -1;

pub(super) fn assign(counts: &PartitionCounts, members: &[Member]) -> Assignments {
    if members.is_empty() {
        return Vec::new();
    }
    let wanted = |topic: &str| members.iter().any(|member| member.wants(topic));
    let counts = &counts
        .iter()
        .filter(|(topic, _)| wanted(topic))
        .map(|(topic, count)| (Rc::clone(topic), *count))
        .collect::<PartitionCounts>();
    let claims = Claims::collect(counts, members);
    let uniform = members
        .windows(2)
        .all(|pair| pair[0].subscription.topics == pair[1].subscription.topics);
    if uniform {
        Uniform::new(counts, members, &claims).assign(counts, &claims)
    } else {
        let mut assignments = Mixed::new(counts, members, claims).assign();
        withhold_moved(members, &mut assignments);
        assignments
    }
}

/// Generation of what a member holds: the field of version 2, else the user data of older members.
fn generation(member: &Member) -> i32 {
    let from_user_data = || {
        let data = member.subscription.user_data.as_deref()?;
        let bytes: [u8; 4] = data.get(..4)?.try_into().ok()?;
        Some(i32::from_be_bytes(bytes))
    };
    member
        .subscription
        .generation
        .or_else(from_user_data)
        .unwrap_or(NO_GENERATION)
}

/// Who holds what, conflicts settled: the newer generation wins; two of the same generation both lose.
struct Claims {
    /// Per member.
    owned: Vec<Vec<TopicPartition>>,
    /// Claimed by several members of one generation.
    disputed: HashSet<TopicPartition>,
    /// The last holder of an older generation, who would take the partition back with least effort.
    previous: HashMap<TopicPartition, (i32, usize)>,
}

impl Claims {
    fn collect(counts: &PartitionCounts, members: &[Member]) -> Self {
        let generations: Vec<i32> = members.iter().map(generation).collect();
        let newest = generations.iter().copied().max().unwrap_or(NO_GENERATION);
        let mut holder: HashMap<TopicPartition, usize> = HashMap::new();
        let mut claims = Self {
            owned: vec![Vec::new(); members.len()],
            disputed: HashSet::new(),
            previous: HashMap::new(),
        };
        for index in in_id_order(members) {
            for partition in &members[index].subscription.owned {
                if !exists(counts, partition) {
                    continue;
                }
                let own = generations[index];
                if own < newest {
                    claims.note_previous(partition, own, index);
                }
                match holder.get(partition).map(|other| generations[*other]) {
                    Some(other) if other == own => {
                        claims.disputed.insert(partition.clone());
                    }
                    Some(other) if other > own => {}
                    _ => {
                        holder.insert(partition.clone(), index);
                        claims.disputed.remove(partition);
                    }
                }
            }
        }
        for (partition, index) in holder {
            if !claims.disputed.contains(&partition) {
                claims.owned[index].push(partition);
            }
        }
        for owned in &mut claims.owned {
            owned.sort_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
        }
        claims
    }

    fn note_previous(&mut self, partition: &TopicPartition, generation: i32, index: usize) {
        let entry = self
            .previous
            .entry(partition.clone())
            .or_insert((generation, index));
        if generation > entry.0 {
            *entry = (generation, index);
        }
    }
}

fn exists(counts: &PartitionCounts, partition: &TopicPartition) -> bool {
    counts
        .get(&partition.topic)
        .is_some_and(|count| (0..*count).contains(&partition.partition))
}

fn in_id_order(members: &[Member]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|a, b| members[*a].id.cmp(&members[*b].id));
    order
}

fn all_partitions(counts: &PartitionCounts) -> impl Iterator<Item = TopicPartition> {
    counts.iter().flat_map(|(topic, count)| {
        (0..*count).map(|number| TopicPartition::new(Rc::clone(topic), number))
    })
}

/// Takes out what another member still holds.
fn withhold_moved(members: &[Member], assignments: &mut Assignments) {
    let mut revoked: HashSet<TopicPartition> = HashSet::new();
    for (member, assigned) in members.iter().zip(assignments.iter()) {
        let kept: HashSet<&TopicPartition> = assigned.iter().collect();
        let lost = member.subscription.owned.iter();
        revoked.extend(lost.filter(|p| !kept.contains(p)).cloned());
    }
    for (member, assigned) in members.iter().zip(assignments) {
        assigned.retain(|partition| {
            !revoked.contains(partition) || member.subscription.owned.contains(partition)
        });
    }
}

/// Same topics for all: everybody gets `least` or, the first few, one more.
struct Uniform {
    order: Vec<usize>,
    /// Quota: `least` for all, one more for `with_more` of them.
    least: usize,
    with_more: usize,
    /// How many have one more already.
    full: usize,
    /// Members below `least`, and at `least`, that may still take some.
    below: Vec<usize>,
    at_least: Vec<usize>,
    assignments: Assignments,
    /// Partitions that a holder has to give up, and who that is.
    given_up: HashMap<TopicPartition, usize>,
}

impl Uniform {
    fn new(counts: &PartitionCounts, members: &[Member], claims: &Claims) -> Self {
        let total = all_partitions(counts).count();
        let mut uniform = Self {
            order: in_id_order(members),
            least: total / members.len(),
            with_more: total % members.len(),
            full: 0,
            below: Vec::new(),
            at_least: Vec::new(),
            assignments: vec![Vec::new(); members.len()],
            given_up: HashMap::new(),
        };
        for index in uniform.order.clone() {
            uniform.keep(index, &claims.owned[index]);
        }
        uniform
    }

    /// Lets member `index` keep what its quota allows.
    fn keep(&mut self, index: usize, owned: &[TopicPartition]) {
        let kept = if owned.len() < self.least {
            self.below.push(index);
            owned.len()
        } else if owned.len() > self.least && self.full < self.with_more {
            self.full += 1;
            if self.full == self.with_more {
                self.at_least.clear();
            }
            self.least + 1
        } else {
            if self.full < self.with_more {
                self.at_least.push(index);
            }
            self.least
        };
        self.assignments[index].extend_from_slice(&owned[..kept]);
        let given_up = owned[kept..].iter().map(|p| (p.clone(), index));
        self.given_up.extend(given_up);
    }

    fn assign(mut self, counts: &PartitionCounts, claims: &Claims) -> Assignments {
        let kept: HashSet<TopicPartition> = self.assignments.iter().flatten().cloned().collect();
        let mut turn = 0;
        let mut withheld = HashSet::new();
        for partition in all_partitions(counts).filter(|p| !kept.contains(p)) {
            let Some(index) = self.next_taker(&mut turn) else {
                break;
            };
            let held_by_other = self
                .given_up
                .get(&partition)
                .is_some_and(|holder| *holder != index);
            if held_by_other || claims.disputed.contains(&partition) {
                withheld.insert(partition.clone());
            }
            self.assignments[index].push(partition);
        }
        for assigned in &mut self.assignments {
            assigned.retain(|partition| !withheld.contains(partition));
        }
        self.assignments
    }

    /// Whose turn it is: those below the quota go round, then each of those at the quota gets one.
    fn next_taker(&mut self, turn: &mut usize) -> Option<usize> {
        if self.below.is_empty() {
            return (!self.at_least.is_empty()).then(|| self.at_least.remove(0));
        }
        if *turn >= self.below.len() {
            *turn = 0;
        }
        let index = self.below[*turn];
        if self.assignments[index].len() + 1 == self.least {
            self.below.remove(*turn);
            self.at_least.push(index);
        } else {
            *turn += 1;
        }
        Some(index)
    }
}

/// Different topics: keep, hand out the rest, then move single partitions while that evens things out.
struct Mixed<'a> {
    members: &'a [Member],
    /// Who may take a topic.
    takers: HashMap<Rc<str>, Vec<usize>>,
    /// All partitions that somebody wants, those with few takers first.
    partitions: Vec<TopicPartition>,
    holder: HashMap<TopicPartition, usize>,
    /// Members by load: (number of partitions, id, index).
    by_load: BTreeSet<(usize, &'a str, usize)>,
    load: Vec<usize>,
    previous: HashMap<TopicPartition, (i32, usize)>,
    /// Somebody held a partition that it no longer wants.
    unsubscribed: bool,
}

impl<'a> Mixed<'a> {
    fn new(counts: &PartitionCounts, members: &'a [Member], claims: Claims) -> Self {
        let mut takers: HashMap<Rc<str>, Vec<usize>> = HashMap::new();
        for topic in counts.keys() {
            let wanting = (0..members.len()).filter(|index| members[*index].wants(topic));
            takers.insert(Rc::clone(topic), wanting.collect());
        }
        let mut partitions: Vec<TopicPartition> = all_partitions(counts).collect();
        partitions.sort_by_cached_key(|p| (takers[&p.topic].len(), p.clone()));
        let mut mixed = Self {
            members,
            takers,
            partitions,
            holder: HashMap::new(),
            by_load: BTreeSet::new(),
            load: vec![0; members.len()],
            previous: claims.previous,
            unsubscribed: false,
        };
        for (index, owned) in claims.owned.into_iter().enumerate() {
            for partition in owned {
                if members[index].wants(&partition.topic) {
                    mixed.load[index] += 1;
                    mixed.holder.insert(partition, index);
                } else {
                    mixed.unsubscribed = true;
                }
            }
        }
        for (index, member) in members.iter().enumerate() {
            let key = (mixed.load[index], member.id.as_str(), index);
            mixed.by_load.insert(key);
        }
        mixed
    }

    fn assign(mut self) -> Assignments {
        let fresh = self.holder.is_empty();
        let open: Vec<TopicPartition> = self
            .partitions
            .iter()
            .filter(|partition| !self.holder.contains_key(partition))
            .cloned()
            .collect();
        for partition in &open {
            if let Some(taker) = self.least_loaded(&partition.topic) {
                self.give(partition, taker);
            }
        }
        let before = (self.holder.clone(), self.imbalance());
        if !self.unsubscribed {
            self.even_out(&open);
        }
        let all = self.partitions.clone();
        self.even_out(&all);
        self.undo_exchanges(&before.0);
        if !fresh && self.imbalance() >= before.1 {
            self.holder = before.0;
        }
        let mut assignments: Assignments = vec![Vec::new(); self.members.len()];
        for partition in &self.partitions {
            if let Some(holder) = self.holder.get(partition) {
                assignments[*holder].push(partition.clone());
            }
        }
        assignments
    }

    fn least_loaded(&self, topic: &Rc<str>) -> Option<usize> {
        let takers = &self.takers[topic];
        self.by_load
            .iter()
            .map(|(_, _, index)| *index)
            .find(|index| takers.binary_search(index).is_ok())
    }

    fn give(&mut self, partition: &TopicPartition, taker: usize) {
        if let Some(old) = self.holder.insert(partition.clone(), taker) {
            self.change_load(old, |load| load - 1);
        }
        self.change_load(taker, |load| load + 1);
    }

    fn change_load(&mut self, index: usize, change: impl Fn(usize) -> usize) {
        let id = self.members[index].id.as_str();
        self.by_load.remove(&(self.load[index], id, index));
        self.load[index] = change(self.load[index]);
        self.by_load.insert((self.load[index], id, index));
    }

    /// Moves partitions to members that have at least two fewer, until none is left to move. Each move
    /// lowers the sum of the squared loads, so this ends.
    fn even_out(&mut self, movable: &[TopicPartition]) {
        loop {
            let mut moved = false;
            for partition in movable {
                if let Some(taker) = self.better_holder(partition) {
                    self.give(partition, taker);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn better_holder(&self, partition: &TopicPartition) -> Option<usize> {
        let load = self.load[*self.holder.get(partition)?];
        let previous = self.previous.get(partition).map(|(_, index)| *index);
        let wants = |index: &usize| self.takers[&partition.topic].binary_search(index).is_ok();
        if let Some(previous) = previous.filter(wants)
            && load > self.load[previous] + 1
        {
            return Some(previous);
        }
        let least = self.least_loaded(&partition.topic)?;
        (load > self.load[least] + 1).then_some(least)
    }

    /// Two members that swapped partitions of one topic get their own ones back.
    fn undo_exchanges(&mut self, before: &HashMap<TopicPartition, usize>) {
        let mut moves: HashMap<(Rc<str>, usize, usize), Vec<TopicPartition>> = HashMap::new();
        for partition in self.partitions.clone() {
            let (Some(old), Some(new)) = (
                before.get(&partition).copied(),
                self.holder.get(&partition).copied(),
            ) else {
                continue;
            };
            if old == new {
                continue;
            }
            let back = (Rc::clone(&partition.topic), new, old);
            if let Some(other) = moves.get_mut(&back).and_then(Vec::pop) {
                self.holder.insert(partition, old);
                self.holder.insert(other, new);
            } else {
                let way = (Rc::clone(&partition.topic), old, new);
                moves.entry(way).or_default().push(partition);
            }
        }
    }

    /// Sum of the load differences of all pairs.
    fn imbalance(&self) -> usize {
        let mut sum = 0;
        for (index, load) in self.load.iter().enumerate() {
            sum += self.load[..index]
                .iter()
                .map(|other| load.abs_diff(*other))
                .sum::<usize>();
        }
        sum
    }
}

#[cfg(test)]
#[path = "assignor_cooperative_sticky_tests.rs"]
mod tests;
