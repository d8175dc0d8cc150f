//! Distributed mode's I/O: everything that a worker exchanges with Kafka and that is no task's, on one
//! thread of its own with an epoll executor.
//!
//! ```text
//! herder ─ClusterHandle (never blocks)→ mailbox ─→ thread ─→ topic_log: configs, statuses, offsets ─→ Kafka
//!    ↑                                                          │
//!    └──────────────── ClusterEvent ← EventSink ←───────────────┘
//! ```
//!
//! The state of the cluster (which connectors there are, who runs what) belongs to the herder's state
//! machine; this room delivers records in order, appends some, and says what became of that. The group
//! member joins the logs on the same thread (`thread::Parts`).
//!
//! [`peers`] sends requests to other workers of the group over REST. Its calls block: a REST handler makes them,
//! or a thread that the herder keeps for them, never this room's thread, a shard or the herder's own.
//!
//! Invariants: records of a topic reach the sink in order, each at least once, again from the beginning
//! when Kafka has lost the topic; the event that answers [`ClusterHandle::read_config_to_end`] comes
//! after the records that it speaks of; every command is answered once. Bounds: [`COMMANDS_MAX`] commands
//! in the mailbox; per log, one batch of records that the sink has no room for and
//! [`topic_log::APPENDS_MAX`] appends.

mod events;
mod group;
pub mod offsets;
pub mod peers;
mod settings;
mod thread;
pub mod topic_log;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use self::events::{ClusterEvent, EventSink, GroupNews};
use self::group::GroupCommand;
use self::offsets::{KafkaOffsets, OffsetView};
pub use self::settings::ClusterSettings;
use self::thread::Command;
use self::topic_log::LogError;
use crate::distributed::TopicRecord;
use crate::shard::{Mailbox, RuntimeKind, SideThread, StartError, mailbox};
use crate::storage::{OffsetBackingStore, OffsetTopics};

/// Commands that the cluster's mailbox holds.
pub const COMMANDS_MAX: usize = 4096;

/// Names a command; the caller's own numbers, which come back in events.
pub type Token = u64;

/// The cluster's mailbox is full: its thread is stuck or far behind. The command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thread that talks to Kafka for this worker has {COMMANDS_MAX} commands waiting")]
pub struct ClusterBusy;

/// The thread that does distributed mode's I/O.
#[derive(Debug)]
pub struct Cluster {
    handle: ClusterHandle,
    offsets: Arc<KafkaOffsets>,
    thread: SideThread,
}

/// Gives the cluster's thread work, from any thread, without ever waiting. Clones are the same.
#[derive(Debug, Clone)]
pub struct ClusterHandle {
    commands: Mailbox<Command>,
}

impl Cluster {
    /// Starts the thread. It creates the internal topics where they are missing, checks them, and reads each
    /// to its end; [`ClusterEvent::ConfigStarted`] and its siblings tell when, [`ClusterEvent::Failed`]
    /// that it can't.
    ///
    /// # Errors
    /// The thread can't be made.
    pub fn start(settings: ClusterSettings, sink: Arc<dyn EventSink>) -> Result<Self, StartError> {
        let (commands, receiver) = mailbox(COMMANDS_MAX);
        let thread = SideThread::start(RuntimeKind::Epoll, "cluster")?;
        let view = OffsetView::default();
        let offsets = KafkaOffsets::new(
            commands.clone(),
            view.clone(),
            settings.worker.clone(),
            &settings.offsets,
        );
        let run = move || thread::run(settings, view, sink, receiver);
        // The mailbox of a thread that has just started has room.
        if thread.handle().start(run).is_err() {
            return Err(StartError::SideThread {
                name: "cluster".to_owned(),
                reason: "it takes no work".to_owned(),
            });
        }
        Ok(Self {
            handle: ClusterHandle { commands },
            offsets: Arc::new(offsets),
            thread,
        })
    }

    /// For commands.
    pub fn handle(&self) -> ClusterHandle {
        self.handle.clone()
    }

    /// Source offsets for the worker's tasks and requests. Reads and writes wait until the topics were read.
    pub fn offsets(&self) -> OffsetBackingStore {
        OffsetBackingStore::Topics(Arc::clone(&self.offsets) as Arc<dyn OffsetTopics>)
    }

    /// Ends the thread with whatever it is doing, and waits for that up to `limit`: after
    /// [`ClusterEvent::Stopped`]. Says whether it has ended.
    pub fn join(self, limit: Duration) -> bool {
        self.thread.stop(limit)
    }
}

impl ClusterHandle {
    /// Delivers everything that the config topic has at this moment, within `limit`:
    /// [`ClusterEvent::ConfigReadToEnd`] tells, after the records.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn read_config_to_end(&self, token: Token, limit: Duration) -> Result<(), ClusterBusy> {
        self.send(Command::ReadConfigToEnd { token, limit })
    }

    /// Appends records to the config topic in this order, each after all earlier ones:
    /// [`ClusterEvent::ConfigAppended`] tells when Kafka has all of them. What was not on its way
    /// when `limit` is over is not written; what was may be.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn append_config(
        &self,
        token: Token,
        records: Vec<TopicRecord>,
        limit: Duration,
    ) -> Result<(), ClusterBusy> {
        self.send(Command::AppendConfig {
            token,
            records,
            limit,
        })
    }

    /// Appends records to the status topic: [`ClusterEvent::StatusAppended`] tells what became of them.
    /// Nothing is tried again here: whether a status is still true is the caller's to know (Kafka:
    /// `KafkaStatusBackingStore.send`).
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn append_status(
        &self,
        token: Token,
        records: Vec<TopicRecord>,
    ) -> Result<(), ClusterBusy> {
        self.send(Command::AppendStatus { token, records })
    }

    /// Joins the group, or joins it again.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn request_join(&self, reason: &'static str) -> Result<(), ClusterBusy> {
        self.send(Command::Group(GroupCommand::RequestJoin(reason)))
    }

    /// Answers [`GroupNews::Prepare`]: protocols in the order of preference, with metadata.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn join(
        &self,
        round: u64,
        metadata: Vec<(&'static str, Vec<u8>)>,
    ) -> Result<(), ClusterBusy> {
        self.send(Command::Group(GroupCommand::Join(round, metadata)))
    }

    /// Answers [`GroupNews::Lead`]: what each member gets, by its id, or why nothing could be assigned.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn assign(
        &self,
        round: u64,
        assignments: Result<Vec<(String, Vec<u8>)>, String>,
    ) -> Result<(), ClusterBusy> {
        self.send(Command::Group(GroupCommand::Assign(round, assignments)))
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn leave(&self, reason: &'static str) -> Result<(), ClusterBusy> {
        self.send(Command::Group(GroupCommand::Leave(reason)))
    }

    /// The herder does its work: a member whose herder is stuck leaves its group after
    /// `rebalance.timeout.ms`.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn herder_is_alive(&self) -> Result<(), ClusterBusy> {
        self.send(Command::Group(GroupCommand::Alive))
    }

    /// Writes what was appended before, for up to `limit`, and closes the clients; then comes
    /// [`ClusterEvent::Stopped`], and nothing after it.
    ///
    /// # Errors
    /// The mailbox is full.
    pub fn stop(&self, limit: Duration) -> Result<(), ClusterBusy> {
        self.send(Command::Stop { limit })
    }

    fn send(&self, command: Command) -> Result<(), ClusterBusy> {
        self.commands.send(command).map_err(|_| ClusterBusy)
    }
}

/// What became of a command.
pub type Outcome = Result<(), LogError>;
