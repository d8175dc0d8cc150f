//! The simulator: a cluster of machines on a virtual clock, all of whose luck comes from a seed.
//!
//! | File | What it models |
//! |---|---|
//! | `world` | the clock, the queue of what happens next, the trace |
//! | `coordinator` | Kafka's group coordinator: rounds, sessions, fail-over |
//! | `member` | a worker's group member |
//! | `topics` | partitions of the internal topics |
//! | `worker` | a worker around its machine: threads, topics, peers, crashes |
//! | `instances` | connectors and tasks that start, stop, hang and fail |
//! | `client` | who asks the cluster for things, and what it was promised |
//! | `chaos` | what a seed is made of and what goes wrong in it |
//! | `invariants` | what holds at every step, and what comes true when chaos has ceased |
//!
//! A seed begins with a plan (workers, protocols, clocks), then things go wrong for a while. Then chaos
//! ceases, and some minutes later everything has to be as the config topic says, and to stay so.
//!
//! What an instance does counts only while its worker has a lease, as a real task looks at the lease before
//! it writes: so a frozen process runs nothing once its session is over.

mod chaos;
mod client;
mod coordinator;
mod instances;
mod invariants;
mod member;
mod topics;
mod worker;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use chaos::{CHAOS, Plan};
use world::World;

/// How long after the end of chaos failed instances are started again.
const REPAIR: u64 = 100_000;
/// How long after that everything has settled.
const SETTLE: u64 = 200_000;
/// How long it then stays so.
const QUIET: u64 = 600_000;

/// Runs a seed; gives how many steps it took.
fn run(seed: u64, verbose: bool) -> u64 {
    let mut rng = Rng::with_seed(seed);
    let plan = Plan::new(&mut rng);
    if verbose {
        println!("{plan:#?}");
    }
    let mut world = World::new(plan, rng, verbose);
    world.begin();
    world.run_until(CHAOS);
    world.calm_down();
    world.run_until(CHAOS + REPAIR);
    world.restart_failed();
    world.run_until(CHAOS + REPAIR + SETTLE);
    world.note(|| "everything has settled".to_owned());
    world.check_settled();
    world.check_rounds();
    let rounds = world.coordinator.rounds;
    world.run_until(CHAOS + REPAIR + SETTLE + QUIET);
    assert_eq!(
        world.coordinator.rounds, rounds,
        "rounds while nothing happens"
    );
    world.check_settled();
    world.steps
}

/// Runs seeds on all cores; gives the first lines of what went wrong, by seed.
fn run_all(seeds: std::ops::Range<u64>) -> Vec<(u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, false))) {
                        let text = panic.downcast_ref::<String>().cloned();
                        let text = text.or_else(|| {
                            panic.downcast_ref::<&str>().map(|text| (*text).to_owned())
                        });
                        failed
                            .lock()
                            .unwrap()
                            .push((seed, text.unwrap_or_default()));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    failed
}

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// `RINGMAIN_SIM_SEED` runs one seed with its trace, `RINGMAIN_SIM_SEEDS` more than 2,000.
#[test]
fn two_thousand_seeds_hold_the_invariants() {
    if let Some(seed) = from_environment("RINGMAIN_SIM_SEED") {
        println!("{} steps", run(seed, true));
        return;
    }
    let count = from_environment("RINGMAIN_SIM_SEEDS").unwrap_or(2_000);
    let first = from_environment("RINGMAIN_SIM_FIRST").unwrap_or(0);
    let failed = run_all(first..first + count);
    for (seed, text) in failed.iter().take(20) {
        eprintln!(
            "seed {seed}: {text}\n  RINGMAIN_SIM_SEED={seed} cargo test --lib simulator -- --nocapture"
        );
    }
    assert!(
        failed.is_empty(),
        "{} of {count} seeds failed",
        failed.len()
    );
}

#[test]
fn a_seed_is_the_same_each_time() {
    for seed in 0..5 {
        let runs = [0, 1].map(|_| catch_unwind(|| run(seed, false)).ok());
        assert_eq!(runs[0], runs[1], "steps of seed {seed}");
    }
}
