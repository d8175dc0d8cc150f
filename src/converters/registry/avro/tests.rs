//! Schemas and data of Avro against the texts and bytes that Java's converter writes, round trips over
//! every type, and bytes that are no data.

use std::time::Instant;

use bigdecimal::BigDecimal;
use proptest::prelude::*;

use super::*;
use crate::api::data::{SchemaRef, logical_type};
use crate::api::{Schema, SchemaBuilder, SchemaType, Struct};
use crate::converters::registry::format::configured;

fn format(pairs: &[(&str, &str)]) -> AvroFormat {
    configured(pairs)
}

fn text_of(format: &AvroFormat, schema: &SchemaRef) -> String {
    format.compose(Some(schema)).unwrap().text
}

fn registered(text: &str) -> RegistrySchema {
    RegistrySchema::of_text(text.to_owned())
}

fn write_with(
    format: &AvroFormat,
    schema: Option<&SchemaRef>,
    target: &RegistrySchema,
    value: &Value,
) -> Result<Vec<u8>, ConnectError> {
    let writer = format.writer(schema, target)?;
    let mut out = Vec::new();
    format.write(&writer, schema, value, &mut out)?;
    Ok(out)
}

fn read_with(format: &AvroFormat, text: &str, data: &[u8]) -> Result<SchemaAndValue, ConnectError> {
    format.read(&format.reader(&registered(text), 1)?, data)
}

/// Writes and reads; the schema has a version, so that it comes back as it was.
fn round_trip(format: &AvroFormat, schema: &SchemaRef, value: &Value) -> SchemaAndValue {
    let target = format.compose(Some(schema)).unwrap();
    let bytes = write_with(format, Some(schema), &target, value).unwrap();
    read_with(format, &target.text, &bytes).unwrap()
}

fn plain(kind: SchemaType) -> SchemaBuilder {
    SchemaBuilder::new(kind).version(1)
}

#[test]
fn schemas_are_written_as_javas_converter_does() {
    let format = format(&[]);
    let decimal = logical_type::decimal_schema(2).optional().build();
    let int8 = SchemaBuilder::new(SchemaType::Int8);
    let int8 = int8
        .doc("small")
        .default_value(Value::Int8(3))
        .unwrap()
        .build();
    let schema = SchemaBuilder::structure()
        .name("com.acme.Order")
        .version(2)
        .doc("an order")
        .field("id", Schema::required(SchemaType::Int64))
        .and_then(|b| b.field("size", int8))
        .and_then(|b| b.field("price", decimal))
        .and_then(|b| b.field("day", logical_type::date_schema().build()))
        .and_then(|b| {
            b.field(
                "tags",
                SchemaBuilder::array(Schema::optional(SchemaType::String)).build(),
            )
        })
        .unwrap()
        .build();
    let expected = concat!(
        r#"{"type":"record","name":"Order","namespace":"com.acme","fields":["#,
        r#"{"name":"id","type":"long"},"#,
        r#"{"name":"size","type":{"type":"int","connect.doc":"small","connect.default":3,"#,
        r#""connect.type":"int8"},"default":3},"#,
        r#"{"name":"price","type":["null",{"type":"bytes","scale":2,"precision":64,"#,
        r#""connect.version":1,"connect.parameters":{"scale":"2"},"#,
        r#""connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}],"#,
        r#""default":null},"#,
        r#"{"name":"day","type":{"type":"int","connect.version":1,"#,
        r#""connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"}},"#,
        r#"{"name":"tags","type":{"type":"array","items":["null","string"]}}],"#,
        r#""connect.doc":"an order","connect.version":2,"connect.name":"com.acme.Order"}"#,
    );
    assert_eq!(text_of(&format, &schema), expected);
    assert_eq!(
        text_of(&format, &Schema::required(SchemaType::String)),
        "\"string\""
    );
}

#[test]
fn maps_without_string_keys_and_structs_without_names_get_confluents() {
    let format = format(&[]);
    let inner = SchemaBuilder::structure();
    let inner = inner
        .field("x", Schema::required(SchemaType::Boolean))
        .unwrap()
        .build();
    let map = SchemaBuilder::map(Schema::required(SchemaType::Int32), inner);
    let expected = concat!(
        r#"{"type":"array","items":{"type":"record","name":"MapEntry","#,
        r#""namespace":"io.confluent.connect.avro","fields":["#,
        r#"{"name":"key","type":"int"},{"name":"value","type":{"type":"record","#,
        r#""name":"ConnectDefault","fields":[{"name":"x","type":"boolean"}]}}]}}"#,
    );
    assert_eq!(text_of(&format, &map.build()), expected);
}

