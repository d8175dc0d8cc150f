//! Kafka: `HeaderFrom`.

use std::rc::Rc;

use super::super::maps::{Maps, Name, Odd};
use super::super::record::{HeaderEdit, TapeRecord};
use crate::converters::json::View;

/// Makes headers of members.
#[derive(Debug)]
pub(in crate::task::tape) struct HeaderFrom {
    /// `fields` and the `headers` at the same places.
    pub(in crate::task::tape) pairs: Vec<(Name, Rc<str>)>,
    /// `operation`: move rather than copy.
    pub(in crate::task::tape) moves: bool,
}

impl HeaderFrom {
    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        self.change(record.view, record.value)?;
        self.add_headers(record.edits);
        Ok(())
    }

    /// What it does to the value. Only names matter.
    pub(super) fn change(&self, view: View<'_>, maps: &mut Maps) -> Result<(), Odd> {
        maps.open(view)?;
        maps.copy();
        if self.moves {
            for (name, _) in &self.pairs {
                maps.remove(view, *name);
            }
        }
        Ok(())
    }

    /// What it does to headers.
    pub(super) fn add_headers(&self, edits: &mut Vec<HeaderEdit>) {
        let added = self.pairs.iter().map(|(_, header)| Rc::clone(header));
        edits.extend(added.map(HeaderEdit::Add));
    }
}
