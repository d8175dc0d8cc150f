//! TLS settings in Kafka's words, for whoever opens or accepts connections: `kafka` towards brokers, `rest`
//! towards its callers.
//!
//! [`Settings::parse`] reads Kafka's `ssl.*` keys without touching a file; [`client_config`] and
//! [`server_config`] then load the stores (PEM, PKCS12, JKS) and make configurations of rustls, with the one
//! crypto provider of this program. Loading reads files and derives keys from passwords, which takes
//! milliseconds to tenths of a second: not on a shard. Nothing here runs a connection.
//!
//! A store is what its first bytes say, as in Java, where `JKS` and `PKCS12` read each other's files. The
//! two formats are read by own code: they are small, and the readers that exist follow chains of
//! certificates without end or keys without a bound. Passwords and key texts are [`Password`](crate::api::config_def::Password)s, which no log
//! and no error shows.

mod client;
mod der;
mod error;
#[cfg(test)]
mod fuzz;
mod http;
mod jks;
mod pbe;
mod pem;
mod pkcs12;
mod server;
mod settings;
mod stores;
#[cfg(test)]
mod tests;
mod trust;

use std::sync::Arc;

pub use client::explain;
pub use error::TlsError;
pub use settings::{ClientAuth, Identity, Settings, Store, StoreKind, Trust};

/// A configuration for connections that this program opens. Without a trust store the public roots
/// (webpki-roots) are trusted, as Java trusts its own. Blocks.
///
/// # Errors
/// A store that can't be read or opened, names that rustls does not have; each names key and file.
pub fn client_config(settings: &Settings) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    client::config(settings)
}

/// The same for requests over HTTP, in the form that ureq takes. Host names are checked whatever
/// `ssl.endpoint.identification.algorithm` says; versions and cipher suites are ureq's. Blocks.
///
/// # Errors
/// A store that can't be read or opened; each names key and file.
pub fn http_config(settings: &Settings) -> Result<ureq::tls::TlsConfig, TlsError> {
    http::config(settings)
}

/// A configuration for connections that this program accepts; `ssl.client.auth` says whether it asks callers
/// for a certificate. Blocks.
///
/// # Errors
/// As [`client_config`]; no key store; client certificates asked for without a trust store.
pub fn server_config(settings: &Settings) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    server::config(settings)
}
