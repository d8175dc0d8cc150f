//! Casts fields, or the whole key or value, to another primitive type (Kafka: `Cast`).

use super::cast_value::{cast, check_output};
use super::config::{REPLACE_NULL, replace_null};
use super::fields::carry;
use super::hash_map::HashMap;
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_struct};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{
    ConfigData, ConfigDef, ConfigKey, Importance, ParsedConfig, Validator,
};
use crate::api::data::java_hash::{DEFAULT_CAPACITY, UniqueEntries, sort_entries};
use crate::api::data::{Field, Schema, SchemaRef};
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, SchemaType,
    Transformation, Value,
};

const PURPOSE: &str = "cast types";
const SPEC: &str = "spec";

const TYPES: [SchemaType; 12] = [
    SchemaType::Int8,
    SchemaType::Int16,
    SchemaType::Int32,
    SchemaType::Int64,
    SchemaType::Float32,
    SchemaType::Float64,
    SchemaType::Boolean,
    SchemaType::String,
    SchemaType::Bytes,
    SchemaType::Array,
    SchemaType::Map,
    SchemaType::Struct,
];

/// `spec`: what is cast to what.
#[derive(Debug)]
enum Spec {
    Whole(SchemaType),
    /// In the order in which Java's map of them iterates.
    Fields(Vec<(String, SchemaType)>),
}

/// What a schema becomes, and per field the type that it is cast to.
#[derive(Debug)]
struct Plan {
    schema: SchemaRef,
    casts: Vec<Option<SchemaType>>,
}

/// The transformation.
#[derive(Debug)]
pub struct Cast {
    part: Part,
    spec: Spec,
    replace_null: bool,
    plans: SchemaCache<Plan>,
}

impl OfPart for Cast {
    const CLASSES: Classes = kafka_classes!("Cast");

    fn config_def() -> ConfigDef {
        let check = |_: &str, value: Option<&ConfigData>| match value {
            Some(ConfigData::List(items)) if !items.is_empty() => parse_spec(items).map(drop),
            _ => Err("Must specify at least one field to cast.".to_owned()),
        };
        ConfigDef::new()
            .define(
                ConfigKey::list(SPEC)
                    .validator(Validator::custom_text(
                        "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>",
                        check,
                    ))
                    .importance(Importance::High)
                    .doc("Fields and the types to cast them to, as field1:type,field2:type, or one type for the whole key or value: int8, int16, int32, int64, float32, float64, boolean or string. Binary data can be cast to string only (base64)."),
            )
            .define(replace_null())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            part,
            spec: parse_spec(config.list(SPEC)?).map_err(ConnectError::config)?,
            replace_null: config.bool(REPLACE_NULL)?,
            plans: SchemaCache::default(),
        })
    }
}

/// The text of the problem is that of Kafka's `ConfigException`.
fn parse_spec(mappings: &[String]) -> Result<Spec, String> {
    let mut fields = UniqueEntries::default();
    let mut whole = None;
    for mapping in mappings {
        match *split(mapping) {
            [kind] => whole = Some(parse_type(kind)?.1),
            [field, kind] => {
                let (index, _) = parse_type(kind)?;
                let name = Value::String(trim(field).to_owned());
                fields.put(name, Value::Int32(index));
            }
            [] => return Err("Index 1 out of bounds for length 0".to_owned()),
            _ => {
                return Err(format!(
                    "Invalid value [{}] for configuration renames: Invalid rename mapping: {mapping}",
                    mappings.join(", ")
                ));
            }
        }
    }
    let Some(whole) = whole else {
        return Ok(Spec::Fields(in_java_order(fields.into_entries())));
    };
    if mappings.len() > 1 {
        return Err("Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec".to_owned());
    }
    Ok(Spec::Whole(whole))
}

/// Java's `split(":")`, which leaves out empty parts at the end.
fn split(mapping: &str) -> Box<[&str]> {
    let mut parts: Vec<&str> = mapping.split(':').collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    if parts == [""] && !mapping.is_empty() {
        parts.clear();
    }
    parts.into_boxed_slice()
}

fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character <= ' ')
}

