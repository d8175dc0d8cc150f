//! Requests that another worker has to answer: asked there by the handler that got them (Kafka:
//! `HerderRequestHandler.completeOrForwardRequest`; contract 1.2).
//!
//! ```text
//! client → worker ──forward=true──→ leader ──forward=false──→ owner
//! ```
//!
//! The hidden query parameter `forward` counts the hops: a request goes on at most twice. A handler waits
//! meanwhile, so handlers could wait for each other in a ring: each of two workers hands all that it has to
//! the other. That is why requests further on their way have places that those before them leave free
//! ([`Hop`], `backend/slots`): the last hop is answered on the spot, so it always ends, and then so do those
//! that wait for it.

mod hop;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;

pub(super) use self::hop::Hop;
use super::connectors;
use super::response::{Elsewhere, Failure, Response};
use super::router::{Query, Request, Router};
use crate::cluster::peers::{PeerAnswer, PeerError, PeerRequest, Peers, encode_segment};
use crate::distributed::signature::{SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER};

/// How much longer than the herder's own limit an answer may take per hop: whoever times out there shall say so.
const GRACE: Duration = Duration::from_secs(5);
/// The parameters that go on, both of restarts.
const FLAGS: [&str; 2] = ["includeTasks", "onlyFailed"];

/// A request that this worker has looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked<'a> {
    pub(super) request: &'a Request,
    /// `GET` in place of `HEAD`.
    pub(super) method: &'a str,
    /// Decoded.
    pub(super) path: &'a [String],
    pub(super) query: &'a Query,
}

/// Has the right worker answer, if the request may still go on.
pub(super) fn forward(
    router: &Router,
    looked: Looked<'_>,
    elsewhere: Elsewhere,
) -> Result<Response, Failure> {
    let Looked { method, path, .. } = looked;
    let hop = Hop::of(looked.query);
    let Some(next) = hop.next() else {
        tracing::error!(
            "Request '{method} /{}' failed because it couldn't find the target Connect worker within two hops \
             (between workers).",
            path.join("/")
        );
        let text =
            "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
        return Err(Failure::new(409, text));
    };
    let (Some(url), Some(peers)) = (&elsewhere.url, &router.context.peers) else {
        return Err(Failure::from(elsewhere));
    };
    let hops = if next == Hop::Last { 1 } else { 2 };
    let limit = router.herder.limits().request + GRACE * hops;
    match ask(peers, looked, next, url, limit) {
        Ok(answer) => Ok(response(router, answer)),
        Err(error) => {
            match &error {
                PeerError::Refused { .. } => {
                    tracing::debug!(%error, url, "a forwarded request is refused")
                }
                error => tracing::warn!(%error, "a REST request can't be forwarded"),
            }
            Err(Failure::from(error))
        }
    }
}

/// The same request at another worker. Apache leaves the signature behind; with the body as it came it still holds.
fn ask(
    peers: &Peers,
    looked: Looked<'_>,
    next: Hop,
    url: &str,
    limit: Duration,
) -> Result<PeerAnswer, PeerError> {
    let request = looked.request;
    let authorization = request.authorization.as_ref().map(|value| value.reveal());
    let fields = [
        ("Authorization", authorization),
        (SIGNATURE_HEADER, request.signed.signature.as_deref()),
        (
            SIGNATURE_ALGORITHM_HEADER,
            request.signed.algorithm.as_deref(),
        ),
    ];
    let headers = fields.into_iter();
    let headers = headers.filter_map(|(name, value)| Some((name, value?)));
    tracing::debug!(url, method = looked.method, "forwarding a request");
    peers.send(&PeerRequest {
        method: looked.method,
        worker_url: url,
        target: &target(looked, next),
        headers: headers.collect(),
        body: &request.body,
        limit,
    })
}

/// The path as this worker understands it, and what of the query means anything.
fn target(looked: Looked<'_>, next: Hop) -> String {
    let mut target = String::new();
    for segment in looked.path {
        target.push('/');
        target.push_str(&encode_segment(segment));
    }
    target.push_str("?forward=");
    target.push_str(next.parameter());
    for flag in FLAGS {
        if looked.query.all(flag).next().is_some() {
            let value = looked.query.flag(flag, false);
            target.push_str(&format!("&{flag}={value}"));
        }
    }
    target
}

/// As if this worker had done it: a new connector's `Location` is here.
fn response(router: &Router, answer: PeerAnswer) -> Response {
    let PeerAnswer { status, body } = answer;
    let mut response = Response::empty(status);
    if status == 201 {
        let info: Value = serde_json::from_slice(&body).unwrap_or_default();
        let name = info.get("name").and_then(Value::as_str);
        let location = connectors::location(router, name.unwrap_or_default());
        response = response.with_header("Location", location);
    }
    response.body = body;
    response
}
