//! Damaged records before the decoders and state machines of the internal topics.

use proptest::prelude::*;

use super::config_topic::{ConfigTopic, Decoded, Decoder};
use super::offset_topic::{ConnectorOffsets, OffsetCodec, OffsetTopic};
use super::status_topic::{StatusDecoder, StatusTopic};
use crate::fuzz::{Blob, bounded, mutated, samples, search};

const CONFIG_KEYS: &[&str] = &[
    "connector-a",
    "task-a-0",
    "task-a-1",
    "commit-a",
    "target-state-a",
    "tasks-fencing-a",
    "session-key",
    "restart-connector-a",
    "logger-cluster-a",
];

const CONFIG_VALUES: &[&str] = &[
    r#"{"properties":{"name":"a","x":null,"y":1,"z":[{}]}}"#,
    r#"{"tasks":2}"#,
    r#"{"tasks":1}"#,
    r#"{"state":"PAUSED","state.v2":"STOPPED"}"#,
    r#"{"task-count":2}"#,
    r#"{"key":"c2VjcmV0","algorithm":"HmacSHA256","creation-timestamp":1700000000000}"#,
    r#"{"include-tasks":true,"only-failed":false}"#,
    r#"{"level":"DEBUG"}"#,
];

const STATUS_KEYS: &[&str] = &[
    "status-connector-a",
    "status-task-a-0",
    "status-topic-t:connector-a",
];

const STATUS_VALUES: &[&str] = &[
    r#"{"state":"RUNNING","trace":null,"worker_id":"host:8083","generation":5,"version":"4.3.1"}"#,
    r#"{"state":"UNASSIGNED","trace":"E: x\n","worker_id":"host:8083","generation":4,"version":null}"#,
    r#"{"topic":{"name":"t","connector":"a","task":0,"discoverTimestamp":1700000000000}}"#,
];

const OFFSET_KEYS: &[&str] = &[
    r#"["a",{"filename":"/data/in.txt"}]"#,
    r#"["a",{"cluster":"A","partition":0,"topic":"t"}]"#,
    r#"["a",{"topic":"t","partition":0,"cluster":"A"}]"#,
    r#"["a",{"x":[{"y":1.5}],"z":true}]"#,
];

const OFFSET_VALUES: &[&str] = &[r#"{"position":1234}"#, r#"{"a":null,"b":1.0E10,"c":"x"}"#];

type Record = (Blob, Option<Blob>);

fn record(keys: &'static [&str], values: &'static [&str]) -> BoxedStrategy<Record> {
    let whole = |texts| prop::sample::select(samples(texts)).prop_map(Blob);
    let key = prop_oneof![2 => whole(keys), 1 => mutated(samples(keys))];
    let value = prop_oneof![1 => whole(values), 2 => mutated(samples(values))];
    (key, prop::option::weighted(0.9, value)).boxed()
}

fn len((key, value): &Record) -> usize {
    key.len() + value.as_ref().map_or(0, |value| value.len())
}

#[test]
fn a_damaged_config_record_is_understood_or_named() {
    search(
        2000,
        || record(CONFIG_KEYS, CONFIG_VALUES),
        |record| {
            let mut decoder = Decoder::default();
            let (key, value) = (&record.0, record.1.as_deref());
            match bounded(len(&record), || decoder.decode(Some(key), value))? {
                Decoded::Record(read, problems) => {
                    let written = read.encode();
                    let again = decoder.decode(Some(&written.key), written.value.as_deref());
                    prop_assert_eq!(again, Decoded::Record(read, Vec::new()), "{:?}", problems);
                }
                Decoded::UnreadableCommit { problem, .. } | Decoded::Ignored(problem) => {
                    // Whole records of a megabyte do not end up in a log.
                    prop_assert!(problem.to_string().len() < 4000);
                }
            }
            Ok(())
        },
    );
}

#[test]
fn damaged_config_topics_are_replayed() {
    let sequences = || prop::collection::vec(record(CONFIG_KEYS, CONFIG_VALUES), 0..30).boxed();
    search(300, sequences, |records| {
        let mut topic = ConfigTopic::new();
        let total: usize = records.iter().map(len).sum();
        bounded(total, || {
            for (offset, (key, value)) in (0..).zip(&records) {
                topic.apply(offset, Some(key), value.as_deref());
                let state = topic.snapshot();
                for name in state.names() {
                    drop(state.tasks(name));
                }
                if offset == 10 {
                    topic.start();
                }
            }
        })?;
        let state = topic.snapshot();
        for name in state.names() {
            prop_assert!(state.tasks(name).len() <= state.configured_tasks(name).count());
        }
        Ok(())
    });
}

#[test]
fn damaged_status_records_are_understood_or_named() {
    let sequences = || prop::collection::vec(record(STATUS_KEYS, STATUS_VALUES), 0..10).boxed();
    search(500, sequences, |records| {
        let total: usize = records.iter().map(len).sum();
        let mut decoder = StatusDecoder::default();
        let mut topic = StatusTopic::new();
        let problems = bounded(total, || {
            let problem = |(key, value): &Record| {
                topic.apply(Some(key), value.as_deref());
                decoder.decode(Some(key), value.as_deref()).err()
            };
            records.iter().filter_map(problem).collect::<Vec<_>>()
        })?;
        for problem in problems {
            prop_assert!(problem.to_string().len() < 4000);
        }
        Ok(())
    });
}

#[test]
fn damaged_offset_records_are_understood_or_named() {
    let sequences = || prop::collection::vec(record(OFFSET_KEYS, OFFSET_VALUES), 0..10).boxed();
    search(500, sequences, |records| {
        let total: usize = records.iter().map(len).sum();
        let mut codec = OffsetCodec::default();
        let mut topic = OffsetTopic::new();
        let problems = bounded(total, || {
            let problem =
                |(key, value): &Record| topic.apply(&mut codec, Some(key), value.as_deref()).err();
            records.iter().filter_map(problem).collect::<Vec<_>>()
        })?;
        for problem in problems {
            prop_assert!(problem.to_string().len() < 4000);
        }
        let offsets = ConnectorOffsets::Worker(&topic);
        for partition in offsets.partitions(&mut codec, "a") {
            prop_assert!(topic.raw("a", &partition).is_some());
            let removal = [(partition, None)];
            if let Ok(steps) = offsets.write(&mut codec, "a", &removal) {
                prop_assert!(steps.iter().all(|step| !step.records.is_empty()));
            }
        }
        Ok(())
    });
}
