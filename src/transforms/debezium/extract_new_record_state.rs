//! Takes the row out of a change event (Debezium: `ExtractNewRecordState`).
//!
//! Beyond Debezium's class it also takes events without schema, as JsonConverter reads them with
//! `schemas.enable=false`.

use super::envelope::{AFTER, BEFORE, Envelope};
use super::field_reference::FieldReference;
use crate::api::config_def::{ConfigDef, ConfigKey, ParsedConfig, Validator};
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, ConnectRecord, Header, RecordOrigin, Schema, SchemaAndValue,
    SchemaBuilder, SchemaType, Transformation, Value,
};
use crate::transforms::config::{REPLACE_NULL, parse, replace_null};
use crate::transforms::fields::carry_all;
use crate::transforms::hash_map::HashMap;
use crate::transforms::requirements::{require_map, require_struct};
use crate::transforms::schema_cache::SchemaCache;

const PURPOSE: &str = "source field insertion";
/// Field that says whether a row was deleted.
const DELETED: &str = "__deleted";

const MODE: &str = "delete.tombstone.handling.mode";
const DROP_TOMBSTONES: &str = "drop.tombstones";
const DELETE_MODE: &str = "delete.handling.mode";
const ADD_FIELDS: &str = "add.fields";
const ADD_FIELDS_PREFIX: &str = "add.fields.prefix";
const ADD_HEADERS: &str = "add.headers";
const ADD_HEADERS_PREFIX: &str = "add.headers.prefix";
const ROUTE_BY_FIELD: &str = "route.by.field";
const DROP_HEADER: &str = "drop.fields.header.name";
const DROP_FROM_KEY: &str = "drop.fields.from.key";
const DROP_COMPATIBLY: &str = "drop.fields.keep.schema.compatible";

const MODES: [(&str, Handling); 5] = [
    ("drop", Handling::new(true, Delete::Drop)),
    ("tombstone", Handling::new(true, Delete::Null)),
    ("rewrite", Handling::new(true, Delete::Rewrite)),
    (
        "rewrite-with-tombstone",
        Handling::new(false, Delete::Rewrite),
    ),
    (
        "delete-to-tombstone",
        Handling::new(true, Delete::Tombstone),
    ),
];

const DELETE_MODES: [(&str, Delete); 3] = [
    ("drop", Delete::Drop),
    ("rewrite", Delete::Rewrite),
    ("none", Delete::Null),
];

/// What becomes of deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Handling {
    drop_tombstones: bool,
    delete: Delete,
}

impl Handling {
    const fn new(drop_tombstones: bool, delete: Delete) -> Self {
        Self {
            drop_tombstones,
            delete,
        }
    }

    /// The newer key counts; without it one of the two that it replaced, if they are there.
    fn of(config: &ParsedConfig) -> Result<Self, ConnectError> {
        if let Some(mode) = config.opt_str(MODE)? {
            return word(&MODES, MODE, mode);
        }
        if !config.is_set(DROP_TOMBSTONES) && !config.is_set(DELETE_MODE) {
            return Ok(Self::new(true, Delete::Null));
        }
        Ok(Self::new(
            config.bool(DROP_TOMBSTONES)?,
            word(&DELETE_MODES, DELETE_MODE, config.str(DELETE_MODE)?)?,
        ))
    }

    /// Whether rows get the field [`DELETED`].
    fn rewrites(self) -> bool {
        self.delete == Delete::Rewrite
    }
}

/// What becomes of a deletion's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delete {
    Drop,
    /// The row that is null now, under its schema.
    Null,
    /// Null without a schema.
    Tombstone,
    /// The row as it was, with [`DELETED`].
    Rewrite,
}

fn word<T: Copy>(words: &[(&str, T)], key: &str, text: &str) -> Result<T, ConnectError> {
    let found = words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        ConnectError::config(format!("Invalid value {text} for configuration {key}"))
    })
}

/// `drop.fields.*`: fields that a header of the record lists.
#[derive(Debug)]
struct DropFields {
    header: Option<String>,
    from_key: bool,
    /// Only optional ones go, so that readers of the old schema can read the new one.
    compatibly: bool,
}

