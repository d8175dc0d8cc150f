//! What stands in the cells of tables: numbers, marks, verdicts.

use maud::{Markup, html};

use crate::report::aims::Outcome;
use crate::report::comparison::{Comparison, Leader};
use crate::report::numbers::{Unit, digits, times};
use crate::report::spread::Spread;

/// The median with its range.
pub(super) fn figure(unit: Unit, spread: Spread) -> Markup {
    html! {
        span class="median" { (unit.show(spread.median)) }
        @if let Some(range) = unit.range(spread.least, spread.most, spread.median) {
            span class="range beside" { (range) }
        }
    }
}

/// Who leads, by how much; a peer is called by its name.
pub(super) fn mark(comparison: Comparison, peer: &str) -> Markup {
    match comparison.leader {
        Leader::Ours => {
            html! { span class="mark good" { "▲ Ringmain " (times(comparison.lead())) } }
        }
        Leader::Peer => {
            html! { span class="mark bad" { "▼ " (peer) " " (times(comparison.lead())) } }
        }
        Leader::Nobody => html! { span class="mark" { "= even" } },
    }
}

/// The verdict in words, with a colour.
pub(super) fn verdict(outcome: Outcome) -> Markup {
    match outcome {
        Outcome::Met => html! { span class="verdict good" { "✓ met" } },
        Outcome::NotMet => html! { span class="verdict bad" { "✗ not met" } },
        Outcome::BrokerBound(share) => html! {
            span class="verdict good" { "✓ broker-bound" }
            span class="range" { "broker at " (digits(share * 100.0)) " %" }
        },
        Outcome::NoFigure => html! { span class="verdict" { "no figure" } },
    }
}
