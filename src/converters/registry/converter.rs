//! What the converters with a registry have in common: heads, caches, and look-ups for what is not cached.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use super::cache::Cache;
use super::client::Client;
use super::failure::Failure;
use super::format::Format;
use super::lookup::{self, Context, Prepared};
use super::settings;
use super::wire;
use crate::api::config_def::ConfigDef;
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, Converter, ErrorKind, HeaderConverter, LocalFuture, SchemaAndValue,
    TextRoad, Value,
};

/// Topic and id of a schema, and what reads its records.
type LastRead<R> = ((Arc<str>, i32), Arc<R>);

/// A converter of one format for keys or values. Once the schemas of a topic are known it does no I/O.
pub struct RegistryConverter<F: Format> {
    context: Arc<Context<F>>,
    readers: Cache<(Arc<str>, i32), Arc<F::Reader>>,
    writers: Cache<WriteKey, Arc<Prepared<F::Writer>>>,
    /// What the last record had: most have the same.
    last_read: Option<LastRead<F::Reader>>,
    last_written: Option<(WriteKey, Arc<Prepared<F::Writer>>)>,
    wanted: Option<Wanted>,
}

/// A look-up that the next [`Converter::resolve`] makes.
#[derive(Debug)]
enum Wanted {
    /// Topic and id, and which message of the schema asks for it.
    Reader((Arc<str>, i32), Vec<i32>),
    Writer(WriteKey),
}

/// Topic and Connect schema. Schemas are compared by what they say; the hash tells most of them apart.
#[derive(Debug, Clone)]
struct WriteKey {
    topic: Arc<str>,
    schema: Option<SchemaRef>,
    hash: u64,
}

impl WriteKey {
    fn new(topic: &str, schema: Option<&SchemaRef>) -> Self {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        if let Some(schema) = schema {
            (schema.kind(), schema.name(), schema.version()).hash(&mut hasher);
            for field in schema.fields() {
                (&field.name, field.schema.kind()).hash(&mut hasher);
            }
        }
        Self {
            topic: topic.into(),
            schema: schema.map(SchemaRef::clone),
            hash: hasher.finish(),
        }
    }

    /// Whether it is the very same schema.
    fn is(&self, topic: &str, schema: Option<&SchemaRef>) -> bool {
        let same = match (&self.schema, schema) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        };
        same && *self.topic == *topic
    }
}

impl PartialEq for WriteKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && (self.is(&other.topic, other.schema.as_ref())
                || (self.topic == other.topic && self.schema == other.schema))
    }
}

impl Eq for WriteKey {}

