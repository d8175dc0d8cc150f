//! A Protobuf message as a Connect schema (Confluent: `ProtobufData.toConnectSchema`), and the plan by
//! which its data is read.

use std::sync::Arc;

use prost_reflect::prost_types::FieldDescriptorProto;
use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, OneofDescriptor,
    Syntax, Value as Proto,
};

use super::logical_message::{DATE, DECIMAL, TIME, TIMESTAMP, wrapped};
use super::names::{is_entry_name, map_name};
use super::{ENUM, PRECISION, ProtobufSettings, TAG, TYPE, UNION, WRAPPER};
use crate::api::data::{SchemaRef, logical_type};
use crate::api::{ConnectError, SchemaBuilder, SchemaType};
use crate::converters::registry::limits::{DEPTH_MAX, NODES_MAX};

/// How a value is read.
#[derive(Debug, Clone)]
pub(super) enum Read {
    /// A number, text, or bytes of this Connect type.
    Scalar(SchemaType),
    /// The number of an enum's symbol (true), or the symbol.
    Enum(EnumDescriptor, bool),
    Decimal,
    Date,
    Time,
    Timestamp,
    /// The value in a wrapper message.
    Wrapped(SchemaType),
    List(Box<Read>),
    Map(Box<ReadEntry>),
    Message(SchemaRef, Arc<ReadMessage>),
}

/// Key and value of a map's entry.
#[derive(Debug, Clone)]
pub(super) struct ReadEntry {
    pub(super) key_field: FieldDescriptor,
    pub(super) key: Read,
    pub(super) value_field: FieldDescriptor,
    pub(super) value: Read,
}

/// A message as a struct.
#[derive(Debug)]
pub(super) struct ReadMessage {
    pub(super) fields: Vec<ReadField>,
    pub(super) unions: Vec<ReadUnion>,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct ReadField {
    /// Position in the struct.
    pub(super) index: usize,
    pub(super) field: FieldDescriptor,
    pub(super) read: Read,
    /// Whether it has a value where the data has none.
    pub(super) always: bool,
    /// Whether data without it is no such message (proto2).
    pub(super) required: bool,
}

/// A oneof as a struct of its members.
#[derive(Debug)]
pub(super) struct ReadUnion {
    /// Position in the struct.
    pub(super) index: usize,
    pub(super) schema: SchemaRef,
    /// Positions in the union's struct, members.
    pub(super) members: Vec<(usize, FieldDescriptor, Read)>,
}

/// Schema and plan.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) schema: SchemaRef,
    pub(super) read: Read,
}

/// What a message, whose schema has this version, is in Connect.
///
/// # Errors
/// It contains itself, or is too large.
pub(super) fn connect(
    message: &MessageDescriptor,
    version: i32,
    settings: ProtobufSettings,
) -> Result<Connected, ConnectError> {
    let mut connector = Connector {
        settings,
        open: Vec::new(),
        left: NODES_MAX,
    };
    let (builder, read) = connector.message(message)?;
    let schema = builder.version(version).build();
    Ok(Connected {
        read: with_schema(read, &schema),
        schema,
    })
}

struct Connector {
    settings: ProtobufSettings,
    /// Messages that are being read.
    open: Vec<String>,
    left: usize,
}

type Made<T> = Result<T, ConnectError>;

/// The fields in the order of the text.
fn fields(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let found = |proto: &FieldDescriptorProto| {
        let number = u32::try_from(proto.number()).ok()?;
        message.get_field(number)
    };
    let protos = message.descriptor_proto().field.iter();
    protos.filter_map(found).collect()
}

/// The oneof that the text has; not the one that stands for `optional`.
fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    let oneof = field.containing_oneof();
    oneof.filter(|oneof| !oneof.is_synthetic())
}

