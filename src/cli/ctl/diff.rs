//! What a file would change of a configuration.

use serde_json::{Value, json};

use super::output::Output;
use super::secrets::Secrets;
use crate::api::ConfigMap;

/// One key that differs. `None` as a value is JSON's null.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// Only the file has it.
    Added { key: &'a str, new: Option<&'a str> },
    /// Only the worker has it.
    Removed { key: &'a str, old: Option<&'a str> },
    /// Both have it.
    Changed {
        key: &'a str,
        old: Option<&'a str>,
        new: Option<&'a str>,
    },
}

/// What would change: in the order of `wanted`, then what goes away. `name` counts only where both have
/// it, since workers fill it in.
pub(super) fn changes<'a>(current: &'a ConfigMap, wanted: &'a ConfigMap) -> Vec<Change<'a>> {
    let mut found = Vec::new();
    for (key, new) in wanted {
        let new = new.as_deref();
        match current.get(key) {
            Some(old) if old.as_deref() == new => {}
            Some(old) => found.push(Change::Changed {
                key,
                old: old.as_deref(),
                new,
            }),
            None if key == "name" => {}
            None => found.push(Change::Added { key, new }),
        }
    }
    let gone = current
        .iter()
        .filter(|(key, _)| *key != "name" && !wanted.contains_key(*key));
    found.extend(gone.map(|(key, old)| Change::Removed {
        key,
        old: old.as_deref(),
    }));
    found
}

impl Change<'_> {
    fn parts(&self) -> (&str, Option<Option<&str>>, Option<Option<&str>>) {
        match *self {
            Self::Added { key, new } => (key, None, Some(new)),
            Self::Removed { key, old } => (key, Some(old), None),
            Self::Changed { key, old, new } => (key, Some(old), Some(new)),
        }
    }

    /// Lines for people: `- key=old`, `+ key=new`. Secrets are hidden; that they differ is not.
    pub(super) fn lines(&self, secrets: &Secrets, out: &Output) -> Vec<String> {
        let (key, old, new) = self.parts();
        let text = |value: Option<&str>| match value {
            Some(value) => out.printable(&secrets.mask(key, value)),
            None => "null".to_owned(),
        };
        let key = out.printable(key);
        let old = old.map(|old| out.style.red(&format!("  - {key}={}", text(old))));
        let new = new.map(|new| out.style.green(&format!("  + {key}={}", text(new))));
        old.into_iter().chain(new).collect()
    }

    /// `{"key", "change": "added"|"removed"|"changed", "old", "new"}`.
    pub(super) fn json(&self, secrets: &Secrets) -> Value {
        let (key, old, new) = self.parts();
        let change = match self {
            Self::Added { .. } => "added",
            Self::Removed { .. } => "removed",
            Self::Changed { .. } => "changed",
        };
        let masked = |value: Option<Option<&str>>| {
            value.flatten().map(|v| secrets.mask(key, v).into_owned())
        };
        json!({"key": key, "change": change, "old": masked(old), "new": masked(new)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Style;

    fn map(pairs: &[(&str, Option<&str>)]) -> ConfigMap {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
            .collect()
    }

    #[test]
    fn changes_come_in_the_files_order_then_what_goes() {
        let current = map(&[
            ("name", Some("n")),
            ("a", Some("1")),
            ("gone", Some("x")),
            ("same", Some("s")),
        ]);
        let wanted = map(&[
            ("new", Some("y")),
            ("same", Some("s")),
            ("a", Some("2")),
            ("z", None),
        ]);
        assert_eq!(
            changes(&current, &wanted),
            [
                Change::Added {
                    key: "new",
                    new: Some("y")
                },
                Change::Changed {
                    key: "a",
                    old: Some("1"),
                    new: Some("2")
                },
                Change::Added {
                    key: "z",
                    new: None
                },
                Change::Removed {
                    key: "gone",
                    old: Some("x")
                },
            ]
        );
        assert!(changes(&current, &current).is_empty());
    }

    #[test]
    fn a_name_that_the_worker_filled_in_is_no_difference() {
        let with = map(&[("name", Some("n")), ("a", Some("1"))]);
        let without = map(&[("a", Some("1"))]);
        assert!(changes(&with, &without).is_empty());
        assert!(changes(&without, &with).is_empty());
        let other = map(&[("name", Some("m")), ("a", Some("1"))]);
        assert_eq!(changes(&with, &other).len(), 1);
    }

    #[test]
    fn secrets_are_hidden_and_still_seen_to_differ() {
        let out = Output::plain(Style::PLAIN);
        let secrets = Secrets::new(false, Vec::new());
        let (current, wanted) = (
            map(&[("db.password", Some("old-one"))]),
            map(&[("db.password", Some("new-one"))]),
        );
        let found = changes(&current, &wanted);
        let lines = found[0].lines(&secrets, &out);
        assert_eq!(
            lines,
            ["  - db.password=[hidden]", "  + db.password=[hidden]"]
        );
        let json = found[0].json(&secrets).to_string();
        assert!(!json.contains("-one") && json.contains("changed"), "{json}");
        let shown = Secrets::new(true, Vec::new());
        assert!(found[0].json(&shown).to_string().contains("new-one"));
    }
}
