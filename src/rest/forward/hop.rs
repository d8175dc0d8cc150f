//! How far a request has come.

use crate::rest::router::Query;

/// Where a request comes from, as its parameter `forward` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rest) enum Hop {
    /// From a client: no parameter.
    First,
    /// From a worker that had it from a client: `true`.
    Second,
    /// From the leader: it goes no further.
    Last,
}

impl Hop {
    /// As Jersey reads a `Boolean`: whatever is not `true` is false.
    pub(in crate::rest) fn of(query: &Query) -> Self {
        match query.all("forward").next() {
            None => Self::First,
            Some(_) if query.flag("forward", false) => Self::Second,
            Some(_) => Self::Last,
        }
    }

    /// Of a request's path and query as they were sent.
    pub(in crate::rest) fn of_target(target: &str) -> Self {
        let (_, query) = target.split_once('?').unwrap_or((target, ""));
        Self::of(&Query::parse(query))
    }

    /// What it is when it goes on.
    pub(in crate::rest) fn next(self) -> Option<Self> {
        match self {
            Self::First => Some(Self::Second),
            Self::Second => Some(Self::Last),
            Self::Last => None,
        }
    }

    /// The parameter's value, of one that goes on.
    pub(in crate::rest) fn parameter(self) -> &'static str {
        match self {
            Self::First | Self::Second => "true",
            Self::Last => "false",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_counts_as_jersey_reads_it() {
        for (target, hop) in [
            ("/connectors", Hop::First),
            ("/connectors?forwards=true", Hop::First),
            ("/connectors?a=b&forward=true", Hop::Second),
            ("/connectors?forward=TRUE&forward=false", Hop::Second),
            ("/connectors?%66orward=true", Hop::Second),
            ("/connectors?forward=false", Hop::Last),
            ("/connectors?forward=yes", Hop::Last),
            ("/connectors?forward", Hop::Last),
        ] {
            assert_eq!(Hop::of_target(target), hop, "{target}");
        }
    }

    #[test]
    fn a_request_goes_on_twice() {
        let second = Hop::First.next().unwrap();
        assert_eq!(second.parameter(), "true");
        let last = second.next().unwrap();
        assert_eq!((last.parameter(), last.next()), ("false", None));
    }
}
