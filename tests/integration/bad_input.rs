//! Topics that hold one record of each bad kind: every one is a dead letter of the stage and the exception
//! that Apache's Connect names, the good records arrive, and memory stays bounded.
//!
//! What is smaller has its tests beside the code, and the fuzz targets (`cargo test --lib fuzz::`) look for
//! what nobody thought of.

use crate::common::PATIENCE;
use crate::common::client::{Compression, Record};
use crate::common::pipeline::JSON;
use crate::dead_letters::{Pair, assert_same, record};

const DATA: &str = "org.apache.kafka.connect.errors.DataException";

/// What becomes of a record: `None` if it arrives, else stage and exception of its dead letter.
type Fate = Option<(&'static str, &'static str)>;

const ARRIVES: Fate = None;
const BAD_KEY: Fate = Some(("KEY_CONVERTER", DATA));
const BAD_VALUE: Fate = Some(("VALUE_CONVERTER", DATA));
const BAD_FIELD: Fate = Some(("TRANSFORMATION", DATA));

/// A record by what is the matter with it.
struct Case {
    what: &'static str,
    key: Vec<u8>,
    value: Vec<u8>,
    header: Vec<u8>,
    fate: Fate,
}

fn value(what: &'static str, value: impl Into<Vec<u8>>, fate: Fate) -> Case {
    Case {
        what,
        key: 7_i64.to_be_bytes().to_vec(),
        value: value.into(),
        header: b"1".to_vec(),
        fate,
    }
}

