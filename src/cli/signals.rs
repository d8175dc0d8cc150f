//! SIGTERM and SIGINT: the first begins the graceful stop, the second ends the process at once.

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::print_error;

/// Calls `stop` at the first signal.
///
/// # Errors
/// Handlers or the thread can't be made.
pub(super) fn on_stop(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let wait = move || {
        let mut stop = Some(stop);
        for signal in signals.forever() {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("signal");
            if let Some(stop) = stop.take() {
                tracing::info!(
                    signal = name,
                    "stopping; a second signal ends the process at once"
                );
                stop();
            } else {
                print_error("ended at once by a second signal; offsets may lag behind");
                std::process::exit(1);
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(256 << 10)
        .spawn(wait)?;
    Ok(())
}
