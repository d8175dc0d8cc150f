use std::collections::HashMap;
use std::time::Duration;

use kafka_protocol::messages::produce_response::{
    LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId, InitProducerIdResponse, ProduceRequest, ProduceResponse,
};

use super::*;
use crate::api::Span;
use crate::clients::{Acked, Acks, partition_for_key};
use crate::kafka::cluster::Purpose;
use crate::kafka::mock_broker::{
    Call, MockCluster, Reply, World, answer, batch_values, default_reply, on_each_runtime,
    test_config,
};
use crate::record::{Batches, Compression, CompressionConfig};

pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn config(mock: &MockCluster) -> ProducerConfig {
    ProducerConfig {
        common: test_config(mock),
        ..ProducerConfig::default()
    }
}

pub(super) fn record(value: &[u8]) -> ProducerRecord<'_> {
    ProducerRecord {
        partition: None,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(value),
        headers: &[],
    }
}

/// Appends, waiting for room.
pub(super) async fn append(
    producer: &KafkaProducer,
    topic: TopicHandle,
    r: &ProducerRecord<'_>,
    index: u32,
) {
    let token = RecordToken { batch: 1, index };
    while producer.append(topic, r, token).unwrap() == Append::Full {
        producer.ready().await.unwrap();
    }
}

pub(super) async fn append_numbers(
    producer: &KafkaProducer,
    topic: TopicHandle,
    from: u32,
    to: u32,
) {
    for number in from..to {
        append(
            producer,
            topic,
            &record(number.to_string().as_bytes()),
            number,
        )
        .await;
    }
}

type Fate = Result<Acked, String>;

/// Fates by index; panics when one is reported twice.
fn fates(producer: &KafkaProducer) -> HashMap<u32, Fate> {
    let mut acks = Vec::new();
    producer.take_acks(&mut acks);
    let mut all = HashMap::new();
    for ack in acks {
        for at in 0..ack.count {
            let fate = match &ack.result {
                Ok(acked) => Ok(Acked {
                    partition: acked.partition,
                    base_offset: acked.base_offset + i64::from(at),
                }),
                Err(error) => Err(error.to_string()),
            };
            assert!(all.insert(ack.first + at, fate).is_none(), "reported twice");
        }
    }
    all
}

pub(super) fn numbers(from: u32, to: u32) -> Vec<Vec<u8>> {
    (from..to)
        .map(|number| number.to_string().into_bytes())
        .collect()
}

/// An answer with this error for each partition of the request.
pub(super) fn refuse(call: &Call, code: i16) -> Reply {
    let request: ProduceRequest = call.request();
    let topics = request.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter().map(|data| {
            PartitionProduceResponse::default()
                .with_index(data.index)
                .with_error_code(code)
                .with_base_offset(-1)
        });
        TopicProduceResponse::default()
            .with_name(topic.name.clone())
            .with_partition_responses(partitions.collect())
    });
    let response = ProduceResponse::default().with_responses(topics.collect());
    answer(call, &response)
}

/// Refuses the first `times` Produce requests.
pub(super) fn refuse_first(mock: &MockCluster, times: usize, code: i16) {
    let mut left = times;
    mock.on(ApiKey::Produce, move |call, _| {
        if left == 0 {
            return Reply::Default;
        }
        left -= 1;
        refuse(call, code)
    });
}

/// One partition, `count` records one by one with turns between, flushed: all are there once, in order.
async fn deliver_in_order(mock: &MockCluster, config: ProducerConfig, count: u32) -> KafkaProducer {
    let producer = KafkaProducer::new(config);
    let topic = producer.topic("t").await.unwrap();
    for number in 0..count {
        append_numbers(&producer, topic, number, number + 1).await;
        if number % 7 == 0 {
            shard::yield_now().await;
        }
    }
    producer.flush().await;
    assert_eq!(producer.in_flight(), count as usize);
    let fates = fates(&producer);
    assert_eq!(producer.in_flight(), 0);
    assert_eq!(fates.len(), count as usize);
    for (index, fate) in fates {
        assert!(fate.is_ok(), "{index}: {fate:?}");
    }
    assert_eq!(mock.values("t", 0), numbers(0, count));
    producer
}

