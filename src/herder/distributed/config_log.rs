//! What the config topic says (Kafka: `DistributedHerder.ConfigUpdateListener`).

use std::sync::Arc;

use super::machine::{Machine, Now};
use super::protocol::Output;
use super::work::Item;
use crate::distributed::config_topic::{TargetState, UpdateEvent};
use crate::herder::standalone::Output as Local;
use crate::task::control::Wish;

/// A record of an internal topic.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
}

impl Machine {
    /// Takes in records of the config topic, in their order.
    pub fn config_records<'a>(&mut self, records: impl IntoIterator<Item = Record<'a>>, now: Now) {
        self.now = now;
        for record in records {
            let applied = self.config.apply(record.offset, record.key, record.value);
            for problem in applied.problems {
                super::log(problem.level(), "config", record.offset, &problem);
            }
            if let Some(event) = applied.event {
                self.update(event);
            }
        }
        self.go_on();
    }

    /// The config topic was read to its end for the first time.
    pub fn config_started(&mut self, now: Now) {
        self.now = now;
        self.config.start();
        self.known = self.config.snapshot().connectors().cloned().collect();
        self.started.config = true;
        self.topic_started();
    }

    fn update(&mut self, event: UpdateEvent) {
        match event {
            UpdateEvent::ConnectorRemoved(name) => {
                self.known.remove(&name);
                self.publications.remove(&name);
                self.settle("a connector was removed");
            }
            UpdateEvent::ConnectorUpdated(name) => self.connector_updated(&name),
            UpdateEvent::TasksUpdated { connector, .. } => self.tasks_updated(&connector),
            UpdateEvent::TargetStateChanged(name) => self.target_state_changed(&name),
            UpdateEvent::SessionKeyUpdated(_) => {
                self.key_read = self.now.at;
                tracing::info!("Session key updated");
            }
            UpdateEvent::RestartRequested(request) => {
                self.restarts.add(request);
            }
            UpdateEvent::LoggerLevelUpdated { namespace, level } => {
                self.outputs.push(Output::LoggerLevel { namespace, level });
            }
        }
    }

    /// Its owner starts it anew; one that nobody has yet takes a round.
    fn connector_updated(&mut self, name: &Arc<str>) {
        self.publications.remove(name);
        if self.known.insert(Arc::clone(name)) {
            self.settle("a connector was added");
        }
        if let Some(slot) = self.work.slots.get_mut(&Item::connector(name)) {
            slot.wanted = true;
        }
    }

    /// There are other task configurations. Every worker stops what ran with the earlier ones before it joins
    /// the round that starts the new ones.
    fn tasks_updated(&mut self, connector: &Arc<str>) {
        for (item, slot) in self.work.of_connector(connector) {
            if item.task.is_some() {
                slot.wanted = true;
            }
        }
        self.publish_again(connector);
        self.settle("tasks have other configurations");
    }

    fn target_state_changed(&mut self, name: &Arc<str>) {
        if !self.config.contains(name) {
            return;
        }
        let wish = match self.target_state(name) {
            TargetState::Started => Wish::Run,
            TargetState::Paused => Wish::Pause,
            TargetState::Stopped => return,
        };
        let slots = self.work.of_connector(name);
        let live = slots.filter(|(_, slot)| slot.deadline.is_none());
        let live: Vec<_> = live.filter_map(|(_, slot)| slot.live).collect();
        for instance in live {
            self.local(Local::Wish(instance, wish));
        }
    }
}
