//! A batch through a task's converters on each road: slice (nothing to do), rewrite (text to text) and
//! struct (a full record each).

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;
use std::rc::Rc;

use common::cpu_time::CpuTime;
use common::input::{LINE_BYTES, Lines};
use common::{Amount, input, set, stage};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use ringmain::api::{
    ConfigMap, ConnectRecord, Converter, Schema, SchemaAndValue, SchemaType, SinkForm, SliceBatch,
    SliceForm, SourceRecord, TopicPartition, Value,
};
use ringmain::clients::FetchedRecords;
use ringmain::converters::{JsonConverter, SimpleHeaderConverter, StringConverter};
use ringmain::metrics::TaskMetrics;
use ringmain::record::{Batches, CompressionConfig, DecodeOptions, decode};
use ringmain::task::conversion::{Converters, SinkConversion, SourceConversion};
use ringmain::task::errors::{ErrorHandler, ErrorPolicy};
use ringmain::task::transformation_chain::{TransformationChain, TransformationStep};
use ringmain::transforms::TRANSFORMS;

/// As many lines as a block of 256 KiB holds.
const RECORDS: usize = 2800;

fn string() -> Box<dyn Converter> {
    Box::new(StringConverter::new(&ConfigMap::new(), false).unwrap())
}

fn json() -> Box<dyn Converter> {
    let config = input::config(&[("schemas.enable", "false")]);
    Box::new(JsonConverter::new(&config, false).unwrap())
}

