//! A schema registry and the serializers of others for all tests.

use std::path::Path;
use std::sync::OnceLock;

use testbed::{Python, SchemaRegistry};

/// A registry for all tests that use topics, and so subjects, of their own.
///
/// # Panics
/// When Java or Maven are missing or cannot fetch it.
pub(crate) fn shared_registry() -> &'static SchemaRegistry {
    static SHARED: OnceLock<SchemaRegistry> = OnceLock::new();
    SHARED.get_or_init(|| SchemaRegistry::start().unwrap_or_else(|why| panic!("{why}")))
}

/// Serializers of Python for one topic.
#[derive(Debug)]
pub(crate) struct Serializers {
    pub(crate) kind: &'static str,
    pub(crate) topic: String,
    /// To write with, or what the Protobuf reader needs.
    pub(crate) schema: String,
}

impl Serializers {
    /// The serialized form of JSON values.
    pub(crate) fn write(&self, values: &[serde_json::Value]) -> Vec<Vec<u8>> {
        let lines: Vec<String> = values.iter().map(ToString::to_string).collect();
        let printed = self.run("write", &lines.join("\n"));
        printed.lines().map(unhex).collect()
    }

    /// The values of serialized bytes.
    pub(crate) fn read(&self, data: &[Vec<u8>]) -> Vec<serde_json::Value> {
        let hex = |bytes: &Vec<u8>| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let lines: Vec<String> = data.iter().map(hex).collect();
        let printed = self.run("read", &lines.join("\n"));
        let parse = |line| serde_json::from_str(line).unwrap();
        printed.lines().map(parse).collect()
    }

    fn run(&self, verb: &str, input: &str) -> String {
        static PYTHON: OnceLock<Python> = OnceLock::new();
        let python = PYTHON.get_or_init(|| Python::install().unwrap_or_else(|why| panic!("{why}")));
        let script = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = script.join("tests/integration/common/serializers.py");
        let url = shared_registry().url();
        let mut arguments = vec![verb, self.kind, &url, &self.topic];
        if !self.schema.is_empty() {
            arguments.push(&self.schema);
        }
        python.run(&script, &arguments, input)
    }
}

fn unhex(line: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    (0..line.len()).step_by(2).map(byte).collect()
}
