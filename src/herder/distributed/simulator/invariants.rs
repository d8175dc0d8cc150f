//! What holds at every step, and what comes true when chaos has ceased.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::instances::{Fake, Place, commit_of};
use super::topics::Topic;
use super::worker::{Up, brief};
use super::world::{Ms, W, World};
use crate::distributed::TopicRecord;
use crate::distributed::config_topic::{ClusterConfigState, ConfigTopic, TargetState};
use crate::distributed::status_topic::{State, StatusDecoder, StatusRecord};
use crate::herder::standalone::Request;
use crate::task::control::Wish;

/// How long a message from one thread of a worker to another may take.
const HANDOVER: Ms = 200;
/// Rounds that one disturbance may cause.
const ROUNDS_PER_DISTURBANCE: u64 = 8;

impl World {
    /// Whether what lives on a worker can still do anything: the process runs, and its lease does.
    fn runs(&self, w: W) -> bool {
        let worker = &self.workers[w];
        worker.up != Up::Down && worker.member.lease.is_some_and(|lease| lease > self.now)
    }

    /// Nothing runs twice, and tasks of one connector come from one commit.
    pub(super) fn check_start(&self, w: W, new: &Fake) {
        let mixed = self.workers.iter().any(|worker| worker.profile.apache);
        let apache = self.workers[w].profile.apache;
        if apache || !self.runs(w) {
            return;
        }
        for (other, worker) in self.workers.iter().enumerate() {
            if !self.runs(other) || (other != w && worker.profile.apache != apache) {
                continue;
            }
            for fake in worker.live.values() {
                assert!(
                    fake.place != new.place,
                    "worker {w} starts {} which runs on worker {other}",
                    new.place
                );
                let siblings = fake.place.connector == new.place.connector
                    && fake.place.task.is_some()
                    && new.place.task.is_some();
                assert!(
                    mixed || !siblings || commit_of(&fake.config) == commit_of(&new.config),
                    "worker {w} starts {} of {} while {} of {} runs on worker {other}",
                    new.place,
                    brief(&new.config),
                    fake.place,
                    brief(&fake.config)
                );
            }
        }
    }

    /// Who lets go of something does not hide the status of whoever has it now.
    pub(super) fn check_status(&self, w: W, record: &TopicRecord) {
        let mut decoder = StatusDecoder::default();
        let Some(machine) = &self.workers[w].machine else {
            return;
        };
        let written = decoder.decode(Some(&record.key), record.value.as_deref());
        let (known, written) = match written {
            Ok(StatusRecord::Connector(name, Some(written))) => {
                (machine.status.connector(&name), written)
            }
            Ok(StatusRecord::Task(id, Some(written))) => (machine.status.task(&id), written),
            _ => return,
        };
        let later = known.is_some_and(|known| {
            known.worker_id != written.worker_id && known.generation > written.generation
        });
        assert!(
            written.state != State::Unassigned || !later,
            "worker {w} lets go of {} and hides {known:?}",
            String::from_utf8_lossy(&record.key)
        );
    }

    /// Who is out of the group runs nothing.
    pub(super) fn check_worker(&self, w: W) {
        let worker = &self.workers[w];
        let Some(machine) = &worker.machine else {
            return;
        };
        if worker.live.is_empty() {
            return;
        }
        let shown = || {
            let live = worker.live.values().map(|fake| fake.place.to_string());
            live.collect::<Vec<_>>().join(" ")
        };
        assert!(
            machine.group.generation >= 0,
            "worker {w} is in no generation and runs {}",
            shown()
        );
        let since = worker
            .member
            .outside_since
            .filter(|_| !worker.profile.apache);
        assert!(
            since.is_none_or(|since| since + HANDOVER > self.now),
            "worker {w} is out of the group since {since:?} and runs {}",
            shown()
        );
    }

    /// Everything is as the config topic says.
    pub(super) fn check_settled(&self) {
        let config = self.replayed_config();
        self.check_snapshots(&config);
        let mut expected = BTreeMap::new();
        for connector in config.connectors() {
            self.check_connector(&config, connector, &mut expected);
        }
        let known =
            |place: &&Place| place.task.is_none() || !self.forgets_tasks(&config, &place.connector);
        let live = self.live().map(|(_, fake)| &fake.place);
        let live: BTreeSet<&Place> = live.filter(known).collect();
        let wanted: BTreeSet<&Place> = expected
            .iter()
            .filter(|(_, (state, _))| ![State::Stopped, State::Unassigned].contains(state))
            .map(|(place, _)| place)
            .collect();
        assert_eq!(live, wanted, "what runs, and what should");
        self.check_statuses(&config, &expected);
        self.check_balance();
        self.check_memory();
        assert!(
            self.coordinator.is_stable(),
            "a round is open: {}",
            self.coordinator.shown()
        );
        let open = self.open_tickets();
        assert!(open.is_empty(), "requests without an answer: {open:?}");
    }

