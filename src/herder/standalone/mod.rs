//! The standalone herder as a state machine without I/O (Kafka: `StandaloneHerder`).
//!
//! Every running connector or task is an *instance* with a number of its own; an event of an instance
//! that was replaced meanwhile means nothing. A change of configuration stops all instances of the
//! connector, waits for their ends (at most the graceful timeout, then they are cancelled), and starts
//! anew.

mod entry;
mod machine;
mod offsets;
mod protocol;
mod stages;

pub use machine::Machine;
pub use protocol::{Output, Reply, Request, RequestId};

#[cfg(test)]
mod offsets_tests;
#[cfg(test)]
mod tests;
