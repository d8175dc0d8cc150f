//! Encoding of messages that have -0.0 in a field without presence, which `prost-reflect` takes for the
//! default and leaves out; Java writes it. Rare, so this way need not be fast.

use prost_reflect::prost::Message as _;
use prost_reflect::prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value as Proto,
};

/// Appends a message with every -0.0 in it.
pub(super) fn encode(message: &DynamicMessage, out: &mut Vec<u8>) {
    for field in message.descriptor().fields() {
        let value = message.get_field(&field);
        let is_set = message.has_field(&field);
        match value.as_ref() {
            Proto::F32(number) if !is_set && number.is_sign_negative() => {
                encode_key(field.number(), WireType::ThirtyTwoBit, out);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Proto::F64(number) if !is_set && number.is_sign_negative() => {
                encode_key(field.number(), WireType::SixtyFourBit, out);
                out.extend_from_slice(&number.to_le_bytes());
            }
            _ if !is_set => {}
            Proto::Message(inner) if !field.is_group() => nested(&field, inner, out),
            Proto::List(items) if !field.is_group() && is_message(&field) => {
                let messages = items.iter().filter_map(Proto::as_message);
                messages.for_each(|inner| nested(&field, inner, out));
            }
            Proto::Map(entries) => {
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_unstable_by_key(|(key, _)| *key);
                sorted
                    .into_iter()
                    .for_each(|(key, value)| map_entry(&field, key, value, out));
            }
            _ => alone(&field, value.into_owned(), out),
        }
    }
}

fn is_message(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(_))
}

fn nested(field: &FieldDescriptor, inner: &DynamicMessage, out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    encode(inner, &mut bytes);
    encode_key(field.number(), WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(&bytes);
}

fn map_entry(field: &FieldDescriptor, key: &MapKey, value: &Proto, out: &mut Vec<u8>) {
    if let Kind::Message(entry) = field.kind() {
        let mut message = DynamicMessage::new(entry);
        message.set_field_by_number(1, Proto::from(key.clone()));
        message.set_field_by_number(2, value.clone());
        nested(field, &message, out);
    }
}

/// Appends one field as `prost-reflect` does.
fn alone(field: &FieldDescriptor, value: Proto, out: &mut Vec<u8>) {
    let mut message = DynamicMessage::new(field.parent_message().clone());
    message.set_field(field, value);
    out.extend(message.encode_to_vec());
}
