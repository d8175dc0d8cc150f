//! Whether a text surely is JSON, for records that nobody looks into: in a third of the time that
//! [`super::parser`] takes to make nodes.

use super::lessons::Lessons;
use super::parser::Document;
use super::scan;
use super::shapes::Shapes;

/// Containers within each other that are followed here.
const DEPTH: u32 = 64;
/// Longest text or number that is followed here, far below Jackson's limits.
const LONGEST: usize = 4096;
/// Digits of a number that is followed here.
const DIGITS: usize = 300;

/// Tells JSON, and remembers how objects look: of one that looks like another that came before, only the
/// values are looked at.
#[derive(Debug)]
pub(crate) struct JsonCheck {
    shapes: Shapes<()>,
    lessons: Lessons,
}

impl JsonCheck {
    /// Knows no shapes yet.
    pub(crate) fn new() -> Self {
        Self {
            shapes: Shapes::new(),
            lessons: Lessons::new(),
        }
    }

    /// See [`is_surely_json`].
    #[inline]
    pub(crate) fn is_surely_json(&mut self, input: &[u8]) -> bool {
        self.has_known_shape(input) || self.look(input)
    }

    /// Whether `input` is an object that looks like one that came before.
    #[inline]
    fn has_known_shape(&mut self, input: &[u8]) -> bool {
        let mut cursor = Cursor {
            bytes: input,
            at: 0,
        };
        let mut fork = 0;
        loop {
            let rest = input.get(cursor.at..).unwrap_or_default();
            let Some(step) = self.shapes.step(fork, rest) else {
                return false;
            };
            cursor.at += step.len;
            if step.shape.is_some() {
                return cursor.at == input.len();
            }
            if cursor.whole().is_none() {
                return false;
            }
            fork = step.fork;
        }
    }

    fn look(&mut self, input: &[u8]) -> bool {
        let is_json = is_surely_json(input);
        if is_json && self.lessons.is_due() {
            Document::default().learn(input, &mut self.shapes);
        }
        is_json
    }
}

