//! A membership's contact with its coordinator: calls, outages, connections.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use super::GroupEvent;
use super::state::Core;
use crate::clients::ClientError;
use crate::kafka::cluster::Purpose;
use crate::kafka::connection::Connection;
use crate::kafka::group::GroupCalls;

/// No coordinator can be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    since: Instant,
    told: bool,
}

impl Core {
    pub(super) fn calls(&self) -> GroupCalls<'_> {
        GroupCalls {
            cluster: &self.cluster,
            group: &self.config.group_id,
            instance_id: self.config.group_instance_id.as_deref(),
        }
    }

    /// Finds the coordinator and connects.
    pub(super) async fn find_coordinator(&self) -> Result<(), ClientError> {
        match self.calls().coordinator().await {
            Ok(_) => {
                self.reached();
                Ok(())
            }
            Err(error) => {
                self.unreached();
                Err(error)
            }
        }
    }

    /// The open connection to the coordinator that requests go over.
    pub(super) fn open_connection(&self) -> Option<Rc<Connection>> {
        let broker = self.broker.get()?;
        self.cluster.open_connection(broker, Purpose::Coordinator)
    }

    /// What a call's end says about the coordinator.
    pub(super) fn note_call<T>(&self, result: &Result<T, ClientError>) {
        match result {
            Err(error) if self.calls().note_coordinator(error) => self.unreached(),
            Ok(_) | Err(ClientError::Api { .. }) => self.reached(),
            Err(_) => {}
        }
    }

    fn reached(&self) {
        if let Some(broker) = self.calls().known_coordinator() {
            self.broker.set(Some(broker));
        }
        if self.outage.take().is_some() {
            let others =
                |event: &GroupEvent| !matches!(event, GroupEvent::CoordinatorUnknown { .. });
            self.events.borrow_mut().retain(others);
        }
    }

    /// An outage begins, or goes on.
    pub(super) fn unreached(&self) {
        if self.outage.get().is_none() {
            let since = Instant::now();
            self.outage.set(Some(Outage { since, told: false }));
            self.wake.notify();
        }
    }

    /// Ends connections to the coordinator, and what waits on them.
    pub(super) fn hang_up(&self, purposes: &[Purpose]) {
        let Some(broker) = self.broker.get() else {
            return;
        };
        for purpose in purposes {
            if let Some(connection) = self.cluster.open_connection(broker, *purpose) {
                connection.close("the membership in the group was lost");
            }
        }
    }

    /// Runs a call that the coordinator may answer late.
    pub(super) async fn in_flight<T>(&self, call: impl Future<Output = T>) -> T {
        let _guard = InFlight::new(&self.in_flight);
        call.await
    }

    /// When an outage has to be told.
    pub(super) fn outage_deadline(&self) -> Option<Instant> {
        let outage = self.outage.get().filter(|outage| !outage.told)?;
        outage.since.checked_add(self.config.heartbeat_interval)
    }

    /// The caller hears of the outage, once.
    pub(super) fn tell_outage(&self) {
        if let Some(Outage { since, .. }) = self.outage.get() {
            self.outage.set(Some(Outage { since, told: true }));
            self.push(GroupEvent::CoordinatorUnknown { since });
        }
    }
}

/// JoinGroup or SyncGroup is under way until this is dropped.
struct InFlight<'a>(&'a Cell<bool>);

impl<'a> InFlight<'a> {
    fn new(flag: &'a Cell<bool>) -> Self {
        flag.set(true);
        Self(flag)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
