//! What runs on this worker: a place for each connector and task that it was given, and the rules by which
//! instances start, stop and start again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::machine::{Ending, Machine};
use crate::api::ConfigMap;
use crate::config::connector::RestartPolicy;
use crate::distributed::config_topic::{NO_OFFSET, TargetState};
use crate::distributed::status_topic::{State, StatusOf};
use crate::distributed::{ConnectorTaskId, ConnectorsAndTasks};
use crate::herder::restart_policy::Restarts;
use crate::herder::standalone::Output as Local;
use crate::task::InstanceState;
use crate::task::control::Wish;
use crate::worker::{self, InstanceEvent, InstanceId};

/// A connector's own instance, or one of its tasks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Item {
    pub(super) connector: Arc<str>,
    /// `None` is the connector itself.
    pub(super) task: Option<i32>,
}

impl Item {
    pub(super) fn connector(name: &Arc<str>) -> Self {
        Self {
            connector: Arc::clone(name),
            task: None,
        }
    }

    pub(super) fn task(id: &ConnectorTaskId) -> Self {
        Self {
            connector: Arc::clone(&id.connector),
            task: Some(id.task),
        }
    }

    pub(super) fn id(&self) -> Option<ConnectorTaskId> {
        let connector = Arc::clone(&self.connector);
        self.task.map(|task| ConnectorTaskId { connector, task })
    }

    pub(super) fn status_of(&self) -> StatusOf {
        match self.id() {
            Some(id) => StatusOf::Task(id),
            None => StatusOf::Connector(Arc::clone(&self.connector)),
        }
    }
}

/// Everything of a set, connectors first.
pub(super) fn items(work: &ConnectorsAndTasks) -> impl Iterator<Item = Item> {
    let connectors = work.connectors.iter().map(Item::connector);
    connectors.chain(work.tasks.iter().map(Item::task))
}

/// The place of an [`Item`].
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) live: Option<InstanceId>,
    /// When a stopping instance is cancelled.
    pub(super) deadline: Option<Instant>,
    /// What was told last of it.
    pub(super) state: Option<State>,
    /// To be started as soon as it may.
    pub(super) wanted: bool,
    /// Task configurations that the connector that runs here has generated last.
    pub(super) generated: Option<Vec<ConfigMap>>,
    /// Trace of the failure that was told.
    pub(super) trace: Option<String>,
    /// Somebody has written another status after it, which only those see who read the topic anew.
    pub(super) hidden: bool,
    /// When the state is told again, as the status topic does not show it.
    pub(super) tell_again: Option<Instant>,
    /// A user asked for the restart.
    pub(super) restarting: bool,
    pub(super) restarts: Restarts,
}

/// Which places have to be looked at. An instance's event concerns its own place alone: with hundreds of
/// them, each of which tells three or four things when it stops, looking at all would be most of a rebalance.
#[derive(Debug, Default)]
struct Unsettled {
    all: bool,
    items: BTreeSet<Item>,
}

/// All places, and whose instances are.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) slots: BTreeMap<Item, Slot>,
    pub(super) owners: HashMap<InstanceId, Item>,
    unsettled: Unsettled,
    next_instance: u64,
}

impl Work {
    /// Whether nothing runs.
    pub(super) fn is_still(&self) -> bool {
        self.slots.values().all(|slot| slot.live.is_none())
    }

    /// Every place has to be looked at.
    pub(super) fn unsettle_all(&mut self) {
        self.unsettled.all = true;
    }

    /// The places that have to be looked at, which then have been.
    fn take_unsettled(&mut self) -> Vec<Item> {
        let unsettled = std::mem::take(&mut self.unsettled);
        match unsettled.all {
            true => self.slots.keys().cloned().collect(),
            false => unsettled.items.into_iter().collect(),
        }
    }

