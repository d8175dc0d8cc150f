//! Which shard an instance goes to: where the least is done now, and among equals where the fewest are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::InstanceId;

/// Loads are measured over so long at least: shorter spans say what happened to run just then.
const SPAN: Duration = Duration::from_secs(1);
/// Loads that differ by less of a CPU count as equal; the number of instances decides between them.
const STEP: f64 = 0.1;

/// Where an instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    shard: usize,
    /// A task, which moves records, or a connector, which hardly does anything.
    is_task: bool,
    /// Whether it is known how its start went.
    is_started: bool,
}

/// What is known of a shard.
#[derive(Debug, Clone, Copy, Default)]
struct Shard {
    /// CPU time of its thread when it was looked at last.
    cpu: Duration,
    /// Part of a CPU that it took in the time before.
    load: f64,
    /// Tasks that came since.
    tasks_since: u32,
}

/// Places of instances on shards.
#[derive(Debug)]
pub(super) struct Placement {
    placed: BTreeMap<InstanceId, Place>,
    shards: Vec<Shard>,
    measured: Instant,
}

impl Placement {
    /// So many shards that have nothing to do.
    pub(super) fn new(shards: usize, now: Instant) -> Self {
        Self {
            placed: BTreeMap::new(),
            shards: vec![Shard::default(); shards],
            measured: now,
        }
    }

    /// Measures what shards do, if that was not done a moment ago. `cpu_times` are those of their threads
    /// up to now, in the shards' order; `None` where the kernel does not tell.
    pub(super) fn measure(
        &mut self,
        now: Instant,
        cpu_times: impl Iterator<Item = Option<Duration>>,
    ) {
        let span = now.saturating_duration_since(self.measured);
        if span < SPAN {
            return;
        }
        self.measured = now;
        for (shard, cpu) in self.shards.iter_mut().zip(cpu_times) {
            let Some(cpu) = cpu else {
                continue;
            };
            let worked = cpu.saturating_sub(shard.cpu);
            shard.cpu = cpu;
            shard.load = (worked.as_secs_f64() / span.as_secs_f64()).min(1.0);
            shard.tasks_since = 0;
        }
    }

    /// The best shard for an instance of the kind; `None` when there is no shard.
    pub(super) fn best(&self, is_task: bool) -> Option<usize> {
        let each = self.load_of_a_task();
        let rank = |shard: &usize| (self.steps(*shard, each), self.counts(*shard, is_task));
        (0..self.shards.len()).min_by_key(rank)
    }

    /// Notes an instance's place.
    pub(super) fn put(&mut self, instance: InstanceId, shard: usize, is_task: bool) {
        let place = Place {
            shard,
            is_task,
            is_started: false,
        };
        self.placed.insert(instance, place);
        if let Some(shard) = self.shards.get_mut(shard).filter(|_| is_task) {
            shard.tasks_since += 1;
        }
    }

    /// An instance's place is free.
    pub(super) fn remove(&mut self, instance: InstanceId) {
        self.placed.remove(&instance);
    }

    /// It is known now how an instance's start went; gives whether it is a task, the first time.
    pub(super) fn started(&mut self, instance: InstanceId) -> Option<bool> {
        let place = self.placed.get_mut(&instance)?;
        (!std::mem::replace(&mut place.is_started, true)).then_some(place.is_task)
    }

    /// Whether the instance has a place.
    pub(super) fn has(&self, instance: InstanceId) -> bool {
        self.placed.contains_key(&instance)
    }

    /// What one of the tasks takes that were there when loads were measured: what one more may take.
    fn load_of_a_task(&self) -> f64 {
        let new: u32 = self.shards.iter().map(|shard| shard.tasks_since).sum();
        let tasks = self.placed.values().filter(|place| place.is_task).count();
        let measured = u32::try_from(tasks).unwrap_or(u32::MAX).saturating_sub(new);
        let load: f64 = self.shards.iter().map(|shard| shard.load).sum();
        load / f64::from(measured.max(1))
    }

