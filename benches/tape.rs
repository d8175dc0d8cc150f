//! Transforms of a sink that wants text, on the tape road and on the struct road beside it: fetched
//! records in, text out, JSON without schemas.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;

use common::cpu_time::CpuTime;
use common::input::{OBJECT, TIMESTAMP, config};
use common::{Amount, stage};
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use ringmain::api::{ConfigMap, SinkForm, TopicPartition};
use ringmain::clients::FetchedRecords;
use ringmain::converters::{JsonConverter, SimpleHeaderConverter, StringConverter};
use ringmain::metrics::TaskMetrics;
use ringmain::record::{
    BatchBuilder, Batches, CompressionConfig, DecodeOptions, ProducerFields, RecordHeader, decode,
};
use ringmain::task::conversion::{Converters, SinkConversion};
use ringmain::task::errors::{ErrorHandler, ErrorPolicy};
use ringmain::task::tape::compile::{Entry, Plugin, compile};
use ringmain::task::transformation_chain::{Condition, TransformationChain, TransformationStep};
use ringmain::transforms::{PREDICATES, TRANSFORMS};

/// What the scenarios of `perf/` do to the objects that they are of, see [`varied`].
const OF_SCENARIO: &[Step] = &[
    (
        "InsertField$Value",
        &[("static.field", "origin"), ("static.value", "perf")],
    ),
    (
        "ReplaceField$Value",
        &[("exclude", "active"), ("renames", "name:user")],
    ),
    ("Cast$Value", &[("spec", "id:string,amount:int32")]),
];

/// Records of a batch.
const RECORDS: usize = 1000;

/// A transformation's class without package, and its configuration.
type Step = (&'static str, &'static [(&'static str, &'static str)]);

const INSERT: Step = (
    "InsertField$Value",
    &[
        ("static.field", "origin"),
        ("static.value", "bench"),
        ("offset.field", "offset"),
    ],
);
const REPLACE: Step = (
    "ReplaceField$Value",
    &[("exclude", "level"), ("renames", "msg:message")],
);
const CAST: Step = ("Cast$Value", &[("spec", "user_id:string,ts:int64")]);
const MASK: Step = ("MaskField$Value", &[("fields", "host")]);
const HOIST: Step = ("HoistField$Value", &[("field", "line")]);

/// Name and steps of what is measured.
const CHAINS: &[(&str, &[Step])] = &[
    ("Cast", &[CAST]),
    ("DropHeaders", &[("DropHeaders", &[("headers", "drop")])]),
    (
        "ExtractField",
        &[("ExtractField$Value", &[("field", "msg")])],
    ),
    ("Flatten", &[("Flatten$Value", &[])]),
    (
        "HeaderFrom",
        &[(
            "HeaderFrom$Value",
            &[
                ("fields", "host"),
                ("headers", "host"),
                ("operation", "move"),
            ],
        )],
    ),
    ("HoistField", &[HOIST]),
    ("InsertField", &[INSERT]),
    (
        "InsertHeader",
        &[("InsertHeader", &[("header", "h"), ("value.literal", "1")])],
    ),
    ("MaskField", &[MASK]),
    (
        "RegexRouter",
        &[("RegexRouter", &[("regex", "(.*)"), ("replacement", "x-$1")])],
    ),
    ("ReplaceField", &[REPLACE]),
    (
        "TimestampConverter",
        &[(
            "TimestampConverter$Value",
            &[
                ("field", "ts"),
                ("target.type", "string"),
                ("format", "yyyy-MM-dd"),
            ],
        )],
    ),
    ("TimestampRouter", &[("TimestampRouter", &[])]),
    ("ValueToKey", &[("ValueToKey", &[("fields", "user_id")])]),
    ("InsertField, ReplaceField, Cast", &[INSERT, REPLACE, CAST]),
    ("five", &[INSERT, REPLACE, CAST, MASK, HOIST]),
];

fn class(name: &str) -> String {
    format!("org.apache.kafka.connect.transforms.{name}")
}

/// Class and configuration of a predicate.
type Owned = (String, ConfigMap);

