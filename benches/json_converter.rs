//! JsonConverter: the text roads and the struct road beside them, with schemas and without.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;

use common::cpu_time::CpuTime;
use common::input::OBJECT;
use common::{Amount, input, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::api::{Converter, Schema, SchemaType, Value};
use ringmain::converters::JsonConverter;

/// Records of one call.
const RECORDS: usize = 1000;

fn converter(schemas_enable: &str) -> JsonConverter {
    let config = input::config(&[("schemas.enable", schemas_enable)]);
    JsonConverter::new(&config, false).unwrap()
}

fn written(schemas_enable: &str, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut json = converter(schemas_enable);
    json.write_text("t", text.as_bytes(), false, &mut out)
        .unwrap();
    out
}

fn amount(record: &[u8]) -> Amount {
    Amount {
        records: RECORDS,
        bytes: RECORDS * record.len(),
    }
}

fn write_text(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("json_write_text");
    let plain = OBJECT.replace('"', "'");
    for (name, enable, line) in [
        ("schemas off, 16 quotes", "false", OBJECT),
        ("schemas on, 16 quotes", "true", OBJECT),
        ("schemas off, no quotes", "false", &plain),
    ] {
        let mut json = converter(enable);
        let mut out = Vec::new();
        stage(&mut group, name, amount(line.as_bytes()), || {
            out.clear();
            for _ in 0..RECORDS {
                let line = black_box(line.as_bytes());
                json.write_text("t", line, false, &mut out).unwrap();
            }
        });
    }
    group.finish();
}

fn read_text(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("json_read_text");
    let plain = OBJECT.replace('"', "'");
    for (name, enable, record) in [
        ("object", "false", OBJECT.as_bytes().to_vec()),
        ("string, 16 escapes", "false", written("false", OBJECT)),
        ("string, no escapes", "false", written("false", &plain)),
        ("envelope, 16 escapes", "true", written("true", OBJECT)),
        ("envelope, no escapes", "true", written("true", &plain)),
    ] {
        let mut json = converter(enable);
        let mut out = Vec::new();
        stage(&mut group, name, amount(&record), || {
            out.clear();
            for _ in 0..RECORDS {
                json.read_text("t", black_box(&record), &mut out).unwrap();
            }
        });
    }
    group.finish();
}

fn struct_road(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("json_struct");
    let (mut off, mut on) = (converter("false"), converter("true"));
    let object = OBJECT.as_bytes();
    let map = off.read("t", Some(object)).unwrap().value;
    let schema = Schema::required(SchemaType::String);
    let text = Value::String(OBJECT.to_owned());
    let enveloped = written("true", OBJECT);
    let mut out = Vec::new();
    stage(&mut group, "read object", amount(object), || {
        for _ in 0..RECORDS {
            black_box(off.read("t", Some(black_box(object))).unwrap());
        }
    });
    stage(&mut group, "write object", amount(object), || {
        out.clear();
        for _ in 0..RECORDS {
            off.write("t", None, black_box(&map), &mut out).unwrap();
        }
    });
    stage(&mut group, "read envelope", amount(&enveloped), || {
        for _ in 0..RECORDS {
            black_box(on.read("t", Some(black_box(&enveloped))).unwrap());
        }
    });
    stage(&mut group, "write envelope", amount(&enveloped), || {
        out.clear();
        for _ in 0..RECORDS {
            on.write("t", Some(&schema), black_box(&text), &mut out)
                .unwrap();
        }
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = write_text, read_text, struct_road
}
criterion_main!(benches);
