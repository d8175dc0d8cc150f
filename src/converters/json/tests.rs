//! The text roads against the struct road.

use proptest::strategy::Strategy as _;

use super::*;
use crate::api::{Schema, SchemaType};

fn converter(settings: &[(&str, &str)]) -> JsonConverter {
    let mut config = ConfigMap::new();
    for (key, value) in settings {
        config.insert((*key).to_owned(), Some((*value).to_owned()));
    }
    JsonConverter::new(&config, false).unwrap()
}

/// Without optimisation a frame takes several times the room.
#[test]
fn a_thousand_nested_values_fit_on_a_small_stack() {
    let size = if cfg!(debug_assertions) {
        8 << 20
    } else {
        1 << 20
    };
    let small = std::thread::Builder::new().stack_size(size);
    small.spawn(thousand_nested_values).unwrap().join().unwrap();
}

fn thousand_nested_values() {
    let arrays = ["[".repeat(1000), "]".repeat(1000)].concat();
    let objects = [r#"{"a":"#.repeat(1000), "1".into(), "}".repeat(1000)].concat();
    let mut json = converter(&[("schemas.enable", "false")]);
    for text in [arrays, objects] {
        let read = json.read("t", Some(text.as_bytes())).unwrap();
        let mut written = Vec::new();
        json.write("t", None, &read.value, &mut written).unwrap();
        assert_eq!(written, text.as_bytes());
        let mut printed = Vec::new();
        json.read_text("t", text.as_bytes(), &mut printed).unwrap();
        assert_eq!(printed, java_text::to_text(&read.value).as_bytes());
    }
}

/// What the struct road gives for `bytes`, as text or as the error's message.
fn struct_road(json: &mut JsonConverter, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let read = json.read("t", Some(bytes)).map_err(|error| error.trace())?;
    let mut text = Vec::new();
    java_text::append(&read.value, &mut text);
    Ok(text)
}

fn text_road(json: &mut JsonConverter, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut text = b"kept".to_vec();
    json.read_text("t", bytes, &mut text)
        .map_err(|error| error.trace())?;
    Ok(text.strip_prefix(b"kept").unwrap().to_vec())
}

fn assert_same_reading(bytes: &[u8]) {
    for enable in ["false", "true"] {
        let mut json = converter(&[("schemas.enable", enable)]);
        let expected = struct_road(&mut json, bytes);
        let shown = String::from_utf8_lossy(bytes);
        // Twice: what the first time left in the buffers must not show in the second.
        for _ in 0..2 {
            assert_eq!(
                text_road(&mut json, bytes),
                expected,
                "schemas.enable={enable} {shown}"
            );
        }
    }
}

#[test]
fn every_fixture_reads_the_same_on_both_roads() {
    for line in include_str!("../fixtures/json_read.tsv").lines() {
        let input = line
            .split('\t')
            .nth(3)
            .and_then(|input| input.strip_suffix('.'));
        // A thousand levels need more stack than an unoptimised test thread has.
        if let Some(input) = input.filter(|input| input.len() < 5000) {
            let bytes = ::base64::Engine::decode(&::base64::prelude::BASE64_STANDARD, input);
            assert_same_reading(&bytes.unwrap());
        }
    }
}

#[test]
fn names_with_one_hash_and_names_that_repeat_print_as_on_the_struct_road() {
    for text in [
        r#"{"AaAa":1,"BBBB":2,"AaBB":3,"AaAa":4}"#,
        r#"{"a":{"a":1,"a":{"b":2}},"a":{"x":[{"y":1,"y":2}]}}"#,
    ] {
        assert_same_reading(text.as_bytes());
    }
    let many = |modulo: usize| {
        let members: Vec<_> = (0..100)
            .map(|i| format!("\"k{}\":{i}", i % modulo))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    assert_same_reading(many(100).as_bytes());
    assert_same_reading(many(30).as_bytes());
}

#[test]
fn many_schemas_do_not_fill_the_memory() {
    let mut json = converter(&[("schemas.cache.size", "3")]);
    for index in 0..10 {
        let record =
            format!(r#"{{"schema":{{"type":"string","doc":"{index}"}},"payload":"{index}"}}"#);
        let read = json.read("t", Some(record.as_bytes())).unwrap();
        let schema = read.schema.unwrap();
        assert_eq!(schema.doc(), Some(index.to_string().as_str()));
        let mut written = Vec::new();
        json.write("t", Some(&schema), &read.value, &mut written)
            .unwrap();
        assert!(json.read_cache.len() <= 3 && json.write_cache.len() <= 3);
    }
}

const STRUCT_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"int64","field":"id"},"#,
    r#"{"type":"string","optional":true,"field":"name"},"#,
    r#"{"type":"array","items":{"type":"string"},"optional":true,"field":"tags"},"#,
    r#"{"type":"int32","optional":true,"default":7,"field":"n"}]}"#
);

/// Value and schema of a record, or its error, from a converter that has read records with the same start
/// of an envelope, which must not differ from those of a converter that has read nothing.
fn assert_read_as_if_first(warm: &mut JsonConverter, record: &[u8]) {
    let fresh = converter(&[]).read("t", Some(record));
    let fresh = fresh.map_err(|error| error.trace());
    for _ in 0..2 {
        let read = warm.read("t", Some(record)).map_err(|error| error.trace());
        assert_eq!(read, fresh, "{}", String::from_utf8_lossy(record));
    }
}

#[test]
fn a_record_reads_the_same_whether_or_not_its_envelope_was_seen_before() {
    let payloads = [
        r#"{"id":1,"name":"a","tags":["x","y"],"n":2}"#,
        r#"{"id":1,"name":"a\u0041\n","tags":[],"n":null}"#,
        r#"{"n":5,"tags":["z"],"name":null,"id":3}"#,
        r#"{"id":1,"id":2,"name":"twice","n":1}"#,
        r#"{"id":1,"name":"x","tags":null,"n":1,"more":[{}]}"#,
        r#"{"id":9}"#,
        r#"{"name":"no id"}"#,
        r#"{"id":null,"name":"a","tags":["x"],"n":2}"#,
        r#"{"id":1,"name":5,"tags":[5],"n":2}"#,
        r#"{"id":1,"name":5,"tags":[null],"n":2}"#,
        r#"{"id":1,"name":"a","tags":["x"],"n":2"#,
        r#"[1]"#,
        "null",
        "12",
        "12x",
        "\"text\"",
        "",
    ];
    let tails = [
        "}".to_owned(),
        " \n} trailing garbage".to_owned(),
        "".to_owned(),
        "]".to_owned(),
        r#","payload":{"id":4}}"#.to_owned(),
        format!(r#","schema":{STRUCT_SCHEMA}}}"#),
        r#","schema":{"type":"boolean"}}"#.to_owned(),
        r#","schema":null}"#.to_owned(),
        r#","other":1}"#.to_owned(),
        r#",}"#.to_owned(),
    ];
    for [open, colon, comma] in [["{", ":", ","], ["\n{ ", " : ", " , "]] {
        let start = format!(r#"{open}"schema"{colon}{STRUCT_SCHEMA}{comma}"payload"{colon}"#);
        let mut warm = converter(&[]);
        warm.read("t", Some(format!("{start}{}}}", payloads[0]).as_bytes()))
            .unwrap();
        assert_eq!(warm.envelopes.len(), 1);
        for payload in payloads {
            for tail in &tails {
                let record = format!("{start}{payload}{tail}");
                assert_read_as_if_first(&mut warm, record.as_bytes());
                let mut invalid = record.into_bytes();
                for byte in [0xff, 0x00, 0xc0] {
                    invalid.push(byte);
                    assert_read_as_if_first(&mut warm, &invalid);
                }
            }
        }
        let deep = format!("{start}{}{}}}", "[".repeat(999), "]".repeat(999));
        assert_read_as_if_first(&mut warm, deep.as_bytes());
        let too_deep = format!("{start}{}{}}}", "[".repeat(1000), "]".repeat(1000));
        assert_read_as_if_first(&mut warm, too_deep.as_bytes());
        assert_eq!(warm.envelopes.len(), 1, "odd records teach nothing new");
    }
}

#[test]
fn schemas_that_take_turns_keep_their_envelopes_and_a_limited_number_is_kept() {
    let mut json = converter(&[]);
    for round in 0..3 {
        for index in 0..20 {
            let record =
                format!(r#"{{"schema":{{"type":"int8","doc":"{index}"}},"payload":{round}}}"#);
            let read = json.read("t", Some(record.as_bytes())).unwrap();
            let doc = read.schema.as_ref().and_then(|schema| schema.doc());
            assert_eq!(doc, Some(index.to_string().as_str()));
            assert_eq!(read.value, Value::Int8(round));
        }
        assert_eq!(json.envelopes.len(), 8);
    }
    let long = "x".repeat(70_000);
    let record = format!(r#"{{"schema":{{"type":"int8","doc":"{long}"}},"payload":1}}"#);
    let mut json = converter(&[]);
    json.read("t", Some(record.as_bytes())).unwrap();
    assert_eq!(json.envelopes.len(), 0);
}

#[test]
fn a_large_record_leaves_no_large_buffers() {
    let mut json = converter(&[("schemas.enable", "false")]);
    let large = format!("[{}1]", "\"\\u0041\",".repeat(300_000));
    json.read("t", Some(large.as_bytes())).unwrap();
    json.read("t", Some(b"[1]")).unwrap();
    assert!(
        json.document.buffer_bytes() < 2 << 20,
        "{}",
        json.document.buffer_bytes()
    );
}

mod any {
    //! Random JSON, nearly JSON, and texts.

    use proptest::prelude::*;

    pub(super) fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i64>().prop_map(|number| number.to_string()),
            any::<u128>().prop_map(|number| number.to_string()),
            "-?[0-9]{1,3}",
            "-?[0-9]{1,9}\\.[0-9]{1,9}",
            "-?[0-9]{1,4}(\\.[0-9]{1,4})?[eE][+-]?[0-9]{1,3}",
            any::<f64>().prop_map(|number| format!("{number:e}")),
            any::<f64>().prop_map(|number| format!("{number}")),
        ]
    }

    pub(super) fn quoted() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9 _:,=]{0,30}",
            "([a-z]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|é|€|😀){0,20}",
            "([a-z]|\\\\u[dD][89aA-fF][0-9a-f]{2}|😀){0,6}",
        ]
        .prop_map(|text| format!("\"{text}\""))
    }

    pub(super) fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("false".to_owned()),
            number(),
            quoted(),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let blank = "[ \\n\\t]{0,2}";
            prop_oneof![
                (prop::collection::vec(inner.clone(), 0..6), blank)
                    .prop_map(|(items, blank)| format!("[{}]", items.join(&format!("{blank},")))),
                (prop::collection::vec((quoted(), inner), 0..6), blank).prop_map(
                    |(members, blank)| {
                        let members: Vec<_> = members
                            .into_iter()
                            .map(|(name, value)| format!("{name}{blank}:{value}"))
                            .collect();
                        format!("{{{}}}", members.join(","))
                    }
                ),
            ]
        })
    }

    /// JSON with a few bytes replaced, dropped or added.
    pub(super) fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 0..4);
        (json(), damage).prop_map(|(text, damage)| {
            let mut bytes = text.into_bytes();
            for (place, byte, how) in damage {
                let at = place.index(bytes.len() + 1);
                match how {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        })
    }
}

