//! What REST asks for (Kafka: `DistributedHerder`'s public methods; contract 1.2, 1.4 to 1.6).
//!
//! Whatever reads is answered from the topics as read so far, by any worker. Changes of connectors and tasks
//! are the leader's; a target state is written by whoever is asked. Requests that come before the worker
//! knows its leader wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config_writes::{Guard, Then};
use super::machine::{Ending, Machine, Now};
use super::work::Item;
use crate::api::{ConfigMap, ConnectorKind};
use crate::distributed::ConnectorTaskId;
use crate::distributed::config_topic::{
    ConfigRecord, RestartRequest, TargetState, connector_config, connector_removal,
};
use crate::distributed::protocol::ConnectProtocol;
use crate::distributed::signature::{Refusal, Verification};
use crate::distributed::status_topic::{State, Status};
use crate::herder::entities::{
    ConnectorInfo, ConnectorOverview, ConnectorState, ConnectorStateInfo, HerderError,
    InitialState, RunsOn, TaskInfo, TaskOverview, TaskState,
};
use crate::herder::standalone::{Reply, Request, RequestId};
use crate::worker;

/// How long a request may wait for the worker to be in a group (Kafka: `DEFAULT_REST_REQUEST_TIMEOUT_MS`).
const PATIENCE: Duration = Duration::from_secs(90);
/// Requests that may wait.
const PARKED: usize = 1024;

/// A request that waits for the worker to be in a group.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) id: RequestId,
    request: Request,
    pub(super) deadline: Instant,
    since: Instant,
}

/// What comes of looking at a request.
pub(super) enum Outcome {
    Now(Result<Reply, HerderError>),
    /// Whatever it waits for answers it.
    Later,
    /// The worker does not know enough yet.
    Park,
}

impl Machine {
    /// Takes a request; its answer is among the outputs, now or later.
    pub fn request(&mut self, id: RequestId, request: Request, now: Now) {
        self.now = now;
        self.take_request(id, request, now.at + PATIENCE);
        self.go_on();
    }

    fn take_request(&mut self, id: RequestId, request: Request, deadline: Instant) {
        if self.ending != Ending::No {
            return self.answer(id, Err(HerderError::ShuttingDown));
        }
        // Asked before anything else is said about the request.
        if let Err(refusal) = self.verify(&request) {
            return self.answer(id, Err(refusal.into()));
        }
        match self.look_at(id, &request) {
            Outcome::Now(result) => self.answer(id, result),
            Outcome::Later => {}
            Outcome::Park if self.parked.len() >= PARKED => {
                self.answer(id, Err(no_leader()));
            }
            Outcome::Park => self.parked.push(Parked {
                id,
                request,
                deadline,
                since: self.now.at,
            }),
        }
    }

    /// Looks again at what waits. Part of the end of each input.
    pub(super) fn retry_parked(&mut self) {
        if self.parked.is_empty() || !self.started.all() || self.group.leader.is_none() {
            return;
        }
        for parked in std::mem::take(&mut self.parked) {
            self.take_request(parked.id, parked.request, parked.deadline);
        }
    }

    /// Answers what has waited too long.
    pub(super) fn expire_parked(&mut self) {
        let now = self.now.at;
        let (late, rest) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition::<Vec<_>, _>(|parked| parked.deadline <= now);
        self.parked = rest;
        for parked in late {
            self.answer(parked.id, Err(no_leader()));
        }
    }

    /// What a request waits for, as in "The worker is currently …", and since when.
    pub fn stage_of(&self, request: RequestId) -> Option<(String, Instant)> {
        let mut parked = self.parked.iter();
        if let Some(parked) = parked.find(|parked| parked.id == request) {
            let what = match self.started.all() {
                false => "initializing and reading to the end of internal topics",
                true => "ensuring membership in the cluster",
            };
            return Some((what.to_owned(), parked.since));
        }
        self.writes.stage_of(request)
    }

