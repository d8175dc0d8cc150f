//! How many heap allocations a record costs: none. Allocations belong to batches, so their number per
//! batch stays small and stays the same when a batch has twice the records.
//!
//! Nothing here measures time. Stages are counted on their own thread, the whole path in all threads of
//! the process: hence one test at a time.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

#[path = "../benches/common/allocations.rs"]
#[allow(dead_code, reason = "the fuzz targets use the rest")]
mod allocations;
#[path = "../benches/common/input.rs"]
#[allow(dead_code, reason = "the benches use the rest")]
mod input;

use std::hint::black_box;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use allocations::{Counting, of_all_threads, of_this_thread};
use futures_util::FutureExt as _;
use input::{config, lines};
use ringmain::api::{
    ConfigMap, Converter, Schema, SchemaType, SinkForm, SinkTask, SinkTaskContext, SliceBatch,
    SliceForm, SourceMap, TopicPartition,
};
use ringmain::clients::{
    ConsumerConfig, FetchedRecords, Lease, ProducerConfig, Slices, Subscription,
};
use ringmain::connectors::file_stream::{
    FileStreamSinkTask, FileStreamSourceTask, Lines, complete_end, split,
};
use ringmain::converters::{JsonConverter, SimpleHeaderConverter, StringConverter};
use ringmain::embedded::{EmbeddedConfig, EmbeddedConsumer, EmbeddedLog, EmbeddedProducer};
use ringmain::metrics::TaskMetrics;
use ringmain::record::{
    BatchBuilder, Batches, CompressionConfig, DecodeOptions, ProducerFields, decode,
};
use ringmain::shard::{RuntimeKind, TaskEnd, run, sleep, spawn, take_filled, take_vec, timeout};
use ringmain::storage::{ActiveTopics, OffsetBackingStore, OffsetStore, WriteGate};
use ringmain::task::Reporter;
use ringmain::task::control::{Wish, control};
use ringmain::task::conversion::{Converters, SinkConversion, SourceConversion};
use ringmain::task::errors::{ErrorHandler, ErrorPolicy};
use ringmain::task::sink::{self, SinkParts};
use ringmain::task::source::{self, SourceParts};
use ringmain::task::submitted_records::SubmittedRecords;
use ringmain::task::tape::compile::{Entry, Plugin, compile};
use ringmain::task::topic_creation::TopicCreation;
use ringmain::task::transformation_chain::{TransformationChain, TransformationStep};
use ringmain::transforms::TRANSFORMS;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes of a block of lines, as the source reads them.
const BLOCK: usize = 256 << 10;
/// Blocks of one count.
const BLOCKS: u64 = 64;
/// Most allocations for a block, or for a batch.
const PER_BATCH: u64 = 16;

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The converter of values.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Values {
    String,
    /// JsonConverter without schemas.
    Json,
}

fn converters(values: Values) -> Converters {
    let string = |is_key| Box::new(StringConverter::new(&ConfigMap::new(), is_key).unwrap());
    let json = config(&[("schemas.enable", "false")]);
    Converters {
        key: string(true),
        value: match values {
            Values::String => string(false),
            Values::Json => Box::new(JsonConverter::new(&json, false).unwrap()),
        },
        header: Box::new(SimpleHeaderConverter::new(&ConfigMap::new()).unwrap()),
    }
}

fn errors() -> ErrorHandler {
    ErrorHandler::new("c-0".to_owned(), ErrorPolicy::default())
}

fn source_partition() -> Rc<SourceMap> {
    let mut map = SourceMap::new();
    map.insert("filename".to_owned(), "f".into());
    Rc::new(map)
}

/// What stands between a block of a file and a batch for the wire.
struct SourceStages {
    conversion: SourceConversion,
    errors: ErrorHandler,
    submitted: SubmittedRecords,
    partition: Rc<SourceMap>,
    topic: Rc<str>,
    field: Rc<str>,
}

