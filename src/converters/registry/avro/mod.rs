//! Avro (Confluent: `AvroConverter`, `AvroData`).
//!
//! `schema` parses the JSON of Avro schemas and keeps every property, which apache-avro does not do for
//! primitive types, where Connect's own annotations stand; `print` writes them as Java does. `compose`
//! makes a schema of a Connect schema, `connect` the other way, and with it the plan by which `decode`
//! reads and `text` prints; `plan` is the plan by which `encode` writes. Data goes straight between bytes
//! and Connect values.

mod anything;
mod compat;
mod compose;
mod connect;
mod decode;
mod default;
mod encode;
mod names;
mod plan;
mod print;
mod schema;
mod text;

#[cfg(test)]
mod tests;

use self::anything::Anything;
use self::connect::{Connected, Read};
use self::plan::Write;
use self::schema::{AvroSchema, Kind};
use super::format::{Format, RegistrySchema};
use crate::api::config_def::{ConfigKey, Importance, ParsedConfig};
use crate::api::data::{SchemaRef, text as java_text};
use crate::api::{ConnectError, SchemaAndValue, Value};

/// The switches of `AvroDataConfig`.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub(super) struct AvroSettings {
    /// `enhanced.avro.schema.support`.
    pub(super) enhanced: bool,
    /// `connect.meta.data`.
    pub(super) meta_data: bool,
    /// `scrub.invalid.names`.
    pub(super) scrub: bool,
    /// `discard.type.doc.default`.
    pub(super) discard_type_doc: bool,
    /// `allow.optional.map.keys`.
    pub(super) optional_map_keys: bool,
    /// `flatten.singleton.unions`.
    pub(super) flatten_singletons: bool,
    /// `ignore.default.for.nullables`.
    pub(super) ignore_default: bool,
}

/// Avro with its settings.
#[derive(Debug)]
pub struct AvroFormat {
    settings: AvroSettings,
}

/// Reads data of one schema.
#[derive(Debug)]
pub struct AvroReader {
    schema: Option<SchemaRef>,
    read: Read,
    /// A schema of bytes alone: they have no length in front.
    is_bytes: bool,
}

/// Writes data with one schema.
#[derive(Debug)]
pub struct AvroWriter {
    write: Write,
    is_bytes: bool,
}

impl Format for AvroFormat {
    const CLASS: &'static str = "io.confluent.connect.avro.AvroConverter";
    const NOUN: &'static str = "Avro";
    const SCHEMA_TYPE: &'static str = "AVRO";

    type Reader = AvroReader;
    type Writer = AvroWriter;

    fn keys() -> Vec<ConfigKey> {
        let flag = |name: &str, default: bool, doc: &str| {
            let key = ConfigKey::boolean(name).default(default);
            key.importance(Importance::Low).doc(doc)
        };
        vec![
            flag(
                "enhanced.avro.schema.support",
                false,
                "Whether enums stay enums and members of unions keep their packages.",
            ),
            flag(
                "connect.meta.data",
                true,
                "Whether schemas carry what Avro has no place for: names, versions, parameters, small \
                 integer types.",
            ),
            flag(
                "scrub.invalid.names",
                false,
                "Whether characters that Avro does not allow in names are replaced.",
            ),
            flag(
                "discard.type.doc.default",
                false,
                "Whether documentation and defaults of fields alone are kept, not those of types.",
            ),
            flag(
                "allow.optional.map.keys",
                false,
                "Whether a map with optional string keys becomes an Avro map.",
            ),
            flag(
                "flatten.singleton.unions",
                true,
                "Whether a union of one type reads as that type.",
            ),
            flag(
                "ignore.default.for.nullables",
                false,
                "Whether null stays null in an optional field that has a default.",
            ),
        ]
    }

    fn new(config: &ParsedConfig) -> Result<Self, ConnectError> {
        let settings = AvroSettings {
            enhanced: config.bool("enhanced.avro.schema.support")?,
            meta_data: config.bool("connect.meta.data")?,
            scrub: config.bool("scrub.invalid.names")?,
            discard_type_doc: config.bool("discard.type.doc.default")?,
            optional_map_keys: config.bool("allow.optional.map.keys")?,
            flatten_singletons: config.bool("flatten.singleton.unions")?,
            ignore_default: config.bool("ignore.default.for.nullables")?,
        };
        Ok(Self { settings })
    }

