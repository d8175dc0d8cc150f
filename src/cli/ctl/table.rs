//! Tables for people: as wide as what is in them, at most as wide as the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output::printable;
use crate::cli::style::Style;

/// Between two columns.
const GAP: &str = "  ";
/// A column is not made narrower than that.
const NARROWEST: usize = 8;

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cli) enum Paint {
    /// As it is.
    #[default]
    Plain,
    /// Of little weight.
    Faint,
    /// All is well.
    Good,
    /// Somebody should know.
    Warn,
    /// Somebody should act.
    Bad,
}

impl Paint {
    /// The colour of a connector's or task's state.
    pub(in crate::cli) fn of_state(state: &str) -> Self {
        match state {
            "RUNNING" => Self::Good,
            "FAILED" | "DESTROYED" => Self::Bad,
            "PAUSED" | "STOPPED" | "RESTARTING" | "UNASSIGNED" => Self::Warn,
            _ => Self::Plain,
        }
    }

    fn apply(self, style: Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Faint => style.faint(text),
            Self::Good => style.green(text),
            Self::Warn => style.yellow(text),
            Self::Bad => style.red(text),
        }
    }
}

/// What stands in one place.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// With a colour.
    pub(in crate::cli) fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self {
            text: printable(&text.into()),
            paint,
        }
    }

    /// A state in its colour.
    pub(in crate::cli) fn state(state: &str) -> Self {
        Self::painted(state, Paint::of_state(state))
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text, Paint::Plain)
    }
}

/// A column's title and side.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Column {
    title: &'static str,
    is_number: bool,
}

/// Text, on the left.
pub(in crate::cli) const fn text(title: &'static str) -> Column {
    Column {
        title,
        is_number: false,
    }
}

/// Numbers, on the right.
pub(in crate::cli) const fn number(title: &'static str) -> Column {
    Column {
        title,
        is_number: true,
    }
}

/// Rows under titles.
#[derive(Debug)]
pub(in crate::cli) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Without rows yet.
    pub(in crate::cli) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(in crate::cli) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// As [`Table::row`], for as many columns as there are.
    pub(in crate::cli) fn row_of(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines: titles, then rows. Where they would be wider than `width`, the widest columns of text
    /// are cut.
    pub(in crate::cli) fn lines(&self, style: Style, width: Option<usize>) -> Vec<String> {
        let widths = self.widths(width);
        let titles: Vec<Cell> = self.columns.iter().map(|c| Cell::from(c.title)).collect();
        let title = self.line(&titles, &widths, |_, text| style.bold(text));
        let rows = self
            .rows
            .iter()
            .map(|row| self.line(row, &widths, |cell, text| cell.paint.apply(style, text)));
        std::iter::once(title).chain(rows).collect()
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|c| c.title.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let Some(limit) = limit else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            let columns = widths.iter_mut().zip(&self.columns);
            let cuttable = columns.filter(|(width, column)| {
                !column.is_number && **width > NARROWEST.max(column.title.width())
            });
            let Some((widest, _)) = cuttable.max_by_key(|(width, _)| **width) else {
                break;
            };
            *widest -= 1;
        }
        widths
    }

    fn line(
        &self,
        cells: &[Cell],
        widths: &[usize],
        paint: impl Fn(&Cell, &str) -> String,
    ) -> String {
        let mut line = String::new();
        let last = cells.len().saturating_sub(1);
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let text = cut(&cell.text, *width);
            let padding = " ".repeat(width.saturating_sub(text.width()));
            let painted = paint(cell, &text);
            if index > 0 {
                line.push_str(GAP);
            }
            match self.columns.get(index).is_some_and(|c| c.is_number) {
                true => line.extend([padding.as_str(), painted.as_str()]),
                false if index == last => line.push_str(&painted),
                false => line.extend([painted.as_str(), padding.as_str()]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// At most `width` columns of text, with an ellipsis where something is missing.
pub(in crate::cli) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([text("NAME"), number("LAG"), text("CLASS")]);
        table.row([
            "orders".into(),
            "12".into(),
            "org.example.a.long.class.Name".into(),
        ]);
        table.row(["日本".into(), "1234".into(), "x".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        assert_eq!(
            table().lines(Style::PLAIN, None),
            [
                "NAME     LAG  CLASS",
                "orders    12  org.example.a.long.class.Name",
                "日本    1234  x",
            ]
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_texts_and_never_numbers() {
        let lines = table().lines(Style::PLAIN, Some(30));
        assert!(lines.iter().all(|line| line.width() <= 30), "{lines:#?}");
        assert_eq!(lines[1], "orders    12  org.example.a.l…");
        // Nothing is left to cut: the lines are as narrow as they can be.
        let lines = table().lines(Style::PLAIN, Some(5));
        assert_eq!(lines[2], "日本    1234  x");
    }

    #[test]
    fn wide_characters_are_cut_whole() {
        assert_eq!(cut("日本語です", 5), "日本…");
        assert_eq!(cut("日本語です", 6), "日本…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }

    #[test]
    fn what_a_worker_says_cannot_steer_the_terminal() {
        let mut table = Table::new([text("NAME")]);
        table.row(["a\u{1b}[2Jb\nc".into()]);
        let line = &table.lines(Style::PLAIN, None)[1];
        assert!(!line.contains(['\u{1b}', '\n']), "{line:?}");
    }

    #[test]
    fn states_have_colours() {
        assert_eq!(Paint::of_state("RUNNING"), Paint::Good);
        assert_eq!(Paint::of_state("FAILED"), Paint::Bad);
        assert_eq!(Paint::of_state("PAUSED"), Paint::Warn);
        assert_eq!(Paint::of_state("?"), Paint::Plain);
    }
}
