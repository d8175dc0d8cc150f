//! JSONPath over the values of the data model, without making JSON of them.
//!
//! What is there: `$`, `.name`, `['name']`, `[0]`, `[-1]`, `[*]`, `.*`, and filters `[?(…)]` with `@` and `$`
//! paths, text, numbers, `true`, `false`, `null`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `=~ /regex/i`, `in [..]`,
//! `nin [..]`, `!`, `&&`, `||` and parentheses. Descending (`..`), slices and functions are refused by name.

use std::cmp::Ordering;

use regex::Regex;

use super::json_path_parser;
use crate::api::Value;
use crate::api::data::java_number;
use crate::transforms::hash_map;

/// A path that was read.
#[derive(Debug)]
pub(super) struct JsonPath(pub(super) Vec<Step>);

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at character {at} of JSONPath {path}")]
pub(super) struct PathError {
    pub(super) problem: String,
    pub(super) at: usize,
    pub(super) path: String,
}

/// One step down.
#[derive(Debug)]
pub(super) enum Step {
    Child(String),
    /// From the end where negative.
    Index(i64),
    /// All members or elements.
    Every,
    /// Elements of an array, or the value itself where it is none.
    Filter(Condition),
}

/// What a filter asks of a value.
#[derive(Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// Something is there.
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    Matches(Operand, Regex),
    /// Whether it is one of these, or none of these where negated.
    OneOf {
        value: Operand,
        of: Vec<Value>,
        negated: bool,
    },
}

/// What is compared.
#[derive(Debug)]
pub(super) enum Operand {
    /// From the value that the filter looks at.
    Here(JsonPath),
    /// From the whole.
    Root(JsonPath),
    Literal(Value),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What came of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It leads to something.
    Found,
    /// It leads nowhere, and everything that it names was there.
    NotFound,
    /// It leads nowhere, and something that it names is missing or null.
    Missing,
}

impl JsonPath {
    /// Reads a path, which begins with `$`.
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        json_path_parser::parse(text)
    }

    /// Looks for what the path leads to.
    pub(super) fn evaluate(&self, root: &Value) -> Outcome {
        let mut search = Search {
            root,
            missing: false,
        };
        let found = search.select(&self.0, root);
        if found.iter().any(|value| !value.is_null()) {
            Outcome::Found
        } else if search.missing || !found.is_empty() {
            Outcome::Missing
        } else {
            Outcome::NotFound
        }
    }
}

struct Search<'a> {
    root: &'a Value,
    /// Whether something that was named is not there or null.
    missing: bool,
}

impl<'a> Search<'a> {
    fn select(&mut self, steps: &[Step], from: &'a Value) -> Vec<&'a Value> {
        let mut here = vec![from];
        for step in steps {
            let mut next = Vec::new();
            for value in here {
                self.step(step, value, &mut next);
            }
            here = next;
        }
        here
    }

    fn step(&mut self, step: &Step, value: &'a Value, found: &mut Vec<&'a Value>) {
        match step {
            Step::Child(name) => match child(value, name) {
                Some(child) => found.push(child),
                None => self.missing = true,
            },
            Step::Index(index) => match element(value, *index) {
                Some(element) => found.push(element),
                None => self.missing = true,
            },
            Step::Every => append_all(value, found),
            Step::Filter(condition) => match value {
                Value::Array(items) => {
                    for item in items {
                        if self.holds(condition, item) {
                            found.push(item);
                        }
                    }
                }
                other if self.holds(condition, other) => found.push(other),
                _ => {}
            },
        }
    }

    fn holds(&mut self, condition: &Condition, here: &'a Value) -> bool {
        match condition {
            Condition::Any(all) => all.iter().any(|one| self.holds(one, here)),
            Condition::All(all) => all.iter().all(|one| self.holds(one, here)),
            Condition::Not(one) => !self.holds(one, here),
            Condition::Exists(operand) => {
                // Asking whether something is there misses nothing.
                let before = self.missing;
                let found = self.value(operand, here).is_some();
                self.missing = before;
                found
            }
            Condition::Compare(left, comparison, right) => {
                let (left, right) = (self.owned(left, here), self.owned(right, here));
                compare(left.as_ref(), *comparison, right.as_ref())
            }
            Condition::Matches(operand, regex) => {
                matches!(self.value(operand, here), Some(Value::String(text)) if regex.is_match(text))
            }
            Condition::OneOf { value, of, negated } => {
                let value = self.owned(value, here);
                let is_one = |one: &Value| compare(value.as_ref(), Comparison::Equal, Some(one));
                of.iter().any(is_one) != *negated
            }
        }
    }

    /// As [`Self::value`], literals included.
    fn owned(&mut self, operand: &Operand, here: &'a Value) -> Option<Value> {
        match operand {
            Operand::Literal(value) => Some(value.clone()),
            other => self.value(other, here).cloned(),
        }
    }

    /// What a path leads to first; nothing and null count as missing.
    fn value(&mut self, operand: &Operand, here: &'a Value) -> Option<&'a Value> {
        let (steps, from) = match operand {
            Operand::Here(path) => (&path.0, here),
            Operand::Root(path) => (&path.0, self.root),
            Operand::Literal(_) => return None,
        };
        let found = self.select(steps, from).into_iter().next();
        self.missing |= found.is_none_or(Value::is_null);
        found
    }
}

fn child<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Struct(inner) => inner.get(name).ok(),
        Value::Map(entries) => hash_map::get(entries, name),
        _ => None,
    }
}

