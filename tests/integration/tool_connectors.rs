//! The connectors of Apache's system tests, side by side with Apache's own: the same lines on
//! standard output, the same records, the same failures.

use serde_json::{Map, Value};

use crate::common::pipeline::{self, JSON, with_converter};
use crate::common::{PATIENCE, Process, Properties, Standalone, kafka, wait_for};

const TOOLS: &str = "org.apache.kafka.connect.tools";

fn connector(class: &str, name: &str) -> Properties {
    Properties::new()
        .set("name", name)
        .set("connector.class", format!("{TOOLS}.{class}Connector"))
        .set("tasks.max", 1)
}

/// The JSON lines a connector printed, without what differs by side and time.
fn printed(process: &Process, name: &str) -> Vec<Value> {
    let objects = process.stdout();
    let objects = objects
        .lines()
        .filter_map(|l| serde_json::from_str::<Map<_, _>>(l).ok());
    let ours = objects.filter(|object| object.get("name").is_some_and(|n| n == name));
    let strip = |mut object: Map<String, Value>| {
        for key in ["name", "time_ms", "topic"] {
            assert!(object.contains_key(key), "no {key} in {object:?}");
            object.shift_remove(key);
        }
        Value::Object(object)
    };
    ours.map(strip).collect()
}

/// The first `count` lines that have (or have not) the member `mark`.
fn first(lines: &[Value], count: usize, mark: &str, marked: bool) -> Vec<Value> {
    let chosen = lines.iter().filter(|l| l.get(mark).is_some() == marked);
    chosen.take(count).cloned().collect()
}

fn wait_for_lines(process: &Process, name: &str, count: usize, mark: &str) -> [Vec<Value>; 2] {
    wait_for(
        &format!("{count} lines of {name} marked {mark}"),
        PATIENCE,
        || {
            let lines = printed(process, name);
            let halves = [false, true].map(|marked| first(&lines, count, mark, marked));
            halves
                .iter()
                .all(|half| half.len() == count)
                .then_some(halves)
        },
    )
}

#[test]
fn verifiable_connectors_print_and_write_what_apaches_do() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let client = cluster.client();
    for topic in ["verifiable-apache", "verifiable-ringmain"] {
        client.create_topic(topic, 1);
    }
    let source = |side: &str| {
        let source = connector("VerifiableSource", &format!("verifiable-{side}"));
        let source = source
            .set("topic", format!("verifiable-{side}"))
            .set("throughput", 50);
        with_converter(source, JSON, Some(true)).set("key.converter", JSON)
    };
    let sink = |side: &str| {
        let sink = connector("VerifiableSink", &format!("verifiable-sink-{side}"));
        let sink = sink.set("topics", "verifiable-apache").set("id", 0);
        with_converter(sink, JSON, Some(true)).set("key.converter", JSON)
    };
    oracle.create(&source("apache"));
    oracle.create(&sink("apache"));
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[source("ringmain"), sink("ringmain")]).start();
    for (name, mark) in [("verifiable", "committed"), ("verifiable-sink", "flushed")] {
        let theirs = wait_for_lines(oracle.process(), &format!("{name}-apache"), 20, mark);
        let mine = wait_for_lines(ringmain.process(), &format!("{name}-ringmain"), 20, mark);
        assert_eq!(theirs, mine, "{name}");
    }
    let theirs = client.read_pairs("verifiable-apache");
    let mine = client.read_pairs("verifiable-ringmain");
    assert_eq!(theirs[..20], mine[..20]);
    ringmain.stop_cleanly();
    oracle.delete("verifiable-apache");
    oracle.delete("verifiable-sink-apache");
}

#[test]
fn the_schema_source_writes_what_apaches_does() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let client = cluster.client();
    let source = |side: &str| {
        client.create_topic(&format!("schema-{side}"), 1);
        let name = format!("schema-{side}");
        let source = pipeline::schema_source(&name, &name, 20);
        with_converter(source, JSON, Some(true)).set("key.converter", JSON)
    };
    oracle.create(&source("apache"));
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[source("ringmain")]).start();
    for side in ["apache", "ringmain"] {
        client.wait_for_end_offset(&format!("schema-{side}"), 20, PATIENCE);
    }
    let text = |side: &str| -> Vec<(String, String)> {
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).unwrap();
        let pairs = client.read_pairs(&format!("schema-{side}"));
        pairs
            .into_iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect()
    };
    assert_eq!(text("apache"), text("ringmain"));
    ringmain.stop_cleanly();
    oracle.delete("schema-apache");
}
