//! Doing the same for several connectors: one that fails does not keep the others from being tried.

use serde_json::{Map, Value};

use super::error::CtlError;
use super::output::{Output, printable, printable_lines};
use crate::cli::{Exit, print_error};

/// What became of one of them.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Members of its JSON object, before `error`.
    pub(super) members: Map<String, Value>,
    /// What people see of a success.
    pub(super) lines: Vec<String>,
    /// Why it failed.
    pub(super) error: Option<CtlError>,
    /// The thing itself is not as it should be, though nothing failed.
    pub(super) is_bad: bool,
}

impl Report {
    /// About the connector `name`.
    pub(super) fn of(name: &str) -> Self {
        let mut report = Self::default();
        report.set("name", name);
        report
    }

    /// Sets a member.
    pub(super) fn set(&mut self, member: &str, value: impl Into<Value>) {
        self.members.insert(member.to_owned(), value.into());
    }

    /// Keeps the error of a step that is needed; gives what it gave.
    pub(super) fn take<T>(&mut self, done: Result<T, CtlError>) -> Option<T> {
        match done {
            Ok(value) => Some(value),
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }

    fn name(&self) -> &str {
        let name = self.members.get("name").and_then(Value::as_str);
        name.unwrap_or_default()
    }
}

/// Reports as they come.
#[derive(Debug)]
pub(super) struct Batch {
    out: Output,
    values: Vec<Value>,
    exit: Exit,
}

impl Batch {
    /// Without a report yet.
    pub(super) fn new(out: Output) -> Self {
        Self {
            out,
            values: Vec::new(),
            exit: Exit::Clean,
        }
    }

    /// Does `work` for each item, until nobody answers any more; shows what became of each.
    pub(super) fn run<T>(out: Output, items: &[T], work: impl Fn(&T) -> Report) -> Exit {
        let mut batch = Self::new(out);
        for item in items {
            if !batch.add(work(item)) {
                break;
            }
        }
        batch.finish()
    }

    /// Takes a report; false when going on is vain.
    pub(super) fn add(&mut self, mut report: Report) -> bool {
        let failed = report.error.is_some();
        let go_on = !report.error.as_ref().is_some_and(CtlError::is_unreachable);
        if failed || report.is_bad {
            self.exit = Exit::Failure;
        }
        if self.out.json {
            let error = report.error.as_ref().map(CtlError::json);
            report.set("error", error);
            self.values.push(Value::Object(report.members));
            return go_on;
        }
        self.out.lines(std::mem::take(&mut report.lines));
        if let Some(error) = &report.error {
            let name = printable(report.name());
            print_error(&format!("{name}: {}", printable_lines(&error.to_string())));
            if let Some(hint) = error.hint() {
                print_error(&format!("hint: {}", printable(&hint)));
            }
        }
        go_on
    }

    /// Shows what is left to show: the array of all reports, for machines.
    pub(super) fn finish(self) -> Exit {
        if self.out.json {
            self.out.value(&Value::Array(self.values));
        }
        self.exit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Style;

    #[test]
    fn one_failure_fails_the_whole_and_the_others_are_tried() {
        let out = Output::plain(Style::PLAIN);
        let tried = std::cell::Cell::new(0);
        let exit = Batch::run(out, &["a", "b", "c"], |name| {
            tried.set(tried.get() + 1);
            let mut report = Report::of(name);
            if *name == "b" {
                report.error = Some(CtlError::Failed("no".to_owned()));
            }
            report
        });
        assert_eq!((exit, tried.get()), (Exit::Failure, 3));
    }

    #[test]
    fn nobody_answering_ends_it() {
        let tried = std::cell::Cell::new(0);
        let exit = Batch::run(Output::plain(Style::PLAIN), &["a", "b"], |name| {
            tried.set(tried.get() + 1);
            let mut report = Report::of(name);
            let done: Result<(), CtlError> = Err(CtlError::Unreachable {
                url: "u".to_owned(),
                reason: "r".to_owned(),
                hint: "h",
                sent: false,
            });
            assert!(report.take(done).is_none());
            report
        });
        assert_eq!((exit, tried.get()), (Exit::Failure, 1));
    }
}
