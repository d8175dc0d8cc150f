//! What is written is read back, whatever the types and settings; and what has no form is refused.

use bigdecimal::BigDecimal;

use super::*;
use crate::api::data::{java_hash, logical_type};
use crate::api::{Schema, SchemaType};

fn optional(kind: SchemaType) -> SchemaRef {
    Schema::optional(kind)
}

fn map(keys: SchemaRef, values: SchemaRef) -> SchemaRef {
    SchemaBuilder::map(keys, values).optional().build()
}

fn list(items: SchemaRef) -> SchemaRef {
    SchemaBuilder::array(items).optional().build()
}

/// A field of each type, with a value.
fn every_field() -> Vec<(&'static str, SchemaRef, Value)> {
    let inner = SchemaBuilder::structure().name("acme.In");
    let inner = inner.field("x", optional(SchemaType::Float64)).unwrap();
    let inner = inner.optional().build();
    let logical = |builder: SchemaBuilder| builder.optional().build();
    vec![
        ("i8", optional(SchemaType::Int8), Value::Int8(-7)),
        ("i16", optional(SchemaType::Int16), Value::Int16(-300)),
        ("i32", optional(SchemaType::Int32), Value::Int32(i32::MIN)),
        ("i64", optional(SchemaType::Int64), Value::Int64(i64::MIN)),
        ("f32", optional(SchemaType::Float32), Value::Float32(1.5)),
        ("f64", optional(SchemaType::Float64), Value::Float64(-0.1)),
        ("flag", optional(SchemaType::Boolean), Value::Boolean(true)),
        ("text", optional(SchemaType::String), string("grüße")),
        (
            "raw",
            optional(SchemaType::Bytes),
            Value::Bytes(vec![0, 255].into()),
        ),
        (
            "price",
            logical(logical_type::decimal_schema(2)),
            Value::Decimal("-12.34".parse::<BigDecimal>().unwrap()),
        ),
        (
            "day",
            logical(logical_type::date_schema()),
            Value::Date(-86_400_000),
        ),
        (
            "time",
            logical(logical_type::time_schema()),
            Value::Time(43_200_123),
        ),
        (
            "at",
            logical(logical_type::timestamp_schema()),
            Value::Timestamp(-1),
        ),
        (
            "list",
            list(optional(SchemaType::String)),
            Value::Array(vec![string("a"), string("")]),
        ),
        (
            "map",
            map(optional(SchemaType::String), optional(SchemaType::Int64)),
            Value::Map(vec![(string("k"), Value::Int64(3))]),
        ),
        (
            "in",
            SchemaRef::clone(&inner),
            structure(&inner, vec![Value::Float64(2.5)]),
        ),
        (
            "ins",
            list(SchemaRef::clone(&inner)),
            Value::Array(vec![structure(&inner, vec![Value::Float64(0.5)])]),
        ),
    ]
}

#[test]
fn structs_of_every_type_come_back() {
    let format = format(&[]);
    let mut builder = SchemaBuilder::structure().name("acme.Order").version(1);
    let mut values = Vec::new();
    for (name, schema, value) in every_field() {
        builder = builder.field(name, schema).unwrap();
        values.push(value);
    }
    let schema = builder.build();
    let value = structure(&schema, values);
    let back = there_and_back(&format, &schema, &value);
    assert_eq!(text::to_text(&back.value), text::to_text(&value));
    let back_schema = back.schema.unwrap();
    assert_eq!(back_schema.name(), Some("Order"));
    assert_eq!(back_schema.version(), Some(1));
    assert!(back_schema.validate(&back.value).is_ok());
    for field in schema.fields() {
        let read = &back_schema.fields()[field.index].schema;
        assert_eq!(read.kind(), field.schema.kind(), "{}", field.name);
        let tag = (field.index + 1).to_string();
        assert_eq!(read.parameters().unwrap()[TAG], tag);
    }
    let price = &back_schema.field("price").unwrap().schema;
    assert_eq!(price.parameters().unwrap()["scale"], "2");
    // What was read is written as the same bytes.
    let (_, first) = write(&format, &schema, &value).unwrap();
    let (_, again) = write(&format, &back_schema, &back.value).unwrap();
    assert_eq!(first, again);
}

