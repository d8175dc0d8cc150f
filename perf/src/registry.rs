//! The schema registry of scenarios with Avro: started for the first of them, and stopped with the session.

use std::time::Duration;

use testbed::SchemaRegistry;

use crate::avro;
use crate::error::{Error, Result};

/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running registry.
#[derive(Debug)]
pub(crate) struct Registry(SchemaRegistry);

impl Registry {
    /// Fetches and starts it.
    pub(crate) fn start() -> Result<Self> {
        SchemaRegistry::start().map(Self).map_err(Error::Usage)
    }

    /// `schema.registry.url` of Confluent's converters, and so of Ringmain's.
    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// `apicurio.registry.url` of Apicurio's converters.
    pub(crate) fn native_url(&self) -> String {
        self.0.native_url()
    }

    /// Registers the schema of a topic's values, and gives its id.
    pub(crate) fn register(&self, topic: &str) -> Result<u32> {
        let url = format!("{}/subjects/{topic}-value/versions", self.url());
        let failed = |why: String| Error::Run(format!("the schema registry, {url}: {why}"));
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let request = serde_json::json!({ "schema": avro::SCHEMA }).to_string();
        let answer = agent
            .post(&url)
            .header("Content-Type", "application/vnd.schemaregistry.v1+json")
            .send(&request);
        let mut answer = answer.map_err(|e| failed(e.to_string()))?;
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|e| failed(e.to_string()))?;
        let parsed: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let id = parsed.and_then(|answer| answer["id"].as_u64());
        id.and_then(|id| u32::try_from(id).ok())
            .ok_or_else(|| failed(format!("no id in {text}")))
    }
}
