//! Why the REST API does not start.

use crate::tls::TlsError;

/// The REST API can't start.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// A listener's address is taken or is not this machine's.
    #[error("{key}: can't listen on {address}: {source}{}", hint(source))]
    Bind {
        /// `listeners` or `admin.listeners`.
        key: &'static str,
        /// The address as configured.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// An HTTPS listener's stores or settings can't be used.
    #[error("{prefix}{source}, for {listener}")]
    Https {
        /// Of the key that `source` names.
        prefix: &'static str,
        /// The address as configured.
        listener: String,
        /// Which key, which file and why.
        source: TlsError,
    },
    /// A rule for headers of answers is bad.
    #[error("response.http.headers.config: {reason}")]
    Headers {
        /// Which and why.
        reason: String,
    },
    /// `access.control.allow.origin` can't be used.
    #[error("access.control.allow.origin: {reason}")]
    Cors {
        /// Which entry and why.
        reason: String,
    },
    /// What says who may get in can't be used.
    #[error("{key}: {reason}")]
    Auth {
        /// The key that named it.
        key: &'static str,
        /// The file and what is wrong with it; no secret.
        reason: String,
    },
    /// Threads or the private socket can't be had.
    #[error("the REST API can't start: {0}")]
    Io(#[from] std::io::Error),
}

impl RestError {
    /// What `key` names can't be used as a guard.
    pub(super) fn auth(key: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Auth { key, reason }
    }
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another process listens there (another Connect worker?), choose another port"
        }
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "",
    }
}
