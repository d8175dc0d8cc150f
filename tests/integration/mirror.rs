//! Topics of another cluster, beside Apache's MirrorSource: the same topics, records, settings and
//! stored offsets. Both sides mirror one cluster into itself, each under its own alias.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::common::client::{Client, Compression, DateTime, Record};
use crate::common::pipeline::{self, BYTES};
use crate::common::{
    ConnectOracle, Kafka, PATIENCE, Properties, Ringmain, Standalone, http, kafka, wait_until,
};

const CLASS: &str = "org.apache.kafka.connect.mirror.MirrorSourceConnector";
/// Aliases of the source, as Apache and as we mirror it.
const APACHE: &str = "J";
const RINGMAIN: &str = "R";
const CODECS: [Compression; 5] = [
    Compression::NoCompression,
    Compression::Gzip,
    Compression::Lz4,
    Compression::Snappy,
    Compression::Zstd,
];

fn mirror(alias: &str, bootstrap: &str) -> Properties {
    Properties::new()
        .set("name", format!("mirror-{alias}"))
        .set("connector.class", CLASS)
        .set("tasks.max", 2)
        .set("source.cluster.alias", alias)
        .set("target.cluster.alias", "T")
        .set("source.cluster.bootstrap.servers", bootstrap)
        .set("target.cluster.bootstrap.servers", bootstrap)
        .set("topics", "mirrored-.*, T\\..*")
        .set("topics.exclude", "mirrored-not")
        .set("replication.factor", 1)
        .set("refresh.topics.interval.seconds", 1)
        .set("sync.topic.configs.interval.seconds", 1)
        .set("sync.topic.acls.enabled", false)
        // There, each side has a topic of offset syncs of its own.
        .set("offset-syncs.topic.location", "target")
        .set("offset-syncs.topic.replication.factor", 1)
        // On one cluster each side would mirror the other's for ever.
        .set("heartbeats.replication.enabled", false)
        .set("consumer.poll.timeout.ms", 200)
        .set("key.converter", BYTES)
        .set("value.converter", BYTES)
        .set("header.converter", BYTES)
}

/// Records with and without key, value and headers; their times are in the past of `number`.
fn record(number: i64) -> Record {
    let text = |what: &str| format!("{what} {number}").into_bytes();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let timestamp = i64::try_from(now.as_millis()).unwrap() - 60_000 + number;
    Record {
        key: (number % 3 != 0).then(|| text("key")),
        value: (number % 5 != 0).then(|| text("value")),
        headers: (0..number % 4)
            .map(|header| (format!("h{header}"), text("header")))
            .collect(),
        timestamp: DateTime::from_timestamp_millis(timestamp).unwrap(),
    }
}

fn produce(client: &Client, topic: &str, partition: i32, codec: Compression, count: i64) {
    for batch in 0..3 {
        let numbers = batch * count..(batch + 1) * count;
        client.produce_records(topic, partition, codec, numbers.map(record).collect());
    }
}

/// A topic for every case: a codec per partition, settings, and what must stay at home.
fn make_topics(kafka: &Kafka, bootstrap: &str, client: &Client) {
    client.create_topic("mirrored-codecs", 5);
    for (partition, codec) in (0..).zip(CODECS) {
        produce(client, "mirrored-codecs", partition, codec, 200);
    }
    let settings = ["cleanup.policy=compact", "max.message.bytes=123456"];
    kafka.create_topic(bootstrap, "mirrored-set", 1, 1, &settings);
    let keyed = |number| Record {
        key: Some(b"k".to_vec()),
        ..record(number)
    };
    let records = (0..10).map(keyed).collect();
    client.produce_records("mirrored-set", 0, CODECS[0], records);
    for stays in ["mirrored-not", "T.back", "unmirrored"] {
        client.create_topic(stays, 1);
        client.produce_values(stays, CODECS[0], ["stays"]);
    }
}

type Records = Vec<(i64, Record)>;

/// Every record of a topic by partition.
fn read(client: &Client, topic: &str) -> Vec<Records> {
    let partitions = client.topics()[topic];
    let read = |partition| {
        let all = client.read_all(topic, partition).into_iter();
        all.map(|found| (found.offset, found.record)).collect()
    };
    (0..i32::try_from(partitions).unwrap()).map(read).collect()
}

/// Remote topics of an alias and their partitions, under the names they have at home.
fn remote_topics(client: &Client, alias: &str) -> BTreeMap<String, usize> {
    let prefix = format!("{alias}.");
    let topics = client.topics().into_iter();
    topics
        .filter_map(|(topic, count)| Some((topic.strip_prefix(&prefix)?.to_owned(), count)))
        .collect()
}

