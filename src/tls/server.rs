//! The server's side.

use std::sync::Arc;

use rustls::ServerConfig;

use super::client::{chosen, unusable_key, unusable_versions, versions};
use super::error::TlsError;
use super::settings::Settings;
use super::{stores, trust};

pub(super) fn config(settings: &Settings) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = chosen(settings)?;
    let own = stores::identity(settings)?.ok_or_else(|| {
        TlsError::new(
            "ssl.keystore.location",
            "is needed for an https listener: the key store with its private key and certificate",
        )
    })?;
    let clients = trust::of_clients(settings, &provider)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(settings))
        .map_err(|error| unusable_versions(&error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(own.chain, own.key)
        .map_err(|error| unusable_key(&error))?;
    Ok(Arc::new(config))
}
