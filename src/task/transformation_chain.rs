//! Records through the transforms, in order.

use crate::api::transformation::RecordOrigin;
use crate::api::{ConnectError, ConnectRecord, Transformation};

/// The transforms of a task, in the order of `transforms`.
#[derive(Default)]
pub struct TransformationChain(Vec<Box<dyn Transformation>>);

impl std::fmt::Debug for TransformationChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|step| step.class_name()))
            .finish()
    }
}

impl TransformationChain {
    /// A chain of `steps`.
    pub fn new(steps: Vec<Box<dyn Transformation>>) -> Self {
        Self(steps)
    }

    /// Whether records pass unchanged.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The record after all steps; `None` when one dropped it.
    ///
    /// # Errors
    /// The class of the failing step and its error.
    pub fn apply(
        &mut self,
        record: ConnectRecord,
        origin: RecordOrigin,
    ) -> Result<Option<ConnectRecord>, (&'static str, ConnectError)> {
        let mut record = record;
        for step in &mut self.0 {
            match step.apply(record, origin) {
                Ok(Some(next)) => record = next,
                Ok(None) => return Ok(None),
                Err(error) => return Err((step.class_name(), error)),
            }
        }
        Ok(Some(record))
    }
}
