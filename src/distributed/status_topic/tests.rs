//! The rules of contract 4.4, one by one. The integration tests compare whole sequences with Apache's
//! own class.

use std::sync::Arc;

use super::*;
use crate::distributed::{ConnectorTaskId, TopicRecord};

fn status(state: State, worker: &str, generation: i32) -> Status {
    Status {
        state,
        trace: None,
        worker_id: worker.to_owned(),
        generation,
        version: None,
    }
}

fn connector(name: &str) -> StatusOf {
    StatusOf::Connector(Arc::from(name))
}

fn task(name: &str, task: i32) -> StatusOf {
    StatusOf::Task(ConnectorTaskId::new(name, task))
}

fn read_back(topic: &mut StatusTopic, record: &TopicRecord) -> Option<StatusProblem> {
    topic.apply(Some(&record.key), record.value.as_deref())
}

fn apply(topic: &mut StatusTopic, key: &str, value: &str) -> Option<StatusProblem> {
    let value = (value != "-").then_some(value.as_bytes());
    topic.apply(Some(key.as_bytes()), value)
}

/// As another worker would write it.
fn others(topic: &mut StatusTopic, of: &StatusOf, status: &Status) {
    assert_eq!(read_back(topic, &status.encode(of)), None);
}

fn value(record: &TopicRecord) -> &str {
    std::str::from_utf8(record.value.as_ref().unwrap()).unwrap()
}

#[test]
fn records_are_written_as_apache_s() {
    let mut written = status(State::Running, "host:8083", 5);
    let record = written.encode(&connector("c"));
    assert_eq!(record.key, b"status-connector-c");
    assert_eq!(
        value(&record),
        r#"{"state":"RUNNING","trace":null,"worker_id":"host:8083","generation":5,"version":null}"#
    );
    written.state = State::Failed;
    written.trace = Some("E: x\n\tat y\n".to_owned());
    written.version = Some("4.3.1".to_owned());
    let record = written.encode(&task("c-1", 3));
    assert_eq!(record.key, b"status-task-c-1-3");
    assert_eq!(
        value(&record),
        r#"{"state":"FAILED","trace":"E: x\n\tat y\n","worker_id":"host:8083","generation":5,"version":"4.3.1"}"#
    );
    written.state = State::Destroyed;
    assert_eq!(written.encode(&task("c", 3)).value, None);

    let topic = TopicStatus {
        topic: "t".to_owned(),
        connector: Arc::from("c"),
        task: 0,
        discover_timestamp: 1_700_000_000_000,
    };
    let record = topic.encode();
    assert_eq!(record.key, b"status-topic-t:connector-c");
    assert_eq!(
        value(&record),
        r#"{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":1700000000000}}"#
    );
    let removal = TopicStatus::removal("c", "t");
    assert_eq!((removal.key, removal.value), (record.key, None));
}

#[test]
fn a_status_counts_when_it_was_read_back() {
    let mut topic = StatusTopic::new();
    for of in [connector("c"), task("c", 0)] {
        let mut sent = status(State::Running, "w", 1);
        sent.version = Some("1".to_owned());
        let write = topic.put(&of, &sent);
        let id = ConnectorTaskId::new("c", 0);
        let known = |topic: &StatusTopic| match &of {
            StatusOf::Connector(_) => topic.connector("c").cloned(),
            StatusOf::Task(_) => topic.task(&id).cloned(),
        };
        assert_eq!(known(&topic), None);
        assert_eq!(read_back(&mut topic, &write.record), None);
        assert_eq!(known(&topic), Some(sent));
    }
    assert_eq!(topic.tasks("c").count(), 1);
    topic.put(&connector("sent"), &status(State::Running, "w", 1));
    let names: Vec<_> = topic.connectors().map(AsRef::as_ref).collect();
    assert_eq!(names, ["c", "sent"]);
}

