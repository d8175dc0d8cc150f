//! Objects read by the shape of those that came before.
//!
//! Records of a topic have the same members in the same order, again and again. A shape is what stands
//! around an object's values: `{"id":`, `,"name":` and so on up to the closing bracket, byte by byte. A
//! text that has it needs neither names nor blanks looked at: only its values are parsed, by the same
//! [`Parser`] as ever. Whatever does not fit, malformed texts among it, is left to [`Document::parse`].
//!
//! Shapes share what they begin with, in a tree: an optional member costs a second comparison and no
//! second start. Their number and size are bounded; when there is no room all are forgotten.

use std::ops::Range;

use super::parser::{Document, Kind, ParseError, Parser, View, narrow, plain_utf8};
use super::scan::Literal;

/// Members of the largest object that is kept as a shape.
const MOST_MEMBERS: usize = 64;
/// Bytes of the longest name, with quotes and blanks.
const MOST_LITERAL_BYTES: usize = 256;
/// Shapes that are kept.
const MOST_SHAPES: usize = 32;
/// Parts of shapes that are kept.
const MOST_FORKS: usize = 512;
/// Ways on from a place in a shape.
const MOST_WAYS: usize = 8;

/// The shapes that are known, each with something of its user's: a `P`.
#[derive(Debug)]
pub(crate) struct Shapes<P> {
    /// The first is where all begin.
    forks: Vec<Fork>,
    kept: Vec<P>,
}

/// A place between two values, or after the last.
#[derive(Debug)]
struct Fork {
    /// What stands before it and after the value before.
    literal: Literal,
    /// Where it goes on.
    ways: Vec<u32>,
    /// The way that fitted last; `u32::MAX` if there is none yet.
    first: u32,
    /// The shape that ends here.
    shape: Option<u32>,
}

/// A way on that was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Where it leads to.
    pub(super) fork: usize,
    /// How many bytes fitted.
    pub(super) len: usize,
    /// The shape that ends there.
    pub(super) shape: Option<u32>,
}

/// An object of a known shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shaped<'a> {
    /// See [`Shapes::get`].
    pub(crate) shape: u32,
    /// What the values are nodes of. Names have none, so that nothing but values can be asked for.
    pub(crate) view: View<'a>,
    /// The nodes of the values.
    pub(crate) values: &'a [u32],
}

impl<P: Default> Shapes<P> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            forks: vec![Fork::new(b"")],
            kept: Vec::new(),
        }
    }

    /// What its user keeps of a shape.
    #[inline]
    pub(crate) fn get(&self, shape: u32) -> Option<&P> {
        self.kept.get(shape as usize)
    }

    /// See [`Self::get`].
    pub(crate) fn get_mut(&mut self, shape: u32) -> Option<&mut P> {
        self.kept.get_mut(shape as usize)
    }

    /// The way on from `fork` that `rest` takes.
    #[inline]
    pub(super) fn step(&mut self, fork: usize, rest: &[u8]) -> Option<Step> {
        let first = self.forks.get(fork)?.first;
        match self.forks.get(first as usize) {
            Some(way) if way.literal.begins(rest) => Some(way.step(first)),
            _ => self.other_step(fork, rest),
        }
    }

    #[inline(never)]
    fn other_step(&mut self, fork: usize, rest: &[u8]) -> Option<Step> {
        let ways = &self.forks.get(fork)?.ways;
        let found = *ways.iter().find(|way| {
            let fork = self.forks.get(**way as usize);
            fork.is_some_and(|fork| fork.literal.begins(rest))
        })?;
        self.forks.get_mut(fork)?.first = found;
        let way = self.forks.get(found as usize)?;
        Some(way.step(found))
    }

    /// Takes a shape in, unless it is too large to be kept.
    fn insert(&mut self, source: &[u8], literals: &[Range<usize>]) -> Option<u32> {
        let too_long = |literal: &Range<usize>| literal.len() > MOST_LITERAL_BYTES;
        if literals.is_empty() || literals.len() > MOST_MEMBERS + 1 || literals.iter().any(too_long)
        {
            return None;
        }
        self.follow(source, literals).or_else(|| {
            *self = Self::new();
            self.follow(source, literals)
        })
    }

    /// The shape, with what is missing of it added; `None` when there is no room.
    fn follow(&mut self, source: &[u8], literals: &[Range<usize>]) -> Option<u32> {
        let mut at = 0;
        for literal in literals {
            let literal = source.get(literal.clone())?;
            let ways = &self.forks.get(at)?.ways;
            let same = |way: &&u32| {
                let fork = self.forks.get(**way as usize);
                fork.is_some_and(|fork| fork.literal.bytes() == literal)
            };
            at = match ways.iter().find(same) {
                Some(way) => *way as usize,
                None => self.add(at, literal)?,
            };
        }
        let end = self.forks.get_mut(at)?;
        if end.shape.is_none() {
            if self.kept.len() == MOST_SHAPES {
                return None;
            }
            end.shape = Some(narrow(self.kept.len()));
            self.kept.push(P::default());
        }
        end.shape
    }

    fn add(&mut self, at: usize, literal: &[u8]) -> Option<usize> {
        let new = self.forks.len();
        let ways = &mut self.forks.get_mut(at)?.ways;
        if new == MOST_FORKS || ways.len() == MOST_WAYS {
            return None;
        }
        ways.push(narrow(new));
        self.forks.push(Fork::new(literal));
        Some(new)
    }
}

