//! Converters with a schema registry beside Java, with a real registry between: what Java wrote is read,
//! and Java reads what was written here.
//!
//! * [`avro`]: Apache's own worker with Apicurio's converter, whose conversion is Confluent's `AvroData`,
//!   beside the binary.
//! * [`json_schema`], [`protobuf`], [`protobuf_written`]: Apicurio's serializers, in the programs of
//!   `tests/oracle`. They know no Connect types, so records are compared as what they hold: random ones
//!   beside the library's converters ([`converted`]), and some through topics beside the binary.

mod avro;
mod converted;
mod json_schema;
mod protobuf;
mod protobuf_written;
mod values;
