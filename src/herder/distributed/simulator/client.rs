//! A client that asks any worker for anything and follows where it is sent, and what it was promised.

use std::collections::BTreeMap;

use super::topics::Topic;
use super::worker::{Append, CLASS, Input, Task, Up};
use super::world::{Event, Life, Ms, W, World};
use crate::api::ConfigMap;
use crate::distributed::TopicRecord;
use crate::distributed::config_topic::{ConfigRecord, Decoded, Decoder, TargetState};
use crate::herder::distributed::{PeerError, Token, WriteError};
use crate::herder::entities::{HerderError, InitialState};
use crate::herder::standalone::{Reply, Request, RequestId};
use crate::worker::OffsetsRequest;

/// Who waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// The client, for what this ticket says.
    Client(u64),
    /// A worker that has task configurations.
    Peer(W, Life, Token),
}

/// Something the client wants.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    request: Request,
    /// End of the config topic when it was asked for.
    since: usize,
    hops: u32,
    pub(super) open: bool,
}

/// The client.
#[derive(Debug, Default)]
pub(super) struct Client {
    next_id: u64,
    next_ticket: u64,
    /// Version of the next configuration.
    next_version: u32,
    pub(super) tickets: BTreeMap<u64, Ticket>,
    /// Requests that are left.
    pub(super) left: u32,
    decoder: Decoder,
}

impl Client {
    pub(super) fn id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    fn version(&mut self) -> u32 {
        self.next_version += 1;
        self.next_version
    }

    /// Whether the client asked for a record of this kind.
    fn asked_for(&self, record: &ConfigRecord) -> bool {
        let mut tickets = self.tickets.values().map(|ticket| &ticket.request);
        tickets.any(|request| brings(request, record))
    }
}

/// Whether a record is what a request brings.
fn brings(request: &Request, record: &ConfigRecord) -> bool {
    match (request, record) {
        (
            Request::Create { name, config, .. } | Request::PutConfig { name, config },
            ConfigRecord::Connector {
                connector,
                config: Some(written),
            },
        ) => **name == **connector && config == written,
        (
            Request::Delete(name),
            ConfigRecord::Connector {
                connector,
                config: None,
            }
            | ConfigRecord::TargetState {
                connector,
                state: None,
            },
        ) => **name == **connector,
        (
            request,
            ConfigRecord::TargetState {
                connector,
                state: Some(state),
            },
        ) => target(request).is_some_and(|(name, wanted)| *name == **connector && wanted == *state),
        _ => false,
    }
}

/// The target state that a request sets.
fn target(request: &Request) -> Option<(&String, TargetState)> {
    match request {
        Request::Pause(name) => Some((name, TargetState::Paused)),
        Request::Resume(name) => Some((name, TargetState::Started)),
        Request::Stop(name) => Some((name, TargetState::Stopped)),
        Request::Create {
            name,
            initial_state,
            ..
        } => match initial_state {
            InitialState::Running => None,
            InitialState::Paused => Some((name, TargetState::Paused)),
            InitialState::Stopped => Some((name, TargetState::Stopped)),
        },
        _ => None,
    }
}

impl World {
    /// The client asks a worker for something, and comes back later.
    pub(super) fn client_acts(&mut self) {
        if self.client.left == 0 {
            return;
        }
        self.client.left -= 1;
        let request = self.some_request();
        self.client_wants(request);
        let wait = match self.chance(40) {
            true => self.rng.u64(0..20),
            false => self.rng.u64(20..self.plan.request_gap),
        };
        self.at(wait, Event::Client);
    }

    fn some_request(&mut self) -> Request {
        let name = format!("c{}", self.rng.u32(0..self.plan.connectors));
        match self.rng.u8(0..32) {
            0..=7 => Request::Create {
                config: self.some_config(&name),
                name,
                initial_state: match self.rng.u8(0..8) {
                    0 => InitialState::Paused,
                    1 => InitialState::Stopped,
                    _ => InitialState::Running,
                },
            },
            8..=12 => Request::PutConfig {
                config: self.some_config(&name),
                name,
            },
            13..=14 => Request::Delete(name),
            15..=16 => Request::Pause(name),
            17..=19 => Request::Resume(name),
            20..=21 => Request::Stop(name),
            22 => Request::RestartConnector(name),
            23 => Request::RestartTask {
                name,
                task: self.rng.u32(0..3),
            },
            24..=25 => Request::Restart {
                name,
                include_tasks: self.rng.bool(),
                only_failed: self.rng.bool(),
            },
            26 => Request::Status(name),
            27 => Request::Connectors,
            28 => Request::Ping,
            29 => Request::Tasks(name),
            30 => Request::Offsets {
                name,
                request: OffsetsRequest::Read,
            },
            _ => Request::Offsets {
                name,
                request: OffsetsRequest::Reset,
            },
        }
    }