/// A type and its place in [`TYPES`].
fn parse_type(text: &str) -> Result<(i32, SchemaType), String> {
    let text = trim(text);
    let upper = text.to_uppercase();
    let found = (0..).zip(TYPES).find(|(_, kind)| kind.name() == upper);
    let found = found.ok_or_else(|| {
        format!(
            "Invalid value java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.{upper} for configuration Invalid type found in casting spec: {text}"
        )
    })?;
    check_output(found.1)?;
    Ok(found)
}

fn in_java_order(mut entries: Vec<(Value, Value)>) -> Vec<(String, SchemaType)> {
    sort_entries(&mut entries, DEFAULT_CAPACITY);
    let known = |(name, index): (Value, Value)| match (name, index) {
        (Value::String(name), Value::Int32(index)) => {
            let index = usize::try_from(index).ok()?;
            Some((name, *TYPES.get(index)?))
        }
        _ => None,
    };
    entries.into_iter().filter_map(known).collect()
}

impl Cast {
    fn schemaless(&self, value: Value) -> Result<SchemaAndValue, ConnectError> {
        let casts = match &self.spec {
            Spec::Whole(target) => {
                return Ok(SchemaAndValue::schemaless(cast(None, value, *target)?));
            }
            Spec::Fields(casts) => casts,
        };
        let mut map = HashMap::copy_of(require_map(value, PURPOSE)?);
        for (name, target) in casts {
            let old = map
                .get_mut(name)
                .map(|value| std::mem::replace(value, Value::Null));
            let new = cast(None, old.unwrap_or(Value::Null), *target)?;
            map.put(name, new);
        }
        Ok(SchemaAndValue::schemaless(map.into_value()))
    }

    fn with_schema(
        &mut self,
        schema: &SchemaRef,
        value: Value,
    ) -> Result<SchemaAndValue, ConnectError> {
        let spec = &self.spec;
        let plan = self.plans.get(schema, |schema| plan(schema, spec))?;
        if let Spec::Whole(target) = spec {
            let value = cast(Some(schema), value, *target)?;
            return Ok(SchemaAndValue::new(SchemaRef::clone(&plan.schema), value));
        }
        let mut inner = require_struct(value, PURPOSE)?;
        let fields = inner.schema.fields().iter().zip(plan.schema.fields());
        let targets = fields.zip(&plan.casts);
        for (((old, new), target), value) in targets.zip(&mut inner.values) {
            let Some(target) = target else {
                carry(Some(value), old, self.replace_null)?;
                continue;
            };
            let taken = std::mem::replace(value, Value::Null);
            let default = old.schema.default().filter(|_| self.replace_null);
            let read = match default {
                Some(default) if taken.is_null() => default.clone(),
                _ => taken,
            };
            let cast = cast(Some(&old.schema), read, *target)?;
            new.validate(&cast)?;
            *value = cast;
        }
        inner.schema = SchemaRef::clone(&plan.schema);
        Ok(SchemaAndValue::new(
            SchemaRef::clone(&plan.schema),
            Value::Struct(inner),
        ))
    }
}

fn plan(schema: &Schema, spec: &Spec) -> Result<Plan, ConnectError> {
    let mut casts = Vec::new();
    let mut builder = match spec {
        Spec::Whole(target) => SchemaBuilder::new(*target).basics_of(schema),
        Spec::Fields(wanted) => {
            let mut builder = SchemaBuilder::structure().basics_of(schema);
            for field in struct_fields(schema)? {
                let target = wanted.iter().find(|(name, _)| *name == field.name);
                let target = target.map(|(_, kind)| *kind);
                let new = match target {
                    Some(target) => cast_schema(&field.schema, target)?,
                    None => SchemaRef::clone(&field.schema),
                };
                builder = builder.field(&field.name, new)?;
                casts.push(target);
            }
            builder
        }
    };
    if schema.is_optional() {
        builder = builder.optional();
    }
    if let Some(default) = schema.default() {
        let kind = builder.peek().kind();
        let default = cast(Some(schema), default.clone(), kind)?;
        builder = builder.default_value(default)?;
    }
    Ok(Plan {
        schema: builder.build(),
        casts,
    })
}