    fn look_at(&mut self, id: RequestId, request: &Request) -> Outcome {
        match request {
            Request::Ping if self.started.all() && self.group.generation >= 0 => {
                Outcome::Now(Ok(Reply::Done))
            }
            Request::Ping => Outcome::Park,
            _ if !self.started.all() => Outcome::Park,
            Request::Connectors => {
                let snapshot = self.config.snapshot();
                let names = snapshot.connectors().map(ToString::to_string);
                Outcome::Now(Ok(Reply::Names(names.collect())))
            }
            Request::Overview => Outcome::Now(Ok(Reply::Overview(self.overview()))),
            Request::Info(name) => Outcome::Now(self.info(name).map(Reply::Info)),
            Request::Tasks(name) => Outcome::Now(self.task_infos(name).map(Reply::Tasks)),
            Request::Status(name) => Outcome::Now(self.status_info(name).map(Reply::Status)),
            Request::Offsets { name, request } => self.offsets_request(id, name, request.clone()),
            _ if self.group.leader.is_none() => Outcome::Park,
            change => self.change_request(id, change),
        }
    }

    fn change_request(&mut self, id: RequestId, request: &Request) -> Outcome {
        match request {
            Request::Create {
                name,
                config,
                initial_state,
            } => {
                let target = match initial_state {
                    InitialState::Running => None,
                    InitialState::Paused => Some(TargetState::Paused),
                    InitialState::Stopped => Some(TargetState::Stopped),
                };
                self.put_connector(id, name, config, target, false)
            }
            Request::PutConfig { name, config } => self.put_connector(id, name, config, None, true),
            Request::Delete(name) => self.delete(id, name),
            Request::Pause(name) => self.put_target_state(id, name, TargetState::Paused),
            Request::Resume(name) => self.put_target_state(id, name, TargetState::Started),
            Request::Stop(name) => self.stop_connector(id, name),
            Request::RestartConnector(name) => self.restart_connector(name),
            Request::RestartTask { name, task } => self.restart_task(name, *task),
            Request::Restart {
                name,
                include_tasks,
                only_failed,
            } => {
                let request = RestartRequest {
                    connector: name.as_str().into(),
                    include_tasks: *include_tasks,
                    only_failed: *only_failed,
                };
                self.put_restart(id, request)
            }
            Request::PutTaskConfigs { name, configs, .. } => {
                self.put_task_configs(id, name, configs)
            }
            Request::Fence { name, .. } => Outcome::Now(self.fence(name)),
            Request::SetLoggerLevel { logger, level } => self.put_logger_level(id, logger, level),
            Request::Ping
            | Request::Connectors
            | Request::Overview
            | Request::Info(_)
            | Request::Tasks(_)
            | Request::Status(_)
            | Request::Offsets { .. } => Outcome::Park,
        }
    }

    /// Lets a request of another worker in or not (Kafka: `requestNotSignedProperly`).
    fn verify(&self, request: &Request) -> Result<(), Refusal> {
        let (Request::PutTaskConfigs { signature, .. } | Request::Fence { signature, .. }) =
            request
        else {
            return Ok(());
        };
        let snapshot = self.config.snapshot();
        let verification = Verification {
            sessioned: self.group.protocol == ConnectProtocol::Sessioned,
            key: snapshot.session_key(),
            algorithms: &self.settings.verification_algorithms,
        };
        verification.check(signature.as_ref())
    }

    /// Another worker starts source tasks with exactly-once support, which this one as the leader would have
    /// to fence earlier ones for.
    fn fence(&self, name: &str) -> Result<Reply, HerderError> {
        if !self.group.is_leader() {
            return Err(self.leader_is_elsewhere());
        }
        let config = self.connector(name)?;
        if (self.settings.describe)(&config).is_ok_and(|(kind, _)| kind == ConnectorKind::Sink) {
            let text = format!("Connector {name} is not a source connector");
            return Err(HerderError::BadRequest(text));
        }
        Err(HerderError::Failed(
            "this worker leads the group and does not support exactly.once.source.support: set it to disabled              on all workers, or have one lead that supports it"
                .to_owned(),
        ))
    }

