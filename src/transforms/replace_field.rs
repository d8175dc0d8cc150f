//! Leaves out, keeps and renames fields (Kafka: `ReplaceField`).

use std::collections::{HashMap as Lookup, HashSet};

use super::config::{REPLACE_NULL, invalid, replace_null};
use super::fields::{carried, carry};
use super::hash_map::{HashMap, get_mut, name_of};
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_struct};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigData, ConfigDef, ConfigKey, ParsedConfig, Validator};
use crate::api::data::{Field, Schema, SchemaRef};
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, Struct,
    Transformation, Value,
};

const PURPOSE: &str = "field replacement";
const EXCLUDE: &str = "exclude";
const INCLUDE: &str = "include";
const RENAMES: &str = "renames";

/// Which fields stay and what they are called then.
#[derive(Debug)]
struct Names {
    exclude: HashSet<String>,
    include: HashSet<String>,
    /// New names by the old.
    renames: Lookup<String, String>,
    /// Old names by the new.
    origins: Lookup<String, String>,
}

impl Names {
    fn stays(&self, name: &str) -> bool {
        !self.exclude.contains(name) && (self.include.is_empty() || self.include.contains(name))
    }

    /// The new name of a field.
    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.renames.get(name).map_or(name, String::as_str)
    }

    /// The old name of a field by its new one.
    fn origin<'a>(&'a self, name: &'a str) -> &'a str {
        self.origins.get(name).map_or(name, String::as_str)
    }
}

/// Where the values of an updated struct come from.
#[derive(Debug)]
struct Plan {
    schema: SchemaRef,
    sources: Vec<Source>,
    /// Whether each value comes from its own place or a later one of the same schema, in the order of
    /// before: then the values that stay move up within the struct.
    in_place: bool,
}

/// The field that a value is taken from.
#[derive(Debug)]
enum Source {
    /// One of the same schema.
    Same(usize),
    /// One of another schema: the value must be checked. Happens when a field is left out that another
    /// one is named after.
    Other(usize),
    /// There is none of this name.
    Missing(String),
}

/// Leaves out, keeps and renames fields of keys or values.
#[derive(Debug)]
pub struct ReplaceField {
    part: Part,
    names: Names,
    replace_null: bool,
    plans: SchemaCache<Plan>,
}

impl OfPart for ReplaceField {
    const CLASSES: Classes = kafka_classes!("ReplaceField");

    fn config_def() -> ConfigDef {
        let list = |name, doc: &str| {
            ConfigKey::list(name)
                .default("")
                .validator(Validator::unique_list(true, false))
                .doc(doc)
        };
        let renames = |_: &str, value: Option<&ConfigData>| match value {
            Some(ConfigData::List(mappings)) => parse_renames(mappings)
                .map(|_| ())
                .map_err(|error| error.message().to_owned()),
            _ => Ok(()),
        };
        let describe = "list of colon-delimited pairs, e.g. `foo:bar,abc:xyz`";
        ConfigDef::new()
            .define(list(
                EXCLUDE,
                "Fields to leave out, also where `include` names them.",
            ))
            .define(list(INCLUDE, "The only fields to keep; empty keeps all."))
            .define(
                ConfigKey::list(RENAMES)
                    .default("")
                    .validator(Validator::custom_text(describe, renames))
                    .doc("New names, as `old:new`."),
            )
            .define(replace_null())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let set = |key| Ok::<_, ConnectError>(config.list(key)?.iter().cloned().collect());
        let renames = parse_renames(config.list(RENAMES)?)?;
        // The later of two old names in Java's order is the origin of a new name that they share.
        let inverted = renames.iter().map(|(old, new)| (new.clone(), old.clone()));
        Ok(Self {
            part,
            names: Names {
                exclude: set(EXCLUDE)?,
                include: set(INCLUDE)?,
                origins: inverted.collect(),
                renames: renames.into_iter().collect(),
            },
            replace_null: config.bool(REPLACE_NULL)?,
            plans: SchemaCache::default(),
        })
    }
}

/// Pairs of old and new name in the order in which Java's map of them iterates.
fn parse_renames(mappings: &[String]) -> Result<Vec<(String, String)>, ConnectError> {
    let mut map = HashMap::new();
    for mapping in mappings {
        let mut parts: Vec<&str> = mapping.split(':').collect();
        // Java's `split` leaves out what is empty at the end.
        while parts.pop_if(|last| last.is_empty()).is_some() {}
        let [old, new] = parts.as_slice() else {
            let list = format!("[{}]", mappings.join(", "));
            let reason = format!("Invalid rename mapping: {mapping}");
            return Err(invalid(RENAMES, &list, &reason));
        };
        map.put(old, Value::String((*new).to_owned()));
    }
    let Value::Map(entries) = map.into_value() else {
        return Ok(Vec::new());
    };
    let pair = |entry| match entry {
        (Value::String(old), Value::String(new)) => Some((old, new)),
        _ => None,
    };
    Ok(entries.into_iter().filter_map(pair).collect())
}

