//! Members of a worker group at a real Kafka: among their own kind, beside a distributed worker of Apache's,
//! and with a broker that freezes. As a group's membership has no command yet, this uses the library.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringmain::clients::CommonClientConfig;
use ringmain::distributed::ConnectorsAndTasks;
use ringmain::distributed::protocol::{
    Assignment, ConnectProtocol, NO_ERROR, PROTOCOL_TYPE, WorkerState, metadata_request,
};
use ringmain::kafka::{GroupEvent, GroupMember, GroupMemberConfig, LossReason};
use ringmain::shard::{self, RuntimeKind};
use serde_json::json;

use crate::common::oracle::all_tasks_run;
use crate::common::{
    ClusterOptions, Kafka, KafkaCluster, PATIENCE, Process, Properties, free_port, heavy, http,
    kafka, pipeline, scratch_dir, wait_for, wait_until,
};

const URL: &str = "http://127.0.0.1:9/";

/// What a member was told.
#[derive(Debug, Default)]
struct Told {
    generation: i32,
    is_leader: bool,
    leader: String,
    assignment: Option<Assignment>,
    /// What the member runs, as an incremental assignment leaves it.
    runs: ConnectorsAndTasks,
    /// URLs of all members, when this one led last.
    urls: BTreeSet<String>,
    joined: usize,
    lost: Vec<LossReason>,
    coordinator_unknown: usize,
    last_heartbeat: Option<Instant>,
}

