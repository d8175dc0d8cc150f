//! Paths and methods to resources, with Jersey's rules about media types and methods.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use percent_encoding::percent_decode_str;

use super::auth::{Authorization, Guard};
use super::context::RestContext;
use super::cors::Cors;
use super::header_rules::HeaderRules;
use super::response::{Failure, JSON, Response};
use super::{
    connectors, forward, internal, lifecycle, loggers, metrics, offsets, plugins, preview, root,
    topics, ui,
};
use crate::herder::HerderHandle;
use crate::herder::validation::Validator;

/// Which listeners a request came over.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    /// Those of `listeners`.
    #[default]
    Main,
    /// Those of `admin.listeners`.
    Admin,
}

/// Where `/admin/…` is, by `admin.listeners` (Kafka: `RestServer.initializeResources`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdminPlace {
    /// Not set: beside everything else.
    Main,
    /// On listeners of its own, which have nothing else.
    Own,
    /// Empty: nowhere.
    Nowhere,
}

impl AdminPlace {
    fn serves(self, surface: Surface, is_admin: bool) -> bool {
        match (self, surface) {
            (_, Surface::Admin) => is_admin,
            (Self::Main, Surface::Main) => true,
            (Self::Own | Self::Nowhere, Surface::Main) => !is_admin,
        }
    }
}

/// A request that the front has checked.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) surface: Surface,
    pub(super) method: String,
    /// Path and query as they were sent.
    pub(super) target: String,
    pub(super) content_type: Option<String>,
    pub(super) accept: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) authorization: Option<Authorization>,
    pub(super) signed: Signed,
    /// `Access-Control-Request-Method` of a preflight.
    pub(super) preflight: bool,
    /// A browser sent it for a page of another site (`Sec-Fetch-Site`).
    pub(super) cross_site: bool,
    pub(super) body: Vec<u8>,
}

/// The two headers of a signed request between workers, as they came.
#[derive(Default, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) algorithm: Option<String>,
    pub(super) signature: Option<String>,
}

impl fmt::Debug for Signed {
    /// Without the signature, which would let anybody send the request again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Query parameters, decoded.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
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
    Metrics,
    ConnectorMetrics(String),
    Connectors,
    Connector(String),
    Config(String),
    Status(String),
    Tasks(String),
    Fence(String),
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
    Preview(String),
    Loggers,
    Logger(String),
    Ui,
}

impl Resource {
    fn find(path: &[String]) -> Option<Self> {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let name = |at: usize| path[at].clone();
        let task = |text: &str| text.parse::<i32>().ok();
        Some(match parts.as_slice() {
            [] => Self::Root,
            ["health"] => Self::Health,
            ["metrics"] => Self::Metrics,
            ["connectors", _, "metrics"] => Self::ConnectorMetrics(name(1)),
            ["connectors"] => Self::Connectors,
            ["connectors", _] => Self::Connector(name(1)),
            ["connectors", _, "config"] => Self::Config(name(1)),
            ["connectors", _, "status"] => Self::Status(name(1)),
            ["connectors", _, "tasks"] => Self::Tasks(name(1)),
            ["connectors", _, "fence"] => Self::Fence(name(1)),
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
            ["connector-plugins", _, "preview"] => Self::Preview(name(1)),
            ["admin", "loggers"] => Self::Loggers,
            ["admin", "loggers", _] => Self::Logger(name(2)),
            ["ui"] => Self::Ui,
            _ => return None,
        })
    }

