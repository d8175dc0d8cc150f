//! `/admin/loggers`: log levels (KIP-495, KIP-976, contract 1.10).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::connectors::null_pointer;
use super::json_body;
use super::response::{Failure, Response};
use super::router::{Query, Router};
use crate::logging::{Level, LoggerLevel};

pub(super) fn list(router: &Router) -> Response {
    let all = router.context.loggers.all().into_iter();
    let all: Map<String, Value> = all.map(|(name, level)| (name, shown(level))).collect();
    Response::json(200, &Value::Object(all))
}

pub(super) fn level(router: &Router, name: &str) -> Result<Response, Failure> {
    let found = router.context.loggers.level(name);
    let found = found.ok_or_else(|| Failure::new(404, format!("Logger {name} not found.")))?;
    Ok(Response::json(200, &shown(found)))
}

pub(super) fn set(
    router: &Router,
    name: &str,
    query: &Query,
    body: &[u8],
) -> Result<Response, Failure> {
    let levels = json_body::config_map(body).map_err(|text| Failure::new(500, text))?;
    let levels = levels.ok_or_else(|| null_pointer("java.util.Map.get(Object)", "levelMap"))?;
    let text = levels.get("level").cloned().flatten().ok_or_else(|| {
        let message = "Desired 'level' parameter was not specified in request.";
        Failure::new(400, message)
    })?;
    if text.is_empty() {
        return Err(Failure::new(500, "Illegal null or empty Level name."));
    }
    let level = Level::parse(&text)
        .ok_or_else(|| Failure::new(404, format!("invalid log level '{text}'.")))?;
    let scope = query.all("scope").next().unwrap_or("worker");
    let of_cluster = scope.eq_ignore_ascii_case("cluster");
    if of_cluster && router.context.is_distributed() {
        // Every worker sets it when it reads it, this one included.
        router.herder.set_logger_level(name, &text)?;
        return Ok(Response::empty(204));
    }
    let changed = router.context.loggers.set(name, level, now_ms());
    let changed = changed.map_err(|error| Failure::new(500, error.to_string()))?;
    // A standalone worker is the whole cluster.
    if of_cluster {
        return Ok(Response::empty(204));
    }
    if !scope.eq_ignore_ascii_case("worker") {
        tracing::warn!(scope, "an unknown scope of a log level counts as worker");
    }
    Ok(Response::json(200, &json!(changed)))
}

fn shown(level: LoggerLevel) -> Value {
    json!({"level": level.level.name(), "last_modified": level.last_modified})
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