#[test]
fn a_name_is_defined_once_and_only_for_one_schema() {
    let format = format(&[]);
    let inner = |kind| {
        let builder = SchemaBuilder::structure().name("a.In");
        builder.field("x", Schema::required(kind)).unwrap()
    };
    let outer = |first: SchemaRef, second: SchemaRef| {
        let builder = SchemaBuilder::structure().name("a.Out");
        let builder = builder.field("f", first).unwrap();
        builder.field("g", second).unwrap().build()
    };
    let same = outer(
        inner(SchemaType::Int32).build(),
        inner(SchemaType::Int32).optional().build(),
    );
    let text = text_of(&format, &same);
    assert!(
        text.contains(r#"{"name":"g","type":["null","In"],"default":null}"#),
        "{text}"
    );
    let other = outer(
        inner(SchemaType::Int32).build(),
        inner(SchemaType::Int64).build(),
    );
    let error = format.compose(Some(&other)).unwrap_err();
    assert!(
        error.message().starts_with("Can't redefine: a.In"),
        "{error}"
    );
}

#[test]
fn names_that_avro_does_not_allow_are_refused_or_scrubbed() {
    let schema = SchemaBuilder::structure().name("a.my-rec");
    let field = Schema::required(SchemaType::Int32);
    let schema = schema.field("the field", field).unwrap().build();
    let error = format(&[]).compose(Some(&schema)).unwrap_err();
    assert!(error.message().contains("scrub.invalid.names"), "{error}");
    let scrubbing = format(&[("scrub.invalid.names", "true")]);
    let text = text_of(&scrubbing, &schema);
    assert!(text.contains(r#""name":"my_rec""#), "{text}");
    assert!(text.contains(r#""name":"the_field""#), "{text}");
    let mut value = Struct::new(SchemaRef::clone(&schema)).unwrap();
    value.put("the field", Value::Int32(1)).unwrap();
    let value = Value::Struct(Box::new(value));
    let bytes = write_with(&scrubbing, Some(&schema), &registered(&text), &value);
    assert_eq!(bytes.unwrap(), [2]);
}

#[test]
fn without_meta_data_a_schema_is_plain_avro() {
    let format = format(&[("connect.meta.data", "false")]);
    let int16 = SchemaBuilder::new(SchemaType::Int16)
        .doc("x")
        .version(3)
        .build();
    assert_eq!(text_of(&format, &int16), "\"int\"");
    let date = logical_type::date_schema().build();
    assert_eq!(
        text_of(&format, &date),
        r#"{"type":"int","logicalType":"date"}"#
    );
}

fn every_type() -> Vec<(SchemaBuilder, Value)> {
    let string = || Schema::required(SchemaType::String);
    let decimal = |text: &str| Value::Decimal(text.parse::<BigDecimal>().unwrap());
    vec![
        (plain(SchemaType::Int8), Value::Int8(-7)),
        (plain(SchemaType::Int16), Value::Int16(-300)),
        (plain(SchemaType::Int32), Value::Int32(i32::MIN)),
        (plain(SchemaType::Int64), Value::Int64(i64::MIN)),
        (plain(SchemaType::Float32), Value::Float32(1.5)),
        (plain(SchemaType::Float64), Value::Float64(-0.1)),
        (plain(SchemaType::Boolean), Value::Boolean(true)),
        (plain(SchemaType::String), Value::String("grüße".to_owned())),
        (
            plain(SchemaType::Bytes),
            Value::Bytes(vec![0, 255, 7].into()),
        ),
        (logical_type::decimal_schema(3), decimal("-12345.678")),
        (
            logical_type::date_schema(),
            Value::Date(86_400_000 * 19_000),
        ),
        (logical_type::time_schema(), Value::Time(43_200_123)),
        (logical_type::timestamp_schema(), Value::Timestamp(-1)),
        (
            SchemaBuilder::array(string()).version(1),
            Value::Array(vec![
                Value::String("a".to_owned()),
                Value::String(String::new()),
            ]),
        ),
        (
            SchemaBuilder::map(string(), Schema::optional(SchemaType::Int32)).version(1),
            Value::Map(vec![(Value::String("k".to_owned()), Value::Null)]),
        ),
        (
            SchemaBuilder::map(Schema::required(SchemaType::Int32), string()).version(1),
            Value::Map(vec![(Value::Int32(5), Value::String("v".to_owned()))]),
        ),
    ]
}

#[test]
fn every_type_comes_back_alone_and_in_a_struct_and_as_null() {
    let format = format(&[]);
    let mut outer = SchemaBuilder::structure().name("all.Types").version(1);
    let mut values = Vec::new();
    for (index, (builder, value)) in every_type().into_iter().enumerate() {
        let schema = builder.clone().build();
        let back = round_trip(&format, &schema, &value);
        assert_eq!(
            back,
            SchemaAndValue::new(SchemaRef::clone(&schema), value.clone())
        );
        // Only one map without string keys fits into a record of Avro's.
        let name = format!("m.E{index}");
        let named = if schema.name().is_none() {
            builder.name(name)
        } else {
            builder
        };
        let (required, optional) = (named.clone().build(), named.optional().build());
        outer = outer.field(format!("r{index}"), required).unwrap();
        outer = outer
            .field(format!("o{index}"), SchemaRef::clone(&optional))
            .unwrap();
        outer = outer.field(format!("n{index}"), optional).unwrap();
        values.extend([value.clone(), value, Value::Null]);
    }
    let schema = outer.build();
    let value = Value::Struct(Box::new(Struct {
        schema: SchemaRef::clone(&schema),
        values,
    }));
    let back = round_trip(&format, &schema, &value);
    assert_eq!(back.schema.as_ref(), Some(&schema));
    assert_eq!(back.value, value);
}

#[test]
fn defaults_and_optional_fields_come_back() {
    let format = format(&[]);
    let with_default = |kind, value| SchemaBuilder::new(kind).default_value(value).unwrap();
    let schema = SchemaBuilder::structure()
        .name("a.D")
        .version(1)
        .field(
            "i",
            with_default(SchemaType::Int32, Value::Int32(5)).build(),
        )
        .and_then(|b| {
            let text = Value::String("x".to_owned());
            let builder = SchemaBuilder::new(SchemaType::String).optional();
            b.field("s", builder.default_value(text)?.build())
        })
        .unwrap()
        .build();
    let text = text_of(&format, &schema);
    assert!(
        text.contains(r#"[{"type":"string","connect.default":"x"},"null"],"default":"x""#),
        "{text}"
    );
    let nothing = Struct::new(SchemaRef::clone(&schema)).unwrap();
    let back = round_trip(&format, &schema, &Value::Struct(Box::new(nothing)));
    assert_eq!(back.schema.as_ref(), Some(&schema));
    let Value::Struct(back) = back.value else {
        panic!()
    };
    assert_eq!(
        back.values,
        [Value::Int32(5), Value::String("x".to_owned())]
    );
}

#[test]
fn enums_stay_enums_with_enhanced_support_and_unions_are_structs() {
    let text = concat!(
        r#"{"type":"record","name":"R","namespace":"n","fields":["#,
        r#"{"name":"e","type":{"type":"enum","name":"Suit","symbols":["CLUBS","HEARTS"]}},"#,
        r#"{"name":"f","type":{"type":"fixed","name":"Two","size":2}},"#,
        r#"{"name":"u","type":["null","int","string","n.Suit"]}]}"#,
    );
    let data = [2, 7, 8, 4, 4, b'h', b'i'];
    let format = format(&[("enhanced.avro.schema.support", "true")]);
    let read = read_with(&format, text, &data).unwrap();
    let Value::Struct(value) = &read.value else {
        panic!()
    };
    assert_eq!(value.values[0], Value::String("HEARTS".to_owned()));
    assert_eq!(value.values[1], Value::Bytes(vec![7, 8].into()));
    let Value::Struct(union) = &value.values[2] else {
        panic!()
    };
    assert_eq!(
        union.get("string").unwrap(),
        &Value::String("hi".to_owned())
    );
    let schema = read.schema.unwrap();
    let enum_schema = &schema.field("e").unwrap().schema;
    let parameters = enum_schema.parameters().unwrap();
    assert_eq!(parameters["io.confluent.connect.avro.Enum"], "n.Suit");
    assert_eq!(enum_schema.name(), Some("n.Suit"));
    let names: Vec<_> = schema
        .field("u")
        .unwrap()
        .schema
        .fields()
        .iter()
        .map(|f| &*f.name)
        .collect();
    assert_eq!(names, ["int", "string", "n.Suit"]);
    let target = format.compose(Some(&schema)).unwrap();
    let again = write_with(&format, Some(&schema), &target, &read.value).unwrap();
    assert_eq!(again, data);
}

#[test]
fn data_without_a_schema_is_a_record_of_all_types() {
    let format = format(&[]);
    let value = Value::Map(vec![(
        Value::String("k".to_owned()),
        Value::Array(vec![Value::Int32(1), Value::Null, Value::Boolean(false)]),
    )]);
    let target = format.compose(None).unwrap();
    let bytes = write_with(&format, None, &target, &value).unwrap();
    let back = read_with(&format, &target.text, &bytes).unwrap();
    assert_eq!(back, SchemaAndValue::schemaless(value));
}

#[test]
fn bytes_alone_have_no_length_and_other_data_may_have_a_rest() {
    let format = format(&[]);
    let schema = Schema::required(SchemaType::Bytes);
    let target = format.compose(Some(&schema)).unwrap();
    let value = Value::Bytes(vec![9, 8].into());
    let bytes = write_with(&format, Some(&schema), &target, &value).unwrap();
    assert_eq!(bytes, [9, 8]);
    assert_eq!(
        read_with(&format, "\"bytes\"", &bytes).unwrap().value,
        value
    );
    assert_eq!(
        read_with(&format, "\"int\"", &[2, 1, 1]).unwrap().value,
        Value::Int32(1)
    );
}

#[test]
fn annotations_of_others_are_understood() {
    let format = format(&[]);
    let schema = |text: &str| {
        format
            .reader(&registered(text), 4)
            .map(|r| r.schema.unwrap())
    };
    let decimal = schema(
        r#"{"type":"fixed","name":"D","size":4,"logicalType":"decimal","precision":8,"scale":2}"#,
    );
    let decimal = decimal.unwrap();
    assert_eq!(
        decimal.name(),
        Some("org.apache.kafka.connect.data.Decimal")
    );
    assert_eq!(
        decimal.parameters().unwrap()["connect.decimal.precision"],
        "8"
    );
    let micros = schema(r#"{"type":"long","logicalType":"timestamp-micros"}"#).unwrap();
    assert_eq!((micros.kind(), micros.name()), (SchemaType::Int64, None));
    assert_eq!(micros.version(), Some(4));
    let named =
        schema(r#"{"type":"string","connect.name":"my.Name","connect.version":9}"#).unwrap();
    assert_eq!((named.name(), named.version()), (Some("my.Name"), Some(9)));
    for (text, part) in [
        ("\"null\"", "Standalone null"),
        (r#"{"type":"int","connect.type":"int12"}"#, "int12"),
        (
            r#"{"type":"int","connect.parameters":[]}"#,
            "Expected JSON object",
        ),
        (r#"{"type":"record","name":"R"}"#, "no fields"),
        (r#"["int","Nope"]"#, "\"Nope\" is not a defined name"),
        ("{", "not an Avro schema"),
    ] {
        let error = schema(text).unwrap_err();
        assert!(error.message().contains(part), "{text}: {error}");
    }
}

#[test]
fn a_record_within_itself_is_refused_by_name() {
    let text =
        r#"{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}"#;
    let error = format(&[]).reader(&registered(text), 1).unwrap_err();
    assert!(
        error
            .message()
            .contains("the Avro record Node contains itself"),
        "{error}"
    );
}

#[test]
fn a_schema_that_stands_for_too_many_types_is_refused_at_once() {
    let mut fields = String::new();
    let mut texts = vec![r#"{"type":"record","name":"L0","fields":[]}"#.to_owned()];
    for level in 1..60 {
        let below = level - 1;
        fields.clear();
        for name in ["a", "b", "c"] {
            fields.push_str(&format!(r#"{{"name":"{name}","type":"L{below}"}},"#));
        }
        fields.pop();
        texts.push(format!(
            r#"{{"type":"record","name":"L{level}","fields":[{fields}]}}"#
        ));
    }
    let schema = RegistrySchema {
        text: "\"L59\"".to_owned(),
        references: Vec::new(),
        resolved: texts
            .into_iter()
            .map(|text| (String::new(), text))
            .collect(),
    };
    let start = Instant::now();
    let error = format(&[]).reader(&schema, 1).unwrap_err();
    assert!(
        error.message().contains("more than 100000 types"),
        "{error}"
    );
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn bad_data_is_refused_by_what_is_wrong_with_it() {
    let format = format(&[]);
    let long = [0xff_u8; 12];
    let huge = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    let nulls = r#"{"type":"array","items":{"type":"record","name":"E","fields":[]}}"#;
    let decimal = r#"["null",{"type":"bytes","logicalType":"decimal","scale":2}]"#;
    let digits: Vec<u8> = [2, 0x80, 0x80, 0x10]
        .into_iter()
        .chain([1; 1 << 17])
        .collect();
    for (schema, data, part) in [
        ("\"string\"", &[][..], "ends too early"),
        ("\"string\"", &huge[..], "ends too early"),
        ("\"string\"", &[1][..], "-1 is no length"),
        ("\"long\"", &long[..], "more than ten bytes"),
        ("\"int\"", &huge[..4], "ends too early"),
        ("\"boolean\"", &[2][..], "no Avro boolean"),
        (r#"["null","int"]"#, &[6][..], "3 is none of the 2 members"),
        (
            r#"{"type":"enum","name":"E","symbols":["A"]}"#,
            &[2][..],
            "1 is none of the 1 symbols",
        ),
        (
            r#"{"type":"array","items":"int"}"#,
            &huge[..],
            "ends too early",
        ),
        (nulls, &huge[..], "items without any bytes"),
        (decimal, &digits[..], "longer than the 4096 bytes"),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":"string"}]}"#,
            &[9][..],
            "field f:",
        ),
    ] {
        let error = read_with(&format, schema, data).unwrap_err();
        assert!(error.message().contains(part), "{schema}: {error}");
    }
}

#[test]
fn values_that_do_not_fit_are_refused_by_field() {
    let format = format(&[]);
    let schema = SchemaBuilder::structure().name("R");
    let schema = schema
        .field("f", Schema::required(SchemaType::Int32))
        .unwrap()
        .build();
    let target = format.compose(Some(&schema)).unwrap();
    for (value, part) in [
        (
            Value::String("x".to_owned()),
            "field f: Invalid type for INT32: class java.lang.String",
        ),
        (
            Value::Null,
            "field f: Found null value for non-optional schema",
        ),
    ] {
        let inner = Struct {
            schema: SchemaRef::clone(&schema),
            values: vec![value],
        };
        let error = write_with(
            &format,
            Some(&schema),
            &target,
            &Value::Struct(Box::new(inner)),
        );
        assert_eq!(error.unwrap_err().message(), part);
    }
}

#[test]
fn fixed_decimals_are_padded_by_their_sign() {
    let format = format(&[]);
    let schema = logical_type::decimal_schema(0)
        .parameter("connect.fixed.size", "4")
        .build();
    let target = format.compose(Some(&schema)).unwrap();
    let bytes = |number: i64| {
        let value = Value::Decimal(BigDecimal::from(number));
        write_with(&format, Some(&schema), &target, &value)
    };
    assert_eq!(bytes(-2).unwrap(), [0xff, 0xff, 0xff, 0xfe]);
    assert_eq!(bytes(2).unwrap(), [0, 0, 0, 2]);
    let error = bytes(1 << 40).unwrap_err();
    assert!(
        error.message().contains("greater than fixed size 4"),
        "{error}"
    );
}

const RICH: &str = concat!(
    r#"{"type":"record","name":"Rich","fields":["#,
    r#"{"name":"a","type":{"type":"array","items":["null","long",{"type":"map","values":"bytes"}]}},"#,
    r#"{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},"#,
    r#"{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},"#,
    r#"{"name":"t","type":{"type":"int","logicalType":"time-millis"}},"#,
    r#"{"name":"r","type":["null",{"type":"record","name":"In","fields":[{"name":"s","type":"string"}]}]}]}"#,
);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_give_a_value_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let format = format(&[]);
        for schema in [RICH, anything::SCHEMA] {
            let reader = format.reader(&registered(schema), 1).unwrap();
            if let Ok(read) = format.read(&reader, &data)
                && let Some(schema) = &read.schema
            {
                prop_assert!(schema.validate(&read.value).is_ok());
            }
        }
    }

    #[test]
    fn any_text_is_a_schema_or_an_error(text in "[\\[\\]{}\",:a-z0-9 ]{0,60}") {
        let schema = registered(&text);
        drop(format(&[]).reader(&schema, 1));
    }

    #[test]
    fn numbers_come_back(number in any::<i64>(), small in any::<i32>(), float in any::<f64>()) {
        let format = format(&[]);
        for (kind, value) in [
            (SchemaType::Int64, Value::Int64(number)),
            (SchemaType::Int32, Value::Int32(small)),
            (SchemaType::Float64, Value::Float64(float)),
        ] {
            let back = round_trip(&format, &plain(kind).build(), &value).value;
            prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));
        }
    }
}
