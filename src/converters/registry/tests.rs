//! The common converter, with Avro, before a registry that does as it is told.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::AvroConverter;
use super::fake_registry::FakeRegistry;
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, Converter, ErrorKind, Schema, SchemaBuilder, SchemaType, Struct, Value,
};
use crate::shard::{RuntimeKind, run};

pub(super) fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
    pairs.iter().map(pair).collect()
}

fn converter(url: &str, more: &[(&str, &str)]) -> AvroConverter {
    let mut pairs = vec![
        ("schema.registry.url", url),
        ("max.retries", "0"),
        ("http.connect.timeout.ms", "2000"),
        ("http.read.timeout.ms", "2000"),
    ];
    pairs.extend_from_slice(more);
    AvroConverter::new(&config(&pairs), false).unwrap()
}

/// Runs `call` until it no longer waits for a look-up, and counts the look-ups.
pub(super) fn resolved<C: Converter + 'static, T: 'static>(
    converter: C,
    mut call: impl FnMut(&mut C) -> Result<T, ConnectError> + 'static,
) -> (C, Result<T, ConnectError>, usize) {
    let converter = RefCell::new(converter);
    let done = run(RuntimeKind::Epoll, None, async move {
        let mut converter = converter.into_inner();
        let mut lookups = 0;
        loop {
            match call(&mut converter) {
                Err(error) if error.is_pending() => {
                    lookups += 1;
                    assert!(lookups < 5, "{error}");
                    converter.resolve().await;
                }
                done => return (converter, done, lookups),
            }
        }
    });
    done.unwrap()
}

fn write(
    converter: AvroConverter,
    topic: &'static str,
    schema: SchemaRef,
    value: Value,
) -> (AvroConverter, Result<Vec<u8>, ConnectError>, usize) {
    resolved(converter, move |converter| {
        let mut out = Vec::new();
        let present = converter.write(topic, Some(&schema), &value, &mut out)?;
        assert!(present);
        Ok(out)
    })
}

fn read(
    converter: AvroConverter,
    bytes: &'static [u8],
) -> (AvroConverter, Result<Value, ConnectError>, usize) {
    resolved(converter, move |converter| {
        converter.read("t", Some(bytes)).map(|read| read.value)
    })
}

fn record(name: &str) -> SchemaRef {
    let field = Schema::required(SchemaType::Int32);
    let builder = SchemaBuilder::structure().name(name);
    builder.field("a", field).unwrap().build()
}

fn record_value(schema: &SchemaRef) -> Value {
    let mut value = Struct::new(SchemaRef::clone(schema)).unwrap();
    value.put("a", Value::Int32(-2)).unwrap();
    Value::Struct(Box::new(value))
}

#[test]
fn a_schema_is_registered_once_and_its_id_stands_in_front_of_the_data() {
    let registry = FakeRegistry::of_schema(7, "AVRO", "");
    let schema = record("x.R");
    let value = record_value(&schema);
    let first = converter(&registry.url, &[("normalize.schemas", "true")]);
    let (again, bytes, lookups) = write(first, "t", SchemaRef::clone(&schema), value.clone());
    assert_eq!((bytes.unwrap(), lookups), (vec![0, 0, 0, 0, 7, 3], 1));
    // An equal schema is the same one.
    let equal = SchemaBuilder::from_schema(&schema).build();
    let value = record_value(&equal);
    let (_, bytes, lookups) = write(again, "t", equal, value);
    assert_eq!((bytes.unwrap().len(), lookups), (6, 0));
    let asked = registry.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let start =
        "POST /subjects/t-value/versions?normalize=true {\"schema\":\"{\\\"type\\\":\\\"record\\\"";
    assert!(asked[0].starts_with(start), "{}", asked[0]);
}

#[test]
fn subjects_follow_the_strategy_and_are_escaped() {
    for (strategy, subject) in [
        ("TopicNameStrategy", "a%2Fb%20c-value"),
        ("RecordNameStrategy", "x.R"),
        ("TopicRecordNameStrategy", "a%2Fb%20c-x.R"),
    ] {
        let registry = FakeRegistry::of_schema(1, "AVRO", "");
        let schema = record("x.R");
        let value = record_value(&schema);
        let own = converter(&registry.url, &[("value.subject.name.strategy", strategy)]);
        let (_, bytes, _) = write(own, "a/b c", schema, value);
        bytes.unwrap();
        let asked = registry.asked();
        let start = format!("POST /subjects/{subject}/versions?");
        assert!(asked[0].starts_with(&start), "{asked:?}");
    }
}

