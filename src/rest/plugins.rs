//! `/connector-plugins`.

use serde_json::{Value, json};

use super::connectors::no_config;
use super::response::{Failure, Response};
use super::router::{Query, Router};
use super::{entities, json_body};
use crate::api::ConfigMap;
use crate::api::config_def::ConfigDef;
use crate::config::VersionRange;
use crate::config::connector::connector_def;
use crate::herder::validation::{Unvalidated, ValidationError};
use crate::plugins::{PLUGIN_VERSION, Plugins};

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
pub(super) fn config(router: &Router, name: &str, query: &Query) -> Result<Response, Failure> {
    let version = query.all("version").next().unwrap_or("latest");
    let range = VersionRange::requirement(version)
        .map_err(|_| Failure::new(400, format!("Invalid version specification: {version}")))?;
    let plugins = &router.context.shared.plugins;
    let found =
        find(plugins, name).ok_or_else(|| Failure::new(404, format!("Unknown plugin {name}.")))?;
    if let Some(range) = range.filter(|range| !range.contains(found.version)) {
        let available = vec![found.version; found.kinds].join(", ");
        let class = found.class;
        return Err(Failure::new(
            400,
            format!(
                "Plugin {class} not found that matches the version range {range}, available versions: \
                 [{available}]"
            ),
        ));
    }
    let keys: Vec<Value> = found.def.keys().map(entities::key_info).collect();
    Ok(Response::json(200, &Value::Array(keys)))
}

/// A plugin of any type.
struct Found {
    class: &'static str,
    version: &'static str,
    /// How many types of plugin it is.
    kinds: usize,
    def: ConfigDef,
}

fn find(plugins: &Plugins, name: &str) -> Option<Found> {
    let of = |class, def| Found {
        class,
        version: PLUGIN_VERSION,
        kinds: 1,
        def,
    };
    if let Ok(plugin) = plugins.connector(name) {
        let common = connector_def(plugin.kind());
        let common = common.keys().cloned().map(|key| {
            if key.name == "connector.plugin.version" {
                return key.default(plugin.version);
            }
            key
        });
        let common = common.fold(ConfigDef::new(), ConfigDef::define);
        return Some(Found {
            version: plugin.version,
            ..of(plugin.class, (plugin.config_def)().extend(&common))
        });
    }
    if let Some(plugin) = plugins.transformation_plugin(name) {
        return Some(of(plugin.class, (plugin.config_def)()));
    }
    if let Some(plugin) = plugins.predicate_plugin(name) {
        return Some(of(plugin.class, (plugin.config_def)()));
    }
    let mut converters = plugins.converters().iter();
    let plugin =
        converters.find(|plugin| plugin.class == name || plugin.aliases.contains(&name))?;
    let kinds = [true, false]
        .into_iter()
        .filter(|headers| plugin.fits(*headers));
    Some(Found {
        kinds: kinds.count(),
        ..of(plugin.class, (plugin.config_def)())
    })
}

/// 200 even with errors; a class that is missing or unknown is Apache's 500.
pub(super) fn validate(router: &Router, name: &str, body: &[u8]) -> Result<Response, Failure> {
    let config = json_body::config_map(body).map_err(|text| Failure::new(500, text))?;
    let config = config.ok_or_else(no_config)?;
    checked_class(&config, name)?;
    let limit = router.herder.limits().request;
    let infos = router.validator.validate(&config, limit).map_err(refused)?;
    Ok(Response::json(200, &entities::config_infos(&infos)))
}

/// Kafka's texts of this call: a wrapped exception, and a stage without a full stop.
fn refused(error: Unvalidated) -> Failure {
    let text = match &error {
        Unvalidated::Impossible(
            ValidationError::NoClass { .. } | ValidationError::UnknownClass(_),
        ) => {
            format!("org.apache.kafka.connect.runtime.rest.errors.BadRequestException: {error}")
        }
        Unvalidated::Timeout(Some(stage)) => format!("{error}. {}", stage.summary()),
        _ => error.to_string(),
    };
    Failure::new(500, text)
}

/// The class in a configuration has to be the one in the path.
pub(super) fn checked_class(config: &ConfigMap, name: &str) -> Result<(), Failure> {
    let class = config.get("connector.class").and_then(Option::as_deref);
    match class.map(str::trim) {
        Some(class) if !strip(class).ends_with(strip(name)) => {
            let message =
                format!("Included connector type {class} does not match request type {name}");
            Err(Failure::new(400, message))
        }
        _ => Ok(()),
    }
}

fn strip(class: &str) -> &str {
    class.strip_suffix("Connector").unwrap_or(class)
}
