//! Makes the key of fields of the value (Kafka: `ValueToKey`).

use super::config::{REPLACE_NULL, parse, replace_null};
use super::fields::carried;
use super::hash_map::{self, HashMap};
use super::requirements::{require_map_ref, require_struct_ref};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, Validator};
use crate::api::data::{Schema, SchemaRef};
use crate::api::{
    ConfigMap, ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, Struct,
    Transformation, Value,
};

const PURPOSE: &str = "copying fields from value to key";
const FIELDS: &str = "fields";

/// The key's schema, and where in the value each of its fields is.
#[derive(Debug)]
struct Plan {
    schema: SchemaRef,
    sources: Vec<usize>,
}

/// Replaces keys.
#[derive(Debug)]
pub struct ValueToKey {
    fields: Vec<String>,
    replace_null: bool,
    plans: SchemaCache<Plan>,
}

impl ValueToKey {
    /// Kafka's class.
    pub const CLASS: &'static str = "org.apache.kafka.connect.transforms.ValueToKey";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::list(FIELDS)
                    .validator(Validator::non_empty_list())
                    .importance(Importance::High)
                    .doc("Names of the value's fields that make the key, in their order."),
            )
            .define(replace_null())
    }

    /// Made from its configuration.
    ///
    /// # Errors
    /// A key is missing or wrong.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        Ok(Self {
            fields: config.list(FIELDS)?.to_vec(),
            replace_null: config.bool(REPLACE_NULL)?,
            plans: SchemaCache::default(),
        })
    }

    fn key_of_map(&self, entries: &[(Value, Value)]) -> SchemaAndValue {
        let value = |name| hash_map::get(entries, name).cloned().unwrap_or(Value::Null);
        let each = self.fields.iter();
        let key = each.map(|name| (Value::String(name.clone()), value(name)));
        let key = HashMap::with_capacity(self.fields.len(), key.collect());
        SchemaAndValue::schemaless(key.into_value())
    }

    fn key_of_struct(&mut self, inner: &Struct) -> Result<SchemaAndValue, ConnectError> {
        let (names, replace_null) = (&self.fields, self.replace_null);
        let plan = self
            .plans
            .get(&inner.schema, |schema| plan(schema, names))?;
        let fields = plan.schema.fields().iter().zip(&plan.sources);
        let value = |(field, source): (_, &usize)| {
            let value = inner.values.get(*source).cloned();
            carried(value.unwrap_or(Value::Null), field, replace_null)
        };
        let key = Struct {
            schema: SchemaRef::clone(&plan.schema),
            values: fields.map(value).collect::<Result<_, _>>()?,
        };
        Ok(SchemaAndValue::new(
            SchemaRef::clone(&plan.schema),
            Value::Struct(Box::new(key)),
        ))
    }
}

fn plan(schema: &Schema, names: &[String]) -> Result<Plan, ConnectError> {
    let mut builder = SchemaBuilder::structure();
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        let field = schema
            .field(name)
            .ok_or_else(|| ConnectError::data(format!("Field does not exist: {name}")))?;
        builder = builder.field(name, SchemaRef::clone(&field.schema))?;
        sources.push(field.index);
    }
    Ok(Plan {
        schema: builder.build(),
        sources,
    })
}

impl Transformation for ValueToKey {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        record.key = match record.value.schema {
            None => self.key_of_map(require_map_ref(&record.value.value, PURPOSE)?),
            Some(_) => self.key_of_struct(require_struct_ref(&record.value.value, PURPOSE)?)?,
        };
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SchemaType;
    use crate::transforms::test_records::{
        SOURCE, config, defaulted, failure, map, required, shown, structure, text, valued,
    };

    fn of(fields: &str) -> ValueToKey {
        ValueToKey::new(&config(&[("fields", fields)])).unwrap()
    }

    #[test]
    fn the_key_is_a_map_of_the_fields_in_javas_order() {
        let value = SchemaAndValue::schemaless(map(&[("a", text("1")), ("b", text("2"))]));
        let after = of("c,b,a").apply(valued(value.clone()), SOURCE);
        let after = after.unwrap().unwrap();
        let key = map(&[("a", text("1")), ("b", text("2")), ("c", Value::Null)]);
        assert_eq!(after.key, SchemaAndValue::schemaless(key));
        assert_eq!(after.value, value);
    }

    #[test]
    fn the_key_is_a_plain_struct_of_the_fields_in_their_order() {
        let value = structure(&[
            ("a", required(SchemaType::Int8), Value::Int8(1)),
            (
                "b",
                defaulted(SchemaType::Int8, Value::Int8(9)),
                Value::Null,
            ),
        ]);
        let after = of("b, a").apply(valued(value.clone()), SOURCE);
        let after = after.unwrap().unwrap();
        let expected = ["b: Schema{INT8}? = Int8(9)", "a: Schema{INT8} = Int8(1)"];
        assert_eq!(shown(&after.key), expected);
        assert_eq!(after.key.schema.unwrap().name(), None);
        assert_eq!(after.value, value);
        assert_eq!(
            failure(&mut of("a,x"), value),
            "DataException: Field does not exist: x"
        );
    }

    #[test]
    fn null_has_no_fields() {
        assert_eq!(
            failure(&mut of("a"), SchemaAndValue::NULL),
            "DataException: Only Map objects supported in absence of schema for [copying fields from value to key], found: null"
        );
        let mut tombstone = structure(&[]);
        tombstone.value = Value::Null;
        assert_eq!(
            failure(&mut of("a"), tombstone),
            "DataException: Only Struct objects supported for [copying fields from value to key], found: null"
        );
    }
}
