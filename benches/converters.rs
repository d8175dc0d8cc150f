//! The struct road of every converter but JsonConverter: one value, written and read. String and
//! ByteArray have another road, on which nothing is done at all (`conversion.rs`).

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;

use common::cpu_time::CpuTime;
use common::input::OBJECT;
use common::{Amount, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::api::{ConfigMap, Converter, Schema, SchemaType, Value};
use ringmain::converters::ALL;

/// Records of one call.
const RECORDS: usize = 1000;

/// A value that the converter of this simple name takes; `None` for one that is measured elsewhere.
fn value_for(name: &str) -> Option<(SchemaType, Value)> {
    Some(match name {
        "BooleanConverter" => (SchemaType::Boolean, Value::Boolean(true)),
        "ByteArrayConverter" => (SchemaType::Bytes, Value::Bytes(OBJECT.into())),
        "DoubleConverter" => (SchemaType::Float64, Value::Float64(1.5)),
        "FloatConverter" => (SchemaType::Float32, Value::Float32(1.5)),
        "IntegerConverter" => (SchemaType::Int32, Value::Int32(123_456)),
        "LongConverter" => (SchemaType::Int64, Value::Int64(123_456)),
        "ShortConverter" => (SchemaType::Int16, Value::Int16(12_345)),
        "StringConverter" => (SchemaType::String, Value::String(OBJECT.to_owned())),
        _ => return None,
    })
}

/// Each converter with its simple name and a value for it.
fn converters() -> impl Iterator<Item = (&'static str, Box<dyn Converter>, SchemaType, Value)> {
    ALL.iter().filter_map(|plugin| {
        let (_, name) = plugin.class.rsplit_once('.')?;
        let (kind, value) = value_for(name)?;
        let converter = (plugin.converter?)(&ConfigMap::new(), false).unwrap();
        Some((name, converter, kind, value))
    })
}

fn write(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("converter_write");
    for (name, mut converter, kind, value) in converters() {
        let schema = Schema::required(kind);
        let mut out = Vec::new();
        let mut write =
            |out: &mut Vec<u8>| converter.write("t", Some(&schema), black_box(&value), out);
        write(&mut out).unwrap();
        let amount = Amount {
            records: RECORDS,
            bytes: RECORDS * out.len(),
        };
        stage(&mut group, name, amount, || {
            out.clear();
            for _ in 0..RECORDS {
                write(&mut out).unwrap();
            }
        });
    }
    group.finish();
}

fn read(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("converter_read");
    for (name, mut converter, kind, value) in converters() {
        let mut bytes = Vec::new();
        let schema = Schema::required(kind);
        converter
            .write("t", Some(&schema), &value, &mut bytes)
            .unwrap();
        let amount = Amount {
            records: RECORDS,
            bytes: RECORDS * bytes.len(),
        };
        stage(&mut group, name, amount, || {
            for _ in 0..RECORDS {
                black_box(converter.read("t", Some(black_box(&bytes))).unwrap());
            }
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = write, read
}
criterion_main!(benches);
