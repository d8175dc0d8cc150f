//! A log over the embedded log, whose brokers' side can be told what to say.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::clients::{Admin, ApiErrorKind, CommonClientConfig, OffsetSpec};
use crate::embedded::{
    EmbeddedAdmin, EmbeddedConfig, EmbeddedConsumer, EmbeddedLog, EmbeddedProducer,
};
use crate::shard::RuntimeKind;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);

/// An admin client of the embedded log that lies on request.
struct Brokers {
    admin: EmbeddedAdmin,
    policy: RefCell<Result<Option<String>, ClientError>>,
    /// What the next creations end with; then the truth.
    creations: RefCell<VecDeque<ClientError>>,
    created: Cell<usize>,
    /// What the next question about ends is told instead of the truth.
    lie: Cell<Option<i64>>,
    /// How long the answer is on its way.
    answer_takes: Cell<Duration>,
    /// They say that they have no such topic.
    deleted: Cell<bool>,
}

#[async_trait(?Send)]
impl LogAdmin for Brokers {
    async fn create(&self, topic: &NewTopic) -> Result<bool, ClientError> {
        self.created.set(self.created.get() + 1);
        let told = self.creations.borrow_mut().pop_front();
        match told {
            Some(error) => Err(error),
            None => self.admin.create_topic(topic).await,
        }
    }

    async fn partitions(&self, topic: &str) -> Result<Option<u32>, ClientError> {
        let described = self.admin.describe_topic(topic).await?;
        let described = described.filter(|_| !self.deleted.get());
        Ok(described.map(|described| described.partitions))
    }

    async fn cleanup_policy(&self, _: &str) -> Result<Option<String>, ClientError> {
        self.policy.borrow().clone()
    }

    async fn ends(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let wanted = partitions.iter().map(|at| (at.clone(), OffsetSpec::Latest));
        let mut ends = self.admin.list_offsets(&wanted.collect::<Vec<_>>()).await?;
        shard::sleep(self.answer_takes.get()).await;
        if let Some(lie) = self.lie.take() {
            ends.iter_mut().for_each(|(_, end)| *end = lie);
        }
        Ok(ends)
    }
}

/// A sink that keeps batches, and has no room while it is full.
#[derive(Clone, Default)]
struct Kept {
    batches: Rc<RefCell<Vec<Vec<LogRecord>>>>,
    full: Rc<Cell<bool>>,
    refused: Rc<Cell<usize>>,
}

impl Kept {
    fn sink(&self) -> Rc<dyn RecordSink> {
        let kept = self.clone();
        Rc::new(move |records| {
            if kept.full.get() {
                kept.refused.set(kept.refused.get() + 1);
                return Err(records);
            }
            kept.batches.borrow_mut().push(records);
            Ok(())
        })
    }

    /// All keys, with their offsets.
    fn keys(&self) -> Vec<(String, i64)> {
        let batches = self.batches.borrow();
        let all = batches.iter().flatten();
        all.map(|record| {
            let key = record.key.clone().unwrap_or_default();
            (String::from_utf8(key).unwrap(), record.offset)
        })
        .collect()
    }
}

struct Bench {
    log: TopicLog,
    brokers: Rc<Brokers>,
    kept: Kept,
}

fn bench(dir: &Path, topic: InternalTopic, partitions: i32) -> Bench {
    let config = EmbeddedConfig {
        retention_ms: None,
        ..EmbeddedConfig::default()
    };
    let store = EmbeddedLog::open(dir, config).unwrap();
    let brokers = Rc::new(Brokers {
        admin: EmbeddedAdmin::new(Arc::clone(&store)),
        policy: RefCell::new(Ok(Some("compact".to_owned()))),
        creations: RefCell::default(),
        created: Cell::new(0),
        lie: Cell::new(None),
        answer_takes: Cell::default(),
        deleted: Cell::default(),
    });
    let settings = TopicLogSettings {
        topic,
        new_topic: NewTopic {
            name: "internal".to_owned(),
            partitions,
            replication_factor: 1,
            configs: Vec::new(),
        },
        producer: ProducerConfig::default(),
        consumer: ConsumerConfig::default(),
        api_timeout: SHORT,
        retry_backoff: CommonClientConfig::default().retry_backoff.min(SHORT / 10),
    };
    let producer = EmbeddedProducer::new(Arc::clone(&store), settings.producer.clone());
    let consumer = EmbeddedConsumer::new(store, settings.consumer.clone());
    let clients = LogClients {
        admin: Rc::clone(&brokers) as Rc<dyn LogAdmin>,
        producer: Rc::new(producer),
        consumer: Rc::new(consumer),
    };
    let kept = Kept::default();
    Bench {
        log: TopicLog::new(settings, clients, kept.sink()),
        brokers,
        kept,
    }
}

