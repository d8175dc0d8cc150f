//! Histories of the config topic.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringmain::api::ConfigMap;
use ringmain::distributed::config_topic::{
    ClusterConfigState, ConfigRecord, ConfigTopic, RestartRequest, SessionKey, TargetState,
    UpdateEvent, connector_config, connector_removal, task_configs,
};
use ringmain::distributed::{ConnectorTaskId, TopicRecord};
use serde_json::{Map, Value as Json, json};

use super::generate::{Random, base64, optional_base64, sent};
use super::{Case, History};

type Bytes = (Option<Vec<u8>>, Option<Vec<u8>>);

pub(super) fn case(random: &mut Random) -> Case {
    let mut history = History::default();
    let mut topic = ConfigTopic::new();
    let mut offset = 0;
    let steps = random.below(40);
    let start = random.below(steps + 10);
    for step in 0..=steps {
        if step == start {
            topic.start();
            history.add(json!(["start"]), Json::Null);
        }
        match random.below(20) {
            0 => written(random, &mut history),
            1 => history.add(json!(["state"]), state(&topic.snapshot())),
            _ => {
                let (key, value) = record(random);
                let applied = topic.apply(offset, key.as_deref(), value.as_deref());
                let shown = (
                    optional_base64(key.as_deref()),
                    optional_base64(value.as_deref()),
                );
                let events: Json = applied.event.iter().map(event).collect();
                history.add(json!(["record", offset, shown.0, shown.1]), events);
                offset += 1 + i64::from(random.one_in(4));
            }
        }
    }
    history.add(json!(["state"]), state(&topic.snapshot()));
    Case {
        question: json!({"do": "config", "steps": history.steps}),
        ours: history.ours.into(),
    }
}

/// A record of the topic, more or less as a worker would write it.
fn record(random: &mut Random) -> Bytes {
    let name = random.name();
    let (key, value) = match random.below(32) {
        0..7 => (format!("connector-{name}"), configuration(random, 7)),
        7..15 => (task_key(random, name), configuration(random, 30)),
        15..22 => (format!("commit-{name}"), number(random, "tasks")),
        22..25 => (format!("target-state-{name}"), target_state(random)),
        25 | 26 => (
            format!("tasks-fencing-{name}"),
            number(random, "task-count"),
        ),
        27 => ("session-key".to_owned(), session_key(random)),
        28 => (format!("restart-connector-{name}"), restart(random)),
        29 => (format!("logger-cluster-{name}"), level(random)),
        30 => (random.pick(&KEYS).to_owned(), configuration(random, 3)),
        _ => return odd(random, name),
    };
    (Some(key.into_bytes()), value.map(String::into_bytes))
}

/// Keys of no kind.
const KEYS: [&str; 9] = [
    "",
    "connector",
    "connectors-a",
    "session-key-",
    "session-ke",
    "tasks-a-1",
    "logger-a",
    "restart-a",
    "Connector-a",
];

/// Values that are wrong, and keys that are no text.
fn odd(random: &mut Random, name: &str) -> Bytes {
    const PREFIXES: [&str; 8] = [
        "connector-",
        "task-",
        "commit-",
        "target-state-",
        "tasks-fencing-",
        "restart-connector-",
        "logger-cluster-",
        "session-key",
    ];
    let prefix = random.pick(&PREFIXES);
    let key = match (random.below(8), prefix) {
        (0, _) => None,
        (1, _) => Some([prefix.as_bytes(), b"\xff\xed\xa0\x80"].concat()),
        (_, "session-key") => Some(prefix.as_bytes().to_vec()),
        (_, "task-") => Some(format!("task-{name}-0").into_bytes()),
        _ => Some(format!("{prefix}{name}").into_bytes()),
    };
    (key, Some(random.garbage()))
}

fn task_key(random: &mut Random, name: &str) -> String {
    let number = match random.below(40) {
        0 => random.pick(&[
            "",
            "x",
            "+1",
            "٣",
            "-1",
            "0-",
            "0--",
            "2147483648",
            "00",
            " 1",
        ]),
        _ => random.pick(&["0", "1", "2"]),
    };
    format!("task-{name}-{number}")
}

/// A configuration; a tombstone in one of `tombstones`.
fn configuration(random: &mut Random, tombstones: usize) -> Option<String> {
    if random.one_in(tombstones) {
        return None;
    }
    let properties = match random.below(25) {
        0 => random.pick(&["null", "[]", "\"x\"", "7"]).to_owned(),
        _ => properties(random).to_string(),
    };
    let name = if random.one_in(40) {
        "Properties"
    } else {
        "properties"
    };
    Some(format!("{{\"{name}\":{properties},\"more\":1}}"))
}

