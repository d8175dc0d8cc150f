//! Consumer groups within the process: who reads which partition.
//!
//! Partitions are spread by range, as Kafka's `RangeAssignor` does per topic. A change is cooperative: a
//! partition goes to its new member only after its old one has let go of it, between two of its polls.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::wake::WakeUp;
use crate::clients::Subscription;

/// A topic and a partition, for sharing between threads.
pub(super) type Key = (Arc<str>, i32);

/// Topics and their numbers of partitions.
pub(super) type Topics = BTreeMap<Arc<str>, usize>;

/// Names a member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MemberId(u64);

#[derive(Debug)]
struct Member {
    subscription: Subscription,
    wake: Arc<WakeUp>,
    target: Vec<Key>,
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeMap<MemberId, Member>,
    owners: HashMap<Key, MemberId>,
}

/// All groups of a log.
#[derive(Debug, Default)]
pub(super) struct Groups {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    groups: HashMap<String, Group>,
    next_member: u64,
}

impl Groups {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn join(
        &self,
        group: &str,
        subscription: Subscription,
        wake: &Arc<WakeUp>,
        topics: &Topics,
    ) -> MemberId {
        let mut state = self.state();
        let id = MemberId(state.next_member);
        state.next_member += 1;
        let group = state.groups.entry(group.to_owned()).or_default();
        let member = Member {
            subscription,
            wake: Arc::clone(wake),
            target: Vec::new(),
        };
        group.members.insert(id, member);
        group.assign(topics);
        id
    }

    pub(super) fn leave(&self, group: &str, member: MemberId, topics: &Topics) {
        let mut state = self.state();
        let Some(found) = state.groups.get_mut(group) else {
            return;
        };
        found.members.remove(&member);
        found.owners.retain(|_, owner| *owner != member);
        if found.members.is_empty() {
            state.groups.remove(group);
        } else {
            found.assign(topics);
        }
    }

    /// What the member should have.
    pub(super) fn target(&self, group: &str, member: MemberId) -> Vec<Key> {
        let state = self.state();
        let member = state
            .groups
            .get(group)
            .and_then(|group| group.members.get(&member));
        member
            .map(|member| member.target.clone())
            .unwrap_or_default()
    }

    /// Takes those of the member's targets that nobody else has.
    pub(super) fn claim(&self, group: &str, member: MemberId, wanted: Vec<Key>) -> Vec<Key> {
        let mut state = self.state();
        let Some(group) = state.groups.get_mut(group) else {
            return Vec::new();
        };
        let mut claimed = wanted;
        claimed.retain(|key| *group.owners.entry(key.clone()).or_insert(member) == member);
        claimed
    }

    /// Lets go of partitions, and tells those who may be waiting for them.
    pub(super) fn release(&self, group: &str, member: MemberId, partitions: &[Key]) {
        let mut state = self.state();
        let Some(group) = state.groups.get_mut(group) else {
            return;
        };
        for key in partitions {
            if group.owners.get(key) == Some(&member) {
                group.owners.remove(key);
            }
        }
        for member in group.members.values() {
            member.wake.ring();
        }
    }

    pub(super) fn owns(&self, group: &str, member: MemberId, key: &Key) -> bool {
        let state = self.state();
        let group = state.groups.get(group);
        group.is_some_and(|group| group.owners.get(key) == Some(&member))
    }

    pub(super) fn has_members(&self, group: &str) -> bool {
        self.state().groups.contains_key(group)
    }

    /// Spreads anew after topics came or went.
    pub(super) fn topics_changed(&self, topics: &Topics) {
        for group in self.state().groups.values_mut() {
            group.assign(topics);
        }
    }
}

impl Group {
    fn assign(&mut self, topics: &Topics) {
        for member in self.members.values_mut() {
            member.target.clear();
        }
        for (topic, partitions) in topics {
            let subscribed: Vec<MemberId> = self
                .members
                .iter()
                .filter(|(_, member)| is_subscribed(&member.subscription, topic))
                .map(|(id, _)| *id)
                .collect();
            let mut next = 0;
            for (index, id) in subscribed.iter().enumerate() {
                let extra = usize::from(index < partitions % subscribed.len());
                let count = partitions / subscribed.len() + extra;
                let numbers = (next..next + count).filter_map(|number| i32::try_from(number).ok());
                if let Some(member) = self.members.get_mut(id) {
                    member
                        .target
                        .extend(numbers.map(|number| (Arc::clone(topic), number)));
                }
                next += count;
            }
        }
        for member in self.members.values() {
            member.wake.ring();
        }
    }
}

pub(super) fn is_subscribed(subscription: &Subscription, topic: &str) -> bool {
    match subscription {
        Subscription::Topics(names) => names.iter().any(|name| name == topic),
        // The whole name has to match.
        Subscription::Pattern(pattern) => pattern
            .find(topic)
            .is_some_and(|found| found.start() == 0 && found.end() == topic.len()),
    }
}
