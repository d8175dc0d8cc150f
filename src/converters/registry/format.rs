//! What a format of schemas and data has to say: the part of a converter that differs between Avro, JSON
//! Schema and Protobuf.

use crate::api::config_def::{ConfigKey, ParsedConfig};
use crate::api::data::{SchemaRef, text};
use crate::api::{ConnectError, SchemaAndValue, Value};

/// A schema as a registry has it, with those that it refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySchema {
    /// The text.
    pub text: String,
    /// What the text refers to itself, as the registry lists it.
    pub references: Vec<Reference>,
    /// The texts of all that is referred to, by the names under which they are, those first that others
    /// need.
    pub resolved: Vec<(String, String)>,
}

/// A reference of one schema to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What the schema calls it.
    pub name: String,
    /// Subject of the other schema.
    pub subject: String,
    /// Version of the other schema.
    pub version: i64,
}

impl RegistrySchema {
    /// A schema without references.
    pub fn of_text(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

/// A format. Everything here computes and does no I/O; what is compiled runs on the blocking pool, since a
/// schema may be large, and what is read or written runs on the shard.
pub trait Format: std::fmt::Debug + Send + Sync + Sized + 'static {
    /// Fully qualified Java class name of the converter.
    const CLASS: &'static str;
    /// What messages call it.
    const NOUN: &'static str;
    /// `schemaType` in the registry.
    const SCHEMA_TYPE: &'static str;

    /// Reads data of one schema.
    type Reader: Send + Sync + 'static;
    /// Writes data of one Connect schema with one schema of the registry.
    type Writer: Send + Sync + 'static;

    /// The format's own keys.
    fn keys() -> Vec<ConfigKey>;

    /// The format with the settings of `config`.
    ///
    /// # Errors
    /// A key is at fault.
    fn new(config: &ParsedConfig) -> Result<Self, ConnectError>;

    /// Java's message for a record of `topic` that could not be read.
    fn read_failure(topic: &str) -> String;

    /// Java's message for a record of `topic` that could not be written.
    fn write_failure(topic: &str) -> String;

    /// Whether the value becomes Kafka's null.
    ///
    /// # Errors
    /// It is null and must not be.
    fn is_null(&self, schema: Option<&SchemaRef>, value: &Value) -> Result<bool, ConnectError>;

    /// A Connect schema in this format.
    ///
    /// # Errors
    /// The format cannot express it.
    fn compose(&self, schema: Option<&SchemaRef>) -> Result<RegistrySchema, ConnectError>;

    /// The full name of the record that a schema describes; `None` when it has none.
    ///
    /// # Errors
    /// The schema cannot be parsed.
    fn record_name(&self, schema: &RegistrySchema) -> Result<Option<String>, ConnectError>;

    /// Which of a schema's messages the bytes after the schema's id are: indexes from the outermost message
    /// inwards. A schema of most formats describes one thing.
    fn message(_data: &[u8]) -> Vec<i32> {
        Vec::new()
    }

    /// As [`Self::record_name`], of one of the schema's messages.
    ///
    /// # Errors
    /// The schema cannot be parsed, or has no such message.
    fn message_name(
        &self,
        schema: &RegistrySchema,
        _message: &[i32],
    ) -> Result<Option<String>, ConnectError> {
        self.record_name(schema)
    }

    /// As [`Self::record_name`], of the record that a Connect schema with this composed form describes.
    ///
    /// # Errors
    /// The schema cannot be parsed.
    fn written_name(
        &self,
        _schema: Option<&SchemaRef>,
        composed: &RegistrySchema,
    ) -> Result<Option<String>, ConnectError> {
        self.record_name(composed)
    }

    /// Does beforehand what the first record of a message would have to wait for.
    fn prepare(&self, _reader: &Self::Reader, _message: &[i32]) {}

    /// Checks that `latest` can read what `own` describes.
    ///
    /// # Errors
    /// Why it cannot.
    fn check_reads(
        &self,
        latest: &RegistrySchema,
        own: &RegistrySchema,
    ) -> Result<(), ConnectError>;

    /// What reads data of `schema`, whose version in its subject is `version`.
    ///
    /// # Errors
    /// The schema cannot be parsed, or not be expressed in Connect.
    fn reader(&self, schema: &RegistrySchema, version: i32) -> Result<Self::Reader, ConnectError>;

    /// What writes data of the Connect schema with `target`.
    ///
    /// # Errors
    /// The two do not fit.
    fn writer(
        &self,
        schema: Option<&SchemaRef>,
        target: &RegistrySchema,
    ) -> Result<Self::Writer, ConnectError>;

    /// Reads the bytes after the schema's id.
    ///
    /// # Errors
    /// They are not data of the schema.
    fn read(&self, reader: &Self::Reader, data: &[u8]) -> Result<SchemaAndValue, ConnectError>;

    /// Appends Java's text of what [`Self::read`] gives.
    ///
    /// # Errors
    /// As [`Self::read`]; a part may have been appended then.
    fn print(
        &self,
        reader: &Self::Reader,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        text::append(&self.read(reader, data)?.value, out);
        Ok(())
    }

    /// Appends the bytes after the schema's id.
    ///
    /// # Errors
    /// The value does not fit its schema.
    fn write(
        &self,
        writer: &Self::Writer,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError>;
}

/// A format as a converter with these keys has it.
#[cfg(test)]
pub(super) fn configured<F: Format>(pairs: &[(&str, &str)]) -> F {
    let keys = [&[("schema.registry.url", "http://x")], pairs].concat();
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
    let config = keys.iter().map(pair).collect();
    let def = super::settings::config_def(F::keys());
    F::new(&super::settings::parse(&def, &config, false).unwrap()).unwrap()
}
