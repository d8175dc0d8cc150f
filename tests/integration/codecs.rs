//! All five codecs, both ways: our topics read by rskafka and Java, Java's topics read by us.

use std::fs;

use crate::common::lines::{Tally, append_lines};
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{PATIENCE, Standalone, kafka, scratch_dir, wait_until};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const COUNT: u64 = 1500;

#[test]
fn what_we_compress_is_read_by_rskafka_and_by_java() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let (bootstrap, client) = (cluster.bootstrap(), cluster.client());
    let dir = scratch_dir("codecs");
    let input = dir.path().join("in.txt");
    append_lines(&input, 0..COUNT);
    let sources = CODECS.map(|codec| {
        let topic = format!("codec-{codec}");
        client.create_topic(&topic, 1);
        file_source(&topic, &input, &topic).set("producer.override.compression.type", codec)
    });
    let ringmain = Standalone::new(&pipeline::worker(&bootstrap), &sources).start();
    for codec in CODECS {
        let topic = format!("codec-{codec}");
        client.wait_for_end_offset(&topic, COUNT.try_into().unwrap(), PATIENCE);
        let mut tally = Tally::default();
        client.visit(&topic, 0, |r| tally.add(&r.record.value.unwrap()));
        tally.assert_exactly(COUNT);
        let text = kafka.console_consume(&bootstrap, &topic, COUNT.try_into().unwrap(), &[]);
        assert!(
            text == fs::read_to_string(&input).unwrap(),
            "Java reads {codec} differently"
        );
    }
    ringmain.stop_cleanly();
    let segments = CODECS.map(|codec| {
        let dir = cluster.partition_dir(0, &format!("codec-{codec}"), 0);
        dir.join("00000000000000000000.log")
    });
    let segments = segments.each_ref().map(|s| s.as_path());
    let dump = kafka.dump_log_batches(&segments);
    for codec in CODECS {
        assert!(
            dump.contains(&format!("compresscodec: {codec}")),
            "no batch is {codec}:\n{dump}"
        );
    }
}

#[test]
fn what_java_compresses_is_read_by_our_sink() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let (bootstrap, client) = (cluster.bootstrap(), cluster.client());
    let dir = scratch_dir("java-codecs");
    let input = dir.path().join("in.txt");
    append_lines(&input, 0..COUNT);
    let path = |codec: &str| dir.path().join(format!("{codec}.txt"));
    let sinks = CODECS.map(|codec| {
        let topic = format!("java-{codec}");
        client.create_topic(&topic, 1);
        let source = file_source(&topic, &input, &topic);
        oracle.create(&source.set("producer.override.compression.type", codec));
        file_sink(&format!("java-{codec}-sink"), &path(codec), &topic)
    });
    let ringmain = Standalone::new(&pipeline::worker(&bootstrap), &sinks).start();
    for codec in CODECS {
        let expected = fs::read(&input).unwrap();
        wait_until(
            &format!("the lines Java wrote with {codec}"),
            PATIENCE,
            || fs::read(path(codec)).unwrap_or_default().len() >= expected.len(),
        );
        assert!(
            fs::read(path(codec)).unwrap() == expected,
            "{codec} comes out differently"
        );
        oracle.delete(&format!("java-{codec}"));
    }
    ringmain.stop_cleanly();
}
