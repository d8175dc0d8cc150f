//! Text in any encoding (Kafka: `org.apache.kafka.connect.storage.StringConverter`).

use encoding_rs::{EncoderResult, Encoding};

use super::config::{converter_def, headers_like_values, parse};
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, Width};
use crate::api::data::SchemaRef;
use crate::api::data::text::{self, decode_utf8};
use crate::api::{
    ConfigMap, ConnectError, Converter, Schema, SchemaAndValue, SchemaType, TextRoad, Value,
};

const ENCODING: &str = "converter.encoding";

/// Writes the Java text of any value, reads an optional string. With UTF-8 both text roads leave the
/// bytes alone.
#[derive(Debug)]
pub struct StringConverter {
    charset: Charset,
    schema: SchemaRef,
    scratch: Vec<u8>,
}

impl StringConverter {
    /// Fully qualified Java class name.
    pub const CLASS: &'static str = "org.apache.kafka.connect.storage.StringConverter";

    /// Its configuration keys.
    pub fn config_def() -> ConfigDef {
        converter_def().define(
            ConfigKey::string(ENCODING)
                .default("UTF-8")
                .importance(Importance::High)
                .doc(
                    "The name of the Java character set to use for encoding strings as byte \
                     arrays.",
                )
                .display("Encoding")
                .width(Width::Medium),
        )
    }

    /// A converter for keys or values.
    ///
    /// # Errors
    /// "Unsupported encoding X" for an encoding that is not known.
    pub fn new(config: &ConfigMap, is_key: bool) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config, is_key)?;
        Ok(Self {
            charset: Charset::for_name(config.str(ENCODING)?)?,
            schema: Schema::optional(SchemaType::String),
            scratch: Vec::new(),
        })
    }

    fn text_road(&self) -> TextRoad {
        match self.charset {
            Charset::Utf8 => TextRoad::Identity,
            _ => TextRoad::Rewrite,
        }
    }
}

impl Converter for StringConverter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn write(
        &mut self,
        _topic: &str,
        _schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        if value.is_null() {
            return Ok(false);
        }
        if self.charset == Charset::Utf8 {
            text::append(value, out);
            return Ok(true);
        }
        self.scratch.clear();
        text::append(value, &mut self.scratch);
        self.charset.encode(&decode_utf8(&self.scratch), out);
        Ok(true)
    }

    fn reads_anything(&self) -> bool {
        true
    }

    fn read(&mut self, _topic: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        let value = match bytes {
            None => Value::Null,
            Some(bytes) => Value::String(self.charset.decode(bytes)),
        };
        Ok(SchemaAndValue::new(SchemaRef::clone(&self.schema), value))
    }

    fn write_text_road(&self) -> TextRoad {
        self.text_road()
    }

    fn write_bytes_road(&self) -> TextRoad {
        self.text_road()
    }

    fn write_text(
        &mut self,
        _topic: &str,
        text: &[u8],
        _is_bytes: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        match self.charset {
            Charset::Utf8 => out.extend_from_slice(text),
            charset => charset.encode(&decode_utf8(text), out),
        }
        Ok(())
    }

    fn read_text_road(&self) -> TextRoad {
        self.text_road()
    }

    fn read_text(
        &mut self,
        _topic: &str,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        match self.charset {
            Charset::Utf8 => out.extend_from_slice(bytes),
            charset => out.extend_from_slice(charset.decode(bytes).as_bytes()),
        }
        Ok(())
    }
}

headers_like_values!(StringConverter);

/// A Java character set. Those whose Java form differs from the web's stand by name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Charset {
    Utf8,
    Ascii,
    Latin1,
    /// Big-endian with a byte order mark when writing, as the mark says when reading.
    Utf16,
    Utf16Be,
    Utf16Le,
    Web(&'static Encoding),
}

impl Charset {
    fn for_name(name: &str) -> Result<Self, ConnectError> {
        let unsupported = || {
            ConnectError::config(format!("Unsupported encoding {name}"))
                .with_class("org.apache.kafka.common.errors.SerializationException")
        };
        Ok(match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "unicode-1-1-utf-8" => Self::Utf8,
            "us-ascii" | "ascii" | "ascii7" | "iso646-us" | "iso_646.irv:1991"
            | "ansi_x3.4-1968" | "ansi_x3.4-1986" | "iso_646.irv:1983" | "iso-ir-6" | "us"
            | "646" | "cp367" | "ibm367" | "csascii" | "default" => Self::Ascii,
            "iso-8859-1" | "iso8859-1" | "iso8859_1" | "iso_8859-1" | "iso_8859_1" | "latin1"
            | "l1" | "819" | "cp819" | "ibm819" | "ibm-819" | "iso-ir-100" | "iso_8859-1:1987"
            | "8859_1" | "csisolatin1" => Self::Latin1,
            "utf-16" | "utf_16" | "utf16" | "unicode" | "unicodebig" => Self::Utf16,
            "utf-16be" | "utf_16be" | "iso-10646-ucs-2" | "x-utf-16be" | "unicodebigunmarked" => {
                Self::Utf16Be
            }
            "utf-16le" | "utf_16le" | "x-utf-16le" | "unicodelittleunmarked" => Self::Utf16Le,
            lower => {
                let label = match lower.strip_prefix("cp125") {
                    Some(digit) => format!("windows-125{digit}"),
                    None => lower.to_owned(),
                };
                Self::Web(Encoding::for_label(label.as_bytes()).ok_or_else(unsupported)?)
            }
        })
    }

    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => decode_utf8(bytes),
            Self::Ascii => bytes
                .iter()
                .map(|byte| {
                    if byte.is_ascii() {
                        char::from(*byte)
                    } else {
                        '\u{fffd}'
                    }
                })
                .collect(),
            Self::Latin1 => bytes.iter().copied().map(char::from).collect(),
            Self::Utf16 => match bytes {
                [0xfe, 0xff, rest @ ..] => decode_utf16(rest, u16::from_be_bytes),
                [0xff, 0xfe, rest @ ..] => decode_utf16(rest, u16::from_le_bytes),
                _ => decode_utf16(bytes, u16::from_be_bytes),
            },
            Self::Utf16Be => decode_utf16(bytes, u16::from_be_bytes),
            Self::Utf16Le => decode_utf16(bytes, u16::from_le_bytes),
            Self::Web(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }

    fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Ascii => encode_narrow(text, 0x7f, out),
            Self::Latin1 => encode_narrow(text, 0xff, out),
            Self::Utf16 => {
                if !text.is_empty() {
                    out.extend_from_slice(&[0xfe, 0xff]);
                }
                out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Self::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Web(encoding) => encode_web(encoding, text, out),
        }
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|decoded| decoded.unwrap_or('\u{fffd}'))
        .collect();
    if !odd.is_empty() {
        text.push('\u{fffd}');
    }
    text
}

fn encode_narrow(text: &str, last: u32, out: &mut Vec<u8>) {
    out.extend(text.chars().map(|character| match u8::try_from(character) {
        Ok(byte) if u32::from(character) <= last => byte,
        _ => b'?',
    }));
}

/// Characters that the encoding lacks become `?`, as in Java.
fn encode_web(encoding: &'static Encoding, text: &str, out: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    let mut rest = text;
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        out.reserve(room.unwrap_or(rest.len() * 4) + 1);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, out, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => out.push(b'?'),
        }
    }
}
