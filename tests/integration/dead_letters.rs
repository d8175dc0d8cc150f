//! Dead letter queues: what Apache's Connect writes to them, what survives kills, and those of sources,
//! which Apache has not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::common::client::{Compression, DateTime, Record};
use crate::common::pipeline::{self, JSON, STRING, file_sink, file_source, with_converter};
use crate::common::{
    ConnectOracle, Kafka, KafkaCluster, PATIENCE, Properties, Ringmain, Standalone, heavy, kafka,
    scratch_dir, wait_until,
};

const LINES: usize = 1000;
const PREFIX: &str = "__connect.errors.";
/// Most memory that a worker may take for topics of this size, whatever is in them, in a debug build.
const PEAK_MAX: u64 = 160 << 20;
const TRACE: &str = "__connect.errors.exception.stacktrace";

/// Apache's worker and ours with a connector of the same name each, on the same topic: files and queues
/// of their own.
pub(crate) struct Pair {
    kafka: &'static Kafka,
    pub(crate) cluster: &'static KafkaCluster,
    oracle: &'static ConnectOracle,
    pub(crate) name: String,
    dir: tempfile::TempDir,
}

/// A dead letter; headers by name, for their order see [`Pair::header_order`].
#[derive(Debug, PartialEq)]
pub(crate) struct Letter {
    key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    millis: i64,
    headers: BTreeMap<String, Vec<u8>>,
}

impl Letter {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = &self.headers[&format!("{PREFIX}{name}")];
        std::str::from_utf8(value).unwrap()
    }
}

impl Pair {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let kafka = kafka()?;
        Some(Self {
            kafka,
            cluster: kafka.shared_cluster(),
            oracle: kafka.shared_oracle(),
            name: name.to_owned(),
            dir: scratch_dir(name),
        })
    }

    fn queue(&self, whose: &str) -> String {
        format!("{}-dead-{whose}", self.name)
    }

    fn group(&self, whose: &str) -> String {
        format!("connect-{}-{whose}", self.name)
    }

    pub(crate) fn output(&self, whose: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(whose)).unwrap_or_default()
    }

    /// A sink of the topic named after the test, with a queue and `more`.
    fn sink(&self, whose: &str, more: &[(&str, &str)]) -> Properties {
        let file = self.dir.path().join(whose);
        let sink = file_sink(&self.name, &file, &self.name)
            .set("consumer.override.group.id", self.group(whose))
            .set("errors.deadletterqueue.topic.name", self.queue(whose))
            .set("errors.deadletterqueue.topic.replication.factor", 1);
        let more = more.iter();
        more.fold(sink, |sink, (key, value)| sink.set(key, value))
    }

    pub(crate) fn launch(&self, more: &[(&str, &str)]) -> Ringmain {
        let worker = pipeline::worker(&self.cluster.bootstrap());
        let files = Standalone::new(&worker, &[self.sink("ringmain", more)]);
        files.launch()
    }

    /// Runs both until each has so many dead letters; gives Apache's and ours.
    pub(crate) fn run_both(&self, letters: i64, more: &[(&str, &str)]) -> [Vec<Letter>; 2] {
        self.oracle.create(&self.sink("apache", more));
        let ringmain = self.launch(more);
        let both = ["apache", "ringmain"];
        for whose in both {
            let client = self.cluster.client();
            client.wait_for_end_offset(&self.queue(whose), letters, PATIENCE);
        }
        wait_until("as much output as Apache's", PATIENCE, || {
            !self.output("apache").is_empty() && self.output("apache") == self.output("ringmain")
        });
        let peak = ringmain.process().peak_resident_bytes();
        assert!(peak < PEAK_MAX, "{peak} bytes at its peak");
        ringmain.stop_cleanly();
        self.oracle.delete(&self.name);
        both.map(|whose| self.letters(whose))
    }

    fn letters(&self, whose: &str) -> Vec<Letter> {
        let found = self.cluster.client().read_all(&self.queue(whose), 0);
        found
            .into_iter()
            .map(|found| Letter {
                key: found.record.key,
                value: found.record.value,
                millis: found.record.timestamp.timestamp_millis(),
                headers: found.record.headers,
            })
            .collect()
    }

    /// Names of the first letter's headers in their order, the traces' lines left out.
    fn header_order(&self, whose: &str) -> Vec<String> {
        let option = ["--formatter-property", "print.headers=true"];
        let bootstrap = self.cluster.bootstrap();
        let text = self
            .kafka
            .console_consume(&bootstrap, &self.queue(whose), 1, &option);
        let names: Vec<String> = self.letters(whose)[0].headers.keys().cloned().collect();
        let mut places: Vec<(usize, String)> = names
            .into_iter()
            .map(|name| (text.find(&format!("{name}:")).unwrap(), name))
            .collect();
        places.sort();
        places.into_iter().map(|(_, name)| name).collect()
    }

    /// Committed offsets of both groups, once nobody is in them.
    fn committed(&self) -> [Option<i64>; 2] {
        ["apache", "ringmain"].map(|whose| {
            let bootstrap = self.cluster.bootstrap();
            let rows = self.kafka.describe_group(&bootstrap, &self.group(whose));
            let mut rows = rows.into_iter().filter(|row| row.topic == self.name);
            rows.next().and_then(|row| row.current_offset)
        })
    }
}

