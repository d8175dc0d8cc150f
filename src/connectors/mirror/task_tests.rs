//! The task on a pretended consumer.

use std::cell::RefCell;

use bytes::Bytes;

use super::*;
use crate::api::connector::OffsetReader;
use crate::api::{LocalFuture, RawBatch};
use crate::clients::{
    Ack, Append, Polled, Producer, ProducerRecord, RecordToken, Subscription, TopicHandle,
};
use crate::connectors::on_each_runtime;

/// Gives what it was filled with, poll by poll.
#[derive(Default)]
struct FakeConsumer {
    assigned: RefCell<Vec<TopicPartition>>,
    seeks: RefCell<Vec<(TopicPartition, i64)>>,
    polls: RefCell<VecDeque<Result<Vec<FetchedBatches>, ClientError>>>,
}

fn unused<T>() -> Result<T, ClientError> {
    panic!("a mirror's task does not ask for this")
}

#[async_trait(?Send)]
impl Consumer for FakeConsumer {
    fn subscribe(&self, _: Subscription) {
        panic!("a mirror has no group")
    }
    fn assign(&self, partitions: Vec<TopicPartition>) {
        *self.assigned.borrow_mut() = partitions;
    }
    async fn poll(&self, _: Duration) -> Result<Polled, ClientError> {
        unused()
    }
    async fn poll_batches(&self, _: Duration) -> Result<Vec<FetchedBatches>, ClientError> {
        self.polls
            .borrow_mut()
            .pop_front()
            .unwrap_or(Ok(Vec::new()))
    }
    fn assignment(&self) -> Vec<TopicPartition> {
        self.assigned.borrow().clone()
    }
    async fn position(&self, _: &TopicPartition) -> Result<i64, ClientError> {
        unused()
    }
    fn seek(&self, partition: &TopicPartition, offset: i64) {
        self.seeks.borrow_mut().push((partition.clone(), offset));
    }
    fn pause(&self, _: &[TopicPartition]) {}
    fn resume(&self, _: &[TopicPartition]) {}
    async fn commit(&self, _: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        unused()
    }
    async fn committed(
        &self,
        _: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        unused()
    }
    fn lag(&self) -> Option<u64> {
        None
    }
    async fn close(&self, _: Duration) {}
}

/// Knows an offset of partition 1 of every topic.
struct Stored;

impl OffsetReader for Stored {
    fn offset<'a>(
        &'a self,
        partition: &'a SourceMap,
    ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>> {
        assert_eq!(partition["cluster"], "A");
        let known = partition["partition"] == 1;
        let offset = || SourceMap::from_iter([("offset".to_owned(), 41.into())]);
        Box::pin(async move { Ok(known.then(offset)) })
    }
}

async fn start(partitions: &str) -> (Running, Rc<FakeConsumer>) {
    let config: ConfigMap = [
        ("name", "m"),
        ("source.cluster.alias", "A"),
        ("source.cluster.bootstrap.servers", "a:1"),
        ("task.assigned.partitions", partitions),
        ("task.index", "0"),
    ]
    .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
    .into_iter()
    .collect();
    let (config, partitions) = MirrorConfig::of_task(&config).unwrap();
    let consumer = Rc::new(FakeConsumer::default());
    let context = SourceTaskContext {
        connector: "m".into(),
        task: 0,
        offsets: Rc::new(Stored),
        preview: false,
    };
    let shared = Rc::clone(&consumer) as Rc<dyn Consumer>;
    let running = Running::start(&config, &partitions, shared, &context);
    (running.await.unwrap(), consumer)
}

fn fetched(topic: &str, partition: i32, base_offsets: &[i64]) -> FetchedBatches {
    let batch = |base: &i64| RawBatch {
        bytes: Bytes::new(),
        buffer: crate::api::SharedBuffer::new(0),
        base_offset: *base,
        next_offset: base + 1,
        count: 1,
        skip_before: *base,
    };
    FetchedBatches {
        source: TopicPartition::new(topic, partition),
        batches: base_offsets.iter().map(batch).collect(),
        next_offset: base_offsets.last().map_or(0, |last| last + 1),
    }
}

#[test]
fn partitions_are_taken_from_where_they_were_left() {
    on_each_runtime(|| async {
        let (_running, consumer) = start("t-0,t-1,u-x-1").await;
        let mut assigned = consumer.assignment();
        assigned.sort();
        let at = |topic, partition| TopicPartition::new(topic, partition);
        assert_eq!(assigned, [at("t", 0), at("t", 1), at("u-x", 1)]);
        let seeks = consumer.seeks.borrow();
        assert_eq!(*seeks, [(at("t", 1), 42), (at("u-x", 1), 42)]);
    });
}

