//! What holds at every step, and what comes true when chaos has ceased.

use std::collections::{BTreeMap, BTreeSet};

use super::instances::{Fake, Place, commit_of};
use super::topics::Topic;
use super::worker::{Up, brief};
use super::world::{Ms, W, World};
use crate::distributed::config_topic::{ClusterConfigState, ConfigTopic, TargetState};
use crate::distributed::status_topic::{State, StatusTopic};
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
        for (other, worker) in self.workers.iter().enumerate() {
            if !self.runs(other) {
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
                    !siblings || commit_of(&fake.config) == commit_of(&new.config),
                    "worker {w} starts {} of {} while {} of {} runs on worker {other}",
                    new.place,
                    brief(&new.config),
                    fake.place,
                    brief(&fake.config)
                );
            }
        }
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
        let since = worker.member.outside_since;
        assert!(
            since.is_none_or(|since| since + HANDOVER > self.now),
            "worker {w} is out of the group since {since:?} and runs {}",
            shown()
        );
    }

    /// Everything is as the config topic says.
    pub(super) fn check_settled(&self) {
        let config = self.replayed_config();
        let status = self.replayed_status();
        self.check_snapshots(&config);
        let mut expected = BTreeMap::new();
        for connector in config.connectors() {
            self.check_connector(&config, connector, &mut expected);
        }
        let live: BTreeSet<&Place> = self.live().map(|(_, fake)| &fake.place).collect();
        let wanted: BTreeSet<&Place> = expected
            .iter()
            .filter(|(_, (state, _))| *state != State::Stopped)
            .map(|(place, _)| place)
            .collect();
        assert_eq!(live, wanted, "what runs, and what should");
        check_statuses(&status, &expected);
        self.check_balance();
        self.check_memory();
        assert!(self.coordinator.is_stable(), "a round is open");
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

    fn replayed_status(&self) -> StatusTopic {
        let mut topic = StatusTopic::new();
        for partition in [Topic::Status(0), Topic::Status(1)] {
            for (_, entry) in self.logs[partition.index()].all() {
                topic.apply(Some(&entry.record.key), entry.record.value.as_deref());
            }
        }
        topic
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
                    let of = |name: &std::sync::Arc<str>| {
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

    /// One connector: who runs what of it.
    fn check_connector(
        &self,
        config: &ClusterConfigState,
        name: &str,
        expected: &mut BTreeMap<Place, (State, String)>,
    ) {
        let place = |task| Place {
            connector: name.to_owned(),
            task,
        };
        let target = config.target_state(name).unwrap_or(TargetState::Started);
        if target == TargetState::Stopped {
            let owner = self.owner(&place(None));
            expected.insert(place(None), (State::Stopped, self.worker_id(owner)));
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
            _ => usize::try_from(config.task_count(name)).unwrap_or(0),
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
            self.client_wants(Request::Restart {
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

fn check_statuses(status: &StatusTopic, expected: &BTreeMap<Place, (State, String)>) {
    let mut found: BTreeMap<Place, (State, String)> = BTreeMap::new();
    for name in status.connectors() {
        let place = |task| Place {
            connector: name.to_string(),
            task,
        };
        if let Some(status) = status.connector(name) {
            found.insert(place(None), (status.state, status.worker_id.clone()));
        }
        for (task, status) in status.tasks(name) {
            let task = u32::try_from(task).ok();
            found.insert(place(task), (status.state, status.worker_id.clone()));
        }
    }
    assert_eq!(
        &found, expected,
        "statuses in the topic, and what should be there"
    );
}
