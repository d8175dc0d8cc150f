//! `/metrics` for Prometheus and `/connectors/NAME/metrics` as JSON.
//!
//! Both are made of the same tables ([`families`]): Kafka Connect's groups and attributes (contract 11), and
//! what only Ringmain has. A request asks the herder once for the states of everything, copies the
//! counters of each task and prints them; no shard is asked and none waits.

mod families;
mod json;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod text;
mod view;

use serde_json::{Map, Value};

use super::response::{Failure, Response};
use super::router::Router;

/// Prometheus' text format; every version of Prometheus takes it, whatever else it asks for.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn all(router: &Router) -> Result<Response, Failure> {
    let worker = view::worker(router, None)?;
    Ok(Response {
        content_type: TEXT,
        body: text::exposition(&worker).into_bytes(),
        ..Response::empty(200)
    })
}

/// All connectors by name, in the form of [`of_connector`].
pub(super) fn of_connectors(router: &Router) -> Result<Map<String, Value>, Failure> {
    let worker = view::worker(router, None)?;
    let connectors = worker.connectors.iter();
    Ok(connectors
        .map(|connector| (connector.name.clone(), json::connector(connector)))
        .collect())
}

pub(super) fn of_connector(router: &Router, name: &str) -> Result<Response, Failure> {
    let worker = view::worker(router, Some(name))?;
    let connector = worker.connectors.first().ok_or_else(|| {
        let message = format!("Connector {name} not found");
        Failure::new(404, message)
    })?;
    Ok(Response::json(200, &json::connector(connector)))
}
