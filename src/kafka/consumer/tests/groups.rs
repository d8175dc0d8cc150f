//! Group membership: joining, rebalances in both ways, losses, commits, and coordinators that move.

use kafka_protocol::messages::ApiKey;

use super::coordinator::Coordinator;
use super::*;
use crate::clients::{ApiErrorKind, GroupAssignor, IsolationLevel, Subscription};
use crate::kafka::mock_broker::on_each_runtime;
use crate::shard;

fn group_config(cluster: &MockCluster) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some("g".to_owned()),
        heartbeat_interval: Duration::from_millis(20),
        session_timeout: Duration::from_secs(10),
        ..config(cluster)
    }
}

fn cooperative(cluster: &MockCluster) -> ConsumerConfig {
    ConsumerConfig {
        assignors: vec![GroupAssignor::CooperativeSticky],
        ..group_config(cluster)
    }
}

fn topics(list: &[&str]) -> Subscription {
    Subscription::Topics(list.iter().map(|topic| (*topic).to_owned()).collect())
}

/// A cluster with topic `t` of two partitions, its coordinator, and a consumer that subscribed to it.
fn start(
    make: impl Fn(&MockCluster) -> ConsumerConfig,
) -> (MockCluster, Coordinator, KafkaConsumer) {
    let cluster = MockCluster::start(2);
    cluster.topic("t", 2);
    let coordinator = Coordinator::on(&cluster);
    let consumer = KafkaConsumer::new(make(&cluster));
    consumer.subscribe(topics(&["t"]));
    (cluster, coordinator, consumer)
}

async fn assigned(consumer: &KafkaConsumer) -> Vec<TopicPartition> {
    match consumer.poll(SOON).await.unwrap() {
        Polled::Assigned(list) => list,
        other => panic!("{other:?}"),
    }
}

async fn revoked(consumer: &KafkaConsumer) -> Vec<TopicPartition> {
    match event(consumer).await {
        Polled::Revoked(list) => list,
        other => panic!("{other:?}"),
    }
}

/// The next event, records left out.
async fn event(consumer: &KafkaConsumer) -> Polled {
    loop {
        match consumer.poll(SOON).await.unwrap() {
            Polled::Records(_) => {}
            other => return other,
        }
    }
}

#[test]
fn a_member_joins_with_the_id_it_is_given_reads_from_committed_offsets_and_leaves() {
    on_each_runtime(|| async {
        let (cluster, coordinator, consumer) = start(group_config);
        fill(&cluster, "t", 0, "a", 6);
        fill(&cluster, "t", 1, "b", 6);
        let key = ("t".to_owned(), 0);
        coordinator.state().committed.insert(key.clone(), 4);
        shard::sleep(Duration::from_millis(30)).await;
        assert_eq!(coordinator.joins(), 0, "joins with the first poll");
        assert_eq!(assigned(&consumer).await, [tp("t", 0), tp("t", 1)]);
        assert_eq!(consumer.assignment(), [tp("t", 0), tp("t", 1)]);
        assert_eq!(consumer.position(&tp("t", 0)).await.unwrap(), 4);
        let read = read(&consumer, 8).await;
        assert_eq!(read[0].1, ["a4", "a5"]);
        assert_eq!(read[1].1, expected("b", 6));
        consumer.commit(&[(tp("t", 0), 6)]).await.unwrap();
        let both = [tp("t", 0), tp("t", 1)];
        let committed = consumer.committed(&both).await.unwrap();
        assert_eq!(committed, [(tp("t", 0), Some(6)), (tp("t", 1), None)]);
        consumer.close(SOON).await;
        assert_eq!(coordinator.subscription(1).topics, ["t"]);
        let state = coordinator.state();
        let (first, second) = (&state.joins[0], &state.joins[1]);
        assert_eq!(first.member_id.as_str(), "");
        assert_eq!(second.member_id.as_str(), "member-1");
        assert_eq!(second.protocol_type.as_str(), "consumer");
        assert_eq!(second.session_timeout_ms, 10_000);
        assert_eq!(second.rebalance_timeout_ms, 300_000);
        let names: Vec<&str> = second.protocols.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["range", "cooperative-sticky"]);
        assert_eq!(state.commits[0].member_id.as_str(), "member-1");
        assert_eq!(state.commits[0].generation_id_or_member_epoch, 1);
        assert_eq!(state.leaves[0].members[0].member_id.as_str(), "member-1");
    });
}

