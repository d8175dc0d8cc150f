//! What stands in the maps of a tape: references to the parsed text and what operations made.

use crate::converters::json::{Kind, View, fraction, long};

/// Where a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// A text node of the parsed document.
    Node(u32),
    /// A range of the tape's own bytes: constants of the configuration and texts that were made.
    Made {
        /// First byte.
        start: u32,
        /// Length in bytes.
        len: u32,
    },
}

/// A value: the classes are those that Java has (see [`crate::api::Value`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Val {
    /// A node of the parsed document.
    Node(u32),
    Null,
    Boolean(bool),
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Float32(f32),
    Float64(f64),
    /// A text of the tape's own.
    Text(Text),
    /// `java.util.Date`, milliseconds since the epoch.
    Date(i64),
    /// An empty list.
    NoItems,
    /// A map that an operation made or wrapped: its place in [`super::maps::Maps`].
    Map(u32),
}

impl Val {
    /// The same value with what can be read of a node read: a node is left only where it is a text, an
    /// array or an object.
    #[inline]
    pub(super) fn read(self, view: View<'_>) -> Self {
        let Self::Node(node) = self else {
            return self;
        };
        let at = node as usize;
        match view.kind(at) {
            Kind::Null => Self::Null,
            Kind::False => Self::Boolean(false),
            Kind::True => Self::Boolean(true),
            Kind::Integer => Self::Int64(long(view, at)),
            Kind::Fraction => Self::Float64(fraction(view, at)),
            Kind::Text => Self::Text(Text::Node(node)),
            Kind::Array | Kind::Object => self,
        }
    }

    /// Whether it is null in Java.
    #[inline]
    pub(super) fn is_null(self, view: View<'_>) -> bool {
        match self {
            Self::Null => true,
            Self::Node(node) => view.kind(node as usize) == Kind::Null,
            _ => false,
        }
    }
}

/// A node's index as values carry it: the parser has fewer nodes than 2^32.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a document has fewer than 2^32 nodes"
)]
pub(super) fn node(index: usize) -> u32 {
    index as u32
}

/// A position in the tape's own buffers, which [`super::Tape`] keeps below 4 GiB.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "buffers of one record end before 4 GiB"
)]
pub(super) fn narrow(position: usize) -> u32 {
    position as u32
}