/// Fails unless both have the same letters; of traces, unless ours begins as Apache's.
pub(crate) fn assert_same(apache: &[Letter], ours: &[Letter]) {
    assert_eq!(apache.len(), ours.len());
    for (theirs, ours) in apache.iter().zip(ours) {
        let (mut theirs_left, mut ours_left) = (theirs.headers.clone(), ours.headers.clone());
        let traces = [theirs_left.remove(TRACE), ours_left.remove(TRACE)];
        let first_lines = traces.map(|trace| {
            let trace = String::from_utf8(trace?).unwrap();
            trace.lines().next().map(str::to_owned)
        });
        assert_eq!(first_lines[0], first_lines[1]);
        assert_eq!(text_of(&theirs_left), text_of(&ours_left));
        assert_eq!(theirs.key, ours.key);
        assert_eq!(theirs.value, ours.value);
        assert_eq!(theirs.millis, ours.millis);
    }
}

fn text_of(headers: &BTreeMap<String, Vec<u8>>) -> BTreeMap<&str, String> {
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    let each = headers
        .iter()
        .map(|(name, value)| (name.as_str(), text(value)));
    each.collect()
}

pub(crate) fn record(number: usize, key: &str, value: &str, headers: &[(&str, &str)]) -> Record {
    // Not a fixed date: the broker starts a new segment for records a week apart.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let millis = i64::try_from(now.as_millis()).unwrap() - 50_000;
    let millis = millis + i64::try_from(number).unwrap();
    Record {
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        timestamp: DateTime::from_timestamp_millis(millis).unwrap(),
    }
}

/// A thousand JSON texts, every second one cut short.
fn half_malformed() -> Vec<Record> {
    let each = (0..LINES).map(|number| {
        let end = if number % 2 == 1 { "" } else { "}" };
        let value = format!("{{\"n\":{number}{end}");
        record(
            number,
            &format!("k{number}"),
            &value,
            &[("colour", "red"), ("size", "7")],
        )
    });
    each.collect()
}

/// Writes the topic of a test.
fn produce(cluster: &KafkaCluster, topic: &str, records: Vec<Record>) {
    let client = cluster.client();
    client.create_topic(topic, 1);
    client.produce_records(topic, 0, Compression::NoCompression, records);
}

const JSON_VALUES: [(&str, &str); 2] = [
    ("value.converter", JSON),
    ("value.converter.schemas.enable", "false"),
];

fn with_json<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    JSON_VALUES
        .into_iter()
        .chain(more.iter().copied())
        .collect()
}

