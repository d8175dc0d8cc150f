//! The REST API: Kafka Connect's paths, statuses and texts.

mod context;
mod error;

use std::net::SocketAddr;
use std::sync::Arc;

pub use context::RestContext;
pub use error::RestError;

use crate::config::worker::RestConfig;
use crate::herder::HerderHandle;

/// The running REST API.
#[derive(Debug)]
pub struct RestServer {
    addresses: Vec<SocketAddr>,
}

impl RestServer {
    /// Starts to listen.
    ///
    /// # Errors
    /// A listener can't be had.
    pub fn start(
        _config: &RestConfig,
        _herder: HerderHandle,
        _context: Arc<RestContext>,
    ) -> Result<Self, RestError> {
        Ok(Self {
            addresses: Vec::new(),
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Ends it.
    pub fn stop(self) {}
}
