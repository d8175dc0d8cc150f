//! From a raw configuration to what an instance is built of: references replaced, keys parsed.

use std::sync::Arc;

use super::WorkerShared;
use crate::api::config_def::ConfigProblem;
use crate::api::{ConfigMap, ConnectError};
use crate::config::Mask;
use crate::config::connector::ConnectorConfig;
use crate::shard;

/// A connector's configuration, ready to use.
pub(super) struct Prepared {
    /// References replaced; holds secrets.
    pub(super) config: ConfigMap,
    /// The same, typed.
    pub(super) connector: ConnectorConfig,
    /// Takes what came from providers out of texts.
    pub(super) mask: Mask,
}

/// Replaces references and parses, off the shard since providers read files.
pub(super) async fn prepare(
    shared: &Arc<WorkerShared>,
    raw: ConfigMap,
) -> Result<Prepared, ConnectError> {
    let shared = Arc::clone(shared);
    let prepared = shard::blocking(move || {
        let expanded = shared.providers.expand(&raw).map_err(problems)?;
        let class = expanded
            .config
            .get("connector.class")
            .and_then(Option::as_deref);
        let plugin = shared.plugins.connector(class.unwrap_or_default().trim());
        let plugin = plugin.map_err(|error| ConnectError::config(error.to_string()))?;
        let connector =
            ConnectorConfig::parse(plugin.kind(), &expanded.config, &(plugin.config_def)())
                .map_err(|found| problems(expanded.hide_secrets(found)))?;
        let overrides = shared.config.override_policy.violations(&expanded.config);
        if !overrides.is_empty() {
            return Err(ConnectError::connect(format!(
                "Client Config Overrides not allowed {}",
                texts(&overrides)
            )));
        }
        Ok(Prepared {
            config: expanded.config,
            connector,
            mask: expanded.mask,
        })
    });
    prepared
        .await
        .map_err(|error| ConnectError::connect(error.to_string()))?
}

/// Replaces the references of a task's configuration.
pub(super) async fn expand(
    shared: &Arc<WorkerShared>,
    raw: ConfigMap,
) -> Result<ConfigMap, ConnectError> {
    let shared = Arc::clone(shared);
    let expanded = shard::blocking(move || shared.providers.expand(&raw).map_err(problems));
    let expanded = expanded
        .await
        .map_err(|error| ConnectError::connect(error.to_string()))?;
    Ok(expanded?.config)
}

/// All problems of a configuration as one error.
pub(super) fn problems(problems: Vec<ConfigProblem>) -> ConnectError {
    ConnectError::config(texts(&problems))
}

fn texts(problems: &[ConfigProblem]) -> String {
    problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect::<Vec<_>>()
        .join("; ")
}
