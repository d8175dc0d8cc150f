//! What a connector would do, without doing it: for `ringmain preview` and the REST API.
//!
//! Builds what tasks are built from, by the same code, and leaves out whatever writes: producers,
//! commits, groups, topics.

mod fields;
mod hints;
mod json;
mod live;

use std::sync::Arc;

pub use fields::{Change, Field, changed, excerpt, fields};
pub use hints::{hint, short};
pub use json::{record_json, roads_json, warning_json};
pub use live::{Live, LiveError, Start, live};

use super::WorkerShared;
use super::records::{chain, converters};
use super::sources::{Prepared, prepare, problems};
use crate::api::{ConfigMap, ConnectError};
use crate::config::clients::task_consumer;
use crate::config::connector::KindConfig;
use crate::task::preview::RoundTrip;

/// The converters and transforms of a sink, there and back, from the raw configuration of its connector.
/// Checks what the start of its tasks would check, but for the connector's own code and what lies in
/// Kafka.
///
/// # Errors
/// What its tasks would fail with at their start; a source connector.
pub async fn round_trip(
    shared: &Arc<WorkerShared>,
    raw: ConfigMap,
) -> Result<RoundTrip, ConnectError> {
    let Prepared {
        config, connector, ..
    } = prepare(shared, raw).await?;
    let KindConfig::Sink(_) = &connector.kind else {
        return Err(ConnectError::config(format!(
            "connector.class: {} is a source connector; given records go through the converters and transforms of a sink",
            connector.class
        )));
    };
    let worker = &shared.config.originals;
    task_consumer(worker, &config, &connector.name, 0).map_err(problems)?;
    let (plugins, worker) = (&shared.plugins, &shared.config);
    Ok(RoundTrip::new(
        converters(plugins, worker, &connector)?,
        chain(plugins, &connector)?,
        converters(plugins, worker, &connector)?,
    ))
}
