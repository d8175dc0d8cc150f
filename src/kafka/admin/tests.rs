use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    ApiKey, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsResponse,
    DeleteTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, OffsetFetchResponse,
};

use super::*;
use crate::clients::{ClusterAdmin, ConfigSource, TopicConfigChange};
use crate::kafka::mock_broker::{MockCluster, Reply, answer, on_each_runtime, test_config};

fn admin(mock: &MockCluster) -> KafkaAdmin {
    KafkaAdmin::new(AdminConfig {
        common: test_config(mock),
    })
}

#[test]
fn topics_are_described_and_listed_and_absent_ones_are_none() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.topic("b", 3);
        mock.topic("a", 1);
        let admin = admin(&mock);
        assert_eq!(admin.cluster_id().await.unwrap(), "mock-cluster");
        let found = admin.describe_topic("b").await.unwrap().unwrap();
        assert_eq!((found.partitions, found.replication_factor), (3, 1));
        assert!(admin.describe_topic("none").await.unwrap().is_none());
        assert_eq!(admin.list_topics().await.unwrap(), ["a", "b"]);
        admin.close().await;
        let closed = admin.list_topics().await;
        assert!(matches!(closed, Err(ClientError::Closed)));
    });
}

#[test]
fn a_topic_is_created_through_the_controller_even_when_that_has_just_moved() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let mut codes = vec![code::TOPIC_ALREADY_EXISTS, 0, 41];
        mock.on(ApiKey::CreateTopics, move |call, _| {
            let request: CreateTopicsRequest = call.request();
            let topic = &request.topics[0];
            assert_eq!(topic.num_partitions, 4);
            assert_eq!(topic.configs[0].value.as_deref(), Some("compact"));
            let result = CreatableTopicResult::default()
                .with_name(topic.name.clone())
                .with_error_code(codes.pop().unwrap());
            answer(
                call,
                &CreateTopicsResponse::default().with_topics(vec![result]),
            )
        });
        let admin = admin(&mock);
        let topic = NewTopic {
            name: "made".to_owned(),
            partitions: 4,
            replication_factor: -1,
            configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
        };
        assert!(admin.create_topic(&topic).await.unwrap());
        assert!(!admin.create_topic(&topic).await.unwrap());
        admin.close().await;
    });
}

#[test]
fn a_refused_topic_gives_the_brokers_words() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.on(ApiKey::CreateTopics, |call, _| {
            let result = CreatableTopicResult::default()
                .with_error_code(40)
                .with_error_message(Some(text("no such setting")));
            answer(
                call,
                &CreateTopicsResponse::default().with_topics(vec![result]),
            )
        });
        let admin = admin(&mock);
        let topic = NewTopic {
            name: "bad".to_owned(),
            partitions: 1,
            replication_factor: 1,
            configs: Vec::new(),
        };
        let error = admin.create_topic(&topic).await.unwrap_err().to_string();
        assert!(
            error.contains("INVALID_CONFIG") && error.contains("no such setting"),
            "{error}"
        );
        mock.on(ApiKey::DeleteTopics, |call, _| {
            let result = DeletableTopicResult::default().with_error_code(3);
            answer(
                call,
                &DeleteTopicsResponse::default().with_responses(vec![result]),
            )
        });
        assert!(!admin.delete_topic("bad").await.unwrap());
        admin.close().await;
    });
}

#[test]
fn offsets_are_asked_of_each_leader_and_come_in_the_order_asked_for() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.topic("t", 4);
        for at in 0..4_i64 {
            let mut world = mock.world();
            let partition = &mut world.topics.get_mut("t").unwrap()[usize::try_from(at).unwrap()];
            (partition.start, partition.end) = (at, at + 10);
        }
        let admin = admin(&mock);
        let at = |partition| TopicPartition::new("t", partition);
        let asked = [
            (at(3), OffsetSpec::Latest),
            (at(0), OffsetSpec::Earliest),
            (at(2), OffsetSpec::Latest),
        ];
        let told = admin.list_offsets(&asked).await.unwrap();
        assert_eq!(told, [(at(3), 13), (at(0), 0), (at(2), 12)]);
        assert_eq!(mock.count(ApiKey::ListOffsets), 2);
        admin.close().await;
    });
}

#[test]
fn committed_offsets_follow_a_coordinator_that_moves() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.on(ApiKey::OffsetFetch, |call, world| {
            let response = OffsetFetchResponseGroup::default();
            let response = if call.broker == 1 {
                world.coordinator = 2;
                response.with_error_code(code::NOT_COORDINATOR)
            } else {
                let told = |at, offset| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(at)
                        .with_committed_offset(offset)
                };
                response.with_topics(vec![
                    OffsetFetchResponseTopics::default()
                        .with_name(text("t").into())
                        .with_partitions(vec![told(0, 7), told(1, -1)]),
                ])
            };
            answer(
                call,
                &OffsetFetchResponse::default().with_groups(vec![response]),
            )
        });
        let admin = admin(&mock);
        let offsets = admin.group_offsets("g").await.unwrap();
        assert_eq!(offsets, [(TopicPartition::new("t", 0), 7)]);
        admin.close().await;
    });
}

#[test]
fn the_probe_names_brokers_and_guesses_the_release_and_gives_up_in_time() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.world().version_max.insert(ProduceRequest::KEY, 12);
        let found = probe(&test_config(&mock), Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(found.cluster_id, "mock-cluster");
        assert_eq!(found.brokers.len(), 2);
        assert_eq!(found.kafka_version, "4.0");
        mock.on(ApiKey::ApiVersions, |_, _| Reply::Silent);
        let limit = Duration::from_millis(150);
        let error = probe(&test_config(&mock), limit).await.unwrap_err();
        assert!(error.is_retriable(), "{error}");
    });
}

