//! The plan by which values of a Connect schema are written with an Avro schema: the one that was made of
//! it, or the subject's latest. Fields are found by name, members of unions by what fits.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::AvroSettings;
use super::compose::{UNION, fixed_size, has_string_keys, is_union};
use super::connect::{map_entry, member_name};
use super::names::{scrub, scrub_full};
use super::schema::{AvroSchema, Kind, Node, NodeId, Record};
use crate::api::data::{SchemaRef, logical};
use crate::api::{ConnectError, Schema, SchemaType};
use crate::converters::registry::limits::NODES_MAX;

/// How values of a schema are written.
#[derive(Debug)]
pub(super) enum Write {
    Boolean,
    /// int8, int16, int32 and int64: Avro's int and long look alike.
    Integer(SchemaType),
    /// An integer or a float as Avro's float.
    Float(SchemaType),
    /// An integer or a floating point number as Avro's double.
    Double(SchemaType),
    Date(SchemaRef),
    Time(SchemaRef),
    Timestamp,
    String,
    Bytes,
    Fixed(usize),
    /// Scale, and size if it is a fixed.
    Decimal(i64, Option<usize>),
    /// Symbols and their numbers.
    Enum(HashMap<String, i64>),
    Array(Box<Write>),
    Map(Box<Write>),
    /// Key and value of a list of entries; true when the value comes first.
    Entries(Box<(Write, Write)>, bool),
    Record(WriteRecord),
    /// The index of null, that of the other member, and how that one is written.
    Optional(i64, i64, Box<Write>),
    /// A member that is there whatever the value: its index.
    Member(i64, Box<Write>),
    Union(WriteUnion),
    /// Data without a schema.
    Anything,
}

/// A record.
#[derive(Debug)]
pub(super) struct WriteRecord {
    pub(super) schema: SchemaRef,
    pub(super) fields: Vec<WriteField>,
    /// Whether null stays null in an optional field with a default.
    pub(super) ignore_default: bool,
}

/// A field of a record.
#[derive(Debug)]
pub(super) enum WriteField {
    /// The struct's field at an index.
    Of(usize, Write),
    /// The Avro field's default, encoded.
    Default(Vec<u8>),
}

/// A struct that stands for a union: for each of its fields the member's index.
#[derive(Debug)]
pub(super) struct WriteUnion {
    pub(super) fields: Vec<(i64, Write)>,
    pub(super) null: Option<i64>,
}

/// The plan for values of `schema`.
///
/// # Errors
/// The Avro schema has no place for them.
pub(super) fn compile(
    schema: &Schema,
    avro: &AvroSchema,
    settings: AvroSettings,
) -> Result<Write, ConnectError> {
    let mut compiler = Compiler {
        avro,
        settings,
        left: NODES_MAX,
    };
    compiler.node(&Arc::new(schema.clone()), avro.root)
}

struct Compiler<'a> {
    avro: &'a AvroSchema,
    settings: AvroSettings,
    left: usize,
}

type Compiled = Result<Write, ConnectError>;

