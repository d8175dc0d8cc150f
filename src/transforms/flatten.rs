//! Makes one level of nested structs or maps (Kafka: `Flatten`).

use std::collections::HashMap as Lookup;

use super::hash_map::name_of;
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_struct};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, ParsedConfig};
use crate::api::data::{Field, Schema, SchemaRef};
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, SchemaType, Struct,
    Transformation, Value,
};

const PURPOSE: &str = "flattening";
const DELIMITER: &str = "delimiter";

/// Up to so many entries are compared each with each, which costs less than a table.
const FEW: usize = 32;

/// Flattens keys or values.
#[derive(Debug)]
pub struct Flatten {
    part: Part,
    delimiter: String,
    schemas: SchemaCache<SchemaRef>,
}

impl OfPart for Flatten {
    const CLASSES: Classes = kafka_classes!("Flatten");

    fn config_def() -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::string(DELIMITER)
                .default(".")
                .doc("Text between the names of a nested field and of what it is nested in."),
        )
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            part,
            delimiter: config.str(DELIMITER)?.to_owned(),
            schemas: SchemaCache::default(),
        })
    }
}

impl Flatten {
    fn schemaless(&self, value: Value) -> Result<SchemaAndValue, ConnectError> {
        let entries = require_map(value, PURPOSE)?;
        let mut flat = Vec::with_capacity(entries.len());
        flatten_map(entries, Some(""), &self.delimiter, &mut flat)?;
        // Java collects them in a map that keeps the order of the first `put` of each name.
        let flat = unique(flat);
        Ok(SchemaAndValue::schemaless(Value::Map(flat)))
    }

    fn with_schema(
        &mut self,
        schema: &SchemaRef,
        value: Value,
    ) -> Result<SchemaAndValue, ConnectError> {
        let mut inner = require_struct(value, PURPOSE)?;
        let delimiter = &self.delimiter;
        let flat = self
            .schemas
            .get(schema, |schema| flat_schema(schema, delimiter))?;
        let mut values = Vec::with_capacity(flat.fields().len());
        flatten_struct(&mut inner, flat.fields(), &mut values)?;
        // Fewer only if the struct is of another schema than the record.
        values.resize(flat.fields().len(), Value::Null);
        inner.values = values;
        inner.schema = SchemaRef::clone(flat);
        Ok(SchemaAndValue::new(
            SchemaRef::clone(flat),
            Value::Struct(inner),
        ))
    }
}

/// Java's `fieldName`: null is a name, too, as long as nothing is nested below it.
fn name_below(prefix: Option<&str>, key: Value, delimiter: &str) -> Result<Value, ConnectError> {
    let name = name_of(&key)?;
    match prefix {
        Some("") => Ok(key),
        Some(prefix) => {
            let name = name.unwrap_or("null");
            Ok(Value::String(format!("{prefix}{delimiter}{name}")))
        }
        None => Err(ConnectError::connect(
            "Cannot invoke \"String.isEmpty()\" because \"prefix\" is null",
        )
        .with_class("java.lang.NullPointerException")),
    }
}

fn flatten_map(
    entries: Vec<(Value, Value)>,
    prefix: Option<&str>,
    delimiter: &str,
    flat: &mut Vec<(Value, Value)>,
) -> Result<(), ConnectError> {
    for (key, value) in entries {
        let name = name_below(prefix, key, delimiter)?;
        match value {
            Value::Map(inner) => flatten_map(inner, name_of(&name)?, delimiter, flat)?,
            Value::Struct(_) => {
                let name = name_of(&name)?.unwrap_or("null");
                return Err(ConnectError::data(format!(
                    "Flatten transformation does not support class {} for record without schemas (for field {name}).",
                    value.java_class()
                )));
            }
            value if value.is_null() || value.schema_type().is_some() => flat.push((name, value)),
            value => {
                return Err(ConnectError::data(format!(
                    "Flatten transformation was passed a value of type class {} which is not supported by Connect's data API",
                    value.java_class()
                )));
            }
        }
    }
    Ok(())
}

/// Names that come again keep their place and get the later value.
fn unique(flat: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
    let name = |key: &Value| match key {
        Value::String(name) => Some(name.clone()),
        _ => None,
    };
    let mut entries: Vec<(Value, Value)> = Vec::with_capacity(flat.len());
    let mut places: Lookup<Option<String>, usize> = Lookup::new();
    let few = flat.len() <= FEW;
    for (key, value) in flat {
        let known = match few {
            true => entries.iter().position(|(known, _)| *known == key),
            false => {
                let next = entries.len();
                let place = *places.entry(name(&key)).or_insert(next);
                (place < next).then_some(place)
            }
        };
        match known.and_then(|place| entries.get_mut(place)) {
            Some((_, known)) => *known = value,
            None => entries.push((key, value)),
        }
    }
    entries
}

