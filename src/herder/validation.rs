//! Checks of a connector's configuration before it exists.

use crate::api::ConfigMap;
use crate::config::connector::ConnectorConfig;
use crate::config::worker::WorkerFile;
use crate::plugins::Plugins;

/// Checks a raw configuration as a request would; the text lists all problems.
///
/// # Errors
/// All problems together, no secret in them.
pub fn problems(plugins: &Plugins, worker: &WorkerFile, config: &ConfigMap) -> Result<(), String> {
    let class = config.get("connector.class").and_then(Option::as_deref);
    let plugin = plugins
        .connector(class.unwrap_or_default().trim())
        .map_err(|error| error.to_string())?;
    let expanded = worker.providers.expand(config).map_err(|p| list(&p))?;
    let found = ConnectorConfig::parse(plugin.kind(), &expanded.config, &(plugin.config_def)());
    found
        .map(|_| ())
        .map_err(|problems| list(&expanded.hide_secrets(problems)))
}

fn list(problems: &[crate::api::config_def::ConfigProblem]) -> String {
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    texts.join("\n")
}
