//! `/connector-plugins`.

use serde_json::{Value, json};

use super::connectors::{no_config, validation};
use super::response::{Failure, Response};
use super::router::{Query, Router};
use super::{entities, json_body};
use crate::api::config_def::ConfigDef;
use crate::config::connector::connector_def;
use crate::herder::validation::ValidationError;
use crate::plugins::PLUGIN_VERSION;

/// Sinks, sources, transformations, predicates, converters, header converters; each by class name.
pub(super) fn list(router: &Router, query: &Query) -> Response {
    let plugins = &router.context.shared.plugins;
    let entry = |class: &str, kind: &str, version: &str| json!({"class": class, "type": kind, "version": version});
    let connectors = plugins.connectors();
    let mut all: Vec<Value> = connectors
        .iter()
        .map(|plugin| entry(plugin.class, plugin.kind().name(), plugin.version))
        .collect();
    if !query.flag("connectorsOnly", true) {
        let transformations = plugins.transformations().iter();
        all.extend(
            transformations.map(|plugin| entry(plugin.class, "transformation", PLUGIN_VERSION)),
        );
        let predicates = plugins.predicates().iter();
        all.extend(predicates.map(|plugin| entry(plugin.class, "predicate", PLUGIN_VERSION)));
        let converters = plugins.converters();
        let both = converters.iter().filter(|plugin| plugin.fits(false));
        all.extend(both.map(|plugin| entry(plugin.class, "converter", PLUGIN_VERSION)));
        let headers = converters.iter().filter(|plugin| plugin.fits(true));
        all.extend(headers.map(|plugin| entry(plugin.class, "header_converter", PLUGIN_VERSION)));
    }
    Response::json(200, &Value::Array(all))
}

/// A plugin's own keys; a connector's are followed by the common ones that it does not define.
pub(super) fn config(router: &Router, name: &str) -> Result<Response, Failure> {
    let plugins = &router.context.shared.plugins;
    let def = if let Ok(plugin) = plugins.connector(name) {
        let common = connector_def(plugin.kind());
        let common = common.keys().cloned().map(|key| {
            if key.name == "connector.plugin.version" {
                return key.default(plugin.version);
            }
            key
        });
        (plugin.config_def)().extend(&common.fold(ConfigDef::new(), ConfigDef::define))
    } else if let Some(plugin) = plugins.transformation_plugin(name) {
        (plugin.config_def)()
    } else if let Some(plugin) = plugins.predicate_plugin(name) {
        (plugin.config_def)()
    } else {
        let mut converters = plugins.converters().iter();
        let found =
            converters.find(|plugin| plugin.class == name || plugin.aliases.contains(&name));
        let found = found.ok_or_else(|| Failure::new(404, format!("Unknown plugin {name}.")))?;
        (found.config_def)()
    };
    let keys: Vec<Value> = def.keys().map(entities::key_info).collect();
    Ok(Response::json(200, &Value::Array(keys)))
}

/// 200 even with errors; a class that is missing or unknown is Apache's 500.
pub(super) fn validate(router: &Router, name: &str, body: &[u8]) -> Result<Response, Failure> {
    let config = json_body::config_map(body).map_err(|text| Failure::new(500, text))?;
    let config = config.ok_or_else(no_config)?;
    if let Some(Some(class)) = config.get("connector.class") {
        let class = class.trim();
        if !strip(class).ends_with(strip(name)) {
            let message =
                format!("Included connector type {class} does not match request type {name}");
            return Err(Failure::new(400, message));
        }
    }
    let infos = validation(router).validate(&config).map_err(|error| {
        let wrapper = match &error {
            ValidationError::NoClass { .. } | ValidationError::UnknownClass(_) => {
                "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: "
            }
            ValidationError::Reference(_) => "",
        };
        Failure::new(500, format!("{wrapper}{error}"))
    })?;
    Ok(Response::json(200, &entities::config_infos(&infos)))
}

fn strip(class: &str) -> &str {
    class.strip_suffix("Connector").unwrap_or(class)
}
