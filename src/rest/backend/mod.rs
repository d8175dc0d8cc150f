//! tiny_http behind a private Unix socket: a few handler threads, reached by the front alone.
//!
//! The front's connections are made when the server starts, or when all are busy, and are kept; the
//! socket's name is gone before the first request, so nobody else can connect. A connection that breaks is
//! replaced together with a server of its own. Requests that change something never take the last
//! connections: reading stays possible while they wait for slow connectors. Requests get connections in the
//! order in which they came, and only so many of those that change something wait ([`slots`]). What comes from
//! another worker has places that clients' requests leave free, so that workers which forward to each other never
//! wait in a ring.

mod slots;

use std::io::{self, Cursor, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tiny_http::{Header, Server, StatusCode};

pub(in crate::rest) use self::slots::BUSY;
use self::slots::{Errand, GROWTH, Slot, Slots};
use crate::distributed::signature::{SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER};
use crate::rest::auth::Authorization;
use crate::rest::response::{Failure, Response};
use crate::rest::router::{Request, Router, Signed, Surface};

/// Handlers that are there from the start.
const HANDLERS: usize = 4;
/// Stack of a handler: JSON and validation, no deep recursion.
const HANDLER_STACK: usize = 512 << 10;
/// How much longer than the herder's own limit an answer may take: a request may wait for a validation, for the
/// herder, and for another worker.
const LIMITS: u32 = 3;
const ANSWER_GRACE: Duration = Duration::from_secs(30);
/// Says that a request came over a listener of the admin API. Clients' own headers don't get this far.
const SURFACE: &str = "X-Ringmain-Surface";
/// Says that a page of another site asks; a browser's word.
const SITE: &str = "Sec-Fetch-Site";
/// Longest head of an answer; ours are short.
const HEAD_MAX: usize = 32 << 10;

/// An answer as it came from a handler.
#[derive(Debug)]
pub(in crate::rest) struct Answer {
    pub(in crate::rest) status: u16,
    /// Without those that speak about the connection or the body's length.
    pub(in crate::rest) headers: Vec<(String, String)>,
    pub(in crate::rest) body: Vec<u8>,
}

/// The handlers and the connections to them.
#[derive(Debug)]
pub(in crate::rest) struct Backend {
    router: Arc<Router>,
    slots: Slots,
    servers: Mutex<Vec<Running>>,
    limit: Duration,
}

struct Running {
    server: Arc<Server>,
    /// Ends the accept thread when shut down.
    listener: UnixStream,
    handlers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("handlers", &self.handlers.len())
            .finish()
    }
}

impl Backend {
    pub(in crate::rest) fn start(router: Router) -> io::Result<Self> {
        let limit = router.herder.limits().request * LIMITS + ANSWER_GRACE;
        let router = Arc::new(router);
        let (streams, server) = serve(&router, HANDLERS)?;
        Ok(Self {
            router,
            slots: Slots::new(streams),
            servers: Mutex::new(vec![server]),
            limit,
        })
    }

    /// Hands a request to a handler and waits for the answer.
    ///
    /// # Errors
    /// [`BUSY`], [`io::ErrorKind::TimedOut`], or what broke the connection to the handler.
    pub(in crate::rest) fn answer(&self, request: &Request) -> io::Result<Answer> {
        let deadline = Instant::now() + self.limit;
        let errand = Errand::of(&request.method, &request.target);
        let stream = match self.slots.borrow(errand, deadline)? {
            Slot::Connected(stream) => Ok(stream),
            Slot::New => self.grow(),
            Slot::Broken => {
                tracing::warn!("a connection to the REST handlers broke and is replaced");
                self.connect(1)
            }
        };
        let answer = stream.and_then(|stream| {
            let answer = exchange(&stream, request, deadline)?;
            Ok((stream, answer))
        });
        match answer {
            Ok((stream, answer)) => {
                self.slots.give_back(Slot::Connected(stream), errand);
                Ok(answer)
            }
            Err(error) => {
                self.slots.give_back(Slot::Broken, errand);
                Err(error)
            }
        }
    }

    /// Makes the connections that [`Slot::New`] stands for; gives one of them.
    fn grow(&self) -> io::Result<UnixStream> {
        let made = self.connect(GROWTH);
        if made.is_err() {
            self.slots.shrink();
        }
        made
    }