    /// Places where something runs.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Item, &Slot)> {
        self.slots.iter().filter(|(_, slot)| slot.live.is_some())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let slots = self.slots.values();
        let tell_again = slots.clone().filter_map(|slot| slot.tell_again);
        let stops = slots.clone().filter_map(|slot| slot.deadline);
        // A failed task whose instance has not ended yet waits for that.
        let failed = slots.filter(|slot| slot.live.is_none());
        let restarts = failed.filter_map(|slot| slot.restarts.due());
        stops.chain(restarts).chain(tell_again).min()
    }

    fn next(&mut self, item: &Item) -> InstanceId {
        self.next_instance += 1;
        let instance = InstanceId(self.next_instance);
        self.owners.insert(instance, item.clone());
        instance
    }

    pub(super) fn of_connector<'a>(
        &'a mut self,
        connector: &'a str,
    ) -> impl Iterator<Item = (&'a Item, &'a mut Slot)> {
        let slots = self.slots.iter_mut();
        slots.filter(move |(item, _)| *item.connector == *connector)
    }
}

impl Machine {
    pub(super) fn target_state(&self, connector: &str) -> TargetState {
        let target = self.config.snapshot().target_state(connector);
        target.unwrap_or(TargetState::Started)
    }

    fn wish(&self, connector: &str) -> Wish {
        match self.target_state(connector) {
            TargetState::Started => Wish::Run,
            TargetState::Paused => Wish::Pause,
            TargetState::Stopped => Wish::Stop,
        }
    }

    /// Whether the group gave it to this worker and it is still configured.
    pub(super) fn is_ours(&self, item: &Item) -> bool {
        self.group.owns(item) && self.is_configured(item)
    }

    /// Whether the config topic has it, as far as it was read. Tasks of an inconsistent connector have no
    /// configurations that belong together.
    pub(super) fn is_configured(&self, item: &Item) -> bool {
        let snapshot = self.config.snapshot();
        let name = &item.connector;
        let has = |task| task < snapshot.task_count(name) && !snapshot.is_inconsistent(name);
        snapshot.contains(name) && item.task.is_none_or(has)
    }

    /// Gives every item of the assignment a place, and takes the places of what is not ours any more.
    pub(super) fn place_assigned(&mut self, assigned: &ConnectorsAndTasks) {
        for item in items(assigned) {
            self.work.slots.entry(item).or_insert_with(|| Slot {
                wanted: true,
                ..Slot::default()
            });
        }
    }

    /// Stops what is not to run, starts what is, where something has changed. Part of the end of each input.
    pub(super) fn reconcile(&mut self) {
        for item in self.work.take_unsettled() {
            self.reconcile_one(&item);
        }
    }

    fn reconcile_one(&mut self, item: &Item) {
        let owned = self.group.owns(item);
        let ours = self.ending == Ending::No && owned && self.is_configured(item);
        let target = self.target_state(&item.connector);
        let committed_at = match item.task {
            Some(_) => self.config.snapshot().committed_at(&item.connector),
            None => NO_OFFSET,
        };
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        let live = slot.live.is_some();
        if !ours {
            // It may come back, or was not read yet.
            slot.wanted = true;
            slot.restarting = false;
            match live {
                true => self.stop(item),
                false if !owned => self.give_place_up(item),
                false => {
                    slot.state = None;
                    slot.tell_again = None;
                }
            }
            return;
        }
        if target == TargetState::Stopped {
            self.hold_stopped(item);
        } else if live && (slot.wanted || slot.restarting) {
            self.stop(item);
        } else if !live && slot.wanted && self.group.may_start(committed_at) {
            self.start(item);
        }
    }

    /// Nothing of it runs here any more. With a deleted connector its topics are forgotten.
    fn give_place_up(&mut self, item: &Item) {
        self.work.slots.remove(item);
        let deleted = !self.config.contains(&item.connector);
        if deleted && self.work.of_connector(&item.connector).next().is_none() {
            self.forget_topics(&item.connector);
        }
    }

