//! What a chain makes of an object of a certain shape, worked out once.
//!
//! Which member is left out, renamed or cast, where an inserted one goes and in which order a `HashMap`
//! iterates in the end depends on names only, and on which operations the record is for. So the operations
//! are applied once to members whose values are [`Source`]s, and what is printed is kept: the text around
//! the values, and what each value comes from. A record of the shape then costs its values only.

use std::rc::Rc;

use super::maps::{Maps, Odd};
use super::ops::{Convert, Outcome, Replacement, Target, cast_value, hide, is_map};
use super::text;
use super::value::{Text, Val, narrow, node};
use super::{Incoming, Step};
use crate::converters::json::{Kind, Printer, Shaped, Template, TemplateBuilder, View};

/// Operations of the longest chain that has plans.
pub(super) const MOST_STEPS: usize = 62;
/// The bit of [`Outcomes`] that says that the record has a timestamp.
const TIMESTAMP: u64 = 1 << 63;

/// What a plan depends on beside names: a bit for each operation that is for the record, and whether it
/// has a timestamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcomes(u64);

/// What a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The object's member at this place, duplicates counted.
    Member(u32),
    /// What [`Work`] at this place made.
    Made(u32),
    Null,
    Topic,
    Partition,
    Offset,
    Timestamp,
    /// A text of the configuration.
    Constant(Text),
}

/// A value that has to be made.
#[derive(Debug)]
enum Work {
    Cast(Source, Target),
    /// A cast to a text that is only printed: nothing to do if the value can be cast.
    Printed(Source),
    /// MaskField.
    Hide(Source, Option<Rc<Replacement>>),
    /// TimestampConverter.
    Convert(Source, Convert),
    /// Nothing, if the value is no map; what Flatten makes of one depends on its members.
    ExpectFlat(Source),
}

/// What is made of objects of one shape.
#[derive(Debug)]
pub(super) struct Plan {
    outcomes: Outcomes,
    work: Vec<Work>,
    /// A Filter drops the record once the work, which may be odd, is done.
    drops: bool,
    text: Template<Source>,
    /// The value is this and no map.
    whole: Option<Source>,
}

impl Outcomes {
    /// With this operation applied.
    pub(super) fn with_step(self, index: usize) -> Self {
        Self(self.0 | 1 << index)
    }

    /// With a timestamp.
    pub(super) fn with_timestamp(self, there: bool) -> Self {
        Self(if there { self.0 | TIMESTAMP } else { self.0 })
    }

    fn has_step(self, index: usize) -> bool {
        self.0 & 1 << index != 0
    }

    /// Whether the record has a timestamp.
    pub(super) fn has_timestamp(self) -> bool {
        self.0 & TIMESTAMP != 0
    }
}

/// A plan while operations make it. In its maps, [`Val::Node`] is a place in the list of sources.
#[derive(Debug, Default)]
pub(super) struct Planner {
    sources: Vec<Source>,
    work: Vec<Work>,
    outcomes: Outcomes,
}

impl Planner {
    /// What this record differs in from others of its shape.
    pub(super) fn outcomes(&self) -> Outcomes {
        self.outcomes
    }

    /// The value that comes from `source`, for a map.
    pub(super) fn value(&mut self, source: Source) -> Val {
        self.sources.push(source);
        Val::Node(node(self.sources.len() - 1))
    }

    /// The cast of a value.
    pub(super) fn cast(&mut self, value: Val, target: Target) -> Result<Val, Odd> {
        let source = self.source(value)?;
        Ok(self.made(Work::Cast(source, target)))
    }

    /// What MaskField puts in place of a value.
    pub(super) fn hide(
        &mut self,
        value: Val,
        replacement: Option<&Rc<Replacement>>,
    ) -> Result<Val, Odd> {
        let source = self.source(value)?;
        Ok(self.made(Work::Hide(source, replacement.cloned())))
    }

    /// What TimestampConverter makes of a value.
    pub(super) fn convert(&mut self, value: Val, convert: &Convert) -> Result<Val, Odd> {
        let source = self.source(value)?;
        Ok(self.made(Work::Convert(source, convert.clone())))
    }