fn chain(steps: &[Step], predicate: Option<&Owned>, by_tape: bool) -> TransformationChain {
    let owned: Vec<Owned> = steps
        .iter()
        .map(|(name, pairs)| (class(name), config(pairs)))
        .collect();
    let condition = predicate.map(|(class, config)| (Plugin { class, config }, false));
    let entries: Vec<_> = owned
        .iter()
        .map(|(class, config)| Entry {
            transformation: Plugin { class, config },
            condition,
        })
        .collect();
    let step = |(class, config): &Owned| {
        let known = TRANSFORMS.iter().find(|known| known.class == *class);
        TransformationStep {
            alias: class.clone(),
            transformation: (known.unwrap().new)(config).unwrap(),
            condition: predicate.map(|(class, config)| {
                let known = PREDICATES.iter().find(|known| known.class == *class);
                Condition {
                    predicate: (known.unwrap().new)(config).unwrap(),
                    negate: false,
                }
            }),
        }
    };
    let chain = TransformationChain::new(owned.iter().map(step).collect());
    match by_tape {
        true => {
            let tape = compile(&entries);
            assert!(tape.is_some(), "{owned:?} has no tape");
            chain.with_tape(tape)
        }
        false => chain,
    }
}

/// An object of the scenarios of `perf/`: 93 bytes, each value another one.
fn varied(index: usize) -> String {
    let user = 100_000 + index * 7919 % 899_999;
    let cents = 10 * (index % 9) + 1 + index % 8;
    let filler = &"alder birch cedar elm hickory"[index % 16..][..13];
    format!(
        "{{\"id\":{},\"name\":\"user-{user}\",\"amount\":{}.{cents:02},\"active\":true,\"note\":\"{filler}\"}}",
        1_000_000_000 + index,
        10_000 + index % 89_999,
    )
}

/// The object again and again; nine of ten records have a header `drop`.
fn fetched(object: &str) -> FetchedRecords {
    fetched_of(|_| object.to_owned())
}

