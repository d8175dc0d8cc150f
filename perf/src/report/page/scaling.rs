//! Series: how figures change along an axis.

use maud::{Markup, html};

use crate::report::figures::{Figure, Key, figure};
use crate::report::numbers::{Unit, times};
use crate::report::plot::{AxisSpec, Curve, Curves, Ticks, curves};
use crate::report::summary::{Scenario, Summary};

/// Drawn where some system has them.
const DRAWN: &[Key] = &[
    Key::Rate,
    Key::Cpu,
    Key::IdleCpu,
    Key::Create,
    Key::LatencyP50,
    Key::LatencyP999,
    Key::Peak,
];

/// Scenarios of a group along one axis, by its value.
struct Series<'s, 'a> {
    group: &'a str,
    axis: &'a str,
    steps: Vec<(f64, &'s Scenario<'a>)>,
}

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let all: Vec<Series<'_, '_>> = series(summary)
        .into_iter()
        .filter(|series| series.steps.len() > 1)
        .collect();
    if all.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Scaling" }
        p { "Each point is the median over the rounds. Scales by powers of ten say so." }
        @for series in &all {
            h3 { (series.group) " by " (series.axis) }
            div class="plots" {
                @for key in DRAWN { @if let Some(plot) = plot(series, figure(*key)) { (plot) } }
            }
            (table(series))
        }
    }
}

fn series<'s, 'a>(summary: &'s Summary<'a>) -> Vec<Series<'s, 'a>> {
    let mut all: Vec<Series<'s, 'a>> = Vec::new();
    for scenario in &summary.scenarios {
        let Some(axis) = scenario
            .result
            .axis
            .as_ref()
            .filter(|axis| axis.value.is_finite())
        else {
            continue;
        };
        let group = scenario.result.group.as_str();
        let step = (axis.value, scenario);
        let known = all
            .iter_mut()
            .find(|series| series.group == group && series.axis == axis.name);
        match known {
            Some(series) => series.steps.push(step),
            None => all.push(Series {
                group,
                axis: &axis.name,
                steps: vec![step],
            }),
        }
    }
    for series in &mut all {
        series.steps.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    all
}

/// A system's place in the palette, its id and its title.
type System<'a> = (usize, &'a str, &'a str);

/// The systems of a series, in the order of their columns.
fn systems<'a>(series: &Series<'_, 'a>) -> Vec<System<'a>> {
    let mut systems: Vec<System<'a>> = Vec::new();
    for column in series
        .steps
        .iter()
        .flat_map(|(_, scenario)| &scenario.columns)
    {
        if !systems.iter().any(|(_, id, _)| *id == column.id) {
            systems.push((column.slot, column.id, column.title));
        }
    }
    systems
}

fn points(series: &Series<'_, '_>, figure: &Figure, id: &str) -> Vec<(f64, f64)> {
    let steps = series.steps.iter();
    steps
        .filter_map(|(value, scenario)| Some((*value, scenario.spread(id, figure.key)?.median)))
        .collect()
}

fn plot(series: &Series<'_, '_>, shown: &'static Figure) -> Option<Markup> {
    let drawn = systems(series).into_iter().map(|(slot, id, title)| {
        let points = points(series, shown, id);
        Curve {
            slot,
            name: title,
            note: flatness(&points),
            points,
        }
    });
    let label = format!(
        "{} of {} by {}. The table below has the numbers.",
        shown.title, series.group, series.axis
    );
    let plot = curves(Curves {
        label: &label,
        x: AxisSpec {
            title: series.axis,
            unit: Unit::Count,
            ticks: Ticks::Own,
        },
        y: AxisSpec {
            title: y_title(shown),
            unit: shown.unit,
            ticks: Ticks::Round,
        },
        markers: true,
        curves: drawn.collect(),
    })?;
    Some(html! {
        figure {
            figcaption { (shown.title) small { "behind each name: the largest over the smallest" } }
            (plot)
        }
    })
}

/// Short: it stands upright beside the axis.
fn y_title(figure: &Figure) -> &'static str {
    match figure.unit {
        Unit::PerSecond => "Records per second",
        Unit::Nanoseconds => "CPU per record",
        Unit::Percent => "CPU",
        Unit::Bytes => "Memory",
        Unit::Seconds => "Time",
        Unit::Milliseconds => "Latency",
        Unit::BytesPerSecond | Unit::Count | Unit::Cpus => "",
    }
}

/// The largest over the smallest, which says how flat a curve is.
fn flatness(points: &[(f64, f64)]) -> String {
    let values = || points.iter().map(|point| point.1);
    let (least, most) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(0.0, f64::max),
    );
    if points.len() < 2 || least <= 0.0 {
        return String::new();
    }
    times(most / least)
}

fn table(series: &Series<'_, '_>) -> Markup {
    let systems = systems(series);
    let shown: Vec<(&'static Figure, Vec<System<'_>>)> = DRAWN
        .iter()
        .map(|key| {
            let figure = figure(*key);
            let has = |system: &&System<'_>| !points(series, figure, system.1).is_empty();
            (figure, systems.iter().filter(has).copied().collect())
        })
        .collect();
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        th { "Figure" } th { "System" }
                        @for (value, _) in &series.steps { th { (Unit::Count.show(*value)) } }
                    }
                }
                tbody {
                    @for (figure, systems) in &shown {
                        @for (place, (_, id, title)) in systems.iter().enumerate() {
                            tr {
                                @if place == 0 { th rowspan=(systems.len()) { (figure.title) } }
                                td { (title) }
                                @for (_, scenario) in &series.steps { td { (step(scenario, figure, id)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn step(scenario: &Scenario<'_>, figure: &Figure, id: &str) -> String {
    scenario
        .spread(id, figure.key)
        .map_or_else(|| "—".to_owned(), |spread| figure.unit.show(spread.median))
}