#[test]
fn a_record_is_read_with_two_questions_and_the_next_one_with_none() {
    let schema =
        r#"{"type":"record","name":"R","namespace":"x","fields":[{"name":"a","type":"int"}]}"#;
    let registry = FakeRegistry::of_schema(7, "AVRO", schema);
    let (again, value, lookups) = read(converter(&registry.url, &[]), &[0, 0, 0, 0, 7, 3]);
    let Value::Struct(value) = value.unwrap() else {
        panic!("no struct")
    };
    assert_eq!(value.get("a").unwrap(), &Value::Int32(-2));
    assert_eq!(value.schema.name(), Some("x.R"));
    // The version in the subject becomes the schema's.
    assert_eq!((value.schema.version(), lookups), (Some(1), 1));
    let (_, _, lookups) = read(again, &[0, 0, 0, 0, 7, 5]);
    assert_eq!(lookups, 0);
    let asked = registry.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].starts_with("GET /schemas/ids/7?fetchMaxId=false&subject=t-value"));
    assert!(asked[1].starts_with("POST /subjects/t-value?normalize=false&deleted=true"));
}

#[test]
fn an_unknown_id_is_a_data_error_and_a_flood_of_it_asks_once() {
    let registry = FakeRegistry::of_schema(1, "AVRO", "\"int\"");
    let mut own = converter(&registry.url, &[]);
    for round in 0..3 {
        let (again, value, lookups) = read(own, &[0, 0, 0, 0, 9, 3]);
        let error = value.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert_eq!(lookups, usize::from(round == 0));
        let trace = error.trace();
        for part in [
            "DataException: Failed to deserialize data for topic t to Avro:",
            "Error retrieving Avro value schema for id 9",
            "error code: 40403",
            &registry.url,
        ] {
            assert!(trace.contains(part), "{part} in {trace}");
        }
        own = again;
    }
    assert_eq!(registry.asked().len(), 1);
}

#[test]
fn the_wrong_kind_of_schema_names_both() {
    let registry = FakeRegistry::of_schema(1, "PROTOBUF", "message A {}");
    let (_, value, _) = read(converter(&registry.url, &[]), &[0, 0, 0, 0, 1, 3]);
    let trace = value.unwrap_err().trace();
    assert!(trace.contains("the schema is of type PROTOBUF"), "{trace}");
}

#[test]
fn a_registry_that_is_down_or_busy_is_retriable_and_one_that_is_none_is_not() {
    let kind_of = |url: &str| {
        let (_, value, _) = read(converter(url, &[]), &[0, 0, 0, 0, 1, 3]);
        let error = value.unwrap_err();
        (error.kind(), error.trace())
    };
    let (kind, trace) = kind_of("http://127.0.0.1:1");
    assert_eq!(kind, ErrorKind::Retriable, "{trace}");
    assert!(
        trace.contains("http://127.0.0.1:1/schemas/ids/1"),
        "{trace}"
    );
    let busy = FakeRegistry::serve(|_, _, _| (503, "<html>busy</html>".to_owned()));
    assert_eq!(kind_of(&busy.url).0, ErrorKind::Retriable);
    let html = FakeRegistry::serve(|_, _, _| (200, "<html>welcome</html>".to_owned()));
    let (kind, trace) = kind_of(&html.url);
    assert_eq!(kind, ErrorKind::Data);
    assert!(trace.contains("'<html>welcome</html>'"), "{trace}");
    let (kind, trace) = {
        let slow = FakeRegistry::serve(|_, _, _| {
            std::thread::sleep(std::time::Duration::from_secs(3));
            (200, "{}".to_owned())
        });
        let own = converter(&slow.url, &[("http.read.timeout.ms", "100")]);
        let (_, value, _) = read(own, &[0, 0, 0, 0, 1, 3]);
        let error = value.unwrap_err();
        (error.kind(), error.trace())
    };
    assert_eq!(kind, ErrorKind::Retriable, "{trace}");
}

/// Serves raw bytes to every request, then closes the connection.
fn raw_registry(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|count| count > 0) {
                // Who asked may have gone.
                drop(stream.write_all(&answer(&own)));
            }
        }
    });
    url
}

