//! Requests about offsets (Kafka: `DistributedHerder.modifyConnectorOffsets`): any worker reads them, the
//! leader changes those of a stopped connector after it has read the config topic to its end.

use std::sync::Arc;

use super::config_writes::Then;
use super::machine::{Machine, Now};
use super::requests::Outcome;
use crate::distributed::config_topic::TargetState;
use crate::herder::entities::HerderError;
use crate::herder::standalone::{Output as Local, Reply, RequestId};
use crate::worker::{OffsetsAnswer, OffsetsError, OffsetsRequest};

/// A change that waits for the config topic, or is under way.
#[derive(Debug)]
pub(super) struct OffsetsChange {
    name: Arc<str>,
    request: OffsetsRequest,
}

impl Machine {
    pub(super) fn offsets_request(
        &mut self,
        id: RequestId,
        name: &str,
        request: OffsetsRequest,
    ) -> Outcome {
        let config = match self.connector(name) {
            Ok(config) => config,
            Err(error) => return Outcome::Now(Err(error)),
        };
        if request == OffsetsRequest::Read {
            self.local(Local::Offsets {
                request: id,
                name: name.to_owned(),
                config,
                what: request,
            });
            return Outcome::Later;
        }
        if self.group.leader.is_none() {
            return Outcome::Park;
        }
        if !self.group.is_leader() {
            return Outcome::Now(Err(self.leader_is_elsewhere()));
        }
        if let Err(error) = self.may_change_offsets(name) {
            return Outcome::Now(Err(error));
        }
        let name = name.into();
        self.offsets.insert(id, OffsetsChange { name, request });
        self.refresh_config(Then::Offsets(id));
        Outcome::Later
    }

    fn may_change_offsets(&self, name: &str) -> Result<(), HerderError> {
        let snapshot = self.config.snapshot();
        let stopped = self.target_state(name) == TargetState::Stopped;
        if stopped && snapshot.task_count(name) == 0 {
            return Ok(());
        }
        Err(HerderError::BadRequest(format!(
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
             specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
        )))
    }

    /// The config topic was read to its end for a change.
    pub(super) fn change_offsets(&mut self, id: RequestId) {
        let Some(OffsetsChange { name, request }) = self.offsets.remove(&id) else {
            return;
        };
        let checked = self.connector(&name);
        let checked = checked.and_then(|config| self.may_change_offsets(&name).map(|()| config));
        match checked {
            Ok(config) => self.local(Local::Offsets {
                request: id,
                name: name.to_string(),
                config,
                what: request,
            }),
            Err(error) => self.answer(id, Err(error)),
        }
    }

    /// Takes what became of a request.
    pub fn offsets_done(
        &mut self,
        id: RequestId,
        result: Result<OffsetsAnswer, OffsetsError>,
        now: Now,
    ) {
        self.now = now;
        let result = result.map(Reply::Offsets).map_err(|error| match error {
            OffsetsError::BadRequest(text) => HerderError::BadRequest(text),
            OffsetsError::Failed(text) => HerderError::Failed(text),
        });
        self.answer(id, result);
    }
}
