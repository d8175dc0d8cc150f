//! The same records through Apache's own classes (`tests/oracle/PreviewOracle.java`).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{base64, command, run, sink};
use crate::common::pipeline::{BYTES, JSON, STRING};
use crate::common::{Kafka, PATIENCE, Process, Properties, kafka, scratch_dir};

/// Texts of dates follow the time zone: one that is easy to get wrong.
const ZONE: &str = "America/St_Johns";
const TRANSFORMS: &str = "org.apache.kafka.connect.transforms";

/// Bytes of keys, values and headers of all sorts, good and bad.
fn samples() -> Vec<Option<Vec<u8>>> {
    let texts = [
        "",
        "text",
        "ä€𐍈",
        "4711",
        "-1",
        "1.50",
        "true",
        "null",
        "{",
        "{}",
        "[]",
        "[1,\"a\",null]",
        r#"{"a":1,"b":"x","c":null,"d":[1,2.5],"e":{"f":true}}"#,
        r#"{"zeta":1,"alpha":2,"added":3}"#,
        r#"{"schema":null,"payload":null}"#,
        r#"{"schema":{"type":"string","optional":true},"payload":null}"#,
        r#"{"schema":{"type":"int32","optional":false},"payload":7}"#,
        r#"{"schema":{"type":"int32","optional":false},"payload":"x"}"#,
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":true,"field":"a"},{"type":"string","optional":false,"field":"b"}],"optional":false,"name":"p.S","version":2},"payload":{"a":5,"b":"y"}}"#,
        r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"b"}]},"payload":{}}"#,
        r#"{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"added"}],"optional":true},"payload":{"added":1}}"#,
        r#"{"schema":{"type":"struct","fields":[{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1,"optional":false,"field":"at"},{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"optional":true,"field":"d"}],"optional":true},"payload":{"at":1700000000123,"d":"AQA="}}"#,
        r#"{"schema":{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int32","optional":false},"optional":false},"payload":{"x":1}}"#,
        r#"{"schema":{"type":"array","items":{"type":"int8","optional":false},"optional":false},"payload":[1,2,300]}"#,
        "2020-02-03T04:05:06.789Z",
        "2020-02-03",
        "[2020-02-03]",
        "{\"k\":1,\"l\":2.5}",
        "a\"b\\c",
        "  blanks  ",
    ];
    let bytes: [&[u8]; 5] = [
        &[0, 0, 0, 1],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
        &[0x7f, 0xc0, 0, 0],
        &[0xc3, 0x28],
        &[1],
    ];
    let mut samples = vec![None];
    samples.extend(texts.iter().map(|text| Some(text.as_bytes().to_vec())));
    samples.extend(bytes.iter().map(|bytes| Some(bytes.to_vec())));
    samples
}

/// Each sample as key, value and header, with others that change with it.
fn records() -> Vec<Json> {
    let samples = samples();
    let text = |index: usize| samples[index % samples.len()].as_deref().map(base64);
    let mut records = Vec::new();
    for round in 0..9 {
        for index in 0..samples.len() {
            let topic = ["t", "orders", "a.b-c", "t"][(index + round) % 4];
            let headers = match round % 3 {
                0 => json!([]),
                1 => json!([["h", text(index + round)]]),
                _ => json!([
                    ["h", text(index)],
                    ["drop", text(index * 7 + round)],
                    ["h", null]
                ]),
            };
            let timestamp = [-1, 0, 1_700_000_000_123_i64][(index + round) % 3];
            let kind = ["CreateTime", "LogAppendTime"][round % 2];
            records.push(json!({
                "topic": topic,
                "partition": (index + round) % 3,
                "offset": round * 1000 + index,
                "timestamp": timestamp,
                "timestampType": kind,
                "key": text(index * 5 + round),
                "value": text(index + round * 11),
                "headers": headers,
            }));
        }
    }
    records
}

fn step(connector: Properties, alias: &str, class: &str, settings: &[(&str, &str)]) -> Properties {
    let list = match connector.get("transforms") {
        Some(before) => format!("{before},{alias}"),
        None => alias.to_owned(),
    };
    let prefix = format!("transforms.{alias}");
    let connector = connector
        .set("transforms", list)
        .set(&format!("{prefix}.type"), format!("{TRANSFORMS}.{class}"));
    settings.iter().fold(connector, |connector, (key, value)| {
        connector.set(&format!("{prefix}.{key}"), value)
    })
}

