//! JSON Schema beside Apicurio's serializers, which validate what they write and read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringmain::api::data::{Field, SchemaRef, logical_type};
use ringmain::api::{Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct, Value};
use serde_json::{Value as Json, json};

use super::converted::Ours;
use super::values::{Both, bytes, decimal, exact, finite, map};
use crate::common::client::Compression;
use crate::common::kafka;
use crate::common::registry::{JavaSerializers, bits};
use crate::differential::generate::Generator;
use crate::schema_registry::{lines_when_there, text_sink};

const CLASS: &str = "io.confluent.connect.json.JsonSchemaConverter";
const RECORDS: usize = 300;
const MILLIS_PER_DAY: i64 = 86_400_000;

/// As people write them: draft 7, references, alternatives, and Connect's annotations for some types.
fn order_schema() -> Json {
    let logical = |json: &str, connect: &str, name: &str| {
        json!({
            "type": json, "connect.type": connect, "connect.version": 1,
            "title": format!("org.apache.kafka.connect.data.{name}"),
        })
    };
    let mut price = logical("string", "bytes", "Decimal");
    price["connect.parameters"] = json!({"scale": "2"});
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "definitions": {"line": {
            "type": "object", "title": "Line", "required": ["sku"],
            "properties": {"sku": {"type": "string"}, "price": {"type": "number"}},
        }},
        "properties": {
            "id": {"type": "integer"},
            "ratio": {"type": "number"},
            "open": {"type": "boolean"},
            "note": {"oneOf": [{"type": "null"}, {"type": "string"}]},
            "count": {"type": ["integer", "null"]},
            "suit": {"enum": ["CLUBS", "HEARTS"]},
            "lines": {"type": "array", "items": {"$ref": "#/definitions/line"}},
            "first": {"$ref": "#/definitions/line"},
            "counts": {
                "type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"},
            },
            "way": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            "small": {"type": "integer", "connect.type": "int16"},
            "raw": {"type": "string", "connect.type": "bytes"},
            "at": logical("integer", "int64", "Timestamp"),
            "day": logical("integer", "int32", "Date"),
            "price": price,
        },
        "required": ["id", "ratio", "open", "lines"],
    })
}

fn long(generator: &mut Generator) -> (Json, Json) {
    let number = generator.long();
    (json!(number), exact(&Value::Int64(number)))
}

/// Zero loses its sign in Java's decimals, through which Confluent's converter reads fractions.
fn double(generator: &mut Generator) -> (Json, Json) {
    let number = finite(generator);
    (json!(number), exact(&Value::Float64(number + 0.0)))
}

fn text(generator: &mut Generator) -> (Json, Json) {
    let text = generator.text();
    (json!(text), json!(text))
}

/// Null now and then.
fn or_null(generator: &mut Generator, both: (Json, Json)) -> (Json, Json) {
    match generator.one_in(4) {
        true => (Json::Null, Json::Null),
        false => both,
    }
}

fn line(generator: &mut Generator) -> (Json, Json) {
    let mut line = Both::default();
    line.put("sku", text(generator));
    let price = double(generator);
    line.put_some("price", generator, price, Json::Null);
    line.into_pair()
}

fn counts(generator: &mut Generator) -> (Json, Json) {
    let names = generator.names(5);
    let entries = names.into_iter().map(|name| (name, long(generator)));
    let entries: Vec<(&str, (Json, Json))> = entries.collect();
    let json = entries
        .iter()
        .map(|(name, (json, _))| ((*name).to_owned(), json.clone()));
    let connect = entries
        .iter()
        .map(|(name, (_, connect))| (json!(name), connect.clone()));
    (Json::Object(json.collect()), map(connect))
}

/// One of two types: a struct with a field for each.
fn way(generator: &mut Generator) -> (Json, Json) {
    let fields = [0, 1].map(|index| format!("io.confluent.connect.json.OneOf.field.{index}"));
    let [first, second] = fields;
    match generator.random.bool() {
        true => {
            let (json, connect) = text(generator);
            (json, json!({ first: connect, second: null }))
        }
        false => {
            let (json, connect) = long(generator);
            (json, json!({ first: null, second: connect }))
        }
    }
}

