//! Histories of a worker's offset topic and a connector's own.

use std::collections::BTreeMap;

use ringmain::api::SourceMap;
use ringmain::distributed::offset_topic::{
    ConnectorOffsets, OffsetCodec, OffsetTopic, OnFailure, Store, WriteStep,
};
use serde_json::{Map, Value as Json, json};

use super::generate::{Random, base64, optional_base64};
use super::{Case, History};

const CONNECTORS: [&str; 3] = ["a", "b-ü", "a"];

/// Source partitions, each in the one spelling that Apache finds them by.
const PARTITIONS: [&str; 8] = [
    r#"{"filename":"/data/in.txt"}"#,
    r#"{"filename":"/data/\"é\u0001😀"}"#,
    r#"{"cluster":"A","partition":0,"topic":"t"}"#,
    r#"{"cluster":"A","partition":1,"topic":"t"}"#,
    r#"{"p":1}"#,
    r#"{"p":1.5}"#,
    r#"{"p":true,"q":null}"#,
    "{}",
];

/// Partitions that nobody asks for, and keys of none.
const ODD_KEYS: [&str; 12] = [
    r#"["a", {"spaces" : 1}]"#,
    r#"["a",{"nested":[1,{"x":null}]}]"#,
    r#"["a",null]"#,
    r#"["a"]"#,
    r#"["a",{},1]"#,
    r#"[1,{}]"#,
    r#"["a",[]]"#,
    r#"{"a":1}"#,
    "null",
    "7",
    "{",
    "",
];

const OFFSETS: [&str; 6] = [
    r#"{"position":1234}"#,
    r#"{"position":0,"x":"é\n"}"#,
    r#"{"a":1.5,"b":true,"c":null}"#,
    "{}",
    r#"{"offset":9223372036854775807}"#,
    r#"{"offset":-1}"#,
];

