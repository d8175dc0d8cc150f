//! TCP on a shard.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::io::{AsyncRead, AsyncWrite};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::blocking::blocking;
use super::executor::{RuntimeKind, current_runtime};
use super::timer::timeout;

/// A connected socket of this shard.
#[derive(Debug)]
pub struct TcpStream(Inner);

#[derive(Debug)]
enum Inner {
    IoUring(glommio::net::TcpStream),
    Epoll(Compat<tokio::net::TcpStream>),
}

/// Connects to one address within `limit`; `TCP_NODELAY` is set.
///
/// # Errors
/// The system's error; `TimedOut` after `limit`.
pub async fn connect(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let inner = match current_runtime() {
        RuntimeKind::IoUring => {
            let stream = glommio::net::TcpStream::connect_timeout(address, limit)
                .await
                .map_err(io::Error::from)?;
            stream.set_nodelay(true).map_err(io::Error::from)?;
            Inner::IoUring(stream)
        }
        RuntimeKind::Epoll => {
            let stream = timeout(limit, tokio::net::TcpStream::connect(address))
                .await
                .map_err(|elapsed| io::Error::new(io::ErrorKind::TimedOut, elapsed))??;
            stream.set_nodelay(true)?;
            Inner::Epoll(stream.compat())
        }
    };
    Ok(TcpStream(inner))
}

/// Looks a host name up on a blocking thread (glommio would block the shard).
///
/// # Errors
/// The resolver's error; no address found.
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<std::net::IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let host = host.to_owned();
    let name = host.clone();
    let found = blocking(move || (host.as_str(), port).to_socket_addrs().map(Vec::from_iter))
        .await
        .map_err(io::Error::other)??;
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{name} has no address"),
        ));
    }
    Ok(found)
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::IoUring(stream) => Pin::new(stream).poll_read(cx, buffer),
            Inner::Epoll(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::IoUring(stream) => Pin::new(stream).poll_write(cx, buffer),
            Inner::Epoll(stream) => Pin::new(stream).poll_write(cx, buffer),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::IoUring(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Epoll(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::IoUring(stream) => Pin::new(stream).poll_close(cx),
            Inner::Epoll(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
