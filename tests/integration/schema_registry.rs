//! Converters with a schema registry: a real registry, and the serializers of Python's confluent-kafka on
//! the other side; more beside Java is in [`schema_registry_java`](super::schema_registry_java).

use serde_json::{Value, json};

use crate::common::client::Compression;
use crate::common::registry::{JavaSerializers, Serializers, plain, shared_registry};
use crate::common::{
    KafkaCluster, PATIENCE, Properties, Ringmain, Standalone, kafka, pipeline, wait_for, wait_until,
};

const AVRO: &str = "io.confluent.connect.avro.AvroConverter";
const JSON: &str = "io.confluent.connect.json.JsonSchemaConverter";
const PROTOBUF: &str = "io.confluent.connect.protobuf.ProtobufConverter";

/// A connector whose values go through a converter with the shared registry.
fn with_registry(connector: Properties, converter: &str) -> Properties {
    connector.set("value.converter", converter).set(
        "value.converter.schema.registry.url",
        shared_registry().url(),
    )
}

/// A sink that writes what `topic` has into `out.txt`, and its files.
pub(crate) fn text_sink(
    cluster: &KafkaCluster,
    name: &str,
    topic: &str,
    converter: &str,
    more: &[(&str, &str)],
) -> Standalone {
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let sink = pipeline::file_sink(name, &files.dir().join("out.txt"), topic);
    let sink = with_registry(sink, converter);
    let sink = more
        .iter()
        .fold(sink, |sink, (key, value)| sink.set(key, value));
    files.with_connectors(&[sink])
}

