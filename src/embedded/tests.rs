//! The embedded log as its clients see it, and what its files survive.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::partition::{Chunk, Read};
use super::*;
use crate::api::TopicPartition;
use crate::clients::{
    Ack, Admin, Append, AutoOffsetReset, ClientError, Consumer, ConsumerConfig, NewTopic,
    OffsetSpec, Polled, Producer, ProducerConfig, ProducerRecord, RecordToken, Subscription,
};
use crate::mapped::tests::SmallDisk;
use crate::record::{Compression, CompressionConfig, RecordHeader, headers};
use crate::shard::{
    CachedRead, RuntimeKind, probe_io_uring, read_cached, sleep, spawn, take_filled, yield_now,
};

pub(super) const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

pub(super) fn kinds() -> Vec<RuntimeKind> {
    let mut kinds = vec![RuntimeKind::Epoll];
    if probe_io_uring().io_uring_problem.is_none() {
        kinds.push(RuntimeKind::IoUring);
    }
    kinds
}

pub(super) fn on_shard<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    crate::shard::run(RuntimeKind::Epoll, None, future).unwrap()
}

pub(super) fn open(dir: &Path) -> Arc<EmbeddedLog> {
    EmbeddedLog::open(dir, keeping()).unwrap()
}

/// The tests' timestamps are long ago.
fn keeping() -> EmbeddedConfig {
    EmbeddedConfig {
        retention_ms: None,
        ..EmbeddedConfig::default()
    }
}

pub(super) fn small_segments(dir: &Path) -> Arc<EmbeddedLog> {
    let config = EmbeddedConfig {
        segment_bytes: 4000,
        ..keeping()
    };
    EmbeddedLog::open(dir, config).unwrap()
}

pub(super) fn consumer(log: &Arc<EmbeddedLog>, group: Option<&str>) -> EmbeddedConsumer {
    let config = ConsumerConfig {
        group_id: group.map(str::to_owned),
        ..ConsumerConfig::default()
    };
    EmbeddedConsumer::new(Arc::clone(log), config)
}

pub(super) fn producer(log: &Arc<EmbeddedLog>) -> EmbeddedProducer {
    EmbeddedProducer::new(Arc::clone(log), ProducerConfig::default())
}

pub(super) fn record(value: &[u8]) -> ProducerRecord<'_> {
    ProducerRecord {
        partition: None,
        timestamp: 1000,
        key: None,
        value: Some(value),
        headers: &[],
    }
}

/// Produces values one after the other, a batch each, and gives the acknowledgements.
async fn produce(producer: &EmbeddedProducer, topic: &str, values: &[String]) -> Vec<Ack> {
    let topic = producer.topic(topic).await.unwrap();
    let mut acks = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let token = RecordToken {
            batch: 0,
            index: u32::try_from(index).unwrap(),
        };
        producer
            .append(topic, &record(value.as_bytes()), token)
            .unwrap();
        producer.flush().await;
    }
    producer.take_acks(&mut acks);
    acks
}

fn values(range: std::ops::Range<usize>) -> Vec<String> {
    range
        .map(|n| format!("value {n} {}", "x".repeat(200)))
        .collect()
}

/// Everything that is there, as (offset, value).
async fn drain(consumer: &EmbeddedConsumer) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    loop {
        match consumer.poll(SHORT).await.unwrap() {
            Polled::Records(batches) => {
                for batch in batches {
                    for record in &batch.records {
                        let value = record.value.of(&batch.buffer).unwrap_or_default();
                        found.push((record.offset, String::from_utf8(value.to_vec()).unwrap()));
                    }
                }
            }
            Polled::Idle => return found,
            _ => {}
        }
    }
}

async fn read_all(log: &Arc<EmbeddedLog>, topic: &str) -> Vec<(i64, String)> {
    let consumer = consumer(log, None);
    consumer.assign(vec![TopicPartition::new(topic, 0)]);
    drain(&consumer).await
}

fn expected(values: &[String]) -> Vec<(i64, String)> {
    (0..).zip(values.iter().cloned()).collect()
}

fn log_file(dir: &Path, base: i64) -> PathBuf {
    dir.join("t-0").join(format!("{base:020}.log"))
}

