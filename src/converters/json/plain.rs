//! The values that are there most often, without the parser's general way, which counts members, looks for
//! brackets and carries errors. What is not plain is left to it.

use super::parser::{Kind, MAX_NUMBER_DIGITS, MAX_TEXT_UNITS, Parser};
use super::scan;

impl Parser<'_, '_> {
    /// Parses a member's value of the kinds that are there most often: a text without escapes, a number
    /// without exponent, a word. False, with nothing done, when it is anything else, or wrong. The object
    /// that it is in does not count it.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call costs more than most values take"
    )]
    pub(super) fn plain(&mut self) -> bool {
        match self.peek() {
            b'"' => self.plain_text(),
            b'0'..=b'9' | b'-' => self.plain_number(),
            b't' => self.plain_word(b"true", Kind::True),
            b'f' => self.plain_word(b"false", Kind::False),
            b'n' => self.plain_word(b"null", Kind::Null),
            _ => false,
        }
    }

    #[inline]
    fn plain_text(&mut self) -> bool {
        let start = self.at + 1;
        let end = scan::text_end::<false>(self.bytes, start);
        let is_plain = self.bytes.get(end) == Some(&b'"') && end - start <= MAX_TEXT_UNITS;
        if is_plain {
            self.add(Kind::Text, false, start, end - start);
            self.at = end + 1;
        }
        is_plain
    }

    #[inline]
    fn plain_number(&mut self) -> bool {
        let start = self.at;
        let negative = self.peek() == b'-';
        let first = start + usize::from(negative);
        let whole = scan::digits(self.bytes, first);
        let leading_zero = whole > 1 && self.bytes.get(first) == Some(&b'0');
        let mut end = first + whole;
        let is_fraction = self.bytes.get(end) == Some(&b'.');
        if is_fraction {
            let digits = scan::digits(self.bytes, end + 1);
            end += 1 + digits;
            if digits == 0 {
                return false;
            }
        }
        let has_exponent = matches!(self.bytes.get(end), Some(b'e' | b'E'));
        if whole == 0 || leading_zero || has_exponent || end - first > MAX_NUMBER_DIGITS {
            return false;
        }
        match is_fraction {
            true => self.add(Kind::Fraction, false, start, end - start),
            false => self.add(Kind::Integer, negative, first, whole),
        }
        self.at = end;
        true
    }

    #[inline]
    fn plain_word(&mut self, word: &[u8], kind: Kind) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let ends = matches!(
            rest.get(word.len()),
            Some(b',' | b'}' | b' ' | b'\r' | b'\n')
        );
        let is_plain = ends && rest.starts_with(word);
        if is_plain {
            self.add(kind, false, self.at, word.len());
            self.at += word.len();
        }
        is_plain
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::parser::View;
    use super::super::shapes::Shapes;
    use super::super::text::Printer;
    use super::super::{Document, Kind};

    fn shapes() -> Shapes<()> {
        let mut shapes = Shapes::new();
        for text in [r#"{"a":1}"#, r#"{"a":1 }"#, r#"{"a":1,"b":1}"#] {
            let mut document = Document::default();
            assert!(document.learn(text.as_bytes(), &mut shapes).is_some());
        }
        shapes
    }

    fn printed(view: View<'_>, at: usize) -> (Kind, Vec<u8>) {
        let mut out = Vec::new();
        Printer::default().print(view, at, &mut out);
        (view.kind(at), out)
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?[01]{0,3}[0-9]{0,20}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?",
            "\"[a-c\u{e4}\\\\\"\n]{0,20}\"",
            select(vec![
                "true", "false", "null", "tru", "truex", "nulL", "[1]", "{}", ""
            ])
            .prop_map(str::to_owned),
            (990..1010usize).prop_map(|digits| "7".repeat(digits)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn values_in_known_shapes_are_what_the_parser_makes_of_them(
            value in value(), end in select(vec!["}", " }", ",\"b\":1}"])
        ) {
            let text = format!("{{\"a\":{value}{end}");
            let (mut by_shape, mut whole) = (Document::default(), Document::default());
            let mut shapes = shapes();
            let shaped = by_shape.parse_shaped(text.as_bytes(), &mut shapes);
            let parsed = whole.parse(text.as_bytes());
            prop_assert_eq!(shaped.is_some(), parsed.is_ok(), "{}", text);
            if let (Some(shaped), Ok(view)) = (shaped, parsed) {
                let at = view.get(0, "a").unwrap();
                let member = shaped.values[0] as usize;
                prop_assert_eq!(printed(shaped.view, member), printed(view, at), "{}", text);
            }
        }
    }
}
