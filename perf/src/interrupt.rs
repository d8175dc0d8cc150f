//! Ctrl-C and SIGTERM: a flag that every loop looks at, so that children are ended and what is finished
//! is written. A second signal does nothing more; the watchdog of `testbed` ends what is left in any case.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Catches the signals from now on.
///
/// # Errors
/// The handler cannot be set.
pub(crate) fn catch() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .map_err(|e| Error::Usage(format!("no handler for Ctrl-C: {e}")))
}

/// Whether one came.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// # Errors
/// [`Error::Interrupted`] when a signal came.
pub(crate) fn check() -> Result<()> {
    if interrupted() {
        Err(Error::Interrupted)
    } else {
        Ok(())
    }
}

/// Sleeps, unless a signal comes.
///
/// # Errors
/// [`Error::Interrupted`].
pub(crate) fn sleep(time: Duration) -> Result<()> {
    let deadline = Instant::now() + time;
    loop {
        check()?;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}
