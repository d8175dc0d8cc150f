//! Why a record of the status topic was passed over.

use tracing::Level;

use super::super::json::WrongType;
use super::super::record::shown;

/// Something to log about a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatusProblem {
    /// The record has no key.
    #[error("Discarding status record without a key")]
    NoKey,
    /// A key of no known kind, or without what it has to name.
    #[error("Discarding record with invalid status key {key}")]
    InvalidKey {
        /// The record's key.
        key: String,
    },
    /// The value is no JSON.
    #[error("Failed to deserialize the status of {key}: {reason}")]
    NotJson {
        /// The record's key.
        key: String,
        /// What the converter says.
        reason: String,
    },
    /// The value, or what has to be in it, is of another type.
    #[error("Failed to deserialize the status of {key}: {} should be {expected} but is {found}",
        field.unwrap_or("the value"))]
    WrongType {
        /// The record's key.
        key: String,
        /// The member; `None` is the value itself.
        field: Option<&'static str>,
        /// What it should be.
        expected: &'static str,
        /// Java's name for what it is.
        found: &'static str,
    },
    /// A state that nobody knows.
    #[error("Failed to deserialize the status of {key}: no state has the name {state}")]
    UnknownState {
        /// The record's key.
        key: String,
        /// The name.
        state: String,
    },
    /// A task's UNASSIGNED that came late: another worker runs the task.
    #[error("Ignoring stale status UNASSIGNED of {key}, generation {generation}: it is RUNNING")]
    Stale {
        /// The record's key.
        key: String,
        /// Generation of the status.
        generation: i32,
    },
}

impl StatusProblem {
    pub(super) fn wrong_type(key: &str, wrong: WrongType) -> Self {
        Self::WrongType {
            key: shown(key),
            field: wrong.field,
            expected: wrong.expected,
            found: wrong.found,
        }
    }

    /// How loudly Apache's worker says it.
    pub fn level(&self) -> Level {
        match self {
            Self::Stale { .. } => Level::TRACE,
            Self::NoKey | Self::InvalidKey { .. } => Level::WARN,
            _ => Level::ERROR,
        }
    }
}
