//! The tables that come first: aims and verdicts, every comparison, noise floor, runs without figures.

use maud::{Markup, html};

use super::{anchor, cells};
use crate::report::OURS;
use crate::report::aims::{Aim, BROKER_BOUND_RULE, Outcome, Verdict};
use crate::report::comparison::Leader;
use crate::report::numbers::{digits, times};
use crate::report::spread::Spread;
use crate::report::summary::{Beside, Measure, Scenario, Summary};

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    html! {
        (aims(summary))
        (comparisons(summary))
        (noise(summary))
        (excluded(summary))
        (reading())
    }
}

fn outcomes<'s>(summary: &'s Summary<'_>) -> impl Iterator<Item = Outcome> + 's {
    let verdicts = summary
        .scenarios
        .iter()
        .flat_map(|scenario| &scenario.verdicts);
    verdicts.map(|verdict| verdict.outcome)
}

fn aims(summary: &Summary<'_>) -> Markup {
    if outcomes(summary).next().is_none() {
        return html! {};
    }
    let count = |wanted: fn(&Outcome) -> bool| outcomes(summary).filter(wanted).count();
    let tally = [
        (
            "good",
            "✓",
            "met",
            count(|outcome| *outcome == Outcome::Met),
        ),
        (
            "good",
            "✓",
            "broker-bound",
            count(|outcome| matches!(outcome, Outcome::BrokerBound(_))),
        ),
        (
            "bad",
            "✗",
            "not met",
            count(|outcome| *outcome == Outcome::NotMet),
        ),
        (
            "",
            "",
            "without a figure",
            count(|outcome| *outcome == Outcome::NoFigure),
        ),
    ];
    html! {
        h2 { "Aims" }
        ul class="tally" {
            @for (class, sign, words, count) in tally.iter().filter(|(.., count)| *count > 0) {
                li { span class={ "verdict " (class) } { (sign) " " (count) " " (words) } }
            }
        }
        div class="scroll" {
            table {
                thead { tr { th { "Scenario" } th { "Aim" } th { "Measured" } th { "Verdict" } th { "Ringmain" } th { "Peer" } } }
                tbody {
                    @for (index, scenario) in summary.scenarios.iter().enumerate() {
                        @for (place, verdict) in scenario.verdicts.iter().enumerate() {
                            tr {
                                @if place == 0 { (name(index, scenario, scenario.verdicts.len())) }
                                (verdict_cells(summary, verdict))
                            }
                        }
                    }
                }
            }
        }
        p class="soft" { (BROKER_BOUND_RULE) }
    }
}

/// The scenario's name before `rows` rows.
fn name(index: usize, scenario: &Scenario<'_>, rows: usize) -> Markup {
    html! {
        th rowspan=(rows) { a href={ "#" (anchor(index)) } { (scenario.result.title) } }
    }
}

/// The verdict comes before the figures, to be in sight on a phone.
fn verdict_cells(summary: &Summary<'_>, verdict: &Verdict<'_>) -> Markup {
    let none = || "—".to_owned();
    let (asked, measured, ours, peer) = match verdict.aim {
        Aim::Beside {
            peer,
            least,
            beside,
        } => {
            let median = |of: fn(&Beside) -> f64| {
                let beside = beside.as_ref();
                beside.map_or_else(none, |beside| beside.figure.unit.show(of(beside)))
            };
            (
                format!("≥ {} beside {}", times(least), summary.title(peer)),
                beside.map_or_else(none, |beside| times(beside.comparison.ratio)),
                median(|beside| beside.ours.median),
                median(|beside| beside.peer.median),
            )
        }
        Aim::AtMost { figure, most, ours } => {
            let show =
                |of: fn(Spread) -> f64| ours.map_or_else(none, |ours| figure.unit.show(of(ours)));
            (
                format!("≤ {} in every round", figure.unit.show(most)),
                show(|ours| ours.most),
                show(|ours| ours.median),
                none(),
            )
        }
    };
    html! {
        td { (verdict.what) span class="range" { (asked) } }
        td { strong { (measured) } }
        td { (cells::verdict(verdict.outcome)) }
        td { (ours) }
        td { (peer) }
    }
}

/// A scenario beside one peer.
struct Line<'s, 'a> {
    scenario: &'s Scenario<'a>,
    /// Its place in the file.
    index: usize,
    peer: &'a str,
    /// In the order of [`Measure::ALL`].
    measures: Vec<Option<Beside>>,
}