/// The transformation.
#[derive(Debug)]
pub struct ExtractNewRecordState {
    handling: Handling,
    fields: Vec<FieldReference>,
    headers: Vec<FieldReference>,
    route_by: Option<String>,
    drop: DropFields,
    replace_null: bool,
    /// By the event's schema, for rows taken from `after`.
    after: SchemaCache<SchemaRef>,
    /// The same for `before`.
    before: SchemaCache<SchemaRef>,
}

impl ExtractNewRecordState {
    /// Debezium's class.
    pub const CLASS: &'static str = "io.debezium.transforms.ExtractNewRecordState";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        let modes = Validator::one_of_ignore_case(MODES.map(|(word, _)| word));
        let delete_modes = Validator::one_of_ignore_case(DELETE_MODES.map(|(word, _)| word));
        ConfigDef::new()
            .define(
                ConfigKey::string(MODE)
                    .default_null()
                    .validator(Validator::custom_text("one of Debezium's modes", move |name, value| {
                        match value {
                            Some(_) => modes.check(name, value),
                            None => Ok(()),
                        }
                    }))
                    .doc("What becomes of a deletion and of the tombstone that follows it: drop (both go), tombstone (the deletion becomes null, the default), rewrite (the deletion becomes the old row with __deleted=true), rewrite-with-tombstone (the same, and the tombstone stays), delete-to-tombstone (the deletion becomes null without a schema)."),
            )
            .define(
                ConfigKey::boolean(DROP_TOMBSTONES)
                    .default(true)
                    .doc("Whether tombstones go. Older than delete.tombstone.handling.mode, which hides it."),
            )
            .define(
                ConfigKey::string(DELETE_MODE)
                    .default("drop")
                    .validator(delete_modes)
                    .doc("What becomes of a deletion: drop, rewrite (the old row with __deleted=true), none (null). Older than delete.tombstone.handling.mode, which hides it."),
            )
            .define(
                ConfigKey::list(ADD_FIELDS)
                    .default("")
                    .doc("Parts of the event that become fields of the row, as [struct.]field[:new name]: op, table, source.ts_ms, transaction.id …"),
            )
            .define(
                ConfigKey::string(ADD_FIELDS_PREFIX)
                    .default("__")
                    .doc("What the names of those fields begin with."),
            )
            .define(
                ConfigKey::list(ADD_HEADERS)
                    .default("")
                    .doc("Parts of the event that become headers, as in add.fields."),
            )
            .define(
                ConfigKey::string(ADD_HEADERS_PREFIX)
                    .default("__")
                    .doc("What the names of those headers begin with."),
            )
            .define(
                ConfigKey::string(ROUTE_BY_FIELD)
                    .default("")
                    .doc("A field of the row whose text is the record's new topic."),
            )
            .define(
                ConfigKey::string(DROP_HEADER)
                    .default_null()
                    .doc("A header that lists fields to leave out of the row."),
            )
            .define(
                ConfigKey::boolean(DROP_FROM_KEY)
                    .default(false)
                    .doc("Whether those fields are left out of the key as well."),
            )
            .define(
                ConfigKey::boolean(DROP_COMPATIBLY)
                    .default(true)
                    .doc("Whether only optional ones of those fields are left out."),
            )
            .define(replace_null())
    }

    /// From the texts of its configuration.
    ///
    /// # Errors
    /// A key that cannot be parsed.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        let references = |key, prefix| {
            let prefix = config.str(prefix)?;
            let entries = config.list(key)?.iter();
            entries
                .map(|entry| FieldReference::parse(key, prefix, entry))
                .collect::<Result<Vec<_>, ConnectError>>()
        };
        let present = |text: &str| Some(text.to_owned()).filter(|text| !text.trim().is_empty());
        Ok(Self {
            handling: Handling::of(&config)?,
            fields: references(ADD_FIELDS, ADD_FIELDS_PREFIX)?,
            headers: references(ADD_HEADERS, ADD_HEADERS_PREFIX)?,
            route_by: present(config.str(ROUTE_BY_FIELD)?),
            drop: DropFields {
                header: config.opt_str(DROP_HEADER)?.and_then(present),
                from_key: config.bool(DROP_FROM_KEY)?,
                compatibly: config.bool(DROP_COMPATIBLY)?,
            },
            replace_null: config.bool(REPLACE_NULL)?,
            after: SchemaCache::default(),
            before: SchemaCache::default(),
        })
    }

    /// A tombstone tells nothing but that its row was deleted.
    fn tombstone(&self, mut record: ConnectRecord) -> Option<ConnectRecord> {
        if self.handling.drop_tombstones {
            return None;
        }
        for reference in self.headers.iter().filter(|header| header.is_operation()) {
            record.headers.push(Header {
                key: reference.name.clone(),
                value: SchemaAndValue::new(
                    Schema::required(SchemaType::String),
                    Value::String("d".to_owned()),
                ),
            });
        }
        Some(record)
    }

    /// The row of an event: its place in the event, its schema and itself. `None` drops the record.
    fn row(&self, envelope: Envelope<'_>) -> Option<(&'static str, SchemaAndValue)> {
        let taken = |place| {
            let (schema, value) = envelope.member(place);
            let data = SchemaAndValue {
                schema: schema.cloned(),
                value: value.clone(),
            };
            (place, data)
        };
        if !envelope.member(AFTER).1.is_null() {
            return Some(taken(AFTER));
        }
        match self.handling.delete {
            Delete::Drop => None,
            Delete::Null => Some(taken(AFTER)),
            Delete::Tombstone => Some((AFTER, SchemaAndValue::NULL)),
            Delete::Rewrite => Some(taken(BEFORE)),
        }
    }

    /// The row with what is added to it.
    fn extended(
        &mut self,
        envelope: Envelope<'_>,
        place: &'static str,
        row: SchemaAndValue,
    ) -> Result<SchemaAndValue, ConnectError> {
        if row.value.is_null() {
            return Ok(row);
        }
        let deleted = self.handling.rewrites().then(|| {
            let deleted = envelope.member(AFTER).1.is_null();
            Value::String(deleted.to_string())
        });
        let Some(event) = envelope.schema() else {
            return self.extended_map(envelope, deleted, row.value);
        };
        let mut inner = require_struct(row.value, PURPOSE)?;
        let (fields, rewrites) = (&self.fields, self.handling.rewrites());
        let cache = match place {
            BEFORE => &mut self.before,
            _ => &mut self.after,
        };
        let own = SchemaRef::clone(&inner.schema);
        let make = |event: &Schema| extended_schema(event, &own, fields, rewrites);
        let schema = SchemaRef::clone(cache.get(event, make)?);
        if rewrites {
            carry_all(&mut inner, self.replace_null)?;
        }
        inner.values.extend(deleted);
        for reference in fields {
            let added = reference.resolve(envelope);
            inner.values.extend(added.map(|added| added.value));
        }
        inner.schema = SchemaRef::clone(&schema);
        Ok(SchemaAndValue::new(schema, Value::Struct(inner)))
    }

    fn extended_map(
        &self,
        envelope: Envelope<'_>,
        deleted: Option<Value>,
        row: Value,
    ) -> Result<SchemaAndValue, ConnectError> {
        let mut map = HashMap::copy_of(require_map(row, PURPOSE)?);
        if let Some(deleted) = deleted {
            map.put(DELETED, deleted);
        }
        for reference in &self.fields {
            if let Some(added) = reference.resolve(envelope) {
                map.put(&reference.name, added.value);
            }
        }
        Ok(SchemaAndValue::schemaless(map.into_value()))
    }

    /// The text of `route.by.field` in the row, whichever of the two there is.
    fn topic(&self, envelope: Envelope<'_>) -> Result<Option<String>, ConnectError> {
        let Some(name) = &self.route_by else {
            return Ok(None);
        };
        let row = match envelope.member(AFTER).1 {
            Value::Null => envelope.member(BEFORE).1,
            after => after,
        };
        let found = match row {
            Value::Struct(inner) => inner.get(name)?,
            Value::Map(entries) => {
                crate::transforms::hash_map::get(entries, name).unwrap_or(&Value::Null)
            }
            _ => &Value::Null,
        };
        match found {
            Value::String(topic) if !topic.trim().is_empty() => Ok(Some(topic.clone())),
            Value::String(_) | Value::Null => Ok(None),
            other => Err(ConnectError::data(format!(
                "Field '{name}' of {ROUTE_BY_FIELD} is no text but {}",
                other.java_class()
            ))),
        }
    }
}

