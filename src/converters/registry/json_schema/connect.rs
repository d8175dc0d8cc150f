//! A JSON Schema as a Connect schema (Confluent: `JsonSchemaData.toConnectSchema`).

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::keywords::{Part, is_null, parts, properties, requires};
use super::read::Read;
use super::{ENUM, JsonSettings, NULL_SYMBOL, ONE_OF};
use crate::api::data::{SchemaRef, java_hash};
use crate::api::{ConnectError, Schema, SchemaBuilder, SchemaType, Value};
use crate::converters::json::access::JsonBuffer;
use crate::converters::registry::limits::{DEPTH_MAX, NODES_MAX};

type Made<T> = Result<T, ConnectError>;

/// The Connect schema of `root`, which has this version in its subject and refers to `others` by name.
///
/// # Errors
/// Connect cannot express it: a schema that contains itself, one that allows anything, and so on.
pub(super) fn connect(
    root: &Json,
    others: &[(String, Json)],
    version: i32,
    settings: JsonSettings,
) -> Made<SchemaRef> {
    let mut connector = Connector {
        documents: std::iter::once(("", root))
            .chain(others.iter().map(|(name, json)| (name.as_str(), json)))
            .collect(),
        settings,
        open: Vec::new(),
        left: NODES_MAX,
    };
    let around = Around {
        version: Some(version),
        optional: false,
        document: 0,
    };
    connector.schema(root, around)
}

/// What surrounds a schema and shows in Connect's.
#[derive(Debug, Clone, Copy)]
struct Around {
    version: Option<i32>,
    optional: bool,
    /// The document that `#` means.
    document: usize,
}

impl Around {
    /// For a part of what it surrounds.
    fn part(self) -> Self {
        Self {
            version: None,
            optional: false,
            ..self
        }
    }

    fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }
}

struct Connector<'a> {
    /// By name; the first is the schema itself.
    documents: Vec<(&'a str, &'a Json)>,
    settings: JsonSettings,
    /// Referred schemas that are being read: one that comes again contains itself.
    open: Vec<*const Json>,
    left: usize,
}

