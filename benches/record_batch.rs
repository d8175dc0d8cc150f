//! Record batches of 93-byte records: writing, checking and reading them, with each codec.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;

use common::cpu_time::CpuTime;
use common::input::{BATCH, LINE_BYTES, Lines};
use common::{Amount, input, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::record::{Batches, Compression, CompressionConfig, DecodeOptions, decode};

fn amount(lines: &Lines) -> Amount {
    Amount {
        records: BATCH,
        bytes: lines.payload(),
    }
}

fn encode_records(c: &mut Criterion<CpuTime>) {
    let lines = input::lines(BATCH, LINE_BYTES);
    let mut group = c.benchmark_group("record_batch_encode");
    for codec in Compression::ALL {
        let mut buffer = Vec::new();
        stage(&mut group, codec.name(), amount(&lines), || {
            let used = std::mem::take(&mut buffer);
            buffer = black_box(input::batch(&lines, codec.into(), used));
        });
    }
    group.finish();
}

fn decode_records(c: &mut Criterion<CpuTime>) {
    let lines = input::lines(BATCH, LINE_BYTES);
    let mut group = c.benchmark_group("record_batch_decode");
    for codec in Compression::ALL {
        let bytes = input::batch(&lines, codec.into(), Vec::new());
        let (mut decompressed, mut records) = (Vec::new(), Vec::new());
        stage(&mut group, codec.name(), amount(&lines), || {
            decompressed.clear();
            records.clear();
            for batch in Batches::new(black_box(&bytes)).check_crc(false) {
                let options = DecodeOptions::default();
                decode(&batch.unwrap(), &options, &mut decompressed, &mut records).unwrap();
            }
            assert_eq!(records.len(), BATCH);
        });
    }
    group.finish();
}

/// The checksum alone: a batch is looked at and not decoded.
fn check(c: &mut Criterion<CpuTime>) {
    let lines = input::lines(BATCH, LINE_BYTES);
    let bytes = input::batch(&lines, CompressionConfig::NONE, Vec::new());
    let mut group = c.benchmark_group("record_batch_crc");
    stage(&mut group, "check", amount(&lines), || {
        let batches = Batches::new(black_box(&bytes)).check_crc(true);
        assert_eq!(batches.filter(Result::is_ok).count(), 1);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = encode_records, decode_records, check
}
criterion_main!(benches);