/// What reads as no offset, or can't be read.
const ODD_OFFSETS: [&str; 7] = ["null", "[]", "7", "{", "", r#"{"a":[1]}"#, r#"{"a":{}}"#];

#[derive(Debug, Default)]
struct Topics {
    codec: OffsetCodec,
    worker: OffsetTopic,
    connector: OffsetTopic,
}

impl Topics {
    fn of(&mut self, which: &str) -> (ConnectorOffsets<'_>, &mut OffsetCodec) {
        let (worker, connector) = (&self.worker, &self.connector);
        let offsets = match which {
            "worker" => ConnectorOffsets::Worker(worker),
            "connector" => ConnectorOffsets::Connector(connector),
            _ => ConnectorOffsets::Both { worker, connector },
        };
        (offsets, &mut self.codec)
    }
}

pub(super) fn case(random: &mut Random) -> Case {
    let mut history = History::default();
    let mut topics = Topics::default();
    for _ in 0..=random.below(40) {
        let which = random.pick(&["worker", "connector", "both"]);
        let name = random.pick(&CONNECTORS);
        match random.below(20) {
            0..12 => record(random, &mut topics, &mut history),
            12..15 => {
                let partition = random.pick(&PARTITIONS);
                let step = json!(["offset", which, name, map(partition)]);
                history.add(step, offset(&mut topics, which, name, partition));
            }
            15 => {
                let (offsets, codec) = topics.of(which);
                let found = offsets.partitions(codec, name).into_iter();
                let found = found.map(|partition| (sorted(&partition), true.into()));
                let found: Map<_, _> = found.collect();
                history.add(json!(["partitions", which, name]), found.into());
            }
            16 => {
                let (step, ours) = stored(random, &topics);
                history.add(step, ours);
            }
            _ => write(random, &mut topics, which, name, &mut history),
        }
    }
    Case {
        question: json!({"do": "offsets", "steps": history.steps}),
        ours: history.ours.into(),
    }
}

fn map(text: &str) -> SourceMap {
    serde_json::from_str(text).unwrap()
}

/// As text, members in order of their names.
fn sorted(map: &SourceMap) -> String {
    let sorted: BTreeMap<_, _> = map.iter().collect();
    serde_json::to_string(&sorted).unwrap()
}

fn key_of(connector: &str, partition: &str) -> Vec<u8> {
    let mut codec = OffsetCodec::default();
    codec.write_key(connector, &map(partition)).unwrap()
}

fn record(random: &mut Random, topics: &mut Topics, history: &mut History) {
    let key = match random.below(12) {
        0 => random.pick(&ODD_KEYS).as_bytes().to_vec(),
        1 if random.one_in(3) => random.garbage(),
        _ => key_of(random.pick(&CONNECTORS), random.pick(&PARTITIONS)),
    };
    let key = (!random.one_in(40)).then_some(key);
    let value = match random.below(8) {
        0 | 1 => None,
        2 => Some(random.pick(&ODD_OFFSETS)),
        _ => Some(random.pick(&OFFSETS)),
    };
    let which = random.pick(&["worker", "connector"]);
    let topic = match which {
        "worker" => &mut topics.worker,
        _ => &mut topics.connector,
    };
    let value = value.map(str::as_bytes);
    drop(topic.apply(&mut topics.codec, key.as_deref(), value));
    let (key, value) = (optional_base64(key.as_deref()), optional_base64(value));
    history.add(json!(["record", which, key, value]), Json::Null);
}

/// Apache's answer for both topics is that of the connector's own, even if that has none: the difference
/// that `offset_topic` describes. This holds Apache to it, too.
fn offset(topics: &mut Topics, which: &str, connector: &str, partition: &str) -> Json {
    let partition = map(partition);
    let in_apache = match which {
        "both" => "connector",
        one => one,
    };
    let (offsets, codec) = topics.of(in_apache);
    let alone = offsets.offset(codec, connector, &partition).unwrap_or(None);
    if which == "both" {
        let known = topics.connector.raw(connector, &partition).is_some();
        let (offsets, codec) = topics.of(which);
        let ours = offsets.offset(codec, connector, &partition).unwrap_or(None);
        let (only_worker, codec) = topics.of("worker");
        let fallback = only_worker
            .offset(codec, connector, &partition)
            .unwrap_or(None);
        assert_eq!(ours, if known { alone.clone() } else { fallback });
    }
    alone.map_or(Json::Null, Json::Object)
}

/// The stored bytes of all keys that somebody may ask for.
fn stored(random: &mut Random, topics: &Topics) -> (Json, Json) {
    let which = random.pick(&["worker", "connector"]);
    let topic = match which {
        "worker" => &topics.worker,
        _ => &topics.connector,
    };
    let mut keys = vec![
        ODD_KEYS[0].as_bytes().to_vec(),
        ODD_KEYS[1].as_bytes().to_vec(),
    ];
    for connector in &CONNECTORS[..2] {
        keys.extend(
            PARTITIONS
                .iter()
                .map(|partition| key_of(connector, partition)),
        );
    }
    let records: Vec<_> = topic.records().collect();
    let value = |key: &Vec<u8>| {
        let found = records.iter().find(|record| record.key == *key);
        optional_base64(found.and_then(|found| found.value.as_deref()))
    };
    let values: Vec<Json> = keys.iter().map(value).collect();
    let keys: Vec<Json> = keys.iter().map(|key| base64(key)).collect();
    (json!(["stored", which, keys]), values.into())
}

fn write(
    random: &mut Random,
    topics: &mut Topics,
    which: &str,
    connector: &str,
    history: &mut History,
) {
    let mut partitions = PARTITIONS.to_vec();
    let mut offsets: Vec<(SourceMap, Option<SourceMap>)> = Vec::new();
    for _ in 0..random.below(4) {
        let partition = partitions.swap_remove(random.below(partitions.len()));
        let offset = (!random.one_in(3)).then(|| map(random.pick(&OFFSETS)));
        offsets.push((map(partition), offset));
    }
    if random.one_in(12) {
        let odd = random.pick(&[(r#"{"x":[1]}"#, "{}"), (r#"{"x":1}"#, r#"{"y":{}}"#)]);
        offsets.push((map(odd.0), Some(map(odd.1))));
    }
    let failing = random.pick(&[None, None, Some("worker"), Some("connector")]);
    let step = json!(["write", which, connector, offsets, failing]);
    let (own, codec) = topics.of(which);
    let ours = match own.write(codec, connector, &offsets) {
        Err(error) => json!({"sent": [], "outcome": [error.message()]}),
        Ok(steps) => sent(&steps, failing),
    };
    history.add(step, ours);
}

/// What is sent when all sends to `failing` fail.
fn sent(steps: &[WriteStep], failing: Option<&str>) -> Json {
    let mut groups = Vec::new();
    let mut outcome = "done";
    for step in steps {
        let store = match step.store {
            Store::Worker => "worker",
            Store::Connector => "connector",
        };
        let record = |record: &ringmain::distributed::TopicRecord| {
            let key = base64(&record.key);
            let value = optional_base64(record.value.as_deref());
            (key.as_str().unwrap_or_default().to_owned(), value)
        };
        let records: Map<_, _> = step.records.iter().map(record).collect();
        groups.push(json!([store, records]));
        if failing == Some(store) && step.on_failure == OnFailure::Fail {
            outcome = "refused";
            break;
        }
    }
    json!({"sent": groups, "outcome": [outcome]})
}