fn order(generator: &mut Generator) -> (Json, Json) {
    let mut order = Both::default();
    order.put("id", long(generator));
    order.put("ratio", double(generator));
    let open = generator.random.bool();
    order.put("open", (json!(open), json!(open)));
    let note = text(generator);
    let note = or_null(generator, note);
    order.put_some("note", generator, note, Json::Null);
    let count = long(generator);
    let count = or_null(generator, count);
    order.put_some("count", generator, count, Json::Null);
    let suit = json!(generator.pick(&["CLUBS", "HEARTS"]));
    order.put_some("suit", generator, (suit.clone(), suit), Json::Null);
    let count = generator.random.usize(..4);
    let lines = (0..count).map(|_| line(generator)).unzip();
    let (json, connect): (Vec<Json>, Vec<Json>) = lines;
    order.put("lines", (json.into(), connect.into()));
    let first = line(generator);
    order.put_some("first", generator, first, Json::Null);
    let counts = counts(generator);
    order.put_some("counts", generator, counts, Json::Null);
    let way = way(generator);
    order.put_some("way", generator, way, Json::Null);
    let small = generator.random.i16(..);
    let small = (json!(small), exact(&Value::Int16(small)));
    order.put_some("small", generator, small, Json::Null);
    let raw = bytes(generator);
    let raw = (json!(BASE64.encode(&raw)), exact(&Value::Bytes(raw.into())));
    order.put_some("raw", generator, raw, Json::Null);
    let at = generator.instant();
    let at = (json!(at), exact(&Value::Timestamp(at)));
    order.put_some("at", generator, at, Json::Null);
    let day = generator.random.i64(-1_000_000..100_000);
    let connect = exact(&Value::Date(day * MILLIS_PER_DAY));
    order.put_some("day", generator, (json!(day), connect), Json::Null);
    let (unscaled, price) = decimal(generator, 2);
    let json = json!(BASE64.encode(unscaled.to_signed_bytes_be()));
    order.put_some(
        "price",
        generator,
        (json, exact(&Value::Decimal(price))),
        Json::Null,
    );
    order.into_pair()
}

#[test]
fn json_schema_records_that_java_wrote_are_read_with_every_value() {
    let Some(kafka) = kafka() else { return };
    let topic = "json-schema-of-java";
    let mut generator = Generator::new(17);
    let orders = (0..RECORDS).map(|_| order(&mut generator));
    let (written, expected): (Vec<Json>, Vec<Json>) = orders.unzip();
    let java = JavaSerializers::json_schema(kafka);
    let records = java.write(topic, &[&order_schema().to_string()], &written);
    let ours = Ours {
        class: CLASS,
        topic,
        settings: &[],
    };
    let read = ours.read(&records);
    assert_eq!(read.len(), RECORDS);
    for ((read, expected), written) in read.iter().zip(&expected).zip(&written) {
        assert_eq!(&exact(&read.value), expected, "{written}");
    }
}

#[test]
fn json_schema_records_of_a_topic_that_java_wrote_go_to_a_file() {
    let Some(kafka) = kafka() else { return };
    let (cluster, topic) = (kafka.shared_cluster(), "json-schema-topic-of-java");
    let line = |sku: &str| json!({ "sku": sku });
    let values = [
        json!({"id": 1, "ratio": 0.5, "open": true, "lines": [line("a"), line("b")], "note": null}),
        json!({"id": -1, "ratio": 1e300, "open": false, "lines": [], "way": 7}),
    ];
    let java = JavaSerializers::json_schema(kafka);
    let records = java.write(topic, &[&order_schema().to_string()], &values);
    cluster.client().create_topic(topic, 1);
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, records);
    let files = text_sink(cluster, topic, topic, CLASS, &[]);
    let ringmain = files.start();
    let lines = lines_when_there(&files, 2);
    ringmain.stop_cleanly();
    for (line, parts) in lines.iter().zip([
        [
            "id=1",
            "ratio=0.5",
            "open=true",
            "lines=[Struct{sku=a}, Struct{sku=b}]",
        ],
        [
            "id=-1",
            "ratio=1.0E300",
            "open=false",
            "way=Struct{io.confluent.connect.json.OneOf.field.1=7}",
        ],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}

/// The JSON that a value is: `None` leaves a struct's member out.
fn payload(schema: &Schema, value: &Value) -> Option<Json> {
    let part = |schema: Option<&SchemaRef>, value: &Value| {
        payload(schema.unwrap(), value).unwrap_or(Json::Null)
    };
    Some(match value {
        Value::Null => match schema.default() {
            Some(default) => return payload(schema, default),
            None if schema.is_optional() => Json::Null,
            None => return None,
        },
        Value::Boolean(flag) => json!(flag),
        Value::Int8(number) => json!(number),
        Value::Int16(number) => json!(number),
        Value::Int32(number) => json!(number),
        Value::Int64(number) => json!(number),
        // The shortest text that is this number of 32 bits, read as one of 64.
        Value::Float32(number) => bits(number.to_string().parse().unwrap()),
        Value::Float64(number) => bits(*number),
        Value::String(text) => json!(text),
        Value::Bytes(bytes) => json!(BASE64.encode(bytes)),
        Value::Decimal(decimal) => {
            let (unscaled, _) = decimal.as_bigint_and_scale();
            json!(BASE64.encode(unscaled.to_signed_bytes_be()))
        }
        Value::Date(millis) => json!(millis / MILLIS_PER_DAY),
        Value::Time(millis) | Value::Timestamp(millis) => json!(millis),
        Value::Array(items) => items
            .iter()
            .map(|item| part(schema.value_schema(), item))
            .collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = part(schema.key_schema(), key);
                (key, part(schema.value_schema(), value))
            });
            let keys = schema.key_schema().unwrap();
            match keys.kind() == SchemaType::String && !keys.is_optional() {
                true => Json::Object(
                    entries
                        .map(|(key, value)| (key.as_str().unwrap().to_owned(), value))
                        .collect(),
                ),
                false => entries
                    .map(|(key, value)| json!({ "key": key, "value": value }))
                    .collect(),
            }
        }
        Value::Struct(inner) => {
            let fields = inner.schema.fields().iter().zip(&inner.values);
            let member = |(field, value): (&Field, &Value)| {
                Some((field.name.clone(), payload(&field.schema, value)?))
            };
            Json::Object(fields.filter_map(member).collect())
        }
    })
}

