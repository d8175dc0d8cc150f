//! `apply` and `diff`: files against what the worker has.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::Ctl;
use super::batch::{Batch, Report};
use super::diff::changes;
use super::error::CtlError;
use super::files::{Loaded, load_all};
use super::secrets::Secrets;
use super::validate::{self, Problem};
use crate::api::ConfigMap;
use crate::cli::Exit;
use crate::config::connector_file::InitialState;

/// `apply`.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Connector files (.properties or .json), directories of them, or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Validate and show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Show passwords and other secrets.
    #[arg(long)]
    show_secrets: bool,
}

/// `diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Connector files (.properties or .json), directories of them, or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show passwords and other secrets.
    #[arg(long)]
    show_secrets: bool,
}

/// What a file asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Update,
    Nothing,
}

impl Action {
    /// For machines: in JSON as what happens.
    fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Nothing => "unchanged",
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Create => "would be created",
            Self::Update => "would be updated",
            Self::Nothing => "is unchanged",
        }
    }
}

/// Creates and updates connectors, or shows what would change.
///
/// # Errors
/// A file can't be used; nothing was asked then.
pub(super) fn apply(ctl: &Ctl, args: &ApplyArgs) -> Result<Exit, CtlError> {
    let files = load_all(&args.files)?;
    Ok(Batch::run(ctl.out, &files, |loaded| {
        let work = Work::new(ctl, loaded, args.show_secrets);
        match args.dry_run {
            true => work.rehearse(),
            false => work.perform(),
        }
    }))
}

/// Shows what differs.
///
/// # Errors
/// A file can't be used.
pub(super) fn diff(ctl: &Ctl, args: &DiffArgs) -> Result<Exit, CtlError> {
    let files = load_all(&args.files)?;
    let mut batch = Batch::new(ctl.out);
    let mut differs = false;
    for loaded in &files {
        let work = Work::new(ctl, loaded, args.show_secrets);
        let mut report = work.report(&["exists", "changes"]);
        if let Some(action) = work.compare(&mut report) {
            let words = match action {
                Action::Create => "does not exist",
                Action::Update => "differs",
                Action::Nothing => "is the same",
            };
            differs |= action != Action::Nothing;
            report.set("exists", action != Action::Create);
            work.headline(&mut report, words);
        }
        if !batch.add(report) {
            break;
        }
    }
    Ok(match batch.finish() {
        Exit::Clean if differs => Exit::Differs,
        exit => exit,
    })
}

/// One file on its way.
struct Work<'a> {
    ctl: &'a Ctl,
    loaded: &'a Loaded,
    config: &'a ConfigMap,
    secrets: Secrets,
}

impl<'a> Work<'a> {
    fn new(ctl: &'a Ctl, loaded: &'a Loaded, show_secrets: bool) -> Self {
        let config = &loaded.file.config;
        let class = validate::class_of(config).unwrap_or_default();
        Self {
            ctl,
            loaded,
            config,
            secrets: ctl.passwords.of(&ctl.client, class, show_secrets),
        }
    }

    /// A report with all its members, null until they are known.
    fn report(&self, members: &[&str]) -> Report {
        let mut report = Report::of(&self.loaded.file.name);
        report.set("file", self.loaded.place());
        for member in members {
            report.set(member, Value::Null);
        }
        report
    }

    /// What the file asks for; its changes go into the report.
    fn compare(&self, report: &mut Report) -> Option<Action> {
        let current = report.take(self.ctl.client.config(&self.loaded.file.name))?;
        let nothing = ConfigMap::new();
        let found = changes(current.as_ref().unwrap_or(&nothing), self.config);
        let lines = found.iter().map(|c| c.lines(&self.secrets, &self.ctl.out));
        report.lines = lines.flatten().collect();
        let values: Vec<Value> = found.iter().map(|c| c.json(&self.secrets)).collect();
        report.set("changes", values);
        Some(match current {
            None => Action::Create,
            Some(_) if found.is_empty() => Action::Nothing,
            Some(_) => Action::Update,
        })
    }

    fn headline(&self, report: &mut Report, words: &str) {
        let out = &self.ctl.out;
        let name = out.style.bold(&out.printable(&self.loaded.file.name));
        let place = out
            .style
            .faint(&format!("({})", out.printable(&self.loaded.place())));
        report.lines.insert(0, format!("{name} {words} {place}"));
    }

    fn rehearse(&self) -> Report {
        let mut report = self.report(&["action", "dry_run", "changes", "errors"]);
        report.set("dry_run", true);
        let Some(action) = self.compare(&mut report) else {
            return report;
        };
        report.set("action", action.done());
        self.headline(&mut report, action.wanted());
        let checked = validate::problems(self.ctl, self.config, &self.secrets);
        let Some(problems) = report.take(checked) else {
            return report;
        };
        report.is_bad = !problems.is_empty();
        let lines = problems.iter().map(|problem| problem.line(&self.ctl.out));
        report.lines.extend(lines);
        let values: Vec<Value> = problems.iter().map(Problem::json).collect();
        report.set("errors", values);
        report
    }

    fn perform(&self) -> Report {
        let mut report = self.report(&["action", "dry_run", "changes", "errors"]);
        report.set("dry_run", false);
        let Some(action) = self.compare(&mut report) else {
            return report;
        };
        let name = &self.loaded.file.name;
        let client = &self.ctl.client;
        let done = match (action, self.loaded.file.initial_state) {
            (Action::Nothing, _) => Ok(()),
            (Action::Create, Some(state)) => client.create(name, self.config, state_name(state)),
            _ => client.put_config(name, self.config),
        };
        let done = done.map_err(|error| self.without_secrets(error));
        if report.take(done).is_none() {
            // What it would have been is no news beside the error.
            report.lines.clear();
            report.set("action", "failed");
            return report;
        }
        report.set("action", action.done());
        if action == Action::Create {
            // All of a new connector's keys are new.
            report.lines.clear();
        }
        self.headline(&mut report, action.done());
        report
    }

    /// Messages may quote values.
    fn without_secrets(&self, error: CtlError) -> CtlError {
        match error {
            CtlError::Refused {
                url,
                status,
                code,
                message,
            } => CtlError::Refused {
                message: self.secrets.scrub(&message, self.config),
                url,
                status,
                code,
            },
            other => other,
        }
    }
}

fn state_name(state: InitialState) -> &'static str {
    match state {
        InitialState::Running => "RUNNING",
        InitialState::Paused => "PAUSED",
        InitialState::Stopped => "STOPPED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_words_for_both() {
        assert_eq!(Action::Create.done(), "created");
        assert_eq!(Action::Nothing.wanted(), "is unchanged");
        assert_eq!(state_name(InitialState::Stopped), "STOPPED");
    }
}
