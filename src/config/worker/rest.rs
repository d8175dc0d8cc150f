//! Settings of the REST API (contract 2.1, 2.4): where it listens, and who may get in.

use std::path::PathBuf;

use crate::api::config_def::{ConfigProblem, ParsedConfig, with_prefix};
use crate::api::{ConfigMap, ConnectError};
use crate::tls;

/// The one REST extension that is built in, under the class name of Apache's.
pub const BASIC_AUTH_EXTENSION: &str =
    "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";

/// An address that the REST API listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// HTTPS rather than HTTP.
    pub https: bool,
    /// Host name or address without brackets; `None` for all addresses.
    pub host: Option<String>,
    /// Port; 0 lets the system choose.
    pub port: u16,
}

impl Listener {
    /// Reads `http://host:port`, `https://[v6]:port` or `http://:port`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = |reason: &str| format!("'{text}' {reason}; a listener reads http://host:port");
        let (scheme, address) = text.split_once("://").ok_or_else(|| bad("has no scheme"))?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(bad("is neither http nor https")),
        };
        let address = address.trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').ok_or_else(|| bad("has no port"))?;
        let port = port.parse().map_err(|_| bad("has no valid port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = (!host.is_empty()).then(|| host.to_owned());
        Ok(Self { https, host, port })
    }
}

/// Settings of the REST API (contract 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestConfig {
    /// `listeners`; `None` when a standalone worker's file does not set it. A distributed worker has
    /// Kafka's default, all addresses, since others must reach it.
    pub listeners: Option<Vec<Listener>>,
    /// `admin.listeners`: `None` with the REST API, empty nowhere.
    pub admin_listeners: Option<Vec<Listener>>,
    /// `rest.advertised.host.name`.
    pub advertised_host: Option<String>,
    /// `rest.advertised.port`.
    pub advertised_port: Option<u16>,
    /// `rest.advertised.listener`: `http` or `https`.
    pub advertised_listener: Option<String>,
    /// `access.control.allow.origin`.
    pub allow_origin: String,
    /// `access.control.allow.methods`.
    pub allow_methods: String,
    /// `response.http.headers.config`.
    pub response_headers: String,
    /// Whether `rest.extension.classes` names Apache's BasicAuth extension.
    pub basic_auth: bool,
    /// `rest.basic.auth.jaas.file`, in place of Java's `java.security.auth.login.config`.
    pub jaas_file: Option<PathBuf>,
    /// `rest.bearer.token.file`.
    pub bearer_token_file: Option<PathBuf>,
    /// TLS of HTTPS addresses in `listeners`; `None` without any.
    pub https: Option<HttpsConfig>,
    /// TLS of HTTPS addresses in `admin.listeners`; `None` without any.
    pub admin_https: Option<HttpsConfig>,
}

/// What HTTPS listeners are to show and to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsConfig {
    /// Before the keys of `settings`: `listeners.https.`, or nothing.
    pub prefix: &'static str,
    /// The settings.
    pub settings: tls::Settings,
}

impl HttpsConfig {
    /// If any key has the prefix, all settings have it; otherwise they are the worker's own `ssl.*` (Kafka:
    /// `AbstractConfig.valuesWithPrefixAllOrNothing`).
    fn parse(config: &ConfigMap, prefix: &'static str) -> Result<Self, ConfigProblem> {
        let prefixed = with_prefix(config, prefix);
        let (prefix, keys) = match prefixed.is_empty() {
            true => ("", config),
            false => (prefix, &prefixed),
        };
        let settings = tls::Settings::parse(keys).map_err(|problem| {
            let message = match prefix {
                "" => problem.message,
                prefix => format!("{prefix}: {}", problem.message),
            };
            ConfigProblem::new(format!("{prefix}{}", problem.key), message)
        })?;
        Ok(Self { prefix, settings })
    }

    /// What a worker shows to others whose URLs are `https`, and whom of them it trusts: the keys of its own HTTPS
    /// listeners (Kafka: `SSLUtils.createClientSideSslContextFactory`). `worker` holds all keys of its file.
    ///
    /// # Errors
    /// Names the key and what is wrong with its value.
    pub fn of_peers(worker: &ConfigMap) -> Result<Self, ConfigProblem> {
        Self::parse(worker, LISTENERS_HTTPS)
    }
}

/// Before the TLS settings of HTTPS addresses in `listeners`, and of requests to other workers.
const LISTENERS_HTTPS: &str = "listeners.https.";
/// Prefixes of the TLS settings of HTTPS addresses in each list of listeners.
const HTTPS_PREFIXES: [(&str, &str); 2] = [
    ("listeners", LISTENERS_HTTPS),
    ("admin.listeners", "admin.listeners.https."),
];