fn logs(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir.join("t-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    logs.sort();
    logs
}

#[test]
fn records_come_back_as_they_went_in_on_both_runtimes_and_with_all_codecs() {
    use Compression::{Gzip, Lz4, None as Plain, Snappy, Zstd};
    for kind in kinds() {
        for codec in [Plain, Gzip, Snappy, Lz4, Zstd] {
            let dir = tempfile::tempdir().unwrap();
            let log = open(dir.path());
            let future = round_trip(log, CompressionConfig { codec, level: None });
            crate::shard::run(kind, None, future).unwrap();
        }
    }
}

async fn round_trip(log: Arc<EmbeddedLog>, compression: CompressionConfig) {
    let config = ProducerConfig {
        compression,
        batch_size: 10_000,
        ..ProducerConfig::default()
    };
    let producer = EmbeddedProducer::new(Arc::clone(&log), config);
    let topic = producer.topic("t").await.unwrap();
    let header = [RecordHeader {
        key: b"h",
        value: Some(b"w"),
    }];
    let text = |n: u32| format!("value {n}");
    for n in 0..2000_u32 {
        let (key, value) = (n.to_string(), text(n));
        let record = ProducerRecord {
            partition: Some(0),
            timestamp: i64::from(n),
            key: (!n.is_multiple_of(3)).then_some(key.as_bytes()),
            value: (!n.is_multiple_of(7)).then_some(value.as_bytes()),
            headers: if n.is_multiple_of(5) { &header } else { &[] },
        };
        let token = RecordToken { batch: 4, index: n };
        assert_eq!(
            producer.append(topic, &record, token).unwrap(),
            Append::Taken
        );
    }
    producer.flush().await;
    assert_acked_in_order(&producer);
    let consumer = consumer(&log, None);
    consumer.assign(vec![TopicPartition::new("t", 0)]);
    let mut n = 0_u32;
    while n < 2000 {
        let Polled::Records(batches) = consumer.poll(LONG).await.unwrap() else {
            panic!("records expected");
        };
        for batch in batches {
            for record in &batch.records {
                assert_eq!(record.offset, i64::from(n));
                assert_eq!(record.timestamp, i64::from(n));
                let key = record.key.of(&batch.buffer).map(<[u8]>::to_vec);
                assert_eq!(
                    key,
                    (!n.is_multiple_of(3)).then(|| n.to_string().into_bytes())
                );
                let value = record.value.of(&batch.buffer).map(<[u8]>::to_vec);
                assert_eq!(value, (!n.is_multiple_of(7)).then(|| text(n).into_bytes()));
                let headers: Vec<_> =
                    headers(&batch.buffer, record.headers, record.header_count).collect();
                assert_eq!(headers.len(), usize::from(n.is_multiple_of(5)));
                n += 1;
            }
        }
    }
    assert_eq!(consumer.lag(), Some(0));
}

fn assert_acked_in_order(producer: &EmbeddedProducer) {
    let mut acks = Vec::new();
    producer.take_acks(&mut acks);
    let mut next = 0;
    for ack in &acks {
        assert_eq!((ack.batch, ack.first), (4, next));
        assert_eq!(ack.result.as_ref().unwrap().base_offset, i64::from(next));
        next += ack.count;
    }
    assert_eq!(next, 2000);
    assert!(acks.len() > 1, "several batches");
    assert_eq!(producer.in_flight(), 0);
}

#[test]
fn records_survive_a_clean_and_an_unclean_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    for (round, clean) in [true, false, true].into_iter().enumerate() {
        let path = path.clone();
        on_shard(async move {
            let log = small_segments(&path);
            let before = values(0..round * 50);
            assert_eq!(read_all(&log, "t").await, expected(&before));
            produce(&producer(&log), "t", &values(round * 50..round * 50 + 50)).await;
        });
        let mark = dir.path().join(".kafka_cleanshutdown");
        assert!(mark.exists());
        if !clean {
            std::fs::remove_file(mark).unwrap();
        }
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off() {
    // In memory where possible: each round syncs files.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let all = ["first", "second", "third"].map(str::to_owned);
    let (path, produced) = (dir.path().to_owned(), all.clone());
    on_shard(async move {
        produce(&producer(&open(&path)), "t", &produced).await;
    });
    let file = log_file(dir.path(), 0);
    let whole = std::fs::read(&file).unwrap();
    // Batches of 5, 6 and 5 bytes besides what all have.
    let two = (whole.len() - 16) / 3 * 2 + 11;
    for len in two..whole.len() {
        // Cut off, or with a rest of other bytes, as a power loss may leave it.
        for rest in [vec![], vec![0x5A; 1], vec![0x5A; 10], vec![0; 100]] {
            // A record ends with a zero: its number of headers.
            if len + 1 == whole.len() && rest.first() == Some(&0) {
                continue;
            }
            std::fs::write(&file, [&whole[..len], &rest[..]].concat()).unwrap();
            std::fs::remove_file(dir.path().join(".kafka_cleanshutdown")).unwrap();
            let path = dir.path().to_owned();
            let found = on_shard(async move { read_all(&open(&path), "t").await });
            assert_eq!(found, expected(&all[..2]), "{len}");
            assert_eq!(std::fs::metadata(&file).unwrap().len(), two as u64);
        }
    }
}

#[test]
fn a_damaged_middle_is_an_error_that_names_file_and_position() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        produce(&producer(&open(&path)), "t", &values(0..4)).await;
    });
    let file = log_file(dir.path(), 0);
    let whole = std::fs::read(&file).unwrap();
    let batch = whole.len() / 4;
    for at in (0..batch).step_by(7) {
        // The leader's epoch is not covered by a checksum and of no use here.
        if (12..16).contains(&at) {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[batch + at] ^= 0x41;
        std::fs::write(&file, &bytes).unwrap();
        drop(std::fs::remove_file(
            dir.path().join(".kafka_cleanshutdown"),
        ));
        let error = EmbeddedLog::open(dir.path(), EmbeddedConfig::default()).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, ClientError::Corrupt { offset: 1, .. }),
            "{at}: {text}"
        );
        assert!(
            text.contains(&format!("is damaged at byte {batch}:")),
            "{text}"
        );
        assert!(text.contains(file.to_str().unwrap()), "{text}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "nothing is cut off");
    }
}

