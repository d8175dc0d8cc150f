//! A scenario: its settings, figures per system, and plots.

use maud::{Markup, html};

use super::{anchor, cells};
use crate::report::figures::Key;
use crate::report::numbers::{Unit, digits};
use crate::report::plot::{AxisSpec, Bar, Curve, Curves, Ticks, bars, curves};
use crate::report::summary::{Column, Row, Scenario, Summary};
use crate::results::{Kind, Run};

pub(super) fn render_all(summary: &Summary<'_>) -> Markup {
    if summary.scenarios.is_empty() {
        return html! { h2 { "Scenarios" } p { "None ran." } };
    }
    html! {
        h2 { "Scenarios" }
        @for (index, scenario) in summary.scenarios.iter().enumerate() {
            @if scenario.result.axis.is_some() {
                // A step of a series: its curve says the most, so that it waits folded, unless it has aims.
                details class="series" id=(anchor(index)) open[!scenario.verdicts.is_empty()] {
                    summary { (scenario.result.title) }
                    (body(scenario))
                }
            } @else {
                section id=(anchor(index)) {
                    h3 { (scenario.result.title) }
                    (body(scenario))
                }
            }
        }
    }
}

fn body(scenario: &Scenario<'_>) -> Markup {
    html! {
        p class="soft" {
            code { (scenario.result.name) } ", " (kind(scenario.result.kind))
        }
        ul class="parameters" {
            @for (name, value) in &scenario.result.parameters { li { b { (name) } " " (value) } }
        }
        @if scenario.rows.is_empty() {
            p class="warning" { "No run gave a figure." }
        } @else {
            (table(scenario))
            (plots(scenario))
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Throughput => "as fast as it goes",
        Kind::Latency => "at a fixed rate",
        Kind::Idle => "at rest",
        Kind::StartUp => "starting up",
        Kind::Cluster => "workers that share connectors",
    }
}

fn table(scenario: &Scenario<'_>) -> Markup {
    let noise = scenario.rows.iter().any(|row| row.noise.is_some());
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        th { "Figure" }
                        @for column in &scenario.columns { (column_head(column)) }
                        @if noise { th { "A/A noise" } }
                    }
                }
                tbody { @for row in &scenario.rows { (line(scenario, row, noise)) } }
            }
        }
    }
}

/// The system and in how many rounds it was measured.
fn column_head(column: &Column<'_>) -> Markup {
    let rounds = column.runs.len();
    html! {
        th {
            (column.title)
            span class="range" { (rounds) @if rounds == 1 { " round" } @else { " rounds" } }
        }
    }
}

fn line(scenario: &Scenario<'_>, row: &Row, noise: bool) -> Markup {
    html! {
        tr class=[row.figure.headline.then_some("main")] {
            th { (row.figure.title) }
            @for (cell, column) in row.cells.iter().zip(&scenario.columns) {
                td {
                    @match cell.spread {
                        Some(spread) => (cells::figure(row.figure.unit, spread)),
                        None => "—",
                    }
                    @if let Some(beside) = cell.beside { (cells::mark(beside, column.title)) }
                }
            }
            @if noise {
                td { @match row.noise { Some(percent) => { (digits(percent)) " %" }, None => "—" } }
            }
        }
    }
}

fn plots(scenario: &Scenario<'_>) -> Markup {
    let plain = |key, caption| bar_plot(scenario, key, caption);
    let starting = scenario.result.kind == Kind::StartUp;
    let drawn: Vec<Markup> = [
        rate(scenario),
        cpu(scenario),
        plain(Key::WholeCpuSeconds, "CPU of the whole life").filter(|_| starting),
        plain(Key::IdleCpu, "CPU at rest, of one CPU"),
        plain(Key::FirstAnswer, "Start to first REST answer").filter(|_| starting),
        plain(Key::Create, "Creating all connectors"),
        plain(Key::CreateToRunning, "First request to all RUNNING"),
        plain(Key::KillToRunning, "SIGKILL to all RUNNING elsewhere"),
        plain(Key::JoinToRunning, "Joining to all RUNNING"),
        plain(Key::PauseMax, "Longest pause of a task that moved"),
        latency(scenario),
        memory(scenario),
    ]
    .into_iter()
    .flatten()
    .collect();
    html! { div class="plots" { @for plot in &drawn { (plot) } } }
}

fn figure(caption: &str, small: &str, plot: &Markup) -> Markup {
    html! {
        figure {
            figcaption { (caption) small { (small) } }
            (plot)
        }
    }
}

fn rate(scenario: &Scenario<'_>) -> Option<Markup> {
    if scenario.result.kind == Kind::Latency {
        return None;
    }
    bar_plot(scenario, Key::Rate, "Records per second")
        .or_else(|| bar_plot(scenario, Key::WholeRate, "Records per second, whole life"))
}

