//! The machine and what it is connected to: the cluster's thread, other workers, the log levels. Called
//! on the herder's thread; nothing here waits.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::peers::PeerCaller;
use super::protocol::{
    ConfigCommand, GroupCommand, Joined, Lead, Output, PeerError, Token, WriteError,
};
use super::{Machine, Now, Record, Settings};
use crate::cluster::topic_log::LogRecord;
use crate::cluster::{ClusterBusy, ClusterEvent, ClusterHandle, GroupNews, Outcome};
use crate::distributed::status_topic::{StatusDecoder, StatusRecord};
use crate::herder::standalone::{self, Request, RequestId};
use crate::logging::{Level, Loggers};
use crate::metrics::GroupState;
use crate::storage::ActiveTopics;
use crate::worker::{InstanceEvent, InstanceId, MetricsRegistry, OffsetsAnswer, OffsetsError};

/// How long a step of a change of the config topic may take.
const CONFIG_LIMIT: Duration = Duration::from_secs(30);
/// How often the group member hears that the herder is alive.
const PULSE: Duration = Duration::from_secs(1);
/// How long the last records may take to be written when the worker ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// What the machine is connected to.
#[derive(Debug)]
pub struct Connections {
    /// The thread that talks to Kafka.
    pub cluster: ClusterHandle,
    /// For requests to the leader.
    pub peers: PeerCaller,
    /// Levels that the whole cluster changes.
    pub loggers: Arc<Loggers>,
    /// Topics that connectors use.
    pub active_topics: ActiveTopics,
    /// Where the worker's place in its group is counted.
    pub metrics: MetricsRegistry,
}

/// A machine with its connections.
#[derive(Debug)]
pub(in crate::herder) struct Link {
    machine: Machine,
    connections: Connections,
    sync_limit: Duration,
    pulse: Instant,
    /// Which of the member's questions the machine is answering.
    prepare_round: u64,
    lead_round: u64,
    /// Reads what statuses say about topics.
    statuses: StatusDecoder,
    failure: Option<String>,
    /// What was counted last of the worker's place in its group.
    counted: Option<GroupState>,
}

fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let wall_ms = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    Now {
        at: Instant::now(),
        wall_ms,
    }
}

fn outcome(result: Outcome) -> Result<(), WriteError> {
    result.map_err(|error| WriteError {
        retriable: error.is_retriable(),
        message: error.to_string(),
    })
}

/// The thread takes nothing more: as if what was asked had failed.
fn busy(busy: ClusterBusy) -> WriteError {
    WriteError {
        message: busy.to_string(),
        retriable: true,
    }
}

fn records(records: &[LogRecord]) -> impl Iterator<Item = Record<'_>> {
    records.iter().map(|record| Record {
        offset: record.offset,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
    })
}

impl Link {
    pub(in crate::herder) fn new(settings: Settings, connections: Connections) -> Self {
        let now = now();
        Self {
            sync_limit: settings.sync_timeout,
            machine: Machine::new(settings, now),
            connections,
            pulse: now.at,
            prepare_round: 0,
            lead_round: 0,
            statuses: StatusDecoder::default(),
            failure: None,
            counted: None,
        }
    }

    pub(in crate::herder) fn request(&mut self, id: RequestId, request: Request) {
        self.machine.request(id, request, now());
    }

    pub(in crate::herder) fn event(&mut self, instance: InstanceId, event: InstanceEvent) {
        self.machine.event(instance, event, now());
    }

    pub(in crate::herder) fn offsets_done(
        &mut self,
        id: RequestId,
        result: Result<OffsetsAnswer, OffsetsError>,
    ) {
        self.machine.offsets_done(id, result, now());
    }

    pub(in crate::herder) fn shut_down(&mut self) {
        self.machine.shut_down(now());
    }

    pub(in crate::herder) fn stage_of(&self, request: RequestId) -> Option<(String, Instant)> {
        self.machine.stage_of(request)
    }

    pub(in crate::herder) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(in crate::herder) fn next_deadline(&self) -> Instant {
        let pulse = self.pulse + PULSE;
        self.machine
            .next_deadline()
            .map_or(pulse, |deadline| deadline.min(pulse))
    }

    pub(in crate::herder) fn tick(&mut self) {
        let now = now();
        if now.at >= self.pulse + PULSE {
            self.pulse = now.at;
            if let Err(error) = self.connections.cluster.herder_is_alive() {
                tracing::debug!(%error, "the group member did not hear from the herder");
            }
        }
        self.machine.tick(now);
    }

    /// Lets go of Kafka; the last statuses are written.
    pub(in crate::herder) fn close(&mut self) {
        if self.connections.cluster.stop(CLOSE_LIMIT).is_err() {
            tracing::warn!("the thread that talks to Kafka is stuck; it ends with the process");
        }
    }

    /// A connector's topic was used by a task here, or its topics were reset.
    pub(in crate::herder) fn topics(&mut self, connector: &str, used: Option<&(u32, String)>) {
        match used {
            Some((task, topic)) => self.machine.topic_used(connector, *task, topic, now()),
            None => self.machine.topics_reset(connector, now()),
        }
    }

    /// What the status topic says about topics is what REST and the tasks here go by.
    fn learn_topics(&mut self, records: &[LogRecord]) {
        let topics = &self.connections.active_topics;
        for record in records {
            let decoded = self
                .statuses
                .decode(record.key.as_deref(), record.value.as_deref());
            let Ok(StatusRecord::Topic {
                topic,
                connector,
                status,
            }) = decoded
            else {
                continue;
            };
            match status {
                Some(_) => topics.learn(&connector, &topic),
                None => topics.forget(&connector, &topic),
            }
        }
    }

