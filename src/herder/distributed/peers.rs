//! Requests of this worker's own to the leader, one after the other on a thread (Kafka:
//! `forwardRequestExecutor`): the herder must not wait for another worker.

use std::thread;

use crossbeam::channel::{Sender, TrySendError, bounded};

use super::protocol::{PeerCall, PeerError};

/// Calls that may wait; there is one per connector at most.
const QUEUE: usize = 4096;

/// Sends calls. The thread ends with it.
#[derive(Debug)]
pub struct PeerCaller(Sender<PeerCall>);

impl PeerCaller {
    /// Starts the thread. `call` does one request; `answered` takes what came of it.
    ///
    /// # Errors
    /// The thread can't be made.
    pub fn start(
        call: impl Fn(&PeerCall) -> Result<(), PeerError> + Send + 'static,
        answered: impl Fn(PeerCall, Result<(), PeerError>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = bounded::<PeerCall>(QUEUE);
        thread::Builder::new()
            .name("peers".to_owned())
            .stack_size(1 << 20)
            .spawn(move || {
                for request in receiver {
                    let result = call(&request);
                    answered(request, result);
                }
            })?;
        Ok(Self(sender))
    }

    /// Has a call made.
    ///
    /// # Errors
    /// Too many wait, or the thread is gone.
    pub(super) fn post(&self, call: PeerCall) -> Result<(), PeerError> {
        self.0.try_send(call).map_err(|refused| PeerError {
            status: None,
            message: match refused {
                TrySendError::Full(_) => "too many requests to the leader wait".to_owned(),
                TrySendError::Disconnected(_) => "the worker is ending".to_owned(),
            },
        })
    }
}
