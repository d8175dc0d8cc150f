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
        "migrate",
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

/// What a distributed worker must have, as in Kafka's own file.
const DISTRIBUTED: &str = "bootstrap.servers=127.0.0.1:1
group.id=connect-cluster
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.storage.topic=connect-offsets
config.storage.topic=connect-configs
status.storage.topic=connect-status
";

fn run_distributed(more: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.properties");
    std::fs::write(&path, format!("{DISTRIBUTED}{more}")).unwrap();
    run(&["distributed", path.to_str().unwrap()])
}

#[test]
fn distributed_says_what_it_ignores_and_ends_where_it_can_not_listen() {
    // An address of nobody's, kept for documentation.
    let (code, output) =
        run_distributed("config.storage.partitions=3\nlisteners=http://192.0.2.1:8083\n");
    assert_eq!(code, Some(1), "{output}");
    for text in [
        "Ignoring 'config.storage.partitions=3' setting",
        "listeners: can't listen on",
        "192.0.2.1",
    ] {
        assert!(output.contains(text), "{text} is not in:\n{output}");
    }
}

#[test]
fn distributed_says_all_that_is_wrong_with_its_file() {
    let (code, output) = run(&["distributed", "/nowhere/worker.properties"]);
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains("/nowhere/worker.properties"), "{output}");
    let (code, output) = run_distributed(
        "exactly.once.source.support=enabled
        inter.worker.verification.algorithms=HmacSHA1
        shard.runtime=java
        status.storage.topic=a/b
        ",
    );
    assert_eq!(code, Some(2), "{output}");
    for part in [
        "worker.properties: 4 problem(s)",
        "exactly.once.source.support",
        "inter.worker.signature.algorithm",
        "shard.runtime",
        "status.storage.topic",
    ] {
        assert!(output.contains(part), "{part} is not in:\n{output}");
    }
    let (code, output) = run_distributed("config.storage.topic=\n");
    assert_eq!(code, Some(2), "{output}");
    let text = "config.storage.topic: Must specify topic for connector configuration.";
    assert!(output.contains(text), "{output}");
}
