//! What the leader of a group computes: who runs what (contract 5.3 and 5.4).
//!
//! [`EagerAssignor`] and [`IncrementalCooperativeAssignor`] are Apache's, for equal input equal in output
//! down to the order of what they name, which a differential test with Apache's own classes holds them
//! to. [`ringmain::GroupAssignor`] is what a Ringmain leader uses: the same, and among workers that say
//! what they can run, more.
//!
//! A round is a function of what the members said, of the configuration and of the time, all handed over
//! in a [`Round`]; the incremental assignor also remembers the rounds before.

mod eager;
mod incremental;
mod load;
pub mod ringmain;
mod round;

pub use eager::EagerAssignor;
pub use incremental::IncrementalCooperativeAssignor;
pub use round::{
    AssignorError, Configuration, ConfiguredConnector, GroupAssignment, LeaderState, Member, Round,
};

#[cfg(test)]
mod tests;
