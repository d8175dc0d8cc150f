//! A cluster by its REST interface.

use super::cluster::{Cluster, Failure, Found, Origin, kind_by_keys};
use crate::api::ConnectorKind;
use crate::cli::ctl::{ConnectionArgs, ConnectorSnapshot, snapshot};

/// Reads the cluster at an address.
///
/// # Errors
/// There is no Connect worker that answers.
pub(super) fn read(connection: &ConnectionArgs, url: &str) -> Result<Cluster, Failure> {
    let found = snapshot(connection, url).map_err(|error| Failure {
        exit: error.exit,
        message: error.message,
        hint: error.hint,
    })?;
    Ok(Cluster {
        origin: Origin {
            by: "rest",
            at: found.url,
            version: found.version,
            kafka_cluster_id: found.kafka_cluster_id,
        },
        connectors: found.connectors.into_iter().map(connector).collect(),
        findings: Vec::new(),
    })
}

fn connector(snapshot: ConnectorSnapshot) -> Found {
    let kind = match snapshot.kind.as_deref() {
        Some("source") => ConnectorKind::Source,
        Some("sink") => ConnectorKind::Sink,
        _ => kind_by_keys(&snapshot.config),
    };
    Found {
        name: snapshot.name,
        config: snapshot.config,
        kind,
        state: snapshot.state.unwrap_or_else(|| "UNASSIGNED".to_owned()),
        tasks: snapshot.tasks,
        offsets: snapshot.offsets,
    }
}
