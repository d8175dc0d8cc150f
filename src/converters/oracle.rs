//! Each fixture line against the converter here: what Apache's classes gave is what ours must give
//! (see `tests/oracle/README.md`).

use std::collections::VecDeque;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bigdecimal::BigDecimal;

use super::*;
use crate::api::data::{SchemaRef, java_hash, text};
use crate::api::{
    ConfigMap, ConnectError, HeaderConverter, Schema, SchemaAndValue, SchemaType, Struct, Value,
};

/// Answers that Java 17 gives and Java 19, which prints the shortest digits of a float, does not.
const OLD_JAVA: [(&str, &str); 3] = [
    ("f32 2.14748365E9", "f32 2.1474836E9"),
    ("f32 1.23456792E8", "f32 1.2345679E8"),
    ("f32 1.17549435E-38", "f32 1.1754944E-38"),
];

#[test]
fn json_converter_reads_as_apache_s() {
    check(include_str!("fixtures/json_read.tsv"));
}

#[test]
fn converters_write_as_apache_s() {
    check(include_str!("fixtures/write.tsv"));
}

#[test]
fn simple_converters_read_and_write_as_apache_s() {
    check(include_str!("fixtures/others.tsv"));
}

#[test]
fn simple_header_converter_reads_and_writes_as_apache_s() {
    check(include_str!("fixtures/header.tsv"));
}

/// On a thread with room to print 1000 nested values without optimisation.
fn check(fixture: &'static str) {
    let room = std::thread::Builder::new().stack_size(64 << 20);
    room.spawn(|| compare(fixture)).unwrap().join().unwrap();
}

fn compare(fixture: &str) {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in fixture.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [operation, class, config, input, expected] = columns[..] else {
            panic!("five columns: {line}");
        };
        let answer = match ask(operation, class, config, input) {
            Ok(answer) => answer,
            Err(error) => format!("! {} {}", error.java_class(), encoded(error.message())),
        };
        checked += 1;
        if answer != comparable(expected) {
            wrong.push(format!(
                "{operation} {class} [{config}] {}\n  apache {}\n  ours   {}\n",
                readable(input),
                readable(expected),
                readable(&answer)
            ));
        }
    }
    let shown = wrong
        .iter()
        .take(60)
        .map(String::as_str)
        .collect::<String>();
    assert!(
        wrong.is_empty(),
        "{} of {checked} differ:\n{shown}",
        wrong.len()
    );
}

fn comparable(answer: &str) -> String {
    OLD_JAVA
        .iter()
        .fold(answer.to_owned(), |answer, (old, new)| {
            answer.replace(old, new)
        })
}

/// An answer with its base64 parts shown as text.
fn readable(answer: &str) -> String {
    let mut shown: String = answer
        .split_inclusive([' ', ';', ':', '=', ']'])
        .map(|part| {
            match part
                .strip_suffix('.')
                .and_then(|part| BASE64.decode(part).ok())
            {
                Some(bytes) => format!("{:?}", String::from_utf8_lossy(&bytes)),
                None => part.to_owned(),
            }
        })
        .collect();
    shown.truncate(shown.floor_char_boundary(400));
    shown
}

fn ask(operation: &str, class: &str, config: &str, input: &str) -> Result<String, ConnectError> {
    let mut map = ConfigMap::new();
    for entry in config.split(' ').filter(|entry| !entry.is_empty()) {
        let (key, value) = entry.split_once('=').unwrap();
        let value = String::from_utf8(BASE64.decode(value).unwrap()).unwrap();
        map.insert(key.to_owned(), Some(value));
    }
    let mut converter = header_converter(class, &map)?;
    let mut input: VecDeque<&str> = input.split(' ').collect();
    if operation == "read" {
        let bytes = bytes(input.pop_front().unwrap());
        let read = converter.read_header("topic", "header", bytes.as_deref())?;
        return Ok(show_read(&read));
    }
    let schema = schema(input.pop_front().unwrap())?;
    let value = value(&mut input)?;
    let mut out = Vec::new();
    let present = converter.write_header("topic", "header", schema.as_ref(), &value, &mut out)?;
    Ok(if present {
        format!("{}.", BASE64.encode(&out))
    } else {
        "null".to_owned()
    })
}

fn header_converter(
    class: &str,
    config: &ConfigMap,
) -> Result<Box<dyn HeaderConverter>, ConnectError> {
    if class == "SimpleHeaderConverter" {
        return Ok(Box::new(SimpleHeaderConverter::in_zone(
            jiff::tz::TimeZone::UTC,
        )));
    }
    let plugin = ALL
        .iter()
        .find(|plugin| plugin.aliases[0] == class)
        .unwrap();
    (plugin.header_converter)(config)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    text.strip_suffix('.')
        .map(|text| BASE64.decode(text).unwrap())
}

fn decoded(text: &str) -> String {
    String::from_utf8(bytes(text).unwrap()).unwrap()
}

fn encoded(text: &str) -> String {
    format!("{}.", BASE64.encode(text))
}