impl Connector {
    fn message(&mut self, message: &MessageDescriptor) -> Made<(SchemaBuilder, Read)> {
        let full_name = message.full_name();
        if self.settings.wrapper_for_primitives
            && let Some(kind) = wrapped(full_name)
        {
            return Ok((SchemaBuilder::new(kind), Read::Wrapped(kind)));
        }
        self.enter(message)?;
        let name = self.name_of(full_name, message.name());
        let mut builder = SchemaBuilder::structure().name(name);
        let mut plan = ReadMessage {
            fields: Vec::new(),
            unions: Vec::new(),
        };
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            builder = self.oneof(&oneof, builder, &mut plan)?;
        }
        for field in fields(message) {
            if real_oneof(&field).is_none() {
                let (schema, read) = self.field(&field, false)?;
                let index = builder.peek().fields().len();
                builder = builder.field(field.name(), schema)?;
                plan.fields.push(ReadField {
                    index,
                    always: self.is_always_there(&field),
                    required: field.cardinality() == Cardinality::Required,
                    field,
                    read,
                });
            }
        }
        self.open.pop();
        let placeholder = SchemaBuilder::structure().build();
        Ok((builder, Read::Message(placeholder, Arc::new(plan))))
    }

    /// The name in Connect: with its package if names keep them.
    fn name_of<'a>(&self, full: &'a str, simple: &'a str) -> &'a str {
        match self.settings.enhanced {
            true => full,
            false => simple,
        }
    }

    /// Notes that a message is being read.
    fn enter(&mut self, message: &MessageDescriptor) -> Made<()> {
        let full_name = message.full_name();
        if self.open.iter().any(|open| open == full_name) {
            return Err(ConnectError::data(format!(
                "the message {full_name} contains itself; a schema that contains itself is not supported"
            )));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(ConnectError::data(format!(
                "the message {full_name} stands in more than {DEPTH_MAX} others"
            )));
        }
        self.open.push(full_name.to_owned());
        Ok(())
    }

    fn is_always_there(&self, field: &FieldDescriptor) -> bool {
        let is_message =
            matches!(field.kind(), Kind::Message(_)) && !field.is_list() && !field.is_map();
        let optional = field.field_descriptor_proto().proto3_optional()
            || (self.settings.optional_for_proto2 && has_optional_keyword(field));
        (!is_message && !optional) || self.settings.struct_for_nulls
    }

    fn oneof(
        &mut self,
        oneof: &OneofDescriptor,
        mut builder: SchemaBuilder,
        plan: &mut ReadMessage,
    ) -> Made<SchemaBuilder> {
        if self.settings.flatten_unions {
            for field in oneof.fields() {
                let (schema, read) = self.field(&field, true)?;
                let index = builder.peek().fields().len();
                builder = builder.field(field.name(), schema)?;
                plan.fields.push(ReadField {
                    index,
                    field,
                    read,
                    always: false,
                    required: false,
                });
            }
            return Ok(builder);
        }
        let name = self.name_of(oneof.full_name(), oneof.name());
        let mut union = SchemaBuilder::structure().name(format!("{UNION}.{name}"));
        let mut members = Vec::new();
        for field in oneof.fields() {
            let (schema, read) = self.field(&field, true)?;
            members.push((union.peek().fields().len(), field.clone(), read));
            union = union.field(field.name(), schema)?;
        }
        let schema = union.optional().build();
        plan.unions.push(ReadUnion {
            index: builder.peek().fields().len(),
            schema: SchemaRef::clone(&schema),
            members,
        });
        let field = match self.settings.index_for_unions {
            true => format!("{}_{}", oneof.name(), position(oneof)),
            false => oneof.name().to_owned(),
        };
        builder.field(field, schema)
    }

    fn field(&mut self, field: &FieldDescriptor, in_oneof: bool) -> Made<(SchemaRef, Read)> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            ConnectError::data(format!(
                "the Protobuf schema stands for more than {NODES_MAX} fields"
            ))
        })?;
        let (mut builder, mut read) = self.type_of(field)?;
        let is_wrapper = matches!(read, Read::Wrapped(_));
        if field.is_list() && builder.peek().kind() != SchemaType::Map {
            let items = builder.optional().build();
            read = Read::List(Box::new(with_schema(read, &items)));
            builder = SchemaBuilder::array(items).optional();
        }
        let settings = self.settings;
        if in_oneof {
            builder = builder.optional();
            if settings.wrapper_for_nullables && is_wrapper {
                builder = builder.parameter(WRAPPER, "true");
            }
        } else if settings.optional_for_nullables {
            if has_optional_keyword(field) {
                builder = builder.optional();
            }
        } else if !settings.wrapper_for_nullables {
            builder = builder.optional();
        }
        let schema = builder.parameter(TAG, field.number().to_string()).build();
        Ok((SchemaRef::clone(&schema), with_schema(read, &schema)))
    }

    fn type_of(&mut self, field: &FieldDescriptor) -> Made<(SchemaBuilder, Read)> {
        let plain = |kind| (SchemaBuilder::new(kind), Read::Scalar(kind));
        let typed = |kind, name: &str| {
            let builder = SchemaBuilder::new(kind).parameter(TYPE, name);
            (builder, Read::Scalar(kind))
        };
        let is_small = matches!(field.kind(), Kind::Int32 | Kind::Sint32 | Kind::Sfixed32);
        if is_small && let Some(kind) = small_type(field) {
            return Ok(plain(kind));
        }
        Ok(match field.kind() {
            Kind::Int32 => plain(SchemaType::Int32),
            Kind::Sint32 => typed(SchemaType::Int32, "sint32"),
            Kind::Sfixed32 => typed(SchemaType::Int32, "sfixed32"),
            Kind::Int64 => plain(SchemaType::Int64),
            Kind::Uint32 => typed(SchemaType::Int64, "uint32"),
            Kind::Fixed32 => typed(SchemaType::Int64, "fixed32"),
            Kind::Uint64 => typed(SchemaType::Int64, "uint64"),
            Kind::Sint64 => typed(SchemaType::Int64, "sint64"),
            Kind::Fixed64 => typed(SchemaType::Int64, "fixed64"),
            Kind::Sfixed64 => typed(SchemaType::Int64, "sfixed64"),
            Kind::Float => plain(SchemaType::Float32),
            Kind::Double => plain(SchemaType::Float64),
            Kind::Bool => plain(SchemaType::Boolean),
            Kind::String => plain(SchemaType::String),
            Kind::Bytes => plain(SchemaType::Bytes),
            Kind::Enum(symbols) => self.symbols(symbols),
            Kind::Message(message) => {
                let (builder, read) = self.inner_message(field, &message)?;
                (builder.optional(), read)
            }
        })
    }

    fn symbols(&self, symbols: EnumDescriptor) -> (SchemaBuilder, Read) {
        let as_numbers = self.settings.int_for_enums;
        let kind = if as_numbers {
            SchemaType::Int32
        } else {
            SchemaType::String
        };
        let name = self.name_of(symbols.full_name(), symbols.name());
        let mut builder = SchemaBuilder::new(kind).name(name);
        builder = builder.parameter(ENUM, symbols.name());
        for symbol in &symbols.enum_descriptor_proto().value {
            let number = symbol.number().to_string();
            builder = builder.parameter(format!("{ENUM}.{}", symbol.name()), number);
        }
        (builder.optional(), Read::Enum(symbols, as_numbers))
    }

    fn map(
        &mut self,
        entry: &MessageDescriptor,
        key_field: FieldDescriptor,
        value_field: FieldDescriptor,
    ) -> Made<(SchemaBuilder, Read)> {
        // An entry may contain itself, as any message.
        self.enter(entry)?;
        let (keys, key) = self.field(&key_field, false)?;
        let (values, value) = self.field(&value_field, false)?;
        self.open.pop();
        let name = map_name(self.name_of(entry.full_name(), entry.name()));
        let read = Read::Map(Box::new(ReadEntry {
            key_field,
            key,
            value_field,
            value,
        }));
        Ok((SchemaBuilder::map(keys, values).name(name), read))
    }

    fn inner_message(
        &mut self,
        field: &FieldDescriptor,
        message: &MessageDescriptor,
    ) -> Made<(SchemaBuilder, Read)> {
        if let Some((key_field, value_field)) = map_entry(field, message) {
            return self.map(message, key_field, value_field);
        }
        Ok(match message.full_name() {
            DECIMAL => {
                let number = |key: &str| meta_parameter(field, key)?.parse::<i32>().ok();
                let mut builder = logical_type::decimal_schema(number("scale").unwrap_or(0));
                if let Some(precision) = number("precision") {
                    builder = builder.parameter(PRECISION, precision.to_string());
                }
                (builder, Read::Decimal)
            }
            DATE => (logical_type::date_schema(), Read::Date),
            TIME => (logical_type::time_schema(), Read::Time),
            TIMESTAMP => (logical_type::timestamp_schema(), Read::Timestamp),
            name => match wrapped(name).filter(|_| self.settings.wrapper_for_nullables) {
                Some(kind) => (SchemaBuilder::new(kind), Read::Wrapped(kind)),
                None => self.message(message)?,
            },
        })
    }
}