#[test]
fn records_arrive_once_in_order_and_are_acknowledged_with_their_offsets() {
    on_each_runtime(|| async {
        for (acks, idempotence, version) in [
            (Acks::All, true, 12),
            (Acks::All, true, 8),
            (Acks::Leader, false, 9),
            (Acks::None, false, 12),
        ] {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            mock.world().version_max.insert(0, version);
            let producer = KafkaProducer::new(ProducerConfig {
                acks,
                idempotence,
                ..config(&mock)
            });
            let topic = producer.topic("t").await.unwrap();
            assert_eq!(producer.topic("t").await.unwrap(), topic);
            assert_eq!(producer.partitions(topic), 1);
            for part in 0..10 {
                append_numbers(&producer, topic, part * 100, part * 100 + 100).await;
                shard::yield_now().await;
            }
            producer.flush().await;
            if acks == Acks::None {
                // Nobody says when those are written.
                while mock.values("t", 0).len() < 1000 {
                    shard::sleep(Duration::from_millis(1)).await;
                }
            }
            let fates = fates(&producer);
            for index in 0..1000_u32 {
                let offset = if acks == Acks::None {
                    -1
                } else {
                    i64::from(index)
                };
                let fate = fates[&index].clone().unwrap();
                assert_eq!(fate.partition, 0);
                if acks != Acks::None {
                    assert_eq!(fate.base_offset, offset);
                }
            }
            assert_eq!(mock.values("t", 0), numbers(0, 1000));
            producer.close(MINUTE).await;
        }
    });
}

#[test]
fn keyed_records_go_where_javas_partitioner_puts_them() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.topic("t", 5);
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        let keys = numbers(0, 200);
        for (index, key) in (0..).zip(&keys) {
            let keyed = ProducerRecord {
                key: Some(key),
                ..record(key)
            };
            append(&producer, topic, &keyed, index).await;
        }
        producer.flush().await;
        for partition in 0..5_usize {
            let number = i32::try_from(partition).unwrap();
            let expected: Vec<_> = keys
                .iter()
                .filter(|key| partition_for_key(key, 5) == number)
                .cloned()
                .collect();
            assert_eq!(mock.values("t", partition), expected);
        }
        producer.close(MINUTE).await;
    });
}

#[test]
fn slices_are_appended_with_and_without_keys_and_to_a_given_partition() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 3);
        let producer = KafkaProducer::new(ProducerConfig {
            batch_size: 600,
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        let buffer = b"0123456789abcdefghij".repeat(50);
        let values: Vec<Span> = (0..1000).map(|start| Span { start, len: 20 }).collect();
        let slices = Slices {
            partition: Some(2),
            timestamp: 5,
            buffer: &buffer[..],
            values: &values[..980],
            keys: None,
        };
        assert_eq!(producer.append_slices(topic, &slices, 0, 1).unwrap(), 980);
        producer.flush().await;
        assert_eq!(fates(&producer).len(), 980);
        let expected: Vec<_> = (0..980).map(|at| buffer[at..at + 20].to_vec()).collect();
        assert_eq!(mock.values("t", 2), expected);
        for batch in &mock.world().topics["t"][2].batches {
            assert!(batch.len() <= 600, "{}", batch.len());
        }
        // Null keys among others, and a null value.
        let nulls = [Span { start: 0, len: 1 }, Span::NULL];
        let keyed = Slices {
            partition: None,
            values: &nulls,
            keys: Some((&buffer, &nulls)),
            ..slices
        };
        assert_eq!(producer.append_slices(topic, &keyed, 0, 2).unwrap(), 2);
        producer.flush().await;
        assert_eq!(fates(&producer).len(), 2);
        producer.close(MINUTE).await;
    });
}

#[test]
fn keyless_records_spread_over_the_partitions_batch_by_batch() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.topic("t", 4);
        let producer = KafkaProducer::new(ProducerConfig {
            batch_size: 1000,
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 10_000).await;
        producer.flush().await;
        let counts: Vec<usize> = (0..4).map(|at| mock.values("t", at).len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 10_000);
        assert!(counts.iter().all(|count| *count > 500), "{counts:?}");
        producer.close(MINUTE).await;
    });
}

#[test]
fn keyless_records_pass_over_a_partition_without_a_leader() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 2);
        mock.move_leader("t", 0, -1);
        let producer = KafkaProducer::new(ProducerConfig {
            batch_size: 1000,
            ..config(&mock)
        });
        // Whichever partition came first, a refresh tells.
        let topic = producer.topic("t").await.unwrap();
        shard::sleep(Duration::from_millis(5)).await;
        append_numbers(&producer, topic, 0, 1000).await;
        producer.flush().await;
        assert_eq!(mock.values("t", 1), numbers(0, 1000));
        producer.close(MINUTE).await;
    });
}

#[test]
fn records_gather_while_a_request_is_in_flight() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        mock.on(ApiKey::Produce, |_, _| {
            Reply::Delayed(Duration::from_millis(30), Box::new(Reply::Default))
        });
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 1).await;
        while mock.count(ApiKey::Produce) == 0 {
            shard::sleep(Duration::from_millis(1)).await;
        }
        for number in 1..20 {
            append_numbers(&producer, topic, number, number + 1).await;
            shard::yield_now().await;
        }
        // Not `flush`, which would send what is there at once.
        while fates(&producer).is_empty() || producer.in_flight() > 0 {
            producer.acked().await;
        }
        assert_eq!(mock.count(ApiKey::Produce), 2);
        assert_eq!(mock.values("t", 0), numbers(0, 20));
        producer.close(MINUTE).await;
    });
}

