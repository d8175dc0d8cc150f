//! Transformations and predicates (Kafka: `org.apache.kafka.connect.transforms`, contract 7): one file
//! each, and one list of all of them.
//!
//! The room uses `api` alone and performs no I/O. An instance belongs to one task and runs on that
//! task's shard. Configuration is parsed once; what a record needs of it (names, schemas, compiled
//! expressions) is ready before the first record comes, and rebuilt schemas are kept
//! ([`schema_cache`]). A record is owned: its values are moved, not copied. Results, error classes and
//! error texts are those of Kafka's classes, and so is the order of the maps that Java would copy
//! ([`hash_map`]).

mod cast;
mod cast_value;
mod config;
pub mod confluent;
pub mod debezium;
mod drop_headers;
mod extract_field;
mod field_path;
mod fields;
mod filter;
mod flatten;
mod hash_map;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod java_replacement;
mod list;
mod mask_field;
mod part;
mod predicates;
mod record_text;
mod regex_router;
mod replace_field;
mod requirements;
mod schema_cache;
mod set_schema_metadata;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

pub use cast::Cast;
pub use drop_headers::DropHeaders;
pub use extract_field::ExtractField;
pub use filter::Filter;
pub use flatten::Flatten;
pub use header_from::HeaderFrom;
pub use hoist_field::HoistField;
pub use insert_field::InsertField;
pub use insert_header::InsertHeader;
pub use list::{PREDICATES, PredicatePlugin, TRANSFORMS, TransformPlugin};
pub use mask_field::MaskField;
pub use part::Part;
pub use predicates::{HasHeaderKey, RecordIsTombstone, TopicNameMatches};
pub use regex_router::RegexRouter;
pub use replace_field::ReplaceField;
pub use set_schema_metadata::SetSchemaMetadata;
pub use timestamp_converter::TimestampConverter;
pub use timestamp_router::TimestampRouter;
pub use value_to_key::ValueToKey;

#[cfg(test)]
mod test_records;
