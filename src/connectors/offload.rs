//! A blocking call that runs while its owner works on.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::api::{ConnectError, LocalFuture};
use crate::shard::{BlockingError, blocking};

/// A call on a blocking thread, handed over at once and awaited later. Await it by `&mut` inside its
/// owner: then a dropped `poll` or `put` loses nothing, and the next one meets the same call.
pub(super) struct Offload<T>(State<T>);

enum State<T> {
    Running(LocalFuture<'static, Result<T, BlockingError>>),
    Ended(Option<Result<T, BlockingError>>),
}

impl<T: Send + Unpin + 'static> Offload<T> {
    /// Hands `call` over.
    pub(super) fn start(call: impl FnOnce() -> T + Send + 'static) -> Self {
        let mut future: LocalFuture<'static, _> = Box::pin(blocking(call));
        // The first poll submits the call; whoever awaits later registers the real waker.
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(result) => Self(State::Ended(Some(result))),
            Poll::Pending => Self(State::Running(future)),
        }
    }
}

impl<T> Offload<T> {
    /// Whether the result is there to be taken.
    pub(super) fn has_ended(&mut self) -> bool {
        if let State::Running(future) = &mut self.0 {
            let mut quiet = Context::from_waker(Waker::noop());
            if let Poll::Ready(result) = future.as_mut().poll(&mut quiet) {
                self.0 = State::Ended(Some(result));
            }
        }
        matches!(self.0, State::Ended(_))
    }
}

impl<T: Unpin> Future for Offload<T> {
    type Output = Result<T, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            State::Running(future) => match future.as_mut().poll(cx) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => return Poll::Pending,
            },
            State::Ended(result) => result.take(),
        };
        self.0 = State::Ended(None);
        Poll::Ready(match result {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(ConnectError::connect(error.to_string())),
            None => Err(ConnectError::connect(
                "the result of a blocking call was taken twice",
            )),
        })
    }
}

impl<T> std::fmt::Debug for Offload<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Offload")
    }
}
