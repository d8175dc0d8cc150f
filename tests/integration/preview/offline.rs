//! Given records, without brokers: each rule, and each way to fail.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{base64, command, finish, preview, record, run, sink, value};
use crate::common::pipeline::{BYTES, JSON};
use crate::common::{Properties, scratch_dir};

fn results(answers: &[Json]) -> Vec<&str> {
    answers
        .iter()
        .map(|a| a["result"].as_str().unwrap())
        .collect()
}

fn insert_static(connector: Properties) -> Properties {
    connector
        .set("transforms", "add")
        .set(
            "transforms.add.type",
            "org.apache.kafka.connect.transforms.InsertField$Value",
        )
        .set("transforms.add.static.field", "added")
        .set("transforms.add.static.value", "x")
}

#[test]
fn a_record_comes_back_with_all_its_parts() {
    let dir = scratch_dir("preview");
    let line = json!({
        "topic": "t", "partition": 3, "offset": 9, "timestamp": 17, "timestampType": "LogAppendTime",
        "key": base64("k"), "value": base64("v"),
        "headers": [["a", base64("1")], ["a", base64("text")], ["none", null]],
    });
    let ran = preview(dir.path(), &sink(), &[line]);
    let expected = json!({
        "result": "record", "topic": "t", "partition": 3, "timestamp": 17,
        "key": base64("k"), "value": base64("v"),
        "headers": [["a", base64("1")], ["a", base64("text")], ["none", null]],
    });
    assert_eq!(ran.answers(), [expected]);
}

#[test]
fn tombstones_empty_values_and_missing_timestamps_stay_what_they_are() {
    let dir = scratch_dir("preview");
    let answers = preview(
        dir.path(),
        &sink(),
        &[
            record("t", Some("k"), None),
            record("t", None, Some("")),
            json!({"topic": "t"}),
        ],
    )
    .answers();
    let of = |n: usize| {
        let answer: &Json = &answers[n];
        (&answer["key"], &answer["value"], &answer["timestamp"])
    };
    assert_eq!(of(0), (&json!(base64("k")), &Json::Null, &Json::Null));
    assert_eq!(of(1), (&Json::Null, &json!(""), &Json::Null));
    assert_eq!(of(2), (&Json::Null, &Json::Null, &Json::Null));
    assert_eq!(answers[2]["partition"], 0);
}

