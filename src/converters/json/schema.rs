//! Schemas as JSON, both ways, each with a cache (Kafka: `JsonConverter.asConnectSchema`,
//! `asJsonSchema`).

use std::collections::HashMap;
use std::rc::Rc;

use super::parser::{Kind, View};
use super::reader::{Reader, unique_members};
use super::writer::Writer;
use crate::api::data::SchemaRef;
use crate::api::{ConnectError, Schema, SchemaBuilder, SchemaType};

/// A cache whose schemas take more JSON than this is emptied, whatever `schemas.cache.size` says.
const MAX_CACHED_BYTES: usize = 8 << 20;

/// Schemas read before, by their JSON text. Emptied when full.
#[derive(Debug)]
pub(super) struct ReadCache {
    last: Option<(Rc<str>, SchemaRef)>,
    by_text: HashMap<Rc<str>, SchemaRef>,
    size: usize,
    bytes: usize,
}

impl ReadCache {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_text.len()
    }

    pub(super) fn new(size: usize) -> Self {
        Self {
            last: None,
            by_text: HashMap::new(),
            size,
            bytes: 0,
        }
    }

    /// The schema at `at`; `None` for JSON null.
    pub(super) fn schema(
        &mut self,
        reader: Reader<'_>,
        at: usize,
    ) -> Result<Option<SchemaRef>, ConnectError> {
        if reader.view.kind(at) == Kind::Null {
            return Ok(None);
        }
        let text = reader.view.raw(at);
        if let Some((known, schema)) = &self.last
            && **known == *text
        {
            return Ok(Some(SchemaRef::clone(schema)));
        }
        let (text, schema) = match self.by_text.get_key_value(text) {
            Some((text, schema)) => (Rc::clone(text), SchemaRef::clone(schema)),
            None => {
                let schema = read(reader, at)?;
                let text: Rc<str> = text.into();
                self.insert(Rc::clone(&text), SchemaRef::clone(&schema));
                (text, schema)
            }
        };
        self.last = Some((text, SchemaRef::clone(&schema)));
        Ok(Some(schema))
    }

    fn insert(&mut self, text: Rc<str>, schema: SchemaRef) {
        self.bytes += text.len();
        if self.by_text.len() >= self.size || self.bytes > MAX_CACHED_BYTES {
            self.by_text.clear();
            self.bytes = text.len();
        }
        self.by_text.insert(text, schema);
    }
}

/// The schema at `at`, or the error of a part that is JSON null.
fn part(reader: Reader<'_>, at: usize, when_null: &'static str) -> Result<SchemaRef, ConnectError> {
    if reader.view.kind(at) == Kind::Null {
        return Err(ConnectError::new(
            crate::api::ErrorKind::SchemaBuilder,
            when_null,
        ));
    }
    read(reader, at)
}

/// The schema at `at`, which is not JSON null.
pub(super) fn read(reader: Reader<'_>, at: usize) -> Result<SchemaRef, ConnectError> {
    let view = reader.view;
    let kind = view
        .get(at, "type")
        .filter(|kind| view.kind(*kind) == Kind::Text)
        .ok_or_else(|| ConnectError::data("Schema must contain 'type' field"))?;
    let builder = match view.text(kind) {
        "boolean" => SchemaBuilder::new(SchemaType::Boolean),
        "int8" => SchemaBuilder::new(SchemaType::Int8),
        "int16" => SchemaBuilder::new(SchemaType::Int16),
        "int32" => SchemaBuilder::new(SchemaType::Int32),
        "int64" => SchemaBuilder::new(SchemaType::Int64),
        "float" => SchemaBuilder::new(SchemaType::Float32),
        "double" => SchemaBuilder::new(SchemaType::Float64),
        "bytes" => SchemaBuilder::new(SchemaType::Bytes),
        "string" => SchemaBuilder::new(SchemaType::String),
        "array" => read_array(reader, at)?,
        "map" => read_map(reader, at)?,
        "struct" => read_struct(reader, at)?,
        unknown => {
            return Err(ConnectError::data(format!(
                "Unknown schema type: {unknown}"
            )));
        }
    };
    read_attributes(reader, at, builder)
}

fn read_array(reader: Reader<'_>, at: usize) -> Result<SchemaBuilder, ConnectError> {
    let items = reader
        .view
        .get(at, "items")
        .filter(|items| reader.view.kind(*items) != Kind::Null)
        .ok_or_else(|| ConnectError::data("Array schema did not specify the element type"))?;
    Ok(SchemaBuilder::array(read(reader, items)?))
}

