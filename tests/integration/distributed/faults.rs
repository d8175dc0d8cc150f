//! What goes wrong around workers: brokers, topics, clocks, disks, addresses.

use std::time::{Instant, SystemTime};

use serde_json::json;

use super::bounce::{Flow, owner_of};
use super::group::{Group, Member};
use super::lifecycle::idle;
use crate::common::client::Compression;
use crate::common::lines::{Tally, append_lines};
use crate::common::pipeline::{file_sink, file_source};
use crate::common::small_disk::SmallDisk;
use crate::common::wrong_clock::WrongClock;
use crate::common::{
    ClusterOptions, KafkaCluster, PATIENCE, Properties, free_port, heavy, kafka, scratch_dir,
    wait_for, wait_until,
};

/// Waits until all of these connectors run with one task each, as this worker sees it.
fn wait_for_all(asked: &Member, names: &[String]) {
    let what = format!("{} connectors to run", names.len());
    wait_until(&what, PATIENCE, || {
        let all = asked.get("/connectors?expand=status").json();
        names.iter().all(|name| {
            let status = &all[name]["status"];
            let tasks = status["tasks"].as_array();
            let runs = |part: &serde_json::Value| part["state"] == "RUNNING";
            runs(&status["connector"]) && tasks.is_some_and(|t| t.len() == 1 && runs(&t[0]))
        })
    });
}

/// Creates connectors by six clients, each through all workers in turn.
fn create_at_once(workers: &[Member], connectors: &[Properties]) {
    std::thread::scope(|scope| {
        for client in 0..6 {
            scope.spawn(move || {
                for (at, connector) in connectors.iter().enumerate().skip(client).step_by(6) {
                    workers[at % workers.len()].put(connector);
                }
            });
        }
    });
}

#[test]
fn brokers_restart_one_after_the_other_and_the_coordinator_moves_without_a_loss() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let options = ClusterOptions {
        brokers: 3,
        ..ClusterOptions::default()
    };
    let brokers = KafkaCluster::start(kafka, &options);
    let group = Group::on(kafka, &brokers, "dist-brokers")
        .with("config.storage.replication.factor", 3)
        .with("offset.storage.replication.factor", 3)
        .with("status.storage.replication.factor", 3);
    let workers = group.start_all(2);
    let mut flow = Flow::start(&workers, "dist-brokers");
    for broker in 0..3 {
        brokers.stop(broker);
        brokers.restart(broker);
        brokers.wait_until_serving(broker);
        workers[0].wait_until_running("flow-source", 1);
        workers[1].wait_until_running("flow-sink", 1);
    }
    flow.finish(&group);
    workers.iter().for_each(Member::stop_cleanly);
}

#[test]
fn records_of_the_config_topic_that_nobody_understands_disturb_nothing() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-garbage");
    let first = group.start();
    first.put(&idle("before", 1));
    first.wait_until_running("before", 1);
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let garbage = vec![
        (text("unknown-kind-x"), text("{}")),
        (text("connector-broken"), text("{\"properties\":")),
        (text("connector-number"), text("17")),
        (text("task-before-0"), text("no json")),
        (text("commit-nobody"), text("{\"tasks\":3}")),
        (text("commit-before"), text("{\"tasks\":\"many\"}")),
        (text("target-state-before"), text("{\"state\":\"FLYING\"}")),
        (text("session-key"), text("{\"key\":\"***\"}")),
        (text("restart-connector-before"), text("[]")),
        (Some(vec![0xff, 0xfe]), Some(vec![0xff; 100])),
    ];
    let client = group.cluster().client();
    client.produce(
        &group.topic("configs"),
        0,
        Compression::NoCompression,
        garbage,
    );
    // A connector that another kind of worker has written.
    let odd = text(r#"{"properties":{"name":"odd","connector.class":"x.Odd","tasks.max":"1"}}"#);
    let record = vec![(text("connector-odd"), odd)];
    client.produce(
        &group.topic("configs"),
        0,
        Compression::NoCompression,
        record,
    );
    let status = first.wait_until("odd", "FAILED");
    let trace = status["connector"]["trace"].as_str().unwrap();
    assert!(
        trace.contains("x.Odd") && trace.contains("no other worker"),
        "{trace}"
    );
    first.put(&idle("after", 1));
    first.wait_until_running("after", 1);
    first.wait_until_running("before", 1);
    // And at the next start, from the beginning.
    first.stop_cleanly();
    let second = group.start();
    second.wait_until_running("before", 1);
    second.wait_until_running("after", 1);
    let mut names = second.get("/connectors").json();
    names
        .as_array_mut()
        .unwrap()
        .sort_by_key(ToString::to_string);
    assert_eq!(names, json!(["after", "before", "odd"]));
    second.stop_cleanly();
}

