//! A whole cluster as its REST interface tells it, for `ringmain migrate`. Nothing is changed.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::api::{Overview, path_of};
use super::client::{Call, Client};
use super::connection::ConnectionArgs;
use super::error::CtlError;
use crate::api::ConfigMap;
use crate::cli::{Exit, print_error};

/// A connector.
#[derive(Debug)]
pub(in crate::cli) struct ConnectorSnapshot {
    /// Name.
    pub(in crate::cli) name: String,
    /// Raw configuration.
    pub(in crate::cli) config: ConfigMap,
    /// `source` or `sink`; anything else where the worker does not know.
    pub(in crate::cli) kind: Option<String>,
    /// State of the connector's own instance; `None` without a status.
    pub(in crate::cli) state: Option<String>,
    /// Tasks that it is configured for.
    pub(in crate::cli) tasks: usize,
    /// How many partitions have an offset, or why the worker does not say.
    pub(in crate::cli) offsets: Result<usize, String>,
}

/// All of a cluster.
#[derive(Debug)]
pub(in crate::cli) struct ClusterSnapshot {
    /// The address that answered.
    pub(in crate::cli) url: String,
    /// Version of the worker there.
    pub(in crate::cli) version: Option<String>,
    /// Id of the Kafka cluster.
    pub(in crate::cli) kafka_cluster_id: Option<String>,
    /// By name.
    pub(in crate::cli) connectors: Vec<ConnectorSnapshot>,
}

/// Why there is none.
#[derive(Debug)]
pub(in crate::cli) struct SnapshotError {
    /// How the command ends with it.
    pub(in crate::cli) exit: Exit,
    /// What happened.
    pub(in crate::cli) message: String,
    /// What to do.
    pub(in crate::cli) hint: Option<String>,
}

impl From<CtlError> for SnapshotError {
    fn from(error: CtlError) -> Self {
        Self {
            exit: error.exit(),
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

#[derive(Deserialize)]
struct Offsets {
    offsets: Vec<IgnoredAny>,
}

/// Reads all connectors at `url` with their states and the number of their offsets.
///
/// # Errors
/// Nobody answers there, or somebody who is no Connect worker, or one who refuses.
pub(in crate::cli) fn snapshot(
    args: &ConnectionArgs,
    url: &str,
) -> Result<ClusterSnapshot, SnapshotError> {
    let mut args = args.clone();
    args.set("url", url);
    let connection = args.connection()?;
    for warning in &connection.warnings {
        print_error(&format!("warning: {warning}"));
    }
    let client = Client::new(connection);
    let root: Value = client.call(&Call::get("/"))?.json()?;
    let member = |name: &str| root[name].as_str().map(str::to_owned);
    let overviews = client.overviews()?.into_iter();
    let connectors = overviews.map(|(name, overview)| connector(&client, name, overview));
    Ok(ClusterSnapshot {
        connectors: connectors.collect::<Result<_, CtlError>>()?,
        url: client.url().to_owned(),
        version: member("version"),
        kafka_cluster_id: member("kafka_cluster_id"),
    })
}

fn connector(
    client: &Client,
    name: String,
    overview: Overview,
) -> Result<ConnectorSnapshot, CtlError> {
    let info = overview.info.unwrap_or_default();
    let offsets = match offsets(client, &name) {
        Ok(count) => Ok(count),
        Err(error) if error.is_unreachable() && !error.is_unknown_path() => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    Ok(ConnectorSnapshot {
        name,
        offsets,
        state: overview.status.map(|status| status.connector.state),
        tasks: info.tasks.len(),
        kind: info.kind,
        config: info.config,
    })
}

fn offsets(client: &Client, name: &str) -> Result<usize, CtlError> {
    let answer = client.call(&Call::get(path_of(name, "/offsets")))?;
    let all: Offsets = answer.json()?;
    Ok(all.offsets.len())
}
