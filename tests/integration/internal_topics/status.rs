//! Histories of the status topic.

use std::sync::Arc;

use ringmain::distributed::ConnectorTaskId;
use ringmain::distributed::status_topic::{
    State, Status, StatusOf, StatusTopic, StatusWrite, TopicStatus,
};
use serde_json::{Map, Value as Json, json};

use super::generate::{NAMES, Random, optional_base64, sent};
use super::{Case, History};

const TOPICS: [&str; 3] = ["t", "t.2", "é"];

/// All of them; the two that meet in a rebalance more often.
const STATES: [State; 11] = [
    State::Running,
    State::Running,
    State::Running,
    State::Unassigned,
    State::Unassigned,
    State::Unassigned,
    State::Failed,
    State::Paused,
    State::Stopped,
    State::Restarting,
    State::Destroyed,
];

/// What was sent: a status, or something about a topic, which is always sent again.
type Sent = Result<StatusWrite, ringmain::distributed::TopicRecord>;

pub(super) fn case(random: &mut Random) -> Case {
    let mut history = History::default();
    let mut topic = StatusTopic::new();
    let mut writes: Vec<Sent> = Vec::new();
    for _ in 0..=random.below(40) {
        match random.below(20) {
            0..9 => {
                let (key, value) = record(random);
                drop(topic.apply(key.as_deref(), value.as_deref()));
                let shown = (
                    optional_base64(key.as_deref()),
                    optional_base64(value.as_deref()),
                );
                history.add(json!(["record", shown.0, shown.1]), Json::Null);
            }
            9..14 => put(random, &mut topic, &mut writes, &mut history),
            14 | 15 => used(random, &mut writes, &mut history),
            16..19 if !writes.is_empty() => fail(random, &topic, &mut writes, &mut history),
            _ => history.add(json!(["state"]), state(&topic)),
        }
    }
    history.add(json!(["state"]), state(&topic));
    Case {
        question: json!({
            "do": "status", "names": NAMES, "topics": TOPICS, "steps": history.steps
        }),
        ours: history.ours.into(),
    }
}

/// Names that this worker writes statuses of.
fn own_name(random: &mut Random) -> &'static str {
    random.pick(&NAMES[..2])
}

fn put(
    random: &mut Random,
    topic: &mut StatusTopic,
    writes: &mut Vec<Sent>,
    history: &mut History,
) {
    let name = own_name(random);
    let task = (!random.one_in(3)).then(|| random.pick(&[0, 1]));
    let status = Status {
        state: random.pick(&STATES),
        trace: random.one_in(3).then(|| random.text().to_owned()),
        worker_id: random
            .pick(&["mine:8083", "mine:8083", "other:8083"])
            .to_owned(),
        generation: random.pick(&[3, 4, 4, 5]),
        version: random.one_in(2).then(|| random.text().to_owned()),
    };
    let of = match task {
        None => StatusOf::Connector(Arc::from(name)),
        Some(task) => StatusOf::Task(ConnectorTaskId::new(name, task)),
    };
    let safe = random.one_in(2);
    let write = if safe {
        topic.put_safe(&of, &status)
    } else {
        Some(topic.put(&of, &status))
    };
    let (state, version) = (status.state.name(), &status.version);
    let step = json!([
        "put",
        safe,
        name,
        task,
        state,
        status.trace,
        status.worker_id,
        status.generation,
        version
    ]);
    history.add(step, sent(write.iter().map(|write| &write.record)));
    writes.extend(write.map(Ok));
}

fn used(random: &mut Random, writes: &mut Vec<Sent>, history: &mut History) {
    let (name, topic) = (own_name(random), random.pick(&TOPICS));
    let (step, record) = if random.one_in(3) {
        let record = TopicStatus::removal(name, topic);
        (json!(["unused", name, topic]), record)
    } else {
        let status = TopicStatus {
            topic: topic.to_owned(),
            connector: Arc::from(name),
            task: random.pick(&[0, 3]),
            discover_timestamp: random.pick(&[1_700_000_000_000, 0]),
        };
        let step = json!(["used", name, topic, status.task, status.discover_timestamp]);
        (step, status.encode())
    };
    history.add(step, sent([&record]));
    writes.push(Err(record));
}

/// A write fails with an error that passes.
fn fail(random: &mut Random, topic: &StatusTopic, writes: &mut Vec<Sent>, history: &mut History) {
    // Rather one of the last.
    let at = writes.len() - 1 - random.below(writes.len().min(3));
    let again = match &writes[at] {
        Ok(write) => topic.may_retry(write).then(|| Ok(write.clone())),
        Err(record) => Some(Err(record.clone())),
    };
    let record = again.as_ref().map(|again| match again {
        Ok(write) => &write.record,
        Err(record) => record,
    });
    history.add(json!(["fail", at]), sent(record));
    writes.extend(again);
}

