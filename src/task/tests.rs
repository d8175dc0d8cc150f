//! The loops of source and sink tasks over clients that do as they are told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::control::{Wish, control};
use super::conversion::{Converters, SourceConversion};
use super::errors::{ErrorHandler, ErrorPolicy, Tolerance};
use super::sink::SinkParts;
use super::source::SourceParts;
use super::topic_creation::TopicCreation;
use super::transformation_chain::TransformationChain;
use super::*;
use crate::api::{
    ConfigMap, ConnectError, SinkBatch, SinkForm, SinkTask, SinkTaskContext, SliceBatch,
    SliceColumn, SliceForm, SourceBatch, SourceMap, SourceTask, SourceTaskContext, Span,
    TopicPartition,
};
use crate::clients::*;
use crate::metrics::TaskMetrics;
use crate::record::RecordRef;
use crate::shard::{self, Notify, RuntimeKind};
use crate::storage::{
    ConnectorOffsetStore, OffsetBackingStore, OffsetStore, TopicTracker, WriteGate,
};

pub(super) fn converters() -> Converters {
    let new = |name: &str| {
        let plugins = crate::converters::ALL;
        *plugins
            .iter()
            .find(|plugin| plugin.class.ends_with(name))
            .unwrap()
    };
    let (string, header) = (new(".StringConverter"), new(".SimpleHeaderConverter"));
    let config = ConfigMap::new();
    Converters {
        key: string.converter.unwrap()(&config, true).unwrap(),
        value: string.converter.unwrap()(&config, false).unwrap(),
        header: (header.header_converter)(&config).unwrap(),
    }
}

pub(super) fn json_converters() -> Converters {
    let plugins = crate::converters::ALL;
    let json = plugins
        .iter()
        .find(|plugin| plugin.class.ends_with(".JsonConverter"))
        .unwrap();
    let mut config = ConfigMap::new();
    config.insert("schemas.enable".to_owned(), Some("false".to_owned()));
    Converters {
        value: json.converter.unwrap()(&config, false).unwrap(),
        ..converters()
    }
}

fn bytes() -> Converters {
    let mut plugins = crate::converters::ALL.iter();
    let plugin = plugins.find(|plugin| plugin.class.ends_with(".ByteArrayConverter"));
    let new = plugin.unwrap().converter.unwrap();
    Converters {
        key: new(&ConfigMap::new(), true).unwrap(),
        value: new(&ConfigMap::new(), false).unwrap(),
        ..converters()
    }
}

/// Headers as text, in order.
pub(super) type TextHeaders = Vec<(String, Option<String>)>;

/// Takes records and acknowledges them when told.
#[derive(Default)]
pub(super) struct ScriptedProducer {
    /// Values taken, in order.
    pub(super) values: RefCell<Vec<Vec<u8>>>,
    /// Their headers.
    pub(super) headers: RefCell<Vec<TextHeaders>>,
    pub(super) pending: RefCell<VecDeque<RecordToken>>,
    pub(super) acks: RefCell<Vec<Ack>>,
    pub(super) changed: Notify,
    /// Room for this many unacknowledged records.
    pub(super) room: Cell<usize>,
    /// Acknowledges everything at once.
    pub(super) eager: Cell<bool>,
    /// Records longer than this are refused.
    pub(super) longest: Cell<usize>,
    /// How often the topic was asked for; the second partition appears with the third time.
    pub(super) looks: Cell<u32>,
}

impl ScriptedProducer {
    pub(super) fn new(room: usize, eager: bool) -> Rc<Self> {
        let producer = Self::default();
        producer.room.set(room);
        producer.eager.set(eager);
        producer.longest.set(usize::MAX);
        Rc::new(producer)
    }

    pub(super) fn acknowledge(&self, count: usize) {
        let acked = Acked {
            partition: 0,
            base_offset: 0,
        };
        self.answer(count, &Ok(acked));
    }

