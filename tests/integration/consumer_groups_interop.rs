//! Our consumer in groups of a real Kafka: among its own kind and beside Java's consumer, through
//! joins, leaves and a broker's restart. Unlike the rest of these tests this one uses the library.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ringmain::api::TopicPartition;
use ringmain::clients::{
    CommonClientConfig, Consumer, ConsumerConfig, GroupAssignor, IsolationLevel, Polled,
    Subscription,
};
use ringmain::kafka::KafkaConsumer;
use ringmain::shard::{self, RuntimeKind};
use rustix::process::Signal;

use crate::common::client::Compression;
use crate::common::{
    ClusterOptions, Kafka, KafkaCluster, PATIENCE, Process, heavy, kafka, scratch_dir, wait_until,
};

/// What a member has seen.
#[derive(Debug, Default)]
struct Seen {
    /// How often each value came.
    values: BTreeMap<String, usize>,
    assignment: Vec<(String, i32)>,
    revoked: usize,
    lost: usize,
}

/// One of our consumers on a shard of its own; it commits what it has read after each poll.
struct Member {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Member {
    fn start(bootstrap: &str, client_id: &str, group: &str, topic: &str, eager: bool) -> Self {
        let mut config = ConsumerConfig {
            common: CommonClientConfig {
                bootstrap_servers: bootstrap.split(',').map(str::to_owned).collect(),
                client_id: client_id.to_owned(),
                ..CommonClientConfig::default()
            },
            group_id: Some(group.to_owned()),
            heartbeat_interval: Duration::from_millis(300),
            session_timeout: Duration::from_secs(15),
            ..ConsumerConfig::default()
        };
        if !eager {
            config.assignors = vec![GroupAssignor::CooperativeSticky];
        }
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, stopped, topic) = (Arc::clone(&seen), Arc::clone(&stop), topic.to_owned());
        let thread = std::thread::spawn(move || {
            let work = async move { consume(config, topic, &theirs, &stopped).await };
            shard::run(RuntimeKind::Epoll, None, work).unwrap();
        });
        Self { seen, stop, thread }
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().values.values().sum()
    }

    fn partitions(&self) -> usize {
        self.seen.lock().unwrap().assignment.len()
    }

    fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn consume(config: ConsumerConfig, topic: String, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let consumer = KafkaConsumer::new(config);
    consumer.subscribe(Subscription::Topics(vec![topic]));
    while !stop.load(Ordering::Relaxed) {
        let polled = consumer.poll(Duration::from_millis(50)).await.unwrap();
        let mut commits: Vec<(TopicPartition, i64)> = Vec::new();
        {
            let mut seen = seen.lock().unwrap();
            match polled {
                Polled::Records(records) => {
                    for fetched in &records {
                        for record in &fetched.records {
                            let value = record.value.of(&fetched.buffer).unwrap();
                            let value = String::from_utf8(value.to_vec()).unwrap();
                            *seen.values.entry(value).or_default() += 1;
                        }
                        commits.push((fetched.source.clone(), fetched.next_offset));
                    }
                }
                Polled::Revoked(_) => seen.revoked += 1,
                Polled::Lost(_) => seen.lost += 1,
                Polled::Assigned(_) | Polled::Idle => {}
            }
            seen.assignment = consumer
                .assignment()
                .iter()
                .map(|partition| (partition.topic.to_string(), partition.partition))
                .collect();
        }
        if let Err(error) = consumer.commit(&commits).await {
            eprintln!("commit failed: {error}");
        }
    }
    consumer.close(Duration::from_secs(10)).await;
}

/// Java's console consumer as a member of the group, for as long as the process lives.
fn java_member(kafka: &Kafka, bootstrap: &str, group: &str, topic: &str, more: &[&str]) -> Process {
    let mut command = kafka.java(64, "warn");
    command
        .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
        .args(["--bootstrap-server", bootstrap, "--topic", topic])
        .args(["--group", group])
        .args(["--command-property", "client.id=java-member"])
        .args(["--command-property", "heartbeat.interval.ms=300"])
        .args(["--command-property", "auto.commit.interval.ms=100"]);
    for setting in more {
        command.args(["--command-property", setting]);
    }
    // Kept: the process writes its output there.
    let dir = scratch_dir("java-member").keep();
    Process::spawn("console-consumer", command, &dir)
}

fn produce(cluster: &KafkaCluster, topic: &str, numbers: std::ops::Range<usize>) {
    let values: Vec<String> = numbers.map(|number| format!("{number:06}")).collect();
    let client = cluster.client();
    for (partition, chunk) in values.chunks(values.len().div_ceil(4)).enumerate() {
        let partition = i32::try_from(partition).unwrap();
        let pairs = chunk
            .iter()
            .map(|value| (None, Some(value.clone().into_bytes())))
            .collect();
        client.produce(topic, partition, Compression::Lz4, pairs);
    }
}

/// Every number once over all members.
fn assert_each_once(count: usize, seen: &[&BTreeMap<String, usize>]) {
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for values in seen {
        for (value, times) in *values {
            *all.entry(value).or_default() += times;
        }
    }
    let wrong: Vec<_> = (0..count)
        .map(|number| format!("{number:06}"))
        .filter(|value| all.get(value.as_str()) != Some(&1))
        .collect();
    assert!(wrong.is_empty(), "not exactly once: {wrong:?}");
    assert_eq!(all.len(), count);
}

fn lines(process: &Process) -> BTreeMap<String, usize> {
    let mut values = BTreeMap::new();
    for line in process.stdout().lines() {
        *values.entry(line.to_owned()).or_default() += 1;
    }
    values
}

#[test]
fn cooperative_members_of_ours_and_of_java_share_a_topic_without_loss_or_repetition() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let bootstrap = cluster.bootstrap();
    let (group, topic) = ("interop-cooperative", "interop-cooperative");
    cluster.client().create_topic(topic, 4);
    produce(cluster, topic, 0..400);
    let a = Member::start(&bootstrap, "ours-a", group, topic, false);
    wait_until("the first member to read everything", PATIENCE, || {
        a.count() == 400
    });
    let b = Member::start(&bootstrap, "ours-b", group, topic, false);
    wait_until("two partitions each", PATIENCE, || {
        a.partitions() == 2 && b.partitions() == 2
    });
    let rows = kafka.describe_group(&bootstrap, group);
    let mut clients: Vec<_> = rows.iter().map(|row| row.client_id.as_deref()).collect();
    clients.sort_unstable();
    let (one, two) = (Some("ours-a"), Some("ours-b"));
    assert_eq!(clients, [one, one, two, two], "{rows:?}");
    assert!(rows.iter().all(|row| row.lag == Some(0)), "{rows:?}");
    assert!(
        rows.iter()
            .all(|row| row.topic == topic && row.host.is_some())
    );
    let sticky = "partition.assignment.strategy=\
                  org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    let java = java_member(kafka, &bootstrap, group, topic, &[sticky]);
    wait_until("Java's member to get a partition", PATIENCE, || {
        a.partitions() + b.partitions() == 3
    });
    produce(cluster, topic, 400..800);
    wait_until("all records over three members", PATIENCE, || {
        a.count() + b.count() + lines(&java).len() >= 800
    });
    let theirs = lines(&java);
    assert!(!theirs.is_empty(), "Java's member reads a partition, too");
    java.signal(Signal::TERM);
    java.wait(PATIENCE);
    wait_until("the rest to take over", PATIENCE, || {
        a.partitions() + b.partitions() == 4
    });
    produce(cluster, topic, 800..900);
    wait_until("the last records", PATIENCE, || {
        a.count() + b.count() + theirs.len() >= 900
    });
    let (a, b) = (a.stop(), b.stop());
    assert_each_once(900, &[&a.values, &b.values, &theirs]);
    assert_eq!((a.lost, b.lost), (0, 0));
    assert!(a.revoked > 0);
}

#[test]
fn eager_members_with_kafkas_default_assignors_share_a_topic_with_java() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let bootstrap = cluster.bootstrap();
    let (group, topic) = ("interop-eager", "interop-eager");
    cluster.client().create_topic(topic, 4);
    let java = java_member(
        kafka,
        &bootstrap,
        group,
        topic,
        &["auto.offset.reset=earliest"],
    );
    wait_until("Java's member to lead the group", PATIENCE, || {
        let rows = kafka.describe_group(&bootstrap, group);
        rows.len() == 4 && rows.iter().all(|row| row.consumer_id.is_some())
    });
    let a = Member::start(&bootstrap, "ours-a", group, topic, true);
    wait_until("half of the partitions", PATIENCE, || a.partitions() == 2);
    produce(cluster, topic, 0..400);
    wait_until("all records over both", PATIENCE, || {
        a.count() + lines(&java).len() >= 400
    });
    java.signal(Signal::TERM);
    java.wait(PATIENCE);
    wait_until("all partitions", PATIENCE, || a.partitions() == 4);
    produce(cluster, topic, 400..500);
    let theirs = lines(&java);
    wait_until("the last records", PATIENCE, || {
        a.count() + theirs.len() >= 500
    });
    let a = a.stop();
    assert_each_once(500, &[&a.values, &theirs]);
    let rows = kafka.describe_group(&bootstrap, group);
    assert!(rows.iter().all(|row| row.lag == Some(0)), "{rows:?}");
}

