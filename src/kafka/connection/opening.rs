//! How a connection comes to be: an address, TLS, the broker's versions, SASL.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;

use super::{Connection, Peer};
use crate::clients::{ClientError, CommonClientConfig};
use crate::kafka::sasl;
use crate::kafka::security::{HandshakeError, Security};
use crate::shard::{self, TcpStream};

impl Connection {
    /// Connects (each resolved address in turn), makes the connection secure as `security` asks, and asks
    /// for the broker's versions.
    ///
    /// # Errors
    /// `Disconnected` with the system's words; `Malformed` when no Kafka broker answers; `Authentication`,
    /// `Config`: see [`ClientError::is_refusal`].
    pub(in crate::kafka) async fn open(
        host: &str,
        port: u16,
        config: &CommonClientConfig,
        security: &Rc<Security>,
        setup: Duration,
    ) -> Result<Rc<Self>, ClientError> {
        let limit = config
            .request_timeout
            .min(setup.max(Duration::from_secs(1)));
        let peer = Peer {
            broker: format!("{host}:{port}").into(),
            host: host.to_owned(),
            client_id: StrBytes::from_string(config.client_id.clone()),
            security: Rc::clone(security),
            limit,
        };
        let stream = connect(host, port, setup).await;
        let stream = stream.map_err(|error| connecting(&peer.broker, &error))?;
        let connection = match &security.config().tls {
            None => Self::over(stream, peer, false),
            Some(tls) => match security.handshake(tls, stream, host, setup).await {
                Ok(stream) => Self::over(stream, peer, true),
                Err(error) => return Err(no_handshake(error, &peer, port, setup).await),
            },
        };
        connection.negotiate(limit).await?;
        if let Some(sasl) = &security.config().sasl {
            let lifetime = sasl::authenticate(&connection, sasl, security.tokens(), limit).await?;
            connection.session_lasts(lifetime);
        }
        Ok(connection)
    }
}

fn connecting(broker: &str, error: &io::Error) -> ClientError {
    ClientError::Disconnected {
        context: "connecting".to_owned(),
        broker: broker.to_owned(),
        reason: error.to_string(),
    }
}

/// The error of a TLS handshake that came to nothing. One that just broke off may have met a listener
/// without TLS, which closes such connections without a word; so that is tried.
async fn no_handshake(
    error: HandshakeError,
    peer: &Peer,
    port: u16,
    setup: Duration,
) -> ClientError {
    let reason = match error {
        HandshakeError::Settings(error) => return error,
        HandshakeError::Refused(reason) => reason,
        HandshakeError::Broken(error) if !speaks_plaintext(peer, port, setup).await => {
            let error = io::Error::new(error.kind(), format!("TLS handshake: {error}"));
            return connecting(&peer.broker, &error);
        }
        HandshakeError::Broken(_) => {
            "it speaks plain text on this port; look at security.protocol, or the port".to_owned()
        }
    };
    ClientError::Authentication {
        broker: peer.broker.to_string(),
        reason: format!("TLS: {reason}"),
    }
}

/// Whether a broker answers at `peer` without TLS. Nothing secret is sent.
async fn speaks_plaintext(peer: &Peer, port: u16, setup: Duration) -> bool {
    let limit = peer.limit;
    let Ok(stream) = connect(&peer.host, port, setup).await else {
        return false;
    };
    let peer = Peer {
        broker: Rc::clone(&peer.broker),
        host: peer.host.clone(),
        client_id: peer.client_id.clone(),
        security: Rc::default(),
        limit,
    };
    Connection::over(stream, peer, false)
        .negotiate(limit)
        .await
        .is_ok()
}

/// Tries each address of `host`.
async fn connect(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let addresses = shard::timeout(limit, shard::resolve(host, port))
        .await
        .map_err(|elapsed| io::Error::new(io::ErrorKind::TimedOut, elapsed))??;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match shard::connect(address, limit).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
