//! JsonConverter, nanoseconds per record: the text roads and the struct road beside them.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringmain::api::{ConfigMap, Converter, Schema, SchemaType, Value};
use ringmain::converters::JsonConverter;

/// A line of 93 bytes, five members.
const LINE: &str = concat!(
    r#"{"ts":1700000000123,"level":"INFO","host":"web-0001","#,
    r#""msg":"request served","user_id":123456}"#
);

fn converter(schemas_enable: &str) -> JsonConverter {
    let mut config = ConfigMap::new();
    config.insert("schemas.enable".into(), Some(schemas_enable.into()));
    JsonConverter::new(&config, false).expect("a valid configuration")
}

fn written(schemas_enable: &str, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut json = converter(schemas_enable);
    json.write_text("t", text.as_bytes(), false, &mut out)
        .expect("any text can be written");
    out
}

fn write_text(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_text");
    group.throughput(Throughput::Elements(1));
    let plain = LINE.replace('"', "'");
    for (name, enable, line) in [
        ("schemas off, 16 quotes", "false", LINE),
        ("schemas on, 16 quotes", "true", LINE),
        ("schemas off, no quotes", "false", &plain),
    ] {
        let mut json = converter(enable);
        let mut out = Vec::with_capacity(1 << 20);
        group.bench_function(name, |b| {
            b.iter(|| {
                if out.len() > 900_000 {
                    out.clear();
                }
                json.write_text("t", black_box(line.as_bytes()), false, &mut out)
            });
        });
    }
    group.finish();
}

fn read_text(c: &mut Criterion) {
    let mut group = c.benchmark_group("read_text");
    group.throughput(Throughput::Elements(1));
    let plain = LINE.replace('"', "'");
    for (name, enable, record) in [
        ("object", "false", LINE.as_bytes().to_vec()),
        ("string, 16 escapes", "false", written("false", LINE)),
        ("string, no escapes", "false", written("false", &plain)),
        (
            "enveloped string, 16 escapes",
            "true",
            written("true", LINE),
        ),
        (
            "enveloped string, no escapes",
            "true",
            written("true", &plain),
        ),
    ] {
        let mut json = converter(enable);
        let mut out = Vec::with_capacity(1 << 20);
        group.bench_function(name, |b| {
            b.iter(|| {
                if out.len() > 900_000 {
                    out.clear();
                }
                json.read_text("t", black_box(&record), &mut out)
            });
        });
    }
    group.finish();
}

fn struct_road(c: &mut Criterion) {
    let mut group = c.benchmark_group("struct_road");
    group.throughput(Throughput::Elements(1));
    let mut json = converter("false");
    group.bench_function("read object", |b| {
        b.iter(|| json.read("t", Some(black_box(LINE.as_bytes()))));
    });
    let value = json
        .read("t", Some(LINE.as_bytes()))
        .expect("valid JSON")
        .value;
    let mut out = Vec::with_capacity(1024);
    group.bench_function("write object", |b| {
        b.iter(|| {
            out.clear();
            json.write("t", None, black_box(&value), &mut out)
        });
    });
    let mut json = converter("true");
    let schema = Schema::required(SchemaType::String);
    let text = Value::String(LINE.to_owned());
    group.bench_function("write enveloped string", |b| {
        b.iter(|| {
            out.clear();
            json.write("t", Some(&schema), black_box(&text), &mut out)
        });
    });
    let record = written("true", LINE);
    group.bench_function("read enveloped string", |b| {
        b.iter(|| json.read("t", Some(black_box(&record))));
    });
    group.finish();
}

criterion_group!(benches, write_text, read_text, struct_road);
criterion_main!(benches);