    /// Records in which this value is a map are none for the plan.
    pub(super) fn expect_flat(&mut self, value: Val) -> Result<(), Odd> {
        let source = self.source(value)?;
        self.work.push(Work::ExpectFlat(source));
        Ok(())
    }

    fn made(&mut self, work: Work) -> Val {
        self.work.push(work);
        let source = Source::Made(narrow(self.work.len() - 1));
        self.value(source)
    }

    /// Where a value comes from; maps come from many.
    fn source(&self, value: Val) -> Result<Source, Odd> {
        match value {
            Val::Null => Ok(Source::Null),
            Val::Node(at) => self.sources.get(at as usize).copied().ok_or(Odd),
            _ => Err(Odd),
        }
    }

    /// Casts to texts that nothing but the printer sees need no text made: numbers and booleans print as
    /// they are cast.
    fn print_casts(&mut self, text: &mut Template<Source>) {
        for at in 0..self.work.len() {
            let made = Source::Made(narrow(at));
            let is_read = self.work.iter().any(|work| work.source() == made);
            let Some(work) = self.work.get_mut(at).filter(|_| !is_read) else {
                continue;
            };
            if let Work::Cast(source @ Source::Member(_), Target::String) = *work {
                *work = Work::Printed(source);
                for value in text.values_mut().filter(|value| **value == made) {
                    *value = source;
                }
            }
        }
    }
}

impl Work {
    fn source(&self) -> Source {
        match self {
            Self::Cast(source, _)
            | Self::Printed(source)
            | Self::Hide(source, _)
            | Self::Convert(source, _)
            | Self::ExpectFlat(source) => *source,
        }
    }
}

/// Works out what `steps` make of the object that `view` is of.
pub(super) fn make(
    steps: &[Step],
    maps: &mut Maps,
    view: View<'_>,
    outcomes: Outcomes,
) -> Result<Plan, Odd> {
    let root = view.root().ok_or(Odd)?;
    maps.reset(Val::Node(node(root)));
    maps.open(view)?;
    let mut planner = Planner {
        outcomes,
        ..Planner::default()
    };
    let mut places = Vec::with_capacity(view.len(root));
    for (_, value) in view.entries(root) {
        let place = Source::Member(narrow(places.len()));
        places.push((Val::Node(node(value)), planner.value(place)));
    }
    maps.replace_values(|value| {
        let place = places.iter().find(|(node, _)| *node == value);
        place.map_or(value, |(_, place)| *place)
    });
    let mut drops = false;
    for (index, step) in steps.iter().enumerate() {
        if !outcomes.has_step(index) {
            continue;
        }
        if step.op.plan(&mut planner, maps, view)? == Outcome::Dropped {
            drops = true;
            break;
        }
    }
    finish(planner, maps, view, drops)
}

fn finish(mut planner: Planner, maps: &mut Maps, view: View<'_>, drops: bool) -> Result<Plan, Odd> {
    let mut builder = Builder {
        planner: &planner,
        view,
        text: TemplateBuilder::new(),
        odd: false,
    };
    let mut whole = None;
    match maps.whole() {
        None => builder.map(None, maps),
        Some(Val::Map(at)) => builder.map(Some(at), maps),
        Some(value) => {
            let source = planner.source(value)?;
            builder.text.value(source);
            whole = Some(source);
        }
    }
    if builder.odd {
        return Err(Odd);
    }
    let mut text = builder.text.finish();
    if whole.is_none() {
        planner.print_casts(&mut text);
    }
    Ok(Plan {
        outcomes: planner.outcomes,
        work: planner.work,
        drops,
        text,
        whole,
    })
}

/// The printed form while it is put together.
struct Builder<'a> {
    planner: &'a Planner,
    view: View<'a>,
    text: TemplateBuilder<Source>,
    odd: bool,
}

