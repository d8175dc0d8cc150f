//! Requests about offsets (Kafka: `StandaloneHerder.modifyConnectorOffsets`).
//!
//! Offsets are changed while nothing of the connector runs: a change waits for tasks that are still ending,
//! and nothing is started until it is done.

use super::entry::{Entry, TargetState};
use super::machine::{Machine, not_found};
use super::protocol::{Output, Reply, RequestId};
use crate::herder::entities::HerderError;
use crate::worker::{OffsetsAnswer, OffsetsError, OffsetsRequest};

impl Machine {
    pub(super) fn offsets(
        &mut self,
        id: RequestId,
        name: &str,
        request: OffsetsRequest,
    ) -> Option<Result<Reply, HerderError>> {
        let Some(entry) = self.visible(name) else {
            return Some(Err(not_found(name)));
        };
        if request == OffsetsRequest::Read {
            let output = output(entry, id, request);
            self.outputs.push(output);
            return None;
        }
        if !is_stopped(entry) {
            return Some(Err(not_stopped(name)));
        }
        if let Some(entry) = self.entries.get_mut(name) {
            entry.offsets_waiting.push((id, request));
        }
        self.change_offsets_when_still(name);
        None
    }

    /// Starts the changes that wait, once no instance of the connector is left.
    pub(super) fn change_offsets_when_still(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name).filter(|entry| !entry.has_live()) else {
            return;
        };
        for (id, request) in std::mem::take(&mut entry.offsets_waiting) {
            // It may have been resumed meanwhile.
            if is_stopped(entry) {
                entry.offsets_changing.push(id);
                self.outputs.push(output(entry, id, request));
            } else {
                self.outputs
                    .push(Output::Answer(id, Err(not_stopped(name))));
            }
        }
    }

    /// Takes what became of a request.
    pub fn offsets_done(
        &mut self,
        id: RequestId,
        name: &str,
        result: Result<OffsetsAnswer, OffsetsError>,
    ) {
        let result = result.map(Reply::Offsets).map_err(|error| match error {
            OffsetsError::BadRequest(text) => HerderError::BadRequest(text),
            OffsetsError::Failed(text) => HerderError::Failed(text),
        });
        self.outputs.push(Output::Answer(id, result));
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        let changing = entry.offsets_changing.len();
        entry.offsets_changing.retain(|known| *known != id);
        if entry.offsets_changing.len() < changing {
            self.advance(name);
        }
    }

    /// The connector is deleted: answers the changes that wait.
    pub(super) fn refuse_offsets(&mut self, name: &str, error: &HerderError) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        for (id, _) in std::mem::take(&mut entry.offsets_waiting) {
            self.outputs.push(Output::Answer(id, Err(error.clone())));
        }
    }
}

fn is_stopped(entry: &Entry) -> bool {
    entry.target == TargetState::Stopped && entry.tasks.is_empty()
}

fn output(entry: &Entry, request: RequestId, what: OffsetsRequest) -> Output {
    Output::Offsets {
        request,
        name: entry.name.clone(),
        config: entry.config.clone(),
        what,
    }
}

fn not_stopped(name: &str) -> HerderError {
    HerderError::BadRequest(format!(
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
         specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
    ))
}