/// A record, more or less as a worker would write it.
fn record(random: &mut Random) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let name = random.name();
    let key = match random.below(24) {
        0..7 => format!("status-connector-{name}"),
        7..16 => {
            let number = if random.one_in(20) {
                random.pick(&["", "x", "+1", "٣", "0--", "2147483648"])
            } else {
                random.pick(&["0", "1"])
            };
            format!("status-task-{name}-{number}")
        }
        16..21 => format!("status-topic-{}:connector-{name}", random.pick(&TOPICS)),
        21 => random.pick(&TOPIC_KEYS).to_owned(),
        22 => random
            .pick(&["", "status-", "status-task-0", "connector-a", "x"])
            .to_owned(),
        _ => return (None, Some(random.garbage())),
    };
    let value = match random.below(12) {
        0 | 1 => None,
        2 => Some(random.garbage()),
        _ if key.starts_with("status-topic-") => Some(topic_value(random).into_bytes()),
        _ => Some(status_value(random, name).into_bytes()),
    };
    (Some(key.into_bytes()), value)
}

const TOPIC_KEYS: [&str; 7] = [
    "status-topic-t",
    "status-topic-:connector-a",
    "status-topic-t:connector-",
    "status-topic-t:0123456789-a",
    "status-topic-t:😀nnector--a",
    "status-topic-t:short",
    "status-topic-t:",
];

fn status_value(random: &mut Random, name: &str) -> String {
    let state = match random.below(15) {
        0 => random.pick(&["null", "1", "\"running\"", "{}"]).to_owned(),
        _ => format!("\"{}\"", random.pick(&STATES).name()),
    };
    let text = |random: &mut Random| match random.below(12) {
        0 => "7".to_owned(),
        1..5 => "null".to_owned(),
        _ => Json::from(random.text()).to_string(),
    };
    let (trace, version) = (text(random), text(random));
    // Apache's worker fails when it meets its own connector's status without a worker.
    let worker = match random.below(3) {
        0 if !NAMES[..2].contains(&name) => random.pick(&["null", "\"\"", "3"]),
        _ => random.pick(&["\"mine:8083\"", "\"other:8083\""]),
    };
    let generation = match random.below(15) {
        0 => random.pick(&["null", "1.0", "\"4\"", "4294967299", "-1"]),
        _ => random.pick(&["3", "4", "5"]),
    };
    match random.below(8) {
        0 => format!(
            "{{\"state\":{state},\"worker_id\":{worker},\"generation\":{generation},\"more\":[]}}"
        ),
        _ => format!(
            "{{\"state\":{state},\"trace\":{trace},\"worker_id\":{worker},\"generation\":{generation},\"version\":{version}}}"
        ),
    }
}

fn topic_value(random: &mut Random) -> String {
    if random.one_in(15) {
        return random
            .pick(&["{\"topic\":null}", "{\"topic\":[]}", "{\"topic\":{}}"])
            .to_owned();
    }
    let name = random.pick(&["\"t\"", "\"t.2\"", "\"t\"", "null", "1"]);
    let connector = random.pick(&["\"a\"", "\"b\"", "\"a\"", "null"]);
    let task = random.pick(&["0", "1", "0", "4294967297", "1.5", "null"]);
    let time = random.pick(&["1700000000000", "5", "5", "\"5\"", "null"]);
    format!(
        "{{\"topic\":{{\"name\":{name},\"connector\":{connector},\"task\":{task},\"discoverTimestamp\":{time}}}}}"
    )
}

fn state(topic: &StatusTopic) -> Json {
    let known = topic
        .connectors()
        .map(|name| (name.as_ref().to_owned(), true.into()));
    let mut state = Map::new();
    state.insert("known".to_owned(), known.collect::<Map<_, _>>().into());
    for name in NAMES {
        let tasks = topic
            .tasks(name)
            .map(|(task, status)| (task.to_string(), shown(status)));
        let tasks: Map<_, _> = tasks.collect();
        let used = TOPICS
            .iter()
            .filter_map(|used| Some(((*used).to_owned(), use_of(topic.topic(name, used)?))));
        let used: Map<_, _> = used.collect();
        let all = topic
            .topics(name)
            .map(|status| (use_of(status).to_string(), true.into()));
        let of = json!({
            "connector": topic.connector(name).map(shown),
            "tasks": tasks,
            "used": used,
            "topics": all.collect::<Map<_, _>>(),
        });
        state.insert(format!("of {name}"), of);
    }
    state.into()
}

fn shown(status: &Status) -> Json {
    json!([
        status.state.name(),
        status.trace,
        status.worker_id,
        status.generation,
        status.version
    ])
}

fn use_of(status: &TopicStatus) -> Json {
    json!([
        status.topic,
        status.connector.as_ref(),
        status.task,
        status.discover_timestamp
    ])
}
