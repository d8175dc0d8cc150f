//! Random configurations of every transform and predicate.

use ringmain::api::ConfigMap;
use serde_json::{Value as Json, json};

use super::generate::Generator;
use super::{encode, texts};

const PACKAGE: &str = "org.apache.kafka.connect.transforms";

/// Transforms of keys and values.
const OF_PARTS: [&str; 11] = [
    "Cast",
    "Cast",
    "ExtractField",
    "Flatten",
    "HeaderFrom",
    "HoistField",
    "InsertField",
    "MaskField",
    "ReplaceField",
    "SetSchemaMetadata",
    "TimestampConverter",
];

/// Transforms of whole records.
const PLAIN: [&str; 6] = [
    "DropHeaders",
    "Filter",
    "InsertHeader",
    "RegexRouter",
    "TimestampRouter",
    "ValueToKey",
];

const TYPES: [&str; 10] = [
    "int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "STRING", "Int32",
];

const FORMATS: [&str; 14] = [
    "yyyy-MM-dd",
    "yyyy-MM-dd HH:mm:ss",
    "yyyyMMdd",
    "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
    "HH:mm:ss.SSS",
    "yy.MM.dd",
    "EEE, d MMM yyyy h:mm a z",
    "YYYY-'W'ww-u G",
    "yyyy-DDD",
    "D F W E",
    "y",
    "yyyy-bb",
    "yyyy'",
    " ",
];

/// A class and its configuration.
#[derive(Debug)]
pub(crate) struct Plugin {
    pub(crate) class: String,
    pub(crate) config: ConfigMap,
}

impl Plugin {
    fn question(&self) -> Json {
        json!({ "class": self.class, "config": encode::config(&self.config) })
    }
}

/// A transform and perhaps a predicate.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) transformation: Plugin,
    pub(crate) predicate: Option<Plugin>,
    pub(crate) negate: bool,
}

impl Step {
    pub(crate) fn question(&self) -> Json {
        let mut question = self.transformation.question();
        question["negate"] = self.negate.into();
        question["predicate"] = self.predicate.as_ref().map_or(Json::Null, Plugin::question);
        question
    }
}

/// A random step of a class that is known.
pub(crate) fn step(generator: &mut Generator, known: impl Fn(&str) -> bool) -> Step {
    loop {
        let step = any_step(generator);
        if known(&step.transformation.class) {
            return step;
        }
    }
}

fn any_step(generator: &mut Generator) -> Step {
    let of_part = generator.random.u32(..3) > 0;
    let name = match of_part {
        true => generator.pick(&OF_PARTS),
        false => generator.pick(&PLAIN),
    };
    let suffix = match of_part {
        true => generator.pick(&["$Key", "$Value", "$Value"]),
        false => "",
    };
    let mut config = Config(ConfigMap::new());
    fill(generator, name, &mut config);
    if generator.one_in(60) {
        // A key that is missing, in most cases.
        config.0.shift_remove_index(0);
    }
    let conditional = name == "Filter" || generator.one_in(5);
    Step {
        transformation: Plugin {
            class: format!("{PACKAGE}.{name}{suffix}"),
            config: config.0,
        },
        predicate: conditional.then(|| predicate(generator)),
        negate: generator.random.bool(),
    }
}

struct Config(ConfigMap);

impl Config {
    fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_owned(), Some(value.into()));
    }

    /// Sets a key once in `n` times.
    fn maybe(&mut self, generator: &mut Generator, n: u32, key: &str, value: impl Into<String>) {
        if generator.one_in(n) {
            self.set(key, value);
        }
    }
}

fn fill(generator: &mut Generator, name: &str, config: &mut Config) {
    match name {
        "Cast" => config.set("spec", cast_spec(generator)),
        "DropHeaders" => config.set("headers", list(generator, 3)),
        "ExtractField" => extract_field(generator, config),
        "Flatten" => {
            let delimiter = generator.pick(&[".", "_", "", "::"]);
            config.maybe(generator, 2, "delimiter", delimiter);
        }
        "HeaderFrom" => header_from(generator, config),
        "HoistField" => config.set("field", generator.name()),
        "InsertField" => insert_field(generator, config),
        "InsertHeader" => {
            config.set("header", generator.name());
            config.set("value.literal", texts::header_text(generator));
        }
        "MaskField" => {
            config.set("fields", list(generator, 3));
            let replacement = generator.pick(&["***", "7", "1.5", "1e3", "-300"]);
            config.maybe(generator, 3, "replacement", replacement);
        }
        "RegexRouter" => {
            config.set(
                "regex",
                generator.pick(&["(.*)", "o(.*)", "([a-z]+)_(\\d+)", "x", "(.*)-1", "topic"]),
            );
            config.set(
                "replacement",
                generator.pick(&["$1", "new-$1", "$1$2", "fixed", "a$0b", "\\$1", "$"]),
            );
        }
        "ReplaceField" => replace_field(generator, config),
        "SetSchemaMetadata" => {
            config.maybe(generator, 2, "schema.name", "org.example.New");
            let version = generator.random.i32(1..9).to_string();
            config.maybe(generator, 2, "schema.version", version);
        }
        "TimestampConverter" => timestamp_converter(generator, config),
        "TimestampRouter" => {
            config.maybe(
                generator,
                2,
                "topic.format",
                "${timestamp}_${topic}.${timestamp}",
            );
            let format = generator.pick(&FORMATS);
            config.maybe(generator, 2, "timestamp.format", format);
        }
        "ValueToKey" => config.set("fields", list(generator, 3)),
        _ => {}
    }
    let with_default = [
        "Cast",
        "ExtractField",
        "HeaderFrom",
        "InsertField",
        "MaskField",
        "ReplaceField",
    ];
    let more = ["SetSchemaMetadata", "TimestampConverter", "ValueToKey"];
    if with_default.contains(&name) || more.contains(&name) {
        let value = generator.pick(&["false", "true", "FALSE"]);
        config.maybe(generator, 3, "replace.null.with.default", value);
    }
}

