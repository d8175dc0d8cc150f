//! The bundled measuring bench: the same work on Ringmain and on its peers, side by side, in one run.
//!
//! A package of its own, so that what measuring needs never reaches a user's build.

pub mod report;
pub mod results;
