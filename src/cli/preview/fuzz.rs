//! Damaged lines of input.

use proptest::prelude::*;

use super::input;
use crate::fuzz::{bounded, mutated, samples, search};

const LINES: &[&str] = &[
    r#"{"topic":"t","partition":2,"offset":7,"timestamp":1700000000000,"timestampType":"CreateTime","key":"MQ==","value":"eyJhIjoxfQ==","headers":[["h","YWJj"],["i",null]]}"#,
    r#"{"topic":"t","value":null,"more":[{"a":1e400}]}"#,
];

#[test]
fn a_damaged_line_is_a_record_or_refused_by_name() {
    search(
        1000,
        || mutated(samples(LINES)),
        |bytes| {
            match bounded(bytes.len(), || input::parse(&bytes, 1))? {
                Ok(fetched) => prop_assert_eq!(fetched.records.len(), 1),
                Err(reason) => prop_assert!(!reason.is_empty()),
            }
            Ok(())
        },
    );
}
