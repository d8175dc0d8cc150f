//! Avro schemas: parsed from JSON with every property, in the order in which it stood.
//!
//! A schema is a list of nodes that refer to each other by index, so that one that contains itself is no
//! special case.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::names::Name;
use crate::api::ConnectError;
use crate::converters::config::serialization_error;
use crate::converters::registry::limits::DEPTH_MAX;

/// Index of a node.
pub(super) type NodeId = usize;

/// A schema.
#[derive(Debug, Clone, Default)]
pub(super) struct AvroSchema {
    nodes: Vec<Node>,
    pub(super) root: NodeId,
}

/// One type of a schema.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// What is no part of Avro's own syntax, `logicalType` among it.
    pub(super) props: Map<String, Json>,
}

/// What a type is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Record),
    Enum(Symbols),
    Fixed(Fixed),
}

/// A record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: Name,
    pub(super) doc: Option<String>,
    pub(super) fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) schema: NodeId,
    pub(super) doc: Option<String>,
    pub(super) default: Option<Json>,
    pub(super) props: Map<String, Json>,
}

/// An enum.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    pub(super) name: Name,
    pub(super) doc: Option<String>,
    pub(super) symbols: Vec<String>,
    pub(super) default: Option<String>,
}

/// A number of bytes.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub(super) name: Name,
    pub(super) size: usize,
}

impl Kind {
    /// Avro's name of the type.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Record(_) => "record",
            Self::Enum(_) => "enum",
            Self::Fixed(_) => "fixed",
        }
    }

    /// The primitive type of that name.
    fn primitive(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "long" => Self::Long,
            "float" => Self::Float,
            "double" => Self::Double,
            "bytes" => Self::Bytes,
            "string" => Self::String,
            _ => return None,
        })
    }

    /// The name of a named type.
    pub(super) fn named(&self) -> Option<&Name> {
        match self {
            Self::Record(record) => Some(&record.name),
            Self::Enum(symbols) => Some(&symbols.name),
            Self::Fixed(fixed) => Some(&fixed.name),
            _ => None,
        }
    }
}

impl Node {
    /// A text property.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.props.get(key).and_then(Json::as_str)
    }

    /// The logical type, lower case as a rule.
    pub(super) fn logical_type(&self) -> Option<&str> {
        self.text("logicalType")
    }
}

impl AvroSchema {
    /// A node of this schema: ids come from [`Self::push`] alone.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// A node that may be changed.
    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id]
    }

    /// Adds a node.
    pub(super) fn push(&mut self, kind: Kind) -> NodeId {
        self.nodes.push(Node {
            kind,
            props: Map::new(),
        });
        self.nodes.len() - 1
    }

    /// Parses a schema; `others` are those that it refers to, those first that others need.
    ///
    /// # Errors
    /// The text is no JSON, or no Avro schema.
    pub(super) fn parse<'a>(
        text: &str,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<Self, ConnectError> {
        let mut parser = Parser::default();
        for other in others {
            parser.text(other)?;
        }
        let root = parser.text(text)?;
        Ok(Self {
            root,
            ..parser.schema
        })
    }
}

#[derive(Default)]
struct Parser {
    schema: AvroSchema,
    names: HashMap<String, NodeId>,
}

type Parsed<T> = Result<T, ConnectError>;

fn invalid(message: impl Into<String>) -> ConnectError {
    serialization_error(format!("not an Avro schema: {}", message.into()))
}

impl Parser {
    fn text(&mut self, text: &str) -> Parsed<NodeId> {
        let json: Json = match serde_json::from_str(text) {
            Ok(json) => json,
            // Some registries give a primitive type without quotes.
            Err(_) if Kind::primitive(text.trim()).is_some() => text.trim().into(),
            Err(error) => return Err(invalid(error.to_string())),
        };
        self.value(&json, None, 0)
    }

    fn value(&mut self, json: &Json, space: Option<&str>, depth: usize) -> Parsed<NodeId> {
        if depth > DEPTH_MAX {
            return Err(invalid(format!(
                "types are nested more than {DEPTH_MAX} deep"
            )));
        }
        match json {
            Json::String(name) => self.reference(name, space),
            Json::Array(members) => self.union(members, space, depth),
            Json::Object(object) => self.object(object, space, depth),
            other => Err(invalid(format!("a type cannot be {other}"))),
        }
    }

    fn reference(&mut self, name: &str, space: Option<&str>) -> Parsed<NodeId> {
        if let Some(kind) = Kind::primitive(name) {
            return Ok(self.schema.push(kind));
        }
        let within = self.names.get(&Name::new(name, space).full());
        let found = within.or_else(|| self.names.get(name));
        found
            .copied()
            .ok_or_else(|| invalid(format!("\"{name}\" is not a defined name")))
    }

    fn union(&mut self, members: &[Json], space: Option<&str>, depth: usize) -> Parsed<NodeId> {
        let mut ids = Vec::with_capacity(members.len());
        for member in members {
            let id = self.value(member, space, depth + 1)?;
            if matches!(self.schema.node(id).kind, Kind::Union(_)) {
                return Err(invalid("a union cannot be a member of a union"));
            }
            ids.push(id);
        }
        Ok(self.schema.push(Kind::Union(ids)))
    }

