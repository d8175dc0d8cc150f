//! Whole record batches through a source task, into the embedded log: the same records on every road.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use proptest::prelude::*;

use super::control::{Wish, control};
use super::conversion::{Converters, SourceConversion};
use super::errors::{ErrorHandler, ErrorPolicy};
use super::source::SourceParts;
use super::tests::of_connector;
use super::topic_creation::TopicCreation;
use super::transformation_chain::TransformationChain;
use super::*;
use crate::api::data::SchemaRef;
use crate::api::{
    CommittedRun, ConfigMap, ConnectError, Converter, HeaderConverter, RawBatch, RecordBatches,
    SchemaAndValue, SharedBuffer, SourceBatch, SourceMap, SourceTask, SourceTaskContext,
    TopicPartition, Value,
};
use crate::clients::*;
use crate::converters::ByteArrayConverter;
use crate::embedded::{
    EmbeddedAdmin, EmbeddedConfig, EmbeddedConsumer, EmbeddedLog, EmbeddedProducer,
};
use crate::metrics::TaskMetrics;
use crate::record::{
    BatchBuilder, Batches, Compression, ProducerFields, RecordBytes, RecordHeader, RecordRef,
    decode_raw, headers, raw_batch,
};
use crate::shard::{self, RuntimeKind};
use crate::storage::{OffsetStore, TopicTracker};

const SOON: Duration = Duration::from_secs(20);

/// A record that owns its parts; without its offset.
#[derive(Debug, Clone, PartialEq)]
struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn owned(buffer: &[u8], record: &RecordRef) -> Owned {
    let fields = headers(buffer, record.headers, record.header_count).map(|header| {
        let header = header.unwrap();
        let name = String::from_utf8(header.key.to_vec()).unwrap();
        (name, header.value.map(<[u8]>::to_vec))
    });
    Owned {
        timestamp: record.timestamp,
        key: record.key.of(buffer).map(<[u8]>::to_vec),
        value: record.value.of(buffer).map(<[u8]>::to_vec),
        headers: fields.collect(),
    }
}

fn records_of(batch: &RawBatch) -> Vec<Owned> {
    let (mut decompressed, mut records) = (Vec::new(), Vec::new());
    let buffer: &[u8] = match decode_raw(batch, 1 << 20, &mut decompressed, &mut records).unwrap() {
        RecordBytes::Fetched => &batch.bytes,
        RecordBytes::Decompressed => &decompressed,
    };
    records.iter().map(|record| owned(buffer, record)).collect()
}

/// What is done to a batch that then can't pass.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Spoiled {
    No,
    LogAppendTime,
    /// The last record is gone.
    Compacted,
    /// The first wanted record is the second.
    Straddling,
}

fn batch(records: &[Owned], offset: i64, codec: Compression, spoiled: Spoiled) -> RawBatch {
    let mut builder = BatchBuilder::new(Vec::new(), codec.into());
    for record in records {
        let fields = record.headers.iter().map(|(key, value)| RecordHeader {
            key: key.as_bytes(),
            value: value.as_deref(),
        });
        let fields: Vec<_> = fields.collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(record.timestamp, key, value, &fields);
    }
    builder.finish(&ProducerFields::NONE, offset).unwrap();
    let mut bytes = builder.into_bytes();
    match spoiled {
        Spoiled::LogAppendTime => bytes[22] |= 1 << 3,
        Spoiled::Compacted => bytes[26] += 1,
        Spoiled::No | Spoiled::Straddling => {}
    }
    let bytes = Bytes::from(bytes);
    let found = Batches::new(&bytes)
        .check_crc(false)
        .next()
        .unwrap()
        .unwrap();
    let start = match spoiled {
        Spoiled::Straddling => offset + 1,
        _ => offset,
    };
    let buffer = SharedBuffer::new(bytes.len());
    raw_batch(&found, bytes.clone(), &buffer, start).unwrap()
}

/// Batches one behind the other in the source, whose first offset is 100.
fn source_of(parts: &[(Vec<Owned>, Compression, Spoiled)]) -> Vec<RawBatch> {
    let mut offset = 100;
    let batches = parts.iter().map(|(records, codec, spoiled)| {
        let batch = batch(records, offset, *codec, *spoiled);
        offset = batch.next_offset;
        batch
    });
    batches.collect()
}

fn source_partition() -> SourceMap {
    let mut map = SourceMap::new();
    map.insert("topic".to_owned(), "upstream".into());
    map
}

/// Source position of a run's first and last record, partition and offset that it got, length.
type Run = (i64, i64, i32, i64, u32);

