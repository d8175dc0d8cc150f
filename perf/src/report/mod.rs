//! Turns [`Results`] into what people read: a table for the terminal and one self-contained HTML page.
//!
//! The way through: [`figures`] says what can be read off a run, [`counted`] which runs count, [`spread`]
//! makes medians over rounds, [`comparison`] sets systems beside Ringmain, [`aims`] judges, [`summary`]
//! holds all of that per scenario, and [`table`] and [`page`] only print it. Nothing here measures, and nothing
//! derived is stored: `results.json` holds what was seen, so that a report can be made again.

mod aims;
mod comparison;
mod counted;
mod error;
mod figures;
mod files;
mod numbers;
mod page;
mod plot;
mod spread;
mod summary;
mod table;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use crate::results::Results;

pub use error::ReportError;
pub use files::{read, write};

/// [`crate::results::SystemInfo::id`] of the system that the others are set beside.
const OURS: &str = "ringmain";

/// The terminal's table: per scenario a line per figure and a column per system, then the aims, the noise
/// floor and the runs that gave no figure. Plain text, no colours, ends with a line end.
#[must_use]
pub fn table(results: &Results) -> String {
    table::render(&summary::Summary::of(results))
}

/// One HTML page with everything in it: style and plots are inline, nothing is fetched.
#[must_use]
pub fn html(results: &Results) -> String {
    page::render(&summary::Summary::of(results))
}