#[test]
fn transforms_with_predicates_change_and_drop_records() {
    let dir = scratch_dir("preview");
    let json = sink()
        .set("value.converter", JSON)
        .set("value.converter.schemas.enable", false);
    let connector = insert_static(json)
        .set("transforms", "drop,add")
        .set(
            "transforms.drop.type",
            "org.apache.kafka.connect.transforms.Filter",
        )
        .set("transforms.drop.predicate", "gone")
        .set("predicates", "gone")
        .set(
            "predicates.gone.type",
            "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
        );
    let answers = preview(
        dir.path(),
        &connector,
        &[
            record("t", None, Some(r#"{"a":1}"#)),
            record("t", None, None),
        ],
    )
    .answers();
    assert_eq!(results(&answers), ["record", "filtered"]);
    let changed: Json = serde_json::from_str(&value(&answers[0]).unwrap()).unwrap();
    assert_eq!(changed, json!({"a": 1, "added": "x"}));
}

/// Stage and class of an error.
fn failure(answer: &Json) -> (&str, &str) {
    assert_eq!(answer["result"], "error", "{answer}");
    assert!(answer["message"].is_string(), "{answer}");
    (
        answer["stage"].as_str().unwrap(),
        answer["class"].as_str().unwrap(),
    )
}

#[test]
fn each_stage_fails_with_its_name_and_the_next_record_goes_on() {
    let dir = scratch_dir("preview");
    let ints = "org.apache.kafka.connect.converters.IntegerConverter";
    let connector = insert_static(sink())
        .set("key.converter", ints)
        .set("value.converter", JSON)
        .set("value.converter.schemas.enable", false)
        .set("header.converter", ints);
    let good = record("t", Some("four"), Some("{}"));
    let mut bad_header = good.clone();
    bad_header["headers"] = json!([["h", base64("12345")]]);
    let mut all_bad = record("t", Some("k"), Some("{"));
    all_bad["headers"] = bad_header["headers"].clone();
    let lines = [
        all_bad,
        record("t", Some("four"), Some("{")),
        bad_header,
        record("t", Some("four"), Some("5")),
        good,
    ];
    for tolerance in ["none", "all"] {
        let connector = connector.clone().set("errors.tolerance", tolerance);
        let answers = preview(dir.path(), &connector, &lines).answers();
        assert_eq!(failure(&answers[0]), ("KEY_CONVERTER", "DataException"));
        assert_eq!(failure(&answers[1]), ("VALUE_CONVERTER", "DataException"));
        assert_eq!(failure(&answers[2]), ("HEADER_CONVERTER", "DataException"));
        assert_eq!(failure(&answers[3]), ("TRANSFORMATION", "DataException"));
        assert_eq!(answers[4]["result"], "record");
    }
}

#[test]
fn configurations_that_would_not_start_are_refused_before_anything_is_printed() {
    let dir = scratch_dir("preview");
    let insert = "org.apache.kafka.connect.transforms.InsertField$Value";
    let transform = |class: &str| {
        sink()
            .set("transforms", "a")
            .set("transforms.a.type", class)
    };
    let source = Properties::new()
        .set("name", "s")
        .set("connector.class", "FileStreamSource")
        .set("topic", "t");
    for (connector, parts) in [
        // Its validation passes: it fails at the start of a task.
        (transform(insert), vec!["No field insertion configured"]),
        (transform("org.x.Nope"), vec!["org.x.Nope"]),
        (
            transform(insert)
                .set("transforms.a.static.field", "f")
                .set("transforms.a.static.value", "v")
                .set("transforms.a.predicate", "p"),
            vec!["Predicate is not listed"],
        ),
        (sink().without("topics"), vec!["topics.regex"]),
        (sink().set("connector.class", "Nope"), vec!["Nope"]),
        (
            sink().set("value.converter", "org.x.Nope"),
            vec!["org.x.Nope"],
        ),
        (
            sink().set("value.converter.converter.encoding", "no-such-charset"),
            vec!["no-such-charset"],
        ),
        (
            sink().set("consumer.override.fetch.min.bytes", "x"),
            vec!["fetch.min.bytes"],
        ),
        (source, vec!["source connector"]),
    ] {
        let ran = preview(dir.path(), &connector, &[record("t", None, Some("x"))]);
        ran.assert_refused(2, &parts);
    }
}

#[test]
fn a_connectors_own_converter_hides_the_workers_with_all_its_settings() {
    let dir = scratch_dir("preview");
    let worker = Properties::new()
        .set("bootstrap.servers", "127.0.0.1:1")
        .set("key.converter", BYTES)
        .set("value.converter", JSON)
        .set("value.converter.schemas.enable", false)
        .set(
            "offset.storage.file.filename",
            dir.path().join("o").display(),
        )
        .write(&dir.path().join("worker.properties"));
    let line = format!("{}\n", record("t", None, Some(r#"{"a":1}"#)));
    let answer = |connector: Properties| {
        let file = connector.write(&dir.path().join("c.properties"));
        let mut command = command(&[&file]);
        command.arg("--worker").arg(&worker).args(["--input", "-"]);
        run(&mut command, line.as_bytes()).answers().remove(0)
    };
    let bare = sink().without("key.converter").without("value.converter");
    assert_eq!(answer(bare.clone())["result"], "record");
    let own = answer(bare.set("value.converter", JSON));
    assert_eq!(failure(&own), ("VALUE_CONVERTER", "DataException"));
    assert!(!dir.path().join("o").exists(), "an offset file was made");
}

#[test]
fn without_a_worker_the_converters_are_those_of_apaches_stock_worker() {
    let dir = scratch_dir("preview");
    let bare = sink().without("key.converter").without("value.converter");
    let envelope = r#"{"schema":{"type":"int32","optional":false},"payload":5}"#;
    let ran = preview(dir.path(), &bare, &[record("t", None, Some(envelope))]);
    assert_eq!(value(&ran.answers()[0]).unwrap(), envelope);
    for part in ["key.converter", "value.converter", "JsonConverter"] {
        assert!(ran.err.contains(part), "{part} is not in: {}", ran.err);
    }
}

#[test]
fn json_connector_files_and_config_providers_work() {
    let dir = scratch_dir("preview");
    let worker = Properties::new()
        .set("key.converter", BYTES)
        .set("value.converter", BYTES)
        .set("config.providers", "env")
        .set(
            "config.providers.env.class",
            "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        )
        .write(&dir.path().join("worker.properties"));
    let file = dir.path().join("connector.json");
    let connector = json!({"name": "j", "config": {
        "connector.class": "FileStreamSink", "topics": "t",
        "value.converter": "${env:PREVIEW_CONVERTER}",
        "value.converter.schemas.enable": "false",
    }});
    std::fs::write(&file, connector.to_string()).unwrap();
    let mut command = command(&[&file]);
    command
        .env("PREVIEW_CONVERTER", JSON)
        .arg("--worker")
        .arg(&worker)
        .args(["--input", "-"]);
    let line = format!("{}\n", record("t", None, Some("{ \"a\" : 1 }")));
    let answers = run(&mut command, line.as_bytes()).answers();
    assert_eq!(value(&answers[0]).unwrap(), r#"{"a":1}"#);
}

#[test]
fn the_example_does_what_the_readme_says() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/preview");
    let ran = run(
        command(&[&examples.join("orders-sink.properties")])
            .arg("--input")
            .arg(examples.join("orders.jsonl")),
        b"",
    );
    let answers = ran.answers();
    assert_eq!(results(&answers), ["record", "record", "filtered", "error"]);
    let order = r#"{"item":"lamp","count":1,"topic":"orders","offset":42}"#;
    let shown: Json = serde_json::from_str(&value(&answers[1]).unwrap()).unwrap();
    assert_eq!(shown, serde_json::from_str::<Json>(order).unwrap());
    assert_eq!(failure(&answers[3]), ("VALUE_CONVERTER", "DataException"));
    assert_eq!(ran.err, "");
}

#[test]
fn a_malformed_line_ends_the_run_and_the_lines_before_it_stay() {
    let dir = scratch_dir("preview");
    let connector = sink().write(&dir.path().join("c.properties"));
    let good = record("t", None, Some("x")).to_string();
    for (bad, part) in [
        ("{", "column"),
        ("not json", "not a JSON object"),
        (r#"{"topic":"t","value":"?"}"#, "value: not base64"),
        (r#"{"value":null}"#, "topic"),
    ] {
        let input = dir.path().join("input.json");
        std::fs::write(&input, format!("{good}\n\n{good}\n{bad}\n{good}\n")).unwrap();
        let ran = run(command(&[&connector]).arg("--input").arg(&input), b"");
        assert_eq!((ran.code, ran.lines().len()), (Some(1), 2), "{}", ran.err);
        for part in ["input.json, line 4: ", part] {
            assert!(ran.err.contains(part), "{part} is not in: {}", ran.err);
        }
    }
    let ran = run(
        command(&[&connector]).args(["--input", "/no/such/file"]),
        b"",
    );
    ran.assert_refused(2, &["/no/such/file"]);
}

#[test]
fn lines_come_out_as_they_come_in() {
    let dir = scratch_dir("preview");
    let connector = sink().write(&dir.path().join("c.properties"));
    let mut child = command(&[&connector])
        .args(["--input", "-"])
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for n in 0..3 {
        let line = record("t", None, Some(&n.to_string()));
        writeln!(stdin, "{line}").unwrap();
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        let answer: Json = serde_json::from_str(&answer).unwrap();
        assert_eq!(value(&answer), Some(n.to_string()));
    }
    drop(stdin);
    assert_eq!(finish(child).code, Some(0));
}

#[test]
fn the_time_zone_is_that_of_tz() {
    let dir = scratch_dir("preview");
    let connector = sink()
        .set("value.converter", JSON)
        .set("transforms", "key")
        .set(
            "transforms.key.type",
            "org.apache.kafka.connect.transforms.ValueToKey",
        )
        .set("transforms.key.fields", "at")
        .write(&dir.path().join("c.properties"));
    let value = r#"{"schema":{"type":"struct","fields":[{"field":"at","type":"int64",
        "name":"org.apache.kafka.connect.data.Timestamp","version":1,"optional":false}],
        "optional":false},"payload":{"at":0}}"#;
    let line = record("t", None, Some(value)).to_string();
    for (zone, key) in [
        ("UTC", "Struct{at=Thu Jan 01 00:00:00 UTC 1970}"),
        ("Asia/Tokyo", "Struct{at=Thu Jan 01 09:00:00 JST 1970}"),
    ] {
        let mut command = command(&[&connector]);
        command.env("TZ", zone).args(["--input", "-"]);
        let answers = run(&mut command, line.as_bytes()).answers();
        assert_eq!(answers[0]["key"], base64(key), "{zone}");
    }
}

#[test]
fn tens_of_thousands_of_records_take_seconds() {
    let dir = scratch_dir("preview");
    let json = sink()
        .set("value.converter", JSON)
        .set("value.converter.schemas.enable", false);
    let connector = insert_static(json).write(&dir.path().join("c.properties"));
    let line = format!(
        "{}\n",
        record("t", Some("key"), Some(r#"{"a":1,"b":"text"}"#))
    );
    let started = Instant::now();
    let ran = run(
        command(&[&connector]).args(["--input", "-"]),
        line.repeat(20_000).as_bytes(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 20_000);
    // Without optimisation, on a machine that is busy; seconds less otherwise.
    assert!(started.elapsed() < Duration::from_secs(60));
}
