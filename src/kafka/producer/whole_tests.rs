//! Batches that are appended whole, alone and between records, through everything that can happen to a
//! batch on its way.

use std::collections::HashMap;

use kafka_protocol::messages::{ApiKey, ProduceRequest};

use super::tests::{MINUTE, append, config, mood, numbers, record, refuse, refuse_first};
use super::*;
use crate::api::SharedBuffer;
use crate::clients::Acked;
use crate::kafka::mock_broker::{MockCluster, Reply, batch_values, on_each_runtime};
use crate::record::{
    BatchBuilder, BatchHeader, Batches, Compression, CompressionConfig, HEADER_BYTES,
    ProducerFields, raw_batch,
};

/// What another producer wrote in a transaction, at `offset` of another log.
fn foreign(from: u32, to: u32, offset: i64, codec: Compression) -> RawBatch {
    let fields = ProducerFields {
        producer_id: 9,
        producer_epoch: 4,
        base_sequence: 70,
        transactional: true,
    };
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig { codec, level: None });
    for value in numbers(from, to) {
        builder.append(1_600_000_000_000, None, Some(&value), &[]);
    }
    builder.finish(&fields, offset).unwrap();
    shared(&[builder.into_bytes()]).remove(0)
}

/// Batches as slices of one buffer.
fn shared(all: &[Vec<u8>]) -> Vec<RawBatch> {
    let bytes = bytes::Bytes::from(all.concat());
    let buffer = SharedBuffer::new(bytes.len());
    let mut batches = Vec::new();
    for batch in Batches::new(&bytes) {
        let batch = batch.unwrap();
        let slice = bytes.slice_ref(batch.bytes());
        batches.push(raw_batch(&batch, slice, &buffer, i64::MIN).unwrap());
    }
    batches
}

async fn append_whole(
    producer: &KafkaProducer,
    topic: TopicHandle,
    partition: i32,
    batch: &RawBatch,
    number: u64,
) {
    loop {
        match producer.append_batch(topic, partition, batch, number) {
            Ok(AppendBatch::Taken) => return,
            Ok(AppendBatch::Full) => producer.ready().await.unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// Fates by batch and index; panics when one is reported twice.
fn fates(producer: &KafkaProducer) -> HashMap<(u64, u32), Result<Acked, String>> {
    let mut acks = Vec::new();
    producer.take_acks(&mut acks);
    let mut all = HashMap::new();
    for ack in acks {
        for at in 0..ack.count {
            let fate = ack.result.as_ref().map_err(ToString::to_string);
            let fate = fate.map(|acked| Acked {
                partition: acked.partition,
                base_offset: acked.base_offset + i64::from(at),
            });
            let known = all.insert((ack.batch, ack.first + at), fate);
            assert!(known.is_none(), "reported twice");
        }
    }
    all
}

/// Bytes of `buffer.memory` in use.
fn used(producer: &KafkaProducer) -> usize {
    producer.inner.accumulator.borrow().used()
}

fn codec_at(round: u32) -> Compression {
    Compression::ALL[round as usize % Compression::ALL.len()]
}

/// `rounds` times seven records in a whole batch and three one by one, numbered through, in partition 0.
async fn append_rounds(producer: &KafkaProducer, topic: TopicHandle, rounds: u32) {
    for round in 0..rounds {
        let first = round * 10;
        let batch = foreign(first, first + 7, 5000 + i64::from(first), codec_at(round));
        append_whole(producer, topic, 0, &batch, 100 + u64::from(round)).await;
        for number in first + 7..first + 10 {
            let value = number.to_string().into_bytes();
            append(producer, topic, &record(&value), number).await;
        }
        if round % 3 == 0 {
            shard::yield_now().await;
        }
    }
}

/// All of [`append_rounds`] is in the log once, in order, and acknowledged where it is.
fn check_rounds(mock: &MockCluster, producer: &KafkaProducer, rounds: u32) {
    assert_eq!(mock.values("t", 0), numbers(0, rounds * 10));
    let all = fates(producer);
    assert_eq!(all.len(), rounds as usize * 10);
    for ((batch, index), fate) in all {
        let number = match batch {
            1 => i64::from(index),
            whole => i64::try_from(whole - 100).unwrap() * 10 + i64::from(index),
        };
        let offset = fate.unwrap().base_offset;
        // −1: told to be a duplicate.
        assert!(offset == number || offset == -1, "{offset} for {number}");
    }
    assert_eq!(producer.in_flight(), 0);
    assert_eq!(used(producer), 0);
}

async fn deliver(mock: &MockCluster, config: ProducerConfig, rounds: u32) {
    let producer = KafkaProducer::new(config);
    let topic = producer.topic("t").await.unwrap();
    append_rounds(&producer, topic, rounds).await;
    producer.flush().await;
    check_rounds(mock, &producer, rounds);
    producer.close(MINUTE).await;
}

#[test]
fn whole_batches_and_records_arrive_in_order_with_the_batches_records_untouched() {
    on_each_runtime(|| async {
        for (idempotence, version) in [(true, 12), (false, 9), (true, 8)] {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            mock.world().version_max.insert(0, version);
            let config = ProducerConfig {
                idempotence,
                ..config(&mock)
            };
            deliver(&mock, config, 20).await;
            let world = mock.world();
            let batches = &world.topics["t"][0].batches;
            let mut sequence = 0;
            for batch in batches {
                let header = BatchHeader::parse(batch).unwrap().unwrap();
                let fields = header.producer();
                assert!(!fields.transactional);
                let expected = if idempotence {
                    (1001, sequence)
                } else {
                    (-1, -1)
                };
                assert_eq!((fields.producer_id, fields.base_sequence), expected);
                sequence += header.count;
            }
            for round in 0..20 {
                let sent = foreign(round * 10, round * 10 + 7, 0, codec_at(round));
                let records = &sent.bytes[HEADER_BYTES..];
                let found = batches.iter().filter(|b| &b[HEADER_BYTES..] == records);
                assert_eq!(found.count(), 1, "round {round}");
            }
        }
    });
}

#[test]
fn whole_batches_of_many_partitions_share_requests() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 16);
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        for partition in 0..16 {
            let batch = foreign(0, 50, 0, Compression::Lz4);
            append_whole(&producer, topic, partition, &batch, 1 + partition as u64).await;
        }
        producer.flush().await;
        assert_eq!(mock.count(ApiKey::Produce), 1);
        for partition in 0..16 {
            assert_eq!(mock.values("t", partition), numbers(0, 50));
        }
        producer.close(MINUTE).await;
    });
}