fn mismatch(schema: &Schema, node: &Node) -> ConnectError {
    let name = node
        .kind
        .named()
        .map_or_else(String::new, |name| format!(" {}", name.full()));
    ConnectError::data(format!(
        "the Connect type {} cannot be written as the Avro type {}{name}",
        schema.kind().name(),
        node.kind.name()
    ))
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

impl<'a> Compiler<'a> {
    fn node(&mut self, schema: &SchemaRef, id: NodeId) -> Compiled {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            ConnectError::data(format!("the schema has more than {NODES_MAX} types"))
        })?;
        match &self.avro.node(id).kind {
            Kind::Union(members) if is_union(schema) => self.union(schema, members),
            Kind::Union(members) => self.member(schema, members),
            _ => self.single(schema, id),
        }
    }

    fn union(&mut self, schema: &SchemaRef, members: &'a [NodeId]) -> Compiled {
        let mut fields = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let own = match (field.schema.name(), self.settings.scrub) {
                (Some(name), true) => Some(scrub_full(name)),
                (name, _) => name.map(str::to_owned),
            };
            let found = members.iter().position(|member| {
                let node = self.avro.node(*member);
                member_name(node, self.settings) == field.name
                    || (own.is_some() && node.kind.named().map(super::names::Name::full) == own)
            });
            let index = found.ok_or_else(|| {
                ConnectError::data(format!("no member of the union is called {}", field.name))
            })?;
            let member = members.get(index).copied().unwrap_or_default();
            fields.push((number(index), self.node(&field.schema, member)?));
        }
        let null = self.null_of(members);
        Ok(Write::Union(WriteUnion { fields, null }))
    }

    fn null_of(&self, members: &[NodeId]) -> Option<i64> {
        let is_null = |member: &NodeId| matches!(self.avro.node(*member).kind, Kind::Null);
        members.iter().position(is_null).map(number)
    }

    /// The first member of a union that fits; one of the schema's own name is best.
    fn member(&mut self, schema: &SchemaRef, members: &'a [NodeId]) -> Compiled {
        let name = schema.name().filter(|name| *name != UNION);
        let named = |id: &NodeId| {
            let own = self
                .avro
                .node(*id)
                .kind
                .named()
                .map(super::names::Name::full);
            own.as_deref() == name && name.is_some()
        };
        let best = members.iter().position(named);
        let order = best.into_iter().chain(0..members.len());
        let mut first_error = None;
        for index in order {
            let Some(member) = members.get(index).copied() else {
                continue;
            };
            if matches!(self.avro.node(member).kind, Kind::Null) {
                continue;
            }
            match self.single(schema, member) {
                Ok(write) => {
                    let (index, write) = (number(index), Box::new(write));
                    return Ok(match self.null_of(members) {
                        Some(null) => Write::Optional(null, index, write),
                        None => Write::Member(index, write),
                    });
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let none = || ConnectError::data("the union has no member that is not null");
        Err(first_error.unwrap_or_else(none))
    }

    fn single(&mut self, schema: &SchemaRef, id: NodeId) -> Compiled {
        let avro = self.avro;
        let node = avro.node(id);
        let shared = || SchemaRef::clone(schema);
        Ok(match (schema.kind(), &node.kind) {
            (SchemaType::Boolean, Kind::Boolean) => Write::Boolean,
            (SchemaType::Int32, Kind::Int) if schema.name() == Some(logical::DATE) => {
                Write::Date(shared())
            }
            (SchemaType::Int32, Kind::Int) if schema.name() == Some(logical::TIME) => {
                Write::Time(shared())
            }
            (SchemaType::Int64, Kind::Long) if schema.name() == Some(logical::TIMESTAMP) => {
                Write::Timestamp
            }
            (kind @ (SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32), Kind::Int) => {
                Write::Integer(kind)
            }
            (kind, Kind::Long) if is_integer(kind) => Write::Integer(kind),
            (kind, Kind::Float) if is_integer(kind) || kind == SchemaType::Float32 => {
                Write::Float(kind)
            }
            (kind, Kind::Double) if is_integer(kind) || is_floating(kind) => Write::Double(kind),
            (SchemaType::String, Kind::String) => Write::String,
            (SchemaType::String, Kind::Enum(symbols)) => {
                let numbered = symbols.symbols.iter().enumerate();
                Write::Enum(
                    numbered
                        .map(|(at, symbol)| (symbol.clone(), number(at)))
                        .collect(),
                )
            }
            (SchemaType::Bytes, Kind::Bytes | Kind::Fixed(_)) => bytes(schema, node)?,
            (SchemaType::Array, Kind::Array(items)) => {
                let part = part(schema.value_schema())?;
                Write::Array(Box::new(self.node(part, *items)?))
            }
            (SchemaType::Map, Kind::Map(values)) if has_string_keys(schema, self.settings) => {
                let part = part(schema.value_schema())?;
                Write::Map(Box::new(self.node(part, *values)?))
            }
            (SchemaType::Map, Kind::Array(items)) => {
                let record = map_entry(avro.node(*items));
                let record = record.ok_or_else(|| mismatch(schema, node))?;
                self.entries(schema, record)?
            }
            (SchemaType::Struct, Kind::Record(record)) => self.record(schema, record)?,
            _ => return Err(mismatch(schema, node)),
        })
    }

    fn entries(&mut self, schema: &SchemaRef, record: &'a Record) -> Compiled {
        let find = |name: &str| {
            let at = record.fields.iter().position(|field| field.name == name);
            let found = at.and_then(|at| Some((at, record.fields.get(at)?.schema)));
            found.filter(|_| record.fields.len() == 2)
        };
        let (Some((key_at, key)), Some((value_at, value))) = (find("key"), find("value")) else {
            return Err(ConnectError::data(
                "the entries of a map are no records of key and value",
            ));
        };
        let keys = self.node(part(schema.key_schema())?, key)?;
        let values = self.node(part(schema.value_schema())?, value)?;
        Ok(Write::Entries(Box::new((keys, values)), value_at < key_at))
    }

    fn record(&mut self, schema: &SchemaRef, record: &'a Record) -> Compiled {
        let names: HashMap<String, usize> = schema
            .fields()
            .iter()
            .map(|field| match self.settings.scrub {
                true => (scrub(&field.name).into_owned(), field.index),
                false => (field.name.clone(), field.index),
            })
            .collect();
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let own = names
                .get(&field.name)
                .and_then(|index| schema.fields().get(*index));
            fields.push(match (own, &field.default) {
                (Some(own), _) => {
                    let write = self.node(&own.schema, field.schema);
                    let write = write.map_err(|error| {
                        ConnectError::data(format!("field {}: {error}", own.name))
                    })?;
                    WriteField::Of(own.index, write)
                }
                (None, Some(default)) => {
                    let mut bytes = Vec::new();
                    encode_default(self.avro, field.schema, default, &mut bytes).map_err(|()| {
                        ConnectError::data(format!("the default of field {} does not fit", field.name))
                    })?;
                    WriteField::Default(bytes)
                }
                (None, None) => {
                    return Err(ConnectError::data(format!(
                        "the Avro record {} has a field {} without a default, which the Connect schema has \
                         not",
                        record.name.full(),
                        field.name
                    )));
                }
            });
        }
        Ok(Write::Record(WriteRecord {
            schema: SchemaRef::clone(schema),
            fields,
            ignore_default: self.settings.ignore_default,
        }))
    }
}

fn is_integer(kind: SchemaType) -> bool {
    matches!(
        kind,
        SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 | SchemaType::Int64
    )
}

fn is_floating(kind: SchemaType) -> bool {
    matches!(kind, SchemaType::Float32 | SchemaType::Float64)
}

fn bytes(schema: &Schema, node: &Node) -> Compiled {
    let size = match &node.kind {
        Kind::Fixed(fixed) => Some(fixed.size),
        _ => None,
    };
    if schema.name() == Some(logical::DECIMAL) {
        let scale = super::compose::parameter(schema, logical::SCALE);
        let scale = scale.and_then(|scale| scale.parse().ok()).ok_or_else(|| {
            ConnectError::data("Invalid Decimal schema: scale parameter not found.")
        })?;
        return Ok(Write::Decimal(scale, size));
    }
    match (size, fixed_size(schema)) {
        (None, _) => Ok(Write::Bytes),
        (Some(size), own) if own.is_none_or(|own| own == size) => Ok(Write::Fixed(size)),
        _ => Err(mismatch(schema, node)),
    }
}

fn part(schema: Option<&SchemaRef>) -> Result<&SchemaRef, ConnectError> {
    schema.ok_or_else(|| ConnectError::data("an array or a map without a schema for its parts"))
}

/// Appends the encoding of a field's default.
fn encode_default(avro: &AvroSchema, id: NodeId, json: &Json, out: &mut Vec<u8>) -> Result<(), ()> {
    use super::encode::append_bytes;
    use crate::converters::registry::zigzag::append_long;
    match (&avro.node(id).kind, json) {
        (Kind::Union(members), _) => {
            append_long(0, out);
            encode_default(avro, *members.first().ok_or(())?, json, out)?;
        }
        (Kind::Null, Json::Null) => {}
        (Kind::Boolean, Json::Bool(flag)) => out.push(u8::from(*flag)),
        (Kind::Int | Kind::Long, _) => append_long(json.as_i64().ok_or(())?, out),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float's default is a float"
        )]
        (Kind::Float, _) => {
            out.extend_from_slice(&(json.as_f64().ok_or(())? as f32).to_le_bytes());
        }
        (Kind::Double, _) => out.extend_from_slice(&json.as_f64().ok_or(())?.to_le_bytes()),
        (Kind::String, Json::String(text)) => append_bytes(text.as_bytes(), out),
        (Kind::Bytes, Json::String(text)) => append_bytes(&latin(text)?, out),
        (Kind::Fixed(fixed), Json::String(text)) => {
            let bytes = latin(text)?;
            if bytes.len() != fixed.size {
                return Err(());
            }
            out.extend_from_slice(&bytes);
        }
        (Kind::Enum(symbols), Json::String(text)) => {
            let index = symbols.symbols.iter().position(|symbol| symbol == text);
            append_long(number(index.ok_or(())?), out);
        }
        (Kind::Array(_), Json::Array(items)) if items.is_empty() => append_long(0, out),
        (Kind::Array(part), Json::Array(items)) => {
            append_long(number(items.len()), out);
            for item in items {
                encode_default(avro, *part, item, out)?;
            }
            append_long(0, out);
        }
        (Kind::Map(_), Json::Object(members)) if members.is_empty() => append_long(0, out),
        (Kind::Map(part), Json::Object(members)) => {
            append_long(number(members.len()), out);
            for (key, member) in members {
                append_bytes(key.as_bytes(), out);
                encode_default(avro, *part, member, out)?;
            }
            append_long(0, out);
        }
        // A record within itself ends here, since JSON is finite.
        (Kind::Record(record), Json::Object(members)) => {
            for field in &record.fields {
                let own = members
                    .get(&field.name)
                    .filter(|_| members.contains_key(&field.name));
                let json = own.or(field.default.as_ref().filter(|json| !json.is_object()));
                encode_default(avro, field.schema, json.ok_or(())?, out)?;
            }
        }
        _ => return Err(()),
    }
    Ok(())
}

fn latin(text: &str) -> Result<Vec<u8>, ()> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).map_err(|_| ()))
        .collect()
}
