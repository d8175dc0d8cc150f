//! The terminal's table.

use super::aims::{Aim, BROKER_BOUND_RULE, Outcome, Verdict, broker_share};
use super::comparison::{Comparison, Leader};
use super::numbers::{digits, times};
use super::summary::{Cell, Row, Scenario, Summary};

/// The whole text.
pub(super) fn render(summary: &Summary<'_>) -> String {
    let machine = &summary.results.machine;
    let mut out = format!(
        "{} · {} CPUs · {} · {}\n",
        summary.results.started, machine.cores, machine.cpu, machine.kernel
    );
    if summary.results.interrupted {
        out.push_str("Interrupted: what is here is whole, but not all that was asked for.\n");
    }
    for scenario in &summary.scenarios {
        out.push('\n');
        scenario_block(&mut out, summary, scenario);
    }
    noise_floor(&mut out, summary);
    legend(&mut out, summary);
    out
}

fn scenario_block(out: &mut String, summary: &Summary<'_>, scenario: &Scenario<'_>) {
    let result = scenario.result;
    out.push_str(&format!("{} — {}\n", result.name, result.title));
    let mut lines = vec![header(scenario)];
    lines.extend(
        scenario
            .rows
            .iter()
            .filter(|row| row.figure.headline)
            .map(line),
    );
    if lines.len() > 1 {
        columns(out, &lines);
    } else {
        out.push_str("  no figures\n");
    }
    for verdict in &scenario.verdicts {
        out.push_str(&format!("  {}\n", aim(summary, scenario, verdict)));
    }
    for excluded in &scenario.excluded {
        out.push_str(&format!(
            "  no figure from {}, round {}: {}\n",
            excluded.system,
            excluded.round(),
            excluded.reason()
        ));
    }
}

fn header(scenario: &Scenario<'_>) -> Vec<String> {
    let mut cells = vec![String::new()];
    cells.extend(
        scenario
            .columns
            .iter()
            .map(|column| column.title.to_owned()),
    );
    if scenario.rows.iter().any(|row| row.noise.is_some()) {
        cells.push("A/A".into());
    }
    cells
}

fn line(row: &Row) -> Vec<String> {
    let mut cells = vec![row.figure.title.to_owned()];
    cells.extend(row.cells.iter().map(|value| cell(row, value)));
    if let Some(noise) = row.noise {
        cells.push(format!("{} %", digits(noise)));
    }
    cells
}

/// `112 k/s (110–115) ▲20.6×`.
fn cell(row: &Row, cell: &Cell) -> String {
    let Some(spread) = cell.spread else {
        return "—".into();
    };
    let mut text = row.figure.unit.show(spread.median);
    let unit = row.figure.unit;
    if let Some(range) = unit.range(spread.least, spread.most, spread.median) {
        text.push_str(&format!(" ({range})"));
    }
    if let Some(beside) = cell.beside {
        text.push_str(&format!(" {}", mark(beside)));
    }
    text
}

fn mark(comparison: Comparison) -> String {
    match comparison.leader {
        Leader::Ours => format!("▲{}", times(comparison.lead())),
        Leader::Peer => format!("▼{}", times(comparison.lead())),
        Leader::Nobody => "=".into(),
    }
}

/// Left-aligned columns, two spaces apart.
fn columns(out: &mut String, lines: &[Vec<String>]) {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|at| {
            let cells = lines.iter().filter_map(|line| line.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for line in lines {
        let mut text = String::from(" ");
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&format!(" {cell:width$} "));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}

fn aim(summary: &Summary<'_>, scenario: &Scenario<'_>, verdict: &Verdict<'_>) -> String {
    let outcome = match verdict.outcome {
        Outcome::Met => "met".to_owned(),
        Outcome::NotMet => match broker_share(scenario, summary.results.machine.cores) {
            Some(share) if verdict.what == "Rate" => format!(
                "NOT MET (broker kept {} % of the CPUs left to it busy)",
                digits(share * 100.0)
            ),
            _ => "NOT MET".to_owned(),
        },
        Outcome::BrokerBound(share) => format!(
            "broker-bound ({} % of the CPUs left to it)",
            digits(share * 100.0)
        ),
        Outcome::NoFigure => "no figure".to_owned(),
    };
    let none = || "not measured".to_owned();
    let (asked, measured) = match verdict.aim {
        Aim::Beside {
            peer,
            least,
            beside,
        } => (
            format!("≥ {} beside {}", times(least), summary.title(peer)),
            beside.map_or_else(none, |beside| times(beside.comparison.ratio)),
        ),
        Aim::AtMost { figure, most, ours } => (
            format!("≤ {} in every round", figure.unit.show(most)),
            ours.map_or_else(none, |ours| figure.unit.show(ours.most)),
        ),
    };
    format!("aim: {} {asked}: {measured}, {outcome}", verdict.what)
}

fn noise_floor(out: &mut String, summary: &Summary<'_>) {
    let floor = summary.noise_floor();
    if floor.is_empty() {
        return;
    }
    out.push_str(
        "\nNoise floor (A/A: medians of two series of the same system, largest distance)\n",
    );
    let lines: Vec<Vec<String>> = floor
        .iter()
        .filter(|(figure, _)| figure.headline)
        .map(|(figure, percent)| vec![figure.title.to_owned(), format!("{} %", digits(*percent))])
        .collect();
    columns(out, &lines);
}

fn legend(out: &mut String, summary: &Summary<'_>) {
    out.push_str("\nMedian over rounds (least–most).");
    if !summary.peers().is_empty() {
        out.push_str(
            " ▲ Ringmain is better by that factor, ▼ the peer is, = within the noise floor.",
        );
    }
    out.push('\n');
    let bound = summary
        .scenarios
        .iter()
        .flat_map(|scenario| &scenario.verdicts);
    if bound.into_iter().any(|verdict| verdict.what == "Rate") {
        out.push_str(BROKER_BOUND_RULE);
        out.push('\n');
    }
}
