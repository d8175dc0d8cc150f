//! Damaged JSON on the tape road and on the struct road.

use proptest::prelude::*;

use super::tests::{Input, StepSpec, Values, both, chain_of, transformation};
use crate::fuzz::{Blob, Outcome, bounded, mutated, samples, search};

const SAMPLES: &[&str] = &[
    r#"{"a":1,"b":"text","c":null,"id":-7,"ts":1700000000123,"level":true,"user_id":{"a":[1,2.5],"x":{}}}"#,
    r#"{"a":{"b":{"c":"\u0041\\n"}},"Aa":1.5e3,"BB":"2024-01-02","host":"12"}"#,
    r#"{"q":[{"a":1},[true,false,null],"😀"],"id":9223372036854775807,"ключ":0.1}"#,
    r#"{}"#,
    r#"["a",{"a":""}]"#,
];

fn values() -> impl Strategy<Value = Vec<Blob>> {
    prop::collection::vec(mutated(samples(SAMPLES)), 1..4)
}

fn same_on_both_roads((chain, values): (Vec<StepSpec>, Vec<Blob>)) -> Outcome {
    let len: usize = values.iter().map(|value| value.0.len()).sum();
    let input = |value: Blob| Input {
        value: Some(value),
        headers: vec![("drop", "1")],
        timestamp: 1_700_000_000_123,
    };
    let inputs: Vec<Input> = values.into_iter().map(input).collect();
    // Each road is gone twice.
    let (by_tape, by_struct) = bounded(4 * len, || both(Values::Json, &chain, &inputs))?;
    prop_assert_eq!(by_tape, by_struct);
    Ok(())
}

#[test]
fn damaged_json_gives_the_same_on_both_roads() {
    search(
        300,
        || (chain_of(transformation()), values()).boxed(),
        same_on_both_roads,
    );
}
