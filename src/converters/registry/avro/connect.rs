//! An Avro schema as a Connect schema (Confluent: `AvroData.toConnectSchema`), and the plan by which its
//! data is read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::AvroSettings;
use super::compose::{
    CONNECT_ENUM_DOC, CONNECT_RECORD_DOC, DEFAULT_NAME, DEFAULT_PRECISION, ENUM, ENUM_DEFAULT,
    ENUM_DOC, FIELD_DEFAULT, FIELD_DOC, FIXED_SIZE, INTERNAL_TYPE, MAP_ENTRY, NAMESPACE, PRECISION,
    RECORD_DOC, UNION,
};
use super::default::from_json;
use super::schema::{AvroSchema, Kind, Node, NodeId, Record, Symbols};
use crate::api::data::{SchemaRef, logical, logical_type};
use crate::api::{ConnectError, Schema, SchemaBuilder, SchemaType};
use crate::converters::registry::limits::NODES_MAX;

/// How data of a type is read.
#[derive(Debug, Clone)]
pub(super) enum Read {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Date(SchemaRef),
    Time(SchemaRef),
    Timestamp,
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    /// Scale, and size if it is a fixed.
    Decimal(i64, Option<usize>),
    Enum(Arc<[String]>),
    Array(Arc<Read>),
    Map(Arc<Read>),
    /// Key and value of a list of entries; true when the value comes first.
    Entries(Arc<(Read, Read)>, bool),
    Record(Arc<ReadRecord>),
    /// Null and one other type; the index of null.
    Optional(u8, Arc<Read>),
    /// The one member of a union.
    Only(Arc<Read>),
    /// Struct schema, and for each member the field and how it is read; `None` is null.
    Union(Arc<ReadUnion>),
    /// Data without a schema.
    Anything,
}

/// A record.
#[derive(Debug)]
pub(super) struct ReadRecord {
    pub(super) schema: SchemaRef,
    pub(super) fields: Vec<Read>,
}

/// A union of more types.
#[derive(Debug)]
pub(super) struct ReadUnion {
    pub(super) schema: SchemaRef,
    pub(super) members: Vec<Option<(usize, Read)>>,
}

/// Schema and plan.
#[derive(Debug, Clone)]
pub(super) struct Connected {
    pub(super) schema: SchemaRef,
    pub(super) read: Read,
}

/// What `avro`, of this version in its subject, is in Connect.
///
/// # Errors
/// Connect cannot express it: a record that contains itself, a null alone, and so on.
pub(super) fn connect(
    avro: &AvroSchema,
    version: i32,
    settings: AvroSettings,
) -> Result<Connected, ConnectError> {
    let mut connector = Connector {
        avro,
        settings,
        open: HashSet::new(),
        named: HashMap::new(),
        size: 0,
    };
    let around = Around {
        version: Some(version),
        ..Around::default()
    };
    connector.node(avro.root, around)
}

/// What surrounds a type and shows in its schema.
#[derive(Debug, Default, Clone, Copy)]
struct Around<'a> {
    optional: bool,
    default: Option<&'a Json>,
    doc: Option<&'a str>,
    version: Option<i32>,
}

impl Around<'_> {
    const PART: Self = Self {
        optional: false,
        default: None,
        doc: None,
        version: None,
    };
    const MEMBER: Self = Self {
        optional: true,
        ..Self::PART
    };

    /// Whether the schema depends on nothing but the type and whether null is allowed.
    fn is_plain(&self) -> bool {
        self.default.is_none() && self.doc.is_none() && self.version.is_none()
    }
}

struct Connector<'a> {
    avro: &'a AvroSchema,
    settings: AvroSettings,
    /// Records that are being read.
    open: HashSet<NodeId>,
    /// Named types that were read, required and optional, with how many types they stand for: a name that
    /// is used often is read once.
    named: HashMap<(NodeId, bool), (Connected, usize)>,
    size: usize,
}

type Made<T> = Result<T, ConnectError>;

impl<'a> Connector<'a> {
    fn node(&mut self, id: NodeId, around: Around<'_>) -> Made<Connected> {
        let key = (id, around.optional);
        let shared = around.is_plain() && self.avro.node(id).kind.named().is_some();
        if shared && let Some((known, size)) = self.named.get(&key) {
            let known = known.clone();
            self.size += size;
            self.check_size()?;
            return Ok(known);
        }
        let before = self.size;
        self.size += 1;
        self.check_size()?;
        let made = self.make(id, around)?;
        if shared {
            self.named.insert(key, (made.clone(), self.size - before));
        }
        Ok(made)
    }