    fn object(
        &mut self,
        object: &Map<String, Json>,
        space: Option<&str>,
        depth: usize,
    ) -> Parsed<NodeId> {
        let kind = match object.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            Some(inner @ (Json::Object(_) | Json::Array(_))) => {
                return self.value(inner, space, depth + 1);
            }
            _ => return Err(invalid(format!("no \"type\" in {}", short(object)))),
        };
        if let Some(primitive) = Kind::primitive(kind) {
            let id = self.schema.push(primitive);
            self.schema.node_mut(id).props =
                props(object, &["doc", "name", "namespace", "aliases"]);
            return Ok(id);
        }
        let id = match kind {
            "array" => {
                let items = self.part(object, "items", space, depth)?;
                self.schema.push(Kind::Array(items))
            }
            "map" => {
                let values = self.part(object, "values", space, depth)?;
                self.schema.push(Kind::Map(values))
            }
            "record" | "error" => return self.record(object, space, depth),
            "enum" => self.symbols(object, space)?,
            "fixed" => self.fixed(object, space)?,
            name => return self.reference(name, space),
        };
        let own: &[&str] = match kind {
            "enum" => &["symbols", "default"],
            "fixed" => &["size"],
            "array" => &["items"],
            _ => &["values"],
        };
        let common = ["doc", "name", "namespace", "aliases"];
        let reserved: Vec<&str> = own.iter().chain(&common).copied().collect();
        self.schema.node_mut(id).props = props(object, &reserved);
        Ok(id)
    }

    fn part(
        &mut self,
        object: &Map<String, Json>,
        key: &str,
        space: Option<&str>,
        depth: usize,
    ) -> Parsed<NodeId> {
        let json = object
            .get(key)
            .ok_or_else(|| invalid(format!("no \"{key}\" in {}", short(object))))?;
        self.value(json, space, depth + 1)
    }

    /// Reserves the name of a type.
    fn define(&mut self, name: &Name, id: NodeId) -> Parsed<()> {
        match self.names.insert(name.full(), id) {
            None => Ok(()),
            Some(_) => Err(invalid(format!("\"{}\" is defined twice", name.full()))),
        }
    }

    fn record(
        &mut self,
        object: &Map<String, Json>,
        space: Option<&str>,
        depth: usize,
    ) -> Parsed<NodeId> {
        let name = name_of(object, space)?;
        let inner = name.namespace.clone();
        let record = Record {
            name: name.clone(),
            doc: text(object, "doc"),
            fields: Vec::new(),
        };
        let id = self.schema.push(Kind::Record(record));
        self.define(&name, id)?;
        let listed = object.get("fields").and_then(Json::as_array);
        let listed =
            listed.ok_or_else(|| invalid(format!("record {} has no fields", name.full())))?;
        let mut fields = Vec::with_capacity(listed.len());
        for field in listed {
            let Json::Object(field) = field else {
                return Err(invalid(format!("a field of {} is no object", name.full())));
            };
            fields.push(self.field(field, &name, inner.as_deref(), depth)?);
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = fields
            .iter()
            .find(|field| !seen.insert(field.name.as_str()))
        {
            let twice = &twice.name;
            return Err(invalid(format!(
                "{} has two fields \"{twice}\"",
                name.full()
            )));
        }
        let node = self.schema.node_mut(id);
        if let Kind::Record(record) = &mut node.kind {
            record.fields = fields;
        }
        node.props = props(object, &["doc", "name", "namespace", "aliases", "fields"]);
        Ok(id)
    }

    fn field(
        &mut self,
        field: &Map<String, Json>,
        record: &Name,
        space: Option<&str>,
        depth: usize,
    ) -> Parsed<Field> {
        let name = text(field, "name")
            .filter(|name| !name.is_empty())
            .ok_or_else(|| invalid(format!("a field of {} has no name", record.full())))?;
        Ok(Field {
            schema: self.part(field, "type", space, depth)?,
            doc: text(field, "doc"),
            default: field.get("default").cloned(),
            props: props(field, &["doc", "name", "default", "order", "aliases"]),
            name,
        })
    }

    fn symbols(&mut self, object: &Map<String, Json>, space: Option<&str>) -> Parsed<NodeId> {
        let name = name_of(object, space)?;
        let listed = object.get("symbols").and_then(Json::as_array);
        let symbols = listed.map(|all| {
            let texts = all.iter().filter_map(Json::as_str);
            texts.map(str::to_owned).collect()
        });
        let id = self.schema.push(Kind::Enum(Symbols {
            doc: text(object, "doc"),
            default: text(object, "default"),
            symbols: symbols
                .ok_or_else(|| invalid(format!("enum {} has no symbols", name.full())))?,
            name: name.clone(),
        }));
        self.define(&name, id)?;
        Ok(id)
    }

    fn fixed(&mut self, object: &Map<String, Json>, space: Option<&str>) -> Parsed<NodeId> {
        let name = name_of(object, space)?;
        let size = object.get("size").and_then(Json::as_u64);
        let size = size.and_then(|size| u32::try_from(size).ok());
        let size = size.ok_or_else(|| invalid(format!("fixed {} has no size", name.full())))?;
        let id = self.schema.push(Kind::Fixed(Fixed {
            name: name.clone(),
            size: size as usize,
        }));
        self.define(&name, id)?;
        Ok(id)
    }
}

fn name_of(object: &Map<String, Json>, enclosing: Option<&str>) -> Parsed<Name> {
    let name = text(object, "name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| invalid(format!("no \"name\" in {}", short(object))))?;
    let own = text(object, "namespace");
    Ok(Name::new(&name, own.as_deref().or(enclosing)))
}

fn text(object: &Map<String, Json>, key: &str) -> Option<String> {
    object.get(key).and_then(Json::as_str).map(str::to_owned)
}

/// The members that are neither `type` nor `reserved`.
fn props(object: &Map<String, Json>, reserved: &[&str]) -> Map<String, Json> {
    object
        .iter()
        .filter(|(key, _)| *key != "type" && !reserved.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The beginning of an object, for messages.
fn short(object: &Map<String, Json>) -> String {
    let text = serde_json::to_string(object).unwrap_or_default();
    text.chars().take(100).collect()
}
