use super::*;
use crate::transforms::list::made_for_test;
use crate::transforms::test_records::{
    defaulted, failure, map, optional, required, shown, structure, text, value_after,
};

fn flatten(entries: &[(&str, &str)]) -> Box<dyn Transformation> {
    made_for_test("Flatten$Value", entries).unwrap()
}

fn number(value: i8) -> Value {
    Value::Int8(value)
}

#[test]
fn nested_maps_become_entries_and_lists_stay() {
    let list = Value::Array(vec![map(&[("x", number(1))])]);
    let before = map(&[
        ("z", number(1)),
        (
            "a",
            map(&[("b", map(&[("c", number(2))])), ("d", Value::Null)]),
        ),
        ("l", list.clone()),
        ("e", map(&[])),
    ]);
    let before = SchemaAndValue::schemaless(before);
    let after = value_after(&mut *flatten(&[]), before.clone());
    let expected = map(&[
        ("z", number(1)),
        ("a.b.c", number(2)),
        ("a.d", Value::Null),
        ("l", list.clone()),
    ]);
    assert_eq!(after, SchemaAndValue::schemaless(expected));
    let after = value_after(&mut *flatten(&[("delimiter", "")]), before);
    let expected = map(&[
        ("z", number(1)),
        ("abc", number(2)),
        ("ad", Value::Null),
        ("l", list),
    ]);
    assert_eq!(after.value, expected);
}

#[test]
fn a_name_that_comes_again_keeps_its_place_whatever_the_number_of_entries() {
    for more in [0, 100] {
        let names: Vec<String> = (0..more).map(|number| format!("n{number}")).collect();
        let rest = names.iter().map(|name| (name.as_str(), number(0)));
        let clash = [("a.b", number(1)), ("c", number(2))];
        let nested = [("a", map(&[("b", number(3))]))];
        let entries: Vec<_> = clash
            .iter()
            .cloned()
            .chain(rest.clone())
            .chain(nested)
            .collect();
        let before = SchemaAndValue::schemaless(map(&entries));
        let after = value_after(&mut *flatten(&[]), before);
        let expected: Vec<_> = [("a.b", number(3)), ("c", number(2))]
            .into_iter()
            .chain(rest)
            .collect();
        assert_eq!(after.value, map(&expected));
    }
}

#[test]
fn what_java_cannot_flatten_without_schema_is_refused() {
    let failed = |value| failure(&mut *flatten(&[]), SchemaAndValue::schemaless(value));
    assert_eq!(
        failed(map(&[("a", map(&[("b", structure(&[]).value)]))])),
        "DataException: Flatten transformation does not support class org.apache.kafka.connect.data.Struct for record without schemas (for field a.b)."
    );
    assert_eq!(
        failed(map(&[("a", Value::Timestamp(1))])),
        "DataException: Flatten transformation was passed a value of type class java.util.Date which is not supported by Connect's data API"
    );
    let keyed = |key, value| Value::Map(vec![(key, value)]);
    assert!(
        failed(keyed(number(1), number(1))).starts_with("ClassCastException: class java.lang.Byte")
    );
    assert_eq!(
        failed(keyed(Value::Null, map(&[("a", number(1))]))),
        "NullPointerException: Cannot invoke \"String.isEmpty()\" because \"prefix\" is null"
    );
    let after = value_after(
        &mut *flatten(&[]),
        SchemaAndValue::schemaless(keyed(Value::Null, number(1))),
    );
    assert_eq!(after.value, keyed(Value::Null, number(1)));
    let below = map(&[("a", keyed(Value::Null, number(1)))]);
    let after = value_after(&mut *flatten(&[]), SchemaAndValue::schemaless(below));
    assert_eq!(after.value, map(&[("a.null", number(1))]));
    assert_eq!(
        failed(text("x")),
        "DataException: Only Map objects supported in absence of schema for [flattening], found: java.lang.String"
    );
}

#[test]
fn nested_structs_become_fields_that_are_optional_where_anything_above_is() {
    let array = SchemaBuilder::array(required(SchemaType::Int8))
        .name("l")
        .build();
    let below = SchemaBuilder::structure()
        .field("b", required(SchemaType::Int8))
        .and_then(|builder| builder.field("l", array))
        .and_then(|builder| builder.field("d", defaulted(SchemaType::Int8, number(9))))
        .unwrap();
    let (needed, perhaps) = (below.clone().build(), below.optional().build());
    let inner = |schema: &SchemaRef| {
        let values = vec![number(1), Value::Array(vec![number(2)]), Value::Null];
        Value::Struct(Box::new(Struct {
            schema: SchemaRef::clone(schema),
            values,
        }))
    };
    let mut before = structure(&[
        ("a", SchemaRef::clone(&needed), inner(&needed)),
        ("o", perhaps, Value::Null),
        ("x", required(SchemaType::String), text("x")),
    ]);
    // The root of these tests is optional, and so is all below it.
    let root = before.schema.clone().unwrap();
    let root = SchemaBuilder::from_schema(&root).required().build();
    if let Value::Struct(outer) = &mut before.value {
        outer.schema = SchemaRef::clone(&root);
    }
    before.schema = Some(root);
    let after = value_after(&mut *flatten(&[]), before);
    let expected = [
        "a.b: Schema{INT8} = Int8(1)",
        "a.l: Schema{l:ARRAY} = Array([Int8(2)])",
        "a.d: Schema{INT8}? = Int8(9)",
        "o.b: Schema{INT8}? = Null",
        "o.l: Schema{l:ARRAY}? = Null",
        "o.d: Schema{INT8}? = Null",
        "x: Schema{STRING} = String(\"x\")",
    ];
    assert_eq!(shown(&after), expected);
    let schema = after.schema.unwrap();
    assert_eq!((schema.name(), schema.is_optional()), (Some("s"), false));
    assert_eq!(schema.fields()[2].schema.default(), Some(&number(9)));
}

#[test]
fn an_optional_root_makes_all_optional_and_is_not_itself() {
    let before = structure(&[("a", required(SchemaType::Int8), number(1))]);
    let after = value_after(&mut *flatten(&[]), before);
    assert_eq!(shown(&after), ["a: Schema{INT8}? = Int8(1)"]);
    assert!(!after.schema.unwrap().is_optional());
}

#[test]
fn maps_in_structs_and_names_that_meet_are_refused() {
    let of = SchemaBuilder::map(required(SchemaType::String), required(SchemaType::Int8));
    let before = structure(&[("m", of.build(), map(&[]))]);
    assert_eq!(
        failure(&mut *flatten(&[]), before),
        "DataException: Flatten transformation does not support MAP for record with schemas (for field m)."
    );
    let inner = structure(&[("b", optional(SchemaType::Int8), number(1))]);
    let before = structure(&[
        ("a.b", required(SchemaType::Int8), number(1)),
        ("a", inner.schema.clone().unwrap(), inner.value),
    ]);
    assert_eq!(
        failure(&mut *flatten(&[]), before),
        "SchemaBuilderException: Cannot create field because of field name duplication a.b"
    );
}

#[test]
fn null_passes() {
    let mut tombstone = structure(&[]);
    tombstone.value = Value::Null;
    assert_eq!(
        value_after(&mut *flatten(&[]), tombstone.clone()),
        tombstone
    );
}