    fn check_size(&self) -> Made<()> {
        if self.size <= NODES_MAX {
            return Ok(());
        }
        Err(ConnectError::data(format!(
            "the Avro schema stands for more than {NODES_MAX} types when each name is replaced by its type"
        )))
    }

    fn make(&mut self, id: NodeId, around: Around<'_>) -> Made<Connected> {
        let avro = self.avro;
        let node = avro.node(id);
        let (builder, read) = match &node.kind {
            Kind::Union(members) => match self.plain_member(members) {
                Some((member, null)) => return self.member(member, null, around),
                None => self.union(members)?,
            },
            Kind::Record(record) => self.record(id, record)?,
            Kind::Array(items) => self.array(*items)?,
            Kind::Map(values) => {
                let values = self.node(*values, Around::PART)?;
                let keys = Schema::required(SchemaType::String);
                let builder = SchemaBuilder::map(keys, values.schema);
                (builder, Read::Map(Arc::new(values.read)))
            }
            Kind::Enum(symbols) => self.symbols(symbols),
            Kind::Bytes => bytes(node, None)?,
            Kind::Fixed(fixed) => bytes(node, Some(fixed.size))?,
            _ => simple(node)?,
        };
        let schema = self.finish(id, builder, around)?;
        Ok(Connected {
            read: with_schema(read, &schema),
            schema,
        })
    }

    /// The member that a union reads as, and the index of null if it has one.
    fn plain_member(&self, members: &[NodeId]) -> Option<(NodeId, Option<u8>)> {
        let is_null = |id: &NodeId| matches!(self.avro.node(*id).kind, Kind::Null);
        match members {
            [only] if self.settings.flatten_singletons => Some((*only, None)),
            [first, second] if is_null(first) && !is_null(second) => Some((*second, Some(0))),
            [first, second] if is_null(second) && !is_null(first) => Some((*first, Some(1))),
            _ => None,
        }
    }

    /// A union of one type, or of one type and null. A default of the field goes with the union and not with
    /// its member, as in Java.
    fn member(&mut self, member: NodeId, null: Option<u8>, around: Around<'_>) -> Made<Connected> {
        let within = Around {
            optional: null.is_some(),
            doc: around.doc,
            ..Around::default()
        };
        let Connected { schema, read } = self.node(member, within)?;
        let inner = Arc::new(read);
        let read = match null {
            Some(null) => Read::Optional(null, inner),
            None => Read::Only(inner),
        };
        Ok(Connected { schema, read })
    }

    fn union(&mut self, members: &[NodeId]) -> Made<(SchemaBuilder, Read)> {
        let mut builder = SchemaBuilder::structure().name(UNION);
        let mut reads = Vec::with_capacity(members.len());
        for member in members {
            let node = self.avro.node(*member);
            if matches!(node.kind, Kind::Null) {
                builder = builder.optional();
                reads.push(None);
                continue;
            }
            let name = member_name(node, self.settings);
            let Connected { schema, read } = self.node(*member, Around::MEMBER)?;
            let index = builder.peek().fields().len();
            builder = builder.field(name, schema).map_err(|error| {
                ConnectError::data("Multiple union schemas map to the Connect union field name")
                    .with_source(error)
            })?;
            reads.push(Some((index, read)));
        }
        let union = ReadUnion {
            schema: Schema::required(SchemaType::Bytes),
            members: reads,
        };
        Ok((builder, Read::Union(Arc::new(union))))
    }

    fn array(&mut self, items: NodeId) -> Made<(SchemaBuilder, Read)> {
        let node = self.avro.node(items);
        if let Some(record) = map_entry(node) {
            return self.entries(record);
        }
        let items = self.node(items, Around::PART)?;
        let builder = SchemaBuilder::array(items.schema);
        Ok((builder, Read::Array(Arc::new(items.read))))
    }

