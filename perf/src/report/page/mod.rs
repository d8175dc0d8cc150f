//! The HTML page: overview first, then each scenario, the scaling curves, and all raw data.

mod cells;
mod overview;
mod raw;
mod scaling;
mod scenario;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::numbers::{Unit, digits};
use super::summary::Summary;
use crate::results::Results;

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(super) fn render(summary: &Summary<'_>) -> String {
    let results = summary.results;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Nothing is fetched: not even by accident.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Ringmain measured, " (results.started) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(summary))
                (overview::render(summary))
                (scenario::render_all(summary))
                (scaling::render(summary))
                (raw::render(summary))
            }
        }
    };
    page.into_string()
}

fn head(summary: &Summary<'_>) -> Markup {
    let results = summary.results;
    let peers: Vec<&str> = summary
        .peers()
        .into_iter()
        .map(|id| summary.title(id))
        .collect();
    html! {
        header {
            h1 { "Ringmain measured" @if !peers.is_empty() { " beside " (listed(&peers)) } }
            p class="lead" { (time(&results.started)) " to " (time(&results.finished)) }
            @if results.interrupted {
                p class="warning" {
                    strong { "Interrupted." } " What is here is whole, but not all that was asked for."
                }
            }
            (facts(results))
        }
    }
}

/// `2026-11-22 21:00:00 UTC`.
fn time(rfc3339: &str) -> String {
    rfc3339.replacen('T', " ", 1).replacen('Z', " UTC", 1)
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn facts(results: &Results) -> Markup {
    let machine = &results.machine;
    html! {
        dl class="facts" {
            dt { "Machine" } dd {
                (machine.cpu) ", " (machine.cores) " CPUs, " (Unit::Bytes.show(machine.memory_bytes as f64)) " of memory"
            }
            dt { "System" } dd { (machine.os) ", Linux " (machine.kernel) ", files on " (machine.filesystem) }
            dt { "Load before" } dd { (digits(machine.load_before)) " over a minute" @if busy(results) { " (busy: expect noise)" } }
            @if let Some(java) = &machine.java { dt { "Java" } dd { (java) } }
            @for system in &results.systems { dt { (system.title) } dd { (system.version) } }
            dt { "Command" } dd { code { (results.command) } }
        }
    }
}

/// Whether something else kept a quarter of the machine busy.
fn busy(results: &Results) -> bool {
    results.machine.load_before > 0.25 * f64::from(results.machine.cores)
}

/// The anchor of a scenario's section.
fn anchor(index: usize) -> String {
    format!("scenario-{}", index + 1)
}