    fn live(&self) -> impl Iterator<Item = (W, &Fake)> {
        let workers = self.workers.iter().enumerate();
        workers.flat_map(|(w, worker)| worker.live.values().map(move |fake| (w, fake)))
    }

    fn replayed_config(&self) -> ClusterConfigState {
        let mut topic = ConfigTopic::new();
        for (offset, entry) in self.logs[0].all() {
            let offset = i64::try_from(offset).unwrap_or(i64::MAX);
            topic.apply(
                offset,
                Some(&entry.record.key),
                entry.record.value.as_deref(),
            );
        }
        ClusterConfigState::clone(&topic.snapshot())
    }

    /// The last status under each key.
    fn statuses(&self) -> BTreeMap<Place, (State, String)> {
        let mut decoder = StatusDecoder::default();
        let mut found = BTreeMap::new();
        for partition in [Topic::Status(0), Topic::Status(1)] {
            for (_, entry) in self.logs[partition.index()].all() {
                let value = entry.record.value.as_deref();
                let (place, status) = match decoder.decode(Some(&entry.record.key), value) {
                    Ok(StatusRecord::Connector(name, status)) => (place(&name, None), status),
                    Ok(StatusRecord::Task(id, status)) => {
                        (place(&id.connector, u32::try_from(id.task).ok()), status)
                    }
                    _ => continue,
                };
                match status {
                    Some(status) => found.insert(place, (status.state, status.worker_id)),
                    None => found.remove(&place),
                };
            }
        }
        found
    }

    /// The topic says exactly what runs, and where.
    fn check_statuses(
        &self,
        config: &ClusterConfigState,
        expected: &BTreeMap<Place, (State, String)>,
    ) {
        let mut found = self.statuses();
        found.retain(|place, _| {
            place.task.is_none() || !self.forgets_tasks(config, &place.connector)
        });
        let shown = |all: &BTreeMap<Place, (State, String)>,
                     other: &BTreeMap<Place, (State, String)>| {
            let only = all
                .iter()
                .filter(|(place, status)| other.get(*place) != Some(*status));
            let shown = only.map(|(place, (state, on))| format!("{place} {state:?} on {on}"));
            shown.collect::<Vec<_>>().join(", ")
        };
        assert!(
            found == *expected,
            "the status topic says [{}] and should say [{}]",
            shown(&found, expected),
            shown(expected, &found)
        );
    }

    /// All workers know the same.
    fn check_snapshots(&self, config: &ClusterConfigState) {
        for (w, worker) in self.workers.iter().enumerate() {
            let Some(machine) = &worker.machine else {
                panic!("worker {w} is down");
            };
            let snapshot = machine.config.snapshot();
            let names =
                |state: &ClusterConfigState| -> Vec<(String, Option<TargetState>, i32, usize)> {
                    let connectors = state.connectors();
                    let connectors = connectors.filter(|name| !self.forgets_tasks(state, name));
                    let of = |name: &Arc<str>| {
                        (
                            name.to_string(),
                            state.target_state(name),
                            state.task_count(name),
                            state.tasks(name).len(),
                        )
                    };
                    connectors.map(of).collect()
                };
            assert_eq!(names(&snapshot), names(config), "what worker {w} knows");
        }
    }

    /// Readers pass over the commit of a connector whose configuration comes later and has no earlier one any
    /// more, as in Kafka. One that runs makes its tasks anew then; a paused one does when it is resumed.
    fn forgets_tasks(&self, config: &ClusterConfigState, name: &str) -> bool {
        let [own, commit] = ["connector", "commit"].map(|kind| format!("{kind}-{name}"));
        config.target_state(name) == Some(TargetState::Paused)
            && self.logs[0].comes_after(&own, &commit)
    }