    /// Gives records up.
    pub(super) fn give_up(&self, count: usize) {
        self.answer(count, &Err(Rc::new(ClientError::Closed)));
    }

    fn answer(&self, count: usize, result: &Result<Acked, Rc<ClientError>>) {
        for _ in 0..count {
            let Some(token) = self.pending.borrow_mut().pop_front() else {
                return;
            };
            self.acks.borrow_mut().push(Ack {
                batch: token.batch,
                first: token.index,
                count: 1,
                topic: TopicHandle(0),
                result: result.clone(),
            });
        }
        self.changed.notify();
    }
}

#[async_trait(?Send)]
impl Producer for ScriptedProducer {
    async fn topic(&self, _: &str) -> Result<TopicHandle, ClientError> {
        self.looks.set(self.looks.get() + 1);
        Ok(TopicHandle(0))
    }

    fn partitions(&self, _: TopicHandle) -> u32 {
        if self.looks.get() < 3 { 1 } else { 2 }
    }

    fn append(
        &self,
        _: TopicHandle,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<Append, ClientError> {
        let value = record.value.unwrap_or_default();
        if value.len() > self.longest.get() {
            let size = value.len();
            return Err(ClientError::RecordTooLarge {
                topic: "t".to_owned(),
                size,
                max: self.longest.get(),
            });
        }
        if self.pending.borrow().len() >= self.room.get() {
            return Ok(Append::Full);
        }
        self.values.borrow_mut().push(value.to_vec());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = record.headers.iter();
        let headers = headers.map(|header| (text(header.key), header.value.map(text)));
        self.headers.borrow_mut().push(headers.collect());
        self.pending.borrow_mut().push_back(token);
        if self.eager.get() {
            self.acknowledge(1);
        }
        Ok(Append::Taken)
    }

    async fn ready(&self) -> Result<(), ClientError> {
        while self.pending.borrow().len() >= self.room.get() {
            let mark = self.changed.mark();
            self.changed.changed_since(mark).await;
        }
        Ok(())
    }

    fn take_acks(&self, out: &mut Vec<Ack>) {
        out.append(&mut self.acks.borrow_mut());
    }

    async fn acked(&self) {
        while self.acks.borrow().is_empty() {
            let mark = self.changed.mark();
            self.changed.changed_since(mark).await;
        }
    }

    fn in_flight(&self) -> usize {
        self.pending.borrow().len()
    }

    async fn flush(&self) {
        while !self.pending.borrow().is_empty() {
            let mark = self.changed.mark();
            self.changed.changed_since(mark).await;
        }
    }

    async fn close(&self, _: Duration) {}
}

pub(super) fn partition() -> SourceMap {
    let mut map = SourceMap::new();
    map.insert("filename".to_owned(), "f".into());
    map
}

/// Yields each batch of lines once, resuming at its stored position, then waits.
pub(super) struct Lines {
    pub(super) batches: VecDeque<Vec<&'static str>>,
    pub(super) position: i64,
}

#[async_trait(?Send)]
impl SourceTask for Lines {
    async fn start(&mut self, _: SourceTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        let Some(lines) = self.batches.pop_front() else {
            return std::future::pending().await;
        };
        let mut buffer = Vec::new();
        let (mut values, mut positions) = (Vec::new(), Vec::new());
        for line in lines {
            let start = u32::try_from(buffer.len()).unwrap();
            buffer.extend_from_slice(line.as_bytes());
            values.push(Span {
                start,
                len: u32::try_from(line.len()).unwrap(),
            });
            positions.push(u32::try_from(buffer.len()).unwrap());
        }
        let base_position = self.position;
        self.position += i64::try_from(buffer.len()).unwrap();
        Ok(SourceBatch::Slices(SliceBatch {
            topic: "t".into(),
            kafka_partition: None,
            timestamp: None,
            buffer: buffer.into(),
            values,
            keys: None,
            form: SliceForm::Text,
            value_schema: Some(
                crate::api::SchemaBuilder::new(crate::api::SchemaType::String).build(),
            ),
            source_partition: Some(Rc::new(partition())),
            position_field: "position".into(),
            base_position,
            positions,
        }))
    }
}

pub(super) struct Rig {
    pub(super) producer: Rc<ScriptedProducer>,
    pub(super) store: OffsetStore,
    pub(super) handle: control::ControlHandle,
    pub(super) parts: SourceParts,
}

/// What connector `c` sees of a store.
pub(super) fn of_connector(store: &OffsetStore) -> ConnectorOffsetStore {
    let store = OffsetBackingStore::from(store.clone());
    let seen = store.connector("c", &ConfigMap::new(), WriteGate::default());
    seen.unwrap()
}

pub(super) fn source(
    batches: &[&[&'static str]],
    producer: &Rc<ScriptedProducer>,
    tolerance: Tolerance,
) -> Rig {
    let (handle, control) = control(Wish::Run);
    let store = OffsetStore::in_memory();
    let task = Lines {
        batches: batches.iter().map(|lines| lines.to_vec()).collect(),
        position: 0,
    };
    let policy = ErrorPolicy {
        tolerance,
        ..ErrorPolicy::default()
    };
    let parts = SourceParts {
        connector: "c".into(),
        number: 0,
        task: Box::new(task),
        conversion: SourceConversion::new(converters(), TransformationChain::default()),
        producer: Rc::clone(producer) as Rc<dyn Producer>,
        topics: TopicCreation::default(),
        offsets: of_connector(&store),
        active_topics: TopicTracker::off(),
        lease: Lease::unlimited(),
        control,
        metrics: Arc::new(TaskMetrics::new()),
        errors: ErrorHandler::new("c-0".to_owned(), policy),
        report: Reporter::new(|_| {}),
        flush_interval: Duration::from_millis(30),
        flush_timeout: Duration::from_millis(200),
    };
    Rig {
        producer: Rc::clone(producer),
        store,
        handle,
        parts,
    }
}

impl Rig {
    pub(super) fn position(&self) -> Option<i64> {
        self.store.get("c", &partition())?.get("position")?.as_i64()
    }

    fn values(&self) -> Vec<String> {
        let values = self.producer.values.borrow();
        values
            .iter()
            .map(|value| String::from_utf8(value.clone()).unwrap())
            .collect()
    }
}

pub(super) fn on_each_runtime<Fut: Future<Output = ()> + 'static>(test: fn() -> Fut) {
    shard::run(RuntimeKind::Epoll, None, test()).unwrap();
    if shard::probe_io_uring().io_uring_problem.is_none() {
        shard::run(RuntimeKind::IoUring, None, test()).unwrap();
    }
}

pub(super) async fn settle() {
    shard::sleep(Duration::from_millis(60)).await;
}

/// Takes the parts out of a rig and runs them.
pub(super) fn start(rig: &mut Rig) -> shard::JoinHandle<Result<(), ConnectError>> {
    let spare = source(&[], &rig.producer, Tolerance::None).parts;
    let parts = std::mem::replace(&mut rig.parts, spare);
    shard::spawn(async move { source::run(parts, &ConfigMap::new()).await })
}

/// Yields one batch of one record for partition 1, then waits.
struct OneBatch(Option<crate::api::RecordBatches>);

#[async_trait(?Send)]
impl SourceTask for OneBatch {
    async fn start(&mut self, _: SourceTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        match self.0.take() {
            Some(batches) => Ok(SourceBatch::Batches(batches)),
            None => std::future::pending().await,
        }
    }
}

fn one_batch(value: &str) -> OneBatch {
    let record = RecordRef {
        offset: 6,
        timestamp: 0,
        key: Span::NULL,
        value: Span {
            start: 0,
            len: u32::try_from(value.len()).unwrap(),
        },
        headers: Span::NULL,
        header_count: 0,
    };
    OneBatch(Some(crate::api::RecordBatches {
        topic: "t".into(),
        kafka_partition: 1,
        batches: crate::record::encode_raw(value.as_bytes(), &[record]).unwrap(),
        source_partition: Some(Rc::new(partition())),
        position_field: "position".into(),
    }))
}

#[test]
fn a_batch_for_a_partition_that_brokers_do_not_name_yet_waits_for_it() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(100, true);
        let mut rig = source(&[], &producer, Tolerance::None);
        rig.parts.task = Box::new(one_batch("early"));
        rig.parts.conversion = SourceConversion::new(bytes(), TransformationChain::default());
        let running = start(&mut rig);
        settle().await;
        assert_eq!(rig.values(), [""; 0]);
        shard::sleep(Duration::from_millis(1200)).await;
        assert_eq!(producer.looks.get(), 3);
        assert_eq!(rig.values(), ["early"]);
        assert_eq!(rig.position(), Some(6));
        rig.handle.set(Wish::Stop);
        assert!(matches!(running.join().await, shard::TaskEnd::Done(Ok(()))));
    });
}