#[test]
fn records_of_other_partitions_gather_while_the_broker_has_enough_to_do() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 5);
        let mut pause = Duration::from_secs(2);
        mock.on(ApiKey::Produce, move |_, _| {
            Reply::Delayed(std::mem::take(&mut pause), Box::new(Reply::Default))
        });
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        for (index, partition) in (0..).zip(0..5) {
            let placed = ProducerRecord {
                partition: Some(partition),
                ..record(b"x")
            };
            append(&producer, topic, &placed, index).await;
            // Two requests go out, the second behind the first, and the sender is at rest again.
            let requests = || producer.inner.in_flight.borrow().parts().count();
            while index < 2 && requests() <= index as usize {
                shard::sleep(Duration::from_millis(1)).await;
            }
            shard::sleep(Duration::from_millis(2)).await;
            assert!(requests() <= 2);
        }
        while producer.in_flight() > 0 {
            producer.acked().await;
            fates(&producer);
        }
        assert_eq!(mock.count(ApiKey::Produce), 3);
        producer.close(MINUTE).await;
    });
}

#[test]
fn linger_holds_a_batch_back_until_it_is_over_or_flushed() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let producer = KafkaProducer::new(ProducerConfig {
            linger: Duration::from_millis(80),
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 1).await;
        shard::sleep(Duration::from_millis(20)).await;
        append_numbers(&producer, topic, 1, 2).await;
        assert_eq!(mock.count(ApiKey::Produce), 0);
        producer.acked().await;
        assert_eq!(mock.count(ApiKey::Produce), 1);
        assert_eq!(fates(&producer).len(), 2);
        append_numbers(&producer, topic, 2, 3).await;
        let start = Instant::now();
        producer.flush().await;
        assert!(start.elapsed() < Duration::from_millis(70));
        producer.close(MINUTE).await;
    });
}

#[test]
fn linger_ends_early_for_a_batch_of_kafkas_size_unless_the_user_set_another() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let lingering = ProducerConfig {
            linger: Duration::from_secs(30),
            ..config(&mock)
        };
        let producer = KafkaProducer::new(lingering.clone());
        let topic = producer.topic("t").await.unwrap();
        // Some 20 KB.
        append_numbers(&producer, topic, 0, 2000).await;
        shard::timeout(Duration::from_secs(10), producer.acked())
            .await
            .unwrap();
        producer.close(MINUTE).await;
        let produced = mock.count(ApiKey::Produce);
        let producer = KafkaProducer::new(ProducerConfig {
            batch_size_set: true,
            ..lingering
        });
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 2000).await;
        shard::sleep(Duration::from_millis(100)).await;
        assert_eq!(mock.count(ApiKey::Produce), produced);
        producer.close(MINUTE).await;
    });
}

#[test]
fn a_disconnect_before_or_within_the_answer_neither_loses_nor_doubles_records() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let mut calls = 0;
        mock.on(ApiKey::Produce, move |call, _| {
            calls += 1;
            match calls {
                2 => Reply::Disconnect,
                4 => Reply::DefaultThenDisconnect,
                6 => match refuse(call, 0) {
                    Reply::Answer(bytes) => Reply::Truncated(bytes, 9),
                    other => other,
                },
                _ => Reply::Default,
            }
        });
        let config = ProducerConfig {
            batch_size: 200,
            ..config(&mock)
        };
        deliver_in_order(&mock, config, 500)
            .await
            .close(MINUTE)
            .await;
    });
}

#[test]
fn retriable_errors_with_batches_in_flight_behind_keep_the_order() {
    for code in [
        code::NOT_LEADER_OR_FOLLOWER,
        code::UNKNOWN_TOPIC_OR_PARTITION,
        code::REQUEST_TIMED_OUT,
        code::COORDINATOR_LOAD_IN_PROGRESS,
        code::CORRUPT_MESSAGE,
    ] {
        on_each_runtime(move || async move {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            refuse_first(&mock, 1, code);
            let config = ProducerConfig {
                batch_size: 200,
                ..config(&mock)
            };
            deliver_in_order(&mock, config, 500)
                .await
                .close(MINUTE)
                .await;
        });
    }
}

