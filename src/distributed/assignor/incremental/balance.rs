//! Who has too much, counted over all workers as if each could run anything.

use indexmap::IndexSet;

use crate::distributed::ConnectorsAndTasks;
use crate::distributed::assignor::load::{Resource, WorkerLoad};

/// What to revoke from each of the workers, in their order, so that none runs more than in a balanced
/// assignment of all that is configured (Kafka: `performLoadBalancingRevocations`).
pub(super) fn revocations(
    configured: &ConnectorsAndTasks,
    loads: &[WorkerLoad],
) -> Vec<ConnectorsAndTasks> {
    if loads.iter().all(|load| load.work.is_empty()) || configured.is_empty() {
        return vec![ConnectorsAndTasks::default(); loads.len()];
    }
    let connectors = revoked_part(configured.connectors.len(), loads);
    let tasks = revoked_part(configured.tasks.len(), loads);
    let both = connectors.into_iter().zip(tasks);
    both.map(|(connectors, tasks)| ConnectorsAndTasks { connectors, tasks })
        .collect()
}

fn revoked_part<E: Resource>(total: usize, loads: &[WorkerLoad]) -> Vec<IndexSet<E>> {
    let least = total / loads.len();
    // So many workers have one more.
    let extras = total % loads.len();
    let with = |count: usize| {
        let sizes = loads.iter().map(|load| E::of(&load.work).len());
        sizes.filter(|size| *size == count).count()
    };
    if with(least + 1) == extras && with(least) + extras == loads.len() {
        return vec![IndexSet::new(); loads.len()];
    }
    let mut extras_left = extras;
    let mut kept = |size: usize| {
        if size <= least || extras_left == 0 {
            return least;
        }
        extras_left -= 1;
        least + 1
    };
    let surplus = |load: &WorkerLoad| {
        let items = E::of(&load.work);
        let surplus = items.len().saturating_sub(kept(items.len()));
        items.iter().take(surplus).cloned().collect()
    };
    loads.iter().map(surplus).collect()
}
