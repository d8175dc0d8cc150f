//! What others write: messages of schemas that no Connect schema made.

use super::*;
use crate::api::SchemaType;

#[test]
fn messages_of_others_are_read_by_their_indexes() {
    let format = format(&[]);
    // Order is the second message: indexes [1].
    let data = [
        &[2, 2][..],
        &[0x08, 7],
        &[0x1a, 9, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
        &[0x22, 0],
        &[0x2a, 5, 0x0a, 1, b'k', 0x10, 3],
        &[0x30, 1],
        &[0x3a, 2, 0x08, 2],
        &[0x40, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ]
    .concat();
    let found = read(&format, RICH, &data).unwrap();
    let printed = text::to_text(&found.value);
    let expected = "Struct{way_0=Struct{line=Struct{price=1.5}},id=7,lines=[Struct{price=0.0}],counts={k=3},suit=HEARTS,at=";
    assert!(printed.starts_with(expected), "{printed}");
    assert!(printed.ends_with(",big=4294967295}"), "{printed}");
    let schema = found.schema.unwrap();
    let union = &schema.field("way_0").unwrap().schema;
    assert_eq!(
        union.name(),
        Some("io.confluent.connect.protobuf.Union.way")
    );
    let suit = &schema.field("suit").unwrap().schema;
    assert_eq!(
        suit.parameters().unwrap()["io.confluent.connect.protobuf.Enum.HEARTS"],
        "1"
    );
    let counts = &schema.field("counts").unwrap().schema;
    assert_eq!(counts.name(), Some("counts"));
    // It is written again as the first message of a schema of its own.
    let (text, again) = write(&format, &schema, &found.value).unwrap();
    let back = read(&format, &text, &again).unwrap();
    assert_eq!(text::to_text(&back.value), printed, "{text}");
    assert_eq!(back.schema.unwrap(), schema, "{text}");
    // Line within Order: indexes [1, 0].
    let line = read(
        &format,
        RICH,
        &[4, 2, 0, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
    )
    .unwrap();
    assert_eq!(text::to_text(&line.value), "Struct{price=1.5}");
    let error = read(&format, RICH, &[2, 4]).unwrap_err();
    assert_eq!(
        error.message(),
        "the schema has no message with the indexes [2]"
    );
}

#[test]
fn what_data_leaves_out_reads_as_its_default_or_null() {
    let text = r#"syntax = "proto3";
        message R { int32 a = 1; optional int32 b = 2; In in = 3; repeated In list = 4;
          oneof u { int32 c = 5; string d = 6; } message In { int32 x = 1; } }"#;
    let none = read(&format(&[]), text, &[0]).unwrap();
    assert_eq!(text::to_text(&none.value), "Struct{a=0,list=[]}");
    let zero = read(&format(&[]), text, &[0, 0x10, 0, 0x1a, 0, 0x28, 0]).unwrap();
    assert_eq!(
        text::to_text(&zero.value),
        "Struct{u_0=Struct{c=0},a=0,b=0,in=Struct{x=0},list=[]}"
    );
    // The last member of a oneof wins.
    let both = read(&format(&[]), text, &[0, 0x28, 7, 0x32, 1, b'x']).unwrap();
    assert!(text::to_text(&both.value).starts_with("Struct{u_0=Struct{d=x},"));
}

#[test]
fn proto2_tells_what_is_set_and_what_is_missing() {
    let text = r#"syntax = "proto2";
        message R { required int32 a = 1; optional int32 b = 2 [default = 5];
          optional group G = 3 { optional bool g = 4; } }"#;
    let found = read(&format(&[]), text, &[0, 8, 1]).unwrap();
    assert_eq!(text::to_text(&found.value), "Struct{a=1}");
    let off = [("optional.for.proto2", "false")];
    let found = read(&format(&off), text, &[0, 8, 1]).unwrap();
    assert_eq!(text::to_text(&found.value), "Struct{a=1,b=5}");
    let found = read(&format(&[]), text, &[0, 8, 1, 0x1b, 0x20, 1, 0x1c]).unwrap();
    assert_eq!(text::to_text(&found.value), "Struct{a=1,g=Struct{g=true}}");
    let error = read(&format(&[]), text, &[0, 16, 1]).unwrap_err();
    assert_eq!(error.message(), "Message missing required fields: a");
}

#[test]
fn numbers_keep_their_types_and_unsigned_ones_their_bits() {
    let text = r#"syntax = "proto3";
        message R { sint32 a = 1; fixed32 b = 2; uint64 c = 3; sfixed64 d = 4; }"#;
    let data = [
        &[0, 8, 3, 0x15, 0xff, 0xff, 0xff, 0xff][..],
        &[
            0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
        ],
        &[0x21, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]
    .concat();
    let format = format(&[]);
    let found = read(&format, text, &data).unwrap();
    assert_eq!(
        text::to_text(&found.value),
        "Struct{a=-2,b=4294967295,c=-1,d=-2}"
    );
    let schema = found.schema.unwrap();
    let (composed, again) = write(&format, &schema, &found.value).unwrap();
    assert_eq!(again, data, "{composed}");
}

#[test]
fn logical_messages_are_checked_as_in_java() {
    let text = r#"syntax = "proto3";
        import "google/type/date.proto"; import "google/type/timeofday.proto";
        import "google/protobuf/timestamp.proto"; import "confluent/type/decimal.proto";
        message R { google.type.Date d = 1; google.type.TimeOfDay t = 2;
          google.protobuf.Timestamp ts = 3; confluent.type.Decimal n = 4; }"#;
    let read = |data: &[u8]| read(&format(&[]), text, data);
    for (data, part) in [
        (&[0, 10, 0][..], "0-0-0 (year, month, day) is no date"),
        (&[0, 10, 7, 8, 0xe7, 15, 16, 2, 24, 29], "2023-2-29"),
        // The days that the calendar left out.
        (&[0, 10, 7, 8, 0xae, 12, 16, 10, 24, 10], "1582-10-10"),
        (&[0, 18, 2, 8, 24], "24:0:0 and 0 ns is no time of day"),
        (
            &[0, 26, 6, 16, 0x80, 0x94, 0xeb, 0xdc, 3],
            "Timestamp is not valid",
        ),
        (&[0, 34, 0], "Zero length BigInteger"),
    ] {
        let error = read(data).unwrap_err();
        assert!(error.message().contains(part), "{part}: {error}");
    }
    // 12345 with a scale of 2, rounded to 3 digits: 123.45 becomes 123.
    let found = read(&[0, 34, 8, 10, 2, 0x30, 0x39, 16, 3, 24, 2]).unwrap();
    assert_eq!(text::to_text(&found.value), "Struct{n=123}");
    // -0.5 rounds away from zero: 5 tenths of one digit stay.
    let found = read(&[0, 34, 7, 10, 1, 0xfb, 16, 1, 24, 1]).unwrap();
    assert_eq!(text::to_text(&found.value), "Struct{n=-0.5}");
}

#[test]
fn symbols_that_an_enum_does_not_know_have_a_name() {
    let data = [2, 2, 0x30, 9];
    let found = read(&format(&[]), RICH, &data).unwrap();
    let printed = text::to_text(&found.value);
    assert!(
        printed.contains("suit=UNKNOWN_ENUM_VALUE_Suit_9"),
        "{printed}"
    );
}

#[test]
fn known_files_need_not_be_registered() {
    let imports: Vec<_> = known::KNOWN.iter().map(|(name, _)| *name).collect();
    let google = [
        "any",
        "duration",
        "empty",
        "field_mask",
        "struct",
        "timestamp",
        "wrappers",
    ];
    let google = google.map(|name| format!("google/protobuf/{name}.proto"));
    let all = imports.into_iter().chain(google.iter().map(String::as_str));
    let all: String = all.map(|name| format!("import \"{name}\";\n")).collect();
    let text = format!(
        "syntax = \"proto3\";\n{all}message R {{ google.type.Money m = 1; google.protobuf.Any a = 2; }}"
    );
    let data = [0, 10, 7, 10, 3, b'E', b'U', b'R', 16, 5];
    let found = read(&format(&[]), &text, &data).unwrap();
    assert_eq!(
        text::to_text(&found.value),
        "Struct{m=Struct{currency_code=EUR,units=5,nanos=0}}"
    );
}

#[test]
fn files_that_a_schema_refers_to_are_compiled_with_it() {
    let mut schema = registered(
        "syntax = \"proto3\"; package a; import \"b.proto\"; message R { b.In in = 1; }",
    );
    let resolved = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    schema.resolved = vec![
        resolved(
            "c.proto",
            "syntax = \"proto3\"; package c; message C { string s = 1; }",
        ),
        resolved(
            "b.proto",
            "syntax = \"proto3\"; package b; import \"c.proto\"; message In { c.C c = 1; }",
        ),
    ];
    let format = format(&[]);
    let reader = format.reader(&schema, 3).unwrap();
    let found = format
        .read(&reader, &[0, 10, 5, 10, 3, 10, 1, b'x'])
        .unwrap();
    assert_eq!(
        text::to_text(&found.value),
        "Struct{in=Struct{c=Struct{s=x}}}"
    );
    assert_eq!(found.schema.unwrap().version(), Some(3));
}

#[test]
fn options_of_confluents_converter_count_although_it_does_not_import_them() {
    // As it registers a struct with an eight-bit number and a decimal.
    let text = r#"syntax = "proto3";
package org.example;

import "confluent/type/decimal.proto";

message Name {
  int32 a = 1 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int8"
      }
    ]
  }];
  confluent.type.Decimal b = 2 [(confluent.field_meta) = {
    params: [
      {
        value: "4",
        key: "scale"
      }
    ]
  }];
}
"#;
    let schema = read(&format(&[]), text, &[0, 8, 5])
        .unwrap()
        .schema
        .unwrap();
    let field = |name| &schema.field(name).unwrap().schema;
    assert_eq!(field("a").kind(), SchemaType::Int8);
    assert_eq!(field("b").parameters().unwrap()["scale"], "4");
}

