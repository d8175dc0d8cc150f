//! Checks of parsed values, with Kafka's texts.

use std::fmt;
use std::sync::Arc;

use super::{ConfigData, invalid_text};

type Check = dyn Fn(&str, Option<&ConfigData>) -> Result<(), String> + Send + Sync;

/// One end of a range, with the text that a message shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    value: f64,
    text: String,
}

impl From<i32> for Bound {
    fn from(value: i32) -> Self {
        Self {
            value: f64::from(value),
            text: value.to_string(),
        }
    }
}

impl From<i64> for Bound {
    fn from(value: i64) -> Self {
        Self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "Kafka compares ranges as doubles too"
            )]
            value: value as f64,
            text: value.to_string(),
        }
    }
}

impl From<f64> for Bound {
    fn from(value: f64) -> Self {
        Self {
            value,
            text: ConfigData::Double(value).to_string(),
        }
    }
}

/// A check of one parsed value.
#[derive(Clone)]
pub enum Validator {
    /// A number between two ends, both included.
    Range {
        /// Lower end.
        min: Option<Bound>,
        /// Upper end.
        max: Option<Bound>,
    },
    /// One of these texts.
    OneOf(Vec<String>),
    /// One of these texts in any case; the texts are upper case.
    OneOfIgnoreCase(Vec<String>),
    /// Text that is not empty; null passes.
    NonEmptyString,
    /// Text that is not empty and has no control characters; null passes.
    NonEmptyWithoutControls,
    /// A list without duplicates (Kafka: `ConfigDef.ValidList`). Parsing drops duplicates with a
    /// warning, validating reports them.
    List {
        /// Entries that may stand in it; any when empty.
        of: Vec<String>,
        /// Whether it may have no entry.
        allow_empty: bool,
        /// Whether it may be null.
        allow_null: bool,
    },
    /// Text that is a regular expression.
    Regex,
    /// Anything else.
    Custom {
        /// What passes, for the reference table.
        describe: String,
        /// Gives the full text of the problem.
        check: Arc<Check>,
    },
}

impl Validator {
    /// A number of at least `min`.
    pub fn at_least(min: impl Into<Bound>) -> Self {
        Self::Range {
            min: Some(min.into()),
            max: None,
        }
    }

    /// A number from `min` to `max`.
    pub fn between(min: impl Into<Bound>, max: impl Into<Bound>) -> Self {
        Self::Range {
            min: Some(min.into()),
            max: Some(max.into()),
        }
    }

    /// One of `values`, letter by letter.
    pub fn one_of<I: IntoIterator<Item: Into<String>>>(values: I) -> Self {
        Self::OneOf(values.into_iter().map(Into::into).collect())
    }

    /// One of `values` in any case.
    pub fn one_of_ignore_case<I: IntoIterator<Item: AsRef<str>>>(values: I) -> Self {
        let upper = |value: I::Item| value.as_ref().to_uppercase();
        Self::OneOfIgnoreCase(values.into_iter().map(upper).collect())
    }

    /// Text that is not empty.
    pub fn non_empty_string() -> Self {
        Self::NonEmptyString
    }

    /// Text that is not empty and has no control characters.
    pub fn non_empty_without_controls() -> Self {
        Self::NonEmptyWithoutControls
    }

    /// A list with at least one entry.
    pub fn non_empty_list() -> Self {
        Self::unique_list(false, false)
    }

    /// A list without duplicates and empty entries.
    pub fn unique_list(allow_empty: bool, allow_null: bool) -> Self {
        Self::List {
            of: Vec::new(),
            allow_empty,
            allow_null,
        }
    }

    /// A list of some of `values`.
    pub fn list_of<I: IntoIterator<Item: Into<String>>>(allow_empty: bool, values: I) -> Self {
        Self::List {
            of: values.into_iter().map(Into::into).collect(),
            allow_empty,
            allow_null: false,
        }
    }

    /// A regular expression.
    pub fn regex() -> Self {
        Self::Regex
    }

