//! Brings the change events of several tables into one topic (Debezium: `ByLogicalTableRouter`).
//!
//! Beyond Debezium's class it also takes keys without schema, as JsonConverter reads them with
//! `schemas.enable=false`; values without schema stay as they are.

use std::collections::HashMap;

use regex::Regex;

use super::envelope::{AFTER, BEFORE, Envelope};
use crate::api::config_def::{ConfigDef, ConfigKey, ParsedConfig, Validator};
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, ConnectRecord, RecordOrigin, Schema, SchemaAndValue, SchemaBuilder,
    SchemaType, Struct, Transformation, Value,
};
use crate::transforms::config::{invalid, parse};
use crate::transforms::fields::carry_all;
use crate::transforms::hash_map;
use crate::transforms::java_replacement::Replacement;
use crate::transforms::requirements::require_struct;
use crate::transforms::schema_cache::SchemaCache;

const PURPOSE: &str = "Updating schema";
/// New topics whose schemas are remembered; beyond, all are made anew.
const MAX_TOPICS: usize = 256;

const TOPIC_REGEX: &str = "topic.regex";
const TOPIC_REPLACEMENT: &str = "topic.replacement";
const KEY_UNIQUE: &str = "key.enforce.uniqueness";
const KEY_NAME: &str = "key.field.name";
const KEY_REGEX: &str = "key.field.regex";
const KEY_REPLACEMENT: &str = "key.field.replacement";
const NAME_MODE: &str = "schema.name.adjustment.mode";

/// A name made from another that matches as a whole.
#[derive(Debug)]
struct Renaming {
    whole: Regex,
    first: Regex,
    replacement: Replacement,
}

impl Renaming {
    fn new(key: &str, regex: &str, replacement: &str) -> Result<Self, ConnectError> {
        let compile = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|error| invalid(key, regex, &format!("Invalid regex: {error}")))
        };
        let first = compile(regex)?;
        Ok(Self {
            whole: compile(&format!("^(?:{regex})$"))?,
            replacement: Replacement::parse(replacement, &first),
            first,
        })
    }

    fn of(&self, name: &str) -> Result<Option<String>, ConnectError> {
        if !self.whole.is_match(name) {
            return Ok(None);
        }
        self.replacement.replace_first(&self.first, name).map(Some)
    }
}

/// What schema names must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameMode {
    AsTheyAre,
    /// Avro's: other characters become `_`.
    Avro,
    /// Avro's: other characters become `_uxxxx`, and `_` becomes `__`.
    AvroUnicode,
}

const NAME_MODES: [(&str, NameMode); 3] = [
    ("none", NameMode::AsTheyAre),
    ("avro", NameMode::Avro),
    ("avro_unicode", NameMode::AvroUnicode),
];

impl NameMode {
    fn adjust(self, name: &str) -> String {
        if self == Self::AsTheyAre {
            return name.to_owned();
        }
        let mut out = String::with_capacity(name.len());
        for (index, character) in name.chars().enumerate() {
            let letter = character.is_ascii_alphabetic() || character == '_';
            let later = character.is_ascii_digit() || character == '.';
            match self {
                Self::AvroUnicode if character == '_' => out.push_str("__"),
                _ if letter || (index > 0 && later) => out.push(character),
                Self::AvroUnicode => out.push_str(&format!("_u{:04x}", u32::from(character))),
                _ => out.push('_'),
            }
        }
        out
    }
}

/// What schemas become on their way into one topic.
#[derive(Debug, Default)]
struct Schemas {
    keys: SchemaCache<SchemaRef>,
    envelopes: SchemaCache<SchemaRef>,
}

/// The transformation.
#[derive(Debug)]
pub struct ByLogicalTableRouter {
    topic: Renaming,
    /// `None` leaves keys as they are, apart from the name of their schema.
    key_field: Option<String>,
    key: Option<Renaming>,
    name_mode: NameMode,
    schemas: HashMap<String, Schemas>,
}

