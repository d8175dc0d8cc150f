//! From a text to a [`JsonPath`].

use regex::RegexBuilder;

use super::json_path::{Comparison, Condition, JsonPath, Operand, PathError, Step};
use crate::api::Value;

/// Conditions within conditions: deeper ones are nobody's.
const MAX_DEPTH: usize = 50;

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// Reads a whole path.
pub(super) fn parse(path: &str) -> Result<JsonPath, PathError> {
    let mut parser = Parser {
        path,
        rest: path.trim(),
        depth: 0,
    };
    parser.expect("$")?;
    let steps = parser.steps()?;
    if !parser.rest.is_empty() {
        return Err(parser.error("expected '.' or '['"));
    }
    Ok(JsonPath(steps))
}

struct Parser<'a> {
    path: &'a str,
    rest: &'a str,
    depth: usize,
}

type Parsed<T> = Result<T, PathError>;

impl<'a> Parser<'a> {
    fn error(&self, problem: impl Into<String>) -> PathError {
        let before = self.path.len() - self.rest.len();
        let at = self.path.get(..before).unwrap_or("").chars().count() + 1;
        PathError {
            problem: problem.into(),
            at,
            path: self.path.to_owned(),
        }
    }

    fn eat(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// As [`Self::eat`], after blanks.
    fn eat_token(&mut self, expected: &str) -> bool {
        self.rest = self.rest.trim_start();
        self.eat(expected)
    }

    fn expect(&mut self, expected: &str) -> Parsed<()> {
        match self.eat_token(expected) {
            true => Ok(()),
            false => Err(self.error(format!("expected '{expected}'"))),
        }
    }

    /// As many characters as `wanted` says, at least one.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> Option<&'a str> {
        let end = self
            .rest
            .find(|character| !wanted(character))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!taken.is_empty()).then_some(taken)
    }

    fn steps(&mut self) -> Parsed<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.eat(".") {
                if self.rest.starts_with('.') {
                    return Err(self.error("'..' is not supported"));
                }
                steps.push(self.name()?);
            } else if self.eat("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn name(&mut self) -> Parsed<Step> {
        if self.eat("*") {
            return Ok(Step::Every);
        }
        let part = |character: char| {
            character.is_alphanumeric() || matches!(character, '_' | '-' | '$' | '@')
        };
        match self.take_while(part) {
            Some(_) if self.rest.starts_with('(') => Err(self.error("functions are not supported")),
            Some(name) => Ok(Step::Child(name.to_owned())),
            None => Err(self.error("expected a name")),
        }
    }

    /// After `[`.
    fn bracket(&mut self) -> Parsed<Step> {
        self.rest = self.rest.trim_start();
        let step = if self.eat("*") {
            Step::Every
        } else if self.eat("?") {
            self.expect("(")?;
            let condition = self.any()?;
            self.expect(")")?;
            Step::Filter(condition)
        } else if self.rest.starts_with(['\'', '"']) {
            Step::Child(self.quoted()?)
        } else {
            let digits =
                self.take_while(|character| character == '-' || character.is_ascii_digit());
            let index = digits.and_then(|digits| digits.parse().ok());
            Step::Index(index.ok_or_else(|| self.error("expected a name, an index, '*' or '?'"))?)
        };
        self.expect("]")?;
        Ok(step)
    }

    /// A backslash keeps the character that follows.
    fn quoted(&mut self) -> Parsed<String> {
        let start = self.rest;
        let mut characters = self.rest.chars();
        let quote = characters.next();
        let mut text = String::new();
        while let Some(character) = characters.next() {
            if Some(character) == quote {
                self.rest = characters.as_str();
                return Ok(text);
            }
            match character {
                '\\' => text.extend(characters.next()),
                other => text.push(other),
            }
        }
        self.rest = start;
        Err(self.error("text without closing quote"))
    }

    fn any(&mut self) -> Parsed<Condition> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("conditions are nested too deep"));
        }
        self.depth += 1;
        let mut conditions = vec![self.all()?];
        while self.eat_token("||") {
            conditions.push(self.all()?);
        }
        self.depth -= 1;
        Ok(Condition::Any(conditions))
    }

    fn all(&mut self) -> Parsed<Condition> {
        let mut conditions = vec![self.one()?];
        while self.eat_token("&&") {
            conditions.push(self.one()?);
        }
        Ok(Condition::All(conditions))
    }

    fn one(&mut self) -> Parsed<Condition> {
        if self.eat_token("!") {
            self.expect("(")?;
            let inner = self.any()?;
            self.expect(")")?;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.eat("(") {
            let inner = self.any()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        self.rest = self.rest.trim_start();
        for (token, comparison) in COMPARISONS {
            if self.eat(token) {
                return Ok(Condition::Compare(left, comparison, self.operand()?));
            }
        }
        if self.eat("=~") {
            return self.regex(left);
        }
        for (word, negated) in [("in", false), ("nin", true)] {
            if self.rest.starts_with(&format!("{word} "))
                || self.rest.starts_with(&format!("{word}["))
            {
                self.eat(word);
                let of = self.literals()?;
                return Ok(Condition::OneOf {
                    value: left,
                    of,
                    negated,
                });
            }
        }
        if self.rest.starts_with([')', '&', '|']) {
            return Ok(Condition::Exists(left));
        }
        Err(self.error("expected a comparison"))
    }

    fn regex(&mut self, left: Operand) -> Parsed<Condition> {
        self.expect("/")?;
        let mut pattern = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next() {
                None => return Err(self.error("regular expression without closing '/'")),
                Some('/') => break,
                Some('\\') => match characters.next() {
                    Some('/') => pattern.push('/'),
                    Some(other) => pattern.extend(['\\', other]),
                    None => {}
                },
                Some(other) => pattern.push(other),
            }
        }
        let whole = format!("^(?:{pattern})$");
        let regex = RegexBuilder::new(&whole)
            .case_insensitive(characters.as_str().starts_with('i'))
            .build()
            .map_err(|reason| self.error(format!("bad regular expression ({reason})")))?;
        self.rest = characters.as_str();
        self.eat("i");
        Ok(Condition::Matches(left, regex))
    }

    fn literals(&mut self) -> Parsed<Vec<Value>> {
        self.expect("[")?;
        let mut values = Vec::new();
        if self.eat_token("]") {
            return Ok(values);
        }
        loop {
            self.rest = self.rest.trim_start();
            values.push(self.literal()?);
            if self.eat_token("]") {
                return Ok(values);
            }
            self.expect(",")?;
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        self.rest = self.rest.trim_start();
        if self.eat("@") {
            return Ok(Operand::Here(JsonPath(self.steps()?)));
        }
        if self.eat("$") {
            return Ok(Operand::Root(JsonPath(self.steps()?)));
        }
        Ok(Operand::Literal(self.literal()?))
    }

    fn literal(&mut self) -> Parsed<Value> {
        if self.rest.starts_with(['\'', '"']) {
            return Ok(Value::String(self.quoted()?));
        }
        for (word, value) in [
            ("true", Value::Boolean(true)),
            ("false", Value::Boolean(false)),
            ("null", Value::Null),
        ] {
            if self.eat(word) {
                return Ok(value);
            }
        }
        let expected = self.error("expected a path, text, number, true, false or null");
        let part = |character: char| {
            character.is_ascii_digit() || matches!(character, '+' | '-' | '.' | 'e' | 'E')
        };
        let digits = self.take_while(part).unwrap_or("");
        if let Ok(whole) = digits.parse() {
            return Ok(Value::Int64(whole));
        }
        digits.parse().map(Value::Float64).map_err(|_| expected)
    }
}