#[test]
fn a_run_with_every_second_line_malformed_gives_what_apaches_gives() {
    let Some(pair) = Pair::new("dlq-all") else {
        return;
    };
    produce(pair.cluster, &pair.name, half_malformed());
    let more = with_json(&[
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ]);
    let [apache, ours] = pair.run_both(500, &more);
    assert_eq!(apache.len(), LINES / 2);
    assert_same(&apache, &ours);
    assert_eq!(pair.header_order("apache"), pair.header_order("ringmain"));
    assert_eq!(ours[0].headers.len(), 12);
    let output = String::from_utf8(pair.output("ringmain")).unwrap();
    assert_eq!(output.lines().count(), LINES / 2);
    assert!(output.starts_with("{n=0}\n{n=2}\n"));
    assert_eq!(pair.committed(), [Some(1000), Some(1000)]);
}

#[test]
fn without_tolerance_the_first_malformed_line_is_in_the_queue_and_the_task_fails_as_apaches() {
    let Some(pair) = Pair::new("dlq-none") else {
        return;
    };
    produce(pair.cluster, &pair.name, half_malformed());
    let more = with_json(&[("errors.deadletterqueue.context.headers.enable", "true")]);
    let apache_trace = pair.oracle.create_and_fail(&pair.sink("apache", &more));
    let ringmain = pair.launch(&more);
    let trace = ringmain.wait_until_failed(&pair.name);
    let expected =
        "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler";
    assert!(apache_trace.starts_with(expected), "{apache_trace}");
    assert!(trace.starts_with(expected), "{trace}");
    for whose in ["apache", "ringmain"] {
        let client = pair.cluster.client();
        client.wait_for_end_offset(&pair.queue(whose), 1, PATIENCE);
    }
    ringmain.stop_cleanly();
    pair.oracle.delete(&pair.name);
    let [apache, ours] = ["apache", "ringmain"].map(|whose| pair.letters(whose));
    assert_eq!(apache.len(), 1);
    assert_same(&apache, &ours);
    assert_eq!(pair.header_order("apache"), pair.header_order("ringmain"));
    assert_eq!(ours[0].header("offset"), "1");
    let outputs = ["apache", "ringmain"].map(|whose| pair.output(whose));
    assert_eq!(outputs[0], outputs[1]);
    let [apache, ours] = pair.committed();
    assert_eq!(apache, ours);
}

#[test]
fn keys_and_headers_that_cannot_be_read_are_dead_letters_as_apaches() {
    let Some(pair) = Pair::new("dlq-parts") else {
        return;
    };
    let records = vec![
        record(0, "1", "good", &[("h", "true")]),
        record(1, "{bad", "key", &[("h", "true")]),
        record(2, "2", "header", &[("h", "{bad")]),
        record(3, "{bad", "both", &[("h", "{bad"), ("i", "1")]),
        record(4, "3", "good, too", &[]),
    ];
    produce(pair.cluster, &pair.name, records);
    let more = [
        ("key.converter", JSON),
        ("key.converter.schemas.enable", "false"),
        ("value.converter", STRING),
        ("header.converter", JSON),
        ("header.converter.schemas.enable", "false"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ];
    let [apache, ours] = pair.run_both(3, &more);
    assert_same(&apache, &ours);
    let stages: Vec<&str> = ours.iter().map(|letter| letter.header("stage")).collect();
    assert_eq!(
        stages,
        ["KEY_CONVERTER", "HEADER_CONVERTER", "KEY_CONVERTER"]
    );
    assert_eq!(pair.committed(), [Some(5), Some(5)]);
}

#[test]
fn without_context_headers_a_dead_letter_is_the_consumed_record() {
    let Some(pair) = Pair::new("dlq-bare") else {
        return;
    };
    let mut records = half_malformed();
    records.truncate(5);
    produce(pair.cluster, &pair.name, records);
    let more = with_json(&[("errors.tolerance", "all")]);
    let [apache, ours] = pair.run_both(2, &more);
    assert_same(&apache, &ours);
    assert_eq!(ours[0].key.as_deref(), Some(&b"k1"[..]));
    assert_eq!(ours[0].value.as_deref(), Some(&b"{\"n\":1"[..]));
    let names: Vec<&str> = ours[0].headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["colour", "size"]);
}

