//! What can go wrong while measuring.

use std::io;
use std::path::Path;

/// Why a measurement, or the whole call, gave no figure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
    /// A file, socket or process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with its path.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A broker refused, or could not be reached or started.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// A scenario, an option or a tool that is missing.
    #[error("{0}")]
    Usage(String),
    /// The system under test did not do what it was asked for.
    #[error("{0}")]
    Run(String),
}

/// Shorthand.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was tried with which file.
pub(crate) trait Naming<T> {
    /// `what` and the path before the error.
    fn at(self, what: &str, path: &Path) -> Result<T>;
}

impl<T> Naming<T> for io::Result<T> {
    fn at(self, what: &str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: format!("cannot {what} {}", path.display()),
            source,
        })
    }
}
