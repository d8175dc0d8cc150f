//! Apache's stock standalone files, unchanged but for paths and ports, and the bytes that each
//! converter leaves in topics and files: the same as Apache's own Connect.

use std::fs;

use crate::common::client::{Compression, Pair};
use crate::common::lines::append_lines;
use crate::common::pipeline::{self, BYTES, JSON, STRING, file_sink, file_source, with_converter};
use crate::common::{PATIENCE, Standalone, free_port, kafka, scratch_dir, wait_until};

const STOCK_WORKER: &str = "\
# Licensed to the Apache Software Foundation (ASF) under one or more
# contributor license agreements.  See the NOTICE file distributed with
# this work for additional information regarding copyright ownership.

# These are defaults. This file just demonstrates how to override some settings.
bootstrap.servers=localhost:9092

# The converters specify the format of data in Kafka and how to translate it into Connect data. \
Every Connect user will
# need to configure these based on the format they want their data in when loaded from or stored \
into Kafka
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
# Converter-specific settings can be passed in by prefixing the Converter's setting with the \
converter we want to apply
# it to
key.converter.schemas.enable=true
value.converter.schemas.enable=true

offset.storage.file.filename=/tmp/connect.offsets
# Flush much faster than normal, which is useful for testing/debugging
offset.flush.interval.ms=10000

# Set to a list of filesystem paths separated by commas (,) to enable class loading isolation for \
plugins
#plugin.path=
";

const STOCK_SOURCE: &str = "\
name=local-file-source
connector.class=FileStreamSource
tasks.max=1
file=test.txt
topic=connect-test
";

const STOCK_SINK: &str = "\
name=local-file-sink
connector.class=FileStreamSink
tasks.max=1
file=test.sink.txt
topics=connect-test
";

/// Replaces the values of keys that stand in the text.
fn edit(text: &str, edits: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (key, value) in edits {
        let start = text.find(&format!("\n{key}=")).map(|at| at + 1);
        let start = start.unwrap_or_else(|| if text.starts_with(key) { 0 } else { panic!() });
        let end = start + text[start..].find('\n').unwrap();
        text.replace_range(start..end, &format!("{key}={value}"));
    }
    text
}

fn stock_files(bootstrap: &str) -> Standalone {
    let dir = scratch_dir("stock");
    let port = free_port();
    let offsets = dir.path().join("connect.offsets");
    let edits = [
        ("bootstrap.servers", bootstrap),
        ("offset.storage.file.filename", offsets.to_str().unwrap()),
    ];
    let worker = edit(STOCK_WORKER, &edits) + &format!("listeners=HTTP://127.0.0.1:{port}\n");
    fs::write(dir.path().join("connect-standalone.properties"), worker).unwrap();
    fs::write(
        dir.path().join("connect-file-source.properties"),
        STOCK_SOURCE,
    )
    .unwrap();
    fs::write(dir.path().join("connect-file-sink.properties"), STOCK_SINK).unwrap();
    Standalone::of_files(
        dir,
        port,
        "connect-standalone.properties",
        &[
            "connect-file-source.properties",
            "connect-file-sink.properties",
        ],
    )
}

#[test]
fn stock_files_move_a_file_byte_for_byte_and_kafkas_tool_sees_the_group() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let files = stock_files(&cluster.bootstrap());
    let input = files.dir().join("test.txt");
    append_lines(&input, 0..20_000);
    let expected = fs::read(&input).unwrap();
    let ringmain = files.launch_as_connect_standalone();
    wait_until("the sink's file", PATIENCE, || {
        files.read("test.sink.txt").len() >= expected.len()
    });
    assert!(
        files.read("test.sink.txt") == expected,
        "the output differs from the input"
    );

    let values = cluster.client().read_values("connect-test");
    assert_eq!(values.len(), 20_000);
    for (value, line) in values.iter().zip(expected.split(|b| *b == b'\n')) {
        let line = std::str::from_utf8(line).unwrap();
        let payload = serde_json::to_string(line).unwrap();
        let envelope =
            format!(r#"{{"schema":{{"type":"string","optional":false}},"payload":{payload}}}"#);
        assert_eq!(String::from_utf8_lossy(value), envelope);
    }

    let group = "connect-local-file-sink";
    wait_until("the sink's commit to show in the group", PATIENCE, || {
        let rows = kafka.describe_group(&cluster.bootstrap(), group);
        rows.iter().any(|row| {
            row.topic == "connect-test"
                && row.current_offset == Some(20_000)
                && row.log_end_offset == Some(20_000)
                && row.lag == Some(0)
                && row.consumer_id.is_some()
                && row.client_id.as_deref() == Some("connector-consumer-local-file-sink-0")
        })
    });
    ringmain.stop_cleanly();
}