impl Fork {
    fn new(literal: &[u8]) -> Self {
        Self {
            literal: Literal::new(literal),
            ways: Vec::new(),
            first: u32::MAX,
            shape: None,
        }
    }

    /// The step that leads here; it is `place`.
    #[inline]
    fn step(&self, place: u32) -> Step {
        Step {
            fork: place as usize,
            len: self.literal.bytes().len(),
            shape: self.shape,
        }
    }
}

impl Document {
    /// Parses an object of a shape that is known. `None` when it has none, or is no JSON.
    #[inline]
    pub(crate) fn parse_shaped<'a, P: Default>(
        &'a mut self,
        input: &'a [u8],
        shapes: &mut Shapes<P>,
    ) -> Option<Shaped<'a>> {
        u32::try_from(input.len()).ok()?;
        let source = plain_utf8(input)?;
        self.clear(input.len());
        let mut values = std::mem::take(&mut self.values);
        values.clear();
        let shape = self.parser(source).shaped(shapes, &mut values);
        self.values = values;
        Some(Shaped {
            shape: shape?,
            view: self.view(source),
            values: &self.values,
        })
    }

    /// Parses an object as [`Document::parse`] does, and keeps its shape. `None` when it has none that can
    /// be kept, or is no JSON.
    pub(crate) fn learn<'a, P: Default>(
        &'a mut self,
        input: &'a [u8],
        shapes: &mut Shapes<P>,
    ) -> Option<(u32, View<'a>)> {
        u32::try_from(input.len()).ok()?;
        let source = plain_utf8(input)?;
        self.clear(input.len());
        let literals = self.parser(source).literals().ok()?;
        let shape = shapes.insert(input, &literals)?;
        Some((shape, self.view(source)))
    }
}

impl Parser<'_, '_> {
    /// Follows a shape and leaves the places of the values' nodes in `values`.
    #[inline]
    fn shaped<P: Default>(&mut self, shapes: &mut Shapes<P>, values: &mut Vec<u32>) -> Option<u32> {
        // Stands for the object: numbers and brackets are looked at as they are in any.
        self.push(Kind::Object, false, 0, 0);
        self.open.push(0);
        let mut at = 0;
        loop {
            let step = shapes.step(at, self.bytes.get(self.at..)?)?;
            self.at += step.len;
            if step.shape.is_some() {
                return step.shape;
            }
            at = step.fork;
            values.push(narrow(self.nodes.len()));
            if !self.plain() {
                self.whole(1).ok()?;
            }
        }
    }

    /// Parses an object: the ranges around its values. None when it is something else.
    fn literals(&mut self) -> Result<Vec<Range<usize>>, ParseError> {
        let mut literals = Vec::new();
        let mut from = 0;
        self.skip_blanks();
        if self.peek() != b'{' {
            return Ok(literals);
        }
        let mut is_open = self.open(Kind::Object)?;
        while is_open {
            literals.push(from..self.at);
            self.whole(1)?;
            from = self.at;
            is_open = !self.close_and_advance(0)?;
        }
        literals.push(from..self.at);
        Ok(literals)
    }
}