/// Yields batches once, two at a time, then waits; notes what it hears.
struct Mirror {
    batches: VecDeque<RawBatch>,
    topic: Rc<str>,
    partition: Rc<SourceMap>,
    runs: Rc<RefCell<Vec<Run>>>,
}

#[async_trait(?Send)]
impl SourceTask for Mirror {
    async fn start(&mut self, _: SourceTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        if self.batches.is_empty() {
            return std::future::pending().await;
        }
        let count = self.batches.len().min(2);
        Ok(SourceBatch::Batches(RecordBatches {
            topic: Rc::clone(&self.topic),
            kafka_partition: 1,
            batches: self.batches.drain(..count).collect(),
            source_partition: Some(Rc::clone(&self.partition)),
            position_field: "offset".into(),
        }))
    }

    fn commit_run(&mut self, run: &CommittedRun<'_>) -> Result<(), ConnectError> {
        assert_eq!(*run.source_partition, source_partition());
        assert_eq!(run.written.topic, self.topic);
        let run = (
            run.first,
            run.last,
            run.written.partition,
            run.base_offset,
            run.count,
        );
        self.runs.borrow_mut().push(run);
        Ok(())
    }
}

/// Writes header bytes as they are, and does not say so.
struct ReticentHeaders;

impl HeaderConverter for ReticentHeaders {
    fn class_name(&self) -> &'static str {
        "ReticentHeaders"
    }

    fn write_header(
        &mut self,
        _: &str,
        _: &str,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        bytes_converter().write("", schema, value, out)
    }

    fn read_header(
        &mut self,
        _: &str,
        _: &str,
        _: Option<&[u8]>,
    ) -> Result<SchemaAndValue, ConnectError> {
        Ok(SchemaAndValue::NULL)
    }
}

fn bytes_converter() -> ByteArrayConverter {
    ByteArrayConverter::new(&ConfigMap::new(), false).unwrap()
}

fn converters(passes: bool) -> Converters {
    Converters {
        key: Box::new(bytes_converter()),
        value: Box::new(bytes_converter()),
        header: match passes {
            true => Box::new(bytes_converter()),
            false => Box::new(ReticentHeaders),
        },
    }
}

/// What came of a task that got these batches.
struct Outcome {
    records: Vec<Owned>,
    runs: Vec<Run>,
    stored: Option<i64>,
    written: Vec<RawBatch>,
}

/// Runs a task over the batches, into partition 1 of a new topic.
async fn mirror(
    log: Arc<EmbeddedLog>,
    name: &str,
    batches: Vec<RawBatch>,
    config: ProducerConfig,
    passes: bool,
) -> Outcome {
    create_topic(&log, name).await;
    let count: usize = batches.iter().map(|batch| records_of(batch).len()).sum();
    let runs: Rc<RefCell<Vec<Run>>> = Rc::default();
    let task = Mirror {
        batches: batches.into(),
        topic: name.into(),
        partition: Rc::new(source_partition()),
        runs: Rc::clone(&runs),
    };
    let store = OffsetStore::in_memory();
    let (handle, control) = control(Wish::Run);
    let parts = SourceParts {
        connector: "c".into(),
        number: 0,
        task: Box::new(task),
        conversion: SourceConversion::new(converters(passes), TransformationChain::default()),
        producer: Rc::new(EmbeddedProducer::new(Arc::clone(&log), config)),
        topics: TopicCreation::default(),
        offsets: of_connector(&store),
        active_topics: TopicTracker::off(),
        lease: Lease::unlimited(),
        control,
        metrics: Arc::new(TaskMetrics::new()),
        errors: ErrorHandler::new("c-0".to_owned(), ErrorPolicy::default()),
        report: Reporter::new(|_| {}),
        flush_interval: Duration::from_millis(30),
        flush_timeout: SOON,
    };
    let running = shard::spawn(async move { source::run(parts, &ConfigMap::new()).await });
    let written = read_until(&log, name, count).await;
    handle.set(Wish::Stop);
    let ended = running.join().await;
    assert!(matches!(ended, shard::TaskEnd::Done(Ok(()))), "{ended:?}");
    let stored = store.get("c", &source_partition());
    Outcome {
        records: written.iter().flat_map(records_of).collect(),
        runs: runs.take(),
        stored: stored.and_then(|offset| offset.get("offset")?.as_i64()),
        written,
    }
}

async fn create_topic(log: &Arc<EmbeddedLog>, name: &str) {
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: 2,
        replication_factor: 1,
        configs: Vec::new(),
    };
    let admin = EmbeddedAdmin::new(Arc::clone(log));
    assert!(admin.create_topic(&topic).await.unwrap());
}

