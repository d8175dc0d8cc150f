//! Protobuf that Java wrote: protobuf-java with Apicurio's serializer, which writes Confluent's message indexes
//! and registers the text that it makes of a descriptor, with references to all files of Google's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Span;
use jiff::civil::date;
use ringmain::api::Value;
use serde_json::{Value as Json, json};

use super::converted::Ours;
use super::values::{Both, bytes, decimal, exact, finite, map};
use crate::common::client::Compression;
use crate::common::kafka;
use crate::common::registry::{JavaSerializers, bits};
use crate::differential::generate::Generator;
use crate::schema_registry::{lines_when_there, text_sink};

pub(super) const CLASS: &str = "io.confluent.connect.protobuf.ProtobufConverter";
pub(super) const RECORDS: usize = 300;
pub(super) const MILLIS_PER_DAY: i64 = 86_400_000;
/// Days since 1970 of 1583-01-01, from when on all calendars agree, and of 9999-12-31.
pub(super) const DAYS: std::ops::RangeInclusive<i64> = -141_349..=2_932_896;

/// Every type that Protobuf has, in a message within another that is not the first.
const ORDER: &str = r#"syntax = "proto3";
package acme;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "confluent/type/decimal.proto";
message Ping { sint64 seq = 1; }
message Outer {
  map<string, int32> unused = 1;
  message Other {}
  message Order {
    int64 id = 1;
    optional string note = 2;
    repeated double tags = 3;
    map<string, int32> counts = 4;
    Suit suit = 5;
    oneof way { string mail = 6; Line line = 7; }
    google.protobuf.Timestamp at = 8;
    google.type.Date day = 9;
    google.type.TimeOfDay time = 10;
    confluent.type.Decimal price = 11;
    google.protobuf.StringValue wrapped = 12;
    int32 int32 = 20;
    uint32 uint32 = 21;
    uint64 uint64 = 22;
    sint32 sint32 = 23;
    sint64 sint64 = 24;
    fixed32 fixed32 = 25;
    fixed64 fixed64 = 26;
    sfixed32 sfixed32 = 27;
    sfixed64 sfixed64 = 28;
    float float = 29;
    double double = 30;
    bool flag = 31;
    bytes raw = 32;
    repeated Line lines = 40;
    repeated sint32 packed = 41;
    map<int64, Line> by_number = 42;
    message Line { float price = 1; string sku = 2; }
    enum Suit { CLUBS = 0; HEARTS = 1; }
  }
}
"#;

/// A field that is left out now and then and is `absent` in Connect then.
fn put(
    both: &mut Both,
    name: &str,
    generator: &mut Generator,
    json: impl Into<Json>,
    [value, absent]: [&Value; 2],
) {
    both.put_some(name, generator, (json.into(), exact(value)), exact(absent));
}

pub(super) fn float(generator: &mut Generator) -> f32 {
    loop {
        let float = f32::from_bits(generator.random.u32(..));
        if !float.is_nan() {
            return float;
        }
    }
}

