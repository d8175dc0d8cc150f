//! Records that are dropped before anybody looks into their values.

use super::ops::Op;
use super::predicate::Predicate;
use super::{Incoming, Odd, Tape};

impl Tape {
    /// Whether a record is dropped by the first operations, those that drop by topic or headers alone. Its
    /// value then has to be nothing but well-formed.
    #[inline]
    pub(in crate::task) fn drops_unseen(&mut self, incoming: &Incoming<'_>) -> Result<bool, Odd> {
        for step in &mut self.steps {
            if !matches!(step.op, Op::Filter) {
                return Ok(false);
            }
            let dropped = match &mut step.condition {
                None => true,
                Some(condition) => {
                    let holds = match &mut condition.predicate {
                        Predicate::HasHeaderKey(name) => incoming.headers.has(name),
                        Predicate::TopicNameMatches(matches) => matches.test(incoming.topic)?,
                        Predicate::RecordIsTombstone => return Ok(false),
                    };
                    holds != condition.negate
                }
            };
            if dropped {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
