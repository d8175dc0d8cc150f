//! What faces the network: accepts, bounds and checks, and hands whole requests to the backend.
//!
//! One thread accepts per listener; each connection has a thread with a small stack. There are at most
//! [`FrontSettings::connections_max`] of them, and never so many that files of tasks can't be opened; who
//! gives way to a newcomer says [`places`]. Errors of `accept` (such as too many open files) are waited out;
//! they never end a listener.

mod body;
mod buffer;
mod connection;
#[cfg(test)]
mod fuzz;
mod head;
mod large;
mod places;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::large::LargeBuffers;
use self::places::Places;
use super::backend::Backend;
use super::listen::{Bound, Entrance};

/// Stack of a connection's thread: a head's headers and a read buffer, and what a handshake takes.
const CONNECTION_STACK: usize = 128 << 10;
const TLS_STACK: usize = 256 << 10;
/// Wait after a failed `accept`.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// Time between two warnings about it.
const ACCEPT_WARNING: Duration = Duration::from_secs(10);
/// Of the files that the process may open, one in so many may be a connection of ours.
const FILES_SHARE: u64 = 4;

/// The front's bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrontSettings {
    /// Connections at a time.
    pub(super) connections_max: usize,
    /// Silence between two requests.
    pub(super) idle_timeout: Duration,
    /// For a whole TLS handshake.
    pub(super) handshake_timeout: Duration,
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
    /// Bodies of more than `body_free` at a time.
    pub(super) large_bodies_max: usize,
    /// Bytes of a body that is not large: no more than a thread's stack.
    pub(super) body_free: usize,
    /// For requests under way at a stop.
    pub(super) stop_timeout: Duration,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            connections_max: 256,
            idle_timeout: Duration::from_secs(90),
            handshake_timeout: Duration::from_secs(15),
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            head_max: 16 << 10,
            body_max: 4 << 20,
            large_bodies_max: 4,
            body_free: 64 << 10,
            stop_timeout: Duration::from_secs(5),
        }
    }
}

/// What all threads of the front share.
#[derive(Debug)]
struct Shared {
    settings: FrontSettings,
    backend: Backend,
    stopping: AtomicBool,
    large: LargeBuffers,
    places: Places,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
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
        listeners: Vec<Bound>,
        backend: Backend,
        settings: FrontSettings,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            settings,
            backend,
            stopping: AtomicBool::new(false),
            large: LargeBuffers::new(settings.large_bodies_max, settings.body_max),
            places: Places::new(settings.connections_max.min(files_share())),
        });
        let mut front = Self {
            shared,
            addresses: Vec::new(),
            listeners: Vec::new(),
            threads: Vec::new(),
        };
        for (index, bound) in listeners.into_iter().enumerate() {
            let Bound {
                listener, entrance, ..
            } = bound;
            front.addresses.push(listener.local_addr()?);
            front
                .listeners
                .push(TcpStream::from(OwnedFd::from(listener.try_clone()?)));
            let shared = Arc::clone(&front.shared);
            let thread = thread::Builder::new()
                .name(format!("rest-accept-{index}"))
                .stack_size(CONNECTION_STACK)
                .spawn(move || accept(&listener, &entrance, &shared))?;
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
        if shared.places.empty(deadline) {
            shared.backend.stop();
        } else {
            tracing::warn!("REST requests that take long are left behind");
        }
    }
}

/// Descriptors that connections may take: tasks need them as well.
fn files_share() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let share = limit.unwrap_or(u64::MAX) / FILES_SHARE;
    usize::try_from(share).unwrap_or(usize::MAX).max(1)
}

fn accept(listener: &TcpListener, entrance: &Entrance, shared: &Arc<Shared>) {
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = listener.accept();
        if shared.is_stopping() {
            return;
        }
        match accepted {
            Ok((stream, _)) => welcome(stream, entrance, shared),
            Err(error) => {
                if warned.is_none_or(|at| at.elapsed() > ACCEPT_WARNING) {
                    warned = Some(Instant::now());
                    tracing::warn!(%error, "REST connections can't be accepted; trying again");
                }
                if is_scarcity(&error) {
                    shared.places.give_one_up();
                } else {
                    thread::sleep(ACCEPT_BACKOFF);
                }
            }
        }
    }
}

/// Whether fewer connections would help.
fn is_scarcity(error: &io::Error) -> bool {
    let scarce = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| scarce.contains(&code))
}

fn welcome(stream: TcpStream, entrance: &Entrance, shared: &Arc<Shared>) {
    let Some((number, client)) = shared.places.admit(stream) else {
        // Dropped: closing is the shortest way to say no.
        tracing::debug!("a REST connection is turned away: all are busy");
        return;
    };
    let shared_too = Arc::clone(shared);
    let entrance = entrance.clone();
    let stack = match entrance.tls {
        Some(_) => TLS_STACK,
        None => CONNECTION_STACK,
    };
    let spawned = thread::Builder::new()
        .name("rest-connection".to_owned())
        .stack_size(stack)
        .spawn(move || {
            let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                connection::serve(&client, &entrance, &shared_too);
            }));
            shared_too.places.leave(number);
            if served.is_err() {
                tracing::error!("a REST connection's thread panicked");
            }
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for a REST connection");
        shared.places.leave(number);
    }
}