proptest::proptest! {
    #[test]
    fn json_reads_the_same_on_both_roads(text in any::json()) {
        assert_same_reading(text.as_bytes());
    }

    #[test]
    fn objects_of_one_shape_read_the_same_on_both_roads(
        names in proptest::collection::vec(
            proptest::sample::select(vec!["a", "b", "Aa", "BB", "\\u0061", "a long name, with a comma", "\u{e4}", ""]),
            0..30,
        ),
        rows in proptest::collection::vec(proptest::collection::vec(any::json(), 30), 2..5),
    ) {
        let mut json = converter(&[("schemas.enable", "false")]);
        for row in rows {
            let members = names.iter().zip(row).map(|(name, value)| format!("\"{name}\": {value}"));
            let object = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
            let expected = struct_road(&mut json, object.as_bytes());
            assert_eq!(text_road(&mut json, object.as_bytes()), expected, "{object}");
        }
    }

    #[test]
    fn damaged_json_reads_the_same_on_both_roads(bytes in any::damaged()) {
        assert_same_reading(&bytes);
    }

    #[test]
    fn enveloped_json_reads_the_same_on_both_roads(
        payload in any::json(),
        kind in "(string|int64|double|bytes)",
        optional in "(true|false)",
        tail in "(\\}|\\} x|,\"a\":1\\}| \\}|)",
    ) {
        let text = format!(
            r#"{{"schema":{{"type":"{kind}","optional":{optional}}},"payload":{payload}{tail}"#
        );
        assert_same_reading(text.as_bytes());
    }

    #[test]
    fn any_payload_reads_the_same_behind_an_envelope_seen_before(
        payload in any::damaged(),
        kind in "(string|int64|double|bytes|struct\",\"fields\":\\[\\],\"name\":\"s)",
        tail in "(\\}|\\} x|,\"a\":1\\}| \\}|,\"payload\":1\\})",
    ) {
        let start = format!(r#"{{"schema":{{"type":"{kind}","optional":true}},"payload":"#);
        let mut warm = converter(&[]);
        warm.read("t", Some(format!("{start}null}}").as_bytes())).unwrap();
        let record = [start.as_bytes(), &payload, tail.as_bytes()].concat();
        assert_read_as_if_first(&mut warm, &record);
    }

    #[test]
    fn texts_write_the_same_on_both_roads(bytes in proptest::prop_oneof![
        proptest::prelude::any::<String>().prop_map(String::into_bytes),
        any::json().prop_map(String::into_bytes),
        any::damaged(),
        proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
    ]) {
        for enable in ["true", "false"] {
            let mut json = converter(&[("schemas.enable", enable)]);
            let text = Value::String(java_text::decode_utf8(&bytes));
            let binary = Value::Bytes(bytes.clone().into());
            for (kind, value) in [(SchemaType::String, text), (SchemaType::Bytes, binary)] {
                let mut expected = b"kept".to_vec();
                json.write("t", Some(&Schema::required(kind)), &value, &mut expected).unwrap();
                let mut fast = b"kept".to_vec();
                json.write_text("t", &bytes, kind == SchemaType::Bytes, &mut fast).unwrap();
                assert_eq!(fast, expected);
            }
        }
    }

    #[test]
    fn a_written_text_reads_back_as_it_was(text in proptest::prelude::any::<String>()) {
        for enable in ["true", "false"] {
            let mut json = converter(&[("schemas.enable", enable)]);
            let mut written = Vec::new();
            json.write_text("t", text.as_bytes(), false, &mut written).unwrap();
            assert_eq!(text_road(&mut json, &written).unwrap(), text.as_bytes());
        }
    }
}
