//! What Apache's classes are asked, and values as JSON in the questions and answers.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use ringmain::distributed::protocol::{Assignment, WorkerState};
use ringmain::distributed::{ConnectorTaskId, ConnectorsAndTasks};
use serde_json::{Value as Json, json};

use crate::differential::java;

/// Later Javas size `new HashSet<>(collection)` otherwise, on which the order of what is written depends.
const LAST_JAVA_WITH_OUR_ORDER: i64 = 18;

/// One answer per question.
pub(crate) fn ask(kafka: &testbed::Kafka, questions: &[Json]) -> Vec<Json> {
    let answers = java::ask(kafka, "ConnectGroupOracle.java", questions);
    assert_eq!(answers.len(), questions.len(), "an answer per question");
    answers
}

/// The question whose answer [`has_our_order`] understands.
pub(crate) fn which_java() -> Json {
    json!({"do": "java"})
}

/// Whether bytes can be compared; otherwise what they mean can.
pub(crate) fn has_our_order(java: &Json) -> bool {
    java.as_i64().unwrap() <= LAST_JAVA_WITH_OUR_ORDER
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &Json) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap()).unwrap()
}

pub(crate) fn assignment_json(assignment: &Assignment) -> Json {
    json!({
        "version": assignment.version,
        "error": assignment.error,
        "leader": &*assignment.leader,
        "leaderUrl": &*assignment.leader_url,
        "offset": assignment.config_offset,
        "delay": assignment.delay_ms,
        "assigned": work_json(&assignment.assigned),
        "revoked": work_json(&assignment.revoked),
    })
}

pub(crate) fn state_json(state: &WorkerState) -> Json {
    json!({
        "url": &*state.url,
        "offset": state.config_offset,
        "assignment": state.assignment.as_ref().map(assignment_json),
    })
}

fn work_json(work: &ConnectorsAndTasks) -> Json {
    let connectors: Vec<&str> = work.connectors.iter().map(|name| &**name).collect();
    let task = |task: &ConnectorTaskId| json!([&*task.connector, task.task]);
    let tasks: Vec<Json> = work.tasks.iter().map(task).collect();
    json!([connectors, tasks])
}

/// Names of connectors and workers: such as people give, of equal hash ("Aa" and "BB"), and such as UTF-16
/// sorts otherwise than UTF-8.
pub(crate) fn name(rng: &mut Rng) -> Arc<str> {
    let number = rng.u32(0..60);
    match rng.u8(0..10) {
        0 => ["AaAa", "AaBB", "BBAa", "BBBB"][rng.usize(0..4)].into(),
        1 => format!("\u{1F600}{}", number % 8).into(),
        2 => format!("\u{FF21}{}", number % 8).into(),
        3 => format!("a longer name, with blanks and / {number}").into(),
        _ => format!("connector-{number}").into(),
    }
}
