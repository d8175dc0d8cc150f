//! `top`: states, rates and lag of all connectors, redrawn. What a worker's `/metrics` does not say
//! (Apache's has none) is left out: then there are states alone.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum, value_parser};
use serde_json::{Value, json};

use super::Ctl;
use super::api::Overview;
use super::client::Call;
use super::error::CtlError;
use super::list::{kind, task_cell};
use super::output::printable;
use super::samples::samples;
use super::table::{Cell, Column, Paint, Table, cut, number, text};
use crate::cli::{Exit, print_line};

/// Records that went out of the tasks, per task.
const RECORDS: &[&str] = &[
    "kafka_connect_source_task_source_record_write_total",
    "kafka_connect_sink_task_sink_record_send_total",
];
/// Bytes of keys and values that went with them.
const BYTES: &[&str] = &["ringmain_task_bytes_total"];
/// Records that failed for good.
const ERRORS: &[&str] = &["kafka_connect_task_error_total_record_errors"];
/// Records of a sink task's topics that it has not consumed.
const LAG: &[&str] = &["ringmain_task_lag_records"];

/// `top`.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    /// Show it once and end: two looks, --interval apart, where there are rates.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = value_parser!(u32).range(1..=3600))]
    interval: u32,
    /// What comes first.
    #[arg(long, value_enum, default_value_t = Sort::Name)]
    sort: Sort,
}

/// `--sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// Names in their order.
    Name,
    /// The most records a second.
    Rate,
    /// The most lag.
    Lag,
}

/// Totals of a connector's tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Totals {
    records: f64,
    bytes: Option<f64>,
    errors: f64,
    lag: Option<f64>,
}

/// Everything at one time.
#[derive(Debug)]
struct Look {
    at: Instant,
    connectors: BTreeMap<String, Overview>,
    /// By connector; `None` where the worker has no metrics.
    totals: Option<BTreeMap<String, Totals>>,
}

/// A line of the table.
#[derive(Debug, Default)]
struct Row {
    name: String,
    overview: Overview,
    rate: Option<f64>,
    bytes_rate: Option<f64>,
    lag: Option<f64>,
    errors: Option<f64>,
}

/// Shows it once, or until the user ends it.
///
/// # Errors
/// With `--once`: the worker can't say. Else that is shown, and looked again.
pub(super) fn run(ctl: &Ctl, args: &TopArgs) -> Result<Exit, CtlError> {
    let interval = Duration::from_secs(u64::from(args.interval));
    let mut before = look(ctl)?;
    if args.once {
        if before.totals.is_none() {
            show(ctl, None, &before, args.sort, false);
            return Ok(Exit::Clean);
        }
        thread::sleep(interval);
        let now = look(ctl)?;
        show(ctl, Some(&before), &now, args.sort, false);
        return Ok(Exit::Clean);
    }
    let is_screen = !ctl.out.json && std::io::stdout().is_terminal();
    if is_screen {
        print_line("\x1b[2J");
    }
    // Whoever reads it may go away.
    let mut is_read = show(ctl, None, &before, args.sort, is_screen);
    while is_read {
        thread::sleep(interval);
        match look(ctl) {
            Ok(now) => {
                is_read = show(ctl, Some(&before), &now, args.sort, is_screen);
                before = now;
            }
            Err(error) if error.status() == Some(401) => return Err(error),
            Err(error) => ctl.out.failure(&error),
        }
    }
    Ok(Exit::Clean)
}

fn look(ctl: &Ctl) -> Result<Look, CtlError> {
    let connectors = ctl.client.overviews()?;
    let answer = ctl.client.raw(&Call::get("/metrics"));
    let text = answer.ok().filter(|answer| answer.status == 200);
    let totals = text.map(|answer| totals(&answer.text()));
    Ok(Look {
        at: Instant::now(),
        connectors,
        // Something else may answer at that path.
        totals: totals.filter(|totals| !totals.is_empty()),
    })
}

fn totals(text: &str) -> BTreeMap<String, Totals> {
    let mut all: BTreeMap<String, Totals> = BTreeMap::new();
    for sample in samples(text).filter(|sample| sample.value.is_finite()) {
        let is = |names: &[&str]| names.contains(&sample.name);
        if !(is(RECORDS) || is(BYTES) || is(ERRORS) || is(LAG)) {
            continue;
        }
        let Some(connector) = sample.label("connector") else {
            continue;
        };
        let of = all.entry(connector).or_default();
        let add = |total: Option<f64>| Some(total.unwrap_or_default() + sample.value);
        if is(RECORDS) {
            of.records += sample.value;
        } else if is(BYTES) {
            of.bytes = add(of.bytes);
        } else if is(ERRORS) {
            of.errors += sample.value;
        } else if sample.value >= 0.0 {
            of.lag = add(of.lag);
        }
    }
    all
}

