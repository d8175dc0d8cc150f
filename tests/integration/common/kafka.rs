//! Apache Kafka for the tests: one for all of them, with a broker and an oracle to share.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::oracle::ConnectOracle;
use super::pipeline;
use super::{ClusterOptions, KafkaCluster};

/// The jars, and through them everything that runs on Java.
#[derive(Debug)]
pub(crate) struct Kafka(testbed::Kafka);

impl Deref for Kafka {
    type Target = testbed::Kafka;

    fn deref(&self) -> &testbed::Kafka {
        &self.0
    }
}

/// Kafka, or nothing when `RINGMAIN_SKIP_KAFKA=1` is set; the test then returns.
///
/// # Panics
/// When Java or Maven are missing or cannot fetch the jars.
pub(crate) fn kafka() -> Option<&'static Kafka> {
    static KAFKA: OnceLock<Result<Kafka, String>> = OnceLock::new();
    if std::env::var("RINGMAIN_SKIP_KAFKA").is_ok_and(|v| v == "1") {
        eprintln!("skipped: needs Apache Kafka, and RINGMAIN_SKIP_KAFKA=1 is set");
        return None;
    }
    match KAFKA.get_or_init(|| testbed::Kafka::fetch().map(Kafka)) {
        Ok(kafka) => Some(kafka),
        Err(why) => panic!("{why}\nSet RINGMAIN_SKIP_KAFKA=1 to skip what needs Apache Kafka."),
    }
}

impl Kafka {
    /// One broker for all tests that leave it as it was (topics aside).
    pub(crate) fn shared_cluster(&self) -> &'static KafkaCluster {
        static SHARED: OnceLock<KafkaCluster> = OnceLock::new();
        SHARED.get_or_init(|| KafkaCluster::start(self, &ClusterOptions::default()))
    }

    /// One Apache worker on the shared cluster, whose connectors are created by REST; its default
    /// converters are String.
    pub(crate) fn shared_oracle(&self) -> &'static ConnectOracle {
        static SHARED: OnceLock<ConnectOracle> = OnceLock::new();
        SHARED.get_or_init(|| {
            let worker = pipeline::worker(&self.shared_cluster().bootstrap());
            ConnectOracle::start(self, &worker, &[])
        })
    }

    /// One Apache worker for tests that pause and resume connectors, for one of them at a time. Apache's
    /// standalone herder takes its own lock and that of its configurations in either order: a pause beside
    /// another change can stop it for good ("Request timed out"), and so is nothing for a shared worker.
    pub(crate) fn managed_oracle(&self) -> ManagedOracle {
        static TURN: Mutex<()> = Mutex::new(());
        static MANAGED: OnceLock<ConnectOracle> = OnceLock::new();
        // A test that failed has done the worker no harm.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let oracle = MANAGED.get_or_init(|| {
            let worker = pipeline::worker(&self.shared_cluster().bootstrap());
            ConnectOracle::start(self, &worker, &[])
        });
        ManagedOracle {
            oracle,
            _turn: turn,
        }
    }
}

/// A test's turn with an Apache worker, see [`Kafka::managed_oracle`].
#[derive(Debug)]
pub(crate) struct ManagedOracle {
    oracle: &'static ConnectOracle,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for ManagedOracle {
    type Target = ConnectOracle;

    fn deref(&self) -> &ConnectOracle {
        self.oracle
    }
}
