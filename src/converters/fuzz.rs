//! Damaged data before each converter without a registry: values, headers and schemas in envelopes.

use proptest::prelude::*;

use super::list::{ALL, ConverterPlugin};
use super::{JsonConverter, SimpleHeaderConverter};
use crate::api::data::text;
use crate::api::{ConfigMap, Converter, HeaderConverter, SchemaAndValue};
use crate::fuzz::{Blob, Outcome, bounded, mutated, samples, search};

const PLAIN: &[&str] = &[
    r#"{"a":1,"b":"text","c":null,"d":[1,2.5,{"e":"\u0041\\\n"}],"a":true}"#,
    r#"[9223372036854775808,-0,0.1e-7,"ключ 😀",{"":{}}]"#,
    "\u{feff} 17 ",
    "\"text\"",
];

const ENVELOPED: &[&str] = &[
    r#"{"schema":{"type":"struct","name":"S","version":1,"fields":[{"field":"a","type":"int32"},{"field":"b","type":"string","optional":true,"default":"x"},{"field":"c","type":"array","items":{"type":"double"}}]},"payload":{"a":1,"b":null,"c":[1,2.5]}}"#,
    r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}},"payload":"MDk="}"#,
    r#"{"schema":{"type":"map","keys":{"type":"int64"},"values":{"type":"bytes"}},"payload":[[1,"MDk="],[2,"AA=="]]}"#,
    r#"{"schema":{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"},"payload":1700000000123}"#,
    r#"{"schema":{"type":"int32","name":"org.apache.kafka.connect.data.Date","default":12},"payload":null}"#,
    r#"{"schema":{"type":"map","keys":{"type":"string"},"values":{"type":"float"}},"payload":{"a":1e39}}"#,
];

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
    pairs.iter().map(pair).collect()
}

/// What was read prints and is written again.
fn is_sound(read: &SchemaAndValue, converter: &mut dyn Converter) -> Outcome {
    let mut out = Vec::new();
    text::append(&read.value, &mut out);
    let mut written = Vec::new();
    // Java lets values pass that do not fit their schema, and finds them here.
    let done = converter.write("t", read.schema.as_ref(), &read.value, &mut written);
    prop_assert!(done.is_ok_and(|present| present) || written.is_empty());
    Ok(())
}

fn json_of(settings: &[(&str, &str)], bytes: &[u8]) -> Outcome {
    let mut json = JsonConverter::new(&config(settings), false).unwrap();
    let read = bounded(bytes.len(), || json.read("t", Some(bytes)))?;
    let mut road = Vec::new();
    let by_text = bounded(bytes.len(), || json.read_text("t", bytes, &mut road))?;
    match (&read, by_text) {
        (Ok(read), Ok(())) => {
            let mut expected = Vec::new();
            text::append(&read.value, &mut expected);
            prop_assert_eq!(
                road.escape_ascii().to_string(),
                expected.escape_ascii().to_string()
            );
            is_sound(read, &mut json)
        }
        (Err(read), Err(by_text)) => {
            prop_assert_eq!(read.trace(), by_text.trace());
            prop_assert!(!read.message().is_empty());
            Ok(())
        }
        (read, by_text) => Err(TestCaseError::fail(format!("{read:?} but {by_text:?}"))),
    }
}

#[test]
fn damaged_json_without_schemas_is_a_value_or_an_error_on_both_roads() {
    search(
        1500,
        || mutated(samples(PLAIN)),
        |bytes| json_of(&[("schemas.enable", "false")], &bytes),
    );
}

#[test]
fn damaged_envelopes_are_a_value_or_an_error_on_both_roads() {
    search(
        1500,
        || mutated(samples(ENVELOPED)),
        |bytes| {
            json_of(&[("decimal.format", "NUMERIC")], &bytes)?;
            json_of(&[("replace.null.with.default", "false")], &bytes)
        },
    );
}

#[test]
fn a_damaged_schema_content_is_a_schema_or_an_error() {
    let schemas = || {
        let schema = |text: &&str| {
            let end = text.find(",\"payload\"").unwrap();
            text.as_bytes()["{\"schema\":".len()..end].to_vec()
        };
        let text = |bytes: Blob| String::from_utf8_lossy(&bytes).into_owned();
        mutated(ENVELOPED.iter().map(schema).collect())
            .prop_map(text)
            .boxed()
    };
    search(500, schemas, |text| {
        let settings = config(&[("schema.content", &text)]);
        let made = bounded(text.len(), || JsonConverter::new(&settings, false))?;
        if let Ok(mut json) = made {
            drop(bounded(text.len(), || {
                json.read("t", Some(b"[{\"a\":1}]"))
            })?);
        }
        Ok(())
    });
}

/// Settings with which a converter of values can be made without a registry.
fn plain_converters() -> impl Iterator<Item = &'static ConverterPlugin> {
    let registered = |plugin: &&ConverterPlugin| !plugin.class.starts_with("io.confluent.");
    ALL.iter().filter(registered)
}

#[test]
fn any_bytes_are_a_value_or_an_error_of_each_converter_and_as_a_header() {
    let bytes = || {
        let numbers: [&[u8]; 6] = [
            &[1],
            &[0, 1],
            &[0, 0, 0, 1],
            &[0x7f; 8],
            &[0xff; 8],
            b"[1,\"a\"]",
        ];
        mutated(numbers.map(<[u8]>::to_vec).to_vec())
    };
    search(400, bytes, |bytes| {
        for plugin in plain_converters() {
            let none = ConfigMap::new();
            if let Some(new) = plugin.converter {
                let mut converter = new(&none, false).unwrap();
                let read = bounded(bytes.len(), || converter.read("t", Some(&bytes)))?;
                match read {
                    Ok(read) => is_sound(&read, &mut *converter)?,
                    Err(error) => prop_assert!(!error.message().is_empty()),
                }
            }
            let mut header = (plugin.header_converter)(&none).unwrap();
            drop(bounded(bytes.len(), || {
                header.read_header("t", "h", Some(&bytes))
            })?);
        }
        Ok(())
    });
}

const HEADERS: &[&str] = &[
    "[1, 2, 300, 70000]",
    "{\"a\": [1.5, 2], \"b\": null}",
    "2024-01-02T03:04:05.678Z",
    "{1: true, 2: \"2024-01-02\"}",
    "12:13:14.678Z",
    "[\"a\\\"b\", \"c\", null]",
    "-1.25e10",
    "[[[[]]], {}]",
];

#[test]
fn a_damaged_header_is_a_value_that_is_written_as_a_text_again() {
    search(
        2000,
        || mutated(samples(HEADERS)),
        |bytes| {
            let mut headers = SimpleHeaderConverter::new(&ConfigMap::new()).unwrap();
            let read =
                bounded(bytes.len(), || headers.read_header("t", "h", Some(&bytes)))?.unwrap();
            let mut out = Vec::new();
            let (schema, value) = (read.schema.as_ref(), &read.value);
            bounded(bytes.len(), || {
                headers.write_header("t", "h", schema, value, &mut out)
            })?
            .unwrap();
            Ok(())
        },
    );
}