/// Where there is anything to compare.
fn lines<'s, 'a>(summary: &'s Summary<'a>) -> Vec<Line<'s, 'a>> {
    let pairs = summary
        .scenarios
        .iter()
        .enumerate()
        .flat_map(|(index, scenario)| {
            scenario
                .peers()
                .map(move |column| (index, scenario, column.id))
        });
    pairs
        .map(|(index, scenario, peer)| Line {
            scenario,
            index,
            peer,
            measures: Measure::ALL
                .iter()
                .map(|measure| scenario.beside(*measure, peer))
                .collect(),
        })
        .filter(|line| line.measures.iter().any(Option::is_some))
        .collect()
}

fn comparisons(summary: &Summary<'_>) -> Markup {
    let lines = lines(summary);
    if lines.is_empty() {
        return html! {};
    }
    let used: Vec<usize> = (0..Measure::ALL.len())
        .filter(|at| lines.iter().any(|line| line.measures[*at].is_some()))
        .collect();
    let led = |leader: Leader| {
        let all = lines.iter().flat_map(|line| line.measures.iter().flatten());
        all.filter(|beside| beside.comparison.leader == leader)
            .count()
    };
    html! {
        h2 { "Who leads where" }
        ul class="tally" {
            li { span class="mark good" { "▲ Ringmain leads in " (led(Leader::Ours)) " comparisons" } }
            li { span class="mark bad" { "▼ a peer leads in " (led(Leader::Peer)) } }
            li { span class="mark" { "= even in " (led(Leader::Nobody)) } }
        }
        div class="scroll" {
            table {
                thead { tr { th { "Scenario" } @for at in &used { th { (Measure::ALL[*at].title()) } } } }
                tbody { @for line in &lines { (comparison_line(summary, line, &used)) } }
            }
        }
    }
}

fn comparison_line(summary: &Summary<'_>, line: &Line<'_, '_>, used: &[usize]) -> Markup {
    let peer = summary.title(line.peer);
    html! {
        tr {
            th {
                a href={ "#" (anchor(line.index)) } { (line.scenario.result.title) }
                span class="range" { "beside " (peer) }
            }
            @for at in used {
                td {
                    @match &line.measures[*at] {
                        Some(beside) => {
                            (cells::mark(beside.comparison, peer))
                            span class="range" {
                                (beside.figure.unit.show(beside.ours.median)) " : "
                                (beside.figure.unit.show(beside.peer.median))
                            }
                        }
                        None => { "—" }
                    }
                }
            }
        }
    }
}

fn noise(summary: &Summary<'_>) -> Markup {
    let floor = summary.noise_floor();
    if floor.is_empty() && summary.peers().is_empty() {
        return html! {};
    }
    html! {
        h2 { "Noise floor" }
        @if floor.is_empty() {
            p { "No system has figures of two series (A/A), so small differences here can't be told from noise." }
        } @else {
            p {
                "The same system ran twice as two series (A/A). This is how far their medians lie apart, the largest \
                over the scenarios; a difference below it counts as even."
            }
            ul class="parameters" {
                @for (figure, percent) in floor.iter().filter(|(figure, _)| figure.headline) {
                    li { b { (figure.title) } " " (digits(*percent)) " %" }
                }
            }
        }
    }
}

fn excluded(summary: &Summary<'_>) -> Markup {
    let count: usize = summary
        .scenarios
        .iter()
        .map(|scenario| scenario.excluded.len())
        .sum();
    if count == 0 {
        return html! {};
    }
    html! {
        h2 { "Runs without a figure" }
        p { "These failed, or their output was not checked and found right. Nothing above or below is made from them." }
        div class="scroll" {
            table {
                thead { tr { th { "Scenario" } th { "System" } th { "Round" } th { "Reason" } } }
                tbody {
                    @for (index, scenario) in summary.scenarios.iter().enumerate() {
                        @for excluded in &scenario.excluded {
                            tr {
                                th { a href={ "#" (anchor(index)) } { (scenario.result.title) } }
                                td { (excluded.system) }
                                td { (excluded.round()) }
                                td class="text" { (excluded.reason()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reading() -> Markup {
    html! {
        details {
            summary { "How to read the figures" }
            p {
                "Every figure is the median over the rounds, with the least and the most below it. Rounds of the systems \
                alternate. Only runs count whose output was checked and found right: by count and checksum where it can be read back, by count \
                where it can't. Some runs end when their time is used up, and are judged by the records moved until then."
            }
            p {
                "“Steady” is the part of a run after warming up, start-up excluded; “whole life” begins with \
                the process. A run too short for a steady part is compared by its whole life. CPU is user and system time of the worker; the broker's is \
                given apart. MB and GB are powers of 1000."
            }
            p {
                "Ratios are the peer's figure over Ringmain's, or Ringmain's over the peer's where more is better: above 1 \
                Ringmain leads. " code { (OURS) } " is never compared with itself except for the noise floor."
            }
        }
    }
}