impl Hash for WriteKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl<F: Format> std::fmt::Debug for RegistryConverter<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(F::CLASS)
            .field("context", &self.context)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl<F: Format> RegistryConverter<F> {
    /// Fully qualified Java class name.
    pub const CLASS: &'static str = F::CLASS;

    /// Its configuration keys.
    pub fn config_def() -> ConfigDef {
        settings::config_def(F::keys())
    }

    /// A converter for keys or values. It connects when the first record comes.
    ///
    /// # Errors
    /// Configuration errors.
    pub fn new(config: &ConfigMap, is_key: bool) -> Result<Self, ConnectError> {
        let parsed = settings::parse(&Self::config_def(), config, is_key)?;
        let settings = settings::read(&parsed, is_key)?;
        let cache_size = settings.schema.cache_size;
        Ok(Self {
            context: Arc::new(Context {
                client: Arc::new(Client::new(settings.client)),
                settings: settings.schema,
                format: F::new(&parsed)?,
            }),
            readers: Cache::new(cache_size),
            writers: Cache::new(cache_size),
            last_read: None,
            last_written: None,
            wanted: None,
        })
    }

    /// Refuses to convert headers: Confluent's converters have no such form.
    ///
    /// # Errors
    /// Always.
    pub fn for_headers(_config: &ConfigMap) -> Result<Box<dyn HeaderConverter>, ConnectError> {
        Err(ConnectError::config(format!(
            "{} converts keys and values only; use \
             org.apache.kafka.connect.storage.SimpleHeaderConverter for header.converter",
            F::CLASS
        )))
    }

    fn known_reader(
        &mut self,
        topic: &str,
        id: i32,
        data: &[u8],
    ) -> Result<Arc<F::Reader>, ConnectError> {
        if let Some(((last_topic, last_id), reader)) = &self.last_read
            && *last_id == id
            && **last_topic == *topic
        {
            return Ok(Arc::clone(reader));
        }
        let key: (Arc<str>, i32) = (topic.into(), id);
        match self.readers.get(&key, Instant::now()) {
            Some(Ok(reader)) => {
                self.last_read = Some((key, Arc::clone(&reader)));
                Ok(reader)
            }
            Some(Err(failure)) => Err(failure.to_error()),
            None => {
                self.wanted = Some(Wanted::Reader(key, F::message(data)));
                Err(ConnectError::pending(format!(
                    "waits for schema {id} of the registry"
                )))
            }
        }
    }

    /// Reads with the reader of the schema that `bytes` name.
    fn with_reader<T>(
        &mut self,
        topic: &str,
        bytes: &[u8],
        read: impl FnOnce(&F, &F::Reader, &[u8]) -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let read = wire::split(bytes).and_then(|(id, data)| {
            let reader = self.known_reader(topic, id, data)?;
            read(&self.context.format, &reader, data).map_err(|error| {
                let text = format!("Error deserializing {} message for id {id}", F::NOUN);
                ConnectError::data(text)
                    .with_class("org.apache.kafka.common.errors.SerializationException")
                    .with_source(error)
            })
        });
        read.map_err(|error| failed(F::read_failure(topic), error))
    }

    fn known_writer(
        &mut self,
        topic: &str,
        schema: Option<&SchemaRef>,
    ) -> Result<Arc<Prepared<F::Writer>>, ConnectError> {
        if let Some((key, prepared)) = &self.last_written
            && key.is(topic, schema)
        {
            return Ok(Arc::clone(prepared));
        }
        let key = WriteKey::new(topic, schema);
        match self.writers.get(&key, Instant::now()) {
            Some(Ok(prepared)) => {
                // What has an end in the cache is asked of the cache.
                if self.context.settings.latest_ttl.is_none() {
                    self.last_written = Some((key, Arc::clone(&prepared)));
                }
                Ok(prepared)
            }
            Some(Err(failure)) => Err(failure.to_error()),
            None => {
                self.wanted = Some(Wanted::Writer(key));
                Err(ConnectError::pending(format!(
                    "waits for a schema of topic {topic} in the registry"
                )))
            }
        }
    }
}

/// The error that a record shows: Java's message over what happened.
fn failed(message: String, error: ConnectError) -> ConnectError {
    let kind = match error.kind() {
        ErrorKind::Pending => return error,
        kind @ (ErrorKind::Retriable | ErrorKind::Config) => kind,
        _ => ErrorKind::Data,
    };
    ConnectError::new(kind, message).with_source(error)
}

impl<F: Format> Converter for RegistryConverter<F> {
    fn class_name(&self) -> &'static str {
        F::CLASS
    }

    fn write(
        &mut self,
        topic: &str,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        if self.context.format.is_null(schema, value)? {
            return Ok(false);
        }
        let start = out.len();
        let written = self.known_writer(topic, schema).and_then(|prepared| {
            wire::append_head(prepared.id, out);
            let format = &self.context.format;
            format.write(&prepared.writer, schema, value, out)
        });
        match written {
            Ok(()) => Ok(true),
            Err(error) => {
                out.truncate(start);
                Err(failed(F::write_failure(topic), error))
            }
        }
    }

    fn read(&mut self, topic: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        match bytes {
            None => Ok(SchemaAndValue::NULL),
            Some(bytes) => self.with_reader(topic, bytes, F::read),
        }
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
        self.with_reader(topic, bytes, |format, reader, data| {
            format.print(reader, data, out)
        })
    }

    fn resolve(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            let context = Arc::clone(&self.context);
            match self.wanted.take() {
                None => {}
                Some(Wanted::Reader(key, message)) => {
                    let found = lookup::reader(context, &key.0, key.1, message).await;
                    let found = found.map(Arc::new).map_err(|error| Failure::of(&error));
                    self.readers.insert(key, found, Instant::now(), None);
                }
                Some(Wanted::Writer(key)) => {
                    let keep = context.settings.latest_ttl;
                    let found = lookup::writer(context, &key.topic, key.schema.clone()).await;
                    let found = found.map(Arc::new).map_err(|error| Failure::of(&error));
                    self.writers.insert(key, found, Instant::now(), keep);
                }
            }
        })
    }
}
