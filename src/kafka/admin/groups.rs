//! Changing what a consumer group has committed, as an administrator: without being a member.
//!
//! The coordinator's errors that concern the coordinator itself are tried again; whatever it says about a
//! partition is the answer, as in Kafka's `AlterConsumerGroupOffsetsHandler` and its siblings.

use std::collections::BTreeMap;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::{DeleteGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest};

use super::KafkaAdmin;
use crate::api::TopicPartition;
use crate::clients::ClientError;
use crate::kafka::cluster::CoordinatorKind;
use crate::kafka::errors::{api_error, code};
use crate::kafka::protocol::{Request, text};

/// Generation of a commit that comes from no member.
const NO_GENERATION: i32 = -1;

/// Code of an answer for one partition.
type Told<'a> = (&'a str, i32, i16);

impl KafkaAdmin {
    pub(super) async fn commit_for_group(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        let context = format!("changing the committed offsets of group {group}");
        let topics = by_topic(offsets.iter().map(|(at, offset)| (at, *offset)));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|(partition, offset)| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(partition)
                    .with_committed_offset(offset)
                    .with_committed_metadata(Some(text("")))
            });
            OffsetCommitRequestTopic::default()
                .with_name(text(topic).into())
                .with_partitions(partitions.collect())
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(text(group).into())
            .with_generation_id_or_member_epoch(NO_GENERATION)
            .with_topics(topics.collect());
        self.retrying(&context, async || {
            let response = self.ask_coordinator(group, &request).await?;
            let told = response.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|told| (topic.name.as_str(), told.partition_index, told.error_code))
            });
            self.fate(group, &context, 0, told)
        })
        .await?
    }

    pub(super) async fn forget_for_group(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), ClientError> {
        let context = format!("deleting committed offsets of group {group}");
        let topics = by_topic(partitions.iter().map(|at| (at, ())));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|(partition, ())| {
                OffsetDeleteRequestPartition::default().with_partition_index(partition)
            });
            OffsetDeleteRequestTopic::default()
                .with_name(text(topic).into())
                .with_partitions(partitions.collect())
        });
        let request = OffsetDeleteRequest::default()
            .with_group_id(text(group).into())
            .with_topics(topics.collect());
        self.retrying(&context, async || {
            let response = self.ask_coordinator(group, &request).await?;
            let told = response.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|told| (topic.name.as_str(), told.partition_index, told.error_code))
            });
            self.fate(group, &context, response.error_code, told)
        })
        .await?
    }

    pub(super) async fn forget_group(&self, group: &str) -> Result<bool, ClientError> {
        let context = format!("deleting group {group}");
        let request = DeleteGroupsRequest::default().with_groups_names(vec![text(group).into()]);
        let fate = self.retrying(&context, async || {
            let response = self.ask_coordinator(group, &request).await?;
            let told = response.results.first();
            let told = told.map_or(code::GROUP_ID_NOT_FOUND, |told| told.error_code);
            if told == code::GROUP_ID_NOT_FOUND {
                return Ok(Ok(false));
            }
            let fate = self.fate(group, &context, told, std::iter::empty())?;
            Ok(fate.map(|()| true))
        });
        fate.await?
    }

    async fn ask_coordinator<R: Request + Clone>(
        &self,
        group: &str,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        let connection = self
            .cluster
            .coordinator(CoordinatorKind::Group, group)
            .await?;
        connection
            .call(request.clone(), self.request_timeout())
            .await
    }

    /// The outer error is worth another try, the inner one is the answer.
    fn fate<'a>(
        &self,
        group: &str,
        context: &str,
        overall: i16,
        told: impl Iterator<Item = Told<'a>>,
    ) -> Result<Result<(), ClientError>, ClientError> {
        let mut refused = match overall {
            0 => None,
            code => Some((code, context.to_owned())),
        };
        for (topic, partition, error) in told.filter(|(_, _, error)| *error != 0) {
            let context = format!("{context}: {topic}-{partition}");
            refused = refused.or(Some((error, context)));
        }
        let Some((error, context)) = refused else {
            return Ok(Ok(()));
        };
        match error {
            code::NOT_COORDINATOR | code::COORDINATOR_NOT_AVAILABLE => {
                self.cluster
                    .forget_coordinator(CoordinatorKind::Group, group);
                Err(api_error(error, context, None))
            }
            code::COORDINATOR_LOAD_IN_PROGRESS => Err(api_error(error, context, None)),
            _ => Ok(Err(api_error(error, context, None))),
        }
    }
}

fn by_topic<'a, T>(
    items: impl Iterator<Item = (&'a TopicPartition, T)>,
) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (at, item) in items {
        let topic = topics.entry(&at.topic).or_default();
        topic.push((at.partition, item));
    }
    topics
}
