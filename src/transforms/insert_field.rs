//! Inserts what is known of a record, or a fixed text, as fields (Kafka: `InsertField`).

use super::config::{REPLACE_NULL, invalid, replace_null};
use super::fields::carry_all;
use super::hash_map::HashMap;
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_sink_offset, require_struct};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, ParsedConfig};
use crate::api::data::logical_type::timestamp_schema;
use crate::api::data::{Schema, SchemaRef};
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, SchemaType,
    Transformation, Value,
};

const PURPOSE: &str = "field insertion";
const TOPIC: &str = "topic.field";
const PARTITION: &str = "partition.field";
const OFFSET: &str = "offset.field";
const TIMESTAMP: &str = "timestamp.field";
const STATIC: &str = "static.field";
const STATIC_VALUE: &str = "static.value";

/// What a field to insert holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Text(String),
}

/// A field to insert.
#[derive(Debug)]
struct Insertion {
    name: String,
    optional: bool,
    content: Content,
}

impl Insertion {
    /// A name with `!` at its end is of a required field, one with `?` or nothing of an optional one.
    fn of(spec: &str, content: Content) -> Self {
        let (name, optional) = match spec.strip_suffix('?') {
            Some(name) => (name, true),
            None => spec
                .strip_suffix('!')
                .map_or((spec, true), |name| (name, false)),
        };
        Self {
            name: name.to_owned(),
            optional,
            content,
        }
    }

    fn schema(&self) -> SchemaRef {
        let of = |kind| match self.optional {
            true => Schema::optional(kind),
            false => Schema::required(kind),
        };
        match &self.content {
            Content::Topic | Content::Text(_) => of(SchemaType::String),
            Content::Partition => of(SchemaType::Int32),
            Content::Offset => of(SchemaType::Int64),
            Content::Timestamp if self.optional => timestamp_schema().optional().build(),
            Content::Timestamp => timestamp_schema().build(),
        }
    }

    /// The value to insert; `None` when the record has none. `timestamp` makes one of milliseconds.
    fn value(
        &self,
        record: &ConnectRecord,
        origin: RecordOrigin<'_>,
        timestamp: fn(i64) -> Value,
    ) -> Result<Option<Value>, ConnectError> {
        Ok(match &self.content {
            Content::Topic => Some(Value::String(record.topic.to_string())),
            Content::Partition => record.kafka_partition.map(Value::Int32),
            Content::Offset => Some(Value::Int64(require_sink_offset(origin, PURPOSE)?)),
            Content::Timestamp => record.timestamp.map(timestamp),
            Content::Text(text) => Some(Value::String(text.clone())),
        })
    }
}

/// Inserts topic, partition, offset, timestamp or a fixed text into keys or values.
#[derive(Debug)]
pub struct InsertField {
    part: Part,
    /// In Kafka's order.
    insertions: Vec<Insertion>,
    replace_null: bool,
    schemas: SchemaCache<SchemaRef>,
}

impl OfPart for InsertField {
    const CLASSES: Classes = kafka_classes!("InsertField");

    fn config_def() -> ConfigDef {
        let field = |name, what: &str| {
            ConfigKey::string(name).default_null().doc(format!(
                "Name of a field for {what}; `!` at its end makes the field required, `?` optional, as it is \
                 without."
            ))
        };
        ConfigDef::new()
            .define(field(TOPIC, "the topic"))
            .define(field(PARTITION, "the Kafka partition"))
            .define(field(OFFSET, "the Kafka offset, which only sinks know"))
            .define(field(TIMESTAMP, "the record's timestamp"))
            .define(field(STATIC, "the text of `static.value`"))
            .define(
                ConfigKey::string(STATIC_VALUE)
                    .default_null()
                    .doc("Text of the field that `static.field` names."),
            )
            .define(replace_null())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let mut insertions = Vec::new();
        for (key, content) in [
            (TOPIC, Content::Topic),
            (PARTITION, Content::Partition),
            (OFFSET, Content::Offset),
            (TIMESTAMP, Content::Timestamp),
        ] {
            let spec = config.opt_str(key)?;
            insertions.extend(spec.map(|spec| Insertion::of(spec, content)));
        }
        if let Some(spec) = config.opt_str(STATIC)? {
            let Some(text) = config.opt_str(STATIC_VALUE)? else {
                let reason = format!("No value specified for static field: {spec}");
                return Err(invalid(STATIC_VALUE, "null", &reason));
            };
            insertions.push(Insertion::of(spec, Content::Text(text.to_owned())));
        }
        if insertions.is_empty() {
            return Err(ConnectError::config("No field insertion configured"));
        }
        Ok(Self {
            part,
            insertions,
            replace_null: config.bool(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
        })
    }
}

impl InsertField {
    fn schemaless(
        &self,
        value: Value,
        record: &ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let mut map = HashMap::copy_of(require_map(value, PURPOSE)?);
        for insertion in &self.insertions {
            if let Some(value) = insertion.value(record, origin, Value::Int64)? {
                map.put(&insertion.name, value);
            }
        }
        Ok(SchemaAndValue::schemaless(map.into_value()))
    }