#[test]
fn nothing_passes_the_first_batch_of_a_producer_that_the_broker_does_not_know_yet() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        // The broker is about to become the leader.
        refuse_first(&mock, 1, 6);
        let producer = KafkaProducer::new(ProducerConfig {
            batch_size: 1,
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 5).await;
        producer.flush().await;
        assert_eq!(mock.values("t", 0), numbers(0, 5));
        producer.close(MINUTE).await;
    });
}

#[test]
fn a_moved_leader_is_followed_by_the_answer_or_by_a_refresh() {
    for told in [true, false] {
        on_each_runtime(move || async move {
            let mock = MockCluster::start(2);
            mock.topic("t", 1);
            let mut calls = 0;
            mock.on(ApiKey::Produce, move |call, world: &mut World| {
                calls += 1;
                if calls == 2 {
                    let partition = &mut world.topics.get_mut("t").unwrap()[0];
                    partition.leader = 2;
                    partition.leader_epoch = 1;
                }
                if calls < 2 || call.broker == 2 || !told {
                    return Reply::Default;
                }
                let partition = PartitionProduceResponse::default()
                    .with_error_code(6)
                    .with_base_offset(-1)
                    .with_current_leader(
                        LeaderIdAndEpoch::default()
                            .with_leader_id(BrokerId(2))
                            .with_leader_epoch(1),
                    );
                let request: ProduceRequest = call.request();
                let topic = TopicProduceResponse::default()
                    .with_name(request.topic_data[0].name.clone())
                    .with_partition_responses(vec![partition]);
                answer(
                    call,
                    &ProduceResponse::default().with_responses(vec![topic]),
                )
            });
            let config = ProducerConfig {
                batch_size: 200,
                ..config(&mock)
            };
            deliver_in_order(&mock, config, 300)
                .await
                .close(MINUTE)
                .await;
        });
    }
}

/// How the old leader ends what it holds back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum HeldBack {
    WrittenThenCutOff,
    WrittenAndAnsweredTooLate,
    RefusedLate,
    AcknowledgedLate,
}

/// Holds back what the old leader (1) says about the first batch, and moves the partition over all
/// brokers meanwhile; it ends at broker 3.
fn hold_back_and_move(mock: &MockCluster, held: HeldBack) {
    let mut first = true;
    mock.on(ApiKey::Produce, move |call, world| {
        if !std::mem::take(&mut first) {
            return Reply::Default;
        }
        let reply = match held {
            HeldBack::RefusedLate => refuse(call, code::NOT_LEADER_OR_FOLLOWER),
            _ => default_reply(call, world),
        };
        let partition = &mut world.topics.get_mut("t").unwrap()[0];
        partition.leader = 2;
        partition.leader_epoch += 1;
        let (pause, reply) = match held {
            HeldBack::WrittenThenCutOff => (HELD, Reply::Disconnect),
            HeldBack::WrittenAndAnsweredTooLate => (HELD * 2, reply),
            HeldBack::RefusedLate | HeldBack::AcknowledgedLate => (HELD, reply),
        };
        Reply::Delayed(pause, Box::new(reply))
    });
}

/// How long an answer is held back.
const HELD: Duration = Duration::from_millis(400);

#[test]
fn a_new_leader_gets_nothing_of_a_partition_while_a_batch_of_it_is_open_at_the_old_one() {
    for held in [
        HeldBack::WrittenThenCutOff,
        HeldBack::WrittenAndAnsweredTooLate,
        HeldBack::RefusedLate,
        HeldBack::AcknowledgedLate,
    ] {
        for idempotence in [true, false] {
            let lost = matches!(
                held,
                HeldBack::WrittenThenCutOff | HeldBack::WrittenAndAnsweredTooLate
            );
            // Without idempotence a lost answer leads to a duplicate, in Kafka, too.
            if idempotence || !lost {
                on_each_runtime(move || follow_held_back(held, idempotence));
            }
        }
    }
}