#[test]
fn the_text_is_that_of_confluents_converter() {
    let line = struct_of("Line", &[("line", optional(SchemaType::Int8))]);
    let fields = [
        ("id", Schema::required(SchemaType::Int64)),
        ("Line", SchemaRef::clone(&line)),
        ("lines", list(line)),
        (
            "counts",
            map(
                Schema::required(SchemaType::String),
                optional(SchemaType::Int32),
            ),
        ),
        ("price", logical_type::decimal_schema(2).build()),
        ("none", optional(SchemaType::String)),
    ];
    let schema = struct_of("com.acme.Order", &fields);
    let pairs = [("optional.for.nullables", "true")];
    let found = format(&pairs).compose(Some(&schema)).unwrap().text;
    let expected = r#"syntax = "proto3";
package com.acme;

import "confluent/meta.proto";
import "confluent/type/decimal.proto";

message Order {
  int64 id = 1;
  LineMessage Line = 2;
  repeated Line2 lines = 3;
  repeated ConnectDefault1Entry counts = 4;
  confluent.type.Decimal price = 5 [(confluent.field_meta) = { params: [ { key: "scale", value: "2" } ] }];
  optional string none = 6;
  message LineMessage {
    optional int32 line = 1 [(confluent.field_meta) = { params: [ { key: "connect.type", value: "int8" } ] }];
  }
  message Line2 {
    optional int32 line = 1 [(confluent.field_meta) = { params: [ { key: "connect.type", value: "int8" } ] }];
  }
  message ConnectDefault1Entry {
    string key = 1;
    int32 value = 2;
  }
}
"#;
    assert_eq!(found, expected);
}

#[test]
fn single_values_are_wrapper_messages() {
    let format = format(&[]);
    for (kind, value) in [
        (SchemaType::String, string("x")),
        (SchemaType::Int32, Value::Int32(-5)),
        (SchemaType::Int64, Value::Int64(5)),
        (SchemaType::Float32, Value::Float32(0.5)),
        (SchemaType::Float64, Value::Float64(0.25)),
        (SchemaType::Boolean, Value::Boolean(true)),
        (SchemaType::Bytes, Value::Bytes(vec![1].into())),
    ] {
        let back = there_and_back(&format, &Schema::required(kind), &value);
        assert_eq!(back.value, value);
    }
    let (_, data) = write(&format, &Schema::required(SchemaType::String), &string("x")).unwrap();
    // One index, the eighth message; field 1, one byte.
    assert_eq!(data, [2, 14, 10, 1, b'x']);
}

#[test]
fn null_is_told_from_zero_where_the_settings_say_so() {
    let schema = struct_of("R", &[("a", optional(SchemaType::Int32))]);
    let null = structure(&schema, vec![Value::Null]);
    let read_back = |pairs: &[(&str, &str)]| {
        let back = there_and_back(&format(pairs), &schema, &null);
        text::to_text(&back.value)
    };
    assert_eq!(read_back(&[]), "Struct{a=0}");
    assert_eq!(read_back(&[("optional.for.nullables", "true")]), "Struct{}");
    assert_eq!(read_back(&[("wrapper.for.nullables", "true")]), "Struct{}");
}

#[test]
fn minus_zero_keeps_its_sign_wherever_it_is() {
    let format = format(&[]);
    let inner = struct_of("In", &[("d", Schema::required(SchemaType::Float64))]);
    let minus = || structure(&inner, vec![Value::Float64(-0.0)]);
    let string_keys = Schema::required(SchemaType::String);
    let fields = [
        ("f", Schema::required(SchemaType::Float32)),
        ("in", SchemaRef::clone(&inner)),
        ("list", list(SchemaRef::clone(&inner))),
        (
            "map",
            map(string_keys, Schema::required(SchemaType::Float64)),
        ),
        ("text", Schema::required(SchemaType::String)),
    ];
    let schema = struct_of("R", &fields);
    let values = vec![
        Value::Float32(-0.0),
        minus(),
        Value::Array(vec![minus()]),
        Value::Map(vec![(string("k"), Value::Float64(-0.0))]),
        string("x"),
    ];
    let value = structure(&schema, values);
    let expected = "Struct{f=-0.0,in=Struct{d=-0.0},list=[Struct{d=-0.0}],map={k=-0.0},text=x}";
    let back = there_and_back(&format, &schema, &value);
    assert_eq!(text::to_text(&back.value), expected);
    // The same with a map of Protobuf's own.
    let text = r#"syntax = "proto3"; message R { float f = 1; In in = 2; repeated In list = 3;
        map<string, double> map = 4; string text = 5; message In { double d = 1; } }"#;
    let writer = format.writer(Some(&schema), &registered(text)).unwrap();
    let mut out = Vec::new();
    format
        .write(&writer, Some(&schema), &value, &mut out)
        .unwrap();
    let back = read(&format, text, &out).unwrap();
    assert_eq!(text::to_text(&back.value), expected);
}

