//! One record on its way through the operations.

use std::rc::Rc;

use super::Incoming;
use super::maps::Maps;
use crate::api::Span;
use crate::converters::json::View;
use crate::record::headers;

/// Headers of a record as they came.
#[derive(Debug, Clone, Copy)]
pub(in crate::task) struct RawHeaders<'a> {
    /// What `span` is a range of.
    pub(in crate::task) buffer: &'a [u8],
    /// Headers on the wire.
    pub(in crate::task) span: Span,
    /// How many.
    pub(in crate::task) count: u32,
}

impl RawHeaders<'_> {
    /// Whether there is one of this name.
    #[inline]
    pub(super) fn has(&self, name: &str) -> bool {
        self.count > 0
            && headers(self.buffer, self.span, self.count)
                .map_while(Result::ok)
                .any(|header| header.key == name.as_bytes())
    }

    /// Whether there is one of this name; `None` if they are malformed.
    #[inline]
    pub(super) fn has_among_all(&self, name: &str) -> Option<bool> {
        let mut all = headers(self.buffer, self.span, self.count);
        all.try_fold(false, |found, header| {
            let key = header.ok()?.key;
            Some(found | (key == name.as_bytes()))
        })
    }
}

/// What operations did to the names of headers; values are of no use to whoever gets text.
#[derive(Debug, Clone)]
pub(super) enum HeaderEdit {
    /// A header of this name was appended.
    Add(Rc<str>),
    /// All headers of these names went.
    Drop(Rc<[Box<str>]>),
}

/// A record while operations change it. Key and value are in [`Maps`] where somebody looks into them.
#[derive(Debug)]
pub(super) struct TapeRecord<'a> {
    /// The parsed value.
    pub(super) view: View<'a>,
    pub(super) value: &'a mut Maps,
    /// Topic, after routers.
    pub(super) topic: Rc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Milliseconds since the epoch, if the record has a timestamp.
    pub(super) timestamp: Option<i64>,
    pub(super) headers: RawHeaders<'a>,
    pub(super) edits: &'a mut Vec<HeaderEdit>,
}

impl<'a> TapeRecord<'a> {
    /// A record as it comes.
    #[inline]
    pub(super) fn new(
        view: View<'a>,
        value: &'a mut Maps,
        incoming: Incoming<'a>,
        edits: &'a mut Vec<HeaderEdit>,
    ) -> Self {
        Self {
            view,
            value,
            topic: Rc::clone(incoming.topic),
            partition: incoming.partition,
            offset: incoming.offset,
            timestamp: incoming.timestamp,
            headers: incoming.headers,
            edits,
        }
    }

    /// Whether there is a header of this name at present.
    pub(super) fn has_header(&self, name: &str) -> bool {
        for edit in self.edits.iter().rev() {
            match edit {
                HeaderEdit::Add(added) if **added == *name => return true,
                HeaderEdit::Drop(names) if names.iter().any(|dropped| **dropped == *name) => {
                    return false;
                }
                HeaderEdit::Add(_) | HeaderEdit::Drop(_) => {}
            }
        }
        self.headers.has(name)
    }
}
