//! Raw data: how to repeat each row, and every run with its command lines, files and numbers.

use maud::{Markup, html};

use super::anchor;
use crate::report::OURS;
use crate::report::counted;
use crate::report::figures::FIGURES;
use crate::report::numbers::Unit;
use crate::report::summary::{Scenario, Summary};
use crate::results::{Run, Span};

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    if summary.scenarios.is_empty() {
        return html! {};
    }
    html! {
        h2 { "How to repeat a row, and all runs" }
        p {
            "The first command of a scenario measures it again, with peers and checks. The others are what took part in a run, \
            the worker first and the broker after it, with the files that they read: start the broker first to do it by hand. \
            Everything below is in " code { "results.json" } " too."
        }
        @for (index, scenario) in summary.scenarios.iter().enumerate() {
            details {
                summary { (scenario.result.title) " " a href={ "#" (anchor(index)) } { "(figures)" } }
                (scenario_body(summary, scenario))
            }
        }
    }
}

fn scenario_body(summary: &Summary<'_>, scenario: &Scenario<'_>) -> Markup {
    html! {
        p { "Again, as a whole:" }
        pre { code { (scenario.result.repeat) } }
        @for column in &scenario.columns {
            @if let Some(run) = by_hand(scenario, column.id) {
                p { "By hand, " (column.title) " (round " (run.round) ", its files are below):" }
                (commands(run))
            }
        }
        @for run in &scenario.result.runs {
            details {
                summary { (run_title(summary, scenario, run)) }
                (run_body(run))
            }
        }
    }
}

/// A run whose commands stand for its system: one that counts, else any.
fn by_hand<'a>(scenario: &Scenario<'a>, id: &str) -> Option<&'a Run> {
    let counting = scenario
        .column(id)
        .and_then(|column| column.runs.first().copied());
    counting
        .or_else(|| scenario.result.runs.iter().find(|run| run.system == id))
        .filter(|run| !run.commands.is_empty())
}

fn run_title(summary: &Summary<'_>, scenario: &Scenario<'_>, run: &Run) -> String {
    let id = scenario
        .column(&run.system)
        .map_or(OURS, |column| column.id);
    let series = if run.series == "b" {
        ", second series"
    } else {
        ""
    };
    let state = match counted::why_not(scenario.result.kind, run) {
        Some(_) => "no figure",
        None if run.verification.is_some() => "verified",
        None => "nothing to verify",
    };
    format!(
        "{}, round {}{series}: {state}",
        summary.title(id),
        run.round
    )
}

fn commands(run: &Run) -> Markup {
    html! { pre { code { (run.commands.join("\n")) } } }
}

fn run_body(run: &Run) -> Markup {
    html! {
        @if let Some(error) = &run.error { p class="warning log" { (error) } }
        @if let Some(check) = &run.verification {
            p {
                "Found " (check.found) " of " (check.expected) " records, checked by " (check.reader) "; checksum "
                code { (check.checksum) } ", expected " code { (check.expected_checksum) } "."
            }
        }
        (commands(run))
        @for (name, text) in &run.files {
            p { code { (name) } }
            pre { code { (text) } }
        }
        (numbers(run))
        @if run.cluster.is_none() { (spans(run)) }
        (samples(run))
    }
}

/// All figures of this run alone.
fn numbers(run: &Run) -> Markup {
    html! {
        div class="scroll" {
            table {
                tbody {
                    @for figure in &FIGURES {
                        @if let Some(value) = figure.of(run) {
                            tr { th { (figure.title) } td { (figure.unit.show(value)) } }
                        }
                    }
                }
            }
        }
    }
}

fn spans(run: &Run) -> Markup {
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        th { "Stretch" } th { "Time" } th { "Records" } th { "Payload" } th { "Worker, user" }
                        th { "Worker, kernel" } th { "Broker, user" } th { "Broker, kernel" }
                    }
                }
                tbody {
                    (span("whole life", &run.whole))
                    @if let Some(steady) = &run.steady { (span("steady", steady)) }
                }
            }
        }
    }
}

fn span(name: &str, span: &Span) -> Markup {
    let seconds = |value: f64| Unit::Seconds.show(value);
    html! {
        tr {
            th { (name) }
            td { (seconds(span.seconds)) }
            td { (span.records) }
            td { (Unit::Bytes.show(span.bytes as f64)) }
            td { (seconds(span.user_seconds)) }
            td { (seconds(span.system_seconds)) }
            td { (seconds(span.broker_user_seconds)) }
            td { (seconds(span.broker_system_seconds)) }
        }
    }
}

fn samples(run: &Run) -> Markup {
    let (Some(first), Some(last)) = (run.samples.first(), run.samples.last()) else {
        return html! {};
    };
    let resident = || run.samples.iter().map(|sample| sample.resident_bytes);
    html! {
        p class="soft" {
            (run.samples.len()) " samples between " (Unit::Seconds.show(first.seconds)) " and "
            (Unit::Seconds.show(last.seconds)) "; resident memory "
            (Unit::Bytes.show(resident().min().unwrap_or(0) as f64)) " to "
            (Unit::Bytes.show(resident().max().unwrap_or(0) as f64)) "."
        }
    }
}