fn wait_until_mirrored(client: &Client, alias: &str, topic: &str) {
    let partitions = client.topics()[topic];
    let remote = format!("{alias}.{topic}");
    wait_until(&format!("all of {remote}"), PATIENCE, || {
        client.topics().get(&remote) == Some(&partitions)
            && (0..i32::try_from(partitions).unwrap())
                .all(|at| client.offsets(&remote, at).1 >= client.offsets(topic, at).1)
    });
}

fn assert_same(client: &Client, topic: &str, alias: &str) {
    let remote = format!("{alias}.{topic}");
    let (here, there) = (read(client, topic), read(client, &remote));
    assert_eq!(here.len(), there.len(), "partitions of {remote}");
    for (partition, (here, there)) in here.iter().zip(&there).enumerate() {
        assert!(
            here == there,
            "{remote}-{partition} differs: {} and {} records, first difference {:?}",
            here.len(),
            there.len(),
            here.iter().zip(there).find(|(a, b)| a != b)
        );
    }
}

/// Whether a store of offsets holds the bytes of both a key and its value.
fn stores(file: &Path, alias: &str, topic: &str, partition: i32, offset: i64) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    let key = format!(
        r#"["mirror-{alias}",{{"cluster":"{alias}","partition":{partition},"topic":"{topic}"}}]"#
    );
    let value = format!(r#"{{"offset":{offset}}}"#);
    let has = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
    has(&key) && has(&value)
}

/// The last offset sync of each partition: offsets in source and target.
fn last_syncs(client: &Client, alias: &str) -> BTreeMap<(String, i32), (i64, i64)> {
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    let sync = |(key, value): (Option<Vec<u8>>, Option<Vec<u8>>)| {
        let (key, value) = (key.unwrap(), value.unwrap());
        let (topic, partition) = key[2..].split_at(key.len() - 6);
        let len = i16::from_be_bytes(key[..2].try_into().unwrap());
        assert_eq!(usize::try_from(len).unwrap(), topic.len());
        let topic = String::from_utf8(topic.to_vec()).unwrap();
        let partition = i32::from_be_bytes(partition.try_into().unwrap());
        (
            (topic, partition),
            (number(&value[..8]), number(&value[8..])),
        )
    };
    let syncs = client.read_pairs(&format!("mm2-offset-syncs.{alias}.internal"));
    syncs.into_iter().map(sync).collect()
}

fn settings_of(kafka: &Kafka, bootstrap: &str, topic: &str) -> String {
    let text = kafka.describe_topic(bootstrap, topic);
    let line = text.lines().find(|line| line.contains("Configs:")).unwrap();
    line.split("Configs:").nth(1).unwrap().trim().to_owned()
}

/// Name, type, default and importance of every key that a worker shows for the connector.
fn keys(url: &str) -> BTreeMap<String, (Value, Value, Value, Value)> {
    let answer = http::get(url).json();
    let key = |key: &Value| {
        let [kind, default, importance, required] =
            ["type", "default_value", "importance", "required"].map(|name| key[name].clone());
        let name = key["name"].as_str().unwrap().to_owned();
        (name, (kind, default, importance, required))
    };
    answer.as_array().unwrap().iter().map(key).collect()
}

struct Bench {
    kafka: &'static Kafka,
    oracle: &'static ConnectOracle,
    client: Client,
    bootstrap: String,
}

#[test]
fn topics_arrive_as_apaches_mirror_brings_them_and_either_goes_on_for_the_other() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let bench = Bench {
        kafka,
        oracle: kafka.shared_oracle(),
        client: cluster.client(),
        bootstrap: cluster.bootstrap(),
    };
    make_topics(kafka, &bench.bootstrap, &bench.client);
    bench.oracle.create(&mirror(APACHE, &bench.bootstrap));
    let connector = mirror(RINGMAIN, &bench.bootstrap);
    let files = Standalone::new(&pipeline::worker(&bench.bootstrap), &[connector]);
    let ringmain = files.start();
    bench.same_topics_and_records();
    bench.same_keys(&ringmain);
    let ringmain = bench.restart(&files, ringmain);
    bench.new_topics_and_partitions();
    ringmain.stop_cleanly();
    for (partition, end) in (0..5).zip([609, 600, 600, 600, 600]) {
        let file = files.offset_file();
        let topic = "mirrored-codecs";
        assert!(
            stores(&file, RINGMAIN, topic, partition, end - 1),
            "{topic}-{partition}"
        );
    }
    bench.go_on_for_apache();
}