impl SourceStages {
    fn new(values: Values) -> Self {
        Self {
            conversion: SourceConversion::new(converters(values), TransformationChain::default()),
            errors: errors(),
            submitted: SubmittedRecords::new(),
            partition: source_partition(),
            topic: "t".into(),
            field: "position".into(),
        }
    }

    /// Lines, conversion, batch, acknowledgement, offset.
    fn take(&mut self, block: &[u8]) {
        let mut read = take_filled(block.len());
        read.copy_from_slice(block);
        let mut found = Lines::with_capacity(block.len() / 32);
        let end = complete_end(&read, 0);
        split(&read, 0, end, usize::MAX, &mut found);
        let mut batch = SliceBatch {
            topic: Rc::clone(&self.topic),
            kafka_partition: None,
            timestamp: None,
            buffer: read.into_bytes(0..end),
            values: found.spans,
            keys: None,
            form: SliceForm::Text,
            value_schema: Some(Schema::required(SchemaType::String)),
            source_partition: Some(Rc::clone(&self.partition)),
            position_field: Rc::clone(&self.field),
            base_position: 0,
            positions: found.ends,
        };
        assert!(self.conversion.takes_slices(&batch));
        let converted = self
            .conversion
            .rewrite(&batch, 0, &mut self.errors)
            .now_or_never()
            .unwrap();
        let number = self.submitted.number();
        self.submitted.submit_slices(number, &mut batch);
        let slices = Slices {
            partition: None,
            timestamp: input::TIMESTAMP,
            buffer: converted
                .value_buffer
                .as_ref()
                .map_or(&batch.buffer[..], |buffer| &buffer[..]),
            values: converted.values.as_deref().unwrap_or(&batch.values),
            keys: None,
        };
        black_box(encode(&slices));
        let count = u32::try_from(slices.values.len()).unwrap();
        self.submitted.acknowledge(number, 0, count);
        assert_eq!(self.submitted.committable().len(), 1);
    }
}

/// A batch as a producer makes it, in a pooled buffer that goes back.
fn encode(slices: &Slices<'_>) -> u32 {
    let buffer = take_vec(1 << 20).into_inner();
    let mut builder = BatchBuilder::new(buffer, CompressionConfig::NONE);
    let mut index = 0;
    while let Some(record) = slices.record(index) {
        builder.append(record.timestamp, record.key, record.value, record.headers);
        index += 1;
    }
    builder.finish(&ProducerFields::NONE, 0).unwrap();
    let count = builder.count();
    drop(ringmain::shard::PooledVec::from(builder.into_bytes()));
    count
}

/// Allocations of this thread for `BLOCKS` times `work`, after some warm-up.
fn steady(mut work: impl FnMut()) -> u64 {
    (0..8).for_each(|_| work());
    let before = of_this_thread();
    (0..BLOCKS).for_each(|_| work());
    of_this_thread() - before
}

/// Allocations for `BLOCKS` blocks of lines of `line_bytes`.
fn of_source(values: Values, line_bytes: usize) -> u64 {
    let block = lines(BLOCK / (line_bytes + 1), line_bytes);
    let mut stages = SourceStages::new(values);
    steady(|| stages.take(&block.buffer))
}

/// What a fetch of one batch of `lines` becomes.
fn fetch(bytes: &[u8]) -> FetchedRecords {
    let mut read = take_filled(bytes.len());
    read.copy_from_slice(bytes);
    let mut records = Vec::new();
    for batch in Batches::new(&read) {
        let batch = batch.unwrap();
        decode(
            &batch,
            &DecodeOptions::default(),
            &mut Vec::new(),
            &mut records,
        )
        .unwrap();
    }
    FetchedRecords {
        source: TopicPartition::new("t", 0),
        buffer: read.into_bytes(0..bytes.len()),
        next_offset: 0,
        log_append_time: false,
        records,
    }
}

/// Allocations for `BLOCKS` fetched batches of lines of `line_bytes`, from the fetch to the sink's
/// write buffer and its write.
fn of_sink(values: Values, line_bytes: usize) -> u64 {
    of_sink_through(values, TransformationChain::default(), line_bytes)
}

