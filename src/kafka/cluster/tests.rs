use std::time::Duration;

use kafka_protocol::messages::{ApiKey, HeartbeatRequest, HeartbeatResponse, ListOffsetsRequest};

use super::*;
use crate::kafka::errors::code;
use crate::kafka::mock_broker::{MockCluster, Reply, answer, on_each_runtime, test_config};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn host_and_port_are_read_as_kafka_reads_them() {
    let read = |text| split_host_port(text);
    assert_eq!(read("a.b:9092"), Some(("a.b".to_owned(), 9092)));
    assert_eq!(read(" PLAINTEXT://h:1 "), Some(("h".to_owned(), 1)));
    assert_eq!(read("[::1]:9092"), Some(("::1".to_owned(), 9092)));
    assert_eq!(read("host"), None);
    assert_eq!(read(":9092"), None);
    assert_eq!(read("host:x"), None);
}

#[test]
fn metadata_leaders_and_coordinators_are_found() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.topic("t", 3);
        let cluster = Cluster::new(test_config(&mock));
        cluster
            .fetch_topic_metadata(&["t", "none"], false)
            .await
            .unwrap();
        assert_eq!(cluster.leader("t", 0), Some((1, 0)));
        assert_eq!(cluster.leader("t", 1), Some((2, 0)));
        assert_eq!(cluster.leader("t", 3), None);
        assert_eq!(cluster.topic("none").unwrap().error, 3);
        assert_eq!(cluster.cluster_id().as_deref(), Some("mock-cluster"));
        assert_eq!(cluster.brokers(), [1, 2]);
        mock.world().coordinator = 2;
        let connection = cluster
            .coordinator(CoordinatorKind::Group, "g")
            .await
            .unwrap();
        assert_eq!(
            Some(connection.broker()),
            cluster.broker_address(2).as_deref()
        );
        cluster.close();
        let refused = cluster.connection(1, Purpose::Data).await;
        assert!(matches!(refused, Err(ClientError::Closed)));
    });
}

#[test]
fn calls_are_pipelined_and_a_dropped_call_does_not_shift_the_answers() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.on(ApiKey::Heartbeat, |call, _| {
            let request: HeartbeatRequest = call.request();
            let response = HeartbeatResponse::default()
                .with_error_code(i16::try_from(request.generation_id).unwrap());
            Reply::Delayed(Duration::from_millis(30), Box::new(answer(call, &response)))
        });
        let cluster = Cluster::new(test_config(&mock));
        let connection = cluster.any_connection().await.unwrap();
        let call = |number| {
            connection.call(
                HeartbeatRequest::default().with_generation_id(number),
                SECOND,
            )
        };
        // Dropped after it was sent, while its answer is on the way.
        let dropped = shard::timeout(Duration::from_millis(5), call(1)).await;
        assert!(dropped.is_err());
        let (two, three) = futures_util::join!(call(2), call(3));
        assert_eq!(two.unwrap().error_code, 2);
        assert_eq!(three.unwrap().error_code, 3);
        assert!(!connection.is_closed());
        cluster.close();
    });
}

#[test]
fn a_disconnect_in_mid_answer_fails_all_waiting_calls_and_the_next_call_reconnects() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let mut left = 1;
        mock.on(ApiKey::Heartbeat, move |call, _| {
            let whole = answer(call, &HeartbeatResponse::default());
            match (left, whole) {
                (1, Reply::Answer(bytes)) => {
                    left = 0;
                    Reply::Truncated(bytes, 7)
                }
                (_, whole) => whole,
            }
        });
        let cluster = Cluster::new(test_config(&mock));
        cluster.fetch_topic_metadata(&["t"], false).await.unwrap();
        let connection = cluster.connection(1, Purpose::Data).await.unwrap();
        let call = || connection.call(HeartbeatRequest::default(), SECOND);
        let (one, two) = futures_util::join!(call(), call());
        assert!(
            matches!(one, Err(ClientError::Disconnected { .. })),
            "{one:?}"
        );
        assert!(
            matches!(two, Err(ClientError::Disconnected { .. })),
            "{two:?}"
        );
        connection.ended().await;
        let again = cluster.connection(1, Purpose::Data).await.unwrap();
        again
            .call(HeartbeatRequest::default(), SECOND)
            .await
            .unwrap();
        cluster.close();
    });
}