impl<'a> Connector<'a> {
    fn schema(&mut self, json: &'a Json, around: Around) -> Made<SchemaRef> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || self.open.len() > DEPTH_MAX {
            return Err(ConnectError::data(format!(
                "the JSON Schema is too large: more than {DEPTH_MAX} levels or {NODES_MAX} types"
            )));
        }
        let place = std::ptr::from_ref(json);
        if self.open.contains(&place) {
            return Err(ConnectError::data(
                "the JSON Schema contains itself; a schema that contains itself is not supported",
            ));
        }
        self.open.push(place);
        let made = self.any(json, around);
        self.open.pop();
        made
    }

    fn any(&mut self, json: &'a Json, around: Around) -> Made<SchemaRef> {
        let parts = parts(json);
        match parts.as_slice() {
            [only] => self.part(*only, json.as_object(), around),
            several => self.together(several, around),
        }
    }

    /// A schema of one part; `own` are the keywords that describe it.
    fn part(
        &mut self,
        part: Part<'a>,
        own: Option<&'a Map<String, Json>>,
        around: Around,
    ) -> Made<SchemaRef> {
        let builder = match part {
            Part::Reference(reference) => return self.reference(reference, around),
            Part::OneOf([only]) | Part::AllOf([only]) if self.settings.flatten_singletons => {
                return self.schema(only, around.part());
            }
            Part::OneOf([null, other]) | Part::OneOf([other, null]) if is_null(null) => {
                return self.schema(other, around.optional(true));
            }
            Part::OneOf(members) => self.union(members, around)?,
            Part::AllOf(members) => {
                let all: Vec<Part<'a>> = members.iter().flat_map(parts).collect();
                return self.together(&all, around);
            }
            Part::Enum(symbols) => enumeration(symbols),
            Part::Const(value) => enumeration(std::slice::from_ref(value)),
            Part::Types(names, object) => return self.types(names, object, own, around),
            Part::Type(name, object) => self.typed(name, object, own, around)?,
            Part::Anything => {
                return Err(ConnectError::data(
                    "a JSON Schema without a type allows anything, which Connect has no schema for",
                ));
            }
        };
        self.finish(builder, own, around)
    }

    fn reference(&mut self, reference: &str, around: Around) -> Made<SchemaRef> {
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match name {
            "" => around.document,
            name => {
                let named = |(known, json): &(&str, &Json)| {
                    *known == name || json.get("$id").and_then(Json::as_str) == Some(name)
                };
                self.documents
                    .iter()
                    .position(named)
                    .ok_or_else(|| unresolved(reference))?
            }
        };
        let (_, json) = self
            .documents
            .get(document)
            .ok_or_else(|| unresolved(reference))?;
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
        let target = json
            .pointer(&pointer)
            .or_else(|| find_id(json, reference, 0));
        let target = target.ok_or_else(|| unresolved(reference))?;
        self.schema(target, Around { document, ..around })
    }

    fn union(&mut self, members: &'a [Json], around: Around) -> Made<SchemaBuilder> {
        let mut builder = SchemaBuilder::structure().name(ONE_OF);
        for member in members {
            if is_null(member) {
                builder = builder.optional();
                continue;
            }
            let index = builder.peek().fields().len();
            let schema = self.schema(member, around.part().optional(true))?;
            builder = builder.field(format!("{ONE_OF}.field.{index}"), schema)?;
        }
        Ok(builder)
    }

    /// `type` with a list: one type and null, or several.
    fn types(
        &mut self,
        names: &'a [Json],
        object: &'a Map<String, Json>,
        own: Option<&'a Map<String, Json>>,
        around: Around,
    ) -> Made<SchemaRef> {
        let texts: Vec<&'a str> = names.iter().filter_map(Json::as_str).collect();
        let nullable = texts.contains(&"null");
        let others: Vec<&'a str> = texts.into_iter().filter(|name| *name != "null").collect();
        if let [only] = others.as_slice() {
            let around = around.optional(around.optional || nullable);
            return self.part(Part::Type(only, object), own, around);
        }
        let mut builder = SchemaBuilder::structure().name(ONE_OF);
        if nullable {
            builder = builder.optional();
        }
        for (index, name) in others.into_iter().enumerate() {
            let member = around.part().optional(true);
            let schema = self.part(Part::Type(name, object), None, member)?;
            builder = builder.field(format!("{ONE_OF}.field.{index}"), schema)?;
        }
        self.finish(builder, own, around)
    }

    fn typed(
        &mut self,
        name: &str,
        object: &'a Map<String, Json>,
        own: Option<&'a Map<String, Json>>,
        around: Around,
    ) -> Made<SchemaBuilder> {
        let connect = own
            .and_then(|own| own.get("connect.type"))
            .and_then(Json::as_str);
        let plain = SchemaBuilder::new;
        Ok(match (name, connect) {
            ("boolean", _) => plain(SchemaType::Boolean),
            ("integer", None) => plain(SchemaType::Int64),
            ("number", None) => plain(SchemaType::Float64),
            ("integer" | "number", Some(kind)) => plain(number_type(kind)?),
            ("string", Some("bytes")) => plain(SchemaType::Bytes),
            ("string", _) => plain(SchemaType::String),
            ("array", connect) => self.array(object, connect == Some("map"), around)?,
            ("object", Some("map")) => {
                let values = match object.get("additionalProperties") {
                    Some(values @ Json::Object(_)) => Some(self.schema(values, around.part())?),
                    _ => None,
                };
                SchemaBuilder::map_of_any(Some(Schema::required(SchemaType::String)), values)
            }
            ("object", _) => self.structure(object, around)?,
            (other, _) => {
                return Err(ConnectError::data(format!(
                    "Unsupported schema type {other} in a JSON Schema"
                )));
            }
        })
    }

    fn array(
        &mut self,
        object: &'a Map<String, Json>,
        is_map: bool,
        around: Around,
    ) -> Made<SchemaBuilder> {
        let items = object.get("items").filter(|items| items.is_object());
        let items = items
            .ok_or_else(|| ConnectError::data("Array schema did not specify the items type"))?;
        if is_map && items.get("properties").is_some() {
            let part = |name: &str| items.get("properties").and_then(|all| all.get(name));
            let (Some(key), Some(value)) = (part("key"), part("value")) else {
                return Err(ConnectError::data(
                    "a map as a list of entries needs the properties key and value",
                ));
            };
            let key = self.schema(key, around.part())?;
            let value = self.schema(value, around.part())?;
            return Ok(SchemaBuilder::map(key, value));
        }
        Ok(SchemaBuilder::array(self.schema(items, around.part())?))
    }

    fn structure(&mut self, object: &'a Map<String, Json>, around: Around) -> Made<SchemaBuilder> {
        let found = properties(object).map(|(name, json)| (name, json, requires(object, name)));
        self.fields(found.collect(), around)
    }

    /// A struct of properties, which may be required; in the order of `connect.index` where there is one,
    /// else in that of Java's map.
    fn fields(
        &mut self,
        properties: Vec<(&'a String, &'a Json, bool)>,
        around: Around,
    ) -> Made<SchemaBuilder> {
        let mut builder = SchemaBuilder::structure();
        for (name, json, required) in in_javas_order(properties) {
            let optional = self.settings.optional_for_nonrequired && !required;
            let schema = self
                .schema(json, around.part().optional(optional))
                .map_err(|error| ConnectError::data(format!("property {name}: {error}")))?;
            builder = builder.field(name, schema)?;
        }
        Ok(builder)
    }

    /// Parts that hold together: properties are united; else the most telling part is taken.
    fn together(&mut self, all: &[Part<'a>], around: Around) -> Made<SchemaRef> {
        let mut found: HashMap<&'a String, (&'a Json, bool)> = HashMap::new();
        let mut order = Vec::new();
        self.collect(all, &mut found, &mut order, around.document, 0);
        if !order.is_empty() {
            let properties = order.into_iter().filter_map(|name| {
                let (json, required) = found.get(name)?;
                Some((name, *json, *required))
            });
            let builder = self.fields(properties.collect(), around)?;
            return self.finish(builder, None, around);
        }
        let is = |wanted: fn(&Part<'_>) -> bool| all.iter().copied().find(wanted);
        let combined = is(|part| matches!(part, Part::OneOf(_) | Part::AllOf(_) | Part::Types(..)));
        let symbols = is(|part| matches!(part, Part::Enum(_)));
        let text = is(|part| matches!(part, Part::Type("string", _)));
        let number = is(|part| matches!(part, Part::Type("number" | "integer", _)));
        let constant = is(|part| matches!(part, Part::Const(_)));
        let reference = is(|part| matches!(part, Part::Reference(_)));
        let chosen = match (combined, constant, symbols) {
            (Some(combined), _, _) => Some(combined),
            (None, Some(_), _) => text.or(number),
            (None, None, Some(symbols)) => text.map(|_| symbols).or(number),
            (None, None, None) => number.or(text).or(reference),
        };
        let any = || is(|part| !matches!(part, Part::Anything));
        match chosen.or_else(any) {
            Some(part) => self.part(part, None, around),
            None => self.part(Part::Anything, None, around),
        }
    }

    fn collect(
        &self,
        all: &[Part<'a>],
        found: &mut HashMap<&'a String, (&'a Json, bool)>,
        order: &mut Vec<&'a String>,
        document: usize,
        depth: usize,
    ) {
        if depth > DEPTH_MAX {
            return;
        }
        for part in all {
            match part {
                Part::Type("object", object) => {
                    for (name, json) in properties(object) {
                        let known = found.insert(name, (json, requires(object, name)));
                        if known.is_none() {
                            order.push(name);
                        }
                    }
                }
                Part::AllOf(members) => {
                    for member in *members {
                        self.collect(&parts(member), found, order, document, depth + 1);
                    }
                }
                Part::Reference(reference) => {
                    let pointer = reference.strip_prefix('#');
                    let json = self.documents.get(document).map(|(_, json)| *json);
                    let target = pointer.and_then(|pointer| json?.pointer(pointer));
                    if let Some(target) = target {
                        self.collect(&parts(target), found, order, document, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    /// Name, version, documentation, parameters, default and whether null is allowed.
    fn finish(
        &self,
        mut builder: SchemaBuilder,
        own: Option<&Map<String, Json>>,
        around: Around,
    ) -> Made<SchemaRef> {
        let empty = Map::new();
        let own = own.unwrap_or(&empty);
        let text = |key: &str| own.get(key).and_then(Json::as_str);
        if let Some(title) = text("title").filter(|_| builder.peek().name().is_none()) {
            builder = builder.name(title);
        }
        let version = own.get("connect.version").and_then(Json::as_i64);
        let version = version.and_then(|version| i32::try_from(version).ok());
        if let Some(version) = version.or(around.version) {
            builder = builder.version(version);
        }
        if let Some(description) = text("description") {
            builder = builder.doc(description);
        }
        let parameters = own.get("connect.parameters").and_then(Json::as_object);
        for (key, value) in parameters.into_iter().flatten() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            builder = builder.parameter(key, value);
        }
        if let Some(default) = own.get("default") {
            let with_default = default_value(builder.clone(), default)
                .and_then(|value| builder.clone().default_value(value));
            match with_default {
                Ok(with_default) => builder = with_default,
                Err(error) => tracing::warn!(%error, "a default in a JSON Schema is ignored"),
            }
        }
        if around.optional {
            builder = builder.optional();
        }
        Ok(builder.build())
    }
}

fn default_value(builder: SchemaBuilder, json: &Json) -> Made<Value> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    let text = json.to_string();
    let mut buffer = JsonBuffer::default();
    let (text, root) = buffer.parse(text.as_bytes())?;
    Read { text }.value(&builder.build(), root)
}

fn enumeration(symbols: &[Json]) -> SchemaBuilder {
    let builder = SchemaBuilder::new(SchemaType::String).parameter(ENUM, "");
    symbols.iter().fold(builder, |builder, symbol| {
        let text = match symbol {
            Json::Null => NULL_SYMBOL.to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        builder.parameter(format!("{ENUM}.{text}"), text)
    })
}

fn number_type(connect: &str) -> Made<SchemaType> {
    Ok(match connect {
        "int8" => SchemaType::Int8,
        "int16" => SchemaType::Int16,
        "int32" => SchemaType::Int32,
        "int64" => SchemaType::Int64,
        "float32" => SchemaType::Float32,
        "float64" => SchemaType::Float64,
        "bytes" => SchemaType::Bytes,
        other => {
            return Err(ConnectError::data(format!(
                "Unsupported type {other} in connect.type of a JSON Schema"
            )));
        }
    })
}

fn in_javas_order<'a>(
    mut properties: Vec<(&'a String, &'a Json, bool)>,
) -> Vec<(&'a String, &'a Json, bool)> {
    let size = java_hash::grown(java_hash::DEFAULT_CAPACITY, properties.len());
    properties
        .sort_by_cached_key(|(name, ..)| java_hash::bucket(java_hash::string_hash(name), size));
    let mut indexed: Vec<(i64, usize)> = Vec::with_capacity(properties.len());
    for (place, (_, json, _)) in properties.iter().enumerate() {
        let index = json.get("connect.index").and_then(Json::as_i64);
        let place_index = i64::try_from(place).unwrap_or(i64::MAX);
        indexed.push((index.unwrap_or(place_index), place));
    }
    indexed.sort_by_key(|(index, _)| *index);
    let ordered = indexed.into_iter();
    ordered
        .filter_map(|(_, place)| properties.get(place).copied())
        .collect()
}

/// A schema within `json` whose `$id` is `id`.
fn find_id<'a>(json: &'a Json, id: &str, depth: usize) -> Option<&'a Json> {
    if depth > DEPTH_MAX {
        return None;
    }
    if json.get("$id").and_then(Json::as_str) == Some(id) {
        return Some(json);
    }
    match json {
        Json::Object(object) => object
            .values()
            .find_map(|part| find_id(part, id, depth + 1)),
        Json::Array(items) => items.iter().find_map(|part| find_id(part, id, depth + 1)),
        _ => None,
    }
}

fn unresolved(reference: &str) -> ConnectError {
    ConnectError::data(format!(
        "the reference {reference} of a JSON Schema leads nowhere"
    ))
}