/// As [`of_sink`], with transforms between the fetch and the sink.
fn of_sink_through(values: Values, chain: TransformationChain, line_bytes: usize) -> u64 {
    let lines = lines(BLOCK / (line_bytes + 1), line_bytes);
    let bytes = input::batch(&lines, CompressionConfig::NONE, Vec::new());
    let mut conversion = SinkConversion::new(converters(values), chain, SinkForm::Text);
    let (mut errors, metrics) = (errors(), TaskMetrics::new());
    let counting = async move {
        let mut task = FileStreamSinkTask::default();
        let null = config(&[("file", "/dev/null")]);
        let context = SinkTaskContext::new("c", 0);
        task.start(context, &null).await.unwrap();
        let mut before = 0;
        for round in 0..8 + BLOCKS {
            if round == 8 {
                before = of_this_thread();
            }
            let converted = conversion.convert(fetch(&bytes), &mut errors, &metrics);
            let batch = converted.await.unwrap();
            task.put(&[batch]).await.unwrap();
        }
        of_this_thread() - before
    };
    run(RuntimeKind::Epoll, None, counting).unwrap()
}

/// Class without package and configuration of a transformation.
type Step = (&'static str, &'static [(&'static str, &'static str)]);

/// Five transforms that all look into the value.
const FIVE: [Step; 5] = [
    (
        "InsertField$Value",
        &[
            ("topic.field", "topic"),
            ("timestamp.field", "time"),
            ("static.field", "origin"),
            ("static.value", "test"),
        ],
    ),
    (
        "ReplaceField$Value",
        &[("exclude", "origin"), ("renames", "note:text")],
    ),
    ("Cast$Value", &[("spec", "id:string,user:boolean")]),
    ("MaskField$Value", &[("fields", "text,time")]),
    ("HoistField$Value", &[("field", "line")]),
];

/// A chain with its tape.
fn chain_of(steps: &[Step]) -> TransformationChain {
    let owned: Vec<_> = steps
        .iter()
        .map(|(name, pairs)| {
            let class = format!("org.apache.kafka.connect.transforms.{name}");
            (class, config(pairs))
        })
        .collect();
    let entries: Vec<_> = owned
        .iter()
        .map(|(class, config)| Entry {
            transformation: Plugin { class, config },
            condition: None,
        })
        .collect();
    let step = |(class, config): &(String, ConfigMap)| {
        let known = TRANSFORMS.iter().find(|known| known.class == *class);
        TransformationStep {
            alias: class.clone(),
            transformation: (known.unwrap().new)(config).unwrap(),
            condition: None,
        }
    };
    let tape = compile(&entries);
    assert!(tape.is_some());
    TransformationChain::new(owned.iter().map(step).collect()).with_tape(tape)
}

/// Holds counts for long lines and for lines half as long, twice as many per batch, to the bound, and to
/// each other: apart are only the writes that a sink on a slow machine starts before its buffer is full.
fn assert_per_batch(what: &str, long: u64, short: u64) {
    println!("{what}: {long} and {short} allocations for {BLOCKS} batches");
    assert!(
        long <= BLOCKS * PER_BATCH && short <= BLOCKS * PER_BATCH,
        "{what}: {long} and {short} allocations for {BLOCKS} batches, at most {PER_BATCH} each are fine"
    );
    assert!(
        long.abs_diff(short) <= 4 * BLOCKS,
        "{what}: {long} allocations, and {short} when batches have twice the records"
    );
}

#[test]
fn the_counter_counts() {
    let _alone = alone();
    let (thread, all) = (of_this_thread(), of_all_threads());
    let mut vec = black_box(Vec::with_capacity(1));
    vec.push(1_u8);
    assert_eq!(of_this_thread() - thread, 1);
    black_box(&mut vec).push(2);
    assert_eq!(of_this_thread() - thread, 2, "growth counts");
    std::thread::spawn(|| drop(black_box(Box::new(1))))
        .join()
        .unwrap();
    assert!(of_all_threads() - all >= 3);
}