    /// A stopped connector keeps its place, without an instance.
    fn hold_stopped(&mut self, item: &Item) {
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        slot.wanted = true;
        slot.restarting = false;
        let state = match item.task {
            None => State::Stopped,
            // It has none as a rule: they are taken away before.
            Some(_) => State::Unassigned,
        };
        if slot.live.is_some() {
            self.stop(item);
        } else if slot.state != Some(state) {
            slot.state = Some(state);
            self.put_status(item, state, None);
        }
    }

    /// Wishes that the instance ends; it is cancelled when it takes too long.
    pub(super) fn stop(&mut self, item: &Item) {
        let deadline = self.now.at + self.settings.graceful_timeout;
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        let Some(instance) = slot.live.filter(|_| slot.deadline.is_none()) else {
            return;
        };
        slot.deadline = Some(deadline);
        self.local(Local::Wish(instance, Wish::Stop));
    }

    /// Stops everything; nothing is started again.
    pub(super) fn stop_everything(&mut self) {
        let items: Vec<Item> = self.work.slots.keys().cloned().collect();
        for item in items {
            if let Some(slot) = self.work.slots.get_mut(&item) {
                slot.wanted = false;
                slot.restarting = false;
                slot.restarts.cancel();
            }
            self.stop(&item);
        }
    }

    /// Drops everything at once: others may be running it already.
    pub(super) fn cancel_everything(&mut self) {
        let slots = std::mem::take(&mut self.work.slots);
        for instance in slots.into_values().filter_map(|slot| slot.live) {
            self.work.owners.remove(&instance);
            self.local(Local::Cancel(instance));
        }
    }

    /// Cancels what did not stop in time.
    pub(super) fn cancel_overdue(&mut self) {
        let now = self.now.at;
        let mut cancelled = Vec::new();
        for slot in self.work.slots.values_mut() {
            if slot.deadline.is_some_and(|deadline| deadline <= now) {
                slot.deadline = None;
                slot.wanted |= std::mem::take(&mut slot.restarting);
                cancelled.extend(slot.live.take());
            }
        }
        for instance in cancelled {
            self.clean = false;
            self.work.owners.remove(&instance);
            self.local(Local::Cancel(instance));
        }
    }

    fn start(&mut self, item: &Item) {
        let snapshot = self.config.snapshot();
        let Some(config) = snapshot.raw_connector_config(&item.connector) else {
            return;
        };
        let config = ConfigMap::clone(config);
        let task_config = item.id().map(|id| snapshot.raw_task_config(&id).cloned());
        let wish = self.wish(&item.connector);
        let instance = self.work.next(item);
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        slot.wanted = false;
        slot.restarting = false;
        slot.deadline = None;
        slot.restarts.cancel();
        slot.generated = None;
        slot.live = Some(instance);
        let kind = match (self.settings.describe)(&config) {
            Ok((kind, _)) => kind,
            Err(error) => {
                let class = config.get("connector.class").cloned().flatten();
                let text = format!("{error}{}", self.who_may_run(&class.unwrap_or_default()));
                return self.failed_to_start(item, instance, &text);
            }
        };
        let name = item.connector.to_string();
        let output = match task_config {
            None => Local::StartConnector {
                instance,
                name,
                config,
                wish,
            },
            Some(Some(task_config)) => Local::StartTask {
                instance,
                id: worker_id(item),
                kind,
                connector_config: config,
                task_config: ConfigMap::clone(&task_config),
                wish,
            },
            // The commit that named it lacked its configuration: the leader is asked for another one.
            Some(None) => {
                let text = format!("there is no configuration of task {}", worker_id(item));
                return self.failed_to_start(item, instance, &text);
            }
        };
        self.local(output);
    }

