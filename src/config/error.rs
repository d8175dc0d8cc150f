//! What can go wrong before a configuration is a map of texts.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A configuration file that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not there or may not be read.
    #[error("cannot read the configuration file '{}': {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any configuration should be.
    #[error(
        "the configuration file '{}' is larger than {limit} bytes; is it the right file?",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Largest size in bytes.
        limit: u64,
    },
    /// The text does not follow the properties syntax.
    #[error("'{}', line {line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A connector file without a usable connector.
    #[error("{message}")]
    Connector {
        /// The file.
        path: PathBuf,
        /// Kafka's text, which names the file.
        message: String,
    },
}
