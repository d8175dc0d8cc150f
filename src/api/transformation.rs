//! Transformations: one record in, one or none out (Kafka: `Transformation`).

use super::error::ConnectError;
use super::record::ConnectRecord;

/// What a transformation may know of a record besides [`ConnectRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOrigin {
    /// From a source connector.
    Source,
    /// From Kafka at this offset.
    Sink {
        /// Kafka offset.
        offset: i64,
    },
}

/// Changes records one at a time, on the struct road.
pub trait Transformation {
    /// Fully qualified Java class name.
    fn class_name(&self) -> &'static str;

    /// The record to go on with; `None` drops it.
    ///
    /// # Errors
    /// Data errors with Apache's texts.
    fn apply(
        &mut self,
        record: ConnectRecord,
        origin: RecordOrigin,
    ) -> Result<Option<ConnectRecord>, ConnectError>;
}
