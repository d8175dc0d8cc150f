//! Groups of Apache's workers and ours, and clusters that go from one to the other and back.

use super::group::{Group, Member};
use crate::common::lines::{Tally, append_lines};
use crate::common::pipeline::{BYTES, file_sink, file_source};
use crate::common::{PATIENCE, Properties, heavy, kafka, scratch_dir, wait_until};

/// A mirror of a topic in the same cluster, under another name.
fn mirror(name: &str, topic: &str, bootstrap: &str) -> Properties {
    Properties::new()
        .set("name", name)
        .set(
            "connector.class",
            "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        )
        .set("tasks.max", 1)
        .set("source.cluster.alias", "M")
        .set("target.cluster.alias", "T")
        .set("source.cluster.bootstrap.servers", bootstrap)
        .set("target.cluster.bootstrap.servers", bootstrap)
        .set("topics", topic)
        .set("replication.factor", 1)
        .set("refresh.topics.interval.seconds", 1)
        .set("sync.topic.acls.enabled", false)
        .set("offset-syncs.topic.location", "target")
        .set("offset-syncs.topic.replication.factor", 1)
        .set("consumer.poll.timeout.ms", 200)
        .set("key.converter", BYTES)
        .set("value.converter", BYTES)
        .set("header.converter", BYTES)
}

/// What runs in a cluster that changes hands: file → topic → file, and a mirror of the topic.
struct Moved<'a> {
    group: Group<'a>,
    dir: tempfile::TempDir,
    topic: String,
    written: u64,
}

impl Moved<'_> {
    const NAMES: [&'static str; 3] = ["moved-source", "moved-sink", "moved-mirror"];

    fn append(&mut self, count: u64) {
        let input = self.dir.path().join("in");
        append_lines(&input, self.written..self.written + count);
        self.written += count;
    }

    fn create(&self, worker: &Member) {
        let path = |name: &str| self.dir.path().join(name);
        worker.put(&file_source(Self::NAMES[0], &path("in"), &self.topic));
        worker.put(&file_sink(Self::NAMES[1], &path("out"), &self.topic));
        let bootstrap = self.group.cluster().bootstrap();
        worker.put(&mirror(Self::NAMES[2], &self.topic, &bootstrap));
    }

    fn in_topic(&self, topic: &str) -> Tally {
        let mut tally = Tally::default();
        let client = self.group.cluster().client();
        if client.topics().contains_key(topic) {
            client
                .read_values(topic)
                .iter()
                .for_each(|value| tally.add(value));
        }
        tally
    }

    fn in_file(&self) -> Tally {
        let mut tally = Tally::default();
        let output = self.dir.path().join("out");
        if output.exists() {
            tally.add_file(&output);
        }
        tally
    }

    fn mirrored(&self) -> Tally {
        self.in_topic(&format!("M.{}", self.topic))
    }

    fn wait_for_all(&self) {
        wait_until("the lines in the file", PATIENCE, || {
            self.in_file().distinct() >= self.written
        });
        wait_until("the lines in the mirror", PATIENCE, || {
            self.mirrored().distinct() >= self.written
        });
    }

    fn assert_exactly(&self) {
        self.in_topic(&self.topic).assert_exactly(self.written);
        self.in_file().assert_exactly(self.written);
        self.mirrored().assert_exactly(self.written);
    }
}

/// Three of Apache's workers, three of ours on the same topics, and back: nothing is read twice or lost.
#[test]
fn a_cluster_is_taken_over_from_apaches_workers_and_given_back_at_the_same_offsets() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let mut moved = Moved {
        group: Group::new(kafka, "dist-takeover"),
        dir: scratch_dir("dist-takeover"),
        topic: "dist-takeover-lines".to_owned(),
        written: 0,
    };
    moved.append(500);
    let apaches = moved.group.start_apaches(3);
    moved.create(&apaches[0]);
    moved.wait_for_all();
    apaches.iter().for_each(Member::stop);
    moved.append(500);
    let ours = moved.group.start_all(3);
    for name in Moved::NAMES {
        ours[0].wait_until_running(name, 1);
    }
    moved.wait_for_all();
    moved.assert_exactly();
    ours.iter().for_each(Member::stop_cleanly);
    moved.append(500);
    let apaches = moved.group.start_apaches(3);
    for name in Moved::NAMES {
        apaches[1].wait_until_running(name, 1);
    }
    moved.wait_for_all();
    apaches.iter().for_each(Member::stop);
    moved.assert_exactly();
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
    let on = |asked: &Member, id: &str| {
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
