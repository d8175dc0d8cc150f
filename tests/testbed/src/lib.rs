//! What the integration tests and the measuring bench share: Apache Kafka on this machine, a cluster,
//! child processes and a client that shares no code with the product.
//!
//! * Every child process is registered with a small watchdog ([`process`]), which kills it when this
//!   process ends for any reason, and removes the scratch directories.
//! * Every wait has a limit and says what it waited for.
//!
//! The tests end by panicking, and most calls here serve them so. What a program that must not panic
//! needs begins with `try_` or gives a [`Result`].
#![allow(
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    reason = "a tool of tests, which end by panicking; the bench uses the calls that give errors"
)]

pub mod basic_auth;
pub mod client;
pub mod cluster;
pub mod kafka;
pub mod ports;
pub mod process;
pub mod promtool;
pub mod properties;
pub mod registry;
pub mod rest_clients;

pub use basic_auth::fetch_basic_auth_extension;
pub use client::Client;
pub use cluster::{ClusterOptions, KafkaCluster};
pub use kafka::{Jvm, Kafka};
pub use ports::{free_port, try_free_port};
pub use process::{Process, scratch_dir};
pub use promtool::{Checked, Promtool};
pub use properties::Properties;
pub use registry::{Python, SchemaRegistry};

use std::time::{Duration, Instant};

/// Long enough for a JVM on a machine that does much else; short enough to end a hanging run.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks `probe` until it answers, at most for `limit`.
///
/// # Panics
/// When time is up, naming `what`.
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
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
///
/// # Panics
/// When time is up, naming `what`.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}
