//! One client's connection: requests in turn, each with deadlines.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::Shared;
use super::body::Body;
use super::buffer::Buffer;
use super::head::{self, BodyLength, Head};
use super::places::Client;
use super::wire::{Wire, is_late, linger};
use crate::rest::backend::{Answer, BUSY};
use crate::rest::listen::Entrance;
use crate::rest::response::{Failure, error_body, reason};
use crate::rest::router::{Request, Surface};

/// Empty lines that may stand before a request (RFC 9112, 2.2), in bytes.
const EMPTY_LINES_MAX: usize = 16;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// Why a connection ends without more ado.
#[derive(Debug)]
pub(super) enum End {
    /// The client has gone, or was silent for too long between requests.
    Silent,
    /// The client gets to hear why.
    Refused(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// Serves a connection to its end.
pub(super) fn serve(client: &Client, entrance: &Entrance, shared: &Shared) {
    // Without it an answer waits for the client's acknowledgement.
    client.stream.set_nodelay(true).unwrap_or(());
    let deadline = Instant::now() + shared.settings.handshake_timeout;
    let wire = Wire::new(&client.stream, entrance.tls.as_ref()).and_then(|mut wire| {
        wire.shake_hands(deadline)?;
        Ok(wire)
    });
    match wire {
        Ok(wire) => Connection {
            client,
            wire,
            surface: entrance.surface,
            shared,
            buffer: Buffer::default(),
        }
        .serve(),
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake with a REST client failed");
            // It was told why.
            linger(&client.stream);
        }
    }
    client.stream.shutdown(Shutdown::Both).unwrap_or(());
}

/// A connection while its thread serves it.
pub(super) struct Connection<'a> {
    client: &'a Client,
    wire: Wire<'a>,
    surface: Surface,
    pub(super) shared: &'a Shared,
    /// Read and not used yet.
    pub(super) buffer: Buffer,
}

impl Connection<'_> {
    /// Requests in turn.
    fn serve(mut self) {
        loop {
            match self.one() {
                Ok(true) if !self.shared.is_stopping() => {}
                Ok(_) => return self.wire.finish(Instant::now() + GOODBYE),
                Err(End::Silent) => return,
                Err(End::Refused(failure)) => return self.refuse(&failure),
            }
        }
    }

    /// One request and its answer; whether the connection stays.
    fn one(&mut self) -> Result<bool, End> {
        self.client.is_waited_for();
        let head = self.head()?;
        let deadline = Instant::now() + self.shared.settings.body_timeout;
        let is_empty = self.buffer.unread().is_empty();
        if head.expects_continue && head.body != BodyLength::Fixed(0) && is_empty {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Body::new(self.shared);
        self.body(head.body, &mut body, deadline)?;
        let request = Request {
            surface: self.surface,
            method: head.method,
            target: head.target,
            content_type: head.content_type,
            accept: head.accept,
            origin: head.origin,
            authorization: head.authorization,
            signed: head.signed,
            preflight: head.preflight,
            cross_site: head.cross_site,
            body: std::mem::take(&mut body.bytes),
        };
        self.client.is_served();
        let answer = self.shared.backend.answer(&request);
        body.bytes = request.body;
        drop(body);
        let answer = answer.map_err(unanswered)?;
        self.client.is_waited_for();
        let may_stay = head.keep_alive && !self.shared.is_stopping();
        let keep_alive = may_stay && !self.shared.places.give_way();
        self.write(&answer, &request.method, keep_alive)?;
        Ok(keep_alive)
    }

    fn head(&mut self) -> Result<Head, End> {
        let settings = &self.shared.settings;
        let mut deadline = Instant::now() + settings.idle_timeout;
        let mut begun = false;
        let mut empty_lines = 0;
        let mut search = head::Search::default();
        loop {
            while search.is_new() && self.buffer.unread().starts_with(b"\r\n") {
                self.buffer.consume(2);
                empty_lines += 2;
                if empty_lines > EMPTY_LINES_MAX {
                    return Err(Failure::http(400).into());
                }
            }
            if !begun && !self.buffer.unread().is_empty() {
                begun = true;
                deadline = Instant::now() + settings.head_timeout;
                self.client.is_waited_for();
            }
            let unread = self.buffer.unread();
            // A single CR may be half of an empty line.
            if !unread.is_empty() && unread != b"\r" {
                if let Some(head) = search.parse(unread, settings.body_max)? {
                    if head.size > settings.head_max {
                        return Err(Failure::http(431).into());
                    }
                    self.buffer.consume(head.size);
                    return Ok(head);
                }
                if unread.len() >= settings.head_max {
                    return Err(Failure::http(431).into());
                }
            }
            if !self.read(deadline).map_err(|error| late(&error, begun))? {
                return Err(End::Silent);
            }
        }
    }

    /// Reads more into the buffer; `false` at the stream's end.
    fn read(&mut self, deadline: Instant) -> io::Result<bool> {
        let mut chunk = [0; 8192];
        let count = self.wire.read(&mut chunk, deadline)?;
        self.buffer.fill(&chunk[..count]);
        Ok(count > 0)
    }

    /// As [`read`](Self::read), of a request that has begun.
    pub(super) fn more(&mut self, deadline: Instant) -> Result<(), End> {
        match self.read(deadline) {
            Ok(true) => Ok(()),
            Ok(false) => Err(End::Silent),
            Err(error) => Err(late(&error, true)),
        }
    }

    fn write(&mut self, answer: &Answer, method: &str, keep_alive: bool) -> Result<(), End> {
        use std::fmt::Write as _;
        let status = answer.status;
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        let mut field = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            write!(head, "{name}: {value}\r\n").unwrap_or(());
        };
        for (name, value) in &answer.headers {
            field(name, value);
        }
        if status != 204 {
            field("Content-Length", &answer.body.len().to_string());
        }
        field(
            "Connection",
            if keep_alive { "keep-alive" } else { "close" },
        );
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if method != "HEAD" && status != 204 {
            bytes.extend_from_slice(&answer.body);
        }
        self.send(&bytes)
    }

    /// Writes within the deadline, however slowly the client reads.
    fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        let deadline = Instant::now() + self.shared.settings.write_timeout;
        let written = self.wire.write_all(bytes, deadline);
        written.map_err(|_| End::Silent)
    }

    /// Says why, and hears the client out for a moment.
    fn refuse(&mut self, failure: &Failure) {
        self.client.is_waited_for();
        let body = error_body(failure.code, &failure.message).to_string();
        let answer = Answer {
            status: failure.status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.into_bytes(),
        };
        if self.write(&answer, "", false).is_ok() {
            self.wire.finish(Instant::now() + GOODBYE);
            linger(&self.client.stream);
        }
    }
}

/// A time-out is told once a request has begun.
fn late(error: &io::Error, begun: bool) -> End {
    if is_late(error) && begun {
        return Failure::http(408).into();
    }
    End::Silent
}

fn unanswered(error: io::Error) -> Failure {
    if error.kind() == BUSY {
        let why = "HTTP 503 Service Unavailable: too many requests that change something wait";
        return Failure::new(503, why);
    }
    tracing::warn!(%error, "a REST request got no answer");
    let message = if is_late(&error) {
        "Request timed out"
    } else {
        "the request got no answer"
    };
    Failure::new(500, message)
}
