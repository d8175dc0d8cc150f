//! A worker: its machine, and around it what the driver and the rest of the process do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::client::Origin;
use super::instances::{Fake, Place};
use super::member::{Member, MemberInput};
use super::topics::Topic;
use super::world::{Event, Life, Ms, W, World};
use crate::api::{ConfigMap, ConnectorKind};
use crate::distributed::TopicRecord;
use crate::distributed::assignor::ringmain::LostTasks;
use crate::distributed::config_topic::SessionKey;
use crate::distributed::protocol::{ConnectProtocol, PluginClasses};
use crate::distributed::signature::{MacAlgorithm, RequestSignature, sign};
use crate::herder::distributed::{
    ConfigCommand, Joined, KeySettings, Lead, Machine, Output, PeerCall, PeerError, Record,
    Settings, Token, WriteError,
};
use crate::herder::standalone::{Output as Local, Request, RequestId};
use crate::task::control::Wish;
use crate::worker::{InstanceEvent, InstanceId, OffsetsAnswer, OffsetsRequest};

/// Class of the connectors.
pub(super) const CLASS: &str = "Fake";
/// How long a task may take to stop.
pub(super) const GRACE: Ms = 5_000;

/// What does not change about a worker.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) url: Arc<str>,
    pub(super) protocol: ConnectProtocol,
    pub(super) max_delay: i32,
    pub(super) lost_tasks: LostTasks,
    pub(super) keeps_id: bool,
    pub(super) skew: i64,
    /// It is in its group as Apache's worker is: it does not say what it can run, keeps what it runs when its
    /// session is lost, and tells nobody how far all have read.
    pub(super) apache: bool,
}

impl Profile {
    /// `host:port` of its URL.
    pub(super) fn worker_id(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Up {
    Running,
    /// SIGSTOP.
    Frozen,
    Down,
}

/// The network between a worker and the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    No,
    /// Nothing comes through, and nobody says so.
    Silent,
    /// Connections break at once.
    Refused,
}

/// What a worker is told; kept while it is frozen.
#[derive(Debug)]
pub(super) enum Task {
    Tick,
    Machine(Input),
    Member(MemberInput),
    /// The consumer of a topic has got something.
    Deliver(Topic),
    /// The end of the config topic is asked for.
    ReadToEnd(Token),
    /// An instance gets round to what it is to do.
    Act(InstanceId),
    /// An instance tells something.
    Tells(InstanceId, InstanceEvent),
    Request(RequestId, Origin, Request),
}

/// Inputs of the machine from the worker's other threads.
#[derive(Debug)]
pub(super) enum Input {
    Prepare(u64),
    Lead(u64, Lead),
    Joined(Joined),
    SessionLost(&'static str),
    ConfigWritten(Token, Result<(), WriteError>),
    ConfigRead(Token, Result<(), WriteError>),
    StatusWritten(Token, Result<(), WriteError>),
    Peer(Token, Result<(), PeerError>),
    OffsetsDone(RequestId, OffsetsRequest),
    OffsetsStarted,
    ShutDown,
}

/// Records on their way to a topic.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) worker: W,
    pub(super) life: Life,
    pub(super) topic: Topic,
    pub(super) token: Token,
    pub(super) records: Vec<TopicRecord>,
}

/// A worker.
pub(super) struct Worker {
    pub(super) profile: Profile,
    pub(super) up: Up,
    pub(super) life: Life,
    pub(super) machine: Option<Machine>,
    pub(super) member: Member,
    /// What the driver handed to the machine last: its answers belong to that.
    pub(super) handed: u64,
    pub(super) live: BTreeMap<InstanceId, Fake>,
    pub(super) backlog: Vec<Task>,
    pub(super) skew: i64,
    pub(super) cut_group: Cut,
    pub(super) cut_topics: bool,
    /// What reading the topics takes longer.
    pub(super) slow: Ms,
    /// Offsets up to which topics were read.
    pub(super) read: [usize; 3],
    /// When the last records that were sent reach their topics.
    sent: [Ms; 3],
    delivering: [bool; 3],
    /// Where the topics ended when the worker started, until it has read that.
    boot: [Option<usize>; 3],
    reads: Vec<(Token, usize)>,
    tick_at: Option<Ms>,
    pub(super) origins: BTreeMap<RequestId, Origin>,
}

impl Worker {
    pub(super) fn new(profile: &Profile) -> Self {
        Self {
            up: Up::Down,
            life: 0,
            machine: None,
            member: Member::new(profile.keeps_id),
            handed: 0,
            live: BTreeMap::new(),
            backlog: Vec::new(),
            skew: profile.skew,
            cut_group: Cut::No,
            cut_topics: false,
            slow: 0,
            read: [0; 3],
            sent: [0; 3],
            delivering: [false; 3],
            boot: [None; 3],
            reads: Vec::new(),
            tick_at: None,
            origins: BTreeMap::new(),
            profile: profile.clone(),
        }
    }

