//! Workers and what they run, while it is being worked out (Kafka: `WorkerLoad`).

use std::hash::Hash;
use std::sync::Arc;

use indexmap::IndexSet;

use crate::distributed::java_order::{self, JavaKey, hash_order_of_copy};
use crate::distributed::{ConnectorTaskId, ConnectorsAndTasks};

/// Connectors or tasks: they are counted and spread apart from each other.
pub(super) trait Resource: Clone + Eq + Hash + JavaKey {
    /// Those of its kind.
    fn of(work: &ConnectorsAndTasks) -> &IndexSet<Self>;

    /// Those of its kind, to be changed.
    fn of_mut(work: &mut ConnectorsAndTasks) -> &mut IndexSet<Self>;

    /// The connector that it is or belongs to.
    fn connector(&self) -> &str;
}

impl Resource for Arc<str> {
    fn of(work: &ConnectorsAndTasks) -> &IndexSet<Self> {
        &work.connectors
    }

    fn of_mut(work: &mut ConnectorsAndTasks) -> &mut IndexSet<Self> {
        &mut work.connectors
    }

    fn connector(&self) -> &str {
        self
    }
}

impl Resource for ConnectorTaskId {
    fn of(work: &ConnectorsAndTasks) -> &IndexSet<Self> {
        &work.tasks
    }

    fn of_mut(work: &mut ConnectorsAndTasks) -> &mut IndexSet<Self> {
        &mut work.tasks
    }

    fn connector(&self) -> &str {
        &self.connector
    }
}

/// A worker.
#[derive(Debug, Clone)]
pub(super) struct WorkerLoad {
    /// Its place among the members of the round.
    pub(super) member: usize,
    /// Its member id.
    pub(super) id: Arc<str>,
    /// What it runs.
    pub(super) work: ConnectorsAndTasks,
}

/// `base` without all that is in `less`, sorted as by Java's `TreeSet`.
pub(super) fn sorted_difference(
    base: &ConnectorsAndTasks,
    less: &[&ConnectorsAndTasks],
) -> ConnectorsAndTasks {
    ConnectorsAndTasks {
        connectors: sorted_part(base, less),
        tasks: sorted_part(base, less),
    }
}

fn sorted_part<E: Resource>(
    base: &ConnectorsAndTasks,
    less: &[&ConnectorsAndTasks],
) -> IndexSet<E> {
    let kept = |item: &&E| !less.iter().any(|less| E::of(less).contains(*item));
    let mut left: Vec<E> = E::of(base).iter().filter(kept).cloned().collect();
    left.sort_by(E::java_cmp);
    left.into_iter().collect()
}

/// What is in both, in the order of a Java `HashSet` of `base`.
pub(super) fn intersection(
    base: &ConnectorsAndTasks,
    with: &ConnectorsAndTasks,
) -> ConnectorsAndTasks {
    ConnectorsAndTasks {
        connectors: common_part(base, with),
        tasks: common_part(base, with),
    }
}

fn common_part<E: Resource>(base: &ConnectorsAndTasks, with: &ConnectorsAndTasks) -> IndexSet<E> {
    if E::of(with).is_empty() {
        return IndexSet::new();
    }
    let mut all: Vec<E> = E::of(base).iter().cloned().collect();
    let elements = all.len();
    hash_order_of_copy(&mut all, elements);
    all.retain(|item| E::of(with).contains(item));
    all.into_iter().collect()
}

/// What more than one worker says it runs.
pub(super) fn duplicated(loads: &[WorkerLoad]) -> ConnectorsAndTasks {
    ConnectorsAndTasks {
        connectors: duplicated_part(loads),
        tasks: duplicated_part(loads),
    }
}

fn duplicated_part<E: Resource>(loads: &[WorkerLoad]) -> IndexSet<E> {
    let mut seen = IndexSet::new();
    let all = loads.iter().flat_map(|load| E::of(&load.work));
    all.filter(|item| !seen.insert((*item).clone()))
        .cloned()
        .collect()
}

/// Gives items, in their order, to the workers with the fewest of their kind, which all get one before
/// the next round of them (Kafka: `assignConnectors`, `assignTasks`). Leaves the workers sorted.
pub(super) fn deal<E: Resource>(loads: &mut [WorkerLoad], items: &IndexSet<E>) {
    let size = |load: &WorkerLoad| E::of(&load.work).len();
    loads.sort_by(|one, other| {
        let sizes = size(one).cmp(&size(other));
        sizes.then_with(|| java_order::compare(&one.id, &other.id))
    });
    let mut items = items.iter();
    while !items.as_slice().is_empty() {
        let Some(least) = loads.first().map(size) else {
            return;
        };
        let up_to = loads.iter().position(|load| size(load) > least);
        let up_to = up_to.unwrap_or(loads.len());
        for (load, item) in loads[..up_to].iter_mut().zip(&mut items) {
            E::of_mut(&mut load.work).insert(item.clone());
        }
    }
}