#[test]
fn no_answer_in_time_ends_the_connection() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.on(ApiKey::Heartbeat, |_, _| Reply::Silent);
        let cluster = Cluster::new(test_config(&mock));
        let connection = cluster.any_connection().await.unwrap();
        let result = connection
            .call(HeartbeatRequest::default(), Duration::from_millis(30))
            .await;
        assert!(
            matches!(result, Err(ClientError::Timeout { .. })),
            "{result:?}"
        );
        assert!(connection.is_closed());
        cluster.close();
    });
}

#[test]
fn bytes_that_are_no_answer_end_the_connection_and_never_panic() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        for garbage in [
            b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
            vec![0xff; 64],
            // A length of 4 with a wrong correlation id; then a length of 6 with half an answer.
            vec![0, 0, 0, 4, 0, 0, 0, 77],
            vec![0, 0, 0, 6, 0, 0, 0, 1, 0, 0],
        ] {
            mock.on(ApiKey::Heartbeat, move |_, _| Reply::Raw(garbage.clone()));
            let cluster = Cluster::new(test_config(&mock));
            let connection = cluster.any_connection().await.unwrap();
            let result = connection.call(HeartbeatRequest::default(), SECOND).await;
            assert!(
                matches!(
                    result,
                    Err(ClientError::Disconnected { .. } | ClientError::Malformed { .. })
                ),
                "{result:?}"
            );
            assert!(connection.is_closed());
            cluster.close();
        }
    });
}

#[test]
fn throttle_time_mutes_the_connection() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.on(ApiKey::Heartbeat, |call, _| {
            answer(
                call,
                &HeartbeatResponse::default().with_throttle_time_ms(60),
            )
        });
        let cluster = Cluster::new(test_config(&mock));
        let connection = cluster.any_connection().await.unwrap();
        connection
            .call(HeartbeatRequest::default(), SECOND)
            .await
            .unwrap();
        assert!(connection.muted_for().is_some());
        let start = Instant::now();
        connection
            .call(HeartbeatRequest::default(), SECOND)
            .await
            .unwrap();
        assert!(start.elapsed() >= Duration::from_millis(50));
        cluster.close();
    });
}

#[test]
fn an_api_that_the_broker_lacks_is_named() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.world()
            .version_max
            .insert(ApiKey::ListOffsets as i16, 0);
        let cluster = Cluster::new(test_config(&mock));
        let connection = cluster.any_connection().await.unwrap();
        let error = connection
            .call(ListOffsetsRequest::default(), SECOND)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("ListOffsets"), "{error}");
        assert!(!error.is_retriable());
        cluster.close();
    });
}

#[test]
fn a_coordinator_that_is_loading_is_asked_again() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let mut left = 3;
        mock.on(ApiKey::FindCoordinator, move |call, _| {
            if left == 0 {
                return Reply::Default;
            }
            left -= 1;
            let coordinator =
                kafka_protocol::messages::find_coordinator_response::Coordinator::default()
                    .with_error_code(code::COORDINATOR_NOT_AVAILABLE);
            let response = kafka_protocol::messages::FindCoordinatorResponse::default()
                .with_coordinators(vec![coordinator]);
            answer(call, &response)
        });
        let cluster = Cluster::new(test_config(&mock));
        let found = cluster
            .with_retries("finding", SECOND, async || {
                cluster.coordinator(CoordinatorKind::Group, "g").await
            })
            .await;
        found.unwrap();
        assert_eq!(mock.count(ApiKey::FindCoordinator), 4);
        cluster.close();
    });
}

#[test]
fn a_refresh_learns_of_a_moved_leader_and_an_older_epoch_is_ignored() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.topic("t", 1);
        let cluster = Cluster::new(test_config(&mock));
        cluster.fetch_topic_metadata(&["t"], false).await.unwrap();
        mock.move_leader("t", 0, 2);
        cluster.request_refresh();
        while cluster.leader("t", 0) != Some((2, 1)) {
            let mark = cluster.mark();
            cluster.changed_since(mark).await;
        }
        cluster.learn_leader("t", 0, 1, 0);
        assert_eq!(cluster.leader("t", 0), Some((2, 1)));
        cluster.learn_leader("t", 0, 1, 2);
        assert_eq!(cluster.leader("t", 0), Some((1, 2)));
        cluster.close();
    });
}

