//! Listeners, and the address that other workers and clients are told.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use super::error::RestError;
use super::router::Surface;
use crate::config::worker::{HttpsConfig, Listener, RestConfig};
use crate::tls;

/// Kafka's port.
const DEFAULT_PORT: u16 = 8083;
/// Connections that wait to be accepted (the standard library asks for fewer): a burst of clients should
/// not make the kernel drop the next one's, which would then try again after a second.
const BACKLOG: i32 = 4096;

/// What a listener leads to, and how its clients speak.
#[derive(Debug, Clone)]
pub(super) struct Entrance {
    pub(super) surface: Surface,
    /// TLS, or plain text without.
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
}

/// A bound listener and the host that the configuration names.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) entrance: Entrance,
    host: Option<String>,
    port: u16,
}

impl Bound {
    fn is_https(&self) -> bool {
        self.entrance.tls.is_some()
    }
}

/// Binds all listeners of a configuration, those of the admin API last; the loopback interface without any.
pub(super) fn bind(config: &RestConfig) -> Result<Vec<Bound>, RestError> {
    let default = [Listener {
        https: false,
        host: Some("127.0.0.1".to_owned()),
        port: DEFAULT_PORT,
    }];
    let main = config.listeners.as_deref().unwrap_or(&default);
    let admin = config.admin_listeners.as_deref().unwrap_or_default();
    let mut bound = bind_all(Surface::Main, main, config.https.as_ref())?;
    let admin = bind_all(Surface::Admin, admin, config.admin_https.as_ref())?;
    bound.extend(admin);
    Ok(bound)
}

/// Stores are read once for all HTTPS listeners of a surface.
fn bind_all(
    surface: Surface,
    listeners: &[Listener],
    https: Option<&HttpsConfig>,
) -> Result<Vec<Bound>, RestError> {
    let first = listeners.iter().find(|listener| listener.https);
    let tls = first
        .map(|listener| server_config(listener, https))
        .transpose()?;
    let bound = listeners.iter().map(|listener| {
        let tls = tls.clone().filter(|_| listener.https);
        bind_one(Entrance { surface, tls }, listener)
    });
    bound.collect()
}

fn server_config(
    listener: &Listener,
    https: Option<&HttpsConfig>,
) -> Result<Arc<rustls::ServerConfig>, RestError> {
    let (prefix, settings) = match https {
        Some(https) => (https.prefix, https.settings.clone()),
        None => ("", tls::Settings::default()),
    };
    tls::server_config(&settings).map_err(|source| RestError::Https {
        prefix,
        listener: url(listener),
        source,
    })
}

fn key(surface: Surface) -> &'static str {
    match surface {
        Surface::Main => "listeners",
        Surface::Admin => "admin.listeners",
    }
}

fn url(listener: &Listener) -> String {
    let scheme = if listener.https { "https" } else { "http" };
    let host = listener.host.as_deref().unwrap_or_default();
    format!("{scheme}://{}:{}", bracketed(host), listener.port)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

fn bind_one(entrance: Entrance, wanted: &Listener) -> Result<Bound, RestError> {
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
        key: key(entrance.surface),
        address: url(wanted),
        source,
    };
    let listener = bound.map_err(named)?;
    rustix::net::listen(&listener, BACKLOG).map_err(|error| named(error.into()))?;
    let port = listener.local_addr().map_err(named)?.port();
    Ok(Bound {
        listener,
        entrance,
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

/// The URL that others are told (contract 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advertised {
    scheme: String,
    /// `host:port`.
    pub(super) address: String,
}

impl Advertised {
    /// Without a slash at its end.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

/// Kafka: `RestServer.advertisedUrl`. HTTP where there is a listener for it, unless
/// `rest.advertised.listener` says otherwise; host and port of the first listener with that scheme.
pub(super) fn advertised(config: &RestConfig, bound: &[Bound]) -> Advertised {
    let main = || {
        bound
            .iter()
            .filter(|bound| bound.entrance.surface == Surface::Main)
    };
    let only_https = main().all(Bound::is_https) && main().next().is_some();
    let scheme = match config.advertised_listener.as_deref() {
        Some(scheme) => scheme,
        None if only_https => "https",
        None => "http",
    };
    let with_scheme = main().find(|bound| bound.is_https() == (scheme == "https"));
    let chosen = with_scheme.or_else(|| main().next());
    let host = config
        .advertised_host
        .clone()
        .filter(|host| !host.is_empty());
    let host = host.or_else(|| chosen.and_then(|bound| bound.host.clone()));
    let host = host.unwrap_or_else(|| machine_address().to_string());
    let port = config
        .advertised_port
        .or_else(|| chosen.map(|bound| bound.port));
    Advertised {
        scheme: scheme.to_owned(),
        address: format!("{}:{}", bracketed(&host), port.unwrap_or(DEFAULT_PORT)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listeners: &[&str]) -> RestConfig {
        let parsed = listeners.iter().map(|text| Listener::parse(text).unwrap());
        RestConfig {
            listeners: Some(parsed.collect()),
            ..super::super::tests::rest_config()
        }
    }

    /// As if bound: `http://a:1` and so on, without asking the system.
    fn bound(config: &RestConfig) -> Vec<Bound> {
        let listeners = config.listeners.iter().flatten();
        let bound = listeners.map(|listener| Bound {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            entrance: Entrance {
                surface: Surface::Main,
                tls: listener.https.then(nobodys_tls),
            },
            host: listener.host.clone(),
            port: listener.port,
        });
        bound.collect()
    }

    /// A configuration that knows no certificate.
    fn nobodys_tls() -> Arc<rustls::ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
        Arc::new(config)
    }

    #[test]
    fn the_advertised_url_follows_scheme_host_and_port() {
        let url = |config: &RestConfig| advertised(config, &bound(config)).url();
        let both = config(&["https://a:1", "http://b:2"]);
        assert_eq!(url(&both), "http://b:2");
        assert_eq!(url(&config(&["https://a:1", "https://c:3"])), "https://a:1");
        assert_eq!(url(&config(&["http://[::1]:4"])), "http://[::1]:4");
        let secure = RestConfig {
            advertised_listener: Some("https".to_owned()),
            ..both.clone()
        };
        assert_eq!(url(&secure), "https://a:1");
        let named = RestConfig {
            advertised_host: Some("public".to_owned()),
            advertised_port: Some(9),
            ..secure
        };
        assert_eq!(url(&named), "https://public:9");
        // A proxy speaks TLS for us.
        let behind = RestConfig {
            advertised_listener: Some("https".to_owned()),
            ..config(&["http://b:2"])
        };
        assert_eq!(url(&behind), "https://b:2");
    }

    #[test]
    fn listeners_take_both_families_and_say_which_key_is_wrong() {
        let mut config = config(&["http://127.0.0.1:0", "http://[::1]:0"]);
        config.admin_listeners = Some(vec![Listener::parse("http://127.0.0.1:0").unwrap()]);
        let listening = bind(&config).unwrap();
        let surfaces: Vec<Surface> = listening
            .iter()
            .map(|bound| bound.entrance.surface)
            .collect();
        assert_eq!(surfaces, [Surface::Main, Surface::Main, Surface::Admin]);
        assert!(listening[1].listener.local_addr().unwrap().is_ipv6());
        let taken = listening[0].listener.local_addr().unwrap();
        config.admin_listeners = Some(vec![Listener::parse(&format!("http://{taken}")).unwrap()]);
        let error = bind(&config).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("admin.listeners: can't listen on http://{taken}")),
            "{error}"
        );
    }
}
