//! Request bodies, bound as Jackson binds them: same shapes taken, same texts of refusal.
//!
//! The reader looks at each byte once and stops at the first fault, as Jackson's streaming binder does,
//! so that the fault and its position are the same. It does not descend into what it does not want:
//! nesting cannot exhaust the stack.

use std::fmt::Write as _;

use crate::api::ConfigMap;

const CREATE_REQUEST: &str =
    "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";
const STRING_MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Body of `POST /connectors`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CreateRequest {
    pub(super) name: Option<String>,
    pub(super) config: Option<ConfigMap>,
    pub(super) initial_state: Option<String>,
}

/// Reads a map of texts; `None` for an empty body and for `null`.
///
/// # Errors
/// Jackson's text.
pub(super) fn config_map(body: &[u8]) -> Result<Option<ConfigMap>, String> {
    let mut reader = Reader::new(body);
    if !reader.has_token() {
        return Ok(None);
    }
    let map = reader.map(&Chain::default())?;
    reader.end("java.util.Map")?;
    Ok(map)
}

/// Reads the body of `POST /connectors`; `None` for an empty body and for `null`.
///
/// # Errors
/// Jackson's text.
pub(super) fn create_request(body: &[u8]) -> Result<Option<CreateRequest>, String> {
    let mut reader = Reader::new(body);
    if !reader.has_token() {
        return Ok(None);
    }
    let start = reader.pos;
    match reader.token(&Chain::default())? {
        Token::Null => {
            reader.end(CREATE_REQUEST)?;
            return Ok(None);
        }
        Token::ObjectStart => {}
        Token::String(text) => {
            let reason = format!(
                "no String-argument constructor/factory method to deserialize from String value ('{text}')"
            );
            return Err(reader.no_creator(CREATE_REQUEST, &reason, start, &Chain::default()));
        }
        Token::Number(text) => {
            let kind = if text.contains(['.', 'e', 'E']) {
                "double/Double"
            } else {
                "int/Int"
            };
            let reason = format!(
                "no {kind}-argument constructor/factory method to deserialize from Number value ({text})"
            );
            return Err(reader.no_creator(CREATE_REQUEST, &reason, start, &Chain::default()));
        }
        Token::Boolean(value) => {
            let reason = format!(
                "no boolean/Boolean-argument constructor/factory method to deserialize from boolean value ({value})"
            );
            return Err(reader.no_creator(CREATE_REQUEST, &reason, start, &Chain::default()));
        }
        Token::ArrayStart => {
            return Err(reader.wrong_shape(
                CREATE_REQUEST,
                &Token::ArrayStart,
                start,
                &Chain::default(),
            ));
        }
    }
    let request = reader.create_members(start)?;
    reader.end(CREATE_REQUEST)?;
    Ok(Some(request))
}

/// `Class["member"]->Class["member"]` of the value that is being read.
#[derive(Debug, Default, Clone)]
struct Chain(String);

impl Chain {
    fn of(class: &str, member: &str) -> Self {
        Self(format!("{class}[\"{member}\"]"))
    }

