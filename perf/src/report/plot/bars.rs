//! Horizontal bars from zero, one per system.

use maud::{Markup, html};

use super::scale::Scale;
use super::{WIDTH, at, fitting, inside, slot_class, width_of};
use crate::report::numbers::{Unit, digits, with_name};
use crate::report::spread::Spread;

/// Height of a bar with its line of text.
const ROW: f64 = 46.0;
const BAR: f64 = 15.0;

/// A system's bar.
#[derive(Debug)]
pub(in crate::report) struct Bar<'a> {
    pub(in crate::report) slot: usize,
    pub(in crate::report) name: &'a str,
    /// Its length is the median; a thin line shows least and most.
    pub(in crate::report) spread: Spread,
    /// Which part of the length is the first of two stacked parts.
    pub(in crate::report) first_part: Option<f64>,
    /// Stands behind the number.
    pub(in crate::report) note: String,
}

/// The plot; `label` describes it to those who can't see it.
pub(in crate::report) fn bars(label: &str, unit: Unit, bars: &[Bar<'_>]) -> Markup {
    let longest = bars.iter().map(|bar| bar.spread.most).fold(0.0, f64::max);
    let scale = Scale::linear(longest * 1.03, 1.0, WIDTH - 1.0);
    let bottom = bars.len() as f64 * ROW + 2.0;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", bottom + 24.0)) role="img" aria-label=(label) {
            @for (index, bar) in bars.iter().enumerate() {
                (row(bar, unit, &scale, index as f64 * ROW))
            }
            line class="axis" x1="1" x2=(at(WIDTH - 1.0)) y1=(at(bottom)) y2=(at(bottom)) {}
            (ticks(unit, &scale, bottom))
        }
    }
}

/// Below the bars; the last one has the unit.
fn ticks(unit: Unit, scale: &Scale, bottom: f64) -> Markup {
    let ticks = scale.ticks();
    let (divisor, name) = unit.scale(ticks.last().copied().unwrap_or(1.0));
    html! {
        @for (index, tick) in ticks.iter().enumerate() {
            @let x = scale.place(*tick);
            @let last = index + 1 == ticks.len();
            @let number = digits(tick / divisor);
            @let text = if last { with_name(&number, name) } else { number };
            line class="axis" x1=(at(x)) x2=(at(x)) y1=(at(bottom)) y2=(at(bottom + 5.0)) {}
            text class="tick" y=(at(bottom + 19.0)) x=(at(inside(x, &text)))
                text-anchor=(if index == 0 { "start" } else { "middle" }) { (text) }
        }
    }
}

fn row(bar: &Bar<'_>, unit: Unit, scale: &Scale, top: f64) -> Markup {
    let Spread {
        median,
        least,
        most,
        ..
    } = bar.spread;
    let (value, note) = (unit.show(median), &bar.note);
    let number = if note.is_empty() {
        value
    } else {
        format!("{value} {note}")
    };
    let name = fitting(bar.name, WIDTH - width_of(&number) - 12.0);
    let (start, end) = (scale.place(0.0), scale.place(median));
    let middle = bar
        .first_part
        .map_or(end, |part| start + (end - start) * part.clamp(0.0, 1.0));
    let (y, whisker) = (top + 20.0, top + 20.0 + BAR / 2.0);
    html! {
        g class=(slot_class(bar.slot)) {
            text class="name" x="0" y=(at(top + 14.0)) { (name) }
            text class="value" x=(at(WIDTH)) y=(at(top + 14.0)) text-anchor="end" { (number) }
            rect class="bar" x=(at(start)) y=(at(y)) height=(at(BAR)) width=(at((middle - start).max(1.5))) {}
            @if end - middle > 0.2 {
                rect class="bar second" x=(at(middle)) y=(at(y)) height=(at(BAR)) width=(at(end - middle)) {}
            }
            @if scale.place(most) - scale.place(least) > 1.0 {
                line class="whisker" x1=(at(scale.place(least))) x2=(at(scale.place(most))) y1=(at(whisker)) y2=(at(whisker)) {}
            }
        }
    }
}
