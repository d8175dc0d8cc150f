//! The shapes of answers, members in Kafka's order (contract 1.4 to 1.8).

use serde_json::{Map, Value, json};

use crate::api::config_def::{ConfigKey, ConfigValue};
use crate::herder::validation::ConfigInfos;
use crate::herder::{ConnectorInfo, ConnectorState, ConnectorStateInfo, TaskInfo, TaskState};
use crate::plugins::PLUGIN_VERSION;
use crate::worker::ConnectorTaskId;

pub(super) fn info(info: &ConnectorInfo) -> Value {
    let tasks: Vec<Value> = info.tasks.iter().map(task_id).collect();
    json!({
        "name": info.name,
        "config": info.config,
        "tasks": tasks,
        "type": info.kind.name(),
    })
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
        "connector": state(status.state, status.trace.as_deref(), worker_id),
        "tasks": tasks,
        "type": status.kind.name(),
    })
}

pub(super) fn task_state(task: &TaskState, worker_id: &str) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(task.id));
    members.extend(state(task.state, task.trace.as_deref(), worker_id));
    Value::Object(members)
}

fn state(state: ConnectorState, trace: Option<&str>, worker_id: &str) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("state".to_owned(), json!(state.name()));
    members.insert("worker_id".to_owned(), json!(worker_id));
    members.insert("version".to_owned(), json!(PLUGIN_VERSION));
    if let Some(trace) = trace.filter(|trace| !trace.is_empty()) {
        members.insert("trace".to_owned(), json!(trace));
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