    /// Every worker sets the level when it reads the record.
    fn put_logger_level(&mut self, id: RequestId, logger: &str, level: &str) -> Outcome {
        let record = ConfigRecord::LoggerLevel {
            namespace: logger.to_owned(),
            level: level.to_owned(),
        };
        let what = format!("writing the level of logger {logger} to the config topic");
        self.write_config(
            what,
            Guard::Nothing,
            vec![record.encode()],
            Then::Answer(id, Reply::Done),
        );
        Outcome::Later
    }

    /// A follower's connector has other tasks (Kafka: `putTaskConfigs`). The signature was looked at.
    pub(super) fn put_task_configs(
        &mut self,
        id: RequestId,
        name: &str,
        configs: &[ConfigMap],
    ) -> Outcome {
        if !self.group.is_leader() {
            return Outcome::Now(Err(self.leader_is_elsewhere()));
        }
        if !self.config.contains(name) {
            return Outcome::Now(Err(not_found(name)));
        }
        if !configs.is_empty() && self.target_state(name) == TargetState::Stopped {
            return Outcome::Now(Err(stopped(name)));
        }
        self.write_tasks(
            &name.into(),
            configs.to_vec(),
            Then::Answer(id, Reply::Done),
        );
        Outcome::Later
    }

    /// The leader's URL, for requests that are the leader's.
    pub(super) fn leader_is_elsewhere(&self) -> HerderError {
        let leader = self.group.leader.as_ref();
        HerderError::Elsewhere {
            url: leader.map(|leader| leader.url.to_string()),
        }
    }

    fn put_connector(
        &mut self,
        id: RequestId,
        name: &str,
        config: &ConfigMap,
        target: Option<TargetState>,
        may_replace: bool,
    ) -> Outcome {
        if !self.group.is_leader() {
            return Outcome::Now(Err(self.leader_is_elsewhere()));
        }
        let exists = self.config.contains(name);
        if exists && !may_replace {
            return Outcome::Now(Err(already_exists(name)));
        }
        let kind = match (self.settings.describe)(config) {
            Ok((kind, _)) => kind,
            Err(error) => return Outcome::Now(Err(error)),
        };
        let info = ConnectorInfo {
            name: name.to_owned(),
            config: config.clone(),
            tasks: self.task_ids(name),
            kind: Some(kind),
        };
        let records = connector_config(&name.into(), config.clone(), target);
        let what = format!("writing a config for connector {name} to the config topic");
        let guard = match may_replace {
            true => Guard::Nothing,
            false => Guard::Absent(name.into()),
        };
        let reply = Reply::Created(!exists, info);
        self.write_config(what, guard, records, Then::Answer(id, reply));
        Outcome::Later
    }

    fn delete(&mut self, id: RequestId, name: &str) -> Outcome {
        if !self.group.is_leader() {
            return Outcome::Now(Err(self.leader_is_elsewhere()));
        }
        if !self.config.contains(name) {
            return Outcome::Now(Err(not_found(name)));
        }
        let records = connector_removal(&name.into()).into();
        let what = format!("removing the config for connector {name} from the config topic");
        let guard = Guard::Present(name.into());
        self.write_config(what, guard, records, Then::Answer(id, Reply::Done));
        Outcome::Later
    }

    fn put_target_state(&mut self, id: RequestId, name: &str, state: TargetState) -> Outcome {
        if !self.config.contains(name) {
            return Outcome::Now(Err(unknown(name)));
        }
        let record = ConfigRecord::TargetState {
            connector: name.into(),
            state: Some(state),
        };
        let what = format!("writing the target state for connector {name} to the config topic");
        let guard = Guard::Present(name.into());
        let records = vec![record.encode()];
        self.write_config(what, guard, records, Then::Answer(id, Reply::Done));
        Outcome::Later
    }

    fn stop_connector(&mut self, id: RequestId, name: &str) -> Outcome {
        if !self.config.contains(name) {
            return Outcome::Now(Err(unknown(name)));
        }
        if !self.group.is_leader() {
            return Outcome::Now(Err(self.leader_is_elsewhere()));
        }
        self.write_stop(&name.into(), Then::Answer(id, Reply::Done));
        Outcome::Later
    }