fn schema(text: &str) -> Result<Option<SchemaRef>, ConnectError> {
    let Some(json) = bytes(text) else {
        return Ok(None);
    };
    let content = String::from_utf8(json).unwrap();
    let mut config = ConfigMap::new();
    config.insert("schema.content".into(), Some(content));
    Ok(JsonConverter::new(&config, false)?
        .content_schema()
        .cloned())
}

fn value(input: &mut VecDeque<&str>) -> Result<Value, ConnectError> {
    let kind = input.pop_front().unwrap();
    if kind == "n" {
        return Ok(Value::Null);
    }
    let first = input.pop_front().unwrap();
    Ok(match kind {
        "bool" => Value::Boolean(first == "true"),
        "i8" => Value::Int8(first.parse().unwrap()),
        "i16" => Value::Int16(first.parse().unwrap()),
        "i32" => Value::Int32(first.parse().unwrap()),
        "i64" => Value::Int64(first.parse().unwrap()),
        "f32" => Value::Float32(first.parse().unwrap()),
        "f64" => Value::Float64(first.parse().unwrap()),
        "s" => Value::String(decoded(first)),
        "y" => Value::Bytes(bytes(first).unwrap().into()),
        "d" => {
            let scale = input.pop_front().unwrap().parse().unwrap();
            Value::Decimal(BigDecimal::new(first.parse().unwrap(), scale))
        }
        "date" => Value::Timestamp(first.parse().unwrap()),
        "a" => {
            let items = (0..first.parse().unwrap()).map(|_: usize| value(input));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        "m" => {
            let entries = (0..first.parse().unwrap())
                .map(|_: usize| Ok((value(input)?, value(input)?)))
                .collect::<Result<Vec<_>, ConnectError>>();
            let mut entries = entries?;
            java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
            Value::Map(entries)
        }
        "st" => {
            let mut inner = Struct::new(schema(first)?.unwrap())?;
            for index in 0..inner.values.len() {
                let field = value(input)?;
                if !field.is_null() {
                    inner.put_at(index, field)?;
                }
            }
            Value::Struct(Box::new(inner))
        }
        other => panic!("{other}"),
    })
}

fn show_read(read: &SchemaAndValue) -> String {
    let schema = read.schema.as_deref();
    format!("{} {}", show_schema(schema), show(&read.value))
}

fn show(value: &Value) -> String {
    let java = || text::to_text(value);
    match value {
        Value::Null => "n".to_owned(),
        Value::Boolean(_) => format!("bool {}", java()),
        Value::Int8(_) => format!("i8 {}", java()),
        Value::Int16(_) => format!("i16 {}", java()),
        Value::Int32(_) => format!("i32 {}", java()),
        Value::Int64(_) => format!("i64 {}", java()),
        Value::Float32(_) => format!("f32 {}", java()),
        Value::Float64(_) => format!("f64 {}", java()),
        Value::String(text) => format!("s {}", encoded(text)),
        Value::Bytes(bytes) => format!("y {}.", BASE64.encode(bytes)),
        Value::Decimal(number) => {
            let (unscaled, scale) = number.as_bigint_and_scale();
            format!("d {unscaled} {scale}")
        }
        Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
            format!("date {millis}")
        }
        Value::Array(items) => {
            let mut out = format!("a {}", items.len());
            for item in items {
                write!(out, " {}", show(item)).unwrap();
            }
            out
        }
        Value::Map(entries) => {
            let mut out = format!("m {}", entries.len());
            for (key, item) in entries {
                write!(out, " {} {}", show(key), show(item)).unwrap();
            }
            out
        }
        Value::Struct(inner) => {
            let mut out = "st".to_owned();
            for item in &inner.values {
                write!(out, " {}", show(item)).unwrap();
            }
            out
        }
    }
}

fn show_schema(schema: Option<&Schema>) -> String {
    let Some(schema) = schema else {
        return "-".to_owned();
    };
    let mut out = schema.kind().name().to_owned();
    if schema.is_optional() {
        out.push('?');
    }
    if let Some(name) = schema.name() {
        write!(out, "[name={}]", encoded(name)).unwrap();
    }
    if let Some(version) = schema.version() {
        write!(out, "[version={version}]").unwrap();
    }
    if let Some(doc) = schema.doc() {
        write!(out, "[doc={}]", encoded(doc)).unwrap();
    }
    for (key, value) in schema.parameters().into_iter().flatten() {
        write!(out, "[{}={}]", encoded(key), encoded(value)).unwrap();
    }
    if let Some(default) = schema.default() {
        write!(out, "[default={}]", show(default).replace(' ', "_")).unwrap();
    }
    let part = |part: Option<&SchemaRef>| show_schema(part.map(|part| &**part));
    match schema.kind() {
        SchemaType::Array => write!(out, "<{}>", part(schema.value_schema())).unwrap(),
        SchemaType::Map => {
            let (keys, values) = (part(schema.key_schema()), part(schema.value_schema()));
            write!(out, "<{keys},{values}>").unwrap();
        }
        SchemaType::Struct => {
            out.push('{');
            for field in schema.fields() {
                write!(
                    out,
                    "{}:{};",
                    encoded(&field.name),
                    show_schema(Some(&field.schema))
                )
                .unwrap();
            }
            out.push('}');
        }
        _ => {}
    }
    out
}
