//! A herder that answers what a test wants.

use std::thread;

use crossbeam::channel::bounded;

use super::driver::Message;
use super::entities::HerderError;
use super::handle::{HerderHandle, Limits};
use super::standalone::{Reply, Request};

/// A handle whose requests are answered by `answer`, each on a thread of its own, so that one that takes its time
/// keeps no other waiting. Ends with the last handle.
pub(crate) fn handle(
    limits: Limits,
    answer: impl Fn(Request) -> Result<Reply, HerderError> + Clone + Send + 'static,
) -> HerderHandle {
    let (sender, receiver) = bounded(1024);
    thread::spawn(move || {
        for message in receiver {
            if let Message::Request(_, request, sender) = message {
                let answer = answer.clone();
                thread::spawn(move || drop(sender.send(answer(*request))));
            }
        }
    });
    HerderHandle::new(sender, limits)
}
