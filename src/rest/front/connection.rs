//! One client's connection: requests in turn, each with deadlines.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::head::{self, BodyLength, Head};
use super::{Client, Shared};
use crate::rest::backend::Answer;
use crate::rest::response::{Failure, error_body, reason};
use crate::rest::router::Request;

/// Longest line with a chunk's size, and longest trailer.
const CHUNK_LINE_MAX: usize = 256;
const TRAILER_MAX: usize = 4096;
/// What is still read of a refused body so that the client sees the refusal.
const LINGER_BYTES: usize = 256 << 10;
const LINGER: Duration = Duration::from_millis(500);

/// Why a connection ends without more ado.
enum End {
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
pub(super) fn serve(client: &Client, shared: &Shared) {
    let mut connection = Connection {
        client,
        shared,
        buffer: Vec::new(),
    };
    // Without it an answer waits for the client's acknowledgement.
    client.stream.set_nodelay(true).unwrap_or(());
    loop {
        match connection.one() {
            Ok(true) if !shared.is_stopping() => {}
            Ok(_) | Err(End::Silent) => break,
            Err(End::Refused(failure)) => {
                connection.refuse(&failure);
                break;
            }
        }
    }
    client.stream.shutdown(Shutdown::Both).unwrap_or(());
}

struct Connection<'a> {
    client: &'a Client,
    shared: &'a Shared,
    /// Read and not used yet.
    buffer: Vec<u8>,
}