impl ByLogicalTableRouter {
    /// Debezium's class.
    pub const CLASS: &'static str = "io.debezium.transforms.ByLogicalTableRouter";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string(TOPIC_REGEX)
                    .validator(Validator::regex())
                    .doc("Regular expression that the whole name of the topic must match."),
            )
            .define(
                ConfigKey::string(TOPIC_REPLACEMENT)
                    .doc("The new topic; $1 and so on stand for groups of topic.regex."),
            )
            .define(
                ConfigKey::boolean(KEY_UNIQUE)
                    .default(true)
                    .doc("Whether keys get a field that tells the tables apart."),
            )
            .define(
                ConfigKey::string(KEY_NAME)
                    .default("__dbz__physicalTableIdentifier")
                    .doc("Name of that field."),
            )
            .define(
                ConfigKey::string(KEY_REGEX)
                    .default_null()
                    .doc("Regular expression that makes the field's text from the old topic, which it is without one."),
            )
            .define(
                ConfigKey::string(KEY_REPLACEMENT)
                    .default_null()
                    .doc("The field's text; $1 and so on stand for groups of key.field.regex."),
            )
            .define(
                ConfigKey::string(NAME_MODE)
                    .default("none")
                    .validator(Validator::one_of(NAME_MODES.map(|(word, _)| word)))
                    .doc("How the names of the new schemas are fitted to Avro's rules: none, avro, avro_unicode."),
            )
    }

    /// From the texts of its configuration.
    ///
    /// # Errors
    /// A key that is missing or wrong.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        let mode = config.str(NAME_MODE)?;
        let mode = NAME_MODES.iter().find(|(word, _)| *word == mode);
        let key_field = match config.bool(KEY_UNIQUE)? {
            true => Some(config.str(KEY_NAME)?.to_owned()),
            false => None,
        };
        Ok(Self {
            topic: Renaming::new(
                TOPIC_REGEX,
                config.str(TOPIC_REGEX)?,
                config.str(TOPIC_REPLACEMENT)?,
            )?,
            key_field,
            key: key_renaming(&config)?,
            name_mode: mode.map_or(NameMode::AsTheyAre, |(_, mode)| *mode),
            schemas: HashMap::new(),
        })
    }

    fn identifier(&self, old_topic: &str) -> Result<String, ConnectError> {
        let renamed = match &self.key {
            Some(renaming) => renaming.of(old_topic)?,
            None => None,
        };
        Ok(renamed.unwrap_or_else(|| old_topic.to_owned()))
    }

    fn schemas_of(&mut self, topic: &str) -> &mut Schemas {
        if self.schemas.len() >= MAX_TOPICS && !self.schemas.contains_key(topic) {
            self.schemas.clear();
        }
        self.schemas.entry(topic.to_owned()).or_default()
    }

    fn changed_key(
        &mut self,
        key: SchemaAndValue,
        old: &str,
        new: &str,
    ) -> Result<SchemaAndValue, ConnectError> {
        let identifier = self.identifier(old)?;
        let field = self.key_field.clone();
        if let (None, Value::Map(entries)) = (&key.schema, &key.value) {
            let mut map = hash_map::HashMap::copy_of(entries.clone());
            if let Some(field) = &field {
                map.put(field, Value::String(identifier));
            }
            return Ok(SchemaAndValue::schemaless(map.into_value()));
        }
        let mut inner = require_struct(key.value, PURPOSE)?;
        let name = self.name_mode.adjust(&format!("{new}.Key"));
        let make = |schema: &Schema| {
            let mut builder = copied(schema, schema.fields())?.name(&name);
            if let Some(field) = &field {
                builder = builder.field(field, Schema::required(SchemaType::String))?;
            }
            Ok(builder.build())
        };
        let schema = SchemaRef::clone(self.schemas_of(new).keys.get(&inner.schema, make)?);
        carry_all(&mut inner, true)?;
        if field.is_some() {
            inner.values.push(Value::String(identifier));
        }
        inner.schema = SchemaRef::clone(&schema);
        Ok(SchemaAndValue::new(schema, Value::Struct(inner)))
    }

    fn changed_envelope(
        &mut self,
        event: Box<Struct>,
        new: &str,
    ) -> Result<SchemaAndValue, ConnectError> {
        let mut event = event;
        let mode = self.name_mode;
        let make = |schema: &Schema| envelope_schema(schema, new, mode);
        let schemas = self.schemas_of(new);
        let schema = SchemaRef::clone(schemas.envelopes.get(&event.schema, make)?);
        carry_all(&mut event, true)?;
        for field in schema.fields().iter().filter(|field| is_row(&field.name)) {
            if let Some(Value::Struct(row)) = event.values.get_mut(field.index) {
                carry_all(row, true)?;
                row.schema = SchemaRef::clone(&field.schema);
            }
        }
        event.schema = SchemaRef::clone(&schema);
        Ok(SchemaAndValue::new(schema, Value::Struct(event)))
    }
}

