//! `describe`: everything about one connector.

use clap::Args;
use serde_json::json;

use super::Ctl;
use super::api::{Info, Status, found};
use super::error::CtlError;
use super::output::printable_lines;
use super::table::{Cell, Paint, Table, text};
use crate::cli::Exit;
use crate::cli::completions::connector_names;
use crate::cli::print_line;

/// Lines of a trace that are shown without `--trace`.
const TRACE_LINES: usize = 4;

/// `describe`.
#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// Connector.
    #[arg(add = connector_names())]
    name: String,
    /// Show passwords and other secrets of its configuration.
    #[arg(long)]
    show_secrets: bool,
    /// Show traces of failures whole.
    #[arg(long)]
    trace: bool,
}

/// Describes a connector.
///
/// # Errors
/// There is none of that name, or the worker can't say.
pub(super) fn run(ctl: &Ctl, args: &DescribeArgs) -> Result<Exit, CtlError> {
    let info = ctl.client.info(&args.name)?;
    // A connector that was created just now may have no status yet.
    let status = found(ctl.client.status(&args.name))?;
    // Topic tracking may be switched off or missing.
    let topics = ctl.client.topics(&args.name).ok();
    let secrets = ctl
        .passwords
        .of(&ctl.client, info.class(), args.show_secrets);
    let config = secrets.masked(&info.config);
    if ctl.out.json {
        ctl.out.value(&json!({
            "name": args.name,
            "type": info.kind,
            "config": config,
            "connector": status.as_ref().map(|s| &s.connector),
            "tasks": status.as_ref().map(|s| &s.tasks),
            "topics": topics,
        }));
        return Ok(Exit::Clean);
    }
    head(ctl, &args.name, &info, status.as_ref(), topics.as_deref());
    print_line("");
    let mut table = Table::new([text("KEY"), text("VALUE")]);
    for (key, value) in &config {
        let value = value
            .as_deref()
            .map_or(Cell::painted("null", Paint::Faint), Cell::from);
        table.row([key.into(), value]);
    }
    ctl.out
        .table(&table, config.is_empty(), "the configuration is empty");
    if let Some(status) = &status {
        tasks(ctl, status);
        traces(ctl, status, args.trace);
    }
    Ok(Exit::Clean)
}

fn head(ctl: &Ctl, name: &str, info: &Info, status: Option<&Status>, topics: Option<&[String]>) {
    let style = ctl.out.style;
    let kind = info.kind.as_deref().unwrap_or("connector");
    let name = style.bold(&ctl.out.printable(name));
    print_line(&format!("{name}  {}", ctl.out.printable(kind)));
    let mut table = Table::new([text("STATE"), text("WORKER"), text("TOPICS")]);
    let unknown = || Cell::painted("unknown", Paint::Faint);
    let connector = status.map(|status| &status.connector);
    let worker = connector.and_then(|instance| instance.worker_id.clone());
    let shown = match topics {
        None => unknown(),
        Some([]) => Cell::painted("none yet", Paint::Faint),
        Some(topics) => topics.join(", ").into(),
    };
    table.row([
        connector.map_or_else(unknown, |instance| Cell::state(&instance.state)),
        worker.map_or_else(unknown, Cell::from),
        shown,
    ]);
    ctl.out.table(&table, false, "");
}

fn tasks(ctl: &Ctl, status: &Status) {
    print_line("");
    let mut table = Table::new([text("TASK"), text("STATE"), text("WORKER")]);
    for task in &status.tasks {
        let worker = task.instance.worker_id.clone().unwrap_or_default();
        table.row([
            task.id.to_string().into(),
            Cell::state(&task.instance.state),
            Cell::painted(worker, Paint::Faint),
        ]);
    }
    ctl.out
        .table(&table, status.tasks.is_empty(), "it has no tasks");
}

fn traces(ctl: &Ctl, status: &Status, is_whole: bool) {
    for (part, trace) in status.traces() {
        let lines: Vec<&str> = trace.lines().collect();
        let shown = if is_whole {
            lines.len()
        } else {
            TRACE_LINES.min(lines.len())
        };
        print_line("");
        print_line(&ctl.out.style.red(&format!("{part} failed:")));
        for line in &lines[..shown] {
            print_line(&format!("  {}", printable_lines(line)));
        }
        if shown < lines.len() {
            let left = lines.len() - shown;
            print_line(
                &ctl.out
                    .style
                    .faint(&format!("  … {left} more lines with --trace")),
            );
        }
    }
}