#[test]
fn an_eager_rebalance_revokes_everything_and_joins_after_the_next_poll_only() {
    on_each_runtime(|| async {
        let (cluster, coordinator, consumer) = start(group_config);
        fill(&cluster, "t", 0, "a", 3);
        assigned(&consumer).await;
        read(&consumer, 3).await;
        coordinator.fail(ApiKey::Heartbeat, &[27]);
        assert_eq!(revoked(&consumer).await, [tp("t", 0), tp("t", 1)]);
        let joins = coordinator.joins();
        // The caller has time: heartbeats go on, nothing is joined, and commits are good.
        let beats = coordinator.state().heartbeats;
        until(|| coordinator.state().heartbeats > beats + 2).await;
        assert_eq!(coordinator.joins(), joins);
        assert_eq!(consumer.assignment().len(), 2);
        consumer.commit(&[(tp("t", 0), 3)]).await.unwrap();
        fill(&cluster, "t", 0, "b", 3);
        assert_eq!(assigned(&consumer).await, [tp("t", 0), tp("t", 1)]);
        assert_eq!(read(&consumer, 3).await[0].1, expected("b", 3));
        let state = coordinator.state();
        assert_eq!(state.commits[0].generation_id_or_member_epoch, 1);
        assert_eq!(state.generation, 2);
        assert_eq!(state.joins.last().unwrap().member_id.as_str(), "member-1");
        drop(state);
        let last = coordinator.joins() - 1;
        assert!(coordinator.subscription(last).owned.is_empty());
    });
}

#[test]
fn heartbeats_keep_the_membership_while_the_caller_does_not_poll() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, consumer) = start(group_config);
        assigned(&consumer).await;
        let beats = coordinator.state().heartbeats;
        until(|| coordinator.state().heartbeats > beats + 5).await;
        let idle = consumer.poll(Duration::from_millis(10)).await.unwrap();
        assert!(matches!(idle, Polled::Idle), "{idle:?}");
        assert_eq!(coordinator.state().generation, 1);
    });
}

#[test]
fn without_polls_for_too_long_the_member_leaves_and_hears_that_all_is_lost() {
    on_each_runtime(|| async {
        let (cluster, coordinator, consumer) = start(|cluster| ConsumerConfig {
            max_poll_interval: Duration::from_millis(80),
            ..group_config(cluster)
        });
        assigned(&consumer).await;
        until(|| !coordinator.state().leaves.is_empty()).await;
        let joins = coordinator.joins();
        shard::sleep(Duration::from_millis(60)).await;
        assert_eq!(coordinator.joins(), joins, "it stays away until polled");
        let error = consumer.commit(&[(tp("t", 0), 1)]).await.unwrap_err();
        assert!(error.to_string().contains("UNKNOWN_MEMBER_ID"), "{error}");
        let Polled::Lost(lost) = event(&consumer).await else {
            panic!("not lost");
        };
        assert_eq!(lost, [tp("t", 0), tp("t", 1)]);
        assert!(consumer.assignment().is_empty());
        assert_eq!(assigned(&consumer).await.len(), 2);
        fill(&cluster, "t", 1, "v", 3);
        read(&consumer, 3).await;
    });
}

#[test]
fn an_unknown_member_or_generation_loses_everything_and_joins_anew() {
    on_each_runtime(|| async {
        for (error, id) in [(25, ""), (22, "member-1")] {
            let (_cluster, coordinator, consumer) = start(group_config);
            assigned(&consumer).await;
            let joins = coordinator.joins();
            coordinator.fail(ApiKey::Heartbeat, &[error]);
            let lost = event(&consumer).await;
            assert!(
                matches!(&lost, Polled::Lost(list) if list.len() == 2),
                "{lost:?}"
            );
            assert_eq!(assigned(&consumer).await.len(), 2);
            let state = coordinator.state();
            assert_eq!(state.joins[joins].member_id.as_str(), id, "{error}");
        }
    });
}

#[test]
fn a_fenced_static_member_fails_for_good_and_a_static_member_does_not_leave() {
    on_each_runtime(|| async {
        let make = |cluster: &MockCluster| ConsumerConfig {
            group_instance_id: Some("i".to_owned()),
            ..group_config(cluster)
        };
        let (_cluster, coordinator, consumer) = start(make);
        assigned(&consumer).await;
        assert_eq!(coordinator.joins(), 1, "no round for a member id");
        coordinator.fail(ApiKey::Heartbeat, &[82]);
        for _ in 0..2 {
            let error = poll_error(&consumer).await;
            assert!(
                matches!(
                    &error,
                    ClientError::Api {
                        kind: ApiErrorKind::Fenced,
                        ..
                    }
                ),
                "{error}"
            );
        }
        let (_other_cluster, coordinator, consumer) = start(make);
        assigned(&consumer).await;
        consumer.close(SOON).await;
        assert!(coordinator.state().leaves.is_empty());
    });
}