#[test]
fn members_outlive_the_restart_of_every_broker() {
    let Some(kafka) = kafka() else { return };
    let _alone = heavy();
    let cluster = KafkaCluster::start(kafka, &ClusterOptions::default());
    let bootstrap = cluster.bootstrap();
    let (group, topic) = ("interop-restart", "interop-restart");
    cluster.client().create_topic(topic, 4);
    produce(&cluster, topic, 0..400);
    let a = Member::start(&bootstrap, "ours-a", group, topic, false);
    let b = Member::start(&bootstrap, "ours-b", group, topic, false);
    wait_until("two partitions each", PATIENCE, || {
        a.partitions() == 2 && b.partitions() == 2 && a.count() + b.count() >= 400
    });
    cluster.stop(0);
    cluster.restart(0);
    produce(&cluster, topic, 400..800);
    wait_until("the records after the restart", PATIENCE, || {
        a.count() + b.count() >= 800
    });
    cluster.kill(0);
    cluster.restart(0);
    produce(&cluster, topic, 800..1200);
    wait_until("the records after the crash", PATIENCE, || {
        a.count() + b.count() >= 1200
    });
    let (a, b) = (a.stop(), b.stop());
    let mut all: Vec<&String> = a.values.keys().chain(b.values.keys()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1200, "nothing is lost");
}

#[test]
fn members_survive_the_loss_of_the_leader_and_coordinator() {
    let Some(kafka) = kafka() else { return };
    let _alone = heavy();
    let options = ClusterOptions {
        brokers: 3,
        ..ClusterOptions::default()
    };
    let cluster = KafkaCluster::start(kafka, &options);
    let bootstrap = cluster.bootstrap();
    let (group, topic) = ("interop-failover", "interop-failover");
    kafka.create_topic(&bootstrap, topic, 4, 3, &["min.insync.replicas=1"]);
    produce(&cluster, topic, 0..400);
    let a = Member::start(&bootstrap, "ours-a", group, topic, false);
    let b = Member::start(&bootstrap, "ours-b", group, topic, true);
    wait_until("the first records", PATIENCE, || {
        a.count() + b.count() >= 400
    });
    // Of three brokers each leads a partition of four, and one of them coordinates the group; the
    // second to go leaves a quorum only after the first is back.
    let mut count = 400;
    for broker in 0..3 {
        cluster.kill(broker);
        produce(&cluster, topic, count..count + 200);
        count += 200;
        wait_until("the records after a broker's death", PATIENCE, || {
            let (a, b) = (a.seen.lock().unwrap(), b.seen.lock().unwrap());
            let mut all: Vec<&String> = a.values.keys().chain(b.values.keys()).collect();
            all.sort_unstable();
            all.dedup();
            all.len() == count
        });
        cluster.restart(broker);
    }
    a.stop();
    b.stop();
}

/// All values of partition 0 up to where nothing more comes.
fn read_partition(bootstrap: &str, topic: &str, isolation: IsolationLevel) -> (Vec<String>, i64) {
    let config = ConsumerConfig {
        common: CommonClientConfig {
            bootstrap_servers: vec![bootstrap.to_owned()],
            ..CommonClientConfig::default()
        },
        isolation,
        ..ConsumerConfig::default()
    };
    let partition = topic.to_owned();
    let read = async move {
        let partition = TopicPartition::new(partition, 0);
        let consumer = KafkaConsumer::new(config);
        consumer.assign(vec![partition.clone()]);
        let mut values = Vec::new();
        loop {
            match consumer.poll(Duration::from_secs(2)).await.unwrap() {
                Polled::Records(list) => {
                    for fetched in &list {
                        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                        let records = fetched.records.iter();
                        values.extend(records.map(|r| text(r.value.of(&fetched.buffer).unwrap())));
                    }
                }
                Polled::Idle => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(consumer.lag(), Some(0));
        (values, consumer.position(&partition).await.unwrap())
    };
    shard::run(RuntimeKind::Epoll, None, read).unwrap()
}

#[test]
fn read_committed_gives_what_javas_transactions_committed_and_nothing_behind_an_open_one() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let bootstrap = cluster.bootstrap();
    let topic = "interop-transactions";
    cluster.client().create_topic(topic, 1);
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/integration/common/TransactionsWriter.java"
    );
    let mut command = kafka.java(64, "warn");
    command.args([source, &bootstrap, topic]);
    let dir = scratch_dir("transactions");
    let writer = Process::spawn("transactions-writer", command, dir.path());
    let status = writer.wait(PATIENCE);
    assert!(status.success(), "{}", writer.output());
    let (committed, _) = read_partition(&bootstrap, topic, IsolationLevel::ReadCommitted);
    let mut expected = Vec::new();
    for round in 0..5 {
        for i in 0..10 {
            expected.push(format!("committed-{round}-{i}"));
            expected.push(format!("plain-{round}-{i}"));
        }
        expected.push(format!("committed-a-{round}"));
    }
    assert_eq!(committed, expected);
    let (all, end) = read_partition(&bootstrap, topic, IsolationLevel::ReadUncommitted);
    assert_eq!(all.len(), 5 * 31 + 2);
    let aborted = all.iter().filter(|value| value.starts_with("aborted-"));
    assert_eq!(aborted.count(), 50);
    assert_eq!(all.last().unwrap(), "behind the open one");
    // Positions count the markers, too.
    assert_eq!(end, 5 * (31 + 3) + 2);
}
