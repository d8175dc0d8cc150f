//! A Connect schema as a JSON Schema (Confluent: `JsonSchemaData.fromConnectSchema`).

use serde_json::{Map, Value as Json, json};

use super::write::JsonWriter;
use super::{ENUM, JsonSettings, NAMESPACE, NULL_SYMBOL, ONE_OF};
use crate::api::data::{SchemaRef, logical};
use crate::api::{ConnectError, Schema, SchemaType};
use crate::converters::registry::limits::{DEPTH_MAX, NODES_MAX};

type Composed<T> = Result<T, ConnectError>;

/// The JSON Schema of a Connect schema.
///
/// # Errors
/// It is too large, or a part of it has no schema.
pub(super) fn compose(schema: &SchemaRef, settings: JsonSettings) -> Composed<Json> {
    let mut composer = Composer {
        settings,
        left: NODES_MAX,
    };
    let object = composer.schema(schema, Place::default(), 0)?;
    Ok(object.into())
}

/// Where a schema stands.
#[derive(Default, Clone, Copy)]
struct Place {
    /// Position among the fields, which JSON objects do not keep.
    index: Option<usize>,
    /// Whether null is dealt with already.
    ignore_optional: bool,
}

struct Composer {
    settings: JsonSettings,
    left: usize,
}

impl Composer {
    fn schema(
        &mut self,
        schema: &SchemaRef,
        place: Place,
        depth: usize,
    ) -> Composed<Map<String, Json>> {
        self.left = self.left.saturating_sub(1);
        if depth > DEPTH_MAX || self.left == 0 {
            return Err(ConnectError::data(format!(
                "the Connect schema is too large: more than {DEPTH_MAX} levels or {NODES_MAX} types"
            )));
        }
        let optional = schema.is_optional() && !place.ignore_optional;
        let mut object = if schema.name() == Some(ONE_OF) {
            self.union(schema, depth)?
        } else {
            let plain = self.plain(schema, depth)?;
            match optional {
                true => one_of(vec![json!({ "type": "null" }), plain.into()]),
                false => plain,
            }
        };
        if let Some(index) = place.index {
            object.insert("connect.index".to_owned(), index.into());
        }
        Ok(object)
    }

    fn union(&mut self, schema: &Schema, depth: usize) -> Composed<Map<String, Json>> {
        let mut members = Vec::with_capacity(schema.fields().len() + 1);
        if schema.is_optional() {
            members.push(json!({ "type": "null" }));
        }
        for field in schema.fields() {
            let place = Place {
                index: Some(field.index),
                ignore_optional: true,
            };
            members.push(self.schema(&field.schema, place, depth + 1)?.into());
        }
        Ok(one_of(members))
    }

