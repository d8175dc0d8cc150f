//! Kafka: `Flatten`.

use super::super::maps::{Maps, Member, Name, Odd, Order};
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
        self.add(view, maps, map, None)
    }

    /// Depth is bounded by that of the text and the number of operations.
    fn add(
        &self,
        view: View<'_>,
        maps: &mut Maps,
        map: Val,
        prefix: Option<Text>,
    ) -> Result<(), Odd> {
        let mut done = Ok(());
        let mut each = |maps: &mut Maps, member: Member| {
            let name = self.join(view, maps, prefix, member);
            let nested = match member.value {
                Val::Node(at) => view.kind(at as usize) == Kind::Object,
                value => matches!(value, Val::Map(_)),
            };
            if nested {
                let added = self.add(view, maps, member.value, Some(name.text));
                done = std::mem::replace(&mut done, Ok(())).and(added);
            } else if matches!(member.value, Val::Date(_)) {
                // Kafka's Flatten knows dates in structs only; the struct road has the error.
                done = Err(Odd);
            } else {
                maps.put(view, name, member.value);
            }
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
