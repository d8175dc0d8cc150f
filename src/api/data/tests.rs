//! The data model's checks and texts. Expected values were printed by Java.

use std::sync::Arc;

use bigdecimal::BigDecimal;
use bytes::Bytes;
use jiff::tz::TimeZone;

use super::*;
use crate::api::ErrorKind;

fn double(number: f64) -> String {
    text::to_text(&Value::Float64(number))
}

fn person() -> SchemaRef {
    SchemaBuilder::structure()
        .name("person")
        .field("name", Schema::required(SchemaType::String))
        .and_then(|builder| builder.field("age", Schema::optional(SchemaType::Int32)))
        .unwrap()
        .build()
}

#[test]
fn doubles_print_as_java_prints_them() {
    let cases = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (1.25e10, "1.25E10"),
        (123_456.789, "123456.789"),
        (1e21, "1.0E21"),
        (2e23, "2.0E23"),
        (4.9e-324, "4.9E-324"),
        (9.9e-324, "9.9E-324"),
        (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
        (f64::MAX, "1.7976931348623157E308"),
        (-1.5, "-1.5"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ];
    for (number, expected) in cases {
        assert_eq!(double(number), expected);
    }
    assert_eq!(text::to_text(&Value::Float32(0.1)), "0.1");
    assert_eq!(text::to_text(&Value::Float32(1.4e-45)), "1.4E-45");
    assert_eq!(text::to_text(&Value::Float32(3.4e38)), "3.4E38");
}

#[test]
fn decimals_print_as_java_prints_them() {
    let cases = [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (250, 2, "2.50"),
        (-5, 3, "-0.005"),
        (5, 7, "5E-7"),
        (123, 9, "1.23E-7"),
        (1, -3, "1E+3"),
        (-1234, -2, "-1.234E+5"),
        (12, 1, "1.2"),
    ];
    for (unscaled, scale, expected) in cases {
        let number = BigDecimal::new(unscaled.into(), scale);
        assert_eq!(text::to_text(&Value::Decimal(number)), expected);
    }
}

#[test]
fn collections_print_as_java_prints_them() {
    let mut inner = Struct::new(person()).unwrap();
    inner.put("name", Value::String("Ann".into())).unwrap();
    let list = Value::Array(vec![
        Value::Int64(1),
        Value::Null,
        Value::Struct(Box::new(inner)),
    ]);
    let map = Value::Map(vec![
        (Value::String("a".into()), list),
        (Value::Int32(2), Value::Boolean(true)),
    ]);
    assert_eq!(
        text::to_text(&map),
        "{a=[1, null, Struct{name=Ann}], 2=true}"
    );
}

#[test]
fn a_lone_byte_array_keeps_its_bytes_and_a_nested_one_prints_as_base64() {
    let mut out = Vec::new();
    text::append(&Value::Bytes(Bytes::from_static(b"\xff\x00")), &mut out);
    assert_eq!(out, b"\xff\x00");
    let nested = Value::Array(vec![Value::Bytes(Bytes::from_static(b"\xff\x00"))]);
    assert_eq!(text::to_text(&nested), "[/wA=]");
}

#[test]
fn dates_print_as_java_prints_them() {
    let mut out = Vec::new();
    java_time::append_date_to_string(&TimeZone::UTC, 951_782_400_123, &mut out);
    assert_eq!(out, b"Tue Feb 29 00:00:00 UTC 2000");
    out.clear();
    java_time::append_date_to_string(&TimeZone::UTC, -62_135_769_600_000, &mut out);
    assert_eq!(out, b"Sat Jan 01 00:00:00 UTC 1");
    out.clear();
    java_time::append_date_to_string(&TimeZone::UTC, -12_219_292_800_001, &mut out);
    assert_eq!(out, b"Thu Oct 04 23:59:59 UTC 1582");
    out.clear();
    java_time::append_date_to_string(&TimeZone::UTC, i64::MIN, &mut out);
    assert_eq!(out, b"Sun Dec 02 16:47:04 UTC 292269055");
    out.clear();
    java_time::append_date_to_string(&TimeZone::UTC, i64::MAX, &mut out);
    assert_eq!(out, b"Sun Aug 17 07:12:55 UTC 292278994");
}

#[test]
fn every_day_of_2000_years_survives_the_way_to_the_calendar_and_back() {
    for day in -600_000..146_097 {
        let at = java_time::civil(day * logical_type::MILLIS_PER_DAY);
        let back = java_time::epoch_day(at.year, i64::from(at.month), i64::from(at.day));
        assert_eq!(back, day);
    }
}

#[test]
fn hash_codes_are_java_s() {
    assert_eq!(java_hash::string_hash("hello"), 99_162_322);
    assert_eq!(java_hash::string_hash("😀é"), 54_960_102);
    assert_eq!(java_hash::hash(&Value::Float64(1.5)), 1_073_217_536);
    assert_eq!(java_hash::hash(&Value::Int64(-1)), 0);
    assert_eq!(
        java_hash::hash(&Value::Decimal(BigDecimal::new(250.into(), 2))),
        7752
    );
}

#[test]
fn map_entries_come_in_the_order_of_a_java_hash_map() {
    let mut entries: Vec<_> = ["zeta", "b", "a", "id", "name", "ts"]
        .iter()
        .map(|name| (Value::String((*name).to_owned()), Value::Null))
        .collect();
    java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
    let names: Vec<_> = entries
        .iter()
        .map(|(name, _)| text::to_text(name))
        .collect();
    assert_eq!(names, ["zeta", "a", "b", "name", "id", "ts"]);
    assert_eq!(java_hash::capacity_for_copy(12), 32);
    assert_eq!(java_hash::grown(16, 13), 32);
}

#[test]
fn a_struct_refuses_values_that_do_not_fit_with_kafka_s_texts() {
    let mut person = Struct::new(person()).unwrap();
    let wrong = person.put("name", Value::Int32(1)).unwrap_err();
    assert_eq!(
        wrong.message(),
        "Invalid Java object for schema with type STRING: class java.lang.Integer for field: \"name\""
    );
    let unknown = person.put("nope", Value::Null).unwrap_err();
    assert_eq!(unknown.message(), "nope is not a valid field name");
    let missing = person.validate().unwrap_err();
    assert_eq!(
        missing.message(),
        "Invalid value: null used for required field: \"name\", schema type: STRING"
    );
    assert_eq!(missing.kind(), ErrorKind::Data);
}

#[test]
fn an_element_that_does_not_fit_is_named_with_its_place() {
    let schema = SchemaBuilder::array(Schema::required(SchemaType::Int8)).build();
    let wrong = schema
        .validate(&Value::Array(vec![Value::Null]))
        .unwrap_err();
    assert_eq!(
        wrong.message(),
        "Invalid value: null used for required element of array value, schema type: INT8"
    );
}

#[test]
fn the_schema_builder_refuses_what_kafka_s_refuses() {
    let duplicate = SchemaBuilder::structure()
        .field("a", Schema::required(SchemaType::Int8))
        .and_then(|builder| builder.field("a", Schema::required(SchemaType::Int8)))
        .unwrap_err();
    assert_eq!(
        duplicate.message(),
        "Cannot create field because of field name duplication a"
    );
    assert_eq!(duplicate.kind(), ErrorKind::SchemaBuilder);
    let default = SchemaBuilder::new(SchemaType::Int8)
        .default_value(Value::Int16(1))
        .unwrap_err();
    assert_eq!(default.message(), "Invalid default value");
    let inner = Struct::new(SchemaBuilder::structure().build()).unwrap();
    assert!(
        SchemaBuilder::structure()
            .default_value(Value::Struct(Box::new(inner)))
            .is_err()
    );
}

#[test]
fn a_field_with_a_default_reads_as_the_default_when_unset() {
    let field = SchemaBuilder::new(SchemaType::Int8)
        .default_value(Value::Int8(7))
        .unwrap()
        .build();
    let schema = SchemaBuilder::structure()
        .field("n", field)
        .unwrap()
        .build();
    let empty = Struct::new(Arc::clone(&schema)).unwrap();
    assert_eq!(empty.get("n").unwrap(), &Value::Int8(7));
    assert_eq!(empty.get_without_default("n").unwrap(), &Value::Null);
    assert!(empty.validate().is_ok());
}

#[test]
fn logical_types_refuse_what_does_not_fit_with_kafka_s_texts() {
    let date = logical_type::date_schema().build();
    assert_eq!(logical_type::date_to_days(&date, -86_400_000).unwrap(), -1);
    assert!(logical_type::date_to_days(&date, 1).is_err());
    let time = logical_type::time_schema().build();
    assert!(logical_type::time_from_millis(&time, 86_400_000).is_ok());
    assert!(logical_type::time_from_millis(&time, -1).is_err());
    let decimal = logical_type::decimal_schema(2).build();
    let wrong = logical_type::decimal_to_bytes(&decimal, &BigDecimal::from(1)).unwrap_err();
    assert_eq!(
        wrong.message(),
        "Decimal value has mismatching scale for given Decimal schema. \
         Schema has scale 2, value has scale 0."
    );
    let value = logical_type::decimal_from_bytes(&decimal, &[0, 0xde]).unwrap();
    assert_eq!(value, BigDecimal::new(222.into(), 2));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_value_parser_panic(text in r#"([\[\]{}:,"\\]|[0-9]{1,3}|-|\+|\.|e|T|Z| |a|null|true|é|😀|٣){0,40}"#) {
        let parsed = values::parse(&text, &TimeZone::UTC).unwrap();
        let mut printed = Vec::new();
        values::append(&parsed.value, &TimeZone::UTC, &mut printed);
    }

    #[test]
    fn dates_of_any_size_are_parsed(text in r"[0-9-]{1,9}-[0-9]{1,9}-[0-9]{1,9}T[0-9]{1,15}:[0-9]{1,3}:1\.[0-9]{1,9}Z") {
        values::parse(&text, &TimeZone::UTC).unwrap();
    }

    #[test]
    fn doubles_print_as_the_shortest_text_that_reads_back(bits in proptest::prelude::any::<u64>()) {
        let number = f64::from_bits(bits);
        let printed = double(number);
        if number.is_finite() {
            proptest::prop_assert_eq!(printed.parse::<f64>().unwrap().to_bits(), bits);
            proptest::prop_assert!(printed.contains('.'));
        }
    }

    #[test]
    fn entries_of_a_hash_map_keep_to_their_buckets(names in proptest::collection::hash_set("[a-z]{1,4}", 0..60)) {
        let mut entries: Vec<_> =
            names.iter().map(|name| (Value::String(name.clone()), Value::Null)).collect();
        java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
        let size = java_hash::grown(java_hash::DEFAULT_CAPACITY, entries.len());
        let buckets: Vec<_> =
            entries.iter().map(|(name, _)| java_hash::bucket(java_hash::hash(name), size)).collect();
        proptest::prop_assert!(buckets.is_sorted());
    }
}

#[test]
fn values_are_equal_where_javas_are() {
    let double = Value::Float64;
    assert_eq!(double(f64::NAN), double(-f64::NAN));
    assert_ne!(double(0.0), double(-0.0));
    assert_eq!(Value::Float32(f32::NAN), Value::Float32(f32::NAN));
    let decimal = |text: &str| Value::Decimal(text.parse::<BigDecimal>().unwrap());
    assert_ne!(decimal("1.0"), decimal("1.00"));
    assert_eq!(decimal("1.50"), decimal("1.50"));
    assert_ne!(Value::Int32(1), Value::Int64(1));
    assert_ne!(Value::Date(1), Value::Timestamp(1));
    let schema = |default| {
        let builder = SchemaBuilder::new(SchemaType::Float64);
        builder.default_value(double(default)).unwrap().build()
    };
    // Or each cache of schemas would miss it each time.
    assert_eq!(schema(f64::NAN), schema(f64::NAN));
    assert_ne!(schema(f64::NAN), schema(1.0));
}

#[test]
fn a_number_of_a_million_digits_is_a_text_and_a_decimal_of_as_many_bytes_is_refused() {
    let digits = "7".repeat(1_000_000);
    assert_eq!(values::parse_decimal(&digits), None);
    let parsed = values::parse(&digits, &TimeZone::UTC).unwrap();
    assert_eq!(parsed.value, Value::String(digits.clone()));
    let inside = format!("[{digits}]");
    let parsed = values::parse(&inside, &TimeZone::UTC).unwrap();
    assert_eq!(parsed.value, Value::String(inside));
    let largest = "7".repeat(logical_type::DECIMAL_DIGITS_MAX);
    let parsed = values::parse(&largest, &TimeZone::UTC).unwrap();
    assert!(matches!(parsed.value, Value::Decimal(_)));

    let schema = logical_type::decimal_schema(2).build();
    let bytes = vec![1; 400_000];
    let error = logical_type::decimal_from_bytes(&schema, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let text = "a decimal of 400000 bytes is longer than the 4096 bytes that are supported";
    assert_eq!(error.message(), text);
    assert!(logical_type::decimal_from_bytes(&schema, &bytes[..4096]).is_ok());
}

#[test]
fn nesting_beyond_a_thousand_is_refused_by_the_value_parser() {
    let size = if cfg!(debug_assertions) {
        16 << 20
    } else {
        1 << 20
    };
    let small = std::thread::Builder::new().stack_size(size);
    let parsed = small.spawn(|| {
        let deep = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        let fits = values::parse(&deep(1000), &TimeZone::UTC)
            .map(|parsed| matches!(parsed.value, Value::Array(_)));
        (fits, values::parse(&deep(1001), &TimeZone::UTC).map(drop))
    });
    let (fits, refused) = parsed.unwrap().join().unwrap();
    assert_eq!(fits, Ok(true));
    assert_eq!(refused, Err(values::ParseFailure::TooDeep));
}
