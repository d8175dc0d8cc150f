//! Gives the schema of the key or value another name or version (Kafka: `SetSchemaMetadata`).

use std::sync::Arc;

use super::config::{REPLACE_NULL, replace_null};
use super::fields::carry_all;
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::require_schema;
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, ParsedConfig};
use crate::api::data::{Schema, SchemaRef};
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, SchemaType, Struct,
    Transformation, Value,
};

const PURPOSE: &str = "updating schema metadata";
const NAME: &str = "schema.name";
const VERSION: &str = "schema.version";

/// Renames schemas of keys or values.
#[derive(Debug)]
pub struct SetSchemaMetadata {
    part: Part,
    name: Option<String>,
    version: Option<i32>,
    replace_null: bool,
    schemas: SchemaCache<SchemaRef>,
}

impl OfPart for SetSchemaMetadata {
    const CLASSES: Classes = kafka_classes!("SetSchemaMetadata");

    fn config_def() -> ConfigDef {
        let key =
            |key: ConfigKey, doc: &str| key.default_null().importance(Importance::High).doc(doc);
        ConfigDef::new()
            .define(key(
                ConfigKey::string(NAME),
                "New name; the old one stays without it.",
            ))
            .define(key(
                ConfigKey::int(VERSION),
                "New version; the old one stays without it.",
            ))
            .define(replace_null())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let name = config.opt_str(NAME)?.map(str::to_owned);
        let version = config.opt_int(VERSION)?;
        if name.is_none() && version.is_none() {
            return Err(ConnectError::config(
                "Neither schema name nor version configured",
            ));
        }
        Ok(Self {
            part,
            name,
            version,
            replace_null: config.bool(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
        })
    }
}

impl SetSchemaMetadata {
    fn updated(&mut self, data: SchemaAndValue) -> Result<SchemaAndValue, ConnectError> {
        let SchemaAndValue { schema, value } = data;
        if schema.is_none() && value.is_null() {
            return Ok(SchemaAndValue::NULL);
        }
        let schema = require_schema(schema.as_ref(), PURPOSE)?;
        let (name, version) = (self.name.as_deref(), self.version);
        let make = |schema: &Schema| renamed(schema, name, version);
        let updated = self.schemas.get(schema, make)?;
        let value = match value {
            Value::Struct(inner) => {
                let moved = with_schema(inner, schema, updated, self.replace_null)?;
                Value::Struct(moved)
            }
            other => other,
        };
        Ok(SchemaAndValue::new(SchemaRef::clone(updated), value))
    }
}

fn renamed(
    schema: &Schema,
    name: Option<&str>,
    version: Option<i32>,
) -> Result<SchemaRef, ConnectError> {
    if schema.kind() != SchemaType::Struct {
        return Err(ConnectError::data("Cannot list fields on non-struct type"));
    }
    let mut builder = SchemaBuilder::from_schema(schema);
    if let Some(name) = name {
        builder = builder.name(name);
    }
    if let Some(version) = version {
        builder = builder.version(version);
    }
    Ok(builder.build())
}

/// The struct under the updated schema. One whose own schema is not the record's is held to the new one
/// field by field.
fn with_schema(
    mut inner: Box<Struct>,
    schema: &SchemaRef,
    updated: &SchemaRef,
    replace_null: bool,
) -> Result<Box<Struct>, ConnectError> {
    if Arc::ptr_eq(&inner.schema, schema) || inner.schema == *schema {
        carry_all(&mut inner, replace_null)?;
        inner.schema = SchemaRef::clone(updated);
        return Ok(inner);
    }
    let mut moved = Box::new(Struct::new(SchemaRef::clone(updated))?);
    let length = inner.values.len();
    for field in updated.fields() {
        let Some(value) = inner.values.get_mut(field.index) else {
            let index = field.index;
            let text = format!("Index {index} out of bounds for length {length}");
            return Err(
                ConnectError::connect(text).with_class("java.lang.ArrayIndexOutOfBoundsException")
            );
        };
        let value = match (
            std::mem::replace(value, Value::Null),
            field.schema.default(),
        ) {
            (Value::Null, Some(default)) if replace_null => default.clone(),
            (value, _) => value,
        };
        moved.put_at(field.index, value)?;
    }
    Ok(moved)
}

impl Transformation for SetSchemaMetadata {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let data = self.part.take(&mut record);
        *self.part.of_mut(&mut record) = self.updated(data)?;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::list::made_for_test;
    use crate::transforms::test_records::{
        defaulted, failure, map, named, required, structure, text, value_after,
    };

