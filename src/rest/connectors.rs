//! `/connectors`: list, create, read, change, delete, status, tasks.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::response::{Failure, Response};
use super::router::{Query, Router};
use super::{entities, json_body, metrics, stalls};
use crate::api::ConfigMap;
use crate::herder::{HerderError, InitialState};

/// What stays as it is in the path of a `Location`.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

pub(super) fn list(router: &Router, query: &Query) -> Result<Response, Failure> {
    let names = router.herder.connectors()?;
    let expand: Vec<&str> = query.all("expand").collect();
    if expand.is_empty() {
        return Ok(Response::json(200, &json!(names)));
    }
    // Read once for all of them.
    let measured = match expand.contains(&"metrics") {
        true => metrics::of_connectors(router)?,
        false => Map::new(),
    };
    let mut all = Map::new();
    'connectors: for name in names {
        let mut members = Map::new();
        for what in &expand {
            let found = match *what {
                "status" => {
                    let status = router.herder.status(&name);
                    status.map(|status| entities::state_info(&status, &router.worker_id))
                }
                "info" => router.herder.info(&name).map(|info| entities::info(&info)),
                // Of Ringmain alone.
                "metrics" => {
                    let found = measured.get(&name).cloned();
                    found.ok_or_else(|| HerderError::NotFound(name.clone()))
                }
                unknown => {
                    tracing::info!(expand = unknown, "Ignoring unknown expansion type");
                    continue;
                }
            };
            // Deleted meanwhile.
            let Ok(found) = found else {
                continue 'connectors;
            };
            members.insert((*what).to_owned(), found);
        }
        all.insert(name, Value::Object(members));
    }
    Ok(Response::json(200, &Value::Object(all)))
}

pub(super) fn create(router: &Router, body: &[u8]) -> Result<Response, Failure> {
    let request = json_body::create_request(body).map_err(|text| Failure::new(500, text))?;
    let request = request.ok_or_else(|| {
        null_pointer(
            "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.name()",
            "createRequest",
        )
    })?;
    let name = request.name.unwrap_or_default().trim().to_owned();
    let mut config = request.config.ok_or_else(no_config)?;
    name_in_config(&name, &mut config)?;
    let state = match request.initial_state.as_deref() {
        Some("PAUSED") => InitialState::Paused,
        Some("STOPPED") => InitialState::Stopped,
        _ => InitialState::Running,
    };
    validate(router, &config)?;
    let info = router.herder.create(&name, config, state)?;
    Ok(created(router, &name, &entities::info(&info)))
}

pub(super) fn put_config(router: &Router, name: &str, body: &[u8]) -> Result<Response, Failure> {
    let config = json_body::config_map(body).map_err(|text| Failure::new(500, text))?;
    let mut config = config.ok_or_else(no_config)?;
    name_in_config(name, &mut config)?;
    change(router, name, config)
}

/// Lays the body over the stored configuration; null takes a key away.
pub(super) fn patch_config(router: &Router, name: &str, body: &[u8]) -> Result<Response, Failure> {
    let patch = json_body::config_map(body).map_err(|text| Failure::new(500, text))?;
    let mut config = router.herder.info(name)?.config;
    let no_patch = || {
        null_pointer(
            "java.util.Map.forEach(java.util.function.BiConsumer)",
            "patch",
        )
    };
    for (key, value) in patch.ok_or_else(no_patch)? {
        match value {
            None => {
                config.shift_remove(&key);
            }
            Some(text) => {
                config.insert(key, Some(text));
            }
        }
    }
    name_in_config(name, &mut config)?;
    change(router, name, config)
}

fn change(router: &Router, name: &str, config: ConfigMap) -> Result<Response, Failure> {
    validate(router, &config)?;
    let (is_new, info) = router.herder.put_config(name, config)?;
    let info = entities::info(&info);
    if is_new {
        return Ok(created(router, name, &info));
    }
    Ok(Response::json(200, &info))
}

fn created(router: &Router, name: &str, info: &Value) -> Response {
    Response::json(201, info).with_header("Location", location(router, name))
}

/// Where a connector is found at this worker.
pub(super) fn location(router: &Router, name: &str) -> String {
    let name = utf8_percent_encode(name, PATH);
    format!("{}/connectors/{name}", router.base_url)
}

/// Fills the name in, or refuses another one.
fn name_in_config(name: &str, config: &mut ConfigMap) -> Result<(), Failure> {
    match config.get("name") {
        None | Some(None) => {
            config.insert("name".to_owned(), Some(name.to_owned()));
            Ok(())
        }
        Some(Some(other)) if other == name => Ok(()),
        Some(Some(other)) => {
            let message = format!(
                "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
            );
            Err(Failure::new(400, message))
        }
    }
}

pub(super) fn validate(router: &Router, config: &ConfigMap) -> Result<(), Failure> {
    let infos = router
        .validator
        .validate(config, router.herder.limits().request)?;
    if infos.error_count() > 0 {
        return Err(Failure::new(400, infos.to_string()));
    }
    Ok(())
}

pub(super) fn no_config() -> Failure {
    null_pointer("java.util.Map.get(Object)", "connectorConfig")
}

/// What Apache answers when a body or its config is null.
pub(super) fn null_pointer(call: &str, variable: &str) -> Failure {
    let message = format!("Cannot invoke \"{call}\" because \"{variable}\" is null");
    Failure::new(500, message)
}

pub(super) fn info(router: &Router, name: &str) -> Result<Response, Failure> {
    let info = router.herder.info(name)?;
    Ok(Response::json(200, &entities::info(&info)))
}

pub(super) fn config(router: &Router, name: &str) -> Result<Response, Failure> {
    let info = router.herder.info(name)?;
    Ok(Response::json(200, &json!(info.config)))
}

pub(super) fn delete(router: &Router, name: &str) -> Result<Response, Failure> {
    router.herder.delete(name)?;
    Ok(Response::empty(204))
}

pub(super) fn status(router: &Router, name: &str) -> Result<Response, Failure> {
    let status = router.herder.status(name)?;
    let mut status = entities::state_info(&status, &router.worker_id);
    stalls::in_status(router, name, &mut status);
    Ok(Response::json(200, &status))
}

pub(super) fn tasks(router: &Router, name: &str) -> Result<Response, Failure> {
    let tasks = router.herder.tasks(name)?;
    let tasks: Vec<Value> = tasks.iter().map(entities::task_info).collect();
    Ok(Response::json(200, &Value::Array(tasks)))
}

pub(super) fn task_status(router: &Router, name: &str, task: i32) -> Result<Response, Failure> {
    let none = || Failure::new(404, format!("No status found for task {name}-{task}"));
    let task = u32::try_from(task).map_err(|_| none())?;
    let state = router.herder.task_status(name, task)?;
    let mut status = entities::task_state(&state, &router.worker_id);
    stalls::in_task_status(router, name, task, &mut status);
    Ok(Response::json(200, &status))
}