fn element(value: &Value, index: i64) -> Option<&Value> {
    let Value::Array(items) = value else {
        return None;
    };
    let length = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { index + length } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn append_all<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => found.extend(items),
        Value::Map(entries) => found.extend(entries.iter().map(|(_, value)| value)),
        Value::Struct(inner) => {
            found.extend(
                inner
                    .schema
                    .fields()
                    .iter()
                    .map(|field| inner.get_field(field)),
            );
        }
        _ => {}
    }
}

/// What is not there equals nothing but null.
fn compare(left: Option<&Value>, comparison: Comparison, right: Option<&Value>) -> bool {
    let (left, right) = (left.unwrap_or(&Value::Null), right.unwrap_or(&Value::Null));
    let order = order(left, right);
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// `None` for values of different kinds.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        _ => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => number(left)?.partial_cmp(&number(right)?),
        },
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int8(number) => Some(i64::from(*number)),
        Value::Int16(number) => Some(i64::from(*number)),
        Value::Int32(number) => Some(i64::from(*number)),
        Value::Int64(number) => Some(*number),
        other => other.date_millis(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared with a float")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float32(number) => Some(f64::from(*number)),
        Value::Float64(number) => Some(*number),
        Value::Decimal(number) => Some(java_number::decimal_to_double(number)),
        other => whole(other).map(|number| number as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::test_records::{map, text};

    fn order_of(amount: i64) -> Value {
        map(&[
            ("amount", Value::Int64(amount)),
            ("country", text("DE")),
            ("nothing", Value::Null),
            ("with space", Value::Boolean(true)),
            (
                "items",
                Value::Array(vec![
                    map(&[("sku", text("a")), ("n", Value::Int32(1))]),
                    map(&[("sku", text("b")), ("n", Value::Int32(5))]),
                ]),
            ),
        ])
    }

    fn outcome(path: &str) -> Outcome {
        JsonPath::parse(path).unwrap().evaluate(&order_of(12))
    }

    #[test]
    fn paths_and_conditions_find_what_they_describe() {
        for path in [
            "$.amount",
            "$['with space']",
            "$.items[1].sku",
            "$.items[-1]",
            "$.items[*].sku",
            "$[?(@.amount > 11.5)]",
            "$[?(@.amount == 12 && @.country != 'FR')]",
            "$.items[?(@.n >= 5)]",
            "$.items[?(@.sku == \"b\" || @.n == 7)]",
            "$[?(!(@.amount < 12) && @['with space'] == true)]",
            "$[?(@.country =~ /d./i)]",
            "$[?(@.country in ['FR', 'DE'])]",
            "$[?(@.country nin ['FR'])]",
            "$.items[?(@.n < $.amount)]",
            "$[?(@.country)]",
            "$[?(@.nothing == null)]",
        ] {
            assert_eq!(outcome(path), Outcome::Found, "{path}");
        }
    }

    #[test]
    fn what_is_not_found_is_told_from_what_is_missing() {
        for (path, expected) in [
            ("$[?(@.amount > 12)]", Outcome::NotFound),
            ("$[?(@.nope)]", Outcome::NotFound),
            ("$[?(@.nope == 1)]", Outcome::Missing),
            ("$[?(@.nothing == 1)]", Outcome::Missing),
            ("$.nothing", Outcome::Missing),
            ("$.nope.deeper", Outcome::Missing),
            ("$.items[7]", Outcome::Missing),
            ("$.items[?(@.sku == 'c')]", Outcome::NotFound),
        ] {
            assert_eq!(outcome(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_read_says_where() {
        for (path, problem) in [
            ("amount", "expected '$' at character 1 of JSONPath amount"),
            (
                "$..a",
                "'..' is not supported at character 3 of JSONPath $..a",
            ),
            (
                "$.a[?(@.b = 1)]",
                "expected a comparison at character 11 of JSONPath $.a[?(@.b = 1)]",
            ),
            (
                "$.a[1:2]",
                "expected ']' at character 6 of JSONPath $.a[1:2]",
            ),
            (
                "$[?(@.a == )]",
                "expected a path, text, number, true, false or null at character 12 of JSONPath $[?(@.a == )]",
            ),
            (
                "$['a]",
                "text without closing quote at character 3 of JSONPath $['a]",
            ),
            (
                "$.a b",
                "expected '.' or '[' at character 4 of JSONPath $.a b",
            ),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err().to_string(), problem);
        }
    }
}
