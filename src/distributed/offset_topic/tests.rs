//! The rules of contract 4.3 and 9.2, one by one. The integration tests compare whole sequences with
//! Apache's own classes.

use super::*;
use crate::api::SourceMap;
use crate::distributed::TopicRecord;

fn map(json: &str) -> SourceMap {
    serde_json::from_str(json).unwrap()
}

fn apply(topic: &mut OffsetTopic, key: &str, value: &str) -> Result<(), KeyProblem> {
    let value = (value != "-").then_some(value.as_bytes());
    topic.apply(&mut OffsetCodec::default(), Some(key.as_bytes()), value)
}

/// A topic of these records.
fn topic(records: &[(&str, &str)]) -> OffsetTopic {
    let mut topic = OffsetTopic::new();
    for (key, value) in records {
        apply(&mut topic, key, value).unwrap();
    }
    topic
}

fn offset(offsets: ConnectorOffsets<'_>, partition: &str) -> Option<SourceMap> {
    offsets
        .offset(&mut OffsetCodec::default(), "c", &map(partition))
        .unwrap()
}

fn texts(records: &[TopicRecord]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let value = |record: &TopicRecord| record.value.as_deref().map_or("-".to_owned(), text);
    let pairs = records
        .iter()
        .map(|record| (text(&record.key), value(record)));
    pairs.collect()
}

/// A step of a write, with keys and values as texts.
type ShownStep = (Store, OnFailure, Vec<(String, String)>);