impl Builder<'_> {
    fn map(&mut self, map: Option<u32>, maps: &mut Maps) {
        self.text.text(b"{");
        let mut first = true;
        maps.for_each(map, |maps, member| {
            if !std::mem::take(&mut first) {
                self.text.text(b", ");
            }
            self.text.text(maps.text(self.view, member.name));
            self.text.text(b"=");
            match member.value {
                Val::Map(at) => self.map(Some(at), maps),
                value => match self.planner.source(value) {
                    Ok(source) => self.text.value(source),
                    Err(Odd) => self.odd = true,
                },
            }
        });
        self.text.text(b"}");
    }
}

/// A record of a shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned<'a> {
    pub(super) shaped: Shaped<'a>,
    pub(super) incoming: &'a Incoming<'a>,
}

impl Planned<'_> {
    #[inline]
    fn value(&self, source: Source, made: &[Val], maps: &mut Maps) -> Val {
        match source {
            Source::Member(at) => self.member(at),
            Source::Made(at) => made.get(at as usize).copied().unwrap_or(Val::Null),
            Source::Null => Val::Null,
            Source::Topic => Val::Text(maps.make(self.incoming.topic.as_bytes())),
            Source::Partition => Val::Int32(self.incoming.partition),
            Source::Offset => Val::Int64(self.incoming.offset),
            Source::Timestamp => self.incoming.timestamp.map_or(Val::Null, Val::Int64),
            Source::Constant(text) => Val::Text(text),
        }
    }

    #[inline]
    fn member(&self, at: u32) -> Val {
        let node = self.shaped.values.get(at as usize).copied();
        node.map_or(Val::Null, Val::Node)
    }
}

impl Plan {
    /// Whether this is the plan for records with these outcomes.
    #[inline]
    pub(super) fn is_for(&self, outcomes: Outcomes) -> bool {
        self.outcomes == outcomes
    }

    /// Whether a Filter drops the record.
    #[inline]
    pub(super) fn drops(&self) -> bool {
        self.drops
    }

    /// Whether the value is null after the operations.
    #[inline]
    pub(super) fn is_null(&self, planned: Planned<'_>, made: &[Val], maps: &mut Maps) -> bool {
        self.whole.is_some_and(|source| {
            let value = planned.value(source, made, maps);
            value.is_null(planned.shaped.view)
        })
    }

    /// Makes the values that have to be made. False if the record is none for the plan, whatever its shape.
    #[inline]
    pub(super) fn work(
        &self,
        planned: Planned<'_>,
        made: &mut Vec<Val>,
        maps: &mut Maps,
    ) -> Result<bool, Odd> {
        let view = planned.shaped.view;
        made.clear();
        for work in &self.work {
            let value = planned.value(work.source(), made, maps);
            made.push(match work {
                Work::Cast(_, target) => cast_value(value, *target, view, maps)?,
                Work::Printed(_) => match value {
                    Val::Node(at)
                        if matches!(view.kind(at as usize), Kind::Array | Kind::Object) =>
                    {
                        return Err(Odd);
                    }
                    _ => Val::Null,
                },
                Work::Hide(_, replacement) => hide(value, replacement.as_deref(), view, maps)?,
                Work::Convert(_, convert) => convert.convert(value, view, maps)?,
                Work::ExpectFlat(_) if is_map(value, view)? => return Ok(false),
                Work::ExpectFlat(_) => Val::Null,
            });
        }
        Ok(true)
    }

    /// Appends the text of the value.
    #[inline]
    pub(super) fn print(
        &self,
        planned: Planned<'_>,
        made: &[Val],
        maps: &mut Maps,
        printer: &mut Printer,
        out: &mut Vec<u8>,
    ) {
        let view = planned.shaped.view;
        self.text.print(out, |source, out| match source {
            Source::Member(at) => {
                if let Val::Node(node) = planned.member(at) {
                    printer.print(view, node as usize, out);
                }
            }
            Source::Topic => out.extend_from_slice(planned.incoming.topic.as_bytes()),
            source => {
                let value = planned.value(source, made, maps);
                text::append_value(value, maps, view, printer, out);
            }
        });
    }
}
