//! Assignors beside Apache's, round after round.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use ringmain::distributed::assignor::ringmain::{GroupAssignor, LostTasks};
use ringmain::distributed::assignor::{
    AssignorError, EagerAssignor, GroupAssignment, IncrementalCooperativeAssignor, LeaderState,
    Member, Round,
};
use ringmain::distributed::protocol::{Assignment, ConnectProtocol, WorkerState};
use ringmain::distributed::{ConnectorTaskId, ConnectorsAndTasks};
use serde_json::{Value as Json, json};

use super::apache::{ask, assignment_json, base64, from_base64, has_our_order, which_java};
use super::history::{History, Known, Situation};
use crate::common::kafka;

const HISTORIES: u64 = 2000;
const ROUNDS: usize = 10;

/// One of ours.
enum Ours {
    Eager,
    Incremental(Box<IncrementalCooperativeAssignor>),
    /// A Ringmain leader, in a group whose workers can all run everything.
    Ringmain(Box<GroupAssignor>),
}

impl Ours {
    fn perform(&mut self, round: Round<'_>) -> Result<GroupAssignment, AssignorError> {
        match self {
            Self::Eager => EagerAssignor::perform_assignment(round),
            Self::Incremental(assignor) => assignor.perform_assignment(round),
            Self::Ringmain(assignor) => assignor.perform_assignment(round),
        }
    }
}

/// What happened in the rounds, so that the test can tell that it asked something.
#[derive(Debug, Default)]
struct Seen {
    rounds: usize,
    mismatches: usize,
    revoked: usize,
    delayed: usize,
    newly_assigned: usize,
    failed_generations: usize,
}

impl Seen {
    fn add(&mut self, history: &History, assigned: &GroupAssignment) {
        let any = |what: fn(&Assignment) -> bool| {
            let mut assignments = assigned.assignments.iter();
            usize::from(assignments.any(|(_, assignment)| what(assignment)))
        };
        self.rounds += 1;
        self.mismatches += usize::from(assigned.leader_state.is_none());
        self.revoked += any(|assignment| !assignment.revoked.is_empty());
        self.delayed += any(|assignment| assignment.delay_ms > 0);
        self.newly_assigned += any(|assignment| !assignment.assigned.is_empty());
        self.failed_generations += usize::from(history.completed != history.generation);
    }
}

fn known_json(known: &Known) -> Json {
    let connectors = known.connectors.iter();
    let connectors: Vec<Json> = connectors
        .map(|(name, tasks, inconsistent)| json!([&**name, tasks, inconsistent]))
        .collect();
    json!({"offset": known.offset, "connectors": connectors})
}

fn owners(state: Option<&LeaderState>) -> Json {
    let Some(state) = state else {
        return Json::Null;
    };
    let mut owners = BTreeMap::new();
    for (connector, owner) in state.connector_owners() {
        owners.insert(connector.to_owned(), owner);
    }
    for (task, owner) in state.task_owners() {
        owners.insert(format!("{task} of {}", task.connector), owner);
    }
    json!(owners)
}

fn max_delay(rng: &mut Rng) -> i32 {
    match rng.u8(0..8) {
        0 => 0,
        1 => [1, 2, 39, 40, 41, 1_600][rng.usize(0..6)],
        2 => i32::MAX,
        3 => 10_000,
        _ => 300_000,
    }
}

/// A question to Apache and our answer per round.
fn history(seed: u64, seen: &mut Seen) -> (Json, Vec<Json>) {
    let mut rng = Rng::with_seed(seed);
    let max_delay_ms = max_delay(&mut rng);
    let incremental = [ConnectProtocol::Compatible, ConnectProtocol::Sessioned];
    let protocol = match seed % 10 {
        0 => ConnectProtocol::Eager,
        other => incremental[usize::from(other % 2 == 0)],
    };
    let mut ours = match (rng.bool(), protocol) {
        (true, _) => {
            let assignor = GroupAssignor::new(max_delay_ms, LostTasks::AfterDelay);
            Ours::Ringmain(Box::new(assignor))
        }
        (false, ConnectProtocol::Eager) => Ours::Eager,
        (false, _) => {
            Ours::Incremental(Box::new(IncrementalCooperativeAssignor::new(max_delay_ms)))
        }
    };
    let mut history = History::new(rng, max_delay_ms);
    let mut rounds = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        let situation = history.next();
        let members = written(&situation.members, protocol);
        rounds.push(question(&history, &situation, &members));
        // As a leader gets them: what a worker runs has another order once it was written and read.
        let members: Vec<Member> = members.iter().map(read).collect();
        let assigned = ours.perform(Round {
            leader: &situation.leader,
            protocol,
            members: &members,
            snapshot: &situation.snapshot.configuration(),
            latest: &situation.latest.configuration(),
            generation: history.generation,
            last_completed_generation: history.completed,
            now_ms: history.now_ms,
        });
        let assigned = assigned.unwrap();
        answers.push(answer(&assigned));
        history.follow(&assigned);
        seen.add(&history, &assigned);
    }
    let question = json!({
        "do": "history",
        "protocol": protocol.to_string(),
        "maxDelay": max_delay_ms,
        "rounds": rounds,
    });
    (question, answers)
}

/// Members' ids and what they say.
fn written(members: &[Member], protocol: ConnectProtocol) -> Vec<(Arc<str>, Vec<u8>)> {
    let members = members.iter();
    members
        .map(|member| {
            (
                Arc::clone(&member.id),
                member.state.encode(protocol).unwrap(),
            )
        })
        .collect()
}

