//! Kafka: `ReplaceField`.

use super::super::maps::{Maps, Member, Name, Odd};
use super::super::record::TapeRecord;
use crate::api::data::java_hash;
use crate::converters::json::View;

/// Leaves members out and renames others.
#[derive(Debug, Default)]
pub(in crate::task::tape) struct ReplaceField {
    /// `exclude`, which wins.
    pub(in crate::task::tape) exclude: NameSet,
    /// `include`; empty is all.
    pub(in crate::task::tape) include: NameSet,
    /// `renames`: old names, and the new ones at the same places.
    pub(in crate::task::tape) renamed: NameSet,
    /// See `renamed`.
    pub(in crate::task::tape) renames: Vec<Name>,
}

impl ReplaceField {
    #[inline]
    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let view = record.view;
        if record.value.is_null(view) {
            return Ok(());
        }
        self.replace(view, record.value)
    }

    /// What it does to a value that is not null. Only names matter.
    #[inline]
    pub(super) fn replace(&self, view: View<'_>, maps: &mut Maps) -> Result<(), Odd> {
        maps.open(view)?;
        let capacity = java_hash::capacity_at_least(maps.members().len());
        let found = |set: &NameSet, maps: &Maps, member: &Member| set.find(maps, view, member);
        if !self.renames.is_empty() {
            // New names come into the new table in the order of the old one.
            maps.sort();
        }
        if self.include.is_empty() {
            if !self.exclude.is_empty() {
                maps.retain(|maps, member| found(&self.exclude, maps, member).is_none());
            }
        } else {
            maps.retain(|maps, member| {
                found(&self.include, maps, member).is_some()
                    && found(&self.exclude, maps, member).is_none()
            });
        }
        if !self.renames.is_empty() {
            maps.rename(view, |maps, member| {
                let at = found(&self.renamed, maps, member)?;
                self.renames.get(at).copied()
            });
        }
        maps.copy_into(capacity);
        Ok(())
    }
}

/// Names to look for, each at its place.
#[derive(Debug, Default)]
pub(in crate::task::tape) struct NameSet {
    names: Vec<Name>,
    /// A bit per low six bits of a hash: most names that are not in the set miss it.
    filter: u64,
}

impl NameSet {
    /// These names.
    pub(in crate::task::tape) fn new(names: Vec<Name>) -> Self {
        let filter = names.iter().fold(0, |bits, name| bits | bit(name.hash));
        Self { names, filter }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The place of a member's name.
    #[inline]
    fn find(&self, maps: &Maps, view: View<'_>, member: &Member) -> Option<usize> {
        if self.filter & bit(member.hash) == 0 {
            return None;
        }
        self.names.iter().position(|name| {
            name.hash == member.hash
                && (name.text == member.name
                    || maps.text(view, name.text) == maps.text(view, member.name))
        })
    }
}

#[inline]
fn bit(hash: i32) -> u64 {
    1 << (hash & 63)
}
