//! The consumer against pretended brokers.

mod coordinator;
mod fetching;
mod groups;

use std::rc::Rc;
use std::time::Duration;

use super::KafkaConsumer;
use crate::api::TopicPartition;
use crate::clients::{ClientError, Consumer, ConsumerConfig, FetchedRecords, Polled};
use crate::kafka::mock_broker::{MockCluster, test_config};
use crate::record::{BatchBuilder, CompressionConfig, ProducerFields};

/// Longest wait for something that has to happen.
const SOON: Duration = Duration::from_secs(10);

fn config(cluster: &MockCluster) -> ConsumerConfig {
    ConsumerConfig {
        common: test_config(cluster),
        fetch_max_wait: Duration::from_millis(20),
        fetch_idle_wait: Duration::from_millis(20),
        ..ConsumerConfig::default()
    }
}

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn batch(values: &[String]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
    for value in values {
        builder.append(1000, None, Some(value.as_bytes()), &[]);
    }
    builder.finish(&ProducerFields::NONE, 0).unwrap();
    builder.into_bytes()
}

/// Appends `count` records `PREFIX0`, `PREFIX1`, … in batches of up to three.
fn fill(cluster: &MockCluster, topic: &str, partition: usize, prefix: &str, count: usize) {
    let values: Vec<String> = (0..count).map(|i| format!("{prefix}{i}")).collect();
    for values in values.chunks(3) {
        cluster.append(topic, partition, batch(values));
    }
}

fn expected(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{prefix}{i}")).collect()
}

fn values(fetched: &FetchedRecords) -> Vec<String> {
    let text = |record: &crate::record::RecordRef| {
        let bytes = record.value.of(&fetched.buffer).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    fetched.records.iter().map(text).collect()
}

/// Polls until `count` records came; checks that offsets go up without gaps.
async fn read(consumer: &KafkaConsumer, count: usize) -> Vec<(TopicPartition, Vec<String>)> {
    let mut out: Vec<(TopicPartition, Vec<String>)> = Vec::new();
    let mut seen = 0;
    while seen < count {
        match consumer.poll(SOON).await.unwrap() {
            Polled::Records(records) => {
                assert!(!records.is_empty());
                for fetched in records {
                    seen += fetched.records.len();
                    let position = consumer.position(&fetched.source).await.unwrap();
                    assert!(position >= fetched.next_offset);
                    match out.iter_mut().find(|(known, _)| *known == fetched.source) {
                        Some((_, list)) => list.extend(values(&fetched)),
                        None => out.push((fetched.source.clone(), values(&fetched))),
                    }
                }
            }
            other => panic!("{other:?} after {seen} records"),
        }
    }
    out.sort();
    out
}

/// Polls until an error comes.
async fn poll_error(consumer: &KafkaConsumer) -> ClientError {
    loop {
        match consumer.poll(SOON).await {
            Ok(Polled::Idle) => panic!("no error"),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

/// Waits until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            crate::shard::sleep(Duration::from_millis(2)).await;
        }
    };
    crate::shard::timeout(SOON, wait).await.expect("in time");
}

fn shared<T>(value: T) -> Rc<T> {
    Rc::new(value)
}
