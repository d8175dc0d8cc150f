//! Why the REST API does not start.

/// The REST API can't start.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// A listener's address is taken or is not this machine's.
    #[error("listeners: can't listen on {address}: {source}{}", hint(source))]
    Bind {
        /// The address as configured.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A listener asks for what is not there yet.
    #[error(
        "listeners: {listener}: HTTPS is not supported by this version; use http:// on a loopback \
         address, behind a proxy that speaks TLS"
    )]
    Https {
        /// The address as configured.
        listener: String,
    },
    /// A rule for headers of answers is bad.
    #[error("response.http.headers.config: {reason}")]
    Headers {
        /// Which and why.
        reason: String,
    },
    /// Threads or the private socket can't be had.
    #[error("the REST API can't start: {0}")]
    Io(#[from] std::io::Error),
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
