//! The converter before a registry that does as it is told.

use crate::api::{Converter, ErrorKind, Schema, SchemaType};
use crate::converters::ProtobufConverter;
use crate::converters::registry::fake_registry::FakeRegistry;
use crate::converters::registry::tests::{config, resolved};

use super::*;

const RECORD: &str = "io.confluent.kafka.serializers.subject.RecordNameStrategy";

fn converter(url: &str, more: &[(&str, &str)]) -> ProtobufConverter {
    let mut pairs = vec![("schema.registry.url", url), ("max.retries", "0")];
    pairs.extend_from_slice(more);
    ProtobufConverter::new(&config(&pairs), false).unwrap()
}

fn read_of(
    converter: ProtobufConverter,
    data: &'static [u8],
) -> (
    ProtobufConverter,
    Result<SchemaAndValue, ConnectError>,
    usize,
) {
    resolved(converter, move |converter| {
        converter.read("orders", Some(data))
    })
}

fn written(
    converter: ProtobufConverter,
    schema: &SchemaRef,
    value: &Value,
) -> Result<Vec<u8>, ConnectError> {
    let (schema, value) = (SchemaRef::clone(schema), value.clone());
    let (_, written, _) = resolved(converter, move |converter| {
        let mut out = Vec::new();
        converter.write("orders", Some(&schema), &value, &mut out)?;
        Ok(out)
    });
    written
}

#[test]
fn a_schema_is_asked_for_once_and_its_messages_share_it() {
    let registry = FakeRegistry::of_schema(7, "PROTOBUF", RICH);
    let own = converter(&registry.url, &[]);
    let (own, first, lookups) = read_of(own, &[0, 0, 0, 0, 7, 0, 10, 1, b'x']);
    assert_eq!(text::to_text(&first.unwrap().value), "Struct{s=x}");
    assert_eq!(lookups, 1);
    let (_, line, lookups) = read_of(own, &[0, 0, 0, 0, 7, 4, 2, 0]);
    assert_eq!(text::to_text(&line.unwrap().value), "Struct{price=0.0}");
    assert_eq!(lookups, 0);
    assert_eq!(registry.asked().len(), 2, "{:?}", registry.asked());
}

#[test]
fn the_subject_of_a_record_is_its_messages_name() {
    let registry = FakeRegistry::of_schema(7, "PROTOBUF", RICH);
    let strategy = [("value.subject.name.strategy", RECORD)];
    let (_, value, _) = read_of(
        converter(&registry.url, &strategy),
        &[0, 0, 0, 0, 7, 4, 2, 0],
    );
    assert_eq!(text::to_text(&value.unwrap().value), "Struct{price=0.0}");
    let asked = registry.asked();
    let path = "POST /subjects/acme.Order.Line?";
    assert!(
        asked.iter().any(|asked| asked.starts_with(path)),
        "{asked:?}"
    );
    let single = Schema::required(SchemaType::String);
    written(converter(&registry.url, &strategy), &single, &string("x")).unwrap();
    let asked = registry.asked();
    let path = "POST /subjects/google.protobuf.StringValue/versions?";
    assert!(
        asked.iter().any(|asked| asked.starts_with(path)),
        "{asked:?}"
    );
}

