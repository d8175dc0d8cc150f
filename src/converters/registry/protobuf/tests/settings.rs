//! What each key changes, and keys that are refused.

use super::*;
use crate::api::SchemaType;

fn read_with(pairs: &[(&str, &str)], text: &str, data: &[u8]) -> SchemaAndValue {
    read(&format(pairs), text, data).unwrap()
}

#[test]
fn names_keep_their_packages_when_asked() {
    let plain = read_with(&[], RICH, &[2, 2]).schema.unwrap();
    let enhanced = [("enhanced.protobuf.schema.support", "true")];
    let full = read_with(&enhanced, RICH, &[2, 2]).schema.unwrap();
    let names = |schema: &SchemaRef| {
        let fields = schema.fields().iter();
        let names = fields.filter_map(|field| field.schema.name().map(str::to_owned));
        [schema.name().unwrap().to_owned()]
            .into_iter()
            .chain(names)
            .collect::<Vec<_>>()
    };
    let timestamp = "org.apache.kafka.connect.data.Timestamp";
    let union = "io.confluent.connect.protobuf.Union";
    assert_eq!(
        names(&plain),
        [
            "Order",
            &format!("{union}.way"),
            "counts",
            "Suit",
            timestamp
        ]
    );
    assert_eq!(
        names(&full),
        [
            "acme.Order",
            &format!("{union}.acme.Order.way"),
            "acme.Order.counts",
            "acme.Order.Suit",
            timestamp
        ]
    );
    // What was read is written with its package, and with nothing else changed.
    let composed = format(&enhanced).compose(Some(&full)).unwrap().text;
    assert!(composed.contains("package acme;"), "{composed}");
    assert!(composed.contains("oneof way {"), "{composed}");
    assert!(
        composed.contains("repeated countsEntry counts = 5;"),
        "{composed}"
    );
}

#[test]
fn enums_are_numbers_when_asked() {
    let pairs = [("int.for.enums", "true")];
    let found = read_with(&pairs, RICH, &[2, 2, 0x30, 1]);
    let printed = text::to_text(&found.value);
    assert!(printed.contains("suit=1"), "{printed}");
    let schema = found.schema.unwrap();
    assert_eq!(
        schema.field("suit").unwrap().schema.kind(),
        SchemaType::Int32
    );
    let back = there_and_back(&format(&pairs), &schema, &found.value);
    assert_eq!(text::to_text(&back.value), printed);
}

#[test]
fn unions_are_flat_or_without_numbers_when_asked() {
    let data = [2, 2, 0x12, 1, b'x'];
    let flat = [("flatten.unions", "true")];
    let printed = text::to_text(&read_with(&flat, RICH, &data).value);
    assert!(printed.starts_with("Struct{mail=x,id=0,"), "{printed}");
    let plain = [("generate.index.for.unions", "false")];
    let printed = text::to_text(&read_with(&plain, RICH, &data).value);
    assert!(
        printed.starts_with("Struct{way=Struct{mail=x},"),
        "{printed}"
    );
}

#[test]
fn messages_that_are_left_out_are_structs_when_asked() {
    let text = "syntax = \"proto3\"; message R { In in = 1; message In { int32 x = 1; } }";
    let found = read_with(&[("generate.struct.for.nulls", "true")], text, &[0]);
    assert_eq!(text::to_text(&found.value), "Struct{in=Struct{x=0}}");
}

const WRAPPED: &str = r#"syntax = "proto3"; import "google/protobuf/wrappers.proto";
    message R { google.protobuf.UInt32Value n = 1; oneof u { google.protobuf.StringValue s = 2; int32 i = 3; } }"#;

#[test]
fn wrapper_messages_are_values_or_structs() {
    let data = [0, 10, 2, 8, 7, 18, 3, 10, 1, b'x'];
    let printed = |pairs: &[(&str, &str)]| text::to_text(&read_with(pairs, WRAPPED, &data).value);
    assert_eq!(printed(&[]), "Struct{u_0=Struct{s=x},n=7}");
    let raw = ("wrapper.for.raw.primitives", "false");
    assert_eq!(
        printed(&[raw]),
        "Struct{u_0=Struct{s=Struct{value=x}},n=Struct{value=7}}"
    );
    let nullables = ("wrapper.for.nullables", "true");
    assert_eq!(printed(&[raw, nullables]), "Struct{u_0=Struct{s=x},n=7}");
    // A wrapper in a oneof is known again when it is written.
    let found = read_with(&[nullables], WRAPPED, &data);
    let schema = found.schema.unwrap();
    let (text, again) = write(&format(&[nullables]), &schema, &found.value).unwrap();
    assert_eq!(again, data, "{text}");
}

#[test]
fn keys_of_what_is_not_there_are_refused_by_name() {
    for (key, value) in [
        ("skip.known.types", "false"),
        ("reference.subject.name.strategy", "my.Strategy"),
        ("generalized.sum.type.support", "true"),
        ("rule.executors", "encrypt"),
        ("int.for.enums", "maybe"),
    ] {
        let mut config = ConfigMap::new();
        for (key, value) in [("schema.registry.url", "http://x"), (key, value)] {
            config.insert(key.to_owned(), Some(value.to_owned()));
        }
        let def = common::config_def(ProtobufFormat::keys());
        let error = common::parse(&def, &config, false).err();
        let error = error.or_else(|| {
            let parsed = common::parse(&def, &config, false).unwrap();
            common::read(&parsed, false).err()
        });
        let error = error.unwrap_or_else(|| panic!("{key}={value} passes"));
        assert!(error.message().contains(key), "{key}: {error}");
    }
}
