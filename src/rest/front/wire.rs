//! A client's bytes, in plain text or through TLS. Calls end by their deadline, however slowly the other side
//! sends or reads, and whatever a handshake needs.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, Stream};

/// What is still read of a client that was refused, so that it sees the refusal.
const LINGER_BYTES: usize = 256 << 10;
const LINGER: Duration = Duration::from_millis(500);

/// A connection to a client.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    stream: &'a TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl<'a> Wire<'a> {
    /// Over `stream`, by TLS if there is a configuration for it; nothing is said yet.
    ///
    /// # Errors
    /// The configuration can't be used.
    pub(super) fn new(stream: &'a TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        let connection = tls.map(|config| ServerConnection::new(Arc::clone(config)));
        let connection = connection.transpose().map_err(io::Error::other)?;
        Ok(Self {
            stream,
            tls: connection.map(Box::new),
        })
    }

    /// Does what has to be done before anything can be read.
    ///
    /// # Errors
    /// The deadline came, the client has gone, speaks no TLS that we do, or lacks a certificate.
    pub(super) fn shake_hands(&mut self, deadline: Instant) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        let mut socket = Timed::new(self.stream, deadline);
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        Ok(())
    }

    /// Reads some bytes; none at the end of the stream, which TLS clients often leave without a goodbye:
    /// requests say themselves where they end.
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        let mut socket = Timed::new(self.stream, deadline);
        let Some(tls) = &mut self.tls else {
            return socket.read(buffer);
        };
        match Stream::new(tls.as_mut(), &mut socket).read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        }
    }

    /// Writes everything.
    pub(super) fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let mut socket = Timed::new(self.stream, deadline);
        match &mut self.tls {
            None => socket.write_all(bytes),
            Some(tls) => {
                let mut stream = Stream::new(tls.as_mut(), &mut socket);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Says that nothing more will come. The client may have gone.
    pub(super) fn finish(&mut self, deadline: Instant) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let mut socket = Timed::new(self.stream, deadline);
            while tls.wants_write() && tls.write_tls(&mut socket).is_ok_and(|count| count > 0) {}
        }
        self.stream.shutdown(Shutdown::Write).unwrap_or(());
    }
}

/// Reads on for a moment and forgets it: closing over unread bytes would take back what was said last.
pub(super) fn linger(stream: &TcpStream) {
    let mut socket = Timed::new(stream, Instant::now() + LINGER);
    let mut chunk = [0; 8192];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match socket.read(&mut chunk) {
            Ok(count) if count > 0 => left = left.saturating_sub(count),
            _ => return,
        }
    }
}

/// The socket until `deadline`.
#[derive(Debug)]
struct Timed<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl<'a> Timed<'a> {
    fn new(stream: &'a TcpStream, deadline: Instant) -> Self {
        Self { stream, deadline }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.set_read_timeout(self.left()?)?;
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.stream.set_write_timeout(self.left()?)?;
            match self.stream.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an error says that the deadline came.
pub(super) fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}
