//! Protobuf (Confluent: `ProtobufConverter`, `ProtobufData`).
//!
//! After the schema's id stands which of its messages the data is (`indexes`). `source` compiles .proto
//! texts with protox; `connect` makes Connect schemas of messages and the plan by which `read` turns
//! dynamic messages into values; `compose` writes the text for a Connect schema and `write` fills dynamic
//! messages.

mod compat;
mod compose;
mod connect;
mod indexes;
mod known;
mod logical_message;
mod minus_zero;
mod names;
mod numbers;
mod read;
mod source;
mod write;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use self::connect::{Connected, connect};
use super::failure::Failure;
use super::format::{Format, RegistrySchema};
use crate::api::config_def::{ConfigKey, Importance, ParsedConfig};
use crate::api::data::SchemaRef;
use crate::api::{ConnectError, SchemaAndValue, Value};

/// Parameter with the number of a field.
const TAG: &str = "io.confluent.connect.protobuf.Tag";
/// Parameter with the type of a number, where it is not the usual one.
const TYPE: &str = "io.confluent.connect.protobuf.Type";
/// Parameter of a string that stands for an enum; with `.` and a symbol: its number.
const ENUM: &str = "io.confluent.connect.protobuf.Enum";
/// Start of the names of structs that stand for `oneof`.
const UNION: &str = "io.confluent.connect.protobuf.Union";
/// Parameter of an optional member of a `oneof` that was a wrapper message.
const WRAPPER: &str = "io.confluent.connect.protobuf.Wrapper";
/// Parameter of a decimal with a precision.
const PRECISION: &str = "connect.decimal.precision";

/// The switches of `ProtobufDataConfig`.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
struct ProtobufSettings {
    /// `enhanced.protobuf.schema.support`.
    enhanced: bool,
    /// `scrub.invalid.names`.
    scrub: bool,
    /// `int.for.enums`.
    int_for_enums: bool,
    /// `optional.for.nullables`.
    optional_for_nullables: bool,
    /// `optional.for.proto2`.
    optional_for_proto2: bool,
    /// `wrapper.for.nullables`.
    wrapper_for_nullables: bool,
    /// `wrapper.for.raw.primitives`.
    wrapper_for_primitives: bool,
    /// `generate.struct.for.nulls`.
    struct_for_nulls: bool,
    /// `generate.index.for.unions`.
    index_for_unions: bool,
    /// `flatten.unions`.
    flatten_unions: bool,
    /// `ignore.default.for.nullables`.
    ignore_default: bool,
}

/// Protobuf with its settings.
#[derive(Debug)]
pub struct ProtobufFormat {
    settings: ProtobufSettings,
}

/// Reads data of the messages of one schema.
#[derive(Debug)]
pub struct ProtobufReader {
    /// The messages by their index and those of the messages that they stand in, the outermost first.
    messages: BTreeMap<Vec<i32>, ReadableMessage>,
    version: i32,
}

#[derive(Debug)]
struct ReadableMessage {
    descriptor: MessageDescriptor,
    /// Made for the first record of that message.
    connected: OnceLock<Result<Connected, Failure>>,
}

/// Writes data with one message of one schema.
#[derive(Debug)]
pub struct ProtobufWriter {
    descriptor: MessageDescriptor,
    path: Vec<i32>,
}

impl Format for ProtobufFormat {
    const CLASS: &'static str = "io.confluent.connect.protobuf.ProtobufConverter";
    const NOUN: &'static str = "Protobuf";
    const SCHEMA_TYPE: &'static str = "PROTOBUF";

    type Reader = ProtobufReader;
    type Writer = ProtobufWriter;