#[test]
fn a_stop_ends_the_wait_for_a_partition() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(100, true);
        let mut rig = source(&[], &producer, Tolerance::None);
        rig.parts.task = Box::new(one_batch("early"));
        rig.parts.conversion = SourceConversion::new(bytes(), TransformationChain::default());
        let running = start(&mut rig);
        settle().await;
        rig.handle.set(Wish::Stop);
        assert!(matches!(running.join().await, shard::TaskEnd::Done(Ok(()))));
        assert_eq!((rig.values().len(), rig.position()), (0, None));
    });
}

#[test]
fn an_offset_is_stored_only_after_everything_before_it_was_acknowledged() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(100, false);
        let mut rig = source(&[&["aa", "bb"], &["cc"]], &producer, Tolerance::None);
        let running = start(&mut rig);
        settle().await;
        assert_eq!(rig.values(), ["aa", "bb", "cc"]);
        assert_eq!(rig.position(), None);
        producer.acknowledge(1);
        settle().await;
        assert_eq!(rig.position(), Some(2));
        producer.acknowledge(2);
        settle().await;
        assert_eq!(rig.position(), Some(6));
        rig.handle.set(Wish::Stop);
        assert!(matches!(running.join().await, shard::TaskEnd::Done(Ok(()))));
    });
}

