//! The config topic: connectors, tasks, target states and what else the workers of a cluster agree on
//! (Kafka: `KafkaConfigBackingStore`; contract 4.2).
//!
//! ```text
//! bytes ─decode→ ConfigRecord ─ConfigTopic.apply→ ClusterConfigState, UpdateEvent, ConfigProblem
//!       ←encode─ ConfigRecord, connector_config, connector_removal, task_configs
//! ```
//!
//! [`ConfigTopic`] replays the topic's one partition in order. Task configurations wait for the commit
//! of their connector; a commit whose tasks are not all there (compaction took some) leaves the
//! connector *inconsistent* until the leader commits again. Nothing is told to anybody before
//! [`ConfigTopic::start`], which belongs after the first read to the end.
//!
//! Memory: what the topic's last record of each key says, task configurations twice at most, plus a few
//! dozen bytes for each connector that ever was. [`ConfigTopic::snapshot`] costs nothing; the first
//! record after it copies the maps, not the configurations in them.
//!
//! Differences from Apache: where its consumer of the topic throws (a commit without a count, a session
//! key that is no base64), every record that came in the same fetch behind that one is lost to it, or the
//! worker does not start; here the one record is passed over. A value in `properties` that is neither
//! text nor null is kept as it is there, and fails whoever uses it; here it becomes its text.

mod decode;
mod problem;
mod record;
mod restart;
mod session_key;
mod state;
mod topic;

pub use decode::{Decoded, Decoder};
pub use problem::ConfigProblem;
pub use record::{
    ConfigRecord, TargetState, TaskConfigRecords, connector_config, connector_removal, task_configs,
};
pub use restart::{PendingRestarts, RestartRequest};
pub use session_key::SessionKey;
pub use state::{ClusterConfigState, NO_OFFSET};
pub use topic::{Applied, ConfigTopic, UpdateEvent};

#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod tests;
