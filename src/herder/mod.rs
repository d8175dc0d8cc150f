//! The control plane: one thread, one state machine.
//!
//! [`standalone`] holds the machine: inputs in (a request, an instance's event, the time), outputs out
//! (start, wish, answer), no I/O, no clock of its own. The [`driver`] thread connects it to the worker
//! and to whoever asks. Task and connector code never runs here. Called by `rest/` and `cli`.

pub mod distributed;
mod driver;
mod entities;
mod handle;
mod plane;
mod restart_policy;
mod stage;
pub mod standalone;
#[cfg(test)]
pub(crate) mod stub;
pub mod validation;

pub use driver::{Herder, HerderEnd, HerderQueue, HerderSettings};
pub use entities::{
    ConnectorInfo, ConnectorOverview, ConnectorState, ConnectorStateInfo, HerderError,
    InitialState, RunsOn, TaskInfo, TaskOverview, TaskRestarts, TaskState,
};
pub use handle::{HerderHandle, Limits};
pub use stage::{Stage, StageCell, instant};
