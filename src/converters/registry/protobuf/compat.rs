//! Whether records of one schema can be written with another, for `latest.compatibility.strict`. Fields are
//! found by name, so each has to be there with its type; numbers may differ.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::source::Source;
use crate::api::ConnectError;
use crate::converters::registry::limits::DEPTH_MAX;

/// Checks that `latest` has what the first message of `own` has.
///
/// # Errors
/// The first field or message that it has not.
pub(super) fn check(latest: &Source, own: &Source) -> Result<(), ConnectError> {
    let Some(message) = own.file.messages().next() else {
        return Ok(());
    };
    let name = message.full_name();
    let theirs = latest.message_called(name);
    let (_, theirs) = theirs.ok_or_else(|| ConnectError::data(format!("no message {name}")))?;
    messages(&theirs, &message, 0)
}

fn messages(
    latest: &MessageDescriptor,
    own: &MessageDescriptor,
    depth: usize,
) -> Result<(), ConnectError> {
    // What was composed of a Connect schema is not as deep.
    if depth > DEPTH_MAX {
        return Ok(());
    }
    for field in own.fields() {
        let place = format!("{}.{}", own.name(), field.name());
        let theirs = latest.get_field_by_name(field.name());
        let theirs = theirs.ok_or_else(|| ConnectError::data(format!("no field {place}")))?;
        if shape(&theirs) != shape(&field) {
            return Err(ConnectError::data(format!(
                "the field {place} has another type"
            )));
        }
        let (Kind::Message(theirs), Kind::Message(own)) = (theirs.kind(), field.kind()) else {
            continue;
        };
        let is_named = own.full_name().starts_with("google.")
            || own.full_name().starts_with("confluent.type.");
        if is_named && theirs.full_name() != own.full_name() {
            return Err(ConnectError::data(format!(
                "the field {place} is no {}",
                own.full_name()
            )));
        }
        messages(&theirs, &own, depth + 1)?;
    }
    Ok(())
}

/// Whether a field has many values, and of which type; a map has many messages.
fn shape(field: &FieldDescriptor) -> (bool, std::mem::Discriminant<Kind>) {
    let is_many = field.is_list() || field.is_map();
    (is_many, std::mem::discriminant(&field.kind()))
}
