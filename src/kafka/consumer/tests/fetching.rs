//! Manual assignment: positions, fetches, and brokers that misbehave.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::{ApiKey, FetchRequest};

use super::*;
use crate::clients::{AutoOffsetReset, Subscription};
use crate::kafka::mock_broker::{Reply, answer, fetch_response, on_each_runtime};
use crate::shard;

#[test]
fn every_record_of_every_partition_comes_once_and_in_order() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(2);
        cluster.topic("t", 3);
        for partition in 0..3 {
            fill(&cluster, "t", partition, &format!("p{partition}-"), 50);
        }
        let consumer = KafkaConsumer::new(config(&cluster));
        assert_eq!(consumer.lag(), None);
        consumer.assign(vec![tp("t", 0), tp("t", 1), tp("t", 2)]);
        let read = read(&consumer, 150).await;
        for (partition, values) in &read {
            let prefix = format!("p{}-", partition.partition);
            assert_eq!(*values, expected(&prefix, 50));
        }
        assert_eq!(consumer.lag(), Some(0));
        assert_eq!(consumer.position(&tp("t", 2)).await.unwrap(), 50);
        let none = consumer.poll(Duration::from_millis(30)).await.unwrap();
        assert!(matches!(none, Polled::Idle), "{none:?}");
    });
}

#[test]
fn a_reset_goes_to_the_start_or_the_end_or_fails_as_configured() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "old", 5);
        let with = |reset| ConsumerConfig {
            auto_offset_reset: reset,
            ..config(&cluster)
        };
        let latest = KafkaConsumer::new(with(AutoOffsetReset::Latest));
        latest.assign(vec![tp("t", 0)]);
        assert_eq!(latest.position(&tp("t", 0)).await.unwrap(), 5);
        fill(&cluster, "t", 0, "new", 2);
        assert_eq!(read(&latest, 2).await[0].1, expected("new", 2));
        let none = KafkaConsumer::new(with(AutoOffsetReset::None));
        none.assign(vec![tp("t", 0)]);
        let error = poll_error(&none).await;
        assert!(matches!(&error, ClientError::NoOffset { topic, partition: 0 } if topic == "t"));
        none.seek(&tp("t", 0), 4);
        assert_eq!(read(&none, 3).await[0].1, ["old4", "new0", "new1"]);
        none.seek(&tp("t", 0), 99);
        assert!(matches!(
            poll_error(&none).await,
            ClientError::NoOffset { .. }
        ));
    });
}

#[test]
fn an_offset_out_of_range_is_reset() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "v", 9);
        {
            let mut world = cluster.world();
            let partition = &mut world.topics.get_mut("t").unwrap()[0];
            partition.start = 6;
            partition.batches.drain(..2);
        }
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.assign(vec![tp("t", 0)]);
        consumer.seek(&tp("t", 0), 1);
        assert_eq!(read(&consumer, 3).await[0].1, ["v6", "v7", "v8"]);
    });
}

#[test]
fn reading_goes_on_with_the_new_leader() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(2);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "a", 6);
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.assign(vec![tp("t", 0)]);
        read(&consumer, 6).await;
        cluster.move_leader("t", 0, 2);
        fill(&cluster, "t", 0, "b", 6);
        assert_eq!(read(&consumer, 6).await[0].1, expected("b", 6));
    });
}

#[test]
fn a_disconnect_in_the_middle_of_an_answer_costs_nothing() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "v", 30);
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&calls);
        cluster.on(ApiKey::Fetch, move |call, world| {
            let number = seen.fetch_add(1, Ordering::Relaxed);
            let Reply::Answer(bytes) = answer(call, &fetch_response(call, world)) else {
                panic!("no answer");
            };
            match number {
                0 => Reply::Truncated(bytes, 40),
                1 => Reply::Disconnect,
                2 => Reply::Raw(b"not kafka at all".to_vec()),
                _ => Reply::Default,
            }
        });
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.assign(vec![tp("t", 0)]);
        assert_eq!(read(&consumer, 30).await[0].1, expected("v", 30));
        assert!(calls.load(Ordering::Relaxed) >= 4);
    });
}

