//! The harness: Kafka's tools, Apache Connect and our binary, beside what the crate `testbed` gives to
//! the bench as well: processes, a Kafka cluster, a client.
//!
//! * A test that does the brokers no harm uses [`kafka::Kafka::shared_cluster`]; a fault test
//!   starts its own and holds [`heavy`] meanwhile, so that a small machine is not drowned.
//!
//! `RINGMAIN_SKIP_KAFKA=1` skips what needs Java. `RINGMAIN_KEEP_TEST_FILES=1` keeps the scratch
//! directory, whose path failing tests print.
#![allow(
    dead_code,
    reason = "a box of tools; not each one is in use at any time"
)]

pub(crate) mod browser;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod lines;
pub(crate) mod oracle;
pub(crate) mod pipeline;
pub(crate) mod registry;
pub(crate) mod ringmain;
pub(crate) mod small_disk;
pub(crate) mod tools;
pub(crate) mod wrong_clock;

pub(crate) use kafka::{Kafka, kafka};
pub(crate) use oracle::ConnectOracle;
pub(crate) use ringmain::{Ringmain, Standalone};
pub(crate) use testbed::{
    ClusterOptions, KafkaCluster, PATIENCE, Process, Properties, client, free_port, scratch_dir,
    wait_for, wait_until,
};

use std::sync::{Condvar, Mutex, PoisonError};

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
