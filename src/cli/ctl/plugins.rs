//! `plugins`: what a worker can run, and the keys of a plugin (contract 1.7).

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::Ctl;
use super::api::Definition;
use super::client::{Call, Client};
use super::error::CtlError;
use super::output::printable_lines;
use super::table::{Cell, Paint, Table, text};
use crate::cli::completions::plugin_classes;
use crate::cli::{Exit, print_line};

/// `plugins`.
#[derive(Debug, Args)]
pub(super) struct PluginsArgs {
    /// Class whose keys to show; short names work.
    #[arg(add = plugin_classes(), conflicts_with = "all")]
    class: Option<String>,
    /// Also list converters, transformations and predicates.
    #[arg(long)]
    all: bool,
    /// Show what each key is for, with CLASS.
    #[arg(long, requires = "class")]
    docs: bool,
}

/// A plugin in the list.
#[derive(Debug, Deserialize)]
struct Plugin {
    class: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    version: Option<String>,
}

/// Lists plugins or the keys of one.
///
/// # Errors
/// The worker does not have it, or can't say.
pub(super) fn run(ctl: &Ctl, args: &PluginsArgs) -> Result<Exit, CtlError> {
    if let Some(class) = &args.class {
        return keys(ctl, class, args.docs);
    }
    let path = format!("/connector-plugins?connectorsOnly={}", !args.all);
    let answer = ctl.client.call(&Call::get(path))?;
    let mut plugins: Vec<Plugin> = answer.json()?;
    if ctl.out.json {
        ctl.out.value(&answer.json::<Value>()?);
        return Ok(Exit::Clean);
    }
    plugins.sort_by(|a, b| (&a.kind, &a.class).cmp(&(&b.kind, &b.class)));
    let mut table = Table::new([text("TYPE"), text("VERSION"), text("CLASS")]);
    for plugin in &plugins {
        let version = plugin.version.clone().unwrap_or_default();
        table.row([
            plugin.kind.as_str().into(),
            Cell::painted(version, Paint::Faint),
            plugin.class.as_str().into(),
        ]);
    }
    ctl.out
        .table(&table, plugins.is_empty(), "the worker has no plugins");
    Ok(Exit::Clean)
}

/// Classes of all connectors.
///
/// # Errors
/// As [`run`].
pub(super) fn classes(client: &Client) -> Result<Vec<String>, CtlError> {
    let answer = client.call(&Call::get("/connector-plugins"))?;
    let plugins: Vec<Plugin> = answer.json()?;
    Ok(plugins.into_iter().map(|plugin| plugin.class).collect())
}

fn keys(ctl: &Ctl, class: &str, docs: bool) -> Result<Exit, CtlError> {
    let answer = ctl.client.plugin_config(class)?;
    let keys: Vec<Definition> = answer.json()?;
    if ctl.out.json {
        ctl.out.value(&answer.json::<Value>()?);
        return Ok(Exit::Clean);
    }
    if docs {
        for key in &keys {
            for line in documented(ctl, key) {
                print_line(&line);
            }
        }
        return Ok(Exit::Clean);
    }
    let mut table = Table::new([
        text("KEY"),
        text("TYPE"),
        text("IMPORTANCE"),
        text("DEFAULT"),
    ]);
    for key in &keys {
        table.row([
            key.name.as_str().into(),
            key.kind.to_lowercase().into(),
            key.importance
                .clone()
                .unwrap_or_default()
                .to_lowercase()
                .into(),
            default(key),
        ]);
    }
    ctl.out.table(&table, keys.is_empty(), "it has no keys");
    Ok(Exit::Clean)
}

fn default(key: &Definition) -> Cell {
    match (&key.default_value, key.required) {
        (_, true) => Cell::painted("(required)", Paint::Warn),
        (None, false) => Cell::painted("null", Paint::Faint),
        (Some(text), false) => format!("\"{text}\"").into(),
    }
}

fn documented(ctl: &Ctl, key: &Definition) -> Vec<String> {
    let style = ctl.out.style;
    let needed = match (&key.default_value, key.required) {
        (_, true) => "required".to_owned(),
        (None, false) => "default null".to_owned(),
        (Some(text), false) => format!("default \"{}\"", ctl.out.printable(text)),
    };
    let name = style.bold(&ctl.out.printable(&key.name));
    let kind = ctl.out.printable(&key.kind.to_lowercase());
    let text = key.documentation.as_deref().unwrap_or_default();
    let mut lines = vec![format!("{name}  {kind}, {needed}")];
    lines.extend(
        printable_lines(text)
            .lines()
            .map(|line| format!("    {line}")),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Style;

    #[test]
    fn an_empty_default_is_told_from_none() {
        let key = |default: Option<&str>, required| Definition {
            default_value: default.map(str::to_owned),
            required,
            ..Definition::default()
        };
        let mut table = Table::new([text("D")]);
        table.row([default(&key(Some(""), false))]);
        table.row([default(&key(None, false))]);
        table.row([default(&key(None, true))]);
        assert_eq!(
            table.lines(Style::PLAIN, None)[1..],
            ["\"\"", "null", "(required)"]
        );
    }
}
