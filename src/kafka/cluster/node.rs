//! A broker's address and the connections to it, each opened by one background future at a time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clients::{ClientError, CommonClientConfig};
use crate::kafka::connection::Connection;
use crate::kafka::security::Security;
use crate::shard::{self, Notify};

/// What a connection is for. A broker answers a connection's requests one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka) enum Purpose {
    /// Produce, Fetch, metadata.
    Data,
    /// Group membership and offsets.
    Coordinator,
}

#[derive(Debug, Default)]
struct Slot {
    connection: RefCell<Option<Rc<Connection>>>,
    connecting: Cell<bool>,
    error: RefCell<Option<ClientError>>,
    changed: Notify,
}

/// A broker or a bootstrap server.
#[derive(Debug)]
pub(super) struct Node {
    id: Option<i32>,
    host: String,
    port: u16,
    security: Rc<Security>,
    data: Slot,
    coordinator: Slot,
    failures: Cell<u32>,
    retry_at: Cell<Option<Instant>>,
    closed: Cell<bool>,
}

/// `base` doubled `failures` times up to `max`, with 20 % jitter (KIP-144, KIP-580).
pub(in crate::kafka) fn jittered(base: Duration, max: Duration, failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures.min(20));
    let plain = base.saturating_mul(factor).min(max.max(base));
    plain.mul_f64(0.8 + 0.4 * fastrand::f64())
}

impl Node {
    pub(super) fn new(
        id: Option<i32>,
        host: String,
        port: u16,
        security: &Rc<Security>,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            host,
            port,
            security: Rc::clone(security),
            data: Slot::default(),
            coordinator: Slot::default(),
            failures: Cell::new(0),
            retry_at: Cell::new(None),
            closed: Cell::new(false),
        })
    }

    pub(super) fn is_at(&self, host: &str, port: u16) -> bool {
        self.host == host && self.port == port
    }

    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn slot(&self, purpose: Purpose) -> &Slot {
        match purpose {
            Purpose::Data => &self.data,
            Purpose::Coordinator => &self.coordinator,
        }
    }

    pub(super) fn open_connection(&self, purpose: Purpose) -> Option<Rc<Connection>> {
        let connection = self.slot(purpose).connection.borrow();
        connection
            .as_ref()
            .filter(|connection| !connection.is_closed())
            .map(Rc::clone)
    }

    /// How long the reconnect back-off still lasts.
    pub(super) fn backoff_left(&self) -> Duration {
        self.retry_at.get().map_or(Duration::ZERO, |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    /// The open connection, or one attempt to open it after the back-off. Callers share the attempt, and
    /// it goes on when a caller is dropped.
    pub(super) async fn connection(
        self: &Rc<Self>,
        purpose: Purpose,
        config: &CommonClientConfig,
    ) -> Result<Rc<Connection>, ClientError> {
        if let Some(open) = self.open_connection(purpose) {
            return Ok(open);
        }
        let slot = self.slot(purpose);
        let mark = slot.changed.mark();
        if !slot.connecting.replace(true) {
            let node = Rc::clone(self);
            let config = config.clone();
            shard::spawn(async move { node.connect(purpose, &config).await });
        }
        slot.changed.changed_since(mark).await;
        match self.open_connection(purpose) {
            Some(open) => Ok(open),
            None => Err(self.last_error(purpose)),
        }
    }

    fn last_error(&self, purpose: Purpose) -> ClientError {
        let error = self.slot(purpose).error.borrow().clone();
        error.unwrap_or_else(|| ClientError::Disconnected {
            context: "connecting".to_owned(),
            broker: self.address(),
            reason: "the connection ended at once".to_owned(),
        })
    }

    async fn connect(&self, purpose: Purpose, config: &CommonClientConfig) {
        let slot = self.slot(purpose);
        // However this future ends, those who wait go on.
        let _guard = Attempt(slot);
        let wait = self.backoff_left();
        if !wait.is_zero() {
            shard::sleep(wait).await;
        }
        let setup = jittered(
            config.connection_setup_timeout,
            config.connection_setup_timeout_max,
            self.failures.get(),
        );
        let result = match self.closed.get() {
            true => Err(ClientError::Closed),
            false => Connection::open(&self.host, self.port, config, &self.security, setup).await,
        };
        match result {
            Ok(connection) if !self.closed.get() => {
                self.failures.set(0);
                self.retry_at.set(None);
                *slot.connection.borrow_mut() = Some(connection);
            }
            Ok(_) => *slot.error.borrow_mut() = Some(ClientError::Closed),
            Err(error) => {
                tracing::debug!(broker = self.address(), id = ?self.id, %error, "no connection");
                let pause = jittered(
                    config.reconnect_backoff,
                    config.reconnect_backoff_max,
                    self.failures.get(),
                );
                self.failures.set(self.failures.get().saturating_add(1));
                self.retry_at.set(Some(Instant::now() + pause));
                *slot.error.borrow_mut() = Some(error);
            }
        }
    }

    /// Takes over the connection of another node at the same address, which is left without one.
    pub(super) fn adopt(&self, other: &Self) {
        if let Some(connection) = other.data.connection.take() {
            *self.data.connection.borrow_mut() = Some(connection);
        }
    }

    pub(super) fn close(&self) {
        self.closed.set(true);
        for slot in [&self.data, &self.coordinator] {
            if let Some(connection) = slot.connection.borrow_mut().take() {
                connection.close("the client was closed");
            }
        }
    }

    /// Closes connections that nobody has used for `idle` (`connections.max.idle.ms`).
    pub(super) fn close_idle(&self, idle: Duration) {
        for slot in [&self.data, &self.coordinator] {
            let mut connection = slot.connection.borrow_mut();
            let is_idle = connection.as_ref().is_some_and(|connection| {
                connection.is_closed()
                    || (connection.waiting() == 0 && connection.last_used().elapsed() >= idle)
            });
            if is_idle {
                *connection = None;
            }
        }
    }
}

/// One attempt to connect.
struct Attempt<'a>(&'a Slot);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.connecting.set(false);
        self.0.changed.notify();
    }
}
