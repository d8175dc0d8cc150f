//! Schemas and data of JSON Schema, round trips over every type, and what others write.

use bigdecimal::BigDecimal;
use proptest::prelude::*;

use super::*;
use crate::api::data::logical_type;
use crate::api::{Schema, SchemaBuilder, SchemaType, Struct};
use crate::converters::registry::format::configured;

fn format(pairs: &[(&str, &str)]) -> JsonSchemaFormat {
    configured(pairs)
}

fn schema_of(format: &JsonSchemaFormat, text: &str) -> Result<SchemaRef, ConnectError> {
    let reader = format.reader(&RegistrySchema::of_text(text.to_owned()), 1)?;
    Ok(reader.schema)
}

fn read(format: &JsonSchemaFormat, schema: &str, data: &str) -> Result<Value, ConnectError> {
    let reader = format.reader(&RegistrySchema::of_text(schema.to_owned()), 1)?;
    Ok(format.read(&reader, data.as_bytes())?.value)
}

fn write(format: &JsonSchemaFormat, schema: &SchemaRef, value: &Value) -> String {
    let mut out = Vec::new();
    format.write(&(), Some(schema), value, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn round_trip(format: &JsonSchemaFormat, schema: &SchemaRef, value: &Value) -> SchemaAndValue {
    let registered = format.compose(Some(schema)).unwrap();
    let reader = format.reader(&registered, 1).unwrap();
    let text = write(format, schema, value);
    format.read(&reader, text.as_bytes()).unwrap()
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn every_type() -> Vec<(SchemaBuilder, Value)> {
    let plain = SchemaBuilder::new;
    let string = || Schema::required(SchemaType::String);
    vec![
        (plain(SchemaType::Int8), Value::Int8(-7)),
        (plain(SchemaType::Int16), Value::Int16(-300)),
        (plain(SchemaType::Int32), Value::Int32(i32::MIN)),
        (plain(SchemaType::Int64), Value::Int64(i64::MIN)),
        (plain(SchemaType::Float32), Value::Float32(1.5)),
        (plain(SchemaType::Float64), Value::Float64(-0.1)),
        (plain(SchemaType::Boolean), Value::Boolean(true)),
        (plain(SchemaType::String), text("gr\"üße")),
        (
            plain(SchemaType::Bytes),
            Value::Bytes(vec![0, 255, 7].into()),
        ),
        (
            logical_type::decimal_schema(3),
            Value::Decimal("-12345.670".parse::<BigDecimal>().unwrap()),
        ),
        (
            logical_type::date_schema(),
            Value::Date(86_400_000 * 19_000),
        ),
        (logical_type::time_schema(), Value::Time(43_200_123)),
        (logical_type::timestamp_schema(), Value::Timestamp(-1)),
        (
            SchemaBuilder::array(string()),
            Value::Array(vec![text("a"), text("")]),
        ),
        (
            SchemaBuilder::map(string(), Schema::optional(SchemaType::Int32)),
            Value::Map(vec![(text("k"), Value::Null)]),
        ),
        (
            SchemaBuilder::map(Schema::required(SchemaType::Int32), string()),
            Value::Map(vec![(Value::Int32(5), text("v"))]),
        ),
    ]
}

#[test]
fn every_type_comes_back_alone_and_in_a_struct_and_as_null() {
    for decimals in ["BASE64", "numeric"] {
        let format = format(&[("decimal.format", decimals)]);
        let mut outer = SchemaBuilder::structure().name("all.Types").version(1);
        let mut values = Vec::new();
        for (index, (builder, value)) in every_type().into_iter().enumerate() {
            let alone = match builder.peek().version() {
                None => builder.clone().version(1).build(),
                Some(_) => builder.clone().build(),
            };
            let back = round_trip(&format, &alone, &value);
            assert_eq!(back, SchemaAndValue::new(alone, value.clone()));
            let (required, optional) = (builder.clone().build(), builder.optional().build());
            outer = outer.field(format!("r{index}"), required).unwrap();
            outer = outer
                .field(format!("o{index}"), SchemaRef::clone(&optional))
                .unwrap();
            outer = outer.field(format!("n{index}"), optional).unwrap();
            values.extend([value.clone(), value, Value::Null]);
        }
        let schema = outer.build();
        let inner = Struct {
            schema: SchemaRef::clone(&schema),
            values,
        };
        let value = Value::Struct(Box::new(inner));
        let back = round_trip(&format, &schema, &value);
        assert_eq!(back.schema.as_ref(), Some(&schema));
        assert_eq!(back.value, value);
    }
}

#[test]
fn a_default_keeps_all_its_digits() {
    let format = format(&[]);
    let number = Value::Float64(2.135_709_907_827_941_4e19);
    let schema = SchemaBuilder::new(SchemaType::Float64).version(1);
    let schema = schema.default_value(number.clone()).unwrap().build();
    let registered = format.compose(Some(&schema)).unwrap();
    assert_eq!(schema_of(&format, &registered.text).unwrap(), schema);
}

#[test]
fn a_schema_says_what_connect_knows_of_a_struct() {
    let format = format(&[("object.additional.properties", "false")]);
    let schema = SchemaBuilder::structure()
        .name("com.acme.Order")
        .version(2)
        .doc("an order")
        .parameter("p", "q")
        .field("id", Schema::required(SchemaType::Int64))
        .and_then(|b| b.field("note", Schema::optional(SchemaType::String)))
        .unwrap()
        .build();
    let found: Json = serde_json::from_str(&format.compose(Some(&schema)).unwrap().text).unwrap();
    let expected = serde_json::json!({
        "type": "object",
        "title": "com.acme.Order",
        "description": "an order",
        "additionalProperties": false,
        "properties": {
            "id": { "type": "integer", "connect.type": "int64", "connect.index": 0 },
            "note": { "oneOf": [{ "type": "null" }, { "type": "string" }], "connect.index": 1 },
        },
        "connect.version": 2,
        "connect.parameters": { "p": "q" },
    });
    assert_eq!(found, expected);
    let registered = RegistrySchema::of_text(found.to_string());
    assert_eq!(
        format.record_name(&registered).unwrap().unwrap(),
        "com.acme.Order"
    );
}

#[test]
fn unions_enums_defaults_and_references_of_others_are_read() {
    let schema = r##"{
        "title": "P", "type": "object", "required": ["name"],
        "properties": {
            "name": {"type": "string", "connect.index": 0},
            "kind": {"enum": ["a", null], "connect.index": 1},
            "level": {"type": "integer", "default": 7, "connect.index": 2},
            "any": {"oneOf": [{"type": "integer"}, {"$ref": "#/definitions/Point"}], "connect.index": 3},
            "maybe": {"type": ["number", "null"], "connect.index": 4},
            "both": {"allOf": [{"$ref": "#/definitions/Point"}, {"properties": {"z": {"type": "boolean"}}}], "connect.index": 5}
        },
        "definitions": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}}}
    }"##;
    let data = r#"{"name":"n","any":{"x":1.5},"maybe":null,"both":{"x":2,"z":true},"more":1}"#;
    let format = format(&[("use.optional.for.nonrequired", "true")]);
    let value = read(&format, schema, data).unwrap();
    let printed = crate::api::data::text::to_text(&value);
    let field = |index: usize| format!("io.confluent.connect.json.OneOf.field.{index}");
    let expected = format!(
        "Struct{{name=n,level=7,any=Struct{{{}=Struct{{x=1.5}}}},both=Struct{{x=2.0,z=true}}}}",
        field(1)
    );
    assert_eq!(printed, expected);
    let connect = schema_of(&format, schema).unwrap();
    let optional = |name: &str| connect.field(name).unwrap().schema.is_optional();
    assert_eq!(["name", "kind", "maybe"].map(optional), [false, true, true]);
    let kind = &connect.field("kind").unwrap().schema;
    let parameters = kind.parameters().unwrap();
    assert_eq!(parameters["io.confluent.connect.json.Enum.a"], "a");
    assert_eq!(
        parameters["io.confluent.connect.json.Enum.<NULL>"],
        "<NULL>"
    );
}

