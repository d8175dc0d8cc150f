use super::*;
use crate::api::SchemaType;
use crate::api::data::logical_type::{decimal_schema, timestamp_schema};
use crate::transforms::list::made_for_test;
use crate::transforms::test_records::{
    defaulted, failure, map, named, optional, required, shown, structure, text, value_after,
};

fn mask(entries: &[(&str, &str)]) -> Box<dyn Transformation> {
    made_for_test("MaskField$Value", entries).unwrap()
}

#[test]
fn fields_of_maps_are_emptied_by_their_type_and_missing_ones_put_in_as_null() {
    let before = map(&[
        ("a", text("x")),
        ("b", Value::Int64(5)),
        ("c", Value::Array(vec![text("x")])),
        ("d", map(&[("x", text("x"))])),
        ("e", Value::Float64(1.5)),
        ("f", Value::Boolean(true)),
        ("g", Value::Null),
        ("k", text("kept")),
    ]);
    let mut mask = mask(&[("fields", "a,b,c,d,e,f,g,h")]);
    let after = value_after(&mut *mask, SchemaAndValue::schemaless(before));
    let expected = map(&[
        ("a", text("")),
        ("b", Value::Int64(0)),
        ("c", Value::Array(Vec::new())),
        ("d", map(&[])),
        ("e", Value::Float64(0.0)),
        ("f", Value::Boolean(false)),
        ("g", Value::Null),
        ("h", Value::Null),
        ("k", text("kept")),
    ]);
    assert_eq!(after, SchemaAndValue::schemaless(expected));
}

#[test]
fn fields_of_structs_are_emptied_and_the_schema_stays() {
    let decimal = Value::Decimal("1.25".parse().unwrap());
    let before = structure(&[
        ("a", required(SchemaType::Int16), Value::Int16(5)),
        ("b", decimal_schema(2).build(), decimal),
        ("c", timestamp_schema().build(), Value::Timestamp(5)),
        (
            "d",
            defaulted(SchemaType::Int8, Value::Int8(9)),
            Value::Null,
        ),
        (
            "e",
            defaulted(SchemaType::Int8, Value::Int8(9)),
            Value::Null,
        ),
    ]);
    let after = value_after(&mut *mask(&[("fields", "a,b,c,d")]), before.clone());
    assert_eq!(after.schema, before.schema);
    let expected = [
        "a: Schema{INT16} = Int16(0)",
        "b: Schema{org.apache.kafka.connect.data.Decimal:BYTES} = Decimal(BigDecimal(sign=NoSign, scale=0, digits=[]))",
        "c: Schema{org.apache.kafka.connect.data.Timestamp:INT64} = Timestamp(0)",
        "d: Schema{INT8}? = Int8(0)",
        "e: Schema{INT8}? = Int8(9)",
    ];
    assert_eq!(shown(&after), expected);
    let keep = ("replace.null.with.default", "false");
    let after = value_after(&mut *mask(&[("fields", "d"), keep]), before);
    let expected = ["d: Schema{INT8}? = Null", "e: Schema{INT8}? = Null"];
    assert_eq!(shown(&after)[3..], expected);
}

#[test]
fn a_replacement_takes_the_type_of_the_field_and_wraps_as_java_does() {
    let before = [
        ("a", Value::Int8(1)),
        ("b", Value::Int64(1)),
        ("c", Value::Float32(1.0)),
        ("d", text("x")),
        ("e", Value::Float64(1.0)),
    ];
    let after = |replacement: &str| {
        let keys = [("fields", "a,b,c,d,e"), ("replacement", replacement)];
        value_after(&mut *mask(&keys), SchemaAndValue::schemaless(map(&before))).value
    };
    let expected = map(&[
        ("a", Value::Int8(44)),
        ("b", Value::Int64(300)),
        ("c", Value::Float32(300.9)),
        ("d", text("300.9")),
        ("e", Value::Float64(300.9)),
    ]);
    assert_eq!(after("300.9"), expected);
    // What Java's `BigDecimal` gives for these.
    for (replacement, long) in [
        ("1e63", i64::MIN),
        ("1e64", 0),
        ("1e19", -8_446_744_073_709_551_616),
        ("-1.9", -1),
        ("1e-400", 0),
        ("1e2147483647", 0),
        ("-1e20", -7_766_279_631_452_241_920),
        ("12345678901234567890.5", -6_101_065_172_474_983_726),
    ] {
        let Value::Map(entries) = after(replacement) else {
            panic!("no map");
        };
        assert_eq!(entries[1].1, Value::Int64(long), "{replacement}");
    }
}

#[test]
fn what_cannot_be_masked_is_refused() {
    let of = |value| SchemaAndValue::schemaless(map(&[("a", value)]));
    let bytes = || of(Value::Bytes(bytes::Bytes::from_static(b"x")));
    let mut plain = mask(&[("fields", "a")]);
    assert_eq!(
        failure(&mut *plain, bytes()),
        "DataException: Cannot mask value of type: class [B"
    );
    let mut word = mask(&[("fields", "a"), ("replacement", "word")]);
    assert_eq!(
        failure(&mut *word, bytes()),
        "DataException: Cannot mask value of type class [B with custom replacement."
    );
    assert_eq!(
        failure(&mut *word, of(Value::Boolean(true))),
        "DataException: Cannot mask value of type class java.lang.Boolean with custom replacement."
    );
    assert_eq!(
        failure(&mut *word, of(Value::Int8(1))),
        "DataException: Unable to convert word (class java.lang.String) to a number"
    );
    assert_eq!(
        failure(&mut *word, of(Value::Decimal(1.into()))),
        "DataException: Unable to convert word (class java.lang.String) to number"
    );
    assert_eq!(
        failure(&mut *plain, SchemaAndValue::NULL),
        "DataException: Only Map objects supported in absence of schema for [mask fields], found: null"
    );
    let null = SchemaAndValue::new(optional(SchemaType::Int8), Value::Null);
    assert_eq!(
        failure(&mut *plain, null),
        "DataException: Only Struct objects supported for [mask fields], found: null"
    );
}

#[test]
fn fields_are_needed_and_a_replacement_has_text() {
    let refused = |entries: &[(&str, &str)]| {
        let made = made_for_test("MaskField$Value", entries);
        named(&made.err().unwrap())
    };
    assert_eq!(
        refused(&[]),
        "ConfigException: Missing required configuration \"fields\" which has no default value."
    );
    assert_eq!(
        refused(&[("fields", "a"), ("replacement", "")]),
        "ConfigException: Invalid value  for configuration replacement: String must be non-empty"
    );
}
