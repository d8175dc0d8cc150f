//! `validate`: what the worker says about files, by key (contract 1.7, 1.8).

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Ctl;
use super::batch::{Batch, Report};
use super::error::CtlError;
use super::files::load_all;
use super::output::Output;
use super::secrets::Secrets;
use crate::api::ConfigMap;
use crate::cli::Exit;

/// `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Connector files (.properties or .json), directories of them, or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show passwords and other secrets.
    #[arg(long)]
    show_secrets: bool,
}

/// What is wrong with a key.
#[derive(Debug)]
pub(super) struct Problem {
    key: String,
    value: Option<String>,
    messages: Vec<String>,
    recommended: Vec<String>,
}

impl Problem {
    /// A line for people.
    pub(super) fn line(&self, out: &Output) -> String {
        let key = out.style.red(&out.printable(&self.key));
        let said = out.printable(&self.messages.join("; "));
        match self.recommended.is_empty() {
            true => format!("  ! {key}: {said}"),
            false => {
                let list = out.printable(&self.recommended.join(", "));
                format!("  ! {key}: {said} (can be: {list})")
            }
        }
    }

    /// `{"key", "value", "messages", "recommended_values"}`.
    pub(super) fn json(&self) -> Value {
        json!({
            "key": self.key,
            "value": self.value,
            "messages": self.messages,
            "recommended_values": self.recommended,
        })
    }
}

/// Validates files.
///
/// # Errors
/// A file can't be used.
pub(super) fn run(ctl: &Ctl, args: &ValidateArgs) -> Result<Exit, CtlError> {
    let files = load_all(&args.files)?;
    Ok(Batch::run(ctl.out, &files, |loaded| {
        let config = &loaded.file.config;
        let mut report = Report::of(&loaded.file.name);
        report.set("file", loaded.place());
        let class = class_of(config);
        report.set("class", class);
        report.set("valid", Value::Null);
        report.set("errors", Value::Null);
        let class = class.unwrap_or_default();
        let secrets = ctl.passwords.of(&ctl.client, class, args.show_secrets);
        let Some(problems) = report.take(problems(ctl, config, &secrets)) else {
            return report;
        };
        report.is_bad = !problems.is_empty();
        report.set("valid", problems.is_empty());
        let values: Vec<Value> = problems.iter().map(Problem::json).collect();
        report.set("errors", values);
        let out = &ctl.out;
        let name = out.style.bold(&out.printable(&loaded.file.name));
        let place = out
            .style
            .faint(&format!("({})", out.printable(&loaded.place())));
        let words = match problems.len() {
            0 => "is valid".to_owned(),
            1 => "has 1 problem".to_owned(),
            count => format!("has {count} problems"),
        };
        report.lines.push(format!("{name} {words} {place}"));
        report
            .lines
            .extend(problems.iter().map(|problem| problem.line(out)));
        report
    }))
}

/// `connector.class`, if it says something.
pub(super) fn class_of(config: &ConfigMap) -> Option<&str> {
    let class = config.get("connector.class").and_then(Option::as_deref);
    class.map(str::trim).filter(|class| !class.is_empty())
}

/// Problems that the worker finds.
///
/// # Errors
/// The worker can't tell; it answers so for an unknown class.
pub(super) fn problems(
    ctl: &Ctl,
    config: &ConfigMap,
    secrets: &Secrets,
) -> Result<Vec<Problem>, CtlError> {
    let Some(class) = class_of(config) else {
        return Ok(vec![Problem {
            key: "connector.class".to_owned(),
            value: None,
            messages: vec![
                "Missing required configuration \"connector.class\" which has no default value."
                    .to_owned(),
            ],
            recommended: Vec::new(),
        }]);
    };
    let infos = ctl.client.validate(class, config)?;
    let mut problems = Vec::new();
    for info in infos.configs {
        if info.value.errors.is_empty() {
            continue;
        }
        let is_password = info
            .definition
            .is_some_and(|known| known.kind == "PASSWORD");
        let messages = info.value.errors.iter();
        let key = info.value.name;
        let value = info.value.value;
        let value = value.map(|value| match is_password {
            true => super::secrets::HIDDEN.to_owned(),
            false => secrets.mask(&key, &value).into_owned(),
        });
        problems.push(Problem {
            value,
            messages: messages.map(|text| secrets.scrub(text, config)).collect(),
            recommended: recommended(&info.value.recommended_values),
            key,
        });
    }
    if problems.is_empty() && infos.error_count > 0 {
        let text = format!(
            "the worker counts {} errors and names none",
            infos.error_count
        );
        return Err(CtlError::Failed(text));
    }
    Ok(problems)
}

fn recommended(values: &[Value]) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    values.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Style;

    #[test]
    fn a_problem_names_key_reason_and_choices() {
        let problem = Problem {
            key: "errors.tolerance".to_owned(),
            value: Some("some".to_owned()),
            messages: vec!["bad".to_owned(), "worse\u{7}".to_owned()],
            recommended: recommended(&[json!("none"), json!(1)]),
        };
        let line = problem.line(&Output::plain(Style::PLAIN));
        assert_eq!(
            line,
            "  ! errors.tolerance: bad; worse\u{fffd} (can be: none, 1)"
        );
        assert_eq!(problem.json()["recommended_values"], json!(["none", "1"]));
    }

    #[test]
    fn an_empty_class_is_none() {
        let config = |class: &str| -> ConfigMap {
            [("connector.class".to_owned(), Some(class.to_owned()))].into()
        };
        assert_eq!(class_of(&config(" a.B ")), Some("a.B"));
        assert_eq!(class_of(&config("  ")), None);
        assert_eq!(class_of(&ConfigMap::new()), None);
    }
}
