//! Kafka: `MaskField`.

use std::rc::Rc;

use super::super::maps::{Maps, Name, Odd, Order};
use super::super::plan::Planner;
use super::super::record::TapeRecord;
use super::super::value::{Text, Val};
use crate::api::data::java_hash;
use crate::converters::json::View;

/// Hides members behind what says nothing.
#[derive(Debug)]
pub(in crate::task::tape) struct MaskField {
    /// `fields`, in the order of Java's set of them.
    pub(in crate::task::tape) fields: Vec<Name>,
    /// `replacement`.
    pub(in crate::task::tape) replacement: Option<Rc<Replacement>>,
}

/// `replacement` as each class that it can stand for; `None` where it cannot.
#[derive(Debug, Default)]
pub(in crate::task::tape) struct Replacement {
    pub(in crate::task::tape) text: Option<Text>,
    pub(in crate::task::tape) int8: Option<i8>,
    pub(in crate::task::tape) int16: Option<i16>,
    pub(in crate::task::tape) int32: Option<i32>,
    pub(in crate::task::tape) int64: Option<i64>,
    pub(in crate::task::tape) float32: Option<f32>,
    pub(in crate::task::tape) float64: Option<f64>,
}

impl MaskField {
    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let (view, maps) = (record.view, &mut *record.value);
        let replacement = self.replacement.as_deref();
        self.mask(view, maps, |value, maps| {
            hide(value, replacement, view, maps)
        })
    }

    /// What it does to all objects of a shape.
    pub(super) fn plan(
        &self,
        planner: &mut Planner,
        maps: &mut Maps,
        view: View<'_>,
    ) -> Result<(), Odd> {
        let replacement = self.replacement.as_ref();
        self.mask(view, maps, |value, _| planner.hide(value, replacement))
    }

    fn mask(
        &self,
        view: View<'_>,
        maps: &mut Maps,
        mut hidden: impl FnMut(Val, &mut Maps) -> Result<Val, Odd>,
    ) -> Result<(), Odd> {
        maps.open(view)?;
        maps.copy();
        for name in &self.fields {
            maps.change(view, *name, &mut hidden)?;
        }
        Ok(())
    }
}

/// What stands for a value.
pub(in crate::task::tape) fn hide(
    value: Val,
    replacement: Option<&Replacement>,
    view: View<'_>,
    maps: &mut Maps,
) -> Result<Val, Odd> {
    let value = value.read(view);
    match replacement {
        None => Ok(nothing(value, maps, || value_is_list(value, view))),
        Some(replacement) => replacement.of(value),
    }
}

fn value_is_list(value: Val, view: View<'_>) -> bool {
    use crate::converters::json::Kind;
    match value {
        Val::NoItems => true,
        Val::Node(at) => view.kind(at as usize) == Kind::Array,
        _ => false,
    }
}

/// What hides a value of its class.
fn nothing(value: Val, maps: &mut Maps, is_list: impl Fn() -> bool) -> Val {
    match value {
        Val::Null => Val::Null,
        Val::Boolean(_) => Val::Boolean(false),
        Val::Int8(_) => Val::Int8(0),
        Val::Int16(_) => Val::Int16(0),
        Val::Int32(_) => Val::Int32(0),
        Val::Int64(_) => Val::Int64(0),
        Val::Float32(_) => Val::Float32(0.0),
        Val::Float64(_) => Val::Float64(0.0),
        Val::Text(_) => Val::Text(Text::Made { start: 0, len: 0 }),
        Val::Date(_) => Val::Date(0),
        Val::NoItems | Val::Node(_) | Val::Map(_) if is_list() => Val::NoItems,
        Val::NoItems | Val::Node(_) | Val::Map(_) => {
            maps.empty(Order::Table(java_hash::DEFAULT_CAPACITY))
        }
    }
}

impl Replacement {
    fn of(&self, value: Val) -> Result<Val, Odd> {
        let replaced = match value {
            Val::Null => return Ok(Val::Null),
            Val::Int8(_) => self.int8.map(Val::Int8),
            Val::Int16(_) => self.int16.map(Val::Int16),
            Val::Int32(_) => self.int32.map(Val::Int32),
            Val::Int64(_) => self.int64.map(Val::Int64),
            Val::Float32(_) => self.float32.map(Val::Float32),
            Val::Float64(_) => self.float64.map(Val::Float64),
            Val::Text(_) => self.text.map(Val::Text),
            Val::Boolean(_) | Val::Date(_) | Val::NoItems | Val::Node(_) | Val::Map(_) => None,
        };
        replaced.ok_or(Odd)
    }
}