pub(crate) fn lines_when_there(files: &Standalone, count: usize) -> Vec<String> {
    wait_for(&format!("{count} lines"), PATIENCE, || {
        let text = String::from_utf8(files.read("out.txt")).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

/// SchemaSource → converter → topic → converter → FileStreamSink; gives the bytes in the topic.
fn there_and_back(cluster: &KafkaCluster, kind: &str, converter: &str) -> (String, Vec<Vec<u8>>) {
    let topic = format!("registry-{kind}");
    cluster.client().create_topic(&topic, 1);
    let source = pipeline::schema_source(&format!("source-{kind}"), &topic, 6);
    let source = with_registry(source, converter);
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[source]).start();
    cluster.client().wait_for_end_offset(&topic, 6, PATIENCE);
    ringmain.stop_cleanly();
    let files = text_sink(cluster, &format!("sink-{kind}"), &topic, converter, &[]);
    let ringmain = files.start();
    let lines = lines_when_there(&files, 6);
    ringmain.stop_cleanly();
    let expected = |seqno: usize| {
        let text = if seqno % 2 == 1 { "string=def," } else { "" };
        format!(
            "Struct{{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=0,{text}id=0,seqno={seqno}}}"
        )
    };
    assert_eq!(lines, (0..6).map(expected).collect::<Vec<_>>());
    let values = cluster.client().read_values(&topic);
    (topic, values)
}

fn check_what_others_read(read: &[Value]) {
    assert_eq!(read.len(), 6);
    for (seqno, value) in read.iter().enumerate() {
        assert_eq!(value["seqno"], json!(seqno), "{value}");
        assert_eq!(value["boolean"], json!(true));
        assert_eq!(value["double"], json!(12.2));
        assert_eq!(value.get("string").is_some(), seqno % 2 == 1, "{value}");
    }
}

fn check_what_java_reads(read: Vec<Value>) {
    let read: Vec<Value> = read.into_iter().map(plain).collect();
    check_what_others_read(&read);
}

#[test]
fn structs_go_through_avro_and_others_read_them() {
    let Some(kafka) = kafka() else { return };
    let (topic, values) = there_and_back(kafka.shared_cluster(), "avro", AVRO);
    let others = Serializers {
        kind: "avro",
        topic,
        schema: String::new(),
    };
    check_what_others_read(&others.read(&values));
}

#[test]
fn structs_go_through_json_schema_and_others_read_them() {
    let Some(kafka) = kafka() else { return };
    let (topic, values) = there_and_back(kafka.shared_cluster(), "json", JSON);
    let others = Serializers {
        kind: "json",
        topic: topic.clone(),
        schema: String::new(),
    };
    check_what_others_read(&others.read(&values));
    check_what_java_reads(JavaSerializers::json_schema(kafka).read(&topic, &values));
}

#[test]
fn structs_go_through_protobuf_and_others_read_them() {
    let Some(kafka) = kafka() else { return };
    let (topic, values) = there_and_back(kafka.shared_cluster(), "protobuf", PROTOBUF);
    let others = Serializers {
        kind: "protobuf",
        topic: topic.clone(),
        schema: String::new(),
    };
    let mut read = others.read(&values);
    for value in &mut read {
        // JSON has the 64-bit numbers of Protobuf as text.
        let seqno: usize = value["seqno"].as_str().unwrap().parse().unwrap();
        value["seqno"] = json!(seqno);
        assert_eq!(value["long"], json!("12"), "{value}");
    }
    check_what_others_read(&read);
    check_what_java_reads(JavaSerializers::protobuf(kafka).read(&topic, &values));
}

/// Two messages, one within the other and after a map, so that indexes are not the short ones.
const ORDER: &str = r#"syntax = "proto3";
package acme;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
message Other {}
message Outer {
  map<string, int32> unused = 1;
  message Order {
    int64 id = 1;
    optional string note = 2;
    repeated double tags = 3;
    map<string, int32> counts = 4;
    Suit suit = 5;
    oneof way { string mail = 6; Line line = 7; }
    google.protobuf.Timestamp at = 8;
    google.type.Date day = 9;
    google.type.TimeOfDay time = 10;
    confluent.type.Decimal price = 11 [(confluent.field_meta) = {params: [{value: "2", key: "scale"}]}];
    google.protobuf.StringValue wrapped = 12;
    uint32 big = 13;
    bytes raw = 14;
    message Line { float price = 1; }
    enum Suit { CLUBS = 0; HEARTS = 1; }
  }
}
"#;

#[test]
fn what_others_write_with_protobuf_is_read() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "registry-others-protobuf");
    cluster.client().create_topic(topic, 1);
    let others = Serializers {
        kind: "protobuf",
        topic: topic.to_owned(),
        schema: json!({"text": ORDER, "message": "acme.Outer.Order"}).to_string(),
    };
    let values = [
        json!({
            "id": 7, "note": "hi", "tags": [1, 2.5], "counts": {"k": 3}, "suit": "HEARTS",
            "line": {"price": 1.5}, "at": "1970-01-01T00:00:01.500Z",
            "day": {"year": 2024, "month": 2, "day": 29}, "time": {"hours": 12, "seconds": 1},
            "price": {"value": "BNI=", "precision": 4, "scale": 2}, "wrapped": "w",
            "big": 4_294_967_295_u32, "raw": "YWI=",
        }),
        json!({"mail": "a@b"}),
    ];
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, others.write(&values));
    let files = text_sink(cluster, "others-protobuf", topic, PROTOBUF, &[]);
    let ringmain = files.launch_with(|command| command.env("TZ", "UTC"));
    let lines = lines_when_there(&files, 2);
    ringmain.stop_cleanly();
    assert_eq!(
        lines,
        [
            "Struct{way_0=Struct{line=Struct{price=1.5}},id=7,note=hi,tags=[1.0, 2.5],counts={k=3},suit=HEARTS,\
             at=Thu Jan 01 00:00:01 UTC 1970,day=Thu Feb 29 00:00:00 UTC 2024,\
             time=Thu Jan 01 12:00:01 UTC 1970,price=12.34,wrapped=w,big=4294967295,raw=YWI=}",
            "Struct{way_0=Struct{mail=a@b},id=0,tags=[],counts={},suit=CLUBS,big=0,raw=}",
        ]
    );
}

