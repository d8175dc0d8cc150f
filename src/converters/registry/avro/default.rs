//! Default values, between JSON in a schema and Connect values (Confluent: `defaultValueFromConnect`,
//! `defaultValueFromAvro`). Bytes are text in ISO-8859-1, as Avro has it.

use serde_json::{Map, Number, Value as Json};

use super::AvroSettings;
use super::compose::has_string_keys;
use super::names::scrub;
use super::schema::{AvroSchema, Kind, NodeId};
use crate::api::data::{SchemaRef, java_hash, logical, logical_type};
use crate::api::{ConnectError, Schema, SchemaType, Value};

type Converted<T> = Result<T, ConnectError>;

/// The JSON of a default value; `None` when JSON has no form for it (a number that is not finite).
///
/// # Errors
/// The value does not fit its schema.
pub(super) fn to_json(
    schema: &Schema,
    value: &Value,
    settings: AvroSettings,
) -> Converted<Option<Json>> {
    let json = match (schema.kind(), value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Int8(number)) => (*number).into(),
        (_, Value::Int16(number)) => (*number).into(),
        (_, Value::Int32(number)) => (*number).into(),
        (_, Value::Int64(number)) => (*number).into(),
        (_, Value::Float32(number)) => match number.to_string().parse().map(Number::from_f64) {
            Ok(Some(number)) => number.into(),
            _ => return Ok(None),
        },
        (_, Value::Float64(number)) => match Number::from_f64(*number) {
            Some(number) => number.into(),
            None => return Ok(None),
        },
        (_, Value::Boolean(flag)) => (*flag).into(),
        (_, Value::String(text)) => text.clone().into(),
        (_, Value::Bytes(bytes)) => latin(bytes).into(),
        (_, Value::Decimal(number)) => {
            latin(&logical_type::decimal_to_bytes(schema, number)?).into()
        }
        (_, Value::Date(millis)) => logical_type::date_to_days(schema, *millis)?.into(),
        (_, Value::Time(millis)) => logical_type::time_to_millis(schema, *millis)?.into(),
        (_, Value::Timestamp(millis)) => (*millis).into(),
        (SchemaType::Array, Value::Array(items)) => {
            let schema = part(schema.value_schema())?;
            return list(items.iter().map(|item| to_json(schema, item, settings)));
        }
        (SchemaType::Map, Value::Map(entries)) => return map_to_json(schema, entries, settings),
        (SchemaType::Struct, Value::Struct(inner)) => {
            let mut object = Map::new();
            for field in inner.schema.fields() {
                let name = if settings.scrub {
                    scrub(&field.name)
                } else {
                    field.name.as_str().into()
                };
                let Some(json) = to_json(&field.schema, inner.get_field(field), settings)? else {
                    return Ok(None);
                };
                object.insert(name.into_owned(), json);
            }
            object.into()
        }
        (kind, value) => {
            return Err(ConnectError::data(format!(
                "Invalid type used for default value of {} field: class {}",
                kind.name(),
                value.java_class()
            )));
        }
    };
    Ok(Some(json))
}

fn map_to_json(
    schema: &Schema,
    entries: &[(Value, Value)],
    settings: AvroSettings,
) -> Converted<Option<Json>> {
    let (keys, values) = (part(schema.key_schema())?, part(schema.value_schema())?);
    if !has_string_keys(schema, settings) {
        return list(entries.iter().map(|(key, value)| {
            let pair = [
                to_json(keys, key, settings),
                to_json(values, value, settings),
            ];
            list(pair.into_iter())
        }));
    }
    let mut object = Map::new();
    for (key, value) in entries {
        let (Value::String(key), Some(json)) = (key, to_json(values, value, settings)?) else {
            return Ok(None);
        };
        object.insert(key.clone(), json);
    }
    Ok(Some(object.into()))
}

fn list(items: impl Iterator<Item = Converted<Option<Json>>>) -> Converted<Option<Json>> {
    let items: Converted<Option<Vec<Json>>> = items.collect();
    Ok(items?.map(Json::Array))
}

