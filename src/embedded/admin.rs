//! [`Admin`] over the embedded log.

use std::sync::Arc;

use async_trait::async_trait;

use super::error;
use super::log::EmbeddedLog;
use super::partition::Partition;
use crate::api::TopicPartition;
use crate::clients::{Admin, ClientError, NewTopic, OffsetSpec, TopicDescription};
use crate::shard::blocking;

/// Topic administration of an embedded log.
#[derive(Debug)]
pub struct EmbeddedAdmin {
    log: Arc<EmbeddedLog>,
}

impl EmbeddedAdmin {
    /// An admin client of `log`.
    pub fn new(log: Arc<EmbeddedLog>) -> Self {
        Self { log }
    }

    async fn off_shard<T: Send + 'static>(
        &self,
        call: impl FnOnce(&EmbeddedLog) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let log = Arc::clone(&self.log);
        let done = blocking(move || call(&log)).await;
        done.map_err(|error| error::blocking(self.log.dir(), &error))?
    }

    fn partition(&self, partition: &TopicPartition) -> Result<Arc<Partition>, ClientError> {
        let found = self.log.partition(&partition.topic, partition.partition);
        found.ok_or_else(|| error::unknown_topic(partition.to_string()))
    }
}

#[async_trait(?Send)]
impl Admin for EmbeddedAdmin {
    async fn cluster_id(&self) -> Result<String, ClientError> {
        Ok(self.log.cluster_id().to_owned())
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<bool, ClientError> {
        let topic = topic.clone();
        self.off_shard(move |log| log.create_topic(&topic.name, topic.partitions, &topic.configs))
            .await
    }

    async fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>, ClientError> {
        let partitions = self.log.topic(topic);
        Ok(partitions.map(|partitions| TopicDescription {
            name: topic.to_owned(),
            partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
            replication_factor: 1,
        }))
    }

    async fn list_topics(&self) -> Result<Vec<String>, ClientError> {
        Ok(self.log.topics().keys().map(ToString::to_string).collect())
    }

    async fn list_offsets(
        &self,
        partitions: &[(TopicPartition, OffsetSpec)],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let mut offsets = Vec::with_capacity(partitions.len());
        for (partition, spec) in partitions {
            let found = self.partition(partition)?;
            let offset = match *spec {
                OffsetSpec::Earliest => found.start_offset(),
                OffsetSpec::Latest => found.end_offset(),
                OffsetSpec::Timestamp(timestamp) => {
                    // As brokers answer when no record is that late.
                    let look_up = move |_: &EmbeddedLog| found.offset_for_time(timestamp);
                    self.off_shard(look_up).await?.unwrap_or(-1)
                }
            };
            offsets.push((partition.clone(), offset));
        }
        Ok(offsets)
    }

    async fn delete_records(&self, before: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        for (partition, offset) in before {
            let found = self.partition(partition)?;
            // −1 stands for the end, as in Kafka's request.
            let offset = if *offset == -1 {
                found.end_offset()
            } else {
                *offset
            };
            if offset < 0 || offset > found.end_offset() {
                return Err(error::offset_out_of_range(format!(
                    "delete records of {partition} before {offset}"
                )));
            }
            self.off_shard(move |log| {
                found.delete_before(offset);
                log.store_start(&found)
            })
            .await?;
        }
        self.log.flush_offsets().await
    }

    async fn delete_topic(&self, topic: &str) -> Result<bool, ClientError> {
        let topic = topic.to_owned();
        self.off_shard(move |log| log.delete_topic(&topic)).await
    }

    async fn group_offsets(&self, group: &str) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let offsets = self.log.group_offsets(group).into_iter();
        let offsets = offsets.map(|(topic, partition, offset)| {
            (TopicPartition::new(topic.as_str(), partition), offset)
        });
        Ok(offsets.collect())
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        if self.log.groups.has_members(group) {
            let context = format!("changing the committed offsets of group {group}");
            return Err(error::unknown_member(context));
        }
        for (at, _) in offsets {
            self.partition(at)?;
        }
        for (at, offset) in offsets {
            self.log.commit(group, &at.topic, at.partition, *offset)?;
        }
        self.log.flush_offsets().await
    }

    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), ClientError> {
        let context = || format!("deleting committed offsets of group {group}");
        if self.log.groups.has_members(group) {
            return Err(error::group_subscribed(context()));
        }
        if self.log.group_offsets(group).is_empty() {
            return Err(error::group_not_found(context()));
        }
        for at in partitions {
            self.partition(at)?;
        }
        for at in partitions {
            self.log.forget_commit(group, &at.topic, at.partition)?;
        }
        self.log.flush_offsets().await
    }

    async fn delete_group(&self, group: &str) -> Result<bool, ClientError> {
        if self.log.groups.has_members(group) {
            return Err(error::non_empty_group(format!("deleting group {group}")));
        }
        let offsets = self.log.group_offsets(group);
        for (topic, partition, _) in &offsets {
            self.log.forget_commit(group, topic, *partition)?;
        }
        self.log.flush_offsets().await?;
        Ok(!offsets.is_empty())
    }

    async fn close(&self) {}
}
