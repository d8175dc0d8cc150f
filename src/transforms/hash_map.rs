//! A Java `HashMap` that a transformation copies and changes, with its order of iteration (contract
//! 6.5).

use crate::api::data::java_hash::{
    DEFAULT_CAPACITY, capacity_at_least, capacity_for_copy, sort_entries,
};
use crate::api::{ConnectError, Value};

/// Entries in the order in which they were put, and the table size that orders them at the end.
#[derive(Debug)]
pub(super) struct HashMap {
    entries: Vec<(Value, Value)>,
    capacity: usize,
}

impl HashMap {
    /// `new HashMap(map)` of a map with these entries.
    pub(super) fn copy_of(entries: Vec<(Value, Value)>) -> Self {
        let capacity = capacity_for_copy(entries.len());
        Self { entries, capacity }
    }

    /// `new HashMap()`.
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            capacity: DEFAULT_CAPACITY,
        }
    }

    /// `new HashMap(capacity)` whose entries are put here in this order; their keys are unique.
    pub(super) fn with_capacity(capacity: usize, entries: Vec<(Value, Value)>) -> Self {
        Self {
            entries,
            capacity: capacity_at_least(capacity),
        }
    }

    /// `put` under a name: a key that is there keeps its place. Looks at every entry, so it is for a few
    /// names.
    pub(super) fn put(&mut self, name: &str, value: Value) {
        match self.get_mut(name) {
            Some(known) => *known = value,
            None => self.entries.push((Value::String(name.to_owned()), value)),
        }
    }

    /// The value under a name.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        get_mut(&mut self.entries, name)
    }

    /// `remove`: the value under a name.
    pub(super) fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self
            .entries
            .iter()
            .position(|(key, _)| is_name(key, name))?;
        Some(self.entries.remove(at).1)
    }

    /// The map with its entries in Java's order.
    pub(super) fn into_value(self) -> Value {
        let Self {
            mut entries,
            capacity,
        } = self;
        sort_entries(&mut entries, capacity);
        Value::Map(entries)
    }
}

/// The value under a name in a map's entries (Java: `map.get`).
pub(super) fn get<'a>(entries: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
    let found = entries.iter().find(|(key, _)| is_name(key, name));
    found.map(|(_, value)| value)
}

/// As [`get`], to be changed.
pub(super) fn get_mut<'a>(entries: &'a mut [(Value, Value)], name: &str) -> Option<&'a mut Value> {
    let mut entries = entries.iter_mut();
    entries.find_map(|(key, value)| is_name(key, name).then_some(value))
}

/// The entries' keys as names: transformations take every key for a string, as Java does, which fails
/// for others but null.
///
/// # Errors
/// `ClassCastException`.
pub(super) fn name_of(key: &Value) -> Result<Option<&str>, ConnectError> {
    match key {
        Value::String(name) => Ok(Some(name)),
        Value::Null => Ok(None),
        other => Err(no_string(other)),
    }
}

#[cold]
fn no_string(found: &Value) -> ConnectError {
    let class = found.java_class();
    let string = "java.lang.String";
    let places = match found {
        Value::Struct(_) => format!(
            "{class} is in unnamed module of loader 'app'; {string} is in module java.base of loader \
             'bootstrap'"
        ),
        _ => format!("{class} and {string} are in module java.base of loader 'bootstrap'"),
    };
    ConnectError::connect(format!(
        "class {class} cannot be cast to class {string} ({places})"
    ))
    .with_class("java.lang.ClassCastException")
}

fn is_name(key: &Value, name: &str) -> bool {
    matches!(key, Value::String(text) if text == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::test_records::text;

    fn keys(map: HashMap) -> String {
        let Value::Map(entries) = map.into_value() else {
            panic!("no map");
        };
        let shown = |(key, _): &(Value, Value)| match key {
            Value::String(name) => name.clone(),
            other => format!("{other:?}"),
        };
        entries.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    fn entries(names: &str) -> Vec<(Value, Value)> {
        names
            .split(' ')
            .map(|name| (text(name), text(name)))
            .collect()
    }

    /// What Java prints for maps made in the same way.
    #[test]
    fn a_copy_and_a_map_of_given_capacity_iterate_as_javas() {
        // Eight buckets: "q" (113) and "a" (97) share one, "h" (104) the first.
        assert_eq!(keys(HashMap::copy_of(entries("q a h c b"))), "h q a b c");
        // Sixteen buckets by default, as many entries as do not make it grow.
        let mut map = HashMap::new();
        for name in ["q", "a", "h", "c", "b"] {
            map.put(name, Value::Null);
        }
        assert_eq!(keys(map), "q a b c h");
        // Two buckets that grow to eight.
        assert_eq!(
            keys(HashMap::with_capacity(2, entries("q a h c b"))),
            "h q a b c"
        );
    }

    #[test]
    fn a_name_that_is_put_again_keeps_its_place() {
        let mut map = HashMap::copy_of(entries("q a"));
        map.put("q", Value::Null);
        assert_eq!(map.remove("a"), Some(text("a")));
        assert_eq!(map.remove("a"), None);
        assert_eq!(map.get_mut("q"), Some(&mut Value::Null));
        assert_eq!(keys(map), "q");
    }

    #[test]
    fn keys_must_be_strings() {
        assert_eq!(name_of(&text("x")).unwrap(), Some("x"));
        assert_eq!(name_of(&Value::Null).unwrap(), None);
        let error = name_of(&Value::Int64(1)).unwrap_err();
        assert_eq!(error.java_class(), "java.lang.ClassCastException");
        assert_eq!(
            error.message(),
            "class java.lang.Long cannot be cast to class java.lang.String (java.lang.Long and java.lang.String are in module java.base of loader 'bootstrap')"
        );
    }
}