/// The settings of the HTTPS addresses that a list of listeners has.
fn https(
    config: &ConfigMap,
    listeners: &str,
    prefix: &'static str,
) -> Result<Option<HttpsConfig>, ConfigProblem> {
    let list = config.get(listeners).and_then(Option::as_deref);
    let parsed = entries(list).filter_map(|entry| Listener::parse(entry).ok());
    let any = parsed.into_iter().any(|listener| listener.https);
    any.then(|| HttpsConfig::parse(config, prefix)).transpose()
}

/// The settings that a worker's keys ask for.
pub(super) fn parse(parsed: &ParsedConfig, distributed: bool) -> Result<RestConfig, ConnectError> {
    let owned = |key: &str| {
        let text = parsed.opt_str(key)?.filter(|text| !text.is_empty());
        Ok::<_, ConnectError>(text.map(str::to_owned))
    };
    let listeners = |key: &str| {
        let counts = distributed || parsed.is_set(key);
        let set = parsed.opt_list(key)?.filter(|_| counts);
        let listeners =
            set.map(|entries| entries.iter().map(|entry| Listener::parse(entry)).collect());
        listeners
            .transpose()
            .map_err(|reason: String| ConnectError::config(format!("{key}: {reason}")))
    };
    let of_https = |(listeners, prefix)| {
        https(parsed.originals(), listeners, prefix)
            .map_err(|problem| ConnectError::config(problem.message))
    };
    Ok(RestConfig {
        listeners: listeners("listeners")?,
        admin_listeners: listeners("admin.listeners")?,
        advertised_host: owned("rest.advertised.host.name")?,
        advertised_port: parsed
            .opt_int("rest.advertised.port")?
            .and_then(|port| u16::try_from(port).ok()),
        advertised_listener: owned("rest.advertised.listener")?
            .map(|scheme| scheme.to_ascii_lowercase()),
        allow_origin: parsed.str("access.control.allow.origin")?.to_owned(),
        allow_methods: parsed.str("access.control.allow.methods")?.to_owned(),
        response_headers: parsed.str("response.http.headers.config")?.to_owned(),
        basic_auth: !parsed.list("rest.extension.classes")?.is_empty(),
        jaas_file: owned("rest.basic.auth.jaas.file")?.map(PathBuf::from),
        bearer_token_file: owned("rest.bearer.token.file")?.map(PathBuf::from),
        https: of_https(HTTPS_PREFIXES[0])?,
        admin_https: of_https(HTTPS_PREFIXES[1])?,
    })
}

/// What the definitions of single keys do not see.
pub(super) fn problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let text = |key: &str| {
        let text = config.get(key).and_then(Option::as_deref).map(str::trim);
        text.filter(|text| !text.is_empty())
    };
    let mut problems = Vec::new();
    for class in entries(text("rest.extension.classes")) {
        if !is_basic_auth(class) {
            let reason = format!(
                "REST extensions are Java classes, which cannot run here, and the API would be \
                 unguarded; there is {BASIC_AUTH_EXTENSION}, and rest.bearer.token.file"
            );
            problems.push(ConfigProblem::invalid(
                "rest.extension.classes",
                class,
                &reason,
            ));
        }
    }
    for entry in entries(text("admin.listeners")) {
        if let Err(reason) = Listener::parse(entry) {
            let message = format!("admin.listeners: {reason}");
            problems.push(ConfigProblem::new("admin.listeners", message));
        }
    }
    for (listeners, prefix) in HTTPS_PREFIXES {
        problems.extend(https(config, listeners, prefix).err());
    }
    let schemes = ["http", "https"];
    let listener = "rest.advertised.listener";
    if let Some(scheme) = text(listener)
        && !schemes
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        let reason = "String must be one of: http, https";
        problems.push(ConfigProblem::invalid(listener, scheme, reason));
    }
    let port = "rest.advertised.port";
    if let Some(number) = text(port).and_then(|number| number.parse::<i32>().ok())
        && u16::try_from(number).is_err()
    {
        let reason = "a port is between 0 and 65535";
        problems.push(ConfigProblem::invalid(port, &number.to_string(), reason));
    }
    if text("rest.basic.auth.jaas.file").is_some() && text("rest.extension.classes").is_none() {
        let message = format!(
            "rest.basic.auth.jaas.file is set, and nothing reads it: the API would be unguarded; \
             set rest.extension.classes={BASIC_AUTH_EXTENSION} as well"
        );
        problems.push(ConfigProblem::new("rest.basic.auth.jaas.file", message));
    }
    problems
}

fn entries(list: Option<&str>) -> impl Iterator<Item = &str> {
    let entries = list.unwrap_or_default().split(',').map(str::trim);
    entries.filter(|entry| !entry.is_empty())
}

/// By its full name or, as Connect's aliases, by its simple one.
fn is_basic_auth(class: &str) -> bool {
    let simple = BASIC_AUTH_EXTENSION.rsplit('.').next();
    class == BASIC_AUTH_EXTENSION || Some(class) == simple
}
