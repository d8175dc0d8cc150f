//! Whole batches from one partition of the log to another.

use super::tests::{LONG, consumer, kinds, on_shard, open, producer, record, small_segments};
use super::*;
use crate::api::{RawBatch, TopicPartition};
use crate::clients::{
    AppendBatch, ClientError, Consumer, ConsumerConfig, Polled, Producer, ProducerConfig,
    RecordToken, Subscription,
};
use crate::record::{BatchHeader, Compression, HEADER_BYTES};

use std::sync::Arc;
use std::time::Duration;

const COUNT: usize = 600;

fn batching(compression: Compression) -> ProducerConfig {
    ProducerConfig {
        compression: compression.into(),
        batch_size: 1500,
        ..ProducerConfig::default()
    }
}

fn text(number: usize) -> String {
    format!("value {number} {}", "x".repeat(number % 50))
}

/// Writes `COUNT` records to partition 0 of `topic`.
async fn fill(log: &Arc<EmbeddedLog>, topic: &str, codec: Compression) {
    let producer = EmbeddedProducer::new(Arc::clone(log), batching(codec));
    let handle = producer.topic(topic).await.unwrap();
    for number in 0..COUNT {
        let token = RecordToken { batch: 0, index: 0 };
        let value = text(number);
        producer
            .append(handle, &record(value.as_bytes()), token)
            .unwrap();
    }
    producer.flush().await;
}

fn reader(log: &Arc<EmbeddedLog>, topic: &str, check_crcs: bool) -> EmbeddedConsumer {
    let config = ConsumerConfig {
        check_crcs,
        max_partition_fetch_bytes: 4000,
        ..ConsumerConfig::default()
    };
    let consumer = EmbeddedConsumer::new(Arc::clone(log), config);
    consumer.assign(vec![TopicPartition::new(topic, 0)]);
    consumer
}

async fn all_batches(consumer: &EmbeddedConsumer, end: i64) -> Vec<RawBatch> {
    let mut all = Vec::new();
    let mut next = 0;
    while next < end {
        for fetched in consumer.poll_batches(LONG).await.unwrap() {
            next = fetched.next_offset;
            all.extend(fetched.batches);
        }
    }
    all
}

async fn all_values(log: &Arc<EmbeddedLog>, topic: &str, count: usize) -> Vec<String> {
    let consumer = reader(log, topic, true);
    let mut values = Vec::new();
    while values.len() < count {
        let Polled::Records(all) = consumer.poll(LONG).await.unwrap() else {
            panic!("records expected");
        };
        for fetched in all {
            for record in &fetched.records {
                assert_eq!(record.offset, i64::try_from(values.len()).unwrap());
                let value = record.value.of(&fetched.buffer).unwrap();
                values.push(String::from_utf8(value.to_vec()).unwrap());
            }
        }
    }
    values
}

/// Copies topic `a` behind one record that `b` has already.
async fn copy(log: Arc<EmbeddedLog>, codec: Compression) {
    fill(&log, "a", codec).await;
    let consumer = reader(&log, "a", true);
    let batches = all_batches(&consumer, i64::try_from(COUNT).unwrap()).await;
    assert!(batches.len() > 10, "{}", batches.len());
    assert_eq!(consumer.lag(), Some(0));
    let target = EmbeddedProducer::new(Arc::clone(&log), ProducerConfig::default());
    let topic = target.topic("b").await.unwrap();
    let token = RecordToken { batch: 0, index: 0 };
    target.append(topic, &record(b"first"), token).unwrap();
    for (number, batch) in (1..).zip(&batches) {
        let taken = target.append_batch(topic, 0, batch, number).unwrap();
        assert_eq!(taken, AppendBatch::Taken);
    }
    target.append(topic, &record(b"last"), token).unwrap();
    target.flush().await;
    let mut acks = Vec::new();
    target.take_acks(&mut acks);
    let mut next = 0;
    for ack in &acks {
        assert_eq!(ack.result.as_ref().unwrap().base_offset, next);
        next += i64::from(ack.count);
    }
    assert_eq!(acks.len(), batches.len() + 2);
    assert_eq!(target.in_flight(), 0);
    check_copy(&log, &batches, codec).await;
}

async fn check_copy(log: &Arc<EmbeddedLog>, sent: &[RawBatch], codec: Compression) {
    let expected: Vec<String> = std::iter::once("first".to_owned())
        .chain((0..COUNT).map(text))
        .chain(["last".to_owned()])
        .collect();
    assert_eq!(all_values(log, "b", COUNT + 2).await, expected);
    let end = i64::try_from(COUNT + 2).unwrap();
    let written = all_batches(&reader(log, "b", true), end).await;
    assert_eq!(written.len(), sent.len() + 2);
    for (sent, written) in sent.iter().zip(&written[1..]) {
        assert_eq!(sent.bytes[HEADER_BYTES..], written.bytes[HEADER_BYTES..]);
        let header = BatchHeader::parse(&written.bytes).unwrap().unwrap();
        assert_eq!(header.compression().unwrap(), codec);
        assert_eq!(written.base_offset, sent.base_offset + 1);
    }
}