#[test]
fn a_queue_with_more_replicas_than_brokers_fails_the_task_as_apaches() {
    let Some(pair) = Pair::new("dlq-replicas") else {
        return;
    };
    produce(pair.cluster, &pair.name, vec![record(0, "k", "v", &[])]);
    let factor = "errors.deadletterqueue.topic.replication.factor";
    let apaches = pair.sink("apache", &[]).without(factor);
    let apache = pair.oracle.create_and_fail(&apaches);
    let worker = pipeline::worker(&pair.cluster.bootstrap());
    let ours = pair.sink("ringmain", &[]).without(factor);
    let ringmain = Standalone::new(&worker, &[ours]).launch();
    let trace = ringmain.wait_until_failed(&pair.name);
    let expected = |whose: &str| {
        format!(
            "org.apache.kafka.connect.errors.ConnectException: Could not initialize dead letter queue \
             with topic={}",
            pair.queue(whose)
        )
    };
    assert!(apache.starts_with(&expected("apache")), "{apache}");
    assert!(trace.starts_with(&expected("ringmain")), "{trace}");
    assert!(trace.to_lowercase().contains("replication"), "{trace}");
    ringmain.stop_cleanly();
    pair.oracle.delete(&pair.name);
}

#[test]
fn kills_lose_neither_a_good_record_nor_a_dead_letter() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let (cluster, topic, queue) = (kafka.shared_cluster(), "dlq-kill", "dlq-kill-dead");
    let count = 200_000_usize;
    let values = |range: std::ops::Range<usize>| {
        range.map(|n| format!("{{\"n\":{n}{}", if n % 2 == 1 { "" } else { "}" }))
    };
    cluster.client().create_topic(topic, 1);
    let first = values(0..count / 2);
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, first);
    let worker = pipeline::worker(&cluster.bootstrap()).set("offset.flush.interval.ms", 20);
    let files = Standalone::new(&worker, &[]);
    let sink = file_sink("dlq-kill", &files.dir().join("out"), topic)
        .set("errors.tolerance", "all")
        .set("errors.deadletterqueue.topic.name", queue)
        .set("errors.deadletterqueue.topic.replication.factor", 1)
        // So that offsets are committed, and letters sent, many times in between.
        .set("consumer.override.max.poll.records", 500)
        .set("consumer.override.session.timeout.ms", 6000);
    let files = files.with_connectors(&[with_converter(sink, JSON, Some(false))]);
    for wait in [400, 150, 700] {
        let ringmain = files.launch();
        std::thread::sleep(Duration::from_millis(wait));
        ringmain.kill();
    }
    let second = values(count / 2..count);
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, second);
    let ringmain = files.launch();
    let last = format!("{{n={}}}\n", count - 2);
    wait_until("the last good record", Duration::from_secs(120), || {
        files.read("out").ends_with(last.as_bytes())
    });
    ringmain.stop_cleanly();

    let output = String::from_utf8(files.read("out")).unwrap();
    let good: BTreeSet<usize> = output
        .lines()
        .filter_map(|line| line.strip_prefix("{n=")?.strip_suffix('}')?.parse().ok())
        .collect();
    let mut dead = BTreeSet::new();
    cluster.client().visit(queue, 0, |found| {
        let value = String::from_utf8(found.record.value.unwrap()).unwrap();
        dead.insert(value["{\"n\":".len()..].parse::<usize>().unwrap());
    });
    let missing = |found: &BTreeSet<usize>, rest: usize| {
        let wanted = (0..count).filter(|number| number % 2 == rest);
        wanted.filter(|number| !found.contains(number)).count()
    };
    assert_eq!((missing(&good, 0), missing(&dead, 1)), (0, 0));
    assert_eq!(dead.len(), count / 2);
}