#[test]
fn a_coordinator_that_loads_or_moves_costs_neither_partitions_nor_commits() {
    on_each_runtime(|| async {
        let (cluster, coordinator, consumer) = start(group_config);
        coordinator.state().strict = true;
        coordinator.fail(ApiKey::JoinGroup, &[14, 15]);
        coordinator.fail(ApiKey::OffsetFetch, &[14]);
        fill(&cluster, "t", 0, "a", 3);
        assigned(&consumer).await;
        read(&consumer, 3).await;
        cluster.world().coordinator = 2;
        let lookups = cluster.count(ApiKey::FindCoordinator);
        until(|| cluster.count(ApiKey::FindCoordinator) > lookups).await;
        coordinator.fail(ApiKey::OffsetCommit, &[14]);
        consumer.commit(&[(tp("t", 0), 3)]).await.unwrap();
        cluster.disconnect(2);
        consumer.commit(&[(tp("t", 0), 2)]).await.unwrap();
        fill(&cluster, "t", 0, "b", 3);
        assert_eq!(read(&consumer, 3).await[0].1, expected("b", 3));
        assert_eq!(coordinator.state().generation, 1, "nothing was joined anew");
    });
}

#[test]
fn a_cooperative_member_gives_up_and_gets_only_what_changes() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 3);
        fill(&cluster, "t", 0, "a", 3);
        let coordinator = Coordinator::on(&cluster);
        coordinator.state().assignments = [
            vec![("t".to_owned(), 0), ("t".to_owned(), 1)],
            vec![("t".to_owned(), 0)],
            vec![("t".to_owned(), 0)],
            vec![("t".to_owned(), 0), ("t".to_owned(), 2)],
        ]
        .into();
        let consumer = KafkaConsumer::new(cooperative(&cluster));
        consumer.subscribe(topics(&["t"]));
        assert_eq!(assigned(&consumer).await, [tp("t", 0), tp("t", 1)]);
        read(&consumer, 3).await;
        coordinator.fail(ApiKey::Heartbeat, &[27]);
        assert_eq!(revoked(&consumer).await, [tp("t", 1)]);
        // The sync is done; the partition is given up with the next poll, and only then joined again.
        assert_eq!(coordinator.joins(), 3);
        consumer.commit(&[(tp("t", 1), 0)]).await.unwrap();
        assert_eq!(
            coordinator.state().commits[0].generation_id_or_member_epoch,
            2
        );
        fill(&cluster, "t", 0, "b", 3);
        assert_eq!(read(&consumer, 3).await, [(tp("t", 0), expected("b", 3))]);
        until(|| coordinator.joins() == 4).await;
        assert_eq!(consumer.assignment(), [tp("t", 0)]);
        coordinator.fail(ApiKey::Heartbeat, &[27]);
        assert_eq!(assigned(&consumer).await, [tp("t", 2)]);
        assert_eq!(consumer.assignment(), [tp("t", 0), tp("t", 2)]);
        let last = coordinator.subscription(coordinator.joins() - 1);
        assert_eq!(last.owned, [tp("t", 0)]);
        assert_eq!(last.generation, Some(3));
        assert_eq!(last.user_data.as_deref(), Some(&[0, 0, 0, 3][..]));
    });
}

#[test]
fn a_sync_that_meets_another_rebalance_joins_again() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, consumer) = start(group_config);
        coordinator.fail(ApiKey::SyncGroup, &[27, 22, 25, 14]);
        coordinator.fail(ApiKey::JoinGroup, &[0, 0, 27]);
        assert_eq!(assigned(&consumer).await.len(), 2);
    });
}

#[test]
fn the_leader_joins_anew_when_a_topic_grows_or_appears() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        let coordinator = Coordinator::on(&cluster);
        let mut config = cooperative(&cluster);
        config.common.metadata_max_age = Duration::from_millis(50);
        let consumer = KafkaConsumer::new(config);
        consumer.subscribe(topics(&["t", "later"]));
        assert_eq!(assigned(&consumer).await, [tp("t", 0)]);
        cluster.topic("t", 2);
        assert_eq!(assigned(&consumer).await, [tp("t", 1)]);
        cluster.topic("later", 1);
        assert_eq!(assigned(&consumer).await, [tp("later", 0)]);
        assert_eq!(coordinator.state().made, 3);
    });
}