#[test]
fn one_partition_at_a_time_is_handed_over_under_its_remote_name_until_nothing_is_left() {
    on_each_runtime(|| async {
        let (mut running, consumer) = start("t-0,t-1").await;
        let brought = vec![
            fetched("t", 0, &[5, 6]),
            fetched("t", 1, &[]),
            fetched("t", 1, &[42]),
        ];
        consumer.polls.borrow_mut().push_back(Ok(brought));
        for (partition, base_offsets) in [(0, vec![5, 6]), (1, vec![42])] {
            let SourceBatch::Batches(batches) = running.poll().await.unwrap() else {
                panic!("no whole batches");
            };
            assert_eq!(&*batches.topic, "A.t");
            assert_eq!(batches.kafka_partition, partition);
            assert_eq!(&*batches.position_field, "offset");
            let stored = batches.source_partition.unwrap();
            assert_eq!(stored["partition"], partition);
            assert_eq!(stored["topic"], "t");
            let bases = batches.batches.iter().map(|batch| batch.base_offset);
            assert_eq!(bases.collect::<Vec<_>>(), base_offsets);
        }
        assert!(running.poll().await.unwrap().is_empty());
    });
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_fails_the_task() {
    on_each_runtime(|| async {
        let (mut running, consumer) = start("t-0").await;
        let away = ClientError::Disconnected {
            context: "fetching".to_owned(),
            broker: "a:1".to_owned(),
            reason: "gone".to_owned(),
        };
        let lost = ClientError::NoOffset {
            topic: "t".to_owned(),
            partition: 0,
        };
        consumer.polls.borrow_mut().extend([Err(away), Err(lost)]);
        let error = running.poll().await.unwrap_err();
        assert!(error.is_retriable() && error.message().contains("source cluster"));
        let error = running.poll().await.unwrap_err();
        assert!(
            !error.is_retriable() && error.message().contains("t-0"),
            "{error}"
        );
        assert!(running.poll().await.unwrap().is_empty());
    });
}

/// Takes what it is given and acknowledges it with the next flush.
#[derive(Default)]
struct FakeProducer {
    records: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    closed: std::cell::Cell<bool>,
}

#[async_trait(?Send)]
impl Producer for FakeProducer {
    async fn topic(&self, topic: &str) -> Result<TopicHandle, ClientError> {
        assert_eq!(topic, "syncs");
        Ok(TopicHandle(0))
    }
    fn partitions(&self, _: TopicHandle) -> u32 {
        1
    }
    fn append(
        &self,
        _: TopicHandle,
        record: &ProducerRecord<'_>,
        _: RecordToken,
    ) -> Result<Append, ClientError> {
        assert_eq!(record.partition, Some(0));
        let (key, value) = (record.key.unwrap(), record.value.unwrap());
        self.records
            .borrow_mut()
            .push((key.to_vec(), value.to_vec()));
        Ok(Append::Taken)
    }
    async fn ready(&self) -> Result<(), ClientError> {
        unused()
    }
    fn take_acks(&self, _: &mut Vec<Ack>) {}
    async fn acked(&self) {}
    fn in_flight(&self) -> usize {
        0
    }
    async fn flush(&self) {}
    async fn close(&self, _: Duration) {
        self.closed.set(true);
    }
}

#[test]
fn acknowledged_records_become_offset_syncs_and_the_last_ones_leave_before_the_end() {
    on_each_runtime(|| async {
        let (mut running, _consumer) = start("t-0").await;
        let producer = Rc::new(FakeProducer::default());
        let shared = Rc::clone(&producer) as Rc<dyn Producer>;
        running.syncs = Some(OffsetSyncs::start(shared, "syncs".to_owned(), 100));
        let mut task = MirrorSourceTask {
            running: Some(running),
        };
        assert!(task.wants_commit_record());
        let place = source_partition("A", &TopicPartition::new("t", 0));
        let written = TopicPartition::new("A.t", 0);
        for (first, base_offset) in [(7, 3), (9, 5)] {
            let run = CommittedRun {
                source_partition: &place,
                first,
                last: first + 1,
                written: &written,
                base_offset,
                count: 2,
            };
            task.commit_run(&run).unwrap();
        }
        task.commit().await.unwrap();
        task.stop().await;
        let numbers = |value: &[u8]| (value[7], value[15]);
        let records = producer.records.borrow();
        let sent: Vec<_> = records.iter().map(|(_, value)| numbers(value)).collect();
        // The later one took the place of the first, which had not left yet.
        assert_eq!(sent, [(10, 6)]);
        assert_eq!(records[0].0, [0, 1, b't', 0, 0, 0, 0]);
        assert!(producer.closed.get());
    });
}