fn read((id, bytes): &(Arc<str>, Vec<u8>)) -> Member {
    Member {
        id: Arc::clone(id),
        state: WorkerState::decode(bytes).unwrap(),
    }
}

fn question(history: &History, situation: &Situation, members: &[(Arc<str>, Vec<u8>)]) -> Json {
    let members = members.iter();
    let members: Vec<Json> = members
        .map(|(id, bytes)| json!([&**id, base64(bytes)]))
        .collect();
    json!({
        "now": history.now_ms,
        "generation": history.generation,
        "completed": history.completed,
        "leader": &*situation.leader,
        "members": members,
        "snapshot": known_json(&situation.snapshot),
        "latest": known_json(&situation.latest),
    })
}

fn answer(assigned: &GroupAssignment) -> Json {
    let assignments = assigned.assignments.iter();
    let assignments: BTreeMap<&str, String> = assignments
        .map(|(id, assignment)| (&**id, base64(&assignment.encode().unwrap())))
        .collect();
    json!({"assignments": assignments, "owners": owners(assigned.leader_state.as_ref())})
}

/// An answer in words; without the order that depends on Java's version.
fn in_words(answer: &Json) -> Json {
    let assignments = answer["assignments"].as_object().unwrap();
    let shown = assignments.iter().map(|(id, bytes)| {
        let mut shown = assignment_json(&Assignment::decode(&from_base64(bytes)).unwrap());
        for part in ["/assigned/0", "/assigned/1", "/revoked/0", "/revoked/1"] {
            let list = shown.pointer_mut(part).unwrap().as_array_mut().unwrap();
            list.sort_by_key(ToString::to_string);
        }
        (id.as_str(), shown)
    });
    let shown: BTreeMap<&str, Json> = shown.collect();
    json!({"assignments": shown, "owners": answer["owners"]})
}

#[test]
fn leaders_assign_as_apache_s_in_random_histories() {
    let Some(kafka) = kafka() else { return };
    let mut seen = Seen::default();
    let mut questions = vec![which_java()];
    let mut ours = Vec::new();
    for seed in 0..HISTORIES {
        let (question, answers) = history(seed, &mut seen);
        questions.push(question);
        ours.push(answers);
    }
    let answers = ask(kafka, &questions);
    let exact = has_our_order(&answers[0]);
    for (seed, (ours, apache)) in ours.iter().zip(&answers[1..]).enumerate() {
        let apache = apache.as_array().unwrap();
        assert_eq!(apache.len(), ROUNDS);
        for (round, (ours, apache)) in ours.iter().zip(apache).enumerate() {
            if ours == apache || (!exact && in_words(ours) == in_words(apache)) {
                continue;
            }
            let question = &questions[seed + 1]["rounds"][round];
            panic!(
                "history {seed}, round {round}\napache {}\n  ours {}\nasked {question}",
                in_words(apache),
                in_words(ours),
            );
        }
    }
    eprintln!("{seen:?}");
    let least = seen.rounds / 100;
    for count in [
        seen.mismatches,
        seen.revoked,
        seen.delayed,
        seen.newly_assigned,
    ] {
        assert!(count > least, "{seen:?}");
    }
    assert!(seen.failed_generations > least, "{seen:?}");
}

/// What the first leader of a group that never does as it is told makes its members wait, each time that it
/// would revoke once more.
fn pauses(max_delay_ms: i32) -> Vec<i64> {
    let configuration = Known {
        offset: 1,
        connectors: vec![("c".into(), 2, false)],
    };
    let configuration = configuration.configuration();
    let mut busy = Assignment {
        version: 2,
        error: 0,
        leader: "busy".into(),
        leader_url: "url".into(),
        config_offset: 1,
        assigned: ConnectorsAndTasks::default(),
        revoked: ConnectorsAndTasks::default(),
        delay_ms: 0,
    };
    busy.assigned
        .tasks
        .extend([0, 1].map(|task| ConnectorTaskId::new("c", task)));
    let members = [("busy", Some(busy)), ("idle", None)].map(|(id, assignment)| Member {
        id: id.into(),
        state: WorkerState {
            url: "url".into(),
            config_offset: 1,
            assignment,
            plugins: None,
        },
    });
    let mut assignor = IncrementalCooperativeAssignor::new(max_delay_ms);
    let mut round = Round {
        leader: "busy",
        protocol: ConnectProtocol::Sessioned,
        members: &members,
        snapshot: &configuration,
        latest: &configuration,
        generation: 0,
        last_completed_generation: -1,
        now_ms: 1,
    };
    let mut pauses = Vec::new();
    for number in 0..16 {
        round.last_completed_generation = round.generation;
        round.generation += 1;
        let assigned = assignor.perform_assignment(round).unwrap();
        let delay = i64::from(assigned.assignments[0].1.delay_ms);
        round.now_ms += delay;
        if number % 2 == 1 {
            pauses.push(delay);
        } else {
            assert_eq!(delay, 0);
        }
    }
    pauses
}

#[test]
fn pauses_between_revocations_are_apache_s() {
    let Some(kafka) = kafka() else { return };
    let mut rng = Rng::with_seed(54);
    let mut delays: Vec<i32> = (0..100).collect();
    delays.extend([1_600, 64_000, 300_000, 600_000, 2_560_000, i32::MAX]);
    delays.extend((0..1_000).map(|_| rng.i32(0..1_000_000)));
    let answers = ask(kafka, &[json!({"do": "backoff", "max": delays})]);
    for (max, apache) in delays.iter().zip(answers[0].as_array().unwrap()) {
        let ours = pauses(*max);
        assert_eq!(&json!(ours), apache, "at most {max} ms");
    }
}
