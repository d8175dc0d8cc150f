//! What there is to say before the first record: who is looked at, its plugins, roads and warnings.

use serde_json::{Value as Json, json};

use crate::cli::style::Style;
use crate::config::Warning;
use crate::worker::preview::{short, warning_json};

/// A connector and how its records will move.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) connector: String,
    pub(super) class: String,
    /// `source` or `sink`.
    pub(super) kind: &'static str,
    /// Class of the key, value and header converter.
    pub(super) converters: [String; 3],
    /// Alias and class of each transform.
    pub(super) transforms: Vec<(String, &'static str)>,
    pub(super) roads: Option<Roads>,
    pub(super) warnings: Vec<Warning>,
}

/// Roads of keys and values, for what the connector hands over or wants.
#[derive(Debug)]
pub(super) struct Roads {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) form: &'static str,
}

/// `warning KEY: TEXT`, and the fix on a line of its own.
pub(super) fn warning_text(warning: &Warning, style: Style) -> String {
    let mut text = format!(
        "{} {}: {}\n",
        style.yellow("warning"),
        style.bold(&warning.key),
        warning.message
    );
    if let Some(fix) = &warning.fix {
        text.push_str(&format!("        fix: {fix}\n"));
    }
    text
}

impl Head {
    pub(super) fn text(&self, style: Style) -> String {
        let [key, value, header] = self.converters.each_ref().map(|class| short(class));
        let mut text = format!(
            "{} {} ({}, {})\nconverters  key {key}, value {value}, headers {header}\n",
            style.bold(self.kind),
            style.bold(&self.connector),
            short(&self.class),
            self.class,
        );
        if !self.transforms.is_empty() {
            let steps = self.transforms.iter();
            let steps: Vec<_> = steps
                .map(|(alias, class)| format!("{alias} ({})", short(class)))
                .collect();
            text.push_str(&format!("transforms  {}\n", steps.join(" → ")));
        }
        match &self.roads {
            Some(roads) => text.push_str(&format!(
                "roads       key {}, value {} (the {} {} {})\n",
                roads.key,
                roads.value,
                self.kind,
                self.verb(),
                roads.form
            )),
            None => text.push_str("roads       chosen with the first batch\n"),
        }
        for warning in &self.warnings {
            text.push_str(&warning_text(warning, style));
        }
        text
    }

    fn verb(&self) -> &'static str {
        match self.kind {
            "sink" => "takes",
            _ => "gives",
        }
    }

    pub(super) fn json(&self) -> Json {
        let [key, value, header] = &self.converters;
        let roads = self.roads.as_ref();
        let transforms = self.transforms.iter();
        json!({
            "connector": self.connector,
            "class": self.class,
            "kind": self.kind,
            "converters": {"key": key, "value": value, "header": header},
            "transforms": transforms
                .map(|(alias, class)| json!({"alias": alias, "class": class}))
                .collect::<Vec<_>>(),
            "roads": roads.map(|roads| {
                json!({"key": roads.key, "value": roads.value, "form": roads.form})
            }),
            "warnings": self.warnings.iter().map(warning_json).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            connector: "c".to_owned(),
            class: "p.XSinkConnector".to_owned(),
            kind: "sink",
            converters: ["p.A", "p.B", "p.C"].map(str::to_owned),
            transforms: vec![("t".to_owned(), "p.Cast$Value")],
            roads: Some(Roads {
                key: "slice".to_owned(),
                value: "struct".to_owned(),
                form: "records",
            }),
            warnings: vec![Warning::new("k", "is odd").with_fix("leave it")],
        }
    }

    #[test]
    fn people_see_plugins_roads_and_each_warning_with_its_fix() {
        assert_eq!(
            head().text(Style::PLAIN),
            "sink c (XSinkConnector, p.XSinkConnector)\n\
             converters  key A, value B, headers C\n\
             transforms  t (Cast$Value)\n\
             roads       key slice, value struct (the sink takes records)\n\
             warning k: is odd\n        fix: leave it\n"
        );
    }

    #[test]
    fn machines_see_the_same() {
        let json = head().json();
        assert_eq!(json["roads"]["value"], "struct");
        assert_eq!(json["transforms"][0]["alias"], "t");
        assert_eq!(
            json["warnings"][0],
            json!({"key": "k", "message": "is odd", "fix": "leave it"})
        );
    }
}