#[test]
fn what_is_cached_is_read_as_a_blocking_thread_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = small_segments(dir.path());
    let writer = Arc::clone(&log);
    on_shard(async move { produce(&producer(&writer), "t", &values(0..60)).await });
    let partition = log.partition("t", 0).unwrap();
    let blocking = |offset, max| match partition.read(None, offset, take_filled(0), max) {
        Ok(Read::Chunk(chunk)) => chunk,
        other => panic!("{other:?}"),
    };
    let cached = |chunk: &Chunk, offset, max| {
        let mut buffer = take_filled(0);
        let len = partition.read_cached(&chunk.cursor, offset, &mut buffer, max)?;
        Some(buffer[..len].to_vec())
    };
    let segment = std::fs::File::open(dir.path().join("t-0").join(format!("{:020}.log", 0)));
    if read_cached(&segment.unwrap(), &mut [0], 0).unwrap() == CachedRead::Unsupported {
        eprintln!("skipped: this file system has no reads that must not wait");
        return;
    }
    for offset in 0..60 {
        let chunk = blocking(offset, 1000);
        assert_eq!(
            cached(&chunk, offset, 1000),
            Some(chunk.buffer[..chunk.len].to_vec())
        );
        // A batch that is longer than what may be read, and offsets that are not there, are left to `read`.
        assert_eq!(cached(&chunk, offset, 100), None);
        assert_eq!(cached(&chunk, 60, 1000), None);
    }
}

#[test]
fn reading_what_is_cached_lets_others_of_the_shard_run() {
    for kind in kinds() {
        let dir = tempfile::tempdir().unwrap();
        let log = small_segments(dir.path());
        let run = async move {
            produce(&producer(&log), "t", &values(0..200)).await;
            let config = ConsumerConfig {
                max_partition_fetch_bytes: 300,
                ..ConsumerConfig::default()
            };
            let consumer = EmbeddedConsumer::new(Arc::clone(&log), config);
            consumer.assign(vec![TopicPartition::new("t", 0)]);
            let turns = Rc::new(Cell::new(0));
            let counting = Rc::clone(&turns);
            let other = spawn(async move {
                loop {
                    counting.set(counting.get() + 1);
                    yield_now().await;
                }
            });
            let (mut polls, mut alone, mut longest) = (0, 0, 0);
            while let Polled::Records(_) = consumer.poll(SHORT).await.unwrap() {
                polls += 1;
                alone = if turns.replace(0) == 0 { alone + 1 } else { 0 };
                longest = longest.max(alone);
            }
            other.abort();
            // A segment, whose end has to be waited for, is some thirteen polls.
            assert!(polls >= 200 && longest <= 4, "{longest} of {polls}");
        };
        crate::shard::run(kind, None, run).unwrap();
    }
}

#[test]
fn damage_met_while_reading_is_an_error_that_names_file_and_position() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        produce(&producer(&log), "t", &values(0..3)).await;
        let file = log_file(&path, 0);
        let mut bytes = std::fs::read(&file).unwrap();
        let batch = bytes.len() / 3;
        bytes[batch + 100] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let consumer = consumer(&log, None);
        consumer.assign(vec![TopicPartition::new("t", 0)]);
        let error = consumer.poll(LONG).await.unwrap_err();
        assert!(matches!(error, ClientError::Corrupt { .. }), "{error}");
        assert!(
            error.to_string().contains(&format!(".log at byte {batch}")),
            "{error}"
        );
    });
}

