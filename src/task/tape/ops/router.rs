//! Kafka: `RegexRouter` and `TimestampRouter`. The transformations themselves are asked, once per topic
//! and stretch of time.

use std::rc::Rc;

use super::super::maps::Odd;
use super::super::record::TapeRecord;

/// Where a record of a topic and a timestamp goes; an error is left to the struct road.
pub(in crate::task::tape) type Route =
    Box<dyn FnMut(&Rc<str>, Option<i64>) -> Result<Rc<str>, Odd>>;

/// Gives records another topic.
pub(in crate::task::tape) struct Router {
    route: Route,
    /// Milliseconds, from the epoch on, within which the answer is the same; `None` when time does not
    /// matter.
    stretch: Option<i64>,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    from: Rc<str>,
    time: Option<i64>,
    to: Rc<str>,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("stretch", &self.stretch)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Router {
    /// A router that asks `route`.
    pub(in crate::task::tape) fn new(route: Route, stretch: Option<i64>) -> Self {
        Self {
            route,
            stretch,
            last: None,
        }
    }

    /// Whether the record's time matters.
    pub(super) fn looks_at_time(&self) -> bool {
        self.stretch.is_some()
    }

    #[inline]
    pub(super) fn apply(&mut self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let time = match (self.stretch, record.timestamp) {
            (Some(stretch), Some(timestamp)) => Some(timestamp.div_euclid(stretch)),
            (Some(_), None) => return Err(Odd),
            (None, _) => None,
        };
        if let Some(last) = &self.last
            && Rc::ptr_eq(&last.from, &record.topic)
            && last.time == time
        {
            record.topic = Rc::clone(&last.to);
            return Ok(());
        }
        let to = (self.route)(&record.topic, record.timestamp)?;
        self.last = Some(Last {
            from: Rc::clone(&record.topic),
            time,
            to: Rc::clone(&to),
        });
        record.topic = to;
        Ok(())
    }
}