#[test]
fn schemas_that_connect_cannot_express_are_refused() {
    let format = format(&[]);
    for (schema, part) in [
        ("{", "not a JSON Schema"),
        ("{}", "allows anything"),
        (r#"{"type":"null"}"#, "Unsupported schema type null"),
        (r#"{"type":"array"}"#, "did not specify the items type"),
        (
            r##"{"type":"object","properties":{"a":{"$ref":"#"}}}"##,
            "contains itself",
        ),
        (r##"{"$ref":"#/nowhere"}"##, "leads nowhere"),
        (r#"{"type":"integer","connect.type":"int9"}"#, "int9"),
    ] {
        let error = schema_of(&format, schema).unwrap_err();
        assert!(error.message().contains(part), "{schema}: {error}");
    }
    let error = format.compose(None).unwrap_err();
    assert!(error.message().contains("without a schema"), "{error}");
}

#[test]
fn values_that_are_not_what_the_schema_says_are_refused_by_field() {
    let format = format(&[]);
    let schema = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"integer"}}}}"#;
    for (data, part) in [
        (
            r#"{"a":null}"#,
            "field a: Invalid null value for required STRING field",
        ),
        (
            r#"{"b":3}"#,
            "field b: Arrays should be encoded as JSON arrays, but found NUMBER",
        ),
        (
            "[1]",
            "Structs should be encoded as JSON objects, but found ARRAY",
        ),
        ("{\"a\":", "JsonParseException"),
    ] {
        let error = read(&format, schema, data).unwrap_err();
        assert!(error.message().contains(part), "{data}: {error}");
    }
    // A member that is missing is none, as in Java.
    let value = read(&format, schema, "{}").unwrap();
    assert_eq!(crate::api::data::text::to_text(&value), "Struct{}");
}

#[test]
fn null_is_jsons_where_the_schema_allows_it() {
    let format = format(&[]);
    let optional = Schema::optional(SchemaType::String);
    let required = Schema::required(SchemaType::String);
    assert!(!format.is_null(Some(&optional), &Value::Null).unwrap());
    assert!(format.is_null(Some(&required), &Value::Null).unwrap());
    assert!(format.is_null(None, &Value::Null).unwrap());
    assert_eq!(write(&format, &optional, &Value::Null), "null");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_a_value_or_an_error(data in "[\\[\\]{}\",:a-c0-9. ]{0,60}") {
        let format = format(&[]);
        let schema = r#"{"type":"object","properties":{"a":{"oneOf":[{"type":"string"},{"type":"object","connect.type":"map","additionalProperties":{"type":"number"}}]}}}"#;
        if let Ok(value) = read(&format, schema, &data) {
            prop_assert!(matches!(value, Value::Struct(_) | Value::Null));
        }
        drop(schema_of(&format, &data));
    }
}
