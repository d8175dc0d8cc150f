//! Who can run which connector.

use std::collections::HashMap;
use std::sync::Arc;

use super::spread::Spread;
use crate::distributed::ConnectorsAndTasks;
use crate::distributed::assignor::load::WorkerLoad;
use crate::distributed::assignor::round::{Configuration, ConfiguredConnector, Member};

/// Members that can't run some connector that others can.
///
/// A connector that no member can run goes to any of them, which says what it lacks. A member that does
/// not name its plugins counts as one that can run everything.
#[derive(Debug, Clone)]
pub(in crate::distributed::assignor) struct Placement {
    /// By connector, where it matters: whether each member can run it.
    able: HashMap<Arc<str>, Vec<bool>>,
}

/// Who gets and who gives up what, each in the order of the workers that were asked about.
#[derive(Debug, Clone, Default)]
pub(in crate::distributed::assignor) struct Plan {
    pub(in crate::distributed::assignor) additions: Vec<ConnectorsAndTasks>,
    pub(in crate::distributed::assignor) revocations: Vec<ConnectorsAndTasks>,
}

impl Placement {
    /// `None` where every member can run whatever any of them can.
    pub(super) fn new(members: &[&Member], configuration: &Configuration) -> Option<Self> {
        let can_run = |member: &&Member, connector: &ConfiguredConnector| {
            let plugins = member.state.plugins.as_ref();
            let known = |plugins: &crate::distributed::protocol::PluginClasses| {
                connector.plugins.iter().all(|name| plugins.contains(name))
            };
            plugins.is_none_or(known)
        };
        let mut able = HashMap::new();
        for connector in &configuration.connectors {
            let members = members.iter().map(|member| can_run(member, connector));
            let members: Vec<bool> = members.collect();
            if members.contains(&true) && members.contains(&false) {
                able.insert(Arc::clone(&connector.name), members);
            }
        }
        (!able.is_empty()).then_some(Self { able })
    }

    /// Whether a member, by its place among the members of the round, may get a connector or its tasks.
    pub(in crate::distributed::assignor) fn may_run(&self, member: usize, connector: &str) -> bool {
        let able = self.able.get(connector);
        able.is_none_or(|able| able.get(member).is_some_and(|able| *able))
    }

    /// The best spread of what the workers have and of `to_assign`, and the few moves that lead there.
    pub(in crate::distributed::assignor) fn plan(
        &self,
        loads: &[WorkerLoad],
        to_assign: &ConnectorsAndTasks,
    ) -> Plan {
        let mut plan = Plan::empty(loads.len());
        let mut connectors = Spread::new(self, loads, &to_assign.connectors);
        connectors.balance();
        connectors.write(&mut plan);
        let mut tasks = Spread::new(self, loads, &to_assign.tasks);
        tasks.balance();
        tasks.write(&mut plan);
        plan
    }

    /// The best spread of `to_assign` alone.
    pub(in crate::distributed::assignor) fn additions(
        &self,
        loads: &[WorkerLoad],
        to_assign: &ConnectorsAndTasks,
    ) -> Vec<ConnectorsAndTasks> {
        let mut plan = Plan::empty(loads.len());
        Spread::new(self, loads, &to_assign.connectors).write(&mut plan);
        Spread::new(self, loads, &to_assign.tasks).write(&mut plan);
        plan.additions
    }
}

impl Plan {
    fn empty(workers: usize) -> Self {
        Self {
            additions: vec![ConnectorsAndTasks::default(); workers],
            revocations: vec![ConnectorsAndTasks::default(); workers],
        }
    }
}
