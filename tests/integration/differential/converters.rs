//! Cases of converters: reading, writing, headers.

use std::sync::LazyLock;

use ringmain::api::{ConfigMap, ConnectError, SchemaAndValue};
use ringmain::plugins::Plugins;
use serde_json::{Value as Json, json};

use super::generate::Generator;
use super::{Case, encode, texts};

static PLUGINS: LazyLock<Plugins> = LazyLock::new(Plugins::builtin);

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const SIMPLE_HEADER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

const OTHERS: [&str; 7] = [
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
];

/// A random case of some converter.
pub(crate) fn case(generator: &mut Generator) -> Case {
    let class = match generator.random.u32(..10) {
        0..=4 => JSON,
        5 => STRING,
        6 | 7 => SIMPLE_HEADER,
        _ => generator.pick(&OTHERS),
    };
    let role = match class {
        SIMPLE_HEADER => "header",
        _ => generator.pick(&["key", "value", "value", "header"]),
    };
    let converter = Converter {
        class,
        role,
        config: config(generator, class),
    };
    if generator.random.bool() {
        let data = written(generator, class);
        return converter.write(&data);
    }
    let bytes = read(generator, &converter);
    converter.read(bytes.as_deref())
}

fn config(generator: &mut Generator, class: &str) -> ConfigMap {
    let mut config = ConfigMap::new();
    let mut set = |key: &str, value: &str| {
        config.insert(key.to_owned(), Some(value.to_owned()));
    };
    if class == STRING && generator.one_in(6) {
        set("converter.encoding", generator.pick(&["UTF-8", "utf8"]));
    }
    if class == JSON {
        if generator.random.bool() {
            set("schemas.enable", "false");
        }
        if generator.one_in(3) {
            set(
                "decimal.format",
                generator.pick(&["NUMERIC", "numeric", "BASE64"]),
            );
        }
        if generator.one_in(4) {
            set("replace.null.with.default", "false");
        }
    }
    config
}

/// Something to write: for the simple converters mostly of a type that they take.
fn written(generator: &mut Generator, class: &str) -> SchemaAndValue {
    generator.nested_bytes = class != STRING;
    let mut data = generator.data();
    if OTHERS.contains(&class) {
        for _ in 0..8 {
            if data
                .schema
                .as_ref()
                .is_some_and(|schema| schema.fields().is_empty())
            {
                break;
            }
            data = generator.data();
        }
    }
    generator.nested_bytes = true;
    data
}

/// Something to read.
fn read(generator: &mut Generator, converter: &Converter) -> Option<Vec<u8>> {
    if generator.one_in(20) {
        return None;
    }
    let bytes = match converter.class {
        SIMPLE_HEADER => texts::header_text(generator).into_bytes(),
        STRING => generator.text().into_bytes(),
        JSON if generator.random.bool() => texts::json(generator, 3).into_bytes(),
        JSON => {
            let data = generator.data();
            converter.written(&data).ok().flatten().unwrap_or_default()
        }
        _ => {
            let length = generator.pick(&[0, 1, 2, 4, 8, 8, 4, 2, 1, 3]);
            (0..length).map(|_| generator.random.u8(..)).collect()
        }
    };
    if converter.class == JSON && generator.one_in(3) {
        return Some(texts::damaged(generator, bytes));
    }
    Some(bytes)
}

struct Converter {
    class: &'static str,
    role: &'static str,
    config: ConfigMap,
}

impl Converter {
    fn question(&self, operation: &str, key: &str, content: Json) -> Json {
        json!({
            "do": operation, "class": self.class, "role": self.role,
            "config": encode::config(&self.config), key: content,
        })
    }

    fn read(&self, bytes: Option<&[u8]>) -> Case {
        let ours = match self.read_ours(bytes) {
            Ok(data) => encode::answered(&data),
            Err(error) => encode::error(&error),
        };
        Case {
            question: self.question("read", "bytes", encode::bytes(bytes)),
            ours,
            records: 1,
        }
    }

    fn read_ours(&self, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        if self.role == "header" {
            let mut converter = PLUGINS.header_converter(self.class, &self.config)?;
            return converter.read_header("t", "h", bytes);
        }
        let is_key = self.role == "key";
        PLUGINS
            .converter(self.class, &self.config, is_key)?
            .read("t", bytes)
    }

    fn write(&self, data: &SchemaAndValue) -> Case {
        let ours = match self.written(data) {
            Ok(bytes) => json!({ "bytes": encode::bytes(bytes.as_deref()) }),
            Err(error) => encode::error(&error),
        };
        Case {
            question: self.question("write", "data", encode::asked(data)),
            ours,
            records: 1,
        }
    }

    fn written(&self, data: &SchemaAndValue) -> Result<Option<Vec<u8>>, ConnectError> {
        let mut out = Vec::new();
        let (schema, value) = (data.schema.as_ref(), &data.value);
        let present = if self.role == "header" {
            let mut converter = PLUGINS.header_converter(self.class, &self.config)?;
            converter.write_header("t", "h", schema, value, &mut out)?
        } else {
            let is_key = self.role == "key";
            let mut converter = PLUGINS.converter(self.class, &self.config, is_key)?;
            converter.write("t", schema, value, &mut out)?
        };
        Ok(present.then_some(out))
    }
}
