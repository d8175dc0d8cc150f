//! Transformations and predicates: one record in, one or none out (Kafka: `Transformation`,
//! `Predicate`).
//!
//! Both see the record as the data model has it, and what only one kind of record knows in a
//! [`RecordOrigin`].

use super::error::ConnectError;
use super::record::{ConnectRecord, SourceMap};

/// What a transformation may know of a record besides [`ConnectRecord`], and what no transformation
/// changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RecordOrigin<'a> {
    /// From a source connector (Kafka: `SourceRecord`).
    Source {
        /// Source partition, if the record has one.
        partition: Option<&'a SourceMap>,
        /// Source offset, if the record has one.
        offset: Option<&'a SourceMap>,
    },
    /// From Kafka (Kafka: `SinkRecord`).
    Sink {
        /// Topic that it was consumed from.
        topic: &'a str,
        /// Partition that it was consumed from.
        partition: i32,
        /// Kafka offset.
        offset: i64,
        /// Whether the broker set the timestamp (LogAppendTime) rather than the producer.
        log_append_time: bool,
    },
}

impl RecordOrigin<'_> {
    /// Name of Kafka's class of the record, as error texts show it.
    pub fn class_name(&self) -> &'static str {
        match self {
            Self::Source { .. } => "org.apache.kafka.connect.source.SourceRecord",
            Self::Sink { .. } => "org.apache.kafka.connect.sink.SinkRecord",
        }
    }
}

/// Changes records one at a time, on the struct road.
pub trait Transformation {
    /// Fully qualified Java class name.
    fn class_name(&self) -> &'static str;

    /// The record to go on with; `None` drops it.
    ///
    /// # Errors
    /// Data errors with Apache's texts. The record is gone then; who wants to try again keeps a copy.
    fn apply(
        &mut self,
        record: ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError>;
}

/// Says of each record whether a transformation is for it.
pub trait Predicate {
    /// Fully qualified Java class name.
    fn class_name(&self) -> &'static str;

    /// Whether the record is meant (Kafka: `Predicate.test`).
    ///
    /// # Errors
    /// What the predicate cannot decide. Kafka counts it as a failure of the transformation.
    fn test(
        &mut self,
        record: &ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<bool, ConnectError>;
}
