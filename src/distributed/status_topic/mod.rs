//! The status topic: what became of connectors and tasks, and which topics they use (Kafka:
//! `KafkaStatusBackingStore`; contract 4.4, 9.5).
//!
//! [`StatusTopic`] is what was read, and says which statuses may be written. A status counts once it has
//! been read back. *Safe* writes (UNASSIGNED and FAILED) leave a status of another worker with a later
//! generation alone; whether a failed write may be sent again is asked anew each time.
//!
//! Memory: the last status of each connector and task, whose traces are the largest part, and one entry
//! per topic and connector; a tombstone frees it.

mod cache;
mod decode;
mod problem;
mod status;

pub use cache::{StatusTopic, StatusWrite};
pub use decode::{StatusDecoder, StatusRecord};
pub use problem::StatusProblem;
pub use status::{State, Status, StatusOf, TopicStatus};

#[cfg(test)]
mod tests;