fn predicate(
    connector: Properties,
    alias: &str,
    class: &str,
    setting: Option<(&str, &str)>,
) -> Properties {
    let prefix = format!("predicates.{alias}");
    let connector = connector.set("predicates", alias).set(
        &format!("{prefix}.type"),
        format!("{TRANSFORMS}.predicates.{class}"),
    );
    match setting {
        Some((key, value)) => connector.set(&format!("{prefix}.{key}"), value),
        None => connector,
    }
}

fn json_value(schemas: bool) -> Properties {
    sink()
        .set("value.converter", JSON)
        .set("value.converter.schemas.enable", schemas)
}

/// Configurations that differ in converters.
fn converters() -> Vec<Properties> {
    let number = |name: &str| format!("org.apache.kafka.connect.converters.{name}Converter");
    vec![
        sink(),
        sink().set("errors.tolerance", "all"),
        sink().set("header.converter", STRING),
        sink()
            .set("header.converter", BYTES)
            .set("value.converter", BYTES),
        sink()
            .set("header.converter", JSON)
            .set("header.converter.schemas.enable", false),
        sink()
            .set("key.converter", number("Long"))
            .set("value.converter", number("Integer")),
        sink()
            .set("key.converter", number("Boolean"))
            .set("value.converter", number("Double")),
        sink()
            .set("key.converter", number("Float"))
            .set("value.converter", number("Short")),
        sink()
            .set("value.converter", BYTES)
            .set("key.converter", JSON),
        // The worker's settings, and a class without them.
        sink().without("value.converter").without("key.converter"),
        json_value(false),
        json_value(true),
    ]
}

/// Configurations with transforms.
fn transforms() -> Vec<Properties> {
    let insert = [
        ("topic.field", "topic"),
        ("partition.field", "partition!"),
        ("offset.field", "offset"),
        ("timestamp.field", "ts"),
        ("static.field", "added"),
        ("static.value", "x"),
    ];
    vec![
        step(json_value(false), "in", "InsertField$Value", &insert),
        step(json_value(true), "in", "InsertField$Value", &insert),
        step(
            json_value(true).set("key.converter", JSON),
            "in",
            "InsertField$Key",
            &insert,
        ),
        step(sink(), "in", "InsertField$Value", &insert),
        step(sink(), "drop", "DropHeaders", &[("headers", "drop,other")]),
        predicate(
            step(sink(), "f", "Filter", &[("predicate", "p")]),
            "p",
            "HasHeaderKey",
            Some(("name", "drop")),
        ),
        predicate(
            step(
                sink(),
                "f",
                "Filter",
                &[("predicate", "p"), ("negate", "true")],
            ),
            "p",
            "TopicNameMatches",
            Some(("pattern", "t|a\\\\..*")),
        ),
        predicate(
            step(
                step(json_value(false), "in", "InsertField$Value", &insert),
                "f",
                "Filter",
                &[("predicate", "p")],
            ),
            "p",
            "RecordIsTombstone",
            None,
        ),
    ]
}

/// Chains of transforms, and failures while writing back.
fn chains() -> Vec<Properties> {
    let number = |name: &str| format!("org.apache.kafka.connect.converters.{name}Converter");
    let hoist = |connector| step(connector, "hoist", "HoistField$Value", &[("field", "x")]);
    let route = [("regex", "(a)\\..*|t"), ("replacement", "to-$1")];
    vec![
        hoist(json_value(false)),
        hoist(json_value(true)),
        // Written back: a struct by a converter of numbers, and by one of texts.
        hoist(sink().set("value.converter", number("Integer"))),
        hoist(sink()),
        step(
            sink().set("header.converter", number("Integer")),
            "add",
            "InsertHeader",
            &[("header", "new"), ("value.literal", "text")],
        ),
        step(
            sink(),
            "add",
            "InsertHeader",
            &[("header", "new"), ("value.literal", "[1, 2]")],
        ),
        step(
            json_value(true).set("key.converter", number("Long")),
            "key",
            "ValueToKey",
            &[("fields", "a")],
        ),
        // A date in a key that is written as text shows in the time zone.
        step(json_value(true), "key", "ValueToKey", &[("fields", "at,d")]),
        step(json_value(false), "key", "ValueToKey", &[("fields", "a,d")]),
        step(
            json_value(false),
            "one",
            "ExtractField$Value",
            &[("field", "e")],
        ),
        step(
            json_value(true),
            "one",
            "ExtractField$Value",
            &[("field", "b")],
        ),
        step(
            step(
                json_value(true),
                "name",
                "SetSchemaMetadata$Value",
                &[("schema.name", "p.New"), ("schema.version", "7")],
            ),
            "route",
            "RegexRouter",
            &route,
        ),
        step(
            json_value(false),
            "some",
            "ReplaceField$Value",
            &[("exclude", "b,zeta"), ("renames", "a:z")],
        ),
    ]
}

