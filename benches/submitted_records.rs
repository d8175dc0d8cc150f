//! Tracking which source offsets are safe to store: submitting batches, acknowledging them, taking the
//! offsets.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

mod common;

use std::hint::black_box;
use std::rc::Rc;

use common::cpu_time::CpuTime;
use common::{Amount, input, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::api::{SliceBatch, SliceForm, SourceMap};
use ringmain::task::submitted_records::SubmittedRecords;

/// As many lines as a block of 256 KiB holds.
const RECORDS: u32 = 2800;
/// Batches under way at once, as requests in flight.
const UNDER_WAY: usize = 5;
/// Nothing of a record but its place is looked at.
const AMOUNT: Amount = Amount {
    records: RECORDS as usize * UNDER_WAY,
    bytes: RECORDS as usize * UNDER_WAY * input::LINE_BYTES,
};

fn source_map(field: &str, value: i64) -> Rc<SourceMap> {
    let mut map = SourceMap::new();
    map.insert(field.to_owned(), value.into());
    Rc::new(map)
}

/// Submits batches, acknowledges them from the first to the last or the other way round, and takes the
/// offset that came out.
fn settle(
    submitted: &mut SubmittedRecords,
    mut submit: impl FnMut(&mut SubmittedRecords) -> u64,
    in_order: bool,
) {
    let mut numbers = [0; UNDER_WAY];
    numbers.fill_with(|| submit(submitted));
    if !in_order {
        numbers.reverse();
    }
    for number in numbers {
        let half = RECORDS / 2;
        let halves = if in_order { [0, half] } else { [half, 0] };
        for first in halves {
            submitted.acknowledge(black_box(number), first, half);
        }
    }
    assert_eq!(submitted.committable().len(), 1);
    assert_eq!(submitted.active(), 0);
}

fn track(c: &mut Criterion<CpuTime>) {
    let partition = source_map("filename", 1);
    let offset = source_map("position", 1);
    let lines = input::lines(RECORDS as usize, input::LINE_BYTES);
    let positions: Vec<u32> = lines
        .spans
        .iter()
        .map(|span| span.start + span.len)
        .collect();
    let mut slices = SliceBatch {
        topic: "t".into(),
        kafka_partition: None,
        timestamp: None,
        buffer: lines.buffer,
        values: lines.spans,
        keys: None,
        form: SliceForm::Text,
        value_schema: None,
        source_partition: Some(Rc::clone(&partition)),
        position_field: "position".into(),
        base_position: 0,
        positions: Vec::new(),
    };
    let mut group = c.benchmark_group("submitted_records");
    for (order, in_order) in [("in order", true), ("in reverse", false)] {
        let mut submitted = SubmittedRecords::new();
        let mut submit = |submitted: &mut SubmittedRecords| {
            slices.positions = positions.clone();
            let number = submitted.number();
            submitted.submit_slices(number, &mut slices);
            number
        };
        stage(&mut group, &format!("slices, {order}"), AMOUNT, || {
            settle(&mut submitted, &mut submit, in_order);
        });
        let mut submitted = SubmittedRecords::new();
        let submit = |submitted: &mut SubmittedRecords| {
            let record = (Some(&partition), Some(&offset));
            let number = submitted.number();
            submitted.submit_records(number, std::iter::repeat_n(record, RECORDS as usize));
            number
        };
        stage(&mut group, &format!("one by one, {order}"), AMOUNT, || {
            settle(&mut submitted, submit, in_order);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = track
}
criterion_main!(benches);
