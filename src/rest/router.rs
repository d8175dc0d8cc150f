//! Paths and methods to resources, with Jersey's rules about media types and methods.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use percent_encoding::percent_decode_str;

use super::context::RestContext;
use super::header_rules::HeaderRules;
use super::response::{Failure, Response};
use super::{connectors, lifecycle, plugins, root};
use crate::herder::HerderHandle;

/// A request that the front has checked.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query as they were sent.
    pub(super) target: String,
    pub(super) content_type: Option<String>,
    pub(super) accept: Option<String>,
    pub(super) origin: Option<String>,
    /// `Access-Control-Request-Method` of a preflight.
    pub(super) preflight: bool,
    pub(super) body: Vec<u8>,
}

/// Query parameters, decoded.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let decode = |part: &str| {
            let spaces = part.replace('+', " ");
            percent_decode_str(&spaces).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Java's `Boolean.valueOf`: anything but `true` is false.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        let first = self.all(name).next();
        first.map_or(default, |value| value.eq_ignore_ascii_case("true"))
    }
}

/// A resource by its path.
#[derive(Debug, PartialEq, Eq)]
enum Resource {
    Root,
    Health,
    Connectors,
    Connector(String),
    Config(String),
    Status(String),
    Tasks(String),
    TaskStatus(String, i32),
    TaskRestart(String, i32),
    Restart(String),
    Pause(String),
    Resume(String),
    Stop(String),
    Topics(String),
    TopicsReset(String),
    Offsets(String),
    Plugins,
    PluginConfig(String),
    Validate(String),
    Loggers,
    Logger(String),
}

impl Resource {
    fn find(path: &[String]) -> Option<Self> {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let name = |at: usize| path[at].clone();
        let task = |text: &str| text.parse::<i32>().ok();
        Some(match parts.as_slice() {
            [] => Self::Root,
            ["health"] => Self::Health,
            ["connectors"] => Self::Connectors,
            ["connectors", _] => Self::Connector(name(1)),
            ["connectors", _, "config"] => Self::Config(name(1)),
            ["connectors", _, "status"] => Self::Status(name(1)),
            ["connectors", _, "tasks"] => Self::Tasks(name(1)),
            ["connectors", _, "tasks", id, "status"] => Self::TaskStatus(name(1), task(id)?),
            ["connectors", _, "tasks", id, "restart"] => Self::TaskRestart(name(1), task(id)?),
            ["connectors", _, "restart"] => Self::Restart(name(1)),
            ["connectors", _, "pause"] => Self::Pause(name(1)),
            ["connectors", _, "resume"] => Self::Resume(name(1)),
            ["connectors", _, "stop"] => Self::Stop(name(1)),
            ["connectors", _, "topics"] => Self::Topics(name(1)),
            ["connectors", _, "topics", "reset"] => Self::TopicsReset(name(1)),
            ["connectors", _, "offsets"] => Self::Offsets(name(1)),
            ["connector-plugins"] => Self::Plugins,
            ["connector-plugins", _, "config"] => Self::PluginConfig(name(1)),
            ["connector-plugins", _, "config", "validate"] => Self::Validate(name(1)),
            ["admin", "loggers"] => Self::Loggers,
            ["admin", "loggers", _] => Self::Logger(name(2)),
            _ => return None,
        })
    }

    fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Root
            | Self::Health
            | Self::Status(_)
            | Self::Tasks(_)
            | Self::TaskStatus(..)
            | Self::Topics(_)
            | Self::Plugins
            | Self::Loggers
            | Self::PluginConfig(_) => &["HEAD", "GET", "OPTIONS"],
            Self::Connectors => &["HEAD", "POST", "GET", "OPTIONS"],
            Self::Connector(_) => &["HEAD", "DELETE", "GET", "OPTIONS"],
            Self::Config(_) => &["HEAD", "GET", "OPTIONS", "PUT", "PATCH"],
            Self::Offsets(_) => &["HEAD", "DELETE", "GET", "OPTIONS", "PATCH"],
            Self::Logger(_) => &["HEAD", "GET", "OPTIONS", "PUT"],
            Self::TaskRestart(..) | Self::Restart(_) => &["POST", "OPTIONS"],
            Self::Pause(_)
            | Self::Resume(_)
            | Self::Stop(_)
            | Self::TopicsReset(_)
            | Self::Validate(_) => &["OPTIONS", "PUT"],
        }
    }
}

/// Answers requests. One for all handler threads.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) herder: HerderHandle,
    pub(super) context: Arc<RestContext>,
    /// `host:port` of the advertised URL.
    pub(super) worker_id: String,
    /// The advertised URL without a slash at its end.
    pub(super) base_url: String,
    pub(super) cors: Cors,
    pub(super) headers: HeaderRules,
    /// Requests that wait for the cluster's id.
    pub(super) waiting: AtomicUsize,
}

/// `access.control.allow.origin` and `access.control.allow.methods`.
#[derive(Debug, Default)]
pub(super) struct Cors {
    pub(super) origins: String,
    pub(super) methods: String,
}

impl Cors {
    fn allows(&self, origin: &str) -> bool {
        let mut allowed = self.origins.split(',').map(str::trim);
        allowed.any(|known| known == "*" || known.eq_ignore_ascii_case(origin))
    }
}

