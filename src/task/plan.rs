//! Which road keys and values take, and how transforms work beside them, decided before a task runs. The
//! plan is data: the log prints it and tests assert it.

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
    /// JSON is parsed once into flat nodes, transformed and printed, without values.
    Tape,
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
            Self::Tape => "tape",
            Self::Struct => "struct",
        })
    }
}

/// How the transforms of a task work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transforms {
    /// There are none.
    None,
    /// On topics, headers and timestamps only: keys and values are not looked into.
    Beside,
    /// On the tape that values are parsed into.
    Tape,
    /// On the full data model.
    Struct,
}

/// What a chain of transforms needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// It is empty.
    Nothing,
    /// The topic, and nothing else.
    Topic,
    /// No key and no value.
    Envelope,
    /// To know whether a value is null.
    Nullness,
    /// Values of JSON without schemas, on a tape; keys are not looked into.
    Members,
    /// The full data model.
    Values,
}

/// The roads of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Keys.
    pub key: Road,
    /// Values.
    pub value: Road,
    /// How transforms work.
    pub transforms: Transforms,
}

impl Plan {
    /// The full data model for both.
    pub fn full(has_transforms: bool) -> Self {
        Self {
            key: Road::Struct,
            value: Road::Struct,
            transforms: match has_transforms {
                true => Transforms::Struct,
                false => Transforms::None,
            },
        }
    }
}

impl Plan {
    /// For slice batches of `form` of a source task, whose schema is the required string or bytes, with a
    /// chain that needs `needs`: a batch has one topic. Batches of full records always take the struct
    /// road.
    pub fn source(
        form: SliceForm,
        key: &dyn Converter,
        value: &dyn Converter,
        needs: Needs,
    ) -> Self {
        let transforms = match needs {
            Needs::Nothing => Transforms::None,
            Needs::Topic => Transforms::Beside,
            _ => return Self::full(true),
        };
        let road = |converter: &dyn Converter| match form {
            SliceForm::Text => Road::of(converter.write_text_road()),
            SliceForm::Bytes => Road::of(converter.write_bytes_road()),
        };
        Self {
            key: road(key),
            value: road(value),
            transforms,
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
        if !kept || has_transforms {
            return Self::full(has_transforms);
        }
        Self {
            key: Road::PassThrough,
            value: Road::PassThrough,
            transforms: Transforms::None,
        }
    }

    /// For a sink task that wants `form`, with a chain that needs `needs`.
    pub fn sink(form: SinkForm, key: &dyn Converter, value: &dyn Converter, needs: Needs) -> Self {
        if form == SinkForm::Values || needs == Needs::Values {
            return Self::full(needs != Needs::Nothing);
        }
        let plan = |value, transforms| Self {
            key: Road::of(key.read_text_road()),
            value,
            transforms,
        };
        let beside = Road::of(value.read_text_road());
        match needs {
            Needs::Nothing => plan(beside, Transforms::None),
            // Whether a record is dropped is known before its value is printed.
            _ if value.reads_schemaless_json() => plan(Road::Tape, Transforms::Tape),
            Needs::Topic | Needs::Envelope => plan(beside, Transforms::Beside),
            Needs::Nullness if beside == Road::Slice => plan(beside, Transforms::Beside),
            Needs::Nullness | Needs::Members | Needs::Values => Self::full(true),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key: {}, value: {}", self.key, self.value)?;
        match self.transforms {
            Transforms::None => Ok(()),
            Transforms::Beside => f.write_str(", transforms: beside"),
            Transforms::Tape => f.write_str(", transforms: tape"),
            Transforms::Struct => f.write_str(", transforms: struct"),
        }
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
            let source = Plan::source(SliceForm::Text, &*key, &*value, Needs::Nothing);
            let sink = Plan::sink(SinkForm::Text, &*key, &*value, Needs::Nothing);
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
        let transformed = "key: struct, value: struct, transforms: struct";
        assert_eq!(plan(&*bytes, &*bytes, &*same, false), through);
        assert_eq!(plan(&*bytes, &*bytes, &*same, true), transformed);
        assert_eq!(plan(&*bytes, &*bytes, &*simple, false), apart);
        assert_eq!(plan(&*string, &*bytes, &*same, false), apart);
        assert_eq!(plan(&*bytes, &*string, &*same, false), apart);
    }

    #[test]
    fn sinks_that_want_values_take_the_struct_road() {
        let json = converter(".JsonConverter", false);
        let plan = |needs| Plan::sink(SinkForm::Values, &*json, &*json, needs).to_string();
        assert_eq!(plan(Needs::Nothing), "key: struct, value: struct");
        let transformed = "key: struct, value: struct, transforms: struct";
        assert_eq!(plan(Needs::Envelope), transformed);
        assert_eq!(plan(Needs::Members), transformed);
    }

    #[test]
    fn transforms_of_text_sinks_take_the_cheapest_road_that_shows_what_they_need() {
        let plan = |name, schemas, needs| {
            let (key, value) = (
                converter(".StringConverter", false),
                converter(name, schemas),
            );
            let plan = Plan::sink(SinkForm::Text, &*key, &*value, needs);
            let text = plan.to_string();
            assert_eq!(Plan::sink(SinkForm::Nothing, &*key, &*value, needs), plan);
            text
        };
        let full = "key: struct, value: struct, transforms: struct";
        let beside = "key: slice, value: slice, transforms: beside";
        let tape = "key: slice, value: tape, transforms: tape";
        for (needs, string, json, envelope) in [
            (
                Needs::Topic,
                beside,
                tape,
                "key: slice, value: rewrite, transforms: beside",
            ),
            (
                Needs::Envelope,
                beside,
                tape,
                "key: slice, value: rewrite, transforms: beside",
            ),
            (Needs::Nullness, beside, tape, full),
            (Needs::Members, full, tape, full),
            (Needs::Values, full, full, full),
        ] {
            assert_eq!(plan(".StringConverter", false, needs), string, "{needs:?}");
            assert_eq!(plan(".JsonConverter", false, needs), json, "{needs:?}");
            assert_eq!(plan(".JsonConverter", true, needs), envelope, "{needs:?}");
        }
        let number = plan(".IntegerConverter", false, Needs::Nullness);
        assert_eq!(number, full);
    }

    #[test]
    fn sources_are_routed_beside_their_slices_and_transformed_on_the_struct_road() {
        let (string, json) = (
            converter(".StringConverter", false),
            converter(".JsonConverter", false),
        );
        let plan = |needs| Plan::source(SliceForm::Text, &*string, &*json, needs).to_string();
        assert_eq!(
            plan(Needs::Topic),
            "key: slice, value: rewrite, transforms: beside"
        );
        for needs in [
            Needs::Envelope,
            Needs::Nullness,
            Needs::Members,
            Needs::Values,
        ] {
            assert_eq!(
                plan(needs),
                "key: struct, value: struct, transforms: struct"
            );
        }
    }
}
