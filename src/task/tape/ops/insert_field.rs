//! Kafka: `InsertField`.

use super::super::maps::{Name, Odd};
use super::super::record::TapeRecord;
use super::super::value::{Text, Val};

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
        record.value.open(view)?;
        record.value.copy();
        if let Some(name) = self.topic {
            let topic = record.value.make(record.topic.as_bytes());
            record.value.put(view, name, Val::Text(topic));
        }
        if let Some(name) = self.partition {
            let partition = Val::Int32(record.partition);
            record.value.put(view, name, partition);
        }
        if let Some(name) = self.offset {
            record.value.put(view, name, Val::Int64(record.offset));
        }
        if let (Some(name), Some(timestamp)) = (self.timestamp, record.timestamp) {
            record.value.put(view, name, Val::Int64(timestamp));
        }
        if let Some((name, text)) = self.fixed {
            record.value.put(view, name, Val::Text(text));
        }
        Ok(())
    }
}
