//! Looking at running connectors: each stage is shown, and nothing is different afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{Ran, command, run};
use crate::common::client::Compression;
use crate::common::pipeline::{self, JSON, file_sink, file_source};
use crate::common::{PATIENCE, Properties, Standalone, kafka, scratch_dir, wait_for, wait_until};

/// A worker's and a connector's file.
struct Files {
    worker: PathBuf,
    connector: PathBuf,
}

fn files(dir: &Path, worker: &Properties, connector: &Properties) -> Files {
    let worker = worker.clone().set(
        "offset.storage.file.filename",
        dir.join("offsets").display(),
    );
    Files {
        worker: worker.write(&dir.join("worker.properties")),
        connector: connector.write(&dir.join("connector.properties")),
    }
}

fn look(files: &Files, args: &[&str]) -> Ran {
    let mut command = command(&[&files.connector]);
    command.arg("--worker").arg(&files.worker).args(args);
    run(&mut command, b"")
}

/// The first object and the records of `--json`.
fn objects(files: &Files, args: &[&str]) -> (Json, Vec<Json>) {
    let mut args = args.to_vec();
    args.push("--json");
    let mut lines = look(files, &args).answers();
    let head = lines.remove(0);
    lines.retain(|line| line.get("result").is_some());
    (head, lines)
}

fn texts(records: &[Json]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record["delivered"]["text"].as_str().unwrap_or("-"))
        .collect()
}

fn insert(connector: Properties, field: &str) -> Properties {
    connector
        .set("transforms", "where")
        .set(
            "transforms.where.type",
            "org.apache.kafka.connect.transforms.InsertField$Value",
        )
        .set("transforms.where.topic.field", field)
}

#[test]
fn a_sink_is_shown_without_a_group_and_without_commits() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let (bootstrap, client) = (cluster.bootstrap(), cluster.client());
    client.create_topic("preview-sink", 2);
    for (partition, letter) in [(0, 'a'), (1, 'b')] {
        let value = |n: usize| Some(format!("{{\"n\":\"{letter}{n}\"}}").into_bytes());
        let pairs = (0..20).map(|n| (None, value(n))).collect();
        client.produce("preview-sink", partition, Compression::Lz4, pairs);
    }
    let dir = scratch_dir("preview-live");
    let out = dir.path().join("out.txt");
    let sink = file_sink("preview-live", &out, "preview-sink,preview-absent");
    let sink = pipeline::with_converter(insert(sink, "topic"), JSON, Some(false));
    let files = files(dir.path(), &pipeline::worker(&bootstrap), &sink);
    // The cluster is shared with tests that make topics meanwhile; a preview can only make those it names.
    let topics = || {
        let mut topics = client.topics();
        topics.retain(|name, _| name.starts_with("preview-sink") || name == "preview-absent");
        topics
    };
    let before = topics();

    let (head, records) = objects(&files, &["--limit", "6"]);
    assert_eq!(head["kind"], "sink");
    assert_eq!(head["roads"]["value"], "tape");
    assert_eq!(head["transforms"][0]["alias"], "where");
    let warnings = head["warnings"].to_string();
    assert!(warnings.contains("preview-absent"), "{warnings}");
    let mut shown = texts(&records);
    shown.sort_unstable();
    let of = |letter, n| format!("{{topic=preview-sink, n={letter}{n}}}");
    let both = [
        ('a', 17),
        ('a', 18),
        ('a', 19),
        ('b', 17),
        ('b', 18),
        ('b', 19),
    ];
    let expected = both.map(|(letter, n)| of(letter, n));
    assert_eq!(shown, expected);
    assert_eq!(
        records[0]["steps"][0]["changes"],
        json!([{"path": "value.topic", "before": null, "after": "string \"preview-sink\""}])
    );

    let (_, first) = objects(&files, &["--from", "earliest", "--limit", "1"]);
    assert_eq!(first[0]["read"]["offset"], 0);

    let ran = look(&files, &["--limit", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for part in [
        "sink preview-live",
        "roads       key slice, value tape",
        "there is no topic 'preview-absent'",
        "fix: ",
        "after     where (InsertField$Value)",
        "+ value.topic = string \"preview-sink\"",
        "nothing was written or committed",
    ] {
        assert!(ran.out.contains(part), "{part} is not in:\n{}", ran.out);
    }
    assert!(!ran.out.contains('\x1b'), "colours without a terminal");

    assert_eq!(topics(), before, "topics were made");
    assert!(!out.exists(), "the sink was started");
    assert!(!dir.path().join("offsets").exists());
    let rows = kafka.describe_group(&bootstrap, "connect-preview-live");
    assert!(rows.is_empty(), "{rows:?}");
}

#[test]
fn a_sink_goes_on_where_its_group_is_and_the_group_stays_there() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let (bootstrap, client) = (cluster.bootstrap(), cluster.client());
    client.create_topic("preview-group", 1);
    client.produce_values("preview-group", Compression::NoCompression, ["1", "2", "3"]);
    let dir = scratch_dir("preview-group");
    let out = dir.path().join("out.txt");
    let sink = file_sink("preview-group", &out, "preview-group");
    let standalone = Standalone::new(&pipeline::worker(&bootstrap), std::slice::from_ref(&sink));
    let ringmain = standalone.start();
    wait_until("the output", PATIENCE, || {
        fs::read(&out).unwrap_or_default() == b"1\n2\n3\n"
    });
    ringmain.stop_cleanly();
    let committed = || {
        let rows = kafka.describe_group(&bootstrap, "connect-preview-group");
        rows.first().and_then(|row| row.current_offset)
    };
    assert_eq!(committed(), Some(3));
    client.produce_values("preview-group", Compression::NoCompression, ["4", "5"]);

    let files = files(dir.path(), &pipeline::worker(&bootstrap), &sink);
    let (head, records) = objects(&files, &["--from", "committed"]);
    assert_eq!(head["roads"]["value"], "slice");
    assert_eq!(texts(&records), ["4", "5"]);
    assert_eq!(committed(), Some(3));
    assert_eq!(fs::read(&out).unwrap(), b"1\n2\n3\n");
}

