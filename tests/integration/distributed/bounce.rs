//! Workers that come and go while lines flow: cleanly, killed, frozen.

use std::time::{Duration, Instant};

use super::group::{Group, Member, SESSION};
use super::lifecycle::idle;
use crate::common::lines::{Feeder, Tally, append_lines};
use crate::common::pipeline::{file_sink, file_source};
use crate::common::{PATIENCE, heavy, kafka, scratch_dir, wait_for, wait_until};

/// A file that is fed while it is read, through a topic, into a file.
pub(super) struct Flow {
    dir: tempfile::TempDir,
    topic: String,
    feeder: Option<Feeder>,
}

impl Flow {
    pub(super) fn start(workers: &[Member], name: &str) -> Self {
        let dir = scratch_dir(name);
        let topic = format!("{name}-lines");
        let input = dir.path().join("in");
        append_lines(&input, 0..100);
        let feeder = Feeder::start(&input, 100, 500);
        workers[0].put(&file_source("flow-source", &input, &topic));
        workers[0].put(&file_sink("flow-sink", &dir.path().join("out"), &topic));
        workers[0].wait_until_running("flow-source", 1);
        workers[0].wait_until_running("flow-sink", 1);
        Self {
            dir,
            topic,
            feeder: Some(feeder),
        }
    }

    fn of_topic(&self, group: &Group<'_>) -> Tally {
        let mut tally = Tally::default();
        for value in group.cluster().client().read_values(&self.topic) {
            tally.add(&value);
        }
        tally
    }

    fn of_file(&self) -> Tally {
        let mut tally = Tally::default();
        tally.add_file(&self.dir.path().join("out"));
        tally
    }

    /// Stops the feeder and waits for every line in the topic and in the file.
    pub(super) fn finish(&mut self, group: &Group<'_>) -> (Tally, Tally, u64) {
        let count = self.feeder.take().unwrap().finish();
        wait_until("all lines in the topic", PATIENCE, || {
            self.of_topic(group).distinct() >= count
        });
        wait_until("all lines in the file", PATIENCE, || {
            self.of_file().distinct() >= count
        });
        let (topic, file) = (self.of_topic(group), self.of_file());
        topic.assert_nothing_lost(count);
        file.assert_nothing_lost(count);
        (topic, file, count)
    }
}

/// Which of the workers runs a connector's task.
pub(super) fn owner_of(workers: &[Member], asked: &Member, connector: &str) -> usize {
    wait_for("the owner of a task", PATIENCE, || {
        let status = asked.status(connector);
        let task = &status["tasks"][0];
        let id = task["worker_id"]
            .as_str()
            .filter(|_| task["state"] == "RUNNING")?;
        workers.iter().position(|worker| worker.id() == id)
    })
}

#[test]
fn a_rolling_restart_loses_and_doubles_nothing() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-rolling");
    let mut workers = group.start_all(3);
    let mut flow = Flow::start(&workers, "dist-rolling");
    for worker in &mut workers {
        let port = worker.port();
        worker.stop_cleanly();
        *worker = group.launch_on(port);
        worker.wait_until_healthy();
        worker.wait_until_running("flow-source", 1);
        worker.wait_until_running("flow-sink", 1);
    }
    let (topic, file, count) = flow.finish(&group);
    assert_eq!(topic.duplicates(), 0, "of {count} lines in the topic");
    assert_eq!(file.duplicates(), 0, "of {count} lines in the file");
}

/// Kills the worker that leads, or one that does not.
fn kill_one(name: &str, the_leader: bool) {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, name);
    let workers = group.start_all(3);
    let mut flow = Flow::start(&workers, name);
    // So that every worker has something to lose.
    for number in 0..3 {
        let connector = format!("{name}-idle-{number}");
        workers[0].put(&idle(&connector, 1));
        workers[0].wait_until_running(&connector, 1);
    }
    let victim = workers
        .iter()
        .position(|worker| worker.leads() == the_leader)
        .unwrap();
    let asked = &workers[(victim + 1) % 3];
    workers[victim].kill();
    let killed = Instant::now();
    let names: Vec<String> = (0..3)
        .map(|number| format!("{name}-idle-{number}"))
        .collect();
    let names = names
        .iter()
        .map(String::as_str)
        .chain(["flow-source", "flow-sink"]);
    for connector in names {
        wait_until(&format!("{connector} elsewhere"), PATIENCE, || {
            let status = asked.status(connector);
            let runs = |part: &serde_json::Value| {
                part["state"] == "RUNNING" && part["worker_id"] != workers[victim].id().as_str()
            };
            runs(&status["connector"]) && runs(&status["tasks"][0])
        });
    }
    assert!(killed.elapsed() < SESSION + Duration::from_secs(30));
    flow.finish(&group);
}

#[test]
fn the_work_of_a_killed_leader_goes_on_elsewhere_soon_after_its_session() {
    kill_one("dist-kill-leader", true);
}

#[test]
fn the_work_of_a_killed_follower_goes_on_elsewhere_soon_after_its_session() {
    kill_one("dist-kill-follower", false);
}

#[test]
fn one_worker_goes_on_when_two_of_three_are_killed() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-kill-two");
    let workers = group.start_all(3);
    let mut flow = Flow::start(&workers, "dist-kill-two");
    let source = owner_of(&workers, &workers[0], "flow-source");
    let sink = owner_of(&workers, &workers[0], "flow-sink");
    let survivor = (0..3).find(|at| *at != source && *at != sink).unwrap();
    for (at, worker) in workers.iter().enumerate() {
        if at != survivor {
            worker.kill();
        }
    }
    wait_until("everything on the survivor", PATIENCE, || {
        ["flow-source", "flow-sink"].iter().all(|name| {
            let status = workers[survivor].status(name);
            let here = |part: &serde_json::Value| {
                part["state"] == "RUNNING" && part["worker_id"] == workers[survivor].id().as_str()
            };
            here(&status["connector"]) && here(&status["tasks"][0])
        })
    });
    flow.finish(&group);
}

#[test]
fn a_worker_that_was_frozen_for_longer_than_its_session_writes_nothing_when_it_wakes() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-zombie");
    let workers = group.start_all(2);
    let mut flow = Flow::start(&workers, "dist-zombie");
    let zombie = owner_of(&workers, &workers[0], "flow-source");
    let other = &workers[1 - zombie];
    workers[zombie].freeze();
    wait_for("the source elsewhere", PATIENCE, || {
        let task = &other.status("flow-source")["tasks"][0];
        (task["state"] == "RUNNING" && task["worker_id"] == other.id().as_str()).then_some(())
    });
    // So that every line that the zombie would write is there already.
    let before = flow.of_topic(&group).distinct();
    wait_until("the other one to get on", PATIENCE, || {
        flow.of_topic(&group).distinct() > before + 500
    });
    let doubled = flow.of_topic(&group).duplicates();
    workers[zombie].thaw();
    workers[zombie].wait_until_healthy();
    let (topic, _, count) = flow.finish(&group);
    assert_eq!(
        topic.duplicates(),
        doubled,
        "of {count} lines, written by the zombie"
    );
}
