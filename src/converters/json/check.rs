//! Whether a text surely is JSON, for records that nobody looks into: in a third of the time that
//! [`super::parser`] takes to make nodes.

/// Containers within each other that are followed here.
const DEPTH: u32 = 64;
/// Longest text or number that is followed here, far below Jackson's limits.
const LONGEST: usize = 4096;
/// Digits of a number that is followed here.
const DIGITS: usize = 300;

/// Whether `input` is one JSON value of the usual kind: ASCII, no escapes by number, no exponents, little
/// nesting. [`super::Document::parse`] takes all of these; `false` says nothing.
pub(crate) fn is_surely_json(input: &[u8]) -> bool {
    let mut cursor = Cursor {
        bytes: input,
        at: 0,
    };
    cursor.value().is_some() && cursor.at == input.len()
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// Passes over a value and the blanks around it.
    fn value(&mut self) -> Option<()> {
        // A bit per container that is open, the innermost lowest: whether it is an object.
        let (mut objects, mut depth) = (0u64, 0u32);
        loop {
            self.blanks();
            let first = self.peek();
            match first {
                b'"' => self.text()?,
                b'0'..=b'9' | b'-' => self.number()?,
                b'{' | b'[' => {
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
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return None,
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
        loop {
            self.blanks();
            if *depth == 0 {
                return Some(());
            }
            let is_object = *objects & 1 == 1;
            match (self.peek(), is_object) {
                (b',', true) => {
                    self.at += 1;
                    self.blanks();
                    return self.name();
                }
                (b',', false) => {
                    self.at += 1;
                    return Some(());
                }
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    *objects >>= 1;
                    *depth -= 1;
                }
                _ => return None,
            }
        }
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
        Some(())
    }

    #[inline]
    fn text(&mut self) -> Option<()> {
        let start = self.at;
        self.at += 1;
        loop {
            while let Some(chunk) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
                let stop = first_stop(u64::from_le_bytes(*chunk));
                self.at += stop;
                if stop < 8 {
                    break;
                }
            }
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
                0x20..0x80 => self.at += 1,
                _ => return None,
            }
        }
    }

    #[inline]
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
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
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

/// Place of the first byte that a text does not simply go on over: a quote, a backslash, a control
/// character, one beyond ASCII; 8 if there is none.
#[inline]
fn first_stop(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    let found = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word)
        | word;
    // The lowest high bit is exact: a carry comes only from below.
    (found & (ONES * 0x80)).trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Document;
    use super::is_surely_json;

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
    }
}