    fn with_schema(
        &mut self,
        value: Value,
        record: &ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let Self {
            insertions,
            schemas,
            ..
        } = self;
        let mut inner = require_struct(value, PURPOSE)?;
        let schema = schemas.get(&inner.schema, |schema| updated(schema, insertions))?;
        carry_all(&mut inner, self.replace_null)?;
        inner.values.reserve_exact(insertions.len());
        for insertion in insertions {
            let value = insertion.value(record, origin, Value::Timestamp)?;
            inner.values.push(value.unwrap_or(Value::Null));
        }
        inner.schema = SchemaRef::clone(schema);
        Ok(SchemaAndValue::new(
            SchemaRef::clone(schema),
            Value::Struct(inner),
        ))
    }
}

fn updated(schema: &Schema, insertions: &[Insertion]) -> Result<SchemaRef, ConnectError> {
    let mut builder = SchemaBuilder::structure().basics_of(schema);
    for field in schema.fields() {
        builder = builder.field(&field.name, SchemaRef::clone(&field.schema))?;
    }
    for insertion in insertions {
        builder = builder.field(&insertion.name, insertion.schema())?;
    }
    Ok(builder.build())
}

impl Transformation for InsertField {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        if self.part.of(&record).value.is_null() {
            return Ok(Some(record));
        }
        let SchemaAndValue { schema, value } = self.part.take(&mut record);
        let changed = match schema {
            None => self.schemaless(value, &record, origin)?,
            Some(_) => self.with_schema(value, &record, origin)?,
        };
        *self.part.of_mut(&mut record) = changed;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::list::made_for_test;
    use crate::transforms::test_records::{
        SOURCE, defaulted, failure, map, named, record, required, shown, structure, text,
        value_after, valued,
    };

    fn made(class: &str, entries: &[(&str, &str)]) -> Result<Box<dyn Transformation>, String> {
        made_for_test(class, entries).map_err(|error| named(&error))
    }

    fn all_fields() -> Box<dyn Transformation> {
        made(
            "InsertField$Value",
            &[
                ("topic.field", "topic!"),
                ("partition.field", "partition?"),
                ("offset.field", "offset"),
                ("timestamp.field", "time"),
                ("static.field", "static!"),
                ("static.value", "fixed"),
            ],
        )
        .unwrap()
    }

    #[test]
    fn fields_are_appended_to_the_schema_in_kafkas_order() {
        let before = structure(&[("a", required(SchemaType::Int8), Value::Int8(1))]);
        let after = value_after(&mut *all_fields(), before);
        let schema = after.schema.clone().unwrap();
        assert_eq!((schema.name(), schema.version()), (Some("s"), Some(7)));
        assert_eq!(schema.doc(), Some("d"));
        assert_eq!(schema.parameters().unwrap()["p"], "q");
        assert!(!schema.is_optional());
        let expected = [
            "a: Schema{INT8} = Int8(1)",
            "topic: Schema{STRING} = String(\"t\")",
            "partition: Schema{INT32}? = Int32(3)",
            "offset: Schema{INT64}? = Int64(42)",
            "time: Schema{org.apache.kafka.connect.data.Timestamp:INT64}? = Timestamp(1000)",
            "static: Schema{STRING} = String(\"fixed\")",
        ];
        assert_eq!(shown(&after), expected);
    }

    #[test]
    fn schemaless_maps_are_copied_in_javas_order_and_known_names_are_overwritten() {
        let before = map(&[("b", Value::Int64(1)), ("topic", Value::Null)]);
        let after = value_after(&mut *all_fields(), SchemaAndValue::schemaless(before));
        // As Java 17 prints a `new HashMap<>(map)` after these puts.
        let expected = map(&[
            ("topic", text("t")),
            ("b", Value::Int64(1)),
            ("partition", Value::Int32(3)),
            ("time", Value::Int64(1000)),
            ("static", text("fixed")),
            ("offset", Value::Int64(42)),
        ]);
        assert_eq!(after, SchemaAndValue::schemaless(expected));
    }

