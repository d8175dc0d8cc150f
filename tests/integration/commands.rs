//! What the command answers besides running pipelines.

use std::ffi::OsStr;

use crate::common::pipeline;
use crate::common::{PATIENCE, Ringmain};

fn run(args: &[&str]) -> (Option<i32>, String) {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    Ringmain::run(&args, PATIENCE)
}

#[test]
fn help_names_the_subcommands_and_version_the_version() {
    let (code, help) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for subcommand in [
        "standalone",
        "distributed",
        "doctor",
        "preview",
        "plugins",
        "ctl",
        "completions",
    ] {
        assert!(help.contains(subcommand), "{subcommand} is not in:\n{help}");
    }
    let (code, version) = run(&["--version"]);
    assert_eq!(
        (code, version.trim()),
        (Some(0), concat!("ringmain ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn plugins_lists_connectors_and_converters_by_their_java_names() {
    let (code, list) = run(&["plugins"]);
    assert_eq!(code, Some(0), "{list}");
    for class in [
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "org.apache.kafka.connect.tools.VerifiableSourceConnector",
        "org.apache.kafka.connect.tools.MockSinkConnector",
        pipeline::STRING,
        pipeline::JSON,
        pipeline::BYTES,
    ] {
        assert!(list.contains(class), "{class} is not in:\n{list}");
    }
}

#[test]
fn doctor_looks_at_the_machine() {
    let (_, report) = run(&["doctor"]);
    let report = report.to_lowercase();
    for subject in ["io_uring", "locked memory", "open files", "cpu"] {
        assert!(report.contains(subject), "{subject} is not in:\n{report}");
    }
}

#[test]
fn distributed_says_that_it_is_not_there_yet() {
    let (code, output) = run(&["distributed", "worker.properties"]);
    assert!(matches!(code, Some(1 | 2)), "exit code {code:?}:\n{output}");
    assert!(!output.trim().is_empty());
}
