//! Configuration: files and their syntax, `${provider:…}` references, and the definition of every key.
//!
//! Texts become a [`ConfigMap`](crate::api::ConfigMap) first ([`properties`], [`connector_file`]),
//! references in it are replaced ([`provider`]), and typed structs come last. All problems of a file are
//! reported together, with Kafka's texts; unknown keys are warned about.
//!
//! The room is called by the command line, the herder and the workers, on any thread but a shard's:
//! files are read with blocking calls. Secrets never show in errors, logs or `Debug`.

pub mod connector_file;
mod error;
mod file;
pub mod properties;
pub mod provider;

pub use error::ConfigError;
pub use file::MAX_FILE_BYTES;