#[test]
fn a_default_stands_for_null_unless_told_otherwise() {
    let field = SchemaBuilder::new(SchemaType::Int32).optional();
    let field = field.default_value(Value::Int32(7)).unwrap().build();
    let schema = struct_of("R", &[("a", field)]);
    let null = structure(&schema, vec![Value::Null]);
    let optional = ("optional.for.nullables", "true");
    let back = there_and_back(&format(&[optional]), &schema, &null);
    assert_eq!(text::to_text(&back.value), "Struct{a=7}");
    let pairs = [optional, ("ignore.default.for.nullables", "true")];
    let back = there_and_back(&format(&pairs), &schema, &null);
    assert_eq!(text::to_text(&back.value), "Struct{}");
}

#[test]
fn maps_of_anything_come_back_with_the_last_of_equal_keys() {
    let format = format(&[]);
    let fields = [
        (
            "floats",
            map(
                Schema::required(SchemaType::Float64),
                optional(SchemaType::String),
            ),
        ),
        (
            "logical",
            map(
                optional(SchemaType::Int8),
                logical_type::date_schema().build(),
            ),
        ),
    ];
    let schema = struct_of("M", &fields);
    let floats = vec![
        (Value::Float64(1.5), string("a")),
        (Value::Float64(1.5), string("b")),
        (Value::Float64(0.0), Value::Null),
    ];
    let logical = vec![(Value::Int8(-1), Value::Date(86_400_000))];
    let value = structure(&schema, vec![Value::Map(floats), Value::Map(logical)]);
    let back = there_and_back(&format, &schema, &value);
    let Value::Struct(read) = &back.value else {
        panic!("{:?}", back.value)
    };
    let mut expected = vec![
        (Value::Float64(1.5), string("b")),
        (Value::Float64(0.0), string("")),
    ];
    java_hash::sort_entries(&mut expected, java_hash::DEFAULT_CAPACITY);
    assert_eq!(read.values[0], Value::Map(expected));
    let logical = vec![(Value::Int8(-1), Value::Date(86_400_000))];
    assert_eq!(read.values[1], Value::Map(logical));
}

#[test]
fn a_map_of_lists_comes_back_as_its_entries() {
    let items = map(
        Schema::required(SchemaType::String),
        list(Schema::required(SchemaType::Int32)),
    );
    let schema = struct_of("M", &[("m", items)]);
    let ints = Value::Array(vec![Value::Int32(1), Value::Int32(2)]);
    let value = structure(&schema, vec![Value::Map(vec![(string("k"), ints)])]);
    let back = there_and_back(&format(&[]), &schema, &value);
    assert_eq!(
        text::to_text(&back.value),
        "Struct{m=[Struct{key=k,value=[1, 2]}]}"
    );
}