#[test]
fn a_pattern_takes_up_new_topics_whose_whole_name_matches() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("in-a", 1);
        cluster.topic("in-a-copy", 1);
        let _coordinator = Coordinator::on(&cluster);
        let mut config = cooperative(&cluster);
        config.common.metadata_max_age = Duration::from_millis(50);
        let consumer = KafkaConsumer::new(config);
        let pattern = regex::Regex::new("in-[a-z]|in-[a-z]{2}").unwrap();
        consumer.subscribe(Subscription::Pattern(pattern));
        assert_eq!(assigned(&consumer).await, [tp("in-a", 0)]);
        cluster.topic("in-bb", 1);
        fill(&cluster, "in-bb", 0, "v", 3);
        assert_eq!(assigned(&consumer).await, [tp("in-bb", 0)]);
        read(&consumer, 3).await;
    });
}

#[test]
fn a_new_subscription_gives_up_the_old_topics() {
    on_each_runtime(|| async {
        let (cluster, _coordinator, consumer) = start(cooperative);
        cluster.topic("u", 1);
        assert_eq!(assigned(&consumer).await.len(), 2);
        consumer.subscribe(topics(&["u"]));
        assert_eq!(revoked(&consumer).await, [tp("t", 0), tp("t", 1)]);
        assert_eq!(assigned(&consumer).await, [tp("u", 0)]);
    });
}

#[test]
fn commits_tell_when_the_group_has_moved_on() {
    on_each_runtime(|| async {
        for (error, name) in [
            (22, "ILLEGAL_GENERATION"),
            (25, "UNKNOWN_MEMBER_ID"),
            (27, "REBALANCE_IN_PROGRESS"),
            (12, "OFFSET_METADATA_TOO_LARGE"),
            (30, "GROUP_AUTHORIZATION_FAILED"),
        ] {
            let (_cluster, coordinator, consumer) = start(group_config);
            assigned(&consumer).await;
            coordinator.fail(ApiKey::OffsetCommit, &[error]);
            let told = consumer.commit(&[(tp("t", 0), 1)]).await.unwrap_err();
            assert!(told.to_string().contains(name), "{told}");
            assert!(!told.is_retriable());
            let next = consumer.poll(Duration::from_millis(40)).await.unwrap();
            match error {
                22 | 25 => assert!(matches!(next, Polled::Lost(_)), "{next:?}"),
                27 => assert!(matches!(next, Polled::Revoked(_)), "{next:?}"),
                _ => assert!(matches!(next, Polled::Idle), "{next:?}"),
            }
        }
    });
}

#[test]
fn coordinators_of_older_versions_are_spoken_to() {
    on_each_runtime(|| async {
        // As Kafka 2.8 has them, and the oldest forms with static membership.
        let old = [(11, 7), (14, 5), (12, 4), (13, 4), (8, 8), (9, 7), (10, 3)];
        let older = [(11, 5), (14, 3), (12, 3), (13, 3), (8, 7), (9, 5), (10, 2)];
        for versions in [old, older] {
            let cluster = MockCluster::start(1);
            cluster.topic("t", 1);
            cluster.world().version_max = versions.into();
            let coordinator = Coordinator::on(&cluster);
            let key = ("t".to_owned(), 0);
            coordinator.state().committed.insert(key.clone(), 1);
            fill(&cluster, "t", 0, "v", 3);
            let consumer = KafkaConsumer::new(ConsumerConfig {
                isolation: IsolationLevel::ReadCommitted,
                ..group_config(&cluster)
            });
            consumer.subscribe(topics(&["t"]));
            assigned(&consumer).await;
            assert_eq!(read(&consumer, 2).await[0].1, ["v1", "v2"]);
            consumer.commit(&[(tp("t", 0), 3)]).await.unwrap();
            assert_eq!(coordinator.state().committed[&key], 3);
            consumer.close(SOON).await;
            assert_eq!(coordinator.state().leaves.len(), 1);
        }
    });
}

#[test]
fn manual_assignment_with_a_group_id_starts_at_committed_offsets_and_commits_without_membership() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "v", 3);
        let coordinator = Coordinator::on(&cluster);
        let key = ("t".to_owned(), 0);
        coordinator.state().committed.insert(key.clone(), 2);
        let consumer = KafkaConsumer::new(group_config(&cluster));
        consumer.assign(vec![tp("t", 0)]);
        assert_eq!(read(&consumer, 1).await[0].1, ["v2"]);
        consumer.commit(&[(tp("t", 0), 3)]).await.unwrap();
        let state = coordinator.state();
        assert_eq!(state.commits[0].generation_id_or_member_epoch, -1);
        assert_eq!(state.commits[0].member_id.as_str(), "");
        assert_eq!(state.joins.len(), 0);
    });
}

#[test]
fn a_subscription_without_a_group_id_is_refused() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.subscribe(topics(&["t"]));
        let error = poll_error(&consumer).await;
        assert!(error.to_string().starts_with("group.id:"), "{error}");
        assert!(consumer.commit(&[(tp("t", 0), 1)]).await.is_err());
    });
}
