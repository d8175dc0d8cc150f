//! Curves over an axis, one per system, named above the plot in the order of the systems.

use maud::{Markup, html};

use super::scale::Scale;
use super::{CHARACTER, WIDTH, at, fitting, inside, slot_class, width_of};
use crate::report::numbers::{Unit, digits, with_name};

const HEIGHT: f64 = 190.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = WIDTH - 16.0;
/// Height of a line of the legend.
const LINE: f64 = 19.0;
/// Above the plot: the upper axis' title and room around it.
const ABOVE: f64 = 38.0;
/// From the lower end of the plot to the end of the picture: ticks and the axis' title.
const BELOW: f64 = 44.0;

/// A system's curve.
#[derive(Debug)]
pub(in crate::report) struct Curve<'a> {
    pub(in crate::report) slot: usize,
    pub(in crate::report) name: &'a str,
    /// Stands behind the name, e.g. the peak.
    pub(in crate::report) note: String,
    /// From left to right; what isn't finite is left out.
    pub(in crate::report) points: Vec<(f64, f64)>,
}

/// An axis.
#[derive(Debug)]
pub(in crate::report) struct AxisSpec<'a> {
    pub(in crate::report) title: &'a str,
    pub(in crate::report) unit: Unit,
    pub(in crate::report) ticks: Ticks,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Ticks {
    /// Round values, from zero; by powers of ten where the values lie far apart, said in the title.
    Round,
    /// The same for curves that all begin low: by powers of ten where their *largest* values lie far apart.
    Growing,
    /// At the points' own values, by powers where they lie far apart.
    Own,
    /// Percentiles.
    Percentiles,
}

/// A plot.
#[derive(Debug)]
pub(in crate::report) struct Curves<'a> {
    /// Describes it to those who can't see it.
    pub(in crate::report) label: &'a str,
    pub(in crate::report) x: AxisSpec<'a>,
    pub(in crate::report) y: AxisSpec<'a>,
    /// Whether each point is marked.
    pub(in crate::report) markers: bool,
    pub(in crate::report) curves: Vec<Curve<'a>>,
}

/// Values further apart than this need powers of ten to be told apart.
const FAR_APART: f64 = 12.0;

/// The plot; none without a point.
pub(in crate::report) fn curves(mut plot: Curves<'_>) -> Option<Markup> {
    for curve in &mut plot.curves {
        curve.points.retain(|(x, y)| x.is_finite() && y.is_finite());
    }
    plot.curves.retain(|curve| !curve.points.is_empty());
    if plot.curves.is_empty() {
        return None;
    }
    let top = plot.curves.len() as f64 * LINE + ABOVE;
    let bottom = top + HEIGHT;
    let across = axis(&plot.x, &plot.curves, |point| point.0, (LEFT, RIGHT));
    let up = axis(&plot.y, &plot.curves, |point| point.1, (bottom, top));
    Some(html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", bottom + BELOW)) role="img" aria-label=(plot.label) {
            (legend(&plot.curves))
            (y_axis(&up, &plot.y, top))
            (x_axis(&across, &plot.x, bottom))
            @for curve in &plot.curves {
                (line(curve, &across.scale, &up.scale, plot.markers))
            }
        }
    })
}

/// A scale with the ticks to print.
struct Axis {
    scale: Scale,
    ticks: Vec<f64>,
    log: bool,
}

