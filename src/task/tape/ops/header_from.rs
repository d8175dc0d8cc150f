//! Kafka: `HeaderFrom`.

use std::rc::Rc;

use super::super::maps::{Name, Odd};
use super::super::record::{HeaderEdit, TapeRecord};

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
        let (view, maps) = (record.view, &mut *record.value);
        maps.open(view)?;
        maps.copy();
        for (name, header) in &self.pairs {
            if self.moves {
                maps.remove(view, *name);
            }
            record.edits.push(HeaderEdit::Add(Rc::clone(header)));
        }
        Ok(())
    }
}
