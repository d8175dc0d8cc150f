//! Protobuf that we wrote, in Java: Apicurio's reader of the indexes and compiler of the text, and protobuf-java.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringmain::api::data::{Field, SchemaRef, logical_type};
use ringmain::api::{Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct, Value};
use serde_json::{Value as Json, json};

use super::converted::Ours;
use super::protobuf::{
    CLASS, DAYS, MILLIS_PER_DAY, RECORDS, civil, decimal_message, double, float, some, time_of_day,
};
use super::values::decimal;
use crate::common::kafka;
use crate::common::registry::{JavaSerializers, bits};
use crate::differential::generate::Generator;

/// A struct with every type, required and optional, and in lists and maps.
fn record_schema() -> SchemaRef {
    let line = SchemaBuilder::structure().name("acme.Line");
    let line = line
        .field("price", Schema::required(SchemaType::Float32))
        .unwrap();
    let line = line
        .field("sku", Schema::optional(SchemaType::String))
        .unwrap();
    let line = line.optional().build();
    let required = Schema::required;
    let list = |items: SchemaRef| SchemaBuilder::array(items);
    let map = |keys, values| SchemaBuilder::map(required(keys), values);
    let mut builders: Vec<SchemaBuilder> = [
        SchemaType::Int8,
        SchemaType::Int16,
        SchemaType::Int32,
        SchemaType::Int64,
        SchemaType::Float32,
        SchemaType::Float64,
        SchemaType::Boolean,
        SchemaType::String,
        SchemaType::Bytes,
    ]
    .map(SchemaBuilder::new)
    .into();
    builders.extend([
        logical_type::decimal_schema(2),
        logical_type::date_schema(),
        logical_type::time_schema(),
        logical_type::timestamp_schema(),
        SchemaBuilder::from_schema(&line).required(),
        list(required(SchemaType::Int64)),
        list(required(SchemaType::String)),
        list(SchemaRef::clone(&line)),
        map(SchemaType::String, required(SchemaType::Int64)),
        map(SchemaType::Int32, line),
    ]);
    let mut record = SchemaBuilder::structure().name("acme.Record");
    for (index, builder) in builders.into_iter().enumerate() {
        let required = builder.clone().build();
        record = record.field(format!("f{index}"), required).unwrap();
        let optional = builder.optional().build();
        record = record.field(format!("o{index}"), optional).unwrap();
    }
    record.build()
}

fn value(generator: &mut Generator, schema: &SchemaRef) -> Value {
    if schema.is_optional() && generator.one_in(4) {
        return Value::Null;
    }
    match schema.name().and_then(|name| name.rsplit('.').next()) {
        Some("Decimal") => return Value::Decimal(decimal(generator, 2).1),
        Some("Date") => return Value::Date(generator.random.i64(DAYS) * MILLIS_PER_DAY),
        Some("Time") => return Value::Time(generator.random.i64(0..MILLIS_PER_DAY)),
        Some("Timestamp") => {
            let days = generator.random.i64(DAYS);
            return Value::Timestamp(
                days * MILLIS_PER_DAY + generator.random.i64(0..MILLIS_PER_DAY),
            );
        }
        _ => {}
    }
    match schema.kind() {
        SchemaType::Float32 => Value::Float32(float(generator)),
        SchemaType::Float64 => Value::Float64(double(generator)),
        SchemaType::Array => {
            let items = schema.value_schema().unwrap();
            Value::Array(some(generator, |generator| present(generator, items)))
        }
        SchemaType::Map => {
            let (keys, values) = (schema.key_schema().unwrap(), schema.value_schema().unwrap());
            let entry =
                |generator: &mut Generator| (generator.value(keys), present(generator, values));
            let mut entries = some(generator, entry);
            entries.dedup_by(|one, other| one.0 == other.0);
            Value::Map(entries)
        }
        SchemaType::Struct => {
            let fields = schema.fields().iter();
            let values = fields.map(|field| value(generator, &field.schema));
            let values = values.collect();
            let schema = SchemaRef::clone(schema);
            Value::Struct(Box::new(Struct { schema, values }))
        }
        _ => generator.value(schema),
    }
}

