//! What the connections of one client share to be secure: settings, and the TLS configuration once it is
//! loaded.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_util::io::BufReader;
use rustls::pki_types::ServerName;

use super::sasl::Tokens;
use crate::clients::{ClientError, SecurityConfig};
use crate::shard::{self, TcpStream};
use crate::tls::{self, Settings};

/// Security of one client.
#[derive(Debug, Default)]
pub(super) struct Security {
    config: SecurityConfig,
    /// Loaded with the first connection: stores are read on the blocking pool.
    tls: RefCell<Option<Arc<rustls::ClientConfig>>>,
    tokens: Tokens,
}

/// rustls reads 4 KiB at a time; a record has up to 16.
const READ_AHEAD: usize = 32 << 10;

/// What goes through TLS.
pub(super) type SecureStream = TlsStream<BufReader<TcpStream>>;

/// How a handshake ended without a connection.
#[derive(Debug)]
pub(super) enum HandshakeError {
    /// The settings can't be used.
    Settings(ClientError),
    /// The peers did not accept each other, in words.
    Refused(String),
    /// The connection ended, or it took too long; the other side may speak no TLS.
    Broken(io::Error),
}

impl Security {
    pub(super) fn new(config: SecurityConfig) -> Self {
        Self {
            config,
            tls: RefCell::default(),
            tokens: Tokens::default(),
        }
    }

    pub(super) fn config(&self) -> &SecurityConfig {
        &self.config
    }

    /// Tokens of OAUTHBEARER.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Makes TLS of a connection to `host` within `limit`.
    ///
    /// # Errors
    /// See [`HandshakeError`].
    pub(super) async fn handshake(
        &self,
        settings: &Settings,
        stream: TcpStream,
        host: &str,
        limit: Duration,
    ) -> Result<SecureStream, HandshakeError> {
        let config = self.client_config(settings).await;
        let config = config.map_err(HandshakeError::Settings)?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            HandshakeError::Refused(format!(
                "{host} is no host name that a certificate can have"
            ))
        })?;
        let stream = BufReader::with_capacity(READ_AHEAD, stream);
        let shaken = TlsConnector::from(config).connect(name, stream);
        let error = match shard::timeout(limit, shaken).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(elapsed) => io::Error::new(io::ErrorKind::TimedOut, elapsed),
        };
        match refusal(&error, settings, host) {
            Some(reason) => Err(HandshakeError::Refused(reason)),
            None => Err(HandshakeError::Broken(error)),
        }
    }

    async fn client_config(
        &self,
        settings: &Settings,
    ) -> Result<Arc<rustls::ClientConfig>, ClientError> {
        let loaded = self.tls.borrow().as_ref().map(Arc::clone);
        if let Some(loaded) = loaded {
            return Ok(loaded);
        }
        let settings = settings.clone();
        let loaded = shard::blocking(move || tls::client_config(&settings)).await;
        let loaded = loaded
            .map_err(|error| ClientError::Config {
                key: "ssl.keystore.location, ssl.truststore.location",
                reason: error.to_string(),
            })?
            .map_err(|error| ClientError::Config {
                key: error.key,
                reason: match error.place {
                    Some(place) => format!("{place}: {}", error.reason),
                    None => error.reason,
                },
            })?;
        *self.tls.borrow_mut() = Some(Arc::clone(&loaded));
        Ok(loaded)
    }
}

/// What TLS has to say about a failed read, write or handshake; `None` when it is another matter.
pub(super) fn refusal(error: &io::Error, settings: &Settings, host: &str) -> Option<String> {
    let told = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(tls::explain(told, settings, host))
}