    fn keys() -> Vec<ConfigKey> {
        KEYS.iter()
            .map(|(name, default, doc)| {
                let key = ConfigKey::boolean(*name).default(*default);
                key.importance(Importance::Low).doc(*doc)
            })
            .chain([
                super::settings::refused(
                    "skip.known.types",
                    "true",
                    "the files of Google and Confluent need not be registered",
                ),
                super::settings::refused(
                    "reference.subject.name.strategy",
                    "io.confluent.kafka.serializers.subject.DefaultReferenceSubjectNameStrategy",
                    "schemas that are registered refer to no others",
                ),
            ])
            .collect()
    }

    fn new(config: &ParsedConfig) -> Result<Self, ConnectError> {
        let settings = ProtobufSettings {
            enhanced: config.bool("enhanced.protobuf.schema.support")?,
            scrub: config.bool("scrub.invalid.names")?,
            int_for_enums: config.bool("int.for.enums")?,
            optional_for_nullables: config.bool("optional.for.nullables")?,
            optional_for_proto2: config.bool("optional.for.proto2")?,
            wrapper_for_nullables: config.bool("wrapper.for.nullables")?,
            wrapper_for_primitives: config.bool("wrapper.for.raw.primitives")?,
            struct_for_nulls: config.bool("generate.struct.for.nulls")?,
            index_for_unions: config.bool("generate.index.for.unions")?,
            flatten_unions: config.bool("flatten.unions")?,
            ignore_default: config.bool("ignore.default.for.nullables")?,
        };
        Ok(Self { settings })
    }

    fn read_failure(topic: &str) -> String {
        format!("Failed to deserialize data for topic {topic} to Protobuf:")
    }

    fn write_failure(topic: &str) -> String {
        format!("Failed to serialize Protobuf data from topic {topic}:")
    }

    fn is_null(&self, _: Option<&SchemaRef>, value: &Value) -> Result<bool, ConnectError> {
        Ok(value.is_null())
    }

    fn compose(&self, schema: Option<&SchemaRef>) -> Result<RegistrySchema, ConnectError> {
        let schema = schema.ok_or_else(without_schema)?;
        let text = compose::compose(schema, self.settings)?;
        Ok(RegistrySchema::of_text(text))
    }

    fn record_name(&self, schema: &RegistrySchema) -> Result<Option<String>, ConnectError> {
        let source = source::compile(schema)?;
        let first = source.file.messages().next();
        Ok(first.map(|message| message.full_name().to_owned()))
    }

    fn check_reads(
        &self,
        latest: &RegistrySchema,
        own: &RegistrySchema,
    ) -> Result<(), ConnectError> {
        compat::check(&source::compile(latest)?, &source::compile(own)?)
    }

    fn message(data: &[u8]) -> Vec<i32> {
        indexes::split(data).map_or_else(|_| Vec::new(), |(path, _)| path)
    }

    fn message_name(
        &self,
        schema: &RegistrySchema,
        path: &[i32],
    ) -> Result<Option<String>, ConnectError> {
        let mut messages = source::compile(schema)?.messages()?.into_iter();
        let found = messages.find(|(known, _)| known == path);
        let (_, message) = found.ok_or_else(|| no_message(path))?;
        Ok(Some(message.full_name().to_owned()))
    }

    fn written_name(
        &self,
        schema: Option<&SchemaRef>,
        _composed: &RegistrySchema,
    ) -> Result<Option<String>, ConnectError> {
        let schema = schema.ok_or_else(without_schema)?;
        names::message_name(schema, self.settings).map(Some)
    }

    fn prepare(&self, reader: &ProtobufReader, path: &[i32]) {
        if let Some(message) = reader.messages.get(path) {
            message.connected(reader.version, self.settings);
        }
    }

    fn reader(
        &self,
        schema: &RegistrySchema,
        version: i32,
    ) -> Result<ProtobufReader, ConnectError> {
        let found = source::compile(schema)?.messages()?;
        let readable = |(path, descriptor)| {
            let message = ReadableMessage {
                descriptor,
                connected: OnceLock::new(),
            };
            (path, message)
        };
        Ok(ProtobufReader {
            messages: found.into_iter().map(readable).collect(),
            version,
        })
    }