    fn entries(&mut self, record: &Record) -> Made<(SchemaBuilder, Read)> {
        let (key, value, value_first) = match record.fields.as_slice() {
            [key, value] if key.name == "key" && value.name == "value" => (key, value, false),
            [value, key] if key.name == "key" && value.name == "value" => (key, value, true),
            _ => {
                return Err(ConnectError::data(
                    "Found map encoded as array of key-value pairs, but array elements do not match the \
                     expected format.",
                ));
            }
        };
        let key = self.node(key.schema, Around::PART)?;
        let value = self.node(value.schema, Around::PART)?;
        let builder = SchemaBuilder::map(key.schema, value.schema);
        let parts = Arc::new((key.read, value.read));
        Ok((builder, Read::Entries(parts, value_first)))
    }

    fn record(&mut self, id: NodeId, record: &'a Record) -> Made<(SchemaBuilder, Read)> {
        if !self.open.insert(id) {
            return Err(ConnectError::data(format!(
                "the Avro record {} contains itself; a schema that contains itself is not supported",
                record.name.full()
            )));
        }
        let keeps_docs = self.settings.meta_data && !self.settings.discard_type_doc;
        let mut builder = SchemaBuilder::structure();
        if let Some(doc) = record.doc.as_ref().filter(|_| keeps_docs) {
            builder = builder.parameter(RECORD_DOC, doc);
        }
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            if let Some(doc) = field.doc.as_ref().filter(|_| keeps_docs) {
                builder = builder.parameter(format!("{FIELD_DOC}{}", field.name), doc);
            }
            let doc = field.doc.as_deref();
            let around = Around {
                default: field.default.as_ref(),
                // Only then does a field's documentation show in its schema.
                doc: doc.filter(|_| self.settings.discard_type_doc),
                ..Around::default()
            };
            let made = self.node(field.schema, around)?;
            let mut schema = made.schema;
            let mut read = made.read;
            if let Some(Json::Object(parameters)) = field.props.get("connect.parameters")
                && self.settings.meta_data
            {
                let mut changed = SchemaBuilder::from_schema(&schema);
                for (key, value) in parameters {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    changed = changed.parameter(key, text);
                }
                schema = changed.build();
                read = with_schema(read, &schema);
            }
            fields.push(read);
            builder = builder.field(&field.name, schema)?;
        }
        self.open.remove(&id);
        let plan = ReadRecord {
            schema: Schema::required(SchemaType::Bytes),
            fields,
        };
        Ok((builder, Read::Record(Arc::new(plan))))
    }

    fn symbols(&self, symbols: &Symbols) -> (SchemaBuilder, Read) {
        let mut builder = SchemaBuilder::new(SchemaType::String);
        let simple = &symbols.name.simple;
        if self.settings.meta_data {
            let keeps = !self.settings.discard_type_doc;
            if let Some(doc) = &symbols.doc {
                let key = match keeps {
                    true => format!("{ENUM_DOC}{simple}"),
                    false => CONNECT_ENUM_DOC.to_owned(),
                };
                builder = builder.parameter(key, doc);
            }
            if let Some(default) = symbols.default.as_ref().filter(|_| keeps) {
                builder = builder.parameter(format!("{ENUM_DEFAULT}{simple}"), default);
            }
        }
        builder = builder.parameter(ENUM, symbols.name.full());
        for symbol in &symbols.symbols {
            builder = builder.parameter(format!("{ENUM}.{symbol}"), symbol);
        }
        (builder, Read::Enum(symbols.symbols.as_slice().into()))
    }

    /// Documentation, version, parameters, default, name and whether null is allowed.
    fn finish(&self, id: NodeId, builder: SchemaBuilder, around: Around<'_>) -> Made<SchemaRef> {
        let node = self.avro.node(id);
        let mut builder = self.documented(node, builder, around.doc);
        builder = versioned(node, builder, around.version)?;
        builder = self.with_parameters(node, builder)?;
        let of_type = node.props.get("connect.default");
        if around.default.is_some()
            && of_type.is_none()
            && self.settings.meta_data
            && !self.settings.discard_type_doc
        {
            builder = builder.parameter(FIELD_DEFAULT, "true");
        }
        if let Some(default) = around.default.or(of_type) {
            let with_default = from_json(builder.peek(), self.avro, id, default)
                .and_then(|value| builder.clone().default_value(value));
            match with_default {
                Ok(with_default) => builder = with_default,
                Err(error) => tracing::warn!(%error, "a default in an Avro schema is ignored"),
            }
        }
        builder = named(node, builder)?;
        if around.optional {
            builder = builder.optional();
        }
        Ok(builder.build())
    }

    fn documented(
        &self,
        node: &Node,
        mut builder: SchemaBuilder,
        of_field: Option<&str>,
    ) -> SchemaBuilder {
        let own = node.text("connect.doc");
        if !self.settings.discard_type_doc {
            return match own.filter(|_| self.settings.meta_data) {
                Some(doc) => builder.doc(doc),
                None => builder,
            };
        }
        let of_type = match &node.kind {
            Kind::Record(record) => record.doc.as_deref(),
            Kind::Enum(symbols) => symbols.doc.as_deref(),
            _ => None,
        };
        if let Some(doc) = of_field.or(of_type).or(own) {
            builder = builder.doc(doc);
        }
        match of_type.filter(|_| self.settings.meta_data) {
            Some(doc) => builder.parameter(CONNECT_RECORD_DOC, doc),
            None => builder,
        }
    }

    fn with_parameters(&self, node: &Node, mut builder: SchemaBuilder) -> Made<SchemaBuilder> {
        let parameters = node.props.get("connect.parameters");
        if let Some(parameters) = parameters.filter(|_| self.settings.meta_data) {
            let Json::Object(parameters) = parameters else {
                return Err(ConnectError::data(format!(
                    "Expected JSON object for schema parameters but found: {parameters}"
                )));
            };
            for (key, value) in parameters {
                let Json::String(value) = value else {
                    return Err(ConnectError::data(format!(
                        "Expected schema parameter values to be strings but found: {value}"
                    )));
                };
                builder = builder.parameter(key, value);
            }
        }
        for (key, value) in node.props.iter().filter(|(key, _)| key.starts_with("avro")) {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            builder = builder.parameter(key, text);
        }
        Ok(builder)
    }
}

