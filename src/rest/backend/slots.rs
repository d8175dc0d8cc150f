//! Connections to the handlers: lent to one request each, in the order in which requests came, and
//! made when all are busy, up to a bound.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::rest::forward::Hop;

/// Most requests that are handled at a time: those that wait for a connector that hangs keep one each.
const HANDLERS_MAX: usize = 64;
/// Of these, those that requests which change something leave to others.
const RESERVED: usize = 4;
/// Of the rest, those that requests leave to others which are a hop further on their way. They end first: one at its last
/// hop never waits for another worker.
const RESERVED_PER_HOP: usize = 8;
/// Handlers that are added at a time: they share a server of tiny_http and its threads.
pub(super) const GROWTH: usize = 4;
/// Requests that change something and wait for a handler, by hop. More would take all places for connections, and
/// nobody could read any more.
const CHANGES_WAITING_MAX: [usize; HOPS] = [64, 48, 48];
const HOPS: usize = 3;
/// The error of a request that is one too many.
pub(in crate::rest) const BUSY: io::ErrorKind = io::ErrorKind::ResourceBusy;

/// What a request is about, as far as places go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    Reads,
    Changes(Hop),
}

impl Errand {
    pub(super) fn of(method: &str, target: &str) -> Self {
        match method {
            "GET" | "HEAD" | "OPTIONS" => Self::Reads,
            _ => Self::Changes(Hop::of_target(target)),
        }
    }
}

fn index(hop: Hop) -> usize {
    match hop {
        Hop::First => 0,
        Hop::Second => 1,
        Hop::Last => 2,
    }
}

/// Most handlers of requests that change something and have come so far, or less far.
fn handlers_max(index: usize) -> usize {
    HANDLERS_MAX - RESERVED - (HOPS - 1 - index) * RESERVED_PER_HOP
}

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
    /// Lent to requests that change something, by hop.
    changing: [usize; HOPS],
    /// Who came first stands first.
    waiting: VecDeque<Arc<Waiter>>,
}

/// A request that waits for a connection.
#[derive(Debug)]
struct Waiter {
    errand: Errand,
    granted: Mutex<Option<Slot>>,
    woken: Condvar,
}

impl Waiter {
    fn new(errand: Errand) -> Self {
        Self {
            errand,
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
    /// others.
    fn take(&mut self, errand: Errand) -> Option<Slot> {
        if !self.admits(errand) {
            return None;
        }
        let slot = self.free.pop().or_else(|| self.grow())?;
        if let Errand::Changes(hop) = errand {
            self.changing[index(hop)] += 1;
        }
        Some(slot)
    }

    fn admits(&self, errand: Errand) -> bool {
        let Errand::Changes(hop) = errand else {
            return true;
        };
        (index(hop)..HOPS).all(|hop| {
            let lent: usize = self.changing[..=hop].iter().sum();
            lent < handlers_max(hop)
        })
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
            match self.take(waiter.errand) {
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
            changing: [0; HOPS],
            waiting: VecDeque::new(),
        }))
    }

