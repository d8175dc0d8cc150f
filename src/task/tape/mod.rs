//! The tape road: transforms without values.
//!
//! A schemaless JSON value is parsed once into the flat nodes of [`crate::converters::json`], in buffers
//! that are used again for each record. Operations, one per transformation, work on a list of the members
//! of the outermost object ([`maps`]); whatever nobody looks into stays a node. At the end the text is
//! printed. Where nothing looks into values at all ([`Tape::looks_into_value`]), nothing is parsed either:
//! routing and filtering work beside any converter.
//!
//! Most objects are not even made members of: what a chain does to the values of an object follows from
//! its names, so it is worked out once for all objects that look alike ([`plan`]).
//!
//! [`compile`] makes a tape of a whole chain or of none. What a tape does not decide itself ([`Odd`]:
//! malformed JSON, a value of the wrong type, a text that is no number) the struct road does for that
//! record, so errors are the same and stand in one place. Outputs are the same, too: `tests` compare the
//! two roads on random records and chains.
//!
//! A tape belongs to one task and runs on its shard. It keeps its buffers, up to [`KEPT_BYTES`] after a
//! large record; a record takes no allocation once they have grown.

pub mod compile;
mod maps;
mod ops;
mod plan;
mod planned;
mod predicate;
mod prefilter;
mod record;
mod text;
mod value;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod prefilter_tests;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use self::maps::Maps;
pub(in crate::task) use self::maps::Odd;
use self::ops::{Op, Outcome};
use self::planned::Plans;
use self::predicate::Predicate;
pub(in crate::task) use self::record::RawHeaders;
use self::record::{HeaderEdit, TapeRecord};
use self::value::Val;
use crate::api::Span;
use crate::converters::json::{Document, JsonCheck, Printer, View};

/// Buffers that a large record made larger than this are given back.
const KEPT_BYTES: usize = 4 << 20;
/// Stands for a value that nobody looks into and that is not null.
const UNSEEN: Val = Val::NoItems;

/// An operation, perhaps with a predicate that it hangs on.
#[derive(Debug)]
struct Step {
    op: Op,
    condition: Option<Condition>,
}

/// Which records an operation is for.
#[derive(Debug)]
struct Condition {
    predicate: Predicate,
    negate: bool,
}

/// The transforms of a task as operations on a tape.
#[derive(Debug)]
pub struct Tape {
    steps: Vec<Step>,
    document: Document,
    printer: Printer,
    value: Maps,
    edits: Vec<HeaderEdit>,
    /// For objects of known shapes, if all operations can be planned.
    plans: Option<Plans>,
    /// For values that nobody looks into.
    check: JsonCheck,
    /// The configuration's texts, for buffers that start anew.
    constants: Vec<u8>,
}

/// A record of a sink before its transforms.
#[derive(Debug, Clone, Copy)]
pub(in crate::task) struct Incoming<'a> {
    pub(in crate::task) topic: &'a Rc<str>,
    pub(in crate::task) partition: i32,
    pub(in crate::task) offset: i64,
    /// Milliseconds since the epoch, if the record has a timestamp.
    pub(in crate::task) timestamp: Option<i64>,
    pub(in crate::task) headers: RawHeaders<'a>,
}

/// A record that its transforms let through.
#[derive(Debug)]
pub(in crate::task) struct Passed {
    /// Topic after transforms.
    pub(in crate::task) topic: Rc<str>,
    /// Whether the value is null after transforms.
    pub(in crate::task) is_null: bool,
}

impl Tape {
    fn new(steps: Vec<Step>, constants: Vec<u8>) -> Self {
        Self {
            plans: Plans::of(&steps),
            steps,
            document: Document::default(),
            printer: Printer::default(),
            value: Maps::new(constants.clone()),
            edits: Vec::new(),
            check: JsonCheck::new(),
            constants,
        }
    }

