//! The herder of distributed mode as a state machine without I/O (Kafka: `DistributedHerder`,
//! `WorkerCoordinator`).
//!
//! ```text
//! requests, instances' events ─┐                    ┌→ start, wish, cancel, answer   (the worker)
//! the group's events ──────────┼→ Machine ──────────┼→ join, assign, leave           (the group)
//! records of config and status ┘   time is passed in└→ append, read to the end, post (topics, peers)
//! ```
//!
//! | File | What it decides |
//! |---|---|
//! | `machine` | takes inputs, lets everything that can go on go on, deadlines |
//! | `group` | rounds of a rebalance, from joining to running what was assigned |
//! | `work` | what runs here, and why it starts, stops and starts again |
//! | `config_log`, `config_writes` | what the config topic says; what is written to it, one change at a time |
//! | `publications` | task configurations on their way from a connector to the topic |
//! | `statuses` | the status topic: written for what runs here, read for everybody |
//! | `requests`, `restarts`, `offsets` | what REST asks for |
//! | `session_keys` | the key of requests between workers |
//!
//! Everything that has been decided follows from records of the config topic that were read back, never
//! from what is about to be written, so that all workers decide alike.
//!
//! Invariants, held by the simulator at every step: a task runs on one worker at most, and its new
//! configuration nowhere before all workers have stopped the old ones (a round of the group is the
//! barrier); who is out of the group runs nothing; what was answered as written is in the topic; every
//! assigned task of a started connector is started in the end.
//!
//! Differences from Apache, on purpose: a worker that has lost its session stops at once and joins with
//! empty hands, for others may have been given its work; one that can't reach the coordinator goes on
//! until the session is over. Work is started also when the topic has more records than the leader knew
//! of, except where those concern it. Requests that read are answered during a rebalance.

mod config_log;
mod config_writes;
mod group;
mod link;
mod machine;
mod offsets;
mod peers;
mod protocol;
mod publications;
mod requests;
mod restarts;
mod session_keys;
mod statuses;
mod work;

#[cfg(test)]
mod simulator;

pub use config_log::Record;
pub use link::Connections;
pub(super) use link::Link;
pub use machine::{Machine, Now, Settings};
pub use peers::PeerCaller;
pub use protocol::{
    ConfigCommand, GroupCommand, Joined, Lead, Output, PeerCall, PeerError, Token, WriteError,
};
pub use session_keys::KeySettings;

/// Logs what a record of an internal topic is not.
fn log(level: tracing::Level, topic: &str, offset: i64, problem: &dyn std::fmt::Display) {
    match level {
        tracing::Level::ERROR => tracing::error!(topic, offset, "{problem}"),
        tracing::Level::WARN => tracing::warn!(topic, offset, "{problem}"),
        _ => tracing::debug!(topic, offset, "{problem}"),
    }
}