#[test]
fn answers_that_never_end_or_lead_in_circles_are_bounded_and_named() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let read_from = |url: &str| {
        let start = std::time::Instant::now();
        let own = converter(url, &[("http.read.timeout.ms", "1000")]);
        let (_, value, _) = read(own, &[0, 0, 0, 0, 1, 3]);
        assert!(start.elapsed().as_secs() < 30);
        let error = value.unwrap_err();
        let trace = error.trace();
        assert!(
            trace.contains(url) || trace.contains("schema with id 1"),
            "{trace}"
        );
        assert!(trace.len() < 4096, "{} bytes", trace.len());
        (error.kind(), trace)
    };

    let circle = raw_registry(|own| {
        let head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n";
        format!("{head}Location: {own}/again\r\n\r\n").into_bytes()
    });
    let (kind, trace) = read_from(&circle);
    assert_eq!(kind, ErrorKind::Data, "{trace}");
    assert!(trace.contains("redirect"), "{trace}");

    let truncated = raw_registry(move |_| {
        format!("{ok}Content-Length: 500\r\n\r\n{{\"schema\":\"").into_bytes()
    });
    let (kind, trace) = read_from(&truncated);
    assert_eq!(kind, ErrorKind::Retriable, "{trace}");

    let huge = raw_registry(move |_| {
        let mut answer = format!("{ok}Content-Length: 40000000\r\n\r\n").into_bytes();
        answer.resize(answer.len() + 40_000_000, b' ');
        answer
    });
    let (kind, trace) = read_from(&huge);
    assert_eq!(kind, ErrorKind::Data, "{trace}");
    assert!(trace.contains("limit"), "{trace}");

    let nonsense = raw_registry(|_| b"SSH-2.0-OpenSSH_9.6\r\n\0\xff\xfe\r\n\r\n".to_vec());
    let (kind, trace) = read_from(&nonsense);
    assert_eq!(kind, ErrorKind::Data, "{trace}");

    let deep = FakeRegistry::serve(|_, _, _| (200, "[".repeat(200_000)));
    let (kind, trace) = read_from(&deep.url);
    assert_eq!(kind, ErrorKind::Data, "{trace}");

    let schemas = [
        ["[".repeat(200_000), "]".repeat(200_000)].concat(),
        r#"{"type":"array","items":"#.repeat(5_000) + "\"int\"" + &"}".repeat(5_000),
    ];
    for schema in schemas {
        let registry = FakeRegistry::of_schema(1, "AVRO", &schema);
        let (kind, trace) = read_from(&registry.url);
        assert_eq!(kind, ErrorKind::Data, "{trace}");
    }
}