fn read_map(reader: Reader<'_>, at: usize) -> Result<SchemaBuilder, ConnectError> {
    let keys = reader
        .view
        .get(at, "keys")
        .ok_or_else(|| ConnectError::data("Map schema did not specify the key type"))?;
    let values = reader
        .view
        .get(at, "values")
        .ok_or_else(|| ConnectError::data("Map schema did not specify the value type"))?;
    // Java reads both before it looks whether one is null.
    if reader.view.kind(keys) == Kind::Null && reader.view.kind(values) != Kind::Null {
        read(reader, values)?;
    }
    let keys = part(reader, keys, "keySchema cannot be null.")?;
    let values = part(reader, values, "valueSchema cannot be null.")?;
    Ok(SchemaBuilder::map(keys, values))
}

fn read_struct(reader: Reader<'_>, at: usize) -> Result<SchemaBuilder, ConnectError> {
    let view = reader.view;
    let fields = view
        .get(at, "fields")
        .filter(|fields| view.kind(*fields) == Kind::Array)
        .ok_or_else(|| {
            ConnectError::data("Struct schema's \"fields\" argument is not an array.")
        })?;
    let mut builder = SchemaBuilder::structure();
    for field in view.elements(fields) {
        let name = view
            .get(field, "field")
            .filter(|name| view.kind(*name) == Kind::Text)
            .ok_or_else(|| {
                ConnectError::data("Struct schema's field name not specified properly")
            })?;
        builder = builder.field(view.text(name), read(reader, field)?)?;
    }
    Ok(builder)
}

/// Optionality, name, version, documentation, parameters and default. What has the wrong JSON type is
/// passed over.
fn read_attributes(
    reader: Reader<'_>,
    at: usize,
    mut builder: SchemaBuilder,
) -> Result<SchemaRef, ConnectError> {
    let view = reader.view;
    let attribute = |name, kind| view.get(at, name).filter(|value| view.kind(*value) == kind);
    if attribute("optional", Kind::True).is_some() {
        builder = builder.optional();
    }
    if let Some(name) = attribute("name", Kind::Text) {
        builder = builder.name(view.text(name));
    }
    if let Some(version) = attribute("version", Kind::Integer) {
        builder = builder.version(reader.int(version));
    }
    if let Some(doc) = attribute("doc", Kind::Text) {
        builder = builder.doc(view.text(doc));
    }
    if let Some(parameters) = attribute("parameters", Kind::Object) {
        builder = read_parameters(view, parameters, builder)?;
    }
    if let Some(default) = view.get(at, "default") {
        let so_far = SchemaBuilder::from_schema(builder.peek()).build();
        let value = reader.with_schema(&so_far, Some(default), false)?;
        builder = builder.default_value(value)?;
    }
    Ok(builder.build())
}

fn read_parameters(
    view: View<'_>,
    at: usize,
    mut builder: SchemaBuilder,
) -> Result<SchemaBuilder, ConnectError> {
    for (name, value) in unique_members(view, at) {
        if view.kind(value) != Kind::Text {
            return Err(ConnectError::data(
                "Schema parameters must have string values.",
            ));
        }
        builder = builder.parameter(view.text(name), view.text(value));
    }
    Ok(builder)
}

/// The JSON of schemas written before, by address. Emptied when full.
#[derive(Debug)]
pub(super) struct WriteCache {
    by_address: HashMap<*const Schema, (SchemaRef, Rc<[u8]>)>,
    size: usize,
    bytes: usize,
}

impl WriteCache {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    pub(super) fn new(size: usize) -> Self {
        Self {
            by_address: HashMap::new(),
            size,
            bytes: 0,
        }
    }

    /// The JSON of a schema.
    pub(super) fn json(
        &mut self,
        writer: Writer,
        schema: &SchemaRef,
    ) -> Result<Rc<[u8]>, ConnectError> {
        let address = SchemaRef::as_ptr(schema);
        if let Some((_, json)) = self.by_address.get(&address) {
            return Ok(Rc::clone(json));
        }
        let mut json = Vec::new();
        writer.schema(Some(schema), None, 1, &mut json)?;
        let json: Rc<[u8]> = json.into();
        self.bytes += json.len();
        if self.by_address.len() >= self.size || self.bytes > MAX_CACHED_BYTES {
            self.by_address.clear();
            self.bytes = json.len();
        }
        // The entry holds on to the schema, so that its address stays its own.
        self.by_address
            .insert(address, (SchemaRef::clone(schema), Rc::clone(&json)));
        Ok(json)
    }
}