fn part(schema: Option<&SchemaRef>) -> Converted<&SchemaRef> {
    schema.ok_or_else(|| ConnectError::data("an array or a map without a schema for its parts"))
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The value of a default in the JSON of the Avro type `id`.
///
/// # Errors
/// The JSON does not fit; whoever calls goes without a default.
pub(super) fn from_json(
    schema: &Schema,
    avro: &AvroSchema,
    id: NodeId,
    json: &Json,
) -> Converted<Value> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    let bad = || ConnectError::data(format!("{json} is no default for {}", schema.kind().name()));
    let value = match (&avro.node(id).kind, schema.kind()) {
        (Kind::Union(members), _) => {
            let Some(first) = members.first() else {
                return Err(bad());
            };
            return from_json(schema, avro, *first, json);
        }
        (Kind::Int | Kind::Long, kind) => {
            let number = json.as_i64().ok_or_else(bad)?;
            integer(schema, kind, number).ok_or_else(bad)??
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "Java narrows the number likewise"
        )]
        (Kind::Float, _) => Value::Float32(json.as_f64().ok_or_else(bad)? as f32),
        (Kind::Double, _) => Value::Float64(json.as_f64().ok_or_else(bad)?),
        (Kind::Boolean, _) => Value::Boolean(json.as_bool().ok_or_else(bad)?),
        (Kind::String | Kind::Enum(_), _) => {
            Value::String(json.as_str().ok_or_else(bad)?.to_owned())
        }
        (Kind::Bytes | Kind::Fixed(_), _) => {
            let text = json.as_str().ok_or_else(bad)?;
            let bytes: Result<Vec<u8>, _> =
                text.chars().map(|c| u8::try_from(u32::from(c))).collect();
            let bytes = bytes.map_err(|_| bad())?;
            if schema.name() == Some(logical::DECIMAL) {
                Value::Decimal(logical_type::decimal_from_bytes(schema, &bytes)?)
            } else {
                Value::Bytes(bytes.into())
            }
        }
        (Kind::Array(items), SchemaType::Array) => {
            let schema = part(schema.value_schema())?;
            let listed = json.as_array().ok_or_else(bad)?;
            let values = listed
                .iter()
                .map(|item| from_json(schema, avro, *items, item));
            Value::Array(values.collect::<Converted<_>>()?)
        }
        (Kind::Map(values), SchemaType::Map) => {
            let schema = part(schema.value_schema())?;
            let members = json.as_object().ok_or_else(bad)?;
            let mut entries = Vec::with_capacity(members.len());
            for (key, member) in members {
                let value = from_json(schema, avro, *values, member)?;
                entries.push((Value::String(key.clone()), value));
            }
            java_hash::sort_entries(&mut entries, java_hash::capacity_at_least(members.len()));
            Value::Map(entries)
        }
        _ => return Err(bad()),
    };
    Ok(value)
}

/// A whole number as the schema's type.
fn integer(schema: &Schema, kind: SchemaType, number: i64) -> Option<Converted<Value>> {
    let int = i32::try_from(number);
    Some(match (schema.name(), kind) {
        (Some(logical::DATE), _) => {
            logical_type::date_from_days(schema, int.ok()?).map(Value::Date)
        }
        (Some(logical::TIME), _) => {
            logical_type::time_from_millis(schema, int.ok()?).map(Value::Time)
        }
        (Some(logical::TIMESTAMP), _) => Ok(Value::Timestamp(number)),
        (_, SchemaType::Int8) => Ok(Value::Int8(i8::try_from(number).ok()?)),
        (_, SchemaType::Int16) => Ok(Value::Int16(i16::try_from(number).ok()?)),
        (_, SchemaType::Int32) => Ok(Value::Int32(int.ok()?)),
        (_, SchemaType::Int64) => Ok(Value::Int64(number)),
        _ => return None,
    })
}
