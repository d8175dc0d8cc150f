//! Schemas and data of Protobuf: round trips, what others write, a registry, and what is no schema or data.

mod anything;
mod hostile;
mod reading;
mod registry;
mod round_trips;
mod settings;

use super::*;
use crate::api::data::text;
use crate::api::{ConfigMap, SchemaBuilder, Struct};
use crate::converters::registry::format::configured;
use crate::converters::registry::settings as common;

fn format(pairs: &[(&str, &str)]) -> ProtobufFormat {
    configured(pairs)
}

fn registered(text: &str) -> RegistrySchema {
    RegistrySchema::of_text(text.to_owned())
}

fn read(format: &ProtobufFormat, text: &str, data: &[u8]) -> Result<SchemaAndValue, ConnectError> {
    format.read(&format.reader(&registered(text), 1)?, data)
}

fn write(
    format: &ProtobufFormat,
    schema: &SchemaRef,
    value: &Value,
) -> Result<(String, Vec<u8>), ConnectError> {
    let target = format.compose(Some(schema))?;
    let writer = format.writer(Some(schema), &target)?;
    let mut out = Vec::new();
    format.write(&writer, Some(schema), value, &mut out)?;
    Ok((target.text, out))
}

/// What a value reads as after it was written.
fn there_and_back(format: &ProtobufFormat, schema: &SchemaRef, value: &Value) -> SchemaAndValue {
    let (schema, data) = write(format, schema, value).unwrap();
    read(format, &schema, &data).unwrap_or_else(|error| panic!("{error} of\n{schema}"))
}

fn structure(schema: &SchemaRef, values: Vec<Value>) -> Value {
    Value::Struct(Box::new(Struct {
        schema: SchemaRef::clone(schema),
        values,
    }))
}

fn string(value: &str) -> Value {
    Value::String(value.to_owned())
}

/// A required struct.
fn struct_of(name: &str, fields: &[(&str, SchemaRef)]) -> SchemaRef {
    let builder = SchemaBuilder::structure().name(name);
    let with = |builder: SchemaBuilder, (name, schema): &(&str, SchemaRef)| {
        builder.field(*name, SchemaRef::clone(schema)).unwrap()
    };
    fields.iter().fold(builder, with).build()
}

/// A message with everything that there is.
const RICH: &str = r#"syntax = "proto3";
package acme;
import "google/protobuf/timestamp.proto";
message Other { string s = 1; }
message Order {
  int32 id = 1;
  oneof way { string mail = 2; Line line = 3; }
  repeated Line lines = 4;
  map<string, int32> counts = 5;
  Suit suit = 6;
  google.protobuf.Timestamp at = 7;
  uint32 big = 8;
  message Line { double price = 1; }
  enum Suit { CLUBS = 0; HEARTS = 1; }
}
"#;
