//! Logs through `tracing`, as text or JSON, to standard error: standard output belongs to sinks.

use std::io::IsTerminal;
use std::sync::Arc;

use clap::ValueEnum;

use crate::logging::Loggers;

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Installs the subscriber of the process; gives the loggers whose levels can be changed.
///
/// # Errors
/// The filter can't be read.
pub(super) fn start(filter: &str, format: Format) -> Result<Arc<Loggers>, String> {
    let refused = |error: String| {
        format!("--log-level {filter}: {error}; use error, warn, info, debug, trace or a filter")
    };
    let loggers = Loggers::parse(filter).map_err(refused)?;
    let levels = loggers.filter().map_err(refused)?;
    let builder = tracing_subscriber::fmt()
        .with_writer(super::progress::LogWriter)
        .with_ansi(std::io::stderr().is_terminal());
    let installed = match format {
        Format::Text => {
            let builder = builder.with_env_filter(levels).with_filter_reloading();
            let handle = builder.reload_handle();
            loggers.attach(move |levels| handle.reload(levels).map_err(|error| error.to_string()));
            builder.try_init()
        }
        Format::Json => {
            let builder = builder
                .json()
                .with_env_filter(levels)
                .with_filter_reloading();
            let handle = builder.reload_handle();
            loggers.attach(move |levels| handle.reload(levels).map_err(|error| error.to_string()));
            builder.try_init()
        }
    };
    // An embedder's own subscriber stays, with levels that are not ours to change.
    match installed {
        Ok(()) => Ok(Arc::new(loggers)),
        Err(_) => Ok(Arc::new(Loggers::none())),
    }
}
