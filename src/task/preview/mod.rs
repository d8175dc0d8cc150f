//! Records through a task's conversions one at a time, with their fate told instead of acted upon: what
//! `ringmain preview` shows.
//!
//! The conversions are those of the data path ([`SinkConversion`](super::conversion::SinkConversion),
//! [`SourceConversion`](super::conversion::SourceConversion)); nothing here converts. Nothing is
//! written and no offset moves.

mod round_trip;
#[cfg(test)]
pub(crate) mod samples;
mod sink;
mod source;
mod trace;

pub use round_trip::{RoundTrip, Written};
pub use sink::{SinkPreview, Span as OffsetSpan};
pub use source::{Roads, SourcePreview};
pub use trace::{Consumed, Fate, Origin, Produced, Step, Trace, Traced, watched};

use super::errors::{ErrorHandler, ErrorPolicy, Stage};
use crate::api::ConnectError;

/// Where and why a record failed.
#[derive(Debug)]
pub struct Failed {
    /// The step.
    pub stage: Stage,
    /// Java class name of the plugin that failed.
    pub plugin: &'static str,
    /// Its error.
    pub error: ConnectError,
}

impl From<(Stage, &'static str, ConnectError)> for Failed {
    fn from((stage, plugin, error): (Stage, &'static str, ConnectError)) -> Self {
        Self {
            stage,
            plugin,
            error,
        }
    }
}

/// Each record has one fate, whatever `errors.retry.timeout` and `errors.tolerance` say.
fn no_retries() -> ErrorHandler {
    ErrorHandler::new("preview".to_owned(), ErrorPolicy::default())
}
