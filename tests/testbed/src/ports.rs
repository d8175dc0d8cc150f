//! Free ports on loopback.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// First port and number of ports we hand out. They lie below the range from which the kernel
/// takes local ports, so that a port stays ours while its server is down for a restart.
const FIRST: u32 = 18_000;
const COUNT: u32 = 14_000;

/// A loopback port that nobody listens on, and that this process was not given before.
///
/// # Panics
/// When all are taken.
pub fn free_port() -> u16 {
    try_free_port().unwrap_or_else(|e| panic!("{e}"))
}

/// As [`free_port`].
///
/// # Errors
/// All ports of our range are taken.
pub fn try_free_port() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port =
            u16::try_from(FIRST + start.wrapping_add(step) % COUNT).map_err(io::Error::other)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other(format!(
        "no free port between {FIRST} and {}",
        FIRST + COUNT
    )))
}
