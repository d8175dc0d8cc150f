//! Random lives of a group: workers join, leave, come back and miss what the leader says; connectors come,
//! change and go; time passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use ringmain::distributed::ConnectorsAndTasks;
use ringmain::distributed::assignor::{
    Configuration, ConfiguredConnector, GroupAssignment, Member,
};
use ringmain::distributed::protocol::{Assignment, PluginClasses, WorkerState};

use super::apache::name;

/// The group and what its leader knows.
pub(crate) struct History {
    rng: Rng,
    max_delay_ms: i32,
    /// What Ringmain's workers say that they can run: everything.
    plugins: Option<PluginClasses>,
    workers: Vec<Member>,
    gone: Vec<Member>,
    /// Tasks of each connector and whether they are inconsistent.
    connectors: BTreeMap<Arc<str>, (i32, bool)>,
    offset: i64,
    pub(crate) now_ms: i64,
    pub(crate) generation: i32,
    pub(crate) completed: i32,
    delay_ms: i32,
}

/// What a round begins with.
pub(crate) struct Situation {
    pub(crate) leader: Arc<str>,
    pub(crate) members: Vec<Member>,
    pub(crate) snapshot: Known,
    pub(crate) latest: Known,
}

/// A state of the config topic.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) offset: i64,
    pub(crate) connectors: Vec<(Arc<str>, i32, bool)>,
}

impl Known {
    /// As assignors see it.
    pub(crate) fn configuration(&self) -> Configuration {
        let connectors =
            self.connectors
                .iter()
                .map(|(name, tasks, inconsistent)| ConfiguredConnector {
                    name: Arc::clone(name),
                    tasks: if *inconsistent { 0 } else { *tasks },
                    plugins: vec!["Any".to_owned()],
                });
        Configuration {
            offset: self.offset,
            connectors: connectors.collect(),
        }
    }
}

impl History {
    pub(crate) fn new(mut rng: Rng, max_delay_ms: i32) -> Self {
        let plugins = rng.bool().then(|| PluginClasses::new(["Any"]).unwrap());
        let mut history = Self {
            max_delay_ms,
            plugins,
            workers: Vec::new(),
            gone: Vec::new(),
            connectors: BTreeMap::new(),
            offset: 1,
            now_ms: rng.i64(1..1 << 40),
            generation: rng.i32(0..9),
            completed: -1,
            delay_ms: 0,
            rng,
        };
        // Now and then a group whose maps are large.
        let large = history.rng.u8(0..60) == 0;
        for _ in 0..history.rng.usize(1..if large { 25 } else { 5 }) {
            history.join();
        }
        for _ in 0..history.rng.usize(0..if large { 30 } else { 8 }) {
            history.configure();
        }
        history
    }

    /// What happened since the last round, and the next one.
    pub(crate) fn next(&mut self) -> Situation {
        let before = self.known();
        for _ in 0..[0, 1, 1, 2, 4][self.rng.usize(0..5)] {
            self.event();
        }
        self.pass_time();
        self.generation += if self.rng.u8(0..12) == 0 { 2 } else { 1 };
        let latest = self.known();
        let behind = self.rng.u8(0..8) == 0;
        let snapshot = if behind { before } else { latest.clone() };
        for worker in &mut self.workers {
            let late = i64::from(self.rng.u8(0..6) == 0);
            worker.state.config_offset = self.offset - late;
        }
        let leader = self.some_worker();
        if self.rng.u8(0..40) == 0 {
            self.workers[leader].state.config_offset += 1;
        }
        let mut members = self.workers.clone();
        self.rng.shuffle(&mut members);
        Situation {
            leader: Arc::clone(&self.workers[leader].id),
            members,
            snapshot,
            latest,
        }
    }