#[test]
fn protobuf_that_is_none_is_left_out_and_named() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "registry-bad-protobuf");
    cluster.client().create_topic(topic, 1);
    let good = Serializers {
        kind: "protobuf",
        topic: topic.to_owned(),
        schema: json!({"text": ORDER, "message": "acme.Outer.Order"}).to_string(),
    };
    let good = good.write(&[json!({"id": 1})]).remove(0);
    let (head, indexes) = (&good[..5], &good[5..8]);
    let of = |parts: &[&[u8]]| parts.concat();
    let bad = [
        of(&[head]),
        of(&[head, &[0xff; 9]]),
        of(&[head, &[2, 80]]),
        of(&[head, indexes, &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]]),
        of(&[head, indexes, &[0x08]]),
        of(&[&[0, 0x7f, 0, 0, 1], indexes]),
        b"text".to_vec(),
    ];
    let count = bad.len();
    let values: Vec<Vec<u8>> = bad.into_iter().chain([good.clone()]).collect();
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, values);
    let tolerant = [
        ("errors.tolerance", "all"),
        ("errors.log.enable", "true"),
        ("errors.log.include.messages", "true"),
    ];
    let files = text_sink(cluster, topic, topic, PROTOBUF, &tolerant);
    let ringmain = files.start();
    let lines = lines_when_there(&files, 1);
    assert!(lines[0].contains("id=1,"), "{lines:?}");
    let log = ringmain.process().output();
    for offset in 0..count {
        assert!(log.contains(&format!("offset={offset}")), "{offset}: {log}");
    }
    for part in [
        "DataException",
        "indexes are cut off",
        "no message with the indexes [40]",
        "no message acme.Outer.Order",
        "Error retrieving Protobuf value schema for id 2130706433",
        "Unknown magic byte!",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    ringmain.stop_cleanly();
}

#[test]
fn what_others_write_with_avro_is_read() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "registry-others-avro");
    cluster.client().create_topic(topic, 1);
    let schema = json!({
        "type": "record", "name": "Order", "namespace": "acme", "fields": [
            {"name": "id", "type": "long"},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["CLUBS", "HEARTS"]}},
            {"name": "note", "type": ["null", "string"], "default": null},
            {"name": "tags", "type": {"type": "array", "items": "string"}},
            {"name": "count", "type": {"type": "map", "values": "int"}},
            {"name": "raw", "type": {"type": "fixed", "name": "Two", "size": 2}},
            {"name": "any", "type": ["int", "string", {"type": "record", "name": "In", "fields": [{"name": "x", "type": "double"}]}]},
        ],
    });
    let others = Serializers {
        kind: "avro",
        topic: topic.to_owned(),
        schema: schema.to_string(),
    };
    let values = [
        json!({
            "id": 1, "price": {"decimal": "12.34"}, "day": {"date": "2024-02-29"}, "at": {"millis": 1500},
            "suit": "HEARTS", "note": "hi", "tags": ["a", "b"], "count": {"k": 3},
            "raw": {"bytes": "YWI="}, "any": {"x": 0.5},
        }),
        json!({
            "id": -2, "price": {"decimal": "-0.01"}, "day": {"date": "1969-12-31"}, "at": {"millis": 0},
            "suit": "CLUBS", "note": null, "tags": [], "count": {}, "raw": {"bytes": "AAE="}, "any": "s",
        }),
    ];
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, others.write(&values));
    let files = text_sink(cluster, "others-avro", topic, AVRO, &[]);
    // Dates are printed in the machine's zone.
    let ringmain = files.launch_with(|command| command.env("TZ", "UTC"));
    let lines = lines_when_there(&files, 2);
    ringmain.stop_cleanly();
    assert_eq!(
        lines,
        [
            "Struct{id=1,price=12.34,day=Thu Feb 29 00:00:00 UTC 2024,at=Thu Jan 01 00:00:01 UTC 1970,\
             suit=HEARTS,note=hi,tags=[a, b],count={k=3},raw=YWI=,any=Struct{In=Struct{x=0.5}}}",
            "Struct{id=-2,price=-0.01,day=Wed Dec 31 00:00:00 UTC 1969,at=Thu Jan 01 00:00:00 UTC 1970,\
             suit=CLUBS,tags=[],count={},raw=AAE=,any=Struct{string=s}}",
        ]
    );
}