    #[test]
    fn what_a_record_lacks_is_left_out() {
        let mut record = valued(SchemaAndValue::schemaless(map(&[])));
        record.kafka_partition = None;
        record.timestamp = None;
        let keys = [("partition.field", "p"), ("timestamp.field", "t")];
        let mut insert = made("InsertField$Value", &keys).unwrap();
        let after = insert.apply(record.clone(), SOURCE).unwrap().unwrap();
        assert_eq!(after.value, SchemaAndValue::schemaless(map(&[])));
        record.value = structure(&[]);
        let after = insert.apply(record, SOURCE).unwrap().unwrap();
        assert_eq!(
            shown(&after.value),
            [
                "p: Schema{INT32}? = Null",
                "t: Schema{org.apache.kafka.connect.data.Timestamp:INT64}? = Null"
            ]
        );
    }

    #[test]
    fn nulls_become_defaults_where_the_configuration_says_so() {
        let field = || {
            (
                "a",
                defaulted(SchemaType::Int8, Value::Int8(9)),
                Value::Null,
            )
        };
        for (replace, value) in [("true", "Int8(9)"), ("false", "Null")] {
            let keys = [("topic.field", "t"), ("replace.null.with.default", replace)];
            let mut insert = made("InsertField$Value", &keys).unwrap();
            let after = value_after(&mut *insert, structure(&[field()]));
            assert_eq!(shown(&after)[0], format!("a: Schema{{INT8}}? = {value}"));
        }
        let unset = structure(&[("a", required(SchemaType::Int8), Value::Null)]);
        assert_eq!(
            failure(&mut *all_fields(), unset),
            "DataException: Invalid value: null used for required field: \"a\", schema type: INT8"
        );
    }

    #[test]
    fn null_passes_and_other_values_are_refused() {
        let mut insert = all_fields();
        let tombstone = record("t");
        assert_eq!(
            insert.apply(tombstone.clone(), SOURCE).unwrap(),
            Some(tombstone)
        );
        let schema = required(SchemaType::String);
        assert_eq!(
            failure(&mut *insert, SchemaAndValue::new(schema, text("x"))),
            "DataException: Only Struct objects supported for [field insertion], found: java.lang.String"
        );
        assert_eq!(
            failure(&mut *insert, SchemaAndValue::schemaless(Value::Int64(1))),
            "DataException: Only Map objects supported in absence of schema for [field insertion], found: java.lang.Long"
        );
    }

    #[test]
    fn a_taken_name_and_an_offset_of_a_source_are_refused() {
        let taken = structure(&[("topic", required(SchemaType::String), text("x"))]);
        assert_eq!(
            failure(&mut *all_fields(), taken),
            "SchemaBuilderException: Cannot create field because of field name duplication topic"
        );
        for value in [structure(&[]), SchemaAndValue::schemaless(map(&[]))] {
            let failed = all_fields().apply(valued(value), SOURCE).unwrap_err();
            assert_eq!(
                named(&failed),
                "DataException: Only SinkRecord supported for [field insertion], found: org.apache.kafka.connect.source.SourceRecord"
            );
        }
    }

    #[test]
    fn keys_are_changed_by_the_class_for_keys() {
        let mut insert = made("InsertField$Key", &[("topic.field", "x")]).unwrap();
        let mut before = valued(SchemaAndValue::schemaless(Value::Int64(1)));
        before.key = SchemaAndValue::schemaless(map(&[]));
        let after = insert.apply(before.clone(), SOURCE).unwrap().unwrap();
        assert_eq!(after.key.value, map(&[("x", text("t"))]));
        assert_eq!(after.value, before.value);
    }

    #[test]
    fn something_must_be_inserted_and_a_static_field_needs_its_value() {
        let refused = |entries: &[(&str, &str)]| made("InsertField$Value", entries).err().unwrap();
        assert_eq!(
            refused(&[("static.value", "x")]),
            "ConfigException: No field insertion configured"
        );
        assert_eq!(
            refused(&[("static.field", "x")]),
            "ConfigException: Invalid value null for configuration static.value: No value specified for static field: x"
        );
    }
}