/// A member that runs nothing, on a thread of its own; as leader it gives nobody anything.
struct Worker {
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(bootstrap: &str, group: &str, url: &str) -> Self {
        let config = GroupMemberConfig {
            common: CommonClientConfig {
                bootstrap_servers: bootstrap.split(',').map(str::to_owned).collect(),
                client_id: "worker".to_owned(),
                ..CommonClientConfig::default()
            },
            group_id: group.to_owned(),
            protocol_type: PROTOCOL_TYPE,
            session_timeout: Duration::from_secs(6),
            rebalance_timeout: Duration::from_secs(30),
            heartbeat_interval: Duration::from_millis(300),
            group_instance_id: None,
        };
        let told = Arc::new(Mutex::new(Told::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, stopped, url) = (Arc::clone(&told), Arc::clone(&stop), url.to_owned());
        let thread = std::thread::spawn(move || {
            let work = async move { take_part(config, &url, &theirs, &stopped).await };
            shard::run(RuntimeKind::Epoll, None, work).unwrap();
        });
        let thread = Some(thread);
        Self { told, stop, thread }
    }

    fn with<T>(&self, look: impl Fn(&Told) -> T) -> T {
        look(&self.told.lock().unwrap())
    }

    /// Leaves the group.
    fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn take_part(config: GroupMemberConfig, url: &str, told: &Mutex<Told>, stop: &AtomicBool) {
    let member = GroupMember::new(config);
    member.request_join("a worker starts");
    while !stop.load(Ordering::Relaxed) {
        member.polled();
        told.lock().unwrap().last_heartbeat = member.last_heartbeat();
        let next = shard::timeout(Duration::from_millis(50), member.next()).await;
        match next {
            Ok(GroupEvent::Prepare { round, .. }) => {
                member.join(round, metadata(url, &told.lock().unwrap()));
            }
            Ok(GroupEvent::Lead {
                round,
                leader,
                members,
                ..
            }) => member.assign(round, Ok(lead(&leader, members, &mut told.lock().unwrap()))),
            Ok(event) => {
                if note(event, &mut told.lock().unwrap()) {
                    member.request_join("revoked work is stopped");
                }
            }
            Err(_) => {}
        }
    }
    member
        .leave(Duration::from_secs(10), "the worker stops")
        .await;
}

fn metadata(url: &str, told: &Told) -> Vec<(&'static str, Bytes)> {
    let assignment = told.assignment.clone().map(|last| Assignment {
        assigned: told.runs.clone(),
        revoked: ConnectorsAndTasks::default(),
        ..last
    });
    let state = WorkerState {
        url: url.into(),
        // A worker that has read as much as the leader; nothing of the config topic is needed here.
        config_offset: told
            .assignment
            .as_ref()
            .map_or(-1, |last| last.config_offset),
        assignment,
        plugins: None,
    };
    let offered = metadata_request(&state, ConnectProtocol::Sessioned).unwrap();
    let offered = offered.into_iter();
    offered.map(|(name, bytes)| (name, bytes.into())).collect()
}

fn lead(leader: &str, members: Vec<(String, Bytes)>, told: &mut Told) -> Vec<(String, Bytes)> {
    let states: Vec<WorkerState> = members
        .iter()
        .map(|(_, metadata)| WorkerState::decode(metadata).unwrap())
        .collect();
    told.urls = states.iter().map(|state| state.url.to_string()).collect();
    let nothing = Assignment {
        version: ConnectProtocol::Sessioned.version(),
        error: NO_ERROR,
        leader: leader.into(),
        leader_url: URL.into(),
        config_offset: states
            .iter()
            .map(|state| state.config_offset)
            .max()
            .unwrap(),
        assigned: ConnectorsAndTasks::default(),
        revoked: ConnectorsAndTasks::default(),
        delay_ms: 0,
    };
    let encoded = Bytes::from(nothing.encode().unwrap());
    let members = members.into_iter();
    members.map(|(id, _)| (id, encoded.clone())).collect()
}

/// Takes over what was told; whether the member has to join again.
fn note(event: GroupEvent, told: &mut Told) -> bool {
    match event {
        GroupEvent::Joined {
            generation,
            is_leader,
            leader,
            assignment,
            ..
        } => {
            let assignment = Assignment::decode(&assignment).unwrap();
            let revoked = &assignment.revoked;
            told.runs
                .connectors
                .retain(|name| !revoked.connectors.contains(name));
            told.runs.tasks.retain(|task| !revoked.tasks.contains(task));
            told.runs.add(&assignment.assigned);
            let rejoins = !revoked.is_empty();
            (told.generation, told.is_leader, told.leader) = (generation, is_leader, leader);
            told.assignment = Some(assignment);
            told.joined += 1;
            rejoins
        }
        GroupEvent::SessionLost { reason } => {
            told.lost.push(reason);
            told.runs = ConnectorsAndTasks::default();
            told.assignment = None;
            false
        }
        GroupEvent::CoordinatorUnknown { .. } => {
            told.coordinator_unknown += 1;
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_members_share_generations_and_the_one_that_stays_leads() {
    let Some(kafka) = kafka() else { return };
    let bootstrap = kafka.shared_cluster().bootstrap();
    let group = "group-member-two";
    let a = Worker::start(&bootstrap, group, "http://a:1/");
    wait_until("a generation of one", PATIENCE, || {
        a.with(|a| a.joined == 1)
    });
    assert!(a.with(|a| a.is_leader && a.urls.len() == 1));
    let b = Worker::start(&bootstrap, group, "http://b:1/");
    let both: BTreeSet<String> = ["http://a:1/", "http://b:1/"].map(str::to_owned).into();
    wait_until("a generation of two", PATIENCE, || {
        let (a, b) = (a.told.lock().unwrap(), b.told.lock().unwrap());
        a.generation == b.generation && a.leader == b.leader && a.urls == both
    });
    assert!(b.with(|b| !b.is_leader && b.joined == 1));
    let begun = Instant::now();
    a.stop();
    wait_until("the other to lead", PATIENCE, || b.with(|b| b.is_leader));
    assert!(begun.elapsed() < Duration::from_secs(5), "it said farewell");
    assert_eq!(b.with(|b| b.urls.len()), 1);
    assert!(b.with(|b| b.lost.is_empty()));
    b.stop();
}

/// Apache's distributed worker, alone in its group but for those of a test.
fn apache_worker(kafka: &Kafka, bootstrap: &str, group: &str) -> (Process, String) {
    let dir = scratch_dir("distributed-oracle").keep();
    let port = free_port();
    let mut worker: Properties = pipeline::worker(bootstrap)
        .set("plugin.path", kafka.plugin_path().display())
        .set("plugin.discovery", "service_load")
        .set("listeners", format!("http://127.0.0.1:{port}"))
        .set("group.id", group)
        .set("heartbeat.interval.ms", 300)
        .set("session.timeout.ms", 6000)
        .set("offset.storage.partitions", 1)
        .set("status.storage.partitions", 1);
    for topic in ["config", "offset", "status"] {
        worker = worker
            .set(
                &format!("{topic}.storage.topic"),
                format!("{group}-{topic}"),
            )
            .set(&format!("{topic}.storage.replication.factor"), 1);
    }
    let mut java = kafka.java(256, "INFO");
    java.arg("org.apache.kafka.connect.cli.ConnectDistributed")
        .arg(worker.write(&dir.join("worker.properties")));
    let process = Process::spawn("distributed-oracle", java, &dir);
    (process, format!("http://127.0.0.1:{port}"))
}

#[test]
fn a_worker_of_apaches_follows_ours_and_gives_work_to_ours_when_it_leads() {
    let Some(kafka) = kafka() else { return };
    let _alone = heavy();
    let bootstrap = kafka.shared_cluster().bootstrap();
    let group = "group-member-apache";
    let ours = Worker::start(&bootstrap, group, URL);
    wait_until("a generation of one", PATIENCE, || {
        ours.with(|ours| ours.is_leader)
    });
    let (process, url) = apache_worker(kafka, &bootstrap, group);
    wait_until("Apache's worker to follow ours", PATIENCE, || {
        assert!(process.try_wait().is_none(), "Apache's worker ended");
        ours.with(|ours| ours.urls.contains(&format!("{url}/")))
    });
    process.wait_for_line("Joined group at generation", PATIENCE);
    ours.stop();
    wait_until("Apache's worker to lead", PATIENCE, || {
        http::try_request("GET", &format!("{url}/connectors"), None)
            .is_ok_and(|answer| answer.status == 200)
    });
    for number in 0..4 {
        let name = format!("group-member-{number}");
        let config = json!({"name": name, "config": {
            "connector.class": "org.apache.kafka.connect.tools.MockSourceConnector",
            "tasks.max": "1",
        }});
        let created = wait_for("a connector to be created", PATIENCE, || {
            let answer = http::request("POST", &format!("{url}/connectors"), Some(&config));
            (answer.status != 409).then_some(answer)
        });
        assert_eq!(created.status, 201, "{}", created.body);
        // Ours starts nothing, so what it is given has to have its tasks already.
        wait_until("the connector's task", PATIENCE, || {
            all_tasks_run(&http::get(&format!("{url}/connectors/{name}/status")).json())
        });
    }
    let ours = Worker::start(&bootstrap, group, URL);
    wait_until("ours to get some of the work", PATIENCE, || {
        ours.with(|ours| ours.runs.connectors.len() == 2 && ours.runs.tasks.len() == 2)
    });
    ours.with(|ours| {
        let assignment = ours.assignment.as_ref().unwrap();
        assert!(!ours.is_leader && ours.lost.is_empty());
        assert_eq!(*assignment.leader, ours.leader);
        assert_eq!(*assignment.leader_url, format!("{url}/"));
        assert_eq!((assignment.version, assignment.error), (2, NO_ERROR));
        assert!(
            ours.runs
                .connectors
                .iter()
                .all(|name| name.starts_with("group-member-"))
        );
    });
    ours.stop();
    process.kill();
}

#[test]
fn a_frozen_broker_costs_the_session_and_the_member_outlives_a_killed_one() {
    let Some(kafka) = kafka() else { return };
    let _alone = heavy();
    let cluster = KafkaCluster::start(kafka, &ClusterOptions::default());
    let member = Worker::start(&cluster.bootstrap(), "group-member-frozen", URL);
    wait_until("a generation", PATIENCE, || {
        member.with(|told| told.joined == 1)
    });
    let begun = Instant::now();
    cluster.pause(0);
    wait_until("the loss of the session", PATIENCE, || {
        member.with(|told| told.lost == [LossReason::SessionTimeout])
    });
    let took = begun.elapsed();
    let expected = Duration::from_millis(5500)..Duration::from_millis(8000);
    assert!(expected.contains(&took), "the session was of 6 s: {took:?}");
    cluster.resume(0);
    wait_until("the member to be back", PATIENCE, || {
        member.with(|told| told.joined == 2 && told.assignment.is_some())
    });
    member.told.lock().unwrap().coordinator_unknown = 0;
    cluster.kill(0);
    wait_until("the outage to be told", PATIENCE, || {
        member.with(|told| told.coordinator_unknown == 1)
    });
    cluster.restart(0);
    let back = Instant::now();
    wait_until("a heartbeat to be answered", PATIENCE, || {
        member.with(|told| told.last_heartbeat.is_some_and(|sent| sent > back))
    });
    assert_eq!(member.with(|told| told.coordinator_unknown), 1, "told once");
    member.stop();
}