    fn writer(
        &self,
        schema: Option<&SchemaRef>,
        target: &RegistrySchema,
    ) -> Result<ProtobufWriter, ConnectError> {
        let schema = schema.ok_or_else(without_schema)?;
        let name = names::message_name(schema, self.settings)?;
        let found = source::compile(target)?.message_called(&name);
        let (path, descriptor) = found.ok_or_else(|| {
            ConnectError::data(format!("the schema of the subject has no message {name}"))
        })?;
        Ok(ProtobufWriter { descriptor, path })
    }

    fn read(&self, reader: &ProtobufReader, data: &[u8]) -> Result<SchemaAndValue, ConnectError> {
        let (path, data) = indexes::split(data)?;
        let message = reader.messages.get(&path);
        let message = message.ok_or_else(|| no_message(&path))?;
        let connected = message.connected(reader.version, self.settings);
        let connected = connected.as_ref().map_err(Failure::to_error)?;
        let dynamic = DynamicMessage::decode(message.descriptor.clone(), data);
        let dynamic = dynamic.map_err(|error| {
            let name = message.descriptor.full_name();
            ConnectError::data(format!("no message {name}: {error}"))
        })?;
        let mut budget = read::Budget::of_record();
        let value = connected.read.message(&dynamic, &mut budget)?;
        Ok(SchemaAndValue::new(
            SchemaRef::clone(&connected.schema),
            value,
        ))
    }

    fn write(
        &self,
        writer: &ProtobufWriter,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        let schema = schema.ok_or_else(without_schema)?;
        let filler = write::Filler {
            settings: self.settings,
            minus_zero: Cell::new(false),
        };
        let message = filler.root(&writer.descriptor, schema, value)?;
        indexes::append(&writer.path, out);
        if filler.minus_zero.get() {
            minus_zero::encode(&message, out);
            return Ok(());
        }
        message
            .encode(out)
            .map_err(|error| ConnectError::data(error.to_string()))
    }
}

impl ReadableMessage {
    fn connected(&self, version: i32, settings: ProtobufSettings) -> &Result<Connected, Failure> {
        self.connected.get_or_init(|| {
            connect(&self.descriptor, version, settings).map_err(|error| Failure::of(&error))
        })
    }
}

fn no_message(path: &[i32]) -> ConnectError {
    ConnectError::data(format!(
        "the schema has no message with the indexes {path:?}"
    ))
}

fn without_schema() -> ConnectError {
    ConnectError::data("a record without a schema cannot be written with Protobuf")
}

/// Name, default and documentation of the format's own keys.
const KEYS: [(&str, bool, &str); 11] = [
    (
        "enhanced.protobuf.schema.support",
        false,
        "Whether names keep their packages.",
    ),
    (
        "scrub.invalid.names",
        false,
        "Whether characters that Protobuf does not allow in names are replaced.",
    ),
    (
        "int.for.enums",
        false,
        "Whether enums are numbers instead of strings.",
    ),
    (
        "optional.for.nullables",
        false,
        "Whether optional fields are marked so in Protobuf, which then tells null from 0.",
    ),
    (
        "optional.for.proto2",
        true,
        "Whether optional fields of proto2 that are not set read as null.",
    ),
    (
        "wrapper.for.nullables",
        false,
        "Whether optional fields use the wrapper messages of Google.",
    ),
    (
        "wrapper.for.raw.primitives",
        true,
        "Whether wrapper messages read as the values in them.",
    ),
    (
        "generate.struct.for.nulls",
        false,
        "Whether messages that are not set read as messages with defaults.",
    ),
    (
        "generate.index.for.unions",
        true,
        "Whether the field for a oneof has its number in its name.",
    ),
    (
        "flatten.unions",
        false,
        "Whether members of a oneof are fields like others.",
    ),
    (
        "ignore.default.for.nullables",
        false,
        "Whether null stays null in an optional field that has a default.",
    ),
];
