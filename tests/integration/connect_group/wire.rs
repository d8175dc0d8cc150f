//! Bytes both ways: what Java writes, what it reads of ours, and what it refuses.

use std::sync::Arc;

use fastrand::Rng;
use ringmain::distributed::protocol::{
    Assignment, ConnectProtocol, PluginClasses, WorkerState, metadata_request,
};
use ringmain::distributed::{ConnectorTaskId, ConnectorsAndTasks};
use serde_json::{Value as Json, json};

use super::apache::{
    ask, assignment_json, base64, from_base64, has_our_order, name, state_json, which_java,
};
use crate::common::kafka;

const STATES: usize = 600;
const DAMAGED: usize = 4000;

/// Names of one hash: ten of them fill a bucket of a small `HashSet`.
fn colliding(rng: &mut Rng) -> ConnectorsAndTasks {
    let mut all: Vec<Arc<str>> = Vec::new();
    for bits in 0..16 {
        let parts = (0..4).map(|bit| ["Aa", "BB"][(bits >> bit) & 1]);
        all.push(Arc::from(parts.collect::<String>()));
    }
    rng.shuffle(&mut all);
    all.truncate(rng.usize(7..11));
    ConnectorsAndTasks {
        connectors: all.into_iter().collect(),
        ..ConnectorsAndTasks::default()
    }
}

fn work(rng: &mut Rng) -> ConnectorsAndTasks {
    if rng.u8(0..12) == 0 {
        return colliding(rng);
    }
    let most = [0, 3, 14, 40][rng.usize(0..4)];
    let connectors = (0..rng.usize(0..=most)).map(|_| name(rng)).collect();
    let mut tasks = Vec::new();
    for _ in 0..rng.usize(0..=most) {
        let number = if rng.u8(0..20) == 0 {
            -2
        } else {
            rng.i32(0..9)
        };
        tasks.push(ConnectorTaskId::new(name(rng), number));
    }
    ConnectorsAndTasks {
        connectors,
        tasks: tasks.into_iter().collect(),
    }
}

fn assignment(rng: &mut Rng, version: i16) -> Assignment {
    Assignment {
        version,
        error: rng.i16(0..2),
        leader: name(rng),
        leader_url: name(rng),
        config_offset: rng.i64(-1..100),
        assigned: work(rng),
        revoked: work(rng),
        delay_ms: rng.i32(0..300_000),
    }
}

fn state(rng: &mut Rng) -> WorkerState {
    let version = rng.i16(1..3);
    WorkerState {
        url: name(rng),
        config_offset: rng.i64(..),
        assignment: (rng.u8(0..5) > 0).then(|| assignment(rng, version)),
        plugins: None,
    }
}

fn with_plugins(state: &WorkerState) -> WorkerState {
    let names = [
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "Cast",
    ];
    WorkerState {
        plugins: Some(PluginClasses::new(names).unwrap()),
        ..state.clone()
    }
}

#[test]
fn every_version_has_the_bytes_that_java_writes() {
    let Some(kafka) = kafka() else { return };
    let mut rng = Rng::with_seed(51);
    let mut questions = vec![which_java()];
    let mut states = Vec::new();
    for number in 0..STATES {
        let state = state(&mut rng);
        let protocol = ConnectProtocol::ALL[number % 3];
        let mut question = state_json(&state);
        question["do"] = "write".into();
        question["protocol"] = protocol.to_string().into();
        questions.push(question);
        states.push((protocol, state));
    }
    let answers = ask(kafka, &questions);
    if !has_our_order(&answers[0]) {
        eprintln!("skipped: Java 19 and later write connectors in another order");
        return;
    }
    for ((protocol, state), apache) in states.iter().zip(&answers[1..]) {
        let listed = metadata_request(state, *protocol).unwrap();
        let listed: Vec<Json> = listed
            .iter()
            .map(|(name, bytes)| json!([name, base64(bytes)]))
            .collect();
        assert_eq!(apache["protocols"], Json::from(listed), "{state:?}");
        let written = state.assignment.iter().flat_map(|assignment| {
            [0, 1, 2].map(|version| {
                let assignment = Assignment {
                    version,
                    ..assignment.clone()
                };
                base64(&assignment.encode().unwrap())
            })
        });
        let written: Vec<String> = written.collect();
        assert_eq!(apache["assignments"], Json::from(written), "{state:?}");
    }
}

