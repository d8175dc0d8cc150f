//! The shapes of answers, members in Kafka's order (contract 1.4 to 1.8).

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::api::ConnectorKind;
use crate::api::config_def::{ConfigKey, ConfigValue};
use crate::herder::validation::ConfigInfos;
use crate::herder::{
    ConnectorInfo, ConnectorState, ConnectorStateInfo, RunsOn, TaskInfo, TaskRestarts, TaskState,
    instant,
};
use crate::plugins::PLUGIN_VERSION;
use crate::worker::{ConnectorTaskId, Ongoing};

/// What Apache's workers write for the version of a plugin that has none.
const UNDEFINED_VERSION: &str = "undefined";

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
    let connector = Shown {
        state: status.state,
        trace: status.trace.as_deref(),
        runs_on: status.runs_on.as_ref(),
        hanging: status.hanging,
    };
    let connector = state(&connector, worker_id);
    json!({
        "name": status.name,
        "connector": connector,
        "tasks": tasks,
        "type": kind_name(status.kind),
    })
}

pub(super) fn task_state(task: &TaskState, worker_id: &str) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(task.id));
    let shown = Shown {
        state: task.state,
        trace: task.trace.as_deref(),
        runs_on: task.runs_on.as_ref(),
        hanging: task.hanging,
    };
    members.extend(state(&shown, worker_id));
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

/// What connectors and tasks have in common.
struct Shown<'a> {
    state: ConnectorState,
    trace: Option<&'a str>,
    runs_on: Option<&'a RunsOn>,
    hanging: Option<Ongoing>,
}

/// `worker_id` is this worker's, for what runs here. A version that nobody knew is left out as Kafka's
/// `NoVersionFilter` does, one that was not told is null.
fn state(shown: &Shown<'_>, worker_id: &str) -> Map<String, Value> {
    let (worker_id, version) = match shown.runs_on {
        None => (worker_id, Some(PLUGIN_VERSION)),
        Some(on) => (on.worker_id.as_str(), on.version.as_deref()),
    };
    let mut members = Map::new();
    members.insert("state".to_owned(), json!(shown.state.name()));
    members.insert("worker_id".to_owned(), json!(worker_id));
    if version != Some(UNDEFINED_VERSION) {
        members.insert("version".to_owned(), json!(version));
    }
    if let Some(trace) = shown.trace.filter(|trace| !trace.is_empty()) {
        members.insert("trace".to_owned(), json!(trace));
    }
    // Beyond Kafka's members, and only where something hangs.
    if let Some(Ongoing { call, since }) = shown.hanging {
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
