//! What transformations do to a tape, one file per transformation. Each gives what the transformation
//! of the same name gives on the struct road for a value without schema, or [`Odd`] where it would be an
//! error or is too rare to be worth a second implementation; the struct road then decides.

mod cast;
mod extract_field;
mod flatten;
mod header_from;
mod insert_field;
mod mask_field;
mod replace_field;
mod router;
mod timestamp_converter;

pub(super) use cast::{Cast, Target};
pub(super) use extract_field::ExtractField;
pub(super) use flatten::Flatten;
pub(super) use header_from::HeaderFrom;
pub(super) use insert_field::InsertField;
pub(super) use mask_field::{MaskField, Replacement};
pub(super) use replace_field::{NameSet, ReplaceField};
pub(super) use router::Router;
pub(super) use timestamp_converter::TimestampConverter;

use std::rc::Rc;

use super::maps::{Name, Odd, Order};
use super::record::{HeaderEdit, TapeRecord};
use super::value::Val;

/// One operation.
#[derive(Debug)]
pub(super) enum Op {
    Cast(Cast),
    /// Kafka: `DropHeaders`.
    DropHeaders(Rc<[Box<str>]>),
    ExtractField(ExtractField),
    /// Drops the record.
    Filter,
    Flatten(Flatten),
    HeaderFrom(HeaderFrom),
    /// Kafka: `HoistField`.
    HoistField(Name),
    InsertField(InsertField),
    /// Kafka: `InsertHeader`.
    InsertHeader(Rc<str>),
    /// An operation on a key that ValueToKey made: nobody sees it.
    KeyUnseen,
    MaskField(MaskField),
    ReplaceField(ReplaceField),
    Router(Router),
    TimestampConverter(TimestampConverter),
    /// Kafka: `ValueToKey`. Who gets text gets no key, so that only the check of the value is left.
    ValueToKey,
}

/// Whether a record goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Kept,
    Dropped,
}

impl Op {
    /// Whether it looks into the value.
    pub(super) fn looks_into_value(&self) -> bool {
        !matches!(
            self,
            Self::DropHeaders(_)
                | Self::Filter
                | Self::InsertHeader(_)
                | Self::KeyUnseen
                | Self::Router(_)
        )
    }

    /// Whether it looks at the topic and at nothing else.
    pub(super) fn looks_at_topic_only(&self) -> bool {
        match self {
            Self::Filter => true,
            Self::Router(router) => !router.looks_at_time(),
            _ => false,
        }
    }

    /// Whether it changes the topic.
    pub(super) fn routes(&self) -> bool {
        matches!(self, Self::Router(_))
    }

    /// Applies it.
    #[inline]
    pub(super) fn apply(&mut self, record: &mut TapeRecord<'_>) -> Result<Outcome, Odd> {
        match self {
            Self::Cast(cast) => cast.apply(record)?,
            Self::DropHeaders(names) => {
                record.edits.push(HeaderEdit::Drop(Rc::clone(names)));
            }
            Self::ExtractField(extract) => extract.apply(record)?,
            Self::Filter => return Ok(Outcome::Dropped),
            Self::Flatten(flatten) => flatten.apply(record)?,
            Self::HeaderFrom(header_from) => header_from.apply(record)?,
            Self::HoistField(name) => hoist(*name, record),
            Self::InsertField(insert) => insert.apply(record)?,
            Self::InsertHeader(name) => record.edits.push(HeaderEdit::Add(Rc::clone(name))),
            Self::KeyUnseen => {}
            Self::MaskField(mask) => mask.apply(record)?,
            Self::ReplaceField(replace) => replace.apply(record)?,
            Self::Router(router) => router.apply(record)?,
            Self::TimestampConverter(convert) => convert.apply(record)?,
            Self::ValueToKey => record.value.open(record.view)?,
        }
        Ok(Outcome::Kept)
    }
}

fn hoist(name: Name, record: &mut TapeRecord<'_>) {
    let value = record.value.take();
    let value = match value.is_null(record.view) {
        true => Val::Null,
        false => value,
    };
    record
        .value
        .set_map(Order::Table(crate::api::data::java_hash::DEFAULT_CAPACITY));
    record.value.put(record.view, name, value);
}
