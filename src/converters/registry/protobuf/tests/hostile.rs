//! Bytes that are no data and texts that are no schemas: a named error each, no panic, no large allocation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;

use super::*;

/// [`RICH`] as a descriptor.
fn rich_descriptor() -> Vec<u8> {
    let source = source::compile(&registered(RICH)).unwrap();
    source.file.encode_to_vec()
}

fn fails(format: &ProtobufFormat, text: &str, data: &[u8], part: &str) {
    let error = read(format, text, data).unwrap_err();
    assert!(error.message().contains(part), "{part}: {error}");
}

#[test]
fn data_that_is_cut_off_or_claims_too_much_is_refused() {
    let format = format(&[]);
    for data in [
        &[2, 2, 0x08][..],
        &[2, 2, 0x08, 0xff, 0xff],
        &[
            2, 2, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        // A length of four gigabytes, of a string, a list, a map and a field that is not known.
        &[2, 2, 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[2, 2, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[2, 2, 0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[2, 2, 0x7a, 0xff, 0xff, 0xff, 0xff, 0x0f],
        // No number, no wire type, another wire type, the end of a group that did not begin.
        &[2, 2, 0x00],
        &[2, 2, 0x0f],
        &[2, 2, 0x0d, 1, 2, 3, 4],
        &[2, 2, 0x0c],
        // A string that is no UTF-8.
        &[2, 2, 0x12, 1, 0xff],
    ] {
        fails(&format, RICH, data, "no message acme.Order: ");
    }
    fails(&format, RICH, &[], "message indexes are cut off");
    fails(&format, RICH, &[0xff; 9], "message indexes are cut off");
    fails(
        &format,
        RICH,
        &[0xfe, 0xff, 3],
        "is no number of message indexes",
    );
    fails(&format, RICH, &[2, 1], "no message with the indexes [-1]");
}

#[test]
fn data_nested_without_end_is_refused() {
    let text = "syntax = \"proto3\"; message R { int32 a = 1; }";
    // Groups that the schema does not know, each within the one before it.
    let mut data = vec![0];
    data.extend(std::iter::repeat_n([0x13_u8], 100_000).flatten());
    fails(&format(&[]), text, &data, "no message R: ");
    let mut data = vec![0];
    data.extend(std::iter::repeat_n([0x13_u8], 1000).flatten());
    data.extend(std::iter::repeat_n([0x14_u8], 1000).flatten());
    fails(&format(&[]), text, &data, "no message R: ");
}

#[test]
fn two_bytes_do_not_become_a_thousand_values_without_end() {
    let fields: String = (1..=1000).map(|n| format!("int32 f{n} = {n}; ")).collect();
    let text = format!(
        "syntax = \"proto3\"; message R {{ repeated In in = 1; message In {{ {fields} }} }}"
    );
    let elements = |count: usize| {
        let mut data = vec![0];
        data.extend(std::iter::repeat_n([10_u8, 0], count).flatten());
        data
    };
    let format = format(&[]);
    let reader = format.reader(&registered(&text), 1).unwrap();
    assert!(format.read(&reader, &elements(900)).is_ok());
    let error = format.read(&reader, &elements(100_000)).unwrap_err();
    let part = "leaves out more than 1000000 fields";
    assert!(error.message().contains(part), "{error}");
    // Messages without any field have a size as well.
    let text = "syntax = \"proto3\"; message R { repeated In in = 1; message In {} }";
    fails(&format, text, &elements(1_000_001), part);
}

#[test]
fn default_messages_within_each_other_are_bounded() {
    // Each message has two of the next: 2^16 of the last.
    let messages: String = (0..16)
        .map(|n| format!("message M{n} {{ M{m} a = 1; M{m} b = 2; }} ", m = n + 1))
        .collect();
    let text = format!("syntax = \"proto3\"; {messages} message M16 {{ int32 x = 1; }}");
    let format = format(&[("generate.struct.for.nulls", "true")]);
    fails(&format, &text, &[0], "more than 100000 fields");
    // One that may be: but not in each element of a list.
    let start = "message R { repeated M6 in = 1; }";
    let text = text.replace("message M0 ", &format!("{start} message M0 "));
    let mut data = vec![0];
    data.extend(std::iter::repeat_n([10_u8, 0], 5000).flatten());
    fails(&format, &text, &data, "leaves out more than 1000000 fields");
}

#[test]
fn schemas_that_contain_themselves_are_refused_by_name() {
    let format = format(&[]);
    for text in [
        "syntax = \"proto3\"; message Node { Node next = 1; }",
        "syntax = \"proto3\"; message Node { repeated Inner list = 1; message Inner { Node node = 1; } }",
        "syntax = \"proto3\"; message Node { map<string, Node> map = 1; }",
        "syntax = \"proto3\"; message Node { oneof u { Node node = 1; int32 i = 2; } }",
    ] {
        fails(&format, text, &[0], "message Node contains itself");
    }
    let text = "syntax = \"proto3\"; import \"google/protobuf/struct.proto\"; message R { google.protobuf.Struct s = 1; }";
    fails(
        &format,
        text,
        &[0],
        "google.protobuf.Struct contains itself",
    );
    let chain: String = (0..200)
        .map(|n| format!("message M{n} {{ M{} m = 1; }} ", n + 1))
        .collect();
    let text = format!("syntax = \"proto3\"; {chain} message M200 {{ int32 x = 1; }}");
    fails(&format, &text, &[0], "stands in more than 100 others");
}

#[test]
fn texts_that_are_no_schemas_are_refused() {
    let format = format(&[]);
    let deep = |open: &str| format!("syntax = \"proto3\"; {}", open.repeat(5000));
    let option = format!(
        "syntax = \"proto3\"; message A {{ int32 a = 1 [(x) = {} ]; }}",
        "{ a ".repeat(50_000)
    );
    for (text, part) in [
        ("message".to_owned(), "not a Protobuf schema"),
        (
            String::from("edition = \"2023\"; message A {}"),
            "not a Protobuf schema",
        ),
        (
            "syntax = \"proto3\"; import \"nowhere.proto\"; message A {}".to_owned(),
            "nowhere.proto",
        ),
        (
            "syntax = \"proto3\"; import \"registered_schema.proto\"; message A {}".to_owned(),
            "not a Protobuf schema",
        ),
        (deep("message A {"), "nested more than 100 deep"),
        (deep("message A { /* } */"), "nested more than 100 deep"),
        (deep("message A { // }\n"), "nested more than 100 deep"),
        (option, "nested more than 100 deep"),
        (
            "syntax = \"proto3\"; message A { B b = 1; }".to_owned(),
            "not a Protobuf schema",
        ),
        (
            "syntax = \"proto3\"; message A { int32 a = 1; int32 b = 1; }".to_owned(),
            "not a Protobuf schema",
        ),
    ] {
        let error = format.reader(&registered(&text), 1).unwrap_err();
        assert!(error.message().contains(part), "{part}: {error}");
    }
    // Brackets in strings are text.
    let quoted = format!(
        "syntax = \"proto3\"; message A {{ int32 a = 1 [json_name = \"{}\"]; }}",
        "(".repeat(500)
    );
    assert!(format.reader(&registered(&quoted), 1).is_ok());
    // A text without any message is a schema, of which there is no data.
    fails(&format, "", &[0], "no message with the indexes [0]");
}

#[test]
fn a_map_that_is_none_is_refused() {
    let format = format(&[]);
    for entry in [
        "float key = 1; int32 value = 2;",
        "string key = 1; repeated int32 value = 2;",
        "string key = 1;",
        "",
    ] {
        let text = format!(
            "syntax = \"proto3\"; message R {{ repeated E m = 1; message E {{ option map_entry = true; {entry} }} }}"
        );
        let error = format.reader(&registered(&text), 1).unwrap_err();
        assert!(error.message().contains("not a Protobuf schema"), "{error}");
    }
}

#[test]
fn imports_that_go_round_in_a_circle_are_refused() {
    let text = |import: &str, name: &str| {
        format!("syntax = \"proto3\"; import \"{import}\"; message {name} {{}}")
    };
    let mut schema = registered(&text("a.proto", "R"));
    schema.resolved = vec![
        ("a.proto".to_owned(), text("b.proto", "A")),
        ("b.proto".to_owned(), text("a.proto", "B")),
    ];
    let error = format(&[]).reader(&schema, 1).unwrap_err();
    assert!(error.message().contains("a.proto"), "{error}");
    // A chain as long as references may be.
    let mut schema = registered(&text("0.proto", "R"));
    schema.resolved = (0..255)
        .map(|n| {
            let text = text(&format!("{}.proto", n + 1), &format!("M{n}"));
            (format!("{n}.proto"), text)
        })
        .collect();
    let last = "syntax = \"proto3\"; message Last {}".to_owned();
    schema.resolved.push(("255.proto".to_owned(), last));
    let compiled = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || format(&[]).reader(&schema, 1).map(|_| ()));
    assert!(compiled.unwrap().join().unwrap().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_give_a_value_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let format = format(&[]);
        let reader = format.reader(&registered(RICH), 1).unwrap();
        let in_order = [&[2, 2][..], &data].concat();
        for data in [&data, &in_order] {
            if let Ok(read) = format.read(&reader, data) {
                prop_assert!(read.schema.unwrap().validate(&read.value).is_ok());
            }
        }
    }

    #[test]
    fn data_with_a_byte_changed_gives_a_value_or_an_error(place in 0..33_usize, byte in any::<u8>()) {
        let mut data = [
            &[2, 2, 0x08, 7, 0x1a, 9, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x22, 0][..],
            &[0x2a, 5, 0x0a, 1, b'k', 0x10, 3, 0x30, 1, 0x3a, 2, 0x08, 2, 0x40, 0xff, 0x0f],
        ]
        .concat();
        data[place] = byte;
        if let Ok(read) = read(&format(&[]), RICH, &data) {
            prop_assert!(read.schema.unwrap().validate(&read.value).is_ok());
        }
    }

    #[test]
    fn any_change_of_a_descriptor_gives_a_schema_or_an_error(
        place in any::<proptest::sample::Index>(), bytes in proptest::collection::vec(any::<u8>(), 0..4)
    ) {
        let mut descriptor = rich_descriptor();
        let place = place.index(descriptor.len());
        let end = (place + bytes.len()).min(descriptor.len());
        descriptor.splice(place..end, bytes);
        let data = [2, 2, 0x08, 7, 0x2a, 5, 0x0a, 1, b'k', 0x10, 3];
        drop(read(&format(&[]), &BASE64.encode(descriptor), &data));
    }

    #[test]
    fn any_change_of_a_text_gives_a_schema_or_an_error(
        place in 0..RICH.len(), text in "[-a-z{}\\[\\]();=\"/* 0-9.\n]{0,3}"
    ) {
        let mut changed = RICH.to_owned();
        if changed.is_char_boundary(place) {
            changed.insert_str(place, &text);
        }
        drop(read(&format(&[]), &changed, &[2, 2, 0x08, 7]));
    }
}