#[test]
fn a_broker_that_goes_away_and_comes_back_is_read_on() {
    on_each_runtime(|| async {
        let mut cluster = MockCluster::start(2);
        cluster.topic("t", 2);
        fill(&cluster, "t", 0, "a", 3);
        fill(&cluster, "t", 1, "b", 3);
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.assign(vec![tp("t", 0), tp("t", 1)]);
        read(&consumer, 6).await;
        cluster.stop(2);
        fill(&cluster, "t", 0, "c", 3);
        fill(&cluster, "t", 1, "d", 3);
        assert_eq!(read(&consumer, 3).await, [(tp("t", 0), expected("c", 3))]);
        cluster.restart(2);
        assert_eq!(read(&consumer, 3).await, [(tp("t", 1), expected("d", 3))]);
    });
}

#[test]
fn a_corrupt_batch_is_told_with_its_offset_each_time_and_can_be_passed_by_seek() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "good", 3);
        fill(&cluster, "t", 0, "bad", 3);
        fill(&cluster, "t", 0, "after", 3);
        {
            let mut world = cluster.world();
            let batch = &mut world.topics.get_mut("t").unwrap()[0].batches[1];
            let last = batch.len() - 1;
            batch[last] ^= 1;
        }
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.assign(vec![tp("t", 0)]);
        assert_eq!(read(&consumer, 3).await[0].1, expected("good", 3));
        for _ in 0..2 {
            let error = poll_error(&consumer).await;
            assert!(
                matches!(&error, ClientError::Corrupt { topic, partition: 0, offset: 3, .. }
                    if topic == "t"),
                "{error}"
            );
        }
        consumer.seek(&tp("t", 0), 6);
        assert_eq!(read(&consumer, 3).await[0].1, expected("after", 3));
    });
}

#[test]
fn pausing_keeps_records_back_and_seeking_drops_what_was_fetched() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 2);
        fill(&cluster, "t", 0, "a", 3);
        fill(&cluster, "t", 1, "b", 3);
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.assign(vec![tp("t", 0), tp("t", 1)]);
        // Both are fetched before the pause.
        until(|| cluster.count(ApiKey::Fetch) > 0).await;
        consumer.pause(&[tp("t", 0)]);
        assert_eq!(read(&consumer, 3).await, [(tp("t", 1), expected("b", 3))]);
        let idle = consumer.poll(Duration::from_millis(30)).await.unwrap();
        assert!(matches!(idle, Polled::Idle), "{idle:?}");
        consumer.resume(&[tp("t", 0)]);
        assert_eq!(read(&consumer, 3).await, [(tp("t", 0), expected("a", 3))]);
        consumer.seek(&tp("t", 1), 1);
        assert_eq!(consumer.position(&tp("t", 1)).await.unwrap(), 1);
        assert_eq!(read(&consumer, 2).await[0].1, ["b1", "b2"]);
        consumer.assign(vec![tp("t", 0)]);
        assert_eq!(consumer.assignment(), [tp("t", 0)]);
        assert!(consumer.position(&tp("t", 1)).await.is_err());
    });
}

#[test]
fn max_poll_records_bounds_each_poll() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 2);
        fill(&cluster, "t", 0, "a", 20);
        fill(&cluster, "t", 1, "b", 20);
        let consumer = KafkaConsumer::new(ConsumerConfig {
            max_poll_records: Some(4),
            ..config(&cluster)
        });
        consumer.assign(vec![tp("t", 0), tp("t", 1)]);
        let mut values_seen = Vec::new();
        while values_seen.len() < 40 {
            let Polled::Records(records) = consumer.poll(SOON).await.unwrap() else {
                panic!("no records");
            };
            let count: usize = records.iter().map(|fetched| fetched.records.len()).sum();
            assert!(count <= 4, "{count}");
            values_seen.extend(records.iter().flat_map(values));
        }
        for prefix in ["a", "b"] {
            let of: Vec<_> = values_seen
                .iter()
                .filter(|v| v.starts_with(prefix))
                .collect();
            assert_eq!(of, expected(prefix, 20).iter().collect::<Vec<_>>());
        }
    });
}

