//! The JSON of a schema, member by member in the order in which Java's `Schema.toString` writes them: a
//! registry compares texts.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::names::Name;
use super::schema::{AvroSchema, Field, Kind, NodeId};

/// The text of a schema.
pub(super) fn to_text(schema: &AvroSchema) -> String {
    let mut printer = Printer {
        schema,
        defined: HashSet::new(),
    };
    printer.node(schema.root, None).to_string()
}

struct Printer<'a> {
    schema: &'a AvroSchema,
    defined: HashSet<NodeId>,
}

impl Printer<'_> {
    fn node(&mut self, id: NodeId, space: Option<&str>) -> Json {
        let node = self.schema.node(id);
        if let Some(name) = node.kind.named()
            && !self.defined.insert(id)
        {
            return reference(name, space).into();
        }
        let mut object = Map::new();
        object.insert("type".to_owned(), node.kind.name().into());
        match &node.kind {
            Kind::Union(members) => {
                return members
                    .iter()
                    .map(|member| self.node(*member, space))
                    .collect();
            }
            Kind::Array(items) => {
                object.insert("items".to_owned(), self.node(*items, space));
            }
            Kind::Map(values) => {
                object.insert("values".to_owned(), self.node(*values, space));
            }
            Kind::Record(record) => {
                put_name(&mut object, &record.name, space);
                put_text(&mut object, "doc", record.doc.as_deref());
                let inner = record.name.namespace.as_deref();
                let fields = record.fields.iter().map(|field| self.field(field, inner));
                object.insert("fields".to_owned(), fields.collect());
            }
            Kind::Enum(symbols) => {
                put_name(&mut object, &symbols.name, space);
                put_text(&mut object, "doc", symbols.doc.as_deref());
                object.insert("symbols".to_owned(), json!(symbols.symbols));
                put_text(&mut object, "default", symbols.default.as_deref());
            }
            Kind::Fixed(fixed) => {
                put_name(&mut object, &fixed.name, space);
                object.insert("size".to_owned(), fixed.size.into());
            }
            primitive if node.props.is_empty() => return primitive.name().into(),
            _ => {}
        }
        object.extend(node.props.clone());
        object.into()
    }

    fn field(&mut self, field: &Field, space: Option<&str>) -> Json {
        let mut object = Map::new();
        object.insert("name".to_owned(), field.name.clone().into());
        object.insert("type".to_owned(), self.node(field.schema, space));
        put_text(&mut object, "doc", field.doc.as_deref());
        if let Some(default) = &field.default {
            object.insert("default".to_owned(), default.clone());
        }
        object.extend(field.props.clone());
        object.into()
    }
}

/// A name within `space`; one without a namespace cannot be told from one of `space` but by its own
/// definition, so it stays short, as in Java.
fn reference(name: &Name, space: Option<&str>) -> String {
    if name.namespace.as_deref() == space {
        name.simple.clone()
    } else {
        name.full()
    }
}

fn put_name(object: &mut Map<String, Json>, name: &Name, space: Option<&str>) {
    object.insert("name".to_owned(), name.simple.clone().into());
    if name.namespace.as_deref() != space {
        let namespace = name.namespace.clone().unwrap_or_default();
        object.insert("namespace".to_owned(), namespace.into());
    }
}

fn put_text(object: &mut Map<String, Json>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        object.insert(key.to_owned(), text.into());
    }
}
