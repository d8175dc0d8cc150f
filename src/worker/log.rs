//! Where the worker's records live: the seam between tasks and the clients of a log.

use std::fmt::Debug;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::clients::{
    Admin, AdminConfig, ClientError, Consumer, ConsumerConfig, Producer, ProducerConfig,
};
use crate::config::worker::EmbeddedConfig;
use crate::embedded::{self, EmbeddedAdmin, EmbeddedConsumer, EmbeddedLog, EmbeddedProducer};
use crate::kafka::{KafkaAdmin, KafkaConsumer, KafkaProducer};

/// Makes clients of the worker's log. Shared by all threads; a client belongs to the shard that made it.
pub trait LogAccess: Debug + Send + Sync {
    /// A producer of the current shard.
    fn producer(&self, config: ProducerConfig) -> Rc<dyn Producer>;

    /// A consumer of the current shard.
    fn consumer(&self, config: ConsumerConfig) -> Rc<dyn Consumer>;

    /// An admin client of the current shard.
    fn admin(&self, config: AdminConfig) -> Rc<dyn Admin>;
}

/// Kafka brokers.
#[derive(Debug, Clone, Copy)]
pub struct KafkaAccess;

impl LogAccess for KafkaAccess {
    fn producer(&self, config: ProducerConfig) -> Rc<dyn Producer> {
        Rc::new(KafkaProducer::new(config))
    }

    fn consumer(&self, config: ConsumerConfig) -> Rc<dyn Consumer> {
        Rc::new(KafkaConsumer::new(config))
    }

    fn admin(&self, config: AdminConfig) -> Rc<dyn Admin> {
        Rc::new(KafkaAdmin::new(config))
    }
}

/// The log in a local directory.
#[derive(Debug, Clone)]
pub struct EmbeddedAccess(Arc<EmbeddedLog>);

impl EmbeddedAccess {
    /// Opens the log, recovering it where needed.
    ///
    /// # Errors
    /// In use by another process, damaged, not accessible.
    pub fn open(dir: &Path, config: &EmbeddedConfig) -> Result<Self, ClientError> {
        let config = embedded::EmbeddedConfig {
            segment_bytes: u64::from(config.segment_bytes),
            retention_ms: config
                .retention
                .and_then(|age| u64::try_from(age.as_millis()).ok()),
            retention_bytes: config.retention_bytes,
            num_partitions: i32::try_from(config.num_partitions).unwrap_or(i32::MAX),
            ..embedded::EmbeddedConfig::default()
        };
        EmbeddedLog::open(dir, config).map(Self)
    }
}

impl LogAccess for EmbeddedAccess {
    fn producer(&self, config: ProducerConfig) -> Rc<dyn Producer> {
        Rc::new(EmbeddedProducer::new(Arc::clone(&self.0), config))
    }

    fn consumer(&self, config: ConsumerConfig) -> Rc<dyn Consumer> {
        Rc::new(EmbeddedConsumer::new(Arc::clone(&self.0), config))
    }

    fn admin(&self, _: AdminConfig) -> Rc<dyn Admin> {
        Rc::new(EmbeddedAdmin::new(Arc::clone(&self.0)))
    }
}
