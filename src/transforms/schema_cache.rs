//! What was made from a schema, kept for the records that follow (Kafka: `SynchronizedCache` over an
//! `LRUCache` of 16).

use std::sync::Arc;

use crate::api::ConnectError;
use crate::api::data::{Schema, SchemaRef};

/// Schemas that a cache remembers, as in Kafka's transformations.
const CAPACITY: usize = 16;

/// The 16 schemas seen last and what was made from each.
///
/// Records of one origin share their schema by pointer, so that almost every search ends at the first
/// entry with one comparison. Equal schemas behind other pointers are found as well.
#[derive(Debug)]
pub(super) struct SchemaCache<T> {
    /// Those used last come first.
    entries: Vec<(SchemaRef, T)>,
}

impl<T> Default for SchemaCache<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<T> SchemaCache<T> {
    /// What belongs to `schema`, made now if it is not known.
    ///
    /// # Errors
    /// Those of `make`, which runs again next time.
    #[inline]
    pub(super) fn get(
        &mut self,
        schema: &SchemaRef,
        make: impl FnOnce(&Schema) -> Result<T, ConnectError>,
    ) -> Result<&T, ConnectError> {
        let is_first = |(known, _): &(SchemaRef, T)| Arc::ptr_eq(known, schema);
        if !self.entries.first().is_some_and(is_first) {
            self.bring_to_front(schema, make)?;
        }
        match self.entries.first() {
            Some((_, made)) => Ok(made),
            None => Err(ConnectError::connect("the schema cache holds nothing")),
        }
    }

    #[cold]
    fn bring_to_front(
        &mut self,
        schema: &SchemaRef,
        make: impl FnOnce(&Schema) -> Result<T, ConnectError>,
    ) -> Result<(), ConnectError> {
        let same = |(known, _): &(SchemaRef, T)| Arc::ptr_eq(known, schema);
        let equal = |(known, _): &(SchemaRef, T)| known == schema;
        let known = self.entries.iter().position(same);
        match known.or_else(|| self.entries.iter().position(equal)) {
            Some(at) => {
                let (_, made) = self.entries.remove(at);
                self.entries.insert(0, (Arc::clone(schema), made));
            }
            None => {
                let made = make(schema)?;
                self.entries.truncate(CAPACITY - 1);
                self.entries.insert(0, (Arc::clone(schema), made));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SchemaBuilder, SchemaType};

    fn named(name: &str) -> SchemaRef {
        SchemaBuilder::new(SchemaType::Int8).name(name).build()
    }

    #[test]
    fn equal_schemas_share_an_entry_and_the_one_unused_for_longest_is_forgotten() {
        let mut cache = SchemaCache::default();
        let mut made = Vec::new();
        let mut get = |schema: &SchemaRef| {
            let make = |schema: &Schema| {
                made.push(schema.name().map(str::to_owned));
                Ok(schema.name().map(str::to_owned))
            };
            cache.get(schema, make).unwrap().clone()
        };
        let first = named("0");
        for schema in [&first, &first, &named("0"), &named("1"), &first] {
            assert_eq!(get(schema).as_deref(), schema.name());
        }
        for number in 1..17 {
            get(&named(&number.to_string()));
        }
        get(&named("1"));
        get(&first);
        let text = |number: usize| Some(number.to_string());
        let expected: Vec<_> = (0..17).chain([0]).map(text).collect();
        assert_eq!(made, expected);
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let mut cache = SchemaCache::default();
        let schema = named("s");
        let failed = cache.get(&schema, |_| Err(ConnectError::data("no")));
        assert_eq!(failed.unwrap_err().message(), "no");
        assert_eq!(cache.get(&schema, |_| Ok(1)).unwrap(), &1);
    }
}
