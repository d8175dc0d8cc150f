//! Bad input and bad luck: what the user is told, and that nothing is lost or harmed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::client::Compression;
use crate::common::lines::{Tally, append_lines};
use crate::common::pipeline::{self, BYTES, JSON, file_sink, file_source, with_converter};
use crate::common::small_disk::SmallDisk;
use crate::common::{
    ClusterOptions, KafkaCluster, PATIENCE, Properties, Ringmain, Standalone, heavy, kafka,
    scratch_dir, wait_until,
};

fn embedded_worker(dir: &Path) -> Properties {
    pipeline::worker(&format!("embedded:{}", dir.join("log").display()))
}

/// Runs a worker that must refuse to start: the output.
fn refused(worker: &Properties, connectors: &[Properties]) -> String {
    let files = Standalone::new(worker, connectors);
    let ringmain = files.launch();
    let status = ringmain.process().wait(PATIENCE);
    let output = ringmain.process().output();
    assert_eq!(
        status.code(),
        Some(2),
        "exit code of a bad configuration:\n{output}"
    );
    output
}

fn assert_names(output: &str, names: &[&str]) {
    for name in names {
        assert!(output.contains(name), "{name:?} is not in:\n{output}");
    }
}

// --- configuration

#[test]
fn every_problem_of_a_worker_file_is_told_at_once() {
    let worker = Properties::new()
        .set("key.converter", pipeline::STRING)
        .set("offset.flush.interval.ms", "soon")
        .set("task.shutdown.graceful.timeout.ms", "5s")
        .set("plugin.discovery", "guess");
    let keys = [
        "bootstrap.servers",
        "value.converter",
        "offset.flush.interval.ms",
        "soon",
        "task.shutdown.graceful.timeout.ms",
        "plugin.discovery",
    ];
    assert_names(&refused(&worker, &[]), &keys);
}

#[test]
fn every_problem_of_a_connector_is_told_at_once() {
    let dir = scratch_dir("bad-connector");
    let connector = Properties::new()
        .set("name", "bad")
        .set("connector.class", "FileStreamSource")
        .set("tasks.max", "zero")
        .set("batch.size", "many")
        .set("errors.tolerance", "some");
    let output = refused(&embedded_worker(dir.path()), &[connector]);
    assert_names(
        &output,
        &["tasks.max", "batch.size", "errors.tolerance", "topic"],
    );
}

#[test]
fn an_unknown_class_is_answered_with_what_there_is() {
    let dir = scratch_dir("unknown-class");
    let connector =
        file_source("wrong", Path::new("x"), "t").set("connector.class", "FileSteamSource");
    let output = refused(&embedded_worker(dir.path()), &[connector]);
    assert_names(
        &output,
        &["FileSteamSource", "FileStreamSource", "FileStreamSink"],
    );
}

#[test]
fn an_unknown_key_is_warned_about_with_its_nearest_neighbour() {
    let dir = scratch_dir("unknown-key");
    let worker = embedded_worker(dir.path()).set("offset.flush.intervall.ms", 1000);
    let ringmain = Standalone::new(&worker, &[]).launch();
    let line = ringmain.wait_for_line("offset.flush.intervall.ms");
    assert!(line.contains("offset.flush.interval.ms"), "{line}");
    ringmain.wait_until_serving();
    ringmain.stop_cleanly();
}

#[test]
fn missing_files_are_named_with_exit_code_2() {
    let run = |args: &[&str]| {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
        Ringmain::run(&args, PATIENCE)
    };
    let (code, output) = run(&["standalone", "/nowhere/worker.properties"]);
    assert_eq!(code, Some(2), "{output}");
    assert_names(&output, &["/nowhere/worker.properties"]);
    let dir = scratch_dir("missing");
    let files = Standalone::new(&embedded_worker(dir.path()), &[]);
    let worker = files.worker_file().to_str().unwrap();
    let (code, output) = run(&["standalone", worker, "/nowhere/connector.json"]);
    assert_eq!(code, Some(2), "{output}");
    assert_names(&output, &["/nowhere/connector.json"]);
    let (code, output) = run(&["standalone"]);
    assert_eq!(code, Some(2), "{output}");
    let (code, output) = run(&["standalone", "--no-such-flag", worker]);
    assert_eq!(code, Some(2), "{output}");
    let (code, _) = run(&["--version"]);
    assert_eq!(code, Some(0));
}

// --- topics and records

