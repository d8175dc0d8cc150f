//! Records that are dropped unseen, beside the struct road, which sees them.

use proptest::prelude::*;

use super::tests::{Input, ODD, StepSpec, Values, both, both_of, fetch, runs, spec};
use crate::fuzz::{Blob, cases};

fn filter(class: &str, config: &[(&'static str, &str)], negate: bool) -> StepSpec {
    StepSpec {
        transformation: spec("Filter", &[]),
        condition: Some((spec(class, config), negate)),
    }
}

/// Drops what has the header `drop`.
fn by_header(negate: bool) -> StepSpec {
    filter("predicates.HasHeaderKey", &[("name", "drop")], negate)
}

/// Drops all.
fn by_topic() -> StepSpec {
    filter(
        "predicates.TopicNameMatches",
        &[("pattern", "topic-.*")],
        false,
    )
}

#[test]
fn a_record_that_is_dropped_unseen_has_to_be_json_all_the_same() {
    let damaged = [
        "{\"a\":1",
        "{\"a\":01}",
        "[1,]",
        "\"\\x\"",
        "1e5",
        "{\"a\":\"\\u00e4\"}",
    ];
    let sound = ["{\"a\":1,\"b\":[true,\"x\"]}", "null", "7"];
    let values = ODD.iter().chain(&damaged).chain(&sound);
    let input = |header| {
        move |value: &&str| Input {
            value: Some(Blob(value.as_bytes().to_vec())),
            headers: vec![header],
            timestamp: 1000,
        }
    };
    let mut inputs: Vec<Input> = values.clone().map(input(("drop", "x"))).collect();
    inputs.extend(values.map(input(("h", "1"))));
    inputs.extend([Input {
        value: None,
        ..input(("drop", "x"))(&"")
    }]);
    for chain in [by_header(false), by_header(true), by_topic()] {
        let (by_tape, by_struct) = both(Values::Json, &[chain], &inputs);
        assert!(by_struct.skipped > 0 && by_struct.filtered > 0);
        assert_eq!(by_tape, by_struct);
    }
}

#[test]
fn a_record_that_is_dropped_unseen_has_to_have_sound_headers_all_the_same() {
    let input = |headers: &[(&'static str, &'static str)]| Input {
        value: Some(Blob(b"{\"a\":1}".to_vec())),
        headers: headers.to_vec(),
        timestamp: 1000,
    };
    let (drop, other) = (("drop", "x"), ("h", "1"));
    let inputs = [
        input(&[drop]),
        input(&[drop, other]),
        input(&[other, drop]),
        input(&[other]),
        input(&[other, other]),
    ];
    let cut = |header_bytes: u32, headers: u32| {
        let inputs = &inputs;
        move || {
            let mut fetched = fetch(inputs);
            for record in &mut fetched.records {
                record.headers.len -= header_bytes;
                record.header_count = (record.header_count + 2 - headers).max(1);
            }
            fetched
        }
    };
    for chain in [[by_header(false)], [by_header(true)], [by_topic()]] {
        let (by_tape, by_struct) = both_of(Values::Json, &chain, cut(0, 2));
        assert_eq!(by_tape, by_struct);
        assert!(by_struct.skipped == 0 && by_struct.filtered > 0);
        for damage in [cut(1, 2), cut(0, 1), cut(0, 3)] {
            let (by_tape, by_struct) = both_of(Values::Json, &chain, damage);
            assert_eq!(by_tape, by_struct);
            assert!(by_struct.skipped >= 3, "{by_struct:?}");
        }
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn records_of_known_shapes_are_dropped_as_the_struct_road_drops_them(
        negate: bool,
        inputs in runs(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 24),
    ) {
        let damaged = |(mut input, (at, byte, kind)): (Input, (prop::sample::Index, u8, u8))| {
            if let Some(Blob(bytes)) = input.value.as_mut().filter(|value| kind == 0 && !value.0.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            input
        };
        let inputs: Vec<_> = inputs.into_iter().zip(damage).map(damaged).collect();
        let (by_tape, by_struct) = both(Values::Json, &[by_header(negate)], &inputs);
        prop_assert_eq!(by_tape, by_struct);
    }
}
