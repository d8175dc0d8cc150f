//! A schema registry and the serializers of others for all tests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value as Json, json};
use testbed::registry::{fetch_converters, fetch_protobuf_serializers};
use testbed::{Jvm, Python, SchemaRegistry};

use super::{Kafka, PATIENCE, Process, scratch_dir};

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
    pub(crate) fn write(&self, values: &[Json]) -> Vec<Vec<u8>> {
        let lines: Vec<String> = values.iter().map(ToString::to_string).collect();
        let printed = self.run("write", &lines.join("\n"));
        printed.lines().map(unhex).collect()
    }

    /// The values of serialized bytes.
    pub(crate) fn read(&self, data: &[Vec<u8>]) -> Vec<Json> {
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

/// Serializers of Java: Apicurio's, in a program of `tests/oracle` that says how values are printed.
#[derive(Debug)]
pub(crate) struct JavaSerializers<'a> {
    kafka: &'a Kafka,
    program: &'static str,
    jars: PathBuf,
}

impl<'a> JavaSerializers<'a> {
    /// Those for JSON Schema.
    pub(crate) fn json_schema(kafka: &'a Kafka) -> Self {
        let plugins = fetch_converters(kafka).unwrap_or_else(|why| panic!("{why}"));
        Self {
            kafka,
            program: "JsonSchemaOracle",
            jars: plugins.join("apicurio-converters"),
        }
    }

    /// Those for Protobuf.
    pub(crate) fn protobuf(kafka: &'a Kafka) -> Self {
        Self {
            kafka,
            program: "ProtobufOracle",
            jars: fetch_protobuf_serializers().unwrap_or_else(|why| panic!("{why}")),
        }
    }

    /// The serialized form of JSON values for a topic; `schema` is what the program wants to know of it.
    pub(crate) fn write(&self, topic: &str, schema: &[&str], values: &[Json]) -> Vec<Vec<u8>> {
        let lines = values.iter().map(ToString::to_string).collect();
        let printed = self.run("write", topic, schema, lines);
        printed.iter().map(|line| unhex(line)).collect()
    }

    /// The values of serialized bytes.
    pub(crate) fn read(&self, topic: &str, data: &[Vec<u8>]) -> Vec<Json> {
        let lines = data.iter().map(hex).collect();
        let printed = self.run("read", topic, &[], lines);
        let parse = |line: &String| serde_json::from_str(line).unwrap();
        printed.iter().map(parse).collect()
    }

    /// A line for each line.
    fn run(&self, verb: &str, topic: &str, schema: &[&str], lines: Vec<String>) -> Vec<String> {
        let dir = scratch_dir(self.program);
        let input = dir.path().join("input");
        std::fs::write(&input, lines.join("\n")).unwrap();
        let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
        let mut java = self
            .kafka
            .java_with(Jvm::Small(128), "ERROR", &[self.jars.join("*")]);
        java.arg(oracle.join(format!("{}.java", self.program)))
            .args([verb, &shared_registry().native_url(), topic])
            .args(schema)
            .stdin(File::open(&input).unwrap());
        let process = Process::spawn_with_input(self.program, java, dir.path());
        let status = process.wait(PATIENCE);
        assert!(status.success(), "{}", process.output());
        let printed: Vec<String> = process.stdout().lines().map(str::to_owned).collect();
        assert_eq!(printed.len(), lines.len(), "{}", process.output());
        printed
    }
}

/// How a float stands in what Java's programs take and print: with all its bits.
pub(crate) fn bits(float: f64) -> Json {
    json!(format!("{BITS}{:x}", float.to_bits()))
}

const BITS: &str = "double:";

/// What Java's programs printed, with floats as numbers.
pub(crate) fn plain(mut printed: Json) -> Json {
    match &mut printed {
        Json::String(text) => {
            if let Some(bits) = text.strip_prefix(BITS) {
                let bits = u64::from_str_radix(bits, 16).unwrap();
                return json!(f64::from_bits(bits));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| *item = plain(item.take())),
        Json::Object(members) => members
            .values_mut()
            .for_each(|member| *member = plain(member.take())),
        _ => {}
    }
    printed
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    (0..line.len()).step_by(2).map(byte).collect()
}
