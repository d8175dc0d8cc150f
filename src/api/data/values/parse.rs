//! From a text to the value that it looks like.

use jiff::tz::TimeZone;

use super::convert::{Merger, align};
use super::number::{Decimal, digit};
use super::temporal;
use super::tokens::{Tokens, trim};
use crate::api::data::java_hash::UniqueEntries;
use crate::api::data::{Schema, SchemaAndValue, SchemaBuilder, SchemaRef, SchemaType, Value};

/// Java runs out of stack some thousand levels deep.
const MAX_DEPTH: usize = 1000;

/// Why a text has no value of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseFailure {
    /// An array, map or element that is not well formed. On top level the text then is a string.
    #[error("Unable to parse the value")]
    Malformed,
    /// Arrays and maps are nested more than 1000 deep.
    #[error("The value is nested too deep")]
    TooDeep,
}

type Parsed = Result<Option<SchemaAndValue>, ParseFailure>;

/// The value that a text stands for (Kafka: `Values.parseString`). Null has no schema; what looks
/// like nothing else is a string.
///
/// # Errors
/// [`ParseFailure::TooDeep`], where Java overflows its stack.
pub fn parse(text: &str, zone: &TimeZone) -> Result<SchemaAndValue, ParseFailure> {
    if text.is_empty() {
        return Ok(string(text));
    }
    let mut parser = Parser {
        tokens: Tokens::new(text),
        zone,
        depth: 0,
    };
    match parser.value(false) {
        Ok(parsed) => Ok(parsed.unwrap_or(SchemaAndValue::NULL)),
        Err(ParseFailure::Malformed) => Ok(string(text)),
        Err(ParseFailure::TooDeep) => Err(ParseFailure::TooDeep),
    }
}

fn string(text: &str) -> SchemaAndValue {
    let schema = Schema::required(SchemaType::String);
    SchemaAndValue::new(schema, Value::String(text.to_owned()))
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    zone: &'a TimeZone,
    depth: usize,
}