#[test]
fn a_missing_topic_without_auto_creation_is_named_waited_for_or_created_by_the_source() {
    let Some(kafka) = kafka() else { return };
    let _place = heavy();
    let options = ClusterOptions {
        auto_create_topics: false,
        ..ClusterOptions::default()
    };
    let cluster = KafkaCluster::start(kafka, &options);
    let client = cluster.client();
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let input = files.dir().join("in.txt");
    append_lines(&input, 0..100);
    let files = files.with_connectors(&[
        file_source("waiting", &input, "not-yet-there"),
        file_source("creating", &input, "made-by-source")
            .set("topic.creation.default.partitions", 3)
            .set("topic.creation.default.replication.factor", 1),
    ]);
    let ringmain = files.start();
    wait_until("the created topic", PATIENCE, || {
        client.topics().get("made-by-source") == Some(&3)
    });
    ringmain.wait_for_line("not-yet-there");
    assert!(!client.topics().contains_key("not-yet-there"));
    client.create_topic("not-yet-there", 1);
    client.wait_for_end_offset("not-yet-there", 100, PATIENCE);
    let mut tally = Tally::default();
    client.visit("not-yet-there", 0, |r| tally.add(&r.record.value.unwrap()));
    tally.assert_exactly(100);
    ringmain.stop_cleanly();
}

#[test]
fn a_record_over_max_request_size_fails_its_task_with_the_key_to_raise() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let client = cluster.client();
    client.create_topic("too-large", 1);
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let input = files.dir().join("in.txt");
    fs::write(&input, format!("before\n{}\nafter\n", "x".repeat(50_000))).unwrap();
    let source = file_source("too-large", &input, "too-large");
    let files = files.with_connectors(&[source.set("producer.override.max.request.size", 20_000)]);
    let ringmain = files.launch();
    let trace = ringmain.wait_until_failed("too-large");
    assert_names(&trace, &["max.request.size", "20000"]);
    ringmain.stop_cleanly();
    // With the limit raised, nothing is missing and nothing went out of order.
    let source = file_source("too-large", &input, "too-large");
    let files = files.with_connectors(&[source]);
    let ringmain = files.start();
    wait_until("the last line", PATIENCE, || {
        client
            .read_values("too-large")
            .last()
            .is_some_and(|v| v == b"after")
    });
    let lengths: Vec<usize> = client
        .read_values("too-large")
        .iter()
        .map(Vec::len)
        .collect();
    assert!(lengths.ends_with(&[6, 50_000, 5]), "{lengths:?}");
    ringmain.stop_cleanly();
}

#[test]
fn bytes_the_converter_cannot_read_fail_the_task_naming_where_they_stand() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let client = cluster.client();
    client.create_topic("unreadable", 2);
    let values = [r#"{"a":1}"#, r#"{"a":2}"#, "{no json", r#"{"a":4}"#];
    let pairs = values.map(|v| (None, Some(v.as_bytes().to_vec()))).to_vec();
    client.produce("unreadable", 1, Compression::NoCompression, pairs);
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let output = files.dir().join("out.txt");
    let sink = with_converter(
        file_sink("unreadable", &output, "unreadable"),
        JSON,
        Some(false),
    );
    let files = files.with_connectors(&[sink]);
    let ringmain = files.launch();
    let trace = ringmain.wait_until_failed("unreadable");
    assert_names(&trace, &["topic='unreadable'", "partition=1", "offset=2"]);
    ringmain.stop_cleanly();
}

#[test]
fn a_text_source_with_the_byte_array_converter_fails_with_apaches_words() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let dir = scratch_dir("bytes-source");
    let input = dir.path().join("in.txt");
    append_lines(&input, 0..3);
    let source =
        |name: &str| with_converter(file_source(name, &input, "never-written"), BYTES, None);
    let words = "Invalid schema type for ByteArrayConverter: STRING";
    assert!(
        oracle
            .create_and_fail(&source("apache-byte-source"))
            .contains(words)
    );
    let files = Standalone::new(
        &pipeline::worker(&cluster.bootstrap()),
        &[source("ringmain-byte-source")],
    );
    let ringmain = files.launch();
    let trace = ringmain.wait_until_failed("ringmain-byte-source");
    assert!(trace.contains(words), "{trace}");
    ringmain.stop_cleanly();
}

