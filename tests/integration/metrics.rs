//! `/metrics` after real pipelines, read by Prometheus' own parser, and beside what Apache's rules say of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use testbed::Promtool;

use crate::common::lines::append_lines;
use crate::common::pipeline::{self, JSON, file_sink, file_source, with_converter};
use crate::common::{PATIENCE, Ringmain, Standalone, http, kafka, scratch_dir, wait_for};

/// A scrape: type and samples of each family, the sums and counts of a summary among them.
#[derive(Debug, Default)]
struct Scrape {
    types: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    fn take(ringmain: &Ringmain) -> (Self, String) {
        let answer = http::get(&ringmain.url("/metrics"));
        assert_eq!(answer.status, 200);
        let media = answer.header("content-type");
        assert_eq!(media, Some("text/plain; version=0.0.4; charset=utf-8"));
        let mut scrape = Self::default();
        for line in answer.body.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                let before = scrape.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} is declared twice");
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                let before = scrape.samples.insert(sample.to_owned(), value);
                assert_eq!(before, None, "{sample} is there twice");
            }
        }
        (scrape, answer.body)
    }

    /// A task's value of a family.
    fn of(&self, family: &str, connector: &str) -> f64 {
        let sample = format!("{family}{{connector=\"{connector}\",task=\"0\"}}");
        let value = self.samples.get(&sample);
        *value.unwrap_or_else(|| panic!("no {sample}: {:?}", self.samples))
    }

    fn total(&self, family: &str) -> f64 {
        let of_family = |(sample, _): &(&String, &f64)| sample.split('{').next() == Some(family);
        self.samples
            .iter()
            .filter(of_family)
            .map(|(_, value)| value)
            .sum()
    }
}

/// Prometheus' parser; `None` where it may be missing.
fn promtool() -> Option<&'static Promtool> {
    static PROMTOOL: OnceLock<Result<Promtool, String>> = OnceLock::new();
    if std::env::var("RINGMAIN_SKIP_PROMTOOL").is_ok_and(|value| value == "1") {
        eprintln!("skipped: promtool's look, since RINGMAIN_SKIP_PROMTOOL=1 is set");
        return None;
    }
    match PROMTOOL.get_or_init(Promtool::find) {
        Ok(promtool) => Some(promtool),
        Err(why) => panic!("{why}\nSet RINGMAIN_SKIP_PROMTOOL=1 to do without promtool."),
    }
}

/// Prometheus reads it all, and has nothing to say about the names that are ours.
fn check(text: &str) {
    let Some(promtool) = promtool() else { return };
    let checked = promtool.check_metrics(text);
    assert!(checked.is_parsed, "{:?}\n{text}", checked.remarks);
    let ours = |remark: &&String| !remark.starts_with("kafka_connect_");
    let ours: Vec<&String> = checked.remarks.iter().filter(ours).collect();
    assert!(ours.is_empty(), "{ours:?}");
    let broken = format!("{text}kafka_connect_x{{a=\"b}} 1\n");
    assert!(
        !promtool.check_metrics(&broken).is_parsed,
        "promtool takes anything"
    );
}

/// Scrapes until the sink has taken so many records and committed all.
fn after_records(ringmain: &Ringmain, records: f64) -> (Scrape, String) {
    wait_for("all records in the metrics", PATIENCE, || {
        let (scrape, text) = Scrape::take(ringmain);
        let taken = scrape.total("kafka_connect_sink_task_sink_record_send_total");
        let commits = scrape.total("kafka_connect_sink_task_offset_commit_completion_total");
        let flushed = scrape.total("kafka_connect_connector_task_offset_commit_success_percentage");
        let left = scrape.total("kafka_connect_sink_task_sink_record_active_count");
        let done = taken >= records && commits > 0.0 && left == 0.0 && flushed >= 2.0;
        done.then_some((scrape, text))
    })
}

