use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DeleteGroupsResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetDeleteRequest, OffsetDeleteResponse,
};

use super::*;
use crate::kafka::mock_broker::{MockCluster, answer, on_each_runtime, test_config};

fn admin(mock: &MockCluster) -> KafkaAdmin {
    KafkaAdmin::new(AdminConfig {
        common: test_config(mock),
    })
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn code_of(result: Result<(), ClientError>) -> i16 {
    match result {
        Err(ClientError::Api { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_are_committed_without_a_member_and_a_partitions_error_is_not_tried_again() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let mut codes = vec![
            code::UNKNOWN_TOPIC_OR_PARTITION,
            code::UNKNOWN_MEMBER_ID,
            0,
            code::NOT_COORDINATOR,
        ];
        mock.on(ApiKey::OffsetCommit, move |call, _| {
            let request: OffsetCommitRequest = call.request();
            assert_eq!(request.generation_id_or_member_epoch, -1);
            assert_eq!(request.member_id.as_str(), "");
            let asked = &request.topics[0].partitions;
            assert_eq!(
                (asked[0].committed_offset, asked[1].committed_offset),
                (7, 8)
            );
            let error = codes.pop().unwrap();
            let told = |partition: i32, error: i16| {
                OffsetCommitResponsePartition::default()
                    .with_partition_index(partition)
                    .with_error_code(error)
            };
            let topic = OffsetCommitResponseTopic::default()
                .with_name(request.topics[0].name.clone())
                .with_partitions(vec![told(0, 0), told(1, error)]);
            answer(
                call,
                &OffsetCommitResponse::default().with_topics(vec![topic]),
            )
        });
        let admin = admin(&mock);
        let offsets = [(at(0), 7), (at(1), 8)];
        // The coordinator has moved at first.
        admin.alter_group_offsets("g", &offsets).await.unwrap();
        let refused = admin.alter_group_offsets("g", &offsets).await;
        assert_eq!(code_of(refused), code::UNKNOWN_MEMBER_ID);
        let refused = admin.alter_group_offsets("g", &offsets).await;
        let text = refused.as_ref().unwrap_err().to_string();
        assert!(text.contains("group g: t-1"), "{text}");
        assert_eq!(code_of(refused), code::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(mock.count(ApiKey::OffsetCommit), 4);
        admin.close().await;
    });
}

#[test]
fn deleting_offsets_says_what_the_group_and_what_each_partition_says() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let mut codes = vec![(code::GROUP_ID_NOT_FOUND, 0), (0, 86), (0, 0)];
        mock.on(ApiKey::OffsetDelete, move |call, _| {
            let request: OffsetDeleteRequest = call.request();
            assert_eq!(request.group_id.as_str(), "g");
            let (overall, of_partition) = codes.pop().unwrap();
            let told = OffsetDeleteResponsePartition::default()
                .with_partition_index(request.topics[0].partitions[0].partition_index)
                .with_error_code(of_partition);
            let topic = OffsetDeleteResponseTopic::default()
                .with_name(request.topics[0].name.clone())
                .with_partitions(vec![told]);
            let response = OffsetDeleteResponse::default()
                .with_error_code(overall)
                .with_topics(vec![topic]);
            answer(call, &response)
        });
        let admin = admin(&mock);
        admin.delete_group_offsets("g", &[at(3)]).await.unwrap();
        let refused = admin.delete_group_offsets("g", &[at(3)]).await;
        assert_eq!(code_of(refused), 86);
        let refused = admin.delete_group_offsets("g", &[at(3)]).await;
        assert_eq!(code_of(refused), code::GROUP_ID_NOT_FOUND);
        admin.close().await;
    });
}

#[test]
fn a_group_is_deleted_once_and_one_with_members_is_not() {
    on_each_runtime(|| async {
        let mock = MockCluster::start(1);
        let mut codes = vec![68, code::GROUP_ID_NOT_FOUND, 0];
        mock.on(ApiKey::DeleteGroups, move |call, _| {
            let request: DeleteGroupsRequest = call.request();
            let result = DeletableGroupResult::default()
                .with_group_id(request.groups_names[0].clone())
                .with_error_code(codes.pop().unwrap());
            answer(
                call,
                &DeleteGroupsResponse::default().with_results(vec![result]),
            )
        });
        let admin = admin(&mock);
        assert!(admin.delete_group("g").await.unwrap());
        assert!(!admin.delete_group("g").await.unwrap());
        let refused = admin.delete_group("g").await.map(|_| ());
        assert_eq!(code_of(refused), 68);
        admin.close().await;
    });
}