#[test]
fn without_polls_one_answer_per_broker_is_kept_and_no_more_is_asked_for() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(2);
        cluster.topic("t", 2);
        for partition in 0..2 {
            fill(&cluster, "t", partition, "v", 300);
        }
        let consumer = KafkaConsumer::new(ConsumerConfig {
            max_partition_fetch_bytes: 400,
            ..config(&cluster)
        });
        consumer.assign(vec![tp("t", 0), tp("t", 1)]);
        until(|| cluster.count(ApiKey::Fetch) >= 2).await;
        shard::sleep(Duration::from_millis(60)).await;
        assert_eq!(cluster.count(ApiKey::Fetch), 2, "one per broker");
        let polled = consumer.poll(SOON).await.unwrap();
        assert!(matches!(polled, Polled::Records(records) if records.len() == 2));
        // The next ones were asked for while the caller works on these.
        until(|| cluster.count(ApiKey::Fetch) >= 4).await;
        shard::sleep(Duration::from_millis(60)).await;
        assert_eq!(cluster.count(ApiKey::Fetch), 4);
        read(&consumer, 400).await;
    });
}

#[test]
fn a_record_larger_than_every_limit_is_read_and_partitions_take_turns() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 3);
        for partition in 0..3 {
            cluster.append("t", partition, batch(&["x".repeat(5000)]));
            fill(&cluster, "t", partition, "v", 3);
        }
        let consumer = KafkaConsumer::new(ConsumerConfig {
            max_partition_fetch_bytes: 100,
            fetch_max_bytes: 100,
            ..config(&cluster)
        });
        consumer.assign(vec![tp("t", 0), tp("t", 1), tp("t", 2)]);
        for (_, values) in read(&consumer, 12).await {
            assert_eq!(values[0].len(), 5000);
            assert_eq!(values[1..], expected("v", 3));
        }
    });
}

#[test]
fn polls_that_are_dropped_lose_nothing() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "v", 300);
        let consumer = KafkaConsumer::new(ConsumerConfig {
            max_partition_fetch_bytes: 300,
            ..config(&cluster)
        });
        consumer.assign(vec![tp("t", 0)]);
        let mut all = Vec::new();
        let mut dropped = 0;
        while all.len() < 300 {
            let polled = {
                let poll = consumer.poll(SOON);
                futures_util::pin_mut!(poll);
                // Dropped after a few turns, wherever it is then.
                let mut turns = all.len() % 3;
                std::future::poll_fn(|cx| match poll.as_mut().poll(cx) {
                    std::task::Poll::Ready(ready) => std::task::Poll::Ready(Some(ready)),
                    std::task::Poll::Pending if turns == 0 => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => {
                        turns -= 1;
                        std::task::Poll::Pending
                    }
                })
                .await
            };
            match polled {
                None => {
                    dropped += 1;
                    shard::sleep(Duration::from_millis(1)).await;
                    if dropped % 2 == 0
                        && let Polled::Records(records) = consumer.poll(SOON).await.unwrap()
                    {
                        all.extend(records.iter().flat_map(values));
                    }
                }
                Some(polled) => {
                    let Polled::Records(records) = polled.unwrap() else {
                        continue;
                    };
                    all.extend(records.iter().flat_map(values));
                }
            }
        }
        assert_eq!(all, expected("v", 300));
        assert!(dropped > 0);
    });
}

#[test]
fn brokers_of_older_versions_are_read() {
    on_each_runtime(|| async {
        for fetch_max in [4, 7, 11] {
            let cluster = MockCluster::start(1);
            cluster.world().version_max = [(1, fetch_max), (2, 4), (3, 7)].into();
            cluster.topic("t", 1);
            fill(&cluster, "t", 0, "v", 6);
            let consumer = KafkaConsumer::new(ConsumerConfig {
                client_rack: Some("r".to_owned()),
                ..config(&cluster)
            });
            consumer.assign(vec![tp("t", 0)]);
            assert_eq!(read(&consumer, 6).await[0].1, expected("v", 6));
            let world = cluster.world();
            assert!(
                world
                    .log
                    .iter()
                    .any(|(_, key, v)| (*key, *v) == (1, fetch_max))
            );
        }
    });
}

