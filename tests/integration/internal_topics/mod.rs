//! Random histories of the internal topics through our state machines and through Apache's own stores: what
//! Apache's `KafkaConfigBackingStore`, `KafkaStatusBackingStore`, `KafkaOffsetBackingStore` and
//! `ConnectorOffsetBackingStore` make of them, events, writes and their bytes included, is what ours must.
//!
//! `tests/oracle/InternalTopicsOracle.java` drives Apache's stores without a broker; a line of JSON per
//! history goes to it and one comes back. Histories are random and always the same ones, from a seed.

mod config;
mod generate;
mod offsets;
mod status;
mod topics;

use serde_json::Value as Json;

use super::common::kafka;
use super::differential::{around_difference, java};
use generate::Random;

/// One question to both.
#[derive(Debug)]
struct Case {
    /// What Apache's classes are asked.
    question: Json,
    /// What ours say: as many as the question has steps, or one.
    ours: Json,
}

/// The steps of a history, with our answers.
#[derive(Debug, Default)]
struct History {
    steps: Vec<Json>,
    ours: Vec<Json>,
}

impl History {
    fn add(&mut self, step: Json, ours: Json) {
        self.steps.push(step);
        self.ours.push(ours);
    }
}

const CONFIG_HISTORIES: usize = 1500;
const STATUS_HISTORIES: usize = 1200;
const OFFSET_HISTORIES: usize = 1000;

#[test]
fn config_topics_are_replayed_and_written_as_apache_s() {
    let mut random = Random::new(4_310);
    let cases = (0..CONFIG_HISTORIES).map(|_| config::case(&mut random));
    compare(cases.collect());
}

#[test]
fn status_topics_are_replayed_and_written_as_apache_s() {
    let mut random = Random::new(4_311);
    let cases = (0..STATUS_HISTORIES).map(|_| status::case(&mut random));
    compare(cases.collect());
}

#[test]
fn offset_topics_are_replayed_and_written_as_apache_s() {
    let mut random = Random::new(4_312);
    let cases = (0..OFFSET_HISTORIES).map(|_| offsets::case(&mut random));
    compare(cases.collect());
}

#[test]
fn internal_topics_are_created_and_checked_as_apache_s() {
    compare(topics::cases());
}

fn compare(cases: Vec<Case>) {
    let Some(kafka) = kafka() else { return };
    let questions: Vec<Json> = cases.iter().map(|case| case.question.clone()).collect();
    let answers = java::ask(kafka, "InternalTopicsOracle.java", &questions);
    assert_eq!(answers.len(), cases.len(), "an answer per question");
    let different = |(case, apache): (&Case, &Json)| difference(case, apache);
    let differing: Vec<String> = cases.iter().zip(&answers).filter_map(different).collect();
    let shown: String = differing.iter().take(10).map(String::as_str).collect();
    let (wrong, all) = (differing.len(), cases.len());
    assert!(differing.is_empty(), "{wrong} of {all} differ:\n{shown}");
    let steps = |case: &Case| case.question["steps"].as_array().map_or(1, Vec::len);
    let steps: usize = cases.iter().map(steps).sum();
    eprintln!("{steps} steps in {all} questions");
}

/// The first step whose answers differ, and the history up to it.
fn difference(case: &Case, apache: &Json) -> Option<String> {
    if *apache == case.ours {
        return None;
    }
    let steps = case.question["steps"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let pairs = steps.iter().enumerate();
    let mut pairs = pairs.filter(|(at, _)| apache[at] != case.ours[at]);
    let Some((at, _)) = pairs.next() else {
        let question = &case.question;
        return Some(format!(
            "apache {apache}\n  ours {}\n  asked {question}\n",
            case.ours
        ));
    };
    let (theirs, ours) = (apache[at].to_string(), case.ours[at].to_string());
    let (theirs, ours) = around_difference(&theirs, &ours);
    let history: String = steps[..=at]
        .iter()
        .map(|step| format!("    {step}\n"))
        .collect();
    Some(format!(
        "step {at}: apache {theirs}\n  ours {ours}\n{history}"
    ))
}
