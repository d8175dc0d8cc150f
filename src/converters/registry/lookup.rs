//! What has to be asked of the registry for one schema, in the order in which Confluent's serializers and
//! deserializers ask.

use std::collections::HashSet;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use super::client::{Client, RegistryError};
use super::format::{Format, Reference, RegistrySchema};
use super::limits::REFERENCES_MAX;
use super::settings::SchemaSettings;
use super::subject::part;
use crate::api::data::SchemaRef;
use crate::api::{ConnectError, ErrorKind};
use crate::converters::config::serialization_error;
use crate::shard;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What look-ups need, shared with the calls that are under way.
#[derive(Debug)]
pub(super) struct Context<F> {
    pub(super) client: Arc<Client>,
    pub(super) settings: SchemaSettings,
    pub(super) format: F,
}

/// What writes records of one Connect schema.
pub(super) struct Prepared<W> {
    /// The id in front of the data.
    pub(super) id: i32,
    pub(super) writer: W,
}

/// The schema `id` as a reader for records of `topic`; `message` says which of its messages the record is
/// that asks.
pub(super) async fn reader<F: Format>(
    context: Arc<Context<F>>,
    topic: &str,
    id: i32,
    message: Vec<i32>,
) -> Result<F::Reader, ConnectError> {
    let (settings, noun) = (&context.settings, F::NOUN);
    let part = part(settings.is_key);
    let subject = settings.strategy.of_topic(topic, settings.is_key);
    let under = subject.as_deref().map_or_else(String::new, |subject| {
        format!("&subject={}", encode(subject))
    });
    let path = format!("/schemas/ids/{id}?fetchMaxId=false{under}");
    let wanted = || format!("Error retrieving {noun} {part} schema for id {id}");
    let answer = context.client.get(path).await;
    let answer = answer.map_err(|error| error.into_error(wanted()))?;
    let schema = schema_of::<F>(&context.client, &answer)
        .await
        .map_err(|error| caused_by(wanted(), error))?;
    let subject = match subject {
        Some(subject) => subject,
        None => {
            let (theirs, schema, message) = (Arc::clone(&context), schema.clone(), message.clone());
            let name = off_shard(move || theirs.format.message_name(&schema, &message)).await?;
            settings
                .strategy
                .of_record(topic, settings.is_key, name.as_deref())?
        }
    };
    let version = version(&context, &subject, &schema)
        .await
        .map_err(|error| {
            let wanted = format!("Error retrieving {noun} {part} schema version for id {id}");
            error.into_error(format!("{wanted} under subject {subject}"))
        })?;
    let theirs = Arc::clone(&context);
    let compiled = off_shard(move || {
        let reader = theirs.format.reader(&schema, version)?;
        theirs.format.prepare(&reader, &message);
        Ok(reader)
    });
    compiled.await.map_err(|error| {
        caused_by(
            format!("The {noun} schema with id {id} cannot be used"),
            error,
        )
    })
}

/// The schema with which records of `topic` and the Connect schema are written.
pub(super) async fn writer<F: Format>(
    context: Arc<Context<F>>,
    topic: &str,
    schema: Option<SchemaRef>,
) -> Result<Prepared<F::Writer>, ConnectError> {
    let settings = &context.settings;
    let (theirs, connect) = (Arc::clone(&context), schema.clone());
    let composed = off_shard(move || theirs.format.compose(connect.as_ref())).await?;
    let subject = match settings.strategy.of_topic(topic, settings.is_key) {
        Some(subject) => subject,
        None => {
            let (theirs, connect) = (Arc::clone(&context), schema.clone());
            let form = composed.clone();
            let name = off_shard(move || theirs.format.written_name(connect.as_ref(), &form));
            let name = name.await?;
            settings
                .strategy
                .of_record(topic, settings.is_key, name.as_deref())?
        }
    };
    let (id, target) = if settings.auto_register {
        (register(&context, &subject, &composed).await?, composed)
    } else if settings.use_latest {
        latest(&context, &subject, composed).await?
    } else {
        (find(&context, &subject, &composed).await?, composed)
    };
    let theirs = Arc::clone(&context);
    let writer = off_shard(move || theirs.format.writer(schema.as_ref(), &target)).await?;
    Ok(Prepared { id, writer })
}