    fn set(entries: &[(&str, &str)]) -> Box<dyn Transformation> {
        made_for_test("SetSchemaMetadata$Value", entries).unwrap()
    }

    #[test]
    fn name_and_version_change_and_all_else_stays() {
        let fields = [(
            "a",
            defaulted(SchemaType::Int8, Value::Int8(9)),
            Value::Null,
        )];
        let before = structure(&fields);
        let mut named = set(&[("schema.name", "n")]);
        let after = value_after(&mut *named, before.clone());
        let schema = after.schema.unwrap();
        assert_eq!((schema.name(), schema.version()), (Some("n"), Some(7)));
        assert!(schema.is_optional());
        assert_eq!(schema.doc(), Some("d"));
        let Value::Struct(inner) = after.value else {
            panic!("no struct");
        };
        assert_eq!(
            (&inner.schema, &inner.values[..]),
            (&schema, &[Value::Int8(9)][..])
        );
        let keep = ("replace.null.with.default", "false");
        let mut versioned = set(&[("schema.version", "8"), keep]);
        let after = value_after(&mut *versioned, before);
        let schema = after.schema.unwrap();
        assert_eq!((schema.name(), schema.version()), (Some("s"), Some(8)));
        let Value::Struct(inner) = after.value else {
            panic!("no struct");
        };
        assert_eq!(inner.values, [Value::Null]);
    }

    #[test]
    fn a_null_struct_gets_the_new_schema_and_a_tombstone_passes() {
        let mut set = set(&[("schema.name", "n")]);
        let mut before = structure(&[]);
        before.value = Value::Null;
        let after = value_after(&mut *set, before);
        assert_eq!(
            (after.schema.unwrap().name(), after.value),
            (Some("n"), Value::Null)
        );
        assert_eq!(
            value_after(&mut *set, SchemaAndValue::NULL),
            SchemaAndValue::NULL
        );
    }

    #[test]
    fn other_values_are_refused() {
        let mut set = set(&[("schema.name", "n")]);
        assert_eq!(
            failure(&mut *set, SchemaAndValue::schemaless(map(&[]))),
            "DataException: Schema required for [updating schema metadata]"
        );
        let string = SchemaAndValue::new(required(SchemaType::String), text("x"));
        assert_eq!(
            failure(&mut *set, string),
            "DataException: Cannot list fields on non-struct type"
        );
    }

    #[test]
    fn a_struct_of_another_schema_is_held_to_the_new_one() {
        let mut set = set(&[("schema.name", "n")]);
        let mut other = structure(&[("a", required(SchemaType::Int8), Value::Int8(1))]);
        other.schema = structure(&[("a", required(SchemaType::String), text(""))]).schema;
        assert_eq!(
            failure(&mut *set, other.clone()),
            "DataException: Invalid Java object for schema with type STRING: class java.lang.Byte for field: \"a\""
        );
        let string = || required(SchemaType::Int8);
        let two = [
            ("a", string(), Value::Int8(1)),
            ("b", string(), Value::Int8(1)),
        ];
        other.schema = structure(&two).schema;
        assert_eq!(
            failure(&mut *set, other),
            "ArrayIndexOutOfBoundsException: Index 1 out of bounds for length 1"
        );
    }

    #[test]
    fn one_of_both_is_needed() {
        let error = made_for_test("SetSchemaMetadata$Key", &[]).err().unwrap();
        let text = "ConfigException: Neither schema name nor version configured";
        assert_eq!(named(&error), text);
    }
}
