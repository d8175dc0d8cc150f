//! Damaged answers of brokers. What they carry has its targets in `consumer`.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, DescribeConfigsResponse, FetchResponse, JoinGroupResponse,
    ListOffsetsResponse, MetadataResponse, OffsetFetchResponse, ProduceResponse, ProducerId,
};
use kafka_protocol::protocol::{Decodable, Encodable, Message};
use proptest::prelude::*;

use super::counts;
use super::protocol::text;
use crate::fuzz::{Outcome, bounded, mutated, search};

fn metadata() -> MetadataResponse {
    let broker = |id| {
        let broker = MetadataResponseBroker::default().with_node_id(BrokerId(id));
        broker.with_host(text("localhost")).with_port(9092)
    };
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(i32::MAX))
            .with_leader_epoch(1_000_000)
            .with_replica_nodes(vec![BrokerId(1), BrokerId(70_000)])
    };
    let topic = MetadataResponseTopic::default()
        .with_name(Some(text("topic").into()))
        .with_partitions(vec![partition(0), partition(1)]);
    MetadataResponse::default()
        .with_brokers(vec![broker(1), broker(i32::MAX)])
        .with_controller_id(BrokerId(99_999))
        .with_topics(vec![topic.clone(), topic])
}

fn fetch() -> FetchResponse {
    let aborted = AbortedTransaction::default().with_producer_id(ProducerId(7));
    let partition = PartitionData::default()
        .with_partition_index(i32::MAX)
        .with_high_watermark(9)
        .with_aborted_transactions(Some(vec![aborted]))
        .with_preferred_read_replica(BrokerId(4000))
        .with_records(Some(Bytes::from(vec![7; 300])));
    let topic = FetchableTopicResponse::default()
        .with_topic(text("topic").into())
        .with_partitions(vec![partition]);
    FetchResponse::default()
        .with_throttle_time_ms(100_000)
        .with_responses(vec![topic])
}

fn join_group() -> JoinGroupResponse {
    let member = JoinGroupResponseMember::default()
        .with_member_id(text("member"))
        .with_metadata(Bytes::from_static(b"metadata of a member"));
    JoinGroupResponse::default()
        .with_generation_id(2_000_000)
        .with_protocol_name(Some(text("range")))
        .with_leader(text("member"))
        .with_member_id(text("member"))
        .with_members(vec![member.clone(), member])
}

fn list_offsets() -> ListOffsetsResponse {
    let partition = ListOffsetsPartitionResponse::default()
        .with_partition_index(60_000)
        .with_offset(5)
        .with_leader_epoch(90_000);
    let topic = ListOffsetsTopicResponse::default()
        .with_name(text("topic").into())
        .with_partitions(vec![partition.clone(), partition]);
    ListOffsetsResponse::default().with_topics(vec![topic])
}

fn offset_fetch(version: i16) -> OffsetFetchResponse {
    let partition = OffsetFetchResponsePartitions::default()
        .with_partition_index(3)
        .with_committed_offset(17)
        .with_metadata(Some(text("note")));
    let topic = OffsetFetchResponseTopics::default()
        .with_name(text("topic").into())
        .with_partitions(vec![partition]);
    if version < 8 {
        return OffsetFetchResponse::default();
    }
    let group = OffsetFetchResponseGroup::default()
        .with_group_id(text("group").into())
        .with_topics(vec![topic]);
    OffsetFetchResponse::default().with_groups(vec![group])
}

fn api_versions() -> ApiVersionsResponse {
    let key = |key| ApiVersion::default().with_api_key(key).with_max_version(9);
    ApiVersionsResponse::default().with_api_keys((0..60).map(key).collect())
}

fn describe_configs() -> DescribeConfigsResponse {
    let entry = DescribeConfigsResourceResult::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("604800000")));
    let result = DescribeConfigsResult::default()
        .with_resource_name(text("topic"))
        .with_configs(vec![entry.clone(), entry]);
    DescribeConfigsResponse::default().with_results(vec![result])
}