    fn some_config(&mut self, name: &str) -> ConfigMap {
        let pairs = [
            ("name", name.to_owned()),
            ("connector.class", CLASS.to_owned()),
            ("tasks", self.rng.u32(1..4).to_string()),
            ("v", self.client.version().to_string()),
        ];
        pairs
            .map(|(key, value)| (key.to_owned(), Some(value)))
            .into_iter()
            .collect()
    }

    /// Asks any worker that is up.
    fn client_wants(&mut self, request: Request) {
        let up = (0..self.workers.len()).filter(|w| self.workers[*w].up == Up::Running);
        let up: Vec<W> = up.collect();
        if up.is_empty() {
            return;
        }
        let w = up[self.rng.usize(0..up.len())];
        self.ask_of(w, request);
    }

    fn ask_of(&mut self, w: W, request: Request) {
        self.client.next_ticket += 1;
        let number = self.client.next_ticket;
        if changes_rounds(&request) {
            self.disturbances += 1;
        }
        let since = self.logs[0].end();
        let ticket = Ticket {
            request,
            since,
            hops: 0,
            open: true,
        };
        self.client.tickets.insert(number, ticket);
        self.send_ticket(w, number);
    }

    /// Asks the leader.
    pub(super) fn leader_shall(&mut self, request: Request) {
        let leads = |w: &W| {
            let machine = self.workers[*w].machine.as_ref();
            machine.is_some_and(|machine| machine.group.is_leader())
        };
        let leader = (0..self.workers.len()).find(leads);
        self.ask_of(leader.unwrap_or(0), request);
    }

    fn send_ticket(&mut self, w: W, number: u64) {
        let id = self.client.id();
        let Some(ticket) = self.client.tickets.get(&number) else {
            return;
        };
        let task = Task::Request(id, Origin::Client(number), ticket.request.clone());
        let wait = self.latency();
        self.later(w, wait, task);
    }

    /// Nobody will answer.
    pub(super) fn unanswered(&mut self, origin: Origin) {
        match origin {
            Origin::Client(number) => {
                if let Some(ticket) = self.client.tickets.get_mut(&number) {
                    ticket.open = false;
                }
            }
            Origin::Peer(w, life, token) => {
                let gone = PeerError {
                    status: None,
                    message: "connection reset".to_owned(),
                };
                self.peer_hears(w, life, token, Err(gone));
            }
        }
    }

    fn peer_hears(&mut self, w: W, life: Life, token: Token, result: Result<(), PeerError>) {
        if self.workers[w].life == life {
            let wait = self.latency();
            self.later(w, wait, Task::Machine(Input::Peer(token, result)));
        }
    }

    /// A worker answers.
    pub(super) fn answer(&mut self, w: W, id: RequestId, result: Result<Reply, HerderError>) {
        let origin = self.workers[w].origins.remove(&id);
        let Some(origin) = origin else {
            panic!(
                "worker {w} answers request {} that it does not have: {result:?}",
                id.0
            );
        };
        self.trace(w, || match &result {
            Ok(_) => format!("answers {}", id.0),
            Err(error) => format!("answers {} with {error}", id.0),
        });
        match origin {
            Origin::Client(number) => self.client_hears(w, number, result),
            Origin::Peer(from, life, token) => {
                let result = result.map(drop).map_err(|error| PeerError {
                    status: Some(409),
                    message: error.to_string(),
                });
                self.peer_hears(from, life, token, result);
            }
        }
    }

    fn client_hears(&mut self, w: W, number: u64, result: Result<Reply, HerderError>) {
        let Some(ticket) = self.client.tickets.get_mut(&number) else {
            return;
        };
        if let Err(HerderError::Elsewhere { url: Some(url), .. }) = &result
            && ticket.hops < 3
        {
            ticket.hops += 1;
            if let Some(to) = self.worker_at(url)
                && self.workers[to].up != Up::Down
            {
                return self.send_ticket(to, number);
            }
            return self.unanswered(Origin::Client(number));
        }
        ticket.open = false;
        if result.is_ok() {
            let ticket = ticket.clone();
            self.check_promise(w, &ticket);
        }
    }

    /// What was answered as done is in the topic, and the worker has read it.
    fn check_promise(&mut self, w: W, ticket: &Ticket) {
        let wanted = match &ticket.request {
            Request::Create { .. } | Request::PutConfig { .. } | Request::Delete(_) => true,
            request => target(request).is_some(),
        };
        if !wanted {
            return;
        }
        let mut found = None;
        for (offset, entry) in self.logs[0].written(ticket.since) {
            if entry.by == Some(w)
                && let Some(record) = decoded(&mut self.client.decoder, &entry.record)
                && brings(&ticket.request, &record)
            {
                found = Some(offset);
                break;
            }
        }
        let Some(offset) = found else {
            panic!(
                "{:?} was answered as done and is not in the config topic",
                ticket.request
            );
        };
        assert!(
            self.workers[w].read[0] > offset,
            "{:?} was answered by worker {w} before it had read it back",
            ticket.request
        );
    }

