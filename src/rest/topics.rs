//! `/connectors/NAME/topics`: topics that a connector used (KIP-558, contract 1.5).

use serde_json::{Map, Value, json};

use super::response::{Failure, Response};
use super::router::Router;

/// Of a connector that there is not, too: it has used none.
pub(super) fn list(router: &Router, name: &str) -> Result<Response, Failure> {
    check_enabled(router)?;
    let topics = router.context.shared.active_topics.of(name);
    let mut body = Map::new();
    body.insert(name.to_owned(), json!({ "topics": topics }));
    Ok(Response::json(200, &Value::Object(body)))
}

pub(super) fn reset(router: &Router, name: &str) -> Result<Response, Failure> {
    check_enabled(router)?;
    let shared = &router.context.shared;
    if !shared.config.topic_tracking_allow_reset {
        return Err(Failure::new(403, "Topic tracking reset is disabled."));
    }
    shared.active_topics.reset(name);
    Ok(Response::empty(202))
}

fn check_enabled(router: &Router) -> Result<(), Failure> {
    if router.context.shared.config.topic_tracking_enable {
        return Ok(());
    }
    Err(Failure::new(403, "Topic tracking is disabled."))
}