    /// One connector: who runs what of it.
    fn check_connector(
        &self,
        config: &ClusterConfigState,
        name: &str,
        expected: &mut BTreeMap<Place, (State, String)>,
    ) {
        let place = |task| place(name, task);
        let target = config.target_state(name).unwrap_or(TargetState::Started);
        if target == TargetState::Stopped {
            let owner = self.owner(&place(None));
            expected.insert(place(None), (State::Stopped, self.worker_id(owner)));
            for task in config.tasks(name) {
                let place = place(u32::try_from(task.task).ok());
                let owner = self.worker_id(self.owner(&place));
                expected.insert(place, (State::Unassigned, owner));
            }
            return;
        }
        let (state, wish) = match target {
            TargetState::Paused => (State::Paused, Wish::Pause),
            _ => (State::Running, Wish::Run),
        };
        let own: Vec<_> = self
            .live()
            .filter(|(_, fake)| fake.place == place(None))
            .collect();
        assert_eq!(own.len(), 1, "instances of {name}");
        let (w, instance) = own[0];
        let wanted = config
            .raw_connector_config(name)
            .map(|config| (**config).clone());
        assert_eq!(
            Some(&instance.config),
            wanted.as_ref(),
            "configuration of {name}"
        );
        assert_eq!(instance.said, Some(wish), "what {name} does");
        expected.insert(place(None), (state, self.worker_id(w)));
        let tasks = match target {
            TargetState::Started => instance.task_configs().len(),
            _ if self.forgets_tasks(config, name) => 0,
            _ => config.tasks(name).len(),
        };
        for task in 0..u32::try_from(tasks).unwrap_or(0) {
            let of = self
                .live()
                .filter(|(_, fake)| fake.place == place(Some(task)));
            let of: Vec<_> = of.collect();
            assert_eq!(of.len(), 1, "instances of {}", place(Some(task)));
            let (w, fake) = of[0];
            assert_eq!(fake.said, Some(wish), "what {} does", fake.place);
            if target == TargetState::Started {
                let made = instance.task_configs();
                assert_eq!(
                    Some(&fake.config),
                    made.get(task as usize),
                    "configuration of {}",
                    fake.place
                );
            }
            expected.insert(place(Some(task)), (state, self.worker_id(w)));
        }
    }

    /// The worker that the group gave something to.
    fn owner(&self, place: &Place) -> W {
        let item = super::super::work::Item {
            connector: place.connector.as_str().into(),
            task: place.task.and_then(|task| i32::try_from(task).ok()),
        };
        let owns = |w: &W| {
            let machine = self.workers[*w].machine.as_ref();
            machine.is_some_and(|machine| machine.group.owns(&item))
        };
        let owners: Vec<W> = (0..self.workers.len()).filter(owns).collect();
        assert_eq!(owners.len(), 1, "owners of {place}");
        owners[0]
    }

    /// Within one per worker.
    fn check_balance(&self) {
        let counts = self.workers.iter().map(|worker| {
            let machine = worker.machine.as_ref();
            let assigned = machine.and_then(|machine| machine.group.assigned.as_ref());
            assigned.map_or((0, 0), |work| (work.connectors.len(), work.tasks.len()))
        });
        let (connectors, tasks): (Vec<usize>, Vec<usize>) = counts.unzip();
        for (what, counts) in [("connectors", connectors), ("tasks", tasks)] {
            let most = counts.iter().max().copied().unwrap_or(0);
            let least = counts.iter().min().copied().unwrap_or(0);
            assert!(most - least <= 1, "{what} are not balanced: {counts:?}");
        }
    }

    /// What waited in a machine has gone.
    fn check_memory(&self) {
        for (w, worker) in self.workers.iter().enumerate() {
            let Some(machine) = &worker.machine else {
                continue;
            };
            assert!(worker.origins.is_empty(), "worker {w} owes answers");
            assert_eq!(machine.parked.len(), 0, "parked requests of worker {w}");
            assert!(machine.writes.is_empty(), "changes of worker {w}");
            assert!(machine.statuses.is_empty(), "statuses of worker {w}");
            assert_eq!(machine.offsets.len(), 0, "changes of offsets of worker {w}");
            assert_eq!(
                machine.publications.len(),
                0,
                "task configurations of worker {w}"
            );
            assert!(machine.restarts.is_empty(), "restarts of worker {w}");
            assert_eq!(
                machine.work.owners.len(),
                worker.live.len(),
                "instances of worker {w}"
            );
        }
    }

    /// The number of rounds is bounded by what happened.
    pub(super) fn check_rounds(&self) {
        let most = 4 + self.disturbances * ROUNDS_PER_DISTURBANCE;
        let rounds = self.coordinator.rounds;
        assert!(
            rounds <= most,
            "{rounds} rounds after {} disturbances",
            self.disturbances
        );
    }

    /// Whatever failed is started again, as a user would.
    pub(super) fn restart_failed(&mut self) {
        let names: Vec<String> = self
            .replayed_config()
            .connectors()
            .map(ToString::to_string)
            .collect();
        for name in names {
            self.leader_shall(Request::Restart {
                name,
                include_tasks: true,
                only_failed: true,
            });
        }
    }

    fn worker_id(&self, w: W) -> String {
        self.workers[w].profile.worker_id().to_owned()
    }
}

fn place(connector: &str, task: Option<u32>) -> Place {
    Place {
        connector: connector.to_owned(),
        task,
    }
}