    fn settings(&self) -> Settings {
        let profile = &self.profile;
        let mut keys: u8 = 0;
        Settings {
            worker_id: profile.worker_id().to_owned(),
            url: Arc::clone(&profile.url),
            protocol: profile.protocol,
            rebalance_max_delay_ms: profile.max_delay,
            lost_tasks: profile.lost_tasks,
            graceful_timeout: Duration::from_millis(GRACE),
            sync_timeout: Duration::from_secs(3),
            unsync_backoff: Duration::from_secs(30),
            keys: KeySettings {
                ttl: Duration::from_secs(3_600),
                algorithm: "HmacSHA256".to_owned(),
                bytes: 8,
            },
            verification_algorithms: vec!["HmacSHA256".to_owned()],
            plugins: PluginClasses::new([CLASS]).expect("a short name"),
            describe: Box::new(|_| Ok((ConnectorKind::Source, "1".to_owned()))),
            make_key: Box::new(move || {
                keys = keys.wrapping_add(1);
                Some(vec![keys; 8])
            }),
        }
    }
}

impl World {
    /// A process begins.
    pub(super) fn start_worker(&mut self, w: W) {
        let ends = Topic::ALL.map(|topic| Some(self.logs[topic.index()].end()));
        let now = self.now_of(w);
        let worker = &mut self.workers[w];
        worker.up = Up::Running;
        worker.machine = Some(Machine::new(worker.settings(), now));
        worker.member = Member::new(worker.profile.keeps_id);
        worker.read = [0; 3];
        worker.delivering = [true; 3];
        worker.boot = ends;
        self.trace(w, || "starts".to_owned());
        self.disturbances += 1;
        for topic in Topic::ALL {
            let wait = self.rng.u64(1..60);
            self.later(w, wait, Task::Deliver(topic));
        }
        let wait = self.rng.u64(1..60);
        self.later(w, wait, Task::Machine(Input::OffsetsStarted));
        self.member_starts(w);
    }

    /// A process ends, with all that is in its memory.
    pub(super) fn kill(&mut self, w: W) {
        self.trace(w, || "ends".to_owned());
        self.disturbances += 1;
        let worker = &mut self.workers[w];
        worker.up = Up::Down;
        worker.life += 1;
        worker.machine = None;
        worker.live.clear();
        worker.reads.clear();
        worker.tick_at = None;
        worker.handed = 0;
        let origins = std::mem::take(&mut worker.origins);
        let backlog = std::mem::take(&mut worker.backlog);
        for origin in origins.into_values() {
            self.unanswered(origin);
        }
        for task in backlog {
            self.never_heard(task);
        }
    }

    /// The worker that this was for is no more.
    pub(super) fn never_heard(&mut self, task: Task) {
        if let Task::Request(_, origin, _) = task {
            self.unanswered(origin);
        }
    }

