//! Data as JSON, the same on both sides.
//!
//! A value: null, true, "text", or a list of its kind and content: `["i8", 5]`, `["f32", bits]`,
//! `["y", base64]`, `["d", unscaled, scale]`, `["date", millis]`, `["a", […]]`, `["m", [[key, value], …]]` in
//! the map's order, `["st", [field, …]]`, which in questions has the struct's own schema behind it where
//! that is not the schema of its place. A schema: an object of what is set.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringmain::api::data::SchemaRef;
use ringmain::api::{ConfigMap, ConnectError, Schema, SchemaAndValue, SchemaType, Value};
use serde_json::{Value as Json, json};

pub(crate) fn error(error: &ConnectError) -> Json {
    json!({ "error": [error.java_class(), error.message()] })
}

pub(crate) fn bytes(bytes: Option<&[u8]>) -> Json {
    bytes.map_or(Json::Null, |bytes| BASE64.encode(bytes).into())
}

pub(crate) fn config(config: &ConfigMap) -> Json {
    let each = |(key, value): (&String, &Option<String>)| (key.clone(), json!(value));
    Json::Object(config.iter().map(each).collect())
}

/// An answer's schema and value.
pub(crate) fn answered(data: &SchemaAndValue) -> Json {
    json!([
        schema(data.schema.as_ref(), false),
        value(&data.value, None, false)
    ])
}

/// A question's schema and value.
pub(crate) fn asked(data: &SchemaAndValue) -> Json {
    let own = data.schema.as_ref();
    json!([schema(own, true), value(&data.value, own, true)])
}

pub(crate) fn schema(schema: Option<&SchemaRef>, question: bool) -> Json {
    let Some(schema) = schema else {
        return Json::Null;
    };
    let mut out = json!({ "type": schema.kind().name() });
    append_parts(schema, question, &mut out);
    if schema.is_optional() {
        out["optional"] = json!(true);
    }
    if let Some(name) = schema.name() {
        out["name"] = json!(name);
    }
    if let Some(version) = schema.version() {
        out["version"] = json!(version);
    }
    if let Some(doc) = schema.doc() {
        out["doc"] = json!(doc);
    }
    if let Some(parameters) = schema.parameters().filter(|all| !all.is_empty()) {
        out["parameters"] = parameters
            .iter()
            .map(|(key, value)| json!([key, value]))
            .collect();
    }
    if let Some(default) = schema.default() {
        out["default"] = value(default, Some(schema), question);
    }
    out
}

fn append_parts(own: &Schema, question: bool, out: &mut Json) {
    match own.kind() {
        SchemaType::Map => {
            out["keys"] = schema(own.key_schema(), question);
            out["values"] = schema(own.value_schema(), question);
        }
        SchemaType::Array => out["values"] = schema(own.value_schema(), question),
        SchemaType::Struct => {
            let each = |field: &ringmain::api::data::Field| {
                json!([field.name, schema(Some(&field.schema), question)])
            };
            out["fields"] = own.fields().iter().map(each).collect();
        }
        _ => {}
    }
}

/// `place` is the schema of the value's place, which a question's structs are compared with.
pub(crate) fn value(data: &Value, place: Option<&SchemaRef>, question: bool) -> Json {
    match data {
        Value::Null => Json::Null,
        Value::Boolean(flag) => json!(flag),
        Value::String(text) => json!(text),
        Value::Int8(number) => json!(["i8", number]),
        Value::Int16(number) => json!(["i16", number]),
        Value::Int32(number) => json!(["i32", number]),
        Value::Int64(number) => json!(["i64", number]),
        Value::Float32(number) => {
            let canonical = if number.is_nan() { f32::NAN } else { *number };
            json!(["f32", canonical.to_bits().cast_signed()])
        }
        Value::Float64(number) => {
            let canonical = if number.is_nan() { f64::NAN } else { *number };
            json!(["f64", canonical.to_bits().cast_signed()])
        }
        Value::Bytes(content) => json!(["y", bytes(Some(content))]),
        Value::Decimal(number) => {
            let (unscaled, scale) = number.as_bigint_and_scale();
            json!(["d", unscaled.to_string(), scale])
        }
        Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
            json!(["date", millis])
        }
        Value::Array(items) => {
            let items_place = place.and_then(|place| place.value_schema());
            let each = |item: &Value| value(item, items_place, question);
            json!(["a", items.iter().map(each).collect::<Json>()])
        }
        Value::Map(entries) => {
            let keys = place.and_then(|place| place.key_schema());
            let values = place.and_then(|place| place.value_schema());
            let each = |(key, item): &(Value, Value)| {
                json!([value(key, keys, question), value(item, values, question)])
            };
            json!(["m", entries.iter().map(each).collect::<Json>()])
        }
        Value::Struct(inner) => {
            let fields = inner.schema.fields().iter().zip(&inner.values);
            let each = |(field, item): (&ringmain::api::data::Field, &Value)| {
                value(item, Some(&field.schema), question)
            };
            let fields: Json = fields.map(each).collect();
            if !question {
                return json!(["st", fields]);
            }
            // By pointer first: a schema with NaN for a default is not equal to itself.
            let same = place
                .is_some_and(|place| Arc::ptr_eq(place, &inner.schema) || *place == inner.schema);
            let own = if same {
                Json::Null
            } else {
                schema(Some(&inner.schema), true)
            };
            json!(["st", fields, own])
        }
    }
}
