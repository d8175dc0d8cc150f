//! The Connect data model: schemas, values and structs (Kafka: `org.apache.kafka.connect.data`).
//!
//! A record's key or value is a [`SchemaAndValue`]; "schemaless" data has no schema and Java-like
//! values. Schemas are shared by `Arc`, values are owned trees. A [`Value::Map`] lists its entries in
//! the order in which the Java map it stands for iterates: whoever builds one from what Java keeps in
//! a `HashMap` orders it with [`java_hash`].
//!
//! Pure computation, from any thread.

pub mod java_hash;
pub mod java_number;
pub mod java_time;
pub mod logical_type;
mod schema;
pub mod simple_date_format;
pub mod text;
mod validate;
mod value;
pub mod values;

pub use schema::{Field, Schema, SchemaBuilder, SchemaRef, SchemaType, logical};
pub use value::{SchemaAndValue, Struct, Value};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