#[test]
fn all_topics_are_described_at_once_sorted_and_without_those_that_are_gone() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(2);
        mock.topic("b", 3);
        mock.topic("gone", 1);
        mock.topic("a", 1);
        let gone = code::UNKNOWN_TOPIC_OR_PARTITION;
        mock.world().topic_errors.insert("gone".to_owned(), gone);
        let admin = admin(&mock);
        let found = admin.describe_topics().await.unwrap().into_iter();
        let found: Vec<_> = found.map(|topic| (topic.name, topic.partitions)).collect();
        assert_eq!(found, [("a".to_owned(), 1), ("b".to_owned(), 3)]);
        admin.close().await;
    });
}

#[test]
fn partitions_are_added_and_enough_of_them_is_no_error() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let mut codes = vec![17, code::INVALID_PARTITIONS, 0, 41];
        mock.on(ApiKey::CreatePartitions, move |call, _| {
            let request: CreatePartitionsRequest = call.request();
            assert_eq!(request.topics[0].count, 6);
            assert!(request.topics[0].assignments.is_none());
            let result = CreatePartitionsTopicResult::default()
                .with_name(request.topics[0].name.clone())
                .with_error_code(codes.pop().unwrap());
            answer(
                call,
                &CreatePartitionsResponse::default().with_results(vec![result]),
            )
        });
        let admin = admin(&mock);
        assert!(admin.create_partitions("t", 6).await.unwrap());
        assert!(!admin.create_partitions("t", 6).await.unwrap());
        let refused = admin.create_partitions("t", 6).await.unwrap_err();
        let text = "raising the partitions of topic t to 6: INVALID_TOPIC_EXCEPTION";
        assert!(refused.to_string().contains(text), "{refused}");
        admin.close().await;
    });
}

#[test]
fn settings_come_with_where_they_are_from_and_in_the_order_asked_for() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.on(ApiKey::DescribeConfigs, |call, _| {
            let request: DescribeConfigsRequest = call.request();
            let setting = |name: &str, value: &str, source| {
                DescribeConfigsResourceResult::default()
                    .with_name(text(name))
                    .with_value(Some(text(value)))
                    .with_config_source(source)
            };
            let results = request.resources.iter().rev().map(|asked| {
                assert_eq!(asked.resource_type, 2);
                DescribeConfigsResult::default()
                    .with_resource_type(2)
                    .with_resource_name(asked.resource_name.clone())
                    .with_configs(vec![
                        setting("cleanup.policy", asked.resource_name.as_str(), 1),
                        setting("retention.ms", "7", 5),
                        setting("segment.bytes", "8", 4).with_read_only(true),
                    ])
            });
            answer(
                call,
                &DescribeConfigsResponse::default().with_results(results.collect()),
            )
        });
        let admin = admin(&mock);
        let topics = ["b".to_owned(), "a".to_owned()];
        let told = admin.describe_topic_configs(&topics).await.unwrap();
        assert_eq!(told[0].0, "b");
        let (topic, entries) = &told[1];
        assert_eq!((topic.as_str(), entries.len()), ("a", 3));
        let first = &entries[0];
        assert_eq!(first.name, "cleanup.policy");
        assert_eq!(first.value.as_deref(), Some("a"));
        assert_eq!(first.source, ConfigSource::Topic);
        assert_eq!(entries[1].source, ConfigSource::Default);
        assert_eq!(entries[2].source, ConfigSource::StaticBroker);
        assert!(entries[2].read_only && !entries[2].sensitive);
        assert!(admin.describe_topic_configs(&[]).await.unwrap().is_empty());
        assert_eq!(mock.count(ApiKey::DescribeConfigs), 1);
        admin.close().await;
    });
}

#[test]
fn each_topic_has_its_own_fate_when_settings_are_changed() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        mock.on(ApiKey::IncrementalAlterConfigs, |call, _| {
            let request: IncrementalAlterConfigsRequest = call.request();
            let asked = &request.resources[0].configs;
            assert_eq!(asked[0].config_operation, 0);
            assert_eq!(asked[0].value.as_deref(), Some("compact"));
            assert_eq!((asked[1].config_operation, &asked[1].value), (1, &None));
            let responses = request.resources.iter().map(|resource| {
                let refused = resource.resource_name.as_str() == "bad";
                AlterConfigsResourceResponse::default()
                    .with_resource_name(resource.resource_name.clone())
                    .with_error_code(if refused { 40 } else { 0 })
                    .with_error_message(refused.then(|| text("no such setting")))
            });
            answer(
                call,
                &IncrementalAlterConfigsResponse::default().with_responses(responses.collect()),
            )
        });
        let admin = admin(&mock);
        let change = |topic: &str| TopicConfigChange {
            topic: topic.to_owned(),
            entries: vec![
                ("cleanup.policy".to_owned(), Some("compact".to_owned())),
                ("retention.ms".to_owned(), None),
            ],
        };
        let changes = [change("good"), change("bad")];
        let fates = admin.alter_topic_configs(&changes).await.unwrap();
        assert!(fates[0].is_ok());
        let refused = fates[1].as_ref().unwrap_err().to_string();
        assert!(
            refused.contains("topic bad: INVALID_CONFIG (40): no such setting"),
            "{refused}"
        );
        admin.close().await;
    });
}
