//! What became of a record between the steps of its way.

use std::cell::RefCell;
use std::rc::Rc;

use super::Failed;
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SourceMap, TopicPartition, Transformation,
};
use crate::task::conversion::Encoded;
use crate::task::transformation_chain::{TransformationChain, TransformationStep};

/// A record and everything that happened to it.
#[derive(Debug)]
pub struct Trace {
    /// Where it came from.
    pub origin: Origin,
    /// The record before the transforms; `None` when it could not be read.
    pub entered: Option<ConnectRecord>,
    /// The transforms that it came through, in order.
    pub steps: Vec<Step>,
    /// How its way ended.
    pub fate: Fate,
}

/// Where a record came from.
#[derive(Debug)]
pub enum Origin {
    /// Out of a topic.
    Consumed(Consumed),
    /// Out of a source.
    Polled {
        /// Source partition, if it has one.
        partition: Option<Rc<SourceMap>>,
        /// Source offset after it, if it has one.
        offset: Option<Rc<SourceMap>>,
    },
}

/// A record as it lies in a topic.
#[derive(Debug)]
pub struct Consumed {
    /// Where.
    pub at: TopicPartition,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since the epoch; −1 for none.
    pub timestamp: i64,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A transform and what it left.
#[derive(Debug)]
pub struct Step {
    /// Its name in `transforms`.
    pub alias: Rc<str>,
    /// Java class name.
    pub class: &'static str,
    /// The record after it.
    pub record: ConnectRecord,
}

/// How a record's way ended.
#[derive(Debug)]
pub enum Fate {
    /// It would be written to a topic.
    Written(Produced),
    /// It would be handed to the sink.
    Delivered {
        /// The record as the sink gets it.
        record: Box<ConnectRecord>,
        /// What the sink is given in place of the record, where it takes text alone.
        text: Option<Vec<u8>>,
    },
    /// A transform dropped it.
    Filtered {
        /// Its name in `transforms`.
        alias: Rc<str>,
    },
    /// A step failed.
    Failed {
        /// Where and why.
        failed: Failed,
        /// The transform's name in `transforms`, if it was one.
        alias: Option<Rc<str>>,
    },
}

/// A record as it would be written.
#[derive(Debug)]
pub struct Produced {
    /// Topic.
    pub topic: Rc<str>,
    /// Partition; `None` leaves it to the partitioner.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; `None` leaves it to the producer.
    pub timestamp: Option<i64>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Produced {
    /// The record whose ranges index `bytes`.
    pub(super) fn of(encoded: Encoded, bytes: &[u8]) -> Self {
        let owned = |span: crate::api::Span| span.of(bytes).map(<[u8]>::to_vec);
        Self {
            topic: encoded.topic,
            partition: encoded.partition,
            timestamp: encoded.timestamp,
            key: owned(encoded.key),
            value: owned(encoded.value),
            headers: encoded
                .headers
                .into_iter()
                .map(|(name, span)| (name, owned(span)))
                .collect(),
        }
    }
}

/// What the probes of a chain saw of the record that goes through it.
#[derive(Debug, Default)]
pub struct Traced {
    /// One before the first step, then one after each.
    seen: RefCell<Vec<ConnectRecord>>,
    /// Aliases and classes of the steps.
    steps: Vec<(Rc<str>, &'static str)>,
}

impl Traced {
    /// The transforms: name in `transforms` and Java class name of each.
    pub fn transforms(&self) -> &[(Rc<str>, &'static str)] {
        &self.steps
    }

    /// Takes the record before the steps, and after each that it came through.
    pub(super) fn take(&self) -> (Option<ConnectRecord>, Vec<Step>) {
        let mut seen = self.seen.take().into_iter();
        let entered = seen.next();
        let steps = self.steps.iter().zip(seen).map(|((alias, class), record)| {
            let alias = Rc::clone(alias);
            Step {
                alias,
                class,
                record,
            }
        });
        (entered, steps.collect())
    }

    /// The transform after `passed` others.
    pub(super) fn next_alias(&self, passed: usize) -> Option<Rc<str>> {
        self.steps.get(passed).map(|(alias, _)| Rc::clone(alias))
    }
}

/// The chain with a probe before, between and behind its steps, and what the probes see. The steps
/// themselves are untouched.
pub fn watched(chain: TransformationChain) -> (TransformationChain, Rc<Traced>) {
    let steps = chain.into_steps();
    let traced = Rc::new(Traced {
        seen: RefCell::default(),
        steps: steps
            .iter()
            .map(|step| (step.alias.as_str().into(), step.transformation.class_name()))
            .collect(),
    });
    let probe = |index| TransformationStep {
        alias: String::new(),
        transformation: Box::new(Probe {
            index,
            traced: Rc::clone(&traced),
        }),
        condition: None,
    };
    let mut all = vec![probe(0)];
    for (index, step) in steps.into_iter().enumerate() {
        all.push(step);
        all.push(probe(index + 1));
    }
    (TransformationChain::new(all), traced)
}

/// Takes a copy and changes nothing.
struct Probe {
    index: usize,
    traced: Rc<Traced>,
}

impl Transformation for Probe {
    fn class_name(&self) -> &'static str {
        "ringmain.preview.Probe"
    }

    fn apply(
        &mut self,
        record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let mut seen = self.traced.seen.borrow_mut();
        // A second try starts over.
        seen.truncate(self.index);
        seen.push(record.clone());
        Ok(Some(record))
    }
}
