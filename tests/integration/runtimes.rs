//! Both runtimes of the shards move files: `shard.runtime=io_uring` and `=epoll`.

use std::fs;

use crate::common::lines::append_lines;
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{PATIENCE, Standalone, kafka, scratch_dir, wait_until};

/// Whether something outside of the process could forbid io_uring: a sandbox's filter or a switch
/// of the kernel.
fn io_uring_may_be_blocked() -> bool {
    let filtered = fs::read_to_string("/proc/self/status")
        .unwrap()
        .contains("Seccomp:\t2");
    let switch = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    filtered || switch.is_ok_and(|text| text.trim() != "0")
}

fn move_files(bootstrap: &str, runtime: &str, shards: usize, topic: &str) {
    let worker = pipeline::worker(bootstrap)
        .set("shard.runtime", runtime)
        .set("shard.count", shards);
    let files = Standalone::new(&worker, &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    append_lines(&input, 0..20_000);
    let expected = fs::read(&input).unwrap();
    let files = files.with_connectors(&[
        file_source(&format!("{topic}-source"), &input, topic),
        file_sink(&format!("{topic}-sink"), &output, topic),
    ]);
    let ringmain = files.launch();
    if runtime == "io_uring" && io_uring_may_be_blocked() {
        std::thread::sleep(std::time::Duration::from_secs(1));
        if ringmain.process().try_wait().is_some() {
            assert!(ringmain.process().output().contains("io_uring"));
            eprintln!("skipped: this machine does not allow io_uring, and ringmain said so");
            return;
        }
    }
    wait_until("the output", PATIENCE, || {
        files.read("out.txt").len() >= expected.len()
    });
    assert!(
        files.read("out.txt") == expected,
        "the output differs from the input"
    );
    let log = ringmain.process().output();
    assert!(
        log.contains(runtime),
        "the log does not tell the runtime:\n{log}"
    );
    ringmain.stop_cleanly();
}

#[test]
fn files_move_through_kafka_on_each_runtime_and_on_one_shard_or_several() {
    let Some(kafka) = kafka() else { return };
    let bootstrap = kafka.shared_cluster().bootstrap();
    for runtime in ["epoll", "io_uring"] {
        for shards in [1, 2] {
            move_files(
                &bootstrap,
                runtime,
                shards,
                &format!("runtime-{runtime}-{shards}"),
            );
        }
    }
}

#[test]
fn files_move_through_the_embedded_log_on_each_runtime() {
    for runtime in ["epoll", "io_uring"] {
        let dir = scratch_dir("runtime");
        let bootstrap = format!("embedded:{}", dir.path().display());
        move_files(&bootstrap, runtime, 1, &format!("runtime-{runtime}"));
    }
}
