//! Envelopes whose start was read before: a producer writes the same schema into each record, so that all
//! bytes up to the payload repeat, and only the payload has to be parsed.

use crate::api::data::SchemaRef;

/// Envelopes that are remembered: as many schemas may take turns.
const MAX_KNOWN: usize = 8;
/// Longer starts are not remembered, so that those of all schemas take at most 512 KiB.
const MAX_START_BYTES: usize = 64 << 10;

/// Starts of envelopes up to their payload, and what their schemas read as.
#[derive(Debug, Default)]
pub(super) struct Envelopes {
    /// Those used last come first.
    known: Vec<(Box<[u8]>, SchemaRef)>,
}

impl Envelopes {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The schema of an envelope that begins like one before, and what follows its start: the payload and
    /// the end.
    #[inline]
    pub(super) fn find<'a>(&mut self, input: &'a [u8]) -> Option<(&SchemaRef, &'a [u8])> {
        let rest = |(start, _): &(Box<[u8]>, SchemaRef)| input.strip_prefix(&**start);
        let found = match self.known.first().and_then(rest) {
            Some(found) => found,
            None => {
                let mut known = self.known.iter().enumerate().skip(1);
                let (at, found) = known.find_map(|(at, known)| Some((at, rest(known)?)))?;
                self.known.get_mut(..=at)?.rotate_right(1);
                found
            }
        };
        self.known.first().map(|(_, schema)| (schema, found))
    }

    /// Remembers the start of an envelope, if it begins with its schema and the payload is next. `text`:
    /// the object that `schema` was read from.
    pub(super) fn learn(&mut self, input: &[u8], text: &[u8], schema: &SchemaRef) {
        let Some(start) = start(input, text).filter(|start| start.len() <= MAX_START_BYTES) else {
            return;
        };
        // It is known where only the rest of the record was unusual.
        if self.known.iter().any(|(known, _)| **known == *start) {
            return;
        }
        self.known.truncate(MAX_KNOWN - 1);
        self.known
            .insert(0, (start.into(), SchemaRef::clone(schema)));
    }
}

/// The bytes up to the payload, blanks between the tokens included.
fn start<'a>(input: &'a [u8], schema: &[u8]) -> Option<&'a [u8]> {
    let tokens: [&[u8]; 7] = [
        b"{",
        br#""schema""#,
        b":",
        schema,
        b",",
        br#""payload""#,
        b":",
    ];
    let mut rest = input;
    for token in tokens {
        rest = without_blanks(rest).strip_prefix(token)?;
    }
    input.get(..input.len() - rest.len())
}

fn without_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes
        .iter()
        .take_while(|byte| matches!(**byte, b' ' | b'\t' | b'\r' | b'\n'));
    bytes.get(blanks.count()..).unwrap_or_default()
}