fn on_thread<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    shard::run(RuntimeKind::Epoll, None, future).unwrap()
}

fn record(key: &str, value_bytes: usize) -> TopicRecord {
    TopicRecord {
        key: key.as_bytes().to_vec(),
        value: Some(vec![b'x'; value_bytes]),
    }
}

fn numbered(count: usize, value_bytes: usize) -> Vec<TopicRecord> {
    let keys = (0..count).map(|number| record(&number.to_string(), value_bytes));
    keys.collect()
}

fn in_order(count: i64) -> Vec<(String, i64)> {
    (0..count)
        .map(|number| (number.to_string(), number))
        .collect()
}

async fn written(log: &TopicLog, records: Vec<TopicRecord>) {
    for fate in log.append(records).await {
        fate.unwrap();
    }
}

/// Runs a test against a topic that already has `count` records.
fn with_records<F: Future<Output = ()> + 'static>(
    count: usize,
    value_bytes: usize,
    test: impl FnOnce(Bench) -> F + 'static,
) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_thread(async move {
        let first = bench(&path, InternalTopic::Config, 1);
        first.log.start().await.unwrap();
        written(&first.log, numbered(count, value_bytes)).await;
        first.log.close(LONG).await;
        drop(first);
        test(bench(&path, InternalTopic::Config, 1)).await;
    });
}

#[test]
fn what_is_there_comes_before_the_start_is_over_and_the_rest_as_it_is_written() {
    with_records(3, 1, async |bench| {
        bench.log.start().await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(3));
        written(&bench.log, vec![record("3", 1), record("4", 1)]).await;
        bench.log.read_to_end(LONG).await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(5));
    });
}

#[test]
fn a_missing_topic_is_created_and_may_be_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_thread(async move {
        let bench = bench(&path, InternalTopic::Status, 4);
        // A new topic's settings are ours: nobody asks.
        *bench.brokers.policy.borrow_mut() = Ok(Some("delete".to_owned()));
        bench.log.start().await.unwrap();
        assert_eq!(bench.brokers.partitions("internal").await.unwrap(), Some(4));
        bench.log.read_to_end(LONG).await.unwrap();
        assert!(bench.kept.keys().is_empty());
    });
}

#[test]
fn batches_are_bounded_in_records_and_in_bytes() {
    with_records(1201, 1, async |bench| {
        bench.log.start().await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(1201));
        let batches = bench.kept.batches.borrow();
        assert!(batches.iter().all(|batch| batch.len() <= BATCH_RECORDS));
    });
    with_records(9, 400_000, async |bench| {
        bench.log.start().await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(9));
        let batches = bench.kept.batches.borrow();
        let bytes = |batch: &Vec<LogRecord>| batch.len() * 400_000;
        assert!(
            batches
                .iter()
                .all(|batch| bytes(batch) <= BATCH_BYTES + 400_000)
        );
    });
}

#[test]
fn a_full_sink_is_waited_for_and_gets_everything_once_in_order() {
    with_records(700, 1, async |bench| {
        bench.kept.full.set(true);
        let log = Rc::new(bench.log);
        let starting = shard::spawn({
            let log = Rc::clone(&log);
            async move { log.start().await.map_err(|error| error.to_string()) }
        });
        while bench.kept.refused.get() < 3 {
            shard::sleep(Duration::from_millis(1)).await;
        }
        let early = shard::timeout(SHORT, starting.join()).await;
        assert!(early.is_err(), "it has not been read yet");
        assert!(bench.kept.keys().is_empty());
        bench.kept.full.set(false);
        let ended = shard::timeout(LONG, starting.join()).await.unwrap();
        assert_eq!(ended, shard::TaskEnd::Done(Ok(())));
        assert_eq!(bench.kept.keys(), in_order(700));
    });
}

