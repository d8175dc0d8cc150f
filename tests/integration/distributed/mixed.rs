//! Groups of Apache's workers and ours, and clusters that go from one to the other and back.

use super::group::Group;
use crate::common::lines::{Tally, append_lines};
use crate::common::pipeline::{file_sink, file_source};
use crate::common::{PATIENCE, heavy, kafka, scratch_dir, wait_until};

#[test]
fn a_cluster_is_taken_over_from_apaches_workers_and_given_back_at_the_same_offsets() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-takeover");
    let dir = scratch_dir("dist-takeover");
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    let topic = "dist-takeover-lines";
    let mut written = 0;
    let mut more = |count: u64| {
        append_lines(&input, written..written + count);
        written += count;
        written
    };
    let arrived = |count: u64| {
        wait_until("the lines", PATIENCE, || {
            let mut tally = Tally::default();
            if output.exists() {
                tally.add_file(&output);
            }
            tally.distinct() >= count
        });
    };
    let count = more(500);
    let apaches = group.start_apache();
    apaches.put(&file_source("moved-source", &input, topic));
    apaches.put(&file_sink("moved-sink", &output, topic));
    arrived(count);
    apaches.stop();
    for _ in 0..2 {
        let count = more(500);
        let ours = group.start();
        ours.wait_until_running("moved-source", 1);
        ours.wait_until_running("moved-sink", 1);
        arrived(count);
        ours.stop_cleanly();
        let count = more(500);
        let apaches = group.start_apache();
        apaches.wait_until_running("moved-source", 1);
        arrived(count);
        apaches.stop();
    }
    let mut in_topic = Tally::default();
    for value in group.cluster().client().read_values(topic) {
        in_topic.add(&value);
    }
    in_topic.assert_exactly(written);
    let mut in_file = Tally::default();
    in_file.add_file(&output);
    in_file.assert_exactly(written);
}

/// One worker of each kind, connectors on both, and each survives the other's death.
fn mixed(name: &str, protocol: &str) {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, name).with("connect.protocol", protocol);
    let dir = scratch_dir(name);
    let apaches = group.start_apache();
    let ours = group.start();
    let names = ["mixed-0", "mixed-1", "mixed-2", "mixed-3"];
    for (at, connector) in names.iter().enumerate() {
        let input = dir.path().join(connector);
        append_lines(&input, 0..100);
        let asked = if at % 2 == 0 { &apaches } else { &ours };
        asked.put(&file_source(connector, &input, &format!("{name}-{at}")));
    }
    let on = |asked: &super::group::Member, id: &str| {
        names
            .iter()
            .filter(|connector| asked.status(connector)["tasks"][0]["worker_id"] == id)
            .count()
    };
    wait_until("two tasks on each worker", PATIENCE, || {
        let all = names
            .iter()
            .all(|connector| ours.status(connector)["tasks"][0]["state"] == "RUNNING");
        all && on(&ours, &ours.id()) == 2 && on(&ours, &apaches.id()) == 2
    });
    ours.kill();
    wait_until("everything on Apache's", PATIENCE, || {
        names.iter().all(|connector| {
            let task = &apaches.status(connector)["tasks"][0];
            task["state"] == "RUNNING" && task["worker_id"] == apaches.id().as_str()
        })
    });
    let ours = group.start();
    wait_until("two tasks on each worker again", PATIENCE, || {
        on(&ours, &ours.id()) == 2 && on(&ours, &apaches.id()) == 2
    });
    apaches.kill();
    wait_until("everything on ours", PATIENCE, || {
        names.iter().all(|connector| {
            let task = &ours.status(connector)["tasks"][0];
            task["state"] == "RUNNING" && task["worker_id"] == ours.id().as_str()
        })
    });
    for at in 0..names.len() {
        let values = group
            .cluster()
            .client()
            .read_values(&format!("{name}-{at}"));
        let mut tally = Tally::default();
        values.iter().for_each(|value| tally.add(value));
        tally.assert_nothing_lost(100);
    }
}

#[test]
fn a_sessioned_group_of_both_kinds_survives_the_kill_of_either() {
    mixed("dist-mixed-sessioned", "sessioned");
}

#[test]
fn a_compatible_group_of_both_kinds_survives_the_kill_of_either() {
    mixed("dist-mixed-compatible", "compatible");
}
