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

pub(super) use cast::{Cast, Target, cast_value};
pub(super) use extract_field::ExtractField;
pub(super) use flatten::{Flatten, is_map};
pub(super) use header_from::HeaderFrom;
pub(super) use insert_field::InsertField;
pub(super) use mask_field::{MaskField, Replacement, hide};
pub(super) use replace_field::{NameSet, ReplaceField};
pub(super) use router::Router;
pub(super) use timestamp_converter::{Convert, TimestampConverter};

use std::rc::Rc;

use super::maps::{Maps, Name, Odd, Order};
use super::plan::Planner;
use super::record::{HeaderEdit, TapeRecord};
use super::value::Val;
use crate::api::data::java_hash;
use crate::converters::json::View;

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

    /// Whether what it does to an object depends on names only, so that [`Self::plan`] knows it. Values
    /// that are no maps are planned at the end of a chain only.
    pub(super) fn is_planned(&self, is_last: bool) -> bool {
        match self {
            Self::Cast(Cast::Whole(_)) => false,
            Self::TimestampConverter(convert) => convert.is_of_member(),
            Self::ExtractField(extract) => is_last && extract.path.len() == 1,
            _ => true,
        }
    }

    /// Whether it puts the topic into the value.
    pub(super) fn inserts_topic(&self) -> bool {
        matches!(self, Self::InsertField(insert) if insert.topic.is_some())
    }

    /// Whether it puts the timestamp into the value.
    pub(super) fn inserts_timestamp(&self) -> bool {
        matches!(self, Self::InsertField(insert) if insert.timestamp.is_some())
    }

    /// Whether it does anything beside changing the value.
    pub(super) fn has_effects(&self) -> bool {
        match self {
            Self::HeaderFrom(_) => true,
            Self::KeyUnseen => false,
            _ => !self.looks_into_value(),
        }
    }

    /// Does what it does beside changing the value.
    pub(super) fn apply_effects(&mut self, record: &mut TapeRecord<'_>) -> Result<Outcome, Odd> {
        match self {
            Self::HeaderFrom(header_from) => {
                header_from.add_headers(record.edits);
                Ok(Outcome::Kept)
            }
            _ if self.has_effects() => self.apply(record),
            _ => Ok(Outcome::Kept),
        }
    }

    /// Changes the value in a way that is the same for all objects of a shape.
    pub(super) fn plan(
        &self,
        planner: &mut Planner,
        maps: &mut Maps,
        view: View<'_>,
    ) -> Result<Outcome, Odd> {
        match self {
            Self::Cast(cast) => cast.plan(planner, maps, view)?,
            Self::ExtractField(extract) => extract.plan(maps, view)?,
            Self::Filter => return Ok(Outcome::Dropped),
            Self::Flatten(flatten) => flatten.plan(planner, maps, view)?,
            Self::HeaderFrom(header_from) => header_from.change(view, maps)?,
            Self::HoistField(name) => hoist(*name, maps, view),
            Self::InsertField(insert) => insert.plan(planner, maps, view)?,
            Self::MaskField(mask) => mask.plan(planner, maps, view)?,
            Self::ReplaceField(replace) => replace.replace(view, maps)?,
            Self::TimestampConverter(convert) => convert.plan(planner, maps, view)?,
            Self::DropHeaders(_)
            | Self::InsertHeader(_)
            | Self::KeyUnseen
            | Self::Router(_)
            | Self::ValueToKey => {}
        }
        Ok(Outcome::Kept)
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
            Self::HoistField(name) => hoist(*name, record.value, record.view),
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

fn hoist(name: Name, maps: &mut Maps, view: View<'_>) {
    let value = maps.take();
    let value = match value.is_null(view) {
        true => Val::Null,
        false => value,
    };
    maps.set_map(Order::Table(java_hash::DEFAULT_CAPACITY));
    maps.put(view, name, value);
}