#[test]
fn a_descriptor_in_base64_is_a_schema_like_its_text() {
    use base64::Engine as _;
    let text = r#"syntax = "proto3"; package acme; import "confluent/meta.proto";
        message R { int32 n = 1 [(confluent.field_meta) = { params: [ { key: "connect.type", value: "int8" } ] }]; }"#;
    let file = source::compile(&registered(text)).unwrap().file;
    let base64 = base64::engine::general_purpose::STANDARD.encode(file.encode_to_vec());
    let format = format(&[]);
    let expected = read(&format, text, &[0, 8, 5]).unwrap();
    let found = read(&format, &base64, &[0, 8, 5]).unwrap();
    assert_eq!(found.value, expected.value);
    assert_eq!(found.schema, expected.schema);
    assert_eq!(text::to_text(&found.value), "Struct{n=5}");
    let name = format.record_name(&registered(&base64)).unwrap();
    assert_eq!(name.as_deref(), Some("acme.R"));
}

#[test]
fn entries_of_maps_have_an_index_where_they_are_messages() {
    use base64::Engine as _;
    let text =
        r#"syntax = "proto3"; message R { map<string, int32> m = 1; message In { int32 n = 1; } }"#;
    let format = format(&[]);
    let printed =
        |text: &str, data: &[u8]| text::to_text(&read(&format, text, data).unwrap().value);
    assert_eq!(printed(text, &[4, 0, 0, 8, 5]), "Struct{n=5}");
    let file = source::compile(&registered(text)).unwrap().file;
    let base64 = base64::engine::general_purpose::STANDARD.encode(file.encode_to_vec());
    let order: Vec<_> = file.messages().next().unwrap().child_messages().collect();
    let index = order
        .iter()
        .position(|message| message.name() == "In")
        .unwrap();
    let data = [4, 0, u8::try_from(index).unwrap() * 2, 8, 5];
    assert_eq!(printed(&base64, &data), "Struct{n=5}");
    // A registry may write the entry of a descriptor out.
    let explicit = r#"syntax = "proto3"; message R { repeated MEntry m = 1;
        message MEntry { option map_entry = true; string key = 1; int32 value = 2; }
        message In { int32 n = 1; } }"#;
    assert_eq!(printed(explicit, &[4, 0, 2, 8, 5]), "Struct{n=5}");
    let map = [0, 10, 5, 10, 1, b'k', 16, 3];
    assert_eq!(printed(explicit, &map), "Struct{m={k=3}}");
    assert_eq!(printed(text, &map), "Struct{m={k=3}}");
}
