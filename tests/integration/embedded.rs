//! The same files with no broker: `bootstrap.servers=embedded:DIR`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clean_restart::restart_four_times;
use crate::common::lines::{Tally, append_lines};
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{PATIENCE, Standalone, heavy, kafka, scratch_dir, wait_until};
use crate::crash::kill_ten_times;

fn bootstrap(log: &Path) -> String {
    format!("embedded:{}", log.display())
}

/// The segments of a partition, oldest first.
fn segments(log: &Path, topic: &str) -> Vec<PathBuf> {
    let dir = log.join(format!("{topic}-0"));
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let paths = entries.map(|e| e.unwrap().path());
    let mut logs: Vec<PathBuf> = paths
        .filter(|p| p.extension().is_some_and(|x| x == "log"))
        .collect();
    logs.sort();
    logs
}

/// Runs file → log → file once; gives the input.
fn run_through(log: &Path, count: u64) -> Vec<u8> {
    let files = Standalone::new(&pipeline::worker(&bootstrap(log)), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    let files = files.with_connectors(&[
        file_source("embedded-source", &input, "embedded-test"),
        file_sink("embedded-sink", &output, "embedded-test"),
    ]);
    append_lines(&input, 0..count);
    let expected = fs::read(&input).unwrap();
    let ringmain = files.start();
    wait_until("the output", PATIENCE, || {
        files.read("out.txt").len() >= expected.len()
    });
    ringmain.stop_cleanly();
    assert!(
        files.read("out.txt") == expected,
        "the output differs from the input"
    );
    expected
}

#[test]
fn a_file_goes_through_the_embedded_log_byte_for_byte() {
    let dir = scratch_dir("embedded");
    run_through(dir.path(), 50_000);
    assert!(!segments(dir.path(), "embedded-test").is_empty());
}

#[test]
fn a_worker_at_rest_gives_memory_back_and_works_on() {
    let dir = scratch_dir("embedded-rest");
    let files = Standalone::new(&pipeline::worker(&bootstrap(dir.path())), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    let files = files.with_connectors(&[
        file_source("rest-source", &input, "rest-test"),
        file_sink("rest-sink", &output, "rest-test"),
    ]);
    append_lines(&input, 0..20_000);
    let ringmain = files.start();
    let arrived = || files.read("out.txt").len() >= fs::read(&input).unwrap().len();
    wait_until("the output", PATIENCE, arrived);
    let busy = ringmain.process().resident_bytes();
    let mut least = busy;
    wait_until("memory to be given back", PATIENCE, || {
        least = least.min(ringmain.process().resident_bytes());
        least + (4 << 20) < busy
    });
    append_lines(&input, 20_000..30_000);
    wait_until("what came after the rest", PATIENCE, arrived);
    ringmain.stop_cleanly();
    assert!(files.read("out.txt") == fs::read(&input).unwrap());
}

#[test]
fn kafkas_dump_tool_reads_the_segments_without_error() {
    let Some(kafka) = kafka() else { return };
    let dir = scratch_dir("embedded-dump");
    let input = run_through(dir.path(), 2_000);
    let segments = segments(dir.path(), "embedded-test");
    let mut files: Vec<&Path> = segments.iter().map(PathBuf::as_path).collect();
    let indexes: Vec<PathBuf> = segments.iter().map(|s| s.with_extension("index")).collect();
    files.extend(indexes.iter().map(PathBuf::as_path).filter(|p| p.exists()));
    let dump = kafka.dump_log(&files);
    let payloads = dump
        .lines()
        .filter_map(|line| line.split_once(" payload: "))
        .map(|(_, p)| p);
    let lines = String::from_utf8(input).unwrap();
    assert!(
        payloads.eq(lines.lines()),
        "the tool shows other records:\n{dump:.2000}"
    );
    for bad in [
        "isvalid: false",
        "Mismatches",
        "Found invalid",
        "exception",
        "Exception",
    ] {
        assert!(!dump.contains(bad), "{bad} in\n{dump:.2000}");
    }
}

#[test]
fn a_clean_restart_on_the_embedded_log_neither_loses_nor_repeats_a_line() {
    let dir = scratch_dir("embedded-restart");
    restart_four_times(&bootstrap(dir.path()), "embedded-restart");
}

#[test]
fn ten_kills_on_the_embedded_log_lose_no_line() {
    let _place = heavy();
    let dir = scratch_dir("embedded-kills");
    kill_ten_times(&bootstrap(dir.path()), "embedded-kills");
}

#[test]
fn a_torn_tail_is_cut_off_and_the_lines_in_it_come_again_or_stay() {
    let dir = scratch_dir("embedded-torn");
    run_through(dir.path(), 10_000);
    let last = segments(dir.path(), "embedded-test").pop().unwrap();
    let length = fs::metadata(&last).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&last)
        .unwrap()
        .set_len(length - 11)
        .unwrap();
    let files = Standalone::new(&pipeline::worker(&bootstrap(dir.path())), &[]);
    let (input, output) = (files.dir().join("more.txt"), files.dir().join("all.txt"));
    append_lines(&input, 10_000..10_100);
    let files = files.with_connectors(&[
        file_source("more-source", &input, "embedded-test"),
        file_sink("all-sink", &output, "embedded-test"),
    ]);
    let ringmain = files.start();
    let mut tally = Tally::default();
    wait_until("the lines after the cut", PATIENCE, || {
        tally = Tally::default();
        if output.exists() {
            tally.add_file(&output);
        }
        tally.records > 0 && (10_000..10_100).all(|n| tally.has(n))
    });
    ringmain.stop_cleanly();
    assert_eq!(tally.damaged, 0, "damaged records after the cut");
    assert_eq!(tally.steps_back, 0, "out of order");
}

#[test]
fn a_damaged_middle_is_an_error_that_names_file_and_position() {
    let dir = scratch_dir("embedded-damaged");
    run_through(dir.path(), 50_000);
    let first = segments(dir.path(), "embedded-test").remove(0);
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x20;
    fs::write(&first, bytes).unwrap();
    for index in ["index", "timeindex"] {
        // Without its index the log has to be read, as after a crash.
        let index = first.with_extension(index);
        if index.exists() {
            fs::remove_file(index).unwrap();
        }
    }
    let files = Standalone::new(&pipeline::worker(&bootstrap(dir.path())), &[]);
    let output = files.dir().join("out.txt");
    let files = files.with_connectors(&[file_sink("damaged-sink", &output, "embedded-test")]);
    let ringmain = files.launch();
    let name = first.file_name().unwrap().to_str().unwrap();
    let line = ringmain.wait_for_line(name);
    assert!(
        line.contains("position") || line.contains("byte"),
        "no position in: {line}"
    );
    let mut tally = Tally::default();
    if output.exists() {
        tally.add_file(&output);
    }
    assert_eq!(tally.damaged, 0, "a damaged record reached the sink");
}

#[test]
fn a_second_process_on_the_same_log_is_refused_with_a_clear_error() {
    let dir = scratch_dir("embedded-locked");
    let start = |name: &str| {
        let files = Standalone::new(&pipeline::worker(&bootstrap(dir.path())), &[]);
        let input = files.dir().join("in.txt");
        append_lines(&input, 0..10);
        files.with_connectors(&[file_source(name, &input, "locked")])
    };
    let (first, second) = (start("first"), start("second"));
    let running = first.start();
    let refused = second.launch();
    let status = refused.process().wait(PATIENCE);
    assert!(matches!(status.code(), Some(1 | 2)), "{status}");
    let output = refused.process().output();
    assert!(output.contains(dir.path().to_str().unwrap()), "{output}");
    assert!(
        output.contains("another") || output.contains("in use"),
        "{output}"
    );
    running.stop_cleanly();
    let after = second.start();
    after.stop_cleanly();
}