#[test]
fn batches_are_copied_as_they_are_and_survive_an_unclean_end() {
    for kind in kinds() {
        for codec in [Compression::None, Compression::Zstd, Compression::Snappy] {
            let dir = tempfile::tempdir().unwrap();
            let log = small_segments(dir.path());
            crate::shard::run(kind, None, copy(log, codec)).unwrap();
            std::fs::remove_file(dir.path().join(".kafka_cleanshutdown")).unwrap();
            let log = small_segments(dir.path());
            let values = async move { all_values(&log, "b", COUNT + 2).await };
            assert_eq!(on_shard(values).len(), COUNT + 2);
        }
    }
}

#[test]
fn a_position_inside_of_a_batch_and_what_a_poll_has_left_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    on_shard(async move {
        fill(&log, "a", Compression::None).await;
        let inside = reader(&log, "a", true);
        inside.seek(&TopicPartition::new("a", 0), 7);
        let fetched = inside.poll_batches(LONG).await.unwrap().remove(0);
        assert_eq!(
            (
                fetched.batches[0].base_offset,
                fetched.batches[0].skip_before
            ),
            (0, 7)
        );
        let target = producer(&log);
        let topic = target.topic("b").await.unwrap();
        let refused = target
            .append_batch(topic, 0, &fetched.batches[0], 1)
            .unwrap();
        assert!(matches!(refused, AppendBatch::Unfit(_)));
        let beyond = target.append_batch(topic, 9, &fetched.batches[0], 1);
        assert!(beyond.is_err());

        let bit_by_bit = ConsumerConfig {
            max_poll_records: Some(5),
            ..ConsumerConfig::default()
        };
        let slow = EmbeddedConsumer::new(Arc::clone(&log), bit_by_bit);
        slow.assign(vec![TopicPartition::new("a", 0)]);
        slow.poll(LONG).await.unwrap();
        let batches = all_batches(&slow, i64::try_from(COUNT).unwrap()).await;
        assert_eq!(batches[0].base_offset, 5);
        let count: u32 = batches.iter().map(|batch| batch.count).sum();
        assert_eq!(count as usize, COUNT - 5);
        let none = slow.poll_batches(Duration::from_millis(20)).await.unwrap();
        assert!(none.is_empty());
        let member = consumer(&log, Some("g"));
        member.subscribe(Subscription::Topics(vec!["a".to_owned()]));
        assert!(member.poll_batches(LONG).await.is_err());
    });
}

#[test]
fn damage_is_told_after_what_is_before_it_and_never_copied_as_good() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let path = dir.path().join("a-0/00000000000000000000.log");
    on_shard(async move {
        fill(&log, "a", Compression::None).await;
        let batches = all_batches(&reader(&log, "a", true), 100).await;
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[batches[0].bytes.len() + 70] ^= 8;
        std::fs::write(&path, bytes).unwrap();
        let consumer = reader(&log, "a", true);
        let first = consumer.poll_batches(LONG).await.unwrap().remove(0);
        assert_eq!(first.batches.len(), 1);
        let error = consumer.poll_batches(LONG).await.unwrap_err();
        let at = first.next_offset;
        assert!(
            matches!(&error, ClientError::Corrupt { offset, .. } if *offset == at),
            "{error}"
        );
        // Unchecked, it goes through; the copy is still seen to be broken.
        let unchecked = all_batches(&reader(&log, "a", false), 100).await;
        let target = producer(&log);
        let topic = target.topic("b").await.unwrap();
        target.append_batch(topic, 0, &unchecked[1], 1).unwrap();
        target.flush().await;
        let error = reader(&log, "b", true)
            .poll_batches(LONG)
            .await
            .unwrap_err();
        assert!(matches!(error, ClientError::Corrupt { .. }), "{error}");
    });
}

#[test]
fn a_full_buffer_refuses_batches_until_those_before_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    on_shard(async move {
        fill(&log, "a", Compression::None).await;
        let config = ProducerConfig {
            buffer_memory: 5000,
            ..batching(Compression::None)
        };
        let target = EmbeddedProducer::new(Arc::clone(&log), config);
        let topic = target.topic("b").await.unwrap();
        let mut refused = 0;
        for batch in &all_batches(&reader(&log, "a", true), i64::try_from(COUNT).unwrap()).await {
            while target.append_batch(topic, 0, batch, 1).unwrap() == AppendBatch::Full {
                refused += 1;
                target.ready().await.unwrap();
            }
        }
        assert!((1..100).contains(&refused), "{refused}");
        target.flush().await;
        assert_eq!(all_values(&log, "b", COUNT).await.len(), COUNT);
    });
}