#[test]
fn lines_become_a_batch_without_an_allocation_per_record() {
    let _alone = alone();
    let counts = (
        of_source(Values::String, 127),
        of_source(Values::String, 63),
    );
    assert_per_batch("file → batch, String", counts.0, counts.1);
}

#[test]
fn lines_become_json_without_an_allocation_per_record() {
    let _alone = alone();
    let counts = (of_source(Values::Json, 127), of_source(Values::Json, 63));
    assert_per_batch("file → batch, JSON", counts.0, counts.1);
}

#[test]
fn a_fetch_becomes_lines_without_an_allocation_per_record() {
    let _alone = alone();
    let counts = (of_sink(Values::String, 127), of_sink(Values::String, 63));
    assert_per_batch("fetch → file, String", counts.0, counts.1);
}

#[test]
fn json_objects_become_lines_without_an_allocation_per_record() {
    let _alone = alone();
    let counts = (of_sink(Values::Json, 127), of_sink(Values::Json, 63));
    assert_per_batch("fetch → file, JSON", counts.0, counts.1);
}

#[test]
fn five_transforms_take_no_allocation_per_record() {
    let _alone = alone();
    let of = |line_bytes| of_sink_through(Values::Json, chain_of(&FIVE), line_bytes);
    assert_per_batch("fetch → five transforms → file", of(127), of(63));
}

#[test]
fn json_strings_become_lines_without_an_allocation_per_record() {
    let _alone = alone();
    let text = lines(1, 93);
    let mut json = JsonConverter::new(&config(&[("schemas.enable", "false")]), false).unwrap();
    let mut record = Vec::new();
    json.write_text("t", &text.buffer[..93], false, &mut record)
        .unwrap();
    let mut out = Vec::new();
    let count = steady(|| {
        out.clear();
        for _ in 0..1000 {
            json.read_text("t", &record, &mut out).unwrap();
        }
    });
    assert_eq!(count, 0);
}

/// Allocations for `BLOCKS` batches of `count` records that are tracked one by one and acknowledged in
/// the wrong order.
fn of_tracking(count: usize) -> u64 {
    let partition = source_partition();
    // Any map with something in it: one that is copied for each record is found out.
    let offset = source_partition();
    let mut submitted = SubmittedRecords::new();
    let half = u32::try_from(count / 2).unwrap();
    steady(|| {
        let record = (Some(&partition), Some(&offset));
        let number = submitted.number();
        submitted.submit_records(number, std::iter::repeat_n(record, count));
        submitted.acknowledge(number, half, half);
        submitted.acknowledge(number, 0, half);
        assert_eq!(submitted.committable().len(), 1);
        assert_eq!(submitted.active(), 0);
    })
}

#[test]
fn tracking_records_takes_no_allocation_per_record() {
    let _alone = alone();
    assert_per_batch("tracking", of_tracking(2048), of_tracking(4096));
}

/// Runs a source task over the file and a sink task after it, until `records` went through, and gives the
/// allocations of all threads meanwhile.
fn of_pipeline(values: Values, records: usize, line_bytes: usize) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    let text = lines(records, line_bytes).buffer;
    std::fs::write(&input, &text).unwrap();
    let embedded = EmbeddedConfig {
        retention_ms: None,
        ..EmbeddedConfig::default()
    };
    let log = EmbeddedLog::open(&dir.path().join("log"), embedded).unwrap();
    let file = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let source_config = config(&[("file", &file(&input)), ("topic", "t")]);
    let sink_config = config(&[("file", &file(&output)), ("topics", "t")]);
    let before = of_all_threads();
    let count = records as u64;
    let whole = async move {
        run_source(values, Arc::clone(&log), source_config, count).await;
        run_sink(values, log, sink_config, count).await;
    };
    run(RuntimeKind::Epoll, None, whole).unwrap();
    let allocations = of_all_threads() - before;
    if values == Values::String {
        assert!(
            std::fs::read(&output).unwrap() == text[..],
            "not what went in"
        );
    }
    allocations
}

