//! Spreads connectors or tasks as evenly as it goes when not every worker may get each of them.
//!
//! Counting as for equal workers does not do: a worker that can run little would be given its share again
//! and again. Here something moves only when that makes the spread more even, also along a chain of
//! workers, each of which passes something on to the next. When no such chain is left, no assignment is
//! more even (Harvey et al., "Semi-matchings for bipartite graphs and load balancing"), so the round in
//! which revoked work is handed out ends there and nothing is revoked again.

use std::cmp::Reverse;
use std::collections::VecDeque;

use indexmap::IndexSet;

use super::placement::{Placement, Plan};
use crate::distributed::assignor::load::{Resource, WorkerLoad};
use crate::distributed::java_order;

/// Items on workers, both by number.
#[derive(Debug)]
pub(super) struct Spread<'a, E> {
    placement: &'a Placement,
    loads: &'a [WorkerLoad],
    items: Vec<Item<'a, E>>,
    /// The items of each worker.
    on: Vec<Vec<usize>>,
    /// Place of each worker when they are sorted by id, to decide between equals.
    rank: Vec<usize>,
}

#[derive(Debug)]
struct Item<'a, E> {
    value: &'a E,
    /// The worker that runs it; `None` for one that is to be assigned.
    home: Option<usize>,
}

impl<'a, E: Resource> Spread<'a, E> {
    /// Leaves what the workers have where it is, and spreads what is to be assigned.
    pub(super) fn new(
        placement: &'a Placement,
        loads: &'a [WorkerLoad],
        to_assign: &'a IndexSet<E>,
    ) -> Self {
        let mut sorted: Vec<usize> = (0..loads.len()).collect();
        sorted.sort_by(|one, other| java_order::compare(&loads[*one].id, &loads[*other].id));
        let mut rank = vec![0; loads.len()];
        for (place, worker) in sorted.into_iter().enumerate() {
            rank[worker] = place;
        }
        let mut spread = Self {
            placement,
            loads,
            items: Vec::new(),
            on: vec![Vec::new(); loads.len()],
            rank,
        };
        for (worker, load) in loads.iter().enumerate() {
            for value in E::of(&load.work) {
                spread.on[worker].push(spread.items.len());
                let home = Some(worker);
                spread.items.push(Item { value, home });
            }
        }
        for value in to_assign {
            let item = spread.items.len();
            spread.items.push(Item { value, home: None });
            spread.put(item);
        }
        spread.even_out(|item| item.home.is_none());
        spread
    }

    /// Moves what workers have, too: all that they can't run, and what makes the spread more even.
    pub(super) fn balance(&mut self) {
        for worker in 0..self.on.len() {
            let here = std::mem::take(&mut self.on[worker]);
            let (keep, misplaced): (Vec<_>, Vec<_>) = here
                .into_iter()
                .partition(|item| self.may_run(worker, *item));
            self.on[worker] = keep;
            for item in misplaced {
                self.put(item);
            }
        }
        self.even_out(|_| true);
    }

    /// Writes down who gets what, and who gives up what it has.
    pub(super) fn write(&self, plan: &mut Plan) {
        for (worker, items) in self.on.iter().enumerate() {
            for item in items.iter().map(|item| &self.items[*item]) {
                match item.home {
                    None => E::of_mut(&mut plan.additions[worker]).insert(item.value.clone()),
                    Some(home) if home != worker => {
                        E::of_mut(&mut plan.revocations[home]).insert(item.value.clone())
                    }
                    Some(_) => false,
                };
            }
        }
    }

    fn may_run(&self, worker: usize, item: usize) -> bool {
        let connector = self.items[item].value.connector();
        self.placement.may_run(self.loads[worker].member, connector)
    }

    /// Puts an item on the worker with the fewest of those that may run it.
    fn put(&mut self, item: usize) {
        let workers = (0..self.on.len()).filter(|worker| self.may_run(*worker, item));
        let least = workers.min_by_key(|worker| (self.on[*worker].len(), self.rank[*worker]));
        if let Some(worker) = least {
            self.on[worker].push(item);
        }
    }

    fn even_out(&mut self, movable: impl Fn(&Item<'a, E>) -> bool) {
        while let Some(chain) = self.chain(&movable) {
            for (from, item, to) in chain {
                self.on[from].retain(|other| *other != item);
                self.on[to].push(item);
            }
        }
    }

    /// Moves (from, item, to) that take one off a worker and give one to a worker that has at least two
    /// less; the workers between pass on as many as they get. One move is better than several.
    fn chain(&self, movable: &impl Fn(&Item<'a, E>) -> bool) -> Option<Vec<(usize, usize, usize)>> {
        let least = self.on.iter().map(Vec::len).min()?;
        let too_much = |worker: &usize| self.on[*worker].len() >= least + 2;
        let mut starts: Vec<usize> = (0..self.on.len()).filter(too_much).collect();
        starts.sort_by_key(|worker| (Reverse(self.on[*worker].len()), self.rank[*worker]));
        let from = |steps| {
            let mut starts = starts.iter();
            starts.find_map(|start| self.chain_from(*start, steps, movable))
        };
        from(1).or_else(|| from(self.on.len()))
    }

    /// A shortest chain from one worker, of at most so many steps.
    fn chain_from(
        &self,
        start: usize,
        steps: usize,
        movable: &impl Fn(&Item<'a, E>) -> bool,
    ) -> Option<Vec<(usize, usize, usize)>> {
        let mut targets: Vec<usize> = (0..self.on.len()).collect();
        targets.sort_by_key(|worker| (self.on[*worker].len(), self.rank[*worker]));
        // How each worker was reached: from which, by which item.
        let mut reached: Vec<Option<(usize, usize)>> = vec![None; self.on.len()];
        let mut queue = VecDeque::from([(start, 1)]);
        while let Some((from, step)) = queue.pop_front() {
            let items = self.on[from].iter().copied();
            for item in items.filter(|item| movable(&self.items[*item])) {
                let open = |to: &&usize| **to != start && reached[**to].is_none();
                let open: Vec<usize> = targets.iter().filter(open).copied().collect();
                for to in open.into_iter().filter(|to| self.may_run(*to, item)) {
                    reached[to] = Some((from, item));
                    if self.on[to].len() + 2 <= self.on[start].len() {
                        return Some(moves(to, &reached));
                    }
                    if step < steps {
                        queue.push_back((to, step + 1));
                    }
                }
            }
        }
        None
    }
}

/// The way back to where the search began.
fn moves(end: usize, reached: &[Option<(usize, usize)>]) -> Vec<(usize, usize, usize)> {
    let mut moves = Vec::new();
    let mut to = end;
    while let Some((from, item)) = reached[to] {
        moves.push((from, item, to));
        to = from;
    }
    moves
}