/// The key's own renaming, for which both of its keys are needed.
fn key_renaming(config: &ParsedConfig) -> Result<Option<Renaming>, ConnectError> {
    let present = |text: Option<&str>| {
        text.map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let Some(regex) = present(config.opt_str(KEY_REGEX)?) else {
        return Ok(None);
    };
    let Some(replacement) = present(config.opt_str(KEY_REPLACEMENT)?) else {
        let reason = format!("{KEY_REPLACEMENT} must be non-empty if {KEY_REGEX} is set.");
        return Err(invalid(KEY_REPLACEMENT, "null", &reason));
    };
    Renaming::new(KEY_REGEX, &regex, &replacement).map(Some)
}

fn is_row(name: &str) -> bool {
    name == BEFORE || name == AFTER
}

/// All of a struct's schema but its name, with these fields.
fn copied(
    schema: &Schema,
    fields: &[crate::api::data::Field],
) -> Result<SchemaBuilder, ConnectError> {
    let mut builder = SchemaBuilder::structure().basics_of(schema);
    if schema.is_optional() {
        builder = builder.optional();
    }
    for field in fields {
        builder = builder.field(&field.name, SchemaRef::clone(&field.schema))?;
    }
    Ok(builder)
}

fn envelope_schema(
    schema: &Schema,
    topic: &str,
    mode: NameMode,
) -> Result<SchemaRef, ConnectError> {
    let row = schema.field(BEFORE).or_else(|| schema.field(AFTER));
    let row = match row {
        Some(field) => {
            let name = mode.adjust(&format!("{topic}.Value"));
            let builder = copied(&field.schema, field.schema.fields())?;
            Some(builder.name(name).build())
        }
        None => None,
    };
    let mut builder = copied(schema, &[])?;
    for field in schema.fields() {
        let own = match &row {
            Some(row) if is_row(&field.name) => row,
            _ => &field.schema,
        };
        builder = builder.field(&field.name, SchemaRef::clone(own))?;
    }
    let name = mode.adjust(&format!("{topic}.Envelope"));
    Ok(builder.name(name).build())
}

impl Transformation for ByLogicalTableRouter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let new = match self.topic.of(&record.topic)? {
            Some(new) if !new.is_empty() => new,
            _ => return Ok(Some(record)),
        };
        if !record.key.value.is_null() {
            let key = std::mem::replace(&mut record.key, SchemaAndValue::NULL);
            record.key = self.changed_key(key, &record.topic, &new)?;
        }
        let is_event = matches!(Envelope::of(&record.value), Some(Envelope::Struct(_)));
        if is_event {
            let event = std::mem::replace(&mut record.value, SchemaAndValue::NULL);
            let event = require_struct(event.value, PURPOSE)?;
            record.value = self.changed_envelope(event, &new)?;
        }
        record.topic = new.into();
        Ok(Some(record))
    }
}