    /// Another thread of the worker tells the machine something.
    pub(super) fn tell(&mut self, w: W, input: Input) {
        self.later(w, 1, Task::Machine(input));
    }

    pub(super) fn task(&mut self, w: W, task: Task) {
        match task {
            Task::Member(input) => self.member_input(w, input),
            Task::ReadToEnd(token) => self.read_to_end(w, token),
            Task::Act(instance) => self.act(w, instance),
            Task::Tells(instance, event) => {
                if self.workers[w].live.contains_key(&instance) {
                    self.instance_tells(w, instance, event);
                }
            }
            Task::Deliver(topic) => self.deliver(w, topic),
            Task::Tick => {
                self.workers[w].tick_at = None;
                self.machine(w, |machine, now| machine.tick(now));
            }
            Task::Request(id, origin, request) => {
                self.trace(w, || format!("request {} {request:?}", id.0));
                self.workers[w].origins.insert(id, origin);
                self.machine(w, |machine, now| machine.request(id, request, now));
            }
            Task::Machine(input) => self.input(w, input),
        }
    }

    fn input(&mut self, w: W, input: Input) {
        self.trace(w, || shown(&input));
        if let Input::Prepare(attempt) | Input::Lead(attempt, _) = &input {
            self.workers[w].handed = *attempt;
        }
        self.machine(w, |machine, now| match input {
            Input::Prepare(_) => machine.prepare(now),
            Input::Lead(_, lead) => machine.lead(lead, now),
            Input::Joined(joined) => machine.joined(joined, now),
            Input::SessionLost(reason) => machine.session_lost(reason, now),
            Input::ConfigWritten(token, result) => machine.config_written(token, result, now),
            Input::ConfigRead(token, result) => machine.config_read(token, result, now),
            Input::StatusWritten(token, result) => machine.status_written(token, result, now),
            Input::Peer(token, result) => machine.peer_answered(token, result, now),
            Input::OffsetsDone(id, what) => {
                let answer = match what {
                    OffsetsRequest::Read => OffsetsAnswer::Read(Vec::new()),
                    _ => OffsetsAnswer::Changed { confirmed: true },
                };
                machine.offsets_done(id, Ok(answer), now);
            }
            Input::OffsetsStarted => machine.offsets_started(now),
            Input::ShutDown => machine.shut_down(now),
        });
    }

    /// Gives the machine something, and does what it wants.
    pub(super) fn machine(&mut self, w: W, call: impl FnOnce(&mut Machine, super::super::Now)) {
        let now = self.now_of(w);
        let Some(machine) = &mut self.workers[w].machine else {
            return;
        };
        call(machine, now);
        self.after_machine(w);
    }

    fn after_machine(&mut self, w: W) {
        let Some(machine) = &mut self.workers[w].machine else {
            return;
        };
        for output in machine.take_outputs() {
            self.output(w, output);
        }
        self.set_tick(w);
        self.check_worker(w);
    }

    fn set_tick(&mut self, w: W) {
        let worker = &self.workers[w];
        let Some(next) = worker.machine.as_ref().and_then(Machine::next_deadline) else {
            return;
        };
        let since = next.saturating_duration_since(self.base);
        let ms = u64::try_from(since.as_nanos().div_ceil(1_000_000)).unwrap_or(Ms::MAX);
        let at = ms.max(self.now);
        if worker.tick_at.is_none_or(|known| known > at) {
            self.workers[w].tick_at = Some(at);
            let wait = at - self.now;
            self.later(w, wait, Task::Tick);
        }
    }

    fn output(&mut self, w: W, output: Output) {
        match output {
            Output::Local(local) => self.local(w, local),
            Output::Group(command) => {
                self.trace(w, || format!("→ {}", shown_command(&command)));
                self.group_command(w, command);
            }
            Output::Config(ConfigCommand::ReadToEnd(token)) => {
                let wait = self.latency();
                self.later(w, wait, Task::ReadToEnd(token));
            }
            Output::Config(ConfigCommand::Append(token, records)) => {
                self.send_records(w, Topic::Config, token, records);
            }
            Output::Status(token, record) => {
                let topic = Topic::of_status(&record.key);
                self.check_status(w, &record);
                self.send_records(w, topic, token, vec![record]);
            }
            Output::Post(call) => self.post(w, call),
            Output::LoggerLevel { .. } => {}
        }
    }

