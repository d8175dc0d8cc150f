//! An error that can be given more than once: what a cache keeps of a look-up that failed.

use std::error::Error;

use crate::api::{ConnectError, ErrorKind};

/// A [`ConnectError`] with its causes.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    kind: ErrorKind,
    class: &'static str,
    message: String,
    cause: Option<Box<Failure>>,
}

impl Failure {
    /// Everything that `error` says.
    pub(super) fn of(error: &ConnectError) -> Self {
        let cause = error.source().map(|cause| {
            Box::new(match cause.downcast_ref::<ConnectError>() {
                Some(cause) => Self::of(cause),
                None => Self {
                    kind: ErrorKind::Connect,
                    class: "java.io.IOException",
                    message: cause.to_string(),
                    cause: None,
                },
            })
        });
        Self {
            kind: error.kind(),
            class: error.java_class(),
            message: error.message().to_owned(),
            cause,
        }
    }

    /// Whether a later try may end better.
    pub(super) fn is_retriable(&self) -> bool {
        self.kind == ErrorKind::Retriable
    }

    /// The error again.
    pub(super) fn to_error(&self) -> ConnectError {
        let error = ConnectError::new(self.kind, self.message.clone()).with_class(self.class);
        match &self.cause {
            Some(cause) => error.with_source(cause.to_error()),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_with_its_causes() {
        let error = ConnectError::retriable("outer").with_source(
            ConnectError::data("inner")
                .with_class("a.B")
                .with_source("io"),
        );
        let failure = Failure::of(&error);
        assert!(failure.is_retriable());
        let trace = failure.to_error().trace();
        assert!(trace.contains("RetriableException: outer"), "{trace}");
        assert!(trace.contains("Caused by: a.B: inner"), "{trace}");
        assert!(trace.ends_with("io\n"), "{trace}");
    }
}