/// Settings of a queue of a source.
fn source_queue(source: Properties, queue: &str) -> Properties {
    source
        .set("errors.tolerance", "all")
        .set("errors.deadletterqueue.topic.name", queue)
        .set("errors.deadletterqueue.topic.replication.factor", 1)
        .set("errors.deadletterqueue.context.headers.enable", true)
}

fn json_header(headers: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&headers[&format!("{PREFIX}{name}")]).unwrap()
}

#[test]
fn records_of_a_source_that_no_converter_takes_are_dead_letters_with_their_place_in_the_source() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let input = files.dir().join("in");
    fs::write(&input, "one\ntwo \"2\"\n").unwrap();
    let source = file_source("dlq-source", &input, "dlq-source");
    let source = source_queue(source, "dlq-source-dead").set(
        "value.converter",
        "org.apache.kafka.connect.converters.IntegerConverter",
    );
    let files = files.with_connectors(&[source]);
    let ringmain = files.start();
    let client = cluster.client();
    client.wait_for_end_offset("dlq-source-dead", 2, PATIENCE);
    ringmain.stop_cleanly();
    let letters = client.read_all("dlq-source-dead", 0);
    let values: Vec<&[u8]> = letters
        .iter()
        .map(|letter| letter.record.value.as_deref().unwrap())
        .collect();
    assert_eq!(values, [&b"\"one\""[..], b"\"two \\\"2\\\"\""]);
    for (letter, position) in letters.iter().zip([4, 12]) {
        let headers = &letter.record.headers;
        let text =
            |name: &str| String::from_utf8(headers[&format!("{PREFIX}{name}")].clone()).unwrap();
        assert_eq!(text("topic"), "dlq-source");
        assert_eq!(text("stage"), "VALUE_CONVERTER");
        assert_eq!(
            text("exception.class.name"),
            "org.apache.kafka.connect.errors.DataException"
        );
        assert_eq!(
            json_header(headers, "source.offset"),
            serde_json::json!({"position": position})
        );
        assert_eq!(
            json_header(headers, "source.partition"),
            serde_json::json!({"filename": input.to_str().unwrap()})
        );
    }
    // Skipped records do not advance the source offset, in Apache's Connect neither: they come again.
    let ringmain = files.start();
    client.wait_for_end_offset("dlq-source-dead", 4, PATIENCE);
    ringmain.stop_cleanly();
}

#[test]
fn a_record_of_a_source_that_its_topic_refuses_is_a_dead_letter_and_the_others_arrive() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let (topic, queue) = ("dlq-large", "dlq-large-dead");
    let bootstrap = cluster.bootstrap();
    kafka.create_topic(&bootstrap, topic, 1, 1, &["max.message.bytes=1000"]);
    let files = Standalone::new(&pipeline::worker(&bootstrap), &[]);
    let input = files.dir().join("in");
    let (refused, too_large) = ("b".repeat(2_000), "c".repeat(9_000));
    fs::write(&input, format!("a\n{refused}\nd\n{too_large}\ne\n")).unwrap();
    let source = source_queue(file_source("dlq-large", &input, topic), queue)
        .set("producer.override.max.request.size", 8_000);
    let files = files.with_connectors(&[source]);
    let ringmain = files.start();
    let client = cluster.client();
    client.wait_for_end_offset(queue, 2, PATIENCE);
    client.wait_for_end_offset(topic, 3, PATIENCE);
    ringmain.stop_cleanly();
    assert_eq!(client.read_values(topic), [b"a", b"d", b"e"]);
    let letters = client.read_all(queue, 0);
    assert_eq!(letters.len(), 2);
    for letter in &letters {
        let headers = text_of(&letter.record.headers);
        assert_eq!(headers["__connect.errors.stage"], "KAFKA_PRODUCE");
        assert_eq!(
            headers["__connect.errors.exception.class.name"],
            "org.apache.kafka.common.errors.RecordTooLargeException"
        );
        match letter.record.value.as_deref() {
            Some(value) => assert_eq!(value, refused.as_bytes()),
            // No producer takes it; its place in the source is in the headers.
            None => assert_eq!(headers["__connect.errors.value.omitted.bytes"], "9000"),
        }
    }
    let ringmain = files.start();
    std::thread::sleep(Duration::from_millis(500));
    ringmain.stop_cleanly();
    assert_eq!(client.end_offset(topic), 3, "records came again");
}