#[test]
fn two_workers_with_one_advertised_address_both_work() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-twins")
        .with("rest.advertised.host.name", "127.0.0.1")
        .with("rest.advertised.port", 8083);
    let workers = group.start_all(2);
    // A request at the leader needs no address.
    let leader = wait_for("a leader", PATIENCE, || {
        workers.iter().position(Member::leads)
    });
    let dir = scratch_dir("dist-twins");
    for number in 0..4 {
        let input = dir.path().join(format!("in-{number}"));
        append_lines(&input, 0..100);
        let (name, topic) = (format!("twin-{number}"), format!("dist-twins-{number}"));
        workers[leader].put(&file_source(&name, &input, &topic).set("tasks.max", 1));
    }
    // The other one's task configurations go to an address where nobody is, until its connectors are the
    // leader's; the leader's own two run.
    let client = group.cluster().client();
    wait_until("two connectors of the leader", PATIENCE, || {
        let full = (0..4).filter(|number| {
            let topic = format!("dist-twins-{number}");
            client.topics().contains_key(&topic) && client.end_offset(&topic) == 100
        });
        full.count() >= 2
    });
    let other = &workers[1 - leader];
    assert!(other.process().try_wait().is_none(), "the other twin ended");
    other.stop_cleanly();
    wait_until("all connectors on the leader", PATIENCE, || {
        (0..4).all(|number| client.end_offset(&format!("dist-twins-{number}")) >= 100)
    });
    for number in 0..4 {
        let mut tally = Tally::default();
        let values = client.read_values(&format!("dist-twins-{number}"));
        values.iter().for_each(|value| tally.add(value));
        tally.assert_exactly(100);
    }
}

#[test]
fn what_runs_goes_on_when_the_config_topic_is_deleted() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-deleted");
    let workers = group.start_all(2);
    let mut flow = Flow::start(&workers, "dist-deleted");
    let topic = group.topic("configs");
    kafka.delete_topic(&group.cluster().bootstrap(), &topic);
    // A change meets the missing topic, or the one that a broker makes of its own accord.
    let config = json!({"connector.class": "FileStreamSource", "topic": "none", "file": "/none"});
    let answer = workers[0].request("PUT", "/connectors/late/config", Some(&config));
    assert!(
        matches!(answer.status, 201 | 500),
        "{}: {}",
        answer.status,
        answer.body
    );
    for worker in &workers {
        assert!(worker.process().try_wait().is_none(), "a worker ended");
        assert_eq!(worker.get("/health").status, 200);
    }
    flow.finish(&group);
}

/// Connectors' tasks are made by their owners and written by the leader, which takes signed requests only.
fn create_through(asked: &Member, name: &str) {
    asked.put(&idle(name, 2));
    asked.wait_until_running(name, 2);
}

fn keys_seen(worker: &Member) -> usize {
    worker
        .process()
        .output()
        .matches("Session key updated")
        .count()
}

#[test]
fn workers_whose_clocks_are_hours_apart_lead_sign_and_move_work_as_others_do() {
    let Some(kafka) = kafka() else { return };
    let Some(clock) = WrongClock::find() else {
        return;
    };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-clock").with("inter.worker.key.ttl.ms", 3000);
    // Brokers refuse what is more than an hour ahead.
    let shifts = ["+50m", "+0", "-26h"];
    let launch = |shift: &str, port| {
        let member = group.launch_with(port, |command| clock.shift(command, shift));
        member.wait_until_healthy();
        member
    };
    let mut workers: Vec<Member> = Vec::new();
    for shift in shifts {
        workers.push(launch(shift, free_port()));
    }
    assert_clock(&workers[0], 3000.0);
    assert_clock(&workers[2], -93600.0);
    let mut flow = Flow::start(&workers, "dist-clock");
    for at in 0..3 {
        // The next one leads, with keys that another clock made.
        workers[at].stop_cleanly();
        workers[at] = launch(shifts[at], workers[at].port());
        let asked = &workers[(at + 1) % 3];
        let keys = keys_seen(asked);
        create_through(&workers[at], &format!("clock-{at}"));
        create_through(asked, &format!("clock-{at}-next"));
        wait_until("the key to be renewed twice", PATIENCE, || {
            keys_seen(asked) >= keys + 2
        });
        asked.wait_until_running("flow-source", 1);
        asked.wait_until_running("flow-sink", 1);
    }
    let (topic, file, count) = flow.finish(&group);
    assert_eq!(topic.duplicates(), 0, "of {count} lines in the topic");
    assert_eq!(file.duplicates(), 0, "of {count} lines in the file");
}

