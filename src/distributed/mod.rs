//! The group side of distributed mode: what workers tell each other through Kafka's group coordinator
//! ([`protocol`]), and what the leader makes of it ([`assignor`]).
//!
//! Everything here is a calculation: no I/O, no clock (the time is passed in), no thread of its own and
//! nothing of the herder, who calls it. Kafka's own workers join the same groups, so for equal input the
//! bytes and the assignments are those of Apache Kafka 4.3.1 (contract, section 5); what Ringmain does
//! otherwise among workers of its own kind stands apart, in [`assignor::ringmain`].
//!
//! Invariants: bytes of other members are bounded before they are believed and never make a decoder
//! panic; an assignor hands out a connector or task to one member at most in a round.

pub mod assignor;
pub mod protocol;

mod java_order;
mod work;

pub use work::{ConnectorTaskId, ConnectorsAndTasks};
