//! A SASL session that ends: it is proven anew in time, on the same connection (KIP-368). Requests that come
//! meanwhile are held; those before them are answered first, since a broker answers in order.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Connection, Failure, Shared, Slot};
use crate::kafka::protocol::Frame;
use crate::kafka::sasl;
use crate::shard;

/// A request that waits for the session to be proven anew.
#[derive(Debug)]
pub(super) struct Held {
    /// Name of the request.
    pub(super) api: &'static str,
    pub(super) frame: Frame,
    pub(super) slot: Rc<Slot>,
    pub(super) answered: bool,
}

impl Connection {
    /// Whether requests have to wait because the session is being proven anew; begins with that when it is
    /// time.
    pub(super) fn holds_back(&self) -> bool {
        let shared = &self.shared;
        let Some(at) = shared.prove_at.get() else {
            return false;
        };
        if shared.proving.get() {
            return true;
        }
        if Instant::now() < at {
            return false;
        }
        let Some(me) = self.me.upgrade() else {
            return false;
        };
        shared.proving.set(true);
        shard::spawn(async move { me.prove_session().await });
        true
    }

    /// The broker closes the connection when a request comes after `lifetime`, so that the session is proven
    /// anew in time: after 85 to 95 % of it, as Kafka's clients do, so that not all come at once.
    pub(super) fn session_lasts(&self, lifetime: Option<Duration>) {
        let at = lifetime.map(|lifetime| {
            let share = 0.85 + 0.1 * fastrand::f64();
            Instant::now() + lifetime.mul_f64(share)
        });
        self.shared.prove_at.set(at);
    }

    async fn prove_session(&self) {
        let peer = &self.shared.peer;
        let Some(sasl) = &peer.security.config().sasl else {
            return;
        };
        match sasl::authenticate(self, sasl, peer.security.tokens(), peer.limit).await {
            Ok(lifetime) => {
                tracing::debug!(broker = self.broker(), ?lifetime, "the session goes on");
                self.session_lasts(lifetime);
                self.shared.release();
            }
            // The connection has ended with the same error, unless it could not even be asked.
            Err(error) => self.shared.fail(&error.to_string()),
        }
    }
}

impl Shared {
    /// The session is proven: what was held goes out, in its order.
    fn release(&self) {
        self.proving.set(false);
        let held = self.held.take();
        for Held {
            api,
            frame,
            slot,
            answered,
        } in held
        {
            let theirs = Rc::clone(&slot);
            if let Err(reason) = self.admit(api, frame, theirs, answered) {
                slot.fill(Err(Rc::new(Failure::broken(reason))));
            }
        }
    }
}
