//! Connections to the handlers: lent to one request each, in the order in which requests came, and
//! made when all are busy, up to a bound.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Most requests that are handled at a time: those that wait for a connector that hangs keep one each.
const HANDLERS_MAX: usize = 64;
/// Of these, those that requests which change something leave to others.
const RESERVED: usize = 4;
/// Handlers that are added at a time: they share a server of tiny_http and its threads.
pub(super) const GROWTH: usize = 4;
/// Requests that change something and wait for a handler. More would take all places for connections, and
/// nobody could read any more.
const CHANGES_WAITING_MAX: usize = 64;
/// The error of a request that is one too many.
pub(in crate::rest) const BUSY: io::ErrorKind = io::ErrorKind::ResourceBusy;

/// A connection to a handler, or a place for one.
#[derive(Debug)]
pub(super) enum Slot {
    Connected(UnixStream),
    /// The first of [`GROWTH`] places whose connections are still to be made.
    New,
    /// It broke, or could not be made.
    Broken,
}

/// All connections to handlers, free and lent.
#[derive(Debug)]
pub(super) struct Slots(Mutex<State>);

#[derive(Debug)]
struct State {
    free: Vec<Slot>,
    /// Those that are lent included.
    all: usize,
    /// Lent to requests that change something.
    changing: usize,
    /// Who came first stands first.
    waiting: VecDeque<Arc<Waiter>>,
}

/// A request that waits for a connection.
#[derive(Debug)]
struct Waiter {
    changes: bool,
    granted: Mutex<Option<Slot>>,
    woken: Condvar,
}

impl Waiter {
    fn new(changes: bool) -> Self {
        Self {
            changes,
            granted: Mutex::new(None),
            woken: Condvar::new(),
        }
    }

    fn grant(&self, slot: Slot) {
        *lock(&self.granted) = Some(slot);
        self.woken.notify_one();
    }

    /// The connection; `None` when it did not come in time.
    fn wait(&self, deadline: Instant) -> Option<Slot> {
        let mut granted = lock(&self.granted);
        while granted.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let woken = self.woken.wait_timeout(granted, left);
            granted = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        granted.take()
    }
}

impl State {
    /// A free connection, or the place for one that can still be made, unless the last ones must stay for
    /// those who only read.
    fn take(&mut self, changes: bool) -> Option<Slot> {
        if changes && self.changing >= HANDLERS_MAX - RESERVED {
            return None;
        }
        let slot = self.free.pop().or_else(|| self.grow())?;
        self.changing += usize::from(changes);
        Some(slot)
    }

    fn grow(&mut self) -> Option<Slot> {
        if self.all + GROWTH > HANDLERS_MAX {
            return None;
        }
        self.all += GROWTH;
        Some(Slot::New)
    }

    /// Hands free connections to those who wait.
    fn serve_waiting(&mut self) {
        let mut at = 0;
        while let Some(waiter) = self.waiting.get(at) {
            let waiter = Arc::clone(waiter);
            match self.take(waiter.changes) {
                Some(slot) => {
                    self.waiting.remove(at);
                    waiter.grant(slot);
                }
                None if self.free.is_empty() => return,
                None => at += 1,
            }
        }
    }
}

impl Slots {
    pub(super) fn new(streams: Vec<UnixStream>) -> Self {
        Self(Mutex::new(State {
            all: streams.len(),
            free: streams.into_iter().map(Slot::Connected).collect(),
            changing: 0,
            waiting: VecDeque::new(),
        }))
    }

    /// Lends a connection to a request, one that `changes` something or only reads.
    ///
    /// # Errors
    /// [`BUSY`] when too many wait, [`io::ErrorKind::TimedOut`].
    pub(super) fn borrow(&self, changes: bool, deadline: Instant) -> io::Result<Slot> {
        let mut state = lock(&self.0);
        if let Some(slot) = state.take(changes) {
            return Ok(slot);
        }
        let changes_wait = state.waiting.iter().filter(|waiter| waiter.changes);
        if changes && changes_wait.count() >= CHANGES_WAITING_MAX {
            return Err(BUSY.into());
        }
        let waiter = Arc::new(Waiter::new(changes));
        state.waiting.push_back(Arc::clone(&waiter));
        drop(state);
        if let Some(slot) = waiter.wait(deadline) {
            return Ok(slot);
        }
        let mut state = lock(&self.0);
        state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
        // It may have come at the last moment.
        let granted = lock(&waiter.granted).take();
        granted.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    /// Takes back what [`Self::borrow`] gave for a request of the same kind.
    pub(super) fn give_back(&self, slot: Slot, changes: bool) {
        let mut state = lock(&self.0);
        state.changing -= usize::from(changes);
        state.free.push(slot);
        state.serve_waiting();
    }

    /// Takes in the others of the connections that [`Slot::New`] stood for.
    pub(super) fn add(&self, streams: Vec<UnixStream>) {
        let mut state = lock(&self.0);
        state.free.extend(streams.into_iter().map(Slot::Connected));
        state.serve_waiting();
    }

    /// The connections that [`Slot::New`] stood for could not be made: its own place alone stays.
    pub(super) fn shrink(&self) {
        lock(&self.0).all -= GROWTH - 1;
    }

    /// Closes what is not lent.
    pub(super) fn close(&self) {
        lock(&self.0).free.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn place(slots: &Slots, changes: bool) -> io::Result<Slot> {
        slots.borrow(changes, soon())
    }

    /// Takes a place, and adds those beside it as the backend does with connections that it made.
    fn take(slots: &Slots, changes: bool) {
        if matches!(place(slots, changes).expect("a place"), Slot::New) {
            let others = (1..GROWTH).map(|_| Slot::Broken);
            lock(&slots.0).free.extend(others);
        }
    }

    #[test]
    fn requests_that_change_something_leave_the_last_places_to_others() {
        let slots = Slots::new(Vec::new());
        for _ in RESERVED..HANDLERS_MAX {
            take(&slots, true);
        }
        let error = place(&slots, true).expect_err("no place for a change");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        for _ in 0..RESERVED {
            take(&slots, false);
        }
        let error = place(&slots, false).expect_err("the bound");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(lock(&slots.0).waiting.is_empty(), "nobody waits any more");
    }

    #[test]
    fn who_came_first_is_served_first() {
        let slots = Arc::new(Slots::new(Vec::new()));
        for _ in 0..HANDLERS_MAX {
            take(&slots, false);
        }
        let (sender, served) = std::sync::mpsc::channel();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut threads = Vec::new();
        for number in 0..3 {
            let (slots, sender) = (Arc::clone(&slots), sender.clone());
            let waiting = number + 1;
            threads.push(std::thread::spawn({
                let slots = Arc::clone(&slots);
                move || {
                    slots.borrow(false, deadline).expect("a place");
                    sender.send(number).expect("a receiver");
                }
            }));
            while lock(&slots.0).waiting.len() < waiting {
                std::thread::yield_now();
            }
        }
        for number in 0..3 {
            slots.give_back(Slot::Broken, false);
            assert_eq!(served.recv(), Ok(number));
        }
        for thread in threads {
            thread.join().expect("a waiter");
        }
    }

    #[test]
    fn places_whose_connections_could_not_be_made_can_be_had_again() {
        let slots = Slots::new(Vec::new());
        for _ in 0..HANDLERS_MAX {
            assert!(matches!(place(&slots, false), Ok(Slot::New)));
            slots.shrink();
            lock(&slots.0).all -= 1;
        }
    }
}
