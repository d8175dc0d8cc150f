//! Damaged conditions of `Filter`.

use proptest::prelude::*;

use super::json_path::JsonPath;
use crate::api::Value;
use crate::fuzz::{bounded, mutated_text, search};

const PATHS: &[&str] = &[
    "$.a.b[0]['c d'][*]",
    "$[?(@.a == 1 && (@.b != 'x' || !@.c))]",
    "$.items[?(@.price < 10.5 && @.name =~ /a.*b/i && @.k in ['x', 2, null])].x",
    "$[?(@.a nin [1] && @['b'][-1] >= \"y\\\"z\")]",
];

fn record() -> Value {
    let text = |text: &str| Value::String(text.to_owned());
    let inner = vec![(
        text("b"),
        Value::Array(vec![Value::Int64(1), Value::Null, text("x")]),
    )];
    let item = vec![
        (text("price"), Value::Float64(9.5)),
        (text("name"), text("ab")),
    ];
    Value::Map(vec![
        (text("a"), Value::Map(inner)),
        (
            text("items"),
            Value::Array(vec![Value::Map(item), Value::Int64(1)]),
        ),
    ])
}

#[test]
fn a_damaged_path_is_evaluated_or_refused_with_its_place() {
    search(
        1500,
        || mutated_text(PATHS),
        |text| {
            // A regular expression may be compiled, up to the limit that the parser gives it.
            match crate::fuzz::within((16 << 20) + 512 * text.len() as u64, || {
                JsonPath::parse(&text)
            })? {
                Ok(path) => {
                    bounded(text.len() + 1000, || path.evaluate(&record()))?;
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            Ok(())
        },
    );
}
