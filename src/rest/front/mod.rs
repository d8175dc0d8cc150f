//! What faces the network: accepts, bounds and checks, and hands whole requests to the backend.
//!
//! One thread accepts per listener; each connection has a thread with a small stack. There are at most
//! [`FrontSettings::connections_max`] of them: a new client takes the place of the one that has been
//! waited for longest, and is turned away only when all are busy with requests. Errors of `accept`
//! (such as too many open files) are waited out; they never end a listener.

mod connection;
#[cfg(test)]
mod fuzz;
mod head;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::backend::Backend;

/// Stack of a connection's thread: a head's headers and a read buffer.
const CONNECTION_STACK: usize = 128 << 10;
/// Wait after a failed `accept`.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// Time between two warnings about it.
const ACCEPT_WARNING: Duration = Duration::from_secs(10);
/// How long a new client waits for the place of another.
const EVICTION_WAIT: Duration = Duration::from_secs(3);

/// The front's bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrontSettings {
    /// Connections at a time.
    pub(super) connections_max: usize,
    /// Silence between two requests.
    pub(super) idle_timeout: Duration,
    /// From a head's first byte to its last.
    pub(super) head_timeout: Duration,
    /// For a whole body.
    pub(super) body_timeout: Duration,
    /// For a whole answer to be taken.
    pub(super) write_timeout: Duration,
    /// Bytes of a head.
    pub(super) head_max: usize,
    /// Bytes of a body.
    pub(super) body_max: usize,
    /// Bytes of all bodies at a time.
    pub(super) bodies_max: usize,
    /// For requests under way at a stop.
    pub(super) stop_timeout: Duration,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            connections_max: 256,
            idle_timeout: Duration::from_secs(90),
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            head_max: 16 << 10,
            body_max: 4 << 20,
            bodies_max: 16 << 20,
            stop_timeout: Duration::from_secs(5),
        }
    }
}

/// A client's connection as others see it.
#[derive(Debug)]
struct Client {
    stream: TcpStream,
    /// Since when it is waited for; `None` while a request is handled.
    idle_since: Mutex<Option<Instant>>,
}

impl Client {
    fn set_idle(&self, idle: bool) {
        *lock(&self.idle_since) = idle.then(Instant::now);
    }
}

/// What all threads of the front share.
#[derive(Debug)]
struct Shared {
    settings: FrontSettings,
    backend: Backend,
    stopping: AtomicBool,
    memory: AtomicUsize,
    clients: Mutex<Clients>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Clients {
    next: u64,
    open: BTreeMap<u64, Arc<Client>>,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn take_memory(&self, bytes: usize) -> bool {
        let max = self.settings.bodies_max;
        let fits = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= max);
        self.memory
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits)
            .is_ok()
    }

    fn give_memory(&self, bytes: usize) {
        self.memory.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// A place for a new client, made by ending the longest wait if need be.
    fn admit(&self, stream: TcpStream) -> Option<(u64, Arc<Client>)> {
        let mut clients = lock(&self.clients);
        if clients.open.len() >= self.settings.connections_max {
            if !evict(&clients) {
                return None;
            }
            let full = |clients: &mut Clients| clients.open.len() >= self.settings.connections_max;
            let waited = self.left.wait_timeout_while(clients, EVICTION_WAIT, full);
            let (after, result) = waited.unwrap_or_else(PoisonError::into_inner);
            if result.timed_out() {
                return None;
            }
            clients = after;
        }
        let client = Arc::new(Client {
            stream,
            idle_since: Mutex::new(Some(Instant::now())),
        });
        clients.next += 1;
        let id = clients.next;
        clients.open.insert(id, Arc::clone(&client));
        Some((id, client))
    }

    fn leave(&self, id: u64) {
        lock(&self.clients).open.remove(&id);
        self.left.notify_all();
    }
}

/// Shuts the connection that has been waited for longest; `false` when all are busy.
fn evict(clients: &Clients) -> bool {
    let waits = clients.open.values().filter_map(|client| {
        let since = *lock(&client.idle_since);
        since.map(|since| (since, client))
    });
    let Some((_, client)) = waits.min_by_key(|(since, _)| *since) else {
        return false;
    };
    client.stream.shutdown(Shutdown::Both).unwrap_or(());
    true
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running front.
#[derive(Debug)]
pub(super) struct Front {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    /// Ends the accept threads when shut down.
    listeners: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Front {
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        backend: Backend,
        settings: FrontSettings,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            settings,
            backend,
            stopping: AtomicBool::new(false),
            memory: AtomicUsize::new(0),
            clients: Mutex::default(),
            left: Condvar::new(),
        });
        let mut front = Self {
            shared,
            addresses: Vec::new(),
            listeners: Vec::new(),
            threads: Vec::new(),
        };
        for (index, listener) in listeners.into_iter().enumerate() {
            front.addresses.push(listener.local_addr()?);
            front
                .listeners
                .push(TcpStream::from(OwnedFd::from(listener.try_clone()?)));
            let shared = Arc::clone(&front.shared);
            let thread = thread::Builder::new()
                .name(format!("rest-accept-{index}"))
                .stack_size(CONNECTION_STACK)
                .spawn(move || accept(&listener, &shared))?;
            front.threads.push(thread);
        }
        Ok(front)
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more requests, lets those under way end, and ends the threads.
    pub(super) fn stop(self) {
        let shared = &self.shared;
        shared.stopping.store(true, Ordering::Release);
        for listener in &self.listeners {
            listener.shutdown(Shutdown::Both).unwrap_or(());
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread that accepts REST connections panicked");
            }
        }
        let deadline = Instant::now() + shared.settings.stop_timeout;
        let mut clients = lock(&shared.clients);
        while !clients.open.is_empty() && Instant::now() < deadline {
            shut_idle(&clients);
            let waited = shared.left.wait_timeout(clients, ACCEPT_BACKOFF);
            clients = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let all_left = clients.open.is_empty();
        drop(clients);
        if all_left {
            shared.backend.stop();
        } else {
            tracing::warn!("REST requests that take long are left behind");
        }
    }
}

fn shut_idle(clients: &Clients) {
    for client in clients.open.values() {
        if lock(&client.idle_since).is_some() {
            client.stream.shutdown(Shutdown::Both).unwrap_or(());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = listener.accept();
        if shared.is_stopping() {
            return;
        }
        match accepted {
            Ok((stream, _)) => welcome(stream, shared),
            Err(error) => {
                if warned.is_none_or(|at| at.elapsed() > ACCEPT_WARNING) {
                    warned = Some(Instant::now());
                    tracing::warn!(%error, "REST connections can't be accepted; trying again");
                }
                // Descriptors may be scarce: those of waiting clients help.
                shut_idle(&lock(&shared.clients));
                thread::sleep(ACCEPT_BACKOFF);
            }
        }
    }
}

fn welcome(stream: TcpStream, shared: &Arc<Shared>) {
    let Some((id, client)) = shared.admit(stream) else {
        // Dropped: closing is the shortest way to say no.
        tracing::debug!("a REST connection is turned away: all are busy");
        return;
    };
    let shared_too = Arc::clone(shared);
    let spawned = thread::Builder::new()
        .name("rest-connection".to_owned())
        .stack_size(CONNECTION_STACK)
        .spawn(move || {
            let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                connection::serve(&client, &shared_too);
            }));
            shared_too.leave(id);
            if served.is_err() {
                tracing::error!("a REST connection's thread panicked");
            }
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for a REST connection");
        shared.leave(id);
    }
}
