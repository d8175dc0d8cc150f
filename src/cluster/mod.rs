//! The cluster's I/O that is not a task's.
//!
//! [`peers`] sends requests to other workers of the group over REST. Its calls block: a REST handler makes them, or a
//! thread that the herder keeps for them, never a shard and never the herder's own thread.

pub mod peers;
