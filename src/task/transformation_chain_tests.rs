use std::rc::Rc;

use super::*;
use crate::api::SchemaAndValue;

const SOURCE: RecordOrigin<'_> = RecordOrigin::Source {
    partition: None,
    offset: None,
};

/// Appends its letter to the topic; drops topics that are long enough.
struct Append {
    letter: char,
    longest: usize,
}

impl Transformation for Append {
    fn class_name(&self) -> &'static str {
        "org.x.Append"
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        record.topic = format!("{}{}", record.topic, self.letter).into();
        Ok((record.topic.len() <= self.longest).then_some(record))
    }
}

/// Matches topics that end with `a`; fails for those that end with `!`.
struct EndsWithA;

impl Predicate for EndsWithA {
    fn class_name(&self) -> &'static str {
        "org.x.EndsWithA"
    }

    fn test(
        &mut self,
        record: &ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<bool, ConnectError> {
        match record.topic.chars().last() {
            Some('!') => Err(ConnectError::data("undecided")),
            last => Ok(last == Some('a')),
        }
    }
}

fn record(topic: &str) -> ConnectRecord {
    ConnectRecord {
        topic: topic.into(),
        kafka_partition: None,
        key: SchemaAndValue::NULL,
        value: SchemaAndValue::NULL,
        timestamp: None,
        headers: Vec::new(),
    }
}

fn step(letter: char, longest: usize, negate: Option<bool>) -> TransformationStep {
    TransformationStep {
        alias: letter.to_string(),
        transformation: Box::new(Append { letter, longest }),
        condition: negate.map(|negate| Condition {
            predicate: Box::new(EndsWithA),
            negate,
        }),
    }
}

fn run(steps: Vec<TransformationStep>, topic: &str) -> Result<Option<Rc<str>>, String> {
    let done = TransformationChain::new(steps).apply(record(topic), SOURCE);
    done.map(|record| record.map(|record| record.topic))
        .map_err(|(class, error)| format!("{class}: {error}"))
}

#[test]
fn steps_run_in_order_and_each_where_its_predicate_differs_from_negate() {
    let steps = || {
        vec![
            step('a', 9, None),
            step('b', 9, Some(false)),
            step('c', 9, Some(true)),
            step('d', 9, Some(false)),
        ]
    };
    assert_eq!(run(steps(), "t"), Ok(Some("tabc".into())));
    let conditional = vec![step('b', 9, Some(false))];
    assert_eq!(run(conditional, "t"), Ok(Some("t".into())));
}

#[test]
fn a_dropped_record_meets_no_later_step() {
    let steps = vec![
        step('a', 1, None),
        step('!', 9, None),
        step('b', 9, Some(false)),
    ];
    assert_eq!(run(steps, "t"), Ok(None));
}

#[test]
fn a_predicate_that_fails_is_a_failure_of_its_transformation() {
    let failed = run(vec![step('b', 9, Some(true))], "t!");
    assert_eq!(failed, Err("org.x.Append: undecided".to_owned()));
}
