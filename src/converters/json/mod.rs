//! JSON with or without a schema envelope (Kafka: `org.apache.kafka.connect.json.JsonConverter`).
//!
//! `parser` turns a text into flat nodes exactly as Jackson would accept it; `reader` and `schema` make
//! values and schemas of those, `writer` goes the other way; `text` does without values. Nodes and text
//! are also what the tape road of `task/` works on.

pub(super) mod access;
mod base64;
mod check;
mod decimal;
mod envelope;
mod escape;
mod layout;
mod lessons;
mod parser;
mod plain;
mod reader;
mod scan;
mod schema;
mod shapes;
mod template;
mod text;
#[cfg(target_arch = "x86_64")]
mod wide;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use self::check::JsonCheck;
pub(crate) use self::decimal::fraction;
pub(crate) use self::escape::append_quoted;
pub(crate) use self::lessons::Lessons;
pub(crate) use self::parser::{Document, Kind, View};
pub(crate) use self::reader::long;
pub(crate) use self::shapes::{Shaped, Shapes};
pub(crate) use self::template::{Template, TemplateBuilder};
pub(crate) use self::text::Printer;

use self::envelope::Envelopes;
use self::layout::Layouts;
use self::parser::{ONLY_MEMBER, ParseError};
use self::reader::Reader;
use self::schema::{ReadCache, WriteCache};
use self::writer::{DecimalFormat, Writer};
use super::config::{converter_def, headers_like_values, parse, serialization_error};
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, Validator, Width};
use crate::api::data::{SchemaRef, text as java_text};
use crate::api::{ConfigMap, ConnectError, Converter, SchemaAndValue, TextRoad, Value};

const SCHEMAS_ENABLE: &str = "schemas.enable";
const CACHE_SIZE: &str = "schemas.cache.size";
const SCHEMA_CONTENT: &str = "schema.content";
const DECIMAL_FORMAT: &str = "decimal.format";
const REPLACE_NULL: &str = "replace.null.with.default";

/// The envelope of a required string, up to its payload.
const STRING_ENVELOPE: &[u8] = br#"{"schema":{"type":"string","optional":false},"payload":"#;
const BYTES_ENVELOPE: &[u8] = br#"{"schema":{"type":"bytes","optional":false},"payload":"#;

/// Reads and writes JSON. With `schemas.enable` each record carries its schema in an envelope.
#[derive(Debug)]
pub struct JsonConverter {
    schemas_enable: bool,
    /// From `schema.content`: what every record read has, without an envelope.
    content_schema: Option<SchemaRef>,
    writer: Writer,
    read_cache: ReadCache,
    envelopes: Envelopes,
    write_cache: WriteCache,
    document: Document,
    layouts: Layouts,
    printer: Printer,
}

impl JsonConverter {
    /// Fully qualified Java class name.
    pub const CLASS: &'static str = "org.apache.kafka.connect.json.JsonConverter";

    /// Its configuration keys.
    pub fn config_def() -> ConfigDef {
        let schemas = |key: ConfigKey, order, display: &str| {
            key.importance(Importance::High)
                .group("Schemas", order)
                .width(Width::Medium)
                .display(display)
        };
        let serialization = |key: ConfigKey, order, display: &str| {
            key.importance(Importance::Low)
                .group("Serialization", order)
                .width(Width::Medium)
                .display(display)
        };
        converter_def()
            .define(schemas(
                ConfigKey::boolean(SCHEMAS_ENABLE)
                    .default(true)
                    .doc("Include schemas within each of the serialized values and keys."),
                0,
                "Enable Schemas",
            ))
            .define(schemas(
                ConfigKey::int(CACHE_SIZE).default(1000).doc(
                    "The maximum number of schemas that can be cached in this converter instance.",
                ),
                1,
                "Schema Cache Size",
            ))
            .define(schemas(
                ConfigKey::string(SCHEMA_CONTENT).default_null().doc(
                    "When set, this is used as the schema for all messages, and the schemas within \
                     each of the message will be ignored.Otherwise, the schema will be included in \
                     the content of each message. This configuration applies only 'schemas.enable' \
                     is true, and it exclusively affects the sink connector.",
                ),
                2,
                "Schema Content",
            ))
            .define(serialization(
                ConfigKey::string(DECIMAL_FORMAT)
                    .default("BASE64")
                    .validator(Validator::one_of_ignore_case(["BASE64", "NUMERIC"]))
                    .doc(
                        "Controls which format this converter will serialize decimals in. This \
                         value is case insensitive and can be either 'BASE64' (default) or \
                         'NUMERIC'",
                    ),
                0,
                "Decimal Format",
            ))
            .define(serialization(
                ConfigKey::boolean(REPLACE_NULL).default(true).doc(
                    "Whether to replace fields that have a default value and that are null to the \
                     default value. When set to true, the default value is used, otherwise null is \
                     used.",
                ),
                1,
                "Replace null with default",
            ))
    }