    /// Takes what the leader answered.
    pub(in crate::herder) fn peer_answered(&mut self, token: Token, result: Result<(), PeerError>) {
        self.machine.peer_answered(token, result, now());
    }

    /// Takes what the cluster's thread tells.
    pub(in crate::herder) fn cluster(&mut self, event: ClusterEvent) {
        let now = now();
        let machine = &mut self.machine;
        match event {
            ClusterEvent::ConfigRecords(list) => machine.config_records(records(&list), now),
            ClusterEvent::ConfigStarted => machine.config_started(now),
            ClusterEvent::StatusRecords(list) => {
                machine.status_records(records(&list), now);
                self.learn_topics(&list);
            }
            ClusterEvent::StatusStarted => machine.status_started(now),
            ClusterEvent::OffsetsStarted => machine.offsets_started(now),
            ClusterEvent::ConfigReadToEnd { token, result } => {
                machine.config_read(Token(token), outcome(result), now);
            }
            ClusterEvent::ConfigAppended { token, result } => {
                machine.config_written(Token(token), outcome(result), now);
            }
            ClusterEvent::StatusAppended { token, result } => {
                machine.status_written(Token(token), outcome(result), now);
            }
            ClusterEvent::Group(news) => self.group(news, now),
            ClusterEvent::Failed(reason) => self.fail(reason, now),
            ClusterEvent::Stopped => {}
        }
    }

    fn fail(&mut self, reason: String, now: Now) {
        tracing::error!(reason, "this worker can't go on");
        self.failure.get_or_insert(reason);
        self.machine.shut_down(now);
    }

    fn group(&mut self, news: GroupNews, now: Now) {
        match news {
            GroupNews::Prepare { round } => {
                self.prepare_round = round;
                self.machine.prepare(now);
            }
            GroupNews::Lead {
                round: number,
                generation,
                protocol,
                leader,
                members,
            } => {
                let round = Lead {
                    generation,
                    protocol,
                    leader,
                    members,
                };
                self.lead_round = number;
                self.machine.lead(round, now);
            }
            GroupNews::Joined {
                generation,
                member_id,
                protocol,
                assignment,
            } => {
                let round = Joined {
                    generation,
                    member_id,
                    protocol,
                    assignment,
                };
                self.machine.joined(round, now);
            }
            GroupNews::SessionLost(reason) => self.machine.session_lost(&reason, now),
            GroupNews::Failed(reason) => self.fail(reason, now),
        }
    }

    /// What the worker shall do; the rest is given out.
    pub(in crate::herder) fn take_outputs(&mut self) -> Vec<standalone::Output> {
        self.count_rebalances();
        let mut local = Vec::new();
        loop {
            let outputs = self.machine.take_outputs();
            if outputs.is_empty() {
                return local;
            }
            for output in outputs {
                match output {
                    Output::Local(output) => local.push(output),
                    other => self.give_out(other),
                }
            }
        }
    }

    fn count_rebalances(&mut self) {
        let state = self.machine.group_state();
        if self.counted.as_ref() != Some(&state) {
            self.connections.metrics.group_changed(state.clone());
            self.counted = Some(state);
        }
    }

    fn give_out(&mut self, output: Output) {
        match output {
            Output::Local(_) => {}
            Output::Group(command) => self.group_command(command),
            Output::Config(ConfigCommand::ReadToEnd(token)) => {
                let limit = CONFIG_LIMIT.max(self.sync_limit);
                let taken = self.connections.cluster.read_config_to_end(token.0, limit);
                if let Err(error) = taken {
                    self.machine.config_read(token, Err(busy(error)), now());
                }
            }
            Output::Config(ConfigCommand::Append(token, records)) => {
                let cluster = &self.connections.cluster;
                if let Err(error) = cluster.append_config(token.0, records, CONFIG_LIMIT) {
                    self.machine.config_written(token, Err(busy(error)), now());
                }
            }
            Output::Status(token, record) => {
                let cluster = &self.connections.cluster;
                if let Err(error) = cluster.append_status(token.0, vec![record]) {
                    self.machine.status_written(token, Err(busy(error)), now());
                }
            }
            Output::Post(call) => {
                let token = call.token;
                if let Err(error) = self.connections.peers.post(call) {
                    self.machine.peer_answered(token, Err(error), now());
                }
            }
            Output::LoggerLevel { namespace, level } => {
                set_level(&self.connections.loggers, &namespace, &level, now().wall_ms);
            }
        }
    }

    fn group_command(&mut self, command: GroupCommand) {
        let cluster = &self.connections.cluster;
        let taken = match command {
            GroupCommand::RequestJoin(reason) => cluster.request_join(reason),
            GroupCommand::Join(metadata) => cluster.join(self.prepare_round, metadata),
            GroupCommand::Assign(assignments) => cluster.assign(self.lead_round, assignments),
            GroupCommand::Leave(reason) => cluster.leave(reason),
        };
        if let Err(error) = taken {
            // The member asks again, or is put out of the group and joins anew.
            tracing::error!(%error, "the group member did not get a command");
        }
    }
}

/// As every worker of the cluster does when it reads the record.
fn set_level(loggers: &Loggers, namespace: &str, level: &str, now_ms: i64) {
    let Some(parsed) = Level::parse(level) else {
        return tracing::warn!(
            logger = namespace,
            level,
            "the cluster wants an unknown log level"
        );
    };
    match loggers.set(namespace, parsed, now_ms) {
        Ok(_) => tracing::info!(
            logger = namespace,
            level,
            "log level set for the whole cluster"
        ),
        Err(error) => {
            tracing::warn!(logger = namespace, level, %error, "the log level can't be set")
        }
    }
}
