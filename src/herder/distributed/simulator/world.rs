//! The clock, the queue of what happens next, and who takes it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::chaos::{Chaos, Plan};
use super::client::Client;
use super::coordinator::{Ask, Asker, Coordinator};
use super::topics::{Log, Topic};
use super::worker::{Append, Task, Up, Worker};
use crate::herder::distributed::Now;

/// Virtual milliseconds.
pub(super) type Ms = u64;
/// A worker's number.
pub(super) type W = usize;
/// Counts a worker's processes.
pub(super) type Life = u32;

/// The wall clock at the beginning.
const EPOCH_MS: i64 = 1_700_000_000_000;
/// Things that may happen in one millisecond before it counts as a machine that spins.
const SPIN: u32 = 20_000;

/// What happens.
#[derive(Debug)]
pub(super) enum Event {
    /// To one life of a worker; kept while it is frozen.
    Worker(W, Life, Task),
    /// A request reaches the coordinator.
    Ask(Asker, Ask),
    /// The coordinator's timers.
    CoordinatorTick,
    /// Records reach a topic.
    Append(Append),
    /// The client does something.
    Client,
    Chaos(Chaos),
}

struct Queued {
    at: Ms,
    seq: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.seq).cmp(&(other.at, other.seq))
    }
}

/// Everything.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) now: Ms,
    pub(super) rng: Rng,
    queue: BinaryHeap<Reverse<Queued>>,
    seq: u64,
    spin: u32,
    pub(super) base: Instant,
    pub(super) workers: Vec<Worker>,
    pub(super) coordinator: Coordinator,
    coordinator_tick: Option<Ms>,
    pub(super) logs: [Log; 3],
    pub(super) client: Client,
    /// Chaos has ceased.
    pub(super) calm: bool,
    /// Everything that may cause a round of the group.
    pub(super) disturbances: u64,
    pub(super) steps: u64,
    verbose: bool,
}

impl World {
    pub(super) fn new(plan: Plan, rng: Rng, verbose: bool) -> Self {
        let coordinator = Coordinator::new(plan.initial_delay);
        let workers = plan.profiles.iter().map(Worker::new).collect();
        Self {
            now: 0,
            rng,
            queue: BinaryHeap::new(),
            seq: 0,
            spin: 0,
            base: Instant::now(),
            workers,
            coordinator,
            coordinator_tick: None,
            logs: Default::default(),
            client: Client::default(),
            calm: false,
            disturbances: 0,
            steps: 0,
            verbose,
            plan,
        }
    }

    /// A line of the trace.
    pub(super) fn trace(&self, w: W, line: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>9} w{w} {}", self.now, line());
        }
    }

    /// A line of the trace about nobody in particular.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>9} -- {}", self.now, line());
        }
    }

    /// The moment, as a worker sees it.
    pub(super) fn now_of(&self, w: W) -> Now {
        let ms = i64::try_from(self.now).unwrap_or(i64::MAX);
        Now {
            at: self.base + Duration::from_millis(self.now),
            wall_ms: EPOCH_MS + ms + self.workers[w].skew,
        }
    }

    /// Milliseconds on the network.
    pub(super) fn latency(&mut self) -> Ms {
        match self.rng.u8(..) {
            0..=200 => self.rng.u64(1..4),
            201..=250 => self.rng.u64(3..30),
            _ => self.rng.u64(20..400),
        }
    }

    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    /// Something happens in a while.
    pub(super) fn at(&mut self, wait: Ms, event: Event) {
        self.seq += 1;
        self.queue.push(Reverse(Queued {
            at: self.now + wait,
            seq: self.seq,
            event,
        }));
    }

    /// Something happens to this life of a worker in a while.
    pub(super) fn later(&mut self, w: W, wait: Ms, task: Task) {
        let life = self.workers[w].life;
        self.at(wait, Event::Worker(w, life, task));
    }

    pub(super) fn log(&mut self, topic: Topic) -> &mut Log {
        &mut self.logs[topic.index()]
    }

    /// Lets things happen until then.
    pub(super) fn run_until(&mut self, end: Ms) {
        while let Some(Reverse(next)) = self.queue.peek()
            && next.at <= end
        {
            let Some(Reverse(next)) = self.queue.pop() else {
                break;
            };
            self.spin = if next.at == self.now {
                self.spin + 1
            } else {
                0
            };
            assert!(
                self.spin < SPIN,
                "time stands still at {}: {:?}",
                self.now,
                next.event
            );
            self.now = next.at;
            self.steps += 1;
            self.happen(next.event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Worker(w, life, task) => {
                let worker = &mut self.workers[w];
                match worker.up {
                    Up::Running if worker.life == life => self.task(w, task),
                    Up::Frozen if worker.life == life => worker.backlog.push(task),
                    _ => self.never_heard(task),
                }
            }
            Event::Ask(asker, ask) => {
                let now = self.now;
                self.coordinator.ask(asker, ask, now);
                self.after_coordinator();
            }
            Event::CoordinatorTick => {
                self.coordinator_tick = None;
                let now = self.now;
                self.coordinator.tick(now);
                self.after_coordinator();
            }
            Event::Append(append) => self.append(append),
            Event::Client => self.client_acts(),
            Event::Chaos(chaos) => self.chaos(chaos),
        }
    }

    /// Answers go out, timers are set.
    pub(super) fn after_coordinator(&mut self) {
        self.send_replies();
        let Some(next) = self.coordinator.next_deadline(self.now) else {
            return;
        };
        let next = next.max(self.now + 1);
        if self.coordinator_tick.is_none_or(|at| at > next) {
            self.coordinator_tick = Some(next);
            let wait = next - self.now;
            self.at(wait, Event::CoordinatorTick);
        }
    }
}
