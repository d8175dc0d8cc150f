//! `/connectors/NAME/offsets`: read, alter, reset (KIP-875, contract 1.9).

use serde_json::{Value, json};

use super::connectors::null_pointer;
use super::json_body;
use super::response::{Failure, Response};
use super::router::Router;
use crate::worker::{OffsetsAnswer, OffsetsRequest};

const ENTITIES: &str = "org.apache.kafka.connect.runtime.rest.entities";

pub(super) fn read(router: &Router, name: &str) -> Result<Response, Failure> {
    let answer = router.herder.offsets(name, OffsetsRequest::Read)?;
    let OffsetsAnswer::Read(offsets) = answer else {
        return Err(unexpected(&answer));
    };
    let offsets = offsets
        .into_iter()
        .map(|entry| json!({"partition": entry.partition, "offset": entry.offset}));
    let offsets: Vec<Value> = offsets.collect();
    Ok(Response::json(200, &json!({ "offsets": offsets })))
}

pub(super) fn alter(router: &Router, name: &str, body: &[u8]) -> Result<Response, Failure> {
    let body = json_body::connector_offsets(body).map_err(|text| Failure::new(500, text))?;
    let call = |method| format!("{ENTITIES}.{method}");
    let offsets =
        body.ok_or_else(|| null_pointer(&call("ConnectorOffsets.offsets()"), "offsets"))?;
    let offsets = offsets
        .filter(|offsets| !offsets.is_empty())
        .ok_or_else(|| {
            let message = "Partitions / offsets need to be provided for an alter offsets request";
            Failure::new(400, message)
        })?;
    let offsets: Option<Vec<_>> = offsets.into_iter().collect();
    let offsets =
        offsets.ok_or_else(|| null_pointer(&call("ConnectorOffset.partition()"), "offset"))?;
    let answer = router
        .herder
        .offsets(name, OffsetsRequest::Alter(offsets))?;
    changed(&answer, "altered")
}

pub(super) fn reset(router: &Router, name: &str) -> Result<Response, Failure> {
    let answer = router.herder.offsets(name, OffsetsRequest::Reset)?;
    changed(&answer, "reset")
}

fn changed(answer: &OffsetsAnswer, verb: &str) -> Result<Response, Failure> {
    let message = match answer {
        OffsetsAnswer::Changed { confirmed: true } => {
            format!("The offsets for this connector have been {verb} successfully")
        }
        OffsetsAnswer::Changed { confirmed: false } => format!(
            "The Connect framework-managed offsets for this connector have been {verb} successfully. \
             However, if this connector manages offsets externally, they will need to be manually {verb} \
             in the system that the connector uses."
        ),
        OffsetsAnswer::Read(_) => return Err(unexpected(answer)),
    };
    Ok(Response::json(200, &json!({ "message": message })))
}

/// An answer to something else: a defect.
fn unexpected(answer: &OffsetsAnswer) -> Failure {
    Failure::new(
        500,
        format!("an unexpected answer about offsets: {answer:?}"),
    )
}
