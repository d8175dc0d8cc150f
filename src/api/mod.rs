//! What connector authors see: connectors, tasks, records, schemas and values, converters,
//! transformations, configuration definitions and errors.
//!
//! The room uses no other room and performs no I/O. Everything here is `!Send`-friendly: tasks run on
//! one shard and share with `Rc`. The traits mirror Kafka Connect's (`org.apache.kafka.connect.*`)
//! but move *batches*, not records.

pub mod config_def;
pub mod connector;
pub mod converter;
pub mod data;
pub mod errant_records;
pub mod error;
pub mod record;
pub mod transformation;

pub use config_def::{
    ConfigDef, ConfigKey, ConfigProblem, ConfigValue, Importance, ParsedConfig, Password,
    Validator, Width,
};
pub use connector::{
    CommittedRun, Connector, ConnectorContext, ConnectorKind, SinkForm, SinkTask, SinkTaskContext,
    SourceTask, SourceTaskContext,
};
pub use converter::{Converter, HeaderConverter, TextRoad};
pub use data::{Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct, Value};
pub use errant_records::{ErrantRecordReporter, Originals};
pub use error::{ConnectError, ErrorKind};
pub use record::{
    ConnectRecord, Header, RawBatch, RecordBatches, SharedBuffer, SinkBatch, SinkRecord,
    SliceBatch, SliceColumn, SliceForm, SourceBatch, SourceMap, SourceRecord, Span, TopicPartition,
};
pub use transformation::{Predicate, RecordOrigin, Transformation};

/// A connector's or worker's raw configuration: key to text, in the order it was written. `None` is
/// JSON `null`, which validation refuses ("Null value can not be supplied …").
pub type ConfigMap = indexmap::IndexMap<String, Option<String>>;

/// A future that lives on one shard.
pub type LocalFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;
