//! `pause`, `resume`, `stop`, `restart`, `delete` (contract 1.6).

use clap::Args;
use serde_json::json;
use ureq::http::Method;

use super::Ctl;
use super::api::{Status, path_of};
use super::batch::{Batch, Report};
use super::client::Call;
use super::confirm::confirm;
use super::error::CtlError;
use crate::cli::Exit;
use crate::cli::completions::connector_names;

/// Connectors by name.
#[derive(Debug, Args)]
pub(super) struct NamesArgs {
    /// Connectors.
    #[arg(required = true, value_name = "NAME", add = connector_names())]
    names: Vec<String>,
}

/// `restart`.
#[derive(Debug, Args)]
pub(super) struct RestartArgs {
    /// Connectors, or single tasks as NAME/0.
    #[arg(required = true, value_name = "NAME[/TASK]", add = connector_names())]
    names: Vec<String>,
    /// Also restart the connectors' tasks.
    #[arg(long)]
    include_tasks: bool,
    /// Restart only what has failed.
    #[arg(long)]
    only_failed: bool,
}

/// `delete`.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    names: NamesArgs,
    /// Don't ask.
    #[arg(long, short)]
    yes: bool,
}

/// `PUT …/pause` and its like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Paused,
    Running,
    Stopped,
}

impl Target {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Paused => ("pause", "paused"),
            Self::Running => ("resume", "resumed"),
            Self::Stopped => ("stop", "stopped"),
        }
    }
}

/// Gives connectors another target state; workers reach it by and by (`wait` tells when).
pub(super) fn change(ctl: &Ctl, args: &NamesArgs, target: Target) -> Exit {
    let (action, done) = target.words();
    Batch::run(ctl.out, &args.names, |name| {
        let mut report = Report::of(name);
        report.set("action", action);
        let path = path_of(name, &format!("/{action}"));
        let asked = ctl.client.call(&Call::new(Method::PUT, path));
        if report.take(asked).is_some() {
            report
                .lines
                .push(format!("{done} {}", ctl.out.printable(name)));
        }
        report
    })
}

/// Restarts connectors or tasks.
///
/// # Errors
/// The flags do not go with a task.
pub(super) fn restart(ctl: &Ctl, args: &RestartArgs) -> Result<Exit, CtlError> {
    let has_flags = args.include_tasks || args.only_failed;
    let has_task = args.names.iter().any(|name| split_task(name).1.is_some());
    if has_flags && has_task {
        return Err(CtlError::Usage(
            "--include-tasks and --only-failed are for connectors, not for single tasks".to_owned(),
        ));
    }
    Ok(Batch::run(ctl.out, &args.names, |name| {
        restart_one(ctl, args, name)
    }))
}

fn restart_one(ctl: &Ctl, args: &RestartArgs, name: &str) -> Report {
    let (connector, task) = split_task(name);
    let mut report = Report::of(connector);
    report.set("task", task);
    let path = match task {
        Some(task) => path_of(connector, &format!("/tasks/{task}/restart")),
        None if args.include_tasks || args.only_failed => {
            let (tasks, failed) = (args.include_tasks, args.only_failed);
            path_of(
                connector,
                &format!("/restart?includeTasks={tasks}&onlyFailed={failed}"),
            )
        }
        None => path_of(connector, "/restart"),
    };
    let asked = ctl.client.call(&Call::new(Method::POST, path));
    let Some(answer) = report.take(asked) else {
        return report;
    };
    let status: Option<Status> = match answer.is_empty() {
        true => None,
        false => report.take(answer.json()),
    };
    if report.error.is_some() {
        return report;
    }
    let restarting = status.as_ref().map(restarting);
    report.set("restarting", json!(restarting));
    let shown = ctl.out.printable(name);
    report.lines.push(match restarting.as_deref() {
        None => format!("restarted {shown}"),
        Some([]) => format!("restarted {shown}: nothing had to be"),
        Some(parts) => format!("restarted {shown}: {}", parts.join(", ")),
    });
    report
}

/// `connector` and `task N` of those that restart.
fn restarting(status: &Status) -> Vec<String> {
    let is_restarting = |state: &str| state == "RESTARTING";
    let connector = is_restarting(&status.connector.state).then(|| "connector".to_owned());
    let tasks = status.tasks.iter();
    let tasks = tasks.filter(|task| is_restarting(&task.instance.state));
    let tasks = tasks.map(|task| format!("task {}", task.id));
    connector.into_iter().chain(tasks).collect()
}

/// `NAME/0` as connector and task; a name without a number behind a slash is a connector's.
fn split_task(text: &str) -> (&str, Option<u32>) {
    let Some((name, number)) = text.rsplit_once('/') else {
        return (text, None);
    };
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    match number.parse() {
        Ok(task) if is_number && !name.is_empty() => (name, Some(task)),
        _ => (text, None),
    }
}

/// Deletes connectors; their offsets stay.
///
/// # Errors
/// The user declines, or nobody can be asked.
pub(super) fn delete(ctl: &Ctl, args: &DeleteArgs) -> Result<Exit, CtlError> {
    let names = &args.names.names;
    let listed: Vec<String> = names.iter().map(|name| ctl.out.printable(name)).collect();
    confirm(&format!("delete {}", listed.join(", ")), args.yes)?;
    Ok(Batch::run(ctl.out, names, |name| {
        let mut report = Report::of(name);
        report.set("action", "delete");
        let asked = ctl
            .client
            .call(&Call::new(Method::DELETE, path_of(name, "")));
        if report.take(asked).is_some() {
            report
                .lines
                .push(format!("deleted {}", ctl.out.printable(name)));
        }
        report
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behind_a_slash_is_a_task() {
        assert_eq!(split_task("a"), ("a", None));
        assert_eq!(split_task("a/0"), ("a", Some(0)));
        assert_eq!(split_task("a/b/12"), ("a/b", Some(12)));
        for odd in ["a/b", "a/", "/1", "a/+1", "a/99999999999"] {
            assert_eq!(split_task(odd), (odd, None));
        }
    }

    #[test]
    fn what_restarts_is_named() {
        let status: Status = serde_json::from_str(
            r#"{"name":"a","connector":{"state":"RESTARTING"},
                "tasks":[{"id":0,"state":"RUNNING"},{"id":1,"state":"RESTARTING"}]}"#,
        )
        .unwrap();
        assert_eq!(restarting(&status), ["connector", "task 1"]);
    }
}