#[test]
fn what_others_write_with_json_schema_is_read() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "registry-others-json");
    cluster.client().create_topic(topic, 1);
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "properties": {
            "id": {"type": "integer", "connect.index": 0},
            "note": {"oneOf": [{"type": "null"}, {"type": "string"}], "connect.index": 1},
            "tags": {"type": "array", "items": {"type": "number"}, "connect.index": 2},
        },
        "required": ["id"],
    });
    let others = Serializers {
        kind: "json",
        topic: topic.to_owned(),
        schema: schema.to_string(),
    };
    let values = [
        json!({"id": 7, "note": "hi", "tags": [1, 2.5]}),
        json!({"id": 8, "note": null, "tags": []}),
    ];
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, others.write(&values));
    let files = text_sink(cluster, "others-json", topic, JSON, &[]);
    let ringmain = files.start();
    let lines = lines_when_there(&files, 2);
    ringmain.stop_cleanly();
    assert_eq!(
        lines,
        [
            "Struct{id=7,note=hi,tags=[1.0, 2.5]}",
            "Struct{id=8,tags=[]}"
        ]
    );
}

fn failing_sink(
    cluster: &KafkaCluster,
    topic: &str,
    more: &[(&str, &str)],
) -> (Standalone, Ringmain) {
    let files = text_sink(cluster, topic, topic, AVRO, more);
    let ringmain = files.launch();
    (files, ringmain)
}

#[test]
fn records_that_are_none_of_the_registrys_fail_the_task_or_are_skipped() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "registry-bad");
    cluster.client().create_topic(topic, 1);
    let good = Serializers {
        kind: "avro",
        topic: topic.to_owned(),
        schema: "\"string\"".to_owned(),
    };
    let mut values = vec![b"plain text".to_vec(), vec![0, 0x7f, 0, 0, 1, 2]];
    values.extend(good.write(&[json!("fine")]));
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, values);
    let (_files, ringmain) = failing_sink(cluster, topic, &[]);
    let trace = ringmain.wait_until_failed(topic);
    for part in [
        "VALUE_CONVERTER",
        AVRO,
        "DataException",
        "Unknown magic byte!",
        "offset=0",
    ] {
        assert!(trace.contains(part), "{part} in {trace}");
    }
    ringmain.stop();
    let tolerant = [("errors.tolerance", "all"), ("errors.log.enable", "true")];
    let (files, ringmain) = failing_sink(cluster, topic, &tolerant);
    assert_eq!(lines_when_there(&files, 1), ["fine"]);
    let log = ringmain.process().output();
    assert!(
        log.contains("Error retrieving Avro value schema for id 2130706433"),
        "{log}"
    );
    ringmain.stop_cleanly();
}

#[test]
fn a_registry_that_is_down_fails_the_task_at_the_converters_stage_and_retries_wait_for_it() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "registry-down");
    cluster.client().create_topic(topic, 1);
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, [[0, 0, 0, 0, 1, 2]]);
    let nobody = "http://127.0.0.1:1";
    let down = [
        ("value.converter.schema.registry.url", nobody),
        ("value.converter.max.retries", "0"),
    ];
    let (_files, ringmain) = failing_sink(cluster, topic, &down);
    let trace = ringmain.wait_until_failed(topic);
    for part in [
        "VALUE_CONVERTER",
        "RetriableException",
        nobody,
        "schema for id 1",
    ] {
        assert!(trace.contains(part), "{part} in {trace}");
    }
    ringmain.stop();
    // With retries the task waits, and stops at once when told to.
    let patient = [down[0], down[1], ("errors.retry.timeout", "-1")];
    let (_files, ringmain) = failing_sink(cluster, topic, &patient);
    wait_until("the task to run", PATIENCE, || {
        ringmain.process().output().contains("started")
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    ringmain.stop_cleanly();
}

#[test]
fn without_registration_a_source_says_which_schema_is_missing() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "registry-unregistered");
    cluster.client().create_topic(topic, 1);
    let source = with_registry(pipeline::schema_source("unregistered", topic, 2), AVRO);
    let source = source.set("value.converter.auto.register.schemas", false);
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[source]).launch();
    let trace = ringmain.wait_until_failed("unregistered");
    for part in [
        "VALUE_CONVERTER",
        "DataException",
        "subject registry-unregistered-value",
        "auto.register.schemas",
    ] {
        assert!(trace.contains(part), "{part} in {trace}");
    }
    ringmain.stop();
}
