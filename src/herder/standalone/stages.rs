//! What is being done for a request that waits.

use std::time::Instant;

use super::entry::{Entry, Phase, Waiter};
use super::machine::Machine;
use super::protocol::RequestId;

impl Machine {
    /// What a request waits for, as in "The worker is currently …", and since when.
    pub fn stage_of(&self, request: RequestId) -> Option<(String, Instant)> {
        self.entries
            .values()
            .find_map(|entry| Some((stage(entry, request)?.to_owned(), entry.since)))
    }
}

fn stage(entry: &Entry, request: RequestId) -> Option<&'static str> {
    let waits = |waiter: &Waiter| match waiter {
        Waiter::Info { request: known, .. } | Waiter::Restarted(known) | Waiter::Removed(known) => {
            *known == request
        }
    };
    if entry.waiters.iter().any(waits) {
        let is_ending = entry.phase != Phase::Steady || entry.connector.is_stopping();
        return Some(match is_ending {
            true => "stopping the connector and its tasks",
            false => "starting the connector",
        });
    }
    if entry.offsets_changing.contains(&request) {
        return Some("modifying the offsets of the connector");
    }
    let mut waiting = entry.offsets_waiting.iter();
    waiting
        .any(|(known, _)| *known == request)
        .then_some("waiting for the tasks of the connector to stop")
}
