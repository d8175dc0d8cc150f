//! Inputs and outputs of the machine.

use crate::api::{ConfigMap, ConnectorKind};
use crate::distributed::signature::RequestSignature;
use crate::herder::entities::{
    ConnectorInfo, ConnectorOverview, ConnectorStateInfo, HerderError, InitialState, TaskInfo,
};
use crate::task::control::Wish;
use crate::worker::{ConnectorTaskId, InstanceId, OffsetsAnswer, OffsetsRequest};

/// Number of a request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What is asked of the herder; see [`crate::herder::HerderHandle`] for the meaning.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "each is documented at the handle's method of its name"
)]
pub enum Request {
    Connectors,
    Overview,
    Info(String),
    Create {
        name: String,
        config: ConfigMap,
        initial_state: InitialState,
    },
    PutConfig {
        name: String,
        config: ConfigMap,
    },
    Delete(String),
    Status(String),
    Tasks(String),
    Pause(String),
    Resume(String),
    Stop(String),
    RestartConnector(String),
    Restart {
        name: String,
        include_tasks: bool,
        only_failed: bool,
    },
    RestartTask {
        name: String,
        task: u32,
    },
    Offsets {
        name: String,
        request: OffsetsRequest,
    },
    PutTaskConfigs {
        name: String,
        configs: Vec<ConfigMap>,
        signature: Option<RequestSignature>,
    },
    Fence {
        name: String,
        signature: Option<RequestSignature>,
    },
    SetLoggerLevel {
        logger: String,
        level: String,
    },
    Ping,
}

/// What a request brings.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each carries the entity of its name")]
pub enum Reply {
    Names(Vec<String>),
    Overview(Vec<ConnectorOverview>),
    Info(ConnectorInfo),
    Created(bool, ConnectorInfo),
    Status(ConnectorStateInfo),
    Tasks(Vec<TaskInfo>),
    Offsets(OffsetsAnswer),
    Done,
}

/// A reply of another kind than was asked for: a defect of the machine.
fn unexpected<T>(reply: &Reply) -> Result<T, HerderError> {
    Err(HerderError::Failed(format!(
        "the herder gave an unexpected answer: {reply:?}"
    )))
}

impl Reply {
    pub(crate) fn names(self) -> Result<Vec<String>, HerderError> {
        match self {
            Self::Names(names) => Ok(names),
            other => unexpected(&other),
        }
    }

    pub(crate) fn overview(self) -> Result<Vec<ConnectorOverview>, HerderError> {
        match self {
            Self::Overview(connectors) => Ok(connectors),
            other => unexpected(&other),
        }
    }

    pub(crate) fn info(self) -> Result<ConnectorInfo, HerderError> {
        match self {
            Self::Info(info) | Self::Created(_, info) => Ok(info),
            other => unexpected(&other),
        }
    }

    pub(crate) fn created(self) -> Result<(bool, ConnectorInfo), HerderError> {
        match self {
            Self::Created(created, info) => Ok((created, info)),
            other => unexpected(&other),
        }
    }

    pub(crate) fn status(self) -> Result<ConnectorStateInfo, HerderError> {
        match self {
            Self::Status(status) => Ok(status),
            other => unexpected(&other),
        }
    }

    pub(crate) fn tasks(self) -> Result<Vec<TaskInfo>, HerderError> {
        match self {
            Self::Tasks(tasks) => Ok(tasks),
            other => unexpected(&other),
        }
    }

    pub(crate) fn offsets(self) -> Result<OffsetsAnswer, HerderError> {
        match self {
            Self::Offsets(answer) => Ok(answer),
            other => unexpected(&other),
        }
    }

    pub(crate) fn done(self) -> Result<(), HerderError> {
        match self {
            Self::Done => Ok(()),
            other => unexpected(&other),
        }
    }
}

/// What the driver shall do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Start a connector instance.
    StartConnector {
        /// Number of the new instance.
        instance: InstanceId,
        /// Connector name.
        name: String,
        /// Raw configuration.
        config: ConfigMap,
        /// First wish.
        wish: Wish,
    },
    /// Start a task.
    StartTask {
        /// Number of the new instance.
        instance: InstanceId,
        /// Which task.
        id: ConnectorTaskId,
        /// Source or sink.
        kind: ConnectorKind,
        /// Raw configuration of the connector.
        connector_config: ConfigMap,
        /// Configuration of the task.
        task_config: ConfigMap,
        /// First wish.
        wish: Wish,
    },
    /// Read or change offsets, and report by [`super::Machine::offsets_done`].
    Offsets {
        /// Request that waits.
        request: RequestId,
        /// Connector name.
        name: String,
        /// Raw configuration of the connector.
        config: ConfigMap,
        /// What is asked.
        what: OffsetsRequest,
    },
    /// Tell an instance what to do.
    Wish(InstanceId, Wish),
    /// Drop an instance that did not stop in time; no event comes from it any more.
    Cancel(InstanceId),
    /// Answer a request.
    Answer(RequestId, Result<Reply, HerderError>),
    /// Tell the user that a failed task is started again by its connector's policy.
    Restarting {
        /// Which task.
        id: ConnectorTaskId,
        /// Why it had failed.
        reason: String,
    },
    /// A connector was deleted and nothing of it runs any more.
    Forget(String),
    /// Everything has stopped: end the process.
    Exit {
        /// Whether every instance ended by itself.
        clean: bool,
    },
}
