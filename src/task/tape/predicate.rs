//! Predicates (Kafka: `org.apache.kafka.connect.transforms.predicates`).

use std::rc::Rc;

use super::maps::Odd;
use super::record::TapeRecord;
use crate::api::ConnectError;

/// Decides whether an operation is for a record.
#[derive(Debug)]
pub(super) enum Predicate {
    /// A header of this name is there.
    HasHeaderKey(Box<str>),
    /// The value is null.
    RecordIsTombstone,
    /// The whole topic matches.
    TopicNameMatches(TopicMatch),
}

impl Predicate {
    /// Whether it looks at the value.
    pub(super) fn looks_at_value(&self) -> bool {
        matches!(self, Self::RecordIsTombstone)
    }

    /// Whether it looks at the topic and at nothing else.
    pub(super) fn looks_at_topic_only(&self) -> bool {
        matches!(self, Self::TopicNameMatches(_))
    }

    #[inline]
    pub(super) fn test(&mut self, record: &TapeRecord<'_>) -> Result<bool, Odd> {
        Ok(match self {
            Self::HasHeaderKey(name) => record.has_header(name),
            Self::RecordIsTombstone => record.value.is_null(record.view),
            Self::TopicNameMatches(matches) => matches.test(&record.topic)?,
        })
    }
}

/// Whether a topic matches.
pub(super) type TopicTest = Box<dyn FnMut(&str) -> Result<bool, ConnectError>>;

/// The answer for the last topic is kept: records of a batch have one topic.
pub(super) struct TopicMatch {
    test: TopicTest,
    last: Option<(Rc<str>, bool)>,
}

impl std::fmt::Debug for TopicMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicMatch")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl TopicMatch {
    /// Asks `test` once per topic.
    pub(super) fn new(test: TopicTest) -> Self {
        Self { test, last: None }
    }

    pub(super) fn test(&mut self, topic: &Rc<str>) -> Result<bool, Odd> {
        if let Some((known, matches)) = &self.last
            && Rc::ptr_eq(known, topic)
        {
            return Ok(*matches);
        }
        let matches = (self.test)(topic).map_err(|_| Odd)?;
        self.last = Some((Rc::clone(topic), matches));
        Ok(matches)
    }
}
