//! The one list of bundled converters.

use super::{
    AvroConverter, BooleanConverter, ByteArrayConverter, JsonConverter, JsonSchemaConverter,
    NumberConverter, NumberType, ProtobufConverter, SimpleHeaderConverter, StringConverter,
};
use crate::api::config_def::ConfigDef;
use crate::api::{ConfigMap, ConnectError, Converter, HeaderConverter};

/// Makes a converter for keys (`true`) or values.
pub type NewConverter = fn(&ConfigMap, bool) -> Result<Box<dyn Converter>, ConnectError>;
/// Makes a converter for headers.
pub type NewHeaderConverter = fn(&ConfigMap) -> Result<Box<dyn HeaderConverter>, ConnectError>;

/// One converter class, as the list of plugins shows it.
#[derive(Debug, Clone, Copy)]
pub struct ConverterPlugin {
    /// Fully qualified Java class name.
    pub class: &'static str,
    /// Other names that a configuration may use (Kafka: `PluginUtils` aliases).
    pub aliases: [&'static str; 2],
    /// Its configuration keys.
    pub config_def: fn() -> ConfigDef,
    /// Constructor for keys and values; `None` if it is for headers only.
    pub converter: Option<NewConverter>,
    /// Constructor for headers; it refuses if [`Self::for_headers`] is not set.
    pub header_converter: NewHeaderConverter,
    /// Whether it converts headers.
    pub for_headers: bool,
}

impl ConverterPlugin {
    /// Whether it converts headers, or keys and values.
    pub fn fits(&self, for_headers: bool) -> bool {
        if for_headers {
            self.for_headers
        } else {
            self.converter.is_some()
        }
    }
}

macro_rules! plugin {
    ($class:expr, $aliases:expr, $def:expr, |$config:ident, $is_key:ident| $new:expr) => {
        ConverterPlugin {
            class: $class,
            aliases: $aliases,
            config_def: $def,
            converter: Some(|$config, $is_key| Ok(Box::new($new?))),
            header_converter: |$config| {
                let $is_key = false;
                Ok(Box::new($new?))
            },
            for_headers: true,
        }
    };
}

macro_rules! number_plugin {
    ($class:literal, $simple:literal, $short:literal, $number:expr) => {
        plugin!(
            $class,
            [$simple, $short],
            NumberConverter::config_def,
            |config, is_key| { NumberConverter::new($number, config, is_key) }
        )
    };
}

macro_rules! registry_plugin {
    ($converter:ty, $simple:literal, $short:literal) => {
        ConverterPlugin {
            class: <$converter>::CLASS,
            aliases: [$simple, $short],
            config_def: <$converter>::config_def,
            converter: Some(|config, is_key| Ok(Box::new(<$converter>::new(config, is_key)?))),
            header_converter: <$converter>::for_headers,
            for_headers: false,
        }
    };
}

/// Every bundled converter, by class name.
pub const ALL: &[ConverterPlugin] = &[
    registry_plugin!(AvroConverter, "AvroConverter", "Avro"),
    registry_plugin!(JsonSchemaConverter, "JsonSchemaConverter", "JsonSchema"),
    registry_plugin!(ProtobufConverter, "ProtobufConverter", "Protobuf"),
    plugin!(
        BooleanConverter::CLASS,
        ["BooleanConverter", "Boolean"],
        BooleanConverter::config_def,
        |config, is_key| BooleanConverter::new(config, is_key)
    ),
    plugin!(
        ByteArrayConverter::CLASS,
        ["ByteArrayConverter", "ByteArray"],
        ByteArrayConverter::config_def,
        |config, is_key| ByteArrayConverter::new(config, is_key)
    ),
    number_plugin!(
        "org.apache.kafka.connect.converters.DoubleConverter",
        "DoubleConverter",
        "Double",
        NumberType::Double
    ),
    number_plugin!(
        "org.apache.kafka.connect.converters.FloatConverter",
        "FloatConverter",
        "Float",
        NumberType::Float
    ),
    number_plugin!(
        "org.apache.kafka.connect.converters.IntegerConverter",
        "IntegerConverter",
        "Integer",
        NumberType::Integer
    ),
    number_plugin!(
        "org.apache.kafka.connect.converters.LongConverter",
        "LongConverter",
        "Long",
        NumberType::Long
    ),
    number_plugin!(
        "org.apache.kafka.connect.converters.ShortConverter",
        "ShortConverter",
        "Short",
        NumberType::Short
    ),
    plugin!(
        JsonConverter::CLASS,
        ["JsonConverter", "Json"],
        JsonConverter::config_def,
        |config, is_key| JsonConverter::new(config, is_key)
    ),
    ConverterPlugin {
        class: SimpleHeaderConverter::CLASS,
        aliases: ["SimpleHeaderConverter", "Simple"],
        config_def: SimpleHeaderConverter::config_def,
        converter: None,
        header_converter: |config| Ok(Box::new(SimpleHeaderConverter::new(config)?)),
        for_headers: true,
    },
    plugin!(
        StringConverter::CLASS,
        ["StringConverter", "String"],
        StringConverter::config_def,
        |config, is_key| StringConverter::new(config, is_key)
    ),
];