#[test]
fn segments_roll_and_any_offset_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = small_segments(&path);
        let all = values(0..150);
        produce(&producer(&log), "t", &all).await;
        assert!(logs(&path).len() > 5);
        let consumer = consumer(&log, None);
        let partition = TopicPartition::new("t", 0);
        consumer.assign(vec![partition.clone()]);
        for offset in [0, 149, 77, 78, 1, 150] {
            consumer.seek(&partition, offset);
            let found = drain(&consumer).await;
            let from = usize::try_from(offset).unwrap();
            assert_eq!(found, expected(&all)[from..]);
            assert_eq!(consumer.position(&partition).await.unwrap(), 150);
        }
    });
}

#[test]
fn retention_removes_whole_segments_and_never_the_active_one() {
    let dir = tempfile::tempdir().unwrap();
    for (key, value) in [("retention.bytes", "8000"), ("retention.ms", "1")] {
        let path = dir.path().join(key);
        let sub = path.clone();
        on_shard(async move {
            let log = small_segments(&sub);
            let admin = EmbeddedAdmin::new(Arc::clone(&log));
            let topic = NewTopic {
                name: "t".to_owned(),
                partitions: 1,
                replication_factor: 1,
                configs: vec![(key.to_owned(), value.to_owned())],
            };
            assert!(admin.create_topic(&topic).await.unwrap());
            assert!(!admin.create_topic(&topic).await.unwrap());
            produce(&producer(&log), "t", &values(0..150)).await;
            let found = read_all(&log, "t").await;
            assert_eq!(found.last().unwrap().0, 149);
            assert!(found[0].0 > 0 && found.len() < 65, "{}", found.len());
            let start = [(TopicPartition::new("t", 0), OffsetSpec::Earliest)];
            assert_eq!(admin.list_offsets(&start).await.unwrap()[0].1, found[0].0);
            // The settings outlive the process.
            drop((log, admin));
            let log = small_segments(&sub);
            produce(&producer(&log), "t", &values(150..300)).await;
            assert!(read_all(&log, "t").await.len() < 65);
        });
        assert!(logs(&path).len() <= 4);
    }
}

#[test]
fn deleted_records_stay_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = small_segments(&path);
        produce(&producer(&log), "t", &values(0..50)).await;
        let admin = EmbeddedAdmin::new(Arc::clone(&log));
        let partition = TopicPartition::new("t", 0);
        admin
            .delete_records(&[(partition.clone(), 30)])
            .await
            .unwrap();
        let error = admin.delete_records(&[(partition, 51)]).await.unwrap_err();
        assert!(matches!(error, ClientError::Api { code: 1, .. }), "{error}");
        assert_eq!(read_all(&log, "t").await[0].0, 30);
        drop((log, admin));
        let log = small_segments(&path);
        assert_eq!(read_all(&log, "t").await, expected(&values(0..50))[30..]);
    });
}

#[test]
fn an_offset_out_of_range_follows_auto_offset_reset() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        produce(&producer(&log), "t", &values(0..10)).await;
        let partition = TopicPartition::new("t", 0);
        for reset in [
            AutoOffsetReset::Earliest,
            AutoOffsetReset::Latest,
            AutoOffsetReset::None,
        ] {
            let config = ConsumerConfig {
                auto_offset_reset: reset,
                ..ConsumerConfig::default()
            };
            let consumer = EmbeddedConsumer::new(Arc::clone(&log), config);
            consumer.assign(vec![partition.clone()]);
            consumer.seek(&partition, 5000);
            match reset {
                AutoOffsetReset::Earliest => assert_eq!(drain(&consumer).await.len(), 10),
                AutoOffsetReset::Latest => assert_eq!(drain(&consumer).await.len(), 0),
                AutoOffsetReset::None => {
                    let error = consumer.poll(LONG).await.unwrap_err();
                    assert!(matches!(error, ClientError::NoOffset { .. }), "{error}");
                }
            }
        }
    });
}

#[test]
fn a_poll_hands_out_at_most_max_poll_records() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        produce(&producer(&log), "t", &values(0..10)).await;
        let config = ConsumerConfig {
            max_poll_records: Some(4),
            ..ConsumerConfig::default()
        };
        let consumer = EmbeddedConsumer::new(log, config);
        let partition = TopicPartition::new("t", 0);
        consumer.assign(vec![partition.clone()]);
        let mut seen = Vec::new();
        while let Polled::Records(batches) = consumer.poll(SHORT).await.unwrap() {
            let count: usize = batches.iter().map(|batch| batch.records.len()).sum();
            seen.push(count);
            let next = batches.last().unwrap().next_offset;
            assert_eq!(consumer.position(&partition).await.unwrap(), next);
        }
        assert_eq!(seen, [4, 4, 2]);
    });
}