async fn read_until(log: &Arc<EmbeddedLog>, topic: &str, count: usize) -> Vec<RawBatch> {
    let consumer = EmbeddedConsumer::new(Arc::clone(log), ConsumerConfig::default());
    consumer.assign(vec![TopicPartition::new(topic, 1)]);
    let mut written: Vec<RawBatch> = Vec::new();
    while written.iter().map(|b| b.count as usize).sum::<usize>() < count {
        for fetched in consumer.poll_batches(SOON).await.unwrap() {
            written.extend(fetched.batches);
        }
    }
    written
}

fn with_log<T: 'static, Fut>(kind: RuntimeKind, test: impl FnOnce(Arc<EmbeddedLog>) -> Fut) -> T
where
    Fut: Future<Output = T> + 'static,
{
    let dir = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig {
        retention_ms: None,
        ..EmbeddedConfig::default()
    };
    let log = EmbeddedLog::open(dir.path(), config).unwrap();
    shard::run(kind, None, test(log)).unwrap()
}

fn lines(count: usize) -> Vec<Owned> {
    let line = |index: usize| Owned {
        timestamp: 1_700_000_000_000 + i64::try_from(index).unwrap(),
        key: (!index.is_multiple_of(3)).then(|| index.to_string().into_bytes()),
        value: (!index.is_multiple_of(7)).then(|| vec![b'v'; index % 90]),
        headers: match index % 5 {
            0 => vec![("h".to_owned(), None), ("h".to_owned(), Some(vec![0, 255]))],
            _ => Vec::new(),
        },
    };
    (0..count).map(line).collect()
}

/// Each upstream offset has the downstream offset that it got.
fn check_runs(outcome: &Outcome, first: i64) {
    let mut next = (first, 0);
    for (from, to, partition, base, count) in &outcome.runs {
        assert_eq!((*partition, *base), (1, next.1));
        assert!(*from >= next.0 && *to - *from + 1 >= i64::from(*count));
        next = (*to + 1, *base + i64::from(*count));
    }
    assert_eq!(next.1, i64::try_from(outcome.records.len()).unwrap());
    assert_eq!(outcome.stored, Some(next.0 - 1));
}

#[test]
fn batches_pass_untouched_and_those_that_cant_are_taken_apart_in_between() {
    let kinds = match shard::probe_io_uring().io_uring_problem {
        None => vec![RuntimeKind::Epoll, RuntimeKind::IoUring],
        Some(_) => vec![RuntimeKind::Epoll],
    };
    for kind in kinds {
        with_log(kind, |log| async move {
            let spoiled = [
                Spoiled::Straddling,
                Spoiled::No,
                Spoiled::LogAppendTime,
                Spoiled::No,
                Spoiled::Compacted,
                Spoiled::No,
            ];
            let parts = spoiled.map(|spoiled| (lines(40), Compression::Lz4, spoiled));
            let sent = source_of(&parts);
            let expected: Vec<Owned> = sent.iter().flat_map(records_of).collect();
            let config = ProducerConfig::default();
            let through = mirror(Arc::clone(&log), "through", sent.clone(), config, true).await;
            assert_eq!(through.records, expected);
            check_runs(&through, 101);
            // Three equal batches, each untouched.
            let records = &sent[1].bytes[61..];
            let same = through.written.iter().filter(|w| w.bytes[61..] == *records);
            assert_eq!(same.count(), 3);
            let last = sent.last().unwrap().next_offset - 1;
            assert_eq!(through.stored, Some(last));
            let config = ProducerConfig::default();
            let apart = mirror(log, "apart", sent, config, false).await;
            assert_eq!(apart.records, expected);
            assert_eq!(apart.stored, Some(last));
        });
    }
}

#[test]
fn small_batches_on_their_way_together_are_joined_unless_they_are_compressed() {
    with_log(RuntimeKind::Epoll, |log| async move {
        for (name, codec) in [("plain", Compression::None), ("packed", Compression::Lz4)] {
            let parts: Vec<_> = (0..50).map(|_| (lines(30), codec, Spoiled::No)).collect();
            let sent = source_of(&parts);
            let expected: Vec<Owned> = sent.iter().flat_map(records_of).collect();
            let config = ProducerConfig::default();
            let outcome = mirror(Arc::clone(&log), name, sent, config, true).await;
            assert_eq!(outcome.records, expected);
            check_runs(&outcome, 100);
            match codec {
                Compression::None => assert!(outcome.written.len() < 50),
                _ => assert_eq!(outcome.written.len(), 50),
            }
        }
    });
}

