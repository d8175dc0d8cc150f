//! Change events as Debezium's PostgreSQL connector writes them.

use super::{ByLogicalTableRouter, ExtractNewRecordState};
use crate::api::data::SchemaRef;
use crate::api::{
    ConnectError, ConnectRecord, Header, Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct,
    Transformation, Value,
};
use crate::transforms::test_records::{SOURCE, config, map, named, shown, text, valued};

fn row_schema() -> SchemaRef {
    SchemaBuilder::structure()
        .name("db.public.t.Value")
        .optional()
        .field("id", Schema::required(SchemaType::Int32))
        .unwrap()
        .field("name", Schema::optional(SchemaType::String))
        .unwrap()
        .build()
}

fn row(id: i32, name: &str) -> Value {
    let values = vec![Value::Int32(id), text(name)];
    let schema = row_schema();
    Value::Struct(Box::new(Struct { schema, values }))
}

fn event(before: Value, after: Value, op: &str) -> SchemaAndValue {
    let source = SchemaBuilder::structure()
        .field("table", Schema::required(SchemaType::String))
        .unwrap()
        .field("ts_ms", Schema::required(SchemaType::Int64))
        .unwrap()
        .build();
    let schema = SchemaBuilder::structure()
        .name("db.public.t.Envelope")
        .field("before", row_schema())
        .unwrap()
        .field("after", row_schema())
        .unwrap()
        .field("source", SchemaRef::clone(&source))
        .unwrap()
        .field("op", Schema::required(SchemaType::String))
        .unwrap()
        .build();
    let source = Struct {
        schema: source,
        values: vec![text("t"), Value::Int64(5)],
    };
    let values = vec![before, after, Value::Struct(Box::new(source)), text(op)];
    let inner = Struct {
        schema: SchemaRef::clone(&schema),
        values,
    };
    SchemaAndValue::new(schema, Value::Struct(Box::new(inner)))
}

fn deletion() -> SchemaAndValue {
    event(row(1, "old"), Value::Null, "d")
}

fn made(entries: &[(&str, &str)]) -> ExtractNewRecordState {
    ExtractNewRecordState::new(&config(entries)).unwrap()
}

fn after(
    entries: &[(&str, &str)],
    value: SchemaAndValue,
) -> Result<Option<ConnectRecord>, ConnectError> {
    made(entries).apply(valued(value), SOURCE)
}

#[test]
fn an_update_becomes_the_new_row_with_what_is_asked_for() {
    let value = event(row(1, "old"), row(1, "new"), "u");
    let entries = [
        ("add.fields", "op, source.ts_ms:at,table,lsn"),
        ("add.headers", "op"),
        ("route.by.field", "name"),
    ];
    let record = after(&entries, value).unwrap().unwrap();
    assert_eq!(
        shown(&record.value),
        [
            "id: Schema{INT32} = Int32(1)",
            "name: Schema{STRING}? = String(\"new\")",
            "__op: Schema{STRING}? = String(\"u\")",
            "__at: Schema{INT64}? = Int64(5)",
            "__table: Schema{STRING}? = String(\"t\")",
        ]
    );
    assert_eq!(
        record.value.schema.unwrap().name(),
        Some("db.public.t.Value")
    );
    assert_eq!(&*record.topic, "new");
    assert_eq!(record.headers[0].key, "__op");
    assert_eq!(record.headers[0].value.value, text("u"));
}