#[test]
fn a_paused_partition_waits_and_a_resumed_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        produce(&producer(&log), "t", &values(0..3)).await;
        let consumer = consumer(&log, None);
        let partition = [TopicPartition::new("t", 0)];
        consumer.assign(partition.to_vec());
        consumer.pause(&partition);
        assert_eq!(drain(&consumer).await, []);
        consumer.resume(&partition);
        assert_eq!(drain(&consumer).await.len(), 3);
    });
}

#[test]
fn an_append_wakes_a_consumer_of_another_thread() {
    let dir = tempfile::tempdir().unwrap();
    for kind in kinds() {
        let log = open(&dir.path().join(kind.name()));
        let theirs = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let future = async move {
                let consumer = consumer(&theirs, None);
                // The topic does not exist yet.
                consumer.assign(vec![TopicPartition::new("t", 0)]);
                let mut found = 0;
                while found < 20 {
                    match consumer.poll(LONG).await.unwrap() {
                        Polled::Records(batches) => {
                            found += batches.iter().map(|b| b.records.len()).sum::<usize>();
                        }
                        other => panic!("{other:?}"),
                    }
                }
            };
            crate::shard::run(kind, None, future).unwrap();
        });
        on_shard(async move {
            let producer = producer(&log);
            for n in 0..20 {
                sleep(Duration::from_millis(2)).await;
                produce(&producer, "t", &values(n..n + 1)).await;
            }
        });
        reader.join().unwrap();
    }
}

#[test]
fn a_group_continues_from_its_commits_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let partition = TopicPartition::new("t", 0);
        for round in 0..3_usize {
            let log = open(&path);
            produce(&producer(&log), "t", &values(round * 10..round * 10 + 10)).await;
            let consumer = consumer(&log, Some("g"));
            consumer.subscribe(Subscription::Topics(vec!["t".to_owned()]));
            let found = drain(&consumer).await;
            assert_eq!(found, expected(&values(0..round * 10 + 10))[round * 10..]);
            let end = i64::try_from(round * 10 + 10).unwrap();
            consumer.commit(&[(partition.clone(), end)]).await.unwrap();
            let committed = consumer
                .committed(std::slice::from_ref(&partition))
                .await
                .unwrap();
            assert_eq!(committed[0].1, Some(end));
            let admin = EmbeddedAdmin::new(Arc::clone(&log));
            let offsets = admin.group_offsets("g").await.unwrap();
            assert_eq!(offsets, [(partition.clone(), end)]);
            consumer.close(LONG).await;
            assert!(matches!(
                consumer.poll(LONG).await,
                Err(ClientError::Closed)
            ));
        }
    });
}

#[test]
fn a_group_spreads_its_partitions_and_hands_them_over_between_polls() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        log.create_topic("t", 3, &[]).unwrap();
        let pattern = || Subscription::Pattern(regex::Regex::new("t|u.*").unwrap());
        let first = consumer(&log, Some("g"));
        first.subscribe(pattern());
        let Polled::Assigned(all) = first.poll(SHORT).await.unwrap() else {
            panic!("an assignment expected");
        };
        assert_eq!(all.len(), 3);
        let second = consumer(&log, Some("g"));
        second.subscribe(pattern());
        // Nothing is free yet.
        assert!(matches!(second.poll(SHORT).await.unwrap(), Polled::Idle));
        let Polled::Revoked(gone) = first.poll(SHORT).await.unwrap() else {
            panic!("a revocation expected");
        };
        assert_eq!(gone, [TopicPartition::new("t", 2)]);
        assert!(matches!(second.poll(SHORT).await.unwrap(), Polled::Idle));
        // Still its own until the next poll.
        first.commit(&[(gone[0].clone(), 0)]).await.unwrap();
        assert!(matches!(first.poll(SHORT).await.unwrap(), Polled::Idle));
        let error = first.commit(&[(gone[0].clone(), 0)]).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Api { code: 22, .. }),
            "{error}"
        );
        let Polled::Assigned(new) = second.poll(SHORT).await.unwrap() else {
            panic!("an assignment expected");
        };
        assert_eq!(new, gone);
        // A topic that comes later is found by the pattern.
        log.create_topic("u1", 2, &[]).unwrap();
        let Polled::Assigned(new) = second.poll(SHORT).await.unwrap() else {
            panic!("an assignment expected");
        };
        assert_eq!(new, [TopicPartition::new("u1", 1)]);
        // A member that is gone leaves everything to the other.
        drop(first);
        assert!(matches!(
            second.poll(SHORT).await.unwrap(),
            Polled::Assigned(_)
        ));
        assert_eq!(second.assignment().len(), 5);
    });
}

