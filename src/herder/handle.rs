//! Asking the herder from other threads, each request with a deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};

use super::driver::Message;
use super::entities::{
    ConnectorInfo, ConnectorOverview, ConnectorStateInfo, HerderError, InitialState, TaskInfo,
    TaskState,
};
use super::stage::Stage;
use super::standalone::{Reply, Request, RequestId};
use crate::api::ConfigMap;
use crate::distributed::signature::RequestSignature;
use crate::worker::{OffsetsAnswer, OffsetsRequest};

/// How long the herder may take to list what metrics are about: Prometheus waits no longer than 10 s.
const METRICS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the herder may take to say what it is doing.
const STAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long requests may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Any but those of `/health`.
    pub request: Duration,
    /// Those of `/health`.
    pub health: Duration,
}

impl Default for Limits {
    /// Kafka's.
    fn default() -> Self {
        Self {
            request: Duration::from_secs(90),
            health: Duration::from_secs(10),
        }
    }
}

/// Sends requests to the herder and waits for the answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HerderHandle {
    sender: Sender<Message>,
    limits: Limits,
    next_request: Arc<AtomicU64>,
}

type Answer<T> = Result<T, HerderError>;

impl HerderHandle {
    pub(super) fn new(sender: Sender<Message>, limits: Limits) -> Self {
        Self {
            sender,
            limits,
            next_request: Arc::default(),
        }
    }

