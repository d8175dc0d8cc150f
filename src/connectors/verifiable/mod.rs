//! VerifiableSource and VerifiableSink: numbered records, and one line of JSON on standard output for
//! each that is sent, acknowledged, received or flushed (Kafka: `VerifiableSourceTask`,
//! `VerifiableSinkTask`). Apache's system tests read those lines; members come in the order in which
//! Java's `HashMap` has them there.
//!
//! Keys, none of which a definition declares: `topic`, `throughput` (per second, negative without limit)
//! and `complete.record.data` for the source.

mod json;
mod sink;
mod source;

pub use sink::VerifiableSinkTask;
pub use source::VerifiableSourceTask;

/// Java class of the source.
pub const SOURCE_CLASS: &str = "org.apache.kafka.connect.tools.VerifiableSourceConnector";
/// Java class of the source's task.
pub const SOURCE_TASK_CLASS: &str = "org.apache.kafka.connect.tools.VerifiableSourceTask";
/// Java class of the sink.
pub const SINK_CLASS: &str = "org.apache.kafka.connect.tools.VerifiableSinkConnector";
/// Java class of the sink's task.
pub const SINK_TASK_CLASS: &str = "org.apache.kafka.connect.tools.VerifiableSinkTask";

/// What both tasks fail with when a setting is no number; the sink's text is the source's in Kafka too.
const INVALID: &str = "Invalid VerifiableSourceTask configuration";