#[test]
fn a_stop_waits_for_records_in_flight_and_stores_their_offsets() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(100, false);
        let mut rig = source(&[&["aa"]], &producer, Tolerance::None);
        let running = start(&mut rig);
        settle().await;
        rig.handle.set(Wish::Stop);
        shard::sleep(Duration::from_millis(20)).await;
        producer.acknowledge(1);
        assert!(matches!(running.join().await, shard::TaskEnd::Done(Ok(()))));
        assert_eq!(rig.position(), Some(2));
    });
}

#[test]
fn a_full_producer_holds_the_source_back_and_loses_nothing() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(1, false);
        let mut rig = source(&[&["a", "b", "c"]], &producer, Tolerance::None);
        let running = start(&mut rig);
        settle().await;
        assert_eq!(rig.values(), ["a"]);
        for _ in 0..3 {
            producer.acknowledge(1);
            settle().await;
        }
        assert_eq!(rig.values(), ["a", "b", "c"]);
        assert_eq!(rig.position(), Some(3));
        rig.handle.set(Wish::Stop);
        running.join().await;
    });
}

#[test]
fn a_record_over_the_size_limit_fails_the_task_and_keeps_what_was_acknowledged_before() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(100, true);
        producer.longest.set(3);
        let mut rig = source(&[&["ok", "long!", "fine"]], &producer, Tolerance::None);
        let shard::TaskEnd::Done(Err(error)) = start(&mut rig).join().await else {
            panic!()
        };
        assert!(
            error.trace().contains("max.request.size"),
            "{}",
            error.trace()
        );
        assert_eq!(rig.position(), Some(2));
    });
}

