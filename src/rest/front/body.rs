//! Bodies: by length or in chunks, large ones in one of a few buffers.

use std::time::Instant;

use super::Shared;
use super::connection::{Connection, End};
use super::head::BodyLength;
use crate::rest::response::Failure;

/// Longest line with a chunk's size, and all trailers together.
const CHUNK_LINE_MAX: usize = 256;
const TRAILERS_MAX: usize = 4096;

/// A body that is being read. Its first bytes are its own, so that small requests go on while large ones wait;
/// beyond them it has one of the large buffers, which it gives back when dropped. Only what has come counts:
/// an announced length costs nothing.
pub(super) struct Body<'a> {
    shared: &'a Shared,
    pub(super) bytes: Vec<u8>,
    is_large: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            bytes: Vec::new(),
            is_large: false,
        }
    }

    fn append(&mut self, part: &[u8]) -> Result<(), Failure> {
        let needed = self.bytes.len() + part.len();
        if needed > self.shared.settings.body_free && !self.is_large {
            let why = "HTTP 503 Service Unavailable: too many large requests at a time";
            let large = self.shared.large.take();
            let mut large = large.ok_or_else(|| Failure::new(503, why))?;
            large.extend_from_slice(&self.bytes);
            self.bytes = large;
            self.is_large = true;
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        if self.is_large {
            self.shared.large.give(std::mem::take(&mut self.bytes));
        }
    }
}

impl Connection<'_> {
    /// A whole body.
    pub(super) fn body(
        &mut self,
        length: BodyLength,
        body: &mut Body<'_>,
        deadline: Instant,
    ) -> Result<(), End> {
        match length {
            BodyLength::Fixed(length) => self.take(length, body, deadline),
            BodyLength::Chunked => self.chunks(body, deadline),
        }
    }

    /// Moves the next `count` bytes to the end of `body`.
    fn take(&mut self, count: usize, body: &mut Body<'_>, deadline: Instant) -> Result<(), End> {
        let end = body.bytes.len() + count;
        loop {
            let unread = self.buffer.unread();
            let part = unread.len().min(end - body.bytes.len());
            body.append(&unread[..part])?;
            self.buffer.consume(part);
            if body.bytes.len() == end {
                return Ok(());
            }
            self.more(deadline)?;
        }
    }

    fn chunks(&mut self, body: &mut Body<'_>, deadline: Instant) -> Result<(), End> {
        loop {
            let line = self.line(CHUNK_LINE_MAX, deadline)?;
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = chunk_size(size)?;
            if size > self.shared.settings.body_max - body.bytes.len() {
                return Err(Failure::http(413).into());
            }
            if size == 0 {
                return self.trailers(deadline);
            }
            self.take(size, body, deadline)?;
            if !self.line(0, deadline)?.is_empty() {
                return Err(bad_chunk().into());
            }
        }
    }

    /// Trailers are read and forgotten.
    fn trailers(&mut self, deadline: Instant) -> Result<(), End> {
        let mut bytes = 0;
        loop {
            let line = self.line(TRAILERS_MAX, deadline)?;
            bytes += line.len();
            if line.is_empty() {
                return Ok(());
            }
            if bytes > TRAILERS_MAX {
                return Err(Failure::http(431).into());
            }
        }
    }

    /// A line of at most `max` bytes, without its end. Nothing in it may look like an end to another reader.
    fn line(&mut self, max: usize, deadline: Instant) -> Result<Vec<u8>, End> {
        loop {
            let unread = self.buffer.unread();
            let window = &unread[..unread.len().min(max + 2)];
            if let Some(end) = memchr::memmem::find(window, b"\r\n") {
                let line = window[..end].to_vec();
                self.buffer.consume(end + 2);
                if line
                    .iter()
                    .any(|byte| byte.is_ascii_control() && *byte != b'\t')
                {
                    return Err(bad_chunk().into());
                }
                return Ok(line);
            }
            if window.len() == max + 2 {
                return Err(bad_chunk().into());
            }
            self.more(deadline)?;
        }
    }
}

fn bad_chunk() -> Failure {
    Failure::new(400, "HTTP 400 Bad Request: a bad chunk")
}

/// Hexadecimal digits and nothing else, not even blanks.
fn chunk_size(digits: &[u8]) -> Result<usize, Failure> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    if text.is_empty() || text.len() > 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(bad_chunk());
    }
    usize::from_str_radix(text, 16).map_err(|_| bad_chunk())
}
