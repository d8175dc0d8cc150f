//! The REST API: Kafka Connect's paths, statuses and texts (contract 1).
//!
//! ```text
//! client → front (accept, bounds, strict heads) → backend (tiny_http on a private socket, 4 to 64 handlers)
//!        → router → auth → resource → herder
//! ```
//!
//! The front faces the network with threads of its own and hands over requests that are whole and
//! checked; tiny_http never sees what a client wrote. Handlers ask the herder and wait for its answer,
//! each with a deadline; they hold no lock meanwhile. What another worker of the cluster has to answer is asked
//! there by the handler (`forward/`). `response.rs` is the one place where errors
//! become statuses. Nothing here runs on a shard.
//!
//! `GET /ui` is a page that uses the same API (`ui/`).
//!
//! The room uses the herder and what lies below it. Without `listeners` it listens on the loopback
//! interface alone, where Kafka listens on all: nobody shall reach an unguarded API by default.

mod auth;
mod backend;
mod connectors;
mod context;
mod cors;
mod entities;
mod error;
mod forward;
mod front;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod hang_tests;
mod header_rules;
mod internal;
mod json_body;
mod lifecycle;
mod listen;
mod loggers;
mod metrics;
mod offsets;
mod plugins;
mod preview;
mod response;
mod root;
mod router;
mod stalls;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;
mod topics;
mod ui;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

pub use context::RestContext;
pub use error::RestError;

use self::auth::Guard;
use self::backend::Backend;
use self::cors::Cors;
use self::front::{Front, FrontSettings};
use self::header_rules::HeaderRules;
use self::listen::{Advertised, Bound};
use self::router::{AdminPlace, Router};
use crate::config::worker::RestConfig;
use crate::herder::HerderHandle;
use crate::herder::validation::Validator;

/// Listeners that are bound and do not answer yet.
#[derive(Debug)]
pub struct RestListeners {
    bound: Vec<Bound>,
    advertised: Advertised,
}

impl RestListeners {
    /// Binds all listeners.
    ///
    /// # Errors
    /// A listener asks for HTTPS that can't be had, or its address is taken.
    pub fn bind(config: &RestConfig) -> Result<Self, RestError> {
        let bound = listen::bind(config)?;
        let advertised = listen::advertised(config, &bound);
        Ok(Self { bound, advertised })
    }

    /// `host:port` of the advertised URL, which names the worker in statuses.
    pub fn worker_id(&self) -> &str {
        &self.advertised.address
    }

    /// The URL that other workers are told, with a slash at its end.
    pub fn url(&self) -> String {
        format!("{}/", self.advertised.url())
    }
}

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
        Self::start_on(RestListeners::bind(config)?, config, herder, context)
    }

    /// Starts to answer on listeners that are bound.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(
        listeners: RestListeners,
        config: &RestConfig,
        herder: HerderHandle,
        context: Arc<RestContext>,
    ) -> Result<Self, RestError> {
        Self::start_with(listeners, config, herder, context, FrontSettings::default())
    }

    fn start_with(
        listeners: RestListeners,
        config: &RestConfig,
        herder: HerderHandle,
        context: Arc<RestContext>,
        settings: FrontSettings,
    ) -> Result<Self, RestError> {
        let headers = HeaderRules::parse(&config.response_headers);
        let headers = headers.map_err(|reason| RestError::Headers { reason })?;
        let cors = Cors::parse(&config.allow_origin, &config.allow_methods);
        let cors = cors.map_err(|reason| RestError::Cors { reason })?;
        let kafka_opts = std::env::var("KAFKA_OPTS").ok();
        let guard = Guard::load(config, kafka_opts.as_deref())?;
        let RestListeners { bound, advertised } = listeners;
        let router = Router {
            validator: Validator::new(Arc::clone(&context.shared)),
            herder,
            context,
            base_url: advertised.url(),
            worker_id: advertised.address.clone(),
            cors,
            headers,
            guard,
            admin: match config.admin_listeners.as_deref() {
                None => AdminPlace::Main,
                Some([]) => AdminPlace::Nowhere,
                Some(_) => AdminPlace::Own,
            },
            waiting: AtomicUsize::new(0),
            previewing: AtomicBool::new(false),
        };
        let backend = Backend::start(router)?;
        let front = Front::start(bound, backend, settings)?;
        Ok(Self {
            front,
            worker_id: advertised.address,
        })
    }

    /// Where it listens: one address per listener, those of the admin API last.
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
