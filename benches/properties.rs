//! Parsing `.properties`: the worker file that comes with Ringmain, and a long one full of escapes.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;

use common::cpu_time::CpuTime;
use common::{Amount, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::config::properties::parse;

const WORKER: &str = include_str!("../configs/connect-standalone.properties");

fn escaped() -> String {
    let entry = |index: usize| {
        format!("key\\ {index} \\\n  : first\\tsecond \\u00e9\\\n    and a line that goes on\n")
    };
    (0..1000).map(entry).collect()
}

fn properties(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("properties");
    for (name, text) in [("worker file", WORKER), ("1000 escaped", &escaped())] {
        let amount = Amount {
            records: parse(text.as_bytes()).unwrap().len(),
            bytes: text.len(),
        };
        stage(&mut group, name, amount, || {
            black_box(parse(black_box(text.as_bytes())).unwrap());
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = properties
}
criterion_main!(benches);