    /// Lends a connection to a request.
    ///
    /// # Errors
    /// [`BUSY`] when too many wait, [`io::ErrorKind::TimedOut`].
    pub(super) fn borrow(&self, errand: Errand, deadline: Instant) -> io::Result<Slot> {
        let mut state = lock(&self.0);
        if let Some(slot) = state.take(errand) {
            return Ok(slot);
        }
        if let Errand::Changes(hop) = errand {
            let alike = state
                .waiting
                .iter()
                .filter(|waiter| waiter.errand == errand);
            if alike.count() >= CHANGES_WAITING_MAX[index(hop)] {
                return Err(BUSY.into());
            }
        }
        let waiter = Arc::new(Waiter::new(errand));
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
    pub(super) fn give_back(&self, slot: Slot, errand: Errand) {
        let mut state = lock(&self.0);
        if let Errand::Changes(hop) = errand {
            state.changing[index(hop)] -= 1;
        }
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

    const LAST: Errand = Errand::Changes(Hop::Last);

    fn place(slots: &Slots, errand: Errand) -> io::Result<Slot> {
        slots.borrow(errand, soon())
    }

    /// Takes a place, and adds those beside it as the backend does with connections that it made.
    fn take(slots: &Slots, errand: Errand) {
        if matches!(place(slots, errand).expect("a place"), Slot::New) {
            let others = (1..GROWTH).map(|_| Slot::Broken);
            lock(&slots.0).free.extend(others);
        }
    }

    #[test]
    fn requests_that_change_something_leave_the_last_places_to_others() {
        let slots = Slots::new(Vec::new());
        for _ in RESERVED..HANDLERS_MAX {
            take(&slots, LAST);
        }
        let error = place(&slots, LAST).expect_err("no place for a change");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        for _ in 0..RESERVED {
            take(&slots, Errand::Reads);
        }
        let error = place(&slots, Errand::Reads).expect_err("the bound");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(lock(&slots.0).waiting.is_empty(), "nobody waits any more");
    }

    /// Takes places until there are none for such requests; how many.
    fn fill(slots: &Slots, errand: Errand) -> usize {
        let mut taken = 0;
        while lock(&slots.0).admits(errand) {
            take(slots, errand);
            taken += 1;
        }
        let error = place(slots, errand).expect_err("no place");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        taken
    }

    #[test]
    fn requests_on_their_way_have_places_that_those_before_them_leave_free() {
        let slots = Slots::new(Vec::new());
        let (first, second) = (Errand::Changes(Hop::First), Errand::Changes(Hop::Second));
        assert_eq!(fill(&slots, first), 44);
        assert_eq!(fill(&slots, second), 8);
        assert_eq!(fill(&slots, LAST), 8);
        take(&slots, Errand::Reads);
        // What ends further on makes room for what comes behind it, and not the other way round.
        slots.give_back(Slot::Broken, LAST);
        assert!(place(&slots, second).is_err() && place(&slots, first).is_err());
        take(&slots, LAST);
        slots.give_back(Slot::Broken, second);
        assert!(place(&slots, first).is_err(), "44 of them have places");
        take(&slots, second);
        slots.give_back(Slot::Broken, first);
        take(&slots, first);
    }

    #[test]
    fn so_many_wait_and_those_of_another_hop_none_the_less() {
        let slots = Arc::new(Slots::new(Vec::new()));
        let second = Errand::Changes(Hop::Second);
        fill(&slots, Errand::Changes(Hop::First));
        fill(&slots, second);
        let deadline = Instant::now() + Duration::from_secs(20);
        let most = CHANGES_WAITING_MAX[index(Hop::Second)];
        let wait = |_| {
            let slots = Arc::clone(&slots);
            std::thread::spawn(move || slots.borrow(second, deadline).map(|_| ()))
        };
        let waiting: Vec<_> = (0..most).map(wait).collect();
        while lock(&slots.0).waiting.len() < most {
            std::thread::yield_now();
        }
        let refused = place(&slots, second).expect_err("one too many");
        assert_eq!(refused.kind(), BUSY);
        let late = place(&slots, Errand::Changes(Hop::First)).expect_err("no place");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        take(&slots, LAST);
        for _ in &waiting {
            slots.give_back(Slot::Broken, second);
        }
        for thread in waiting {
            thread.join().expect("a waiter").expect("a place");
        }
    }

    #[test]
    fn who_came_first_is_served_first() {
        let slots = Arc::new(Slots::new(Vec::new()));
        for _ in 0..HANDLERS_MAX {
            take(&slots, Errand::Reads);
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
                    slots.borrow(Errand::Reads, deadline).expect("a place");
                    sender.send(number).expect("a receiver");
                }
            }));
            while lock(&slots.0).waiting.len() < waiting {
                std::thread::yield_now();
            }
        }
        for number in 0..3 {
            slots.give_back(Slot::Broken, Errand::Reads);
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
            assert!(matches!(place(&slots, Errand::Reads), Ok(Slot::New)));
            slots.shrink();
            lock(&slots.0).all -= 1;
        }
    }
}
