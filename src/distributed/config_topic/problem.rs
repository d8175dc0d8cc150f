//! Why a record of the config topic was passed over, or taken with a guess.

use tracing::Level;

use super::super::json::WrongType;
use super::super::record::shown;

/// Something to log about a record. No secret shows in any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// The record has no key.
    #[error("Discarding config update record without a key")]
    NoKey,
    /// A key of no known kind, or written by a newer worker.
    #[error("Discarding config update record with invalid key: {key}")]
    UnknownKey {
        /// The record's key.
        key: String,
    },
    /// The number of the task is missing.
    #[error("Ignoring task configuration because {key} couldn't be parsed as a task config key")]
    NoTask {
        /// The record's key.
        key: String,
    },
    /// The value is no JSON.
    #[error(
        "Ignoring config record {key}: failed to convert config data to Kafka Connect format: {reason}"
    )]
    NotJson {
        /// The record's key.
        key: String,
        /// What the converter says.
        reason: String,
    },
    /// The value, or what has to be in it, is of another type.
    #[error("Ignoring config record {key}: {} should be {expected} but is {found}", of(*field))]
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
    /// A target state that nobody knows.
    #[error("Ignoring config record {key}: invalid target state {state}")]
    UnknownState {
        /// The record's key.
        key: String,
        /// Its name.
        state: String,
    },
    /// A session key that can't be used.
    #[error("Ignoring session key: {reason}")]
    BadSessionKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `state.v2` can't be used; `state` is.
    #[error("Config record {key}: 'state.v2' should be a String but is {found}; 'state' is used")]
    OldState {
        /// The record's key.
        key: String,
        /// Java's name for what it is.
        found: &'static str,
    },
    /// A member of a restart request can't be used.
    #[error(
        "Config record {key}: '{field}' should be a Boolean but is {found}, defaulting to false"
    )]
    Defaulted {
        /// The record's key.
        key: String,
        /// The member.
        field: &'static str,
        /// Java's name for what it is.
        found: &'static str,
    },
    /// A value of a configuration is no text.
    #[error(
        "Config record {key}: '{property}' should be a String but is {found}; its text is used"
    )]
    NoText {
        /// The record's key.
        key: String,
        /// Key of the configuration.
        property: String,
        /// Java's name for what it is.
        found: &'static str,
    },
    /// A commit for a connector without configuration: it was deleted, and compaction took all traces.
    #[error(
        "Ignoring task configs for connector {connector}; it appears that the connector was deleted previously"
    )]
    DeletedConnector {
        /// Connector.
        connector: String,
    },
    /// A commit whose tasks are not all there.
    #[error(
        "The {tasks} task configs that connector {connector} commits are not all there, probably due to compaction; the leader has to commit them again"
    )]
    Incomplete {
        /// Connector.
        connector: String,
        /// How many tasks the commit is for.
        tasks: i32,
    },
}

impl ConfigProblem {
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
            Self::DeletedConnector { .. } | Self::Incomplete { .. } => Level::DEBUG,
            Self::Defaulted { .. } | Self::NoText { .. } => Level::WARN,
            _ => Level::ERROR,
        }
    }
}

/// How a member is called in a sentence.
fn of(field: Option<&'static str>) -> String {
    field.map_or("the value".to_owned(), |field| format!("'{field}'"))
}
