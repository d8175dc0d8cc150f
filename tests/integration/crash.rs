//! Kills, at random moments, of the worker and of the broker: no line is ever lost. Lines may come
//! twice, as at-least-once delivery has it.

use std::path::PathBuf;
use std::time::Duration;

use crate::common::lines::{Feeder, Tally, append_lines};
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{
    ClusterOptions, KafkaCluster, PATIENCE, Properties, Standalone, heavy, kafka, wait_until,
};

const KILLS: u64 = 10;
const AT_LEAST: u64 = 1_000_000;

/// A pipeline whose files lie in its own directory, topic and connectors named after `name`.
struct Pipeline {
    files: Standalone,
    input: PathBuf,
    output: PathBuf,
}

impl Pipeline {
    fn new(bootstrap: &str, name: &str) -> Self {
        let files = Standalone::new(&pipeline::worker(bootstrap), &[]);
        let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
        let files = files.with_connectors(&[
            file_source(&format!("{name}-source"), &input, name),
            file_sink(&format!("{name}-sink"), &output, name),
        ]);
        Self {
            files,
            input,
            output,
        }
    }

    fn wait_for_output(&self, lines: u64, limit: Duration) -> Tally {
        let bytes = lines * 94;
        wait_until("as many bytes in the output as in the input", limit, || {
            std::fs::metadata(&self.output).is_ok_and(|out| out.len() >= bytes)
        });
        // Repeated lines may have filled the file before the last ones arrived.
        let mut tally = Tally::default();
        wait_until("every line in the output", limit, || {
            tally = Tally::default();
            tally.add_file(&self.output);
            tally.distinct() >= lines
        });
        tally
    }
}

#[test]
fn ten_kills_of_the_worker_during_a_million_lines_lose_none() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    kill_ten_times(&kafka.shared_cluster().bootstrap(), "killed");
    let mut topic = Tally::default();
    kafka
        .shared_cluster()
        .client()
        .visit("killed", 0, |r| topic.add(&r.record.value.unwrap()));
    topic.assert_nothing_lost(topic.distinct());
    assert!(topic.distinct() >= AT_LEAST);
}

/// Kills the worker while it catches up with a file that grows all the time, then lets it finish.
pub(crate) fn kill_ten_times(bootstrap: &str, topic: &str) {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let pipeline = Pipeline::new(bootstrap, topic);
    append_lines(&pipeline.input, 0..AT_LEAST / 2);
    let mut next = AT_LEAST / 2;
    let share = AT_LEAST / 2 / KILLS;
    for _ in 0..KILLS {
        let ringmain = pipeline.files.launch();
        let feeder = Feeder::start(&pipeline.input, next, 20_000);
        std::thread::sleep(Duration::from_millis(random.u64(50..1200)));
        ringmain.kill();
        let reached = feeder.finish();
        append_lines(&pipeline.input, reached..reached.max(next + share));
        next = reached.max(next + share);
    }
    let ringmain = pipeline.files.start();
    let tally = pipeline.wait_for_output(next, Duration::from_secs(120));
    ringmain.stop_cleanly();
    assert_eq!(
        tally.missing(next),
        Vec::<u64>::new(),
        "lines that never reached the sink"
    );
    // A kill in the middle of a write leaves a torn line; what it tore comes again.
    assert!(
        tally.damaged <= 2 * KILLS,
        "{} damaged lines",
        tally.damaged
    );
}

fn own_cluster(kafka: &crate::common::Kafka) -> KafkaCluster {
    KafkaCluster::start(kafka, &ClusterOptions::default())
}

/// Feeds lines while `harm` does what it does, then checks that every line came through.
fn feed_during(cluster: &KafkaCluster, name: &str, harm: impl FnOnce()) -> Tally {
    let pipeline = Pipeline::new(&cluster.bootstrap(), name);
    append_lines(&pipeline.input, 0..1000);
    let ringmain = pipeline.files.start();
    pipeline.wait_for_output(1000, PATIENCE);
    let feeder = Feeder::start(&pipeline.input, 1000, 10_000);
    std::thread::sleep(Duration::from_millis(500));
    harm();
    std::thread::sleep(Duration::from_millis(500));
    let count = feeder.finish();
    let tally = pipeline.wait_for_output(count, PATIENCE);
    ringmain.wait_until_running(&format!("{name}-source"));
    ringmain.wait_until_running(&format!("{name}-sink"));
    ringmain.stop_cleanly();
    tally.assert_nothing_lost(count);
    let mut topic = Tally::default();
    cluster
        .client()
        .visit(name, 0, |r| topic.add(&r.record.value.unwrap()));
    topic.assert_nothing_lost(count);
    assert_eq!(
        topic.duplicates(),
        0,
        "an idempotent producer repeats nothing"
    );
    tally
}

#[test]
fn a_killed_broker_that_comes_back_is_joined_again_and_no_line_is_lost() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let cluster = own_cluster(kafka);
    feed_during(&cluster, "broker-killed", || {
        cluster.kill(0);
        std::thread::sleep(Duration::from_secs(2));
        cluster.restart(0);
        std::thread::sleep(Duration::from_secs(1));
        cluster.stop(0);
        cluster.restart(0);
    });
}

#[test]
fn a_broker_frozen_for_twenty_seconds_under_load_costs_no_line() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let cluster = own_cluster(kafka);
    feed_during(&cluster, "broker-frozen", || {
        cluster.pause(0);
        std::thread::sleep(Duration::from_secs(20));
        cluster.resume(0);
    });
}

#[test]
fn the_loss_of_a_partitions_leader_among_three_brokers_costs_no_line() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let settings = Properties::new().set("min.insync.replicas", 1);
    let options = ClusterOptions {
        brokers: 3,
        settings,
        ..ClusterOptions::default()
    };
    let cluster = KafkaCluster::start(kafka, &options);
    kafka.create_topic(&cluster.bootstrap(), "leader-moves", 1, 3, &[]);
    feed_during(&cluster, "leader-moves", || {
        for index in 0..3 {
            cluster.stop(index);
            std::thread::sleep(Duration::from_millis(500));
            cluster.restart(index);
            std::thread::sleep(Duration::from_secs(2));
        }
    });
}

#[test]
fn a_worker_started_before_its_broker_waits_and_then_runs() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let cluster = own_cluster(kafka);
    cluster.stop(0);
    let pipeline = Pipeline::new(&cluster.bootstrap(), "broker-late");
    append_lines(&pipeline.input, 0..1000);
    let ringmain = pipeline.files.launch();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(ringmain.process().try_wait(), None, "the worker gave up");
    cluster.restart(0);
    pipeline
        .wait_for_output(1000, PATIENCE)
        .assert_exactly(1000);
    ringmain.stop_cleanly();
}
