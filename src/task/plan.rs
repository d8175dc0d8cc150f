//! Which road keys and values take, decided before a task runs. The plan is data: the log prints it and
//! tests assert it.

use std::fmt;

use crate::api::{Converter, HeaderConverter, SinkForm, SliceForm, TextRoad};

/// How bytes become records or records become bytes, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// Whole record batches go on untouched, compressed as they are.
    PassThrough,
    /// The bytes are a slice of the buffer that they were read into.
    Slice,
    /// Text is rewritten from one buffer into another, without values.
    Rewrite,
    /// The full data model.
    Struct,
}

impl Road {
    fn of(text_road: TextRoad) -> Self {
        match text_road {
            TextRoad::Identity => Self::Slice,
            TextRoad::Rewrite => Self::Rewrite,
            TextRoad::None => Self::Struct,
        }
    }
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PassThrough => "pass-through",
            Self::Slice => "slice",
            Self::Rewrite => "rewrite",
            Self::Struct => "struct",
        })
    }
}

/// The roads of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Keys.
    pub key: Road,
    /// Values.
    pub value: Road,
}

impl Plan {
    /// For slice batches of `form` of a source task, whose schema is the required string or bytes. Batches
    /// of full records always take the struct road.
    pub fn source(
        form: SliceForm,
        key: &dyn Converter,
        value: &dyn Converter,
        has_transforms: bool,
    ) -> Self {
        if has_transforms {
            return Self {
                key: Road::Struct,
                value: Road::Struct,
            };
        }
        let road = |converter: &dyn Converter| match form {
            SliceForm::Text => Road::of(converter.write_text_road()),
            SliceForm::Bytes => Road::of(converter.write_bytes_road()),
        };
        Self {
            key: road(key),
            value: road(value),
        }
    }

    /// For record batches of a source task, whose keys, values and headers are byte arrays. A batch that
    /// does not fit its target is taken apart nevertheless (see [`crate::record::passes`]).
    pub fn batches(
        key: &dyn Converter,
        value: &dyn Converter,
        header: &dyn HeaderConverter,
        has_transforms: bool,
    ) -> Self {
        let kept = key.keeps_bytes() && value.keeps_bytes() && header.keeps_bytes();
        let road = match kept && !has_transforms {
            true => Road::PassThrough,
            false => Road::Struct,
        };
        Self {
            key: road,
            value: road,
        }
    }

    /// For a sink task that wants `form`.
    pub fn sink(
        form: SinkForm,
        key: &dyn Converter,
        value: &dyn Converter,
        has_transforms: bool,
    ) -> Self {
        if has_transforms || form == SinkForm::Values {
            return Self {
                key: Road::Struct,
                value: Road::Struct,
            };
        }
        Self {
            key: Road::of(key.read_text_road()),
            value: Road::of(value.read_text_road()),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key: {}, value: {}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConfigMap;

    fn converter(name: &str, schemas: bool) -> Box<dyn Converter> {
        let plugin = crate::converters::ALL
            .iter()
            .find(|plugin| plugin.class.ends_with(name));
        let mut config = ConfigMap::new();
        config.insert("schemas.enable".to_owned(), Some(schemas.to_string()));
        plugin.unwrap().converter.unwrap()(&config, false).unwrap()
    }

    #[test]
    fn each_converter_gets_its_cheapest_road() {
        let plan = |name, schemas| {
            let (key, value) = (
                converter(".StringConverter", false),
                converter(name, schemas),
            );
            let source = Plan::source(SliceForm::Text, &*key, &*value, false);
            let sink = Plan::sink(SinkForm::Text, &*key, &*value, false);
            (source.to_string(), sink.to_string())
        };
        let both = |road: &str| {
            let text = format!("key: slice, value: {road}");
            (text.clone(), text)
        };
        assert_eq!(plan(".StringConverter", false), both("slice"));
        assert_eq!(plan(".JsonConverter", false), both("rewrite"));
        assert_eq!(plan(".JsonConverter", true), both("rewrite"));
        assert_eq!(plan(".IntegerConverter", false), both("struct"));
    }

    #[test]
    fn batches_pass_through_byte_array_converters_alone() {
        let bytes = converter(".ByteArrayConverter", false);
        let string = converter(".StringConverter", false);
        let header = |name: &str| {
            let mut plugins = crate::converters::ALL.iter();
            let plugin = plugins.find(|plugin| plugin.class.ends_with(name));
            (plugin.unwrap().header_converter)(&ConfigMap::new()).unwrap()
        };
        let same = header(".ByteArrayConverter");
        let simple = header(".SimpleHeaderConverter");
        let plan = |key, value, header, transforms| {
            Plan::batches(key, value, header, transforms).to_string()
        };
        let through = "key: pass-through, value: pass-through";
        let apart = "key: struct, value: struct";
        assert_eq!(plan(&*bytes, &*bytes, &*same, false), through);
        assert_eq!(plan(&*bytes, &*bytes, &*same, true), apart);
        assert_eq!(plan(&*bytes, &*bytes, &*simple, false), apart);
        assert_eq!(plan(&*string, &*bytes, &*same, false), apart);
        assert_eq!(plan(&*bytes, &*string, &*same, false), apart);
    }

    #[test]
    fn transforms_and_sinks_that_want_values_take_the_struct_road() {
        let string = converter(".StringConverter", false);
        let transformed = Plan::source(SliceForm::Text, &*string, &*string, true);
        let values = Plan::sink(SinkForm::Values, &*string, &*string, false);
        assert_eq!(
            transformed,
            Plan {
                key: Road::Struct,
                value: Road::Struct
            }
        );
        assert_eq!(values, transformed);
    }
}
