//! The text road: JSON straight from and to text, without values. What it gives is what the struct
//! road gives; `tests.rs` compares the two.

use super::escape;
use super::layout::Layouts;
use super::parser::{Document, Kind, ParseError, View};
use super::reader::{parse_double, unique_members};
use crate::api::data::{java_hash, text};

/// Buffers for printing maps in Java's order.
#[derive(Debug, Default)]
pub(crate) struct Printer {
    /// Bucket, name and value of the entries of all maps that are being printed.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: i32,
    name: usize,
    value: usize,
}

/// Maps with more entries than this look for duplicate names by hash table.
const FEW: usize = 24;

/// Appends `String.valueOf` of what a schemaless document reads as.
pub(super) fn print_schemaless(
    input: &[u8],
    document: &mut Document,
    layouts: &mut Layouts,
    printer: &mut Printer,
    out: &mut Vec<u8>,
) -> Result<(), ParseError> {
    if print_plain_text(input, out).is_some() || layouts.print(input, document, printer, out) {
        return Ok(());
    }
    let view = document.parse(input)?;
    match view.root() {
        None => out.extend_from_slice(b"null"),
        Some(root) => printer.print(view, root, out),
    }
    layouts.learn(input, document, printer);
    Ok(())
}

/// The usual case: a quoted text. `None`, with nothing appended, when it is anything unusual.
fn print_plain_text(input: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let from = out.len();
    let rest = input.strip_prefix(b"\"")?;
    let done = escape::unescape_bytes(rest, out);
    if done.is_none() {
        out.truncate(from);
    }
    done.map(|_| ())
}

impl Printer {
    /// Appends `String.valueOf` of a value. Recursion is bounded by the depth that the parser allows.
    pub(crate) fn print(&mut self, view: View<'_>, at: usize, out: &mut Vec<u8>) {
        match view.kind(at) {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::False => out.extend_from_slice(b"false"),
            Kind::True => out.extend_from_slice(b"true"),
            Kind::Integer => print_integer(view, at, out),
            Kind::Fraction => print_fraction(view, at, out),
            Kind::Text => view.append_text(at, out),
            Kind::Array => self.print_array(view, at, out),
            Kind::Object => self.print_object(view, at, out),
        }
    }

    fn print_array(&mut self, view: View<'_>, at: usize, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, element) in view.elements(at).enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            self.print(view, element, out);
        }
        out.push(b']');
    }

    fn print_object(&mut self, view: View<'_>, at: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        self.for_each_member(view, at, |printer, name, value| {
            if !std::mem::replace(&mut first, false) {
                out.extend_from_slice(b", ");
            }
            view.append_text(name, out);
            out.push(b'=');
            printer.print(view, value, out);
        });
        out.push(b'}');
    }

    /// Calls `each` with the nodes of name and value of each member, in the order of a `HashMap`.
    pub(super) fn for_each_member(
        &mut self,
        view: View<'_>,
        at: usize,
        mut each: impl FnMut(&mut Self, usize, usize),
    ) {
        let first = self.entries.len();
        self.collect(view, at, first);
        let count = self.entries.len() - first;
        let size = java_hash::grown(java_hash::DEFAULT_CAPACITY, count);
        if let Some(entries) = self.entries.get_mut(first..) {
            // Stable: within a bucket the order is that of insertion.
            entries.sort_by_key(|entry| java_hash::bucket(entry.hash, size));
        }
        for index in first..first + count {
            if let Some(entry) = self.entries.get(index).copied() {
                each(self, entry.name, entry.value);
            }
        }
        self.entries.truncate(first);
    }

    /// Collects the members of an object from `first` on, each name once.
    fn collect(&mut self, view: View<'_>, at: usize, first: usize) {
        if view.len(at) > FEW {
            for (name, value) in unique_members(view, at) {
                let hash = java_hash::string_hash(view.text(name));
                self.entries.push(Entry { hash, name, value });
            }
            return;
        }
        for (name, value) in view.entries(at) {
            let text = view.text(name);
            let hash = java_hash::string_hash(text);
            let known = self
                .entries
                .get_mut(first..)
                .unwrap_or_default()
                .iter_mut()
                .find(|entry| entry.hash == hash && view.text(entry.name) == text);
            match known {
                Some(known) => known.value = value,
                None => self.entries.push(Entry { hash, name, value }),
            }
        }
    }
}

fn print_integer(view: View<'_>, at: usize, out: &mut Vec<u8>) {
    if view.append_short_integer(at, out) {
        return;
    }
    let (digits, negative) = view.integer(at);
    let magnitude = digits.bytes().fold(0u64, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0f))
    });
    let signed = if negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    };
    text::append_integer(signed.cast_signed(), out);
}

fn print_fraction(view: View<'_>, at: usize, out: &mut Vec<u8>) {
    let number = view.fraction(at);
    if is_java_form(number.as_bytes()) {
        return view.append_number(at, out);
    }
    text::append_double(parse_double(number), out);
}

/// Whether Java prints the number as it is written: at most 15 digits, which no shorter text can stand
/// for, in plain form, without needless zeros and within the range that is printed plain.
fn is_java_form(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"-").unwrap_or(number);
    let Some(point) = number.iter().position(|byte| *byte == b'.') else {
        return false;
    };
    let (whole, fraction) = (&number[..point], &number[point + 1..]);
    let plain = number.len() <= 16 && whole.len() <= 7 && fraction.iter().all(u8::is_ascii_digit);
    let leading_zero = whole.first() == Some(&b'0');
    let trailing_zero = fraction.last() == Some(&b'0') && fraction.len() > 1;
    plain && !leading_zero && !trailing_zero
}

/// The usual envelope: exactly as it is written for a required string. False, with nothing appended,
/// when it is anything else.
pub(super) fn print_enveloped(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(payload) = input.strip_prefix(super::STRING_ENVELOPE) else {
        return false;
    };
    let Some(text) = payload.strip_prefix(b"\"") else {
        return false;
    };
    let from = out.len();
    let closed = escape::unescape_bytes(text, out).is_some_and(|end| text.get(end) == Some(&b'}'));
    if !closed {
        out.truncate(from);
    }
    closed
}
