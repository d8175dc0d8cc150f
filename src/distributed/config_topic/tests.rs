//! The rules of contract 4.2, one by one. The integration tests compare whole sequences with Apache's
//! own class.

use std::sync::Arc;

use super::*;
use crate::api::ConfigMap;
use crate::distributed::ConnectorTaskId;

pub(super) fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
    pairs.iter().map(pair).collect()
}

pub(super) fn name(text: &str) -> Arc<str> {
    Arc::from(text)
}

/// A topic whose records are texts.
struct Replay {
    topic: ConfigTopic,
    offset: i64,
}

impl Replay {
    fn new() -> Self {
        Self {
            topic: ConfigTopic::new(),
            offset: 0,
        }
    }

    /// One whose start is over.
    fn started() -> Self {
        let mut replay = Self::new();
        replay.topic.start();
        replay
    }

    fn apply(&mut self, key: &str, value: &str) -> Applied {
        let value = (value != "-").then_some(value.as_bytes());
        let applied = self.topic.apply(self.offset, Some(key.as_bytes()), value);
        self.offset += 1;
        applied
    }

    /// The event of a record that is all right.
    fn event(&mut self, key: &str, value: &str) -> Option<UpdateEvent> {
        let applied = self.apply(key, value);
        assert_eq!(applied.problems, [], "{key} {value}");
        applied.event
    }

    /// The text of the problem of a record that does nothing.
    fn ignored(&mut self, key: &str, value: &str) -> String {
        let before = self.state();
        let applied = self.apply(key, value);
        assert_eq!(applied.event, None, "{key} {value}");
        let mut same = (*before).clone();
        same.offset = self.state().offset();
        assert_eq!(same, *self.state(), "{key} {value}");
        let [problem] = &applied.problems[..] else {
            panic!("one problem: {applied:?}");
        };
        problem.to_string()
    }

    fn state(&self) -> Arc<ClusterConfigState> {
        self.topic.snapshot()
    }

    fn tasks(&self, connector: &str) -> Vec<i32> {
        let tasks = self.state().tasks(connector).into_iter();
        tasks.map(|id| id.task).collect()
    }

