//! Each transformation on records of 100 bytes and of 1 KB, with and without schema: the work of the struct
//! road between the converters.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;
use std::rc::Rc;

use common::cpu_time::CpuTime;
use common::{Amount, allocations, input, set};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ringmain::api::{
    ConnectRecord, Converter, Header, RecordOrigin, SchemaAndValue, Transformation, Value,
};
use ringmain::converters::JsonConverter;
use ringmain::transforms::TRANSFORMS;

/// Records of one call.
const RECORDS: usize = 1000;

/// Kafka's name after the package, and configuration.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

/// Fields that the records of both sizes have.
const CASES: &[Case] = &[
    ("Cast$Value", &[("spec", "user:string,time:float64")]),
    ("DropHeaders", &[("headers", "a")]),
    ("ExtractField$Value", &[("field", "message")]),
    ("Flatten$Value", &[]),
    (
        "HeaderFrom$Value",
        &[("fields", "level"), ("headers", "l"), ("operation", "move")],
    ),
    ("HoistField$Value", &[("field", "line")]),
    (
        "InsertField$Value",
        &[
            ("topic.field", "topic"),
            ("offset.field", "offset"),
            ("static.field", "origin"),
            ("static.value", "bench"),
        ],
    ),
    (
        "InsertHeader",
        &[("header", "h"), ("value.literal", "bench")],
    ),
    ("MaskField$Value", &[("fields", "message,user")]),
    (
        "RegexRouter",
        &[("regex", "(.*)-in"), ("replacement", "$1-out")],
    ),
    (
        "ReplaceField$Value",
        &[("exclude", "level"), ("renames", "user:account")],
    ),
    ("SetSchemaMetadata$Value", &[("schema.name", "event")]),
    ("ValueToKey", &[("fields", "user")]),
];

/// A JSON object of about `bytes` bytes: ten members and a text that fills it up.
fn object(bytes: usize) -> String {
    let filler = "x".repeat(bytes.saturating_sub(77));
    format!(
        r#"{{"time":1700000000123,"level":"INFO","user":123456,"ok":true,"at":{{"x":1}},"message":"{filler}"}}"#
    )
}

fn fields() -> &'static str {
    r#"[{"type":"int64","optional":false,"field":"time"},
        {"type":"string","optional":false,"field":"level"},
        {"type":"int64","optional":true,"field":"user"},
        {"type":"boolean","optional":false,"field":"ok"},
        {"type":"struct","optional":false,"field":"at","fields":[
            {"type":"int64","optional":false,"field":"x"}]},
        {"type":"string","optional":false,"field":"message"}]"#
}

/// The object as JsonConverter reads it.
fn read(bytes: usize, with_schema: bool) -> SchemaAndValue {
    let enabled = if with_schema { "true" } else { "false" };
    let config = input::config(&[("schemas.enable", enabled)]);
    let mut converter = JsonConverter::new(&config, false).unwrap();
    let payload = object(bytes);
    let text = match with_schema {
        true => format!(
            r#"{{"schema":{{"type":"struct","optional":false,"fields":{}}},"payload":{payload}}}"#,
            fields()
        ),
        false => payload,
    };
    Converter::read(&mut converter, "t-in", Some(text.as_bytes())).unwrap()
}

fn records(value: &SchemaAndValue) -> Vec<ConnectRecord> {
    let topic: Rc<str> = "t-in".into();
    let header = Header {
        key: "a".to_owned(),
        value: SchemaAndValue::schemaless(Value::Boolean(true)),
    };
    let record = |_| ConnectRecord {
        topic: Rc::clone(&topic),
        kafka_partition: Some(0),
        key: SchemaAndValue::NULL,
        value: value.clone(),
        timestamp: Some(input::TIMESTAMP),
        headers: vec![header.clone()],
    };
    (0..RECORDS).map(record).collect()
}

fn apply_all(
    transformation: &mut dyn Transformation,
    records: Vec<ConnectRecord>,
) -> Vec<ConnectRecord> {
    let mut offset = 0;
    let mut apply = |record| {
        offset += 1;
        let origin = RecordOrigin::Sink {
            topic: "t-in",
            partition: 0,
            offset,
            log_append_time: false,
        };
        transformation.apply(record, origin).unwrap()
    };
    records.into_iter().filter_map(&mut apply).collect()
}

fn transforms(c: &mut Criterion<CpuTime>) {
    for (size, bytes) in [("100 B", 100), ("1 KB", 1000)] {
        for (form, with_schema) in [("schema", true), ("schemaless", false)] {
            let value = read(bytes, with_schema);
            let mut group = c.benchmark_group(format!("transforms, {size}, {form}"));
            let amount = Amount {
                records: RECORDS,
                bytes: RECORDS * bytes,
            };
            set(&mut group, amount);
            for (class, config) in CASES {
                if *class == "SetSchemaMetadata$Value" && !with_schema {
                    continue;
                }
                let full = format!("org.apache.kafka.connect.transforms.{class}");
                let mut plugins = TRANSFORMS.iter();
                let plugin = plugins.find(|plugin| plugin.class == full).unwrap();
                let mut transformation = (plugin.new)(&input::config(config)).unwrap();
                let input = records(&value);
                let before = allocations::of_this_thread();
                let done = apply_all(&mut *transformation, input);
                let count = allocations::of_this_thread() - before;
                println!(
                    "{class}: {:.2} heap allocations per record",
                    count as f64 / RECORDS as f64
                );
                drop(done);
                group.bench_function(*class, |b| {
                    b.iter_batched(
                        || records(&value),
                        |records| black_box(apply_all(&mut *transformation, records)),
                        BatchSize::LargeInput,
                    );
                });
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = transforms
}
criterion_main!(benches);
