//! The embedded protocol of Connect's groups, as Apache Kafka 4.3.1 writes and reads it (contract 5.1 and
//! 5.2; Kafka: `ConnectProtocol`, `IncrementalCooperativeConnectProtocol`, KIP-415, KIP-507).
//!
//! A worker joins with a [`WorkerState`] for each protocol that it would take part in
//! ([`metadata_request`]); the leader answers each with an [`Assignment`]. A newer version than ours is
//! read as far as it is known, what comes after it is ignored, and fields that an older worker does not
//! write have defaults, as in Java.
//!
//! Behind what Java reads, Ringmain's workers name the plugins that they can run ([`PluginClasses`]).

mod assignment;
mod barrier;
mod plugins;
mod wire;
mod worker_state;

use std::fmt;

pub use assignment::{Assignment, CONFIG_MISMATCH, NO_ERROR};
pub use barrier::{append_barrier, append_holds_work, barrier, holds_work};
pub use plugins::PluginClasses;
pub use wire::ProtocolError;
pub use worker_state::{WorkerState, metadata_request};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

/// `protocol_type` of Connect's groups.
pub const PROTOCOL_TYPE: &str = "connect";

/// What workers agree on: how they rebalance and whether their requests are signed. Later ones include
/// the earlier ones (Kafka: `ConnectProtocolCompatibility`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectProtocol {
    /// Members stop everything before each rebalance.
    Eager,
    /// Incremental cooperative rebalancing (KIP-415).
    Compatible,
    /// The same, with signed requests between workers (KIP-507).
    Sessioned,
}

impl ConnectProtocol {
    /// All, as they are preferred.
    pub const ALL: [Self; 3] = [Self::Sessioned, Self::Compatible, Self::Eager];

    /// The name under which members list it when they join.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eager => "default",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        }
    }

    /// Version of the messages.
    pub const fn version(self) -> i16 {
        match self {
            Self::Eager => 0,
            Self::Compatible => 1,
            Self::Sessioned => 2,
        }
    }

    /// By the name that the coordinator chose; `None` for a name that no worker of Kafka 4.3.1 has.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    /// By the value of `connect.protocol`, in any case.
    pub fn from_config(value: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|protocol| protocol.to_string().eq_ignore_ascii_case(value))
    }

    /// What a worker with this setting would take part in, the preferred one first.
    pub fn supported(self) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |protocol| *protocol <= self)
    }
}

/// As `connect.protocol` has it.
impl fmt::Display for ConnectProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eager => "eager",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        })
    }
}
