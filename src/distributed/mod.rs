//! Distributed mode: what workers share through Kafka, as calculations without I/O.
//!
//! What workers tell each other through Kafka's group coordinator is [`protocol`]; what the leader makes
//! of it, [`assignor`]. [`config_topic`], [`status_topic`] and [`offset_topic`] are the three internal
//! topics: records are encoded as Apache Kafka 4.3.1 writes them, read with its tolerance, and replayed
//! into the state that a worker works with. [`internal_topics`] says what the topics must look like.
//! [`signature`] is how workers sign the requests that they send each other over REST.
//!
//! No I/O, no clock (the time is passed in), no thread of its own and nothing of the herder, who calls
//! it. Kafka's own workers join the same groups and read the same topics, so for equal input the bytes
//! and the assignments are those of Apache Kafka 4.3.1 (contract, sections 4 and 5); what Ringmain does
//! otherwise among workers of its own kind stands apart, in [`assignor::ringmain`].
//!
//! Invariants: bytes of other members and of topics are bounded before they are believed, never make
//! anything here panic or grow beyond their own size by more than a constant factor, and what is not
//! understood comes back as data, to be logged; an assignor hands out a connector or task to one member
//! at most in a round.

pub mod assignor;
pub mod config_topic;
pub mod internal_topics;
pub mod offset_topic;
pub mod protocol;
pub mod signature;
pub mod status_topic;

pub(crate) mod java_base64;
mod java_order;
mod json;
mod record;
mod work;

pub use record::TopicRecord;
pub use work::{ConnectorTaskId, ConnectorsAndTasks};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod internal_topics_tests;