async fn follow_held_back(held: HeldBack, idempotence: bool) {
    let mock = MockCluster::start(3);
    mock.topic("t", 1);
    hold_back_and_move(&mock, held);
    let mut config = ProducerConfig {
        batch_size: 200,
        idempotence,
        ..config(&mock)
    };
    config.common.request_timeout = match held {
        HeldBack::WrittenAndAnsweredTooLate => HELD,
        _ => MINUTE,
    };
    if !idempotence {
        config.max_in_flight = 1;
    }
    let producer = KafkaProducer::new(config);
    let topic = producer.topic("t").await.unwrap();
    // One for metadata that nothing holds back.
    let cluster = &producer.inner.cluster;
    cluster.connection(2, Purpose::Data).await.unwrap();
    append_numbers(&producer, topic, 0, 1).await;
    while mock.count(ApiKey::Produce) == 0 {
        shard::sleep(Duration::from_millis(1)).await;
    }
    let sent = Instant::now();
    // More batches than a broker remembers, while the leader moves on twice.
    append_numbers(&producer, topic, 1, 300).await;
    for leader in [2, 3] {
        mock.move_leader("t", 0, leader);
        let mark = producer.inner.cluster.mark();
        producer.inner.cluster.request_refresh();
        producer.inner.cluster.changed_since(mark).await;
        shard::sleep(Duration::from_millis(20)).await;
    }
    let elsewhere = |mock: &MockCluster| {
        let world = mock.world();
        let mut log = world.log.iter();
        log.any(|(broker, api, _)| *broker != 1 && *api == ApiKey::Produce as i16)
    };
    while sent.elapsed() < HELD.mul_f32(0.6) {
        assert!(!elsewhere(&mock), "{held:?}");
        shard::sleep(Duration::from_millis(10)).await;
    }
    producer.flush().await;
    assert!(elsewhere(&mock));
    let all = fates(&producer);
    assert_eq!(all.len(), 300);
    let failed: Vec<_> = all.values().filter(|fate| fate.is_err()).collect();
    assert!(failed.is_empty(), "{held:?}: {failed:?}");
    assert_eq!(mock.values("t", 0), numbers(0, 300), "{held:?}");
    producer.close(MINUTE).await;
}

#[test]
fn a_written_batch_that_is_retried_again_and_again_is_never_passed_nor_written_twice() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let mut tries = 0;
        mock.on(ApiKey::Produce, move |call, _| {
            let request: ProduceRequest = call.request();
            let data = &request.topic_data[0].partition_data[0];
            let records = data.records.clone().unwrap();
            if batch_values(&records)[0] != b"0" {
                return Reply::Default;
            }
            tries += 1;
            match tries {
                1 => Reply::DefaultThenDisconnect,
                2..5 => refuse(call, code::NOT_ENOUGH_REPLICAS),
                _ => Reply::Default,
            }
        });
        let config = ProducerConfig {
            batch_size: 200,
            ..config(&mock)
        };
        deliver_in_order(&mock, config, 500)
            .await
            .close(MINUTE)
            .await;
    });
}

#[test]
fn a_broker_that_lost_the_producers_state_gets_a_new_epoch() {
    for code in [
        code::OUT_OF_ORDER_SEQUENCE_NUMBER,
        code::UNKNOWN_PRODUCER_ID,
    ] {
        on_each_runtime(move || async move {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            let mut calls = 0;
            mock.on(ApiKey::Produce, move |call, world| {
                calls += 1;
                if calls == 3 {
                    let partition = &mut world.topics.get_mut("t").unwrap()[0];
                    partition.producers.clear();
                    partition.refuses_unknown_producers = true;
                    return refuse(call, code);
                }
                Reply::Default
            });
            let config = ProducerConfig {
                batch_size: 200,
                ..config(&mock)
            };
            let producer = deliver_in_order(&mock, config, 300).await;
            let epochs: Vec<i16> = mock.world().topics["t"][0]
                .batches
                .iter()
                .map(|batch| {
                    Batches::new(batch)
                        .next()
                        .unwrap()
                        .unwrap()
                        .header
                        .producer_epoch
                })
                .collect();
            assert_eq!(epochs.first(), Some(&0));
            assert_eq!(epochs.last(), Some(&1), "{epochs:?}");
            producer.close(MINUTE).await;
        });
    }
}

#[test]
fn a_duplicate_sequence_counts_as_written() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        mock.on(ApiKey::Produce, |call, _| {
            refuse(call, code::DUPLICATE_SEQUENCE_NUMBER)
        });
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 3).await;
        producer.flush().await;
        let mut acks = Vec::new();
        producer.take_acks(&mut acks);
        assert_eq!(acks[0].result.as_ref().unwrap().base_offset, -1);
        producer.close(MINUTE).await;
    });
}

#[test]
fn a_batch_that_is_too_large_is_split_until_it_fits_and_one_record_that_never_fits_is_reported() {
    on_each_runtime(|| async {
        for codec in [Compression::None, Compression::Lz4] {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            mock.on(ApiKey::Produce, |call, _| {
                let request: ProduceRequest = call.request();
                let records = request.topic_data[0].partition_data[0]
                    .records
                    .clone()
                    .unwrap();
                let count = Batches::new(&records).next().unwrap().unwrap().header.count;
                let values = batch_values(&records);
                match count > 60 || (values.len() == 1 && values[0] == b"never") {
                    true => refuse(call, code::MESSAGE_TOO_LARGE),
                    false => Reply::Default,
                }
            });
            let producer = KafkaProducer::new(ProducerConfig {
                compression: CompressionConfig { codec, level: None },
                ..config(&mock)
            });
            let topic = producer.topic("t").await.unwrap();
            append_numbers(&producer, topic, 0, 1000).await;
            producer.flush().await;
            assert_eq!(mock.values("t", 0), numbers(0, 1000));
            let all = fates(&producer);
            for index in 0..1000_u32 {
                assert_eq!(all[&index].clone().unwrap().base_offset, i64::from(index));
            }
            append(&producer, topic, &record(b"never"), 1000).await;
            producer.flush().await;
            let error = fates(&producer)[&1000].clone().unwrap_err();
            assert!(error.contains("MESSAGE_TOO_LARGE"), "{error}");
            // The gap in the sequences does not stop what follows.
            append_numbers(&producer, topic, 1001, 1002).await;
            producer.flush().await;
            fates(&producer)[&1001].clone().unwrap();
            producer.close(MINUTE).await;
        }
    });
}

