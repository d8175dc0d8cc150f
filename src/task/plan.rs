//! Which road keys and values take, decided before a task runs. The plan is data: the log prints it and
//! tests assert it.

use std::fmt;

use crate::api::{Converter, SinkForm, TextRoad};

/// How bytes become records or records become bytes, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
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
    /// For the slice batches of a source task. Batches of full records always take the struct road.
    pub fn source(key: &dyn Converter, value: &dyn Converter, has_transforms: bool) -> Self {
        if has_transforms {
            return Self {
                key: Road::Struct,
                value: Road::Struct,
            };
        }
        Self {
            key: Road::of(key.write_text_road()),
            value: Road::of(value.write_text_road()),
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
