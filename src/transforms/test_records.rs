//! Records for the tests of this room.

use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, ConnectRecord, Header, RecordOrigin, Schema, SchemaAndValue,
    SchemaBuilder, SchemaType, Struct, Transformation, Value,
};

/// From a source connector without offsets.
pub(super) const SOURCE: RecordOrigin<'_> = RecordOrigin::Source {
    partition: None,
    offset: None,
};

/// From offset 42 of partition 3 of topic `t`.
pub(super) const SINK: RecordOrigin<'_> = RecordOrigin::Sink {
    topic: "t",
    partition: 3,
    offset: 42,
    log_append_time: false,
};

/// Texts by key.
pub(super) fn config(entries: &[(&str, &str)]) -> ConfigMap {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
    entries.iter().map(owned).collect()
}

/// A record of partition 3 and time 1000 without key and value.
pub(super) fn record(topic: &str) -> ConnectRecord {
    ConnectRecord {
        topic: topic.into(),
        kafka_partition: Some(3),
        key: SchemaAndValue::NULL,
        value: SchemaAndValue::NULL,
        timestamp: Some(1000),
        headers: Vec::new(),
    }
}

/// A record of topic `t` with this value.
pub(super) fn valued(value: SchemaAndValue) -> ConnectRecord {
    ConnectRecord {
        value,
        ..record("t")
    }
}

/// A header with its own name as the value.
pub(super) fn header(key: &str) -> Header {
    Header {
        key: key.to_owned(),
        value: SchemaAndValue::schemaless(text(key)),
    }
}

/// A string.
pub(super) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A schemaless map with its entries in this order.
pub(super) fn map(entries: &[(&str, Value)]) -> Value {
    let owned = |(key, value): &(&str, Value)| (text(key), value.clone());
    Value::Map(entries.iter().map(owned).collect())
}

/// A struct `s`, version 7, optional, with doc and parameters, of these fields.
pub(super) fn structure(fields: &[(&str, SchemaRef, Value)]) -> SchemaAndValue {
    let builder = SchemaBuilder::structure().name("s").version(7).doc("d");
    let builder = builder.parameter("p", "q").optional();
    let each = |builder: SchemaBuilder, (name, schema, _): &(&str, SchemaRef, Value)| {
        builder.field(*name, SchemaRef::clone(schema)).unwrap()
    };
    let schema = fields.iter().fold(builder, each).build();
    let values = fields.iter().map(|(.., value)| value.clone()).collect();
    let inner = Struct {
        schema: SchemaRef::clone(&schema),
        values,
    };
    SchemaAndValue::new(schema, Value::Struct(Box::new(inner)))
}

/// A schema whose null reads as this default.
pub(super) fn defaulted(kind: SchemaType, default: Value) -> SchemaRef {
    let builder = SchemaBuilder::new(kind).optional();
    builder.default_value(default).unwrap().build()
}

/// The required schema of a type.
pub(super) fn required(kind: SchemaType) -> SchemaRef {
    Schema::required(kind)
}

/// The optional schema of a type.
pub(super) fn optional(kind: SchemaType) -> SchemaRef {
    Schema::optional(kind)
}

/// Names and values of a struct's fields, with what each schema is (`?` marks an optional one).
pub(super) fn shown(data: &SchemaAndValue) -> Vec<String> {
    let Value::Struct(inner) = &data.value else {
        panic!("no struct: {:?}", data.value);
    };
    assert_eq!(data.schema.as_ref(), Some(&inner.schema));
    let each = |(field, value): (&crate::api::data::Field, &Value)| {
        let mark = if field.schema.is_optional() { "?" } else { "" };
        format!("{}: {}{mark} = {value:?}", field.name, field.schema)
    };
    inner
        .schema
        .fields()
        .iter()
        .zip(&inner.values)
        .map(each)
        .collect()
}

/// The value after a transformation.
pub(super) fn value_after(
    transformation: &mut dyn Transformation,
    value: SchemaAndValue,
) -> SchemaAndValue {
    let done = transformation.apply(valued(value), SINK);
    done.unwrap().unwrap().value
}

/// The error of a transformation: its class without the package, and its text.
pub(super) fn failure(transformation: &mut dyn Transformation, value: SchemaAndValue) -> String {
    named(&transformation.apply(valued(value), SINK).unwrap_err())
}

/// An error's class without the package, and its text.
pub(super) fn named(error: &ConnectError) -> String {
    let class = error.java_class();
    let simple = class.rsplit('.').next().unwrap_or(class);
    format!("{simple}: {error}")
}