    fn send_records(&mut self, w: W, topic: Topic, token: Token, records: Vec<TopicRecord>) {
        let append = Append {
            worker: w,
            life: self.workers[w].life,
            topic,
            token,
            records,
        };
        // A producer keeps the order of what it sends to a partition.
        let arrives = self.now + self.latency();
        let last = &mut self.workers[w].sent[topic.index()];
        *last = arrives.max(*last);
        let wait = *last - self.now;
        self.at(wait, Event::Append(append));
    }

    fn local(&mut self, w: W, local: Local) {
        match local {
            Local::StartConnector {
                instance,
                name,
                config,
                wish,
            } => {
                let place = Place {
                    connector: name,
                    task: None,
                };
                self.start_instance(w, instance, Fake::new(place, config, wish));
            }
            Local::StartTask {
                instance,
                id,
                task_config,
                wish,
                ..
            } => {
                let place = Place {
                    connector: id.connector,
                    task: Some(id.task),
                };
                self.start_instance(w, instance, Fake::new(place, task_config, wish));
            }
            Local::Wish(instance, wish) => self.wish(w, instance, wish),
            Local::Cancel(instance) => {
                if let Some(fake) = self.workers[w].live.remove(&instance) {
                    self.trace(w, || format!("cancels {}", fake.place));
                }
            }
            Local::Answer(id, result) => self.answer(w, id, result),
            Local::Offsets { request, what, .. } => {
                let wait = self.rng.u64(1..50);
                self.later(w, wait, Task::Machine(Input::OffsetsDone(request, what)));
            }
            Local::Exit { clean } => self.exit(w, clean),
            Local::Restarting { .. } | Local::Forget(_) => {}
        }
    }

    fn exit(&mut self, w: W, clean: bool) {
        self.trace(w, || format!("exit, clean: {clean}"));
        let live: Vec<String> = self.workers[w]
            .live
            .values()
            .map(|fake| fake.place.to_string())
            .collect();
        assert!(live.is_empty(), "worker {w} ends with {live:?} running");
        self.kill(w);
        let wait = self.rng.u64(100..5_000);
        self.at(wait, Event::Chaos(super::chaos::Chaos::Start(w)));
    }

    fn start_instance(&mut self, w: W, instance: InstanceId, fake: Fake) {
        self.trace(w, || {
            format!(
                "starts {} {:?} {}",
                fake.place,
                fake.wish,
                brief(&fake.config)
            )
        });
        self.check_start(w, &fake);
        self.workers[w].live.insert(instance, fake);
        let wait = match self.chance(3) {
            true => self.rng.u64(100..4_000),
            false => self.rng.u64(1..40),
        };
        self.later(w, wait, Task::Act(instance));
    }

    fn wish(&mut self, w: W, instance: InstanceId, wish: Wish) {
        let hangs = !self.calm && self.rng.u8(..) < 6;
        let Some(fake) = self.workers[w].live.get_mut(&instance) else {
            return;
        };
        if fake.wish == Wish::Stop {
            return;
        }
        fake.wish = wish;
        fake.hangs |= wish == Wish::Stop && hangs;
        let wait = self.rng.u64(1..80);
        self.later(w, wait, Task::Act(instance));
    }

    fn act(&mut self, w: W, instance: InstanceId) {
        let fails = !self.calm && self.rng.u8(..) < self.plan.failures;
        let Some(fake) = self.workers[w].live.get_mut(&instance) else {
            return;
        };
        if fake.hangs {
            return;
        }
        let events = match fails && fake.wish == Wish::Run {
            true => fake.fail(),
            false => fake.act(),
        };
        for event in events {
            self.instance_tells(w, instance, event);
        }
    }