#[test]
fn what_was_never_asked_for_never_grows_old_and_what_was_is_due_at_its_age() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let mut config = test_config(&mock);
        config.metadata_max_age = SECOND;
        let cluster = Cluster::new(config);
        let (mut upkeep, start) = (Upkeep::default(), Instant::now());
        for minutes in [0, 5, 60] {
            let now = start + minutes * 60 * SECOND;
            assert_eq!(upkeep.rest(&cluster, now), Some(SECOND));
        }
        let now = start + 3600 * SECOND;
        cluster.fetch_topic_metadata(&["t"], false).await.unwrap();
        assert_eq!(
            upkeep.rest(&cluster, now + SECOND / 4),
            Some(SECOND / 4 * 3)
        );
        assert_eq!(upkeep.rest(&cluster, now + SECOND), None);
        assert_eq!(upkeep.rest(&cluster, now + 2 * SECOND), None);
        upkeep.refreshed = Some(now + SECOND);
        assert_eq!(upkeep.rest(&cluster, now + SECOND), Some(SECOND));
        cluster.refresh_wanted.set(true);
        assert_eq!(upkeep.rest(&cluster, now + SECOND), None);
        cluster.close();
    });
}

#[test]
fn a_stopped_broker_is_refused_and_found_again_after_its_restart() {
    on_each_runtime(|| async {
        let mut mock = MockCluster::start(1);
        mock.topic("t", 1);
        let cluster = Cluster::new(test_config(&mock));
        cluster.fetch_topic_metadata(&["t"], false).await.unwrap();
        mock.stop(1);
        let open = cluster.open_connection(1, Purpose::Data);
        if let Some(open) = open {
            open.ended().await;
        }
        assert!(cluster.connection(1, Purpose::Data).await.is_err());
        mock.restart(1);
        let context = "fetching metadata";
        cluster
            .with_retries(context, 5 * SECOND, async || {
                cluster.fetch_topic_metadata(&["t"], false).await
            })
            .await
            .unwrap();
        cluster.close();
    });
}

#[test]
fn a_broker_that_leaves_the_metadata_during_an_attempt_is_disconnected_not_closed() {
    on_each_runtime(|| async {
        let mut mock = MockCluster::start(2);
        mock.topic("t", 2);
        let cluster = Cluster::new(test_config(&mock));
        cluster.fetch_topic_metadata(&["t"], false).await.unwrap();
        mock.stop(2);
        if let Some(open) = cluster.open_connection(2, Purpose::Data) {
            open.ended().await;
        }
        let refused = cluster.connection(2, Purpose::Data).await;
        assert!(matches!(refused, Err(ClientError::Disconnected { .. })));
        let node = cluster.nodes.borrow().get(&2).map(Rc::clone).unwrap();
        let waiting = cluster.connection(2, Purpose::Data);
        // Looked at second: the attempt is under way, and has not come to its first step.
        let leaves = async { node.close() };
        let (gone, ()) = futures_util::join!(waiting, leaves);
        let error = gone.unwrap_err();
        assert!(error.is_retriable(), "{error}");
        assert!(error.to_string().contains("left"), "{error}");
        cluster.close();
    });
}

#[test]
fn idle_connections_are_closed() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.topic("t", 1);
        let config = CommonClientConfig {
            connections_max_idle: Duration::from_millis(40),
            ..test_config(&mock)
        };
        let cluster = Cluster::new(config);
        cluster.fetch_topic_metadata(&["t"], false).await.unwrap();
        let connection = cluster.connection(1, Purpose::Data).await.unwrap();
        let weak = Rc::downgrade(&connection);
        drop(connection);
        while weak.upgrade().is_some() {
            shard::sleep(Duration::from_millis(5)).await;
        }
        cluster.close();
    });
}

#[test]
fn coordinator_requests_have_a_connection_of_their_own_that_no_fetch_holds_up() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let (seen, asked) = std::sync::mpsc::channel();
        mock.on(ApiKey::Heartbeat, move |call, _| {
            seen.send((call.connection, call.client_id.clone()))
                .unwrap();
            answer(call, &HeartbeatResponse::default())
        });
        let cluster = Cluster::new(test_config(&mock));
        cluster.fetch_topic_metadata(&[], false).await.unwrap();
        let data = cluster.connection(1, Purpose::Data).await.unwrap();
        let coordinator = cluster
            .coordinator(CoordinatorKind::Group, "g")
            .await
            .unwrap();
        for connection in [data, coordinator] {
            let request = HeartbeatRequest::default();
            connection.call(request, SECOND).await.unwrap();
        }
        let calls: Vec<(usize, String)> = asked.try_iter().collect();
        assert_ne!(calls[0].0, calls[1].0);
        assert_eq!(calls[0].1, "test");
        cluster.close();
    });
}