#[test]
fn each_mode_treats_deletions_and_tombstones_as_documented() {
    type Mode<'a> = (&'a [(&'a str, &'a str)], &'a str, bool);
    let modes: [Mode<'_>; 8] = [
        (&[], "null with schema", false),
        (&[("delete.tombstone.handling.mode", "drop")], "gone", false),
        (
            &[("delete.tombstone.handling.mode", "tombstone")],
            "null with schema",
            false,
        ),
        (
            &[("delete.tombstone.handling.mode", "rewrite")],
            "old row",
            false,
        ),
        (
            &[("delete.tombstone.handling.mode", "rewrite-with-tombstone")],
            "old row",
            true,
        ),
        (
            &[("delete.tombstone.handling.mode", "delete-to-tombstone")],
            "null",
            false,
        ),
        (&[("drop.tombstones", "false")], "gone", true),
        (&[("delete.handling.mode", "rewrite")], "old row", false),
    ];
    for (entries, expected, tombstone_stays) in modes {
        let found = match after(entries, deletion()).unwrap() {
            None => "gone",
            Some(record) => match (record.value.schema, record.value.value) {
                (None, Value::Null) => "null",
                (Some(_), Value::Null) => "null with schema",
                (_, Value::Struct(inner)) => {
                    assert_eq!(inner.get("__deleted").unwrap(), &text("true"));
                    assert_eq!(inner.get("name").unwrap(), &text("old"));
                    "old row"
                }
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(found, expected, "{entries:?}");
        let tombstone = after(entries, SchemaAndValue::NULL).unwrap();
        assert_eq!(tombstone.is_some(), tombstone_stays, "{entries:?}");
    }
}

#[test]
fn fields_that_a_header_lists_are_left_out() {
    let listed = Value::Array(vec![text("id"), text("name")]);
    for (compatibly, left) in [("true", 1), ("false", 0)] {
        let mut transformation = made(&[
            ("drop.fields.header.name", "gone"),
            ("drop.fields.keep.schema.compatible", compatibly),
        ]);
        let mut record = valued(event(Value::Null, row(1, "new"), "c"));
        record.headers.push(Header {
            key: "gone".to_owned(),
            value: SchemaAndValue::schemaless(listed.clone()),
        });
        let record = transformation.apply(record, SOURCE).unwrap().unwrap();
        assert_eq!(shown(&record.value).len(), left);
    }
}

#[test]
fn events_without_schema_are_taken_apart_as_well() {
    let event = map(&[
        ("op", text("c")),
        ("after", map(&[("id", Value::Int64(1))])),
        ("source", map(&[("table", text("t"))])),
    ]);
    let record = after(
        &[("add.fields", "table")],
        SchemaAndValue::schemaless(event),
    );
    let Value::Map(mut entries) = record.unwrap().unwrap().value.value else {
        panic!("a map");
    };
    entries.sort_by_key(|(key, _)| format!("{key:?}"));
    assert_eq!(
        Value::Map(entries),
        map(&[("__table", text("t")), ("id", Value::Int64(1))])
    );
}

#[test]
fn what_is_no_change_event_passes_and_truncations_are_dropped() {
    let other = SchemaAndValue::schemaless(map(&[("id", Value::Int64(1))]));
    assert_eq!(after(&[], other.clone()).unwrap().unwrap().value, other);
    let truncation = event(Value::Null, Value::Null, "t");
    assert!(after(&[], truncation).unwrap().is_none());
}

#[test]
fn a_reference_with_too_many_parts_is_refused() {
    let error = ExtractNewRecordState::new(&config(&[("add.fields", "a.b.c")])).unwrap_err();
    assert!(
        named(&error).contains("Unexpected field name: a.b.c"),
        "{error}"
    );
}

fn routed(entries: &[(&str, &str)], topic: &str) -> ConnectRecord {
    let mut router = ByLogicalTableRouter::new(&config(entries)).unwrap();
    let key_schema = SchemaBuilder::structure()
        .name("shard1.Key")
        .field("id", Schema::required(SchemaType::Int32))
        .unwrap()
        .build();
    let key = Struct {
        schema: SchemaRef::clone(&key_schema),
        values: vec![Value::Int32(1)],
    };
    let record = ConnectRecord {
        topic: topic.into(),
        key: SchemaAndValue::new(key_schema, Value::Struct(Box::new(key))),
        ..valued(event(Value::Null, row(1, "new"), "c"))
    };
    router.apply(record, SOURCE).unwrap().unwrap()
}

const SHARDS: [(&str, &str); 2] = [
    ("topic.regex", "(.*)-shard(\\d+)"),
    ("topic.replacement", "$1"),
];

#[test]
fn tables_share_a_topic_and_keys_tell_them_apart() {
    let record = routed(&SHARDS, "db-shard2");
    assert_eq!(&*record.topic, "db");
    assert_eq!(
        shown(&record.key),
        [
            "id: Schema{INT32} = Int32(1)",
            "__dbz__physicalTableIdentifier: Schema{STRING} = String(\"db-shard2\")",
        ]
    );
    assert_eq!(record.key.schema.unwrap().name(), Some("db.Key"));
    let schema = record.value.schema.unwrap();
    assert_eq!(schema.name(), Some("db.Envelope"));
    for row in ["before", "after"] {
        assert_eq!(schema.field(row).unwrap().schema.name(), Some("db.Value"));
    }
    schema.validate(&record.value.value).unwrap();
}

#[test]
fn the_key_s_field_may_be_named_cut_out_or_left_out() {
    let mut entries = SHARDS.to_vec();
    entries.extend([
        ("key.field.name", "shard"),
        ("key.field.regex", ".*-shard(.*)"),
        ("key.field.replacement", "$1"),
    ]);
    let key = shown(&routed(&entries, "db-shard2").key);
    assert_eq!(key[1], "shard: Schema{STRING} = String(\"2\")");
    entries.push(("key.enforce.uniqueness", "false"));
    assert_eq!(shown(&routed(&entries, "db-shard2").key).len(), 1);
}

#[test]
fn other_topics_pass_and_names_can_be_fitted_to_avro() {
    let record = routed(&SHARDS, "other");
    assert_eq!(&*record.topic, "other");
    assert_eq!(record.key.schema.unwrap().name(), Some("shard1.Key"));
    for (mode, expected) in [("avro", "a_b.Key"), ("avro_unicode", "a_u002db.Key")] {
        let entries = [
            ("topic.regex", ".*"),
            ("topic.replacement", "a-b"),
            ("schema.name.adjustment.mode", mode),
        ];
        let record = routed(&entries, "t");
        assert_eq!(record.key.schema.unwrap().name(), Some(expected));
    }
}

#[test]
fn an_expression_for_the_key_needs_a_replacement() {
    let mut entries = SHARDS.to_vec();
    entries.push(("key.field.regex", "x"));
    let error = ByLogicalTableRouter::new(&config(&entries)).unwrap_err();
    assert_eq!(
        named(&error),
        "ConfigException: Invalid value null for configuration key.field.replacement: key.field.replacement must be non-empty if key.field.regex is set."
    );
}