impl ReplaceField {
    fn schemaless(&self, value: Value) -> Result<SchemaAndValue, ConnectError> {
        let entries = require_map(value, PURPOSE)?;
        let capacity = entries.len();
        let mut kept: Vec<(Value, Value)> = Vec::with_capacity(capacity);
        for (key, value) in entries {
            let Some(name) = name_of(&key)? else {
                if self.names.include.is_empty() {
                    kept.push((key, value));
                }
                continue;
            };
            if !self.names.stays(name) {
                continue;
            }
            let new = self.names.renamed(name);
            // Only a name that another field may be given can be there already.
            if self.names.origins.contains_key(new)
                && let Some(known) = get_mut(&mut kept, new)
            {
                *known = value;
                continue;
            }
            let key = match self.names.renames.get(name) {
                Some(new) => Value::String(new.clone()),
                None => key,
            };
            kept.push((key, value));
        }
        let map = HashMap::with_capacity(capacity, kept);
        Ok(SchemaAndValue::schemaless(map.into_value()))
    }

    fn with_schema(&mut self, value: Value) -> Result<SchemaAndValue, ConnectError> {
        let mut inner = require_struct(value, PURPOSE)?;
        let names = &self.names;
        let plan = self
            .plans
            .get(&inner.schema, |schema| plan(schema, names))?;
        if plan.in_place {
            plan.move_up(&mut inner, self.replace_null)?;
            let schema = SchemaRef::clone(&plan.schema);
            return Ok(SchemaAndValue::new(schema, Value::Struct(inner)));
        }
        let mut values = Vec::with_capacity(plan.sources.len());
        for (field, source) in plan.schema.fields().iter().zip(&plan.sources) {
            values.push(match source {
                Source::Same(index) => {
                    let value = take(&mut inner.values, *index);
                    carried(value, field, self.replace_null)?
                }
                Source::Other(index) => {
                    let value = take(&mut inner.values, *index);
                    let origin = inner.schema.fields().get(*index);
                    checked(value, origin, field, self.replace_null)?
                }
                Source::Missing(name) => {
                    let text = format!("{name} is not a valid field name");
                    return Err(ConnectError::data(text));
                }
            });
        }
        inner.values = values;
        inner.schema = SchemaRef::clone(&plan.schema);
        let schema = SchemaRef::clone(&plan.schema);
        Ok(SchemaAndValue::new(schema, Value::Struct(inner)))
    }
}

impl Plan {
    fn move_up(&self, inner: &mut Struct, replace_null: bool) -> Result<(), ConnectError> {
        let fields = self.schema.fields();
        for (to, (field, source)) in fields.iter().zip(&self.sources).enumerate() {
            if let Source::Same(from) = source
                && let Ok([above, below]) = inner.values.get_disjoint_mut([to, *from])
            {
                std::mem::swap(above, below);
            }
            carry(inner.values.get_mut(to), field, replace_null)?;
        }
        inner.values.truncate(fields.len());
        inner.schema = SchemaRef::clone(&self.schema);
        Ok(())
    }
}

/// Each field has one origin, so its value can be moved.
fn take(values: &mut [Value], index: usize) -> Value {
    let value = values.get_mut(index);
    value.map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
}

/// The value of one field under another, which it need not fit.
fn checked(
    value: Value,
    origin: Option<&Field>,
    field: &Field,
    replace_null: bool,
) -> Result<Value, ConnectError> {
    let default = origin.and_then(|origin| origin.schema.default());
    let value = match (value, default) {
        (Value::Null, Some(default)) if replace_null => default.clone(),
        (value, _) => value,
    };
    field.validate(&value)?;
    Ok(value)
}

fn plan(schema: &Schema, names: &Names) -> Result<Plan, ConnectError> {
    let mut builder = SchemaBuilder::structure().basics_of(schema);
    for field in schema
        .fields()
        .iter()
        .filter(|field| names.stays(&field.name))
    {
        builder = builder.field(names.renamed(&field.name), SchemaRef::clone(&field.schema))?;
    }
    let updated = builder.build();
    let source = |field: &Field| {
        let origin = names.origin(&field.name);
        match schema.field(origin) {
            Some(found) if found.schema == field.schema => Source::Same(found.index),
            Some(found) => Source::Other(found.index),
            None => Source::Missing(origin.to_owned()),
        }
    };
    let sources: Vec<_> = updated.fields().iter().map(source).collect();
    let places = sources.iter().map(|source| match source {
        Source::Same(index) => Some(*index),
        _ => None,
    });
    Ok(Plan {
        in_place: places.clone().all(|place| place.is_some()) && places.is_sorted_by(|a, b| a < b),
        sources,
        schema: updated,
    })
}

