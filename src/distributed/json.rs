//! JSON as the internal topics have it: `JsonConverter` without schema envelopes (contract 4.1).

use crate::api::data::text;
use crate::api::{ConnectError, Converter, Value};
use crate::converters::JsonConverter;
use crate::converters::json::append_quoted;

/// What Apache's worker reads for a member that is missing.
const MISSING: &Value = &Value::Null;

/// Reads values.
#[derive(Debug)]
pub(super) struct InternalJson(JsonConverter);

impl Default for InternalJson {
    fn default() -> Self {
        Self(JsonConverter::schemaless())
    }
}

impl InternalJson {
    /// The value of a record; null for a tombstone.
    ///
    /// # Errors
    /// It is no JSON.
    pub(super) fn read(&mut self, bytes: Option<&[u8]>) -> Result<Value, ConnectError> {
        Ok(self.0.read("", bytes)?.value)
    }

    /// The JSON of a value without schema.
    ///
    /// # Errors
    /// A value that JSON or a schemaless converter has not.
    pub(super) fn write(&mut self, value: &Value) -> Result<Vec<u8>, ConnectError> {
        let mut out = Vec::new();
        self.0.write("", None, value, &mut out)?;
        Ok(out)
    }
}

/// A member of an object.
pub(super) fn member<'a>(object: &'a [(Value, Value)], name: &str) -> &'a Value {
    let found = object.iter().find(|(key, _)| is_text(key, name));
    found.map_or(MISSING, |(_, value)| value)
}

fn is_text(key: &Value, name: &str) -> bool {
    matches!(key, Value::String(text) if text == name)
}

/// A member that has to be of some type: why it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType {
    /// Its name; `None` is the record's value itself.
    pub(super) field: Option<&'static str>,
    /// What it has to be.
    pub(super) expected: &'static str,
    /// Java's name for what it is.
    pub(super) found: &'static str,
}

/// The members of a record's value.
pub(super) fn object(value: &Value) -> Result<&[(Value, Value)], WrongType> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(wrong(None, "a Map", other)),
    }
}

/// A text member.
pub(super) fn text_of<'a>(
    object: &'a [(Value, Value)],
    name: &'static str,
) -> Result<&'a str, WrongType> {
    match member(object, name) {
        Value::String(text) => Ok(text),
        other => Err(wrong(Some(name), "a String", other)),
    }
}

/// A text member that may be null or missing.
pub(super) fn optional_text_of<'a>(
    object: &'a [(Value, Value)],
    name: &'static str,
) -> Result<Option<&'a str>, WrongType> {
    match member(object, name) {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(wrong(Some(name), "a String", other)),
    }
}

/// An integer member.
pub(super) fn long_of(object: &[(Value, Value)], name: &'static str) -> Result<i64, WrongType> {
    match member(object, name) {
        Value::Int64(number) => Ok(*number),
        other => Err(wrong(Some(name), "an integer", other)),
    }
}

/// An integer member, cut to 32 bits as Java's cast does.
#[expect(clippy::cast_possible_truncation, reason = "Java casts so")]
pub(super) fn int_of(object: &[(Value, Value)], name: &'static str) -> Result<i32, WrongType> {
    long_of(object, name).map(|number| number as i32)
}

/// A value of another type than expected.
pub(super) fn wrong(
    field: Option<&'static str>,
    expected: &'static str,
    found: &Value,
) -> WrongType {
    WrongType {
        field,
        expected,
        found: found.java_class(),
    }
}

/// Writes an object member by member, as `JsonConverter` writes the struct with these fields.
#[derive(Debug)]
pub(super) struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    pub(super) fn new() -> Self {
        Self(vec![b'{'])
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        append_quoted(name.as_bytes(), &mut self.0);
        self.0.push(b':');
    }

    pub(super) fn text(mut self, name: &str, text: &str) -> Self {
        self.name(name);
        append_quoted(text.as_bytes(), &mut self.0);
        self
    }

    pub(super) fn optional_text(mut self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => {
                self.name(name);
                self.0.extend_from_slice(b"null");
                self
            }
        }
    }

    pub(super) fn integer(mut self, name: &str, number: i64) -> Self {
        self.name(name);
        text::append_integer(number, &mut self.0);
        self
    }

    pub(super) fn flag(mut self, name: &str, flag: bool) -> Self {
        self.name(name);
        self.0
            .extend_from_slice(if flag { b"true" } else { b"false" });
        self
    }

    pub(super) fn object(mut self, name: &str, object: Self) -> Self {
        self.name(name);
        self.0.extend_from_slice(&object.finish());
        self
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}
