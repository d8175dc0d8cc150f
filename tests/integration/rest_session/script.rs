//! The script's lines.

use std::fmt;

/// A line of the script.
#[derive(Debug)]
pub(super) enum Step {
    Ask {
        method: String,
        path: String,
        body: Option<String>,
    },
    Wait {
        connector: String,
        state: String,
    },
    Until {
        path: String,
        body: String,
    },
    Write {
        file: String,
        text: String,
        append: bool,
    },
}

impl Step {
    pub(super) fn is_request(&self) -> bool {
        matches!(self, Self::Ask { .. })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { method, path, body } => {
                let body = body.as_deref().unwrap_or_default();
                write!(f, "{method} {path} {body}")
            }
            other => write!(f, "{other:?}"),
        }
    }
}

/// All steps of a script.
pub(super) fn steps(script: &str) -> Vec<Step> {
    let lines = script
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(step).collect()
}

fn step(line: &str) -> Step {
    let (verb, rest) = line.split_once(' ').unwrap();
    let (first, second) = match rest.split_once(' ') {
        Some((first, second)) => (first.to_owned(), Some(second.to_owned())),
        None => (rest.to_owned(), None),
    };
    let wanted = |second: Option<String>| second.unwrap_or_else(|| panic!("{line}"));
    match verb {
        "wait" => Step::Wait {
            connector: first,
            state: wanted(second),
        },
        "until" => Step::Until {
            path: first,
            body: wanted(second),
        },
        "write" | "append" => Step::Write {
            file: first,
            text: wanted(second).replace("\\n", "\n"),
            append: verb == "append",
        },
        method => Step::Ask {
            method: method.to_owned(),
            path: first,
            body: second,
        },
    }
}
