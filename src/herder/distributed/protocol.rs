//! Inputs and outputs of the machine that standalone mode does not have.

use std::sync::Arc;

use crate::api::ConfigMap;
use crate::distributed::TopicRecord;
use crate::distributed::config_topic::SessionKey;
use crate::herder::standalone;

/// Number of something that was asked for and is answered later; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// What the driver shall do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// What a worker of either mode does.
    Local(standalone::Output),
    /// Something about the group.
    Group(GroupCommand),
    /// Something about the config topic.
    Config(ConfigCommand),
    /// Append to the status topic, and report by [`super::Machine::status_written`].
    Status(Token, TopicRecord),
    /// Ask the leader, and report by [`super::Machine::peer_answered`].
    Post(PeerCall),
    /// Set the level of a logger of this process.
    LoggerLevel {
        /// Logger's name.
        namespace: String,
        /// Level's name.
        level: String,
    },
}

/// What the group member shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupCommand {
    /// Join the group, or join again; the reason is for the coordinator's log.
    RequestJoin(&'static str),
    /// The answer to [`super::Machine::prepare`]: protocols in the order of preference, with metadata.
    Join(Vec<(&'static str, Vec<u8>)>),
    /// The answer to [`super::Machine::lead`]: what each member gets, or why nothing could be assigned.
    Assign(Result<Vec<(String, Vec<u8>)>, String>),
    /// Leave the group.
    Leave(&'static str),
}

/// What shall be done with the config topic; one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigCommand {
    /// Read to the end that there is now; [`super::Machine::config_read`] when every record up to there
    /// was taken in.
    ReadToEnd(Token),
    /// Append these in order; [`super::Machine::config_written`].
    Append(Token, Vec<TopicRecord>),
}

/// A request of this worker's own to the leader (contract 1.11).
#[derive(Debug, Clone, PartialEq)]
pub struct PeerCall {
    /// For the answer.
    pub token: Token,
    /// The leader's URL.
    pub url: Arc<str>,
    /// The connector whose tasks are to be written.
    pub connector: Arc<str>,
    /// Their configurations.
    pub configs: Vec<ConfigMap>,
    /// What to sign with, where the group agreed on signatures.
    pub key: Option<SessionKey>,
}

/// The leader did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerError {
    /// HTTP status; `None` when there was no answer.
    pub status: Option<u16>,
    /// Its text.
    pub message: String,
}

/// Why a topic could not be written or read in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteError {
    /// What went wrong.
    pub message: String,
    /// Whether another try may succeed.
    pub retriable: bool,
}

/// The coordinator made this member the leader of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Generation that is being formed.
    pub generation: i32,
    /// Name of the protocol that the coordinator chose.
    pub protocol: String,
    /// This member's id.
    pub leader: String,
    /// All members, with their metadata.
    pub members: Vec<(String, Vec<u8>)>,
}

/// A round is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Generation of the group.
    pub generation: i32,
    /// This member's id.
    pub member_id: String,
    /// Name of the protocol that the coordinator chose.
    pub protocol: String,
    /// What the leader gave this member.
    pub assignment: Vec<u8>,
}