#[test]
fn reading_to_the_end_waits_for_the_sink_and_tells_when_the_time_is_over() {
    with_records(1, 1, async |bench| {
        bench.log.start().await.unwrap();
        bench.kept.full.set(true);
        written(&bench.log, vec![record("1", 1)]).await;
        let error = bench.log.read_to_end(SHORT).await.unwrap_err();
        assert!(error.is_retriable());
        let text = error.to_string();
        assert!(
            text.contains("internal") && text.contains("100 ms"),
            "{text}"
        );
        bench.kept.full.set(false);
        bench.log.read_to_end(LONG).await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(2));
    });
}

#[test]
fn a_topic_whose_end_went_back_is_read_again_from_its_beginning() {
    with_records(3, 1, async |bench| {
        bench.log.start().await.unwrap();
        bench.brokers.lie.set(Some(2));
        bench.log.read_to_end(LONG).await.unwrap();
        bench.log.read_to_end(LONG).await.unwrap();
        let twice: Vec<_> = in_order(3).into_iter().chain(in_order(3)).collect();
        assert_eq!(bench.kept.keys(), twice);
    });
}

#[test]
fn a_topic_that_is_gone_is_noticed_until_it_is_there_again_and_what_was_read_stays() {
    with_records(3, 1, async |bench| {
        bench.log.start().await.unwrap();
        let gone = async || {
            bench.log.inner.look_for_topic().await;
            bench.log.inner.gone.get()
        };
        assert!(!gone().await);
        bench.brokers.deleted.set(true);
        assert!(gone().await && gone().await);
        bench.brokers.deleted.set(false);
        assert!(!gone().await);
        written(&bench.log, vec![record("3", 1)]).await;
        bench.log.read_to_end(LONG).await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(4));
    });
}

#[test]
fn records_that_come_while_brokers_say_where_the_end_is_make_no_topic_new() {
    with_records(3, 1, async |bench| {
        bench.log.start().await.unwrap();
        bench.brokers.answer_takes.set(SHORT);
        let reading = bench.log.read_to_end(LONG);
        let writing = async {
            shard::sleep(SHORT / 4).await;
            written(&bench.log, vec![record("3", 1)]).await;
        };
        let (read, ()) = futures_util::future::join(reading, writing).await;
        read.unwrap();
        bench.log.read_to_end(LONG).await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(4));
    });
}

#[test]
fn a_topic_that_is_not_compacted_is_refused_and_unknown_ones_are_trusted() {
    with_records(1, 1, async |bench| {
        *bench.brokers.policy.borrow_mut() = Ok(Some("compact,delete".to_owned()));
        let error = bench.log.start().await.unwrap_err();
        assert!(
            error.message().contains("'cleanup.policy=compact'"),
            "{error}"
        );
        let fates = bench.log.append(vec![record("1", 1)]).await;
        let text = fates[0].as_ref().unwrap_err().to_string();
        assert!(text.contains("'cleanup.policy=compact'"), "{text}");
    });
    with_records(1, 1, async |bench| {
        *bench.brokers.policy.borrow_mut() = Err(denied());
        bench.log.start().await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(1));
    });
}

fn denied() -> ClientError {
    ClientError::Api {
        context: "describing".to_owned(),
        code: 29,
        name: "TOPIC_AUTHORIZATION_FAILED",
        kind: ApiErrorKind::Authorization,
        message: None,
    }
}

fn too_few_brokers() -> ClientError {
    ClientError::Api {
        context: "creating topic internal".to_owned(),
        code: 38,
        name: "INVALID_REPLICATION_FACTOR",
        kind: ApiErrorKind::Fatal,
        message: Some("Replication factor: 3 larger than available brokers: 1.".to_owned()),
    }
}

#[test]
fn a_config_topic_of_two_partitions_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_thread(async move {
        let status = bench(&path, InternalTopic::Status, 2);
        status.log.start().await.unwrap();
        status.log.close(LONG).await;
        drop(status);
        let config = bench(&path, InternalTopic::Config, 1);
        let error = config.log.start().await.unwrap_err();
        assert!(error.message().contains("found 2 partitions"), "{error}");
    });
}