pub(super) fn double(generator: &mut Generator) -> f64 {
    match generator.random.u32(..8) {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        _ => finite(generator),
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn line(generator: &mut Generator) -> (Json, Json) {
    let mut line = Both::default();
    let price = float(generator);
    let (json, zero) = (bits(price.into()), Value::Float32(0.0));
    put(
        &mut line,
        "price",
        generator,
        json,
        [&Value::Float32(price), &zero],
    );
    let sku = generator.text();
    put(
        &mut line,
        "sku",
        generator,
        sku.as_str(),
        [&text(&sku), &text("")],
    );
    line.into_pair()
}

pub(super) fn some<T>(generator: &mut Generator, make: impl Fn(&mut Generator) -> T) -> Vec<T> {
    let count = generator.random.usize(..4);
    (0..count).map(|_| make(generator)).collect()
}

/// A map of these keys and values, each as Java gets it and as Connect has it.
fn map_of(entries: Vec<[(Json, Json); 2]>) -> (Json, Json) {
    let json = entries
        .iter()
        .map(|[(key, _), (value, _)]| json!({ "key": key, "value": value }));
    let json = json.collect();
    let connect = entries.into_iter();
    let connect = connect.map(|[(_, key), (_, value)]| (key, value));
    (json, map(connect))
}

fn numbers(order: &mut Both, generator: &mut Generator) {
    let (zero, long_zero) = (Value::Int32(0), Value::Int64(0));
    for name in ["int32", "sint32", "sfixed32"] {
        let number = generator.pick(&[i32::MIN, -1, 1, i32::MAX]);
        put(
            order,
            name,
            generator,
            number,
            [&Value::Int32(number), &zero],
        );
    }
    for name in ["uint32", "fixed32"] {
        let number = generator.pick(&[1, 1 << 31, u32::MAX]);
        let value = Value::Int64(number.into());
        put(order, name, generator, number, [&value, &long_zero]);
    }
    for name in ["id", "uint64", "sint64", "fixed64", "sfixed64"] {
        let number = generator.long();
        put(
            order,
            name,
            generator,
            number,
            [&Value::Int64(number), &long_zero],
        );
    }
    let number = float(generator);
    let (json, value) = (bits(number.into()), Value::Float32(number));
    put(
        order,
        "float",
        generator,
        json,
        [&value, &Value::Float32(0.0)],
    );
    let number = double(generator);
    let (json, value) = (bits(number), Value::Float64(number));
    put(
        order,
        "double",
        generator,
        json,
        [&value, &Value::Float64(0.0)],
    );
    let no = Value::Boolean(false);
    let flag = generator.random.bool();
    put(order, "flag", generator, flag, [&Value::Boolean(flag), &no]);
}

/// Messages that stand for Connect's logical types.
fn logical(order: &mut Both, generator: &mut Generator) {
    let seconds = generator.random.i64(-62_135_596_800..=253_402_300_799);
    let millis = generator.random.i64(0..1000);
    let json = json!({ "seconds": seconds, "nanos": millis * 1_000_000 });
    let value = Value::Timestamp(seconds * 1000 + millis);
    put(order, "at", generator, json, [&value, &Value::Null]);
    let days = generator.random.i64(DAYS);
    let value = Value::Date(days * MILLIS_PER_DAY);
    put(order, "day", generator, civil(days), [&value, &Value::Null]);
    let millis = generator.random.i64(0..MILLIS_PER_DAY);
    put(
        order,
        "time",
        generator,
        time_of_day(millis),
        [&Value::Time(millis), &Value::Null],
    );
    let (_, price) = decimal(generator, 2);
    let json = decimal_message(&price);
    put(
        order,
        "price",
        generator,
        json,
        [&Value::Decimal(price), &Value::Null],
    );
}

pub(super) fn civil(days: i64) -> Json {
    let day = date(1970, 1, 1) + Span::new().days(days);
    json!({ "year": day.year(), "month": day.month(), "day": day.day() })
}

pub(super) fn time_of_day(millis: i64) -> Json {
    json!({
        "hours": millis / 3_600_000, "minutes": millis / 60_000 % 60, "seconds": millis / 1000 % 60,
        "nanos": millis % 1000 * 1_000_000,
    })
}

pub(super) fn decimal_message(decimal: &bigdecimal::BigDecimal) -> Json {
    let (unscaled, scale) = decimal.as_bigint_and_scale();
    let digits = unscaled.magnitude().to_string().len();
    let value = BASE64.encode(unscaled.to_signed_bytes_be());
    json!({ "value": value, "precision": digits, "scale": scale })
}

fn order(generator: &mut Generator) -> (Json, Json) {
    let mut order = Both::default();
    numbers(&mut order, generator);
    logical(&mut order, generator);
    let note = generator.text();
    put(
        &mut order,
        "note",
        generator,
        note.as_str(),
        [&text(&note), &Value::Null],
    );
    let wrapped = generator.text();
    let json = json!({ "value": wrapped });
    put(
        &mut order,
        "wrapped",
        generator,
        json,
        [&text(&wrapped), &Value::Null],
    );
    let raw = bytes(generator);
    let json = BASE64.encode(&raw);
    let value = Value::Bytes(raw.into());
    put(
        &mut order,
        "raw",
        generator,
        json,
        [&value, &Value::Bytes(Vec::new().into())],
    );
    put(
        &mut order,
        "suit",
        generator,
        "HEARTS",
        [&text("HEARTS"), &text("CLUBS")],
    );
    let (mail, a_line) = (generator.text(), line(generator));
    // Members stand beside the others in the message, in Connect in a struct of their own.
    match generator.random.u32(..3) {
        0 => drop(order.connect.insert("way_0".to_owned(), Json::Null)),
        1 => {
            order.json.insert("mail".to_owned(), json!(mail));
            let way = json!({ "mail": mail, "line": null });
            order.connect.insert("way_0".to_owned(), way);
        }
        _ => {
            order.json.insert("line".to_owned(), a_line.0);
            let way = json!({ "mail": null, "line": a_line.1 });
            order.connect.insert("way_0".to_owned(), way);
        }
    }
    lists(&mut order, generator);
    order.into_pair()
}

fn lists(order: &mut Both, generator: &mut Generator) {
    let tags = some(generator, double);
    let tags = tags
        .into_iter()
        .map(|tag| (bits(tag), exact(&Value::Float64(tag))));
    order.put_some("tags", generator, unzipped(tags), json!([]));
    let packed = some(generator, |generator| generator.random.i32(..));
    let packed = packed
        .into_iter()
        .map(|number| (json!(number), exact(&Value::Int32(number))));
    order.put_some("packed", generator, unzipped(packed), json!([]));
    let lines = some(generator, line);
    order.put_some("lines", generator, unzipped(lines.into_iter()), json!([]));
    let no_entries = map(std::iter::empty());
    let counts = generator.names(4).into_iter().map(|name| {
        let number = generator.random.i32(..);
        [
            (json!(name), json!(name)),
            (json!(number), exact(&Value::Int32(number))),
        ]
    });
    let counts = map_of(counts.collect());
    order.put_some("counts", generator, counts, no_entries.clone());
    let by_number = (0..generator.random.i64(0..4))
        .map(|key| [(json!(key), exact(&Value::Int64(key))), line(generator)]);
    let by_number = map_of(by_number.collect());
    order.put_some("by_number", generator, by_number, no_entries);
}

fn unzipped(pairs: impl Iterator<Item = (Json, Json)>) -> (Json, Json) {
    let (json, connect): (Vec<Json>, Vec<Json>) = pairs.unzip();
    (json.into(), connect.into())
}

#[test]
fn protobuf_records_that_java_wrote_are_read_with_every_value() {
    let Some(kafka) = kafka() else { return };
    let topic = "protobuf-of-java";
    let mut generator = Generator::new(23);
    let orders = (0..RECORDS).map(|_| order(&mut generator));
    let (written, expected): (Vec<Json>, Vec<Json>) = orders.unzip();
    let java = JavaSerializers::protobuf(kafka);
    let records = java.write(topic, &[ORDER, "Outer.Order"], &written);
    // Confluent's indexes: two of them, the second message and in it the third, since Java's text has a
    // message for the map's entries.
    assert_eq!(records[0][5..8], [4, 2, 4]);
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
fn protobuf_records_of_a_topic_that_java_wrote_go_to_a_file() {
    let Some(kafka) = kafka() else { return };
    let topic = "protobuf-first-of-java";
    let java = JavaSerializers::protobuf(kafka);
    let pings = [i64::MIN, 0, i64::MAX].map(|seq| json!({ "seq": seq }));
    let records = java.write(topic, &[ORDER, "Ping"], &pings);
    // Confluent's own serializer writes a single zero.
    assert_eq!(records[0][5..7], [2, 0]);
    let cluster = kafka.shared_cluster();
    cluster.client().create_topic(topic, 1);
    cluster
        .client()
        .produce_values(topic, Compression::NoCompression, records);
    let files = text_sink(cluster, topic, topic, CLASS, &[]);
    let ringmain = files.start();
    let lines = lines_when_there(&files, 3);
    ringmain.stop_cleanly();
    let expected = [i64::MIN, 0, i64::MAX].map(|seq| format!("Struct{{seq={seq}}}"));
    assert_eq!(lines, expected);
}