#[test]
fn refusals_with_batches_in_flight_behind_keep_the_order() {
    for code in [
        code::NOT_LEADER_OR_FOLLOWER,
        code::REQUEST_TIMED_OUT,
        code::CORRUPT_MESSAGE,
        code::UNKNOWN_PRODUCER_ID,
        code::OUT_OF_ORDER_SEQUENCE_NUMBER,
    ] {
        on_each_runtime(move || async move {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            refuse_first(&mock, 1, code);
            deliver(&mock, config(&mock), 30).await;
        });
    }
}

#[test]
fn under_random_faults_and_moving_leaders_everything_arrives_exactly_once_in_order() {
    on_each_runtime(|| async {
        for seed in 0..4 {
            fastrand::seed(seed);
            let mock = MockCluster::start(2);
            mock.topic("t", 3);
            mock.on(ApiKey::Produce, mood);
            let config = ProducerConfig {
                buffer_memory: 8 << 10,
                ..config(&mock)
            };
            let producer = KafkaProducer::new(config);
            let topic = producer.topic("t").await.unwrap();
            let mut batches = 0;
            for first in (0..3000).step_by(30) {
                for partition in 0..3 {
                    batches += 1;
                    let batch = foreign(first, first + 30, 0, codec_at(first / 30));
                    append_whole(&producer, topic, partition, &batch, batches).await;
                }
            }
            producer.flush().await;
            assert!(fates(&producer).values().all(Result::is_ok));
            for partition in 0..3 {
                assert_eq!(mock.values("t", partition), numbers(0, 3000), "seed {seed}");
            }
            assert_eq!(used(&producer), 0);
            producer.close(MINUTE).await;
        }
    });
}

#[test]
fn a_whole_batch_that_is_too_large_is_split_in_its_codec_and_later_ones_are_not_taken() {
    for codec in [Compression::None, Compression::Zstd] {
        on_each_runtime(move || async move {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            // Anything of more than 4 records is too large.
            mock.on(ApiKey::Produce, |call, _| {
                let request: ProduceRequest = call.request();
                let data = &request.topic_data[0].partition_data[0];
                let records = data.records.as_ref().unwrap();
                match batch_values(records).len() > 4 {
                    true => refuse(call, code::MESSAGE_TOO_LARGE),
                    false => Reply::Default,
                }
            });
            let producer = KafkaProducer::new(config(&mock));
            let topic = producer.topic("t").await.unwrap();
            append_whole(&producer, topic, 0, &foreign(0, 10, 77, codec), 5).await;
            append_whole(&producer, topic, 0, &foreign(10, 13, 87, codec), 6).await;
            producer.flush().await;
            assert_eq!(mock.values("t", 0), numbers(0, 13));
            let all = fates(&producer);
            assert_eq!(all[&(5, 9)].clone().unwrap().base_offset, 9);
            assert_eq!(all[&(6, 2)].clone().unwrap().base_offset, 12);
            for batch in &mock.world().topics["t"][0].batches {
                let header = BatchHeader::parse(batch).unwrap().unwrap();
                assert_eq!(header.compression().unwrap(), codec);
            }
            assert_eq!(used(&producer), 0);
            producer.inner.accumulator.borrow_mut().topics[0].limit_batches(16 << 10);
            let large = foreign(0, 20_000, 0, Compression::None);
            let refused = producer.append_batch(topic, 0, &large, 7).unwrap();
            assert!(matches!(refused, AppendBatch::Unfit(reason) if reason.contains("size")));
            producer.close(MINUTE).await;
        });
    }
}

