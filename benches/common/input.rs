//! Records to measure with: JSON-like lines of one length.

use bytes::Bytes;
use ringmain::api::{ConfigMap, Span};
use ringmain::record::{BatchBuilder, CompressionConfig, ProducerFields};

/// Length of a line unless a bench is about others: the README's.
pub(crate) const LINE_BYTES: usize = 93;
/// As many lines as a batch of 1 MiB holds.
pub(crate) const BATCH: usize = 10_000;
/// Milliseconds since the epoch.
pub(crate) const TIMESTAMP: i64 = 1_700_000_000_000;
/// A JSON object of 93 bytes with five members.
pub(crate) const OBJECT: &str = concat!(
    r#"{"ts":1700000000123,"level":"INFO","host":"web-0001","#,
    r#""msg":"request served","user_id":123456}"#
);

/// Lines in one buffer.
pub(crate) struct Lines {
    /// Each line and a newline after it.
    pub(crate) buffer: Bytes,
    /// The lines without their newlines.
    pub(crate) spans: Vec<Span>,
}

impl Lines {
    /// The lines, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().filter_map(|span| span.of(&self.buffer))
    }

    /// Bytes of the lines without their newlines.
    pub(crate) fn payload(&self) -> usize {
        self.spans.iter().map(|span| span.len as usize).sum()
    }
}

/// `count` JSON objects of `line_bytes` each, 48 or more, with a newline after each.
pub(crate) fn lines(count: usize, line_bytes: usize) -> Lines {
    let mut buffer = Vec::with_capacity(count * (line_bytes + 1));
    let mut spans = Vec::with_capacity(count);
    for index in 0..count {
        let start = buffer.len();
        let user = index * 7919 % 1000;
        buffer.extend_from_slice(
            format!("{{\"id\":{index},\"user\":\"user-{user}\",\"note\":\"").as_bytes(),
        );
        buffer.resize(start + line_bytes - 2, b'x');
        buffer.extend_from_slice(b"\"}\n");
        spans.push(span(start, line_bytes));
    }
    Lines {
        buffer: buffer.into(),
        spans,
    }
}

/// `record` again and again, as lines.
pub(crate) fn repeated(record: &[u8], count: usize) -> Lines {
    let each = record.len() + 1;
    Lines {
        buffer: [record, b"\n"].concat().repeat(count).into(),
        spans: (0..count).map(|at| span(at * each, record.len())).collect(),
    }
}

fn span(start: usize, len: usize) -> Span {
    Span {
        start: u32::try_from(start).expect("less than 4 GiB"),
        len: u32::try_from(len).expect("less than 4 GiB"),
    }
}

/// Makes a record batch of `lines` in `buffer`.
pub(crate) fn batch(lines: &Lines, compression: CompressionConfig, buffer: Vec<u8>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(buffer, compression);
    for line in lines.iter() {
        builder.append(TIMESTAMP, None, Some(line), &[]);
    }
    builder
        .finish(&ProducerFields::NONE, 0)
        .expect("records that fit");
    builder.into_bytes()
}

/// A configuration of these keys and values.
pub(crate) fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect()
}