impl Bench {
    fn same_topics_and_records(&self) {
        for alias in [APACHE, RINGMAIN] {
            for topic in ["mirrored-codecs", "mirrored-set"] {
                wait_until_mirrored(&self.client, alias, topic);
                assert_same(&self.client, topic, alias);
            }
        }
        let ours = remote_topics(&self.client, RINGMAIN);
        assert_eq!(ours, remote_topics(&self.client, APACHE));
        assert_eq!(ours.len(), 2, "{ours:?}");
        let last = |partition: i32| (("mirrored-codecs".to_owned(), partition), (599, 599));
        let mut expected: BTreeMap<_, _> = (0..5).map(last).collect();
        expected.insert(("mirrored-set".to_owned(), 0), (9, 9));
        for alias in [APACHE, RINGMAIN] {
            wait_until(&format!("offset syncs of {alias}"), PATIENCE, || {
                last_syncs(&self.client, alias) == expected
            });
        }
        let settings = |alias: &str| {
            let topic = format!("{alias}.mirrored-set");
            settings_of(self.kafka, &self.bootstrap, &topic)
        };
        let ours = settings(RINGMAIN);
        assert!(ours.contains("max.message.bytes=123456"), "{ours}");
        assert_eq!(ours, settings(APACHE));
    }

    fn same_keys(&self, ringmain: &Ringmain) {
        let path = format!("/connector-plugins/{CLASS}/config");
        let (mut theirs, mut ours) = (keys(&self.oracle.url(&path)), keys(&ringmain.url(&path)));
        // Apache's connector brings common keys of its own, in which this one has no default.
        for keys in [&mut theirs, &mut ours] {
            keys.remove("connector.plugin.version").unwrap();
        }
        for (name, key) in &theirs {
            assert_eq!(ours.get(name), Some(key), "{name}");
        }
        assert_eq!(ours.len(), theirs.len());
    }

    /// What was written while nothing ran comes once, and nothing comes twice.
    fn restart(&self, files: &Standalone, ringmain: Ringmain) -> Ringmain {
        ringmain.stop_cleanly();
        let records = (0..9).map(record).collect();
        self.client
            .produce_records("mirrored-codecs", 0, CODECS[2], records);
        let ringmain = files.start();
        wait_until_mirrored(&self.client, RINGMAIN, "mirrored-codecs");
        assert_same(&self.client, "mirrored-codecs", RINGMAIN);
        ringmain
    }

    fn new_topics_and_partitions(&self) {
        self.client.create_topic("mirrored-new", 2);
        produce(&self.client, "mirrored-new", 1, CODECS[0], 5);
        self.kafka
            .set_partitions(&self.bootstrap, "mirrored-set", 2);
        wait_until("the new partition", PATIENCE, || {
            self.client.topics()["mirrored-set"] == 2
        });
        let keyed = |number| Record {
            key: Some(b"k".to_vec()),
            ..record(number)
        };
        let records = (0..4).map(keyed).collect();
        self.client
            .produce_records("mirrored-set", 1, CODECS[0], records);
        for topic in ["mirrored-new", "mirrored-set"] {
            for alias in [APACHE, RINGMAIN] {
                wait_until_mirrored(&self.client, alias, topic);
                assert_same(&self.client, topic, alias);
            }
        }
    }

    /// We take Apache's offset file over: its remote topics grow by what is new, without repetition.
    fn go_on_for_apache(&self) {
        wait_until_mirrored(&self.client, APACHE, "mirrored-codecs");
        let file = self.oracle.offset_file();
        wait_until("Apache's offsets", PATIENCE, || {
            stores(&file, APACHE, "mirrored-codecs", 0, 608)
                && stores(&file, APACHE, "mirrored-set", 1, 3)
                && stores(&file, APACHE, "mirrored-new", 1, 14)
        });
        self.oracle.delete(&format!("mirror-{APACHE}"));
        let connector = mirror(APACHE, &self.bootstrap);
        let files = Standalone::new(&pipeline::worker(&self.bootstrap), &[connector]);
        fs::copy(&file, files.offset_file()).unwrap();
        produce(&self.client, "mirrored-codecs", 4, CODECS[4], 7);
        let ringmain = files.start();
        wait_until_mirrored(&self.client, APACHE, "mirrored-codecs");
        ringmain.stop_cleanly();
        for topic in ["mirrored-codecs", "mirrored-set", "mirrored-new"] {
            assert_same(&self.client, topic, APACHE);
        }
    }
}