/// Lines that a text format could stumble over. Ends with a whole line, and holds far fewer lines
/// than FileStreamSource's batch, as Apache's keeps a last batch back until the file grows.
fn awkward_lines() -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in [
        "plain",
        "",
        "\"quoted\" and \\back\\slashed\\",
        "tab\there, slash / and {\"json\":[1,2,{\"a\":null}]}",
        "umlaut äöü, euro €, cjk 漢字, emoji 😀, math 𝔸",
        "controls \u{1}\u{8}\u{b}\u{c}\u{1b}\u{7f}\u{85} and separators \u{2028}\u{2029}\u{feff}",
        "nul\0inside",
        "  blanks around  ",
        "null",
        "true",
        "12",
        "\u{ffff}\u{e000}",
    ] {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(b"carriage\rreturns\r\nof all\r\rkinds\n\r\n");
    let long: String = (0..5_000)
        .map(|i| char::from(b'a' + u8::try_from(i % 26).unwrap()))
        .collect();
    bytes.extend_from_slice(long.as_bytes());
    bytes.extend_from_slice(b"\nthe last\n");
    bytes
}

const CONVERTERS: [(&str, &str, Option<bool>); 3] = [
    ("string", STRING, None),
    ("envelope", JSON, Some(true)),
    ("schemaless", JSON, Some(false)),
];

#[test]
fn each_converter_writes_the_bytes_apaches_connect_writes_and_reads_what_it_wrote() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let client = cluster.client();
    let dir = scratch_dir("converters");
    let path = |name: &str| dir.path().join(name);
    fs::write(path("in.txt"), awkward_lines()).unwrap();
    let mut ours = Vec::new();
    for (name, converter, schemas) in CONVERTERS {
        let with = |connector| with_converter(connector, converter, schemas);
        for side in ["apache", "ringmain"] {
            client.create_topic(&format!("{side}-{name}"), 1);
        }
        let topic = |side: &str| format!("{side}-{name}");
        oracle.create(&with(file_source(
            &topic("apache"),
            &path("in.txt"),
            &topic("apache"),
        )));
        let sink = format!("apache-sink-{name}");
        let out = path(&format!("apache-{name}.txt"));
        oracle.create(&with(file_sink(&sink, &out, &topic("ringmain"))));
        ours.push(with(file_source(
            &topic("ringmain"),
            &path("in.txt"),
            &topic("ringmain"),
        )));
        let sink = format!("ringmain-sink-{name}");
        let out = path(&format!("ringmain-{name}.txt"));
        ours.push(with(file_sink(&sink, &out, &topic("apache"))));
    }
    let ringmain = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &ours).start();
    for (name, _, _) in CONVERTERS {
        let count = client.wait_for_end_offset(&format!("apache-{name}"), 18, PATIENCE);
        client.wait_for_end_offset(&format!("ringmain-{name}"), count, PATIENCE);
        let theirs = client.read_pairs(&format!("apache-{name}"));
        let mine = client.read_pairs(&format!("ringmain-{name}"));
        assert_same_records(name, &theirs, &mine);
        let read = |side: &str| fs::read(path(&format!("{side}-{name}.txt"))).unwrap_or_default();
        let lines = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
        wait_until(&format!("both sinks of {name}"), PATIENCE, || {
            ["apache", "ringmain"].map(|side| lines(&read(side))) == [theirs.len(); 2]
        });
        assert_eq!(
            String::from_utf8_lossy(&read("apache")),
            String::from_utf8_lossy(&read("ringmain")),
            "files written with {name}"
        );
    }
    ringmain.stop_cleanly();
}

fn assert_same_records(name: &str, theirs: &[Pair], mine: &[Pair]) {
    for (number, (apache, ringmain)) in theirs.iter().zip(mine).enumerate() {
        let text = |pair: &Pair| {
            pair.1
                .as_ref()
                .map(|v| String::from_utf8_lossy(v).into_owned())
        };
        assert_eq!(
            text(apache),
            text(ringmain),
            "value {number} written with {name}"
        );
        assert!(apache == ringmain, "record {number} written with {name}");
    }
    assert_eq!(theirs.len(), mine.len(), "records written with {name}");
}

