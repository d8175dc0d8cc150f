//! Record batches: writing and reading 93-byte records, with each codec.
//!
//! Throughput is per record: criterion's "elements".

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringmain::record::{
    BatchBuilder, Batches, Compression, CompressionConfig, DecodeOptions, ProducerFields, decode,
};

/// As many as a batch of 1 MiB holds.
const RECORDS: usize = 10_000;
const VALUE_BYTES: usize = 93;
const TIMESTAMP: i64 = 1_700_000_000_000;

/// Log-like lines of one length.
fn values() -> Vec<Vec<u8>> {
    (0..RECORDS)
        .map(|index| {
            let line = format!(
                "{{\"id\":{index},\"user\":\"user-{}\",\"amount\":{},\"city\":\"Berlin\",\"note\":\"",
                index * 7919 % 1000,
                index * 104_729 % 100_000,
            );
            let mut line = line.into_bytes();
            line.resize(VALUE_BYTES - 2, b'x');
            line.extend_from_slice(b"\"}");
            line
        })
        .collect()
}

fn batch(values: &[Vec<u8>], config: CompressionConfig, buffer: Vec<u8>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(buffer, config);
    for value in values {
        builder.append(TIMESTAMP, None, Some(value), &[]);
    }
    builder.finish(&ProducerFields::NONE, 0).unwrap();
    builder.into_bytes()
}

fn encode_records(c: &mut Criterion) {
    let values = values();
    let mut group = c.benchmark_group("record_batch_encode");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for codec in Compression::ALL {
        let mut buffer = Vec::new();
        group.bench_function(BenchmarkId::from_parameter(codec), |b| {
            b.iter(|| {
                let bytes = batch(&values, codec.into(), std::mem::take(&mut buffer));
                buffer = black_box(bytes);
            });
        });
    }
    group.finish();
}

fn decode_records(c: &mut Criterion) {
    let values = values();
    let mut group = c.benchmark_group("record_batch_decode");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let mut cases: Vec<_> = Compression::ALL
        .into_iter()
        .map(|codec| (codec.to_string(), codec, true))
        .collect();
    cases.push(("none, CRC off".to_owned(), Compression::None, false));
    for (name, codec, check_crc) in cases {
        let bytes = batch(&values, codec.into(), Vec::new());
        let (mut decompressed, mut records) = (Vec::new(), Vec::new());
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                decompressed.clear();
                records.clear();
                for batch in Batches::new(&bytes).check_crc(check_crc) {
                    let options = DecodeOptions::default();
                    decode(&batch.unwrap(), &options, &mut decompressed, &mut records).unwrap();
                }
                black_box(&records);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode_records, decode_records);
criterion_main!(benches);