/// The row's schema, then the mark of deletion, then what the event adds.
fn extended_schema(
    event: &Schema,
    row: &Schema,
    fields: &[FieldReference],
    rewrites: bool,
) -> Result<SchemaRef, ConnectError> {
    let mut builder = SchemaBuilder::structure().basics_of(row);
    for field in row.fields() {
        builder = builder.field(&field.name, SchemaRef::clone(&field.schema))?;
    }
    if rewrites {
        builder = builder.field(DELETED, Schema::optional(SchemaType::String))?;
    }
    for reference in fields {
        if let Some(schema) = reference.schema_in(event) {
            builder = builder.field(&reference.name, schema)?;
        }
    }
    Ok(builder.build())
}

impl DropFields {
    /// Leaves the fields out that the record's header lists.
    fn apply(&self, record: &mut ConnectRecord) -> Result<(), ConnectError> {
        let Some(header) = &self.header else {
            return Ok(());
        };
        let listed = record.headers.iter().find(|found| found.key == *header);
        let Some(Value::Array(items)) = listed.map(|found| &found.value.value) else {
            return Ok(());
        };
        let name = |item: &Value| match item {
            Value::String(name) => Some(name.clone()),
            _ => None,
        };
        let names: Vec<String> = items.iter().filter_map(name).collect();
        if self.from_key {
            self.without(&mut record.key, &names)?;
        }
        self.without(&mut record.value, &names)
    }