#[test]
fn a_topic_without_permission_is_an_error_and_a_missing_one_is_waited_for() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        let consumer = shared(KafkaConsumer::new(config(&cluster)));
        consumer.assign(vec![tp("later", 0)]);
        let idle = consumer.poll(Duration::from_millis(30)).await.unwrap();
        assert!(matches!(idle, Polled::Idle), "{idle:?}");
        cluster.topic("later", 1);
        fill(&cluster, "later", 0, "v", 3);
        assert_eq!(read(&consumer, 3).await[0].1, expected("v", 3));
        let secret = ("secret".to_owned(), 29);
        cluster.world().topic_errors.extend([secret]);
        consumer.assign(vec![tp("secret", 0)]);
        let error = poll_error(&consumer).await;
        assert!(
            error.to_string().contains("TOPIC_AUTHORIZATION_FAILED"),
            "{error}"
        );
    });
}

#[test]
fn a_closed_consumer_says_so() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        let consumer = KafkaConsumer::new(config(&cluster));
        consumer.assign(vec![tp("t", 0)]);
        consumer.close(SOON).await;
        assert!(matches!(
            consumer.poll(SOON).await,
            Err(ClientError::Closed)
        ));
        consumer.close(SOON).await;
    });
}

#[test]
fn a_slow_broker_is_given_up_and_asked_again() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "v", 6);
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&calls);
        cluster.on(ApiKey::Fetch, move |_, _| {
            match seen.fetch_add(1, Ordering::Relaxed) {
                0 => Reply::Silent,
                1 => Reply::Delayed(Duration::from_millis(30), Box::new(Reply::Default)),
                _ => Reply::Default,
            }
        });
        let mut config = config(&cluster);
        config.common.request_timeout = Duration::from_millis(100);
        let consumer = KafkaConsumer::new(config);
        consumer.assign(vec![tp("t", 0)]);
        assert_eq!(read(&consumer, 6).await[0].1, expected("v", 6));
        assert!(calls.load(Ordering::Relaxed) >= 2);
    });
}

#[test]
fn a_replica_that_the_leader_names_is_read_from_until_it_fails() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(2);
        cluster.topic("t", 1);
        fill(&cluster, "t", 0, "v", 6);
        let follower_fails = Arc::new(AtomicUsize::new(0));
        let fails = Arc::clone(&follower_fails);
        cluster.on(ApiKey::Fetch, move |call, world| {
            let failing = fails.load(Ordering::Relaxed) == 1;
            if call.broker == 2 && failing {
                return Reply::Disconnect;
            }
            if call.broker == 2 {
                world.topics.get_mut("t").unwrap()[0].leader = 2;
                let response = fetch_response(call, world);
                world.topics.get_mut("t").unwrap()[0].leader = 1;
                return answer(call, &response);
            }
            let mut response = fetch_response(call, world);
            if !failing {
                let data = &mut response.responses[0].partitions[0];
                data.records = None;
                data.preferred_read_replica = 2.into();
            }
            answer(call, &response)
        });
        let consumer = KafkaConsumer::new(ConsumerConfig {
            client_rack: Some("r".to_owned()),
            ..config(&cluster)
        });
        consumer.assign(vec![tp("t", 0)]);
        assert_eq!(read(&consumer, 6).await[0].1, expected("v", 6));
        follower_fails.store(1, Ordering::Relaxed);
        fill(&cluster, "t", 0, "w", 3);
        assert_eq!(read(&consumer, 3).await[0].1, expected("w", 3));
    });
}

