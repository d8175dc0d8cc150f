//! Transformations in running connectors, side by side with Apache's own: the same bytes in topics and
//! files, the same records left out, the same failures.

use std::fs;

use crate::common::client::{Compression, Pair};
use crate::common::pipeline::{self, JSON, file_sink, file_source, with_converter};
use crate::common::{PATIENCE, Properties, Standalone, kafka, scratch_dir, wait_for, wait_until};

const TRANSFORMS: &str = "org.apache.kafka.connect.transforms";
const PREDICATES: &str = "org.apache.kafka.connect.transforms.predicates";

/// Adds a transformation to the end of the chain.
fn with_transform(
    connector: Properties,
    alias: &str,
    class: &str,
    keys: &[(&str, &str)],
) -> Properties {
    let listed = match connector.get("transforms") {
        Some(listed) => format!("{listed},{alias}"),
        None => alias.to_owned(),
    };
    let class = format!("{TRANSFORMS}.{class}");
    let connector = connector
        .set("transforms", listed)
        .set(&format!("transforms.{alias}.type"), class);
    keys.iter().fold(connector, |connector, (key, value)| {
        connector.set(&format!("transforms.{alias}.{key}"), value)
    })
}

/// Fields hoisted, inserted, renamed and left out, a header and a key made of fields, and routing that hangs
/// on predicates.
fn source_chain(source: Properties) -> Properties {
    let source = with_transform(source, "hoist", "HoistField$Value", &[("field", "line")]);
    let keys = [
        ("static.field", "origin!"),
        ("static.value", "file"),
        ("topic.field", "from"),
    ];
    let source = with_transform(source, "insert", "InsertField$Value", &keys);
    let keys = [("header", "kind"), ("value.literal", "[1, 2]")];
    let source = with_transform(source, "header", "InsertHeader", &keys);
    let source = with_transform(source, "key", "ValueToKey", &[("fields", "origin,line")]);
    let keys = [("renames", "line:text"), ("exclude", "from")];
    let source = with_transform(source, "replace", "ReplaceField$Value", &keys);
    let keys = [
        ("regex", "(.*)-in"),
        ("replacement", "$1-out"),
        ("predicate", "incoming"),
    ];
    let source = with_transform(source, "route", "RegexRouter", &keys);
    let keys = [("predicate", "incoming"), ("negate", "false")];
    let source = with_transform(source, "never", "Filter", &keys);
    source
        .set("predicates", "incoming")
        .set(
            "predicates.incoming.type",
            format!("{PREDICATES}.TopicNameMatches"),
        )
        .set("predicates.incoming.pattern", ".*-in")
}

/// Key, value and headers of each record of a topic, as text.
fn texts(client: &crate::common::client::Client, topic: &str) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let records = client.read_all(topic, 0).into_iter();
    let shown = records.map(|record| {
        let record = record.record;
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(key, value)| format!("{key}={}", text(value)))
            .collect();
        let part = |part: &Option<Vec<u8>>| part.as_deref().map_or("null".to_owned(), text);
        format!("{} {} {headers:?}", part(&record.key), part(&record.value))
    });
    shown.collect()
}

#[test]
fn a_sources_chain_writes_what_apaches_does() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let client = cluster.client();
    let dir = scratch_dir("transforms-source");
    let file = dir.path().join("input.txt");
    let lines = [
        "plain",
        "",
        "with \"quotes\" and \\",
        "ümlaut 😀",
        "{\"a\":1}",
    ];
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    for schemas in [true, false] {
        let name = |side: &str| format!("chain-{schemas}-{side}");
        let source = |side: &str| {
            for end in ["in", "out"] {
                client.create_topic(&format!("{}-{end}", name(side)), 1);
            }
            let source = file_source(&name(side), &file, &format!("{}-in", name(side)));
            let source = with_converter(source_chain(source), JSON, Some(schemas));
            source
                .set("key.converter", JSON)
                .set("key.converter.schemas.enable", schemas)
        };
        oracle.create(&source("apache"));
        let worker = pipeline::worker(&cluster.bootstrap());
        let ringmain = Standalone::new(&worker, &[source("ringmain")]).start();
        let [theirs, mine] = ["apache", "ringmain"].map(|side| {
            let topic = format!("{}-out", name(side));
            client.wait_for_end_offset(&topic, lines.len() as i64, PATIENCE);
            texts(&client, &topic)
        });
        assert_eq!(theirs.len(), lines.len());
        assert!(
            theirs[0].contains("plain") && theirs[0].contains("kind=[1,2]"),
            "{}",
            theirs[0]
        );
        assert_eq!(theirs, mine);
        for side in ["apache", "ringmain"] {
            assert_eq!(client.end_offset(&format!("{}-in", name(side))), 0);
        }
        ringmain.stop_cleanly();
        oracle.delete(&name("apache"));
    }
}

