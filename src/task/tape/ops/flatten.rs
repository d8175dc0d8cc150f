//! Kafka: `Flatten`.

use super::super::maps::{Maps, Member, Name, Odd, Order};
use super::super::plan::Planner;
use super::super::record::TapeRecord;
use super::super::value::{Text, Val};
use crate::api::data::java_hash;
use crate::converters::json::{Kind, View};

/// Brings the members of nested maps to the top, under the names of the whole way.
#[derive(Debug)]
pub(in crate::task::tape) struct Flatten {
    /// `delimiter`.
    pub(in crate::task::tape) delimiter: Text,
}

impl Flatten {
    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let (view, maps) = (record.view, &mut *record.value);
        if maps.is_null(view) {
            return Ok(());
        }
        maps.open(view)?;
        let map = maps.take();
        maps.set_map(Order::Inserted);
        self.add(view, maps, map, None, &mut |value| is_map(value, view))
    }

    /// What it does to all objects of a shape. The shape does not say which members are objects: records
    /// in which one is go without the plan.
    pub(super) fn plan(
        &self,
        planner: &mut Planner,
        maps: &mut Maps,
        view: View<'_>,
    ) -> Result<(), Odd> {
        maps.open(view)?;
        let map = maps.take();
        maps.set_map(Order::Inserted);
        self.add(view, maps, map, None, &mut |value| match value {
            Val::Map(_) => Ok(true),
            value => planner.expect_flat(value).map(|()| false),
        })
    }

    /// Depth is bounded by that of the text and the number of operations.
    fn add(
        &self,
        view: View<'_>,
        maps: &mut Maps,
        map: Val,
        prefix: Option<Text>,
        is_map: &mut dyn FnMut(Val) -> Result<bool, Odd>,
    ) -> Result<(), Odd> {
        let mut done = Ok(());
        let mut each = |maps: &mut Maps, member: Member| {
            let name = self.join(view, maps, prefix, member);
            let added = match is_map(member.value) {
                Ok(true) => self.add(view, maps, member.value, Some(name.text), is_map),
                Ok(false) => {
                    maps.put(view, name, member.value);
                    Ok(())
                }
                Err(Odd) => Err(Odd),
            };
            done = std::mem::replace(&mut done, Ok(())).and(added);
        };
        match map {
            Val::Map(at) => maps.for_each(Some(at), each),
            Val::Node(at) => maps.for_each_in_node(view, at, &mut each),
            _ => {}
        }
        done
    }

    fn join(&self, view: View<'_>, maps: &mut Maps, prefix: Option<Text>, member: Member) -> Name {
        // A prefix that is empty is none.
        let Some(prefix) = prefix.filter(|prefix| !maps.text(view, *prefix).is_empty()) else {
            return Name {
                hash: member.hash,
                text: member.name,
            };
        };
        let start = maps.bytes().len();
        for part in [prefix, self.delimiter, member.name] {
            maps.append(view, part);
        }
        let text = maps.made_since(start);
        let joined = std::str::from_utf8(maps.text(view, text)).unwrap_or_default();
        Name {
            hash: java_hash::string_hash(joined),
            text,
        }
    }
}

/// Whether a value is a map, whose members come to the top.
pub(in crate::task::tape) fn is_map(value: Val, view: View<'_>) -> Result<bool, Odd> {
    match value {
        Val::Node(at) => Ok(view.kind(at as usize) == Kind::Object),
        Val::Map(_) => Ok(true),
        // Kafka's Flatten knows dates in structs only; the struct road has the error.
        Val::Date(_) => Err(Odd),
        _ => Ok(false),
    }
}