async fn register<F: Format>(
    context: &Context<F>,
    subject: &str,
    schema: &RegistrySchema,
) -> Result<i32, ConnectError> {
    let normalize = context.settings.normalize;
    let path = format!(
        "/subjects/{}/versions?normalize={normalize}",
        encode(subject)
    );
    let answer = context.client.post(path, &body::<F>(schema)).await;
    let answer = answer.and_then(|answer| number(&answer, "id", subject));
    answer.map_err(|error| error.into_error(about::<F>("registering", subject, schema)))
}

async fn find<F: Format>(
    context: &Context<F>,
    subject: &str,
    schema: &RegistrySchema,
) -> Result<i32, ConnectError> {
    let normalize = context.settings.normalize;
    let path = format!(
        "/subjects/{}?normalize={normalize}&deleted=false",
        encode(subject)
    );
    let answer = context.client.post(path, &body::<F>(schema)).await;
    let answer = answer.and_then(|answer| number(&answer, "id", subject));
    answer.map_err(|error| {
        let text = about::<F>("retrieving", subject, schema);
        error.into_error(format!(
            "{text}. With auto.register.schemas=false the schema has to be registered before, or \
             use.latest.version=true"
        ))
    })
}

async fn latest<F: Format>(
    context: &Arc<Context<F>>,
    subject: &str,
    own: RegistrySchema,
) -> Result<(i32, RegistrySchema), ConnectError> {
    let wanted = || {
        format!(
            "Error retrieving latest version of {} schema of subject {subject}",
            F::NOUN
        )
    };
    let path = format!("/subjects/{}/versions/latest", encode(subject));
    let answer = context.client.get(path).await;
    let answer = answer.map_err(|error| error.into_error(wanted()))?;
    let id = number(&answer, "id", subject).map_err(|error| error.into_error(wanted()))?;
    let schema = schema_of::<F>(&context.client, &answer)
        .await
        .map_err(|error| caused_by(wanted(), error))?;
    if !context.settings.latest_strict {
        return Ok((id, schema));
    }
    let theirs = Arc::clone(context);
    let checked = off_shard(move || {
        theirs.format.check_reads(&schema, &own)?;
        Ok(schema)
    });
    let schema = checked.await.map_err(|error| {
        let text = format!(
            "Incompatible schema of type '{}': the latest of subject {subject} cannot read the record's. \
             Set latest.compatibility.strict=false to disable this check.",
            F::SCHEMA_TYPE
        );
        caused_by(text, error)
    })?;
    Ok((id, schema))
}

/// The version of a schema in its subject.
async fn version<F: Format>(
    context: &Context<F>,
    subject: &str,
    schema: &RegistrySchema,
) -> Result<i32, RegistryError> {
    let path = format!("/subjects/{}?normalize=false&deleted=true", encode(subject));
    let answer = context.client.post(path, &body::<F>(schema)).await?;
    number(&answer, "version", subject)
}

/// The schema in an answer, with everything it refers to.
async fn schema_of<F: Format>(
    client: &Arc<Client>,
    answer: &Json,
) -> Result<RegistrySchema, ConnectError> {
    let kind = answer
        .get("schemaType")
        .and_then(Json::as_str)
        .unwrap_or("AVRO");
    if !kind.eq_ignore_ascii_case(F::SCHEMA_TYPE) {
        return Err(serialization_error(format!(
            "the schema is of type {kind}, but {} reads and writes {}",
            F::CLASS,
            F::SCHEMA_TYPE
        )));
    }
    let references = references_of(answer);
    let resolved = resolve_references(client, references.clone()).await?;
    Ok(RegistrySchema {
        text: text_of(answer)?,
        references,
        resolved,
    })
}

/// A step on the way through the references of references.
enum Step {
    Fetch(Reference),
    /// Everything that this one refers to was taken.
    Take(String, String),
}