/// A value that is not null.
fn present(generator: &mut Generator, schema: &SchemaRef) -> Value {
    loop {
        let value = value(generator, schema);
        if !value.is_null() {
            return value;
        }
    }
}

/// What Java shows of a struct: `None` for a field that is not set.
fn message(value: &Value, schema: &Schema, keeps_null: bool) -> Option<Json> {
    let part = |value: &Value, schema: Option<&SchemaRef>| {
        message(value, schema.unwrap(), keeps_null).unwrap_or(Json::Null)
    };
    Some(match value {
        Value::Null => return absent(schema, keeps_null),
        Value::Boolean(flag) => json!(flag),
        Value::Int8(number) => json!(number),
        Value::Int16(number) => json!(number),
        Value::Int32(number) => json!(number),
        Value::Int64(number) => json!(number),
        Value::Float32(number) => bits((*number).into()),
        Value::Float64(number) => bits(*number),
        Value::String(text) => json!(text),
        Value::Bytes(bytes) => json!(BASE64.encode(bytes)),
        Value::Decimal(decimal) => decimal_message(decimal),
        Value::Date(millis) => civil(millis / MILLIS_PER_DAY),
        Value::Time(millis) => time_of_day(*millis),
        Value::Timestamp(millis) => json!({
            "seconds": millis.div_euclid(1000), "nanos": millis.rem_euclid(1000) * 1_000_000,
        }),
        Value::Array(items) => {
            let items = items.iter();
            items
                .map(|item| part(item, schema.value_schema()))
                .collect()
        }
        Value::Map(entries) => {
            let entry = |(key, value): &(Value, Value)| {
                let key = part(key, schema.key_schema());
                json!({ "key": key, "value": part(value, schema.value_schema()) })
            };
            entries.iter().map(entry).collect()
        }
        Value::Struct(inner) => {
            let fields = schema.fields().iter().zip(&inner.values);
            let field = |(field, value): (&Field, &Value)| {
                let shown = message(value, &field.schema, keeps_null)?;
                Some((field.name.clone(), shown))
            };
            Json::Object(fields.filter_map(field).collect())
        }
    })
}

/// What Java shows of null: proto3 has none for numbers and texts unless they are marked `optional`.
fn absent(schema: &Schema, keeps_null: bool) -> Option<Json> {
    let is_logical = schema.name().is_some();
    match schema.kind() {
        SchemaType::Array | SchemaType::Map => Some(json!([])),
        SchemaType::Struct => None,
        _ if is_logical || keeps_null => None,
        SchemaType::Float32 | SchemaType::Float64 => Some(bits(0.0)),
        SchemaType::Boolean => Some(json!(false)),
        SchemaType::String | SchemaType::Bytes => Some(json!("")),
        _ => Some(json!(0)),
    }
}

/// Our records, and what Java reads.
fn assert_java_reads(ours: &Ours, keeps_null: bool) {
    let Some(kafka) = kafka() else { return };
    let schema = record_schema();
    let mut generator = Generator::new(29);
    let values = (0..RECORDS).map(|_| {
        let value = value(&mut generator, &schema);
        SchemaAndValue::new(SchemaRef::clone(&schema), value)
    });
    let values: Vec<SchemaAndValue> = values.collect();
    let records = ours.write(values.clone());
    let records: Vec<Vec<u8>> = records.into_iter().map(Option::unwrap).collect();
    let read = JavaSerializers::protobuf(kafka).read(ours.topic, &records);
    for (read, data) in read.iter().zip(&values) {
        let expected = message(&data.value, &schema, keeps_null);
        assert_eq!(Some(read), expected.as_ref());
    }
}

#[test]
fn protobuf_records_that_we_wrote_are_the_same_in_java() {
    let ours = Ours {
        class: CLASS,
        topic: "protobuf-of-ringmain",
        settings: &[],
    };
    assert_java_reads(&ours, false);
}

#[test]
fn nulls_that_we_wrote_with_optional_fields_are_not_set_in_java() {
    let ours = Ours {
        class: CLASS,
        topic: "protobuf-nulls-of-ringmain",
        settings: &[("optional.for.nullables", "true")],
    };
    assert_java_reads(&ours, true);
}