#[test]
fn invalid_utf8_and_nul_bytes_pass_through_unharmed() {
    let Some(kafka) = kafka() else { return };
    let bytes =
        b"nul\0\0inside\n\xff\xfe\xc3\x28 not utf-8 \xf0\x9f\n\xed\xa0\x80 surrogate\n\x80\n";
    let embedded = scratch_dir("odd-bytes");
    let embedded = format!("embedded:{}", embedded.path().display());
    for bootstrap in [kafka.shared_cluster().bootstrap(), embedded] {
        let files = Standalone::new(&pipeline::worker(&bootstrap), &[]);
        let (input, output) = (files.dir().join("in.bin"), files.dir().join("out.bin"));
        fs::write(&input, bytes).unwrap();
        let files = files.with_connectors(&[
            file_source("odd-bytes-source", &input, "odd-bytes"),
            file_sink("odd-bytes-sink", &output, "odd-bytes"),
        ]);
        let ringmain = files.start();
        wait_until("the odd bytes", PATIENCE, || {
            files.read("out.bin").len() >= bytes.len()
        });
        assert_eq!(files.read("out.bin"), bytes);
        ringmain.stop_cleanly();
    }
}

// --- source files

/// A running file source on an embedded log, with a sink that shows what it read.
struct Tail {
    files: Standalone,
    input: PathBuf,
    ringmain: Ringmain,
    _log: tempfile::TempDir,
}

impl Tail {
    fn start(prepare: impl FnOnce(&Path)) -> Self {
        let log = scratch_dir("tail-log");
        let files = Standalone::new(&embedded_worker(log.path()), &[]);
        let input = files.dir().join("in.txt");
        prepare(&input);
        let output = files.dir().join("out.txt");
        let files = files.with_connectors(&[
            file_source("tail-source", &input, "tail"),
            file_sink("tail-sink", &output, "tail"),
        ]);
        let ringmain = files.launch();
        Self {
            files,
            input,
            ringmain,
            _log: log,
        }
    }

    fn wait_for_output(&self, expected: &str) {
        let read = || String::from_utf8(self.files.read("out.txt")).unwrap();
        wait_until(&format!("{expected:?} in the output"), PATIENCE, || {
            read().len() >= expected.len()
        });
        assert_eq!(read(), expected);
    }
}

#[test]
fn a_missing_source_file_is_waited_for() {
    let tail = Tail::start(|_| ());
    let line = tail.ringmain.wait_for_line("couldn't find file");
    assert!(line.contains("WARN") && line.contains("in.txt"), "{line}");
    fs::write(&tail.input, "here\n").unwrap();
    tail.wait_for_output("here\n");
    tail.ringmain.stop_cleanly();
}

#[test]
fn a_deleted_or_replaced_source_file_is_read_on_to_its_end() {
    let tail = Tail::start(|input| fs::write(input, "one\n").unwrap());
    tail.wait_for_output("one\n");
    let mut open = File::options().append(true).open(&tail.input).unwrap();
    fs::rename(&tail.input, tail.files.dir().join("in.txt.1")).unwrap();
    fs::write(&tail.input, "other\n").unwrap();
    writeln!(open, "two").unwrap();
    tail.wait_for_output("one\ntwo\n");
    tail.ringmain.wait_until_running("tail-source");
    tail.ringmain.stop_cleanly();
}

#[test]
fn a_truncated_source_file_does_not_hurt_the_worker() {
    let tail = Tail::start(|input| append_lines(input, 0..100));
    wait_until("the first lines", PATIENCE, || {
        tail.files.read("out.txt").len() == 9400
    });
    let mut open = File::options().write(true).open(&tail.input).unwrap();
    open.set_len(0).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    tail.ringmain.wait_until_running("tail-source");
    // Once it has grown beyond what was read, Apache's reads on there.
    open.seek(SeekFrom::Start(9400)).unwrap();
    writeln!(open, "beyond").unwrap();
    wait_until("what stands beyond", PATIENCE, || {
        tail.files.read("out.txt").ends_with(b"beyond\n")
    });
    tail.ringmain.stop_cleanly();
}

#[test]
fn a_directory_as_source_file_fails_or_waits_but_says_so() {
    let tail = Tail::start(|input| fs::create_dir(input).unwrap());
    let line = tail.ringmain.wait_for_line("directory");
    assert!(line.contains("in.txt"), "{line}");
    assert_eq!(tail.ringmain.stop(), Some(0));
}