/// The texts of all that is referred to, those first that others need.
async fn resolve_references(
    client: &Arc<Client>,
    references: Vec<Reference>,
) -> Result<Vec<(String, String)>, ConnectError> {
    let mut resolved = Vec::new();
    let mut known: HashSet<(String, i64)> = HashSet::new();
    let mut steps: Vec<Step> = references.into_iter().map(Step::Fetch).collect();
    while let Some(step) = steps.pop() {
        let Reference {
            name,
            subject,
            version,
        } = match step {
            Step::Take(name, text) => {
                resolved.push((name, text));
                continue;
            }
            Step::Fetch(reference) => reference,
        };
        if !known.insert((subject.clone(), version)) {
            continue;
        }
        if known.len() > REFERENCES_MAX {
            return Err(serialization_error(format!(
                "the schema refers to more than {REFERENCES_MAX} others"
            )));
        }
        let wanted =
            format!("Error retrieving version {version} of subject {subject}, a reference");
        let path = format!(
            "/subjects/{}/versions/{version}?deleted=true",
            encode(&subject)
        );
        let answer = client.get(path).await;
        let answer = answer.map_err(|error| error.into_error(wanted))?;
        steps.push(Step::Take(name, text_of(&answer)?));
        steps.extend(references_of(&answer).into_iter().map(Step::Fetch));
    }
    Ok(resolved)
}

fn text_of(answer: &Json) -> Result<String, ConnectError> {
    let text = answer.get("schema").and_then(Json::as_str);
    let missing = || serialization_error("the registry's answer has no text \"schema\"");
    text.map(str::to_owned).ok_or_else(missing)
}

fn references_of(answer: &Json) -> Vec<Reference> {
    let listed = answer.get("references").and_then(Json::as_array);
    let reference = |json: &Json| {
        let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
        Some(Reference {
            name: text("name")?,
            subject: text("subject")?,
            version: json.get("version").and_then(Json::as_i64)?,
        })
    };
    listed.into_iter().flatten().filter_map(reference).collect()
}

/// What is posted to register or to find a schema.
fn body<F: Format>(schema: &RegistrySchema) -> Json {
    let mut body = json!({ "schema": schema.text });
    if F::SCHEMA_TYPE != "AVRO" {
        body["schemaType"] = F::SCHEMA_TYPE.into();
    }
    if !schema.references.is_empty() {
        let references = schema.references.iter().map(|reference| {
            json!({
                "name": reference.name,
                "subject": reference.subject,
                "version": reference.version,
            })
        });
        body["references"] = references.collect();
    }
    body
}

fn number(answer: &Json, key: &str, subject: &str) -> Result<i32, RegistryError> {
    let found = answer.get(key).and_then(Json::as_i64);
    let found = found.and_then(|number| i32::try_from(number).ok());
    found.ok_or_else(|| RegistryError::Unexpected {
        url: format!("subject {subject}"),
        reason: format!("no number \"{key}\" in it"),
    })
}

/// What was done, with the subject and the beginning of the schema.
fn about<F: Format>(doing: &str, subject: &str, schema: &RegistrySchema) -> String {
    let text: String = schema.text.chars().take(500).collect();
    let rest = if text.len() < schema.text.len() {
        "…"
    } else {
        ""
    };
    format!(
        "Error {doing} {} schema of subject {subject}: {text}{rest}",
        F::NOUN
    )
}

fn caused_by(message: String, error: ConnectError) -> ConnectError {
    let (kind, class) = (error.kind(), error.java_class());
    match kind {
        ErrorKind::Retriable | ErrorKind::Config => {
            ConnectError::new(kind, message).with_class(class)
        }
        _ => serialization_error(message),
    }
    .with_source(error)
}

fn encode(subject: &str) -> String {
    utf8_percent_encode(subject, UNRESERVED).to_string()
}

async fn off_shard<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, ConnectError> + Send + 'static,
) -> Result<T, ConnectError> {
    let done = shard::blocking(call).await;
    done.unwrap_or_else(|error| Err(ConnectError::retriable(error.to_string())))
}