#[test]
fn names_are_scrubbed_and_types_of_one_name_are_kept_apart() {
    let one = struct_of("x.In", &[("a-b", optional(SchemaType::Int32))]);
    let other = struct_of("y.In", &[("_c", optional(SchemaType::String))]);
    let wild = struct_of("z.string", &[("1d", optional(SchemaType::Boolean))]);
    let fields = [
        ("one", SchemaRef::clone(&one)),
        ("other", SchemaRef::clone(&other)),
        ("wild", SchemaRef::clone(&wild)),
    ];
    let schema = struct_of("my-topic.Value", &fields);
    let values = vec![
        structure(&one, vec![Value::Int32(1)]),
        structure(&other, vec![string("c")]),
        structure(&wild, vec![Value::Boolean(true)]),
    ];
    let value = structure(&schema, values);
    let error = write(&format(&[]), &schema, &value).unwrap_err();
    assert!(
        error.message().contains("scrub.invalid.names=true"),
        "{error}"
    );
    let scrub = format(&[("scrub.invalid.names", "true")]);
    let back = there_and_back(&scrub, &schema, &value);
    assert_eq!(
        text::to_text(&back.value),
        "Struct{one=Struct{a_b=1},other=Struct{x_c=c},wild=Struct{x1d=true}}"
    );
    let text = scrub.compose(Some(&schema)).unwrap().text;
    for part in [
        "package my_topic;",
        "message In {",
        "message In2 {",
        "message stringMessage {",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn fields_that_were_added_get_numbers_that_are_free() {
    let tagged = |tag: &str| {
        let builder = SchemaBuilder::new(SchemaType::Int32).parameter(TAG, tag);
        builder.optional().build()
    };
    let fields = [
        ("two", tagged("2")),
        ("new", optional(SchemaType::Int32)),
        ("one", tagged("1")),
        ("newer", optional(SchemaType::Int32)),
    ];
    let schema = struct_of("R", &fields);
    let text = format(&[]).compose(Some(&schema)).unwrap().text;
    for part in ["two = 2;", "new = 3;", "one = 1;", "newer = 4;"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let bad = struct_of("R", &[("a", tagged("x"))]);
    let error = format(&[]).compose(Some(&bad)).unwrap_err();
    assert!(error.message().contains("Tag=x is no number"), "{error}");
}

#[test]
fn what_protobuf_has_no_form_for_is_refused() {
    let format = format(&[]);
    let words = SchemaBuilder::array(optional(SchemaType::String)).build();
    let text = map(optional(SchemaType::String), optional(SchemaType::String));
    let union = struct_of(&format!("{UNION}.u"), &[("m", SchemaRef::clone(&words))]);
    for (schema, part) in [
        (
            SchemaRef::clone(&words),
            "Unsupported root schema of type ARRAY",
        ),
        (
            logical_type::date_schema().build(),
            "a single value of type org.apache.kafka.connect.data.Date",
        ),
        (
            struct_of("L", &[("a", list(words))]),
            "Array cannot be nested",
        ),
        (struct_of("L", &[("a", list(text))]), "a list of maps"),
        (
            struct_of("L", &[("a", list(SchemaRef::clone(&union)))]),
            "a union in a list",
        ),
        (struct_of("L", &[("u", union)]), "cannot be in a oneof"),
    ] {
        let error = format.compose(Some(&schema)).unwrap_err();
        assert!(error.message().contains(part), "{part}: {error}");
    }
    let schema = struct_of("R", &[("a", list(optional(SchemaType::String)))]);
    let value = structure(&schema, vec![Value::Array(vec![Value::Null])]);
    let error = write(&format, &schema, &value).unwrap_err();
    assert!(
        error.message().contains("field a: a null in a list"),
        "{error}"
    );
    let error = format.compose(None).unwrap_err();
    assert!(error.message().contains("without a schema"), "{error}");
    let mut deep = optional(SchemaType::String);
    for _ in 0..150 {
        deep = SchemaBuilder::structure().field("a", deep).unwrap().build();
    }
    let error = format.compose(Some(&deep)).unwrap_err();
    assert!(error.message().contains("nested more than 100"), "{error}");
}

#[test]
fn dates_and_decimals_beyond_their_messages_are_refused() {
    let format = format(&[]);
    let one = |schema: SchemaBuilder, value: Value| {
        let schema = struct_of("R", &[("a", schema.build())]);
        let value = structure(&schema, vec![value]);
        write(&format, &schema, &value).map(|_| ())
    };
    let long: BigDecimal = "9".repeat(20_000).parse().unwrap();
    for (schema, value, part) in [
        (
            logical_type::timestamp_schema(),
            Value::Timestamp(i64::MAX),
            "Timestamp is not valid",
        ),
        (
            logical_type::date_schema(),
            Value::Date(-100_000_000_000_000 / 86_400_000 * 86_400_000),
            "has no form in google.type.Date",
        ),
        (
            logical_type::date_schema(),
            Value::Date(1),
            "should not have any time fields",
        ),
        (
            logical_type::time_schema(),
            Value::Time(86_400_001),
            "should not have any date fields",
        ),
        (
            logical_type::decimal_schema(0),
            Value::Decimal(long),
            "longer than the 4096 bytes",
        ),
    ] {
        let error = one(schema, value).unwrap_err();
        assert!(error.message().contains(part), "{part}: {error}");
    }
    // Java's calendar is the Julian one before 1582.
    let fields = [("a", logical_type::date_schema().build())];
    let schema = struct_of("R", &fields);
    let value = structure(&schema, vec![Value::Date(-12_219_379_200_000)]);
    let (_, data) = write(&format, &schema, &value).unwrap();
    assert_eq!(data, [0, 10, 7, 8, 0xae, 12, 16, 10, 24, 4]);
    let back = there_and_back(&format, &schema, &value);
    assert_eq!(
        back.value,
        structure(
            back.schema.as_ref().unwrap(),
            vec![Value::Date(-12_219_379_200_000)]
        )
    );
}
