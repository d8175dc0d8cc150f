//! Kafka: `TimestampConverter`. The transformation itself converts, in its form for whole values.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::maps::{Maps, Name, Odd};
use super::super::plan::Planner;
use super::super::record::TapeRecord;
use super::super::value::Val;
use crate::api::Value;
use crate::converters::json::View;

/// Converts a value that is not null. Plans share it.
#[derive(Clone)]
pub(in crate::task::tape) struct Convert(Rc<RefCell<Conversion>>);

type Conversion = dyn FnMut(Value) -> Result<Value, Odd>;

/// Turns a timestamp into another of its forms.
#[derive(Debug)]
pub(in crate::task::tape) struct TimestampConverter {
    field: Option<Name>,
    convert: Convert,
}

impl std::fmt::Debug for Convert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Convert").finish_non_exhaustive()
    }
}

impl Convert {
    /// Converts as `convert` does.
    pub(in crate::task::tape) fn new(
        convert: impl FnMut(Value) -> Result<Value, Odd> + 'static,
    ) -> Self {
        Self(Rc::new(RefCell::new(convert)))
    }

    /// What a value of a record becomes; null stays null.
    pub(in crate::task::tape) fn convert(
        &self,
        value: Val,
        view: View<'_>,
        maps: &mut Maps,
    ) -> Result<Val, Odd> {
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
        let mut convert = self.0.try_borrow_mut().map_err(|_| Odd)?;
        Ok(match convert(value)? {
            Value::Int64(number) => Val::Int64(number),
            Value::String(text) => Val::Text(maps.make(text.as_bytes())),
            Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
                Val::Date(millis)
            }
            _ => return Err(Odd),
        })
    }
}

impl TimestampConverter {
    /// Of a member, or of the whole value.
    pub(in crate::task::tape) fn new(field: Option<Name>, convert: Convert) -> Self {
        Self { field, convert }
    }

    /// Whether it converts a member, which may be planned.
    pub(super) fn is_of_member(&self) -> bool {
        self.field.is_some()
    }

    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let (view, maps) = (record.view, &mut *record.value);
        if maps.is_null(view) {
            return Ok(());
        }
        let Some(name) = self.field else {
            let value = maps.whole().ok_or(Odd)?;
            let converted = self.convert.convert(value, view, maps)?;
            maps.set(converted);
            return Ok(());
        };
        maps.open(view)?;
        maps.copy();
        maps.change(view, name, |value, maps| {
            self.convert.convert(value, view, maps)
        })
    }

    /// What it does to all objects of a shape.
    pub(super) fn plan(
        &self,
        planner: &mut Planner,
        maps: &mut Maps,
        view: View<'_>,
    ) -> Result<(), Odd> {
        let name = self.field.ok_or(Odd)?;
        maps.open(view)?;
        maps.copy();
        maps.change(view, name, |value, _| planner.convert(value, &self.convert))
    }
}
