//! Avro's binary encoding to Java's text of the value, without the value: of a record, its fields are
//! printed as they are read. What Java prints in an order of its own is read first.

use super::connect::{Read, ReadRecord};
use super::decode::{Decoded, Input, in_field};
use crate::api::data::text;

impl Read {
    /// Appends what [`text::append`] makes of the value that [`Read::decode`] gives.
    ///
    /// # Errors
    /// As [`Read::decode`]; a part may have been appended then.
    pub(super) fn print(&self, input: &mut Input<'_>, out: &mut Vec<u8>) -> Decoded<()> {
        match self {
            Self::Record(record) => record.print(input, out),
            _ => {
                text::append(&self.decode(input)?, out);
                Ok(())
            }
        }
    }

    /// As [`Read::print`], for what is inside of another value, unless it is null: then it gives false.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Java narrows with byteValue and shortValue"
    )]
    fn print_inside(&self, input: &mut Input<'_>, out: &mut Vec<u8>) -> Decoded<bool> {
        match self {
            Self::Boolean => out.extend_from_slice(match input.boolean()? {
                true => b"true",
                false => b"false",
            }),
            Self::Int8 => text::append_integer(i64::from(input.int()? as i8), out),
            Self::Int16 => text::append_integer(i64::from(input.int()? as i16), out),
            Self::Int32 => text::append_integer(i64::from(input.int()?), out),
            Self::Int64 => text::append_integer(input.long()?, out),
            Self::Float => text::append_float(input.float()?, out),
            Self::Double => text::append_double(input.double()?, out),
            Self::String => print_string(input.bytes()?, out),
            Self::Enum(symbols) => {
                let index = input.index(symbols.len(), "symbols of the enum")?;
                out.extend_from_slice(symbols.get(index).map_or("", String::as_str).as_bytes());
            }
            Self::Array(items) => print_array(items, input, out)?,
            Self::Record(record) => record.print(input, out)?,
            Self::Optional(null, inner) => match (input.index(2, "members of the union")?, null) {
                (0, 0) | (1, 1) => return Ok(false),
                _ => return inner.print_inside(input, out),
            },
            Self::Only(inner) => {
                input.index(1, "members of the union")?;
                return inner.print_inside(input, out);
            }
            _ => {
                let value = self.decode(input)?;
                if value.is_null() {
                    return Ok(false);
                }
                text::append_nested(&value, out);
            }
        }
        Ok(true)
    }
}

impl ReadRecord {
    fn print(&self, input: &mut Input<'_>, out: &mut Vec<u8>) -> Decoded<()> {
        out.extend_from_slice(b"Struct{");
        let start = out.len();
        let fields = self.schema.fields().iter().zip(&self.fields);
        for (index, (field, read)) in fields.enumerate() {
            let before = out.len();
            if before > start {
                out.push(b',');
            }
            out.extend_from_slice(field.name.as_bytes());
            out.push(b'=');
            let printed = read.print_inside(input, out);
            if !printed.map_err(|error| in_field(&self.schema, index, &error))? {
                out.truncate(before);
            }
        }
        out.push(b'}');
        Ok(())
    }
}

fn print_array(items: &Read, input: &mut Input<'_>, out: &mut Vec<u8>) -> Decoded<()> {
    out.push(b'[');
    let mut first = true;
    input.items(|input| {
        if !std::mem::replace(&mut first, false) {
            out.extend_from_slice(b", ");
        }
        if !items.print_inside(input, out)? {
            out.extend_from_slice(b"null");
        }
        Ok(())
    })?;
    out.push(b']');
    Ok(())
}

fn print_string(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.extend_from_slice(text.as_bytes()),
        Err(_) => out.extend_from_slice(text::decode_utf8(bytes).as_bytes()),
    }
}