    /// A check of your own: `check` gets key and value and gives the *reason*, from which the text
    /// "Invalid value V for configuration K: reason" is made.
    pub fn custom(
        describe: impl Into<String>,
        check: impl Fn(Option<&ConfigData>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self::custom_text(describe, move |name, value| {
            check(value).map_err(|reason| invalid(name, value, &reason))
        })
    }

    /// As [`Validator::custom`], but `check` gives the whole text.
    pub fn custom_text(
        describe: impl Into<String>,
        check: impl Fn(&str, Option<&ConfigData>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self::Custom {
            describe: describe.into(),
            check: Arc::new(check),
        }
    }

    /// Checks the value of `name`.
    ///
    /// # Errors
    /// The full text of the problem.
    pub fn check(&self, name: &str, value: Option<&ConfigData>) -> Result<(), String> {
        match self {
            Self::Range { min, max } => check_range(name, value, min.as_ref(), max.as_ref()),
            Self::OneOf(values) => check_one_of(name, value, values),
            Self::OneOfIgnoreCase(values) => check_ignore_case(name, value, values),
            Self::NonEmptyString if text(value) == Some("") => {
                Err(invalid(name, value, "String must be non-empty"))
            }
            Self::NonEmptyString => Ok(()),
            Self::NonEmptyWithoutControls => check_controls(name, value),
            Self::List {
                of,
                allow_empty,
                allow_null,
            } => check_list(name, value, of, *allow_empty, *allow_null),
            Self::Regex => check_regex(name, value),
            Self::Custom { check, .. } => check(name, value),
        }
    }
}

impl fmt::Display for Validator {
    /// What passes, as Kafka's reference tables say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { min, max } => {
                let end = |bound: &Option<Bound>| bound.as_ref().map_or("", |b| &b.text).to_owned();
                match (min, max) {
                    (_, None) => write!(f, "[{},...]", end(min)),
                    (None, _) => write!(f, "[...,{}]", end(max)),
                    _ => write!(f, "[{},...,{}]", end(min), end(max)),
                }
            }
            Self::OneOf(values) => write!(f, "[{}]", values.join(", ")),
            Self::OneOfIgnoreCase(values) => {
                write!(f, "(case insensitive) [{}]", values.join(", "))
            }
            Self::NonEmptyString => f.write_str("non-empty string"),
            Self::NonEmptyWithoutControls => {
                f.write_str("non-empty string without ISO control characters")
            }
            Self::List {
                of, allow_empty, ..
            } if of.is_empty() => f.write_str(if *allow_empty {
                "entries without duplicates"
            } else {
                "at least one entry, without duplicates"
            }),
            Self::List { of, .. } => write!(f, "[{}]", of.join(", ")),
            Self::Regex => f.write_str("valid regex"),
            Self::Custom { describe, .. } => f.write_str(describe),
        }
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({self})")
    }
}

fn text(value: Option<&ConfigData>) -> Option<&str> {
    value.and_then(ConfigData::as_str)
}

fn invalid(name: &str, value: Option<&ConfigData>, reason: &str) -> String {
    let shown = value.map(ToString::to_string);
    invalid_text(name, shown.as_deref(), reason)
}

fn check_range(
    name: &str,
    value: Option<&ConfigData>,
    min: Option<&Bound>,
    max: Option<&Bound>,
) -> Result<(), String> {
    let Some(number) = value.and_then(ConfigData::as_f64) else {
        return Err(invalid(name, value, "Value must be non-null"));
    };
    if let Some(min) = min.filter(|min| number < min.value) {
        let reason = format!("Value must be at least {}", min.text);
        return Err(invalid(name, value, &reason));
    }
    if let Some(max) = max.filter(|max| number > max.value) {
        let reason = format!("Value must be no more than {}", max.text);
        return Err(invalid(name, value, &reason));
    }
    Ok(())
}

fn check_one_of(name: &str, value: Option<&ConfigData>, values: &[String]) -> Result<(), String> {
    if text(value).is_some_and(|text| values.iter().any(|valid| valid == text)) {
        return Ok(());
    }
    let reason = format!("String must be one of: {}", values.join(", "));
    Err(invalid(name, value, &reason))
}

fn check_ignore_case(
    name: &str,
    value: Option<&ConfigData>,
    values: &[String],
) -> Result<(), String> {
    let upper = text(value).map(str::to_uppercase);
    if upper.is_some_and(|upper| values.contains(&upper)) {
        return Ok(());
    }
    let reason = format!(
        "String must be one of (case insensitive): {}",
        values.join(", ")
    );
    Err(invalid(name, value, &reason))
}

fn check_controls(name: &str, value: Option<&ConfigData>) -> Result<(), String> {
    let Some(text) = text(value) else {
        return Ok(());
    };
    if text.is_empty() {
        return Err(invalid(name, value, "String may not be empty"));
    }
    let found: Vec<String> = text
        .chars()
        .filter(|c| c.is_control())
        .map(|c| u32::from(c).to_string())
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "String may not contain control sequences but had the following ASCII chars: {}",
        found.join(", ")
    );
    Err(invalid(name, value, &reason))
}

fn check_list(
    name: &str,
    value: Option<&ConfigData>,
    of: &[String],
    allow_empty: bool,
    allow_null: bool,
) -> Result<(), String> {
    let Some(ConfigData::List(items)) = value else {
        return if allow_null {
            Ok(())
        } else {
            Err(format!("Configuration '{name}' values must not be null."))
        };
    };
    if items.is_empty() && !allow_empty {
        let valid = if of.is_empty() {
            "any non-empty value".to_owned()
        } else {
            format!("[{}]", of.join(", "))
        };
        return Err(format!(
            "Configuration '{name}' must not be empty. Valid values include: {valid}"
        ));
    }
    let unique: indexmap::IndexSet<&String> = items.iter().collect();
    if unique.len() < items.len() {
        return Err(format!(
            "Configuration '{name}' values must not be duplicated."
        ));
    }
    for item in items {
        if item.is_empty() {
            return Err(format!("Configuration '{name}' values must not be empty."));
        }
        if !of.is_empty() {
            check_one_of(name, Some(&ConfigData::String(item.clone())), of)?;
        }
    }
    Ok(())
}

fn check_regex(name: &str, value: Option<&ConfigData>) -> Result<(), String> {
    let Some(pattern) = text(value) else {
        return Ok(());
    };
    match regex::Regex::new(pattern) {
        Ok(_) => Ok(()),
        Err(error) => {
            let reason = format!("Invalid regex: {error}");
            Err(invalid(name, value, &reason))
        }
    }
}