#[test]
fn a_record_over_the_size_limit_is_skipped_where_that_is_tolerated() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(100, true);
        producer.longest.set(4);
        let mut rig = source(&[&["ok", "long!", "fine"]], &producer, Tolerance::All);
        let running = start(&mut rig);
        settle().await;
        rig.handle.set(Wish::Stop);
        running.join().await;
        assert_eq!(rig.values(), ["ok", "fine"]);
        assert_eq!(rig.position(), Some(11));
    });
}

#[test]
fn a_paused_source_polls_no_more_until_it_is_resumed() {
    on_each_runtime(|| async {
        let producer = ScriptedProducer::new(100, true);
        let mut rig = source(&[&["a"]], &producer, Tolerance::None);
        rig.handle.set(Wish::Pause);
        let running = start(&mut rig);
        settle().await;
        assert!(rig.values().is_empty());
        rig.handle.set(Wish::Run);
        settle().await;
        assert_eq!(rig.values(), ["a"]);
        rig.handle.set(Wish::Stop);
        running.join().await;
    });
}

/// Plays events and keeps what is committed.
#[derive(Default)]
pub(super) struct ScriptedConsumer {
    pub(super) events: RefCell<VecDeque<Polled>>,
    pub(super) committed: RefCell<Vec<(TopicPartition, i64)>>,
    pub(super) paused: Cell<bool>,
    pub(super) seeks: RefCell<Vec<(TopicPartition, i64)>>,
    /// Timeouts of polls.
    pub(super) waits: RefCell<Vec<Duration>>,
}

#[async_trait(?Send)]
impl Consumer for ScriptedConsumer {
    fn subscribe(&self, _: Subscription) {}

    fn assign(&self, _: Vec<TopicPartition>) {}

    async fn poll(&self, timeout: Duration) -> Result<Polled, ClientError> {
        self.waits.borrow_mut().push(timeout);
        let event = self.events.borrow_mut().pop_front();
        match event {
            Some(event) => Ok(event),
            None => {
                shard::sleep(timeout.min(Duration::from_millis(5))).await;
                Ok(Polled::Idle)
            }
        }
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        Vec::new()
    }

    async fn position(&self, _: &TopicPartition) -> Result<i64, ClientError> {
        Ok(0)
    }

    fn seek(&self, partition: &TopicPartition, offset: i64) {
        self.seeks.borrow_mut().push((partition.clone(), offset));
    }

    fn pause(&self, _: &[TopicPartition]) {
        self.paused.set(true);
    }

    fn resume(&self, _: &[TopicPartition]) {
        self.paused.set(false);
    }

    async fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        self.committed.borrow_mut().extend_from_slice(offsets);
        Ok(())
    }

    async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        Ok(partitions
            .iter()
            .map(|partition| (partition.clone(), Some(0)))
            .collect())
    }

    fn lag(&self) -> Option<u64> {
        None
    }

    async fn close(&self, _: Duration) {}
}

/// What a sink task saw, and what it shall refuse.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) texts: RefCell<Vec<String>>,
    pub(super) calls: RefCell<Vec<&'static str>>,
    pub(super) refusals: Cell<usize>,
}

pub(super) struct Keep(pub(super) Rc<Seen>, pub(super) SinkTaskContext);

#[async_trait(?Send)]
impl SinkTask for Keep {
    async fn start(&mut self, context: SinkTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        context.set_timeout(Duration::from_millis(5));
        self.1 = context;
        Ok(())
    }

    fn form(&self) -> SinkForm {
        SinkForm::Text
    }

