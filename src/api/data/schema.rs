//! Schemas: type, optionality, default, name, version, doc, parameters, and the parts of arrays, maps
//! and structs (Kafka: `ConnectSchema`, `SchemaBuilder`).

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

use super::{Value, validate};
use crate::api::error::{ConnectError, ErrorKind};

static REQUIRED: LazyLock<[SchemaRef; 9]> = LazyLock::new(|| PRIMITIVES.map(Schema::bare));
static OPTIONAL: LazyLock<[SchemaRef; 9]> =
    LazyLock::new(|| PRIMITIVES.map(|kind| SchemaBuilder::new(kind).optional().build()));

/// The types without parts, in the order of [`SchemaType`]: their position is `kind as usize`.
const PRIMITIVES: [SchemaType; 9] = [
    SchemaType::Int8,
    SchemaType::Int16,
    SchemaType::Int32,
    SchemaType::Int64,
    SchemaType::Float32,
    SchemaType::Float64,
    SchemaType::Boolean,
    SchemaType::String,
    SchemaType::Bytes,
];

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

impl Field {
    /// Checks a value for this field.
    ///
    /// # Errors
    /// Kafka's text of why the value does not fit, with the field's name.
    pub fn validate(&self, candidate: &Value) -> Result<(), ConnectError> {
        validate::field(&self.name, &self.schema, candidate)
    }
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
    /// The required schema of a type with nothing else set (Kafka: `Schema.STRING_SCHEMA` and so on).
    /// Primitive types share one instance each.
    pub fn required(kind: SchemaType) -> SchemaRef {
        match REQUIRED.get(kind as usize) {
            Some(schema) => Arc::clone(schema),
            None => Self::bare(kind),
        }
    }

    /// The optional schema of a type with nothing else set (Kafka: `Schema.OPTIONAL_STRING_SCHEMA`
    /// and so on). Primitive types share one instance each.
    pub fn optional(kind: SchemaType) -> SchemaRef {
        match OPTIONAL.get(kind as usize) {
            Some(schema) => Arc::clone(schema),
            None => SchemaBuilder::new(kind).optional().build(),
        }
    }

    fn bare(kind: SchemaType) -> SchemaRef {
        SchemaBuilder::new(kind).build()
    }

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

/// Kafka's text of a schema in error messages: `Schema{name:TYPE}` or `Schema{TYPE}`.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "Schema{{{name}:{}}}", self.kind.name()),
            None => write!(f, "Schema{{{}}}", self.kind.name()),
        }
    }
}

/// Builds a [`Schema`] (Kafka: `SchemaBuilder`). A property set twice keeps the last value, where
/// Java throws: with a builder that moves, setting twice is a choice and no accident of sharing.
#[derive(Debug, Clone)]
pub struct SchemaBuilder {
    schema: Schema,
    /// Names of the fields so far: a schema may come from a record and have thousands.
    names: HashSet<String>,
}

impl SchemaBuilder {
    /// A required schema of `kind` with nothing else set. An array or map made this way has no schema
    /// for its parts; use [`SchemaBuilder::array`] and [`SchemaBuilder::map`].
    pub fn new(kind: SchemaType) -> Self {
        Self {
            names: HashSet::new(),
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

    /// A required struct without fields.
    pub fn structure() -> Self {
        Self::new(SchemaType::Struct)
    }

    /// A required array of `elements`.
    pub fn array(elements: SchemaRef) -> Self {
        let mut builder = Self::new(SchemaType::Array);
        builder.schema.values = Some(elements);
        builder
    }

    /// A required map.
    pub fn map(keys: SchemaRef, values: SchemaRef) -> Self {
        let mut builder = Self::new(SchemaType::Map);
        builder.schema.keys = Some(keys);
        builder.schema.values = Some(values);
        builder
    }

    /// A required map whose parts may be of any type where `None` (Kafka: `mapWithNullValues`,
    /// `mapOfNull`; header values parse to such maps).
    pub fn map_of_any(keys: Option<SchemaRef>, values: Option<SchemaRef>) -> Self {
        let mut builder = Self::new(SchemaType::Map);
        builder.schema.keys = keys;
        builder.schema.values = values;
        builder
    }

    /// Takes name, version, doc and parameters of `source`, where it has them, and leaves the rest
    /// (Kafka: `SchemaUtil.copySchemaBasics`).
    #[must_use]
    pub fn basics_of(mut self, source: &Schema) -> Self {
        self.schema.name.clone_from(&source.name);
        self.schema.version = source.version;
        self.schema.doc.clone_from(&source.doc);
        self.schema.parameters.clone_from(&source.parameters);
        self
    }

    /// Everything that `schema` has, to be changed.
    pub fn from_schema(schema: &Schema) -> Self {
        Self {
            schema: schema.clone(),
            names: schema
                .fields
                .iter()
                .map(|field| field.name.clone())
                .collect(),
        }
    }

    /// Allows null.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.schema.optional = true;
        self
    }

    /// Refuses null (as is the default).
    #[must_use]
    pub fn required(mut self) -> Self {
        self.schema.optional = false;
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

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.schema.doc = Some(doc.into());
        self
    }

    /// Sets one parameter.
    #[must_use]
    pub fn parameter(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.schema
            .parameters
            .get_or_insert_default()
            .insert(key.into(), value.into());
        self
    }

    /// Sets the default value. Call it after the rest: the value is checked against what is set so
    /// far. Null sets none.
    ///
    /// # Errors
    /// "Invalid default value" (`SchemaBuilderException`) with the reason as its source. A struct is
    /// never valid, as in Java, where the builder is compared with the finished schema.
    pub fn default_value(mut self, value: Value) -> Result<Self, ConnectError> {
        let checked = if matches!(value, Value::Struct(_)) && self.schema.kind == SchemaType::Struct
        {
            Err(ConnectError::data("Struct schemas do not match."))
        } else {
            validate::value(&self.schema, &value)
        };
        checked.map_err(|reason| invalid("Invalid default value").with_source(reason))?;
        self.schema.default = (value != Value::Null).then_some(value);
        Ok(self)
    }

    /// Appends a field to a struct.
    ///
    /// # Errors
    /// `SchemaBuilderException` with Kafka's text when this is no struct, or the name is empty or
    /// taken.
    pub fn field(
        mut self,
        name: impl Into<String>,
        schema: SchemaRef,
    ) -> Result<Self, ConnectError> {
        let name = name.into();
        if self.schema.kind != SchemaType::Struct {
            let kind = self.schema.kind.name();
            return Err(invalid(format!("Cannot create fields on type {kind}")));
        }
        if name.is_empty() {
            return Err(invalid("fieldName cannot be null."));
        }
        if !self.names.insert(name.clone()) {
            return Err(invalid(format!(
                "Cannot create field because of field name duplication {name}"
            )));
        }
        let index = self.schema.fields.len();
        self.schema.fields.push(Field {
            name,
            index,
            schema,
        });
        Ok(self)
    }

    /// The schema as set so far.
    pub fn peek(&self) -> &Schema {
        &self.schema
    }

    /// The finished schema.
    pub fn build(self) -> SchemaRef {
        Arc::new(self.schema)
    }
}

fn invalid(message: impl Into<String>) -> ConnectError {
    ConnectError::new(ErrorKind::SchemaBuilder, message)
}