/// Configurations that Apache refuses, some at the start of a task only.
fn refused() -> Vec<Properties> {
    let insert = |settings: &[(&str, &str)]| step(sink(), "in", "InsertField$Value", settings);
    vec![
        insert(&[]),
        insert(&[("static.field", "f")]),
        step(sink(), "drop", "DropHeaders", &[]),
        step(sink(), "x", "NoSuchTransform", &[]),
        step(sink(), "f", "Filter", &[("predicate", "absent")]),
        predicate(
            step(sink(), "f", "Filter", &[("predicate", "p")]),
            "p",
            "TopicNameMatches",
            Some(("pattern", "(")),
        ),
        predicate(
            step(sink(), "f", "Filter", &[("predicate", "p")]),
            "p",
            "HasHeaderKey",
            None,
        ),
        sink().without("topics"),
        sink().set("topics.regex", "t.*"),
        sink().set("value.converter", "org.x.NoConverter"),
        json_value(true).set("value.converter.schemas.cache.size", "many"),
        sink().set("errors.tolerance", "some"),
        sink().set("tasks.max", 0),
    ]
}

/// A configuration's files.
struct Case {
    connector: PathBuf,
    input: PathBuf,
    apaches: PathBuf,
}

fn case(dir: &Path, number: usize, connector: &Properties, input: &Path) -> Case {
    Case {
        connector: connector.write(&dir.join(format!("c{number}.properties"))),
        input: input.to_owned(),
        apaches: dir.join(format!("apache{number}.json")),
    }
}

fn ask_apache(kafka: &Kafka, dir: &Path, worker: &Path, cases: &[Case]) {
    let mut java = kafka.java(512, "ERROR");
    java.env("TZ", ZONE)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/PreviewOracle.java"))
        .arg(worker);
    for case in cases {
        java.args([&case.connector, &case.input, &case.apaches]);
    }
    let process = Process::spawn("preview-oracle", java, dir);
    let status = process.wait(PATIENCE * 3);
    assert!(status.success(), "{}", process.output());
}

/// What both say.
fn comparable(mut answer: Json) -> Json {
    if let Some(object) = answer.as_object_mut() {
        // Ours alone.
        object.remove("plugin");
    }
    answer
}

#[test]
fn records_fare_as_with_apaches_converters_and_transforms() {
    let Some(kafka) = kafka() else { return };
    let dir = scratch_dir("preview-oracle");
    let worker = Properties::new()
        .set("bootstrap.servers", "127.0.0.1:1")
        .set("key.converter", STRING)
        .set("value.converter", JSON)
        .set("value.converter.schemas.enable", false)
        .set(
            "offset.storage.file.filename",
            dir.path().join("o").display(),
        )
        .set("plugin.path", kafka.plugin_path().display())
        .set("plugin.discovery", "service_load")
        .write(&dir.path().join("worker.properties"));
    let records = records();
    let input = dir.path().join("input.json");
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    fs::write(&input, lines).unwrap();
    let (mut running, refused) = (converters(), refused());
    running.extend(transforms());
    running.extend(chains());
    let all = running.iter().chain(&refused).enumerate();
    let cases: Vec<Case> = all
        .map(|(number, connector)| case(dir.path(), number, connector, &input))
        .collect();
    ask_apache(kafka, dir.path(), &worker, &cases);

    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let apaches = fs::read_to_string(&case.apaches).unwrap();
        let mut command = command(&[&case.connector]);
        command
            .env("TZ", ZONE)
            .arg("--worker")
            .arg(&worker)
            .arg("--input")
            .arg(&case.input);
        let ran = run(&mut command, b"");
        if number >= running.len() {
            assert!(apaches.starts_with("refused: "), "{number}: {apaches:.200}");
            assert_ne!(ran.code, Some(0), "{apaches}");
            ran.assert_refused(2, &[]);
            continue;
        }
        let ours = ran.answers();
        let theirs: Vec<Json> = apaches
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect();
        assert_eq!(ours.len(), theirs.len(), "configuration {number}");
        for ((ours, theirs), record) in ours.into_iter().zip(theirs).zip(&records) {
            let ours = comparable(ours);
            if ours != theirs {
                let connector = fs::read_to_string(&case.connector).unwrap();
                wrong.push(format!(
                    "{connector}{record}\n ours   {ours}\n apache {theirs}"
                ));
            }
        }
    }
    let count = wrong.len();
    wrong.truncate(8);
    assert!(wrong.is_empty(), "{count} differ:\n{}", wrong.join("\n\n"));
}
