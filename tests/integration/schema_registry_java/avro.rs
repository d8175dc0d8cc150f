//! Avro beside Java: Apache's own worker with Apicurio's converter, whose conversion is Confluent's
//! `AvroData`. Either side reads what the other wrote, and prints the same.

use std::path::Path;

use serde_json::Value;
use testbed::registry::fetch_converters;

use crate::common::registry::shared_registry;
use crate::common::{
    ConnectOracle, Kafka, PATIENCE, Properties, Standalone, http, kafka, pipeline, wait_for,
};

const RECORDS: usize = 6;

/// Values go through Avro, by Java's converter or by ours under Confluent's name.
fn with_avro(worker: Properties, java: bool) -> Properties {
    let registry = shared_registry();
    if !java {
        return worker
            .set("value.converter", "io.confluent.connect.avro.AvroConverter")
            .set("value.converter.schema.registry.url", registry.url());
    }
    let prefix = "value.converter.apicurio.registry.";
    worker
        .set(
            "value.converter",
            "io.apicurio.registry.utils.converter.AvroConverter",
        )
        .set(&format!("{prefix}url"), registry.native_url())
        .set(&format!("{prefix}auto-register"), true)
        .set(&format!("{prefix}as-confluent"), true)
        // The id stands before the data, as Confluent's, and not in a header.
        .set(&format!("{prefix}headers.enabled"), false)
        // What Confluent's interface calls an id.
        .set(&format!("{prefix}use-id"), "contentId")
}

/// Structs with and without an optional text, an eight-bit number and a time: types that Avro lacks and
/// annotations stand for.
fn source(name: &str, topic: &str) -> Properties {
    let transforms = "org.apache.kafka.connect.transforms";
    pipeline::schema_source(name, topic, RECORDS)
        .set("transforms", "small,time")
        .set("transforms.small.type", format!("{transforms}.Cast$Value"))
        .set("transforms.small.spec", "int:int8,float:float64")
        .set(
            "transforms.time.type",
            format!("{transforms}.TimestampConverter$Value"),
        )
        .set("transforms.time.field", "long")
        .set("transforms.time.target.type", "Timestamp")
}

fn worker(kafka: &Kafka, java: bool) -> Properties {
    let worker = pipeline::worker(&kafka.shared_cluster().bootstrap());
    let worker = with_avro(worker, java);
    if !java {
        return worker;
    }
    let converters = fetch_converters(kafka).unwrap_or_else(|why| panic!("{why}"));
    worker.set("plugin.path", converters.display())
}

fn lines(path: &Path) -> Vec<String> {
    wait_for(
        &format!("{RECORDS} lines in {}", path.display()),
        PATIENCE,
        || {
            let text = std::fs::read_to_string(path).ok()?;
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            (lines.len() >= RECORDS).then_some(lines)
        },
    )
}

/// Apache's worker, with Apicurio's converter, runs these until `done`.
fn in_java<T>(kafka: &Kafka, connector: Properties, done: impl FnOnce() -> T) -> T {
    let oracle = ConnectOracle::start(kafka, &worker(kafka, true), &[connector]);
    let outcome = done();
    oracle.stop();
    outcome
}

fn in_ringmain<T>(kafka: &Kafka, connector: Properties, done: impl FnOnce() -> T) -> T {
    let ringmain = Standalone::new(&worker(kafka, false), &[connector]).start();
    let outcome = done();
    ringmain.stop_cleanly();
    outcome
}

/// One side writes a topic.
fn write(kafka: &Kafka, topic: &str, by_java: bool) {
    let cluster = kafka.shared_cluster();
    cluster.client().create_topic(topic, 1);
    let end = i64::try_from(RECORDS).unwrap();
    let written = || cluster.client().wait_for_end_offset(topic, end, PATIENCE);
    let source = source(&format!("{topic}-source"), topic);
    match by_java {
        true => in_java(kafka, source, written),
        false => in_ringmain(kafka, source, written),
    };
}

/// One side writes a topic; both print it.
fn printed_by_both(kafka: &Kafka, topic: &str, by_java: bool) -> [Vec<String>; 2] {
    write(kafka, topic, by_java);
    let dir = crate::common::scratch_dir("avro-java");
    let sink = |name: &str| {
        let file = dir.path().join(name);
        let sink = pipeline::file_sink(&format!("{topic}-{name}"), &file, topic);
        (sink, file)
    };
    let (theirs, their_file) = sink("java");
    let (ours, our_file) = sink("ringmain");
    [
        in_java(kafka, theirs, || lines(&their_file)),
        in_ringmain(kafka, ours, || lines(&our_file)),
    ]
}

/// The fields of the schemas that a topic's values were registered with, oldest first. The record itself is
/// named after the converter's package.
fn registered_fields(topic: &str) -> Vec<Value> {
    let url = format!(
        "{}/subjects/{topic}-value/versions",
        shared_registry().url()
    );
    let versions = http::get(&url).json();
    let fields = |version: &Value| {
        let text = http::get(&format!("{url}/{version}")).json()["schema"].clone();
        let schema: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        schema["fields"].clone()
    };
    versions.as_array().unwrap().iter().map(fields).collect()
}

#[test]
fn avro_that_java_wrote_is_read_as_java_reads_it() {
    let Some(kafka) = kafka() else { return };
    let [theirs, ours] = printed_by_both(kafka, "avro-of-java", true);
    assert_eq!(ours, theirs);
    assert!(ours[1].contains("string=def"), "{ours:?}");
}

#[test]
fn avro_that_we_wrote_is_read_by_java_as_by_us() {
    let Some(kafka) = kafka() else { return };
    let [theirs, ours] = printed_by_both(kafka, "avro-of-ringmain", false);
    assert_eq!(ours, theirs);
    // The long became a time, 12 milliseconds after the epoch, and is printed as Java prints times.
    assert!(ours[1].contains("1970"), "{ours:?}");
}

#[test]
fn schemas_are_registered_with_the_annotations_that_java_gives_them() {
    let Some(kafka) = kafka() else { return };
    let fields = [
        ("avro-schemas-of-java", true),
        ("avro-schemas-of-ringmain", false),
    ];
    let [theirs, ours] = fields.map(|(topic, by_java)| {
        write(kafka, topic, by_java);
        registered_fields(topic)
    });
    assert_eq!(ours, theirs);
    let text = format!("{ours:?}");
    assert!(
        text.contains("connect.type") && text.contains("timestamp-millis"),
        "{text}"
    );
}
