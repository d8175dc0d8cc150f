//! Kafka: `TimestampConverter`. The transformation itself converts, in its form for whole values.

use super::super::maps::{Maps, Name, Odd};
use super::super::record::TapeRecord;
use super::super::value::Val;
use crate::api::Value;
use crate::converters::json::View;

/// Converts a value that is not null.
pub(in crate::task::tape) type Convert = Box<dyn FnMut(Value) -> Result<Value, Odd>>;

/// Turns a timestamp into another of its forms.
pub(in crate::task::tape) struct TimestampConverter {
    field: Option<Name>,
    convert: Convert,
}

impl std::fmt::Debug for TimestampConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimestampConverter")
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

impl TimestampConverter {
    /// Of a member, or of the whole value.
    pub(in crate::task::tape) fn new(field: Option<Name>, convert: Convert) -> Self {
        Self { field, convert }
    }

    pub(super) fn apply(&mut self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let (view, maps) = (record.view, &mut *record.value);
        if maps.is_null(view) {
            return Ok(());
        }
        let Some(name) = self.field else {
            let value = maps.whole().ok_or(Odd)?;
            let converted = self.convert(value, view, maps)?;
            maps.set(converted);
            return Ok(());
        };
        maps.open(view)?;
        maps.copy();
        let value = maps.get(view, name).unwrap_or(Val::Null);
        let converted = self.convert(value, view, maps)?;
        maps.put(view, name, converted);
        Ok(())
    }

    fn convert(&mut self, value: Val, view: View<'_>, maps: &mut Maps) -> Result<Val, Odd> {
        let value = match value.read(view) {
            Val::Null => return Ok(Val::Null),
            Val::Int64(number) => Value::Int64(number),
            Val::Date(millis) => Value::Timestamp(millis),
            Val::Text(text) => {
                let text = std::str::from_utf8(maps.text(view, text)).map_err(|_| Odd)?;
                Value::String(text.to_owned())
            }
            _ => return Err(Odd),
        };
        Ok(match (self.convert)(value)? {
            Value::Int64(number) => Val::Int64(number),
            Value::String(text) => Val::Text(maps.make(text.as_bytes())),
            Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
                Val::Date(millis)
            }
            _ => return Err(Odd),
        })
    }
}