#[test]
fn a_waiting_member_is_woken_by_a_handover() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        log.create_topic("t", 1, &[]).unwrap();
        let first = consumer(&log, Some("g"));
        first.subscribe(Subscription::Topics(vec!["t".to_owned()]));
        assert!(matches!(
            first.poll(SHORT).await.unwrap(),
            Polled::Assigned(_)
        ));
        let second = consumer(&log, Some("g"));
        second.subscribe(Subscription::Topics(vec!["t".to_owned()]));
        let waiting = spawn(async move { second.poll(LONG).await.unwrap() });
        sleep(SHORT).await;
        first.close(LONG).await;
        let crate::shard::TaskEnd::Done(Polled::Assigned(new)) = waiting.join().await else {
            panic!("an assignment expected");
        };
        assert_eq!(new.len(), 1);
    });
}

#[test]
fn keys_decide_the_partition_as_in_kafka() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        log.create_topic("t", 5, &[]).unwrap();
        let producer = producer(&log);
        let topic = producer.topic("t").await.unwrap();
        for n in 0..50_u32 {
            let key = n.to_string();
            let record = ProducerRecord {
                key: Some(key.as_bytes()),
                ..record(b"v")
            };
            producer
                .append(
                    topic,
                    &record,
                    RecordToken {
                        batch: u64::from(n),
                        index: 0,
                    },
                )
                .unwrap();
        }
        producer.flush().await;
        let mut acks = Vec::new();
        producer.take_acks(&mut acks);
        assert_eq!(acks.len(), 50);
        for ack in acks {
            let key = ack.batch.to_string();
            let expected = crate::clients::partition_for_key(key.as_bytes(), 5);
            assert_eq!(ack.result.unwrap().partition, expected);
        }
    });
}

#[test]
fn topics_are_created_described_listed_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        let admin = EmbeddedAdmin::new(Arc::clone(&log));
        let topic = |name: &str, partitions| NewTopic {
            name: name.to_owned(),
            partitions,
            replication_factor: -1,
            configs: vec![],
        };
        for bad in ["", ".", "..", "a/b", "../x", "a b", "ü", &"x".repeat(250)] {
            let error = admin.create_topic(&topic(bad, 1)).await.unwrap_err();
            assert!(
                matches!(error, ClientError::Api { code: 17, .. }),
                "{bad}: {error}"
            );
        }
        for bad in [0, -2, 1_000_000] {
            let error = admin.create_topic(&topic("t", bad)).await.unwrap_err();
            assert!(
                matches!(error, ClientError::Api { code: 37, .. }),
                "{bad}: {error}"
            );
        }
        assert_eq!(admin.describe_topic("t-1").await.unwrap().map(|_| ()), None);
        admin.create_topic(&topic("t-1", 2)).await.unwrap();
        assert_eq!(
            admin
                .describe_topic("t-1")
                .await
                .unwrap()
                .unwrap()
                .partitions,
            2
        );
        let id = admin.cluster_id().await.unwrap();
        drop((log, admin));
        let log = open(&path);
        let admin = EmbeddedAdmin::new(Arc::clone(&log));
        assert_eq!(admin.cluster_id().await.unwrap(), id);
        assert_eq!(admin.list_topics().await.unwrap(), ["t-1"]);
        assert!(admin.delete_topic("t-1").await.unwrap());
        assert!(!admin.delete_topic("t-1").await.unwrap());
        assert!(!path.join("t-1-0").exists());
        let missing = [(TopicPartition::new("t-1", 0), OffsetSpec::Latest)];
        let error = admin.list_offsets(&missing).await.unwrap_err();
        assert!(matches!(error, ClientError::Api { code: 3, .. }), "{error}");
    });
}

#[test]
fn without_auto_creation_a_missing_topic_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let config = EmbeddedConfig {
            auto_create: false,
            ..EmbeddedConfig::default()
        };
        let log = EmbeddedLog::open(&path, config).unwrap();
        let error = producer(&log).topic("missing").await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("auto.create.topics.enable is off"),
            "{error}"
        );
    });
}