#[test]
fn an_explicit_codec_is_kept_to_and_a_small_buffer_only_slows_down() {
    with_log(RuntimeKind::Epoll, |log| async move {
        let parts: Vec<_> = (0..20)
            .map(|_| (lines(30), Compression::Gzip, Spoiled::No))
            .collect();
        let sent = source_of(&parts);
        let config = ProducerConfig {
            compression: Compression::Zstd.into(),
            compression_set: true,
            buffer_memory: 3000,
            batch_size: 1000,
            ..ProducerConfig::default()
        };
        let outcome = mirror(Arc::clone(&log), "zstd", sent.clone(), config.clone(), true).await;
        let codec = |batch: &RawBatch| crate::record::codec_of(&batch.bytes);
        assert!(
            outcome
                .written
                .iter()
                .all(|b| codec(b) == Compression::Zstd)
        );
        let expected: Vec<Owned> = sent.iter().flat_map(records_of).collect();
        assert_eq!(outcome.records, expected);
        check_runs(&outcome, 100);
        let same = ProducerConfig {
            compression: Compression::Gzip.into(),
            ..config
        };
        let outcome = mirror(log, "gzip", sent, same, true).await;
        assert_eq!(outcome.written.len(), 20);
        assert_eq!(outcome.records, expected);
        check_runs(&outcome, 100);
    });
}

#[test]
fn a_batch_that_cant_be_decoded_fails_the_task_and_names_its_place() {
    with_log(RuntimeKind::Epoll, |log| async move {
        let mut broken = batch(&lines(10), 100, Compression::None, Spoiled::Straddling);
        let mut bytes = broken.bytes.to_vec();
        // The first record's length.
        bytes[61] = 0xff;
        broken.bytes = bytes.into();
        create_topic(&log, "t").await;
        for passes in [true, false] {
            let (_handle, control) = control(Wish::Run);
            let config = ProducerConfig::default();
            let parts = SourceParts {
                connector: "c".into(),
                number: 0,
                task: Box::new(Mirror {
                    batches: [broken.clone()].into(),
                    topic: "t".into(),
                    partition: Rc::new(source_partition()),
                    runs: Rc::default(),
                }),
                conversion: SourceConversion::new(
                    converters(passes),
                    TransformationChain::default(),
                ),
                producer: Rc::new(EmbeddedProducer::new(Arc::clone(&log), config)),
                topics: TopicCreation::default(),
                offsets: of_connector(&OffsetStore::in_memory()),
                active_topics: TopicTracker::off(),
                lease: Lease::unlimited(),
                control,
                metrics: Arc::new(TaskMetrics::new()),
                errors: ErrorHandler::new("c-0".to_owned(), ErrorPolicy::default()),
                report: Reporter::new(|_| {}),
                flush_interval: SOON,
                flush_timeout: SOON,
            };
            let error = source::run(parts, &ConfigMap::new()).await.unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("offset 100") && text.contains("upstream"),
                "{text}"
            );
        }
    });
}

fn some_records() -> impl Strategy<Value = Vec<Owned>> {
    let bytes =
        |max| proptest::option::weighted(0.8, proptest::collection::vec(any::<u8>(), 0..max));
    let header = ("[a-zé]{0,6}", bytes(20));
    let record = (
        0i64..4_000_000_000_000,
        bytes(30),
        bytes(200),
        proptest::collection::vec(header, 0..3),
    );
    let record = record.prop_map(|(timestamp, key, value, headers)| Owned {
        timestamp,
        key,
        value,
        headers,
    });
    proptest::collection::vec(record, 2..40)
}

fn some_batches() -> impl Strategy<Value = Vec<(Vec<Owned>, Compression, Spoiled)>> {
    let codec = proptest::sample::select(Compression::ALL.to_vec());
    let spoiled = prop_oneof![
        3 => Just(Spoiled::No),
        1 => Just(Spoiled::LogAppendTime),
        1 => Just(Spoiled::Compacted),
        1 => Just(Spoiled::Straddling),
    ];
    proptest::collection::vec((some_records(), codec, spoiled), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_road_gives_the_same_records(parts in some_batches()) {
        let sent = source_of(&parts);
        let expected: Vec<Owned> = sent.iter().flat_map(records_of).collect();
        let first = sent[0].base_offset.max(sent[0].skip_before);
        let (through, apart) = with_log(RuntimeKind::Epoll, |log| async move {
            let config = ProducerConfig::default;
            let through = mirror(Arc::clone(&log), "through", sent.clone(), config(), true).await;
            (through, mirror(log, "apart", sent, config(), false).await)
        });
        check_runs(&through, first);
        prop_assert_eq!(&through.records, &expected);
        prop_assert_eq!(&apart.records, &expected);
        prop_assert_eq!(apart.stored, through.stored);
    }
}
