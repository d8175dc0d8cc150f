//! The converters of fixed form. Expected texts were printed by Apache's classes.

use bytes::Bytes;

use super::*;
use crate::api::{ConfigMap, Converter, Schema, SchemaType, TextRoad, Value};

fn string_converter(encoding: &str) -> StringConverter {
    let mut config = ConfigMap::new();
    config.insert("converter.encoding".into(), Some(encoding.into()));
    StringConverter::new(&config, false).unwrap()
}

fn written(converter: &mut dyn Converter, value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let present = converter.write("t", None, value, &mut out).unwrap();
    present.then_some(out)
}

#[test]
fn strings_in_utf8_pass_untouched_on_both_text_roads() {
    let mut converter = StringConverter::new(&ConfigMap::new(), true).unwrap();
    assert_eq!(converter.write_text_road(), TextRoad::Identity);
    assert_eq!(converter.read_text_road(), TextRoad::Identity);
    assert_eq!(written(&mut converter, &Value::Null), None);
    assert_eq!(
        written(&mut converter, &Value::Float64(1e10)).unwrap(),
        b"1.0E10"
    );
}

#[test]
fn invalid_utf8_becomes_replacement_characters_when_a_string_is_built() {
    let mut converter = string_converter("UTF-8");
    let read = converter
        .read("t", Some(b"a\xffb\xed\xa0\x80c\xe2\x82"))
        .unwrap();
    assert_eq!(
        read.value,
        Value::String("a\u{fffd}b\u{fffd}c\u{fffd}".into())
    );
    assert_eq!(read.schema, Some(Schema::optional(SchemaType::String)));
}

#[test]
fn other_encodings_write_and_read_as_java_does() {
    let text = Value::String("é€😀".into());
    let cases: [(&str, &[u8], &str); 5] = [
        ("ISO-8859-1", b"\xe9??", "é??"),
        ("US-ASCII", b"???", "???"),
        (
            "UTF-16",
            b"\xfe\xff\x00\xe9\x20\xac\xd8\x3d\xde\x00",
            "é€😀",
        ),
        ("UTF-16LE", b"\xe9\x00\xac\x20\x3d\xd8\x00\xde", "é€😀"),
        ("windows-1252", b"\xe9\x80?", "é€?"),
    ];
    for (encoding, bytes, back) in cases {
        let mut converter = string_converter(encoding);
        assert_eq!(converter.write_text_road(), TextRoad::Rewrite, "{encoding}");
        assert_eq!(written(&mut converter, &text).unwrap(), bytes, "{encoding}");
        let mut rewritten = Vec::new();
        converter
            .write_text("t", "é€😀".as_bytes(), false, &mut rewritten)
            .unwrap();
        assert_eq!(rewritten, bytes, "{encoding}");
        let read = converter.read("t", Some(bytes)).unwrap().value;
        assert_eq!(read, Value::String(back.into()), "{encoding}");
    }
}

#[test]
fn an_unknown_encoding_is_refused_at_start() {
    let mut config = ConfigMap::new();
    config.insert("converter.encoding".into(), Some("klingon".into()));
    let refused = StringConverter::new(&config, false).unwrap_err();
    assert_eq!(refused.message(), "Unsupported encoding klingon");
}

#[test]
fn byte_arrays_refuse_anything_else_on_both_roads() {
    let mut converter = ByteArrayConverter::new(&ConfigMap::new(), false).unwrap();
    let bytes = Value::Bytes(Bytes::from_static(b"\xff"));
    assert_eq!(written(&mut converter, &bytes).unwrap(), b"\xff");
    let schema = Schema::required(SchemaType::String);
    let mut out = Vec::new();
    let slow = converter
        .write("t", Some(&schema), &bytes, &mut out)
        .unwrap_err();
    let fast = converter
        .write_text("t", b"x", false, &mut out)
        .unwrap_err();
    assert_eq!(
        slow.message(),
        "Invalid schema type for ByteArrayConverter: STRING"
    );
    assert_eq!(fast.message(), slow.message());
    let wrong = converter
        .write("t", None, &Value::Int8(1), &mut out)
        .unwrap_err();
    assert_eq!(
        wrong.message(),
        "ByteArrayConverter is not compatible with objects of type class java.lang.Byte"
    );
}

#[test]
fn every_listed_converter_carries_the_class_name_it_is_listed_under() {
    // The converters with a schema registry need to know one; the others pass over the key.
    let url = Some("http://localhost:8081".to_owned());
    let config = ConfigMap::from_iter([("schema.registry.url".to_owned(), url)]);
    for plugin in ALL {
        match (plugin.header_converter)(&config) {
            Ok(header) => assert_eq!(header.class_name(), plugin.class),
            Err(refused) => {
                assert!(!plugin.fits(true), "{}", plugin.class);
                assert!(refused.message().contains("keys and values only"));
            }
        }
        if let Some(new) = plugin.converter {
            let converter = new(&config, true).unwrap();
            assert_eq!(converter.class_name(), plugin.class);
        }
        assert!(plugin.class.ends_with(plugin.aliases[0]));
    }
}
