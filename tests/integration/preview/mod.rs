//! `ringmain preview`: what a connector would do, with nothing done.

mod live;
mod offline;
mod oracle;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::common::Properties;
use crate::common::pipeline::STRING;
use crate::common::ringmain::binary;

/// How a run ended and what it printed.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// The lines of the output as JSON.
    fn lines(&self) -> Vec<Json> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// The same, after a run that must have ended well.
    fn answers(&self) -> Vec<Json> {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self.lines()
    }

    /// Nothing printed, and a reason that has these parts.
    fn assert_refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(
            (self.code, self.out.as_str()),
            (Some(code), ""),
            "{}",
            self.err
        );
        for part in parts {
            assert!(self.err.contains(part), "{part} is not in: {}", self.err);
        }
    }
}

fn command(args: &[&Path]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("preview")
        .args(args)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the command to its end with `input` on its standard input.
fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command.spawn().unwrap();
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A command that refuses its configuration reads nothing.
            stdin.unwrap().write_all(input).unwrap_or(());
        });
        finish(child)
    })
}

fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs lines through a connector without a worker's file.
fn preview(dir: &Path, connector: &Properties, input: &[Json]) -> Ran {
    let file = connector.write(&dir.join("connector.properties"));
    let input: String = input.iter().map(|line| format!("{line}\n")).collect();
    run(command(&[&file]).args(["--input", "-"]), input.as_bytes())
}

/// A sink with String converters.
fn sink() -> Properties {
    Properties::new()
        .set("name", "preview")
        .set("connector.class", "FileStreamSink")
        .set("topics", "t")
        .set("key.converter", STRING)
        .set("value.converter", STRING)
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64.encode(bytes)
}

/// A line of input.
fn record(topic: &str, key: Option<&str>, value: Option<&str>) -> Json {
    json!({
        "topic": topic, "partition": 0, "offset": 0, "timestamp": -1, "timestampType": "CreateTime",
        "key": key.map(base64), "value": value.map(base64), "headers": [],
    })
}

/// The value of an answer, as text.
fn value(answer: &Json) -> Option<String> {
    let bytes = BASE64.decode(answer["value"].as_str()?).unwrap();
    Some(String::from_utf8(bytes).unwrap())
}