/// Steps of a write of connector `c`.
fn steps(offsets: ConnectorOffsets<'_>, written: &[(&str, &str)]) -> Vec<ShownStep> {
    let entry = |(partition, offset): &(&str, &str)| {
        (map(partition), (*offset != "-").then(|| map(offset)))
    };
    let written: Vec<_> = written.iter().map(entry).collect();
    let steps = offsets.write(&mut OffsetCodec::default(), "c", &written);
    let shown = |step: WriteStep| (step.store, step.on_failure, texts(&step.records));
    steps.unwrap().into_iter().map(shown).collect()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn keys_and_values_are_written_as_apache_s() {
    let mut codec = OffsetCodec::default();
    let partition = map(r#"{"b":"\u0001é😀","a":1,"n":null,"f":1e10,"t":true}"#);
    let key = codec.write_key("c", &partition).unwrap();
    let text = r#"["c",{"b":"\u0001é\uD83D\uDE00","a":1,"n":null,"f":1.0E10,"t":true}]"#;
    assert_eq!(String::from_utf8(key.clone()).unwrap(), text);
    let read = codec.read_key(Some(&key)).unwrap();
    assert_eq!((&read.connector[..], &read.partition), ("c", &partition));
    let value = codec.write_offset(&map(r#"{"position":1234}"#)).unwrap();
    assert_eq!(value, br#"{"position":1234}"#);
    assert_eq!(codec.read_offset(b"null").unwrap(), None);

    for (nested, kind) in [(r#"{"a":[1]}"#, "ARRAY"), (r#"{"a":{}}"#, "MAP")] {
        let text = format!(
            "Offsets may only contain primitive types as values, but field a contains {kind}"
        );
        let nested_map = map(nested);
        let written = codec.write_key("c", &nested_map).unwrap_err();
        assert_eq!(written.message(), text);
        assert_eq!(codec.write_offset(&nested_map).unwrap_err().message(), text);
        assert_eq!(
            codec.read_offset(nested.as_bytes()).unwrap_err().message(),
            text
        );
    }
    let error = codec.read_offset(b"[]").unwrap_err();
    assert_eq!(error.message(), "Offsets must be specified as a Map");
    let error = codec
        .write_offset(&map(r#"{"a":9223372036854775808}"#))
        .unwrap_err();
    assert!(error.message().contains("9223372036854775808"), "{error}");
}

#[test]
fn whole_numbers_are_of_64_bits_and_fractions_stay_fractions() {
    let stored = topic(&[(r#"["c",{"p":1}]"#, r#"{"a":1,"b":1.0}"#)]);
    let offsets = ConnectorOffsets::Worker(&stored);
    let found = offset(offsets, r#"{"p":1}"#).unwrap();
    assert!(found["a"].is_i64() && found["b"].is_f64());
    assert_eq!(offset(offsets, r#"{"p":1.0}"#), None, "another partition");
}

#[test]
fn keys_that_name_no_partition_are_passed_over() {
    for (key, text) in [
        ("{", "unknown serialization"),
        ("{}", "java.util.HashMap"),
        ("null", "null"),
        ("[]", "an array of 0"),
        (r#"["c"]"#, "an array of 1"),
        (r#"["c",{},1]"#, "an array of 3"),
        (r#"[1,{}]"#, "java.lang.Long"),
        (r#"["c",1]"#, "java.lang.Long"),
        (r#"["c",null]"#, "of connector c"),
        (r#"["c",{"a":1e400}]"#, "out of range"),
    ] {
        let mut topic = OffsetTopic::new();
        let problem = apply(&mut topic, key, "{}").unwrap_err().to_string();
        assert!(problem.contains(text), "{key}: {problem}");
        assert!(topic.is_empty());
    }
    let mut topic = OffsetTopic::new();
    let without = topic.apply(&mut OffsetCodec::default(), None, None);
    assert_eq!(without, Err(KeyProblem::Null));
}

#[test]
fn the_last_offset_counts_and_a_tombstone_frees_its_room() {
    let key = r#"["c",{"p":1}]"#;
    let mut stored = topic(&[(key, r#"{"o":1}"#), (key, r#"{"o":2}"#)]);
    assert_eq!(
        offset(ConnectorOffsets::Worker(&stored), r#"{"p":1}"#),
        Some(map(r#"{"o":2}"#))
    );
    assert_eq!(stored.len(), 1);
    assert!(
        stored
            .partitions(&mut OffsetCodec::default(), "d")
            .is_empty()
    );
    apply(&mut stored, r#"["d",{"p":1}]"#, "-").unwrap();
    apply(&mut stored, key, "-").unwrap();
    assert_eq!(
        offset(ConnectorOffsets::Worker(&stored), r#"{"p":1}"#),
        None
    );
    assert!(stored.is_empty() && stored.records().next().is_none());
}

#[test]
fn an_offset_that_cannot_be_read_names_itself() {
    let stored = topic(&[(r#"["c",{"p":1}]"#, "[]"), (r#"["c",{"p":2}]"#, "{")]);
    for partition in [r#"{"p":1}"#, r#"{"p":2}"#] {
        let found = stored.offset(&mut OffsetCodec::default(), "c", &map(partition));
        assert!(found.is_err(), "{partition}");
    }
}

#[test]
fn a_partition_is_found_by_meaning_and_written_as_it_was_met() {
    let met = r#"["c", {"topic":"t","partition":0}]"#;
    let stored = topic(&[(met, r#"{"o":1}"#)]);
    let ours = r#"{"partition":0,"topic":"t"}"#;
    let offsets = ConnectorOffsets::Worker(&stored);
    assert_eq!(offset(offsets, ours), Some(map(r#"{"o":1}"#)));
    let new = r#"{"partition":1,"topic":"t"}"#;
    let written = steps(offsets, &[(ours, r#"{"o":2}"#), (new, r#"{"o":3}"#)]);
    let records = vec![
        pair(met, r#"{"o":2}"#),
        pair(r#"["c",{"partition":1,"topic":"t"}]"#, r#"{"o":3}"#),
    ];
    assert_eq!(written, [(Store::Worker, OnFailure::Fail, records)]);
}

#[test]
fn all_spellings_of_a_partition_are_written_and_removed_together() {
    let (one, other) = (r#"["c",{"a":1,"b":2}]"#, r#"["c",{"b":2,"a":1}]"#);
    let mut stored = topic(&[(one, r#"{"o":1}"#), (other, r#"{"o":2}"#)]);
    let partition = r#"{"a":1,"b":2}"#;
    assert_eq!(
        offset(ConnectorOffsets::Worker(&stored), partition),
        Some(map(r#"{"o":2}"#))
    );
    assert_eq!(
        stored.partitions(&mut OffsetCodec::default(), "c"),
        [map(partition)]
    );
    assert_eq!((stored.len(), stored.records().count()), (2, 2));
    apply(&mut stored, one, r#"{"o":3}"#).unwrap();
    assert_eq!(
        offset(ConnectorOffsets::Worker(&stored), partition),
        Some(map(r#"{"o":3}"#))
    );
    let removed = steps(ConnectorOffsets::Worker(&stored), &[(partition, "-")]);
    let both = vec![pair(other, "-"), pair(one, "-")];
    assert_eq!(removed, [(Store::Worker, OnFailure::Fail, both)]);
    apply(&mut stored, one, "-").unwrap();
    assert_eq!(
        offset(ConnectorOffsets::Worker(&stored), partition),
        Some(map(r#"{"o":2}"#))
    );
}

#[test]
fn a_connector_s_own_topic_goes_before_the_worker_s() {
    let worker = topic(&[
        (r#"["c",{"p":1}]"#, r#"{"from":"worker"}"#),
        (r#"["c",{"p":2}]"#, r#"{"from":"worker"}"#),
        (r#"["d",{"p":5}]"#, r#"{"from":"worker"}"#),
    ]);
    let connector = topic(&[
        (r#"["c",{"p":2}]"#, r#"{"from":"own"}"#),
        (r#"["c",{"p":3}]"#, r#"{"from":"own"}"#),
    ]);
    let both = ConnectorOffsets::Both {
        worker: &worker,
        connector: &connector,
    };
    let from = |offsets, partition| offset(offsets, partition).map(|found| found["from"].clone());
    assert_eq!(from(both, r#"{"p":1}"#).unwrap(), "worker");
    assert_eq!(from(both, r#"{"p":2}"#).unwrap(), "own");
    assert_eq!(from(both, r#"{"p":3}"#).unwrap(), "own");
    assert_eq!(
        from(ConnectorOffsets::Connector(&connector), r#"{"p":1}"#),
        None
    );
    assert_eq!(from(ConnectorOffsets::Worker(&worker), r#"{"p":3}"#), None);
    let mut partitions = both.partitions(&mut OffsetCodec::default(), "c");
    partitions.sort_by_key(|partition| partition["p"].as_i64());
    assert_eq!(
        partitions,
        [r#"{"p":1}"#, r#"{"p":2}"#, r#"{"p":3}"#].map(map)
    );
}

#[test]
fn removals_reach_the_worker_s_topic_first_and_offsets_last() {
    let (worker, connector) = (OffsetTopic::new(), OffsetTopic::new());
    let both = ConnectorOffsets::Both {
        worker: &worker,
        connector: &connector,
    };
    let set = || pair(r#"["c",{"p":1}]"#, r#"{"o":1}"#);
    let removed = || pair(r#"["c",{"p":2}]"#, "-");
    let written = [(r#"{"p":1}"#, r#"{"o":1}"#), (r#"{"p":2}"#, "-")];
    assert_eq!(
        steps(both, &written),
        [
            (Store::Worker, OnFailure::Fail, vec![removed()]),
            (Store::Connector, OnFailure::Fail, vec![set(), removed()]),
            (Store::Worker, OnFailure::Warn, vec![set()]),
        ]
    );
    assert_eq!(
        steps(both, &written[..1]),
        [
            (Store::Connector, OnFailure::Fail, vec![set()]),
            (Store::Worker, OnFailure::Warn, vec![set()]),
        ]
    );
    assert_eq!(
        steps(both, &written[1..]),
        [
            (Store::Worker, OnFailure::Fail, vec![removed()]),
            (Store::Connector, OnFailure::Fail, vec![removed()]),
        ]
    );
    let own = ConnectorOffsets::Connector(&connector);
    let all = vec![set(), removed()];
    assert_eq!(
        steps(own, &written),
        [(Store::Connector, OnFailure::Fail, all)]
    );
    assert_eq!(steps(both, &[]), []);
    let nested = [(map(r#"{"p":[]}"#), None)];
    assert!(
        both.write(&mut OffsetCodec::default(), "c", &nested)
            .is_err()
    );
}