fn axis(
    spec: &AxisSpec<'_>,
    curves: &[Curve<'_>],
    part: impl Fn(&(f64, f64)) -> f64,
    (start, end): (f64, f64),
) -> Axis {
    let all = curves.iter().flat_map(|curve| &curve.points);
    let values = sorted(all.map(&part));
    let ends = sorted(curves.iter().map(|curve| {
        let points = curve.points.iter().map(&part);
        points.fold(0.0, f64::max)
    }));
    let high = ends.last().copied().unwrap_or(1.0);
    let (scale, ticks, log) = match spec.ticks {
        Ticks::Percentiles => {
            let below = values.iter().copied().rfind(|value| *value < 100.0);
            (
                Scale::percentile(below.unwrap_or(99.0), start, end),
                None,
                true,
            )
        }
        // Zero has no place among powers: a curve that touches it lies at the axis' end there.
        Ticks::Round => match far_apart(&values) {
            Some(low) => (Scale::log(low, high, start, end).rounded(), None, true),
            None => (Scale::linear(high, start, end).rounded(), None, false),
        },
        // What the lowest curve did before it came near its end is not worth a power.
        Ticks::Growing => match far_apart(&ends) {
            Some(low) => (
                Scale::log(low / 5.0, high, start, end).rounded(),
                None,
                true,
            ),
            None => (Scale::linear(high, start, end).rounded(), None, false),
        },
        Ticks::Own => match far_apart(&values).filter(|_| values[0] > 0.0) {
            Some(low) => (Scale::log(low, high, start, end), Some(values), true),
            None => (Scale::linear(high, start, end), Some(values), false),
        },
    };
    let ticks = ticks.unwrap_or_else(|| scale.ticks());
    Axis { scale, ticks, log }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// The least above zero, if the largest is [`FAR_APART`] from it.
fn far_apart(sorted: &[f64]) -> Option<f64> {
    let least = sorted.iter().copied().find(|value| *value > 0.0)?;
    (sorted.last()? / least > FAR_APART).then_some(least)
}

fn legend(curves: &[Curve<'_>]) -> Markup {
    html! {
        @for (index, curve) in curves.iter().enumerate() {
            @let y = index as f64 * LINE + 14.0;
            @let name = fitting(curve.name, WIDTH - 40.0 - width_of(&curve.note));
            g class=(slot_class(curve.slot)) {
                line class="curve" x1="0" x2="28" y1=(at(y - 4.5)) y2=(at(y - 4.5)) {}
                (marker(curve.slot, 14.0, y - 4.5))
                text class="name" x="36" y=(at(y)) { (name) " " tspan class="note" { (curve.note) } }
            }
        }
    }
}

fn title(spec: &AxisSpec<'_>, log: bool) -> String {
    match (log, spec.ticks) {
        (_, Ticks::Percentiles) => format!("{}, log scale of the share above", spec.title),
        (true, _) => format!("{}, log scale", spec.title),
        (false, _) => spec.title.to_owned(),
    }
}

fn y_axis(axis: &Axis, spec: &AxisSpec<'_>, top: f64) -> Markup {
    let shared = shared_unit(axis, spec.unit);
    html! {
        @for tick in &axis.ticks {
            @let y = axis.scale.place(*tick);
            line class="grid" x1=(at(LEFT)) x2=(at(RIGHT)) y1=(at(y)) y2=(at(y)) {}
            text class="tick" x=(at(LEFT - 7.0)) y=(at(y + 4.0)) text-anchor="end" { (tick_text(*tick, spec, shared)) }
        }
        // Upright beside the ticks it would touch the longer ones.
        text class="tick" x="0" y=(at(top - 13.0)) { (fitting(&title(spec, axis.log), WIDTH)) }
    }
}

fn x_axis(axis: &Axis, spec: &AxisSpec<'_>, bottom: f64) -> Markup {
    let shared = shared_unit(axis, spec.unit);
    let ticks = uncrowded(&axis.ticks, |tick| {
        (
            axis.scale.place(tick),
            width_of(&tick_text(tick, spec, shared)),
        )
    });
    html! {
        line class="axis" x1=(at(LEFT)) x2=(at(RIGHT)) y1=(at(bottom)) y2=(at(bottom)) {}
        @for tick in ticks {
            @let (x, text) = (axis.scale.place(tick), tick_text(tick, spec, shared));
            line class="axis" x1=(at(x)) x2=(at(x)) y1=(at(bottom)) y2=(at(bottom + 5.0)) {}
            text class="tick" x=(at(inside(x, &text))) y=(at(bottom + 19.0)) text-anchor="middle" { (text) }
        }
        text class="tick" x=(at(f64::midpoint(LEFT, RIGHT))) y=(at(bottom + 38.0)) text-anchor="middle" {
            (title(spec, axis.log))
        }
    }
}

/// The ticks whose texts don't touch, the last one always among them.
fn uncrowded(ticks: &[f64], place: impl Fn(f64) -> (f64, f64)) -> Vec<f64> {
    let mut kept: Vec<f64> = Vec::new();
    let mut free = f64::INFINITY;
    for &tick in ticks.iter().rev() {
        let (x, width) = place(tick);
        if x + width / 2.0 + CHARACTER <= free {
            free = x - width / 2.0;
            kept.push(tick);
        }
    }
    kept.reverse();
    kept
}

/// On a linear axis all ticks share a unit, that of the last.
fn shared_unit(axis: &Axis, unit: Unit) -> Option<(f64, &'static str)> {
    let last = axis.ticks.last().copied().unwrap_or(1.0);
    (!axis.log).then(|| unit.scale(last))
}

fn tick_text(tick: f64, spec: &AxisSpec<'_>, shared: Option<(f64, &'static str)>) -> String {
    match shared {
        // 99.999 would be rounded.
        _ if spec.ticks == Ticks::Percentiles => format!("{tick}"),
        Some((divisor, name)) if tick != 0.0 => with_name(&digits(tick / divisor), name),
        Some(_) => "0".into(),
        None => spec.unit.tick(tick),
    }
}

fn line(curve: &Curve<'_>, across: &Scale, up: &Scale, markers: bool) -> Markup {
    let on_axis = curve.points.iter().filter(|(x, _)| across.holds(*x));
    let places: Vec<(f64, f64)> = on_axis
        .map(|(x, y)| (across.place(*x), up.place(*y)))
        .collect();
    let path: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{},{}", at(*x), at(*y)))
        .collect();
    let marked = if markers {
        &places[..]
    } else {
        places.last().map_or(&[][..], std::slice::from_ref)
    };
    html! {
        g class=(slot_class(curve.slot)) {
            polyline class="curve" points=(path.join(" ")) {}
            @for (x, y) in marked {
                (marker(curve.slot, *x, *y))
            }
        }
    }
}

/// Circle, square, triangle, diamond: told apart without colours.
fn marker(slot: usize, x: f64, y: f64) -> Markup {
    let corners: &[(f64, f64)] = match slot % 4 {
        0 => return html! { circle class="marker" cx=(at(x)) cy=(at(y)) r="4.2" {} },
        1 => &[(-3.8, -3.8), (3.8, -3.8), (3.8, 3.8), (-3.8, 3.8)],
        2 => &[(0.0, -5.0), (4.8, 3.6), (-4.8, 3.6)],
        _ => &[(0.0, -5.4), (5.4, 0.0), (0.0, 5.4), (-5.4, 0.0)],
    };
    let points: Vec<String> = corners
        .iter()
        .map(|(dx, dy)| format!("{},{}", at(x + dx), at(y + dy)))
        .collect();
    html! { polygon class="marker" points=(points.join(" ")) {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Curves<'static> {
        let spec = |title| AxisSpec {
            title,
            unit: Unit::Count,
            ticks: Ticks::Round,
        };
        Curves {
            label: "test",
            x: spec("across"),
            y: spec("up"),
            markers: true,
            curves: vec![Curve {
                slot: 0,
                name: "<one> & \"two\"",
                note: String::new(),
                points,
            }],
        }
    }

    #[test]
    fn without_points_there_is_no_plot() {
        assert!(curves(plot(Vec::new())).is_none());
        assert!(curves(plot(vec![(f64::NAN, 1.0), (1.0, f64::INFINITY)])).is_none());
    }

    #[test]
    fn values_far_apart_are_drawn_by_powers_of_ten_and_said_to_be() {
        let svg = curves(plot(vec![(1.0, 1.0), (2.0, 1_000.0)]))
            .unwrap()
            .into_string();
        assert!(
            svg.contains("up, log scale") && svg.contains(">across<"),
            "{svg}"
        );
    }

    #[test]
    fn names_are_escaped() {
        let svg = curves(plot(vec![(1.0, 1.0)])).unwrap().into_string();
        assert!(
            svg.contains("&lt;one&gt; &amp;") && !svg.contains("<one>"),
            "{svg}"
        );
    }

    #[test]
    fn ticks_that_would_touch_are_left_out() {
        let kept = uncrowded(&[0.0, 1.0, 2.0, 30.0], |tick| (tick, 10.0));
        assert_eq!(kept, [2.0, 30.0]);
    }

    #[test]
    fn a_curve_that_only_begins_low_is_drawn_from_zero() {
        let mut growing = plot(vec![(0.1, 1.0), (5.0, 1_000.0)]);
        growing.x.ticks = Ticks::Growing;
        growing.y.ticks = Ticks::Growing;
        let svg = curves(growing).unwrap().into_string();
        assert!(!svg.contains("log scale"), "{svg}");
    }
}