/// The plan with the schema of what it gives.
fn with_schema(read: Read, schema: &SchemaRef) -> Read {
    match read {
        Read::Record(plan) => Read::Record(Arc::new(ReadRecord {
            schema: SchemaRef::clone(schema),
            fields: plan.fields.clone(),
        })),
        Read::Union(plan) => Read::Union(Arc::new(ReadUnion {
            schema: SchemaRef::clone(schema),
            members: plan.members.clone(),
        })),
        Read::Optional(null, inner) => {
            Read::Optional(null, Arc::new(with_schema((*inner).clone(), schema)))
        }
        Read::Only(inner) => Read::Only(Arc::new(with_schema((*inner).clone(), schema))),
        Read::Date(_) => Read::Date(SchemaRef::clone(schema)),
        Read::Time(_) => Read::Time(SchemaRef::clone(schema)),
        other => other,
    }
}

fn simple(node: &Node) -> Made<(SchemaBuilder, Read)> {
    let plain = SchemaBuilder::new;
    let placeholder = || Schema::required(SchemaType::Int32);
    Ok(match (&node.kind, node.logical_type()) {
        (Kind::Boolean, _) => (plain(SchemaType::Boolean), Read::Boolean),
        (Kind::Float, _) => (plain(SchemaType::Float32), Read::Float),
        (Kind::Double, _) => (plain(SchemaType::Float64), Read::Double),
        (Kind::String, _) => (plain(SchemaType::String), Read::String),
        (Kind::Long, Some(kind)) if kind.eq_ignore_ascii_case("timestamp-millis") => {
            (logical_type::timestamp_schema(), Read::Timestamp)
        }
        (Kind::Long, _) => (plain(SchemaType::Int64), Read::Int64),
        (Kind::Int, Some(kind)) if kind.eq_ignore_ascii_case("date") => {
            (logical_type::date_schema(), Read::Date(placeholder()))
        }
        (Kind::Int, Some(kind)) if kind.eq_ignore_ascii_case("time-millis") => {
            (logical_type::time_schema(), Read::Time(placeholder()))
        }
        (Kind::Int, Some(_)) => (plain(SchemaType::Int32), Read::Int32),
        (Kind::Int, None) => match node.text("connect.type") {
            None => (plain(SchemaType::Int32), Read::Int32),
            Some("int8") => (plain(SchemaType::Int8), Read::Int8),
            Some("int16") => (plain(SchemaType::Int16), Read::Int16),
            Some(other) => {
                return Err(ConnectError::data(format!(
                    "Connect type annotation for Avro int field is {other}; there are int8 and int16"
                )));
            }
        },
        _ => {
            return Err(ConnectError::data(
                "Standalone null schemas are not supported by this converter",
            ));
        }
    })
}

