//! The bundled converters, between the bytes in Kafka and the data model (Kafka:
//! `org.apache.kafka.connect.{json,storage,converters}`, contract 6).
//!
//! The room uses `api` alone and performs no I/O, but for `registry`, which asks a schema registry through
//! the shard's blocking pool when a schema is new. An instance belongs to one task and runs on that
//! task's shard; buffers that records need live in it and are used again. Two roads lead through a
//! converter: the struct road (`read`, `write`) with the whole data model, and the text road
//! (`read_text`, `write_text`) without any. Both give the same bytes and the same errors; the property
//! tests in `json/tests.rs` hold them to that.
//!
//! One difference from Apache: on the text road, bytes pass through StringConverter (UTF-8) as they
//! are, where Java would replace what is no UTF-8.

mod boolean;
mod byte_array;
mod config;
pub(crate) mod json;
mod list;
mod number;
mod registry;
mod simple_header;
mod string;

pub use boolean::BooleanConverter;
pub use byte_array::ByteArrayConverter;
pub use json::JsonConverter;
pub use list::{ALL, ConverterPlugin, NewConverter, NewHeaderConverter};
pub use number::{NumberConverter, NumberType};
pub use registry::{AvroConverter, JsonSchemaConverter, ProtobufConverter, RegistryConverter};
pub use simple_header::SimpleHeaderConverter;
pub use string::StringConverter;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
