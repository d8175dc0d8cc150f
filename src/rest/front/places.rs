//! Places for connections: a bounded number, and who gives way when all are taken.
//!
//! A newcomer to a full house takes the place of the client that has been waited for longest, if that is
//! more than a moment: so clients that say nothing, trickle or do not read give way, and one that has just
//! come has time to say what it wants. Where everybody is being served, the next answer ends its connection.
//! Newcomers wait in the kernel's queue meanwhile, in the order in which they came.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lock;

/// How long a client may be waited for before it has to give way.
const GRACE: Duration = Duration::from_millis(100);
/// How long a newcomer waits for a place.
const ADMISSION_LIMIT: Duration = Duration::from_secs(3);

/// A client's connection as others see it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: TcpStream,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Since when the client is waited for; `None` while its request is handled.
    since: Option<Instant>,
    /// Its connection was shut; its thread has not noticed yet.
    evicted: bool,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            waiting: Mutex::new(Waiting {
                since: Some(Instant::now()),
                evicted: false,
            }),
        }
    }

    /// Something new is expected of the client: bytes of it, or that it takes ours.
    pub(super) fn is_waited_for(&self) {
        lock(&self.waiting).since = Some(Instant::now());
    }

    /// Its request is handled, which is nothing that the client could speed up.
    pub(super) fn is_served(&self) {
        lock(&self.waiting).since = None;
    }

    fn evict(&self) {
        lock(&self.waiting).evicted = true;
        // It may have gone by itself.
        self.stream.shutdown(Shutdown::Both).unwrap_or(());
    }
}

/// The places and who has them.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    open: Mutex<Open>,
    left: Condvar,
    /// Somebody waits for a place: the next answer should end its connection.
    is_wanted: AtomicBool,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    clients: BTreeMap<u64, Arc<Client>>,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: Mutex::default(),
            left: Condvar::new(),
            is_wanted: AtomicBool::new(false),
        }
    }

    /// A place for a newcomer and the number to [`leave`](Self::leave) it with; `None` when all stay busy.
    pub(super) fn admit(&self, stream: TcpStream) -> Option<(u64, Arc<Client>)> {
        let deadline = Instant::now() + ADMISSION_LIMIT;
        let mut open = lock(&self.open);
        while open.clients.len() >= self.max {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.is_wanted.store(true, Ordering::Release);
            let patience = make_room(&open).min(left);
            let woken = self.left.wait_timeout(open, patience);
            open = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.is_wanted.store(false, Ordering::Release);
        let client = Arc::new(Client::new(stream));
        open.next += 1;
        let number = open.next;
        open.clients.insert(number, Arc::clone(&client));
        Some((number, client))
    }

    /// Whether a connection that could stay should end, for the sake of a newcomer. Says so once.
    pub(super) fn give_way(&self) -> bool {
        self.is_wanted.swap(false, Ordering::AcqRel)
    }

    pub(super) fn leave(&self, number: u64) {
        lock(&self.open).clients.remove(&number);
        self.left.notify_all();
    }

    /// Descriptors are scarce: one that is waited for gives its own back, if there is one. Waits for that, or
    /// a moment.
    pub(super) fn give_one_up(&self) {
        self.is_wanted.store(true, Ordering::Release);
        let open = lock(&self.open);
        let patience = make_room(&open);
        drop(self.left.wait_timeout(open, patience));
    }

    /// Shuts every connection that is waited for.
    fn shut_waiting(&self) {
        for client in lock(&self.open).clients.values() {
            if lock(&client.waiting).since.is_some() {
                client.evict();
            }
        }
    }

    /// Waits until everybody has left; `false` when `deadline` comes first. Shuts who is waited for.
    pub(super) fn empty(&self, deadline: Instant) -> bool {
        loop {
            self.shut_waiting();
            let open = lock(&self.open);
            if open.clients.is_empty() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            // Who is being served will be waited for when that ends.
            drop(self.left.wait_timeout(open, GRACE));
        }
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        lock(&self.open).clients.len()
    }
}

/// Shuts the connection that has been waited for longest, if it may be; tells how long to wait for a place.
fn make_room(open: &Open) -> Duration {
    let mut longest: Option<(Instant, &Client)> = None;
    for client in open.clients.values() {
        let waiting = lock(&client.waiting);
        let Some(since) = waiting.since else {
            continue;
        };
        if waiting.evicted {
            // Its thread leaves in a moment.
            return GRACE;
        }
        if longest.is_none_or(|(earliest, _)| since < earliest) {
            longest = Some((since, client.as_ref()));
        }
    }
    match longest {
        Some((since, client)) if since.elapsed() >= GRACE => {
            client.evict();
            GRACE
        }
        Some((since, _)) => GRACE.saturating_sub(since.elapsed()),
        None => GRACE,
    }
}
