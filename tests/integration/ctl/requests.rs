//! What is sent, and answers that not every worker gives.

use std::fs;

use serde_json::Value;

use super::arg;
use super::bad_servers::quickly;
use super::fake::{Fake, http, json};
use crate::common::scratch_dir;

#[test]
fn requests_are_those_of_connects_interface() {
    let server = Fake::start(|asked, _| match asked.line.split(' ').next().unwrap() {
        "GET" => json(
            "404 Not Found",
            r#"{"error_code":404,"message":"Connector a not found"}"#,
        ),
        "PUT" => json("200 OK", r#"["root"]"#),
        _ => json("201 Created", "{}"),
    });
    let dir = scratch_dir("ctl-requests");
    let file = dir.path().join("a.json");
    let text = r#"{"name":"a","config":{"x":1,"y":null},"initial_state":"Stopped"}"#;
    fs::write(&file, text).unwrap();
    quickly(&server.url, &["apply", arg(&file)])
        .ends(0)
        .says("a created");
    quickly(
        &server.url,
        &["logs", "level", "root", "debug", "--scope", "cluster"],
    )
    .ends(0);
    quickly(&server.url, &["restart", "a", "--only-failed"]).ends(1);
    quickly(&server.url, &["plugins", "--all"]).ends(1);
    let asked = server.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /connectors/a/config HTTP/1.1",
            "POST /connectors HTTP/1.1",
            "PUT /admin/loggers/root?scope=cluster HTTP/1.1",
            "POST /connectors/a/restart?includeTasks=false&onlyFailed=true HTTP/1.1",
            "GET /connector-plugins?connectorsOnly=false HTTP/1.1",
        ]
    );
    let body = |at: usize| serde_json::from_str::<Value>(&asked[at].body).unwrap();
    let created = serde_json::json!({
        "name": "a", "config": {"x": "1", "y": null, "name": "a"}, "initial_state": "STOPPED",
    });
    assert_eq!(body(1), created);
    assert_eq!(body(2), serde_json::json!({"level": "DEBUG"}));
    assert_eq!(asked[3].body, "");
    let head = asked[1].head.to_lowercase();
    for part in [
        "content-type: application/json",
        "accept: application/json",
        "user-agent: ringmain/",
    ] {
        assert!(head.contains(part), "{part} is not in {head}");
    }
}

#[test]
fn a_worker_without_expand_is_asked_for_each_connector() {
    let server = Fake::start(|asked, _| {
        let status = r#"{"name":"old","connector":{"state":"RUNNING","worker_id":"w:1"},"tasks":[{"id":0,"state":"RUNNING","worker_id":"w:1"}],"type":"sink"}"#;
        let info =
            r#"{"name":"old","config":{"connector.class":"a.b.C"},"tasks":[],"type":"sink"}"#;
        match asked.line.split(' ').nth(1).unwrap() {
            "/connectors/old/status" => json("200 OK", status),
            "/connectors/old" => json("200 OK", info),
            _ => json("200 OK", r#"["old"]"#),
        }
    });
    let row = quickly(&server.url, &["list", "--json"]).ends(0).json()[0].clone();
    assert_eq!(row["class"], "a.b.C");
    assert_eq!(row["state"], "RUNNING");
    assert_eq!(row["tasks"][0]["state"], "RUNNING");
}

#[test]
fn rates_and_lag_come_from_metrics_where_there_are_some() {
    let server = Fake::start(|asked, number| {
        if asked.line.contains("/metrics") {
            let sent = number * 1000;
            let text = format!(
                "# TYPE kafka_connect_sink_task_sink_record_send_total counter\n\
                 kafka_connect_sink_task_sink_record_send_total{{connector=\"s\",task=\"0\"}} {sent}\n"
            );
            return http("200 OK", "text/plain; version=0.0.4", &text);
        }
        json(
            "200 OK",
            r#"{"s":{"status":{"name":"s","connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":"RUNNING"}],"type":"sink"}}}"#,
        )
    });
    let top = quickly(&server.url, &["--json", "top", "--once", "--interval", "1"])
        .ends(0)
        .json();
    assert_eq!(top["metrics"], true);
    let rate = top["connectors"][0]["records_per_second"].as_f64().unwrap();
    // 2,000 records between the two looks, a second and a bit apart.
    assert!((500.0..=2000.0).contains(&rate), "{top}");
    quickly(&server.url, &["top", "--once", "--interval", "1"])
        .ends(0)
        .says("RECORDS/S")
        .says("k");
}