    async fn open(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.0.calls.borrow_mut().push("open");
        Ok(())
    }

    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError> {
        if !batches.is_empty() && self.0.refusals.get() > 0 {
            self.0.refusals.set(self.0.refusals.get() - 1);
            self.1.set_timeout(Duration::from_millis(5));
            return Err(ConnectError::retriable("disk full"));
        }
        for batch in batches {
            let SliceColumn::Slices { buffer, spans, .. } = &batch.values else {
                panic!()
            };
            for span in spans {
                let text = span.of(buffer).unwrap_or(b"null");
                self.0
                    .texts
                    .borrow_mut()
                    .push(String::from_utf8_lossy(text).into_owned());
            }
        }
        Ok(())
    }

    async fn flush(&mut self, _: &[(TopicPartition, i64)]) -> Result<(), ConnectError> {
        self.0.calls.borrow_mut().push("flush");
        Ok(())
    }

    async fn close(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.0.calls.borrow_mut().push("close");
        Ok(())
    }
}

pub(super) fn fetched(first: i64, values: &[Option<&str>]) -> Polled {
    let mut buffer = Vec::new();
    let mut records = Vec::new();
    for (offset, value) in (first..).zip(values) {
        let start = u32::try_from(buffer.len()).unwrap();
        let value = value.map_or(Span::NULL, |value| {
            buffer.extend_from_slice(value.as_bytes());
            Span {
                start,
                len: u32::try_from(value.len()).unwrap(),
            }
        });
        let (key, headers) = (Span::NULL, Span::NULL);
        records.push(RecordRef {
            offset,
            timestamp: 0,
            key,
            value,
            headers,
            header_count: 0,
        });
    }
    Polled::Records(vec![FetchedRecords {
        source: TopicPartition::new("t", 0),
        buffer: Bytes::from(buffer),
        next_offset: first + i64::try_from(records.len()).unwrap(),
        records,
        log_append_time: false,
    }])
}

pub(super) struct SinkRig {
    pub(super) consumer: Rc<ScriptedConsumer>,
    pub(super) seen: Rc<Seen>,
    pub(super) metrics: Arc<TaskMetrics>,
    pub(super) handle: control::ControlHandle,
    pub(super) running: shard::JoinHandle<Result<(), ConnectError>>,
}

pub(super) fn sink(
    events: Vec<Polled>,
    converters: Converters,
    policy: ErrorPolicy,
    refusals: usize,
) -> SinkRig {
    let errors = ErrorHandler::new("c-0".to_owned(), policy);
    let seen = Rc::new(Seen::default());
    seen.refusals.set(refusals);
    let task = Box::new(Keep(Rc::clone(&seen), SinkTaskContext::default()));
    sink_with(events, converters, errors, seen, task)
}

pub(super) fn sink_with(
    events: Vec<Polled>,
    converters: Converters,
    errors: ErrorHandler,
    seen: Rc<Seen>,
    task: Box<dyn SinkTask>,
) -> SinkRig {
    let metrics = Arc::new(TaskMetrics::new());
    let consumer = Rc::new(ScriptedConsumer::default());
    let assigned = Polled::Assigned(vec![TopicPartition::new("t", 0)]);
    consumer.events.borrow_mut().push_back(assigned);
    consumer.events.borrow_mut().extend(events);
    let (handle, control) = control(Wish::Run);
    let parts = SinkParts {
        connector: "c".into(),
        number: 0,
        task,
        converters,
        chain: TransformationChain::default(),
        consumer: Rc::clone(&consumer) as Rc<dyn Consumer>,
        subscription: Subscription::Topics(vec!["t".to_owned()]),
        active_topics: TopicTracker::off(),
        lease: Lease::unlimited(),
        control,
        metrics: Arc::clone(&metrics),
        errors,
        report: Reporter::new(|_| {}),
        flush_interval: Duration::from_secs(60),
        flush_timeout: Duration::from_millis(200),
    };
    let running = shard::spawn(async move { sink::run(parts, &ConfigMap::new()).await });
    SinkRig {
        consumer,
        seen,
        metrics,
        handle,
        running,
    }
}