    /// Whether an operation looks into the value, or changes it.
    pub fn looks_into_value(&self) -> bool {
        self.steps.iter().any(|step| step.op.looks_into_value())
    }

    /// Whether it matters if the value is null.
    pub fn looks_at_value(&self) -> bool {
        let looks = |step: &Step| {
            let condition = step.condition.as_ref();
            condition.is_some_and(|condition| condition.predicate.looks_at_value())
        };
        self.looks_into_value() || self.steps.iter().any(looks)
    }

    /// Whether nothing but the topic matters.
    pub fn looks_at_topic_only(&self) -> bool {
        self.steps.iter().all(|step| {
            let condition = step.condition.as_ref();
            step.op.looks_at_topic_only()
                && condition.is_none_or(|condition| condition.predicate.looks_at_topic_only())
        })
    }

    /// Whether topics may change.
    pub fn routes(&self) -> bool {
        self.steps.iter().any(|step| step.op.routes())
    }

    /// Parses a value, applies the operations, and appends the text of what comes out to `out`, if there
    /// is any to append to. `None` when the record was dropped.
    #[inline]
    pub(in crate::task) fn run(
        &mut self,
        value: Option<&[u8]>,
        incoming: Incoming<'_>,
        mut out: Option<&mut Vec<u8>>,
    ) -> Result<Option<Passed>, Odd> {
        if self.value.kept_bytes() > KEPT_BYTES {
            self.value = Maps::new(self.constants.clone());
        }
        if let Some(value) = value
            && let Some(done) = self.run_planned(value, &incoming, out.as_deref_mut())
        {
            return done;
        }
        let view = self.document.parse(value.unwrap_or(b"")).map_err(|_| Odd)?;
        let root = view.root().filter(|_| value.is_some());
        self.value
            .reset(root.map_or(Val::Null, |root| Val::Node(value::node(root))));
        let passed = apply(
            &mut self.steps,
            &mut self.value,
            &mut self.edits,
            view,
            incoming,
        )?;
        if let (Some(passed), Some(out)) = (&passed, out)
            && !passed.is_null
        {
            text::append(&mut self.value, view, &mut self.printer, out);
        }
        Ok(passed)
    }

    /// Where records of a topic go, if nothing else matters ([`Self::looks_at_topic_only`]). `None` when
    /// they are dropped.
    pub(in crate::task) fn route_topic(&mut self, topic: &Rc<str>) -> Result<Option<Rc<str>>, Odd> {
        let incoming = Incoming {
            topic,
            partition: 0,
            offset: 0,
            timestamp: None,
            headers: RawHeaders {
                buffer: &[],
                span: Span::NULL,
                count: 0,
            },
        };
        let passed = self.route(false, incoming)?;
        Ok(passed.map(|passed| passed.topic))
    }

    /// Applies the operations beside a value that none of them looks into. `None` when the record was
    /// dropped.
    #[inline]
    pub(in crate::task) fn route(
        &mut self,
        value_is_null: bool,
        incoming: Incoming<'_>,
    ) -> Result<Option<Passed>, Odd> {
        self.value
            .reset(if value_is_null { Val::Null } else { UNSEEN });
        apply(
            &mut self.steps,
            &mut self.value,
            &mut self.edits,
            View::BLANK,
            incoming,
        )
    }
}

#[inline]
fn apply(
    steps: &mut [Step],
    value: &mut Maps,
    edits: &mut Vec<HeaderEdit>,
    view: View<'_>,
    incoming: Incoming<'_>,
) -> Result<Option<Passed>, Odd> {
    edits.clear();
    let mut record = TapeRecord::new(view, value, incoming, edits);
    for Step { op, condition } in steps {
        if let Some(Condition { predicate, negate }) = condition
            && predicate.test(&record)? == *negate
        {
            continue;
        }
        if op.apply(&mut record)? == Outcome::Dropped {
            return Ok(None);
        }
    }
    Ok(Some(Passed {
        is_null: record.value.is_null(view),
        topic: record.topic,
    }))
}
