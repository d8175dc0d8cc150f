//! The broker-less log: `bootstrap.servers=embedded:DIR` gives the same producer, consumer and admin
//! traits over partitions in a local folder.
//!
//! ```text
//! DIR/.lock                                 held by one process at a time
//! DIR/.kafka_cleanshutdown                  there when everything was closed
//! DIR/meta.properties                       the cluster id
//! DIR/group-offsets                         mapped slot file: committed offsets, log starts
//! DIR/topic-0/00000000000000000000.log      record batches v2, as a broker writes them
//! DIR/topic-0/00000000000000000000.index    (relative last offset, position) about every 4 KiB
//! DIR/topic-0/00000000000000000000.timeindex
//! ```
//!
//! Kafka's own `DumpLogSegments` reads the segments and indexes. An append is acknowledged when
//! `write(2)` has taken it: `kill -9` loses nothing, a power loss may lose what the kernel had not yet
//! written, as with a broker's defaults (segments are synced when they are full and at close).
//!
//! Invariants: one process per folder; offsets are given under a partition's write lock and become
//! visible after the write; a torn tail is cut off at open, a damaged middle is an error; a failed write
//! leaves nothing behind. All file calls run on the pool of [`crate::shard::blocking`], never on a
//! shard; clients are `!Send` and live on one shard each; readers are woken by appends of any thread.

mod admin;
mod consumer;
mod error;
mod groups;
mod log;
mod partition;
mod producer;
mod segment;
mod wake;

pub use admin::EmbeddedAdmin;
pub use consumer::EmbeddedConsumer;
pub use log::{EmbeddedConfig, EmbeddedLog};
pub use producer::EmbeddedProducer;

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod tests;
