//! Offsets, topics and loggers over a real herder, a real shard and the embedded log.

use serde_json::{Value, json};

use super::front::FrontSettings;
use super::tests::{Answer, Fixture};

const STOPPED_FIRST: &str = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/src/stop' endpoint";

/// A worker that commits often, with a file of three lines and a source that reads it into topic `t`.
fn with_source(more: &str) -> Fixture {
    let more = format!("offset.flush.interval.ms=50\n{more}");
    let fixture = Fixture::start_with(FrontSettings::default(), &more);
    let file = fixture.dir.path().join("in.txt");
    std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
    let config = json!({"connector.class": "FileStreamSource", "topic": "t", "file": file});
    create(&fixture, "src", &config, "RUNNING");
    fixture.wait("/connectors/src/offsets", |offsets| {
        offsets["offsets"][0]["offset"]["position"] == 14
    });
    fixture
}

fn create(fixture: &Fixture, name: &str, config: &Value, state: &str) {
    let body = json!({"name": name, "config": config, "initial_state": state}).to_string();
    let made = fixture.call("POST", "/connectors", &body);
    assert_eq!(made.status, 201, "{made:?}");
}

fn stop(fixture: &Fixture, name: &str) {
    let stopped = fixture.call("PUT", &format!("/connectors/{name}/stop"), "");
    assert_eq!(stopped.status, 204);
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, answer.message())
}

fn altered() -> (u16, String) {
    let text = "The offsets for this connector have been altered successfully";
    (200, text.to_owned())
}