fn bar_plot(scenario: &Scenario<'_>, key: Key, caption: &str) -> Option<Markup> {
    let row = scenario.rows.iter().find(|row| row.figure.key == key)?;
    let drawn: Vec<Bar<'_>> = row
        .cells
        .iter()
        .zip(&scenario.columns)
        .filter_map(|(cell, column)| {
            Some(Bar {
                slot: column.slot,
                name: column.title,
                spread: cell.spread?,
                first_part: None,
                note: String::new(),
            })
        })
        .collect();
    let plot = bars(&described(scenario, caption), row.figure.unit, &drawn);
    let less = row.figure.better(scenario.result.kind) == crate::report::figures::Better::Lower;
    let small = if less {
        "less is better; line: least to most"
    } else {
        "more is better; line: least to most"
    };
    Some(figure(caption, small, &plot))
}

/// What a plot says to those who can't see it.
fn described(scenario: &Scenario<'_>, caption: &str) -> String {
    format!(
        "{caption}: {}. The table above has the numbers.",
        scenario.result.title
    )
}

/// User mode and kernel, stacked.
fn cpu(scenario: &Scenario<'_>) -> Option<Markup> {
    let steady = scenario
        .columns
        .iter()
        .any(|column| scenario.spread(column.id, Key::Cpu).is_some());
    if !steady {
        return bar_plot(scenario, Key::WholeCpu, "CPU per record, whole life");
    }
    let drawn: Vec<Bar<'_>> = scenario
        .columns
        .iter()
        .filter_map(|column| {
            let spread = scenario.spread(column.id, Key::Cpu)?;
            let user = scenario.spread(column.id, Key::UserCpu)?.median;
            let system = scenario.spread(column.id, Key::SystemCpu)?.median;
            let both = user + system;
            Some(Bar {
                slot: column.slot,
                name: column.title,
                spread,
                first_part: Some(if both > 0.0 { user / both } else { 1.0 }),
                note: format!(
                    "({} % user)",
                    digits((user / both.max(f64::MIN_POSITIVE) * 100.0).round())
                ),
            })
        })
        .collect();
    let caption = "CPU per record, steady";
    let plot = bars(&described(scenario, caption), Unit::Nanoseconds, &drawn);
    let small = "less is better; full colour: user mode, pale: kernel";
    Some(figure(caption, small, &plot))
}

/// The run in the middle by what `of` says, which stands for its system in plots over time.
fn middle_run<'a>(column: &Column<'a>, of: impl Fn(&Run) -> Option<f64>) -> Option<&'a Run> {
    let mut runs: Vec<(f64, &Run)> = column
        .runs
        .iter()
        .filter_map(|run| Some((of(run)?, *run)))
        .collect();
    runs.sort_by(|one, other| one.0.total_cmp(&other.0));
    runs.get(runs.len().checked_sub(1)? / 2)
        .map(|(_, run)| *run)
}

fn memory(scenario: &Scenario<'_>) -> Option<Markup> {
    let drawn = scenario.columns.iter().filter_map(|column| {
        let run = middle_run(column, |run| {
            (!run.samples.is_empty()).then_some(run.peak_resident_bytes as f64)
        })?;
        let samples = run.samples.iter();
        Some(Curve {
            slot: column.slot,
            name: column.title,
            note: format!(
                "peak {}, round {}",
                Unit::Bytes.show(run.peak_resident_bytes as f64),
                run.round
            ),
            points: samples
                .map(|sample| (sample.seconds, sample.resident_bytes as f64))
                .collect(),
        })
    });
    let plot = curves(Curves {
        label: &described(scenario, "Resident memory over time"),
        x: AxisSpec {
            title: "Time since the process started",
            unit: Unit::Seconds,
            ticks: Ticks::Growing,
        },
        y: AxisSpec {
            title: "Resident memory",
            unit: Unit::Bytes,
            ticks: Ticks::Growing,
        },
        markers: false,
        curves: drawn.collect(),
    })?;
    let small = "each line ends where its run ended";
    Some(figure("Resident memory over time", small, &plot))
}

fn latency(scenario: &Scenario<'_>) -> Option<Markup> {
    let drawn = scenario.columns.iter().filter_map(|column| {
        let run = middle_run(column, |run| {
            run.latency.as_ref().map(|latency| latency.p99_ms)
        })?;
        let latency = run.latency.as_ref()?;
        Some(Curve {
            slot: column.slot,
            name: column.title,
            note: format!(
                "p99 {}, round {}",
                Unit::Milliseconds.show(latency.p99_ms),
                run.round
            ),
            points: latency.percentiles.clone(),
        })
    });
    let plot = curves(Curves {
        label: &described(scenario, "Latency by percentile"),
        x: AxisSpec {
            title: "Percentile",
            unit: Unit::Percent,
            ticks: Ticks::Percentiles,
        },
        y: AxisSpec {
            title: "Latency",
            unit: Unit::Milliseconds,
            ticks: Ticks::Round,
        },
        markers: false,
        curves: drawn.collect(),
    })?;
    let small = "from the time at which a record was due; less is better";
    Some(figure("Latency by percentile", small, &plot))
}