#[test]
fn a_record_over_max_request_size_is_refused_and_one_over_batch_size_travels_alone() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let producer = KafkaProducer::new(ProducerConfig {
            batch_size: 1000,
            max_request_size: 5000,
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        let huge = vec![b'x'; 5000];
        let token = RecordToken { batch: 1, index: 9 };
        let error = producer.append(topic, &record(&huge), token).unwrap_err();
        assert!(
            matches!(error, ClientError::RecordTooLarge { max: 5000, .. }),
            "{error}"
        );
        append_numbers(&producer, topic, 0, 1).await;
        append(&producer, topic, &record(&huge[..4000]), 1).await;
        append_numbers(&producer, topic, 2, 3).await;
        producer.flush().await;
        assert_eq!(fates(&producer).len(), 3);
        let sizes: Vec<usize> = mock.world().topics["t"][0]
            .batches
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(sizes.len(), 3, "{sizes:?}");
        let error = producer.append(
            topic,
            &ProducerRecord {
                partition: Some(4),
                ..record(b"x")
            },
            token,
        );
        assert!(error.unwrap_err().is_retriable());
        producer.close(MINUTE).await;
    });
}

#[test]
fn buffer_memory_bounds_what_is_appended_and_comes_back_with_the_acknowledgements() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let config = ProducerConfig {
            buffer_memory: 64 << 10,
            batch_size: 16 << 10,
            max_block: Duration::from_millis(60),
            ..config(&mock)
        };
        let producer = KafkaProducer::new(config);
        let topic = producer.topic("t").await.unwrap();
        let value = vec![b'x'; 1000];
        let mut taken = 0;
        let token = |index| RecordToken { batch: 1, index };
        while producer
            .append(topic, &record(&value), token(taken))
            .unwrap()
            == Append::Taken
        {
            taken += 1;
        }
        assert!((40..=66).contains(&taken), "{taken}");
        producer.ready().await.unwrap();
        assert_eq!(
            producer
                .append(topic, &record(&value), token(taken))
                .unwrap(),
            Append::Taken
        );
        producer.flush().await;
        assert_eq!(fates(&producer).len(), taken as usize + 1);
        // Nobody answers any more: waiting for memory ends with an error.
        mock.on(ApiKey::Produce, |_, _| Reply::Silent);
        let mut index = taken + 1;
        while producer
            .append(topic, &record(&value), token(index))
            .unwrap()
            == Append::Taken
        {
            index += 1;
        }
        let error = producer.ready().await.unwrap_err();
        assert!(error.to_string().contains("buffer memory"), "{error}");
        producer.close(Duration::from_millis(20)).await;
        assert_eq!(fates(&producer).len(), (index - taken - 1) as usize);
        assert_eq!(producer.in_flight(), 0);
    });
}

#[test]
fn delivery_timeout_gives_records_up_and_later_ones_go_on_under_a_new_epoch() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        mock.on(ApiKey::Produce, |call, _| {
            refuse(call, code::NOT_ENOUGH_REPLICAS)
        });
        let producer = KafkaProducer::new(ProducerConfig {
            delivery_timeout: Duration::from_millis(60),
            ..config(&mock)
        });
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 3).await;
        producer.flush().await;
        let all = fates(&producer);
        assert_eq!(all.len(), 3);
        let error = all[&0].clone().unwrap_err();
        assert!(error.contains("delivery.timeout.ms"), "{error}");
        mock.on(ApiKey::Produce, |_, _| Reply::Default);
        append_numbers(&producer, topic, 3, 5).await;
        producer.flush().await;
        assert!(fates(&producer).values().all(Result::is_ok));
        assert_eq!(mock.values("t", 0), numbers(3, 5));
        producer.close(MINUTE).await;
    });
}