/// Waits until so many records went through a task.
async fn all_written(metrics: &TaskMetrics, records: u64) {
    let waiting = async {
        while metrics.read().written < records {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = timeout(Duration::from_secs(120), waiting).await;
    assert!(waited.is_ok(), "{:?} of {records}", metrics.read());
}

async fn run_source(values: Values, log: Arc<EmbeddedLog>, config: ConfigMap, records: u64) {
    let (handle, control) = control(Wish::Run);
    let metrics = Arc::new(TaskMetrics::new());
    let parts = SourceParts {
        connector: "source".into(),
        number: 0,
        task: Box::new(FileStreamSourceTask::default()),
        conversion: SourceConversion::new(converters(values), TransformationChain::default()),
        producer: Rc::new(EmbeddedProducer::new(log, ProducerConfig::default())),
        topics: TopicCreation::default(),
        offsets: OffsetBackingStore::from(OffsetStore::in_memory())
            .connector("c", &ConfigMap::new(), WriteGate::default())
            .unwrap(),
        active_topics: ActiveTopics::default().tracker("c", 0),
        lease: Lease::unlimited(),
        control,
        metrics: Arc::clone(&metrics),
        errors: errors(),
        report: Reporter::new(|_| {}),
        flush_interval: Duration::from_secs(60),
        flush_timeout: Duration::from_secs(60),
    };
    let task = spawn(async move { source::run(parts, &config).await });
    all_written(&metrics, records).await;
    handle.set(Wish::Stop);
    assert!(matches!(task.join().await, TaskEnd::Done(Ok(()))));
}

async fn run_sink(values: Values, log: Arc<EmbeddedLog>, config: ConfigMap, records: u64) {
    let (handle, control) = control(Wish::Run);
    let metrics = Arc::new(TaskMetrics::new());
    let group = ConsumerConfig {
        group_id: Some("connect-sink".to_owned()),
        ..ConsumerConfig::default()
    };
    let parts = SinkParts {
        connector: "sink".into(),
        number: 0,
        task: Box::new(FileStreamSinkTask::default()),
        converters: converters(values),
        chain: TransformationChain::default(),
        consumer: Rc::new(EmbeddedConsumer::new(log, group)),
        subscription: Subscription::Topics(vec!["t".to_owned()]),
        active_topics: ActiveTopics::default().tracker("c", 0),
        lease: Lease::unlimited(),
        control,
        metrics: Arc::clone(&metrics),
        errors: errors(),
        report: Reporter::new(|_| {}),
        flush_interval: Duration::from_secs(60),
        flush_timeout: Duration::from_secs(60),
    };
    let task = spawn(async move { sink::run(parts, &config).await });
    all_written(&metrics, records).await;
    handle.set(Wish::Stop);
    assert!(matches!(task.join().await, TaskEnd::Done(Ok(()))));
}

/// The whole path: more bytes take more batches, and with them allocations; more records in as many
/// bytes take none. What is left to chance is how full batches get, and how often a loaded machine lets
/// a wait pass: some hundred allocations.
fn assert_pipeline(values: Values) {
    const RECORDS: usize = 150_000;
    of_pipeline(values, 10_000, 127);
    let long = of_pipeline(values, RECORDS, 127);
    let short = of_pipeline(values, 2 * RECORDS, 63);
    let twice = of_pipeline(values, 2 * RECORDS, 127);
    println!(
        "file → log → file, {values:?}: {long} allocations for {RECORDS} records, {short} for twice \
         the records in as many bytes, {twice} for twice the records and the bytes"
    );
    let per_record = |more: u64| more.saturating_sub(long) as f64 / RECORDS as f64;
    assert!(per_record(short) < 0.01, "{}", per_record(short));
    assert!(per_record(twice) < 0.05, "{}", per_record(twice));
}

#[test]
fn lines_from_file_to_file_take_no_allocation_per_record() {
    let _alone = alone();
    assert_pipeline(Values::String);
}

#[test]
fn json_from_file_to_file_takes_no_allocation_per_record() {
    let _alone = alone();
    assert_pipeline(Values::Json);
}