    /// A connector with `tasks` tasks.
    fn connector(&mut self, connector: &str, tasks: i32) {
        self.apply(
            &format!("connector-{connector}"),
            r#"{"properties":{"name":"x"}}"#,
        );
        for task in 0..tasks {
            let config = format!(r#"{{"properties":{{"n":"{task}"}}}}"#);
            self.apply(&format!("task-{connector}-{task}"), &config);
        }
        self.apply(
            &format!("commit-{connector}"),
            &format!(r#"{{"tasks":{tasks}}}"#),
        );
    }
}

fn tasks_updated(tasks: Vec<ConnectorTaskId>) -> UpdateEvent {
    let connector = "c".into();
    UpdateEvent::TasksUpdated { connector, tasks }
}

#[test]
fn nothing_is_told_before_the_start() {
    let mut replay = Replay::new();
    replay.connector("c", 1);
    for (key, value) in [
        ("target-state-c", r#"{"state":"PAUSED"}"#),
        (
            "session-key",
            r#"{"key":"YQ==","algorithm":"A","creation-timestamp":1}"#,
        ),
        (
            "restart-connector-c",
            r#"{"include-tasks":true,"only-failed":true}"#,
        ),
        ("logger-cluster-x", r#"{"level":"DEBUG"}"#),
        ("connector-c", "-"),
    ] {
        assert_eq!(replay.event(key, value), None, "{key}");
    }
    replay.topic.start();
    assert!(
        replay
            .event("logger-cluster-x", r#"{"level":"DEBUG"}"#)
            .is_some()
    );
    let request = replay.event(
        "restart-connector-c",
        r#"{"include-tasks":true,"only-failed":true}"#,
    );
    let expected = RestartRequest {
        connector: name("c"),
        only_failed: true,
        include_tasks: true,
    };
    assert_eq!(request, Some(UpdateEvent::RestartRequested(expected)));
}

#[test]
fn task_configurations_wait_for_their_commit() {
    let mut replay = Replay::started();
    let updated = replay.event("connector-c", r#"{"properties":{"name":"c"}}"#);
    assert_eq!(updated, Some(UpdateEvent::ConnectorUpdated(name("c"))));
    assert_eq!(
        replay.event("task-c-0", r#"{"properties":{"n":"0"}}"#),
        None
    );
    assert_eq!(
        replay.event("task-c-1", r#"{"properties":{"n":"1"}}"#),
        None
    );
    let id = |task| ConnectorTaskId::new("c", task);
    assert_eq!(replay.state().raw_task_config(&id(0)), None);
    assert_eq!(replay.state().applied_connector_config("c"), None);

    let updated = replay.event("commit-c", r#"{"tasks":2}"#);
    assert_eq!(updated, Some(tasks_updated(vec![id(0), id(1)])));
    let state = replay.state();
    assert_eq!(
        **state.raw_task_config(&id(1)).unwrap(),
        config(&[("n", "1")])
    );
    assert_eq!(state.tasks("c"), [id(0), id(1)]);
    assert_eq!(state.task_config_generation("c"), Some(0));
    assert!(state.pending_fencing("c"));
    assert_eq!(
        **state.applied_connector_config("c").unwrap(),
        config(&[("name", "c")])
    );

    // The configuration changes, the tasks' do not yet.
    replay.event("connector-c", r#"{"properties":{"name":"c","x":"y"}}"#);
    assert_eq!(
        **replay.state().applied_connector_config("c").unwrap(),
        config(&[("name", "c")])
    );
    replay.event("task-c-0", r#"{"properties":{"n":"2"}}"#);
    replay.event("commit-c", r#"{"tasks":1}"#);
    let state = replay.state();
    assert_eq!(state.tasks("c"), [id(0)]);
    assert_eq!(state.task_config_generation("c"), Some(1));
    assert_eq!(state.applied_connector_config("c").unwrap().len(), 2);
    // As in Apache's worker, the other's configuration stays.
    assert_eq!(state.configured_tasks("c").collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_commit_whose_tasks_are_not_all_there_makes_the_connector_inconsistent() {
    let mut replay = Replay::started();
    replay.connector("c", 2);
    replay.event("task-c-1", r#"{"properties":{"n":"new"}}"#);
    let applied = replay.apply("commit-c", r#"{"tasks":2}"#);
    assert_eq!(applied.event, Some(tasks_updated(Vec::new())));
    assert!(matches!(
        applied.problems[..],
        [ConfigProblem::Incomplete { tasks: 2, .. }]
    ));
    let state = replay.state();
    assert_eq!(
        state.inconsistent_connectors().collect::<Vec<_>>(),
        [&name("c")]
    );
    assert_eq!(state.task_count("c"), 2);
    assert_eq!(state.tasks("c"), []);
    let old = ConnectorTaskId::new("c", 1);
    assert_eq!(
        **state.raw_task_config(&old).unwrap(),
        config(&[("n", "1")])
    );

    // What was set aside counts no more: both have to come again.
    replay.event("task-c-0", r#"{"properties":{"n":"0"}}"#);
    replay.apply("commit-c", r#"{"tasks":2}"#);
    assert_eq!(replay.tasks("c"), [0; 0]);
    replay.connector("c", 2);
    assert_eq!(replay.tasks("c"), [0, 1]);
    assert_eq!(replay.state().inconsistent_connectors().count(), 0);
}

#[test]
fn a_commit_takes_more_tasks_than_it_is_for() {
    // What compaction leaves of two tasks and then one.
    let mut replay = Replay::new();
    replay.event("connector-c", r#"{"properties":{}}"#);
    replay.event("task-c-1", r#"{"properties":{"n":"1"}}"#);
    replay.event("task-c-0", r#"{"properties":{"n":"0"}}"#);
    replay.event("commit-c", r#"{"tasks":1}"#);
    assert_eq!(replay.tasks("c"), [0]);
}

#[test]
fn a_commit_without_tasks_needs_none_and_is_a_generation_only_after_another() {
    let mut replay = Replay::new();
    replay.event("connector-c", r#"{"properties":{}}"#);
    replay.event("commit-c", r#"{"tasks":0}"#);
    let state = replay.state();
    assert_eq!(state.task_config_generation("c"), None);
    assert!(state.applied_connector_config("c").is_some() && state.pending_fencing("c"));
    replay.connector("c", 1);
    replay.event("commit-c", r#"{"tasks":0}"#);
    assert_eq!(replay.state().task_config_generation("c"), Some(1));
    assert_eq!(replay.tasks("c"), [0; 0]);
    // Counts that no leader writes.
    replay.event("commit-c", r#"{"tasks":-3}"#);
    assert_eq!(
        (replay.state().task_count("c"), replay.tasks("c")),
        (-3, Vec::new())
    );
    replay.apply("commit-c", r#"{"tasks":2147483647}"#);
    assert_eq!(replay.tasks("c"), [0; 0]);
    replay.event("commit-c", r#"{"tasks":4294967296}"#);
    assert_eq!(replay.state().task_count("c"), 0);
}

#[test]
fn tasks_of_a_deleted_connector_do_not_come_back() {
    let mut replay = Replay::started();
    // The connector and its tombstone were compacted away.
    replay.event("task-gone-0", r#"{"properties":{}}"#);
    let problem = replay.ignored("commit-gone", r#"{"tasks":1}"#);
    assert!(problem.contains("gone"), "{problem}");
    replay.event("connector-gone", r#"{"properties":{}}"#);
    replay.apply("commit-gone", r#"{"tasks":1}"#);
    let inconsistent = replay.state().inconsistent_connectors().count();
    assert_eq!(inconsistent, 1, "the task that was set aside is forgotten");
    // A commit that can't be read ends them, too.
    replay.event("task-b-0", r#"{"properties":{}}"#);
    replay.apply("commit-b", "[]");
    replay.event("connector-b", r#"{"properties":{}}"#);
    replay.apply("commit-b", r#"{"tasks":1}"#);
    assert_eq!(replay.tasks("b"), [0; 0]);
}

#[test]
fn a_deletion_takes_configurations_and_leaves_what_fencing_needs() {
    let mut replay = Replay::started();
    replay.connector("c", 1);
    replay.event("tasks-fencing-c", r#"{"task-count":1}"#);
    replay.event(
        "target-state-c",
        r#"{"state":"STARTED","state.v2":"PAUSED"}"#,
    );
    let removed = replay.event("connector-c", "-");
    assert_eq!(removed, Some(UpdateEvent::ConnectorRemoved(name("c"))));
    let state = replay.state();
    assert!(!state.contains("c"));
    assert_eq!(state.connectors().count(), 0);
    assert_eq!(
        (state.task_count("c"), state.configured_tasks("c").count()),
        (0, 0)
    );
    assert_eq!(state.applied_connector_config("c"), None);
    assert_eq!(
        state.target_state("c"),
        Some(TargetState::Paused),
        "its own record ends it"
    );
    assert_eq!(replay.event("target-state-c", "-"), None);
    let state = replay.state();
    assert_eq!(state.target_state("c"), None);
    assert_eq!(state.task_count_record("c"), Some(1));
    assert_eq!(state.task_config_generation("c"), Some(0));

    replay.connector("c", 1);
    let state = replay.state();
    assert_eq!(state.target_state("c"), Some(TargetState::Started));
    assert_eq!(state.task_config_generation("c"), Some(1));
    assert!(state.pending_fencing("c"));
    // Somebody that never was.
    assert_eq!(
        replay.event("connector-never", "null"),
        Some(UpdateEvent::ConnectorRemoved(name("never")))
    );
    assert!(!replay.state().names().any(|known| **known == *"never"));
}

#[test]
fn a_task_count_record_ends_the_need_to_fence_and_a_commit_renews_it() {
    let mut replay = Replay::new();
    replay.connector("c", 2);
    assert!(replay.state().pending_fencing("c"));
    assert_eq!(replay.state().task_count_record("c"), None);
    replay.event("tasks-fencing-c", r#"{"task-count":2}"#);
    assert!(!replay.state().pending_fencing("c"));
    assert_eq!(replay.state().task_count_record("c"), Some(2));
    // An incomplete one, too.
    replay.apply("commit-c", r#"{"tasks":5}"#);
    assert!(replay.state().pending_fencing("c"));
}

#[test]
fn the_newer_target_state_is_preferred_and_changes_are_told() {
    let mut replay = Replay::started();
    // Before its connector: an initial state.
    assert_eq!(
        replay.event(
            "target-state-c",
            r#"{"state":"PAUSED","state.v2":"STOPPED"}"#
        ),
        None
    );
    replay.event("connector-c", r#"{"properties":{}}"#);
    assert_eq!(replay.state().target_state("c"), Some(TargetState::Stopped));
    let changed = Some(UpdateEvent::TargetStateChanged(name("c")));
    assert_eq!(
        replay.event("target-state-c", r#"{"state":"PAUSED"}"#),
        changed
    );
    assert_eq!(replay.state().target_state("c"), Some(TargetState::Paused));
    assert_eq!(
        replay.event("target-state-c", r#"{"state":"PAUSED"}"#),
        None,
        "no change"
    );
    let null = r#"{"state":"STARTED","state.v2":null}"#;
    assert_eq!(replay.event("target-state-c", null), changed);
    replay.event("target-state-c", r#"{"state":"PAUSED"}"#);
    // Taken back: started, and nobody is told.
    assert_eq!(replay.event("target-state-c", "-"), None);
    assert_eq!(replay.state().target_state("c"), Some(TargetState::Started));
    // A newer state of another type is passed over, one of another name ends the record.
    let applied = replay.apply("target-state-c", r#"{"state":"STOPPED","state.v2":7}"#);
    assert_eq!(applied.event, changed);
    assert!(matches!(
        applied.problems[..],
        [ConfigProblem::OldState { .. }]
    ));
    let problem = replay.ignored(
        "target-state-c",
        r#"{"state":"PAUSED","state.v2":"ASLEEP"}"#,
    );
    assert!(
        problem.contains("ASLEEP") && problem.contains("target-state-c"),
        "{problem}"
    );
}

#[test]
fn bad_records_are_passed_over_and_named() {
    let mut replay = Replay::started();
    replay.connector("c", 1);
    for (key, value, text) in [
        ("connector-c", "[]", "java.util.ArrayList"),
        (
            "connector-c",
            "{}",
            "'properties' should be a Map but is null",
        ),
        ("connector-c", r#"{"properties":"x"}"#, "java.lang.String"),
        ("task-c-0", "-", "the value should be a Map but is null"),
        ("task-c-0", "17", "java.lang.Long"),
        ("task-c-0", r#"{"properties":[]}"#, "java.util.ArrayList"),
        ("task-c-x", r#"{"properties":{}}"#, "couldn't be parsed"),
        ("task-c", r#"{"properties":{}}"#, "couldn't be parsed"),
        ("commit-c", "-", "the value should be a Map but is null"),
        ("commit-c", "{}", "'tasks' should be an integer but is null"),
        ("commit-c", r#"{"tasks":1.0}"#, "java.lang.Double"),
        ("target-state-c", "[]", "java.util.ArrayList"),
        (
            "target-state-c",
            "{}",
            "'state' should be a String but is null",
        ),
        (
            "target-state-c",
            r#"{"state":"paused"}"#,
            "invalid target state paused",
        ),
        ("tasks-fencing-c", "-", "the value should be a Map"),
        (
            "tasks-fencing-c",
            r#"{"task-count":"2"}"#,
            "java.lang.String",
        ),
        ("session-key", "-", "should be a Map but is null"),
        ("session-key", r#"{"key":1}"#, "'key' should be a String"),
        ("session-key", r#"{"key":"Y"}"#, "no base64"),
        (
            "session-key",
            r#"{"key":"","algorithm":"A","creation-timestamp":1}"#,
            "empty",
        ),
        (
            "session-key",
            r#"{"key":"YQ==","algorithm":null}"#,
            "'algorithm'",
        ),
        (
            "session-key",
            r#"{"key":"YQ==","algorithm":"A","creation-timestamp":1.5}"#,
            "'creation-timestamp'",
        ),
        ("restart-connector-c", "-", "should be a Map"),
        ("logger-cluster-x", "-", "should be a Map"),
        ("logger-cluster-x", r#"{"level":null}"#, "'level'"),
        ("session-keys", "{}", "invalid key: session-keys"),
        ("Connector-c", "{}", "invalid key"),
        ("", "{}", "invalid key"),
        ("connector-c", "{\"properties\":", "failed to convert"),
    ] {
        let problem = replay.ignored(key, value);
        assert!(problem.contains(text), "{key} {value}: {problem}");
    }
    let without_key = replay.topic.apply(replay.offset, None, Some(b"{}"));
    assert_eq!(without_key.problems, [ConfigProblem::NoKey]);
}

#[test]
fn a_restart_request_with_bad_members_restarts_the_connector_alone() {
    let mut replay = Replay::started();
    let applied = replay.apply("restart-connector-c", r#"{"include-tasks":"true"}"#);
    let expected = RestartRequest {
        connector: name("c"),
        only_failed: false,
        include_tasks: false,
    };
    assert_eq!(applied.event, Some(UpdateEvent::RestartRequested(expected)));
    let levels: Vec<_> = applied.problems.iter().map(ConfigProblem::level).collect();
    assert_eq!(levels, [tracing::Level::WARN; 2]);
}

#[test]
fn a_value_that_is_no_text_becomes_its_text() {
    let mut replay = Replay::started();
    let applied = replay.apply(
        "connector-c",
        r#"{"properties":{"a":1.0,"b":null,"c":[true]}}"#,
    );
    assert_eq!(applied.problems.len(), 2, "{applied:?}");
    let state = replay.state();
    let read = state.raw_connector_config("c").unwrap();
    assert_eq!(read["a"].as_deref(), Some("1.0"));
    assert_eq!(read["b"], None);
    assert_eq!(read["c"].as_deref(), Some("[true]"));
}

#[test]
fn the_offset_is_that_of_the_next_record() {
    let mut replay = Replay::new();
    assert_eq!(replay.state().offset(), NO_OFFSET);
    replay.offset = 41;
    replay.event("connector-c", r#"{"properties":{}}"#);
    assert_eq!(replay.state().offset(), 42);
    replay.offset = 50;
    replay.apply("unknown", "{}");
    assert_eq!(replay.state().offset(), 51);
    // As in Apache's worker, one that is no JSON was never there.
    replay.apply("connector-c", "{");
    assert_eq!(replay.state().offset(), 51);
    replay.topic.apply(i64::MAX, Some(b"x"), None);
    assert_eq!(replay.state().offset(), i64::MAX);
}

#[test]
fn a_snapshot_does_not_change() {
    let mut replay = Replay::new();
    replay.connector("c", 1);
    let before = replay.state();
    let copy = (*before).clone();
    replay.event("connector-c", "-");
    replay.event(
        "session-key",
        r#"{"key":"YQ==","algorithm":"A","creation-timestamp":1}"#,
    );
    assert_eq!(*before, copy);
    assert_ne!(*replay.state(), copy);
    assert_eq!(replay.state().session_key().unwrap().key, b"a");
}

#[test]
fn no_secret_shows_in_debug() {
    let mut replay = Replay::started();
    let secret = r#"{"properties":{"password":"hunter2"}}"#;
    let applied = replay.apply("connector-c", secret);
    replay.apply("task-c-0", secret);
    replay.apply("commit-c", r#"{"tasks":1}"#);
    let record = ConfigRecord::Connector {
        connector: name("c"),
        config: Some(config(&[("password", "hunter2")])),
    };
    let shown = format!(
        "{applied:?} {:?} {record:?} {:?}",
        replay.state(),
        record.encode()
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}
