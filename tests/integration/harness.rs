//! The harness itself: brokers start and come back, clients and tools read what others wrote,
//! and Apache's Connect moves a file. A failure here says nothing about the product.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::common::client::Compression;
use crate::common::lines::{Tally, append_lines, line, number_of};
use crate::common::{
    ClusterOptions, ConnectOracle, KafkaCluster, PATIENCE, Properties, heavy, kafka, scratch_dir,
    wait_until,
};

#[test]
fn numbered_lines_have_93_bytes_and_a_tally_finds_loss_duplicates_and_damage() {
    assert_eq!(line(0).len(), 93);
    assert_eq!(line(1_234_567).len(), 93);
    assert_eq!(number_of(line(42).as_bytes()), Some(42));
    let mut tally = Tally::default();
    for number in [0, 1, 2, 1] {
        tally.add(line(number).as_bytes());
    }
    tally.assert_nothing_lost(3);
    assert_eq!(tally.duplicates(), 1);
    assert!(std::panic::catch_unwind(|| tally.assert_exactly(3)).is_err());
    assert!(std::panic::catch_unwind(|| tally.assert_nothing_lost(4)).is_err());
    tally.add(b"{\"n\":0000000003,");
    assert_eq!(tally.damaged, 1);
}

#[test]
fn java_and_rskafka_read_each_others_records() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let bootstrap = cluster.bootstrap();
    let client = cluster.client();
    client.create_topic("harness-interop", 1);
    client.produce_values("harness-interop", Compression::Gzip, ["one", "two"]);
    kafka.console_produce(
        &bootstrap,
        "harness-interop",
        b"a:b\tk\tv\n",
        &["linger.ms=0"],
        &[
            "--compression-codec",
            "zstd",
            "--reader-property",
            "parse.key=true",
            "--reader-property",
            "parse.headers=true",
        ],
    );
    assert_eq!(client.offsets("harness-interop", 0), (0, 3));
    let records = client.read_all("harness-interop", 0);
    assert_eq!(records[2].record.key.as_deref(), Some(&b"k"[..]));
    let text = kafka.console_consume_everything(&bootstrap, "harness-interop", 3);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Partition:0\tOffset:0\tNO_HEADERS\tnull\tone");
    assert_eq!(lines[2], "Partition:0\tOffset:2\ta:b\tk\tv");
    let ends = kafka.end_offsets(&bootstrap, "harness-interop");
    assert_eq!(ends, [("harness-interop".to_owned(), 0, 3)]);
    let segment = cluster
        .partition_dir(0, "harness-interop", 0)
        .join("00000000000000000000.log");
    let dump = kafka.dump_log(&[&segment]);
    assert!(dump.contains("payload: two"), "{dump}");
    assert!(dump.contains("compresscodec: zstd"), "{dump}");
}

#[test]
fn brokers_come_back_with_their_data_after_stop_kill_and_pause() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let options = ClusterOptions {
        auto_create_topics: false,
        ..ClusterOptions::default()
    };
    let cluster = KafkaCluster::start(kafka, &options);
    cluster.client().create_topic("kept", 2);
    cluster
        .client()
        .produce_values("kept", Compression::NoCompression, ["before"]);
    cluster.stop(0);
    cluster.restart(0);
    cluster.kill(0);
    cluster.restart(0);
    cluster.pause(0);
    std::thread::sleep(Duration::from_secs(1));
    cluster.resume(0);
    let client = cluster.client();
    assert_eq!(client.topics(), [("kept".to_owned(), 2)].into());
    assert_eq!(client.read_values("kept"), [b"before"]);
}

#[test]
fn a_cluster_of_three_serves_and_survives_the_loss_of_one() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let options = ClusterOptions {
        brokers: 3,
        ..ClusterOptions::default()
    };
    let cluster = KafkaCluster::start(kafka, &options);
    kafka.create_topic(
        &cluster.bootstrap(),
        "spread",
        3,
        3,
        &["min.insync.replicas=1"],
    );
    cluster
        .client()
        .produce_values("spread", Compression::Lz4, ["x"]);
    cluster.kill(1);
    let description = kafka.describe_topic(&cluster.bootstrap(), "spread");
    assert!(
        description.contains("ReplicationFactor: 3"),
        "{description}"
    );
    assert_eq!(cluster.client().read_values("spread"), [b"x"]);
}

#[test]
fn apaches_connect_moves_a_file_through_a_topic() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let dir = scratch_dir("files");
    let input = dir.path().join("in.txt");
    let output = dir.path().join("out.txt");
    append_lines(&input, 0..1000);
    let oracle = start_oracle(kafka, cluster, &input, &output);
    wait_until("the output of Apache's Connect", PATIENCE, || {
        fs::read(&output).is_ok_and(|bytes| bytes == fs::read(&input).unwrap())
    });
    wait_until("the sink's first commit", PATIENCE, || {
        let rows = kafka.describe_group(&cluster.bootstrap(), "connect-harness-sink");
        rows.iter()
            .any(|row| row.lag == Some(0) && row.consumer_id.is_some())
    });
    oracle.stop();
    assert!(oracle.offset_file().exists());
}

fn start_oracle(
    kafka: &crate::common::Kafka,
    cluster: &KafkaCluster,
    input: &Path,
    output: &Path,
) -> ConnectOracle {
    let worker = Properties::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .set(
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        )
        .set(
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        )
        .set("offset.flush.interval.ms", 500);
    let source = Properties::new()
        .set("name", "harness-source")
        .set("connector.class", "FileStreamSource")
        .set("file", input.display())
        .set("topic", "harness-files");
    let sink = Properties::new()
        .set("name", "harness-sink")
        .set("connector.class", "FileStreamSink")
        .set("file", output.display())
        .set("topics", "harness-files");
    ConnectOracle::start(kafka, &worker, &[source, sink])
}