#[test]
fn offsets_of_a_source_are_read_altered_and_reset_when_it_is_stopped() {
    let fixture = with_source("");
    let path = "/connectors/src/offsets";
    let file = fixture.dir.path().join("in.txt").display().to_string();
    let at = |position: Value| json!({"offsets": [{"partition": {"filename": file}, "offset": {"position": position}}]});
    assert_eq!(fixture.get(path).json(), at(json!(14)));
    let body = at(json!(4)).to_string();
    let refused = (400, STOPPED_FIRST.to_owned());
    assert_eq!(told(&fixture.call("PATCH", path, &body)), refused);
    assert_eq!(told(&fixture.call("DELETE", path, "")), refused);
    fixture.call("PUT", "/connectors/src/pause", "");
    assert_eq!(told(&fixture.call("DELETE", path, "")), refused);

    stop(&fixture, "src");
    // The stop is not over: the change waits for the task's last commit.
    assert_eq!(told(&fixture.call("PATCH", path, &body)), altered());
    assert_eq!(fixture.get(path).json(), at(json!(4)));
    let texts = [
        (
            at(json!(-1)),
            "The value for the 'position' key in the offset should be a non-negative value",
        ),
        (
            at(json!(1.0)),
            "The value for the 'position' key in the offset is expected to be a Long value",
        ),
        (
            at(json!([1])),
            "Offsets may only contain primitive types as values, but field position contains ARRAY",
        ),
        (
            at(json!(u64::MAX)),
            "Offsets may only contain primitive types as values, but field position contains class java.math.BigInteger",
        ),
    ];
    for (body, text) in texts {
        let refused = fixture.call("PATCH", path, &body.to_string());
        assert_eq!(told(&refused), (500, text.to_owned()));
    }
    assert_eq!(fixture.get(path).json(), at(json!(4)));

    // It goes on from there.
    fixture.call("PUT", "/connectors/src/resume", "");
    fixture.wait(path, |offsets| *offsets == at(json!(14)));
    stop(&fixture, "src");
    let reset = "The offsets for this connector have been reset successfully";
    for _ in 0..2 {
        let answer = fixture.call("DELETE", path, "");
        assert_eq!(told(&answer), (200, reset.to_owned()));
        assert_eq!(fixture.get(path).body, r#"{"offsets":[]}"#);
    }
}

#[test]
fn offsets_of_a_sink_are_those_of_its_consumer_group() {
    let fixture = with_source("");
    let file = fixture.dir.path().join("out.txt");
    let config = json!({"connector.class": "FileStreamSink", "topics": "t", "file": file});
    create(&fixture, "snk", &config, "RUNNING");
    let path = "/connectors/snk/offsets";
    let at = |offset: Value| {
        json!({"offsets": [
            {"partition": {"kafka_partition": 0, "kafka_topic": "t"}, "offset": offset},
        ]})
    };
    let three = fixture.wait(path, |offsets| *offsets != json!({"offsets": []}));
    assert_eq!(three, at(json!({"kafka_offset": 3})));
    stop(&fixture, "snk");
    let body = at(json!({"kafka_offset": "1"})).to_string();
    assert_eq!(told(&fixture.call("PATCH", path, &body)), altered());
    assert_eq!(fixture.get(path).json(), at(json!({"kafka_offset": 1})));
    let wrong = at(json!({"kafka_offset": "x"})).to_string();
    let refused = fixture.call("PATCH", path, &wrong);
    assert!(
        refused.status == 400 && refused.message().contains("'x'"),
        "{refused:?}"
    );
    let unknown = r#"{"offsets":[{"partition":{"kafka_partition":7,"kafka_topic":"t"},"offset":{"kafka_offset":1}}]}"#;
    let failed = "Failed to alter consumer group offsets for connector snk";
    let refused = fixture.call("PATCH", path, unknown);
    assert_eq!(told(&refused), (500, failed.to_owned()));

    std::fs::write(&file, "").unwrap();
    fixture.call("PUT", "/connectors/snk/resume", "");
    fixture.wait(path, |offsets| *offsets == at(json!({"kafka_offset": 3})));
    stop(&fixture, "snk");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two\nthree\n");
    assert_eq!(
        fixture
            .call("PATCH", path, &at(Value::Null).to_string())
            .status,
        200
    );
    assert_eq!(fixture.get(path).body, r#"{"offsets":[]}"#);
    let reset = "The offsets for this connector have been reset successfully";
    let answer = fixture.call("DELETE", path, "");
    assert_eq!(told(&answer), (200, reset.to_owned()));
}

#[test]
fn offsets_that_no_connector_confirms_are_changed_with_a_warning() {
    let fixture = Fixture::start();
    let class = "org.apache.kafka.connect.tools.MockSourceConnector";
    create(
        &fixture,
        "src",
        &json!({"connector.class": class}),
        "STOPPED",
    );
    let path = "/connectors/src/offsets";
    let body = r#"{"offsets":[{"partition":{"b":1,"a":2},"offset":{"o":1}},{"partition":{"a":2,"b":1},"offset":{"o":2}},{"partition":null,"offset":{"o":3}}]}"#;
    let text = |verb: &str| {
        format!(
            "The Connect framework-managed offsets for this connector have been {verb} successfully. However, \
             if this connector manages offsets externally, they will need to be manually {verb} in the system \
             that the connector uses."
        )
    };
    let answer = fixture.call("PATCH", path, body);
    assert_eq!(told(&answer), (200, text("altered")));
    let stored = json!({"offsets": [{"partition": {"b": 1, "a": 2}, "offset": {"o": 2}}]});
    assert_eq!(fixture.get(path).json(), stored);
    // Offsets survive the connector.
    assert_eq!(fixture.call("DELETE", "/connectors/src", "").status, 204);
    assert_eq!(fixture.get(path).status, 404);
    create(
        &fixture,
        "src",
        &json!({"connector.class": class}),
        "stopped",
    );
    assert_eq!(fixture.get(path).json(), stored);
    let answer = fixture.call("DELETE", path, "");
    assert_eq!(told(&answer), (200, text("reset")));
}

#[test]
fn requests_for_offsets_of_a_wrong_shape_are_refused_as_kafka_does() {
    let fixture = Fixture::start();
    let entities = "org.apache.kafka.connect.runtime.rest.entities";
    let null = |call: &str, variable: &str| {
        format!("Cannot invoke \"{entities}.{call}\" because \"{variable}\" is null")
    };
    let none = "Partitions / offsets need to be provided for an alter offsets request".to_owned();
    let one = r#"{"offsets":[{"partition":{},"offset":null}]}"#;
    let cases = [
        (
            "PATCH",
            "",
            500,
            null("ConnectorOffsets.offsets()", "offsets"),
        ),
        ("PATCH", "{}", 400, none.clone()),
        ("PATCH", r#"{"offsets":[]}"#, 400, none),
        (
            "PATCH",
            r#"{"offsets":[null]}"#,
            500,
            null("ConnectorOffset.partition()", "offset"),
        ),
        ("PATCH", one, 404, "Connector c not found".to_owned()),
        ("DELETE", "", 404, "Connector c not found".to_owned()),
        ("GET", "", 404, "Connector c not found".to_owned()),
    ];
    for (method, body, status, message) in cases {
        let answer = fixture.call(method, "/connectors/c/offsets", body);
        assert_eq!(told(&answer), (status, message), "{method} {body}");
    }
}

#[test]
fn topics_are_tracked_until_they_are_reset() {
    let fixture = with_source("");
    let path = "/connectors/src/topics";
    let used = r#"{"src":{"topics":["t"]}}"#;
    assert_eq!(fixture.get(path).body, used);
    let unknown = fixture.get("/connectors/unknown/topics");
    assert_eq!(
        (unknown.status, unknown.body.as_str()),
        (200, r#"{"unknown":{"topics":[]}}"#)
    );
    let reset = fixture.call("PUT", "/connectors/src/topics/reset", "");
    assert_eq!((reset.status, reset.body.as_str()), (202, ""));
    assert_eq!(fixture.get(path).body, r#"{"src":{"topics":[]}}"#);
    let file = fixture.dir.path().join("in.txt");
    std::fs::write(&file, "one\ntwo\nthree\nfour\n").unwrap();
    let used: Value = serde_json::from_str(used).unwrap();
    fixture.wait(path, |topics| *topics == used);
    let config = json!({"connector.class": "FileStreamSink", "topics": "t", "file": fixture.dir.path().join("out")});
    create(&fixture, "snk", &config, "RUNNING");
    fixture.wait("/connectors/snk/topics", |topics| {
        *topics == json!({"snk": {"topics": ["t"]}})
    });
}

#[test]
fn topic_tracking_and_its_reset_can_be_forbidden() {
    let fixture = with_source("topic.tracking.allow.reset=false\n");
    assert_eq!(fixture.get("/connectors/src/topics").status, 200);
    let reset = fixture.call("PUT", "/connectors/src/topics/reset", "");
    let forbidden = |text: &str| (403, text.to_owned());
    assert_eq!(told(&reset), forbidden("Topic tracking reset is disabled."));
    let fixture = with_source("topic.tracking.enable=false\n");
    let disabled = forbidden("Topic tracking is disabled.");
    assert_eq!(told(&fixture.get("/connectors/src/topics")), disabled);
    let reset = fixture.call("PUT", "/connectors/src/topics/reset", "");
    assert_eq!(told(&reset), disabled);
    assert!(fixture.context.shared.active_topics.of("src").is_empty());
}

#[test]
fn log_levels_are_listed_and_set_by_javas_names() {
    let fixture = Fixture::start();
    let sink = "org.apache.kafka.connect.runtime.WorkerSinkTask";
    let path = format!("/admin/loggers/{sink}");
    let at = |level: &str, modified: &str| {
        format!(r#"{{"level":"{level}","last_modified":{modified}}}"#)
    };
    assert_eq!(fixture.get("/admin/loggers/root").body, at("INFO", "null"));
    assert_eq!(fixture.get(&path).body, at("INFO", "null"));
    let changed = fixture.call("PUT", &path, r#"{"level":"debug"}"#);
    let names = format!(r#"["{sink}","ringmain::task::sink"]"#);
    assert_eq!((changed.status, changed.body), (200, names));
    let modified = fixture.get(&path).json()["last_modified"].as_i64().unwrap();
    assert!(modified > 1_700_000_000_000);
    let again = fixture.call(
        "PUT",
        &format!("{path}?scope=Worker"),
        r#"{"level":"DEBUG"}"#,
    );
    assert_eq!(again.body, "[]");
    assert_eq!(fixture.get(&path).body, at("DEBUG", &modified.to_string()));
    let cluster = fixture.call(
        "PUT",
        "/admin/loggers/root?scope=cluster",
        r#"{"level":"WARN"}"#,
    );
    assert_eq!((cluster.status, cluster.body.as_str()), (204, ""));
    let all = fixture.get("/admin/loggers").json();
    assert!(
        all.as_object()
            .unwrap()
            .values()
            .all(|logger| logger["level"] == "WARN")
    );
    let odd = fixture.call(
        "PUT",
        "/admin/loggers/ringmain::rest?scope=moon",
        r#"{"level":"info"}"#,
    );
    let rest = "org.apache.kafka.connect.runtime.rest.RestServer";
    assert_eq!(odd.json(), json!([rest, "ringmain::rest"]));
}

#[test]
fn requests_for_log_levels_that_make_no_sense_are_refused_as_kafka_does() {
    let fixture = Fixture::start();
    let null = "Cannot invoke \"java.util.Map.get(Object)\" because \"levelMap\" is null";
    let missing = "Desired 'level' parameter was not specified in request.";
    let cases = [
        ("GET", "nope", "", 404, "Logger nope not found."),
        ("PUT", "root", "", 500, null),
        ("PUT", "root", "{}", 400, missing),
        ("PUT", "root", r#"{"level":null}"#, 400, missing),
        (
            "PUT",
            "root",
            r#"{"level":"loud"}"#,
            404,
            "invalid log level 'loud'.",
        ),
        (
            "PUT",
            "root",
            r#"{"level":""}"#,
            500,
            "Illegal null or empty Level name.",
        ),
        ("DELETE", "root", "", 405, "HTTP 405 Method Not Allowed"),
    ];
    for (method, name, body, status, message) in cases {
        let answer = fixture.call(method, &format!("/admin/loggers/{name}"), body);
        assert_eq!(
            told(&answer),
            (status, message.to_owned()),
            "{method} {name} {body}"
        );
    }
}
