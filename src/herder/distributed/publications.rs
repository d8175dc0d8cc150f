//! Task configurations that a connector on this worker has generated, on their way to the config topic:
//! by this worker when it leads, else by the leader (Kafka: `reconfigureConnectorTasksWithRetry`,
//! `publishConnectorTaskConfigs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config_writes::Then;
use super::machine::{Ending, Machine, Now};
use super::protocol::{Output, PeerCall, PeerError, Token};
use super::work::Item;
use crate::api::ConfigMap;
use crate::distributed::ConnectorTaskId;
use crate::distributed::config_topic::{ClusterConfigState, TargetState};
use crate::distributed::protocol::ConnectProtocol;

/// Back-off between tries.
const BACKOFF: Duration = Duration::from_millis(250);
/// The longest.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// What a connector wants its tasks to be.
#[derive(Debug)]
pub(super) struct Publication {
    configs: Vec<ConfigMap>,
    attempts: u32,
    stage: Stage,
    /// A commit of others was read meanwhile: whether it has to go out once more is looked at then.
    again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It goes out at this time.
    Due(Instant),
    /// The leader was asked.
    Asked(Token),
    /// This worker writes.
    Writing(Token),
}

impl Publication {
    /// When it goes out.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Due(at) => Some(at),
            Stage::Asked(_) | Stage::Writing(_) => None,
        }
    }
}

impl Machine {
    /// A connector instance has generated task configurations.
    pub(super) fn task_configs(&mut self, item: &Item, configs: Vec<ConfigMap>) {
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        if slot.deadline.is_some() {
            return;
        }
        slot.generated = Some(configs.clone());
        self.publication(&item.connector, configs, self.now.at);
    }

    /// A commit was read. Another worker's, of an earlier time, may have come after what the connector
    /// here has generated last, or it was incomplete.
    pub(super) fn publish_again(&mut self, connector: &Arc<str>) {
        let slot = self.work.slots.get(&Item::connector(connector));
        let live =
            slot.filter(|slot| slot.live.is_some() && slot.deadline.is_none() && !slot.wanted);
        let Some(configs) = live.and_then(|slot| slot.generated.as_ref()) else {
            return;
        };
        if !changed(&self.config.snapshot(), connector, configs) {
            return;
        }
        match self.publications.get_mut(connector) {
            Some(publication) => publication.again = true,
            None => {
                // A connector that is being stopped loses its tasks first.
                let configs = configs.clone();
                self.publication(connector, configs, self.now.at + BACKOFF);
            }
        }
    }

    fn publication(&mut self, connector: &Arc<str>, configs: Vec<ConfigMap>, due: Instant) {
        let publication = Publication {
            configs,
            attempts: 0,
            stage: Stage::Due(due),
            again: false,
        };
        self.publications.insert(Arc::clone(connector), publication);
    }

    /// When something goes out. Without a leader it waits.
    pub(super) fn next_publication(&self) -> Option<Instant> {
        let waits = self.ending != Ending::No || self.group.leader.is_none();
        let due = self.publications.values().filter_map(Publication::due);
        due.min().filter(|_| !waits)
    }

    /// Sends what is due. Part of the end of each input.
    pub(super) fn publish(&mut self) {
        if self.ending != Ending::No || self.group.leader.is_none() {
            return;
        }
        let due = |publication: &Publication| publication.due().is_some_and(|at| at <= self.now.at);
        let ready = self.publications.iter().filter(|(_, one)| due(one));
        let ready: Vec<Arc<str>> = ready.map(|(name, _)| Arc::clone(name)).collect();
        for name in ready {
            self.publish_one(&name);
        }
    }

    fn publish_one(&mut self, name: &Arc<str>) {
        let snapshot = self.config.snapshot();
        let item = Item::connector(name);
        let wanted = self.group.owns(&item) && self.target_state(name) != TargetState::Stopped;
        let Some(publication) = self.publications.get_mut(name) else {
            return;
        };
        if !wanted || !changed(&snapshot, name, &publication.configs) {
            self.publications.remove(name);
            return;
        }
        let configs = publication.configs.clone();
        if self.group.is_leader() {
            let token = self.token();
            if let Some(publication) = self.publications.get_mut(name) {
                publication.stage = Stage::Writing(token);
            }
            let then = Then::Published(Arc::clone(name), token);
            return self.write_tasks(name, configs, then);
        }
        let Some(leader) = self.group.leader.clone() else {
            return;
        };
        let token = self.token();
        if let Some(publication) = self.publications.get_mut(name) {
            publication.stage = Stage::Asked(token);
        }
        let signed = self.group.protocol == ConnectProtocol::Sessioned;
        self.outputs.push(Output::Post(PeerCall {
            token,
            url: leader.url,
            connector: Arc::clone(name),
            configs,
            key: snapshot.session_key().filter(|_| signed).cloned(),
        }));
    }

    /// What the leader answered to [`Output::Post`].
    pub fn peer_answered(&mut self, token: Token, result: Result<(), PeerError>, now: Now) {
        self.now = now;
        let mut asked = self.publications.iter();
        let of = asked.find(|(_, one)| one.stage == Stage::Asked(token));
        if let Some(name) = of.map(|(name, _)| Arc::clone(name)) {
            self.published(&name, token, result.map_err(|error| error.message));
        }
        self.go_on();
    }

    /// It was written, or it was not and is tried again.
    pub(super) fn published(&mut self, name: &Arc<str>, token: Token, result: Result<(), String>) {
        let now = self.now.at;
        let Some(publication) = self.publications.get_mut(name) else {
            return;
        };
        if ![Stage::Asked(token), Stage::Writing(token)].contains(&publication.stage) {
            // There are newer ones.
            return;
        }
        match result {
            Ok(()) => {
                let done = self.publications.remove(name);
                if done.is_some_and(|done| done.again) {
                    self.publish_again(name);
                }
            }
            Err(error) => {
                let factor = 1_u32.checked_shl(publication.attempts).unwrap_or(u32::MAX);
                let wait = BACKOFF.saturating_mul(factor).min(BACKOFF_MAX);
                publication.attempts = publication.attempts.saturating_add(1);
                publication.stage = Stage::Due(now + wait);
                tracing::error!(connector = %name, error, wait_ms = wait.as_millis(),
                    "Failed to reconfigure connector's tasks, retrying after backoff");
            }
        }
    }
}

/// Whether tasks have to be written (Kafka: `AbstractHerder.taskConfigsChanged`): their number, a
/// configuration, or that of their connector is another one.
fn changed(snapshot: &ClusterConfigState, name: &Arc<str>, configs: &[ConfigMap]) -> bool {
    let count = usize::try_from(snapshot.task_count(name)).ok();
    let applied = snapshot.applied_connector_config(name);
    let incomplete = snapshot.is_inconsistent(name);
    if incomplete || count != Some(configs.len()) || applied != snapshot.raw_connector_config(name)
    {
        return true;
    }
    let current = (0..).map(|task| ConnectorTaskId::new(Arc::clone(name), task));
    let mut pairs = configs.iter().zip(current);
    pairs.any(|(config, id)| snapshot.raw_task_config(&id).map(|known| &**known) != Some(config))
}
