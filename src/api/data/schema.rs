//! Schemas: type, optionality, default, name, version, doc, parameters, and the parts of arrays, maps
//! and structs (Kafka: `ConnectSchema`, `SchemaBuilder`).

use std::sync::Arc;

use indexmap::IndexMap;

use super::Value;

/// A schema shared between records.
pub type SchemaRef = Arc<Schema>;

/// Names of the logical types (all version 1).
pub mod logical {
    /// Bytes with parameter `scale`; in memory [`super::Value::Decimal`].
    pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
    /// int32 days since the epoch; in memory [`super::Value::Date`].
    pub const DATE: &str = "org.apache.kafka.connect.data.Date";
    /// int32 milliseconds since midnight; in memory [`super::Value::Time`].
    pub const TIME: &str = "org.apache.kafka.connect.data.Time";
    /// int64 milliseconds since the epoch; in memory [`super::Value::Timestamp`].
    pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";
    /// Parameter of [`DECIMAL`] that holds the scale as text.
    pub const SCALE: &str = "scale";
}

/// The type of a schema (Kafka: `Schema.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the names of the types")]
pub enum SchemaType {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    Array,
    Map,
    Struct,
}

impl SchemaType {
    /// Kafka's upper-case name, as in error texts (`INT8`, `FLOAT64`, …).
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Struct => "STRUCT",
        }
    }
}

/// A field of a struct schema, at position `index`.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name, unique within the struct and not empty.
    pub name: String,
    /// Position among the struct's fields.
    pub index: usize,
    /// The field's own schema.
    pub schema: SchemaRef,
}

/// An immutable schema. Built by [`SchemaBuilder`].
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub(super) kind: SchemaType,
    pub(super) optional: bool,
    pub(super) default: Option<Value>,
    pub(super) name: Option<String>,
    pub(super) version: Option<i32>,
    pub(super) doc: Option<String>,
    pub(super) parameters: Option<IndexMap<String, String>>,
    pub(super) fields: Vec<Field>,
    pub(super) keys: Option<SchemaRef>,
    pub(super) values: Option<SchemaRef>,
}

impl Schema {
    /// The type.
    pub fn kind(&self) -> SchemaType {
        self.kind
    }

    /// Whether null is allowed.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// The default value.
    pub fn default(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// The schema's name; for logical types the name of the type.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The schema's version.
    pub fn version(&self) -> Option<i32> {
        self.version
    }

    /// Documentation.
    pub fn doc(&self) -> Option<&str> {
        self.doc.as_deref()
    }

    /// Parameters in the order they were set.
    pub fn parameters(&self) -> Option<&IndexMap<String, String>> {
        self.parameters.as_ref()
    }

    /// Fields of a struct schema; empty for other types.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field called `name` of a struct schema.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Key schema of a map.
    pub fn key_schema(&self) -> Option<&SchemaRef> {
        self.keys.as_ref()
    }

    /// Value schema of a map, element schema of an array.
    pub fn value_schema(&self) -> Option<&SchemaRef> {
        self.values.as_ref()
    }
}

/// Builds a [`Schema`] (Kafka: `SchemaBuilder`).
#[derive(Debug, Clone)]
pub struct SchemaBuilder {
    pub(super) schema: Schema,
}

impl SchemaBuilder {
    /// A required schema of `kind` with nothing else set.
    pub fn new(kind: SchemaType) -> Self {
        Self {
            schema: Schema {
                kind,
                optional: false,
                default: None,
                name: None,
                version: None,
                doc: None,
                parameters: None,
                fields: Vec::new(),
                keys: None,
                values: None,
            },
        }
    }

    /// Allows null.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.schema.optional = true;
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.schema.name = Some(name.into());
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: i32) -> Self {
        self.schema.version = Some(version);
        self
    }

    /// The finished schema.
    pub fn build(self) -> SchemaRef {
        Arc::new(self.schema)
    }
}
