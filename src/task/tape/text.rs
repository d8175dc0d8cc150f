//! Java's `String.valueOf` of a tape's value.

use jiff::tz::TimeZone;

use super::maps::Maps;
use super::value::{Text, Val};
use crate::api::data::{java_time, text};
use crate::converters::json::{Printer, View};

/// Appends the text of the value.
#[inline]
pub(super) fn append(maps: &mut Maps, view: View<'_>, printer: &mut Printer, out: &mut Vec<u8>) {
    match maps.whole() {
        Some(value) => append_value(value, maps, view, printer, out),
        None => append_map(None, maps, view, printer, out),
    }
}

/// Recursion is bounded by the number of operations: what came nested is the printer's.
#[inline]
pub(super) fn append_value(
    value: Val,
    maps: &mut Maps,
    view: View<'_>,
    printer: &mut Printer,
    out: &mut Vec<u8>,
) {
    match value {
        Val::Node(node) => printer.print(view, node as usize, out),
        Val::Null => out.extend_from_slice(b"null"),
        Val::Boolean(true) => out.extend_from_slice(b"true"),
        Val::Boolean(false) => out.extend_from_slice(b"false"),
        Val::Int8(number) => text::append_integer(number.into(), out),
        Val::Int16(number) => text::append_integer(number.into(), out),
        Val::Int32(number) => text::append_integer(number.into(), out),
        Val::Int64(number) => text::append_integer(number, out),
        Val::Float32(number) => text::append_float(number, out),
        Val::Float64(number) => text::append_double(number, out),
        Val::Text(text) => append_text(text, maps, view, out),
        Val::Date(millis) => java_time::append_date_to_string(&TimeZone::system(), millis, out),
        Val::NoItems => out.extend_from_slice(b"[]"),
        Val::Map(at) => append_map(Some(at), maps, view, printer, out),
    }
}

fn append_map(
    map: Option<u32>,
    maps: &mut Maps,
    view: View<'_>,
    printer: &mut Printer,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    let mut first = true;
    maps.for_each(map, |maps, member| {
        if !std::mem::take(&mut first) {
            out.extend_from_slice(b", ");
        }
        append_text(member.name, maps, view, out);
        out.push(b'=');
        append_value(member.value, maps, view, printer, out);
    });
    out.push(b'}');
}

#[inline]
fn append_text(text: Text, maps: &Maps, view: View<'_>, out: &mut Vec<u8>) {
    match text {
        Text::Node(node) => view.append_text(node as usize, out),
        Text::Made { .. } => out.extend_from_slice(maps.text(view, text)),
    }
}
