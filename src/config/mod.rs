//! Configuration: files and their syntax, `${provider:…}` references, and the definition of every key.
//!
//! Texts become a [`ConfigMap`](crate::api::ConfigMap) first ([`properties`], [`connector_file`]),
//! references in it are replaced ([`provider`]), and typed structs come last. All problems of a file are
//! reported together, with Kafka's texts; unknown keys are warned about.
//!
//! The room is called by the command line, the herder and the workers, on any thread but a shard's:
//! files are read with blocking calls. Secrets never show in errors, logs or `Debug`.

pub mod clients;
pub mod connector;
pub mod connector_file;
mod error;
#[cfg(test)]
mod examples;
mod file;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod kafka_keys;
mod mask;
pub mod properties;
pub mod provider;
mod reference;
pub mod unknown;
mod version_range;
pub mod worker;

pub use connector::ConnectorConfig;
pub use error::ConfigError;
pub use file::MAX_FILE_BYTES;
pub use mask::Mask;
pub use reference::{PluginKeys, reference};
pub use unknown::Warning;
pub use version_range::{InvalidRange, VersionRange};
pub use worker::{PluginConfig, WorkerConfig};

use crate::api::ConfigMap;
use crate::api::config_def::ConfigProblem;

/// A problem for each key whose value is null, as the herder reports it in Kafka.
pub fn null_values(config: &ConfigMap) -> Vec<ConfigProblem> {
    let text = "Null value can not be supplied as the configuration value.";
    config
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(key, _)| ConfigProblem::new(key, text))
        .collect()
}