fn properties(random: &mut Random) -> Json {
    let mut map = Map::new();
    for _ in 0..random.below(5) {
        let key = random.pick(&["name", "connector.class", "tasks.max", "é", "a\"b"]);
        let value = match random.below(20) {
            0 => Json::Null,
            1 => random.pick(&[1, -7, 0]).into(),
            2 => random.one_in(2).into(),
            3 => json!({"x": [1.5, null, "y"]}),
            _ => random.text().into(),
        };
        map.insert(key.to_owned(), value);
    }
    map.into()
}

fn number(random: &mut Random, member: &str) -> Option<String> {
    if random.one_in(30) {
        return None;
    }
    let number = match random.below(12) {
        0 => random.pick(&[
            "null",
            "1.0",
            "\"1\"",
            "-1",
            "4294967297",
            "9223372036854775808",
            "true",
        ]),
        _ => random.pick(&["0", "1", "1", "2", "2", "3"]),
    };
    Some(format!("{{\"{member}\":{number}}}"))
}

fn target_state(random: &mut Random) -> Option<String> {
    const NAMES: [&str; 4] = ["\"STARTED\"", "\"PAUSED\"", "\"STOPPED\"", "\"PAUSED\""];
    const OTHERS: [&str; 5] = ["null", "1", "\"started\"", "{}", "\"\""];
    let mut state = || match random.below(10) {
        0 => random.pick(&OTHERS),
        _ => random.pick(&NAMES),
    };
    let (old, new) = (state(), state());
    match random.below(8) {
        0 => None,
        1 => Some(format!("{{\"state\":{old}}}")),
        2 => Some(format!("{{\"state.v2\":{new}}}")),
        _ => Some(format!("{{\"state\":{old},\"state.v2\":{new}}}")),
    }
}

fn session_key(random: &mut Random) -> Option<String> {
    const KEYS: [&str; 10] = [
        "YQ==", "YQ", "YWI=", "YWJj", "", "Y", "YQ=", "Y Q==", "YR==", "YQ==YQ==",
    ];
    let key = match random.below(10) {
        0 => random.pick(&["null", "1"]).to_owned(),
        _ => format!("\"{}\"", random.pick(&KEYS)),
    };
    let algorithm = random.pick(&[
        "\"HmacSHA256\"",
        "\"HmacSHA256\"",
        "\"HmacSHA512\"",
        "null",
        "1",
    ]);
    let created = random.pick(&["1700000000000", "1", "-1", "1", "1.5", "null"]);
    (!random.one_in(20)).then(|| {
        format!("{{\"key\":{key},\"algorithm\":{algorithm},\"creation-timestamp\":{created}}}")
    })
}

fn restart(random: &mut Random) -> Option<String> {
    const FLAGS: [&str; 5] = ["true", "false", "true", "null", "\"true\""];
    let (tasks, failed) = (random.pick(&FLAGS), random.pick(&FLAGS));
    (!random.one_in(10)).then(|| format!("{{\"include-tasks\":{tasks},\"only-failed\":{failed}}}"))
}

fn level(random: &mut Random) -> Option<String> {
    let level = random.pick(&["\"DEBUG\"", "\"INFO\"", "null", "7"]);
    (!random.one_in(10)).then(|| format!("{{\"level\":{level}}}"))
}

/// Something that a worker writes.
fn written(random: &mut Random, history: &mut History) {
    let name = random.name();
    let connector: Arc<str> = Arc::from(name);
    let state = random.pick(&[
        TargetState::Started,
        TargetState::Paused,
        TargetState::Stopped,
    ]);
    let (step, records) = match random.below(8) {
        0 => {
            let config = texts(random);
            let state = (!random.one_in(2)).then_some(state);
            let step = json!(["put-connector", name, config, state.map(TargetState::name)]);
            (step, connector_config(&connector, config, state))
        }
        1 => {
            let records = connector_removal(&connector);
            (json!(["put-removal", name]), records.to_vec())
        }
        2 => {
            let configs: Vec<ConfigMap> = (0..random.below(3)).map(|_| texts(random)).collect();
            let step = json!(["put-tasks", name, configs]);
            let written = task_configs(&connector, configs);
            let records = written.tasks.into_iter().chain([written.commit]);
            (step, records.collect())
        }
        3 => {
            let step = json!(["put-target", name, state.name()]);
            let state = Some(state);
            one(step, &ConfigRecord::TargetState { connector, state })
        }
        4 => {
            let tasks = random.pick(&[0, 1, 17]);
            let step = json!(["put-count", name, tasks]);
            one(step, &ConfigRecord::TaskCount { connector, tasks })
        }
        5 => written_session(random),
        6 => {
            let (only_failed, include_tasks) = (random.one_in(2), random.one_in(2));
            let step = json!(["put-restart", name, only_failed, include_tasks]);
            let request = RestartRequest {
                connector,
                only_failed,
                include_tasks,
            };
            one(step, &ConfigRecord::Restart(request))
        }
        _ => {
            let level = random.text();
            let record = ConfigRecord::LoggerLevel {
                namespace: name.to_owned(),
                level: level.to_owned(),
            };
            one(json!(["put-level", name, level]), &record)
        }
    };
    history.add(step, sent(&records));
}