#[test]
fn a_failing_record_says_what_would_happen_and_what_to_change() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let client = cluster.client();
    client.create_topic("preview-bad", 1);
    client.produce_values("preview-bad", Compression::NoCompression, ["{\"plain\":1}"]);
    let dir = scratch_dir("preview-bad");
    let sink = file_sink("preview-bad", &dir.path().join("out"), "preview-bad")
        .set("value.converter", JSON)
        .set("errors.tolerance", "all")
        .set("errors.log.enable", false);
    let files = files(dir.path(), &pipeline::worker(&cluster.bootstrap()), &sink);
    let ran = look(&files, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for part in [
        "VALUE_CONVERTER in JsonConverter",
        "the record is skipped",
        "value.converter.schemas.enable=false",
        "warning errors.tolerance",
    ] {
        assert!(ran.out.contains(part), "{part} is not in:\n{}", ran.out);
    }
}

#[test]
fn a_source_is_shown_from_where_it_was_left_and_stays_there() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let (bootstrap, client) = (cluster.bootstrap(), cluster.client());
    let worker = pipeline::worker(&bootstrap);
    let standalone = Standalone::new(&worker, &[]);
    let input = standalone.dir().join("in.txt");
    fs::write(&input, "one\ntwo\n").unwrap();
    let source = file_source("preview-source", &input, "preview-source");
    let standalone = standalone.with_connectors(std::slice::from_ref(&source));
    let ringmain = standalone.start();
    wait_for("both lines", PATIENCE, || {
        client.topics().contains_key("preview-source").then_some(())
    });
    wait_until("both lines in the topic", PATIENCE, || {
        kafka.end_offsets(&bootstrap, "preview-source") == [("preview-source".to_owned(), 0, 2)]
    });
    ringmain.stop_cleanly();
    fs::write(&input, "one\ntwo\nthree\nfour\n").unwrap();
    let before = fs::read(standalone.offset_file()).unwrap();
    let other = source.clone().set("topic", "preview-source-absent");
    let other = other.write(&standalone.dir().join("other.properties"));
    let connector = source.write(&standalone.dir().join("source.properties"));
    let worker = standalone.worker_file().to_owned();

    let files = Files { worker, connector };
    let (head, records) = objects(&files, &["--timeout", "3"]);
    assert_eq!(head["kind"], "source");
    assert_eq!(
        head["roads"],
        json!({"key": "slice", "value": "slice", "form": "slices of text"})
    );
    let values: Vec<_> = records
        .iter()
        .map(|r| r["written"]["value"].clone())
        .collect();
    assert_eq!(values, [super::base64("three"), super::base64("four")]);
    assert_eq!(
        records[0]["read"]["sourcePartition"]["filename"],
        json!(input)
    );
    assert_eq!(records[1]["read"]["sourceOffset"]["position"], 19);

    let absent = Files {
        connector: other,
        ..files
    };
    let ran = look(&absent, &["--limit", "1"]);
    for part in [
        "written   topic preview-source-absent",
        "topic.creation",
        "is not there",
    ] {
        assert!(
            ran.out.contains(part),
            "{part} is not in:\n{}\n{}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(fs::read(standalone.offset_file()).unwrap(), before);
    assert!(!client.topics().contains_key("preview-source-absent"));
    let end = kafka.end_offsets(&bootstrap, "preview-source");
    assert_eq!(end, [("preview-source".to_owned(), 0, 2)]);
}

#[test]
fn the_offsets_of_a_running_worker_can_be_read_beside_it() {
    let Some(kafka) = kafka() else { return };
    let bootstrap = kafka.shared_cluster().bootstrap();
    let standalone = Standalone::new(&pipeline::worker(&bootstrap), &[]);
    let input = standalone.dir().join("in.txt");
    fs::write(&input, "one\n").unwrap();
    let source = file_source("preview-beside", &input, "preview-beside");
    let standalone = standalone.with_connectors(std::slice::from_ref(&source));
    let ringmain = standalone.start();
    let files = Files {
        connector: source.write(&standalone.dir().join("beside.properties")),
        worker: standalone.worker_file().to_owned(),
    };
    wait_until("a stored offset", PATIENCE, || {
        let (_, records) = objects(&files, &["--timeout", "1"]);
        records.is_empty()
    });
    ringmain.stop_cleanly();
}

#[test]
fn the_embedded_log_and_its_sources_can_be_looked_at() {
    let dir = scratch_dir("preview-embedded");
    let log = dir.path().join("log");
    let worker = pipeline::worker(&format!("embedded:{}", log.display()));
    let input = dir.path().join("in.txt");
    fs::write(&input, "one\ntwo\n").unwrap();
    let source = file_source("embedded-preview", &input, "lines");
    let sink = file_sink("embedded-preview-sink", &dir.path().join("out"), "lines");

    // Nothing is there yet, and looking makes nothing.
    let files = files(dir.path(), &worker, &source);
    let (_, records) = objects(&files, &["--timeout", "2"]);
    assert_eq!(records.len(), 2, "{records:?}");
    let sinks = Files {
        connector: sink.write(&dir.path().join("sink.properties")),
        ..files
    };
    look(&sinks, &[]).assert_refused(2, &["no embedded log"]);
    assert!(!log.exists());

    let standalone = Standalone::new(&worker, &[]).with_connectors(&[source, sink]);
    let ringmain = standalone.start();
    wait_until("the output", PATIENCE, || {
        fs::read(dir.path().join("out")).unwrap_or_default() == b"one\ntwo\n"
    });
    // One process at a time holds the log.
    let ran = look(&sinks, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    ringmain.stop_cleanly();
    let (_, records) = objects(&sinks, &["--from", "earliest"]);
    assert_eq!(texts(&records), ["one", "two"]);
}

#[test]
fn what_can_not_be_looked_at_says_why() {
    let dir = scratch_dir("preview-refused");
    let worker = pipeline::worker("127.0.0.1:1");
    let sink = file_sink("refused", &dir.path().join("out"), "t");
    let run_with =
        |connector: &Properties, args: &[&str]| look(&files(dir.path(), &worker, connector), args);
    let unknown = sink.clone().set("value.converter", "org.x.Nope");
    run_with(&unknown, &[]).assert_refused(2, &["org.x.Nope"]);
    // No broker.
    run_with(&sink, &["--timeout", "2"]).assert_refused(1, &["--timeout"]);
    let connector = sink.write(&dir.path().join("c.properties"));
    run(&mut command(&[&connector]), b"").assert_refused(2, &["--worker", "--input"]);
    let mixed = run(
        command(&[&connector]).args(["--input", "-", "--limit", "3"]),
        b"",
    );
    mixed.assert_refused(2, &["--limit"]);
}