    /// A shard's load with what its new tasks may take, in [`STEP`]s.
    fn steps(&self, shard: usize, each: f64) -> u32 {
        let Some(shard) = self.shards.get(shard) else {
            return u32::MAX;
        };
        let load = shard.load + each * f64::from(shard.tasks_since);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small number that is not negative"
        )]
        let steps = (load / STEP) as u32;
        steps
    }

    /// Instances of the kind on a shard, then those of the other. Counted together, connectors with one
    /// task each would put all connectors on one of two shards and all tasks on the other.
    fn counts(&self, shard: usize, is_task: bool) -> (usize, usize) {
        let on_it = self.placed.values().filter(|place| place.shard == shard);
        on_it.fold((0, 0), |(same, other), place| {
            match place.is_task == is_task {
                true => (same + 1, other),
                false => (same, other + 1),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shards {
        placement: Placement,
        now: Instant,
        cpu: Vec<Duration>,
        next: u64,
    }

    impl Shards {
        fn new(count: usize) -> Self {
            let now = Instant::now();
            Self {
                placement: Placement::new(count, now),
                now,
                cpu: vec![Duration::ZERO; count],
                next: 0,
            }
        }

        /// Ten seconds in which the shards take these parts of a CPU.
        fn work(&mut self, parts: &[f64]) {
            let span = Duration::from_secs(10);
            self.now += span;
            for (cpu, part) in self.cpu.iter_mut().zip(parts) {
                *cpu += span.mul_f64(*part);
            }
            let cpu = self.cpu.iter().copied().map(Some);
            self.placement.measure(self.now, cpu);
        }

        fn add(&mut self, is_task: bool) -> usize {
            let shard = self.placement.best(is_task).unwrap();
            self.next += 1;
            self.placement.put(InstanceId(self.next), shard, is_task);
            shard
        }

        fn add_tasks(&mut self, count: usize) -> Vec<usize> {
            (0..count).map(|_| self.add(true)).collect()
        }
    }

    #[test]
    fn tasks_of_many_connectors_spread_over_the_shards() {
        let mut shards = Shards::new(4);
        for is_task in [false, true].repeat(10) {
            shards.add(is_task);
        }
        for shard in 0..4 {
            let (tasks, connectors) = shards.placement.counts(shard, true);
            assert!((2..=3).contains(&tasks) && (2..=3).contains(&connectors));
        }
    }

    #[test]
    fn a_task_goes_where_less_is_done_however_many_are_there() {
        let mut shards = Shards::new(2);
        // One busy task on the first, two that do little on the second.
        assert_eq!(shards.add_tasks(2), [0, 1]);
        shards.placement.put(InstanceId(100), 1, true);
        shards.work(&[0.9, 0.02]);
        assert_eq!(shards.add_tasks(2), [1, 1]);
        // It has become busy there, too, and quiet on the first.
        shards.work(&[0.1, 0.8]);
        assert_eq!(shards.add_tasks(1), [0]);
    }

    #[test]
    fn loads_that_hardly_differ_leave_it_to_the_numbers() {
        let mut shards = Shards::new(2);
        shards.add_tasks(4);
        shards.work(&[0.02, 0.01]);
        let mut places = shards.add_tasks(4);
        places.sort_unstable();
        assert_eq!(places, [0, 0, 1, 1]);
    }

    #[test]
    fn many_tasks_at_once_do_not_all_go_to_the_shard_that_did_less() {
        let mut shards = Shards::new(2);
        shards.add_tasks(2);
        shards.work(&[0.6, 0.2]);
        let places = shards.add_tasks(10);
        let on_first = places.iter().filter(|shard| **shard == 0).count();
        assert!((3..=5).contains(&on_first), "{places:?}");
    }

    #[test]
    fn a_moment_is_no_measure_and_a_shard_that_does_not_tell_counts_by_numbers() {
        let mut shards = Shards::new(2);
        shards.add_tasks(2);
        let soon = shards.now + Duration::from_millis(10);
        let busy = [Some(Duration::from_millis(10)), Some(Duration::ZERO)];
        shards.placement.measure(soon, busy.into_iter());
        assert_eq!(shards.add_tasks(2), [0, 1]);
        let later = shards.now + Duration::from_secs(10);
        shards.placement.measure(later, [None, None].into_iter());
        assert_eq!(shards.add_tasks(2), [0, 1]);
    }
}