impl Router {
    /// Answers one request. Never panics over what a request holds.
    pub(super) fn answer(&self, request: &Request) -> Response {
        let allowed = request
            .origin
            .as_deref()
            .filter(|origin| self.cors.allows(origin));
        let is_preflight = request.preflight && request.method == "OPTIONS";
        let mut response = match allowed.filter(|_| is_preflight) {
            Some(_) => self.preflight(),
            None => self.dispatch(request).unwrap_or_else(Response::from),
        };
        self.headers.apply(&mut response.headers);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let response = response.with_header("X-Ringmain-Version", version);
        match allowed {
            Some(origin) => response.with_header("Access-Control-Allow-Origin", origin.to_owned()),
            None => response,
        }
    }

    fn preflight(&self) -> Response {
        let methods = if self.cors.methods.is_empty() {
            "GET,POST,HEAD"
        } else {
            &self.cors.methods
        };
        Response::empty(200).with_header("Access-Control-Allow-Methods", methods.to_owned())
    }

    fn dispatch(&self, request: &Request) -> Result<Response, Failure> {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let path = segments(path)?;
        let resource = Resource::find(&path).ok_or_else(|| Failure::http(404))?;
        let methods = resource.methods();
        let method = request.method.as_str();
        if !methods.contains(&method) {
            let allow = methods.join(",");
            return Ok(Response::from(Failure::http(405)).with_header("Allow", allow));
        }
        if method == "OPTIONS" {
            return Ok(options(methods));
        }
        check_media_types(request)?;
        // The front leaves the body of an answer to HEAD away.
        let method = if method == "HEAD" { "GET" } else { method };
        self.resource(&resource, method, &Query::parse(query), &request.body)
    }

    fn resource(
        &self,
        resource: &Resource,
        method: &str,
        query: &Query,
        body: &[u8],
    ) -> Result<Response, Failure> {
        match (resource, method) {
            (Resource::Root, _) => Ok(root::root(self)),
            (Resource::Health, _) => Ok(root::health(self)),
            (Resource::Connectors, "POST") => connectors::create(self, body),
            (Resource::Connectors, _) => connectors::list(self, query),
            (Resource::Connector(name), "DELETE") => connectors::delete(self, name),
            (Resource::Connector(name), _) => connectors::info(self, name),
            (Resource::Config(name), "PUT") => connectors::put_config(self, name, body),
            (Resource::Config(name), "PATCH") => connectors::patch_config(self, name, body),
            (Resource::Config(name), _) => connectors::config(self, name),
            (Resource::Status(name), _) => connectors::status(self, name),
            (Resource::Tasks(name), _) => connectors::tasks(self, name),
            (Resource::TaskStatus(name, task), _) => connectors::task_status(self, name, *task),
            (Resource::TaskRestart(name, task), _) => lifecycle::restart_task(self, name, *task),
            (Resource::Restart(name), _) => lifecycle::restart(self, name, query),
            (Resource::Pause(name), _) => lifecycle::pause(self, name),
            (Resource::Resume(name), _) => lifecycle::resume(self, name),
            (Resource::Stop(name), _) => lifecycle::stop(self, name),
            (Resource::Plugins, _) => Ok(plugins::list(self, query)),
            (Resource::PluginConfig(name), _) => plugins::config(self, name),
            (Resource::Validate(name), _) => plugins::validate(self, name, body),
            (Resource::Topics(_) | Resource::TopicsReset(_), _) => Err(not_yet("topic tracking")),
            (Resource::Offsets(_), _) => Err(not_yet("reading and changing offsets")),
            (Resource::Loggers | Resource::Logger(_), _) => Err(not_yet("changing log levels")),
        }
    }
}

fn not_yet(what: &str) -> Failure {
    let version = env!("CARGO_PKG_VERSION");
    Failure::new(404, format!("ringmain {version} does not offer {what} yet"))
}

/// The decoded parts of a path; a slash at its end counts for nothing. `%2F` is part of a name.
fn segments(path: &str) -> Result<Vec<String>, Failure> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/').map(decode_segment).collect()
}

fn decode_segment(segment: &str) -> Result<String, Failure> {
    let bad = |what: &str| Failure::new(400, format!("HTTP 400 Bad Request: {what}"));
    if segment.is_empty() {
        return Err(bad("Ambiguous URI empty segment"));
    }
    let bytes = segment.as_bytes();
    for (at, _) in segment.match_indices('%') {
        let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(bad("Bad percent-encoding in the URI"));
        }
    }
    let decoded = percent_decode_str(segment).decode_utf8();
    Ok(decoded
        .map_err(|_| bad("the URI is not UTF-8"))?
        .into_owned())
}

fn options(methods: &[&str]) -> Response {
    let mut response = Response::empty(200).with_header("Allow", methods.join(","));
    response.content_type = "text/plain";
    response.body = methods.join(", ").into_bytes();
    response
}

/// Only JSON comes in and goes out.
fn check_media_types(request: &Request) -> Result<(), Failure> {
    let essence = |text: &str| {
        let essence = text.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    };
    let sent = request.content_type.as_deref().map(essence);
    let json = sent.as_deref() == Some("application/json");
    if !json && (sent.is_some() || !request.body.is_empty()) {
        return Err(Failure::http(415));
    }
    let accepts = |accept: &str| {
        accept.trim().is_empty()
            || accept
                .split(',')
                .map(essence)
                .any(|media| matches!(media.as_str(), "application/json" | "application/*" | "*/*"))
    };
    if request
        .accept
        .as_deref()
        .is_some_and(|accept| !accepts(accept))
    {
        return Err(Failure::http(406));
    }
    Ok(())
}