#[test]
fn offsets_are_found_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = small_segments(&path);
        let producer = producer(&log);
        let topic = producer.topic("t").await.unwrap();
        let value = "x".repeat(200);
        for n in 0..100_u32 {
            let record = ProducerRecord {
                timestamp: i64::from(n) * 10,
                ..record(value.as_bytes())
            };
            producer
                .append(topic, &record, RecordToken { batch: 0, index: n })
                .unwrap();
            if n % 3 == 0 {
                producer.flush().await;
            }
        }
        producer.flush().await;
        let admin = EmbeddedAdmin::new(Arc::clone(&log));
        for (time, offset) in [
            (-1, 0),
            (0, 0),
            (1, 1),
            (500, 50),
            (501, 51),
            (990, 99),
            (991, -1),
        ] {
            let spec = [(TopicPartition::new("t", 0), OffsetSpec::Timestamp(time))];
            assert_eq!(
                admin.list_offsets(&spec).await.unwrap()[0].1,
                offset,
                "{time}"
            );
        }
    });
}

#[test]
fn a_record_that_is_too_large_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        let producer = producer(&log);
        let topic = producer.topic("t").await.unwrap();
        let large = vec![b'x'; 2 << 20];
        let token = |index| RecordToken { batch: 0, index };
        let error = producer
            .append(topic, &record(&large), token(0))
            .unwrap_err();
        assert!(
            matches!(error, ClientError::RecordTooLarge { .. }),
            "{error}"
        );
        producer.append(topic, &record(b"small"), token(1)).unwrap();
        producer.flush().await;
        assert_eq!(read_all(&log, "t").await, [(0, "small".to_owned())]);
        // Larger than a read's size, when the user allows it.
        let config = ProducerConfig {
            max_request_size: 4 << 20,
            ..ProducerConfig::default()
        };
        let producer = EmbeddedProducer::new(Arc::clone(&log), config);
        let topic = producer.topic("t").await.unwrap();
        producer.append(topic, &record(&large), token(0)).unwrap();
        producer.append(topic, &record(b"after"), token(1)).unwrap();
        producer.flush().await;
        let sizes: Vec<usize> = read_all(&log, "t")
            .await
            .iter()
            .map(|(_, v)| v.len())
            .collect();
        assert_eq!(sizes, [5, 2 << 20, 5]);
    });
}

#[test]
fn appends_beyond_buffer_memory_wait_for_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        let config = ProducerConfig {
            batch_size: 10_000,
            buffer_memory: 30_000,
            ..ProducerConfig::default()
        };
        let producer = EmbeddedProducer::new(Arc::clone(&log), config);
        let topic = producer.topic("t").await.unwrap();
        let (mut index, mut fulls) = (0, 0);
        while index < 2000 {
            let value = format!("{index:0100}");
            match producer.append(
                topic,
                &record(value.as_bytes()),
                RecordToken { batch: 0, index },
            ) {
                Ok(Append::Taken) => index += 1,
                Ok(Append::Full) => {
                    fulls += 1;
                    producer.ready().await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
        producer.close(LONG).await;
        assert!(fulls > 3, "{fulls}");
        assert_eq!(read_all(&log, "t").await.len(), 2000);
        let error = producer.append(topic, &record(b"x"), RecordToken { batch: 0, index: 0 });
        assert!(matches!(error, Err(ClientError::Closed)));
    });
}

#[test]
fn linger_gathers_records_and_flush_does_not_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        let config = ProducerConfig {
            linger: LONG,
            ..ProducerConfig::default()
        };
        let producer = EmbeddedProducer::new(Arc::clone(&log), config);
        let topic = producer.topic("t").await.unwrap();
        for index in 0..5 {
            producer
                .append(topic, &record(b"v"), RecordToken { batch: 0, index })
                .unwrap();
            sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(producer.in_flight(), 5);
        producer.flush().await;
        let mut acks = Vec::new();
        producer.take_acks(&mut acks);
        assert_eq!(acks.len(), 1, "one batch");
        assert_eq!(acks[0].count, 5);
    });
}

#[test]
fn a_full_disk_is_waited_out_and_nothing_torn_stays() {
    let Some(disk) = SmallDisk::new("2m") else {
        return;
    };
    let path = disk.path().to_owned();
    on_shard(async move {
        let log = open(&path.join("log"));
        let filler = path.join("filler");
        let producer = producer(&log);
        let topic = producer.topic("t").await.unwrap();
        drop(std::fs::write(&filler, vec![1; 3 << 20]));
        let value = vec![b'x'; 100_000];
        for index in 0..5 {
            producer
                .append(topic, &record(&value), RecordToken { batch: 0, index })
                .unwrap();
        }
        sleep(Duration::from_millis(300)).await;
        assert_eq!(producer.in_flight(), 5, "tried again until there is room");
        assert_eq!(
            std::fs::metadata(log_file(&path.join("log"), 0))
                .unwrap()
                .len(),
            0
        );
        std::fs::remove_file(&filler).unwrap();
        producer.flush().await;
        let mut acks = Vec::new();
        producer.take_acks(&mut acks);
        assert!(acks.iter().all(|ack| ack.result.is_ok()));
        assert_eq!(read_all(&log, "t").await.len(), 5);
        // With no time left it is given up.
        drop(std::fs::write(&filler, vec![1; 3 << 20]));
        let config = ProducerConfig {
            delivery_timeout: Duration::from_millis(100),
            ..ProducerConfig::default()
        };
        let hasty = EmbeddedProducer::new(Arc::clone(&log), config);
        let topic = hasty.topic("t").await.unwrap();
        hasty
            .append(topic, &record(&value), RecordToken { batch: 0, index: 0 })
            .unwrap();
        hasty.flush().await;
        hasty.take_acks(&mut acks);
        let error = acks.pop().unwrap().result.unwrap_err();
        assert!(matches!(*error, ClientError::Timeout { .. }), "{error}");
        std::fs::remove_file(&filler).unwrap();
    });
}

