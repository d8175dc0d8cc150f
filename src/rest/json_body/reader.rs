//! JSON read byte by byte, with Jackson's texts for what is wrong.

use std::fmt::Write as _;

use crate::api::ConfigMap;

const STRING_MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";
pub(super) const VALUES: &str =
    "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// `Class["member"]->Class["member"]` of the value that is being read.
#[derive(Debug, Default, Clone)]
pub(super) struct Chain(String);

impl Chain {
    pub(super) fn of(class: &str, member: &str) -> Self {
        Self(format!("{class}[\"{member}\"]"))
    }

    pub(super) fn then(&self, class: &str, member: &str) -> Self {
        self.and(&Self::of(class, member).0)
    }

    /// An item of a list.
    pub(super) fn then_item(&self, index: usize) -> Self {
        self.and(&format!("java.util.ArrayList[{index}]"))
    }

    fn and(&self, link: &str) -> Self {
        if self.0.is_empty() {
            Self(link.to_owned())
        } else {
            Self(format!("{}->{link}", self.0))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
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

pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) pos: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, pos: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.pos += 1;
        }
    }

    pub(super) fn has_token(&mut self) -> bool {
        self.skip_space();
        self.peek().is_some()
    }

    /// The `{` of a record, and where it stands; `None` for `null`.
    pub(super) fn record(&mut self, class: &str, chain: &Chain) -> Result<Option<usize>, String> {
        self.skip_space();
        let start = self.pos;
        let (argument, value) = match self.token(chain)? {
            Token::Null => return Ok(None),
            Token::ObjectStart => return Ok(Some(start)),
            Token::ArrayStart => {
                return Err(self.wrong_shape(class, &Token::ArrayStart, start, chain));
            }
            Token::String(text) => ("String", format!("String value ('{text}')")),
            Token::Number(text) if text.contains(['.', 'e', 'E']) => {
                ("double/Double", format!("Number value ({text})"))
            }
            Token::Number(text) => ("int/Int", format!("Number value ({text})")),
            Token::Boolean(value) => ("boolean/Boolean", format!("boolean value ({value})")),
        };
        let reason = format!(
            "no {argument}-argument constructor/factory method to deserialize from {value}"
        );
        Err(self.no_creator(class, &reason, start, chain))
    }

    /// Passes over a member that nobody knows, to be told of at the record's end; Jackson tells at once where
    /// the record is `complete`, that is, all its members came before.
    pub(super) fn pass_unknown(
        &mut self,
        record: (&str, &str),
        member: &str,
        complete: bool,
        chain: &Chain,
    ) -> Result<(), String> {
        if !complete {
            return self.skip_value(chain);
        }
        self.skip_space();
        let start = self.pos;
        if matches!(self.token(chain)?, Token::String(_)) {
            // Jackson has read no further than the quote.
            self.pos = start + 1;
        }
        let (class, known) = record;
        Err(self.unknown_member(class, known, member, chain))
    }

    /// The fault of a member that nobody knows.
    pub(super) fn unknown_member(
        &self,
        class: &str,
        known: &str,
        member: &str,
        chain: &Chain,
    ) -> String {
        let message = format!(
            "Unrecognized field \"{member}\" (class {class}), not marked as ignorable {known}"
        );
        self.fault(&message, self.pos, &chain.then(class, member))
    }

    /// The `{` of a map of Java's type `class`, and where it stands; `None` for `null`.
    pub(super) fn map_start(
        &mut self,
        class: &str,
        chain: &Chain,
    ) -> Result<Option<usize>, String> {
        self.skip_space();
        let start = self.pos;
        match self.token(chain)? {
            Token::Null => Ok(None),
            Token::ObjectStart => Ok(Some(start)),
            Token::String(text) if !text.is_empty() => {
                let reason = format!(
                    "no String-argument constructor/factory method to deserialize from String value ('{text}')"
                );
                Err(self.no_creator("java.util.LinkedHashMap", &reason, start, chain))
            }
            other => Err(self.wrong_shape(class, &other, start, chain)),
        }
    }

    /// A map of texts; the last of equal keys counts.
    pub(super) fn map(&mut self, chain: &Chain) -> Result<Option<ConfigMap>, String> {
        let Some(start) = self.map_start(STRING_MAP, chain)? else {
            return Ok(None);
        };
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

    pub(super) fn text_value(
        &mut self,
        chain: &Chain,
        class: &str,
    ) -> Result<Option<String>, String> {
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
    pub(super) fn member(
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
    pub(super) fn token(&mut self, chain: &Chain) -> Result<Token, String> {
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
            Some(b',' | b'}') => Err(self.unexpected("expected a value", chain)),
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
    pub(super) fn skip_value(&mut self, chain: &Chain) -> Result<(), String> {
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

    pub(super) fn array_ends(
        &mut self,
        first: bool,
        begun: usize,
        chain: &Chain,
    ) -> Result<bool, String> {
        self.skip_space();
        match self.peek() {
            None => Err(self.unclosed("Array", begun, chain)),
            Some(b']') => {
                self.pos += 1;
                Ok(true)
            }
            Some(b',') if !first => {
                self.pos += 1;
                self.skip_space();
                match self.peek() {
                    Some(b']') => Err(self.unexpected("expected a value", chain)),
                    _ => Ok(false),
                }
            }
            Some(_) if first => Ok(false),
            Some(_) => Err(self.unexpected("was expecting comma to separate Array entries", chain)),
        }
    }

    /// Nothing may follow the value.
    pub(super) fn end(&mut self, bound: &str) -> Result<(), String> {
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

    pub(super) fn wrong_shape(
        &self,
        class: &str,
        token: &Token,
        at: usize,
        chain: &Chain,
    ) -> String {
        let (shape, name) = token.shape();
        let message = format!(
            "Cannot deserialize value of type `{class}` from {shape} (token `JsonToken.{name}`)"
        );
        self.fault(&message, at, chain)
    }

    pub(super) fn no_creator(&self, class: &str, reason: &str, at: usize, chain: &Chain) -> String {
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

    pub(super) fn fault(&self, message: &str, at: usize, chain: &Chain) -> String {
        let mut text = format!("{message}\n at {}", self.location(at));
        if !chain.0.is_empty() {
            // Writing to a string cannot fail.
            write!(text, " (through reference chain: {})", chain.0).unwrap_or(());
        }
        text
    }
}
