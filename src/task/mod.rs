//! THE DATA PATH: source and sink tasks of one shard.
//!
//! A task owns its clients, converters, buffers and counters; nothing of it is shared with another
//! shard but the [`control`] cell and its counters. The loops in [`source`] and [`sink`] move batches;
//! [`plan`] chose beforehand on which road. Called by `worker/`.

pub mod control;
pub mod conversion;
pub mod errors;
pub mod plan;
pub mod preview;
pub mod sink;
pub mod source;
pub mod submitted_records;
pub mod tape;
pub mod topic_creation;
pub mod transformation_chain;

use std::fmt;

/// State of a connector or task instance, as the control plane hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceState {
    /// It moves records.
    Running,
    /// It holds still.
    Paused,
    /// It ended with an error; the text is the trace.
    Failed(String),
    /// It ended as wished.
    Stopped,
}

/// Sends an instance's states to the control plane.
pub struct Reporter(Box<dyn Fn(InstanceState)>);

impl Reporter {
    /// A reporter that calls `send`, which must not block.
    pub fn new(send: impl Fn(InstanceState) + 'static) -> Self {
        Self(Box::new(send))
    }

    /// Reports a state.
    pub fn state(&self, state: InstanceState) {
        (self.0)(state);
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod dead_letter_tests;
#[cfg(test)]
mod tests;
