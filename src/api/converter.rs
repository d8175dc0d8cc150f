//! Converters between Connect data and the bytes in Kafka (Kafka: `org.apache.kafka.connect.storage`).

use super::LocalFuture;
use super::data::{SchemaAndValue, SchemaRef, Value};
use super::error::ConnectError;
use super::record::Span;

/// How a converter treats text without building values, for the slice road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRoad {
    /// The bytes in Kafka are the bytes of the text: nothing to do.
    Identity,
    /// The converter rewrites text into a buffer ([`Converter::write_text`], [`Converter::read_text`]).
    Rewrite,
    /// Only the struct road gives the right bytes.
    None,
}

/// Converts keys or values. Instances belong to one task and are configured at construction.
pub trait Converter {
    /// Fully qualified Java class name.
    fn class_name(&self) -> &'static str;

    /// Appends the bytes for a value to `out`.
    ///
    /// Returns `false` for Kafka's null (nothing was appended).
    ///
    /// # Errors
    /// Data errors with Apache's texts.
    fn write(
        &mut self,
        topic: &str,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError>;

    /// Whether byte arrays, null among them, are written as they are, so that what came as bytes need not
    /// be looked at.
    fn keeps_bytes(&self) -> bool {
        false
    }

    /// Whether reading never fails, so that what nobody looks at need not be read.
    fn reads_anything(&self) -> bool {
        false
    }

    /// Whether values are read as JSON without schemas, as JsonConverter does with
    /// `schemas.enable=false`: the tape road may then do it.
    fn reads_schemaless_json(&self) -> bool {
        false
    }

    /// Reads the bytes of one record; `None` is Kafka's null.
    ///
    /// # Errors
    /// Data errors with Apache's texts.
    fn read(&mut self, topic: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError>;

    /// Looks up what the last call of [`Converter::read`], [`Converter::read_text`] or [`Converter::write`]
    /// asked for by answering [`ErrorKind::Pending`](super::ErrorKind::Pending); without such a call it
    /// does nothing. Afterwards the same call gives a value, or the error of the look-up.
    /// Dropping the future gives the look-up up; the next call asks again.
    fn resolve(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// What the slice road may do when writing strings (required string schema) with this converter.
    fn write_text_road(&self) -> TextRoad {
        TextRoad::None
    }

    /// What the slice road may do when writing byte arrays (required bytes schema) with this converter.
    fn write_bytes_road(&self) -> TextRoad {
        TextRoad::None
    }

    /// Appends what [`Converter::write`] would for the string `text` with a required string schema, or
    /// for a byte array (required bytes schema) when `is_bytes`.
    ///
    /// # Errors
    /// As [`Converter::write`].
    fn write_text(
        &mut self,
        topic: &str,
        text: &[u8],
        is_bytes: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        let _ = (topic, text, is_bytes, out);
        Err(ConnectError::connect(format!(
            "{} has no text road for writing",
            self.class_name()
        )))
    }

    /// What the slice road may do when only `String.valueOf(value)` is wanted.
    fn read_text_road(&self) -> TextRoad {
        TextRoad::None
    }

    /// Appends Java's `String.valueOf` of what [`Converter::read`] would give for non-null `bytes`.
    ///
    /// # Errors
    /// As [`Converter::read`].
    fn read_text(
        &mut self,
        topic: &str,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        let _ = (topic, bytes, out);
        Err(ConnectError::connect(format!(
            "{} has no text road for reading",
            self.class_name()
        )))
    }

    /// [`Converter::read_text`] for each of `values`, which index `buffer`, in order, with a line feed
    /// after each text; the texts' places in `out` are appended to `texts`. A null value is a null text.
    ///
    /// # Errors
    /// As [`Converter::read_text`] of the value at `texts.len()`; `out` then ends with what came before it.
    fn read_texts(
        &mut self,
        topic: &str,
        buffer: &[u8],
        values: &[Span],
        out: &mut Vec<u8>,
        texts: &mut Vec<Span>,
    ) -> Result<(), ConnectError> {
        for value in values {
            let Some(bytes) = value.of(buffer) else {
                texts.push(Span::NULL);
                continue;
            };
            let start = out.len();
            let read = self.read_text(topic, bytes, out);
            match read.and_then(|()| Span::between(start, out.len())) {
                Ok(text) => texts.push(text),
                Err(error) => {
                    out.truncate(start);
                    return Err(error);
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }
}

/// Converts header values.
pub trait HeaderConverter {
    /// Fully qualified Java class name.
    fn class_name(&self) -> &'static str;

    /// See [`Converter::keeps_bytes`].
    fn keeps_bytes(&self) -> bool {
        false
    }

    /// See [`Converter::reads_anything`].
    fn reads_anything(&self) -> bool {
        false
    }

    /// Appends the bytes for a header value; `false` is a null header value.
    ///
    /// # Errors
    /// Data errors with Apache's texts.
    fn write_header(
        &mut self,
        topic: &str,
        header: &str,
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError>;

    /// Reads a header value.
    ///
    /// # Errors
    /// Data errors with Apache's texts.
    fn read_header(
        &mut self,
        topic: &str,
        header: &str,
        bytes: Option<&[u8]>,
    ) -> Result<SchemaAndValue, ConnectError>;
}
