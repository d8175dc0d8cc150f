//! The group side of distributed mode: what workers tell each other through Kafka's group coordinator
//! ([`protocol`]).
//!
//! Everything here is a calculation: no I/O, no clock, no thread of its own and nothing of the herder, who
//! calls it. Kafka's own workers join the same groups, so the bytes are those of Apache Kafka 4.3.1
//! (contract, section 5).
//!
//! Invariant: bytes of other members are bounded before they are believed and never make a decoder panic.

pub mod protocol;

mod java_order;
mod work;

pub use work::{ConnectorTaskId, ConnectorsAndTasks};
