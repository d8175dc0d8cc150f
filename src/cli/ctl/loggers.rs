//! `logs level`: the worker's log levels while it runs (contract 1.10, KIP-495, KIP-976).

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;

use super::Ctl;
use super::client::{Call, Client};
use super::error::CtlError;
use super::table::{Cell, Paint, Table, text};
use crate::cli::completions::logger_names;
use crate::cli::{Exit, print_line};

/// `logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    #[command(subcommand)]
    command: LogsCommand,
}

#[derive(Debug, Subcommand)]
enum LogsCommand {
    /// Show the levels of all loggers, of one, or change one and those beneath it. A change lasts until
    /// the worker ends.
    Level {
        /// Logger, e.g. root or org.apache.kafka.connect.runtime.
        #[arg(add = logger_names())]
        name: Option<String>,
        /// Its new level.
        #[arg(value_parser = parse_level)]
        level: Option<String>,
        /// Whether the worker that answers changes it, or every worker of its cluster.
        #[arg(long, value_enum, requires = "level", default_value_t = Scope::Worker)]
        scope: Scope,
    },
}

/// `--scope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    /// This worker.
    Worker,
    /// All workers of the cluster.
    Cluster,
}

/// `LoggerLevel`.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Level {
    level: String,
    /// Milliseconds since the epoch.
    #[serde(default)]
    last_modified: Option<i64>,
}

/// A level by the names of log4j; the worker checks again.
fn parse_level(text: &str) -> Result<String, String> {
    const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"];
    let upper = text.to_uppercase();
    match LEVELS.contains(&upper.as_str()) {
        true => Ok(upper),
        false => Err(format!("levels are {}", LEVELS.join(", "))),
    }
}

/// Shows or sets levels.
///
/// # Errors
/// The worker knows no such logger, or has no loggers to show.
pub(super) fn run(ctl: &Ctl, args: &LogsArgs) -> Result<Exit, CtlError> {
    let LogsCommand::Level { name, level, scope } = &args.command;
    match (name, level) {
        (None, _) => all(ctl),
        (Some(name), None) => one(ctl, name),
        (Some(name), Some(level)) => set(ctl, name, level, *scope),
    }
}

/// Names of all loggers.
///
/// # Errors
/// As [`run`].
pub(super) fn names(client: &Client) -> Result<Vec<String>, CtlError> {
    let answer = client.call(&Call::get(Client::logger_path(None)))?;
    let all: BTreeMap<String, Level> = answer.json()?;
    Ok(all.into_keys().collect())
}

fn all(ctl: &Ctl) -> Result<Exit, CtlError> {
    let answer = ctl.client.call(&Call::get(Client::logger_path(None)))?;
    let all: BTreeMap<String, Level> = answer.json()?;
    if ctl.out.json {
        ctl.out.value(&json!(all));
        return Ok(Exit::Clean);
    }
    let mut table = Table::new([text("LOGGER"), text("LEVEL"), text("CHANGED")]);
    for (name, level) in &all {
        table.row([
            name.as_str().into(),
            level.level.as_str().into(),
            Cell::painted(time(level.last_modified), Paint::Faint),
        ]);
    }
    ctl.out
        .table(&table, all.is_empty(), "the worker shows no loggers");
    Ok(Exit::Clean)
}

fn one(ctl: &Ctl, name: &str) -> Result<Exit, CtlError> {
    let path = Client::logger_path(Some(name));
    let level: Level = ctl.client.call(&Call::get(path))?.json()?;
    if ctl.out.json {
        let (level, modified) = (level.level, level.last_modified);
        ctl.out
            .value(&json!({"name": name, "level": level, "last_modified": modified}));
    } else {
        print_line(&ctl.out.printable(&level.level));
    }
    Ok(Exit::Clean)
}

fn set(ctl: &Ctl, name: &str, level: &str, scope: Scope) -> Result<Exit, CtlError> {
    let word = match scope {
        Scope::Worker => "worker",
        Scope::Cluster => "cluster",
    };
    let path = format!("{}?scope={word}", Client::logger_path(Some(name)));
    let body = json!({"level": level}).to_string();
    let answer = ctl.client.call(&Call::new(Method::PUT, path).with(&body))?;
    // A cluster answers with nothing: every worker changes its own.
    let changed: Option<Vec<String>> = match answer.is_empty() {
        true => None,
        false => Some(answer.json()?),
    };
    if ctl.out.json {
        ctl.out
            .value(&json!({"name": name, "level": level, "scope": word, "changed": changed}));
        return Ok(Exit::Clean);
    }
    let shown = ctl.out.printable(name);
    print_line(&match &changed {
        None => format!("{shown} is {level} on every worker of the cluster"),
        Some(changed) if changed.is_empty() => format!("{shown} was {level} already"),
        Some(changed) => format!("{shown} is {level}; loggers changed: {}", changed.len()),
    });
    Ok(Exit::Clean)
}

/// An instant, or nothing.
fn time(millis: Option<i64>) -> String {
    let instant = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    instant.map_or_else(String::new, |instant| format!("{instant:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_taken_in_any_case() {
        assert_eq!(parse_level("debug").unwrap(), "DEBUG");
        assert!(parse_level("loud").unwrap_err().contains("TRACE"));
    }

    #[test]
    fn times_are_shown_as_instants() {
        assert_eq!(time(Some(1_700_000_000_123)), "2023-11-14T22:13:20Z");
        assert_eq!(time(None), "");
    }
}