    fn failed_to_start(&mut self, item: &Item, instance: InstanceId, text: &str) {
        self.work.owners.remove(&instance);
        if let Some(slot) = self.work.slots.get_mut(item) {
            slot.live = None;
            slot.state = Some(State::Failed);
        }
        let trace = format!("org.apache.kafka.connect.errors.ConnectException: {text}\n");
        self.put_status(item, State::Failed, Some(trace));
    }

    /// Takes an event of an instance.
    pub fn event(&mut self, instance: InstanceId, event: InstanceEvent, now: super::Now) {
        self.now = now;
        let Some(item) = self.work.owners.get(&instance).cloned() else {
            return;
        };
        match event {
            InstanceEvent::TaskConfigs(configs) => self.task_configs(&item, configs),
            InstanceEvent::State(state) => self.state_of(&item, state),
            InstanceEvent::Transient => {
                if let Some(slot) = self.work.slots.get_mut(&item) {
                    slot.restarts.is_transient();
                }
            }
            InstanceEvent::Ended => self.ended(&item, instance),
        }
        self.work.unsettled.items.insert(item);
        self.advance();
    }

    fn state_of(&mut self, item: &Item, state: InstanceState) {
        let now = self.now.at;
        let policy = self.restart_policy(&item.connector);
        let target = self.target_state(&item.connector);
        let ours = self.is_ours(item);
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        let (told, trace) = match state {
            InstanceState::Running => (State::Running, None),
            InstanceState::Paused => (State::Paused, None),
            InstanceState::Failed(trace) => (State::Failed, Some(trace)),
            InstanceState::Stopped => (State::Unassigned, None),
        };
        match told {
            // It says so while it is told to stop.
            State::Running | State::Paused if slot.deadline.is_some() => return,
            State::Running if item.task.is_some() => slot.restarts.ran(now),
            State::Failed if item.task.is_some() && slot.deadline.is_none() => {
                let trace = trace.as_deref().unwrap_or_default();
                slot.restarts.failed(policy, trace, now);
            }
            // A failed task's status stays.
            State::Unassigned if item.task.is_some() && slot.state == Some(State::Failed) => return,
            State::Unassigned if item.task.is_none() && ours && target == TargetState::Stopped => {
                // Told once the instance is gone.
                return;
            }
            _ => {}
        }
        slot.state = Some(told);
        if told != State::Unassigned || self.is_configured(item) {
            self.put_status(item, told, trace);
        }
    }

    fn restart_policy(&self, connector: &str) -> RestartPolicy {
        let snapshot = self.config.snapshot();
        let config = snapshot.raw_connector_config(connector);
        config.map_or_else(
            || RestartPolicy::of(&ConfigMap::new()),
            |config| RestartPolicy::of(config),
        )
    }

    fn ended(&mut self, item: &Item, instance: InstanceId) {
        self.work.owners.remove(&instance);
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        slot.live = None;
        slot.deadline = None;
        if std::mem::take(&mut slot.restarting) {
            slot.wanted = true;
            slot.state = Some(State::Restarting);
            self.put_status(item, State::Restarting, None);
        }
    }

    /// Starts tasks again that failed and whose connector's policy wants that now.
    pub(super) fn restart_failed(&mut self) {
        let now = self.now.at;
        let mut begun = Vec::new();
        for (item, slot) in &mut self.work.slots {
            if slot.live.is_none() && slot.restarts.due().is_some_and(|due| due <= now) {
                slot.wanted = true;
                begun.push((worker_id(item), slot.restarts.begin()));
            }
        }
        for (id, reason) in begun {
            self.local(Local::Restarting { id, reason });
        }
    }
}

/// As the worker names it. Numbers below 0 are no tasks of an assignment that is worth anything.
pub(super) fn worker_id(item: &Item) -> worker::ConnectorTaskId {
    worker::ConnectorTaskId {
        connector: item.connector.to_string(),
        task: u32::try_from(item.task.unwrap_or(0)).unwrap_or(u32::MAX),
    }
}
