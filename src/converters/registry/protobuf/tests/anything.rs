//! Random schemas with values: what is written is read back.

use bigdecimal::BigDecimal;
use proptest::prelude::*;

use super::*;
use crate::api::data::logical_type;
use crate::api::{Schema, SchemaType};

/// A schema with a value that is not null, and no null within.
fn anything() -> impl Strategy<Value = (SchemaRef, Value)> {
    let leaf = prop_oneof![
        any::<i8>().prop_map(|n| (SchemaType::Int8, Value::Int8(n))),
        any::<i16>().prop_map(|n| (SchemaType::Int16, Value::Int16(n))),
        any::<i32>().prop_map(|n| (SchemaType::Int32, Value::Int32(n))),
        any::<i64>().prop_map(|n| (SchemaType::Int64, Value::Int64(n))),
        any::<bool>().prop_map(|b| (SchemaType::Boolean, Value::Boolean(b))),
        "[a-zä]{0,5}".prop_map(|s| (SchemaType::String, Value::String(s))),
        proptest::collection::vec(any::<u8>(), 0..5)
            .prop_map(|b| (SchemaType::Bytes, Value::Bytes(b.into()))),
        any::<f64>()
            .prop_filter("a number", |n| !n.is_nan())
            .prop_map(|n| (SchemaType::Float64, Value::Float64(n))),
    ];
    let leaf = (leaf, any::<bool>()).prop_map(|((kind, value), null)| match null {
        true => (Schema::optional(kind), value),
        false => (Schema::required(kind), value),
    });
    let timestamps = (-62_135_596_800_000_i64..=253_402_300_799_999).prop_map(|n| {
        (
            logical_type::timestamp_schema().build(),
            Value::Timestamp(n),
        )
    });
    let dates = (-700_000_i64..2_000_000).prop_map(|n| {
        (
            logical_type::date_schema().build(),
            Value::Date(n * 86_400_000),
        )
    });
    let decimals = (any::<i64>(), 0..9_i32).prop_map(|(n, scale)| {
        let value = Value::Decimal(BigDecimal::new(n.into(), i64::from(scale)));
        (logical_type::decimal_schema(scale).build(), value)
    });
    prop_oneof![4 => leaf, 1 => timestamps, 1 => dates, 1 => decimals]
}

fn nested() -> impl Strategy<Value = (SchemaRef, Value)> {
    anything().prop_recursive(4, 24, 4, |inner| {
        let of_fields = proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| {
            let names = ["a", "b_c", "dE", "f"];
            let mut builder = SchemaBuilder::structure();
            for (name, (schema, _)) in names.iter().zip(&parts) {
                builder = builder.field(*name, SchemaRef::clone(schema)).unwrap();
            }
            let schema = builder.build();
            let values = parts.into_iter().map(|(_, value)| value).collect();
            let value = structure(&schema, values);
            (schema, value)
        });
        let is_single = |(schema, _): &(SchemaRef, Value)| {
            !matches!(schema.kind(), SchemaType::Array | SchemaType::Map)
        };
        let single = inner.prop_filter("a single value", is_single);
        let lists = (single.clone(), 1..4_usize).prop_map(|((schema, value), count)| {
            let value = Value::Array(vec![value; count]);
            (SchemaBuilder::array(schema).build(), value)
        });
        let maps = (single, "[a-z]{1,3}").prop_map(|((schema, value), key)| {
            let keys = Schema::required(SchemaType::String);
            let value = Value::Map(vec![(Value::String(key), value)]);
            (SchemaBuilder::map(keys, schema).build(), value)
        });
        prop_oneof![2 => of_fields, 1 => lists, 1 => maps]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_written_is_read_back((schema, value) in nested(), switches in 0..8_u8) {
        let schema = SchemaBuilder::structure().name("a.R").field("root", schema).unwrap().build();
        let value = structure(&schema, vec![value]);
        let switch = |bit: u8| if switches & (1 << bit) == 0 { "false" } else { "true" };
        let format = format(&[
            ("optional.for.nullables", switch(0)),
            ("wrapper.for.nullables", switch(1)),
            ("enhanced.protobuf.schema.support", switch(2)),
        ]);
        let back = there_and_back(&format, &schema, &value);
        prop_assert_eq!(text::to_text(&back.value), text::to_text(&value));
        let back_schema = back.schema.unwrap();
        prop_assert!(back_schema.validate(&back.value).is_ok());
        // And once more, with the schema that was read.
        let again = there_and_back(&format, &back_schema, &back.value);
        prop_assert_eq!(text::to_text(&again.value), text::to_text(&value));
        // What reads as optional is written as a wrapper message when those stand for nullables.
        if switch(1) == "false" {
            prop_assert_eq!(again.schema.unwrap(), back_schema);
        }
    }
}
