//! Logs through `tracing`, as text or JSON, to standard error: standard output belongs to sinks.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Installs the subscriber of the process.
///
/// # Errors
/// The filter can't be read.
pub(super) fn start(filter: &str, format: Format) -> Result<(), String> {
    let filter = EnvFilter::builder().parse(filter).map_err(|error| {
        format!("--log-level {filter}: {error}; use error, warn, info, debug, trace or a filter")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(super::progress::LogWriter)
        .with_ansi(std::io::stderr().is_terminal());
    let installed = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    // An embedder's own subscriber stays.
    installed.unwrap_or(());
    Ok(())
}
