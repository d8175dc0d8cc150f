//! Distributed mode: what workers share through Kafka, as calculations without I/O.
//!
//! [`config_topic`], [`status_topic`] and [`offset_topic`] are the three internal topics: records are
//! encoded as Apache Kafka 4.3.1 writes them, read with its tolerance, and replayed into the state that
//! a worker works with. [`internal_topics`] says what the topics must look like. Whoever calls has the
//! clients and the clock.
//!
//! Invariants: bytes from a topic never make anything here panic or grow beyond their own size by more
//! than a constant factor; what is not understood comes back as data, to be logged.

pub mod config_topic;
pub mod internal_topics;
pub mod offset_topic;
pub mod status_topic;

mod json;
mod record;
mod work;

pub use record::TopicRecord;
pub use work::ConnectorTaskId;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod internal_topics_tests;
