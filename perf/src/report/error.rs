//! What can go wrong around a report's files.

use std::io;
use std::path::PathBuf;

/// A report's folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder or a file in it.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write` or `create`.
        action: &'static str,
        /// What was touched.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file isn't JSON, or lacks a field.
    #[error("{}: no results of `perf compare` or `perf run`: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected there.
        source: serde_json::Error,
    },
    /// Written by another version of this program.
    #[error(
        "{}: layout {found}, but this program reads {}: render it with the version that wrote it, or measure again",
        path.display(),
        crate::results::FORMAT
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its `format`.
        found: u64,
    },
}