/// The schema of one level.
fn flat_schema(schema: &Schema, delimiter: &str) -> Result<SchemaRef, ConnectError> {
    let level = Level {
        schema,
        prefix: "",
        optional: schema.is_optional(),
        default: struct_of(schema.default()),
    };
    let builder = SchemaBuilder::structure().basics_of(schema);
    Ok(level.add_to(builder, delimiter)?.build())
}

fn struct_of(value: Option<&Value>) -> Option<&Struct> {
    match value {
        Some(Value::Struct(inner)) => Some(inner),
        _ => None,
    }
}

/// A struct on the way down.
struct Level<'a> {
    schema: &'a Schema,
    prefix: &'a str,
    /// Whether it or anything above it is optional.
    optional: bool,
    /// What its fields are by default, for those without a default of their own.
    default: Option<&'a Struct>,
}

impl Level<'_> {
    fn add_to(
        &self,
        mut builder: SchemaBuilder,
        delimiter: &str,
    ) -> Result<SchemaBuilder, ConnectError> {
        for field in self.schema.fields() {
            let name = match self.prefix {
                "" => field.name.clone(),
                prefix => format!("{prefix}{delimiter}{}", field.name),
            };
            let optional = self.optional || field.schema.is_optional();
            let inherited = self.default.map(|default| default.get_field(field));
            let default = field.schema.default().or(inherited);
            builder = match field.schema.kind() {
                SchemaType::Struct => {
                    let below = Level {
                        schema: &field.schema,
                        prefix: &name,
                        optional,
                        default: struct_of(default),
                    };
                    below.add_to(builder, delimiter)?
                }
                SchemaType::Map => {
                    return Err(ConnectError::data(format!(
                        "Flatten transformation does not support MAP for record with schemas (for field {name})."
                    )));
                }
                _ => builder.field(name, leaf(&field.schema, optional, default)?)?,
            };
        }
        Ok(builder)
    }
}

fn leaf(
    schema: &SchemaRef,
    optional: bool,
    default: Option<&Value>,
) -> Result<SchemaRef, ConnectError> {
    let builder = match (schema.kind(), schema.value_schema()) {
        (SchemaType::Array, Some(elements)) => SchemaBuilder::array(SchemaRef::clone(elements)),
        (kind, _) => SchemaBuilder::new(kind),
    };
    let mut builder = builder.basics_of(schema);
    if optional {
        builder = builder.optional();
    }
    if let Some(default) = default {
        builder = builder.default_value(default.clone())?;
    }
    Ok(builder.build())
}

/// Moves the values of the leaves below a struct, in order; `flat` are their fields from here on. Gives the
/// fields behind them.
fn flatten_struct<'a>(
    inner: &mut Struct,
    mut flat: &'a [Field],
    values: &mut Vec<Value>,
) -> Result<&'a [Field], ConnectError> {
    for (field, value) in inner.schema.fields().iter().zip(&mut inner.values) {
        let value = std::mem::replace(value, Value::Null);
        flat = match (field.schema.kind(), value) {
            (SchemaType::Struct, Value::Struct(mut below)) => {
                flatten_struct(&mut below, flat, values)?
            }
            (SchemaType::Struct, _) => {
                // Nothing is put for the leaves of a null struct, so nothing is checked either.
                let (unset, rest) = flat.split_at(leaves(&field.schema).min(flat.len()));
                values.extend(unset.iter().map(|_| Value::Null));
                rest
            }
            (_, value) => {
                let Some((leaf, rest)) = flat.split_first() else {
                    return Ok(flat);
                };
                values.push(put(value, field, leaf)?);
                rest
            }
        };
    }
    Ok(flat)
}

fn put(value: Value, field: &Field, leaf: &Field) -> Result<Value, ConnectError> {
    if !value.is_null() {
        return Ok(value);
    }
    let value = field.schema.default().cloned().unwrap_or(Value::Null);
    leaf.validate(&value)?;
    Ok(value)
}

/// How many fields a struct has once it is flat.
fn leaves(schema: &Schema) -> usize {
    let below = |field: &Field| match field.schema.kind() {
        SchemaType::Struct => leaves(&field.schema),
        _ => 1,
    };
    schema.fields().iter().map(below).sum()
}

impl Transformation for Flatten {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        if self.part.of(&record).value.is_null() {
            return Ok(Some(record));
        }
        let SchemaAndValue { schema, value } = self.part.take(&mut record);
        *self.part.of_mut(&mut record) = match schema {
            None => self.schemaless(value)?,
            Some(schema) => self.with_schema(&schema, value)?,
        };
        Ok(Some(record))
    }
}

#[cfg(test)]
#[path = "flatten_tests.rs"]
mod tests;
