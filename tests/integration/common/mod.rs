//! The harness: processes, a Kafka cluster, Kafka's tools, Apache Connect and our binary.
//!
//! * Every child process is registered with a small watchdog ([`process`]), which kills it when
//!   the test process ends for any reason, and removes the scratch directory.
//! * Every wait has a limit and says what it waited for.
//! * A test that does the brokers no harm uses [`kafka::Kafka::shared_cluster`]; a fault test
//!   starts its own and holds [`heavy`] meanwhile, so that a small machine is not drowned.
//!
//! `RINGMAIN_SKIP_KAFKA=1` skips what needs Java. `RINGMAIN_KEEP_TEST_FILES=1` keeps the scratch
//! directory, whose path failing tests print.
#![allow(
    dead_code,
    reason = "a box of tools; not each one is in use at any time"
)]

pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod lines;
pub(crate) mod oracle;
pub(crate) mod pipeline;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod properties;
pub(crate) mod ringmain;
pub(crate) mod tools;

pub(crate) use client::Client;
pub(crate) use cluster::{ClusterOptions, KafkaCluster};
pub(crate) use kafka::{Kafka, kafka};
pub(crate) use oracle::ConnectOracle;
pub(crate) use ports::free_port;
pub(crate) use process::{Process, scratch_dir};
pub(crate) use properties::Properties;
pub(crate) use ringmain::{Ringmain, Standalone};

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Long enough for a JVM on a machine that does much else; short enough to end a hanging run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Asks `probe` until it answers, at most for `limit`.
///
/// # Panics
/// When time is up, naming `what`.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {limit:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// As [`wait_for`], for a condition.
pub(crate) fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}

/// Held by tests that run brokers of their own or much data, see [`heavy`].
#[derive(Debug)]
pub(crate) struct Heavy(());

static HEAVY: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Waits for one of a few places, so that a large machine with many test threads does not run all
/// brokers of all tests at once.
pub(crate) fn heavy() -> Heavy {
    let places = std::thread::available_parallelism().map_or(2, |cpus| (cpus.get() / 2).max(2));
    let taken = HEAVY.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut taken = HEAVY.1.wait_while(taken, |taken| *taken >= places).unwrap();
    *taken += 1;
    Heavy(())
}

impl Drop for Heavy {
    fn drop(&mut self) {
        *HEAVY.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        HEAVY.1.notify_one();
    }
}