    /// What its answers are.
    fn media_type(&self) -> &'static str {
        match self {
            Self::Ui => "text/html",
            _ => JSON,
        }
    }

    fn is_admin(&self) -> bool {
        matches!(self, Self::Loggers | Self::Logger(_))
    }

    fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Root
            | Self::Health
            | Self::Metrics
            | Self::ConnectorMetrics(_)
            | Self::Status(_)
            | Self::TaskStatus(..)
            | Self::Topics(_)
            | Self::Plugins
            | Self::Loggers
            | Self::Ui
            | Self::PluginConfig(_) => &["HEAD", "GET", "OPTIONS"],
            Self::Connectors | Self::Tasks(_) => &["HEAD", "POST", "GET", "OPTIONS"],
            Self::Connector(_) => &["HEAD", "DELETE", "GET", "OPTIONS"],
            Self::Config(_) => &["HEAD", "GET", "OPTIONS", "PUT", "PATCH"],
            Self::Offsets(_) => &["HEAD", "DELETE", "GET", "OPTIONS", "PATCH"],
            Self::Logger(_) => &["HEAD", "GET", "OPTIONS", "PUT"],
            Self::TaskRestart(..) | Self::Restart(_) => &["POST", "OPTIONS"],
            Self::Pause(_)
            | Self::Resume(_)
            | Self::Stop(_)
            | Self::Fence(_)
            | Self::TopicsReset(_)
            | Self::Preview(_)
            | Self::Validate(_) => &["OPTIONS", "PUT"],
        }
    }
}

/// Answers requests. One for all handler threads.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) herder: HerderHandle,
    pub(super) context: Arc<RestContext>,
    pub(super) validator: Arc<Validator>,
    /// `host:port` of the advertised URL.
    pub(super) worker_id: String,
    /// The advertised URL without a slash at its end.
    pub(super) base_url: String,
    /// Only with `access.control.allow.origin`.
    pub(super) cors: Option<Cors>,
    pub(super) headers: HeaderRules,
    pub(super) guard: Guard,
    pub(super) admin: AdminPlace,
    /// Requests that wait for the cluster's id.
    pub(super) waiting: AtomicUsize,
    /// A preview is running.
    pub(super) previewing: AtomicBool,
}

