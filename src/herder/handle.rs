//! Asking the herder from other threads, each request with a deadline.

use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};

use super::driver::Message;
use super::entities::{
    ConnectorInfo, ConnectorStateInfo, HerderError, InitialState, TaskInfo, TaskState,
};
use super::standalone::{Reply, Request};
use crate::api::ConfigMap;

/// How long a request may take (Kafka: 90 s).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// The same for `/health`.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends requests to the herder and waits for the answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HerderHandle {
    sender: Sender<Message>,
}

type Answer<T> = Result<T, HerderError>;

impl HerderHandle {
    pub(super) fn new(sender: Sender<Message>) -> Self {
        Self { sender }
    }

    fn ask(&self, request: Request, limit: Duration) -> Answer<Reply> {
        let deadline = Instant::now() + limit;
        let (sender, receiver) = bounded(1);
        self.sender
            .send_deadline(Message::Request(Box::new(request), sender), deadline)
            .map_err(|error| {
                if error.is_timeout() {
                    HerderError::Timeout
                } else {
                    HerderError::ShuttingDown
                }
            })?;
        receiver
            .recv_deadline(deadline)
            .map_err(|error| match error {
                crossbeam::channel::RecvTimeoutError::Timeout => HerderError::Timeout,
                crossbeam::channel::RecvTimeoutError::Disconnected => HerderError::ShuttingDown,
            })?
    }

    fn ask_in_time(&self, request: Request) -> Answer<Reply> {
        self.ask(request, REQUEST_TIMEOUT)
    }

    /// Names of all connectors.
    ///
    /// # Errors
    /// Time-out, shutdown.
    pub fn connectors(&self) -> Answer<Vec<String>> {
        self.ask_in_time(Request::Connectors)?.names()
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

    /// Whether the herder answers at all.
    ///
    /// # Errors
    /// `Timeout` when it is stuck.
    pub fn ping(&self) -> Answer<()> {
        self.ask(Request::Ping, HEALTH_TIMEOUT)?.done()
    }

    /// Begins the worker's graceful stop, as SIGTERM does.
    pub fn shut_down(&self) {
        // A herder that is gone already needs no shutdown.
        drop(self.sender.send(Message::ShutDown));
    }
}
