//! All topics at once, their partitions and settings: what mirroring needs.

use async_trait::async_trait;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    CreatePartitionsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
};

use super::KafkaAdmin;
use crate::clients::{
    ClientError, ClusterAdmin, ConfigSource, TopicConfigChange, TopicConfigEntry, TopicDescription,
};
use crate::kafka::errors::{api_error, check, code};
use crate::kafka::protocol::text;

/// Type of a topic among resources that have settings.
const TOPIC: i8 = 2;
/// Operations of an incremental change.
const SET: i8 = 0;
const DELETE: i8 = 1;

fn source(code: i8) -> ConfigSource {
    match code {
        1 => ConfigSource::Topic,
        2 | 3 => ConfigSource::DynamicBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        _ => ConfigSource::Unknown,
    }
}

fn entry(told: &DescribeConfigsResourceResult) -> TopicConfigEntry {
    TopicConfigEntry {
        name: told.name.to_string(),
        value: told.value.as_ref().map(ToString::to_string),
        source: source(told.config_source),
        read_only: told.read_only,
        sensitive: told.is_sensitive,
    }
}

fn resource(change: &TopicConfigChange) -> AlterConfigsResource {
    let configs = change.entries.iter().map(|(name, value)| {
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(if value.is_some() { SET } else { DELETE })
            .with_value(value.as_deref().map(text))
    });
    AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(&change.topic))
        .with_configs(configs.collect())
}

#[async_trait(?Send)]
impl ClusterAdmin for KafkaAdmin {
    async fn describe_topics(&self) -> Result<Vec<TopicDescription>, ClientError> {
        self.retrying("describing all topics", async || {
            self.cluster.fetch_all_metadata().await?;
            let mut found = Vec::new();
            for topic in self.cluster.topics() {
                if topic.error == code::UNKNOWN_TOPIC_OR_PARTITION {
                    continue;
                }
                check(topic.error, || format!("describing topic {}", topic.name))?;
                let replicas = topic.partitions.first().map_or(0, |first| first.replicas);
                found.push(TopicDescription {
                    name: topic.name.to_string(),
                    partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
                    replication_factor: u16::try_from(replicas).unwrap_or(u16::MAX),
                });
            }
            found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        })
        .await
    }

    async fn create_partitions(&self, topic: &str, total: u32) -> Result<bool, ClientError> {
        let wanted = CreatePartitionsTopic::default()
            .with_name(text(topic).into())
            .with_count(i32::try_from(total).unwrap_or(i32::MAX))
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![wanted])
            .with_timeout_ms(self.request_timeout_ms());
        let context = format!("raising the partitions of topic {topic} to {total}");
        self.retrying(&context, async || {
            let connection = self.controller().await?;
            let limit = self.request_timeout();
            let response = connection.call(request.clone(), limit).await?;
            let told = response.results.first();
            let code = told.map_or(code::UNKNOWN_TOPIC_OR_PARTITION, |told| told.error_code);
            match code {
                0 => Ok(true),
                code::INVALID_PARTITIONS => Ok(false),
                code => {
                    let message = told.and_then(|told| told.error_message.as_deref());
                    Err(api_error(code, context.clone(), message))
                }
            }
        })
        .await
    }

    async fn describe_topic_configs(
        &self,
        topics: &[String],
    ) -> Result<Vec<(String, Vec<TopicConfigEntry>)>, ClientError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let resources = topics.iter().map(|topic| {
            DescribeConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(text(topic))
                .with_configuration_keys(None)
        });
        let request = DescribeConfigsRequest::default().with_resources(resources.collect());
        self.retrying("describing settings of topics", async || {
            let connection = self.cluster.any_connection().await?;
            let limit = self.request_timeout();
            let response = connection.call(request.clone(), limit).await?;
            let mut found = Vec::with_capacity(topics.len());
            for topic in topics {
                let context = || format!("describing the settings of topic {topic}");
                let mut told = response.results.iter();
                let told = told.find(|told| told.resource_name.as_str() == topic);
                let Some(told) = told else {
                    let code = code::UNKNOWN_TOPIC_OR_PARTITION;
                    return Err(api_error(code, context(), None));
                };
                if told.error_code != 0 {
                    let message = told.error_message.as_deref();
                    return Err(api_error(told.error_code, context(), message));
                }
                found.push((topic.clone(), told.configs.iter().map(entry).collect()));
            }
            Ok(found)
        })
        .await
    }

    async fn alter_topic_configs(
        &self,
        changes: &[TopicConfigChange],
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(changes.iter().map(resource).collect());
        self.retrying("changing settings of topics", async || {
            let connection = self.controller().await?;
            let limit = self.request_timeout();
            let response = connection.call(request.clone(), limit).await?;
            let fate = |change: &TopicConfigChange| {
                let context = format!("changing the settings of topic {}", change.topic);
                let mut told = response.responses.iter();
                match told.find(|told| told.resource_name.as_str() == change.topic) {
                    None => Err(api_error(code::UNKNOWN_TOPIC_OR_PARTITION, context, None)),
                    Some(told) if told.error_code != 0 => {
                        let message = told.error_message.as_deref();
                        Err(api_error(told.error_code, context, message))
                    }
                    Some(_) => Ok(()),
                }
            };
            Ok(changes.iter().map(fate).collect())
        })
        .await
    }
}