impl Router {
    /// Answers one request. Never panics over what a request holds.
    pub(super) fn answer(&self, request: &Request) -> Response {
        let mut response = self.dispatch(request).unwrap_or_else(Response::from);
        // As in Kafka, neither is for the listeners of the admin API alone.
        if request.surface == Surface::Main {
            self.headers.apply(&mut response.headers);
            if let Some(cors) = &self.cors {
                cors.apply(request, &mut response.headers);
            }
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        response.with_header("X-Ringmain-Version", version)
    }

    fn dispatch(&self, request: &Request) -> Result<Response, Failure> {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let path = segments(path)?;
        let serves = |resource: &Resource| self.admin.serves(request.surface, resource.is_admin());
        let resource = Resource::find(&path).filter(serves);
        let resource = resource.ok_or_else(|| Failure::http(404))?;
        let methods = resource.methods();
        let method = request.method.as_str();
        if !methods.contains(&method) {
            let allow = methods.join(",");
            return Ok(Response::from(Failure::http(405)).with_header("Allow", allow));
        }
        // Prometheus asks for its own formats, and takes the text.
        if method != "OPTIONS" && resource != Resource::Metrics {
            check_media_types(request, resource.media_type())?;
        }
        if request.cross_site && !matches!(method, "GET" | "HEAD" | "OPTIONS") {
            self.check_site(request)?;
        }
        let authorization = request.authorization.as_ref();
        if let Some(refusal) = self.guard.refusal(authorization, method, &path) {
            return Ok(refusal);
        }
        if method == "OPTIONS" {
            return Ok(options(methods));
        }
        // The front leaves the body of an answer to HEAD away.
        let method = if method == "HEAD" { "GET" } else { method };
        let query = Query::parse(query);
        let done = self.resource(&resource, method, &query, request);
        let looked = forward::Looked {
            request,
            method,
            path: &path,
            query: &query,
        };
        match done {
            Err(Failure {
                elsewhere: Some(elsewhere),
                ..
            }) if method != "GET" => forward::forward(self, looked, elsewhere),
            done => done,
        }
    }

    /// Browsers send simple requests, such as a POST without a body, for any page and with the passwords that
    /// they know; CORS only keeps the answer from the page.
    fn check_site(&self, request: &Request) -> Result<(), Failure> {
        let origin = request.origin.as_deref().unwrap_or_default();
        if self.cors.as_ref().is_some_and(|cors| cors.admits(origin)) {
            return Ok(());
        }
        Err(Failure::new(
            403,
            "a page of another site may not change anything here unless access.control.allow.origin lets it in",
        ))
    }

    fn resource(
        &self,
        resource: &Resource,
        method: &str,
        query: &Query,
        request: &Request,
    ) -> Result<Response, Failure> {
        let body = request.body.as_slice();
        match (resource, method) {
            (Resource::Root, _) => Ok(root::root(self)),
            (Resource::Health, _) => Ok(root::health(self)),
            (Resource::Metrics, _) => metrics::all(self),
            (Resource::ConnectorMetrics(name), _) => metrics::of_connector(self, name),
            (Resource::Connectors, "POST") => connectors::create(self, body),
            (Resource::Connectors, _) => connectors::list(self, query),
            (Resource::Connector(name), "DELETE") => connectors::delete(self, name),
            (Resource::Connector(name), _) => connectors::info(self, name),
            (Resource::Config(name), "PUT") => connectors::put_config(self, name, body),
            (Resource::Config(name), "PATCH") => connectors::patch_config(self, name, body),
            (Resource::Config(name), _) => connectors::config(self, name),
            (Resource::Status(name), _) => connectors::status(self, name),
            (Resource::Tasks(name), "POST") => internal::put_task_configs(self, name, request),
            (Resource::Fence(name), _) => internal::fence(self, name, request),
            (Resource::Tasks(name), _) => connectors::tasks(self, name),
            (Resource::TaskStatus(name, task), _) => connectors::task_status(self, name, *task),
            (Resource::TaskRestart(name, task), _) => lifecycle::restart_task(self, name, *task),
            (Resource::Restart(name), _) => lifecycle::restart(self, name, query),
            (Resource::Pause(name), _) => lifecycle::pause(self, name),
            (Resource::Resume(name), _) => lifecycle::resume(self, name),
            (Resource::Stop(name), _) => lifecycle::stop(self, name),
            (Resource::Plugins, _) => Ok(plugins::list(self, query)),
            (Resource::PluginConfig(name), _) => plugins::config(self, name, query),
            (Resource::Validate(name), _) => plugins::validate(self, name, body),
            (Resource::Preview(name), _) => preview::preview(self, name, query, body),
            (Resource::Topics(name), _) => topics::list(self, name),
            (Resource::TopicsReset(name), _) => topics::reset(self, name),
            (Resource::Offsets(name), "PATCH") => offsets::alter(self, name, body),
            (Resource::Offsets(name), "DELETE") => offsets::reset(self, name),
            (Resource::Offsets(name), _) => offsets::read(self, name),
            (Resource::Loggers, _) => Ok(loggers::list(self)),
            (Resource::Logger(name), "PUT") => loggers::set(self, name, query, body),
            (Resource::Logger(name), _) => loggers::level(self, name),
            (Resource::Ui, _) => ui::page(),
        }
    }
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

/// Only JSON comes in, and only what the resource has goes out.
fn check_media_types(request: &Request, produced: &str) -> Result<(), Failure> {
    let essence = |text: &str| {
        let essence = text.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    };
    let sent = request.content_type.as_deref().map(essence);
    let json = sent.as_deref() == Some(JSON);
    if !json && (sent.is_some() || !request.body.is_empty()) {
        return Err(Failure::http(415));
    }
    let any_of_its_kind = produced
        .split_once('/')
        .map(|(kind, _)| format!("{kind}/*"));
    let accepts = |accept: &str| {
        let mut taken = accept.split(',').map(essence);
        accept.trim().is_empty()
            || taken.any(|media| {
                media == produced || media == "*/*" || Some(&media) == any_of_its_kind.as_ref()
            })
    };
    let accept = request.accept.as_deref();
    if accept.is_some_and(|accept| !accepts(accept)) {
        return Err(Failure::http(406));
    }
    Ok(())
}
