//! Records through the transforms, in order (Kafka: `TransformationChain`, `TransformationStage`).

use std::time::{Duration, Instant};

use super::plan::Needs;
use super::tape::Tape;
use crate::api::{ConnectError, ConnectRecord, Predicate, RecordOrigin, Transformation};

/// One entry of `transforms`: a transformation, and perhaps a predicate that it hangs on.
pub struct TransformationStep {
    /// Its name in `transforms`.
    pub alias: String,
    /// What changes records.
    pub transformation: Box<dyn Transformation>,
    /// Which records are for it; all without one.
    pub condition: Option<Condition>,
}

/// `transforms.<alias>.predicate` and `transforms.<alias>.negate`.
pub struct Condition {
    /// Decides.
    pub predicate: Box<dyn Predicate>,
    /// Whether the records are meant that the predicate does not match.
    pub negate: bool,
}

impl std::fmt::Debug for TransformationStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransformationStep")
            .field("alias", &self.alias)
            .field("transformation", &self.transformation.class_name())
            .field("condition", &self.condition)
            .finish()
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let not = if self.negate { "not " } else { "" };
        write!(f, "{not}{}", self.predicate.class_name())
    }
}

impl TransformationStep {
    fn apply(
        &mut self,
        record: ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        if let Some(Condition { predicate, negate }) = &mut self.condition
            && predicate.test(&record, origin)? == *negate
        {
            return Ok(Some(record));
        }
        self.transformation.apply(record, origin)
    }
}

/// The transforms of a task, in the order of `transforms`.
#[derive(Debug, Default)]
pub struct TransformationChain {
    steps: Vec<TransformationStep>,
    /// The same as operations on a tape.
    tape: Option<Box<Tape>>,
    timer: Timer,
}

/// Times single records, since a look at the clock for each would cost more than many a transform.
#[derive(Debug, Clone, Copy, Default)]
enum Timer {
    #[default]
    Off,
    /// The next record is timed.
    Armed,
    /// So long took the one that was.
    Took(Duration),
}

impl TransformationChain {
    /// A chain of `steps`.
    pub fn new(steps: Vec<TransformationStep>) -> Self {
        Self {
            steps,
            tape: None,
            timer: Timer::Off,
        }
    }

    /// The same chain with what [`super::tape::compile`] made of it, if it made anything.
    #[must_use]
    pub fn with_tape(mut self, tape: Option<Tape>) -> Self {
        self.tape = tape.map(Box::new);
        self
    }

    /// The chain's tape, which it is left without.
    pub fn take_tape(&mut self) -> Option<Box<Tape>> {
        self.tape.take()
    }

    /// What the chain needs to see of a record.
    pub fn needs(&self) -> Needs {
        match &self.tape {
            _ if self.steps.is_empty() => Needs::Nothing,
            None => Needs::Values,
            Some(tape) if tape.looks_into_value() => Needs::Members,
            Some(tape) if tape.looks_at_value() => Needs::Nullness,
            Some(_) => Needs::Envelope,
        }
    }

    /// Whether records pass unchanged.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps, to look at.
    pub fn steps(&self) -> &[TransformationStep] {
        &self.steps
    }

    /// The steps, to make another chain of.
    pub fn into_steps(self) -> Vec<TransformationStep> {
        self.steps
    }

    /// Times the next record.
    pub fn time_next(&mut self) {
        if !self.steps.is_empty() {
            self.timer = Timer::Armed;
        }
    }

    /// How long the record that was timed took, once.
    pub fn take_time(&mut self) -> Option<Duration> {
        match std::mem::take(&mut self.timer) {
            Timer::Took(time) => Some(time),
            Timer::Off | Timer::Armed => None,
        }
    }

    /// The record after all steps; `None` when one dropped it, which ends its way.
    ///
    /// # Errors
    /// The class of the failing transformation and the error, its predicate's included, as in Kafka.
    pub fn apply(
        &mut self,
        record: ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, (&'static str, ConnectError)> {
        if matches!(self.timer, Timer::Armed) {
            self.timer = Timer::Off;
            let began = Instant::now();
            let applied = self.apply(record, origin);
            self.timer = Timer::Took(began.elapsed());
            return applied;
        }
        let mut record = record;
        for step in &mut self.steps {
            match step.apply(record, origin) {
                Ok(Some(next)) => record = next,
                Ok(None) => return Ok(None),
                Err(error) => return Err((step.transformation.class_name(), error)),
            }
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
#[path = "transformation_chain_tests.rs"]
mod tests;