#[test]
fn slow_answers_are_asked_to_be_larger_unless_the_user_chose_their_size() {
    on_each_runtime(|| async {
        for (set, expected) in [
            (false, vec![1 << 20, 2 << 20, 4 << 20]),
            (true, vec![4 << 20; 3]),
        ] {
            let cluster = MockCluster::start(1);
            cluster.topic("t", 1);
            for _ in 0..20 {
                cluster.append("t", 0, batch(&["x".repeat(900_000)]));
            }
            let asked: Arc<Mutex<Vec<i32>>> = Arc::default();
            let seen = Arc::clone(&asked);
            cluster.on(ApiKey::Fetch, move |call, _| {
                let request: FetchRequest = call.request();
                seen.lock().unwrap().push(request.max_bytes);
                Reply::Delayed(Duration::from_millis(40), Box::new(Reply::Default))
            });
            let consumer = KafkaConsumer::new(ConsumerConfig {
                // As many batches as the answer may hold.
                max_partition_fetch_bytes: 1 << 20,
                fetch_max_bytes: 4 << 20,
                fetch_max_bytes_set: set,
                ..config(&cluster)
            });
            consumer.assign(vec![tp("t", 0)]);
            read(&consumer, 20).await;
            let asked = asked.lock().unwrap();
            assert_eq!(asked[..3], expected);
        }
    });
}

#[test]
fn compressed_answers_that_are_taken_bit_by_bit_are_bounded_too() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(1);
        cluster.topic("t", 1);
        let codec = crate::record::Compression::Gzip;
        for _ in 0..40 {
            let mut builder =
                BatchBuilder::new(Vec::new(), CompressionConfig { codec, level: None });
            builder.append(1000, None, Some("x".repeat(700_000).as_bytes()), &[]);
            builder.finish(&ProducerFields::NONE, 0).unwrap();
            cluster.append("t", 0, builder.into_bytes());
        }
        let consumer = KafkaConsumer::new(ConsumerConfig {
            // About ten batches each.
            max_partition_fetch_bytes: 10_000,
            ..config(&cluster)
        });
        consumer.assign(vec![tp("t", 0)]);
        let mut taken = 0_i64;
        while taken < 40 {
            let Polled::Records(records) = consumer.poll(SOON).await.unwrap() else {
                panic!("no records");
            };
            let count: usize = records.iter().map(|fetched| fetched.records.len()).sum();
            assert!(count <= 2, "{count}");
            for record in records.iter().flat_map(|fetched| &fetched.records) {
                assert_eq!(record.offset, taken, "in order");
                taken += 1;
            }
            shard::sleep(Duration::from_millis(3)).await;
            let waiting: Vec<u64> = consumer.core.answers_waiting();
            assert!(waiting.len() <= 2, "{waiting:?}");
        }
    });
}

#[test]
fn batches_of_every_partition_come_whole_and_an_empty_list_when_there_are_none() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(2);
        cluster.topic("t", 3);
        for partition in 0..3 {
            fill(&cluster, "t", partition, "v", 30);
        }
        let consumer = KafkaConsumer::new(ConsumerConfig {
            max_partition_fetch_bytes: 300,
            ..config(&cluster)
        });
        consumer.assign((0..3).map(|partition| tp("t", partition)).collect());
        consumer.seek(&tp("t", 1), 4);
        let mut next = [0, 4, 0];
        while next != [30; 3] {
            let all = consumer.poll_batches(SOON).await.unwrap();
            assert!(!all.is_empty());
            for fetched in all {
                let known = &mut next[fetched.source.partition as usize];
                let first = &fetched.batches[0];
                // The batch that the position lies in begins before it.
                assert!(first.base_offset == *known || (*known, first.base_offset) == (4, 3));
                assert_eq!(first.skip_before, *known);
                assert_eq!(
                    fetched.batches.last().unwrap().next_offset,
                    fetched.next_offset
                );
                *known = fetched.next_offset;
                let position = consumer.position(&fetched.source).await.unwrap();
                assert!(position >= fetched.next_offset);
            }
        }
        let none = consumer.poll_batches(Duration::from_millis(30)).await;
        assert!(none.unwrap().is_empty());
        assert_eq!(consumer.lag(), Some(0));
        let member = KafkaConsumer::new(ConsumerConfig {
            group_id: Some("g".to_owned()),
            ..config(&cluster)
        });
        member.subscribe(Subscription::Topics(vec!["t".to_owned()]));
        let refused = member.poll_batches(SOON).await.unwrap_err();
        assert!(refused.to_string().contains("by hand"), "{refused}");
    });
}