#[test]
fn a_safe_write_leaves_a_later_status_of_another_worker_alone() {
    for of in [connector("c"), task("c", 0)] {
        let mut topic = StatusTopic::new();
        let mine = status(State::Unassigned, "mine", 4);
        assert!(topic.put_safe(&of, &mine).is_some(), "nothing known");
        others(&mut topic, &of, &status(State::Running, "other", 4));
        assert!(topic.put_safe(&of, &mine).is_some(), "same generation");
        others(&mut topic, &of, &status(State::Running, "other", 5));
        assert!(topic.put_safe(&of, &mine).is_none(), "later generation");
        let forced = topic.put(&of, &mine);
        assert_eq!(forced.record, mine.encode(&of), "not a safe one");
        others(&mut topic, &of, &status(State::Running, "mine", 6));
        assert!(topic.put_safe(&of, &mine).is_some(), "of this worker");
    }
}

#[test]
fn a_failed_write_is_sent_again_only_while_it_is_the_last_word() {
    let of = task("c", 0);
    let running = status(State::Running, "mine", 4);
    let failed = status(State::Failed, "mine", 4);

    let mut topic = StatusTopic::new();
    let first = topic.put(&of, &running);
    let safe = topic.put_safe(&of, &failed).unwrap();
    assert!(topic.may_retry(&first) && topic.may_retry(&safe));
    topic.put(&of, &running);
    assert!(
        topic.may_retry(&first),
        "an unsafe one whatever came after it"
    );
    assert!(!topic.may_retry(&safe), "a safe one while it is the last");

    let safe = topic.put_safe(&of, &failed).unwrap();
    others(&mut topic, &of, &status(State::Running, "other", 5));
    assert!(!topic.may_retry(&safe), "another worker has it");
    assert!(topic.may_retry(&first));

    topic.put(&connector("other"), &status(State::Running, "mine", 5));
    assert!(!topic.may_retry(&first), "the generation is over");

    let last = topic.put(&of, &status(State::Running, "mine", 5));
    assert!(topic.may_retry(&last));
    apply(&mut topic, "status-task-c-0", "-");
    assert!(!topic.may_retry(&last), "deleted");
    topic.put(&of, &status(State::Running, "mine", 5));
    assert!(
        !topic.may_retry(&last),
        "what comes after a deletion is something else"
    );
    // One that is held back is of its generation, too.
    let last = topic.put(&of, &status(State::Running, "mine", 5));
    others(&mut topic, &of, &status(State::Running, "other", 9));
    assert!(
        topic
            .put_safe(&of, &status(State::Failed, "mine", 6))
            .is_none()
    );
    assert!(!topic.may_retry(&last));
}

#[test]
fn a_late_unassigned_does_not_hide_a_running_task() {
    let (of, id) = (task("c", 0), ConnectorTaskId::new("c", 0));
    let mut topic = StatusTopic::new();
    others(&mut topic, &of, &status(State::Running, "b", 5));
    for generation in [4, 5] {
        let late = status(State::Unassigned, "a", generation).encode(&of);
        let problem = read_back(&mut topic, &late).unwrap();
        assert!(matches!(problem, StatusProblem::Stale { .. }), "{problem}");
        assert_eq!(problem.level(), tracing::Level::TRACE);
        assert_eq!(topic.task(&id).unwrap().worker_id, "b");
    }
    others(&mut topic, &of, &status(State::Unassigned, "a", 6));
    assert_eq!(topic.task(&id).unwrap().state, State::Unassigned);
    // Connectors have no such rule.
    let of = connector("c");
    others(&mut topic, &of, &status(State::Running, "b", 5));
    others(&mut topic, &of, &status(State::Unassigned, "a", 4));
    assert_eq!(topic.connector("c").unwrap().state, State::Unassigned);
}

#[test]
fn a_tombstone_of_a_connector_takes_its_tasks_and_leaves_its_topics() {
    let mut topic = StatusTopic::new();
    for of in [connector("c"), task("c", 0), task("c", 1), task("d", 0)] {
        others(&mut topic, &of, &status(State::Running, "w", 1));
    }
    let used = r#"{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":1}}"#;
    assert_eq!(apply(&mut topic, "status-topic-t:connector-c", used), None);
    assert_eq!(apply(&mut topic, "status-task-c-1", "-"), None);
    assert_eq!(
        topic.tasks("c").map(|(task, _)| task).collect::<Vec<_>>(),
        [0]
    );
    assert_eq!(apply(&mut topic, "status-connector-c", "-"), None);
    assert_eq!(topic.connector("c"), None);
    assert_eq!((topic.tasks("c").count(), topic.tasks("d").count()), (0, 1));
    assert_eq!(topic.topic("c", "t").unwrap().discover_timestamp, 1);
    assert_eq!(apply(&mut topic, "status-topic-t:connector-c", "-"), None);
    assert_eq!(topic.topics("c").count(), 0);
    for of_nobody in [
        "status-task-x-0",
        "status-connector-x",
        "status-topic-x:connector-x",
    ] {
        assert_eq!(apply(&mut topic, of_nobody, "-"), None);
    }
}