    /// Records reach a topic: written, or not, and told so, or not.
    pub(super) fn append(&mut self, append: Append) {
        let worker = &self.workers[append.worker];
        let gone = worker.life != append.life || worker.up == Up::Down;
        if worker.cut_topics {
            if !gone {
                self.held_up(append);
            }
            return;
        }
        let fate = if self.calm { u8::MAX } else { self.rng.u8(..) };
        let Append {
            worker,
            life,
            topic,
            token,
            records,
        } = append;
        let mut result = Ok(());
        let error = |message: &str| WriteError {
            message: message.to_owned(),
            retriable: true,
        };
        let written = match fate {
            0..=3 => {
                result = Err(error("not written"));
                0
            }
            4..=5 => {
                result = Err(error("partly written"));
                records.len() / 2
            }
            6..=9 => {
                result = Err(error("acknowledgement lost"));
                records.len()
            }
            _ => records.len(),
        };
        let twice = (10..=12).contains(&fate);
        for record in records.into_iter().take(written) {
            if twice {
                self.write(topic, record.clone(), worker);
            }
            self.write(topic, record, worker);
        }
        self.appended(topic);
        if self.workers[worker].life == life {
            let wait = self.latency();
            let input = match topic {
                Topic::Config => Input::ConfigWritten(token, result),
                Topic::Status(_) => Input::StatusWritten(token, result),
            };
            self.later(worker, wait, Task::Machine(input));
        }
    }

    /// The producer of the config topic tries for ever, that of the status topic gives up.
    fn held_up(&mut self, append: Append) {
        if append.topic == Topic::Config {
            return self.at(150, Event::Append(append));
        }
        let error = WriteError {
            message: "no broker".to_owned(),
            retriable: true,
        };
        let wait = self.rng.u64(500..4_000);
        let written = Input::StatusWritten(append.token, Err(error));
        self.later(append.worker, wait, Task::Machine(written));
    }

    fn write(&mut self, topic: Topic, record: TopicRecord, by: W) {
        if topic == Topic::Config {
            self.check_written(&record, by);
        }
        self.trace(by, || {
            let value = record
                .value
                .as_ref()
                .map(|value| String::from_utf8_lossy(value).into_owned());
            let key = String::from_utf8_lossy(&record.key).into_owned();
            format!(
                "writes {key} = {}",
                value.unwrap_or_else(|| "nothing".to_owned())
            )
        });
        self.log(topic).append(record, Some(by));
    }

    /// Nobody changes what the client did not ask to change.
    fn check_written(&mut self, record: &TopicRecord, by: W) {
        let Some(decoded) = decoded(&mut self.client.decoder, record) else {
            panic!("worker {by} writes {record:?}, which nobody can read");
        };
        let clients = matches!(
            decoded,
            ConfigRecord::Connector { .. } | ConfigRecord::TargetState { .. }
        );
        assert!(
            !clients || self.client.asked_for(&decoded),
            "worker {by} writes {decoded:?}, which nobody asked for"
        );
        if let ConfigRecord::Commit { connector, tasks } = &decoded {
            self.check_commit(by, connector, *tasks);
        }
    }

    /// A worker's commit comes after its tasks.
    fn check_commit(&mut self, by: W, connector: &str, tasks: i32) {
        let mut found = std::collections::BTreeSet::new();
        for (_, entry) in self.logs[0]
            .written(0)
            .filter(|(_, entry)| entry.by == Some(by))
        {
            match decoded(&mut self.client.decoder, &entry.record) {
                Some(ConfigRecord::Task { id, .. }) if *id.connector == *connector => {
                    found.insert(id.task);
                }
                Some(ConfigRecord::Commit { connector: of, .. }) if *of == *connector => {
                    found.clear();
                }
                _ => {}
            }
        }
        // A commit that is written twice follows itself.
        let again = self.logs[0].written(0).last().is_some_and(|(_, entry)| {
            entry.by == Some(by) && entry.record.key == format!("commit-{connector}").as_bytes()
        });
        let all = (0..tasks).all(|task| found.contains(&task));
        assert!(
            all || again,
            "worker {by} commits {tasks} tasks of {connector} and wrote {found:?}"
        );
    }

    /// When the client last heard of anything: for the end of chaos.
    pub(super) fn open_tickets(&self) -> Vec<&Ticket> {
        self.client
            .tickets
            .values()
            .filter(|ticket| ticket.open)
            .collect()
    }
}

/// What a record of the config topic says.
pub(super) fn decoded(decoder: &mut Decoder, record: &TopicRecord) -> Option<ConfigRecord> {
    match decoder.decode(Some(&record.key), record.value.as_deref()) {
        Decoded::Record(record, _) => Some(record),
        Decoded::Ignored(_) | Decoded::UnreadableCommit { .. } => None,
    }
}

/// Whether a request may lead to rounds of the group.
fn changes_rounds(request: &Request) -> bool {
    !matches!(
        request,
        Request::Status(_)
            | Request::Connectors
            | Request::Ping
            | Request::Tasks(_)
            | Request::Offsets { .. }
    )
}

/// Longest time between two requests.
pub(super) const REQUEST_GAP: Ms = 6_000;