#[test]
fn a_line_of_100_megabytes_is_refused_by_kafkas_limits_and_passes_when_they_are_raised() {
    let _place = heavy();
    let log = scratch_dir("long-line");
    let files = Standalone::new(&embedded_worker(log.path()), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    let mut file = File::create(&input).unwrap();
    let block = vec![b'x'; 1 << 20];
    writeln!(file, "first").unwrap();
    for _ in 0..100 {
        file.write_all(&block).unwrap();
    }
    write!(file, "\nlast\n").unwrap();
    let connectors = |limit: Option<u32>| {
        let mut source = file_source("long-source", &input, "long");
        if let Some(limit) = limit {
            source = source.set("producer.override.max.request.size", limit);
        }
        [source, file_sink("long-sink", &output, "long")]
    };
    let files = files.with_connectors(&connectors(None));
    let ringmain = files.launch();
    let trace = ringmain.wait_until_failed("long-source");
    assert_names(&trace, &["max.request.size"]);
    ringmain.wait_until_running("long-sink");
    ringmain.stop_cleanly();
    let files = files.with_connectors(&connectors(Some(200 << 20)));
    let ringmain = files.start();
    wait_until("the last line", PATIENCE, || {
        files.read("out.txt").ends_with(b"\nlast\n")
    });
    ringmain.stop_cleanly();
    let out = files.read("out.txt");
    let lengths: Vec<usize> = out.split(|b| *b == b'\n').map(<[u8]>::len).collect();
    assert!(lengths.ends_with(&[100 << 20, 4, 0]), "{lengths:?}");
}

// --- full disks

#[test]
fn a_sink_on_a_full_disk_names_the_file_and_loses_nothing_once_there_is_room() {
    let dir = scratch_dir("full-sink");
    let Some(disk) = SmallDisk::mount(dir.path().join("disk"), 512) else {
        return;
    };
    let files = Standalone::new(&embedded_worker(dir.path()), &[]);
    let (input, output) = (files.dir().join("in.txt"), disk.path().join("out.txt"));
    append_lines(&input, 0..20_000);
    let files = files.with_connectors(&[
        file_source("full-source", &input, "full"),
        file_sink("full-sink", &output, "full"),
    ]);
    let ringmain = files.start();
    let line = ringmain.wait_for_line("No space left");
    let log = ringmain.process().output();
    assert!(line.contains("out.txt") || log.contains("out.txt"), "{log}");
    disk.grow(8192);
    let mut tally = Tally::default();
    wait_until("the rest of the lines", PATIENCE, || {
        tally = Tally::default();
        tally.add_file(&output);
        tally.distinct() == 20_000
    });
    assert!(tally.damaged <= 1, "{} damaged lines", tally.damaged);
    ringmain.stop_cleanly();
}

#[test]
fn an_embedded_log_on_a_full_disk_loses_nothing_once_there_is_room() {
    let dir = scratch_dir("full-log");
    let Some(disk) = SmallDisk::mount(dir.path().join("disk"), 2048) else {
        return;
    };
    let worker = pipeline::worker(&format!("embedded:{}", disk.path().join("log").display()));
    let files = Standalone::new(&worker, &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    append_lines(&input, 0..50_000);
    let files = files.with_connectors(&[
        file_source("full-log-source", &input, "full-log"),
        file_sink("full-log-sink", &output, "full-log"),
    ]);
    let ringmain = files.launch();
    ringmain.wait_for_line("No space left");
    disk.grow(64 << 10);
    ringmain.stop();
    let ringmain = files.start();
    let mut tally = Tally::default();
    wait_until("every line", PATIENCE, || {
        tally = Tally::default();
        if output.exists() {
            tally.add_file(&output);
        }
        tally.distinct() == 50_000
    });
    assert_eq!(tally.damaged, 0);
    ringmain.stop_cleanly();
}

#[test]
fn a_full_disk_under_the_offset_file_is_an_error_not_a_crash() {
    let dir = scratch_dir("full-offsets");
    let Some(disk) = SmallDisk::mount(dir.path().join("disk"), 4) else {
        return;
    };
    fs::write(disk.path().join("filler"), vec![1; 4096]).unwrap();
    let offsets = disk.path().join("connect.offsets");
    let worker = embedded_worker(dir.path()).set("offset.storage.file.filename", offsets.display());
    let files = Standalone::new(&worker, &[]);
    let ringmain = files.launch();
    let status = ringmain.process().wait(PATIENCE);
    assert!(matches!(status.code(), Some(1 | 2)), "{status}");
    assert_names(
        &ringmain.process().output(),
        &["connect.offsets", "disk is full"],
    );
}

// --- the offset file

/// Moves 1000 lines with a clean stop; then harms the offset file; then starts again with 100 more
/// lines. Either the worker refuses, naming the file, or every line arrives.
fn harm_offset_file(harm: impl FnOnce(&Path)) {
    let log = scratch_dir("offset-log");
    let files = Standalone::new(&embedded_worker(log.path()), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    let files = files.with_connectors(&[
        file_source("harmed-source", &input, "harmed"),
        file_sink("harmed-sink", &output, "harmed"),
    ]);
    append_lines(&input, 0..1000);
    let ringmain = files.start();
    wait_until("the first lines", PATIENCE, || {
        files.read("out.txt").len() >= 94_000
    });
    ringmain.stop_cleanly();
    harm(&files.offset_file());
    append_lines(&input, 1000..1100);
    let ringmain = files.launch();
    let mut tally = Tally::default();
    let mut refused = None;
    wait_until("a refusal, or the other lines", PATIENCE, || {
        tally = Tally::default();
        tally.add_file(&output);
        refused = ringmain.process().try_wait();
        refused.is_some() || tally.distinct() == 1100
    });
    match refused {
        Some(status) => {
            assert!(matches!(status.code(), Some(1 | 2)), "{status}");
            assert_names(&ringmain.process().output(), &["connect.offsets"]);
        }
        None => {
            tally.assert_nothing_lost(1100);
            ringmain.stop_cleanly();
        }
    }
}

#[test]
fn a_truncated_offset_file_never_costs_a_line() {
    harm_offset_file(|path| {
        let length = fs::metadata(path).unwrap().len();
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(length / 2)
            .unwrap();
    });
    harm_offset_file(|path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(100)
            .unwrap();
    });
    harm_offset_file(|path| fs::write(path, b"").unwrap());
}

#[test]
fn flipped_bits_in_the_offset_file_never_cost_a_line() {
    let flip_every = |step: usize, from: usize| {
        move |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            for at in (from..bytes.len()).step_by(step) {
                bytes[at] ^= 0x10;
            }
            fs::write(path, bytes).unwrap();
        }
    };
    harm_offset_file(flip_every(1 << 20, 20));
    harm_offset_file(flip_every(512, 100));
    harm_offset_file(flip_every(8192, 4096 + 30));
    harm_offset_file(|path| fs::write(path, b"this is no offset file, but a text\n").unwrap());
}

#[test]
fn an_offset_file_in_use_by_another_worker_is_refused() {
    let dir = scratch_dir("locked-offsets");
    let first = Standalone::new(&embedded_worker(&dir.path().join("a")), &[]);
    let running = first.launch();
    running.wait_until_serving();
    let worker = embedded_worker(&dir.path().join("b")).set(
        "offset.storage.file.filename",
        first.offset_file().display(),
    );
    let refused = Standalone::new(&worker, &[]).launch();
    let status = refused.process().wait(PATIENCE);
    assert!(matches!(status.code(), Some(1 | 2)), "{status}");
    let output = refused.process().output();
    assert_names(&output, &["connect.offsets"]);
    assert!(
        output.contains("another") || output.contains("in use"),
        "{output}"
    );
    running.stop_cleanly();
}

#[test]
fn the_offset_file_of_apaches_worker_is_taken_over() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let client = cluster.client();
    client.create_topic("taken-over", 1);
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let input = files.dir().join("in.txt");
    append_lines(&input, 0..500);
    let source = file_source("taken-over", &input, "taken-over");
    let worker = pipeline::worker(&cluster.bootstrap()).set(
        "offset.storage.file.filename",
        files.offset_file().display(),
    );
    let oracle = crate::common::ConnectOracle::start(kafka, &worker, std::slice::from_ref(&source));
    client.wait_for_end_offset("taken-over", 500, PATIENCE);
    oracle.stop();
    let java = fs::read(files.offset_file()).unwrap();
    assert!(java.starts_with(&[0xac, 0xed]), "no Java map");
    append_lines(&input, 500..700);
    let files = files.with_connectors(&[source]);
    let ringmain = files.start();
    client.wait_for_end_offset("taken-over", 700, PATIENCE);
    ringmain.stop_cleanly();
    let mut tally = Tally::default();
    client.visit("taken-over", 0, |r| tally.add(&r.record.value.unwrap()));
    tally.assert_exactly(700);
    let mut backup = files.offset_file().into_os_string();
    backup.push(".java.bak");
    assert_eq!(
        fs::read(backup).unwrap(),
        java,
        "the old file is kept beside"
    );
}
