//! Kafka: `InsertField`.

use super::super::maps::{Maps, Name, Odd};
use super::super::plan::{Planner, Source};
use super::super::record::TapeRecord;
use super::super::value::{Text, Val};
use crate::converters::json::View;

/// Puts what is known of the record into its value.
#[derive(Debug, Default)]
pub(in crate::task::tape) struct InsertField {
    /// `topic.field`.
    pub(in crate::task::tape) topic: Option<Name>,
    /// `partition.field`.
    pub(in crate::task::tape) partition: Option<Name>,
    /// `offset.field`.
    pub(in crate::task::tape) offset: Option<Name>,
    /// `timestamp.field`.
    pub(in crate::task::tape) timestamp: Option<Name>,
    /// `static.field` and `static.value`.
    pub(in crate::task::tape) fixed: Option<(Name, Text)>,
}

impl InsertField {
    #[inline]
    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let view = record.view;
        if record.value.is_null(view) {
            return Ok(());
        }
        let timestamp = record.timestamp;
        let value = |source, maps: &mut Maps| match source {
            Source::Topic => Val::Text(maps.make(record.topic.as_bytes())),
            Source::Partition => Val::Int32(record.partition),
            Source::Offset => Val::Int64(record.offset),
            Source::Constant(text) => Val::Text(text),
            Source::Timestamp => timestamp.map_or(Val::Null, Val::Int64),
            Source::Member(_) | Source::Made(_) | Source::Null => Val::Null,
        };
        self.insert(view, record.value, timestamp.is_some(), value)
    }

    /// What it does to all objects of a shape.
    pub(super) fn plan(
        &self,
        planner: &mut Planner,
        maps: &mut Maps,
        view: View<'_>,
    ) -> Result<(), Odd> {
        let has_timestamp = planner.outcomes().has_timestamp();
        self.insert(view, maps, has_timestamp, |source, _| planner.value(source))
    }

    #[inline]
    fn insert(
        &self,
        view: View<'_>,
        maps: &mut Maps,
        has_timestamp: bool,
        mut value: impl FnMut(Source, &mut Maps) -> Val,
    ) -> Result<(), Odd> {
        maps.open(view)?;
        maps.copy();
        let timestamp = self.timestamp.filter(|_| has_timestamp);
        let mut put = |name: Option<Name>, source| {
            if let Some(name) = name {
                let value = value(source, maps);
                maps.put(view, name, value);
            }
        };
        put(self.topic, Source::Topic);
        put(self.partition, Source::Partition);
        put(self.offset, Source::Offset);
        put(timestamp, Source::Timestamp);
        if let Some((name, text)) = self.fixed {
            put(Some(name), Source::Constant(text));
        }
        Ok(())
    }
}
