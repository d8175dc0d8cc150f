//! What the cluster's thread tells the herder.

use std::sync::Arc;
use std::time::Duration;

use super::topic_log::LogRecord;
use super::{Outcome, Token};
use crate::shard;

/// Wait before a sink without room is asked again; doubles up to [`RETRY_MAX`].
const RETRY: Duration = Duration::from_millis(1);
/// See [`RETRY`].
const RETRY_MAX: Duration = Duration::from_millis(50);

/// Something that happened.
#[derive(Debug)]
pub enum ClusterEvent {
    /// Records of the config topic, in order.
    ConfigRecords(Vec<LogRecord>),
    /// The config topic was read to where it ended at the start.
    ConfigStarted,
    /// Records of the status topic; those of a partition are in order.
    StatusRecords(Vec<LogRecord>),
    /// The status topic was read to where it ended at the start.
    StatusStarted,
    /// The worker's offset topic was read to where it ended at the start.
    OffsetsStarted,
    /// Answers [`super::ClusterHandle::read_config_to_end`].
    ConfigReadToEnd {
        /// The command's.
        token: Token,
        /// Whether all was delivered.
        result: Outcome,
    },
    /// Answers [`super::ClusterHandle::append_config`].
    ConfigAppended {
        /// The command's.
        token: Token,
        /// Whether all is in Kafka; else the first failure.
        result: Outcome,
    },
    /// Answers [`super::ClusterHandle::append_status`].
    StatusAppended {
        /// The command's.
        token: Token,
        /// Whether all is in Kafka; else the first failure.
        result: Outcome,
    },
    /// Something about the worker's place in its group.
    Group(GroupNews),
    /// The worker can't start: an internal topic can't be used. Apache's text, then the causes.
    Failed(String),
    /// Answers [`super::ClusterHandle::stop`].
    Stopped,
}

/// What the group member tells; see `kafka::group_member` for the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupNews {
    /// It is about to join and waits for [`super::ClusterHandle::join`].
    Prepare {
        /// For the answer.
        round: u64,
    },
    /// It leads a round and waits for [`super::ClusterHandle::assign`].
    Lead {
        /// For the answer.
        round: u64,
        /// Generation that is being formed.
        generation: i32,
        /// Name of the protocol that the coordinator chose.
        protocol: String,
        /// This member's id.
        leader: String,
        /// All members, with their metadata.
        members: Vec<(String, Vec<u8>)>,
    },
    /// A round is complete.
    Joined {
        /// Generation of the group.
        generation: i32,
        /// This member's id.
        member_id: String,
        /// Name of the protocol that the coordinator chose.
        protocol: String,
        /// What the leader gave this member.
        assignment: Vec<u8>,
    },
    /// The session is over, or may be; the reason is for the log.
    SessionLost(String),
    /// The worker can't be a member of this group.
    Failed(String),
}

/// Where events go. Called on the cluster's thread: it must not block.
pub trait EventSink: Send + Sync {
    /// Takes an event, or gives it back when there is no room now: it is offered again, and until then
    /// nothing that has to come after it.
    ///
    /// # Errors
    /// No room.
    fn offer(&self, event: ClusterEvent) -> Result<(), ClusterEvent>;
}

impl<F> EventSink for F
where
    F: Fn(ClusterEvent) -> Result<(), ClusterEvent> + Send + Sync,
{
    fn offer(&self, event: ClusterEvent) -> Result<(), ClusterEvent> {
        self(event)
    }
}

/// Offers an event until it is taken.
pub(super) async fn tell(sink: &Arc<dyn EventSink>, event: ClusterEvent) {
    let mut left = event;
    let mut wait = RETRY;
    while let Err(back) = sink.offer(left) {
        left = back;
        shard::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}
