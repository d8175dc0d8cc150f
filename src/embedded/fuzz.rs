//! Damaged files of the embedded log: at open and while they are read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{on_shard, open, producer, record};
use super::*;
use crate::api::TopicPartition;
use crate::clients::{
    AutoOffsetReset, ClientError, Consumer, ConsumerConfig, Polled, Producer, RecordToken,
};
use crate::fuzz::{Blob, Outcome, mutated, search};

/// A log of three batches, closed; its files by name.
fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let producer = producer(&open(&path));
        let topic = producer.topic("t").await.unwrap();
        for index in 0..3 {
            let token = RecordToken { batch: 0, index };
            let value = format!("value {index}");
            producer
                .append(topic, &record(value.as_bytes()), token)
                .unwrap();
            producer.flush().await;
        }
    });
    let mut found = Vec::new();
    collect(dir.path(), dir.path(), &mut found);
    found
}

fn collect(root: &Path, dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_owned();
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// Each file by itself, damaged; the log's file most often.
fn damaged() -> BoxedStrategy<(PathBuf, Blob, bool)> {
    let files = files();
    let each = files.into_iter().map(|(name, bytes)| {
        let weight = if name.extension().is_some_and(|end| end == "log") {
            6
        } else {
            1
        };
        let name = Just(name);
        (weight, (name, mutated(vec![bytes]), any::<bool>()).boxed())
    });
    prop::strategy::Union::new_weighted(each.collect()).boxed()
}

/// Opens the log and reads what is there; a record that comes is one that was written.
fn read_all(dir: &Path) -> Result<Vec<(i64, Vec<u8>)>, ClientError> {
    let dir = dir.to_owned();
    on_shard(async move {
        let log = EmbeddedLog::open(
            &dir,
            EmbeddedConfig {
                retention_ms: None,
                ..EmbeddedConfig::default()
            },
        )?;
        let config = ConsumerConfig {
            auto_offset_reset: AutoOffsetReset::Earliest,
            ..ConsumerConfig::default()
        };
        let consumer = EmbeddedConsumer::new(log, config);
        consumer.assign(vec![TopicPartition::new("t", 0)]);
        let mut found = Vec::new();
        while let Polled::Records(batches) = consumer.poll(Duration::from_millis(2)).await? {
            for batch in batches {
                for record in &batch.records {
                    let value = record.value.of(&batch.buffer).unwrap_or_default();
                    found.push((record.offset, value.to_vec()));
                }
            }
        }
        Ok(found)
    })
}

fn survives((name, bytes, clean): (PathBuf, Blob, bool)) -> Outcome {
    // In memory where possible: each round syncs files.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    for (other, whole) in files_once() {
        let path = dir.path().join(other);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, whole).unwrap();
    }
    std::fs::write(dir.path().join(&name), &*bytes).unwrap();
    if !clean {
        drop(std::fs::remove_file(
            dir.path().join(".kafka_cleanshutdown"),
        ));
    }
    match read_all(dir.path()) {
        Ok(found) => {
            for (at, (_, value)) in found.iter().enumerate() {
                prop_assert!(
                    value.starts_with(b"value "),
                    "record {at}: {}",
                    value.escape_ascii()
                );
            }
        }
        Err(error) => {
            let text = error.to_string();
            prop_assert!(!text.is_empty());
        }
    }
    Ok(())
}

fn files_once() -> &'static [(PathBuf, Vec<u8>)] {
    static FILES: std::sync::OnceLock<Vec<(PathBuf, Vec<u8>)>> = std::sync::OnceLock::new();
    FILES.get_or_init(files)
}

#[test]
fn a_log_with_a_damaged_file_opens_with_what_was_written_or_names_the_damage() {
    search(120, damaged, survives);
}
