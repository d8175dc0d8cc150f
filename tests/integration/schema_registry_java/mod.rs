//! Converters with a schema registry beside Java, with a real registry between: what Java wrote is read,
//! and Java reads what was written here.
//!
//! * [`avro`]: Apache's own worker with Apicurio's converter, whose conversion is Confluent's `AvroData`,
//!   beside the binary.

mod avro;
