//! Apache's side: a JVM that answers lines.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value as Json;

/// One answer per question, in order, by a program in `tests/oracle`.
pub(crate) fn ask(kafka: &testbed::Kafka, program: &str, questions: &[Json]) -> Vec<Json> {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(program);
    let mut java = kafka
        .java(512, "OFF")
        .args(["-Duser.language=en", "-Duser.country=US"])
        .arg(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let stdin = java.stdin.take().unwrap();
    let stdout = BufReader::new(java.stdout.take().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut stdin = BufWriter::new(stdin);
            for question in questions {
                // It ended early when this fails; the count of answers says so.
                if writeln!(stdin, "{question}").is_err() {
                    return;
                }
            }
        });
        let answers = stdout.lines().map(|line| {
            let line = line.unwrap();
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        let answers = answers.collect();
        java.wait().unwrap();
        answers
    })
}