#[test]
fn what_is_written_starts_with_its_id_and_its_message() {
    let registry = FakeRegistry::of_schema(9, "PROTOBUF", "");
    let schema = struct_of("a.R", &[("n", Schema::required(SchemaType::Int32))]);
    let value = structure(&schema, vec![Value::Int32(5)]);
    let data = written(converter(&registry.url, &[]), &schema, &value).unwrap();
    assert_eq!(data, [0, 0, 0, 0, 9, 0, 8, 5]);
    let asked = registry.asked().concat();
    assert!(asked.contains(r#""schemaType":"PROTOBUF""#), "{asked}");
    assert!(asked.contains("package a;"), "{asked}");
}

#[test]
fn the_latest_schema_is_written_by_names() {
    let latest = |text: &str| {
        FakeRegistry::serve({
            let text = text.to_owned();
            move |_, _, _| {
                let answer = serde_json::json!({
                    "id": 3, "version": 2, "schema": text, "schemaType": "PROTOBUF",
                });
                (200, answer.to_string())
            }
        })
    };
    let settings = [
        ("auto.register.schemas", "false"),
        ("use.latest.version", "true"),
    ];
    let schema = struct_of("R", &[("n", Schema::required(SchemaType::Int32))]);
    let value = structure(&schema, vec![Value::Int32(5)]);
    let text = r#"syntax = "proto3"; package acme; message X {}
        message R { string s = 1; int32 n = 7; }"#;
    let registry = latest(text);
    let data = written(converter(&registry.url, &settings), &schema, &value).unwrap();
    assert_eq!(data, [0, 0, 0, 0, 3, 2, 2, 0x38, 5]);
    for (text, part) in [
        (
            "syntax = \"proto3\"; message R { string n = 1; }",
            "field R.n has another type",
        ),
        (
            "syntax = \"proto3\"; message R { repeated int32 n = 1; }",
            "another type",
        ),
        ("syntax = \"proto3\"; message R { }", "no field R.n"),
        ("syntax = \"proto3\"; message S { }", "no message R"),
        ("nonsense", "not a Protobuf schema"),
    ] {
        let registry = latest(text);
        let error = written(converter(&registry.url, &settings), &schema, &value).unwrap_err();
        let trace = error.trace();
        assert!(trace.contains(part), "{part}: {trace}");
        assert!(
            trace.contains("latest.compatibility.strict=false"),
            "{trace}"
        );
    }
    // Without the check, a record says itself what does not fit.
    let lax = [
        settings[0],
        settings[1],
        ("latest.compatibility.strict", "false"),
    ];
    let registry = latest("syntax = \"proto3\"; message R { bool n = 1; }");
    let error = written(converter(&registry.url, &lax), &schema, &value).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(
        error
            .trace()
            .contains("field n: 5 of type INT32 does not fit"),
        "{}",
        error.trace()
    );
}

#[test]
fn maps_fit_those_of_protobuf() {
    let text = r#"syntax = "proto3"; message R { map<string, int64> m = 1; }"#;
    let keys = Schema::required(SchemaType::String);
    let map = SchemaBuilder::map(keys, Schema::required(SchemaType::Int64)).build();
    let schema = struct_of("R", &[("m", map)]);
    let format = format(&[]);
    let own = format.compose(Some(&schema)).unwrap();
    let latest = registered(text);
    format.check_reads(&latest, &own).unwrap();
    let writer = format.writer(Some(&schema), &latest).unwrap();
    let entries = vec![(string("k"), Value::Int64(3)), (string("l"), Value::Null)];
    let value = structure(&schema, vec![Value::Map(entries)]);
    let mut out = Vec::new();
    format
        .write(&writer, Some(&schema), &value, &mut out)
        .unwrap();
    let back = read(&format, text, &out).unwrap();
    assert_eq!(text::to_text(&back.value), "Struct{m={k=3, l=0}}");
}

#[test]
fn records_that_cannot_be_read_are_data_errors_with_their_id() {
    let registry = FakeRegistry::of_schema(7, "PROTOBUF", RICH);
    for (data, parts) in [
        (
            &[0, 0, 0, 0, 7, 2, 2, 0x08][..],
            [
                "Error deserializing Protobuf message for id 7",
                "no message acme.Order",
            ],
        ),
        (
            &[0, 0, 0, 0, 7, 2, 80],
            [
                "Error deserializing Protobuf message for id 7",
                "indexes [40]",
            ],
        ),
        (
            &[0, 0, 0, 0, 7],
            [
                "Error deserializing Protobuf message for id 7",
                "indexes are cut off",
            ],
        ),
        (
            &[0, 0, 0, 0, 8, 0],
            [
                "Error retrieving Protobuf value schema for id 8",
                "Schema not found",
            ],
        ),
        (
            b"\x01nothing",
            ["orders to Protobuf", "Unknown magic byte!"],
        ),
    ] {
        let (_, read, _) = read_of(converter(&registry.url, &[]), data);
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        for part in parts {
            assert!(error.trace().contains(part), "{part}: {}", error.trace());
        }
    }
    let avro = FakeRegistry::of_schema(7, "AVRO", "\"string\"");
    let (_, read, _) = read_of(converter(&avro.url, &[]), &[0, 0, 0, 0, 7, 0]);
    let trace = read.unwrap_err().trace();
    assert!(trace.contains("the schema is of type AVRO"), "{trace}");
}

#[test]
fn null_is_kafkas_null_without_a_question() {
    let mut own = converter("http://127.0.0.1:1", &[]);
    let mut out = Vec::new();
    assert!(!own.write("t", None, &Value::Null, &mut out).unwrap());
    let optional = Schema::optional(SchemaType::String);
    assert!(
        !own.write("t", Some(&optional), &Value::Null, &mut out)
            .unwrap()
    );
    assert_eq!(own.read("t", None).unwrap().value, Value::Null);
    assert!(out.is_empty());
}