/// Name and constructor of a value converter.
type Case = (&'static str, fn() -> Box<dyn Converter>);

fn converters(value: Box<dyn Converter>) -> Converters {
    Converters {
        key: string(),
        value,
        header: Box::new(SimpleHeaderConverter::new(&ConfigMap::new()).unwrap()),
    }
}

fn errors() -> ErrorHandler {
    ErrorHandler::new("bench-0".to_owned(), ErrorPolicy::default())
}

fn amount(lines: &Lines) -> Amount {
    Amount {
        records: RECORDS,
        bytes: lines.payload(),
    }
}

fn slice_batch(lines: &Lines) -> SliceBatch {
    SliceBatch {
        topic: "t".into(),
        kafka_partition: None,
        timestamp: None,
        buffer: lines.buffer.clone(),
        values: lines.spans.clone(),
        keys: None,
        form: SliceForm::Text,
        value_schema: Some(Schema::required(SchemaType::String)),
        source_partition: None,
        position_field: "position".into(),
        base_position: 0,
        positions: Vec::new(),
    }
}

fn source_records(lines: &Lines) -> Vec<SourceRecord> {
    let topic: Rc<str> = "t".into();
    let record = |line: &[u8]| SourceRecord {
        record: ConnectRecord {
            topic: Rc::clone(&topic),
            kafka_partition: None,
            key: SchemaAndValue::NULL,
            value: SchemaAndValue {
                schema: Some(Schema::required(SchemaType::String)),
                value: Value::String(String::from_utf8(line.to_vec()).unwrap()),
            },
            timestamp: None,
            headers: Vec::new(),
        },
        source_partition: None,
        source_offset: None,
    };
    lines.iter().map(record).collect()
}

fn source(c: &mut Criterion<CpuTime>) {
    let lines = input::lines(RECORDS, LINE_BYTES);
    let (mut errors, metrics) = (errors(), TaskMetrics::new());
    let mut group = c.benchmark_group("conversion_source");
    let roads: [Case; 2] = [("slice, String", string), ("rewrite, JSON", json)];
    for (name, value) in roads {
        let chain = TransformationChain::default();
        let mut conversion = SourceConversion::new(converters(value()), chain);
        let batch = slice_batch(&lines);
        stage(&mut group, name, amount(&lines), || {
            let done = conversion.rewrite(black_box(&batch), 1, &mut errors);
            black_box(done.now_or_never().unwrap());
        });
    }
    let roads: [Case; 2] = [("struct, String", string), ("struct, JSON", json)];
    for (name, value) in roads {
        let chain = TransformationChain::default();
        let mut conversion = SourceConversion::new(converters(value()), chain);
        let records = source_records(&lines);
        stage(&mut group, name, amount(&lines), || {
            let done = conversion.encode(black_box(&records), 1, &mut errors, &metrics);
            black_box(done.now_or_never().unwrap());
        });
    }
    group.finish();
}

/// The lines as a consumer hands them over.
fn fetched(lines: &Lines) -> FetchedRecords {
    let bytes = input::batch(lines, CompressionConfig::NONE, Vec::new());
    let mut records = Vec::new();
    for batch in Batches::new(&bytes) {
        let options = DecodeOptions::default();
        decode(&batch.unwrap(), &options, &mut Vec::new(), &mut records).unwrap();
    }
    FetchedRecords {
        source: TopicPartition::new("t", 0),
        buffer: bytes.into(),
        records,
        next_offset: 0,
        log_append_time: false,
    }
}

/// The same batch, fetched once more.
fn again(fetched: &FetchedRecords) -> FetchedRecords {
    FetchedRecords {
        source: fetched.source.clone(),
        buffer: fetched.buffer.clone(),
        records: fetched.records.clone(),
        ..*fetched
    }
}

fn sink(c: &mut Criterion<CpuTime>) {
    let lines = input::lines(RECORDS, LINE_BYTES);
    let fetched = fetched(&lines);
    let mut group = c.benchmark_group("conversion_sink");
    set(&mut group, amount(&lines));
    let roads: [(Case, SinkForm); 4] = [
        (("slice, String", string), SinkForm::Text),
        (("rewrite, JSON objects", json), SinkForm::Text),
        (("struct, String", string), SinkForm::Values),
        (("struct, JSON objects", json), SinkForm::Values),
    ];
    for ((name, value), form) in roads {
        let chain = TransformationChain::default();
        let mut conversion = SinkConversion::new(converters(value()), chain, form);
        let (mut errors, metrics) = (errors(), TaskMetrics::new());
        let mut convert = |fetched| {
            let done = conversion.convert(fetched, &mut errors, &metrics);
            done.now_or_never().unwrap().unwrap()
        };
        group.bench_function(name, |b| {
            b.iter_batched(|| again(&fetched), &mut convert, BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// What the bench scenario of JSON with schemas through transforms does: class and configuration of each.
const TRANSFORMED: [(&str, &[(&str, &str)]); 3] = [
    (
        "InsertField$Value",
        &[("static.field", "origin"), ("static.value", "bench")],
    ),
    (
        "ReplaceField$Value",
        &[("exclude", "active"), ("renames", "name:user")],
    ),
    ("Cast$Value", &[("spec", "id:string,amount:int32")]),
];

/// Fields in the envelope that JsonConverter writes around a struct.
const ENVELOPE: &str = concat!(
    r#"{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},"#,
    r#"{"type":"string","optional":false,"field":"name"},"#,
    r#"{"type":"double","optional":false,"field":"amount"},"#,
    r#"{"type":"boolean","optional":false,"field":"active"},"#,
    r#"{"type":"string","optional":false,"field":"note"}],"optional":false},"payload":"#,
    r#"{"id":1000000042,"name":"user-100042","amount":10042.51,"active":true,"#,
    r#""note":"alder birch cedar"}}"#
);

fn transforms(count: usize) -> TransformationChain {
    let step = |(class, pairs): &(&str, &[(&str, &str)])| {
        let class = format!("org.apache.kafka.connect.transforms.{class}");
        let known = TRANSFORMS.iter().find(|known| known.class == class);
        TransformationStep {
            transformation: (known.unwrap().new)(&input::config(pairs)).unwrap(),
            alias: class,
            condition: None,
        }
    };
    TransformationChain::new(TRANSFORMED.iter().take(count).map(step).collect())
}

/// JSON with schemas to text, without transforms and with one more each time.
fn sink_schemas(c: &mut Criterion<CpuTime>) {
    let lines = input::repeated(ENVELOPE.as_bytes(), RECORDS);
    let fetched = fetched(&lines);
    let mut group = c.benchmark_group("conversion_sink_schemas");
    set(&mut group, amount(&lines));
    for (count, name) in [
        "no transforms",
        "InsertField",
        "InsertField, ReplaceField",
        "InsertField, ReplaceField, Cast",
    ]
    .into_iter()
    .enumerate()
    {
        let json = JsonConverter::new(&ConfigMap::new(), false).unwrap();
        let converters = converters(Box::new(json));
        let mut conversion = SinkConversion::new(converters, transforms(count), SinkForm::Text);
        let (mut errors, metrics) = (errors(), TaskMetrics::new());
        let mut convert = |fetched| {
            let done = conversion.convert(fetched, &mut errors, &metrics);
            done.now_or_never().unwrap().unwrap()
        };
        group.bench_function(name, |b| {
            b.iter_batched(|| again(&fetched), &mut convert, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = source, sink, sink_schemas
}
criterion_main!(benches);