impl Transformation for ReplaceField {
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
            Some(_) => self.with_schema(value)?,
        };
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SchemaType;
    use crate::transforms::list::made_for_test;
    use crate::transforms::test_records::{
        defaulted, failure, map, named, required, shown, structure, text, value_after,
    };

    fn replace(entries: &[(&str, &str)]) -> Box<dyn Transformation> {
        made_for_test("ReplaceField$Value", entries).unwrap()
    }

    fn number(value: i8) -> Value {
        Value::Int8(value)
    }

    #[test]
    fn fields_of_maps_are_left_out_kept_and_renamed() {
        let before = map(&[("a", number(1)), ("b", number(2)), ("c", number(3))]);
        let before = SchemaAndValue::schemaless(before);
        let after =
            |entries: &[(&str, &str)]| value_after(&mut *replace(entries), before.clone()).value;
        assert_eq!(after(&[("exclude", "a,c")]), map(&[("b", number(2))]));
        let both = [("exclude", "a"), ("include", "a,b"), ("renames", "b:x,c:y")];
        assert_eq!(after(&both), map(&[("x", number(2))]));
        assert_eq!(
            after(&[("renames", "a:b")]),
            map(&[("b", number(2)), ("c", number(3))])
        );
        assert_eq!(
            after(&[("renames", "b:a,a:b")]),
            map(&[("a", number(2)), ("b", number(1)), ("c", number(3))])
        );
    }

    #[test]
    fn keys_of_maps_must_be_strings() {
        let before = |key| SchemaAndValue::schemaless(Value::Map(vec![(key, number(1))]));
        let failed = failure(&mut *replace(&[]), before(Value::Int64(1)));
        assert!(
            failed.starts_with("ClassCastException: class java.lang.Long"),
            "{failed}"
        );
        let after = value_after(&mut *replace(&[]), before(Value::Null));
        assert_eq!(after, before(Value::Null));
        let after = value_after(&mut *replace(&[("include", "a")]), before(Value::Null));
        assert_eq!(after.value, map(&[]));
    }

    #[test]
    fn fields_of_structs_are_left_out_kept_and_renamed() {
        let before = structure(&[
            ("a", required(SchemaType::Int8), number(1)),
            ("b", required(SchemaType::String), text("x")),
            ("c", defaulted(SchemaType::Int8, number(9)), Value::Null),
        ]);
        let keys = [("exclude", "b"), ("renames", "c:d")];
        let after = value_after(&mut *replace(&keys), before.clone());
        let expected = ["a: Schema{INT8} = Int8(1)", "d: Schema{INT8}? = Int8(9)"];
        assert_eq!(shown(&after), expected);
        let schema = after.schema.unwrap();
        assert_eq!((schema.name(), schema.is_optional()), (Some("s"), false));
        let keys = [("include", "c"), ("replace.null.with.default", "false")];
        let after = value_after(&mut *replace(&keys), before.clone());
        assert_eq!(shown(&after), ["c: Schema{INT8}? = Null"]);
        assert_eq!(
            failure(&mut *replace(&[("renames", "a:b")]), before),
            "SchemaBuilderException: Cannot create field because of field name duplication b"
        );
    }

    #[test]
    fn a_field_named_like_another_ones_new_name_is_read_from_there_as_in_kafka() {
        let before = structure(&[
            ("a", required(SchemaType::Int8), number(1)),
            ("b", required(SchemaType::String), text("x")),
            ("c", required(SchemaType::String), text("y")),
        ]);
        let keys = [("renames", "a:b"), ("exclude", "a")];
        assert_eq!(
            failure(&mut *replace(&keys), before.clone()),
            "DataException: Invalid Java object for schema with type STRING: class java.lang.Byte for field: \"b\""
        );
        let keys = [("renames", "c:b"), ("exclude", "c")];
        let after = value_after(&mut *replace(&keys), before.clone());
        assert_eq!(shown(&after)[1], "b: Schema{STRING} = String(\"y\")");
        assert_eq!(
            failure(&mut *replace(&[("renames", "x:b")]), before),
            "DataException: x is not a valid field name"
        );
    }

    #[test]
    fn renames_are_pairs() {
        for bad in ["a", "a:", "a:b:c", ":", "a::"] {
            let error = made_for_test("ReplaceField$Key", &[("renames", bad)]);
            let text = format!(
                "ConfigException: Invalid value [{bad}] for configuration renames: Invalid rename mapping: {bad}"
            );
            assert_eq!(named(&error.err().unwrap()), text);
        }
        assert!(made_for_test("ReplaceField$Key", &[("renames", ":b, c:d")]).is_ok());
    }
}