    fn then(&self, class: &str, member: &str) -> Self {
        let link = Self::of(class, member);
        if self.0.is_empty() {
            link
        } else {
            Self(format!("{}->{}", self.0, link.0))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    ObjectStart,
    ArrayStart,
    String(String),
    Number(String),
    Boolean(bool),
    Null,
}

impl Token {
    /// As in "from Array value (token `JsonToken.START_ARRAY`)".
    fn shape(&self) -> (&'static str, &'static str) {
        match self {
            Self::ObjectStart => ("Object value", "START_OBJECT"),
            Self::ArrayStart => ("Array value", "START_ARRAY"),
            Self::String(_) => ("String value", "VALUE_STRING"),
            Self::Number(text) if text.contains(['.', 'e', 'E']) => {
                ("Floating-point value", "VALUE_NUMBER_FLOAT")
            }
            Self::Number(_) => ("Integer value", "VALUE_NUMBER_INT"),
            Self::Boolean(true) => ("Boolean value", "VALUE_TRUE"),
            Self::Boolean(false) => ("Boolean value", "VALUE_FALSE"),
            Self::Null => ("Null value", "VALUE_NULL"),
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    pos: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, pos: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.pos += 1;
        }
    }

    fn has_token(&mut self) -> bool {
        self.skip_space();
        self.peek().is_some()
    }

    /// The members of a create request whose `{` was read.
    fn create_members(&mut self, start: usize) -> Result<CreateRequest, String> {
        let mut request = CreateRequest::default();
        let mut unknown: Option<String> = None;
        let none = Chain::default();
        let mut first = true;
        while let Some(member) = self.member(first, start, &none)? {
            first = false;
            let chain = Chain::of(CREATE_REQUEST, &member);
            match member.as_str() {
                "name" => request.name = self.text_value(&chain, "java.lang.String")?,
                "config" => request.config = self.map(&chain)?,
                "initial_state" => request.initial_state = self.state(&chain)?,
                _ => {
                    self.skip_value(&none)?;
                    unknown.get_or_insert(member);
                }
            }
        }
        match unknown {
            None => Ok(request),
            Some(member) => {
                let message = format!(
                    "Unrecognized field \"{member}\" (class {CREATE_REQUEST}), not marked as \
                     ignorable (3 known properties: \"config\", \"name\", \"initial_state\")"
                );
                let chain = Chain::of(CREATE_REQUEST, &member);
                Err(self.fault(&message, self.pos, &chain))
            }
        }
    }

    fn state(&mut self, chain: &Chain) -> Result<Option<String>, String> {
        let class = format!("{CREATE_REQUEST}$InitialState");
        self.skip_space();
        let start = self.pos;
        let Some(text) = self.text_value(chain, &class)? else {
            return Ok(None);
        };
        let upper = text.to_uppercase();
        if matches!(upper.as_str(), "RUNNING" | "PAUSED" | "STOPPED") {
            return Ok(Some(upper));
        }
        let constant = class.replace('$', ".");
        let message = format!(
            "Cannot construct instance of `{class}`, problem: No enum constant {constant}.{upper}"
        );
        Err(self.fault(&message, start, chain))
    }

    /// A map of texts; the last of equal keys counts.
    fn map(&mut self, chain: &Chain) -> Result<Option<ConfigMap>, String> {
        self.skip_space();
        let start = self.pos;
        match self.token(chain)? {
            Token::Null => return Ok(None),
            Token::ObjectStart => {}
            Token::String(text) if !text.is_empty() => {
                let reason = format!(
                    "no String-argument constructor/factory method to deserialize from String value ('{text}')"
                );
                return Err(self.no_creator("java.util.LinkedHashMap", &reason, start, chain));
            }
            other => return Err(self.wrong_shape(STRING_MAP, &other, start, chain)),
        }
        let mut map = ConfigMap::new();
        let mut first = true;
        while let Some(key) = self.member(first, start, chain)? {
            first = false;
            self.skip_space();
            let at = self.pos;
            let inner = |key: &str| chain.then("java.util.LinkedHashMap", key);
            let value = match self.token(chain)? {
                Token::Null => None,
                Token::String(text) | Token::Number(text) => Some(text),
                Token::Boolean(value) => Some(value.to_string()),
                other => {
                    return Err(self.wrong_shape("java.lang.String", &other, at, &inner(&key)));
                }
            };
            map.insert(key, value);
        }
        Ok(Some(map))
    }

    fn text_value(&mut self, chain: &Chain, class: &str) -> Result<Option<String>, String> {
        self.skip_space();
        let start = self.pos;
        match self.token(chain)? {
            Token::Null => Ok(None),
            Token::String(text) | Token::Number(text) => Ok(Some(text)),
            Token::Boolean(value) => Ok(Some(value.to_string())),
            other => Err(self.wrong_shape(class, &other, start, chain)),
        }
    }

    /// The next member's name, its colon read too; `None` at the object's end.
    fn member(
        &mut self,
        first: bool,
        start: usize,
        chain: &Chain,
    ) -> Result<Option<String>, String> {
        self.skip_space();
        match self.peek() {
            None => return Err(self.unclosed("Object", start, chain)),
            Some(b'}') => {
                self.pos += 1;
                return Ok(None);
            }
            Some(b',') if !first => {
                self.pos += 1;
                self.skip_space();
            }
            Some(_) if first => {}
            Some(_) => {
                return Err(
                    self.unexpected("was expecting comma to separate Object entries", chain)
                );
            }
        }
        match self.peek() {
            None => return Err(self.unclosed("Object", start, chain)),
            Some(b'"') => {}
            Some(_) => {
                let wanted = "was expecting double-quote to start field name";
                return Err(self.unexpected(wanted, chain));
            }
        }
        let name = self.string(chain)?;
        self.skip_space();
        match self.peek() {
            Some(b':') => self.pos += 1,
            None => return Err(self.unclosed("Object", start, chain)),
            Some(_) => {
                let wanted = "was expecting a colon to separate field name and value";
                return Err(self.unexpected(wanted, chain));
            }
        }
        Ok(Some(name))
    }

    /// Reads a scalar, or the opening bracket of anything else.
    fn token(&mut self, chain: &Chain) -> Result<Token, String> {
        self.skip_space();
        match self.peek() {
            None => Err(self.fault("Unexpected end-of-input", self.pos, chain)),
            Some(b'{') => {
                self.pos += 1;
                Ok(Token::ObjectStart)
            }
            Some(b'[') => {
                self.pos += 1;
                Ok(Token::ArrayStart)
            }
            Some(b'"') => self.string(chain).map(Token::String),
            Some(b'-' | b'0'..=b'9') => self.number(chain).map(Token::Number),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                self.word(chain)
            }
            Some(_) => Err(self.unexpected(&format!("expected a valid value {VALUES}"), chain)),
        }
    }

    fn word(&mut self, chain: &Chain) -> Result<Token, String> {
        let start = self.pos;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let length = self.text[start..]
            .iter()
            .take_while(|byte| is_part(byte))
            .count();
        let word = &self.text[start..start + length];
        self.pos += length;
        match word {
            b"true" => Ok(Token::Boolean(true)),
            b"false" => Ok(Token::Boolean(false)),
            b"null" => Ok(Token::Null),
            _ => {
                let word: String = String::from_utf8_lossy(word).chars().take(256).collect();
                let message = format!("Unrecognized token '{word}': was expecting {VALUES}");
                Err(self.fault(&message, start, chain))
            }
        }
    }

    fn number(&mut self, chain: &Chain) -> Result<String, String> {
        let start = self.pos;
        if self.peek() == Some(b'-') {
            self.pos += 1;
            self.digit("to follow minus sign, for valid numeric value", chain)?;
        }
        let leading_zero = self.peek() == Some(b'0');
        self.skip_digit();
        if leading_zero && matches!(self.peek(), Some(b'0'..=b'9')) {
            let message = "Invalid numeric value: Leading zeroes not allowed";
            return Err(self.fault(message, self.pos, chain));
        }
        self.skip_digits();
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digit("after decimal point", chain)?;
            self.skip_digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.pos += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.pos += 1;
            }
            self.digit("after exponent marker", chain)?;
            self.skip_digits();
        }
        if !matches!(
            self.peek(),
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b'}' | b']')
        ) {
            let wanted = "Expected space separating root-level values";
            return Err(self.unexpected(wanted, chain));
        }
        Ok(String::from_utf8_lossy(&self.text[start..self.pos]).into_owned())
    }

    fn digit(&self, reason: &str, chain: &Chain) -> Result<(), String> {
        match self.peek() {
            Some(b'0'..=b'9') => Ok(()),
            None => Err(self.fault("Unexpected end-of-input in numeric value", self.pos, chain)),
            Some(_) => {
                let character = self.character();
                let message = format!(
                    "Unexpected character ({character}) in numeric value: expected digit (0-9) {reason}"
                );
                Err(self.fault(&message, self.pos, chain))
            }
        }
    }

    fn skip_digit(&mut self) {
        if matches!(self.peek(), Some(b'0'..=b'9')) {
            self.pos += 1;
        }
    }

    fn skip_digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.pos += 1;
        }
    }

    fn string(&mut self, chain: &Chain) -> Result<String, String> {
        self.pos += 1;
        let mut out: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                None => {
                    return Err(self.fault(
                        "Unexpected end-of-input in VALUE_STRING",
                        self.pos,
                        chain,
                    ));
                }
                Some(b'"') => {
                    self.pos += 1;
                    break;
                }
                Some(b'\\') => self.escape(&mut out, chain)?,
                Some(byte) if byte < 0x20 => {
                    let message = format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {byte})): has to be escaped using \
                         backslash to be included in string value"
                    );
                    return Err(self.fault(&message, self.pos, chain));
                }
                Some(byte) => {
                    out.push(byte);
                    self.pos += 1;
                }
            }
        }
        String::from_utf8(out).map_err(|error| {
            let byte = error.as_bytes().get(error.utf8_error().valid_up_to());
            let message = format!(
                "Invalid UTF-8 start byte 0x{:x}",
                byte.copied().unwrap_or(0)
            );
            self.fault(&message, self.pos, chain)
        })
    }

    fn escape(&mut self, out: &mut Vec<u8>, chain: &Chain) -> Result<(), String> {
        self.pos += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.pos += 1;
                return self.unicode(out, chain);
            }
            None => {
                let message = "Unexpected end-of-input in character escape sequence";
                return Err(self.fault(message, self.pos, chain));
            }
            Some(_) => {
                let message = format!("Unrecognized character escape {}", self.character());
                return Err(self.fault(&message, self.pos, chain));
            }
        };
        out.push(plain);
        self.pos += 1;
        Ok(())
    }

    /// `XXXX` and, for a surrogate, its partner; a lone surrogate becomes the replacement character.
    fn unicode(&mut self, out: &mut Vec<u8>, chain: &Chain) -> Result<(), String> {
        let mut unit = u32::from(self.hex4(chain)?);
        if (0xd800..0xdc00).contains(&unit) && self.text[self.pos..].starts_with(b"\\u") {
            let back = self.pos;
            self.pos += 2;
            let low = u32::from(self.hex4(chain)?);
            if (0xdc00..0xe000).contains(&low) {
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            } else {
                self.pos = back;
            }
        }
        let decoded = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex4(&mut self, chain: &Chain) -> Result<u16, String> {
        let digits = self.text.get(self.pos..self.pos + 4);
        let parsed = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let Some(unit) = parsed else {
            let message = "expected a hex-digit for character escape sequence";
            return Err(self.fault(message, self.pos, chain));
        };
        self.pos += 4;
        Ok(unit)
    }

    /// Passes over a whole value of any depth.
    fn skip_value(&mut self, chain: &Chain) -> Result<(), String> {
        let mut open: Vec<(bool, usize)> = Vec::new();
        loop {
            self.skip_space();
            let start = self.pos;
            match self.token(chain)? {
                Token::ObjectStart => open.push((true, start)),
                Token::ArrayStart => open.push((false, start)),
                _ => {}
            }
            let mut first = self
                .text
                .get(self.pos.wrapping_sub(1))
                .is_some_and(|byte| matches!(byte, b'{' | b'[') && self.pos == start + 1);
            // Closes what ends here and stops before the next value.
            loop {
                let Some((is_object, begun)) = open.last().copied() else {
                    return Ok(());
                };
                if is_object {
                    if self.member(first, begun, chain)?.is_some() {
                        break;
                    }
                } else if !self.array_ends(first, begun, chain)? {
                    break;
                }
                open.pop();
                first = false;
            }
        }
    }

    fn array_ends(&mut self, first: bool, begun: usize, chain: &Chain) -> Result<bool, String> {
        self.skip_space();
        match self.peek() {
            None => Err(self.unclosed("Array", begun, chain)),
            Some(b']') => {
                self.pos += 1;
                Ok(true)
            }
            Some(b',') if !first => {
                self.pos += 1;
                Ok(false)
            }
            Some(_) if first => Ok(false),
            Some(_) => Err(self.unexpected("was expecting comma to separate Array entries", chain)),
        }
    }

    /// Nothing may follow the value.
    fn end(&mut self, bound: &str) -> Result<(), String> {
        if !self.has_token() {
            return Ok(());
        }
        let start = self.pos;
        let none = Chain::default();
        let token = self.token(&none)?;
        let (_, name) = token.shape();
        let message = format!(
            "Trailing token (of type {name}) found after value (bound as `{bound}`): not allowed as per \
             `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`"
        );
        Err(self.fault(&message, start, &none))
    }

    fn wrong_shape(&self, class: &str, token: &Token, at: usize, chain: &Chain) -> String {
        let (shape, name) = token.shape();
        let message = format!(
            "Cannot deserialize value of type `{class}` from {shape} (token `JsonToken.{name}`)"
        );
        self.fault(&message, at, chain)
    }

    fn no_creator(&self, class: &str, reason: &str, at: usize, chain: &Chain) -> String {
        let message = format!(
            "Cannot construct instance of `{class}` (although at least one Creator exists): {reason}"
        );
        self.fault(&message, at, chain)
    }

    fn unclosed(&self, what: &str, start: usize, chain: &Chain) -> String {
        let message = format!(
            "Unexpected end-of-input: expected close marker for {what} (start marker at {})",
            self.location(start)
        );
        self.fault(&message, self.pos, chain)
    }

    fn unexpected(&self, wanted: &str, chain: &Chain) -> String {
        let message = format!("Unexpected character ({}): {wanted}", self.character());
        self.fault(&message, self.pos, chain)
    }

    /// `'x' (code 120)` of the next character.
    fn character(&self) -> String {
        let rest = &self.text[self.pos..self.text.len().min(self.pos + 4)];
        let next = String::from_utf8_lossy(rest).chars().next().unwrap_or('\0');
        if next.is_control() {
            format!("(CTRL-CHAR, code {})", u32::from(next))
        } else {
            format!("'{next}' (code {})", u32::from(next))
        }
    }

    fn location(&self, at: usize) -> String {
        let before = &self.text[..at.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let begun = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let column = before.len() - begun + 1;
        format!(
            "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, \
             column: {column}]"
        )
    }

    fn fault(&self, message: &str, at: usize, chain: &Chain) -> String {
        let mut text = format!("{message}\n at {}", self.location(at));
        if !chain.0.is_empty() {
            // Writing to a string cannot fail.
            write!(text, " (through reference chain: {})", chain.0).unwrap_or(());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: ";

    fn at(message: &str, column: u32, chain: &str) -> Result<Option<CreateRequest>, String> {
        let chain = match chain {
            "" => String::new(),
            chain => format!(" (through reference chain: {CREATE_REQUEST}{chain})"),
        };
        Err(format!("{message}\n{AT}{column}]{chain}"))
    }

    #[test]
    fn scalars_become_texts_as_they_were_written_and_the_last_of_equal_keys_counts() {
        let body = br#" {"a": 1.50, "b":true,"c":null,"d":"x\u00fc\ud83d\ude00\n","a":1e3} "#;
        let map = config_map(body).unwrap().unwrap();
        let texts: Vec<_> = map
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_deref()))
            .collect();
        let expected = [
            ("a", Some("1e3")),
            ("b", Some("true")),
            ("c", None),
            ("d", Some("xü😀\n")),
        ];
        assert_eq!(texts, expected);
        assert_eq!(config_map(b""), Ok(None));
        assert_eq!(config_map(b" null "), Ok(None));
    }

    /// Every text as Apache Kafka Connect 4.3.1 gave it.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn malformed_creations_are_refused_with_jacksons_texts_and_positions() {
        let cases = [
            (
                "{",
                at(
                    "Unexpected end-of-input: expected close marker for Object (start marker at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1])",
                    2,
                    "",
                ),
            ),
            (
                "garbage",
                at(
                    &format!("Unrecognized token 'garbage': was expecting {VALUES}"),
                    1,
                    "",
                ),
            ),
            (
                "[]",
                at(
                    "Cannot deserialize value of type `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest` from Array value (token `JsonToken.START_ARRAY`)",
                    1,
                    "",
                ),
            ),
            (
                "\"x\"",
                at(
                    "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest` (although at least one Creator exists): no String-argument constructor/factory method to deserialize from String value ('x')",
                    1,
                    "",
                ),
            ),
            (
                "7",
                at(
                    "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest` (although at least one Creator exists): no int/Int-argument constructor/factory method to deserialize from Number value (7)",
                    1,
                    "",
                ),
            ),
            (
                r#"{"name":"a","config":{"connector.class":{"a":1}}}"#,
                at(
                    "Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)",
                    41,
                    r#"["config"]->java.util.LinkedHashMap["connector.class"]"#,
                ),
            ),
            (
                r#"{"name":{"a":1},"config":{}}"#,
                at(
                    "Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)",
                    9,
                    r#"["name"]"#,
                ),
            ),
            (
                r#"{"name":"a","config":[]}"#,
                at(
                    "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.String>` from Array value (token `JsonToken.START_ARRAY`)",
                    22,
                    r#"["config"]"#,
                ),
            ),
            (
                r#"{"name":"a","config":"x"}"#,
                at(
                    "Cannot construct instance of `java.util.LinkedHashMap` (although at least one Creator exists): no String-argument constructor/factory method to deserialize from String value ('x')",
                    22,
                    r#"["config"]"#,
                ),
            ),
            (
                r#"{"name":"a","configs":{}}"#,
                at(
                    "Unrecognized field \"configs\" (class org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest), not marked as ignorable (3 known properties: \"config\", \"name\", \"initial_state\")",
                    26,
                    r#"["configs"]"#,
                ),
            ),
            (
                r#"{"name":"a","config":{},"initial_state":"foo"}"#,
                at(
                    "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest$InitialState`, problem: No enum constant org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.InitialState.FOO",
                    41,
                    r#"["initial_state"]"#,
                ),
            ),
            (
                r#"{"name":"a","config":{"connector.class":"Nope"}} trailing"#,
                at(
                    &format!("Unrecognized token 'trailing': was expecting {VALUES}"),
                    50,
                    "",
                ),
            ),
            (
                r#"{"name":"a","config":{"connector.class":"Nope",}}"#,
                at(
                    "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
                    48,
                    r#"["config"]"#,
                ),
            ),
            (
                r#"{"name":"a", config:{}}"#,
                at(
                    "Unexpected character ('c' (code 99)): was expecting double-quote to start field name",
                    14,
                    "",
                ),
            ),
            (
                r#"{"name":"a","config":{"topic":tru}}"#,
                at(
                    &format!("Unrecognized token 'tru': was expecting {VALUES}"),
                    31,
                    r#"["config"]"#,
                ),
            ),
            (
                r#"{"name":"a","config":{"topic":"x}}"#,
                at(
                    "Unexpected end-of-input in VALUE_STRING",
                    35,
                    r#"["config"]"#,
                ),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(create_request(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn malformed_maps_are_refused_with_jacksons_texts() {
        let cases = [
            (
                r#"{"a" 1}"#,
                "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
                6,
            ),
            (
                r#"{"a":1 "b""#,
                "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
                8,
            ),
            (
                r#"{"a":01}"#,
                "Invalid numeric value: Leading zeroes not allowed",
                7,
            ),
            (
                r#"{"a":"\x"}"#,
                "Unrecognized character escape 'x' (code 120)",
                8,
            ),
            (
                r#"{"a":?}"#,
                "Unexpected character ('?' (code 63)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                6,
            ),
            (
                r#"{"a":-}"#,
                "Unexpected character ('}' (code 125)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value",
                7,
            ),
            (
                "{\"a\":\"x\ny\"}",
                "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value",
                8,
            ),
            (
                r#"{"a":"b"} 5"#,
                "Trailing token (of type VALUE_NUMBER_INT) found after value (bound as `java.util.Map`): not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`",
                11,
            ),
            (
                "true",
                "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.String>` from Boolean value (token `JsonToken.VALUE_TRUE`)",
                1,
            ),
        ];
        for (body, message, column) in cases {
            let expected = Err(format!("{message}\n{AT}{column}]"));
            assert_eq!(config_map(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn deep_nesting_in_an_unknown_member_is_passed_over_without_recursion() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let body = format!(r#"{{"x":{deep},"y":{{"a":[1,{{}},[]]}},"name":"n"}}"#);
        let error = create_request(body.as_bytes()).unwrap_err();
        assert!(error.starts_with("Unrecognized field \"x\""), "{error}");
        let cut = create_request(&body.as_bytes()[..50_000]).unwrap_err();
        assert!(cut.starts_with("Unexpected end-of-input"), "{cut}");
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            drop(create_request(&body));
            drop(config_map(&body));
        }

        #[test]
        fn no_text_of_json_characters_panics(body in "[\\[\\]{}\",:\\\\a-u0-9.\\- ]{0,64}") {
            drop(create_request(body.as_bytes()));
            drop(config_map(body.as_bytes()));
        }
    }
}