fn rows(before: Option<&Look>, now: &Look, sort: Sort) -> Vec<Row> {
    let old = before.and_then(|look| look.totals.as_ref());
    let seconds = before.map_or(0.0, |look| (now.at - look.at).as_secs_f64());
    // A task that started anew counts from zero.
    let rate = |new: f64, old: f64| (seconds > 0.0 && new >= old).then(|| (new - old) / seconds);
    let row = |(name, overview): (&String, &Overview)| {
        let new = now.totals.as_ref().and_then(|all| all.get(name));
        let old = old.and_then(|all| all.get(name));
        let both = new.zip(old);
        Row {
            name: name.clone(),
            overview: overview.clone(),
            rate: both.and_then(|(new, old)| rate(new.records, old.records)),
            bytes_rate: both.and_then(|(new, old)| rate(new.bytes?, old.bytes?)),
            lag: new.and_then(|new| new.lag),
            errors: new.map(|new| new.errors),
        }
    };
    let mut rows: Vec<Row> = now.connectors.iter().map(row).collect();
    let most_first = |a: Option<f64>, b: Option<f64>| {
        let (a, b) = (a.unwrap_or(-1.0), b.unwrap_or(-1.0));
        b.total_cmp(&a)
    };
    match sort {
        Sort::Name => {}
        Sort::Rate => rows.sort_by(|a, b| most_first(a.rate, b.rate)),
        Sort::Lag => rows.sort_by(|a, b| most_first(a.lag, b.lag)),
    }
    rows
}