fn key(what: &'static str, key: &[u8], fate: Fate) -> Case {
    Case {
        key: key.to_vec(),
        ..value(what, r#"{"s":"key"}"#, fate)
    }
}

fn header(what: &'static str, header: String) -> Case {
    Case {
        header: header.into_bytes(),
        ..value(what, r#"{"s":"header"}"#, ARRIVES)
    }
}

/// Runs both workers over the cases and compares fates, letters and outputs.
fn compare(pair: &Pair, cases: &[Case], settings: &[(&str, &str)]) {
    let records: Vec<Record> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| Record {
            key: Some(case.key.clone()),
            value: Some(case.value.clone()),
            headers: [("h".to_owned(), case.header.clone())].into(),
            ..record(number, "", "", &[])
        })
        .collect();
    let client = pair.cluster.client();
    client.create_topic(&pair.name, 1);
    for record in records {
        // Together they would be too large for a batch.
        client.produce_records(&pair.name, 0, Compression::NoCompression, vec![record]);
    }
    let expected: Vec<(usize, &Case)> = cases
        .iter()
        .enumerate()
        .filter(|(_, case)| case.fate.is_some())
        .collect();
    let common = [
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ];
    let settings: Vec<_> = common.iter().chain(settings).copied().collect();
    let letters = i64::try_from(expected.len()).unwrap();
    let [apache, ours] = pair.run_both(letters, &settings);
    for ((offset, case), letter) in expected.iter().zip(&ours) {
        let told = (
            letter.header("stage"),
            letter.header("exception.class.name"),
        );
        assert_eq!(letter.header("offset"), offset.to_string(), "{}", case.what);
        assert_eq!(Some(told), case.fate, "{}", case.what);
        assert_eq!(
            letter.value.as_deref(),
            Some(&case.value[..]),
            "{}",
            case.what
        );
    }
    assert_same(&apache, &ours);
    let output = String::from_utf8(pair.output("ringmain")).unwrap();
    assert_eq!(output.lines().count(), cases.len() - expected.len());
}

fn nested(open: &str, inside: &str, close: &str, depth: usize) -> String {
    [&open.repeat(depth), inside, &close.repeat(depth)].concat()
}

/// Texts that are JSON, or nearly.
fn texts() -> Vec<Case> {
    vec![
        value("good", r#"{"n":1,"t":"2024-01-02"}"#, ARRIVES),
        value("cut off in an object", r#"{"n":1"#, BAD_VALUE),
        value("cut off in a text", r#"{"s":"abc"#, BAD_VALUE),
        value("cut off in an escape", r#"{"s":"\u00"#, BAD_VALUE),
        value("a comma too many", r#"{"n":1,}"#, BAD_VALUE),
        value("no JSON", "nope", BAD_VALUE),
        value(
            "a control character",
            b"{\"s\":\"\x01\"}".to_vec(),
            BAD_VALUE,
        ),
        value("arrays 200 000 deep", "[".repeat(200_000), BAD_VALUE),
        value(
            "objects 100 000 deep",
            r#"{"a":"#.repeat(100_000),
            BAD_VALUE,
        ),
        value(
            "closed arrays 1001 deep",
            nested("[", "", "]", 1001),
            BAD_VALUE,
        ),
        value(
            "arrays 900 deep",
            format!(r#"{{"s":{}}}"#, nested("[", "1", "]", 900)),
            ARRIVES,
        ),
        value("no UTF-8", b"{\"s\":\"\xff\xfe\"}".to_vec(), BAD_VALUE),
        value(
            "UTF-8 that is cut off",
            b"{\"s\":\"\xf0\x9f\"}".to_vec(),
            BAD_VALUE,
        ),
        value("a lone surrogate", r#"{"s":"a\ud83db"}"#, ARRIVES),
    ]
}

/// Numbers, and values that are nothing for a transformation.
fn numbers_and_fields() -> Vec<Case> {
    let digits = |count| "7".repeat(count);
    vec![
        value(
            "a number of 1001 digits",
            format!(r#"{{"s":{}}}"#, digits(1001)),
            BAD_VALUE,
        ),
        value(
            "a number of many digits",
            format!(r#"{{"s":{}}}"#, digits(900_000)),
            BAD_VALUE,
        ),
        value(
            "a fraction of many digits",
            format!(r#"{{"s":0.{}}}"#, digits(2000)),
            BAD_VALUE,
        ),
        value("infinite as a double", r#"{"s":1e400}"#, ARRIVES),
        value("infinite, cast to an int", r#"{"n":1e400}"#, ARRIVES),
        value("too large for an int", r#"{"n":99999999999}"#, ARRIVES),
        value("a text that is no int", r#"{"n":"12x"}"#, BAD_FIELD),
        value("a text beyond any int", r#"{"n":"1e400"}"#, BAD_FIELD),
        value("an array for an int", r#"{"n":[1]}"#, BAD_FIELD),
        value("no date", r#"{"t":"the day before"}"#, BAD_FIELD),
        value("a number for a date", r#"{"t":true}"#, BAD_FIELD),
        key("a long of 7 bytes", &[0; 7], BAD_KEY),
        key("a long of 9 bytes", &[0; 9], BAD_KEY),
        key("a long of no bytes", &[], BAD_KEY),
        header("a header 100 000 deep", "[".repeat(100_000)),
        header("a header of many digits", digits(50_000)),
        value("good at the end", r#"{"n":"2","t":"2024-02-30"}"#, ARRIVES),
    ]
}

#[test]
fn every_kind_of_bad_json_bad_number_and_bad_field_is_a_dead_letter_as_apaches() {
    let Some(pair) = Pair::new("bad-json") else {
        return;
    };
    let cases: Vec<_> = texts().into_iter().chain(numbers_and_fields()).collect();
    let settings = [
        (
            "key.converter",
            "org.apache.kafka.connect.converters.LongConverter",
        ),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "false"),
        ("transforms", "number,date"),
        (
            "transforms.number.type",
            "org.apache.kafka.connect.transforms.Cast$Value",
        ),
        ("transforms.number.spec", "n:int32"),
        (
            "transforms.date.type",
            "org.apache.kafka.connect.transforms.TimestampConverter$Value",
        ),
        ("transforms.date.field", "t"),
        ("transforms.date.target.type", "unix"),
        ("transforms.date.format", "yyyy-MM-dd"),
    ];
    compare(&pair, &cases, &settings);
}

fn enveloped(what: &'static str, schema: &str, payload: &str, fate: Fate) -> Case {
    value(
        what,
        format!(r#"{{"schema":{schema},"payload":{payload}}}"#),
        fate,
    )
}

const TEXT: &str = r#"{"type":"string"}"#;

/// Envelopes and the schemas in them.
fn envelopes() -> Vec<Case> {
    let of = enveloped;
    vec![
        of("good", TEXT, r#""x""#, ARRIVES),
        value("no envelope", r#"{"a":1}"#, BAD_VALUE),
        value(
            "a member too many",
            r#"{"schema":null,"payload":1,"c":2}"#,
            BAD_VALUE,
        ),
        value("an array", "[1]", BAD_VALUE),
        of(
            "a type that there is not",
            r#"{"type":"int128"}"#,
            "1",
            BAD_VALUE,
        ),
        of("no type", "{}", "1", BAD_VALUE),
        of(
            "items without a type",
            r#"{"type":"array"}"#,
            "[]",
            BAD_VALUE,
        ),
        of(
            "a schema 1001 deep",
            &r#"{"type":"array","items":"#.repeat(1001),
            "1",
            BAD_VALUE,
        ),
        of(
            "fields that are none",
            r#"{"type":"struct","fields":1}"#,
            "{}",
            BAD_VALUE,
        ),
    ]
}

/// Payloads that are not what their schema says.
fn payloads() -> Vec<Case> {
    let of = enveloped;
    let decimal = r#"{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}}"#;
    let bad_scale = decimal.replace(r#""2""#, r#""x""#);
    let no_scale = r#"{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal"}"#;
    let date = r#"{"type":"int32","name":"org.apache.kafka.connect.data.Date"}"#;
    let time = r#"{"type":"int32","name":"org.apache.kafka.connect.data.Time"}"#;
    let structure = r#"{"type":"struct","fields":[{"field":"a","type":"int32"}]}"#;
    let pairs = r#"{"type":"map","keys":{"type":"int32"},"values":{"type":"int32"}}"#;
    vec![
        of("null where it may not be", TEXT, "null", BAD_VALUE),
        of("a struct that is none", structure, "[1]", BAD_VALUE),
        of("a field that is missing", structure, "{}", BAD_VALUE),
        of("a map of other tuples", pairs, "[[1,2,3]]", BAD_VALUE),
        of("a map of numbers", pairs, "[1]", BAD_VALUE),
        of("no base64", r#"{"type":"bytes"}"#, r#""*""#, BAD_VALUE),
        of("a decimal", decimal, r#""MDk=""#, ARRIVES),
        of(
            "a decimal without a scale",
            no_scale,
            r#""MDk=""#,
            BAD_VALUE,
        ),
        of("a scale that is none", &bad_scale, r#""MDk=""#, BAD_VALUE),
        of("a decimal that is a flag", decimal, "true", BAD_VALUE),
        of("a date that is a text", date, r#""2024""#, BAD_VALUE),
        of("a time beyond the day", time, "86400001", BAD_VALUE),
        of(
            "a number beyond its type",
            r#"{"type":"int8"}"#,
            "300",
            ARRIVES,
        ),
        of(
            "infinite as a float",
            r#"{"type":"float"}"#,
            "1e400",
            ARRIVES,
        ),
        of("good at the end", TEXT, r#""y""#, ARRIVES),
    ]
}

#[test]
fn every_kind_of_bad_envelope_is_a_dead_letter_as_apaches() {
    let Some(pair) = Pair::new("bad-envelope") else {
        return;
    };
    let cases: Vec<_> = envelopes().into_iter().chain(payloads()).collect();
    let settings = [
        (
            "key.converter",
            "org.apache.kafka.connect.converters.LongConverter",
        ),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "true"),
    ];
    compare(&pair, &cases, &settings);
}

#[test]
fn a_decompression_bomb_fails_the_task_by_its_place_and_costs_no_more_than_the_limit() {
    let Some(pair) = Pair::new("bad-bomb") else {
        return;
    };
    let client = pair.cluster.client();
    client.create_topic(&pair.name, 1);
    let good = || vec![record(0, "k", "good", &[])];
    client.produce_records(&pair.name, 0, Compression::NoCompression, good());
    let mut bomb = good();
    bomb[0].value = Some(vec![b'x'; 160 << 20]);
    client.produce_records(&pair.name, 0, Compression::Zstd, bomb);
    let ringmain = pair.launch(&[("errors.tolerance", "all")]);
    let trace = ringmain.wait_until_failed(&pair.name);
    for part in ["bad-bomb", "offset 1", "zstd", "134217728"] {
        assert!(trace.contains(part), "{part} in {trace}");
    }
    assert_eq!(pair.output("ringmain"), b"good\n");
    let peak = ringmain.process().peak_resident_bytes();
    assert!(peak < 320 << 20, "{peak} bytes at its peak");
    ringmain.stop_cleanly();
    client.wait_for_end_offset(&pair.name, 2, PATIENCE);
}
