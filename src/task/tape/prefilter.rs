//! Records that are dropped before anybody looks into their values.

use super::ops::Op;
use super::predicate::Predicate;
use super::{Incoming, Odd, Tape};

/// A record that is dropped unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::task) struct Unseen {
    /// Whether all of its headers have been walked through, so that they are well-formed.
    pub(in crate::task) knows_headers: bool,
}

impl Tape {
    /// Whether a record is dropped by the first operations, those that drop by topic or headers alone. Its
    /// value then has to be nothing but well-formed, as have its headers.
    #[inline]
    pub(in crate::task) fn drops_unseen(
        &mut self,
        incoming: &Incoming<'_>,
    ) -> Result<Option<Unseen>, Odd> {
        let mut knows_headers = false;
        for step in &mut self.steps {
            if !matches!(step.op, Op::Filter) {
                return Ok(None);
            }
            let dropped = match &mut step.condition {
                None => true,
                Some(condition) => {
                    let holds = match &mut condition.predicate {
                        Predicate::HasHeaderKey(name) => {
                            knows_headers = true;
                            incoming.headers.has_among_all(name).ok_or(Odd)?
                        }
                        Predicate::TopicNameMatches(matches) => matches.test(incoming.topic)?,
                        Predicate::RecordIsTombstone => return Ok(None),
                    };
                    holds != condition.negate
                }
            };
            if dropped {
                return Ok(Some(Unseen { knows_headers }));
            }
        }
        Ok(None)
    }

    /// Whether a value surely is JSON: `false` says nothing.
    #[inline]
    pub(in crate::task) fn is_surely_json(&mut self, value: &[u8]) -> bool {
        self.check.is_surely_json(value)
    }
}
