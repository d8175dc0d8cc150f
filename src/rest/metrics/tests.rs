//! Metrics of connectors that run on an embedded log, as a scraper sees them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rest::front::FrontSettings;
use crate::rest::tests::{Answer, Fixture};

/// Lines of a family by their labels.
fn samples(text: &str, family: &str) -> BTreeMap<String, f64> {
    let sample = |line: &str| {
        let rest = line.strip_prefix(family)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        Some((labels.to_owned(), value))
    };
    text.lines().filter_map(sample).collect()
}

fn one(text: &str, family: &str) -> f64 {
    let found = samples(text, family);
    assert_eq!(found.len(), 1, "{family}: {found:?}");
    *found.values().next().unwrap()
}

fn scrape(fixture: &Fixture) -> Answer {
    let prometheus = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3\r\n";
    let answer = fixture.call_with("GET", "/metrics", prometheus, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn wait_for(fixture: &Fixture, what: &str, fits: impl Fn(&str) -> bool) -> String {
    for _ in 0..1000 {
        let text = scrape(fixture).body;
        if fits(&text) {
            return text;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: {}", scrape(fixture).body);
}

fn create(fixture: &Fixture, name: &str, config: &Value) {
    let body = json!({"name": name, "config": config}).to_string();
    let made = fixture.call("POST", "/connectors", &body);
    assert_eq!(made.status, 201, "{made:?}");
}

fn source(fixture: &Fixture, lines: usize) -> Value {
    let file = fixture.dir.path().join("in.txt");
    let text: String = (0..lines).map(|line| format!("line {line}\n")).collect();
    std::fs::write(&file, text).unwrap();
    json!({
        "connector.class": "FileStreamSource", "topic": "t", "file": file, "tasks.max": 1,
        "transforms": "route", "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms.route.regex": "t", "transforms.route.replacement": "t",
    })
}

fn sink(fixture: &Fixture) -> Value {
    let file = fixture.dir.path().join("out.txt");
    json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics": "t",
        "file": file, "tasks.max": 1,
    })
}

#[test]
fn a_pipeline_shows_its_records_times_classes_and_states_under_kafkas_names() {
    let fixture = Fixture::start_with(FrontSettings::default(), "offset.flush.interval.ms=50\n");
    create(&fixture, "src", &source(&fixture, 1000));
    create(&fixture, "out", &sink(&fixture));
    let sent = "kafka_connect_sink_task_sink_record_send_total";
    let done = |text: &str| {
        let committed = "kafka_connect_sink_task_offset_commit_completion_total";
        samples(text, sent).values().sum::<f64>() >= 1000.0
            && samples(text, committed).values().sum::<f64>() > 0.0
            && samples(
                text,
                "kafka_connect_connector_task_offset_commit_success_percentage",
            )
            .values()
            .all(|share| *share == 1.0)
            && samples(text, "kafka_connect_sink_task_sink_record_active_count")
                .values()
                .all(|count| *count == 0.0)
    };
    let text = wait_for(&fixture, "all records", done);

    let of_source = r#"connector="src",task="0""#.to_owned();
    let total = samples(&text, "kafka_connect_source_task_source_record_poll_total");
    assert_eq!(total, BTreeMap::from([(of_source, 1000.0)]));
    assert_eq!(
        one(&text, "kafka_connect_source_task_source_record_write_total"),
        1000.0
    );
    assert_eq!(
        one(&text, "kafka_connect_sink_task_sink_record_read_total"),
        1000.0
    );
    assert_eq!(one(&text, sent), 1000.0);
    assert!(one(&text, "kafka_connect_source_task_source_record_poll_rate") > 10.0);
    assert!(
        one(
            &text,
            "kafka_connect_source_task_source_record_active_count_max"
        ) >= 1.0
    );
    assert!(one(&text, "kafka_connect_source_task_poll_batch_max_time_ms") >= 0.0);
    assert!(one(&text, "kafka_connect_sink_task_put_batch_max_time_ms") >= 0.0);
    assert_eq!(one(&text, "kafka_connect_sink_task_partition_count"), 1.0);
    assert_eq!(one(&text, "kafka_connect_worker_connector_count"), 2.0);
    assert_eq!(one(&text, "kafka_connect_worker_task_count"), 2.0);
    assert_eq!(
        one(&text, "kafka_connect_worker_task_startup_success_total"),
        2.0
    );
    assert_eq!(
        one(
            &text,
            "kafka_connect_worker_connector_startup_success_percentage"
        ),
        1.0
    );
    let success = samples(
        &text,
        "kafka_connect_connector_task_offset_commit_success_percentage",
    );
    assert_eq!(success.values().copied().collect::<Vec<_>>(), [1.0, 1.0]);
    for ratio in samples(&text, "kafka_connect_connector_task_running_ratio").values() {
        assert!(*ratio > 0.99, "{ratio}");
    }

    assert_texts(&text);
    assert_stages(&text);
}

fn assert_texts(text: &str) {
    assert!(
        text.contains("kafka_connect_connector_status{connector=\"src\",status=\"running\"} 1\n")
    );
    assert!(text.contains(
        "kafka_connect_connector_task_status{connector=\"out\",task=\"0\",status=\"running\"} 1\n"
    ));
    assert!(text.contains(
        "transform=\"route\",transform_class=\"org.apache.kafka.connect.transforms.RegexRouter\""
    ));
    assert!(
        text.contains("value_converter_class=\"org.apache.kafka.connect.storage.StringConverter\"")
    );
    assert!(text.contains("task_class=\"org.apache.kafka.connect.file.FileStreamSinkTask\""));
}

fn assert_stages(text: &str) {
    for (connector, stages) in [
        ("src", ["poll", "convert", "produce", "commit"].as_slice()),
        ("out", ["fetch", "convert", "put", "commit"].as_slice()),
    ] {
        for stage in stages {
            let labels = format!("connector=\"{connector}\",task=\"0\",stage=\"{stage}\"");
            let count = samples(text, "ringmain_task_stage_duration_seconds_count");
            assert!(
                count.get(&labels).is_some_and(|count| *count > 0.0),
                "{labels} of {count:?}"
            );
            let quantiles = samples(text, "ringmain_task_stage_duration_seconds");
            let median = quantiles[&format!("{labels},quantile=\"0.5\"")];
            let slowest = quantiles[&format!("{labels},quantile=\"0.999\"")];
            assert!(
                median >= 0.0 && slowest >= median,
                "{labels}: {median} {slowest}"
            );
        }
    }
}

#[test]
fn json_has_the_numbers_of_one_connector_by_group_and_null_for_what_is_no_number() {
    let fixture = Fixture::start();
    create(&fixture, "src", &source(&fixture, 10));
    wait_for(&fixture, "all records", |text| {
        let written = samples(text, "kafka_connect_source_task_source_record_write_total");
        written.values().sum::<f64>() >= 10.0
    });
    let answer = fixture.call("GET", "/connectors/src/metrics", "").json();
    assert_eq!(
        (&answer["name"], &answer["type"]),
        (&json!("src"), &json!("source"))
    );
    let class = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    assert_eq!(answer["connector-metrics"]["status"], "running");
    assert_eq!(answer["connector-metrics"]["connector-class"], class);
    assert_eq!(
        answer["connect-worker-metrics"]["connector-running-task-count"],
        1
    );
    let task = &answer["tasks"][0];
    assert_eq!(task["id"], 0);
    assert_eq!(task["source-task-metrics"]["source-record-poll-total"], 10);
    assert_eq!(task["connector-task-metrics"]["task-version"], "4.3.1");
    assert_eq!(
        task["connector-task-metrics"]["offset-commit-max-time-ms"],
        Value::Null
    );
    assert_eq!(task["task-error-metrics"]["last-error-timestamp"], 0);
    assert_eq!(
        task["connector-transform-metrics"]["route"]["transform-class"],
        "org.apache.kafka.connect.transforms.RegexRouter"
    );
    let poll = &task["ringmain-task"]["stages"]["poll"];
    assert!(poll["p50_ms"].as_f64() <= poll["max_ms"].as_f64(), "{poll}");
    assert_eq!(task.get("sink-task-metrics"), None);
    let missing = fixture.call("GET", "/connectors/nope/metrics", "");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["message"], "Connector nope not found");
}

#[test]
fn metrics_vanish_with_their_task_and_those_of_a_failed_one_stay() {
    let fixture = Fixture::start();
    create(&fixture, "a \"b\"", &source(&fixture, 1));
    let quoted = r#"connector="a \"b\"",task="0""#;
    let polled = "kafka_connect_source_task_source_record_poll_total";
    wait_for(&fixture, "a task", |text| {
        samples(text, polled).contains_key(quoted)
    });
    let path = "/connectors/a%20%22b%22";
    assert_eq!(fixture.call("PUT", &format!("{path}/stop"), "").status, 204);
    let text = wait_for(&fixture, "no task", |text| samples(text, polled).is_empty());
    assert!(
        text.contains(r#"kafka_connect_connector_status{connector="a \"b\"",status="stopped"} 1"#)
    );
    assert_eq!(fixture.call("DELETE", path, "").status, 204);

    let failing = json!({
        "connector.class": "org.apache.kafka.connect.tools.MockSourceConnector",
        "mock_mode": "task-failure", "delay_ms": 0, "tasks.max": 1,
    });
    create(&fixture, "bad", &failing);
    let failed = "kafka_connect_worker_connector_failed_task_count";
    let text = wait_for(&fixture, "a failed task", |text| {
        samples(text, failed).get("connector=\"bad\"") == Some(&1.0)
    });
    assert_eq!(samples(&text, polled).len(), 1, "{text}");
    assert!(text.contains(r#"task_status{connector="bad",task="0",status="failed"} 1"#));
    assert_eq!(fixture.call("DELETE", "/connectors/bad", "").status, 204);
    assert!(samples(&scrape(&fixture).body, polled).is_empty());
    let left = fixture.context.metrics.read();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn only_reading_is_allowed() {
    let fixture = Fixture::start();
    let refused = fixture.call("PUT", "/metrics", "");
    assert_eq!(refused.status, 405);
    let answer = scrape(&fixture);
    assert!(
        answer
            .head
            .contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"),
        "{}",
        answer.head
    );
    let head = fixture.call("HEAD", "/metrics", "");
    assert_eq!((head.status, &*head.body), (200, ""));
}

#[test]
fn a_scrape_does_not_wait_for_a_shard_that_is_blocked() {
    let fixture = Fixture::start();
    create(&fixture, "src", &source(&fixture, 10));
    let written = "kafka_connect_source_task_source_record_write_total";
    wait_for(&fixture, "all records", |text| {
        samples(text, written).values().sum::<f64>() >= 10.0
    });
    let (release, released) = mpsc::channel::<()>();
    let (blocked, is_blocked) = mpsc::channel();
    let block = move || async move {
        blocked.send(()).unwrap();
        released.recv().unwrap();
    };
    fixture.shard.start(block).unwrap();
    is_blocked.recv_timeout(Duration::from_secs(20)).unwrap();
    let text = scrape(&fixture).body;
    assert_eq!(one(&text, written), 10.0);
    assert_eq!(
        fixture.call("GET", "/connectors/src/metrics", "").status,
        200
    );
    release.send(()).unwrap();
}

#[test]
fn shards_queues_and_the_time_that_each_task_took_are_shown() {
    let fixture = Fixture::start();
    create(&fixture, "src", &source(&fixture, 1000));
    let busy = "ringmain_task_busy_seconds_total";
    let text = wait_for(&fixture, "work", |text| {
        samples(text, busy).values().sum::<f64>() > 0.0
            && samples(text, "ringmain_shard_cpu_seconds_total")
                .values()
                .sum::<f64>()
                > 0.0
    });
    let shard = samples(&text, "ringmain_shard_cpu_seconds_total");
    assert!(shard.contains_key("shard=\"0\""), "{shard:?}");
    assert_eq!(one(&text, "ringmain_shard_tasks"), 1.0);
    assert!(one(&text, "ringmain_blocking_busy_threads") <= 32.0);
    // The states of what was just started may wait for the herder; they do not stay there.
    wait_for(&fixture, "empty queues", |text| {
        one(text, "ringmain_shard_mailbox_messages") == 0.0
            && one(text, "ringmain_herder_queue_messages") == 0.0
    });
}

/// A sink on a named pipe that nobody reads: connector code that does not come back.
#[test]
fn a_task_that_hangs_is_named_with_its_stage_in_status_health_and_metrics_and_only_then() {
    let fixture = Fixture::start_with(FrontSettings::default(), "task.stall.timeout.ms=200\n");
    fixture.context.set_ready();
    let pipe = fixture.dir.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut config = sink(&fixture);
    config["file"] = json!(pipe);
    create(&fixture, "src", &source(&fixture, 10));
    create(&fixture, "stuck", &config);
    let path = "/connectors/stuck/status";
    let status = fixture.wait(path, |status| {
        status["tasks"][0]["stalled"]["stage"] != Value::Null
    });
    let stalled = &status["tasks"][0]["stalled"];
    let stage = stalled["stage"].as_str().unwrap().to_owned();
    assert!(["start", "put"].contains(&&*stage), "{status}");
    assert!(stalled["for_ms"].as_u64().unwrap() >= 200, "{status}");
    let task = fixture
        .call("GET", "/connectors/stuck/tasks/0/status", "")
        .json();
    assert_eq!(task["stalled"]["stage"], *stage);
    let health = fixture.call("GET", "/health", "");
    assert_eq!(
        (health.status, &health.json()["status"]),
        (200, &json!("healthy"))
    );
    let named = &health.json()["stalled"][0];
    assert_eq!(
        (&named["connector"], &named["task"]),
        (&json!("stuck"), &json!(0))
    );
    let text = scrape(&fixture).body;
    let labels = format!("connector=\"stuck\",task=\"0\",stage=\"{stage}\"");
    assert_eq!(
        samples(&text, "ringmain_task_stalled"),
        BTreeMap::from([(labels, 1.0)])
    );
    let others = fixture.call("GET", "/connectors/src/status", "").json();
    assert_eq!(others["tasks"][0].get("stalled"), None);

    let (told, first) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut pipe = BufReader::new(File::open(pipe).unwrap());
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        told.send(line).unwrap();
        io::copy(&mut pipe, &mut io::sink()).unwrap();
    });
    fixture.wait(path, |status| status["tasks"][0].get("stalled").is_none());
    let health = fixture.call("GET", "/health", "");
    assert_eq!(health.json().get("stalled"), None);
    let line = first.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(line, "line 0\n");
    drop(fixture);
    reader.join().unwrap();
}

#[test]
fn a_failed_task_comes_back_by_its_policy_and_status_and_metrics_say_why() {
    let fixture = Fixture::start();
    let failing = json!({
        "connector.class": "org.apache.kafka.connect.tools.MockSourceConnector",
        "mock_mode": "task-failure", "delay_ms": 0, "tasks.max": 1,
        "errors.restart.policy": "always", "errors.restart.backoff.ms": 1,
        "errors.restart.backoff.max.ms": 2, "errors.restart.max.attempts": 3,
    });
    create(&fixture, "bad", &failing);
    let status = fixture.wait("/connectors/bad/status", |status| {
        let task = &status["tasks"][0];
        task["restarts"]["count"] == 3 && task["state"] == "FAILED"
    });
    let restarts = &status["tasks"][0]["restarts"];
    assert_eq!(restarts["next_in_ms"], Value::Null);
    let reason = restarts["last_reason"].as_str().unwrap();
    assert!(
        reason.starts_with("java.lang.RuntimeException: mock source task failure"),
        "{reason}"
    );
    let text = scrape(&fixture).body;
    let labels = "connector=\"bad\",task=\"0\",reason=\"java.lang.RuntimeException\"".to_owned();
    let counted = samples(&text, "ringmain_task_restarts_total");
    assert_eq!(counted, BTreeMap::from([(labels, 3.0)]));
    assert_eq!(
        one(&text, "kafka_connect_worker_task_startup_attempts_total"),
        4.0
    );
}

/// `cargo test scraping_500 -- --ignored --nocapture`: how long a scrape takes, and the longest time that the
/// shard did not get round to a timer of a millisecond while it was going on.
#[test]
#[ignore = "a measurement"]
fn scraping_500_connectors() {
    let fixture = Fixture::start();
    for number in 0..500 {
        let file = fixture.dir.path().join(format!("in-{number}.txt"));
        std::fs::write(&file, "a\nb\n").unwrap();
        let config = json!({
            "connector.class": "FileStreamSource", "topic": format!("t{number}"), "file": file,
        });
        create(&fixture, &format!("source-{number}"), &config);
    }
    let written = "kafka_connect_source_task_source_record_write_total";
    wait_for(&fixture, "1000 records", |text| {
        samples(text, written).values().sum::<f64>() >= 1000.0
    });
    let (done, longest) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let (ended, gap) = (Arc::clone(&done), Arc::clone(&longest));
    let tick = move || async move {
        while !ended.load(Ordering::Relaxed) {
            let from = Instant::now();
            crate::shard::sleep(Duration::from_millis(1)).await;
            let micros = u64::try_from(from.elapsed().as_micros()).unwrap();
            gap.fetch_max(micros, Ordering::Relaxed);
        }
    };
    let longest_in = |what: &str, work: &dyn Fn()| {
        longest.store(0, Ordering::Relaxed);
        work();
        println!(
            "{what}: the shard's timer was late by up to {} us",
            longest.load(Ordering::Relaxed)
        );
    };
    fixture.shard.start(tick).unwrap();
    longest_in("at rest", &|| {
        std::thread::sleep(Duration::from_millis(500))
    });
    longest_in("scraped", &|| {
        let mut times: Vec<Duration> = (0..40)
            .map(|_| {
                let from = Instant::now();
                let bytes = scrape(&fixture).body.len();
                assert!(bytes > 500_000, "{bytes}");
                from.elapsed()
            })
            .collect();
        times.sort();
        let bytes = scrape(&fixture).body.len();
        println!(
            "{bytes} bytes, median {:?}, slowest {:?}",
            times[20], times[39]
        );
    });
    done.store(true, Ordering::Relaxed);
}