/// Nested maps flattened, fields masked, moved into headers and back out of the way, record metadata
/// inserted, and tombstones filtered.
fn sink_chain(sink: Properties) -> Properties {
    let sink = with_transform(sink, "drop", "Filter", &[("predicate", "tombstone")]);
    let sink = with_transform(sink, "flat", "Flatten$Value", &[("delimiter", "_")]);
    let keys = [
        ("topic.field", "topic"),
        ("partition.field", "partition"),
        ("offset.field", "offset"),
        ("static.field", "note"),
        ("static.value", "x"),
    ];
    let sink = with_transform(sink, "insert", "InsertField$Value", &keys);
    let sink = with_transform(
        sink,
        "mask",
        "MaskField$Value",
        &[("fields", "secret,absent")],
    );
    let keys = [("operation", "move"), ("fields", "id"), ("headers", "id")];
    let sink = with_transform(sink, "header", "HeaderFrom$Value", &keys);
    let keys = [
        ("exclude", "note"),
        ("predicate", "identified"),
        ("renames", "offset:position"),
    ];
    let sink = with_transform(sink, "replace", "ReplaceField$Value", &keys);
    sink.set("predicates", "tombstone,identified")
        .set(
            "predicates.tombstone.type",
            format!("{PREDICATES}.RecordIsTombstone"),
        )
        .set(
            "predicates.identified.type",
            format!("{PREDICATES}.HasHeaderKey"),
        )
        .set("predicates.identified.name", "id")
}

/// Values with many members, so that a map's order is not that of its members.
fn objects() -> Vec<Pair> {
    let object = |index: usize| {
        let more: Vec<_> = (0..index)
            .map(|member| format!("\"member{member}\":{{\"x\":{index},\"y\":[true,null,\"t\"]}}"))
            .collect();
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(",{}", more.join(","))
        };
        format!("{{\"id\":{index},\"secret\":\"s{index}\",\"amount\":1.50{more}}}")
    };
    let mut pairs: Vec<Pair> = (0..20)
        .map(|index| (None, Some(object(index).into_bytes())))
        .collect();
    pairs.insert(3, (Some(b"gone".to_vec()), None));
    pairs
}

#[test]
fn a_sinks_chain_writes_the_file_that_apaches_does() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let client = cluster.client();
    let topic = "transforms-sink";
    client.create_topic(topic, 1);
    client.produce(topic, 0, Compression::NoCompression, objects());
    let dir = scratch_dir("transforms-sink");
    let file = |side: &str| dir.path().join(format!("{side}.txt"));
    let sink = |side: &str| {
        let sink = file_sink(&format!("transforms-sink-{side}"), &file(side), topic);
        with_converter(sink_chain(sink), JSON, Some(false))
    };
    oracle.create(&sink("apache"));
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[sink("ringmain")]).start();
    let read = |side: &str| fs::read_to_string(file(side)).unwrap_or_default();
    for side in ["apache", "ringmain"] {
        wait_until(&format!("20 lines of {side}"), PATIENCE, || {
            read(side).lines().count() >= 20
        });
    }
    let theirs = read("apache");
    assert!(
        theirs.contains("position=") && theirs.contains("member0_x="),
        "{theirs}"
    );
    assert_eq!(theirs, read("ringmain"));
    ringmain.stop_cleanly();
    oracle.delete("transforms-sink-apache");
}

/// Classes and texts of a trace, without places in code and without what the worker puts around them.
fn causes(trace: &str) -> Vec<String> {
    let lines = trace.lines().filter(|line| !line.starts_with('\t'));
    let texts = lines.filter_map(|line| line.strip_prefix("Caused by: "));
    // Ours says once more, and in the same line, where the record comes from.
    let bare = |text: &str| text.split(" (stage ").next().unwrap().to_owned();
    let mut causes: Vec<_> = texts.map(bare).collect();
    causes.dedup();
    causes
}

#[test]
fn a_record_that_cannot_be_transformed_fails_the_task_with_apaches_text() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let client = cluster.client();
    let topic = "transforms-failing";
    client.create_topic(topic, 1);
    client.produce(
        topic,
        0,
        Compression::NoCompression,
        vec![(None, Some(b"7".to_vec()))],
    );
    let dir = scratch_dir("transforms-failing");
    let sink = |side: &str| {
        let name = format!("transforms-failing-{side}");
        let sink = file_sink(&name, &dir.path().join(side), topic);
        let sink = with_transform(sink, "flat", "Flatten$Value", &[]);
        with_converter(sink, JSON, Some(false))
    };
    let theirs = oracle.create_and_fail(&sink("apache"));
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[sink("ringmain")]).launch();
    let mine = ringmain.wait_until_failed("transforms-failing-ringmain");
    let text = "org.apache.kafka.connect.errors.DataException: Only Map objects supported in absence of schema for [flattening], found: java.lang.Long";
    assert_eq!(causes(&theirs), [text]);
    assert_eq!(causes(&mine), [text]);
    ringmain.stop_cleanly();
    oracle.delete("transforms-failing-apache");
}