#[test]
fn creation_is_tried_again_while_brokers_are_missing_and_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_thread(async move {
        let patient = bench(&path, InternalTopic::Config, 1);
        patient
            .brokers
            .creations
            .borrow_mut()
            .extend([too_few_brokers(), too_few_brokers()]);
        patient.log.start().await.unwrap();
        assert_eq!(patient.brokers.created.get(), 3);
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_thread(async move {
        let hopeless = bench(&path, InternalTopic::Config, 1);
        let many = std::iter::repeat_with(too_few_brokers).take(10_000);
        hopeless.brokers.creations.borrow_mut().extend(many);
        let error = hopeless.log.start().await.unwrap_err();
        assert!(
            error.message().contains("larger than available brokers"),
            "{error}"
        );
        assert!(hopeless.brokers.created.get() > 2);
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_thread(async move {
        let alone = bench(&path, InternalTopic::Config, 1);
        // It may not create, and nobody else does.
        alone.brokers.creations.borrow_mut().push_back(denied());
        let error = alone.log.start().await.unwrap_err();
        assert!(
            error
                .message()
                .contains("Could not look up partition metadata"),
            "{error}"
        );
    });
}

#[test]
fn appends_wait_for_the_start_and_keep_the_order_of_the_calls() {
    with_records(0, 1, async |bench| {
        let appends: Vec<_> = (0..50)
            .map(|number| bench.log.append(vec![record(&number.to_string(), 1)]))
            .collect();
        bench.log.start().await.unwrap();
        // The last is polled first.
        for append in appends.into_iter().rev() {
            for fate in append.await {
                fate.unwrap();
            }
        }
        bench.log.read_to_end(LONG).await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(50));
    });
}

#[test]
fn each_record_has_its_own_fate_and_an_error_names_its_key() {
    with_records(0, 1, async |bench| {
        bench.log.start().await.unwrap();
        let records = vec![record("0", 1), record("large", 3 << 20), record("1", 1)];
        let fates = bench.log.append(records).await;
        assert!(fates[0].is_ok() && fates[2].is_ok());
        let text = fates[1].as_ref().unwrap_err().to_string();
        assert!(
            text.contains("key large") && text.contains("max.request.size"),
            "{text}"
        );
        bench.log.read_to_end(LONG).await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(2));
        assert!(bench.log.append(Vec::new()).await.is_empty());
    });
}

#[test]
fn what_nobody_waits_for_any_more_is_not_written() {
    with_records(0, 1, async |bench| {
        let abandoned = bench.log.append(vec![record("abandoned", 1)]);
        let wanted = bench.log.append(vec![record("0", 1)]);
        drop(abandoned);
        bench.log.start().await.unwrap();
        assert!(wanted.await[0].is_ok());
        bench.log.read_to_end(LONG).await.unwrap();
        assert_eq!(bench.kept.keys(), in_order(1));
    });
}

#[test]
fn more_appends_than_may_wait_are_refused_and_a_closed_log_takes_none() {
    with_records(0, 1, async |bench| {
        let waiting: Vec<_> = (0..APPENDS_MAX)
            .map(|_| bench.log.append(vec![record("k", 1)]))
            .collect();
        let refused = bench.log.append(vec![record("k", 1)]).await;
        assert!(matches!(
            refused[..],
            [Err(LogError::Busy {
                waiting: APPENDS_MAX,
                ..
            })]
        ));
        bench.log.close(SHORT).await;
        for append in waiting {
            assert!(append.await[0].is_err(), "never started");
        }
        let refused = bench.log.append(vec![record("k", 1)]).await;
        assert!(matches!(refused[..], [Err(LogError::Closed { .. })]));
        let refused = bench.log.read_to_end(LONG).await;
        assert!(matches!(refused, Err(LogError::Closed { .. })));
    });
}

#[test]
fn closing_writes_what_was_appended_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_thread(async move {
        let first = bench(&path, InternalTopic::Config, 1);
        first.log.start().await.unwrap();
        let append = first.log.append(numbered(100, 10));
        first.log.close(LONG).await;
        assert!(append.await.iter().all(Result::is_ok));
        drop(first);
        let second = bench(&path, InternalTopic::Config, 1);
        second.log.start().await.unwrap();
        assert_eq!(second.kept.keys(), in_order(100));
    });
}