/// What is read, or `refused`.
fn ours(question: &Json) -> Json {
    let bytes = from_base64(&question["bytes"]);
    let read = match question["do"].as_str().unwrap() {
        "read metadata" => WorkerState::decode(&bytes).map(|state| state_json(&state)),
        _ => Assignment::decode(&bytes).map(|assignment| assignment_json(&assignment)),
    };
    read.unwrap_or_else(|_| "refused".into())
}

fn question(what: &str, bytes: &[u8]) -> Json {
    json!({"do": what, "bytes": base64(bytes)})
}

/// Java keeps what a list holds twice, and takes it for a set later.
fn deduplicated(mut answer: Json) -> Json {
    let unique = |list: &mut Json| {
        let mut seen = Vec::new();
        for item in list.as_array().into_iter().flatten() {
            if !seen.contains(item) {
                seen.push(item.clone());
            }
        }
        *list = seen.into();
    };
    for place in ["", "/assignment"] {
        for part in ["assigned/0", "assigned/1", "revoked/0", "revoked/1"] {
            if let Some(list) = answer.pointer_mut(&format!("{place}/{part}")) {
                unique(list);
            }
        }
    }
    answer
}

#[test]
fn java_reads_ours_and_what_damage_makes_of_it_as_we_do() {
    let Some(kafka) = kafka() else { return };
    let mut rng = Rng::with_seed(52);
    let mut questions = Vec::new();
    for number in 0..DAMAGED {
        let state = state(&mut rng);
        let mut bytes = match number % 3 {
            0 => state.encode(ConnectProtocol::ALL[rng.usize(0..3)]),
            1 => with_plugins(&state).encode(ConnectProtocol::ALL[rng.usize(0..3)]),
            _ => assignment(&mut rng, [0, 1, 2][number % 7 % 3]).encode(),
        }
        .unwrap();
        if number % 4 > 0 {
            damage(&mut bytes, &mut rng);
        }
        let what = if number % 3 == 2 {
            "read assignment"
        } else {
            "read metadata"
        };
        questions.push(question(what, &bytes));
    }
    let mut refused = 0;
    for (question, apache) in questions.iter().zip(ask(kafka, &questions)) {
        let apache = deduplicated(apache);
        assert_eq!(ours(question), apache, "{question}");
        refused += usize::from(apache == "refused");
    }
    assert!(
        (DAMAGED / 10..DAMAGED * 2 / 3).contains(&refused),
        "{refused} are refused"
    );
}

fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    match rng.u8(0..5) {
        0 => bytes.truncate(rng.usize(0..bytes.len())),
        1 => bytes.extend((0..rng.usize(1..9)).map(|_| rng.u8(..))),
        // A version of the future.
        2 => bytes[1] = rng.u8(3..),
        _ => {
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(0..bytes.len());
                bytes[at] = [0, 1, 0x7f, 0xff, rng.u8(..)][rng.usize(0..5)];
            }
        }
    }
}

/// Apache's worker reads a state with the plugins behind it as one without.
#[test]
fn java_does_not_see_the_plugins_of_a_worker() {
    let Some(kafka) = kafka() else { return };
    let mut rng = Rng::with_seed(53);
    let mut questions = Vec::new();
    for number in 0..60 {
        let state = state(&mut rng);
        let protocol = ConnectProtocol::ALL[number % 3];
        let bytes = with_plugins(&state).encode(protocol).unwrap();
        assert!(WorkerState::decode(&bytes).unwrap().plugins.is_some());
        questions.push(question("read metadata", &bytes));
        questions.push(question("read metadata", &state.encode(protocol).unwrap()));
    }
    for pair in ask(kafka, &questions).chunks(2) {
        assert_ne!(pair[0], "refused");
        assert_eq!(pair[0], pair[1]);
    }
}
