//! The REST API: Kafka Connect's paths, statuses and texts (contract 1).
//!
//! ```text
//! client → front (accept, bounds, strict heads) → backend (tiny_http on a private socket, 4 handlers)
//!        → router → resource → herder
//! ```
//!
//! The front faces the network with threads of its own and hands over requests that are whole and
//! checked; tiny_http never sees what a client wrote. Handlers ask the herder and wait for its answer,
//! each with a deadline; they hold no lock meanwhile. `response.rs` is the one place where errors
//! become statuses. Nothing here runs on a shard.
//!
//! The room uses the herder and what lies below it. Without `listeners` it listens on the loopback
//! interface alone, where Kafka listens on all: nobody shall reach an unguarded API by default.

mod backend;
mod connectors;
mod context;
mod entities;
mod error;
mod front;
#[cfg(test)]
mod fuzz;
mod header_rules;
mod json_body;
mod lifecycle;
mod listen;
mod plugins;
mod response;
mod root;
mod router;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

pub use context::RestContext;
pub use error::RestError;

use self::backend::Backend;
use self::front::{Front, FrontSettings};
use self::header_rules::HeaderRules;
use self::router::{Cors, Router};
use crate::config::worker::RestConfig;
use crate::herder::HerderHandle;

/// The running REST API.
#[derive(Debug)]
pub struct RestServer {
    front: Front,
    worker_id: String,
}

impl RestServer {
    /// Binds all listeners and starts to answer.
    ///
    /// # Errors
    /// A listener asks for HTTPS, its address is taken, or threads can't be made.
    pub fn start(
        config: &RestConfig,
        herder: HerderHandle,
        context: Arc<RestContext>,
    ) -> Result<Self, RestError> {
        Self::start_with(config, herder, context, FrontSettings::default())
    }

    fn start_with(
        config: &RestConfig,
        herder: HerderHandle,
        context: Arc<RestContext>,
        settings: FrontSettings,
    ) -> Result<Self, RestError> {
        let headers = HeaderRules::parse(&config.response_headers);
        let headers = headers.map_err(|reason| RestError::Headers { reason })?;
        let bound = listen::bind(config)?;
        let worker_id = listen::advertised(config, &bound);
        let scheme = config.advertised_listener.as_deref().unwrap_or("http");
        let router = Router {
            herder,
            context,
            base_url: format!("{scheme}://{worker_id}"),
            worker_id: worker_id.clone(),
            cors: Cors {
                origins: config.allow_origin.clone(),
                methods: config.allow_methods.clone(),
            },
            headers,
            waiting: AtomicUsize::new(0),
        };
        let backend = Backend::start(router)?;
        let listeners = bound.into_iter().map(|bound| bound.listener).collect();
        let front = Front::start(listeners, backend, settings)?;
        Ok(Self { front, worker_id })
    }

    /// Where it listens, one address per listener.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.front.addresses()
    }

    /// `host:port` of the advertised URL, which names this worker in answers.
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// Takes no more requests and ends, after those under way at most some seconds.
    pub fn stop(self) {
        self.front.stop();
    }
}