/// Key and value when a field is a map: Protobuf's own, or a list of messages that look like entries.
fn map_entry(
    field: &FieldDescriptor,
    message: &MessageDescriptor,
) -> Option<(FieldDescriptor, FieldDescriptor)> {
    if field.is_map() {
        return Some((
            message.map_entry_key_field(),
            message.map_entry_value_field(),
        ));
    }
    let declared = fields(message);
    let [key, value] = declared.as_slice() else {
        return None;
    };
    let is_map = field.is_list()
        && is_entry_name(message.name())
        && (key.name(), value.name()) == ("key", "value")
        && key.cardinality() != Cardinality::Repeated
        && value.cardinality() != Cardinality::Repeated;
    is_map.then(|| (key.clone(), value.clone()))
}

/// Position of a oneof among those of its message.
fn position(oneof: &OneofDescriptor) -> usize {
    let mut all = oneof.parent_message().oneofs();
    all.position(|other| other.name() == oneof.name())
        .unwrap_or(0)
}

/// Whether the text says `optional`.
fn has_optional_keyword(field: &FieldDescriptor) -> bool {
    let is_proto2 = field.parent_file().syntax() == Syntax::Proto2;
    let optional = field.cardinality() == Cardinality::Optional;
    field.field_descriptor_proto().proto3_optional()
        || (is_proto2 && optional && field.containing_oneof().is_none())
}

/// The type of a number that was narrower in Connect than Protobuf has it.
fn small_type(field: &FieldDescriptor) -> Option<SchemaType> {
    match meta_parameter(field, "connect.type")?.as_str() {
        "int8" => Some(SchemaType::Int8),
        "int16" => Some(SchemaType::Int16),
        _ => None,
    }
}

/// A parameter of `[(confluent.field_meta) = …]`.
fn meta_parameter(field: &FieldDescriptor, key: &str) -> Option<String> {
    let pool = field.parent_pool();
    let extension = pool.get_extension_by_name("confluent.field_meta")?;
    let options = field.options();
    let meta = options.get_extension(&extension);
    let parameters = meta.as_message()?.get_field_by_name("params")?;
    let Proto::Map(parameters) = parameters.as_ref() else {
        return None;
    };
    let value = parameters.get(&MapKey::String(key.to_owned()))?;
    value.as_str().map(str::to_owned)
}

/// The plan with the schema of what it gives.
fn with_schema(read: Read, schema: &SchemaRef) -> Read {
    match read {
        Read::Message(_, plan) => Read::Message(SchemaRef::clone(schema), plan),
        other => other,
    }
}