#[test]
fn references_that_lead_in_a_circle_or_never_end_are_refused() {
    let circle = FakeRegistry::serve(|_, path, _| {
        let (own, other) = if path.starts_with("/subjects/a/") {
            ("A", "b")
        } else {
            ("B", "a")
        };
        let answer = serde_json::json!({
            "schema": format!(r#"{{"type":"record","name":"{own}","fields":[]}}"#),
            "references": [{ "name": other.to_uppercase(), "subject": other, "version": 1 }],
            "version": 1,
        });
        (200, answer.to_string())
    });
    let (_, value, _) = read(converter(&circle.url, &[]), &[0, 0, 0, 0, 1, 3]);
    drop(value);
    assert!(circle.asked().len() < 10, "{:?}", circle.asked());

    let count = Arc::new(AtomicUsize::new(0));
    let endless = FakeRegistry::serve(move |_, _, _| {
        let next = count.fetch_add(1, Ordering::Relaxed);
        let name = format!("R{next}");
        let answer = serde_json::json!({
            "schema": format!(r#"{{"type":"record","name":"{name}","fields":[]}}"#),
            "references": [{ "name": name, "subject": name, "version": 1 }],
            "version": 1,
        });
        (200, answer.to_string())
    });
    let (_, value, _) = read(converter(&endless.url, &[]), &[0, 0, 0, 0, 1, 3]);
    let error = value.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.trace().contains("256"), "{}", error.trace());
    assert!(endless.asked().len() < 300);
}

#[test]
fn the_next_url_is_asked_when_one_does_not_answer() {
    let registry = FakeRegistry::of_schema(1, "AVRO", "\"int\"");
    let urls = format!("http://127.0.0.1:1,{}", registry.url);
    let (_, value, _) = read(converter(&urls, &[]), &[0, 0, 0, 0, 1, 3]);
    assert_eq!(value.unwrap(), Value::Int32(-2));
}

#[test]
fn a_request_is_sent_again_as_often_as_configured() {
    let count = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&count);
    let registry =
        FakeRegistry::serve(
            move |_, _, _| match theirs.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => (500, String::new()),
                _ => (200, r#"{"schema":"\"int\"","version":1}"#.to_owned()),
            },
        );
    let retries = [("max.retries", "2"), ("retries.wait.ms", "1")];
    let mut pairs = vec![("schema.registry.url", registry.url.as_str())];
    pairs.extend_from_slice(&retries);
    let own = AvroConverter::new(&config(&pairs), false).unwrap();
    let (_, value, _) = read(own, &[0, 0, 0, 0, 1, 3]);
    assert_eq!(value.unwrap(), Value::Int32(-2));
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

#[test]
fn without_registration_a_missing_schema_says_what_to_do() {
    let registry = FakeRegistry::serve(|_, _, _| {
        (
            404,
            r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned(),
        )
    });
    let schema = record("x.R");
    let value = record_value(&schema);
    let own = converter(&registry.url, &[("auto.register.schemas", "false")]);
    let (_, bytes, _) = write(own, "t", schema, value);
    let error = bytes.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let trace = error.trace();
    assert!(trace.contains("of subject t-value"), "{trace}");
    assert!(trace.contains("auto.register.schemas=false"), "{trace}");
    assert!(
        registry.asked()[0].starts_with("POST /subjects/t-value?normalize=false&deleted=false")
    );
}

#[test]
fn the_latest_schema_is_written_when_it_can_read_the_records_own() {
    let latest = |fields: &str| {
        let schema =
            format!(r#"{{"type":"record","name":"R","namespace":"x","fields":[{fields}]}}"#);
        FakeRegistry::serve(move |_, _, _| {
            let answer = serde_json::json!({ "id": 3, "version": 2, "schema": schema });
            (200, answer.to_string())
        })
    };
    let settings = [
        ("auto.register.schemas", "false"),
        ("use.latest.version", "true"),
    ];
    let schema = record("x.R");
    let fits = latest(r#"{"name":"b","type":"string","default":"hi"},{"name":"a","type":"long"}"#);
    let (_, bytes, _) = write(
        converter(&fits.url, &settings),
        "t",
        SchemaRef::clone(&schema),
        record_value(&schema),
    );
    assert_eq!(bytes.unwrap(), [0, 0, 0, 0, 3, 4, b'h', b'i', 3]);
    let lacks = latest(r#"{"name":"a","type":"string"}"#);
    let (_, bytes, _) = write(
        converter(&lacks.url, &settings),
        "t",
        SchemaRef::clone(&schema),
        record_value(&schema),
    );
    let trace = bytes.unwrap_err().trace();
    assert!(
        trace.contains("latest.compatibility.strict=false"),
        "{trace}"
    );
    assert!(trace.contains("a: string cannot read int"), "{trace}");
}

#[test]
fn null_is_kafkas_null_without_a_question() {
    let mut own = converter("http://127.0.0.1:1", &[]);
    let mut out = Vec::new();
    assert!(!own.write("t", None, &Value::Null, &mut out).unwrap());
    let optional = Schema::optional(SchemaType::String);
    assert!(
        !own.write("t", Some(&optional), &Value::Null, &mut out)
            .unwrap()
    );
    assert_eq!(own.read("t", None).unwrap().value, Value::Null);
    let required = Schema::required(SchemaType::String);
    let error = own
        .write("t", Some(&required), &Value::Null, &mut out)
        .unwrap_err();
    assert_eq!(error.message(), "Found null value for non-optional schema");
}

#[test]
fn references_are_fetched_those_first_that_others_need() {
    let registry = FakeRegistry::serve(|_, path, _| {
        let record = |name: &str, kind: &str| {
            format!(
                r#"{{"type":"record","name":"{name}","fields":[{{"name":"f","type":"{kind}"}}]}}"#
            )
        };
        let reference = |name: &str| serde_json::json!([{ "name": name, "subject": name.to_lowercase(), "version": 1 }]);
        let answer = if path.starts_with("/subjects/c/") {
            serde_json::json!({ "schema": record("C", "int") })
        } else if path.starts_with("/subjects/b/") {
            serde_json::json!({ "schema": record("B", "C"), "references": reference("C") })
        } else {
            serde_json::json!({
                "schema": record("A", "B"), "references": reference("B"), "version": 4,
            })
        };
        (200, answer.to_string())
    });
    let (_, value, _) = read(converter(&registry.url, &[]), &[0, 0, 0, 0, 1, 3]);
    let text = crate::api::data::text::to_text(&value.unwrap());
    assert_eq!(text, "Struct{f=Struct{f=Struct{f=-2}}}");
}

#[test]
fn it_converts_no_headers() {
    let error = AvroConverter::for_headers(&ConfigMap::new()).err().unwrap();
    assert!(error.message().contains("header.converter"), "{error}");
}