#[test]
fn one_process_has_one_instance_of_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let second = open(&dir.path().join("..").join(dir.path().file_name().unwrap()));
    assert!(Arc::ptr_eq(&first, &second));
}

/// The child's part of the next two tests.
#[test]
fn child_that_produces_until_killed() {
    let Some(path) = std::env::var_os("RINGMAIN_TEST_LOG_CHILD") else {
        return;
    };
    on_shard(async move {
        let config = EmbeddedConfig {
            segment_bytes: 200_000,
            ..keeping()
        };
        let log = EmbeddedLog::open(Path::new(&path), config).unwrap();
        let producer = producer(&log);
        let topic = producer.topic("t").await.unwrap();
        let mut next = read_all(&log, "t").await.len();
        let mut acks = Vec::new();
        loop {
            for _ in 0..100 {
                let value = format!("value {next} {}", "x".repeat(next % 90));
                let token = RecordToken { batch: 0, index: 0 };
                producer
                    .append(topic, &record(value.as_bytes()), token)
                    .unwrap();
                next += 1;
            }
            producer.acked().await;
            acks.clear();
            producer.take_acks(&mut acks);
            let last = acks.last().unwrap();
            let end = last.result.as_ref().unwrap().base_offset + i64::from(last.count);
            println!("acked {end}");
        }
    });
}

fn start_child(path: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "embedded::tests::child_that_produces_until_killed",
            "--exact",
            "--nocapture",
        ])
        .env("RINGMAIN_TEST_LOG_CHILD", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn kill_9_at_any_moment_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..10 {
        let mut child = start_child(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let number = |line: &str| Some(line.strip_prefix("acked ")?.parse::<usize>().unwrap());
        let mut acked = Vec::new();
        let enough = fastrand::usize(1..60);
        while acked.len() < enough {
            acked.extend(number(&lines.next().unwrap().unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acked.extend(lines.map_while(Result::ok).filter_map(|line| number(&line)));
        let path = dir.path().to_owned();
        let found = on_shard(async move { read_all(&open(&path), "t").await });
        assert!(found.len() >= *acked.last().unwrap());
        for (n, (offset, value)) in found.iter().enumerate() {
            assert_eq!(usize::try_from(*offset).unwrap(), n);
            assert_eq!(*value, format!("value {n} {}", "x".repeat(n % 90)));
        }
    }
}

#[test]
fn a_second_process_is_told_who_holds_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start_child(dir.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().starts_with("acked") {}
    let error = EmbeddedLog::open(dir.path(), EmbeddedConfig::default()).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    let expected = format!("in use by another process (pid {})", child.id());
    assert!(error.to_string().contains(&expected), "{error}");
}

#[test]
fn indexes_are_as_kafka_writes_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        produce(&producer(&log), "t", &values(0..100)).await;
        drop(log);
        let check = |index: Vec<u8>| {
            let log = std::fs::read(log_file(&path, 0)).unwrap();
            let ends: BTreeMap<usize, i64> = crate::record::Batches::new(&log)
                .map(|batch| batch.unwrap())
                .map(|batch| (batch.position(), batch.header.last_offset()))
                .collect();
            assert!(index.len() >= 24);
            for entry in index.chunks(8) {
                let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
                let position = number(&entry[4..]) as usize;
                assert_eq!(ends[&position], i64::from(number(&entry[..4])));
            }
            index
        };
        let index = log_file(&path, 0).with_extension("index");
        let written = check(std::fs::read(&index).unwrap());
        // Written anew by recovery.
        std::fs::write(&index, b"rubbish").unwrap();
        std::fs::remove_file(path.join(".kafka_cleanshutdown")).unwrap();
        drop(open(&path));
        assert_eq!(check(std::fs::read(&index).unwrap()), written);
    });
}
