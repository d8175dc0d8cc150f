//! Cutting a block of a file into lines.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

mod common;

use std::hint::black_box;

use common::cpu_time::CpuTime;
use common::{Amount, input, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::connectors::file_stream::{Lines, complete_end, split};

/// As much as the source reads at once.
const BLOCK: usize = 256 << 10;

fn split_blocks(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("line_split");
    for (name, line_bytes, end) in [
        ("newline", input::LINE_BYTES, "\n"),
        ("carriage return and newline", input::LINE_BYTES, "\r\n"),
        ("newline, 48-byte lines", 48, "\n"),
    ] {
        let count = BLOCK / (line_bytes + end.len());
        let lines = input::lines(count, line_bytes);
        let block = lines
            .iter()
            .flat_map(|line| [line, end.as_bytes()].concat())
            .collect::<Vec<u8>>();
        let mut found = Lines::with_capacity(count);
        let amount = Amount {
            records: count,
            bytes: block.len(),
        };
        stage(&mut group, name, amount, || {
            found.spans.clear();
            found.ends.clear();
            let end = complete_end(black_box(&block), 0);
            split(&block, 0, end, usize::MAX, &mut found);
            assert_eq!(found.spans.len(), count);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = split_blocks
}
criterion_main!(benches);