/// A struct with the least and the largest of each type.
fn limits() -> Vec<SchemaAndValue> {
    let least = [
        Value::Int8(i8::MIN),
        Value::Int16(i16::MIN),
        Value::Int32(i32::MIN),
        Value::Int64(i64::MIN),
        Value::Float32(f32::MIN_POSITIVE),
        Value::Float64(f64::from_bits(1)),
        Value::Date(-719_162 * MILLIS_PER_DAY),
        Value::Timestamp(i64::MIN),
    ];
    let largest = [
        Value::Int8(i8::MAX),
        Value::Int16(i16::MAX),
        Value::Int32(i32::MAX),
        Value::Int64(i64::MAX),
        Value::Float32(f32::MAX),
        Value::Float64(f64::MAX),
        Value::Date(i64::from(i32::MAX) * MILLIS_PER_DAY),
        Value::Timestamp(i64::MAX),
    ];
    [least, largest].into_iter().map(structure).collect()
}

fn structure(values: [Value; 8]) -> SchemaAndValue {
    let mut builder = SchemaBuilder::structure().name("Limits");
    for (index, value) in values.iter().enumerate() {
        let schema = match value {
            Value::Date(_) => logical_type::date_schema().build(),
            Value::Timestamp(_) => logical_type::timestamp_schema().build(),
            value => Schema::required(value.schema_type().unwrap()),
        };
        builder = builder.field(format!("f{index}"), schema).unwrap();
    }
    let schema = builder.build();
    let value = Struct {
        schema: SchemaRef::clone(&schema),
        values: values.into(),
    };
    SchemaAndValue::new(schema, Value::Struct(Box::new(value)))
}

#[test]
fn json_schema_records_that_we_wrote_fit_their_schema_and_are_the_same_in_java() {
    let Some(kafka) = kafka() else { return };
    let ours = Ours {
        class: CLASS,
        topic: "json-schema-of-ringmain",
        settings: &[],
    };
    let mut generator = Generator::new(71);
    generator.infinite = false;
    let mut values = limits();
    values.extend((0..RECORDS).map(|_| {
        // A root that may be null has no type of its own, and the registry then wants to know what it is.
        let schema = generator.structure(3);
        let schema = SchemaBuilder::from_schema(&schema).required().build();
        let value = generator.value(&schema);
        SchemaAndValue::new(schema, value)
    }));
    let records = ours.write(values.clone());
    let records: Vec<Vec<u8>> = records.into_iter().map(Option::unwrap).collect();
    let read = JavaSerializers::json_schema(kafka).read(ours.topic, &records);
    for (read, data) in read.iter().zip(values) {
        let expected = payload(data.schema.as_ref().unwrap(), &data.value);
        assert_eq!(Some(read), expected.as_ref(), "{data:?}");
    }
}