    /// A converter for keys or values.
    ///
    /// # Errors
    /// Configuration errors, and those of the schema in `schema.content`.
    pub fn new(config: &ConfigMap, is_key: bool) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config, is_key)?;
        let numeric = config.str(DECIMAL_FORMAT)?.eq_ignore_ascii_case("NUMERIC");
        let cache_size = usize::try_from(config.int(CACHE_SIZE)?).unwrap_or(0);
        let writer = Writer {
            decimal_format: if numeric {
                DecimalFormat::Numeric
            } else {
                DecimalFormat::Base64
            },
            replace_null_with_default: config.bool(REPLACE_NULL)?,
        };
        let mut converter = Self::with(config.bool(SCHEMAS_ENABLE)?, writer, cache_size);
        let content = config.opt_str(SCHEMA_CONTENT)?;
        if let Some(content) = content.filter(|content| !content.trim().is_empty()) {
            converter.content_schema = converter.parse_content_schema(content)?;
        }
        Ok(converter)
    }

    /// As [`Self::new`] with `schemas.enable=false` and everything else left out.
    pub fn schemaless() -> Self {
        let writer = Writer {
            decimal_format: DecimalFormat::Base64,
            replace_null_with_default: true,
        };
        Self::with(false, writer, 0)
    }

    fn with(schemas_enable: bool, writer: Writer, cache_size: usize) -> Self {
        Self {
            schemas_enable,
            content_schema: None,
            writer,
            read_cache: ReadCache::new(cache_size),
            envelopes: Envelopes::default(),
            write_cache: WriteCache::new(cache_size),
            document: Document::default(),
            layouts: Layouts::new(),
            printer: Printer::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn content_schema(&self) -> Option<&SchemaRef> {
        self.content_schema.as_ref()
    }

    fn parse_content_schema(&mut self, content: &str) -> Result<Option<SchemaRef>, ConnectError> {
        let view = self.document.parse(content.as_bytes()).map_err(|reason| {
            caused("Failed to parse schema in converter config due to", &reason)
        })?;
        let reader = Reader {
            view,
            replace_null_with_default: self.writer.replace_null_with_default,
        };
        match view.root() {
            Some(root) => self.read_cache.schema(reader, root),
            None => Err(ConnectError::data("Schema must contain 'type' field")),
        }
    }

    /// Appends the payload after the envelope's start, if there is an envelope.
    fn write_json(
        &mut self,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        if !self.schemas_enable {
            return self.writer.value(schema, value, 0, out);
        }
        out.extend_from_slice(b"{\"schema\":");
        match schema {
            Some(schema) => {
                out.extend_from_slice(&self.write_cache.json(self.writer, schema)?);
            }
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"payload\":");
        self.writer.value(schema, value, 1, out)?;
        out.push(b'}');
        Ok(())
    }

    /// The usual record with schema: its envelope begins like that of a record before. `None` when it is
    /// anything else, and also when something is wrong with it.
    #[inline]
    fn read_known_envelope(&mut self, bytes: &[u8]) -> Option<SchemaAndValue> {
        if !self.schemas_enable || self.content_schema.is_some() {
            return None;
        }
        let (schema, rest) = self.envelopes.find(bytes)?;
        let reader = Reader {
            view: self.document.parse_only_member(rest)?,
            replace_null_with_default: self.writer.replace_null_with_default,
        };
        let value = reader.with_schema(schema, Some(ONLY_MEMBER), false).ok()?;
        Some(SchemaAndValue::new(SchemaRef::clone(schema), value))
    }

    fn read_document(&mut self, bytes: &[u8]) -> Result<SchemaAndValue, ConnectError> {
        let view = self
            .document
            .parse(bytes)
            .map_err(|reason| unreadable(&reason))?;
        let reader = Reader {
            view,
            replace_null_with_default: self.writer.replace_null_with_default,
        };
        if !self.schemas_enable {
            let value = view
                .root()
                .map_or(Value::Null, |root| reader.schemaless(root));
            return Ok(SchemaAndValue::schemaless(value));
        }
        if let Some(schema) = &self.content_schema {
            let value = reader.with_schema(schema, view.root(), true)?;
            return Ok(SchemaAndValue::new(SchemaRef::clone(schema), value));
        }
        let root = view.root().ok_or_else(no_envelope)?;
        let (Some(schema), Some(payload)) = (view.get(root, "schema"), view.get(root, "payload"))
        else {
            return Err(no_envelope());
        };
        let unknown = |name: usize| view.text(name) != "schema" && view.text(name) != "payload";
        if view.entries(root).any(|(name, _)| unknown(name)) {
            return Err(no_envelope());
        }
        let text = view.raw(schema).as_bytes();
        Ok(match self.read_cache.schema(reader, schema)? {
            Some(schema) => {
                self.envelopes.learn(bytes, text, &schema);
                let value = reader.with_schema(&schema, Some(payload), false)?;
                SchemaAndValue::new(schema, value)
            }
            None => SchemaAndValue::schemaless(reader.schemaless(payload)),
        })
    }
}

impl Converter for JsonConverter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn write(
        &mut self,
        _topic: &str,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        if schema.is_none() && value.is_null() {
            return Ok(false);
        }
        let from = out.len();
        let written = self.write_json(schema, value, out);
        if written.is_err() {
            out.truncate(from);
        }
        written.map(|()| true)
    }

    fn read(&mut self, _topic: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        match bytes {
            None => Ok(SchemaAndValue::NULL),
            Some(bytes) => match self.read_known_envelope(bytes) {
                Some(read) => Ok(read),
                None => self.read_document(bytes),
            },
        }
    }

    fn reads_schemaless_json(&self) -> bool {
        !self.schemas_enable
    }

    fn write_text_road(&self) -> TextRoad {
        TextRoad::Rewrite
    }

    fn write_bytes_road(&self) -> TextRoad {
        TextRoad::Rewrite
    }

    fn write_text(
        &mut self,
        _topic: &str,
        text: &[u8],
        is_bytes: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        if self.schemas_enable {
            out.extend_from_slice(if is_bytes {
                BYTES_ENVELOPE
            } else {
                STRING_ENVELOPE
            });
        }
        if is_bytes {
            writer::append_base64(text, out);
        } else {
            append_quoted(text, out);
        }
        if self.schemas_enable {
            out.push(b'}');
        }
        Ok(())
    }

    fn read_text_road(&self) -> TextRoad {
        TextRoad::Rewrite
    }

    fn read_text(
        &mut self,
        topic: &str,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        if !self.schemas_enable {
            let printed = text::print_schemaless(
                bytes,
                &mut self.document,
                &mut self.layouts,
                &mut self.printer,
                out,
            );
            return printed.map_err(|reason| unreadable(&reason));
        }
        if self.content_schema.is_none() && text::print_enveloped(bytes, out) {
            return Ok(());
        }
        let read = self.read(topic, Some(bytes))?;
        java_text::append(&read.value, out);
        Ok(())
    }
}

headers_like_values!(JsonConverter);

#[cold]
fn unreadable(reason: &ParseError) -> ConnectError {
    caused(
        "Converting byte[] to Kafka Connect data failed due to",
        reason,
    )
}

#[cold]
fn caused(what: &str, reason: &ParseError) -> ConnectError {
    ConnectError::data(format!("{what} serialization error: ")).with_source(serialization_error(
        format!("com.fasterxml.jackson.core.JsonParseException: {reason}"),
    ))
}

#[cold]
fn no_envelope() -> ConnectError {
    ConnectError::data(
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not \
         contain additional fields. If you are trying to deserialize plain JSON data, set \
         schemas.enable=false in your converter configuration.",
    )
}
