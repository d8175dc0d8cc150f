//! Plots as inline SVG.
//!
//! Drawn here and not by a plotting crate, because colours must follow the page's light or dark
//! scheme: marks carry classes (`slot-0` …, one per system) and the style sheet does the rest. Nothing
//! can overlap by construction: names and numbers stand on lines of their own above the marks, and
//! ticks that would touch are left out. Every plot is [`WIDTH`] units wide and scales with its column.

mod bars;
mod curves;
mod scale;

pub(super) use bars::{Bar, bars};
pub(super) use curves::{AxisSpec, Curve, Curves, Ticks, curves};

/// Width of a plot in its own units; text is 13 of them high.
const WIDTH: f64 = 400.0;

/// About the width of a character of the plots' text; a little too wide rather than too narrow.
const CHARACTER: f64 = 7.2;

/// Colours, dashes and markers in the style sheet; further systems start over.
const SLOTS: usize = 6;

/// The class that gives a mark its system's colour.
pub(super) fn slot_class(slot: usize) -> String {
    format!("slot-{}", slot % SLOTS)
}

/// A coordinate, short.
fn at(value: f64) -> String {
    format!("{value:.1}")
}

/// Cut to what fits into `width` units.
fn fitting(text: &str, width: f64) -> String {
    let fits = |count: usize| count as f64 * CHARACTER <= width;
    let count = text.chars().count();
    if fits(count) {
        return text.to_owned();
    }
    let kept = (1..count).rev().find(|kept| fits(kept + 1)).unwrap_or(1);
    let mut cut: String = text.chars().take(kept).collect();
    cut.push('…');
    cut
}

/// Keeps a centred text from leaving the picture on the right.
fn inside(x: f64, text: &str) -> f64 {
    x.min(WIDTH - width_of(text) / 2.0)
}

/// Room that the text takes.
fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_too_long_for_their_place_are_cut() {
        assert_eq!(fitting("Ringmain", 100.0), "Ringmain");
        let cut = fitting(&"x".repeat(100), 72.0);
        assert!(cut.ends_with('…') && width_of(&cut) <= 72.0, "{cut}");
    }
}