/// JSON of all kinds, as somebody else's producer writes it.
fn documents() -> Vec<Pair> {
    let values = [
        r#"{"b":1,"a":"x"}"#,
        r#"{"one":1,"two":2.5,"three":[1,"a",null,{"k":true}],"four":null,"five":{}}"#,
        r#"{"exp":1e10,"small":0.0001,"neg":-0.0,"big":9007199254740993,"huge":1e400}"#,
        r#"{"ä":"ö","emoji":"😀","esc":"\u00e4\t\"","lone":"\ud83d"}"#,
        r#"[1,2,[3,[]],{"z":0}]"#,
        r#""text""#,
        "12",
        "1.0",
        "true",
        "null",
        r#"{"id":1,"name":"a","tags":["x","y"],"at":1700000000000,"ok":false,"score":3.75}"#,
        r#"{"user":{"id":7,"mail":"a@b.c"},"items":[{"sku":"s1","n":2},{"sku":"s2","n":1}]}"#,
    ];
    let mut pairs: Vec<Pair> = values.map(|v| (None, Some(v.as_bytes().to_vec()))).into();
    pairs.push((Some(br#"{"key":1}"#.to_vec()), None));
    pairs
}

/// The same with schemas.
fn envelopes() -> Vec<Pair> {
    let values = [
        r#"{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},
            {"type":"string","optional":true,"field":"s"},{"type":"boolean","optional":true,"field":"b"},
            {"type":"double","optional":true,"field":"d"},{"type":"float","optional":true,"field":"f"},
            {"type":"array","items":{"type":"int32","optional":false},"optional":true,"field":"a"},
            {"type":"map","keys":{"type":"string","optional":false},
             "values":{"type":"int8","optional":false},"optional":true,"field":"m"}],
            "optional":false,"name":"r"},
            "payload":{"id":1,"s":"x","b":true,"d":1.5e10,"f":0.1,"a":[1,2],"m":{"y":1,"x":2}}}"#,
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":true,"field":"gone"},
            {"type":"string","optional":true,"default":"filled","field":"s"}],"optional":false},
            "payload":{"gone":null}}"#,
        r#"{"schema":{"type":"int32","optional":false},"payload":7}"#,
        r#"{"schema":{"type":"string","optional":true},"payload":null}"#,
        r#"{"schema":{"type":"bytes","optional":false,"version":1,
            "name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},
            "payload":"AN4="}"#,
        r#"{"schema":null,"payload":{"b":1,"a":[1.5]}}"#,
    ];
    let mut pairs: Vec<Pair> = values.map(|v| (None, Some(v.as_bytes().to_vec()))).into();
    pairs.push((None, None));
    pairs
}

#[test]
fn json_of_all_kinds_comes_out_of_the_sink_as_from_apaches() {
    let Some(kafka) = kafka() else { return };
    let cases = [
        ("documents", JSON, Some(false), documents()),
        ("envelopes", JSON, Some(true), envelopes()),
        ("texts", STRING, None, documents()),
    ];
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let client = cluster.client();
    let dir = scratch_dir("json");
    let path = |side: &str, name: &str| dir.path().join(format!("{side}-{name}.txt"));
    let mut ours = Vec::new();
    for (name, converter, schemas, pairs) in &cases {
        client.create_topic(name, 1);
        client.produce(name, 0, Compression::NoCompression, pairs.clone());
        let sink = |side: &str| {
            let sink = file_sink(&format!("{side}-json-{name}"), &path(side, name), name);
            with_converter(sink, converter, *schemas)
        };
        oracle.create(&sink("apache"));
        ours.push(sink("ringmain"));
    }
    let ringmain = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &ours).start();
    for (name, _, _, pairs) in &cases {
        let read = |side: &str| fs::read_to_string(path(side, name)).unwrap_or_default();
        for side in ["apache", "ringmain"] {
            wait_until(&format!("the {side} sink of {name}"), PATIENCE, || {
                read(side).lines().count() == pairs.len()
            });
        }
        assert_eq!(read("apache"), read("ringmain"), "{name}");
    }
    ringmain.stop_cleanly();
}

#[test]
fn bytes_of_a_topic_reach_the_file_unharmed_through_the_byte_array_converter() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let client = cluster.client();
    client.create_topic("raw-bytes", 1);
    let values: [&[u8]; 4] = [b"text", b"\xff\xfe\x00\x80", b"", "ä€😀".as_bytes()];
    client.produce_values("raw-bytes", Compression::NoCompression, values);
    let dir = scratch_dir("bytes");
    let out = dir.path().join("out.bin");
    let sink = with_converter(file_sink("raw-bytes-sink", &out, "raw-bytes"), BYTES, None);
    let ringmain = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[sink]).start();
    let mut expected = values.join(&b'\n');
    expected.push(b'\n');
    wait_until("the bytes", PATIENCE, || {
        fs::read(&out).unwrap_or_default() == expected
    });
    ringmain.stop_cleanly();
}