    /// The schema without regard to null.
    fn plain(&mut self, schema: &SchemaRef, depth: usize) -> Composed<Map<String, Json>> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Json| object.insert(key.to_owned(), value);
        let connect_type = match schema.kind() {
            SchemaType::Int8 => Some(("integer", "int8")),
            SchemaType::Int16 => Some(("integer", "int16")),
            SchemaType::Int32 => Some(("integer", "int32")),
            SchemaType::Int64 => Some(("integer", "int64")),
            SchemaType::Float32 => Some(("number", "float32")),
            SchemaType::Float64 => Some(("number", "float64")),
            SchemaType::Bytes => match schema.name() {
                Some(logical::DECIMAL) if self.settings.numeric_decimals => {
                    Some(("number", "bytes"))
                }
                _ => Some(("string", "bytes")),
            },
            _ => None,
        };
        let mut connect = connect_type.map(|(_, connect)| connect);
        match schema.kind() {
            SchemaType::Boolean => drop(put("type", "boolean".into())),
            SchemaType::String => match symbols(schema) {
                Some(symbols) => drop(put("enum", symbols)),
                None => drop(put("type", "string".into())),
            },
            SchemaType::Array => {
                let items = self.part(schema.value_schema(), None, depth)?;
                put("type", "array".into());
                put("items", items.into());
            }
            SchemaType::Map => {
                connect = Some("map");
                self.map(schema, depth, &mut put)?;
            }
            SchemaType::Struct => {
                put("type", "object".into());
                put("properties", self.properties(schema, depth)?.into());
                if !self.settings.additional_properties {
                    put("additionalProperties", false.into());
                }
            }
            _ => {
                let name = connect_type.map_or("string", |(name, _)| name);
                put("type", name.into());
            }
        }
        if let Some(connect) = connect {
            put("connect.type", connect.into());
        }
        self.add_meta_data(schema, &mut object)?;
        Ok(object)
    }

    fn part(
        &mut self,
        schema: Option<&SchemaRef>,
        index: Option<usize>,
        depth: usize,
    ) -> Composed<Map<String, Json>> {
        let schema = schema.ok_or_else(|| {
            ConnectError::data(
                "an array or a map without a schema for its parts has no JSON Schema",
            )
        })?;
        let place = Place {
            index,
            ignore_optional: false,
        };
        self.schema(schema, place, depth + 1)
    }

    fn map(
        &mut self,
        schema: &Schema,
        depth: usize,
        put: &mut impl FnMut(&str, Json) -> Option<Json>,
    ) -> Composed<()> {
        if has_string_keys(schema) {
            let values = self.part(schema.value_schema(), None, depth)?;
            put("type", "object".into());
            put("additionalProperties", values.into());
            return Ok(());
        }
        let key = self.part(schema.key_schema(), Some(0), depth)?;
        let value = self.part(schema.value_schema(), Some(1), depth)?;
        put("type", "array".into());
        put(
            "items",
            json!({ "type": "object", "properties": { "key": key, "value": value } }),
        );
        Ok(())
    }

    fn properties(&mut self, schema: &Schema, depth: usize) -> Composed<Map<String, Json>> {
        let mut properties = Map::new();
        for field in schema.fields() {
            let member = self.part(Some(&field.schema), Some(field.index), depth)?;
            properties.insert(field.name.clone(), member.into());
        }
        Ok(properties)
    }

    fn add_meta_data(&self, schema: &SchemaRef, object: &mut Map<String, Json>) -> Composed<()> {
        let mut put = |key: &str, value: Json| object.insert(key.to_owned(), value);
        if let Some(name) = schema.name() {
            put("title", name.into());
        }
        if let Some(doc) = schema.doc() {
            put("description", doc.into());
        }
        if let Some(default) = schema.default() {
            let mut text = Vec::new();
            let writer = JsonWriter {
                settings: self.settings,
            };
            writer.value(schema, default, &mut text)?;
            if let Ok(default) = serde_json::from_slice(&text) {
                put("default", default);
            }
        }
        if let Some(version) = schema.version() {
            put("connect.version", version.into());
        }
        let parameters = schema.parameters().into_iter().flatten();
        let parameters: Map<String, Json> = parameters
            .filter(|(key, _)| !key.starts_with(NAMESPACE))
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        if !parameters.is_empty() {
            put("connect.parameters", parameters.into());
        }
        Ok(())
    }
}

fn one_of(members: Vec<Json>) -> Map<String, Json> {
    Map::from_iter([("oneOf".to_owned(), Json::Array(members))])
}

/// Whether a map becomes an object, and not a list of entries.
pub(super) fn has_string_keys(schema: &Schema) -> bool {
    schema
        .key_schema()
        .is_none_or(|keys| keys.kind() == SchemaType::String && !keys.is_optional())
}

fn symbols(schema: &Schema) -> Option<Json> {
    let parameters = schema.parameters()?;
    parameters.get(ENUM)?;
    let symbols = parameters.keys().filter_map(|key| {
        let symbol = key.strip_prefix(ENUM)?.strip_prefix('.')?;
        Some(if symbol == NULL_SYMBOL {
            Json::Null
        } else {
            symbol.into()
        })
    });
    Some(symbols.collect())
}