/// What holds after `records` lines went from a file through one topic to a file.
#[expect(clippy::too_many_lines, reason = "two tables")]
fn assert_pipeline(scrape: &Scrape, source: &str, sink: &str, records: f64) {
    for (family, kind, connector, value) in [
        (
            "kafka_connect_source_task_source_record_poll_total",
            "counter",
            source,
            records,
        ),
        (
            "kafka_connect_source_task_source_record_write_total",
            "counter",
            source,
            records,
        ),
        (
            "kafka_connect_source_task_source_record_active_count",
            "gauge",
            source,
            0.0,
        ),
        (
            "kafka_connect_sink_task_sink_record_read_total",
            "counter",
            sink,
            records,
        ),
        (
            "kafka_connect_sink_task_sink_record_send_total",
            "counter",
            sink,
            records,
        ),
        (
            "kafka_connect_sink_task_partition_count",
            "gauge",
            sink,
            1.0,
        ),
        (
            "kafka_connect_task_error_total_record_errors",
            "counter",
            sink,
            0.0,
        ),
        (
            "kafka_connect_task_error_last_error_timestamp",
            "gauge",
            source,
            0.0,
        ),
        ("ringmain_task_lag_records", "gauge", sink, 0.0),
    ] {
        assert_eq!(
            scrape.types.get(family).map(String::as_str),
            Some(kind),
            "{family}"
        );
        assert_eq!(scrape.of(family, connector), value, "{family}");
    }
    for (family, connector) in [
        ("kafka_connect_source_task_source_record_poll_rate", source),
        ("kafka_connect_source_task_source_record_write_rate", source),
        (
            "kafka_connect_source_task_source_record_active_count_max",
            source,
        ),
        ("kafka_connect_sink_task_sink_record_send_rate", sink),
        ("kafka_connect_sink_task_put_batch_max_time_ms", sink),
        ("kafka_connect_connector_task_batch_size_max", source),
        ("kafka_connect_connector_task_batch_size_avg", sink),
        ("kafka_connect_connector_task_running_ratio", source),
        ("ringmain_task_bytes_total", source),
    ] {
        assert!(scrape.of(family, connector) > 0.0, "{family}");
    }
    let rate = scrape.of("kafka_connect_sink_task_sink_record_send_rate", sink);
    assert!(
        rate <= records / 30.0 + 1.0,
        "a rate over less than a full sample: {rate}"
    );
    assert_eq!(scrape.samples["kafka_connect_worker_connector_count"], 2.0);
    assert_eq!(
        scrape.samples["kafka_connect_worker_task_startup_success_total"],
        2.0
    );
    let state =
        format!("kafka_connect_connector_status{{connector=\"{sink}\",status=\"running\"}}");
    assert_eq!(scrape.samples[&state], 1.0);
    let summary = scrape.types.get("ringmain_task_stage_duration_seconds");
    assert_eq!(summary.map(String::as_str), Some("summary"));
}

fn run_pipeline(bootstrap: &str, topic: &str) -> (Standalone, Ringmain) {
    let files = Standalone::new(&pipeline::worker(bootstrap), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    append_lines(&input, 0..20_000);
    let files = files.with_connectors(&[
        file_source("metrics-source", &input, topic),
        file_sink("metrics-sink", &output, topic),
    ]);
    let ringmain = files.start();
    (files, ringmain)
}

#[test]
fn prometheus_reads_the_metrics_of_a_pipeline_over_the_embedded_log() {
    let log = scratch_dir("metrics");
    let bootstrap = format!("embedded:{}", log.path().display());
    let (_files, ringmain) = run_pipeline(&bootstrap, "metrics");
    let (scrape, text) = after_records(&ringmain, 20_000.0);
    assert_pipeline(&scrape, "metrics-source", "metrics-sink", 20_000.0);
    check(&text);
    ringmain.stop_cleanly();
}

#[test]
fn prometheus_reads_the_metrics_of_a_pipeline_over_kafka() {
    let Some(kafka) = kafka() else { return };
    let bootstrap = kafka.shared_cluster().bootstrap();
    let (_files, ringmain) = run_pipeline(&bootstrap, "metrics-pipeline");
    let (scrape, text) = after_records(&ringmain, 20_000.0);
    assert_pipeline(&scrape, "metrics-source", "metrics-sink", 20_000.0);
    check(&text);
    ringmain.stop_cleanly();
}

/// Lines that are no JSON, tolerated and logged: Kafka's error metrics count each.
#[test]
fn records_that_fail_are_counted_under_kafkas_names() {
    let log = scratch_dir("metrics-errors");
    let bootstrap = format!("embedded:{}", log.path().display());
    let files = Standalone::new(&pipeline::worker(&bootstrap), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    write_lines(&input, &["1", "no json", "2", "{", "3"]);
    let sink = with_converter(
        file_sink("metrics-sink", &output, "metrics-errors"),
        JSON,
        Some(false),
    )
    .set("errors.tolerance", "all")
    .set("errors.log.enable", true)
    .set("errors.deadletterqueue.topic.name", "metrics-dead")
    .set("errors.deadletterqueue.topic.replication.factor", 1);
    let files = files.with_connectors(&[
        file_source("metrics-source", &input, "metrics-errors"),
        sink,
    ]);
    let ringmain = files.start();
    let (scrape, text) = after_records(&ringmain, 3.0);
    for (attribute, value) in [
        ("total_record_failures", 2.0),
        ("total_records_skipped", 2.0),
        ("total_errors_logged", 2.0),
        ("deadletterqueue_produce_requests", 2.0),
        ("deadletterqueue_produce_failures", 0.0),
        ("total_retries", 0.0),
    ] {
        let family = format!("kafka_connect_task_error_{attribute}");
        assert_eq!(scrape.of(&family, "metrics-sink"), value, "{family}");
    }
    let failed_at = scrape.of(
        "kafka_connect_task_error_last_error_timestamp",
        "metrics-sink",
    );
    assert!(failed_at > 1.6e12, "{failed_at}");
    let read = scrape.of(
        "kafka_connect_sink_task_sink_record_read_total",
        "metrics-sink",
    );
    assert_eq!(read, 5.0);
    check(&text);
    ringmain.stop_cleanly();
}

fn write_lines(path: &Path, lines: &[&str]) {
    fs::write(path, lines.join("\n") + "\n").unwrap();
}