    fn without(&self, data: &mut SchemaAndValue, names: &[String]) -> Result<(), ConnectError> {
        match &mut data.value {
            Value::Map(entries) => {
                entries.retain(|(key, _)| !matches!(key, Value::String(key) if names.contains(key)))
            }
            Value::Struct(inner) => {
                let goes = |field: &crate::api::data::Field| {
                    names.contains(&field.name) && (field.schema.is_optional() || !self.compatibly)
                };
                let old = SchemaRef::clone(&inner.schema);
                let mut builder = SchemaBuilder::structure().basics_of(&old);
                let mut values = Vec::with_capacity(inner.values.len());
                for (field, value) in old.fields().iter().zip(std::mem::take(&mut inner.values)) {
                    if !goes(field) {
                        builder = builder.field(&field.name, SchemaRef::clone(&field.schema))?;
                        values.push(value);
                    }
                }
                inner.values = values;
                inner.schema = builder.build();
                data.schema = Some(SchemaRef::clone(&inner.schema));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Transformation for ExtractNewRecordState {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        if record.value.value.is_null() {
            return Ok(self.tombstone(record));
        }
        let event = std::mem::replace(&mut record.value, SchemaAndValue::NULL);
        let Some(envelope) = Envelope::of(&event) else {
            // Heartbeats, schema changes and what other connectors write.
            record.value = event;
            return Ok(Some(record));
        };
        if envelope.operation() == "t" {
            return Ok(None);
        }
        let Some((place, row)) = self.row(envelope) else {
            return Ok(None);
        };
        for reference in &self.headers {
            if let Some(value) = reference.resolve(envelope) {
                let key = reference.name.clone();
                record.headers.push(Header { key, value });
            }
        }
        if let Some(topic) = self.topic(envelope)? {
            record.topic = topic.into();
        }
        record.value = self.extended(envelope, place, row)?;
        self.drop.apply(&mut record)?;
        Ok(Some(record))
    }
}