/// The fields of a struct schema.
///
/// # Errors
/// "Cannot list fields on non-struct type".
pub(super) fn struct_fields(schema: &Schema) -> Result<&[Field], ConnectError> {
    if schema.kind() == SchemaType::Struct {
        return Ok(schema.fields());
    }
    Err(ConnectError::data("Cannot list fields on non-struct type"))
}

/// A field's schema after a cast: optionality and default stay, name and the rest go.
fn cast_schema(field: &Schema, target: SchemaType) -> Result<SchemaRef, ConnectError> {
    let mut builder = SchemaBuilder::new(target);
    if field.is_optional() {
        builder = builder.optional();
    }
    if let Some(default) = field.default() {
        builder = builder.default_value(cast(Some(field), default.clone(), target)?)?;
    }
    Ok(builder.build())
}

impl Transformation for Cast {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        if self.part.of(&record).value.is_null() {
            return Ok(Some(record));
        }
        let SchemaAndValue { schema, value } = self.part.take(&mut record);
        let changed = match schema {
            None => self.schemaless(value)?,
            Some(schema) => self.with_schema(&schema, value)?,
        };
        *self.part.of_mut(&mut record) = changed;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::parse;
    use super::super::test_records::{
        config, defaulted, failure, map, named, optional, required, shown, structure, text,
        value_after,
    };
    use super::*;

    fn cast_of(spec: &str) -> Result<Cast, ConnectError> {
        let parsed = parse(&Cast::config_def(), &config(&[(SPEC, spec)]))?;
        Cast::new(Part::Value, &parsed)
    }

    #[test]
    fn fields_change_their_type_and_keep_optionality_and_default() {
        let mut cast = cast_of("n:string, x:int8,missing:boolean").unwrap();
        let data = structure(&[
            (
                "n",
                defaulted(SchemaType::Int64, Value::Int64(7)),
                Value::Null,
            ),
            ("x", required(SchemaType::Int32), Value::Int32(300)),
            ("y", optional(SchemaType::Int32), Value::Int32(1)),
        ]);
        let changed = value_after(&mut cast, data);
        assert_eq!(
            shown(&changed),
            [
                "n: Schema{STRING}? = String(\"7\")",
                "x: Schema{INT8} = Int8(44)",
                "y: Schema{INT32}? = Int32(1)",
            ]
        );
        let fields = changed.schema.as_ref().unwrap().fields();
        assert_eq!(fields[0].schema.default(), Some(&text("7")));
    }

    #[test]
    fn schemaless_fields_are_put_even_if_they_are_absent() {
        let mut cast = cast_of("a:float64,zz:string").unwrap();
        let changed = value_after(
            &mut cast,
            SchemaAndValue::schemaless(map(&[("a", text(" 0x1p3 "))])),
        );
        // In the order of Java's table.
        let expected = map(&[("zz", Value::Null), ("a", Value::Float64(8.0))]);
        assert_eq!(changed, SchemaAndValue::schemaless(expected));
    }

    #[test]
    fn text_that_is_no_number_of_the_type_fails() {
        let mut cast = cast_of("int8").unwrap();
        assert_eq!(
            failure(&mut cast, SchemaAndValue::schemaless(text("300"))),
            "DataException: Value (300) was out of range for requested data type"
        );
        assert_eq!(
            failure(
                &mut cast,
                SchemaAndValue::schemaless(Value::Array(Vec::new()))
            ),
            "DataException: Cast transformation does not support casting from ARRAY; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
        );
    }

    #[test]
    fn a_bad_spec_is_refused_with_kafka_s_words() {
        for (spec, expected) in [
            ("", "Must specify at least one field to cast."),
            (
                "a:int7",
                "Invalid value java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.INT7 for configuration Invalid type found in casting spec: int7",
            ),
            (
                "a:bytes",
                "Cast transformation does not support casting to BYTES; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]",
            ),
            (
                "int8,a:int8",
                "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec",
            ),
            (
                "a:b:c",
                "Invalid value [a:b:c] for configuration renames: Invalid rename mapping: a:b:c",
            ),
        ] {
            let error = cast_of(spec).unwrap_err();
            assert_eq!(named(&error), format!("ConfigException: {expected}"));
        }
    }
}