#[test]
fn kills_lose_neither_a_record_of_a_source_nor_its_dead_letter() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let cluster = kafka.shared_cluster();
    let (topic, queue) = ("dlq-source-kill", "dlq-source-kill-dead");
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let input = files.dir().join("in");
    // Every fourth line is larger than what the producer takes; where it ends tells which it is.
    let (mut text, mut ends) = (String::new(), BTreeSet::new());
    let count = 40_000;
    for number in 0..count {
        text.push_str(&format!("{number:08}\n"));
        if number % 4 == 0 {
            text.push_str(&"x".repeat(3_000));
            text.push('\n');
            ends.insert(text.len());
        }
    }
    fs::write(&input, &text).unwrap();
    let source = source_queue(file_source(topic, &input, topic), queue)
        .set("producer.override.max.request.size", 2_500);
    let files = files.with_connectors(&[source]);
    for wait in [250, 120, 400] {
        let ringmain = files.launch();
        std::thread::sleep(Duration::from_millis(wait));
        ringmain.kill();
    }
    let ringmain = files.launch();
    let client = cluster.client();
    let dead = || -> BTreeSet<usize> {
        let letters = client.read_all(queue, 0).into_iter();
        letters
            .map(|letter| {
                assert_eq!(letter.record.value, None);
                let offset = json_header(&letter.record.headers, "source.offset");
                usize::try_from(offset["position"].as_u64().unwrap()).unwrap()
            })
            .collect()
    };
    let good = || -> BTreeSet<Vec<u8>> { client.read_values(topic).into_iter().collect() };
    let limit = Duration::from_secs(120);
    wait_until("as many records as there are lines", limit, || {
        client.end_offset(topic) >= count && good().len() >= 40_000
    });
    wait_until("as many dead letters", limit, || dead() == ends);
    ringmain.stop_cleanly();
    assert_eq!(good().len(), 40_000);
}

#[test]
fn the_embedded_log_has_dead_letter_queues() {
    let log = scratch_dir("dlq-embedded");
    let bootstrap = format!("embedded:{}", log.path().join("log").display());
    let files = Standalone::new(&pipeline::worker(&bootstrap), &[]);
    let dir = files.dir().to_owned();
    let at = |name: &str| dir.join(name);
    let lines: String = (0..LINES)
        .map(|n| format!("{{\"n\":{n}{}\n", if n % 2 == 1 { "" } else { "}" }))
        .collect();
    fs::write(at("in"), &lines).unwrap();
    let sink = file_sink("dlq-embedded", &at("out"), "lines")
        .set("errors.tolerance", "all")
        .set("errors.deadletterqueue.topic.name", "dead");
    let files = files.with_connectors(&[
        file_source("dlq-embedded-source", &at("in"), "lines"),
        with_converter(sink, JSON, Some(false)),
        file_sink("dlq-embedded-dead", &at("dead.txt"), "dead"),
    ]);
    let ringmain = files.start();
    let dead: String = lines
        .lines()
        .filter(|line| !line.ends_with('}'))
        .map(|line| format!("{line}\n"))
        .collect();
    wait_until("both files", PATIENCE, || {
        files.read("dead.txt").len() >= dead.len() && files.read("out").ends_with(b"{n=998}\n")
    });
    ringmain.stop_cleanly();
    assert_eq!(String::from_utf8(files.read("dead.txt")).unwrap(), dead);
    assert_eq!(lines_of(&files.dir().join("out")), LINES / 2);
}

fn lines_of(file: &Path) -> usize {
    fs::read_to_string(file).unwrap().lines().count()
}