    fn read_failure(topic: &str) -> String {
        format!("Failed to deserialize data for topic {topic} to Avro:")
    }

    fn write_failure(topic: &str) -> String {
        format!("Failed to serialize Avro data from topic {topic}:")
    }

    fn is_null(&self, schema: Option<&SchemaRef>, value: &Value) -> Result<bool, ConnectError> {
        match schema {
            _ if !value.is_null() => Ok(false),
            Some(schema) if !schema.is_optional() => Err(encode::null_for_required()),
            _ => Ok(true),
        }
    }

    fn compose(&self, schema: Option<&SchemaRef>) -> Result<RegistrySchema, ConnectError> {
        let text = match schema {
            None => anything::SCHEMA.to_owned(),
            Some(schema) => print::to_text(&compose::compose(schema, self.settings)?),
        };
        Ok(RegistrySchema::of_text(text))
    }

    fn record_name(&self, schema: &RegistrySchema) -> Result<Option<String>, ConnectError> {
        let parsed = parse(schema)?;
        Ok(match &parsed.node(parsed.root).kind {
            Kind::Record(record) => Some(record.name.full()),
            _ => None,
        })
    }

    fn check_reads(
        &self,
        latest: &RegistrySchema,
        own: &RegistrySchema,
    ) -> Result<(), ConnectError> {
        compat::check(&parse(latest)?, &parse(own)?)
    }

    fn reader(&self, schema: &RegistrySchema, version: i32) -> Result<AvroReader, ConnectError> {
        let parsed = parse(schema)?;
        if anything::is(&parsed) {
            return Ok(AvroReader {
                schema: None,
                read: Read::Anything,
                is_bytes: false,
            });
        }
        let Connected { schema, read } = connect::connect(&parsed, version, self.settings)?;
        Ok(AvroReader {
            schema: Some(schema),
            read,
            is_bytes: matches!(parsed.node(parsed.root).kind, Kind::Bytes),
        })
    }

    fn writer(
        &self,
        schema: Option<&SchemaRef>,
        target: &RegistrySchema,
    ) -> Result<AvroWriter, ConnectError> {
        let parsed = parse(target)?;
        let Some(schema) = schema else {
            if !anything::is(&parsed) {
                return Err(ConnectError::data(
                    "a record without a schema can be written with the schema \
                     io.confluent.connect.avro.Anything alone",
                ));
            }
            return Ok(AvroWriter {
                write: Write::Anything,
                is_bytes: false,
            });
        };
        Ok(AvroWriter {
            write: plan::compile(schema, &parsed, self.settings)?,
            is_bytes: matches!(parsed.node(parsed.root).kind, Kind::Bytes),
        })
    }

    fn read(&self, reader: &AvroReader, data: &[u8]) -> Result<SchemaAndValue, ConnectError> {
        let mut input = decode::Input::new(data);
        let value = if reader.is_bytes {
            reader.read.whole(data)?
        } else {
            reader.read.decode(&mut input)?
        };
        Ok(SchemaAndValue {
            schema: reader.schema.clone(),
            value,
        })
    }

    fn print(
        &self,
        reader: &AvroReader,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        if reader.is_bytes {
            java_text::append(&reader.read.whole(data)?, out);
            return Ok(());
        }
        reader.read.print(&mut decode::Input::new(data), out)
    }

    fn write(
        &self,
        writer: &AvroWriter,
        _schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        match &writer.write {
            Write::Anything => Anything::write(value, out),
            write if writer.is_bytes => write.whole(value, out),
            write => write.encode(value, out),
        }
    }
}

fn parse(schema: &RegistrySchema) -> Result<AvroSchema, ConnectError> {
    let texts = schema.resolved.iter().map(|(_, text)| text.as_str());
    AvroSchema::parse(&schema.text, texts)
}