impl Parser<'_> {
    /// `None` is null. `embedded` says that the value stands in an array or map.
    fn value(&mut self, embedded: bool) -> Parsed {
        if !self.tokens.has_next() {
            return Ok(None);
        }
        if embedded && self.tokens.consume("\"") {
            return Ok(Some(self.quoted()));
        }
        if self.literal("null", embedded) {
            return Ok(None);
        }
        for (word, flag) in [("true", true), ("false", false)] {
            if self.literal(word, embedded) {
                let schema = Schema::required(SchemaType::Boolean);
                return Ok(Some(SchemaAndValue::new(schema, Value::Boolean(flag))));
            }
        }
        let start = self.tokens.mark();
        match self.collection() {
            Ok(Some(collection)) => return Ok(Some(collection)),
            Ok(None) => {}
            Err(ParseFailure::Malformed) => self.tokens.rewind(start),
            Err(ParseFailure::TooDeep) => return Err(ParseFailure::TooDeep),
        }
        let token = self.tokens.next();
        if trim(token).is_empty() {
            return Ok(Some(string(token)));
        }
        self.scalar(trim(token), embedded).map(Some)
    }

    /// On top level a word counts only if nothing follows it.
    fn literal(&mut self, word: &str, embedded: bool) -> bool {
        let start = self.tokens.mark();
        if self.tokens.consume(word) && (embedded || !self.tokens.has_next()) {
            return true;
        }
        self.tokens.rewind(start);
        false
    }

    /// `None` if neither an array nor a map begins here.
    fn collection(&mut self) -> Parsed {
        let is_array = self.tokens.consume("[");
        if !is_array && !self.tokens.consume("{") {
            return Ok(None);
        }
        if self.depth == MAX_DEPTH {
            return Err(ParseFailure::TooDeep);
        }
        self.depth += 1;
        let parsed = if is_array { self.array() } else { self.map() };
        self.depth -= 1;
        parsed.map(Some)
    }

    fn scalar(&mut self, token: &str, embedded: bool) -> Result<SchemaAndValue, ParseFailure> {
        let first = token.chars().next();
        let is_digit = first.is_some_and(|first| digit(first).is_some());
        if is_digit && let Some(temporal) = self.temporal(token) {
            return Ok(temporal);
        }
        if (is_digit || matches!(first, Some('+' | '-')))
            && let Some(number) = Decimal::parse(token)
        {
            return Ok(number.infer());
        }
        if embedded {
            return Err(ParseFailure::Malformed);
        }
        Ok(string(self.tokens.original()))
    }

    /// Colons split a time into five tokens.
    fn temporal(&mut self, token: &str) -> Option<SchemaAndValue> {
        let start = self.tokens.mark();
        if let Some(rest) = self.tokens.next_many(4) {
            let whole = format!("{token}{rest}");
            if let Some(found) = temporal::parse(&whole, self.zone) {
                return Some(found);
            }
        }
        self.tokens.rewind(start);
        temporal::parse(token, self.zone)
    }

    /// After an opening quote. Escapes stay as they are and blank tokens are lost, as in Java.
    fn quoted(&mut self) -> SchemaAndValue {
        let mut content = String::new();
        while self.tokens.has_next() {
            if self.tokens.consume("\"") {
                break;
            }
            content.push_str(self.tokens.next());
        }
        temporal::parse(&content, self.zone).unwrap_or_else(|| string(&content))
    }

    fn array(&mut self) -> Result<SchemaAndValue, ParseFailure> {
        let mut items = Vec::new();
        let mut merger = Merger::default();
        while self.tokens.has_next() {
            if self.tokens.consume("]") {
                return finish_array(&merger, items);
            }
            if self.tokens.consume(",") {
                return Err(ParseFailure::Malformed);
            }
            let element = self.value(true)?;
            merger.merge(element.as_ref());
            items.push(element.map_or(Value::Null, |element| element.value));
            let here = self.tokens.mark();
            if self.tokens.consume("]") {
                self.tokens.rewind(here);
            } else if !self.tokens.consume(",") {
                return Err(ParseFailure::Malformed);
            }
        }
        Err(ParseFailure::Malformed)
    }

    fn map(&mut self) -> Result<SchemaAndValue, ParseFailure> {
        let mut entries = UniqueEntries::default();
        let mut keys = Merger::default();
        let mut values = Merger::default();
        while self.tokens.has_next() {
            if self.tokens.consume("}") {
                return finish_map(&keys, &values, entries.into_entries());
            }
            if self.tokens.consume(",") {
                return Err(ParseFailure::Malformed);
            }
            let key = self.value(true)?.ok_or(ParseFailure::Malformed)?;
            if key.value.is_null() || !self.tokens.consume(":") {
                return Err(ParseFailure::Malformed);
            }
            let value = self.value(true)?;
            self.tokens.consume(",");
            keys.merge(Some(&key));
            values.merge(value.as_ref());
            entries.put(key.value, value.map_or(Value::Null, |value| value.value));
        }
        Err(ParseFailure::Malformed)
    }
}

fn finish_array(merger: &Merger, items: Vec<Value>) -> Result<SchemaAndValue, ParseFailure> {
    let Some(common) = merger.schema() else {
        let schema = SchemaBuilder::new(SchemaType::Array).build();
        return Ok(SchemaAndValue::new(schema, Value::Array(items)));
    };
    let items = items.into_iter().map(|item| align(common, item));
    let items = items.collect::<Result<_, _>>()?;
    let schema = SchemaBuilder::array(SchemaRef::clone(common)).build();
    Ok(SchemaAndValue::new(schema, Value::Array(items)))
}

fn finish_map(
    keys: &Merger,
    values: &Merger,
    entries: Vec<(Value, Value)>,
) -> Result<SchemaAndValue, ParseFailure> {
    let Some(key_schema) = keys.schema() else {
        let schema = SchemaBuilder::new(SchemaType::Map).build();
        return Ok(SchemaAndValue::new(schema, Value::Map(entries)));
    };
    let mut aligned = UniqueEntries::default();
    for (key, value) in entries {
        let value = match values.schema() {
            Some(common) => align(common, value)?,
            None => value,
        };
        aligned.put(align(key_schema, key)?, value);
    }
    let values = values.schema().map(SchemaRef::clone);
    let schema = SchemaBuilder::map_of_any(Some(SchemaRef::clone(key_schema)), values).build();
    Ok(SchemaAndValue::new(
        schema,
        Value::Map(aligned.into_entries()),
    ))
}