/// False when standard output is gone.
fn show(ctl: &Ctl, before: Option<&Look>, now: &Look, sort: Sort, is_screen: bool) -> bool {
    let rows = rows(before, now, sort);
    let text = if ctl.out.json {
        value(ctl.client.url(), now, &rows).to_string() + "\n"
    } else {
        page(ctl, now, &rows, is_screen)
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

fn page(ctl: &Ctl, now: &Look, rows: &[Row], is_screen: bool) -> String {
    let style = ctl.out.style;
    let mut lines = vec![headline(ctl.client.url(), rows, now)];
    let has_metrics = now.totals.is_some();
    lines.extend(table(rows, has_metrics).lines(style, ctl.out.width));
    if !has_metrics {
        lines.push(style.faint("rates and lag: this worker has no /metrics"));
    }
    if !is_screen {
        return lines.join("\n") + "\n\n";
    }
    if let Some((width, height)) = terminal_size::terminal_size() {
        let room = usize::from(height.0).saturating_sub(1).max(3);
        if lines.len() > room {
            let left = lines.len() - room + 1;
            lines.truncate(room - 1);
            lines.push(style.faint(&format!("… and {left} more")));
        }
        lines[0] = cut(&lines[0], usize::from(width.0));
    }
    // To the first place, each line over the old one, and away with what is left below.
    let over = lines.iter().map(|line| format!("{line}\x1b[K\n"));
    format!("\x1b[H{}\x1b[J", over.collect::<String>())
}

fn headline(url: &str, rows: &[Row], now: &Look) -> String {
    let statuses = rows.iter().filter_map(|row| row.overview.status.as_ref());
    let (mut tasks, mut failed) = (0, 0);
    for status in statuses {
        tasks += status.tasks.len();
        failed += usize::from(status.has_failed());
    }
    let time = jiff::Timestamp::now();
    let connectors = now.connectors.len();
    format!("{url}  {time:.0}  connectors: {connectors}, with failures: {failed}; tasks: {tasks}")
}

fn table(rows: &[Row], has_metrics: bool) -> Table {
    let mut columns: Vec<Column> = vec![text("NAME"), text("TYPE"), text("STATE"), text("TASKS")];
    if has_metrics {
        columns.extend(["RECORDS/S", "BYTES/S", "LAG", "ERRORS"].map(number));
    }
    let mut table = Table::new(columns);
    for row in rows {
        let status = row.overview.status.clone().unwrap_or_default();
        let mut cells: Vec<Cell> = vec![
            row.name.as_str().into(),
            kind(&row.overview).unwrap_or_default().into(),
            Cell::state(&status.connector.state),
            task_cell(&status),
        ];
        if has_metrics {
            let numbers = [row.rate, row.bytes_rate, row.lag];
            cells.extend(numbers.map(|value| Cell::from(short(value))));
            let is_bad = row.errors.is_some_and(|errors| errors > 0.0);
            let paint = if is_bad { Paint::Bad } else { Paint::Plain };
            cells.push(Cell::painted(short(row.errors), paint));
        }
        table.row_of(cells);
    }
    table
}

/// Three digits and a unit of thousands.
fn short(value: Option<f64>) -> String {
    let Some(mut value) = value else {
        return "-".to_owned();
    };
    for unit in ["", "k", "M", "G", "T"] {
        if value < 999.5 {
            let digits = if unit.is_empty() || value >= 99.95 {
                0
            } else {
                1
            };
            return format!("{value:.digits$}{unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.0}P")
}

fn value(url: &str, now: &Look, rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let status = row.overview.status.as_ref();
        json!({
            "name": row.name,
            "type": kind(&row.overview),
            "state": status.map(|s| &s.connector.state),
            "tasks": status.map(|s| s.task_states()),
            "records_per_second": row.rate,
            "bytes_per_second": row.bytes_rate,
            "lag": row.lag,
            "errors": row.errors,
        })
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    json!({
        "time": jiff::Timestamp::now().to_string(),
        "url": printable(url),
        "metrics": now.totals.is_some(),
        "connectors": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Style;

    fn at(start: Instant, seconds: u64, metrics: Option<&str>) -> Look {
        let status = r#"{"name":"a","connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":"RUNNING"}],"type":"sink"}"#;
        let overview = |text: &str| Overview {
            status: serde_json::from_str(text).ok(),
            info: None,
        };
        Look {
            at: start + Duration::from_secs(seconds),
            connectors: [
                ("a".to_owned(), overview(status)),
                ("b".to_owned(), overview("{}")),
            ]
            .into(),
            totals: metrics.map(totals),
        }
    }

    fn text_of(records: [u64; 2], lag: u64) -> String {
        let [a, b] = records;
        format!(
            "kafka_connect_sink_task_sink_record_send_total{{connector=\"a\",task=\"0\"}} {a}\n\
             kafka_connect_sink_task_sink_record_send_total{{connector=\"a\",task=\"1\"}} {a}\n\
             kafka_connect_source_task_source_record_write_total{{connector=\"b\",task=\"0\"}} {b}\n\
             ringmain_task_lag_records{{connector=\"a\",task=\"0\"}} {lag}\n\
             ringmain_task_lag_records{{connector=\"a\",task=\"1\"}} NaN\n\
             kafka_connect_task_error_total_record_errors{{connector=\"b\",task=\"0\"}} 3\n"
        )
    }

    #[test]
    fn rates_are_differences_over_time_summed_over_tasks() {
        let start = Instant::now();
        let (old, new) = (text_of([100, 50], 7), text_of([300, 10], 9));
        let before = at(start, 0, Some(&old));
        let now = at(start, 2, Some(&new));
        let all = rows(Some(&before), &now, Sort::Name);
        assert_eq!(all[0].rate, Some(200.0));
        assert_eq!((all[0].lag, all[0].bytes_rate), (Some(9.0), None));
        // Its task began anew: no rate this time, and not a negative one.
        assert_eq!((all[1].rate, all[1].errors), (None, Some(3.0)));
    }

    #[test]
    fn without_metrics_there_are_states() {
        let now = at(Instant::now(), 0, None);
        let all = rows(None, &now, Sort::Rate);
        let lines = table(&all, false).lines(Style::PLAIN, None);
        assert_eq!(
            lines,
            [
                "NAME  TYPE  STATE    TASKS",
                "a     sink  RUNNING  1 running",
                "b                    none"
            ]
        );
        let json = value("u", &now, &all);
        assert_eq!(json["metrics"], false);
        assert_eq!(json["connectors"][0]["records_per_second"], Value::Null);
        assert_eq!(json["connectors"][0]["tasks"]["RUNNING"], 1);
    }

    #[test]
    fn the_most_lag_comes_first_where_that_is_wanted() {
        let start = Instant::now();
        let text = "ringmain_task_lag_records{connector=\"b\"} 5\nringmain_task_lag_records{connector=\"a\"} 1\n";
        let now = at(start, 0, Some(text));
        let names = |sort| -> Vec<String> {
            rows(None, &now, sort)
                .into_iter()
                .map(|row| row.name)
                .collect()
        };
        assert_eq!(names(Sort::Lag), ["b", "a"]);
        assert_eq!(names(Sort::Name), ["a", "b"]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (7.4, "7"),
            (999.0, "999"),
            (1000.0, "1.0k"),
            (12_345.0, "12.3k"),
            (123_456.0, "123k"),
            (999_999.0, "1.0M"),
            (5.0e9, "5.0G"),
        ] {
            assert_eq!(short(Some(value)), text);
        }
        assert_eq!(short(None), "-");
    }
}
