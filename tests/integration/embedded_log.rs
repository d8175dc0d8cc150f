//! What the embedded log writes, in the eyes of Kafka's own tool for log segments.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringmain::clients::{Producer, ProducerConfig, ProducerRecord, RecordToken};
use ringmain::embedded::{EmbeddedConfig, EmbeddedLog, EmbeddedProducer};
use ringmain::record::{Compression, CompressionConfig, RecordHeader};
use ringmain::shard::{RuntimeKind, run};

use crate::common::{kafka, scratch_dir};

const RECORDS: u32 = 5000;

/// Some hundred batches in several segments, with keys, headers, nulls and timestamps that go back
/// and forth.
async fn fill(dir: PathBuf, codec: Compression) {
    let log = EmbeddedConfig {
        segment_bytes: 100_000,
        retention_ms: None,
        ..EmbeddedConfig::default()
    };
    let config = ProducerConfig {
        compression: CompressionConfig { codec, level: None },
        batch_size: 9000,
        ..ProducerConfig::default()
    };
    let log = EmbeddedLog::open(&dir, log).unwrap();
    let producer = EmbeddedProducer::new(Arc::clone(&log), config);
    let topic = producer.topic("t").await.unwrap();
    let header = [RecordHeader {
        key: b"name",
        value: Some(b"content"),
    }];
    for index in 0..RECORDS {
        let value = format!("{index:0200}");
        let record = ProducerRecord {
            partition: None,
            timestamp: 1_700_000_000_000 + i64::from(index / 50) * 1000 - i64::from(index % 7),
            key: (index % 3 == 0).then_some(b"key"),
            value: (index % 11 != 0).then_some(value.as_bytes()),
            headers: if index % 5 == 0 { &header } else { &[] },
        };
        producer
            .append(topic, &record, RecordToken { batch: 0, index })
            .unwrap();
        // One record, a few, or as many as a batch holds.
        if index % 101 == 0 || index % 997 < 5 {
            producer.flush().await;
        }
    }
    producer.flush().await;
    let mut acks = Vec::new();
    producer.take_acks(&mut acks);
    assert!(acks.iter().all(|ack| ack.result.is_ok()));
    assert!(acks.len() > 100);
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn kafkas_dump_tool_lists_segments_and_indexes_without_error() {
    let Some(kafka) = kafka() else { return };
    for codec in [Compression::None, Compression::Zstd] {
        let dir = scratch_dir("embedded");
        let path = dir.path().to_owned();
        run(RuntimeKind::Epoll, None, fill(path, codec)).unwrap();
        for recovered in [false, true] {
            if recovered {
                // As after a crash: the last segment is read through and its indexes written anew.
                std::fs::remove_file(dir.path().join(".kafka_cleanshutdown")).unwrap();
                drop(EmbeddedLog::open(
                    dir.path(),
                    EmbeddedConfig {
                        retention_ms: None,
                        ..EmbeddedConfig::default()
                    },
                ));
            }
            let files = segments(&dir.path().join("t-0"));
            let logs = files
                .iter()
                .filter(|path| path.extension().is_some_and(|e| e == "log"));
            assert!(codec != Compression::None || logs.count() > 5);
            let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
            let dump = kafka.dump_log(&files);
            let lower = dump.to_lowercase();
            for trouble in [
                "mismatch",
                "not found",
                "out of order",
                "isvalid: false",
                "error",
                "invalid",
            ] {
                assert!(!lower.contains(trouble), "{trouble}:\n{dump}");
            }
            let listed = dump
                .lines()
                .filter(|line| line.starts_with("| offset: "))
                .count();
            assert_eq!(listed, RECORDS as usize);
            assert!(dump.contains("isvalid: true"));
            assert!(dump.contains("timestamp: 17") && dump.contains(" position: "));
        }
        // The tool does look: a wrong entry is reported.
        let index = segments(&dir.path().join("t-0"))
            .into_iter()
            .find(|path| path.extension().is_some_and(|e| e == "index"))
            .unwrap();
        let mut bytes = std::fs::read(&index).unwrap();
        bytes[3] ^= 1;
        std::fs::write(&index, bytes).unwrap();
        let dump = kafka.dump_log(&[&index]);
        assert!(dump.to_lowercase().contains("mismatch"), "{dump}");
    }
}