#[test]
fn what_does_not_fit_is_left_to_the_caller() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let producer = KafkaProducer::new(ProducerConfig {
            compression: Compression::Zstd.into(),
            compression_set: true,
            max_request_size: 1000,
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        let reason = |batch: &RawBatch| match producer.append_batch(topic, 0, batch, 1) {
            Ok(AppendBatch::Unfit(reason)) => reason,
            other => panic!("{other:?}"),
        };
        let other = foreign(0, 5, 0, Compression::Gzip);
        assert!(reason(&other).contains("compression.type"));
        let large = foreign(0, 4000, 0, Compression::Zstd);
        assert!(reason(&large).contains("max.request.size"));
        let mut inside = foreign(0, 5, 10, Compression::Zstd);
        inside.skip_before = 12;
        assert!(reason(&inside).contains("start"));
        let good = foreign(0, 5, 0, Compression::Zstd);
        let nowhere = producer.append_batch(topic, 9, &good, 1).unwrap_err();
        assert!(nowhere.to_string().contains("partition 9"), "{nowhere}");
        assert_eq!(producer.in_flight(), 0);
        append_whole(&producer, topic, 0, &good, 1).await;
        producer.flush().await;
        assert_eq!(mock.values("t", 0), numbers(0, 5));
        producer.close(MINUTE).await;
        let closed = producer.append_batch(topic, 0, &good, 2);
        assert!(matches!(closed, Err(ClientError::Closed)));
    });
}

#[test]
fn a_shared_buffer_counts_once_and_for_as_long_as_one_of_its_batches_is_open() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 2);
        // Partition 1 stays open.
        mock.on(ApiKey::Produce, |call, _| {
            let request: ProduceRequest = call.request();
            let mut partitions = request.topic_data.iter().flat_map(|t| &t.partition_data);
            match partitions.any(|data| data.index == 1) {
                true => refuse(call, code::NOT_ENOUGH_REPLICAS),
                false => Reply::Default,
            }
        });
        let pair = || {
            let one = foreign(0, 200, 0, Compression::None);
            shared(&[one.bytes.to_vec(), one.bytes.to_vec()])
        };
        let bytes = pair()[0].bytes.len();
        let producer = KafkaProducer::new(ProducerConfig {
            buffer_memory: bytes * 3,
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        let (first, second) = (pair(), pair());
        let append = |partition, batch: &RawBatch, number| {
            producer
                .append_batch(topic, partition, batch, number)
                .unwrap()
        };
        assert_eq!(append(1, &first[0], 1), AppendBatch::Taken);
        assert_eq!(used(&producer), bytes * 2);
        shard::sleep(Duration::from_millis(5)).await;
        assert_eq!(append(0, &first[1], 2), AppendBatch::Taken);
        assert_eq!(used(&producer), bytes * 2);
        assert_eq!(append(0, &second[0], 3), AppendBatch::Full);
        while mock.values("t", 0).is_empty() || fates(&producer).is_empty() {
            shard::sleep(Duration::from_millis(2)).await;
        }
        // The other half of the buffer is still open.
        assert_eq!(append(0, &second[0], 3), AppendBatch::Full);
        mock.on(ApiKey::Produce, |_, _| Reply::Default);
        producer.ready().await.unwrap();
        assert_eq!(append(0, &second[0], 3), AppendBatch::Taken);
        assert_eq!(append(0, &second[1], 4), AppendBatch::Taken);
        producer.flush().await;
        assert_eq!(used(&producer), 0);
        producer.close(MINUTE).await;
    });
}

#[test]
fn whole_batches_that_are_given_up_are_reported_once_and_let_go_of() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        mock.on(ApiKey::Produce, |_, _| Reply::Silent);
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        append_whole(
            &producer,
            topic,
            0,
            &foreign(0, 5, 0, Compression::Snappy),
            1,
        )
        .await;
        shard::sleep(Duration::from_millis(10)).await;
        append_whole(
            &producer,
            topic,
            0,
            &foreign(5, 9, 5, Compression::Snappy),
            2,
        )
        .await;
        producer.close(Duration::from_millis(30)).await;
        let all = fates(&producer);
        assert_eq!(all.len(), 9);
        assert!(all.values().all(Result::is_err));
        assert_eq!(used(&producer), 0);
    });
}