    /// Events of an instance reach the herder in their order.
    pub(super) fn instance_tells(&mut self, w: W, instance: InstanceId, event: InstanceEvent) {
        if let Some(fake) = self.workers[w].live.get(&instance) {
            self.trace(w, || {
                format!("{} tells {}", fake.place, shown_event(&event))
            });
        }
        if event == InstanceEvent::Ended {
            self.workers[w].live.remove(&instance);
        }
        self.machine(w, |machine, now| machine.event(instance, event, now));
    }

    fn post(&mut self, w: W, call: PeerCall) {
        self.trace(w, || {
            format!(
                "→ post {} tasks of {} to {}",
                call.configs.len(),
                call.connector,
                call.url
            )
        });
        let lost = !self.calm && self.chance(8);
        let late = PeerError {
            status: None,
            message: "timed out".to_owned(),
        };
        self.later(w, 30_000, Task::Machine(Input::Peer(call.token, Err(late))));
        let to = self.worker_at(&call.url);
        let Some(to) = to.filter(|_| !lost) else {
            return;
        };
        let origin = Origin::Peer(w, self.workers[w].life, call.token);
        if self.workers[to].up == Up::Down {
            return self.unanswered(origin);
        }
        let request = Request::PutTaskConfigs {
            name: call.connector.to_string(),
            configs: call.configs,
            signature: call.key.as_ref().and_then(signature),
        };
        let id = self.client.id();
        let wait = self.latency();
        self.later(to, wait, Task::Request(id, origin, request));
    }

    /// A worker under a URL; any of them where there are more.
    pub(super) fn worker_at(&mut self, url: &str) -> Option<W> {
        let workers = self.workers.iter().enumerate();
        let found = workers.filter(|(_, worker)| &*worker.profile.url == url);
        let found: Vec<W> = found.map(|(w, _)| w).collect();
        (!found.is_empty()).then(|| found[self.rng.usize(0..found.len())])
    }

    fn read_to_end(&mut self, w: W, token: Token) {
        if self.workers[w].cut_topics {
            return self.later(w, 300, Task::ReadToEnd(token));
        }
        if !self.calm && self.chance(1) {
            let error = WriteError {
                message: "simulated".to_owned(),
                retriable: true,
            };
            return self.tell(w, Input::ConfigRead(token, Err(error)));
        }
        let end = self.logs[0].end();
        self.workers[w].reads.push((token, end));
        self.reads_done(w);
    }

    fn reads_done(&mut self, w: W) {
        let worker = &mut self.workers[w];
        let read = worker.read[0];
        let (done, rest) = std::mem::take(&mut worker.reads)
            .into_iter()
            .partition(|(_, end)| *end <= read);
        worker.reads = rest;
        let done: Vec<(Token, usize)> = done;
        for (token, _) in done {
            self.tell(w, Input::ConfigRead(token, Ok(())));
        }
    }

    /// There is something new in a topic.
    pub(super) fn appended(&mut self, topic: Topic) {
        for w in 0..self.workers.len() {
            let worker = &mut self.workers[w];
            if worker.up == Up::Down || worker.delivering[topic.index()] {
                continue;
            }
            worker.delivering[topic.index()] = true;
            let slow = worker.slow;
            let wait = self.latency() + slow;
            self.later(w, wait, Task::Deliver(topic));
        }
    }