fn bytes(node: &Node, size: Option<usize>) -> Made<(SchemaBuilder, Read)> {
    let is_decimal = node
        .logical_type()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("decimal"));
    let (mut builder, read) = if is_decimal {
        let scale = node.props.get("scale").and_then(Json::as_i64).unwrap_or(0);
        let scale = i32::try_from(scale).map_err(|_| {
            ConnectError::data(format!("the scale {scale} of a decimal is too large"))
        })?;
        let mut builder = logical_type::decimal_schema(scale);
        match node.props.get("precision") {
            None => {}
            Some(Json::Number(number)) => {
                let precision = number.as_i64().unwrap_or(DEFAULT_PRECISION);
                if precision != DEFAULT_PRECISION {
                    builder = builder.parameter(PRECISION, precision.to_string());
                }
            }
            Some(_) => {
                return Err(ConnectError::data(
                    "precision property must be a JSON Integer.",
                ));
            }
        }
        (builder, Read::Decimal(i64::from(scale), size))
    } else {
        let read = size.map_or(Read::Bytes, Read::Fixed);
        (SchemaBuilder::new(SchemaType::Bytes), read)
    };
    if let Some(size) = size {
        builder = builder.parameter(FIXED_SIZE, size.to_string());
    }
    Ok((builder, read))
}

/// The record of an entry of a map whose keys are no strings.
pub(super) fn map_entry(node: &Node) -> Option<&Record> {
    let Kind::Record(record) = &node.kind else {
        return None;
    };
    let name = &record.name;
    let by_name = name.namespace.as_deref() == Some(NAMESPACE) && name.simple == MAP_ENTRY;
    (by_name || node.text(INTERNAL_TYPE) == Some(MAP_ENTRY)).then_some(record)
}

/// The field of the union's struct that stands for a member.
pub(super) fn member_name(node: &Node, settings: AvroSettings) -> String {
    match node.kind.named() {
        Some(name) if settings.enhanced => name.full(),
        Some(name) => name.simple.clone(),
        None => node.kind.name().to_owned(),
    }
}

fn versioned(node: &Node, builder: SchemaBuilder, of_subject: Option<i32>) -> Made<SchemaBuilder> {
    let own = match node.props.get("connect.version") {
        None => None,
        Some(version) => {
            let number = version
                .as_i64()
                .and_then(|number| i32::try_from(number).ok());
            Some(number.ok_or_else(|| {
                ConnectError::data(format!("Invalid Connect version found: {version}"))
            })?)
        }
    };
    match (
        builder.peek().version(),
        own.filter(|version| *version >= 0),
    ) {
        (Some(known), Some(own)) if known != own => Err(ConnectError::data(format!(
            "Mismatched versions: version already added to SchemaBuilder ({known}) differs from version in \
             source schema ({own})"
        ))),
        // A logical type has a version of its own, whatever its subject says.
        (Some(_), _) => Ok(builder),
        (None, own) => Ok(match own.or(of_subject) {
            Some(version) => builder.version(version),
            None => builder,
        }),
    }
}

fn named(node: &Node, builder: SchemaBuilder) -> Made<SchemaBuilder> {
    let name = match node.props.get("connect.name") {
        Some(Json::String(name)) => Some(name.clone()),
        Some(other) => {
            return Err(ConnectError::data(format!("Invalid schema name: {other}")));
        }
        None => {
            let is_decimal = builder.peek().name() == Some(logical::DECIMAL);
            let own = node.kind.named().filter(|_| !is_decimal);
            own.map(super::names::Name::full)
        }
    };
    let default = format!("{NAMESPACE}.{DEFAULT_NAME}");
    let Some(name) = name.filter(|name| !name.starts_with(&default)) else {
        return Ok(builder);
    };
    match builder.peek().name() {
        None => Ok(builder.name(name)),
        Some(known) if known == name => Ok(builder),
        Some(known) => Err(ConnectError::data(format!(
            "Mismatched names: name already added to SchemaBuilder ({known}) differs from name in source \
             schema ({name})"
        ))),
    }
}
