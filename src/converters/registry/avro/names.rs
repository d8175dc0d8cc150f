//! Names of Avro: full names, what they may consist of, and Confluent's way of making them fit
//! (`AvroData.doScrubName`).

use std::borrow::Cow;

/// A name in its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) namespace: Option<String>,
    pub(super) simple: String,
}

impl Name {
    /// The name that `name` is within `enclosing`: a dotted one brings its own namespace.
    pub(super) fn new(name: &str, enclosing: Option<&str>) -> Self {
        let (namespace, simple) = match name.rsplit_once('.') {
            Some((namespace, simple)) => (Some(namespace), simple),
            None => (enclosing, name),
        };
        Self {
            namespace: namespace
                .filter(|space| !space.is_empty())
                .map(str::to_owned),
            simple: simple.to_owned(),
        }
    }

    /// `namespace.simple`.
    pub(super) fn full(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.simple),
            None => self.simple.clone(),
        }
    }
}

/// Whether Avro allows a simple name.
pub(super) fn is_valid(name: &str) -> bool {
    let mut letters = name.bytes();
    let first = letters.next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// A simple name that Avro allows, of any name: as in Java, the form encoding of the name with `_` for
/// everything else.
pub(super) fn scrub(name: &str) -> Cow<'_, str> {
    if name.is_empty() || is_valid(name) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => out.push(char::from(byte)),
            // Java's URLEncoder keeps these and makes a space a plus sign.
            b'-' | b'.' | b'*' | b' ' => out.push('_'),
            other => {
                out.push('_');
                out.push_str(&format!("{other:02X}"));
            }
        }
    }
    if out.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        out.insert(0, 'x');
    }
    Cow::Owned(out)
}

/// Each part of a dotted name scrubbed.
pub(super) fn scrub_full(name: &str) -> String {
    let parts: Vec<_> = name.split('.').map(scrub).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_scrubbed_as_in_java() {
        for (name, expected) in [
            ("fine_1", "fine_1"),
            ("a-b", "a_b"),
            ("1a", "x1a"),
            ("a b$c", "a_b_24c"),
            ("ü", "_C3_BC"),
            ("", ""),
        ] {
            assert_eq!(scrub(name), expected, "{name}");
        }
        assert_eq!(scrub_full("com.a-b.1c"), "com.a_b.x1c");
    }

    #[test]
    fn a_dotted_name_brings_its_namespace() {
        assert_eq!(Name::new("a.b.C", Some("x")).full(), "a.b.C");
        assert_eq!(Name::new("C", Some("x")).full(), "x.C");
        assert_eq!(Name::new("C", Some("")).full(), "C");
    }
}