#[test]
fn used_up_retries_and_fatal_answers_are_reported_once() {
    for (code, retries) in [
        (code::NOT_ENOUGH_REPLICAS, 2),
        (code::TOPIC_AUTHORIZATION_FAILED, 100),
        (code::INVALID_RECORD, 100),
    ] {
        on_each_runtime(move || async move {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            mock.on(ApiKey::Produce, move |call, _| refuse(call, code));
            let producer = KafkaProducer::new(ProducerConfig {
                retries,
                ..config(&mock)
            });
            let topic = producer.topic("t").await.unwrap();
            append_numbers(&producer, topic, 0, 10).await;
            producer.flush().await;
            let all = fates(&producer);
            assert_eq!(all.len(), 10);
            let error = all[&9].clone().unwrap_err();
            assert!(error.contains(crate::kafka::errors::name(code)), "{error}");
            let requests = if retries == 2 { 3 } else { 1 };
            assert_eq!(mock.count(ApiKey::Produce), requests);
            producer.close(MINUTE).await;
        });
    }
}

#[test]
fn a_producer_id_is_asked_for_until_the_coordinator_is_there() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let mut left = vec![
            code::COORDINATOR_LOAD_IN_PROGRESS,
            code::NOT_COORDINATOR,
            code::COORDINATOR_NOT_AVAILABLE,
        ];
        mock.on(ApiKey::InitProducerId, move |call, _| match left.pop() {
            None => Reply::Default,
            Some(code) => answer(
                call,
                &InitProducerIdResponse::default().with_error_code(code),
            ),
        });
        let producer = deliver_in_order(&mock, config(&mock), 10).await;
        assert_eq!(mock.count(ApiKey::InitProducerId), 4);
        producer.close(MINUTE).await;
    });
}

#[test]
fn denied_idempotence_falls_back_or_fails_as_configured() {
    for required in [false, true] {
        on_each_runtime(move || async move {
            let mock = MockCluster::start(1);
            mock.topic("t", 1);
            mock.on(ApiKey::InitProducerId, |call, _| {
                let code = code::CLUSTER_AUTHORIZATION_FAILED;
                answer(
                    call,
                    &InitProducerIdResponse::default().with_error_code(code),
                )
            });
            let config = ProducerConfig {
                idempotence_required: required,
                ..config(&mock)
            };
            if !required {
                deliver_in_order(&mock, config, 100)
                    .await
                    .close(MINUTE)
                    .await;
                return;
            }
            let producer = KafkaProducer::new(config);
            let topic = producer.topic("t").await.unwrap();
            // The denial may come before or after the first record; either way it is told.
            let token = RecordToken { batch: 1, index: 0 };
            let taken = producer.append(topic, &record(b"x"), token).is_ok();
            producer.flush().await;
            assert_eq!(fates(&producer).len(), usize::from(taken));
            assert!(producer.ready().await.is_err());
            let refused = producer.append(topic, &record(b"x"), token);
            assert!(
                refused
                    .unwrap_err()
                    .to_string()
                    .contains("CLUSTER_AUTHORIZATION")
            );
            assert!(producer.ready().await.is_err());
            producer.close(MINUTE).await;
        });
    }
}

#[test]
fn an_answer_that_cant_be_read_is_reported_and_never_panics() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        mock.on(ApiKey::Produce, |call, _| match refuse(call, 0) {
            Reply::Answer(mut bytes) => {
                // The number of topics becomes a lie.
                bytes[9] = 0x7f;
                Reply::Raw(bytes)
            }
            other => other,
        });
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 2).await;
        producer.flush().await;
        let error = fates(&producer)[&0].clone().unwrap_err();
        assert!(error.contains("malformed"), "{error}");
        producer.close(MINUTE).await;
    });
}

#[test]
fn throttle_time_is_honoured() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let mut first = true;
        mock.on(ApiKey::Produce, move |call, _| {
            if !std::mem::take(&mut first) {
                return Reply::Default;
            }
            let request: ProduceRequest = call.request();
            let topic = TopicProduceResponse::default()
                .with_name(request.topic_data[0].name.clone())
                .with_partition_responses(vec![
                    PartitionProduceResponse::default().with_error_code(code::REQUEST_TIMED_OUT),
                ]);
            let response = ProduceResponse::default()
                .with_responses(vec![topic])
                .with_throttle_time_ms(100);
            answer(call, &response)
        });
        let start = Instant::now();
        deliver_in_order(&mock, config(&mock), 3)
            .await
            .close(MINUTE)
            .await;
        assert!(start.elapsed() >= Duration::from_millis(95));
    });
}

