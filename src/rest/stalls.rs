//! Stalled tasks in the answers of `status` and `/health`: fields that Apache does not have, there only
//! when there is a stall.

use std::time::Instant;

use serde_json::{Value, json};

use super::router::Router;
use crate::metrics::Stall;
use crate::worker::ConnectorTaskId;

fn stalled(router: &Router) -> Vec<(ConnectorTaskId, Stall)> {
    let context = &router.context;
    match context.shared.config.stall_timeout {
        Some(limit) => context.metrics.stalled(limit, Instant::now()),
        None => Vec::new(),
    }
}

fn told(stall: Stall) -> Value {
    let lasting = u64::try_from(stall.lasting.as_millis()).unwrap_or(u64::MAX);
    json!({"stage": stall.stage.name(), "for_ms": lasting})
}

/// Adds `stalled` to the tasks of a connector's status that are.
pub(super) fn in_status(router: &Router, connector: &str, status: &mut Value) {
    let Some(Value::Array(tasks)) = status.get_mut("tasks") else {
        return;
    };
    for (id, stall) in of(router, connector) {
        let number = json!(id.task);
        let mut found = tasks.iter_mut().filter(|task| task["id"] == number);
        if let Some(task) = found.next() {
            task["stalled"] = told(stall);
        }
    }
}

/// Adds `stalled` to a task's status if it is.
pub(super) fn in_task_status(router: &Router, connector: &str, number: u32, status: &mut Value) {
    let mut found = of(router, connector).filter(|(id, _)| id.task == number);
    if let Some((_, stall)) = found.next() {
        status["stalled"] = told(stall);
    }
}

fn of(router: &Router, connector: &str) -> impl Iterator<Item = (ConnectorTaskId, Stall)> {
    let all = stalled(router).into_iter();
    all.filter(move |(id, _)| id.connector == connector)
}

/// Adds `stalled` to the health of the worker, which stays healthy: a task is not the worker.
pub(super) fn in_health(router: &Router, health: &mut Value) {
    let tasks: Vec<Value> = stalled(router)
        .into_iter()
        .map(|(id, stall)| {
            let mut told = told(stall);
            told["connector"] = json!(id.connector);
            told["task"] = json!(id.task);
            told
        })
        .collect();
    if !tasks.is_empty() {
        health["stalled"] = Value::Array(tasks);
    }
}