fn produce() -> ProduceResponse {
    let partition = PartitionProduceResponse::default()
        .with_index(50_000)
        .with_base_offset(4);
    let topic = TopicProduceResponse::default()
        .with_name(text("topic").into())
        .with_partition_responses(vec![partition.clone(), partition]);
    ProduceResponse::default().with_responses(vec![topic])
}

/// What is done with the bytes of an answer of one kind and version.
type Decode = fn(&[u8], i16) -> Outcome;

/// A kind of answer in one version.
#[derive(Clone)]
struct Kind {
    name: &'static str,
    version: i16,
    bytes: Vec<u8>,
    decode: Decode,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

fn decode<R: Decodable>(bytes: &[u8], version: i16) -> Outcome {
    let mut answer = Bytes::copy_from_slice(bytes);
    if let Err(reason) = bounded(bytes.len(), || counts::decode::<R>(&mut answer, version))? {
        prop_assert!(!reason.is_empty());
    }
    Ok(())
}

fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    macro_rules! add {
        ($response:ty, up to $max:literal, |$version:ident| $sample:expr) => {
            for $version in <$response>::VERSIONS.min..=$max {
                let mut bytes = BytesMut::new();
                let sample: $response = $sample;
                if sample.encode(&mut bytes, $version).is_err() {
                    continue;
                }
                // As it was written, and like the crate's own decoder.
                let mut plain = bytes.clone().freeze();
                let mut counted = plain.clone();
                let expected = <$response>::decode(&mut plain, $version).unwrap();
                let found = counts::decode::<$response>(&mut counted, $version).unwrap();
                assert_eq!(found, expected, "{} {}", stringify!($response), $version);
                assert_eq!(counted, plain);
                kinds.push(Kind {
                    name: stringify!($response),
                    version: $version,
                    bytes: bytes.to_vec(),
                    decode: decode::<$response>,
                });
            }
        };
    }
    add!(MetadataResponse, up to 12, |_v| metadata());
    add!(FetchResponse, up to 12, |_v| fetch());
    add!(JoinGroupResponse, up to 9, |_v| join_group());
    add!(ListOffsetsResponse, up to 9, |_v| list_offsets());
    add!(OffsetFetchResponse, up to 9, |v| offset_fetch(v));
    add!(ApiVersionsResponse, up to 3, |_v| api_versions());
    add!(DescribeConfigsResponse, up to 4, |_v| describe_configs());
    add!(ProduceResponse, up to 12, |_v| produce());
    kinds
}

#[test]
fn whole_answers_are_read_as_by_the_message_crate_in_every_version() {
    let kinds = kinds();
    assert!(kinds.len() > 40, "{}", kinds.len());
}

#[test]
fn a_damaged_answer_is_a_message_or_an_error_and_asks_for_no_more_than_it_has() {
    let damaged = || {
        let each = prop::sample::select(kinds());
        let with = |kind: Kind| {
            let bytes = mutated(vec![kind.bytes.clone()]);
            (Just(kind), bytes)
        };
        each.prop_flat_map(with).boxed()
    };
    search(2000, damaged, |(kind, bytes)| {
        (kind.decode)(&bytes, kind.version)
    });
}

#[test]
fn a_count_beyond_the_answer_is_named() {
    // MetadataResponse v1: brokers.
    let mut answer = Bytes::from_static(b"\x7f\xff\xff\xffabcdef");
    let error = counts::decode::<MetadataResponse>(&mut answer, 1).unwrap_err();
    assert_eq!(
        error,
        "it counts 2147483647 items or bytes where 6 bytes are left"
    );
    // v9: throttle time, brokers as a number of variable length.
    let mut answer = Bytes::from_static(b"\0\0\0\0\xff\xff\xff\xff\x0fabcdef");
    let error = counts::decode::<MetadataResponse>(&mut answer, 9).unwrap_err();
    assert_eq!(
        error,
        "it counts 4294967294 items or bytes where 6 bytes are left"
    );
}