/// The worker's clock is off by so many seconds, as its metrics show.
fn assert_clock(worker: &Member, expected: f64) {
    let text = worker.get("/metrics").body;
    let line = text
        .lines()
        .find(|line| line.starts_with("kafka_connect_app_info_start_time_ms{"));
    let started: f64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let off = started / 1000.0 - now.unwrap().as_secs_f64();
    assert!((off - expected).abs() < 300.0, "{off} s");
}

#[test]
fn a_full_disk_on_one_worker_costs_its_sink_alone_and_no_line() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let dir = scratch_dir("dist-disk");
    let Some(disk) = SmallDisk::mount(dir.path().join("disk"), 256) else {
        return;
    };
    let group = Group::new(kafka, "dist-disk");
    let workers = group.start_all(2);
    let (input, output) = (dir.path().join("in"), disk.path().join("out"));
    append_lines(&input, 0..20_000);
    workers[0].put(&file_source("disk-source", &input, "dist-disk-lines"));
    workers[0].put(&file_sink("disk-sink", &output, "dist-disk-lines"));
    workers[0].put(&idle("disk-bystander", 2));
    workers[0].wait_until_running("disk-sink", 1);
    let owner = owner_of(&workers, &workers[0], "disk-sink");
    workers[owner]
        .process()
        .wait_for_line("No space left", PATIENCE);
    workers[1 - owner].wait_until_running("disk-bystander", 2);
    disk.grow(8192);
    let mut tally = Tally::default();
    wait_until("the rest of the lines", PATIENCE, || {
        tally = Tally::default();
        tally.add_file(&output);
        tally.distinct() == 20_000
    });
    assert!(tally.damaged <= 1, "{} damaged lines", tally.damaged);
}

#[test]
fn sixty_connectors_created_at_once_through_all_workers_run_spread_evenly() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-burst");
    let workers = group.start_all(3);
    let names: Vec<String> = (0..60).map(|number| format!("burst-{number}")).collect();
    let began = Instant::now();
    let connectors: Vec<Properties> = names.iter().map(|name| idle(name, 1)).collect();
    create_at_once(&workers, &connectors);
    wait_for_all(&workers[1], &names);
    eprintln!("60 connectors ran after {:?}", began.elapsed());
    let mut tasks = std::collections::BTreeMap::<String, usize>::new();
    for name in &names {
        let status = workers[2].status(name);
        let id = status["tasks"][0]["worker_id"].as_str().unwrap().to_owned();
        *tasks.entry(id).or_default() += 1;
    }
    assert_eq!(
        tasks.values().copied().collect::<Vec<_>>(),
        [20, 20, 20],
        "{tasks:?}"
    );
    workers.iter().for_each(Member::stop_cleanly);
}

#[test]
fn five_hundred_connectors_outlive_the_loss_of_one_of_three_workers() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-many");
    let workers = group.start_all(3);
    let dir = scratch_dir("dist-many");
    let names: Vec<String> = (0..500).map(|number| format!("many-{number}")).collect();
    let connector = |name: &String| {
        let file = dir.path().join(name);
        std::fs::write(&file, "").unwrap();
        file_source(name, &file, "dist-many-lines")
    };
    let connectors: Vec<Properties> = names.iter().map(connector).collect();
    create_at_once(&workers, &connectors);
    wait_for_all(&workers[1], &names);
    workers[2].kill();
    let gone = workers[2].id();
    wait_until("everything on the other two", PATIENCE, || {
        let all = workers[0].get("/connectors?expand=status").json();
        names.iter().all(|name| {
            let status = &all[name]["status"];
            let there = |part: &serde_json::Value| {
                part["state"] == "RUNNING" && part["worker_id"] != gone.as_str()
            };
            there(&status["connector"]) && there(&status["tasks"][0])
        })
    });
}
