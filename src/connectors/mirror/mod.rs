//! MirrorSource: topics of another Kafka cluster, record by record (Kafka: `connect-mirror` 4.3.1).
//!
//! The connector looks for topics on the source, makes their remote topics on the target, keeps
//! partitions and settings in line, and deals the partitions out to tasks. A task reads its partitions
//! without a group and hands whole batches over; its offsets are
//! `{"cluster":alias,"partition":n,"topic":t}` → `{"offset":n}`, Apache's to the letter, so that either
//! system goes on where the other stopped.
//!
//! | File | What |
//! |---|---|
//! | `config` | keys, client settings, what is refused |
//! | `policy`, `filter` | names of remote topics; which topics and settings are mirrored |
//! | `upkeep` | the two clusters side by side: discovery, creation, settings |
//! | `offsets`, `offset_syncs` | source partitions and offsets; offsets of both clusters written down for MirrorCheckpoint |
//! | `connector`, `task` | when that is done, and by whom |
//!
//! It uses `kafka` for both clusters, besides what connectors see anyway: the worker's own log is known
//! to the task loop alone.

mod config;
mod connector;
mod filter;
mod offset_syncs;
mod offsets;
mod policy;
mod task;
mod upkeep;

pub use config::{config_def, further_keys, problems};
pub use connector::MirrorSource;
pub use offsets::alter_offsets;
pub use task::MirrorSourceTask;

/// Java class.
pub const CLASS: &str = "org.apache.kafka.connect.mirror.MirrorSourceConnector";
/// Java class of the task.
pub const TASK_CLASS: &str = "org.apache.kafka.connect.mirror.MirrorSourceTask";