/// What the validation answer says of the keys below `transforms.` and `predicates.`, but for the
/// documentation.
fn validated(url: &str, config: &Properties) -> Vec<serde_json::Value> {
    let body: serde_json::Map<_, serde_json::Value> = config
        .iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let path = "/connector-plugins/FileStreamSink/config/validate";
    let answer = crate::common::http::request("PUT", &format!("{url}{path}"), Some(&body.into()));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut answer = answer.json();
    let configs = answer["configs"].as_array_mut().unwrap();
    let of_steps = |info: &&mut serde_json::Value| {
        let name = info["value"]["name"].as_str().unwrap();
        name.starts_with("transforms.") || name.starts_with("predicates.")
    };
    let mut infos: Vec<_> = configs
        .iter_mut()
        .filter(of_steps)
        .map(|info| info.take())
        .collect();
    for info in &mut infos {
        info["definition"]["documentation"].take();
        // The classes of the one worker are not those of the other.
        if info["definition"]["type"] == "CLASS" {
            info["value"]["recommended_values"].take();
        }
    }
    infos.push(answer["groups"].take());
    infos
}

#[test]
fn validation_tells_of_transformations_what_apaches_does() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let sink = || file_sink("validated", std::path::Path::new("unused"), "a");
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[]).launch();
    ringmain.wait_until_serving();
    let lacking = with_transform(
        sink(),
        "a",
        "HeaderFrom$Key",
        &[("fields", ""), ("operation", "x")],
    );
    let lacking = with_transform(lacking, "b", "DropHeaders", &[("negate", "true")]);
    let lacking = with_transform(lacking, "c", "Nope", &[("predicate", "p")]);
    let lacking = with_transform(lacking, "d", "InsertField", &[]);
    let keys = [
        ("renames", "x,y:z"),
        ("include", "a,a"),
        ("replace.null.with.default", "perhaps"),
    ];
    let lacking = with_transform(lacking, "e", "ReplaceField$Value", &keys)
        .set("predicates", "p,q")
        .set(
            "predicates.p.type",
            format!("{PREDICATES}.TopicNameMatches"),
        )
        .set("predicates.p.pattern", "");
    for config in [sink_chain(sink()), lacking] {
        let theirs = validated(&oracle.url(""), &config);
        let mine = validated(&ringmain.url(""), &config);
        for (theirs, mine) in theirs.iter().zip(&mine) {
            assert_eq!(theirs, mine);
        }
        assert_eq!(theirs.len(), mine.len());
    }
    ringmain.stop_cleanly();
}

#[test]
fn plugins_are_listed_as_apaches_are() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let worker = pipeline::worker(&cluster.bootstrap());
    let ringmain = Standalone::new(&worker, &[]).launch();
    ringmain.wait_until_serving();
    let listed = |url: &str| {
        let path = "/connector-plugins?connectorsOnly=false";
        let answer = crate::common::http::get(&format!("{url}{path}")).json();
        let plugins = answer.as_array().unwrap().iter();
        let steps = plugins
            .filter(|plugin| plugin["type"] == "predicate" || plugin["type"] == "transformation");
        let kafkas =
            steps.filter(|plugin| plugin["class"].as_str().unwrap().starts_with(TRANSFORMS));
        kafkas.cloned().collect::<Vec<_>>()
    };
    let theirs = wait_for("Apache's plugins", PATIENCE, || {
        Some(listed(&oracle.url(""))).filter(|plugins| !plugins.is_empty())
    });
    let mine = listed(&ringmain.url(""));
    for plugin in &mine {
        assert!(theirs.contains(plugin), "{plugin}");
        let class = plugin["class"].as_str().unwrap();
        let [theirs, mine] = [oracle.url(""), ringmain.url("")].map(|url| {
            let path = format!("/connector-plugins/{class}/config");
            let mut keys = crate::common::http::get(&format!("{url}{path}")).json();
            for key in keys.as_array_mut().unwrap() {
                key["documentation"].take();
            }
            keys
        });
        assert_eq!(theirs, mine, "{class}");
    }
    ringmain.stop_cleanly();
}