    /// How long requests may take.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    fn ask(&self, request: Request, limit: Duration) -> Answer<Reply> {
        let deadline = Instant::now() + limit;
        let (sender, receiver) = bounded(1);
        let id = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
        let message = Message::Request(id, Box::new(request), sender);
        self.sender
            .send_deadline(message, deadline)
            .map_err(|error| {
                if error.is_timeout() {
                    HerderError::Timeout(None)
                } else {
                    HerderError::ShuttingDown
                }
            })?;
        receiver
            .recv_deadline(deadline)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => HerderError::Timeout(self.stage(id)),
                RecvTimeoutError::Disconnected => HerderError::ShuttingDown,
            })?
    }

    /// What is being done for a request that was given up.
    fn stage(&self, request: RequestId) -> Option<Stage> {
        let deadline = Instant::now() + STAGE_TIMEOUT;
        let (sender, receiver) = bounded(1);
        let message = Message::Stage(request, sender);
        self.sender.send_deadline(message, deadline).ok()?;
        receiver.recv_deadline(deadline).ok()?
    }

    fn ask_in_time(&self, request: Request) -> Answer<Reply> {
        self.ask(request, self.limits.request)
    }

    /// Names of all connectors.
    ///
    /// # Errors
    /// Time-out, shutdown.
    pub fn connectors(&self) -> Answer<Vec<String>> {
        self.ask_in_time(Request::Connectors)?.names()
    }

    /// All connectors with the states of their tasks, by name, without traces and configurations.
    ///
    /// # Errors
    /// Time-out, shutdown.
    pub fn overview(&self) -> Answer<Vec<ConnectorOverview>> {
        self.ask(Request::Overview, METRICS_TIMEOUT)?.overview()
    }

    /// A connector's `ConnectorInfo`.
    ///
    /// # Errors
    /// `NotFound` "Connector X not found"; time-out, shutdown.
    pub fn info(&self, name: &str) -> Answer<ConnectorInfo> {
        self.ask_in_time(Request::Info(name.to_owned()))?.info()
    }

    /// Creates a connector whose configuration was validated; waits until its tasks exist.
    ///
    /// # Errors
    /// `AlreadyExists`; `Failed` when the connector does not start (it is then shown FAILED).
    pub fn create(
        &self,
        name: &str,
        config: ConfigMap,
        initial_state: InitialState,
    ) -> Answer<ConnectorInfo> {
        let name = name.to_owned();
        self.ask_in_time(Request::Create {
            name,
            config,
            initial_state,
        })?
        .info()
    }

    /// Creates a connector or replaces its configuration; `true` when it was created.
    ///
    /// # Errors
    /// As [`Self::create`]; `Conflict` while another change is under way.
    pub fn put_config(&self, name: &str, config: ConfigMap) -> Answer<(bool, ConnectorInfo)> {
        self.ask_in_time(Request::PutConfig {
            name: name.to_owned(),
            config,
        })?
        .created()
    }

    /// Removes a connector; its offsets stay.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`.
    pub fn delete(&self, name: &str) -> Answer<()> {
        self.ask_in_time(Request::Delete(name.to_owned()))?.done()
    }

    /// A connector's state and its tasks'.
    ///
    /// # Errors
    /// `NotFound` "No status found for connector X".
    pub fn status(&self, name: &str) -> Answer<ConnectorStateInfo> {
        self.ask_in_time(Request::Status(name.to_owned()))?.status()
    }

    /// One task's state.
    ///
    /// # Errors
    /// `NotFound` "No status found for task X-0".
    pub fn task_status(&self, name: &str, task: u32) -> Answer<TaskState> {
        let found = self.status(name).ok();
        found
            .and_then(|status| status.tasks.into_iter().find(|state| state.id == task))
            .ok_or_else(|| HerderError::NotFound(format!("No status found for task {name}-{task}")))
    }

    /// A connector's tasks and their configurations.
    ///
    /// # Errors
    /// `NotFound` "Connector X not found".
    pub fn tasks(&self, name: &str) -> Answer<Vec<TaskInfo>> {
        self.ask_in_time(Request::Tasks(name.to_owned()))?.tasks()
    }

    /// Pauses a connector and its tasks.
    ///
    /// # Errors
    /// `NotFound` "Unknown connector X".
    pub fn pause(&self, name: &str) -> Answer<()> {
        self.ask_in_time(Request::Pause(name.to_owned()))?.done()
    }

    /// Resumes a paused or stopped connector.
    ///
    /// # Errors
    /// `NotFound` "Unknown connector X".
    pub fn resume(&self, name: &str) -> Answer<()> {
        self.ask_in_time(Request::Resume(name.to_owned()))?.done()
    }

    /// Stops a connector: its tasks vanish, its configuration stays.
    ///
    /// # Errors
    /// `NotFound` "Unknown connector X".
    pub fn stop(&self, name: &str) -> Answer<()> {
        self.ask_in_time(Request::Stop(name.to_owned()))?.done()
    }

    /// Restarts the connector instance alone and waits until it runs.
    ///
    /// # Errors
    /// `NotFound` "Connector X not found"; `Failed` when it does not start.
    pub fn restart_connector(&self, name: &str) -> Answer<()> {
        self.ask_in_time(Request::RestartConnector(name.to_owned()))?
            .done()
    }

    /// Restarts by the plan of the flags; gives the states with RESTARTING where planned.
    ///
    /// # Errors
    /// `NotFound` "Unknown connector: X".
    pub fn restart(
        &self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Answer<ConnectorStateInfo> {
        let name = name.to_owned();
        self.ask_in_time(Request::Restart {
            name,
            include_tasks,
            only_failed,
        })?
        .status()
    }

    /// Restarts one task.
    ///
    /// # Errors
    /// `NotFound` "Unknown connector: X" or "Unknown task: X-0".
    pub fn restart_task(&self, name: &str, task: u32) -> Answer<()> {
        self.ask_in_time(Request::RestartTask {
            name: name.to_owned(),
            task,
        })?
        .done()
    }

    /// Reads or changes a connector's offsets.
    ///
    /// # Errors
    /// `NotFound` "Connector X not found"; `BadRequest` when it is to be changed and is not stopped, or
    /// makes no sense; `Failed` when the connector or the log refuses.
    pub fn offsets(&self, name: &str, request: OffsetsRequest) -> Answer<OffsetsAnswer> {
        let name = name.to_owned();
        self.ask_in_time(Request::Offsets { name, request })?
            .offsets()
    }

    /// Writes the task configurations of a connector that another worker runs (KIP-507). In distributed mode.
    ///
    /// # Errors
    /// `BadRequest`, `Forbidden`, `Unavailable` when it is not signed as it should be; `Elsewhere` when this is not
    /// the leader; `NotFound` "Connector X not found"; `Failed` in standalone mode.
    pub fn put_task_configs(
        &self,
        name: &str,
        configs: Vec<ConfigMap>,
        signature: Option<RequestSignature>,
    ) -> Answer<()> {
        self.ask_in_time(Request::PutTaskConfigs {
            name: name.to_owned(),
            configs,
            signature,
        })?
        .done()
    }

    /// Keeps producers of earlier tasks of an exactly-once source from writing any more (KIP-618). In distributed
    /// mode.
    ///
    /// # Errors
    /// As [`Self::put_task_configs`]; `BadRequest` "Connector X is not a source connector"; `Conflict` when newer
    /// task configurations came meanwhile.
    pub fn fence(&self, name: &str, signature: Option<RequestSignature>) -> Answer<()> {
        self.ask_in_time(Request::Fence {
            name: name.to_owned(),
            signature,
        })?
        .done()
    }

    /// Has every worker of the cluster set a log level that was checked (KIP-976); `level` is written to the config
    /// topic as it is. In distributed mode.
    ///
    /// # Errors
    /// `Failed` when it can't be written, and in standalone mode.
    pub fn set_logger_level(&self, logger: &str, level: &str) -> Answer<()> {
        self.ask_in_time(Request::SetLoggerLevel {
            logger: logger.to_owned(),
            level: level.to_owned(),
        })?
        .done()
    }

    /// Whether the herder answers at all.
    ///
    /// # Errors
    /// `Timeout` when it is stuck.
    pub fn ping(&self) -> Answer<()> {
        self.ask(Request::Ping, self.limits.health)?.done()
    }

    /// Messages that wait for the herder.
    pub fn waiting(&self) -> usize {
        self.sender.len()
    }

    /// Begins the worker's graceful stop, as SIGTERM does.
    pub fn shut_down(&self) {
        // A herder that is gone already needs no shutdown.
        drop(self.sender.send(Message::ShutDown));
    }
}