/// The same of objects by their number.
fn fetched_of(object: impl Fn(usize) -> String) -> FetchedRecords {
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
    let header = RecordHeader {
        key: b"drop",
        value: Some(b"by header"),
    };
    for index in 0..RECORDS {
        let headers = if index % 10 == 0 { &[][..] } else { &[header] };
        let object = object(index);
        builder.append(TIMESTAMP, None, Some(object.as_bytes()), headers);
    }
    builder.finish(&ProducerFields::NONE, 0).unwrap();
    let bytes = builder.into_bytes();
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

/// An object of 1,000 bytes with 22 members, one of them an object.
fn kilobyte() -> String {
    let mut object = OBJECT.trim_end_matches('}').to_owned();
    for index in 0..16 {
        object.push_str(&format!(",\"member_{index}\":\"{:x<32}\"", index * 7919));
    }
    object.push_str(",\"nested\":{\"a\":1.5,\"b\":[true,null],\"c\":\"");
    let missing = 1000 - object.len() - 3;
    object.extend(std::iter::repeat_n('y', missing));
    object.push_str("\"}}");
    object
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

fn conversion(chain: TransformationChain) -> SinkConversion {
    with_form(chain, SinkForm::Text)
}

fn with_form(chain: TransformationChain, form: SinkForm) -> SinkConversion {
    let none = ConfigMap::new();
    let json = config(&[("schemas.enable", "false")]);
    let converters = Converters {
        key: Box::new(StringConverter::new(&none, true).unwrap()),
        value: Box::new(JsonConverter::new(&json, false).unwrap()),
        header: Box::new(SimpleHeaderConverter::new(&none).unwrap()),
    };
    SinkConversion::new(converters, chain, form)
}

/// The two scenarios of `perf/` that the tape is for, and the same objects without any transform.
fn scenarios(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("scenarios");
    let fetched = fetched_of(varied);
    let amount = Amount {
        records: RECORDS,
        bytes: RECORDS * varied(0).len(),
    };
    let predicate = by_header();
    let filter: &[Step] = &[("Filter", &[])];
    let chains = [
        ("no transform", &[][..], None),
        ("filter by header", filter, Some(&predicate)),
        ("three transforms", OF_SCENARIO, None),
    ];
    for (name, steps, predicate) in chains {
        let mut conversion = conversion(chain(steps, predicate, !steps.is_empty()));
        let mut errors = ErrorHandler::new("bench-0".to_owned(), ErrorPolicy::default());
        let metrics = TaskMetrics::new();
        stage(&mut group, name, amount, || {
            let done = conversion.convert(black_box(again(&fetched)), &mut errors, &metrics);
            black_box(done.now_or_never().unwrap().unwrap());
        });
    }
    group.finish();
}

fn by_header() -> Owned {
    (
        class("predicates.HasHeaderKey"),
        config(&[("name", "drop")]),
    )
}

fn measure(c: &mut Criterion<CpuTime>, by_tape: bool) {
    let road = if by_tape { "tape" } else { "struct" };
    let large = kilobyte();
    let predicate = by_header();
    let filter: &[Step] = &[("Filter", &[])];
    let filters = ("Filter by header", filter, Some(&predicate));
    let all = CHAINS.iter().map(|(name, steps)| (*name, *steps, None));
    let all: Vec<_> = all.chain([filters]).collect();
    for (size, object) in [("100 B", OBJECT), ("1 KB", large.as_str())] {
        let mut group = c.benchmark_group(format!("{road}, {size}"));
        let fetched = fetched(object);
        for (name, steps, predicate) in &all {
            let mut conversion = conversion(chain(steps, *predicate, by_tape));
            let mut errors = ErrorHandler::new("bench-0".to_owned(), ErrorPolicy::default());
            let metrics = TaskMetrics::new();
            let amount = Amount {
                records: RECORDS,
                bytes: RECORDS * object.len(),
            };
            stage(&mut group, name, amount, || {
                let fetched = again(&fetched);
                let done = conversion.convert(black_box(fetched), &mut errors, &metrics);
                black_box(done.now_or_never().unwrap().unwrap());
            });
        }
        group.finish();
    }
}

/// What the tape road parses with, beside simd-json with buffers that are used again. Ours has validated
/// and decided as Jackson does, and it keeps the input; simd-json needs a copy, which it unescapes in place.
fn parsers(c: &mut Criterion<CpuTime>) {
    let large = kilobyte();
    for (size, object) in [("100 B", OBJECT), ("1 KB", large.as_str())] {
        let mut group = c.benchmark_group(format!("parse, {size}"));
        let amount = Amount {
            records: RECORDS,
            bytes: RECORDS * object.len(),
        };
        let drop: &[Step] = &[("DropHeaders", &[("headers", "drop")])];
        let mut conversion = with_form(chain(drop, None, true), SinkForm::Nothing);
        let mut errors = ErrorHandler::new("bench-0".to_owned(), ErrorPolicy::default());
        let (metrics, fetched) = (TaskMetrics::new(), fetched(object));
        stage(&mut group, "own nodes, and a chain beside", amount, || {
            let done = conversion.convert(black_box(again(&fetched)), &mut errors, &metrics);
            black_box(done.now_or_never().unwrap().unwrap());
        });
        let mut buffers = simd_json::Buffers::new(object.len());
        let mut tape = simd_json::Tape::null();
        let mut copy = Vec::new();
        stage(&mut group, "simd-json", amount, || {
            for _ in 0..RECORDS {
                copy.clear();
                copy.extend_from_slice(black_box(object.as_bytes()));
                let mut filled = std::mem::replace(&mut tape, simd_json::Tape::null()).reset();
                simd_json::fill_tape(&mut copy, &mut buffers, &mut filled).unwrap();
                black_box(&filled);
                tape = filled.reset();
            }
        });
        group.finish();
    }
}

fn by_tape(c: &mut Criterion<CpuTime>) {
    measure(c, true);
}

fn by_struct(c: &mut Criterion<CpuTime>) {
    measure(c, false);
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = scenarios, parsers, by_tape, by_struct
}
criterion_main!(benches);