impl Connection<'_> {
    /// One request and its answer; whether the connection stays.
    fn one(&mut self) -> Result<bool, End> {
        self.client.set_idle(true);
        let head = self.head()?;
        self.client.set_idle(false);
        let deadline = Instant::now() + self.shared.settings.body_timeout;
        if head.expects_continue && head.body != BodyLength::Fixed(0) && self.buffer.is_empty() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let budget = Budget::new(self.shared);
        let body = match head.body {
            BodyLength::Fixed(length) => {
                budget.take(length)?;
                self.take(length, deadline)?
            }
            BodyLength::Chunked => self.chunks(&budget, deadline)?,
        };
        let request = Request {
            method: head.method,
            target: head.target,
            content_type: head.content_type,
            accept: head.accept,
            origin: head.origin,
            preflight: head.preflight,
            body,
        };
        let answer = self.shared.backend.answer(&request).map_err(|error| {
            tracing::warn!(%error, "a REST request got no answer");
            let late = matches!(
                error.kind(),
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
            );
            let message = if late {
                "Request timed out"
            } else {
                "the request got no answer"
            };
            Failure::new(500, message)
        })?;
        let keep_alive = head.keep_alive && !self.shared.is_stopping();
        self.write(&answer, &request.method, keep_alive)?;
        Ok(keep_alive)
    }

    fn head(&mut self) -> Result<Head, End> {
        let settings = &self.shared.settings;
        let mut deadline = Instant::now() + settings.idle_timeout;
        let mut begun = false;
        loop {
            // Empty lines before a request are passed over (RFC 9112, 2.2).
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.drain(..2);
            }
            if !self.buffer.is_empty() {
                if !begun {
                    begun = true;
                    deadline = Instant::now() + settings.head_timeout;
                }
                if let Some(head) = head::parse(&self.buffer, settings.body_max)? {
                    if head.size > settings.head_max {
                        return Err(Failure::http(431).into());
                    }
                    self.buffer.drain(..head.size);
                    return Ok(head);
                }
                if self.buffer.len() >= settings.head_max {
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
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut stream: &TcpStream = &self.client.stream;
        stream.set_read_timeout(Some(left))?;
        let mut chunk = [0; 8192];
        let count = loop {
            match stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }

    fn more(&mut self, deadline: Instant) -> Result<(), End> {
        match self.read(deadline) {
            Ok(true) => Ok(()),
            Ok(false) => Err(End::Silent),
            Err(error) => Err(late(&error, true)),
        }
    }

    fn take(&mut self, length: usize, deadline: Instant) -> Result<Vec<u8>, End> {
        while self.buffer.len() < length {
            self.more(deadline)?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn chunks(&mut self, budget: &Budget<'_>, deadline: Instant) -> Result<Vec<u8>, End> {
        let mut body = Vec::new();
        loop {
            let line = self.line(CHUNK_LINE_MAX, deadline)?;
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = chunk_size(size.trim_ascii())?;
            if size > self.shared.settings.body_max - body.len() {
                return Err(Failure::http(413).into());
            }
            if size == 0 {
                break;
            }
            budget.take(size)?;
            body.append(&mut self.take(size, deadline)?);
            if self.take(2, deadline)? != b"\r\n" {
                return Err(bad_chunk().into());
            }
        }
        let mut trailers = 0;
        loop {
            let line = self.line(TRAILER_MAX, deadline)?;
            trailers += line.len();
            if line.is_empty() {
                return Ok(body);
            }
            if trailers > TRAILER_MAX {
                return Err(Failure::http(431).into());
            }
        }
    }

    /// A line without its end.
    fn line(&mut self, max: usize, deadline: Instant) -> Result<Vec<u8>, End> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                line.truncate(end);
                return Ok(line);
            }
            if self.buffer.len() > max {
                return Err(bad_chunk().into());
            }
            self.more(deadline)?;
        }
    }

    fn write(&self, answer: &Answer, method: &str, keep_alive: bool) -> Result<(), End> {
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
    fn send(&self, mut bytes: &[u8]) -> Result<(), End> {
        let deadline = Instant::now() + self.shared.settings.write_timeout;
        let mut stream: &TcpStream = &self.client.stream;
        while !bytes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || stream.set_write_timeout(Some(left)).is_err() {
                return Err(End::Silent);
            }
            match stream.write(bytes) {
                Ok(count) if count > 0 => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return Err(End::Silent),
            }
        }
        Ok(())
    }

    /// Says why, and reads on for a moment: closing over unread bytes would take the answer back.
    fn refuse(&mut self, failure: &Failure) {
        self.client.set_idle(true);
        let answer = Answer {
            status: failure.status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: error_body(failure.status, &failure.message)
                .to_string()
                .into_bytes(),
        };
        if self.write(&answer, "", false).is_err() {
            return;
        }
        self.client.stream.shutdown(Shutdown::Write).unwrap_or(());
        let deadline = Instant::now() + LINGER;
        let mut left = LINGER_BYTES;
        while left > 0 {
            self.buffer.clear();
            if !self.read(deadline).unwrap_or(false) {
                return;
            }
            left = left.saturating_sub(self.buffer.len());
        }
    }
}

/// A time-out is told once a request has begun.
fn late(error: &io::Error, begun: bool) -> End {
    let timed_out = matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    );
    if timed_out && begun {
        return Failure::http(408).into();
    }
    End::Silent
}

fn bad_chunk() -> Failure {
    Failure::new(400, "HTTP 400 Bad Request: a bad chunk")
}

fn chunk_size(digits: &[u8]) -> Result<usize, Failure> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    if text.is_empty() || text.len() > 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(bad_chunk());
    }
    usize::from_str_radix(text, 16).map_err(|_| bad_chunk())
}

/// This request's share of the memory for bodies; given back when dropped.
struct Budget<'a> {
    shared: &'a Shared,
    taken: std::cell::Cell<usize>,
}

impl<'a> Budget<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            taken: std::cell::Cell::new(0),
        }
    }

    fn take(&self, bytes: usize) -> Result<(), Failure> {
        if !self.shared.take_memory(bytes) {
            let why = "HTTP 503 Service Unavailable: too many large requests at a time";
            return Err(Failure::new(503, why));
        }
        self.taken.set(self.taken.get() + bytes);
        Ok(())
    }
}

impl Drop for Budget<'_> {
    fn drop(&mut self) {
        self.shared.give_memory(self.taken.get());
    }
}
