//! Restarts of a connector with its tasks: asked for at the leader, carried out by whoever runs them, when
//! the record comes (Kafka: `doRestartConnectorAndTasks`, `RestartPlan`; KIP-745).

use std::sync::Arc;

use super::group::Phase;
use super::machine::Machine;
use super::work::Item;
use crate::distributed::config_topic::{RestartRequest, TargetState};
use crate::distributed::status_topic::State;
use crate::herder::entities::{ConnectorState, ConnectorStateInfo};

/// Whether a request is for an instance in this state.
fn wants(request: &RestartRequest, state: State) -> bool {
    !request.only_failed || state == State::Failed
}

impl Machine {
    /// The connector's status with what will be restarted shown so; `None` without a status.
    pub(super) fn restart_plan_shown(
        &self,
        request: &RestartRequest,
    ) -> Option<ConnectorStateInfo> {
        let mut info = self.status_info(&request.connector).ok()?;
        let restarts = |state| !request.only_failed || state == ConnectorState::Failed;
        if restarts(info.state) {
            info.state = ConnectorState::Restarting;
            info.trace = None;
        }
        for task in &mut info.tasks {
            if request.include_tasks && restarts(task.state) {
                task.state = ConnectorState::Restarting;
                task.trace = None;
            }
        }
        Some(info)
    }

    /// Restarts what runs here and was asked for. Part of the end of each input, once no round is open.
    pub(super) fn process_restarts(&mut self) {
        if self.group.phase != Phase::Resolved || self.restarts.is_empty() {
            return;
        }
        self.work.unsettle_all();
        for request in self.restarts.take() {
            self.carry_out_restart(&request);
        }
    }

    fn carry_out_restart(&mut self, request: &RestartRequest) {
        if self.target_state(&request.connector) == TargetState::Stopped {
            return;
        }
        let mut planned = Vec::new();
        if let Some(status) = self.status.connector(&request.connector)
            && wants(request, status.state)
        {
            planned.push(Item::connector(&request.connector));
        }
        if request.include_tasks {
            let tasks = self.status.tasks(&request.connector);
            let tasks = tasks.filter(|(_, status)| wants(request, status.state));
            planned.extend(tasks.map(|(task, _)| Item {
                connector: Arc::clone(&request.connector),
                task: Some(task),
            }));
        }
        for item in planned
            .iter()
            .filter(|item| self.group.owns(item))
            .cloned()
            .collect::<Vec<_>>()
        {
            self.restart_item(&item);
        }
    }

    fn restart_item(&mut self, item: &Item) {
        let Some(slot) = self.work.slots.get_mut(item) else {
            return;
        };
        if slot.live.is_some() {
            slot.restarting = true;
            return;
        }
        slot.wanted = true;
        slot.state = Some(State::Restarting);
        self.put_status(item, State::Restarting, None);
    }
}
