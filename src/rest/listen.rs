//! Listeners, and the address that other workers and clients are told.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use super::error::RestError;
use crate::config::worker::{Listener, RestConfig};

/// Kafka's port.
const DEFAULT_PORT: u16 = 8083;

/// A bound listener and the host that the configuration names.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    host: Option<String>,
    port: u16,
}

/// Binds all listeners of a configuration; the loopback interface without any.
pub(super) fn bind(config: &RestConfig) -> Result<Vec<Bound>, RestError> {
    let default = [Listener {
        https: false,
        host: Some("127.0.0.1".to_owned()),
        port: DEFAULT_PORT,
    }];
    let listeners = config.listeners.as_deref().unwrap_or(&default);
    if let Some(https) = listeners.iter().find(|listener| listener.https) {
        return Err(RestError::Https {
            listener: format!("https://{}", address(https)),
        });
    }
    listeners.iter().map(bind_one).collect()
}

fn address(listener: &Listener) -> String {
    let host = listener.host.as_deref().unwrap_or_default();
    format!("{}:{}", bracketed(host), listener.port)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

fn bind_one(wanted: &Listener) -> Result<Bound, RestError> {
    let bound = match &wanted.host {
        Some(host) => resolve(host, wanted.port).and_then(|all| TcpListener::bind(&*all)),
        // As in Java: both families where there are both.
        None => TcpListener::bind((Ipv6Addr::UNSPECIFIED, wanted.port)).or_else(|error| {
            if error.kind() == io::ErrorKind::AddrInUse {
                return Err(error);
            }
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, wanted.port))
        }),
    };
    let named = |source| RestError::Bind {
        address: format!("http://{}", address(wanted)),
        source,
    };
    let listener = bound.map_err(named)?;
    let port = listener.local_addr().map_err(named)?.port();
    Ok(Bound {
        listener,
        host: wanted.host.clone(),
        port,
    })
}

/// IPv4 first, as Java prefers.
fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut all: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    all.sort_by_key(SocketAddr::is_ipv6);
    Ok(all)
}

/// `host:port` that others are told (contract 2.4).
pub(super) fn advertised(config: &RestConfig, bound: &[Bound]) -> String {
    let first = bound.first();
    let host = config
        .advertised_host
        .clone()
        .filter(|host| !host.is_empty());
    let host = host.or_else(|| first.and_then(|bound| bound.host.clone()));
    let host = host.unwrap_or_else(|| machine_address().to_string());
    let port = config
        .advertised_port
        .or_else(|| first.map(|bound| bound.port));
    format!("{}:{}", bracketed(&host), port.unwrap_or(DEFAULT_PORT))
}

/// What the machine's own name stands for (Java: `InetAddress.getLocalHost`).
fn machine_address() -> IpAddr {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let found = resolve(&name, 0)
        .ok()
        .and_then(|all| all.first().map(SocketAddr::ip));
    found.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
