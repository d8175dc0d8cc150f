//! Records of known shapes, by the plans of their shapes.

use std::rc::Rc;

use super::maps::{Odd, Order};
use super::ops::{Op, Outcome};
use super::plan::{self, MOST_STEPS, Outcomes, Plan, Planned};
use super::record::TapeRecord;
use super::value::Val;
use super::{Condition, Incoming, Passed, Step, Tape};
use crate::converters::json::{Lessons, Shapes, View};

/// Plans that a shape may have.
const MOST_PLANS: usize = 8;

/// The plans of a chain.
#[derive(Debug)]
pub(super) struct Plans {
    shapes: Shapes<Vec<Plan>>,
    /// What the plan's work made for the record.
    made: Vec<Val>,
    lessons: Lessons,
    /// The outcomes, where they are the same for all records but for the timestamp.
    always: Option<Outcomes>,
    /// Whether it matters if a record has a timestamp.
    asks_for_timestamp: bool,
}

impl Plans {
    /// For a chain of operations that all can be planned.
    pub(super) fn of(steps: &[Step]) -> Option<Self> {
        let last = steps.len().checked_sub(1)?;
        let mut all = steps.iter().enumerate();
        let any = |test: fn(&Op) -> bool| steps.iter().any(|step| test(&step.op));
        // A topic in a value is the one that came in.
        if steps.len() > MOST_STEPS
            || !all.all(|(index, step)| step.op.is_planned(index == last))
            || any(Op::inserts_topic) && any(Op::routes)
        {
            return None;
        }
        let has_effects = any(Op::has_effects) || steps.iter().any(|step| step.condition.is_some());
        let all = (0..steps.len()).fold(Outcomes::default(), Outcomes::with_step);
        Some(Self {
            shapes: Shapes::new(),
            made: Vec::new(),
            lessons: Lessons::new(),
            always: (!has_effects).then_some(all),
            asks_for_timestamp: any(Op::inserts_timestamp),
        })
    }
}

impl Tape {
    /// Does what [`Tape::run`] does for an object whose shape has, or gets, a plan. `None` when it has
    /// none; nothing has been appended then.
    #[inline]
    pub(super) fn run_planned(
        &mut self,
        value: &[u8],
        incoming: &Incoming<'_>,
        mut out: Option<&mut Vec<u8>>,
    ) -> Option<Result<Option<Passed>, Odd>> {
        let (outcomes, topic) = match self.outcomes(incoming) {
            Ok(known) => known?,
            Err(Odd) => return Some(Err(Odd)),
        };
        let done = match self.follow(value, incoming, outcomes, out.as_deref_mut()) {
            Some(done) => done,
            None => {
                self.learn(value, outcomes)?;
                self.follow(value, incoming, outcomes, out)?
            }
        };
        Some(done.map(|is_null| is_null.map(|is_null| Passed { topic, is_null })))
    }

    /// Which operations are for the record, and its topic after them. Does what they do beside changing
    /// the value, which is an object.
    #[inline]
    pub(super) fn outcomes(
        &mut self,
        incoming: &Incoming<'_>,
    ) -> Result<Option<(Outcomes, Rc<str>)>, Odd> {
        let Some(plans) = &self.plans else {
            return Ok(None);
        };
        let has_timestamp = plans.asks_for_timestamp && incoming.timestamp.is_some();
        let (outcomes, topic) = match plans.always {
            Some(always) => (always, Rc::clone(incoming.topic)),
            None => self.effects(incoming)?,
        };
        Ok(Some((outcomes.with_timestamp(has_timestamp), topic)))
    }

    fn effects(&mut self, incoming: &Incoming<'_>) -> Result<(Outcomes, Rc<str>), Odd> {
        let mut outcomes = Outcomes::default();
        self.edits.clear();
        self.value.reset(Val::Null);
        self.value.set_map(Order::Inserted);
        let mut record = TapeRecord::new(View::BLANK, &mut self.value, *incoming, &mut self.edits);
        for (index, Step { op, condition }) in self.steps.iter_mut().enumerate() {
            if let Some(Condition { predicate, negate }) = condition
                && predicate.test(&record)? == *negate
            {
                continue;
            }
            if op.looks_into_value() || matches!(op, Op::Filter) {
                outcomes = outcomes.with_step(index);
            }
            if op.apply_effects(&mut record)? == Outcome::Dropped {
                break;
            }
        }
        Ok((outcomes, record.topic))
    }

    /// Whether the value is null after the operations, `Some(None)` when the record was dropped; `None`
    /// when there is no plan.
    #[inline]
    pub(super) fn follow(
        &mut self,
        value: &[u8],
        incoming: &Incoming<'_>,
        outcomes: Outcomes,
        out: Option<&mut Vec<u8>>,
    ) -> Option<Result<Option<bool>, Odd>> {
        let plans = self.plans.as_mut()?;
        let shaped = self.document.parse_shaped(value, &mut plans.shapes)?;
        let known = plans.shapes.get(shaped.shape)?;
        let plan = known.iter().find(|plan| plan.is_for(outcomes))?;
        let planned = Planned { shaped, incoming };
        let maps = &mut self.value;
        maps.reset(Val::Null);
        match plan.work(planned, &mut plans.made, maps) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(Odd) => return Some(Err(Odd)),
        }
        if plan.drops() {
            return Some(Ok(None));
        }
        let is_null = plan.is_null(planned, &plans.made, maps);
        if let Some(out) = out.filter(|_| !is_null) {
            plan.print(planned, &plans.made, maps, &mut self.printer, out);
        }
        Some(Ok(Some(is_null)))
    }

    /// Makes the plan for objects that look like this one.
    #[cold]
    fn learn(&mut self, value: &[u8], outcomes: Outcomes) -> Option<()> {
        let plans = self.plans.as_mut()?;
        if !plans.lessons.is_due() {
            return None;
        }
        let (shape, view) = self.document.learn(value, &mut plans.shapes)?;
        let known = plans.shapes.get_mut(shape)?;
        if known.iter().any(|plan| plan.is_for(outcomes)) {
            return None;
        }
        let Ok(plan) = plan::make(&self.steps, &mut self.value, view, outcomes) else {
            // An operation meets a map that another one made, and will do so again.
            self.plans = None;
            return None;
        };
        if known.len() == MOST_PLANS {
            known.clear();
        }
        known.push(plan);
        Some(())
    }
}
