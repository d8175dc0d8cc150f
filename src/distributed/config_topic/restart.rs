//! Requests to restart a connector and its tasks (KIP-745).

use std::collections::BTreeMap;
use std::sync::Arc;

/// A request to restart a connector, and its tasks if wanted (Kafka: `RestartRequest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRequest {
    /// Connector name.
    pub connector: Arc<str>,
    /// Whether only what has failed is restarted.
    pub only_failed: bool,
    /// Whether tasks are meant, too.
    pub include_tasks: bool,
}

impl RestartRequest {
    /// How much it is likely to restart, from 0 to 3; of two requests for a connector the higher one
    /// counts.
    pub fn impact(&self) -> u8 {
        2 * u8::from(!self.only_failed) + u8::from(self.include_tasks)
    }
}

/// Requests that were read and not acted upon yet, one per connector at most (Kafka:
/// `DistributedHerder.pendingRestartRequests`).
#[derive(Debug, Default)]
pub struct PendingRestarts(BTreeMap<Arc<str>, RestartRequest>);

impl PendingRestarts {
    /// Keeps a request unless one of the same or a higher impact is waiting. Gives whether it was kept.
    pub fn add(&mut self, request: RestartRequest) -> bool {
        let waiting = self.0.get(&request.connector);
        let kept = waiting.is_none_or(|waiting| request.impact() > waiting.impact());
        if kept {
            self.0.insert(Arc::clone(&request.connector), request);
        }
        kept
    }

    /// Takes all of them, by connector.
    pub fn take(&mut self) -> Vec<RestartRequest> {
        std::mem::take(&mut self.0).into_values().collect()
    }

    /// Whether none is waiting.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(connector: &str, only_failed: bool, include_tasks: bool) -> RestartRequest {
        RestartRequest {
            connector: connector.into(),
            only_failed,
            include_tasks,
        }
    }

    #[test]
    fn of_the_requests_for_a_connector_the_one_of_the_highest_impact_waits() {
        let mut pending = PendingRestarts::default();
        let rising = [(true, false), (true, true), (false, false), (false, true)];
        for (only_failed, include_tasks) in rising {
            assert!(pending.add(request("a", only_failed, include_tasks)));
            assert!(!pending.add(request("a", true, false)), "no higher impact");
        }
        assert!(pending.add(request("b", true, false)));
        assert!(!pending.is_empty());
        let taken = pending.take();
        assert_eq!(
            taken,
            [request("a", false, true), request("b", true, false)]
        );
        assert!(pending.is_empty());
        assert!(
            pending.add(request("a", true, false)),
            "taken ones do not count"
        );
    }
}