    /// Starts a server with `count` handlers; gives a connection to one of them.
    fn connect(&self, count: usize) -> io::Result<UnixStream> {
        let (mut streams, server) = serve(&self.router, count)?;
        lock(&self.servers).push(server);
        let stream = streams.pop();
        self.slots.add(streams);
        stream.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Ends the handlers. Requests under way get their answers first.
    pub(in crate::rest) fn stop(&self) {
        for running in lock(&self.servers).drain(..) {
            for _ in &running.handlers {
                running.server.unblock();
            }
            for handler in running.handlers {
                if handler.join().is_err() {
                    tracing::error!("a REST handler panicked");
                }
            }
            // It may be closed already.
            running
                .listener
                .shutdown(std::net::Shutdown::Both)
                .unwrap_or(());
        }
        self.slots.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that only we can enter; removed when dropped.
struct PrivateDir(PathBuf);

impl PrivateDir {
    fn new() -> io::Result<Self> {
        for _ in 0..16 {
            let name = format!("ringmain-{}-{:016x}", std::process::id(), fastrand::u64(..));
            let path = std::env::temp_dir().join(name);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a temporary directory stays");
        }
    }
}

/// Starts a server with `count` handlers and as many connections to it.
fn serve(router: &Arc<Router>, count: usize) -> io::Result<(Vec<UnixStream>, Running)> {
    let dir = PrivateDir::new()?;
    let path = dir.0.join("rest");
    let listener = UnixListener::bind(&path)?;
    let accepting = UnixStream::from(OwnedFd::from(listener.try_clone()?));
    let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
    let server = Arc::new(server);
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        streams.push(UnixStream::connect(&path)?);
    }
    let mut handlers = Vec::with_capacity(count);
    for index in 0..count {
        let (server, router) = (Arc::clone(&server), Arc::clone(router));
        let thread = thread::Builder::new()
            .name(format!("rest-{index}"))
            .stack_size(HANDLER_STACK)
            .spawn(move || handle(&server, &router))?;
        handlers.push(thread);
    }
    let running = Running {
        server,
        listener: accepting,
        handlers,
    };
    Ok((streams, running))
}

/// A handler's life: ends when the server is unblocked.
fn handle(server: &Server, router: &Router) {
    while let Ok(mut incoming) = server.recv() {
        let answered = catch_unwind(AssertUnwindSafe(|| {
            let request = read(&mut incoming)?;
            Ok::<_, io::Error>(router.answer(&request))
        }));
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => Failure::new(500, error.to_string()).into(),
            Err(_) => Failure::new(500, "an internal error; the log says more").into(),
        };
        if let Err(error) = incoming.respond(to_tiny(response)) {
            tracing::debug!(%error, "an answer reached nobody");
        }
    }
}

fn read(incoming: &mut tiny_http::Request) -> io::Result<Request> {
    let header = |name: &'static str| {
        let found = incoming
            .headers()
            .iter()
            .find(|header| header.field.equiv(name));
        found.map(|header| header.value.as_str().to_owned())
    };
    let surface = match header(SURFACE) {
        Some(_) => Surface::Admin,
        None => Surface::Main,
    };
    let mut request = Request {
        surface,
        method: incoming.method().to_string(),
        target: incoming.url().to_owned(),
        content_type: header("Content-Type"),
        accept: header("Accept"),
        origin: header("Origin"),
        authorization: header("Authorization").map(Authorization::new),
        signed: Signed {
            algorithm: header(SIGNATURE_ALGORITHM_HEADER),
            signature: header(SIGNATURE_HEADER),
        },
        preflight: header("Access-Control-Request-Method").is_some(),
        cross_site: header(SITE).is_some(),
        body: Vec::new(),
    };
    // The front has measured the body.
    incoming.as_reader().read_to_end(&mut request.body)?;
    Ok(request)
}

fn to_tiny(response: Response) -> tiny_http::Response<Cursor<Vec<u8>>> {
    let length = response.body.len();
    let content_type = (!response.body.is_empty()).then(|| response.content_type.to_owned());
    let named = content_type.map(|value| ("Content-Type".into(), value));
    let all = named.into_iter().chain(response.headers);
    // A value that is no ASCII is left out.
    let headers = all.filter_map(|(name, value)| Header::from_bytes(name.as_bytes(), value).ok());
    tiny_http::Response::new(
        StatusCode(response.status),
        headers.collect(),
        Cursor::new(response.body),
        Some(length),
        None,
    )
    .with_chunked_threshold(usize::MAX)
}

/// One request and its answer on a connection to the handlers.
fn exchange(stream: &UnixStream, request: &Request, deadline: Instant) -> io::Result<Answer> {
    let limit = deadline.saturating_duration_since(Instant::now());
    let limit = Some(limit.max(Duration::from_millis(1)));
    stream.set_read_timeout(limit)?;
    stream.set_write_timeout(limit)?;
    let mut writer = stream;
    writer.write_all(&head_of(request))?;
    writer.write_all(&request.body)?;
    read_answer(stream)
}

/// The head is written anew: nothing that a client sent goes through unlooked at.
fn head_of(request: &Request) -> Vec<u8> {
    let method = if request.method == "HEAD" {
        "GET"
    } else {
        &request.method
    };
    let mut head = format!("{method} {} HTTP/1.1\r\nHost: ringmain\r\n", request.target);
    let fields = [
        ("Content-Type", request.content_type.as_deref()),
        ("Accept", request.accept.as_deref()),
        ("Origin", request.origin.as_deref()),
        (
            "Authorization",
            request.authorization.as_ref().map(Authorization::reveal),
        ),
        (
            SIGNATURE_ALGORITHM_HEADER,
            request.signed.algorithm.as_deref(),
        ),
        (SIGNATURE_HEADER, request.signed.signature.as_deref()),
        (
            SURFACE,
            (request.surface == Surface::Admin).then_some("admin"),
        ),
        (
            "Access-Control-Request-Method",
            request.preflight.then_some("GET"),
        ),
        (SITE, request.cross_site.then_some("cross-site")),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
    }
    head.push_str("Content-Length: ");
    head.push_str(&request.body.len().to_string());
    head.push_str("\r\n\r\n");
    head.into_bytes()
}

fn read_answer(mut stream: &UnixStream) -> io::Result<Answer> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&chunk[..count]);
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&text).map_err(|error| bad(&error.to_string()))?;
        let httparse::Status::Complete(end) = parsed else {
            if text.len() > HEAD_MAX {
                return Err(bad("an endless head"));
            }
            continue;
        };
        let mut answer = Answer {
            status: head.code.unwrap_or(500),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let mut length = 0;
        for header in head.headers.iter() {
            let value = String::from_utf8_lossy(header.value).into_owned();
            match header.name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(|_| bad("a bad length"))?,
                "connection" | "server" | "transfer-encoding" => {}
                _ => answer.headers.push((header.name.to_owned(), value)),
            }
        }
        answer.body.extend_from_slice(&text[end..]);
        let rest = length - answer.body.len().min(length);
        let read = stream.take(rest as u64).read_to_end(&mut answer.body)?;
        if read < rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        return Ok(answer);
    }
}