fn list(generator: &mut Generator, most: usize) -> String {
    generator.names(most).join(",")
}

fn cast_spec(generator: &mut Generator) -> String {
    if generator.one_in(40) {
        return generator
            .pick(&["", "a:int7", "bytes", "a:b:c", "int8,a:int8", ":int8", "a:"])
            .to_owned();
    }
    if generator.one_in(4) {
        return generator.pick(&TYPES).to_owned();
    }
    let names = generator.names(4);
    let pair = |name| format!("{name}:{}", generator.pick(&TYPES));
    let pairs: Vec<String> = names.into_iter().map(pair).collect();
    pairs.join(",")
}

fn extract_field(generator: &mut Generator, config: &mut Config) {
    let field = match generator.random.u32(..4) {
        0 => format!("{}.{}", generator.name(), generator.name()),
        1 => format!("`{}`.{}", generator.name(), generator.name()),
        _ => generator.name().to_owned(),
    };
    config.set("field", field);
    let version = generator.pick(&["V1", "V2", "V2", "v2"]);
    config.maybe(generator, 2, "field.syntax.version", version);
}

fn header_from(generator: &mut Generator, config: &mut Config) {
    let fields = generator.names(3);
    let mut headers = generator.names(3);
    if !generator.one_in(20) {
        headers = (0..fields.len()).map(|_| generator.name()).collect();
    }
    config.set("fields", fields.join(","));
    config.set("headers", headers.join(","));
    config.set(
        "operation",
        generator.pick(&["move", "copy", "move", "copy", "drop"]),
    );
}

fn insert_field(generator: &mut Generator, config: &mut Config) {
    for key in [
        "topic.field",
        "partition.field",
        "offset.field",
        "timestamp.field",
        "static.field",
    ] {
        let suffix = generator.pick(&["", "", "!", "?"]);
        let name = format!(
            "{}{suffix}",
            generator.pick(&["new", "t", "p", "o", "s", "a"])
        );
        config.maybe(generator, 3, key, name);
    }
    if !generator.one_in(20) {
        config.set("static.value", generator.text());
    }
}

fn replace_field(generator: &mut Generator, config: &mut Config) {
    let (exclude, include) = (list(generator, 3), list(generator, 6));
    config.maybe(generator, 2, "exclude", exclude);
    config.maybe(generator, 3, "include", include);
    let names = generator.names(2);
    let pair = |name| format!("{name}:{}", generator.pick(&["r1", "r2", "a", "renamed"]));
    let renames: Vec<String> = names.into_iter().map(pair).collect();
    config.maybe(generator, 2, "renames", renames.join(","));
}

fn timestamp_converter(generator: &mut Generator, config: &mut Config) {
    let target = generator.pick(&["string", "unix", "Date", "Time", "Timestamp", "Timestamp"]);
    config.set("target.type", target);
    if !generator.one_in(4) {
        config.set("field", generator.name());
    }
    if !generator.one_in(6) {
        config.set("format", generator.pick(&FORMATS));
    }
    let precision = generator.pick(&[
        "seconds",
        "microseconds",
        "nanoseconds",
        "milliseconds",
        "hours",
    ]);
    config.maybe(generator, 3, "unix.precision", precision);
}

fn predicate(generator: &mut Generator) -> Plugin {
    let name = generator.pick(&["HasHeaderKey", "RecordIsTombstone", "TopicNameMatches"]);
    let mut config = Config(ConfigMap::new());
    match name {
        "HasHeaderKey" => config.set("name", generator.name()),
        "TopicNameMatches" => {
            config.set(
                "pattern",
                generator.pick(&["topic", "o.*", "[a-z]+", ".*-\\d"]),
            );
        }
        _ => {}
    }
    Plugin {
        class: format!("{PACKAGE}.predicates.{name}"),
        config: config.0,
    }
}
