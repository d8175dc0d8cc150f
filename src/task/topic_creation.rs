//! Topics of source connectors, created by the `topic.creation.*` rules (contract 9.2).

use std::rc::Rc;

use crate::api::ConnectError;
use crate::clients::{Admin, ClientError, NewTopic};
use crate::config::connector::TopicCreation as Rules;

/// Creates topics that a task is about to write to.
#[derive(Default)]
pub struct TopicCreation {
    rules: Option<(Rules, Rc<dyn Admin>)>,
}

impl std::fmt::Debug for TopicCreation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rules = self.rules.as_ref().map(|(rules, _)| rules);
        f.debug_struct("TopicCreation")
            .field("rules", &rules)
            .finish()
    }
}

impl TopicCreation {
    /// Creates by `rules`. The default leaves creation to the brokers.
    pub fn new(rules: Rules, admin: Rc<dyn Admin>) -> Self {
        Self {
            rules: Some((rules, admin)),
        }
    }

    /// Creates `topic` when it does not exist. A topic that exists is left to the producer.
    ///
    /// # Errors
    /// The topic can't be described or created.
    pub async fn create_if_wanted(&mut self, topic: &str) -> Result<(), ConnectError> {
        let Some((rules, admin)) = &self.rules else {
            return Ok(());
        };
        let failed = |error: ClientError| {
            ConnectError::connect(format!("Error while attempting to create topic '{topic}'"))
                .with_source(error)
        };
        if admin.describe_topic(topic).await.map_err(failed)?.is_some() {
            return Ok(());
        }
        let group = rules.group(topic);
        let wanted = NewTopic {
            name: topic.to_owned(),
            partitions: group.partitions,
            replication_factor: group.replication_factor,
            configs: group.settings.clone(),
        };
        if admin.create_topic(&wanted).await.map_err(failed)? {
            tracing::info!(
                topic,
                group = group.name,
                partitions = group.partitions,
                "topic created"
            );
        }
        Ok(())
    }

    /// Closes the admin client.
    pub async fn close(&self) {
        if let Some((_, admin)) = &self.rules {
            admin.close().await;
        }
    }
}