#[test]
fn a_stop_flushes_closes_and_commits_what_was_delivered() {
    on_each_runtime(|| async {
        let events = vec![fetched(0, &[Some("a"), None]), fetched(2, &[Some("b")])];
        let rig = sink(events, converters(), ErrorPolicy::default(), 0);
        settle().await;
        rig.handle.set(Wish::Stop);
        assert!(matches!(
            rig.running.join().await,
            shard::TaskEnd::Done(Ok(()))
        ));
        assert_eq!(*rig.seen.texts.borrow(), ["a", "null", "b"]);
        assert_eq!(*rig.seen.calls.borrow(), ["open", "flush", "close"]);
        assert_eq!(
            *rig.consumer.committed.borrow(),
            [(TopicPartition::new("t", 0), 3)]
        );
    });
}

#[test]
fn a_batch_refused_for_now_comes_again_once_and_the_partitions_are_paused_meanwhile() {
    on_each_runtime(|| async {
        let rig = sink(
            vec![fetched(0, &[Some("a")])],
            converters(),
            ErrorPolicy::default(),
            1,
        );
        shard::sleep(Duration::from_millis(3)).await;
        settle().await;
        assert_eq!(*rig.seen.texts.borrow(), ["a"]);
        assert!(!rig.consumer.paused.get());
        rig.handle.set(Wish::Stop);
        rig.running.join().await;
        assert_eq!(
            *rig.consumer.committed.borrow(),
            [(TopicPartition::new("t", 0), 1)]
        );
    });
}

#[test]
fn a_wait_that_the_task_asks_for_bounds_one_poll() {
    on_each_runtime(|| async {
        let rig = sink(Vec::new(), converters(), ErrorPolicy::default(), 0);
        settle().await;
        rig.handle.set(Wish::Stop);
        rig.running.join().await;
        let waits = rig.consumer.waits.borrow();
        assert!(waits[0] <= Duration::from_millis(5), "{waits:?}");
        assert!(waits[1] > Duration::from_secs(50), "{waits:?}");
    });
}

#[test]
fn lost_partitions_are_closed_without_a_commit() {
    on_each_runtime(|| async {
        let lost = Polled::Lost(vec![TopicPartition::new("t", 0)]);
        let events = vec![fetched(0, &[Some("a")]), lost];
        let rig = sink(events, converters(), ErrorPolicy::default(), 0);
        settle().await;
        rig.handle.set(Wish::Stop);
        rig.running.join().await;
        assert_eq!(*rig.seen.calls.borrow(), ["open", "close"]);
        assert!(rig.consumer.committed.borrow().is_empty());
    });
}

#[test]
fn a_record_that_cannot_be_read_fails_the_task_and_is_named() {
    on_each_runtime(|| async {
        let events = vec![fetched(41, &[Some("\"ok\""), Some("{broken")])];
        let rig = sink(events, json_converters(), ErrorPolicy::default(), 0);
        let shard::TaskEnd::Done(Err(error)) = rig.running.join().await else {
            panic!()
        };
        for part in ["topic='t'", "partition=0", "offset=42", "VALUE_CONVERTER"] {
            assert!(error.trace().contains(part), "{}", error.trace());
        }
    });
}

#[test]
fn a_record_that_cannot_be_read_is_skipped_where_that_is_tolerated_and_still_counts_as_consumed() {
    on_each_runtime(|| async {
        let policy = ErrorPolicy {
            tolerance: Tolerance::All,
            ..ErrorPolicy::default()
        };
        let events = vec![fetched(0, &[Some("\"a\""), Some("{broken"), Some("\"c\"")])];
        let rig = sink(events, json_converters(), policy, 0);
        settle().await;
        rig.handle.set(Wish::Stop);
        rig.running.join().await;
        assert_eq!(*rig.seen.texts.borrow(), ["a", "c"]);
        assert_eq!(
            *rig.consumer.committed.borrow(),
            [(TopicPartition::new("t", 0), 3)]
        );
    });
}
