//! The way to a field through nested structs or maps (Kafka: `SingleFieldPath`, `FieldSyntaxVersion`,
//! KIP-821, contract 7.3).

use super::hash_map;
use super::requirements::{require_map, require_struct};
use crate::api::config_def::{ConfigKey, Importance, ParsedConfig, Validator};
use crate::api::data::{Field, Schema, SchemaType};
use crate::api::{ConnectError, Struct, Value};

const SYNTAX: &str = "field.syntax.version";
const PURPOSE: &str = "nested field access";

/// The definition of `field.syntax.version`.
pub(super) fn syntax_version() -> ConfigKey {
    ConfigKey::string(SYNTAX)
        .default("V1")
        .validator(Validator::one_of_ignore_case(["V1", "V2"]))
        .importance(Importance::High)
        .doc(
            "How names of fields are read. With V1 the whole text is the name of a field at the top. With V2 dots \
             lead into nested structs and maps; a name that has dots itself stands in backticks.",
        )
}

/// Names from the top down; the last is the field's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldPath {
    /// None at all for an empty path of version 2, at which Java fails per record.
    steps: Vec<String>,
}

impl FieldPath {
    /// Reads a path by the version that the configuration names.
    ///
    /// # Errors
    /// "Incomplete backtick pair in path: …".
    pub(super) fn parse(text: &str, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let steps = match config.str(SYNTAX)?.eq_ignore_ascii_case("V2") {
            true => steps(text)?,
            false => vec![text.to_owned()],
        };
        Ok(Self { steps })
    }

    fn split(&self) -> Result<(&String, &[String]), ConnectError> {
        self.steps.split_last().ok_or_else(|| {
            ConnectError::connect("fromIndex(0) > toIndex(-1)")
                .with_class("java.lang.IllegalArgumentException")
        })
    }

    /// The field that the path leads to, `None` when there is none.
    ///
    /// # Errors
    /// A schema on the way has no fields.
    pub(super) fn field<'a>(&self, schema: &'a Schema) -> Result<Option<&'a Field>, ConnectError> {
        let (last, before) = self.split()?;
        let mut current = schema;
        for step in before {
            match look_up(current, step)? {
                Some(field) => current = &field.schema,
                None => return Ok(None),
            }
        }
        look_up(current, last)
    }

    /// The value at the end of the path, null when the way ends before; null on the way becomes the
    /// default, at its end only where `replace_null` says so.
    ///
    /// # Errors
    /// A value on the way is no struct.
    pub(super) fn value_in(
        &self,
        mut inner: Box<Struct>,
        replace_null: bool,
    ) -> Result<Value, ConnectError> {
        let (last, before) = self.split()?;
        for step in before {
            match take(&mut inner, step, true) {
                Value::Null => return Ok(Value::Null),
                value => inner = require_struct(value, PURPOSE)?,
            }
        }
        Ok(take(&mut inner, last, replace_null))
    }

    /// The value at the end of the path, null when the way ends before.
    ///
    /// # Errors
    /// A value on the way is no map.
    pub(super) fn value_in_map(
        &self,
        mut entries: Vec<(Value, Value)>,
    ) -> Result<Value, ConnectError> {
        let (last, before) = self.split()?;
        for step in before {
            match take_entry(&mut entries, step) {
                Value::Null => return Ok(Value::Null),
                value => entries = require_map(value, PURPOSE)?,
            }
        }
        Ok(take_entry(&mut entries, last))
    }
}

fn look_up<'a>(schema: &'a Schema, name: &str) -> Result<Option<&'a Field>, ConnectError> {
    if schema.kind() != SchemaType::Struct {
        return Err(ConnectError::data(
            "Cannot look up fields on non-struct type",
        ));
    }
    Ok(schema.field(name))
}

fn take(inner: &mut Struct, name: &str, replace_null: bool) -> Value {
    let Some(field) = inner.schema.field(name) else {
        return Value::Null;
    };
    let value = inner.values.get_mut(field.index);
    let value = value.map_or(Value::Null, |value| std::mem::replace(value, Value::Null));
    match field.schema.default() {
        Some(default) if value.is_null() && replace_null => default.clone(),
        _ => value,
    }
}

fn take_entry(entries: &mut [(Value, Value)], name: &str) -> Value {
    let found = hash_map::get_mut(entries, name);
    found.map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
}

/// The names of a path of version 2.
fn steps(path: &str) -> Result<Vec<String>, ConnectError> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = match rest.strip_prefix('`') {
            Some(wrapped) => {
                let (step, after) = wrapped_step(wrapped).ok_or_else(|| {
                    let before = &path[..path.len() - rest.len()];
                    incomplete(path, before.encode_utf16().count())
                })?;
                steps.push(step);
                after
            }
            None => {
                let (step, after) = rest.split_once('.').unwrap_or((rest, ""));
                steps.push(step.to_owned());
                after
            }
        };
    }
    if path.ends_with('.') {
        steps.push(String::new());
    }
    Ok(steps)
}

/// The name that begins behind a backtick, and what follows its end; `None` without an end. A backtick
/// ends it before a dot or at the end of the path, unless a backslash stands before it.
fn wrapped_step(text: &str) -> Option<(String, &str)> {
    let mut step = String::new();
    let mut from = 0;
    for (at, _) in text.match_indices('`') {
        let (before, after) = (text.get(from..at)?, text.get(at + 1..)?);
        let escaped = text.get(..at)?.ends_with('\\');
        if after.is_empty() {
            step.push_str(before);
            return (!escaped).then_some((step, after));
        }
        let Some(after) = after.strip_prefix('.') else {
            continue;
        };
        if !escaped {
            step.push_str(before);
            return Some((step, after));
        }
        step.push_str(before.strip_suffix('\\')?);
        step.push('`');
        from = at + 1;
    }
    None
}

fn incomplete(path: &str, position: usize) -> ConnectError {
    ConnectError::config(format!(
        "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position \
         {position} to escape it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_part_names_and_backticks_hold_them_together() {
        for (path, expected) in [
            ("", &[] as &[&str]),
            ("a", &["a"]),
            ("a.b", &["a", "b"]),
            ("a..b.", &["a", "", "b", ""]),
            (".", &["", ""]),
            ("`a.b`.c", &["a.b", "c"]),
            ("a.`b.c`", &["a", "b.c"]),
            ("`a`.", &["a", ""]),
            ("``", &[""]),
            ("a`b", &["a`b"]),
            ("`a`b`", &["a`b"]),
            ("`a\\`.b`", &["a`.b"]),
            ("`ä.`.é", &["ä.", "é"]),
        ] {
            assert_eq!(steps(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn a_backtick_without_its_other_half_is_refused_with_its_place() {
        for (path, position) in [
            ("`", 0),
            ("a.`b", 2),
            ("`a\\`", 0),
            ("😀.`b.c", 3),
            ("`a`b", 0),
        ] {
            let error = steps(path).unwrap_err();
            let text = format!(
                "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position {position} to escape it"
            );
            assert_eq!(error.message(), text);
        }
    }
}