    /// Who runs something, for the worker that was asked and does not.
    fn owner_is_elsewhere(&self, item: &Item) -> HerderError {
        if !self.group.is_leader() {
            return self.leader_is_elsewhere();
        }
        let state = self.group.leader_state.as_ref();
        let url = state.and_then(|state| match item.id() {
            None => state.connector_url(&item.connector),
            Some(id) => state.task_url(&id),
        });
        HerderError::Elsewhere {
            url: url.map(str::to_owned),
        }
    }

    fn restart_connector(&mut self, name: &str) -> Outcome {
        if !self.config.contains(name) {
            return Outcome::Now(Err(unknown_colon(name)));
        }
        let item = Item::connector(&name.into());
        self.restart_here(&item)
    }

    fn restart_task(&mut self, name: &str, task: u32) -> Outcome {
        if !self.config.contains(name) {
            return Outcome::Now(Err(unknown_colon(name)));
        }
        let number = i32::try_from(task).unwrap_or(i32::MAX);
        let id = ConnectorTaskId::new(name, number);
        if self.config.snapshot().raw_task_config(&id).is_none() {
            let text = format!("Unknown task: {name}-{task}");
            return Outcome::Now(Err(HerderError::NotFound(text)));
        }
        self.restart_here(&Item::task(&id))
    }

    fn restart_here(&mut self, item: &Item) -> Outcome {
        if !self.group.owns(item) {
            return Outcome::Now(Err(self.owner_is_elsewhere(item)));
        }
        let stopped = self.target_state(&item.connector) == TargetState::Stopped;
        if let Some(slot) = self.work.slots.get_mut(item)
            && !stopped
        {
            slot.wanted = true;
            self.work.unsettle_all();
        }
        Outcome::Now(Ok(Reply::Done))
    }

    fn put_restart(&mut self, id: RequestId, request: RestartRequest) -> Outcome {
        let name = Arc::clone(&request.connector);
        if !self.config.contains(&name) {
            return Outcome::Now(Err(unknown_colon(&name)));
        }
        if !self.group.is_leader() {
            return Outcome::Now(Err(self.leader_is_elsewhere()));
        }
        let Some(reply) = self.restart_plan_shown(&request) else {
            let text = format!("Status for connector {name} not found");
            return Outcome::Now(Err(HerderError::NotFound(text)));
        };
        let what = format!("writing restart request for connector {name} to the config topic");
        let record = ConfigRecord::Restart(request).encode();
        let then = Then::Answer(id, Reply::Status(reply));
        self.write_config(what, Guard::Present(name), vec![record], then);
        Outcome::Later
    }

    fn task_ids(&self, name: &str) -> Vec<worker::ConnectorTaskId> {
        let tasks = self.config.snapshot().tasks(name);
        let number = |id: &ConnectorTaskId| u32::try_from(id.task).unwrap_or(u32::MAX);
        let id = |id: &ConnectorTaskId| worker::ConnectorTaskId {
            connector: name.to_owned(),
            task: number(id),
        };
        tasks.iter().map(id).collect()
    }

    pub(super) fn connector(&self, name: &str) -> Result<ConfigMap, HerderError> {
        let snapshot = self.config.snapshot();
        let config = snapshot.raw_connector_config(name);
        config
            .map(|config| ConfigMap::clone(config))
            .ok_or_else(|| not_found(name))
    }

