//! What the JSON Schema converter uses of this one: the parser, and how values without parts are read and
//! written.

use super::escape::append_quoted;
use super::parser::{Document, Kind, View};
use super::reader::{Reader, unique_members};
use super::writer::{DecimalFormat, Writer};
use crate::api::data::SchemaRef;
use crate::api::{ConnectError, Value};
use crate::converters::config::serialization_error;

/// Buffers of a parsed text.
#[derive(Debug, Default)]
pub(in crate::converters) struct JsonBuffer(Document);

/// A parsed text; values are named by their place.
#[derive(Debug, Clone, Copy)]
pub(in crate::converters) struct JsonText<'a>(View<'a>);

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::converters) enum JsonKind {
    Null,
    Boolean,
    Integer,
    Fraction,
    Text,
    Array,
    Object,
}

impl JsonBuffer {
    /// Parses a text: the values in it, and the place of the outermost (`None` when it is blank).
    ///
    /// # Errors
    /// It is no JSON, with Jackson's class.
    pub(in crate::converters) fn parse<'a>(
        &'a mut self,
        input: &'a [u8],
    ) -> Result<(JsonText<'a>, Option<usize>), ConnectError> {
        let view = self.0.parse(input).map_err(|reason| {
            serialization_error(format!(
                "com.fasterxml.jackson.core.JsonParseException: {reason}"
            ))
        })?;
        Ok((JsonText(view), view.root()))
    }
}

impl<'a> JsonText<'a> {
    pub(in crate::converters) fn kind(self, at: usize) -> JsonKind {
        match self.0.kind(at) {
            Kind::Null => JsonKind::Null,
            Kind::False | Kind::True => JsonKind::Boolean,
            Kind::Integer => JsonKind::Integer,
            Kind::Fraction => JsonKind::Fraction,
            Kind::Text => JsonKind::Text,
            Kind::Array => JsonKind::Array,
            Kind::Object => JsonKind::Object,
        }
    }

    /// Jackson's `JsonNodeType`.
    pub(in crate::converters) fn type_name(self, at: usize) -> &'static str {
        self.0.type_name(at)
    }

    /// The elements of an array.
    pub(in crate::converters) fn elements(self, at: usize) -> impl Iterator<Item = usize> {
        self.0.elements(at)
    }

    /// Names and values of an object, each name once, with the value that came last.
    pub(in crate::converters) fn members(self, at: usize) -> Vec<(&'a str, usize)> {
        let members = unique_members(self.0, at).into_iter();
        members
            .map(|(name, value)| (self.0.text(name), value))
            .collect()
    }

    /// The member called `name`.
    pub(in crate::converters) fn get(self, at: usize, name: &str) -> Option<usize> {
        self.0.get(at, name)
    }

    /// A value that is not null, as a schema without parts or of a logical type wants it.
    ///
    /// # Errors
    /// It is of another type.
    pub(in crate::converters) fn leaf(
        self,
        schema: &SchemaRef,
        at: usize,
    ) -> Result<Value, ConnectError> {
        let reader = Reader {
            view: self.0,
            replace_null_with_default: true,
        };
        reader.with_schema(schema, Some(at), false)
    }
}

/// Appends a value, not null, of a schema without parts or of a logical type.
///
/// # Errors
/// It does not fit its schema.
pub(in crate::converters) fn append_leaf(
    schema: &SchemaRef,
    value: &Value,
    numeric_decimals: bool,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    let writer = Writer {
        decimal_format: match numeric_decimals {
            true => DecimalFormat::Numeric,
            false => DecimalFormat::Base64,
        },
        replace_null_with_default: false,
    };
    writer.value(Some(schema), value, 0, out)
}

/// Appends a quoted text.
pub(in crate::converters) fn append_text(text: &str, out: &mut Vec<u8>) {
    append_quoted(text.as_bytes(), out);
}