    fn deliver(&mut self, w: W, topic: Topic) {
        let at = topic.index();
        if self.workers[w].cut_topics {
            return self.later(w, 200, Task::Deliver(topic));
        }
        let (from, end) = (self.workers[w].read[at], self.logs[at].end());
        self.workers[w].delivering[at] = false;
        self.workers[w].read[at] = end;
        let now = self.now_of(w);
        let Some(mut machine) = self.workers[w].machine.take() else {
            return;
        };
        let records = self.logs[at]
            .between(from, end)
            .map(|(offset, entry)| Record {
                offset: i64::try_from(offset).unwrap_or(i64::MAX),
                key: Some(&entry.record.key),
                value: entry.record.value.as_deref(),
            });
        match topic {
            Topic::Config => machine.config_records(records, now),
            Topic::Status(_) => machine.status_records(records, now),
        }
        self.workers[w].machine = Some(machine);
        self.after_machine(w);
        self.booted(w, topic);
        if topic == Topic::Config {
            self.reads_done(w);
        }
    }

    fn booted(&mut self, w: W, topic: Topic) {
        let at = topic.index();
        let worker = &mut self.workers[w];
        if worker.boot[at].is_none_or(|end| end > worker.read[at]) {
            return;
        }
        worker.boot[at] = None;
        match topic {
            Topic::Config => self.machine(w, |machine, now| machine.config_started(now)),
            Topic::Status(partition) => {
                if worker.boot[1 + (1 - partition)].is_none() {
                    self.machine(w, |machine, now| machine.status_started(now));
                }
            }
        }
    }
}

fn shown(input: &Input) -> String {
    match input {
        Input::Lead(_, lead) => format!(
            "lead generation {} of {}",
            lead.generation,
            lead.members.len()
        ),
        Input::Joined(joined) => {
            let assignment = crate::distributed::protocol::Assignment::decode(&joined.assignment);
            match assignment {
                Ok(one) => format!(
                    "joined {} generation {} {} error {} offset {} delay {} + {} - {}",
                    joined.member_id,
                    joined.generation,
                    joined.protocol,
                    one.error,
                    one.config_offset,
                    one.delay_ms,
                    work(&one.assigned),
                    work(&one.revoked)
                ),
                Err(error) => format!("joined with {error}"),
            }
        }
        other => format!("{other:?}"),
    }
}

fn work(work: &crate::distributed::ConnectorsAndTasks) -> String {
    let connectors = work.connectors.iter().map(ToString::to_string);
    let all: Vec<String> = connectors
        .chain(work.tasks.iter().map(ToString::to_string))
        .collect();
    format!("[{}]", all.join(" "))
}

fn shown_command(command: &crate::herder::distributed::GroupCommand) -> String {
    use crate::herder::distributed::GroupCommand;
    match command {
        GroupCommand::Join(protocols) => {
            let state = protocols
                .first()
                .map(|(_, bytes)| crate::distributed::protocol::WorkerState::decode(bytes));
            match state {
                Some(Ok(state)) => format!(
                    "join with offset {} and {}",
                    state.config_offset,
                    state
                        .assignment
                        .map_or_else(|| "nothing".to_owned(), |one| work(&one.assigned))
                ),
                _ => "join".to_owned(),
            }
        }
        GroupCommand::Assign(assignments) => {
            format!("assign {:?}", assignments.as_ref().map(Vec::len))
        }
        other => format!("{other:?}"),
    }
}

fn shown_event(event: &InstanceEvent) -> String {
    match event {
        InstanceEvent::TaskConfigs(configs) => {
            let of = configs.first().map(brief).unwrap_or_default();
            format!("{} task configs {of}", configs.len())
        }
        other => format!("{other:?}"),
    }
}

/// What matters of a configuration.
pub(super) fn brief(config: &ConfigMap) -> String {
    let keys = ["v", "g", "tasks"].into_iter();
    let pairs = keys.filter_map(|key| Some(format!("{key}{}", config.get(key)?.as_deref()?)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// As a worker signs a request; what is signed does not matter here.
fn signature(key: &SessionKey) -> Option<RequestSignature> {
    let signed = sign(MacAlgorithm::HmacSha256, key, b"");
    let signature = Some(signed.signature.as_str());
    RequestSignature::from_headers(Some(signed.algorithm), signature, b"").ok()?
}
