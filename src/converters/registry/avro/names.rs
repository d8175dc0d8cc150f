//! Names of Avro: full names, what they may consist of, and Confluent's way of making them fit
//! (`AvroData.doScrubName`).

pub(super) use crate::converters::registry::names::{is_valid, scrub};

/// A name in its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) namespace: Option<String>,
    pub(super) simple: String,
}

impl Name {
    /// The name that `name` is within `enclosing`: a dotted one brings its own namespace.
    pub(super) fn new(name: &str, enclosing: Option<&str>) -> Self {
        let (namespace, simple) = match name.rsplit_once('.') {
            Some((namespace, simple)) => (Some(namespace), simple),
            None => (enclosing, name),
        };
        Self {
            namespace: namespace
                .filter(|space| !space.is_empty())
                .map(str::to_owned),
            simple: simple.to_owned(),
        }
    }

    /// `namespace.simple`.
    pub(super) fn full(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.simple),
            None => self.simple.clone(),
        }
    }
}

/// Each part of a dotted name scrubbed.
pub(super) fn scrub_full(name: &str) -> String {
    let parts: Vec<_> = name.split('.').map(scrub).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_full_name_is_scrubbed() {
        assert_eq!(scrub_full("com.a-b.1c"), "com.a_b.x1c");
    }

    #[test]
    fn a_dotted_name_brings_its_namespace() {
        assert_eq!(Name::new("a.b.C", Some("x")).full(), "a.b.C");
        assert_eq!(Name::new("C", Some("x")).full(), "x.C");
        assert_eq!(Name::new("C", Some("")).full(), "C");
    }
}
