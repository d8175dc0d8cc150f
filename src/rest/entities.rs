//! The shapes of answers, members in Kafka's order (contract 1.4 to 1.8).

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::api::ConnectorKind;
use crate::api::config_def::{ConfigKey, ConfigValue};
use crate::herder::validation::ConfigInfos;
use crate::herder::{
    ConnectorInfo, ConnectorState, ConnectorStateInfo, TaskInfo, TaskRestarts, TaskState, instant,
};
use crate::plugins::PLUGIN_VERSION;
use crate::worker::{ConnectorTaskId, Ongoing};

pub(super) fn info(info: &ConnectorInfo) -> Value {
    let tasks: Vec<Value> = info.tasks.iter().map(task_id).collect();
    json!({
        "name": info.name,
        "config": info.config,
        "tasks": tasks,
        "type": kind_name(info.kind),
    })
}

/// Kafka's name of the kind of connector; what this worker can't tell is `unknown`.
fn kind_name(kind: Option<ConnectorKind>) -> &'static str {
    kind.map_or("unknown", ConnectorKind::name)
}

fn task_id(id: &ConnectorTaskId) -> Value {
    json!({"connector": id.connector, "task": id.task})
}

pub(super) fn task_info(task: &TaskInfo) -> Value {
    json!({"id": task_id(&task.id), "config": task.config})
}

pub(super) fn state_info(status: &ConnectorStateInfo, worker_id: &str) -> Value {
    let tasks: Vec<Value> = status
        .tasks
        .iter()
        .map(|task| task_state(task, worker_id))
        .collect();
    json!({
        "name": status.name,
        "connector": state(status.state, status.trace.as_deref(), status.hanging, worker_id),
        "tasks": tasks,
        "type": kind_name(status.kind),
    })
}

pub(super) fn task_state(task: &TaskState, worker_id: &str) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(task.id));
    let state = state(task.state, task.trace.as_deref(), task.hanging, worker_id);
    members.extend(state);
    if let Some(restarts) = &task.restarts {
        members.insert("restarts".to_owned(), task_restarts(restarts));
    }
    Value::Object(members)
}

/// There only where a policy had a task started again, or will.
fn task_restarts(restarts: &TaskRestarts) -> Value {
    let left = restarts.due.map(|due| {
        let left = due.saturating_duration_since(Instant::now()).as_millis();
        u64::try_from(left).unwrap_or(u64::MAX)
    });
    json!({
        "count": restarts.count,
        "in_a_row": restarts.in_row,
        "last_reason": restarts.last_reason,
        "next_in_ms": left,
    })
}

fn state(
    state: ConnectorState,
    trace: Option<&str>,
    hanging: Option<Ongoing>,
    worker_id: &str,
) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("state".to_owned(), json!(state.name()));
    members.insert("worker_id".to_owned(), json!(worker_id));
    members.insert("version".to_owned(), json!(PLUGIN_VERSION));
    if let Some(trace) = trace.filter(|trace| !trace.is_empty()) {
        members.insert("trace".to_owned(), json!(trace));
    }
    // Beyond Kafka's members, and only where something hangs.
    if let Some(Ongoing { call, since }) = hanging {
        let hanging = json!({"call": call, "since": instant(since)});
        members.insert("hanging".to_owned(), hanging);
    }
    members
}

pub(super) fn key_info(key: &ConfigKey) -> Value {
    json!({
        "name": key.name,
        "type": key.kind.name(),
        "required": key.is_required(),
        "default_value": key.default_text(),
        "importance": key.importance.name(),
        "documentation": key.documentation,
        "group": key.group,
        "order_in_group": key.order_in_group,
        "width": key.width.name(),
        "display_name": key.display_name,
        "dependents": key.dependents,
    })
}

fn value_info(value: &ConfigValue) -> Value {
    json!({
        "name": value.name,
        "value": value.value,
        "recommended_values": value.recommended_values,
        "errors": value.errors,
        "visible": value.visible,
    })
}

pub(super) fn config_infos(infos: &ConfigInfos) -> Value {
    let config = |info: &crate::herder::validation::ConfigInfo| {
        json!({
            "definition": info.definition.as_ref().map(key_info),
            "value": value_info(&info.value),
        })
    };
    let configs: Vec<Value> = infos.configs.iter().map(config).collect();
    json!({
        "name": infos.name,
        "error_count": infos.error_count(),
        "groups": infos.groups,
        "configs": configs,
    })
}
