//! Values and how their text is read (Kafka: `ConfigDef.parseType`, `ConfigDef.convertToString`).

use std::fmt;

use super::invalid_text;

/// Type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigType {
    /// `true` or `false` in any case.
    Boolean,
    /// Text without surrounding white space.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// Java's double.
    Double,
    /// Texts between commas.
    List,
    /// Name of a plugin.
    Class,
    /// Text that never shows.
    Password,
}

impl ConfigType {
    /// The name in Kafka's REST API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// A secret: shown as `[hidden]` everywhere but in [`Password::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for the connection that needs it, never for a log or an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigData {
    /// BOOLEAN.
    Boolean(bool),
    /// STRING.
    String(String),
    /// INT.
    Int(i32),
    /// SHORT.
    Short(i16),
    /// LONG.
    Long(i64),
    /// DOUBLE.
    Double(f64),
    /// LIST.
    List(Vec<String>),
    /// CLASS: the name as it was written, without surrounding white space.
    Class(String),
    /// PASSWORD.
    Password(Password),
}

impl ConfigData {
    /// Reads `text` as `kind`.
    ///
    /// # Errors
    /// Kafka's text, naming key and value. Hexadecimal doubles and digits beyond ASCII, which Java
    /// reads, are refused.
    pub fn parse(name: &str, text: &str, kind: ConfigType) -> Result<Self, String> {
        let trimmed = java_trim(text);
        let number = || {
            invalid_text(
                name,
                Some(text),
                &format!("Not a number of type {}", kind.name()),
            )
        };
        Ok(match kind {
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => Self::Boolean(true),
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => Self::Boolean(false),
            ConfigType::Boolean => {
                let reason = "Expected value to be either true or false";
                return Err(invalid_text(name, Some(text), reason));
            }
            ConfigType::String => Self::String(trimmed.to_owned()),
            ConfigType::Int => Self::Int(trimmed.parse().map_err(|_| number())?),
            ConfigType::Short => Self::Short(trimmed.parse().map_err(|_| number())?),
            ConfigType::Long => Self::Long(trimmed.parse().map_err(|_| number())?),
            ConfigType::Double => Self::Double(parse_double(trimmed).ok_or_else(number)?),
            ConfigType::List => Self::List(split_list(trimmed)),
            ConfigType::Class if trimmed.is_empty() => {
                let reason = format!("Class {text} could not be found.");
                return Err(invalid_text(name, Some(text), &reason));
            }
            ConfigType::Class => Self::Class(trimmed.to_owned()),
            ConfigType::Password => Self::Password(Password::new(trimmed)),
        })
    }

    /// The number as a double, for ranges; `None` when it is not a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(f64::from(*number)),
            Self::Short(number) => Some(f64::from(*number)),
            #[expect(
                clippy::cast_precision_loss,
                reason = "Kafka compares ranges as doubles too"
            )]
            Self::Long(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The text of a STRING or CLASS value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Class(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::String(text) | Self::Class(text) => f.write_str(text),
            Self::Int(value) => write!(f, "{value}"),
            Self::Short(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Double(value) => f.write_str(&java_double(*value)),
            Self::List(items) => f.write_str(&items.join(",")),
            Self::Password(secret) => write!(f, "{secret}"),
        }
    }
}

/// Java's `String.trim`: everything up to and including the space is white.
pub(crate) fn java_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// Java's `split("\\s*,\\s*", -1)` of trimmed text; nothing for the empty text.
fn split_list(trimmed: &str) -> Vec<String> {
    if trimmed.is_empty() {
        return Vec::new();
    }
    let white = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
    let last = trimmed.matches(',').count();
    trimmed
        .split(',')
        .enumerate()
        .map(|(index, item)| {
            // The ends of the whole text touch no comma, so only `trim` took their white space.
            let item = if index > 0 {
                item.trim_start_matches(white)
            } else {
                item
            };
            let item = if index < last {
                item.trim_end_matches(white)
            } else {
                item
            };
            item.to_owned()
        })
        .collect()
}

fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "NaN" {
        return Some(f64::NAN);
    }
    if unsigned != "Infinity" && !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let text = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    text.parse().ok()
}

/// Java's `Double.toString`.
fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}