    fn info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        let config = self.connector(name)?;
        let described = (self.settings.describe)(&config);
        Ok(ConnectorInfo {
            name: name.to_owned(),
            tasks: self.task_ids(name),
            kind: described.ok().map(|(kind, _)| kind),
            config,
        })
    }

    fn task_infos(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        self.connector(name)?;
        let snapshot = self.config.snapshot();
        let count = snapshot.task_count(name);
        let info = |task: i32| {
            let config = snapshot.raw_task_config(&ConnectorTaskId::new(name, task))?;
            let task = u32::try_from(task).ok()?;
            let connector = name.to_owned();
            Some(TaskInfo {
                id: worker::ConnectorTaskId { connector, task },
                config: ConfigMap::clone(config),
            })
        };
        Ok((0..count).filter_map(info).collect())
    }

    /// A connector's status as the topic has it, with what only this worker knows of its own instances.
    pub(super) fn status_info(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        let none = || HerderError::NotFound(format!("No status found for connector {name}"));
        let status = self.status.connector(name).ok_or_else(none)?;
        let described = self
            .connector(name)
            .and_then(|config| (self.settings.describe)(&config));
        let slot = self.work.slots.get(&Item::connector(&name.into()));
        Ok(ConnectorStateInfo {
            name: name.to_owned(),
            state: shown(status.state),
            trace: status.trace.clone(),
            runs_on: Some(runs_on(status)),
            instance: slot.and_then(|slot| slot.live),
            hanging: None,
            tasks: self.task_states(name),
            kind: described.ok().map(|(kind, _)| kind),
        })
    }

    fn task_states(&self, name: &str) -> Vec<TaskState> {
        let name: Arc<str> = name.into();
        let state = |(task, status): (i32, &Status)| {
            let item = Item {
                connector: Arc::clone(&name),
                task: Some(task),
            };
            let slot = self.work.slots.get(&item);
            Some(TaskState {
                id: u32::try_from(task).ok()?,
                state: shown(status.state),
                trace: status.trace.clone(),
                runs_on: Some(runs_on(status)),
                restarts: slot.and_then(|slot| slot.restarts.shown()),
                instance: slot.and_then(|slot| slot.live),
                hanging: None,
            })
        };
        self.status.tasks(&name).filter_map(state).collect()
    }

    /// What runs here, for the metrics of this worker.
    fn overview(&self) -> Vec<ConnectorOverview> {
        let snapshot = self.config.snapshot();
        let mut found: Vec<ConnectorOverview> = Vec::new();
        for (item, slot) in &self.work.slots {
            let Some(config) = snapshot.raw_connector_config(&item.connector) else {
                continue;
            };
            if found
                .last()
                .is_none_or(|last| *last.name != *item.connector)
            {
                let Ok((kind, _)) = (self.settings.describe)(config) else {
                    continue;
                };
                let status = self.status.connector(&item.connector);
                found.push(ConnectorOverview {
                    name: item.connector.to_string(),
                    kind,
                    class: config
                        .get("connector.class")
                        .cloned()
                        .flatten()
                        .unwrap_or_default(),
                    state: status.map_or(ConnectorState::Unassigned, |status| shown(status.state)),
                    tasks: Vec::new(),
                });
            }
            if let (Some(last), Some(_)) = (found.last_mut(), item.task) {
                last.tasks.push(TaskOverview {
                    state: slot.state.map_or(ConnectorState::Unassigned, shown),
                    restarts: slot.restarts.by_reason(),
                });
            }
        }
        found
    }
}

/// Who wrote a status.
fn runs_on(status: &Status) -> RunsOn {
    RunsOn {
        worker_id: status.worker_id.clone(),
        version: status.version.clone(),
    }
}

pub(super) fn shown(state: State) -> ConnectorState {
    match state {
        State::Unassigned | State::Destroyed => ConnectorState::Unassigned,
        State::Running => ConnectorState::Running,
        State::Paused => ConnectorState::Paused,
        State::Failed => ConnectorState::Failed,
        State::Restarting => ConnectorState::Restarting,
        State::Stopped => ConnectorState::Stopped,
    }
}

pub(super) fn stopped(name: &str) -> HerderError {
    HerderError::BadRequest(format!(
        "Cannot submit non-empty set of task configs for stopped connector {name}"
    ))
}

pub(super) fn already_exists(name: &str) -> HerderError {
    HerderError::AlreadyExists(format!("Connector {name} already exists"))
}

pub(super) fn not_found(name: &str) -> HerderError {
    HerderError::NotFound(format!("Connector {name} not found"))
}

fn unknown(name: &str) -> HerderError {
    HerderError::NotFound(format!("Unknown connector {name}"))
}

fn unknown_colon(name: &str) -> HerderError {
    HerderError::NotFound(format!("Unknown connector: {name}"))
}

fn no_leader() -> HerderError {
    HerderError::Elsewhere { url: None }
}