/// Whether `input` is one JSON value of the usual kind: ASCII, no escapes by number, no exponents, little
/// nesting. [`Document::parse`] takes all of these; `false` says nothing.
fn is_surely_json(input: &[u8]) -> bool {
    let mut cursor = Cursor {
        bytes: input,
        at: 0,
    };
    cursor.blanks();
    let whole = cursor.whole();
    cursor.blanks();
    whole.is_some() && cursor.at == input.len()
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// Passes over the value that begins here.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call costs more than most values take"
    )]
    fn whole(&mut self) -> Option<()> {
        match self.peek() {
            b'"' => self.text(),
            b'0'..=b'9' | b'-' => self.number(),
            b'{' | b'[' => self.container(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }
    }

    /// Passes over a container and all that is in it.
    #[inline(never)]
    fn container(&mut self) -> Option<()> {
        // A bit per container that is open, the innermost lowest: whether it is an object.
        let (mut objects, mut depth) = (0u64, 0u32);
        loop {
            let first = self.peek();
            if let b'{' | b'[' = first {
                self.at += 1;
                self.blanks();
                if self.peek() == first + 2 {
                    self.at += 1;
                } else {
                    if depth == DEPTH {
                        return None;
                    }
                    depth += 1;
                    objects = objects << 1 | u64::from(first == b'{');
                    if first == b'{' {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.whole()?;
            }
            self.close(&mut objects, &mut depth)?;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// After a value: closes what ends here, up to the next value or the end of all.
    #[inline]
    fn close(&mut self, objects: &mut u64, depth: &mut u32) -> Option<()> {
        while *depth > 0 {
            self.blanks();
            let is_object = *objects & 1 == 1;
            match (self.peek(), is_object) {
                (b',', _) => {
                    self.at += 1;
                    self.blanks();
                    return if is_object { self.name() } else { Some(()) };
                }
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    *objects >>= 1;
                    *depth -= 1;
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// A member's name and its colon.
    #[inline]
    fn name(&mut self) -> Option<()> {
        if self.peek() != b'"' {
            return None;
        }
        self.text()?;
        self.blanks();
        if self.peek() != b':' {
            return None;
        }
        self.at += 1;
        self.blanks();
        Some(())
    }

    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call costs more than most texts take"
    )]
    fn text(&mut self) -> Option<()> {
        let start = self.at;
        self.at += 1;
        loop {
            self.at = scan::text_end::<true>(self.bytes, self.at);
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return (self.at - start <= LONGEST).then_some(());
                }
                b'\\' => {
                    let escaped = *self.bytes.get(self.at + 1)?;
                    if !br#""\/bfnrt"#.contains(&escaped) {
                        return None;
                    }
                    self.at += 2;
                }
                _ => return None,
            }
        }
    }

    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call costs more than most numbers take"
    )]
    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.peek() == b'-');
        let leading_zero = self.peek() == b'0';
        let digits = self.digits();
        if digits == 0 || digits > DIGITS || (leading_zero && digits > 1) {
            return None;
        }
        if self.peek() == b'.' {
            self.at += 1;
            let digits = self.digits();
            if digits == 0 || digits > DIGITS {
                return None;
            }
        }
        Some(())
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let count = scan::digits(self.bytes, self.at);
        self.at += count;
        count
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word).then_some(())
    }

    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// The next byte; 0, which begins nothing, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Document;
    use super::{JsonCheck, is_surely_json};

    #[test]
    fn usual_texts_are_known_for_json() {
        for text in [
            r#"{"id":1000000001,"name":"user-000001","amount":10000.01,"active":true,"note":"x"}"#,
            r#" { "a" : [ 1 , -2.5 , { } , [ ] , null ] , "b\"c" : "d\\\n" } "#,
            "0",
            "-7",
            r#""text""#,
            "false",
            "[[[]]]",
            "[0.5]",
        ] {
            assert!(is_surely_json(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_or_unusual_is_left_to_the_parser() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1",
            "[1,]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "01",
            "1.",
            ".5",
            "-",
            "1e5",
            "tru",
            "truex",
            "[truex]",
            r#""a"#,
            r#""\u0041""#,
            r#""\x""#,
            "1 2",
            "{}x",
            "\"\t\"",
            "\"\u{e4}\"",
            "[1}",
            r#"{"a":1]"#,
            r#"{1:2}"#,
            "NaN",
        ] {
            assert!(!is_surely_json(text.as_bytes()), "{text}");
        }
        assert!(!is_surely_json("[".repeat(200_000).as_bytes()));
        assert!(!is_surely_json(
            &["[".repeat(66), "]".repeat(66)].concat().into_bytes()
        ));
        assert!(is_surely_json(
            &["[".repeat(65), "]".repeat(65)].concat().into_bytes()
        ));
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"b\\n\"",
            "1",
            "-2.5",
            "0",
            "true",
            "null",
            " ",
            "\"\\u00e4\"",
            "1e3",
            "x",
            "\"",
            "\\",
            "\u{e4}",
            "\u{1}",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn documents() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["1", "-0.25", "\"x\"", "true", "null", "{}", "[]"]);
        leaf.prop_map(str::to_owned)
            .prop_recursive(4, 24, 4, |inner| {
                let list = prop::collection::vec(inner, 1..4);
                (list, any::<bool>()).prop_map(|(list, object)| match object {
                    false => format!("[{}]", list.join(" , ")),
                    true => {
                        let members = list.iter().map(|value| format!("\"k\" :{value}"));
                        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                    }
                })
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn what_is_surely_json_parses(text in pieces()) {
            if is_surely_json(text.as_bytes()) {
                prop_assert!(Document::default().parse(text.as_bytes()).is_ok());
            }
        }

        #[test]
        fn documents_are_known_whole_and_parse_when_they_are_known_damaged(
            text in documents(), at in any::<prop::sample::Index>(), byte: u8
        ) {
            prop_assert!(is_surely_json(text.as_bytes()));
            let mut damaged = text.into_bytes();
            let at = at.index(damaged.len());
            damaged[at] = byte;
            if is_surely_json(&damaged) {
                prop_assert!(Document::default().parse(&damaged).is_ok());
            }
        }

        #[test]
        fn objects_of_known_shapes_have_to_be_json_too(
            known in prop::collection::vec(documents(), 1..4),
            which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte: u8
        ) {
            let mut check = JsonCheck::new();
            for text in &known {
                prop_assert!(check.is_surely_json(text.as_bytes()));
            }
            for text in &known {
                let is_object = text.starts_with('{');
                prop_assert_eq!(check.has_known_shape(text.as_bytes()), is_object, "{}", text);
                prop_assert!(check.is_surely_json(text.as_bytes()));
            }
            let mut damaged = which.get(&known).clone().into_bytes();
            let at = at.index(damaged.len());
            damaged[at] = byte;
            prop_assert!(!check.has_known_shape(&damaged) || is_surely_json(&damaged));
            if check.is_surely_json(&damaged) {
                prop_assert!(Document::default().parse(&damaged).is_ok());
            }
        }
    }

    #[test]
    fn of_a_known_shape_values_are_looked_at_and_the_end() {
        let mut check = JsonCheck::new();
        assert!(check.is_surely_json(br#" {"id":1, "on" : true} "#));
        assert!(check.is_surely_json(br#"{"id":1,"on":true}"#));
        for text in [
            r#"{"id":-7.25,"on":"text"}"#,
            r#"{"id":[1,{"a":[]}],"on":{}}"#,
            r#"{"id":null,"on":false}"#,
        ] {
            assert!(check.has_known_shape(text.as_bytes()), "{text}");
        }
        for text in [
            r#"{"id":,"on":true}"#,
            r#"{"id":1,"on":true}}"#,
            r#"{"id":1,"on":truex}"#,
            r#"{"id":01,"on":true}"#,
            r#"{"id":1x,"on":true}"#,
            r#"{"id":"1,"on":true}"#,
            r#"{"id":1,"on":true"#,
            r#"{"id":1,"on":[}"#,
            r#"{"id":1,"on":"ends"#,
        ] {
            assert!(!check.is_surely_json(text.as_bytes()), "{text}");
        }
    }
}
