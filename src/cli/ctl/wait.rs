//! `wait`: until connectors are in a state, for scripts.

use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum, value_parser};
use serde_json::{Value, json};

use super::Ctl;
use super::api::{FAILED, RUNNING, Status};
use super::error::CtlError;
use super::output::printable_lines;
use crate::cli::completions::connector_names;
use crate::cli::{Exit, print_line};

/// First and longest pause between two looks.
const LOOK_FIRST: Duration = Duration::from_millis(100);
const LOOK_MOST: Duration = Duration::from_secs(1);

/// `wait`.
#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// Connectors.
    #[arg(required = true, value_name = "NAME", add = connector_names())]
    names: Vec<String>,
    /// What to wait for.
    #[arg(long = "for", value_enum, value_name = "STATE", ignore_case = true, default_value_t = Goal::Running)]
    goal: Goal,
    /// Seconds to wait at most; then the exit code is 4.
    #[arg(long = "within", value_name = "SECONDS", default_value_t = 60, value_parser = value_parser!(u32).range(0..=86_400))]
    within: u32,
}

/// What can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Goal {
    /// The connector and at least one task run, and no task does anything else.
    Running,
    /// The connector and all its tasks are paused.
    Paused,
    /// The connector is stopped and has no tasks.
    Stopped,
    /// The connector or a task of it failed.
    Failed,
    /// There is no such connector any more.
    Deleted,
}

/// How one look at a connector went.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// It is as wanted.
    There,
    /// Not yet; what it is instead.
    NotYet(String),
    /// It failed, so it won't come about by itself.
    Lost(String),
}

/// Waits.
///
/// # Errors
/// Time is up, a connector failed while something else was waited for, or the user may not look.
pub(super) fn run(ctl: &Ctl, args: &WaitArgs) -> Result<Exit, CtlError> {
    let deadline = Instant::now() + Duration::from_secs(u64::from(args.within));
    let mut statuses = Vec::new();
    for name in &args.names {
        let status = wait_for(ctl, name, args.goal, deadline)?;
        statuses.push(status.map_or_else(|| json!({"name": name}), |status| json!(status)));
        if !ctl.out.json {
            let goal = args.goal.word();
            print_line(&format!("{} is {goal}", ctl.out.printable(name)));
        }
    }
    if ctl.out.json {
        ctl.out.value(&Value::Array(statuses));
    }
    Ok(Exit::Clean)
}

fn wait_for(
    ctl: &Ctl,
    name: &str,
    goal: Goal,
    deadline: Instant,
) -> Result<Option<Status>, CtlError> {
    let mut pause = LOOK_FIRST;
    loop {
        let answer = ctl.client.status(name);
        let instead = match look(&answer, goal) {
            Look::There => return Ok(answer.ok()),
            Look::Lost(why) => {
                let text = format!("{name} is not {}: {why}", goal.word());
                return Err(CtlError::Failed(text));
            }
            Look::NotYet(instead) => instead,
        };
        if let Err(error) = answer
            && !passes(&error)
        {
            return Err(error);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let text = format!("{name} is not {} in time: {instead}", goal.word());
            return Err(CtlError::TimedOut(text));
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LOOK_MOST);
    }
}

/// Whether a later look may go better: workers start, restart and rebalance.
fn passes(error: &CtlError) -> bool {
    match error {
        CtlError::Usage(_) => false,
        CtlError::Refused { status, .. } => !matches!(status, 401 | 403),
        _ => true,
    }
}

fn look(answer: &Result<Status, CtlError>, goal: Goal) -> Look {
    let status = match answer {
        Err(error) if error.is_not_found() && goal == Goal::Deleted => return Look::There,
        Err(error) => return Look::NotYet(error.to_string()),
        Ok(status) => status,
    };
    if goal.is_reached(status) {
        return Look::There;
    }
    if status.has_failed() && goal != Goal::Deleted && goal != Goal::Stopped {
        return Look::Lost(failure(status));
    }
    Look::NotYet(summary(status))
}

impl Goal {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }

    fn is_reached(self, status: &Status) -> bool {
        let all = |state: &str| {
            let mut tasks = status.tasks.iter();
            status.connector.state == state && tasks.all(|task| task.instance.state == state)
        };
        match self {
            Self::Running => all(RUNNING) && !status.tasks.is_empty(),
            Self::Paused => all("PAUSED"),
            Self::Stopped => status.connector.state == "STOPPED" && status.tasks.is_empty(),
            Self::Failed => status.has_failed(),
            Self::Deleted => false,
        }
    }
}

/// `connector RUNNING; tasks: none`.
fn summary(status: &Status) -> String {
    let states = status.task_states();
    let parts: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let tasks = match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    };
    format!("connector {}; tasks: {tasks}", status.connector.state)
}

/// What failed, with the first line of its trace.
fn failure(status: &Status) -> String {
    let Some((part, trace)) = status.traces().into_iter().next() else {
        return format!("{}, {FAILED}", summary(status));
    };
    let first = trace.lines().next().unwrap_or_default();
    format!("{part} failed: {}", printable_lines(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(connector: &str, tasks: &[&str]) -> Status {
        let tasks: Vec<Value> = tasks
            .iter()
            .enumerate()
            .map(|(id, state)| json!({"id": id, "state": state, "trace": (*state == "FAILED").then_some("boom\n\tat x")}))
            .collect();
        let value = json!({"name": "a", "connector": {"state": connector}, "tasks": tasks});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn running_needs_a_task_and_all_of_them() {
        let running = |tasks: &[&str]| look(&Ok(status("RUNNING", tasks)), Goal::Running);
        assert_eq!(running(&["RUNNING", "RUNNING"]), Look::There);
        assert_eq!(
            running(&[]),
            Look::NotYet("connector RUNNING; tasks: none".to_owned())
        );
        assert_eq!(
            running(&["RUNNING", "UNASSIGNED"]),
            Look::NotYet("connector RUNNING; tasks: 1 RUNNING, 1 UNASSIGNED".to_owned())
        );
        assert_eq!(
            running(&["RUNNING", "FAILED"]),
            Look::Lost("task 1 failed: boom".to_owned())
        );
    }

    #[test]
    fn the_other_goals_look_at_connector_and_tasks() {
        let look = |status: Status, goal| look(&Ok(status), goal);
        assert_eq!(look(status("PAUSED", &[]), Goal::Paused), Look::There);
        assert_eq!(
            look(status("PAUSED", &["PAUSED"]), Goal::Paused),
            Look::There
        );
        assert_ne!(
            look(status("STOPPED", &["RUNNING"]), Goal::Stopped),
            Look::There
        );
        assert_eq!(look(status("STOPPED", &[]), Goal::Stopped), Look::There);
        assert_eq!(
            look(status("RUNNING", &["FAILED"]), Goal::Failed),
            Look::There
        );
        // A failed connector can still be stopped or deleted.
        assert!(matches!(
            look(status("RUNNING", &["FAILED"]), Goal::Stopped),
            Look::NotYet(_)
        ));
    }

    #[test]
    fn a_missing_connector_is_deleted_and_otherwise_still_to_come() {
        let missing = || {
            Err(CtlError::Refused {
                url: "u".to_owned(),
                status: 404,
                code: 404,
                message: "No status found for connector a".to_owned(),
            })
        };
        assert_eq!(look(&missing(), Goal::Deleted), Look::There);
        assert!(matches!(look(&missing(), Goal::Running), Look::NotYet(_)));
        assert!(passes(&missing().unwrap_err()));
        assert!(!passes(&CtlError::Usage(String::new())));
    }
}
