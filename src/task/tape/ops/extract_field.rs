//! Kafka: `ExtractField`.

use super::super::maps::{Maps, Name, Odd};
use super::super::record::TapeRecord;
use super::super::value::Val;
use crate::converters::json::{Kind, View};

/// Puts one member in the place of the value.
#[derive(Debug)]
pub(in crate::task::tape) struct ExtractField {
    /// The way to it; never empty.
    pub(in crate::task::tape) path: Vec<Name>,
}

impl ExtractField {
    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let (view, maps) = (record.view, &mut *record.value);
        let mut value = maps.take();
        for step in &self.path {
            if value.is_null(view) {
                break;
            }
            if !is_map(value, view) {
                return Err(Odd);
            }
            value = maps.get_in(view, value, *step).unwrap_or(Val::Null);
        }
        maps.set(value);
        Ok(())
    }

    /// What it does to all objects of a shape.
    pub(super) fn plan(&self, maps: &mut Maps, view: View<'_>) -> Result<(), Odd> {
        let [name] = *self.path else {
            return Err(Odd);
        };
        let map = maps.take();
        let value = maps.get_in(view, map, name).unwrap_or(Val::Null);
        maps.set(value);
        Ok(())
    }
}

fn is_map(value: Val, view: View<'_>) -> bool {
    match value {
        Val::Map(_) => true,
        Val::Node(at) => view.kind(at as usize) == Kind::Object,
        _ => false,
    }
}
