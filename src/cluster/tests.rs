//! The thread without brokers: what it says, and that it ends.

use std::time::Instant;

use crossbeam::channel::{Receiver, bounded};

use super::*;
use crate::api::ConfigMap;

const LIMIT: Duration = Duration::from_millis(200);

fn worker(server: &str) -> ConfigMap {
    let entries = [
        ("bootstrap.servers", server),
        ("group.id", "g"),
        ("key.converter", "JsonConverter"),
        ("value.converter", "JsonConverter"),
        ("config.storage.topic", "configs"),
        ("offset.storage.topic", "offsets"),
        ("status.storage.topic", "statuses"),
        ("default.api.timeout.ms", "300"),
        ("request.timeout.ms", "100"),
        ("retry.backoff.ms", "10"),
    ];
    let entry = |(key, value): (&str, &str)| (key.to_owned(), Some(value.to_owned()));
    entries.map(entry).into_iter().collect()
}

/// A cluster whose broker's address takes no connections, with a sink of so much room.
fn without_brokers(room: usize) -> (Cluster, Receiver<ClusterEvent>) {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    let settings = ClusterSettings::from_worker(&worker(&address)).unwrap();
    let (sender, receiver) = bounded(room);
    let sink = move |event| {
        sender
            .try_send(event)
            .map_err(|refused| refused.into_inner())
    };
    let cluster = Cluster::start(settings, Arc::new(sink)).unwrap();
    (cluster, receiver)
}

#[test]
fn every_command_is_answered_once_though_there_is_no_broker_and_room_for_one_event() {
    let (cluster, events) = without_brokers(1);
    let handle = cluster.handle();
    let record = || TopicRecord {
        key: b"k".to_vec(),
        value: None,
    };
    handle.read_config_to_end(1, LIMIT).unwrap();
    handle.append_config(2, vec![record()], LIMIT).unwrap();
    handle.append_status(3, vec![record()]).unwrap();
    let (mut failed, mut answered) = (0, Vec::new());
    while failed < 3 || answered.len() < 3 {
        match events.recv_timeout(Duration::from_secs(60)).unwrap() {
            ClusterEvent::Failed(text) => {
                assert!(text.contains("topic"), "{text}");
                failed += 1;
            }
            ClusterEvent::ConfigReadToEnd { token, result }
            | ClusterEvent::ConfigAppended { token, result }
            | ClusterEvent::StatusAppended { token, result } => {
                assert!(result.is_err());
                answered.push(token);
            }
            other => panic!("{other:?}"),
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3]);
    handle.stop(LIMIT).unwrap();
    let last = events.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(matches!(last, ClusterEvent::Stopped), "{last:?}");
    assert!(cluster.join(Duration::from_secs(10)));
    assert!(
        handle.append_status(4, Vec::new()).is_ok(),
        "it may be sent"
    );
    assert!(events.recv_timeout(LIMIT).is_err(), "and nobody answers");
}

#[test]
fn the_thread_ends_in_time_though_nobody_takes_its_events() {
    let (cluster, events) = without_brokers(1);
    std::thread::sleep(LIMIT);
    let began = Instant::now();
    assert!(cluster.join(Duration::from_secs(10)));
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(events);
}