#[test]
fn an_unknown_topic_is_waited_for_and_created_where_the_broker_creates_it() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let producer = KafkaProducer::new(ProducerConfig {
            max_block: Duration::from_millis(50),
            ..config(&mock)
        });
        let error = producer.topic("none").await.unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
        mock.world()
            .topic_errors
            .insert("secret".to_owned(), code::TOPIC_AUTHORIZATION_FAILED);
        let error = producer.topic("secret").await.unwrap_err();
        assert!(
            error.to_string().contains("TOPIC_AUTHORIZATION_FAILED"),
            "{error}"
        );
        mock.world().auto_create = 2;
        let topic = producer.topic("made").await.unwrap();
        assert_eq!(producer.partitions(topic), 2);
        producer.close(MINUTE).await;
        let token = RecordToken { batch: 0, index: 0 };
        let closed = producer.append(topic, &record(b""), token);
        assert!(matches!(closed, Err(ClientError::Closed)));
    });
}

#[test]
fn close_reports_what_was_not_acknowledged_in_time() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        mock.on(ApiKey::Produce, |_, _| Reply::Silent);
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 5).await;
        shard::sleep(Duration::from_millis(10)).await;
        append_numbers(&producer, topic, 5, 9).await;
        producer.close(Duration::from_millis(30)).await;
        let all = fates(&producer);
        assert_eq!(all.len(), 9);
        assert!(all.values().all(Result::is_err));
        // Closing again changes nothing.
        producer.close(Duration::from_millis(30)).await;
        assert!(fates(&producer).is_empty());
    });
}

#[test]
fn a_restarted_broker_gets_what_it_missed() {
    on_each_runtime(|| async {
        let mut mock = MockCluster::start(1);
        mock.topic("t", 1);
        let producer = KafkaProducer::new(config(&mock));
        let topic = producer.topic("t").await.unwrap();
        append_numbers(&producer, topic, 0, 10).await;
        producer.flush().await;
        mock.stop(1);
        append_numbers(&producer, topic, 10, 20).await;
        shard::sleep(Duration::from_millis(30)).await;
        assert_eq!(fates(&producer).len(), 10);
        mock.restart(1);
        producer.flush().await;
        assert_eq!(fates(&producer).len(), 10);
        assert_eq!(mock.values("t", 0), numbers(0, 20));
        producer.close(MINUTE).await;
    });
}

/// What a moody broker does next. Leaders move between the two now and then.
pub(super) fn mood(call: &Call, world: &mut World) -> Reply {
    if fastrand::u8(..100) < 4 {
        let partitions = world.topics.get_mut("t").unwrap();
        let moved = &mut partitions[fastrand::usize(..3)];
        moved.leader = 3 - moved.leader;
        moved.leader_epoch += 1;
    }
    match fastrand::u8(..100) {
        0..4 => Reply::Disconnect,
        4..8 => Reply::DefaultThenDisconnect,
        8..12 => refuse(call, code::NOT_LEADER_OR_FOLLOWER),
        12..16 => refuse(call, code::NOT_ENOUGH_REPLICAS),
        16..18 => match refuse(call, 0) {
            Reply::Answer(bytes) => Reply::Truncated(bytes, 11),
            other => other,
        },
        18..25 => Reply::Delayed(Duration::from_millis(2), Box::new(Reply::Default)),
        25..27 => {
            let written = default_reply(call, world);
            Reply::Delayed(Duration::from_millis(10), Box::new(written))
        }
        _ => Reply::Default,
    }
}

#[test]
fn under_random_faults_every_record_arrives_exactly_once_in_order() {
    on_each_runtime(|| async {
        for seed in 0..4 {
            fastrand::seed(seed);
            let mock = MockCluster::start(2);
            mock.topic("t", 3);
            mock.on(ApiKey::Produce, mood);
            let producer = KafkaProducer::new(ProducerConfig {
                batch_size: 500,
                buffer_memory: 64 << 10,
                ..config(&mock)
            });
            let topic = producer.topic("t").await.unwrap();
            let mut expected: Vec<Vec<Vec<u8>>> = vec![Vec::new(); 3];
            for number in 0..3000_u32 {
                let value = number.to_string().into_bytes();
                let keyed = ProducerRecord {
                    key: Some(&value),
                    ..record(&value)
                };
                append(&producer, topic, &keyed, number).await;
                let partition = usize::try_from(partition_for_key(&value, 3)).unwrap();
                expected[partition].push(value);
                if number % 50 == 0 {
                    shard::sleep(Duration::from_millis(1)).await;
                }
            }
            producer.flush().await;
            let all = fates(&producer);
            assert_eq!(all.len(), 3000);
            assert!(all.values().all(Result::is_ok), "seed {seed}");
            for (partition, expected) in expected.iter().enumerate() {
                assert_eq!(&mock.values("t", partition), expected, "seed {seed}");
            }
            producer.close(MINUTE).await;
        }
    });
}
