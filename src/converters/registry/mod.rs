//! Converters whose schemas live in a schema registry: Avro, JSON Schema and Protobuf, in the wire format
//! that Confluent's serializers made common (a zero byte, the schema's id in four bytes, the data; with
//! Protobuf, before the data, which message of the schema it is).
//!
//! ```text
//! read, write ── schema known ──→ data          (on the shard, no I/O)
//!      └─ unknown: Pending ─→ resolve: client (blocking pool) → format → cache, then read or write again
//! ```
//!
//! [`converter`] is what the three have in common; a [`format::Format`] says what a schema and the data
//! look like. `client` talks HTTP in calls on the blocking pool, so a registry that hangs holds up the
//! task that needs it and nobody else. `cache` keeps what was found, and for a moment what was not.
//! Everything that comes from a record or from the registry is bounded ([`limits`]).
//!
//! What the converters do is what Confluent's do (`AvroData`, `JsonSchemaData`, `ProtobufData`); where
//! they differ on purpose, DESIGN.md says so.

pub(super) mod avro;
mod cache;
mod client;
mod converter;
mod failure;
mod format;
pub(super) mod json_schema;
mod limits;
mod lookup;
mod names;
pub(super) mod protobuf;
mod settings;
mod subject;
mod tls;
mod wire;
mod zigzag;

#[cfg(test)]
mod fake_registry;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use converter::RegistryConverter;

/// `io.confluent.connect.avro.AvroConverter`.
pub type AvroConverter = RegistryConverter<avro::AvroFormat>;

/// `io.confluent.connect.json.JsonSchemaConverter`.
pub type JsonSchemaConverter = RegistryConverter<json_schema::JsonSchemaFormat>;

/// `io.confluent.connect.protobuf.ProtobufConverter`.
pub type ProtobufConverter = RegistryConverter<protobuf::ProtobufFormat>;
