//! What a command shows: tables and lines for people, one JSON value for machines.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use super::error::CtlError;
use super::table::Table;
use crate::cli::style::Style;
use crate::cli::{print_error, print_line};

/// How to show it.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Output {
    /// `--json`.
    pub(in crate::cli) json: bool,
    /// Colours or none.
    pub(in crate::cli) style: Style,
    /// Columns of the terminal, if it is one.
    pub(in crate::cli) width: Option<usize>,
}

impl Output {
    /// For standard output as it is.
    pub(in crate::cli) fn new(json: bool) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let size = terminal_size::terminal_size().filter(|_| is_terminal);
        Self {
            json,
            style: Style::of_stdout(),
            width: size.map(|(width, _)| usize::from(width.0)),
        }
    }

    /// Lines for people in this style, whatever standard output is.
    #[cfg(test)]
    pub(in crate::cli) fn plain(style: Style) -> Self {
        Self {
            json: false,
            style,
            width: None,
        }
    }

    /// The JSON value of a command.
    pub(in crate::cli) fn value(&self, value: &Value) {
        // A value made of texts and numbers can always be written.
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        print_line(&text);
    }

    /// A table, or a sentence when it is empty.
    pub(in crate::cli) fn table(&self, table: &Table, is_empty: bool, nothing: &str) {
        if is_empty {
            return print_line(nothing);
        }
        for line in table.lines(self.style, self.width) {
            print_line(&line);
        }
    }

    /// Lines of text for people.
    pub(in crate::cli) fn lines(&self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            print_line(&line);
        }
    }

    /// Text of a worker, fit for a terminal.
    pub(in crate::cli) fn printable(&self, text: &str) -> String {
        printable(text)
    }

    /// The end of a command: the error and what to do, on standard error.
    pub(super) fn failure(&self, error: &CtlError) {
        if self.json {
            let text = json!({"error": error.json()}).to_string();
            // Nothing is left to do when standard error is gone.
            writeln!(std::io::stderr(), "{text}").unwrap_or(());
            return;
        }
        print_error(&printable_lines(&error.to_string()));
        if let Some(hint) = error.hint() {
            print_error(&format!("hint: {}", printable(&hint)));
        }
    }
}

/// Without characters that steer a terminal.
pub(in crate::cli) fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// As [`printable`], with its lines kept.
pub(in crate::cli) fn printable_lines(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| printable(&line.replace('\t', "    ")));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[1mb\nc"), "a\u{fffd}[1mb\\nc");
        assert_eq!(printable("plain ä"), "plain ä");
        assert_eq!(printable_lines("a\n\tb\u{7}"), "a\n    b\u{fffd}");
    }
}
