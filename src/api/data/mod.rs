//! The Connect data model: schemas, values and structs (Kafka: `org.apache.kafka.connect.data`).
//!
//! A record's key or value is a [`SchemaAndValue`]; "schemaless" data has no schema and Java-like
//! values. Schemas are shared by `Arc`, values are owned trees.

mod schema;
mod value;

pub use schema::{Field, Schema, SchemaBuilder, SchemaRef, SchemaType, logical};
pub use value::{SchemaAndValue, Struct, Value};