    /// Members do what they are told, unless they are not reached.
    pub(crate) fn follow(&mut self, assigned: &GroupAssignment) {
        if self.rng.u8(0..12) == 0 {
            return;
        }
        self.completed = self.generation;
        let deaf = self.rng.u8(0..6) == 0;
        for (id, assignment) in &assigned.assignments {
            self.delay_ms = assignment.delay_ms;
            let deaf = deaf && self.rng.u8(0..3) == 0;
            let worker = self.workers.iter_mut().find(|worker| worker.id == *id);
            if let Some(worker) = worker.filter(|_| !deaf) {
                run(&mut worker.state, assignment);
            }
        }
    }

    fn known(&self) -> Known {
        let connectors = self.connectors.iter();
        let connectors =
            connectors.map(|(name, (tasks, broken))| (Arc::clone(name), *tasks, *broken));
        Known {
            offset: self.offset,
            connectors: connectors.collect(),
        }
    }

    fn event(&mut self) {
        match self.rng.u8(0..14) {
            0 | 1 => self.join(),
            2 | 3 => self.leave(),
            4 => self.come_back(),
            5..8 => self.configure(),
            8 => self.delete(),
            9 => self.mix_up(),
            10 => {
                let worker = self.some_worker();
                self.workers[worker].state.assignment = None;
            }
            _ => {}
        }
    }

    fn some_worker(&mut self) -> usize {
        self.rng.usize(0..self.workers.len())
    }

    fn join(&mut self) {
        let id = format!("{}-{:08x}", name(&mut self.rng), self.rng.u32(..));
        let state = WorkerState {
            url: format!("http://{id}:8083/").into(),
            config_offset: self.offset,
            assignment: None,
            plugins: self.plugins.clone(),
        };
        let id = id.into();
        self.workers.push(Member { id, state });
    }

    fn leave(&mut self) {
        if self.workers.len() > 1 {
            let worker = self.some_worker();
            self.gone.push(self.workers.swap_remove(worker));
        }
    }

    /// Under its old id or a new one, with what it ran or without.
    fn come_back(&mut self) {
        let Some(mut member) = self.gone.pop() else {
            return;
        };
        if self.rng.bool() {
            member.id = format!("{}-again", member.id).into();
        }
        if self.rng.u8(0..3) > 0 {
            member.state.assignment = None;
        }
        if self.workers.iter().all(|worker| worker.id != member.id) {
            self.workers.push(member);
        }
    }

    fn configure(&mut self) {
        let tasks = self.rng.i32(0..9);
        let inconsistent = self.rng.u8(0..15) == 0;
        let name = name(&mut self.rng);
        self.connectors.insert(name, (tasks, inconsistent));
        self.offset += 1;
    }

    fn delete(&mut self) {
        let names: Vec<Arc<str>> = self.connectors.keys().cloned().collect();
        if let Some(name) = self.rng.choice(names) {
            self.connectors.remove(&name);
            self.offset += 1;
        }
    }

    /// A worker says that it has what another one has.
    fn mix_up(&mut self) {
        let (one, other) = (self.some_worker(), self.some_worker());
        let Some(source) = self.workers[one].state.assignment.clone() else {
            return;
        };
        let Some(target) = &mut self.workers[other].state.assignment else {
            return;
        };
        let from = &source.assigned;
        target
            .assigned
            .connectors
            .extend(from.connectors.first().cloned());
        target.assigned.tasks.extend(from.tasks.last().cloned());
    }

    fn pass_time(&mut self) {
        let (delay, most) = (i64::from(self.delay_ms), i64::from(self.max_delay_ms));
        let steps = [
            0,
            1,
            39,
            40,
            1_600,
            delay,
            delay,
            delay - 1,
            delay + 1,
            most,
            most / 2,
        ];
        self.now_ms += steps[self.rng.usize(0..steps.len())].max(0);
    }
}

/// As `WorkerCoordinator.onJoinComplete`.
fn run(state: &mut WorkerState, assignment: &Assignment) {
    let mut new = assignment.clone();
    if assignment.version > 0 {
        let before = state.assignment.as_ref();
        let before = before.map(|before| before.assigned.clone());
        let before: ConnectorsAndTasks = before.unwrap_or_default();
        new.assigned.add(&before.without(&assignment.revoked));
    }
    state.assignment = Some(new);
}