#[test]
fn the_key_says_whose_topic_it_is() {
    let mut topic = StatusTopic::new();
    let value = r#"{"topic":{"name":"x","connector":"y","task":1,"discoverTimestamp":2}}"#;
    assert_eq!(apply(&mut topic, "status-topic-t:connector-c", value), None);
    let known = topic.topic("c", "t").unwrap();
    assert_eq!(
        (&known.topic[..], &*known.connector, known.task),
        ("x", "y", 1)
    );
}

const GOOD: &str = r#"{"state":"RUNNING","trace":null,"worker_id":"w","generation":1}"#;
const USED: &str = r#"{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":1}}"#;

/// Key, value, and what the problem says.
const BAD: [(&str, &str, &str); 19] = [
    ("status-connector-", GOOD, "invalid status key"),
    ("status-task-0", GOOD, "invalid status key"),
    ("status-task-c-x", GOOD, "invalid status key"),
    ("status-topic-t", USED, "invalid status key"),
    ("status-topic-:connector-c", USED, "invalid status key"),
    ("status-topic-t:connector-", USED, "invalid status key"),
    ("connector-c", GOOD, "invalid status key"),
    ("status-connector-c", "{", "Failed to deserialize"),
    (
        "status-connector-c",
        "null",
        "the value should be a Map but is null",
    ),
    ("status-connector-c", "[]", "java.util.ArrayList"),
    (
        "status-task-c-0",
        "{}",
        "state should be a String but is null",
    ),
    (
        "status-task-c-0",
        r#"{"state":"running"}"#,
        "no state has the name running",
    ),
    (
        "status-task-c-0",
        r#"{"state":"RUNNING","generation":"1"}"#,
        "generation should be an integer",
    ),
    (
        "status-task-c-0",
        r#"{"state":"RUNNING","generation":1,"trace":1}"#,
        "trace should be",
    ),
    (
        "status-task-c-0",
        r#"{"state":"RUNNING","generation":1,"worker_id":{}}"#,
        "worker_id",
    ),
    (
        "status-task-c-0",
        r#"{"state":"RUNNING","generation":1,"version":true}"#,
        "version",
    ),
    (
        "status-topic-t:connector-c",
        "{}",
        "topic should be a Map but is null",
    ),
    (
        "status-topic-t:connector-c",
        r#"{"topic":{"name":"t"}}"#,
        "connector should be",
    ),
    (
        "status-topic-t:connector-c",
        r#"{"topic":{"name":"t","connector":"c"}}"#,
        "task should be",
    ),
];

#[test]
fn bad_records_are_passed_over_and_named() {
    for (key, value, text) in BAD {
        let mut topic = StatusTopic::new();
        let problem = apply(&mut topic, key, value).map(|problem| problem.to_string());
        assert!(
            problem.as_ref().is_some_and(|found| found.contains(text)),
            "{key} {value}: {problem:?}"
        );
        assert_eq!(
            (topic.connectors().count(), topic.tasks("c").count()),
            (0, 0)
        );
        assert_eq!(topic.topics("c").count(), 0);
    }
    assert_eq!(
        StatusTopic::new().apply(None, None),
        Some(StatusProblem::NoKey)
    );
    // What is missing and may be.
    let mut topic = StatusTopic::new();
    assert_eq!(
        apply(
            &mut topic,
            "status-connector-c",
            r#"{"state":"STOPPED","generation":4294967297}"#
        ),
        None
    );
    assert_eq!(
        *topic.connector("c").unwrap(),
        status(State::Stopped, "", 1)
    );
}