fn written_session(random: &mut Random) -> (Json, Vec<TopicRecord>) {
    let text = random.text().as_bytes();
    let session = SessionKey {
        key: [text, &[0, 255]].concat(),
        algorithm: "HmacSHA256".to_owned(),
        creation_timestamp: random.pick(&[0, -1, 1_700_000_000_000, i64::MAX]),
    };
    let created = session.creation_timestamp;
    let step = json!(["put-session", "HmacSHA256", base64(&session.key), created]);
    one(step, &ConfigRecord::SessionKey(session))
}

fn one(step: Json, record: &ConfigRecord) -> (Json, Vec<TopicRecord>) {
    (step, vec![record.encode()])
}

fn texts(random: &mut Random) -> ConfigMap {
    let mut config = ConfigMap::new();
    for _ in 0..random.below(6) {
        let value = (!random.one_in(8)).then(|| random.text().to_owned());
        config.insert(random.text().to_owned(), value);
    }
    config
}

fn event(event: &UpdateEvent) -> Json {
    match event {
        UpdateEvent::ConnectorRemoved(name) => json!(["removed", name.as_ref()]),
        UpdateEvent::ConnectorUpdated(name) => json!(["updated", name.as_ref()]),
        UpdateEvent::TasksUpdated { tasks, .. } => {
            let tasks = tasks.iter().map(|id| (id.to_string(), true.into()));
            json!(["tasks", tasks.collect::<Map<_, _>>()])
        }
        UpdateEvent::TargetStateChanged(name) => json!(["target", name.as_ref()]),
        UpdateEvent::SessionKeyUpdated(key) => json!(["session", session(key)]),
        UpdateEvent::RestartRequested(request) => json!([
            "restart",
            request.connector.as_ref(),
            request.only_failed,
            request.include_tasks
        ]),
        UpdateEvent::LoggerLevelUpdated { namespace, level } => json!(["level", namespace, level]),
    }
}

fn session(key: &SessionKey) -> Json {
    json!([
        BASE64.encode(&key.key),
        key.algorithm,
        key.creation_timestamp
    ])
}

fn state(state: &ClusterConfigState) -> Json {
    let names: Vec<&str> = state.names().map(AsRef::as_ref).collect();
    let of = |value: &dyn Fn(&str) -> Option<Json>| {
        let found = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), value(name)?)));
        found.collect::<Map<_, _>>()
    };
    let config = |config: Option<&Arc<ConfigMap>>| config.map(|config| json!(**config));
    let mut tasks = Map::new();
    for name in &names {
        for task in state.configured_tasks(name) {
            let id = ConnectorTaskId::new(*name, task);
            tasks.insert(id.to_string(), config(state.raw_task_config(&id)).unwrap());
        }
    }
    let flags = |set: Vec<&Arc<str>>| {
        let flags = set
            .into_iter()
            .map(|name| (name.as_ref().to_owned(), true.into()));
        flags.collect::<Map<_, _>>()
    };
    json!({
        "offset": state.offset(),
        "session": state.session_key().map(session),
        "connectors": of(&|name| config(state.raw_connector_config(name))),
        "runs": of(&|name| state.contains(name).then(|| {
            state.tasks(name).iter().map(|id| id.task).collect()
        })),
        "counts": of(&|name| Some(state.task_count(name)).filter(|count| *count != 0).map(Json::from)),
        "targets": of(&|name| state.target_state(name).map(|target| target.name().into())),
        "tasks": tasks,
        "records": of(&|name| state.task_count_record(name).map(Json::from)),
        "generations": of(&|name| state.task_config_generation(name).map(Json::from)),
        "applied": of(&|name| config(state.applied_connector_config(name))),
        "pending": of(&|name| state.pending_fencing(name).then_some(true.into())),
        "inconsistent": flags(state.inconsistent_connectors().collect()),
    })
}
