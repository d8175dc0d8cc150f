//! `java_properties.txt` was written once by Java 17: a small program fed 1,000 texts (hand-picked ones
//! and random sequences of separators, escapes, line ends and letters) as ISO-8859-1 bytes to
//! `java.util.Properties.load` and printed, in hexadecimal, the bytes and then each `key=value` in
//! UTF-8, or `error`.

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let map = parse(text.as_bytes()).unwrap();
    map.into_iter()
        .map(|(key, value)| (key, value.unwrap()))
        .collect()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn a_thousand_texts_read_as_java_reads_them() {
    let mut rows = 0;
    for row in include_str!("java_properties.txt").lines() {
        let mut columns = row.split(' ');
        let text = latin1(&hex(columns.next().unwrap()));
        let expected: Vec<&str> = columns.collect();
        let ours = parse_text(&text);
        rows += 1;
        if expected == ["error"] {
            assert!(ours.is_err(), "Java refuses {text:?}");
            continue;
        }
        let utf8 = |hexed| String::from_utf8(hex(hexed)).unwrap();
        let expected: Vec<_> = expected
            .iter()
            .map(|entry| entry.split_once('=').unwrap())
            .map(|(key, value)| (utf8(key), utf8(value)))
            .collect();
        let ours = ours.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        // Java's encoder writes `?` for half a character.
        let encoded = |text: String| text.replace('\u{fffd}', "?");
        let mut ours: Vec<_> = ours
            .into_iter()
            .map(|(key, value)| (encoded(key), encoded(value.unwrap())))
            .collect();
        ours.sort_by_cached_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
        assert_eq!(ours, expected, "of {text:?}");
    }
    assert!(rows > 900, "the fixture has only {rows} rows");
}

#[test]
fn utf_8_is_read_as_utf_8_and_other_bytes_as_latin_1() {
    assert_eq!(pairs("ä=€😀"), [pair("ä", "€😀")]);
    let map = parse(b"\xe4=\xff").unwrap();
    assert_eq!(map.get("ä"), Some(&Some("ÿ".to_owned())));
    assert_eq!(pairs("\u{feff}a=b"), [pair("a", "b")]);
}

#[test]
fn a_lone_half_of_a_character_becomes_the_replacement_character() {
    assert_eq!(pairs(r"a=\ud83dx"), [pair("a", "\u{fffd}x")]);
    assert_eq!(pairs(r"a=\ud83d\ude00"), [pair("a", "😀")]);
}

#[test]
fn the_last_of_equal_keys_counts() {
    assert_eq!(pairs("a=1\nb=2\na=3"), [pair("a", "3"), pair("b", "2")]);
}

#[test]
fn a_malformed_unicode_escape_names_its_line() {
    let error = parse(b"a=b\r\n# c\r\n\r\nx=y\\\r\n z\\u12\r\n").unwrap_err();
    assert_eq!(error.line, 4);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.properties");
    std::fs::write(&path, "\\uXYZW=1").unwrap();
    let text = load(&path).unwrap_err().to_string();
    assert!(text.contains("w.properties', line 1"), "{text}");
}

/// Writes an entry with every escape that the syntax offers.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0c' => out.push_str("\\f"),
            ' ' | '=' | ':' | '#' | '!' | '\\' => out.extend(['\\', c]),
            c if c.is_ascii_graphic() => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(parse(&bytes));
    }

    #[test]
    fn what_is_written_with_escapes_is_read_back(
        entries in proptest::collection::btree_map(any::<String>(), any::<String>(), 1..5),
        separator in "[ \t]*[=:][ \t]*|[ \t]+",
        end in "\n|\r|\r\n",
    ) {
        let mut text = String::new();
        for (key, value) in &entries {
            // An empty key needs a sign as separator: a blank alone would be leading white space.
            let separator = if key.is_empty() { "=" } else { &separator };
            text.push_str(&format!("{}{separator}{}{end}", escape(key), escape(value)));
        }
        let read: std::collections::BTreeMap<_, _> = pairs(&text).into_iter().collect();
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn a_continued_line_equals_the_joined_one(
        left in "[a-z=:]{1,8}", right in "[a-z=:]{1,8}", blanks in "[ \t]{0,3}", end in "\n|\r|\r\n",
    ) {
        prop_assert_eq!(pairs(&format!("{left}\\{end}{blanks}{right}")), pairs(&format!("{left}{right}")));
    }
}
