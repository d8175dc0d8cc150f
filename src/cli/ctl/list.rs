//! `list`: every connector on a line.

use clap::Args;
use serde_json::{Value, json};

use super::Ctl;
use super::api::{Overview, Status};
use super::error::CtlError;
use super::table::{Cell, Paint, Table, text};
use crate::cli::Exit;

/// `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only connectors that are, or have a task that is, in this state, e.g. FAILED.
    #[arg(long, value_name = "STATE", ignore_case = true, value_parser = ["RUNNING", "PAUSED", "STOPPED", "FAILED", "UNASSIGNED", "RESTARTING"])]
    state: Option<String>,
}

/// Lists connectors.
///
/// # Errors
/// The worker can't say.
pub(super) fn run(ctl: &Ctl, args: &ListArgs) -> Result<Exit, CtlError> {
    let mut all = ctl.client.overviews()?;
    if let Some(state) = &args.state {
        all.retain(|_, overview| {
            overview
                .status
                .as_ref()
                .is_some_and(|s| has_state(s, state))
        });
    }
    if ctl.out.json {
        let values = all.iter().map(|(name, overview)| value(name, overview));
        ctl.out.value(&Value::Array(values.collect()));
        return Ok(Exit::Clean);
    }
    let mut table = Table::new([
        text("NAME"),
        text("TYPE"),
        text("STATE"),
        text("TASKS"),
        text("WORKER"),
        text("CLASS"),
    ]);
    for (name, overview) in &all {
        table.row(row(name, overview));
    }
    let nothing = match args.state {
        Some(_) => "no connector is in that state",
        None => "there are no connectors",
    };
    ctl.out.table(&table, all.is_empty(), nothing);
    Ok(Exit::Clean)
}

fn has_state(status: &Status, state: &str) -> bool {
    let is = |found: &str| found.eq_ignore_ascii_case(state);
    is(&status.connector.state) || status.tasks.iter().any(|task| is(&task.instance.state))
}

fn row(name: &str, overview: &Overview) -> [Cell; 6] {
    let status = overview.status.clone().unwrap_or_default();
    let class = overview.info.as_ref().map_or("", |info| info.class());
    [
        name.into(),
        kind(overview).unwrap_or_default().into(),
        Cell::state(&status.connector.state),
        task_cell(&status),
        Cell::painted(status.connector.worker_id.unwrap_or_default(), Paint::Faint),
        class.rsplit('.').next().unwrap_or_default().into(),
    ]
}

/// `source` or `sink`, from wherever it stands.
pub(super) fn kind(overview: &Overview) -> Option<String> {
    let of_status = overview.status.as_ref().and_then(|s| s.kind.clone());
    of_status.or_else(|| overview.info.as_ref().and_then(|info| info.kind.clone()))
}

/// `2 running, 1 failed`.
pub(super) fn task_cell(status: &Status) -> Cell {
    let states = status.task_states();
    let paint = match status.tasks.iter().any(|t| t.instance.state == "FAILED") {
        true => Paint::Bad,
        false => Paint::Plain,
    };
    let parts: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {}", state.to_lowercase()))
        .collect();
    match parts.is_empty() {
        true => Cell::painted("none", Paint::Faint),
        false => Cell::painted(parts.join(", "), paint),
    }
}

fn value(name: &str, overview: &Overview) -> Value {
    let status = overview.status.as_ref();
    json!({
        "name": name,
        "type": kind(overview),
        "class": overview.info.as_ref().map(|info| info.class()),
        "state": status.map(|s| &s.connector.state),
        "worker_id": status.and_then(|s| s.connector.worker_id.as_ref()),
        "tasks": status.map(tasks_value),
    })
}

/// `[{"id", "state", "worker_id"}]`.
fn tasks_value(status: &Status) -> Value {
    let tasks = status.tasks.iter().map(|task| {
        json!({
            "id": task.id,
            "state": task.instance.state,
            "worker_id": task.instance.worker_id,
        })
    });
    Value::Array(tasks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Style;

    fn status(text: &str) -> Status {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn tasks_are_counted_by_state() {
        let shown = |tasks: &str| {
            let text =
                format!(r#"{{"name":"a","connector":{{"state":"RUNNING"}},"tasks":{tasks}}}"#);
            let mut table = Table::new([super::text("T")]);
            table.row([task_cell(&status(&text))]);
            table.lines(Style::PLAIN, None)[1].clone()
        };
        assert_eq!(shown("[]"), "none");
        assert_eq!(
            shown(
                r#"[{"id":0,"state":"RUNNING"},{"id":1,"state":"FAILED"},{"id":2,"state":"RUNNING"}]"#
            ),
            "1 failed, 2 running"
        );
    }

    #[test]
    fn a_failed_task_makes_its_connector_one_that_failed() {
        let status = status(
            r#"{"name":"a","connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":"FAILED"}]}"#,
        );
        assert!(has_state(&status, "failed") && has_state(&status, "RUNNING"));
        assert!(!has_state(&status, "PAUSED"));
    }

    #[test]
    fn a_connector_that_says_nothing_still_has_a_line() {
        let bare = Overview::default();
        assert_eq!(value("a", &bare)["state"], Value::Null);
        assert_eq!(row("a", &bare).len(), 6);
    }
}
