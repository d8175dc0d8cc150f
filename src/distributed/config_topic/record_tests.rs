//! The bytes of records. The integration tests compare more of them with Apache's own.

use std::sync::Arc;

use super::tests::{config, name};
use super::*;
use crate::api::ConfigMap;
use crate::distributed::{ConnectorTaskId, TopicRecord};

fn value(record: &TopicRecord) -> &str {
    std::str::from_utf8(record.value.as_ref().unwrap()).unwrap()
}

#[test]
fn connectors_and_tasks_are_written_as_apache_s() {
    let connector = name("c-é");
    let mut with_null = config(&[("name", "c"), ("a", "\"\n\u{1}é😀")]);
    with_null.insert("none".to_owned(), None);
    let records = connector_config(&connector, with_null, Some(TargetState::Stopped));
    let [state, config_record] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!(state.key, "target-state-c-é".as_bytes());
    assert_eq!(value(state), r#"{"state":"PAUSED","state.v2":"STOPPED"}"#);
    assert_eq!(config_record.key, "connector-c-é".as_bytes());
    let text = r#"{"properties":{"name":"c","a":"\"\n\u0001é\uD83D\uDE00","none":null}}"#;
    assert_eq!(value(config_record), text);
    assert_eq!(
        connector_config(&connector, ConfigMap::new(), None).len(),
        1
    );

    let [config_record, state] = connector_removal(&connector);
    assert_eq!((&config_record.value, &state.value), (&None, &None));
    assert_eq!(config_record.key, "connector-c-é".as_bytes());
    assert_eq!(state.key, "target-state-c-é".as_bytes());

    let written = task_configs(&connector, vec![config(&[("n", "0")]), config(&[])]);
    let keys: Vec<_> = written.tasks.iter().map(|task| &task.key[..]).collect();
    assert_eq!(keys, ["task-c-é-0".as_bytes(), "task-c-é-1".as_bytes()]);
    assert_eq!(value(&written.tasks[1]), r#"{"properties":{}}"#);
    assert_eq!(value(&written.commit), r#"{"tasks":2}"#);
    assert_eq!(written.commit.key, "commit-c-é".as_bytes());
}

#[test]
fn single_records_are_written_as_apache_s() {
    let session = SessionKey {
        key: vec![0, 255, 254],
        algorithm: "HmacSHA256".to_owned(),
        creation_timestamp: 1_700_000_000_000,
    };
    let text = r#"{"key":"AP/+","algorithm":"HmacSHA256","creation-timestamp":1700000000000}"#;
    let restart = RestartRequest {
        connector: name("c"),
        only_failed: false,
        include_tasks: true,
    };
    for (record, key, expected) in [
        (ConfigRecord::SessionKey(session), "session-key", text),
        (
            ConfigRecord::Restart(restart),
            "restart-connector-c",
            r#"{"include-tasks":true,"only-failed":false}"#,
        ),
        (
            ConfigRecord::TaskCount {
                connector: name("c"),
                tasks: 2,
            },
            "tasks-fencing-c",
            r#"{"task-count":2}"#,
        ),
        (
            ConfigRecord::LoggerLevel {
                namespace: "org.x".to_owned(),
                level: "DEBUG".to_owned(),
            },
            "logger-cluster-org.x",
            r#"{"level":"DEBUG"}"#,
        ),
    ] {
        let record = record.encode();
        assert_eq!(record.key, key.as_bytes());
        assert_eq!(value(&record), expected);
    }
}

#[test]
fn what_is_written_is_read_back() {
    let connector = name("c");
    let mut decoder = Decoder::default();
    let id = ConnectorTaskId::new("c-1", 7);
    let session = SessionKey {
        key: b"key".to_vec(),
        algorithm: "HmacSHA256".to_owned(),
        creation_timestamp: -5,
    };
    let restart = RestartRequest {
        connector: Arc::clone(&connector),
        only_failed: true,
        include_tasks: false,
    };
    let state = |state| ConfigRecord::TargetState {
        connector: name("c"),
        state,
    };
    for record in [
        ConfigRecord::Connector {
            connector: Arc::clone(&connector),
            config: Some(config(&[("a", "1")])),
        },
        ConfigRecord::Connector {
            connector: Arc::clone(&connector),
            config: None,
        },
        ConfigRecord::Task {
            id,
            config: config(&[("b", "\u{7}")]),
        },
        ConfigRecord::Commit {
            connector: Arc::clone(&connector),
            tasks: 3,
        },
        state(Some(TargetState::Started)),
        state(Some(TargetState::Paused)),
        state(Some(TargetState::Stopped)),
        state(None),
        ConfigRecord::TaskCount {
            connector,
            tasks: 1,
        },
        ConfigRecord::SessionKey(session),
        ConfigRecord::Restart(restart),
        ConfigRecord::LoggerLevel {
            namespace: "root".to_owned(),
            level: "INFO".to_owned(),
        },
    ] {
        let written = record.encode();
        let read = decoder.decode(Some(&written.key), written.value.as_deref());
        assert_eq!(read, Decoded::Record(record, Vec::new()));
    }
}
